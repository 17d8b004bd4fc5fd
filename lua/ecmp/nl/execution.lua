---Carries changes to routes out, all of them or none, in batches and in an order that the kernel
---takes.
--
-- What cannot be made yet, since what leads to its gateway is not there, is tried again when the
-- rest is. Each batch leaves behind how it is taken back; the batches are taken back newest first,
-- and one refusal keeps nothing else from it.
local later = require "ecmp.later"
local diff = require "ecmp.fib.diff"
local entries = later "ecmp.fib.entries"
local errors = require "ecmp.errors"
local order = require "ecmp.fib.order"
local route_of = require "ecmp.fib.route"
local transition = later "ecmp.fib.transition"
local undo_stack = require "ecmp.undo"

local M = {}

-- How many changes travel in one batch; between batches progress is told. The more there are at
-- once, the better the order that the kernel can be given them in.
local CHUNK <const> = 1 << 15
-- How many are taken back at once, each of which is written out for it.
local UNDO_CHUNK <const> = 4096

local VERB <const> = {
  add = "route add", append = "route append", create = "route prepend", replace = "route replace",
}

-- Requests ----------------------------------------------------------------------------------------

-- A request of an item that has a batch in common with others.
local function request_of(lists, item)
  local k <const>, half <const> = item >> 2, item & 3
  local verb <const> = half == order.APPEND and "append" or diff.verb(lists, k)
  -- Others may hold the key whose changes come in their turn.
  if verb == "del" or half == order.DELETE then
    local _, old <const> = diff.routes(lists, k)
    return { "route del", entries.deletion(old, true) }
  end
  local route <const>, j <const> = diff.as_listed(lists, k)
  if route then return { VERB[verb], route, j } end
  local change <const> = diff.change(lists, k)
  if change.sends then return change.sends[1][1] end
  return { VERB[verb], route_of.request(change.route) }
end

-- Requests of items from `first` to `last`, each made when its turn comes: one table does for all.
local function requests_of(lists, items, first, last)
  return setmetatable({}, {
    __len = function() return last - first + 1 end,
    __index = function(_, i)
      local item <const> = items[first + i - 1]
      return first + i - 1 <= last and request_of(lists, item) or nil
    end,
  })
end

-- Sends a batch, where a value may be wrong that is looked at only now: nothing of the batch is
-- sent then, but batches before it may have been.
---@return table[]? results, string? message, string? code
local function send(nl, requests, place)
  local good <const>, results <const>, message, code = pcall(nl.batch, nl, requests,
    { order = "apart" })
  if good then return results, message, code end
  local i <const>, rest <const> = tostring(results):match "%[(%d+)%](.*)$"
  if not i then error(results, 0) end
  return nil, place(tonumber(i)) .. rest, "EINVAL"
end

-- The message of a refusal, with that of taking back what was done before where that failed too.
local function refusal(message, undone, why)
  return undone and message
    or ("%s; taking back what was done failed too: %s"):format(message, why)
end

-- Takes back the part of a step that was made.
---@return true?, string? message
local function take_part_back(nl, back)
  local result <const> = nl:batch({ back })[1]
  if result ~= true then return nil, result.message end
  return true
end

-- Carries a step out that takes several requests, or one that stands for itself.
---@return true?, string? message, string? code
local function carry_out_step(nl, step)
  local sends <const>, back <const> = transition.requests(step)
  local begun = false
  for _, requests in ipairs(sends) do
    local failed
    for _, result in ipairs(nl:batch(requests)) do
      if result ~= true then failed = failed or result else begun = true end
    end
    if failed then
      local undone, why = true, nil
      if begun and back then undone, why = take_part_back(nl, back) end
      return nil, refusal(failed.message, undone, why), failed.code
    end
  end
  return true
end

-- Takes steps of one key back; what was refused first is what is told.
local function take_steps_back(nl, first, last, note)
  for _, step in ipairs(transition.inverse(first, last)) do
    note(step, carry_out_step(nl, step))
  end
end

---Carries the steps of one key out, all of them or none.
---@param nl ecmp.Handle
---@param steps table[] as of ecmp.fib.transition
---@return true?, string? message, string? code
function M.steps(nl, steps)
  for n, step in ipairs(steps) do
    local ok <const>, message <const>, code <const> = carry_out_step(nl, step)
    if not ok then
      local refused <const> = errors.new()
      if n > 1 then
        take_steps_back(nl, steps[1], steps[n - 1], function(_, ...) refused:note(...) end)
      end
      return nil, refusal(message, refused:result()), code
    end
  end
  return true
end

-- Taking back -------------------------------------------------------------------------------------

-- The steps that take an item back which was alone in its key, given what the key holds now.
local function inverse_steps(lists, item)
  local change <const>, half <const> = diff.change(lists, item >> 2), item & 3
  local old <const>, new <const> = { change.old }, { change.route }
  local both <const> = { change.old, change.route }
  if half == order.APPEND then return transition.between(both, old, transition.EXACTLY) end
  if half == order.DELETE then return transition.between(new, both, transition.EXACTLY) end
  if change.verb == "replace" then return transition.between(new, old, transition.EXACTLY) end
  if change.verb == "del" then return { { verb = "add", route = change.old } } end
  return { { verb = "del", old = change.route,
    sends = { { { "route del", entries.deletion(change.route, true) } } } } }
end

-- Of items that share a batch, newest first: those that take one request share one again.
local function take_back_chunk(self, items, first, last, note)
  local shared <const> = {}
  for n = last, first, -1 do
    local steps <const>, message <const> = inverse_steps(self.lists, items[n])
    -- Without a code, as there is no step that could be tried again.
    if not steps then note(nil, nil, message) end
    local sends <const> = steps and steps[1] and not steps[2] and transition.requests(steps[1])
    if sends and #sends == 1 and #sends[1] == 1 then
      shared[#shared + 1] = { step = steps[1], request = sends[1][1] }
    else
      for _, step in ipairs(steps or {}) do note(step, carry_out_step(self.nl, step)) end
    end
  end
  local requests <const> = {}
  for i, one in ipairs(shared) do requests[i] = one.request end
  for i, result in ipairs(requests[1] and self.nl:batch(requests, { order = "apart" }) or {}) do
    if result ~= true then note(shared[i].step, nil, result.message, result.code) end
  end
end

local function note_taken_back(self, count)
  self.taken_back = self.taken_back + count
  if self.undoing then self.undoing(self.taken_back, self.to_take_back) end
end

local function take_back_batch(self, items, note)
  for last = #items, 1, -UNDO_CHUNK do
    local first <const> = math.max(1, last - UNDO_CHUNK + 1)
    take_back_chunk(self, items, first, last, note)
    note_taken_back(self, last - first + 1)
  end
end

-- Notes how something is taken back. `take_back` is called once; what of it is refused for now is
-- tried again step by step.
local function push(self, count, take_back)
  local left
  local final <const> = errors.new()
  self.to_take_back = self.to_take_back + count
  self.undo:push("changes of routes", function()
    local steps <const>, refused <const> = left, errors.new()
    left = {}
    local function note(step, ok, message, code)
      local is_later <const> = not ok and undo_stack.is_later(code)
      if is_later then left[#left + 1] = step end
      local into <const> = is_later and refused or final
      into:note(ok, message, code)
    end
    if not steps then take_back(note) end
    for _, step in ipairs(steps or {}) do note(step, carry_out_step(self.nl, step)) end
    refused:note(final:result())
    return refused:result()
  end)
end

local function push_batch(self, items)
  push(self, #items, function(note) take_back_batch(self, items, note) end)
end

local function push_steps(self, first, last)
  push(self, 1, function(note)
    take_steps_back(self.nl, first, last, note)
    note_taken_back(self, 1)
  end)
end

-- Carrying out ------------------------------------------------------------------------------------

-- Notes that items of one key are refused: true where they may be made later, or do not keep the
-- rest out.
local function refuse(self, items, message, code)
  if undo_stack.is_later(code) and self.building then
    table.insert(self.later, { items = items, message = message, code = code })
    return true
  end
  local k <const> = items[1] >> 2
  local new <const>, old <const> = diff.routes(self.lists, k)
  local route <const> = new and route_of.canonical(new) or new or old
  table.insert(self.failed, { change = k, route = route, message = message, code = code })
  self.not_made[k] = true
  return self.each
end

local function carry_out_batch(self, items, first, last)
  local function place(i) return diff.place(self.lists, items[first + i - 1] >> 2) end
  local results <const>, message <const>, code <const> =
    send(self.nl, requests_of(self.lists, items, first, last), place)
  if not results then return nil, message, code end
  local done <const>, failed = {}, nil
  for i, result in ipairs(results) do
    local item <const> = items[first + i - 1]
    if result == true then
      done[#done + 1] = item
    elseif not refuse(self, { item }, result.message, result.code) then
      failed = failed or result
    end
  end
  if done[1] then push_batch(self, done) end
  if failed then return nil, failed.message, failed.code end
  return true
end

-- The steps of a key of several, or one that takes several requests.
local function carry_out_key(self, items, first, last)
  local steps <const>, key <const> = {}, table.move(items, first, last, 1, {})
  for i, item in ipairs(key) do steps[i] = diff.change(self.lists, item >> 2) end
  local ok <const>, message <const>, code <const> = M.steps(self.nl, steps)
  if not ok then
    if refuse(self, key, message, code) then return true end
    return nil, message, code
  end
  if steps[1].before then push_steps(self, steps[1], steps[#steps]) else push_batch(self, key) end
  return true
end

-- Whether a change takes a batch of its own: one of several of its key, or of several requests.
local function stands_alone(lists, item)
  local change <const> = lists.found[item >> 2]
  if type(change) == "number" then return false end
  return change.before ~= nil or change.sends ~= nil and (#change.sends > 1 or #change.sends[1] > 1)
end

local function end_of_key(lists, items, first)
  local last = first
  local change = diff.change(lists, items[first] >> 2)
  while change.before and items[last + 1] do
    local following <const> = lists.found[items[last + 1] >> 2]
    if type(following) ~= "table" or following.before ~= change.after then break end
    last, change = last + 1, following
  end
  return last
end

local function end_of_batch(lists, items, first, most)
  local last = first
  while last < most and last - first + 1 < CHUNK and not stands_alone(lists, items[last + 1]) do
    last = last + 1
  end
  return last
end

-- Carries out what comes next: one key, or a batch of many.
---@return integer? last, string? message, string? code
local function carry_out_next(self, items, first, most)
  local last, ok, message, code
  if stands_alone(self.lists, items[first]) then
    last = end_of_key(self.lists, items, first)
    ok, message, code = carry_out_key(self, items, first, last)
  else
    last = end_of_batch(self.lists, items, first, most)
    ok, message, code = carry_out_batch(self, items, first, last)
  end
  if not ok then return nil, message, code end
  return last
end

-- Tries what was refused again as long as some of it succeeds.
local function try_later(self)
  local count
  repeat
    local postponed <const>, items <const> = self.later, {}
    count, self.later = #postponed, {}
    for _, one in ipairs(postponed) do
      table.move(one.items, 1, #one.items, #items + 1, items)
    end
    local first = 1
    while first <= #items do
      local last <const>, message <const>, code <const> =
        carry_out_next(self, items, first, #items)
      if not last then return nil, message, code end
      first = last + 1
    end
  until #self.later == count or count == 0
  self.building = false
  for _, one in ipairs(self.later) do
    if not refuse(self, one.items, one.message, one.code) then
      return nil, one.message, one.code
    end
  end
  self.later = {}
  return true
end

-- Leaves out deletions of old routes whose replacements were refused.
local function without_those_not_made(self, items, first)
  if not next(self.not_made) then return items end
  local kept <const> = table.move(items, 1, first - 1, 1, {})
  for n = first, #items do
    if not self.not_made[items[n] >> 2] then kept[#kept + 1] = items[n] end
  end
  return kept
end

local function tell(self, last, items, progress)
  local total <const> = #self.lists.found
  local done <const> = last == #items and total or last * total // #items
  if progress and progress(done, total) == false then
    return nil, ("stopped after %d of %d changes"):format(done, total), "EINTR"
  end
  return true
end

local function carry_out_all(self, progress)
  local items, to_go <const> = order.of(self.lists)
  local first = 1
  self.building = true
  while first <= #items or self.building do
    if first == to_go then
      local ok <const>, message <const>, code <const> = try_later(self)
      if not ok then return nil, message, code end
      items = without_those_not_made(self, items, first)
    end
    if first > #items then break end
    local last, message, code =
      carry_out_next(self, items, first, first < to_go and to_go - 1 or #items)
    if last then
      local going
      going, message, code = tell(self, last, items, progress)
      last = going and last
    end
    if not last then return nil, message, code end
    first = last + 1
  end
  return true
end

---Carries changes out, to be taken back unless `commit` is called.
---@param nl ecmp.Handle
---@param lists table as of ecmp.fib.diff.find; of steps alone, `{ found = steps }`
---@param options? table `progress`: called with the changes done and their number after each batch,
---false from it stops; `undoing`: the same while it is taken back; `each`: what is refused does not
---keep the rest out, and is in `failed`
---@return ecmp.Transaction? done, string? message, string? code after a refusal everything is as
---before
function M.begin(nl, lists, options)
  local undo <const> = undo_stack.new()
  local self <const> = { nl = nl, lists = lists, undo = undo, later = {}, failed = {},
    not_made = {}, to_take_back = 0, taken_back = 0,
    each = options and options.each, undoing = options and options.undoing }
  local good <const>, ok <const>, message, code = pcall(carry_out_all, self,
    options and options.progress)
  undo.failed = self.failed
  if good and ok then return undo end
  local undone <const>, why <const> = undo:rollback()
  if not good then error(ok, 0) end
  if undone and code == "EINTR" then message = message .. ", which are taken back (EINTR)" end
  return nil, refusal(message, undone, why), code
end

---Carries changes out, all of them or none.
---@param nl ecmp.Handle
---@param lists table
---@param options? table as of `begin`
---@return true?, string? message, string? code
function M.apply(nl, lists, options)
  local tx <const>, message <const>, code <const> = M.begin(nl, lists, options)
  if not tx then return nil, message, code end
  return tx:commit()
end

return M
