-- Packets by next hop, of groups of next-hop objects: `ecmp show --stats`, `ecmp spread --measured`. The
-- kernel counts each choice of a hop, and sockets that are connected ask twice.
local cli <const> = require "spec.cli"
local json <const> = require "ecmp.json"
local netns <const> = require "ecmp.netns"
local packets <const> = require "ecmp.nl.packets"
local sys <const> = require "ecmp.sys"

local SETUP <const> = [[
  ip nexthop add id 1 via 10.0.1.1 dev eth1; ip nexthop add id 2 via 10.0.2.1 dev eth2
  ip nexthop add id 3 via 2001:db8:1::1 dev eth1; ip nexthop add id 4 via 2001:db8:2::1 dev eth2
  ip nexthop add id 10 group 1,3/2; ip nexthop add id 11 group 3/4
  ip route add 192.0.2.0/24 nhid 10
  ip -6 route add 2001:db8:77::/64 nhid 11
  ip route add 10.15.0.0/16 nhid 1
  ip route add 10.16.0.0/16 nexthop via 10.0.1.1 nexthop via 10.0.2.1
  ip neigh add 10.0.1.1 lladdr 02:00:00:00:00:01 dev eth1
  ip neigh add 10.0.2.1 lladdr 02:00:00:00:00:01 dev eth2
  ip neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev eth1
  ip neigh add 2001:db8:2::1 lladdr 02:00:00:00:00:01 dev eth2
  for family in ipv4 ipv6; do echo 1 >/proc/sys/net/$family/fib_multipath_hash_policy; done
]]

local function send(shell, dst, count)
  local flows <const> = {}
  for i = 1, count do flows[i] = { dst = dst, dport = 1000 + i } end
  assert(sys.udp_send(netns.path(shell.space), flows))
end

local function sum(hops)
  local all = 0
  for _, hop in ipairs(hops) do all = all + hop.packets end
  return all
end

-- Whether this kernel counts.
local function counts(shell)
  local _, _, code <const> = packets.of(shell.nl, 10)
  return code ~= "EOPNOTSUPP"
end

describe("packets by next hop #netns", function()
  local shell

  before_each(function()
    shell = cli.new()
    shell:sh(SETUP)
  end)
  after_each(function() shell:close() end)

  it("are counted by the members of a group", function()
    if not counts(shell) then pending "this kernel counts no packets by next hop (6.9)" return end
    local before <const> = assert(packets.of(shell.nl, 10))
    assert.same({ { via = "10.0.1.1", dev = "eth1", weight = 3, packets = 0 },
      { via = "10.0.2.1", dev = "eth2", weight = 1, packets = 0 } }, before)
    send(shell, "192.0.2.7", 400)
    local after <const> = assert(packets.of(shell.nl, 10))
    assert.is_true(sum(after) >= 400)
    local share <const> = after[1].packets / sum(after)
    assert.is_true(share > 0.6 and share < 0.9)
    assert.same({}, { packets.of(shell.nl, 1) }) -- no group
    -- What was told with its counts is given back without them.
    local view <const> = shell.nl.nexthop:get { id = 10, stats = true }
    assert.is_nil(view:copy().group_stats)
    assert.is_true(shell.nl.nexthop:replace(view))
  end)

  it("are shown beside the hops of routes", function()
    if not counts(shell) then pending "this kernel counts no packets by next hop (6.9)" return end
    send(shell, "192.0.2.7", 40)
    send(shell, "2001:db8:77::7", 20)
    local text <const> = shell:sh "ecmp show --stats"
    local first <const>, second <const> = text:match(
      "192%.0%.2%.0/24 nhid 10 *\n\tnexthop via 10%.0%.1%.1 dev eth1 weight 3 packets (%d+)\n"
        .. "\tnexthop via 10%.0%.2%.1 dev eth2 weight 1 packets (%d+)\n")
    assert.is_true(first and tonumber(first) + tonumber(second) >= 40, text)
    -- What holds its hops itself, and what has one, is shown as without.
    assert.matches("\n10%.16%.0%.0/16 *\n\tnexthop via 10%.0%.1%.1 dev eth1 weight 1 *\n", text)
    assert.matches("10.15.0.0/16 nhid 1 via 10.0.1.1 dev eth1", text, 1, true)
    local by_dst <const> = {}
    for _, route in ipairs(json.decode(shell:sh "ecmp show --stats --json")) do
      by_dst[route.dst] = route
    end
    assert.is_true(sum(by_dst["2001:db8:77::/64"].nexthops) >= 20)
    assert.equal("10.0.1.1", by_dst["192.0.2.0/24"].nexthops[1].gateway)
    assert.is_nil(by_dst["10.16.0.0/16"].nexthops[1].packets)
  end)

  it("are measured shares", function()
    if not counts(shell) then pending "this kernel counts no packets by next hop (6.9)" return end
    send(shell, "192.0.2.7", 400)
    local hops <const> = json.decode(shell:sh "ecmp spread --measured --json 192.0.2.0/24")
    assert.is_true(sum(hops) > 400)
    local percent <const> = tonumber(tostring(hops[1].percent))
    assert.is_true(percent > 60 and percent < 90)
    assert.matches("^10.0.1.1  eth1  weight 3  +%d+ +%d+%.%d%%  █+",
      (shell:sh "ecmp spread --measured 192.0.2.7"))
  end)

  it("are refused by name where nothing counts them", function()
    shell:sh "ip route del 192.0.2.0/24; ip -6 route del 2001:db8:77::/64"
    for _, words in ipairs { "show --stats", "spread --measured 10.16.0.1",
      "spread --measured 10.15.0.1" } do
      local result <const> = shell:try("ecmp " .. words)
      assert.same({ 1, "" }, { result.status, result.stdout }, words)
      assert.matches("^ecmp: %l+: [^\n]*NHA_GROUP_STATS[^\n]*\n$", result.stderr)
    end
  end)
end)

describe("packets by next hop of an older kernel", function()
  it("are refused by name", function()
    local nl <const> = { nexthop = { get = function(_, asked)
      if asked.stats then return nil, "nexthop get: Invalid argument (EINVAL)", "EINVAL" end
      return { id = asked.id, group = { { id = 1, weight = 1 } } }
    end } }
    local hops <const>, message <const>, code <const> = packets.of(nl, 10)
    assert.same({ nil, "EOPNOTSUPP" }, { hops, code })
    assert.matches("NHA_GROUP_STATS, Linux 6.9", message, 1, true)
  end)
end)
