---Which of the kernel's entries have to change so that the wanted routes are there.
--
-- `ecmp.plan` turns "what is there" and "what is wanted" into requests; this module decides what
-- to tell it. Entries of other interfaces are theirs: they stay as they are unless the wanted route
-- has taken them in (conflict `merge`).
local group = require "ecmp.group"

local M = {}

---A route with those of its next hops that `keep` wants; nil where none is left.
local function with_hops(route, keep)
  local part <const> = {}
  for key, value in pairs(route) do part[key] = value end
  part.nexthops = {}
  for _, hop in ipairs(route.nexthops) do
    if keep(hop) then table.insert(part.nexthops, hop) end
  end
  return part.nexthops[1] and part or nil
end

---The part of a canonical route that leaves by an interface, and the part that does not.
---@param route table
---@param dev string
---@return table? own, table? foreign canonical routes
function M.part(route, dev)
  if #route.nexthops == 0 then return nil, route end
  return with_hops(route, function(hop) return hop.dev == dev end),
    with_hops(route, function(hop) return hop.dev ~= dev end)
end

local function has_hop(route, hop)
  for _, other in ipairs(route.nexthops) do
    if other.via == hop.via and other.dev == hop.dev then return true end
  end
  return false
end

local function holds_all(route, part)
  for _, hop in ipairs(part.nexthops) do
    if not has_hop(route, hop) then return false end
  end
  return #part.nexthops > 0
end

local function slots_of(...)
  local slots <const> = {}
  for _, list in ipairs { ... } do
    for _, route in ipairs(list) do slots[group.slot(route)] = true end
  end
  return slots
end

---Joins routes of one slot that IPv6 keeps as one anyway, so that the plan sees one route for each.
local function joined(routes)
  local list <const>, by_slot <const> = {}, {}
  for _, route in ipairs(routes) do
    local slot <const> = group.slot(route)
    local first <const> = route.family == 6 and by_slot[slot]
    local all_via = first and true
    for _, hop in ipairs(first and route.nexthops or {}) do all_via = all_via and hop.via end
    if first and all_via then
      for _, hop in ipairs(route.nexthops) do
        if not has_hop(first, hop) then table.insert(first.nexthops, hop) end
      end
    else
      local copy <const> = with_hops(route, function() return true end) or route
      by_slot[slot] = copy
      list[#list + 1] = copy
    end
  end
  return list
end

---What to tell `ecmp.plan` so that `wanted` replaces what `own` says of one interface.
---@param current table[] canonical routes of the pod
---@param own table[] canonical routes of the interface that are to give way, as found
---@param wanted table[] canonical routes of the interface
---@param dev string
---@return table[] before, table[] after what is there and what is to be there, slot by slot
function M.of(current, own, wanted, dev)
  local slots <const> = slots_of(own, wanted)
  local before <const>, after <const> = {}, {}
  for _, route in ipairs(current) do
    if slots[group.slot(route)] then
      before[#before + 1] = route
      local _, foreign = M.part(route, dev)
      local taken = false
      for _, new in ipairs(foreign and wanted or {}) do
        taken = taken or group.slot(new) == group.slot(route) and holds_all(new, foreign)
      end
      if foreign and not taken then after[#after + 1] = foreign end
    end
  end
  table.move(wanted, 1, #wanted, #after + 1, after)
  return before, joined(after)
end

return M
