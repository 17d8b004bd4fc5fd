---What to do when another interface of the pod already has a route where one of ours is to go.
--
-- Routes are compared by the kernel's key (`slot`), not the group's: two IPv4 routes that differ in
-- scope only have two group keys and still shadow each other.
local hops = require "ecmp.fib.nexthop"
local identity = require "ecmp.fib.route"

local M = {}

local slot_of <const> = identity.slot

local function note(slots, slot, route)
  slots[slot] = slots[slot] or {}
  table.insert(slots[slot], route)
end

---The canonical routes of `current` by slot, split by device: what goes out of `dev` is ours.
---@param current table[] canonical routes
---@param dev string
---@return table<string, table[]> own, table<string, table[]> foreign
function M.split(current, dev)
  local own <const>, foreign <const> = {}, {}
  for _, route in ipairs(current) do
    local slot <const> = slot_of(route)
    local ours, theirs = false, false
    for _, hop in ipairs(route.nexthops) do
      if hop.dev == dev then ours = true else theirs = true end
    end
    -- A route without a way out (blackhole, unreachable) belongs to no interface, so not to ours.
    theirs = theirs or not ours
    if ours then note(own, slot, route) end
    if theirs then note(foreign, slot, route) end
  end
  return own, foreign
end

local function copy(route)
  local new <const> = {}
  for key, value in pairs(route) do new[key] = value end
  new.nexthops = table.move(route.nexthops, 1, #route.nexthops, 1, {})
  return new
end

local LAST_METRIC <const> = 0xffffffff

local policies = {}

---The next higher metric that nobody uses; the result says which.
function policies.yield(route, _, in_use)
  local moved <const> = copy(route)
  repeat moved.metric = moved.metric + 1 until not in_use[slot_of(moved)]
  if moved.metric > LAST_METRIC then
    return nil, ("conflict: no metric is left for the route %s"):format(identity.text(route)), 7
  end
  return moved
end

---As the reference plugins: the new IPv4 route goes in front, the IPv6 one joins the group. That is
---what the mark tells the plan.
function policies.take(route)
  local marked <const> = copy(route)
  marked.separate = true
  return marked
end

---One route whose next hops are those that are there and ours behind them.
function policies.merge(route, others)
  local merged <const>, seen <const> = copy(route), {}
  merged.nexthops = {}
  local function name_of(hop) return (hop.via or "") .. "%" .. (hop.dev or "") end
  for _, other in ipairs(others) do
    for _, hop in ipairs(other.type == "unicast" and other.nexthops or {}) do
      if not seen[name_of(hop)] then table.insert(merged.nexthops, hop) end
      seen[name_of(hop)] = true
    end
  end
  for _, hop in ipairs(route.nexthops) do
    if not seen[name_of(hop)] then table.insert(merged.nexthops, hop) end
  end
  return merged
end

local function names_of(others)
  local names <const>, seen <const> = {}, {}
  for _, route in ipairs(others) do
    for _, hop in ipairs(route.nexthops) do
      local name <const> = hop.dev or "?"
      if not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  return #names > 0 and table.concat(names, ", ") or "the pod"
end

local function ways_of(others)
  local ways <const> = {}
  for _, route in ipairs(others) do
    for _, hop in ipairs(route.nexthops) do
      ways[#ways + 1] = hops.text(hop)
    end
  end
  return table.concat(ways, ", ")
end

function policies.refuse(route, others)
  return nil, ("conflict: %s already has the route %s (metric %d, table %d): %s"):format(
    names_of(others), route.dst, route.metric, route.table, ways_of(others)), 7
end

---Settles every planned route against the routes of other interfaces.
---@param routes table[] canonical routes of ours, in order
---@param current table[] canonical routes of the pod
---@param policy "yield"|"take"|"merge"|"refuse"
---@param dev string our interface
---@return table[]? routes, string? message, integer? code  nil, message, 7 for `refuse`
function M.settle(routes, current, policy, dev)
  local _, foreign = M.split(current, dev)
  local in_use <const> = {}
  for slot in pairs(foreign) do in_use[slot] = true end
  for _, route in ipairs(routes) do in_use[slot_of(route)] = true end
  local settled <const> = {}
  for i, route in ipairs(routes) do
    local others <const> = foreign[slot_of(route)]
    if others then
      local new, message, code = policies[policy](route, others, in_use)
      if not new then return nil, message, code end
      in_use[slot_of(new)] = true
      settled[i] = new
    else
      settled[i] = route
    end
  end
  return settled
end

return M
