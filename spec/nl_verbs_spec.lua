--- Wrong calls of verbs: what the kernel has no verb for, what says too little, and what says too much.
local scratch = require "spec.scratch"

describe("a verb #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  teardown(function() space:close() end)

  local function refuses(expected, call)
    local good <const>, message <const> = pcall(call)
    assert.is_false(good, expected)
    assert.matches("^spec/nl_verbs_spec.lua:%d+: .*" .. expected, message)
  end

  it("is there where the kernel has it, and says else which there are", function()
    local value <const> = { rule = { priority = 7, table = 5 }, addr = "10.9.9.9/32 dev v1",
      neigh = "10.0.1.7 lladdr 02:00:00:00:00:07 dev v1", link = "v1 up", nexthop = "id 5 dev v1",
      route = "10.9.0.0/16 dev v1" }
    for kind, verbs in pairs {
      rule = { "replace", "change", "set", "append", "prepend", "get" },
      addr = { "append", "prepend", "set" }, neigh = { "append", "prepend", "set" },
      link = { "append", "prepend" }, nexthop = { "append", "prepend", "set" }, route = { "set" },
    } do
      local before <const> = tostring(nl[kind]:list())
      for _, verb in ipairs(verbs) do
        local message <const> = kind .. " " .. verb .. ": there is no such verb; there are .*add"
        refuses(message, function() nl[kind][verb](nl[kind], value[kind]) end)
      end
      assert.equal(before, tostring(nl[kind]:list()))
    end
  end)

  it("of a batch is held to the same, before anything is sent", function()
    local first <const> = { "route add", { dst = "10.77.0.0/16", dev = "v1" } }
    for expected, change in pairs {
      ["%[2%]: rule replace: there is no such verb; there are add, del"] =
        { "rule replace", { table = 5 } },
      ["%[2%]: addr append: there is no such verb"] = { "addr append", "10.9.9.9/32 dev v1" },
      ["%[2%]: neigh set: there is no such verb"] = { " neigh  set ", "10.0.1.7 dev v1" },
      ['%[2%]: route replace: dst: missing %%("default" for all destinations%%)'] =
        { "route replace", { via = "10.0.1.2" } },
      ["%[2%]: route del: nothing says which; dst: missing"] = { "route del", { via = "10.0.1.2" } },
    } do
      local pattern <const> = expected:gsub("%%%%", "%%")
      refuses(pattern, function() nl:batch { first, change } end)
      refuses(pattern, function()
        local tx <close> = nl:begin()
        tx:batch { first, change }
      end)
    end
    assert.same({}, nl.route:list { dst = "10.77.0.0/16" })
    assert.same({ true, true }, nl:batch { { "route add", "10.78.0.0/16 via 10.0.1.2" },
      { "route del", "10.78.0.0/16" } })
    local results <const>, first_error <const> = nl:batch { first, first }
    assert.equal(results[2].message, first_error)
    assert(nl.route:del(first[2]))
  end)

  it("of a route given as a table names its destination", function()
    local missing <const> = {}
    for _, verb in ipairs { "add", "append", "prepend", "change", "replace", "del" } do
      refuses("dst: missing", function()
        nl.route[verb](nl.route, { dst = missing.dst, via = "10.0.1.2" })
      end)
    end
    for _, verb in ipairs { "add_nexthop", "del_nexthop", "set_nexthop" } do
      refuses("dst: missing", function()
        nl.route[verb](nl.route, { table = 254 }, { via = "10.0.1.2", weight = 2 })
      end)
    end
    assert.equal(0, #nl.route:list { dst = "default" })
    assert(nl.route:add { dst = "default", via = "10.0.1.2" })
    assert(nl.route:del "default")
  end)

  it("takes as many arguments as it says", function()
    refuses("link set: 1 argument expected, got 2", function() nl.link:set("v1", { up = true }) end)
    for _, verb in ipairs { "add", "replace", "append", "del", "get", "list", "each", "flush" } do
      refuses("route " .. verb .. ": 1 argument expected, got 2", function()
        nl.route[verb](nl.route, { dst = "10.9.0.0/16", dev = "v1" }, 5)
      end)
    end
    refuses("add_nexthop: 2 arguments expected, got 3", function()
      nl.route:add_nexthop("10.9.0.0/16", { via = "10.0.1.2" }, 5)
    end)
    assert.equal(0, #nl.route:list { dst = "10.9.0.0/16" })
  end)
end)
