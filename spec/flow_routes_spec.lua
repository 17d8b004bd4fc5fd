local ipam = require "ecmp.flow.ipam"
local routes = require "ecmp.flow.routes"

local addresses <const> = ipam.addresses({
  { address = "10.0.0.9/24", gateway = "10.0.0.1" },
  { address = "10.7.0.9/24", gateway = "10.7.0.1" },
  { address = "2001:db8::9/64", gateway = "2001:db8::1" },
}, "eth0")

local function translate(route, separate)
  return routes.translate(route, {
    dev = "eth0", addresses = addresses, gateways = routes.gateways(addresses),
    separate = separate or false,
  })
end

describe("the stage routes", function()
  it("gives a route without gw the first gateway of its family", function()
    assert.equal("10.0.0.1", translate { dst = "192.0.2.0/24" }.via)
    assert.equal("2001:db8::1", translate { dst = "::/0" }.via)
  end)

  it("counts the gateway's family, not its address's", function()
    assert.same({ [6] = "fe80::1" },
      routes.gateways { { address = "10.0.0.9/24", gateway = "fe80::1", dev = "eth0" } })
  end)

  it("forces no gateway on routes of link scope", function()
    assert.is_nil(translate { dst = "192.0.2.0/24", scope = 253 }.via)
  end)

  it("forces no gateway on the prefix an address is connected to", function()
    assert.is_nil(translate { dst = "10.7.0.0/24" }.via)
    assert.equal("10.0.0.1", translate { dst = "10.7.0.0/25" }.via)
  end)

  it("does force one under separate, as the reference plugins do", function()
    assert.equal("10.0.0.1", translate({ dst = "10.7.0.0/24" }, true).via)
  end)

  it("masks the bits of the host", function()
    assert.equal("10.1.0.0/16", translate { dst = "10.1.2.3/16" }.dst)
  end)

  it("lists gws in order, then gw, each once by value", function()
    local route <const> = translate {
      dst = "::/0", gw = "2001:db8::2", gws = { "2001:db8::1", "2001:db8::2" },
    }
    assert.same({ { via = "2001:db8::1", dev = "eth0" }, { via = "2001:db8::2", dev = "eth0" } },
      route.nexthops)
    assert.is_nil(route.via)
  end)

  it("keeps weight, device and onlink of next hops", function()
    local route <const> = translate {
      dst = "0.0.0.0/0", nexthops = { { gw = "10.0.0.1", weight = 3, dev = "net1",
        onlink = true } },
    }
    assert.same({ { via = "10.0.0.1", dev = "net1", weight = 3, onlink = true } }, route.nexthops)
  end)

  it("reads priority 0, table 0 and table 254 as nothing said", function()
    local route <const> = translate { dst = "0.0.0.0/0", priority = 0, table = 254, mtu = 0 }
    assert.same({ dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0", scope = "global" }, route)
    assert.is_nil(translate { dst = "0.0.0.0/0", table = 0 }.table)
  end)

  it("says priority, table, scope, mtu and advmss in iproute2's words", function()
    assert.same({
      dst = "192.0.2.0/24", via = "10.0.0.7", dev = "eth0", scope = "site",
      metric = 5, table = 100, mtu = 1400, advmss = 1300,
    }, translate {
      dst = "192.0.2.0/24", gw = "10.0.0.7", scope = 200, priority = 5, table = 100, mtu = 1400,
      advmss = 1300,
    })
  end)
end)
