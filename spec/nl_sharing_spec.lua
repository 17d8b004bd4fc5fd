local scratch = require "spec.scratch"
local share = require "ecmp.nl.sharing"

-- `count` routes over `sets` sets of two next hops in the link of pair 1.
local function changes(count, sets, verb, family)
  local list <const> = {}
  for i = 1, count do
    local a <const>, b <const> = 2 + i % sets, 102 + i % sets
    local six <const> = family == 6
    list[i] = { verb or "route add", {
      dst = six and ("2001:db8:%x::/48"):format(i) or ("20.%d.%d.0/24"):format(i >> 8, i & 255),
      nexthops = {
        { via = six and ("fd00:0:0:1::%x"):format(a) or "10.0.1." .. a },
        { via = six and ("fd00:0:0:1::%x"):format(b) or "10.0.1." .. b, weight = 3 },
      },
    } }
  end
  return list
end

local function all_true(results)
  for i, result in ipairs(results) do
    assert.are.equal(true, result == true or ("[%d] %s"):format(i, result.message))
  end
end

local function without_numbers(text)
  return (text:gsub(" nhid %d+", ""):gsub("[ \t]+\n", "\n"))
end

-- A list of routes as text, leaving out what sharing adds.
local function shown(nl, family)
  return without_numbers(tostring(nl.route:list { proto = "boot", family = family }))
end

describe("a batch that shares next hops #netns", function()
  local here, nl

  before_each(function()
    here = scratch.new(2)
    nl = here.nl
  end)

  after_each(function() here:close() end)

  for _, family in ipairs { 4, 6 } do
    it(("leaves the IPv%d routes that one without leaves"):format(family), function()
      all_true(nl:batch(changes(64, 2, nil, family)))
      local plain <const> = shown(nl, family)
      all_true(nl:batch(changes(64, 2, "route del", family)))
      all_true(nl:batch(changes(64, 2, nil, family), { share = true }))
      assert.are.equal(plain, shown(nl, family))
      assert.is_not_nil(nl.route:list({ proto = "boot", family = family })[1].nhid)
    end)

    it(("makes one object for each IPv%d hop and one group for each set"):format(family), function()
      all_true(nl:batch(changes(64, 2, nil, family), { share = true, order = "free" }))
      local groups, hops = 0, 0
      for _, object in ipairs(nl.nexthop:list()) do
        assert.are.equal(share.PROTO, object.proto)
        if object.group then groups = groups + 1 else hops = hops + 1 end
      end
      assert.are.same({ 2, 4 }, { groups, hops })
    end)
  end

  it("gives no route the metrics of another by the same hops", function()
    local list <const> = {}
    for i = 1, 64 do
      list[i] = { "route add", { dst = ("20.0.%d.0/24"):format(i), mtu = i % 2 == 0 and 1400 or nil,
        nexthops = { { via = "10.0.1.2" }, { via = "10.0.1.3" } } } }
    end
    all_true(nl:batch(list, { share = true }))
    for i = 1, 64 do
      local route <const> = nl.route:list({ dst = ("20.0.%d.0/24"):format(i) })[1]
      assert.are.equal(list[i][2].mtu, route.mtu)
    end
    assert.is_not_nil(nl.route:list({ dst = "20.0.1.0/24" })[1].nhid)
  end)

  it("uses the objects of an earlier batch again", function()
    all_true(nl:batch(changes(64, 2), { share = true }))
    local before <const> = tostring(nl.nexthop:list())
    all_true(nl:batch(changes(64, 2, "route replace"), { share = true }))
    assert.are.equal(before, tostring(nl.nexthop:list()))
  end)

  it("shares single next hops, and those of a named device", function()
    local list <const> = {}
    for i = 1, 64 do
      list[i] = { "route add", { dst = ("20.0.%d.0/24"):format(i), via = "10.0.2.9", dev = "v2" } }
    end
    all_true(nl:batch(list, { share = true }))
    local route <const> = nl.route:list({ dst = "20.0.1.0/24" })[1]
    assert.are.same({ "10.0.2.9", "v2" }, { route.via, route.dev })
    assert.is_not_nil(route.nhid)
  end)

  it("takes words and views as any other batch does", function()
    local list <const> = {}
    for i = 1, 64 do
      list[i] = { "route add", ("20.0.%d.0/24 nexthop via 10.0.1.2 nexthop via 10.0.1.3"):format(i) }
    end
    all_true(nl:batch(list, { share = true }))
    assert.is_not_nil(nl.route:list({ dst = "20.0.9.0/24" })[1].nhid)
    local again <const> = nl:batch(list, { share = true })
    assert.are.equal("route add 20.0.9.0/24 nexthop via 10.0.1.2 nexthop via 10.0.1.3"
      .. ": File exists (EEXIST)", again[9].message)
    local views <const> = {}
    for i, view in ipairs(nl.route:list { proto = "boot" }) do views[i] = { "route replace", view } end
    all_true(nl:batch(views, { share = true }))
  end)

  it("leaves alone what does not repeat", function()
    all_true(nl:batch(changes(3, 3), { share = true }))
    assert.are.equal(0, #nl.nexthop:list())
  end)

  it("takes numbers that nobody has", function()
    all_true(nl:batch(changes(64, 1), { share = true }))
    local taken <const> = nl.nexthop:list()
    assert.are.equal(64, nl.route:flush { proto = "boot" })
    for i = #taken, 1, -1 do assert(nl.nexthop:del { id = taken[i].id }) end
    for _, object in ipairs(taken) do
      assert(nl.nexthop:add { id = object.id, via = "10.0.2.7", dev = "v2" })
    end
    all_true(nl:batch(changes(64, 1), { share = true }))
    assert.are.equal(2 * #taken, #nl.nexthop:list())
    assert.are.equal("10.0.2.7", nl.nexthop:get({ id = taken[1].id }).via)
  end)

  it("gives each refused change its result, in the caller's words", function()
    all_true(nl:batch { { "route add", { dst = "20.0.7.0/24", via = "10.0.2.2" } } })
    local results <const> = nl:batch(changes(64, 1), { share = true })
    assert.are.equal("EEXIST", results[7].code)
    assert.are.equal("route add 20.0.7.0/24 nexthop via 10.0.1.2 nexthop via 10.0.1.102 "
      .. "weight 3: File exists (EEXIST)", without_numbers(results[7].message))
    results[7] = true
    all_true(results)
  end)

  it("deletes the objects of which no route came to be", function()
    all_true(nl:batch(changes(64, 1)))
    for _, result in ipairs(nl:batch(changes(64, 1), { share = true })) do
      assert.are.equal("EEXIST", result.code)
    end
    assert.are.equal(0, #nl.nexthop:list())
  end)

  it("refuses unreachable gateways as the kernel does", function()
    local list <const> = {}
    for i = 1, 64 do
      list[i] = { "route add", { dst = ("20.0.%d.0/24"):format(i), via = "192.0.2.1", dev = "v1" } }
    end
    local plain <const>, shared <const> = nl:batch(list), nl:batch(list, { share = true })
    assert.are.equal("ENETUNREACH", shared[1].code)
    assert.are.same(plain, shared)
    assert.are.equal(0, #nl.nexthop:list())
  end)

  it("shares nothing by a gateway that the batch itself moves", function()
    local list <const> = {
      { "route add", { dst = "10.0.1.64/26", dev = "v2" } },
      { "route add", { dst = "fd00:0:0:1:8000::/65", dev = "v2" } },
    }
    for i = 1, 64 do
      list[#list + 1] = { "route add", { dst = ("20.0.%d.0/24"):format(i), via = "10.0.1.70" } }
      list[#list + 1] = { "route add", { dst = ("20.1.%d.0/24"):format(i), via = "10.0.1.7" } }
      list[#list + 1] = { "route add", { dst = ("2001:db8:%x::/48"):format(i),
        via = "fd00:0:0:1:8000::70" } }
      list[#list + 1] = { "route add", { dst = ("2001:db9:%x::/48"):format(i),
        via = "fd00:0:0:1::7" } }
    end
    all_true(nl:batch(list, { share = true }))
    for dst, want in pairs {
      ["20.0.1.0/24"] = { dev = "v2" }, ["20.1.1.0/24"] = { dev = "v1", shared = true },
      ["2001:db8:1::/48"] = { dev = "v2" }, ["2001:db9:1::/48"] = { dev = "v1", shared = true },
    } do
      local route <const> = nl.route:list({ dst = dst })[1]
      assert.are.same(want, { dev = route.dev, shared = route.nhid and true })
    end
  end)

  it("shares nothing by a gateway that only a default route leads to, where the batch moves that",
    function()
      for dst, via in pairs { ["0.0.0.0/0"] = "192.0.2.1", ["::/0"] = "2001:dbf::1" } do
        local family <const> = dst == "::/0" and 6 or 4
        assert(nl.route:add { dst = dst, dev = "v1" })
        local list <const> = { { "route replace", { dst = dst, dev = "v2" } } }
        for _, change in ipairs(changes(64, 1, nil, family)) do
          table.insert(list, { "route add", { dst = change[2].dst, via = via } })
        end
        all_true(nl:batch(list, { share = true }))
        assert.are.equal("v2", nl.route:list({ dst = list[2][2].dst })[1].dev)
      end
    end)

  -- 64 routes with a field or two of their own, which an object would change or lose.
  local function special(fields, family)
    local list <const> = {}
    for i = 1, 64 do
      local route <const> = family == 6 and { dst = ("2001:db8:%x::/48"):format(i) }
        or { dst = ("20.0.%d.0/24"):format(i) }
      for key, value in pairs(fields) do route[key] = value end
      list[i] = { "route add", route }
    end
    return list
  end

  for name, case in pairs {
    ["a gateway that the route's own table has elsewhere"] = { { via = "10.0.1.2", table = 100 } },
    ["such a gateway of IPv6"] = { { via = "fd00:0:0:1::2", table = 100 }, 6 },
    ["a realm"] = { { via = "10.0.1.2", realm = 7 } },
    ["a source prefix"] = { { from = "2001:db9::/48",
      nexthops = { { via = "fd00:0:0:1::2" }, { via = "fd00:0:0:1::3" } } }, 6 },
    ["a link-local gateway on no device"] = {
      { nexthops = { { via = "fe80::2" }, { via = "fe80::3" } } }, 6 },
    ["a scope without gateways"] = { { via = "10.0.1.2", scope = "link" } },
  } do
    it("leaves to the kernel " .. name, function()
      assert(nl.route:add { dst = "10.0.1.0/24", dev = "v2", table = 100 })
      assert(nl.route:add { dst = "fd00:0:0:1::/64", dev = "v2", table = 100 })
      local filter <const> = { family = case[2] or 4, table = case[1].table, proto = "boot" }
      local before <const> = #nl.route:list(filter)
      local plain <const> = nl:batch(special(table.unpack(case)))
      local seen <const> = tostring(nl.route:list(filter))
      for _, route in ipairs(nl.route:list(filter)) do
        if route.dst:find "^20%." or route.dst:find "^2001:" then assert(nl.route:del(route)) end
      end
      assert.are.equal(before, #nl.route:list(filter))
      assert.are.same(plain, nl:batch(special(table.unpack(case)), { share = true }))
      assert.are.equal(seen, tostring(nl.route:list(filter)))
    end)
  end

  it("throws for a wrong field at the caller's line, naming the change, and leaves no object",
    function()
      local list <const> = changes(64, 1)
      list[40][2].mtuu = 1400
      local ok, message = pcall(nl.batch, nl, list, { share = true })
      assert.is_false(ok)
      assert.matches("%[40%]%.mtuu: unknown field %(did you mean 'mtu'%?%)", message)
      assert.are.equal(0, #nl.nexthop:list())
    end)

  it("does not overlook a misspelt field of a hop", function()
    local list <const> = changes(64, 1)
    list[5][2].nexthops[2].wieght = 2
    local ok, message = pcall(nl.batch, nl, list, { share = true })
    assert.is_false(ok)
    assert.matches("%[5%]%.nexthops%[2%]%.wieght", message)
  end)

  -- What a list of 64 routes with these hops comes to, without sharing and with it.
  local function plainly_and_shared(nexthops)
    local list <const> = {}
    for i = 1, 64 do
      list[i] = { "route replace", { dst = ("20.0.%d.0/24"):format(i), nexthops = nexthops } }
    end
    local plain <const> = nl:batch(list)
    local seen <const> = shown(nl)
    nl.route:flush { proto = "boot" }
    return plain, seen, nl:batch(list, { share = true }), shown(nl)
  end

  it("leaves to the kernel what it would have to complain about", function()
    for _, nexthops in ipairs {
      { { via = "192.0.2.1" }, { via = "10.0.1.3" } }, -- no way to one of them
      { { via = "192.0.2.1", dev = "v1" }, { via = "10.0.1.3", dev = "v1" } },
      { { via = "10.0.1.2", dev = "v2" }, { via = "10.0.1.3", dev = "v1" } }, -- by the other link
      { { via = "10.0.1.2", onlink = true }, { via = "10.0.1.3" } },
    } do
      local plain <const>, seen <const>, shared <const>, same <const> = plainly_and_shared(nexthops)
      assert.is_string(plain[1].message)
      assert.are.same(plain, shared)
      assert.are.equal(seen, same)
      assert.are.equal(0, #nl.nexthop:list())
    end
  end)

  it("makes no group in which one hop stands twice", function()
    local plain <const>, seen <const>, shared <const>, same <const> = plainly_and_shared {
      { via = "10.0.1.2", dev = "v1" }, { via = "10.0.1.3" }, { via = "10.0.1.2" },
    }
    all_true(plain)
    all_true(shared)
    assert.are.equal(seen, same)
    assert.are.equal(0, #nl.nexthop:list())
  end)

  it("shares hops that are on a link because it is said so", function()
    local plain <const>, seen <const>, shared <const>, same <const> = plainly_and_shared {
      { via = "192.0.2.1", dev = "v1", onlink = true }, { via = "10.0.1.3", dev = "v1", weight = 7 },
    }
    all_true(plain)
    all_true(shared)
    assert.are.equal(seen, same)
    assert.are.equal(3, #nl.nexthop:list())
  end)

  it("tells sets with other weights from each other, and those in another order", function()
    local list <const> = {}
    for i = 1, 96 do
      list[i] = { "route add", { dst = ("20.0.%d.0/24"):format(i), nexthops = {
        { via = i % 3 == 2 and "10.0.1.3" or "10.0.1.2", weight = i % 3 == 1 and 5 or 1 },
        { via = i % 3 == 2 and "10.0.1.2" or "10.0.1.3" },
      } } }
    end
    all_true(nl:batch(list))
    local seen <const> = shown(nl)
    nl.route:flush { proto = "boot" }
    all_true(nl:batch(list, { share = true }))
    assert.are.equal(seen, shown(nl))
    assert.are.equal(2 + 3, #nl.nexthop:list())
  end)

  it("sends routes where the kernel would, whatever rules of the policy say", function()
    assert(nl.rule:add { family = 6, priority = 100, table = 100 })
    assert(nl.route:add { dst = "fd00:0:0:1::/64", dev = "v2", table = 100 })
    local list <const> = {}
    for i = 1, 96 do
      list[i] = { "route add", { dst = ("fd20:%x::/32"):format(i), nexthops = {
        { via = "fd00:0:0:1::2" }, { via = "fd00:0:0:1::3" } } } }
    end
    all_true(nl:batch(list, { share = true }))
    for _, hop in ipairs(nl.route:list({ dst = "fd20:7::/32" })[1].nexthops) do
      assert.are.equal("v1", hop.dev)
    end
  end)

  it("uses no objects but those of such batches", function()
    assert(nl.nexthop:add { id = 7, via = "10.0.1.2", dev = "v1" })
    local list <const> = {}
    for i = 1, 64 do
      list[i] = { "route add", { dst = ("20.0.%d.0/24"):format(i), via = "10.0.1.2", dev = "v1" } }
    end
    all_true(nl:batch(list, { share = true }))
    assert.are_not.equal(7, nl.route:list({ dst = "20.0.1.0/24" })[1].nhid)
  end)

  it("does nothing where one of many changes is wrong, and uses its objects again", function()
    local nexthops <const>, list <const> = {}, {}
    for i = 1, 100 do nexthops[i] = { via = "10.0.1." .. 100 + i, dev = "v1" } end
    for i = 1, 12000 do -- more than are encoded at once
      list[i] = { "route add", { dst = ("20.%d.%d.0/24"):format(i >> 8, i & 255),
        nexthops = nexthops } }
    end
    list[#list][2].mtuu = 1400
    assert.has_error(function() nl:batch(list, { share = true, order = "free" }) end)
    assert.are.equal(0, #nl.route:list { proto = "boot" })
    assert.are.equal(0, #nl.nexthop:list())
    list[#list][2].mtuu = nil
    all_true(nl:batch(list, { share = true, order = "free" }))
    local objects <const> = tostring(nl.nexthop:list())
    assert.are.equal(101, select(2, objects:gsub("\n", "")) + 1)
    for _, change in ipairs(list) do change[1] = "route replace" end
    all_true(nl:batch(list, { share = true, order = "free" }))
    assert.are.equal(objects, tostring(nl.nexthop:list()))
    assert.are.equal(12000, #nl.route:list { proto = "boot" })
  end)

  it("does as much as any other batch with changes of other kinds", function()
    local results <const> = nl:batch({
      { "route add", "20.0.0.0/24 via 10.0.1.2" },
      { "addr add", { address = "10.0.3.1/24", dev = "v1" } },
      { "route add", { dst = "20.0.1.0/24", via = "10.0.3.2" } },
    }, { share = true })
    all_true(results)
    assert.are.equal(2, #nl.route:list { proto = "boot" })
  end)

  it("is empty for an empty batch", function()
    assert.are.same({}, nl:batch({}, { share = true }))
  end)
end)
