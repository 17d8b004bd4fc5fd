-- From the reference plugins to ours and back, on a node whose pods go on living: each takes over what
-- the other made, with and without masquerading, and nothing is left when the pods have gone.
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local NAMES <const> = { "bridge", "host-local", "ptp" }

-- Why this cannot run here.
local function obstacle()
  for _, name in ipairs(NAMES) do
    local path <const> = ("%s/%s"):format(pod_of.reference, name)
    if not sys.stat(path) then return path .. " is not installed" end
  end
  local tried <const> = sys.spawn { argv = { "unshare", "-n", "iptables", "-w", "-t", "nat", "-S" },
    stderr = "capture" }
  if not tried or tried.status ~= 0 then return "iptables does not work here" end
end

describe("stock plugins, ours, and stock again #netns", function()
  local pod, dir, spaces, results

  before_each(function()
    pod, dir, spaces, results = pod_of.new(), helper.directory(), {}, {}
    assert(sys.mkdir(dir .. "/cni"))
    for _, name in ipairs(NAMES) do
      assert(sys.create(("%s/cni/%s"):format(dir, name),
        assert(sys.read(("%s/%s"):format(pod_of.reference, name))), tonumber("755", 8)))
    end
  end)
  after_each(function()
    for _, space in pairs(spaces) do space:close() end
    pod:close()
    helper.remove(dir)
    for _, name in ipairs { "plain", "masq", "pair" } do
      record.sweep(name, function() return false end)
    end
  end)

  local function conf_of(network)
    local number <const> = ({ plain = 1, masq = 2, pair = 3 })[network]
    return { cniVersion = "1.0.0", name = network, type = network == "pair" and "ptp" or "bridge",
      bridge = network ~= "pair" and "br" .. number or nil, isGateway = network ~= "pair" or nil,
      ipMasq = network ~= "plain", ipam = { type = "host-local", dataDir = dir .. "/networks",
        subnet = ("10.%d.0.0/24"):format(number), routes = { { dst = "0.0.0.0/0" } } } }
  end

  local function call(network, id, verb)
    local conf <const> = conf_of(network)
    return pod:must(("%s/cni/%s"):format(dir, conf.type), verb,
      pod_of.after(conf, results[network .. id]), { CNI_CONTAINERID = id,
        CNI_NETNS = netns.path(spaces[network .. id]), CNI_PATH = dir .. "/cni" })
  end

  local function add(id)
    for _, network in ipairs { "plain", "masq", "pair" } do
      spaces[network .. id] = assert(netns.create())
      results[network .. id] = call(network, id, "ADD")
    end
  end

  local function each(verb, ...)
    for _, id in ipairs { ... } do
      for _, network in ipairs { "plain", "masq", "pair" } do call(network, id, verb) end
    end
  end

  -- What a pod sends to its gateway arrives.
  local function reaches(network, id)
    local gateway <const> = results[network .. id].ips[1].gateway
    local receiver <close> = assert(sys.udp_bind(pod.host_path, gateway, 4000))
    assert(sys.udp_send(netns.path(spaces[network .. id]), { { dst = gateway, dport = 4000 } }))
    local count = 0
    helper.eventually(function()
      count = count + sys.udp_drain(receiver)
      return count > 0
    end)
  end

  local function install(...)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 60,
      argv = { helper.build .. "/bin/ecmp", "install", ... } })
    assert.equal(0, outcome.status, outcome.stderr)
  end

  it("take over each other's pods, and leave nothing", function()
    local why <const> = obstacle()
    if why then return pending(why) end
    add "c1"
    install("--replace", table.concat(NAMES, ","), dir .. "/cni")
    each("CHECK", "c1")
    add "c2"
    -- One of theirs goes by ours.
    add "c3"
    each("DEL", "c1")
    for _, network in ipairs { "plain", "masq", "pair" } do reaches(network, "c2") end

    install("--restore", dir .. "/cni")
    assert.equal(sys.read(pod_of.reference .. "/bridge"), sys.read(dir .. "/cni/bridge"))
    each("CHECK", "c2", "c3")
    add "c4"
    for _, id in ipairs { "c2", "c4" } do
      for _, network in ipairs { "plain", "masq", "pair" } do reaches(network, id) end
    end
    -- One of ours goes by theirs; the addresses of both are not given out twice.
    local seen <const> = {}
    for _, result in pairs(results) do
      local address <const> = result.ips[1].address
      assert.is_nil(seen[address])
      seen[address] = true
    end
    each("DEL", "c2", "c4")

    install("--replace", table.concat(NAMES, ","), dir .. "/cni")
    each("CHECK", "c3")
    each("DEL", "c3")
    local rules <const> = pod:run("host", { "iptables", "-w", "-t", "nat", "-S" })
    assert.is_nil(rules:find "CNI%-")
    for _, network in ipairs { "plain", "masq", "pair" } do
      for _, name in ipairs(sys.list(("%s/networks/%s"):format(dir, network))) do
        assert.is_nil(name:find "^10%.", name)
      end
    end
    local host <close> = pod:open "host"
    for _, link in ipairs(host.link:list()) do
      assert.is_true(link.type ~= "veth", link.name)
    end
  end)
end)
