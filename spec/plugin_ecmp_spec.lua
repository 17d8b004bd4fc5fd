local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local function main_conf(routes, changes)
  local conf <const> = {
    cniVersion = "1.0.0", name = "chain", type = "bridge", bridge = "br0",
    ipam = {
      type = "static", routes = json.array(routes),
      addresses = {
        { address = "10.0.0.9/24", gateway = "10.0.0.254" },
        { address = "2001:db8::9/64", gateway = "2001:db8::fe" },
      },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

local function chained(changes)
  local conf <const> = { cniVersion = "1.0.0", name = "chain", type = "ecmp" }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

local gateways <const> = {
  { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
  { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" },
}
local four <const> =
  "default nexthop via 10.0.0.%d dev eth0 weight 1 nexthop via 10.0.0.%d dev eth0 weight 1"
local six <const> = "default metric 1024 nexthop via 2001:db8::%d dev eth0 weight 1 "
  .. "nexthop via 2001:db8::%d dev eth0 weight 1"
local as_listed <const> = {
  "default via 10.0.0.2 dev eth0", "default via 10.0.0.1 dev eth0", six:format(1, 2),
}

describe("the chained plugin ecmp #netns", function()
  local pod
  local stock <const> = sys.stat(pod_of.reference .. "/bridge")
    and pod_of.reference .. "/bridge" or "ecmp-bridge"

  before_each(function() pod = pod_of.new() end)
  after_each(function() pod:close() end)

  --- What a main plugin leaves, and then the chained one; the result of the latter.
  local function chain(routes, changes, main_changes)
    local main <const> = main_conf(routes, main_changes)
    main.merge = "separate"
    local first <const> = pod:must(stock, "ADD", main)
    local conf <const> = chained(changes)
    local result <const> = pod:must("ecmp", "ADD", pod_of.after(conf, first))
    pod:must("ecmp", "CHECK", pod_of.after(conf, result))
    return result, conf, first, main
  end

  it("regroups what the main plugin left, in both families", function()
    local result <const>, conf, _, main = chain(gateways)
    assert.same({ four:format(1, 2), six:format(1, 2) }, pod:routes())
    assert.equal(4, #result.routes)
    pod:run("pod", { "sh", "-c", "echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy" })
    local counts <const> = pod:spread("198.51.100.1", 100)
    assert.is_true(counts["10.0.0.1"] > 20 and counts["10.0.0.2"] > 20)
    pod:must("ecmp", "DEL", pod_of.after(conf, result))
    assert.same(as_listed, pod:routes())
    pod:must(stock, "DEL", main)
    assert.is_nil(sys.stat(record.directory .. "/chain:c1:eth0.json"))
  end)

  describe("asked for nothing", function()
    -- Routes that no configuration of CNI can ask for, as plugins of others make them.
    local made <const> = { "route add 192.168.77.1 dev eth0 scope link",
      "route add 192.0.2.0/24 via 192.168.77.1 dev eth0",
      "route add 198.51.100.0/24 via 10.0.0.1 dev eth0 proto static metric 7 mtu 1400",
      "route add 203.0.113.0/24 dev eth0 scope link advmss 1300 src 10.0.0.9",
      "-6 route add 2001:db8:9::/48 via 2001:db8::1 dev eth0 proto static metric 7 mtu 1400 pref high",
      "-6 route add 2001:db8:a::/48 dev eth0" }
    -- As those list them, by what CNI has words for.
    local listed <const> = { { dst = "192.168.77.1/32" }, { dst = "192.0.2.0/24", gw = "192.168.77.1" },
      { dst = "198.51.100.0/24", gw = "10.0.0.1" }, { dst = "203.0.113.0/24" },
      { dst = "2001:db8:9::/48", gw = "2001:db8::1" }, { dst = "2001:db8:a::/48" } }

    for _, merge in ipairs { "ecmp", "separate" } do
      for what, routes in pairs { ["that are listed"] = listed, ["that nobody lists"] = {} } do
        it(("changes none of the routes %s, under %s"):format(what, merge), function()
          local first <const> = pod:must(stock, "ADD", main_conf({}))
          for _, line in ipairs(made) do pod:ip("pod", line) end
          first.routes = routes[1] and routes or nil
          local before <const> = pod:routes()
          local conf <const> = chained { merge = merge }
          local result <const> = pod:must("ecmp", "ADD", pod_of.after(conf, first))
          assert.same(before, pod:routes())
          first.dns = nil
          assert.same(json.encode(first), json.encode(result))
          pod:must("ecmp", "CHECK", pod_of.after(conf, result))
          -- By the gateway that a route of link scope reaches, more can be reached.
          pod:ip("pod", "route add 100.64.0.0/16 via 192.168.77.1 dev eth0")
          pod:ip("pod", "route del 100.64.0.0/16")
          pod:must("ecmp", "DEL", pod_of.after(conf, result))
          assert.same(before, pod:routes())
        end)
      end
    end
  end)

  it("says what is so of a router behind a router, such as all but one behind ptp", function()
    local plugin <const> = sys.stat(pod_of.reference .. "/ptp") and pod_of.reference .. "/ptp"
      or "ecmp-ptp"
    local main <const> = main_conf({}, { type = "ptp" })
    main.ipam.addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } }
    local first <const> = pod:must(plugin, "ADD", main)
    local routes <const> = { { dst = "192.0.2.0/24", gw = "10.0.0.1" },
      { dst = "192.0.2.0/24", gw = "10.0.0.2" } }
    local outcome <const> = pod:call("ecmp", "ADD", pod_of.after(chained { addroutes = routes }, first))
    assert.matches("ENETUNREACH", outcome.json.msg)
    assert.matches("10.0.0.2 is reached by way of 10.0.0.1 there and is no neighbour of the pod",
      outcome.json.msg, 1, true)
    -- And what it says to do is so.
    pod:must("ecmp", "ADD", pod_of.after(chained { addroutes = { { dst = "192.0.2.0/24", nexthops = {
      { gw = "10.0.0.1" }, { gw = "10.0.0.2", onlink = true } } } } }, first))
    assert.matches("nexthop via 10.0.0.2 dev eth0 weight 1 onlink", table.concat(pod:routes(), "; "))
  end)

  it("takes away what it added on other interfaces, and adds the same once more", function()
    local first <const> = pod:must(stock, "ADD", main_conf { { dst = "0.0.0.0/0", gw = "10.0.0.1" } })
    pod:ip("host", "link add o0 type veth peer name o1")
    pod:ip("host", "link set o1 netns " .. pod.path)
    pod:ip("pod", "link set o1 name net1 up")
    pod:ip("host", "link set o0 up")
    pod:ip("pod", "addr add 10.7.0.9/24 dev net1")
    pod:ip("pod", "-6 addr add 2001:db8:7::9/64 dev net1 nodad")
    -- One way by the other interface was there before.
    pod:ip("pod", "route add 203.0.113.0/24 via 10.7.0.1 dev net1")
    pod:ip("pod", "-6 route add 2001:db8:b::/48 via 2001:db8:7::1 dev net1")
    local function hops(...)
      local list <const> = {}
      for i, gw in ipairs { ... } do
        list[i] = { gw = gw, dev = gw:find "10.7" and "net1" or gw:find ":7:" and "net1" or "eth0" }
      end
      return list
    end
    local conf <const> = chained { conflict = "merge", addroutes = {
      { dst = "192.0.2.0/24", nexthops = hops("10.0.0.1", "10.7.0.1") },
      { dst = "198.51.100.0/24", nexthops = hops("10.7.0.2") },
      { dst = "203.0.113.0/24", nexthops = hops("10.0.0.1", "10.7.0.2") },
      { dst = "2001:db8:9::/48", nexthops = hops("2001:db8::1", "2001:db8:7::1") },
      { dst = "2001:db8:a::/48", nexthops = hops("2001:db8:7::2") },
      { dst = "2001:db8:b::/48", nexthops = hops("2001:db8::1", "2001:db8:7::2") },
    } }
    local before <const>, once = pod:routes(), nil
    for _ = 1, 2 do
      local result <const> = pod:must("ecmp", "ADD", pod_of.after(conf, first))
      once = once or pod:routes()
      assert.same(once, pod:routes())
      pod:must("ecmp", "CHECK", pod_of.after(conf, result))
      pod:must("ecmp", "DEL", pod_of.after(conf, result))
      assert.same(before, pod:routes())
    end
    assert.matches("203.0.113.0/24 nexthop via 10.7.0.1 dev net1", table.concat(once, "; "), 1, true)
  end)

  it("passes prevResult on as it came where nothing changed", function()
    local result <const>, _, first = chain { { dst = "0.0.0.0/0", gw = "10.0.0.1" } }
    first.dns = nil -- the reference prints an empty one
    assert.same(json.encode(first), json.encode(result))
  end)

  it("changes nothing under separate", function()
    chain(gateways, { merge = "separate" })
    assert.same(as_listed, pod:routes())
  end)

  it("keeps the first listed under first, though the kernel's list is the other way round",
    function()
      chain(gateways, { merge = "first" })
      assert.same({ "default via 10.0.0.1 dev eth0",
        "default via 2001:db8::1 dev eth0 metric 1024" }, pod:routes())
    end)

  it("spreads them over metrics under failover", function()
    chain(gateways, { merge = "failover" })
    assert.same({ "default via 10.0.0.1 dev eth0", "default via 10.0.0.2 dev eth0 metric 1",
      "default via 2001:db8::1 dev eth0 metric 1024",
      "default via 2001:db8::2 dev eth0 metric 1025" }, pod:routes())
  end)

  it("takes gws of prevResult as all there is, whatever the main plugin made of it", function()
    local main <const> = main_conf { { dst = "0.0.0.0/0" } }
    local first <const> = pod:must(stock, "ADD", main)
    first.routes[1].gw = nil -- which ours writes down, and the reference does not
    first.routes[1].gws = { "10.0.0.1", "10.0.0.2" }
    pod:must("ecmp", "ADD", pod_of.after(chained(), first))
    assert.same({ four:format(1, 2) }, pod:routes())
  end)

  it("finds routes that prevResult does not tell of", function()
    local main <const> = main_conf { { dst = "0.0.0.0/0", gw = "10.0.0.1" } }
    local first <const> = pod:must(stock, "ADD", main)
    pod:ip("pod", "route append default via 10.0.0.3 dev eth0")
    pod:must("ecmp", "ADD", pod_of.after(chained(), first))
    assert.same({ four:format(1, 3) }, pod:routes())
  end)

  it("takes routes of its own, with the address's gateway where they name none", function()
    local result <const>, conf = chain({}, { routes = {
      { dst = "192.0.2.0/24" }, { dst = "192.0.2.0/24", gw = "10.0.0.1" },
      { dst = "198.51.100.0/24",
        nexthops = { { gw = "10.0.0.1", weight = 2 }, { gw = "10.0.0.2" } } },
    } })
    local hop <const> = " nexthop via 10.0.0.%d dev eth0 weight %d"
    assert.same({
      "192.0.2.0/24" .. hop:format(254, 1) .. hop:format(1, 1),
      "198.51.100.0/24" .. hop:format(1, 2) .. hop:format(2, 1),
    }, pod:routes())
    pod:must("ecmp", "DEL", pod_of.after(conf, result))
    assert.same({}, pod:routes())
  end)

  it("leaves the routes of other interfaces alone", function()
    pod:ip("pod", "link add net1 type veth peer name other")
    for _, command in ipairs { "link set net1 up", "link set other up",
      "addr add 10.9.0.9/24 dev net1", "addr add 2001:db8:9::9/64 dev net1 nodad",
      "route add default via 10.9.0.1 dev net1 metric 5",
      "-6 route add default via 2001:db8:9::1 dev net1" } do
      pod:ip("pod", command)
    end
    chain(gateways)
    assert.same({ four:format(1, 2), "default via 10.9.0.1 dev net1 metric 5",
      "default via 2001:db8:9::1 dev net1 metric 1024",
      (six:format(1, 2):gsub("1024", "1025")) }, pod:routes())
  end)

  it("shares a route with them when told to merge, and DEL parts them again", function()
    pod:ip("pod", "link add net1 type veth peer name other")
    for _, command in ipairs { "link set net1 up", "link set other up",
      "addr add 10.9.0.9/24 dev net1", "route add default via 10.9.0.1 dev net1" } do
      pod:ip("pod", command)
    end
    local result <const>, conf =
      chain({ gateways[1], gateways[2] }, { conflict = "merge" })
    assert.same({ "default nexthop via 10.9.0.1 dev net1 weight 1 nexthop via 10.0.0.1 dev eth0 "
      .. "weight 1 nexthop via 10.0.0.2 dev eth0 weight 1" }, pod:routes())
    pod:must("ecmp", "DEL", pod_of.after(conf, result))
    local left <const> = pod:routes()
    table.sort(left)
    assert.same({ "default via 10.0.0.1 dev eth0", "default via 10.0.0.2 dev eth0",
      "default via 10.9.0.1 dev net1" }, left)
  end)

  describe("with the keys of route-override", function()
    it("flushroutes takes all routes with a gateway, multipath ones too", function()
      local result <const> = chain(gateways, { flushroutes = true })
      assert.same({}, pod:routes())
      assert.is_nil(result.routes)
    end)

    it("flushgateway takes the defaults, and the result's gateways are nowhere", function()
      local result <const> = chain({ gateways[3], gateways[4],
        { dst = "192.0.2.0/24", gw = "10.0.0.1" } }, { flushgateway = true })
      assert.same({ "192.0.2.0/24 via 10.0.0.1 dev eth0" }, pod:routes())
      assert.same({ "0.0.0.0", "::" }, { result.ips[1].gateway, result.ips[2].gateway })
    end)

    it("delroutes takes whole routes, or only the next hops it lists", function()
      chain(gateways, { delroutes = {
        { dst = "0.0.0.0/0" }, { dst = "::/0", gws = { "2001:db8::1" } },
      } })
      assert.same({ "default via 2001:db8::2 dev eth0 metric 1024" }, pod:routes())
    end)

    it("flushing leaves tables alone that other plugins keep", function()
      local first <const> = pod:must(stock, "ADD", main_conf(gateways))
      pod:ip("pod", "route add default via 10.0.0.1 dev eth0 table 100")
      pod:ip("pod", "route add 192.0.2.0/24 via 10.0.0.1 dev eth0 table 100")
      local before <const> = pod:routes()
      pod:must("ecmp", "ADD", pod_of.after(chained { flushroutes = true, flushgateway = true,
        delroutes = { { dst = "192.0.2.0/24" } } }, first))
      local after <const> = {}
      for _, line in ipairs(before) do
        if line:find("table 100") then after[#after + 1] = line end
      end
      assert.same(after, pod:routes())
    end)

    it("delroutes with a gw takes that hop alone, and by route-override's name all, as there", function()
      chain(gateways, { delroutes = { { dst = "0.0.0.0/0", gw = "10.0.0.2" },
        { dst = "::/0", gw = "2001:db8::1" } } })
      assert.same({ "default via 10.0.0.1 dev eth0", "default via 2001:db8::2 dev eth0 metric 1024" },
        pod:routes())
    end)

    it("delroutes by route-override's name takes all of a prefix, whatever gw it has", function()
      local dir <const> = helper.directory()
      local plugin <const> = dir .. "/route-override"
      assert(sys.symlink(assert(sys.realpath(helper.build .. "/bin/ecmp")), plugin))
      local first <const> = pod:must(stock, "ADD", main_conf(gateways))
      pod:must(plugin, "ADD", pod_of.after(chained { type = "route-override",
        delroutes = { { dst = "0.0.0.0/0", gw = "10.0.0.2" } } }, first))
      assert.same({ six:format(1, 2) }, pod:routes())
      helper.remove(dir)
    end)

    it("flushgateway leaves the main plugin's CHECK content, where that has a gateway", function()
      local main <const> = main_conf({ { dst = "192.0.2.0/24" } }, { type = "ecmp-bridge" })
      main.ipam.type = "ecmp-static"
      local first <const> = pod:must("ecmp-bridge", "ADD", main)
      local conf <const> = chained { flushgateway = true }
      local result <const> = pod:must("ecmp", "ADD", pod_of.after(conf, first))
      assert.equal("0.0.0.0", result.ips[1].gateway)
      pod:must("ecmp-bridge", "CHECK", pod_of.after(main, result))
      pod:must("ecmp", "CHECK", pod_of.after(conf, result))
    end)

    it("delroutes takes routes of the table and with the priority that it names", function()
      chain({}, { routes = { { dst = "192.0.2.0/24", gw = "10.0.0.1" },
        { dst = "192.0.2.0/24", gw = "10.0.0.2", table = 100 },
        { dst = "192.0.2.0/24", gw = "10.0.0.3", priority = 50 },
        { dst = "198.51.100.0/24", gw = "10.0.0.1", priority = 7 },
        { dst = "198.51.100.0/24", gw = "10.0.0.1" } } })
      local first <const> = pod:routes()
      assert.equal(5, #first)
      local conf <const> = chained { delroutes = { { dst = "192.0.2.0/24", table = 100 },
        { dst = "192.0.2.0/24", priority = 50 }, { dst = "198.51.100.0/24" } } }
      local prev <const> = { cniVersion = "1.0.0", interfaces = { { name = "eth0",
        sandbox = pod.path } }, ips = { { address = "10.0.0.9/24", interface = 0 } } }
      pod:must("ecmp", "ADD", pod_of.after(conf, prev))
      assert.same({ "192.0.2.0/24 via 10.0.0.1 dev eth0" }, pod:routes())
    end)

    it("addroutes adds what it says, grouped", function()
      local result <const> = chain({ gateways[1] }, { delroutes = { { dst = "0.0.0.0/0" } },
        addroutes = { { dst = "0.0.0.0/0", gw = "10.0.0.7" },
          { dst = "0.0.0.0/0", gw = "10.0.0.8" }, { dst = "192.0.2.0/24" } } })
      assert.same({ four:format(7, 8), "192.0.2.0/24 dev eth0" },
        { pod:routes()[1], (pod:routes()[2]:gsub(" scope .*", "")) })
      assert.equal(3, #result.routes)
    end)

    it("args.cni goes before the configuration", function()
      chain(gateways, { flushroutes = true, args = { cni = { flushroutes = false } } })
      assert.equal(2, #pod:routes())
    end)

    it("skipcheck makes CHECK pass whatever there is", function()
      local result <const>, conf = chain(gateways, { skipcheck = true })
      pod:ip("pod", "route del default")
      pod:must("ecmp", "CHECK", pod_of.after(conf, result))
    end)

    it("CHECK fails when a deleted route is there again", function()
      local result <const>, conf =
        chain({ gateways[1] }, { delroutes = { { dst = "0.0.0.0/0" } } })
      pod:ip("pod", "route add default via 10.0.0.1 dev eth0")
      local outcome <const> = pod:call("ecmp", "CHECK", pod_of.after(conf, result))
      assert.equal(1, outcome.status)
      assert.matches("route 0.0.0.0/0 .*deleted", outcome.json.msg)
    end)
  end)

  it("leaves alone what nobody can ask for, and names what prevResult says wrongly", function()
    local main <const> = main_conf { gateways[1] }
    local first <const> = pod:must(stock, "ADD", main)
    local odd <const> = "192.0.2.0/24 nexthop via 10.0.0.1 dev eth0 weight 1 "
      .. "nexthop via 10.0.0.1 dev eth0 weight 3"
    pod:ip("pod", "route add " .. odd)
    local before <const> = pod:routes()
    for _, change in ipairs { {}, { flushroutes = true } } do
      local conf <const> = chained(change)
      pod:must("ecmp", "ADD", pod_of.after(conf, first))
      assert.matches(odd, table.concat(pod:routes(), "\n"), 1, true)
      pod:must("ecmp", "DEL", pod_of.after(conf, first))
      assert.same(before, pod:routes())
    end
    first.routes[1].gw = "2001:db8::1"
    local outcome <const> = pod:call("ecmp", "ADD", pod_of.after(chained(), first))
    assert.same({ 7, "prevResult.routes[0].via: 2001:db8::1 is not an IPv4 address" },
      { outcome.json.code, outcome.json.msg })
  end)

  it("CHECK fails when a hop is gone, and the main plugin of ours is content", function()
    local main <const> = main_conf(gateways, { type = "ecmp-bridge", merge = "separate",
      ipam = nil })
    main.ipam.type = "ecmp-static"
    local first <const> = pod:must("ecmp-bridge", "ADD", main)
    local result <const> = pod:must("ecmp", "ADD", pod_of.after(chained(), first))
    pod:must("ecmp-bridge", "CHECK", pod_of.after(main, result))
    pod:must("ecmp", "CHECK", pod_of.after(chained(), result))
    pod:ip("pod", "route replace default via 10.0.0.1 dev eth0")
    local outcome <const> = pod:call("ecmp", "CHECK", pod_of.after(chained(), result))
    assert.matches("next hop via 10.0.0.2 dev eth0 is missing", outcome.json.msg)
    pod:must("ecmp", "DEL", pod_of.after(chained(), result))
    pod:must("ecmp-bridge", "DEL", pod_of.after(main, result))
    assert.is_nil(sys.stat(record.directory .. "/chain-c1-eth0.json"))
  end)

  it("comes twice in a chain, and each CHECK and DEL knows its own part", function()
    local main <const> = main_conf(gateways, { merge = "separate" })
    local first <const> = pod:must(stock, "ADD", main)
    local one <const> = chained { addroutes = { { dst = "192.0.2.0/24", gw = "10.0.0.1" } } }
    local two <const> = chained { merge = "first", addroutes = {
      { dst = "192.0.2.0/24", gw = "10.0.0.2" }, { dst = "198.51.100.0/24", gw = "10.0.0.1" } } }
    local middle <const> = pod:must("ecmp", "ADD", pod_of.after(one, first))
    local after_one <const> = pod:routes()
    local result <const> = pod:must("ecmp", "ADD", pod_of.after(two, middle))
    local function check(conf) return pod:call("ecmp", "CHECK", pod_of.after(conf, result)) end
    assert.equal(0, check(one).status)
    assert.equal(0, check(two).status)
    pod:ip("pod", "route del 198.51.100.0/24")
    assert.equal(0, check(one).status)
    assert.matches("route 198.51.100.0/24", check(two).json.msg, 1, true)
    pod:must("ecmp", "DEL", pod_of.after(two, result))
    assert.same(after_one, pod:routes())
    pod:must("ecmp", "CHECK", pod_of.after(one, middle))
    pod:must("ecmp", "DEL", pod_of.after(one, result))
    assert.same(as_listed, pod:routes())
    pod:must(stock, "DEL", main)
    assert.is_nil(sys.stat(record.directory .. "/chain-c1-eth0.json"))
  end)

  it("leaves everything as it was when a route fails", function()
    local first <const> = pod:must(stock, "ADD", main_conf(gateways, { merge = "separate" }))
    local before <const> = pod:snapshot()
    local conf <const> = chained { routes = { { dst = "192.0.2.0/24", gw = "172.31.0.1" } },
      multipath = { hash = "l4" } }
    local outcome <const> = pod:call("ecmp", "ADD", pod_of.after(conf, first))
    assert.equal(1, outcome.status)
    assert.is_truthy(outcome.json.msg:find("172.31.0.1", 1, true))
    assert.equal(before, pod:snapshot())
    assert.equal("0\n", pod:run("pod", { "cat", "/proc/sys/net/ipv4/fib_multipath_hash_policy" }))
  end)

  it("never leaves the prefix without a route while it regroups", function()
    local first <const> = pod:must(stock, "ADD", main_conf(gateways, { merge = "separate" }))
    local nl <close> = pod:open()
    local events <close> = nl:monitor { "route" }
    pod:must("ecmp", "ADD", pod_of.after(chained(), first))
    -- What serves is there before what served goes.
    local first_event
    repeat
      local event <const> = assert(events:next(2))
      local is_default <const> = event.value.family == 4 and event.value.dst == "default"
      first_event = is_default and event or nil
    until first_event
    assert.is_true(first_event.verb == "add" or first_event.verb == "change")
    assert.equal(2, #first_event.value.nexthops)
  end)

  it("sets multipath switches, and DEL restores them", function()
    local result <const>, conf = chain(gateways, { multipath = { hash = "l4" } })
    local path <const> = "/proc/sys/net/ipv6/fib_multipath_hash_policy"
    assert.equal("1\n", pod:run("pod", { "cat", path }))
    pod:must("ecmp", "DEL", pod_of.after(conf, result))
    assert.equal("0\n", pod:run("pod", { "cat", path }))
  end)

  it("needs prevResult and the interface", function()
    assert.equal(7, pod:call("ecmp", "ADD", chained()).json.code)
    local prev <const> = { cniVersion = "1.0.0", ips = { { address = "10.0.0.9/24" } } }
    assert.matches("there is no interface eth0",
      pod:call("ecmp", "ADD", pod_of.after(chained(), prev)).json.msg)
  end)

  it("DEL succeeds twice, without prevResult, without a namespace", function()
    local _, conf = chain(gateways)
    for _ = 1, 2 do pod:must("ecmp", "DEL", conf) end
    pod:must("ecmp", "DEL", conf, { CNI_NETNS = "" })
    pod:must("ecmp", "DEL", chained { merge = 7 }, { CNI_NETNS = "/run/netns/nobody" })
  end)
end)
