local helper = require "spec.helper"
local sandbox = require "ecmp.sandbox"
local sys = require "ecmp.sys"

local directory

local function write(name, text, mode)
  local path = directory .. "/" .. name
  assert(sys.replace(path, text, mode or tonumber("644", 8)))
  return path
end

local function refused(value, message, code)
  assert.is_nil(value)
  assert.equal("ESCRIPT", code)
  return message
end

describe("a script that others could have written", function()
  setup(function() directory = helper.directory() end)
  before_each(function() assert(sys.chmod(directory, tonumber("700", 8))) end)
  teardown(function() helper.remove(directory) end)

  local function why(path)
    return refused(sandbox.load(path))
  end

  it("is refused for its own mode", function()
    for _, mode in ipairs { "666", "664", "646", "602", "620" } do
      local path = write("open.lua", "return {}", tonumber(mode, 8))
      assert(sys.chmod(path, tonumber(mode, 8)))
      assert.equal(("%s: refused, because others may write %s (mode 0%s)"):format(path, path, mode),
        why(path))
    end
    assert(sandbox.load(write("open.lua", "return {}", tonumber("600", 8)))):close()
  end)

  it("is refused for a directory on the way, unless that is sticky", function()
    local path = write("rule.lua", "return {}")
    assert(sys.chmod(directory, tonumber("777", 8)))
    assert.matches("refused, because others may write " .. directory:gsub("%p", "%%%0")
      .. " %(mode 0777%)", why(path))
    assert(sys.chmod(directory, tonumber("1777", 8)))
    assert(sandbox.load(path)):close()
  end)

  it("is looked for behind symbolic links, each step of which counts", function()
    local open = directory .. "/open"
    assert(sys.mkdir(open, tonumber("755", 8)))
    local inside = write("open/rule.lua", "return {}")
    assert(sys.symlink(inside, directory .. "/link.lua"))
    assert(sys.symlink("open", directory .. "/way"))
    assert(sandbox.load(directory .. "/link.lua")):close()
    assert(sandbox.load(directory .. "/way/../way/rule.lua")):close()
    assert(sys.chmod(open, tonumber("777", 8)))
    assert.matches("others may write " .. open:gsub("%p", "%%%0"), why(directory .. "/link.lua"))
    assert.matches("others may write " .. open:gsub("%p", "%%%0"),
      why(directory .. "/way/rule.lua"))
    assert(sys.symlink("loop.lua", directory .. "/loop.lua"))
    assert.matches("too many symbolic links", why(directory .. "/loop.lua"))
  end)

  it("is refused when it is no file, not there, or too large", function()
    assert.matches("is no regular file$", why(directory))
    assert.equal(0, sys.spawn({ argv = { "mkfifo", "-m", "600", directory .. "/pipe" } }).status)
    assert.matches("is no regular file$", why(directory .. "/pipe"))
    assert.matches("No such file or directory", why(directory .. "/absent.lua"))
    assert.matches("more than 1048576 bytes", why(write("big.lua", ("-"):rep(1 << 21))))
    assert.matches("is no path", why "")
    assert.matches("is no path", why(directory .. "/rule.lua\0x"))
  end)

  it("is refused for its owner, and for that of a directory", function()
    if sys.getuid() ~= 0 then return pending "needs root to give a file away" end
    local path = write("rule.lua", "return {}")
    local given = sys.spawn { argv = { "chown", "1234", path }, stderr = "capture" }
    if not given or given.status ~= 0 then return pending "no second user in this namespace" end
    assert.matches("refused, because " .. path:gsub("%p", "%%%0") .. " belongs to user 1234",
      why(path))
    sys.spawn { argv = { "chown", "0", path } }
    sys.spawn { argv = { "chown", "1234", directory } }
    assert.matches("belongs to user 1234", why(path))
    sys.spawn { argv = { "chown", "0", directory } }
  end)
end)
