local process = require "ecmp.sandbox.process"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("a sandbox process", function()
  local options <const> = {
    path = "/script", memory = 64 << 20, instructions = 10000000, quiet = true,
  }

  local function ask(serve, request)
    local one <close> = assert(process.start(serve, options))
    assert(one:send(request, 60))
    return one:receive(60)
  end

  it("ends at once, and is waited for when it is closed", function()
    local one = assert(process.start(function() while true do end end, options))
    assert(one:send({}, 60))
    one:kill()
    assert.equal("exited", (select(3, one:receive(60))))
    assert.equal("exited", (select(3, one:send({}, 60))))
    local family = helper.children()
    one:close()
    assert.equal(family, helper.children())
  end)

  it("does its work while its caller does something else", function()
    local one <close> = assert(process.start(function(request) return request + 1 end, options))
    assert(one:send(1, 60))
    assert(one:send(2, 60))
    assert.equal(2, one:receive(60))
    assert.equal(3, one:receive(60))
  end)

  it("starts where standard input, output and error are closed", function()
    local path = os.tmpname()
    for _, quiet in ipairs { "true", "false" } do
      assert(sys.spawn { argv = { "sh", "-c", 'exec lua5.4 -e "$0" 0<&- 1>&- 2>&-', helper.paths()
        .. ([[local one <close> = assert(require("ecmp.sandbox.process").start(function(request)
          print("printed") return request end,
          { path = "/script", memory = 1 << 20, instructions = 1e6, quiet = %s }))
        assert(one:send("through", 60))
        local file <close> = io.open(%q, "w")
        file:write(tostring(one:receive(60)))]]):format(quiet, path) } })
      assert.equal("through", sys.read(path))
    end
    os.remove(path)
  end)

  it("carries values both ways", function()
    for _, value in ipairs {
      true, false, 0, -1, math.maxinteger, math.mininteger, 1.5, -0.0, math.huge, "", "x\0y",
      ("x"):rep(1 << 20), { 1, 2, { 3, a = { b = {} } } }, { [1.5] = 2, [true] = "t", x = false },
    } do
      assert.same(value, ask(function(request) return request end, value))
    end
    assert.is_nil(ask(function(request) return request end, nil))
    local nan = ask(function(request) return request end, 0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("turns what cannot travel into something opaque", function()
    local back = ask(function() return { f = print, t = coroutine.create(print) } end)
    assert.equal("userdata", type(back.f))
    assert.equal("userdata", type(back.t))
  end)

  it("reaches no file, no process and no socket, even with all of Lua", function()
    local back = ask(function()
      local got = {}
      for _, name in ipairs { "/etc/passwd", "/dev/null", "/proc/self/stat" } do
        got[#got + 1] = io.open(name) and name
      end
      got[#got + 1] = os.execute "true" and "process" or nil
      got[#got + 1] = pcall(sys.spawn, { argv = { "true" } }) and sys.getpid() == nil and "x"
        or nil
      got[#got + 1] = sys.kill(1, 0) and "kill" or nil
      got[#got + 1] = os.remove("/tmp") and "remove" or nil
      return got
    end)
    assert.same({}, back)
  end)

  it("does not run the finalizers of its caller's objects", function()
    local path = os.tmpname()
    local object = setmetatable({}, { __gc = function() os.remove(path) end }) -- luacheck: ignore
    object = nil -- luacheck: ignore
    local full = ask(function()
      local keep = {}
      local ok <const> = pcall(function()
        for i = 1, 100 do keep[i] = ("x"):rep(1 << 20) .. i end
      end)
      local count <const> = #keep
      keep = nil -- luacheck: ignore (room for the answer)
      collectgarbage()
      return ok, count
    end)
    assert.is_false(full)
    assert.is_true(os.remove(path))
  end)

  it("throws a value that contains itself back at the caller", function()
    local loop = {}
    loop.loop = loop
    assert.error_matches(function() ask(print, loop) end, "nests too deeply, or contains itself")
  end)
end)
