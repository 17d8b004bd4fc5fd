--- What is printed of the routes of hosts of different kinds comes back as the same routes.
local cli = require "spec.cli"

-- Each beside eth1 (10.0.1.2/24, 2001:db8:1::2/64) and eth2 (10.0.2.2/24, 2001:db8:2::2/64).
local HOSTS <const> = {
  ["one default route"] = "ip route add default via 10.0.1.1",
  ["two default routes by metric"] = "ip route add default via 10.0.1.1 metric 100; "
    .. "ip route add default via 10.0.2.1 metric 200",
  ["multipath with weights"] =
    "ip route add default nexthop via 10.0.1.1 weight 3 nexthop via 10.0.2.1 weight 1",
  ["multipath IPv6"] =
    "ip -6 route add default nexthop via 2001:db8:1::1 weight 2 nexthop via 2001:db8:2::1",
  ["an unnumbered fabric"] = "ip route add default nexthop via inet6 fe80::1 dev eth1 "
    .. "nexthop via inet6 fe80::2 dev eth2; ip route add 10.5.0.0/16 via inet6 fe80::1 dev eth1",
  ["a /32 host"] = "ip addr add 192.0.2.9/32 dev eth1; ip route add 192.0.2.1 dev eth1; "
    .. "ip route add default via 192.0.2.1 dev eth1 src 192.0.2.9",
  ["a /128 host"] = "ip addr add 2001:db8:f::9/128 dev eth1 nodad; ip -6 route add fe80::9 dev eth1; "
    .. "ip -6 route add default via fe80::9 dev eth1",
  ["DHCP"] = "ip route add default via 10.0.1.1 dev eth1 proto dhcp src 10.0.1.2 metric 100; "
    .. "ip route add 10.0.1.1 dev eth1 proto dhcp scope link src 10.0.1.2 metric 100",
  ["router advertisements"] = "ip -6 route add default via fe80::1 dev eth1 proto ra metric 1024 "
    .. "expires 1700 hoplimit 64; ip -6 route add 2001:db8:aa::/64 dev eth1 proto ra metric 1024 pref high",
  ["a routing daemon"] = "ip route add 10.5.0.0/16 via 10.0.1.1 proto bgp metric 20; "
    .. "ip -6 route add 2001:db8:5::/48 via 2001:db8:1::1 proto zebra metric 20",
  ["seg6"] = "ip route add 10.5.0.0/16 encap seg6 mode encap segs 2001:db8::1,2001:db8::2 dev eth1; "
    .. "ip -6 route add 2001:db8:5::/48 encap seg6 mode inline segs 2001:db8::1 dev eth1",
  ["a next-hop object"] = "ip nexthop add id 5 via 10.0.1.1 dev eth1; ip route add 10.5.0.0/16 nhid 5",
  ["a group of next-hop objects"] = "ip nexthop add id 5 via 10.0.1.1 dev eth1; "
    .. "ip nexthop add id 6 via 10.0.2.1 dev eth2; ip nexthop add id 7 group 5,3/6; "
    .. "ip route add 10.5.0.0/16 nhid 7",
  ["another table with a rule"] = "ip rule add from 10.0.1.2 table 100; "
    .. "ip route add default via 10.0.1.1 table 100; ip route add 10.5.0.0/16 via 10.0.2.1 table 1000",
  ["types that lead nowhere"] = "ip route add blackhole 10.5.0.0/16; ip route add unreachable 10.6.0.0/16; "
    .. "ip route add prohibit 10.7.0.0/16; ip route add throw 10.8.0.0/16",
  ["types that lead nowhere, IPv6"] = "ip -6 route add blackhole 2001:db8:5::/48; "
    .. "ip -6 route add unreachable 2001:db8:6::/48; ip -6 route add prohibit 2001:db8:7::/48",
  ["gateways that are on the link by word"] = "ip route add 10.5.0.0/16 via 192.0.2.1 dev eth1 onlink; "
    .. "ip route add 10.6.0.0/16 nexthop via 192.0.2.1 dev eth1 onlink nexthop via 10.0.2.1",
  ["prefixes in the IPv4-mapped range"] = "ip -6 route add ::ffff:10.5.0.0/112 via 2001:db8:1::1; "
    .. "ip -6 route add ::ffff:0:0/96 dev eth2",
  ["a gateway by another route"] = "ip route add 172.16.5.0/24 dev eth1; "
    .. "ip route add 10.5.0.0/16 via 172.16.5.1; ip route add 10.4.0.0/16 via 172.16.5.1",
  ["a link that is down"] = "ip route add 10.5.0.0/16 via 10.0.1.1; "
    .. "ip route add 10.6.0.0/16 nexthop via 10.0.1.1 nexthop via 10.0.2.1; ip link set far1 down",
  ["metrics"] = "ip route add 10.5.0.0/16 via 10.0.1.1 mtu 1400 advmss 1360 initcwnd 20; "
    .. "ip route add 10.6.0.0/16 via 10.0.1.1 mtu lock 1300; "
    .. "ip -6 route add 2001:db8:5::/48 via 2001:db8:1::1 mtu 1400 hoplimit 9",
  ["several of one prefix"] = "ip route add 10.5.0.0/16 via 10.0.1.1; "
    .. "ip route append 10.5.0.0/16 via 10.0.2.1; ip route append 10.5.0.0/16 via 10.0.1.3",
  ["preferences"] = "ip -6 route add 2001:db8:5::/48 via 2001:db8:1::1 pref low; "
    .. "ip -6 route add default dev eth1 metric 9 pref high",
  ["a source"] = "ip route add 10.5.0.0/16 dev eth1 src 10.0.2.2; "
    .. "ip -6 route add 2001:db8:5::/48 dev eth1 src 2001:db8:2::2",
  ["hops by device alone"] = "ip route add 10.5.0.0/16 nexthop dev eth1 nexthop dev eth2 weight 2",
  ["realms"] = "ip route add 10.5.0.0/16 via 10.0.1.1 realm 5",
  ["one prefix by several metrics, IPv6"] = "ip -6 route add 2001:db8:5::/48 via 2001:db8:1::1 metric 10; "
    .. "ip -6 route add 2001:db8:5::/48 via 2001:db8:2::1 metric 20",
  ["routes to itself"] = "ip route add local 10.5.0.0/16 dev lo; ip -6 route add local 2001:db8:5::/48 dev lo",
  ["a peer"] = "ip addr add 10.77.0.1 peer 10.77.0.2/32 dev eth1; ip route add default via 10.77.0.2",
  ["tos"] = "ip route add 10.5.0.0/16 tos 0x10 via 10.0.1.1; ip route add 10.5.0.0/16 via 10.0.2.1",
}

local NAMES <const> = {}
for name in pairs(HOSTS) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

describe("ecmp apply on a host with #netns", function()
  local shell

  after_each(function() if shell then shell:close() end end)

  local function routes(words)
    local lines <const> = {}
    local text <const> = shell:sh(("ip -4 route %s; ip -6 route %s"):format(words, words))
    for line in text:gsub("\n\t", " "):gsub(" expires %d+sec", ""):gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    table.sort(lines)
    return lines
  end

  for _, name in ipairs(NAMES) do
    it(name .. " takes what is printed of it", function()
      shell = cli.new()
      shell:sh(HOSTS[name])
      for _, words in ipairs { "ecmp show", "ecmp show --table all --json", "ip route", "ip -d route",
        "ip -j route", "ip route show table all" } do
        assert.equal("nothing to do\n", shell:sh(words .. " | ecmp apply -"), words)
      end
      shell:sh "ecmp show >$HERE/shown"
      local main <const>, all <const> = routes "", routes "show table all"
      assert.matches("not confirmed in time: taken back, the routes are as before",
        shell:try "echo 10.99.0.0/16 dev eth2 | ecmp apply --family both --confirm 0.1 -".stderr)
      assert.same(all, routes "show table all")
      shell:sh "ip route flush table main; ip -6 route flush table main; ecmp apply $HERE/shown"
      assert.same(main, routes "")
    end)
  end
end)
