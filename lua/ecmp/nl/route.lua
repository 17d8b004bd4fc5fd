---Routes: the verbs of every object, with one meaning for both families where the kernel has two.

local later = require "ecmp.later"
local diagnose = later "ecmp.nl.diagnose"
local edit = later "ecmp.nl.edit"
local entries = later "ecmp.fib.entries"
local lookup = later "ecmp.nl.lookup"
local nexthop = require "ecmp.fib.nexthop"
local object = require "ecmp.nl.object"
local route_of = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"
local siblings = later "ecmp.nl.siblings"

rtnl.own()

---@class ecmp.Route: ecmp.Object
local methods = setmetatable({}, { __index = object.methods })
local mt = { __name = "ecmp.Route", __index = methods }

local M = {}

---The routes of a handle's namespace: `nl.route`.
---@param nl ecmp.Handle
---@return ecmp.Route
function M.new(nl)
  return setmetatable({ nl = nl, kind = "route" }, mt)
end

-- Where the kernel tells what became of a route, what it was added to was there: IPv6 joins them.
local function add(self, verb, value)
  local ok, made, code = self.nl.socket:request("route", verb, value)
  if not ok then
    return nil, made, code
  end
  local hops = made and rtnl.beyond(made) or 0
  if hops > 0 then
    return edit.part(self.nl, verb, object.as_table(value, "route", verb), hops)
  end
  return true
end

for _, verb in ipairs { "add", "append", "prepend", "change" } do
  methods[verb] = function(self, value, ...)
    value = object.value(value, "route", verb, ...)
    local ok, message, code = add(self, verb, value)
    if ok then
      return ok
    end
    local route = object.as_table(value, "route", verb)
    return nil, diagnose.name_hop(self.nl, verb, route, message, code), code
  end
end

-- One hop more or less ---------------------------------------------------------------------------

-- A hop as it was given, with its fields checked, and the family that its gateway is of.
local function check_hop(hop, verb)
  if type(hop) == "string" then
    local parsed, message = rtnl.parse("route", "default nexthop " .. hop)
    hop = parsed and parsed.nexthops[1] or rtnl.throw("route " .. verb .. ": " .. message)
  end
  if type(hop) ~= "table" then
    rtnl.throw(("%s: table or words of a next hop expected, got %s"):format(verb, type(hop)))
  end
  local via = type(hop.via) == "string" and hop.via
  local family = via and (via:find ":" and not via:find "^inet6 " and 6 or 4) or nil
  rtnl.view("route", { family = family, nexthops = { hop } }) -- raises for wrong fields
  if hop.via == nil and hop.dev == nil then
    rtnl.throw(("via: missing; %s needs the gateway or the device of a next hop"):format(verb))
  end
  return hop, family
end

-- By what a route is named whose next hops are to change.
local names_place <const> = {
  dst = true, family = true, table = true, metric = true, tos = true, from = true,
}

-- The place a key names; a default route without a family is of the hop's.
local function place_of(key, family, verb)
  local given, named = object.as_table(key, "route", verb), {}
  for name, value in pairs(given) do
    if names_place[name] then
      named[name] = value
    elseif not rtnl.is_view(key) then
      rtnl.view("route", given) -- raises for what no route has
      rtnl.throw(("%s: %s finds a route by dst, table, metric, family, tos and from"):format(name,
        verb))
    end
  end
  if rtnl.is_view(key) then
    named.metric = named.metric or 0
  elseif named.dst == nil or named.dst == "default" then
    named.family = named.family or family
  end
  named.dst = named.dst or "default"
  named.family = rtnl.view("route", named, true).family
  return named
end

-- The entries a key may mean, in the kernel's order, and all of its destination.
local function possible_entries(self, named)
  local list, message, code = lookup.listed(self.nl, named)
  if not list then
    return nil, message, code
  end
  local possible = named.metric and lookup.of_metric(list, route_of.metric(named)) or list
  if not possible[1] then
    return nil, "No such route", "ESRCH"
  end
  return possible, list
end

-- Refuses in the words of what was asked.
local function refuse(verb, named, hop, message, code)
  return diagnose.of(verb, { dst = named.dst, table = named.table, metric = named.metric,
    family = named.family, tos = named.tos, from = named.from,
    nexthops = { nexthop.plain(nexthop.asked(hop, named.family)) } }, message, code)
end

-- Why a route cannot have these hops, where the kernel would say something else or nothing.
local function unfit(entry, hops)
  if entry.type ~= "unicast" then
    return ("a %s route has no next hops"):format(entry.type)
  end
  for _, hop in ipairs(hops) do
    if entry.family == 6 and not hop.via then
      return "an IPv6 route by device alone shares its place with no other hop"
    elseif (hop.weight or 1) > 256 then
      return ("weight %d is of an object, and more than a route can have"):format(hop.weight)
    end
  end
end

-- The entry a hop is to join, and all of its destination, where it was not found by a lookup.
local function entry_to_join(self, named)
  local used = lookup.used(self.nl, named)
  if used and (used.family == 4 or lookup.joins(used)) then
    return used
  end
  local possible, list, code = possible_entries(self, named)
  if not possible then
    return nil, list, code
  end
  return lookup.that_takes_hops(possible), list
end

-- Gives an entry other hops, or says in the words of what was asked why it cannot have them.
local function set_hops(self, verb, asked, hops)
  local entry, named, hop = asked.entry, asked.named, asked.hop
  local why = unfit(entry, hops)
  if why then
    return refuse(verb, named, hop, why, "EINVAL")
  end
  local ok, message, code = edit.set_hops(self.nl, entry, asked.list, hops)
  if ok then
    return true
  end
  local alone = entries.request_with_hops(assert(route_of.held(entry)),
    { nexthop.asked(hop, entry.family) })
  local far = diagnose.is_far(self.nl, alone, code)
  return refuse(verb, named, hop,
    far and "this next hop is not reachable" or diagnose.text(message), code)
end

---Adds one next hop to a route, which becomes a multipath route if it was none.
---@param key ecmp.GivenRoute destination, or table with `dst` and, where needed, `table`,
---`metric`, `family`, `tos`, `from`; without a metric the route that is used
---@param hop ecmp.Hop|string `{ via, dev, weight, onlink, encap }`
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route; "EEXIST": it has that hop already; "EINVAL": it
---cannot have several
function methods:add_nexthop(key, hop, ...)
  object.check_rest("route", "add_nexthop", 2, ...)
  local family
  hop, family = check_hop(hop, "add_nexthop")
  local named = place_of(key, family, "add_nexthop")
  local entry, list, code = entry_to_join(self, named)
  if not entry then
    return refuse("add_nexthop", named, hop, list, code)
  end
  local hops, message, symbol = lookup.hops(self.nl, entry)
  if not hops then
    return nil, message, symbol
  end
  local added = nexthop.asked(hop, entry.family)
  added.weight = added.weight or 1
  if nexthop.find_way(hops, added) then
    return refuse("add_nexthop", named, hop, "this route has that next hop", "EEXIST")
  end
  hops[#hops + 1] = added
  return set_hops(self, "add_nexthop",
    { named = named, hop = hop, entry = entry, list = list }, hops)
end

-- The first of these that has a hop, with all of its hops and the number of that one.
local function with_hop(self, possible, hop)
  for _, entry in ipairs(possible) do
    local hops = lookup.hops(self.nl, entry)
    local at = hops and nexthop.find(hops, nexthop.asked(hop, entry.family))
    if at then
      return entry, hops, at
    end
  end
end

---Takes one next hop out of a route; with its last one the route goes.
---@param key ecmp.GivenRoute as for `add_nexthop`; without a metric the first route that has
---the hop
---@param hop ecmp.Hop|string `{ via, dev }`, at least one of them
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route, or it has no such hop
function methods:del_nexthop(key, hop, ...)
  object.check_rest("route", "del_nexthop", 2, ...)
  local family
  hop, family = check_hop(hop, "del_nexthop")
  local named = place_of(key, family, "del_nexthop")
  local used = lookup.used(self.nl, named)
  if used and (used.family == 4 or lookup.joins(used) and lookup.no_objects(self.nl)) then
    local entry, hops, at = with_hop(self, { used }, hop)
    if entry then
      return edit.remove_hop(self.nl, entry, nil, hops, at)
    end
  end
  local possible, list, code = possible_entries(self, named)
  if not possible then
    return refuse("del_nexthop", named, hop, list, code)
  end
  local entry, hops, at = with_hop(self, possible, hop)
  if not entry then
    return refuse("del_nexthop", named, hop, "No such route", "ESRCH")
  end
  return edit.remove_hop(self.nl, entry, list, hops, at)
end

---Gives one next hop of a route another weight.
---@param key ecmp.GivenRoute as for `add_nexthop`; without a metric the first route that has it
---@param hop ecmp.Hop|string `{ via, dev, weight }`: what names the hop, and a weight of 1 to 256
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route, or no such hop of it; "EINVAL": its hops are
---those of a next-hop object
function methods:set_nexthop(key, hop, ...)
  object.check_rest("route", "set_nexthop", 2, ...)
  local family
  hop, family = check_hop(hop, "set_nexthop")
  if hop.weight == nil then
    rtnl.throw "weight: missing; set_nexthop gives a next hop its weight"
  end
  local named = place_of(key, family, "set_nexthop")
  local possible, list, code = possible_entries(self, named)
  if not possible then
    return refuse("set_nexthop", named, hop, list, code)
  end
  local entry, hops, at = with_hop(self, possible, { via = hop.via, dev = hop.dev })
  if not entry then
    return refuse("set_nexthop", named, hop, "No such route", "ESRCH")
  elseif entry.nhid then
    return refuse("set_nexthop", named, hop, "its next hops are those of an object", "EINVAL")
  elseif #hops == 1 or hops[at].weight == hop.weight then
    return true -- of an only hop the kernel keeps none
  end
  local changed = nexthop.plain(hops[at])
  changed.weight = hop.weight
  hops[at] = changed
  return set_hops(self, "set_nexthop", { named = named, hop = hop, entry = entry, list = list },
    hops)
end

-- Deleting ---------------------------------------------------------------------------------------

-- What the kernel compares by itself, so that it need not be listed first. A metric of 0 is none to
-- it, and matches any. By gateway and device IPv4 finds routes of one hop alone; IPv6 finds a hop
-- of any route, and takes a route by an object for one that has it.
local compared <const> = {
  [4] = { dst = true, table = true, metric = true, proto = true, family = true, type = true,
          tos = true, scope = true, src = true, via = true, dev = true },
  -- Not proto: of a route of several hops any may have it, and all would go. Not the source prefix:
  -- where no route has one, it is passed over.
  [6] = { dst = true, table = true, metric = true, family = true },
}

local function kernel_compares(route, family)
  for key in pairs(route) do
    if not compared[family][key] then
      return false
    end
  end
  return route.metric ~= 0
end

local function delete(self, list, entry, hops, at)
  if at then
    return edit.remove_hop(self.nl, entry, list, hops, at)
  end
  return edit.delete(self.nl, entry, list)
end

-- The same without a list, where nothing else can be meant, or be taken for what is meant.
-- `missed`: no IPv4 route of one hop is meant. IPv6 has one route of gateways for a metric; when
-- all of its hops are to go, others may stand before it.
local function find_used(self, route, request, metric, missed, listed)
  local used = lookup.used(self.nl, {
    dst = request.dst, table = request.table, family = request.family, metric = metric,
    tos = request.tos, from = request.from })
  if not used or used.family == 6 and not (lookup.joins(used) and lookup.no_objects(self.nl)) then
    return nil
  end
  if listed and used ~= listed then
    return nil
  end
  local entry, hops, at = lookup.find(self.nl, { used }, route, request)
  if at and not (missed or used.family == 6 and route.metric) then
    return nil
  elseif entry and not at and used.family == 6 and used.nexthops and #used.nexthops > 1 then
    return nil
  end
  return entry, hops, at
end

---Deletes what is asked for and nothing beside it, in both families alike: the fields given must
---match, those left out match anything; of several matches the first goes. IPv4 `tos` and the IPv6
---source prefix `from` belong to the destination: left out there is none. With one next hop
---(`via`, `dev`) of a multipath route, that hop goes, where no route has that hop alone. With
---`nexthops`, the route that has just these, in any order.
---@param value ecmp.GivenRoute
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route
function methods:del(value, ...)
  local route = object.as_table(value, "route", "del", ...)
  local request = rtnl.view("route", route, true) -- raises for wrong fields
  local listed = rtnl.is_view(value) and value or nil -- means itself, not what is like it
  local missed = not listed and kernel_compares(route, request.family)
  if missed then
    local ok, message, code = self.nl.socket:request("route", "del", route)
    if code == "ENOENT" then -- IPv6 says so where the table has no routes at all
      return diagnose.of("del", route, "No such route", "ESRCH")
    elseif code ~= "ESRCH" or not (route.via or route.dev or route.type == "blackhole") then
      return ok, message, code -- else it may be one hop of several, or lead nowhere by its object
    end
  end
  local metric = route.metric or listed and 0 or nil
  local entry, hops, at = find_used(self, route, request, metric, missed, listed)
  if entry then
    return delete(self, nil, entry, hops, at)
  end
  local list, message, code = lookup.listed(self.nl, request)
  if not list then
    return nil, message, code
  end
  local possible = metric and lookup.of_metric(list, route_of.metric {
    metric = metric, family = request.family }) or list
  entry, hops, at = lookup.find(self.nl, possible, route, request, listed)
  if entry then
    return delete(self, list, entry, hops, at)
  end
  return diagnose.of("del", route, "No such route", "ESRCH")
end

-- Replacing --------------------------------------------------------------------------------------

-- The entry that is to be replaced: the first in IPv4, which is the one that is used. In IPv6 the
-- last of those that share gateways, or of those that do not, so that those before can be told
-- apart from it.
local function to_replace(found, request)
  local kept = found[1]
  for _, entry in ipairs(found) do
    if request.family == 6 and lookup.joins(entry) == lookup.joins(request) then
      kept = entry
    end
  end
  return kept
end

-- Deletes what else has the key of a new route, so that one is left to be replaced.
local function delete_others(self, list, request)
  local found = lookup.beside(list, request)
  local kept = to_replace(found, request)
  for _, entry in ipairs(found) do
    if not rawequal(entry, kept) then
      local ok, message, code = edit.delete(self.nl, entry, list)
      if not ok and code ~= "ESRCH" then
        return nil, message, code
      end
      for i = #list, 1, -1 do
        if rawequal(list[i], entry) then
          table.remove(list, i)
        end
      end
    end
  end
  return true
end

-- IPv6 says of a hop that is listed twice what it says of a route that is there.
local function is_there(self, route, family, code)
  return code == "EEXIST" and (family == 4 or not diagnose.has_twins(self.nl, route))
end

---Makes the route of this key (destination, table, metric) be this one, and the only one. Where the
---key is new this takes one request; else its table is listed, as the kernel replaces one of
---several entries and cannot be asked for the others.
---@param value ecmp.GivenRoute
---@return true|nil
---@return string? message
---@return string? code
function methods:replace(value, ...)
  local route = object.as_table(value, "route", "replace", ...)
  local request = rtnl.view("route", route, true)
  local ok, _, code = self.nl.socket:request("route", "add", route)
  local message
  if ok then
    return true
  elseif is_there(self, route, request.family, code) then
    local list
    list, message, code = lookup.listed(self.nl, request)
    if not list then
      return nil, message, code
    end
    ok, message, code = delete_others(self, list, request)
    if not ok then
      return nil, message, code
    end
  end
  ok, message, code = self.nl.socket:request("route", "replace", route)
  if not ok then
    return nil, diagnose.name_hop(self.nl, "replace", route, message, code), code
  end
  return true
end

---How the routes of a list are deleted. Those that share their place with one that is to stay, for
---which the kernel may take them, have to be looked at by themselves.
---@param list ecmp.View[]
---@param filter table|string
---@return (fun(view: ecmp.View): table|nil)|nil request
---@return string? message
---@return string? code
function methods:deletions(list, filter)
  return siblings.deletions(self, list, filter)
end

-- Stand-ins ---------------------------------------------------------------------------------------

local function find_way(held, hop)
  return nexthop.find(held.hops, nexthop.asked({ via = hop.via, dev = hop.dev }, held.family))
end

---Gives the share of one next hop to the others, in proportion to their weights, so that no flow of
---theirs moves: its place in the hash is divided, theirs stay. IPv4 does so in one request; an IPv6
---route in which a hop would stand twice refers to a temporary group of next-hop objects until the
---hop is resumed.
---@param key ecmp.GivenRoute|ecmp.Held as for `add_nexthop`; or what an earlier call returned, to
---suspend one more hop of the same route
---@param hop ecmp.Hop|string `{ via, dev }`, at least one of them
---@return ecmp.Held|nil held for `resume`; plain data
---@return string? message
---@return string? code # "ESRCH": no such route, or it has no such hop; "EINVAL": no other hop is
---left; "EBUSY": another route of its key stands beside it; "E2BIG": the stand-ins are more hops
---than a route can have, and nothing was changed
function methods:suspend(key, hop, ...)
  object.check_rest("route", "suspend", 2, ...)
  local suspend = require "ecmp.nl.suspend"
  local family
  hop, family = check_hop(hop, "suspend")
  if suspend.is_held(key) then
    local at = find_way(key, hop)
    if not at then
      return refuse("suspend", key.route, hop, "this route has no such next hop", "ESRCH")
    end
    return suspend.suspend(self.nl, key, at)
  end
  local named = place_of(key, family, "suspend")
  local possible, list, code = possible_entries(self, named)
  if not possible then
    return refuse("suspend", named, hop, list, code)
  end
  local entry, hops, at = with_hop(self, possible, { via = hop.via, dev = hop.dev })
  if not entry then
    return refuse("suspend", named, hop, "No such route", "ESRCH")
  end
  local held, message, symbol = suspend.hold(self.nl, entry, hops, list)
  if not held then
    return nil, message, symbol
  end
  return suspend.suspend(self.nl, held, at)
end

---Gives suspended next hops their places back: every flow goes where it went.
---@param held ecmp.Held
---@param hop? ecmp.Hop|string one of them; all of them unless given
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": it has no such hop; or as the kernel refuses
function methods:resume(held, hop, ...)
  object.check_rest("route", "resume", 2, ...)
  local suspend = require "ecmp.nl.suspend"
  if not suspend.is_held(held) then
    rtnl.throw(("resume: what `suspend` returned expected, got %s"):format(type(held)))
  end
  local at
  if hop ~= nil then
    hop = check_hop(hop, "resume")
    at = find_way(held, hop)
    if not at then
      return refuse("resume", held.route, hop, "this route has no such next hop", "ESRCH")
    end
  end
  return suspend.resume(self.nl, held, at)
end

---Asks which way a flow takes: the kernel's own answer.
---@param flow ecmp.FlowFields|string `{ dst, src, sport, dport, proto, mark, uid, iif, dev, tos,
---fibmatch }`, or words of `ip route get`
---@return ecmp.RouteView|nil route # with `fibmatch` the whole route, otherwise the next hop chosen
---@return string? message
---@return string? code # "ENETUNREACH", "EHOSTUNREACH", ...
function methods:get(flow, ...)
  return self.nl.socket:request("flow", "get", object.value(flow, "route", "get", ...))
end

---Which share of flows takes which next hop. See `ecmp.nl.spread`.
---@param flow table `{ dst =, flows =, src =, proto =, dport =, ... }`
---@return table[]|nil hops # `{ via, dev, weight, flows, share }`
---@return string? message
---@return string? code
function methods:spread(flow, ...)
  object.check_rest("route", "spread", 1, ...)
  return require "ecmp.nl.spread".spread(self.nl, flow)
end

return M
