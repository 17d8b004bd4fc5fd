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

-- The kernel's routes with a destination and table, in the kernel's order.
local function listed(self, route)
  return self:list {
    dst = route.dst, table = route.table, family = route.family or rtnl.view("route", route).family,
  }
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
      nexthops = route.nexthops,
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

-- The one entry a next hop is added to or taken from, and all of its destination.
local function the_entry(self, key, hop, verb)
  local route = type(key) == "string" and { dst = key } or as_table(key, verb)
  local family = route.family
  if not family and (route.dst == nil or route.dst == "default") and hop.via then
    family = hop.via:find(":", 1, true) and 6 or 4
  end
  route = { dst = route.dst or "default", table = route.table, metric = route.metric,
            family = family or rtnl.view("route", route).family }
  local list, message, code = listed(self, route)
  if not list then
    return nil, message, code
  end
  local possible = route.metric and of_metric(list, metric_of(route)) or list
  if not possible[1] then
    return absent(verb, route, hop)
  end
  return possible[1], list
end

local function check_hop(hop, verb)
  if type(hop) == "string" then
    local parsed, message = rtnl.parse("route", "default nexthop " .. hop)
    hop = parsed and parsed.nexthops[1] or rtnl.throw("route " .. verb .. ": " .. message)
  end
  local six = type(hop) == "table" and type(hop.via) == "string" and hop.via:find ":"
  rtnl.view("route", { family = six and 6 or 4, nexthops = { hop } }) -- raises for wrong fields
  return entries.canonical_hop(hop)
end

---Adds one next hop to a route, which becomes a multipath route if it was none.
---@param key string|table destination, or table with `dst` and, where needed, `table`, `metric`,
---`family`
---@param hop table|string `{ via, dev, weight, onlink, encap }`
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route; "EEXIST": it has that hop already
function methods:add_nexthop(key, hop)
  hop = check_hop(hop, "add_nexthop")
  local entry, list, code = the_entry(self, key, hop, "add_nexthop")
  if not entry then
    return nil, list, code
  elseif entries.find_hop(entry, { via = hop.via, dev = hop.dev }) then
    return nil, ("route add_nexthop %s %s: this route has that next hop (EEXIST)")
      :format(entry.dst, hop_text(hop)), "EEXIST"
  elseif entry.type ~= "unicast" then
    return nil, ("route add_nexthop %s %s: a %s route has no next hops (EINVAL)")
      :format(entry.dst, hop_text(hop), entry.type), "EINVAL"
  end
  local added = entries.plain_hops { family = entry.family, nexthops = { hop } }[1]
  local ok, message, symbol
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
      via = gone.via, dev = gone.dev,
    })
  end
  return swap(self, entry, list, entries.with_hops(entry, hops))
end

---Takes one next hop out of a route; with its last one the route goes.
---@param key string|table
---@param hop table|string `{ via, dev }`
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route, or it has no such hop
function methods:del_nexthop(key, hop)
  hop = check_hop(hop, "del_nexthop")
  local entry, list, code = the_entry(self, key, hop, "del_nexthop")
  if not entry then
    return nil, list, code
  end
  local at = entries.find_hop(entry, hop)
  if not at then
    return absent("del_nexthop", entry, hop)
  end
  return remove_hop(self, entry, list, at)
end

-- What the kernel compares by itself, so that it need not be listed first. A metric of 0 is none to
-- it, and matches any.
local compared <const> = {
  [4] = { dst = true, table = true, metric = true, proto = true, family = true, type = true,
          tos = true, scope = true, src = true },
  [6] = { dst = true, table = true, metric = true, proto = true, family = true },
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
---match, those left out match anything; of several matches the first goes. With one next hop
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
    end
    return ok, message, code
  end
  local metric = route.metric or rtnl.is_view(value) and 0
  local list, message, code = listed(self, {
    dst = route.dst or "default", table = request.table, family = request.family })
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
