-- The blocks that look at what the pod has: speeds, prefixes, dead gateways; and notes.
local fib <const> = require "ecmp.group"
local helper <const> = require "spec.helper"
local rule <const> = require "ecmp.rule"
local rule_spec <const> = require "ecmp.rule.spec"
local sys <const> = require "ecmp.sys"

-- What a block makes of routes that are given as text, and the notes that it leaves.
local function made(block, lines, ctx, options)
  local notes <const> = {}
  local routes, message = rule.merge(rule_spec.routes(lines), {
    merge = function(group) return rule[block](group, ctx, options) end,
  }, ctx, { notes = notes })
  return routes and rule_spec.texts(routes), routes and notes or message
end

local TWO <const> = { "default via 10.0.0.1 dev eth0", "default via 10.1.0.1 dev eth1" }

local function speeds(eth0, eth1)
  return { links = { eth0 = { up = true, speed = eth0 }, eth1 = { up = true, speed = eth1 } } }
end

describe("rule.by_speed", function()
  local function weights(eth0, eth1)
    local lines, notes = made("by_speed", TWO, speeds(eth0, eth1))
    return lines[1]:gsub("^default ", ""), notes
  end

  it("weighs hops in the proportion of their speeds", function()
    assert.equal("nexthop via 10.0.0.1 dev eth0 weight 5 nexthop via 10.1.0.1 dev eth1 weight 2",
      (weights(25000, 10000)))
    assert.equal("nexthop via 10.0.0.1 dev eth0 nexthop via 10.1.0.1 dev eth1", (weights(1000, 1000)))
  end)

  it("comes as near as 256 allows", function()
    assert.equal("nexthop via 10.0.0.1 dev eth0 weight 256 nexthop via 10.1.0.1 dev eth1",
      (weights(400000, 10)))
    assert.equal("nexthop via 10.0.0.1 dev eth0 weight 256 nexthop via 10.1.0.1 dev eth1 weight 255",
      (weights(1001, 997)))
  end)

  it("takes an unknown speed for the slowest, and says so", function()
    local text, notes = weights(10000, nil)
    assert.equal("nexthop via 10.0.0.1 dev eth0 nexthop via 10.1.0.1 dev eth1", text)
    assert.same({ "by_speed: the speed of eth1 is not known, it counts as 10000 Mbit/s" }, notes)
  end)

  it("leaves weights as they are where no speed is known", function()
    local lines, notes = made("by_speed", { "default nexthop via 10.0.0.1 dev eth0 weight 3 "
      .. "nexthop via 10.1.0.1 dev eth1" }, speeds())
    assert.same({ "default nexthop via 10.0.0.1 dev eth0 weight 3 nexthop via 10.1.0.1 dev eth1" },
      lines)
    assert.same({}, notes)
  end)
end)

describe("rule.within", function()
  local ctx <const> = { addresses = {
    { address = "10.0.0.9/24", dev = "eth0" }, { address = "10.1.0.9/24", dev = "eth1" },
    { address = "2001:db8::9/64", dev = "eth0" },
  } }

  it("keeps gateways on the interface's own prefix", function()
    assert.same({ "default via 10.0.0.1 dev eth0" }, made("within", {
      "default via 10.0.0.1 dev eth0", "default via 10.1.0.1 dev eth0",
    }, ctx))
    assert.same({ "10.8.0.0/16 via 10.1.0.1 dev eth1" }, made("within", {
      "10.8.0.0/16 nexthop via 10.0.0.1 dev eth1 nexthop via 10.1.0.1 dev eth1",
    }, ctx))
  end)

  it("keeps what has no gateway, or one of link scope", function()
    local lines <const> = { "10.8.0.0/16 dev eth1", "default via fe80::1 dev eth1" }
    assert.same(lines, made("within", lines, ctx))
    assert.same({}, made("within", { "default via 2001:db8:1::1 dev eth0" }, ctx))
  end)
end)

describe("rule.standin", function()
  local function dead(...)
    local set <const> = {}
    for _, via in ipairs { ... } do set[via] = true end
    return function(hop) return set[hop.via] end
  end
  local three <const> = { "default via 10.0.0.1 dev eth0", "default via 10.0.0.2 dev eth0",
    "default via 10.0.0.3 dev eth0" }

  it("gives the share of a dead hop to the others, where it was", function()
    local lines, notes = made("standin", three, {}, dead "10.0.0.2")
    assert.same({ "default nexthop via 10.0.0.1 dev eth0 nexthop via 10.0.0.3 dev eth0" }, lines)
    assert.same({}, notes)
    assert.same({ "default nexthop via 10.0.0.2 dev eth0 nexthop via 10.0.0.3 dev eth0 weight 8 "
      .. "nexthop via 10.0.0.2 dev eth0 weight 3" }, (made("standin", {
      "default nexthop via 10.0.0.1 dev eth0 nexthop via 10.0.0.3 dev eth0 weight 2 "
      .. "nexthop via 10.0.0.2 dev eth0" }, {}, dead "10.0.0.1")))
  end)

  it("leaves a route alone in which nothing is dead, or all", function()
    local whole <const> = { "default nexthop via 10.0.0.1 dev eth0 nexthop via 10.0.0.2 dev eth0 "
      .. "nexthop via 10.0.0.3 dev eth0" }
    assert.same(whole, made("standin", three, {}, dead()))
    local lines, notes = made("standin", three, {}, dead("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    assert.same({ whole, { "standin: 0.0.0.0/0: no hop is left to stand in, the route stays" } },
      { lines, notes })
  end)

  it("takes a hop out of an IPv6 route that would hold another twice", function()
    local lines, notes = made("standin", { "default via fe80::1 dev eth0",
      "default via fe80::2 dev eth0", "default via fe80::3 dev eth0" }, {}, dead "fe80::1")
    assert.same({ "default nexthop via fe80::2 dev eth0 nexthop via fe80::3 dev eth0" }, lines)
    assert.same(1, #notes)
    assert.matches("IPv6 holds no hop twice", notes[1])
  end)

  it("takes hops out where stand-ins would be too many", function()
    local hops <const> = {}
    for i = 1, fib.MAX_HOPS[4] // 2 do
      hops[i] = ("nexthop via 10.0.%d.%d dev eth0"):format(i // 250, i % 250 + 1)
    end
    local lines, notes = made("standin", { "default " .. table.concat(hops, " ") }, {},
      function(hop) return hop.via:find "%.7$" end)
    assert.matches("the stand%-ins fit no route", notes[1])
    assert.is_nil(lines[1]:find "%.7 dev")
  end)
end)

describe("rule.note", function()
  local directory, path
  setup(function()
    directory = helper.directory()
    path = directory .. "/noting.lua"
  end)
  teardown(function() helper.remove(directory) end)

  it("is dropped where nobody listens, and goes where the outer rule's goes", function()
    rule.note "nobody"
    local notes <const> = {}
    assert(rule.merge(rule_spec.routes(TWO), function(group, ctx)
      rule.note "outer"
      return rule.merge(group, function(inner) rule.note "inner" return rule.first(inner, ctx) end)
    end, {}, { notes = notes }))
    rule.note "nobody"
    assert.same({ "outer", "inner" }, notes)
  end)

  it("raises at the rule's line for what is no text", function()
    local _, message = pcall(function() rule.note(7) end)
    assert.matches("rule_blocks_spec.lua:%d+: rule.note: text is due here, not a number", message)
    assert.error_matches(function() rule.note() end, "not nothing")
  end)

  it("comes out of the sandbox as one line of text", function()
    assert(sys.replace(path, [[
      local rule = require "ecmp.rule"
      return {
        merge = function(group, ctx) rule.note("merge\n" .. group.dst) return rule.multipath(group, ctx) end,
        plan = function(plan) rule.note "plan" return plan end,
      }]], tonumber("644", 8)))
    local script <close> = assert(require("ecmp.sandbox").load(path))
    local notes <const> = {}
    assert(rule.merge(rule_spec.routes(TWO), script, { links = speeds().links }, { notes = notes }))
    assert.same({ "merge 0.0.0.0/0" }, notes)
    assert(script:plan({ addresses = {}, routes = {}, sysctls = {} }, {}))
    assert.same({ "merge 0.0.0.0/0", "plan" }, script.notes)
  end)
end)
