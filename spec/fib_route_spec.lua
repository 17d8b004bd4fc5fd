--- What a route is: when two are the same, and how one is told.
local ecmp = require "ecmp"
local group = require "ecmp.group"
local identity = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"

local function canonical(route) return assert(identity.canonical(route)) end

describe("the text of a route", function()
  for text, route in pairs {
    ["10.0.0.0/8 via 10.0.0.1 realm 5 mtu lock 1400 initcwnd 7 features ecn"] = {
      via = "10.0.0.1", realm = 5, mtu = 1400, lock = { "mtu" }, initcwnd = 7,
      features = { "ecn" } },
    ["10.0.0.0/8 via 10.0.0.1 dev e0 proto static src 10.0.0.9 advmss 900"] = {
      via = "10.0.0.1", dev = "e0", proto = "static", src = "10.0.0.9", advmss = 900 },
    ["10.0.0.0/8 congctl reno nexthop encap ip id 4 dst 10.1.1.1 via 10.0.0.1 "
      .. "nexthop via 10.0.0.2 realm 3 weight 3"] = { congctl = "reno", nexthops = {
      { via = "10.0.0.1", encap = { type = "ip", id = 4, dst = "10.1.1.1" } },
      { via = "10.0.0.2", weight = 3, realm = 3 } } },
    ["blackhole 10.0.0.0/8 metric 5"] = { type = "blackhole", metric = 5 },
  } do
    it("tells " .. text, function()
      route.dst = "10.0.0.0/8"
      assert.are.equal(text, identity.text(canonical(route)))
      assert(rtnl.parse("route", text))
    end)
  end
end)

describe("what can be no route", function()
  local FIELDS <const> = {
    "dst", "via", "dev", "metric", "table", "proto", "scope", "type", "mtu", "advmss", "nhid", "encap",
    "nexthops", "src", "realm", "pref", "expires", "family", "tos", "from", "window", "features",
    "congctl", "rtt", "initcwnd", "quickack",
  }
  local VALUES <const> = { {}, { 1 }, { {} }, { a = {} }, print, { type = "ip", id = {} },
    { type = "seg6", segs = { "fc00::1" } } }
  local sound <const> = { dst = "10.0.0.0/8", via = "10.0.0.2" }
  local calls <const> = {
    canonical = identity.canonical, held = identity.held, slot = identity.slot, key = identity.key,
    join = function(route) return group.join { route, sound } end,
    merge = function(route)
      local merged, message = ecmp.merge({ route, sound }, "ecmp")
      return merged and "", message
    end,
    group = function(route)
      local groups, message = ecmp.group { route, sound }
      return groups and "", message
    end,
    plan = function(route) return ecmp.plan({}, { route }) end,
    ["plan from it"] = function(route) return ecmp.plan({ route }, { sound }) end,
  }

  it("is refused without an error of ours, and never in the words of an address in memory", function()
    for _, field in ipairs(FIELDS) do
      for i, value in ipairs(VALUES) do
        for name, call in pairs(calls) do
          local route <const> = { dst = "10.0.0.0/8", via = "10.0.0.1", [field] = value }
          local result, message = call(route)
          local said <const> = tostring(result or message)
          assert.is_nil(said:find "0x%x+", ("%s of %s, value %d: %s"):format(name, field, i, said))
        end
        local _, said = pcall(rtnl.view, "route", { dst = "10.0.0.0/8", [field] = value })
        assert.is_nil(tostring(said):find "0x%x+", ("view of %s: %s"):format(field, tostring(said)))
      end
    end
  end)
end)

describe("next hops", function()
  it("are found a device each where some name none, whatever their order", function()
    local function route(...)
      local hops <const> = {}
      for i, dev in ipairs { ... } do hops[i] = { via = "10.0.0.1", dev = dev ~= "" and dev or nil } end
      return canonical { dst = "10.0.0.0/8", nexthops = hops }
    end
    local have <const> = route("v1", "v2")
    assert.is_true((identity.matches(have, route("", "v1"))))
    assert.is_true((identity.matches(have, route("v2", ""))))
    assert.is_false((identity.matches(have, route("", "v3"))))
  end)
end)

describe("an encapsulation", function()
  local function matches(have, want)
    return identity.matches(
      canonical { dst = "10.0.0.0/8", via = "10.0.0.1", encap = have },
      canonical { dst = "10.0.0.0/8", via = "10.0.0.1", encap = want })
  end
  local told <const> = { type = "ip", id = 7, src = "0.0.0.0", dst = "10.1.1.1", ttl = 0, tos = 0 }

  it("is the one that is wanted though the kernel tells what nobody said", function()
    assert.is_true(matches(told, { type = "ip", id = 7, dst = "10.1.1.1" }))
    assert.is_true(matches(told, nil))
  end)

  it("tells hops of one gateway apart in any order, for views too", function()
    local function list(...)
      local hops <const> = {}
      for i, segment in ipairs { ... } do
        hops[i] = { via = "fd00::2", dev = "lo",
          encap = segment ~= "" and { type = "seg6", mode = "encap", segs = { segment } } or nil }
      end
      hops[#hops + 1] = { via = "fd00::9", dev = "lo" }
      return { dst = "fd60::/32", table = "main", type = "unicast", proto = "boot", nexthops = hops }
    end
    local two <const>, other <const> = list("", "fc00::1"), list("fc00::1", "")
    assert.is_true(identity.same(two, other))
    assert.is_false((identity.same(two, list("fc00::2", ""))))
    for _, pair in ipairs { { two, other, 0 }, { list "fc00::1", list "", 1 },
      { list "", list "fc00::1", 1 } } do
      local have <const>, want <const> = rtnl.view("route", pair[1]), rtnl.view("route", pair[2])
      assert.equal(pair[3], #ecmp.plan({ have }, { want }, { exactly = true }))
    end
  end)

  it("is another where something was said or is there", function()
    assert.is_false(matches(told, { type = "ip", dst = "10.1.1.1" }))
    assert.is_false(matches(told, { type = "ip", id = 7, dst = "10.1.1.1", ttl = 9 }))
    assert.is_false(matches(told, { type = "ip6", id = 7 }))
    assert.is_false(matches(nil, { type = "ip", id = 7 }))
  end)
end)
