-- linkdown and use_neigh
--
-- What the kernel does about a hop that is dead depends on how it died, and on two settings that a
-- new pod does not have.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 2 }
local pod <const> = lab.pod
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
pod.route:add { dst = "default", nexthops = lab:hops(4) }
-- The wire to gw2 loses its carrier. The route says so, and goes on using it:
lab:cut("gw2", "carrier")
print(pod.route:list { dst = "default" })
local lost <const> = lab:send { flows = 100 }
print(lost)
assert(lost.delivered < 100)
-- With ignore_routes_with_linkdown, set before it happens, the hop is left out.
lab:heal()
pod.sysctl:set("net.ipv4.conf.all.ignore_routes_with_linkdown", 1)
lab:cut("gw2", "carrier")
print(pod.route:list { dst = "default" })
local ignored <const> = lab:send { flows = 100 }
print(ignored)
assert(ignored.delivered == 100 and ignored.gateways[1].flows == 100)
-- A gateway that hangs keeps its carrier: nothing is to be seen, and half of the packets are gone.
lab:heal()
lab:cut("gw2", "packets")
print(pod.route:list { dst = "default" })
assert(lab:send { flows = 100 }.delivered < 100)
-- With use_neigh the kernel looks whether the neighbour answers. It has to ask in vain first.
pod.sysctl:set("net.ipv4.fib_multipath_use_neigh", 1)
pod.neigh:replace { dst = "10.0.2.1", dev = "eth2", state = "failed" }
local known <const> = lab:send { flows = 100 }
print(known)
assert(known.delivered == 100)
-- Nobody asks again, though: a gateway that returns stays out until it sends by itself. A managed
-- neighbour is one that the kernel keeps asking for, here with timers that notice within half a
-- second; `"multipath": { "useNeigh": "managed" }` does so for a pod. A deaf gateway takes in
-- nothing, and hears again without a word.
lab:heal()
pod.sysctl:set("net.ipv4.neigh.eth2.base_reachable_time_ms", 300)
pod.sysctl:set("net.ipv4.neigh.eth2.delay_first_probe_time", 0)
pod.sysctl:set("net.ipv4.neigh.eth2.retrans_time_ms", 50)
pod.neigh:replace { dst = "10.0.2.1", dev = "eth2", managed = true }
lab:cut("gw2", "deaf")
while lab:send({ flows = 100 }).delivered < 100 do end
print(lab:send { flows = 100 })
lab:heal "gw2"
while lab:send({ flows = 100 }).gateways[2].flows == 0 do end
print(lab:send { flows = 100 })
-- All flows of a hop that failed went to one other. Suspended, its share goes to all others by
-- their weights, no flow of theirs moves, and with resume each is where it was.
local held <const> = pod.route:suspend("default", { via = "10.0.2.1" })
print(held)
pod.route:resume(held)
-- A gateway that lost its own way out looks well to all of these: that takes somebody who probes,
-- as `ecmp watch` does with a target behind the gateways.
lab:cut("gw2", "uplink")
assert(lab:send { flows = 100 }.delivered < 100)
