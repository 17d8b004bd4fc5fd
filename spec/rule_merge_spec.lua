local group = require "ecmp.group"
local rule = require "ecmp.rule"

local function texts(routes, message)
  local lines = {}
  for i, route in ipairs(assert(routes, message)) do
    lines[i] = group.text(assert(group.canonical(route)))
  end
  return lines
end

local function refusal(routes, message, code)
  assert.is_nil(routes)
  return message, code
end

-- The configuration that the project is about.
local four = { { dst = "0.0.0.0/0", via = "10.0.0.1" }, { dst = "0.0.0.0/0", via = "10.0.0.2" } }
local six = { { dst = "::/0", via = "2001:db8::1" }, { dst = "::/0", via = "2001:db8::2" } }
local both = { four[1], four[2], six[1], six[2] }

describe("the rule", function()
  it("ecmp makes one multipath route of each family", function()
    assert.same({
      "default nexthop via 10.0.0.1 nexthop via 10.0.0.2",
      "default nexthop via 2001:db8::1 nexthop via 2001:db8::2",
    }, texts(rule.merge(both, "ecmp")))
  end)

  it("takes what `ip route add` takes, as tables to every hook", function()
    local words = { "default via 10.0.0.1", "0.0.0.0/0 via 10.0.0.2", "default via 2001:db8::1",
      "::/0 via 2001:db8::2" }
    assert.same(texts(rule.merge(both, "ecmp")), texts(rule.merge(words, "ecmp")))
    local seen
    assert(rule.merge(words, { routes = function(routes) seen = routes[1].via return routes end }))
    assert.equal("10.0.0.1", seen)
    local message, code = refusal(rule.merge({ "default viaa 10.0.0.1" }, "ecmp"))
    assert.matches("^routes%[1%]: .*viaa", message)
    assert.equal("EINVAL", code)
  end)

  it("ecmp never merges what differs in table or metric", function()
    local routes = {
      { dst = "::/0", via = "::1" }, { dst = "::/0", via = "::2", table = 9 },
      { dst = "::/0", via = "::3", metric = 9 }, { dst = "::/0", via = "::4", metric = 1024 },
    }
    assert.equal(3, #rule.merge(routes, "ecmp"))
  end)

  it("separate keeps every route, in the order listed, marked, without mtu and advmss", function()
    local routes = { { dst = "default", via = "10.0.0.1", mtu = 1400, advmss = 1300 },
      { dst = "10.0.0.0/8", dev = "eth0" }, { dst = "default", via = "10.0.0.2", scope = 253 },
      { dst = "default", via = "10.0.0.3" } }
    local merged = rule.merge(routes, "separate")
    assert.same({ "default via 10.0.0.1", "10.0.0.0/8 dev eth0",
      "default via 10.0.0.2 scope link", "default via 10.0.0.3" }, texts(merged))
    for _, route in ipairs(merged) do assert.is_true(route.separate) end
  end)

  it("separate refuses an exact duplicate as the kernel does", function()
    for _, list in ipairs { four, six } do
      local message, code = refusal(rule.merge({ list[1], list[2], list[1] }, "separate"))
      assert.equal("EEXIST", code)
      assert.matches("listed twice: File exists %(EEXIST%)$", message)
    end
  end)

  it("first keeps the first listed", function()
    assert.same({ "default via 10.0.0.1", "default via 2001:db8::1" },
      texts(rule.merge(both, "first")))
  end)

  it("failover counts up from the key's metric", function()
    assert.same({ "default via 10.0.0.1", "default via 10.0.0.2 metric 1",
      "default via 2001:db8::1", "default via 2001:db8::2 metric 1025" },
      texts(rule.merge(both, "failover")))
  end)

  it("failover skips metrics in use by other interfaces, other groups, and itself", function()
    local ctx = { ifname = "eth1", current = {
      { dst = "default", via = "10.9.0.1", dev = "eth0", metric = 1 },
      { dst = "default", via = "10.9.0.1", dev = "eth1", metric = 2 },
      { dst = "10.0.0.0/8", via = "10.9.0.1", dev = "eth0", metric = 2 },
    } }
    local routes = { four[1], four[2], { dst = "default", via = "10.0.0.3", metric = 3 },
      { dst = "default", via = "10.0.0.4" }, { dst = "default", via = "10.0.0.5", metric = 3 } }
    assert.same({ "default via 10.0.0.1", "default via 10.0.0.2 metric 2",
      "default via 10.0.0.4 metric 4", "default via 10.0.0.3 metric 3",
      "default via 10.0.0.5 metric 5" }, texts(rule.merge(routes, "failover", ctx)))
  end)

  it("failover leaves a taken metric to whoever settles conflicts, unless that is to yield",
    function()
      local current = { { dst = "default", via = "10.9.0.1", dev = "eth0" } }
      local function first(conf)
        local ctx = { ifname = "eth1", current = current, conf = conf }
        return texts(rule.merge(four, "failover", ctx))[1]
      end
      assert.equal("default via 10.0.0.1 metric 1", first(nil))
      assert.equal("default via 10.0.0.1 metric 1", first { conflict = "yield" })
      assert.equal("default via 10.0.0.1", first { conflict = "take" })
    end)

  it("failover refuses to count beyond the last metric", function()
    local last = 0xffffffff
    local message, code = refusal(rule.merge({ { dst = "::/0", via = "::1", metric = last },
      { dst = "::/0", via = "::2", metric = last } }, "failover"))
    assert.equal("EINVAL", code)
    assert.matches("metric: none is left", message)
  end)

  it("reject names the routes", function()
    local message, code = refusal(rule.merge(six, "reject"))
    assert.equal("EINVAL", code)
    assert.equal("merge(default): 2 routes have one destination, table and metric: "
      .. "default via 2001:db8::1; default via 2001:db8::2", message)
    assert.same({ "default via 10.0.0.1" }, texts(rule.merge({ four[1] }, "reject")))
  end)

  it("takes a route that lists its hops as one, whatever the word", function()
    local listed = { dst = "default", nexthops = { { via = "10.0.0.8" }, { via = "10.0.0.9" } } }
    local alone = "default nexthop via 10.0.0.8 nexthop via 10.0.0.9"
    for _, word in ipairs(rule.words) do
      assert.same({ alone }, texts(rule.merge({ listed }, word)))
    end
    assert.same({ alone .. " nexthop via 10.0.0.1" },
      texts(rule.merge({ listed, four[1] }, "ecmp")))
    assert.same({ alone, "default via 10.0.0.1" },
      texts(rule.merge({ listed, four[1] }, "separate")))
    assert.same({ "default metric 1 nexthop via 10.0.0.8 nexthop via 10.0.0.9" },
      { texts(rule.merge({ four[1], listed }, "failover"))[2] })
  end)

  it("is a mistake of the caller when nobody knows the word", function()
    assert.error_matches(function() rule.merge(four, "ecpm") end,
      "rule: 'ecpm' is no rule; known words are ecmp, separate, first, failover, reject")
  end)
end)

describe("the block", function()
  local function merged(merge, ctx) return texts(rule.merge(four, merge, ctx)) end

  it("multipath settles by its options what routes disagree on", function()
    local routes = { { dst = "::/0", via = "::1", mtu = 1400 }, { dst = "::/0", via = "::2" } }
    assert.is_nil(rule.merge(routes, rule.multipath))
    assert.same({ "default mtu 1300 nexthop via ::1 nexthop via ::2" },
      texts(rule.merge(routes, function(g, ctx) return rule.multipath(g, ctx, { mtu = 1300 }) end)))
    assert.is_nil(routes[2].mtu)
  end)

  it("weighted takes gateways, prefixes, interfaces, and functions", function()
    local function weigh(options, routes)
      return texts(rule.merge(routes or four, function(g, ctx)
        return rule.weighted(g, ctx, options)
      end))[1]
    end
    assert.equal("default nexthop via 10.0.0.1 weight 3 nexthop via 10.0.0.2",
      weigh { ["10.0.0.1"] = 3 })
    assert.equal("default nexthop via 10.0.0.1 weight 9 nexthop via 10.0.0.2 weight 2",
      weigh { ["10.0.0.0/8"] = 2, ["10.0.0.1"] = 9 })
    assert.equal("default nexthop via 2001:db8::1 nexthop via 2001:db8::2 weight 4",
      weigh({ ["2001:DB8:0::2"] = 4 }, six))
    assert.equal("default nexthop via 10.0.0.1 dev a weight 5 nexthop via 10.0.0.2 dev b",
      weigh({ a = 5 }, { { dst = "default", via = "10.0.0.1", dev = "a" },
        { dst = "default", via = "10.0.0.2", dev = "b" } }))
    assert.equal("default via 10.0.0.2", weigh { ["10.0.0.1"] = 0 })
    assert.equal("default nexthop via 10.0.0.1 nexthop via 10.0.0.2 weight 7",
      weigh(function(hop) return hop.via == "10.0.0.2" and 7 or nil end))
  end)

  it("weighted refuses weights that are none", function()
    for _, options in ipairs { { ["10.0.0.1"] = 257 }, { ["10.0.0.1"] = "3" },
      { ["10.0.0.1"] = 1.5 }, { ["10.0.0.0/8"] = 0 }, function() return -1 end } do
      local message, code = refusal(rule.merge(four, function(g, ctx)
        return rule.weighted(g, ctx, options)
      end))
      assert.equal("EINVAL", code)
      assert.matches("weight", message)
    end
  end)

  it("drop leaves out the group, or hops by a test", function()
    assert.same({}, merged(rule.drop))
    local function up(g, ctx)
      return rule.multipath(rule.drop(g, ctx, function(hop, c) return not c.links[hop.dev].up end))
    end
    local routes = { { dst = "default", via = "10.0.0.1", dev = "a" }, { dst = "default",
      nexthops = { { via = "10.0.0.2", dev = "b", weight = 3 },
        { via = "10.0.0.3", dev = "a" } } } }
    local links = { a = { up = false }, b = { up = true } }
    assert.same({ "default via 10.0.0.2 dev b" }, texts(rule.merge(routes, up, { links = links })))
    links.b.up = false
    assert.same({}, rule.merge(routes, up, { links = links }))
    links.a.up, links.b.up = true, true
    assert.same({ "default nexthop via 10.0.0.1 dev a nexthop via 10.0.0.2 dev b weight 3 "
      .. "nexthop via 10.0.0.3 dev a" }, texts(rule.merge(routes, up, { links = links })))
  end)
end)

describe("merging by a table of hooks", function()
  it("runs routes on the whole list, then key, then merge on each group", function()
    local seen = {}
    local merged = rule.merge(both, {
      routes = function(routes, ctx)
        seen[#seen + 1] = #routes
        assert.equal("x", ctx.args)
        return { routes[1], routes[2], routes[3] }
      end,
      key = function(route) return { route.dst } end,
      merge = function(routes, ctx)
        seen[#seen + 1] = #routes
        return rule.multipath(routes, ctx)
      end,
    }, { args = "x" })
    assert.same({ 4, 2, 1 }, seen)
    assert.equal(2, #merged)
  end)

  it("leaves what it does not say to the word in the configuration", function()
    assert.equal(4, #rule.merge(both, {}, { conf = { merge = "failover" } }))
    assert.equal(2, #rule.merge(both, {}))
  end)

  it("takes a refusal as nil, message, code", function()
    local message, code = refusal(rule.merge(four, function() return nil, "not here" end))
    assert.equal("merge(default): not here", message)
    assert.equal("EINVAL", code)
    message, code = refusal(rule.merge(four, { routes = function() return nil, "no", 11 end }))
    assert.equal("routes: no", message)
    assert.equal(11, code)
  end)

  it("names the field of what is no route", function()
    local function fault(value, ctx)
      local message, code = refusal(rule.merge(four, function() return value end, ctx))
      assert.equal("EINVAL", code)
      return message
    end
    local links = { links = { eth0 = {} } }
    assert.matches("^merge%(default%): returned nothing; a route", fault(nil))
    assert.matches("^merge%(default%): returned a string; a route", fault("x"))
    assert.equal("merge(default)[2]: a route is a table, not a number", fault { four[1], 5 })
    assert.equal("merge(default).gw: unknown field (did you mean 'via'?)",
      fault { dst = "default", gw = "10.0.0.1" })
    assert.equal("merge(default)[1].nexthops[2].wieght: unknown field (did you mean 'weight'?)",
      fault { { dst = "default", nexthops = { { via = "10.0.0.1" }, { wieght = 3 } } } })
    assert.equal("merge(default).via: 2001:db8::1 is not an IPv4 address",
      fault { dst = "0.0.0.0/0", via = "2001:db8::1" })
    assert.equal("merge(default).nexthops[1].dev: there is no interface 'eth9'",
      fault({ dst = "default", nexthops = { { dev = "eth9" } } }, links))
    assert.equal("merge(default).dev: there is no interface 'eth9'",
      fault({ dst = "default", dev = "eth9" }, links))
    assert.equal("merge(default).metric: a whole number is due here, not 1.5",
      fault { dst = "default", dev = "eth0", metric = 1.5 })
    assert.equal("merge(default).dst: text is due here, not a table",
      fault { dst = {}, dev = "eth0" })
    assert.matches("^merge%(default%)%.x: a list of routes has no such entry",
      fault { four[1], x = 1 })
    assert.equal("merge(default).nexthops.a: a list of next hops has no such entry",
      fault { dst = "default", nexthops = { a = 1 } })
  end)

  it("refuses a route whose next hops are of two families, whatever its group is called", function()
    local hops <const> = { { via = "10.0.0.1" }, { via = "fd00::1" } }
    local mixed <const> = { { dst = "10.0.0.0/8", nexthops = hops } }
    local message, code = refusal(rule.merge(mixed, "ecmp"))
    assert.matches("nexthops%[2%]%.via: fd00::1 is not an IPv4 address", message)
    assert.equal("EINVAL", code)
  end)

  -- In IPv4 the first of two such routes would take all traffic, in IPv6 both would share it.
  describe("refuses two routes with one destination, table and metric", function()
    it("of one group, in both families", function()
      for _, list in ipairs { four, six } do
        local message, code = refusal(rule.merge(list, function(routes) return routes end))
        assert.equal("EINVAL", code)
        assert.equal(("merge(default)[2]: default via %s has the destination, table and metric of "
          .. "merge(default)[1], default via %s; join them or give each a metric"):format(
          list[2].via, list[1].via), message)
      end
    end)

    it("of two groups whose metrics the rule has moved", function()
      local routes = { { dst = "10.8.0.0/16", via = "10.0.0.1", metric = 100 },
        { dst = "10.8.0.0/16", via = "10.0.0.2", metric = 200 } }
      local message = refusal(rule.merge(routes, function(one, ctx)
        return rule.multipath(one, ctx, { metric = 50 })
      end))
      assert.equal("merge(10.8.0.0/16): 10.8.0.0/16 via 10.0.0.2 metric 50 has the destination, "
        .. "table and metric of merge(10.8.0.0/16), 10.8.0.0/16 via 10.0.0.1 metric 50; "
        .. "join them or give each a metric", message)
    end)

    it("but not those that the block separate marks, nor those of other scope or type", function()
      local routes = { four[1], four[2], { dst = "default", dev = "eth0", scope = "link" },
        { dst = "default", type = "unreachable" } }
      assert.equal(4, #rule.merge(routes, "separate"))
      assert.equal(3, #rule.merge(routes, "ecmp"))
      -- One that is not marked is one too many.
      assert.is_nil(rule.merge({ four[1], four[2] }, { key = function(route) return route.via end,
        merge = function(one, ctx)
          return one[1].via == "10.0.0.1" and rule.separate(one, ctx) or one
        end }))
    end)
  end)

  it("names the route in what it says of one that is none", function()
    for _, word in ipairs { "ecmp", "separate", "first", "failover", "reject" } do
      local _, message <const> = rule.merge({ { dst = "10.0.0.0/8", via = "fe80::1" } }, word)
      assert.matches("^merge%(10.0.0.0/8%): .*fe80::1 is not an IPv4 address", message)
    end
  end)
end)
