-- Real clients: libcni, on which podman, containerd and CRI-O are built, runs our plugins in lists
-- of its own making. `make test-clients` builds the client; without it these specs are skipped.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local client <const> = sys.realpath(os.getenv "ECMP_CLIENT" or helper.build .. "/client")
local stock <const> = sys.stat(pod_of.reference .. "/portmap") ~= nil

describe("libcni #netns", function()
  local pod, dir

  before_each(function() dir, pod = helper.directory(), pod_of.new() end)
  after_each(function()
    pod:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  local function client_it(name, body)
    it(name, function()
      if not client then return pending("no client: make test-clients") end
      body()
    end)
  end

  --- Runs the client for a list of plugins.
  local function run(command, plugins, capabilities, changes)
    local file <const> = dir .. "/lab.conflist"
    sys.unlink(file)
    assert(sys.create(file, json.encode { cniVersion = "1.0.0", name = "lab", plugins = plugins },
      tonumber("644", 8)))
    local env <const> = {
      CNI_PATH = ("%s/cni:%s"):format(assert(sys.realpath(helper.build)), pod_of.reference),
      CNI_CACHE = dir .. "/cache", CNI_COMMAND = false, CNI_ARGS = false,
    }
    for name, value in pairs(changes or {}) do env[name] = value end
    return assert(sys.spawn {
      argv = { client, command, file, "c1", pod.path, "eth0",
        capabilities and json.encode(capabilities) },
      env = runtime.environment(env), netns = pod.host_path, timeout = 60, stderr = "capture",
    })
  end

  local function must(...)
    local outcome <const> = run(...)
    assert.equal(0, outcome.status, outcome.stderr .. outcome.stdout)
    return outcome.stdout ~= "" and assert(json.decode(outcome.stdout)) or nil
  end

  local gateways <const> = {
    { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
    { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::3" },
  }
  local as_groups <const> = {
    "default nexthop via 10.0.0.1 dev eth0 weight 1 nexthop via 10.0.0.2 dev eth0 weight 1",
    "default metric 1024 nexthop via 2001:db8::1 dev eth0 weight 1 "
      .. "nexthop via 2001:db8::3 dev eth0 weight 1",
  }

  local function main(kind, changes)
    local conf <const> = {
      type = kind, bridge = "br0", isGateway = true, dad = "skip",
      ipam = { type = "ecmp-host-local", dataDir = dir .. "/pool", routes = gateways,
        ranges = { { { subnet = "10.0.0.0/24", rangeStart = "10.0.0.9" } },
          { { subnet = "2001:db8::/64", rangeStart = "2001:db8::9" } } } },
    }
    for key, value in pairs(changes or {}) do conf[key] = value end
    return conf
  end

  local function gone()
    assert.is_nil(pod:ip("pod", "link"):find("eth0"))
    for _, name in ipairs(sys.list(dir .. "/pool/lab")) do
      assert.is_truthy(name == "lock" or name:find("^last_reserved_ip"), name)
    end
  end

  client_it("adds, checks and deletes a bridge", function()
    local result <const> = must("add", { main "ecmp-bridge" })
    assert.same(as_groups, pod:routes())
    assert.equal(4, #result.routes)
    must("check", { main "ecmp-bridge" })
    pod:ip("pod", "route replace default via 10.0.0.1 dev eth0")
    local outcome <const> = run("check", { main "ecmp-bridge" })
    assert.equal(1, outcome.status)
    assert.matches("next hop via 10.0.0.2 dev eth0 is missing", outcome.stderr)
    must("del", { main "ecmp-bridge" })
    gone()
    must("del", { main "ecmp-bridge" })
  end)

  client_it("regroups behind the stock bridge, by the chained plugin", function()
    if not stock then return pending("no stock plugins") end
    local plugins <const> = { main("bridge", { ipam = main("x").ipam }), { type = "ecmp" } }
    plugins[1].ipam.type = "host-local"
    must("add", plugins)
    assert.same(as_groups, pod:routes())
    must("check", { plugins[2] })
    must("del", plugins)
    gone()
  end)

  client_it("chains a stock plugin behind ours", function()
    if not stock then return pending("no stock plugins") end
    local plugins <const> = { main "ecmp-ptp",
      { type = "tuning", sysctl = { ["net.ipv4.conf.eth0.arp_filter"] = "1" } } }
    -- The host's end of ptp is the gateway, so there is one of each family.
    plugins[1].ipam.routes = { { dst = "0.0.0.0/0" }, { dst = "::/0" } }
    must("add", plugins)
    assert.equal("1\n", pod:run("pod", { "cat", "/proc/sys/net/ipv4/conf/eth0/arp_filter" }))
    must("check", plugins)
    must("del", plugins)
    gone()
  end)

  client_it("hands over what the runtime asks for", function()
    local plugins <const> = { main("ecmp-bridge",
      { capabilities = { ips = true, mac = true } }) }
    local result <const> = must("add", plugins,
      { ips = { "10.0.0.77/24" }, mac = "02:00:00:00:00:77" })
    assert.equal("10.0.0.77/24", result.ips[1].address)
    assert.matches("02:00:00:00:00:77", pod:ip("pod", "link show dev eth0"))
    must("del", plugins)
    gone()
  end)

  client_it("hears what is wrong, and finds nothing left behind", function()
    local plugins <const> = { main("ecmp-bridge", { merge = "reject" }) }
    local outcome <const> = run("add", plugins)
    assert.equal(1, outcome.status)
    assert.matches("10.0.0.1.*10.0.0.2", outcome.stderr)
    gone()
  end)

  client_it("runs a site's plugin script", function()
    local plugins <const> = { main("ecmp-lua",
      { script = assert(sys.realpath "examples/plugins/own-ptp.lua") }) }
    must("add", plugins)
    assert.same(as_groups, pod:routes())
    must("check", plugins)
    must("del", plugins)
    gone()
  end)
end)
