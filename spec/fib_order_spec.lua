--- Routes whose gateways are reached by other routes of the same list: made, taken away and taken back.
local ecmp = require "ecmp"
local scratch = require "spec.scratch"

-- What leads to the gateways of others, and what stands behind it, in lists sorted by nothing.
local SETS <const> = {
  ["IPv4, the leading prefix last"] = { "10.60.0.0/16 via 172.31.9.1 dev v1",
    "172.31.9.0/24 dev v1" },
  ["IPv4, the leading prefix first"] = { "172.31.9.0/24 dev v1", "192.168.0.0/16 via 172.31.9.1 dev v1" },
  ["IPv4, a default route by a /32"] = { "default via 172.31.9.1 dev v1", "172.31.9.1 dev v1" },
  ["IPv4, several hops"] = { "10.60.0.0/16 nexthop via 172.31.9.1 dev v1 nexthop via 172.31.8.1 dev v2",
    "172.31.9.1 dev v1", "172.31.8.0/24 dev v2" },
  ["IPv4, by a gateway of IPv6"] = { "10.60.0.0/16 via inet6 fd99::1 dev v1", "fd99::1 dev v1" },
  ["IPv4, a source that is made local"] = { "10.60.0.0/16 dev v1 src 10.99.0.1",
    "local 10.99.0.1 dev v1 table local proto static" },
  ["IPv4, in another table"] = { "10.60.0.0/16 via 172.31.9.1 dev v1 table 100",
    "172.31.9.0/24 dev v1 table 100" },
  ["IPv4, from another table"] = { "10.60.0.0/16 via 172.31.9.1 dev v1 table 100",
    "172.31.9.0/24 dev v1" },
  ["IPv6, the leading prefix last"] = { "fd60::/32 via fd99::1 dev v1", "fd99::/64 dev v1" },
  ["IPv6, the leading prefix first"] = { "fd00:99::/64 dev v1", "fd60::/32 via fd00:99::1 dev v1" },
  ["IPv6, a default route by a /128"] = { "default via fd99::1 dev v1", "fd99::1 dev v1" },
  ["IPv6, several hops"] = { "fd60::/32 nexthop via fd99::1 dev v1 nexthop via fd98::1 dev v2",
    "fd99::1 dev v1", "fd98::/64 dev v2" },
  ["IPv6, in another table"] = { "fd60::/32 via fd99::1 dev v1 table 100",
    "fd99::/64 dev v1 table 100" },
  ["IPv6, behind a route that covers the gateway of another"] = { "fd99:1::/64 via fd99::9 dev v1",
    "fd60::/32 via fd99:1::1 dev v1", "fd99::/16 dev v1" },
  ["IPv6, a chain of such routes"] = { "fd61::/96 via fd99:1:2::1 dev v1",
    "fd99:1:2::/48 via fd99:1::9 dev v1", "fd99:1::/32 via fd99::9 dev v1", "fd99::/16 dev v1" },
  ["IPv6, beside an unreachable one that covers the gateway"] = { "unreachable fd99:1::/64",
    "fd60::/32 via fd99:1::1 dev v1", "fd99::/16 dev v1" },
}

-- The same on the other device: each route changes, and what led to gateways leads elsewhere.
local function moved(list)
  local other <const> = {}
  for i, text in ipairs(list) do
    other[i] = text:gsub("dev v1", "dev v9"):gsub("dev v2", "dev v1"):gsub("dev v9", "dev v2")
  end
  return other
end

local function reversed(list)
  local other <const> = {}
  for i, text in ipairs(list) do other[#list - i + 1] = text end
  return other
end

describe("routes behind each other #netns", function()
  local space, nl

  local function held()
    local found <const> = {}
    for _, view in ipairs(nl.route:list { table = "all" }) do
      if view.proto ~= "kernel" then found[#found + 1] = view end
    end
    return found
  end

  local function texts()
    local found <const> = {}
    for i, view in ipairs(held()) do found[i] = view:text { line = true } .. " " .. view.table end
    table.sort(found)
    return found
  end

  local function make(wanted, what)
    local plan <const> = assert(ecmp.plan(held(), wanted))
    local ok <const>, message <const> = plan:apply(nl)
    assert.is_truthy(ok, what .. ": " .. tostring(message))
    assert.equal(0, #assert(ecmp.plan(held(), wanted)))
  end

  -- Goes over to a list and back.
  local function go_and_come_back(wanted, what)
    local before <const> = texts()
    local tx <const>, message <const> = assert(ecmp.plan(held(), wanted)):begin(nl)
    assert.is_truthy(tx, what .. ": " .. tostring(message))
    assert.equal(0, #assert(ecmp.plan(held(), wanted)))
    assert(tx:rollback())
    assert.same(before, texts())
  end

  before_each(function()
    space = scratch.new(2)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  for name, list in pairs(SETS) do
    for _, order in ipairs { { "as listed", list }, { "turned round", reversed(list) } } do
      it(("are made, taken away and brought back: %s, %s"):format(name, order[1]), function()
        make(order[2], name)
        go_and_come_back({}, "taken away")
        -- While a route covers its gateway, IPv6 lets none be changed: it has to be deleted first.
        if not name:find "cover" and not name:find "chain" then
          go_and_come_back(moved(order[2]), "moved to other devices")
        end
        make({}, "emptied")
        assert.same({}, texts())
        go_and_come_back(order[2], "made from nothing")
      end)
    end
  end

  -- Gateways are found when a route is made: one that leaves its device out had better not be found by the old.
  for family, words in pairs {
    [4] = { "172.31.9.0/24 dev v%d", "10.60.0.0/16 via 172.31.9.1" },
    [6] = { "fd99::/64 dev v%d", "fd60::/32 via fd99::1" },
  } do
    it(("are found by the device that leads to them from now on, IPv%d"):format(family), function()
      make({ words[1]:format(1) }, "the old")
      local new <const> = { words[2], words[1]:format(2) }
      for _, wanted in ipairs { new, reversed(new) } do
        go_and_come_back(wanted, "moved")
        local tx <const> = assert(ecmp.plan(held(), wanted):begin(nl))
        for _, route in ipairs(held()) do assert.equal("v2", route.dev) end
        assert(tx:rollback())
      end
    end)
  end
end)
