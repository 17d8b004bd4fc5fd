-- What our binaries show to the dynamic linker: a host's functions must never take our functions' place.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local MODULES <const> = { rtnl = "rtnl", sys = "sys", ip = "ip",
  ["sandbox/process"] = "sandbox_process" }

local function run(argv)
  return assert(sys.spawn { argv = argv, stderr = "capture" })
end

local function is_there(program)
  return run({ "sh", "-c", "command -v " .. program }).status == 0
end

--- The functions and variables that a binary exports; copies of the C library's have a version.
local function exported(path)
  local listed <const> = run { "nm", "-D", "-P", "--defined-only", path }
  assert(listed.status == 0, listed.stderr)
  local names <const> = {}
  for name in listed.stdout:gmatch "([^\n]+)" do
    name = name:match "^%S+"
    if not name:find "@" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

describe("exports", function()
  local function fact(name, program, test)
    it(name, is_there(program) and test
      or function() pending(program .. " is not installed") end)
  end

  for file, name in pairs(MODULES) do
    fact("of " .. file .. ".so are its entry alone", "nm", function()
      assert.same({ "luaopen_ecmp_" .. name },
        exported(("%s/lua/5.4/ecmp/%s.so"):format(helper.build, file)))
    end)
  end

  fact("of the executable are Lua's API alone", "nm", function()
    local count = 0
    for _, name in ipairs(exported(helper.build .. "/bin/ecmp")) do
      assert.is_truthy(name:find "^luaL?_[%w_]+$" or name:find "^luaopen_%l+%d?$", name)
      assert.is_falsy(name:find "ecmp" or name:find "cjson", name)
      count = count + 1
    end
    assert.is_true(count > 100 or count == 0) -- a static executable exports nothing
  end)

  fact("leave a host program's functions of the same names apart", "gcc", function()
    if helper.build:find "asan" then pending "the host is not built with the sanitizer" end
    local dir <const> = helper.directory()
    local built <const> = run { "sh", "-c", [[
      gcc -rdynamic $(pkg-config --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4) \
        -o "$0/host" spec/host.c -l:liblua5.4.a -lm -ldl]], dir }
    assert(built.status == 0, built.stderr)
    local said <const> = run { dir .. "/host", helper.paths() .. [[
      local rtnl <const> = require "ecmp.rtnl"
      local route <const> = rtnl.parse("route", "10.0.0.0/8 via 10.0.0.1 dev eth0")
      print(route.dst, route.via, route.dev)
      print(rtnl.view("route", route):text())
      print(select(2, pcall(rtnl.check, "route", { dst = "nonsense" })))
      print(require("ecmp.sys").getpid() > 0, require("ecmp.ip"), require "ecmp.sandbox.process")
    ]] }
    helper.remove(dir)
    assert.equal("", said.stderr)
    assert.matches("^10%.0%.0%.0/8\t10%.0%.0%.1\teth0\n"
      .. "10%.0%.0%.0/8 via 10%.0%.0%.1 dev eth0 ?\n"
      .. "[^\n]*dst: [^\n]*nonsense[^\n]*\ntrue\ttable: [^\n]+\n$", said.stdout)
  end)
end)
