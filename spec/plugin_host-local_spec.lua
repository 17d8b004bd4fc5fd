local helper = require "spec.helper"
local host_local = require "ecmp.plugin.host-local"
local json = require "ecmp.json"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local REFERENCE <const> = "/usr/lib/cni/host-local"
local PROGRAM <const> = [[
  require("ecmp.plugin.host-local.store").lock_timeout = tonumber(os.getenv "LOCK_TIMEOUT" or 20)
  require("ecmp.cni").main(require "ecmp.plugin.host-local",
    { plugin = "host-local", dropin = true })]]
local ours <const>, theirs <const> = { "lua5.4", "-e", PROGRAM }, { REFERENCE }
local has_reference <const> = sys.lstat(REFERENCE) ~= nil
local compare <const> = has_reference and it or pending

describe("host-local", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  -- A configuration of network "net"; `ipam` and `more` add to it.
  local function config(ipam, more)
    local conf <const> = { cniVersion = "1.1.0", name = "net", type = "host-local", ipam = {
      type = "host-local", dataDir = dir } }
    for key, value in pairs(ipam or { subnet = "10.0.0.0/29" }) do conf.ipam[key] = value end
    for key, value in pairs(more or {}) do conf[key] = value end
    return conf
  end

  local function verb(command, conf, id, changes, argv)
    local env <const> = { CNI_COMMAND = command, CNI_CONTAINERID = id or "c1" }
    for name, value in pairs(changes or {}) do env[name] = value end
    return runtime.run(argv or ours, conf, env)
  end

  local function add(conf, id, changes, argv)
    local outcome <const> = verb("ADD", conf, id, changes, argv)
    if outcome.status ~= 0 then return nil, outcome.json and outcome.json.msg, outcome.json.code end
    local texts <const> = {}
    for i, entry in ipairs(outcome.json.ips) do texts[i] = entry.address end
    return table.concat(texts, " ")
  end

  local function refused(conf, changes)
    local texts <const>, message <const>, code <const> = add(conf, "c1", changes)
    assert.is_nil(texts)
    return message, code
  end

  local function put(name, text)
    assert(sys.mkdir(dir .. "/net"))
    sys.unlink(dir .. "/net/" .. name)
    assert(sys.create(dir .. "/net/" .. name, text, 384))
  end

  local function reserved()
    local names <const> = {}
    for _, name in ipairs(sys.list(dir .. "/net") or {}) do
      if name ~= "lock" and not name:find "last_reserved" then names[#names + 1] = name end
    end
    return table.concat(names, " ")
  end

  describe("configuration", function()
    local two <const> = { { { subnet = "10.0.0.0/24" } },
      { { subnet = "10.1.0.0/24", rangeStart = "10.1.0.5", rangeEnd = "10.1.0.9" },
        { subnet = "10.2.0.0/24", gateway = "10.2.0.254" } } }

    it("gives one address of each range set", function()
      local result <const> = verb("ADD", config { ranges = two }).json
      assert.same({
        { address = "10.0.0.2/24", gateway = "10.0.0.1" },
        { address = "10.1.0.5/24", gateway = "10.1.0.1" },
      }, result.ips)
    end)

    it("takes ranges of runtimeConfig first, then the inline one, then the list", function()
      local conf <const> = config({ ranges = { { { subnet = "10.3.0.0/24" } } },
        subnet = "10.2.0.0/24" },
        { runtimeConfig = { ipRanges = { { { subnet = "10.1.0.0/24" } } } } })
      assert.equal("10.1.0.2/24 10.2.0.2/24 10.3.0.2/24", add(conf))
      assert.equal("10.3.0.2", sys.read(dir .. "/net/last_reserved_ip.2"))
    end)

    it("names what is wrong by its path, with code 7", function()
      local bad <const> = json.decode(json.encode(two))
      bad[2][2].rangeStart = "10.9.0.1"
      local message, code = refused(config { ranges = bad })
      assert.equal("ipam.ranges[1][1].rangeStart: 10.9.0.1 is not in 10.2.0.0/24", message)
      assert.equal(7, code)
      message, code = refused(config { ranges = { { { subnet = 5 } } } })
      assert.equal("ipam.ranges[0][0].subnet: must be of type string, not integer", message)
      assert.equal(7, code)
      message, code = refused(config { subnet = "10.0.0.0/24",
        ranges = { { { subnet = "10.0.0.0/25" } } } })
      assert.equal("ipam.ranges[0]: overlaps with ipam", message)
      assert.equal(7, code)
      message = refused(config({}, { args = { cni = { ips = { "10.0.0.9", "x" } } } }))
      assert.equal("ipam.ranges: no range is given", message)
      message = refused(config(nil, { args = { cni = { ips = { "10.0.0.9", "x" } } } }))
      assert.matches("^args.cni.ips%[1%]: 'x' is no IP address", message)
      message = refused(config { subnet = "10.0.0.0/24", routes = { { gw = "10.0.0.1" } } })
      assert.matches("^ipam.routes%[0%].dst: must be given", message)
      message, code = refused(config { subnet = "10.0.0.0/24", resolvConf = dir .. "/none" })
      assert.matches("^ipam.resolvConf: read .*/none: .*ENOENT", message)
      assert.equal(7, code)
      message, code = refused({ cniVersion = "1.0.0", name = "net" })
      assert.equal("ipam: must be given", message)
      assert.equal(7, code)
      assert.equal("", reserved())
    end)

    it("refuses a second range set of one family before 0.3.0", function()
      local message <const>, code <const> =
        refused(config({ ranges = two }, { cniVersion = "0.2.0" }))
      assert.matches("^ipam.ranges%[1%]: cniVersion 0.2.0 allows one address per family", message)
      assert.equal(7, code)
    end)

    it("passes routes on as listed, and reads name servers from a file", function()
      local file <const> = dir .. "/resolv.conf"
      assert(sys.create(file, "nameserver 10.0.0.53\nsearch a b\n# no\noptions x\ndomain c d\n"))
      local routes <const> = { { dst = "0.0.0.0/0" }, { dst = "0.0.0.0/0", gw = "10.0.0.3" } }
      local result <const> = verb("ADD", config { subnet = "10.0.0.0/24", resolvConf = file,
        routes = routes }).json
      assert.same(routes, result.routes)
      assert.same({ nameservers = { "10.0.0.53" }, search = { "a", "b" }, options = { "x" },
        domain = "c" }, result.dns)
    end)
  end)

  describe("requested addresses", function()
    it("are those of all three sources together", function()
      local conf <const> = config({ ranges = { { { subnet = "10.0.0.0/24" } },
        { { subnet = "10.1.0.0/24" } }, { { subnet = "fd00::/64" } } } },
        { args = { cni = { ips = { "10.1.0.9/24" } } }, runtimeConfig = { ips = { "fd00::9" } } })
      assert.equal("10.0.0.9/24 10.1.0.9/24 fd00::9/64",
        add(conf, "c1", { CNI_ARGS = "IP=10.0.0.9;IgnoreUnknown=1;K8S_POD_NAME=x" }))
    end)

    it("are the first listed where two lie in one set, and then all are given back", function()
      local conf <const> = config({ subnet = "10.0.0.0/24" },
        { runtimeConfig = { ips = { "10.0.0.8", "10.0.0.7" } } })
      for _ = 1, 5 do
        assert.equal("failed to allocate all requested IPs: 10.0.0.7", (refused(conf)))
        assert.equal("10.0.0.8", sys.read(dir .. "/net/last_reserved_ip.0"))
        assert.equal("", reserved())
      end
    end)

    it("are refused when they are the gateway, taken, or in no range", function()
      local conf <const> = config { subnet = "10.0.0.0/24" }
      assert.matches("10.0.0.1 is the gateway", (refused(conf, { CNI_ARGS = "IP=10.0.0.1" })))
      put("10.0.0.9", "c9\r\neth0")
      assert.matches("10.0.0.9 is not available in range set 10.0.0.1%-10.0.0.254",
        (refused(conf, { CNI_ARGS = "IP=10.0.0.9" })))
      assert.matches("all requested IPs: 10.0.1.1", (refused(conf, { CNI_ARGS = "IP=10.0.1.1" })))
      local _, code <const> = refused(conf, { CNI_ARGS = "IP=ten" })
      assert.equal(4, code)
      assert.equal("10.0.0.9", reserved())
    end)
  end)

  describe("ADD", function()
    it("gives everything back when a later range set is full", function()
      put("10.1.0.2", "x\r\neth0")
      local conf <const> = config { ranges = { { { subnet = "10.0.0.0/24" } },
        { { subnet = "10.1.0.0/30" } } } }
      local message <const>, code <const> = refused(conf)
      assert.equal("failed to allocate for range 1: no IP addresses available in range set: "
        .. "10.1.0.1-10.1.0.2", message)
      assert.equal(999, code)
      assert.equal("10.1.0.2", reserved())
      sys.unlink(dir .. "/net/10.1.0.2")
      assert.equal("10.0.0.3/24 10.1.0.2/30", add(conf))
    end)

    it("refuses a second address for one attachment, unless it is to be idempotent (row 30)",
      function()
        assert.equal("10.0.0.2/29", add(config()))
        assert.matches("10.0.0.2 has been allocated to c1/eth0, duplicate allocation",
          (refused(config())))
        assert.equal("10.0.0.2/29", add(config { subnet = "10.0.0.0/29", idempotent = true }))
        assert.equal("10.0.0.3/29", add(config(), "c1", { CNI_IFNAME = "net1" }))
        assert.equal("10.0.0.2 10.0.0.3", reserved())
      end)

    it("does not hand out again at once what was just freed (row 31)", function()
      add(config())
      verb("DEL", config())
      assert.equal("10.0.0.3/29", add(config()))
    end)

    it("takes an address whose file a crash left empty, when no other is free (row 27)", function()
      put("10.0.0.2", "")
      for i = 3, 6 do put("10.0.0." .. i, "x\r\neth0") end
      assert.equal("10.0.0.2/29", add(config()))
      assert.equal("c1\r\neth0", sys.read(dir .. "/net/10.0.0.2"))
    end)
  end)

  describe("DEL", function()
    it("frees the attachment's addresses, and succeeds when there are none", function()
      add(config())
      assert.equal(0, verb("DEL", config()).status)
      assert.equal("", reserved())
      local again <const> = verb("DEL", config())
      assert.same({ 0, "" }, { again.status, again.stdout })
      helper.remove(dir .. "/net")
      assert.equal(0, verb("DEL", config()).status)
      assert.is_nil(sys.lstat(dir .. "/net"))
    end)

    it("needs neither a sound configuration nor sound arguments (row 35)", function()
      for _, conf in ipairs { config { subnet = "nonsense" }, config { ranges = 5, routes = "x" },
        config({ resolvConf = "/none" }, { runtimeConfig = 1 }) } do
        assert.equal(1, verb("ADD", conf).status)
        add(config(), "c1")
        assert.not_equal("", reserved())
        assert.equal(0, verb("DEL", conf, "c1", { CNI_ARGS = "rubbish" }).status)
        assert.equal("", reserved())
      end
      assert.equal(0, verb("DEL", { name = "net", cniVersion = "1.0.0", ipam = 5 }).status)
    end)
  end)

  describe("CHECK", function()
    it("fails when no address, or not the one of the previous result, is reserved", function()
      assert.equal(1, verb("CHECK", config()).status)
      add(config())
      assert.equal(0, verb("CHECK", config()).status)
      local function prev(address)
        return config(nil, { prevResult = { cniVersion = "1.1.0",
          ips = { { address = address } } } })
      end
      assert.equal(0, verb("CHECK", prev "10.0.0.2/29").status)
      assert.equal(0, verb("CHECK", prev "192.168.1.1/24").status)
      local wrong <const> = verb("CHECK", prev "10.0.0.3/29")
      assert.equal("10.0.0.3 of the previous result is not reserved for this attachment",
        wrong.json.msg)
    end)
  end)

  describe("GC (rows 26, 28, 29)", function()
    local KEY <const> = "cni.dev/valid-attachments"

    before_each(function()
      add(config(), "c1")
      add(config(), "c2")
      put("10.0.0.5", "old")
    end)

    local function gc(text)
      local conf <const> = json.encode(config())
      local outcome <const> =
        verb("GC", (conf:gsub("}$", text and (', "%s": %s}'):format(KEY, text) or "}")))
      assert.equal(0, outcome.status, outcome.stdout)
    end

    it("does nothing without a list, or with null", function()
      gc(nil)
      gc "null"
      assert.equal("10.0.0.2 10.0.0.3 10.0.0.5", reserved())
    end)

    it("frees everything with an empty list, and keeps the markers", function()
      gc "[]"
      assert.equal("", reserved())
      assert.equal("10.0.0.3", sys.read(dir .. "/net/last_reserved_ip.0"))
    end)

    it("keeps what is listed, of the old format too", function()
      gc '[{"containerID":"c2","ifname":"eth0"},{"containerID":"old","ifname":"eth7"}]'
      assert.equal("10.0.0.3 10.0.0.5", reserved())
    end)

    it("is not done for a network that switched it off", function()
      local conf <const> = config(nil, { disableGC = true, [KEY] = json.array() })
      assert.equal(0, verb("GC", conf).status)
      assert.equal("10.0.0.2 10.0.0.3 10.0.0.5", reserved())
    end)
  end)

  describe("STATUS (rows 26, 28)", function()
    it("is 50 when a range set is full, and good again when it is not", function()
      assert.equal(0, verb("STATUS", config()).status)
      for i = 2, 6 do put("10.0.0." .. i, "x\r\neth0") end
      local full <const> = verb("STATUS", config())
      assert.equal(50, full.json.code)
      assert.matches("no IP addresses available in range set: 10.0.0.1%-10.0.0.6", full.json.msg)
      sys.unlink(dir .. "/net/10.0.0.4")
      assert.equal(0, verb("STATUS", config()).status)
      assert.equal(7, verb("STATUS", config { subnet = "x" }).json.code)
    end)
  end)

  it("tells what an ADD would give without reserving it", function()
    add(config())
    local call <const> = { command = "ADD", containerid = "c9", ifname = "eth0", conf = config() }
    assert.equal("10.0.0.3/29", host_local.peek(call).ips[1].address)
    assert.equal("10.0.0.3/29", host_local.peek(call).ips[1].address)
    assert.equal("10.0.0.2", reserved())
  end)

  it("gives up a lock that is held for ever with code 11, and loses nothing", function()
    add(config())
    local lock <close> = assert(sys.lock(dir .. "/net/lock"))
    for _, command in ipairs { "ADD", "DEL", "CHECK" } do
      local outcome <const> = verb(command, config(), "c1", { LOCK_TIMEOUT = "0.2" })
      assert.equal(11, outcome.json.code, command)
      assert.matches("lock .*/net/lock: held by another process", outcome.json.msg)
    end
    assert.equal("10.0.0.2", reserved())
    assert.is_not_nil(lock)
  end)

  -- Processes at once: one shell starts them all, each with a file of its own for what it prints.
  local function at_once(count, command, prefix, conf)
    assert(sys.create(dir .. "/conf", json.encode(conf)))
    assert(sys.create(dir .. "/program.lua", PROGRAM))
    local script <const> = ([[
      D=%s; export CNI_COMMAND=%s
      for i in $(seq %d); do
        CNI_CONTAINERID=%s$i lua5.4 $D/program.lua <$D/conf >$D/out.$i 2>&1 ||
          echo "status $?" >>$D/out.$i &
      done; wait]]):format(dir, command, count, prefix)
    runtime.run({ "sh", "-c", script }, "")
    local outputs <const> = {}
    for i = 1, count do outputs[i] = assert(sys.read(dir .. "/out." .. i)) end
    sys.unlink(dir .. "/conf")
    sys.unlink(dir .. "/program.lua")
    return outputs
  end

  it("serves 64 at once: no address twice, none lost, nothing left (row 44)", function()
    local conf <const> = config { ranges = { { { subnet = "10.0.0.0/26" },
      { subnet = "10.0.1.0/29" } }, { { subnet = "fd00::/120" } } } }
    for _ = 1, 2 do
      local seen <const> = {}
      for i, output in ipairs(at_once(64, "ADD", "c", conf)) do
        local result <const> = assert(json.decode(output), output)
        assert.equal(2, #(result.ips or {}), output)
        for _, entry in ipairs(result.ips) do
          assert.is_nil(seen[entry.address], entry.address)
          seen[entry.address] = i
          local file <const> = dir .. "/net/" .. entry.address:match "^[^/]+"
          assert.equal(("c%d\r\neth0"):format(i), sys.read(file))
        end
      end
      assert.equal(128, select(2, reserved():gsub("%S+", "")))
      for _, output in ipairs(at_once(64, "DEL", "c", conf)) do assert.equal("", output) end
      assert.equal("", reserved())
    end
  end)

  it("is clean after ADD was killed at any moment, then DEL and ADD", function()
    math.randomseed(11)
    local conf <const> = config { ranges = { { { subnet = "10.0.0.0/29" } },
      { { subnet = "fd00::/125" } } } }
    for i = 1, 60 do
      local id <const> = "c" .. i
      sys.spawn { argv = ours, env = runtime.environment { CNI_CONTAINERID = id },
        stdin = json.encode(conf), timeout = 0.001 + math.random() * 0.02 }
      assert.equal(0, verb("DEL", conf, id).status)
      assert.equal("", reserved())
      if i % 6 == 0 then
        assert.matches("^10.0.0.%d/29 fd00::%d/125$", add(conf, id))
        assert.equal(0, verb("DEL", conf, id).status)
      end
    end
    for _, name in ipairs(sys.list(dir .. "/net")) do
      assert.is_truthy(name == "lock" or name:find "^%.?last_reserved_ip%.%d$", name)
    end
  end)

  describe("beside the reference", function()
    -- Names and contents. (Modes are those of newer releases: files were 0644 once.)
    local function tree(root)
      local files <const> = {}
      for _, name in ipairs(sys.list(root) or {}) do files[name] = sys.read(root .. "/" .. name) end
      return files
    end

    compare("leaves the same bytes behind", function()
      local trees <const> = {}
      for i, argv in ipairs { theirs, ours } do
        local conf <const> = config({ dataDir = dir .. "/" .. i, ranges = {
          { { subnet = "10.0.0.0/29" } }, { { subnet = "fd00::/64" } } } },
          { cniVersion = "1.0.0" })
        for n = 1, 4 do assert(add(conf, "c" .. n, nil, argv)) end
        verb("DEL", conf, "c2", nil, argv)
        assert(add(conf, "c5", { CNI_IFNAME = "net1" }, argv))
        assert(add(conf, "c6", { CNI_ARGS = "IP=fd00::77" }, argv))
        trees[i] = tree(dir .. "/" .. i .. "/net")
        assert.equal(493, sys.stat(dir .. "/" .. i .. "/net").mode)
      end
      assert.same(trees[1], trees[2])
    end)

    compare("shares a pool: each sees, keeps and frees what the other reserved", function()
      local conf <const> = config({ subnet = "10.0.0.0/28" }, { cniVersion = "1.0.0" })
      local argv <const> = { [0] = ours, theirs }
      for i = 1, 12 do
        assert.equal(("10.0.0.%d/28"):format(i + 1), add(conf, "c" .. i, nil, argv[i % 2]))
        assert.equal(1, verb("ADD", conf, "c" .. i, nil, argv[(i + 1) % 2]).status)
        assert.equal(0, verb("CHECK", json.encode(conf):gsub("}$", ',"prevResult":{}}'), "c" .. i,
          nil, argv[(i + 1) % 2]).status)
      end
      for i = 1, 12 do
        assert.equal(0, verb("DEL", conf, "c" .. i, nil, argv[(i + 1) % 2]).status)
        assert.is_nil(sys.lstat(dir .. "/net/10.0.0." .. i + 1))
      end
      assert.equal("", reserved())
    end)

    compare("shares a pool with it at the same time", function()
      local conf <const> = config({ subnet = "10.0.0.0/25" }, { cniVersion = "1.0.0" })
      assert(sys.create(dir .. "/conf", json.encode(conf)))
      assert(sys.create(dir .. "/program.lua", PROGRAM))
      -- Each pair of ADDs, and later of DELs, at once; what one reserved, the other frees.
      local function all_at_once(command, a, b)
        runtime.run({ "sh", "-c", ([[D=%s; export CNI_COMMAND=%s
          for i in $(seq 24); do
            CNI_CONTAINERID=%s$i lua5.4 $D/program.lua <$D/conf >$D/out.a$i &
            CNI_CONTAINERID=%s$i %s <$D/conf >$D/out.b$i &
          done; wait]]):format(dir, command, a, b, REFERENCE) }, "")
      end
      all_at_once("ADD", "a", "b")
      local seen <const> = {}
      for i = 1, 24 do
        for _, who in ipairs { "a", "b" } do
          local result <const> = json.decode(sys.read(("%s/out.%s%d"):format(dir, who, i)))
          local address <const> = result.ips[1].address
          assert.is_nil(seen[address])
          seen[address] = true
        end
      end
      assert.equal(48, select(2, reserved():gsub("%S+", "")))
      all_at_once("DEL", "b", "a")
      assert.equal("", reserved())
    end)

    -- What a random configuration is made of: mostly sound, every field wrong now and then.
    local function one_of(list) return list[math.random(#list)] end
    local function sometimes(list, chance)
      if math.random() < (chance or 0.3) then return one_of(list) end
    end
    local subnets <const> = { "10.0.0.0/29", "10.0.0.0/28", "10.0.0.8/29", "10.1.0.0/30",
      "10.1.0.0/24", "fd00::/125", "fd00:1::/126", "fd00::/64", "10.0.0.1/29", "10.0.0.0/31",
      "fd00::/127", "10.0.0.0", "nonsense", "", "fd00::1/64", "::ffff:10.0.0.0/120" }
    local addresses <const> = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.9",
      "10.0.0.0", "10.0.0.7", "10.1.0.1", "10.1.0.2", "fd00::1", "fd00::2", "fd00::5", "fd00:1::3",
      "10.0.0.01", "fd00::1%eth0", "::ffff:10.0.0.3", "" }

    local function random_range()
      local subnet <const> = math.random() < 0.05 and one_of(subnets) or subnets[math.random(8)]
      -- Mostly addresses of the subnet, in an order that may be wrong.
      local function inside(low, high)
        if math.random() < 0.05 then return one_of(addresses) end
        local base <const> = subnet:match "^(.-)%d*/"
        if base and math.random() < 0.25 then return base .. math.random(low, high) end
      end
      local first <const>, last = inside(0, 3), inside(3, 7)
      -- Where a range starts at the broadcast address and names no end, the reference goes on
      -- behind the subnet; we refuse.
      if first == "10.1.0.3" then last = last or first end
      return { subnet = subnet, rangeStart = first, rangeEnd = last, gateway = inside(0, 7) }
    end

    local function random_sets(chance)
      if math.random() > chance then return nil end
      local sets <const> = json.array()
      for i = 1, math.random(2) do
        sets[i] = json.array()
        for k = 1, math.random() < 0.05 and 0 or math.random() < 0.8 and 1 or 2 do
          sets[i][k] = random_range()
        end
      end
      return sets
    end

    local function random_config()
      local ipam <const> = { type = "host-local", ranges = random_sets(0.6) }
      if not ipam.ranges or math.random() < 0.2 then
        for key, value in pairs(random_range()) do ipam[key] = value end
      end
      if math.random() < 0.03 then ipam.subnet = 5 end
      ipam.routes = sometimes { json.array(), { { dst = "0.0.0.0/0" }, { dst = "10.9.0.9/16" } },
        { { dst = "::/0", gw = "fd00::1" } } }
      if math.random() < 0.03 then ipam.routes = { { dst = "x" } } end
      local requested <const> = { sometimes(addresses, 0.5) }
      requested[#requested + 1] = sometimes(addresses, 0.2)
      return { cniVersion = one_of { "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0" },
        name = "net", type = "host-local", ipam = ipam,
        runtimeConfig = sometimes({ { ips = #requested > 0 and requested or nil,
          ipRanges = random_sets(0.3) } }, 0.15),
        args = sometimes({ { cni = { ips = { one_of(addresses) } } } }, 0.05) }
    end

    -- The reference chooses at random between two requested addresses of one set, and then fails.
    local function same(conf, id, changes)
      local outcomes <const> = {}
      for i, argv in ipairs { theirs, ours } do
        conf.ipam.dataDir = dir .. "/" .. i
        outcomes[i] = verb("ADD", conf, id, changes, argv)
      end
      local they <const>, we <const> = outcomes[1], outcomes[2]
      local what <const> = json.encode(conf) .. "\n" .. they.stdout .. "\n" .. we.stdout
      assert.equal(they.status == 0, we.status == 0, what)
      if we.status == 0 then
        they.json.dns, we.json.dns = nil, nil -- releases differ in when an empty one is printed
        assert.same(they.json, we.json, what)
      end
      return we.status == 0
    end

    compare("gives the same answer to random configurations, good and bad", function()
      local seed <const> = tonumber(os.getenv "ECMP_SEED" or 20)
      math.randomseed(seed)
      local good, bad = 0, 0
      local rounds <const> = 20 * helper.rounds
      for _ = 1, rounds do
        local conf <const> = random_config()
        for n = 1, 3 do
          local args <const> = sometimes({ "IP=10.0.0.5", "IP=fd00::5/64", "IP=", "A=1", "IP=1;" ..
            "IgnoreUnknown=1", "IgnoreUnknown=true;A=1", "x" }, 0.1) or ""
          if same(conf, "c" .. n, { CNI_ARGS = args }) then good = good + 1 else bad = bad + 1 end
        end
        for i = 1, 2 do
          helper.remove(dir .. "/" .. i)
        end
      end
      assert.is_true(good > rounds // 2 and bad > rounds // 2, good .. " good, " .. bad .. " bad")
    end)
  end)

  describe("#netns on a file system", function()
    -- Runs a shell script with a private mount namespace; a small tmpfs is on $D.
    local function small(options, script, conf)
      assert(sys.create(dir .. "/conf", json.encode(conf)))
      assert(sys.create(dir .. "/program.lua", PROGRAM))
      assert(sys.mkdir(dir .. "/fs"))
      local outcome <const> = sys.spawn { timeout = 60, stderr = "capture",
        env = runtime.environment(), argv = { "unshare", "-rm", "sh", "-c", ([[
        D=%s/fs; mount -t tmpfs -o %s none $D || exit 9
        add() { CNI_COMMAND=ADD CNI_CONTAINERID=$1 lua5.4 %s/program.lua <%s/conf; }
        del() { CNI_COMMAND=DEL CNI_CONTAINERID=$1 lua5.4 %s/program.lua <%s/conf; }
        %s]]):format(dir, options, dir, dir, dir, dir, script) } }
      assert.equal(0, outcome.status, outcome.stderr .. outcome.stdout)
      return outcome.stdout
    end

    for _, kind in ipairs { "size=64k", "nr_inodes=24" } do
      it("that is full fails with 999 and loses nothing: " .. kind, function()
        local conf <const> = config { subnet = "10.0.0.0/16", dataDir = dir .. "/fs" }
        local said <const> = small(kind, [[
          n=0; while n -lt 60 ] && add c$n >$D/../out 2>&1; do n=$((n+1)); done 2>/dev/null
          n=0; while [ $n -lt 60 ] && add c$n >$D/../out 2>&1; do n=$((n+1)); done
          echo "$n fitted"; cat $D/../out; echo
          for f in $D/net/10*; do [ "$(wc -l <$f)" = 1 ] || echo "half $f"; done
          i=0; while [ $i -lt $n ]; do del c$i || echo "del $?"; i=$((i+1)); done
          ls $D/net
          rm -f $D/fill; add again]], conf)
        local fitted <const> = tonumber(said:match "(%d+) fitted")
        assert.is_true(fitted > 2 and fitted < 60, said)
        assert.matches('"code": 999', said)
        assert.matches("No space left on device %(ENOSPC%)", said)
        assert.is_nil(said:find "half")
        assert.is_nil(said:find "\n10%.")
        assert.matches('"address": "10.0.0.%d+/16"', said)
      end)
    end

    it("that is read-only fails with 999, naming the file", function()
      local conf <const> = config { subnet = "10.0.0.0/16", dataDir = dir .. "/fs" }
      local said <const> = small("size=64k", [[
        add c1 >/dev/null; mount -o remount,bind,ro $D; add c2; del c1; echo; ls $D/net
        CNI_COMMAND=STATUS lua5.4 $D/../program.lua <$D/../conf; true]], conf)
      assert.matches('"code": 999', said)
      assert.matches('"code": 50', said)
      assert.matches("Read%-only file system %(EROFS%)", said)
      assert.matches("\n10.0.0.2\n", said)
    end)
  end)

  it("does no more with many reservations than with none (row 45)", function()
    local function fill(count)
      for i = 0, count - 1 do
        put(("10.1.%d.%d"):format(i // 256, i % 256), ("%064x\r\neth0"):format(i))
      end
    end
    -- Every call of ecmp.sys is one of the kernel, or several.
    local counted <const> = { "lua5.4", "-e", [[
      local sys, calls <const>, exit <const> = require "ecmp.sys", {}, os.exit
      for name, call in pairs(sys) do
        if type(call) == "function" then
          sys[name] = function(...) calls[#calls + 1] = name return call(...) end
        end
      end
      os.exit = function(...) io.stderr:write(table.concat(calls, " ")) exit(...) end
      ]] .. PROGRAM }
    -- The index puts both ids into one file, by their last eight bytes: the second ADD finds it there, however
    -- many reservations there are.
    local function calls_of(name)
      local conf <const> = config({ subnet = "10.0.0.0/8" }, { name = name })
      assert(add(conf, "first-attachment")) -- finds what was not there when somebody last looked
      return verb("ADD", conf, "second-attachment", nil, counted).stderr
    end
    fill(1000)
    local empty <const> = calls_of "vacant"
    assert.matches("lock", empty)
    assert.equal(empty, calls_of "net")
  end)
end)
