--- Which next-hop objects the routes of a plugin need.
local identity = require "ecmp.fib.route"
local objects = require "ecmp.flow.nexthop_objects"

local function route(dst, fields)
  local made <const> = { dst = dst, nexthops = { { via = "10.0.0.1", dev = "eth0" },
    { via = "10.0.0.2", dev = "eth0", weight = 2 } } }
  for key, value in pairs(fields or {}) do made[key] = value end
  return assert(identity.canonical(made))
end

local function choose(...)
  local state <const> = { wanted = { ... }, conf = { multipath = { nexthops = "group" } },
    nl = { nexthop = { list = function() return { { id = 1004 } } end } } }
  return objects.choose(state), state
end

describe("the objects of routes", function()
  it("are shared by routes of the same hops, numbered behind those that are there", function()
    local chosen <const>, state <const> = choose(route "10.1.0.0/16", route "10.2.0.0/16")
    assert.same({ { 1005, "10.0.0.1" }, { 1006, "10.0.0.2" } },
      { { chosen.hops[1].id, chosen.hops[1].via }, { chosen.hops[2].id, chosen.hops[2].via } })
    assert.same({ { id = 1007, group = { { id = 1005, weight = 1 }, { id = 1006, weight = 2 } } } },
      chosen.groups)
    assert.equal(1007, state.group_of[state.wanted[2]])
  end)

  it("are not shared by routes that differ in metrics, of which the kernel would take one's", function()
    for _, fields in ipairs { { mtu = 1400 }, { advmss = 1300 } } do
      local chosen <const> = choose(route "10.1.0.0/16", route("10.2.0.0/16", fields))
      assert.equal(2, #chosen.groups)
      assert.equal(2, #chosen.hops)
    end
  end)

  it("are none of a route of one hop", function()
    assert.same({ hops = {}, groups = {} }, (choose(route("10.1.0.0/16", {
      nexthops = { { via = "10.0.0.1", dev = "eth0" } } }))))
  end)
end)
