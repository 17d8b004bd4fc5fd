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

  it("names a missing address", function()
    assert.same({ "address 10.0.0.9/24 is missing on eth0" },
      compare.addresses({ { address = "10.0.0.9/24", dev = "eth0" } },
        { { address = "10.0.0.8/24", dev = "eth0" } }))
  end)
end)
