---Compares two lists of routes: finds the changes that turn one into the other.
--
-- Most of a large table stays, and most of what changes is plain. So the lists are first matched in
-- C as messages, key by key; what C cannot decide is compared here as Routes. What it has
-- decided stays a number until somebody looks at the change.
local later = require "ecmp.later"
local entries = later "ecmp.fib.entries"
local nexthop = require "ecmp.fib.nexthop"
local route_of = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"
local transition = later "ecmp.fib.transition"

local M = {}

-- A step is the number of a held route, that of a wanted one shifted by 31, and whether the two are
-- surely not the same: see rtnl.match.
local NUMBER <const>, SURE <const> = 0x7fffffff, 1 << 62

-- The code for a route that is invalid whatever the kernel holds.
local MISTAKE <const> = "EINVAL"

-- Matching ----------------------------------------------------------------------------------------

---Sorts one list by key. `into` is "have" or "want".
---@return boolean? done, string? message, string? code
local function sort(routes, name, into, keys, order)
  for i, route in ipairs(routes) do
    local key, message = route_of.slot(route)
    if not key then return nil, ("%s[%d].%s"):format(name, i, message), MISTAKE end
    if not keys[key] then
      keys[key] = { have = {}, want = {} }
      order[#order + 1] = keys[key]
    end
    table.insert(keys[key][into], i)
  end
  return true
end

---What rtnl.match does, for lists that hold what is written in other ways; sure of nothing.
---@return table? steps, string? message, string? code
local function match_by_text(current, wanted)
  local keys <const>, order <const>, steps <const> = {}, {}, {}
  local done, message, code = sort(wanted, "wanted", "want", keys, order)
  if done then done, message, code = sort(current, "current", "have", keys, order) end
  if not done then return nil, message, code end
  for k, one in ipairs(order) do
    local alone <const> = #one.have <= 1 and #one.want <= 1
    steps[k] = alone and (one.have[1] or 0) | (one.want[1] or 0) << 31 or one
  end
  return steps
end

-- Comparing ---------------------------------------------------------------------------------------

---@return table? route, string? message, string? code
local function wanted_route(wanted, j)
  local made, message, code = route_of.canonical(wanted[j], nexthop.possible)
  if not made then return nil, ("wanted[%d].%s"):format(j, message), code end
  return made
end

---The changes to a key that holds one route at most and is to hold one at most.
local function change_alone(old, new, exactly)
  if not new then return { { verb = "del", old = old } } end
  if not (old and new.family == 6 or new.separate) then
    return { { verb = old and "replace" or "add", route = new, old = old } }
  end
  local changes <const> = assert(transition.between({ old }, { new }, { exactly = exactly }))
  -- Alone in its key, a change says by itself how it is taken back, and may share a batch.
  if #changes == 1 then changes[1].before, changes[1].after = nil, nil end
  return changes
end

---The changes from the i-th route that is there to the j-th that is wanted, 0 where there is none.
---@param sure? boolean that there are some
---@return table? changes, string? message, string? code
local function compare(lists, i, j, sure)
  local old <const> = i > 0 and route_of.held(lists.current[i]) or nil
  if j == 0 then return change_alone(old) end
  local new, message, code = wanted_route(lists.wanted, j)
  if not new then return nil, message, code end
  if old and not sure and route_of.fits(old, new, lists.exactly) then return {} end
  return change_alone(old, new, lists.exactly)
end

-- The wanted routes of a key, each once; which are listed again is kept in `lists.repeated`.
---@return table[]? want, integer[]|string places in `numbers`, or message
---@return string? code
local function wanted_once(lists, numbers)
  local want <const> = {}
  for n, j in ipairs(numbers) do
    local route, message, code = wanted_route(lists.wanted, j)
    if not route then return nil, message, code end
    want[n] = route
  end
  local once <const>, places <const>, repeated <const> = transition.distinct(want)
  for n, first in pairs(repeated) do lists.repeated[numbers[n]] = numbers[first] end
  return once, places
end

local function index_of(want, route)
  for n, other in ipairs(want) do
    if rawequal(other, route) then return n end
  end
end

---The changes to a key of several routes.
---@return table? changes, string? message, string? code
local function compare_several(lists, several)
  local have <const> = {}
  for n, i in ipairs(several.have) do have[n] = route_of.held(lists.current[i]) end
  local want <const>, places <const>, wrong <const> = wanted_once(lists, several.want)
  if not want then return nil, places, wrong end
  if #have <= 1 and #want <= 1 then
    if have[1] and want[1] and route_of.fits(have[1], want[1], lists.exactly) then return {} end
    return change_alone(have[1], want[1], lists.exactly)
  end
  local changes <const>, message <const>, code <const>, culprit <const> =
    transition.between(have, want, { exactly = lists.exactly })
  if changes then return changes end
  local n <const> = code == MISTAKE and index_of(want, culprit)
  return nil, n and ("wanted[%d].%s"):format(several.want[places[n]], message) or message, code
end

local function is_sure(step)
  return type(step) == "number" and step & SURE ~= 0
end

local function compare_step(lists, step)
  if type(step) == "table" then return compare_several(lists, step) end
  return compare(lists, step & NUMBER, step >> 31 & NUMBER)
end

-- The list ----------------------------------------------------------------------------------------

---Finds the changes; linear. Fields that `wanted` leaves out match anything; what only `current`
---holds is deleted after everything else is in place.
---@param current table[] routes or views
---@param wanted table[] routes
---@param exactly? boolean what is left out is not there
---@return table? lists for the functions below: `current`, `wanted`, `exactly`, `found` changes,
---with numbers in place of those not written out yet, and `repeated`: by the number of a wanted
---route that is listed again, that of the first
---@return string? message
---@return string? code
function M.find(current, wanted, exactly)
  local lists <const> = { current = current, wanted = wanted, exactly = exactly, repeated = {} }
  local steps, unsure, message, code = rtnl.match(current, wanted, exactly)
  lists.found = steps
  if unsure == 0 then return lists end
  if not steps then steps, message, code = match_by_text(current, wanted) end
  if not steps then return nil, message, code end
  local found, count = {}, 0
  for k = 1, #steps do
    local step <const> = steps[k]
    if is_sure(step) then
      count = count + 1
      found[count] = step
    else
      local changes
      changes, message, code = compare_step(lists, step)
      if not changes then return nil, message, code end
      table.move(changes, 1, #changes, count + 1, found)
      count = count + #changes
    end
  end
  lists.found = found
  return lists
end

---What the k-th change does, without writing it out.
---@return string verb
function M.verb(lists, k)
  local change <const> = lists.found[k]
  if type(change) ~= "number" then return change.verb end
  if change & NUMBER == 0 then return "add" end
  return change >> 31 & NUMBER == 0 and "del" or "replace"
end

---The route that the k-th change makes and the one that it takes away, as they are listed.
---@return table? new, table? old
---@return boolean alone whether it is the only change of its key
function M.routes(lists, k)
  local change <const> = lists.found[k]
  if type(change) ~= "number" then return change.route, change.old, change.before == nil end
  local i <const>, j <const> = change & NUMBER, change >> 31 & NUMBER
  return j > 0 and lists.wanted[j] or nil, i > 0 and lists.current[i] or nil, true
end

---The last of the changes from the k-th on, `most` at most, that do nothing but add wanted routes
---as they are listed, one behind the other; k where it does something else.
---@param lists table
---@param k integer
---@param most integer
---@return integer last
function M.run(lists, k, most)
  return rtnl.run(lists.found, k, most)
end

---The key that the k-th change is about.
---@return string key
function M.slot(lists, k)
  local change <const> = lists.found[k]
  if type(change) ~= "number" then return (assert(route_of.slot(change.route or change.old))) end
  local j <const> = change >> 31 & NUMBER
  if j == 0 then return (assert(route_of.slot(lists.current[change & NUMBER]))) end
  return rtnl.slot(lists.wanted, j) or assert(route_of.slot(lists.wanted[j]))
end

---The keys that the changes of a run add to, a line each, behind a word.
---@return string? lines nil where they have to be asked for one by one
function M.slots(lists, k, last, word)
  local j <const> = k < last and lists.found[k] >> 31 & NUMBER
  return j and rtnl.slots(lists.wanted, j, j + last - k, word) or nil
end

---What the k-th change comes from, as messages name it.
---@return string
function M.place(lists, k)
  local change <const> = lists.found[k]
  local j <const> = type(change) == "number" and change >> 31 & NUMBER or 0
  return j > 0 and ("wanted[%d]"):format(j) or ("changes[%d]"):format(k)
end

---The wanted route itself, where the kernel can be told just that: nil where the change has to be
---written out for it.
---@return table|userdata|nil route or the list it is in
---@return integer? number in that list
function M.as_listed(lists, k)
  local change <const>, wanted <const> = lists.found[k], lists.wanted
  local j <const> = type(change) == "number" and change >> 31 & NUMBER or 0
  if j == 0 then return nil end
  if type(wanted) == "userdata" then return wanted, j end
  local route <const> = wanted[j]
  if route_of.is(route) or route.nexthops and (route.onlink or #route.nexthops < 2) then
    return nil
  end
  -- A view that leaves its type out says less than it seems to.
  if type(route) == "userdata" and not (route.type and route.table) then return nil end
  return route
end

---One change of those found, written out.
---@param lists table the lists it was made of are unaltered
---@param k integer
---@return table? change `{ verb, route, old }`, see ecmp.fib.transition
function M.change(lists, k)
  local change <const> = lists.found[k]
  if type(change) ~= "number" then return change end
  local written <const> = assert(compare(lists, change & NUMBER, change >> 31 & NUMBER, true))
  return assert(written[1], "two comparisons of one route disagree")
end

-- Whether the gateway of a hop may be one of others, however it is written.
local function may_stay(route, gateways)
  local hops <const> = route.nexthops or { route }
  for i = 1, #hops do
    local via <const> = nexthop.gateway(hops[i].via)
    if not via or gateways[via] then return true end
  end
  return false
end

---Writes out a replace that is not sent as the wanted route is listed: in IPv6 where a hop of the
---old one may stay, as which requests it takes, and in which order its hops had better come, is
---found out by that; in IPv4 always, as the new one is appended and then the old one deleted.
---@param lists table
---@param k integer
function M.settle_replace(lists, k)
  local change = lists.found[k]
  if type(change) ~= "number" and change.route.family == 6 then return end
  local new <const>, old <const> = M.routes(lists, k)
  if old.family == 4 then
    change = M.change(lists, k)
    change.sends = { { { "route append", route_of.request(change.route) } },
      { { "route del", entries.deletion(old) } } }
    change.back = { "route del", entries.deletion(change.route) }
    lists.found[k] = change
    return
  end
  local gateways <const> = {}
  for _, hop in ipairs(old.nexthops or { old }) do
    if hop.via then gateways[hop.via] = true end
  end
  if old.nhid or next(gateways) == nil or may_stay(new, gateways) then
    lists.found[k] = M.change(lists, k)
  end
end

return M
