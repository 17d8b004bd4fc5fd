---Finds the entries of one destination in one table: all of them, the one in use, and the one that
---a request means.

local entries = require "ecmp.fib.entries"
local nexthop = require "ecmp.fib.nexthop"
local route_of = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"

local M = {}

---The entries of a metric.
---@param list ecmp.View[]
---@param metric integer
---@return ecmp.View[]
function M.of_metric(list, metric)
  local found = {}
  for _, entry in ipairs(list) do
    if route_of.metric(entry) == metric then
      found[#found + 1] = entry
    end
  end
  return found
end

---The entries of the key of one of them.
---@param list ecmp.View[]
---@param entry table
---@return ecmp.View[]
function M.beside(list, entry)
  local found, key = {}, route_of.slot(entry)
  for _, other in ipairs(list) do
    if route_of.slot(other) == key then
      found[#found + 1] = other
    end
  end
  return found
end

---What the key of an entry holds.
---@param list? ecmp.View[] all entries of its destination; without it, the entry is all there is
---@param entry ecmp.View
---@return ecmp.RouteValue[] have
---@return integer at the place of the entry
function M.key(list, entry)
  local have, at = {}, 1
  for i, other in ipairs(list and M.beside(list, entry) or { entry }) do
    have[i] = assert(route_of.held(other))
    at = rawequal(other, entry) and i or at
  end
  return have, at
end

---All entries of a destination, in the kernel's order. It cannot be asked for them, so this takes a
---dump of the table. IPv4 tos and the IPv6 source prefix are part of a destination: with others
---they lead other packets.
---@param nl ecmp.Handle
---@param request table `dst`, `table`, `family`, `tos`, `from`
---@return ecmp.View[]|nil, string? message, string? code
function M.listed(nl, request)
  local list, message, code = nl.route:list {
    dst = request.dst or "default", table = request.table, family = request.family,
  }
  if not list then
    return nil, message, code
  end
  local found = {}
  for _, entry in ipairs(list) do
    if route_of.same_packets(entry, request) then
      found[#found + 1] = entry
    end
  end
  return found
end

-- An address of a prefix; of all addresses, one that nothing but a default route leads to.
local ANYWHERE <const> = { [4] = "192.0.2.1", [6] = "2001:db8::1" }

-- Whether every entry that the kernel could take for this one would be used in its place: one that
-- has no hop but the first of these, say, which is up.
local function is_up(entry)
  local hop = (entry.nexthops or { entry })[1]
  return hop.dev ~= nil and not (entry.dead or entry.linkdown or hop.dead or hop.linkdown)
end

---Whether there are no next-hop objects, so that no route can refer to one: IPv6 takes a route by
---an object for any that is to be deleted.
---@param nl ecmp.Handle
---@return boolean
function M.no_objects(nl)
  local views = nl.socket:dump("nexthop", {})
  return views ~= nil and views() == nil
end

---The entry that traffic takes, as far as a lookup tells, which is cheap in tables of any size.
---None where something more specific is in the way, the rules lead to another table, or the metric
---is another.
---@param nl ecmp.Handle
---@param route table `dst`, `table`, `family`, `tos`, `from`, and perhaps `metric`
---@return ecmp.View|nil
function M.used(nl, route)
  if route.tos or route.from then
    return nil
  end
  local wanted = rtnl.view("route", { dst = route.dst, family = route.family,
                                      table = route.table or "main" })
  local address = wanted.dst == "default" and ANYWHERE[route.family] or wanted.dst:match "^[^/]+"
  local found = nl.socket:request("flow", "get", { dst = address, fibmatch = true })
  if not found or found.family ~= route.family or found.dst ~= wanted.dst
    or found.table ~= wanted.table or found.type ~= "unicast" or not is_up(found) then
    return nil
  end
  return (not route.metric or route_of.metric(found) == route_of.metric(route)) and found or nil
end

-- Hops --------------------------------------------------------------------------------------------

---Whether hops of other routes join an entry.
---@param entry ecmp.View
---@return boolean
function M.joins(entry)
  return entries.class[entry.family].joins(assert(route_of.held(entry)))
end

---The entry of the first key that can have several hops; the first where there is none. In IPv6
---routes by device alone stand beside the one of gateways.
---@param list ecmp.View[]
---@return ecmp.View
function M.that_takes_hops(list)
  local by_object
  for _, entry in ipairs(list[1].family == 6 and list or {}) do
    if entry.metric == list[1].metric and entry.type == "unicast" then
      if M.joins(entry) then
        return entry
      end
      by_object = by_object or entry.nhid and entry
    end
  end
  return by_object or list[1]
end

local function hops_of_object(nl, id, family, weight, into)
  local object, message, code = nl.nexthop:get { id = id }
  if not object then
    return nil, message, code
  end
  for _, member in ipairs(object.group or {}) do
    local ok
    ok, message, code = hops_of_object(nl, member.id, family, member.weight, into)
    if not ok then
      return nil, message, code
    end
  end
  if not object.group then
    into[#into + 1] = nexthop.asked({ via = object.via, dev = object.dev, encap = object.encap,
                                      onlink = object.onlink, weight = weight or 1 }, family)
  end
  return into
end

---The hops of an entry. Those of a next-hop object are the object's: not all dumps of routes show
---them, nor weights beyond 256.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@return table[]|nil hops canonical, in a list of their own
---@return string? message
---@return string? code
function M.hops(nl, entry)
  if entry.nhid then
    return hops_of_object(nl, entry.nhid, entry.family, nil, {})
  end
  local route = assert(route_of.held(entry))
  local hops = table.move(route.nexthops, 1, #route.nexthops, 1, {})
  if hops[1] and not hops[2] and entry.family == 4 then
    hops[1].realm = route.realm -- of several, each has its own
  end
  return hops
end

-- Which one is meant ------------------------------------------------------------------------------

-- Lists and encapsulations, member by member; what is not there is the same as false.
local function same_value(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b or (a or false) == (b or false)
  end
  for key, value in pairs(a) do
    if not same_value(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- What says where the entry is, or is compared hop by hop.
local KEY <const> = {
  dst = true, family = true, table = true, metric = true, nexthops = true, via = true, dev = true,
  onlink = true, encap = true, nhid = true, expires = true, tos = true, from = true,
}
-- What a family takes and does not keep.
local IGNORED <const> = { [4] = { pref = true }, [6] = { scope = true, realm = true } }

-- Whether an entry has what a request says beside its hops.
local function has(entry, route, request)
  local ignored = IGNORED[entry.family]
  for key in pairs(route) do
    local any = KEY[key] or ignored[key] or request[key] == "nowhere" -- to the kernel, any scope
    if not any and not same_value(entry[key], request[key]) then
      return false
    end
  end
  return route.nhid == nil or entry.nhid == route.nhid
end

local function asked_hops(hops, family)
  local asked = {}
  for i, hop in ipairs(hops) do
    asked[i] = nexthop.asked(hop, family)
  end
  return asked
end

-- Whether an entry has the hops asked for, as a whole.
local function has_hops(entry, route)
  local hops = assert(route_of.held(entry)).nexthops
  if route.nhid then
    return true -- is compared above
  elseif route.nexthops then
    return nexthop.are(hops, asked_hops(route.nexthops, entry.family))
  elseif #hops ~= 1 then
    return not (route.via or route.dev and #hops > 1)
  end
  return nexthop.find(hops, nexthop.asked(route, entry.family)) ~= nil
end

---The entry that a request means, or one of several hops and the number of that hop. What was
---listed means itself before others that have the same and more.
---@param nl ecmp.Handle
---@param possible ecmp.View[]
---@param route table the fields that must match
---@param request ecmp.View the same, in the spelling of views
---@param listed? ecmp.View
---@return ecmp.View|nil entry, table[]|nil hops, integer|nil at
function M.find(nl, possible, route, request, listed)
  for _, entry in ipairs(listed and possible or {}) do
    if entry == listed then
      return entry
    end
  end
  for _, entry in ipairs(possible) do
    if has(entry, route, request) and has_hops(entry, route) then
      return entry
    end
  end
  local one = (route.via or route.dev) and not route.nexthops
  for _, entry in ipairs(one and possible or {}) do
    local hops = has(entry, route, request) and M.hops(nl, entry) or {}
    local at = nexthop.find(hops, nexthop.asked(route, entry.family))
    if at then
      return entry, hops, at
    end
  end
end

return M
