-- The rules in examples/rules, each on the routes of the configuration beside it.
local helper = require "spec.helper"
local json = require "ecmp.json"
local rule_spec = require "ecmp.rule.spec"
local sys = require "ecmp.sys"
local translate = require("ecmp.flow.routes").translate_all

local function conf_of(name)
  return assert(json.decode(assert(sys.read(("examples/rules/%s.json"):format(name)))))
end

-- Runs an example as an ADD on `ctx.ifname` would.
local function run(name, ctx)
  local conf = conf_of(name)
  ctx = ctx or {}
  ctx.conf, ctx.network, ctx.ifname = conf, ctx.network or conf.name, ctx.ifname or "eth0"
  local routes = translate(conf.ipam.routes, { dev = ctx.ifname, addresses = {} })
  return rule_spec.rule(("examples/rules/%s.lua"):format(name))(routes, ctx)
end

local four <const> = "nexthop via 10.0.1.1 dev eth0 nexthop via 10.0.2.1 dev eth0"
local six <const> = "nexthop via 2001:db8:1::1 dev eth0 nexthop via 2001:db8:2::1 dev eth0"

describe("the example", function()
  it("rack-weights favours the pod's rack", function()
    assert.same({
      "default nexthop via 10.0.1.1 dev eth0 weight 3 nexthop via 10.0.2.1 dev eth0",
      "default nexthop via 2001:db8:1::1 dev eth0 weight 3 nexthop via 2001:db8:2::1 dev eth0",
    }, run "rack-weights")
  end)

  it("failover puts the others at higher metrics", function()
    assert.same({
      "default via 10.0.1.1 dev eth0 metric 100", "default via 10.0.2.1 dev eth0 metric 200",
      "default via 2001:db8:1::1 dev eth0 metric 100",
      "default via 2001:db8:2::1 dev eth0 metric 200",
    }, run "failover")
  end)

  it("failover is refused two routes that it would put into one place", function()
    local routes, message, code = rule_spec.rule "examples/rules/failover.lua" {
      "default via 10.0.1.1 dev eth0 metric 100", "default via 10.0.2.1 dev eth0 metric 200" }
    assert.is_nil(routes)
    assert.equal("ESCRIPT", code)
    assert.matches("failover.lua:%d+: merge%(default%): default via 10.0.2.1 dev eth0 metric 100 has the "
      .. "destination, table and metric of merge%(default%), default via 10.0.1.1 dev eth0 ", message)
  end)

  it("one-network makes multipath routes on that network only", function()
    assert.same({ "default " .. four, "default " .. six }, run "one-network")
    assert.same({ "default via 10.0.1.1 dev eth0", "default via 2001:db8:1::1 dev eth0" },
      run("one-network", { network = "pods" }))
  end)

  it("yield-default leaves the default route with eth0", function()
    local other = { (four:gsub("eth0", "net1")), (six:gsub("eth0", "net1")) }
    assert.same({ "default " .. four, "default " .. six, "10.8.0.0/16 via 10.0.1.1 dev eth0" },
      run "yield-default")
    assert.same({ "default metric 5000 " .. other[1], "default metric 5000 " .. other[2],
      "10.8.0.0/16 via 10.0.1.1 dev net1" }, run("yield-default", { ifname = "net1" }))
  end)

  it("cluster-cidrs keeps the cluster on eth0 while the default route moves", function()
    assert.same({
      "default via 10.0.1.1 dev net1", "default via 2001:db8:1::1 dev net1",
      "10.96.0.0/12 via 10.9.0.1 dev eth0", "fd00:10::/48 via fd00:9::1 dev eth0",
    }, run("cluster-cidrs", { ifname = "net1", current = {
      { dst = "0.0.0.0/0", via = "10.9.0.1", dev = "eth0" },
      { dst = "::/0", via = "fd00:9::1", dev = "eth0" } } }))
  end)

  it("ra-apart stays out of the group that router advertisements made", function()
    assert.same({ "default " .. six }, run "ra-apart")
    assert.same({ "default metric 1023 " .. six }, run("ra-apart", { current = {
      { dst = "::/0", via = "fe80::1", dev = "eth0", proto = "ra" } } }))
  end)

  it("links-up leaves out hops whose link is down, unless all are", function()
    assert.same({ "default " .. four, "default " .. six }, run "links-up")
    assert.same({ "default " .. four, "default " .. six },
      run("links-up", { links = { eth0 = { up = true, carrier = false } } }))
    local up = rule_spec.rule "examples/rules/links-up.lua"
    assert.same({ "default via 10.0.2.1 dev b" },
      up({ "default via 10.0.1.1 dev a", "default via 10.0.2.1 dev b" },
        { links = { a = { up = false }, b = { up = true, carrier = true } } }))
  end)

  it("tenant-tables gives each tenant a table", function()
    assert.same({ "default table 200 " .. four, "default table 200 " .. six },
      run("tenant-tables", { args = { K8S_POD_NAMESPACE = "blue" } }))
    local routes, message, code = run "tenant-tables"
    assert.is_nil(routes)
    assert.equal(7, code)
    assert.matches("no table for the pods of 'none'$", message)
  end)

  it("refuse-duplicates names the gateway that is listed twice", function()
    local routes, message, code = run "refuse-duplicates"
    assert.is_nil(routes)
    assert.equal("EINVAL", code)
    assert.matches("10.0.1.1 dev eth0 is listed twice for 10.8.0.0/16$", message)
  end)

  it("resilient-storage makes groups of the storage prefixes alone", function()
    assert.same({ "10.20.0.0/16 " .. four, "default via 10.0.1.1 dev eth0" },
      run "resilient-storage")
    assert.equal("resilient", conf_of("resilient-storage").multipath.nexthops)
  end)

  it("each has a configuration that names it, and a spec above", function()
    local text = assert(sys.read "spec/rule_examples_spec.lua")
    local count = 0
    for _, name in ipairs(assert(sys.list "examples/rules")) do
      local stem = name:match "^(.+)%.lua$"
      if stem and not stem:find "_spec$" then
        count = count + 1
        assert.equal(("/etc/cni/ecmp/%s.lua"):format(stem), conf_of(stem).script)
        assert.is_truthy(text:find(('it("%s '):format(stem), 1, true), stem)
      end
    end
    assert.is_true(count >= 10)
  end)

  it("that comes with each word may be a script's, too", function()
    local dir = helper.directory()
    local rule = require "ecmp.rule"
    local listed = { "default via 10.0.1.1 dev eth0", "default via 10.0.2.1 dev eth0",
      "default via 2001:db8::1 dev eth0", "10.8.0.0/16 via 10.0.1.1 dev eth0" }
    for _, word in ipairs(rule.words) do
      local path = ("%s/%s.lua"):format(dir, word)
      assert(sys.create(path, ("return require('ecmp.rule').word %q"):format(word),
        tonumber("644", 8)))
      local made, message, code = rule_spec.rule(path)(listed)
      local meant, why, number = rule.merge(rule_spec.routes(listed), word)
      assert.same(meant and rule_spec.texts(meant), made)
      assert.equal(why and path .. ": " .. why, message)
      assert.equal(number, code)
    end
  end)

  it("of a route that is none is told so, where the rule is called", function()
    local rack <const> = rule_spec.rule "examples/rules/rack-weights.lua"
    for text, wrong in pairs { ["default via 10.0.0.1 dve eth0"] = "[2]: .*dve",
      ["defalt via 10.0.0.1"] = "[2]: .*defalt" } do
      local ok <const>, message <const> = pcall(function()
        local lines <const> = rack { "default via 10.0.0.2", text }
        return lines
      end)
      assert.is_false(ok)
      assert.matches("rule_examples_spec.lua:%d+: %" .. wrong, message)
    end
  end)

  it("of a spec for one's own rule runs as it is", function()
    local result = assert(sys.spawn { argv = { "lua5.4", "-e", helper.paths(), "/usr/bin/busted",
      "--ignore-lua", "examples/rules/rack-weights_spec.lua" } })
    assert.equal(0, result.status, result.stdout)
    assert.matches("1 success", result.stdout)
  end)
end)
