--- Memory: what happens when it ends, and how little of it routes take.
--
-- With ROUNDS=200, as in `make soak`, every allocation fails once; otherwise a part of them.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local ROUNDS = require "spec.helper".rounds
local FULL <const> = ROUNDS >= 200

-- The module that makes states with little memory, built where the run may write.
local function build(directory)
  local path <const> = directory .. "/failing_alloc.so"
  local done <const> = assert(sys.spawn {
    argv = { os.getenv "CC" or "cc", "-shared", "-fPIC", "-O1", "-I/usr/include/lua5.4", "-o", path,
             "spec/failing_alloc.c" },
    stderr = "capture", timeout = 60,
  })
  assert(done.status == 0, done.stderr)
  return assert(package.loadlib(path, "luaopen_failing_alloc"))()
end

-- Entry points that need no kernel.
local PURE <const> = {
  parse = [[assert(rtnl.parse("route", "10.0.0.0/8 via 10.0.0.1 mtu lock 1400 nexthop via 10.0.0.2 "
    .. "encap seg6 mode encap segs fc00::1,fc00::2 weight 3"))
    assert(not rtnl.parse("route", "10.0.0.0/8 nonsense"))]],
  fields = [[local fields <const> = { dst = "10.0.0.0/8" }
    assert(rtnl.fields(fields) == fields)]],
  method = [[rtnl.method("nothing", function() end)]],
  beyond = [[assert(rtnl.beyond(rtnl.view("route", { dst = "10.0.0.0/8", dev = "a" })) == 0)]],
  view = [[local view = rtnl.view("route", { dst = "10.0.0.0/8", mtu = 1400, lock = { "mtu" },
    nexthops = { { via = "10.0.0.1", dev = "a" }, { dev = "b", encap = { type = "mpls",
      labels = { 1 } } } } })
    assert(view == rtnl.view("route", view:copy()))
    assert(rtnl.is_view(view) and #tostring(view) > 10 and #view:text { details = true } > 10)
    for key in pairs(view) do assert(view[key] ~= nil) end
    assert(view:raw(1) and view:object() == "route" and view:verb() == "add")]],
  text = [[local view = rtnl.view("route", { dst = "10.0.0.0/8", dev = "a", nhid = 5 }, true)
    local other = rtnl.view("route", { dst = "10.0.0.0/8", dev = "a", table = 9 }, true)
    assert(#rtnl.text({ view, other }, { details = true, nexthops = { [5] = "id 5" } }) > 50)]],
  link = [[local view = rtnl.view("link", { name = "a", type = "veth", peer = { name = "b" },
    up = true })
    assert(view.peer.name == "b" and tostring(view))]],
  decode = [[local bytes = rtnl.view("addr", { address = "10.0.0.1/8", dev = "a" }, true):bytes()
    assert(tostring(rtnl.decode("addr", bytes)))]],
  large = [[local hops = {} for i = 1, 500 do hops[i] = { via = "10.0.0.1", dev = "a" } end
    assert(#rtnl.view("route", { dst = "10.0.0.0/8", nexthops = hops }):bytes() > 8000)]],
  wrong = [[local ok, message = pcall(rtnl.view, "route", { gatway = 1 })
    if not ok and not message:find "did you mean" then error(message, 0) end]],
  explain = [[local request = rtnl.view("route", { dst = "10.0.0.0/8" }, true):bytes()
    local reply = string.pack("<I4I2I2I4I4i4I4I2I2I4I4I2I2c4", 44, 2, 0x300, 1, 2, -22, 16, 24, 5,
      1, 2, 8, 1, "bad")
    assert(select(3, rtnl.explain("route", request, reply)) == "EINVAL")]],
  check = [[rtnl.check("route", { dst = "10.0.0.0/8", nexthops = { { via = "10.0.0.1" } } })
    assert(not pcall(rtnl.check, "route", { dst = "10.0.0.0/8", gatway = 1 }))]],
  nearest = [[assert(rtnl.nearest("route", "metirc") == "metric")]],
  match = [[local routes = {}
    for i = 1, 40 do
      routes[i] = { dst = "10.0." .. i .. ".0/24", mtu = 1400, nexthops = { { via = "10.0.0.1",
        dev = "a" }, { via = "10.0.0.2" } } }
    end
    routes[41] = rtnl.view("route", routes[1], true)
    assert(#rtnl.group(routes, {}) == 40)
    assert(#rtnl.match(routes, { routes[1], routes[2], { dst = "10.0.3.0/24", via = "10.0.0.9" } })
      == 39)
    assert(not rtnl.match({}, { { dst = "nowhere" } }))]],
  canonical = [[assert(rtnl.canonical({ dst = "10.0.0.0/8", mtu = 1400, proto = "static",
      nexthops = { { via = "10.0.0.1", dev = "a" }, { via = "10.0.0.2" } } }, true).mtu == 1400)
    local view = rtnl.view("route", { dst = "fd00::/8", via = "fd00::1", dev = "b", src = "fd00::2" })
    assert(rtnl.canonical(view).nexthops[1].dev == "b")
    assert(not rtnl.canonical { dst = "nowhere" })]],
  list = [[local list = rtnl.list()
    for i = 1, 20 do list:add({ dst = "10.0." .. i .. ".0/24", via = "10.0.0.1", dev = "a" }, i) end
    assert(not pcall(list.add, list, { dst = "10.0.0.0/8", gatway = 1 }, 21))
    assert(#list == 20 and list[20].via == "10.0.0.1" and list:line(20) == 20 and not list[21])
    assert(rtnl.slot(list, 1) == "10.0.1.0/24" and #rtnl.slots(list, 1, 20, "slot ") == 351)
    assert(rtnl.run(rtnl.match({}, list), 1, 30) == 20)
    assert(#rtnl.near({ { dst = "10.0.3.0/24", via = "10.0.0.9" } }, list) == 1)]],
  lines = [[local list, text = rtnl.list(), {}
    for i = 1, 20 do
      text[i] = "10.0." .. i .. ".0/24 # a comment\n\tvia 10.0.0." .. 1 + i % 3
    end
    local lines = rtnl.lines(table.concat(text, "\n"), "static")
    assert(lines:next(list) == nil)
    assert(#list == 20 and list[20].via == "10.0.0.3" and lines:done() > 400)
    assert(list:tables()[254][4] and not list:lacking() and list[20].proto == "static")
    local file <close> = assert(io.open "/proc/self/maps")
    assert(type(rtnl.lines(file):next(list)) ~= "nil")]],
  site = [[rtnl.site(function() return { [50] = "blue", blue = 50 } end)
    assert(rtnl.parse("route", "10.0.0.0/8 dev a table blue").table == 50)
    assert(rtnl.view("route", { dst = "10.0.0.0/8", dev = "a", table = 50 }, true):text { table = true }
      :find "table blue")]],
  throw = [[local ok, message = pcall(rtnl.throw, "no")
    if not ok and not message:find "no$" then error(message, 0) end]],
  ip = [[local ip = require "ecmp.ip"
    local one = assert(ip.parse "10.0.0.9/24")
    assert(tostring(one + 1) == "10.0.0.10/24" and one:contains(ip.parse "10.0.0.7"))
    local n = 0
    for host in ip.hosts "fd00::/126" do n = n + #tostring(host) end
    for net in ip.subnets("10.0.0.0/22", 24) do n = n + #tostring(net) end
    assert(n > 40 and ip.mask "10.0.0.9/8" == "10.0.0.0/8")
    assert(ip.canonical "FD00::0" == "fd00::")]],
  sys = [[local sys = require "ecmp.sys"
    assert(not sys.read "/nowhere" and #assert(sys.list "/proc/self") > 5 and sys.stat "/proc")
    local done = assert(sys.spawn { argv = { "cat" }, stdin = "hello", stderr = "capture" })
    assert(done.stdout == "hello" and done.status == 0)
    local lock <close> = assert(sys.lock("/proc/self/status", { timeout = 1 }))
    local signals <close> = assert(sys.signals { "USR1" })
    assert(#sys.poll({ signals }, 0) == 0 and #sys.environ() > 0)]],
}

-- Entry points of a socket; `path` is a namespace that has v1.
local KERNEL <const> = {
  visit = [[local list, add = rtnl.message("link", "list", {}), rtnl.message("route", "replace",
      { dst = "10.67.0.0/16", via = "10.0.1.2" })
    local answers = assert(rtnl.visit(path, { list, add }))
    assert(#answers == 2 and #answers[1] > 100 and answers[2] == "")
    assert(rtnl.visit(path, { list }, "no such answer") == false)
    assert(rtnl.visit(path, { rtnl.message("route", "add", { dst = "10.67.0.0/16",
      via = "10.0.1.2" }) }) == nil)]],
  open = [[local socket <close> = assert(rtnl.open(path))
    assert(socket:fd() >= 0 and socket:netns() >= 0 and tostring(socket))
    assert(not rtnl.open "/nowhere/at/all")]],
  request = [[local socket <close> = assert(rtnl.open(path))
    assert(socket:request("route", "replace", { dst = "10.60.0.0/16", via = "10.0.1.2",
      dev = "v1" }))
    assert(socket:request("route", "get", { dst = "10.60.0.1" }) == nil)
    assert(tostring(socket:request("flow", "get", { dst = "10.60.0.1" })))
    assert(not socket:request("route", "add", { dst = "10.61.0.0/16", via = "192.0.2.1" }))
    assert(not socket:request("link", "set", { dev = "v1", netns = "/nowhere" }))
    assert(socket:request("link", "set", { dev = "v1", netns = path }))]],
  dump = [[local socket <close> = assert(rtnl.open(path))
    local n = 0
    for _, object in ipairs { "route", "link", "addr", "rule", "neigh", "nexthop" } do
      for view in assert(socket:dump(object, {})) do n = n + #tostring(view) end
    end
    assert(n > 100)]],
  share = [[local socket <close> = assert(rtnl.open(path))
    local beside <close> = assert(rtnl.open(path))
    local list = {}
    for i = 1, 12 do
      list[i] = { "route replace", { dst = "10.66." .. i .. ".0/24", nexthops = {
        { via = "10.0.1.2", dev = "v1" }, { via = "10.0.1." .. 3 + i % 2, dev = "v1" } } } }
    end
    list[13] = { "route add", { dst = "10.0.1.128/25", dev = "v1" } } -- no gateway is in it
    list[14] = { "route add", { dst = "10.0.1.2/32", dev = "v1", src = "192.0.2.9" } }
    local results = socket:batch(list, true, function(sets, uses, moved)
      local hops = sets[1].nexthops
      assert(#hops == 2 and hops[1].via == "10.0.1.2" and hops[1].dev == "v1" and uses[1] == 6)
      assert(moved[4][32]["\10\0\1\2"])
      beside:request("nexthop", "replace", { id = 901, via = "10.0.1.2", dev = "v1" })
      return { 901, 902 }
    end)
    assert(results[1] == true and results[2].object == 902)
    for i = 1, 12, 2 do assert(socket:request("route", "del", list[i][2].dst)) end
    assert(socket:request("route", "del", "10.0.1.128/25"))
    assert(socket:request("nexthop", "del", { id = 901 }))]],
  monitor = [[local socket <close> = assert(rtnl.open(path))
    assert(socket:buffer(4096))
    for _, kind in ipairs { "route", "nexthop", "link", "addr", "neigh", "rule" } do
      assert(socket:subscribe(kind))
    end
    assert(select(3, socket:receive(0)) == "EAGAIN")]],
  batch = [[local socket <close> = assert(rtnl.open(path))
    local list = {}
    for i = 1, 20 do
      list[i] = { "route replace", { dst = "10.62." .. i .. ".0/24", via = i % 7 == 0
        and "192.0.2.1" or "10.0.1.2" } }
    end
    local results = socket:batch(list, true)
    assert(results[1] == true and results[7].code == "ENETUNREACH")]],
  receive = [[local socket <close> = assert(rtnl.open(path))
    local writer <close> = assert(rtnl.open(path))
    assert(socket:subscribe "route")
    writer:request("route", "del", { dst = "10.63.0.0/16" }) -- of a run whose memory ended
    assert(writer:request("route", "append", { dst = "10.63.0.0/16", via = "10.0.1.2" }))
    assert(writer:request("route", "del", { dst = "10.63.0.0/16", via = "10.0.1.2" }))
    local n, list = 0, assert(socket:receive(1, writer))
    while list do
      for _, view in ipairs(list) do n = n + #tostring(view) end
      list = socket:receive(0.02, writer)
    end
    assert(n > 20)]],
}

-- Lets the memory of `chunk` end at one allocation after the other, until it gets by.
local function sweep(run, setup, name, chunk, once)
  local n, step, memory = 0, 1, 0
  local descriptors <const> = helper.descriptors()
  local done <const>, why <const>, total <const>, left <const> = run(setup, chunk, 1 << 40, false)
  assert.are.same({ "done", 0 }, { done, left }, name .. ": " .. tostring(why))
  repeat
    n = n + step
    if not FULL and n > 60 then step = 1 + n // 20 end
    local outcome <const>, message <const>, _, leaked <const> = run(setup, chunk, n, once)
    assert(outcome ~= "error" or tostring(message):find "not enough memory"
      or tostring(message):find "ENOMEM",
      ("%s, allocation %d: %s"):format(name, n, message))
    assert.are.equal(0, leaked, ("%s, allocation %d: bytes lost"):format(name, n))
    memory = memory + (outcome == "memory" and 1 or 0)
  until n > total or once and n > 40 and not FULL
  assert(once or memory > 0 or total < 3, name .. ": memory never ended")
  assert.are.equal(descriptors, helper.descriptors(), name .. ": descriptors lost")
end

describe("when memory ends", function()
  local directory, run, setup_text

  setup(function()
    directory = helper.directory()
    run = build(directory)
    setup_text = helper.paths() .. "rtnl = require 'ecmp.rtnl' "
  end)

  teardown(function() helper.remove(directory) end)

  for name, chunk in pairs(PURE) do
    for _, once in ipairs { false, true } do
      it(name .. (once and " gets by after one failure" or " raises, and loses nothing"), function()
        sweep(run, setup_text, name, chunk, once)
      end)
    end
  end

  it("is tried at every function there is", function()
    local chunks <const> = {}
    for _, list in ipairs { PURE, KERNEL } do
      for _, chunk in pairs(list) do chunks[#chunks + 1] = chunk end
    end
    local text <const> = table.concat(chunks, "\n")
    for name in pairs(rtnl) do
      if name ~= "own" then assert(text:find("rtnl." .. name, 1, true), name) end
    end
    local socket <close> = assert(rtnl.open())
    for name in pairs(getmetatable(socket).__index) do
      assert(name == "close" or text:find(":" .. name, 1, true), name)
    end
  end)

  it("loading the module raises, and loses nothing", function()
    sweep(run, helper.paths(), "require", "rtnl = require 'ecmp.rtnl'", false)
  end)

  for name, chunk in pairs(KERNEL) do
    it(name .. " of a socket raises, and loses nothing #netns", function()
      local space <close> = scratch.new(1)
      sweep(run, setup_text .. ("path = %q "):format(space.path), name, chunk, false)
    end)
  end
end)

describe("handles #netns", function()
  it("opened and closed, or forgotten, lose no descriptor and no memory", function()
    local space <close> = scratch.new(1)
    local count <const> = 300 * ROUNDS
    local function once(i)
      local nl <const> = assert(ecmp.open { netns = space.path })
      nl.route:list { family = 6 } -- opens the second socket
      if i % 2 == 0 then nl:close() end
    end
    for i = 1, 20 do once(i) end
    local descriptors <const> = helper.descriptors()
    local before <const> = collectgarbage "count"
    for i = 1, count do
      once(i)
      if i % 50 == 0 then collectgarbage() end -- sockets are dear and userdata small
    end
    assert.are.equal(descriptors, helper.descriptors())
    assert.is_true(collectgarbage "count" < before + 64)
  end)

  it("refused over and over lose no descriptor and no memory", function()
    local space <close> = scratch.new(1)
    local count <const> = 3000 * ROUNDS
    local nl <const> = space.nl
    local function once()
      assert(not nl.route:add { dst = "10.70.0.0/16", via = "192.0.2.1" })
      assert(not nl.link:set { dev = "v1", netns = "/nowhere" })
      assert(not pcall(nl.route.add, nl.route, { dst = "10.70.0.0/16", gatway = "10.0.1.2" }))
    end
    for _ = 1, 100 do once() end
    local descriptors <const> = helper.descriptors()
    local before <const> = collectgarbage "count"
    for _ = 1, count do once() end
    assert.are.equal(descriptors, helper.descriptors())
    assert.is_true(collectgarbage "count" < before + 64)
  end)
end)

-- Adds routes of two hops and forgets what they were made of.
local function add_routes(nl, count)
  local changes <const> = {}
  for i = 1, count do
    changes[i] = { "route add", {
      dst = ("172.%d.%d.0/24"):format(16 + i // 256, i % 256), proto = "static",
      nexthops = { { via = "10.0.1.2", dev = "v1" }, { via = "10.0.2.2", dev = "v2" } },
    } }
  end
  for i, result in ipairs(nl:batch(changes)) do assert(result == true, i) end
end

-- Bytes that what `make` returns takes.
local function weigh(make)
  collectgarbage()
  local before <const> = collectgarbage "count"
  local kept <const> = make()
  collectgarbage()
  return (collectgarbage "count" - before) * 1024, kept
end

describe("changes #netns", function()
  it("made and taken back over and over lose no descriptor and no memory", function()
    local space <close> = scratch.new(2)
    local rounds <const>, size <const> = 3 * ROUNDS, 2000
    local descriptors, before
    for round = 1, rounds do
      add_routes(space.nl, size)
      assert.are.equal(size, space.nl.route:flush { proto = "static" })
      collectgarbage()
      if round == 2 then descriptors, before = helper.descriptors(), collectgarbage "count" end
    end
    assert.are.equal(descriptors, helper.descriptors())
    assert.is_true(collectgarbage "count" < before + 64)
  end)
end)

describe("a list of views #netns", function()
  it("takes at most 150 bytes for an IPv4 route of two hops", function()
    local space <close> = scratch.new(2)
    local count <const> = 5000
    add_routes(space.nl, count)
    local bytes <const>, list <const> = weigh(function()
      return space.nl.route:list { proto = "static" }
    end)
    assert.are.equal(count, #list)
    assert.is_true(rtnl.is_view(list[1]))
    local as_tables <const> = weigh(function()
      local tables <const> = {}
      for i, view in ipairs(list) do tables[i] = view:copy() end
      return tables
    end)
    print(("memory per IPv4 route of two hops: %.0f bytes as a view, %.0f as a table"):format(
      bytes / count, as_tables / count))
    assert.is_true(bytes / count <= 150, ("%.1f bytes"):format(bytes / count))
  end)
end)
