-- Routes: the verbs of every object, with one meaning for both families where the kernel has two.
-- How the families differ is in the comments here and nowhere else in the handle.

local rtnl = require "ecmp.rtnl"
local object = require "ecmp.object"

rtnl.own()

---@class ecmp.Route: ecmp.Object
local methods = setmetatable({}, { __index = object.methods })
local mt = { __name = "ecmp.Route", __index = methods }

local M = {}

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

-- The hops of a route as a list, whichever way it has them.
local function hops_of(route)
  if route.nexthops then
    return route.nexthops
  end
  return { { via = route.via, dev = route.dev, onlink = route.onlink, encap = route.encap } }
end

local function canonical_hop(hop)
  local via = hop.via and tostring(hop.via):gsub("^inet6 ", "")
  if via then
    via = rtnl.view("flow", { dst = via }).dst
  end
  return { via = via, dev = hop.dev, weight = hop.weight, onlink = hop.onlink, encap = hop.encap }
end

-- Whether what is asked for can be this hop: a field left out matches anything.
local function is_hop(hop, asked)
  return (asked.via == nil or hop.via == asked.via) and (asked.dev == nil or hop.dev == asked.dev)
end

local function find_hop(route, asked)
  for i, hop in ipairs(hops_of(route)) do
    if is_hop(hop, asked) then
      return i
    end
  end
end

-- The same hops, in any order, each once.
local function same_hops(route, asked)
  local hops = hops_of(route)
  if #hops ~= #asked then
    return false
  end
  for _, hop in ipairs(asked) do
    if not find_hop(route, canonical_hop(hop)) then
      return false
    end
  end
  return true
end

local function default_metric(family)
  return family == 6 and 1024 or 0
end

local function metric_of(route)
  local metric = route.metric or 0
  return metric == 0 and default_metric(route.family) or metric
end

-- The kernel's routes with a destination and table, in the kernel's order; with `metric`, of that
-- metric.
local function entries(self, route, metric)
  local list, message, code = self:list {
    dst = route.dst, table = route.table, family = route.family or rtnl.view("route", route).family,
    proto = route.proto, type = route.type, nhid = route.nhid,
  }
  if not list or not metric then
    return list, message, code
  end
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

-- A route of the kernel with other hops.
local function with_hops(entry, hops)
  local route = entry:copy { nexthops = hops }
  route.via, route.dev, route.encap, route.nhid, route.onlink = nil, nil, nil, nil, nil
  for _, hop in ipairs(hops) do
    if entry.family == 4 and hop.via and hop.via:find(":", 1, true) then
      hop.via = "inet6 " .. hop.via
    end
  end
  return route
end

local function plain_hops(entry)
  local hops = {}
  for i, hop in ipairs(hops_of(entry)) do
    hops[i] = { via = hop.via, dev = hop.dev, weight = hop.weight, onlink = hop.onlink,
                encap = hop.encap }
  end
  return hops
end

-- Deletes exactly one IPv4 entry. By gateway the kernel would take a whole multipath route (if it
-- is its first hop) or nothing, and without a metric any metric; by the list of next hops in stored
-- order it takes this entry only.
local function delete_exactly(self, entry)
  if entry.nhid then
    return self.nl.socket:request("route", "del", {
      dst = entry.dst, table = entry.table, metric = entry.metric, nhid = entry.nhid,
      family = entry.family, type = entry.type,
    })
  end
  local hops = hops_of(entry)
  local route = {
    dst = entry.dst, table = entry.table, metric = entry.metric, family = entry.family,
    type = entry.type, proto = entry.proto, tos = entry.tos, from = entry.from,
    scope = entry.family == 4 and entry.scope or nil,
  }
  if entry.family == 4 and (hops[1].via or hops[1].dev) and entry.type == "unicast" then
    route.nexthops = with_hops(entry, plain_hops(entry)).nexthops
  elseif entry.family == 6 and #hops == 1 then
    route.via, route.dev = hops[1].via, hops[1].dev
  end
  return self.nl.socket:request("route", "del", route)
end

-- IPv4: the new entry goes behind the old one, then the old one goes. No packet finds the
-- destination without a route, where a REPLACE loses about one lookup in fifty thousand; if the
-- second step fails the first is taken back.
local function swap(self, entry, route)
  local ok, message, code = self.nl.socket:request("route", "append", route)
  if not ok then
    return nil, message, code
  end
  ok, message, code = delete_exactly(self, entry)
  if not ok then
    self.nl.socket:request("route", "del", {
      dst = route.dst, table = route.table, metric = route.metric, family = 4,
      nexthops = route.nexthops,
    })
    return nil, message, code
  end
  return true
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
  if not (route.via or route.dev or route.nexthops or route.nhid) then
    return self.nl.socket:request("route", "del", route)
  end
  local list, message, code = entries(self, route, route.metric and metric_of {
    metric = route.metric, family = request.family })
  if not list then
    return nil, message, code
  end
  local asked = not route.nexthops and canonical_hop(route)
  for _, entry in ipairs(list) do
    if route.nexthops and same_hops(entry, route.nexthops)
      or route.nhid and entry.nhid == route.nhid
      or asked and #hops_of(entry) == 1 and is_hop(entry, asked) then
      return delete_exactly(self, entry)
    end
  end
  for _, entry in ipairs(list) do
    if asked and find_hop(entry, asked) then
      return self:del_nexthop(entry, asked)
    end
  end
  return absent("del", route, asked or nil)
end

-- Codes of a refusal that one hop of several may have caused.
local of_a_hop <const> = {
  ENETUNREACH = true, EHOSTUNREACH = true, EINVAL = true, ENODEV = true, ENETDOWN = true,
}

-- Whether the kernel finds a gateway on a link of its own, without a gateway before it.
local function on_link(nl, hop)
  if not hop.via or hop.onlink then
    return true
  end
  local answer = nl.socket:request("flow", "get", { dst = canonical_hop(hop).via, dev = hop.dev })
  return answer and not answer.via and answer.type == "unicast"
end

-- The kernel does not say which hop of a multipath route it minds; a lookup of each gateway tells.
local function name_hop(nl, route, message, code)
  if of_a_hop[code] and #(route.nexthops or {}) > 1 then
    for i, hop in ipairs(route.nexthops) do
      if not on_link(nl, hop) then
        return (message:gsub("( %(%u+%))$", function(symbol)
          return (": nexthops[%d] %s is not reachable%s"):format(i, hop_text(hop), symbol)
        end))
      end
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

-- The one entry a next hop is added to or taken from.
local function the_entry(self, key, hop, verb)
  local route = type(key) == "string" and { dst = key } or as_table(key, verb)
  local family = route.family
  if not family and (route.dst == nil or route.dst == "default") and hop.via then
    family = hop.via:find(":", 1, true) and 6 or 4
  end
  route = { dst = route.dst or "default", table = route.table, metric = route.metric,
            family = family }
  family = family or rtnl.view("route", route).family
  route.family = family
  local list, message, code = entries(self, route, route.metric and metric_of(route))
  if not list then
    return nil, message, code
  elseif not list[1] then
    return absent(verb, route, hop)
  end
  return list[1]
end

local function check_hop(hop, verb)
  if type(hop) == "string" then
    local parsed, message = rtnl.parse("route", "default nexthop " .. hop)
    hop = parsed and parsed.nexthops[1] or rtnl.throw("route " .. verb .. ": " .. message)
  end
  local six = type(hop) == "table" and type(hop.via) == "string" and hop.via:find ":"
  rtnl.view("route", { family = six and 6 or 4, nexthops = { hop } }) -- raises for wrong fields
  return canonical_hop(hop)
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
  local entry, message, code = the_entry(self, key, hop, "add_nexthop")
  if not entry then
    return nil, message, code
  elseif find_hop(entry, hop) then
    return nil, ("route add_nexthop %s %s: this route has that next hop (EEXIST)")
      :format(entry.dst, hop_text(hop)), "EEXIST"
  end
  if entry.family == 6 and not entry.nhid then
    return self.nl.socket:request("route", "append", with_hops(entry, { hop }))
  end
  local hops = plain_hops(entry)
  hops[#hops + 1] = hop
  return swap(self, entry, with_hops(entry, hops))
end

---Takes one next hop out of a route; with its last one the route goes.
---@param key string|table
---@param hop table|string `{ via, dev }`
---@return true|nil
---@return string? message
---@return string? code # "ESRCH": no such route, or it has no such hop
function methods:del_nexthop(key, hop)
  hop = check_hop(hop, "del_nexthop")
  local entry, message, code = the_entry(self, key, hop, "del_nexthop")
  if not entry then
    return nil, message, code
  end
  local at = find_hop(entry, hop)
  if not at then
    return absent("del_nexthop", entry, hop)
  end
  local hops = plain_hops(entry)
  local gone = table.remove(hops, at)
  if #hops == 0 then
    return delete_exactly(self, entry)
  elseif entry.family == 6 and not entry.nhid then
    return self.nl.socket:request("route", "del", {
      dst = entry.dst, table = entry.table, metric = metric_of(entry), family = 6,
      via = gone.via, dev = gone.dev,
    })
  end
  return swap(self, entry, with_hops(entry, hops))
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
    local message, code
    local key = { dst = route.dst, table = route.table, family = 4 }
    before, message, code = entries(self, key, metric_of(request))
    if not before then
      return nil, message, code
    end
    for i = #before, 2, -1 do -- the kernel refuses a replacement that equals a later entry
      local hops = request.nexthops or { request }
      if same_hops(before[i], hops) then
        local ok
        ok, message, code = delete_exactly(self, table.remove(before, i))
        if not ok then
          return nil, message, code
        end
      end
    end
  end
  local ok, message, code = self.nl.socket:request("route", "replace", route)
  if not ok then
    return nil, name_hop(self.nl, route, message, code), code
  end
  for i = 2, #before do
    ok, message, code = delete_exactly(self, before[i])
    if not ok and code ~= "ESRCH" then
      return nil, message, code
    end
  end
  return true
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
