-- Routes: the verbs of every object, with one meaning for both families where the kernel has two.
-- How the families differ is in the comments here and nowhere else in the handle.

local rtnl = require "ecmp.rtnl"
local entries = require "ecmp.entry"
local object = require "ecmp.object"

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

local function as_table(value, verb)
  value = object.value(value, "route", verb)
  if rtnl.is_view(value) then
    return value:copy()
  elseif type(value) == "string" then
    local parsed, message = rtnl.parse("route", value)
    return parsed or rtnl.throw("route " .. verb .. ": " .. message)
  end
  return value
end

local function default_metric(family)
  return family == 6 and 1024 or 0
end

local function metric_of(route)
  local metric = route.metric or 0
  return metric == 0 and default_metric(route.family) or metric
end

-- The kernel's routes with the destination and table of a request, in the kernel's order. IPv4 tos
-- and the IPv6 source prefix are part of a destination: with others they lead other packets.
local function listed(self, request)
  local list, message, code = self:list {
    dst = request.dst or "default", table = request.table, family = request.family,
  }
  if not list then
    return nil, message, code
  end
  local found = {}
  for _, entry in ipairs(list) do
    if entries.same_packets(entry, request) then
      found[#found + 1] = entry
    end
  end
  return found
end

local function of_metric(list, metric)
  local found = {}
  for _, entry in ipairs(list) do
    if metric_of(entry) == metric then
      found[#found + 1] = entry
    end
  end
  return found
end

local function key_text(route)
  local words = { route.dst or "default" }
  for _, key in ipairs { "table", "metric" } do
    if route[key] then
      words[#words + 1] = key .. " " .. route[key]
    end
  end
  return table.concat(words, " ")
end

local function hop_text(hop)
  local words = {}
  for _, key in ipairs { "via", "dev" } do
    if hop[key] then
      words[#words + 1] = key .. " " .. hop[key]
    end
  end
  return table.concat(words, " ")
end

local function absent(verb, route, hop)
  return nil, ("route %s %s%s: No such route (ESRCH)"):format(verb, key_text(route),
    hop and " " .. hop_text(hop) or ""), "ESRCH"
end

-- Deletes an entry of the kernel and nothing beside it; `list` has all of its destination.
local function delete_exactly(self, entry, list)
  local hidden = entries.hidden_by(list, entry)
  if hidden and (entry.family == 4 or #entries.hops(entry) == 1) then
    return nil, ("route del %s: the kernel would take %s, which stands before it (EBUSY)"):format(
      entry:text { line = true }, hidden:text { line = true }), "EBUSY"
  end
  return self.nl.socket:request("route", "del", entries.deletion(entry, hidden))
end

-- Whether an entry is the first of several of its key: the one that is used.
local function leads(entry, list)
  local before = true
  for _, other in ipairs(list) do
    if rawequal(other, entry) then
      before = false
    elseif other.metric == entry.metric and other.tos == entry.tos then
      return not before
    end
  end
  return false
end

-- IPv4: the new entry goes behind the old one, then the old one goes. No packet finds the
-- destination without a route, where a REPLACE loses about one lookup in fifty thousand; if the
-- second step fails the first is taken back. Before other entries of its key, which would come to
-- be used instead, it is replaced in its place.
local function swap(self, entry, list, route)
  if entry.family == 4 and leads(entry, list) then
    return self.nl.socket:request("route", "replace", route)
  end
  local ok, message, code = self.nl.socket:request("route", "append", route)
  if not ok then
    return nil, message, code
  end
  ok, message, code = delete_exactly(self, entry, list)
  if not ok then
    self.nl.socket:request("route", "del", {
      dst = route.dst, table = route.table, metric = route.metric, family = route.family,
      tos = route.tos, from = route.from, nexthops = route.nexthops,
    })
    return nil, message, code
  end
  return true
end

-- Whether the kernel finds a gateway on a link of its own, without a gateway before it.
local function on_link(nl, hop)
  if not hop.via or hop.onlink then
    return true
  end
  local via = entries.canonical_hop(hop).via
  local answer = nl.socket:request("flow", "get", { dst = via, dev = hop.dev })
  return answer and not answer.via and answer.type == "unicast"
end

local function twin_of(hops, at)
  for i = 1, at - 1 do
    if hops[i].via == hops[at].via and hops[i].dev == hops[at].dev then
      return i
    end
  end
end

-- What is wrong with a hop, for the refusals that one hop of several may have caused.
local function unreachable(nl, hops, i)
  return not on_link(nl, hops[i]) and "is not reachable"
end

local faults <const> = {
  ENETUNREACH = unreachable, EHOSTUNREACH = unreachable, ENODEV = unreachable,
  ENETDOWN = unreachable,
  EINVAL = function(nl, hops, i, family)
    return family == 6 and not hops[i].via and "has no gateway" or unreachable(nl, hops, i)
  end,
  EEXIST = function(_, hops, i)
    local twin = twin_of(hops, i)
    return twin and ("is nexthops[%d] again"):format(twin)
  end,
}

-- The kernel does not say which hop of a multipath route it minds: a lookup of each gateway tells.
local function name_hop(nl, route, message, code)
  local hops, fault_of = route.nexthops or {}, faults[code]
  if not fault_of or #hops < 2 then
    return message
  end
  local family = rtnl.view("route", route).family
  for i, hop in ipairs(hops) do
    local fault = fault_of(nl, hops, i, family)
    if fault then
      return (message:gsub("( %(%u+%))$", function(symbol)
        return (": nexthops[%d] %s %s%s"):format(i, hop_text(hop), fault, symbol)
      end))
    end
  end
  return message
end

for _, verb in ipairs { "add", "append", "prepend", "change" } do
  methods[verb] = function(self, value)
    value = object.value(value, "route", verb)
    local ok, message, code = self.nl.socket:request("route", verb, value)
    if ok then
      return ok
    end
    return nil, name_hop(self.nl, as_table(value, verb), message, code), code
  end
end

-- By what a route is named whose next hops are to change.
local names_place <const> = {
  dst = true, family = true, table = true, metric = true, tos = true, from = true,
}

-- The place a key names, as a request; a default route without a family is of the hop's.
local function place_of(key, family, verb)
  local route, place = as_table(key, verb), {}
  for name, value in pairs(route) do
    if names_place[name] then
      place[name] = value
    elseif not rtnl.is_view(key) then
      rtnl.view("route", route) -- raises for what no route has
      rtnl.throw(("%s: %s finds a route by dst, table, metric, family, tos and from"):format(name,
        verb))
    end
  end
  if rtnl.is_view(key) then
    place.metric = place.metric or 0
  elseif place.dst == nil or place.dst == "default" then
    place.family = place.family or family
  end
  return place, rtnl.view("route", place, true)
end

-- The entries a key may mean, in the kernel's order, and all of its destination.
local function possible_entries(self, key, hop, family, verb)
  local place, request = place_of(key, family, verb)
  local list, message, code = listed(self, request)
  if not list then
    return nil, message, code
  end
  local possible = place.metric and of_metric(list, metric_of {
    metric = place.metric, family = request.family }) or list
  if not possible[1] then
    return absent(verb, place, hop)
  end
  return possible, list
end

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
  return entries.canonical_hop(hop), family
end

---Adds one next hop to a route, which becomes a multipath route if it was none.
---@param key string|table|ecmp.View destination, or table with `dst` and, where needed, `table`,
---`metric`, `family`, `tos`, `from`; without a metric the route that is used
---@param hop table|string `{ via, dev, weight, onlink, encap }`
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route; "EEXIST": it has that hop already; "EINVAL": it
---cannot have several
function methods:add_nexthop(key, hop)
  local family
  hop, family = check_hop(hop, "add_nexthop")
  local possible, list, code = possible_entries(self, key, hop, family, "add_nexthop")
  if not possible then
    return nil, list, code
  end
  local entry = entries.that_takes_hops(possible)
  local why, symbol
  if entry.type ~= "unicast" then
    why, symbol = ("a %s route has no next hops"):format(entry.type), "EINVAL"
  elseif entry.family == 6 and not entries.has_gateway(entry) then
    why, symbol = "an IPv6 route by device alone shares its place with no other hop", "EINVAL"
  elseif entries.find_hop(entry, { via = hop.via, dev = hop.dev }) then
    why, symbol = "this route has that next hop", "EEXIST"
  end
  if why then
    return nil, ("route add_nexthop %s %s: %s (%s)"):format(entry.dst, hop_text(hop), why, symbol),
      symbol
  end
  local added = entries.plain_hops { family = entry.family, nexthops = { hop } }[1]
  local ok, message
  if entry.family == 6 and not entry.nhid then
    ok, message, symbol = self.nl.socket:request("route", "append",
      entries.with_hops(entry, { added }))
  else
    local hops = entries.plain_hops(entry)
    hops[#hops + 1] = added
    ok, message, symbol = swap(self, entry, list, entries.with_hops(entry, hops))
  end
  if not ok and faults[symbol] == unreachable and not on_link(self.nl, added) then
    message = ("route add_nexthop %s %s: this next hop is not reachable (%s)"):format(
      key_text(entry), hop_text(hop), symbol)
  end
  return ok, message, symbol
end

-- Takes hop number `at` out of an entry; with its last one the entry goes.
local function remove_hop(self, entry, list, at)
  local hops = entries.plain_hops(entry)
  local gone = table.remove(hops, at)
  if #hops == 0 then
    return delete_exactly(self, entry, list)
  elseif entry.family == 6 and not entry.nhid then
    return self.nl.socket:request("route", "del", {
      dst = entry.dst, table = entry.table, metric = metric_of(entry), family = 6,
      from = entry.from, via = gone.via, dev = gone.dev,
    })
  end
  return swap(self, entry, list, entries.with_hops(entry, hops))
end

---Takes one next hop out of a route; with its last one the route goes.
---@param key string|table|ecmp.View as for `add_nexthop`; without a metric the first route that has
---the hop
---@param hop table|string `{ via, dev }`, at least one of them
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route, or it has no such hop
function methods:del_nexthop(key, hop)
  local family
  hop, family = check_hop(hop, "del_nexthop")
  local possible, list, code = possible_entries(self, key, hop, family, "del_nexthop")
  if not possible then
    return nil, list, code
  end
  for _, entry in ipairs(possible) do
    local at = entries.find_hop(entry, hop)
    if at then
      return remove_hop(self, entry, list, at)
    end
  end
  return absent("del_nexthop", possible[1], hop)
end

-- What the kernel compares by itself, so that it need not be listed first. A metric of 0 is none to
-- it, and matches any.
local compared <const> = {
  [4] = { dst = true, table = true, metric = true, proto = true, family = true, type = true,
          tos = true, scope = true, src = true },
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

-- The entry that is meant, or a route of several hops and the one hop of it.
local function find(list, route, request)
  for _, entry in ipairs(list) do
    if entries.has(entry, route, request) and entries.is(entry, route) then
      return entry
    end
  end
  local hop = (route.via or route.dev) and not route.nexthops and entries.canonical_hop(route)
  for _, entry in ipairs(list) do
    local at = hop and entries.has(entry, route, request) and entries.find_hop(entry, hop)
    if at then
      return entry, at
    end
  end
end

---Deletes what is asked for and nothing beside it, in both families alike: the fields given must
---match, those left out match anything; of several matches the first goes. IPv4 `tos` and the IPv6
---source prefix `from` belong to the destination: left out there is none. With one next hop
---(`via`, `dev`) of a multipath route, that hop goes. With `nexthops`, the route that has just
---these, in any order.
---@param value table|string|ecmp.View
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route
function methods:del(value)
  local route = as_table(value, "del")
  local request = rtnl.view("route", route, true) -- raises for wrong fields
  if kernel_compares(route, request.family) then
    local ok, message, code = self.nl.socket:request("route", "del", route)
    if code == "ENOENT" then -- IPv6 says so where the table has no routes at all
      return absent("del", route)
    elseif code ~= "ESRCH" or route.type ~= "blackhole" then -- may be one by its object alone
      return ok, message, code
    end
  end
  local metric = route.metric or rtnl.is_view(value) and 0
  local list, message, code = listed(self, request)
  if not list then
    return nil, message, code
  end
  local possible = metric and of_metric(list, metric_of {
    metric = metric, family = request.family }) or list
  local entry, hop = find(possible, route, request)
  if hop then
    return remove_hop(self, entry, list, hop)
  elseif entry then
    return delete_exactly(self, entry, list)
  end
  return absent("del", route, (route.via or route.dev) and entries.canonical_hop(route) or nil)
end

-- The IPv4 entries of a key, without those but the first that equal the route: the kernel refuses a
-- replacement that equals a later entry, so they have gone.
local function others_of_key(self, request)
  local list, message, code = listed(self, request)
  if not list then
    return nil, message, code
  end
  local found = of_metric(list, metric_of(request))
  for i = #found, 2, -1 do
    if entries.same_hops(found[i], entries.hops(request)) then
      local ok
      ok, message, code = delete_exactly(self, found[i], list)
      if not ok then
        return nil, message, code
      end
      table.remove(found, i)
    end
  end
  return found
end

---Makes the route of this key (destination, table, metric) be this one. IPv4 may hold several
---entries of one key, of which the kernel replaces only the first; the others go, so that both
---families end with one route.
---@param value table|string|ecmp.View
---@return true|nil
---@return string? message
---@return string? code
function methods:replace(value)
  local route = as_table(value, "replace")
  local request = rtnl.view("route", route, true)
  local before = {}
  if request.family == 4 then
    -- The kernel cannot be asked for one prefix, so finding what else has the key takes a list of
    -- the table; where nothing has it, adding is all there is to do.
    if self.nl.socket:request("route", "add", route) then
      return true
    end
    local message, code
    before, message, code = others_of_key(self, request)
    if not before then
      return nil, message, code
    end
  end
  local ok, message, code = self.nl.socket:request("route", "replace", route)
  if not ok then
    return nil, name_hop(self.nl, route, message, code), code
  end
  for i = 2, #before do
    ok, message, code = delete_exactly(self, before[i], before)
    if not ok and code ~= "ESRCH" then
      return nil, message, code
    end
  end
  return true
end

-- What all routes of a list have in common as a filter of a list.
local function span(list)
  local table, family = list[1].table, list[1].family
  for _, view in ipairs(list) do
    table = table == view.table and table or "all"
    family = family == view.family and family or nil
  end
  return { table = table, family = family }
end

-- Whether a list holds all of its tables.
local function is_whole(filter)
  if type(filter) == "string" then
    return false
  end
  for key in pairs(filter or {}) do
    if key ~= "table" and key ~= "family" then
      return false
    end
  end
  return true
end

-- How many entries the places have that hold several. The kernel lists these behind each other.
local function crowds(all)
  local found, before = {}, nil
  for _, view in ipairs(all) do
    if before and view.dst == before.dst and view.metric == before.metric
      and view.tos == before.tos and view.table == before.table then
      local slot = entries.slot(view)
      found[slot] = (found[slot] or 1) + 1
    end
    before = view
  end
  return found
end

---How the routes of a list are deleted. Those that share their place with one that is to stay, for
---which the kernel may take them, have to be looked at by themselves.
---@param list ecmp.View[]
---@param filter table|string
---@return (fun(view: ecmp.View): table|nil)|nil request
---@return string? message
---@return string? code
function methods:deletions(list, filter)
  if not list[1] or is_whole(filter) then
    return entries.removal
  end
  local all, message, code = self:list(span(list))
  if not all then
    return nil, message, code
  end
  local staying = crowds(all)
  for _, view in ipairs(next(staying) and list or {}) do
    local slot = entries.slot(view)
    staying[slot] = staying[slot] and staying[slot] - 1
  end
  return function(view)
    local shared = next(staying) and staying[entries.slot(view)] or 0
    return shared <= 0 and entries.removal(view) or nil
  end
end

---Asks which way a flow takes: the kernel's own answer.
---@param flow table|string `{ dst, src, sport, dport, proto, mark, uid, iif, dev, tos, fibmatch }`,
---or words of `ip route get`
---@return table|nil route # a view; with `fibmatch` the whole route, otherwise the next hop chosen
---@return string? message
---@return string? code # "ENETUNREACH", "EHOSTUNREACH", ...
function methods:get(flow)
  return self.nl.socket:request("flow", "get", object.value(flow, "route", "get"))
end

---Which share of flows takes which next hop. See `ecmp.spread`.
---@param flow table `{ dst =, flows =, src =, proto =, dport =, ... }`
---@return table[]|nil hops # `{ via, dev, weight, flows, share }`
---@return string? message
---@return string? code
function methods:spread(flow)
  return require "ecmp.spread".spread(self.nl, flow)
end

return M
