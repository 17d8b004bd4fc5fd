local compare = require "ecmp.flow.verify"
local identity = require "ecmp.fib.route"

local function routes(list)
  local made <const> = {}
  for i, fields in ipairs(list) do made[i] = assert(identity.canonical(fields)) end
  return made
end

local function hops(...)
  local list <const> = {}
  for i, text in ipairs { ... } do
    local via <const>, weight = text:match("^(%S+)%s*(%d*)$")
    list[i] = { via = via, dev = "eth0", weight = tonumber(weight) }
  end
  return list
end

local planned <const> = routes {
  { dst = "0.0.0.0/0", nexthops = hops("10.0.0.1", "10.0.0.2 3"), mtu = 1400 },
  { dst = "::/0", nexthops = hops("2001:db8::1", "2001:db8::2"), table = 100 },
}

local function changed(i, fields)
  local list <const> = { table.unpack(planned) }
  list[i] = fields and routes({ fields })[1]
  return compare.routes(planned, { table.unpack(list, 1, 2) })
end

describe("the comparison behind CHECK", function()
  it("finds nothing where all is as planned", function()
    assert.same({}, compare.routes(planned, planned))
  end)

  it("takes next hops as a set", function()
    assert.same({}, changed(1, {
      dst = "0.0.0.0/0", nexthops = hops("10.0.0.2 3", "10.0.0.1"), mtu = 1400,
    }))
  end)

  it("does not look at next hops of other interfaces", function()
    local list <const> = hops("2001:db8::1", "2001:db8::2")
    list[3] = { via = "2001:db8:9::1", dev = "net1" }
    assert.same({}, changed(2, { dst = "::/0", table = 100, nexthops = list }))
  end)

  for name, case in pairs {
    ["a next hop that is gone"] = {
      { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0", mtu = 1400 },
      "route 0.0.0.0/0: next hop via 10.0.0.2 dev eth0 is missing",
    },
    ["a weight"] = {
      { dst = "0.0.0.0/0", nexthops = hops("10.0.0.1", "10.0.0.2"), mtu = 1400 },
      "route 0.0.0.0/0: next hop via 10.0.0.2 dev eth0 has weight 1, planned is 3",
    },
    ["a next hop too many"] = {
      { dst = "0.0.0.0/0", nexthops = hops("10.0.0.1", "10.0.0.2 3", "10.0.0.3"), mtu = 1400 },
      "route 0.0.0.0/0: next hop via 10.0.0.3 dev eth0 is not planned",
    },
    ["an mtu"] = {
      { dst = "0.0.0.0/0", nexthops = hops("10.0.0.1", "10.0.0.2 3"), mtu = 1300 },
      "route 0.0.0.0/0: mtu is 1300, planned is 1400",
    },
    ["a metric"] = {
      { dst = "0.0.0.0/0", nexthops = hops("10.0.0.1", "10.0.0.2 3"), mtu = 1400, metric = 9 },
      "route 0.0.0.0/0 is missing: the kernel has it with metric 9, planned is 0",
    },
  } do
    it("names " .. name, function()
      assert.same({ case[2] }, changed(1, case[1]))
    end)
  end

  it("names a table", function()
    assert.same({ "route ::/0 is missing: the kernel has it in table 254, planned is 100" },
      changed(2, { dst = "::/0", nexthops = hops("2001:db8::1", "2001:db8::2") }))
  end)

  it("names a route that is gone", function()
    assert.same({ "route 0.0.0.0/0 is missing" }, compare.routes(planned, { planned[2] }))
  end)

  it("tells one multipath route from separate entries, of which one takes all traffic", function()
    local found <const> = compare.routes(routes {
      { dst = "0.0.0.0/0", nexthops = hops("10.0.0.1", "10.0.0.2") },
    }, routes {
      { dst = "0.0.0.0/0", via = "10.0.0.2", dev = "eth0" },
      { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" },
    })
    assert.equal(2, #found)
    assert.matches("a separate entry via 10.0.0.1 dev eth0 stands beside", found[2])
  end)

  it("leaves alone the kernel's own route behind one that was listed for a connected subnet",
    function()
      local listed <const> = { dst = "10.0.0.0/24", via = "10.0.0.1", dev = "eth0" }
      local own <const> = { dst = "10.0.0.0/24", dev = "eth0", scope = "link", proto = "kernel" }
      assert.same({}, compare.routes(routes { listed }, routes { listed, own }))
      own.proto = "boot"
      assert.equal(1, #compare.routes(routes { listed }, routes { listed, own }))
    end)

  it("takes separate IPv6 routes as the one route that the kernel makes of them", function()
    assert.same({}, compare.routes(routes {
      { dst = "::/0", via = "2001:db8::1", dev = "eth0" },
      { dst = "::/0", via = "2001:db8::2", dev = "eth0" },
    }, routes { { dst = "::/0", nexthops = hops("2001:db8::1", "2001:db8::2") } }))
  end)

  it("takes hops that differ in encapsulation alone for two", function()
    local function to(...)
      local list <const> = {}
      for i, segment in ipairs { ... } do
        list[i] = { via = "2001:db8::1", dev = "eth0",
          encap = { type = "seg6", mode = "encap", segs = { segment } } }
      end
      return routes { { dst = "fc00::/64", nexthops = list } }
    end
    assert.same({}, compare.routes(to("fd00::1", "fd00::2"), to("fd00::2", "fd00::1")))
    assert.same({
      "route fc00::/64: next hop encap seg6 mode encap segs 1 [ fd00::2 ] via 2001:db8::1 dev eth0 is missing",
      "route fc00::/64: next hop encap seg6 mode encap segs 1 [ fd00::3 ] via 2001:db8::1 dev eth0 is not planned",
    }, compare.routes(to("fd00::1", "fd00::2"), to("fd00::1", "fd00::3")))
  end)

  it("names what else a plan says of a route, and not who made it", function()
    local plan <const> = routes { { dst = "10.1.0.0/16", via = "10.0.0.1", dev = "eth0",
      src = "10.0.0.9", onlink = true, proto = "boot" } }
    assert.same({
      "route 10.1.0.0/16: next hop via 10.0.0.1 dev eth0 is not onlink, planned is the opposite",
      "route 10.1.0.0/16: src is none, planned is 10.0.0.9",
    }, compare.routes(plan, routes { { dst = "10.1.0.0/16", via = "10.0.0.1", dev = "eth0",
      proto = "static" } }))
    plan[1].proto = "static"
    assert.same({}, compare.routes(plan, plan))
  end)

  it("finds routes that lead nowhere where they are planned, and only there", function()
    local nowhere <const> = routes { { dst = "10.1.0.0/16", type = "blackhole" } }
    assert.same({}, compare.routes(nowhere, nowhere))
    assert.same({ "route 10.1.0.0/16 is missing" }, compare.routes(nowhere, {}))
    local gateway <const> = routes { { dst = "10.1.0.0/16", via = "10.0.0.1", dev = "eth0" } }
    assert.same({ "route 10.1.0.0/16 is missing" }, compare.routes(gateway, nowhere))
    assert.same({}, compare.routes(gateway, { gateway[1], nowhere[1] }))
  end)

  it("names a missing address", function()
    assert.same({ "address 10.0.0.9/24 is missing on eth0" },
      compare.addresses({ { address = "10.0.0.9/24", dev = "eth0" } },
        { { address = "10.0.0.8/24", dev = "eth0" } }))
  end)
end)
