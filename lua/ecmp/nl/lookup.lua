---The entries of one destination in one table: which there are, which is used, how one goes, and
---how one is changed where it is. How the families differ in that is here and in ecmp.fib.entries.

local entries = require "ecmp.fib.entry"
local identity = require "ecmp.fib.route"
local refusal = require "ecmp.nl.diagnose"
local rtnl = require "ecmp.rtnl"

local M = {}

---The entries of a metric.
---@param list ecmp.View[]
---@param metric integer
---@return ecmp.View[]
function M.of_metric(list, metric)
  local found = {}
  for _, entry in ipairs(list) do
    if identity.metric(entry) == metric then
      found[#found + 1] = entry
    end
  end
  return found
end

---The entries of the place of one of them: those of its key.
---@param list ecmp.View[]
---@param entry table
---@return ecmp.View[]
function M.beside(list, entry)
  local found, slot = {}, entries.slot(entry)
  for _, other in ipairs(list) do
    if entries.slot(other) == slot then
      found[#found + 1] = other
    end
  end
  return found
end

---All entries of a destination, in the kernel's order. It cannot be asked for them, so this takes a
---dump of the table. IPv4 tos and the IPv6 source prefix are part of a destination: with others
---they lead other packets.
---@param nl ecmp.Handle
---@param request table `dst`, `table`, `family`, `tos`, `from`
---@return ecmp.View[]|nil, string? message, string? code
function M.listed(nl, request)
  local list, message, code = nl.route:list {
    dst = request.dst or "default", table = request.table, family = request.family,
  }
  if not list then
    return nil, message, code
  end
  local found = {}
  for _, entry in ipairs(list) do
    if entries.same_packets(entry, request) then
      found[#found + 1] = entry
    end
  end
  return found
end

-- An address of a prefix; of all addresses, one that nothing but a default route leads to.
local ANYWHERE <const> = { [4] = "192.0.2.1", [6] = "2001:db8::1" }

-- Whether every entry that the kernel could take for this one would be used in its place: one that
-- has no hop but the first of these, say, which is up.
local function is_up(entry)
  local hop = entries.hops(entry)[1]
  return hop.dev ~= nil and not (entry.dead or entry.linkdown or hop.dead or hop.linkdown)
end

---Whether there are no next-hop objects, so that no route can refer to one: IPv6 takes a route by
---an object for any that is to be deleted.
---@param nl ecmp.Handle
---@return boolean
function M.no_objects(nl)
  local views = nl.socket:dump("nexthop", {})
  return views ~= nil and views() == nil
end

---The entry that traffic takes, as far as a lookup tells, which is cheap in tables of any size.
---None where something more specific is in the way, the rules lead to another table, or the metric
---is another.
---@param nl ecmp.Handle
---@param route table `dst`, `table`, `family`, `tos`, `from`, and perhaps `metric`
---@return ecmp.View|nil
function M.used(nl, route)
  if route.tos or route.from then
    return nil
  end
  local wanted = rtnl.view("route", { dst = route.dst, family = route.family,
                                      table = route.table or "main" })
  local address = wanted.dst == "default" and ANYWHERE[route.family] or wanted.dst:match "^[^/]+"
  local found = nl.socket:request("flow", "get", { dst = address, fibmatch = true })
  if not found or found.family ~= route.family or found.dst ~= wanted.dst
    or found.table ~= wanted.table or found.type ~= "unicast" or not is_up(found) then
    return nil
  end
  return (not route.metric or identity.metric(found) == identity.metric(route)) and found or nil
end

-- Hops --------------------------------------------------------------------------------------------

local function hops_of_object(nl, id, weight, into)
  local object, message, code = nl.nexthop:get { id = id }
  if not object then
    return nil, message, code
  end
  for _, member in ipairs(object.group or {}) do
    local ok
    ok, message, code = hops_of_object(nl, member.id, member.weight, into)
    if not ok then
      return nil, message, code
    end
  end
  if not object.group then
    into[#into + 1] = { via = object.via, dev = object.dev, weight = weight,
                        onlink = object.onlink, encap = object.encap }
  end
  return into
end

---The hops of an entry. Those of a next-hop object are the object's: not all dumps of routes show
---them, nor weights beyond 256.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@return table[]|nil, string? message, string? code
function M.hops(nl, entry)
  if entry.nhid then
    return hops_of_object(nl, entry.nhid, nil, {})
  end
  return table.move(entries.hops(entry), 1, #entries.hops(entry), 1, {})
end

-- Going -------------------------------------------------------------------------------------------

-- Nobody else's, it is to be hoped: what bears it is found by it.
local DISGUISE <const> = 249

-- The kernel replaces the first of those that share gateways, or of those that do not.
local function is_first_alike(list, entry)
  for _, other in ipairs(M.beside(list, entry)) do
    if entries.joins(other) == entries.joins(entry) then
      return rawequal(other, entry)
    end
  end
end

-- IPv6: behind a route that leaves by the same device, or by an object, the kernel would find that
-- one. Replaced in its place by itself with a protocol of its own, this one is found by that. Both
-- go to the kernel at once, so that nothing comes in between and nobody is left disguised.
local function delete_disguised(nl, entry)
  local changed, gone = table.unpack(nl.socket:batch {
    { "route change", entry:copy { proto = DISGUISE } },
    { "route del", {
      dst = entry.dst, table = entry.table, metric = entry.metric, family = 6, from = entry.from,
      dev = not entries.joins(entry) and entry.dev or nil, proto = DISGUISE } },
  })
  if changed ~= true then
    return nil, changed.message, changed.code
  elseif gone ~= true then
    nl.socket:request("route", "change", entry)
    return nil, gone.message, gone.code
  end
  return true
end

-- Whether one entry alone keeps another from being found, and is one that can be replaced.
local function alone_hides(list, hidden, entry)
  local rest = {}
  for _, other in ipairs(list) do
    rest[#rest + 1] = not rawequal(other, hidden) and other or nil
  end
  return not entries.hidden_by(rest, entry) and is_first_alike(list, hidden)
end

-- IPv6: the same the other way round, where the one that is found first is the one that can be
-- replaced: it gets another protocol while this one goes by its own.
local function delete_behind(nl, entry, hidden)
  local ok, message, code = nl.socket:request("route", "change", hidden:copy { proto = DISGUISE })
  if not ok then
    return nil, message, code
  end
  local gone, back = table.unpack(nl.socket:batch {
    { "route del", entries.deletion(entry) }, { "route change", hidden },
  })
  local failed = gone ~= true and gone or back ~= true and back
  if failed then
    return nil, failed.message, failed.code
  end
  return true
end

-- IPv4: a plan knows in which order to go about it.
local function delete_around(nl, entry, list)
  local have, want = M.beside(list, entry), {}
  for _, other in ipairs(have) do
    want[#want + 1] = not rawequal(other, entry) and other or nil
  end
  return require "ecmp.plan"(have, want):apply(nl)
end

---Deletes an entry and nothing beside it.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@param list? ecmp.View[] all of its destination; without it, the entry is the one that is used
---@return true|nil, string? message, string? code
function M.delete(nl, entry, list)
  local hidden = list and entries.hidden_by(list, entry)
  local by_hops = hidden and entry.family == 6 and entries.joins(entry)
    and not entries.hidden_by(list, entry, entries.hops(entry)[1])
  if not hidden or by_hops then
    return nl.socket:request("route", "del", entries.deletion(entry, by_hops))
  elseif entry.family == 4 then
    return delete_around(nl, entry, list)
  elseif is_first_alike(list, entry) then
    return delete_disguised(nl, entry)
  elseif not entries.joins(entry) and not entries.joins(hidden)
    and alone_hides(list, hidden, entry) then
    return delete_behind(nl, entry, hidden)
  end
  return refusal.of("del", entry, ("the kernel would take %s, which stands before it"):format(
    hidden:text { line = true }), "EBUSY")
end

-- Changing ----------------------------------------------------------------------------------------

---Takes hops that have joined an IPv6 route out of it again, since no dump could list it now.
---@param nl ecmp.Handle
---@param verb string how they joined it
---@param route table what joined it
---@param count integer of how many hops it is now
---@return nil, string message, string code
function M.part(nl, verb, route, count)
  local changes = {}
  for i, hop in ipairs(entries.hops(route)) do
    changes[i] = { "route del", {
      dst = route.dst, table = route.table, metric = route.metric, family = 6, from = route.from,
      via = hop.via, dev = hop.dev,
    } }
  end
  nl.socket:batch(changes)
  return refusal.of(verb, { dst = route.dst, table = route.table, metric = route.metric,
    family = 6, from = route.from }, ("nexthops: %d are too many; the kernel's dumps would "
    .. "silently end"):format(count), "EMSGSIZE")
end

-- Whether an entry is the first of several of its key: the one that is used.
local function leads(entry, list)
  local before = true
  for _, other in ipairs(list) do
    if rawequal(other, entry) then
      before = false
    elseif other.metric == entry.metric and other.tos == entry.tos then
      return not before
    end
  end
  return false
end

-- Others of its key stood between the one that went and the one that came: it goes before them.
local function move_up(nl, route)
  local list, message, code = M.listed(nl, route)
  if not list then
    return nil, message, code
  end
  local have = M.beside(list, route)
  local want = table.move(have, 1, #have - 1, 2, { have[#have] })
  return require "ecmp.plan"(have, want):apply(nl)
end

local function same_route(found, route)
  return found and entries.same_hops(found, entries.hops(route))
end

---Puts a route in the place of an entry. The new one goes behind the old one, then the old one
---goes: no packet finds the destination without a route, where a REPLACE loses about one lookup in
---fifty thousand. If the second step fails the first is taken back. Before other entries of its
---key, which would come to be used instead, it is replaced in its place.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@param list? ecmp.View[] as of `delete`
---@param route table
---@return true|nil, string? message, string? code
function M.swap(nl, entry, list, route)
  if list and entry.family == 4 and leads(entry, list) then
    return nl.socket:request("route", "replace", route)
  end
  local ok, message, code = nl.socket:request("route", "append", route)
  if not ok then
    return nil, message, code
  end
  ok, message, code = M.delete(nl, entry, list)
  if not ok then
    nl.socket:request("route", "del", {
      dst = route.dst, table = route.table, metric = route.metric, family = route.family,
      tos = route.tos, from = route.from, nexthops = route.nexthops,
    })
    return nil, message, code
  end
  if not list and not same_route(M.used(nl, route), route) then
    return move_up(nl, route)
  end
  return true
end

---Takes hop number `at` out of an entry; with its last one the entry goes.
---@param nl ecmp.Handle
---@param entry ecmp.View
---@param list? ecmp.View[] as of `delete`
---@param hops table[] the entry's; is changed
---@param at integer
---@return true|nil, string? message, string? code
function M.remove_hop(nl, entry, list, hops, at)
  local gone = table.remove(hops, at)
  if #hops == 0 then
    return M.delete(nl, entry, list)
  elseif entry.family == 4 or entry.nhid then
    return M.swap(nl, entry, list, entries.with_hops(entry, hops))
  end
  if list and entries.hidden_by(list, entry, gone) then
    return nl.socket:request("route", "change", entries.with_hops(entry, hops))
  end
  return nl.socket:request("route", "del", {
    dst = entry.dst, table = entry.table, metric = identity.metric(entry), family = 6,
    from = entry.from, via = gone.via, dev = gone.dev,
  })
end

return M
