-- Scripts that mean harm, or are just wrong. Each must end in error 100 within a second, with the
-- caller and the machine as they were.
local helper = require "spec.helper"
local rule = require "ecmp.rule"
local sandbox = require "ecmp.sandbox"
local sys = require "ecmp.sys"

local families = {}

families["a loop that never ends"] = {
  "while true do end",
  "repeat until false",
  "for i = 1, math.huge do end",
  "::again:: goto again",
  "local function f() return f() end f()",
  "while true do pcall(function() while true do end end) end",
  "pcall(function() while true do end end) return {}",
  "while true do pcall(error, 'x') end",
  "xpcall(function() while true do end end, function() while true do end end)",
  "coroutine.wrap(function() while true do end end)()",
  "while true do coroutine.wrap(function() for i = 1, 900 do end end)() end",
  "local c = coroutine.wrap(function() while true do coroutine.yield() end end) "
    .. "while true do c() end",
  "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
  "local t = setmetatable({}, { __eq = function() while true do end end }) return t == {}, t == t, "
    .. "setmetatable({}, getmetatable(t)) == t",
  "do local c <close> = setmetatable({}, { __close = function() while true do end end }) end",
  "for _ in function() return 1 end do end",
  "for _ in pairs(setmetatable({}, { __pairs = function() return function() return 1 end end })) "
    .. "do end",
  "table.sort({ 3, 2, 1 }, function() while true do end end)",
  "(('x'):rep(9)):gsub('x', function() while true do end end)",
  "local t = {} for i = 1, 1e9 do t[i % 100] = i end",
  "return { merge = function() while true do end end }",
  "return { key = function() while true do end end }",
  "return { routes = function() while true do end end }",
  "return { merge = function(group) pcall(function() while true do end end) return group end }",
  "error(setmetatable({}, { __tostring = function() while true do end end }))",
  "return setmetatable({}, { __index = function() while true do end end })",
}

families["one call that takes for ever"] = {
  "local s = ('x'):rep(1e7) s:find(('.-'):rep(50) .. 'y')",
  "pcall(string.find, ('x'):rep(1e7), ('.-'):rep(50) .. 'y') return {}",
  "coroutine.wrap(function() (('a'):rep(1e6)):match(('a*'):rep(30) .. 'b') end)()",
  "(('a'):rep(1e6)):gsub(('a-'):rep(30) .. 'b', '')",
  "for _ in (('a'):rep(1e6)):gmatch(('a*'):rep(30) .. 'b') do end",
  "table.move({}, 1, 1e12, 2)",
  "table.move({}, 1, 1e12, -1e12)",
  "table.concat(setmetatable({}, { __index = function() return '' end }), '', 1, 1e12)",
  "table.unpack({}, 1, 1e6) table.move({}, 1, 1 << 60, 3, {})",
  "local t = {} for i = 1, 2e5 do t[i] = i % 7 end for _ = 1, 400 do table.sort(t) "
    .. "table.sort(t, function(a, b) return a > b end) end",
  "setmetatable({}, { __gc = function() while true do end end }) local s = '' while true do "
    .. "s = ('x'):rep(1 << 20) .. #s end",
  "while true do ('x'):rep(1 << 25) end",
  "for i = 1, 1e9 do ('x'):rep(1 << 20):reverse():upper():byte(1) end",
  "return { merge = function() ('x'):rep(1e7):find(('.-'):rep(50) .. 'y') end }",
  "return { key = function() return ('x'):rep(1e7):find(('.-'):rep(50) .. 'y') end }",
}

families["too much memory"] = {
  "return ('x'):rep(1 << 40)",
  "return ('x'):rep(1 << 26)",
  "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end",
  "local t = {} while true do t = { t } end",
  "local s = 'x' while true do s = s .. s end",
  "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
  "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
  "local t = {} for i = 1, 1e8 do t[i] = i end",
  "local function f(...) return f(..., ...) end f(1, 2, 3)",
  "local function f(n) return 1 + f(n + 1) end f(1)",
  "return table.concat({ ('x'):rep(1 << 25), ('y'):rep(1 << 25), ('z'):rep(1 << 25) })",
  "return ('%99999999d'):format(1)",
  "return string.pack('s8', ('x'):rep(1 << 25)):rep(4)",
  "table.unpack({}, 1, 1e8)",
  "local t = {} while true do local ok = pcall(function() t[#t + 1] = ('x'):rep(1 << 22) .. #t "
    .. "end) if not ok then error('full') end end",
  "return { merge = function() return { dst = ('x'):rep(1 << 26), dev = 'eth0' } end }",
  "return { merge = function() local r = {} for i = 1, 1e8 do r[i] = { dst = 'x' } end end }",
}

families["a way out"] = {
  "return io.open('/etc/passwd')",
  "io.write('x')",
  "return os.execute('true')",
  "return os.getenv('PATH').x",
  "os.exit(0)",
  "return load('return 1')()",
  "return loadstring('return 1')()",
  "return dofile('/etc/passwd')",
  "return loadfile('/etc/passwd')()",
  "return require('io')",
  "return require('os')",
  "return require('debug')",
  "return require('package')",
  "return require('ecmp.sys')",
  "return require('ecmp.cage')",
  "return require('ecmp.rtnl')",
  "return require('cjson')",
  "return package.loaded.io",
  "return debug.getregistry()",
  "return debug.sethook()",
  "return string.dump(function() end)",
  "return ('x').dump(function() end)",
  "return getmetatable('').__index",
  "getmetatable('').__index = { rep = 1 }",
  "setmetatable('', {})",
  "return _G.io.open",
  "return _ENV.os.time()",
  "return rawget(_G, 'io').open",
  "return getmetatable(_G).__index",
  "return collectgarbage('stop')",
  "return math.random == nil or os.clock()",
  "local _ENV = { print = print } print(io) x.y = 1",
  "return getfenv(1).io.open",
  "return { merge = function() return io.open('/etc/passwd'):read('a') end }",
  "return { merge = function(_, ctx) return ctx.netns.x.y end }",
  "print('x')",
}

families["nonsense"] = {
  "", "return", "return 5", "return 'x'", "return true", "return print", "x", "return {",
  "\27Lua",
  "return { merge = 5 }", "return { mrge = function() end }", "return { merg = function() end }",
  "return { merge = {} }", "return { plan = 'x' }", "error()", "error(nil)", "error({})",
  "error(5)",
  "error('boo')", "error(print)", "assert(nil)", "assert(false, {})", "local x = nil + 1",
  "return { merge = function() end }",
  "return { merge = function() return 5 end }",
  "return { merge = function() return 'default' end }",
  "return { merge = function() return { 5 } end }",
  "return { merge = function() return { {} } end }",
  "return { merge = function() return { dst = 'default' } end }",
  "return { merge = function() return { dst = 'default', dev = 'eth9' } end }",
  "return { merge = function() return { dst = 'default', dev = 'eth0', metric = -1 } end }",
  "return { merge = function() return { dst = 'default', dev = 'eth0', metric = 0/0 } end }",
  "return { merge = function() return { dst = 'default', dev = 'eth0', [{}] = 1 } end }",
  "return { merge = function() return { dst = 'default', dev = 'eth0', weird = 1 } end }",
  "return { merge = function() return { dst = '10.0.0.0/8', via = '::1' } end }",
  "return { merge = function() return { dst = '::/0', via = '10.0.0.1' } end }",
  "return { merge = function() return { dst = {}, dev = 'eth0' } end }",
  "return { merge = function() return { dst = 'default', nexthops = 5 } end }",
  "return { merge = function() return { dst = 'default', nexthops = { 5 } } end }",
  "return { merge = function() return { dst = 'default', nexthops = { { via = print } } } end }",
  "return { merge = function() local t = {} t[1] = t return t end }",
  "return { merge = function() local t = { dst = 'default' } t.encap = t return t end }",
  "return { merge = function() local t = {} for i = 1, 200 do t = { t } end return t end }",
  "return { merge = function() return setmetatable({}, { __index = function() error('x') end }), "
    .. "error('y') end }",
  "return { routes = function() return 5 end }",
  "return { routes = function(routes) routes[1].dst = 'x' return routes end }",
  "return { routes = function(routes) routes[2] = nil routes[9] = {} return routes end }",
  "return { key = function() error('no key') end }",
  "return { merge = function() return coroutine.yield() end }",
}

local routes <const> = {
  { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" },
  { dst = "0.0.0.0/0", via = "10.0.0.2", dev = "eth0" },
  { dst = "::/0", via = "2001:db8::1", dev = "eth0" },
}
local ctx <const> = { links = { eth0 = { up = true } }, ifname = "eth0" }

local function processes()
  return #assert(sys.list "/proc/self/task") .. " " .. (sys.read(
    ("/proc/self/task/%d/children"):format(sys.getpid())) or "")
end

describe("a hostile script", function()
  local directory, path

  setup(function()
    directory = helper.directory()
    path = directory .. "/rule.lua"
  end)
  teardown(function() helper.remove(directory) end)

  local function run(text)
    assert(sys.replace(path, text, tonumber("644", 8)))
    local script <close>, message, code = sandbox.load(path)
    if not script then return message, code end
    local merged
    merged, message, code = rule.merge(routes, script, ctx)
    assert.is_nil(merged, "a route came out")
    return message, code
  end

  local count = 0
  for family, scripts in pairs(families) do
    count = count + #scripts
    it(("that is %s ends in error 100"):format(family), function()
      local descriptors, family_before = helper.descriptors(), processes()
      for _, text in ipairs(scripts) do
        local started = sys.monotonic()
        local message, code = run(text)
        local took = sys.monotonic() - started
        assert.equal(100, code, text .. "\n" .. tostring(message))
        assert.equal(path, message:sub(1, #path), text .. "\n" .. message)
        assert.is_nil(message:find("\n", 1, true), text)
        assert.is_true(took < 1, ("%s took %.2f s"):format(text, took))
      end
      assert.equal(descriptors, helper.descriptors())
      assert.equal(family_before, processes())
    end)
  end

  it("comes in more than a hundred shapes", function() assert.is_true(count > 100) end)

  it("changes nothing for the next one", function()
    run "string.format = nil table.concat = nil require('ecmp.rule').multipath = nil "
    run "require('ecmp.rule').multipath = function() return {} end return 5"
    assert(sys.replace(path, "return {}", tonumber("644", 8)))
    local script <close> = assert(sandbox.load(path))
    assert.equal(2, #assert(rule.merge(routes, script, ctx)))
    assert.equal("function", type(string.dump))
    assert.is_not_false(getmetatable("").__metatable)
  end)
end)
