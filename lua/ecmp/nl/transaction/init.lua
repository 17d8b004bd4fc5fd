---Changes that are undone at scope exit unless committed: `local tx <close> = nl:begin()`.
--
-- While it is open, whatever is changed through the handle belongs to it; `tx.route` and `nl.route`
-- are the same. Before each change the transaction reads what the kernel holds under the same
-- identity (a route's destination and table, an address on its link, ...). Undoing puts these back,
-- last change first, and leaves everything else alone, so that what other programs did meanwhile
-- stays.

local collateral = require "ecmp.nl.transaction.dependents"
local flush = require "ecmp.nl.flush"
local restore = require "ecmp.nl.transaction.inverse"
local rtnl = require "ecmp.rtnl"
local suspend = require "ecmp.nl.suspend"
local tally = require "ecmp.errors"

rtnl.own()

---@class ecmp.Transaction
---@field route ecmp.Route
---@field nexthop ecmp.Nexthop
---@field link ecmp.Link
---@field addr ecmp.Addr
---@field rule ecmp.Rule
---@field neigh ecmp.Neigh
---@field vlan ecmp.Vlan
---@field sysctl ecmp.Sysctl
---@field batch fun(self, changes: table[], options?: table): table[] as `nl:batch`
local methods = {}
local mt = { __name = "ecmp.Transaction", __index = methods }

local M = {}

local function push(tx, undo)
  tx.undo[#tx.undo + 1] = undo
end

local function undo_of(nl, kind, verb, value)
  local view, given = restore.as_view(kind, value)
  if kind == "link" then
    return restore.of_link(nl, verb, view, given)
  end
  local filter = restore.filter(kind, view)
  if kind == "nexthop" and not filter.id then
    return false -- the kernel chooses the number: known when it is there
  end
  return restore.of(nl, kind, filter, { [restore.identity(kind, view)] = true })
end

-- The route that `add_nexthop` and `del_nexthop` name by its destination alone.
local function named_route(value, hop)
  local six = value == "default" and tostring(type(hop) == "table" and hop.via or hop):find ":"
  return { dst = value, family = six and 6 or nil }
end

-- What a rule without a priority became, or which one it was that went, shows afterwards only.
local function change_rule(tx, value, verb)
  local nl, filter = tx.nl, { family = restore.as_view("rule", value).family }
  local before, message, code = nl.rule:list(filter)
  if not before then
    return nil, message, code
  end
  local ok, answer, symbol = nl.rule[verb](nl.rule, value)
  if not ok then
    return nil, answer, symbol
  end
  local after
  after, message, code = nl.rule:list(filter)
  push(tx, after and restore.of_rules(nl, before, after) or function()
    return nil, ("which rule it was is not known: %s"):format(message), code
  end)
  return ok, answer
end

local function check_open(tx)
  if tx.done then
    rtnl.throw("this transaction is over")
  end
end

-- What may be lost with a change. nil and a message where that cannot be read: then it is not made.
---@return table|false|nil before, string? message, string? code
local function look_before(nl, follows)
  if not follows then
    return false
  end
  return collateral.look(nl)
end

-- An undo that also makes what the kernel took along.
local function with_collateral(nl, undo, before)
  if not before then
    return undo
  end
  local after, why, symbol = collateral.look(nl)
  return function()
    local refused = tally.new()
    refused:note(undo())
    if after then
      refused:note(collateral.bring_back(nl, before, after))
    else
      refused:note(nil, "what went along is not known: " .. why, symbol)
    end
    return refused:result()
  end
end

local function change(tx, kind, verb, value, ...)
  check_open(tx)
  if kind == "rule" and (restore.as_view(kind, value).priority or 0) == 0 then
    return change_rule(tx, value, verb)
  end
  local nl = tx.nl
  local key = value
  if verb:find "_nexthop" and type(value) == "string" then
    key = named_route(value, ...)
  end
  local undo, message, code = undo_of(nl, kind, verb, key)
  if undo == nil then
    return nil, message, code
  end
  local before
  before, message, code = look_before(nl, collateral.may_follow(kind, verb))
  if before == nil then
    return nil, message, code
  end
  local ok, answer, symbol = nl[kind][verb](nl[kind], value, ...)
  if ok and not undo then
    local id = answer.id
    local touched = { [restore.identity(kind, { id = id })] = true }
    undo = function() return restore.restore(nl, kind, { id = id }, touched, {}) end
  end
  if ok then
    push(tx, with_collateral(nl, undo, before))
  end
  return ok, answer, symbol
end

local changing <const> = {
  add = true, replace = true, append = true, prepend = true, change = true, set = true,
  del = true, add_nexthop = true, del_nexthop = true, set_nexthop = true,
}

-- An object of the handle whose changing verbs are noted down; the others pass through.
local function recorded(tx, kind)
  local object = tx.nl[kind]
  return setmetatable({}, {
    __index = function(_, verb)
      if changing[verb] then
        return function(_, value, ...) return change(tx, kind, verb, value, ...) end
      elseif verb == "suspend" or verb == "resume" then
        check_open(tx)
        return suspend.recorded(object, verb, function(undo) push(tx, undo) end)
      elseif verb == "flush" then
        return function(_, filter) return flush(object, filter, tx) end
      end
      local method = object[verb]
      if type(method) ~= "function" then
        return method
      end
      return function(_, ...) return method(object, ...) end
    end,
  })
end

local function recorded_sysctl(tx)
  local sysctl = tx.nl.sysctl
  return {
    get = function(_, key) return sysctl:get(key) end,
    set = function(_, key, value)
      check_open(tx)
      local old, message, code = sysctl:get(key)
      if not old then
        return nil, message, code
      end
      local ok
      ok, message, code = sysctl:set(key, value)
      if ok then
        push(tx, function() return sysctl:set(key, old) end)
      end
      return ok, message, code
    end,
  }
end

-- Batches: the kernel is asked once for each kind of object, however many are changed.
local everything <const> = { route = { table = "all" } }

local function may_follow(changes)
  for _, entry in ipairs(changes) do
    local kind, verb = tostring(type(entry) == "table" and entry[1]):match "^(%l+) (%l+)$"
    if kind and collateral.may_follow(kind, verb) then
      return true
    end
  end
  return false
end

-- The identities that a batch touches, kind by kind, and the undo of each of its links. What is no
-- change at all is left to the batch to refuse.
local function touched_by(nl, changes)
  local kinds, order, links = {}, {}, {}
  for i, entry in ipairs(changes) do
    local kind, verb
    if type(entry) == "table" then
      kind, verb = tostring(entry[1]):match "^(%l+) (%l+)$"
    end
    local view, given
    if (kind == "link" or restore.knows(kind)) and entry[2] ~= nil then
      local value = entry[3] and entry[2][entry[3]] or entry[2] -- itself, or one of a list
      view, given = restore.as_view(kind, value)
    end
    if not view then
      break
    elseif kind == "link" then
      links[i] = restore.of_link(nl, verb, view, given)
    elseif kind == "nexthop" and not view.id then
      rtnl.throw(("[%d].id: missing; without it the change cannot be undone"):format(i))
    else
      if not kinds[kind] then
        kinds[kind] = {}
        order[#order + 1] = kind
      end
      kinds[kind][restore.identity(kind, view)] = true
    end
  end
  return kinds, order, links
end

-- Those of a batch: newest first, and of links only what was changed.
local function undo_batch(undo, links, results)
  return function()
    local refused = tally.new()
    for i = #undo, 1, -1 do
      refused:note(undo[i]())
    end
    for i = #results, 1, -1 do
      if links[i] and results[i] == true then
        refused:note(links[i]())
      end
    end
    return refused:result()
  end
end

local function recorded_batch(tx)
  local nl = tx.nl
  return function(_, changes, options)
    check_open(tx)
    if options and options.share then
      rtnl.throw("share: cannot be undone; do it outside of a transaction")
    end
    local kinds, order, links = touched_by(nl, changes)
    local undo = {}
    for i, kind in ipairs(order) do
      local message, code
      undo[i], message, code = restore.of(nl, kind, everything[kind], kinds[kind])
      if not undo[i] then
        error(("batch: %s (%s)"):format(message, code), 2)
      end
    end
    local before, message = look_before(nl, may_follow(changes))
    if before == nil then
      error("batch: " .. message, 2)
    end
    local results, first = nl:batch(changes, options)
    push(tx, with_collateral(nl, undo_batch(undo, links, results), before))
    return results, first
  end
end

local kinds <const> = { "route", "nexthop", "link", "addr", "rule", "neigh", "vlan" }

---Starts a transaction of what is changed through the transaction itself.
---@param nl ecmp.Handle
---@return ecmp.Transaction
function M.new(nl)
  local tx = setmetatable({ nl = nl, undo = {}, done = false }, mt)
  for _, kind in ipairs(kinds) do
    tx[kind] = recorded(tx, kind)
  end
  tx.sysctl, tx.batch = recorded_sysctl(tx), recorded_batch(tx)
  return tx
end

---Starts a transaction of what is changed through a handle. See `nl:begin`.
---@param handle ecmp.Handle
---@return ecmp.Transaction
function M.begin(handle)
  if rawget(handle, "batch") then
    rtnl.throw("begin: a transaction is open on this handle; commit it, take it back, or open "
      .. "another handle")
  end
  local plain = setmetatable({ sysctl = handle.sysctl, batch = handle.batch }, { __index = handle })
  for _, kind in ipairs(kinds) do
    plain[kind] = handle[kind]
  end
  local tx = M.new(plain)
  tx.handle = handle
  for _, kind in ipairs(kinds) do
    handle[kind] = tx[kind]
  end
  handle.sysctl, handle.batch = tx.sysctl, tx.batch
  return tx
end

-- Gives the handle back what it had.
local function finish(tx)
  local handle = tx.handle
  tx.done, tx.handle = true, nil
  if handle then
    for _, kind in ipairs(kinds) do
      handle[kind] = tx.nl[kind]
    end
    handle.sysctl, handle.batch = tx.nl.sysctl, nil
  end
end

---Keeps the changes.
---@return true
function methods:commit()
  finish(self)
  self.undo = {}
  return true
end

---Takes the changes back now, last one first; goes on after a failure and reports the first, and
---how many there were.
---@return true|nil
---@return string? message
---@return string? code
function methods:rollback()
  local refused = tally.new()
  finish(self)
  while #self.undo > 0 do
    local good, ok, message, code = pcall(table.remove(self.undo))
    if not good then
      ok, message = nil, tostring(ok)
    end
    refused:note(ok, message, code)
  end
  local ok, message, code = refused:result()
  if not ok then
    return nil, "undo: " .. message, code
  end
  return true
end

-- What cannot be taken back at the end of a scope raises; where an error passes through, it is told
-- with that.
function mt:__close(problem)
  local ok, message = true, nil
  if not self.done then
    ok, message = self:rollback()
  end
  if not ok and problem == nil then
    error(message, 0)
  elseif not ok and type(problem) == "string" then
    error(("%s; %s"):format(problem, message), 0)
  end
end

function mt:__gc()
  if not self.done then
    self:rollback()
  end
end

return M
