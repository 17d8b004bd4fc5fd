local conflict = require "ecmp.flow.conflict"
local hops = require "ecmp.fib.nexthop"
local identity = require "ecmp.fib.route"

local function route(fields)
  return assert(identity.canonical(fields))
end

local theirs <const> = {
  route { dst = "0.0.0.0/0", via = "10.9.0.1", dev = "net1" },
  route { dst = "::/0", via = "2001:db8:9::1", dev = "net1" },
  route { dst = "::/0", via = "2001:db8:9::1", dev = "net1", metric = 1025 },
}

local function settle(policy, fields, current)
  local list <const>, message, code =
    conflict.settle({ route(fields) }, current or theirs, policy, "eth0")
  return list and list[1], message, code
end

describe("a conflict with another interface", function()
  it("is none where the key differs", function()
    for _, policy in ipairs { "yield", "take", "merge", "refuse" } do
      local wanted <const> = { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0", table = 100 }
      assert.same(route(wanted), settle(policy, wanted))
    end
  end)

  it("is none with routes of our own interface", function()
    local wanted <const> = { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" }
    assert.same(route(wanted), settle("refuse", wanted, { route(wanted) }))
  end)

  it("is one with a route to nowhere, which belongs to no interface and so not to ours", function()
    local nowhere <const> = { route { dst = "0.0.0.0/0", type = "blackhole" } }
    local wanted <const> = { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" }
    assert.equal(1, settle("yield", wanted, nowhere).metric)
    local made <const>, message <const>, code <const> = settle("refuse", wanted, nowhere)
    assert.is_nil(made)
    assert.equal(7, code, message)
    local own <const>, foreign <const> = conflict.split(nowhere, "eth0")
    assert.is_nil(next(own))
    assert.equal(nowhere[1], foreign[identity.slot(nowhere[1])][1])
  end)

  it("yields the next higher metric that is free", function()
    assert.equal(1, settle("yield", { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" }).metric)
    assert.equal(1026, settle("yield", { dst = "::/0", via = "2001:db8::1", dev = "eth0" }).metric)
  end)

  it("is refused where no metric is left to yield to", function()
    local last <const> = { dst = "::/0", via = "2001:db8::1", dev = "net1", metric = 0xffffffff }
    local wanted <const> = { dst = "::/0", via = "2001:db8::2", dev = "eth0", metric = 0xffffffff }
    local list, message, code = settle("yield", wanted, { route(last) })
    assert.is_nil(list)
    assert.equal(7, code)
    assert.equal("conflict: no metric is left for the route default via 2001:db8::2 dev eth0 "
      .. "metric 4294967295", message)
  end)

  it("yields to two of ours one after the other", function()
    local list <const> = conflict.settle({
      route { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" },
      route { dst = "0.0.0.0/0", via = "10.0.0.2", dev = "eth0", metric = 1 },
    }, theirs, "yield", "eth0")
    assert.same({ 2, 1 }, { list[1].metric, list[2].metric })
  end)

  it("counts scopes as one place, as the kernel does", function()
    local moved <const> =
      settle("yield", { dst = "0.0.0.0/0", dev = "eth0", scope = "link" })
    assert.equal(1, moved.metric)
  end)

  it("merges into one route, theirs first", function()
    local merged <const> =
      settle("merge", { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" })
    assert.same({ "via 10.9.0.1 dev net1", "via 10.0.0.1 dev eth0" },
      { hops.text(merged.nexthops[1]), hops.text(merged.nexthops[2]) })
  end)

  it("takes the place as the reference plugins do", function()
    local taken <const> = settle("take", { dst = "::/0", via = "2001:db8::1", dev = "eth0" })
    assert.same({ 1024, true }, { taken.metric, taken.separate })
  end)

  it("refuses with code 7, naming interface and route", function()
    local list <const>, message, code =
      settle("refuse", { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" })
    assert.is_nil(list)
    assert.equal(7, code)
    assert.equal("conflict: net1 already has the route 0.0.0.0/0 (metric 0, table 254): "
      .. "via 10.9.0.1 dev net1", message)
  end)
end)
