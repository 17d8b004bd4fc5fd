--- Plans against a kernel: `ecmp.plan(nl, ...)`, `nl:reconcile`, and what else belongs to a handle.
local ecmp = require "ecmp"
local scratch = require "spec.scratch"

describe("a handle #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(2)
    nl = ecmp.open { netns = space.path }
  end)

  after_each(function()
    nl:close()
    space:close()
  end)

  local function texts(filter)
    local found <const> = {}
    for i, view in ipairs(nl.route:list(filter)) do found[i] = view:text { line = true } end
    return found
  end

  it("is read for a plan, which leaves alone what others made", function()
    assert(nl.route:add "10.9.0.0/16 via 10.0.1.2 proto static")
    assert(nl.route:add "10.8.0.0/16 via 10.0.1.2 proto bird")
    local plan <const> = assert(ecmp.plan(nl, { "10.7.0.0/16 via 10.0.1.2" }))
    assert.equal("+ 10.7.0.0/16 via 10.0.1.2\n- 10.9.0.0/16 via 10.0.1.2 dev v1 proto static",
      tostring(plan))
    assert.equal(0, #assert(ecmp.plan(nl, { "10.0.1.0/24 dev v1",
      "10.9.0.0/16 via 10.0.1.2" })))
    local none <const>, message <const>, code <const> =
      ecmp.plan(nl, { "10.8.0.0/16 via 10.0.2.2" })
    assert.is_nil(none)
    assert.equal("EEXIST", code)
    assert.equal("wanted[1].dst: 10.8.0.0/16 is held by a route of proto bird, which is left alone",
      message)
    assert.equal(1, #assert(ecmp.plan(nl, { "10.8.0.0/16 via 10.0.2.2" }, { proto = "bird" })))
  end)

  it("is read in the families and tables that are wanted, or that are named", function()
    assert(nl.route:add "10.9.0.0/16 via 10.0.1.2")
    assert(nl.route:add "fd09::/32 via fd00:0:0:1::2")
    assert(nl.route:add "10.6.0.0/16 via 10.0.1.2 table 100")
    assert.equal(1, #assert(ecmp.plan(nl, { "10.9.0.0/16 via 10.0.2.2" })))
    assert.equal(2, #assert(ecmp.plan(nl, { "10.9.0.0/16 via 10.0.2.2" }, { family = "both" })))
    assert.equal(2, #assert(ecmp.plan(nl, {})))
    assert.equal(1, #assert(ecmp.plan(nl, {}, { table = 100 })))
    assert.equal(3, #assert(ecmp.plan(nl, {}, { table = "all" })))
  end)

  it("reconciles routes, all of them or each that can be", function()
    assert(nl.route:add "10.9.0.0/16 via 10.0.1.2")
    local wanted <const> = { "10.9.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.2.2",
      "10.7.0.0/16 via 172.31.9.9", "10.5.0.0/16 via 10.0.2.2" }
    local before <const> = texts { family = 4 }
    local plan, failed, code = nl:reconcile(wanted)
    assert.is_nil(plan)
    assert.equal("ENETUNREACH", code)
    assert.matches("10.7.0.0/16 via 172.31.9.9", failed)
    assert.same(before, texts { family = 4 })
    plan, failed = assert(nl:reconcile(wanted, { each = true }))
    assert.equal(3, #plan)
    assert.equal(1, #failed)
    assert.equal("ENETUNREACH", failed[1].code)
    assert.equal("+ 10.7.0.0/16 via 172.31.9.9", "+ " .. tostring(failed[1].route))
    assert.equal(2, #nl.route:list { dst = "10.9.0.0/16" }[1].nexthops)
    assert.equal(1, #nl.route:list { dst = "10.5.0.0/16" })
    plan, failed = assert(nl:reconcile({ wanted[1], wanted[3] }))
    assert.equal(0, #plan)
    assert.same({}, failed)
  end)

  it("keeps the old route where the new one cannot be made", function()
    assert(nl.route:add "10.9.0.0/16 via 10.0.1.2")
    local _, failed <const> = assert(nl:reconcile({ "10.9.0.0/16 via 172.31.9.9" }, { each = true }))
    assert.equal(1, #failed)
    assert.equal("10.0.1.2", nl.route:list { dst = "10.9.0.0/16" }[1].via)
  end)

  it("refuses options and arguments that a plan does not have", function()
    assert.error_matches(function() ecmp.plan(nl, {}, { protos = 4 }) end, "protos: unknown option")
    assert.error_matches(function() ecmp.plan({}, {}, { proto = 4 }) end, "proto: unknown option")
    assert.error_matches(function() ecmp.plan({}, {}, {}, 5) end, "3 arguments expected, got 4")
    assert.error_matches(function() ecmp.plan(nl) end, "wanted: a list of routes is due here")
  end)

  it("tells which of a batch was refused first", function()
    local results <const>, first <const> = nl:batch { { "route add", "10.9.0.0/16 via 10.0.1.2" },
      { "route add", "10.8.0.0/16 via 172.31.9.9" }, { "route del", "10.7.0.0/16" } }
    assert.is_true(results[1])
    assert.equal(results[2].message, first)
    assert.is_nil(select(2, nl:batch { { "route del", "10.9.0.0/16" } }))
  end)

  it("begins its events with what there is, where that is asked for", function()
    assert(nl.route:add "10.9.0.0/16 via 10.0.1.2")
    local monitor <const> = assert(nl:monitor({ "route" }, { existing = true, timeout = 0 }))
    local found
    for event in monitor do
      assert.equal("add", event.verb)
      if event.value.dst == "10.9.0.0/16" then found = tostring(event) end
    end
    monitor:close()
    assert.equal("10.9.0.0/16 via 10.0.1.2 dev v1", (found:gsub("%s+$", "")))
  end)

  it("waits until a link is as it is to be", function()
    assert.equal("v1", assert(nl.link:wait { dev = "v1", up = true, timeout = 5 }).name)
    assert(nl.link:set { dev = "v1", up = false })
    local link <const>, message <const>, code <const> =
      nl.link:wait { dev = "v1", up = true, timeout = 0 }
    assert.is_nil(link)
    assert.equal("ETIMEDOUT", code)
    assert.matches("link wait v1", message)
    assert.error_matches(function() nl.link:wait { up = true } end, "dev: missing")
  end)

  it("takes IPv6 gateways of IPv4 routes back as it tells of them, and finds them", function()
    assert(nl.route:add "10.9.0.0/16 via inet6 fe80::7 dev v1")
    assert(nl.route:add("10.8.0.0/16 nexthop via inet6 fe80::7 dev v1 nexthop via 10.0.2.2 dev v2"))
    for _, dst in ipairs { "10.9.0.0/16", "10.8.0.0/16" } do
      local view <const> = nl.route:list { dst = dst }[1]
      assert.equal(0, #assert(ecmp.plan({ view }, { view:copy() })))
      assert.equal(0, #assert(ecmp.plan({ view }, { view:text { line = true } })))
    end
    assert.equal(2, #nl.route:list { via = "fe80::7" })
    assert.equal(2, #nl.route:list { via = "inet6 fe80::7" })
    assert(nl.route:del_nexthop("10.8.0.0/16", { via = "fe80::7" }))
    assert.equal("10.0.2.2", nl.route:list { dst = "10.8.0.0/16" }[1].via)
  end)

  it("takes one line twice as one route, and refuses two that IPv6 would make one", function()
    for _, line in ipairs { "10.9.0.0/16 dev v1", "fd09::/32 via fd00:0:0:1::2" } do
      assert.equal(1, #assert(ecmp.plan({}, { line, line })))
    end
    local _, message <const>, code <const> = ecmp.plan({},
      { "fd09::/32 via fd00:0:0:1::2 mtu 1400", "fd09::/32 via fd00:0:0:1::3" })
    assert.equal("EINVAL", code)
    assert.matches("^wanted%[2%].mtu: the routes to fd09::/32 differ %(1400 and none%)", message)
    assert.equal("+ ::ffff:10.0.0.0/104 dev v1",
      tostring(assert(ecmp.plan({}, { "::ffff:10.0.0.0/104 dev v1" }))))
  end)

  it("belongs to a version", function()
    assert.matches("^ecmp %d+%.%d+", ecmp._VERSION)
  end)
end)
