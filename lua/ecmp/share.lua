---Batches whose routes share next hops: `nl:batch(changes, { share = true })`.
--
-- Sets of next hops that repeat become next-hop objects, one for each hop and a group for each set,
-- and the routes refer to these by `nhid`. That is several times cheaper to install, and the only
-- way not to pay for every set again with every route (the kernel's IPv4 table looks for an equal
-- set among all sets of a device). What the kernel shows of such a route are its hops as before,
-- with `nhid` beside them. The messages are rewritten by the socket; here is decided which sets
-- become objects, and these are made.
--
-- The price is the kernel's: it deletes an object whose device loses its carrier, with the routes
-- that have no other, and does not bring them back; a route given by hops comes back by itself. And
-- `route del` in a batch finds such a route by destination or `nhid`, not by a list of its hops.
local rtnl = require "ecmp.rtnl"

rtnl.own()

local M = {}

-- The protocol our objects carry, by which a later batch finds and uses them again.
M.PROTO = 236

-- Where our numbers begin: far from those that people choose and from those the kernel counts up.
local FIRST_ID <const> = 0x45000000

-- What a route by object costs less than one by hops, and what objects cost, in microseconds as
-- measured; `sets` counts the different sets of the batch.
local function saved(family, hops, sets)
  return family == 4 and 0.2 + 0.4 * hops + 0.018 * sets or 1.15 * hops - 0.2
end

local function price(hops)
  local each = 1.5
  for _, hop in ipairs(hops) do
    if not hop.dev then each = each + 8 / #hops end -- the device has to be asked for
  end
  return each * (#hops > 1 and 1 + #hops or 1)
end

-- Sets --------------------------------------------------------------------------------------------

local function hops_of(route)
  local hops <const> = route.nexthops -- a table of its own each time it is read
  if not hops then return { { via = route.via, dev = route.dev, weight = 1 } } end
  for _, hop in ipairs(hops) do hop.weight = hop.weight or 1 end
  return hops
end

-- The sets that pay: lists of `{ key, hops }`.
local function worthwhile(uses, routes)
  local all <const>, count <const>, list <const> = {}, { [4] = 0, [6] = 0 }, {}
  for key, route in pairs(routes) do
    all[#all + 1] = { key = key, hops = hops_of(route), family = route.family }
    count[route.family] = count[route.family] + 1
  end
  for _, set in ipairs(all) do
    local gain <const> = saved(set.family, #set.hops, count[set.family])
    if uses[set.key] * gain > price(set.hops) then list[#list + 1] = set end
  end
  return list
end

-- The device a gateway is reached by, as the kernel finds it for a route that names none.
local function device_of(nl, via)
  local route <const> = nl.route:get { dst = via }
  if not route or route.via or route.type ~= "unicast" then return nil end
  return route.dev
end

-- Fills in the devices that objects need; false where the set had better be left to the kernel.
local function complete(nl, set, devices)
  for _, hop in ipairs(set.hops) do
    if not hop.dev and devices[hop.via] == nil then
      devices[hop.via] = device_of(nl, hop.via) or false
    end
    hop.dev = hop.dev or devices[hop.via]
    if not hop.dev then return false end
  end
  return true
end

-- Objects -----------------------------------------------------------------------------------------

-- Where the object of a hop is found: a table for each device, and the name in it.
local function place_of(work, hop)
  local of = work.hops[hop.dev]
  if not of then
    of = {}
    work.hops[hop.dev] = of
  end
  return of, hop.onlink and hop.via .. " onlink" or hop.via
end

-- Whether weights tell the members of a group apart, or those of a set.
local function weighted(members)
  for _, member in ipairs(members) do
    if member.weight ~= 1 then return true end
  end
  return false
end

-- What tells a group from others: its members, and their weights where they have any.
local function group_name(ids, members)
  local name <const> = table.concat(ids, ",")
  if not weighted(members) then return name end
  local words <const> = { name }
  for i, member in ipairs(members) do words[i + 1] = member.weight end
  return table.concat(words, "*")
end

local function note_object(work, object)
  work.used[object.id] = true
  if object.proto ~= M.PROTO or object.dead or object.linkdown then return end
  if object.group and not object.type then
    local ids <const>, members <const> = {}, object.group
    for i, member in ipairs(members) do ids[i] = member.id end
    work.groups[group_name(ids, members)] = object.id
  elseif object.via and object.dev then
    local of <const>, name <const> = place_of(work, object)
    of[name] = object.id
  end
end

-- What is there: numbers in use, and our objects by what they hold.
local function survey(nl)
  local list <const> = nl.nexthop:list()
  if not list then return nil end -- a kernel without next-hop objects
  local work <const> = {
    used = {}, hops = {}, groups = {}, last_id = FIRST_ID, made = {}, members = {},
    orders = {}, places = {}, names = {},
  }
  for _, object in ipairs(list) do note_object(work, object) end
  return work
end

local function next_id(work)
  local id = work.last_id + 1
  while work.used[id] do id = id + 1 end
  work.last_id = id
  return id
end

-- Has an object made, to be found in `of` by its name.
local function order(work, of, name, object)
  object.id, object.proto = next_id(work), M.PROTO
  of[name] = object.id
  local n <const> = #work.orders + 1
  work.orders[n], work.places[n], work.names[n] = { "nexthop add", object }, of, name
end

-- Carries out what was ordered. A refused object is forgotten: its routes go by hops, and the
-- kernel says of each what it thinks of it.
local function make_objects(nl, work)
  for i, result in ipairs(nl.socket:batch(work.orders)) do
    if result == true then
      work.made[#work.made + 1] = work.orders[i][2].id
    else
      work.places[i][work.names[i]] = nil
    end
  end
  work.orders, work.places, work.names = {}, {}, {}
end

local function want_hop(work, hop)
  local of <const>, name <const> = place_of(work, hop)
  if not of[name] then
    order(work, of, name, { via = hop.via, dev = hop.dev, onlink = hop.onlink })
  end
end

-- The objects of a set's hops; nil where one was refused, or two hops are one.
local function ids_of(work, set)
  local ids <const> = {}
  for i, hop in ipairs(set.hops) do
    local of <const>, name <const> = place_of(work, hop)
    local id <const> = of[name]
    if not id then return nil end
    for k = 1, i - 1 do
      if ids[k] == id then return nil end
    end
    ids[i] = id
  end
  return ids
end

-- Orders the group of a set whose hops are there; a set of one needs none.
local function want_group(work, set)
  local ids <const> = ids_of(work, set)
  set.ids = ids
  if not ids or #ids == 1 then return end
  set.name = group_name(ids, set.hops)
  if work.groups[set.name] then return end
  local members = ids
  if weighted(set.hops) then
    members = {}
    for i, hop in ipairs(set.hops) do members[i] = { id = ids[i], weight = hop.weight } end
  end
  order(work, work.groups, set.name, { group = members })
end

local function id_of(work, set)
  if set.name then return work.groups[set.name] end
  return set.ids and set.ids[1]
end

---The numbers of the objects of those sets that pay, made where they are not there.
local function objects_for(nl, work, uses, routes)
  local chosen <const> = {}
  for _, set in ipairs(worthwhile(uses, routes)) do
    if complete(nl, set, work.devices) then chosen[#chosen + 1] = set end
  end
  for _, set in ipairs(chosen) do
    for _, hop in ipairs(set.hops) do want_hop(work, hop) end
  end
  make_objects(nl, work)
  for _, set in ipairs(chosen) do want_group(work, set) end
  make_objects(nl, work)
  local ids <const> = {}
  for _, set in ipairs(chosen) do
    local id <const> = id_of(work, set)
    ids[set.key] = id
    if id then work.members[id] = set.ids end
  end
  return ids
end

-- Deletes what was made and serves nobody: groups first, since their members are in use until then.
local function clean_up(nl, work, used)
  local keep <const>, orders <const> = {}, {}
  for id in pairs(used) do
    keep[id] = true
    for _, member in ipairs(work.members[id] or {}) do keep[member] = true end
  end
  for i = #work.made, 1, -1 do
    local id <const> = work.made[i]
    if not keep[id] then orders[#orders + 1] = { "nexthop del", { id = id } } end
  end
  if #orders > 0 then nl.socket:batch(orders) end
end

-- The objects that routes of the kernel refer to.
local function in_use(nl)
  local used <const> = {}
  for _, route in ipairs(nl.route:list { table = "all" } or {}) do
    if route.nhid then used[route.nhid] = true end
  end
  return used
end

-- A route as it was given: a table, words, or a view.
local function as_view(value)
  if rtnl.is_view(value) then return value end
  return rtnl.view("route", type(value) == "string" and rtnl.parse("route", value) or value, true)
end

-- What the kernel refused, told of the route that was asked for rather than of the object.
local function retell(changes, results, work)
  for i, result in ipairs(results) do
    local id <const> = result ~= true and tonumber(result.message:match " nhid (%d+)")
    if id and work.members[id] then
      local route <const> = as_view(changes[i][2])
      result.message = ("%s %s: %s"):format(changes[i][1], route:text { line = true },
        result.message:match ": (.*)$")
    end
  end
end

---Makes many changes; next-hop sets that repeat become next-hop objects where that pays.
---
--- Shared are `route add` and `route replace` whose hops have gateways of the route's family and no
--- encapsulation. Everything else goes as it is, and so does what leaves by gateways that the batch
--- itself moves. Objects of earlier batches are used again; those of which no route came to be are
--- deleted.
---@param nl ecmp.Handle
---@param changes table[] see `nl:batch`
---@param free boolean the changes do not depend on each other
---@return (true|{ message: string, code: string })[] results # one for each change, in order
function M.batch(nl, changes, free)
  local work
  local function choose(uses, routes)
    work = work or survey(nl)
    if not work then return nil end
    work.devices = {} -- asked anew for each window: the one before may have moved them
    return objects_for(nl, work, uses, routes)
  end
  local done, results, used = pcall(nl.socket.batch, nl.socket, changes, free, choose)
  if work then clean_up(nl, work, done and used or in_use(nl)) end
  if not done then error(results, 0) end
  if work then retell(changes, results, work) end
  return results
end

return M
