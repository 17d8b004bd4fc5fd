local helper = require "spec.helper"
local json = require "ecmp.json"
local Store = require "ecmp.plugin.host-local.store"
local ip = require "ecmp.ip"
local sys = require "ecmp.sys"

describe("ecmp gc", function()
  local dir

  before_each(function()
    dir = helper.directory()
    assert(sys.mkdir(dir .. "/cache"))
    local store <close> = assert(Store.open(dir, "net"))
    for i, id in ipairs { "c1", "c2", "c-3" } do
      assert(store:reserve(ip.parse "10.0.0.0" + i, id, "eth0"))
    end
  end)
  after_each(function() helper.remove(dir) end)

  local function gc(...)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 20, argv = {
      "lua5.4", "-e", helper.paths() .. "os.exit(require('ecmp.command').run(arg), true)",
      "/dev/null", "gc", "--network", "net", "--data-dir", dir,
      "--cache-dir", dir .. "/cache", ... } })
    return outcome.status, outcome.stdout, outcome.stderr
  end

  local function cache(id, netns, network)
    assert(sys.create(("%s/cache/%s-%s-eth0"):format(dir, network or "net", id), json.encode {
      kind = "cniCacheV1", containerId = id, ifName = "eth0", networkName = network or "net",
      netns = netns, result = {} }))
  end

  -- As libcni before 1.2 writes it.
  local function old_cache(id, sandbox)
    assert(sys.create(("%s/cache/net-%s-eth0"):format(dir, id), json.encode {
      kind = "cniCacheV1", containerId = id, ifName = "eth0", networkName = "net",
      result = { cniVersion = "1.0.0", interfaces = { { name = "veth0" },
        { name = "eth1", sandbox = "/proc/self/ns/net" }, { name = "eth0", sandbox = sandbox } } },
    }))
  end

  it("takes the namespace from the result where the cache names none", function()
    old_cache("c1", "/proc/self/ns/net")
    old_cache("c2", "/run/netns/gone-with-the-boot")
    cache("c-3", nil)
    local status <const>, out <const>, err <const> = gc()
    assert.same({ 0, "freed 10.0.0.2\n" }, { status, out })
    assert.equal("ecmp: gc: taken for alive: 1 whose namespace exists, 1 of which the cache tells "
      .. "no namespace\n", err)
  end)

  it("says how many were taken for alive, and why, as JSON too", function()
    cache("c1", "/proc/self/ns/net")
    assert(sys.create(dir .. "/cache/net-c2-eth0", ""))
    local _, out <const> = gc("--json", "--valid", "c9/eth0")
    local said <const> = assert(json.decode(out))
    assert.same({ namespace = 1, unknown = 0, listed = 1, torn = 1 },
      json.decode(json.encode(said.alive)))
    assert.same({ "10.0.0.3" }, { table.unpack(said.freed) })
  end)

  local function reserved()
    local names <const> = {}
    for _, name in ipairs(sys.list(dir .. "/net")) do
      if ip.parse(name) then names[#names + 1] = name end
    end
    return table.concat(names, " ")
  end

  it("keeps what has a cache entry whose namespace exists, and frees the rest", function()
    cache("c1", "/proc/self/ns/net")
    cache("c2", dir .. "/gone")
    local status <const>, out <const> = gc()
    assert.same({ 0, "freed 10.0.0.2\nfreed 10.0.0.3\n" }, { status, out })
    assert.equal("10.0.0.1", reserved())
  end)

  it("tells what it freed as JSON", function()
    cache("c1", "/proc/self/ns/net")
    assert.same({ "10.0.0.2", "10.0.0.3" },
      { table.unpack(json.decode((select(2, gc "--json"))).freed) })
    assert.matches('"freed":%[%]', (select(2, gc "--json")))
  end)

  it("does not take a file for a namespace because it has the name of one", function()
    cache("c1", "/proc/self/ns/net")
    assert(sys.create(dir .. "/plain", ""))
    cache("c2", dir .. "/plain")
    gc()
    assert.equal("10.0.0.1", reserved())
  end)

  it("keeps an attachment of which the runtime noted no namespace", function()
    cache("c1")
    gc()
    assert.equal("10.0.0.1", reserved())
  end)

  it("keeps what --valid lists", function()
    assert.equal(0, (gc("--valid", "c2/eth0", "--valid", "c-3/eth0")))
    assert.equal("10.0.0.2 10.0.0.3", reserved())
  end)

  it("frees nothing and fails when nothing tells what is alive, unless told --all", function()
    cache("c1", "/proc/self/ns/net", "net-other")
    local status <const>, out <const>, err <const> = gc()
    assert.same({ 1, "" }, { status, out })
    assert.matches("^ecmp: gc: .*no entry for network 'net'.*nothing freed", err)
    assert.equal("10.0.0.1 10.0.0.2 10.0.0.3", reserved())
    assert.equal(0, (gc "--all"))
    assert.equal("", reserved())
  end)

  it("keeps the attachment of a cache file that a crash left empty", function()
    assert(sys.create(dir .. "/cache/net-c-3-eth0", ""))
    cache("c1", dir .. "/gone")
    gc()
    assert.equal("10.0.0.3", reserved())
  end)

  it("leaves the networks of other names alone", function()
    cache("x", "/proc/self/ns/net", "net-b")
    cache("c1", "/proc/self/ns/net")
    do
      local store <close> = assert(Store.open(dir, "net-b"))
      assert(store:reserve(ip.parse "10.0.0.9", "y", "eth0"))
    end
    gc()
    assert.is_not_nil(sys.lstat(dir .. "/net-b/10.0.0.9"))
    assert.equal("10.0.0.1", reserved())
  end)

  it("refuses what it cannot read or does not understand, and frees nothing", function()
    local status, _, err = gc("--valid", "c1")
    assert.equal(2, status)
    assert.matches("%-%-valid: 'c1' is not of the form CONTAINERID/IFNAME", err)
    status, _, err = gc("--all", "--data-dir", dir .. "/none")
    assert.equal(1, status)
    assert.matches("none/net: no such network", err)
    assert.is_nil(sys.lstat(dir .. "/none"))
    status = gc("--all", "--cache-dir", dir .. "/net/lock")
    assert.equal(1, status)
    assert.equal("10.0.0.1 10.0.0.2 10.0.0.3", reserved())
  end)

  it("does the same when run twice", function()
    cache("c1", "/proc/self/ns/net")
    gc()
    local status <const>, out <const> = gc()
    assert.same({ 0, "" }, { status, out })
    assert.equal("10.0.0.1", reserved())
  end)
end)
