---What was changed at the prompt, so that it can be taken back and done again: the handle whose
---changing verbs are noted down, and the journal of the statements that used them. An interrupt
---comes when a change is made and noted, or not at all: nothing is left half done.

local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"
local transaction = require "ecmp.nl.transaction"
local undo_stack = require "ecmp.undo"

rtnl.own()

local M = {}

local Journal <const> = {}
Journal.__index = Journal

local changing <const> = {
  add = true, replace = true, append = true, prepend = true, change = true, set = true, del = true,
  add_nexthop = true, del_nexthop = true, set_nexthop = true, flush = true,
}

local objects <const> = { "route", "nexthop", "link", "addr", "rule", "neigh" }

---@return table journal
function M.new()
  return setmetatable({ entries = {}, position = 0, open = {} }, Journal)
end

---Begins a statement: what it changes is one entry.
function Journal:begin(text)
  self.current = { text = text, steps = {} }
end

---Ends it. An entry that changed something drops those that were undone before.
function Journal:finish()
  local entry <const> = self.current
  self.current = nil
  if not entry or #entry.steps == 0 then return end
  for i = #self.entries, self.position + 1, -1 do self.entries[i] = nil end
  table.insert(self.entries, entry)
  self.position = #self.entries
end

-- A step is how to do it again and how to take it back; `undo` is nil for what cannot be.
local function note(journal, step)
  local entry <const> = journal.current
  if entry then table.insert(entry.steps, step) end
end

-- Deleting a link, or moving it away, cannot be taken back; nor can one that the kernel names.
local function is_final(kind, verb, value)
  if kind ~= "link" then return false end
  local fields <const> = type(value) == "table" and value or {}
  local named <const> = type(value) ~= "table"
    or type(fields.name) == "string" and not fields.name:find("%", 1, true)
  return verb == "del" or verb == "flush" or fields.netns ~= nil or verb == "add" and not named
end

-- Lets a transaction's changes stand, and keeps how they are taken back: what is collected unended
-- takes itself back.
---@return table[] entries
local function keep(tx)
  local entries
  function tx.at_end(kept) entries = kept end
  tx:commit()
  return entries
end

local function change_now(journal, nl, kind, verb, ...)
  -- What an open transaction does is noted when that is committed.
  if journal.open[nl] then return nl[kind][verb](nl[kind], ...) end
  local given <const> = table.pack(...)
  if is_final(kind, verb, ...) then
    local results <const> = table.pack(nl[kind][verb](nl[kind], ...))
    if results[1] then note(journal, { what = ("%s %s"):format(kind, verb) }) end
    return table.unpack(results, 1, results.n)
  end
  local kept
  local function redo()
    local tx <const> = transaction.new(nl)
    local results <const> = table.pack(tx[kind][verb](tx[kind], table.unpack(given, 1, given.n)))
    kept = keep(tx)
    return table.unpack(results, 1, results.n)
  end
  local results <const> = table.pack(redo())
  local function undo() return undo_stack.of(kept):rollback() end
  -- a flush of nothing is no change
  if results[1] and results[1] ~= 0 then
    note(journal, { what = ("%s %s"):format(kind, verb), redo = redo, undo = undo })
  end
  return table.unpack(results, 1, results.n)
end

---Carries out one change and notes it.
local function change(...)
  return sys.deferred(change_now, ...)
end

local function recorded(journal, nl, kind)
  return setmetatable({}, { __name = "ecmp.Object", __index = function(self, verb)
    local method <const> = nl[kind][verb]
    if type(method) ~= "function" then return method end
    local function call(receiver, ...)
      if receiver ~= self then
        error(("nl.%s:%s: called without its colon"):format(kind, verb), 2)
      end
      if changing[verb] then return change(journal, nl, kind, verb, ...) end
      return nl[kind][verb](nl[kind], ...)
    end
    rawset(self, verb, call)
    return call
  end, __tostring = function()
    return ("nl.%s: its verbs are in help '%s'"):format(kind, kind)
  end })
end

local function recorded_sysctl(journal, nl)
  return {
    get = function(_, key) return nl.sysctl:get(key) end,
    set = function(_, ...) return change(journal, nl, "sysctl", "set", ...) end,
  }
end

local function apply(self, nl, plan, options)
  if self.open[nl] then return plan:apply(nl, options) end
  local kept
  local function redo()
    local tx <const>, message <const>, code <const> = plan:begin(nl, options)
    if not tx then return nil, message, code end
    kept = keep(tx)
    return true
  end
  local ok <const>, message <const>, code <const> = redo()
  if ok and #plan > 0 then
    note(self, { what = ("apply, %d changes"):format(#plan), redo = redo,
      undo = function() return undo_stack.of(kept):rollback() end })
  end
  return ok, message, code
end

---Carries out a plan as one step; an interrupt has it taken back.
---@param nl ecmp.Handle
---@param plan table
---@param options { progress: fun(done: integer, total: integer),
--- undoing: fun(done: integer, total: integer) }
---@return true|nil, string? message, string? code
function Journal:apply(nl, plan, options)
  local function progress(done, total)
    options.progress(done, total)
    return not sys.interrupted()
  end
  return sys.deferred(apply, self, nl, plan, { progress = progress, undoing = options.undoing })
end

local function any_done(results)
  for _, result in ipairs(results) do
    if result == true then return true end
  end
  return false
end

-- What cannot be taken back is carried out all the same, and noted as such.
local function batch(journal, nl, changes, options)
  if journal.open[nl] then return nl:batch(changes, options) end
  local step <const> = { what = ("batch, %d changes"):format(#changes) }
  local kept
  function step.redo()
    local tx <const> = transaction.new(nl)
    local results <const>, first <const> = tx:batch(changes, options)
    kept = keep(tx)
    return results, first
  end
  function step.undo() return undo_stack.of(kept):rollback() end
  local can_be_undone <const>, results, first = pcall(step.redo)
  if not can_be_undone then
    if not tostring(results):find "cannot be undone" then error(results, 0) end
    results, first = nl:batch(changes, options)
    step.redo, step.undo = nil, nil
  end
  if any_done(results) then note(journal, step) end
  return results, first
end

-- Transactions ------------------------------------------------------------------------------------

-- Does what a transaction did again, all or nothing.
local function do_again(nl, entries)
  local tx <close> = transaction.new(nl)
  for _, entry in ipairs(entries) do
    if not entry.again then
      return nil, entry.what .. ": this cannot be done again", "EOPNOTSUPP"
    end
    local ok <const>, message <const>, code <const> = entry.again(tx)
    if not ok then return nil, message, code end
  end
  return keep(tx)
end

-- A transaction of a handle; committed, it is one step of the statement that commits it.
local function begin(journal, nl)
  local tx <const> = nl:begin()
  local at_end <const> = tx.at_end
  journal.open[nl] = tx
  function tx.at_end(kept)
    at_end(kept)
    journal.open[nl] = nil
    if #kept == 0 then return end
    note(journal, {
      what = ("transaction, %d change%s"):format(#kept, #kept == 1 and "" or "s"),
      undo = function() return undo_stack.of(kept):rollback() end,
      redo = function()
        local done <const>, message <const>, code <const> = do_again(nl, kept)
        kept = done or kept
        return done and true, message, code
      end,
    })
  end
  return tx
end

---A handle that notes down what is changed through it; all else passes through.
---@param journal table
---@param nl ecmp.Handle
---@return ecmp.Handle
function M.handle(journal, nl)
  local self <const> = { real = nl, sysctl = recorded_sysctl(journal, nl) }
  for _, kind in ipairs(objects) do self[kind] = recorded(journal, nl, kind) end
  function self.batch(_, changes, options)
    return sys.deferred(batch, journal, nl, changes, options)
  end
  function self.begin() return begin(journal, nl) end
  return setmetatable(self, {
    __name = "ecmp.Handle", __tostring = function() return tostring(nl) end,
    __index = function(_, name)
      local method <const> = nl[name]
      if type(method) ~= "function" then return method end
      return function(_, ...) return method(nl, ...) end
    end,
  })
end

-- Taking back and doing again --------------------------------------------------------------------

local function cannot(what)
  return function() return nil, what .. ": this cannot be taken back", "EOPNOTSUPP" end
end

local function undo_of(steps)
  local undo <const> = undo_stack.new()
  for _, step in ipairs(steps) do undo:push(step.what, step.undo or cannot(step.what)) end
  return undo
end

local function take_back(entry)
  return undo_of(entry.steps):rollback()
end

-- All steps, or none.
local function do_all_again(entry)
  local undo <close> = undo_stack.new()
  for _, step in ipairs(entry.steps) do
    local ok <const>, message <const>, code <const> = (step.redo or cannot(step.what))()
    if not ok then return nil, message, code end
    undo:push(step.what, step.undo)
  end
  return undo:commit()
end

local function any_open(journal)
  return next(journal.open) and "a transaction is open: commit it or take it back first"
end

---Takes the last statement back that changed something.
---@return string|nil text # what was taken back
---@return string? message
---@return string? code
function Journal:undo()
  local entry <const>, open <const> = self.entries[self.position], any_open(self)
  if open then return nil, "undo: " .. open, "EBUSY" end
  if not entry then return nil, "undo: nothing is left to take back", "ENOENT" end
  self.position = self.position - 1
  local ok <const>, message <const>, code <const> = sys.deferred(take_back, entry)
  if not ok then return nil, ("undo of %s: %s"):format(entry.text, message), code end
  return entry.text
end

---Does the last statement again that was taken back.
---@return string|nil text
---@return string? message
---@return string? code
function Journal:redo()
  local entry <const>, open <const> = self.entries[self.position + 1], any_open(self)
  if open then return nil, "redo: " .. open, "EBUSY" end
  if not entry then return nil, "redo: nothing was taken back", "ENOENT" end
  local ok <const>, message <const>, code <const> = sys.deferred(do_all_again, entry)
  if not ok then return nil, ("redo of %s: %s"):format(entry.text, message), code end
  self.position = self.position + 1
  return entry.text
end

---The journal as text: one line a statement, what was taken back with a minus in front.
function Journal:__tostring()
  if #self.entries == 0 then return "nothing was changed yet" end
  local lines <const> = {}
  for i, entry in ipairs(self.entries) do
    lines[i] = ("%s %d  %s"):format(i > self.position and "-" or "+", i,
      (entry.text:gsub("%s*\n%s*", " ")))
  end
  return table.concat(lines, "\n")
end

return M
