-- Segment routing as a next hop
--
-- A route can put packets into a tunnel towards a segment. The segment, here an address of gw2,
-- takes the tunnel off and sends on what was in it: the way is chosen at the source, whatever the
-- routes between say.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 3 }
local pod <const> = lab.pod
pod.sysctl:set("net.ipv6.fib_multipath_hash_policy", 1)
for _, gateway in ipairs(lab.gateways) do
  assert(gateway.nl.sysctl:set("net.ipv6.conf.all.seg6_enabled", 1))
  assert(gateway.nl.sysctl:set("net.ipv6.conf.lan.seg6_enabled", 1))
end
pod.route:add { dst = "default", nexthops = lab:hops(6) }
local plain <const> = lab:send { flows = 150, family = 6 }
print(plain)
assert(plain.gateways[1].flows > 20 and plain.gateways[3].flows > 20)
pod.route:add { dst = "2001:db8:ffff::/64", dev = "eth2",
  encap = { type = "seg6", mode = "encap", segs = { "2001:db8:2::1" } } }
print(pod.route:list { dst = "2001:db8:ffff::/64" })
local steered <const> = lab:send { flows = 150, family = 6 }
print(steered)
assert(steered.gateways[2].flows == 150 and steered.delivered == 150)
