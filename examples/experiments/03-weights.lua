-- Weights
--
-- A gateway with three times the bandwidth should get three times the flows.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 2 }
local pod <const> = lab.pod
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
local hops <const> = lab:hops(4)
hops[1].weight = 3
pod.route:add { dst = "default", nexthops = hops }
-- The kernel can be asked beforehand, flow by flow:
local predicted <const> = lab:predict { flows = 400 }
print(predicted)
-- and the packets do what it said, every one of them:
local sent <const> = lab:send { flows = 400 }
print(sent)
assert(sent.gateways[1].flows == predicted[1].flows
  and sent.gateways[2].flows == predicted[2].flows)
assert(sent.gateways[1].share > 0.65 and sent.gateways[1].share < 0.85)
-- By default only addresses count (L3): one pod, one server, one way for all flows, whatever the
-- weights.
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 0)
local pinned <const> = lab:send { flows = 400 }
print(pinned)
assert(pinned.gateways[1].flows == 400 or pinned.gateways[2].flows == 400)
-- Many destinations spread under L3, too.
local spread <const> = lab:send { flows = 400, dst = lab.prefix[4] }
print(spread)
assert(spread.gateways[1].flows > spread.gateways[2].flows and spread.gateways[2].flows > 0)
