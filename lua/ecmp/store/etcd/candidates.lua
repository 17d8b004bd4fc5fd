---Which addresses an ADD tries: tuples of one address for each range set.
--
-- A quarter of them lies in a block that is computed from the node's name, so that nodes seldom
-- meet, the rest anywhere in the set. A block is owned by nobody: whoever finds it full takes
-- another address.
local ip = require "ecmp.ip"
local sys = require "ecmp.sys"

local M = {}

---How many tuples one transaction tries.
M.count = 16

-- Operations of one transaction, with those nested in it, that etcd takes (--max-txn-ops); some are
-- for the rest of the transaction.
local OPERATIONS <const>, REST <const> = 128, 8

---How many tuples a transaction has room for: each takes an operation for every set and one more,
---and where none is free all ranges are listed.
---@param sets table[]
---@return integer count  less than 1 where there are too many ranges for one transaction
function M.room(sets)
  local ranges = 0
  for _, set in ipairs(sets) do ranges = ranges + #set end
  return math.min(M.count, (OPERATIONS - REST - ranges) // (#sets + 1))
end

-- The largest range that is counted exactly; of a larger one the first so many are handed out.
local LARGEST <const> = 1 << 32

-- Numbers by chance, fetched from the kernel a hundred at a time.
local function dice()
  local pool, at = "", 1
  return function(bound)
    if at > #pool then pool, at = sys.random(800), 1 end
    local number
    number, at = ("<i8"):unpack(pool, at)
    return (number & math.maxinteger) % bound
  end
end

-- FNV-1a, folded: which block is nobody's secret.
local function hash(text)
  local sum = 0xcbf29ce484222325
  for i = 1, #text do sum = (sum ~ text:byte(i)) * 0x100000001b3 end
  return (sum ~ sum >> 32) & math.maxinteger
end

local function distance(range)
  local fits <const>, far <const> = pcall(function() return range.last - range.first end)
  return fits and math.min(far + 1, LARGEST) or LARGEST
end

---How many addresses a set has, its gateways included.
---@param set table a range set
---@return integer
function M.size(set)
  local sum = 0
  for _, range in ipairs(set) do sum = sum + distance(range) end
  return sum
end

---How many addresses of a range may be handed out: neither its gateway nor routers of the pod.
---@param range table
---@param set table the range set that it is of
---@return integer
function M.usable(range, set)
  local count = distance(range)
  local function leave_out(address)
    if address and range.first <= address and address <= range.last then count = count - 1 end
  end
  leave_out(range.gateway)
  for text in pairs(set.kept_out or {}) do
    if text ~= tostring(range.gateway) then leave_out(ip.parse(text)) end
  end
  return count
end

---The address at an index of a set, counted from 0 through its ranges.
---@param set table
---@param index integer
---@return ecmp.Address? address  nil for one that is not handed out
---@return table range
function M.at(set, index)
  for _, range in ipairs(set) do
    local size <const> = distance(range)
    if index < size then
      local address <const> = range.first + index
      local is_out <const> = address == range.gateway or set:is_kept_out(address)
      return not is_out and address or nil, range
    end
    index = index - size
  end
  error("candidates: beyond the set", 2)
end

-- Draws up to `wanted` different addresses of [from, from + size) that may be handed out. Few are
-- left out when the part is large; a small part is gone through in an order by chance.
local function draw(list, set, from, size, wanted, roll, seen)
  local step, at = 1, roll(size)
  local small <const> = size <= 4 * M.count
  -- steps of a part that is gone through whole: an odd number and no divisor in common
  if small then
    step = roll(size) + 1
    local function common(a, b) return b == 0 and a or common(b, a % b) end
    while common(step, size) ~= 1 do step = step + 1 end
  end
  for _ = 1, small and size or 4 * wanted do
    if #list >= wanted then return end
    local index <const> = from + at
    local address <const>, range <const> = M.at(set, index)
    if address and not seen[index] then
      seen[index] = true
      list[#list + 1] = { address = address, range = range }
    end
    at = small and (at + step) % size or roll(size)
  end
end

-- What to try of one set.
local function of_set(set, seed, block, roll)
  local list <const>, seen <const>, size <const> = {}, {}, M.size(set)
  local blocks <const> = (size + block - 1) // block
  local from <const> = hash(("%s\0%s"):format(seed, set)) % blocks * block
  draw(list, set, from, math.min(block, size - from), M.count // 4, roll, seen)
  draw(list, set, 0, size, M.count, roll, seen)
  return list
end

-- One tuple for each place in the shortest list of those that are a choice; a single address that
-- was asked for goes into all.
local function tuples_of(sets, lists)
  local tuples <const> = {}
  local count = M.room(sets)
  for _, list in ipairs(lists) do
    if not list.fixed then count = math.min(count, #list) end
  end
  local any_choice = false
  for _, list in ipairs(lists) do any_choice = any_choice or not list.fixed end
  for i = 1, any_choice and count or 1 do
    tuples[i] = {}
    for n, list in ipairs(lists) do tuples[i][n] = list.fixed or list[i] end
  end
  return tuples
end

---The tuples that a first transaction tries.
---@param sets table[] range sets
---@param fixed table<integer, table> `{ address, range }` by set, where one was asked for
---@param seed string the node and the pool, from which the block is computed
---@param block integer addresses of a block
---@return table[] tuples lists of `{ address, range }`, one for each set
function M.first(sets, fixed, seed, block)
  local lists <const>, roll <const> = {}, dice()
  for n, set in ipairs(sets) do
    lists[n] = fixed[n] and { fixed = fixed[n] } or of_set(set, seed, block, roll)
  end
  return tuples_of(sets, lists)
end

-- How many addresses of a set are looked at for free ones.
local LOOKS <const> = 1 << 17

-- Free addresses of one set by chance, going through it from somewhere.
local function free_of_set(set, taken, roll)
  local list <const>, size <const> = {}, M.size(set)
  local at = roll(size)
  local free <const> = {}
  for _ = 1, math.min(size, LOOKS) do
    local address <const>, range <const> = M.at(set, at)
    if address and not taken[tostring(address)] then
      free[#free + 1] = { address = address, range = range }
    end
    if #free == 64 * M.count then break end
    at = (at + 1) % size
  end
  while #list < M.count and #free > 0 do
    list[#list + 1] = table.remove(free, roll(#free) + 1)
  end
  return list
end

---The tuples to try when it is known which addresses are taken.
---@param sets table[]
---@param fixed table<integer, table>
---@param taken table<string, boolean> by the address's text
---@return table[]? tuples, integer? full  nil and the number of the set that has no free address
function M.free(sets, fixed, taken)
  local lists <const>, roll <const> = {}, dice()
  for n, set in ipairs(sets) do
    lists[n] = fixed[n] and { fixed = fixed[n] } or free_of_set(set, taken, roll)
    if fixed[n] and taken[tostring(fixed[n].address)] then return nil, n end
    if not fixed[n] and #lists[n] == 0 then return nil, n end
  end
  return tuples_of(sets, lists)
end

return M
