--- What the verbs of the other objects are called for; see route.lua. What some kernels cannot do is
--- marked `needs`, with what it is a matter of.
local cases <const> = {}

local function case(kind, name, title, before, run, more)
  local one <const> = { ("%s %s: %s"):format(kind, name, title), before, run }
  for key, value in pairs(more or {}) do one[key] = value end
  cases[#cases + 1] = one
end

local function verb(kind, name, title, before, value, more)
  case(kind, name, title, before, function(nl) return nl[kind][name](nl[kind], value) end, more)
end

local function lists(kind, before, filters)
  for _, filter in ipairs(filters) do
    case(kind, "list", filter[1], before, function(nl)
      local list <const>, _, code = nl[kind]:list(filter[2])
      return list and true, nil, code
    end, filter[3])
  end
end

-- nexthop -----------------------------------------------------------------------------------------

local HOPS <const> = "nexthop add id 11 via 10.0.1.2 dev v1\nnexthop add id 12 via 10.0.2.2 dev v2\n"
  .. "nexthop add id 13 group 11/12,3\nroute add 10.9.0.0/16 nhid 13\n"

verb("nexthop", "add", "a gateway", "", { id = 5, via = "10.0.1.2", dev = "v1" })
verb("nexthop", "add", "a gateway, the kernel chooses the number", "", { via = "fd00:0:0:1::2", dev = "v1" })
verb("nexthop", "add", "words", "", "id 5 via 10.0.1.2 dev v1 onlink proto static")
verb("nexthop", "add", "a device", "", { id = 5, family = 6, dev = "v1" })
verb("nexthop", "add", "a blackhole", "", { id = 5, family = 4, blackhole = true })
verb("nexthop", "add", "a group", HOPS, { id = 20, group = { { id = 11 }, { id = 12, weight = 7 } } })
verb("nexthop", "add", "a resilient group", HOPS, { id = 20, type = "resilient", buckets = 8, idle_timer = 5,
  group = { { id = 11 }, { id = 12 } } }, { needs = "resilient groups" })
verb("nexthop", "add", "what is there", HOPS, { id = 11, via = "10.0.1.3", dev = "v1" })
verb("nexthop", "replace", "a gateway", HOPS, { id = 11, via = "10.0.1.3", dev = "v1" })
verb("nexthop", "replace", "a group", HOPS, { id = 13, group = { { id = 12 } } })
verb("nexthop", "change", "a gateway", HOPS, { id = 11, via = "10.0.1.3", dev = "v1" })
verb("nexthop", "change", "what is not there", "", { id = 11, via = "10.0.1.3", dev = "v1" })
verb("nexthop", "del", "a group", HOPS, { id = 13 })
verb("nexthop", "del", "what is not there", HOPS, { id = 99 })
verb("nexthop", "get", "one", HOPS, { id = 13 })
lists("nexthop", HOPS, { { "all" }, { "of a device", { dev = "v1" } }, { "of a protocol", { proto = "boot" } } })
verb("nexthop", "flush", "of a device", HOPS, { dev = "v2" })
verb("nexthop", "flush", "all", HOPS, {})
lists("bucket", HOPS, { { "all" } })

-- link --------------------------------------------------------------------------------------------

verb("link", "add", "dummy", "", { name = "d0", type = "dummy", mtu = 1400, address = "02:00:00:00:00:77",
  up = true }, { needs = "dummy" })
verb("link", "add", "veth", "", { name = "a0", type = "veth", mtu = 1300, up = true,
  peer = { name = "b0", address = "02:00:00:00:00:78" } })
verb("link", "add", "veth in words", "", "a0 type veth peer name b0")
verb("link", "add", "vlan", "", { name = "x0", type = "vlan", link = "v1", id = 7 }, { needs = "vlan" })
verb("link", "add", "macvlan", "", { name = "x0", type = "macvlan", link = "v1", mode = "private" },
  { needs = "macvlan" })
verb("link", "add", "ipvlan", "", { name = "x0", type = "ipvlan", link = "v1", mode = "l3" },
  { needs = "ipvlan" })
verb("link", "add", "bridge", "", { name = "x0", type = "bridge", stp_state = 0, vlan_filtering = 1 },
  { needs = "bridge" })
verb("link", "add", "vrf", "", { name = "x0", type = "vrf", table = 77 }, { needs = "vrf" })
verb("link", "add", "vxlan", "", { name = "x0", type = "vxlan", id = 77, link = "v1", remote = "10.0.1.2",
  dstport = 4789 }, { needs = "vxlan" })
verb("link", "add", "what is there", "", { name = "v1", type = "veth" })
verb("link", "set", "mtu and state", "", { dev = "v1", mtu = 1400, up = false })
verb("link", "set", "address", "", { dev = "v1", address = "02:00:00:00:00:79" })
verb("link", "set", "name", "link set v1 down", { dev = "v1", name = "w1" })
verb("link", "set", "words", "", "dev v1 mtu 1300 alias spare")
verb("link", "set", "master", "link add x0 type bridge", { dev = "v1", master = "x0" }, { needs = "bridge" })
verb("link", "set", "no master", "link add x0 type bridge\nlink set v1 master x0",
  { dev = "v1", master = false }, { needs = "bridge" })
verb("link", "set", "options of a port", "link add x0 type bridge\nlink set v1 master x0",
  "dev v1 type bridge_slave hairpin on", { needs = "bridge" })
verb("link", "set", "what is not there", "", { dev = "v9", mtu = 1400 })
verb("link", "change", "mtu", "", { dev = "v1", mtu = 1400 })
verb("link", "replace", "what is not there", "", { name = "d0", type = "veth" })
verb("link", "del", "one", "", { dev = "v1" })
verb("link", "del", "what is not there", "", { dev = "v9" })
verb("link", "get", "one", "", { dev = "v1" })
lists("link", "", { { "all" }, { "of a type", { type = "veth" } }, { "one", { dev = "v1" } },
  { "that are up", { up = true } } })
verb("link", "flush", "of a type", "link add x0 type bridge\nlink add x1 type bridge", { type = "bridge" },
  { needs = "bridge" })

-- addr --------------------------------------------------------------------------------------------

verb("addr", "add", "IPv4", "", { address = "10.7.0.1/24", dev = "v1" })
verb("addr", "add", "IPv6", "", { address = "fd07::1/64", dev = "v1", nodad = true })
verb("addr", "add", "words", "", "10.7.0.1/24 dev v1 brd 10.7.0.255 scope link label v1:x")
verb("addr", "add", "with a peer", "", { address = "10.7.0.1/32", peer = "10.7.0.2/32", dev = "v1" })
verb("addr", "add", "with lifetimes and a metric", "", { address = "fd07::1/64", dev = "v1", nodad = true,
  noprefixroute = true, valid_lft = 1000, preferred_lft = 500 })
verb("addr", "add", "what is there", "", { address = "10.0.1.1/24", dev = "v1" })
verb("addr", "replace", "IPv4", "", { address = "10.0.1.1/24", dev = "v1", metric = 77 })
verb("addr", "change", "IPv6", "", { address = "fd00:0:0:1::1/64", dev = "v1", valid_lft = 1000,
  preferred_lft = 0 })
verb("addr", "del", "IPv4", "", { address = "10.0.1.1/24", dev = "v1" })
verb("addr", "del", "IPv6", "", { address = "fd00:0:0:1::1/64", dev = "v1" })
verb("addr", "del", "what is not there", "", { address = "10.7.0.1/24", dev = "v1" })
case("addr", "del", "one that was listed", "", function(nl)
  return nl.addr:del(nl.addr:list { address = "10.0.1.1/24" }[1])
end)
lists("addr", "", { { "all" }, { "of a device", { dev = "v1" } }, { "of a family", { family = 4 } },
  { "of a scope", { scope = "host" } } })
verb("addr", "flush", "IPv4 of a device", "", { dev = "v1", family = 4 })

-- rule --------------------------------------------------------------------------------------------

local RULES <const> = "rule add from 10.0.1.0/24 table 77 priority 500\nrule add fwmark 7 table 78 priority 501\n"

verb("rule", "add", "of a source", "", { from = "10.0.1.0/24", table = 77, priority = 500 })
verb("rule", "add", "without a priority", "", { from = "fd00::/16", table = 70000 })
verb("rule", "add", "words", "", "from 10.0.1.0/24 to 10.9.0.0/16 iif v1 fwmark 7/15 lookup 77 priority 500")
verb("rule", "add", "of ports", "", { family = 4, ipproto = "tcp", dport = "80-90", table = 77, priority = 9 })
verb("rule", "add", "that goes on elsewhere", RULES, { family = 4, action = "goto", ["goto"] = 501, priority = 400 })
verb("rule", "add", "that ends", "", { from = "10.0.1.0/24", action = "prohibit", priority = 500 })
verb("rule", "add", "what is there", RULES, { from = "10.0.1.0/24", table = 77, priority = 500 })
verb("rule", "del", "of a source", RULES, { from = "10.0.1.0/24", table = 77, priority = 500 })
verb("rule", "del", "by priority", RULES, { family = 4, priority = 501 })
verb("rule", "del", "what is not there", RULES, { family = 4, priority = 502 })
case("rule", "del", "one that was listed", RULES, function(nl)
  return nl.rule:del(nl.rule:list { priority = 500 }[1])
end)
lists("rule", RULES, { { "all" }, { "of a family", { family = 4 } }, { "of a table", { table = 77 } } })
verb("rule", "flush", "of a table", RULES, { table = 77 })

-- neigh -------------------------------------------------------------------------------------------

local NEIGHBOURS <const> = "neigh add 10.0.1.2 lladdr 02:00:00:00:01:02 dev v1\n"
  .. "neigh add fd00:0:0:1::2 lladdr 02:00:00:00:01:02 dev v1\n"

verb("neigh", "add", "IPv4", "", { dst = "10.0.1.2", lladdr = "02:00:00:00:01:02", dev = "v1" })
verb("neigh", "add", "IPv6 in words", "", "fd00:0:0:1::2 lladdr 02:00:00:00:01:02 dev v1 nud reachable")
verb("neigh", "add", "a proxy", "", { dst = "10.0.1.9", dev = "v1", proxy = true })
verb("neigh", "add", "what is there", NEIGHBOURS, { dst = "10.0.1.2", lladdr = "02:00:00:00:01:03", dev = "v1" })
verb("neigh", "replace", "one", NEIGHBOURS, { dst = "10.0.1.2", lladdr = "02:00:00:00:01:03", dev = "v1" })
verb("neigh", "change", "one", NEIGHBOURS, { dst = "10.0.1.2", lladdr = "02:00:00:00:01:03", dev = "v1" })
verb("neigh", "change", "what is not there", "", { dst = "10.0.1.2", lladdr = "02:00:00:00:01:03", dev = "v1" })
verb("neigh", "del", "one", NEIGHBOURS, { dst = "10.0.1.2", dev = "v1" })
verb("neigh", "del", "what is not there", "", { dst = "10.0.1.2", dev = "v1" })
verb("neigh", "get", "one", NEIGHBOURS, { dst = "10.0.1.2", dev = "v1" })
lists("neigh", NEIGHBOURS, { { "all" }, { "of a device", { dev = "v1" } }, { "of a family", { family = 6 } },
  { "proxies", { proxy = true } } })
verb("neigh", "flush", "of a device", NEIGHBOURS, { dev = "v1", state = "permanent" })

-- vlan, sysctl --------------------------------------------------------------------------------------

-- The port of no bridge: what is sent is the same where the kernel's bridges know no VLANs.
verb("vlan", "add", "two of a port", "", { dev = "v1", vlans = { { vid = 10, pvid = true, untagged = true },
  { vid = 20 } } }, { needs = "VLAN filtering" })
verb("vlan", "del", "one of a port", "", { dev = "v1", vlans = { { vid = 1 } } }, { needs = "VLAN filtering" })
lists("vlan", "", { { "of a port", { dev = "v1" }, { needs = "VLAN filtering" } } })
case("sysctl", "set", "one", "", function(nl)
  assert(nl.sysctl:get "net.ipv4.fib_multipath_hash_policy")
  return nl.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
end)

-- Transactions --------------------------------------------------------------------------------------

local ROUTES <const> = "route add 10.9.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.2.2 weight 3\n"
  .. "route add fd09::/32 nexthop via fd00:0:0:1::2 nexthop via fd00:0:0:2::2 weight 3\n"

local function changed(title, before, change, more)
  for _, ending in ipairs { "rollback", "commit" } do
    case("transaction", ending, title, before, function(nl)
      local tx <const> = nl:begin()
      assert(change(tx))
      return tx[ending](tx)
    end, more)
  end
end

changed("route add", "", function(tx) return tx.route:add { dst = "10.9.0.0/16", via = "10.0.1.2" } end)
changed("IPv4 route replace", ROUTES, function(tx)
  return tx.route:replace { dst = "10.9.0.0/16", via = "10.0.1.9", mtu = 1400 }
end)
changed("IPv6 route replace", ROUTES, function(tx)
  return tx.route:replace { dst = "fd09::/32", via = "fd00:0:0:1::9", mtu = 1400 }
end)
changed("IPv4 route del", ROUTES, function(tx) return tx.route:del { dst = "10.9.0.0/16" } end)
changed("IPv6 route del", ROUTES, function(tx) return tx.route:del { dst = "fd09::/32" } end)
changed("IPv4 add_nexthop", ROUTES, function(tx) return tx.route:add_nexthop("10.9.0.0/16", { via = "10.0.1.7" }) end)
changed("IPv6 add_nexthop", ROUTES, function(tx) return tx.route:add_nexthop("fd09::/32", { via = "fd00:0:0:1::7" }) end)
changed("IPv4 del_nexthop", ROUTES, function(tx) return tx.route:del_nexthop("10.9.0.0/16", { via = "10.0.1.2" }) end)
changed("IPv6 del_nexthop", ROUTES, function(tx) return tx.route:del_nexthop("fd09::/32", { via = "fd00:0:0:1::2" }) end)
changed("addr del, with routes behind it", ROUTES, function(tx)
  return tx.addr:del { address = "10.0.1.1/24", dev = "v1" }
end)
changed("nexthop del, with routes behind it", HOPS, function(tx) return tx.nexthop:del { id = 11 } end)
changed("nexthop add", "", function(tx) return tx.nexthop:add { via = "10.0.1.5", dev = "v1" } end)
changed("rule add", "", function(tx) return tx.rule:add { from = "10.0.1.0/24", table = 77, priority = 500 } end)
changed("rule del without a priority", RULES, function(tx) return tx.rule:del { from = "10.0.1.0/24", table = 77 } end)
changed("neigh replace", NEIGHBOURS, function(tx)
  return tx.neigh:replace { dst = "10.0.1.2", lladdr = "02:00:00:00:01:03", dev = "v1" }
end)
changed("link set", "", function(tx) return tx.link:set { dev = "p1", mtu = 1400 } end)
changed("link add", "", function(tx) return tx.link:add { name = "d0", type = "veth", peer = { name = "d1" } } end)
changed("route flush", ROUTES, function(tx) return tx.route:flush { proto = "boot" } end)
changed("sysctl set", "", function(tx) return tx.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1) end)
changed("batch", ROUTES, function(tx)
  local results <const> = tx:batch {
    { "route replace", { dst = "10.9.0.0/16", via = "10.0.1.9" } },
    { "route add", { dst = "fd08::/32", via = "fd00:0:0:1::9" } },
    { "addr add", { address = "10.7.0.1/24", dev = "v1" } }, { "link set", { dev = "p1", mtu = 1400 } },
  }
  for _, result in ipairs(results) do assert(result == true) end
  return true
end)
changed("several changes of one route", ROUTES, function(tx)
  assert(tx.route:replace { dst = "10.9.0.0/16", via = "10.0.1.9" })
  assert(tx.route:add_nexthop("10.9.0.0/16", { via = "10.0.2.9" }))
  assert(tx.route:del_nexthop("10.9.0.0/16", { via = "10.0.1.9" }))
  return tx.route:del { dst = "10.9.0.0/16" }
end)

return cases
