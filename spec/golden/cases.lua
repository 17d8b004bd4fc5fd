--- Every field of every object, in tables: what they encode to stands in cases.hex, under the same name.
--- Cases that are `told` hold what the kernel tells, which no request says. What can be read alone has its
--- `bytes`: a function that makes them, without the field that is to be left out.
--- Interfaces are called by numbers of our own, so that no kernel is asked: the first that is met
--- is if1073741825.
local ONE <const>, TWO <const> = "if1073741825", "if1073741826"

local function attribute(number, payload)
  return string.pack("=I2I2", #payload + 4, number) .. payload .. ("\0"):rep(-#payload % 4)
end

-- The `bytes` of a link, { KEY, number, payload } each; `nest` puts them where they belong.
local function link(index, fields, nest)
  return function(left_out)
    local list <const> = {}
    for _, field in ipairs(fields) do
      if field[1] ~= left_out then list[#list + 1] = attribute(field[2], field[3]) end
    end
    return string.pack("=BBI2i4I4I4", 0, 0, 0, index, 0, 0) .. nest(table.concat(list))
  end
end

local function hundredths(count)
  return string.pack("=I8", count)
end

return {
  { "route plain", "route", { dst = "10.9.0.0/16", via = "10.0.0.1", dev = ONE,
    proto = "static" } },
  { "route default v6", "route", { family = 6, dst = "default", via = "fe80::1", dev = ONE,
    metric = 5 } },
  { "route host", "route", { dst = "192.0.2.7", dev = ONE, src = "10.0.0.9", scope = "link" } },
  { "route table small", "route", { dst = "10.9.0.0/16", type = "throw", table = 100 } },
  { "route table large", "route", { dst = "10.9.0.0/16", type = "blackhole", table = 70000 } },
  { "route from", "route", { dst = "fd01::/16", from = "fd02::/32", via = "fe80::1", dev = ONE } },
  { "route via other family", "route", { dst = "10.9.0.0/16", via = "inet6 fe80::1", dev = ONE } },
  { "route flags", "route", { dst = "10.9.0.0/16", via = "10.0.0.1", dev = ONE, onlink = true,
                              pervasive = true } },
  { "route tos realm nhid", "route", { dst = "10.9.0.0/16", tos = 16, realm = "7/9", nhid = 5 } },
  { "route expires pref", "route", { dst = "fd01::/16", dev = ONE, expires = 90, pref = "low",
                                     ttl_propagate = true } },
  { "route metrics", "route", {
    dst = "10.9.0.0/16", dev = ONE, scope = "link", lock = { "mtu", "cwnd" }, mtu = 1400,
      window = 2,
    rtt = 100, rttvar = 50.5, ssthresh = 3, cwnd = 4, advmss = 1300, reordering = 5, hoplimit = 64,
    initcwnd = 10, features = { "ecn" }, rto_min = 200, initrwnd = 11, quickack = 1,
    congctl = "cubic", fastopen_no_cookie = 1,
  } },
  { "route hops v4", "route", { dst = "10.9.0.0/16", nexthops = {
    { via = "10.0.0.1", dev = ONE, weight = 1 }, { dev = TWO, weight = 256 },
    { via = "inet6 fe80::1", dev = ONE, onlink = true, realm = 4, weight = 3 },
  } } },
  { "route hops v6", "route", { dst = "fd01::/16", nexthops = {
    { via = "fe80::1", dev = ONE, weight = 2 },
    { via = "fe80::2", dev = TWO, weight = 1,
      encap = { type = "seg6", mode = "encap", segs = { "fc00::1", "fc00::2" } } },
  } } },
  { "encap ip", "route", { dst = "10.9.0.0/16", dev = ONE, scope = "link", encap = {
    type = "ip", id = 77, src = "192.0.2.1", dst = "192.0.2.2", ttl = 3, tos = 4, key = true,
    csum = true, seq = true } } },
  { "encap ip6", "route", { dst = "10.9.0.0/16", dev = ONE, scope = "link", encap = {
    type = "ip6", id = 1 << 40, src = "fd01::1", dst = "fd01::2", hoplimit = 3, tc = 4 } } },
  { "encap mpls", "route", { dst = "10.9.0.0/16", dev = ONE, scope = "link", encap = {
    type = "mpls", labels = { 100, 1048575 }, ttl = 9 } } },
  { "encap seg6 inline", "route", { dst = "fd01::/16", dev = ONE, encap = {
    type = "seg6", mode = "inline", segs = { "fc00::1", "fc00::2" } } } },
  { "encap seg6local", "route", { dst = "fd01::/64", dev = TWO, encap = {
    type = "seg6local", action = "End.DX4", nh4 = "10.0.0.1", oif = ONE } } },
  { "encap seg6local vrf", "route", { dst = "fd01::/64", dev = ONE, encap = {
    type = "seg6local", action = "End.DT46", vrftable = 100 } } },
  { "encap seg6local segments", "route", { dst = "fd01::/64", dev = TWO, encap = {
    type = "seg6local", action = "End.B6.Encaps", segs = { "fc00::1" }, nh6 = "fd01::9", iif = ONE,
    table = "main" } } },
  { "encap seg6 signed", "route", { dst = "fd01::/16", dev = ONE, encap = {
    type = "seg6", mode = "encap", segs = { "fc00::1", "fc00::2" }, hmac = 300 } } },
  { "encap seg6local inline", "route", { dst = "fd01::/64", dev = ONE, encap = {
    type = "seg6local", action = "End.B6", segs = { "fc00::1" }, hmac = 7 } } },
  { "encap seg6local flavors", "route", { dst = "fd01::/64", dev = ONE, encap = {
    type = "seg6local", action = "End", count = true, flavors = { "psp", "next-csid" }, lblen = 32,
    nflen = 16 } } },
  { "encap seg6local program", "route", { dst = "fd01::/64", dev = ONE, encap = {
    type = "seg6local", action = "End.BPF", endpoint = "x.o:[end]" } } },
  { "encap rpl", "route", { dst = "fd01::/64", dev = ONE, encap = {
    type = "rpl", segs = { "fc00::1", "fc00::2" } } } },
  { "encap ioam6", "route", { dst = "fd01::/64", dev = ONE, encap = {
    type = "ioam6", freq = "1/3", mode = "encap", tundst = "fc00::9",
    trace = { type = 0x00f000, ns = 5, size = 244 } } } },
  { "encap bpf", "route", { dst = "10.9.0.0/16", dev = ONE, scope = "link", encap = {
    type = "bpf", ["in"] = "a.o:[in]", out = "b.o:[out]", xmit = "c.o:[xmit]", headroom = 14 } } },
  { "encap xfrm", "route", { dst = "10.9.0.0/16", dev = TWO, scope = "link", encap = {
    type = "xfrm", if_id = 0x80000001, link_dev = ONE } } },
  { "encap unknown", "route", { dst = "10.9.0.0/16", nexthops = {
    { dev = ONE, weight = 1, encap = { type = 99, data = "060001000700" } },
    { dev = TWO, weight = 1, encap = { type = 65535 } } } } },
  { "flow", "flow", { dst = "10.9.0.1", src = "10.0.0.1", iif = ONE, dev = TWO, tos = 16, mark = 7,
                      proto = "udp", sport = 1000, dport = 53, uid = 1000, fibmatch = true } },
  { "nexthop single", "nexthop", { family = 4, id = 1, via = "10.0.0.1", dev = ONE, onlink = true,
                                   proto = "static" } },
  { "nexthop blackhole", "nexthop", { family = 6, id = 2, blackhole = true, proto = "boot" } },
  { "nexthop group", "nexthop", { id = 3, proto = "boot", group = {
    { id = 1, weight = 1 }, { id = 2, weight = 257 }, { id = 9, weight = 65535 } } } },
  { "nexthop resilient", "nexthop", {
    id = 4, group = { { id = 1, weight = 1 } }, type = "resilient", buckets = 32, idle_timer = 60,
    unbalanced_timer = 1.5, proto = "boot" } },
  { "nexthop encap fdb", "nexthop", { family = 4, id = 5, fdb = true, via = "10.0.0.1",
                                      encap = { type = "mpls", labels = { 16 } },
                                        proto = "boot" } },
  { "nexthop question", "nexthop", { id = 8, stats = true, stats_hw = true } },
  { "nexthop hardware", "nexthop", { id = 8, group = { { id = 1, weight = 1 } }, hw_stats = true } },
  { "bucket", "bucket", { id = 4, index = 3, nhid = 1 } },
  { "link veth", "link", { name = "v1", type = "veth", mtu = 1400, up = true,
                           address = "02:00:00:00:00:01",
                           peer = { name = "p1", address = "02:00:00:00:00:02" } } },
  { "link dummy", "link", { name = "d1", type = "dummy", group = 7, alias = "spare" } },
  { "link ifb", "link", { name = "i1", type = "ifb", txqueuelen = 100, numtxqueues = 4,
                          numrxqueues = 2 } },
  { "link bridge", "link", {
    name = "b1", type = "bridge", forward_delay = 200, hello_time = 100, ageing_time = 30000,
    stp_state = 1, priority = 4096, vlan_filtering = 1, vlan_protocol = "802.1ad",
    vlan_default_pvid = 1, group_fwd_mask = 8, mcast_snooping = 0, nf_call_iptables = 0,
    nf_call_ip6tables = 0 } },
  { "link vlan", "link", { name = "l1", link = ONE, type = "vlan", protocol = "802.1Q", id = 5 } },
  { "link macvlan", "link", { name = "m1", link = ONE, type = "macvlan", mode = "bridge",
                              bcqueuelen = 500 } },
  { "link ipvlan", "link", { name = "k1", link = ONE, type = "ipvlan", mode = "l3s",
                             flag = "private" } },
  { "link vrf", "link", { name = "f1", type = "vrf", table = 100 } },
  { "link vxlan", "link", {
    name = "x1", type = "vxlan", id = 77, remote = "239.0.0.1", ["local"] = "10.0.0.1", tos = 4,
    ttl = 9, dstport = 4789, ageing = 300, learning = false, proxy = true, rsc = true,
      l2miss = true,
    l3miss = true, udpcsum = true, external = false, maxaddress = 5 } },
  { "link vxlan v6", "link", { name = "x1", type = "vxlan", id = 77, remote = "ff05::1",
                               ["local"] = "fd01::1" } },
  { "link vxlan all", "link", { name = "x1", type = "vxlan", external = true, vnifilter = true,
    srcport = "100-200", tos = "inherit", ttl = "inherit", df = "set", flowlabel = 0x77,
    ageing = "none", udp6zerocsumtx = true, udp6zerocsumrx = false, remcsumtx = true,
    remcsumrx = true, gbp = true, gpe = true } },
  { "link macvtap", "link", { name = "m1", type = "macvtap", link = ONE, mode = "passthru",
    nopromisc = true, nodst = true, bcqueuelen = 7 } },
  { "link options", "link", { name = "b1", type = "bridge", no_linklocal_learn = 1,
    mcast_vlan_snooping = 0, group_address = "01:80:c2:00:00:04", mcast_query_interval = 12500,
    fdb_flush = true, dynamic = true, notrailers = false, addrgenmode = "none",
    gso_max_size = 1000, protodown = true } },
  { "link port all", "link", { dev = ONE, port = "bridge", proxy_arp = true, locked = true,
    mcast_router = 2, group_fwd_mask = 8, backup_port = TWO, fdb_flush = true } },
  { "link port", "link", {
    dev = ONE, master = TWO, port = "bridge", state = "forwarding", priority = 8, cost = 5, hairpin = true,
    guard = true, root_block = false, fastleave = true, learning = false, flood = false,
    mcast_flood = false, isolated = true } },
  { "link flags", "link", { dev = ONE, up = false, promisc = true, multicast = false, noarp = true,
                            allmulticast = true, linkmode = "DORMANT", broadcast = "ff:00" } },
  { "vlan", "vlan", { dev = ONE, vlans = { { vid = 100, pvid = true, untagged = true },
                                           { vid = 200 }, { vid = 4094 } } } },
  { "vlan of a bridge", "vlan", { dev = ONE, vlans = { { vid = 7 } }, self = true } },
  { "addr v4", "addr", { family = 4, address = "10.0.0.9/24", broadcast = "10.0.0.255", dev = ONE,
                         label = "x:1", scope = "global", noprefixroute = true, metric = 7 } },
  { "addr peer", "addr", { family = 4, address = "10.0.0.9/32", peer = "10.0.0.10/32", dev = ONE,
                           scope = "global" } },
  { "addr v6", "addr", { family = 6, address = "fd01::9/64", dev = ONE, nodad = true, home = true,
                         optimistic = true, mngtmpaddr = true, autojoin = true, valid_lft = 100,
                         preferred_lft = 50, scope = "global" } },
  { "rule all", "rule", {
    family = 4, priority = 5, invert = true, from = "10.0.0.0/8", to = "10.1.0.0/16", tos = 16,
    fwmark = 16, fwmask = 255, iif = "v1", oif = "v2", uidrange = "1-5", ipproto = "tcp",
    sport = "1-7", dport = "80", action = "lookup", table = 70000, suppress_prefixlength = 0,
    suppress_ifgroup = 3, realm = "5/6", proto = "static" } },
  { "rule goto", "rule", { family = 6, priority = 5, action = "goto", ["goto"] = 60 } },
  { "rule tunnel", "rule", { priority = 9, from = "10.0.0.0/8", ipproto = "sctp", tun_id = 77,
    table = 100 } },
  { "rule l3mdev", "rule", { family = 4, priority = 5, action = "lookup", l3mdev = true } },
  { "neigh", "neigh", { family = 4, dst = "10.0.0.2", dev = ONE, lladdr = "02:00:00:00:00:02",
                        router = true, extern_learn = true, use = true, state = "STALE",
                        proto = "static" } },
  { "neigh managed", "neigh", { dst = "10.0.0.2", dev = ONE, managed = true } },
  { "neigh proxy", "neigh", { family = 6, dst = "fd01::2", dev = ONE, proxy = true } },
  { "link bridge timing", "link", { name = "b1", type = "bridge", max_age = 2000, nf_call_arptables = 1,
    mcast_vlan_snooping = 1, no_linklocal_learn = 0,
    vlan_stats_enabled = 1, vlan_stats_per_port = 0, mcast_router = 1, mcast_query_use_ifaddr = 1,
    mcast_querier = 1, mcast_hash_elasticity = 16, mcast_hash_max = 4096, mcast_last_member_count = 2,
    mcast_startup_query_count = 3, mcast_last_member_interval = 100, mcast_membership_interval = 26000,
    mcast_querier_interval = 25500, mcast_query_response_interval = 1000,
    mcast_startup_query_interval = 3125, mcast_stats_enabled = 1, mcast_igmp_version = 3,
    mcast_mld_version = 2 } },
  { "link port floods", "link", { dev = ONE, port = "bridge", bcast_flood = false, mcast_to_unicast = true,
    neigh_suppress = true, proxy_arp_wifi = true, vlan_tunnel = true } },
  { "link vxlan link", "link", { name = "x1", type = "vxlan", id = 77, link = ONE, ["local"] = "10.0.0.1" } },
  { "link queues", "link", { dev = ONE, mtu = 9000, carrier = true, gso_max_segs = 100, gro_max_size = 70000,
    notrailers = true } },
  { "link by number", "link", { index = 9, mtu = 1400 } },
  { "addr anycast", "addr", { family = 6, address = "fd01::9/64", anycast = "fd01::", dev = ONE,
    scope = "link" } },
  { "rule that refuses", "rule", { family = 4, priority = 6, action = "prohibit" } },
  { "route hop pervasive", "route", { dst = "10.9.0.0/16", nexthops = {
    { via = "10.0.0.1", dev = ONE, weight = 1, pervasive = true }, { dev = TWO, weight = 1 } } } },
  { "encap ip6 flags", "route", { dst = "10.9.0.0/16", dev = ONE, scope = "link", encap = {
    type = "ip6", id = 1, dst = "fd01::2", key = true, csum = true, seq = true } } },
  { "flow v6", "flow", { family = 6, uid = 0 } },
  { "addr told", "addr", { family = 6, address = "fd01::9/64", dev = ONE, scope = "global", secondary = true,
    dadfailed = true, deprecated = true, permanent = true, tentative = true, stable_privacy = true },
    told = true },
  { "link told", "link", { dev = ONE, name = "w1", link_type = "ether", broadcasting = true, loopback = true,
    pointopoint = true, up = true, running = true, lower_up = true, qdisc = "noqueue", operstate = "UP", carrier = true,
    link = TWO, link_netnsid = 3, promiscuity = 1, allmulti = 2, minmtu = 68,
    maxmtu = 65535, permaddr = "02:00:00:00:00:09", tso_max_size = 65536, tso_max_segs = 65535,
    address = "02:00:00:00:00:08" }, told = true },
  { "link flags told", "link", { dev = ONE, name = "w1", flags = { "MASTER", "SLAVE" } },
    told = true },
  { "link names told", "link", { index = 7, dev = "if7", altnames = { "one", "other" } }, told = true,
    bytes = link(7, { { "altnames", 52, attribute(53, "one\0") .. attribute(53, "other\0") } },
      function(names) return names end) },
  { "link bridge told", "link", { type = "bridge", root_port = 1, root_path_cost = 2, topology_change = 1,
    topology_change_detected = 1 }, told = true },
  { "link bridge identities told", "link", { type = "bridge", bridge_id = "8000.2:0:0:0:1:1",
    designated_root = "8001.2:0:0:0:1:2", hello_timer = 1.5, tcn_timer = 2.5, topology_change_timer = 3.5,
    gc_timer = 4.5 }, told = true, bytes = link(0, {
      { "bridge_id", 11, "\x80\0\2\0\0\0\1\1" }, { "designated_root", 10, "\x80\1\2\0\0\0\1\2" },
      { "hello_timer", 16, hundredths(150) }, { "tcn_timer", 17, hundredths(250) },
      { "topology_change_timer", 18, hundredths(350) }, { "gc_timer", 19, hundredths(450) },
    }, function(data) return attribute(18, attribute(1, "bridge\0") .. attribute(2, data)) end) },
  { "link port told", "link", { dev = ONE, port = "bridge", port_id = 32769, port_no = 1, designated_port = 2,
    designated_cost = 3, topology_change_ack = 1, config_pending = 1 }, told = true },
  { "link port identities told", "link", { index = 7, dev = "if7", port = "bridge",
    designated_bridge = "8000.2:0:0:0:1:1", designated_root = "8000.2:0:0:0:1:2", hold_timer = 1.5,
    message_age_timer = 2.5, forward_delay_timer = 3.5 }, told = true, bytes = link(7, {
      { "designated_bridge", 14, "\x80\0\2\0\0\0\1\1" }, { "designated_root", 13, "\x80\0\2\0\0\0\1\2" },
      { "hold_timer", 23, hundredths(150) }, { "message_age_timer", 21, hundredths(250) },
      { "forward_delay_timer", 22, hundredths(350) },
    }, function(data) return attribute(18, attribute(4, "bridge\0") .. attribute(5, data)) end) },
  { "link macvlan told", "link", { name = "m1", type = "macvlan", usedbcqueuelen = 1000 }, told = true },
  { "neigh told", "neigh", { family = 4, dst = "10.0.0.2", dev = ONE, state = "REACHABLE", probes = 3 },
    told = true },
  { "nexthop told", "nexthop", { family = 4, id = 6, via = "10.0.0.1", dev = ONE, scope = "link", dead = true,
    pervasive = true, offload = true, trap = true, linkdown = true, unresolved = true }, told = true },
  { "nexthop resilient told", "nexthop", { id = 7, group = { { id = 1, weight = 1 } }, type = "resilient",
    buckets = 8, idle_timer = 7, unbalanced_timer = 0, unbalanced_time = 2.5 }, told = true },
  { "nexthop counted", "nexthop", { id = 8, group = { { id = 1, weight = 1 } }, hw_stats = true,
    hw_stats_used = true, group_stats = { { id = 1, packets = 5, packets_hw = 4294967296 } } }, told = true,
    bytes = function(left_out)
      local function u32(key, number, value)
        return left_out == key and "" or attribute(number, string.pack("=I4", value))
      end
      local entry <const> = u32("id", 1, 1) .. u32("packets", 2, 5)
        .. (left_out == "packets_hw" and "" or attribute(3, string.pack("=I8", 4294967296)))
      return string.pack("=BBBBI4", 0, 0, 0, 0, 0) .. attribute(1, string.pack("=I4", 8))
        .. attribute(2, string.pack("=I4BBI2", 1, 0, 0, 0)) .. u32("hw_stats", 16, 1)
        .. u32("hw_stats_used", 17, 1)
        .. (left_out == "group_stats" and "" or attribute(15 | 0x8000, attribute(1 | 0x8000, entry)))
    end },
  { "bucket told", "bucket", { family = 4, id = 4, index = 3, nhid = 1, idle_time = 1.5 }, told = true },
  { "route told", "route", { dst = "10.9.0.0/16", via = "10.0.0.1", dev = ONE, dead = true, offload = true,
    trap = true, linkdown = true, unresolved = true, rt_offload = true, rt_trap = true, cloned = true,
    mark = 7, uid = 1000, error = 113, iif = TWO }, told = true },
  { "route hops told", "route", { dst = "10.9.0.0/16", nexthops = { { via = "10.0.0.1", dev = ONE, weight = 1,
    dead = true, offload = true, trap = true, linkdown = true, unresolved = true } } }, told = true },
}
