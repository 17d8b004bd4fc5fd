local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local ROUTES <const> = json.array {
  { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } }
local IPAM <const> = { type = "ecmp-host-local", subnet = "10.0.0.0/24", routes = ROUTES }

-- The keys of a configuration for each example, and the plugin that it is chained behind.
local EXAMPLES <const> = {
  ["own-ptp"] = { keys = {} },
  ["known-neighbours"] = {
    keys = { bridge = "br0", neighbours = { ["10.0.0.1"] = "02:00:00:00:00:01" } },
  },
  ["site-dns"] = {
    keys = { delegate = "ecmp-bridge", bridge = "br0", search = json.array { "site.example" } },
  },
  ["source-routing"] = { keys = { routingTable = 101 }, behind = { type = "ecmp-bridge", bridge = "br0" } },
}

-- What ADD does beside its work and DEL leaves, or does wrong; and what is to be said of it.
local FAULTS <const> = {
  { "a rule of the host that DEL leaves", [[
    function verbs.add(call)
      local result = cni.try(add(call))
      local host <close> = cni.try(require "ecmp".open())
      cni.try(host.rule:add { from = "10.0.0.9", table = 100, priority = 500 })
      return result
    end]], "DEL    left behind: host: rule 500:" },
  { "a sysctl of the host that DEL leaves", [[
    function verbs.add(call)
      local host <close> = cni.try(require "ecmp".open())
      cni.try(host.sysctl:set("net.ipv4.conf.all.arp_ignore", 1))
      return add(call)
    end]], "left behind: host: sysctl net.ipv4.conf.all.arp_ignore is 1, was 0\n" },
  { "forwarding that DEL leaves on in the pod", [[
    function verbs.add(call)
      local nl <close> = cni.try(require "ecmp".open { netns = call.netns })
      cni.try(nl.sysctl:set("net.ipv4.ip_forward", 1))
      return add(call)
    end]], "left behind: pod: sysctl net.ipv4.ip_forward is 1, was 0\n" },
  { "an nftables rule that DEL leaves", [[
    function verbs.add(call)
      local result = cni.try(add(call))
      local nft = require "ecmp.netfilter.nft"
      local filter <close> = cni.try(nft.open())
      local left = nft.table("inet", "left")
      cni.try(filter:commit { left:make(), left:chain "here", left:rule("here", nft.verdict "drop") })
      return result
    end]], "DEL    left behind: host: nft table inet left\nDEL    left behind: host: nft table inet left chain here\n"
      .. "DEL    left behind: host: nft table inet left chain here: drop\n" },
  { "a DEL that fails the second time", [[
    function verbs.del(call)
      local nl <close> = cni.try(require "ecmp".open { netns = call.netns })
      cni.try(nl.link:get { dev = call.ifname })
      return del(call)
    end]], "DEL    done\nDEL    ecmp-lua: " },
  { "an interface in the result that is not there", [[
    function verbs.add(call)
      local result = cni.try(add(call))
      result.interfaces[1].name = "none"
      return result
    end]], "ADD    result.interfaces[0]: there is no none\n" },
  { "a wrong address in the result", [[
    function verbs.add(call)
      local result = cni.try(add(call))
      result.ips[1].address = "10.9.9.9/24"
      return result
    end]], "ADD    result.ips[0]: 10.9.9.9/24 is not on eth0\n" },
}

-- Steps of an example itself that are left out.
local OMISSIONS <const> = {
  { "own-ptp", "an undo", "  state%.undo:push%([^\n]*\n", "", "ADD    left behind: pod: link eth0 of type veth" },
  { "known-neighbours", "taking the interface away", "return flow%.verbs", "function plugin.detach() end return flow.verbs",
    "DEL    left behind: pod: link eth0 of type veth" },
  { "site-dns", "its delegate's DEL", '"del", ', "", "DEL    left behind: pod: link eth0 of type veth" },
}

describe("ecmp try #netns", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function run(conf)
    return assert(sys.spawn { argv = { helper.build .. "/bin/ecmp", "try", "-" }, stdin = json.encode(conf),
      timeout = 120, stderr = "capture" })
  end

  local function try(script, keys, more)
    local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp-lua", script = script, dad = "skip",
      ipam = IPAM }
    for key, value in pairs(keys) do conf[key] = value end
    for key, value in pairs(more or {}) do conf[key] = value end
    return run(conf)
  end

  local function path_of(name) return assert(sys.realpath(("examples/plugins/%s.lua"):format(name))) end

  -- Tries an example, or a copy of it.
  local function try_example(name, script)
    local example <const> = EXAMPLES[name]
    if not example.behind then return try(script, example.keys) end
    local plugins <const> = json.array { { dad = "skip", ipam = IPAM }, { type = "ecmp-lua", script = script } }
    for key, value in pairs(example.behind) do plugins[1][key] = value end
    for key, value in pairs(example.keys) do plugins[2][key] = value end
    return run { cniVersion = "1.1.0", name = "lab", plugins = plugins }
  end

  -- Tries a copy of an example in which a text is replaced; it has to say what is wrong.
  local function finds(name, pattern, replacement, wanted)
    local text <const>, count <const> = assert(sys.read(path_of(name))):gsub(pattern, replacement)
    assert.equal(1, count, "the example has changed")
    assert(sys.create(dir .. "/broken.lua", text, tonumber("644", 8)))
    local done <const> = try_example(name, dir .. "/broken.lua")
    assert.equal(1, done.status, done.stdout .. done.stderr)
    assert.matches(wanted, done.stdout, 1, true)
  end

  it("is tried with every example", function()
    local names <const> = {}
    for _, file in ipairs(assert(sys.list "examples/plugins")) do names[#names + 1] = file:match "^(.*)%.lua$" end
    for _, name in ipairs(names) do assert.is_table(EXAMPLES[name], name) end
    assert.is_true(#names >= 4)
  end)

  for name in pairs(EXAMPLES) do
    it("finds nothing wrong with the example " .. name, function()
      local done <const> = try_example(name, path_of(name))
      assert.equal(0, done.status, done.stdout .. done.stderr)
      assert.matches("CHECK  done\nDEL    done\nDEL    done\nGC     done\n$", done.stdout)
      assert.matches("nexthop via 10.0.0.2 dev eth0 weight 1", done.stdout, 1, true)
    end)

    for _, fault in ipairs(FAULTS) do
      it(("names the fault of %s with %s"):format(name, fault[1]), function()
        local wrapped <const> = 'local verbs, cni = %%1, require "ecmp.cni"\nlocal add, del = verbs.add, verbs.del\n%s\n'
          .. "return verbs, add, del\n"
        finds(name, "return ([%w.]+%(?%w*%)?)\n$", wrapped:format((fault[2]:gsub("%%", "%%%%"))), fault[3])
      end)
    end
  end

  for _, case in ipairs(OMISSIONS) do
    it(("names what %s leaves behind without %s"):format(case[1], case[2]), function()
      finds(case[1], case[3], case[4], case[5])
    end)
  end

  it("shows every table that the ADD changed", function()
    local done <const> = try_example("source-routing", path_of "source-routing")
    assert.matches("       table 101:\n       default *\n *\tnexthop via 10.0.0.1 dev eth0 weight 1\n", done.stdout)
    assert.not_matches("table local", done.stdout, 1, true)
  end)

  it("tells forwarding, which stays on by contract, from what was left behind", function()
    local done <const> = try(nil, {}, { type = "ecmp-bridge", bridge = "br0", isGateway = true, ipMasq = true,
      macspoofchk = true })
    assert.equal(0, done.status, done.stdout .. done.stderr)
    local line <const> = "DEL    kept on purpose: host: sysctl net.ipv4.ip_forward is 1, was 0\n"
    local at <const> = done.stdout:find(line, 1, true)
    assert.is_number(at, done.stdout)
    assert.is_nil(done.stdout:find("kept", at + #line, true), done.stdout)
  end)

  it("reserves addresses of a pool in a directory, and says what is wrong with its store", function()
    local ipam <const> = { type = "ecmp-pool", routes = ROUTES,
      ranges = json.array { json.array { { subnet = "10.0.0.0/24" } } },
      store = { etcd = json.array { "https://192.0.2.1:2379" } } }
    local done <const> = try(nil, {}, { type = "ecmp-bridge", bridge = "br0", ipam = ipam })
    assert.equal(0, done.status, done.stdout .. done.stderr)
    assert.matches("ADD    done\n       10.0.0.4/24\n", done.stdout, 1, true) -- .1 and .2 are gateways
    assert.matches("CHECK  done\nDEL    done\nDEL    done\nGC     done\n$", done.stdout)
    ipam.store.etcd = json.array { "http://192.0.2.1:2379" }
    local refused <const> = try(nil, {}, { type = "ecmp-bridge", bridge = "br0", ipam = ipam })
    assert.same({ 1, "" }, { refused.status, refused.stdout })
    assert.matches("^ecmp: try: ipam.store.etcd%[0%]: [^\n]*\n$", refused.stderr)
  end)

  it("names the verbs that the version lacks", function()
    local done <const> = try(assert(sys.realpath "examples/plugins/own-ptp.lua"), {}, { cniVersion = "0.3.1" })
    assert.equal(0, done.status, done.stdout .. done.stderr)
    assert.matches("CHECK  left out: cniVersion 0.3.1 has none", done.stdout, 1, true)
    assert.matches("GC     left out: cniVersion 0.3.1 has none", done.stdout, 1, true)
  end)

  it("exits 1 for a plugin that is not to be found", function()
    local done <const> = try(nil, {}, { type = "none-such" })
    assert.same({ 1, "" }, { done.status, done.stdout })
    assert.matches("there is no plugin 'none-such' on ", done.stderr, 1, true)
  end)

  it("makes a master, and touches nothing of the machine", function()
    local before <const> = assert(sys.spawn { argv = { "ip", "-o", "link" } }).stdout
    local done <const> = try(nil, {}, { type = "ecmp-macvlan", master = "uplink0" })
    assert.equal(0, done.status, done.stdout .. done.stderr)
    assert.equal(before, assert(sys.spawn { argv = { "ip", "-o", "link" } }).stdout)
    assert.is_nil(sys.stat "/var/lib/cni/networks/lab")
  end)

  it("keeps the namespaces with --keep, and names them", function()
    local conf <const> = json.encode { cniVersion = "1.1.0", name = "lab", type = "ecmp-ptp", dad = "skip",
      ipam = { type = "ecmp-host-local", subnet = "10.0.0.0/24", routes = ROUTES } }
    local done <const> = assert(sys.spawn { argv = { helper.build .. "/bin/ecmp", "try", "--keep", "-" },
      stdin = conf, timeout = 120, stderr = "capture" })
    assert.equal(0, done.status, done.stdout .. done.stderr)
    local host <const>, pod <const> = done.stdout:match "kept: the namespaces (%S+) and (%S+);"
    local nl <close> = assert(require "ecmp".open { netns = pod })
    assert.equal(2, #nl.route:list({ dst = "default" })[1].nexthops)
    nl:close()
    for _, name in ipairs { host, pod } do assert(require "ecmp.netns".delete(name)) end
  end)
end)

describe("the packet filter's rules #netns", function()
  local iptables = require "ecmp.netfilter.iptables"
  local netns = require "ecmp.netns"
  local ruleset = require "ecmp.command.try.ruleset"
  local path <const> = iptables.path
  local dir, space

  before_each(function()
    dir, space = helper.directory(), assert(netns.create())
  end)

  after_each(function()
    iptables.path = path
    space:close()
    helper.remove(dir)
  end)

  local function texts()
    local list <const> = {}
    for _, line in ipairs(assert(ruleset.read(netns.path(space)))) do
      if not line.stays then list[#list + 1] = line.text end
    end
    return list
  end

  local function must(argv)
    local done <const> = assert(sys.spawn { argv = argv, netns = netns.path(space), stderr = "capture" })
    assert.equal(0, done.status, done.stderr)
  end

  local function iptables_only()
    for _, name in ipairs { "iptables-save", "ip6tables-save" } do
      assert(sys.symlink(assert(iptables.find(name)), dir .. "/" .. name))
    end
    iptables.path = dir
  end

  it("are those of iptables-save where there is no nft", function()
    local program <const> = iptables.find "iptables"
    if not program then return pending "iptables is not installed" end
    must { program, "-t", "nat", "-N", "LEFT" }
    must { program, "-t", "nat", "-A", "POSTROUTING", "-s", "10.0.0.9/32", "-j", "LEFT" }
    iptables_only()
    assert.same({ "iptables-save: table nat chain LEFT policy -",
      "iptables-save: table nat: -A POSTROUTING -s 10.0.0.9/32 -j LEFT" }, texts())
  end)

  it("are those of iptables-legacy, too, which nft does not show", function()
    local program <const> = iptables.find "iptables-legacy"
    if not program then return pending "iptables-legacy is not installed" end
    must { program, "-w", "-A", "FORWARD", "-s", "10.0.0.9/32", "-j", "DROP" }
    assert.same({ "iptables-legacy-save: table filter: -A FORWARD -s 10.0.0.9/32 -j DROP" }, texts())
  end)

  it("are without the built-in tables and chains, but for a policy that drops", function()
    local program <const> = iptables.find "iptables"
    if not program then return pending "iptables is not installed" end
    must { program, "-t", "nat", "-S" }
    must { program, "-A", "FORWARD", "-j", "ACCEPT" }
    must { program, "-D", "FORWARD", "-j", "ACCEPT" }
    assert.same({}, texts())
    must { program, "-P", "FORWARD", "DROP" }
    assert.equal(1, #texts())
    iptables_only()
    assert.same({ "iptables-save: table filter chain FORWARD policy DROP" }, texts())
  end)

  it("are missing with a word why where there is no program to read them", function()
    iptables.path = dir
    assert.same({ nil, "neither nft nor iptables-save is there" }, { ruleset.read(netns.path(space)) })
  end)
end)
