--- Random lists of entries of one key, in the kernel: a plan and the verb that does the same leave the
--- same behind, the prefix answers after each request, and what is taken back is as it was.
--
-- With ROUNDS=10 these are 2,000 pairs of lists.
local ecmp = require "ecmp"
local entries = require "ecmp.fib.entries"
local random_route = require "spec.random_route"
local route_of = require "ecmp.fib.route"
local scratch = require "spec.scratch"
local transition = require "ecmp.fib.transition"

local COUNT <const> = 100 * require("spec.helper").rounds
local SEED <const> = tonumber(os.getenv "ECMP_SEED") or os.time()

local DST <const> = { [4] = "10.60.0.0/16", [6] = "fd60::/32" }
local ADDRESS <const> = { [4] = "10.60.0.1", [6] = "fd60::1" }
local GATEWAY <const> = { [4] = "10.0.%d.%d", [6] = "fd00:0:0:%d::%d" }
local OBJECTS <const> = { [4] = { 41, 42 }, [6] = { 61, 62 } }
local ANSWERS <const> = { EINVAL = true, EHOSTUNREACH = true, EACCES = true } -- of routes to nowhere

-- Routes -------------------------------------------------------------------------------------------

-- The weight of an only hop is shown by no dump.
local function random_hop(source, family, alone)
  local link <const> = source:number(1, 2)
  return {
    via = GATEWAY[family]:format(link, source:number(2, 5)), dev = "v" .. link,
    weight = not alone and source:number(1, 2) == 1 and source:number(1, 4) or nil,
    encap = source:number(1, 12) == 1
      and { type = "seg6", mode = "encap", segs = { "fc00::" .. source:number(1, 2) } } or nil,
  }
end

local SHAPES <const> = {
  function(source, family) return { nexthops = { random_hop(source, family, true) } } end,
  function(source, family)
    local hops <const> = {}
    for i = 1, source:number(2, 4) do hops[i] = random_hop(source, family) end
    return { nexthops = hops }
  end,
  function(source) return { dev = source:pick { "v1", "v2" } } end,
  function(source) return { type = source:pick { "blackhole", "unreachable", "prohibit" } } end,
  function(source, family) return { nhid = source:pick(OBJECTS[family]) } end,
}

-- A route that somebody may want; gateways above all.
local function random_one(source, family)
  while true do
    local made <const> = SHAPES[source:pick { 1, 1, 1, 2, 2, 2, 3, 4, 5 }](source, family)
    made.dst, made.family = DST[family], family
    made.proto = source:pick { "boot", "boot", "boot", "static", "bgp" }
    -- An IPv4 route by an object takes the metrics of an earlier one by the same object.
    local may_have <const> = not (family == 4 and made.nhid)
    made.mtu = may_have and source:number(1, 5) == 1 and 1400 or nil
    local route <const> = route_of.canonical(made)
    if route then return route end
  end
end

local function random_list(source, family, most)
  local list <const> = {}
  for i = 1, source:number(0, most) do list[i] = random_one(source, family) end
  return list
end

-- The kernel ---------------------------------------------------------------------------------------

-- The entries as lines, in order; the order of IPv6 hops is the kernel's own business.
local function lines_of(list)
  local lines <const> = {}
  for i, view in ipairs(list) do
    local line = view:text { line = true, details = true, table = true }
    if view.family == 6 then
      local hops <const> = {}
      for hop in line:gsub("nexthop", "\n"):gmatch "[^\n\\]+" do hops[#hops + 1] = hop:gsub("%s+$", "") end
      local head <const> = table.remove(hops, 1)
      table.sort(hops)
      line = table.concat({ head, table.unpack(hops) }, " nexthop")
    end
    lines[i] = line:gsub("%s+", " ")
  end
  return table.concat(lines, "\n")
end

describe("lists of entries drawn at random #netns", function()
  local space, nl, socket
  local gap -- called after each request that changes something

  local function answers(family)
    local found <const>, _, code = socket:request("flow", "get", { dst = ADDRESS[family] })
    return found ~= nil or ANSWERS[code] == true
  end

  -- Lets one request travel at a time, and asks after each.
  local function asking()
    return setmetatable({
      request = function(_, kind, verb, ...)
        local results <const> = table.pack(socket:request(kind, verb, ...))
        if kind == "route" and gap then gap(verb) end
        return table.unpack(results, 1, results.n)
      end,
      batch = function(_, changes)
        local results <const> = {}
        for i = 1, #changes do
          results[i] = socket:batch({ changes[i] })[1]
          if gap then gap(changes[i][1]) end
        end
        return results
      end,
    }, { __index = function(_, name)
      return function(_, ...) return socket[name](socket, ...) end
    end })
  end

  setup(function()
    space = scratch.new(2)
    nl, socket = space.nl, space.nl.socket
    for family, ids in pairs(OBJECTS) do
      for i, id in ipairs(ids) do
        assert(nl.nexthop:add { id = id, via = GATEWAY[family]:format(i, 9), dev = "v" .. i })
      end
    end
    nl.socket = asking()
  end)

  teardown(function()
    nl.socket = socket
    space:close()
  end)

  local function held(family)
    return assert(nl.route:list { dst = DST[family], family = family })
  end

  -- Gateways that IPv6 joins, one behind the other: no dump lists what stands between them.
  local function in_a_row(list, family)
    local ordered <const>, first = {}, nil
    for _, route in ipairs(list) do
      local joins <const> = entries.class[family].joins(route)
      if joins and first then
        table.insert(ordered, first + 1, route)
      else
        ordered[#ordered + 1] = route
        first = first or joins and #ordered
      end
    end
    return ordered
  end

  -- Makes the key hold these, as far as the kernel takes them.
  local function hold(list, family)
    repeat
      local gone <const> = socket:batch({ { "route del", { dst = DST[family], family = family } } })[1]
    until gone ~= true
    for _, route in ipairs(in_a_row(list, family)) do
      socket:batch { { "route append", route_of.request(route) } }
    end
    return held(family)
  end

  -- Whether the model knows no way from one list to another that keeps a route there.
  local function is_gap_known(have, want, how)
    local steps <const> = transition.between(have, want, how) or {}
    for i, step in ipairs(steps) do
      if i < #steps and not step.after[1] then return true end
    end
    return false
  end

  local function routes_of(list)
    local routes <const> = {}
    for i, view in ipairs(list) do routes[i] = assert(route_of.held(view)) end
    return routes
  end

  local known_gaps

  -- Calls a function after each of whose requests the prefix is to answer, if it does before and after.
  local function without_gap(what, family, have, want, how, call)
    local needed <const> = have[1] and want[1]
    local may_gap <const> = needed and is_gap_known(have, want, how)
    if may_gap then known_gaps = known_gaps + 1 end
    local where
    function gap(verb)
      if needed and not may_gap and not where and not answers(family) then where = verb end
    end
    local results <const> = table.pack(xpcall(call, debug.traceback))
    gap = nil
    assert(results[1], what .. tostring(results[2]))
    assert.is_nil(where, ("%s: no answer after %s"):format(what, tostring(where)))
    return table.unpack(results, 2, results.n)
  end

  -- A plan, its undo, and the same without.
  local function try_plan(what, family, wanted, how)
    local before <const>, current <const> = held(family), routes_of(held(family))
    local plan <const>, message <const>, code <const> = ecmp.plan(before, wanted, how)
    if not plan then
      assert.matches("^E%u+$", code, what .. ": " .. message)
      return false
    end
    what = what .. "\n" .. tostring(plan)
    local want <const> = {}
    for i, route in ipairs(wanted) do want[i] = assert(route_of.canonical(route)) end
    local tx = without_gap(what .. ", plan", family, current, want, how, function()
      local tx, why = plan:begin(nl)
      assert(tx, what .. ": " .. tostring(why))
      return tx
    end)
    local again <const> = assert(ecmp.plan(held(family), wanted, how))
    assert.equal("nothing to change", tostring(again), what)
    local now <const> = routes_of(held(family))
    without_gap(what .. ", undo", family, now, current, transition.EXACTLY, function()
      local back, why = tx:rollback()
      assert(back, what .. ", undo: " .. tostring(why))
    end)
    assert.equal(lines_of(before), lines_of(held(family)), what .. ", undone")
    assert(plan:apply(nl))
    return true
  end

  local VERBS <const> = { "replace", "replace", "del", "add_nexthop", "add_nexthop", "del_nexthop",
    "set_nexthop" }

  -- The hop of one of the entries, or of another route.
  local function some_hop(source, list, family)
    local hop = random_hop(source, family)
    local entry <const> = list[1] and source:number(1, 4) > 1 and source:pick(list)
    if entry and entry.nexthops[1] then hop = source:pick(entry.nexthops) end
    return { via = hop.via, dev = hop.dev, encap = hop.encap }
  end

  local function call_verb(source, verb, views, routes, family)
    local key <const> = { dst = DST[family], family = family }
    if verb == "replace" then
      return nl.route:replace(route_of.request(random_one(source, family)))
    elseif verb == "del" then
      return nl.route:del(views[1] and source:pick(views) or key)
    elseif verb == "add_nexthop" then
      return nl.route:add_nexthop(key, random_hop(source, family))
    end
    local hop <const> = some_hop(source, routes, family)
    if verb == "set_nexthop" then hop.weight = source:number(1, 4) end
    return nl.route[verb](nl.route, key, hop)
  end

  -- The same draw twice: what a verb leaves, asked for as a plan, is left by the plan.
  local function try_verb(what, family, have, seed)
    local views <const> = hold(have, family)
    local before <const>, routes <const> = lines_of(views), routes_of(views)
    local source <const> = random_route.source(seed)
    local verb <const> = source:pick(VERBS)
    what = ("%s, %s of\n%s"):format(what, verb, before)
    local met <const> = {}
    function gap(name) met[#met + 1] = { name, answers(family) } end
    local ok, message, code = call_verb(source, verb, views, routes, family)
    gap = nil
    local after <const> = held(family)
    if not ok then
      assert.matches("^E%u+$", code, what .. ": " .. tostring(message))
      assert.equal(before, lines_of(after), what .. ", refused: " .. message)
      return
    end
    local may_gap <const> = is_gap_known(routes, routes_of(after), transition.EXACTLY)
    for _, one in ipairs(views[1] and after[1] and not may_gap and met or {}) do
      assert.is_true(one[2], what .. ", no answer after " .. one[1])
    end
    hold(have, family)
    assert.is_true(try_plan(what, family, after, transition.EXACTLY))
    assert.equal(lines_of(after), lines_of(held(family)), what .. ", as a plan")
  end

  for _, family in ipairs { 4, 6 } do
    it(("of IPv%d: plans keep an answer, do what verbs do, and are taken back"):format(family),
      function()
        known_gaps = 0
        local done = 0
        for round = 1, COUNT do
          local seed <const> = SEED + round
          local source <const> = random_route.source(seed)
          local what <const> = ("IPv%d, ECMP_SEED=%d"):format(family, seed - 1)
          local have <const>, wanted <const> = random_list(source, family, 3),
            random_list(source, family, 3)
          local views <const> = hold(have, family)
          if try_plan(("%s\n%s"):format(what, lines_of(views)), family, wanted) then
            done = done + 1
          end
          try_verb(what, family, have, seed)
        end
        assert.is_true(done > COUNT // 2, "few pairs can be: " .. done)
        assert.is_true(known_gaps <= COUNT // 100, "ways without a route: " .. known_gaps)
        assert.equal(entries.class[family].family, family)
      end)
  end
end)
