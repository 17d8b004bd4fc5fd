--- The handle itself: one thing at a time, nothing half-done, and what is left when it is closed.
local ecmp = require "ecmp"
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"

describe("a handle #netns", function()
  local space, nl
  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)
  after_each(function() space:close() end)

  it("answers none but the one that asked", function()
    local served <const>, refused <const> = {}, {}
    local function temporary()
      setmetatable({}, { __gc = function()
        local ok <const>, message <const> = pcall(nl.route.get, nl.route, "10.0.1.7")
        table.insert(ok and served or refused, ok or message)
      end })
    end
    local function change(_, i)
      temporary()
      if i % 100 == 0 then collectgarbage() end -- which runs finalizers, here and now
      return { "route add", { dst = ("20.0.%d.%d"):format(i >> 8, i & 255),
        nexthops = { { via = "10.0.1.2" }, { via = "10.0.1.3" } } } }
    end
    local changes <const> = setmetatable({}, { __len = function() return 2000 end,
      __index = change })
    for _, result in ipairs(nl:batch(changes)) do assert.is_true(result) end
    assert(#refused > 1000, #refused)
    for _, message in ipairs(refused) do assert(message:find "this handle is at work", message) end
    for _ = 1, 50 do
      temporary()
      assert.are.equal(2000, #nl.route:list { proto = "boot" })
    end
    collectgarbage()
    assert(#served > 0, #served)
  end)

  it("refuses to be used, or closed, while it is at work", function()
    local used, closed, asked
    local routes <const> = rtnl.list(nl.socket)
    local change <const> = setmetatable({}, { __index = function(_, key)
      if key == 1 then return "route add" end
      if used == nil then
        used = select(2, pcall(nl.route.list, nl.route))
        closed = select(2, pcall(nl.close, nl))
        asked = select(2, pcall(routes.add, routes, { dst = "20.0.1.0/24", dev = "v1" }, 1))
      end
      if key == 2 then return { dst = "20.0.0.0/24", via = "10.0.1.2" } end
    end })
    local list <const> = setmetatable({}, { __len = function() return 1 end,
      __index = function() return change end })
    assert.are.same({ true }, nl:batch(list))
    assert(used:find "this handle is at work", used)
    assert(closed:find "this handle is at work", closed)
    assert(asked:find "this handle is at work", asked)
    assert.are.equal(0, #routes)
    assert.are.equal(1, #nl.route:list { proto = "boot" })
  end)

  it("raises for a wrong change, wherever it stands, before the first is made", function()
    local changes <const> = {}
    for i = 0, (1 << 17) + 1000 do
      changes[i + 1] = { "route add", { dst = ("%d.%d.%d.0/24"):format(20 + (i >> 16), i >> 8 & 255,
        i & 255), via = "10.0.1.2" } }
    end
    changes[#changes][2].metirc = 5
    local ok, message = pcall(nl.batch, nl, changes)
    assert.is_false(ok)
    assert(message:find("[132073].metirc: unknown field (did you mean 'metric'?)", 1, true), message)
    assert.are.equal(0, #nl.route:list { proto = "boot" })
    changes[#changes][2].metirc = nil
    changes[#changes].share = true
    ok, message = pcall(nl.batch, nl, changes)
    assert.is_false(ok)
    assert(message:find("[132073]: { \"route add\", { ... } } and nothing else expected", 1, true),
      message)
  end)

  it("leaves views behind that say what they know, and throw for the rest", function()
    local other <const> = assert(ecmp.open { netns = space.path })
    assert(other.route:add { dst = "20.0.0.0/24", via = "10.0.1.2", dev = "v1" })
    local view <const> = other.route:list({ proto = "boot" })[1]
    local asked <const> = other.route:list({ proto = "boot" })[1]
    assert.are.equal("v1", asked.dev)
    other:close()
    assert.are.equal("v1", asked.dev)
    assert.are.equal("10.0.1.2", view.via)
    local ok <const>, message <const> = pcall(function() return view.dev end)
    assert.is_false(ok)
    assert(message:find "the handle was closed before interface %d+ was asked for its name", message)
    assert.is_false(pcall(tostring, view))
  end)
end)

describe("views of two namespaces #netns", function()
  local one, other

  before_each(function()
    one, other = scratch.new(2), scratch.new()
    -- v1 and v2 have each other's numbers there
    other:batch "link add v2 type veth peer name p2\nlink add v1 type veth peer name p1\n"
    other:batch "link set v1 up\nlink set v2 up\naddr add 10.0.1.1/24 dev v1\naddr add 10.0.2.1/24 dev v2"
  end)

  after_each(function()
    one:close()
    other:close()
  end)

  local function only(list)
    assert.equal(1, #list)
    return list[1]
  end

  it("are equal by the names of their links, not by the numbers", function()
    assert.equal(one.nl.link:get "v1".index, other.nl.link:get "v2".index)
    assert(one.nl.route:add "10.9.0.0/16 dev v1")
    assert(other.nl.route:add "10.9.0.0/16 dev v1")
    assert(one.nl.route:add "10.8.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.2.2")
    assert(other.nl.route:add "10.8.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.2.2")
    for _, dst in ipairs { "10.9.0.0/16", "10.8.0.0/16" } do
      assert.is_true(only(one.nl.route:list { dst = dst }) == only(other.nl.route:list { dst = dst }))
    end
    assert(other.nl.route:replace "10.9.0.0/16 dev v2")
    assert.is_false(only(one.nl.route:list { dst = "10.9.0.0/16" })
      == only(other.nl.route:list { dst = "10.9.0.0/16" }))
  end)

  it("are equal by the number where one handle told of both, whatever the link is called", function()
    local before <const> = only(one.nl.addr:list { address = "10.0.1.1/24" })
    one:batch "link set v1 down\nlink set v1 name w1\naddr del 10.0.1.1/24 dev w1"
    one:batch "addr add 10.0.1.1/24 brd + label v1 dev w1"
    assert.is_true(before == only(one.nl.addr:list { address = "10.0.1.1/24" }))
  end)

  it("without a kernel are equal by names, too", function()
    local function route(dev) return rtnl.view("route", { dst = "10.9.0.0/16", dev = dev }) end
    assert.is_true(route "a" == route "a")
    assert.is_false(route "a" == route "b")
  end)
end)
