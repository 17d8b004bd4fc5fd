--- Routes of more next hops than the kernel's dumps can list, which would hide all routes behind them.
local ecmp = require "ecmp"
local scratch = require "spec.scratch"

local families <const> = {
  { number = 4, dst = "10.60.0.0/16", other = "10.200.0.0/16", gw = "172.31.%d.%d", most = 2025,
    with_metric = 2024 },
  { number = 6, dst = "fd60::/32", other = "fd99::/32", gw = "fd00:0:0:9:%x::%x", most = 1154,
    with_metric = 1154 },
}

for _, family in ipairs(families) do
  local dst <const>, most <const> = family.dst, family.most

  local function hop(n, more)
    local made <const> = { via = family.gw:format(n // 250 + 1, n % 250 + 1), dev = "v1",
      onlink = true, weight = n % 256 + 1 }
    for key, value in pairs(more or {}) do made[key] = value end
    return made
  end

  local function hops(count, more)
    local list <const> = {}
    for n = 1, count do list[n] = hop(n, more) end
    return list
  end

  describe(("IPv%d routes of many hops #netns"):format(family.number), function()
    local space, nl

    before_each(function()
      space = scratch.new(1)
      nl = space.nl
      assert(nl.route:add { dst = family.other, dev = "v1", metric = 7 })
    end)

    after_each(function() space:close() end)

    -- How many hops the route has, where the dump shows the one behind it, too.
    local function shown()
      assert.equal(1, #nl.route:list { dst = family.other })
      local list <const> = nl.route:list { dst = dst }
      return list[1] and #(list[1].nexthops or { 1 }) or 0
    end

    local function refused(expected, ok, message, code)
      assert.is_nil(ok)
      assert.equal("EMSGSIZE", code)
      assert.matches(expected, message)
      assert.is_true(#message < 300)
    end

    it("are listed up to the limit and refused beyond", function()
      for _, verb in ipairs { "add", "append", "prepend", "replace" } do
        for count, limit in pairs { [most + 1] = most, [3 * most] = most } do
          if verb ~= "replace" or count < 2 * most then
            refused(("^route %s %s[^:]*: nexthops: %d are too many; beyond %d "):format(
              verb == "replace" and "%l+" or verb, dst, count, limit),
              nl.route[verb](nl.route, { dst = dst, nexthops = hops(count) }))
          end
        end
        assert.equal(0, shown())
      end
      assert(nl.route:add { dst = dst, nexthops = hops(most) })
      assert.equal(most, shown())
    end)

    it("are measured by what their hops take", function()
      local function limit(fields, more, expected)
        local route <const> = { dst = dst, nexthops = hops(expected + 1, more) }
        for key, value in pairs(fields) do route[key] = value end
        refused(("%d are too many; beyond %d"):format(expected + 1, expected),
          nl.route:add(route))
        assert.equal(0, shown())
        table.remove(route.nexthops)
        assert(nl.route:add(route))
        assert.equal(expected, shown())
        assert(nl.route:del { dst = dst, metric = fields.metric })
      end
      local six <const> = family.number == 6
      limit({ metric = 5 }, {}, family.with_metric)
      limit({ metric = 5, mtu = 1400, advmss = 1300 }, {}, six and 1154 or 2023)
      limit({}, { encap = { type = "ip6", id = 5 } }, six and 269 or 300)
      local segs <const> = { type = "seg6", mode = "encap", segs = { "fc00::1" } }
      local fitting <const> = six and 449 or 540 -- more than a busy machine has memory for at once
      refused(("beyond %d "):format(fitting), nl.route:add { dst = dst,
        nexthops = hops(fitting + 1, { encap = segs }) })
      if not six then
        limit({}, { realm = 5 }, 1350)
        limit({}, { encap = { type = "ip", id = 5 } }, 385)
        local gateways <const> = hops(1013)
        for n, one in ipairs(gateways) do one.via = ("inet6 fd00:0:0:9::%x"):format(n) end
        refused("1013 are too many; beyond 1012", nl.route:add { dst = dst, nexthops = gateways })
        table.remove(gateways)
        assert(nl.route:add { dst = dst, nexthops = gateways })
        assert.equal(1012, shown())
      end
    end)

    it("take no hop more", function()
      assert(nl.route:add { dst = dst, nexthops = hops(most) })
      refused(("^route add_nexthop %s .*: nexthops: %d are too many"):format(dst, most + 1),
        nl.route:add_nexthop(dst, hop(most + 1)))
      assert.equal(most, shown())
      if family.number == 6 then
        refused(("^route append %s: nexthops: %d are too many"):format(dst, most + 2),
          nl.route:append { dst = dst, nexthops = { hop(most + 1), hop(most + 2) } })
        assert.equal(most, shown())
        local results <const> = nl:batch {
          { "route append", { dst = dst, metric = 7, nexthops = hops(2) } },
          { "route append", { dst = dst, nexthops = { hop(most + 1), hop(most + 2) } } },
          { "route prepend", ("%s via %s dev v1 onlink"):format(dst, hop(most + 3).via) },
          { "route append", { dst = dst, metric = 7, nexthops = { hop(3) } } },
        }
        assert.is_true(results[1])
        refused(("^route append %s: nexthops: %d are"):format(dst, most + 2), nil,
          results[2].message, results[2].code)
        refused(("^route prepend %s: nexthops: %d are"):format(dst, most + 3), nil,
          results[3].message, results[3].code)
        assert.is_true(results[4])
        assert.equal(3, #nl.route:list { dst = dst, metric = 7 }[1].nexthops)
        assert(nl.route:del { dst = dst, metric = 7 })
        assert.equal(most, shown())
      end
      assert(nl.route:del_nexthop(dst, { via = hop(1).via }))
      assert(nl.route:add_nexthop(dst, hop(most + 1)))
      assert.equal(most, shown())
    end)

    it("are refused in batches, where the rest goes on", function()
      for _, share in ipairs { false, true } do
        local before <const>, after <const> = { dst = dst, metric = 5, nexthops = hops(2) },
          { dst = dst, metric = 9, nexthops = hops(3) }
        local results <const> = nl:batch({
          { "route add", before }, { "route add", { dst = dst, nexthops = hops(most + 1) } },
          { "route append", { dst = dst, nexthops = hops(3 * most) } }, { "route add", after },
        }, { share = share })
        assert.is_true(results[1])
        refused("^route add " .. dst .. ": nexthops: %d+ are too many", nil, results[2].message,
          results[2].code)
        refused("^route append " .. dst .. ": nexthops: %d+ are too many", nil,
          results[3].message, results[3].code)
        assert.is_true(results[4])
        assert.equal(2, #nl.route:list { dst = dst })
        assert(nl.route:flush { dst = dst })
      end
    end)

    it("are refused in plans, and nothing is left of them", function()
      local wanted <const> = { { dst = dst, nexthops = hops(2) },
        { dst = dst, metric = 9, nexthops = hops(most - 5,
          { encap = { type = "ip6", id = 5 } }) } }
      local plan <const> = assert(ecmp.plan({}, wanted))
      refused("nexthops: %d+ are too many", plan:apply(nl))
      assert.equal(0, shown())
    end)
  end)
end
