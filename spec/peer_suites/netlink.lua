--- Cases of the suite of vishvananda/netlink; see spec/peer_suites_spec.lua.
return {
  { "add and list, IPv4", "route_test.go",
    "route add 192.0.2.0/24 dev v1 src 10.0.1.1",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 dev v1 scope link src 10.0.1.1" },
  { "the way into it, IPv4", "route_test.go",
    "route add 192.0.2.0/24 dev v1 src 10.0.1.1",
    "-4 route get 192.0.2.7",
    "192.0.2.7 dev v1 src 10.0.1.1" },
  { "del, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 src 10.0.1.1
      route del 192.0.2.0/24 dev v1 src 10.0.1.1]],
    "-4 route show 192.0.2.0/24",
    "" },
  { "a default by a device, IPv4", "route_test.go",
    "-4 route add default dev v1",
    "-4 route show default",
    "default dev v1 scope link" },
  { "a default by a device, deleted, IPv4", "route_test.go",
    [[
      -4 route add default dev v1
      -4 route del default dev v1]],
    "-4 route show default",
    "" },
  { "a default of type blackhole, IPv4", "route_test.go",
    "-4 route add blackhole default",
    "-4 route show default",
    "blackhole default" },
  { "a default of type blackhole, deleted, IPv4", "route_test.go",
    [[
      -4 route add blackhole default
      -4 route del blackhole default]],
    "-4 route show default",
    "" },
  { "type blackhole in a table, with a metric, IPv4", "route_test.go",
    "-4 route add blackhole default table 100 metric 100",
    "-4 route show table 100",
    "blackhole default metric 100" },
  { "a default of type prohibit, IPv4", "route_test.go",
    "-4 route add prohibit default",
    "-4 route show default",
    "prohibit default" },
  { "a default of type prohibit, deleted, IPv4", "route_test.go",
    [[
      -4 route add prohibit default
      -4 route del prohibit default]],
    "-4 route show default",
    "" },
  { "type prohibit in a table, with a metric, IPv4", "route_test.go",
    "-4 route add prohibit default table 100 metric 100",
    "-4 route show table 100",
    "prohibit default metric 100" },
  { "a default of type unreachable, IPv4", "route_test.go",
    "-4 route add unreachable default",
    "-4 route show default",
    "unreachable default" },
  { "a default of type unreachable, deleted, IPv4", "route_test.go",
    [[
      -4 route add unreachable default
      -4 route del unreachable default]],
    "-4 route show default",
    "" },
  { "type unreachable in a table, with a metric, IPv4", "route_test.go",
    "-4 route add unreachable default table 100 metric 100",
    "-4 route show table 100",
    "unreachable default metric 100" },
  { "a default of type throw, IPv4", "route_test.go",
    "-4 route add throw default",
    "-4 route show default",
    "throw default" },
  { "a default of type throw, deleted, IPv4", "route_test.go",
    [[
      -4 route add throw default
      -4 route del throw default]],
    "-4 route show default",
    "" },
  { "type throw in a table, with a metric, IPv4", "route_test.go",
    "-4 route add throw default table 100 metric 100",
    "-4 route show table 100",
    "throw default metric 100" },
  { "change of the source, IPv4", "route_test.go",
    [[
      addr add 10.9.0.1/24 dev v1
      route add 192.0.2.0/24 dev v1 src 10.0.1.1
      route change 192.0.2.0/24 dev v1 src 10.9.0.1]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 dev v1 scope link src 10.9.0.1" },
  { "replace of the source, IPv4", "route_test.go",
    [[
      addr add 10.9.0.1/24 dev v1
      route add 192.0.2.0/24 dev v1 src 10.0.1.1
      route replace 192.0.2.0/24 dev v1 src 10.9.0.1]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 dev v1 scope link src 10.9.0.1" },
  { "append, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 via 10.0.1.2
      route append 192.0.2.0/24 via 10.0.2.2]],
    "-4 route show 192.0.2.0/24",
    [[
      192.0.2.0/24 via 10.0.1.2 dev v1
      192.0.2.0/24 via 10.0.2.2 dev v2]] },
  { "append, and the first deleted, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 via 10.0.1.2
      route append 192.0.2.0/24 via 10.0.2.2
      route del 192.0.2.0/24 via 10.0.1.2]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 via 10.0.2.2 dev v2" },
  { "in several tables, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 table 1000 metric 13
      route add 192.0.2.0/24 dev v1 table 1001 metric 13]],
    "-4 route show 192.0.2.0/24 table all",
    [[
      192.0.2.0/24 dev v1 table 1000 scope link metric 13
      192.0.2.0/24 dev v1 table 1001 scope link metric 13]] },
  { "by type and protocol, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 proto static
      route add 198.51.100.0/24 dev v1 proto bird]],
    "-4 route show proto bird",
    "198.51.100.0/24 dev v1 proto bird scope link", same = "ip leaves out what it was asked for" },
  { "by device, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 via 10.0.1.2
      route add 198.51.100.0/24 via 10.0.2.2]],
    "-4 route show dev v2 proto boot",
    "198.51.100.0/24 via 10.0.2.2 dev v2", same = "ip leaves out the device that it was asked for" },
  { "by gateway, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 via 10.0.1.2
      route add 198.51.100.0/24 via 10.0.2.2]],
    "-4 route show via 10.0.2.2",
    "198.51.100.0/24 via 10.0.2.2 dev v2", same = "ip leaves out what it was asked for" },
  { "by metric, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 via 10.0.1.2 metric 77
      route add 198.51.100.0/24 via 10.0.2.2 metric 78]],
    "-4 route show metric 78",
    "198.51.100.0/24 via 10.0.2.2 dev v2 metric 78", same = "ip has no such filter" },
  { "by source, IPv4", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 src 10.0.1.1
      route add 198.51.100.0/24 dev v1]],
    "-4 route show src 10.0.1.1 proto boot",
    "192.0.2.0/24 dev v1 scope link src 10.0.1.1", same = "ip leaves out what it was asked for" },
  { "by device, of several hops, IPv4", "route_test.go",
    "route add 192.0.2.0/24 nexthop via 10.0.1.2 nexthop via 10.0.2.2",
    "-4 route show 192.0.2.0/24 dev v2",
    "192.0.2.0/24 nexthop via 10.0.1.2 dev v1 weight 1 nexthop via 10.0.2.2 dev v2 weight 1", same = "ip leaves out the device that it was asked for" },
  { "a hop by its device, IPv4", "route_test.go",
    "route add default nexthop via 10.0.1.2 dev v1 nexthop via 10.0.2.2 dev v2",
    "-4 route get 203.0.113.9 oif v1",
    "203.0.113.9 via 10.0.1.2 dev v1 src 10.0.1.1" },
  { "the other hop by its device, IPv4", "route_test.go",
    "route add default nexthop via 10.0.1.2 dev v1 nexthop via 10.0.2.2 dev v2",
    "-4 route get 203.0.113.9 oif v2",
    "203.0.113.9 via 10.0.2.2 dev v2 src 10.0.2.1" },
  { "the default among others, IPv4", "route_test.go",
    [[
      route add default via 10.0.1.2
      route add 192.0.2.0/24 via 10.0.1.2]],
    "-4 route show default",
    "default via 10.0.1.2 dev v1" },
  { "the other beside the default, IPv4", "route_test.go",
    [[
      route add default via 10.0.1.2
      route add 192.0.2.0/24 via 10.0.1.2]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 via 10.0.1.2 dev v1" },
  { "mtu, IPv4", "route_test.go",
    "route add 192.0.2.0/24 dev v1 mtu 1300",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 dev v1 scope link mtu 1300" },
  { "mtu, locked, IPv4", "route_test.go",
    "route add 192.0.2.0/24 dev v1 mtu lock 1300",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 dev v1 scope link mtu lock 1300" },
  { "a flow of a mark, IPv4", "route_test.go",
    [[
      route add default via 10.0.1.2
      route add default via 10.0.2.2 table 1000
      -4 rule add fwmark 0xafffffff table 1000 priority 7]],
    "-4 route get 203.0.113.9 mark 0xafffffff",
    "203.0.113.9 via 10.0.2.2 dev v2 table 1000 src 10.0.2.1 mark 0xafffffff" },
  { "a flow without that mark, IPv4", "route_test.go",
    [[
      route add default via 10.0.1.2
      route add default via 10.0.2.2 table 1000
      -4 rule add fwmark 0xafffffff table 1000 priority 7]],
    "-4 route get 203.0.113.9 mark 0xbfffffff",
    "203.0.113.9 via 10.0.1.2 dev v1 src 10.0.1.1 mark 0xbfffffff" },
  { "a flow of a user, IPv4", "route_test.go",
    [[
      route add default via 10.0.1.2
      route add default via 10.0.2.2 table 1000
      -4 rule add uidrange 1000-1000 table 1000 priority 7]],
    "-4 route get 203.0.113.9 uid 1000",
    "203.0.113.9 via 10.0.2.2 dev v2 table 1000 src 10.0.2.1 uid 1000" },
  { "a flow of another user, IPv4", "route_test.go",
    [[
      route add default via 10.0.1.2
      route add default via 10.0.2.2 table 1000
      -4 rule add uidrange 1000-1000 table 1000 priority 7]],
    "-4 route get 203.0.113.9 uid 1001",
    "203.0.113.9 via 10.0.1.2 dev v1 src 10.0.1.1 uid 1001" },
  { "the whole route of a flow, IPv4", "route_test.go",
    "route add 192.0.2.0/24 via 203.0.113.9 dev v1 onlink",
    "-4 route get fibmatch 192.0.2.7",
    "192.0.2.0/24 via 203.0.113.9 dev v1 onlink" },
  { "the whole route of several hops, IPv4", "route_test.go",
    "route add 192.0.2.0/24 nexthop via 10.0.1.2 nexthop via 10.0.2.2",
    "-4 route get fibmatch 192.0.2.7",
    "192.0.2.0/24 nexthop via 10.0.1.2 dev v1 weight 1 nexthop via 10.0.2.2 dev v2 weight 1" },
  { "an object, IPv4", "nexthop_test.go",
    "nexthop add id 7 via 10.0.1.2 dev v1 proto bgp",
    "nexthop get id 7",
    "id 7 via 10.0.1.2 dev v1 scope link proto bgp" },
  { "an object that is a blackhole, IPv4", "nexthop_test.go",
    "-4 nexthop add id 7 blackhole",
    "nexthop get id 7",
    "id 7 blackhole" },
  { "an object, replaced, IPv4", "nexthop_test.go",
    [[
      nexthop add id 7 via 10.0.1.2 dev v1 proto bgp
      nexthop replace id 7 via 10.0.2.2 dev v2 proto static]],
    "nexthop get id 7",
    "id 7 via 10.0.2.2 dev v2 scope link proto static" },
  { "an object, deleted, IPv4", "nexthop_test.go",
    [[
      nexthop add id 7 via 10.0.1.2 dev v1
      nexthop del id 7]],
    "nexthop show",
    "" },
  { "an object that is there, IPv4", "nexthop_test.go",
    [[
      nexthop add id 7 via 10.0.1.2 dev v1
      nexthop add id 7 via 10.0.2.2 dev v2 => EEXIST]],
    "nexthop get id 7",
    "id 7 via 10.0.1.2 dev v1 scope link" },
  { "a route by an object, IPv4", "nexthop_test.go",
    [[
      nexthop add id 7 via 10.0.1.2 dev v1
      route add 192.0.2.0/24 nhid 7]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 nhid 7 via 10.0.1.2 dev v1" },
  { "a group, IPv4", "nexthop_test.go",
    [[
      nexthop add id 7 via 10.0.1.2 dev v1
      nexthop add id 8 via 10.0.2.2 dev v2
      nexthop add id 9 group 7,3/8,5]],
    "nexthop get id 9",
    "id 9 group 7,3/8,5" },
  { "a route by a group, IPv4", "nexthop_test.go",
    [[
      nexthop add id 7 via 10.0.1.2 dev v1
      nexthop add id 8 via 10.0.2.2 dev v2
      nexthop add id 9 group 7,3/8,5
      route add 192.0.2.0/24 nhid 9]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 nhid 9 nexthop via 10.0.1.2 dev v1 weight 3 nexthop via 10.0.2.2 dev v2 weight 5" },
  { "a group of what is not there, IPv4", "nexthop_test.go",
    "nexthop add id 9 group 7/8 => EINVAL",
    "nexthop show",
    "" },
  { "by source and destination, IPv4", "rule_test.go",
    "-4 rule add from 192.0.2.0/24 to 198.51.100.0/24 table 100 priority 5",
    "-4 rule show priority 5",
    "5: from 192.0.2.0/24 to 198.51.100.0/24 lookup 100" },
  { "by source, of two, IPv4", "rule_test.go",
    [[
      -4 rule add from 192.0.2.0/24 table 100 priority 5
      -4 rule add from 198.51.100.0/24 table 100 priority 6]],
    "-4 rule show from 192.0.2.0/24",
    "5: from 192.0.2.0/24 lookup 100" },
  { "by destination, of two, IPv4", "rule_test.go",
    [[
      -4 rule add to 192.0.2.0/24 table 100 priority 5
      -4 rule add to 198.51.100.0/24 table 100 priority 6]],
    "-4 rule show to 198.51.100.0/24",
    "6: from all to 198.51.100.0/24 lookup 100" },
  { "by table, IPv4", "rule_test.go",
    [[
      -4 rule add from 192.0.2.0/24 table 199 priority 5
      -4 rule add from 198.51.100.0/24 table 100 priority 6]],
    "-4 rule show table 199",
    "5: from 192.0.2.0/24 lookup 199" },
  { "by mark, IPv4", "rule_test.go",
    [[
      -4 rule add fwmark 0xbb table 100 priority 5
      -4 rule add fwmark 0xcc table 100 priority 6]],
    "-4 rule show fwmark 0xbb",
    "5: from all fwmark 0xbb lookup 100" },
  { "by mark and mask, IPv4", "rule_test.go",
    "-4 rule add fwmark 0x5/0x5 table 100 priority 5",
    "-4 rule show priority 5",
    "5: from all fwmark 0x5/0x5 lookup 100" },
  { "of an incoming device, IPv4", "rule_test.go",
    "-4 rule add iif lo table 100 priority 5",
    "-4 rule show iif lo",
    "5: from all iif lo lookup 100" },
  { "of an outgoing device, IPv4", "rule_test.go",
    "-4 rule add oif v1 table 100 priority 5",
    "-4 rule show oif v1",
    "5: from all oif v1 lookup 100" },
  { "of ports, IPv4", "rule_test.go",
    "-4 rule add ipproto tcp sport 80 dport 8000-8100 table 100 priority 5",
    "-4 rule show priority 5",
    "5: from all ipproto tcp sport 80 dport 8000-8100 lookup 100" },
  { "of users, IPv4", "rule_test.go",
    "-4 rule add uidrange 100-200 table 100 priority 5",
    "-4 rule show priority 5",
    "5: from all uidrange 100-200 lookup 100" },
  { "not so, IPv4", "rule_test.go",
    "-4 rule add not fwmark 0x1 table 100 priority 5",
    "-4 rule show priority 5",
    "5: not from all fwmark 0x1 lookup 100" },
  { "that leads on, IPv4", "rule_test.go",
    "-4 rule add from 192.0.2.0/24 goto 32766 priority 5",
    "-4 rule show priority 5",
    "5: from 192.0.2.0/24 goto 32766" },
  { "that suppresses defaults, IPv4", "rule_test.go",
    "-4 rule add table main suppress_prefixlength 0 priority 5",
    "-4 rule show priority 5",
    "5: from all lookup main suppress_prefixlength 0" },
  { "that is unreachable, IPv4", "rule_test.go",
    "-4 rule add from 192.0.2.0/24 unreachable priority 5",
    "-4 rule show priority 5",
    "5: from 192.0.2.0/24 unreachable" },
  { "a proxy, IPv4", "neigh_test.go",
    "neigh add proxy 203.0.113.9 dev v1",
    "-4 neigh show proxy",
    "203.0.113.9 dev v1 proxy" },
  { "a proxy, deleted, IPv4", "neigh_test.go",
    [[
      neigh add proxy 203.0.113.9 dev v1
      neigh del proxy 203.0.113.9 dev v1]],
    "-4 neigh show proxy",
    "" },
  { "by state, IPv4", "neigh_test.go",
    [[
      neigh add 10.0.1.2 lladdr 02:00:00:00:00:01 dev v1 nud stale
      neigh add 203.0.113.9 lladdr 02:00:00:00:00:02 dev v1 nud permanent]],
    "-4 neigh show nud permanent",
    "203.0.113.9 dev v1 lladdr 02:00:00:00:00:02 PERMANENT" },
  { "add and list, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 dev v1 src fd00:0:0:1::1",
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 dev v1 src fd00:0:0:1::1 metric 1024 pref medium" },
  { "the way into it, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 dev v1 src fd00:0:0:1::1",
    "-6 route get 2001:db8:1::7",
    "2001:db8:1::7 from :: dev v1 src fd00:0:0:1::1 metric 1024 pref medium" },
  { "del, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 dev v1 src fd00:0:0:1::1
      route del 2001:db8:1::/48 dev v1 src fd00:0:0:1::1]],
    "-6 route show 2001:db8:1::/48",
    "" },
  { "a default by a device, IPv6", "route_test.go",
    "-6 route add default dev v1",
    "-6 route show default",
    "default dev v1 metric 1024 pref medium" },
  { "a default by a device, deleted, IPv6", "route_test.go",
    [[
      -6 route add default dev v1
      -6 route del default dev v1]],
    "-6 route show default",
    "" },
  { "a default of type blackhole, IPv6", "route_test.go",
    "-6 route add blackhole default",
    "-6 route show default",
    "blackhole default dev lo metric 1024 pref medium" },
  { "a default of type blackhole, deleted, IPv6", "route_test.go",
    [[
      -6 route add blackhole default
      -6 route del blackhole default]],
    "-6 route show default",
    "" },
  { "type blackhole in a table, with a metric, IPv6", "route_test.go",
    "-6 route add blackhole default table 100 metric 100",
    "-6 route show table 100",
    "blackhole default dev lo metric 100 pref medium" },
  { "a default of type prohibit, IPv6", "route_test.go",
    "-6 route add prohibit default",
    "-6 route show default",
    "prohibit default dev lo metric 1024 pref medium" },
  { "a default of type prohibit, deleted, IPv6", "route_test.go",
    [[
      -6 route add prohibit default
      -6 route del prohibit default]],
    "-6 route show default",
    "" },
  { "type prohibit in a table, with a metric, IPv6", "route_test.go",
    "-6 route add prohibit default table 100 metric 100",
    "-6 route show table 100",
    "prohibit default dev lo metric 100 pref medium" },
  { "a default of type unreachable, IPv6", "route_test.go",
    "-6 route add unreachable default",
    "-6 route show default",
    "unreachable default dev lo metric 1024 pref medium" },
  { "a default of type unreachable, deleted, IPv6", "route_test.go",
    [[
      -6 route add unreachable default
      -6 route del unreachable default]],
    "-6 route show default",
    "" },
  { "type unreachable in a table, with a metric, IPv6", "route_test.go",
    "-6 route add unreachable default table 100 metric 100",
    "-6 route show table 100",
    "unreachable default dev lo metric 100 pref medium" },
  { "a default of type throw, IPv6", "route_test.go",
    "-6 route add throw default",
    "-6 route show default",
    "throw default dev lo metric 1024 pref medium" },
  { "a default of type throw, deleted, IPv6", "route_test.go",
    [[
      -6 route add throw default
      -6 route del throw default]],
    "-6 route show default",
    "" },
  { "type throw in a table, with a metric, IPv6", "route_test.go",
    "-6 route add throw default table 100 metric 100",
    "-6 route show table 100",
    "throw default dev lo metric 100 pref medium" },
  { "change of the source, IPv6", "route_test.go",
    [[
      addr add fd99::1/64 dev v1 nodad
      route add 2001:db8:1::/48 dev v1 src fd00:0:0:1::1
      route change 2001:db8:1::/48 dev v1 src fd99::1]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 dev v1 src fd99::1 metric 1024 pref medium" },
  { "replace of the source, IPv6", "route_test.go",
    [[
      addr add fd99::1/64 dev v1 nodad
      route add 2001:db8:1::/48 dev v1 src fd00:0:0:1::1
      route replace 2001:db8:1::/48 dev v1 src fd99::1]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 dev v1 src fd99::1 metric 1024 pref medium" },
  { "append, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 via fd00:0:0:1::2
      route append 2001:db8:1::/48 via fd00:0:0:2::2]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 metric 1024 pref medium nexthop via fd00:0:0:1::2 dev v1 weight 1 nexthop via fd00:0:0:2::2 dev v2 weight 1" },
  { "append, and the first deleted, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 via fd00:0:0:1::2
      route append 2001:db8:1::/48 via fd00:0:0:2::2
      route del 2001:db8:1::/48 via fd00:0:0:1::2]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 via fd00:0:0:2::2 dev v2 metric 1024 pref medium" },
  { "in several tables, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 dev v1 table 1000 metric 13
      route add 2001:db8:1::/48 dev v1 table 1001 metric 13]],
    "-6 route show 2001:db8:1::/48 table all",
    [[
      2001:db8:1::/48 dev v1 table 1000 metric 13 pref medium
      2001:db8:1::/48 dev v1 table 1001 metric 13 pref medium]] },
  { "by type and protocol, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 dev v1 proto static
      route add 2001:db8:2::/48 dev v1 proto bird]],
    "-6 route show proto bird",
    "2001:db8:2::/48 dev v1 proto bird metric 1024 pref medium", same = "ip leaves out what it was asked for" },
  { "by device, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 via fd00:0:0:1::2
      route add 2001:db8:2::/48 via fd00:0:0:2::2]],
    "-6 route show dev v2 proto boot",
    "2001:db8:2::/48 via fd00:0:0:2::2 dev v2 metric 1024 pref medium", same = "ip leaves out the device that it was asked for" },
  { "by gateway, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 via fd00:0:0:1::2
      route add 2001:db8:2::/48 via fd00:0:0:2::2]],
    "-6 route show via fd00:0:0:2::2",
    "2001:db8:2::/48 via fd00:0:0:2::2 dev v2 metric 1024 pref medium", same = "ip leaves out what it was asked for" },
  { "by metric, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 via fd00:0:0:1::2 metric 77
      route add 2001:db8:2::/48 via fd00:0:0:2::2 metric 78]],
    "-6 route show metric 78",
    "2001:db8:2::/48 via fd00:0:0:2::2 dev v2 metric 78 pref medium", same = "ip has no such filter" },
  { "by source, IPv6", "route_test.go",
    [[
      route add 2001:db8:1::/48 dev v1 src fd00:0:0:1::1
      route add 2001:db8:2::/48 dev v1]],
    "-6 route show src fd00:0:0:1::1 proto boot",
    "2001:db8:1::/48 dev v1 src fd00:0:0:1::1 metric 1024 pref medium", same = "ip leaves out what it was asked for" },
  { "by device, of several hops, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 nexthop via fd00:0:0:1::2 nexthop via fd00:0:0:2::2",
    "-6 route show 2001:db8:1::/48 dev v2",
    "2001:db8:1::/48 metric 1024 pref medium nexthop via fd00:0:0:1::2 dev v1 weight 1 nexthop via fd00:0:0:2::2 dev v2 weight 1", same = "ip leaves out the device that it was asked for" },
  { "a hop by its device, IPv6", "route_test.go",
    "route add default nexthop via fd00:0:0:1::2 dev v1 nexthop via fd00:0:0:2::2 dev v2",
    "-6 route get 2001:db8:ff::9 oif v1",
    "2001:db8:ff::9 from :: via fd00:0:0:1::2 dev v1 src fd00:0:0:1::1 metric 1024 pref medium" },
  { "the other hop by its device, IPv6", "route_test.go",
    "route add default nexthop via fd00:0:0:1::2 dev v1 nexthop via fd00:0:0:2::2 dev v2",
    "-6 route get 2001:db8:ff::9 oif v2",
    "2001:db8:ff::9 from :: via fd00:0:0:2::2 dev v2 src fd00:0:0:2::1 metric 1024 pref medium" },
  { "the default among others, IPv6", "route_test.go",
    [[
      route add default via fd00:0:0:1::2
      route add 2001:db8:1::/48 via fd00:0:0:1::2]],
    "-6 route show default",
    "default via fd00:0:0:1::2 dev v1 metric 1024 pref medium" },
  { "the other beside the default, IPv6", "route_test.go",
    [[
      route add default via fd00:0:0:1::2
      route add 2001:db8:1::/48 via fd00:0:0:1::2]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 via fd00:0:0:1::2 dev v1 metric 1024 pref medium" },
  { "mtu, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 dev v1 mtu 1300",
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 dev v1 metric 1024 mtu 1300 pref medium" },
  { "mtu, locked, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 dev v1 mtu lock 1300",
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 dev v1 metric 1024 mtu lock 1300 pref medium" },
  { "a flow of a mark, IPv6", "route_test.go",
    [[
      route add default via fd00:0:0:1::2
      route add default via fd00:0:0:2::2 table 1000
      -6 rule add fwmark 0xafffffff table 1000 priority 7]],
    "-6 route get 2001:db8:ff::9 mark 0xafffffff",
    "2001:db8:ff::9 from :: via fd00:0:0:2::2 dev v2 table 1000 src fd00:0:0:2::1 metric 1024 pref medium" },
  { "a flow without that mark, IPv6", "route_test.go",
    [[
      route add default via fd00:0:0:1::2
      route add default via fd00:0:0:2::2 table 1000
      -6 rule add fwmark 0xafffffff table 1000 priority 7]],
    "-6 route get 2001:db8:ff::9 mark 0xbfffffff",
    "2001:db8:ff::9 from :: via fd00:0:0:1::2 dev v1 src fd00:0:0:1::1 metric 1024 pref medium" },
  { "a flow of a user, IPv6", "route_test.go",
    [[
      route add default via fd00:0:0:1::2
      route add default via fd00:0:0:2::2 table 1000
      -6 rule add uidrange 1000-1000 table 1000 priority 7]],
    "-6 route get 2001:db8:ff::9 uid 1000",
    "2001:db8:ff::9 from :: via fd00:0:0:2::2 dev v2 table 1000 src fd00:0:0:2::1 metric 1024 pref medium" },
  { "a flow of another user, IPv6", "route_test.go",
    [[
      route add default via fd00:0:0:1::2
      route add default via fd00:0:0:2::2 table 1000
      -6 rule add uidrange 1000-1000 table 1000 priority 7]],
    "-6 route get 2001:db8:ff::9 uid 1001",
    "2001:db8:ff::9 from :: via fd00:0:0:1::2 dev v1 src fd00:0:0:1::1 metric 1024 pref medium" },
  { "the whole route of a flow, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 via 2001:db8:ff::9 dev v1 onlink",
    "-6 route get fibmatch 2001:db8:1::7",
    "2001:db8:1::/48 via 2001:db8:ff::9 dev v1 metric 1024 onlink pref medium" },
  { "the whole route of several hops, IPv6", "route_test.go",
    "route add 2001:db8:1::/48 nexthop via fd00:0:0:1::2 nexthop via fd00:0:0:2::2",
    "-6 route get fibmatch 2001:db8:1::7",
    "2001:db8:1::/48 metric 1024 pref medium nexthop via fd00:0:0:1::2 dev v1 weight 1 nexthop via fd00:0:0:2::2 dev v2 weight 1",
    any_order = true },
  { "an object, IPv6", "nexthop_test.go",
    "nexthop add id 7 via fd00:0:0:1::2 dev v1 proto bgp",
    "nexthop get id 7",
    "id 7 via fd00:0:0:1::2 dev v1 scope link proto bgp" },
  { "an object that is a blackhole, IPv6", "nexthop_test.go",
    "-6 nexthop add id 7 blackhole",
    "nexthop get id 7",
    "id 7 blackhole" },
  { "an object, replaced, IPv6", "nexthop_test.go",
    [[
      nexthop add id 7 via fd00:0:0:1::2 dev v1 proto bgp
      nexthop replace id 7 via fd00:0:0:2::2 dev v2 proto static]],
    "nexthop get id 7",
    "id 7 via fd00:0:0:2::2 dev v2 scope link proto static" },
  { "an object, deleted, IPv6", "nexthop_test.go",
    [[
      nexthop add id 7 via fd00:0:0:1::2 dev v1
      nexthop del id 7]],
    "nexthop show",
    "" },
  { "an object that is there, IPv6", "nexthop_test.go",
    [[
      nexthop add id 7 via fd00:0:0:1::2 dev v1
      nexthop add id 7 via fd00:0:0:2::2 dev v2 => EEXIST]],
    "nexthop get id 7",
    "id 7 via fd00:0:0:1::2 dev v1 scope link" },
  { "a route by an object, IPv6", "nexthop_test.go",
    [[
      nexthop add id 7 via fd00:0:0:1::2 dev v1
      route add 2001:db8:1::/48 nhid 7]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 nhid 7 via fd00:0:0:1::2 dev v1 metric 1024 pref medium" },
  { "a group, IPv6", "nexthop_test.go",
    [[
      nexthop add id 7 via fd00:0:0:1::2 dev v1
      nexthop add id 8 via fd00:0:0:2::2 dev v2
      nexthop add id 9 group 7,3/8,5]],
    "nexthop get id 9",
    "id 9 group 7,3/8,5" },
  { "a route by a group, IPv6", "nexthop_test.go",
    [[
      nexthop add id 7 via fd00:0:0:1::2 dev v1
      nexthop add id 8 via fd00:0:0:2::2 dev v2
      nexthop add id 9 group 7,3/8,5
      route add 2001:db8:1::/48 nhid 9]],
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 nhid 9 metric 1024 pref medium nexthop via fd00:0:0:1::2 dev v1 weight 3 nexthop via fd00:0:0:2::2 dev v2 weight 5" },
  { "a group of what is not there, IPv6", "nexthop_test.go",
    "nexthop add id 9 group 7/8 => EINVAL",
    "nexthop show",
    "" },
  { "by source and destination, IPv6", "rule_test.go",
    "-6 rule add from 2001:db8:1::/48 to 2001:db8:2::/48 table 100 priority 5",
    "-6 rule show priority 5",
    "5: from 2001:db8:1::/48 to 2001:db8:2::/48 lookup 100" },
  { "by source, of two, IPv6", "rule_test.go",
    [[
      -6 rule add from 2001:db8:1::/48 table 100 priority 5
      -6 rule add from 2001:db8:2::/48 table 100 priority 6]],
    "-6 rule show from 2001:db8:1::/48",
    "5: from 2001:db8:1::/48 lookup 100" },
  { "by destination, of two, IPv6", "rule_test.go",
    [[
      -6 rule add to 2001:db8:1::/48 table 100 priority 5
      -6 rule add to 2001:db8:2::/48 table 100 priority 6]],
    "-6 rule show to 2001:db8:2::/48",
    "6: from all to 2001:db8:2::/48 lookup 100" },
  { "by table, IPv6", "rule_test.go",
    [[
      -6 rule add from 2001:db8:1::/48 table 199 priority 5
      -6 rule add from 2001:db8:2::/48 table 100 priority 6]],
    "-6 rule show table 199",
    "5: from 2001:db8:1::/48 lookup 199" },
  { "by mark, IPv6", "rule_test.go",
    [[
      -6 rule add fwmark 0xbb table 100 priority 5
      -6 rule add fwmark 0xcc table 100 priority 6]],
    "-6 rule show fwmark 0xbb",
    "5: from all fwmark 0xbb lookup 100" },
  { "by mark and mask, IPv6", "rule_test.go",
    "-6 rule add fwmark 0x5/0x5 table 100 priority 5",
    "-6 rule show priority 5",
    "5: from all fwmark 0x5/0x5 lookup 100" },
  { "of an incoming device, IPv6", "rule_test.go",
    "-6 rule add iif lo table 100 priority 5",
    "-6 rule show iif lo",
    "5: from all iif lo lookup 100" },
  { "of an outgoing device, IPv6", "rule_test.go",
    "-6 rule add oif v1 table 100 priority 5",
    "-6 rule show oif v1",
    "5: from all oif v1 lookup 100" },
  { "of ports, IPv6", "rule_test.go",
    "-6 rule add ipproto tcp sport 80 dport 8000-8100 table 100 priority 5",
    "-6 rule show priority 5",
    "5: from all ipproto tcp sport 80 dport 8000-8100 lookup 100" },
  { "of users, IPv6", "rule_test.go",
    "-6 rule add uidrange 100-200 table 100 priority 5",
    "-6 rule show priority 5",
    "5: from all uidrange 100-200 lookup 100" },
  { "not so, IPv6", "rule_test.go",
    "-6 rule add not fwmark 0x1 table 100 priority 5",
    "-6 rule show priority 5",
    "5: not from all fwmark 0x1 lookup 100" },
  { "that leads on, IPv6", "rule_test.go",
    "-6 rule add from 2001:db8:1::/48 goto 32766 priority 5",
    "-6 rule show priority 5",
    "5: from 2001:db8:1::/48 goto 32766" },
  { "that suppresses defaults, IPv6", "rule_test.go",
    "-6 rule add table main suppress_prefixlength 0 priority 5",
    "-6 rule show priority 5",
    "5: from all lookup main suppress_prefixlength 0" },
  { "that is unreachable, IPv6", "rule_test.go",
    "-6 rule add from 2001:db8:1::/48 unreachable priority 5",
    "-6 rule show priority 5",
    "5: from 2001:db8:1::/48 unreachable" },
  { "a proxy, IPv6", "neigh_test.go",
    "neigh add proxy 2001:db8:ff::9 dev v1",
    "-6 neigh show proxy",
    "2001:db8:ff::9 dev v1 proxy" },
  { "a proxy, deleted, IPv6", "neigh_test.go",
    [[
      neigh add proxy 2001:db8:ff::9 dev v1
      neigh del proxy 2001:db8:ff::9 dev v1]],
    "-6 neigh show proxy",
    "" },
  { "by state, IPv6", "neigh_test.go",
    [[
      neigh add fd00:0:0:1::2 lladdr 02:00:00:00:00:01 dev v1 nud stale
      neigh add 2001:db8:ff::9 lladdr 02:00:00:00:00:02 dev v1 nud permanent]],
    "-6 neigh show nud permanent",
    "2001:db8:ff::9 dev v1 lladdr 02:00:00:00:00:02 PERMANENT" },
  { "tos", "route_test.go",
    "route add 192.0.2.1/32 dev v1 scope link src 10.0.1.1 metric 13 tos 0x0c",
    "-4 route show 192.0.2.1",
    "192.0.2.1 tos 0x0c dev v1 scope link src 10.0.1.1 metric 13" },
  { "by tos", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 tos 0x0c
      route add 192.0.2.0/24 dev v1]],
    "-4 route show tos 0x0c",
    "192.0.2.0/24 tos 0x0c dev v1 scope link", same = "ip leaves out what it was asked for" },
  { "realm", "route_test.go",
    "route add 192.0.2.1/32 dev v1 realm 239",
    "-4 route show 192.0.2.1",
    "192.0.2.1 dev v1 scope link realm 239" },
  { "by realm", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 realm 239
      route add 198.51.100.0/24 dev v1]],
    "-4 route show realm 239",
    "192.0.2.0/24 dev v1 scope link realm 239", same = "ip leaves out what it was asked for" },
  { "hoplimit", "route_test.go",
    "route add 192.0.2.1/32 dev v1 hoplimit 100",
    "-4 route show 192.0.2.1",
    "192.0.2.1 dev v1 scope link hoplimit 100" },
  { "by hoplimit", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1 hoplimit 100
      route add 198.51.100.0/24 dev v1]],
    "-4 route show hoplimit 100",
    "192.0.2.0/24 dev v1 scope link hoplimit 100", same = "ip has no such filter" },
  { "by scope", "route_test.go",
    [[
      route add 192.0.2.0/24 dev v1
      route add 198.51.100.0/24 via 10.0.1.2]],
    "-4 route show scope global",
    "198.51.100.0/24 via 10.0.1.2 dev v1" },
  { "hops without gateways", "route_test.go",
    "route add 192.0.2.0/24 nexthop dev v1 nexthop dev v2",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 nexthop dev v1 weight 1 nexthop dev v2 weight 1" },
  { "an IPv6 gateway", "route_test.go",
    "route add 192.0.2.0/24 via inet6 fd00:0:0:1::2 dev v1",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 via inet6 fd00:0:0:1::2 dev v1" },
  { "an IPv6 gateway of a hop", "route_test.go",
    "route add 192.0.2.0/24 nexthop via inet6 fd00:0:0:1::2 dev v1 nexthop via 10.0.2.2",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 nexthop via inet6 fd00:0:0:1::2 dev v1 weight 1 nexthop via 10.0.2.2 dev v2 weight 1" },
  { "an IPv6 gateway, deleted", "route_test.go",
    [[
      route add 192.0.2.0/24 via inet6 fd00:0:0:1::2 dev v1
      route del 192.0.2.0/24 via inet6 fd00:0:0:1::2]],
    "-4 route show 192.0.2.0/24",
    "" },
  { "an object with an IPv6 gateway", "route_test.go",
    [[
      nexthop add id 1 via fe80::1 dev v1
      route add 192.0.2.0/24 nhid 1]],
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 nhid 1 via inet6 fe80::1 dev v1" },
  { "encap ip6", "route_test.go",
    "route add 192.0.2.0/24 encap ip6 dst 2001:db8:: src :: dev v1",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 encap ip6 id 0 src :: dst 2001:db8:: hoplimit 0 tc 0 dev v1 scope link" },
  { "encap seg6, inline", "route_test.go",
    "route add 2001:db8::1/128 encap seg6 mode inline segs fc00:a000::11,fc00:a000::12 dev v1",
    "-6 route show 2001:db8::1",
    "2001:db8::1 encap seg6 mode inline segs 3 [ fc00:a000::11 fc00:a000::12 :: ] dev v1 metric 1024 pref medium", needs = "encap seg6" },
  { "encap seg6 of IPv4", "route_test.go",
    "route add 10.9.0.102/32 encap seg6 mode encap segs fc00:a000::21,fc00:a000::22 dev v1",
    "-4 route show 10.9.0.102",
    "10.9.0.102 encap seg6 mode encap segs 2 [ fc00:a000::21 fc00:a000::22 ] dev v1 scope link", needs = "encap seg6" },
  { "encap seg6local", "route_test.go",
    "route add 2001:db8::1/128 encap seg6local action End.B6 srh segs fc00:a000::11,fc00:a000::12 dev v1",
    "-6 route show 2001:db8::1",
    "2001:db8::1 encap seg6local action End.B6 segs 3 [ fc00:a000::11 fc00:a000::12 :: ] dev v1 metric 1024 pref medium", needs = "encap seg6local" },
  { "an expiry", "route_test.go",
    "route add 2001:db8::/64 dev v1 expires 100",
    "-6 route show 2001:db8::/64",
    "2001:db8::/64 dev v1 metric 1024 expires some pref medium" },
  { "a preference", "route_test.go",
    "route add 2001:db8::/64 via fd00:0:0:1::2 pref high",
    "-6 route show 2001:db8::/64",
    "2001:db8::/64 via fd00:0:0:1::2 dev v1 metric 1024 pref high" },
  { "a label", "addr_test.go",
    "addr add 10.9.0.1/24 dev v1 label v1:x",
    "-4 addr show label v1:x",
    "inet 10.9.0.1/24 scope global v1:x valid_lft forever preferred_lft forever" },
  { "lifetimes", "addr_test.go",
    "addr replace 10.9.0.1/24 dev v1 valid_lft 3600 preferred_lft 1800",
    "-4 addr show dev v1 to 10.9.0.1/24",
    "inet 10.9.0.1/24 scope global dynamic v1 valid_lft some preferred_lft some" },
  { "a scope", "addr_test.go",
    "addr add 10.9.0.1/24 dev v1 scope link",
    "-4 addr show dev v1 scope link",
    "inet 10.9.0.1/24 scope link v1 valid_lft forever preferred_lft forever" },
  { "another mtu", "link_test.go",
    "link set dev v1 mtu 1400",
    "link show dev v1",
    "v1 up mtu 1400 link/ether 02:00:00:00:00:01" },
  { "down", "link_test.go",
    "link set dev v1 down",
    "link show dev v1",
    "v1 down mtu 1500 link/ether 02:00:00:00:00:01" },
  { "an alias", "link_test.go",
    "link set dev v1 alias spare",
    "link show dev v1",
    "v1 up mtu 1500 alias spare link/ether 02:00:00:00:00:01" },
  { "another hardware address", "link_test.go",
    "link set dev v1 address 02:00:00:00:00:77",
    "link show dev v1",
    "v1 up mtu 1500 link/ether 02:00:00:00:00:77" },
  { "a macvlan", "link_test.go",
    "link add link v1 name x0 type macvlan mode private",
    "link show type macvlan",
    "x0 down mtu 1500" },
  { "a vlan", "link_test.go",
    "link add link v1 name x0 type vlan id 7",
    "link show type vlan",
    "x0 down mtu 1500 link/ether 02:00:00:00:00:01", needs = "link vlan" },
  { "an ipvlan", "link_test.go",
    "link add link v1 name x0 type ipvlan mode l3",
    "link show type ipvlan",
    "x0 down mtu 1500 link/ether 02:00:00:00:00:01", needs = "link ipvlan" },
  { "a vrf", "link_test.go",
    "link add name x0 type vrf table 10",
    "link show type vrf",
    "x0 down mtu 65575", needs = "link vrf" },
  { "a vxlan", "link_test.go",
    "link add name x0 type vxlan id 7 dev v1 dstport 4789",
    "link show type vxlan",
    "x0 down mtu 1450" },
  { "the way in a VRF", "route_test.go",
    [[
      link add name red type vrf table 10
      link set dev red up
      link set dev v2 master red
      addr add 10.0.2.5/24 dev v2
      route add 192.0.2.0/24 via 10.0.2.2 table 10]],
    "-4 route get 192.0.2.7 vrf red",
    "192.0.2.7 via 10.0.2.2 dev v2 table 10 src 10.0.2.1", needs = "link vrf" },
}
