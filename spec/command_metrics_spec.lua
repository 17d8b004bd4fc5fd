-- ecmp metrics: the text format, its sources, and what promtool says of it.
local helper = require "spec.helper"
local json = require "ecmp.json"
local metrics = require "ecmp.command.metrics"
local packets = require "ecmp.nl.packets"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local state = require "ecmp.health.state"
local sys = require "ecmp.sys"

local function promtool(text)
  return sys.spawn { argv = { "promtool", "check", "metrics" }, stdin = text, stderr = "capture" }
end

describe("ecmp metrics", function()
  it("escapes labels, and leaves families without samples out", function()
    assert.equal('# HELP a b\n# TYPE a gauge\na{x="1\\"\\\\\\n"} 3\na 4\n', metrics.text {
      { name = "a", type = "gauge", help = "b", samples = { { { "x", '1"\\\n' }, 3 }, { {}, 4 } } },
      { name = "c", type = "gauge", help = "d", samples = {} },
    })
  end)

  it("tells of a source that cannot be read, and goes on with the others", function()
    local said, write <const> = nil, io.stderr
    rawset(io, "stderr", { write = function(_, text) said = text end })
    local families <const> = metrics.gather { { "bad", function() error("no", 0) end },
      { "good", function() return { { name = "a", samples = {} } } end } }
    rawset(io, "stderr", write)
    assert.equal("ecmp: metrics: bad: no\n", said)
    assert.same({ "a", "ecmp_scrape_error" }, { families[1].name, families[2].name })
    assert.same({ { { "source", "bad" }, 1 }, { { "source", "good" }, 0 } }, families[2].samples)
  end)
end)

describe("the metrics of a node #netns", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function()
    helper.remove(dir)
    record.sweep("net", function() return false end)
    helper.remove(state.directory)
  end)

  local function save(id)
    assert(record.save({ conf = { name = "net", type = "ecmp-ptp", ipam = { type = "ecmp-host-local",
      dataDir = dir, ranges = json.array { json.array { { subnet = "10.0.0.0/29" } },
        json.array { { subnet = "fd00::/64" } } } } }, plugin = "ptp", containerid = id,
      ifname = "eth0", netns = "/run/netns/x", args = {} },
      { ipam = "ecmp-host-local", wanted = {}, found = {} }, true))
  end

  it("are attachments, free addresses and the state of gateways, and promtool takes them", function()
    save "c1"
    save "c2"
    assert(sys.mkdir(dir .. "/net"))
    assert(sys.create(dir .. "/net/10.0.0.3", "c1\r\neth0"))
    assert(state.prepare())
    local lock <close> = assert(state.lock())
    assert.is_not_nil(lock)
    assert(state.write_status { edits = 7, gateways = json.array {
      { network = "net", gateway = "10.0.0.1", state = "up" },
      { network = "net", gateway = "10.0.0.1", state = "out" },
      { network = "net", gateway = "10.0.0.2", state = "up" },
      { network = "net", gateway = "10.0.0.4", state = "unknown" } } })
    local text <const> = metrics.text(metrics.gather(metrics.sources))
    for _, line in ipairs { 'ecmp_attachments{network="net"} 2',
      'ecmp_addresses_free{network="net",range="10.0.0.1-10.0.0.6"} 4',
      'ecmp_addresses_free{network="net",range="fd00::1-fd00::ffff:ffff:ffff:ffff"} 9007199254740992',
      'ecmp_hop_up{network="net",gateway="10.0.0.1"} 0',
      'ecmp_hop_up{network="net",gateway="10.0.0.2"} 1', "ecmp_health_edits_total 7",
      'ecmp_scrape_error{source="watch"} 0' } do
      assert.matches("\n" .. line .. "\n", "\n" .. text, 1, true)
    end
    assert.is_nil(text:find("10.0.0.4", 1, true))
    local judged <const> = promtool(text)
    if not judged then pending "promtool is not installed (Debian's prometheus)" return end
    assert.same({ 0, "" }, { judged.status, judged.stdout .. judged.stderr })
  end)

  it("have the free addresses of pools, in one family with those of host-local", function()
    local ranges <const> = json.array { json.array { { subnet = "10.9.0.0/29" } } }
    local store <const> = { directory = dir .. "/pool" }
    assert(record.save({ conf = { name = "net", type = "ecmp-ptp", ipam = { type = "ecmp-pool",
      store = store, ranges = ranges } }, plugin = "ptp", containerid = "c9", ifname = "eth0",
      netns = "/run/netns/x", args = {} }, { ipam = "ecmp-pool", wanted = {}, found = {} }, true))
    save "c1"
    assert(sys.mkdir(dir .. "/pool/net"))
    assert(sys.create(dir .. "/pool/net/10.9.0.2", "c9\r\neth0"))
    local text <const> = metrics.text(metrics.gather(metrics.sources))
    assert.matches('\necmp_addresses_free{network="net",range="10.9.0.1-10.9.0.6"} 4\n', text, 1, true)
    assert.matches('\necmp_addresses_free{network="net",range="10.0.0.1-10.0.0.6"} 5\n', text, 1, true)
    assert.equal(1, select(2, text:gsub("# TYPE ecmp_addresses_free ", "")))
    local judged <const> = promtool(text)
    if judged then assert.same({ 0, "" }, { judged.status, judged.stdout .. judged.stderr }) end
    -- A store that cannot be asked is a source that cannot be read.
    store.directory, store.etcd = nil, json.array { "unix:///nowhere/etcd" }
    assert(record.save({ conf = { name = "net", type = "ecmp-ptp", ipam = { type = "ecmp-pool",
      store = store, ranges = ranges, dataDir = dir } }, plugin = "ptp", containerid = "c9",
      ifname = "eth0", netns = "/run/netns/x", args = {} },
      { ipam = "ecmp-pool", wanted = {}, found = {} }, true))
    assert.matches('ecmp_scrape_error{source="pool"} 1\n',
      metrics.text(metrics.gather(metrics.sources)), 1, true)
  end)

  it("have the packets by next hop of pods whose routes use groups", function()
    local pod <close> = pod_of.new()
    local conf <const> = { cniVersion = "1.1.0", name = "counted", type = "ecmp-bridge",
      bridge = "br0", multipath = { nexthops = "group" }, ipam = { type = "ecmp-static",
        addresses = { { address = "10.0.0.9/24" } }, routes = {
          { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } } } }
    pod:must("ecmp-bridge", "ADD", conf)
    local nl <close> = pod:open()
    for _ = 1, 7 do assert(nl.route:get { dst = "192.0.2.1" }) end
    local text <const> = metrics.text(metrics.gather(metrics.sources))
    local _, _, code <const> = packets.of(nl, nl.route:list({ dst = "default" })[1].nhid)
    pod:must("ecmp-bridge", "DEL", conf)
    assert.matches('\necmp_scrape_error{source="groups"} 0\n', text, 1, true)
    local sum = 0
    for gateway, count in text:gmatch('\necmp_hop_packets_total{network="counted",container="c1",'
      .. 'interface="eth0",gateway="(10%.0%.0%.[12])"} (%d+)%f[\n]') do
      sum = sum + tonumber(count)
      assert.is_string(gateway)
    end
    if code == "EOPNOTSUPP" then pending "this kernel counts no packets by next hop (6.9)" return end
    assert.equal(7, sum)
    local judged <const> = promtool(text)
    if judged then assert.same({ 0, "" }, { judged.status, judged.stdout .. judged.stderr }) end
  end)

  it("are without gateways where no watcher runs", function()
    assert.is_nil(metrics.text(metrics.gather(metrics.sources)):find "ecmp_hop_up")
  end)
end)
