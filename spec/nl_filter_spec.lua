--- Filters of lists: spelled as add takes them, and wrong ones are wrong calls.
local scratch = require "spec.scratch"

describe("filters #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(1)
    nl = space.nl
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2 metric 100 proto static")
    assert(nl.nexthop:add "id 5 via 10.0.1.2 dev v1 proto static")
    assert(nl.route:add "10.61.0.0/16 nhid 5")
    assert(nl.rule:add "from 10.9.0.0/16 fwmark 5 lookup main priority 100")
    assert(nl.neigh:add "10.0.1.7 lladdr 02:00:00:00:00:aa dev v1")
  end)

  teardown(function() space:close() end)

  for kind, filters in pairs {
    route = { { metric = "100" }, { metric = {} }, { nhid = "5" }, { dev = true }, { dev = false }, { dev = 5.0 },
              { dev = ("x"):rep(128) }, { via = 5 }, { type = "nosuch" }, { dst = "" },
              { table = "nosuch" }, { scope = {} }, { proto = false }, { src = "10.0.0.0/33" },
              { family = 6, dst = "10.60.0.0/16" } },
    link = { { up = 1 }, { dev = true }, { name = 5 }, { type = 5 }, { master = true } },
    addr = { { address = 5 }, { address = "10.0.1" }, { label = 5 }, { scope = "nosuch" } },
    rule = { { priority = "100" }, { priority = -1 }, { fwmark = "x" }, { iif = 5 },
             { action = "nosuch" } },
    nexthop = { { id = "5" }, { dev = {} }, { via = "x" } },
    neigh = { { state = "nosuch" }, { lladdr = 5 }, { proxy = 1 }, { dst = 7 } },
    vlan = { { dev = {} } },
  } do
    it(("of %s that no %s could match are wrong calls"):format(kind, kind), function()
      for _, filter in ipairs(filters) do
        local key <const> = next(filter, filter.family and "family" or nil) or next(filter)
        for _, verb in ipairs { "list", "each", "flush" } do
          local good <const>, message <const> = pcall(function()
            return nl[kind][verb](nl[kind], filter)
          end)
          assert(not good, ("%s %s"):format(kind, key))
          assert.matches("^spec/nl_filter_spec.lua:%d+: [%w.]+: ", message)
        end
      end
    end)
  end

  it("match whatever way they are written", function()
    local v1 <const> = nl.link:get { dev = "v1" }.index
    local function count(kind, expected, filter)
      assert.equal(expected, #assert(nl[kind]:list(filter)))
    end
    count("route", 1, { metric = 100 })
    count("route", 1, { metric = 100.0 })
    count("route", 1, { proto = 4, dst = "10.60.0.0/16" })
    count("route", 1, { nhid = 5 })
    count("route", #nl.route:list { dev = "v1" }, { dev = v1 })
    count("route", 1, { type = "unicast", via = "10.0.1.2", metric = 100 })
    count("link", 1, { dev = v1 })
    count("link", 1, { name = "v1", up = true, type = "veth" })
    count("link", 0, { name = "v1", up = false })
    count("link", 3, { master = false })
    count("addr", 1, { address = "10.0.1.1" })
    count("addr", 1, { address = "10.0.1.1/24", dev = v1 })
    count("addr", 0, { address = "10.0.1.1/32" })
    count("addr", 1, { address = "fd00:0:0:1:0::1" })
    count("rule", 1, { priority = 100 })
    count("rule", 2, { priority = 0 })
    count("rule", 1, { fwmark = "0x5" })
    count("rule", 1, { fwmark = 5 })
    count("nexthop", 1, { id = 5, dev = v1 })
    count("neigh", 1, { lladdr = "02:00:00:00:00:AA", state = "permanent", dev = v1 })
    for _, kind in ipairs { "route", "addr", "neigh", "nexthop", "link" } do
      local list, message, code = nl[kind]:list { dev = 12345 }
      assert.is_nil(list)
      assert.equal("ENODEV", code)
      assert.matches("^link get dev if12345: ", message)
    end
  end)

  -- Each word with a value that something has, and one that nothing has.
  local WORDS <const> = {
    route = { table = { "main", 77 }, dst = { "10.60.0.0/16", "10.99.0.0/16" }, dev = { "v1", "lo" },
              via = { "10.0.1.2", "10.0.1.9" }, proto = { "static", "bgp" }, type = { "unicast", "throw" },
              metric = { 100, 9 }, scope = { "link", "host" }, nhid = { 5, 9 }, src = { "10.0.1.1", "10.0.1.9" } },
    nexthop = { id = { 5, 9 }, dev = { "v1", "lo" }, via = { "10.0.1.2", "10.0.1.9" }, proto = { "static", "bgp" } },
    link = { dev = { "v1", "nosuch" }, name = { "p1", "nosuch" }, type = { "veth", "bridge" }, master = { false, "v1" },
             up = { true, false } },
    addr = { dev = { "v1", "nosuch" }, address = { "10.0.1.1/24", "10.0.1.9" }, scope = { "host", 77 },
             label = { "v1", "nosuch" } },
    rule = { priority = { 100, 9 }, table = { "main", 77 }, fwmark = { 5, 9 }, action = { "lookup", "blackhole" } },
    neigh = { dev = { "v1", "lo" }, dst = { "10.0.1.7", "10.0.1.9" }, state = { "permanent", "failed" },
              lladdr = { "02:00:00:00:00:aa", "02:00:00:00:00:bb" } },
  }

  for kind, words in pairs(WORDS) do
    it(("of %s find what has it and nothing else, by every word"):format(kind), function()
      for word, values in pairs(words) do
        local found <const>, none <const> = nl[kind]:list { [word] = values[1] }, nl[kind]:list { [word] = values[2] }
        assert.is_true(#assert(found) > 0, word)
        assert.equal(0, #(none or {}), word)
      end
    end)
  end

  it("are tables or words, of fields that are there", function()
    for _, wrong in ipairs { { 5, "table of filters expected, got number" },
      { { family = 5 }, "family: 4 or 6 expected, got 5" },
      { { metrik = 5 }, "'?metrik'?: unknown filter of route list %(did you mean 'metric'%?%)" },
      { { qqqqqq = 5 }, "'?qqqqqq'?: unknown filter of route list$" } } do
      local good <const>, message <const> = pcall(nl.route.list, nl.route, wrong[1])
      assert.is_false(good)
      assert.matches(wrong[2], message)
    end
  end)

  it("of a default metric find what has none, in both families", function()
    assert(nl.route:add "fd77::/32 via fd00:0:0:1::2")
    assert(nl.route:add "fd78::/32 via fd00:0:0:1::2 metric 77")
    local found <const> = {}
    for _, view in ipairs(nl.route:list { metric = 0 }) do found[view.dst] = true end
    assert.is_true(found["fd77::/32"] and found["10.61.0.0/16"])
    assert.is_nil(found["fd78::/32"] or found["10.60.0.0/16"])
  end)

  it("look into the hops of routes, and into gateways of the other family", function()
    assert(nl.route:add "10.63.0.0/16 nexthop via 10.0.1.3 nexthop via 10.0.1.4 weight 2")
    assert(nl.route:add "10.64.0.0/16 via inet6 fd00:0:0:1::9")
    assert.equal("10.63.0.0/16", nl.route:list({ via = "10.0.1.4" })[1].dst)
    assert.equal("10.64.0.0/16", nl.route:list({ via = "fd00:0:0:1::9" })[1].dst)
    assert.equal(0, #nl.route:list { via = "10.0.1.9", dst = "10.63.0.0/16" })
    assert.equal(1, #nl.route:list { dev = "v1", dst = "10.63.0.0/16" })
    assert.equal(0, #nl.route:list { dev = "lo", dst = "10.63.0.0/16" })
  end)
end)
