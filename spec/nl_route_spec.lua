--- Routes against the kernel: every kind there is, written, read back, found and deleted.
local rtnl = require "ecmp.rtnl"
local random = require "spec.random_route"
local scratch = require "spec.scratch"

local DEVICES <const> = 4

-- The fields of `wanted` as the kernel has them; lists of hops member by member.
local function as_given(wanted, has)
  local found <const> = {}
  for key, want in pairs(wanted) do
    local value = has[key]
    if type(want) == "table" and type(value) == "table" then value = as_given(want, value) end
    if type(want) == "string" and want:find "^inet6 " and value then value = "inet6 " .. value end
    found[key] = value
  end
  return found
end

describe("routes #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(DEVICES)
    nl = space.nl
  end)

  teardown(function() space:close() end)

  -- One route in, out, and away again. An encapsulation the kernel lacks is named and passed over.
  local function round(route)
    local ok <const>, message <const>, code <const> = nl.route:add(route)
    if not ok and code == "EOPNOTSUPP" and route.encap then
      pending(("this kernel has no encap %s"):format(route.encap.type))
      return
    end
    assert(ok, message)
    local list <const> = assert(nl.route:list { dst = route.dst, table = "all",
      family = route.family })
    local has
    for _, one in ipairs(list) do
      if one.metric == (route.metric or one.metric) and one.proto ~= "kernel" then has = one end
    end
    assert(has, "not in the kernel: " .. route.dst)
    assert.are.same(route, as_given(route, has))
    assert(nl.route:del(has))
    for _, one in ipairs(nl.route:list { dst = route.dst, table = "all" }) do
      assert(one.proto == "kernel" or one.metric ~= has.metric, "still in the kernel: "
        .. route.dst)
    end
  end

  for _, kind in ipairs { "blackhole", "unreachable", "prohibit", "throw" } do
    it("of type " .. kind .. " come back as they went", function()
      round { dst = "10.40.0.0/16", type = kind }
      round { dst = "fd40::/16", type = kind, metric = 9 }
    end)
  end

  for _, kind in ipairs { "local", "broadcast", "multicast", "anycast", "unicast" } do
    it("of type " .. kind .. " come back as they went", function()
      local dst <const> = kind == "multicast" and "239.9.0.0/16" or "10.40.0.7"
      round { dst = dst, type = kind, dev = "v1", table = 50 }
      if kind ~= "broadcast" then
        round { dst = kind == "multicast" and "ff05::/64" or "fd40::7", type = kind, dev = "v1",
                table = 50 }
      end
    end)
  end

  for name, route in pairs {
    ["with a table beyond 255"] = { dst = "10.41.0.0/16", dev = "v1", table = 4294967295 },
    ["with the highest metric"] = { dst = "10.41.0.0/16", dev = "v1", metric = 4294967295 },
    ["with a scope"] = { dst = "10.41.0.0/16", dev = "v1", scope = "host" },
    ["with a source"] = { dst = "10.41.0.0/16", via = "10.0.1.2", dev = "v1", src = "10.0.1.1" },
    ["with a source, IPv6"] = { dst = "fd41::/16", via = "fd00:0:0:1::2", dev = "v1",
                                src = "fd00:0:0:1::1" },
    ["from a prefix"] = { dst = "fd41::/16", from = "fd77::/16", via = "fd00:0:0:1::2",
      dev = "v1" },
    ["onlink"] = { dst = "10.41.0.0/16", via = "172.31.0.1", dev = "v1", onlink = true },
    ["onlink, IPv6"] = { dst = "fd41::/16", via = "fd99::1", dev = "v1", onlink = true },
    ["with a preference"] = { dst = "fd41::/16", via = "fe80::2", dev = "v1", pref = "high" },
    ["of IPv4 via IPv6"] = { dst = "10.41.0.0/16", via = "inet6 fe80::2", dev = "v1" },
    ["with realms"] = { dst = "10.41.0.0/16", via = "10.0.1.2", dev = "v1", realm = "7/9" },
    ["with a tos"] = { dst = "10.41.0.0/16", via = "10.0.1.2", dev = "v1", tos = 16 },
    ["with every metric"] = {
      dst = "10.41.0.0/16", via = "10.0.1.2", dev = "v1", lock = { "mtu", "rtt" }, mtu = 1400,
      window = 2, rtt = 100.5, rttvar = 50, ssthresh = 3, cwnd = 4, advmss = 1300, reordering = 5,
      hoplimit = 64, initcwnd = 10, features = { "ecn" }, rto_min = 200, initrwnd = 11,
        quickack = 1,
      congctl = "reno", fastopen_no_cookie = 1 },
    ["with metrics, IPv6"] = { dst = "fd41::/16", via = "fd00:0:0:1::2", dev = "v1", mtu = 1400,
                               hoplimit = 3, lock = { "mtu" } },
    ["with hops and their fields"] = { dst = "10.41.0.0/16", nexthops = {
      { via = "10.0.1.2", dev = "v1", weight = 256 }, { dev = "v2", weight = 1 },
      { via = "inet6 fe80::2", dev = "v3", weight = 7, realm = 3 },
      { via = "172.31.0.1", dev = "v4", weight = 2, onlink = true } } },
    ["with hops, IPv6"] = { dst = "fd41::/16", nexthops = {
      { via = "fd00:0:0:1::2", dev = "v1", weight = 256 }, { via = "fe80::2", dev = "v2",
        weight = 9 } } },
  } do
    it(name .. " come back as they went", function() round(route) end)
  end

  for name, encap in pairs {
    ip = { type = "ip", id = 77, src = "192.0.2.1", dst = "192.0.2.2", ttl = 3, tos = 4,
      key = true },
    ip6 = { type = "ip6", id = 77, src = "fd01::1", dst = "fd01::2", hoplimit = 3, tc = 4 },
    mpls = { type = "mpls", labels = { 100, 200 } },
    ["seg6 encap"] = { type = "seg6", mode = "encap", segs = { "fc00::1", "fc00::2" } },
    ["seg6 inline"] = { type = "seg6", mode = "inline", segs = { "fc00::1" } },
    ["seg6local End"] = { type = "seg6local", action = "End" },
    ["seg6local End.X"] = { type = "seg6local", action = "End.X", nh6 = "fd00:0:0:1::2" },
    ["seg6local End.DX4"] = { type = "seg6local", action = "End.DX4", nh4 = "10.0.1.2" },
    ["seg6local End.DT6"] = { type = "seg6local", action = "End.DT6", table = "main" },
    ["seg6local End.B6.Encaps"] = { type = "seg6local", action = "End.B6.Encaps",
                                    segs = { "fc00::7", "fc00::8" } },
    rpl = { type = "rpl", segs = { "fc00::1", "fc00::2" } },
    ioam6 = { type = "ioam6", freq = "1/3", mode = "encap", tundst = "fc00::9",
              trace = { type = 0x800000, ns = 5, size = 12 } },
    xfrm = { type = "xfrm", if_id = 7, link_dev = "v1" },
  } do
    it("with encap " .. name .. " come back as they went", function()
      round { dst = "fd42::/64", via = "fe80::2", dev = "v1", encap = encap }
    end)
  end

  it("expire", function()
    assert(nl.route:add { dst = "fd43::/16", dev = "v1", expires = 100 })
    local has <const> = nl.route:list { dst = "fd43::/16" }[1]
    assert.is_true(has.expires >= 98 and has.expires <= 100)
    assert(nl.route:del { dst = "fd43::/16" })
  end)

  it("are found by what they hold, next hops looked into", function()
    assert(nl.route:add { dst = "10.44.0.0/16", metric = 7, proto = "bird", nexthops = {
      { via = "10.0.1.2", dev = "v1" }, { via = "10.0.2.2", dev = "v2" } } })
    assert(nl.route:add { dst = "fd44::/16", metric = 7, proto = "bird", nexthops = {
      { via = "fe80::2", dev = "v1" }, { via = "fe80::3", dev = "v2" } } })
    for _, case in ipairs {
      { { via = "10.0.2.2" }, 1 }, { { via = "fe80::3" }, 1 }, { { via = "10.0.9.9" }, 0 },
      { { dev = "v2", proto = "bird" }, 2 }, { { dev = "v2", family = 6, proto = "bird" }, 1 },
      { { dev = "v3", proto = "bird" }, 0 }, { { metric = 7 }, 2 }, { { metric = 8 }, 0 },
      { { proto = "bird", type = "unicast" }, 2 }, { { proto = "bird", type = "blackhole" }, 0 },
      { { dst = "10.44.0.0/16" }, 1 }, { { dst = "fd44::/16", table = "main" }, 1 },
      { { dst = "fd44::/16", table = 100 }, 0 }, { { proto = "bird", table = "all" }, 2 },
      { { table = 12345 }, 0 }, { "proto bird dev v1", 2 }, { { scope = "global", metric = 7 }, 2 },
      { { dst = "FD44:0::0/16" }, 1 }, { { metric = 0, dst = "10.44.0.0/16" }, 0 },
      { { metric = 0, dst = "10.0.1.0/24" }, 1 },
    } do
      local list <const> = assert(nl.route:list(case[1]))
      assert.are.equal(case[2], #list)
    end
    assert.are.equal(2, assert(nl.route:flush { proto = "bird" }))
    assert.are.equal(0, #nl.route:list { proto = "bird" })
  end)

  it("are handed out one by one: what is kept stays, what is asked meanwhile disturbs nothing",
    function()
      local changes <const>, kept <const> = {}, {}
      for i = 1, 300 do changes[i] = { "route add", { dst = ("10.46.%d.%d/32"):format(i // 100, i %
        100), dev = "v1", proto = "bird" } } end
      for _, result in ipairs(nl:batch(changes)) do assert.is_true(result) end
      local next_route <const> = nl.route:each { proto = "bird", family = 4 }
      for route in next_route do
        kept[#kept + 1] = route
        assert(nl.route:del(route))
        collectgarbage "step"
      end
      assert.is_nil(next_route())
      assert.are.equal(300, #kept)
      local seen <const> = {}
      for _, route in ipairs(kept) do seen[route.dst] = route.proto end
      for _, change in ipairs(changes) do
        assert.are.equal("bird", seen[change[2].dst:match "[^/]+"])
      end
      assert.are.equal(0, #nl.route:list { proto = "bird" })
      assert.are.equal(4, nl.route:each()().family)
    end)

  it("of a list are sent as they are, in an order in which gateways are found", function()
    local list <const>, changes <const> = rtnl.list(nl.socket), {}
    for i = 0, 39 do
      list:add({ dst = ("10.48.%d.0/24"):format(i), via = "10.49.0.9", onlink = i == 7 or nil,
        dev = i == 7 and "v1" or nil, proto = "bird" }, i)
    end
    list:add({ dst = "10.49.0.0/16", dev = "v1" }, 40)
    list:add({ dst = "fd48::/64", via = "fd00:0:0:1::2" }, 41)
    for i, n in ipairs { 41, 42 } do changes[i] = { "route add", list, n } end
    for n = 1, 40 do changes[n + 2] = { "route add", list, n } end
    for _, result in ipairs(nl:batch(changes, { order = "apart" })) do assert.is_true(result) end
    assert.are.equal(40, #nl.route:list { proto = "bird", via = "10.49.0.9", dev = "v1" })
    assert.are.equal("boot", nl.route:list({ dst = "fd48::/64" })[1].proto)
    -- on the way back nothing leads to anything; what the kernel refuses is told as ever
    local results <const> = nl:batch({ { "route del", list, 41 }, { "route del", list, 1 },
      { "route del", list, 1 }, { "route del", list, 42 } }, { order = "apart" })
    assert.are.same({ true, true, true }, { results[1], results[2], results[4] })
    assert.are.equal("ESRCH", results[3].code)
    assert.has_error(function() nl:batch { { "route add", list, 43 } } end,
      "[1]: { \"route add\", list, number } expected")
    assert.are.equal(39, nl.route:flush { proto = "bird" })
    local other <const> = rtnl.list() -- devices by names alone
    other:add({ dst = "10.50.0.0/16", dev = "v1", proto = "bird" }, 1)
    for _, result in ipairs(nl:batch { { "route add", other, 1 } }) do assert.is_true(result) end
    assert.are.equal("v1", nl.route:list({ proto = "bird" })[1].dev)
    local tx <const> = nl:begin()
    assert.is_true(nl:batch({ { "route replace", list, 42 } })[1])
    assert(tx:rollback())
    assert.are.equal(0, #nl.route:list { dst = "fd48::/64" })
    assert.are.equal(1, nl.route:flush { proto = "bird" })
  end)

  it("are all told where they take more memory than is asked for at once", function()
    local hops <const>, routes <const> = 500, 2200 -- 8 KB a route, 17.6 MB
    local changes <const>, members <const>, lists <const> = {}, {}, {}
    for i = 1, hops do
      changes[i] = { "nexthop add", { id = i, via = "10.0.1.2", dev = "v1" } }
      members[i] = { id = i }
    end
    changes[hops + 1] = { "nexthop add", { id = 1000, group = members } }
    for i = 1, routes do lists[i] = { "route add", { dst = ("10.47.%d.%d/32"):format(i // 200,
      i % 200), nhid = 1000, proto = "bird" } } end
    for _, list in ipairs { changes, lists } do
      for _, result in ipairs(nl:batch(list)) do assert.is_true(result) end
    end
    local seen <const>, ends <const> = {}, { [0] = true }
    for route in nl.route:each { proto = "bird", family = 4 } do
      assert.is_nil(seen[route.dst])
      seen[route.dst] = true
      ends[#route:raw(9)] = true
    end
    for _, one in ipairs(lists) do assert.is_true(seen[one[2].dst:match "[^/]+"]) end
    assert.are.same({ [0] = true, [16 * hops] = true }, ends)
    -- what is told and not looked at goes when it is the collector's turn, which hears of its size
    local held <const>, most = setmetatable({}, { __mode = "k" }), 0
    for _ = 1, 20 do
      local next_route <const> = nl.route:each { proto = "bird", family = 4 }
      held[next_route] = true
      assert(next_route())
      local count = 0
      for _ in pairs(held) do count = count + 1 end
      most = math.max(most, count)
    end
    assert.is_true(most < 5, most)
    assert(nl.nexthop:flush())
  end)

  it("read the same as a table, given back as they came", function()
    assert(nl.route:add "10.45.0.0/16 via 10.0.1.2 mtu lock 1400 realms 3/4")
    local view <const> = nl.route:list { dst = "10.45.0.0/16" }[1]
    assert(nl.route:del(view))
    assert(nl.route:add(view))
    assert.are.equal(view, nl.route:list { dst = "10.45.0.0/16" }[1])
    assert(nl.route:del(view))
    assert(nl.route:add(view:copy { metric = 50 }))
    assert.are.equal(50, nl.route:list { dst = "10.45.0.0/16" }[1].metric)
    assert(nl.route:del(view:copy { metric = 50 }))
  end)

  for _, family in ipairs { 4, 6 } do
    it(("of IPv%d written at random are those dumped"):format(family), function()
      local seed <const> = random.seed()
      local routes <const> = random.routes(seed, family, 200, DEVICES)
      local written <const> = {}
      for _, route in ipairs(routes) do
        local ok <const>, message <const>, code <const> = nl.route:add(route)
        assert(ok or code == "EOPNOTSUPP", ("%s, seed %d"):format(message, seed))
        written[route.dst] = ok and route
      end
      local count = 0
      for has in nl.route:each { family = family, table = "all" } do
        local wanted <const> = written[has.dst]
        if wanted then
          assert.are.same(wanted, as_given(wanted, has), ("%s, seed %d"):format(has, seed))
          assert(nl.route:del(has))
          written[has.dst] = nil
          count = count + 1
        end
      end
      assert.is_true(count > 150)
      for dst, route in pairs(written) do assert(not route, ("%s is missing, seed %d"):format(dst,
        seed)) end
    end)
  end

  it("are asked for as a flow", function()
    assert(nl.route:add "10.46.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.2.2")
    local way <const> = assert(nl.route:get { dst = "10.46.0.1", proto = "udp", sport = 7,
      dport = 9 })
    assert(way.dev == "v1" or way.dev == "v2")
    local whole <const> = assert(nl.route:get { dst = "10.46.0.1", fibmatch = true })
    assert.are.equal(2, #whole.nexthops)
    local words <const> = assert(nl.route:get "10.46.0.1 mark 0x7 uid 0 fibmatch")
    assert.are.equal("10.46.0.0/16", words.dst)
    local none <const>, message <const>, code <const> = nl.route:get "192.0.2.1"
    assert.is_nil(none)
    assert.are.equal("ENETUNREACH", code)
    assert(message:find("route get 192.0.2.1", 1, true))
    assert(nl.route:del "10.46.0.0/16")
  end)
end)
