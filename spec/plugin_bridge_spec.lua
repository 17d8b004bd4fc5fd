local apply = require "ecmp.flow.apply"
local differential = require "spec.differential"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

require "ecmp.command.programs" -- so that host-local runs in this process

local function conf_of(routes, changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-bridge", bridge = "br0",
    ipam = {
      type = "ecmp-static", routes = json.array(routes),
      addresses = {
        { address = "10.0.0.9/24", gateway = "10.0.0.254" },
        { address = "2001:db8::9/64", gateway = "2001:db8::fe" },
      },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

-- What is said of both families is written once: N stands for 10.0.0.N or 2001:db8::N.
local families <const> = {
  { name = "IPv4", prefix = "192.0.2.0/24", host = "192.0.2.7/24", flow = "192.0.2.1",
    gw = function(n) return "10.0.0." .. n end, metric = 0,
    line = function(text) return (text:gsub("GW(%d+)", "10.0.0.%1")) end },
  { name = "IPv6", prefix = "2001:db8:f::/64", host = "2001:db8:f::7/64", flow = "2001:db8:f::1",
    gw = function(n) return "2001:db8::" .. n end, metric = 1024,
    line = function(text)
      return (text:gsub("GW(%d+)", "2001:db8::%1"):gsub("^(%S+)(.*)$", function(dst, rest)
        local known <const> = rest:find("metric")
        local at <const> = rest:find(" nexthop") or #rest + 1
        return known and dst .. rest or dst .. rest:sub(1, at - 1) .. " metric 1024" .. rest:sub(at)
      end))
    end },
}

describe("ecmp-bridge #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function() pod:close() end)

  --- ADD and the CHECK that has to pass right after it; the result.
  local function add(conf, changes)
    local result <const> = pod:must("ecmp-bridge", "ADD", conf, changes)
    pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result), changes)
    return result
  end

  local function refused(conf, changes)
    local before <const> = pod:snapshot()
    local outcome <const> = pod:call("ecmp-bridge", "ADD", conf, changes)
    assert.equal(1, outcome.status)
    assert.equal(before, pod:snapshot())
    assert.same({}, sys.list(record.directory) and record.sweep("lab", function() return true end))
    return outcome.json
  end

  describe("groups routes:", function()
    for _, family in ipairs(families) do
      local gw <const> = family.gw
      local function route(n, fields)
        local made <const> = { dst = family.prefix, gw = n and gw(n) }
        for key, value in pairs(fields or {}) do made[key] = value end
        return made
      end
      local two <const> = "%s nexthop via GW1 dev eth0 weight 1 nexthop via GW2 dev eth0 weight 1"

      for name, case in pairs {
        ["the same prefix, table and priority become one route"] = {
          { route(1), route(2) }, { two },
        },
        ["an exact duplicate is one hop"] = {
          { route(1), route(2), route(1) }, { two },
        },
        ["bits of the host are masked"] = {
          { route(1, { dst = family.host }), route(2) }, { two },
        },
        ["no priority, 0 and the kernel's default are one key"] = {
          { route(1), route(2, { priority = family.metric }), route(1, { priority = 0 }) }, { two },
        },
        ["table 0, 254 and none are one key"] = {
          { route(1, { table = 0 }), route(2, { table = 254 }), route(2) }, { two },
        },
        ["different tables stay apart"] = {
          { route(1), route(2, { table = 100 }) },
          { "%s via GW1 dev eth0", "%s via GW2 dev eth0 table 100" },
        },
        ["different priorities stay apart"] = {
          { route(1), route(2, { priority = 50 }) },
          { "%s via GW1 dev eth0", "%s via GW2 dev eth0 metric 50" },
        },
        ["a route without gw takes the address's gateway before grouping"] = {
          { route(), route(1) },
          { "%s nexthop via GW254 dev eth0 weight 1 nexthop via GW1 dev eth0 weight 1" },
        },
        ["gws is one route, gw joins it"] = {
          { route(2, { gws = { gw(1) } }) }, { two },
        },
        ["weights are kept"] = {
          { route(nil, { nexthops = { { gw = gw(1), weight = 3 }, { gw = gw(2) } } }) },
          { "%s nexthop via GW1 dev eth0 weight 3 nexthop via GW2 dev eth0 weight 1" },
        },
      } do
        it(name .. ", " .. family.name, function()
          add(conf_of(case[1]))
          local expected <const> = {}
          for i, line in ipairs(case[2]) do
            local text <const> = line:gsub("254", family.name == "IPv6" and "fe" or "254")
            expected[i] = family.line(text:gsub("GWfe", "2001:db8::fe"):format(family.prefix))
          end
          local found <const> = pod:routes()
          table.sort(expected)
          table.sort(found)
          assert.same(expected, found)
        end)
      end
    end

    for _, merge in ipairs { "ecmp", "separate", "first" } do
      it("different scopes stay apart in IPv4, the last listed in front, under " .. merge, function()
        local way <const> = { dst = "192.0.2.0/24", gw = "10.0.0.1" }
        local link <const> = { dst = "192.0.2.0/24", scope = 253, nexthops = { { dev = "eth0" } } }
        local lines <const> = { "192.0.2.0/24 via 10.0.0.1 dev eth0",
          "192.0.2.0/24 dev eth0 scope link" }
        for _, case in ipairs { { { way, link }, { lines[2], lines[1] } }, { { link, way }, lines } } do
          local conf <const> = conf_of(case[1], { merge = merge })
          add(conf)
          assert.same(case[2], pod:routes())
          pod:must("ecmp-bridge", "DEL", conf)
        end
      end)
    end

    it("and the kernel sends flows over both hops, by weight", function()
      add(conf_of {
        { dst = "0.0.0.0/0", nexthops = { { gw = "10.0.0.1", weight = 3 }, { gw = "10.0.0.2" } } },
        { dst = "::/0", gws = { "2001:db8::1", "2001:db8::2" } },
      })
      pod:run("pod", { "sh", "-c", "echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy" })
      pod:run("pod", { "sh", "-c", "echo 1 >/proc/sys/net/ipv6/fib_multipath_hash_policy" })
      local four <const> = pod:spread("198.51.100.1", 400)
      assert.is_true(four["10.0.0.1"] > 240 and four["10.0.0.1"] < 360)
      assert.equal(400, four["10.0.0.1"] + four["10.0.0.2"])
      local six <const> = pod:spread("2001:db8:ffff::1", 400)
      assert.is_true(six["2001:db8::1"] > 140 and six["2001:db8::2"] > 140)
    end)
  end)

  describe("rules:", function()
    local two <const> = {
      { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
      { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" },
    }

    it("first leaves the first listed", function()
      add(conf_of(two, { merge = "first" }))
      assert.same({ "default via 10.0.0.1 dev eth0",
        "default via 2001:db8::1 dev eth0 metric 1024" }, pod:routes())
    end)

    it("failover leaves all by rising metric, and the result says which", function()
      local result <const> = add(conf_of(two, { merge = "failover" }))
      assert.same({ "default via 10.0.0.1 dev eth0", "default via 10.0.0.2 dev eth0 metric 1",
        "default via 2001:db8::1 dev eth0 metric 1024",
        "default via 2001:db8::2 dev eth0 metric 1025" }, pod:routes())
      assert.same({ 1, 1025 }, { result.routes[2].priority, result.routes[4].priority })
    end)

    it("reject refuses, naming the routes", function()
      local err <const> = refused(conf_of(two, { merge = "reject" }))
      assert.equal(7, err.code)
      assert.matches("10.0.0.1 .*10.0.0.2", err.msg)
    end)

    it("a script has its last word; one that is trusted has all of Lua for it", function()
      local directory <const> = helper.directory()
      local file <const> = directory .. "/rule.lua"
      assert(sys.replace(file, [[
        return { routes = function(routes)
          table.remove(routes, io and 1 or 2)
          return routes
        end }]], tonumber("644", 8)))
      local four <const> = { two[1], two[2] }
      add(conf_of(four, { script = file }))
      assert.same({ "default via 10.0.0.1 dev eth0" }, pod:routes())
      pod:must("ecmp-bridge", "DEL", conf_of(four))
      add(conf_of(four, { script = file, trusted = true }))
      assert.same({ "default via 10.0.0.2 dev eth0" }, pod:routes())
      helper.remove(directory)
    end)

    it("the result lists one route for each hop, or one with gws", function()
      local result = add(conf_of(two))
      assert.same({ "10.0.0.1", "10.0.0.2" }, { result.routes[1].gw, result.routes[2].gw })
      pod:must("ecmp-bridge", "DEL", conf_of(two))
      result = add(conf_of(two, { result = "gws" }))
      assert.equal(2, #result.routes)
      assert.same({ "10.0.0.1", "10.0.0.2" }, { table.unpack(result.routes[1].gws) })
      assert.equal("10.0.0.1", result.routes[1].gw)
    end)
  end)

  describe("CHECK", function()
    local conf <const> = conf_of {
      { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
      { dst = "::/0", gw = "2001:db8::1", table = 100 },
      { dst = "::/0", gw = "2001:db8::2", table = 100 },
      { dst = "192.0.2.0/24", gw = "10.0.0.1", mtu = 1400, advmss = 1300 },
    }

    local hop <const> = "nexthop via %s dev eth0 weight %d"
    for name, case in pairs {
      ["a hop was removed"] = {
        "route replace default via 10.0.0.1 dev eth0",
        "route 0.0.0.0/0: next hop via 10.0.0.2 dev eth0 is missing",
      },
      ["an IPv6 hop was removed"] = {
        "-6 route del default via 2001:db8::2 dev eth0 table 100",
        "route ::/0: next hop via 2001:db8::2 dev eth0 is missing",
      },
      ["a weight was changed"] = {
        "route replace default " .. hop:format("10.0.0.1", 5) .. " " .. hop:format("10.0.0.2", 1),
        "next hop via 10.0.0.1 dev eth0 has weight 5, planned is 1",
      },
      ["a gateway was changed"] = {
        "route replace default " .. hop:format("10.0.0.3", 1) .. " " .. hop:format("10.0.0.2", 1),
        "next hop via 10.0.0.3 dev eth0 is not planned",
      },
      ["the metric was changed"] = {
        { "route del default", "route add default metric 7 " .. hop:format("10.0.0.1", 1) .. " "
          .. hop:format("10.0.0.2", 1) },
        "route 0.0.0.0/0 is missing: the kernel has it with metric 7, planned is 0",
      },
      ["the table was changed"] = {
        { "-6 route del default table 100", "-6 route add default "
          .. hop:format("2001:db8::1", 1) .. " " .. hop:format("2001:db8::2", 1) },
        "route ::/0 is missing: the kernel has it in table 254, planned is 100",
      },
      ["mtu and advmss were changed"] = {
        "route replace 192.0.2.0/24 via 10.0.0.1 dev eth0 mtu 1300",
        "mtu is 1300, planned is 1400; route 192.0.2.0/24: advmss is 0, planned is 1300",
      },
      ["an address is gone"] = {
        "addr add 10.0.0.8/24 dev eth0", "", -- the route's hops need an address in their subnet
        { "addr del 10.0.0.9/24 dev eth0" }, "address 10.0.0.9/24 is missing on eth0",
      },
      ["the interface is gone"] = { "link del eth0", "interface eth0 is missing" },
    } do
      it("fails when " .. name .. ", and says so", function()
        local result <const> = add(conf)
        local commands <const> = type(case[1]) == "table" and case[1] or { case[1] }
        table.move(case[3] or {}, 1, #(case[3] or {}), #commands + 1, commands)
        for _, command in ipairs(commands) do pod:ip("pod", command) end
        local outcome <const> = pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result))
        assert.equal(1, outcome.status)
        assert.is_truthy(outcome.json.msg:find(case[4] or case[2], 1, true), outcome.json.msg)
      end)
    end

    it("passes without a record, by configuration and prevResult", function()
      local result <const> = pod:must("ecmp-bridge", "ADD", conf)
      record.sweep("lab", function() return false end)
      pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result))
      pod:ip("pod", "route replace default via 10.0.0.1 dev eth0")
      assert.equal(1, pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result)).status)
    end)

    it("needs prevResult", function()
      pod:must("ecmp-bridge", "ADD", conf)
      assert.equal(7, pod:call("ecmp-bridge", "CHECK", conf).json.code)
    end)
  end)

  describe("separate leaves what the reference plugins leave:", function()
    local reference <const> = sys.stat(pod_of.reference .. "/bridge") ~= nil

    --- What a plugin leaves: exit status, result without what is made up anew each time, routes.
    local function outcome_of(plugin, ipam, routes, changes)
      local fresh <close> = pod_of.new()
      local conf <const> = conf_of(routes, changes)
      conf.cniVersion, conf.type, conf.ipam.type = "1.0.0", "bridge", ipam
      conf.merge = "separate"
      local outcome <const> = fresh:call(plugin, "ADD", conf)
      if outcome.status ~= 0 then return { status = outcome.status } end
      local result <const> = outcome.json
      for _, interface in ipairs(result.interfaces) do
        interface.mac, interface.mtu, interface.sandbox = nil, nil, nil
        interface.name = interface.name:gsub("^veth%x+$", "veth")
      end
      result.dns = nil
      local addresses <const> = fresh:ip("pod", "-o addr show dev eth0 scope global")
      return {
        status = 0, result = json.decode(json.encode(result)), routes = fresh:routes(),
        addresses = addresses:gsub("^%d+:", ""):gsub("\n%d+:", "\n"),
      }
    end

    local cases <const> = {
      ["two gateways in both families, the last listed wins in IPv4"] = { {
        { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
        { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" },
      } },
      ["three gateways"] = { {
        { dst = "192.0.2.0/24", gw = "10.0.0.3" }, { dst = "192.0.2.0/24", gw = "10.0.0.1" },
        { dst = "192.0.2.0/24", gw = "10.0.0.2" },
      } },
      ["routes without gw"] = { { { dst = "0.0.0.0/0" }, { dst = "::/0" } } },
      ["a connected prefix"] = { { { dst = "10.0.0.0/24" } } },
      ["an exact duplicate"] = { {
        { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.1" },
      } },
      ["an exact duplicate in IPv6"] = { {
        { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::1" },
      } },
      ["bits of the host in dst"] = { { { dst = "192.0.2.7/24", gw = "10.0.0.1" } } },
      ["bits of the host in an IPv6 dst"] = {
        { { dst = "2001:db8:f::7/64", gw = "2001:db8::1" } },
      },
      ["a gateway out of reach"] = { { { dst = "0.0.0.0/0", gw = "172.31.0.1" } } },
      ["isDefaultGateway"] = { {}, { isDefaultGateway = true } },
      ["isDefaultGateway beside a default of its own"] = {
        { { dst = "0.0.0.0/0", gw = "10.0.0.7" } }, { isDefaultGateway = true },
      },
      ["isGateway"] = { { { dst = "192.0.2.0/24" } }, { isGateway = true } },
      ["mtu, hairpin mode and promiscuous bridge"] = { {}, { mtu = 1400, promiscMode = true } },
    }
    local names <const> = {}
    for name in pairs(cases) do names[#names + 1] = name end
    table.sort(names)

    for _, name in ipairs(names) do
      local test <const> = reference and it or pending
      test(name, function()
        local case <const> = cases[name]
        assert.same(outcome_of(pod_of.reference .. "/bridge", "static", case[1], case[2]),
          outcome_of("ecmp-bridge", "ecmp-static", case[1], case[2]))
      end)
    end

    it("and is what a link named bridge does without being asked", function()
      local directory <const> = helper.directory()
      assert(sys.symlink(assert(sys.realpath(helper.build .. "/bin/ecmp")), directory .. "/bridge"))
      pod:must(directory .. "/bridge", "ADD", conf_of {
        { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
      })
      helper.remove(directory)
      assert.same({ "default via 10.0.0.2 dev eth0", "default via 10.0.0.1 dev eth0" },
        pod:routes())
    end)
  end)

  describe("undoes an ADD that fails", function()
    local good <const> = { { dst = "0.0.0.0/0", gw = "10.0.0.1" } }

    local function in_process(steps)
      local stock <const> = apply.steps
      apply.steps = steps
      local call <const> = {
        command = "ADD", containerid = "c1", netns = pod.path, ifname = "eth0", plugin = "bridge",
        args = {}, args_text = "", path = "", version = "1.1.0", dropin = false,
        conf = conf_of(good, { name = "steps", isGateway = true, ipam = {
          type = "ecmp-host-local", dataDir = "/run/steps", routes = good,
          ranges = { { { subnet = "10.0.0.0/24" } }, { { subnet = "2001:db8::/64" } } },
        }, multipath = { hash = "l4" } }),
      }
      local result <const>, message, code = require("ecmp.plugin.bridge").add(call)
      apply.steps = stock
      return result, message, code, call
    end

    local function state_of_host()
      local files <const> = {}
      for _, name in ipairs(sys.list("/run/steps/steps") or {}) do
        if name:find("^[%x.:]+$") then files[#files + 1] = name end
      end
      local links <const> = pod:run("pod", { "sh", "-c", "cat /proc/sys/net/ipv4/fib_multipath*" })
      local here <const> = assert(sys.spawn { argv = { "ip", "-o", "link" } }).stdout
      return { files, links, here:gsub("%d+:", ""), pod:snapshot(),
        record.sweep("steps", function() return true end) }
    end

    for i = 1, #apply.steps do
      it(("after step %d of %d, the reservation included"):format(i, #apply.steps), function()
        local before <const> = state_of_host()
        local steps <const> = table.move(apply.steps, 1, i, 1, {})
        steps[i + 1] = function() require("ecmp.cni").refuse(999, "it was made to fail") end
        local result <const>, message = in_process(steps)
        assert.is_nil(result)
        assert.equal("it was made to fail", message)
        assert.same(before, state_of_host())
      end)
    end

    it("and the next one succeeds", function()
      local result <const>, message, _, call = in_process(apply.steps)
      assert.is_truthy(result, message)
      call.command = "DEL"
      assert.is_true(require("ecmp.plugin.bridge").del(call))
      assert(sys.spawn { argv = { "ip", "link", "del", "br0" } })
    end)

    it("because a gateway is out of reach, in either family", function()
      for _, route in ipairs {
        { dst = "0.0.0.0/0", gw = "172.31.0.1" }, { dst = "::/0", gw = "2001:db8:9::1" },
      } do
        local err <const> = refused(conf_of { { dst = "192.0.2.0/24", gw = "10.0.0.1" }, route })
        assert.is_truthy(err.msg:find(route.gw, 1, true), err.msg)
      end
      add(conf_of(good))
    end)

    it("because one gateway of several is out of reach", function()
      refused(conf_of { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "172.31.0.1" } } })
      refused(conf_of { { dst = "::/0", gws = { "2001:db8::1", "2001:db8:9::1" } } })
    end)

    it("and refuses an interface that exists before any address is handed out", function()
      pod:ip("pod", "link add eth0 type veth peer name other")
      local conf <const> = conf_of(good)
      conf.ipam = { type = "ecmp-host-local", dataDir = "/run/taken", subnet = "10.0.0.0/24" }
      local err <const> = refused(conf)
      assert.matches("eth0 exists already", err.msg)
      assert.is_nil(sys.stat("/run/taken/lab"))
    end)
  end)

  describe("refuses, naming the field and touching nothing,", function()
    local good <const> = { { dst = "0.0.0.0/0", gw = "10.0.0.1" } }
    local cases <const> = {
      { "text that is no JSON", "{", 6, "JSON" },
      { "a wrong type", conf_of(good, { mtu = "1500" }), 7, "mtu: must be an integer" },
      { "an unknown merge word", conf_of(good, { merge = "emcp" }), 7,
        "merge: must be one of ecmp, separate, first, failover, reject" },
      { "mixed families in gws",
        conf_of { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "2001:db8::1" } } }, 7,
        "ipam.routes[0].gws[1]: 2001:db8::1 is no IPv4 address" },
      { "a gateway of the other family", conf_of { { dst = "::/0", gw = "10.0.0.1" } }, 7,
        "ipam.routes[0].gw" },
      { "a route without dst", conf_of { { gw = "10.0.0.1" } }, 7, "ipam.routes[0].dst" },
      { "routes of one group that differ in mtu", conf_of {
        { dst = "0.0.0.0/0", gw = "10.0.0.1", mtu = 1400 },
        { dst = "0.0.0.0/0", gw = "10.0.0.2", mtu = 1300 } }, 7, "mtu" },
      { "IPv6 routes that differ in scope only", conf_of {
        { dst = "::/0", gw = "2001:db8::1" },
        { dst = "::/0", gw = "2001:db8::2", scope = 253 } }, 7, "scope" },
      { "hairpin together with promiscuous mode",
        conf_of(good, { hairpinMode = true, promiscMode = true }), 7, "hairpinMode" },
      { "a hardware address that is none", conf_of(good, { runtimeConfig = { mac = "zz" } }), 7,
        "runtimeConfig.mac" },
      { "a vlan out of range", conf_of(good, { vlan = 5000 }), 7, "vlan" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        local before <const> = pod:snapshot()
        local outcome <const> = pod:call("ecmp-bridge", "ADD", case[2])
        assert.equal(1, outcome.status)
        assert.equal(case[3], outcome.json.code)
        assert.is_truthy(outcome.json.msg:find(case[4], 1, true), outcome.json.msg)
        assert.equal(before, pod:snapshot())
      end)
    end

    it("a namespace that is not there", function()
      local err <const> = refused(conf_of(good), { CNI_NETNS = "/run/netns/nobody" })
      assert.equal(8, err.code)
      assert.matches("CNI_NETNS: .*/run/netns/nobody", err.msg)
    end)

    it("a bridge that is no bridge", function()
      pod:ip("host", "link add br0 type veth peer name other")
      assert.matches("br0 .*is no bridge", refused(conf_of(good)).msg)
    end)
  end)

  describe("DEL", function()
    local conf <const> = conf_of { { dst = "0.0.0.0/0", gw = "10.0.0.1" } }

    it("takes interface and record away, and the bridge stays", function()
      add(conf)
      assert.is_truthy(sys.stat(record.directory .. "/lab:c1:eth0.json"))
      pod:must("ecmp-bridge", "DEL", conf)
      assert.is_nil(sys.stat(record.directory .. "/lab:c1:eth0.json"))
      assert.is_falsy(pod:ip("host", "-o link"):find("veth"))
      assert.is_truthy(pod:ip("host", "-o link"):find("br0"))
    end)

    it("removes interface and addresses of a record that a later version made, and leaves that", function()
      local dir <const> = helper.directory()
      local pool <const> = conf_of({}, { ipam = { type = "ecmp-host-local", dataDir = dir,
        subnet = "10.0.0.0/24" } })
      local result <const> = add(pool)
      local path <const> = record.directory .. "/lab:c1:eth0.json"
      assert(sys.replace(path, '{"format":2,"steps":{}}', tonumber("600", 8)))
      local checked <const> = pod:call("ecmp-bridge", "CHECK", pod_of.after(pool, result))
      assert.matches("record .*/lab:c1:eth0.json: is of format 2", checked.json.msg)
      local deleted <const> = pod:call("ecmp-bridge", "DEL", pool)
      assert.same({ 0, "" }, { deleted.status, deleted.stdout })
      assert.is_falsy(pod:ip("pod", "-o link"):find("eth0"))
      assert.is_nil(sys.lstat(dir .. "/lab/10.0.0.2"))
      assert.is_truthy(sys.lstat(path))
      assert(sys.unlink(path))
      helper.remove(dir)
    end)

    it("succeeds twice, without an ADD, without a namespace, and for nonsense", function()
      add(conf)
      for _ = 1, 2 do pod:must("ecmp-bridge", "DEL", conf) end
      pod:must("ecmp-bridge", "DEL", conf, { CNI_NETNS = "" })
      pod:must("ecmp-bridge", "DEL", conf, { CNI_NETNS = "/run/netns/nobody" })
      pod:must("ecmp-bridge", "DEL", conf_of({}, { mtu = {}, merge = 7 }))
    end)

    it("frees addresses for a configuration that makes no sense any more", function()
      local good <const> = conf_of {}
      good.ipam = { type = "ecmp-host-local", dataDir = "/run/nonsense", subnet = "10.0.0.0/24" }
      add(good)
      local bad <const> = conf_of({}, { merge = "nonsense" })
      bad.ipam = { type = "ecmp-host-local", dataDir = "/run/nonsense", subnet = "garbage" }
      pod:must("ecmp-bridge", "DEL", bad)
      assert.is_nil(sys.stat("/run/nonsense/lab/10.0.0.2"))
    end)
  end)

  describe("beside another interface", function()
    local eth0 <const> = conf_of {
      { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "::/0", gw = "2001:db8::1" },
    }
    local other <const> = { CNI_IFNAME = "net1" }

    local function net1(policy, merge)
      local conf <const> = conf_of({
        { dst = "0.0.0.0/0", gw = "10.9.0.1" }, { dst = "::/0", gw = "2001:db8:9::1" },
      }, { name = "second", bridge = "br1", conflict = policy, merge = merge })
      conf.ipam.addresses = { { address = "10.9.0.9/24" }, { address = "2001:db8:9::9/64" } }
      return conf
    end

    local first <const> = {
      "default via 10.0.0.1 dev eth0", "default via 2001:db8::1 dev eth0 metric 1024",
    }

    before_each(function() add(eth0) end)

    it("yields to it by default, and the result states the metric", function()
      local result <const> = add(net1(), other)
      assert.same({ 1, 1025 }, { result.routes[1].priority, result.routes[2].priority })
      assert.same({ first[1], "default via 10.9.0.1 dev net1 metric 1", first[2],
        "default via 2001:db8:9::1 dev net1 metric 1025" }, pod:routes())
    end)

    it("takes the place as the reference plugins do", function()
      add(net1("take"), other)
      assert.same({ "default via 10.9.0.1 dev net1", first[1],
        "default metric 1024 nexthop via 2001:db8::1 dev eth0 weight 1 "
        .. "nexthop via 2001:db8:9::1 dev net1 weight 1" }, pod:routes())
      pod:must("ecmp-bridge", "DEL", net1("take"), other)
      assert.same(first, pod:routes())
    end)

    it("merges with it, and DEL leaves it as it was", function()
      local result <const> = add(net1("merge"), other)
      assert.same({
        "default nexthop via 10.0.0.1 dev eth0 weight 1 nexthop via 10.9.0.1 dev net1 weight 1",
        "default metric 1024 nexthop via 2001:db8::1 dev eth0 weight 1 "
        .. "nexthop via 2001:db8:9::1 dev net1 weight 1" }, pod:routes())
      assert.equal(2, #result.routes)
      pod:must("ecmp-bridge", "DEL", net1("merge"), other)
      assert.same(first, pod:routes())
      pod:must("ecmp-bridge", "CHECK",
        pod_of.after(eth0, { cniVersion = "1.1.0", ips = {}, interfaces = {} }))
    end)

    it("refuses, naming it", function()
      local before <const> = pod:routes()
      local outcome <const> = pod:call("ecmp-bridge", "ADD", net1("refuse"), other)
      assert.equal(7, outcome.json.code)
      assert.matches("conflict: eth0 already has the route 0.0.0.0/0", outcome.json.msg)
      assert.same(before, pod:routes())
    end)

    it("undoes a merge when a later route fails", function()
      local conf <const> = net1("merge")
      table.insert(conf.ipam.routes, { dst = "192.0.2.0/24", gw = "172.31.0.1" })
      assert.equal(1, pod:call("ecmp-bridge", "ADD", conf, other).status)
      assert.same(first, pod:routes())
    end)
  end)

  describe("multipath", function()
    local routes <const> = { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } } }

    local function sysctl(key)
      local nl <close> = pod:open()
      return assert(nl.sysctl:get(key))
    end

    it("sets the pod's switches, CHECK watches them, DEL restores those that are as set", function()
      local conf <const> = conf_of(routes, {
        multipath = { hash = { "src", "dport" }, useNeigh = true, ignoreLinkdown = true },
      })
      local result <const> = add(conf)
      assert.same({ "3", "3", "0x0021", "1", "1" }, {
        sysctl "net.ipv4.fib_multipath_hash_policy", sysctl "net.ipv6.fib_multipath_hash_policy",
        ("0x%04x"):format(sysctl "net.ipv4.fib_multipath_hash_fields"),
        sysctl "net.ipv4.fib_multipath_use_neigh",
        sysctl "net/ipv6/conf/eth0/ignore_routes_with_linkdown",
      })
      pod:run("pod", { "sh", "-c", "echo 0 >/proc/sys/net/ipv6/fib_multipath_hash_policy" })
      local outcome <const> = pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result))
      assert.matches("sysctl net.ipv6.fib_multipath_hash_policy is 0, planned is 3",
        outcome.json.msg)
      -- what somebody else has set since is theirs
      pod:run("pod", { "sh", "-c", "echo 2 >/proc/sys/net/ipv4/fib_multipath_hash_policy" })
      pod:must("ecmp-bridge", "DEL", conf)
      assert.equal("2", sysctl "net.ipv4.fib_multipath_hash_policy")
      assert.equal("0", sysctl "net.ipv4.fib_multipath_use_neigh")
    end)

    for word, policy in pairs { l3 = "0", l4 = "1", inner = "2" } do
      it("hashes by " .. word, function()
        pod:run("pod", { "sh", "-c", "echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy" })
        local conf <const> = conf_of(routes, { multipath = { hash = word } })
        add(conf)
        assert.same({ policy, policy }, { sysctl "net.ipv4.fib_multipath_hash_policy",
          sysctl "net.ipv6.fib_multipath_hash_policy" })
        pod:must("ecmp-bridge", "DEL", conf)
        assert.equal("1", sysctl "net.ipv4.fib_multipath_hash_policy")
      end)
    end

    for _, kind in ipairs { "group", "resilient" } do
      it("programs next-hop objects for " .. kind .. ", and DEL takes them away", function()
        local conf <const> = conf_of({
          { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } },
          { dst = "192.0.2.0/24", gws = { "10.0.0.1", "10.0.0.2" } },
          { dst = "::/0", gws = { "2001:db8::1", "2001:db8::2" } },
        }, { multipath = { nexthops = kind, hash = "l4" } })
        local result <const> = add(conf)
        local text <const> = pod:ip("pod", "nexthop show")
        local _, groups = text:gsub("group", "")
        assert.equal(2, groups)
        assert.equal(kind == "resilient", text:find("type resilient") ~= nil)
        local counts <const> = pod:spread("198.51.100.1", 100)
        assert.equal(100, counts["10.0.0.1"] + counts["10.0.0.2"])
        pod:ip("pod", "nexthop flush")
        local outcome <const> = pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result))
        assert.equal(1, outcome.status)
        assert.matches("route 0.0.0.0/0 is missing", outcome.json.msg)
        pod:must("ecmp-bridge", "DEL", conf)
        assert.equal("", pod:ip("pod", "nexthop show"))
      end)
    end
  end)

  describe("with the reference plugin's keys", function()
    it("leaves out routes that versions before 0.3.0 have no place for", function()
      local conf <const> = conf_of({ { dst = "192.0.2.0/24", gw = "10.0.0.1" },
        { dst = "2001:db8:f::9/64", gw = "2001:db8::1" } }, { cniVersion = "0.2.0" })
      conf.ipam.addresses = { { address = "10.0.0.9/24" } }
      local result <const> = pod:must("ecmp-bridge", "ADD", conf)
      assert.same({ nil, "192.0.2.0/24" }, { result.ip6, result.ip4.routes[1].dst })
      assert.same({ "192.0.2.0/24 via 10.0.0.1 dev eth0" }, pod:routes())
    end)

    it("serves as gateway: its address is on the bridge, forwarding is on", function()
      local conf <const> = conf_of({}, { isDefaultGateway = true })
      add(conf)
      assert.matches("inet 10.0.0.254/24 brd 10.0.0.255", pod:ip("host", "addr show br0"))
      assert.matches("inet6 2001:db8::fe/64", pod:ip("host", "addr show br0"))
      assert.matches("^1", pod:run("host", { "cat", "/proc/sys/net/ipv4/ip_forward" }))
      assert.same({ "default via 10.0.0.254 dev eth0",
        "default via 2001:db8::fe dev eth0 metric 1024" }, pod:routes())
    end)

    it("hands out no address of the routers that its routes name", function()
      local dir <const> = helper.directory()
      local conf <const> = conf_of({}, { ipam = { type = "ecmp-host-local", dataDir = dir,
        ranges = { { { subnet = "10.0.0.0/24" } }, { { subnet = "2001:db8::/64" } } },
        routes = { { dst = "0.0.0.0/0", gw = "10.0.0.2" },
          { dst = "192.0.2.0/24", gws = { "10.0.0.1", "10.0.0.3" } },
          { dst = "::/0", nexthops = { { gw = "2001:db8::2", weight = 2 } } } } } })
      local result = add(conf)
      assert.same({ "10.0.0.4/24", "2001:db8::3/64" },
        { result.ips[1].address, result.ips[2].address })
      pod:must("ecmp-bridge", "DEL", conf)
      conf.runtimeConfig = { ips = { "10.0.0.3" } }
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf)
      assert.equal(7, outcome.json.code)
      assert.matches("requested address 10.0.0.3 is a gateway of ipam.routes", outcome.json.msg)
      -- As the reference plugin does, by its name or under its rule.
      conf.runtimeConfig, conf.merge = nil, "separate"
      conf.ipam.routes[1].gw = "10.0.0.5"
      table.remove(conf.ipam.routes, 2)
      result = pod:must("ecmp-bridge", "ADD", conf)
      assert.equal("10.0.0.5/24", result.ips[1].address)
      helper.remove(dir)
    end)

    for _, fields in ipairs { { gw = "0.0.0.0" }, { gw = "10.0.0.1", table = 255 } } do
      it(("takes %s of a reference plugin's configuration as that one does"):format(
        fields.table and "table 255" or "the gateway 0.0.0.0"), function()
        local directory <const> = differential.directory()
        local conf <const> = conf_of({ { dst = "192.0.2.0/24", gw = fields.gw,
          table = fields.table } }, { type = "bridge" })
        conf.ipam.type = "static"
        local plugin <const> = directory .. "/bridge"
        local result <const> = pod:must(plugin, "ADD", conf)
        assert.equal(fields.table and "10.0.0.1" or nil, result.routes[1].gw)
        pod:must(plugin, "CHECK", pod_of.after(conf, result))
        local shown <const> = pod:ip("pod", "route show 192.0.2.0/24 table all")
        assert.matches(fields.table and "192.0.2.0/24 via 10.0.0.1 dev eth0 table local"
          or "192.0.2.0/24 dev eth0", shown)
        pod:ip("pod", "route del 192.0.2.0/24 table " .. (fields.table or 254))
        local outcome <const> = pod:call(plugin, "CHECK", pod_of.after(conf, result))
        assert.matches("route 192.0.2.0/24 is missing", outcome.json.msg)
        pod:must(plugin, "DEL", conf)
        helper.remove(directory)
      end)
    end

    local function mac_of(name)
      return pod:run("host", { "sh", "-c", "ip -o link show " .. name }):match "link/ether (%S+)"
    end

    for _, is_gateway in ipairs { true, false } do
      local how <const> = is_gateway and " as gateway" or ""
      it("leaves a bridge its hardware address, whatever its ports have" .. how, function()
        -- The lowest address of the ports is the bridge's, until one is set.
        pod:ip("host", "link add br0 type bridge")
        pod:ip("host", "link add up0 address fe:ff:ff:ff:ff:ff type veth peer name lan0")
        pod:ip("host", "link set up0 master br0")
        assert.equal("fe:ff:ff:ff:ff:ff", mac_of "br0")
        local result <const> = add(conf_of({}, { isGateway = is_gateway }))
        assert.equal("fe:ff:ff:ff:ff:ff", mac_of "br0")
        assert.equal("fe:ff:ff:ff:ff:ff", result.interfaces[1].mac)
      end)

      it("gives a new bridge a hardware address that outlives its ports" .. how, function()
        local conf <const> = conf_of({}, { isGateway = is_gateway })
        local result <const> = add(conf)
        local mac <const> = mac_of "br0"
        assert.same({ mac, false },
          { result.interfaces[1].mac, mac == mac_of(result.interfaces[2].name) })
        pod:must("ecmp-bridge", "DEL", pod_of.after(conf, result))
        assert.equal(mac, mac_of "br0")
      end)

      it("gives a bridge that lost all its ports one that outlives the next" .. how, function()
        pod:ip("host", "link add br0 type bridge")
        pod:ip("host", "link add up0 type veth peer name lan0")
        pod:ip("host", "link set up0 master br0")
        pod:ip("host", "link del up0")
        assert.equal("00:00:00:00:00:00", mac_of "br0")
        local conf <const> = conf_of({}, { isGateway = is_gateway })
        local result <const> = add(conf)
        local mac <const> = mac_of "br0"
        assert.matches("^02:", mac)
        assert.same({ mac, false },
          { result.interfaces[1].mac, mac == mac_of(result.interfaces[2].name) })
        pod:must("ecmp-bridge", "DEL", pod_of.after(conf, result))
        assert.equal(mac, mac_of "br0")
      end)
    end

    it("refuses another address on the bridge unless forceAddress says so", function()
      pod:ip("host", "link add br0 type bridge")
      pod:ip("host", "addr add 10.5.0.1/16 dev br0")
      local conf <const> = conf_of({}, { isGateway = true })
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf)
      assert.matches("forceAddress: bridge br0 has the address 10.5.0.1/16", outcome.json.msg)
      assert.is_falsy(pod:ip("pod", "-o link"):find("eth0"))
      assert.matches("10.5.0.1/16", pod:ip("host", "addr show br0"))
      conf.forceAddress = true
      add(conf)
      assert.is_falsy(pod:ip("host", "addr show br0"):find("10.5.0.1"))
    end)

    it("takes the hardware address of the runtime, and sets hairpin and isolation", function()
      local result <const> = add(conf_of({}, {
        hairpinMode = true, portIsolation = true, runtimeConfig = { mac = "02:00:00:00:00:07" },
      }), { CNI_ARGS = "IgnoreUnknown=1;MAC=02:00:00:00:00:08" })
      assert.equal("02:00:00:00:00:07", result.interfaces[3].mac)
      local port <const> = pod:ip("host", "-d link show " .. result.interfaces[2].name)
      assert.matches("hairpin on", port)
      assert.matches("isolated on", port)
    end)
  end)

  describe("IPv6 duplicate address detection", function()
    it("is awaited by events, and a duplicate fails with its name", function()
      add(conf_of({}, { enabledad = true }))
      local twin <const> = conf_of({}, { enabledad = true, name = "twin" })
      twin.ipam.addresses = { { address = "2001:db8::9/64" } }
      local second <close> = pod_of.new()
      local outcome <const> = pod:call("ecmp-bridge", "ADD", twin,
        { CNI_NETNS = second.path, CNI_CONTAINERID = "c2" })
      assert.equal(1, outcome.status)
      assert.matches("2001:db8::9/64 .*already", outcome.json.msg)
      assert.is_falsy(second:ip("pod", "-o link"):find("eth0"))
    end)

    it("is skipped when asked", function()
      add(conf_of({}, { enabledad = true, dad = "skip" }))
      local text <const> = pod:ip("pod", "-6 addr show dev eth0 scope global")
      assert.matches("nodad", text)
      assert.is_falsy(text:find("tentative"))
    end)

    -- Not every kernel is built with it.
    local able <const> = sys.stat("/proc/sys/net/ipv6/conf/lo/optimistic_dad") and it or pending
    able("is not awaited when optimistic", function()
      add(conf_of({}, { enabledad = true, dad = "optimistic" }))
      assert.matches("optimistic", pod:ip("pod", "-6 addr show dev eth0 scope global"))
    end)
  end)

  it("leaves an attachment that lives as it is, when it is to be made once more elsewhere", function()
    local dir <const>, other <const> = helper.directory(), pod_of.new()
    local conf <const> = conf_of({}, { ipam = { type = "ecmp-host-local", dataDir = dir,
      ranges = { { { subnet = "10.0.0.0/24" } } } } })
    local result <const> = add(conf)
    local function twice(changes)
      local again <const> = pod:call("ecmp-bridge", "ADD", changes or conf, { CNI_NETNS = other.path })
      assert.equal(1, again.status)
      assert.is_falsy(other:ip("pod", "-o link"):find("eth0"))
      assert.is_truthy(sys.lstat(dir .. "/lab/10.0.0.2"))
      pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result))
      return again.json.msg
    end
    assert.matches("CNI_CONTAINERID: c1 has an interface eth0 of network lab already, in ", twice())
    -- The same where nothing tells of the first but its reservation.
    local path <const> = record.directory .. "/lab:c1:eth0.json"
    local text <const> = assert(sys.read(path))
    assert(sys.unlink(path))
    local again <const> = pod:call("ecmp-bridge", "ADD", conf, { CNI_NETNS = other.path })
    assert.matches("duplicate allocation", again.json.msg)
    assert.is_truthy(sys.lstat(dir .. "/lab/10.0.0.2"))
    -- And an address that was held before an ADD stays so when that ADD fails.
    conf.ipam.idempotent, conf.ipam.routes = true, { { dst = "0.0.0.0/0", gw = "172.31.0.1" } }
    again.json = pod:call("ecmp-bridge", "ADD", conf, { CNI_NETNS = other.path }).json
    assert.matches("ENETUNREACH", again.json.msg)
    assert.is_truthy(sys.lstat(dir .. "/lab/10.0.0.2"))
    conf.ipam.idempotent, conf.ipam.routes = nil, nil
    assert(sys.create(path, text, tonumber("600", 8)))
    pod:must("ecmp-bridge", "DEL", conf)
    assert.is_nil(sys.lstat(dir .. "/lab/10.0.0.2"))
    other:close()
    helper.remove(dir)
  end)

  it("CHECK looks at its own port, whatever plugins behind it list on the host", function()
    local conf <const> = conf_of {}
    local result <const> = add(conf)
    pod:ip("host", "link add bwp0 type veth peer name bwp1")
    table.insert(result.interfaces, { name = "bwp0", mac = "02:00:00:00:00:77" })
    pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result))
    local path <const> = record.directory .. "/lab:c1:eth0.json"
    assert(sys.unlink(path))
    pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result))
    pod:ip("host", ("link set %s nomaster"):format(result.interfaces[2].name))
    assert.matches("is no port of bridge br0",
      pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result)).json.msg)
  end)

  for _, kind in ipairs { "ecmp-ptp", "ecmp-bridge", "ptp", "ecmp", "macvlan" } do
    it("asks no plugin for addresses that asks for them itself: " .. kind, function()
      local conf <const> = conf_of({}, { ipam = { type = kind } })
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf)
      assert.same({ 7, ("ipam.type: '%s' hands out no addresses, it asks for them"):format(kind) },
        { outcome.json.code, outcome.json.msg })
      pod:must("ecmp-bridge", "DEL", conf)
    end)
  end

  it("GC drops the records of attachments that are not valid, and frees their addresses", function()
    local conf <const> = conf_of {}
    conf.ipam = { type = "ecmp-host-local", dataDir = "/run/gc", subnet = "10.0.0.0/24" }
    add(conf)
    conf["cni.dev/valid-attachments"] = json.array { { containerID = "c1", ifname = "eth0" } }
    pod:must("ecmp-bridge", "GC", conf)
    assert.is_truthy(sys.stat(record.directory .. "/lab:c1:eth0.json"))
    conf["cni.dev/valid-attachments"] = json.array()
    pod:must("ecmp-bridge", "GC", conf)
    assert.is_nil(sys.stat(record.directory .. "/lab:c1:eth0.json"))
    assert.is_nil(sys.stat("/run/gc/lab/10.0.0.2"))
  end)

  it("STATUS says 50 where no ADD can be served", function()
    local dir <const> = helper.directory()
    local script <const> = dir .. "/rule.lua"
    local conf <const> = conf_of({}, { script = script })
    local function unavailable(message)
      local outcome <const> = pod:call("ecmp-bridge", "STATUS", conf)
      assert.same({ 1, 50 }, { outcome.status, outcome.json.code })
      assert.matches(message, outcome.json.msg)
    end
    unavailable "^script: .*/rule.lua: .*ENOENT"
    assert(sys.create(script, "return {", tonumber("644", 8)))
    unavailable "^script: .*/rule.lua:1: "
    assert(sys.replace(script, "return {}", tonumber("666", 8)))
    assert(sys.chmod(script, tonumber("666", 8)))
    unavailable "refused, because others may write"
    assert(sys.chmod(script, tonumber("644", 8)))
    pod:must("ecmp-bridge", "STATUS", conf)
    -- The record cannot be written.
    assert(sys.mkdir("/run/cni", tonumber("755", 8)))
    assert(sys.rename(record.directory, record.directory .. ".away"))
    assert(sys.create(record.directory, ""))
    conf.script = nil
    local outcome <const> = pod:call("ecmp-bridge", "STATUS", conf)
    local added <const> = pod:call("ecmp-bridge", "ADD", conf)
    assert(sys.unlink(record.directory))
    assert(sys.rename(record.directory .. ".away", record.directory))
    assert.same({ 50, 1 }, { outcome.json.code, added.status })
    pod:must("ecmp-bridge", "STATUS", conf)
    helper.remove(dir)
  end)

  it("CHECK names all that is missing, the reservation and what is on the host too", function()
    if not pod_of.has_nftables "inet" then return pending "this kernel has no nftables" end
    local dir <const> = helper.directory()
    local conf <const> = conf_of({}, { ipMasq = true, ipMasqBackend = "nftables", ipam = {
      type = "ecmp-host-local", dataDir = dir, ranges = { { { subnet = "10.0.0.0/24" } } },
      routes = { { dst = "192.0.2.0/24", gw = "10.0.0.77" } } } })
    local result <const> = add(conf)
    assert(sys.unlink(dir .. "/lab/10.0.0.2"))
    pod:ip("pod", "route del 192.0.2.0/24")
    pod:run("host", { "nft", "flush", "ruleset" })
    local function complaint()
      return pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result)).json.msg
    end
    local first <const> = complaint()
    for _, text in ipairs { "route 192.0.2.0/24 is missing", "ipMasq: 0 of 1 addresses",
      "no address is reserved for c1/eth0" } do
      assert.matches(text, first)
    end
    pod:ip("pod", "link del eth0")
    local second <const> = complaint()
    for _, text in ipairs { "interface eth0 is missing", "on the host is missing",
      "ipMasq: 0 of 1 addresses", "no address is reserved for c1/eth0" } do
      assert.matches(text, second)
    end
    local _, times <const> = second:gsub("interface eth0 is missing", "")
    assert.equal(1, times)
    pod:must("ecmp-bridge", "DEL", conf)
    helper.remove(dir)
  end)

  it("STATUS asks the IPAM plugin", function()
    local conf <const> = conf_of {}
    conf.ipam = { type = "ecmp-host-local", dataDir = "/run/status", rangeStart = "10.0.0.2",
      rangeEnd = "10.0.0.2", subnet = "10.0.0.0/24" }
    pod:must("ecmp-bridge", "STATUS", conf)
    add(conf)
    assert.equal(50, pod:call("ecmp-bridge", "STATUS", conf).json.code)
  end)
end)
