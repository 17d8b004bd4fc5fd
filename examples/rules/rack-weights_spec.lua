-- busted --lua=lua5.4 examples/rules/rack-weights_spec.lua
-- luacheck: std +busted
local rack = require("ecmp.rule.spec").rule "examples/rules/rack-weights.lua"

describe("our rule", function()
  it("prefers its own rack", function()
    assert.same({ "default nexthop via 10.1.0.1 dev eth0 weight 3 nexthop via 10.2.0.1 dev eth0" },
      rack({ "default via 10.1.0.1 dev eth0", "default via 10.2.0.1 dev eth0" },
        { conf = { rack = { IPv4 = "10.1.0.0/16" } } }))
  end)
end)
