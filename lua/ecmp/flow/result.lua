---Stage 7: what the runtime and the next plugins are told; `state.result`, a 1.1.0 result.
--
-- Under `separate` the routes are passed on as they were listed, as the reference plugins do. Under
-- every other rule they say what was programmed: the gateways filled in, the metric used.
local json = require "ecmp.json"
local routes = require "ecmp.flow.routes"

local M = {}

local MAIN <const> = 254
local DEFAULT_METRIC <const> = { [4] = 0, [6] = 1024 }
local SCOPES <const> = { global = 0, site = 200, link = 253, host = 254, nowhere = 255 }

local function copy(from, without)
  local to <const> = {}
  for key, value in pairs(from) do
    if not without[key] then to[key] = value end
  end
  return to
end

local hop_keys <const> = { gw = true, gws = true, nexthops = true }

---One CNI route object for each gateway, which every consumer understands, or one with `gws`.
local function spell(base, gateways, form)
  if #gateways == 0 then return { base } end
  if form == "gws" then
    local route <const> = copy(base, hop_keys)
    route.gw = gateways[1]
    if #gateways > 1 then route.gws = gateways end
    return { route }
  end
  local spelt <const> = {}
  for i, gateway in ipairs(gateways) do
    spelt[i] = copy(base, hop_keys)
    spelt[i].gw = gateway
  end
  return spelt
end

---A canonical route as CNI writes it, without its gateways.
local function base_of(route)
  local scope <const> = SCOPES[route.scope] or math.tointeger(route.scope)
  return {
    dst = route.dst,
    priority = route.metric ~= DEFAULT_METRIC[route.family] and route.metric or nil,
    table = route.table ~= MAIN and route.table or nil,
    scope = scope ~= 0 and scope or nil,
    mtu = route.mtu, advmss = route.advmss,
  }
end

---The gateways of a route on one interface. Those on other interfaces of the pod are somebody
---else's: a result names no device, so they would be taken for ours.
local function gateways_on(route, dev)
  local gateways <const> = {}
  for _, hop in ipairs(route.nexthops) do
    if hop.via and (hop.dev or dev) == dev then gateways[#gateways + 1] = hop.via end
  end
  return gateways
end

---Result routes of what was programmed.
---@param wanted table[] canonical routes
---@param dev string
---@param form "routes"|"gws"
---@return table[]
function M.of_wanted(wanted, dev, form)
  local spelt <const> = {}
  for _, route in ipairs(wanted) do
    for _, one in ipairs(spell(base_of(route), gateways_on(route, dev), form)) do
      spelt[#spelt + 1] = one
    end
  end
  return spelt
end

---Result routes as they were listed; only those with several gateways are spelt out.
---@param listed table[] CNI route objects
---@param form "routes"|"gws"
---@return table[]
function M.of_listed(listed, form)
  local spelt <const> = {}
  for _, route in ipairs(listed) do
    local several <const> = route.gws or route.nexthops
    local gateways <const> = several and routes.gateways_of(route) or { route.gw }
    for _, one in ipairs(spell(copy(route, hop_keys), gateways, form)) do
      spelt[#spelt + 1] = one
    end
  end
  return spelt
end

-- `gws` can only be said from 0.3.0 on.
local function form_for(state)
  local version <const> = json.get(state.call.conf, "cniVersion") or ""
  if version == "" or version:find("^0%.[12]") then return "routes" end
  return state.conf.result
end

---The routes of the result, by what decided over them.
---@param state table
---@return table[]
function M.routes(state)
  local form <const> = form_for(state)
  if state.conf.merge == "separate" and not state.script then
    return M.of_listed(state.ipam.routes or {}, form)
  end
  return M.of_wanted(state.wanted, state.call.ifname, form)
end

local function ips_of(state)
  local ips <const> = {}
  for i, entry in ipairs(state.ipam.ips or {}) do
    ips[i] = { address = entry.address, gateway = entry.gateway, interface = state.interface }
  end
  return ips
end

---@param state table
---@return table state
function M.run(state)
  state.result = {
    cniVersion = "1.1.0", interfaces = state.interfaces, ips = ips_of(state),
    routes = M.routes(state), dns = state.conf.dns or state.ipam.dns,
  }
  return state
end

return M
