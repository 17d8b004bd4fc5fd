local helper = require "spec.helper"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

describe("ecmp.netns", function()
  local before

  before_each(function() before = helper.descriptors() end)
  after_each(function() assert.equal(before, helper.descriptors(), "descriptors left open") end)

  local function ip(...)
    local result = assert(sys.spawn { argv = { "ip", ... } })
    assert.equal(0, result.status, result.stderr)
    return result.stdout
  end

  it("makes a namespace that `ip netns` knows, and takes it away #netns", function()
    local blue <close> = assert(netns.create "blue")
    assert.same({ "blue" }, netns.list())
    assert.equal("blue\n", ip("netns", "list"))
    assert.truthy(ip("-n", "blue", "link"):find "lo:")
    assert.is_true(sys.same_netns("blue", netns.path(blue)))
    assert.is_false(sys.same_netns("blue", sys.getpid()))
    assert.is_true(netns.delete "blue")
    assert.same({}, netns.list())
    assert.equal("", ip("netns", "list"))
  end)

  it("opens and deletes what `ip netns` made #netns", function()
    ip("netns", "add", "red")
    local red <close> = assert(netns.open "red")
    assert.is_true(sys.same_netns("/run/netns/red", netns.path(red)))
    assert.is_true(netns.delete "red")
    assert.is_nil((netns.open "red"))
  end)

  it("refuses a name that is taken, leaving what is there #netns", function()
    local first <close> = assert(netns.create "blue")
    local second, message, code = netns.create "blue"
    assert.is_nil(second)
    assert.equal("EEXIST", code)
    assert.equal("create namespace blue: create /run/netns/blue: File exists (EEXIST)", message)
    assert.is_true(sys.same_netns("blue", netns.path(first)))
    assert.is_true(netns.delete "blue")
    local _, missing = netns.delete "blue"
    assert.equal(
      "delete namespace blue: umount /run/netns/blue: No such file or directory (ENOENT)", missing)
  end)

  it("runs programs inside, and never moves itself #netns", function()
    local here = assert(sys.readlink "/proc/self/ns/net")
    local blue <close> = assert(netns.create "blue")
    for _, ns in ipairs { "blue", "/run/netns/blue", blue } do
      local result = assert(netns.run(ns, { "readlink", "/proc/self/ns/net" }))
      assert.not_equal(here .. "\n", result.stdout)
      assert.equal(0, result.status)
    end
    assert.equal("text", netns.run("blue", { "cat" }, { stdin = "text" }).stdout)
    local _, _, code = netns.run("green", { "true" })
    assert.equal("ENOENT", code)
    assert.equal(here, sys.readlink "/proc/self/ns/net")
    assert.is_true(netns.delete "blue")
  end)

  it("sends somebody where the way back would be closed #netns", function()
    -- an ordinary user's: who made it may enter it, but not the one that it was made from
    local script = [[
      local sys, netns = require "ecmp.sys", require "ecmp.netns"
      local here, there = sys.readlink "/proc/self/ns/net", ("/proc/%s/ns/net"):format(arg[1])
      print(netns.run(there, { "readlink", "/proc/self/ns/net" }).stdout ~= here .. "\n")
      print(sys.netns_write(there, "/proc/sys/net/ipv4/ip_forward", "1"))
      print(sys.netns_read(there, "/proc/sys/net/ipv4/ip_forward"))
      print(here == sys.readlink "/proc/self/ns/net")]]
    local result = assert(sys.spawn { argv = { "unshare", "-Ur", "sh", "-c", [[
      unshare -n sleep 60 & pid=$!
      while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
      lua5.4 -e "$1" - $pid
      kill $pid]], "-", helper.paths() .. script } })
    assert.equal("", result.stderr)
    assert.equal("true\ntrue\n1\n\ntrue\n", result.stdout)
  end)

  it("makes namespaces without a name, which go with their handle #netns", function()
    local one, two <close> = assert(netns.create()), assert(netns.create())
    assert.is_false(sys.same_netns(netns.path(one), netns.path(two)))
    assert.same({}, netns.list())
    local path = netns.path(one)
    one:close()
    assert.is_nil((netns.open(path)))
    assert.has_error(function() netns.path(one) end)
  end)

  it("keeps the directory one mount when many are made at once #netns", function()
    local function mounts()
      return select(2, sys.read("/proc/self/mountinfo"):gsub(" /run/netns ", ""))
    end
    sys.umount "/run/netns" -- what the specs above have made
    local hidden = mounts() -- the machine's own, below the sandbox's /run
    local script = [[
      local netns = require "ecmp.netns"
      local sys = require "ecmp.sys"
      local name = "many" .. sys.getpid()
      assert(netns.create(name)):close()
      assert(sys.create("/run/done." .. sys.getpid(), "")) ]]
    for _ = 1, 16 do helper.lua(script, { detach = true }) end
    helper.eventually(function()
      local done = 0
      for _, name in ipairs(sys.list "/run") do done = done + (name:find "^done%." and 1 or 0) end
      return done == 16
    end)
    local names = netns.list()
    assert.equal(16, #names)
    assert.equal(hidden + 1, mounts())
    for _, name in ipairs(names) do assert.is_true(netns.delete(name)) end
    for _, name in ipairs(sys.list "/run") do
      if name:find "^done%." then assert(sys.unlink("/run/" .. name)) end
    end
  end)

  it("clears away a name that a crash left without its namespace #netns", function()
    assert(sys.mkdir "/run/netns")
    assert(sys.create("/run/netns/half", ""))
    assert.same({}, netns.list())
    local _, _, code = netns.open "half"
    assert.equal("EINVAL", code)
    assert.is_true(netns.delete "half")
    assert.is_nil((sys.lstat "/run/netns/half"))
  end)

  it("says what is missing where it may not #netns", function()
    local script = ([[print((select(2, require "ecmp.netns".create "blue")))]])
    local result = sys.spawn { argv = { "setpriv", "--bounding-set=-all", "--inh-caps=-all",
      "lua5.4", "-e", helper.paths() .. script } }
    assert.equal(0, result.status, result.stderr)
    assert.equal("create namespace blue: unshare: Operation not permitted (EPERM); it "
      .. "needs CAP_SYS_ADMIN, which root has, and `unshare -Urnm` gives to anyone\n",
      result.stdout)
  end)

  it("refuses what is no name, at the caller's line", function()
    for _, bad in ipairs { "", ".", "..", "a/b", "12", ("n"):rep(256), "a\0b", 5, {} } do
      for _, call in ipairs { netns.create, netns.delete } do
        local ok, message = pcall(function() call(bad) end)
        assert.is_false(ok)
        assert.truthy(message:find("netns_spec.lua:%d+: name: "), message)
      end
    end
    assert.has_error(function() netns.delete() end)
    assert.has_error(function() netns.run(nil, { "true" }) end)
    assert.has_error(function() netns.run("blue", { "true" }, { argv = {} }) end)
  end)
end)
