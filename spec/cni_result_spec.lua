local json = require "ecmp.json"
local result = require "ecmp.cni.result"

local function plain(value)
  return json.decode(json.encode(value))
end

local function convert(document, from, to, form)
  local parsed <const> = assert(result.parse(document, from))
  local written <const>, message <const> = result.write(parsed, to, form)
  return written and plain(written), message
end

-- Everything that 1.1.0 can say.
local full <const> = json.decode [[{
  "cniVersion": "1.1.0",
  "interfaces": [
    { "name": "veth1", "mac": "02:00:00:00:00:01", "mtu": 1500 },
    { "name": "eth0", "sandbox": "/run/netns/x", "socketPath": "/s", "pciID": "0000:00:01.0" } ],
  "ips": [
    { "address": "10.0.0.9/24", "gateway": "10.0.0.1", "interface": 1 },
    { "address": "2001:db8::9/64", "interface": 0 },
    { "address": "10.0.1.9/24" } ],
  "routes": [
    { "dst": "0.0.0.0/0", "gw": "10.0.0.1", "priority": 5, "table": 0, "scope": 0 },
    { "dst": "::/0", "mtu": 1400, "advmss": 1300, "table": 500 } ],
  "dns": { "nameservers": ["10.0.0.53"], "domain": "x", "search": ["a"], "options": ["b"] },
  "future": { "list": [], "number": 1.50 } }]]

local function full_without(changes)
  local copy <const> = plain(full)
  changes(copy)
  return copy
end

describe("a 1.1.0 result", function()
  it("stays what it is", function()
    assert.equal(json.encode(full), json.encode(convert(full, "1.1.0", "1.1.0")))
  end)

  it("differs from 1.0.0 in the version alone", function()
    local wanted <const> = full_without(function(r) r.cniVersion = "1.0.0" end)
    assert.same(wanted, convert(full, "1.1.0", "1.0.0"))
    assert.same(full, convert(wanted, "1.0.0", "1.1.0"))
  end)

  for _, to in ipairs { "0.4.0", "0.3.1", "0.3.0" } do
    it("gains families and loses what is new in interfaces, for " .. to, function()
      local wanted <const> = full_without(function(r)
        r.cniVersion = to
        r.interfaces[1].mtu, r.interfaces[2].socketPath, r.interfaces[2].pciID = nil, nil, nil
        r.ips[1].version, r.ips[2].version, r.ips[3].version = "4", "6", "4"
      end)
      assert.same(wanted, convert(full, "1.1.0", to))
    end)
  end

  for _, to in ipairs { "0.2.0", "0.1.0" } do
    it("keeps an address and plain routes of each family, for " .. to, function()
      assert.same({
        cniVersion = to,
        ip4 = { ip = "10.0.0.9/24", gateway = "10.0.0.1",
          routes = { { dst = "0.0.0.0/0", gw = "10.0.0.1" } } },
        ip6 = { ip = "2001:db8::9/64", routes = { { dst = "::/0" } } },
        dns = { nameservers = { "10.0.0.53" }, domain = "x", search = { "a" }, options = { "b" } },
        future = { list = {}, number = json.number "1.50" },
      }, convert(full, "1.1.0", to))
    end)
  end
end)

describe("a result of an old version", function()
  it("of 0.2.0 becomes lists, IPv4 first", function()
    local old <const> = json.decode [[{ "cniVersion": "0.2.0",
      "ip6": { "ip": "2001:db8::9/64", "routes": [ { "dst": "::/0", "gw": "fe80::1" } ] },
      "ip4": { "ip": "10.0.0.9/24", "gateway": "10.0.0.1", "routes": [ { "dst": "10.0.0.0/8" } ] },
      "dns": { "domain": "x" } }]]
    local wanted <const> = {
      cniVersion = "1.1.0",
      ips = { { address = "10.0.0.9/24", gateway = "10.0.0.1" }, { address = "2001:db8::9/64" } },
      routes = { { dst = "10.0.0.0/8" }, { dst = "::/0", gw = "fe80::1" } },
      dns = { domain = "x" },
    }
    assert.same(wanted, convert(old, "1.1.0", "1.1.0"))
    assert.same(plain(old), convert(old, "0.2.0", "0.2.0"))
    local older <const> = plain(old)
    older.cniVersion = "0.1.0"
    assert.same(older, convert(old, "0.2.0", "0.1.0"))
  end)

  it("of 0.3.0 loses the family of its addresses", function()
    local old <const> = json.decode [[{ "cniVersion": "0.3.0", "dns": {},
      "ips": [ { "version": "4", "address": "10.0.0.9/24", "interface": 0 } ] }]]
    assert.same({ cniVersion = "1.0.0", ips = { { address = "10.0.0.9/24", interface = 0 } } },
      convert(old, "0.3.0", "1.0.0"))
    assert.same({ cniVersion = "0.4.0", dns = {},
      ips = { { version = "4", address = "10.0.0.9/24", interface = 0 } } },
      convert(old, "0.3.0", "0.4.0"))
  end)

  it("takes the version of the config where it names none", function()
    local old <const> = json.decode '{ "ip4": { "ip": "10.0.0.9/24" } }'
    assert.same({ { address = "10.0.0.9/24" } }, plain(result.parse(old, "0.2.0").ips))
    assert.same({ { address = "10.0.0.9/24" } }, plain(result.parse(old, "0.1.0").ips))
    assert.equal(0, #result.parse(old, "1.0.0").ips)
  end)
end)

describe("what is empty", function()
  it("is left out in 1.x, except that 0.x always has dns", function()
    local nothing <const> = json.decode
      '{"interfaces":[],"ips":[],"routes":[],"dns":{"nameservers":[],"domain":""}}'
    assert.equal('{"cniVersion":"1.1.0"}', json.encode(convert(nothing, "1.1.0", "1.1.0")))
    assert.equal('{"cniVersion":"0.4.0","dns":{}}', json.encode(convert(nothing, "1.1.0", "0.4.0")))
  end)

  it("is an error in 0.2.0, which cannot leave the address out", function()
    local written, message = convert({}, "1.1.0", "0.2.0")
    assert.is_nil(written)
    assert.truthy(message:find("0.2.0", 1, true))
  end)

  it("is 0 for some numbers and a value for others", function()
    local routes <const> = convert(json.decode [[{ "routes": [ { "dst": "::/0", "mtu": 0,
      "advmss": 0, "priority": 0, "table": 0, "scope": 0 } ] }]], "1.1.0", "1.1.0").routes
    assert.equal('[{"dst":"::/0","scope":0,"table":0}]', json.encode(routes))
  end)
end)

describe("a result that a script made", function()
  it("needs no version and may leave out what is empty", function()
    assert.equal('{"cniVersion":"0.4.0","dns":{},"ips":[{"address":"10.0.0.2/24","version":"4"}]}',
      json.encode(result.write({ ips = { { address = "10.0.0.2/24" } }, routes = {} }, "0.4.0")))
  end)

  it("is not changed by writing it", function()
    local made <const> = { ips = { { address = "10.0.0.2/24" } },
      routes = { { dst = "::/0", gws = { "fe80::1", "fe80::2" } } } }
    local before <const> = json.encode(made)
    result.write(made, "0.2.0", "gws")
    assert.equal(before, json.encode(made))
  end)
end)

describe("several gateways", function()
  local several <const> = { ips = { { address = "10.0.0.2/24" } },
    routes = { { dst = "10.0.0.0/8", gws = { "10.0.0.1", "10.0.0.3" } } } }

  it("are written as asked for from 0.3.0 on", function()
    for _, to in ipairs { "0.3.0", "1.1.0" } do
      assert.equal(2, #result.write(several, to).routes)
      local one <const> = result.write(several, to, "gws").routes
      assert.equal('[{"dst":"10.0.0.0/8","gw":"10.0.0.1","gws":["10.0.0.1","10.0.0.3"]}]',
        json.encode(one))
    end
  end)

  it("are one route each before 0.3.0", function()
    assert.equal('[{"dst":"10.0.0.0/8","gw":"10.0.0.1"},{"dst":"10.0.0.0/8","gw":"10.0.0.3"}]',
      json.encode(result.write(several, "0.1.0", "gws").ip4.routes))
  end)
end)

describe("a broken result", function()
  for text, why in pairs {
    ['[]'] = "result: must be an object, not a list",
    ['5.5'] = "result: must be an object, not a number",
    ['{"cniVersion":"9.9.9"}'] = "result.cniVersion: '9.9.9' is no version",
    ['{"cniVersion":5}'] = "result.cniVersion: '5' is no version",
    ['{"ips":{"a":1}}'] = "result.ips: must be a list, not an object",
    ['{"ips":[{}]}'] = "result.ips[0].address: must be given",
    ['{"ips":[{"address":"10.0.0.1"}]}'] = "result.ips[0].address: '10.0.0.1' has no prefix length",
    ['{"ips":[{"address":"10.0.0.1/24","interface":"0"}]}'] = "result.ips[0].interface: must be",
    ['{"routes":[{"gw":"10.0.0.1"}]}'] = "result.routes[0].dst: must be given",
    ['{"dns":{"nameservers":"x"}}'] = "result.dns.nameservers: must be a list",
    ['{"interfaces":[{"name":"x","mtu":1.0}]}'] = "result.interfaces[0].mtu: must be an integer",
    ['{"cniVersion":"0.2.0","ip4":{"gateway":"10.0.0.1"}}'] = "result.ip4.ip: must be given",
  } do
    it("is named: " .. text, function()
      local parsed, message = result.parse(json.decode(text), "1.1.0")
      assert.is_nil(parsed)
      assert.equal(why, message:sub(1, #why))
    end)
  end
end)

describe("prevResult", function()
  local function previous(prev_version, conf_version)
    local conf <const> = { prevResult = { cniVersion = prev_version, ips = json.array() } }
    return result.previous(conf, conf_version)
  end

  for _, case in ipairs {
    { "1.0.0", "1.1.0", true }, { "1.1.0", "1.0.0", true }, { "0.3.0", "0.4.0", true },
    { "0.4.0", "0.3.1", true }, { "0.1.0", "0.2.0", true }, { "0.4.0", "1.0.0", false },
    { "1.0.0", "0.4.0", false }, { "0.2.0", "0.3.0", false }, { "9.9.9", "1.0.0", false },
    { "", "1.0.0", true },
  } do
    it(("of '%s' under %s %s"):format(case[1], case[2], case[3] and "fits" or "is refused"),
      function()
        local found, message = previous(case[1], case[2])
        assert.equal(case[3], found ~= nil)
        if not case[3] then assert.truthy(message:find("prevResult", 1, true)) end
      end)
  end

  it("may be absent", function()
    assert.is_nil(result.previous({}, "1.0.0"))
  end)
end)
