--- Views as JSON: what `ip -j OBJECT show` says of them.
local helper = require "spec.helper"
local iproute2 = require "ecmp.nl.json"
local json = require "ecmp.json"
local scratch = require "spec.scratch"

local MADE <const> = [[
link add a0 type veth peer name a1
link set a0 alias hello group 5 up
link set a1 up
link property add dev a0 altname other
link set a1 trailers off
nexthop add id 1 via 10.0.1.2 dev v1
nexthop add id 2 via 10.0.2.2 dev v2 onlink proto static
nexthop add id 3 blackhole
nexthop add id 10 group 1,5/2,3 proto bird
nexthop add id 14 encap ip id 5 dst 10.9.9.9 dev v1
nexthop add id 15 via 10.0.1.7 fdb
nexthop add id 16 group 1/2 type resilient buckets 8 idle_timer 7
route add 10.11.0.0/16 dev v1 tos EF mtu lock 1300 rtt 100ms congctl reno features ecn realms 3/5
route add 10.12.0.0/16 nexthop via 10.0.1.2 realm 3 nexthop via inet6 fe80::1 dev v2 weight 3
route add 10.13.0.0/16 nhid 10
route add fd09::/48 via fd00:0:0:1::2 metric 5 pref high mtu 1300
route add unreachable ::/0 metric 9999 table 600
neigh add 10.0.1.5 lladdr 02:00:00:00:00:05 dev v1 nud reachable extern_learn
neigh add 10.0.1.6 lladdr 02:00:00:00:00:06 dev v1 nud noarp protocol static
neigh add fd00:0:0:1::2 lladdr 02:00:00:00:00:01 dev v1 router
addr add 10.9.1.1/24 dev v1 label v1:x scope link metric 7
addr add 10.9.2.2/24 brd + dev v1 valid_lft 1000 preferred_lft 0 noprefixroute
addr add 10.9.0.1 peer 10.9.0.2/32 dev v1
addr add fd01::1/64 dev v1 home nodad
rule add from 10.0.0.0/8 to 10.9.0.1 iif v1 oif v2 fwmark 0x5/0xff tos 0x10 lookup 500 pref 100
rule add not from 1.2.3.4 blackhole pref 101
rule add goto 32766 pref 102
rule add nop pref 103
rule add uidrange 0-0 ipproto tcp sport 80 dport 1-7 lookup main pref 104 suppress_prefixlength 0
rule add suppress_ifgroup default lookup main pref 105 realms 3/4
rule add l3mdev pref 1000 protocol static
]]

describe("the JSON of #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(2)
    nl = space.nl
    space:batch(MADE)
  end)

  teardown(function() space:close() end)

  local function ours(list, options)
    local objects <const> = assert(json.decode(json.encode(iproute2.list(list, options))))
    for _, object in ipairs(objects) do
      for _, metrics in ipairs(object.metrics or {}) do metrics.lock = nil end -- which ip leaves out
    end
    return objects
  end

  -- Links settle by themselves, and what depends on them.
  local function same(readings)
    local expected, found
    pcall(helper.eventually, function()
      expected, found = readings()
      return pcall(assert.are.same, expected, found)
    end)
    assert.are.same(expected, found)
  end

  local function theirs(command) return (assert(json.decode(space:ip(command)))) end

  for command, list in pairs {
    ["-4 route show table all"] = function() return nl.route:list { table = "all", family = 4 } end,
    ["-6 route show table all"] = function() return nl.route:list { table = "all", family = 6 } end,
    ["nexthop show"] = function() return nl.nexthop:list() end,
    ["-4 rule show"] = function() return nl.rule:list { family = 4 } end,
    ["-6 rule show"] = function() return nl.rule:list { family = 6 } end,
    ["neigh show nud all"] = function() return nl.neigh:list "nud all" end,
  } do
    it("is that of ip -j " .. command, function()
      same(function() return theirs("-j " .. command), ours(list(), { table = true }) end)
    end)
  end

  it("links is that of ip -j link show, and their kind", function()
    local function both()
      local found <const> = ours(nl.link:list())
      for _, link in ipairs(found) do link.linkinfo = nil end
      return theirs "-j link show", found
    end
    same(both)
  end)

  it("addresses is that of ip -j addr show, each with its interface", function()
    local expected <const> = {}
    for _, link in ipairs(theirs "-j addr show") do
      for _, addr in ipairs(link.addr_info) do
        addr.dev = link.ifname
        expected[addr["local"]] = addr
      end
    end
    local found <const> = {}
    for _, addr in ipairs(ours(nl.addr:list())) do found[addr["local"]] = addr end
    for _, list in ipairs { expected, found } do
      for name, addr in pairs(list) do
        if name:find "^fe80" then list[name] = nil end -- tentative for a while
        if addr.valid_life_time < 1001 then addr.valid_life_time = nil end
      end
    end
    assert.are.same(expected, found)
  end)
end)
