--- What a notification makes of the routes that are known, and where only a list can tell.
local cache = require "ecmp.nl.cache"
local rtnl = require "ecmp.rtnl"

-- A route as a notification or a list brings it.
local function told(fields, verb, behind)
  fields.table, fields.type = "main", fields.type or "unicast"
  local view <const> = rtnl.view("route", fields)
  return setmetatable({ verb = function() return verb, behind end }, {
    __index = function(_, key)
      if key == "object" then return function() return "route" end end
      return view[key]
    end,
    __tostring = function() return tostring(view) end,
  })
end

local function known(...)
  return cache.new("route", { ... })
end

local function four(via, more)
  local fields <const> = { dst = "10.1.0.0/16", via = via }
  for key, value in pairs(more or {}) do fields[key] = value end
  return fields
end

local function six(fields)
  fields.dst, fields.metric = "fd60::/32", 1024
  return fields
end

describe("of several IPv4 routes of one key the cache", function()
  it("takes the first for the one that is replaced", function()
    local routes <const> = known(told(four "10.0.0.1"), told(four "10.0.0.2"))
    assert.equal("change", (routes:apply(told(four "10.0.0.3", "change"))))
    assert.equal("del", (routes:apply(told(four "10.0.0.3", "del"))))
    assert.equal("del", (routes:apply(told(four "10.0.0.2", "del"))))
    assert.is_nil((routes:apply(told(four "10.0.0.2", "del"))))
  end)

  it("is not sure of one that refers to an object, which may have changed for any of them", function()
    local routes <const> = known(told(four("10.0.0.1", { nhid = 1 })), told(four "10.0.0.2"))
    assert.equal("unsure", (routes:apply(told(four("10.0.0.3", { nhid = 1 }), "change"))))
    local alone <const> = known(told(four("10.0.0.1", { nhid = 1 })))
    assert.equal("change", (alone:apply(told(four("10.0.0.3", { nhid = 1 }), "change"))))
  end)

  it("is not sure which went where it knows none like it", function()
    assert.equal("unsure", (known(told(four "10.0.0.1")):apply(told(four "10.0.0.9", "del"))))
  end)
end)

describe("of several IPv6 routes of one key the cache", function()
  it("takes the one of gateways for the one that is changed", function()
    local routes <const> = known(told(six { dev = "lo" }), told(six { via = "fd00::1" }))
    assert.equal("change", (routes:apply(told(six { nexthops = { { via = "fd00::1" },
      { via = "fd00::2" } } }, "change"))))
  end)

  it("is not sure which of those that do not join was changed", function()
    local routes <const> = known(told(six { dev = "lo" }), told(six { via = "fd00::1" }))
    assert.equal("unsure", (routes:apply(told(six { type = "blackhole" }, "change"))))
  end)

  it("takes hops in another order for the same", function()
    local routes <const> = known(told(six { nexthops = { { via = "fd00::1" }, { via = "fd00::2" } } }))
    assert.is_nil((routes:apply(told(six { nexthops = { { via = "fd00::2" }, { via = "fd00::1" } } },
      "add"))))
  end)
end)
