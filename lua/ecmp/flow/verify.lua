---Compares what was planned with what the kernel has, and says in words what differs.
--
-- What a key holds and which entry can stay for which route is the model's (ecmp.fib.entries). Next
-- hops are compared as sets: their order is the kernel's own business in IPv6. Next hops on
-- interfaces that the plan does not speak of belong to somebody else and are not looked at, and
-- neither are flags that the kernel sets by itself.
local entries = require "ecmp.fib.entries"
local identity = require "ecmp.fib.route"
local nexthop = require "ecmp.fib.nexthop"
local transition = require "ecmp.fib.transition"
local with_hops = require("ecmp.flow.changes").with_hops

local M = {}

local function route_name(route)
  return "route " .. route.dst
end

local function hop_name(hop)
  return (hop.via and "" or "on-link ") .. nexthop.text(hop)
end

local function hop_names(route)
  local names <const> = {}
  for i, hop in ipairs(route.nexthops) do names[i] = hop_name(hop) end
  table.sort(names)
  return table.concat(names, ", ")
end

-- The devices a plan speaks of, by name; "" where it speaks of routes without next hops.
local function devices_of(planned)
  local devices <const> = {}
  for _, route in ipairs(planned) do
    for _, hop in ipairs(route.nexthops) do devices[hop.dev or ""] = true end
    if not route.nexthops[1] then devices[""] = true end
  end
  return devices
end

-- What of a route lies on these devices.
local function part_on(route, devices)
  if not route.nexthops[1] then return devices[""] and route or nil end
  return with_hops(route, function(hop) return devices[hop.dev or ""] ~= nil end)
end

-- What differs ------------------------------------------------------------------------------------

-- What is not as planned of a hop that is there.
local function hop_difference(have, want, is_single, say)
  -- A single hop has no share to compare: the kernel forgets its weight.
  if not is_single and have.weight ~= want.weight then
    say(("next hop %s has weight %d, planned is %d"):format(hop_name(want), have.weight,
      want.weight))
  end
  if have.onlink ~= want.onlink then
    say(("next hop %s is %sonlink, planned is the opposite"):format(hop_name(want),
      have.onlink and "" or "not "))
  end
end

-- In the order of their names, as the kernel's is its own business; one hop that an IPv4 route has
-- several times by its weights.
local function sorted(hops)
  local list <const> = table.move(hops, 1, #hops, 1, {})
  table.sort(list, function(a, b)
    local one <const>, other <const> = nexthop.name(a), nexthop.name(b)
    if one ~= other then return one < other end
    return a.weight < b.weight
  end)
  return list
end

local function hop_differences(have, want, say)
  local taken <const>, there <const> = {}, sorted(have.nexthops)
  for _, hop in ipairs(sorted(want.nexthops)) do
    local at <const> = nexthop.find_way(there, hop, taken)
    if at then
      taken[at] = true
      hop_difference(there[at], hop, #want.nexthops == 1, say)
    else
      say(("next hop %s is missing"):format(hop_name(hop)))
    end
  end
  for i, hop in ipairs(there) do
    if not taken[i] then say(("next hop %s is not planned"):format(hop_name(hop))) end
  end
end

-- Are 0 where a route does not have them.
local METRICS <const> = { "mtu", "advmss" }
-- Tells who made the route, by what number it has its hops, or changes by itself.
local NOT_COMPARED <const> = { proto = true, nhid = true, expires = true }

local function attribute_differences(have, want, say)
  local function compare(field, unsaid)
    local has <const>, due <const> = have[field] or unsaid, want[field] or unsaid
    if not nexthop.equal(has, due) then
      say(("%s is %s, planned is %s"):format(field, nexthop.value_text(field, has),
        nexthop.value_text(field, due)))
    end
  end
  for _, field in ipairs(METRICS) do compare(field, 0) end
  local fields <const> = { "type" }
  for field in pairs(identity.attributes(want)) do
    local metric <const> = field == "mtu" or field == "advmss"
    if not (NOT_COMPARED[field] or metric) then fields[#fields + 1] = field end
  end
  table.sort(fields)
  for _, field in ipairs(fields) do compare(field) end
end

local function compare_pair(have, want, say)
  local function of_route(text) say(("%s: %s"):format(route_name(want), text)) end
  hop_differences(have, want, of_route)
  attribute_differences(have, want, of_route)
end

-- What one key holds ------------------------------------------------------------------------------

-- Where a route went that is not where it was planned: the same prefix in another table or with
-- another metric explains more than "missing".
local function whereabouts(route, current, devices)
  for _, other in ipairs(current) do
    local same <const> = other.family == route.family and other.dst == route.dst
    if same and part_on(other, devices) then
      if other.table == route.table then
        return (": the kernel has it with metric %d, planned is %d")
          :format(other.metric, route.metric)
      elseif other.metric == route.metric then
        return (": the kernel has it in table %d, planned is %d"):format(other.table, route.table)
      end
    end
  end
  return ""
end

-- The entry that stands for a route and is not as planned: one with just its hops before any other.
local function take_nearest(left, route)
  for i, entry in ipairs(left) do
    if nexthop.match(entry.nexthops, route.nexthops) then return table.remove(left, i) end
  end
  return table.remove(left, 1)
end

local function compare_key(planned, held, devices, current, say)
  local family <const> = planned[1].family
  planned = transition.as_held(planned)
  local state <const> = entries.new(transition.as_held(held), family)
  local left <const>, missing <const>, kept <const> = state:difference(planned)
  for _, route in ipairs(planned) do
    if kept[route] then compare_pair(kept[route], route, say) end
  end
  for _, route in ipairs(missing) do
    local entry <const> = take_nearest(left, route)
    if entry then
      compare_pair(entry, route, say)
    else
      say(("%s is missing%s"):format(route_name(route), whereabouts(route, current, devices)))
    end
  end
  for _, entry in ipairs(left) do
    -- The kernel's own route to a connected subnet stays behind one that was listed for it.
    if entry.proto ~= "kernel" then
      say(("%s: a separate entry %s stands beside the planned one"):format(route_name(entry),
        hop_names(entry)))
    end
  end
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

-- Routes by key, and the keys in order; `part` gives what of a route counts.
local function by_slot(routes, part)
  local slots <const>, order <const> = {}, {}
  for _, route in ipairs(routes) do
    local slot <const>, of_it <const> = identity.slot(route), part(route)
    if of_it then
      if not slots[slot] then
        slots[slot] = {}
        order[#order + 1] = slot
      end
      table.insert(slots[slot], of_it)
    end
  end
  return slots, order
end

---Compares planned routes with the kernel's.
---@param planned ecmp.RouteValue[]
---@param current ecmp.RouteValue[] of all tables
---@return string[] differences one sentence each; empty when everything is as planned
---@return table[] differing the planned routes that they are about
function M.routes(planned, current)
  local differences <const>, differing <const> = {}, {}
  local function say(text) differences[#differences + 1] = text end
  local devices <const> = devices_of(planned)
  local wanted <const>, order = by_slot(planned, function(route) return route end)
  local held <const> = by_slot(current, function(route) return part_on(route, devices) end)
  for _, slot in ipairs(order) do
    local before <const> = #differences
    compare_key(wanted[slot], held[slot] or {}, devices, current, say)
    if #differences > before then append(differing, wanted[slot]) end
  end
  return differences, differing
end

---Looks for routes that were taken away and are there again.
---@param found table[] canonical routes that were there before
---@param planned table[] canonical routes
---@param current table[] canonical routes of all tables
---@return string[] differences
---@return table[] back the routes that are there again
function M.deleted(found, planned, current)
  local gone <const>, differences <const>, back <const> = {}, {}, {}
  for _, route in ipairs(found) do gone[identity.slot(route)] = true end
  for _, route in ipairs(planned) do gone[identity.slot(route)] = nil end
  local devices <const> = devices_of(found)
  for _, route in ipairs(current) do
    if gone[identity.slot(route)] and part_on(route, devices) then
      differences[#differences + 1] = route_name(route) .. " was deleted and is there again"
      back[#back + 1] = route
    end
  end
  return differences, back
end

---Compares planned addresses with the kernel's.
---@param planned table[] `{ address, dev }`
---@param current table[] addresses as `nl.addr:list` gives them: `{ address = "10.0.0.9/24", dev }`
---@return string[] differences
function M.addresses(planned, current)
  local found <const>, differences <const> = {}, {}
  for _, entry in ipairs(current) do found[entry.dev .. " " .. entry.address] = true end
  for _, entry in ipairs(planned) do
    if not found[entry.dev .. " " .. entry.address] then
      local text <const> = ("address %s is missing on %s"):format(entry.address, entry.dev)
      differences[#differences + 1] = text
    end
  end
  return differences
end

return M
