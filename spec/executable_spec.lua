local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

describe("the executable", function()
  local program <const> = assert(sys.realpath(helper.build .. "/bin/ecmp"))
  local directory

  before_each(function() directory = helper.directory() end)
  after_each(function() helper.remove(directory) end)

  local function at(name) return directory .. "/" .. name end

  --- Runs `ecmp run` on a script with arguments, in an environment of its own.
  local function run(script, options, ...)
    assert(sys.replace(at "script.lua", script))
    local order = { argv = { program, "run", at "script.lua", ... }, env = {}, timeout = 20 }
    for key, value in pairs(options or {}) do order[key] = value end
    return assert(sys.spawn(order))
  end

  local function shell(script, ...)
    return assert(sys.spawn { argv = { "sh", "-c", script, program, ... }, timeout = 20 })
  end

  it("needs the C library and its dynamic linker, and nothing else", function()
    local libraries = sys.spawn({ argv = { "readelf", "-d", program } }).stdout
    local found = {}
    for name in libraries:gmatch "NEEDED.-%[(.-)%]" do found[#found + 1] = name end
    for _, name in ipairs(found) do
      local known = name:find "^libc%.so" or name:find "^ld%-linux" or name:find "^lib%a+san%.so"
        or name:find "^libgcc_s%.so"
      assert.truthy(known, name)
    end
    assert.truthy(#found >= 1)
  end)

  it("answers as every plugin it is linked as", function()
    for _, name in ipairs(assert(sys.list(helper.build .. "/cni"))) do
      local result = assert(sys.spawn { argv = { helper.build .. "/cni/" .. name },
        env = { "CNI_COMMAND=VERSION" } })
      assert.equal(0, result.status, name .. result.stderr)
      assert.truthy(result.stdout:find '"cniVersion":"1.1.0"', result.stdout)
    end
  end)

  it("has every module of the tree inside", function()
    local names = {}
    local list <close> = assert(io.popen "find lua -name '*.lua'")
    for path in list:lines() do
      local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      names[#names + 1] = ("%q"):format(name)
    end
    assert.truthy(#names > 10)
    local result = run(([[
      package.path, package.cpath = "", ""
      for _, name in ipairs { %s } do
        local loader, where
        for _, searcher in ipairs(package.searchers) do
          loader, where = searcher(name)
          if type(loader) == "function" then break end
        end
        assert(type(loader) == "function" and where == "(embedded)", name)
      end
      for _, name in ipairs { "cjson", "ecmp.ip", "ecmp.rtnl", "ecmp.sys", "argparse" } do
        require(name)
      end ]]):format(table.concat(names, ", ")))
    assert.same({ 0, "" }, { result.status, result.stderr })
  end)

  it("tells in JSON what it was built of", function()
    local told <const> = json.decode(sys.spawn({ argv = { program, "version", "--json" } }).stdout)
    assert.matches("^5%.4%.%d+$", told.lua)
    assert.matches("^%d+%.%d+%.%d+$", told.cjson)
    assert.matches("^glibc %d+%.%d+", told.libc or "glibc 0.0")
    assert.is_false(told.static)
    if sys.stat ".git" then assert.is_string(told.commit) end
    if told.commit then assert.matches("^" .. ("%x"):rep(40), told.commit) end
  end)

  it("calculates as any Lua does, in the sandbox as well #netns", function()
    local sum <const> = [[
      local function sum(x)
        local all = { x ^ 0.3, x % 0.7, math.fmod(x, 0.7), x // 0.7, math.atan(x, 2) }
        for _, name in ipairs { "acos", "asin", "cos", "exp", "log", "sin", "sqrt", "tan", "ceil" } do
          all[#all + 1] = math[name](x)
        end
        all[#all + 1] = math.log(x, 2) + math.log(x, 10) + math.floor(-x)
        return table.concat(all, " ")
      end ]]
    local here <const> = load(sum .. "return sum(0.83)")()
    assert.equal(here .. "\n", run(sum .. "print(sum(0.83))").stdout)
    local rule <const> = at "sum.lua"
    assert(sys.create(rule, sum .. "return { merge = function() return nil, sum(0.83), 7 end }", 420))
    local caged <const> = run([[
      local script <close> = assert(require("ecmp.sandbox").load(arg[1]))
      print((select(2, script:run({ { dst = "default", via = "10.0.0.1" } }))))]], nil, rule)
    assert.equal(("%s: merge(default): %s\n"):format(rule, here), caged.stdout)
  end)

  it("says in which file and line of its own a fault is, and keeps no names of variables", function()
    local result = run([[
      local text = require("ecmp.group").group
      local about = debug.getinfo(text, "S")
      print(about.short_src, about.linedefined > 1, debug.getlocal(text, 1), debug.getupvalue(text, 1))
      print(pcall(text)) ]])
    assert.matches("^ecmp/group.lua\ttrue\tnil\t%(no name%)", result.stdout)
    assert.matches("\nfalse\t.+%.lua:%d+: ", result.stdout)
  end)

  it("has memory that holds what is put there, whatever grows and shrinks meanwhile", function()
    local result = run [[
      local kept, size = {}, 1
      for round = 1, 40000 do
        size = (size * 1103515245 + 12345) % 1200
        local at = round % 500
        if kept[at] then assert(kept[at].text == (kept[at].letter):rep(#kept[at].text)) end
        local letter = string.char(97 + round % 26)
        kept[at] = { letter = letter, text = letter:rep(size), list = table.move({ round }, 1, 1, size % 9) }
        if round % 7 == 0 then kept[(at * 7) % 500] = nil end
      end
      print(collectgarbage "count" < 20000) ]]
    assert.same({ "true\n", "" }, { result.stdout, result.stderr })
  end)

  it("warns as Lua does, where a script says so", function()
    local result = run [[warn "no" warn "@on" warn("a ", "b") warn "@off" warn "no"]]
    assert.equal("Lua warning: a b\n", result.stderr)
  end)

  it("is compared with its sources before it is let out", function()
    local function verify(list)
      assert(sys.replace(at "list", list))
      return assert(sys.spawn { argv = { program, "run", "build-aux/verify.lua", at "list" } })
    end
    assert(sys.create(at "hops.lua", "local _ = 1\n" .. assert(sys.read "lua/ecmp/fib/nexthop.lua")))
    assert.equal(0, verify("ecmp.fib.nexthop=lua/ecmp/fib/nexthop.lua argparse=" ..
      assert(package.searchpath("argparse", package.path))).status)
    for list, message in pairs {
      ["ecmp.fib.nexthop=" .. at "hops.lua"] = "hops.lua: the executable has other code",
      ["ecmp.fib.nexthop=lua/ecmp/group.lua"] = "lua/ecmp/group.lua: the executable has other code",
      ["ecmp.none=lua/ecmp/fib/nexthop.lua"] = "ecmp.none: not in the executable",
      [""] = "list: no modules",
    } do
      local outcome <const> = verify(list)
      assert.equal(1, outcome.status)
      assert.is_truthy(outcome.stderr:find(message, 1, true), outcome.stderr)
    end
  end)

  it("takes its own modules before those that lie about, and loads others from files", function()
    assert(sys.mkdir(at "ecmp"))
    assert(sys.create(at "ecmp/ip.lua", "error 'the wrong one'"))
    assert(sys.create(at "ecmp/json.lua", "error 'the wrong one'"))
    assert(sys.create(at "site.lua", "return { name = 'site' }"))
    local result = run([[
      require "ecmp.json"
      print(require("ecmp.ip").canonical "0::1", require("site").name)
      print((select(2, pcall(require, "no.such.module")))) ]],
      { env = { "LUA_PATH=" .. at "?.lua" } })
    assert.equal("", result.stderr)
    assert.equal("::1\tsite\n", result.stdout:match "^[^\n]*\n")
    assert.truthy(result.stdout:find("no module 'no.such.module' in the executable", 1, true))
  end)

  it("prints one line when a script fails, and exits 1", function()
    for script, wanted in pairs {
      ["error 'this went wrong'"] = "this went wrong",
      ["error 'two\\nlines'"] = "two lines",
      ["error(setmetatable({}, { __tostring = function() return 'an object' end }))"] = "an object",
      ["local x = nil; x()"] = "attempt to call a nil value",
      ["string.rep('x', 1 << 60)"] = "",
    } do
      local result = run(script)
      assert.equal(1, result.status)
      assert.equal("", result.stdout)
      assert.truthy(result.stderr:find(wanted, 1, true), result.stderr)
      assert.equal(1, select(2, result.stderr:gsub("\n", "")), result.stderr)
      assert.falsy(result.stderr:find "traceback", result.stderr)
    end
  end)

  it("says when its output cannot be written", function()
    assert(sys.create(at "script.lua", "print 'text'"))
    local result = shell('"$0" run "$1" >/dev/full', at "script.lua")
    assert.equal(1, result.status)
    assert.equal("ecmp: standard output: No space left on device\n", result.stderr)
  end)

  it("bears a reader that leaves, in silence", function()
    assert(sys.create(at "script.lua", "for i = 1, 100000 do print(i) end"))
    local result = shell('"$0" run "$1" | head -n 1', at "script.lua")
    assert.same({ "1\n", "" }, { result.stdout, result.stderr })
    sys.unlink(at "script.lua") -- and one that had left before a script flushes by itself
    assert(sys.create(at "script.lua", "print(1) io.flush() io.open('/no/such/file')"))
    result = shell('(sleep 0.1; "$0" run "$1"; echo "status $?" >&2) | true', at "script.lua")
    assert.same({ "", "status 1\n" }, { result.stdout, result.stderr })
  end)

  it("works with standard input, output and error closed", function()
    assert(sys.create(at "script.lua", ([[
      local file <close> = assert(io.open(%q, "w"))
      local sys = require "ecmp.sys"
      for fd = 0, 2 do file:write(sys.readlink("/proc/self/fd/" .. fd), "\n") end ]])
      :format(at "fds")))
    assert.equal(0, shell('"$0" run "$1" <&- >&- 2>&-', at "script.lua").status)
    assert.equal(("/dev/null\n"):rep(3), sys.read(at "fds"))
  end)

  it("can wait for its children although its parent ignores its own", function()
    local result = shell([[trap "" CHLD; exec "$0" run "$1"]], (function()
      assert(sys.create(at "script.lua",
        "print(assert(require('ecmp.sys').spawn { argv = { 'false' } }).status)"))
      return at "script.lua"
    end)())
    assert.same({ "1\n", "" }, { result.stdout, result.stderr })
  end)
end)
