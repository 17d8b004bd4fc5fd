-- Mistakes that authors of scripts, rules and plugins make: each raises at the author's line, or is
-- refused, and the message has the word that was meant. None is ignored.
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local sandbox = require "ecmp.sandbox"
local sys = require "ecmp.sys"

local PRELUDE <const> = [[local ecmp, cni, flow, json, rule, schema = require "ecmp", require "ecmp.cni",
require "ecmp.flow", require "ecmp.json", require "ecmp.rule", require "ecmp.cni.schema" local nl = ... ]]

-- A script is one line behind the prelude's two.
local function raised(script, ...)
  local chunk <const> = assert(load(PRELUDE .. "\n" .. script, "@author.lua", "t"))
  local ran <const>, message <const> = pcall(chunk, ...)
  assert.is_false(ran, script .. " went through")
  local line <const>, text <const> = tostring(message):match "^author%.lua:(%d+): (.*)$"
  assert.equal("3", line, ("%s is put down to another line: %s"):format(script, message))
  return text
end

-- What a script raises, with the words that its message has to have.
local SCRIPTS <const> = {
  { "a part of the library", "return ecmp.lba", "did you mean 'lab'" },
  { "a rule", "return { merge = rule.mutlipath }", "did you mean 'multipath'" },
  { "the word of a rule", "ecmp.merge({}, 'mutlipath')", "known words are ecmp, separate" },
  { "a hook", "flow.verbs { atach = print }", "atach: unknown hook (did you mean 'attach'?)" },
  { "a stage", "flow.verbs { stages = { rotues = print } }", "stages.rotues: unknown stage (did you mean 'routes'?)" },
  { "a hook nobody knows", "flow.verbs { frobnicate = print }", "known are attach, check_conf" },
  { "a hook of the wrong type", "flow.verbs { attach = 5 }", "attach: must be a function, not a number" },
  { "a switch of the wrong type", "flow.verbs { needs_addresses = 'yes' }", "must be a boolean, not a string" },
  { "a stage of the wrong type", "flow.verbs { stages = { ipam = {} } }", "stages.ipam: must be a function" },
  { "no hooks at all", "flow.verbs()", "a table of hooks is due here, not nothing" },
  { "checks that drop inherited ones",
    "flow.verbs(setmetatable({ fields = schema.record {} }, { __index = require 'ecmp.plugin.bridge'.plugin }))",
    "schema.extend(base.fields" },
  { "a check that does not exist", "schema.record { { 'x', schema.sting } }", "the check of 'x' must be a function" },
  { "a field without a key", "schema.record { schema.string }", "fields[1]: must be { key, check }" },
  { "extending nothing", "schema.extend({}, {})", "the first must be a check, not a table" },
  { "swapped arguments of refuse", "cni.refuse('the reason', 11)", "code and message are swapped" },
  { "a refusal without a message", "cni.refuse(7)", "the message must be given" },
  { "a hole in a list of JSON", "json.encode { 1, 2, nil, 4 }", "has no element [3], but one [4]" },
  { "a list with a key", "json.encode { 'a', b = 1 }", "elements and the key b" },
  { "an object with a number for a key", "json.encode { [7] = 1 }", "the key 7, which is no string" },
  { "a function in JSON", "json.encode { f = print }", "JSON has no function" },
  { "an option of open", "ecmp.open { nets = '/proc/self/ns/net' }", "did you mean 'netns'" },
  { "a namespace of the wrong type", "ecmp.open { netns = {} }", "netns" },
  { "an option of the lab", "ecmp.lab { gateway = 3 }", "did you mean 'gateways'" },
  { "a plan without what is wanted", "ecmp.plan {}", "wanted" },
  { "routes that are none", "ecmp.group { 5 }", "[1]" },
  { "a verb", "cni.run { ad = print }", "did you mean 'add'" },
  { "a verb of the wrong type", "cni.run { add = 5 }", "add: must be a function, not number" },
}

local KERNEL <const> = {
  { "a field of a route", "nl.route:add { dst = 'default', vai = '10.0.0.1' }", "did you mean 'via'" },
  { "a field of a next hop", "nl.route:add { dst = 'default', nexthops = { { via = '10.0.0.1', wieght = 3 } } }",
    "nexthops[1].wieght: unknown field (did you mean 'weight'?)" },
  { "a hole in the next hops",
    "nl.route:add { dst = 'default', nexthops = { { via = '10.0.0.1' }, nil, { via = '10.0.0.2' } } }",
    "nexthops" },
  { "a weight of the wrong type",
    "nl.route:add { dst = 'default', nexthops = { { via = '10.0.0.1', weight = {} } } }",
    "nexthops[1].weight" },
  { "a gateway of the wrong family", "nl.route:add { dst = '10.0.0.0/8', via = 'fe80::1', src = '::1' }", "src" },
  { "an address that is none", "nl.route:add { dst = '10.0.0.300/8' }", "dst" },
  { "a filter", "nl.route:list { dve = 'eth0' }", "did you mean 'dev'" },
  { "a word of ip", "nl.route:add 'default vai 10.0.0.1'", "did you mean 'via'" },
  { "a destination that is missing", "nl.route:add { via = '10.0.0.1' }",
    'dst: missing ("default" for all destinations)' },
  { "an argument too many", "nl.link:set('lo', { up = true })", "1 argument expected, got 2" },
  { "a verb that an object does not have", "nl.addr:append { dev = 'lo', address = '10.0.0.1/32' }",
    "there is no such verb; there are add, change" },
  { "a note that is no text", "rule.note(7)", "text is due here, not a number" },
  { "a block without its test", "rule.standin({}, {})", "a test of next hops must be given" },
  { "options that a block has not", "rule.by_speed({}, {}, { eth0 = 1 })", "there are none, not a table" },
  { "an object", "nl.rotue:list()", "rotue" },
  { "a verb of an object", "nl.route:lits()", "lits" },
  { "a verb of a batch", "nl:batch { { 'route ad', { dst = 'default' } } }", "route ad" },
  { "an object to watch", "nl:monitor { 'rotue' }", "'rotue' is none of route" },
  { "a next hop left out", "nl.route:add_nexthop 'default'", "hop" },
  { "a destination left out", "nl.route:spread {}", "dst" },
  { "a handle that is closed", "nl:close() nl.route:list()", "closed" },
  { "a transaction that is over", "local tx = nl:begin() tx:commit() tx.route:add { dst = 'default' }", "over" },
}

describe("a script with", function()
  for _, case in ipairs(SCRIPTS) do
    it(case[1], function() assert.matches(case[3], raised(case[2]), 1, true) end)
  end
end)

describe("a script that uses the kernel, with #netns", function()
  local space

  setup(function() space = assert(netns.create()) end)
  teardown(function() space:close() end)

  for _, case in ipairs(KERNEL) do
    it(case[1], function()
      local nl <close> = assert(require "ecmp".open { netns = netns.path(space) })
      assert.matches(case[3], raised(case[2], nl), 1, true)
    end)
  end
end)

-- Rules ------------------------------------------------------------------------------------------

local ROUTES <const> = {
  { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" }, { dst = "0.0.0.0/0", via = "10.0.0.2", dev = "eth0" },
}

-- Each is the second line of a script, below `local rule = require "ecmp.rule"`.
local RULES <const> = {
  { "a hook", "return { mrege = function() end }", "did you mean 'merge'" },
  { "a hook of the wrong type", "return { merge = 'ecmp' }", "merge: a function is due here, not a string" },
  { "no return", "local R = { merge = rule.first }", "returns a table of hooks, not nothing" },
  { "a hook without return", "return { merge = function(group) rule.first(group) end }", "merge(default)" },
  { "a block", "return { merge = rule.mutlipath }", "did you mean 'multipath'" },
  { "a field", "return { merge = function(g) return { dst = g.dst, gateway = '10.0.0.1' } end }", "did you mean 'via'" },
  { "a metric of the wrong type", "return { merge = function(g) return { dst = g.dst, via = '10.0.0.1', metric = {} } end }",
    "metric" },
  { "a gateway of the wrong family",
    "return { merge = function(g) return { dst = g.dst, nexthops = { { via = '10.0.0.1' }, { via = 'zzz::1' } } } end }",
    "nexthops[2].via" },
  { "a hole in the list", "return { merge = function(g) return { g[1], nil, g[2] } end }", "[2]" },
  { "a weight beyond the kernel's", "return { merge = function(g, c) return rule.weighted(g, c, { eth0 = 300 }) end }",
    "300 is outside 0..256" },
  { "swapped arguments", "return { merge = function(g, c) return rule.weighted(c, g) end }", "group" },
  { "options in the place of ctx", "return { merge = function(g) return rule.weighted(g, { ['10.0.0.1'] = 3 }) end }",
    "options" },
  { "a test that is none", "return { merge = function(g, c) return rule.drop(g, c, 'eth0') end }", "test" },
  { "a module", "return { merge = require('ecmp').rule.first }", "rules may require ecmp.rule and ecmp.ip only" },
  { "a key that is no list", "return { key = function(r) return { {} } end }", "key" },
  { "a part of the plan of the wrong type", "return { plan = function(p) p.routes = 5 return p end }", "routes" },
  { "no return of the plan", "return { plan = function(p) p.routes = {} end }", "plan: returned nothing" },
}

describe("a rule with", function()
  local dir

  setup(function() dir = helper.directory() end)
  teardown(function() helper.remove(dir) end)

  for i, case in ipairs(RULES) do
    it(case[1], function()
      local path <const> = ("%s/%d.lua"):format(dir, i)
      assert(sys.create(path, 'local rule = require "ecmp.rule"\n' .. case[2], tonumber("644", 8)))
      local script <close>, message = sandbox.load(path)
      local ok = script
      if ok then ok, message = script:run(ROUTES, { links = { eth0 = { up = true } } }) end
      if ok then ok, message = script:plan({ addresses = {}, routes = {}, sysctls = {} }, {}) end
      assert.is_nil(ok)
      assert.matches(("%d.lua"):format(i), message, 1, true)
      assert.matches(case[3], message, 1, true)
    end)
  end
end)

-- Plugins ----------------------------------------------------------------------------------------

-- Each is the text of a script for ecmp-lua, of one line.
local PLUGINS <const> = {
  { "a verb", "return { ad = function() end }", "ad: unknown verb (did you mean 'add'?)" },
  { "a verb of the wrong type", "return { del = 5 }", "del: must be a function" },
  { "no return", "local P = {}", "must return a table of verbs, not nil" },
  { "an ADD without return", "return { add = function() end }", "add: must return a result, not nil" },
  { "a hook of the flow", "return require 'ecmp.flow'.verbs { setle = print }", "did you mean 'settle'" },
  { "an address that is none", "return { add = function() return { ips = { { address = '10.0.0.9' } } } end }",
    "result.ips[1].address" },
  { "a hop in the words of routes",
    "return { add = function() return { routes = { { dst = '0.0.0.0/0', nexthops = { { via = '10.0.0.1' } } } } } end }",
    "did you mean 'gw'" },
}

describe("a plugin with", function()
  local runtime <const> = require "spec.runtime"
  local dir

  setup(function() dir = helper.directory() end)
  teardown(function() helper.remove(dir) end)

  for i, case in ipairs(PLUGINS) do
    it(case[1], function()
      local path <const> = ("%s/%d.lua"):format(dir, i)
      assert(sys.create(path, case[2], tonumber("644", 8)))
      local answer <const> = runtime.call("ecmp-lua", "ADD",
        { cniVersion = "1.1.0", name = "lab", type = "ecmp-lua", script = path })
      assert.equal(100, answer.json.code)
      assert.matches(("%d.lua"):format(i), answer.json.msg, 1, true)
      assert.matches(case[3], answer.json.msg, 1, true)
    end)
  end
end)

-- Each is what a plugin on the flow says of itself, for an interface that is a veth; the verb that
-- meets the mistake.
local HOOKS <const> = {
  { "inspect without a list", "CHECK", { inspect = function() return "wrong" end },
    "inspect: must return a list of sentences, not a string" },
  { "inspect with other than sentences", "CHECK", { inspect = function() return { 5 } end },
    "[1] is a number" },
  { "remember without a table", "ADD", { remember = function() return "x" end },
    "remember: must return a table of fields, not a string" },
  { "attach that forgets the interfaces", "ADD", { attach = function() end },
    "attach: must set state.interfaces" },
  { "attach that forgets which is the pod's", "ADD",
    { attach = function(state) state.interfaces = { { name = "eth0" } } end }, "attach: must set state.interface" },
  { "a stage that sets nothing", "ADD", { stages = { routes = function() end } },
    "stages.routes: must set state.routes to a table, not nothing" },
}

describe("a plugin on the flow with #netns", function()
  local flow <const> = require "ecmp.flow"
  local space

  setup(function() space = assert(netns.create()) end)
  teardown(function() space:close() end)

  local function attach(state)
    assert(state.nl.link:add { name = "eth0", type = "veth", peer = { name = "far0" } })
    state.undo:push("eth0", function() return state.nl.link:del { dev = "eth0" } end)
    state.interfaces, state.interface = { { name = "eth0" } }, 0
  end

  for _, case in ipairs(HOOKS) do
    it(case[1], function()
      local plugin <const> = { attach = attach, detach = require "ecmp.flow.interface".detach }
      for name, hook in pairs(case[3]) do plugin[name] = hook end
      local verbs <const> = flow.verbs(plugin)
      local call <const> = { command = "ADD", containerid = "c1", ifname = "eth0", netns = netns.path(space),
        args = {}, args_text = "", conf = { name = "lab", type = "x" }, version = "1.1.0", plugin = "x" }
      local _, message
      if case[2] == "CHECK" then
        call.prev = assert(verbs.add(call))
        _, message = select(2, pcall(verbs.check, call))
        message = message or select(2, pcall(verbs.check, call))
        assert(verbs.del(call))
      else
        message = select(2, pcall(verbs.add, call))
      end
      assert.matches(case[4], tostring(message), 1, true)
    end)
  end

  it("takes hooks and stages that return nothing for done", function()
    local called <const> = {}
    local function note(name) return function() called[#called + 1] = name end end
    local verbs <const> = flow.verbs {
      attach = attach, check_conf = note "check_conf", settle = note "settle", inspect = note "inspect",
      remember = note "remember", sweep = note "sweep", detach = function(call, nl)
        note "detach"()
        return require "ecmp.flow.interface".detach(call, nl)
      end,
      stages = { routes = function(state) state.routes = {} end },
    }
    local call <const> = { command = "ADD", containerid = "c1", ifname = "eth0", netns = netns.path(space),
      args = {}, args_text = "", conf = { name = "lab", type = "x" }, version = "1.1.0", plugin = "x", valid = {} }
    call.prev = assert(verbs.add(call))
    assert(verbs.check(call))
    assert(verbs.del(call))
    assert(verbs.gc(call))
    assert.same({ "check_conf", "remember", "settle", "check_conf", "inspect", "detach", "sweep" }, called)
  end)
end)
