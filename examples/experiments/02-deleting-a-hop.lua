-- Why IPv4 deletes the whole group
--
-- Taking one gateway out of a multipath route is what everybody does when it fails. The kernel's
-- two families mean different things by the same request.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 3 }
local pod <const> = lab.pod
pod.route:add { dst = "10.9.0.0/16", nexthops = lab:hops(4) }
pod.route:add { dst = "2001:db8:9::/48", nexthops = lab:hops(6) }
-- iproute2 hands the request to the kernel as it is. IPv6 takes the hop:
assert(lab:run("pod", { "ip", "route", "del", "2001:db8:9::/48", "via",
  "2001:db8:1::1" }).status == 0)
print(pod.route:list { dst = "2001:db8:9::/48" })
-- IPv4 compares the gateway with the route's first hop only, and then deletes the route:
assert(lab:run("pod", { "ip", "route", "del", "10.9.0.0/16", "via", "10.0.1.1" }).status == 0)
assert(#pod.route:list { dst = "10.9.0.0/16" } == 0)
-- and of any other hop it says that there is no such route:
pod.route:add { dst = "10.9.0.0/16", nexthops = lab:hops(4) }
print(lab:run("pod", { "ip", "route", "del", "10.9.0.0/16", "via", "10.0.2.1" }).stderr)
-- Here a hop is a hop, in both:
pod.route:del_nexthop("10.9.0.0/16", { via = "10.0.1.1" })
pod.route:del { dst = "10.9.0.0/16", via = "10.0.3.1" }
print(pod.route:list { dst = "10.9.0.0/16" })
assert(pod.route:list { dst = "10.9.0.0/16" }[1].via == "10.0.2.1")
