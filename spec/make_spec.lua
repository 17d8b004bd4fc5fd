-- `make spec` on code that does not compile: it fails, and no spec meets an older build of that code.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

-- What make reads, and what is built already, so that only the file that is broken is compiled.
local COPY <const> = [[
  cp -a Makefile .busted build-aux csrc lua "$1"
  mkdir "$1/build" "$1/spec"; cd %s; cp -a bin cni link lua obj "$1/build"
  cp "$1/parts" "$1/spec/parts_spec.lua"]]

local PARTS <const> = [[
it("loads sys", function() require "ecmp.sys" end)
it("loads ip", function() require "ecmp.ip" end)
it("runs the executable", function() assert.is_true(os.execute "build/bin/ecmp version") end)
]]

local function shell(script, ...)
  return assert(sys.spawn { stderr = "capture", timeout = 300, argv = { "sh", "-uc", script, "sh", ... } })
end

describe("make spec", function()
  local dir

  local function run()
    return shell([[cd "$1" && make --no-print-directory spec FILE=spec/parts_spec.lua 2>&1]], dir)
  end

  local function append(file, text)
    local out <close> = assert(io.open(dir .. "/" .. file, "a"))
    out:write(text)
  end

  before_each(function()
    dir = helper.directory()
    assert(sys.create(dir .. "/parts", PARTS, 420))
    local done <const> = shell("set -e;" .. COPY:format(helper.build), dir)
    assert(done.status == 0, done.stderr)
  end)
  after_each(function() helper.remove(dir) end)

  it("passes on code that compiles", function()
    local done <const> = run()
    assert.matches("3 passed, 0 failed\n$", done.stdout)
    assert.equal(0, done.status)
  end)

  local function lacks(...)
    local done <const> = run()
    assert.is_true(done.status ~= 0)
    local lacking <const> = "The code does not compile, see above; specs ran without: (.-)\n"
    assert.equal(table.concat({ ... }, " "), done.stdout:match(lacking), done.stdout)
    return done.stdout
  end

  it("fails on C that does not compile, and runs no spec on what was built of it before", function()
    append(shell([[cd "$1" && find csrc -path '*/ip*.c' | sort | head -n 1]], dir).stdout:match "%S+", "wrong")
    local said <const> = lacks("build/lua/5.4/ecmp/ip.so", "build/bin/ecmp")
    assert.matches("module 'ecmp.ip' not found", said, 1, true)
    assert.matches("1 passed, 2 failed\n", said)
  end)

  it("fails on Lua that does not compile, and runs no older executable", function()
    append("lua/ecmp/version.lua", "wrong")
    assert.matches("2 passed, 1 failed\n", lacks "build/bin/ecmp")
  end)
end)

describe("build-aux/test.sh", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  -- Runs a file of specs that was just written.
  local function run(text, variables)
    assert(sys.create(dir .. "/one_spec.lua", text, 420))
    return assert(sys.spawn { stderr = "capture", timeout = 300, argv = { "sh", "-c",
      variables .. ' LUA=lua5.4 sh build-aux/test.sh "$0"', dir .. "/one_spec.lua" } })
  end

  it("ends a file that takes too long, with what it started, and names it", function()
    local done <const> = run(([[
      it("hangs", function() os.execute "echo $$ >%s/pid; exec sleep 600" end)]]):format(dir), "LIMIT=5")
    assert.matches("one_spec.lua took longer than 5 seconds, and was ended.\n", done.stdout, 1, true)
    assert.matches("\n0 passed, 1 failed\n$", done.stdout)
    assert.equal(1, done.status)
    local pid <const> = math.tointeger(tonumber(assert(sys.read(dir .. "/pid"))))
    helper.eventually(function() return not sys.kill(pid, 0) end)
  end)

  it("names files for which no time is left, and those that it ends, and counts them as skipped", function()
    for name, text in pairs { a = "os.execute 'exec sleep 600'", b = "" } do
      assert(sys.create(("%s/%s_spec.lua"):format(dir, name), ([[it("waits", function() %s end)]]):format(text),
        420))
    end
    local done <const> = assert(sys.spawn { stderr = "capture", timeout = 300, argv = { "sh", "-c",
      "BUDGET=3 JOBS=1 LUA=lua5.4 sh build-aux/test.sh $0", dir } })
    assert.equal(0, done.status)
    assert.matches("/a_spec.lua: there was no time left [%a ]+\n", done.stdout)
    -- which of them came first is another one each day
    assert.matches("%d passed, 0 failed, [12] skipped\n$", done.stdout)
  end)

  it("begins with files that are there", function()
    local first <const> = assert(sys.read "build-aux/test.sh"):match 'FIRST="([^"]*)"'
    for name in first:gmatch "%S+" do assert.is_truthy(sys.stat(("spec/%s_spec.lua"):format(name)), name) end
  end)

  it("keeps what became of each spec where it is told to", function()
    local done <const> = run([[
      it("passes", function() end)
      it("fails", function() error "no" end)
      it("is\nskipped", function() pending "this kernel has no way" end)]],
      ("RESULTS='%s/kept of them'"):format(dir))
    assert.matches("\nis skipped: this kernel has no way\n1 passed, 1 failed, 1 skipped\n$", done.stdout)
    local kept <const> = shell([[cat "$1"/*/*.counts]], dir).stdout
    assert.equal(("1 1 1 %s/one_spec.lua\npassed\tpasses\nfailed\tfails\n")
      :format(dir) .. "skipped\tis skipped\tthis kernel has no way\n", kept)
    assert.equal(dir .. "/one_spec.lua\n",
      shell([[lua5.4 build-aux/count.lua --lacking "$1"/kept*]], dir).stdout)
  end)
end)

describe("build-aux/count.lua", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function count(...)
    local argv <const> = { "lua5.4", "build-aux/count.lua" }
    for i, text in ipairs { ... } do
      argv[i + 2] = dir .. "/" .. i
      assert(sys.mkdir(argv[i + 2], 448))
      assert(sys.create(argv[i + 2] .. "/x.counts", text, 420))
    end
    local done <const> = assert(sys.spawn { argv = argv, stderr = "capture" })
    return done.stdout, done.status
  end

  it("counts a spec of two kernels once: as failed, as passed, else as skipped", function()
    local text <const>, status <const> = count(
      "1 1 2 x\npassed\ta\nfailed\tb\nskipped\tc\tno c\nskipped\td\tno d\nskipped\te\tno e\n",
      "2 1 1 x\nfailed\ta\npassed\tb\npassed\tc\nskipped\td\tno d here\n")
    assert.equal("\nSkipped:\nd: no d here\ne: no e\n1 passed, 2 failed, 2 skipped\n", text)
    assert.equal(1, status)
  end)

  it("knows how many specs bear one name", function()
    local text <const>, status <const> = count("1 0 1 x\npassed\ta\nskipped\ta\tno a\n",
      "2 0 0 x\npassed\ta\npassed\ta\n")
    assert.equal("2 passed, 0 failed\n", text)
    assert.equal(0, status)
  end)

  it("fails where no spec ran", function()
    local text <const>, status <const> = count ""
    assert.equal("Not one spec ran.\n0 passed, 1 failed\n", text)
    assert.equal(1, status)
  end)
end)
