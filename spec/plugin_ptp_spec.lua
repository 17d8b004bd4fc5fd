local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local function conf_of(changes, addresses, routes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-ptp", dad = "skip",
    ipam = {
      type = "ecmp-static", routes = json.array(routes or { { dst = "0.0.0.0/0" },
        { dst = "::/0" } }),
      addresses = addresses or {
        { address = "10.0.0.9/24", gateway = "10.0.0.1" },
        { address = "2001:db8::9/64", gateway = "2001:db8::1" },
      },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

describe("ecmp-ptp #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function()
    pod:close()
    record.sweep("lab", function() return false end)
  end)

  local function refused(conf, changes)
    local before <const> = pod:snapshot()
    local outcome <const> = pod:call("ecmp-ptp", "ADD", conf, changes)
    assert.equal(1, outcome.status)
    assert.equal(before, pod:snapshot())
    assert.is_nil(sys.stat(record.path { conf = conf, containerid = "c1", ifname = "eth0" }))
    return outcome.json
  end

  it("reaches the subnet through the gateway, which the host's end has", function()
    local result <const> = pod:must("ecmp-ptp", "ADD", conf_of())
    assert.same({
      "default via 10.0.0.1 dev eth0", "10.0.0.0/24 via 10.0.0.1 dev eth0 src 10.0.0.9",
      "10.0.0.1 dev eth0 scope link src 10.0.0.9",
      "2001:db8::1 dev eth0 src 2001:db8::9 metric 1024",
      "2001:db8::/64 via 2001:db8::1 dev eth0 src 2001:db8::9 metric 1024",
      "default via 2001:db8::1 dev eth0 metric 1024",
    }, pod:routes())
    local name <const> = result.interfaces[1].name
    assert.matches("10.0.0.1/32 scope global " .. name, pod:ip("host", "addr show dev " .. name))
    assert.matches("10.0.0.9 dev " .. name .. " scope host", pod:ip("host", "route"))
    assert.matches("2001:db8::9 dev " .. name, pod:ip("host", "-6 route"))
    assert.same({ 1, 1 }, { result.ips[1].interface, result.ips[2].interface })
    assert.same({ "eth0", pod.path }, { result.interfaces[2].name, result.interfaces[2].sandbox })
  end)

  it("lets packets pass between pod and host", function()
    pod:must("ecmp-ptp", "ADD", conf_of())
    for _, address in ipairs { "10.0.0.9", "2001:db8::9" } do
      local receiver <close> = assert(sys.udp_bind(pod.path, address, 7))
      -- The host's end needs a moment until its own address may be used.
      helper.eventually(function()
        sys.udp_send(pod.host_path, { { dst = address, dport = 7 } })
        return sys.poll({ receiver }, 0.2)[1]
      end)
    end
  end)

  it("forwards, in the families that the pod has addresses of", function()
    pod:must("ecmp-ptp", "ADD", conf_of(nil, { { address = "10.0.0.9/24", gateway = "10.0.0.1" } },
      {}))
    assert.equal("1\n", pod:run("host", { "cat", "/proc/sys/net/ipv4/ip_forward" }))
    assert.equal("0\n", pod:run("host", { "cat", "/proc/sys/net/ipv6/conf/all/forwarding" }))
  end)

  it("makes one multipath route of two gateways, in both families", function()
    pod:must("ecmp-ptp", "ADD", conf_of(nil, nil, {
      { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
      { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" },
    }))
    local text <const> = table.concat(pod:routes(), "\n")
    assert.is_truthy(text:find("default nexthop via 10.0.0.1 dev eth0 weight 1 "
      .. "nexthop via 10.0.0.2 dev eth0 weight 1", 1, true), text)
    assert.is_truthy(text:find("default metric 1024 nexthop via 2001:db8::1 dev eth0 weight 1 "
      .. "nexthop via 2001:db8::2 dev eth0 weight 1", 1, true), text)
  end)

  it("keeps a listed route to its own subnet, whatever its metric", function()
    local conf <const> = conf_of({}, nil, { { dst = "2001:db8::/64", priority = 50 } })
    local result <const> = pod:must("ecmp-ptp", "ADD", conf)
    assert.matches("2001:db8::/64 dev eth0 metric 50",
      table.concat(pod:routes(), "\n"), 1, true)
    pod:must("ecmp-ptp", "CHECK", pod_of.after(conf, result))
  end)

  it("before 0.3.0 routes under separate say what a result of then has room for", function()
    local function lines(changes)
      local conf <const> = conf_of(changes, nil,
        { { dst = "192.0.2.0/24", gw = "10.0.0.1", table = 100, priority = 7 } })
      conf.cniVersion = "0.2.0"
      pod:must("ecmp-ptp", "ADD", conf)
      local text <const> = table.concat(pod:routes(), "\n")
      pod:must("ecmp-ptp", "DEL", conf)
      return text
    end
    assert.matches("192.0.2.0/24 via 10.0.0.1 dev eth0\n", lines { merge = "separate" }, 1, true)
    assert.matches("192.0.2.0/24 via 10.0.0.1 dev eth0 table 100 metric 7", lines(), 1, true)
  end)

  it("gives both ends the mtu asked for", function()
    local result <const> = pod:must("ecmp-ptp", "ADD", conf_of { mtu = 1400 })
    assert.same({ 1400, 1400 }, { result.interfaces[1].mtu, result.interfaces[2].mtu })
  end)

  it("DEL takes both ends away, and again, and without the namespace", function()
    local before <const> = pod:snapshot()
    local result <const> = pod:must("ecmp-ptp", "ADD", conf_of())
    local conf <const> = pod_of.after(conf_of(), result)
    pod:must("ecmp-ptp", "DEL", conf)
    assert.equal(before, pod:snapshot())
    pod:must("ecmp-ptp", "DEL", conf)
    pod:must("ecmp-ptp", "DEL", conf, { CNI_NETNS = "" })
    pod:must("ecmp-ptp", "DEL", conf, { CNI_NETNS = "/run/netns/gone" })
    pod:must("ecmp-ptp", "ADD", conf_of())
  end)

  describe("CHECK", function()
    for name, case in pairs {
      ["the host's end is gone"] = { "host", "link del %s", "interface eth0 is missing" },
      ["the host's route is gone"] =
        { "host", "route del 10.0.0.9", "the host's route to 10.0.0.9/32 is missing" },
      ["the pod's route is gone"] = { "pod", "route del default", "route 0.0.0.0/0 is missing" },
      ["the hardware address differs"] = { "pod", "link set eth0 address 02:00:00:00:00:99",
        "has the hardware address 02:00:00:00:00:99, prevResult says" },
    } do
      it("fails when " .. name, function()
        local result <const> = pod:must("ecmp-ptp", "ADD", conf_of())
        local conf <const> = pod_of.after(conf_of(), result)
        pod:must("ecmp-ptp", "CHECK", conf)
        pod:ip(case[1], case[2]:format(result.interfaces[1].name))
        local outcome <const> = pod:call("ecmp-ptp", "CHECK", conf)
        assert.equal(1, outcome.status)
        assert.is_truthy(outcome.json.msg:find(case[3], 1, true), outcome.json.msg)
      end)
    end
  end)

  describe("refuses, and leaves nothing behind,", function()
    it("an address without gateway", function()
      local err <const> = refused(conf_of(nil, { { address = "10.0.0.9/24" } }, {}))
      assert.same({ 7, "ipam: address 10.0.0.9/24 has no gateway, which ptp gives the host's end" },
        { err.code, err.msg })
    end)

    it("a configuration without IPAM", function()
      assert.equal(7, refused(conf_of { ipam = {} }).code)
    end)

    it("an interface that exists, before IPAM is asked", function()
      pod:ip("pod", "link add eth0 type veth peer name other")
      local conf <const> = conf_of { ipam = { type = "ecmp-host-local", subnet = "10.0.0.0/24",
        dataDir = "/run/ptp-pool" } }
      assert.matches("exists already", refused(conf).msg)
      assert.is_nil(sys.stat("/run/ptp-pool"))
    end)

    it("a route that the kernel refuses", function()
      assert.matches("ENETUNREACH", refused(conf_of(nil, nil, {
        { dst = "192.0.2.0/24", gw = "172.31.0.1" } })).msg)
    end)

    it("a backend of masquerading that nobody knows", function()
      local err <const> = refused(conf_of { ipMasq = true, ipMasqBackend = "pf" })
      assert.same({ 7, "ipMasqBackend: must be one of nftables, iptables, not 'pf'" },
        { err.code, err.msg })
    end)
  end)
end)
