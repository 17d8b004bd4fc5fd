---What has to change to make the routes of one list those of another: a list of changes.
--
-- Most of a large table stays, and most of what changes is plain. So the lists are first matched in
-- C, slot by slot, without a Lua value for any route; what that is not sure of is compared here in
-- canonical form. What it is sure of stays a number until somebody looks at the change.
local hops <const> = require "ecmp.fib.nexthop"
local identity <const> = require "ecmp.fib.route"
local rtnl <const> = require "ecmp.rtnl"
local slot <const> = require "ecmp.fib.slot"

local M = {}

-- A step is the number of a held route, that of a wanted one shifted by 31, and whether the two are
-- surely not the same: see rtnl.match.
local NUMBER <const>, SURE <const> = 0x7fffffff, 1 << 62

-- Matching ----------------------------------------------------------------------------------------

---Sorts one list into slots. `into` is "have" or "want".
---@return boolean? done, string? message, integer? code
local function sort(routes, name, into, slots, order)
  for i, route in ipairs(routes) do
    local key, message = identity.slot(route)
    if not key then return nil, ("%s[%d].%s"):format(name, i, message), 7 end
    if not slots[key] then
      slots[key] = { have = {}, want = {} }
      order[#order + 1] = slots[key]
    end
    table.insert(slots[key][into], i)
  end
  return true
end

---What rtnl.match does, for lists that hold what is written in other ways; sure of nothing.
---@return table? steps, string? message, integer? code
local function match_by_text(current, wanted)
  local slots <const>, order <const>, steps <const> = {}, {}, {}
  local done, message, code = sort(wanted, "wanted", "want", slots, order)
  if done then done, message, code = sort(current, "current", "have", slots, order) end
  if not done then return nil, message, code end
  for k, one in ipairs(order) do
    local alone <const> = #one.have <= 1 and #one.want <= 1
    steps[k] = alone and (one.have[1] or 0) | (one.want[1] or 0) << 31 or one
  end
  return steps
end

-- Comparing ---------------------------------------------------------------------------------------

---@return table? canonical, string? message, integer? code
local function canonical_of(wanted, j, stated)
  local route <const> = wanted[j]
  local canonical, message, code = identity.canonical(route, hops.possible)
  if not canonical then return nil, ("wanted[%d].%s"):format(j, message), code end
  if stated ~= slot.EXACTLY then stated[canonical] = route end
  return canonical
end

---The changes to a slot that holds one route at most and is to hold this one.
local function change_to(new, old, stated)
  if not (old and new.family == 6 or new.separate) then
    return { { verb = old and "replace" or "add", route = new, old = old } }
  end
  -- ecmp.fib.slot knows in which order the hops of an IPv6 route had better be replaced.
  local changes <const> = assert(slot.settle({ old }, { new }, stated))
  -- Alone in its slot, a change says by itself how it is taken back, and may share a batch.
  if #changes == 1 then changes[1].before, changes[1].after = nil, nil end
  return changes
end

---The changes from the i-th route that is there to the j-th that is wanted, 0 where there is none.
---@param stated table see ecmp.fib.slot
---@param sure? boolean that there are some
---@return table? changes, string? message, integer? code
local function compare(current, wanted, i, j, stated, sure)
  local old <const> = i > 0 and identity.held(current[i]) or nil
  if j == 0 then return { { verb = "del", old = old } } end
  local new, message, code = canonical_of(wanted, j, stated)
  if not new then return nil, message, code end
  if old and not sure and slot.fits(old, new, stated) then return {} end
  return change_to(new, old, stated)
end

---@return table? changes, string? message, integer|string|nil code
local function compare_crowd(current, wanted, crowd, stated)
  local have <const>, want <const> = {}, {}
  for n, i in ipairs(crowd.have) do have[n] = identity.held(current[i]) end
  for n, j in ipairs(crowd.want) do
    local canonical, message, code = canonical_of(wanted, j, stated)
    if not canonical then return nil, message, code end
    want[n] = canonical
  end
  return slot.settle(have, want, stated)
end

local function is_sure(step)
  return type(step) == "number" and step & SURE ~= 0
end

local function stated_of(exactly)
  return exactly and slot.EXACTLY or {}
end

local function compare_step(current, wanted, step, exactly)
  local stated <const> = stated_of(exactly)
  if type(step) == "table" then return compare_crowd(current, wanted, step, stated) end
  return compare(current, wanted, step & NUMBER, step >> 31 & NUMBER, stated)
end

-- The list ----------------------------------------------------------------------------------------

---Finds the changes; linear. Fields that `wanted` leaves out match anything; what only `current`
---holds is deleted after everything else is in place.
---@param current table[] routes or views
---@param wanted table[] routes
---@param exactly? boolean what is left out is not there
---@return table? found for `change`: changes, and numbers in place of those not written out yet
---@return string? message
---@return integer|string|nil code
function M.find(current, wanted, exactly)
  local steps, unsure, message, code = rtnl.match(current, wanted, exactly)
  if unsure == 0 then return steps end
  if not steps then steps, message, code = match_by_text(current, wanted) end
  if not steps then return nil, message, code end
  local found, count = {}, 0
  for k = 1, #steps do
    local step <const> = steps[k]
    if is_sure(step) then
      count = count + 1
      found[count] = step
    else
      local changes
      changes, message, code = compare_step(current, wanted, step, exactly)
      if not changes then return nil, message, code end
      table.move(changes, 1, #changes, count + 1, found)
      count = count + #changes
    end
  end
  return found
end

---What the k-th change does, and whether it is alone in its slot, without writing it out.
---@return string verb
---@return boolean alone
function M.verb(found, k)
  local change <const> = found[k]
  if type(change) ~= "number" then return change.verb, change.before == nil end
  if change & NUMBER == 0 then return "add", true end
  return change >> 31 & NUMBER == 0 and "del" or "replace", true
end

---The last of the changes from the k-th on, `most` at most, that do nothing but add wanted routes
---as they are listed, one behind the other; k where it does something else.
---@param found table
---@param k integer
---@param most integer
---@return integer last
M.run = rtnl.run

---The slot that the k-th change is about.
---@return string slot
function M.slot(found, k, current, wanted)
  local change <const> = found[k]
  if type(change) ~= "number" then return (assert(identity.slot(change.route or change.old))) end
  local j <const> = change >> 31 & NUMBER
  if j == 0 then return (assert(identity.slot(current[change & NUMBER]))) end
  return rtnl.slot(wanted, j) or assert(identity.slot(wanted[j]))
end

---The slots that the changes of a run add to, a line each, behind a word.
---@return string? lines nil where they have to be asked for one by one
function M.slots(found, k, last, wanted, word)
  local j <const> = k < last and found[k] >> 31 & NUMBER
  return j and rtnl.slots(wanted, j, j + last - k, word) or nil
end

---What the k-th change comes from, as messages name it.
---@return string
function M.place(found, k)
  local change <const> = found[k]
  local j <const> = type(change) == "number" and change >> 31 & NUMBER or 0
  return j > 0 and ("wanted[%d]"):format(j) or ("changes[%d]"):format(k)
end

---The wanted route itself, where the kernel can be told just that: nil where the change has to be
---written out for it.
---@return table|userdata|nil route or the list it is in
---@return integer? number in that list
function M.as_listed(found, k, current, wanted)
  local change <const> = found[k]
  local j <const> = type(change) == "number" and change >> 31 & NUMBER or 0
  -- In which order the hops of an IPv6 route had better be replaced is found out by writing it out.
  if j == 0 or change & NUMBER ~= 0 and current[change & NUMBER].family ~= 4 then return nil end
  if type(wanted) == "userdata" then return wanted, j end
  local route <const> = wanted[j]
  if route.nexthops and (route.onlink or #route.nexthops < 2) then return nil end
  -- A view that leaves its type out says less than it seems to.
  if type(route) == "userdata" and not (route.type and route.table) then return nil end
  return route
end

---One change of those found, written out.
---@param found table
---@param k integer
---@param current table[] the same lists, unaltered
---@param wanted table[]
---@param exactly? boolean as it was found
---@return table? change `{ verb, route, old }`, see ecmp.fib.slot
function M.change(found, k, current, wanted, exactly)
  local change <const> = found[k]
  if type(change) ~= "number" then return change end
  local written <const> = assert(compare(current, wanted, change & NUMBER,
    change >> 31 & NUMBER, stated_of(exactly), true))
  return assert(written[1], "two comparisons of one route disagree")
end

return M
