--- Plans, and what is sent when they are carried out and taken back; see route.lua.
local ecmp = require "ecmp"

local cases <const> = {}

local WORDS <const> = {
  [4] = { D = "10.9.0.0/16", E = "10.8.0.0/16", G = "10.0.1.", H = "10.0.2.", B = "10.50.0.0/16", N = "10.50.0.",
    C = "10.60.0.0/16", Z = "10.40.0.0/16", Y = "10.40.0.", W = "203.0.113.1" },
  [6] = { D = "fd09::/32", E = "fd08::/32", G = "fd00:0:0:1::", H = "fd00:0:0:2::", B = "fd50::/64", N = "fd50::",
    C = "fd60::/64", Z = "fd40::/64", Y = "fd40::", W = "fd99::1" },
}

local function named(text, family)
  return (text:gsub("%%(%u)", WORDS[family]))
end

local function lines_of(text)
  local list <const> = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line:match "^%s*(.-)%s*$" end
  return list
end

-- The routes that are there, as words of `ip route`, and those that are to be.
local function case(title, before, wanted, only, needs)
  for _, family in ipairs(only and { only } or { 4, 6 }) do
    local setup <const> = {}
    for i, line in ipairs(lines_of(named(before, family))) do
      setup[i] = line:find "^nexthop" and line or "route append " .. line
    end
    local function plan(nl, say)
      local changes, message <const> = ecmp.plan(nl.route:list { proto = "boot", table = "all" },
        lines_of(named(wanted, family)))
      say(tostring(changes or message))
      return changes
    end
    cases[#cases + 1] = { ("IPv%d %s"):format(family, title), table.concat(setup, "\n"), function(nl, say)
      local changes <const> = plan(nl, say)
      if not changes then return nil, nil, "no plan" end
      say "carried out"
      local tx <const>, message <const>, code <const> = changes:begin(nl)
      if not tx then return nil, message, code end
      say "taken back"
      return tx:close()
    end, needs = needs }
  end
end

local TWO <const> = "%D nexthop via %G2 nexthop via %H2"
local THREE <const> = "%D nexthop via %G2 nexthop via %H2 nexthop via %G3"

case("nothing to change", TWO, TWO)
case("a new route", "", "%D via %G2")
case("a new route of two hops", "", TWO)
case("a route less", "%D via %G2\n%E via %G2", "%E via %G2")
case("a route of two hops less", TWO, "")
case("another gateway", "%D via %G2", "%D via %H2")
case("a hop more", "%D via %G2", TWO)
case("a hop more beside two", TWO, THREE)
case("a hop less", TWO, "%D via %G2")
case("a hop less of three", THREE, TWO)
case("another hop", TWO, "%D nexthop via %G2 nexthop via %H7")
case("all other hops", TWO, "%D nexthop via %G7 nexthop via %H7")
case("the hops in another order", TWO, "%D nexthop via %H2 nexthop via %G2")
case("another weight", TWO, "%D nexthop via %G2 weight 5 nexthop via %H2")
case("another metric", "%D via %G2 metric 50", "%D via %G2 metric 60")
case("a metric more", "%D via %G2 metric 50", "%D via %G2 metric 50\n%D via %H2 metric 60")
case("an mtu", TWO, (TWO:gsub("^%%D", "%%D mtu 1400")))
case("another mtu of one hop", "%D via %G2 mtu 1300", "%D via %G2 mtu 1400")
case("a blackhole in place of a gateway", "%D via %G2", "blackhole %D")
case("a gateway in place of a blackhole", "blackhole %D", "%D via %G2")
case("a device in place of a gateway", "%D via %G2", "%D dev v1")
case("a gateway in place of a device", "%D dev v1", "%D via %G2")
case("on-link", "", "%D via %W dev v1 onlink")
case("in another table", "%D via %G2 table 100", "%D via %G2 table 101\n%D via %H2 table 70000")
case("a default", "default via %G2", "default nexthop via %G2 nexthop via %H2")
case("several additions, changes and deletions", "%D via %G2\n%E via %G2\n%C via %G2",
  "%D via %H2\n%B via %G2\n%Z nexthop via %G2 nexthop via %H2\n%C via %G2")
case("by objects", "nexthop add id 11 via %G2 dev v1\nnexthop add id 12 via %H2 dev v2\n"
  .. "nexthop add id 13 group 11/12\n%D nhid 13", TWO)
case("to objects", "nexthop add id 11 via %G2 dev v1\nnexthop add id 12 via %H2 dev v2\n"
  .. "nexthop add id 13 group 11/12\n" .. TWO, "%D nhid 13")
case("a hop that differs in its encapsulation",
  "nexthop add id 77 encap seg6 mode encap segs fc00::1 via %G2 dev v1\nnexthop del id 77",
  "%D nexthop encap seg6 mode encap segs 1 [ fc00::1 ] via %G2 dev v1 "
  .. "nexthop encap seg6 mode encap segs 1 [ fc00::2 ] via %G2 dev v1", 6, "seg6")

-- Several entries of one key ---------------------------------------------------------------------

case("a second entry of the key", "%D via %G2", "%D via %G2\n%D via %H2", 4)
case("the first of several entries less", "%D via %G2\n%D via %G3\n%D via %H2", "%D via %G3\n%D via %H2", 4)
case("the last of several entries less", "%D via %G2\n%D via %G3\n%D via %H2", "%D via %G2\n%D via %G3", 4)
case("one of several entries", "%D via %G2\n%D via %G3\n%D via %H2", "%D via %H7", 4)
case("two entries in another order", "%D via %G2\n%D via %G3", "%D via %G3\n%D via %G2", 4)
case("entries by device beside gateways", "%D dev v1\n%D dev v2\n%D via %G2", "%D dev v2\n%D via %G2", 6)
case("gateways beside entries by device", "%D dev v1\n%D via %G2", "%D dev v1", 6)
case("a device behind a gateway on it", "%D via %G2 dev v1\n%D dev v1", "%D via %G2 dev v1", 6)
case("a gateway before a device", "%D via %G2 dev v1\n%D dev v1", "%D dev v1", 6)

-- Gateways behind other routes -------------------------------------------------------------------

case("a gateway behind another route", "", "%D via %N1\n%B dev v1")
case("a gateway behind another route that is listed before it", "", "%C via %Y1\n%Z dev v1")
case("two behind another route", "", "%D via %N1\n%B dev v1\n%C nexthop via %N2 nexthop via %H2")
case("a gateway and what is behind it less", "%B dev v1\n%D via %N1", "")
case("a gateway and what is listed behind it less", "%Z dev v1\n%C via %Y1", "")
case("another way to a gateway", "%B dev v1\n%D via %N1", "%B dev v2\n%D via %N1")
case("what is behind a gateway less", "%B dev v1\n%D via %N1", "%B dev v1")
case("from a gateway to one behind another route", "%D via %G2", "%B dev v1\n%D via %N1")
case("from one behind another route to a gateway", "%B dev v1\n%D via %N1", "%D via %G2")
case("a gateway behind another route of its table", "", "%D via %N1 table 100\n%B dev v1 table 100")

-- Refused ----------------------------------------------------------------------------------------

case("one that the kernel refuses", "%E via %G2", "%E via %H2\n%B via %G2\n%D via %W")
case("a hop twice", "", "%D nexthop via %G2 nexthop via %G2")

return cases
