---Stage `routes`: puts the routes of the IPAM result into iproute2's words; `state.routes`.
--
-- Here every difference between a CNI route object and what the rules and the kernel speak is
-- settled: gateways that are implied, the three spellings of several next hops, numbers that mean
-- "nothing said".
local cni_route = require "ecmp.cni.route"
local ip = require "ecmp.ip"

local M = {}

local MAIN <const> = 254
-- Scopes from here on reach no further than the link, where a gateway makes no sense.
local LINK <const> = 253

---The first gateway of each family, in the order the addresses are listed. The gateway's own family
---counts, not its address's: that is what the reference plugins do.
---@param addresses table[] `{ address, gateway?, dev }`
---@return table by_family gateway text under 4 and 6
function M.gateways(addresses)
  local first <const> = {}
  for _, entry in ipairs(addresses) do
    local gateway <const> = cni_route.gateway(entry.gateway) and ip.parse(entry.gateway)
    local family <const> = gateway and gateway:family()
    if family and not first[family] then first[family] = tostring(gateway) end
  end
  return first
end

---Whether `dst` is a prefix that one of the addresses lies in with just that length.
local function is_connected(dst, addresses)
  for _, entry in ipairs(addresses) do
    local address <const> = ip.parse(entry.address)
    if address and address:network() == dst then return true end
  end
  return false
end

local function positive(number)
  return number and number > 0 and number or nil
end

local scopes <const> = {
  [0] = "global", [200] = "site", [253] = "link", [254] = "host", [255] = "nowhere",
}

---Everything about a CNI route but its next hops. The scope is always said: CNI's default is global
---where iproute2's is link.
local function bare(route, dst)
  local number <const> = positive(route.table)
  local scope <const> = (route.scope or 0) % 256
  return {
    dst = tostring(dst), metric = positive(route.priority),
    table = number ~= MAIN and number or nil,
    scope = scopes[scope] or scope,
    mtu = positive(route.mtu), advmss = positive(route.advmss),
  }
end

---Whether a route that names no gateway is to take the address's. The reference plugins say always,
---which breaks routes of link scope and shadows connected prefixes; `separate` is their word.
local function wants_gateway(route, dst, options)
  if options.separate then return true end
  if (route.scope or 0) % 256 >= LINK then return false end
  return not is_connected(dst, options.addresses)
end

---Puts one CNI route object into iproute2's words.
---@param route table a checked CNI route object
---@param options table `{ dev, addresses, gateways?, separate }`; without `gateways` none is
---filled in
---@return table route
function M.translate(route, options)
  local dst <const> = assert(ip.parse(route.dst)):network()
  local wanted <const> = bare(route, dst)
  local hops <const> = {}
  for i, hop in ipairs(cni_route.hops(route)) do
    hops[i] = {
      via = hop.gw, dev = hop.dev or options.dev, weight = hop.weight, onlink = hop.onlink or nil,
    }
  end
  -- What lists its ways out is a multipath route under every rule; a gateway alone is not.
  if cni_route.is_explicit(route) then
    wanted.nexthops = hops
    return wanted
  end
  wanted.dev = options.dev
  wanted.via = hops[1] and hops[1].via
  -- A gateway of 0.0.0.0 or :: says that there is to be none.
  if not route.gw and options.gateways and wants_gateway(route, dst, options) then
    wanted.via = options.gateways[dst:family()]
  end
  return wanted
end

---Translates a whole list.
---@param list table[]? checked CNI route objects
---@param options table see `translate`
---@return table[] routes
function M.translate_all(list, options)
  local routes <const> = {}
  for i, route in ipairs(list or {}) do routes[i] = M.translate(route, options) end
  return routes
end

-- The reference plugins hand a destination to the kernel as it is listed, and for IPv4 the kernel
-- refuses bits of the host. `separate` keeps that; every other rule masks them.
local function check_masked(routes)
  for i, route in ipairs(routes or {}) do
    local dst <const> = assert(ip.parse(route.dst))
    if dst:family() == 4 and dst ~= dst:network() then
      return nil, ("routes[%d].dst: %s has bits of a host in it, the network is %s")
        :format(i - 1, route.dst, tostring(dst:network())), 7
    end
  end
  return true
end

---@param state table
---@return table? state, string? message, integer? code  7 for what `separate` does not mask
function M.run(state)
  if state.conf.merge == "separate" and not state.script then
    local ok, message, code = check_masked(state.ipam.routes)
    if not ok then return nil, message, code end
  end
  state.routes = M.translate_all(state.ipam.routes, {
    dev = state.call.ifname, addresses = state.addresses, gateways = M.gateways(state.addresses),
    separate = state.conf.merge == "separate",
  })
  return state
end

return M
