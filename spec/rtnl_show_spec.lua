--- Links, addresses, rules, neighbours and next hops read as `ip OBJECT show` prints them.
local helper = require "spec.helper"
local scratch = require "spec.scratch"

local LINKS <const> = [[
link add br0 type bridge
link set br0 up
link set p1 master br0
link set v2 alias hello
link property add dev v2 altname other
link property add dev v2 altname other2
link set p2 down
link set v2 txqueuelen 77 group 5 mtu 1400
link set v3 promisc on
link set v3 multicast off
link set v3 arp off
link set v3 mode dormant
]]

-- What the kinds of links have of their own.
local KINDS <const> = [[
link add br1 type bridge mcast_router 2 no_linklocal_learn 1 ageing_time 100
link add a1 type veth peer name b1
link set a1 master br1
link set b1 master br1
link set b1 type bridge_slave group_fwd_mask 12 backup_port a1 hairpin on
link add vx1 type vxlan id 8 dstport 4790 group 239.1.1.1 dev v1 ttl inherit srcport 7 9 nolearning
link add vx2 type vxlan id 9 dstport 4791 noudpcsum udp6zerocsumrx ageing none tos inherit df set
link add vx3 type vxlan external dstport 4792 gbp
link add mv1 link v2 type macvlan mode private bcqueuelen 8
link add mt1 link v2 type macvtap mode bridge
link set mv1 addrgenmode none alias foo
]]

local ADDRESSES <const> = [[
addr add 10.9.0.1 peer 10.9.0.2/32 dev v1
addr add 10.9.1.1/24 dev v1 label v1:x scope link metric 7
addr add 10.9.2.2/24 dev v1 valid_lft 1000 preferred_lft 500 noprefixroute
addr add 10.9.2.3/24 dev v1 valid_lft 1000 preferred_lft 0
addr add 10.0.1.9/24 brd + dev v1
addr add fd01::1/64 dev v1 home nodad noprefixroute
addr add fd01::2/64 dev v1 optimistic mngtmpaddr
addr add fd01::3 peer fd01::4/128 dev v1 nodad
addr add fd01::5/64 dev lo
]]

local NEIGHBOURS <const> = [[
neigh add 10.0.1.9 lladdr 02:00:00:00:00:99 dev v1
neigh add 10.0.1.10 lladdr 02:00:00:00:00:9a dev v1 nud stale router
neigh add 10.0.1.11 lladdr 02:00:00:00:00:9a dev v1 nud noarp extern_learn
neigh add 10.0.1.12 dev v1 managed
neigh add proxy 10.0.1.77 dev v1
neigh add fd00:0:0:1::9 lladdr 02:00:00:00:00:99 dev v1 nud reachable protocol static
neigh add proxy fd00:0:0:1::77 dev v1
]]

local NEXTHOPS <const> = [[
nexthop add id 1 via 10.0.1.2 dev v1
nexthop add id 2 via 10.0.1.3 dev v1 proto static
nexthop add id 3 blackhole
nexthop add id 4 dev v1
nexthop add id 5 via fd00:0:0:1::2 dev v1
nexthop add id 6 group 1/2,5
nexthop add id 7 group 1,3/2,5 type resilient buckets 8 idle_timer 50 unbalanced_timer 100
nexthop add id 8 encap ip6 dst fd01::1 via fd00:0:0:1::2 dev v1
nexthop add id 9 via 172.31.1.1 dev v1 onlink
nexthop add id 10 group 1,255/2,200
]]

local RULES <const> = [[
rule add from 10.0.0.0/8 table 100 priority 50
rule add to 10.1.0.0/16 iif v1 fwmark 0x10/0xff lookup 101 priority 51
rule add not from 10.0.0.1 oif v2 uidrange 0-0 ipproto tcp sport 1-7 dport 80 prohibit priority 52
rule add tos 0x10 goto 60 priority 53
rule add from 10.3.0.0/16 priority 60 nop
rule add l3mdev priority 61
rule add table 100 suppress_prefixlength 0 priority 62 protocol 99
rule add table 100 suppress_ifgroup 3 realms 5/6 priority 63
rule add table 100 realms 6 priority 64 iif absent0
rule add from 10.7.0.0/16 blackhole priority 65
rule add from 10.7.0.0/16 unreachable priority 66
rule add from 10.7.0.0/16 goto 9999 priority 67
rule add fwmark 7 table 70000 priority 68
rule add tos 0x04 table 100 priority 69
rule add realms 3/0 table 100 priority 70
rule add ipproto l2tp suppress_ifgroup default table 100 priority 71
rule add ipproto 255 protocol kernel table 100 priority 72
]]

-- Counters and clocks run between two readings.
local function still(text)
  return (text:gsub("valid_lft %d+sec preferred_lft (%d+)sec", function(preferred)
    return "valid_lft Nsec preferred_lft " .. (preferred == "0" and "0" or "N") .. "sec"
  end):gsub("(unbalanced_time) [%d.]+", "%1 N"):gsub("(idle_time) [%d.]+", "%1 N")
    :gsub("(_timer) +%d+%.%d%d", "%1 N"))
end

-- Line for line: the first that differs is the failure. Links and addresses change state by themselves for a
-- while after they are made, hence more than one look.
local function same_in(space, command, text_of)
  local text, theirs
  pcall(helper.eventually, function()
    text, theirs = still(text_of()), still(space:show(command))
    return text == theirs
  end)
  local ours <const> = (text .. "\n"):gmatch "(.-)\n"
  for line in (theirs .. "\n"):gmatch "(.-)\n" do
    assert.are.equal(line, ours())
  end
  assert.is_nil(ours())
end

describe("the text of #netns", function()
  local space

  local function same(command, text_of) same_in(space, command, text_of) end

  setup(function()
    space = scratch.new(3)
    space:batch(LINKS .. ADDRESSES .. NEIGHBOURS .. NEXTHOPS .. RULES)
    for _, kind in ipairs { "dummy", "ifb", "vlan", "macvlan", "vxlan", "ipvlan", "vrf" } do
      if space:knows(kind) then
        local extra <const> = { vxlan = "id 7 dstport 4789 remote 10.0.1.2 dev v1", vlan = "id 7",
          vrf = "table 9" }
        local lower <const> = { vlan = "link p2", macvlan = "link p2", ipvlan = "link p3" }
        space:ip(("link add %s0 %s type %s %s"):format(kind, lower[kind] or "", kind, extra[kind]
          or ""))
      end
    end
    space:ip "-6 rule add from fd00::/8 lookup 100"
  end)

  teardown(function() space:close() end)

  it("links is that of ip link show", function()
    same("link show", function() return tostring(space.nl.link:list()) end)
  end)

  it("links in detail is that of ip -d link show", function()
    local other <close> = scratch.new(3)
    other:batch(LINKS .. KINDS .. ADDRESSES, "-force")
    local nl <const> = other.nl
    same_in(other, "-d link show", function() return nl.link:list():text { details = true } end)
    for _, family in ipairs { "-4 ", "-6 ", "" } do
      local filter <const> = { family = tonumber(family:match "%d") }
      same_in(other, family .. "-d addr show",
        function() return nl.addr:list(filter):text { details = true } end)
    end
  end)

  it("some links is that of ip link show up, and of a kind", function()
    same("link show up", function() return tostring(space.nl.link:list { up = true }) end)
    same("link show type veth", function() return tostring(space.nl.link:list { type = "veth" }) end)
  end)

  it("one link is that of ip link show dev", function()
    for _, name in ipairs { "lo", "v1", "v3", "br0" } do
      same("link show dev " .. name, function() return tostring(space.nl.link:get { dev = name }) end)
    end
  end)

  it("addresses is that of ip addr show", function()
    same("addr show", function() return tostring(space.nl.addr:list()) end)
  end)

  it("addresses of one family, and of one device, is that of ip addr show", function()
    same("-4 addr show", function() return tostring(space.nl.addr:list { family = 4 }) end)
    same("-6 addr show", function() return tostring(space.nl.addr:list { family = 6 }) end)
    same("addr show dev v1", function() return tostring(space.nl.addr:list { dev = "v1" }) end)
  end)

  it("addresses leaves the links out when the handle is closed", function()
    local ecmp <const> = require "ecmp"
    local nl <const> = assert(ecmp.open { netns = space.path })
    local list <const> = nl.addr:list { dev = "lo", family = 4 }
    nl:close()
    assert.are.equal(
      "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever",
      tostring(list))
  end)

  it("rules is that of ip rule show", function()
    same("rule show", function() return tostring(space.nl.rule:list { family = 4 }) end)
    same("-6 rule show", function() return tostring(space.nl.rule:list { family = 6 }) end)
  end)

  it("rules in detail is that of ip -d rule show", function()
    for _, family in ipairs { 4, 6 } do
      same(("-%d -d rule show"):format(family),
        function() return space.nl.rule:list({ family = family }):text { details = true } end)
    end
  end)

  it("neighbours is that of ip neigh show", function()
    same("neigh show", function() return tostring(space.nl.neigh:list()) end)
    same("-4 neigh show", function() return tostring(space.nl.neigh:list { family = 4 }) end)
    same("neigh show nud all", function() return tostring(space.nl.neigh:list "nud all") end)
  end)

  it("proxied neighbours is that of ip neigh show proxy", function()
    same("neigh show proxy", function() return tostring(space.nl.neigh:list { proxy = true }) end)
  end)

  it("next hops in detail is that of ip -d nexthop show", function()
    same("-d nexthop show", function() return space.nl.nexthop:list():text { details = true } end)
  end)

  it("next hops is that of ip nexthop show", function()
    same("nexthop show", function() return tostring(space.nl.nexthop:list()) end)
  end)

  it("buckets is that of ip nexthop bucket show", function()
    same("nexthop bucket show", function() return tostring(space.nl.bucket:list()) end)
  end)
end)
