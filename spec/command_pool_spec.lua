-- ecmp pool: show, free, import, reclaim.
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local json = require "ecmp.json"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local it_etcd <const> = etcd.available and it or pending

describe("ecmp pool #netns #etcd", function()
  local cluster, dir, count, conf
  setup(function()
    count = 0
    if etcd.available then cluster = etcd.cluster() end
  end)
  teardown(function() if cluster then cluster:close() end end)
  before_each(function()
    count, dir = count + 1, helper.directory()
    if not cluster then return end
    local store <const> = cluster:store()
    store.node = "one"
    conf = { cniVersion = "1.1.0", name = "net" .. count, type = "ecmp-bridge", ipam = {
      type = "ecmp-pool", dataDir = dir .. "/disk", store = store,
      ranges = { { { subnet = "10.0.0.0/28" } } } } }
  end)
  after_each(function() helper.remove(dir) end)

  local function ecmp(...)
    local file <const> = dir .. "/conf"
    sys.unlink(file)
    assert(sys.create(file, json.encode(conf)))
    local words <const> = { "pool", ... }
    for i, word in ipairs(words) do words[i] = word == "CONF" and file or word end
    local done <const> = assert(sys.spawn { stderr = "capture", timeout = 30,
      env = runtime.environment(), argv = { "lua5.4", "-e",
        "os.exit(require('ecmp.command').run(arg))", "/dev/null", table.unpack(words) } })
    return done.status, done.stdout, done.stderr
  end

  local function add(id, address, node)
    conf.ipam.store.node = node or "one"
    local outcome <const> = runtime.call("ecmp-pool", "ADD", conf, { CNI_CONTAINERID = id,
      CNI_ARGS = address and "IP=" .. address or "" })
    conf.ipam.store.node = "one"
    assert.equal(0, outcome.status, outcome.stdout)
  end

  it_etcd("show lists who holds what, as text and as JSON, also from a list of plugins", function()
    add("c1", "10.0.0.7")
    add("c2", "10.0.0.3", "two")
    local status <const>, out <const> = ecmp("show", "CONF")
    assert.equal(0, status)
    assert.matches("^10.0.0.3\ttwo\tc2/eth0\t[%dT:Z-]+\n10.0.0.7\tone\tc1/eth0\t[%dT:Z-]+\n"
      .. "10.0.0.1%-10.0.0.14: 2 of 13 in use\n$", out)
    conf = { cniVersion = "1.1.0", name = conf.name, plugins = { conf, { type = "ecmp" } } }
    local _, text <const> = ecmp("show", "--json", "CONF")
    local shown <const> = json.decode(text)
    assert.equal("10.0.0.3 two c2", ("%s %s %s"):format(shown.addresses[1].address,
      shown.addresses[1].node, shown.addresses[1].containerid))
    assert.same({ first = "10.0.0.1", last = "10.0.0.14", size = 13, used = 2 }, shown.ranges[1])
  end)

  it_etcd("free lists what a node holds, and frees it with --yes alone", function()
    add("c1", "10.0.0.7")
    add("c2", "10.0.0.3", "two")
    local status, out, err = ecmp("free", "CONF", "--node", "two")
    assert.same({ 1, "would free c2/eth0: 10.0.0.3\n" }, { status, out })
    assert.matches("nothing freed: %-%-yes frees what node 'two' holds", err)
    status, out, err = ecmp("free", "CONF", "--node", "two", "--yes")
    assert.same({ 0, "freed c2/eth0: 10.0.0.3\n", "" }, { status, out, err })
    out = select(2, ecmp("show", "CONF"))
    assert.matches("^10.0.0.7\tone\t[^\n]*\n10.0.0.1%-10.0.0.14: 1 of 13 in use\n$", out)
    -- the node that was given up begins anew
    add("c3", nil, "two")
  end)

  it_etcd("import takes over host-local's reservations, and names what collides", function()
    local networks <const> = dir .. "/networks"
    assert(sys.mkdir(networks))
    for name, text in pairs { ["10.0.0.4"] = "c4\r\neth0", ["10.0.0.7"] = "c7\r\neth0",
      ["10.9.9.9"] = "c9\r\neth0", lock = "", ["last_reserved_ip.0"] = "10.0.0.7",
      ["10.0.0.8"] = "" } do
      assert(sys.create(networks .. "/" .. name, text))
    end
    add("other", "10.0.0.7", "two")
    local status, out, err = ecmp("import", networks, "CONF", "--dry-run")
    assert.equal(1, status)
    assert.equal("would take c4/eth0: 10.0.0.4\n", out)
    assert.matches("c7/eth0: 10.0.0.7: .*is not available", err)
    assert.matches("c9/eth0: not all of its addresses are in the ranges", err)
    assert.matches("10.0.0.8 names no attachment", err)
    status, out = ecmp("import", networks, "CONF")
    assert.same({ 1, "took c4/eth0: 10.0.0.4\n" }, { status, out })
    -- again, and nothing is taken twice
    status, out = ecmp("import", networks, "CONF")
    assert.same({ 1, "took c4/eth0: 10.0.0.4\n" }, { status, out })
    local outcome <const> = runtime.call("ecmp-pool", "DEL", conf, { CNI_CONTAINERID = "c4" })
    assert.equal(0, outcome.status)
    out = select(2, ecmp("show", "CONF"))
    assert.matches("^10.0.0.7\ttwo\tother/eth0\t[^\n]*\n10.0.0.1", out)
  end)

  it_etcd("reclaim puts live attachments back after a restore, and names what collides", function()
    local cache <const> = dir .. "/results"
    assert(sys.mkdir(cache))
    local function entry(id, address, netns)
      assert(sys.create(("%s/%s-%s-eth0"):format(cache, conf.name, id), json.encode {
        kind = "cniCacheV1", containerId = id, ifName = "eth0", networkName = conf.name,
        netns = netns, result = { cniVersion = "1.1.0", ips = { { address = address .. "/28" } } } }))
    end
    entry("alive", "10.0.0.5", "/proc/self/ns/net")
    entry("beaten", "10.0.0.6", "/proc/self/ns/net")
    entry("dead", "10.0.0.7", dir .. "/none")
    -- the copy of etcd is from before "alive" and "beaten"; meanwhile somebody got the latter's
    add("thief", "10.0.0.6", "two")
    local status <const>, out <const>, err <const> =
      ecmp("reclaim", "CONF", "--cache-dir", cache)
    assert.same({ 1, "took alive/eth0: 10.0.0.5\n" }, { status, out })
    assert.matches("beaten/eth0: 10.0.0.6: .*is not available", err)
    assert.matches("1 of 2 attachments collide", err)
    conf.prevResult = nil
    assert.equal(0, runtime.call("ecmp-pool", "CHECK", conf, { CNI_CONTAINERID = "alive" }).status)
  end)

  it_etcd("says what is no configuration of a pool", function()
    conf.ipam.type = "host-local"
    local status <const>, _, err <const> = ecmp("show", "CONF")
    assert.equal(1, status)
    assert.matches("no plugin's ipam.type is ecmp%-pool", err)
  end)
end)
