--- What the monitor makes of what the kernel says, and of what it does without a word.
local scratch = require "spec.scratch"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local FAMILIES <const> = {
  { number = 4, dst = "10.60.0.0/16", other = "10.61.0.0/16", gw = "10.0.%d.%d" },
  { number = 6, dst = "fd60::/32", other = "fd61::/32", gw = "fd00:0:0:%d::%d" },
}

for _, family in ipairs(FAMILIES) do
  local dst <const>, other <const> = family.dst, family.other
  local function hop(link, n) return { via = family.gw:format(link, n), dev = "v" .. link } end

  describe(("a monitor of IPv%d routes #netns"):format(family.number), function()
    local space, nl, monitor

    before_each(function()
      space = scratch.new(2)
      nl = space.nl
      -- link-local addresses come and go in their own time
      for n = 1, 2 do nl.addr:flush { dev = "v" .. n, scope = "link" } end
      assert(nl.route:add { dst = dst, nexthops = { hop(1, 2), hop(2, 2) } })
      assert(nl.route:add { dst = other, via = hop(1, 3).via, dev = "v1" })
      monitor = nl:monitor({ "route" }, { timeout = 0.3 })
    end)

    after_each(function()
      monitor:close()
      space:close()
    end)

    -- "verb hops" of the events about the two routes; hops as the last part of their gateways.
    local function heard()
      local lines <const> = {}
      for event in monitor do
        local route <const> = event.value
        if route and (route.dst == dst or route.dst == other) then
          local hops <const> = {}
          for i, one in ipairs(route.nexthops or { route }) do
            hops[i] = one.dev .. (one.dead and " dead" or "")
          end
          lines[#lines + 1] = ("%s %s: %s"):format(event.verb, route.dst == dst and "two" or "one",
            table.concat(hops, ", "))
        end
      end
      table.sort(lines)
      return lines
    end

    it("tells of the loss of one hop as a change", function()
      assert(nl.route:del_nexthop(dst, { via = hop(1, 2).via }))
      local lines <const> = heard()
      assert.equal("change two: v2", lines[#lines])
      for _, line in ipairs(lines) do assert.not_matches("^del two: v1$", line) end
    end)

    it("tells of what a replacement made where nothing was as something new", function()
      assert(nl.route:del(other))
      for _ in monitor do end
      assert(nl.route:replace { dst = other, via = hop(1, 3).via })
      assert.same({ "add one: v1" }, heard())
      assert(nl.route:replace { dst = other, via = hop(2, 3).via })
      assert.same({ "change one: v2" }, heard())
    end)

    it("tells of one more hop", function()
      assert(nl.route:add_nexthop(dst, hop(1, 4)))
      local last
      for event in monitor do last = event.value.dst == dst and event or last end
      local names <const> = {}
      for i, route in ipairs(nl.route:list { dst = dst }) do names[i] = tostring(route) end
      assert.equal(1, #names)
      assert.not_equal("add", family.number == 6 and last.verb)
    end)

    it("tells what goes and dies with a link, and revives with it", function()
      assert(nl.link:set { dev = "v1", up = false })
      assert.same({ "change two: v1 dead, v2", "del one: v1" }, heard())
      assert(nl.link:set { dev = "v1", up = true })
      assert.same({ "change two: v1, v2" }, heard())
    end)

    it("tells what is left when a link is deleted", function()
      assert(nl.link:del { dev = "p1" })
      local lines <const> = heard()
      assert.equal("del one: v1", lines[#lines == 2 and (family.number == 6 and 2 or 1) or 1])
      assert.equal(family.number == 4 and "del two: v1, v2" or "change two: v2",
        lines[family.number == 4 and 2 or 1])
      assert.equal(2, #lines)
    end)

    it("is right about what there is after an overrun", function()
      monitor:close()
      monitor = nl:monitor({ "route" }, { timeout = 0.3, buffer = 4096 })
      for i = 0, 199 do
        assert(nl.route:add { dst = family.number == 4 and ("10.77.%d.0/24"):format(i)
          or ("fd77:%x::/32"):format(i), via = hop(1, 2).via })
      end
      for i = 0, 199, 2 do
        assert(nl.route:del { dst = family.number == 4 and ("10.77.%d.0/24"):format(i)
          or ("fd77:%x::/32"):format(i) })
      end
      assert(nl.route:del { dst = other })
      local held <const>, overruns = { [dst] = true, [other] = true }, 0
      for event in monitor do
        if event.verb == "overrun" then
          overruns = overruns + 1
        elseif event.value.family == family.number and event.value.table == "main" then
          held[event.value.dst] = event.verb ~= "del" or nil
        end
      end
      assert.is_true(overruns > 0)
      for route in nl.route:each { family = family.number } do
        assert(held[route.dst] or route.proto == "kernel", route.dst .. " was not told of")
        held[route.dst] = nil
      end
      assert.same({}, held)
    end)
  end)
end

describe("a monitor of next-hop objects #netns", function()
  it("tells of what a replacement made where nothing was as something new", function()
    local space <close> = scratch.new(1)
    local monitor <close> = space.nl:monitor({ "nexthop" }, { timeout = 0.2 })
    assert(space.nl.nexthop:replace { id = 1, via = "10.0.1.2", dev = "v1" })
    assert(space.nl.nexthop:replace { id = 1, via = "10.0.1.3", dev = "v1" })
    assert.equal("add", monitor:next().verb)
    assert.equal("change", monitor:next().verb)
  end)

  it("tells of those that go with their link's carrier, and of the group without them", function()
    local space <close> = scratch.new(2)
    local nl <const> = space.nl
    helper.eventually(function()
      return nl.link:get { dev = "v1" }.carrier and nl.link:get { dev = "v2" }.carrier
    end)
    assert(nl.nexthop:add { id = 1, via = "10.0.1.2", dev = "v1" })
    assert(nl.nexthop:add { id = 2, via = "10.0.2.2", dev = "v2" })
    assert(nl.nexthop:add { id = 3, group = { 1, 2 } })
    local monitor <close> = nl:monitor({ "nexthop" }, { timeout = 1.5 })
    assert(nl.link:set { dev = "p1", up = false })
    local lines <const> = {}
    for event in monitor do
      lines[#lines + 1] = ("%s %d"):format(event.verb, event.value.id)
    end
    table.sort(lines)
    assert.same({ "change 3", "del 1" }, lines)
  end)
end)

-- What a list becomes when events are applied to it, as a user would: routes by place, in order.
local function place_of(route)
  return table.concat({ route.family, route.dst, route.table, route.metric or 0, route.tos or 0 },
    " ")
end

local function joins(route)
  return route.type == "unicast" and not route.nhid and (route.via or route.nexthops) ~= nil
end

local function spelled(route)
  local lines <const> = {}
  for line in tostring(route):gmatch "[^\n]+" do lines[#lines + 1] = line end
  if route.family == 6 then table.sort(lines) end
  return table.concat(lines)
end

local Copy <const> = {}
Copy.__index = Copy

local function copy_of(list)
  local self <const> = setmetatable({ places = {} }, Copy)
  for _, route in ipairs(list) do self:apply { verb = "add", value = route, append = true } end
  return self
end

function Copy:apply(event)
  local route <const>, place = event.value, self.places[place_of(event.value)]
  if not place then
    place = {}
    self.places[place_of(route)] = place
  end
  local at
  for i, other in ipairs(place) do
    if event.verb == "del" then
      at = at or spelled(other) == spelled(route) and i
    else
      at = at or (route.family == 4 or joins(other) == joins(route) or #place == 1) and i
    end
  end
  if event.verb == "del" then
    table.remove(place, assert(at, "a route went that was not there"))
  elseif event.verb == "change" then
    place[assert(at, "a route changed that was not there")] = route
  else
    table.insert(place, event.append and #place + 1 or 1, route)
  end
end

function Copy:lines()
  local lines <const> = {}
  for _, place in pairs(self.places) do
    local texts <const> = {}
    for i, route in ipairs(place) do texts[i] = spelled(route) end
    if place[1] and place[1].family == 6 then table.sort(texts) end -- their order means nothing
    if place[1] then lines[#lines + 1] = table.concat(texts, "; ") end
  end
  table.sort(lines)
  return lines
end

describe("the events of a monitor #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(2)
    nl = space.nl
    for n = 1, 2 do nl.addr:flush { dev = "v" .. n, scope = "link" } end
    assert(nl.nexthop:add { id = 4, via = "10.0.1.9", dev = "v1" })
    assert(nl.nexthop:add { id = 6, via = "fd00:0:0:1::9", dev = "v1" })
  end)

  after_each(function() space:close() end)

  local VERBS <const> = { "add", "prepend", "append", "replace", "change", "del", "del" }

  local function random_route(random)
    local six <const> = random(2) == 1
    local function gateway()
      local link <const> = random(2)
      return { via = (six and "fd00:0:0:%d::%d" or "10.0.%d.%d"):format(link, random(2, 5)),
        dev = "v" .. link }
    end
    local route <const> = { dst = (six and "fd7%d::/32" or "10.7%d.0.0/16"):format(random(2)),
      family = six and 6 or 4, metric = random(2) == 1 and 50 or nil }
    local kind <const> = random(8)
    -- dumps of IPv6 hide what stands between two hops of a route
    if six and kind < 4 then route.metric = 70 end
    if kind == 1 then
      route.type = "blackhole"
    elseif kind == 2 then
      route.dev = "p1"
    elseif kind == 3 then
      route.nhid = six and 6 or 4
    else
      route.nexthops = { gateway(), kind > 5 and gateway() or nil }
    end
    return route
  end

  for seed = 1, 6 do
    it("lead from one list to the next, overruns or not: " .. seed, function()
      math.randomseed(seed)
      local monitor <close> = nl:monitor({ "route" }, { timeout = 0,
        buffer = seed % 2 == 0 and 4096 or nil })
      local copy <const>, told = copy_of(nl.route:list { table = "all" }), 0
      for round = 1, 12 do
        for _ = 1, seed % 2 == 0 and 60 or 6 do
          local route <const> = random_route(math.random)
          nl.socket:request("route", VERBS[math.random(#VERBS)], route)
        end
        local there <const> = copy_of(nl.route:list { table = "all" }):lines()
        -- what is told comes when it comes; what is told too much shows in a later round
        pcall(helper.eventually, function()
          for event in monitor do
            told = told + 1
            if event.verb ~= "overrun" then copy:apply(event) end
          end
          return table.concat(copy:lines(), "\n") == table.concat(there, "\n")
        end)
        assert.same(there, copy:lines(), "round " .. round)
      end
      assert.is_true(told > 20)
    end)
  end

  it("lead there, too, when next-hop objects change or go that are not watched", function()
    assert(nl.nexthop:add { id = 5, via = "10.0.2.9", dev = "v2" })
    assert(nl.nexthop:add { id = 45, group = { 4, 5 } })
    assert(nl.nexthop:add { id = 7, via = "fd00:0:0:2::9", dev = "v2" })
    assert(nl.nexthop:add { id = 67, group = { 6, 7 } })
    for i, id in ipairs { 4, 5, 45, 6, 67 } do
      local dst <const> = (id % 10 < 6 and "10.7%d.0.0/16" or "fd7%d::/32"):format(i)
      assert(nl.route:add { dst = dst, nhid = id })
    end
    local monitor <close> = nl:monitor({ "route" }, { timeout = 0.2 })
    local copy <const> = copy_of(nl.route:list { table = "all" })
    for _, change in ipairs { { "replace", { id = 4, via = "10.0.1.7", dev = "v1" } },
      { "replace", { id = 67, group = { 7 } } }, { "replace", { id = 45, group = { 5, 4 } } },
      { "del", { id = 5 } }, { "del", { id = 7 } }, { "del", { id = 4 } }, { "del", { id = 6 } } } do
      assert(nl.nexthop[change[1]](nl.nexthop, change[2]))
      for event in monitor do copy:apply(event) end
      assert.same(copy_of(nl.route:list { table = "all" }):lines(), copy:lines())
    end
  end)

  it("are no more after a prepend than the one, whatever is listed then", function()
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2")
    local monitor <close> = nl:monitor({ "route" }, { timeout = 0.3 })
    assert(nl.route:prepend "10.60.0.0/16 via 10.0.1.3")
    assert(nl.addr:add "10.0.77.1/24 dev v1")
    assert(nl.addr:del "10.0.77.1/24 dev v1") -- may have taken routes: they are listed
    local count = 0
    for event in monitor do
      if event.value.dst == "10.60.0.0/16" then count = count + 1 end
    end
    assert.equal(1, count)
  end)

  -- Link-local addresses and their routes come when the kernel is ready.
  local function without_ipv6()
    assert(nl.sysctl:set("net.ipv6.conf.all.disable_ipv6", "1"))
  end

  it("are those of one list after an overrun, where nothing changes any more", function()
    without_ipv6()
    local monitor <close> = nl:monitor({ "route" }, { timeout = 0.3, buffer = 1 << 27 })
    local changes <const>, lists, told = {}, 0, 0
    for i = 0, 19999 do
      changes[i + 1] = { "route add", { dst = ("10.77.%d.%d/32"):format(i // 256, i % 256),
        via = "10.0.1.2" } }
    end
    nl:batch(changes)
    function nl.route:list(filter)
      lists = lists + 1
      return getmetatable(self).__index.list(self, filter)
    end
    local overrun <const> = monitor:next().verb == "overrun"
    for event in monitor do told = told + (event.value.via == "10.0.1.2" and 1 or 0) end
    assert.equal(20000, told + (overrun and 0 or 1))
    assert.equal(overrun and 1 or 0, lists)
  end)

  it("come once, also where the list was read while they were on their way", function()
    without_ipv6()
    local monitor <close> = nl:monitor({ "route" }, { timeout = 0.3, buffer = 4096 })
    local seen <const> = {}
    for i = 0, 499 do
      assert(nl.route:add { dst = ("10.77.%d.%d/32"):format(i // 256, i % 256), via = "10.0.1.2" })
      local event <const> = i % 50 == 49 and monitor:next(0)
      if event and event.verb ~= "overrun" then table.insert(seen, tostring(event.value)) end
    end
    for event in monitor do
      if event.verb ~= "overrun" then table.insert(seen, tostring(event.value)) end
    end
    assert.equal(500, #seen)
  end)
end)

describe("a monitor of addresses #netns", function()
  it("tells of a lifetime that is set anew, and of none that passes, overruns or not", function()
    local space <close> = scratch.new(1)
    local nl <const> = space.nl
    space:ip "addr add 10.0.8.1/24 dev v1 valid_lft 300 preferred_lft 200"
    local monitor <close> = nl:monitor({ "addr", "route" }, { timeout = 0.3, buffer = 4096 })
    local function told()
      local count = 0
      for event in monitor do
        local own <const> = event.object == "addr" and event.value.address == "10.0.8.1/24"
        count = count + (own and 1 or 0)
      end
      return count
    end
    sys.sleep(1.1)
    for i = 0, 199 do
      assert(nl.route:add { dst = ("10.77.%d.0/24"):format(i), via = "10.0.1.2" })
    end
    assert.equal(0, told())
    space:ip "addr change 10.0.8.1/24 dev v1 valid_lft 900 preferred_lft 800"
    assert.equal(1, told())
  end)
end)

describe("the names of links in events #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  it("are those that they had, also when they are gone", function()
    local monitor <close> = nl:monitor({ "route", "nexthop", "neigh" }, { timeout = 0.3 })
    space:batch "link set v1 down\nlink set v1 name w1\nlink set w1 up\naddr add 10.0.1.2/24 dev w1"
    for _ in monitor do end
    space:batch [[
      route add 10.44.0.0/16 dev w1
      nexthop add id 7 dev w1
      neigh add 10.0.1.9 lladdr 02:00:00:00:00:99 nud permanent dev w1
      link del w1]]
    local told <const> = {}
    for event in monitor do
      local value <const> = event.value
      local dst <const> = event.object ~= "nexthop" and value.dst or "10.44.0.0/16"
      if dst == "10.44.0.0/16" or dst == "10.0.1.9" then
        told[event.object .. " " .. event.verb] = value.dev
      end
      assert.not_matches("dev if%d", tostring(value))
    end
    assert.same({ ["route add"] = "w1", ["nexthop add"] = "w1", ["neigh add"] = "w1",
      ["route del"] = "w1", ["nexthop del"] = "w1", ["neigh del"] = "w1" }, told)
  end)

  it("tell no addresses apart, which go also with a link that was called otherwise", function()
    local monitor <close> = nl:monitor({ "addr" }, { timeout = 0.3 })
    space:batch "link set v1 down\nlink set v1 name w1\naddr add fd00::7/64 dev w1\nlink del w1"
    local told <const> = {}
    for event in monitor do
      assert.not_matches("^if%d", event.value.dev)
      told[event.value.address] = event.verb
    end
    assert.equal("del", told["10.0.1.1/24"])
    assert.equal("del", told["fd00::7/64"])
  end)

  it("are forgotten with them", function()
    local monitor <close> = nl:monitor({ "addr" }, { timeout = 0.1 })
    for _ = 1, 50 do
      assert(nl.link:add { name = "w1", type = "veth", peer = { name = "w2" } })
      assert(nl.link:del "w1")
    end
    for _ in monitor do end
    local known = 0
    for _ in pairs(monitor.names) do known = known + 1 end
    assert.equal(#nl.link:list(), known)
  end)
end)

describe("a monitor of links #netns", function()
  it("takes no port that leaves its bridge for a link that went", function()
    local space <close> = scratch.new(1)
    local nl <const> = space.nl
    assert(nl.link:add { name = "br0", type = "bridge" })
    assert(nl.link:set { dev = "v1", master = "br0" })
    local monitor <close> = nl:monitor({ "link", "neigh" }, { timeout = 0.3 })
    assert(nl.link:set { dev = "v1", master = false })
    local master, told = "br0", 0
    for event in monitor do
      assert.equal("link", event.object)
      assert.equal("change", event.verb)
      if event.value.name == "v1" then master, told = event.value.master, told + 1 end
    end
    assert.is_nil(master)
    assert.equal(1, told)
  end)
end)

describe("a monitor that is refused a list #netns", function()
  local space, nl, monitor

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
    monitor = nl:monitor({ "route", "rule" }, { timeout = 0.3, buffer = 4096 })
  end)

  after_each(function()
    monitor:close()
    space:close()
  end)

  -- Routes of a gateway, of which the buffer does not hold as many.
  local function overrun()
    for i = 0, 199 do
      assert(nl.route:add { dst = ("10.77.%d.0/24"):format(i), via = "10.0.1.2" })
    end
  end

  -- Refuses to list routes so many times.
  local function refuse(times, code)
    function nl.route:list(filter)
      times = times - 1
      if times < 0 then self.list = nil end
      if times >= 0 then return nil, "route list: refused", code end
      return self:list(filter)
    end
  end

  it("tells of the overrun first, then of what changed unseen", function()
    overrun()
    refuse(1, "ENOMEM")
    assert.equal("overrun", monitor:next().verb)
    local added = 0
    for event in monitor do added = added + (event.value.via == "10.0.1.2" and 1 or 0) end
    assert.equal(200, added)
  end)

  it("tries again while changes come in between, and tells other events meanwhile", function()
    assert(nl.addr:add "10.0.77.1/24 dev v1")
    for _ in monitor do end
    refuse(2, "EINTR")
    assert(nl.addr:del "10.0.77.1/24 dev v1") -- may have taken routes: they are listed
    assert(nl.rule:add "from 10.9.0.0/16 lookup 77 priority 9")
    local told <const> = {}
    for event in monitor do told[event.object] = event.verb end
    assert.same({ rule = "add", route = "del" }, told)
  end)

  it("says so, in a loop by an error, and goes on when it is asked again", function()
    overrun()
    refuse(3, "ENOMEM")
    assert.equal("overrun", monitor:next().verb)
    local event, message, code = monitor:next()
    assert.same({ nil, "route list: refused", "ENOMEM" }, { event, message, code })
    assert.error_matches(function() for _ in monitor do end end, "^route list: refused$")
    assert.equal("add", monitor:next().verb)
  end)

  it("says within its time that changes came in between", function()
    overrun()
    refuse(1000, "EINTR")
    assert.equal("overrun", monitor:next().verb)
    local _, message, code = monitor:next(0.25)
    assert.same({ "route list: refused", "EINTR" }, { message, code })
    nl.route.list = nil
    assert.equal("add", monitor:next(0).verb)
  end)
end)

describe("a loop over a monitor #netns", function()
  it("goes on behind a signal", function()
    local space <close> = scratch.new(1)
    local done <const> = helper.lua(([[
      local sys, ecmp = require "ecmp.sys", require "ecmp"
      local nl = assert(ecmp.open { netns = %q })
      local monitor = nl:monitor({ "rule" }, { timeout = 2 })
      assert(sys.spawn { detach = true, argv = { "sh", "-c", ("sleep 0.1; kill -INT %%d; sleep 0.1; "
        .. "ip rule add priority 9 lookup 77"):format(sys.getpid()) }, netns = %q })
      sys.interruptible(sys.deferred, function()
        for event in monitor do print(event.verb, sys.interrupted()) break end
      end)]]):format(space.path, space.path), { timeout = 20 })
    assert.equal("add\ttrue\n", done.stdout)
  end)

  it("ends when the monitor is closed within, which is asked nothing after that", function()
    local space <close> = scratch.new(1)
    local monitor <close>, count = space.nl:monitor({ "link" }, { timeout = 1 }), 0
    assert(space.nl.link:set "v1 mtu 1400")
    assert(space.nl.link:set "v1 mtu 1401")
    for _ in monitor do
      count = count + 1
      monitor:close()
    end
    assert.equal(1, count)
    assert.error_matches(function() monitor:next() end, "this handle is closed")
  end)
end)

describe("wrong calls of a monitor #netns", function()
  it("raise at the caller's line, and say what is wrong", function()
    local space <close> = scratch.new()
    local nl <const> = space.nl
    local function wrong(message, objects, options)
      local ok <const>, why <const> = pcall(function() nl:monitor(objects, options) end)
      assert.is_false(ok, message)
      assert.matches("^spec/nl_monitor_spec%.lua:%d+: " .. message, why)
    end
    wrong("timeout: options stand in a second table", { "route", timeout = 1 })
    wrong("%[2%]: 'link ' is none of route", { "route", "link " })
    wrong("timeout: seconds expected, got 5s", { "route" }, { timeout = "5s" })
    wrong("timeout: seconds expected, got %-1", { "route" }, { timeout = -1 })
    wrong("timeout: seconds expected, got %-?nan", { "route" }, { timeout = 0 / 0 })
    for _, buffer in ipairs { "4096", 0, -5, 1 << 40, 4096.0 } do
      wrong("buffer: bytes, 1 to 2147483647, expected, got " .. tostring(buffer):gsub("%-", "%%-"),
        { "route" }, { buffer = buffer })
    end
    local monitor <close> = nl:monitor { "route" }
    assert.is_nil((monitor:next(-1)))
    local ok <const>, why <const> = pcall(function() monitor:next "1" end)
    assert.is_false(ok)
    assert.matches("^spec/nl_monitor_spec%.lua:%d+: timeout: seconds expected, got 1", why)
  end)
end)
