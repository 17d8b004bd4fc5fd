--- Filters of lists: spelled as add takes them, and wrong ones are wrong calls.
local scratch = require "spec.scratch"

describe("filters #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(1)
    nl = space.nl
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2 metric 100 proto static")
    assert(nl.nexthop:add "id 5 via 10.0.1.2 dev v1")
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
end)
