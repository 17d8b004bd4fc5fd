--- CNI verbs of fixed configurations: what plugins send; see apply.lua.
local json = require "ecmp.json"
local pod_of = require "spec.pod"

local cases <const> = {}

local TWO <const> = {
  { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
  { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" },
}

local function conf_of(kind, routes, changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = kind, dad = "skip",
    ipam = { type = "ecmp-static", routes = json.array(routes), addresses = {
      { address = "10.0.0.9/24", gateway = "10.0.0.254" },
      { address = "2001:db8::9/64", gateway = "2001:db8::fe" } } },
  }
  if kind == "ecmp-bridge" then conf.bridge = "br0" end
  if kind == "ecmp-macvlan" then conf.master = "m0" end
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

local function chained(changes)
  local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp" }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

-- ADD, CHECK and DEL of one attachment.
local function life(here, conf, before)
  if before then before(here.pod) end
  local result <const> = here.call("ADD", conf)
  if not result then return here.call("DEL", conf) end
  here.call("CHECK", pod_of.after(conf, result))
  here.call("DEL", pod_of.after(conf, result))
end

local function case(title, conf, before, needs)
  cases[#cases + 1] = { title, function(here) life(here, conf, before) end, needs = needs }
end

-- A second interface of the pod, with routes of its own.
local function second_interface(pod)
  for _, line in ipairs { "link add x0 type veth peer name x1", "link set x0 up", "link set x1 up",
    "addr add 172.16.0.2/24 dev x0", "addr add fd16::2/64 dev x0 nodad", "route add default via 172.16.0.1",
    "route add default via fd16::1" } do pod:ip("pod", line) end
end

local function master(pod)
  pod:ip("host", "link add m0 address 02:00:00:00:02:01 type veth peer name m1 address 02:00:00:00:02:02")
  for _, name in ipairs { "m0", "m1" } do pod:ip("host", "link set up dev " .. name) end
end

-- bridge --------------------------------------------------------------------------------------------

for _, merge in ipairs { "ecmp", "separate", "first", "failover", "reject" } do
  case("bridge, merge " .. merge, conf_of("ecmp-bridge", TWO, { merge = merge }))
end
case("bridge, one gateway", conf_of("ecmp-bridge", { { dst = "0.0.0.0/0" }, { dst = "::/0" } }))
case("bridge, that is a gateway", conf_of("ecmp-bridge", {}, { isGateway = true, isDefaultGateway = true,
  hairpinMode = true, mtu = 1400 }))
case("bridge, masquerade", conf_of("ecmp-bridge", TWO, { isGateway = true, ipMasq = true,
  ipMasqBackend = "nftables" }), nil, "nftables")
case("bridge, gws, nexthops and metrics", conf_of("ecmp-bridge", {
  { dst = "192.0.2.0/24", gws = { "10.0.0.1", "10.0.0.2" }, mtu = 1400, advmss = 1300, priority = 7 },
  { dst = "198.51.100.0/24", table = 100, nexthops = { { gw = "10.0.0.1", weight = 3 }, { gw = "10.0.0.2" } } },
  { dst = "203.0.113.0/24", nexthops = { { gw = "172.16.9.9", onlink = true }, { gw = "10.0.0.1" } } },
  { dst = "2001:db8:f::/48", gws = { "2001:db8::1", "2001:db8::2" }, mtu = 1400 },
}))
for _, kind in ipairs { "inline", "group", "resilient" } do
  case("bridge, next hops " .. kind, conf_of("ecmp-bridge", TWO,
    { multipath = { hash = "l4", useNeigh = true, ignoreLinkdown = true, nexthops = kind } }))
end
for _, conflict in ipairs { "yield", "take", "merge", "refuse" } do
  case("bridge, conflict " .. conflict, conf_of("ecmp-bridge", TWO, { conflict = conflict }), second_interface)
end
case("bridge, a gateway behind another route", conf_of("ecmp-bridge", {
  { dst = "0.0.0.0/0", gw = "172.16.0.1" }, { dst = "172.16.0.0/24" }, { dst = "::/0", gw = "fd16::1" },
  { dst = "fd16::/64" } }))
cases[#cases + 1] = { "bridge, two pods' worth of ADD without DEL", function(here)
  local conf <const> = conf_of("ecmp-bridge", TWO)
  here.call("ADD", conf)
  here.call("ADD", conf)
  here.call("DEL", conf)
end }
cases[#cases + 1] = { "bridge, a script", function(here)
  local script <const> = here.file("weights.lua", [[
    local rule = require "ecmp.rule"
    return { merge = function(group, ctx)
      return rule.weighted(group, ctx, { ["10.0.0.1"] = 3, ["2001:db8::2"] = 2 })
    end }]])
  life(here, conf_of("ecmp-bridge", TWO, { script = script }))
end }

-- ptp, macvlan --------------------------------------------------------------------------------------

case("ptp", conf_of("ecmp-ptp", { { dst = "0.0.0.0/0" }, { dst = "::/0" }, { dst = "192.0.2.0/24" } },
  { mtu = 1400 }))
case("ptp, merge ecmp", conf_of("ecmp-ptp", TWO))
case("macvlan, merge ecmp", conf_of("ecmp-macvlan", TWO, { mode = "bridge", mtu = 1400 }), master)
case("macvlan, private, with an address", conf_of("ecmp-macvlan", TWO,
  { mode = "private", mac = "02:00:00:00:02:09" }), master)

-- the chained plugin ----------------------------------------------------------------------------------

local function chain(title, conf, routes)
  cases[#cases + 1] = { "chained, " .. title, function(here)
    local first <const> = conf_of("ecmp-bridge", routes or TWO, { merge = "separate" })
    local result <const> = here.call("ADD", first)
    life(here, pod_of.after(conf, result))
    here.call("DEL", pod_of.after(first, result))
  end }
end

for _, merge in ipairs { "ecmp", "separate", "first", "failover", "reject" } do
  chain("merge " .. merge, chained { merge = merge })
end
chain("routes of its own", chained { routes = json.array { { dst = "192.0.2.0/24" },
  { dst = "198.51.100.0/24", nexthops = { { gw = "10.0.0.1", weight = 2 }, { gw = "10.0.0.2" } } } } })
chain("next-hop objects", chained { multipath = { nexthops = "group" } })
chain("nothing to change", chained(), { { dst = "0.0.0.0/0", gw = "10.0.0.1" } })

return cases
