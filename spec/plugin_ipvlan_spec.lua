local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local rtnl = require "ecmp.rtnl"
local stacked = require "ecmp.flow.parent_device"

local function conf_of(changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-ipvlan", master = "m0", dad = "skip",
    ipam = {
      type = "ecmp-static", routes = json.array { { dst = "0.0.0.0/0" } },
      addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  for key, value in pairs(conf) do if value == false then conf[key] = nil end end
  return conf
end

-- A handle that notes what is asked of it, for kernels that have no such interfaces.
local function recorder(asked)
  return {
    link = {
      get = function() return { name = "m0", mtu = 1500, address = "02:00:00:00:00:01" } end,
      add = function(_, link)
        asked[#asked + 1] = link
        return true
      end,
    },
  }
end

describe("ipvlan asks the kernel for", function()
  for mode, number in pairs { l2 = 0, l3 = 1, l3s = 2 } do
    it("an interface on the master in mode " .. mode, function()
      local asked <const> = {}
      local handle <const> = recorder(asked)
      assert(stacked.attach({
        conf = { master = "m0", mtu = 1400, linkInContainer = true },
        call = { ifname = "eth0", netns = "/run/netns/x" }, nl = handle,
        undo = { push = function() end, at_last = function() end },
      }, "ipvlan", { mode = mode }))
      assert.same({ { name = "eth0", type = "ipvlan", link = "m0", netns = "/run/netns/x",
        mtu = 1400, mode = mode } }, asked)
      -- As bytes: IFLA_LINKINFO with the kind and, in its data, IFLA_IPVLAN_MODE.
      local view <const> = rtnl.view("link", { name = "eth0", type = "ipvlan", mode = mode })
      local attribute <const> = ("=I2I2I2"):pack(6, 1, number)
      assert.equal(mode, view.mode)
      assert.is_truthy(view:bytes():find("ipvlan\0", 1, true))
      assert.is_truthy(view:bytes():find(attribute, 1, true))
    end)
  end
end)

describe("ecmp-ipvlan #netns", function()
  local pod, known

  setup(function()
    local probe <close> = pod_of.new()
    probe:ip("host", "link add m0 type veth peer name m1")
    known = pcall(probe.ip, probe, "host", "link add i0 link m0 type ipvlan")
  end)

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

  --- A spec that needs a kernel with ipvlan.
  local function kernel_it(name, body)
    it(name, function()
      if not known then return pending("this kernel has no ipvlan") end
      body()
    end)
  end

  kernel_it("puts an interface on the master, with addresses and routes", function()
    local before <const> = pod:snapshot()
    for _, mode in ipairs { "l2", "l3", "l3s" } do
      local conf <const> = conf_of { mode = mode, mtu = 1400 }
      local result <const> = pod:must("ecmp-ipvlan", "ADD", conf)
      assert.matches("mtu 1400.*ipvlan +mode " .. mode .. " ",
        pod:ip("pod", "-d link show dev eth0"))
      assert.same({ "default via 10.0.0.1 dev eth0" }, pod:routes())
      assert.same({ "eth0", pod.path, 0 }, { result.interfaces[1].name,
        result.interfaces[1].sandbox, result.ips[1].interface })
      pod:must("ecmp-ipvlan", "CHECK", pod_of.after(conf, result))
      pod:must("ecmp-ipvlan", "DEL", pod_of.after(conf, result))
    end
    assert.equal(before, pod:snapshot())
  end)

  kernel_it("takes addresses and master from the plugin before it", function()
    local conf <const> = conf_of { ipam = false, master = false }
    conf.prevResult = { cniVersion = "1.1.0", interfaces = { { name = "m0" } },
      ips = { { address = "10.0.0.7/24", gateway = "10.0.0.1" } },
      routes = { { dst = "0.0.0.0/0", gw = "10.0.0.1" } } }
    local result <const> = pod:must("ecmp-ipvlan", "ADD", conf)
    assert.matches("10.0.0.7/24", pod:ip("pod", "addr show dev eth0"))
    assert.same({ "default via 10.0.0.1 dev eth0" }, pod:routes())
    assert.same({ "eth0", 0 }, { result.interfaces[1].name, result.ips[1].interface })
    pod:must("ecmp-ipvlan", "CHECK", pod_of.after(conf, result))
    pod:must("ecmp-ipvlan", "DEL", pod_of.after(conf, result))
  end)

  for name, case in pairs {
    ["a master that does not exist"] = { { master = "none" }, "^master: " },
    ["no master and no default route"] = { { master = false }, "^master: must be given" },
    ["an unknown mode"] = { { mode = "l4" }, "^mode: must be one of" },
    ["neither IPAM nor a previous result"] = { { ipam = false }, "^ipam.type: must be given" },
    ["a previous result that names no single master"] = {
      { ipam = false, master = false, prevResult = { cniVersion = "1.1.0",
        ips = { { address = "10.0.0.7/24" } } } }, "^master: must be given where prevResult" },
  } do
    it("refuses " .. name .. ", and leaves nothing behind", function()
      local before <const> = pod:snapshot()
      local outcome <const> = pod:call("ecmp-ipvlan", "ADD", conf_of(case[1]))
      assert.same({ 1, 7 }, { outcome.status, outcome.json.code })
      assert.matches(case[2], outcome.json.msg)
      assert.equal(before, pod:snapshot())
    end)
  end

  it("DEL needs no master, and no default route", function()
    pod:must("ecmp-ipvlan", "DEL", conf_of { master = false })
    pod:must("ecmp-ipvlan", "DEL", conf_of { master = false, ipam = false })
  end)
end)
