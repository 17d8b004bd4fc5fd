---host-local: hands out addresses of ranges kept on this host, as the reference plugin does.
--
-- The verbs serve the executable and, in-process, our interface plugins. Where this one is meant to
-- be better: ADD reserves everything or nothing, DEL needs no sound configuration, a choice between
-- several requested addresses is the first listed, GC and STATUS exist, waiting has an end.
local Pool = require "ecmp.plugin.host-local.pool"
local Store = require "ecmp.plugin.host-local.store"
local codes = require("ecmp.cni.errors").codes
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local read = require "ecmp.plugin.host-local.read"
local reserve = require "ecmp.plugin.host-local.reserve"

local M = {}

---What the program says of itself when it is called by hand.
M.about = "hands out addresses of ranges kept on this host"

local UNAVAILABLE <const>, INTERNAL <const> = codes.unavailable, codes.internal

local function result_of(pool, taken)
  local ips <const> = {}
  for i, one in ipairs(taken) do
    ips[i] = { address = ("%s/%d"):format(one.address, one.range.length),
      gateway = tostring(one.range.gateway) }
  end
  return { ips = ips, routes = pool.routes, dns = pool.dns }
end

---Reserves one address of each range set.
---@param call table gets `reserved`, the addresses that this ADD took and did not find held
---@return table? result, string? message, integer? code
function M.add(call)
  call.reserved = call.reserved or {}
  local pool <const>, wrong <const>, code <const> = read.call(call)
  if not pool then return nil, wrong, code end
  local store <close>, message <const>, why <const> = Store.open(pool.directory, pool.network)
  if not store then return nil, message, why end
  local cleared <const>, trouble <const>, status <const> =
    store:release_dead(call.containerid, call.ifname)
  if not cleared then return nil, trouble, status end
  local taken <const>, failure <const>, reason <const> = reserve.run(store, pool, call)
  if not taken then return nil, failure, reason end
  for _, one in ipairs(taken) do
    if one.new then table.insert(call.reserved, one.address) end
  end
  return result_of(pool, taken)
end

---Frees what an ADD reserved whose result nobody got; what the attachment held before stays.
---@param call table that of the ADD
---@return true?, string? message, integer? code
function M.give_back(call)
  local directory <const>, network <const> = Pool.place(call.conf)
  local store <close>, message <const>, code <const> =
    Store.open(directory, network, { create = false })
  if not store then return not message or nil, message, code end
  for _, address in ipairs(call.reserved or {}) do
    store:undo(address, call.containerid, call.ifname)
  end
  return true
end

---Says what `add` would give, and reserves nothing. Another ADD may be faster.
---@param call table
---@return table? result, string? message, integer? code
function M.peek(call)
  local pool <const>, wrong <const>, code <const> = read.call(call)
  if not pool then return nil, wrong, code end
  local store <const> = Store.peek(pool.directory, pool.network)
  local free <const>, failure <const>, reason <const> = reserve.peek(store, pool)
  if not free then return nil, failure, reason end
  return result_of(pool, free)
end

---Frees what the attachment holds, whatever became of the configuration since.
---@param call table
---@return true?, string? message, integer? code
function M.del(call)
  local directory <const>, network <const> = Pool.place(call.conf)
  local store <close>, message <const>, code <const> =
    Store.open(directory, network, { create = false })
  if not store then return not message or nil, message, code end
  local freed <const>, failure <const>, why <const> =
    store:release(call.containerid, call.ifname)
  return freed and true, failure, why
end

-- An address of the previous result that our ranges give out must still be the attachment's.
local function check_previous(pool, prev, held)
  local mine <const> = {}
  for _, address in ipairs(held) do mine[tostring(address)] = true end
  for _, entry in ipairs(prev and prev.ips or {}) do
    local parsed <const> = type(entry.address) == "string" and ip.parse(entry.address)
    local address <const> = parsed and parsed:address()
    for _, set in ipairs(address and pool.sets or {}) do
      if set:find(address) and not mine[tostring(address)] then
        return nil, ("%s of the previous result is not reserved for this attachment")
          :format(address), INTERNAL
      end
    end
  end
  return true
end

---Whether the attachment still holds its addresses.
---@param call table
---@return true?, string? message, integer? code
function M.check(call)
  local pool <const>, message <const>, code <const> = read.call(call)
  if not pool then return nil, message, code end
  local store <close>, trouble <const>, why <const> =
    Store.open(pool.directory, pool.network, { create = false })
  if trouble then return nil, trouble, why end
  local held <const> = store and store:addresses(call.containerid, call.ifname) or {}
  if #held == 0 then
    return nil, ("no address is reserved for %s/%s in %s/%s")
      :format(call.containerid, call.ifname, pool.directory, pool.network), INTERNAL
  end
  return check_previous(pool, call.prev, held)
end

---Frees the addresses of every attachment that is not in `call.valid`; without a list, nothing.
---@param call table
---@return true?, string? message, integer? code
function M.gc(call)
  if not call.valid or json.get(call.conf, "disableGC") == true then return true end
  local directory <const>, network <const> = Pool.place(call.conf)
  local store <close>, message <const>, code <const> =
    Store.open(directory, network, { create = false })
  if not store then return not message or nil, message, code end
  local freed <const>, failure <const>, why <const> = store:retain(call.valid)
  return freed and true, failure, why
end

---Whether an ADD could be served now.
---@param call table
---@return true?, string? message, integer? code  50 when a set is full or nothing can be written
function M.status(call)
  local pool <const>, message <const>, code <const> = read.call(call)
  if not pool then return nil, message, code end
  local writable <const>, trouble <const> = Store.probe(pool.directory, pool.network)
  if not writable then return nil, trouble, UNAVAILABLE end
  local store <const> = Store.peek(pool.directory, pool.network)
  for n, set in ipairs(pool.sets) do
    if not store:free(set, store:last(n - 1)) then
      return nil, ("range %d: no IP addresses available in range set: %s"):format(n - 1, set),
        UNAVAILABLE
    end
  end
  return true
end

return M
