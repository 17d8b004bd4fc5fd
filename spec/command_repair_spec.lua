-- ecmp repair: what check names is mended, nothing else is touched, and check is clean afterwards.
local attachment = require "ecmp.health.attachment"
local flow_health = require "ecmp.flow.health"
local health_state = require "ecmp.health.state"
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local NETWORKS <const> = { "br", "vlans", "pair", "groups" }

describe("ecmp repair #netns", function()
  local pod, others, has_vlans

  -- Kernels without CONFIG_BRIDGE_VLAN_FILTERING have no VLANs of ports to repair.
  setup(function()
    local space <close> = assert(netns.create())
    local nl <close> = assert(require "ecmp".open { netns = netns.path(space) })
    has_vlans = nl.link:add { name = "v0", type = "bridge", vlan_filtering = 1 } == true
  end)

  before_each(function() pod, others = pod_of.new(), {} end)
  after_each(function()
    pod:close()
    for _, space in pairs(others) do space:close() end
    for _, name in ipairs(NETWORKS) do record.sweep(name, function() return false end) end
  end)

  local function argv(...)
    return { "lua5.4", "-e", helper.paths()
      .. "os.exit(require('ecmp.command').run(arg), true)", "/dev/null", ... }
  end

  local function ecmp(...)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 60,
      netns = pod.host_path, argv = argv(...) })
    assert.equal("", outcome.stderr)
    return outcome.status, outcome.stdout
  end

  local function in_pod(id, ...)
    local path <const> = netns.path(others[id])
    local outcome <const> = assert(sys.spawn { argv = { ... }, netns = path, stderr = "capture" })
    assert.equal(0, outcome.status, outcome.stderr)
    return outcome.stdout
  end

  local function add(id, conf, number)
    others[id] = assert(netns.create())
    in_pod(id, "ip", "link", "set", "lo", "up")
    conf.cniVersion, conf.dad = "1.1.0", "skip"
    conf.ipam = { type = "ecmp-static", addresses = { {
      address = ("10.%d.0.%d/24"):format(number, number + 8), gateway = ("10.%d.0.1"):format(number),
    } }, routes = {
      { dst = "10.200.0.0/16", gw = ("10.%d.0.1"):format(number) },
      { dst = "10.201.0.0/16", nexthops = { { gw = ("10.%d.0.1"):format(number), weight = 3 },
        { gw = ("10.%d.0.2"):format(number) } } },
    } }
    if conf.type == "ecmp-ptp" then conf.ipam.routes[2] = nil end
    pod:must(conf.type, "ADD", conf, { CNI_CONTAINERID = id, CNI_NETNS = netns.path(others[id]) })
  end

  local function attach_all()
    for i, id in ipairs { "b1", "b2" } do
      add(id, { name = "br", type = "ecmp-bridge", bridge = "br0", ipMasq = true,
        macspoofchk = true, multipath = { hash = "l4" },
        policyRules = { { from = "self", table = 100 } } }, i)
    end
    add("v1", { name = "vlans", type = "ecmp-bridge", bridge = "br1",
      vlanTrunk = has_vlans and { { id = 30 } } or nil }, 3)
    add("p1", { name = "pair", type = "ecmp-ptp", ipMasq = true }, 4)
    add("g1", { name = "groups", type = "ecmp-bridge", bridge = "br2",
      multipath = { nexthops = "group" } }, 5)
  end

  local function port_of(id)
    local was <const> = record.read { conf = { name = "vlans" }, containerid = id, ifname = "eth0" }
    return was.steps[1].result.interfaces[2].name
  end

  local function vlan_line(text)
    return ("vlans/v1/eth0: %s\n"):format(has_vlans and text:format(port_of "v1")
      or text:find "is not" and "ok" or "nothing to do")
  end

  local CLEAN <const> = "br/b1/eth0: ok\nbr/b2/eth0: ok\ngroups/g1/eth0: ok\npair/p1/eth0: ok\n"
    .. "vlans/v1/eth0: ok\n"

  local function harm()
    pod:run("host", { "nft", "flush", "ruleset" })
    in_pod("b1", "ip", "route", "del", "10.200.0.0/16")
    in_pod("b1", "ip", "route", "replace", "10.201.0.0/16", "nexthop", "via", "10.1.0.1",
      "weight", "1", "nexthop", "via", "10.1.0.2")
    in_pod("b2", "ip", "rule", "del", "from", "10.2.0.10", "lookup", "100")
    in_pod("b2", "sh", "-c", "echo 0 >/proc/sys/net/ipv4/fib_multipath_hash_policy")
    if has_vlans then
      pod:run("host", { "bridge", "vlan", "del", "dev", port_of "v1", "vid", "30" })
    end
    pod:ip("host", "route del 10.4.0.12")
    in_pod("g1", "ip", "nexthop", "flush")
  end

  local NFT <const> = "ipMasq: 0 of 1 addresses are masqueraded by nftables"
  local SPOOF <const> = "macspoofchk: 0 of 4 rules are there"
  local HARMED <const> = table.concat({
    ("br/b1/eth0: %s; %s; route 10.200.0.0/16 is missing; route 10.201.0.0/16: next hop via "
      .. "10.1.0.1 dev eth0 has weight 1, planned is 3"):format(NFT, SPOOF),
    ("br/b2/eth0: %s; %s; policy rule 1000: from 10.2.0.10/32 lookup 100 is missing; "
      .. "sysctl net.ipv4.fib_multipath_hash_policy is 0, planned is 1"):format(NFT, SPOOF),
    "groups/g1/eth0: route 10.201.0.0/16 is missing",
    ("pair/p1/eth0: the host's route to 10.4.0.12/32 is missing; %s\n"):format(NFT),
  }, "\n")

  it("mends what check names, and check is clean", function()
    attach_all()
    assert.same({ 0, CLEAN }, { ecmp "check" })
    harm()
    local status <const>, found = ecmp "check"
    assert.equal(1, status)
    assert.equal(HARMED .. vlan_line "port %s is not in vlan 30", found)

    local dry <const>, said <const> = ecmp("repair", "--dry-run")
    assert.equal(0, dry)
    found = select(2, ecmp "check")
    assert.equal(HARMED, found:match "^(.*)vlans/")

    assert.same({ 0, said }, { ecmp "repair" })
    assert.same({ 0, CLEAN }, { ecmp "check" })
    assert.matches("br/b1/eth0: route [^\n]*10.200.0.0/16[^\n]*; ipMasq by nftables; macspoofchk\n",
      said)
    assert.matches("br/b2/eth0: sysctl net.ipv4.fib_multipath_hash_policy = 1; policy rule 1000: from "
      .. "10.2.0.10/32 lookup 100; ipMasq by nftables; macspoofchk\n", said, 1, true)
    assert.matches(vlan_line "port %s in vlan 30", said, 1, true)
    assert.matches("pair/p1/eth0: the host's route to 10.4.0.12/32; ipMasq by nftables\n", said, 1,
      true)
    local clean <const> = (ecmp "repair") == 0 and select(2, ecmp "repair")
    assert.equal(CLEAN:gsub(": ok", ": nothing to do"), clean)
  end)

  it("touches nothing of others", function()
    attach_all()
    in_pod("b1", "ip", "route", "del", "10.200.0.0/16")
    in_pod("b1", "ip", "route", "add", "10.99.0.0/16", "via", "10.1.0.7")
    local watch <const> = assert(require "ecmp".open { netns = netns.path(others.b2) })
    local events <close> = watch:monitor { "route", "addr", "link", "rule" }
    assert.equal(0, (ecmp("repair", "br/b1/eth0")))
    assert.is_nil((events:next(0)))
    watch:close()
    assert.matches("10.99.0.0/16 via 10.1.0.7", in_pod("b1", "ip", "route"))
    assert.equal(0, (ecmp("check", "br/b1/eth0")))
  end)

  it("makes neither addresses nor links, and says what is left", function()
    attach_all()
    in_pod("b1", "ip", "addr", "del", "10.1.0.9/24", "dev", "eth0")
    in_pod("v1", "ip", "link", "del", "eth0")
    local status <const>, out <const> = ecmp "repair"
    assert.equal(1, status)
    assert.matches("br/b1/eth0: [^\n]*address 10.1.0.9/24 is missing on eth0", out)
    assert.matches("vlans/v1/eth0: nothing to do; left: [^\n]*interface eth0 is missing", out)
    assert.equal("", in_pod("b1", "ip", "-4", "addr", "show", "dev", "eth0"))
  end)

  it("leaves out what ecmp watch took out, and puts it back when told to", function()
    add("h1", { name = "br", type = "ecmp-bridge", bridge = "br0", health = { probe = "icmp" } }, 1)
    local path <const> =
      record.path { conf = { name = "br" }, containerid = "h1", ifname = "eth0" }
    local function hops()
      return (in_pod("h1", "ip", "route", "show", "10.201.0.0/16"):gsub("%s+", " "))
    end
    local whole <const> = hops()
    local watched <const> = attachment.new(flow_health.describe(path, record.at(path)))
    assert(watched:read())
    assert(health_state.prepare())
    watched:sync(4, function(name) return name == "10.1.0.2" end, 1,
      function(_, done, message) assert(done, message) end)
    local suspended <const> = hops()
    assert.is_nil(suspended:find("10.1.0.2", 1, true))
    assert.matches("via 10.1.0.1", suspended, 1, true)

    local function repair(...)
      in_pod("h1", "ip", "route", "del", "10.200.0.0/16")
      local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 60,
        netns = pod.host_path, argv = argv("repair", ...) })
      -- Nobody would bring the hop back.
      assert.matches("^ecmp: CHECK: next hops are out, and no `ecmp watch` runs", outcome.stderr)
      assert.equal(0, outcome.status, outcome.stdout)
      return outcome.stdout
    end
    assert.is_nil(repair():find "next hops back")
    assert.equal(suspended, hops())
    local told <const> = repair("--dry-run", "--ignore-health")
    assert.matches("next hops back that ecmp watch took out; route [^\n]*10.200.0.0/16", told)
    assert.equal(suspended, hops())
    in_pod("h1", "ip", "route", "add", "10.200.0.0/16", "via", "10.1.0.1")
    assert.equal(told, repair "--ignore-health")
    assert.equal(whole, hops())
    assert.same({ 0, "br/h1/eth0: ok\n" }, { ecmp "check" })
    assert.same({ 0, "br/h1/eth0: nothing to do\n" }, { ecmp("repair", "--ignore-health") })
  end)

  it("goes on where one that was killed stopped", function()
    attach_all()
    for round = 1, math.min(200, 12 * helper.rounds) do
      harm()
      -- At other moments in each dozen of rounds.
      local after <const> = 0.02 * ((round - 1) % 12 + 1) + 0.0011 * (round // 12)
      local killed <const> = assert(sys.spawn { stderr = "capture", netns = pod.host_path, argv = {
        "timeout", "-s", "KILL", ("%.4f"):format(after), table.unpack(argv "repair") } })
      assert.is_not_nil(killed)
      assert.equal(0, (ecmp "repair"))
      assert.same({ 0, CLEAN }, { ecmp "check" })
    end
  end)
end)
