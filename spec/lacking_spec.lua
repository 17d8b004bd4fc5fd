--- Kernels that lack what is asked of them: it is said, and nothing half done is left.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("where the kernel", function()
  local dir

  lazy_setup(function()
    dir = helper.directory()
    local built <const> = assert(sys.spawn { stderr = "capture", timeout = 60, argv = {
      os.getenv "CC" or "cc", "-shared", "-fPIC", "-O1", "-o", dir .. "/failing.so",
      "spec/failing_option.c", "-ldl" } })
    assert(built.status == 0, built.stderr)
  end)

  lazy_teardown(function() helper.remove(dir) end)

  -- Runs Lua text with a variable set that has something fail.
  local function lua(variable, script)
    local preload <const> = ("LD_PRELOAD=%s %s/failing.so"):format(os.getenv "LD_PRELOAD" or "", dir)
    local done <const> = assert(sys.spawn { stderr = "capture", timeout = 60, argv = { "env", preload,
      variable .. "=1", "lua5.4", "-e", helper.paths() .. script } })
    assert.equal(0, done.status, done.stderr)
    return done
  end

  local RULE <const> = [[
    local script <close> = assert(require "ecmp.sandbox".load(%q))
    local route = { dst = "0.0.0.0/0", via = "10.0.0.1" }
    print(#assert(script:run({ route }, {})))
    assert(script:run({ route }, {}))]]

  it("filters no system calls, a rule script runs and that is said once", function()
    local path <const> = dir .. "/rule.lua"
    assert(sys.create(path, "return { merge = function(group) return group end }"))
    local done <const> = lua("FAIL_SECCOMP", RULE:format(path))
    assert.equal("1\n", done.stdout)
    assert.match("^ecmp: " .. path:gsub("%p", "%%%0") .. ": this kernel filters no system calls", done.stderr)
    assert.equal(1, select(2, done.stderr:gsub("seccomp", "")))
    assert.equal("", lua("FAIL_NOTHING", RULE:format(path)).stderr)
  end)

  it("lets nobody listen, a list fails, and the next one listens #netns", function()
    local done <const> = lua("FAIL_MEMBERSHIP", [[
      local nl <close> = assert(require "ecmp".open())
      local list, message, code = nl.route:list { family = 6 }
      assert(not list and code == "ENOBUFS", message)
      assert(nl.route:list { family = 6 })
      local listening = 0
      for line in io.lines "/proc/self/net/netlink" do
        listening = listening + (line:find("^%x+%s+0%s+%d+%s+00000400") and 1 or 0)
      end
      print(listening)]])
    assert.equal("1\n", done.stdout)
  end)
end)
