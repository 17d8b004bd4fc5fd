--- Where flows go, by the kernel's own answer for each.
local json = require "ecmp.json"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

describe("spread #netns", function()
  local space, nl
  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)
  after_each(function() space:close() end)

  it("says why when no flow finds a way", function()
    local hops, message, code = nl.route:spread { dst = "203.0.113.1", flows = 3 }
    assert.is_nil(hops)
    assert.equal("ENETUNREACH", code)
    assert.matches("route get 203.0.113.1", message, 1, true)
  end)

  it("refuses what it does not know at the caller's line", function()
    local _, message <const> = pcall(function() nl.route:spread { dst = "10.0.0.1", flos = 1 } end)
    assert.matches("nl_spread_spec.lua:%d+: flos: unknown option", message)
    assert.error_matches(function() nl.route:spread { dst = "10.0.0.1", flows = 0 } end,
      "flows: a positive integer expected")
  end)

  it("lists the hops of the route that such flows find, not of the one that others do", function()
    for _, family in ipairs { 4, 6 } do
      local far <const> = family == 4 and "203.0.113.1" or "2001:db8::1"
      local via <const> = family == 4 and "10.0.1.%d" or "fd00:0:0:1::%d"
      local function hops(...)
        local list <const> = {}
        for i, n in ipairs { ... } do list[i] = { via = via:format(n) } end
        return list
      end
      assert(nl.rule:add { family = family, fwmark = 7, table = 77 })
      assert(nl.route:add { dst = "default", family = family, nexthops = hops(2, 3) })
      assert(nl.route:add { dst = "default", family = family, table = 77, via = via:format(4) })
      local marked <const> = assert(nl.route:spread { dst = far, flows = 20, mark = 7 })
      assert.equal(1, #marked)
      assert.equal(via:format(4), marked[1].via)
      assert.equal(2, #assert(nl.route:spread { dst = far, flows = 20 }))
    end
  end)

  it("takes default for every destination there is, with the weights", function()
    assert(nl.route:add { dst = "default", nexthops = { { via = "10.0.1.2", weight = 3 },
      { via = "10.0.1.3" } } })
    local hops <const> = assert(nl.route:spread { dst = "default", flows = 200 })
    assert.same({ 3, 1 }, { hops[1].weight, hops[2].weight })
    assert(hops[1].flows > hops[2].flows and hops[2].flows > 20, tostring(hops))
    local total = 0 -- some go elsewhere: multicast
    for _, hop in ipairs(hops) do total = total + hop.flows end
    assert.equal(200, total)
  end)

  it("names the route that leads nowhere", function()
    space:batch [[
route add blackhole 10.66.0.0/16
route add blackhole 10.66.1.0/24 table 900
route add blackhole 10.66.0.0/24
route add prohibit 10.67.0.0/16
route add unreachable 2001:db8:77::/64
]]
    for dst, expected in pairs {
      ["10.66.0.1"] = "spread 10.66.0.1: blackhole 10.66.0.0/24 drops what goes there (EINVAL)",
      ["10.67.0.1"] = "spread 10.67.0.1: prohibit 10.67.0.0/16 refuses what goes there (EACCES)",
      ["2001:db8:77::1"] = "spread 2001:db8:77::1: unreachable 2001:db8:77::/64 refuses what goes there (EHOSTUNREACH)",
    } do
      local hops <const>, message <const> = nl.route:spread { dst = dst, flows = 3 }
      assert.is_nil(hops)
      assert.equal(expected, message)
    end
  end)

  it("lists the hops of a next-hop object that routes do not spell out", function()
    space:batch [[
nexthop add id 5 via 10.0.1.2 dev v1
nexthop add id 6 via 10.0.1.3 dev v1
nexthop add id 7 group 5/6,200
nexthop add id 8 via fd00:0:0:1::2 dev v1
route add 10.70.0.0/16 nhid 7
route add 10.71.0.0/16 nhid 5
route add 10.72.0.0/16 nhid 8
]]
    assert(nl.sysctl:set("net.ipv4.nexthop_compat_mode", "0"))
    local group <const> = assert(nl.route:spread { dst = "10.70.0.1", flows = 10 })
    assert.same({ "10.0.1.2", "10.0.1.3" }, { group[1].via, group[2].via })
    assert.same({ 1, 200 }, { group[1].weight, group[2].weight })
    assert.equal(2, #group)
    for dst, via in pairs { ["10.71.0.1"] = "10.0.1.2", ["10.72.0.1"] = "fd00:0:0:1::2" } do
      local alone <const> = assert(nl.route:spread { dst = dst, flows = 10 })
      assert.equal(1, #alone)
      assert.same({ via, 10 }, { alone[1].via, alone[1].flows })
    end
  end)

  it("counts flows that find no way", function()
    assert(nl.route:add { dst = "198.51.100.0/25", via = "10.0.1.2" })
    assert(nl.route:add { dst = "198.51.100.128/25", type = "unreachable" })
    local hops <const> = assert(nl.route:spread { dst = "198.51.100.0/24", flows = 100 })
    local lost <const> = hops[2]
    assert.equal(100, hops[1].flows + lost.flows)
    assert.equal("EHOSTUNREACH", lost.name)
    assert.matches("EHOSTUNREACH +%d+ +%d+%.%d%%", tostring(hops))
    local said <const> = assert(sys.spawn { argv = { "build/bin/ecmp", "spread", "--json", "--netns",
      space.path, "--flows", "100", "198.51.100.0/24" } })
    assert.equal("EHOSTUNREACH", json.decode(said.stdout)[2].error)
  end)
end)
