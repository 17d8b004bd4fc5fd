-- Failover by metric
--
-- Two routes to one prefix with different metrics: the lower takes everything, the higher waits. It
-- takes over when the first is gone, and the first is gone only when its link is set down, or with
-- ignore_routes_with_linkdown when its carrier is lost.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 2 }
local pod <const>, hops <const> = lab.pod, lab:hops(4)
pod.sysctl:set("net.ipv4.conf.all.ignore_routes_with_linkdown", 1)
pod.route:add { dst = "default", via = hops[1].via, metric = 100 }
pod.route:add { dst = "default", via = hops[2].via, metric = 200 }
print(pod.route:list { dst = "default" })
assert(lab:send { flows = 50 }.gateways[1].flows == 50)
lab:fail "gw1"
print(lab)
print(pod.route:list { dst = "default" })
local failed <const> = lab:send { flows = 50 }
print(failed)
assert(failed.gateways[2].flows == 50 and failed.delivered == 50)
-- The route has stayed, so it takes over again by itself:
lab:heal "gw1"
assert(lab:send { flows = 50 }.gateways[1].flows == 50)
-- That is the rule `failover`: of several routes with one key, all, by rising metric.
for _, route in ipairs(ecmp.merge({ { dst = "default", via = "10.0.1.1" },
  { dst = "default", via = "10.0.2.1" } }, "failover")) do print(route.via, route.metric) end
