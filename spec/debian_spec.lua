-- What is in debian/ makes packages, and says what the tree says.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("debian/", function()
  local function lines(path)
    local list <const> = {}
    for line in assert(sys.read(path)):gmatch "[^\n]+" do list[#list + 1] = line end
    return list
  end

  it("builds two packages that lintian has nothing against", function()
    local function is_there(package)
      return sys.spawn { argv = { "dpkg", "-s", package }, stderr = "capture" }.status == 0
    end
    for _, package in ipairs { "debhelper", "lintian" } do
      if not is_there(package) then pending(package .. " is not installed") end
    end
    -- debian/rules runs the specs, too.
    if os.getenv "DEB_BUILD_MAINT_OPTIONS" then pending "this is the packages' own build" end
    if helper.build ~= "build" then pending "another build of the executable" end
    local before <const> = sys.spawn { argv = { "git", "status", "--short" } }.stdout
    -- how fast it is is not looked at here
    local run <const> = assert(sys.spawn { stderr = "capture", timeout = 600,
      argv = { "env", "DEB_BUILD_OPTIONS=nocheck noautodbgsym noopt", "make", "-s", "deb" } })
    assert.equal(0, run.status, run.stdout .. run.stderr)
    local built <const> = table.concat(assert(sys.list "build/deb"), " ")
    assert.matches("%f[%w]ecmp_[^ ]*%.deb", built)
    assert.matches("lua%-ecmp_[^ ]*%.deb", built)
    assert.equal(before, sys.spawn { argv = { "git", "status", "--short" } }.stdout)
  end)

  it("has the version of the program", function()
    assert.matches("^ecmp %(" .. require("ecmp.version"):gsub("%.", "%%.") .. "%) ",
      lines("debian/changelog")[1])
  end)

  it("lists documents and examples that exist", function()
    for _, name in ipairs { "ecmp.docs", "lua-ecmp.docs", "ecmp.examples" } do
      for _, path in ipairs(lines("debian/" .. name)) do
        assert.is_truthy(sys.stat(path), path)
      end
    end
  end)

  it("asks for the packages that the Makefile asks for to build", function()
    local wanted <const> = {}
    for name in table.concat(lines "debian/control", "\n"):match("Build%-Depends:(.-)\n%S")
      :gmatch "\n ([%w.+-]+)" do wanted[name] = true end
    local packages <const> = assert(sys.read "Makefile"):match "\nPACKAGES := (.-[^\\])\n"
    local essential <const> = { gcc = true, ["libc6-dev"] = true, ["lua-readline"] = true }
    for name in packages:gmatch "[%w.+-]+" do
      assert.is_true(essential[name] or wanted[name] or false, name)
    end
  end)

  it("tests with scripts that are there and parse", function()
    for name in assert(sys.read "debian/tests/control"):gmatch "Tests: ([^\n]+)" do
      for test in name:gmatch "%S+" do
        local run <const> = assert(sys.spawn { argv = { "sh", "-n", "debian/tests/" .. test } })
        assert.equal(0, run.status)
        assert.equal(tonumber("755", 8), sys.stat("debian/tests/" .. test).mode & 511)
      end
    end
  end)
end)
