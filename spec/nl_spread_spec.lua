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
