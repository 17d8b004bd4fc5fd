-- Changes that are undone at scope exit unless committed: `local tx <close> = nl:begin()`.
--
-- While it is open, whatever is changed through the handle belongs to it; `tx.route` and `nl.route`
-- are the same. Before each change the transaction reads what the kernel holds under the same
-- identity (a route's destination and table, an address on its link, ...). Undoing puts these back,
-- last change first, and leaves everything else alone, so that what other programs did meanwhile
-- stays.

local collateral = require "ecmp.collateral"
local flush = require "ecmp.flush"
local rtnl = require "ecmp.rtnl"

rtnl.own()

---@class ecmp.Transaction
local methods = {}
local mt = { __name = "ecmp.Transaction", __index = methods }

local M = {}

local function as_view(kind, value)
  if type(value) == "string" then
    local parsed, message = rtnl.parse(kind, value)
    value = parsed or rtnl.throw(("%s: %s"):format(kind, message))
  end
  return rtnl.is_view(value) and value or rtnl.view(kind, value, true), value
end

-- The filter that finds everything with the identity of a value.
local filters <const> = {
  route = function(v) return { dst = v.dst, family = v.family, table = v.table or "main" } end,
  nexthop = function(v) return { id = v.id } end,
  addr = function(v) return { address = v.address, dev = v.dev, family = v.family } end,
  rule = function(v) return { family = v.family, priority = v.priority } end,
  neigh = function(v) return { dst = v.dst, dev = v.dev, family = v.family } end,
  vlan = function(v) return { dev = v.dev } end,
}

-- The same as text, for many values at once.
local function identity(kind, view)
  local words = {}
  for key, value in pairs(filters[kind](view)) do
    words[#words + 1] = key .. "=" .. tostring(value)
  end
  table.sort(words)
  return table.concat(words, " ")
end

local function contains(list, view)
  for _, other in ipairs(list) do
    if other == view then
      return true
    end
  end
  return false
end

local gone <const> = { ESRCH = true, ENOENT = true, EADDRNOTAVAIL = true, ENODEV = true }

-- What the kernel holds under the identities `touched`.
local function held(nl, kind, filter, touched)
  local list, message, code = nl[kind]:list(filter)
  if not list then
    return nil, message, code
  end
  local found = {}
  for _, view in ipairs(list) do
    if touched[identity(kind, view)] then
      found[#found + 1] = view
    end
  end
  return found
end

local function restore_routes(nl, now, old)
  local plan, message, code = require "ecmp.plan"(now, old)
  if not plan then
    return nil, message, code
  end
  return plan:apply(nl)
end

-- Groups of next-hop objects come after their members, and go before them.
local function by_group(list, groups_first)
  local ordered = {}
  for _, grouped in ipairs { groups_first, not groups_first } do
    for _, view in ipairs(list) do
      if (view:object() == "nexthop" and view.group ~= nil) == grouped then
        ordered[#ordered + 1] = view
      end
    end
  end
  return ordered
end

local function identities(kind, list)
  local set = {}
  for _, view in ipairs(list) do
    set[identity(kind, view)] = true
  end
  return set
end

-- Takes away what was not there. What is there in another form is replaced in its place: with it
-- the kernel would take what depends on it.
local function take_away(nl, kind, now, old)
  local known = kind ~= "rule" and identities(kind, old) or {}
  for _, view in ipairs(by_group(now, true)) do
    if not contains(old, view) and not known[identity(kind, view)] then
      local ok, message, code = nl[kind]:del(view)
      if not ok and not gone[code] then
        return nil, message, code
      end
    end
  end
  return true
end

local function bring_back(nl, kind, now, old)
  local verb = kind == "rule" and "add" or "replace"
  for _, view in ipairs(by_group(old, false)) do
    if not contains(now, view) then
      local ok, message, code = nl[kind][verb](nl[kind], view)
      if not ok and code ~= "EEXIST" then
        return nil, message, code
      end
    end
  end
  return true
end

-- Puts back what was held.
local function restore(nl, kind, filter, touched, old)
  local now, message, code = held(nl, kind, filter, touched)
  if not now then
    return nil, message, code
  end
  if kind == "route" then
    return restore_routes(nl, now, old)
  end
  local ok
  ok, message, code = take_away(nl, kind, now, old)
  if not ok then
    return nil, message, code
  end
  return bring_back(nl, kind, now, old)
end

-- The undo of changes to objects of one kind, made before they are changed.
local function restoring(nl, kind, filter, touched)
  local old, message, code = held(nl, kind, filter, touched)
  if not old then
    return nil, message, code
  end
  return function() return restore(nl, kind, filter, touched, old) end
end

local function push(tx, undo)
  tx.undo[#tx.undo + 1] = undo
end

-- Links: what a request sets is read before; a link that was deleted cannot be brought back as it
-- was.
local function link_undo(nl, verb, view, value)
  if verb == "add" then
    if not view.name or view.name:find("%", 1, true) then
      rtnl.throw("link add: what the kernel gives a name cannot be undone; name it, or do it "
        .. "outside of a transaction")
    end
    return function() return nl.link:del { dev = view.name } end
  elseif verb == "del" or (type(value) == "table" and value.netns) then
    rtnl.throw(("link %s: deleting or moving a link cannot be undone; do it outside of a "
      .. "transaction"):format(verb))
  end
  local name = view.dev or view.name
  local list, message, code = nl.link:list { dev = name }
  if not list or not list[1] then
    message = message or ("link %s %s: Cannot find device (ENODEV)"):format(verb, name)
    return nil, message, code or "ENODEV"
  end
  local back = { dev = value.name or name }
  for key in pairs(value) do
    if key ~= "dev" and key ~= "type" and key ~= "port" then
      local was = list[1][key]
      back[key] = was == nil and false or was
    end
  end
  return function() return nl.link:set(back) end
end

local function undo_of(nl, kind, verb, value)
  local view, given = as_view(kind, value)
  if kind == "link" then
    return link_undo(nl, verb, view, given)
  end
  local filter = filters[kind](view)
  if kind == "nexthop" and not filter.id then
    return false -- the kernel chooses the number: known when it is there
  end
  return restoring(nl, kind, filter, { [identity(kind, view)] = true })
end

-- The route that `add_nexthop` and `del_nexthop` name by its destination alone.
local function named_route(value, hop)
  local six = value == "default" and tostring(type(hop) == "table" and hop.via or hop):find ":"
  return { dst = value, family = six and 6 or nil }
end

-- What a rule without a priority became, or which one it was that went, shows afterwards only.
local function change_rule(tx, value, verb)
  local nl, filter = tx.nl, { family = as_view("rule", value).family }
  local before, message, code = nl.rule:list(filter)
  if not before then
    return nil, message, code
  end
  local ok, answer, symbol = nl.rule[verb](nl.rule, value)
  local after = ok and nl.rule:list(filter)
  if after then
    push(tx, function()
      for _, view in ipairs(after) do
        if not contains(before, view) then nl.rule:del(view) end
      end
      for _, view in ipairs(before) do
        if not contains(after, view) then nl.rule:add(view) end
      end
      return true
    end)
  end
  return ok, answer, symbol
end

local function check_open(tx)
  if tx.done then
    rtnl.throw("this transaction is over")
  end
end

-- An undo that also makes what the kernel took along.
local function with_collateral(nl, undo, before)
  local after = before and collateral.look(nl)
  if not after then
    return undo
  end
  return function()
    local ok, message, code = undo()
    if not ok then
      return nil, message, code
    end
    return collateral.bring_back(nl, before, after)
  end
end

local function change(tx, kind, verb, value, ...)
  check_open(tx)
  if kind == "rule" and (as_view(kind, value).priority or 0) == 0 then
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
  local before = collateral.may_follow(kind, verb) and collateral.look(nl)
  local ok, answer, symbol = nl[kind][verb](nl[kind], value, ...)
  if ok and not undo then
    local id = answer.id
    local touched = { [identity(kind, { id = id })] = true }
    undo = function() return restore(nl, kind, { id = id }, touched, {}) end
  end
  if ok then
    push(tx, with_collateral(nl, undo, before))
  end
  return ok, answer, symbol
end

local changing <const> = {
  add = true, replace = true, append = true, prepend = true, change = true, set = true,
  del = true, add_nexthop = true, del_nexthop = true,
}

-- An object of the handle whose changing verbs are noted down; the others pass through.
local function recorded(tx, kind)
  local object = tx.nl[kind]
  return setmetatable({}, {
    __index = function(_, verb)
      if changing[verb] then
        return function(_, value, ...) return change(tx, kind, verb, value, ...) end
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
    if (kind == "link" or filters[kind]) and entry[2] ~= nil then
      view, given = as_view(kind, entry[3] and entry[2][entry[3]] or entry[2]) -- or one of a list
    end
    if not view then
      break
    elseif kind == "link" then
      links[#links + 1] = link_undo(nl, verb, view, given)
    elseif kind == "nexthop" and not view.id then
      rtnl.throw(("[%d].id: missing; without it the change cannot be undone"):format(i))
    else
      if not kinds[kind] then
        kinds[kind] = {}
        order[#order + 1] = kind
      end
      kinds[kind][identity(kind, view)] = true
    end
  end
  return kinds, order, links
end

-- Newest first; goes on after a refusal and reports the first.
local function each(undo)
  local message, code
  for i = #undo, 1, -1 do
    local ok, why, symbol = undo[i]()
    if not ok and not gone[symbol] and not message then
      message, code = why, symbol
    end
  end
  return message == nil or nil, message, code
end

local function recorded_batch(tx)
  local nl = tx.nl
  return function(_, changes, options)
    check_open(tx)
    if options and options.share then
      rtnl.throw("share: cannot be undone; do it outside of a transaction")
    end
    local kinds, order, links = touched_by(nl, changes)
    local undo = links
    for _, kind in ipairs(order) do
      local back, message, code = restoring(nl, kind, everything[kind], kinds[kind])
      if not back then
        error(("batch: %s (%s)"):format(message, code), 2)
      end
      undo[#undo + 1] = back
    end
    local before = may_follow(changes) and collateral.look(nl)
    local results = nl:batch(changes, options)
    push(tx, with_collateral(nl, function() return each(undo) end, before))
    return results
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

---Takes the changes back now, last one first; goes on after a failure and reports the first.
---@return true|nil
---@return string? message
---@return string? code
function methods:rollback()
  local first_message, first_code
  finish(self)
  while #self.undo > 0 do
    local good, ok, message, code = pcall(table.remove(self.undo))
    if not good then
      ok, message = nil, tostring(ok)
    end
    if not ok and not gone[code] and not first_message then
      first_message, first_code = message, code
    end
  end
  if first_message then
    return nil, "undo: " .. first_message, first_code
  end
  return true
end

function mt:__close()
  if not self.done then
    self:rollback()
  end
end

mt.__gc = mt.__close

return M
