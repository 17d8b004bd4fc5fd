---One place of the kernel's table: the changes that lead from what it holds to what is wanted.
--
-- A slot is a prefix in a table at a metric. In IPv4 it holds an ordered list of routes, of which
-- the first takes all traffic; in IPv6 one route of all hops with a gateway, and beside it routes
-- by device alone and blackholes. A prefix keeps a route at every step, but for one case in IPv6.
--
-- A change is `{ verb, route, old }`: `add` (refused where the slot is taken), `create` (in front
-- in IPv4, joining in IPv6), `append` (behind), `replace` (of the first), `del`. Where the slot
-- holds several routes it also carries `before` and `after`, what the slot holds around it.
local entries <const> = require "ecmp.fib.entry"
local hop_list <const> = require "ecmp.fib.nexthop"
local identity <const> = require "ecmp.fib.route"

local M = {}

local function copy(list)
  return table.move(list, 1, #list, 1, {})
end

---In place of `stated`: what is left out is not there.
M.EXACTLY = {}

local function fits(have, want, stated)
  if have == want then return true end
  return identity.matches(have, want, stated and stated[want])
    and (stated ~= M.EXACTLY or identity.matches(want, have))
end

M.fits = fits

local function find(list, want, stated)
  for i, have in ipairs(list) do
    if fits(have, want, stated) then return i end
  end
end

---A recorder of changes that keeps the slot's state beside them.
local function recorder(have)
  local state <const> = copy(have)
  local changes <const> = {}
  local function record(verb, route, old, alter)
    local before <const> = copy(state)
    alter()
    changes[#changes + 1] = {
      verb = verb, route = route, old = old, before = before, after = copy(state),
    }
  end
  return {
    state = state, changes = changes,
    add = function(route)
      record("add", route, nil, function() state[1] = route end)
    end,
    append = function(route)
      record("append", route, nil, function() state[#state + 1] = route end)
    end,
    create = function(route)
      local at <const> = route.family == 4 and 1 or #state + 1
      record("create", route, nil, function() table.insert(state, at, route) end)
    end,
    replace = function(route, i)
      record("replace", route, state[i], function() state[i] = route end)
    end,
    del = function(i)
      record("del", nil, state[i], function() table.remove(state, i) end)
    end,
  }
end

-- IPv4 --------------------------------------------------------------------------------------------

---Brings the wanted route to the front: by replacing the first, or, where it stands further
---behind, by deleting those before it (the kernel will not replace one by its equal).
local function settle_front(slot, want, stated)
  while not fits(slot.state[1], want, stated) do
    if find(slot.state, want, stated) then slot.del(1) else slot.replace(want, 1) end
  end
end

---Deletes one that is not wanted any more. A route that hides it from the kernel's comparison goes
---first, and comes back when the slot is settled again.
local function delete(slot, i)
  local hidden_by <const>, place <const> = entries.hidden_by(slot.state, slot.state[i])
  slot.del(place or i)
  return hidden_by == nil
end

local function settle_list(slot, want, stated)
  settle_front(slot, want[1], stated)
  local i = 2
  while slot.state[i] do
    if want[i] and fits(slot.state[i], want[i], stated) then
      i = i + 1
    elseif not delete(slot, i) then
      -- Ends: each round holds one route less than the one before.
      return settle_list(slot, want, stated)
    end
  end
  for k = i, #want do slot.append(want[k]) end
end

---The order in which IPv4 will hold the routes: what is created goes in front, the rest behind.
local function order_of(want)
  local list <const> = {}
  for _, route in ipairs(want) do
    table.insert(list, route.separate and 1 or #list + 1, route)
  end
  return list
end

local function fill(slot, want, behind)
  for i, route in ipairs(want) do
    if route.separate then
      slot.create(route)
    elseif i == 1 then
      slot.add(route)
    else
      slot[behind](route)
    end
  end
end

local function clear(slot)
  while slot.state[1] do slot.del(1) end
end

---The routes to create where that is all there is to do: what stands there stays as it is, so that
---no route of somebody else's is touched, and none is missing while the next one needs it.
local function additions(state, want, stated)
  local created <const>, kept = {}, 0
  for _, route in ipairs(want) do
    if route.separate then
      created[#created + 1] = route
    else
      kept = kept + 1
      if not state[kept] or not fits(state[kept], route, stated) then return nil end
    end
  end
  return kept == #state and created or nil
end

local function settle4(slot, want, stated)
  if #slot.state == 0 then return fill(slot, want, "append") end
  if #want == 0 then return clear(slot) end
  local created <const> = additions(slot.state, want, stated)
  if not created then return settle_list(slot, order_of(want), stated) end
  for _, route in ipairs(created) do slot.create(route) end
end

-- IPv6 --------------------------------------------------------------------------------------------

local function is_joining(route)
  if route.type ~= "unicast" or route.nhid or #route.nexthops == 0 then return false end
  for _, hop in ipairs(route.nexthops) do
    if not hop.via then return false end
  end
  return true
end

local function with_hops(route, hops)
  local new <const> = {}
  for k, v in pairs(route) do new[k] = v end
  new.nexthops = hops
  return new
end

---Joins the routes that the kernel will join, so that each of the list is one route in the end.
---@return table[]? list, string? message, integer|string|nil code
local function join(want, stated)
  local list <const>, at = {}, nil
  for _, route in ipairs(want) do
    if is_joining(route) and at then
      local hops <const> = copy(list[at].nexthops)
      table.move(route.nexthops, 1, #route.nexthops, #hops + 1, hops)
      local kept, message, code = hop_list.fit(hops, 6)
      if not kept then return nil, message, code end
      if #kept < #hops then
        return nil, ("route add %s: listed twice: File exists (EEXIST)"):format(
          identity.text(route)), "EEXIST"
      end
      local joined <const> = with_hops(list[at], kept)
      stated[joined], list[at] = stated[list[at]], joined
    else
      list[#list + 1] = route
      at = at or is_joining(route) and #list
    end
  end
  return list
end

---A replace passes through a moment in which only the first hop is there: it had better be one that
---carries traffic already.
local function survivor_first(route, old)
  local there <const> = {}
  for _, hop in ipairs(old.nexthops) do there[(hop.via or "") .. "%" .. (hop.dev or "")] = true end
  for i, hop in ipairs(route.nexthops) do
    if i > 1 and there[(hop.via or "") .. "%" .. (hop.dev or "")] then
      local hops <const> = { hop }
      for k, other in ipairs(route.nexthops) do
        if k ~= i then hops[#hops + 1] = other end
      end
      return with_hops(route, hops)
    end
    if i == 1 and there[(hop.via or "") .. "%" .. (hop.dev or "")] then return route end
  end
  return route
end

---What is there and not wanted, and what is wanted and not there.
local function differences(state, want, stated)
  local left <const>, missing <const> = copy(state), {}
  for _, route in ipairs(want) do
    local i <const> = find(left, route, stated)
    if i then table.remove(left, i) else missing[#missing + 1] = route end
  end
  return left, missing
end

---The device by which the kernel finds a route that has no gateway: those to nowhere lie on the
---loopback.
local function device_of(route)
  local hop <const> = route.nexthops[1]
  return hop and hop.dev or not hop and "lo"
end

local function leaves_by(route, dev)
  for _, hop in ipairs(route.nexthops) do
    if hop.dev == nil or hop.dev == dev then return true end
  end
  return #route.nexthops == 0 and dev == "lo"
end

---Whether the kernel, told to delete the route at `i`, would find another before it. Gateways and
---objects it finds without fail, but for routes by objects, which it takes for any.
local function is_hidden(state, i)
  local route <const> = state[i]
  if route.nhid then return false end
  for k = 1, i - 1 do
    local other <const> = state[k]
    if other.nhid then return true end
    if not is_joining(route) and leaves_by(other, device_of(route)) then return true end
  end
  return false
end

---Deletes the routes that are not wanted, while others stand beside them.
---@return boolean? done nil where the kernel cannot be told which is meant
local function delete_all(slot, superfluous)
  for _, route in ipairs(superfluous) do
    local i <const> = find(slot.state, route)
    if is_hidden(slot.state, i) then return nil end
    slot.del(i)
  end
  return true
end

local function find_joining(list)
  for i, route in ipairs(list) do
    if is_joining(route) then return i end
  end
end

---Whether the kernel takes a new route for one that is there: for those without a gateway it looks
---at the device alone.
local function is_taken(state, route)
  for _, other in ipairs(is_joining(route) and {} or state) do
    if not is_joining(other) and not route.nhid and not other.nhid
      and device_of(other) == device_of(route) then
      return true
    end
  end
  return false
end

local function is_among(list, route)
  for _, other in ipairs(list) do
    if rawequal(other, route) then return true end
  end
  return false
end

---Takes away what is to stay behind the route at `i`, to be brought back behind its further hops.
---@return table[]? taken nil where the kernel cannot be told which is meant
local function take_behind(slot, superfluous, i)
  local taken <const> = {}
  for k = #slot.state, i + 1, -1 do
    local route <const> = slot.state[k]
    if not is_joining(route) and not is_among(superfluous, route) then
      if is_hidden(slot.state, k) then return nil end
      table.insert(taken, 1, route)
      slot.del(k)
    end
  end
  return taken
end

---Brings in one route: that of all gateways in the place of the one that is not wanted, another
---beside what is there.
---@return boolean? done nil where it cannot be beside another that is to go, or to stay
local function bring_in(slot, superfluous, route)
  local old <const> = is_joining(route) and find_joining(superfluous)
  if old then
    local i <const> = find(slot.state, table.remove(superfluous, old))
    local taken <const> = #route.nexthops > 1 and take_behind(slot, superfluous, i)
    if taken == nil then return nil end
    slot.replace(survivor_first(route, slot.state[i]), i)
    for _, other in ipairs(taken or {}) do slot.create(other) end
  elseif is_taken(slot.state, route) then
    return nil
  else
    slot.create(route)
  end
  return true
end

---Brings in what is missing, gateways first: the further ones go behind all that is there, and no
---dump lists what stands between two of them.
---@return boolean? done nil where one cannot be beside another that is to go
local function bring_in_all(slot, superfluous, missing)
  for _, joining in ipairs { true, false } do
    for _, route in ipairs(missing) do
      if is_joining(route) == joining and not bring_in(slot, superfluous, route) then return nil end
    end
  end
  return true
end

---The changes by which the slot holds a route at every step; nil where there are none.
local function gentle(have, superfluous, missing)
  local slot <const> = recorder(have)
  return bring_in_all(slot, superfluous, missing) and delete_all(slot, superfluous) and slot.changes
end

local function settle6(slot, want, stated)
  if #slot.state == 0 then
    -- A create into an empty slot is what the reference plugins do; else taken slots are refused.
    return fill(slot, want, "create")
  end
  local superfluous <const>, missing <const> = differences(slot.state, want, stated)
  if #want == 0 then return clear(slot) end
  if #slot.state == 1 and #want == 1 then
    if missing[1] then slot.replace(survivor_first(want[1], slot.state[1]), 1) end
    return nil
  end
  local changes <const> = gentle(slot.state, superfluous, missing)
  if changes then return table.move(changes, 1, #changes, 1, slot.changes) end
  -- The kernel cannot be told apart what is to go and what is to stay: this is the case in which
  -- the prefix is without a route for a moment.
  clear(slot)
  fill(slot, want, "create")
end

local function several_joining(list)
  local count = 0
  for _, route in ipairs(list) do
    if is_joining(route) then count = count + 1 end
  end
  return count > 1
end

---Finds the changes for one slot.
---@param have table[] canonical routes as the kernel lists them
---@param want table[] canonical routes in the order listed; those marked `separate` are created one
---by one, as the reference plugins do
---@param stated? table<table, table> the routes that canonical ones were made from
---@return table[]? changes, string? message, integer|string|nil code
function M.settle(have, want, stated)
  local family <const> = (want[1] or have[1] or {}).family
  if family ~= 6 then
    local slot <const> = recorder(have)
    settle4(slot, want, stated)
    return slot.changes
  end
  local list, message, code = join(want, stated or {})
  if not list then return nil, message, code end
  local slot <const> = recorder(have)
  -- Into an empty slot every route goes as it was listed, and the kernel joins them; what was
  -- created one by one is taken back one by one.
  local as_listed <const> = #have == 0 and want[1] and want[1].separate
    or several_joining(have)
  settle6(slot, as_listed and want or list, stated)
  return slot.changes
end

---The changes that take one change back.
---@param change table
---@return table[] changes
function M.inverse(change)
  if change.before then return assert(M.settle(change.after, change.before, M.EXACTLY)) end
  if change.verb == "add" or change.verb == "create" then
    return { { verb = "del", old = change.route } }
  end
  if change.verb == "del" then return { { verb = "add", route = change.old } } end
  return { { verb = "replace", route = change.old, old = change.route } }
end

return M
