---Compares what was planned with what the kernel has, and says in words what differs.
--
-- Next hops are compared as sets: their order is the kernel's own business in IPv6. Next hops on
-- interfaces that the plan does not speak of belong to somebody else and are not looked at, and
-- neither are flags that the kernel sets by itself.
local identity = require "ecmp.fib.route"

local M = {}

local function hop_name(hop)
  local way <const> = hop.via and "via " .. hop.via or "on-link"
  return hop.dev and way .. " dev " .. hop.dev or way
end

local function route_name(route)
  return "route " .. route.dst
end

-- The devices a plan speaks of, by name.
local function devices_of(planned)
  local devices <const> = {}
  for _, route in ipairs(planned) do
    for _, hop in ipairs(route.nexthops) do devices[hop.dev or ""] = true end
  end
  return devices
end

---The next hops of a route on the given devices, by name.
local function hops_on(route, devices)
  local hops <const> = {}
  for _, hop in ipairs(route.nexthops) do
    if devices[hop.dev or ""] then hops[hop_name(hop)] = hop end
  end
  return hops
end

local function sorted(set)
  local names <const> = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---What differs between two sets of next hops, as sentences.
local function hop_differences(route, wanted, found, say)
  -- A single hop has no share to compare: the kernel forgets its weight.
  local is_single <const> = #sorted(wanted) == 1
  for _, name in ipairs(sorted(wanted)) do
    local hop <const>, there <const> = wanted[name], found[name]
    if not there then
      say(("%s: next hop %s is missing"):format(route_name(route), name))
    elseif not is_single and (there.weight or 1) ~= (hop.weight or 1) then
      say(("%s: next hop %s has weight %d, planned is %d"):format(
        route_name(route), name, there.weight or 1, hop.weight or 1))
    end
  end
  for _, name in ipairs(sorted(found)) do
    if not wanted[name] then
      say(("%s: next hop %s is not planned"):format(route_name(route), name))
    end
  end
end

local attributes <const> = { "mtu", "advmss" }

local function attribute_differences(route, found, say)
  for _, name in ipairs(attributes) do
    local wanted <const>, has <const> = route[name] or 0, found[name] or 0
    if wanted ~= has then
      say(("%s: %s is %d, planned is %d"):format(route_name(route), name, has, wanted))
    end
  end
end

local function same_hops(a, b)
  for name in pairs(a) do if not b[name] then return false end end
  for name in pairs(b) do if not a[name] then return false end end
  return true
end

---Takes the entry with just these next hops out of a list, if there is one.
local function take_best(entries, wanted, devices)
  for i, entry in ipairs(entries) do
    if same_hops(wanted, hops_on(entry, devices)) then return table.remove(entries, i) end
  end
  return nil
end

---All entries of one slot as one: how the kernel itself keeps IPv6 gateway routes.
local function as_one(routes)
  if #routes < 2 then return routes end
  local one <const> = {}
  for key, value in pairs(routes[1]) do one[key] = value end
  one.nexthops = {}
  for _, route in ipairs(routes) do
    for _, hop in ipairs(route.nexthops) do table.insert(one.nexthops, hop) end
  end
  return { one }
end

-- Where a route went that is not where it was planned: the same prefix in another table or with
-- another metric explains more than "missing".
local function whereabouts(route, current, devices)
  for _, other in ipairs(current) do
    local same <const> = other.family == route.family and other.dst == route.dst
    if same and next(hops_on(other, devices)) then
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

-- The kernel's own route to a connected subnet stays behind one that was listed for it.
local function not_the_kernels(entries)
  local list <const> = {}
  for _, entry in ipairs(entries) do
    if entry.proto ~= "kernel" then list[#list + 1] = entry end
  end
  return list
end

local function compare_slot(planned, entries, devices, current, say)
  local unmatched <const> = {}
  for _, route in ipairs(planned) do
    local entry <const> = take_best(entries, hops_on(route, devices), devices)
    if entry then
      hop_differences(route, hops_on(route, devices), hops_on(entry, devices), say)
      attribute_differences(route, entry, say)
    else
      unmatched[#unmatched + 1] = route
    end
  end
  for _, route in ipairs(unmatched) do
    local entry <const> = table.remove(entries, 1)
    if entry then
      hop_differences(route, hops_on(route, devices), hops_on(entry, devices), say)
      attribute_differences(route, entry, say)
    else
      local where <const> = whereabouts(route, current, devices)
      say(("%s is missing%s"):format(route_name(route), where))
    end
  end
  for _, entry in ipairs(not_the_kernels(entries)) do
    local names <const> = table.concat(sorted(hops_on(entry, devices)), ", ")
    say(("%s: a separate entry %s stands beside the planned one"):format(route_name(entry), names))
  end
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

local function by_slot(routes, keep)
  local slots <const>, order <const> = {}, {}
  for _, route in ipairs(routes) do
    local slot <const> = identity.slot(route)
    if keep(route) then
      if not slots[slot] then
        slots[slot] = {}
        order[#order + 1] = slot
      end
      table.insert(slots[slot], route)
    end
  end
  return slots, order
end

---Compares planned routes with the kernel's.
---@param planned table[] canonical routes
---@param current table[] canonical routes of all tables
---@return string[] differences one sentence each; empty when everything is as planned
---@return table[] differing the planned routes that they are about
function M.routes(planned, current)
  local differences <const>, differing <const> = {}, {}
  local function say(text) differences[#differences + 1] = text end
  local devices <const> = devices_of(planned)
  local wanted <const>, order = by_slot(planned, function() return true end)
  local found <const> = by_slot(current, function(route)
    return next(hops_on(route, devices)) ~= nil
  end)
  for _, slot in ipairs(order) do
    local routes, entries = wanted[slot], found[slot] or {}
    if routes[1].family == 6 then routes, entries = as_one(routes), as_one(entries) end
    local before <const> = #differences
    compare_slot(routes, entries, devices, current, say)
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
    if gone[identity.slot(route)] and next(hops_on(route, devices)) then
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
