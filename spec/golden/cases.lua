--- One table for every kind of row: what it encodes to stands in cases.hex, under the same name.
--- Interfaces are called by numbers of our own, so that no kernel is asked: the first that is met
--- is if1073741825.
local ONE <const>, TWO <const> = "if1073741825", "if1073741826"

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
}
