local schema = require "ecmp.cni.schema"

describe("schema.extend", function()
  local base <const> = schema.record { { "mtu", schema.mtu, required = true } }
  local check <const> = schema.extend(base, { { "rack", schema.string } })

  it("checks the keys of both, in any case", function()
    local conf <const> = assert(check({ MTU = 1400, Rack = "r1", other = 1 }, ""))
    assert.same({ mtu = 1400, rack = "r1", other = 1 }, { mtu = conf.mtu, rack = conf.rack, other = conf.other })
    assert.same({ nil, "mtu: must be given" }, { check({ rack = "r1" }, "") })
    assert.same({ nil, "rack: must be a string, not an integer" }, { check({ mtu = 1400, rack = 1 }, "") })
  end)

  it("is described as one object", function()
    local described <const> = schema.describe(check)
    assert.same({ "mtu" }, { table.unpack(described.required) })
    assert.equal("string", described.properties.rack.type)
    assert.equal("integer", described.properties.mtu.type)
  end)

  it("knows what it was extended from", function()
    assert.is_true(schema.extends(schema.extend(check, {}), base))
    assert.is_false(schema.extends(base, check))
  end)
end)
