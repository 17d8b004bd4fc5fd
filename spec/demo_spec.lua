local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("examples/demo.lua #netns", function()
  -- other pods' records are none of its business
  local DIR <const>, OTHER <const> = "/run/cni/ecmp", { "pods:c1:eth0.json", "pods:c2:eth0.json" }
  local outcome

  setup(function()
    for _, dir in ipairs { "/run/cni", DIR } do sys.mkdir(dir, tonumber("755", 8)) end
    for _, name in ipairs(OTHER) do assert(sys.create(("%s/%s"):format(DIR, name), "{}")) end
    outcome = assert(sys.spawn {
      argv = { helper.build .. "/bin/ecmp", "run", "examples/demo.lua" }, timeout = 300,
      stderr = "capture",
    })
  end)

  teardown(function()
    for _, name in ipairs(OTHER) do sys.unlink(("%s/%s"):format(DIR, name)) end
  end)

  -- The text from one heading to the next, without line ends.
  local function part(from, to)
    local first <const> = assert(outcome.stdout:find(from, 1, true), from)
    local last <const> = to and assert(outcome.stdout:find(to, first, true), to)
    return (outcome.stdout:sub(first, last):gsub("%s+", " "))
  end

  it("runs to its end", function()
    assert.equal(0, outcome.status, outcome.stderr)
    assert.equal("", outcome.stderr)
  end)

  it("shows two IPv4 entries under separate, and flows through the last one alone", function()
    local text <const> = part("1. What the", "2. What ecmp")
    assert.is_truthy(text:find("default via 10.0.0.2 dev eth0 default via 10.0.0.1 dev eth0", 1,
      true))
    assert.is_truthy(text:find("32 flows in all: gateway 1: 0 gateway 2: 32 gateway 3: 0", 1, true))
  end)

  it("shows one route in each family under ecmp, both hops used, by real packets too", function()
    local text <const> = part("2. What ecmp", "3. CHECK")
    for _, prefix in ipairs { "10%.0%.0%.", "2001:db8::" } do
      assert.matches(("nexthop via %s1 dev eth0 weight 1 nexthop via %s2 dev eth0 weight 1")
        :format(prefix, prefix), text)
    end
    local seen = 0
    for one, two, three in text:gmatch("gateway 1: (%d+) gateway 2: (%d+) gateway 3: (%d+)") do
      seen = seen + 1
      assert.is_true(tonumber(one) > 3 and tonumber(two) > 3)
      assert.same({ 32, 0 }, { tonumber(one) + tonumber(two), tonumber(three) })
    end
    assert.equal(4, seen)
  end)

  it("shows CHECK succeed, and say what is missing once a hop is gone", function()
    local text <const> = part("3. CHECK", "4. DEL")
    assert.matches("CHECK %-> success", text)
    assert.is_truthy(text:find("route 0.0.0.0/0: next hop via 10.0.0.2 dev eth0 is missing", 1,
      true))
  end)

  it("shows nothing left after DEL", function()
    local text <const> = part("4. DEL")
    assert.is_falsy(text:find("eth0", 1, true))
    assert.is_falsy(text:find("veth", 1, true))
  end)
end)
