-- Changes that are undone at scope exit unless committed: `local tx <close> = nl:begin()`.
--
-- Before each change the transaction reads what the kernel holds under the same identity (a route's
-- destination and table, an address on its link, ...). Undoing puts these back, last change first,
-- and leaves everything else alone, so that what other programs did meanwhile stays.

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
}

local function contains(list, view)
  for _, other in ipairs(list) do
    if other == view then
      return true
    end
  end
  return false
end

local gone <const> = { ESRCH = true, ENOENT = true, EADDRNOTAVAIL = true, ENODEV = true }

-- Puts back what was under a filter.
local function restore(nl, kind, filter, old)
  local now, message, code = nl[kind]:list(filter)
  if not now then
    return nil, message, code
  end
  if kind == "route" then
    local plan
    plan, message, code = require "ecmp.plan"(now, old)
    if not plan then
      return nil, message, code
    end
    return plan:apply(nl)
  end
  for _, view in ipairs(now) do
    if not contains(old, view) then
      local ok
      ok, message, code = nl[kind]:del(view)
      if not ok and not gone[code] then
        return nil, message, code
      end
    end
  end
  for _, view in ipairs(old) do
    if not contains(now, view) then
      local ok
      ok, message, code = nl[kind]:add(view)
      if not ok and code ~= "EEXIST" then
        return nil, message, code
      end
    end
  end
  return true
end

local function push(tx, undo)
  tx.undo[#tx.undo + 1] = undo
end

-- Links: what a request sets is read before; a link that was deleted cannot be brought back as it
-- was.
local function link_undo(nl, verb, view, value)
  if verb == "add" then
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
  local old, message, code = nl[kind]:list(filter)
  if not old then
    return nil, message, code
  end
  return function() return restore(nl, kind, filter, old) end
end

local function change(tx, kind, verb, value, ...)
  if tx.done then
    rtnl.throw("this transaction is over")
  end
  local nl = tx.nl
  local key = value
  if verb:find "_nexthop" and type(value) == "string" then
    local hop = ...
    local six = value == "default" and tostring(type(hop) == "table" and hop.via or hop):find ":"
    key = { dst = value, family = six and 6 or nil }
  end
  local undo, message, code = undo_of(nl, kind, verb, key)
  if undo == nil then
    return nil, message, code
  end
  local ok, answer, symbol = nl[kind][verb](nl[kind], value, ...)
  if ok and undo then
    push(tx, undo)
  elseif ok then
    local id = answer.id
    push(tx, function() return restore(nl, kind, { id = id }, {}) end)
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
        return function(self, filter)
          local list, message, code = object:list(filter)
          for i, view in ipairs(list or {}) do
            local ok
            ok, message, code = self:del(view)
            if not ok and not gone[code] then
              return nil, ("%s (%d of %d deleted)"):format(message, i - 1, #list), code
            end
          end
          return list and #list, message, code
        end
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

---Starts a transaction. See `nl:begin`.
---@param nl ecmp.Handle
---@return ecmp.Transaction
function M.new(nl)
  local tx = setmetatable({ nl = nl, undo = {}, done = false }, mt)
  for _, kind in ipairs { "route", "nexthop", "link", "addr", "rule", "neigh" } do
    tx[kind] = recorded(tx, kind)
  end
  tx.sysctl = recorded_sysctl(tx)
  return tx
end

---Keeps the changes.
---@return true
function methods:commit()
  self.done, self.undo = true, {}
  return true
end

---Takes the changes back now, last one first; goes on after a failure and reports the first.
---@return true|nil
---@return string? message
---@return string? code
function methods:rollback()
  local first_message, first_code
  self.done = true
  while #self.undo > 0 do
    local ok, message, code = table.remove(self.undo)()
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
