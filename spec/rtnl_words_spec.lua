--- What is typed after `ip OBJECT add` means what it means to ip: the same lines, given to ip in one
--- namespace and to the library in another, leave the same behind.
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"

local function lines(text)
  local list <const> = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- What runs or settles by itself, and what is drawn by lot.
local function still(text)
  return (text:gsub("(%a+_lft) %d%d+sec", "%1 Nsec"):gsub("%s+$", "")
    :gsub("tentative ", ""):gsub("inet6 fe80:[^\n]*\n[^\n]*\n", ""))
end

-- Addresses that the kernel draws by lot, and what it makes of them.
local function lot(text)
  return (text:gsub("link/ether %S+", "link/ether M"):gsub("(bridge_id) %S+", "%1 I")
    :gsub("(designated_%l+) %x+%.%S+", "%1 I"):gsub("(_timer) +[%d.]+", "%1 N")
    :gsub("state %u+", "state S"):gsub("NO%-CARRIER,", ""):gsub(",LOWER_UP", "")
    :gsub("state %l+ing", "state s"):gsub(",M%-DOWN", ""))
end

local function sorted(text)
  local list <const> = lines(text)
  table.sort(list)
  return list
end

local function given(space, object, verb, words)
  local ok <const>, why <const> = space.nl[object][verb](space.nl[object], words)
  assert(ok, why)
end

-- `shows`: what is to read the same, as typed after `ip`.
local function same(pairs_of_links, object, verb, spellings, shows, options)
  local theirs <close> = scratch.new(pairs_of_links)
  local ours <close> = scratch.new(pairs_of_links)
  local command <const> = ("%s %s "):format(object, verb)
  theirs:batch(command .. table.concat(spellings, "\n" .. command), options)
  for _, words in ipairs(spellings) do given(ours, object, verb, words) end
  for _, show in ipairs(shows) do
    assert.is_true(#theirs:show(show) > 0)
    scratch.settled(function()
      return table.concat(sorted(lot(still(theirs:show(show)))), "\n"),
        table.concat(sorted(lot(still(ours:show(show)))), "\n")
    end)
  end
end

local ADDRESSES <const> = [[
10.1.0.1/24 dev v1
10.2.0.1/30 dev v1
10.3.0.1/24 brd + dev v1
10.4.0.1/24 broadcast - dev v1
10.5.0.1/24 brd 10.5.0.200 dev v1
10.6.0.1/31 brd + dev v1
10.7.0.1 brd + dev v1
10.8.0.1 peer 10.8.0.2 dev v1
10.9.0.1 peer 10.9.0.2/24 brd + dev v1
10.10.0.1 remote 10.10.1.2/16 brd - dev v1
local 10.11.0.1/24 dev v1 label v1:x
10.12/16 dev v1
10.13.0.1/255.255.255.0 dev v1 scope link
10.14.0.1/24 scope 0x10 dev v1
10.15.0.1/24 valid_lft 500 preferred_lft 200 dev v1
10.16.0.1/24 valid_lft forever preferred_lft 0 dev v1
10.17.0.1/24 priority 7 dev v1 noprefixroute
10.18.0.1/24 anycast 10.18.0.9 dev v1
127.5.0.1/24 dev v1
127.6.0.1/24 dev lo
127.7.0.1/24 dev v1 scope global
fd01::1/64 dev v1
fd02::1 dev v1 nodad
fd03::1 peer fd03::2/64 dev v1 home mngtmpaddr
fd04::1/64 dev v1 metric 77 optimistic
fd05::1/64 dev v1 valid_lft 500 preferred_lft 0
fd06::1/64 dev v1 scope site
fd07::1/64 dev v1 anycast fd07::9 temporary
]]

local RULES <const> = [[
from 10/8 table 7
from 10.0.0.0/255.0.0.0 to 5.6.7.8 lookup main
from all fwmark 0x5/0xff table 70000
not fwmark 10/15 iif v1 oif absent0 table 0x100
dev v1 tos 0x10 lookup default
dsfield default table 7
tos 4 table 7
uidrange 0-0 ipproto tcp sport 5-9 dport 80 table 7
ipproto l2tp table 7
ipproto 255 table 7
ipproto ipv6-icmp table 7
realms cosmos table 7
realms 4/0 table 7
realms 0x3/5 table 7
suppress_ifgroup default table main
sup_group 5 sup_pl 3 table main
suppress_prefixlength 0 lookup main protocol static
type unicast from 1.2.3.1 table 7
unicast from 1.2.3.2 table 7
blackhole from 1.2.3.3
type prohibit from 1.2.3.4
from 1.2.3.5 unreachable proto 77
from 1.2.3.6 goto 32766 pref 100
from 1.2.3.7 goto 20000 preference 1000
pref 0x65 nop
order 102 tun_id 5 table 8
l3mdev priority 1000 protocol kernel
from 1.2.3.8 priority 0 table 9
]]

local RULES6 <const> = [[
from 2001:db8::/32 dsfield AF21 table 7
from 2001:db8::1 to 2001:db8::/64 iif v1 oif v2 fwmark 1/2 tos 0x10 lookup 7 pref 4
to ::1 ipproto udp sport 1 dport 2-3 uidrange 0-0 table 7
to ::1 tos EF prohibit
to ::1 goto 32766 pref 3
to ::1 suppress_ifgroup 5 lookup main protocol bgp
from ::/0 to fd00::1 blackhole
]]

local NEIGHBOURS <const> = [[
10.0.1.5 lladdr 02:00:00:00:00:01 dev v1
to 10.0.1.6 lladdr 2:0:0:0:0:1 dev v1 nud stale
10.0.1.7 lladdr 02:00:00:00:00:01 dev v1 nud noarp router
10.0.1.8 lladdr 02:00:00:00:00:01 nud 0x2 dev v1 protocol static
10.0.1.9 dev v1 nud failed
10.0.1.10 dev v1 nud none
10.0.1.11 lladdr 02:00:00:00:00:01 dev v1 extern_learn proto 77
proxy 10.0.1.12 dev v1 router
fd00:0:0:1::5 lladdr 02:00:00:00:00:01 dev v1 router
proxy fd00:0:0:1::6 dev v1 protocol bird
]]

local NEXTHOPS <const> = [[
id 1 via 10.0.1.2 dev v1
id 0x2 dev v1 via 10.0.1.3 proto static
via fd00:0:0:1::2 dev v1 id 3 protocol 77
id 4 blackhole
id 5 via inet6 fe80::1 dev v1
id 6 via 172.31.0.1 dev v1 onlink
id 7 group 1,255/2,0x7
id 8 group 1/2 type mpath proto bgp
id 9 group 1/2,3 type resilient buckets 8 idle_timer 60 unbalanced_timer 300
id 10 via 10.0.1.9 fdb
id 11 group 10 fdb
id 12 encap ip id 5 dst 1.2.3.4 dev v1
]]

local LINKS <const> = [[
add a0 type ifb
add name a1 type ifb
add dev a2 index 99 mtu 0x500 type ifb
add a3 address 02:00:00:00:00:07 txqlen 5 group 0x5 alias foo type ifb
add a4 addr 02:00:00:00:00:08 qlen 7 group default brd ff:ff:ff:ff:ff:fe type ifb
add a5 gso_max_size 1000 gso_max_segs 100 gro_max_size 1000 mode dormant type ifb
add a6 up arp off multicast off promisc on allmulticast on dynamic on trailers off type ifb
add b0 type veth peer name b1
add b2 mtu 1300 type veth peer dev b3 mtu 1200 address 02:00:00:00:00:09
add b4 numtxqueues 2 numrxqueues 2 type veth peer b5 numtxqueues 2
add c0 type bridge
add c1 type bridge forward_delay 400 hello_time 200 max_age 2000 ageing_time 300 priority 0x10
add c2 type bridge group_fwd_mask 8 group_address 01:80:c2:00:00:04 no_linklocal_learn 1
add c3 type bridge mcast_snooping 0 mcast_router 0 mcast_query_use_ifaddr 1 mcast_querier 1
add c4 type bridge mcast_hash_max 512 mcast_last_member_count 3 mcast_startup_query_count 4
add c5 type bridge mcast_last_member_interval 200 mcast_membership_interval 2600 \
  mcast_querier_interval 2500 mcast_query_interval 1250 mcast_query_response_interval 100 \
  mcast_startup_query_interval 3000 mcast_stats_enabled 1 mcast_igmp_version 3 mcast_mld_version 2
add c6 type bridge nf_call_iptables 1 nf_call_ip6tables 1 nf_call_arptables 1
add d0 link v1 type macvlan
add link v1 name d1 type macvlan mode bridge
add link v1 d2 type macvlan mode vepa bcqueuelen 7 nodst
add link v2 d3 type macvlan mode passthru flag nopromisc
add link v1 d4 type macvtap mode private
add e0 type vxlan id 1 dev v1 remote 10.0.1.2 dstport 4789
add e1 type vxlan vni 2 dev v1 group 239.1.1.1 dstport 4789 ttl 7 tos inherit
add e2 type vxlan id 3 local 10.0.1.1 nolearning dstport 0 ttl inherit tos AF21 df set
add e3 type vxlan id 4 dstport 0 ttl auto dsfield 10 df inherit srcport 100 200
add e4 type vxlan id 5 dstport 0 hoplimit 9 port 7 9 ageing 5 maxaddress 7
add e5 type vxlan id 6 dstport 0 proxy rsc l2miss l3miss udpcsum noudp6zerocsumtx
add e6 type vxlan id 7 dstport 0 ageing none maxaddress unlimited udp6zerocsumrx noudpcsum
add e7 type vxlan id 8 dstport 0 remcsumtx noremcsumrx gbp noproxy learning
add e8 type vxlan id 9 dstport 0 remote fd00:0:0:1::7 flowlabel 0x77
add e9 type vxlan external dstport 4799 gpe
add f0 type vxlan external vnifilter dstport 4800
set a0 up
set dev a0 down
set b1 mtu 1300 address 02:00:00:00:00:0a
set a2 txqueuelen 8 alias bar group 7
set a6 arp on multicast on promisc off trailers on dynamic off
set b0 addrgenmode none
set b1 addrgenmode random
set b2 master c0
set b2 type bridge_slave cost 5 priority 7 guard on hairpin on fastleave on root_block on
set b2 type bridge_slave learning off flood off mcast_flood off isolated on locked on
set b3 master c0 up
set b3 type bridge_slave mcast_fast_leave on proxy_arp on proxy_arp_wifi on bcast_flood off
set b3 type bridge_slave mcast_router 2 mcast_to_unicast on group_fwd_mask 0x8
set b3 type bridge_slave neigh_suppress on vlan_tunnel on backup_port b2
set b4 master c0
set b4 type bridge_slave backup_port b2
set b4 type bridge_slave nobackup_port
set c0 type bridge fdb_flush
set c0 type bridge mcast_router 2 group_fwd_mask 0x10
set b5 name g0
set dev a0 name g1 up
set mtu 1400 dev a1
set up d1
set b4 nomaster
]]

describe("the words typed after ip #netns", function()
  it("link add and ip link set mean what they mean to ip", function()
    local theirs <close> = scratch.new(2)
    local ours <close> = scratch.new(2)
    local given_lines <const> = lines((LINKS:gsub("\\\n", "")))
    theirs:batch("link " .. table.concat(given_lines, "\nlink "), "-force")
    for _, line in ipairs(given_lines) do
      local verb <const>, words <const> = line:match "^(%l+) (.*)$"
      local ok <const>, why <const>, code <const> = ours.nl.link[verb](ours.nl.link, words)
      -- some kernels lack a kind, or a bridge's multicast
      assert(ok or code == "EOPNOTSUPP" or code == "ENODEV", why)
    end
    scratch.settled(function()
      return lot(theirs:show "-d link show"), lot(ours:show "-d link show")
    end)
  end)

  it("rule add mean what they mean to ip", function()
    same(1, "rule", "add", lines(RULES), { "-d rule show" })
  end)

  it("-6 rule add mean what they mean to ip", function()
    same(1, "rule", "add", lines(RULES6), { "-6 -d rule show" }, "-6")
  end)

  it("neigh add mean what they mean to ip", function()
    same(1, "neigh", "add", lines(NEIGHBOURS), { "neigh show dev v1", "neigh show proxy dev v1",
      "neigh show dev v1 nud none", "neigh show dev v1 nud noarp to 10.0.0.0/8" })
  end)

  it("nexthop add mean what they mean to ip", function()
    same(1, "nexthop", "add", lines(NEXTHOPS), { "-d nexthop show" })
  end)

  it("addr add mean what they mean to ip", function()
    same(1, "addr", "add", lines(ADDRESSES), { "addr show dev v1", "addr show dev lo" })
  end)
end)

describe("the name of a link with a kind", function()
  it("may stand behind dev, wherever words are taken", function()
    local link <const> = assert(rtnl.parse("link", "dev t0 mtu 1400 type ifb"))
    assert.are.same({ name = "t0", mtu = 1400, type = "ifb" }, link)
    assert.are.same({ dev = "t0", up = true }, rtnl.parse("link", "dev t0 up"))
    assert.are.same({ dev = "t0", name = "t1", type = "ifb" },
      rtnl.parse("link", "dev t0 name t1 type ifb"))
  end)
end)

describe("an encapsulation by its number", function()
  it("is the one of that name, where it has one", function()
    local route <const> = assert(rtnl.parse("route", "10.9.0.0/16 encap 1 100/200 dev lo"))
    assert.are.same({ type = "mpls", labels = { 100, 200 } }, route.encap)
    assert.is_nil(rtnl.parse("route", "10.9.0.0/16 nexthop encap 1"))
  end)
end)

describe("a broadcast address #netns", function()
  it("is made of the prefix where it is asked for, in tables as well", function()
    local space <close> = scratch.new(1)
    local nl <const> = space.nl
    assert(nl.addr:add { address = "10.1.0.1/24", dev = "v1" })
    assert(nl.addr:add { address = "10.2.0.1/24", dev = "v1", broadcast = "+" })
    assert(nl.addr:add { address = "10.3.0.9/24", dev = "v1", broadcast = "-" })
    assert(nl.addr:add { address = "10.4.0.1/31", dev = "v1", broadcast = "+" })
    local found <const> = {}
    for i = 1, 4 do
      local addr <const> = nl.addr:list { address = ("10.%d.0.%d/%d"):format(i, i == 3 and 9 or 1,
        i == 4 and 31 or 24) }[1]
      found[i] = addr.broadcast or "none"
    end
    assert.are.same({ "none", "10.2.0.255", "10.3.0.0", "none" }, found)
  end)

  it("is not made up for a copy of an address that has none", function()
    local space <close> = scratch.new(1)
    space:ip "addr add 10.1.0.1/24 dev v1"
    local addr <const> = space.nl.addr:list { address = "10.1.0.1/24" }[1]
    local copy <const> = addr:copy()
    assert(space.nl.addr:del(addr))
    assert(space.nl.addr:add(copy))
    assert.is_true(addr == space.nl.addr:list { address = "10.1.0.1/24" }[1])
  end)

  it("is refused with an IPv6 address", function()
    local space <close> = scratch.new(1)
    assert.error_matches(function() space.nl.addr:add "fd01::1/64 brd + dev v1" end,
      "broadcast: an IPv6 address has none")
  end)
end)
