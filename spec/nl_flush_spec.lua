--- Deleting what a filter finds: what is asked for, all of it, and nothing where nothing is asked for.
local scratch = require "spec.scratch"

describe("flush #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  it("without a filter is a wrong call, as with ip", function()
    local settings <const> = {}
    local tx <close> = nl:begin()
    for _, kind in ipairs { "route", "addr", "link", "neigh", "vlan" } do
      for _, through in ipairs { nl, tx } do
        for _, filter in ipairs { false, {}, "" } do
          local _, message = pcall(function()
            through[kind]:flush(filter or settings.filter)
          end)
          assert.matches("^spec/nl_flush_spec.lua:%d+: " .. kind .. " flush: nothing says which",
            tostring(message))
        end
      end
    end
    assert.equal(3, #nl.link:list())
    assert.equal(1, #nl.addr:list { dev = "v1", family = 4 })
    assert(nl.route:flush { table = "main" } > 0)
    assert.equal(0, #nl.route:list())
  end)

  it("takes all next-hop objects, and all rules but the first, as ip does", function()
    assert(nl.nexthop:add "id 1 via 10.0.1.2 dev v1")
    assert.equal(1, nl.nexthop:flush())
    assert.equal(3, nl.rule:flush())
    assert.equal("0:\tfrom all lookup local\n0:\tfrom all lookup local", tostring(nl.rule:list()))
    assert.equal(1, nl.rule:flush { priority = 0, family = 6 })
    assert.equal(1, #nl.rule:list())
  end)

  it("of routes by a blackhole object deletes them, and so do del and a plan", function()
    assert(nl.nexthop:add "id 3 blackhole")
    assert(nl.nexthop:add { id = 4, blackhole = true, family = 6 })
    local function add()
      assert(nl.route:add "10.60.0.0/16 nhid 3")
      assert(nl.route:add "fd60::/32 nhid 4")
      return nl.route:list { type = "blackhole" }
    end
    local list = add()
    assert.equal(2, #list)
    assert.equal(1, nl.route:flush { nhid = 3 })
    assert.equal(1, nl.route:flush { nhid = 4 })
    assert.equal(0, #nl.route:list { type = "blackhole" })
    for _, how in ipairs {
      function(view) assert(nl.route:del(view)) end,
      function(view) assert(nl.route:del(view:copy())) end,
      function(view) assert(nl.route:del { dst = view.dst, type = "blackhole" }) end,
      function(view) assert.same({ true }, nl:batch { { "route del", view } }) end,
      function(view) assert(require "ecmp.plan"({ view }, {}):apply(nl)) end,
      function(view) assert(require "ecmp.plan"({ view:copy() }, {}):apply(nl)) end,
    } do
      for _, view in ipairs(add()) do how(view) end
      assert.equal(0, #nl.route:list { type = "blackhole" })
    end
  end)

  it("does not count what is still there as gone", function()
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2")
    local through <const> = setmetatable({ batch = function(_, changes)
      local results <const> = {}
      for i = 1, #changes do results[i] = { message = "No such route (ESRCH)", code = "ESRCH" } end
      return results
    end }, { __index = nl })
    local count, message, code = require "ecmp.nl.flush"(nl.route, { dst = "10.60.0.0/16" }, through)
    assert.is_nil(count)
    assert.equal("No such route (ESRCH) (0 of 1 deleted)", message)
    assert.equal("ESRCH", code)
  end)
end)

describe("a change of a link that names none #netns", function()
  local space

  before_each(function() space = scratch.new(1) end)
  after_each(function() space:close() end)

  it("is a wrong call, and not one of every link of a group", function()
    local nl <const> = space.nl
    for _, verb in ipairs { "set", "change" } do
      for _, value in ipairs { { group = 0, up = false }, { up = false }, "group 0 down" } do
        assert.error_matches(function() nl.link[verb](nl.link, value) end,
          "dev: missing: nothing says which link is to be changed")
      end
    end
    assert.error_matches(function() nl:batch { { "link set", { group = 0, up = false } } } end,
      "%[1%].dev: missing: nothing says which link is to be changed")
    assert.is_true(nl.link:get { dev = "v1" }.up)
    assert(nl.link:set { name = "v1", up = false })
    assert(nl.link:set { dev = "v1", up = true })
    assert(nl.link:set { index = nl.link:get { dev = "v1" }.index, up = false })
  end)
end)
