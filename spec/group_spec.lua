local group = require "ecmp.group"

local function text(route)
  return group.text(assert(group.canonical(route)))
end

local function refusal(route)
  local canonical, message, code = group.canonical(route)
  assert.is_nil(canonical)
  assert.equal("EINVAL", code)
  return message
end

describe("a canonical route", function()
  it("masks host bits in both families", function()
    assert.equal("10.0.0.0/8", group.canonical({ dst = "10.1.2.3/8", dev = "eth0" }).dst)
    assert.equal("2001:db8::/64", group.canonical({ dst = "2001:db8::9/64", dev = "eth0" }).dst)
  end)

  it("has a prefix length even for one address", function()
    assert.equal("10.0.0.1/32", group.canonical({ dst = "10.0.0.1", dev = "eth0" }).dst)
    assert.equal("::1/128", group.canonical({ dst = "::1", dev = "eth0" }).dst)
  end)

  it("takes the family of a default route from its gateway, or from what it says", function()
    assert.equal("0.0.0.0/0", group.canonical({ dst = "default", dev = "eth0" }).dst)
    assert.equal("::/0", group.canonical({ dst = "default", via = "fe80::1", dev = "eth0" }).dst)
    assert.equal("::/0", group.canonical({ dst = "default", nexthops = { { via = "::1" } } }).dst)
    assert.equal("::/0", group.canonical({ dst = "default", family = 6, dev = "eth0" }).dst)
    assert.equal("0.0.0.0/0", group.canonical({ dst = "default", via = "inet6 fe80::1" }).dst)
  end)

  it("has one metric for what each kernel family takes as one", function()
    for _, metric in ipairs { false, 0, 1024 } do
      local route = { dst = "::/0", dev = "eth0", metric = metric or nil }
      assert.equal(1024, group.canonical(route).metric)
    end
    assert.equal(0, group.canonical({ dst = "default", dev = "eth0" }).metric)
    assert.equal(1024, group.canonical({ dst = "default", dev = "eth0", metric = 1024 }).metric)
  end)

  it("has one table for main, 254, 0 and nothing", function()
    for _, name in ipairs { "main", 254, 0, "254" } do
      assert.equal(254, group.canonical({ dst = "default", dev = "eth0", table = name }).table)
    end
    assert.equal(100, group.canonical({ dst = "default", dev = "eth0", table = 100 }).table)
  end)

  it("implies the scope as iproute2 does, in IPv4 only", function()
    assert.equal("link", group.canonical({ dst = "default", dev = "eth0" }).scope)
    assert.equal("global", group.canonical({ dst = "default", via = "10.0.0.1" }).scope)
    assert.equal("host", group.canonical({ dst = "10.0.0.1", type = "local", dev = "lo" }).scope)
    assert.equal("link", group.canonical({ dst = "default", via = "10.0.0.1", scope = 253 }).scope)
    assert.is_nil(group.canonical({ dst = "::/0", via = "::1", scope = 253 }).scope)
  end)

  it("lists a hop once, compared by value", function()
    local route = assert(group.canonical { dst = "::/0", nexthops = {
      { via = "2001:db8::1" }, { via = "2001:DB8:0::1" }, { via = "2001:db8::2" },
    } })
    assert.equal(2, #route.nexthops)
  end)

  it("is the canonical form of itself", function()
    for _, route in ipairs {
      { dst = "10.0.0.0/8", dev = "eth0" }, { dst = "::/0", type = "blackhole" },
      { dst = "10.0.0.0/8", via = "10.0.0.1", metric = 5, table = 7, mtu = 1400 },
      { dst = "::/0", nexthops = { { via = "::1", weight = 3 }, { via = "::2", onlink = true } } },
    } do
      local canonical = assert(group.canonical(route))
      assert.same(canonical, group.canonical(canonical))
      assert.same(canonical, group.canonical(group.plain(canonical)))
    end
  end)

  it("ignores what the kernel says by itself", function()
    local one = { dst = "::/0", via = "::1", linkdown = true, dead = true, pref = "medium" }
    assert.same(group.canonical { dst = "::/0", via = "::1" }, group.canonical(one))
  end)
end)

describe("a route that cannot be", function()
  it("is refused for the same gateway with two weights, by name", function()
    local message = refusal { dst = "default", nexthops = {
      { via = "10.0.0.1" }, { via = "10.0.0.2" }, { via = "10.0.0.1", weight = 3 } } }
    assert.equal("nexthops[3].weight: via 10.0.0.1 is listed twice, with 1 and 3", message)
  end)

  it("is refused for a hop of the other family, unless an IPv4 route says inet6", function()
    assert.matches("^nexthops%[2%].via: ::2 is not an IPv4 address",
      refusal { dst = "10.0.0.0/8", nexthops = { { via = "10.0.0.1" }, { via = "::2" } } })
    assert.matches("^via: 10.0.0.1 is not an IPv6", refusal { dst = "::/0", via = "10.0.0.1" })
    assert.equal("10.0.0.0/8 via inet6 fe80::1 dev eth0",
      text { dst = "10.0.0.0/8", via = "inet6 fe80::1", dev = "eth0" })
  end)

  it("is refused for an IPv6 hop by device alone beside others, but not in IPv4", function()
    local hops = { { dev = "eth0" }, { via = "::1", dev = "eth1" } }
    assert.matches("^nexthops%[1%].via: missing;", refusal { dst = "::/0", nexthops = hops })
    assert.is_table(group.canonical { dst = "10.0.0.0/8",
      nexthops = { { dev = "eth0" }, { via = "10.0.0.1", dev = "eth1" } } })
    assert.is_table(group.canonical { dst = "::/0", dev = "eth0" })
  end)

  it("is refused beyond the hops that the kernel's dumps show", function()
    for family, most in pairs(group.MAX_HOPS) do
      local hops = {}
      for i = 1, most do
        hops[i] = { via = family == 4 and ("10.0.%d.%d"):format(i // 256, i % 256)
          or ("2001:db8::%x"):format(i) }
      end
      local route = { dst = family == 4 and "0.0.0.0/0" or "::/0", nexthops = hops }
      assert.equal(most, #assert(group.canonical(route)).nexthops)
      hops[most + 1] = { via = family == 4 and "10.99.0.1" or "fe80::1" }
      assert.matches("^nexthops: " .. most + 1 .. " are too many", refusal(route))
    end
  end)

  it("is refused with the path of the field", function()
    assert.equal("dst: missing", refusal { via = "10.0.0.1" })
    assert.equal("dst: 'x' is no prefix", refusal { dst = "x" })
    assert.equal("via: '10.0.0.300' is no address", refusal { dst = "default", via = "10.0.0.300" })
    assert.equal("via: '10.0.0.1/8' is no address", refusal { dst = "default", via = "10.0.0.1/8" })
    assert.equal("nexthops[1].weight: 0 is not a whole number from 1",
      refusal { dst = "default", nexthops = { { via = "10.0.0.1", weight = 0 } } })
    assert.matches("^nexthops%[1%].weight: 257 is outside", refusal { dst = "default",
      nexthops = { { via = "10.0.0.1", weight = 257 }, { via = "10.0.0.2" } } })
    assert.equal("via: missing; a route needs via, dev or nexthops", refusal { dst = "default" })
    assert.matches("^via: a route of type blackhole",
      refusal { dst = "default", type = "blackhole", via = "10.0.0.1" })
    assert.matches("^metric: %-1 is not", refusal { dst = "default", dev = "e", metric = -1 })
    assert.matches("^mtu: 1.5 is not", refusal { dst = "default", dev = "e", mtu = 1.5 })
    assert.equal("a route is a table, not a number", refusal(5))
  end)
end)

describe("a group key", function()
  local function keys_differ(change, base)
    local one = base or { dst = "10.0.0.0/8", via = "10.0.0.1" }
    local other = {}
    for k, v in pairs(one) do other[k] = v end
    for k, v in pairs(change) do other[k] = v end
    return group.key(one) ~= group.key(other)
  end

  it("consists of prefix, table, metric, and for IPv4 scope and tos", function()
    assert.is_true(keys_differ { dst = "10.0.0.0/9" })
    assert.is_true(keys_differ { table = 100 })
    assert.is_true(keys_differ { metric = 5 })
    assert.is_true(keys_differ { scope = "link" })
    assert.is_true(keys_differ { tos = 16 })
    assert.is_true(keys_differ { type = "blackhole" })
    assert.is_false(keys_differ { dst = "10.9.9.9/8" })
    assert.is_false(keys_differ { via = "10.0.0.2" })
    assert.is_false(keys_differ { table = "main", metric = 0, scope = 0 })
  end)

  it("leaves scope and tos out for IPv6", function()
    local base = { dst = "::/0", via = "::1" }
    assert.is_false(keys_differ({ scope = 253 }, base))
    assert.is_false(keys_differ({ metric = 0 }, base))
    assert.is_false(keys_differ({ metric = 1024 }, base))
    assert.is_true(keys_differ({ metric = 1 }, base))
    assert.is_true(keys_differ({ from = "2001:db8::/32" }, base))
  end)
end)

describe("grouping", function()
  local routes = {
    { dst = "::/0", via = "::1" }, { dst = "10.0.0.0/8", via = "10.0.0.1" },
    { dst = "10.1.0.0/8", via = "10.0.0.2", metric = 0 }, { dst = "default", via = "::2" },
    { dst = "10.0.0.0/8", via = "10.0.0.3", table = 5 },
  }

  it("keeps the order in which routes are listed", function()
    local groups = assert(group.group(routes))
    assert.equal(3, #groups)
    assert.equal("::1", groups[1][1].via)
    assert.equal("::2", groups[1][2].via)
    assert.equal("10.0.0.2", groups[2][2].via)
    assert.equal(1, #groups[3])
  end)

  it("takes what `ip route add` takes", function()
    local groups = assert(group.group { "10.0.0.0/8 via 10.0.0.1", routes[2], "::/0 via fd00::1" })
    assert.equal(2, #groups)
    assert.equal(2, #groups[1])
    assert.equal("fd00::1", groups[2].via)
    assert.equal(1, #group.group({ "10.0.0.0/8 via 10.0.0.1", "10.0.0.0/9 via 10.0.0.1" },
      function(route) return route.via end))
    local refused, message, code = group.group { routes[1], "10.0.0.0/8 viaa 10.0.0.1" }
    assert.is_nil(refused)
    assert.matches("^%[2%]: .*viaa", message)
    assert.equal("EINVAL", code)
  end)

  it("gives a group the fields its routes share", function()
    local groups = group.group(routes)
    assert.equal("10.0.0.0/8", groups[2].dst)
    assert.equal(4, groups[2].family)
    assert.equal(0, groups[2].metric)
    assert.equal(254, groups[2].table)
    assert.is_nil(groups[2].via)
    assert.equal("10.0.0.3", groups[3].via)
    assert.is_nil(groups[1].scope)
  end)

  it("takes a key of values, and never mixes families", function()
    local groups = group.group(routes, function(route) return { route.table, "x" } end)
    assert.equal(3, #groups)
    groups = group.group(routes, function() return true end)
    assert.equal(2, #groups)
    assert.equal(3, #groups[2])
    assert.is_nil(groups[2].table)
  end)

  it("tells values apart that print alike", function()
    local values = { "1", 1, { "a", "b" }, { "a\nstring 1 b" }, { "ab" } }
    local list = {}
    for i in ipairs(values) do list[i] = { dst = "10.0.0.0/8", via = "10.0.0." .. i, n = i } end
    assert.equal(5, #group.group(list, function(route) return values[route.n] end))
  end)

  it("names the route whose prefix is none", function()
    local groups, message, code = group.group { { dst = "default" }, { dst = "10/8" } }
    assert.is_nil(groups)
    assert.equal("[2].dst: '10/8' is no prefix", message)
    assert.equal("EINVAL", code)
  end)
end)

describe("joining", function()
  local function refused(...)
    local joined, message, code = group.join { ... }
    assert.is_nil(joined)
    assert.equal("EINVAL", code)
    return message
  end

  it("gives one route with all hops, once each", function()
    for _, case in ipairs {
      { "default", "10.0.0.1", "10.0.0.2" }, { "::/0", "2001:db8::1", "2001:db8::2" },
    } do
      local dst, one, two = table.unpack(case)
      local joined = assert(group.join {
        { dst = dst, via = one }, { dst = dst, via = two }, { dst = dst, via = one } })
      assert.equal(("default nexthop via %s nexthop via %s"):format(one, two), group.text(joined))
    end
  end)

  it("refuses routes that differ in mtu or advmss, also by leaving it out", function()
    assert.equal("mtu: the routes to ::/0 differ (1400 and none)",
      refused({ dst = "::/0", via = "::1", mtu = 1400 }, { dst = "::/0", via = "::2" }))
    assert.matches("^advmss: ", refused({ dst = "default", via = "10.0.0.1" },
      { dst = "default", via = "10.0.0.2", advmss = 1300 }))
  end)

  it("refuses IPv6 routes that differ in scope alone", function()
    assert.equal("scope: the routes to ::/0 differ (none and 253)",
      refused({ dst = "::/0", via = "::1" }, { dst = "::/0", via = "::2", scope = 253 }))
  end)

  it("refuses an IPv6 route by device alone", function()
    assert.matches("^::/0: nexthops%[2%].via: missing; an IPv6 route by device alone %(dev eth0%)",
      refused({ dst = "::/0", via = "::1" }, { dst = "::/0", dev = "eth0" }))
  end)

  it("does not mind who installed the routes", function()
    assert.is_table(group.join { { dst = "::/0", via = "::1", proto = "boot" },
      { dst = "::/0", via = "::2", proto = "static" } })
  end)
end)

describe("two routes", function()
  local base = { dst = "default", nexthops = {
    { via = "10.0.0.1", dev = "eth0", weight = 2 }, { via = "10.0.0.2", dev = "eth0" } } }

  local function with(change)
    local route = { dst = "default", nexthops = {} }
    for i, hop in ipairs(base.nexthops) do
      route.nexthops[i] = { via = hop.via, dev = hop.dev, weight = hop.weight }
    end
    change(route)
    return route
  end

  it("are the same with their hops in another order", function()
    assert.is_true(group.same(base, with(function(r)
      r.nexthops[1], r.nexthops[2] = r.nexthops[2], r.nexthops[1]
    end)))
  end)

  it("differ in weight, onlink, gateway, device, metric, table, mtu", function()
    local changes = {
      nexthops = {
        function(r) r.nexthops[1].weight = 3 end, function(r) r.nexthops[2].onlink = true end,
        function(r) r.nexthops[2].via = "10.0.0.3" end,
        function(r) r.nexthops[2].dev = "eth1" end, function(r) r.nexthops[2] = nil end,
        function(r) r.nexthops[3] = { via = "10.0.0.3" } end,
      },
      metric = { function(r) r.metric = 1 end }, table = { function(r) r.table = 9 end },
      mtu = { function(r) r.mtu = 1400 end },
    }
    for field, list in pairs(changes) do
      for _, change in ipairs(list) do
        local same, which = group.same(base, with(change))
        assert.is_false(same)
        assert.equal(field, which)
      end
    end
  end)

  it("are the same but for what the kernel says by itself", function()
    assert.is_true(group.same(base, with(function(r)
      r.nexthops[1].linkdown, r.nexthops[1].dead = true, true
    end)))
  end)

  it("match a wish that leaves fields and devices out", function()
    local have = group.held { dst = "default", proto = "static", mtu = 1400, nexthops = {
      { via = "10.0.0.1", dev = "eth0" }, { via = "10.0.0.1", dev = "eth1" },
      { via = "10.0.0.2", dev = "eth0" } } }
    local function wish(...) return group.canonical { dst = "default", nexthops = { ... } } end
    assert.is_true(group.matches(have, wish({ via = "10.0.0.2" }, { via = "10.0.0.1" },
      { via = "10.0.0.1", dev = "eth1" })))
    assert.is_false(group.matches(have, wish({ via = "10.0.0.2" }, { via = "10.0.0.1" },
      { via = "10.0.0.1", dev = "eth2" })))
  end)
end)

describe("grouping, where something is wrong or left out,", function()
  local A <const>, B <const> = { dst = "10.0.0.0/8", dev = "eth0" }, { dst = "11.0.0.0/8", dev = "eth0" }

  it("says nothing of the fields of no routes", function()
    assert.is_nil(group.new({}).dst)
    assert.is_nil(group.new({ A })[2])
  end)

  it("takes the stock key where a function of the site has none", function()
    local groups <const> = assert(group.group({ A, B, A }, function() end))
    assert.same({ 2, 1 }, { #groups[1], #groups[2] })
  end)

  it("takes no table for a value of a key", function()
    assert.error_matches(function() group.group({ A }, function() return { 1, {} } end) end,
      "^key: a list of values is due here; %[2%] is a table$")
  end)

  it("raises where a route is neither table nor text", function()
    for _, key in ipairs { false, function() return 1 end } do
      assert.error_matches(function() group.group({ A, 5 }, key or nil) end,
        "%[2%]: a route is a table or text, not a number$")
    end
  end)

  it("joins nothing that is no route, and names it", function()
    assert.same({ nil, "[1].dst: 'x' is no prefix", "EINVAL" }, { group.join { { dst = "x" }, A } })
    assert.same({ nil, "[2].dst: 'x' is no prefix", "EINVAL" }, { group.join { A, { dst = "x" } } })
  end)

  it("joins nothing that differs in its key", function()
    for field, other in pairs { table = 7, type = "blackhole", tos = 4, metric = 9 } do
      local route <const> = { dst = A.dst, dev = A.dev, [field] = other }
      if field == "type" then route.dev = nil end
      local joined <const>, message <const> = group.join { A, route }
      assert.is_nil(joined)
      assert.matches("^" .. field .. ": the routes to 10.0.0.0/8 differ ", message)
    end
    assert.matches("^dst: ", select(2, group.join { A, B }))
  end)
end)
