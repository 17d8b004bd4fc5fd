---Next-hop objects: `"multipath": { "nexthops": "group" }` or `"resilient"`.
--
-- A route with several next hops then names one group object, which may be changed for all its
-- routes at once; a resilient group keeps flows where they are when it changes. The price is that
-- the kernel deletes such objects silently when the carrier of their device goes, and the routes
-- with them, so whoever asks for them is told so.
local log = require "ecmp.log"
local try = require("ecmp.cni").try

local M = {}

-- Buckets of a resilient group: flows move in steps of one bucket, so a hop needs a good number.
local BUCKETS_PER_HOP <const> = 32
-- Numbers below are left to those who give them by hand.
local FIRST_ID <const> = 1000

local function hop_name(hop, family)
  return ("%d %s %s %s"):format(family, hop.via or "", hop.dev or "", tostring(hop.onlink))
end

-- The first number that no object of the pod has.
local function first_free(nl)
  local last = FIRST_ID - 1
  for _, object in ipairs(nl.nexthop:list() or {}) do last = math.max(last, object.id) end
  return last + 1
end

local function choose_hop(chosen, hop, family)
  local name <const> = hop_name(hop, family)
  local known = chosen.by_name[name]
  if not known then
    known = { id = chosen.next, family = family, via = hop.via, dev = hop.dev, onlink = hop.onlink }
    chosen.next, chosen.by_name[name] = chosen.next + 1, known
    table.insert(chosen.hops, known)
  end
  return known.id
end

-- Routes with the same next hops share a group, unless they differ in metrics: an IPv4 route
-- without any takes those of an earlier one by the same object.
local function choose_group(chosen, route, kind)
  local members <const>, names <const> = {}, {}
  for i, hop in ipairs(route.nexthops) do
    members[i] = { id = choose_hop(chosen, hop, route.family), weight = hop.weight or 1 }
    names[i] = ("%d*%d"):format(members[i].id, members[i].weight)
  end
  local name <const> = ("%s mtu %s advmss %s"):format(table.concat(names, " "), route.mtu,
    route.advmss)
  local known = chosen.by_name[name]
  if not known then
    known = { id = chosen.next, group = members }
    if kind == "resilient" then known.type, known.buckets = kind, BUCKETS_PER_HOP * #members end
    chosen.next, chosen.by_name[name] = chosen.next + 1, known
    table.insert(chosen.groups, known)
  end
  return known.id
end

-- Numbers follow each other from the first, in the order of the routes.
local function choose_from(state, kind, first)
  local chosen <const> = { next = first, hops = {}, groups = {}, by_name = {} }
  local group_of <const> = {}
  for _, route in ipairs(state.wanted) do
    if #route.nexthops > 1 then group_of[route] = choose_group(chosen, route, kind) end
  end
  state.group_of = group_of
  return { hops = chosen.hops, groups = chosen.groups }
end

---Chooses the objects that the wanted routes need, with their numbers; nothing is made yet.
---@param state table
---@return table? chosen `{ hops, groups }` as for `nl.nexthop:add`; nil where none are asked for
function M.choose(state)
  local kind <const> = state.conf.multipath.nexthops
  if kind == "inline" then return nil end
  return choose_from(state, kind, first_free(state.nl))
end

---The objects of a record, for its routes again.
---@param state table with the record's routes in `wanted`
---@return table[] objects as for `nl.nexthop:add`, hops first
function M.again(state)
  local first <const> = state.record.objects.hops[1]
  if not first then return {} end
  local chosen <const> = choose_from(state, state.conf.multipath.nexthops, first.id)
  return table.move(chosen.groups, 1, #chosen.groups, #chosen.hops + 1, chosen.hops)
end

---Makes the chosen objects; a refusal is thrown.
---@param state table
function M.make(state)
  local chosen <const> = state.record.objects
  if not chosen or #chosen.groups == 0 then return end
  log.warn("multipath.nexthops: routes by next-hop objects vanish when their interface loses its "
    .. "carrier, and do not return by themselves")
  for _, list in ipairs { chosen.hops, chosen.groups } do
    for _, object in ipairs(list) do
      try(state.nl.nexthop:add(object))
      state.undo:push("nexthop " .. object.id, function()
        return state.nl.nexthop:del { id = object.id }
      end)
    end
  end
end

---The wanted routes as they are to be programmed: by group number where there is a group.
---@param state table
---@param wanted table[] canonical routes
---@return table[]
function M.use(state, wanted)
  local programmed <const> = {}
  for i, route in ipairs(wanted) do
    programmed[i] = route
    local id <const> = state.group_of and state.group_of[route]
    if id then
      local by_id <const> = {}
      for key, value in pairs(route) do by_id[key] = value end
      by_id.nexthops, by_id.nhid = {}, id
      programmed[i] = by_id
    end
  end
  return programmed
end

---Deletes the objects of a record; those that are gone are fine. Groups go first.
---@param nl table
---@param chosen table? as `choose` returned it
function M.remove(nl, chosen)
  for _, list in ipairs { chosen and chosen.groups or {}, chosen and chosen.hops or {} } do
    for _, object in ipairs(list) do nl.nexthop:del { id = object.id } end
  end
end

return M
