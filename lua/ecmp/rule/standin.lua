---The block `standin`: one multipath route in which others stand in for the hops that a test names.
--
--     return rule.standin(group, ctx, function(hop) return ctx.neighbours[hop.via] == "FAILED" end)
--
-- It is the route that `nl.route:suspend` would leave: the share of such a hop goes to the others,
-- and each flow of theirs stays where it is. IPv6 holds no hop twice; where that, or the number of
-- hops, is in the way, the hop is taken out, and a note says so. Where the test names all hops the
-- route stays as it is, and a note says that, too.
local arithmetic = require "ecmp.fib.standin"
local group = require "ecmp.group"
local note = require("ecmp.rule.note").add

-- The next hops of stand-ins, where a route of the family can have them.
local function entries_of(places, family)
  if not places or arithmetic.count(places) > group.MAX_HOPS[family] then return nil end
  local entries <const>, seen <const> = arithmetic.entries(places), {}
  for _, entry in ipairs(family == 6 and entries or {}) do
    if seen[entry.hop] then return nil end
    seen[entry.hop] = true
  end
  return entries
end

local function with_entries(joined, entries)
  local hops <const> = {}
  for i, entry in ipairs(entries) do
    local hop <const> = {}
    for key, value in pairs(joined.nexthops[entry.hop]) do hop[key] = value end
    hop.weight = entry.weight
    hops[i] = hop
  end
  joined.nexthops = hops
  return group.plain(joined)
end

---@param routes table[] a group
---@param ctx table?
---@param test fun(hop: table, ctx: table, route: table): boolean true for hops that are dead
---@return table? route, string? message, string? code nil, message, "EINVAL"
return function(routes, ctx, test)
  if #routes == 0 then return {} end
  local joined <const>, message <const>, code <const> = group.join(routes)
  if not joined then return nil, message, code end
  local weights <const>, dead <const> = {}, {}
  for i, hop in ipairs(joined.nexthops) do
    weights[i] = hop.weight or 1
    if test(hop, ctx, joined) then dead[#dead + 1] = i end
  end
  if #dead == 0 then return group.plain(joined) end
  local stood <const>, removed <const> = arithmetic.set(arithmetic.places(weights), dead)
  if not removed then
    note(("standin: %s: no hop is left to stand in, the route stays"):format(joined.dst))
    return group.plain(joined)
  end
  local entries <const> = entries_of(stood, joined.family)
  if entries then return with_entries(joined, entries) end
  note(("standin: %s: %s, so dead hops are taken out and flows of others move"):format(joined.dst,
    joined.family == 6 and "IPv6 holds no hop twice" or "the stand-ins fit no route"))
  return with_entries(joined, arithmetic.entries(removed))
end
