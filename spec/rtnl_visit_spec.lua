--- Requests in a namespace that is opened and closed in one call.
local helper = require "spec.helper"
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"

local LIST <const> = rtnl.message("route", "list", { family = 4, table = "main" })

describe("rtnl.message", function()
  it("makes what a kernel takes", function()
    local length <const>, kind <const>, flags <const> = string.unpack("<I4I2I2", LIST)
    assert.same({ #LIST, 26, 0x301 }, { length, kind, flags }) -- RTM_GETROUTE, REQUEST|DUMP
    local change <const> = rtnl.message("route", "change", { dst = "10.0.0.0/8", dev = 1 })
    assert.same({ 24, 0x105, 9 }, { string.unpack("<I2I2", change, 5) }) -- RTM_NEWROUTE, REPLACE
  end)

  it("raises for what is no request", function()
    assert.has_error(function() rtnl.message("route", "get", {}) end)
    assert.has_error(function() rtnl.message("rout", "add", {}) end)
    assert.has_error(function() rtnl.message("route", "add", { dist = "10.0.0.0/8" }) end)
  end)
end)

describe("rtnl.visit #netns", function()
  local space

  before_each(function() space = scratch.new(1) end)
  after_each(function() space:close() end)

  local function change(via)
    local index <const> = assert(space.nl.link:get { dev = "v1" }).index
    return rtnl.message("route", "replace", { dst = "10.9.0.0/16", via = via, dev = index })
  end

  it("sends one after the other and returns what answered", function()
    local answers <const> = assert(rtnl.visit(space.path, { change "10.0.1.2", LIST }))
    assert.equal("", answers[1])
    assert.truthy(answers[2]:find("\10\9\0\0", 1, true))
    assert.truthy(space:ip("route show"):find "10.9.0.0/16 via 10.0.1.2 dev v1")
  end)

  it("ends after the first where that is answered otherwise than expected", function()
    local answers <const> = assert(rtnl.visit(space.path, { LIST }))
    assert(rtnl.visit(space.path, { LIST, change "10.0.1.2" }, answers[1]))
    local went <const>, found <const> =
      rtnl.visit(space.path, { LIST, change "10.0.1.3" }, answers[1])
    assert.is_false(went)
    assert.equal(rtnl.visit(space.path, { LIST })[1], found)
    assert.truthy(space:ip("route show"):find "10.9.0.0/16 via 10.0.1.2 dev v1")
  end)

  it("ends at the first that is refused, and says which and why", function()
    local answers <const>, message <const>, code <const>, number <const> =
      rtnl.visit(space.path, { LIST, change "10.77.0.1", change "10.0.1.2" })
    assert.is_nil(answers)
    assert.equal("ENETUNREACH", code)
    assert.equal(2, number)
    assert.matches("Nexthop has invalid gateway", message)
    assert.falsy(space:ip("route show"):find "10.9.0.0")
  end)

  it("says what is no namespace, and refuses what is no request", function()
    assert.equal("ENOENT", select(3, rtnl.visit("/run/netns/none-such", { LIST })))
    assert.equal("EINVAL", select(3, rtnl.visit("/tmp", { LIST })))
    for _, requests in ipairs { {}, { "" }, { LIST .. "x" }, { 5 } } do
      assert.has_error(function() rtnl.visit(space.path, requests) end)
    end
  end)

  it("keeps nothing open", function()
    local before <const> = helper.descriptors()
    for _ = 1, 10 do assert(rtnl.visit(space.path, { LIST })) end
    rtnl.visit(space.path, { change "10.77.0.1" })
    assert.equal(before, helper.descriptors())
  end)
end)
