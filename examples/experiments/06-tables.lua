-- ECMP per table
--
-- Traffic that is marked, or comes from one address, can have a group of its own.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 4 }
local pod <const>, hops <const> = lab.pod, lab:hops(4)
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
pod.route:add { dst = "default", nexthops = { hops[1], hops[2] } }
pod.route:add { dst = "default", table = 100, nexthops = { hops[3], hops[4] } }
pod.rule:add { from = "10.0.0.10", table = 100, priority = 1000 }
print(pod.route:list { table = "all", dst = "default" })
print(pod.rule:list { family = 4 })
-- From the pod's own address: the table's group.
local own <const> = lab:send { flows = 200 }
print(own)
assert(own.gateways[1].flows + own.gateways[2].flows == 0 and own.gateways[3].flows > 50)
-- From an address on a wire: the main table's.
local other <const> = lab:send { flows = 200, src = "10.0.4.2" }
print(other)
assert(other.gateways[3].flows + other.gateways[4].flows == 0 and other.gateways[1].flows > 50)
