---Reads routes in the words of `ip -j route`, as ecmp.nl.json and `ecmp show --json` write them.
--
-- What `ip -j` leaves out: a scope of global, protocol boot, and which metrics are locked (`lock`
-- among the metrics is ours). It has one object for a route and its encapsulation, in which it
-- writes a name twice that both have: such fields of an encapsulation are read as `encap_dst` and
-- the like, and what only ip wrote is refused where the one has taken the place of the other.
local json = require "ecmp.json"
local nexthop = require "ecmp.fib.nexthop"
local rtnl = require "ecmp.rtnl"

local M = {}

-- Fields of encapsulations that a route has, too.
local OF_BOTH <const> = { dst = true, iif = true, table = true, tos = true }

---The name of a field of an encapsulation among the fields of its route.
---@param key string
---@return string
function M.encap_name(key)
  return OF_BOTH[key] and "encap_" .. key or key
end

local FIELDS <const> = {
  type = "type", dst = "dst", from = "from", nhid = "nhid", tos = "tos", dev = "dev",
  protocol = "proto", scope = "scope", prefsrc = "src", metric = "metric", expires = "expires",
  pref = "pref", table = "table", gateway = "via", weight = "weight",
}
-- What is read apart, or is the kernel's to say.
local APART <const> = {
  via = true, flags = true, flow = true, metrics = true, nexthops = true, encap = true,
  error = true, mark = true, uid = true, iif = true,
}
-- Encapsulations whose `dst` ip writes in place of the route's.
local HAS_DST <const> = { ip = true, ip6 = true, mpls = true }

-- Realms are numbers, or names of /etc/iproute2.
local function read_flow(flow)
  if flow.from then return ("%s/%s"):format(flow.from, flow.to) end
  return math.tointeger(tonumber(flow.to)) or flow.to
end

local function read_metrics(metrics, route)
  for word, value in pairs(metrics[1] or {}) do
    if value == json.null then
      route.features = route.features or {}
      table.insert(route.features, word)
    else
      route[word == "congestion" and "congctl" or word] = value
    end
  end
end

-- What an object of ip cannot tell of its encapsulation and its route.
local function ambiguous(object)
  local encap <const> = object.encap
  if HAS_DST[encap] and object.encap_dst == nil and object.dst ~= nil then
    return ("encap: ip -j writes the destinations of the route and of '%s' by one name"):format(
      tostring(encap))
  elseif encap == "seg6local" and object.table ~= nil and object.vrftable == nil
    and object.encap_table == nil and tostring(object.action):find "^End%.[DT]" then
    return "table: ip -j writes those of the route and of 'seg6local' by one name"
  end
end

-- The fields of an encapsulation stand among those of its route or hop.
local function read_encap(object, is_hop)
  if not object.encap then return nil end
  local encap <const> = { type = object.encap }
  for key, value in pairs(object) do
    local name <const> = key:match "^encap_(.*)$" or key
    local own <const> = name ~= key or is_hop and OF_BOTH[key]
      or FIELDS[key] == nil and not APART[key]
    if own then encap[name] = value end
  end
  if encap.freqk then
    encap.freq, encap.freqk, encap.freqn = ("%s/%s"):format(encap.freqk, encap.freqn), nil, nil
    encap.trace = { type = tonumber(tostring(object.type), 16), ns = encap.ns, size = encap.size }
    encap.ns, encap.size, encap.prealloc = nil, nil, nil
  end
  return encap
end

-- Keys whose values are lists or objects.
local NESTED <const> = { "nexthops", "flags", "metrics", "flow" }

---@return table|nil route, string? message
local function read_object(object, is_hop)
  if type(object) ~= "table" then return nil, "an object is due here" end
  for _, key in ipairs(NESTED) do
    local value <const> = object[key]
    if value ~= nil and type(value) ~= "table" then
      return nil, key .. ": a list or an object is due here"
    end
  end
  if object.metrics and type(object.metrics[1] or {}) ~= "table" then
    return nil, "metrics[0]: an object is due here"
  end
  local wrong <const> = not is_hop and ambiguous(object)
  if wrong then return nil, wrong end
  local route <const> = { encap = read_encap(object, is_hop) }
  for key, value in pairs(object) do
    local field <const> = FIELDS[key]
    if field and not (is_hop and OF_BOTH[key]) then
      route[field] = value
    elseif not APART[key] and not object.encap then
      return nil, ("%s: unknown field"):format(key)
    end
  end
  if route.encap and route.encap.trace then route.type = nil end -- is the trace's
  if type(object.via) == "table" then
    route.via = ("%s %s"):format(object.via.family, object.via.host)
  end
  for _, flag in ipairs(object.flags or {}) do route.onlink = route.onlink or flag == "onlink" end
  route.onlink = route.onlink or nil
  if object.flow then route.realm = read_flow(object.flow) end
  if object.metrics then read_metrics(object.metrics, route) end
  for i, hop in ipairs(object.nexthops or {}) do
    route.nexthops = route.nexthops or {}
    local message
    route.nexthops[i], message = read_object(hop, true)
    if not route.nexthops[i] then return nil, ("nexthops[%d].%s"):format(i - 1, message) end
  end
  return route
end

---Reads a list of routes.
---@param text string
---@return table[]|nil objects, string? message
function M.decode(text)
  local good <const>, list, message = pcall(json.decode, text, true)
  if not good then return nil, tostring(list) end
  if type(list) ~= "table" then return nil, message or "a list of routes is due here" end
  return list
end

---A route as a table of ours. What says no protocol is of boot; what says no scope is global where
---the kernel's flags beside it tell that a program has written it.
---@param object table
---@return table|nil route, string? message
function M.route(object)
  local route <const>, message <const> = read_object(object)
  if not route then return nil, message end
  route.proto = route.proto or "boot"
  if object.flags and not route.nhid then route.scope = route.scope or "global" end
  return nexthop.by_object(rtnl.fields(route))
end

---The routes of a text: a list of objects, or one.
---@param text string
---@return table[]|nil routes, string? message naming the place, counted from 0
function M.routes(text)
  local objects <const>, message <const> = M.decode(text)
  if not objects then return nil, message end
  local alone <const> = json.kind(objects) == "object"
  local routes <const> = {}
  for i, object in ipairs(alone and { objects } or objects) do
    local route <const>, wrong <const> = M.route(object)
    if not route then return nil, alone and wrong or ("[%d].%s"):format(i - 1, wrong) end
    routes[i] = route
  end
  return routes
end

return M
