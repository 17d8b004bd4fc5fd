---Reads and edits routes of a namespace for `ecmp watch`, each in one call of `rtnl.visit`, so that
---no descriptor keeps a namespace alive.
local rtnl = require "ecmp.rtnl"
local suspension = require "ecmp.fib.suspension"

local M = {}

local list_of <const> = {}

-- The request that lists the routes of a table, made once.
local function list_request(family, number)
  local key <const> = ("%d %d"):format(family, number)
  list_of[key] = list_of[key]
    or rtnl.message("route", "list", { family = family, table = number })
  return list_of[key]
end

local LINKS <const> = rtnl.message("link", "list", {})
local OBJECTS <const> = rtnl.message("nexthop", "list", {})

local HEADER <const> = "<I4I2I2I4I4" -- of a netlink message
local HEADER_SIZE <const> = 16

-- The messages of an answer as views.
local function views(kind, bytes)
  local list, at = {}, 1
  while at + HEADER_SIZE <= #bytes + 1 do
    local length <const> = string.unpack(HEADER, bytes, at)
    list[#list + 1] = rtnl.decode(kind, bytes:sub(at + HEADER_SIZE, at + length - 1))
    at = at + (length + 3 & ~3)
  end
  return list
end

-- Views without a kernel call device 2 "if2".
local function number_of(dev)
  return math.type(dev) == "integer" and dev or math.tointeger(tostring(dev):match "^if(%d+)$")
end

local function plain_hop(hop, family)
  local via = hop.via
  if family == 4 and via and via:find(":", 1, true) and not via:find "^inet6 " then
    via = "inet6 " .. via
  end
  return { via = via, dev = number_of(hop.dev), weight = hop.weight, onlink = hop.onlink,
    encap = hop.encap }
end

---The devices of a namespace, by number and by name.
---@param netns string
---@return table<integer, string>? names, table<string, integer>|string numbers
function M.devices(netns)
  local answers <const>, message <const> = rtnl.visit(netns, { LINKS })
  if not answers then return nil, message end
  local names <const>, numbers <const> = {}, {}
  for _, link in ipairs(views("link", answers[1])) do
    names[link.index], numbers[link.name] = link.name, link.index
  end
  return names, numbers
end

---An address of each family on a device.
---@param netns string
---@param number integer of the device
---@return table<integer, string>
function M.sources(netns, number)
  local answers <const> = rtnl.visit(netns, { rtnl.message("addr", "list", {}) })
  local sources <const> = {}
  for _, address in ipairs(views("addr", answers and answers[1] or "")) do
    local global <const> = address.scope == "global"
    if number_of(address.dev) == number and global and not sources[address.family] then
      sources[address.family] = address.address:match "^[^/]+"
    end
  end
  return sources
end

---Hardware addresses of neighbours on a device, by address.
---@param netns string
---@param number integer
---@return table<string, string>
function M.neighbours(netns, number)
  local answers <const> = rtnl.visit(netns, { rtnl.message("neigh", "list", {}) })
  local found <const> = {}
  for _, neighbour in ipairs(views("neigh", answers and answers[1] or "")) do
    if number_of(neighbour.dev) == number then found[neighbour.dst] = neighbour.lladdr end
  end
  return found
end

-- The routes of one key in an answer.
local function of_key(bytes, key)
  local found <const> = {}
  local dst <const> = (key.dst == "0.0.0.0/0" or key.dst == "::/0") and "default" or key.dst
  for _, route in ipairs(views("route", bytes)) do
    if route.dst == dst and (route.metric or 0) == key.metric and not route.tos and not route.from
      and route.proto ~= "kernel" then
      found[#found + 1] = route
    end
  end
  return found
end

local function hops_of(route)
  local hops <const> = {}
  local only <const> = { via = route.via, dev = route.dev, onlink = route.onlink,
    encap = route.encap }
  for i, hop in ipairs(route.nexthops or { only }) do hops[i] = plain_hop(hop, route.family) end
  return hops
end

-- The group that a route refers to, with its hops: dumps of routes need not show them.
local function group_of(netns, route)
  local answers <const>, message <const>, code <const> = rtnl.visit(netns, { OBJECTS })
  if not answers then return nil, message, code end
  local by_id <const>, members <const>, hops <const> = {}, {}, {}
  for _, object in ipairs(views("nexthop", answers[1])) do by_id[object.id] = object end
  local group <const> = by_id[route.nhid]
  for i, member in ipairs(group and group.group or {}) do
    local object <const> = by_id[member.id]
    if not object then return nil, "a member of its group is gone" end
    members[i] = member.id
    hops[i] = plain_hop({ via = object.via, dev = object.dev, weight = member.weight,
      onlink = object.onlink, encap = object.encap }, route.family)
  end
  if #members == 0 then return nil, "its object is no group" end
  local resilient <const> = group.type == "resilient"
  return { id = route.nhid, members = members, type = resilient and "resilient" or nil,
    buckets = resilient and group.buckets or nil }, hops
end

---Reads the route of a key.
---@param netns string
---@param key table `{ family, dst, table (number), metric }`
---@return table? found `{ suspension, seen, hops }`: seen is the dump of its table; nil where
---there is no such route, or another stands beside it
---@return string? message
---@return string? code where the kernel was not asked: nobody knows what it has then
function M.read(netns, key)
  local answers <const>, message <const>, code <const> =
    rtnl.visit(netns, { list_request(key.family, key.table) })
  if not answers then return nil, message, code end
  local found <const> = of_key(answers[1], key)
  if #found ~= 1 then
    return nil, #found == 0 and "no such route" or "another route stands beside it"
  end
  local route <const> = found[1]
  local group, hops = nil, hops_of(route)
  if route.nhid then
    local why
    group, hops, why = group_of(netns, route)
    if not group then return nil, hops, why end
  end
  return { suspension = suspension.new(key.family, route:copy(), hops, group), seen = answers[1],
    hops = hops, nhid = route.nhid }
end

---Whether a route has just these hops, in this order.
---@param found table[]
---@param hops table[]
---@return boolean
function M.same_hops(found, hops)
  if #found ~= #hops then return false end
  for i, hop in ipairs(hops) do
    local other <const> = found[i]
    local same <const> = other.via == hop.via and other.dev == hop.dev
    if not same or #hops > 1 and (other.weight or 1) ~= (hop.weight or 1) then return false end
  end
  return true
end

-- Requests of steps are the same for all pods whose tables look the same.
local made <const> = setmetatable({}, { __mode = "k" })

local function requests_of(steps, list)
  local cached <const> = made[steps]
  if cached then return cached end
  local requests <const> = { list }
  for i, step in ipairs(steps) do
    requests[i + 1] = rtnl.message(step[1], step[2], step[3])
  end
  requests[#requests + 1] = list
  made[steps] = requests
  return requests
end

local function take_back(netns, steps, done)
  for _, step in ipairs(suspension.undo(steps, done)) do
    rtnl.visit(netns, { rtnl.message(step[1], step[2], step[3]) })
  end
end

---Carries out the steps of a suspension.
---@param netns string
---@param key table
---@param steps table[]
---@param seen string the dump of its table when it was read last: nothing is done where it differs
---@return string|false|nil seen the dump afterwards; false where the table had changed meanwhile
---@return string? message, string? code
function M.carry_out(netns, key, steps, seen)
  local requests <const> = requests_of(steps, list_request(key.family, key.table))
  local answers <const>, message <const>, code <const>, number <const> =
    rtnl.visit(netns, requests, seen)
  if answers == false then return false end
  if not answers then
    if number then take_back(netns, steps, number - 2) end
    return nil, message, code
  end
  return answers[#answers]
end

---Deletes temporary objects; those that are gone are fine.
---@param netns string
---@param twins table?
function M.delete_twins(netns, twins)
  if not twins then return end
  local ids <const> = table.move(twins.hops, 1, #twins.hops, 1, {})
  if twins.group then table.insert(ids, 1, twins.group) end
  for _, id in ipairs(ids) do
    rtnl.visit(netns, { rtnl.message("nexthop", "del", { id = id }) })
  end
end

-- Groups that went with a carrier -------------------------------------------------------------

-- The objects of a record, by device number.
local function numbered(object, numbers)
  local copy <const> = {}
  for field, value in pairs(object) do copy[field] = value end
  copy.dev = object.dev and numbers[object.dev]
  return copy
end

-- What is missing of the objects that a record lists.
local function missing_objects(objects, there, numbers)
  local requests <const> = {}
  local gone <const> = {}
  for _, hop in ipairs(objects.hops) do
    if not there[hop.id] then
      gone[hop.id] = true
      requests[#requests + 1] = rtnl.message("nexthop", "add", numbered(hop, numbers))
    end
  end
  for _, group in ipairs(objects.groups) do
    local broken = not there[group.id]
    for _, member in ipairs(group.group) do broken = broken or gone[member.id] end
    if broken then
      requests[#requests + 1] =
        rtnl.message("nexthop", there[group.id] and "change" or "add", group)
    end
  end
  return requests
end

---Puts back groups, and routes by them, that the kernel dropped when a carrier went.
---@param netns string
---@param objects table `{ hops, groups }` of the record
---@param routes table[] `{ key, value }`: the routes by groups, as for `nl.route:add`
---@return integer? count of what was put back, string? message
function M.repair_groups(netns, objects, routes)
  local answers <const>, message <const> = rtnl.visit(netns, { OBJECTS })
  if not answers then return nil, message end
  local there <const> = {}
  for _, object in ipairs(views("nexthop", answers[1])) do there[object.id] = object end
  local _, numbers <const> = M.devices(netns)
  if type(numbers) ~= "table" then return nil, numbers end
  local requests <const> = missing_objects(objects, there, numbers)
  for _, route in ipairs(routes) do
    local listed <const> =
      rtnl.visit(netns, { list_request(route.key.family, route.key.table) })
    if listed and #of_key(listed[1], route.key) == 0 then
      requests[#requests + 1] = rtnl.message("route", "add", route.value)
    end
  end
  if #requests == 0 then return 0 end
  local done <const>, why <const> = rtnl.visit(netns, requests)
  if not done then return nil, why end
  return #requests
end

return M
