--- Which of the kernel's entries are a plugin's, and which change for its routes.
local changes = require "ecmp.flow.changes"
local identity = require "ecmp.fib.route"

local function held(fields) return assert(identity.held(fields)) end

local function texts(list)
  local lines <const> = {}
  for i, route in ipairs(list) do lines[i] = tostring(route) end
  return lines
end

local both <const> = held { dst = "10.1.0.0/16", proto = "boot",
  nexthops = { { via = "10.0.0.1", dev = "eth0" }, { via = "10.9.0.1", dev = "net1" } } }
local nowhere <const> = held { dst = "10.1.0.0/16", type = "blackhole", proto = "boot" }

describe("what of a route is an interface's own", function()
  it("are its hops, and the rest is somebody else's", function()
    local own <const>, foreign <const> = changes.part(both, "eth0")
    assert.equal("10.1.0.0/16 via 10.0.0.1 dev eth0 proto boot", tostring(own))
    assert.equal("10.1.0.0/16 via 10.9.0.1 dev net1 proto boot", tostring(foreign))
  end)

  it("is nothing of a route to nowhere, nor of what a router or a daemon made", function()
    local ra <const> = held { dst = "::/0", via = "fe80::1", dev = "eth0", proto = "ra" }
    for _, route in ipairs { nowhere, ra } do
      local own <const>, foreign <const> = changes.part(route, "eth0")
      assert.is_nil(own)
      assert.equal(route, foreign)
    end
  end)

  it("are hops elsewhere that an ADD added, told apart by their encapsulation, too", function()
    local function to(segment)
      return { via = "fd00::2", dev = "net1", encap = { type = "seg6", mode = "encap",
        segs = { segment } } }
    end
    local route <const> = held { dst = "fd60::/32", proto = "boot",
      nexthops = { to "fc00::1", to "fc00::2" } }
    local added <const> = changes.added_elsewhere({ beside = { changes.with_hops(route,
      function(hop) return hop.encap.segs[1] == "fc00::1" end) }, wanted = { route } }, "eth0")
    local own <const>, foreign <const> = changes.part(route, "eth0", added)
    assert.matches("fc00::2", tostring(own), 1, true)
    assert.matches("fc00::1", tostring(foreign), 1, true)
  end)
end)

describe("what is told to a plan", function()
  it("leaves alone what is another's, a route to nowhere above all", function()
    local wanted <const> = { assert(identity.canonical { dst = "10.1.0.0/16", via = "10.0.0.2",
      dev = "eth0" }) }
    local before <const>, after <const> = changes.of({ both, nowhere }, {}, wanted, "eth0")
    assert.same(texts { both, nowhere }, texts(before))
    assert.same({ "10.1.0.0/16 via 10.9.0.1 dev net1 proto boot", tostring(nowhere),
      "10.1.0.0/16 via 10.0.0.2 dev eth0" }, texts(after))
  end)
end)
