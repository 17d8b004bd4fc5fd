---Plans: the changes that make the routes of one list into those of another, and carrying them out.
--
-- What both lists hold alike costs one comparison of fields and nothing else, because that is what
-- most of a large table is. Only where something differs are routes brought into canonical form.
local identity <const> = require "ecmp.identity"
local slot <const> = require "ecmp.slot"

local Plan <const> = { __name = "ecmp.plan" }
Plan.__index = Plan

local Transaction <const> = { __name = "ecmp.transaction" }
Transaction.__index = Transaction

-- How many changes travel in one batch; between batches progress is told.
local CHUNK <const> = 4096

-- Fields that the slot stands for, and the mark that no kernel knows.
local IN_SLOT <const> = {
  dst = true, family = true, table = true, metric = true, tos = true, from = true, separate = true,
}

-- Comparing without canonical forms ---------------------------------------------------------------

local function hops_alike(have, want)
  if not have or #have ~= #want or #want < 2 then return false end
  for i = 1, #want do
    local a <const>, b <const> = have[i], want[i]
    if a.via ~= b.via or b.dev and a.dev ~= b.dev or (a.weight or 1) ~= (b.weight or 1)
      or (a.onlink or false) ~= (b.onlink or false) or b.encap then
      return false
    end
  end
  return true
end

---Whether a route fits what is wanted as it is written. A yes is sure; a no only means that the
---canonical forms have to be compared.
local function alike(have, want)
  for field, value in pairs(want) do
    if field == "nexthops" then
      if not hops_alike(have.nexthops, value) then return false end
    elseif field == "weight" or not IN_SLOT[field] and have[field] ~= value then
      return false
    end
  end
  local kind <const> = have.type
  if (want.type or "unicast") ~= (kind or "unicast") then return false end
  if want.nexthops then return not have.onlink end
  if want.dev == nil and want.via == nil then return false end
  return have.nexthops == nil and have.via == want.via
    and (have.onlink or false) == (want.onlink or false)
end

-- Finding the changes -----------------------------------------------------------------------------

---A planning in progress. `wanted_at[key]` is where the slot is first wanted, `held_at[j]` where
---what is wanted at `j` is first held; slots in which either list has several routes are `crowded`.
local function start(current, wanted)
  return {
    current = current, wanted = wanted, keys = {}, wanted_at = {}, held_at = {}, crowded = {},
    builds = {}, deletes = {}, stated = {},
  }
end

local function crowd(work, key)
  local slots <const> = work.crowded
  slots[key] = slots[key] or { have = {}, want = {} }
  return slots[key]
end

---@return boolean? done, string? message, integer? code
local function index_wanted(work)
  local slot_of <const>, keys <const>, at <const> = identity.slot, work.keys, work.wanted_at
  for j, route in ipairs(work.wanted) do
    local key, message = slot_of(route)
    if not key then return nil, ("wanted[%d].%s"):format(j, message), 7 end
    keys[j] = key
    local first <const> = at[key]
    if first then
      local lists <const> = crowd(work, key)
      if #lists.want == 0 then lists.want[1] = first end
      table.insert(lists.want, j)
    else
      at[key] = j
    end
  end
  return true
end

---@return boolean? done, string? message, integer? code
local function index_current(work)
  local slot_of <const>, at <const>, held_at <const> = identity.slot, work.wanted_at, work.held_at
  local crowded <const>, gone <const> = work.crowded, {}
  for i, route in ipairs(work.current) do
    local key, message = slot_of(route)
    if not key then return nil, ("current[%d].%s"):format(i, message), 7 end
    local j <const> = at[key]
    if not j then
      gone[#gone + 1] = i
    elseif held_at[j] or crowded[key] then
      local lists <const> = crowd(work, key)
      if #lists.want == 0 then lists.want[1] = j end
      if #lists.have == 0 and held_at[j] then lists.have[1] = held_at[j] end
      held_at[j] = held_at[j] or i
      if lists.have[#lists.have] ~= i then table.insert(lists.have, i) end
    else
      held_at[j] = i
    end
  end
  work.gone = gone
  return true
end

---@return table? canonical, string? message, integer? code
local function want(work, j)
  local route <const> = work.wanted[j]
  local canonical, message, code = identity.canonical(route)
  if not canonical then return nil, ("wanted[%d].%s"):format(j, message), code end
  work.stated[canonical] = route
  return canonical
end

local function compare(work, j)
  local held <const> = work.current[work.held_at[j]]
  if held and alike(held, work.wanted[j]) then return true end
  local new, message, code = want(work, j)
  if not new then return nil, message, code end
  local old <const> = held and identity.held(held)
  if old and identity.matches(old, new, work.wanted[j]) then return true end
  if old and new.family == 6 or new.separate then
    -- ecmp.slot knows in which order the hops of an IPv6 route had better be replaced.
    local changes <const> = assert(slot.settle({ old }, { new }, work.stated))
    -- Alone in its slot, a change says by itself how it is taken back, and may share a batch.
    if #changes == 1 then changes[1].before, changes[1].after = nil, nil end
    table.move(changes, 1, #changes, #work.builds + 1, work.builds)
  else
    work.builds[#work.builds + 1] = { verb = old and "replace" or "add", route = new, old = old }
  end
  return true
end

local function compare_crowd(work, lists)
  local have <const>, wanted <const> = {}, {}
  for n, i in ipairs(lists.have) do have[n] = identity.held(work.current[i]) end
  for n, j in ipairs(lists.want) do
    local canonical, message, code = want(work, j)
    if not canonical then return nil, message, code end
    wanted[n] = canonical
  end
  local changes, message, code = slot.settle(have, wanted, work.stated)
  if not changes then return nil, message, code end
  table.move(changes, 1, #changes, #work.builds + 1, work.builds)
  return true
end

local function compare_all(work)
  for j, key in ipairs(work.keys) do
    local lists <const> = work.crowded[key]
    local done, message, code = true, nil, nil
    if not lists then
      done, message, code = compare(work, j)
    elseif not lists.done then
      lists.done = true
      done, message, code = compare_crowd(work, lists)
    end
    if not done then return nil, message, code end
  end
  return true
end

---What only the first list holds. Several routes of one slot go together, so that taking it back
---puts them into the order they had.
local function delete_gone(work)
  local slots <const>, order <const> = {}, {}
  for _, i in ipairs(work.gone) do
    local held <const> = identity.held(work.current[i])
    local key <const> = identity.slot(work.current[i])
    if not slots[key] then
      slots[key] = {}
      order[#order + 1] = slots[key]
    end
    table.insert(slots[key], held)
  end
  for _, list in ipairs(order) do
    if list[2] then
      local changes <const> = assert(slot.settle(list, {}))
      table.move(changes, 1, #changes, #work.deletes + 1, work.deletes)
    else
      work.deletes[#work.deletes + 1] = { verb = "del", old = list[1] }
    end
  end
end

---Plans the changes from one list of routes to another; linear in their lengths.
--
-- A field that `wanted` leaves out matches anything; what only `current` holds is deleted, after
-- everything else is in place. Several routes of one slot are taken as the kernel lists them.
---@param current table[] routes or views, as the kernel lists them
---@param wanted table[] routes; those marked `separate` (ecmp.rule) are created one by one
---@return table? plan a list of changes, string? message, integer|string|nil code nil, message
---naming the field, 7 for what can be no route; "EEXIST" for what IPv6 would hold twice
local function plan(current, wanted)
  if type(current) ~= "table" and type(current) ~= "userdata" then
    error("current: a list of routes is due here", 2)
  end
  if type(wanted) ~= "table" and type(wanted) ~= "userdata" then
    error("wanted: a list of routes is due here", 2)
  end
  local work <const> = start(current, wanted)
  for _, step in ipairs { index_wanted, index_current, compare_all } do
    local done, message, code = step(work)
    if not done then return nil, message, code end
  end
  delete_gone(work)
  local changes <const> = work.builds
  table.move(work.deletes, 1, #work.deletes, #changes + 1, changes)
  return setmetatable(changes, Plan)
end

-- Text --------------------------------------------------------------------------------------------

---One change on a line: `+ route`, `- route`, or `~ dst what it was -> what it is to be`.
---@param change table
---@return string
local function change_text(change)
  if change.verb == "del" then return "- " .. identity.text(change.old) end
  if change.verb ~= "replace" then return "+ " .. identity.text(change.route) end
  local old <const>, new <const> = change.old, change.route
  if old.type ~= "unicast" or new.type ~= "unicast" then
    return ("~ %s -> %s"):format(identity.text(old), identity.text(new))
  end
  return ("~ %s -> %s"):format(identity.text(old), identity.rest(new))
end

function Plan:__tostring()
  if #self == 0 then return "nothing to change" end
  local lines <const> = {}
  for i, change in ipairs(self) do lines[i] = change_text(change) end
  return table.concat(lines, "\n")
end

-- Carrying out ------------------------------------------------------------------------------------

local VERB <const> = {
  add = "add", append = "append", create = "prepend", replace = "replace", del = "del",
}

---A route as a request: the mark of `separate` is ours, not the kernel's.
local function request(route)
  local words <const> = identity.plain(route)
  words.separate = nil
  return words
end

---The request that deletes exactly this route and no other of its slot: by all its hops. An IPv4
---route by one gateway must be named as a list of one, because the bare gateway also matches the
---first hop of a multipath route; and IPv4's metric 0 alone would match any metric.
local function deletion(route)
  local words <const> = {
    family = route.family, dst = route.dst, table = route.table, tos = route.tos,
    metric = route.metric, from = route.from,
  }
  local hops <const> = {}
  for i, hop in ipairs(route.nexthops) do hops[i] = { via = hop.via, dev = hop.dev } end
  if route.nhid then
    words.nhid = route.nhid
    return words
  end
  if route.family == 4 then
    words.type, words.scope = route.type, route.scope
    words.nexthops = hops[1] and hops
  elseif hops[2] then
    words.nexthops = hops
  elseif hops[1] then
    words.via, words.dev = hops[1].via, hops[1].dev
  end
  return words
end

local function request_of(change)
  return change.verb == "del" and deletion(change.old) or request(change.route)
end

-- As one request of a batch: the handle's own verbs look after the other entries of the slot, which
-- have changes of their own here.
---@return boolean? done, string? message, integer|string|nil code
local function carry_out(nl, change)
  local requests <const> = { { "route " .. VERB[change.verb], request_of(change) } }
  local results, message, code = nl:batch(requests, { order = "keep" })
  if not results then return nil, message, code end
  if results[1] ~= true then return nil, results[1].message, results[1].code end
  return true
end

---How far a batch may reach from `first`: changes of one kind to slots of their own. What builds
---and what destroys never travel together, because the kernel goes on after a refusal.
local function chunk_end(changes, first)
  local is_deletion <const> = changes[first].verb == "del"
  local last = first
  while last < #changes and last - first + 1 < CHUNK do
    local next_change <const> = changes[last + 1]
    if next_change.before or changes[first].before then break end
    if (next_change.verb == "del") ~= is_deletion then break end
    last = last + 1
  end
  return last
end

---@return boolean? done, string? message, integer|string|nil code
local function carry_out_batch(tx, changes, first, last)
  local requests <const> = {}
  for i = first, last do
    requests[#requests + 1] = { "route " .. VERB[changes[i].verb], request_of(changes[i]) }
  end
  local results, message, code = tx.nl:batch(requests, { order = "keep" })
  if not results then return nil, message, code end
  local failed
  for i = first, last do
    local result <const> = results[i - first + 1]
    if result == true then
      tx.done[#tx.done + 1] = changes[i]
    else
      failed = failed or result
    end
  end
  if failed then return nil, failed.message, failed.code end
  return true
end

---@return boolean? done, string? message, integer|string|nil code
local function carry_out_all(tx, changes, progress)
  local first = 1
  while first <= #changes do
    local last <const> = chunk_end(changes, first)
    local done, message, code
    if first == last then
      done, message, code = carry_out(tx.nl, changes[first])
      if done then tx.done[#tx.done + 1] = changes[first] end
    else
      done, message, code = carry_out_batch(tx, changes, first, last)
    end
    if not done then return nil, message, code end
    if progress and progress(last, #changes) == false then
      return nil, ("stopped after %d of %d changes (EINTR)"):format(last, #changes), "EINTR"
    end
    first = last + 1
  end
  return true
end

---Takes everything back, newest first. One refusal does not keep the rest from being taken back.
local function undo(tx)
  local first_message, first_code
  for i = #tx.done, 1, -1 do
    for _, change in ipairs(slot.inverse(tx.done[i])) do
      local done, message, code = carry_out(tx.nl, change)
      if not done then
        first_message, first_code = first_message or message, first_code or code
      end
    end
    tx.done[i] = nil
  end
  if first_message then return nil, first_message, first_code end
  return true
end

---Carries the plan out, to be taken back unless `commit` is called.
--
--     local tx <close> = assert(plan:begin(nl))
--     ...
--     tx:commit()
---@param nl table a handle of ecmp.open
---@param options? table `progress`: called with the changes done and their number after each batch;
---false from it stops
---@return table? transaction, string? message, integer|string|nil code after a refusal everything
---is as before
function Plan:begin(nl, options)
  local tx <const> = setmetatable({ nl = nl, done = {} }, Transaction)
  local done, message, code = carry_out_all(tx, self, options and options.progress)
  if done then return tx end
  local undone, why = undo(tx)
  if not undone then
    message = ("%s; taking back what was done failed too: %s"):format(message, why)
  end
  return nil, message, code
end

---Carries the plan out, all of it or nothing.
---@param nl table a handle of ecmp.open
---@param options? table see `begin`
---@return boolean? done, string? message, integer|string|nil code
function Plan:apply(nl, options)
  local tx, message, code = self:begin(nl, options)
  if not tx then return nil, message, code end
  tx:commit()
  return true
end

---Lets the changes stand.
function Transaction:commit()
  self.done = {}
end

---Takes back what is not committed; twice is fine.
---@return boolean? done, string? message, integer|string|nil code
function Transaction:close()
  return undo(self)
end

Transaction.__close = Transaction.close

return plan
