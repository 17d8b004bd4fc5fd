-- Two entries against one multipath route
--
-- A pod with two gateways, and the same prefix listed twice. `ip route append`, which is also what
-- CNI's reference plugins do, leaves two IPv4 entries. That looks like two ways, and is one.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 2 }
local pod <const>, hops <const> = lab.pod, lab:hops(4)
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
pod.sysctl:set("net.ipv6.fib_multipath_hash_policy", 1)
pod.route:append { dst = "default", via = hops[1].via }
pod.route:append { dst = "default", via = hops[2].via }
print(pod.route:list { dst = "default", family = 4 })
-- The first entry takes every flow; the second is never looked at.
local separate <const> = lab:send { flows = 200 }
print(separate)
assert(separate.gateways[1].flows == 200 and separate.gateways[2].flows == 0)
-- IPv6 joins the same two requests into one multipath route, and the flows spread.
pod.route:append { dst = "default", via = lab:hops(6)[1].via }
pod.route:append { dst = "default", via = lab:hops(6)[2].via }
print(pod.route:list { dst = "default", family = 6 })
local joined <const> = lab:send { flows = 200, family = 6 }
print(joined)
assert(joined.gateways[1].flows > 50 and joined.gateways[2].flows > 50)
-- One route with both hops means the same in both families.
pod.route:replace { dst = "default", nexthops = hops }
print(pod.route:list { dst = "default", family = 4 })
local together <const> = lab:send { flows = 200 }
print(together)
assert(together.gateways[1].flows > 50 and together.gateways[2].flows > 50)
