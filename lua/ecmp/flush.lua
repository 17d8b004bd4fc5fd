-- Deleting whatever a filter finds: in batches, and one by one what needs a closer look.

-- What has gone by itself, or with what went before it.
local gone <const> = { ESRCH = true, ENOENT = true, EADDRNOTAVAIL = true, ENODEV = true }

-- How many are sent at once: beyond, requests would take more memory than they save time.
local CHUNK <const> = 1 << 16

-- Deletes the part of a list that begins at `first`; what has to be looked at goes to `rest`.
local function delete_chunk(through, verb, list, first, request, rest, count)
  local changes = {}
  for i = first, math.min(first + CHUNK - 1, #list) do
    local made = request(list[i])
    if made then
      changes[#changes + 1] = { verb, made }
    else
      rest[#rest + 1] = list[i]
    end
  end
  for _, result in ipairs(through:batch(changes)) do
    if result == true then
      count(true)
    else
      count(nil, result.message, result.code)
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
  local list, message, code = self:list(filter)
  local request
  if list then
    request, message, code = self:deletions(list, filter)
  end
  if not request then
    return nil, message, code
  end
  local failed, deleted, rest = nil, 0, {}
  local function count(ok, why, symbol)
    if ok or gone[symbol] then
      deleted = deleted + 1
    else
      failed = failed or { message = why, code = symbol }
    end
  end
  for first = 1, #list, CHUNK do
    delete_chunk(through, self.kind .. " del", list, first, request, rest, count)
  end
  for _, view in ipairs(rest) do
    count(through[self.kind]:del(view))
  end
  if failed then
    return nil, ("%s (%d of %d deleted)"):format(failed.message, deleted, #list), failed.code
  end
  return #list
end

return flush
