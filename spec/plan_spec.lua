local group = require "ecmp.group"
local kernel_model = require "spec.kernel_model"
local plan = require "ecmp.plan"
local rule = require "ecmp.rule"

local function holding(routes, verb)
  local kernel = kernel_model.new()
  for _, route in ipairs(routes) do assert(kernel.route[verb or "append"](kernel.route, route)) end
  return kernel
end

local function via(dst, gateway, dev)
  return { dst = dst, via = gateway, dev = dev or "eth0" }
end

local function multipath(dst, ...)
  local hops = {}
  for i, gateway in ipairs { ... } do hops[i] = { via = gateway, dev = "eth0" } end
  return { dst = dst, nexthops = hops }
end

local function verbs(changes)
  local list = {}
  for i, change in ipairs(changes) do list[i] = change.verb end
  return table.concat(list, " ")
end

describe("a plan", function()
  it("is empty where nothing changes, whatever the order of hops", function()
    local have = { multipath("::/0", "::1", "::2"), via("10.0.0.0/8", "10.0.0.1") }
    local wanted = { via("10.1.1.1/8", "10.0.0.1"), multipath("default", "::2", "::1") }
    local changes = assert(plan(have, wanted))
    assert.equal(0, #changes)
    assert.equal("nothing to change", tostring(changes))
  end)

  it("reads as text", function()
    local have = { via("10.0.0.0/8", "10.0.0.1"), via("10.1.0.0/16", "10.0.0.1"),
      via("10.2.0.0/16", "10.0.0.1") }
    local wanted = { via("10.1.0.0/16", "10.0.0.1"),
      multipath("10.0.0.0/8", "10.0.0.1", "10.0.0.2"), via("default", "10.0.0.9") }
    assert.equal(table.concat({
      "~ 10.0.0.0/8 via 10.0.0.1 dev eth0"
        .. " -> nexthop via 10.0.0.1 dev eth0 nexthop via 10.0.0.2 dev eth0",
      "+ default via 10.0.0.9 dev eth0",
      "- 10.2.0.0/16 via 10.0.0.1 dev eth0",
    }, "\n"), tostring(assert(plan(have, wanted))))
  end)

  it("takes a field that is not wanted in particular as any", function()
    local have = { via("default", "10.0.0.1") }
    have[1].proto, have[1].mtu = "static", 1400
    assert.equal(0, #plan(have, { { dst = "default", via = "10.0.0.1" } }))
    assert.equal(1, #plan(have, { { dst = "default", via = "10.0.0.1", proto = "boot" } }))
    assert.equal(1, #plan(have, { { dst = "default", via = "10.0.0.1", dev = "eth1" } }))
  end)

  it("takes what is left out for what is not there, where that is asked for", function()
    local have, bare = via("default", "10.0.0.1"), via("default", "10.0.0.1")
    have.mtu, have.proto, bare.proto = 1400, "static", "static"
    assert.equal(0, #plan({ have }, { bare }))
    local kernel = holding { have }
    local changes = assert(plan(kernel:list(), { bare }, { exactly = true }))
    assert.equal("~ default via 10.0.0.1 dev eth0 proto static mtu 1400"
      .. " -> via 10.0.0.1 dev eth0 proto static", tostring(changes))
    assert(changes:apply(kernel))
    assert.equal(holding({ bare }):text(), kernel:text())
    assert.equal(0, #plan({ have }, { have }, { exactly = true }))
  end)

  it("notices a change of each field", function()
    local function route(change)
      local one = { dst = "default", nexthops = {
        { via = "10.0.0.1", dev = "a", weight = 2 }, { via = "10.0.0.2", dev = "a" } },
        proto = "static", mtu = 1400, scope = "global" }
      if change then change(one) end
      return one
    end
    assert.equal(0, #plan({ route() }, { route() }))
    for _, change in ipairs {
      function(r) r.mtu = 1300 end, function(r) r.proto = "boot" end,
      function(r) r.nexthops[1].weight = 3 end, function(r) r.nexthops[1].weight = nil end,
      function(r) r.nexthops[2].via = "10.0.0.3" end, function(r) r.nexthops[2].dev = "b" end,
      function(r) r.nexthops[2].onlink = true end, function(r) r.nexthops[2] = nil end,
      function(r) r.nexthops[3] = { via = "10.0.0.3" } end, function(r) r.scope = "link" end,
      function(r) r.nexthops, r.type = nil, "blackhole" end,
    } do
      assert.equal("replace", verbs(assert(plan({ route() }, { route(change) }))))
    end
    for _, change in ipairs { function(r) r.metric = 5 end, function(r) r.table = 5 end } do
      assert.equal("add del", verbs(assert(plan({ route() }, { route(change) }))))
    end
  end)

  it("deletes last, so that a route that moves to another metric is never missing", function()
    local changes = plan({ { dst = "::/0", via = "::1", metric = 5 } },
      { { dst = "::/0", via = "::1", metric = 6 } })
    assert.equal("add del", verbs(changes))
  end)

  it("takes what `ip route add` takes, on either side", function()
    local have = { "10.0.0.0/8 via 10.0.0.1 dev eth0", "10.1.0.0/16 via 10.0.0.1 dev eth0" }
    local wanted = { "default nexthop via fd00::1 dev eth0 nexthop via fd00::2 dev eth0 weight 2",
      { dst = "10.0.0.0/8", via = "10.0.0.1" }, "blackhole 10.9/16 table 5" }
    local text = table.concat({
      "+ default nexthop via fd00::1 dev eth0 nexthop via fd00::2 dev eth0 weight 2",
      "+ blackhole 10.9.0.0/16 table 5", "- 10.1.0.0/16 via 10.0.0.1 dev eth0" }, "\n")
    assert.equal(text, tostring(plan(have, wanted)))
    assert.equal("string", type(wanted[1]))
    local changes, message, code = plan({}, { wanted[1], "10.0.0.0/8 viaa 10.0.0.1" })
    assert.is_nil(changes)
    assert.matches("^wanted%[2%]: .*viaa", message)
    assert.equal("EINVAL", code)
  end)

  it("names what can be no route", function()
    local changes, message, code = plan({}, { via("default", "10.0.0.1"), { dst = "x" } })
    assert.is_nil(changes)
    assert.equal("wanted[2].dst: 'x' is no prefix", message)
    assert.equal("EINVAL", code)
    changes, message, code = plan({}, { { dst = "::/0", via = "10.0.0.1" } })
    assert.is_nil(changes)
    assert.equal("wanted[1].via: 10.0.0.1 is not an IPv6 address", message)
    assert.equal("EINVAL", code)
    changes, message, code = plan({}, { { dst = "10.0.0.0/8", via = "10.0.0.1", proto = "zork" } })
    assert.is_nil(changes)
    assert.equal("wanted[1].proto: 'zork' is not a known word", message)
    assert.equal("EINVAL", code)
    assert.error_matches(function() plan({}) end, "wanted: a list of routes is due here")
  end)

  it("keeps an IPv4 route that has one hop twice, as the kernel does", function()
    local odd = { dst = "10.0.0.0/8", nexthops = { { via = "10.0.0.1", dev = "eth0" },
      { via = "10.0.0.1", dev = "eth0", weight = 3 } } }
    assert.equal(0, #plan({ odd }, { odd }))
    assert.equal("add", verbs(plan({}, { odd })))
    odd.dst = "::/0"
    odd.nexthops[1].via, odd.nexthops[2].via = "::1", "::1"
    assert.matches("is listed twice", select(2, plan({}, { odd })))
  end)

  it("takes one value written in two ways as one", function()
    for field, ways in pairs {
      proto = { "static", 4, "4" }, src = { "2001:db8::9", "2001:DB8:0::9" },
    } do
      for _, way in ipairs(ways) do
        local have = { dst = "::/0", via = "::1", dev = "eth0", [field] = ways[1] }
        local want = { dst = "::/0", via = "::1", dev = "eth0", [field] = way }
        assert.equal(0, #plan({ have }, { want }), field)
      end
    end
  end)

  it("compares the realms of hops, and takes no notice of what the kernel says of them", function()
    local function two(fields)
      local hops = { { via = "10.0.0.1", dev = "eth0" }, { via = "10.0.0.2", dev = "eth0" } }
      for key, value in pairs(fields) do hops[1][key] = value end
      return { dst = "10.0.0.0/8", nexthops = hops }
    end
    assert.equal("replace", verbs(plan({ two { realm = 5 } }, { two { realm = 7 } })))
    assert.equal(0, #plan({ two { realm = 5 } }, { two { realm = 5 } }))
    assert.equal(0, #plan({ two { dead = true, linkdown = true } }, { two { offload = true } }))
    local change = plan({}, { two { dead = true } })[1]
    assert.is_nil(change.route.nexthops[1].dead)
  end)
end)

describe("regrouping separate IPv4 entries", function()
  local one, two, three = via("default", "10.0.0.1"), via("default", "10.0.0.2"),
    via("default", "10.0.0.3")
  local all = multipath("default", "10.0.0.1", "10.0.0.2", "10.0.0.3")

  it("replaces the first and deletes the others by their exact hops", function()
    local kernel = holding { one, two, three }
    local changes = assert(plan(kernel:list(), { all }))
    assert.equal("replace del del", verbs(changes))
    assert(changes:apply(kernel))
    assert.equal(holding({ all }):text(), kernel:text())
  end)

  it("never lets a group be taken for one of its hops, even its first", function()
    local kernel = holding { two, one }
    local wanted = { all }
    assert(assert(plan(kernel:list(), wanted)):apply(kernel))
    assert.equal(holding({ all }):text(), kernel:text())
  end)

  it("brings back what differs from its neighbour in what it does not say", function()
    local bare, sized = via("default", "10.0.0.1"), via("default", "10.0.0.1")
    sized.mtu = 1400
    local kernel = holding { bare, sized }
    local tx = assert(assert(plan(kernel:list(), { sized })):begin(kernel))
    assert.equal(holding({ sized }):text(), kernel:text())
    assert(tx:close())
    assert.equal(holding({ bare, sized }):text(), kernel:text())
  end)

  it("works back into entries", function()
    local kernel = holding { all }
    assert(assert(plan(kernel:list(), { three, two, one })):apply(kernel))
    assert.equal(holding({ three, two, one }):text(), kernel:text())
  end)

  it("deletes a metric-0 entry without touching other metrics", function()
    local low = { dst = "default", via = "10.0.0.2", dev = "eth0", metric = 500 }
    local kernel = holding { one, two, low }
    assert(assert(plan(kernel:list(), { all, low })):apply(kernel))
    assert.equal(holding({ all, low }):text(), kernel:text())
  end)

  it("does not replace a route by one that stands behind it", function()
    local kernel = holding { one, two }
    assert(assert(plan(kernel:list(), { two })):apply(kernel))
    assert.equal(holding({ two }):text(), kernel:text())
  end)
end)

describe("separate routes", function()
  local routes = {}
  for i = 1, 3 do
    routes[#routes + 1] = via("0.0.0.0/0", "10.0.0." .. i)
    routes[#routes + 1] = via("::/0", "2001:db8::" .. i)
  end
  routes[#routes + 1] = { dst = "::/0", dev = "eth0" }
  routes[#routes + 1] = { dst = "0.0.0.0/0", dev = "eth0", scope = 0 }

  it("end as the reference plugins leave them: created one by one in the order listed", function()
    local reference = holding(routes, "prepend")
    local kernel = kernel_model.new()
    local changes = assert(plan({}, assert(rule.merge(routes, "separate"))))
    assert.equal("create create create create create create create create", verbs(changes))
    assert(changes:apply(kernel))
    assert.equal(reference:text(), kernel:text())
    assert.equal("eth0", kernel:list()[1].nexthops[1].dev)
    assert.is_nil(kernel:list()[1].nexthops[1].via)
    assert.equal("10.0.0.3", kernel:list()[2].nexthops[1].via)
  end)

  it("need no change once they are there", function()
    local kernel = holding(routes, "prepend")
    assert.equal(0, #plan(kernel:list(), assert(rule.merge(routes, "separate"))))
  end)

  it("join what another interface has in IPv6, and go in front of it in IPv4", function()
    local theirs = { via("0.0.0.0/0", "10.9.0.1", "eth9"), via("::/0", "2001:db8::9", "eth9") }
    local kernel = holding(theirs)
    local before = kernel:text()
    local tx = assert(assert(plan({}, rule.merge(routes, "separate"))):begin(kernel))
    assert.equal("10.9.0.1", kernel:list()[5].nexthops[1].via)
    assert(tx:close())
    assert.equal(before, kernel:text())
  end)

  it("are created beside what stays, which is never taken away for a moment", function()
    local theirs = { via("0.0.0.0/0", "10.9.0.1", "eth9"), via("0.0.0.0/0", "10.9.0.2", "eth9") }
    local kernel = holding(theirs)
    local wanted = table.move(kernel:list(), 1, 2, 1, {})
    for _, route in ipairs(assert(rule.merge(routes, "separate"))) do
      if route.family == 4 then wanted[#wanted + 1] = route end
    end
    local changes = assert(plan(kernel:list(), wanted))
    assert.equal("create create create create", verbs(changes))
    assert(changes:apply(kernel))
    assert.equal("10.0.0.3", kernel:list()[2].nexthops[1].via)
    assert.equal("10.9.0.2", kernel:list()[6].nexthops[1].via)
  end)
end)

-- Random states ----------------------------------------------------------------------------------

local function random_hop(family)
  local weight = math.random(4) == 1 and math.random(5) or nil
  return { via = (family == 4 and "10.0.0." or "2001:db8::") .. math.random(4),
    dev = "v" .. math.random(2), weight = weight }
end

local shapes = {
  function(route) route.type = "blackhole" end,
  function(route) route.dev = "v" .. math.random(2) end,
  function(route, family)
    local hop = random_hop(family)
    route.via, route.dev = hop.via, hop.dev
  end,
  function(route, family)
    local seen = {}
    route.nexthops = {}
    for _ = 1, math.random(4) do
      local hop = random_hop(family)
      if not seen[hop.via .. hop.dev] then table.insert(route.nexthops, hop) end
      seen[hop.via .. hop.dev] = true
    end
  end,
}
local likely = { 1, 2, 3, 3, 3, 4, 4, 4 }

local function random_route(family)
  local net = math.random(3)
  local route = { mtu = math.random(6) == 1 and 1400 or 1500, proto = "static",
    dst = family == 4 and ("192.168.%d.0/24"):format(net) or ("fd00:%d::/64"):format(net),
    metric = math.random(3) == 1 and math.random(3) * 10 or nil }
  shapes[likely[math.random(#likely)]](route, family)
  return route
end

-- With crowded slots, or with one route in each as our own rules leave them.
local function random_kernel(crowded)
  local kernel = kernel_model.new()
  for _ = 1, math.random(0, 8) do
    local route = random_route(math.random(2) == 1 and 4 or 6)
    local verb = crowded and ({ "add", "append", "prepend" })[math.random(3)] or "add"
    kernel.route[verb](kernel.route, group.plain(group.canonical(route)))
  end
  return kernel
end

local function copy_of(list)
  local kernel = kernel_model.new()
  for _, route in ipairs(list) do kernel.route:append(group.plain(group.held(route))) end
  return kernel
end

local function prefixes(kernel)
  local set = {}
  for _, route in ipairs(kernel:list()) do set[route.dst] = true end
  return set
end

-- Applies change by change, and says which prefix lost its last route on the way.
local function gap_in(changes, kernel, goal)
  local needed = prefixes(goal)
  for dst in pairs(needed) do needed[dst] = prefixes(kernel)[dst] end
  local gap
  for name in pairs { add = 1, prepend = 1, append = 1, replace = 1, del = 1 } do
    local original = kernel.route[name]
    kernel.route[name] = function(self, route)
      local done, message, code = original(self, route)
      local there = prefixes(kernel)
      for dst in pairs(needed) do gap = gap or not there[dst] and dst or nil end
      return done, message, code
    end
  end
  assert(changes:apply(kernel))
  return gap
end

local function is_mixed6(kernel)
  local count = {}
  for _, route in ipairs(kernel:list()) do
    local place = route.family == 6 and route.dst .. route.metric
    if place and count[place] then return true end
    if place then count[place] = true end
  end
end

describe("from any state to any other, a plan", function()
  setup(function() math.randomseed(20) end)

  it("ends in the state that is wanted, and then finds nothing to change", function()
    for _ = 1, 800 do
      local crowded = math.random(2) == 1
      local kernel, goal = random_kernel(crowded), random_kernel(crowded)
      local changes = assert(plan(kernel:list(), goal:list()))
      assert(changes:apply(kernel))
      assert.equal(goal:text(), kernel:text())
      assert.equal(0, #plan(kernel:list(), goal:list()))
    end
  end)

  it("never leaves a prefix without a route, but where IPv6 mixes kinds in one slot", function()
    local tried = 0
    for _ = 1, 600 do
      local kernel, goal = random_kernel(true), random_kernel(true)
      if not is_mixed6(kernel) and not is_mixed6(goal) then
        tried = tried + 1
        assert.is_nil(gap_in(assert(plan(kernel:list(), goal:list())), kernel, goal))
      end
    end
    assert.is_true(tried > 100)
  end)

  it("leaves everything as it was when any of its changes is refused", function()
    for _ = 1, 80 do
      local crowded = math.random(2) == 1
      local before, goal = random_kernel(crowded), random_kernel(crowded)
      local changes = assert(plan(before:list(), goal:list()))
      for at = 1, #changes do
        local kernel = copy_of(before:list())
        kernel.requests, kernel.fail_at = 0, at
        local done, message, code = changes:apply(kernel)
        assert.is_nil(done)
        assert.equal("ENOBUFS", code)
        assert.equal("no such luck (ENOBUFS)", message)
        assert.equal(before:text(), kernel:text())
      end
    end
  end)

  it("is taken back at the end of the scope unless committed", function()
    for _ = 1, 300 do
      local crowded = math.random(2) == 1
      local kernel, goal = random_kernel(crowded), random_kernel(crowded)
      local before = kernel:text()
      local changes = assert(plan(kernel:list(), goal:list()))
      do
        local tx <close> = assert(changes:begin(kernel))
        assert.equal(goal:text(), kernel:text())
        assert.is_table(tx)
      end
      assert.equal(before, kernel:text())
      do
        local tx <close> = assert(assert(plan(kernel:list(), goal:list())):begin(kernel))
        tx:commit()
      end
      assert.equal(goal:text(), kernel:text())
    end
  end)
end)

describe("carrying out a plan", function()
  local CHUNK <const> = 1 << 15 -- what travels at once

  -- Routes to more places than that.
  local function many()
    local wanted = {}
    for i = 0, CHUNK + 999 do
      wanted[i + 1] = via(("%d.%d.%d.0/24"):format(10 + (i >> 16), i >> 8 & 255, i & 255),
        "10.0.0.1")
    end
    return wanted
  end

  it("tells progress, and stops when told to", function()
    local wanted = many()
    local told = {}
    local kernel = kernel_model.new()
    assert(plan({}, wanted):apply(kernel, { progress = function(done, all)
      told[#told + 1] = done .. "/" .. all
    end }))
    assert.same({ CHUNK .. "/" .. #wanted, #wanted .. "/" .. #wanted }, told)
    kernel = kernel_model.new()
    local done, message, code = plan({}, wanted):apply(kernel, { progress = function()
      return false
    end })
    assert.is_nil(done)
    assert.equal(("stopped after %d of %d changes, which are taken back (EINTR)"):format(CHUNK,
      #wanted), message)
    assert.equal("EINTR", code)
    assert.equal("", kernel:text())
  end)

  it("takes back what was done when a later value turns out to be none, and names it", function()
    local kernel = kernel_model.new()
    local batch = kernel.batch
    kernel.batch = function(self, requests, options)
      if #requests < 4096 then error("plan.lua:1: [3].mtu: 0 is not a number", 0) end
      return batch(self, requests, options)
    end
    local done, message, code = plan({}, many()):apply(kernel)
    kernel.batch = batch
    assert.same({ nil, ("wanted[%d].mtu: 0 is not a number"):format(CHUNK + 3), "EINVAL" },
      { done, message, code })
    assert.equal("", kernel:text())
  end)

  it("says so when what was done cannot be taken back", function()
    local kernel = holding {}
    local changes = plan({}, { via("10.0.0.0/8", "10.0.0.1"), via("::/0", "::1"),
      via("11.0.0.0/8", "10.0.0.1") })
    kernel.fail_at = 3
    local del = kernel.route.del
    kernel.route.del = function() return nil, "route del: no (EPERM)", "EPERM" end
    local done, message, code = changes:apply(kernel)
    assert.is_nil(done)
    assert.equal("no such luck (ENOBUFS); taking back what was done failed too: "
      .. "route del: no (EPERM); and 1 more", message)
    assert.equal("ENOBUFS", code)
    kernel.route.del = del
  end)

  it("is none where a field cannot be said to the kernel, which is named", function()
    for message, field in pairs {
      ["wanted[1].mtuu: unknown field (did you mean 'mtu'?)"] = { mtuu = 1400 },
      ["wanted[1].hoplimit: integer expected, got string"] = { hoplimit = "many" },
    } do
      local wanted <const> = { dst = "10.9.0.0/16", via = "10.0.0.1" }
      for name, value in pairs(field) do wanted[name] = value end
      assert.same({ nil, message, "EINVAL" }, { plan({}, { wanted }) })
    end
  end)
end)
