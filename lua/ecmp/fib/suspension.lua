---Computes the requests that replace hops of a route by stand-ins, and those that undo it. Pure.
--
-- A suspension is plain data, so that it can be written down and carried out by somebody else:
--
--     family   4 or 6
--     route    the route without its hops, in iproute2's words
--     hops     its hops `{ via, dev, weight, onlink, encap }`, in the kernel's order
--     places   what stands for which hop now (ecmp.fib.standin)
--     twins    temporary objects: `{ group = id, hops = { id, ... } }`, or nil
--     group    the group that the route refers to by itself: `{ id, members = { id, ... }, type,
--              buckets }`, or nil
--
-- IPv4 takes one hop several times in one route: one request. IPv6 does not, and goes over to a
-- temporary group of twin objects in place, and back; where no hop stands twice it needs none. A
-- route that refers to a group of its own keeps it, and the group gets twins of its members; a
-- resilient one leaves the dead member out, since it moves no other's flows by itself.
local MAX_HOPS <const> = require("ecmp.fib.nexthop").MAX_HOPS
local standin = require "ecmp.fib.standin"

local M = {}

---The suspension of a route that has all of its hops.
---@param family 4|6
---@param route table in iproute2's words; its hops are not looked at
---@param hops table[] `{ via, dev, weight, onlink, encap }`
---@param group? table `{ id, members = { id, ... }, type?, buckets? }`, where it refers to one
---@return table suspension
function M.new(family, route, hops, group)
  local bare <const>, weights <const> = {}, {}
  for key, value in pairs(route) do bare[key] = value end
  for _, key in ipairs { "nexthops", "via", "dev", "onlink", "encap", "realm", "nhid" } do
    bare[key] = nil
  end
  for i, hop in ipairs(hops) do weights[i] = hop.weight or 1 end
  return { family = family, route = bare, hops = hops, places = standin.places(weights),
    group = group }
end

---Makes a suspension whole that was written down as JSON and read again.
---@param suspension table is changed
---@return table suspension
function M.thaw(suspension)
  local weights <const> = {}
  for i, hop in ipairs(suspension.hops) do weights[i] = hop.weight or 1 end
  suspension.places.weights = weights
  return suspension
end

---The number of a hop, by its gateway and, where given, its device.
---@param suspension table
---@param via string
---@param dev? string|integer
---@return integer?
function M.find(suspension, via, dev)
  for i, hop in ipairs(suspension.hops) do
    if hop.via and hop.via:gsub("^inet6 ", "") == via and (dev == nil or hop.dev == dev) then
      return i
    end
  end
end

---Whether others stand in for a hop.
---@param suspension table
---@param i integer
---@return boolean
function M.is_out(suspension, i)
  return standin.is_out(suspension.places, i)
end

---Whether others stand in for any hop.
---@param suspension table
---@return boolean
function M.is_any_out(suspension)
  for i = 1, #suspension.hops do
    if M.is_out(suspension, i) then return true end
  end
  return false
end

---The next hops that the route has now, in order.
---@param suspension table
---@return table[] hops
function M.hops(suspension)
  if not M.is_any_out(suspension) then return suspension.hops end
  local list <const> = {}
  for i, entry in ipairs(standin.entries(suspension.places)) do
    local hop <const> = {}
    for key, value in pairs(suspension.hops[entry.hop]) do hop[key] = value end
    hop.weight = entry.weight
    list[i] = hop
  end
  return list
end

-- Requests -----------------------------------------------------------------------------------

local function name(hop)
  return ("%s %s"):format(hop.via or "", tostring(hop.dev or ""))
end

-- Whether one hop stands twice in a list.
local function has_twins(hops)
  local seen <const> = {}
  for _, hop in ipairs(hops) do
    if seen[name(hop)] then return true end
    seen[name(hop)] = true
  end
  return false
end

local function with(route, fields)
  local whole <const> = {}
  for key, value in pairs(route) do whole[key] = value end
  for key, value in pairs(fields) do whole[key] = value end
  return whole
end

local function object_of(hop, family, id)
  return { id = id, family = family, via = hop.via, dev = hop.dev, onlink = hop.onlink,
    encap = hop.encap }
end

local function add_step(steps, object, verb, value)
  steps[#steps + 1] = { object, verb, value }
end

-- A group before its members, which would otherwise leave it one by one.
local function delete_twins(steps, twins)
  if not twins then return end
  if twins.group then add_step(steps, "nexthop", "del", { id = twins.group }) end
  for _, id in ipairs(twins.hops) do add_step(steps, "nexthop", "del", { id = id }) end
end

-- Objects for hops, and the members of a group of them.
local function add_objects(steps, hops, family, first)
  local ids <const>, members <const> = {}, {}
  for i, hop in ipairs(hops) do
    ids[i] = first + i - 1
    members[i] = { id = ids[i], weight = hop.weight or 1 }
    add_step(steps, "nexthop", "add", object_of(hop, family, ids[i]))
  end
  return ids, members
end

local function by_objects(after, hops, first)
  local steps <const> = {}
  local ids <const>, members <const> = add_objects(steps, hops, after.family, first)
  after.twins = { hops = ids, group = first + #hops }
  add_step(steps, "nexthop", "add", { id = after.twins.group, group = members })
  add_step(steps, "route", "change", with(after.route, { nhid = after.twins.group }))
  return steps
end

local function inline(after, hops)
  after.twins = nil
  return { { "route", "change", with(after.route, { nexthops = hops }) } }
end

-- The first time that a hop stands in a group it is the member that was there before.
local function own_group(after, hops, first)
  local steps <const>, members <const>, twins <const> = {}, {}, {}
  local taken <const>, id_of <const> = {}, {}
  for i, hop in ipairs(after.hops) do id_of[name(hop)] = after.group.members[i] end
  for i, hop in ipairs(hops) do
    local id = id_of[name(hop)]
    if taken[id] then
      id = first + #twins
      twins[#twins + 1] = id
      add_step(steps, "nexthop", "add", object_of(hop, after.family, id))
    end
    taken[id] = true
    members[i] = { id = id, weight = hop.weight or 1 }
  end
  add_step(steps, "nexthop", "change", { id = after.group.id, group = members,
    type = after.group.type, buckets = after.group.buckets })
  after.twins = twins[1] and { hops = twins } or nil
  return steps
end

local function surviving(suspension)
  local list <const> = {}
  for i, hop in ipairs(suspension.hops) do
    if not M.is_out(suspension, i) then list[#list + 1] = hop end
  end
  return list
end

local function transition(before, places, first)
  local after <const> = {
    family = before.family, route = before.route, hops = before.hops, group = before.group,
    places = places,
  }
  local steps
  if before.group and before.group.type == "resilient" then
    steps = own_group(after, surviving(after), first)
  else
    local count <const>, most <const> = standin.count(places), MAX_HOPS[before.family]
    if M.is_any_out(after) and count > most then
      return nil, ("the stand-ins would be %d next hops, a route holds %d"):format(count, most),
        "E2BIG"
    end
    local hops <const> = M.hops(after)
    steps = before.group and own_group(after, hops, first)
      or before.family == 6 and has_twins(hops) and by_objects(after, hops, first)
      or inline(after, hops)
  end
  delete_twins(steps, before.twins)
  return steps, after
end

---What gives the place of a hop to the others.
---@param suspension table
---@param i integer number of the hop
---@param first integer number of the first object that may be made
---@return table[]? steps `{ object, verb, value }` in order, none where it is out already
---@return table|string after the suspension then, or why not
---@return string? code "E2BIG": they do not fit a route; "EINVAL": no other hop is left
function M.withdraw(suspension, i, first)
  if M.is_out(suspension, i) then return {}, suspension end
  local places <const> = standin.suspend(suspension.places, i)
  if not places then return nil, "no other next hop is left", "EINVAL" end
  return transition(suspension, places, first)
end

---What gives a hop its own place back.
---@param suspension table
---@param i integer number of the hop
---@param first integer number of the first object that may be made
---@return table[] steps, table after
function M.restore(suspension, i, first)
  if not M.is_out(suspension, i) then return {}, suspension end
  return assert(transition(suspension, standin.resume(suspension.places, i), first))
end

---What makes just these hops be out, at once.
---@param suspension table
---@param wanted integer[] numbers of hops
---@param first integer number of the first object that may be made
---@return table[]? steps, table|string after, string? code as of `withdraw`; where the stand-ins do
---not fit a route, the hops are taken out of it instead, and flows of others move
function M.set(suspension, wanted, first)
  local places <const>, removed <const> = standin.set(suspension.places, wanted)
  if places == nil then return nil, "no other next hop is left", "EINVAL" end
  if places == suspension.places then return {}, suspension end
  local steps, after, code = nil, nil, "E2BIG"
  if places then steps, after, code = transition(suspension, places, first) end
  if code == "E2BIG" then steps, after, code = transition(suspension, removed, first) end
  return steps, after, code
end

---What takes a part of these steps back after one was refused: the objects that were made.
---@param steps table[]
---@param done integer how many were carried out
---@return table[] steps
function M.undo(steps, done)
  local back <const> = {}
  for i = done, 1, -1 do
    if steps[i][1] == "nexthop" and steps[i][2] == "add" then
      add_step(back, "nexthop", "del", { id = steps[i][3].id })
    end
  end
  return back
end

return M
