local json = require "ecmp.json"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local function conf(ipam, changes)
  local made <const> = { cniVersion = "1.0.0", name = "n", type = "static", ipam = ipam }
  for key, value in pairs(changes or {}) do made[key] = value end
  return made
end

local function add(ipam, changes, env)
  return runtime.call("ecmp-static", "ADD", conf(ipam, changes), env)
end

local function ips(outcome)
  assert.equal(0, outcome.status, outcome.stdout)
  local list <const> = {}
  for i, entry in ipairs(outcome.json.ips or {}) do
    list[i] = entry.address .. (entry.gateway and " via " .. entry.gateway or "")
  end
  return table.concat(list, ", ")
end

local two <const> = { addresses = {
  { address = "10.0.0.9/24", gateway = "10.0.0.1" }, { address = "2001:DB8::9/64" },
} }

describe("static takes addresses", function()
  it("from its configuration, in order and in canonical text", function()
    assert.equal("10.0.0.9/24 via 10.0.0.1, 2001:db8::9/64", ips(add(two)))
  end)

  it("from CNI_ARGS, behind those", function()
    assert.equal("10.0.0.9/24 via 10.0.0.1, 2001:db8::9/64, 10.1.0.2/24, 10.2.0.2/24",
      ips(add(two, nil, { CNI_ARGS = "IP=10.1.0.2/24,10.2.0.2/24" })))
  end)

  it("with the gateways of CNI_ARGS for the subnets of CNI_ARGS alone", function()
    assert.equal("10.0.0.9/24, 10.1.0.2/24 via 10.1.0.1",
      ips(add({ addresses = { { address = "10.0.0.9/24" } } }, nil,
        { CNI_ARGS = "IP=10.1.0.2/24;GATEWAY=10.0.0.1,10.1.0.1,10.7.0.1,2001:db8::1" })))
  end)

  it("from args.cni.ips, instead of all these", function()
    assert.equal("10.3.0.2/24, 2001:db8:3::2/64",
      ips(add(two, { args = { cni = { ips = { "10.3.0.2/24", "2001:db8:3::2/64" } } } },
        { CNI_ARGS = "IP=10.1.0.2/24" })))
  end)

  it("from runtimeConfig.ips, instead of all others", function()
    assert.equal("10.4.0.2/24", ips(add(two, {
      args = { cni = { ips = { "10.3.0.2/24" } } }, RuntimeConfig = { ips = { "10.4.0.2/24" } },
    })))
  end)

  it("but not from lists that are empty", function()
    assert.equal("10.0.0.9/24 via 10.0.0.1, 2001:db8::9/64", ips(add(two, {
      args = { cni = { ips = json.array() } }, runtimeConfig = { ips = json.array() },
    })))
  end)

  it("from nowhere, which is fine from 0.3.0 on", function()
    local outcome <const> = add {}
    assert.equal('{"cniVersion":"1.0.0"}', json.encode(outcome.json))
    assert.equal(999, add({}, { cniVersion = "0.2.0" }).json.code)
  end)
end)

describe("static returns", function()
  it("routes as listed, with order, duplicates and host bits", function()
    local routes <const> = json.decode [[[
      { "dst": "10.1.2.3/16", "gw": "10.0.0.2" }, { "dst": "10.1.2.3/16", "gw": "10.0.0.1" },
      { "dst": "10.1.2.3/16", "gw": "10.0.0.2" }, { "dst": "0.0.0.0/0" },
      { "dst": "::/0", "gw": "fe80::1", "priority": 5, "table": 0, "scope": 0, "mtu": 1400 } ]
    ]]
    assert.equal(json.encode(routes), json.encode(add({ routes = routes }).json.routes))
  end)

  it("its dns", function()
    local dns <const> = { nameservers = { "10.0.0.53" }, domain = "x", search = { "a", "b" } }
    assert.equal(json.encode(dns), json.encode(add({ dns = dns }).json.dns))
  end)

  it("several gateways as the config wants them", function()
    local ipam <const> = { routes = { { dst = "::/0", gws = { "fe80::1", "fe80::2" } } } }
    assert.equal('[{"dst":"::/0","gw":"fe80::1"},{"dst":"::/0","gw":"fe80::2"}]',
      json.encode(add(ipam).json.routes))
    assert.equal('[{"dst":"::/0","gw":"fe80::1","gws":["fe80::1","fe80::2"]}]',
      json.encode(add(ipam, { result = "gws" }).json.routes))
  end)

  it("weights to those who know them", function()
    local hops <const> = { { gw = "fe80::1", weight = 3 }, { gw = "fe80::2" } }
    local routes <const> = add({ routes = { { dst = "::/0", nexthops = hops } } }).json.routes
    assert.equal(2, #routes)
    for i, route in ipairs(routes) do
      assert.equal(hops[i].gw, route.gw)
      assert.equal(json.encode(hops), json.encode(route.nexthops))
    end
  end)
end)

describe("static refuses", function()
  local function hop(fields) return { routes = { { dst = "::/0", nexthops = { fields } } } } end

  for _, case in ipairs {
    { { addresses = { { gateway = "10.0.0.1" } } }, "ipam.addresses[0].address: must be given" },
    { { addresses = { { address = "10.0.0.2" } } },
      "ipam.addresses[0].address: '10.0.0.2' has no" },
    { { addresses = { { address = "10.0.0.2/24" }, { address = "x" } } },
      "ipam.addresses[1].address: " },
    { { addresses = { { address = "10.0.0.2/24", gateway = "x" } } },
      "ipam.addresses[0].gateway: " },
    { { addresses = { a = 1 } }, "ipam.addresses: must be a list, not an object" },
    { { routes = { {} } }, "ipam.routes[0].dst: must be given" },
    { { routes = { { dst = "::/0", gw = "10.0.0.1" } } }, "ipam.routes[0].gw: " },
    { hop { gw = "fe80::1", weight = 0 }, "ipam.routes[0].nexthops[0].weight: " },
    { { dns = { search = "x" } }, "ipam.dns.search: must be a list" },
    { "x", "ipam: must be an object, not a string" },
  } do
    it("with code 7 and the path: " .. case[2], function()
      local outcome <const> = add(case[1])
      assert.equal(1, outcome.status)
      assert.equal(7, outcome.json.code)
      assert.equal(case[2], outcome.json.msg:sub(1, #case[2]))
      assert.equal(0, runtime.call("ecmp-static", "DEL", conf(case[1])).status)
    end)
  end

  for text, why in pairs {
    ["IP=10.0.0.2"] = "CNI_ARGS: IP: ", ["IP=10.0.0.2/24;"] = "CNI_ARGS: ''",
    ["IP=10.0.0.2/24;GATEWAY=x"] = "CNI_ARGS: GATEWAY: ",
    ["FOO=1"] = "CNI_ARGS: unknown args [FOO]",
    ["IP=10.0.0.2/24,"] = "CNI_ARGS: IP: ", ["GATEWAY=,"] = "CNI_ARGS: GATEWAY: ",
  } do
    it("with code 4: " .. text, function()
      local outcome <const> = add(two, nil, { CNI_ARGS = text })
      assert.equal(4, outcome.json.code)
      assert.equal(why, outcome.json.msg:sub(1, #why))
      assert.equal(0,
        runtime.call("ecmp-static", "DEL", conf(two), { CNI_ARGS = text }).status)
    end)
  end

  it("a missing ipam on ADD, CHECK and STATUS, not on DEL and GC", function()
    for command, status in pairs { ADD = 1, CHECK = 1, STATUS = 1, DEL = 0, GC = 0 } do
      local outcome <const> = runtime.call("ecmp-static", command,
        conf(nil, { cniVersion = "1.1.0", prevResult = { cniVersion = "1.1.0" } }))
      assert.equal(status, outcome.status, command .. outcome.stdout)
      if status == 1 then assert.equal(7, outcome.json.code) end
    end
  end)

  it("a second address of a family before 0.3.0", function()
    local pair <const> = { { address = "10.0.0.2/24" }, { address = "10.0.0.3/24" } }
    local outcome <const> = add({ addresses = pair }, { cniVersion = "0.2.0" })
    assert.equal(7, outcome.json.code)
    assert.equal(0, add(two, { cniVersion = "0.2.0" }).status)
  end)

  it("ips of the pod that are no prefixes, by their own path", function()
    assert.truthy(add(two, { runtimeConfig = { ips = { "10.0.0.2" } } }).json.msg
      :find("runtimeConfig.ips[0]: ", 1, true))
    assert.truthy(add(two, { args = { cni = { ips = { "10.0.0.2" } } } }).json.msg
      :find("args.cni.ips[0]: ", 1, true))
  end)
end)

describe("static checks", function()
  local function check(gateway, address)
    local previous <const> = { cniVersion = "1.0.0",
      ips = { { address = address or "10.0.0.9/24", gateway = gateway } } }
    return runtime.call("ecmp-static", "CHECK", conf(two, { prevResult = previous }))
  end

  it("that the gateway is the configured one", function()
    assert.equal(0, check("10.0.0.1").status)
    local outcome <const> = check("10.0.0.254")
    assert.equal(1, outcome.status)
    assert.truthy(outcome.json.msg:find("10.0.0.254", 1, true))
    assert.equal(1, check(nil).status)
  end)

  it("nothing about an address that is no more in the result", function()
    assert.equal(0, check("10.0.0.254", "10.0.0.8/24").status)
  end)

  it("only with a prevResult", function()
    assert.equal(7, runtime.call("ecmp-static", "CHECK", conf(two)).json.code)
  end)
end)

describe("static and the reference plugin", function()
  local reference <const> = "/usr/lib/cni/static"
  local random <const> = math.random

  local function one(list) return list[random(#list)] end
  local function maybe(value) if random() < 0.5 then return value end end

  local addresses <const> = { "10.0.0.2/24", "10.0.0.3/24", "10.9.0.2/16", "2001:db8::2/64",
    "2001:DB8:1::2/48", "::ffff:10.7.0.2/120", "10.0.0.300/24", "10.0.0.2", "" }
  local gateways <const> = { "10.0.0.1", "10.9.0.1", "2001:db8::1", "fe80::1", "", "10.0.0" }
  local destinations <const> = { "0.0.0.0/0", "10.3.4.5/16", "::/0", "2001:db8:5::/48",
    "10.0.0.0/8" }

  local function random_conf()
    local ipam <const> = { type = "static", addresses = {}, routes = {} }
    for i = 1, random(0, 2) do
      ipam.addresses[i] = { address = one(addresses), gateway = maybe(one(gateways)) }
    end
    for i = 1, random(0, 3) do
      local dst <const> = one(destinations)
      local gw <const> = dst:find(":") and "fe80::1" or "10.0.0." .. random(1, 3)
      ipam.routes[i] = { dst = dst, gw = maybe(gw) }
    end
    ipam.addresses, ipam.routes = json.array(ipam.addresses), json.array(ipam.routes)
    local made <const> = conf(ipam, { cniVersion = one { "0.2.0", "0.3.1", "0.4.0", "1.0.0" } })
    if random() < 0.2 then made.runtimeConfig = { ips = { one(addresses) } } end
    if random() < 0.2 then made.args = { cni = { ips = { one(addresses) } } } end
    return made, { CNI_ARGS = one { "", "", "IP=10.1.0.2/24", "IP=10.1.0.2/24;GATEWAY=10.1.0.1",
      "IP=x", "IgnoreUnknown=1;FOO=1", "FOO=1", "IP" } }
  end

  it("end in the same status and the same result for 120 random configs", function()
    if not sys.stat(reference) then
      return pending("containernetworking-plugins is not installed")
    end
    math.randomseed(7)
    for _ = 1, 120 do
      local made <const>, env <const> = random_conf()
      env.CNI_COMMAND = "ADD"
      local theirs <const> = runtime.run({ reference }, made, env)
      local ours <const> = runtime.call("static", "ADD", made, env)
      local input <const> = json.encode(made) .. " " .. env.CNI_ARGS
      assert.equal(theirs.status, ours.status, input .. theirs.stdout .. ours.stdout)
      if theirs.status == 0 then
        -- This version prints an empty dns in 1.0.0 where later ones leave it out.
        theirs.json.dns, ours.json.dns = nil, nil
        assert.equal(json.encode(theirs.json), json.encode(ours.json), input)
      end
    end
  end)
end)
