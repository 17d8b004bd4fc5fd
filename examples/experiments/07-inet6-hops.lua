-- IPv4 over IPv6 next hops
--
-- A fabric that numbers its links in IPv6 only can still carry IPv4: a gateway is but a neighbour
-- to send to. One group may hold hops of both families.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 3 }
local pod <const> = lab.pod
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
local four <const>, six <const> = lab:hops(4), lab:hops(6)
pod.route:add { dst = "192.0.2.0/24", nexthops = {
  { via = "inet6 " .. six[1].via, dev = "eth1" }, { via = "inet6 " .. six[2].via, dev = "eth2" },
    four[3],
} }
print(pod.route:list { dst = "192.0.2.0/24" })
local sent <const> = lab:send { flows = 300 }
print(sent)
assert(sent.delivered == 300 and sent.gateways[1].flows > 50 and sent.gateways[3].flows > 50)
-- The neighbours that carry it are IPv6's:
for i = 1, 2 do
  local neighbour <const> = assert(pod.neigh:get { dst = six[i].via, dev = six[i].dev })
  print(neighbour.dst, neighbour.dev)
end
-- The other way round there is no such thing.
print(pcall(pod.route.add, pod.route, { dst = "2001:db8:9::/48", via = "10.0.1.1", dev = "eth1" }))
