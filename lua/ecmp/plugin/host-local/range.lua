---Range sets: which addresses a pool may hand out, and in which order.
--
-- A range set is a list of ranges of one family; an attachment gets one address of each set. The
-- order of candidates is the reference plugin's: after the last address handed out, through the
-- ranges as listed, around, and back to where it began.
local ip = require "ecmp.ip"

local M = {}

---@class ecmp.store.Range
---@field first userdata first address of the range
---@field last userdata last address of the range
---@field gateway userdata never handed out, even where it lies inside
---@field length integer prefix length of the subnet

local Set <const> = {}
Set.__index = Set

-- An address without a prefix length, or nothing: "" counts as nothing, as in the reference.
local function address(text, name)
  if text == nil or text == "" then return nil end
  local parsed <const> = not text:find("/", 1, true) and ip.parse(text) or nil
  if not parsed then return nil, ("%s: '%s' is no IP address"):format(name, text) end
  return parsed
end

local function subnet(text, name)
  if text == nil then return nil, name .. ": must be given" end
  local parsed = text:find("/", 1, true) and ip.parse(text) or nil
  -- The reference takes IPv4 in IPv6 dress for an address, not for a subnet.
  if parsed and parsed:family() == 4 and text:find(":", 1, true) then parsed = nil end
  if not parsed then return nil, ("%s: '%s' is no subnet like 10.0.0.0/24"):format(name, text) end
  local width <const> = parsed:family() == 4 and 32 or 128
  if parsed:length() > width - 2 then
    return nil, ("%s: %s is too small to allocate from"):format(name, text)
  end
  if not parsed:is_network() then
    return nil, ("%s: %s has host bits set; the network is %s"):format(name, text, parsed:network())
  end
  return parsed
end

-- One end of a range: inside the subnet where it is given, else the subnet's own.
local function bound(text, name, net, default)
  local given <const>, message <const> = address(text, name)
  if message then return nil, message end
  if given and not net:contains(given) then
    return nil, ("%s: %s is not in %s"):format(name, given, net)
  end
  return given or default
end

local function host(net, offset)
  return net:first() + offset
end

---Reads one range of a configuration.
---@param spec table `subnet`, `rangeStart`, `rangeEnd`, `gateway`, all text
---@param path string what to call the range in a message
---@return ecmp.store.Range? range, string? message
function M.range(spec, path)
  local net <const>, wrong_subnet <const> = subnet(spec.subnet, path .. ".subnet")
  if not net then return nil, wrong_subnet end
  local gateway <const>, wrong_gateway <const> = address(spec.gateway, path .. ".gateway")
  if wrong_gateway then return nil, wrong_gateway end
  local first <const>, wrong_first <const> =
    bound(spec.rangeStart, path .. ".rangeStart", net, host(net, 1))
  if not first then return nil, wrong_first end
  -- The last IPv4 address is the broadcast address: handed out only where it is named.
  local last <const>, wrong_last <const> = bound(spec.rangeEnd, path .. ".rangeEnd", net,
    net:family() == 4 and net:last() + -1 or net:last())
  if not last then return nil, wrong_last end
  if last < first then
    return nil, ("%s.rangeStart: %s is after rangeEnd %s"):format(path, first, last)
  end
  return { first = first, last = last, gateway = gateway or host(net, 1), length = net:length() }
end

local function overlap(a, b)
  return a.first:family() == b.first:family() and a.first <= b.last and b.first <= a.last
end

---Reads one range set of a configuration.
---@param specs table[] the ranges, each as `M.range` takes it
---@param path string what to call the set in a message
---@return table? set, string? message
function M.set(specs, path)
  if #specs == 0 then return nil, path .. ": the range set is empty" end
  local set <const> = setmetatable({}, Set)
  for i, spec in ipairs(specs) do
    local name <const> = ("%s[%d]"):format(path, i - 1)
    local range <const>, message <const> = M.range(spec, name)
    if not range then return nil, message end
    for _, other in ipairs(set) do
      if other.first:family() ~= range.first:family() then
        return nil, name .. ".subnet: a range set holds one address family only"
      end
      if overlap(other, range) then
        return nil, ("%s: overlaps with %s-%s"):format(name, other.first, other.last)
      end
    end
    set[i] = range
  end
  set.family = set[1].first:family()
  return set
end

---Whether two sets could hand out the same address.
function Set:overlaps(other)
  for _, mine in ipairs(self) do
    for _, theirs in ipairs(other) do
      if overlap(mine, theirs) then return true end
    end
  end
  return false
end

---The range an address lies in.
---@param wanted userdata an address
---@return ecmp.store.Range? range, integer? index
function Set:find(wanted)
  if wanted:family() ~= self.family then return nil end
  for i, range in ipairs(self) do
    if range.first <= wanted and wanted <= range.last then return range, i end
  end
end

function Set:__tostring()
  local parts <const> = {}
  for i, range in ipairs(self) do parts[i] = ("%s-%s"):format(range.first, range.last) end
  return table.concat(parts, ",")
end

-- The address after this one, around the whole set.
function Set:next(index, current)
  if current ~= self[index].last then return index, current + 1 end
  index = index % #self + 1
  return index, self[index].first
end

---Keeps addresses out of what is handed out: routers of the pod's routes are taken.
---@param addresses table<string, true> by their text
function Set:keep_out(addresses)
  self.kept_out = next(addresses) and addresses or nil
end

---Whether an address of the set is kept out of what is handed out.
---@param wanted userdata
---@return boolean
function Set:is_kept_out(wanted)
  return self.kept_out ~= nil and self.kept_out[tostring(wanted)] ~= nil
end

---Every address that may be handed out, once each, in the order they are to be tried.
---@param last? userdata the address handed out last; it is tried last if it is in the set
---@return fun(): userdata?, ecmp.store.Range? iterator over address and its range
function Set:candidates(last)
  local _, index = nil, nil
  if last then _, index = self:find(last) end
  local current, start
  return function()
    repeat
      if current or index then
        index, current = self:next(index, current or last)
      else
        index, current = 1, self[1].first
      end
      if current == start then return nil end
      start = start or current
    until current ~= self[index].gateway and not self:is_kept_out(current)
    return current, self[index]
  end
end

return M
