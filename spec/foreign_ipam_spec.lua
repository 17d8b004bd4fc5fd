--- Interface plugins of ours under IPAM plugins that are not: the stock ones, and some that misbehave.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

describe("an IPAM plugin of somebody else #netns", function()
  local pod, dir

  before_each(function()
    pod, dir = pod_of.new(), helper.directory()
    pod:ip("host", "link add m0 type veth peer name m1")
    pod:ip("host", "link set m0 up")
    pod:ip("host", "link set m1 up")
  end)
  after_each(function()
    pod:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  --- An IPAM plugin that notes the verbs it is called with and runs `script`.
  local function write(script)
    assert(sys.replace(dir .. "/odd", ("#!/bin/sh\ncat >/dev/null\n"
      .. "echo $CNI_COMMAND >>%s/verbs\n%s\n"):format(dir, script), tonumber("755", 8)))
  end

  local function verbs()
    return (sys.read(dir .. "/verbs") or ""):gsub("\n", " "):gsub(" $", "")
  end

  local function conf_of(plugin, kind, ipam)
    local conf <const> = { cniVersion = "1.0.0", name = "lab", type = plugin, dad = "skip",
      master = "m0", ipam = ipam or {} }
    conf.ipam.type = kind
    return conf
  end

  local function call(verb, conf, prev)
    return pod:call(conf.type, verb, prev and pod_of.after(conf, prev) or conf,
      { CNI_PATH = dir .. ":" .. pod_of.reference })
  end

  for _, plugin in ipairs { "ecmp-bridge", "ecmp-ptp", "ecmp-macvlan" } do
    describe("under " .. plugin, function()
      for _, kind in ipairs { "static", "host-local" } do
        it("can be the stock " .. kind, function()
          local program <const> = pod_of.reference .. "/" .. kind
          if not sys.stat(program) then return pending("no stock plugins here") end
          assert(sys.symlink(program, dir .. "/stock"))
          local routes <const> = { { dst = "192.0.2.0/24", gw = "10.0.0.2" },
            { dst = "192.0.2.0/24", gw = "10.0.0.3" } }
          local conf <const> = conf_of(plugin, "stock", { routes = routes,
            addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } },
            subnet = "10.0.0.0/24", rangeStart = "10.0.0.9", dataDir = dir .. "/pool" })
          local added <const> = call("ADD", conf)
          assert.equal(0, added.status, added.stdout)
          assert.equal("10.0.0.9/24", added.json.ips[1].address)
          local hop <const> = " nexthop via 10.0.0.%d dev eth0 weight 1"
          local found <const> = table.concat(pod:routes(), "\n")
          assert.matches("192.0.2.0/24" .. hop:format(2) .. hop:format(3), found, 1, true)
          assert.equal(0, call("CHECK", conf, added.json).status)
          assert.equal(0, call("DEL", conf, added.json).status)
          assert.is_nil(sys.stat(dir .. "/pool/lab/10.0.0.9"))
        end)
      end

      for name, case in pairs {
        ["that is to be tried again"] =
          { "echo '{\"code\":11,\"msg\":\"busy\",\"details\":\"d\"}'; exit 1", 11, "^busy$" },
        ["that prints nonsense"] = { "echo nonsense", 999, "plugin odd, ADD" },
        ["that prints nonsense and fails"] = { "echo nonsense; exit 3", 0, "nonsense" },
        ["that dies"] = { "kill -9 $$", 0, "killed by signal 9" },
        ["that hands out nothing"] = { "echo '{}'", 999, "handed out no address" },
        ["that hands out what is no address"] =
          { "echo '{\"ips\":[{\"address\":\"10.0.0.300/24\"}]}'", 999, "10.0.0.300" },
        ["that hands out a route nobody can reach"] = { "echo '{\"ips\":[{\"address\":"
          .. "\"10.0.0.9/24\",\"gateway\":\"10.0.0.1\"}],\"routes\":[{\"dst\":\"192.0.2.0/24\","
          .. "\"gw\":\"198.51.100.1\"}]}'", 999, "198.51.100.1" },
      } do
        it(name .. " leaves nothing behind and is told DEL", function()
          write(("[ $CNI_COMMAND = ADD ] || exit 0\n%s"):format(case[1]))
          local before <const> = pod:snapshot()
          local err <const> = call("ADD", conf_of(plugin, "odd")).json
          assert.equal(case[2], err.code)
          assert.matches(case[3], err.msg)
          assert.equal(before, pod:snapshot())
          assert.equal("ADD DEL", verbs())
          assert.is_nil(sys.stat(record.directory .. "/lab:c1:eth0.json"))
        end)
      end

      it("is asked by CHECK, STATUS and GC, and its error is handed on", function()
        write [[
case $CNI_COMMAND in
ADD) echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.9/24","gateway":"10.0.0.1"}}' ;;
DEL) ;;
*) echo '{"code":50,"msg":"not now"}'; exit 1 ;;
esac]]
        local conf <const> = conf_of(plugin, "odd")
        conf.cniVersion = "1.1.0"
        local added <const> = call("ADD", conf)
        assert.equal(0, added.status, added.stdout)
        for _, verb in ipairs { "CHECK", "STATUS", "GC" } do
          conf["cni.dev/valid-attachments"] =
            json.array { { containerID = "c1", ifname = "eth0" } }
          local outcome <const> = call(verb, conf, verb == "CHECK" and added.json)
          assert.same({ 50, "not now" }, { outcome.json.code, outcome.json.msg })
        end
        assert.equal("ADD CHECK STATUS GC", verbs())
      end)

      it("that fails at DEL keeps nobody from taking the interface away", function()
        write [[
[ $CNI_COMMAND = ADD ] || { echo '{"code":11,"msg":"busy"}'; exit 1; }
echo '{"ips":[{"address":"10.0.0.9/24","gateway":"10.0.0.1","interface":7}]}']]
        local conf <const> = conf_of(plugin, "odd")
        local added <const> = call("ADD", conf)
        assert.equal(0, added.status, added.stdout)
        local deleted <const> = call("DEL", conf, added.json)
        assert.same({ 11, "busy" }, { deleted.json.code, deleted.json.msg })
        assert.not_matches("eth0", pod:ip("pod", "link show"))
      end)
    end)
  end
end)
