--- Stand-ins against the kernel: it is asked for each flow which next hop it takes.
local ecmp = require "ecmp"
local ip = require "ecmp.ip"
local scratch = require "spec.scratch"

local FLOWS <const> = 400
local SERVER <const> = { [4] = "192.0.2.1", [6] = "2001:db8:ffff::1" }

describe("a suspended next hop #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
    for _, family in ipairs { 4, 6 } do
      assert(nl.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
    end
  end)

  after_each(function() space:close() end)

  local function gateway(family, i)
    return family == 4 and ("10.0.1.%d"):format(10 + i) or ip.canonical(("fd00:0:0:1::%x"):format(16 + i))
  end

  local function hops_of(family, weights)
    local hops <const> = {}
    for i, weight in ipairs(weights) do
      hops[i] = { via = gateway(family, i), dev = "v1", weight = weight }
    end
    return hops
  end

  --- The gateway that the kernel sends each flow to.
  local function ask(family)
    local taken <const> = {}
    for i = 1, FLOWS do
      local answer <const> = assert(nl.route:get { dst = SERVER[family], proto = "udp",
        sport = 1024 + i * 7919 % 60000, dport = 443,
        src = family == 4 and "10.0.1.1" or "fd00:0:0:1::1" })
      taken[i] = answer.via
    end
    return taken
  end

  --- How many flows of other gateways have moved, and how many of each weight the dead one's went to.
  local function moved(before, after, dead)
    local count, spread = 0, {}
    for i, via in ipairs(before) do
      if via == dead then
        spread[after[i]] = (spread[after[i]] or 0) + 1
      elseif after[i] ~= via then
        count = count + 1
      end
    end
    return count, spread
  end

  local function text(family)
    local objects <const> = tostring(nl.nexthop:list()):gsub(" unbalanced_time [%d.]+", "")
    return tostring(nl.route:list { dst = "default", family = family }) .. objects
  end

  for _, family in ipairs { 4, 6 } do
    for _, weights in ipairs {
      { 1, 1 }, { 1, 1, 1 }, { 1, 2, 1, 3 }, { 5, 1, 7, 2 }, { 3, 1, 4, 1, 5 }, { 1, 1, 1, 1, 1, 1 },
      { 2, 1, 2, 1, 2, 1, 2 }, { 8, 7, 6, 5, 4, 3, 2, 1 },
    } do
      it(("leaves the flows of others alone, IPv%d, weights %s"):format(family,
        table.concat(weights, " ")), function()
        assert(nl.route:add { dst = "default", mtu = 1400, nexthops = hops_of(family, weights) })
        local before <const>, was <const> = ask(family), text(family)
        for dead = 1, #weights, #weights > 4 and 3 or 1 do
          local via <const> = gateway(family, dead)
          local held <const> = assert(nl.route:suspend("default", { via = via }))
          local after <const> = ask(family)
          for _, taken in ipairs(after) do assert.are_not.equal(via, taken) end
          local count <const> = moved(before, after, via)
          assert.equal(0, count)
          assert(nl.route:resume(held))
          assert.same(before, ask(family))
          assert.equal(was, text(family))
        end
      end)
    end

    it(("goes by the others' weights, IPv%d"):format(family), function()
      assert(nl.route:add { dst = "default", nexthops = hops_of(family, { 6, 1, 2 }) })
      local before <const> = ask(family)
      assert(nl.route:suspend("default", { via = gateway(family, 1) }))
      local _, spread <const> = moved(before, ask(family), gateway(family, 1))
      local one <const>, two <const> = spread[gateway(family, 2)], spread[gateway(family, 3)]
      local share <const> = two / (one + two)
      assert.is_true(share > 2 / 3 * 0.85 and share < 2 / 3 * 1.15, tostring(share))
    end)

    it(("may be followed by a second, and returns by itself, IPv%d"):format(family), function()
      assert(nl.route:add { dst = "default", nexthops = hops_of(family, { 1, 2, 1, 1 }) })
      local was <const>, before <const> = text(family), ask(family)
      local held <const> = assert(nl.route:suspend("default", { via = gateway(family, 2) }))
      local one <const> = ask(family)
      assert.equal(held, assert(nl.route:suspend(held, { via = gateway(family, 3) })))
      local both <const> = ask(family)
      assert.equal(0, (moved(one, both, gateway(family, 3))))
      assert.equal(0, (moved(before, both, gateway(family, 3))) - (moved(before, one,
        gateway(family, 3))))
      assert(nl.route:resume(held, { via = gateway(family, 2) }))
      for i, via in ipairs(ask(family)) do
        assert.equal(before[i] == gateway(family, 2) and gateway(family, 2) or both[i], via)
      end
      assert(nl.route:resume(held))
      assert.same(before, ask(family))
      assert.equal(was, text(family))
    end)

    it(("is refused where it would be the last, IPv%d"):format(family), function()
      assert(nl.route:add { dst = "default", nexthops = hops_of(family, { 1, 1 }) })
      local held <const> = assert(nl.route:suspend("default", { via = gateway(family, 1) }))
      local was <const> = text(family)
      local ok <const>, message <const>, code <const> =
        nl.route:suspend(held, { via = gateway(family, 2) })
      assert.is_nil(ok)
      assert.equal("EINVAL", code)
      assert.matches("no other next hop is left", message)
      assert.equal(was, text(family))
    end)

    it(("changes nothing where the stand-ins do not fit, IPv%d"):format(family), function()
      local weights <const> = { 256, 255, 253, 251, 249, 247, 245, 243 }
      assert(nl.route:add { dst = "default", nexthops = hops_of(family, weights) })
      local was <const> = text(family)
      local ok <const>, message <const>, code <const> =
        nl.route:suspend("default", { via = gateway(family, 1) })
      assert.is_nil(ok)
      assert.equal("E2BIG", code)
      assert.matches("a route holds", message)
      assert.equal(was, text(family))
    end)

    for _, kind in ipairs { "group", "resilient" } do
      it(("of a %s leaves its object in place, IPv%d"):format(kind, family), function()
        local members <const> = {}
        for i, hop in ipairs(hops_of(family, { 1, 2, 1 })) do
          assert(nl.nexthop:add { id = i, via = hop.via, dev = hop.dev })
          members[i] = { id = i, weight = hop.weight }
        end
        assert(nl.nexthop:add { id = 9, group = members,
          type = kind == "resilient" and kind or nil, buckets = kind == "resilient" and 96 or nil })
        assert(nl.route:add { dst = "default", family = family, nhid = 9 })
        local was <const>, before <const> = text(family), ask(family)
        local held <const> = assert(nl.route:suspend({ dst = "default", family = family },
          { via = gateway(family, 1) }))
        local after <const> = ask(family)
        assert.equal(0, (moved(before, after, gateway(family, 1))))
        for _, via in ipairs(after) do assert.are_not.equal(gateway(family, 1), via) end
        assert(nl.route:resume(held))
        assert.equal(was, text(family))
        if kind == "group" then assert.same(before, ask(family)) end
      end)
    end
  end

  it("is where it was when its transaction is taken back", function()
    for _, family in ipairs { 4, 6 } do
      assert(nl.route:add { dst = "default", nexthops = hops_of(family, { 1, 1, 1 }) })
      local was <const> = text(family)
      local tx = nl:begin()
      local held <const> = assert(tx.route:suspend("default", { via = gateway(family, 1) }))
      assert(tx.route:suspend(held, { via = gateway(family, 2) }))
      assert(tx:rollback())
      assert.equal(was, text(family))
      local kept <const> = assert(nl.route:suspend("default", { via = gateway(family, 1) }))
      local suspended <const> = ask(family)
      tx = nl:begin()
      assert(tx.route:resume(kept))
      assert(tx:rollback())
      assert.same(suspended, ask(family))
      assert(nl.route:resume(kept))
      assert.equal(was, text(family))
    end
  end)

  it("says what is not there", function()
    assert(nl.route:add { dst = "default", nexthops = hops_of(4, { 1, 1 }) })
    for _, case in ipairs {
      { "10.99.0.0/16", { via = "10.0.1.11" }, "ESRCH" },
      { "default", { via = "10.0.1.99" }, "ESRCH" },
    } do
      local ok <const>, _, code <const> = nl.route:suspend(case[1], case[2])
      assert.is_nil(ok)
      assert.equal(case[3], code)
    end
    assert(nl.route:add "10.98.0.0/16 via 10.0.1.11")
    local ok <const>, _, code <const> = nl.route:suspend("10.98.0.0/16", { via = "10.0.1.11" })
    assert.is_nil(ok)
    assert.equal("EINVAL", code)
    local called <const>, message <const> = pcall(nl.route.resume, nl.route, {})
    assert.is_false(called)
    assert.matches("resume: what `suspend` returned expected", message)
  end)

  it("does nothing to a route that stands behind another of its key", function()
    assert(nl.route:add { dst = "default", nexthops = hops_of(4, { 1, 1 }) })
    assert(nl.route:prepend { dst = "default", via = "10.0.1.50", dev = "v1" })
    local ok <const>, _, code <const> = nl.route:suspend("default", { via = gateway(4, 1) })
    assert.is_nil(ok)
    assert.equal("EBUSY", code)
  end)

  it("loses no packet, and the route is there all the time", function()
    local lab <close> = assert(ecmp.lab { gateways = 3, shared = true })
    for _, family in ipairs { 4, 6 } do
      assert(lab.pod.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
      assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
      local via <const> = lab:gateway("gw1").via[family]
      for _ = 1, 5 do
        local held <const> = assert(lab.pod.route:suspend("default", { via = via }))
        local sent <const> = assert(lab:send { flows = 90, family = family })
        assert.equal(90, sent.delivered)
        assert.equal(0, sent.gateways[1].flows)
        assert(lab.pod.route:resume(held))
        local again <const> = assert(lab:send { flows = 90, family = family })
        assert.equal(90, again.delivered)
      end
    end
  end)
end)
