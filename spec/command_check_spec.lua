-- ecmp ls and ecmp check: what is attached to this node, and whether it is as its ADD left it.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

describe("attachments #netns", function()
  local pod, dir

  before_each(function() pod, dir = pod_of.new(), helper.directory() end)
  after_each(function()
    pod:close()
    for _, network in ipairs { "aaa", "lab", "own" } do record.sweep(network, function() return false end) end
    helper.remove(dir)
  end)

  local function ecmp(...)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 30,
      netns = pod.host_path, argv = { "lua5.4", "-e", helper.paths()
        .. "os.exit(require('ecmp.command').run(arg), true)", "/dev/null", ... } })
    return outcome.status, outcome.stdout, outcome.stderr
  end

  local function conf_of()
    return { cniVersion = "1.1.0", name = "lab", type = "ecmp-ptp", dad = "skip", ipMasq = true,
      multipath = { hash = "l4" }, ipam = { type = "ecmp-host-local", subnet = "10.0.0.0/24",
        dataDir = dir, routes = { { dst = "10.8.0.0/16" }, { dst = "10.9.0.0/16", nexthops = {
          { gw = "10.0.0.1", weight = 2 } } } } } }
  end

  local NAMED <const> = { CNI_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=front-1" }

  local function add(conf)
    conf = conf or conf_of()
    local result <const> = pod:must(conf.type, "ADD", conf, NAMED)
    local chained <const> = { cniVersion = "1.1.0", name = conf.name, type = "ecmp",
      addroutes = { { dst = "10.7.0.0/16", gw = "10.0.0.1" } }, prevResult = result }
    pod:must("ecmp", "ADD", chained, NAMED)
  end

  it("are listed with namespace, addresses and pod", function()
    add()
    local status <const>, out <const> = ecmp("ls", "--json")
    assert.equal(0, status)
    assert.same({ { network = "lab", container = "c1", interface = "eth0", netns = pod.path,
      alive = true, addresses = { "10.0.0.2/24" }, pod = "web/front-1", recorded = true } },
      json.decode(out))
    assert.equal("NETWORK  CONTAINER  INTERFACE  NAMESPACE  ADDRESSES    POD\n"
      .. "lab      c1         eth0       alive      10.0.0.2/24  web/front-1\n", select(2, ecmp "ls"))
  end)

  it("are listed by a reservation where that is all that is left", function()
    add()
    assert(sys.create(dir .. "/lab/10.0.0.77", "gone\r\neth0"))
    local list <const> = json.decode((select(2, ecmp("ls", "--json"))))
    assert.same({ "lab", "gone", "eth0", { "10.0.0.77" }, false }, { list[2].network,
      list[2].container, list[2].interface, list[2].addresses, list[2].recorded })
    assert.equal(2, #list)
  end)

  it("are as their ADD left them, whatever became of the configuration", function()
    add()
    assert.same({ 0, "lab/c1/eth0: ok\n", "" }, { ecmp "check" })
    assert.same({ 0, "lab/c1/eth0: ok\n", "" }, { ecmp("check", "lab/c1/eth0") })
  end)

  it("are told of where they differ, with all that does", function()
    add()
    pod:ip("pod", "route del 10.8.0.0/16")
    pod:ip("pod", "route replace 10.7.0.0/16 dev eth0")
    do
      local nl <close> = pod:open()
      assert(nl.sysctl:set("net.ipv4.fib_multipath_hash_policy", "0"))
    end
    pod:run("host", { "nft", "flush", "ruleset" })
    local status <const>, out <const> = ecmp "check"
    assert.equal(1, status)
    assert.equal("lab/c1/eth0: ipMasq: 0 of 1 addresses are masqueraded by nftables; "
      .. "sysctl net.ipv4.fib_multipath_hash_policy is 0, planned is 1; "
      .. "route 10.8.0.0/16 is missing; "
      .. "route 10.7.0.0/16: next hop via 10.0.0.1 dev eth0 is missing; "
      .. "route 10.7.0.0/16: next hop on-link dev eth0 is not planned\n", out)
  end)

  it("are told of where the namespace is gone, a later version made the record, or none is there",
    function()
      add()
      local path <const> = record.path { conf = { name = "lab" }, containerid = "c1", ifname = "eth0" }
      local was <const> = json.decode(sys.read(path))
      was.netns = dir .. "/none"
      assert(sys.replace(path, json.encode(was)))
      assert.same({ 1, ("lab/c1/eth0: its namespace %s/none is gone\n"):format(dir), "" },
        { ecmp "check" })
      was.format = 2
      assert(sys.replace(path, json.encode(was)))
      local status <const>, out <const> = ecmp "check"
      assert.equal(1, status)
      assert.matches("^lab/c1/eth0: .*is of format 2, this version knows 1", out)
      assert.matches("lab/c2/eth0: there is no record", (select(3, ecmp("check", "lab/c2/eth0"))))
    end)

  it("that were made before records said what was asked for are no failure", function()
    add()
    local path <const> = record.path { conf = { name = "lab" }, containerid = "c1", ifname = "eth0" }
    local was <const> = json.decode(sys.read(path))
    was.format = nil
    for _, step in ipairs(was.steps) do step.conf, step.result = nil, nil end
    assert(sys.replace(path, json.encode(was)))
    assert.same({ 0, "lab/c1/eth0: made before format 1\n", "" }, { ecmp "check" })
  end)

  it("of a site's own plugin are checked by its script", function()
    local script <const> = dir .. "/own.lua"
    assert(sys.create(script, [[
      local flow, interface = require "ecmp.flow", require "ecmp.flow.interface"
      return flow.verbs {
        attach = function(state)
          assert(state.nl.link:add { name = state.call.ifname, type = "veth",
            peer = { name = "far0" } })
          state.interfaces = { assert(interface.describe(state.nl, state.call.ifname,
            state.call.netns)) }
          state.interface = 0
          return true
        end,
        detach = interface.detach,
      }]], tonumber("600", 8)))
    pod:must("ecmp-lua", "ADD", { cniVersion = "1.1.0", name = "own", type = "ecmp-lua",
      script = script, ipam = { type = "ecmp-static", addresses = { { address = "10.0.0.9/24" } } } })
    assert.same({ 0, "own/c1/eth0: ok\n", "" }, { ecmp "check" })
    pod:ip("pod", "addr del 10.0.0.9/24 dev eth0")
    assert.same({ 1, "own/c1/eth0: address 10.0.0.9/24 is missing on eth0\n", "" },
      { ecmp "check" })
  end)

  it("are checked and mended though a plugin of another throws", function()
    local script <const> = dir .. "/own.lua"
    assert(sys.create(script, [[
      local flow, interface = require "ecmp.flow", require "ecmp.flow.interface"
      local verbs = flow.verbs {
        attach = function(state)
          assert(state.nl.link:add { name = state.call.ifname, type = "veth",
            peer = { name = "far0" } })
          state.interfaces = { assert(interface.describe(state.nl, state.call.ifname,
            state.call.netns)) }
          state.interface = 0
          return true
        end,
        detach = interface.detach,
      }
      function verbs.check(call)
        call:open()
        require("ecmp.cni").refuse(11, "not now")
      end
      verbs.repair = verbs.check
      return verbs]], tonumber("600", 8)))
    add()
    pod:must("ecmp-lua", "ADD", { cniVersion = "1.1.0", name = "aaa", type = "ecmp-lua",
      script = script, ipam = { type = "ecmp-static", addresses = { { address = "10.0.9.9/24" } } } },
      { CNI_IFNAME = "eth1" })
    assert.same({ 1, "aaa/c1/eth1: not now\nlab/c1/eth0: ok\n", "" }, { ecmp "check" })
    assert.same({ 1, "aaa/c1/eth1: not now; left: not now\nlab/c1/eth0: nothing to do\n", "" },
      { ecmp "repair" })
  end)
end)
