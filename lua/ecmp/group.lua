---Which routes belong together, and what they become when they are joined.
--
-- What makes two routes the same, in either family, is the subject of ecmp.fib.route, whose
-- functions are offered here too: a script needs one module.
local hop = require "ecmp.fib.nexthop"
local identity = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"

local M = {
  canonical = identity.canonical, held = identity.held, plain = identity.plain,
  key = identity.key, slot = identity.slot, same = identity.same, matches = identity.matches,
  text = identity.text, without_texts = identity.without_texts, hop_text = hop.text,
  MAX_HOPS = hop.MAX_HOPS,
}

local MISTAKE <const> = "EINVAL"

-- Routes of one group may differ in these: they are about who made the route, not where packets go.
local FREE <const> = { proto = true }

local function refuse(message, ...)
  return nil, message:format(...), MISTAKE
end

-- How a field reads whatever way a route spells it; other fields read as they are.
local function canonical_field(name)
  return function(route)
    local canonical <const> = identity.held(route)
    return canonical and canonical[name]
  end
end

local NORMAL <const> = {}
for _, name in ipairs { "dst", "family", "table", "metric", "scope", "type" } do
  NORMAL[name] = canonical_field(name)
end

---The routes of one key, in the order listed; beside them what all of them say of a field.
---@class ecmp.Group
---@field dst? string
---@field family? integer
---@field table? integer
---@field metric? integer
---@field type? string
---@field scope? string|integer
local Group <const> = { __name = "ecmp.group" }

---What all routes of a group say of a field; looked up when asked, as most fields never are.
function Group.__index(group, field)
  if type(field) ~= "string" or not group[1] then return nil end
  local normal <const> = NORMAL[field] or function(route) return route[field] end
  local value <const> = normal(group[1])
  for i = 2, #group do
    if not hop.equal(normal(group[i]), value) then return nil end
  end
  return value
end

---Makes a group of a list of routes: the list itself, with the fields they share beside it.
---@param routes table[]
---@return table group
function M.new(routes)
  return setmetatable(routes, Group)
end

---One text for what a key function returned: nothing, a value, or a list of values.
local function custom_key(value, route, family)
  if value == nil then value = identity.key(route) end
  if type(value) ~= "table" then value = { value } end
  local parts <const> = { family }
  for i = 1, #value do
    if type(value[i]) == "table" then
      error(("key: a list of values is due here; [%d] is a table"):format(i), 0)
    end
    local part <const> = tostring(value[i])
    parts[i + 1] = ("%s %d %s"):format(type(value[i]), #part, part)
  end
  return table.concat(parts, "\n")
end

---Sorts routes into groups, in the order their first routes are listed; linear.
---@param routes (table|string)[] routes, views, or words as `ip route add` takes them
---@param key? fun(route: table): any routes with equal keys form a group: nil (the stock key), a
---value, or a list of values; groups never mix families
---@return table[]? groups, string? message, string? code nil, message, "EINVAL" where
---a dst is no prefix
function M.group(routes, key)
  local plain <const> = not key and type(routes) == "table" and rtnl.group(routes, Group)
  if plain then return plain end
  local read <const>, message, code = identity.without_texts(routes)
  if not read then return nil, message, code end
  if read ~= routes then return M.group(read, key) end
  local groups <const>, index <const> = {}, {}
  local count = 0
  for i = 1, #routes do
    local route <const> = routes[i]
    if type(route) ~= "table" and not rtnl.is_view(route) then
      error(("[%d]: a route is a table or text, not a %s"):format(i, type(route)), 2)
    end
    local name, family = identity.key(route)
    if not name then return refuse("[%d].%s", i, family) end
    if key then name = custom_key(key(route), route, family) end
    local group <const> = index[name]
    if group then
      group[#group + 1] = route
    else
      count = count + 1
      groups[count] = setmetatable({ route }, Group)
      index[name] = groups[count]
    end
  end
  return groups
end

---The first field in which two routes that are to become one differ.
---@param a table canonical
---@param b table canonical
---@param first table the route `a` was made from
---@param second table the route `b` was made from
---@return string? field
local function conflict(a, b, first, second)
  for _, field in ipairs { "dst", "table", "type", "tos", "scope", "metric" } do
    if a[field] ~= b[field] then return field end
  end
  -- IPv6 has no scopes, but whoever wrote two different ones did not mean one route.
  local one <const>, other <const> = { scope = first.scope or 0 }, { scope = second.scope or 0 }
  if a.family == 6 and identity.scope(one) ~= identity.scope(other) then return "scope" end
  local mine <const>, theirs <const> = identity.attributes(a), identity.attributes(b)
  for _, side in ipairs { mine, theirs } do
    for field in pairs(side) do
      if not FREE[field] and not hop.equal(mine[field], theirs[field]) then return field end
    end
  end
end

---Joins the routes of a group into one canonical route that has all their hops.
---
--- What is not a hop must agree, else a packet's fate would depend on the hop it takes: IPv6 routes
--- that differ in scope alone are one key to the kernel and two to whoever wrote them.
---@param routes table[] a group
---@return table? canonical, string? message, string? code nil, message naming the field, "EINVAL"
function M.join(routes)
  local joined, message, code = identity.canonical(routes[1])
  if not joined then return nil, ("[1].%s"):format(message), code end
  if #routes == 1 then return joined end
  local hops <const> = joined.nexthops
  for i = 2, #routes do
    local route
    route, message, code = identity.canonical(routes[i])
    if not route then return nil, ("[%d].%s"):format(i, message), code end
    local differs <const> = conflict(joined, route, routes[1], routes[i])
    if differs then
      return refuse("%s: the routes to %s differ (%s and %s)", differs, joined.dst,
        hop.value_text(differs, routes[1][differs]), hop.value_text(differs, routes[i][differs]))
    end
    table.move(route.nexthops, 1, #route.nexthops, #hops + 1, hops)
  end
  local kept
  kept, message, code = hop.fit(hops, joined.family)
  if not kept then return nil, ("%s: %s"):format(joined.dst, message), code end
  joined.nexthops = kept
  return joined
end

return M
