--- Random configurations for interface plugins, the same ones for the same number.
--
-- What is drawn is what sites write: one or two addresses of one or both families, gateways given,
-- left out or out of reach, routes listed once, twice or with different gateways.
local json = require "ecmp.json"

local M = {}

--- A generator of its own (xorshift), so that nobody else's draws change what a seed means.
---@param seed integer
---@return fun(n: integer): integer roll from 1 to n
function M.dice(seed)
  local state = (seed * 0x9E3779B97F4A7C15) ~ 0x2545F4914F6CDD1D
  return function(n)
    state = state ~ state << 13
    state = state ~ state >> 7
    state = state ~ state << 17
    return (state >> 33) % n + 1
  end
end

local function pick(roll, list) return list[roll(#list)] end

local families <const> = {
  { subnets = { "10.0.%d.0/24", "10.0.%d.0/28" }, host = "10.0.%d.%d", length = { 24, 28 },
    default = "0.0.0.0/0", far = "172.31.0.1",
    others = { "192.0.2.0/24", "198.51.100.128/25", "203.0.113.7/32", "10.0.0.0/16" } },
  { subnets = { "2001:db8:%d::/64" }, host = "2001:db8:%d::%x", length = { 64 },
    default = "::/0", far = "2001:db8:ff::1",
    others = { "2001:db8:f::/64", "fd00:1::/48", "2001:db8:e::7/128" } },
}

-- One address: which subnet, and what is in it.
local function draw_subnet(roll, family, number)
  local which <const> = roll(#family.subnets)
  return {
    family = family, number = number, subnet = family.subnets[which]:format(number),
    length = family.length[which],
  }
end

local function host_of(subnet, n) return subnet.family.host:format(subnet.number, n) end

-- Gateways are in one of the subnets, seldom out of reach, now and then left out.
local function draw_gateway(roll, subnet)
  local chance <const> = roll(36)
  if chance == 1 then return subnet.family.far end
  return chance > 8 and host_of(subnet, pick(roll, { 1, 1, 3, 4, 6, 7, 8, 10 })) or nil
end

local function draw_route(roll, subnet)
  local family <const> = subnet.family
  local chance <const> = roll(10)
  local dst = pick(roll, family.others)
  if chance <= 5 then dst = family.default elseif chance == 6 then dst = subnet.subnet end
  return { dst = dst, gw = draw_gateway(roll, subnet) }
end

local function draw_routes(roll, subnets)
  local routes <const> = json.array()
  for i = 1, roll(5) - 1 do
    if i > 1 and roll(20) == 1 then
      routes[i] = { dst = routes[i - 1].dst, gw = routes[i - 1].gw }
    else
      routes[i] = draw_route(roll, pick(roll, subnets))
      -- The same prefix by another gateway is what this project is about.
      if i > 1 and routes[i].gw and roll(3) == 1 then
        local earlier <const> = routes[i - 1].dst
        local same <const> = earlier:find(":", 1, true) == routes[i].dst:find(":", 1, true)
        if same then routes[i].dst = earlier end
      end
    end
  end
  return routes
end

local ipams = {}

ipams["static"] = function(roll, subnets)
  local addresses <const> = json.array()
  for i, subnet in ipairs(subnets) do
    addresses[i] = {
      address = ("%s/%d"):format(host_of(subnet, 9), subnet.length),
      gateway = roll(12) > 1 and host_of(subnet, 1) or nil,
    }
  end
  return { type = "static", addresses = addresses }
end

ipams["host-local"] = function(roll, subnets)
  local ranges <const> = json.array()
  for i, subnet in ipairs(subnets) do
    ranges[i] = json.array { {
      subnet = subnet.subnet, gateway = roll(2) == 1 and host_of(subnet, 1) or nil,
      rangeStart = roll(3) == 1 and host_of(subnet, 5) or nil,
    } }
  end
  return { type = "host-local", ranges = ranges }
end

-- Addresses asked for this pod alone, by one of the three ways there are. Some are free and in a
-- subnet, some taken, out of all ranges, or no addresses at all.
local function draw_request(roll, drawn, subnets)
  local subnet <const> = pick(roll, subnets)
  local address = host_of(subnet, pick(roll, { 1, 5, 11, 200 }))
  if roll(3) > 1 then address = ("%s/%d"):format(address, subnet.length) end
  if roll(12) == 1 then address = "nonsense" end
  local way <const> = roll(3)
  if way == 1 then
    drawn.args = "IgnoreUnknown=1;K8S_POD_NAME=x;IP=" .. address
    if roll(2) == 1 then drawn.args = drawn.args .. ";GATEWAY=" .. host_of(subnet, 3) end
  elseif way == 2 then
    drawn.conf.args = { cni = { ips = { address } } }
  else
    drawn.conf.runtimeConfig = { ips = { address } }
  end
end

-- What a site mistypes, or thinks is allowed. Not a gateway of the other family: our IPAM plugins
-- refuse that at once, where the reference leaves it to the plugin that programs the route, if any.
local mistakes <const> = {
  function(ipam, roll)
    ipam.routes[1] = { dst = pick(roll, { "10.0.0.0/33", "nonsense", "::/129" }) }
  end,
  function(ipam) ipam.routes[1] = { dst = "192.0.2.9/24", gw = "10.0.1.1" } end,
  function(ipam) ipam.routes[1] = { dst = "2001:db8:f::9/64", gw = "2001:db8:1::1" } end,
  function(ipam)
    local first <const> = ipam.ranges and ipam.ranges[1][1] or ipam.addresses[1]
    first.gateway = "nonsense"
  end,
  function(ipam, roll)
    if ipam.addresses then ipam.addresses[1].address = pick(roll, { "10.0.1.9", "10.0.1.0/24" }) end
    if ipam.ranges then ipam.ranges[1][1].subnet = pick(roll, { "10.0.1.9/24", "10.0.1.8/31" }) end
  end,
  function(ipam)
    if ipam.addresses then ipam.addresses[2] = ipam.addresses[1] end
    if ipam.ranges then ipam.ranges[2] = ipam.ranges[1] end
  end,
  function(ipam)
    if ipam.addresses then ipam.addresses = nil end
    if ipam.ranges then
      ipam.ranges[1][1].rangeStart = ipam.ranges[1][1].gateway
      ipam.ranges[1][1].rangeEnd = ipam.ranges[1][1].gateway
    end
  end,
}

-- Keys of the plugins' own. `nil` is the plugin's default.
local function flag(roll) return roll(3) == 1 or nil end

local mains <const> = {
  bridge = function(roll)
    return {
      bridge = "br0", isGateway = flag(roll), isDefaultGateway = flag(roll),
      forceAddress = flag(roll), mtu = roll(3) == 1 and 1400 or nil,
      hairpinMode = roll(4) == 1 or nil, promiscMode = roll(6) == 1 or nil,
    }
  end,
  ptp = function(roll) return { mtu = roll(3) == 1 and 1400 or nil } end,
  macvlan = function(roll)
    return {
      master = roll(15) > 1 and "m0" or "nothing", mtu = roll(3) == 1 and 1400 or nil,
      mode = pick(roll, { "bridge", "private", "vepa" }),
    }
  end,
  ipvlan = function(roll)
    return {
      master = roll(15) > 1 and "m0" or "nothing", mtu = roll(3) == 1 and 1400 or nil,
      mode = pick(roll, { "l2", "l3", "l3s" }),
    }
  end,
}

mains.vlan = function(roll)
  local conf <const> = mains.bridge(roll)
  conf.vlan = pick(roll, { 1, 2, 100, 4094 })
  return conf
end

local main_names <const> = { "bridge", "bridge", "ptp", "ptp", "macvlan", "macvlan", "ipam" }

local function draw_oddities(roll, drawn, subnets)
  local ipam <const> = drawn.conf.ipam
  if roll(5) == 1 then draw_request(roll, drawn, subnets) end
  if roll(10) == 1 then pick(roll, mistakes)(ipam, roll) end
end

--- The configuration of a number.
---@param number integer
---@param kind? string of what not every kernel has: "ipvlan", "vlan" of a bridge
---@return table drawn `{ conf, args?, interfaces }`: with CNI_ARGS, and the interfaces to ADD
function M.draw(number, kind)
  local roll <const> = M.dice(number)
  local drawn_name <const> = pick(roll, main_names)
  local main <const> = kind or drawn_name
  local which <const> = pick(roll, { { 1 }, { 2 }, { 1, 2 }, { 1, 2 }, { 1, 1 }, { 2, 1, 2 } })
  local subnets <const> = {}
  for i, f in ipairs(which) do subnets[i] = draw_subnet(roll, families[f], i) end
  local ipam <const> = pick(roll, { "static", "host-local" })
  local conf <const> = main == "ipam" and {} or mains[main](roll)
  conf.name, conf.type = "lab", main == "ipam" and ipam or main == "vlan" and "bridge" or main
  conf.cniVersion = pick(roll, { "0.2.0", "0.3.1", "0.3.1", "0.4.0", "0.4.0", "1.0.0", "1.0.0", "1.0.0", "1.0.0" })
  conf.ipam = ipams[ipam](roll, subnets)
  conf.ipam.routes = draw_routes(roll, subnets)
  local drawn <const> = { conf = conf, interfaces = { "eth0", roll(6) == 1 and "eth1" or nil } }
  draw_oddities(roll, drawn, subnets)
  return drawn
end

return M
