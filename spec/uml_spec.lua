--- build-aux/uml.sh: commands on another kernel, which end as here and leave nothing behind.
local helper <const> = require "spec.helper"
local sys <const> = require "ecmp.sys"

local HAS_UML <const> = sys.spawn { argv = { "sh", "-c", "command -v linux.uml" }, timeout = 20 }.status == 0

describe("build-aux/uml.sh", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function it_uml(name, body)
    if HAS_UML and helper.has_users() then return it(name, body) end
    it(name, function() pending(HAS_UML and "only root can give it the machine's files"
      or "user-mode-linux is not installed") end)
  end

  local function run(...)
    return assert(sys.spawn { argv = { "sh", "build-aux/uml.sh", ... }, stderr = "capture", timeout = 120 })
  end

  it_uml("runs a command with this environment, and ends as it did", function()
    local done <const> = run("sh", "-c", [[uname -r; echo "$0|$1"; echo "$HOME"; pwd; echo no >&2; exit 3]],
      "it's", "two words ")
    local lines <const> = {}
    for line in done.stdout:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.matches("^6%.", lines[1])
    assert.is_not.equal(sys.read "/proc/sys/kernel/osrelease", lines[1] .. "\n")
    assert.same({ "it's|two words ", os.getenv "HOME", sys.realpath "." }, table.move(lines, 2, 4, 1, {}))
    assert.same({ "no\n", 3 }, { done.stderr, done.status })
  end)

  it_uml("has links that are made of modules, and writes nothing here", function()
    local file <const> = dir .. "/file"
    assert(sys.create(file, "as it was", 420))
    local done <const> = run("sh", "-c", [[ip link add name x0 type vrf table 7 && ip -br link show x0
      mkdir -p "${1%/*}" && echo changed >"$1" && cat "$1" && rm -r csrc && ls]], "sh", file)
    assert.equal(0, done.status, done.stderr)
    assert.matches("^x0 .*\nchanged\n", done.stdout)
    assert.is_nil(done.stdout:find("\ncsrc\n", 1, true))
    assert.equal("as it was", sys.read(file))
    assert.truthy(sys.stat "csrc/rtnl")
  end)

  it_uml("keeps what is written in one place that is named", function()
    local done <const> = assert(sys.spawn { argv = { "sh", "-c", [[
      ECMP_KEEP="$1" sh build-aux/uml.sh sh -c 'echo kept >"$0"/file' "$1"]], "sh", dir },
      timeout = 120, stderr = "capture" })
    assert.equal(0, done.status, done.stderr)
    assert.equal("kept\n", sys.read(dir .. "/file"))
  end)

  it_uml("ends its kernel with itself", function()
    local done <const> = assert(sys.spawn { argv = { "sh", "-c", [[
      sh build-aux/uml.sh sleep 777 & sleep 4
      pgrep -g "$(pgrep -P $! linux.uml)" >"$1/there"; kill $!; wait
      for pid in $(cat "$1/there"); do
        while [ -e "/proc/$pid" ] && ! grep -q "^State:.Z" "/proc/$pid/status"; do sleep 0.1; done
      done
      wc -l <"$1/there"]], "sh", dir }, timeout = 120, stderr = "capture" })
    assert.is_true(tonumber(done.stdout) > 1, done.stdout .. done.stderr)
  end)
end)
