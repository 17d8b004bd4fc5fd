---ecmp-pool: hands out addresses of one pool to all nodes of a cluster.
--
-- The keys are host-local's and `store`, which names where the addresses are kept: etcd, or a
-- directory of this machine for trying a configuration out. An ordinary IPAM plugin; our interface
-- plugins run it in their own process.
local candidates = require "ecmp.store.etcd.candidates"
local cni = require "ecmp.cni"
local config = require "ecmp.plugin.pool.config"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local log = require "ecmp.log"
local open = require "ecmp.plugin.pool.open"

local M = {}

---What the program says of itself when it is called by hand.
M.about = "hands out addresses of a pool that all nodes of a cluster share"

local try <const> = cni.try

-- Seconds that DEL takes at most, and how often it asks each endpoint: what etcd cannot be told by
-- then it is told later.
local DEL_TIMEOUT <const>, DEL_PASSES <const> = 2, 2

-- CNI's numbers for the symbols of stores; others keep what they mean elsewhere.
local numbers <const> = {
  ENOSPC = cni.codes.again, ENOTUNIQ = cni.codes.config, EACCES = cni.codes.config,
  EINVAL = cni.codes.config,
}

-- `try` for what a store returns.
local function ask(value, message, code)
  if value then return value end
  return try(nil, message, numbers[code] or code)
end

local function result_of(pool, held)
  local ips <const> = {}
  for i, one in ipairs(held) do
    ips[i] = { address = ("%s/%d"):format(one.address, one.range.length),
      gateway = tostring(one.range.gateway) }
  end
  return { ips = ips, routes = pool.routes, dns = pool.dns }
end

---Reserves one address of each range set.
---@param call table gets `reserved`: under what name this ADD reserved, for `give_back`
---@return table result
function M.add(call)
  call.reserved = call.reserved or {}
  local pool <const> = try(config.read(call))
  local store <close> = try(open.store(pool.store, call.conf))
  local held <const> = ask(store:reserve(call, pool))
  call.reserved[1] = held.nonce
  return result_of(pool, held)
end

---Frees what an ADD reserved whose result nobody got; what the attachment held before stays.
---@param call table that of the ADD
---@return true?, string? message, integer|string? code
function M.give_back(call)
  local nonce <const> = call.reserved and call.reserved[1]
  if not nonce then return true end
  local settings <const>, wrong <const>, mistake <const> = config.store(call.conf)
  if not settings then return nil, wrong, mistake end
  local store <close>, message, code = open.store(settings, call.conf, DEL_TIMEOUT, DEL_PASSES)
  if not store then return nil, message, code end
  local freed <const>, problem <const>, why <const> = store:release(call, nonce)
  return freed and true, problem, why
end

---Says what `add` would give, and reserves nothing. Another ADD may be faster.
---@param call table
---@return table result
function M.peek(call)
  local pool <const> = try(config.read(call))
  local store <close> = try(open.store(pool.store, call.conf))
  return result_of(pool, ask(store:preview(pool)))
end

---Frees what the attachment holds, whatever became of the configuration since. What etcd cannot be
---told now is noted on disk, and told by the node's next verb.
---@param call table
---@return true
function M.del(call)
  local settings <const>, why <const> = config.store(call.conf)
  local store, message
  if settings then store, message = open.store(settings, call.conf, DEL_TIMEOUT, DEL_PASSES) end
  if not store then
    log.warn("DEL: " .. (why or message))
    ask(open.state(call.conf):add_tombstone(call))
    return true
  end
  local freeing <close> = store
  ask(freeing:release(call))
  return true
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
        cni.refuse(cni.codes.internal, ("%s of the previous result is not reserved for this "
          .. "attachment"):format(address))
      end
    end
  end
end

---Whether the attachment still holds its addresses.
---@param call table
---@return true
function M.check(call)
  local pool <const> = try(config.read(call))
  local store <close> = try(open.store(pool.store, call.conf))
  local held <const> = ask(store:holds(call))
  if #held == 0 then
    cni.refuse(cni.codes.internal, ("no address is reserved for %s/%s in network %s"):format(
      call.containerid, call.ifname, pool.network))
  end
  check_previous(pool, call.prev, held)
  return true
end

---Frees the addresses of every attachment of this node that is not in `call.valid`; without a list,
---nothing.
---@param call table
---@return true
function M.gc(call)
  if not call.valid or json.get(call.conf, "disableGC") == true then return true end
  local settings <const> = try(config.store(call.conf))
  local store <close> = try(open.store(settings, call.conf))
  ask(store:retain(call.valid))
  return true
end

---Whether an ADD could be served now.
---@param call table
---@return true
function M.status(call)
  local pool <const> = try(config.read(call))
  local store <const>, missing <const>, wrong <const> = open.store(pool.store, call.conf)
  if not store then cni.refuse(wrong, missing) end
  local asked <close> = store
  local ok <const>, message <const> = asked:status(pool.sets)
  if not ok then cni.refuse(cni.codes.unavailable, message) end
  return true
end

-- For others of ours ---------------------------------------------------------------------------

---How full the ranges of a configuration are, for metrics.
---@param conf table a configuration whose IPAM type is ecmp-pool
---@param timeout? number seconds to wait for the store, in place of the configured ones where less
---@return { range: string, size: integer, used: integer, free: integer }[]? usage
---@return string? message
function M.usage(conf, timeout)
  local pool <const>, wrong <const> = config.read { conf = conf, command = "STATUS" }
  if not pool then return nil, wrong end
  local store <close>, missing = open.store(pool.store, conf, timeout, 1)
  if not store then return nil, missing end
  local usage <const>, message <const> = store:usage(pool.sets)
  for _, one in ipairs(usage or {}) do
    one.free = math.max(0, one.size - one.used)
    one.range = ("%s-%s"):format(one.range.first, one.range.last)
  end
  return usage, message
end

---What `ecmp lint` has to say about the keys of a configuration: nothing is opened or asked.
---@param conf table a configuration whose IPAM type is ecmp-pool
---@return { path: string, message: string }[] findings
function M.lint(conf)
  local findings <const> = {}
  local function find(path, message)
    findings[#findings + 1] = { path = path, message = ("%s: %s"):format(path, message) }
  end
  local store <const>, message <const> = config.store(conf)
  if not store then
    return { { path = message:match("^[%w_.%[%]]+") or "ipam.store", message = message } }
  end
  if store.directory then
    find("ipam.store.directory", "is one machine's: the nodes of a cluster would hand out the "
      .. "same addresses")
  end
  if store.endpoints and #store.endpoints == 2 then
    find("ipam.store.etcd", "of two members none may fail; three or one")
  end
  for i, one in ipairs(store.endpoints or {}) do
    if one.tls and not store.cert then
      find(("ipam.store.etcd[%d]"):format(i - 1), "without a client certificate (cert, key) "
        .. "whoever reaches etcd may change addresses")
    end
  end
  local pool <const>, wrong <const> = config.read { conf = conf, command = "STATUS" }
  if not pool then
    table.insert(findings, { path = wrong:match("^[%w_.%[%]]+") or "ipam", message = wrong })
  end
  for n, set in ipairs(pool and pool.sets or {}) do
    if candidates.size(set) < store.block then
      find(("ipam.ranges[%d]"):format(n - 1), ("has fewer addresses than a block (%d): all nodes "
        .. "meet in it"):format(store.block))
    end
  end
  return findings
end

return M
