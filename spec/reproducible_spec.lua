-- Two builds of the same sources, in directories of different names, are the same bytes.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

-- What a build reads; copied, for a clone would leave out what is not committed yet.
local SOURCES <const> = "Makefile build-aux csrc lua"

describe("a build", function()
  local dir

  local function shell(script)
    local done <const> = assert(sys.spawn { stderr = "capture", timeout = 300,
      argv = { "sh", "-euc", script, "sh", dir } })
    assert(done.status == 0, script .. done.stdout .. done.stderr)
    return done.stdout
  end

  setup(function() dir = helper.directory() end)
  teardown(function() helper.remove(dir) end)

  it("gives the same bytes in another directory", function()
    if os.getenv "DEB_BUILD_MAINT_OPTIONS" then pending "this build has flags of its own" end
    local built <const> = {}
    for i, where in ipairs { "one", "two/somewhat/deeper" } do
      shell(([[
        mkdir -p "$1/%s"; cp -r %s "$1/%s"; cd "$1/%s"
        make -s -j2 all CFLAGS='-O0 -g']])
        :format(where, SOURCES, where, where))
      built[i] = shell(([[
        cd "$1/%s/build"; find bin lua cni -type f -exec sha256sum {} + | sort -k 2]]):format(where))
    end
    assert.matches("bin/ecmp\n.*lua/5.4/ecmp/rtnl.so\n", built[1])
    assert.equal(built[1], built[2])
  end)

  it("has no path of this machine in it", function()
    local found <const> = shell(([[
      grep -l -r -F "$PWD" %s/bin %s/lua || true]]):format(helper.build, helper.build))
    assert.equal("", found)
  end)
end)
