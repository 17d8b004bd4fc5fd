local version = require "ecmp.cni.version"

describe("versions", function()
  for _, case in ipairs {
    { "0.4.0", "0.4.0", 0 }, { "0.3.1", "0.4.0", -1 }, { "1.0.0", "0.4.0", 1 }, { "1", "1.0.0", 0 },
    { "1.0", "1.0.1", -1 }, { "0.10.0", "0.9.0", 1 }, { "01.0.0", "1.0.0", 0 },
  } do
    it(("compare %s with %s"):format(case[1], case[2]), function()
      assert.equal(case[3], version.compare(case[1], case[2]))
    end)
  end

  for _, text in ipairs { "", "x", "1.0.0.0", "1..0", "1.", "1.0.0-rc1", "1,0", "v1.0.0" } do
    it(("refuse to compare '%s'"):format(text), function()
      local order, message = version.compare(text, "1.0.0")
      assert.is_nil(order)
      assert.truthy(message:find("'" .. text .. "'", 1, true))
    end)
  end
end)

describe("negotiation", function()
  local function outcome(command, wanted, supported)
    local ok, message, code, details = version.negotiate(command, wanted, supported or version.all)
    return ok and 0 or code, message, details
  end

  for _, wanted in ipairs(version.all) do
    it("takes " .. wanted .. " for ADD and DEL", function()
      assert.equal(0, outcome("ADD", wanted))
      assert.equal(0, outcome("DEL", wanted))
    end)
  end

  for _, case in ipairs {
    { "CHECK", "0.3.1", 1, "config version does not allow CHECK" }, { "CHECK", "0.4.0", 0 },
    { "CHECK", "1.1.0", 0 },
    { "GC", "1.0.0", 1, "config version does not allow GC" }, { "GC", "1.1.0", 0 },
    { "STATUS", "0.4.0", 1, "config version does not allow STATUS" }, { "STATUS", "1.1.0", 0 },
    { "CHECK", "2.0.0", 1, "plugin version does not allow CHECK" },
    { "CHECK", "1.0", 1, "incompatible CNI versions" },
    { "CHECK", "nonsense", 6, "'nonsense' is no version" },
    { "CHECK", "1.0.0.0", 6, "'1.0.0.0' is no version" },
    { "ADD", "nonsense", 1, "incompatible CNI versions" },
    { "ADD", "1.0", 1, "incompatible CNI versions" },
    { "ADD", "9.9.9", 1, "incompatible CNI versions" },
  } do
    it(("of %s with %s gives %d"):format(case[1], case[2], case[3]), function()
      local code, message = outcome(case[1], case[2])
      assert.equal(case[3], code)
      if case[4] then assert.truthy(message:find(case[4], 1, true), message) end
    end)
  end

  it("names both sides when they do not meet", function()
    local code, _, details = outcome("ADD", "1.1.0", { "0.3.1", "0.4.0" })
    assert.equal(1, code)
    for _, text in ipairs { "1.1.0", "0.3.1", "0.4.0" } do
      assert.truthy(details:find(text, 1, true), details)
    end
  end)

  it("asks a plugin of old versions no CHECK of a newer config", function()
    local code, message = outcome("CHECK", "1.0.0", { "0.3.1", "0.4.0" })
    assert.equal(1, code)
    assert.equal("plugin version does not allow CHECK", message)
  end)
end)
