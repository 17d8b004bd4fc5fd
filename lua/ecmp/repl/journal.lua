---What was changed at the prompt, so that it can be taken back and done again: the handle whose
---changing verbs are noted down, and the journal of the statements that used them. An interrupt
---comes when a change is made and noted, or not at all: nothing is left half done.

local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"
local transaction = require "ecmp.nl.transaction"

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
  return setmetatable({ entries = {}, position = 0 }, Journal)
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

local function change_now(journal, nl, kind, verb, ...)
  local given <const> = table.pack(...)
  if is_final(kind, verb, ...) then
    local results <const> = table.pack(nl[kind][verb](nl[kind], ...))
    if results[1] then note(journal, { what = ("%s %s"):format(kind, verb) }) end
    return table.unpack(results, 1, results.n)
  end
  local tx
  local function redo()
    tx = transaction.new(nl)
    return tx[kind][verb](tx[kind], table.unpack(given, 1, given.n))
  end
  local results <const> = table.pack(redo())
  local function undo() return tx:rollback() end
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
  local object <const> = nl[kind]
  return setmetatable({}, { __name = "ecmp.Object", __index = function(self, verb)
    local method <const> = object[verb]
    if type(method) ~= "function" then return method end
    local function call(receiver, ...)
      if receiver ~= self then
        error(("nl.%s:%s: called without its colon"):format(kind, verb), 2)
      end
      if changing[verb] then return change(journal, nl, kind, verb, ...) end
      return method(object, ...)
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
  local tx
  local function redo()
    local message, code
    tx, message, code = plan:begin(nl, options)
    if not tx then return nil, message, code end
    return true
  end
  local ok <const>, message <const>, code <const> = redo()
  if ok and #plan > 0 then
    note(self, { what = ("apply, %d changes"):format(#plan), redo = redo,
      undo = function() return tx:close() end })
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
  local step <const> = { what = ("batch, %d changes"):format(#changes) }
  local tx
  function step.redo()
    tx = transaction.new(nl)
    return tx:batch(changes, options)
  end
  function step.undo() return tx:rollback() end
  local can_be_undone <const>, results = pcall(step.redo)
  if not can_be_undone then
    if not tostring(results):find "cannot be undone" then error(results, 0) end
    results, step.redo, step.undo = nl:batch(changes, options), nil, nil
  end
  if any_done(results) then note(journal, step) end
  return results
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

-- Steps in order, or newest first; the first refusal is reported, the rest is done all the same.
local function walk(entry, way)
  local steps <const>, message, code = entry.steps, nil, nil
  local first, last, by = 1, #steps, 1
  if way == "undo" then first, last, by = #steps, 1, -1 end
  for i = first, last, by do
    local ok, why, symbol = nil, steps[i].what .. ": this cannot be taken back", "EOPNOTSUPP"
    if steps[i][way] then ok, why, symbol = steps[i][way]() end
    if not ok then message, code = message or why, code or symbol end
  end
  if message then return nil, message, code end
  return true
end

---Takes the last statement back that changed something.
---@return string|nil text # what was taken back
---@return string? message
---@return string? code
function Journal:undo()
  local entry <const> = self.entries[self.position]
  if not entry then return nil, "undo: nothing is left to take back", "ENOENT" end
  self.position = self.position - 1
  local ok <const>, message <const>, code <const> = sys.deferred(walk, entry, "undo")
  if not ok then return nil, ("undo of %s: %s"):format(entry.text, message), code end
  return entry.text
end

---Does the last statement again that was taken back.
---@return string|nil text
---@return string? message
---@return string? code
function Journal:redo()
  local entry <const> = self.entries[self.position + 1]
  if not entry then return nil, "redo: nothing was taken back", "ENOENT" end
  local ok <const>, message <const>, code <const> = sys.deferred(walk, entry, "redo")
  if not ok then
    sys.deferred(walk, entry, "undo")
    return nil, ("redo of %s: %s"):format(entry.text, message), code
  end
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
