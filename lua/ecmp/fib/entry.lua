---One entry of the kernel's routing tables: whether it is the one that is meant, and the request
---that deletes it and nothing beside it.

local identity = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"

rtnl.own()

local M = {}

---The hops of a route as a list, whichever way it has them.
---@param route table
---@return table[]
function M.hops(route)
  if route.nexthops then
    return route.nexthops
  end
  return { { via = route.via, dev = route.dev, onlink = route.onlink, encap = route.encap,
             realm = route.realm } }
end

---Whether the kernel makes one IPv6 route of this one and others of its key: of all with gateways.
---@param route table
---@return boolean
function M.joins(route)
  return route.type == "unicast" and not route.nhid and M.hops(route)[1].via ~= nil
end

---The entry of the first key that can have several hops; the first where there is none. In IPv6
---routes by device alone stand beside the one of gateways.
---@param list ecmp.View[]
---@return ecmp.View
function M.that_takes_hops(list)
  for _, by_object in ipairs { false, true } do
    for _, entry in ipairs(list[1].family == 6 and list or {}) do
      if entry.metric == list[1].metric and entry.type == "unicast"
        and (M.joins(entry) or by_object and entry.nhid) then
        return entry
      end
    end
  end
  return list[1]
end

local NOWHERE <const> = { [4] = "0.0.0.0/0", [6] = "::/0" }

---Whether two routes to one destination are for the same packets: of one tos in IPv4, from one
---prefix in IPv6.
---@param entry ecmp.View
---@param route table
---@return boolean
function M.same_packets(entry, route)
  local family = entry.family
  return identity.slot { dst = NOWHERE[family], tos = entry.tos, from = entry.from }
    == identity.slot { dst = NOWHERE[family], tos = route.tos, from = route.from }
end

---A hop in the spelling of views.
---@param hop table
---@return table
function M.canonical_hop(hop)
  local via = hop.via and tostring(hop.via):gsub("^inet6? ", "")
  if via then
    via = rtnl.view("flow", { dst = via }).dst
  end
  return { via = via, dev = hop.dev, weight = hop.weight, onlink = hop.onlink, encap = hop.encap,
           realm = hop.realm }
end

---The hops as a request takes them.
---@param entry table
---@return table[]
function M.plain_hops(entry)
  local hops = {}
  for i, hop in ipairs(M.hops(entry)) do
    local via = hop.via
    if entry.family == 4 and via and via:find(":", 1, true) and not via:find "^inet6 " then
      via = "inet6 " .. via
    end
    hops[i] = { via = via, dev = hop.dev, weight = hop.weight, onlink = hop.onlink,
                encap = hop.encap, realm = hop.realm }
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
local PLACE <const> = {
  dst = true, family = true, table = true, metric = true, nexthops = true, via = true, dev = true,
  onlink = true, encap = true, nhid = true, expires = true, tos = true, from = true,
}
-- What a family takes and does not keep.
local IGNORED <const> = {
  [4] = { pref = true },
  [6] = { scope = true, realm = true },
}

-- Whether a hop is the one asked for: what is left out matches anything.
local function is_hop(hop, asked)
  return (asked.via == nil or hop.via == asked.via) and (asked.dev == nil or hop.dev == asked.dev)
    and (asked.weight == nil or hop.weight == asked.weight or hop.weight == nil)
    and (asked.onlink == nil or same_value(hop.onlink, asked.onlink))
    and (asked.encap == nil or hop.encap ~= nil and same_value(hop.encap, asked.encap))
end

---The place of a hop among those of a route.
---@param route table
---@param asked table canonical; what it leaves out matches anything
---@param taken? table<integer, true> hops that stand for others
---@return integer|nil
function M.find_hop(route, asked, taken)
  for i, hop in ipairs(M.hops(route)) do
    if is_hop(hop, asked) and not (taken and taken[i]) then
      return i
    end
  end
end

---Whether a route has just these hops, in any order.
---@param route table
---@param asked table[]
---@return boolean
function M.same_hops(route, asked)
  local hops = M.hops(route)
  if #hops ~= #asked then
    return false
  end
  local taken = {}
  for _, hop in ipairs(asked) do
    local at = M.find_hop(route, M.canonical_hop(hop), taken)
    if not at then
      return false
    end
    taken[at] = true
  end
  return true
end

---Whether an entry has what a request says beside its hops.
---@param entry table
---@param route table what is asked for
---@param request table the same as a view, in the spelling of views
---@return boolean
function M.has(entry, route, request)
  local ignored = IGNORED[entry.family]
  for key in pairs(route) do
    local any = PLACE[key] or ignored[key] or request[key] == "nowhere" -- to the kernel, any scope
    if not any and not same_value(entry[key], request[key]) then
      return false
    end
  end
  return route.nhid == nil or entry.nhid == route.nhid
end

---Whether an entry is the one asked for, as a whole.
---@param entry table
---@param route table
---@return boolean
function M.is(entry, route)
  if route.nhid then
    return true -- M.has has compared it
  elseif route.nexthops then
    return M.same_hops(entry, route.nexthops)
  elseif #M.hops(entry) > 1 then
    return not (route.via or route.dev)
  end
  return is_hop(M.hops(entry)[1], M.canonical_hop(route))
end

-- How it is deleted -------------------------------------------------------------------------------

-- Scopes too narrow for a route that has a gateway.
local NARROW <const> = { link = true, host = true }

-- An entry as a table for a request: a view of it, or its canonical form.
local function copy_of(entry)
  if rtnl.is_view(entry) then
    return entry:copy()
  end
  local route = identity.plain(entry)
  for _, key in ipairs { "table", "metric", "type", "scope" } do
    route[key] = entry[key] -- what goes without saying is said, too
  end
  route.separate = nil -- the mark is ours, not the kernel's
  return route
end

---A route of the kernel with other hops.
---@param entry ecmp.View|table a view, or canonical
---@param hops table[]
---@return table
function M.with_hops(entry, hops)
  local route = copy_of(entry)
  route.nexthops = M.plain_hops { family = entry.family, nexthops = hops }
  route.via, route.dev, route.encap, route.nhid, route.onlink = nil, nil, nil, nil, nil
  route.realm = nil -- each hop has its own
  for _, hop in ipairs(hops) do
    if hop.via and NARROW[route.scope] then
      route.scope = nil
    end
  end
  return route
end

---The request that deletes an entry. By gateway the kernel would take a whole IPv4 multipath route
---(if it is its first hop) or nothing, and without a metric any metric; by the list of next hops in
---stored order it takes this entry.
---@param entry ecmp.View|table a view, or canonical
---@param hidden? boolean whether the kernel finds another entry first
---@return table
function M.deletion(entry, hidden)
  local hops = M.hops(entry)
  local first = hops[1] or {}
  if entry.family == 4 and not entry.nhid and (first.via or first.dev)
    and entry.type == "unicast" then
    return M.with_hops(entry, hops)
  end
  if entry.family == 4 and entry.nhid then
    local route = identity.by_object(copy_of(entry))
    route.type = nil -- is the object's
    return route
  end
  local route = {
    dst = entry.dst, table = entry.table, metric = entry.metric, family = entry.family,
    proto = entry.proto, tos = entry.tos, from = entry.from, nhid = entry.nhid,
    type = not entry.nhid and entry.type or nil,
    scope = entry.family == 4 and entry.scope or nil,
  }
  if entry.family == 6 and not entry.nhid then
    if #hops <= 1 then
      route.via, route.dev = first.via, first.dev
    elseif hidden then
      route.nexthops = M.plain_hops(entry) -- goes hop by hop, but without what stands before it
      route.proto = nil -- each hop may have one of its own
    end
  end
  return route
end

---The request that deletes an entry of a place where no other is left: the view itself, but for
---routes by objects, which are named by nothing else, and for IPv6 routes of several hops, which go
---at once when none is named.
---@param entry ecmp.View
---@return ecmp.View|table
function M.removal(entry)
  local hops = entry.family == 6 and entry.nexthops
  return (entry.nhid or hops and #hops > 1) and M.deletion(entry) or entry
end

-- Whether the hops of an entry are the first of another's, which is what the kernel compares in
-- IPv4; what a hop does not name matches anything.
local function begins(before, entry)
  local hops = M.hops(entry)
  for i, hop in ipairs(M.hops(before)) do
    local asked = hops[i]
    if not asked or asked.via and asked.via ~= hop.via or asked.dev and asked.dev ~= hop.dev then
      return false
    end
  end
  return true
end

-- IPv6: a route by an object is found whatever hop is named.
local function hides6(before, hops)
  return before.nhid ~= nil or #hops > 1
    or M.find_hop(before, { via = hops[1].via, dev = hops[1].dev }) ~= nil
end

-- What the kernel says of a route and compares with nothing; and our mark.
local FLAGS <const> = {
  dead = true, linkdown = true, offload = true, trap = true, unresolved = true, rt_offload = true,
  rt_trap = true, separate = true,
}

-- IPv4: what the request names is compared, metrics with it. What a route does not say that is yet
-- to be made may be anything.
local function hides4(before, entry)
  local made = rtnl.is_view(before)
  for key, value in pairs(entry) do
    local known = made or before[key] ~= nil
    local compared = known and not PLACE[key] and not FLAGS[key]
    if compared and not same_value(before[key], value) then
      return false
    end
  end
  if entry.nhid then
    return before.nhid == entry.nhid
  end
  return before.tos == entry.tos and (before.nhid == nil or entry.type ~= "unicast")
    and begins(before, entry)
end

---The entry that the kernel would find before this one, or before one hop of it.
---@param list (ecmp.View|table)[] all of the destination, in the kernel's order
---@param entry ecmp.View|table one of them
---@param hop? table
---@return ecmp.View|table|nil
---@return integer? place of it in the list
function M.hidden_by(list, entry, hop)
  for place, before in ipairs(list) do
    local found
    if rawequal(before, entry) then
      return nil
    elseif before.metric == entry.metric and before.from == entry.from then
      found = entry.family == 4 and hides4(before, entry)
        or entry.family == 6 and not entry.nhid
        and hides6(before, hop and { hop } or M.hops(entry))
    end
    if found then
      return before, place
    end
  end
end

---What entries have in common that the kernel may take for each other, as text.
---@param entry ecmp.View
---@return string
function M.slot(entry)
  return (identity.slot(entry))
end

return M
