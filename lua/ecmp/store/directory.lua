---The addresses of a pool in a directory of this machine: host-local's, behind the interface that
---etcd has, for trying a configuration out.
--
-- Who calls says by what code the directory is kept (`keeper`), since that belongs to a plugin.
-- Refusals carry the codes of that code, which are CNI's numbers.
local M = {}

local Store <const> = {}
Store.__index = Store

---@class ecmp.store.directory.Keeper
---@field store table opens a network's directory: `open`, `peek`, `probe`
---@field reserve table takes one address of each set: `run`, `peek`

---@param keeper ecmp.store.directory.Keeper
---@param directory string
---@param network string
---@return table store
function M.open(keeper, directory, network)
  return setmetatable({ keeper = keeper, directory = directory, network = network }, Store)
end

function Store.close() end

Store.__close = Store.close

-- Runs something under the directory's lock; `missing` is the answer where there is no directory.
local function locked(self, options, missing, run)
  local books <close>, message, code = self.keeper.store.open(self.directory, self.network, options)
  if books then return run(books) end
  if message then return nil, message, code end
  return missing
end

local EXISTING <const> = { create = false }

---Reserves one address of each range set.
---@param attachment { containerid: string, ifname: string }
---@param choice { sets: table[], requested: ecmp.Address[], idempotent: boolean }
---@return { address: ecmp.Address, range: table }[]? held `held.nonce` where some was reserved now
---@return string? message, integer? code
function Store:reserve(attachment, choice)
  return locked(self, nil, nil, function(books)
    local cleared <const>, message <const>, code <const> =
      books:release_dead(attachment.containerid, attachment.ifname)
    if not cleared then return nil, message, code end
    local held <const>, problem <const>, why <const> =
      self.keeper.reserve.run(books, choice, attachment)
    if not held then return nil, problem, why end
    for _, one in ipairs(held) do held.nonce = held.nonce or one.new end
    return held
  end)
end

---Says what `reserve` would give, and changes nothing.
function Store:preview(choice)
  return self.keeper.reserve.peek(self.keeper.store.peek(self.directory, self.network), choice)
end

---Frees what an attachment holds.
---@return string[]? freed, string? message, integer? code
function Store:release(attachment)
  return locked(self, EXISTING, {}, function(books)
    return books:release(attachment.containerid, attachment.ifname)
  end)
end

---The addresses that an attachment holds.
---@return ecmp.Address[]? held, string? message, integer? code
function Store:holds(attachment)
  return locked(self, EXISTING, {}, function(books)
    return books:addresses(attachment.containerid, attachment.ifname)
  end)
end

---Frees the attachments that are not listed.
---@param valid { containerid: string, ifname: string }[]
---@return string[]? freed, string? message, integer? code
function Store:retain(valid)
  return locked(self, EXISTING, {}, function(books) return books:retain(valid) end)
end

---Every address that is taken.
---@return table[]? entries `{ address, containerid, ifname }`, or `{ key, trouble }`
---@return string? message, integer? code
function Store:entries()
  return locked(self, EXISTING, {}, function(books)
    local list <const> = {}
    for i, entry in ipairs(books:entries()) do
      local id <const>, ifname <const> = entry.key:match("^([^/]*)/?(.*)$")
      local address <const> = self.keeper.parse(entry.name)
      list[i] = address and { address = address, containerid = id, ifname = ifname }
        or { key = entry.name, trouble = "is no address" }
    end
    table.sort(list, function(a, b)
      if a.address and b.address then return a.address < b.address end
      return a.address ~= nil and b.address == nil
    end)
    return list
  end)
end

---How many addresses of each range are taken.
---@param sets table[]
---@return { set: integer, range: table, size: integer, used: integer }[]? usage
---@return string? message, integer? code
function Store:usage(sets)
  local entries <const>, message <const>, code <const> = self:entries()
  if not entries then return nil, message, code end
  local usage <const> = {}
  for n, set in ipairs(sets) do
    for _, range in ipairs(set) do
      local one <const> = { set = n, range = range, size = self.keeper.size(range, set), used = 0 }
      for _, entry in ipairs(entries) do
        local address <const> = entry.address
        if address and range.first <= address and address <= range.last then
          one.used = one.used + 1
        end
      end
      usage[#usage + 1] = one
    end
  end
  return usage
end

---Whether an ADD could be served.
---@param sets table[]
---@return true? ok, string? message
function Store:status(sets)
  local books <const> = self.keeper.store
  local writable <const>, message <const> = books.probe(self.directory, self.network)
  if not writable then return nil, message end
  local look <const> = books.peek(self.directory, self.network)
  for n, set in ipairs(sets) do
    if not look:free(set, look:last(n - 1)) then
      return nil, ("range %d: no IP addresses available in range set: %s"):format(n - 1, set)
    end
  end
  return true
end

return M
