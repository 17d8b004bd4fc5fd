local json = require "ecmp.json"
local route = require "ecmp.cni.route"

local function check(text)
  return route.check(assert(json.decode(text)), "routes[1]")
end

local function plain(value)
  return json.decode(json.encode(value))
end

describe("a CNI route object", function()
  for _, case in ipairs {
    { '{"dst":"0.0.0.0/0"}' },
    { '{"dst":"10.1.2.3/16","gw":"10.0.0.1"}' }, -- host bits stay: masking is for the kernel's sake
    { '{"dst":"2001:DB8::/32","gw":"FE80:0::1"}', '{"dst":"2001:db8::/32","gw":"fe80::1"}' },
    { '{"dst":"::ffff:10.0.0.0/104","gw":"::ffff:10.0.0.1"}',
      '{"dst":"10.0.0.0/8","gw":"10.0.0.1"}' },
    { '{"DST":"10.0.0.0/8","Gw":"10.0.0.1"}', '{"dst":"10.0.0.0/8","gw":"10.0.0.1"}' },
    { '{"dst":"10.0.0.0/8","gw":"","gws":[],"nexthops":[]}', '{"dst":"10.0.0.0/8"}' },
    { '{"dst":"10.0.0.0/8","gws":["10.0.0.1","10.0.0.2"]}' },
    { '{"dst":"::/0","nexthops":[{"gw":"fe80::1","weight":256,"onlink":true},{"dev":"eth1"}]}' },
    { '{"dst":"10.0.0.0/8","priority":4294967295,"table":0,"scope":0,"mtu":65520,"advmss":65495}' },
    { '{"dst":"10.0.0.0/8","future":{"a":[],"b":1.50}}' },
  } do
    it("is taken: " .. case[1], function()
      local checked <const> = assert(check(case[1]))
      assert.same(plain(assert(json.decode(case[2] or case[1]))), plain(checked))
    end)
  end

  for text, why in pairs {
    ['{}'] = "routes[1].dst: must be given",
    ['{"dst":""}'] = "routes[1].dst: ",
    ['{"dst":"default"}'] = "routes[1].dst: ",
    ['{"dst":"10.0.0.1"}'] = "routes[1].dst: '10.0.0.1' has no prefix length",
    ['{"dst":"10.0.0.0/33"}'] = "routes[1].dst: ",
    ['{"dst":7}'] = "routes[1].dst: must be a string, not an integer",
    ['5.5'] = "routes[1]: must be an object, not a number",
    ['{"dst":"10.0.0.0/8","gw":"10.0.0.1/8"}'] = "routes[1].gw: '10.0.0.1/8' has a prefix length",
    ['{"dst":"10.0.0.0/8","gw":"010.0.0.1"}'] = "routes[1].gw: ",
    ['{"dst":"10.0.0.0/8","gw":"fe80::1"}'] = "routes[1].gw: fe80::1 is no IPv4 address",
    ['{"dst":"::/0","gws":["fe80::1","10.0.0.1"]}'] =
      "routes[1].gws[1]: 10.0.0.1 is no IPv6 address",
    ['{"dst":"::/0","gws":"fe80::1"}'] = "routes[1].gws: must be a list, not a string",
    ['{"dst":"::/0","gws":[null]}'] = "routes[1].gws[0]: must be a string, not a null",
    ['{"dst":"::/0","nexthops":[{"gw":"10.0.0.1"}]}'] = "routes[1].nexthops[0].gw: 10.0.0.1",
    ['{"dst":"::/0","nexthops":[{}]}'] = "routes[1].nexthops[0]: must have a gw or a dev",
    ['{"dst":"::/0","nexthops":[{"gw":"fe80::1","weight":0}]}'] =
      "routes[1].nexthops[0].weight: 0 is not between 1 and 256",
    ['{"dst":"::/0","nexthops":[{"gw":"fe80::1","weight":257}]}'] =
      "routes[1].nexthops[0].weight: 257 is not between 1 and 256",
    ['{"dst":"::/0","nexthops":[{"gw":"fe80::1","weight":2.0}]}'] =
      "routes[1].nexthops[0].weight: must be an integer, not 2.0",
    ['{"dst":"::/0","nexthops":[{"gw":"fe80::1"},{"gw":"fe80::1","weight":2}]}'] =
      "routes[1].nexthops[1]: fe80::1 is listed before with another weight",
    ['{"dst":"::/0","nexthops":[{"gw":"fe80::1","onlink":1}]}'] =
      "routes[1].nexthops[0].onlink: must be a boolean",
    ['{"dst":"::/0","priority":-1}'] = "routes[1].priority: -1 is not between 0 and 4294967295",
    ['{"dst":"::/0","table":4294967296}'] = "routes[1].table: 4294967296 is not between",
    ['{"dst":"::/0","scope":256}'] = "routes[1].scope: 256 is not between 0 and 255",
    ['{"dst":"::/0","mtu":65521}'] = "routes[1].mtu: ",
    ['{"dst":"::/0","mtu":"1400"}'] = "routes[1].mtu: ",
    ['{"dst":"::/0","advmss":-1}'] = "routes[1].advmss: ",
    ['{"dst":"::/0","table":99999999999999999999}'] =
      "routes[1].table: 99999999999999999999 does not fit into 64 bits",
  } do
    it("is refused: " .. text, function()
      local value, message, code = check(text)
      assert.is_nil(value)
      assert.equal(7, code)
      assert.equal(why, message:sub(1, #why))
    end)
  end

  it("is named by its place in a list", function()
    local _, message, code = route.list(json.decode '[{"dst":"::/0"},{}]', "ipam.routes")
    assert.equal("ipam.routes[1].dst: must be given", message)
    assert.equal(7, code)
    assert.same({}, route.list(nil, "ipam.routes"))
  end)
end)

describe("next hops", function()
  local function hops(text) return plain(route.hops(assert(check(text)))) end

  it("are gws in order, then gw if it is not among them", function()
    assert.same({ { gw = "10.0.0.2" }, { gw = "10.0.0.3" }, { gw = "10.0.0.1" } },
      hops '{"dst":"10.0.0.0/8","gw":"10.0.0.1","gws":["10.0.0.2","10.0.0.3"]}')
    assert.same({ { gw = "10.0.0.2" }, { gw = "10.0.0.1" } },
      hops '{"dst":"10.0.0.0/8","gw":"10.0.0.1","gws":["10.0.0.2","10.0.0.1"]}')
  end)

  it("are compared by value, not by text", function()
    assert.same({ { gw = "2001:db8::1" } },
      hops '{"dst":"::/0","gw":"2001:DB8::1","gws":["2001:db8:0:0::1","2001:db8::1"]}')
  end)

  it("keep what nexthops says of them", function()
    assert.same({ { gw = "10.0.0.1", weight = 3 }, { gw = "10.0.0.1", dev = "eth1" },
      { gw = "10.0.0.9" } },
      hops [[{"dst":"10.0.0.0/8","gw":"10.0.0.1","gws":["10.0.0.9"],
        "nexthops":[{"gw":"10.0.0.1","weight":3},{"gw":"10.0.0.1","dev":"eth1"}]}]])
  end)

  it("are none where the route names none", function()
    assert.equal(0, #route.hops(check '{"dst":"10.0.0.0/8"}'))
  end)
end)

describe("a multipath route in a result", function()
  local weighted <const> = '{"dst":"10.0.0.0/8","table":7,"nexthops":'
    .. '[{"gw":"10.0.0.1","weight":3},{"gw":"10.0.0.2"}]}'

  local function written(text, form)
    return json.encode(route.write({ assert(check(text)) }, form))
  end

  it("is one route per hop", function()
    assert.equal('[{"dst":"::/0","gw":"fe80::1","mtu":9},{"dst":"::/0","gw":"fe80::2","mtu":9}]',
      written('{"dst":"::/0","gws":["fe80::1","fe80::2"],"mtu":9}', "routes"))
  end)

  it("is one route with gw and gws, if asked for", function()
    assert.equal('[{"dst":"::/0","gw":"fe80::1","gws":["fe80::1","fe80::2"]}]',
      written('{"dst":"::/0","gws":["fe80::1"],"gw":"fe80::2"}', "gws"))
    assert.equal('[{"dst":"::/0","gw":"fe80::1"}]',
      written('{"dst":"::/0","gws":["fe80::1"]}', "gws"))
  end)

  it("keeps weights beside either form, and comes back whole", function()
    for _, form in ipairs { "routes", "gws" } do
      local original <const> = assert(check(weighted))
      local list <const> = json.decode(json.encode(route.write({ original }, form)))
      assert.equal(form == "routes" and 2 or 1, #list)
      assert.equal("10.0.0.1", list[1].gw)
      local read <const> = {}
      for i, one in ipairs(list) do read[i] = assert(route.check_result(one, "x")) end
      local gathered <const> = route.gather(read)
      assert.equal(1, #gathered)
      assert.same(plain(route.hops(original)), plain(route.hops(gathered[1])))
      assert.equal(7, gathered[1].table)
      assert.equal(json.encode(list), json.encode(route.write(gathered, form)))
    end
  end)

  it("leaves other routes as listed, duplicates too", function()
    local list <const> = {}
    for i, gw in ipairs { "10.0.0.2", "10.0.0.1", "10.0.0.2" } do
      list[i] = { dst = "10.0.0.0/8", gw = gw }
    end
    assert.equal(json.encode(list), json.encode(route.gather(route.write(list, "gws"))))
  end)
end)
