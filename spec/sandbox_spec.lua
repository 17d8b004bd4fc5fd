local group = require "ecmp.group"
local helper = require "spec.helper"
local rule = require "ecmp.rule"
local sandbox = require "ecmp.sandbox"
local sys = require "ecmp.sys"

local READABLE <const> = tonumber("644", 8)

local directory

local function write(name, text)
  local path = directory .. "/" .. name
  assert(sys.replace(path, text, READABLE))
  return path
end

-- On a busy machine half a second is little; those that are about time say how much they have.
local function load(text, options, seconds)
  local usual = sandbox.BUDGET.seconds
  sandbox.BUDGET.seconds = seconds or 60
  local script, message, code = sandbox.load(write("rule.lua", text), options)
  sandbox.BUDGET.seconds = usual
  return script, message, code
end

local function refused(value, message, code)
  assert.is_nil(value)
  assert.equal("ESCRIPT", code)
  return message
end

local both <const> = {
  { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" },
  { dst = "0.0.0.0/0", via = "10.0.0.2", dev = "eth0" },
  { dst = "::/0", via = "2001:db8::1", dev = "eth0" },
  { dst = "::/0", via = "2001:db8::2", dev = "eth0" },
}

local function texts(routes, message)
  local lines = {}
  for i, route in ipairs(assert(routes, message)) do
    lines[i] = group.text(assert(group.canonical(route)))
  end
  return lines
end

describe("a rule script", function()
  setup(function() directory = helper.directory() end)
  teardown(function() helper.remove(directory) end)

  it("runs its hooks on values, and its routes come back", function()
    local script <close> = assert(load [[
      local rule = require "ecmp.rule"
      local ip = require "ecmp.ip"
      local R = {}
      function R.routes(routes, ctx) table.remove(routes) return routes end
      function R.key(route, ctx) return { route.dst, ip.parse(route.via):family() } end
      function R.merge(group, ctx)
        return rule.weighted(group, ctx, { ["10.0.0.1"] = ctx.conf.weight, [ctx.ifname] = 2 })
      end
      return R
    ]])
    assert.same({ routes = true, key = true, merge = true }, script.hooks)
    assert.same({
      "default nexthop via 10.0.0.1 dev eth0 weight 7 nexthop via 10.0.0.2 dev eth0 weight 2",
      "default via 2001:db8::1 dev eth0",
    }, texts(rule.merge(both, script, { conf = { weight = 7 }, ifname = "eth0" })))
  end)

  it("is given the next hops of every route as a list", function()
    local script <close> = assert(load [[
      return { routes = function(routes, ctx)
        local list = {}
        for _, route in ipairs { routes[1], ctx.current[1], ctx.current[2] } do
          for _, hop in ipairs(route.hops) do list[#list + 1] = hop.via .. " " .. hop.weight end
        end
        return { { dst = "10.0.0.0/8", via = "10.0.0.1", dev = table.concat(list, ",") } }
      end }]])
    local routes <const> = assert(rule.merge(both, script, { current = {
      { dst = "10.1.0.0/16", nexthops = { { via = "10.0.0.3", weight = 2 }, { via = "10.0.0.4", weight = 1 } } },
      { dst = "10.2.0.0/16", type = "blackhole", dev = "lo" },
    } }))
    assert.equal("10.0.0.1 1,10.0.0.3 2,10.0.0.4 1", routes[1].dev or routes[1].hops[1].dev)
  end)

  it("leaves what it does not say to the word in the configuration", function()
    for _, word in ipairs { "ecmp", "separate", "first", "failover" } do
      local ctx = { conf = { merge = word } }
      local script <close> = assert(load "return {}")
      assert.same(rule.merge(both, word, ctx), rule.merge(both, script, ctx))
    end
  end)

  it("says what came into each group and what went out", function()
    local script <close> = assert(load "return {}")
    local routes, _, _, trace = script:explain(both)
    assert.equal(2, #routes)
    assert.equal(2, #trace)
    assert.same(texts { both[4] }, texts { trace[2].came[2] })
    assert.same(routes[2], trace[2].goes[1])
  end)

  it("may refuse with CNI's numbers and the system's symbols; any other code is EINVAL", function()
    for given, expected in pairs { ["1"] = 1, ["999"] = 999, ["'EBUSY'"] = "EBUSY", ["0"] = "EINVAL",
      ["1000"] = "EINVAL", ["-7"] = "EINVAL", ["7.5"] = "EINVAL", ["'busy'"] = "EINVAL",
      ["{}"] = "EINVAL", ["nil"] = "EINVAL" } do
      local script <close> = assert(load(
        ("return { merge = function() return nil, 'no', %s end }"):format(given)))
      assert.equal(expected, (select(3, rule.merge(both, script))), given)
    end
  end)

  it("may refuse, with a code of its own", function()
    local script <close> = assert(load [[return {
      merge = function(g) return nil, "not here for IPv" .. g.family, 11 end }]])
    local routes, message, code = rule.merge(both, script)
    assert.is_nil(routes)
    assert.equal(directory .. "/rule.lua: merge(default): not here for IPv4", message)
    assert.equal(11, code)
  end)

  it("gives its file, line and own words where it fails", function()
    local path = directory .. "/rule.lua"
    assert.equal(path .. ":2: no rack for eth0",
      refused(load "\nerror('no rack for eth0')"))
    assert.equal(path .. ":2: no rack", refused(rule.merge(both, assert(load [[
      return { merge = function()
        error("no rack")
      end }]]))))
    assert.matches("^" .. path:gsub("%p", "%%%0") .. ":1: syntax error near", refused(load "x y"))
    -- A fault inside a block is put down to the line that used it.
    assert.matches("^" .. path:gsub("%p", "%%%0") .. ":2: rule.first: the first argument must be a group",
      refused(rule.merge(both,
      assert(load "return { merge = function()\n return (require('ecmp.rule').first(nil)) end }"))))
  end)

  it("gives the whole path, however long", function()
    local deep = ("d"):rep(100)
    assert(sys.mkdir(directory .. "/" .. deep, tonumber("755", 8)))
    local path = write(deep .. "/rule.lua", "\n\nerror 'here'")
    assert.equal(path .. ":3: here", refused(sandbox.load(path)))
  end)

  it("is refused what is no route, with the path of the field", function()
    local function fault(text)
      local script <close> = assert(load("return { merge = function() return " .. text .. " end }"))
      return refused(rule.merge(both, script, { links = { eth0 = {} } })):match "rule.lua:1: (.*)$"
    end
    assert.equal("merge(default).gw: unknown field (did you mean 'via'?)",
      fault "{ dst = 'default', gw = '10.0.0.1' }")
    assert.equal("merge(default)[2].nexthops[1].via: 2001:db8::1 is not an IPv4 address",
      fault("{ { dst = 'default', dev = 'eth0' }, { dst = '10.0.0.0/8', nexthops = "
        .. "{ { via = '2001:db8::1' } } } }"))
    assert.equal("merge(default).dev: there is no interface 'eth7'",
      fault "{ dst = 'default', dev = 'eth7' }")
  end)

  it("is refused what the kernel's messages have no room for, before the kernel is asked", function()
    local function fault(fields)
      local script <close> = assert(load(([[return { merge = function()
        return { dst = "10.0.0.0/8", via = "10.0.0.1", dev = "eth0", %s } end }]]):format(fields)))
      return refused(rule.merge(both, script)):match "rule.lua:1: merge%(default%)%.(.*)$"
    end
    for fields, message in pairs {
      ["table = 'nosuch'"] = "table: 'nosuch' is not a known word",
      ["proto = 'nosuch'"] = "proto: 'nosuch' is not a known word",
      ["type = 'weird'"] = "type: 'weird' is not a known word",
      ["scope = 'wide'"] = "scope: 'wide' is not a known word",
      ["tos = 'high'"] = "tos: 'high' is not a known word",
      ["src = '::1'"] = "src: '::1' is IPv6, IPv4 expected",
      ["expires = -1"] = "expires: -1 is outside 0..4294967295",
      ["encap = {}"] = "encap.type: missing: one of mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm",
      ["encap = { type = 'mpls', label = 1 }"] = "encap.label: unknown field (did you mean 'labels'?)",
      ["lock = { 1 }"] = "lock: 1 is not a known word",
      ["dead = true"] = "dead: only the kernel sets this",
    } do
      assert.equal(message, fault(fields))
    end
  end)

  it("is told the line of the hook that returned what is no good", function()
    local function fault(text)
      local script <close> = assert(load(text))
      local made, message, code = rule.merge(both, script)
      if made then made, message, code = script:plan({}) end
      return refused(made, message, code):sub(#directory + 2)
    end
    assert.equal("rule.lua:3: merge(default): returned nothing; a route, a list of routes, or {} for "
      .. "none is due", fault "local R = {}\n\nfunction R.merge() end\nreturn R")
    assert.equal("rule.lua:2: plan: returned nothing",
      fault "return { routes = function(r) return { r[1] } end,\nplan = function() end }")
    assert.equal("rule.lua:1: routes: returned a number; a route, a list of routes, or {} for none is "
      .. "due", fault "return { routes = function() return 5 end }")
    -- A function of Lua's own stands nowhere in the script.
    assert.matches("^rule.lua: merge%(default%): returned a string",
      fault "return { merge = tostring }")
  end)

  it("is refused two routes for one place", function()
    local script <close> = assert(load "return { merge = function(group) return group end }")
    assert.matches("rule.lua:1: merge%(default%)%[2%]: default via 10.0.0.2 dev eth0 has the "
      .. "destination, table and metric of merge%(default%)%[1%]", refused(rule.merge(both, script)))
  end)

  it("sees the same random numbers each time", function()
    local function number()
      local script <close> = assert(load [[return { merge = function()
        return { dst = "default", dev = "eth0", metric = math.random(1 << 30) } end }]])
      return rule.merge(both, script)[1].metric
    end
    assert.equal(number(), number())
  end)

  it("sees views of kernel routes, and json's numbers, as plain values", function()
    local json = require "ecmp.json"
    local script <close> = assert(load [[return { merge = function(g, ctx)
      assert(ctx.conf.x == 1.5 and math.type(ctx.conf.y) == "integer") return g[1] end }]])
    assert(rule.merge(both, script, { conf = json.decode [[{"x": 1.5, "y": 3}]] }))
  end)

  it("has one budget for all its hooks", function()
    local script <close> = assert(load [[return {
      merge = function(g) for _ = 1, 2e6 do end return g end,
      plan = function(p) for _ = 1, 2e6 do end return p end }]])
    assert(rule.merge({ both[1] }, script))
    local rounds = 0
    repeat
      local plan, message = script:plan({})
      rounds = rounds + 1
      if not plan then assert.matches("more than the instructions", message) end
    until not plan
    assert.is_true(rounds < 6)
    assert.matches("ended without an answer", refused(script:plan({})))
  end)

  it("is closed by going out of scope, and leaves neither process nor descriptor", function()
    local before, family = helper.descriptors(), helper.children()
    for _ = 1, 20 do
      local script <close> = assert(load "return {}")
      assert.equal(4, #script:run(both, { conf = { merge = "separate" } }))
    end
    load "return {}" -- forgotten
    collectgarbage()
    collectgarbage()
    assert.equal(before, helper.descriptors())
    assert.equal(family, helper.children())
  end)

  it("does not outlive a caller that is killed", function()
    write("slow.lua", "return { merge = function() while true do end end }")
    local caller = helper.lua(([[
      local sandbox = require "ecmp.sandbox"
      sandbox.BUDGET.instructions, sandbox.BUDGET.seconds = math.maxinteger, 60
      local script = assert(sandbox.load(%q))
      script:run({ { dst = "default", dev = "eth0" } })]]):format(directory .. "/slow.lua"),
      { timeout = 0.5 })
    assert.is_true(caller.timedout)
    helper.eventually(function()
      for _, name in ipairs(sys.list "/proc") do
        local line = name:find "^%d+$" and sys.read("/proc/" .. name .. "/cmdline")
        if line and line:find(directory, 1, true) then return false end
      end
      return true
    end)
  end)
end)

describe("the hook plan", function()
  setup(function() directory = helper.directory() end)
  teardown(function() helper.remove(directory) end)

  local function planned(text, plan)
    local script <close> = assert(load("return { plan = function(plan, ctx) " .. text .. " end }"))
    return script:plan(plan or { addresses = {}, routes = { both[1], both[3] }, sysctls = {} },
      { links = { eth0 = {} } })
  end

  it("has the last word", function()
    local plan = assert(planned [[
      plan.sysctls["net.ipv4.fib_multipath_hash_policy"] = "1"
      plan.routes = { plan.routes[1] }
      return plan]])
    assert.equal(1, #plan.routes)
    assert.equal("1", plan.sysctls["net.ipv4.fib_multipath_hash_policy"])
    assert.same({}, plan.addresses)
  end)

  it("leaves as it was what it does not return", function()
    local before = { addresses = { { address = "10.0.0.9/24", dev = "eth0" } }, routes = { both[1] },
      sysctls = { ["net.ipv4.ip_forward"] = "1" } }
    local plan = assert(planned("return { routes = {} }", before))
    assert.same({ addresses = before.addresses, routes = {}, sysctls = before.sysctls }, plan)
  end)

  it("may be left out", function()
    local script <close> = assert(load "return {}")
    local plan = {}
    assert.equal(plan, script:plan(plan))
  end)

  it("is refused what the pod's network does not have", function()
    for text, message in pairs {
      ["return"] = "plan: returned nothing",
      ["return 5"] = "plan: a table is due here, not a number",
      ["plan.routes = 5 return plan"] = "plan.routes: a table is due here, not 5",
      ["plan.routes[1].dev = 'eth1' return plan"] =
        "plan.routes[1].dev: there is no interface 'eth1'",
      ["plan.sysctls['kernel.core_pattern'] = 'x' return plan"] =
        "plan.sysctls.kernel.core_pattern: is no setting of the network",
      ["plan.sysctls['net/../kernel/core_pattern'] = 'x' return plan"] =
        "plan.sysctls.net/../kernel/core_pattern: is no setting of the network",
      ["plan.sysctls['net.ipv4.ip_forward'] = {} return plan"] =
        "plan.sysctls.net.ipv4.ip_forward: text is due here, not a table",
      ["plan.sysctls['net.ipv4.ip_forward'] = '1\\n0' return plan"] =
        "plan.sysctls.net.ipv4.ip_forward: one line of text is due here",
      ["plan.sysctl = {} return plan"] = "plan.sysctl: unknown field (did you mean 'sysctls'?)",
      ["plan.routes.x = {} return plan"] = "plan.routes.x: a list of routes has no such entry",
      ["plan.routes[3] = plan.routes[2] return plan"] = "plan.routes[3]: default via 2001:db8::1 "
        .. "dev eth0 has the destination, table and metric of plan.routes[2], default via "
        .. "2001:db8::1 dev eth0; join them or give each a metric",
      ["plan.routes = { { dst = '::/0', dev = 'eth0', encap = {} } } return plan"] =
        "plan.routes[1].encap.type: missing: one of mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm",
      ["plan.addresses.x = 1 return plan"] =
        "plan.addresses.x: a list of addresses has no such entry",
      ["plan.addresses[1] = 5 return plan"] = "plan.addresses[1]: a table is due here, not a number",
      ["plan.addresses[1] = { address = '10.0.0.1/8', label = print } return plan"] =
        "plan.addresses[1].label: unknown field",
      ["plan.addresses[1] = { gateway = '10.0.0.1' } return plan"] =
        "plan.addresses[1].address: is no address",
      ["plan.addresses[1] = { address = 'x' } return plan"] =
        "plan.addresses[1].address: is no address",
      ["plan.addresses[1] = { address = '10.0.0.1/8', dev = 'eth1' } return plan"] =
        "plan.addresses[1].dev: there is no interface 'eth1'",
    } do
      assert.equal(directory .. "/rule.lua:1: " .. message, refused(planned(text)))
    end
  end)
end)

describe("a trusted script", function()
  it("hands down no descriptor of its own", function()
    local script <close> = assert(load([[
      local R = {}
      function R.merge() error(os.execute "test -e /proc/self/fd/3" and "has one" or "has none", 0) end
      return R]], { trusted = true }))
    assert.match("has none", (refused(script:run(both, {}))))
  end)

  setup(function() directory = helper.directory() end)
  teardown(function() helper.remove(directory) end)

  it("has all of Lua, and keeps its budget", function()
    local note = directory .. "/note"
    local script <close> = assert(load([[
      local file = assert(io.open("]] .. note .. [[", "w"))
      file:write(os.time() > 0 and "written", type(load), type(require "cjson"))
      file:close()
      return {}]], { trusted = true }))
    assert.equal("writtenfunctiontable", sys.read(note))
    assert.matches("more than the instructions",
      refused(load("while true do end", { trusted = true })))
    assert.matches("more than the instructions", refused(load(
      "if debug.sethook then debug.sethook() end while true do end", { trusted = true })))
    assert.matches("more than the memory", refused(load("return ('x'):rep(1 << 27)",
      { trusted = true })))
    assert.matches("took longer than 0.5 s$",
      refused(load("os.execute 'sleep 5'", { trusted = true }, 0.5)))
    assert.is_table(script)
  end)

  it("prints to standard error, so that standard output stays one JSON object", function()
    local path = write("loud.lua", "print 'one' io.write 'two\\n' return {}")
    local result = helper.lua(([[
      io.write("before ")
      local script <close> = assert(require("ecmp.sandbox").load(%q, { trusted = true }))
      io.write("after\n")]]):format(path), { stderr = "capture" })
    assert.equal("before after\n", result.stdout)
    assert.equal("one\ntwo\n", result.stderr)
  end)
end)

describe("a script's memory", function()
  setup(function() directory = helper.directory() end)
  teardown(function() helper.remove(directory) end)

  -- What a body makes the process take at most, in KiB, asked of the kernel.
  local function peak(body)
    local instructions = sandbox.BUDGET.instructions
    sandbox.BUDGET.instructions = math.maxinteger
    local message = refused(load(([[
      local t, n = {}, 0
      pcall(function() while true do n = n + 1 %s end end)
      t = nil
      for _ = 1, 1e4 do local _ = {} end
      local file = io.open "/proc/self/status"
      error(file:read("a"):match "VmHWM:%%s*(%%d+)", 0)]]):format(body), { trusted = true }))
    sandbox.BUDGET.instructions = instructions
    return tonumber(message:match "(%d+)$"), message
  end

  it("is counted as the machine counts it, however small the pieces", function()
    if helper.build:find "asan" then return pending "the sanitizer has memory of its own" end
    local least = assert(peak "error()")
    for _, body in ipairs {
      "t[n] = {}", "t[n] = function() return n end", "t[n] = ('x'):rep(100) .. n",
      "t[n] = ('x'):rep(1 << 20) .. n",
    } do
      local most, message = peak(body)
      -- The allocator keeps what is between two pieces, too.
      assert.is_true(most ~= nil and most - least <= 72 << 10, body .. ": " .. message)
    end
  end)

  it("is free again when its values are", function()
    local instructions = sandbox.BUDGET.instructions
    sandbox.BUDGET.instructions = math.maxinteger
    local script <close>, message = load [[
      local keep = {}
      for i = 1, 1e4 do keep[i] = { i } end
      for i = 1, 800 do local _ = ("x"):rep(1e5) .. i end
      for i = 1, 1e6 do local _ = { i } end
      return { merge = function() return keep end }]]
    sandbox.BUDGET.instructions = instructions
    assert.is_table(script, message)
  end)
end)

describe("what a script says", function()
  setup(function() directory = helper.directory() end)
  teardown(function() helper.remove(directory) end)

  it("is one line of readable text, and not a book", function()
    local path = directory .. "/rule.lua"
    assert.equal(path .. ":1: one two  [2Jthree", refused(load [[error("one\ntwo\r\27[2Jthree")]]))
    assert.equal(path .. ":1: ? caf? ", refused(load [[error("\255 caf\233 ")]]))
    assert.equal(path .. ":1: café", refused(load [[error("café")]]))
    assert.is_true(#refused(load [[error(("x"):rep(1 << 20))]]) <= 4096)
    local script <close> = assert(load [[return { merge = function() return nil, "a\nb" end }]])
    assert.equal(path .. ": merge(default): a b", select(2, rule.merge(both, script)))
  end)

  it("is no more than it may take where it is read", function()
    for _, value in ipairs { "t", "{ dst = 'default', dev = 'eth0', encap = t }" } do
      local script <close> = assert(load(([[return { plan = function(plan)
        local t = {}
        for i = 1, 30 do t = { t, t } end
        plan.routes = %s
        return plan
      end }]]):format(value)))
      assert.matches("more than the 16 MiB that a value may take", refused(script:plan({ })))
    end
  end)
end)
