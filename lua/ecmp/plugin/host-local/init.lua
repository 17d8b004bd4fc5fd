---host-local: hands out addresses of ranges kept on this host, as the reference plugin does.
--
-- The verbs serve the executable and, in-process, our interface plugins. Where this one is meant to
-- be better: ADD reserves everything or nothing, DEL needs no sound configuration, a choice between
-- several requested addresses is the first listed, GC and STATUS exist, waiting has an end.
local Pool = require "ecmp.plugin.host-local.pool"
local Store = require "ecmp.plugin.host-local.store"
local cni = require "ecmp.cni"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local read = require "ecmp.plugin.host-local.read"
local reserve = require "ecmp.plugin.host-local.reserve"

local M = {}

local try <const> = cni.try

---What the program says of itself when it is called by hand.
M.about = "hands out addresses of ranges kept on this host"

local UNAVAILABLE <const>, INTERNAL <const> = cni.codes.unavailable, cni.codes.internal

local function result_of(pool, taken)
  local ips <const> = {}
  for i, one in ipairs(taken) do
    ips[i] = { address = ("%s/%d"):format(one.address, one.range.length),
      gateway = tostring(one.range.gateway) }
  end
  return { ips = ips, routes = pool.routes, dns = pool.dns }
end

-- The store of a network, nil where it has none yet.
local function existing(directory, network)
  local store <const>, message <const>, code <const> =
    Store.open(directory, network, { create = false })
  return try(store or not message, message, code) and store
end

---Reserves one address of each range set.
---@param call table gets `reserved`, the addresses that this ADD took and did not find held
---@return table result
function M.add(call)
  call.reserved = call.reserved or {}
  local pool <const> = try(read.call(call))
  local store <close> = try(Store.open(pool.directory, pool.network))
  try(store:release_dead(call.containerid, call.ifname))
  local taken <const> = try(reserve.run(store, pool, call))
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
  local freed <const>, problem <const>, why <const> =
    store:undo(call.reserved or {}, call.containerid, call.ifname)
  return freed and true, problem, why
end

---Says what `add` would give, and reserves nothing. Another ADD may be faster.
---@param call table
---@return table result
function M.peek(call)
  local pool <const> = try(read.call(call))
  local store <const> = Store.peek(pool.directory, pool.network)
  return result_of(pool, try(reserve.peek(store, pool)))
end

---Frees what the attachment holds, whatever became of the configuration since.
---@param call table
function M.del(call)
  local directory <const>, network <const> = Pool.place(call.conf)
  local store <close> = existing(directory, network)
  if store then try(store:release(call.containerid, call.ifname)) end
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
        cni.refuse(INTERNAL, ("%s of the previous result is not reserved for this attachment")
          :format(address))
      end
    end
  end
end

---Whether the attachment still holds its addresses.
---@param call table
function M.check(call)
  local pool <const> = try(read.call(call))
  local store <close> = existing(pool.directory, pool.network)
  local held <const> = store and store:addresses(call.containerid, call.ifname) or {}
  if #held == 0 then
    cni.refuse(INTERNAL, ("no address is reserved for %s/%s in %s/%s"):format(call.containerid,
      call.ifname, pool.directory, pool.network))
  end
  check_previous(pool, call.prev, held)
end

---Frees the addresses of every attachment that is not in `call.valid`; without a list, nothing.
---@param call table
function M.gc(call)
  if not call.valid or json.get(call.conf, "disableGC") == true then return end
  local directory <const>, network <const> = Pool.place(call.conf)
  local store <close> = existing(directory, network)
  if store then try(store:retain(call.valid)) end
end

---Whether an ADD could be served now: 50 when a set is full or nothing can be written.
---@param call table
function M.status(call)
  local pool <const> = try(read.call(call))
  local writable <const>, trouble <const> = Store.probe(pool.directory, pool.network)
  try(writable, trouble, UNAVAILABLE)
  local store <const> = Store.peek(pool.directory, pool.network)
  for n, set in ipairs(pool.sets) do
    if not store:free(set, store:last(n - 1)) then
      cni.refuse(UNAVAILABLE, ("range %d: no IP addresses available in range set: %s")
        :format(n - 1, set))
    end
  end
end

return M
