local helper = require "spec.helper"
local install = require "ecmp.command.install"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local PROGRAM <const> = sys.realpath(helper.build .. "/bin/ecmp")

describe("ecmp install", function()
  local dir, target

  before_each(function()
    dir = helper.directory()
    target = dir .. "/cni"
  end)
  after_each(function() helper.remove(dir) end)

  local function run(program, ...)
    local outcome <const> = assert(sys.spawn { argv = { program, ... }, env = { "PATH=/nowhere" },
      stderr = "capture", timeout = 60 })
    return outcome.status, outcome.stdout, outcome.stderr
  end

  local function into_target(...)
    return run(assert(PROGRAM, "build the executable first: make"), "install", ...)
  end

  local function put(name, text, mode)
    assert(sys.mkdir(target))
    sys.unlink(target .. "/" .. name)
    assert(sys.create(target .. "/" .. name, text, mode or 493))
    assert(sys.chmod(target .. "/" .. name, mode or 493))
  end

  -- A program like ours in all but its bytes: what follows the end of an ELF file is not looked at.
  local function variant(name)
    assert(sys.mkdir(("%s/%s"):format(dir, name)))
    local path <const> = ("%s/%s/ecmp"):format(dir, name)
    assert(sys.create(path, sys.read(PROGRAM) .. name, 493))
    assert(sys.chmod(path, 493))
    return path
  end

  local function identities()
    local seen <const> = {}
    for _, name in ipairs(sys.list(target)) do
      local stat <const> = sys.lstat(target .. "/" .. name)
      seen[name] = ("%d %d"):format(stat.ino, stat.ctime_ns)
    end
    return seen
  end

  it("copies itself and makes a link for each plugin type", function()
    local status <const>, out <const>, err <const> = into_target(target)
    assert.same({ 0, "" }, { status, err })
    assert.matches("/cni/ecmp: installed\n", out)
    assert.equal(sys.read(PROGRAM), sys.read(target .. "/ecmp"))
    assert.equal(493, sys.stat(target .. "/ecmp").mode)
    local links <const> = { "ecmp-bridge", "ecmp-host-local", "ecmp-ipvlan", "ecmp-loopback",
      "ecmp-lua", "ecmp-macvlan", "ecmp-pool", "ecmp-ptp", "ecmp-static" }
    assert.same(links, install.links())
    for _, name in ipairs(links) do
      assert.equal("ecmp", sys.readlink(target .. "/" .. name))
    end
    -- with the executable and the lock, and the module for pools where it was built
    local module <const> = sys.read(helper.build .. "/lua/5.4/ecmp_pool.so")
    assert.equal(module, sys.read(target .. "/ecmp_pool.so"))
    assert.equal(#links + 2 + (module and 1 or 0), #sys.list(target))
    local outcome <const> =
      sys.spawn { argv = { target .. "/ecmp-static" }, env = { "CNI_COMMAND=VERSION" } }
    assert.matches('"supportedVersions"', outcome.stdout)
    assert.same({ run(PROGRAM, "version") }, { run(target .. "/ecmp", "version") })
  end)

  it("tells what it did as JSON, one object a line", function()
    local _, text <const> = into_target(target)
    local _, told <const> = into_target("--json", dir .. "/other")
    local lines <const> = {}
    for line in told:gmatch "[^\n]+" do
      local object <const> = json.decode(line)
      assert.equal(dir .. "/other", object.path:match "^(.*)/")
      lines[#lines + 1] = ("%s/%s: %s\n"):format(target, object.path:match "[^/]*$", object.result)
    end
    assert.equal(text, table.concat(lines))
  end)

  it("touches nothing the second time", function()
    put("bridge", "old bridge")
    into_target("--replace", "bridge", target)
    local before <const> = identities()
    local status <const>, out <const> = into_target("--replace", "bridge", target)
    assert.equal(0, status)
    assert.is_nil(out:find "installed" or out:find "linked")
    assert.same(before, identities())
  end)

  it("puts the links back that somebody took away, and the mode", function()
    into_target(target)
    assert(sys.unlink(target .. "/ecmp-ptp"))
    assert(sys.chmod(target .. "/ecmp", 384))
    put("ecmp-static", "something else")
    assert.equal(0, (into_target(target)))
    assert.equal("ecmp", sys.readlink(target .. "/ecmp-ptp"))
    assert.equal("ecmp", sys.readlink(target .. "/ecmp-static"))
    assert.equal(493, sys.stat(target .. "/ecmp").mode)
  end)

  it("replaces reference plugins when told, and keeps the old file", function()
    put("bridge", "old bridge")
    assert.equal(0, (into_target("--replace", "bridge,static", target)))
    assert.same({ "file", "file" }, { sys.lstat(target .. "/bridge").type,
      sys.lstat(target .. "/static").type })
    assert.equal(sys.read(PROGRAM), sys.read(target .. "/bridge"))
    assert.equal("old bridge", sys.read(target .. "/bridge.orig"))
    assert.is_nil(sys.lstat(target .. "/static.orig"))
    assert.equal(0, (into_target("--replace", "bridge", target)))
    assert.equal("old bridge", sys.read(target .. "/bridge.orig"))
    put("bridge", "newer bridge") -- as a package would
    assert.equal(0, (into_target("--replace", "bridge", target)))
    assert.equal("newer bridge", sys.read(target .. "/bridge.orig"))
    assert.equal(sys.read(PROGRAM), sys.read(target .. "/bridge"))
  end)

  it("replaces nothing that is no reference plugin or no file", function()
    local status, _, err = into_target("--replace", "bridge,calico", target)
    assert.equal(2, status)
    assert.matches("%-%-replace: 'calico' is no reference plugin that we replace", err)
    assert.is_nil(sys.lstat(target))
    assert(sys.mkdir(target .. "/bridge"))
    status, _, err = into_target("--replace", "bridge", target)
    assert.equal(1, status)
    assert.matches("^ecmp: install: .*/bridge: neither a file nor a link, left alone\n$", err)
    assert.equal("dir", sys.lstat(target .. "/bridge").type)
  end)

  local function pretend(version)
    put("ecmp", ("#!/bin/sh\necho 'ecmp %s'\n"):format(version))
  end

  it("replaces an older version and whatever cannot tell its version", function()
    for _, what in ipairs { "0.0.9", "nonsense" } do
      pretend(what)
      assert.equal(0, (into_target(target)))
      assert.equal(sys.read(PROGRAM), sys.read(target .. "/ecmp"), what)
    end
    put("ecmp", "no program")
    assert.equal(0, (into_target(target)))
    assert.equal(sys.read(PROGRAM), sys.read(target .. "/ecmp"))
  end)

  it("keeps a newer version unless forced", function()
    pretend "99.1.0"
    local status <const>, out <const> = into_target(target)
    assert.equal(0, status)
    assert.matches("/ecmp: kept, being newer: 99.1.0\n", out)
    assert.matches("99.1.0", sys.read(target .. "/ecmp"))
    assert.equal(0, (into_target("--force", target)))
    assert.equal(sys.read(PROGRAM), sys.read(target .. "/ecmp"))
  end)

  describe("over a file that somebody else has put in ours's place", function()
    local function check()
      return into_target("--check", target)
    end

    -- What `cp -f stock DIR/NAME` does: it writes into what is there, also through a link.
    local function cp(name)
      assert(sys.spawn { argv = { "cp", "-f", "/bin/true", target .. "/" .. name }, timeout = 20 })
    end

    before_each(function()
      put("host-local", "old host-local")
      assert.equal(0, (into_target("--replace", "host-local,bridge", target)))
    end)

    it("says so, loses nothing else, and heals without being told the names again", function()
      local status, out = check()
      assert.equal(0, status)
      assert.matches("/host%-local: ours\n", out)
      cp "host-local"
      status, out = check()
      assert.equal(1, status)
      assert.matches("/host%-local: not ours\n", out)
      local _, others <const> = out:gsub("not ours", "")
      assert.same({ 1, sys.read(PROGRAM), sys.read(PROGRAM) },
        { others, sys.read(target .. "/ecmp"), sys.read(target .. "/bridge") })
      assert.equal(0, (into_target(target)))
      assert.equal(0, (check()))
      assert.equal(sys.read(PROGRAM), sys.read(target .. "/host-local"))
      assert.equal(sys.read "/bin/true", sys.read(target .. "/host-local.orig"))
    end)

    it("names the module of pools that is missing, or of another build", function()
      if not sys.stat(target .. "/ecmp_pool.so") then pending "this build has no pools" return end
      local _, out = check()
      assert.matches("/ecmp_pool%.so: ours\n", out)
      for text, state in pairs { [false] = "missing", luaopen_ecmp_pool = "not ours" } do
        assert(sys.unlink(target .. "/ecmp_pool.so"))
        if text then put("ecmp_pool.so", text) end
        local status
        status, out = check()
        assert.equal(1, status)
        assert.matches("/ecmp_pool.so: " .. state .. "\n", out, 1, true)
        assert.equal(0, (into_target(target)))
        assert.equal(0, (check()))
      end
    end)

    it("names what is missing, and every link to an executable that is not ours", function()
      assert(sys.unlink(target .. "/ecmp-ptp"))
      local status, out = check()
      assert.equal(1, status)
      assert.matches("/ecmp%-ptp: missing\n", out)
      assert.equal(0, (into_target(target)))
      cp "ecmp"
      status, out = check()
      assert.equal(1, status)
      assert.matches("/ecmp: not ours\n.*/ecmp%-bridge: not ours\n.*/bridge: ours\n", out)
      assert.equal(0, (into_target(target)))
      assert.equal(0, (check()))
    end)

    it("makes a file of a link that an earlier version laid", function()
      assert(sys.unlink(target .. "/bridge"))
      assert(sys.symlink("ecmp", target .. "/bridge"))
      local status <const>, out <const> = check()
      assert.equal(0, status)
      assert.matches("/bridge: a link, through which cp writes", out)
      assert.equal(0, (into_target(target)))
      assert.equal("file", sys.lstat(target .. "/bridge").type)
      assert.is_nil(sys.lstat(target .. "/bridge.orig"))
    end)

    it("keeps no older copy of itself for an original", function()
      local newer <const> = variant "newer"
      assert.equal(0, (run(newer, "install", target)))
      assert.equal(sys.read(newer), sys.read(target .. "/host-local"))
      assert.equal("old host-local", sys.read(target .. "/host-local.orig"))
    end)

    it("puts everything back as it was", function()
      put("loose", "not ours")
      assert.equal(0, (into_target("--restore", target)))
      assert.same({ "host-local", "loose" }, sys.list(target))
      assert.equal("old host-local", sys.read(target .. "/host-local"))
    end)

    it("leaves what is not ours when it puts things back", function()
      cp "host-local"
      local status <const>, out <const> = into_target("--restore", target)
      assert.equal(0, status)
      assert.matches("/host%-local: kept, not ours\n", out)
      assert.same({ "host-local", "host-local.orig" }, sys.list(target))
    end)

    it("does one of the two", function()
      assert.equal(2, (into_target("--check", "--restore", target)))
    end)
  end)

  it("leaves the mode of a file alone that a link of the directory leads to", function()
    assert(sys.mkdir(target))
    assert(sys.create(dir .. "/elsewhere", sys.read(PROGRAM), 448))
    assert(sys.symlink("../elsewhere", target .. "/ecmp"))
    local status <const>, out <const> = into_target(target)
    assert.same({ 0, 448 }, { status, sys.stat(dir .. "/elsewhere").mode })
    assert.matches("/ecmp: kept\n", out)
  end)

  it("locks a file of its own, which a directory locked by others does not wait for", function()
    assert(sys.mkdir(target))
    local held <close> = assert(sys.lock(target))
    assert.is_truthy(held)
    assert.equal(0, (into_target(target)))
  end)

  it("tells newer from older by numbers", function()
    assert.is_true(install.is_newer("0.10.0", "0.9.9"))
    assert.is_true(install.is_newer("1.0.1", "1.0"))
    assert.is_false(install.is_newer("1.0.0", "1.0"))
    assert.is_false(install.is_newer("0.9.9", "0.10.0"))
    local rising <const> = { "0.9.9", "1.0.0-alpha.3", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.0.1" }
    for i, version in ipairs(rising) do
      for j, other in ipairs(rising) do
        assert.equal(i > j, install.is_newer(version, other), version .. " " .. other)
      end
    end
  end)

  it("fails in one line where it may not write, and leaves nothing", function()
    assert(sys.create(dir .. "/file", "x"))
    local status <const>, _, err <const> = into_target(dir .. "/file")
    assert.equal(1, status)
    assert.matches("^ecmp: install: mkdir .*/file: [^\n]*\n$", err)
    assert.equal("x", sys.read(dir .. "/file"))
  end)

  -- In a file system of its own, mounted at the CNI directory for this one process.
  local function on_mount(options, before)
    return assert(sys.spawn { stderr = "capture", timeout = 60, argv = { "unshare", "-m", "sh", "-c",
      ([[set -e; mkdir -p "$2"; mount -t tmpfs -o %s none "$2"
        printf '#!/bin/sh\necho ecmp 0.0.1\n' >"$2/ecmp"; chmod 755 "$2/ecmp"
        %s
        "$1" install "$2" && exit 9 || echo "status $?"
        "$2/ecmp"; ls -A "$2"]]):format(options, before), "sh", PROGRAM, target } })
  end

  it("leaves the old one, and nothing else, where nothing may be written #netns", function()
    local outcome <const> = on_mount("size=4m", 'mount -o remount,bind,ro "$2"')
    assert.equal("status 1\necmp 0.0.1\necmp\n", outcome.stdout)
    assert.matches("^ecmp: install: [^\n]*Read%-only file system %(EROFS%)\n$", outcome.stderr)
  end)

  it("leaves the old one, and nothing else, where there is no room #netns", function()
    local outcome <const> = on_mount("size=256k", "")
    assert.equal("status 1\necmp 0.0.1\n.ecmp.lock\necmp\n", outcome.stdout)
    assert.matches("^ecmp: install: [^\n]*No space left on device %(ENOSPC%)\n$", outcome.stderr)
  end)

  it("replaces a program that runs, and the one that installs itself", function()
    into_target(target)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 60, argv = { "sh", "-c",
      [[(echo "os.execute 'touch $3/runs; while [ ! -e $3/end ]; do sleep 0.1; done'" |
          "$2/ecmp" run - && echo "went on") &
        while [ ! -e "$3/runs" ]; do sleep 0.1; done
        "$1" install "$2" | head -n 1; "$2/ecmp" install "$2" | head -n 1; touch "$3/end"; wait]],
      "sh", variant "other", target, dir } })
    assert.same({ target .. "/ecmp: installed\n" .. target .. "/ecmp: kept\nwent on\n", "" },
      { outcome.stdout, outcome.stderr })
  end)

  it("is refused to plain Lua, which is not what there is to install", function()
    local outcome <const> = helper.lua(
      ("os.exit(require('ecmp.command').run { 'install', %q })"):format(target),
      { stderr = "capture" })
    assert.equal(1, outcome.status)
    assert.matches("^ecmp: install: this is Lua, not the executable", outcome.stderr)
    assert.is_nil(sys.lstat(target))
  end)

  it("never fails who executes it meanwhile, and is never busy itself", function()
    local one <const>, two <const> = variant "one", variant "two"
    put("bridge", sys.read "/bin/true")
    into_target(target)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 60,
      argv = { "sh", "-c", ([[ cd %s; touch go
        for n in 1 2; do
          (while [ -e go ]; do
             ./cni/ecmp version >/dev/null || echo "version failed"
             CNI_COMMAND=VERSION ./cni/ecmp-static >/dev/null || echo "plugin failed"
             CNI_COMMAND=VERSION ./cni/bridge >/dev/null || echo "bridge failed"
           done) &
        done
        for n in 1 2 3 4 5 6 7 8; do
          %s install --replace bridge cni >/dev/null || echo "install failed"
          cp /bin/true cni/.new; mv cni/.new cni/bridge
          %s install --replace bridge cni >/dev/null || echo "install failed"
        done
        rm go; wait ]]):format(dir, one, two) } })
    assert.same({ "", "" }, { outcome.stdout, outcome.stderr })
    assert.equal(sys.read(two), sys.read(target .. "/ecmp"))
  end)

  it("may be run by several at once", function()
    local one <const>, two <const> = variant "one", variant "two"
    local outcome <const> = sys.spawn { timeout = 60, argv = { "sh", "-c", ([[
      for n in 1 2 3 4; do
        (%s install %s >/dev/null || echo failed) & (%s install %s >/dev/null || echo failed) &
      done; wait]]):format(one, target, two, target) } }
    assert.equal("", outcome.stdout)
    local text <const> = sys.read(target .. "/ecmp")
    assert.is_true(text == sys.read(one) or text == sys.read(two))
    assert.equal(#install.links() + 2, #sys.list(target))
  end)

  it("leaves no half file when it is killed at any moment, and the next one cleans up", function()
    local programs <const> = { variant "one", variant "two" }
    local whole <const> = { [sys.read(programs[1])] = true, [sys.read(programs[2])] = true }
    math.randomseed(3)
    for i = 1, 60 do
      put("bridge", "old")
      sys.spawn { argv = { programs[i % 2 + 1], "install", "--replace", "bridge", target },
        timeout = 0.001 + math.random() * 0.02, stderr = "capture" }
      local text <const> = sys.read(target .. "/ecmp")
      assert.is_true(text == nil or whole[text], "round " .. i)
      local bridge <const> = sys.read(target .. "/bridge")
      assert.is_true(whole[bridge] or bridge == "old", "round " .. i)
    end
    assert.equal(0, (run(programs[1], "install", "--replace", "bridge", target)))
    for _, name in ipairs(sys.list(target)) do assert.is_nil(name:find "^%.ecmp%-", name) end
    assert.equal("old", sys.read(target .. "/bridge.orig"))
  end)
end)
