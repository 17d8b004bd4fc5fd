---Reads routes in the words of `ip -j route` and `ecmp show --json`.

local json = require "ecmp.json"

local M = {}

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

local function read_flow(flow)
  return flow.from and ("%s/%s"):format(flow.from, flow.to) or flow.to
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

-- The fields of an encapsulation stand among those of its route or hop.
local function read_encap(object)
  if not object.encap then return nil end
  local encap <const> = { type = object.encap }
  for key, value in pairs(object) do
    if FIELDS[key] == nil and not APART[key] then encap[key] = value end
  end
  if encap.freqk then
    encap.freq, encap.freqk, encap.freqn = ("%s/%s"):format(encap.freqk, encap.freqn), nil, nil
  end
  return encap
end

---@return table|nil route, string? message
local function read_object(object)
  if type(object) ~= "table" then return nil, "an object is due here" end
  local route <const> = { encap = read_encap(object) }
  for key, value in pairs(object) do
    local field <const> = FIELDS[key]
    if field then
      route[field] = value
    elseif not APART[key] and not object.encap then
      return nil, ("%s: unknown field"):format(key)
    end
  end
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
    route.nexthops[i], message = read_object(hop)
    if not route.nexthops[i] then return nil, ("nexthops[%d].%s"):format(i - 1, message) end
  end
  return route
end

---Reads a list of routes.
---@param text string
---@return table[]|nil objects, string? message
function M.decode(text)
  local good <const>, list, message = pcall(json.decode, text)
  if not good then return nil, tostring(list) end
  if type(list) ~= "table" then return nil, message or "a list of routes is due here" end
  return list
end

---A route as a table of ours. What says no protocol is of boot, as ip leaves that out.
---@param object table
---@return table|nil route, string? message
function M.route(object)
  local route <const>, message <const> = read_object(object)
  if route and not route.proto then route.proto = "boot" end
  return route, message
end

return M
