-- What the compiler and the linker add against what an attacker makes of a mistake in C.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local function run(...)
  local done <const> = assert(sys.spawn { argv = { ... }, stderr = "capture" })
  assert(done.status == 0, done.stderr)
  return done.stdout
end

local has_readelf <const> =
  sys.spawn({ argv = { "sh", "-c", "command -v readelf" } }).status == 0
local is_sanitized <const> = helper.build:find "asan"

local BINARIES <const> = { "bin/ecmp", "lua/5.4/ecmp/rtnl.so", "lua/5.4/ecmp/sys.so",
  "lua/5.4/ecmp/ip.so", "lua/5.4/ecmp/sandbox/process.so" }

-- What an object file says of the processor's protection of jumps.
local PROTECTION <const> = { ["X86-64"] = "IBT, SHSTK", ["80386"] = "IBT, SHSTK",
  AArch64 = "BTI, PAC" }

describe("hardening", function()
  local function fact(name, test)
    it(name, has_readelf and not is_sanitized and test or function()
      pending(has_readelf and "the sanitizers take its place" or "readelf is not installed")
    end)
  end

  for _, name in ipairs(BINARIES) do
    local path <const> = helper.build .. "/" .. name
    fact("of " .. name .. ": position-independent, bound at start, read-only behind that", function()
      local told <const> = run("readelf", "-hldW", path)
      assert.matches("Type:%s+DYN", told)
      assert.matches("BIND_NOW", told)
      assert.matches("GNU_RELRO", told)
      assert.matches("GNU_STACK[^\n]+ RW  ", told) -- data is not run
    end)
  end

  fact("of the C code: guarded stacks, checked copies, marked jump targets", function()
    local function objects(symbol)
      return tonumber(run("sh", "-c", [[find "$0"/obj/rtnl "$0"/obj/sys -name '*.o' -exec readelf -sW {} + |
        grep -c " UND $1\$" || true]], helper.build, symbol))
    end
    if sys.stat(helper.build .. "/obj/rtnl/module.o") == nil then pending "no object files" end
    assert.is_true(objects "__stack_chk_fail" > 20)
    assert.is_true(objects "__[a-z]*_chk" > 0)
    local told <const> = run("readelf", "-hnW", helper.build .. "/obj/rtnl/module.o")
    for machine, protection in pairs(PROTECTION) do
      if told:match "Machine:[^\n]+":find(machine, 1, true) then
        assert.is_truthy(told:find(protection, 1, true), told)
      end
    end
  end)
end)
