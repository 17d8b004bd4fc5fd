---Which of the kernel's entries have to change so that the wanted routes are there.
--
-- `ecmp.plan` turns "what is there" and "what is wanted" into requests; this module decides what
-- to tell it. Entries of other interfaces are theirs: they stay as they are unless the wanted route
-- has taken them in (conflict `merge`).
local identity = require "ecmp.fib.route"
local nexthop = require "ecmp.fib.nexthop"

local M = {}

---A route with those of its next hops that `keep` wants.
---@param route ecmp.RouteValue
---@param keep fun(hop: table): boolean
---@return ecmp.RouteValue? part nil where no hop is left
function M.with_hops(route, keep)
  local hops <const> = {}
  for _, hop in ipairs(route.nexthops) do
    if keep(hop) then hops[#hops + 1] = hop end
  end
  return hops[1] and identity.with(route, { nexthops = hops }) or nil
end

-- Who installs routes as plugins do. The kernel's connected routes, router advertisements and
-- routing daemons keep what is theirs, on whatever interface.
local origins <const> = { boot = true, static = true }

---The hops of routes by slot and name.
---@param routes table[] canonical
---@return table<string, table<string, true>>
function M.hops_by_slot(routes)
  local hops <const> = {}
  for _, route in ipairs(routes) do
    local slot <const> = identity.slot(route)
    hops[slot] = hops[slot] or {}
    for _, hop in ipairs(route.nexthops) do hops[slot][nexthop.name(hop)] = true end
  end
  return hops
end

---The part of a canonical route that plugins sent out of an interface, and the rest.
---@param route table
---@param dev string
---@param ours? table<string, table<string, true>> hops on other interfaces that are ours as well,
---as `hops_by_slot` gives them
---@return table? own, table? foreign canonical routes
function M.part(route, dev, ours)
  if #route.nexthops == 0 or route.proto and not origins[route.proto] then return nil, route end
  local more <const> = ours and ours[identity.slot(route)] or {}
  local function is_own(hop) return hop.dev == dev or more[nexthop.name(hop)] ~= nil end
  return M.with_hops(route, is_own), M.with_hops(route, function(hop) return not is_own(hop) end)
end

---The routes whose place is one of those of `wanted` and that have hops on other interfaces.
---@param current table[] canonical routes of the pod
---@param wanted table[] canonical routes
---@param dev string our interface
---@return table[]
function M.beside(current, wanted, dev)
  local slots <const>, list <const> = M.hops_by_slot(wanted), {}
  for _, route in ipairs(current) do
    local foreign <const> = slots[identity.slot(route)]
      and M.with_hops(route, function(hop) return hop.dev ~= dev end)
    if foreign then list[#list + 1] = foreign end
  end
  return list
end

---The hops on other interfaces that an ADD added: those it wanted and did not find.
---@param was table the record, with `wanted` and `beside`
---@param dev string its interface
---@return table<string, table<string, true>>
function M.added_elsewhere(was, dev)
  if not was.beside then return {} end
  local there <const>, added <const> = M.hops_by_slot(was.beside), {}
  for _, route in ipairs(was.wanted or {}) do
    local slot <const> = identity.slot(route)
    for _, hop in ipairs(route.nexthops) do
      local name <const> = nexthop.name(hop)
      if hop.dev ~= dev and not (there[slot] and there[slot][name]) then
        added[slot] = added[slot] or {}
        added[slot][name] = true
      end
    end
  end
  return added
end

local function holds_all(route, part)
  return #part.nexthops > 0 and #nexthop.without(part.nexthops, route.nexthops) == 0
end

local function slots_of(...)
  local slots <const> = {}
  for _, list in ipairs { ... } do
    for _, route in ipairs(list) do slots[identity.slot(route)] = true end
  end
  return slots
end

-- In IPv6 a route that joins another interface's is one with it, and so is whose it is.
local function with_proto(route, proto)
  if route.proto or not proto then return route end
  return identity.with(route, { proto = proto })
end

---What to tell `ecmp.plan` so that `wanted` replaces what `own` says of one interface.
---@param current table[] canonical routes of the pod
---@param own table[] canonical routes of the interface that are to give way, as found
---@param wanted table[] canonical routes of the interface
---@param dev string
---@param ours? table hops on other interfaces that are to give way, too; see `part`
---@return table[] before, table[] after what is there and what is to be there, slot by slot
function M.of(current, own, wanted, dev, ours)
  local slots <const> = slots_of(own, wanted)
  local before <const>, after <const>, protos <const> = {}, {}, {}
  for _, route in ipairs(current) do
    if slots[identity.slot(route)] then
      before[#before + 1] = route
      local _, foreign = M.part(route, dev, ours)
      local taken = false
      for _, new in ipairs(foreign and wanted or {}) do
        taken = taken or identity.slot(new) == identity.slot(route) and holds_all(new, foreign)
      end
      if foreign and not taken then
        after[#after + 1] = foreign
        protos[identity.slot(foreign)] = foreign.family == 6 and foreign.proto or nil
      end
    end
  end
  for _, route in ipairs(wanted) do
    after[#after + 1] = with_proto(route, protos[identity.slot(route)])
  end
  return before, after
end

return M
