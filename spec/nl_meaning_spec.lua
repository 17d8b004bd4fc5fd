--- One meaning for both families: what del, replace, add_nexthop and del_nexthop leave behind.
local known = require "ecmp.nl.cache"
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"

local families <const> = {
  { number = 4, dst = "10.60.0.0/16", gw = "10.0.1.", metric = 0 },
  { number = 6, dst = "fd60::/32", gw = "fd00:0:0:1::", metric = 1024 },
}

for _, family in ipairs(families) do
  local dst <const> = family.dst
  local function gw(n) return family.gw .. n end
  local function hop(n, weight) return { via = gw(n), dev = "v1", weight = weight } end

  describe(("one meaning in IPv%d #netns"):format(family.number), function()
    local space, nl

    -- The gateways of the routes to `dst`: one text for each route.
    local function held()
      local texts <const> = {}
      for i, route in ipairs(nl.route:list { dst = dst }) do
        local gateways <const> = {}
        for n, one in ipairs(route.nexthops or { route }) do
          local weight <const> = route.nexthops and one.weight or 1
          gateways[n] = tostring(one.via):match "[^.:]*$" .. (weight > 1 and "*" .. weight or "")
        end
        texts[i] = table.concat(gateways, "+")
      end
      return texts
    end

    -- Begins to listen; the function it returns fails if there was a moment without a route.
    local function watch()
      local socket <const> = assert(rtnl.open(space.path))
      assert(socket:subscribe "route")
      local state <const> = known.new("route", nl.route:list { dst = dst })
      return function()
        for views in function() return (socket:receive(0, nl.socket)) end do
          for _, view in ipairs(views) do
            if view.dst == dst then state:apply(view) end
            assert.is_truthy(next(state.places), "a moment without a route")
          end
        end
        socket:close()
      end
    end

    before_each(function()
      space = scratch.new(1)
      nl = space.nl
    end)

    after_each(function() space:close() end)

    it("add_nexthop makes a multipath route and keeps weights", function()
      assert(nl.route:add { dst = dst, via = gw(2), dev = "v1" })
      assert(nl.route:add_nexthop(dst, hop(3, 5)))
      assert.same({ "2+3*5" }, held())
      assert(nl.route:add_nexthop(dst, ("via %s weight 2"):format(gw(4))))
      assert.same({ "2+3*5+4*2" }, held())
    end)

    it("set_nexthop gives one hop another weight and leaves the rest", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3, 4), hop(4) } })
      assert(nl.route:set_nexthop(dst, { via = gw(3), weight = 7 }))
      assert.same({ "2+3*7+4" }, held())
      assert(nl.route:set_nexthop(dst, ("via %s weight 2"):format(gw(2))))
      local order <const> = held()[1]
      assert.is_truthy(order:find("2*2", 1, true) and order:find("3*7", 1, true))
      assert.equal("ESRCH", select(3, nl.route:set_nexthop(dst, { via = gw(9), weight = 2 })))
      assert.error_matches(function() nl.route:set_nexthop(dst, { via = gw(2), weight = 257 }) end,
        "weight: 257 is outside 1..256")
      assert.error_matches(function() nl.route:set_nexthop(dst, { via = gw(2) }) end,
        "weight: missing; set_nexthop")
      assert.equal(order, held()[1])
    end)

    it("add_nexthop and del_nexthop change the entry that is used, where it is", function()
      assert(nl.route:append { dst = dst, via = gw(2), dev = "v1" })
      assert(nl.route:append { dst = dst, via = gw(3), dev = "v1" })
      assert(nl.route:add_nexthop(dst, hop(4)))
      assert.same(family.number == 4 and { "2+4", "3" } or { "2+3+4" }, held())
      assert(nl.route:del_nexthop(dst, { via = gw(2) }))
      assert.same(family.number == 4 and { "4", "3" } or { "3+4" }, held())
    end)

    it("add_nexthop says which hop cannot be reached", function()
      local far <const> = family.number == 4 and "172.31.9.9" or "fd99::9"
      assert(nl.route:add { dst = dst, via = gw(2), dev = "v1" })
      local ok, message, code = nl.route:add_nexthop(dst, { via = far })
      assert.is_nil(ok)
      assert.equal(("route add_nexthop %s via %s: this next hop is not reachable (%s)"):format(dst,
        far, code), message)
      assert.same({ "2" }, held())
    end)

    it("add_nexthop refuses a hop that is there, and a route that is not", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3) } })
      local ok, message, code = nl.route:add_nexthop(dst, { via = gw(3) })
      assert.is_nil(ok)
      assert.equal("EEXIST", code)
      assert.matches("has that next hop", message)
      ok, message, code = nl.route:add_nexthop("default", { via = gw(3) })
      assert.is_nil(ok)
      assert.equal("ESRCH", code)
      assert.matches("No such route", message)
      assert.same({ "2+3" }, held())
    end)

    for first = 2, 4 do
      it(("del_nexthop takes hop %d of three and no other"):format(first - 1), function()
        assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3), hop(4) } })
        assert(nl.route:del_nexthop(dst, { via = gw(first) }))
        local left <const> = {}
        for n = 2, 4 do
          if n ~= first then left[#left + 1] = n end
        end
        assert.same({ table.concat(left, "+") }, held())
      end)
    end

    it("del_nexthop of the last hop takes the route", function()
      assert(nl.route:add { dst = dst, via = gw(2), dev = "v1" })
      assert(nl.route:del_nexthop(dst, { via = gw(2) }))
      assert.same({}, held())
    end)

    it("del by gateway takes that gateway, be it the first of a multipath route", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3) } })
      assert(nl.route:del { dst = dst, via = gw(2) })
      assert.same({ "3" }, held())
    end)

    it("del by a gateway that no route has takes nothing", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3) } })
      local ok, _, code = nl.route:del { dst = dst, via = gw(9) }
      assert.is_nil(ok)
      assert.equal("ESRCH", code)
      assert.same({ "2+3" }, held())
    end)

    it("del by what was listed takes nothing that has come in its place", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2) } })
      local was <const> = nl.route:list { dst = dst }[1]
      assert(nl.route:replace { dst = dst, nexthops = { hop(2), hop(3) } })
      if family.number == 4 then -- IPv6 knows hops, and takes this one
        assert.equal("ESRCH", nl:batch { { "route del", was } }[1].code)
        assert.same({ "2+3" }, held())
      end
      assert(nl.route:replace { dst = dst, nexthops = { hop(2) } })
      assert.is_true(nl:batch { { "route del", nl.route:list { dst = dst }[1] } }[1])
      assert.same({}, held())
    end)

    it("del by a list of hops takes the route that has just these, in any order", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3) } })
      assert.is_nil((nl.route:del { dst = dst, nexthops = { hop(3) } }))
      assert.is_nil((nl.route:del { dst = dst, nexthops = { hop(2), hop(3), hop(4) } }))
      assert.is_nil((nl.route:del { dst = dst, nexthops = { { via = gw(2) }, { via = gw(2) } } }))
      assert.same({ "2+3" }, held())
      assert(nl.route:del { dst = dst, nexthops = { hop(3), hop(2) } })
      assert.same({}, held())
    end)

    -- What a route has, and what is asked for that it has not.
    local other <const> = family.number == 4 and "10.0.1.1" or "fd00:0:0:1::1"
    for what, case in pairs {
      ["a type"] = { {}, { type = "blackhole" } },
      ["a source"] = { {}, { src = other } },
      ["a metric's value"] = { { mtu = 1400 }, { mtu = 1300 } },
      ["a lock"] = { { mtu = 1400 }, { mtu = 1400, lock = { "mtu" } } },
      ["a protocol"] = { {}, { proto = "static" } },
      ["the default metric"] = { { metric = 500 }, { metric = 0 } },
      ["another table"] = { {}, { table = 77 } },
      ["an object"] = { {}, { nhid = 7 } },
      ["onlink"] = { {}, { via = gw(2), onlink = true } },
      ["an encapsulation"] = { {}, { via = gw(2), encap = { type = "ip6", dst = "fd01::1" } } },
      ["another weight"] = { { nexthops = { hop(2, 2), hop(3) } },
                             { nexthops = { hop(2, 5), hop(3) } } },
      [family.number == 4 and "a tos" or "a source prefix"] = { {}, family.number == 4
        and { tos = 16 } or { from = "fd77::/16" } },
      [family.number == 4 and "a realm" or "a preference"] = { {}, family.number == 4
        and { realm = 5 } or { pref = "high" } },
    } do
      it(("del by %s the route has not takes nothing"):format(what), function()
        local held_one <const> = { dst = dst }
        for key, value in pairs(case[1]) do held_one[key] = value end
        if not held_one.nexthops then held_one.via, held_one.dev = gw(2), "v1" end
        assert(nl.route:add(held_one))
        local before <const> = tostring(nl.route:list { dst = dst })
        for _, hops in ipairs { false, true } do
          local asked <const> = { dst = dst, family = family.number }
          for key, value in pairs(case[2]) do asked[key] = value end
          if hops and not asked.nexthops and asked.type ~= "blackhole" and not asked.nhid then
            asked.via = gw(2)
          end
          local ok, message, code = nl.route:del(asked)
          assert.is_nil(ok)
          assert.equal("ESRCH", code)
          assert.matches("^route del .*%(ESRCH%)$", message)
          assert.equal(before, tostring(nl.route:list { dst = dst }))
        end
        assert(nl.route:del(held_one))
        assert.same({}, held())
      end)
    end

    it("del takes the entry that is meant from among others of its key", function()
      local many <const> = { dst = dst, nexthops = { hop(2), hop(3) } }
      if family.number == 4 then
        assert(nl.route:append { dst = dst, via = gw(2), dev = "v1" })
        assert(nl.route:append(many))
        assert(nl.route:append { dst = dst, via = gw(4), dev = "v1" })
        -- to the kernel this list fits the entry with its first hop
        assert(nl.route:del(many))
        assert.same({ "2", "4" }, held())
        assert(nl.route:append(many))
        assert.equal(2, nl.route:flush { dst = dst, via = gw(2) })
        assert.same({ "4" }, held())
      else
        assert(nl.route:append { dst = dst, dev = "p1" })
        assert(nl.route:append(many))
        assert(nl.route:del(many)) -- without a gateway the kernel would take the first
        assert.equal("p1", nl.route:list { dst = dst }[1].dev)
        assert.equal(1, #nl.route:list { dst = dst })
      end
    end)

    it("flush takes what list shows and leaves the rest", function()
      for n = 1, 40 do
        local name <const> = family.number == 4 and ("10.61.%d.0/24"):format(n)
          or ("fd61:%d::/32"):format(n)
        assert(nl.route:append { dst = name, nexthops = { hop(2), hop(3) }, proto = "static" })
        assert(nl.route:append { dst = name, nexthops = { hop(3), hop(4) }, metric = 2000 })
        assert(nl.route:append { dst = name, type = "blackhole", metric = 3000,
          family = family.number, proto = "static" })
      end
      local function count(filter)
        filter.family = family.number
        return #nl.route:list(filter)
      end
      assert.equal(80, nl.route:flush { proto = "static", family = family.number })
      assert.equal(0, count { proto = "static" })
      assert.equal(40, count { metric = 2000 })
      assert.equal(40, nl.route:flush { via = gw(4) })
      assert.equal(0, count { metric = 2000 })
      assert.equal(0, nl.route:flush { via = gw(4) })
      assert.equal(1, nl.route:flush { family = family.number, dst = gw(0) .. "/"
        .. (family.number == 4 and 24 or 64), table = "main" })
    end)

    it("del in a batch takes no route for another that it does not compare", function()
      assert(nl.route:add { dst = dst, via = gw(2), mtu = 1400 })
      for code, asked in pairs { [family.number == 4 and "ESRCH" or "EINVAL"] = { mtu = 1300 },
                                 ESRCH = { mtu = 1300, via = gw(3) } } do
        asked.dst = dst
        local result <const> = nl:batch { { "route del", asked } }[1]
        assert.equal(code, result.code)
        assert.matches("^route del " .. dst .. " ", result.message)
        assert.same({ "2" }, held())
      end
      assert.is_true(nl:batch { { "route del", nl.route:list { dst = dst }[1]:copy() } }[1])
      assert.same({}, held())
    end)

    it("del in a batch takes no route of several hops for one, nor one of another type", function()
      assert(nl.route:add { dst = dst, nexthops = { hop(2), hop(3) } })
      local number <const> = family.number
      local results <const> = nl:batch {
        { "route del", { dst = dst, type = "blackhole", family = number } },
        { "route del", { dst = dst, via = gw(9) } },
        number == 4 and { "route del", { dst = dst, via = gw(2) } }
          or { "route del", { dst = dst, via = gw(9), dev = "v1" } },
        number == 4 and { "route del", { dst = dst, dev = "v1" } }
          or { "route del", { dst = dst, dev = "lo" } },
      }
      for i, result in ipairs(results) do assert.equal("ESRCH", result.code, i) end
      assert.same({ "2+3" }, held())
      assert(nl.route:replace { dst = dst, via = gw(2), dev = "v1" })
      assert.same({ true }, nl:batch { { "route del", { dst = dst, via = gw(2) } } })
      assert(nl.route:add { dst = dst, type = "blackhole", family = number })
      assert.same({ true },
        nl:batch { { "route del", { dst = dst, type = "blackhole", family = number } } })
      assert.same({}, held())
    end)

    it("add_nexthop refuses a route that has no hops", function()
      assert(nl.route:add { dst = dst, type = "blackhole", family = family.number })
      local ok, message, code = nl.route:add_nexthop(dst, { via = gw(3) })
      assert.is_nil(ok)
      assert.equal("EINVAL", code)
      assert.matches("a blackhole route has no next hops", message)
    end)

    it("del with a metric leaves other metrics alone", function()
      assert(nl.route:add { dst = dst, via = gw(2), dev = "v1", metric = 700 })
      assert(nl.route:add { dst = dst, via = gw(2), dev = "v1", metric = 800 })
      assert(nl.route:del { dst = dst, via = gw(2), metric = 800 })
      local list <const> = nl.route:list { dst = dst }
      assert.equal(1, #list)
      assert.equal(700, list[1].metric)
    end)

    it("replace leaves one route, whatever was there", function()
      for n = 2, 4 do assert(nl.route:prepend { dst = dst, via = gw(n), dev = "v1" }) end
      assert(nl.route:replace { dst = dst, nexthops = { hop(3), hop(2) } })
      assert.same({ "3+2" }, held())
      assert(nl.route:replace { dst = dst, via = gw(4), dev = "v1" })
      assert.same({ "4" }, held())
    end)

    it("replace keeps a route that it cannot replace", function()
      assert(nl.route:prepend { dst = dst, nexthops = { hop(2), hop(3) } })
      assert(nl.route:append { dst = dst, dev = "p1" })
      local before <const> = tostring(nl.route:list { dst = dst })
      local far <const> = family.number == 4 and "172.31.9.9" or "fd99::9"
      assert.is_nil((nl.route:replace { dst = dst, via = far }))
      assert.equal(before, tostring(nl.route:list { dst = dst }))
    end)

    -- Whatever has the key before, and stands in whatever order.
    local others <const> = {
      ["a route by device alone"] = { dev = "p1" },
      ["one by the device of the hops"] = { dev = "v1" },
      ["one to nowhere"] = { type = "blackhole" },
      ["one by an object"] = { nhid = 7 },
      ["two by device alone"] = { dev = "p1", also = { dev = "v1" } },
    }
    for what, beside in pairs(others) do
      for _, first in ipairs { true, false } do
        for _, wanted in ipairs { "hops", "device", "object" } do
          it(("replace by %s leaves one route of a key that holds %s %s a gateway"):format(wanted,
            what, first and "before" or "behind"), function()
            assert(nl.nexthop:add { id = 7, via = gw(7), dev = "v1" })
            assert(nl.nexthop:add { id = 8, via = gw(8), dev = "v1" })
            local function put(route)
              local new <const> = { dst = dst, family = family.number }
              for key, value in pairs(route or {}) do new[key] = key ~= "also" and value or nil end
              assert(nl.route:append(new))
            end
            if first then put(beside) end
            put { nexthops = { hop(2) } }
            if not first then put(beside) end
            if beside.also then put(beside.also) end
            local never_without <const> = watch()
            local new <const> = { dst = dst, family = family.number, mtu = 1400,
              nexthops = wanted == "hops" and { hop(3), hop(4) } or nil,
              dev = wanted == "device" and "v1" or nil, nhid = wanted == "object" and 8 or nil }
            assert(nl.route:replace(new))
            never_without()
            local list <const> = nl.route:list { dst = dst }
            assert.equal(1, #list)
            assert.equal(1400, list[1].mtu)
            assert.equal(wanted == "object" and 8 or nil, list[1].nhid)
            assert(nl.route:del(new))
            assert.same({}, held())
          end)
        end
      end
    end

    it("add_nexthop and del_nexthop see what the objects of a route have", function()
      assert(nl.nexthop:add { id = 1, via = gw(2), dev = "v1" })
      assert(nl.nexthop:add { id = 2, via = gw(3), dev = "v1" })
      assert(nl.nexthop:add { id = 3, group = { 1, { id = 2, weight = 7 } } })
      local wide <const>, why <const> = nl.nexthop:add { id = 4, group = { 1, { id = 2, weight = 1000 } } }
      if not wide then assert.matches("Reserved fields in nexthop_grp must be 0", why) end -- before Linux 6.12
      for compat = 0, 1 do
        assert(nl.sysctl:set("net.ipv4.nexthop_compat_mode", compat))
        assert(nl.route:add { dst = dst, nhid = 3, family = family.number })
        assert(nl.route:add_nexthop(dst, hop(4)))
        assert.same({ "2+3*7+4" }, held())
        assert(nl.route:replace { dst = dst, nhid = 3, family = family.number })
        assert(nl.route:del_nexthop(dst, { via = gw(2) }))
        assert.same({ "3" }, held())
        if wide then
          assert(nl.route:replace { dst = dst, nhid = 4, family = family.number })
          local ok <const>, message <const>, code <const> = nl.route:add_nexthop(dst, hop(4))
          assert.is_nil(ok)
          assert.equal("EINVAL", code)
          assert.matches("weight 1000 is of an object", message)
        end
        assert(nl.route:del { dst = dst, nhid = wide and 4 or nil, family = family.number })
        assert.same({}, held())
      end
    end)

    it("deletes take no route by an object for what it is not", function()
      assert(nl.nexthop:add { id = 7, via = gw(7), dev = "v1" })
      assert(nl.route:append { dst = dst, nhid = 7, family = family.number })
      assert(nl.route:append { dst = dst, nexthops = { hop(2), hop(3) } })
      assert.is_nil((nl.route:del { dst = dst, via = gw(9), metric = family.metric }))
      assert.is_nil((nl.route:del { dst = dst, via = gw(9) }))
      assert.same({ "7", "2+3" }, held())
      assert(nl.route:del { dst = dst, via = gw(2) })
      assert.same({ "7", "3" }, held())
      assert(nl.route:del { dst = dst, via = gw(3) })
      assert.same({ "7" }, held())
      assert(nl.route:append { dst = dst, nexthops = { hop(2), hop(3) } })
      assert.equal(1, nl.route:flush { dst = dst, via = gw(3) })
      assert.same({ "7" }, held())
    end)

    it("a route by an object that leads nowhere can be flushed", function()
      assert(nl.nexthop:add { id = 7, blackhole = true, family = family.number })
      assert(nl.route:add { dst = dst, nhid = 7, family = family.number })
      assert.equal(1, nl.route:flush { dst = dst })
      assert.same({}, held())
    end)

    -- A route as places may hold it beside any others.
    local function random_route()
      local kind <const> = math.random(9)
      local route <const> = { dst = dst, family = family.number,
        metric = math.random(2) == 1 and 50 or nil, mtu = math.random(3) == 1 and 1400 or nil,
        proto = math.random(3) == 1 and "static" or nil }
      if kind == 1 then
        route.type = math.random(2) == 1 and "blackhole" or "unreachable"
      elseif kind == 2 then
        route.dev = math.random(2) == 1 and "p1" or "v1"
      elseif kind == 3 then
        route.nhid = math.random(7, 9)
      else
        local n <const> = math.random(2, 4)
        route.nexthops = { hop(n), kind > 6 and hop(n + 1) or nil }
      end
      return route
    end

    local function counted(list)
      local counts <const> = {}
      for _, route in ipairs(list) do
        local text <const> = tostring(route)
        counts[text] = (counts[text] or 0) + 1
      end
      return counts
    end

    it("del of what was listed takes that and leaves the rest, whatever is there", function()
      math.randomseed(7)
      assert(nl.nexthop:add { id = 7, via = gw(7), dev = "v1" })
      assert(nl.nexthop:add { id = 8, via = gw(8), dev = "v1" })
      assert(nl.nexthop:add { id = 9, group = { 7, 8 } })
      local refused = 0
      for round = 1, 250 do
        if round % 12 == 0 then nl.route:flush { dst = dst } end
        for _ = 1, 2 do
          local verb <const> = math.random(2) == 1 and "append" or "prepend"
          nl.route[verb](nl.route, random_route())
        end
        local list <const> = nl.route:list { dst = dst }
        local asked <const> = list[math.random(#list)]
        local ok <const>, message <const>, code <const> = nl.route:del(asked)
        -- IPv6: one behind several that the kernel would take for it
        assert(ok or family.number == 6 and code == "EBUSY", message)
        local expected <const>, left = counted(list), counted(nl.route:list { dst = dst })
        expected[tostring(asked)] = expected[tostring(asked)] - (ok and 1 or 0)
        -- dumps of IPv6 hide what stands between two hops: it may show now
        for text, count in pairs(family.number == 4 and left or {}) do
          assert.equal(expected[text], count)
        end
        for text, count in pairs(expected) do assert.equal(count, left[text] or 0, text) end
        refused = refused + (ok and 0 or 1)
      end
      assert.is_true(refused <= 10, refused)
    end)

    it("add_nexthop keeps what a route has beside its hops", function()
      local route <const> = { dst = dst, via = gw(2), dev = "v1", proto = "static", mtu = 1400,
        metric = 77, src = gw(1), table = 50 }
      if family.number == 4 then route.realm = 4 else route.pref, route.expires = "high", 300 end
      assert(nl.route:add(route))
      assert(nl.route:add_nexthop({ dst = dst, table = 50 }, hop(3)))
      local new <const> = nl.route:list { dst = dst, table = 50 }[1]
      for _, key in ipairs { "proto", "mtu", "metric", "src", "pref" } do
        assert.equal(route[key], new[key])
      end
      assert.equal(family.number == 4 and 4 or nil, new.nexthops[1].realm)
      assert.equal(2, #new.nexthops)
      assert(nl.route:del_nexthop({ dst = dst, table = 50 }, hop(3)))
      assert.equal(route.realm, nl.route:list { dst = dst, table = 50 }[1].realm)
    end)

    it("add_nexthop to a route by device alone joins it or says why not", function()
      assert(nl.route:add { dst = dst, dev = "v1", family = family.number })
      local ok, message, code = nl.route:add_nexthop(dst, hop(3))
      if family.number == 4 then
        assert.is_true(ok)
        assert.equal(2, #nl.route:list { dst = dst }[1].nexthops)
      else
        assert.equal("EINVAL", code)
        assert.equal("route add_nexthop " .. dst .. " via " .. gw(3) .. " dev v1: an IPv6 route by "
          .. "device alone shares its place with no other hop (EINVAL)", message)
        assert.equal(1, #nl.route:list { dst = dst })
        assert(nl.route:append { dst = dst, via = gw(2), dev = "v1" })
        assert(nl.route:add_nexthop(dst, hop(3))) -- there is one to join
        assert.equal(2, #nl.route:list { dst = dst }[2].nexthops)
      end
    end)

    it("refusals say what was asked", function()
      for asked, text in pairs {
        [{ via = gw(9), dev = "v1", metric = 5 }] = " via " .. gw(9) .. " dev v1 metric 5",
        [{ nhid = 7, family = family.number }] = " nhid 7",
        [{ nexthops = { hop(2), hop(3, 5) }, table = 7 }] = (" table 7 nexthop via %s dev v1 "
          .. "nexthop via %s dev v1 weight 5"):format(gw(2), gw(3)),
      } do
        asked.dst = dst
        local _, message <const> = nl.route:del(asked)
        assert.matches(("route del %s%s: "):format(dst, text), message, 1, true)
      end
      local _, message <const> = nl.route:del_nexthop({ dst = dst, table = 7 }, hop(3, 5))
      assert.equal(("route del_nexthop %s table 7 nexthop via %s dev v1 weight 5: No such route "
        .. "(ESRCH)"):format(dst, gw(3)), message)
    end)

    it("names the hop for which a multipath route is refused", function()
      local far <const> = family.number == 4 and "172.31.9.9" or "fd99::9"
      local ok, message = nl.route:add { dst = dst, nexthops = { hop(2), { via = far } } }
      assert.is_nil(ok)
      assert.matches(("nexthops%%[2%%] via %s is not reachable %%(E%%u+%%)$")
        :format(far:gsub("%.", "%%.")), message)
      assert.same({}, held())
    end)

    it("names the hop that is there twice, and the one without a gateway", function()
      if family.number == 6 then -- IPv4 takes both
        local ok, message = nl.route:add { dst = dst, nexthops = { hop(2), hop(3), hop(2) } }
        assert.is_nil(ok)
        assert.matches("nexthops%[3%] .* is nexthops%[1%] again %(EEXIST%)$", message)
        ok, message = nl.route:add { dst = dst, nexthops = { hop(2), { dev = "p1" } } }
        assert.is_nil(ok)
        assert.matches("nexthops%[2%] dev p1 has no gateway %(EINVAL%)$", message)
      end
      assert.same({}, held())
    end)

    it("a route with hops in two ways, or hops that lead nowhere, is a wrong call", function()
      local function refuses(expected, route)
        route.dst = dst
        assert.error_matches(function() nl.route:add(route) end, expected)
      end
      refuses("via: a route has either this or nexthops", { via = gw(2), nexthops = { hop(2) } })
      refuses("dev: a route has either this or nexthops", { dev = "v1", nexthops = { hop(2) } })
      refuses("via: a route of type blackhole has no next hops", { type = "blackhole",
        via = gw(2) })
      refuses("nexthops: a route of type throw has no next hops", { type = "throw",
        nexthops = { hop(2), hop(3) } })
      assert.same({}, held())
    end)

    it("by an object is given back as a copy", function()
      assert(nl.nexthop:add { id = 1, via = gw(2), dev = "v1" })
      assert(nl.nexthop:add { id = 2, via = gw(3), dev = "v1" })
      assert(nl.nexthop:add { id = 3, group = { 1, { id = 2, weight = 3 } } })
      for id = 1, 3, 2 do
        assert(nl.route:add { dst = dst, nhid = id, family = family.number })
        local view <const> = nl.route:list { dst = dst }[1]
        local copy <const> = view:copy()
        assert(nl.route:del(view))
        assert(nl.route:add(copy))
        assert.equal(view, nl.route:list { dst = dst }[1])
        assert(nl.route:del(copy))
        assert.same({}, held())
      end
    end)

    it("spread follows the weights, and lists a hop that no flow takes", function()
      assert(nl.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1))
      assert(nl.sysctl:set("net.ipv6.fib_multipath_hash_policy", 1))
      assert(nl.route:add { dst = dst, nexthops = { hop(2, 3), hop(3) } })
      local target <const> = family.number == 4 and "10.60.1.1" or "fd60::1"
      local hops <const> = assert(nl.route:spread { dst = target, flows = 200 })
      assert.equal(2, #hops)
      assert.equal(200, hops[1].flows + hops[2].flows)
      assert.is_true(hops[1].share > 0.6 and hops[1].share < 0.9, hops[1].share)
      assert.matches("weight %d = %d+%.%d%% +%d+ +%d+%.%d%% +█", tostring(hops))
      local one <const> = assert(nl.route:spread { dst = target, flows = 20, sport = 7 })
      assert.equal(20, math.max(one[1].flows, one[2].flows))
    end)
  end)
end
