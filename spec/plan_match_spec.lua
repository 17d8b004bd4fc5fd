--- What C says of two lists of routes is what the comparison in Lua says, for every spelling.
local group = require "ecmp.group"
local helper = require "spec.helper"
local plan = require "ecmp.plan"
local random_route = require "spec.random_route"
local rtnl = require "ecmp.rtnl"

local ROUNDS <const> = 100 * helper.rounds

-- `false` stands for a field that is not there, which most are not.
local SPELLED <const> = {
  dst = { "10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/9", "10.0.0.1", "10.0.0.1/32", "default", "::/0",
    "2001:db8::/32", "2001:DB8:0::1/32", "any", "::ffff:10.0.0.0/104", "10.2.0.0/16", "10.3.0.0/16" },
  table = { false, false, false, false, "main", 254, 0, 100, "100" },
  metric = { false, false, false, false, 0, 100, 100.0, 1024 },
  type = { false, false, false, false, false, "unicast", "blackhole", "local", 6,
    "1", 0 },
  scope = { false, false, false, false, false, "global", "link", 253, 0 },
  tos = { false, false, false, false, false, false, false, 0, 16 },
  proto = { false, false, "static", "boot", 4, "4", "zork" },
  mtu = { false, false, false, 1400, 1400.0, 1500 },
  src = { false, false, false, false, false, false, "10.0.0.9", "fd00::9" },
  pref = { false, false, false, false, "medium", "high" },
  expires = { false, false, false, false, false, 60 },
  nhid = { false, false, false, false, false, false, "EINVAL" },
  realm = { false, false, false, false, false, 3 },
  separate = { false, false, false, false, false, false, false, false, true },
  family = { false, false, false, false, false, 6, "6", "inet6", "inet" },
  onlink = { false, false, false, false, true },
}
local HOP <const> = {
  via = { false, "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "FD00:0::1", "fd00::2",
    "inet6 fd00::1", "all" },
  dev = { false, false, "eth0", "eth1", 7 },
  weight = { false, false, false, 1, 1.0, 2 },
  onlink = { false, false, false, true },
  realm = { false, false, false, false, 5 },
  linkdown = { false, false, false, false, true },
}

local function fill(source, into, spelled, order)
  for _, field in ipairs(order) do into[field] = source:pick(spelled[field]) or nil end
  return into
end

local function sorted(spelled)
  local list = {}
  for field in pairs(spelled) do list[#list + 1] = field end
  table.sort(list)
  return list
end

local FIELDS <const>, HOP_FIELDS <const> = sorted(SPELLED), sorted(HOP)

local function random(source)
  local route = fill(source, {}, SPELLED, FIELDS)
  if source:once_in(2) then
    route.nexthops = {}
    for i = 1, source:number(1, 3) do
      route.nexthops[i] = fill(source, {}, HOP, HOP_FIELDS)
    end
  else
    route.via = source:pick(HOP.via) or nil
    route.dev = source:pick(HOP.dev) or nil
  end
  return route
end

local function list(source, length, alter)
  local routes = {}
  for i = 1, length do
    local route = random(source)
    local made, changed = pcall(alter, route)
    routes[i] = made and changed or route
  end
  return routes
end

-- With and without the help of C.
local function both(name, fn)
  local with = fn()
  local original = rtnl[name]
  rtnl[name] = function() return nil end
  local made, without = pcall(fn)
  rtnl[name] = original
  assert(made, without)
  return with, without
end

local function as_text(current, wanted, options)
  return function()
    local changes, message, code = plan(current, wanted, options)
    return changes and tostring(changes) or ("%s (%s)"):format(message, code)
  end
end

local function as_view(route)
  route.separate, route.expires = nil, nil
  return rtnl.view("route", route)
end

-- `alter` makes of a random route one of the kernel's, `alter_wanted` one that is wanted.
local function compare(alter, alter_wanted)
  local source, steps, same = random_route.source(20251), 0, 0
  for round = 1, ROUNDS do
    local current = {}
    for _, route in ipairs(list(source, source:number(0, 5), alter)) do
      if group.held(route) then current[#current + 1] = route end -- all that a kernel holds can be
    end
    local wanted = list(source, source:number(0, 5), function(route)
      local there = source:once_in(2) and current[1] and current[source:number(1, #current)]
      if there and type(there) == "userdata" then there = there:copy() end
      return (alter_wanted or alter)(there or route)
    end)
    local with, without = both("match", as_text(current, wanted))
    assert.equal(without, with, "round " .. round)
    steps = steps + (rtnl.match(current, wanted) and 1 or 0)
    same = same + (with == "nothing to change" and 1 or 0)
  end
  return steps, same
end

describe("matching lists of routes in C", function()
  it("plans what the comparison in Lua plans, for tables", function()
    local steps, same = compare(function(route) return route end)
    assert.is_true(steps > ROUNDS // 8, "few lists were plain: " .. steps)
    assert.is_true(same > 0)
  end)

  it("plans what the comparison in Lua plans, for views of what is there", function()
    local steps = compare(as_view, function(route) return route end)
    assert.is_true(steps > ROUNDS // 8, "few lists were plain: " .. steps)
  end)

  it("plans what the comparison in Lua plans, for views of what is wanted", function()
    for _, alter in ipairs { as_view, function(route) return route end } do
      local steps, same = compare(alter, as_view)
      assert.is_true(steps > ROUNDS // 8, "few lists were plain: " .. steps)
      assert.is_true(same > 0)
    end
  end)

  it("plans for views of what is wanted what it plans for the tables they are made of", function()
    local source, sure = random_route.source(13), 0
    for round = 1, 20 * ROUNDS do
      local there, wanted, views = random(source), {}, {}
      for field, value in pairs(there) do wanted[field] = value end
      local field = source:pick(FIELDS)
      wanted[field] = source:pick(SPELLED[field]) or nil
      wanted.dst = there.dst
      -- What a view cannot tell from saying nothing.
      if wanted.scope == "global" or wanted.scope == 0 then wanted.scope = nil end
      if wanted.table == 0 then wanted.table = nil end
      if wanted.type and wanted.table then wanted.scope = wanted.scope or "host" end
      local held, current = pcall(as_view, there)
      local made, view = pcall(as_view, wanted)
      local plain = held and made and group.held(current) and as_text({ current }, { wanted })()
      if plain and not plain:find "%(EINVAL%)$" then -- `via inet6` says in a table that it is meant
        views[1] = view
        assert.equal(plain, as_text({ current }, views)(), "round " .. round)
        local steps = rtnl.match({ current }, views)
        sure = sure + (steps and (not steps[1] or steps[1] >> 62 == 1) and 1 or 0)
      end
    end
    assert.is_true(sure > ROUNDS, "C was sure of few: " .. sure)
  end)

  it("takes what is left out for what is not there, where that is asked for", function()
    local source, exact, loose = random_route.source(19), 0, 0
    for round = 1, 20 * ROUNDS do
      local there, wanted = random(source), {}
      for field, value in pairs(there) do wanted[field] = value end
      local field = source:pick(FIELDS)
      wanted[field] = source:pick(SPELLED[field]) or nil
      wanted.dst, wanted.scope = there.dst, there.scope
      local made, current = pcall(as_view, there)
      local fits, view = pcall(as_view, wanted)
      if made and fits and group.held(current) then
        local with, without = both("match", as_text({ current }, { view }, { exactly = true }))
        assert.equal(without, with, "round " .. round)
        exact = exact + (with == "nothing to change" and 1 or 0)
        loose = loose + (as_text({ current }, { view })() == "nothing to change" and 1 or 0)
      end
    end
    assert.is_true(exact > ROUNDS and loose > exact + ROUNDS // 5, exact .. " " .. loose)
  end)

  it("reads a scope of no one's choice out of no view", function()
    local there = rtnl.view("route", { dst = "10.0.0.0/8", dev = "eth0" }, true)
    assert.equal("link", there.scope)
    local wanted = rtnl.view("route", { dst = "10.0.0.0/8", dev = "eth0" })
    assert.equal("link", group.held(wanted).scope)
    assert.equal(0, #plan({ there }, { wanted }))
    assert.equal("link", plan({}, { wanted })[1].route.scope)
    local global = rtnl.view("route", { dst = "10.0.0.0/8", dev = "eth0", scope = "global" }, true)
    assert.equal("replace", plan({ there }, { global })[1].verb)
  end)

  it("keeps apart the interfaces of views of different operations", function()
    local current, wanted = {}, {}
    for i = 1, 20 do
      local route = { dst = ("10.0.%d.0/24"):format(i), via = "10.0.0.1", dev = "eth" .. i }
      current[i], wanted[i] = rtnl.view("route", route), rtnl.view("route", route)
    end
    assert.same({}, rtnl.match(current, wanted))
    table.insert(current, 1, table.remove(current))
    assert.same({}, rtnl.match(current, wanted))
    wanted[20] = rtnl.view("route", { dst = "10.0.20.0/24", via = "10.0.0.1", dev = "eth1" })
    assert.equal("~ 10.0.20.0/24 via 10.0.0.1 dev eth20 -> via 10.0.0.1 dev eth1",
      tostring(plan(current, wanted)))
  end)

  it("knows the family of a default route by its first hop", function()
    local wanted = { { dst = "default", nexthops = { { via = "10.0.0.1" }, { via = "10.0.0.2" } } },
      { dst = "default", nexthops = { { via = "fd00::1" }, { via = "fd00::2" } } } }
    local current = { rtnl.view("route", wanted[2]), rtnl.view("route", wanted[1]) }
    assert.same({}, rtnl.match(current, wanted))
  end)

  it("has room for routes with every field there is", function()
    local function routes()
      local made <const> = {}
      for i = 1, 16 do
        made[i] = { dst = ("10.0.%d.0/24"):format(i), via = "192.0.2.1", dev = "v1", type = "unicast" }
        for field in ([[proto src mtu advmss window rtt rttvar ssthresh cwnd initcwnd initrwnd
          hoplimit reordering quickack rto_min realm pref expires ttl_propagate congctl features lock
          fastopen_no_cookie tos table metric scope error dead linkdown offload trap rt_trap
          unresolved pervasive cloned uid mark iif]]):gmatch "%S+" do made[i][field] = 1 end
      end
      return made
    end
    -- what is written behind the stack of a coroutine falls on one of these
    local current <const>, wanted <const>, neighbours <const> = routes(), routes(), {}
    for i = 1, 200 do neighbours[i] = ("x"):rep(33400 + i) end
    for i = 1, 200, 2 do neighbours[i] = nil end
    collectgarbage()
    for _ = 1, 20 do coroutine.wrap(rtnl.match)(current, wanted) end
    for i = 2, 200, 2 do assert.equal(("x"):rep(33400 + i), neighbours[i]) end
  end)

  it("finds two plain routes alike one by one, field by field", function()
    local source = random_route.source(7)
    local sure = 0
    for _ = 1, 20 * ROUNDS do
      local a = random(source)
      local b = {}
      for field, value in pairs(a) do b[field] = value end
      local field = source:pick(FIELDS)
      b[field] = source:pick(SPELLED[field]) or nil
      b.dst = a.dst
      local there = group.held(a) and { a } or {}
      local with, without = both("match", as_text(there, { b }))
      assert.equal(without, with)
      local steps = rtnl.match(there, { b })
      if steps and (not steps[1] or type(steps[1]) == "number" and steps[1] >> 62 == 1) then
        sure = sure + 1
      end
    end
    assert.is_true(sure > ROUNDS, "C was sure of few: " .. sure)
  end)

  it("writes down in canonical form what Lua writes down", function()
    local source, plain = random_route.source(17), 0
    for round = 1, 20 * ROUNDS do
      local route = random(source)
      if round % 2 == 0 then
        local made, view = pcall(as_view, route)
        route = made and view or route
      end
      for _, read in ipairs { group.held, group.canonical } do
        local with, without = both("canonical", function() return { read(route) } end)
        assert.same(without, with, "round " .. round)
      end
      plain = plain + (rtnl.canonical(route) and 1 or 0)
    end
    assert.is_true(plain > ROUNDS, "few routes were plain: " .. plain)
  end)

  it("is sure of routes that lead nowhere, too", function()
    local held = rtnl.view("route", { dst = "2001:db8::/32", type = "blackhole", dev = "lo",
      table = "main", proto = "boot", metric = 1024 })
    local wanted = { { dst = "2001:db8::/32", type = "blackhole" },
      { dst = "10.0.0.0/8", type = "prohibit", metric = 7 } }
    local steps, unsure = rtnl.match({ held }, wanted)
    assert.same({ { 2 << 31 | 1 << 62 }, 0 }, { steps, unsure })
    wanted[1].type = "throw"
    steps, unsure = rtnl.match({ held }, wanted)
    assert.same({ { 1 | 1 << 31 | 1 << 62, 2 << 31 | 1 << 62 }, 0 }, { steps, unsure })
    wanted[1].via, wanted[2].nhid = "2001:db8::1", 5
    assert.equal(2, (select(2, rtnl.match({ held }, wanted))))
  end)

  it("groups as the keys in Lua group", function()
    local source = random_route.source(11)
    for round = 1, ROUNDS do
      local alter = round % 2 == 0 and function(route) return rtnl.view("route", route) end
        or function(route) return route end
      local routes = list(source, source:number(0, 8), alter)
      local with, without = both("group", function()
        local groups, message = group.group(routes)
        if not groups then return message end
        local lines = {}
        for i, one in ipairs(groups) do
          assert.equal(getmetatable(group.new {}), getmetatable(one))
          local places = {}
          for _, route in ipairs(one) do places[#places + 1] = ("%p"):format(route) end
          lines[i] = table.concat(places, " ")
        end
        return table.concat(lines, "\n")
      end)
      assert.equal(without, with, "round " .. round)
    end
  end)
end)
