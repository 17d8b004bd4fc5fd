-- `ecmp plan` of plugins that are scripts.
local commandline <const> = require "spec.commandline"
local helper <const> = require "spec.helper"
local json <const> = require "ecmp.json"
local sys <const> = require "ecmp.sys"

describe("ecmp plan of ecmp-lua", function()
  local directory
  before_each(function() directory = helper.directory() end)
  after_each(function() helper.remove(directory) end)

  local IPAM <const> = { type = "static", addresses = { { address = "10.0.0.9/24" } }, routes = {
    { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } } }

  local function script(name, text)
    local path <const> = ("%s/%s.lua"):format(directory, name)
    assert(sys.replace(path, text, tonumber("644", 8)))
    return path
  end

  local function plan(conf, ...)
    conf.cniVersion, conf.name = "1.1.0", "lab"
    local path <const> = directory .. "/conf.json"
    assert(sys.replace(path, json.encode(conf)))
    local status, stdout, stderr = commandline.ecmp("plan", path, ...)
    return { status = status, stdout = stdout, stderr = stderr }
  end

  local ATTACHING <const> = [[
    print "at load"
    local flow = require "ecmp.flow"
    return flow.verbs { attach = function() print "never" error "never" end, %s }]]

  it("shows what a script on the flow would make, and touches nothing", function()
    local outcome <const> = plan { type = "ecmp-lua", ipam = IPAM,
      script = script("own", ATTACHING:format "") }
    assert.same({ 0, "at load\n" }, { outcome.status, outcome.stderr })
    assert.matches("default\n\tnexthop via 10.0.0.1 dev eth0\n\tnexthop via 10.0.0.2 dev eth0",
      outcome.stdout)
  end)

  it("runs its stages, its check and its rule script, and shows notes", function()
    local rules <const> = script("rules", [[local rule = require "ecmp.rule"
      return { merge = function(group, ctx)
        rule.note("rack " .. ctx.args.RACK)
        return rule.first(group, ctx)
      end }]])
    local outcome <const> = plan({ type = "ecmp-lua", ipam = IPAM, rules = rules,
      script = script("own", ATTACHING:format [[
        stages = { routes = function(state)
          local done, message, code = require("ecmp.flow.routes").run(state)
          if not done then return nil, message, code end
          for _, route in ipairs(state.routes) do route.table = 7 end
          return state
        end }]]) }, "--args", "IgnoreUnknown=1;RACK=r7")
    assert.equal(0, outcome.status, outcome.stderr)
    assert.matches("default via 10.0.0.1 dev eth0 table 7", outcome.stdout)
    assert.matches("notes:\nrack r7\n$", outcome.stdout)
    local made <const> = assert(json.decode(plan({ type = "ecmp-lua", ipam = IPAM, rules = rules,
      script = directory .. "/own.lua" }, "--args", "IgnoreUnknown=1;RACK=r8", "--json").stdout))
    assert.same({ "rack r8" }, { table.unpack(made.notes) })
  end)

  it("runs two scripts of a list, each with what is beside it", function()
    local function own(name, number)
      local path <const> = directory .. "/" .. name
      assert(sys.mkdir(path, tonumber("755", 8)))
      script(name .. "/beside", "return " .. number)
      return script(name .. "/plugin", ([[local routes = require "ecmp.flow.routes"
        return require("ecmp.flow").verbs { %s stages = { routes = function(state)
          routes.run(state)
          table.insert(state.routes, { dst = "10.9.0.0/16", dev = "eth0", metric = require "beside" })
          return state
        end } }]]):format(name == "one" and "attach = function() end," or ""))
    end
    local outcome <const> = plan { plugins = {
      { type = "ecmp-lua", ipam = IPAM, script = own("one", 11) },
      { type = "ecmp-lua", ipam = IPAM, script = own("two", 22) },
    } }
    assert.equal(0, outcome.status, outcome.stderr)
    assert.matches("10.9.0.0/16 dev eth0 metric 22", outcome.stdout)
  end)

  it("refuses what it cannot show", function()
    for text, message in pairs {
      ["return { add = function() return {} end }"] = "has verbs of its own, not those of flow.verbs",
      ["return 5"] = "own.lua: must return a table of verbs, not number",
      ["local verbs = require('ecmp.flow').verbs { remembr = print }"] = "own.lua:1: remembr: unknown hook",
      ["return require('ecmp.flow').verbs { check_conf = function()\nlocal x = nil .. 1 end }"] =
        "own.lua:2: attempt to concatenate",
      ["return require('ecmp.flow').verbs { check_conf = function() return nil, 'no rack' end }"] =
        "no rack",
    } do
      local outcome <const> = plan { type = "ecmp-lua", ipam = IPAM, script = script("own", text) }
      assert.same({ 1, "" }, { outcome.status, outcome.stdout })
      assert.truthy(outcome.stderr:find(message, 1, true), outcome.stderr)
      assert.is_nil(outcome.stderr:find "traceback")
    end
    assert.matches("script: must be given", plan { type = "ecmp-lua", ipam = IPAM }.stderr)
  end)
end)
