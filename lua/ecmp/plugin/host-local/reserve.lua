---Reserves one address of each range set, or none at all.
local codes = require("ecmp.cni.errors").codes
local log = require "ecmp.log"

local M = {}

local MISTAKE <const>, INTERNAL <const> = codes.config, codes.internal

-- Takes the first of the requested addresses that lies in a set out of the list.
local function take_requested(set, left)
  for i, address in ipairs(left) do
    local range <const> = set:find(address)
    if range then return table.remove(left, i), range end
  end
end

-- Reserves one address that was asked for by name.
local function reserve_requested(store, set, address, range, call)
  if address == range.gateway then
    return nil, ("requested address %s is the gateway of its range"):format(address), MISTAKE
  end
  if set:is_kept_out(address) then
    return nil, ("requested address %s is a gateway of ipam.routes"):format(address), MISTAKE
  end
  local reserved <const>, message <const>, code <const> =
    store:reserve_or_reclaim(address, call.containerid, call.ifname)
  if reserved then return address, range end
  return nil, message or ("requested address %s is not available in range set %s")
    :format(address, set), code or INTERNAL
end

-- The address of this set that the attachment holds already.
local function held_in(set, held)
  for _, address in ipairs(held) do
    local range <const> = set:find(address)
    if range then return address, range end
  end
end

-- Whatever one ADD reserved, to be freed at scope exit unless it is kept.
local function reservations(store, call)
  local list <const> = {}
  return setmetatable(list, { __close = function()
    if list.kept then return end
    local freed <const>, message <const> = store:undo(list, call.containerid, call.ifname)
    if not freed then log.warn("undo of a failed ADD: " .. message) end
  end })
end

-- One address of one set: asked for, or held already, or the next free one.
local function pick(store, pool, n, wanted, call)
  local set <const> = pool.sets[n]
  local asked <const>, asked_range <const> = take_requested(set, wanted.left)
  if asked then return reserve_requested(store, set, asked, asked_range, call) end
  local held <const>, held_range <const> = held_in(set, wanted.held)
  if held and pool.idempotent then return held, held_range, "held" end
  if held then
    return nil, ("%s has been allocated to %s/%s, duplicate allocation is not allowed")
      :format(held, call.containerid, call.ifname), INTERNAL
  end
  return store:allocate(set, n - 1, call.containerid, call.ifname)
end

local function text_list(addresses)
  local texts <const> = {}
  for i, address in ipairs(addresses) do texts[i] = tostring(address) end
  return table.concat(texts, ", ")
end

---Reserves one address of each set.
---@param store table open
---@param pool table `{ sets, requested, idempotent }`
---@param call { containerid: string, ifname: string } the attachment
---@return { address: ecmp.Address, range: table, new: boolean }[]? taken `new`: not held before
---@return string? message, integer? code
function M.run(store, pool, call)
  local reserved <close> = reservations(store, call)
  local wanted <const> = {
    left = table.move(pool.requested, 1, #pool.requested, 1, {}),
    held = store:addresses(call.containerid, call.ifname),
  }
  local taken <const> = {}
  for n in ipairs(pool.sets) do
    local address, range, code = pick(store, pool, n, wanted, call)
    if not address then
      return nil, ("failed to allocate for range %d: %s"):format(n - 1, range), code
    end
    if code ~= "held" then
      reserved[#reserved + 1] = address
      local noted <const>, message <const>, why <const> = store:set_last(n - 1, address)
      if not noted then return nil, message, why end
    end
    taken[n] = { address = address, range = range, new = code ~= "held" }
  end
  if #wanted.left > 0 then
    return nil, "failed to allocate all requested IPs: " .. text_list(wanted.left), MISTAKE
  end
  reserved.kept = true
  return taken
end

---Says what `run` would give, and reserves nothing. Another may be faster.
---@param store table open for looking
---@param pool table
---@return { address: ecmp.Address, range: table }[]? free, string? message, integer? code
function M.peek(store, pool)
  local left <const> = table.move(pool.requested, 1, #pool.requested, 1, {})
  local free <const> = {}
  for n, set in ipairs(pool.sets) do
    local address, range = take_requested(set, left)
    if not address then address, range = store:free(set, store:last(n - 1)) end
    if not address then
      return nil, ("range %d: no IP addresses available in range set: %s"):format(n - 1, set),
        INTERNAL
    end
    free[n] = { address = address, range = range }
  end
  return free
end

return M
