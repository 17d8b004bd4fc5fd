local ecmp = require("spec.commandline").ecmp
local helper = require "spec.helper"
local json = require "ecmp.json"
local samples = require "ecmp.rule.samples"
local sys = require "ecmp.sys"

local CONF <const> = [[{ "cniVersion": "1.1.0", "name": "n", "type": "ecmp-ptp", %s
  "ipam": { "type": "ecmp-static",
    "addresses": [ { "address": "10.0.0.9/24", "gateway": "10.0.0.1" } ],
    "routes": [ { "dst": "0.0.0.0/0", "gw": "10.0.0.1" },
                { "dst": "0.0.0.0/0", "gw": "10.0.0.2" } ] } }]]

local WEIGHTS <const> = [[
local rule = require "ecmp.rule"
return { merge = function(group, ctx) return rule.weighted(group, ctx, { ["10.0.0.1"] = 3 }) end }
]]

describe("ecmp rule check", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function file(name, text, mode)
    assert(sys.create(("%s/%s"):format(dir, name), text, mode or tonumber("644", 8)))
    return ("%s/%s"):format(dir, name)
  end

  it("shows what came in, what goes out, and the plan", function()
    local script <const>, conf <const> = file("w.lua", WEIGHTS), file("c.json", CONF:format "")
    local status <const>, out <const>, err <const> = ecmp("rule", "check", script, conf)
    assert.same({ 0, "" }, { status, err })
    assert.equal(([[
== %s
0.0.0.0/0: 2 routes became 1 by script %s
  in   default via 10.0.0.1 dev eth0
  in   default via 10.0.0.2 dev eth0
  out  default nexthop via 10.0.0.1 dev eth0 weight 3 nexthop via 10.0.0.2 dev eth0
addresses:
10.0.0.9/24 dev eth0  (gateway 10.0.0.1)
routes:
default
	nexthop via 10.0.0.1 dev eth0 weight 3
	nexthop via 10.0.0.2 dev eth0
]]):format(conf, script), out)
  end)

  it("shows routes as they came in, even where the rule changes them in place", function()
    local script <const> = file("m.lua",
      "return { merge = function(g) for i, r in ipairs(g) do r.metric = i * 7 end return g end }")
    local _, out <const> = ecmp("rule", "check", script, file("c.json", CONF:format ""))
    assert.matches("  in   default via 10.0.0.2 dev eth0\n", out)
    assert.matches("  out  default via 10.0.0.2 dev eth0 metric 14\n", out)
  end)

  it("shows routes that a rule keeps behind a metatable", function()
    local script <const> = file("p.lua", [[
return { routes = function(routes)
  for i, route in ipairs(routes) do routes[i] = setmetatable({}, { __index = route }) end
  return routes
end }]])
    local status <const>, out <const>, err <const> =
      ecmp("rule", "check", script, file("c.json", CONF:format ""))
    assert.same({ 0, "" }, { status, err })
    assert.matches("  in   default via 10.0.0.2 dev eth0\n", out)
    assert.matches("  out  default nexthop via 10.0.0.1 dev eth0 nexthop via 10.0.0.2 dev eth0\n",
      out)
  end)

  it("without a configuration tries samples of both families", function()
    local status <const>, out <const>, err <const> =
      ecmp("rule", "check", "--json", file("w.lua", WEIGHTS))
    assert.same({ 0, "" }, { status, err })
    local said <const> = assert(json.decode(out))
    assert.equal(#samples.list, #said.cases)
    for i, case in ipairs(said.cases) do
      assert.equal("sample: " .. samples.list[i].name, case.name)
      local families <const> = {}
      for _, made in ipairs(case.plan.decisions) do
        assert.is_true(#made.came > 0 and #made.goes > 0)
        families[made.came[1].family] = true
      end
      assert.same({ [4] = true, [6] = true }, families)
    end
  end)

  it("names the conflict that moved a route of a second interface", function()
    local _, out <const> = ecmp("rule", "check", "--json", file("w.lua", WEIGHTS))
    local cases <const> = assert(json.decode(out)).cases
    local last <const> = cases[#cases].plan
    local rules <const> = {}
    for _, made in ipairs(last.decisions) do rules[#rules + 1] = made.rule:match "^%a+ %a*" end
    assert.same({ "script ", "script ", "conflict yield", "conflict yield" }, rules)
    assert.equal(1, last.routes[1].metric)
    assert.equal(1025, last.routes[2].metric)
  end)

  it("takes the place of the script that a configuration names, and of that alone", function()
    local chain <const> = ([[{ "cniVersion": "1.1.0", "name": "n", "plugins": [ %s,
      { "type": "ecmp", "script": "/etc/cni/ecmp/other.lua" } ] }]]):format(CONF:format "")
    local script <const> = file("w.lua", WEIGHTS)
    local status <const>, out <const>, err <const> =
      ecmp("rule", "check", "--json", script, file("l.conflist", chain))
    assert.equal(0, status, err)
    local made <const> = assert(json.decode(out)).cases[1].plan.decisions
    assert.same({ "merge ecmp", "script " .. script }, { made[1].rule, made[2].rule })
  end)

  it("exits 1 on a fault, after the other configurations, with file and line", function()
    local script <const> = file("f.lua", [[
return { merge = function(group, ctx)
  if ctx.conf.faulty then error "no idea" end
  return group[1]
end }]])
    local bad <const> = file("bad.json", CONF:format '"faulty": true,')
    local good <const> = file("good.json", CONF:format "")
    local status <const>, out <const>, err <const> = ecmp("rule", "check", script, bad, good)
    assert.equal(1, status)
    assert.matches("fails: ecmp%-ptp: .*/f%.lua:2: no idea\n", out)
    assert.matches("== .*/good%.json\n0%.0%.0%.0/0: 2 routes became 1 by", out)
    assert.equal(("ecmp: rule: check: 1 of 2 configurations fail: ecmp-ptp: %s:2: no idea\n")
      :format(script), err)
  end)

  it("says in JSON which code an ADD would fail with", function()
    local refusing <const> = file("r.lua", "return { merge = function() return nil, 'no' end }")
    local status <const>, out <const> =
      ecmp("rule", "check", "--json", refusing, file("c.json", CONF:format ""))
    assert.equal(1, status)
    local case <const> = assert(json.decode(out)).cases[1]
    assert.equal(7, case.error.code)
    assert.is_nil(case.plan)
  end)

  it("refuses once a script that cannot be loaded or that others may write", function()
    local broken <const> = file("b.lua", "return {")
    local open <const> = file("o.lua", "return {}", tonumber("666", 8))
    assert(sys.chmod(open, tonumber("666", 8)))
    for path, reason in pairs { [broken] = "b.lua:1: ", [open] = "others may write",
      [dir .. "/none"] = "ENOENT" } do
      local status <const>, out <const>, err <const> = ecmp("rule", "check", path)
      assert.same({ 1, "" }, { status, out })
      assert.truthy(err:find(reason, 1, true), err)
      assert.equal(1, select(2, err:gsub("\n", "")))
    end
  end)

  it("passes CNI_ARGS and the interface on to the rule", function()
    local script <const> = file("a.lua", [[
return { merge = function(group, ctx)
  return { dst = group.dst, via = group[1].via, dev = ctx.ifname, metric = tonumber(ctx.args.M) }
end }]])
    local status <const>, out <const>, err <const> = ecmp("rule", "check", "--args",
      "M=42;IgnoreUnknown=1", "--ifname", "net7", script, file("c.json", CONF:format ""))
    assert.equal(0, status, err)
    assert.matches("\ndefault via 10%.0%.0%.1 dev net7 metric 42\n", out)
    assert.equal(2, (ecmp("rule", "check", "--args", "M", script)))
  end)

  it("is wrong usage without a verb or a script", function()
    assert.equal(2, (ecmp "rule"))
    assert.equal(2, (ecmp("rule", "check")))
    assert.equal(2, (ecmp("rule", "chekc", "x")))
  end)

  it("refuses configurations in which nothing of ours runs a rule", function()
    local conf <const> = file("x.json", '{ "cniVersion": "1.1.0", "name": "n", "type": "bridgee" }')
    local status <const>, _, err <const> = ecmp("rule", "check", file("w.lua", WEIGHTS), conf)
    assert.equal(1, status)
    assert.matches("type: none of the plugins is ours", err)
    assert.equal(1, (ecmp("rule", "check", dir .. "/w.lua", dir .. "/missing.json")))
  end)
end)

describe("ecmp plan", function()
  it("names the rule that decided each route", function()
    local dir <const> = helper.directory()
    local path <const> = dir .. "/c.json"
    assert(sys.create(path, CONF:format '"merge": "failover",'))
    local status <const>, out <const> = ecmp("plan", path)
    assert.equal(0, status)
    assert.matches("\ndecided:\n0%.0%.0%.0/0: 2 routes by merge failover\n$", out)
    helper.remove(dir)
  end)
end)
