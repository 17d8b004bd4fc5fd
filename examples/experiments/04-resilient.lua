-- Resilient groups when a hop dies
--
-- When a group loses a member its hash is divided anew, and flows move that had no reason to: their
-- connections break at stateful gateways. A resilient group moves the flows of the dead hop only.
local ecmp = require "ecmp"
local lab <const> = ecmp.lab { gateways = 3 }
local pod <const> = lab.pod
pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
for i, hop in ipairs(lab:hops(4)) do
  assert(pod.nexthop:add { id = i, via = hop.via, dev = hop.dev })
end
local members <const> = { { id = 1 }, { id = 2 }, { id = 3 } }
pod.nexthop:add { id = 10, group = members }
pod.nexthop:add { id = 20, group = members, type = "resilient", buckets = 120 }
-- Which way each of 300 flows goes, by the kernel's own answer:
local function ways()
  local found = {}
  for i = 1, 300 do
    found[i] = pod.route:get { dst = "192.0.2.1", src = "10.0.0.10", proto = "udp",
      sport = 2000 + i, dport = 443 }.via
  end
  return found
end
-- The flows that moved, though their hop is alive:
local function moved(before, after)
  local count = 0
  for i, via in ipairs(before) do
    if via ~= "10.0.1.1" and after[i] ~= via then count = count + 1 end
  end
  return count
end
pod.route:add { dst = "default", nhid = 10 }
local before = ways()
pod.nexthop:replace { id = 10, group = { { id = 2 }, { id = 3 } } }
local ordinary <const> = moved(before, ways())
print("ordinary group: flows of living hops that moved:", ordinary)
assert(ordinary > 10)
-- The same with buckets:
pod.route:replace { dst = "default", nhid = 20 }
before = ways()
pod.nexthop:replace { id = 20, type = "resilient", group = { { id = 2 }, { id = 3 } } }
local resilient <const> = moved(before, ways())
print("resilient group: flows of living hops that moved:", resilient)
assert(resilient == 0)
