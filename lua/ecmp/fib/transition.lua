---The steps from the entries that a key holds to those that are wanted, and from each step back.
--
-- A step is one request, or a few that belong together, after which the kernel holds what `after`
-- says. What each step keeps to:
--
--   * A prefix that has a route keeps one at every step, but for one case in IPv6 (`start_over`).
--   * IPv4 appends what is new and then deletes what is old: a replace loses about one look-up in
--     fifty thousand, since one that holds the old entry goes on to what stands behind it.
--   * During a replace of an IPv6 route only its first hop is there for a moment, so that one that
--     carries traffic already goes first; hops alone are joined and taken out one by one.
--   * What IPv6 would take for another entry is marked by a protocol of its own while it goes.
--   * Nothing stands behind an IPv6 route that hops join: no dump would list it.
--
-- Steps are `{ verb, route, old, before, after, sends?, back? }`: `add` (refused where the key is
-- taken), `create` (in front in IPv4, joining in IPv6), `append` (behind), `replace`, `del`.
-- `before` and `after` are lists of what the key holds around the step.
local entries = require "ecmp.fib.entries"
local nexthop = require "ecmp.fib.nexthop"
local route_of = require "ecmp.fib.route"

local M = {}

---How lists of the kernel's own are compared.
M.EXACTLY = { exactly = true }

-- The code for a route that is invalid whatever the kernel holds.
local MISTAKE <const> = "EINVAL"

-- Recording ---------------------------------------------------------------------------------------

local Work <const> = {}
Work.__index = Work

local function work_on(have, family, how)
  return setmetatable({ state = entries.new(have, family), steps = {}, how = how or {},
    exactly = how and how.exactly }, Work)
end

function Work:record(step, after)
  step.before, step.after = self.state, after
  self.steps[#self.steps + 1], self.state = step, after
end

function Work:put(verb, route)
  local after <const>, code <const> = self.state:after(verb, route)
  if not after then return nil, code end
  self:record({ verb = verb, route = route }, after)
  return true
end

-- Replaces the entry at `i`, by other requests than a replace where they are given.
function Work:replace(i, route, sends)
  local after <const>, old <const> = entries.new(self.state, self.state.family), self.state[i]
  after[i] = route
  local back <const> = sends and { "route replace", route_of.request(old) }
  self:record({ verb = "replace", route = route, old = old, sends = sends, back = back }, after)
end

-- Deletes the entry at `i`; nil where the kernel cannot be told which it is.
function Work:del(i)
  local sends <const>, back <const> = self.state:deletion(i, not self.how.all)
  if not sends then return nil end
  self:record({ verb = "del", old = self.state[i], sends = sends, back = back },
    self.state:without(i))
  return true
end

function Work:find(want)
  return self.state:find(want, self.exactly)
end

function Work:fits(i, want)
  local have <const> = self.state[i]
  return have ~= nil and route_of.fits(have, want, self.exactly)
end

function Work:clear()
  while self.state[1] do assert(self:del(1)) end
end

-- Into a key that holds nothing.
function Work:fill(want, behind)
  for i, route in ipairs(want) do
    local verb <const> = route.separate and "create" or i == 1 and "add" or behind
    self:put(verb, route)
  end
end

-- IPv4 --------------------------------------------------------------------------------------------

-- The order in which IPv4 will hold the routes: what is created one by one goes in front.
local function in_order(want)
  local list <const> = {}
  for _, route in ipairs(want) do
    table.insert(list, route.separate and 1 or #list + 1, route)
  end
  return list
end

-- Where all that is there stands among what is wanted, as it is.
local function find_run(work, want)
  for first = 0, #want - #work.state do
    local all = true
    for i = 1, #work.state do all = all and work:fits(i, want[first + i]) end
    if all then return first end
  end
end

local function add_around(work, want, first)
  local count <const> = #work.state
  for k = first, 1, -1 do work:put("create", want[k]) end
  for k = first + count + 1, #want do work:put("append", want[k]) end
end

local function append_then_delete(work, want)
  for _, route in ipairs(want) do
    if not work:put("append", route) then return false end
  end
  return work:del(1)
end

-- Brings the wanted route to the front: by replacing the first, or, where it stands further behind,
-- by deleting those before it (the kernel will not replace one by its equal).
local function settle_front(work, want)
  while not work:fits(1, want) do
    if work:find(want) then work:del(1) else work:replace(1, want) end
  end
end

-- Deletes one that is not wanted any more. A route that would be taken for it goes first, and comes
-- back when the front is settled again.
local function delete_behind(work, i)
  local hider <const> = work.state:hidden_by(i)
  work:del(hider or i)
  return hider == nil
end

local function settle_list(work, want)
  settle_front(work, want[1])
  local i = 2
  while work.state[i] do
    if want[i] and work:fits(i, want[i]) then
      i = i + 1
    elseif not delete_behind(work, i) then
      -- Ends: each round holds one route less than the one before.
      return settle_list(work, want)
    end
  end
  for k = i, #want do work:put("append", want[k]) end
end

local function settle4(work, want)
  if #work.state == 0 then return work:fill(want, "append") end
  if #want == 0 then return work:clear() end
  want = in_order(want)
  local first <const> = find_run(work, want)
  if first then return add_around(work, want, first) end
  if #work.state == 1 then
    local kept = false
    for _, route in ipairs(want) do kept = kept or work:fits(1, route) end
    if not kept and append_then_delete(work, want) then return end
  end
  settle_list(work, want)
end

-- IPv6: what is wanted ----------------------------------------------------------------------------

local joins <const> = entries.class[6].joins

local function refuse_unlike(a, b, field)
  return nil, ("%s: the routes to %s differ (%s and %s), and IPv6 has one route for both"):format(
    field, a.dst, nexthop.value_text(field, a[field]), nexthop.value_text(field, b[field])), MISTAKE
end

local function refuse_twice(_, route)
  return nil, ("route add %s: listed twice: File exists (EEXIST)"):format(route_of.text(route)),
    "EEXIST"
end

-- One route of two that the kernel joins.
local function join(first, second)
  local unlike <const> = route_of.unlike(first, second)
  if unlike then return refuse_unlike(first, second, unlike) end
  local hops <const> = table.move(first.nexthops, 1, #first.nexthops, 1, {})
  table.move(second.nexthops, 1, #second.nexthops, #hops + 1, hops)
  local kept <const>, message <const>, code <const> = nexthop.fit(hops, 6)
  if not kept then return nil, message, code end
  if #kept < #hops then return refuse_twice(first, second) end
  return route_of.with(first, { nexthops = kept })
end

-- The first of a list that the kernel would take a route for.
local function find_taken(list, route)
  for _, other in ipairs(list) do
    if entries.new({ other }, 6):takes(route) then return other end
  end
end

-- Joins the routes that the kernel will join, so that each of the list is one route in the end.
---@return table[]? list, string? message, string? code, table? culprit
local function join_all(want)
  local list <const>, group = {}, nil
  for _, route in ipairs(want) do
    local taken <const> = find_taken(list, route)
    if taken then
      local unlike <const> = route_of.unlike(taken, route) or taken.type ~= route.type and "type"
      local refuse <const> = unlike and refuse_unlike or refuse_twice
      local _, message <const>, code <const> = refuse(taken, route, unlike)
      return nil, message, code, route
    elseif joins(route) and group then
      local joined <const>, message <const>, code <const> = join(list[group], route)
      if not joined then return nil, message, code, route end
      list[group] = joined
    else
      list[#list + 1] = route
      group = group or joins(route) and #list
    end
  end
  return list
end

---What is there, as the kernel holds it: a list may have come from elsewhere.
---@param have ecmp.RouteValue[] of one key
---@return ecmp.RouteValue[]
function M.as_held(have)
  if not have[1] or have[1].family ~= 6 then return have end
  local list <const>, group = {}, nil
  for _, route in ipairs(have) do
    if joins(route) and group then
      local more <const> = nexthop.without(route.nexthops, list[group].nexthops)
      local hops <const> = table.move(list[group].nexthops, 1, #list[group].nexthops, 1, {})
      list[group] = route_of.with(list[group],
        { nexthops = table.move(more, 1, #more, #hops + 1, hops) })
    else
      list[#list + 1] = route
      group = group or joins(route) and #list
    end
  end
  return list
end

-- IPv6: hops --------------------------------------------------------------------------------------

-- A hop that carries traffic already goes first.
local function survivor_first(route, old)
  local i <const> = nexthop.first_among(route.nexthops, old.nexthops)
  if not i or i == 1 then return route end
  local hops <const> = { route.nexthops[i] }
  for k, other in ipairs(route.nexthops) do
    if k ~= i then hops[#hops + 1] = other end
  end
  return route_of.with(route, { nexthops = hops })
end

-- Beyond so many hops that go, one replace costs less than their requests.
local FEW <const> = 16

-- Finds for each wanted hop the one that is there: what is wanted and not there, what is there and
-- not wanted; nil where one that stays is to be otherwise.
local function hop_changes(old, route)
  local taken <const>, added <const>, gone <const> = {}, {}, {}
  for _, hop in ipairs(route.nexthops) do
    local at <const> = nexthop.find_way(old.nexthops, hop, taken)
    if at then
      local there <const> = old.nexthops[at]
      local weight <const> = #old.nexthops > 1 and there.weight or 1
      local heavier <const> = #route.nexthops > 1 and weight ~= hop.weight
      if heavier or there.onlink ~= hop.onlink then return nil end
      taken[at] = true
    else
      added[#added + 1] = hop
    end
  end
  for i, hop in ipairs(old.nexthops) do
    if not taken[i] then gone[#gone + 1] = hop end
  end
  return added, gone
end

-- IPv6 deletes the first hop of a gateway and a device, whatever its encapsulation.
local function has_twin(route, hop)
  local count = 0
  for _, other in ipairs(route.nexthops) do
    if other.via == hop.via and other.dev == hop.dev then count = count + 1 end
  end
  return count > 1
end

local function hop_deletion(route, hop)
  return { "route del", {
    dst = route.dst, table = route.table, metric = route.metric, family = 6, from = route.from,
    via = hop.via, dev = hop.dev,
  } }
end

-- Takes hops out of the route at `i`. Its first one stays: each hop has attributes of its own, and
-- those that are shown are of the first.
local function take_hops_out(work, i, gone)
  local old <const>, send <const> = work.state[i], {}
  if #gone > FEW or gone[1] == old.nexthops[1] then return false end
  for k, hop in ipairs(gone) do
    if has_twin(old, hop) or work.state:hides_hop(i, hop) then return false end
    send[k] = hop_deletion(old, hop)
  end
  local left <const> = nexthop.without(old.nexthops, gone)
  work:replace(i, route_of.with(old, { nexthops = left }), { send })
  return true
end

local function join_hops(work, i, added)
  local old <const> = work.state[i]
  local hops <const> = table.move(old.nexthops, 1, #old.nexthops, 1, {})
  if #hops == 1 then hops[1] = { via = hops[1].via, dev = hops[1].dev, weight = 1,
    onlink = hops[1].onlink, encap = hops[1].encap } end
  table.move(added, 1, #added, #hops + 1, hops)
  local route <const> = route_of.with(old, { nexthops = hops })
  -- An only hop may have a weight that no dump shows, and would have it again, which no plan says.
  -- It is the first of the new ones, so that the prefix does not miss it; what the kernel looks
  -- after itself stays as it is.
  if #old.nexthops == 1 and not work.how.all and old.proto ~= "ra" and not old.expires then
    return work:replace(i, route)
  end
  local request <const> = entries.request_with_hops(old, added)
  work:replace(i, route, { { { "route append", request } } })
end

-- Joins hops to the route at `i`, or takes some out, where that is all there is to do.
---@return boolean? done, table[]? added which are to join once nothing stands behind it
local function edit_hops(work, i, route)
  local old <const> = work.state[i]
  if not (joins(old) and joins(route)) then return false end
  local added <const>, gone <const> = hop_changes(old, route)
  if not added or added[1] and gone[1] or not (added[1] or gone[1]) then return false end
  if not route_of.matches_beside_hops(old, route)
    or work.exactly and route_of.unlike(old, route) then
    return false
  end
  if gone[1] then return take_hops_out(work, i, gone) end
  return false, added
end

-- IPv6: entries -----------------------------------------------------------------------------------

local function index_of(list, route)
  for i, other in ipairs(list) do
    if rawequal(other, route) then return i end
  end
end

-- Takes what would be taken for the entry at `i` out of its way: it goes, while that one is there,
-- and comes back behind.
local function move_behind(work, i)
  local entry <const> = work.state[i]
  while true do
    i = index_of(work.state, entry)
    local hider <const> = work.state:hidden_by(i)
    if not hider then return true end
    local other <const> = work.state[hider]
    if not work:del(hider) or not work:put("create", other) then return false end
  end
end

local function delete_entry(work, i)
  local entry <const> = work.state[i]
  if work:del(i) then return true end
  return move_behind(work, i) and work:del(index_of(work.state, entry))
end

-- Deletes entries that the kernel can be told of, the last first; one may have to go before another
-- can be.
---@return boolean whether all are gone
local function delete_those(work, routes)
  local left <const> = table.move(routes, 1, #routes, 1, {})
  local function delete_some()
    local count <const> = #left
    for k = count, 1, -1 do
      if work:del(index_of(work.state, left[k])) then table.remove(left, k) end
    end
    return #left < count
  end
  while delete_some() do end
  return #left == 0
end

-- Takes away what stands behind the route at `i`: what is to stay comes back behind its further
-- hops.
---@return table[]? taken nil where the kernel cannot be told which is meant
local function take_behind(work, superfluous, i)
  local behind <const>, taken <const> = table.move(work.state, i + 1, #work.state, 1, {}), {}
  if not delete_those(work, behind) then return nil end
  for _, route in ipairs(behind) do
    local at <const> = index_of(superfluous, route)
    if at then table.remove(superfluous, at) else taken[#taken + 1] = route end
  end
  return taken
end

-- Puts the route of all gateways in the place of the one that is not wanted.
local function replace_group(work, superfluous, old, route)
  local i <const> = index_of(work.state, old)
  local done <const>, added <const> = edit_hops(work, i, route)
  if done then return true end
  local taken <const> = #route.nexthops > 1 and take_behind(work, superfluous, i) or nil
  if #route.nexthops > 1 and not taken then return nil end
  if added then
    join_hops(work, i, added)
  else
    work:replace(i, survivor_first(route, work.state[i]))
  end
  for _, other in ipairs(taken or {}) do work:put("create", other) end
  return true
end

-- Brings in one route: that of all gateways in the place of the one that is not wanted, another
-- beside what is there.
---@return boolean? done nil where it cannot be beside another that is to go, or to stay
local function bring_in(work, superfluous, route)
  for k, old in ipairs(joins(route) and superfluous or {}) do
    if joins(old) then
      table.remove(superfluous, k)
      return replace_group(work, superfluous, old, route)
    end
  end
  return work:put("create", route)
end

-- Brings in what is missing, gateways first: the further ones go behind all that is there, and no
-- dump lists what stands between two of them.
local function bring_in_all(work, superfluous, missing)
  for _, joining in ipairs { true, false } do
    for _, route in ipairs(missing) do
      if joins(route) == joining and not bring_in(work, superfluous, route) then return nil end
    end
  end
  return true
end

local function delete_all(work, superfluous)
  for _, route in ipairs(superfluous) do
    if not delete_entry(work, index_of(work.state, route)) then return nil end
  end
  return true
end

-- How many of the wanted routes, from the first on, stand one behind the other already.
local function count_in_order(state, want)
  local at = 0
  for k, route in ipairs(want) do
    local i <const> = state:find(route, true)
    if not i or i < at then return k - 1 end
    at = i
  end
  return #want
end

-- Brings entries into an order, of which the first is used: those out of it go, while others stay,
-- and come back behind.
local function put_in_order(work, want)
  for k = count_in_order(work.state, want) + 1, #want do
    local i <const> = work:find(want[k])
    local route <const> = work.state[i]
    if not work:del(i) then return end
    work:put("create", route)
  end
end

-- Steps by which the key holds a route all the time; nil where there are none.
local function keep_one(have, superfluous, missing, how)
  local work <const> = work_on(have, 6, how)
  superfluous = table.move(superfluous, 1, #superfluous, 1, {})
  return bring_in_all(work, superfluous, missing) and delete_all(work, superfluous) and work
end

-- The same where a new route cannot stand beside one that is to go: that goes first, while others
-- stay.
local function delete_first(have, superfluous, missing, how)
  if #superfluous == #have then return nil end
  local work <const> = work_on(have, 6, how)
  return delete_all(work, superfluous) and bring_in_all(work, {}, missing) and work
end

-- Whether one of some routes can come only once the entry at `i` is gone.
local function is_waited_for(state, i, waiting)
  local rest <const> = state:without(i)
  for _, route in ipairs(waiting) do
    if not rest:takes(route) then return true end
  end
  return false
end

-- Deletes one entry while another stays: of several one that others wait for.
---@return boolean? done
local function delete_one(work, left, waiting)
  for _, is_choosy in ipairs { true, false } do
    for k = #left, 1, -1 do
      local i <const> = index_of(work.state, left[k])
      local can_go <const> = #work.state > 1
        and not (is_choosy and waiting[1] and not is_waited_for(work.state, i, waiting))
      if can_go and work:del(i) then return table.remove(left, k) ~= nil end
    end
  end
end

-- The same where new ones have to wait for some that go, and these for some that come: gateways
-- first, then by turns what can come and what can go while another stays.
local function take_turns(have, superfluous, missing, how)
  local work <const>, left <const>, waiting <const> = work_on(have, 6, how), {}, {}
  table.move(superfluous, 1, #superfluous, 1, left)
  for _, route in ipairs(missing) do
    if not joins(route) then
      waiting[#waiting + 1] = route
    elseif not bring_in(work, left, route) then
      return nil
    end
  end
  repeat
    for k = #waiting, 1, -1 do
      if work:put("create", waiting[k]) then table.remove(waiting, k) end
    end
  until not delete_one(work, left, waiting)
  return not (left[1] or waiting[1]) and work
end

local function settle6(work, want)
  if #work.state == 0 then return work:fill(want, "create") end
  if #want == 0 then return work:clear() end
  local superfluous <const>, missing <const> = work.state:difference(want, work.exactly)
  if not missing[1] and not superfluous[1] then
    if work.exactly then put_in_order(work, want) end
    return
  end
  if #work.state == 1 and #want == 1 then
    local done <const>, added = edit_hops(work, 1, want[1])
    if done then return end
    if added then return join_hops(work, 1, added) end
    return work:replace(1, survivor_first(want[1], work.state[1]))
  end
  local done <const> = keep_one(work.state, superfluous, missing, work.how)
    or delete_first(work.state, superfluous, missing, work.how)
    or take_turns(work.state, superfluous, missing, work.how)
  if done then
    work.state, work.steps = done.state, done.steps
    if work.exactly then put_in_order(work, want) end
    return
  end
  -- The kernel cannot tell apart what is to go and what is to stay: this is the case in which the
  -- prefix is without a route for a moment.
  work:clear()
  work:fill(want, "create")
end

-- Both --------------------------------------------------------------------------------------------

-- A route with the devices that another names of the same gateways: the kernel finds those that are
-- left out.
local function with_devices(route, other)
  local hops
  for i, hop in ipairs(#route.nexthops == #other.nexthops and route.nexthops or {}) do
    local there <const> = other.nexthops[i]
    if not hop.dev and hop.via and hop.via == there.via and there.dev then
      hops = hops or table.move(route.nexthops, 1, #route.nexthops, 1, {})
      hops[i] = { via = hop.via, dev = there.dev, weight = hop.weight, onlink = hop.onlink,
        encap = hop.encap, realm = hop.realm }
    end
  end
  return hops and route_of.with(route, { nexthops = hops }) or route
end

-- The one route that two are, as the kernel tells routes apart once it has found their devices.
local function one_of(first, second)
  local same <const> = entries.class[first.family].same
  if same(first, second) then return first end
  local a <const>, b <const> = with_devices(first, second), with_devices(second, first)
  local filled <const> = not (rawequal(a, first) and rawequal(b, second))
  return filled and same(a, b) and a or nil
end

-- The place of the route in a list that another is, which gets the devices that that one names.
local function find_same(list, route)
  for k, other in ipairs(list) do
    local one <const> = one_of(other, route)
    if one then
      list[k] = one
      return k
    end
  end
end

---A list without routes that are there before, as the kernel tells routes apart.
---@param routes ecmp.RouteValue[] of one key
---@return ecmp.RouteValue[] list
---@return integer[] places in `routes` of those in the list
---@return table<integer, integer> repeated by the place of each other, that of the first
function M.distinct(routes)
  local list <const>, places <const>, repeated <const> = {}, {}, {}
  for i, route in ipairs(routes) do
    local k <const> = find_same(list, route)
    if k then
      repeated[i] = places[k]
    else
      list[#list + 1], places[#places + 1] = route, i
    end
  end
  return list, places, repeated
end

---Finds the steps for one key.
---@param have ecmp.RouteValue[] as the kernel lists them
---@param want ecmp.RouteValue[] in the order listed; those marked `separate` are created one by
---one, as the reference plugins do
---@param how? { exactly: boolean, all: boolean } exactly: what a wanted route leaves out is not
---there, instead of matching anything; all: `have` is all that the key holds
---@return table[]? steps, string? message, string? code nil, message naming the field, "EINVAL"
---for what cannot be in one key; "EEXIST" for what IPv6 would hold twice
---@return ecmp.RouteValue? culprit the wanted route that is refused
function M.between(have, want, how)
  local family <const> = (want[1] or have[1] or {}).family
  want = M.distinct(want)
  local work <const> = work_on(M.as_held(have), family, how)
  if family ~= 6 then
    settle4(work, want)
    return work.steps
  end
  local list <const>, message <const>, code <const>, culprit <const> = join_all(want)
  if not list then return nil, message, code, culprit end
  -- Into an empty key every route goes as it was listed, and the kernel joins them.
  settle6(work, #have == 0 and want[1] and want[1].separate and want or list)
  return work.steps
end

---The steps that take one hop out of an IPv6 route, whose other hops keep what attributes they
---have.
---@param have ecmp.RouteValue[] all that the key holds
---@param i integer the place of the route, of several hops
---@param hop table one of its hops
---@return table[] steps
function M.without_hop(have, i, hop)
  local how <const> = { exactly = true, all = true }
  local work <const>, old <const> = work_on(have, 6, how), have[i]
  local left <const> = route_of.with(old, { nexthops = nexthop.without(old.nexthops, { hop }) })
  if has_twin(old, hop) or work.state:hides_hop(i, hop) then
    local want <const> = table.move(have, 1, #have, 1, {})
    want[i] = left
    return assert(M.between(have, want, how))
  end
  work:replace(i, left, { { hop_deletion(old, hop) } })
  return work.steps
end

---The steps that take steps back: from what their key holds after the last to what it held before
---the first. One by one they could not be, as what comes back may stand elsewhere.
---@param first table
---@param last table of the same key
---@return table[] steps
function M.inverse(first, last)
  return assert(M.between(last.after, first.before, M.EXACTLY))
end

local VERB <const> = {
  add = "route add", append = "route append", create = "route prepend",
  replace = "route replace",
}

---What a step asks of the kernel.
---@param step table
---@return table[][] sends requests of a batch that may travel at once, one list after the other
---@return table? back the request that takes the first of them back, should a later one be refused
function M.requests(step)
  if step.sends then return step.sends, step.back end
  return { { { VERB[step.verb], route_of.request(step.route) } } }
end

return M
