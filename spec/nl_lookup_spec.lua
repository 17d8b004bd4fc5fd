--- The place of a route: others for the same destination, which no verb may touch.
local scratch = require "spec.scratch"

local families <const> = {
  { number = 4, dst = "10.60.0.0/16", gw = "10.0.1.", apart = { tos = 16 }, apart2 = { tos = 8 } },
  { number = 6, dst = "fd60::/32", gw = "fd00:0:0:1::", apart = { from = "fd77::/16" },
    apart2 = { from = "fd78::/16" } },
}

for _, family in ipairs(families) do
  local dst <const> = family.dst
  local function gw(n) return family.gw .. n end

  local function route(fields, more)
    local made <const> = { dst = dst, family = family.number }
    for _, given in ipairs { fields, more } do
      for key, value in pairs(given) do made[key] = value end
    end
    return made
  end

  describe(("the place of an IPv%d route #netns"):format(family.number), function()
    local space, nl

    -- The gateways of each route to `dst`, behind a mark of the packets it is for.
    local function held()
      local texts <const> = {}
      for i, has in ipairs(nl.route:list { dst = dst }) do
        local mark = ""
        for word, apart in pairs { x = family.apart, y = family.apart2 } do
          for key, value in pairs(apart) do if has[key] == value then mark = word .. ":" end end
        end
        local hops <const> = {}
        for n, hop in ipairs(has.nexthops or { has }) do
          hops[n] = hop.via and hop.via:match "[^.:]*$" or hop.dev
        end
        texts[i] = mark .. table.concat(hops, "+")
      end
      table.sort(texts)
      return texts
    end

    -- One route for particular packets, one for others, and the plain one.
    local function three()
      assert(nl.route:add(route({ via = gw(2) }, family.apart)))
      assert(nl.route:add(route({ via = gw(2) }, family.apart2)))
      assert(nl.route:add(route { via = gw(2) }))
      assert.same({ "2", "x:2", "y:2" }, held())
    end

    before_each(function()
      space = scratch.new(1)
      nl = space.nl
    end)

    after_each(function() space:close() end)

    it("holds what replace makes, and those beside it stay", function()
      three()
      assert(nl.route:replace(route { via = gw(3) }))
      assert.same({ "3", "x:2", "y:2" }, held())
      assert(nl.route:replace(route({ via = gw(4) }, family.apart)))
      assert.same({ "3", "x:4", "y:2" }, held())
    end)

    it("is where add_nexthop and del_nexthop change something", function()
      three()
      assert(nl.route:add_nexthop(dst, { via = gw(3) }))
      assert.same({ "2+3", "x:2", "y:2" }, held())
      assert(nl.route:add_nexthop(route({}, family.apart), { via = gw(4) }))
      assert.same({ "2+3", "x:2+4", "y:2" }, held())
      assert(nl.route:del_nexthop(route({}, family.apart), { via = gw(2) }))
      assert.same({ "2+3", "x:4", "y:2" }, held())
      assert.equal("ESRCH", select(3, nl.route:del_nexthop(dst, { via = gw(4) })))
      assert(nl.route:del_nexthop(dst, { via = gw(2) }))
      assert(nl.route:del_nexthop(dst, { via = gw(3) }))
      assert.same({ "x:4", "y:2" }, held())
      for _, verb in ipairs { "add_nexthop", "del_nexthop" } do
        assert.equal("ESRCH", select(3, nl.route[verb](nl.route, dst, { via = gw(4) })))
      end
      assert.same({ "x:4", "y:2" }, held())
    end)

    it("is named by a view as well", function()
      three()
      for _, view in ipairs(nl.route:list { dst = dst }) do
        assert(nl.route:add_nexthop(view, { via = gw(3) }))
      end
      assert.same({ "2+3", "x:2+3", "y:2+3" }, held())
      for _, view in ipairs(nl.route:list { dst = dst }) do
        assert(nl.route:del_nexthop(view, { via = gw(2) }))
      end
      assert.same({ "3", "x:3", "y:3" }, held())
    end)

    it("is where del looks, whatever else is asked for", function()
      three()
      assert(nl.route:del(route { via = gw(2) }))
      for _, asked in ipairs { {}, { via = gw(2) }, { dev = "v1" }, { proto = "boot" },
                               { nexthops = { { via = gw(2) } } } } do
        assert.equal("ESRCH", select(3, nl.route:del(route(asked))))
      end
      assert.same({ "x:2", "y:2" }, held())
      assert(nl.route:del(route({ via = gw(2) }, family.apart)))
      assert.same({ "y:2" }, held())
      assert(nl.route:del(route({}, family.apart2)))
      assert.same({}, held())
    end)

    it("is named by nothing else than what makes it", function()
      for _, verb in ipairs { "add_nexthop", "del_nexthop" } do
        local function refuses(expected, key)
          assert.error_matches(function() nl.route[verb](nl.route, key, { via = gw(2) }) end,
            expected)
        end
        refuses("mteric: unknown field %(did you mean 'metric'%?%)", { dst = dst, mteric = 5 })
        refuses(("proto: %s finds a route by dst, table,"):format(verb), { dst = dst, proto = 4 })
        refuses("via: " .. verb, dst .. " via " .. gw(2))
        refuses("table or words expected, got nil", nil)
      end
      assert(nl.route:add(route { via = gw(2), metric = 7 }))
      assert(nl.route:add_nexthop(dst .. " metric 7", { via = gw(3) }))
      assert.same({ "2+3" }, held())
    end)

    it("loses no hop to a hop without gateway and device", function()
      assert(nl.route:add(route { nexthops = { { via = gw(2) }, { via = gw(3) } } }))
      local missing <const> = {}
      for _, verb in ipairs { "add_nexthop", "del_nexthop" } do
        for _, hop in ipairs { { via = missing.gateway }, { weight = 1 } } do
          assert.error_matches(function() nl.route[verb](nl.route, dst, hop) end,
            "via: missing; " .. verb .. " needs the gateway or the device")
        end
        assert.error_matches(function() nl.route[verb](nl.route, dst) end, verb
          .. ": table or words of a next hop expected, got nil")
      end
      assert.same({ "2+3" }, held())
    end)

    it("holds several entries, of which del_nexthop finds the one with the hop", function()
      assert(nl.route:add(route { via = gw(2), metric = 5 }))
      assert(nl.route:add(route { via = gw(3), metric = 7 }))
      assert(nl.route:append(route { dev = "p1", metric = 7 }))
      assert(nl.route:del_nexthop(dst, { via = gw(3) }))
      assert.same({ "2", "p1" }, held())
      assert(nl.route:del_nexthop(dst, { dev = "p1" }))
      assert.same({ "2" }, held())
    end)
  end)
end

describe("routes that cannot have several hops as they are #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  it("are refused where IPv6 would make a second route", function()
    assert(nl.route:add "fd60::/32 dev p1")
    local ok, message, code = nl.route:add_nexthop("fd60::/32", { via = "fd00:0:0:1::2" })
    assert.is_nil(ok)
    assert.equal("EINVAL", code)
    assert.matches("add_nexthop fd60::/32 via .* by device alone", message)
    assert.equal(1, #nl.route:list { dst = "fd60::/32" })
    assert(nl.route:append "fd60::/32 via fd00:0:0:1::2")
    assert(nl.route:add_nexthop("fd60::/32", { via = "fd00:0:0:1::3" }))
    assert.equal(2, #nl.route:list { dst = "fd60::/32" })
    assert(nl.route:del_nexthop("fd60::/32", { via = "fd00:0:0:1::3" }))
    assert(nl.route:del_nexthop("fd60::/32", { via = "fd00:0:0:1::2" }))
    assert.equal("p1", nl.route:list { dst = "fd60::/32" }[1].dev)
  end)

  it("become wider in IPv4, and each hop has its own realm", function()
    assert(nl.route:add "10.60.0.0/16 dev p1")
    assert(nl.route:add_nexthop("10.60.0.0/16", { via = "10.0.1.2" }))
    assert.equal("10.60.0.0/16 nexthop dev p1 weight 1 nexthop via 10.0.1.2 dev v1 weight 1",
      nl.route:list { dst = "10.60.0.0/16" }[1]:text { line = true })
    assert(nl.route:add "10.61.0.0/16 via 10.0.1.2 realm 7 src 10.0.1.1")
    assert(nl.route:add_nexthop("10.61.0.0/16", "via 10.0.1.3 realm 9"))
    local has = nl.route:list { dst = "10.61.0.0/16" }[1]
    assert.equal("7", tostring(has.nexthops[1].realm))
    assert.equal("9", tostring(has.nexthops[2].realm))
    assert(nl.route:del_nexthop("10.61.0.0/16", { via = "10.0.1.2" }))
    has = nl.route:list { dst = "10.61.0.0/16" }[1]
    assert.equal("9", tostring(has.realm))
    assert.equal("10.0.1.1", has.src)
    assert(nl.route:del(has))
    assert.equal(0, #nl.route:list { dst = "10.61.0.0/16" })
  end)

  it("in IPv6 are not taken for a protocol that one hop has", function()
    local dst <const> = "fd60::/32"
    assert(nl.route:add "fd60::/32 via fd00:0:0:1::2 proto static")
    assert(nl.route:append "fd60::/32 via fd00:0:0:1::3 proto bird")
    assert.equal(0, #nl.route:list { proto = "bird", family = 6 })
    assert.equal("ESRCH", select(3, nl.route:del { dst = dst, proto = "bird" }))
    assert.equal(0, nl.route:flush { proto = "bird", family = 6 })
    assert.equal(2, #nl.route:list { dst = dst }[1].nexthops)
    assert(nl.route:del { dst = dst, proto = "static" })
    assert.equal(0, #nl.route:list { dst = dst })
  end)
end)

describe("a plan of gateways #netns", function()
  for _, beside in ipairs { "v1", "v2" } do -- the device that the gateways leave by, and another
    it("leaves what stands behind them where dumps list it, by " .. beside, function()
      local ecmp <const> = require "ecmp"
      local space <close> = setmetatable({ new = scratch.new(2) }, { __close = function(self)
        self.new:close()
      end })
      local nl <const>, dst <const> = space.new.nl, "fd60::/32"
      assert(nl.route:add { dst = dst, via = "fd00:0:0:1::2" })
      assert(nl:batch({ { "route append", { dst = dst, dev = beside } } })[1] == true)
      local wanted <const> = {
        { dst = dst, nexthops = { { via = "fd00:0:0:1::3" }, { via = "fd00:0:0:1::4" } } },
        { dst = dst, dev = beside },
      }
      assert(assert(ecmp.plan(nl.route:list { dst = dst }, wanted)):apply(nl))
      assert.are.equal(2, #nl.route:list { dst = dst })
      assert.are.equal(0, #assert(ecmp.plan(nl.route:list { dst = dst }, wanted)))
      assert.are.equal(2, (nl.route:flush { dst = dst }))
      assert.are.equal(0, #nl.route:list { dst = dst })
    end)
  end
end)
