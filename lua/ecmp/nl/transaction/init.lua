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
local undo_stack = require "ecmp.undo"

rtnl.own()

local M = {}

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
  tx:push("rule " .. verb, after and restore.of_rules(nl, before, after) or function()
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
    tx:push(("%s %s"):format(kind, verb), with_collateral(nl, undo, before))
  end
  return ok, answer, symbol
end

-- The same, noted with how it is done again by way of another transaction.
local function change_and_note(tx, kind, verb, ...)
  local given, count = table.pack(...), #tx.steps
  local results = table.pack(change(tx, kind, verb, ...))
  for i = count + 1, #tx.steps do
    tx.steps[i].again = function(other)
      return other[kind][verb](other[kind], table.unpack(given, 1, given.n))
    end
  end
  return table.unpack(results, 1, results.n)
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
        return function(_, ...) return change_and_note(tx, kind, verb, ...) end
      elseif verb == "suspend" or verb == "resume" then
        check_open(tx)
        return suspend.recorded(object, verb, function(undo) tx:push("route " .. verb, undo) end)
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
        tx:push("sysctl " .. key, function() return sysctl:set(key, old) end).again =
          function(other) return other.sysctl:set(key, value) end
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
    tx:push("batch", with_collateral(nl, undo_batch(undo, links, results), before)).again =
      function(other) return other:batch(changes, options) end
    return results, first
  end
end

local kinds <const> = { "route", "nexthop", "link", "addr", "rule", "neigh", "vlan" }

---Starts a transaction of what is changed through the transaction itself.
---@param nl ecmp.Handle
---@return ecmp.Transaction
function M.new(nl)
  local tx = undo_stack.new()
  tx.nl = nl
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
  for _, kind in ipairs(kinds) do
    handle[kind] = tx[kind]
  end
  handle.sysctl, handle.batch = tx.sysctl, tx.batch
  -- Gives the handle back what it had.
  function tx.at_end()
    for _, kind in ipairs(kinds) do
      handle[kind] = plain[kind]
    end
    handle.sysctl, handle.batch = plain.sysctl, nil
  end
  return tx
end

return M
