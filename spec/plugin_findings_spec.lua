-- What a configuration says that is hardly meant: refused by a name of ours, told of by a reference
-- plugin's, and the same without a pod.
local ecmp = require("spec.commandline").ecmp
local findings = require "ecmp.plugin.findings"
local helper = require "spec.helper"
local json = require "ecmp.json"
local programs = require "ecmp.command.programs"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local function found_in(text)
  local conf <const> = assert(json.decode(text))
  local texts <const> = {}
  for i, finding in ipairs(findings.of(conf, programs.plugin(conf.type))) do
    texts[i] = ("%s: %s"):format(finding.key, finding.message)
  end
  return texts
end

describe("findings in a configuration", function()
  local near <const> = "%s: unknown key, is not heeded (did you mean '%s'?)"

  for text, expected in pairs {
    ['{"name":"n","type":"ecmp-bridge","merg":"ecmp"}'] = near:format("merg", "merge"),
    ['{"name":"n","type":"ecmp-bridge","isGatway":true}'] = near:format("isGatway", "isGateway"),
    ['{"name":"n","type":"ecmp-bridge","ipam":{"type":"ecmp-host-local","datadir":"/d","rangestart":"x"}}'] =
      false,
    ['{"name":"n","type":"ecmp-ptp","ipam":{"type":"ecmp-host-local","rangs":[]}}'] =
      near:format("ipam.rangs", "ranges"),
    ['{"name":"n","type":"bridge","vlanTrunk":[{"id":1},{"minId":1,"maxIDD":2}]}'] =
      near:format("vlanTrunk[1].maxIDD", "maxID"),
    ['{"name":"n","type":"static","ipam":{"type":"static","routes":[{"dst":"::/0","via":"fe80::1"}]}}'] =
      near:format("ipam.routes[0].via", "gw"),
    ['{"name":"n","type":"ecmp","addroutes":[{"dst":"::/0","metric":7}]}'] =
      near:format("addroutes[0].metric", "priority"),
    ['{"name":"n","type":"ecmp","routes":[{"dst":"::/0","nexthops":[{"gw":"fe80::1","wieght":3}]}]}'] =
      near:format("routes[0].nexthops[0].wieght", "weight"),
    -- Keys of the protocol, and those of others that are far from ours.
    [ [[{"name":"n","cniVersion":"1.1.0","type":"ecmp-bridge","capabilities":{"ips":true},
      "cni.dev/valid-attachments":[],"_comment":"x","kubernetes":{},"isGateway":true,
      "ipam":{"type":"whereabouts","rangs":[],"range":"10.0.0.0/24"}}]] ] = false,
    ['{"name":"n","type":"calico","merg":1}'] = false,
  } do
    it(("are told of: %s"):format(text:gsub("%s+", " ")), function()
      assert.same(expected and { expected } or {}, found_in(text))
    end)
  end

  it("tell of a gateway inside of a range, where pods could get its address", function()
    local conf <const> = [[{"name":"n","type":"%s","ipam":{"type":"%s","subnet":"10.0.0.0/24",
      "routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.1"},{"dst":"0.0.0.0/0","gw":"10.0.0.2"}]}}]]
    local told <const> = found_in(conf:format("bridge", "host-local"))
    assert.same({ 1, "ipam.routes[1]: the gateway 10.0.0.2 is inside of 10.0.0.1-10.0.0.254" },
      { #told, (told[1] or ""):match "^[^,]*" })
    assert.same({}, found_in(conf:format("ecmp-bridge", "ecmp-host-local")))
  end)

  it("tell of a gateway that is the pod's own address", function()
    local conf <const> = [[{"name":"n","type":"ptp","ipam":{"type":"static",
      "addresses":[{"address":"10.0.0.9/24"}],"routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.9"}]}}]]
    assert.same({ "ipam.routes[0]: the gateway 10.0.0.9 is the pod's own address" }, found_in(conf))
  end)
end)

describe("a route that means something else than it seems to", function()
  local route <const> = { dst = "10.8.0.0/16" }
  local cases <const> = {
    type = { "blackhole", "only unicast routes can be made" },
    src = { "10.0.0.9", "a preferred source address cannot be chosen" },
    onlink = { true, "say it of a hop" },
    gw = { "0.0.0.0", "0.0.0.0 is no gateway" },
    table = { 255, "255 is the kernel's own" },
  }

  local function conf_of(kind, key, value)
    local one <const> = { gw = key ~= "gw" and "10.0.0.1" or nil }
    for name, field in pairs(route) do one[name] = field end
    one[key] = value
    return { cniVersion = "1.1.0", name = "n", type = kind,
      ipam = { type = kind, addresses = { { address = "10.0.0.9/24" } }, routes = { one } } }
  end

  for key, case in pairs(cases) do
    it("is refused by a name of ours: " .. key, function()
      local outcome <const> = runtime.call("ecmp-static", "ADD", conf_of("ecmp-static", key, case[1]))
      assert.same({ 1, 7 }, { outcome.status, outcome.json.code })
      assert.matches("ipam.routes[0]." .. key, outcome.json.msg, 1, true)
      assert.matches(case[2], outcome.json.msg, 1, true)
      assert.equal("", outcome.stderr)
    end)

    it("is told of, and taken as the reference plugin does, by its name: " .. key, function()
      local outcome <const> = runtime.call("static", "ADD", conf_of("static", key, case[1]))
      assert.equal(0, outcome.status)
      assert.matches(("ecmp: ipam.routes[0].%s: "):format(key), outcome.stderr, 1, true)
      assert.matches(case[2], outcome.stderr, 1, true)
    end)
  end

  it("passes where it says what is so", function()
    local outcome <const> =
      runtime.call("ecmp-static", "ADD", conf_of("ecmp-static", "type", "unicast"))
    assert.same({ 0, "" }, { outcome.status, outcome.stderr })
  end)

  it("is refused in every list of the chained plugin, and in what a pod's args say", function()
    for _, key in ipairs { "routes", "addroutes", "delroutes" } do
      local blackhole <const> = { { dst = "10.8.0.0/16", type = "blackhole" } }
      local conf <const> = { cniVersion = "1.1.0", name = "n", type = "ecmp", [key] = blackhole }
      for path, given in pairs { [key] = conf, ["args.cni." .. key] = { cniVersion = "1.1.0",
        name = "n", type = "ecmp", args = { cni = { [key] = blackhole } } } } do
        local outcome <const> = runtime.call("ecmp", "ADD", given)
        assert.same({ 7, path .. "[0].type" },
          { outcome.json.code, outcome.json.msg:match "^[^:]*" })
      end
    end
  end)

  it("is refused as an address's gateway", function()
    local conf <const> = conf_of("ecmp-static", "gw", "10.0.0.1")
    conf.ipam.addresses[1].gateway = "0.0.0.0"
    local outcome <const> = runtime.call("ecmp-static", "ADD", conf)
    assert.same({ 7, "ipam.addresses[0].gateway: 0.0.0.0 is no gateway; leave it out" },
      { outcome.json.code, outcome.json.msg })
  end)
end)

describe("ecmp plan", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function plan(conf)
    local path <const> = dir .. "/net.conf"
    assert(sys.replace(path, json.encode(conf), tonumber("644", 8)))
    return ecmp("plan", path)
  end

  local function conf_of(changes, addresses)
    local conf <const> = { cniVersion = "1.1.0", name = "n", type = "ecmp-bridge",
      ipam = { type = "ecmp-static", addresses = addresses or { { address = "10.0.0.9/24" } } } }
    for key, value in pairs(changes) do conf[key] = value end
    return conf
  end

  it("warns of what ADD warns of", function()
    local status <const>, _, err <const> = plan(conf_of { isGatway = true })
    assert.same({ 0, "ecmp: isGatway: unknown key, is not heeded (did you mean 'isGateway'?)\n" },
      { status, err })
  end)

  local six <const> = { { address = "2001:db8::9/64" } }
  for name, case in pairs {
    ["a bridge's name that is too long"] = { { bridge = ("b"):rep(16) }, "bridge: '" },
    ["a bridge's name with a slash"] = { { bridge = "br/1" }, "bridge: 'br/1' has a slash" },
    ["a bridge's name with a space"] = { { bridge = "br 1" }, "bridge: 'br 1' has a slash, a colon or" },
    ["a bridge's name that the kernel makes a number of"] = { { bridge = "%d" }, "bridge: '%d'" },
    ["a bridge's name that is a folder's"] = { { bridge = ".." }, "bridge: '..'" },
    ["a VLAN whose interface cannot have a name"] = {
      { bridge = "br-of-a-site", vlan = 4000, isGateway = true }, "bridge: 'br-of-a-site' leaves no" },
    ["a master's name"] = { { type = "ecmp-macvlan", master = "e/0" }, "master: 'e/0' has a slash" },
    ["a master's name, of ipvlan"] = { { type = "ecmp-ipvlan", master = ("m"):rep(128) }, "master: '" },
    ["the device of a next hop"] = { { ipam = { type = "ecmp-static",
      addresses = { { address = "10.0.0.9/24" } },
      routes = { { dst = "10.8.0.0/16", nexthops = { { dev = "e/1" } } } } } },
      "ipam.routes[0].nexthops[0].dev: 'e/1' has a slash" },
    ["an MTU too small for IPv6"] = { { mtu = 1279 }, "mtu: 1279 is less than the 1280 that IPv6 needs",
      six },
    ["an MTU too small for anything"] = { { mtu = 67 }, "mtu: 67 is less than the 68 that IPv4 needs" },
    ["a hardware address of a group"] = {
      { type = "ecmp-macvlan", master = "m0", mac = "01:00:5e:00:00:01" }, "mac: '01:00" },
    ["a hardware address of nobody"] = { { runtimeConfig = { mac = "00:00:00:00:00:00" } },
      "runtimeConfig.mac: '00:00" },
    ["a next hop that is the pod's own address"] = { { ipam = { type = "ecmp-static",
      addresses = { { address = "10.0.0.9/24" } },
      routes = { { dst = "10.8.0.0/16", gws = { "10.0.0.1", "10.0.0.9" } } } } },
      "route 10.8.0.0/16: the next hop via 10.0.0.9 is the pod's own address" },
  } do
    it("refuses " .. name .. ", naming the key", function()
      local status <const>, _, err <const> = plan(conf_of(case[1], case[3]))
      assert.equal(1, status)
      assert.matches(": " .. case[2], err, 1, true)
    end)
  end

  it("takes a small MTU where there is no IPv6, and a name of 127 bytes for what is there", function()
    assert.equal(0, (plan(conf_of { mtu = 1279 })))
    assert.equal(0, (plan(conf_of { type = "ecmp-macvlan", master = ("m"):rep(127) })))
  end)
end)
