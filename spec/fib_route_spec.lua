--- What a route is: when two are the same, and how one is told.
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

  it("is another where something was said or is there", function()
    assert.is_false(matches(told, { type = "ip", dst = "10.1.1.1" }))
    assert.is_false(matches(told, { type = "ip", id = 7, dst = "10.1.1.1", ttl = 9 }))
    assert.is_false(matches(told, { type = "ip6", id = 7 }))
    assert.is_false(matches(nil, { type = "ip", id = 7 }))
  end)
end)
