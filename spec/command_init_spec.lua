local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

-- The command line in a process of its own.
local function ecmp(args, options)
  local order <const> = { stderr = "capture", timeout = 20, argv = { "lua5.4", "-e", helper.paths()
    .. "os.exit(require('ecmp.command').run(arg), true)", "/dev/null", table.unpack(args) } }
  for key, value in pairs(options or {}) do order[key] = value end
  local outcome <const> = assert(sys.spawn(order))
  return outcome.status, outcome.stdout, outcome.stderr
end

local function one_line(text)
  assert.equal(1, select(2, text:gsub("\n", "")), text)
  assert.is_nil(text:find "traceback")
  return text
end

describe("the command line", function()
  it("wants a command, and says so in one line with status 2", function()
    local status <const>, out <const>, err <const> = ecmp {}
    assert.same({ 2, "" }, { status, out })
    assert.equal("ecmp: a command is required (see ecmp --help)\n", one_line(err))
  end)

  it("names the nearest command for a mistyped one", function()
    local status <const>, _, err <const> = ecmp { "vresion" }
    assert.equal(2, status)
    assert.matches("unknown command 'vresion' Did you mean 'version'%?", one_line(err))
  end)

  it("helps, with the commands that are there, and each of them for itself", function()
    local status <const>, out <const>, err <const> = ecmp { "--help" }
    assert.same({ 0, "" }, { status, err })
    for _, name in ipairs { "run", "gc", "install", "version" } do
      assert.matches("\n   " .. name .. " ", out)
      local own <const>, text <const> = ecmp { name, "--help" }
      assert.equal(0, own)
      assert.matches("Usage: ecmp " .. name, text)
    end
  end)

  it("helps in lines that fit a terminal", function()
    for _, words in ipairs { "plan", "rule", "rule check", "show", "spread", "monitor", "apply",
      "repl", "run", "gc", "install", "version", "" } do
      local argv <const> = {}
      for word in (words .. " --help"):gmatch "%S+" do argv[#argv + 1] = word end
      local status <const>, out <const> = ecmp(argv)
      assert.equal(0, status)
      for line in out:gmatch "[^\n]+" do assert.is_true(#line <= 80, words .. ": " .. line) end
    end
  end)

  it("says what is wrong with an argument, not where in the program that was found", function()
    for _, case in ipairs {
      { 2, "table: 'nosuch' is not a known word (see ecmp show --help)", "show", "--table", "nosuch" },
      { 2, "table: 4294967296 is outside 0..4294967295 (see ecmp show --help)", "show", "--table",
        "4294967296" },
      { 2, "--ifname: 'a/b' has a slash, a colon or white space in it (see ecmp plan --help)", "plan",
        "--ifname", "a/b", "net.json" },
      { 2, "--ifname: 'longer-than-the-kernel' is too long (see ecmp plan --help)", "plan",
        "--ifname", "longer-than-the-kernel", "net.json" },
      { 1, "plan: read /dev/zero: more than 67108864 bytes: File too large (EFBIG)", "plan",
        "/dev/zero" },
      { 1, "plan: read /tmp: Is a directory (EISDIR)", "plan", "/tmp" },
      { 1, "spread: src: '2001:db8::1' is IPv6 in an IPv4 request", "spread", "--src", "2001:db8::1",
        "192.0.2.1" },
    } do
      local status <const>, _, err <const> = ecmp(table.move(case, 3, #case, 1, {}))
      assert.same({ case[1], ("ecmp: %s\n"):format(case[2]) }, { status, err })
    end
  end)

  it("offers no command whose file is not there", function()
    local dir <const> = helper.directory()
    assert(sys.mkdir(dir .. "/ecmp/command"))
    for _, name in ipairs { "init", "version" } do
      local source <const> = assert(package.searchpath("ecmp.command." .. name, package.path)
        or package.searchpath("ecmp.command", package.path))
      assert(sys.symlink(sys.realpath(source), ("%s/ecmp/command/%s.lua"):format(dir, name)))
    end
    local script <const> = ("package.path = %q .. '/?.lua;' .. %q .. '/?/init.lua;"
      .. "/usr/share/lua/5.4/?.lua' os.exit(require('ecmp.command').run { '--help' })")
      :format(dir, dir)
    local outcome <const> = sys.spawn { argv = { "lua5.4", "-e", script }, stderr = "capture" }
    assert.matches("\n   version ", outcome.stdout, outcome.stderr)
    assert.is_nil(outcome.stdout:find "\n   gc ")
    helper.remove(dir)
  end)

  it("loads no command but the one that is called", function()
    local outcome <const> = helper.lua([[
      require("ecmp.command").run { "version" }
      for _, name in ipairs { "gc", "run", "install", "plan" } do
        assert(not package.loaded["ecmp.command." .. name], name)
      end]], { stderr = "capture" })
    assert.equal(0, outcome.status, outcome.stderr)
  end)

  it("says its version, by command and by option", function()
    local status <const>, out <const> = ecmp { "version" }
    assert.equal(0, status)
    assert.matches("^ecmp %d+%.%d+%.%d+\nLua 5%.4\nCNI 0%.1%.0, .*1%.1%.0\n$", out)
    assert.equal(out, (select(2, ecmp { "--version" })))
    local told <const> = json.decode((select(2, ecmp { "version", "--json" })))
    assert.equal(out, ("ecmp %s\nLua %s\nCNI %s\n"):format(told.version, told.lua,
      table.concat(told.cni, ", ")))
    assert.equal(require("cjson")._VERSION, told.cjson)
    assert.is_nil(told.commit) -- which only the executable knows
    assert.equal(2, (ecmp { "version", "--x" }))
  end)

  it("turns what a command throws into one line and status 1", function()
    local outcome <const> = helper.lua([[
      package.loaded["ecmp.command.gc"] = { name = "gc", summary = "x", setup = function() end,
        run = function() error("first\nsecond") end }
      os.exit(require("ecmp.command").run { "gc" })]], { stderr = "capture" })
    assert.equal(1, outcome.status)
    assert.matches("^ecmp: gc: .*first second\n$", one_line(outcome.stderr))
  end)
end)

describe("ecmp run", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function script(text)
    assert(sys.create(dir .. "/s.lua", text))
    return dir .. "/s.lua"
  end

  it("gives a script its arguments, options among them, untouched", function()
    local path <const> = script "print(arg[0], #arg, ...)"
    local status <const>, out <const> = ecmp { "run", path, "--help", "-x", "a b" }
    assert.same({ 0, path .. "\t3\t--help\t-x\ta b\n" }, { status, out })
  end)

  it("has the library at hand, and files beside the script", function()
    assert(sys.create(dir .. "/beside.lua", "return 'from beside'"))
    local status <const>, out <const>, err <const> = ecmp { "run", script(
      "#!/usr/bin/env -S ecmp run\nprint((require 'beside'), ecmp == require 'ecmp')") }
    assert.equal(0, status, err)
    assert.equal("from beside\ttrue\n", out)
  end)

  it("reads a script from standard input", function()
    local status <const>, out <const> = ecmp({ "run", "-", "x" }, { stdin = "print('in', ...)" })
    assert.same({ 0, "in\tx\n" }, { status, out })
  end)

  it("ends with the script's own status", function()
    assert.equal(7, (ecmp { "run", script "os.exit(7)" }))
  end)

  it("says in one line what is wrong with a script, with file and line", function()
    local status, _, err = ecmp { "run", script "\nerror 'boom'" }
    assert.same({ 1, ("ecmp: run: %s/s.lua:2: boom\n"):format(dir) }, { status, one_line(err) })
    status, _, err = ecmp { "run", dir .. "/none.lua" }
    assert.equal(1, status)
    assert.matches("none.lua: No such file or directory", one_line(err))
    sys.unlink(dir .. "/s.lua")
    status, _, err = ecmp { "run", script "x = = 1" }
    assert.equal(1, status)
    assert.matches("s.lua:1: unexpected symbol", one_line(err))
    assert.equal(2, (ecmp { "run" }))
  end)
end)
