local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local function conf_of(changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-macvlan", master = "m0", dad = "skip",
    ipam = {
      type = "ecmp-static", routes = json.array { { dst = "0.0.0.0/0" }, { dst = "::/0" } },
      addresses = {
        { address = "10.0.0.9/24", gateway = "10.0.0.1" },
        { address = "2001:db8::9/64", gateway = "2001:db8::1" },
      },
      dns = { nameservers = { "10.0.0.53" } },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  for key, value in pairs(conf) do if value == false then conf[key] = nil end end
  return conf
end

describe("ecmp-macvlan #netns", function()
  local pod

  before_each(function()
    pod = pod_of.new()
    -- Its own addresses would settle while snapshots are compared.
    pod:run("host", { "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6" })
    pod:ip("host", "link add m0 type veth peer name m1")
    for _, name in ipairs { "m0", "m1" } do pod:ip("host", "link set up dev " .. name) end
    helper.eventually(function()
      return not pod:ip("host", "-o link show type veth"):find("state [DL]O")
    end)
  end)
  after_each(function()
    pod:close()
    record.sweep("lab", function() return false end)
  end)

  local function refused(conf, changes)
    local before <const> = pod:snapshot()
    local outcome <const> = pod:call("ecmp-macvlan", "ADD", conf, changes)
    assert.equal(1, outcome.status)
    assert.equal(before, pod:snapshot())
    assert.is_nil(sys.stat(record.path { conf = conf, containerid = "c1", ifname = "eth0" }))
    return outcome.json
  end

  local function details()
    return (pod:ip("pod", "-d link show dev eth0"):gsub("%s+", " "))
  end

  it("puts an interface on the master, with addresses and routes", function()
    local result <const> = pod:must("ecmp-macvlan", "ADD", conf_of())
    assert.same({ "default via 10.0.0.1 dev eth0", "default via 2001:db8::1 dev eth0 metric 1024" },
      pod:routes())
    assert.matches("macvlan mode bridge", details())
    assert.same({ 1, "eth0", pod.path, 0, 0 }, { #result.interfaces, result.interfaces[1].name,
      result.interfaces[1].sandbox, result.ips[1].interface, result.ips[2].interface })
    for _, key in ipairs { "ipv4/conf/eth0/arp_notify", "ipv6/conf/eth0/ndisc_notify" } do
      assert.equal("1\n", pod:run("pod", { "cat", "/proc/sys/net/" .. key }))
    end
  end)

  it("makes one multipath route of two gateways, in both families", function()
    local conf <const> = conf_of()
    conf.ipam.routes = { { dst = "0.0.0.0/0", gw = "10.0.0.1" },
      { dst = "0.0.0.0/0", gw = "10.0.0.2" }, { dst = "::/0", gw = "2001:db8::1" },
      { dst = "::/0", gw = "2001:db8::2" } }
    pod:must("ecmp-macvlan", "ADD", conf)
    local hops <const> = "nexthop via %s dev eth0 weight 1 nexthop via %s dev eth0 weight 1"
    assert.same({ "default " .. hops:format("10.0.0.1", "10.0.0.2"),
      "default metric 1024 " .. hops:format("2001:db8::1", "2001:db8::2") }, pod:routes())
  end)

  for _, mode in ipairs { "bridge", "private", "vepa", "passthru" } do
    it("knows the mode " .. mode, function()
      local result <const> = pod:must("ecmp-macvlan", "ADD", conf_of { mode = mode })
      assert.matches("macvlan mode " .. mode, details())
      pod:must("ecmp-macvlan", "CHECK", pod_of.after(conf_of { mode = mode }, result))
      local other <const> = mode == "vepa" and "private" or "vepa"
      assert.matches("is in mode " .. mode, pod:call("ecmp-macvlan", "CHECK",
        pod_of.after(conf_of { mode = other }, result)).json.msg)
    end)
  end

  it("takes mtu, mac and bcqueuelen", function()
    pod:must("ecmp-macvlan", "ADD",
      conf_of { mtu = 1400, mac = "02:00:00:00:00:AA", bcqueuelen = 2000 })
    assert.matches("mtu 1400 .*02:00:00:00:00:aa.* bcqueuelen 2000", details())
  end)

  it("prefers the runtime's hardware address to args, CNI_ARGS and its own", function()
    local function address(conf, args)
      local result <const> = pod:must("ecmp-macvlan", "ADD", conf, { CNI_ARGS = args })
      pod:must("ecmp-macvlan", "DEL", conf)
      return result.interfaces[1].mac
    end
    local function mac(n) return "02:00:00:00:00:0" .. n end
    local given <const> = { mac = mac(1) }
    assert.equal(mac(1), address(conf_of(given)))
    assert.equal(mac(2), address(conf_of(given), "IgnoreUnknown=1;K8S=x;MAC=" .. mac(2)))
    given.args = { cni = { mac = mac(3) } }
    assert.equal(mac(3), address(conf_of(given), "IgnoreUnknown=1;MAC=" .. mac(2)))
    given.runtimeConfig = { mac = mac(4) }
    assert.equal(mac(4), address(conf_of(given), "IgnoreUnknown=true;MAC=" .. mac(2)))
  end)

  it("takes the interface of the host's default route for master, also of a multipath one",
    function()
      pod:ip("host", "addr add 192.0.2.9/24 dev m0")
      pod:ip("host", "route add default nexthop via 192.0.2.1 dev m0 nexthop via 192.0.2.2 dev m0")
      pod:must("ecmp-macvlan", "ADD", conf_of { master = false })
      local index <const> = pod:ip("host", "-o link show dev m0"):match("^%d+")
      assert.matches("eth0@if" .. index, details())
    end)

  it("finds the master in the pod with linkInContainer", function()
    pod:ip("pod", "link add n0 type veth peer name n1")
    pod:ip("pod", "link set n0 up")
    pod:must("ecmp-macvlan", "ADD", conf_of { master = "n0", linkInContainer = true })
    assert.matches("eth0@n0", details())
  end)

  it("takes the master from the pod's default route with linkInContainer alone", function()
    for _, command in ipairs { "link add n0 type veth peer name n1", "link set n0 up",
      "addr add 10.7.0.9/24 dev n0", "route add default via 10.7.0.1" } do
      pod:ip("pod", command)
    end
    local conf <const> = conf_of { master = false, linkInContainer = true }
    conf.ipam.routes = nil
    pod:must("ecmp-macvlan", "ADD", conf)
    assert.matches("eth0@n0", details())
  end)

  it("makes a bare interface without IPAM", function()
    local result <const> = pod:must("ecmp-macvlan", "ADD", conf_of { ipam = false })
    assert.matches("MULTICAST,UP", details())
    assert.is_nil(result.ips)
    pod:must("ecmp-macvlan", "CHECK", pod_of.after(conf_of { ipam = false }, result))
    pod:must("ecmp-macvlan", "DEL", conf_of { ipam = false })
    assert.same({}, pod:routes())
  end)

  it("DEL needs no master, and no default route", function()
    local before <const> = pod:snapshot()
    pod:must("ecmp-macvlan", "ADD", conf_of())
    pod:must("ecmp-macvlan", "DEL", conf_of { master = false })
    assert.equal(before, pod:snapshot())
    pod:must("ecmp-macvlan", "DEL", conf_of { master = "none" }, { CNI_NETNS = "" })
  end)

  describe("refuses, and leaves nothing behind,", function()
    for name, case in pairs {
      ["a master that does not exist"] = { { master = "none" }, "^master: " },
      ["no master and no default route"] = { { master = false }, "^master: must be given" },
      ["an unknown mode"] = { { mode = "source" }, "^mode: must be one of" },
      ["an mtu above the master's"] = { { mtu = 9000 }, "^mtu: 9000 is more than the 1500" },
      ["text that is no hardware address"] = { { mac = "02:00" }, "^mac: '02:00' is no hardware" },
      ["a pod without a default route to take the master from"] =
        { { master = false, linkInContainer = true }, "^master: must be given, there is no def" },
    } do
      it(name, function()
        local err <const> = refused(conf_of(case[1]))
        assert.equal(7, err.code)
        assert.matches(case[2], err.msg)
      end)
    end

    it("an interface that exists, before IPAM is asked", function()
      pod:ip("pod", "link add eth0 type veth peer name other")
      local ipam <const> = { type = "ecmp-host-local", subnet = "10.0.0.0/24",
        dataDir = "/run/macvlan-pool" }
      assert.matches("exists already", refused(conf_of { ipam = ipam }).msg)
      assert.is_nil(sys.stat("/run/macvlan-pool"))
    end)
  end)
end)
