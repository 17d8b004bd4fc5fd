local json = require "ecmp.json"
local vlan = require "ecmp.plugin.bridge.vlan"

local function wanted(conf)
  if conf.vlanTrunk then conf.vlanTrunk = assert(vlan.trunk(conf.vlanTrunk, "vlanTrunk")) end
  local words <const> = {}
  for i, entry in ipairs(vlan.wanted(conf)) do
    words[i] = entry.vid .. (entry.pvid and " pvid" or "") .. (entry.untagged and " untagged" or "")
  end
  return words
end

local function trunk(...) return json.array { ... } end

describe("the VLANs of a pod's port", function()
  it("are none where none are configured", function()
    assert.same({}, wanted {})
    assert.same({}, wanted { vlan = 0, vlanTrunk = trunk() })
  end)

  it("are the pod's, without tags", function()
    assert.same({ "100 pvid untagged" }, wanted { vlan = 100 })
  end)

  it("are those of a trunk, with tags", function()
    assert.same({ "7", "20", "21", "22" },
      wanted { vlanTrunk = trunk({ minID = 20, maxID = 22 }, { id = 7 }, { id = 21 }) })
  end)

  it("are the pod's and the trunk's, where the pod's own stays without tags", function()
    assert.same({ "21 pvid untagged", "20", "22" },
      wanted { vlan = 21, vlanTrunk = trunk { minID = 20, maxID = 22 } })
  end)

  for name, case in pairs {
    ["minID alone"] = { trunk { minID = 3 }, "maxID: must be given together with minID" },
    ["maxID alone"] = { trunk { maxID = 3 }, "minID: must be given together with maxID" },
    ["an empty span"] = { trunk { minID = 4, maxID = 3 }, "minID: 4 is greater than maxID, 3" },
    ["0"] = { trunk { id = 0 }, "id: 0 is not between 1 and 4094" },
    ["4095"] = { trunk { id = 7, minID = 1, maxID = 4095 }, "maxID: 4095 is not between" },
    ["a number for a span"] = { trunk(7), "must be an object" },
  } do
    it("cannot be " .. name, function()
      local checked <const>, message <const> = vlan.trunk(case[1], "vlanTrunk")
      assert.is_nil(checked)
      assert.matches("^vlanTrunk%[", message)
      assert.matches(case[2], message, 1, true)
    end)
  end

  it("make a bridge filter, even an empty trunk", function()
    assert.is_false(vlan.asked_for {})
    assert.is_false(vlan.asked_for { vlan = 0 })
    assert.is_true(vlan.asked_for { vlan = 2 })
    assert.is_true(vlan.asked_for { vlanTrunk = trunk() })
  end)

  it("give the bridge an interface of its own in the pod's", function()
    assert.equal("br0.7", vlan.gateway_name { bridge = "br0", vlan = 7 })
    assert.is_nil(vlan.gateway_name { bridge = "br0" })
  end)
end)

describe("a port that has lost VLANs", function()
  local conf <const> = { vlan = 21, vlanTrunk = vlan.trunk(trunk({ id = 20 }, { id = 22 }), "t") }

  local function host_of(vlans)
    local asked <const> = {}
    return { vlan = {
      list = function() return { { vlans = vlans } } end,
      add = function(_, request) asked[#asked + 1] = request return true end,
    } }, asked
  end

  local function repair(vlans)
    local host <const>, asked <const> = host_of(vlans)
    local said <const> = {}
    assert(vlan.repair(host, "v0", conf, function(what, mend)
      said[#said + 1] = what
      assert(mend())
    end))
    return said, asked
  end

  it("is put into these alone", function()
    local said <const>, asked <const> = repair { { vid = 20 }, { vid = 21 } }
    assert.same({ "port v0 in vlan 21", "port v0 in vlan 22" }, said)
    assert.same({ { dev = "v0", vlans = { { vid = 21, pvid = true, untagged = true } } },
      { dev = "v0", vlans = { { vid = 22 } } } }, asked)
  end)

  it("is left alone where it is in all of them", function()
    assert.same({}, (repair { { vid = 20 }, { vid = 21, pvid = true, untagged = true },
      { vid = 22 } }))
  end)
end)
