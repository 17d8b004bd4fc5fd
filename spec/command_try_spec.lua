local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local ROUTES <const> = json.array {
  { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } }
local KEYS <const> = {
  ["own-ptp"] = {},
  ["known-neighbours"] = { bridge = "br0", neighbours = { ["10.0.0.1"] = "02:00:00:00:00:01" } },
  ["site-dns"] = { delegate = "ecmp-bridge", bridge = "br0", search = json.array { "site.example" } },
}

-- What a copy of an example is made wrong by, and what is to be said of it.
local BROKEN <const> = {
  { "own-ptp", "a forgotten undo", "  state%.undo:push%([^\n]*\n", "", "ADD    left behind: pod: link eth0 of type veth" },
  { "own-ptp", "a DEL that fails twice", "return flow%.verbs%(ptp%)", [[
    local verbs = flow.verbs(ptp)
    local del = verbs.del
    function verbs.del(call)
      local nl <close> = try(ecmp.open { netns = call.netns })
      try(nl.link:get { dev = call.ifname })
      return del(call)
    end
    return verbs]], "DEL    ecmp-lua: " },
  { "own-ptp", "an interface that is not there in the result", "return flow%.verbs%(ptp%)", [[
    local verbs = flow.verbs(ptp)
    local add = verbs.add
    function verbs.add(call)
      local result = try(add(call))
      result.interfaces[1].name = "none"
      return result
    end
    return verbs]], "result.interfaces[0]: there is no none" },
  { "known-neighbours", "a DEL that leaves the interface", "return flow%.verbs",
    "function plugin.detach() end return flow.verbs", "DEL    left behind: pod: link eth0 of type veth" },
  { "known-neighbours", "a rule of the host that stays", "  return true\n", [[
    local host <close> = cni.try(require "ecmp".open())
    cni.try(host.rule:add { from = "10.0.0.9", table = 100, priority = 500 })
    return true
]], "DEL    left behind: host: rule " },
  { "site-dns", "a wrong address in the result", "  result%.dns = dns\n",
    "  result.dns = dns result.ips[1].address = '10.9.9.9/24'\n", "result.ips[0]: 10.9.9.9/24 is not on eth0" },
}

describe("ecmp try #netns", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function try(script, keys, more)
    local conf <const> = {
      cniVersion = "1.1.0", name = "lab", type = "ecmp-lua", script = script, dad = "skip",
      ipam = { type = "ecmp-host-local", subnet = "10.0.0.0/24", routes = ROUTES },
    }
    for key, value in pairs(keys) do conf[key] = value end
    for key, value in pairs(more or {}) do conf[key] = value end
    return assert(sys.spawn { argv = { helper.build .. "/bin/ecmp", "try", "-" }, stdin = json.encode(conf),
      timeout = 120, stderr = "capture" })
  end

  for name, keys in pairs(KEYS) do
    it("finds nothing wrong with the example " .. name, function()
      local done <const> = try(assert(sys.realpath("examples/plugins/" .. name .. ".lua")), keys)
      assert.equal(0, done.status, done.stdout .. done.stderr)
      assert.matches("CHECK  done\nDEL    done\nDEL    done\nGC     done\n$", done.stdout)
      assert.matches("nexthop via 10.0.0.2 dev eth0 weight 1", done.stdout, 1, true)
    end)
  end

  for _, case in ipairs(BROKEN) do
    it(("names what is wrong with %s that has %s"):format(case[1], case[2]), function()
      local text <const>, count <const> =
        assert(sys.read("examples/plugins/" .. case[1] .. ".lua")):gsub(case[3], (case[4]:gsub("%%", "%%%%")))
      assert.is_true(count >= 1)
      assert(sys.create(dir .. "/broken.lua", text, tonumber("644", 8)))
      local done <const> = try(dir .. "/broken.lua", KEYS[case[1]])
      assert.equal(1, done.status, done.stdout .. done.stderr)
      assert.matches(case[5], done.stdout, 1, true)
    end)
  end

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
