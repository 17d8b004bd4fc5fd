--- What a pod's port on a bridge is kept to: its VLANs, its hardware address, or nothing at all.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local function conf_of(changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-bridge", bridge = "br0", dad = "skip",
    ipam = { type = "static", addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } } },
  }
  for key, value in pairs(changes or {}) do
    if value == false and conf[key] ~= nil then value = nil end
    conf[key] = value
  end
  return conf
end

--- Whether this kernel can make a bridge that tells VLANs apart.
local function knows_vlans()
  local scratch <close> = pod_of.new()
  local tried <const> = sys.spawn { netns = scratch.host_path, stderr = "capture",
    argv = { "ip", "link", "add", "probe0", "type", "bridge", "vlan_filtering", "1" } }
  return tried.status == 0
end

describe("a port of ecmp-bridge #netns", function()
  local pod, vlans

  setup(function() vlans = knows_vlans() end)
  before_each(function() pod = pod_of.new() end)
  after_each(function()
    pod:close()
    record.sweep("lab", function() return false end)
  end)

  local function add(conf, changes)
    local result <const> = pod:must("ecmp-bridge", "ADD", conf, changes)
    pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result), changes)
    return result
  end

  --- Whether a datagram of the pod gets to the bridge's address.
  local function arrives()
    local receiver <close> = assert(sys.udp_bind(pod.host_path, "10.0.0.1", 9))
    assert(sys.udp_send(pod.path, { { dst = "10.0.0.1", dport = 9 } }))
    return #sys.poll({ receiver }, 1) == 1 and sys.udp_drain(receiver) > 0
  end

  describe("with vlan", function()
    local function it_vlan(name, body)
      it(name, function()
        if not vlans then return pending("this kernel's bridges know no VLANs") end
        body()
      end)
    end

    local function vlans_of(port)
      local host <close> = pod:open("host")
      local found <const> = assert(host.vlan:list { dev = port })
      return found[1] and tostring(found[1]):gsub("^dev %S+ ?", "")
    end

    for name, case in pairs {
      ["is in that one alone, if asked"] = { { vlan = 100, preserveDefaultVlan = false }, "vid 100 pvid untagged" },
      ["is in the bridge's default one too"] = { { vlan = 100 }, "vid 1 untagged vid 100 pvid untagged" },
      ["is in those of a trunk, with the default one for what has no tag"] = {
        { vlanTrunk = { { minID = 20, maxID = 21 }, { id = 7 } } },
        "vid 1 pvid untagged vid 7 vid 20 vid 21",
      },
      ["is in those of a trunk alone, if asked"] = {
        { vlanTrunk = { { id = 7 } }, preserveDefaultVlan = false }, "vid 7",
      },
      ["is in its own and a trunk's"] = {
        { vlan = 20, vlanTrunk = { { minID = 20, maxID = 21 } } },
        "vid 1 untagged vid 20 pvid untagged vid 21",
      },
    } do
      it_vlan(name, function()
        local result <const> = add(conf_of(case[1]))
        assert.equal(case[2], vlans_of(result.interfaces[2].name))
      end)
    end

    it_vlan("is where the reference plugin puts it", function()
      local reference <const> = pod_of.reference .. "/bridge"
      if not sys.stat(reference) then return pending("no stock plugins here") end
      local conf <const> = conf_of { vlan = 100, cniVersion = "1.0.0", type = "bridge" }
      local theirs <const> = vlans_of(pod:must(reference, "ADD", conf).interfaces[2].name)
      pod:must("ecmp-bridge", "DEL", conf)
      assert.equal(theirs, vlans_of(add(conf).interfaces[2].name))
    end)

    it_vlan("is missed by CHECK when it is not in it any more", function()
      local conf <const> = conf_of { vlan = 100 }
      local result <const> = add(conf)
      local port <const> = result.interfaces[2].name
      pod:run("host", { "bridge", "vlan", "del", "dev", port, "vid", "100" })
      local checked <const> = pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result))
      assert.matches(("port %s is not in vlan 100"):format(port), checked.json.msg, 1, true)
    end)

    it_vlan("has its gateway on an interface of the bridge in that one, which stays", function()
      local conf <const> = conf_of { vlan = 100, isDefaultGateway = true }
      local result <const> = add(conf)
      assert.equal("br0.100", result.interfaces[4].name)
      assert.matches("10.0.0.1/24", pod:ip("host", "addr show dev br0.100"), 1, true)
      assert.not_matches("inet 10", pod:ip("host", "addr show dev br0"))
      helper.eventually(arrives)
      pod:must("ecmp-bridge", "DEL", pod_of.after(conf, result))
      assert.matches("10.0.0.1/24", pod:ip("host", "addr show dev br0.100"), 1, true)
      add(conf)
    end)

    it_vlan("leaves nothing behind when the ADD fails", function()
      local directory <const>, before <const> = helper.directory(), pod:snapshot()
      assert(sys.replace(directory .. "/iptables-restore", "#!/bin/sh\nexit 4\n",
        tonumber("755", 8)))
      local conf <const> = conf_of { vlan = 100, isGateway = true, ipMasq = true,
        ipMasqBackend = "iptables" }
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf,
        { PATH = directory .. ":" .. os.getenv("PATH") })
      helper.remove(directory)
      assert.matches("^ipMasq: iptables%-restore", outcome.json.msg)
      assert.equal(before, pod:snapshot())
    end)

    it("is an error where the kernel's bridges know no VLANs", function()
      if vlans then return pending("this kernel's bridges know VLANs") end
      local before <const> = pod:snapshot()
      local err <const> = pod:call("ecmp-bridge", "ADD", conf_of { vlan = 100 }).json
      assert.matches("link add name br0 type bridge vlan_filtering 1: .*EOPNOTSUPP", err.msg)
      assert.equal(before, pod:snapshot())
    end)
  end)

  it("with vlan tells of a bridge that was made without", function()
    pod:ip("host", "link add br0 type bridge")
    local outcome <const> = pod:call("ecmp-bridge", "ADD", conf_of { vlan = 100 })
    assert.matches("bridge br0 was made without vlan_filtering", outcome.stderr, 1, true)
  end)

  describe("with macspoofchk", function()
    local able

    setup(function() able = pod_of.has_nftables "bridge" end)

    local function it_nft(name, body)
      it(name, function()
        if not able then return pending("this kernel has no nftables for bridges") end
        body()
      end)
    end

    --- Chains and comments of the rules, by a process in the host.
    local function rules()
      local done <const> = helper.lua([[
        local nft = require "ecmp.netfilter.nft"
        local filter <close> = assert(nft.open())
        for _, rule in ipairs(assert(filter:rules(nft.table("bridge", "nat")))) do
          print(rule.chain, rule.comment)
        end
      ]], { netns = pod.host_path, stderr = "capture" })
      assert(done.status == 0, done.stderr)
      local list <const> = {}
      for line in done.stdout:gmatch("[^\n]+") do list[#list + 1] = line end
      return list
    end

    local function pretend(mac)
      pod:ip("pod", "link set eth0 address " .. mac)
      pod:ip("pod", "neigh flush dev eth0")
    end

    it_nft("lets pass what comes from its own hardware address and nothing else", function()
      local conf <const> = conf_of { macspoofchk = true, isGateway = true }
      local result <const> = add(conf)
      helper.eventually(arrives)
      pretend("02:00:00:00:00:77")
      assert.is_false(arrives())
      pretend(result.interfaces[3].mac)
      helper.eventually(arrives)
    end)

    it_nft("has the chains and comments of the reference plugin until DEL", function()
      local conf <const> = conf_of { macspoofchk = true }
      local result <const> = add(conf)
      local comment <const> = "\tmacspoofchk-c1-eth0"
      assert.same({ "PREROUTING" .. comment, "cni-br-iface-c1-eth0" .. comment,
        "cni-br-iface-c1-eth0-mac" .. comment, "cni-br-iface-c1-eth0-mac" .. comment }, rules())
      add(conf, { CNI_CONTAINERID = "c2", CNI_IFNAME = "net1" })
      assert.equal(8, #rules())
      pod:must("ecmp-bridge", "DEL", pod_of.after(conf, result))
      assert.equal(4, #rules())
      pod:must("ecmp-bridge", "DEL", conf, { CNI_CONTAINERID = "c2", CNI_IFNAME = "net1" })
      assert.same({}, rules())
      pod:must("ecmp-bridge", "DEL", conf)
    end)

    it_nft("can be checked by one of the two, and let go by the other", function()
      local reference <const> = pod_of.reference .. "/bridge"
      if not sys.stat(reference) or not sys.stat("/usr/sbin/nft") then
        return pending("no stock plugins here, or no nft for them")
      end
      local function listed()
        return (pod:run("host", { "nft", "list", "table", "bridge", "nat" })
          :gsub('"veth%x+"', "PORT"):gsub("%x%x:%x%x:%x%x:%x%x:%x%x:%x%x", "MAC"))
      end
      local conf <const> = conf_of { macspoofchk = true, cniVersion = "1.0.0", type = "bridge" }
      pod:must(reference, "ADD", conf)
      local theirs <const> = listed()
      pod:must("ecmp-bridge", "DEL", conf)
      assert.same({}, rules())
      pod:must("ecmp-bridge", "ADD", conf)
      assert.equal(theirs, listed())
      pod:must(reference, "DEL", conf)
      assert.same({}, rules())
    end)

    it_nft("is told by its record that it was checked, whatever the configuration is now", function()
      add(conf_of { macspoofchk = true })
      pod:must("ecmp-bridge", "DEL", conf_of())
      assert.same({}, rules())
    end)

    it_nft("is no more checked when GC does not list it", function()
      local conf <const> = conf_of { macspoofchk = true }
      local result <const> = add(conf)
      local gc <const> = conf_of { macspoofchk = true }
      gc["cni.dev/valid-attachments"] = json.array { { containerID = "c1", ifname = "eth0" } }
      pod:must("ecmp-bridge", "GC", gc)
      assert.equal(4, #rules())
      gc["cni.dev/valid-attachments"] = json.array()
      pod:must("ecmp-bridge", "GC", gc)
      assert.same({}, rules())
      assert.matches("macspoofchk: 0 of 4 rules are there",
        pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result)).json.msg)
    end)

    it_nft("leaves no rule of an ADD that fails later", function()
      local before <const> = pod:snapshot()
      local conf <const> = conf_of { macspoofchk = true }
      conf.ipam.routes = { { dst = "192.0.2.0/24", gw = "198.51.100.1" } }
      assert.equal(1, pod:call("ecmp-bridge", "ADD", conf).status)
      assert.same({}, rules())
      assert.equal(before, pod:snapshot())
    end)
  end)

  describe("with disableContainerInterface", function()
    it("leaves the pod's end down and without addresses", function()
      local result <const> = add(conf_of { disableContainerInterface = true, ipam = false })
      assert.is_nil(result.ips)
      assert.matches("state DOWN", pod:ip("pod", "link show dev eth0"))
      pod:must("ecmp-bridge", "DEL", conf_of { disableContainerInterface = true, ipam = false })
    end)

    it("wants no addresses", function()
      local err <const> =
        pod:call("ecmp-bridge", "ADD", conf_of { disableContainerInterface = true }).json
      assert.same({ 7, "disableContainerInterface: cannot be set together with ipam.type" },
        { err.code, err.msg })
    end)
  end)

  it("without ipam is up and has no addresses", function()
    local result <const> = add(conf_of { ipam = false })
    assert.is_nil(result.ips)
    assert.equal(3, #result.interfaces)
    assert.matches("state UP", pod:ip("pod", "link show dev eth0"))
  end)
end)
