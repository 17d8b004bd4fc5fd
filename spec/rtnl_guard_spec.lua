--- Finalizers and metamethods that come back to an object which is being worked on: they are
--- refused, and what they came in between goes on. Under the address sanitizer (`make asan`) a byte
--- read where it no longer lies ends the run.
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"

local AT_WORK <const> = "is at work, and no finalizer or metamethod can use it meanwhile"

-- Runs `work` again and again, with finalizers that call `meddle`, until one of these came in
-- between and was refused.
local function refused(work, meddle)
  local result
  local meta <const> = { __gc = function()
    if result then return end
    local ok <const>, why <const> = pcall(meddle)
    result = not ok and why or nil
  end }
  -- in a frame that is gone afterwards; now more and now less, so that the collector is anywhere
  local function litter(n) for _ = 0, n % 7 do setmetatable({}, meta) end end
  collectgarbage("incremental", 1, 1000, 1)
  collectgarbage() -- the new pace holds from the next collection on
  for n = 1, 20000 do
    litter(n)
    work()
    if result then break end
  end
  collectgarbage("incremental", 200, 100, 13)
  assert.match(AT_WORK, result, 1, true)
end

local function route(n) return { dst = ("10.%d.%d.0/24"):format(n // 256, n % 256), via = "10.0.0.1" } end

local function filled(count)
  local list <const> = rtnl.list()
  for i = 1, count do list:add(route(i), i) end
  return list
end

describe("a list that is being worked on", function()
  local list

  before_each(function() list = filled(40) end)

  local function add_one() list:add(route(100), 100) end

  it("is not added to by a finalizer while a route of it is read", function()
    refused(function() return list[7] end, add_one)
    assert.equal("10.0.7.0/24", list[7].dst)
    assert.equal("10.0.40.0/24", list[40].dst)
  end)

  it("is not added to by a finalizer while it is compared", function()
    local have <const> = {}
    for i = 1, 40 do have[i] = route(i) end
    have[1].metric = 5
    refused(function() rtnl.match(have, list, true) end, add_one)
    refused(function() rtnl.near(have, list) end, add_one)
  end)

  it("is not added to by a metamethod of the route that is added", function()
    local result
    local odd <const> = setmetatable({}, { __index = function(_, key)
      if key == "scope" and not result then result = table.pack(pcall(list.add, list, route(41), 41)) end
    end })
    odd.dst, odd.via = "10.99.0.0/16", "10.0.0.1"
    list:add(odd, 41)
    assert.is_false(result[1])
    assert.match(AT_WORK, result[2], 1, true)
    assert.equal(41, #list)
    assert.equal("10.99.0.0/16", list[41].dst)
  end)

  it("can be used again after an error", function()
    assert.has_error(function() list:add({ dst = "nowhere" }, 41) end)
    assert.has_error(function()
      list:add(setmetatable({ dst = "10.99.0.0/16" }, { __index = function() error "no" end }), 41)
    end)
    list:add(route(41), 41)
    assert.equal("10.0.41.0/24", list[41].dst)
  end)

  it("is compared with what stays", function()
    local reads = 0
    local have <const> = setmetatable({}, {
      __len = function() return 1 end,
      __index = function()
        reads = reads + 1
        return reads == 1 and route(1) or reads
      end,
    })
    assert.has_error(function() rtnl.match(have, list, true) end,
      "the routes changed while they were compared")
  end)
end)

describe("a route that is being read", function()
  it("is not mistaken for one that a metamethod reads meanwhile", function()
    local inner
    local odd <const> = { dst = "10.9.0.0/16", nexthops = setmetatable({}, {
      __index = function(_, i)
        inner = rtnl.canonical({ dst = "fd00::/8", via = "fd00::1", metric = 7 }, true)
        return i == 1 and { via = "10.0.0.1" } or nil
      end,
      __len = function() return 1 end,
    }) }
    local outer <const> = rtnl.canonical(odd, true)
    if inner then assert.equal("fd00::/8", inner.dst) end
    if outer then assert.equal("10.9.0.0/16", outer.dst) end
    assert.equal("10.9.0.0/16", rtnl.canonical({ dst = "10.9.0.0/16", via = "10.0.0.1" }, true).dst)
  end)
end)

describe("lines of a file", function()
  local TEXT <const> = "10.1.0.0/16 via 10.0.0.1\nwrong\n10.9.0.0/16 via 10.0.0.9\n"

  it("go into whichever list is given", function()
    local lines <const>, list <const>, other <const> = rtnl.lines(TEXT), rtnl.list(), rtnl.list()
    assert.same({ "dst: 'wrong' is not an address", 2 }, { lines:next(list) })
    other:add({ dst = "2001:db8::/32", via = "fe80::1", dev = "lo" }, 1)
    assert.is_nil((lines:next(other)))
    assert.same({ 1, 2, "10.9.0.0/16" }, { #list, #other, other[2].dst })
  end)
end)

describe("a handle that is being worked on #netns", function()
  local space, socket

  before_each(function()
    space = scratch.new(1)
    socket = assert(rtnl.open(space.path))
  end)

  after_each(function()
    socket:close()
    space:close()
  end)

  it("hands out what it lists to one at a time", function()
    local views, list = 0, nil
    refused(function()
      list = list or socket:dump("link", {})
      local view <const> = list()
      views = views + (view and 1 or 0)
      if not view then list = nil end
    end, function() return list and list() end)
    assert(views > 0)
  end)

  it("asks for no device on behalf of a finalizer", function()
    local list <const> = rtnl.list(socket)
    refused(function() assert(socket:dump("route", {})) end, function()
      list:add({ dst = "10.9.0.0/16", dev = "no-such-device" }, 1)
    end)
    list:add({ dst = "10.9.0.0/16", dev = "v1" }, 1)
    assert.equal("v1", list[#list].dev)
  end)

  it("is taken while a function chooses the next-hop objects of a batch", function()
    local list <const> = { { "route add", { dst = "10.9.0.0/16", via = "10.0.1.2" } } }
    local busy
    local results <const> = socket:batch(list, true, function()
      busy = table.pack(pcall(socket.request, socket, "route", "get", { dst = "10.0.1.2" }))
      return {}
    end)
    assert.match("this handle", busy[2])
    assert.same({ true }, results)
    assert(socket:request("route", "del", list[1][2]))
    assert.has_error(function() socket:batch(list, true, function() error "no" end) end)
    assert.is_nil(socket:request("route", "del", list[1][2]))
  end)

  it("asks for no device on behalf of a metamethod", function()
    local list <const> = rtnl.list(socket)
    local result
    local odd <const> = setmetatable({}, { __len = function() return 1 end, __index = function()
      result = result or table.pack(pcall(list.add, list, { dst = "10.8.0.0/16", dev = "v1" }, 1))
      return { "route add", { dst = "10.9.0.0/16", via = "10.0.1.2" } }
    end })
    assert.same({ true }, socket:batch(odd))
    assert.is_false(result[1])
    assert.match(AT_WORK, result[2], 1, true)
  end)
end)
