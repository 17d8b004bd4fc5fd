--- Cases of the suite of iproute2; see spec/peer_suites_spec.lua.
return {
  { "a default route, IPv4", "ip/route/add_default_route.t",
    "route add default via 10.0.1.2",
    "-4 route show default",
    "default via 10.0.1.2 dev v1" },
  { "a default route beside another one, IPv4", "ip/route/add_default_route.t",
    [[
      route add default via 10.0.1.2
      route add 192.0.2.0/24 dev v1]],
    "-4 route show default",
    "default via 10.0.1.2 dev v1" },
  { "a route by a device alone, IPv4", "ip/route/add_default_route.t",
    "route add 192.0.2.0/24 dev v1",
    "-4 route show 192.0.2.0/24",
    "192.0.2.0/24 dev v1 scope link" },
  { "a default route, deleted, IPv4", "ip/route/add_default_route.t",
    [[
      route add default via 10.0.1.2
      route del default via 10.0.1.2]],
    "-4 route show default",
    "" },
  { "routes go with their device, IPv4", "ip/route/add_default_route.t",
    [[
      route add 192.0.2.0/24 dev v2
      link del dev v2]],
    "-4 route show 192.0.2.0/24",
    "" },
  { "a rule by dsfield, IPv4", "ip/rule/dsfield.t",
    "-4 rule add dsfield 0x10 table 100 priority 7",
    "-4 rule show dsfield 0x10",
    "7: from all tos 0x10 lookup 100" },
  { "a rule by dsfield, deleted, IPv4", "ip/rule/dsfield.t",
    [[
      -4 rule add dsfield 0x10 table 100 priority 7
      -4 rule del dsfield 0x10 table 100]],
    "-4 rule show dsfield 0x10",
    "" },
  { "a rule by tos, IPv4", "ip/rule/dsfield.t",
    "-4 rule add tos 0x08 table 100 priority 7",
    "-4 rule show tos 0x08",
    "7: from all tos 0x08 lookup 100" },
  { "a rule by tos, deleted, IPv4", "ip/rule/dsfield.t",
    [[
      -4 rule add tos 0x08 table 100 priority 7
      -4 rule del tos 0x08 priority 7]],
    "-4 rule show tos 0x08",
    "" },
  { "a neighbour, listed, IPv4", "ip/neigh/basic.t",
    "neigh add 10.0.1.2 lladdr 02:00:00:00:00:01 dev v1",
    "neigh show 10.0.1.2",
    "10.0.1.2 dev v1 lladdr 02:00:00:00:00:01 PERMANENT" },
  { "a neighbour, asked for, IPv4", "ip/neigh/basic.t",
    "neigh add 10.0.1.2 lladdr 02:00:00:00:00:01 dev v1",
    "neigh get 10.0.1.2 dev v1",
    "10.0.1.2 dev v1 lladdr 02:00:00:00:00:01 PERMANENT" },
  { "a neighbour, deleted, IPv4", "ip/neigh/basic.t",
    [[
      neigh add 10.0.1.2 lladdr 02:00:00:00:00:01 dev v1
      neigh del 10.0.1.2 dev v1]],
    "neigh show 10.0.1.2 nud permanent",
    "" },
  { "a neighbour in the state reachable, IPv4", "ip/neigh/basic.t",
    "neigh add 10.0.1.2 lladdr 02:00:00:00:00:01 dev v1 nud reachable",
    "neigh show 10.0.1.2",
    "10.0.1.2 dev v1 lladdr 02:00:00:00:00:01 REACHABLE" },
  { "a default route, IPv6", "ip/route/add_default_route.t",
    "route add default via fd00:0:0:1::2",
    "-6 route show default",
    "default via fd00:0:0:1::2 dev v1 metric 1024 pref medium" },
  { "a default route beside another one, IPv6", "ip/route/add_default_route.t",
    [[
      route add default via fd00:0:0:1::2
      route add 2001:db8:1::/48 dev v1]],
    "-6 route show default",
    "default via fd00:0:0:1::2 dev v1 metric 1024 pref medium" },
  { "a route by a device alone, IPv6", "ip/route/add_default_route.t",
    "route add 2001:db8:1::/48 dev v1",
    "-6 route show 2001:db8:1::/48",
    "2001:db8:1::/48 dev v1 metric 1024 pref medium" },
  { "a default route, deleted, IPv6", "ip/route/add_default_route.t",
    [[
      route add default via fd00:0:0:1::2
      route del default via fd00:0:0:1::2]],
    "-6 route show default",
    "" },
  { "routes go with their device, IPv6", "ip/route/add_default_route.t",
    [[
      route add 2001:db8:1::/48 dev v2
      link del dev v2]],
    "-6 route show 2001:db8:1::/48",
    "" },
  { "a rule by dsfield, IPv6", "ip/rule/dsfield.t",
    "-6 rule add dsfield 0x10 table 100 priority 7",
    "-6 rule show dsfield 0x10",
    "7: from all tos 0x10 lookup 100" },
  { "a rule by dsfield, deleted, IPv6", "ip/rule/dsfield.t",
    [[
      -6 rule add dsfield 0x10 table 100 priority 7
      -6 rule del dsfield 0x10 table 100]],
    "-6 rule show dsfield 0x10",
    "" },
  { "a rule by tos, IPv6", "ip/rule/dsfield.t",
    "-6 rule add tos 0x08 table 100 priority 7",
    "-6 rule show tos 0x08",
    "7: from all tos 0x08 lookup 100" },
  { "a rule by tos, deleted, IPv6", "ip/rule/dsfield.t",
    [[
      -6 rule add tos 0x08 table 100 priority 7
      -6 rule del tos 0x08 priority 7]],
    "-6 rule show tos 0x08",
    "" },
  { "a neighbour, listed, IPv6", "ip/neigh/basic.t",
    "neigh add fd00:0:0:1::2 lladdr 02:00:00:00:00:01 dev v1",
    "neigh show fd00:0:0:1::2",
    "fd00:0:0:1::2 dev v1 lladdr 02:00:00:00:00:01 PERMANENT" },
  { "a neighbour, asked for, IPv6", "ip/neigh/basic.t",
    "neigh add fd00:0:0:1::2 lladdr 02:00:00:00:00:01 dev v1",
    "neigh get fd00:0:0:1::2 dev v1",
    "fd00:0:0:1::2 dev v1 lladdr 02:00:00:00:00:01 PERMANENT" },
  { "a neighbour, deleted, IPv6", "ip/neigh/basic.t",
    [[
      neigh add fd00:0:0:1::2 lladdr 02:00:00:00:00:01 dev v1
      neigh del fd00:0:0:1::2 dev v1]],
    "neigh show fd00:0:0:1::2 nud permanent",
    "" },
  { "a neighbour in the state reachable, IPv6", "ip/neigh/basic.t",
    "neigh add fd00:0:0:1::2 lladdr 02:00:00:00:00:01 dev v1 nud reachable",
    "neigh show fd00:0:0:1::2",
    "fd00:0:0:1::2 dev v1 lladdr 02:00:00:00:00:01 REACHABLE" },
  { "a link of kind dummy", "ip/link/new_link.t",
    "link add name x0 type dummy",
    "link show dev x0",
    "x0 down mtu 1500", needs = "link dummy" },
  { "a link by the word dev", "ip/link/new_link.t",
    "link add dev x0 type ifb",
    "link show dev x0",
    "x0 down mtu 1500" },
  { "a link whose kind comes first", "ip/link/new_link.t",
    "link add x0 type ifb",
    "link show dev x0",
    "x0 down mtu 1500" },
  { "a link, deleted", "ip/link/new_link.t",
    [[
      link add name x0 type ifb
      link del dev x0]],
    "link show type ifb",
    "" },
  { "a pair", "ip/link/new_link.t",
    "link add name x0 type veth peer name x1",
    "link show type veth",
    [[
      p1 up mtu 1500 link/ether 02:00:00:00:01:01
      v1 up mtu 1500 link/ether 02:00:00:00:00:01
      p2 up mtu 1500 link/ether 02:00:00:00:01:02
      v2 up mtu 1500 link/ether 02:00:00:00:00:02
      x1 down mtu 1500
      x0 down mtu 1500]] },
  { "a bridge", "ip/link/new_link.t",
    "link add name x0 type bridge",
    "link show type bridge",
    "x0 down mtu 1500" },
  { "a bridge's port", "ip/link/new_link.t",
    [[
      link add name x0 type bridge
      link set dev v2 master x0]],
    "link show master x0",
    "v2 up mtu 1500 master x0 link/ether 02:00:00:00:00:02" },
  { "a name that is taken", "ip/link/new_link.t",
    "link add name v1 type ifb => EEXIST",
    "link show type ifb",
    "" },
  { "another name", "ip/link/new_link.t",
    [[
      link set dev v2 down
      link set dev v2 name w2]],
    "link show dev w2",
    "w2 down mtu 1500 link/ether 02:00:00:00:00:02" },
}
