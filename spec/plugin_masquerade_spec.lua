local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local function conf_of(changes, addresses)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = "ecmp-ptp", dad = "skip", ipMasq = true,
    isGateway = true,
    ipam = {
      type = "static", routes = json.array { { dst = "0.0.0.0/0" }, { dst = "::/0" } },
      addresses = addresses or {
        { address = "10.0.0.9/24", gateway = "10.0.0.1" },
        { address = "2001:db8::9/64", gateway = "2001:db8::1" },
      },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

--- Runs a script with the library in a pod's host.
local function run(pod, script)
  return helper.lua(script, { netns = pod.host_path, stderr = "capture", timeout = 20 })
end

describe("ipMasq #netns", function()
  local able, pod = {}, nil

  setup(function()
    local scratch <close> = pod_of.new()
    able.nftables = pod_of.has_nftables "inet"
    able.iptables = true
    for _, program in ipairs { "iptables", "ip6tables" } do
      local tried <const> = sys.spawn { argv = { program, "-t", "nat", "-A", "POSTROUTING", "-m",
        "comment", "--comment", "probe", "-j", "MASQUERADE" }, timeout = 20,
        netns = scratch.host_path, stderr = "capture" }
      able.iptables = able.iptables and tried ~= nil and tried.status == 0
    end
    able.reference = sys.stat(pod_of.reference .. "/ptp") ~= nil
  end)

  local directory, dropin

  before_each(function()
    pod, directory = pod_of.new(), helper.directory()
    dropin = directory .. "/ptp"
    assert(sys.symlink(assert(sys.realpath(helper.build .. "/bin/ecmp")), dropin))
  end)

  after_each(function()
    pod:close()
    helper.remove(directory)
    record.sweep("lab", function() return false end)
  end)

  local function it_if(needs, name, body)
    it(name, function()
      for _, need in ipairs(needs) do
        if not able[need] then return pending("this machine has no " .. need) end
      end
      body()
    end)
  end

  --- The comments of the rules that nftables has for pods.
  local function nftables()
    local done <const> = run(pod, [[
      local nft = require "ecmp.netfilter.nft"
      local filter <close> = assert(nft.open())
      local rules = assert(filter:rules(nft.table("inet", "cni_plugins_masquerade"), "masq_checks"))
      for _, rule in ipairs(rules) do print(rule.comment) end
    ]])
    assert(done.status == 0, done.stderr)
    local list <const> = {}
    for line in done.stdout:gmatch("[^\n]+") do list[#list + 1] = line end
    return list
  end

  --- What iptables has in its nat tables, but for what is always there.
  local function iptables()
    local lines <const> = {}
    for _, program in ipairs { "iptables", "ip6tables" } do
      for line in pod:run("host", { program, "-t", "nat", "-S" }):gmatch("[^\n]+") do
        if not line:find("^%-P") then lines[#lines + 1] = line end
      end
    end
    return lines
  end

  local rules_of <const> = { nftables = nftables, iptables = iptables }
  -- Rules for two addresses, one for one.
  local counts <const> = { nftables = { 2, 1 }, iptables = { 8, 4 } }
  local second <const> = { CNI_CONTAINERID = "c2", CNI_IFNAME = "net1" }

  for _, case in ipairs {
    { "ecmp-ptp", "nftables" }, { "ecmp-bridge", "nftables" }, { "ecmp-ptp", "iptables" },
    { "ecmp-bridge", "iptables" },
  } do
    local plugin <const>, backend <const> = table.unpack(case)
    local what <const> = ("%s, %s: "):format(plugin, backend)
    local rules <const>, count <const> = rules_of[backend], counts[backend]
    local conf <const> = conf_of { type = plugin, ipMasqBackend = backend }
    local other <const> = conf_of({ type = plugin, ipMasqBackend = backend },
      { { address = "10.0.7.10/24", gateway = "10.0.7.1" } })
    other.bridge = "br7"

    it_if({ backend }, what .. "each address has its rule, and DEL takes it away", function()
      local result <const> = pod:must(plugin, "ADD", conf)
      assert.equal(count[1], #rules())
      pod:must(plugin, "CHECK", pod_of.after(conf, result))
      pod:must(plugin, "ADD", other, second)
      assert.equal(count[1] + count[2], #rules())
      pod:must(plugin, "DEL", conf)
      assert.equal(count[2], #rules())
      pod:must(plugin, "DEL", other, second)
      assert.same({}, rules())
      pod:must(plugin, "DEL", conf)
    end)

    it_if({ backend }, what .. "GC drops the rules of attachments that it does not list", function()
      local result <const> = pod:must(plugin, "ADD", conf)
      local gc <const> = conf_of { type = plugin }
      gc["cni.dev/valid-attachments"] = json.array { { containerID = "c1", ifname = "eth0" } }
      pod:must(plugin, "GC", gc)
      assert.equal(count[1], #rules())
      gc["cni.dev/valid-attachments"] = json.array()
      pod:must(plugin, "GC", gc)
      assert.same({}, rules())
      assert.matches("ipMasq: 0 of 2 addresses are masqueraded by " .. backend,
        pod:call(plugin, "CHECK", pod_of.after(conf, result)).json.msg)
    end)

    it_if({ backend }, what .. "what leaves the subnet has the host's address, nothing else has",
      function()
        local far <close> = pod_of.new()
        pod:ip("host", "link add out0 type veth peer name far0")
        pod:ip("host", "addr add 192.0.2.1/24 dev out0")
        pod:ip("host", "link set out0 up")
        pod:ip("host", "link set far0 netns " .. far.path)
        far:ip("pod", "addr add 192.0.2.2/24 dev far0")
        far:ip("pod", "link set far0 up")
        -- It has no way back to the pod, and takes nothing that it could not answer.
        far:run("pod", { "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter" })
        local receiver <close> = assert(sys.udp_bind(far.path, "192.0.2.2", 9))
        local function arrives()
          assert(sys.udp_send(pod.path, { { dst = "192.0.2.2", dport = 9 } }))
          return #sys.poll({ receiver }, 1) == 1 and sys.udp_drain(receiver) > 0
        end
        local plain <const> = conf_of { type = plugin, ipMasq = false }
        pod:must(plugin, "ADD", plain)
        assert.is_false(arrives())
        pod:must(plugin, "DEL", plain)
        pod:must(plugin, "ADD", conf)
        -- The first may be lost: the kernel takes its time to believe in a new pair's carrier.
        helper.eventually(arrives)
      end)
  end

  it_if({ "nftables" }, "marks rules with the numbers and words of the reference plugins", function()
    pod:must("ecmp-ptp", "ADD", conf_of())
    -- The first 16 digits of SHA-512 of "lab" and of "eth0:c1".
    local function number_of(text)
      return assert(sys.spawn { argv = { "sha512sum" }, stdin = text }).stdout:sub(1, 16)
    end
    local mark <const> = ("%s-%s, net: lab, if: eth0, id: c1")
      :format(number_of("lab"), number_of("eth0:c1"))
    assert.same({ mark, mark }, nftables())
  end)

  it_if({ "iptables", "reference" }, "writes the chains and rules of the reference plugins", function()
    local conf <const> = conf_of { ipMasqBackend = "iptables", cniVersion = "1.0.0" }
    pod:must(pod_of.reference .. "/ptp", "ADD", conf)
    local theirs <const> = iptables()
    assert.is_true(#theirs > 0)
    pod:must("ecmp-ptp", "DEL", conf)
    assert.same({}, iptables())
    pod:must("ecmp-ptp", "ADD", conf)
    assert.same(theirs, iptables())
    pod:must(pod_of.reference .. "/ptp", "DEL", conf)
    assert.same({}, iptables())
  end)

  it_if({ "iptables", "nftables" }, "finds a pod content that the reference plugin's name made, and the reverse", function()
    for _, order in ipairs { { dropin, "ecmp-ptp" }, { "ecmp-ptp", dropin } } do
      local result <const> = pod:must(order[1], "ADD", conf_of())
      local directory_of_records <const> = require("ecmp.flow.record").directory
      for _, name in ipairs(sys.list(directory_of_records)) do
        sys.unlink(directory_of_records .. "/" .. name)
      end
      local after <const> = pod_of.after(conf_of(), result)
      pod:must(order[2], "CHECK", after)
      -- A backend that is configured is the one that is meant.
      local other <const> = order[1] == dropin and "nftables" or "iptables"
      local told <const> =
        pod:call(order[2], "CHECK", pod_of.after(conf_of { ipMasqBackend = other }, result))
      assert.matches("ipMasq: 0 of .* by " .. other, told.json.msg)
      pod:must(order[2], "DEL", after)
      assert.same({}, iptables())
      assert.same({}, nftables())
    end
  end)

  it_if({ "iptables", "nftables" }, "uses iptables under a reference plugin's name, unless told", function()
    pod:must(dropin, "ADD", conf_of())
    assert.equal(8, #iptables())
    assert.same({}, nftables())
    pod:must(dropin, "DEL", conf_of())
    assert.same({}, iptables())
    pod:must(dropin, "ADD", conf_of { ipMasqBackend = "nftables" })
    assert.equal(2, #nftables())
    assert.same({}, iptables())
  end)

  it_if({ "iptables" }, "lets two interfaces of one container share the chain", function()
    local conf <const> = conf_of { ipMasqBackend = "iptables", type = "ecmp-ptp" }
    local more <const> = conf_of({ ipMasqBackend = "iptables" },
      { { address = "10.0.7.10/24", gateway = "10.0.7.1" } })
    more.ipam.routes = nil
    local net1 <const> = { CNI_IFNAME = "net1" }
    pod:must("ecmp-ptp", "ADD", conf)
    local alone <const> = iptables()
    local result <const> = pod:must("ecmp-ptp", "ADD", more, net1)
    assert.equal(10, #iptables())
    pod:must("ecmp-ptp", "CHECK", pod_of.after(more, result), net1)
    pod:must("ecmp-ptp", "DEL", more, net1)
    assert.equal(#alone + 1, #iptables()) -- the chain keeps the network, which nobody sends to it
    pod:must("ecmp-ptp", "DEL", conf)
    assert.same({}, iptables())
  end)

  it_if({ "iptables" }, "leaves no rule of an ADD of which the second family failed", function()
    assert(sys.replace(directory .. "/ip6tables-restore", "#!/bin/sh\necho no room >&2\nexit 4\n",
      tonumber("755", 8)))
    local before <const> = pod:snapshot()
    local outcome <const> = pod:call("ecmp-ptp", "ADD", conf_of { ipMasqBackend = "iptables" },
      { PATH = directory .. ":" .. os.getenv("PATH") })
    assert.matches("^ipMasq: ip6tables%-restore .*: no room$", outcome.json.msg)
    assert.same({}, iptables())
    assert.equal(before, pod:snapshot())
  end)

  it_if({ "iptables" }, "brings back the bridge's address that an ADD took away and then failed",
    function()
      assert(sys.replace(directory .. "/ip6tables-restore", "#!/bin/sh\nexit 4\n",
        tonumber("755", 8)))
      pod:ip("host", "link add cni0 type bridge")
      pod:ip("host", "link set cni0 up")
      pod:ip("host", "addr add 2001:db8::77/48 dev cni0 nodad")
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf_of { type = "ecmp-bridge",
        isGateway = true, forceAddress = true, ipMasqBackend = "iptables" },
        { PATH = directory .. ":" .. os.getenv("PATH") })
      assert.matches("ended with status 4$", outcome.json.msg)
      assert.matches("2001:db8::77/48", pod:ip("host", "addr show dev cni0"))
    end)

  it_if({ "nftables" }, "purges the rest when a rule goes meanwhile", function()
    local done <const> = run(pod, [[
      local nft = require "ecmp.netfilter.nft"
      local filter <close> = assert(nft.open())
      local mine = nft.table("inet", "mine")
      local function rule(comment) return mine:rule("c", nft.masquerade(), comment) end
      assert(filter:commit { mine:make(), mine:chain("c", { type = "nat", hook = "postrouting",
        priority = 100 }), rule "a", rule "b", rule "keep" })
      local first = true
      assert(filter:purge(mine, "c", function(found)
        if first then -- somebody else is faster with this one
          first = false
          assert(filter:commit { mine:del_rule(found) })
          return true
        end
        return found.comment ~= "keep"
      end))
      for _, left in ipairs(filter:rules(mine, "c")) do print(left.comment) end
    ]])
    assert.same({ "", "keep\n" }, { done.stderr, done.stdout })
  end)

  it("tells what the likely backend could not take away, of one attachment and of many", function()
    local done <const> = run(pod, [[
      local function refuse() return nil, "list rules: no (EPERM)" end
      for _, name in ipairs { "nftables", "iptables" } do
        package.loaded["ecmp.netfilter." .. name] = {
          remove = refuse, sweep = refuse, available = refuse,
        }
      end
      local masquerade = require "ecmp.plugin.masquerade"
      local call = { containerid = "c1", ifname = "eth0", valid = {},
        conf = { name = "lab", ipMasq = true } }
      print(masquerade.detach(call, nil))
      print(masquerade.sweep(call))
    ]])
    assert.equal("nil\tlist rules: no (EPERM)\nnil\tlist rules: no (EPERM)\n", done.stdout)
  end)

  it("says so where the program is missing", function()
    local done <const> = run(pod, [[
      local iptables = require "ecmp.netfilter.iptables"
      iptables.path = "/nowhere"
      assert(not iptables.available())
      local who = { network = "lab", containerid = "c1", ifname = "eth0" }
      print(iptables.add(who, { { address = "10.0.0.9/24" } }))
      assert(iptables.remove(who))
    ]])
    assert.equal("", done.stderr)
    assert.matches("iptables%-restore: there is no such program in /nowhere", done.stdout)
  end)
end)
