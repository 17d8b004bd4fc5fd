---Stage 3: the routes of the IPAM result in iproute2's words, one hop or several; `state.routes`.
--
-- Here every difference between a CNI route object and what the rules and the kernel speak is
-- settled: gateways that are implied, the three spellings of several next hops, numbers that mean
-- "nothing said".
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
    local gateway <const> = entry.gateway and ip.parse(entry.gateway)
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

-- Lists next hops in the order nexthops, gws, gw; one that is there already, by value, is left out.
local function hops_of(route, dev)
  local hops <const>, seen <const> = {}, {}
  local function add(hop)
    local via <const> = hop.via and ip.canonical(hop.via)
    local name <const> = (via or "") .. "%" .. (hop.dev or dev)
    if seen[name] then return end
    seen[name] = true
    hop.via, hop.dev = via, hop.dev or dev
    hops[#hops + 1] = hop
  end
  for _, hop in ipairs(route.nexthops or {}) do
    add { via = hop.gw, dev = hop.dev, weight = hop.weight, onlink = hop.onlink or nil }
  end
  for _, gateway in ipairs(route.gws or {}) do add { via = gateway } end
  if route.gw then add { via = route.gw } end
  return hops
end

---The gateways of a CNI route in the order nexthops, gws, gw, each once, in canonical text.
---@param route table
---@return string[]
function M.gateways_of(route)
  local gateways <const> = {}
  for _, hop in ipairs(hops_of(route, "")) do gateways[#gateways + 1] = hop.via end
  return gateways
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
---@param options table `{ dev, addresses, gateways?, separate }`; without `gateways` none is implied
---@return table? route, string? message, integer? code  nil, message, 7
function M.translate(route, options)
  local prefix, why = ip.parse(route.dst or "")
  if not prefix then return nil, ("dst: %s"):format(why), 7 end
  local dst <const> = prefix:network()
  local wanted <const> = bare(route, dst)
  local hops <const> = hops_of(route, options.dev)
  for _, hop in ipairs(hops) do
    local via <const> = hop.via and ip.parse(hop.via)
    if via and via:family() ~= dst:family() then
      return nil, ("gw: %s is not of the family of %s"):format(hop.via, wanted.dst), 7
    end
  end
  -- Several ways out, or a word about the one there is, make a multipath route; a gateway does not.
  if #hops > 0 and (route.nexthops or route.gws) then
    wanted.nexthops = hops
    return wanted
  end
  wanted.dev = options.dev
  wanted.via = hops[1] and hops[1].via
  if not wanted.via and options.gateways and wants_gateway(route, dst, options) then
    wanted.via = options.gateways[dst:family()]
  end
  return wanted
end

---Translates a whole list.
---@param list table[]? CNI route objects
---@param options table see `translate`
---@param name string what to call the list in a message
---@return table[]? routes, string? message, integer? code
function M.translate_all(list, options, name)
  local routes <const> = {}
  for i, route in ipairs(list or {}) do
    local wanted, message, code = M.translate(route, options)
    if not wanted then return nil, ("%s[%d].%s"):format(name, i, message), code end
    routes[i] = wanted
  end
  return routes
end

---@param state table
---@return table? state, string? message, integer? code
function M.run(state)
  local options <const> = {
    dev = state.call.ifname, addresses = state.addresses, gateways = M.gateways(state.addresses),
    separate = state.conf.merge == "separate",
  }
  local routes, message, code = M.translate_all(state.ipam.routes, options, "routes")
  if not routes then return nil, message, code end
  state.routes = routes
  return state
end

return M
