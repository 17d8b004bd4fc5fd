---Models the entries that one routing table key holds, and what requests do to them, by family.
--
-- A key is a prefix in a table at a metric, for IPv4 of one tos, for IPv6 from one prefix. What it
-- holds, in the kernel's order, as spec/fib_spec.lua compares it with the kernel:
--
--   IPv4  An ordered list, of which the first takes all traffic. Nothing joins; a replace is of the
--         first. A request to delete names type, scope, protocol, source, metrics and the first
--         hops, and takes the first entry that has these.
--   IPv6  One route of all hops with a gateway (they join), and beside it routes by device alone,
--         by next-hop objects, and to nowhere. A replace is of the first that joins or of the first
--         that does not, as its route does. A request to delete names device, gateway and
--         protocol; a route by an object has any device and gateway.
local nexthop = require "ecmp.fib.nexthop"
local route_of = require "ecmp.fib.route"

local M = {}

---RTA_PROTOCOL value of an entry that is to be told apart from another for a moment: nobody else's,
---we assume.
M.MARK = 249

---@class ecmp.Entries a list of Routes of one key, in the kernel's order
---@field family integer
local V4 <const> = { __name = "ecmp.Entries", family = 4 }
local V6 <const> = { __name = "ecmp.Entries", family = 6 }
V4.__index, V6.__index = V4, V6

---The class of Entries of each family.
M.class = { [4] = V4, [6] = V6 }

---Makes Entries of Routes of one key.
---@param list ecmp.RouteValue[] in the kernel's order
---@param family integer
---@return ecmp.Entries
function M.new(list, family)
  return setmetatable(table.move(list, 1, #list, 1, {}), family == 6 and V6 or V4)
end

-- Both families -----------------------------------------------------------------------------------

local common <const> = {}

---The place of the first entry that can stay for a wanted route.
---@param want ecmp.RouteValue
---@param exactly? boolean
---@return integer?
function common:find(want, exactly)
  for i = 1, #self do
    if route_of.fits(self[i], want, exactly) then return i end
  end
end

---What is there and not wanted, and what is wanted and not there.
---@param want ecmp.RouteValue[]
---@param exactly? boolean
---@return ecmp.Entries superfluous, ecmp.RouteValue[] missing
---@return table<ecmp.RouteValue, ecmp.RouteValue> kept by the wanted route, the entry that can stay
function common:difference(want, exactly)
  local left <const>, missing <const>, kept <const> = M.new(self, self.family), {}, {}
  for _, route in ipairs(want) do
    local i <const> = left:find(route, exactly)
    if i then kept[route] = table.remove(left, i) else missing[#missing + 1] = route end
  end
  return left, missing, kept
end

---The entries without the one at a place.
---@param i integer
---@return ecmp.Entries
function common:without(i)
  local rest <const> = M.new(self, self.family)
  table.remove(rest, i)
  return rest
end

local function with(self, i, route, instead)
  local new <const> = M.new(self, self.family)
  if instead then new[i] = route else table.insert(new, i, route) end
  return new
end

-- A route with other hops, those of its own object left.
local function with_hops(entry, hops)
  if #hops == 1 and hops[1].weight ~= 1 then
    -- No dump would show it, and beside the same route without it stood two that look alike.
    hops = { nexthop.plain(hops[1]) }
    hops[1].weight = 1
  end
  local narrow <const> = entry.scope == "link" or entry.scope == "host"
  local gateway = false
  for _, hop in ipairs(hops) do gateway = gateway or hop.via ~= nil end
  -- A hop of a list has its own realm, and a gateway needs a scope that is wide enough.
  local route <const> = route_of.with(entry, {
    nexthops = hops, scope = narrow and gateway and "global" or entry.scope,
  })
  route.nhid, route.realm, route.separate = nil, nil, nil
  return route
end

M.with_hops = with_hops

---A request for a route with other hops, written out as a list.
---@param entry ecmp.RouteValue
---@param hops table[] canonical
---@return table request
function M.request_with_hops(entry, hops)
  local request <const>, list <const> = route_of.plain(with_hops(entry, hops)), {}
  for i, hop in ipairs(hops) do list[i] = nexthop.plain(hop) end
  request.nexthops, request.separate = list, nil
  request.via, request.dev, request.encap, request.onlink = nil, nil, nil, nil
  return request
end

local IN_FULL <const> = { "dst", "family", "tos", "table", "metric", "type", "scope" }

-- A request that says everything, what goes without saying too, but for the hops.
local function in_full(entry)
  local request <const> = route_of.attributes(entry)
  for i = 1, #IN_FULL do request[IN_FULL[i]] = entry[IN_FULL[i]] end
  return request
end

-- What names an entry beside its hops.
local function named(entry)
  return {
    dst = entry.dst, table = entry.table, metric = entry.metric, family = entry.family,
    proto = entry.proto, tos = entry.tos, from = entry.from, nhid = entry.nhid,
    type = not entry.nhid and entry.type or nil,
    scope = entry.family == 4 and entry.scope or nil,
  }
end

-- Whether a view of the kernel's, sent back, deletes what it shows and nothing else. One that
-- leaves its table or type out was made by a script, and says less than it seems to.
local function deletes_itself(view)
  return view.nhid == nil and (view.family == 4 or view.dev ~= nil)
    and view.table ~= nil and view.type ~= nil
end

---The request that deletes an entry where nothing that stands before it is taken for it.
---
--- By gateway the kernel would take a whole IPv4 multipath route (if it is its first hop) or
--- nothing, and without a metric any metric; by the list of next hops in stored order it takes this
--- entry.
---@param entry ecmp.RouteValue|ecmp.View|table
---@param by_hops? boolean name all hops of an IPv6 route, which go one by one then: something may
---stand before it
---@return table|ecmp.View request
function M.deletion(entry, by_hops)
  if type(entry) == "userdata" and deletes_itself(entry) then return entry end
  entry = assert(route_of.held(entry))
  local hops <const> = entry.nexthops
  if entry.family == 4 then
    if not entry.nhid and hops[1] and entry.type ~= "unicast" then return named(entry) end
    local request <const> = in_full(entry)
    if not entry.nhid and not hops[1] then return request end -- no metrics would be any
    if entry.nhid then
      request.type = nil -- is the object's
    else
      request.nexthops, request.realm = hops, nil -- a hop of a list has its own
    end
    return request
  end
  local request <const> = named(entry)
  if entry.nhid then return request end
  if #hops == 1 then
    request.via, request.dev = hops[1].via, hops[1].dev
  elseif by_hops and hops[1] then
    request.nexthops = hops
    request.proto = nil -- each hop may have one of its own
  end
  return request
end

---The requests that delete the entry at a place and nothing beside it.
---@param i integer
---@param by_hops? boolean as of `deletion` above: these may not be all entries of the key
---@return table[][]? sends requests that may travel at once, one list after the other; nil where
---the kernel cannot be told which entry is meant
---@return table? back the request that takes the first one back, should another be refused
function common:deletion(i, by_hops)
  if not self:hidden_by(i) then return { { { "route del", M.deletion(self[i], by_hops) } } } end
  return self:deletion_of_hidden(i)
end

-- IPv4 --------------------------------------------------------------------------------------------

---Whether the kernel makes one route of this one and others of its key.
function V4.joins()
  return false
end

-- Is no attribute, or is compared with the hops or the key.
local NO_ATTRIBUTE <const> = {
  dst = true, family = true, table = true, metric = true, nexthops = true, nhid = true,
  expires = true, tos = true, from = true, separate = true, any_scope = true, realm = true,
}

-- Whether the request that deletes `entry` fits `before`, too. What a route does not say that is
-- yet to be made may be anything.
local function hides4(before, entry)
  for key, value in pairs(entry) do
    local known <const> = route_of.is_held(before) or before[key] ~= nil
    if known and not NO_ATTRIBUTE[key] and not nexthop.equal(before[key], value) then
      return false
    end
  end
  if entry.nhid then return before.nhid == entry.nhid end
  return (before.nhid == nil or entry.type ~= "unicast")
    and (entry.type ~= "unicast" or nexthop.begin(before.nexthops, entry.nexthops))
end

---The place of the entry that the kernel would find in place of another.
---@param i integer
---@return integer?
function V4:hidden_by(i)
  for k = 1, i - 1 do
    if hides4(self[k], self[i]) then return k end
  end
end

-- The ways of IPv6 are not needed: what hides an entry can go before it and come back behind it.
function V4.deletion_of_hidden()
  return nil
end

---Whether the kernel takes two routes for one: the order of hops counts, and each attribute.
---@param a ecmp.RouteValue
---@param b ecmp.RouteValue
---@return boolean
function V4.same(a, b)
  if not route_of.fits(a, b, true) or #a.nexthops ~= #b.nexthops then return false end
  for k, hop in ipairs(a.nexthops) do
    if not nexthop.same_way(hop, b.nexthops[k]) then return false end
  end
  return true
end

---What a request makes of the entries.
---@param verb "add"|"append"|"create"|"replace"
---@param route ecmp.RouteValue
---@return ecmp.Entries? after, string? code
function V4:after(verb, route)
  if verb == "add" and self[1] then return nil, "EEXIST" end
  for i, entry in ipairs(self) do
    if V4.same(entry, route) then
      if verb == "replace" and i == 1 then return self end
      return nil, "EEXIST"
    end
  end
  if verb == "replace" and self[1] then return with(self, 1, route, true) end
  return with(self, verb == "append" and #self + 1 or 1, route)
end

-- IPv6 --------------------------------------------------------------------------------------------

---Whether the kernel makes one route of this one and others of its key: of all with gateways.
---@param route ecmp.RouteValue
---@return boolean
function V6.joins(route)
  if route.type ~= "unicast" or route.nhid or not route.nexthops[1] then return false end
  for _, hop in ipairs(route.nexthops) do
    if not hop.via then return false end
  end
  return true
end

local joins <const> = V6.joins

---Whether two routes are one, whatever the order of hops.
---@param a ecmp.RouteValue
---@param b ecmp.RouteValue
---@return boolean
function V6.same(a, b)
  return route_of.fits(a, b, true)
end

---The place of the first entry that joins others, or of the first that does not.
---@param joining boolean
---@return integer?
function V6:first(joining)
  for i, entry in ipairs(self) do
    if joins(entry) == joining then return i end
  end
end

-- The device by which the kernel finds a route that has no gateway: those to nowhere lie on the
-- loopback.
local function device_of(route)
  local hop <const> = route.nexthops[1]
  return hop and hop.dev or not hop and "lo" or nil
end

-- Whether an entry may be found by a hop; one whose device is not known may leave by any.
local function has_hop(entry, via, dev)
  if entry.nhid then return true end
  if not entry.nexthops[1] then return via == nil and dev == "lo" end
  for _, hop in ipairs(entry.nexthops) do
    if (via == nil or hop.via == via) and (dev == nil or hop.dev == nil or hop.dev == dev) then
      return true
    end
  end
  return false
end

---The place of the entry that the kernel would find in place of another. One of several hops is
---named by its key alone, so that any is taken for it.
---@param i integer
---@return integer?
function V6:hidden_by(i)
  local entry <const> = self[i]
  if entry.nhid then return nil end
  local hops <const> = entry.nexthops
  local hop <const> = hops[1] or { dev = "lo" }
  for k = 1, i - 1 do
    if #hops > 1 or has_hop(self[k], hop.via, hop.dev) then return k end
  end
end

---Whether the kernel would find another entry by a hop of this one.
---@param i integer
---@param hop table
---@return boolean
function V6:hides_hop(i, hop)
  for k = 1, i - 1 do
    if has_hop(self[k], hop.via, hop.dev) then return true end
  end
  return false
end

local function any_hop_hidden(self, i)
  for _, hop in ipairs(self[i].nexthops) do
    if self:hides_hop(i, hop) then return true end
  end
  return false
end

local function change_to(entry)
  return { "route change", route_of.request(entry) }
end

local function marked(entry)
  return route_of.with(entry, { proto = M.MARK })
end

-- Replaced in its place by itself with a protocol of its own, an entry is found by that. Both
-- requests go to the kernel at once, so that nothing comes between and none is left marked.
local function delete_marked(self, i)
  local entry <const> = self[i]
  return { {
    change_to(marked(entry)),
    { "route del", {
      dst = entry.dst, table = entry.table, metric = entry.metric, family = 6, from = entry.from,
      dev = not joins(entry) and device_of(entry) or nil, proto = M.MARK,
    } },
  } }, change_to(entry)
end

-- The same the other way round: what is found first is marked while the entry goes by its own
-- protocol.
local function delete_behind(self, i, hider)
  local entry <const> = self[i]
  return { { change_to(marked(self[hider])) },
    { { "route del", M.deletion(entry) }, change_to(self[hider]) } }, change_to(self[hider])
end

-- Whether the entry at `hider` alone keeps the one at `i` from being found.
local function hides_alone(self, hider, i)
  local rest <const> = self:without(hider)
  return not rest:hidden_by(i - 1)
end

function V6:deletion_of_hidden(i)
  local entry <const>, hider <const> = self[i], self:hidden_by(i)
  if joins(entry) and not any_hop_hidden(self, i) then
    return { { { "route del", M.deletion(entry, true) } } }
  end
  if self:first(joins(entry)) == i then return delete_marked(self, i) end
  if not joins(entry) and not joins(self[hider]) and self:first(false) == hider
    and hides_alone(self, hider, i) then
    return delete_behind(self, i, hider)
  end
end

---Whether the kernel takes a new route for one that is there: of those that do not join it looks at
---the device alone.
---@param route ecmp.RouteValue
---@return boolean
function V6:takes(route)
  for _, other in ipairs(joins(route) and {} or self) do
    if not joins(other) and (route.nhid or other.nhid) then
      if route.nhid == other.nhid then return true end
    elseif not joins(other) and device_of(other) == device_of(route) then
      return true
    end
  end
  return false
end

local function join(group, route)
  local hops <const> = table.move(group.nexthops, 1, #group.nexthops, 1, {})
  for _, hop in ipairs(route.nexthops) do
    for _, other in ipairs(group.nexthops) do
      if nexthop.same_way(hop, other) then return nil end
    end
    hops[#hops + 1] = hop
  end
  return route_of.with(group, { nexthops = hops })
end

---What a request makes of the entries. Hops that join a route stand at the end, and no dump lists
---what is between them and those before: nothing may stand behind it.
---@param verb "add"|"append"|"create"|"replace"
---@param route ecmp.RouteValue
---@return ecmp.Entries? after, string? code
function V6:after(verb, route)
  if verb == "add" and self[1] then return nil, "EEXIST" end
  if verb == "replace" and self[1] then
    return with(self, self:first(joins(route)) or 1, route, true)
  end
  if self:takes(route) then return nil, "EEXIST" end
  local at <const> = joins(route) and self:first(true)
  if not at then return with(self, #self + 1, route) end
  local group <const> = join(self[at], route)
  if not group then return nil, "EEXIST" end
  return with(self, at, group, true)
end

for name, method in pairs(common) do
  V4[name], V6[name] = method, method
end

return M
