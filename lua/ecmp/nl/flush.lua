---Deleting whatever a filter finds: in batches, and one by one what needs a closer look.

local filters = require "ecmp.nl.filter"
local rtnl = require "ecmp.rtnl"

rtnl.own()

-- What may have gone by itself, or with what went before it; or the kernel did not find it.
local gone <const> = { ESRCH = true, ENOENT = true, EADDRNOTAVAIL = true, ENODEV = true }

-- How many are sent at once: beyond, requests would take more memory than they save time.
local CHUNK <const> = 1 << 16

-- Of these all are flushed where nothing says which, as by `ip OBJECT flush` alone.
local whole <const> = { nexthop = true, rule = true }

-- A filter that says something: a misspelt variable must not empty a table.
local function check(kind, filter)
  local given = filters.given(kind, filter)
  if next(given) == nil and not whole[kind] then
    rtnl.throw(("%s flush: nothing says which; all of a family or table, say"):format(kind))
  end
  return given
end

-- What `ip` leaves: rules of priority 0, without which no address of the machine is its own.
local function without_first_rules(list, given)
  local kept = {}
  for _, rule in ipairs(list) do
    if (rule.priority or 0) ~= 0 or given.priority then
      kept[#kept + 1] = rule
    end
  end
  return kept
end

-- Deletes the part of a list that begins at `first`; what has to be looked at goes to `rest`.
local function delete_chunk(through, verb, list, first, request, rest, note)
  local changes, sent = {}, {}
  for i = first, math.min(first + CHUNK - 1, #list) do
    local made = request(list[i])
    if made then
      sent[#sent + 1] = list[i]
      changes[#changes + 1] = { verb, made }
    else
      rest[#rest + 1] = list[i]
    end
  end
  for i, result in ipairs(through:batch(changes)) do
    if result ~= true then
      note(sent[i], result.message, result.code)
    end
  end
end

-- Adds to the refused ones those that were said to have gone and are still there.
local function add_those_left(self, filter, missing, refused)
  local there = {}
  for _, view in ipairs(next(missing) and self:list(filter) or {}) do
    there[tostring(view)] = true
  end
  for _, one in ipairs(missing) do
    if there[tostring(one.view)] then
      refused[#refused + 1] = one
    end
  end
end

---Deletes what `list` would return, through a handle or a transaction.
---@param self ecmp.Object
---@param filter table|string
---@param through ecmp.Handle|ecmp.Transaction
---@return integer|nil count
---@return string? message
---@return string? code
local function flush(self, filter, through)
  local given = check(self.kind, filter)
  local list, message, code = self:list(filter)
  local request
  if list then
    list = self.kind == "rule" and without_first_rules(list, given) or list
    request, message, code = self:deletions(list, filter)
  end
  if not request then
    return nil, message, code
  end
  local refused, missing, rest = {}, {}, {}
  local function note(view, why, symbol)
    local into = gone[symbol] and missing or refused
    into[#into + 1] = { view = view, message = why, code = symbol }
  end
  for first = 1, #list, CHUNK do
    delete_chunk(through, self.kind .. " del", list, first, request, rest, note)
  end
  for _, view in ipairs(rest) do
    local ok, why, symbol = through[self.kind]:del(view)
    if not ok then
      note(view, why, symbol)
    end
  end
  add_those_left(self, filter, missing, refused)
  local first = refused[1]
  if first then
    return nil, ("%s (%d of %d deleted)"):format(first.message, #list - #refused, #list), first.code
  end
  return #list
end

return flush
