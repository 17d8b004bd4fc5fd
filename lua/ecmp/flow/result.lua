---Stage `result`: makes the result for the runtime and the next plugins; `state.result`, as 1.1.0.
--
-- Under `separate` the routes are passed on as they were listed, as the reference plugins do. Under
-- every other rule they say what was programmed: the gateways filled in, the metric used. Routes
-- with several next hops list them here; how that is written is the protocol's business.
local later = require "ecmp.later"
local cni_route = require "ecmp.cni.route"
local json = require "ecmp.json"
local weights = later "ecmp.fib.weights"

local M = {}

local MAIN <const> = 254
local DEFAULT_METRIC <const> = { [4] = 0, [6] = 1024 }
local SCOPES <const> = { global = 0, site = 200, link = 253, host = 254, nowhere = 255 }

-- Next hops on other interfaces of the pod are somebody else's: without a device, which only our
-- own key says, they would be taken for ours. A hop that stands in for others has its share once.
local function hops_on(route, dev)
  local hops <const>, shares <const>, number <const> = json.array(), {}, {}
  local stands_in = false
  for _, hop in ipairs(route.nexthops) do
    local i = number[hop.via or ""]
    if (hop.dev or dev) == dev then
      stands_in = stands_in or i ~= nil
      i = i or #hops + 1
      hops[i] = hops[i] or { gw = hop.via, onlink = hop.onlink }
      number[hop.via or ""], shares[i] = i, (shares[i] or 0) + (hop.weight or 1)
    end
  end
  for i, weight in ipairs(stands_in and weights.of(shares) or shares) do
    hops[i].weight = weight ~= 1 and weight or nil
  end
  return hops
end

---A CNI route object of what was programmed.
---@param route table canonical
---@param dev string our interface
---@return table
function M.of_wanted(route, dev)
  local scope <const> = SCOPES[route.scope] or math.tointeger(route.scope)
  local hops <const> = hops_on(route, dev)
  local single <const> = #hops == 1 and not hops[1].onlink
  return {
    dst = route.dst, gw = single and hops[1].gw or nil,
    nexthops = not single and #hops > 0 and hops or nil,
    priority = route.metric ~= DEFAULT_METRIC[route.family] and route.metric or nil,
    table = route.table ~= MAIN and route.table or nil,
    scope = scope ~= 0 and scope or nil,
    mtu = route.mtu, advmss = route.advmss,
  }
end

-- A route as it was listed, but that 0.0.0.0 and :: are no gateways.
local function with_real_gateway(route)
  if not route.gw or cni_route.gateway(route.gw) then return route end
  local bare <const> = setmetatable({}, getmetatable(route))
  for key, value in next, route do bare[key] = value end
  bare.gw = nil
  return bare
end

---The routes of the result, by what decided over them.
---@param state table
---@return table[]
function M.routes(state)
  local routes <const> = json.array()
  if state.conf.merge == "separate" and not state.script then
    for i, route in ipairs(state.ipam.routes) do routes[i] = with_real_gateway(route) end
    return routes
  end
  for i, route in ipairs(state.wanted) do routes[i] = M.of_wanted(route, state.call.ifname) end
  return routes
end

local function ips_of(state)
  local ips <const> = json.array()
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
