---CNI route objects: `{ dst, gw, gws, nexthops, priority, table, scope, mtu, advmss }`.
--
-- Three spellings of the way out are understood. `gw` is the specification's; `gws`, a list of
-- addresses, is the form proposed to it; `nexthops`, a list of `{ gw, dev, weight, onlink }`, is
-- ours. A route's next hops are `nexthops` in order, then `gws`, then `gw`, each only if it is not
-- among them yet. A route that says `gws` or `nexthops` is explicit: one multipath route, whatever
-- the rule.
--
-- In a result a multipath route is written for consumers that know `gw` alone (`M.write`):
--
--   "routes"  one route per hop, `{ dst, gw = HOP, ... }`
--   "gws"     one route, `{ dst, gw = FIRST, gws = { ... }, ... }`
--
-- What neither form can say (weights, devices, onlink, a hop without gateway) goes along under a
-- key that others ignore: each of these routes then also has the whole list under `nexthops`.
-- `M.gather` puts such routes together again.
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local schema = require "ecmp.cni.schema"

local M = {}

local MISTAKE <const> = 7
local U32 <const> = 0xFFFFFFFF

local hop <const> = schema.record {
  { "gw", schema.address },
  { "dev", schema.interface },
  { "weight", schema.integer(1, 256) },
  { "onlink", schema.boolean },
}

local function fields(integers)
  return schema.record {
    { "dst", schema.prefix, required = true },
    { "gw", schema.address },
    { "gws", schema.list(schema.address) },
    { "nexthops", schema.list(hop) },
    { "priority", integers(0, U32) },
    { "table", integers(0, U32) },
    { "scope", integers(0, 255) },
    -- The kernel lowers larger values without a word, and CHECK would find something else.
    { "mtu", integers(0, 65520) },
    { "advmss", integers(0, 65495) },
  }
end

local strict <const> = fields(schema.integer)
-- Other plugins' results are handed on; what they mean by their numbers is theirs.
local lenient <const> = fields(function() return schema.integer() end)

local function is_empty(list)
  return list == nil or #list == 0
end

---Whether the route says `gws` or `nexthops`.
---@param route table a checked route
---@return boolean
function M.is_explicit(route)
  return not (is_empty(route.gws) and is_empty(route.nexthops))
end

-- As a gateway, the unspecified address says that there is none.
local NOWHERE <const> = { ["0.0.0.0"] = true, ["::"] = true }

---A gateway, or nil where it is the unspecified address, which says that there is none.
---@param gw? string canonical text
---@return string?
function M.gateway(gw)
  return not NOWHERE[gw] and gw or nil
end

local function hop_name(one)
  return (one.gw or "") .. "%" .. (one.dev or "")
end

---The next hops of a checked route, duplicates dropped; empty where it names none.
---@param route table
---@return table[] hops `{ gw?, dev?, weight?, onlink? }`
function M.hops(route)
  local hops <const>, seen <const>, gateways <const> = {}, {}, {}
  local function add(one)
    if NOWHERE[one.gw] then
      one = { dev = one.dev, weight = one.weight, onlink = one.onlink }
    end
    local name <const> = hop_name(one)
    if seen[name] then return end
    seen[name] = true
    if one.gw then gateways[one.gw] = true end
    hops[#hops + 1] = one
  end
  for _, one in ipairs(route.nexthops or {}) do add(one) end
  for _, gw in ipairs(route.gws or {}) do
    if not gateways[gw] then add { gw = gw } end
  end
  if route.gw and not gateways[route.gw] then add { gw = route.gw } end
  return hops
end

---Every gateway of a route with the path to name it by.
local function gateways(route, path)
  local list <const> = {}
  local function add(address, key, ...)
    if address then list[#list + 1] = { address, (path .. key):format(...) } end
  end
  add(route.gw, ".gw")
  for i, address in ipairs(route.gws or {}) do add(address, ".gws[%d]", i - 1) end
  for i, one in ipairs(route.nexthops or {}) do add(one.gw, ".nexthops[%d].gw", i - 1) end
  return list
end

local function check_families(route, path)
  local family <const> = ip.parse(route.dst):family()
  for _, entry in ipairs(gateways(route, path)) do
    if ip.parse(entry[1]):family() ~= family then
      return nil, ("%s: %s is no IPv%d address, but the destination %s is IPv%d")
        :format(entry[2], entry[1], family, route.dst, family)
    end
  end
  return true
end

---One hop listed twice is one hop, unless the two disagree.
local function check_hops(route, path)
  local seen <const> = {}
  for i, one in ipairs(route.nexthops or {}) do
    local where <const> = ("%s.nexthops[%d]"):format(path, i - 1)
    local first <const> = seen[hop_name(one)]
    if not one.gw and not one.dev then
      return nil, where .. ": must have a gw or a dev"
    end
    if first and ((first.weight or 1) ~= (one.weight or 1)
      or (first.onlink or false) ~= (one.onlink or false)) then
      return nil, ("%s: %s is listed before with another weight or onlink")
        :format(where, one.gw or one.dev)
    end
    seen[hop_name(one)] = one
  end
  return true
end

-- Words of `ip route` that a CNI route object has no meaning for: who writes them means something.
local UNHEEDED <const> = {
  { "type", "only unicast routes can be made" },
  { "src", "a preferred source address cannot be chosen" },
  { "onlink", "say it of a hop: \"nexthops\": [ { \"gw\": ..., \"onlink\": true } ]" },
}

-- The table of the host's own addresses, which the kernel fills.
local LOCAL <const> = 255

local function unheeded(route, path, report)
  for _, row in ipairs(UNHEEDED) do
    local key <const>, instead <const> = row[1], row[2]
    local value <const> = json.get(route, key)
    local is_plain <const> = value == nil or value == false
      or key == "type" and value == "unicast"
    if not is_plain then report(("%s.%s"):format(path, key), "is not heeded here; " .. instead) end
  end
end

---Finds keys of a route that do not mean what they seem to. By a reference
---plugin's name it is taken as that one takes it, by one of ours it is refused.
---@param route table a checked route
---@param path string "ipam.routes[0]"
---@return table[] findings `{ key, message }`
function M.findings(route, path)
  local findings <const> = {}
  local function report(key, message) findings[#findings + 1] = { key = key, message = message } end
  unheeded(route, path, report)
  for _, entry in ipairs(gateways(route, path)) do
    if NOWHERE[entry[1]] then
      report(entry[2], entry[1] .. " is no gateway; a route by the device alone has \"scope\": 253")
    end
  end
  if route.table == LOCAL then
    report(path .. ".table", "255 is the kernel's own, of the addresses of this host")
  end
  return findings
end

---Refuses routes of a configuration that mean something else than they seem to.
---@param routes table[] checked routes
---@param path string "ipam.routes"
---@return true? ok, string? message, integer? code  nil, message, 7
function M.refuse_findings(routes, path)
  for i, route in ipairs(routes) do
    local first <const> = M.findings(route, ("%s[%d]"):format(path, i - 1))[1]
    if first then return nil, ("%s: %s"):format(first.key, first.message), MISTAKE end
  end
  return true
end

-- An empty list says nothing.
local function drop_empty(route)
  if is_empty(route.gws) then route.gws = nil end
  if is_empty(route.nexthops) then route.nexthops = nil end
  return route
end

---Checks one route object of a configuration, as a check of `ecmp.cni.schema`.
---@param value any decoded JSON
---@param path string what to call it in messages: "ipam.routes[1]"
---@return table? route canonical text, known keys exact, unknown keys kept
---@return string? message, integer? code  nil, message, 7
function M.check(value, path)
  local route, message = strict(value, path)
  local ok = route
  if ok then ok, message = check_families(route, path) end
  if ok then ok, message = check_hops(route, path) end
  if not ok then return nil, message, MISTAKE end
  return drop_empty(route)
end
schema.as({ like = strict }, M.check)

---Checks a route object of a result: types and addresses, not what the numbers mean.
---@param value any
---@param path string
---@return table? route, string? message
function M.check_result(value, path)
  local route <const>, message <const> = lenient(value, path)
  if not route then return nil, message end
  return drop_empty(route)
end

---Checks the routes of a configuration; nothing at all is an empty list.
---@param value any decoded JSON, or nil
---@param path string "ipam.routes"
---@return table[]? routes, string? message, integer? code  nil, message, 7
function M.list(value, path)
  if value == nil then return json.array() end
  local routes <const>, message <const> = schema.list(M.check)(value, path)
  if not routes then return nil, message, MISTAKE end
  return routes
end
schema.as({ like = schema.list(M.check) }, M.list)

-- Results --------------------------------------------------------------------------------------

---A copy with another way out.
local function with_way(route, gw, gws, nexthops)
  local copy <const> = {}
  for key, value in next, route do copy[key] = value end
  copy.gw, copy.gws, copy.nexthops = gw, gws, nexthops
  return setmetatable(copy, getmetatable(route))
end

---The hops, where a list of gateways cannot say what they are.
local function inexpressible(hops)
  for _, one in ipairs(hops) do
    if not one.gw or one.dev or one.onlink or (one.weight or 1) ~= 1 then return hops end
  end
end

local function write_routes(route, hops, written)
  for _, one in ipairs(hops) do
    written[#written + 1] = with_way(route, one.gw, nil, inexpressible(hops))
  end
end

local function write_gws(route, hops, written)
  local gws <const> = json.array()
  for _, one in ipairs(hops) do gws[#gws + 1] = one.gw end
  -- A single gateway needs no list.
  local list <const> = #hops > 1 and #gws > 0 and gws or nil
  written[#written + 1] = with_way(route, gws[1], list, inexpressible(hops))
end

local writers <const> = { routes = write_routes, gws = write_gws }

---Writes multipath routes in one of the two forms for a result; other routes stay as they are.
---@param routes table[] checked routes
---@param form? string "routes" (default) or "gws"
---@return table[] routes a new list
function M.write(routes, form)
  local written <const> = json.array()
  for _, route in ipairs(routes) do
    if M.is_explicit(route) then
      writers[form or "routes"](route, M.hops(route), written)
    else
      written[#written + 1] = route
    end
  end
  return written
end

---What two routes must share to be parts of one that was written hop by hop.
local function part_key(route)
  local whole <const> = with_way(route, nil, nil, route.nexthops)
  return json.encode(whole)
end

---Puts routes together again that `write` took apart, where `nexthops` tells that they were one;
---the first stands for all. Routes without `nexthops` stay as listed.
---@param routes table[] checked routes
---@return table[] routes a new list
function M.gather(routes)
  local gathered <const>, seen <const> = json.array(), {}
  for _, route in ipairs(routes) do
    local key <const> = route.nexthops and part_key(route)
    if not key or not seen[key] then
      gathered[#gathered + 1] = key and with_way(route, nil, nil, route.nexthops) or route
    end
    if key then seen[key] = true end
  end
  return gathered
end

return M
