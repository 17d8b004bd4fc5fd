--- What the verbs of `nl.route` are called for. Each case: a title; the lines of `ip -batch` that make
--- what is there before; what is called; and at most how many requests that takes, where it is promised.
--
-- The links are v1 and v2 of spec/scratch.lua. `%d`, `%g1`, ... of a line and of words stand for addresses
-- of a family: every case runs in both.
local cases <const> = {}

local WORDS <const> = {
  [4] = { D = "10.9.0.0/16", D2 = "10.8.0.0/16", A = "10.9.0.7", G = "10.0.1.", H = "10.0.2.",
    N = "203.0.113.1" },
  [6] = { D = "fd09::/32", D2 = "fd08::/32", A = "fd09::7", G = "fd00:0:0:1::",
    H = "fd00:0:0:2::", N = "fd99::1" },
}

-- Puts the addresses of a family in the place of their names, in words and in tables of any depth.
local function named(value, family)
  if type(value) == "string" then
    return (value:gsub("%%(%u%d?)", function(name)
      local words <const> = WORDS[family]
      return words[name] or words[name:sub(1, 1)] .. name:sub(2)
    end))
  elseif type(value) ~= "table" then
    return value
  end
  local copy <const> = {}
  for key, field in pairs(value) do copy[key] = named(field, family) end
  return copy
end

local function case(title, before, run, requests, only)
  for _, family in ipairs(only and { only } or { 4, 6 }) do
    cases[#cases + 1] = { ("IPv%d %s"):format(family, title), named(before, family), function(nl, say)
      return run(nl, function(value) return named(value, family) end, say, family)
    end, requests = requests }
  end
end

-- A case that is one call of a verb.
local function verb(name, title, before, value, more, requests, only)
  case(name .. ": " .. title, before, function(nl, of)
    return nl.route[name](nl.route, of(value), of(more))
  end, requests, only)
end

local ONE <const> = "route add %D via %G2"
local TWO <const> = "route add %D nexthop via %G2 nexthop via %H2"
local THREE <const> = "route add %D nexthop via %G2 nexthop via %H2 weight 3 nexthop via %G3"
local BESIDE <const> = "route add %D via %G2 metric 50\nroute add %D via %G3 metric 60"
-- several entries of one key: in IPv6 only what shares no gateways stays apart
local SEVERAL <const> = { [4] = "route append %D via %G2\nroute append %D via %G3\nroute append %D via %H2",
  [6] = "route append %D dev v1\nroute append %D dev v2\nroute append %D via %G3" }
local OBJECTS <const> = "nexthop add id 11 via %G2 dev v1\nnexthop add id 12 via %H2 dev v2\n"
  .. "nexthop add id 13 group 11/12,3\n"

-- add ---------------------------------------------------------------------------------------------

verb("add", "a gateway", "", { dst = "%D", via = "%G2" }, nil, 1)
verb("add", "words", "", "%D via %G2 metric 5 proto static", nil, 1)
verb("add", "a device", "", { dst = "%D", dev = "v1" })
verb("add", "a gateway on a device", "", { dst = "%D", via = "%G2", dev = "v1" })
verb("add", "two gateways", "", { dst = "%D", nexthops = { { via = "%G2", weight = 2 }, { via = "%H2" } } },
  nil, 1)
verb("add", "two gateways on devices", "", { dst = "%D", nexthops = { { via = "%G2", dev = "v1" },
  { via = "%H2", dev = "v2", weight = 256 } } })
verb("add", "on-link", "", { dst = "%D", via = "%N", dev = "v1", onlink = true })
verb("add", "a blackhole", "", { dst = "%D", type = "blackhole" }, nil, 1)
verb("add", "everything else", "", { dst = "%D", via = "%G2", table = 100, metric = 7, proto = "static",
  mtu = 1400, advmss = 1300, lock = { "mtu" }, initcwnd = 9 }, nil, 1)
verb("add", "a large table", "", { dst = "%D", via = "%G2", table = 70000 }, nil, 1)
verb("add", "an object", OBJECTS, { dst = "%D", nhid = 13 }, nil, 1)
verb("add", "a default", "", "default via %G2", nil, 1)
verb("add", "a source", "", { dst = "%D", via = "%G2", src = "%G1" }, nil, 1)
verb("add", "a source prefix", "", { dst = "%D", from = "fd07::/32", via = "%G2" }, nil, 1, 6)
verb("add", "a preference", "", { dst = "%D", via = "%G2", pref = "high" }, nil, 1, 6)
verb("add", "a tos", "", { dst = "%D", tos = 16, via = "%G2" }, nil, 1, 4)
verb("add", "an IPv6 gateway", "", { dst = "%D", via = "inet6 fe80::9", dev = "v1" }, nil, nil, 4)
verb("add", "what is there", ONE, { dst = "%D", via = "%G3" })
verb("add", "a gateway that is not reachable", "", { dst = "%D", nexthops = { { via = "%G2" }, { via = "%N" } } })
verb("add", "a device that is not there", "", { dst = "%D", dev = "v9" })
case("add: a route that was listed", ONE, function(nl, of)
  local view <const> = nl.route:list { dst = of "%D" }[1]
  assert(nl.route:del(view))
  return nl.route:add(view)
end)

-- replace, append, prepend, change -----------------------------------------------------------

verb("replace", "what is not there", "", { dst = "%D", via = "%G2" }, nil, 1)
verb("replace", "one", ONE, { dst = "%D", via = "%G3", mtu = 1400 })
verb("replace", "several hops", THREE, { dst = "%D", nexthops = { { via = "%H2" }, { via = "%G4" } } })
verb("replace", "one beside others", BESIDE, { dst = "%D", via = "%H2", metric = 50 })
for family = 4, 6, 2 do
  local before <const> = SEVERAL[family]
  verb("replace", "several of a key", before, { dst = "%D", via = "%H3" }, nil, nil, family)
end
for _, name in ipairs { "append", "prepend", "change" } do
  verb(name, "to nothing", "", { dst = "%D", via = "%G2" }, nil, 1)
  verb(name, "to a gateway", ONE, { dst = "%D", via = "%G3" }, nil, 1)
end
verb("append", "two hops", TWO, { dst = "%D", nexthops = { { via = "%G5" }, { via = "%H5" } } }, nil, 1)
verb("change", "of several hops", THREE, { dst = "%D", via = "%H9" }, nil, 1)

-- add_nexthop, del_nexthop ------------------------------------------------------------------------

verb("add_nexthop", "to one", ONE, "%D", { via = "%H2", weight = 5 }, 4)
verb("add_nexthop", "words", ONE, "%D", "via %H2 dev v2 weight 5", 4)
verb("add_nexthop", "to several", THREE, "%D", { via = "%H9" }, 4)
verb("add_nexthop", "to a default", "route add default via %G2", "default", { via = "%H2" }, 4)
verb("add_nexthop", "by metric", BESIDE, { dst = "%D", metric = 60 }, { via = "%H2" }, 4)
verb("add_nexthop", "in a table", "route add %D via %G2 table 100", { dst = "%D", table = 100 },
  { via = "%H2" }, 4)
verb("add_nexthop", "of metrics", "route add %D via %G2 mtu 1400 proto static", "%D", { via = "%H2" }, 4)
verb("add_nexthop", "to an object", OBJECTS .. "route add %D nhid 13", "%D", { via = "%G5" }, 8)
verb("add_nexthop", "that is there", TWO, "%D", { via = "%H2" }, 4)
verb("add_nexthop", "to nothing", "", "%D", { via = "%H2" }, 4)
verb("add_nexthop", "that is not reachable", ONE, "%D", { via = "%N" }, 8)
verb("add_nexthop", "to a blackhole", "route add blackhole %D", "%D", { via = "%H2" }, 4)
verb("add_nexthop", "to a device", "route add %D dev v1", "%D", { via = "%H2" }, 4)
for family = 4, 6, 2 do
  local before <const> = SEVERAL[family]
  verb("add_nexthop", "to several of a key", before, "%D", { via = "%H9" }, nil, family)
end
verb("del_nexthop", "of two", TWO, "%D", { via = "%G2" })
verb("del_nexthop", "of three", THREE, "%D", { via = "%H2", dev = "v2" })
verb("del_nexthop", "the last", ONE, "%D", { via = "%G2" })
verb("del_nexthop", "by metric", BESIDE, { dst = "%D", metric = 60 }, { via = "%G3" })
verb("del_nexthop", "in a table", "route add %D table 100 nexthop via %G2 nexthop via %H2",
  { dst = "%D", table = 100 }, { via = "%H2" })
verb("del_nexthop", "of an object", OBJECTS .. "route add %D nhid 13", "%D", { via = "%G2" })
verb("del_nexthop", "that is not there", TWO, "%D", { via = "%G9" })
for family = 4, 6, 2 do
  local before <const> = SEVERAL[family]
  verb("del_nexthop", "of several of a key", before, "%D", { via = "%G3" }, nil, nil, family)
end

-- del ---------------------------------------------------------------------------------------------

verb("del", "a destination", ONE, { dst = "%D" }, nil, 1)
verb("del", "words", ONE, "%D", nil, 1)
verb("del", "a gateway", ONE, { dst = "%D", via = "%G2" }, nil, 4)
verb("del", "a hop of several", THREE, { dst = "%D", via = "%H2" })
verb("del", "all hops, in another order", THREE, { dst = "%D", nexthops = { { via = "%H2" }, { via = "%G3" },
  { via = "%G2" } } })
verb("del", "by metric", BESIDE, { dst = "%D", metric = 60 }, nil, 1)
verb("del", "by protocol", BESIDE, { dst = "%D", proto = "boot" })
verb("del", "by what the kernel does not compare", "route add %D via %G2 mtu 1400", { dst = "%D", mtu = 1400 })
verb("del", "what is not there", ONE, { dst = "%D2" })
verb("del", "another gateway", ONE, { dst = "%D", via = "%H2" })
case("del: a default", "route add default via %G2", function(nl, of, _, family)
  return nl.route:del { dst = "default", family = family, via = of "%G2" }
end)
verb("del", "an object's", OBJECTS .. "route add %D nhid 13", { dst = "%D", nhid = 13 })
verb("del", "in a table", "route add %D via %G2 table 100", { dst = "%D", table = 100 }, nil, 1)
for family = 4, 6, 2 do
  local before <const> = SEVERAL[family]
  verb("del", "one of several of a key", before, { dst = "%D", via = "%G3" }, nil, nil, family)
  case("del: each of several of a key that were listed, the last first", before, function(nl, of)
    local list <const> = nl.route:list { dst = of "%D" }
    for i = #list, 1, -1 do assert(nl.route:del(list[i])) end
    return true
  end, nil, family)
end
case("del: a route of several hops that was listed", THREE, function(nl, of)
  return nl.route:del(nl.route:list { dst = of "%D" }[1])
end)

-- get, list, each, flush, spread --------------------------------------------------------------------

verb("get", "an address", ONE, { dst = "%A" }, nil, 1)
verb("get", "the whole route", TWO, { dst = "%A", fibmatch = true }, nil, 1)
verb("get", "a flow", TWO, { dst = "%A", src = "%G1", proto = "udp", sport = 1000, dport = 53, mark = 7 }, nil, 1)
verb("get", "what is not reachable", "", { dst = "%N" }, nil, 1)

for _, filter in ipairs {
  { "all of the main table", {} }, { "of a destination", { dst = "%D" } }, { "of all tables", { table = "all" } },
  { "of a table", { table = 100 } }, { "of a device", { dev = "v1" } }, { "of a gateway", { via = "%G2" } },
  { "of a protocol", { proto = "static" } }, { "of a type", { type = "blackhole" } },
} do
  case("list: " .. filter[1], BESIDE, function(nl, of)
    local list <const>, _, code = nl.route:list(of(filter[2]))
    return list and true, nil, code
  end)
end
case("list: of a family", BESIDE, function(nl, _, _, family)
  local list <const>, _, code = nl.route:list { family = family }
  return list and true, nil, code
end)
case("each: of a destination", BESIDE, function(nl, of, say)
  for view in nl.route:each { dst = of "%D" } do say(tostring(view)) end
  return true
end)
verb("flush", "of a destination", BESIDE, { dst = "%D" })
verb("flush", "of a protocol", BESIDE .. "\nroute add %D2 via %G2 proto static", { proto = "static" })
verb("flush", "of a table", "route add %D via %G2 table 100\nroute add %D2 via %G2 table 100", { table = 100 })
verb("flush", "of what is not there", ONE, { table = 100 })
for family = 4, 6, 2 do
  local before <const> = SEVERAL[family]
  verb("flush", "some of several of a key", before, { dst = "%D", via = "%G3" }, nil, nil, family)
end
case("spread: over two", TWO, function(nl, of)
  local hops <const>, _, code = nl.route:spread { dst = of "%A", flows = 2, proto = "udp", dport = 53 }
  return hops and true, nil, code
end)

-- batch -------------------------------------------------------------------------------------------

local BATCH <const> = {
  { "route add", { dst = "%D2", via = "%G2" } }, { "route replace", { dst = "%D", via = "%H2" } },
  { "route append", { dst = "%D2", via = "%G3" } }, { "route del", { dst = "%D", metric = 60 } },
  { "route add", { dst = "%N", nexthops = { { via = "%G2" }, { via = "%H2", weight = 2 } } } },
}

local function tell(results, say)
  for i, result in ipairs(results) do
    say(("[%d] %s"):format(i, result == true and "true" or result.code))
  end
  return true
end

for _, order in ipairs { "keep", "free", "apart" } do
  case("batch: in order " .. order, BESIDE, function(nl, of, say)
    return tell(nl:batch(of(BATCH), { order = order }), say)
  end)
end

local function many(name, family)
  local list <const> = {}
  for i = 1, 24 do
    list[i] = { name, { dst = (family == 6 and "fd0a:%x::/32" or "10.77.%d.0/24"):format(i),
      nexthops = { { via = "%G" .. 2 + i % 2, dev = "v1" },
        { via = "%H" .. 2 + i % 2, dev = "v2", weight = 2 } } } }
  end
  return list
end

case("batch: shared", "", function(nl, of, say, family)
  tell(nl:batch(of(many("route add", family)), { share = true }), say)
  return tell(nl:batch(of(many("route replace", family)), { share = true, order = "free" }), say)
end)

return cases
