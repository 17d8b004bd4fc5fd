---Changes one entry of the kernel's table where it is: looked up, edited, and carried out in steps.

local entries = require "ecmp.fib.entries"
local execution = require "ecmp.nl.execution"
local lookup = require "ecmp.nl.lookup"
local nexthop = require "ecmp.fib.nexthop"
local diagnose = require "ecmp.nl.diagnose"
local route_of = require "ecmp.fib.route"
local transition = require "ecmp.fib.transition"

local M = {}

-- What a lookup tells of is all that its key holds, or stands before what else there is.
local ALL <const> = { exactly = true, all = true }

local function go_over(nl, have, want)
  return execution.steps(nl, assert(transition.between(have, want, ALL)))
end

---Deletes an entry and nothing beside it.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@param list? ecmp.View[] all of its destination; without it, the entry is the one that is used
---@return true|nil, string? message, string? code
function M.delete(nl, entry, list)
  local have, at = lookup.key(list, entry)
  local want = table.move(have, 1, #have, 1, {})
  table.remove(want, at)
  return go_over(nl, have, want)
end

-- Others of its key stood between the one that went and the one that came: it goes before them.
local function move_up(nl, route)
  local list, message, code = lookup.listed(nl, route)
  if not list then
    return nil, message, code
  end
  local have = {}
  for i, entry in ipairs(lookup.beside(list, route)) do
    have[i] = assert(route_of.held(entry))
  end
  return go_over(nl, have, table.move(have, 1, #have - 1, 2, { have[#have] }))
end

local function is_used(nl, route)
  local found = lookup.used(nl, route)
  local held = found and route_of.held(found)
  return held and #held.nexthops == #route.nexthops and nexthop.begin(held.nexthops, route.nexthops)
end

---Gives an entry other hops.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@param list? ecmp.View[] as of `delete`
---@param hops table[] canonical
---@return true|nil, string? message, string? code
function M.set_hops(nl, entry, list, hops)
  local have, at = lookup.key(list, entry)
  local route = entries.with_hops(have[at], hops)
  local want = table.move(have, 1, #have, 1, {})
  want[at] = route
  local ok, message, code = go_over(nl, have, want)
  if ok and not list and route.family == 4 and not is_used(nl, route) then
    return move_up(nl, route)
  end
  return ok, message, code
end

---Takes hop number `at` out of an entry; with its last one the entry goes.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@param list? ecmp.View[] as of `delete`
---@param hops table[] the entry's, canonical
---@param at integer
---@return true|nil, string? message, string? code
function M.remove_hop(nl, entry, list, hops, at)
  if #hops == 1 then
    return M.delete(nl, entry, list)
  elseif entry.family == 6 and not entry.nhid then
    local have, i = lookup.key(list, entry)
    return execution.steps(nl, transition.without_hop(have, i, hops[at]))
  end
  local left = table.move(hops, 1, #hops, 1, {})
  table.remove(left, at)
  return M.set_hops(nl, entry, list, left)
end

---Takes hops that have joined an IPv6 route out of it again, since no dump could list it now.
---@param nl ecmp.Handle
---@param verb string how they joined it
---@param route table what joined it
---@param count integer of how many hops it is now
---@return nil, string message, string code
function M.part(nl, verb, route, count)
  local changes = {}
  for i, hop in ipairs(route.nexthops or { route }) do
    changes[i] = { "route del", {
      dst = route.dst, table = route.table, metric = route.metric, family = 6, from = route.from,
      via = hop.via, dev = hop.dev,
    } }
  end
  nl.socket:batch(changes)
  return diagnose.of(verb, { dst = route.dst, table = route.table, metric = route.metric,
    family = 6, from = route.from }, ("nexthops: %d are too many; the kernel's dumps would "
    .. "silently end"):format(count), "EMSGSIZE")
end

return M
