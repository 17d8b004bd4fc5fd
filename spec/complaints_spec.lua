-- What people complained about in the reference plugins, one spec each, by the number under which
-- the project lists the complaints. Numbers 7 to 9 are about what vrf and sbr do to the routes they
-- find; the specs are about what a site has in their place.
local crowd = require "spec.crowd"
local dad = require "ecmp.flow.dad"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local function route(dst, gw, more)
  local made <const> = { dst = dst, gw = gw }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

local four <const> = { route("0.0.0.0/0", "10.0.0.1"), route("0.0.0.0/0", "10.0.0.2") }
local six <const> = { route("::/0", "2001:db8::1"), route("::/0", "2001:db8::2") }
local both <const> = { four[1], four[2], six[1], six[2] }
local four_line <const> = "default nexthop via 10.0.0.1 dev %s weight 1 "
  .. "nexthop via 10.0.0.2 dev %s weight 1"
local six_line <const> = "default metric %d nexthop via 2001:db8::1 dev %s weight 1 "
  .. "nexthop via 2001:db8::2 dev %s weight 1"

local function conf_of(routes, changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-bridge", bridge = "br0",
    ipam = {
      type = "ecmp-static", routes = json.array(routes or {}),
      addresses = {
        { address = "10.0.0.9/24", gateway = "10.0.0.254" },
        { address = "2001:db8::9/64", gateway = "2001:db8::fe" },
      },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

describe("complaint #netns", function()
  local pod, dir

  before_each(function()
    pod, dir = pod_of.new(), helper.directory()
  end)
  after_each(function()
    pod:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  local function add(conf, changes) return pod:must(conf.type, "ADD", conf, changes) end
  local function del(conf, changes) return pod:must(conf.type, "DEL", conf, changes) end
  local function check(conf, result, changes)
    return pod:call(conf.type, "CHECK", pod_of.after(conf, result), changes)
  end
  local function refused(conf, code, pattern, changes)
    local outcome <const> = pod:call(conf.type, "ADD", conf, changes)
    assert.same({ 1, code }, { outcome.status, outcome.json and outcome.json.code })
    assert.matches(pattern, outcome.json.msg)
  end
  local function has(line) assert.is_truthy(table.concat(pod:routes(), "\n"):find(line, 1, true),
    table.concat(pod:routes(), "\n")) end
  local function pool(changes)
    local ipam <const> = { type = "ecmp-host-local", subnet = "10.0.0.0/24", dataDir = dir,
      routes = json.array() }
    for key, value in pairs(changes or {}) do ipam[key] = value end
    return ipam
  end
  local function reserved()
    local list <const> = {}
    for _, name in ipairs(sys.list(dir .. "/lab") or {}) do
      if name:find("^[%x.:]+$") then list[#list + 1] = name end
    end
    return list
  end
  local function rule(text)
    assert(sys.create(dir .. "/rule.lua", text, tonumber("644", 8)))
    return dir .. "/rule.lua"
  end
  --- An interface on a veth, for what a bridge would hide.
  local function master(up)
    pod:run("host", { "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6" })
    pod:ip("host", "link add m0 type veth peer name m1")
    pod:ip("host", "link set m0 up")
    if up then pod:ip("host", "link set m1 up") end
    return { type = "ecmp-macvlan", master = "m0" }
  end

  -- Routes -------------------------------------------------------------------------------------

  it("1: routes of one prefix are one multipath route, or what the site says, in both families",
    function()
      add(conf_of(both))
      assert.same({ four_line:format("eth0", "eth0"), six_line:format(1024, "eth0", "eth0") },
        pod:routes())
      del(conf_of(both))
      add(conf_of(both, { merge = "first" }))
      assert.same({ "default via 10.0.0.1 dev eth0",
        "default via 2001:db8::1 dev eth0 metric 1024" }, pod:routes())
    end)

  it("2: the result says gws where it is asked to, and gws is understood", function()
    local listed <const> = { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } } }
    local result <const> = add(conf_of(listed, { result = "gws" }))
    assert.same({ "10.0.0.1", "10.0.0.1", "10.0.0.2" }, { result.routes[1].gw,
      result.routes[1].gws[1], result.routes[1].gws[2] })
    assert.same({ four_line:format("eth0", "eth0") }, pod:routes())
  end)

  it("3: one multipath entry is told from two entries, and flows take both ways", function()
    add(conf_of(four))
    assert.equal(1, #pod:routes())
    pod:run("pod", { "sh", "-c", "echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy" })
    local counts <const> = pod:spread("198.51.100.1", 100)
    assert.is_true(counts["10.0.0.1"] > 20 and counts["10.0.0.2"] > 20)
    del(conf_of(four))
    add(conf_of(four, { merge = "separate" }))
    assert.equal(2, #pod:routes())
    assert.same({ ["10.0.0.2"] = 100 }, pod:spread("198.51.100.1", 100))
  end)

  it("4: an exact duplicate is one route", function()
    add(conf_of { four[1], four[1], six[1], six[1] })
    assert.same({ "default via 10.0.0.1 dev eth0",
      "default via 2001:db8::1 dev eth0 metric 1024" }, pod:routes())
  end)

  --- A second interface in the same pod, on a bridge of its own.
  local second <const> = { CNI_IFNAME = "net1", CNI_CONTAINERID = "c1" }
  local function second_conf(changes)
    local conf <const> = conf_of({ route("0.0.0.0/0", "10.7.0.1"), route("::/0", "2001:db8:7::1") },
      changes)
    conf.bridge = "br1"
    conf.ipam.addresses = { { address = "10.7.0.9/24" }, { address = "2001:db8:7::9/64" } }
    return conf
  end

  it("5: a second interface does not steal the IPv4 default route", function()
    add(conf_of(four))
    local result <const> = add(second_conf(), second)
    has(four_line:format("eth0", "eth0"))
    has("default via 10.7.0.1 dev net1 metric 1")
    assert.equal(1, result.routes[1].priority)
    assert.is_nil(pod:spread("198.51.100.1", 20)["10.7.0.1"])
  end)

  it("6: a second interface's ::/0 does not join the first one's, unless asked to", function()
    add(conf_of(six))
    add(second_conf(), second)
    has(six_line:format(1024, "eth0", "eth0"))
    has("default via 2001:db8:7::1 dev net1 metric 1025")
    del(second_conf(), second)
    add(second_conf { conflict = "merge" }, second)
    has(six_line:format(1024, "eth0", "eth0") .. " nexthop via 2001:db8:7::1 dev net1 weight 1")
  end)

  it("7: a filter by interface, as vrf uses, finds the second interface's ::/0", function()
    add(conf_of(six))
    add(second_conf(), second)
    assert.matches("default via 2001:db8:7::1 metric 1025",
      pod:ip("pod", "-6 route show default dev net1"))
  end)

  it("8: the table of a vrf gets all routes meant for it, groups whole, beside the main table's",
    function()
      local listed <const> = { four[1] }
      for _, one in ipairs(both) do
        listed[#listed + 1] = route(one.dst, one.gw, { table = 1001 })
      end
      local conf <const> = conf_of(listed)
      local result <const> = add(conf)
      assert.same({ (four_line:format("eth0", "eth0"):gsub("default", "default table 1001")),
        "default via 10.0.0.1 dev eth0",
        (six_line:format(1024, "eth0", "eth0"):gsub("default", "default table 1001")) },
        pod:routes())
      assert.equal(0, check(conf, result).status)
    end)

  it("9: a site can have its groups copied whole into a table for sources of their own", function()
    add(conf_of(both, { script = rule [[
      local R = {}
      function R.plan(plan)
        for i = 1, #plan.routes do
          local copy = { table = 100 }
          for key, value in pairs(plan.routes[i]) do copy[key] = copy[key] or value end
          plan.routes[#plan.routes + 1] = copy
        end
        return plan
      end
      return R]] }))
    assert.equal(4, #pod:routes())
    pod:ip("pod", "rule add from 10.0.0.9 lookup 100 priority 100")
    pod:ip("pod", "-6 rule add from 2001:db8::9 lookup 100 priority 100")
    pod:ip("pod", "route del default")
    pod:ip("pod", "-6 route del default")
    has((four_line:format("eth0", "eth0"):gsub("default", "default table 100")))
    has((six_line:format(1024, "eth0", "eth0"):gsub("default", "default table 100")))
    assert.matches("via 10.0.0.%d dev eth0 table 100",
      pod:ip("pod", "route get 198.51.100.1 from 10.0.0.9"))
    assert.matches("via 2001:db8::%d dev eth0 table 100",
      pod:ip("pod", "route get 2001:db8:f::1 from 2001:db8::9"))
  end)

  it("10: DEL makes no file where the namespace was, and succeeds ever again", function()
    local gone <const> = { CNI_NETNS = dir .. "/netns" }
    for _, kind in ipairs { "ecmp-bridge", "ecmp-ptp", "ecmp-macvlan", "ecmp-ipvlan", "ecmp" } do
      for _ = 1, 2 do del(conf_of(both, { type = kind }), gone) end
      assert.is_nil(sys.lstat(gone.CNI_NETNS))
    end
  end)

  it("11: CHECK passes after a good ADD with tables and groups, and behind the chained plugin",
    function()
      local listed <const> = { four[1], four[2], six[1], six[2],
        route("192.0.2.0/24", "10.0.0.1", { table = 500 }),
        route("192.0.2.0/24", "10.0.0.2", { table = 500 }),
        route("2001:db8:f::/64", "2001:db8::1"), route("2001:db8:f::/64", "2001:db8::2") }
      for _, merge in ipairs { "ecmp", "separate", "failover" } do
        local conf <const> = conf_of(listed, { merge = merge })
        local result <const> = add(conf)
        assert.equal(0, check(conf, result).status)
        local chained <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp" }
        local last <const> = pod:must("ecmp", "ADD", pod_of.after(chained, result))
        assert.equal(0, check(conf, last).status)
        assert.equal(0, check(chained, last).status)
        pod:must("ecmp", "DEL", pod_of.after(chained, last))
        del(conf)
      end
    end)

  it("12: CHECK sees another default gateway and another metric", function()
    local conf <const> = conf_of { four[1] }
    local result <const> = add(conf)
    pod:ip("pod", "route replace default via 10.0.0.7 dev eth0")
    assert.matches("10.0.0.7 dev eth0 is not planned", check(conf, result).json.msg)
    pod:ip("pod", "route del default")
    pod:ip("pod", "route add default via 10.0.0.1 dev eth0 metric 9")
    assert.matches("has it with metric 9", check(conf, result).json.msg)
  end)

  it("13: mtu and advmss of a route are programmed", function()
    add(conf_of { route("192.0.2.0/24", "10.0.0.1", { mtu = 1400, advmss = 1300 }),
      route("::/0", "2001:db8::1", { mtu = 1380 }) })
    has("192.0.2.0/24 via 10.0.0.1 dev eth0 mtu 1400 advmss 1300")
    has("default via 2001:db8::1 dev eth0 metric 1024 mtu 1380")
  end)

  it("14: priority, table and scope are programmed, and judged", function()
    add(conf_of { route("192.0.2.0/24", "10.0.0.1", { priority = 70, table = 1000 }),
      route("198.51.100.0/24", nil, { scope = 253 }),
      route("::/0", "2001:db8::1", { priority = 5, table = 7 }) })
    assert.same({ "192.0.2.0/24 via 10.0.0.1 dev eth0 table 1000 metric 70",
      "198.51.100.0/24 dev eth0 scope link",
      "default via 2001:db8::1 dev eth0 table 7 metric 5" }, pod:routes())
    refused(conf_of { route("192.0.2.0/24", nil, { scope = 256 }) }, 7, "scope", second)
  end)

  it("15: no gateway is forced on a route of link scope, no connected prefix is shadowed",
    function()
      add(conf_of { route("192.0.2.0/24", nil, { scope = 253 }), route("10.0.0.0/24") })
      has("192.0.2.0/24 dev eth0 scope link")
      assert.is_nil(table.concat(pod:routes(), "\n"):find("10.0.0.0/24 via", 1, true))
      assert.matches("10.0.0.0/24 dev eth0 proto kernel", pod:ip("pod", "route"))
      del(conf_of())
      -- Who names the gateway means it.
      add(conf_of { route("10.0.0.0/24", "10.0.0.1") })
      assert.same({ "10.0.0.0/24 via 10.0.0.1 dev eth0" }, pod:routes())
    end)

  it("16: a site can have a default route by IPAM's gateway alone", function()
    add(conf_of({}, { script = rule [[
      local R = {}
      function R.routes(routes, ctx)
        for _, a in ipairs(ctx.addresses) do
          if a.gateway then
            routes[#routes + 1] = { dst = a.gateway:find ":" and "::/0" or "0.0.0.0/0",
              via = a.gateway, dev = a.dev }
          end
        end
        return routes
      end
      return R]] }))
    assert.same({ "default via 10.0.0.254 dev eth0",
      "default via 2001:db8::fe dev eth0 metric 1024" }, pod:routes())
    del(conf_of())
    add(conf_of({}, { isDefaultGateway = true }))
    has("default via 10.0.0.254 dev eth0")
  end)

  it("17: a site can give the gateway for addresses that the runtime asked for", function()
    add(conf_of({ route("0.0.0.0/0") }, { runtimeConfig = { ips = { "10.3.0.9/24" } },
      script = rule [[
        local ip, R = require "ecmp.ip", {}
        function R.routes(routes, ctx)
          for _, r in ipairs(routes) do
            if not r.via then r.via = tostring((ip.parse(ctx.addresses[1].address):network() + 1)
              :address()) end
          end
          return routes
        end
        return R]] }))
    assert.same({ "default via 10.3.0.1 dev eth0" }, pod:routes())
  end)

  it("18: isDefaultGateway and a listed default route without gw are one route", function()
    add(conf_of({ route("0.0.0.0/0") }, { isDefaultGateway = true }))
    assert.equal("default via 10.0.0.254 dev eth0", pod:routes()[1])
  end)

  it("19: macvlan finds its master by a multipath default route, and DEL needs none", function()
    local changes <const> = master(true)
    changes.dad, changes.master = "skip", nil
    pod:ip("host", "addr add 192.0.2.9/24 dev m0")
    pod:ip("host", "route add default nexthop via 192.0.2.1 dev m0 nexthop via 192.0.2.2 dev m0")
    local conf <const> = conf_of(four, changes)
    conf.bridge = nil
    add(conf)
    pod:ip("host", "route del default")
    del(conf)
    del(conf_of({}, { type = "ecmp-ipvlan" }))
  end)

  -- Duplicate address detection ----------------------------------------------------------------

  it("20: an ADD waits for duplicate address detection as long as it takes, and not if told so",
    function()
      local conf <const> = conf_of(six, master(true))
      conf.dad = "skip"
      add(conf)
      assert.is_nil(pod:ip("pod", "-6 addr show dev eth0 scope global"):find("tentative"))
      del(conf)
      if not sys.stat("/proc/sys/net/ipv6/conf/all/optimistic_dad") then return end
      conf.dad = "optimistic"
      -- so that it takes longer than what comes until then
      pod:run("pod", { "sh", "-c", "echo 60 >/proc/sys/net/ipv6/conf/default/dad_transmits" })
      add(conf)
      assert.matches("optimistic", pod:ip("pod", "-6 addr show dev eth0 scope global"))
    end)

  it("21: an address may be used when the ADD returns", function()
    add(conf_of(six, master(true)))
    assert.is_nil(pod:ip("pod", "-6 addr show dev eth0"):find("tentative"))
  end)

  -- How dad.wait ends where an address never settles, and how many seconds pass: those that it waits for
  -- events.
  local function wait_for_ever(carrier)
    local now, real <const> = 0, sys.monotonic
    sys.monotonic = function() return now end
    local entry <const> = { address = "2001:db8::9/64", tentative = true }
    local nl <const> = {
      addr = { list = function() return { entry } end },
      link = { get = function() return { carrier = carrier } end },
      monitor = function()
        return setmetatable({ next = function(_, seconds) now = now + seconds end }, { __close = function() end })
      end,
    }
    local good <const>, ok <const>, message <const> = pcall(dad.wait, nl, "eth0")
    sys.monotonic = real
    assert(good, ok)
    return ok, message, now
  end

  it("22: without carrier nobody waits for seconds", function()
    local ok <const>, _, seconds <const> = wait_for_ever(false)
    assert.is_true(ok and seconds < 1)
    add(conf_of(six, master(false)))
  end)

  it("23: a duplicate address is an error that names it, or no matter where told so", function()
    local conf <const> = conf_of(six, master(true))
    conf.type, conf.dad = "ecmp-macvlan", "skip"
    local other <close> = pod_of.new()
    pod:must("ecmp-macvlan", "ADD", conf,
      { CNI_NETNS = other.path, CNI_CONTAINERID = "c2" })
    conf.dad = "wait"
    refused(conf, 999, "address 2001:db8::9/64 on eth0: another host of this link has it")
    assert.is_nil(pod:ip("pod", "link"):find("eth0"))
    conf.dad = "skip"
    add(conf)
  end)

  it("24: the message about an address that does not settle counts in seconds", function()
    local ok <const>, message <const> = wait_for_ever(true)
    assert.is_nil(ok)
    assert.equal("address 2001:db8::9/64 on eth0: still tentative after 5 s (EAGAIN)", message)
  end)

  it("25: a site can keep router advertisements away before the link comes up", function()
    add(conf_of(six, { script = rule [[
      local R = {}
      function R.plan(plan, ctx)
        for _, key in ipairs { "accept_ra", "autoconf" } do
          plan.sysctls["net/ipv6/conf/" .. ctx.ifname .. "/" .. key] = "0"
        end
        return plan
      end
      return R]] }))
    for _, key in ipairs { "accept_ra", "autoconf" } do
      assert.equal("0\n", pod:run("pod", { "cat", "/proc/sys/net/ipv6/conf/eth0/" .. key }))
    end
  end)

  -- IPAM ---------------------------------------------------------------------------------------

  it("26: GC frees the addresses of pods that are gone", function()
    local conf <const> = conf_of({}, { ipam = pool() })
    add(conf)
    assert.same({ "10.0.0.2" }, reserved())
    local gc <const> = conf_of({}, { ipam = pool() })
    gc["cni.dev/valid-attachments"] = json.array { { containerID = "c1", ifname = "eth0" } }
    pod:must("ecmp-bridge", "GC", gc)
    assert.same({ "10.0.0.2" }, reserved())
    gc["cni.dev/valid-attachments"] = json.array()
    pod:must("ecmp-bridge", "GC", gc)
    assert.same({}, reserved())
  end)

  it("27: a reservation that a crash left empty is not lost", function()
    assert(sys.mkdir(dir .. "/lab", tonumber("755", 8)))
    for i = 1, 6 do
      assert(sys.create(dir .. "/lab/10.0.0." .. i, i == 4 and "" or "x\r\neth0",
        tonumber("600", 8)))
    end
    local conf <const> = conf_of({}, { ipam = pool { subnet = "10.0.0.0/29" } })
    assert.equal("10.0.0.4/29", add(conf).ips[1].address)
  end)

  it("28: STATUS says 50 when the pool is full", function()
    local conf <const> = conf_of({}, { ipam = pool { subnet = "10.0.0.0/30" } })
    pod:must("ecmp-bridge", "STATUS", conf)
    add(conf)
    assert.equal(50, pod:call("ecmp-bridge", "STATUS", conf).json.code)
  end)

  it("29: GC without a list frees nothing", function()
    local conf <const> = conf_of({}, { ipam = pool() })
    add(conf)
    pod:must("ecmp-bridge", "GC", conf)
    local text <const> = json.encode(conf):gsub("^{", '{"cni.dev/valid-attachments":null,')
    pod:must("ecmp-bridge", "GC", text)
    assert.same({ "10.0.0.2" }, reserved())
  end)

  it("30: an ADD after one that failed half-way succeeds", function()
    local conf <const> = conf_of({}, { ipam = pool {
      routes = { route("0.0.0.0/0", "172.31.0.1") } } })
    refused(conf, 999, "ENETUNREACH")
    conf.ipam.routes = json.array()
    add(conf)
    assert.equal(1, #reserved())
  end)

  it("31: what was just freed is not handed out at once", function()
    local conf <const> = conf_of({}, { ipam = pool() })
    assert.equal("10.0.0.2/24", add(conf).ips[1].address)
    del(conf)
    assert.equal("10.0.0.3/24", add(conf).ips[1].address)
  end)

  local kinds <const> = { "ecmp-bridge", "ecmp-ptp", "ecmp-macvlan" }
  local function late_failure(kind)
    local conf <const> = conf_of({}, { type = kind, master = "m0", ipam = pool {
      routes = { route("0.0.0.0/0", "172.31.0.1") } } })
    refused(conf, 999, "ENETUNREACH")
    return conf
  end

  it("32: no link is left behind by an ADD that failed", function()
    master(true)
    -- the names alone: states settle by themselves
    local function veths()
      return pod:ip("host", "-o link show type veth"):gsub("(%d+: [^:]+)[^\n]*", "%1")
    end
    for _, kind in ipairs(kinds) do
      local before <const> = veths()
      late_failure(kind)
      assert.is_nil(pod:ip("pod", "link"):find("eth0"))
      assert.equal(before, (veths()))
    end
  end)

  it("33: no address is left behind by an ADD that failed late", function()
    master(true)
    for _, kind in ipairs(kinds) do
      late_failure(kind)
      assert.same({}, reserved())
    end
  end)

  it("34: an IPAM plugin whose ADD failed is told DEL", function()
    assert(sys.create(dir .. "/moody", ([[#!/bin/sh
echo $CNI_COMMAND >>%s/log
[ $CNI_COMMAND = DEL ] && exit 0
echo '{"code":11,"msg":"not now"}'
exit 1
]]):format(dir), tonumber("755", 8)))
    refused(conf_of({}, { ipam = { type = "moody" } }), 11, "^not now$", { CNI_PATH = dir })
    assert.equal("ADD\nDEL\n", sys.read(dir .. "/log"))
  end)

  -- DEL ----------------------------------------------------------------------------------------

  it("35: DEL does not fail for what is missing, or for a configuration gone bad", function()
    local conf <const> = conf_of(both, { ipam = pool() })
    add(conf)
    pod:ip("pod", "link del eth0")
    pod:ip("host", "link del br0")
    local bad <const> = conf_of(both, { ipam = pool { subnet = "nonsense", routes = 5 }, mtu = "x",
      merge = 3 })
    del(bad, { CNI_ARGS = "nonsense" })
    assert.same({}, reserved())
    del(bad)
  end)

  it("36: a namespace that is the plugin's own is refused before anything is done", function()
    local before <const> = pod:snapshot()
    refused(conf_of(both), 8, "CNI_NETNS", { CNI_NETNS = pod.host_path })
    assert.equal(before, pod:snapshot())
    assert.equal(8, pod:call("ecmp-bridge", "DEL", conf_of(), { CNI_NETNS = pod.host_path })
      .json.code)
  end)

  it("37: DEL does without prevResult, and with one that makes no sense", function()
    for _, prev in ipairs { false, { cniVersion = "9.9.9" }, { ips = 5 }, 7 } do
      local conf <const> = conf_of(both)
      add(conf)
      conf.prevResult = prev or nil
      del(conf)
      assert.is_nil(pod:ip("pod", "link"):find("eth0"))
    end
  end)

  -- Chained ------------------------------------------------------------------------------------

  --- What the chained plugin makes of what the bridge left.
  local function chain(routes, changes)
    local result <const> = add(conf_of(routes, { merge = "separate" }))
    local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp" }
    for key, value in pairs(changes) do conf[key] = value end
    return pod:must("ecmp", "ADD", pod_of.after(conf, result)), conf
  end

  it("38: the kernel's default and a default by prefix are the same route", function()
    chain({ four[1], six[1] }, { delroutes = { { dst = "0.0.0.0/0" }, { dst = "::/0" } } })
    assert.same({}, pod:routes())
  end)

  it("39: routes of several gateways can be deleted, and the result tells the truth", function()
    local result <const> = chain(both, { delroutes = { { dst = "::/0" } } })
    assert.same({ four_line:format("eth0", "eth0") }, pod:routes())
    assert.equal(2, #result.routes)
    local outcome <const> = pod:call("ecmp", "ADD", { cniVersion = "1.1.0", name = "lab",
      type = "ecmp" })
    assert.same({ 1, 7 }, { outcome.status, outcome.json.code })
  end)

  it("40: routes take the address's gateway where they name none, addroutes do not", function()
    chain({}, { routes = { route("192.0.2.0/24") }, addroutes = { route("198.51.100.0/24") } })
    assert.same({ "192.0.2.0/24 via 10.0.0.254 dev eth0", "198.51.100.0/24 dev eth0" },
      pod:routes())
  end)

  it("41: flushroutes flushes multipath routes, too", function()
    chain({ { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } }, six[1], six[2] },
      { flushroutes = true })
    assert.same({}, pod:routes())
  end)

  -- Together, and fast -------------------------------------------------------------------------

  --- Starts ADDs at once, each of a pod of its own; all have to succeed. Their results.
  local function at_once(count, conf)
    local pods <const>, jobs <const>, results <const> = {}, {}, {}
    for i = 1, count do
      pods[i] = pod_of.new()
      jobs[i] = { file = assert(sys.realpath(helper.build)) .. "/cni/" .. conf.type, conf = conf,
        env = { CNI_COMMAND = "ADD", CNI_NETNS = pods[i].path, CNI_CONTAINERID = "p" .. i } }
    end
    for i, outcome in ipairs(crowd.run(jobs, pod.host_path)) do
      assert.equal(0, outcome.status, outcome.stdout)
      results[i] = outcome.json
      pods[i]:close()
    end
    return results
  end

  it("42: several ADDs at once make one bridge with one address", function()
    at_once(6, conf_of({}, { isGateway = true, ipam = pool { routes = json.array() } }))
    assert.equal(1, select(2, pod:ip("host", "-o -4 addr show dev br0"):gsub("\n", "")))
  end)

  it("43: no other program is started for routes and addresses", function()
    local outcome <const> = pod:call("ecmp-bridge", "ADD",
      conf_of(both, { isGateway = true, ipam = pool() }),
      { PATH = "/nowhere", CNI_PATH = "/nowhere" })
    assert.equal(0, outcome.status)
  end)

  it("44: addresses asked for at once are all different", function()
    local seen <const> = {}
    for _, result in ipairs(at_once(12, conf_of({}, { ipam = pool() }))) do
      local address <const> = result.ips[1].address
      assert.is_nil(seen[address])
      seen[address] = true
    end
  end)

  -- 45, an ADD that reads all reservations: spec/plugin_host-local_spec.lua counts its calls

  -- Results ------------------------------------------------------------------------------------

  it("46: IPAM's dns reaches the result of macvlan", function()
    local conf <const> = conf_of({}, master(true))
    conf.dad, conf.ipam.dns = "skip", { nameservers = { "10.0.0.53" } }
    assert.equal("10.0.0.53", add(conf).dns.nameservers[1])
  end)

  it("47: keys of a result that nobody knows are passed on", function()
    local result <const> = add(conf_of { four[1] })
    result.future, result.routes[1].colour = { 1 }, "red"
    local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp" }
    local last <const> = pod:must("ecmp", "ADD", pod_of.after(conf, result))
    assert.equal("red", last.routes[1].colour)
    assert.same({ 1 }, { table.unpack(last.future) })
  end)

  it("48: a route that is there already, and the same, is no error", function()
    local before
    local result <const> = chain(four, { addroutes = four })
    before = pod:routes()
    assert.same({ four_line:format("eth0", "eth0") }, before)
    local again <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp", routes = four }
    pod:must("ecmp", "ADD", pod_of.after(again, result))
    assert.same(before, pod:routes())
  end)
end)
