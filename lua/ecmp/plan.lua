---Plans: the changes that make the routes of one list into those of another, and carrying them out.
--
-- A plan is a list to be read. Its changes are written out when they are looked at, since of a
-- million of them nobody needs all at once: the lists it was made from must stay as they are.
local difference <const> = require "ecmp.fib.diff"
local entries <const> = require "ecmp.fib.entry"
local identity <const> = require "ecmp.fib.route"
local slot <const> = require "ecmp.fib.slot"

local Plan <const> = { __name = "ecmp.plan" }
local methods <const> = {}

local Transaction <const> = { __name = "ecmp.transaction" }
Transaction.__index = Transaction

-- How many changes travel in one batch; between batches progress is told. The more there are at
-- once, the better the order that the kernel can be given them in.
local CHUNK <const> = 1 << 15
-- How many are taken back at once, each of which is written out for it.
local UNDO_CHUNK <const> = 4096

-- The list ----------------------------------------------------------------------------------------

-- What a plan is made of: `found`, `current`, `wanted`.
local made_of <const> = setmetatable({}, { __mode = "k" })

---@return table|userdata|nil list, string? message, integer? code
local function read(list, name)
  if type(list) == "userdata" then return list end
  local routes <const>, message <const>, code <const> = identity.without_texts(list)
  if not routes then return nil, name .. message, code end
  return routes
end

---Plans the changes from one list of routes to another; linear in their lengths.
---
--- A field that `wanted` leaves out matches anything; what only `current` holds is deleted, after
--- everything else is in place. Several routes of one slot are taken as the kernel lists them.
---@param current (table|string)[] routes or views, as the kernel lists them
---@param wanted (table|string)[] routes, views, or words as `ip route add` takes them; those marked
---`separate` (ecmp.rule) are created one by one
---@param options? table `exactly`: what `wanted` leaves out is not to be there, as in a list of the
---kernel's own that is to be brought back
---@return table? plan a list of changes, string? message, integer|string|nil code nil, message
---naming the field, 7 for what can be no route; "EEXIST" for what IPv6 would hold twice
local function plan(current, wanted, options)
  local lists <const> = {
    current = current, wanted = wanted, exactly = options and options.exactly,
  }
  for _, name in ipairs { "current", "wanted" } do
    local kind <const> = type(lists[name])
    if kind ~= "table" and kind ~= "userdata" then
      error(name .. ": a list of routes is due here", 2)
    end
    local list <const>, message <const>, code <const> = read(lists[name], name)
    if not list then return nil, message, code end
    lists[name] = list
  end
  local message, code
  lists.found, message, code = difference.find(lists.current, lists.wanted, lists.exactly)
  if not lists.found then return nil, message, code end
  local self <const> = setmetatable({}, Plan)
  made_of[self] = lists
  return self
end

function Plan.__index(self, key)
  if math.type(key) ~= "integer" then return methods[key] end
  local of <const> = made_of[self]
  return difference.change(of.found, key, of.current, of.wanted, of.exactly)
end

function Plan.__len(self)
  return #made_of[self].found
end

function Plan.__pairs(self)
  return ipairs(self)
end

function Plan.__newindex()
  error("a plan is a list to be read", 2)
end

---How many changes do what, by verb.
---@return table<string, integer>
function methods:counts()
  local counts <const>, found <const>, k = {}, made_of[self].found, 1
  while k <= #self do
    local verb <const>, last <const> = difference.verb(found, k), difference.run(found, k, #self)
    counts[verb] = (counts[verb] or 0) + last - k + 1
    k = last + 1
  end
  return counts
end

local MANY <const> = 512 -- lines at once

---Iterates over the slots that change, as ecmp.fib.route names them, as lines of text: one with the
---slot itself, or many that are added to slots that hold nothing.
---@param word string in front of each
---@return fun(): string?, string?
function methods:slots(word)
  local of <const>, count <const>, k = made_of[self], #self, 1
  local alone = 0 -- so far they are asked for one by one
  return function()
    if k > count then return nil end
    local first <const> = k
    if first > alone then
      alone = difference.run(of.found, first, math.min(first + MANY - 1, count))
      local lines <const> = difference.slots(of.found, first, alone, of.wanted, word)
      k = alone + 1
      if lines then return lines end
    end
    k = first + 1
    local one <const> = difference.slot(of.found, first, of.current, of.wanted)
    return word .. one .. "\n", one
  end
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

function Plan.__tostring(self)
  if #self == 0 then return "nothing to change" end
  local lines <const> = {}
  for i, change in ipairs(self) do lines[i] = change_text(change) end
  return table.concat(lines, "\n")
end

-- Carrying out ------------------------------------------------------------------------------------

local VERB <const> = {
  add = "route add", append = "route append", create = "route prepend",
  replace = "route replace", del = "route del",
}

---A route as a request: the mark of `separate` is ours, not the kernel's.
local function request(route)
  local words <const> = identity.by_object(identity.plain(route))
  words.separate = nil
  return words
end

local function request_of(change)
  -- Others may be in the slot, whose changes come in their turn.
  return change.verb == "del" and entries.deletion(change.old, true) or request(change.route)
end

-- As requests of a batch: the handle's own verbs look after the other entries of a slot, which have
-- changes of their own here.
---@return table[]? results # true, or what was refused
---@return string? message, integer|string|nil code
local function carry_out(nl, requests)
  return nl:batch(requests, { order = "apart" })
end

-- The same, where a value may be wrong that is looked at only now: nothing of the batch is sent
-- then, but batches before it may have been.
---@param place fun(k: integer): string where the k-th request comes from
local function carry_out_checked(nl, requests, place)
  local good <const>, results <const>, message, code = pcall(carry_out, nl, requests)
  if good then return results, message, code end
  local k <const>, rest <const> = tostring(results):match "%[(%d+)%](.*)$"
  if not k then error(results, 0) end
  return nil, place(tonumber(k)) .. rest, 7
end

local function request_for(change)
  return { VERB[change.verb], request_of(change) }
end

-- The changes from `first` to `last` as requests, each written out when its turn comes. Most are
-- the wanted route itself, and one table does for all of these.
local function requests_of(self, first, last)
  local of <const>, listed <const> = made_of[self], {}
  local run_end, ahead = 0, 0 -- of a list: its numbers are so far ahead of those of the changes
  local function following(_, i)
    local k <const> = first + i - 1
    if k > last then return nil end
    if k <= run_end then
      listed[3] = k + ahead
      return listed
    end
    local route <const>, j <const> = difference.as_listed(of.found, k, of.current, of.wanted)
    if not route then return request_for(self[k]) end
    if j then run_end, ahead = difference.run(of.found, k, last), j - k end
    listed[1], listed[2], listed[3] = VERB[difference.verb(of.found, k)], route, j
    return listed
  end
  return setmetatable({}, { __len = function() return last - first + 1 end, __index = following })
end

---Where the changes from `first` on end that may travel in one batch: of one kind, to slots of
---their own. What builds and what destroys never travel together: the kernel goes on after a
---refusal.
local function end_of_chunk(self, first)
  local found <const>, most <const> = made_of[self].found, math.min(#self, first + CHUNK - 1)
  local verb <const>, alone <const> = difference.verb(found, first)
  local last = difference.run(found, first, most)
  while alone and last < most do
    local following <const>, alone_too <const> = difference.verb(found, last + 1)
    if not alone_too or (following == "del") ~= (verb == "del") then break end
    last = difference.run(found, last + 1, most)
  end
  return last
end

-- What is done: the first changes of the plan, and some of the batch behind them of which others
-- were refused.
local function count_done(tx)
  return tx.whole + #tx.some
end

local function nth_done(tx, n)
  return tx.changes[tx.some[n - tx.whole] or n]
end

local function forget_done(tx, count)
  for i = #tx.some, math.max(count - tx.whole, 0) + 1, -1 do tx.some[i] = nil end
  tx.whole = math.min(tx.whole, count)
end

---@return boolean? done, string? message, integer|string|nil code
local function carry_out_batch(tx, first, last)
  local function place(i) return difference.place(made_of[tx.changes].found, first + i - 1) end
  local results <const>, message <const>, code <const> =
    carry_out_checked(tx.nl, requests_of(tx.changes, first, last), place)
  if not results then return nil, message, code end
  local some <const>, failed = {}, nil
  for i, result in ipairs(results) do
    if result ~= true then
      failed = failed or result
    elseif failed then
      some[#some + 1] = first + i - 1
    else
      tx.whole = first + i - 1
    end
  end
  tx.some = some
  if failed then return nil, failed.message, failed.code end
  return true
end

---@return boolean? done, string? message, integer|string|nil code
local function carry_out_all(tx, progress)
  local changes <const>, first = tx.changes, 1
  while first <= #changes do
    local last <const> = end_of_chunk(changes, first)
    local done, message, code = carry_out_batch(tx, first, last)
    if not done then return nil, message, code end
    if progress and progress(last, #changes) == false then
      return nil, ("stopped after %d of %d changes"):format(last, #changes), "EINTR"
    end
    first = last + 1
  end
  return true
end

---What takes the last of the changes back that are done, as many as may travel in one batch.
---@return table[] chunk, integer first of them
local function inverse_chunk(tx, last)
  local newest <const> = nth_done(tx, last)
  local chunk <const>, first = slot.inverse(newest), last
  while first > 1 and #chunk < UNDO_CHUNK and not newest.before do
    local change <const> = nth_done(tx, first - 1)
    if change.before then break end
    local inverse <const> = slot.inverse(change)[1]
    if (inverse.verb == "del") ~= (chunk[1].verb == "del") then break end
    first = first - 1
    chunk[#chunk + 1] = inverse
  end
  return chunk, first
end

-- Those of one slot follow each other, so a refusal among them is no reason to stop.
---@return { message: string, code: integer|string }? refusal # the first
local function carry_out_each(nl, chunk)
  local requests <const> = {}
  for i, change in ipairs(chunk) do requests[i] = request_for(change) end
  local results <const>, message <const>, code <const> = carry_out(nl, requests)
  if not results then return { message = message, code = code } end
  for _, result in ipairs(results) do
    if result ~= true then return result end
  end
end

---Takes everything back, newest first. One refusal does not keep the rest from being taken back.
local function undo(tx)
  local total <const>, refusal = count_done(tx), nil
  while count_done(tx) > 0 do
    local chunk <const>, first <const> = inverse_chunk(tx, count_done(tx))
    local refused <const> = carry_out_each(tx.nl, chunk)
    refusal = refusal or refused
    forget_done(tx, first - 1)
    if tx.undoing then tx.undoing(total - count_done(tx), total) end
  end
  if refusal then return nil, refusal.message, refusal.code end
  return true
end

---Carries the plan out, to be taken back unless `commit` is called.
---
---     local tx <close> = assert(plan:begin(nl))
---     ...
---     tx:commit()
---@param nl table a handle of ecmp.open
---@param options? table `progress`: called with the changes done and their number after each batch;
---false from it stops; `undoing`: the same while it is taken back
---@return table? transaction, string? message, integer|string|nil code after a refusal everything
---is as before
function methods:begin(nl, options)
  local tx <const> = setmetatable({ nl = nl, changes = self, whole = 0, some = {},
    undoing = options and options.undoing }, Transaction)
  local good <const>, done <const>, message, code = pcall(carry_out_all, tx,
    options and options.progress)
  if good and done then return tx end
  local undone, why = undo(tx)
  if not good then error(done, 0) end
  if not undone then
    message = ("%s; taking back what was done failed too: %s"):format(message, why)
  elseif code == "EINTR" then
    message = message .. ", which are taken back (EINTR)"
  end
  return nil, message, code
end

---Carries the plan out, all of it or nothing.
---@param nl table a handle of ecmp.open
---@param options? table see `begin`
---@return boolean? done, string? message, integer|string|nil code
function methods:apply(nl, options)
  local tx, message, code = self:begin(nl, options)
  if not tx then return nil, message, code end
  tx:commit()
  return true
end

---Lets the changes stand.
function Transaction:commit()
  forget_done(self, 0)
end

---Takes back what is not committed; twice is fine.
---@return boolean? done, string? message, integer|string|nil code
function Transaction:close()
  return undo(self)
end

Transaction.__close = Transaction.close

return plan
