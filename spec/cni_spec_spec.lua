local json = require "ecmp.json"
local spec = require "ecmp.cni.spec"

local CONF <const> = {
  name = "lab", dad = "skip", ipam = { type = "ecmp-static",
    addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } },
    routes = json.array { { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } } },
}

describe("ecmp.cni.spec #netns", function()
  local own_ptp <const> = spec.plugin "examples/plugins/own-ptp.lua"

  it("runs a script's verbs in a scratch pod", function()
    local ptp <close> = own_ptp()
    local result, nl = assert(ptp { conf = CONF, ifname = "net1", args = { IgnoreUnknown = "1" } })
    assert.equal("10.0.0.9/24", result.ips[1].address)
    assert.equal(2, #nl.route:list({ dst = "default" })[1].nexthops)
    assert(ptp { verb = "CHECK", ifname = "net1" })
    assert(nl.route:del "default")
    local ok <const>, message <const> = ptp { verb = "CHECK", ifname = "net1" }
    assert.is_nil(ok)
    assert.matches("route 0.0.0.0/0 is missing", message)
    assert(ptp { verb = "DEL", ifname = "net1" })
    assert.is_nil(nl.link:get { dev = "net1" })
    assert(ptp { verb = "DEL", ifname = "net1" })
  end)

  it("gives a refusal as message and code", function()
    local ptp <close> = own_ptp()
    local ok <const>, message <const>, code <const> = ptp { conf = { name = "lab", merge = "none" } }
    assert.same({ nil, 7 }, { ok, code })
    assert.matches("^merge: ", message)
  end)

  it("raises for what is no call", function()
    local ptp <close> = own_ptp()
    assert.error_matches(function() ptp { config = CONF } end, "^config: unknown field of a call")
    assert.error_matches(function() spec.plugin "none.lua" end, "^plugin: .*ENOENT")
  end)
end)
