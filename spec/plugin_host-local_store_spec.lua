local boot = require "ecmp.plugin.host-local.boot"
local helper = require "spec.helper"
local ip = require "ecmp.ip"
local range = require "ecmp.plugin.host-local.range"
local Store = require "ecmp.plugin.host-local.store"
local sys = require "ecmp.sys"

local function set(specs)
  return assert(range.set(specs, "ranges[0]"))
end

local function order(candidates)
  local texts <const> = {}
  for address in candidates do texts[#texts + 1] = tostring(address) end
  return table.concat(texts, " ")
end

describe("a range set", function()
  it("starts at the second address, skips the gateway and leaves the broadcast address", function()
    assert.equal("10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6",
      order(set({ { subnet = "10.0.0.0/29" } }):candidates()))
  end)

  it("goes on after the last address, through all ranges, and ends where it began", function()
    local two <const> = set {
      { subnet = "10.0.0.0/29", rangeStart = "10.0.0.3", rangeEnd = "10.0.0.4" },
      { subnet = "10.1.0.0/30", gateway = "10.1.0.2" },
    }
    assert.equal("10.0.0.4 10.1.0.1 10.0.0.3", order(two:candidates(ip.parse "10.0.0.3")))
    assert.equal("10.0.0.3 10.0.0.4 10.1.0.1", order(two:candidates(ip.parse "10.1.0.1")))
    assert.equal("10.0.0.3 10.0.0.4 10.1.0.1", order(two:candidates(ip.parse "10.9.9.9")))
    assert.equal("10.0.0.3-10.0.0.4,10.1.0.1-10.1.0.2", tostring(two))
  end)

  it("gives the last IPv6 address, which is no broadcast address", function()
    assert.equal("fd00::2 fd00::3", order(set({ { subnet = "fd00::/126" } }):candidates()))
  end)

  it("is empty when its one address is the gateway", function()
    local one <const> = { subnet = "10.0.0.0/24", rangeStart = "10.0.0.1", rangeEnd = "10.0.0.1" }
    assert.equal("", order(set({ one }):candidates()))
    assert.equal("", order(set({ one }):candidates(ip.parse "10.0.0.1")))
  end)

  local function refused(specs)
    local made <const>, message <const> = range.set(specs, "ranges[0]")
    assert.is_nil(made)
    return message
  end

  it("names the field that is wrong", function()
    assert.matches("^ranges%[0%]: the range set is empty", refused {})
    assert.matches("^ranges%[0%]%[0%].subnet: must be given", refused { {} })
    assert.matches("^ranges%[0%]%[0%].subnet: 10.0.0.0/31 is too small",
      refused { { subnet = "10.0.0.0/31" } })
    assert.matches("^ranges%[0%]%[0%].subnet: .*the network is 10.0.0.0/24",
      refused { { subnet = "10.0.0.9/24" } })
    assert.matches("^ranges%[0%]%[0%].rangeStart: 10.0.1.1 is not in",
      refused { { subnet = "10.0.0.0/24", rangeStart = "10.0.1.1" } })
    assert.matches("^ranges%[0%]%[0%].rangeEnd: 'x' is no IP address",
      refused { { subnet = "10.0.0.0/24", rangeEnd = "x" } })
    assert.matches("^ranges%[0%]%[1%].subnet: .*one address family",
      refused { { subnet = "10.0.0.0/24" }, { subnet = "fd00::/64" } })
    assert.matches("^ranges%[0%]%[1%]: overlaps with 10.0.0.1%-10.0.0.254",
      refused { { subnet = "10.0.0.0/24" }, { subnet = "10.0.0.128/25" } })
  end)
end)

describe("the store", function()
  local dir
  local pool <const> = set { { subnet = "10.0.0.0/29" } } -- .2 to .6

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function with(work)
    local store <close> = assert(Store.open(dir, "net"))
    return work(store)
  end

  local function allocate(id, of)
    return with(function(store)
      local address <const>, message <const>, code <const> =
        store:allocate(of or pool, 0, id, "eth0")
      if not address then return nil, message, code end
      assert(store:set_last(0, address))
      return tostring(address)
    end)
  end

  local function release(id)
    return with(function(store) return assert(store:release(id, "eth0")) end)
  end

  local function held(id)
    return with(function(store)
      local texts <const> = {}
      for i, address in ipairs(store:addresses(id, "eth0")) do texts[i] = tostring(address) end
      return table.concat(texts, " ")
    end)
  end

  -- As the reference does: created, never rewritten in place.
  local function put(name, text)
    sys.unlink(dir .. "/net/" .. name)
    local file <close> = assert(io.open(dir .. "/net/" .. name, "w"))
    file:write(text)
  end

  local function is_fresh()
    local store <close> = assert(Store.open(dir, "net"))
    return not store:known().rebuilt
  end

  it("writes the files, bytes and modes of the reference plugin", function()
    assert.equal("10.0.0.2", allocate "c1")
    local function file(name)
      local stat <const> = assert(sys.lstat(dir .. "/net/" .. name))
      return { sys.read(dir .. "/net/" .. name), ("%o"):format(stat.mode) }
    end
    assert.same({ "10.0.0.2", "last_reserved_ip.0", "lock" }, sys.list(dir .. "/net"))
    assert.same({ "c1\r\neth0", "600" }, file "10.0.0.2")
    assert.same({ "10.0.0.2", "600" }, file "last_reserved_ip.0")
    assert.same({ "", "750" }, file "lock")
    assert.equal(493, sys.stat(dir .. "/net").mode)
  end)

  it("does not use an address again while others were free longer", function()
    assert.equal("10.0.0.2", allocate "c1")
    release "c1"
    assert.equal("10.0.0.3", allocate "c2")
  end)

  it("finds the one free address among many taken ones, and says when there is none", function()
    local wide <const> = set { { subnet = "10.0.0.0/25" } }
    with(function() end)
    for i = 2, 126 do
      if i ~= 77 then put("10.0.0." .. i, "x" .. i .. "\r\neth0") end
    end
    assert.equal("10.0.0.77", allocate("c1", wide))
    local none <const>, message <const>, code <const> = allocate("c2", wide)
    assert.is_nil(none)
    assert.equal("no IP addresses available in range set: 10.0.0.1-10.0.0.126", message)
    assert.equal(999, code)
  end)

  it("knows reservations of the old format, and frees them only for want of better ones", function()
    with(function() end)
    put("10.0.0.5", "c1\n")
    assert.equal("10.0.0.5", held "c1")
    put("10.0.0.6", "c1\r\neth0")
    assert.same({ "10.0.0.6" }, release "c1")
    assert.same({ "10.0.0.5" }, release "c1")
    assert.same({}, release "c1")
  end)

  it("frees what names the attachment, however odd the file's name or the others", function()
    with(function() end)
    put("10.0.0.4", " c1\r\neth0 \n")
    put("not an address", "c1\r\neth0")
    put("10.0.0.3", "c1\r\neth1")
    put("10.0.0.5", "c1/eth0")
    put("10.0.0.6", "c1=\r\neth0 =c1/eth0 ")
    assert.same({ "10.0.0.4", "not an address" }, release "c1")
    assert.is_not_nil(sys.lstat(dir .. "/net/10.0.0.5"))
    assert.is_not_nil(sys.lstat(dir .. "/net/10.0.0.6"))
  end)

  it("goes beyond container ids of any length", function()
    local long <const> = ("a"):rep(3000)
    assert.equal("10.0.0.2", allocate(long))
    assert.equal("10.0.0.2", held(long))
    assert.same({ "10.0.0.2" }, release(long))
  end)

  it("refuses a name that would leave the directory", function()
    for _, name in ipairs { "../x", "", "a/b", ".ecmp" } do
      local store <const>, message <const>, code <const> = Store.open(dir, name)
      assert.is_nil(store)
      assert.matches("^name: ", message)
      assert.equal(7, code)
    end
  end)

  it("gives up a lock that is never let go, with code 11, naming it", function()
    local first <close> = assert(Store.open(dir, "net"))
    local second <const>, message <const>, code <const> = Store.open(dir, "net", { timeout = 0.2 })
    assert.is_nil(second)
    assert.equal(("lock %s/net/lock: held by another process for 0.2 seconds"):format(dir), message)
    assert.equal(11, code)
    assert.is_not_nil(first)
    assert.equal(20, Store.lock_timeout)
  end)

  it("frees everything that is not listed, old format and blank files included", function()
    allocate "keep"
    allocate "gone"
    put("10.0.0.4", "old")
    put("10.0.0.5", "oldgone")
    put("10.0.0.6", "")
    put("note", "gone\r\neth0")
    local freed <const> = with(function(store)
      return store:retain { { containerid = "keep", ifname = "eth0" },
        { containerid = "old", ifname = "net1" } }
    end)
    assert.same({ "10.0.0.3", "10.0.0.5", "10.0.0.6" }, freed)
    assert.same({ "10.0.0.2", "10.0.0.4", "last_reserved_ip.0", "lock", "note" },
      sys.list(dir .. "/net"))
  end)

  it("tells a directory that cannot be looked at from one that is not there", function()
    assert.same({}, { Store.open(dir, "net", { create = false }) })
    assert(sys.create(dir .. "/file", ""))
    assert.same({}, { Store.open(dir .. "/file", "net", { create = false }) })
    local path <const> = dir .. "/net"
    assert.equal(0, assert(sys.spawn { argv = { "ln", "-s", path, path }, timeout = 10 }).status)
    local store <const>, message <const>, code <const> = Store.open(dir, "net", { create = false })
    assert.same({ nil, 999 }, { store, code })
    assert.matches("/net: ", message)
    local done <const>, err <const> = pcall(require("ecmp.plugin.host-local").del, {
      conf = { name = "net", ipam = { dataDir = dir } }, containerid = "c1", ifname = "eth0" })
    assert.same({ false, message }, { done, err.msg })
  end)

  it("says where a reservation could not be taken back, and takes back the others", function()
    with(function(store)
      local first <const>, second <const> = ip.parse "10.0.0.2", ip.parse "10.0.0.3"
      assert(store:reserve(first, "c1", "eth0"))
      assert(store:reserve(second, "c1", "eth0"))
      assert(sys.unlink(dir .. "/net/10.0.0.2"))
      assert(sys.mkdir(dir .. "/net/10.0.0.2"))
      local freed <const>, message <const> = store:undo({ first, second }, "c1", "eth0")
      assert.is_nil(freed)
      assert.matches("/net/10.0.0.2: ", message)
      assert.is_nil(sys.lstat(dir .. "/net/10.0.0.3"))
    end)
  end)

  it("leaves no descriptor open", function()
    local before <const> = helper.descriptors()
    for _ = 1, 5 do
      allocate "c1"
      release "c1"
    end
    assert.equal(before, helper.descriptors())
  end)

  describe("index", function()
    it("is believed after our own changes", function()
      allocate "c1"
      assert.is_true(is_fresh())
      release "c1"
      assert.is_true(is_fresh())
    end)

    it("is not believed after a change in the same moment by somebody else", function()
      for i = 1, 100 do
        release "c1"
        put("10.0.0.5", "c" .. i .. "\r\neth0")
        assert.equal("10.0.0.5", held("c" .. i), "round " .. i)
        assert(sys.unlink(dir .. "/net/10.0.0.5"))
        assert.equal("", held("c" .. i), "round " .. i)
      end
    end)

    it("sees a file that took the place of another", function()
      allocate "c1"
      assert(sys.unlink(dir .. "/net/10.0.0.2"))
      put("10.0.0.2", "c9\r\neth0")
      assert.equal("", held "c1")
      assert.equal("10.0.0.2", held "c9")
    end)

    it("may be damaged or lost", function()
      allocate "c1"
      for _, name in ipairs(assert(sys.list(dir .. "/.ecmp/net"))) do
        local path <const> = dir .. "/.ecmp/net/" .. name
        assert(sys.write(path, (sys.read(path):sub(1, -9))))
      end
      assert.equal("10.0.0.2", held "c1")
      helper.remove(dir .. "/.ecmp")
      assert.equal("10.0.0.2", held "c1")
    end)

    it("is not needed: where it cannot be written, every file is read", function()
      with(function() end)
      put("../.ecmp", "in the way")
      assert.equal("10.0.0.2", allocate "c1")
      assert.equal("10.0.0.2", held "c1")
      assert.same({ "10.0.0.2" }, release "c1")
    end)

    it("agrees with the directory after any mix of changes", function()
      math.randomseed(4)
      local wide <const> = set { { subnet = "10.0.0.0/26" } }
      for i = 1, 300 do
        local id <const> = "c" .. math.random(30)
        local dice <const> = math.random(10)
        if dice < 5 then allocate(id, wide) elseif dice < 9 then release(id)
        elseif dice == 9 then put("10.0.0." .. math.random(2, 62), id .. "\r\neth0")
        else sys.unlink(dir .. "/net/10.0.0." .. math.random(2, 62)) end
        if i % 10 == 0 then
          local noted <const>, real <const> = {}, {}
          with(function(store)
            for _, entry in ipairs(store:entries()) do noted[entry.name] = entry.key end
          end)
          for _, name in ipairs(sys.list(dir .. "/net")) do
            local text <const> = sys.read(dir .. "/net/" .. name)
            if name:find "^10" then real[name] = text:gsub("\r\n", "/") end
          end
          assert.same(real, noted, "after change " .. i)
        end
      end
    end)
  end)

  describe("a blank file left by a crash", function()
    local function fill()
      for i = 1, 4 do assert(allocate("c" .. i)) end
    end

    for what, text in pairs { empty = "", zeros = "\0\0\0\0\0\0\0\0", spaces = " \r\n" } do
      it("is used last of all: " .. what, function()
        with(function() end)
        put("10.0.0.3", text)
        fill()
        assert.equal("", (sys.read(dir .. "/net/10.0.0.3"):gsub("[%s%z]", "")))
        assert.equal("10.0.0.3", allocate "c5")
        assert.is_nil((allocate "c6"))
      end)
    end

    it("does not stand in the way of who asks for that address", function()
      with(function() end)
      put("10.0.0.3", "")
      put("10.0.0.4", "c1\r\neth0")
      local wanted <const> = ip.parse "10.0.0.3"
      assert.is_true(with(function(s) return s:reserve_or_reclaim(wanted, "c2", "eth0") end))
      local other <const> = ip.parse "10.0.0.4"
      assert.is_false(with(function(s) return s:reserve_or_reclaim(other, "c2", "eth0") end))
    end)
  end)

  describe("a reservation of an earlier boot", function()
    local real <const>, private <const> = boot.token, boot.is_private
    local function boot_as(token) boot.token = function() return token end end
    local MACHINE <const> = "aaaaaaaa"

    before_each(function() boot_as(MACHINE .. "-00000001") end)
    after_each(function() boot.token, boot.is_private = real, private end)

    local function fill()
      for i = 1, 5 do assert(allocate("c" .. i)) end
    end

    it("is used again when nothing else is free", function()
      fill()
      boot_as(MACHINE .. "-00000002")
      assert.equal("10.0.0.2", allocate "new")
      assert.equal("10.0.0.2", held "new")
    end)

    it("is used after what is free", function()
      allocate "c1"
      boot_as(MACHINE .. "-00000002")
      assert.equal("10.0.0.3", allocate "new")
    end)

    it("keeps being known as such, whatever changes meanwhile", function()
      fill()
      boot_as(MACHINE .. "-00000002")
      put("stranger", "x")
      assert.equal("", held "c1")
      put("stranger2", "x")
      assert.equal("", held "c1")
      assert.equal("10.0.0.2", allocate "new")
    end)

    it("no longer stops an attachment of the same name", function()
      allocate "c1"
      boot_as(MACHINE .. "-00000002")
      assert.equal("", held "c1")
      with(function(store) assert.same({ "10.0.0.2" }, store:release_dead("c1", "eth0")) end)
      assert.is_nil(sys.lstat(dir .. "/net/10.0.0.2"))
    end)

    local function is_kept(prepare)
      fill()
      prepare()
      assert.is_nil((allocate "new"))
    end

    it("is kept in the same boot", function() is_kept(function() end) end)

    it("is kept when another machine made it", function()
      is_kept(function() boot_as "bbbbbbbb-00000002" end)
    end)

    it("is kept when the boot or the machine cannot be told", function()
      is_kept(function() boot_as(MACHINE .. "-00000000") end)
      boot_as "00000000-00000002"
      assert.is_nil((allocate "new"))
    end)

    it("is kept on a file system that several machines may write to", function()
      is_kept(function()
        boot_as(MACHINE .. "-00000002")
        boot.is_private = function() return false end
      end)
    end)

    it("is not taken for one when another plugin made it anew", function()
      fill()
      boot_as(MACHINE .. "-00000002")
      for i = 2, 6 do
        assert(sys.unlink(dir .. "/net/10.0.0." .. i))
        put("10.0.0." .. i, ("c%d\r\neth0"):format(i - 1))
      end
      assert.is_nil((allocate "new"))
      assert.equal("10.0.0.2", held "c1")
    end)

    it("is kept when the index of the earlier boot is lost or cut short", function()
      is_kept(function()
        boot_as(MACHINE .. "-00000002")
        for _, name in ipairs(assert(sys.list(dir .. "/.ecmp/net"))) do
          local path <const> = dir .. "/.ecmp/net/" .. name
          assert(sys.write(path, (sys.read(path):match("^[^\n]*"):sub(1, -3))))
        end
      end)
    end)
  end)

  it("does not call a network or FUSE file system its own", function()
    for _, magic in ipairs { 0x6969, 0xFF534D42, 0x01021997, 0x65735546, 0x00C36400 } do
      assert.is_false(boot.is_private { fstype = magic })
    end
    assert.is_true(boot.is_private { fstype = 0xEF53 })
    assert.matches("^" .. boot.pattern .. "$", boot.token())
  end)

  it("is looked at without a trace", function()
    allocate "c1"
    local function trace()
      local stat <const> = sys.stat(dir .. "/net")
      return { sys.list(dir), sys.list(dir .. "/net"), sys.list(dir .. "/.ecmp/net"),
        stat.mtime_ns }
    end
    local before <const> = trace()
    local lock <close> = assert(sys.lock(dir .. "/net/lock"))
    local store <close> = Store.peek(dir, "net")
    assert.equal("10.0.0.3", tostring(store:free(pool, store:last(0))))
    assert.equal("10.0.0.2", tostring(Store.peek(dir, "other"):free(pool)))
    assert.same(before, trace())
    assert.is_not_nil(lock)
  end)

  it("takes away what was to become a marker, of a process that was killed", function()
    allocate "c1"
    assert(sys.create(dir .. "/net/.last_reserved_ip.0", "10.0.0.9"))
    release "c1"
    assert.is_nil(sys.lstat(dir .. "/net/.last_reserved_ip.0"))
  end)

  it("has nothing half-written when its process is killed at any moment", function()
    math.randomseed(7)
    local work <const> = ([[
      local Store, range = require "ecmp.plugin.host-local.store", require "ecmp.plugin.host-local.range"
      local set = range.set({ { subnet = "10.0.0.0/29" } }, "")
      for i = 1, 1000000 do
        local store <close> = assert(Store.open(%q, "net"))
        local address = store:allocate(set, 0, "c" .. i, "eth0")
        if address then assert(store:set_last(0, address)) end
        if i %% 3 == 0 then store:release("c" .. i - 1, "eth0") end
        store:close()
      end ]]):format(dir)
    for _ = 1, 60 do
      local killed <const> = helper.lua(work, { timeout = 0.02 + math.random() * 0.03 })
      assert.is_true(killed.timedout, killed.stderr)
      for _, name in ipairs(sys.list(dir .. "/net") or {}) do
        local text <const> = sys.read(dir .. "/net/" .. name)
        if name:find "^10" then assert.matches("^c%d+\r\neth0$", text) end
        if name:find "^last" then assert.is_not_nil(ip.parse(text)) end
      end
      with(function(store) assert(store:retain {}) end)
      assert.matches("^10%.0%.0%.%d$", allocate "after")
      assert.equal(1, #release "after")
    end
    for _, name in ipairs(sys.list(dir .. "/net")) do
      assert.matches("^%.?last_reserved_ip%.0$", name == "lock" and "last_reserved_ip.0" or name)
    end
  end)
end)
