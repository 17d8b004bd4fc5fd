---host-local: hands out addresses of ranges kept on this host, as the reference plugin does.
--
-- The verbs serve the executable and, in-process, our interface plugins. Where this one is meant to
-- be better: ADD reserves everything or nothing, DEL needs no sound configuration, a choice between
-- several requested addresses is the first listed, GC and STATUS exist, waiting has an end.
local Pool <const> = require "ecmp.plugin.host-local.pool"
local Store <const> = require "ecmp.plugin.host-local.store"
local request = require "ecmp.cni.request"
local cni_route = require "ecmp.cni.route"
local ip = require "ecmp.ip"
local json = require "ecmp.json"

local M = {}

---What the program says of itself when it is called by hand.
M.about = "hands out addresses of ranges kept on this host"

-- CNI error codes.
local MISTAKE <const>, UNAVAILABLE <const>, INTERNAL <const> = 7, 50, 999

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
    for _, address in ipairs(list) do store:undo(address, call.containerid, call.ifname) end
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

local function ip_entry(address, range)
  return { address = ("%s/%d"):format(address, range.length), gateway = tostring(range.gateway) }
end

-- One address of each set, or none at all.
local function reserve_all(store, pool, call)
  local reserved <close> = reservations(store, call)
  local wanted <const> = {
    left = table.move(pool.requested, 1, #pool.requested, 1, {}),
    held = store:addresses(call.containerid, call.ifname),
  }
  local ips <const> = {}
  for n in ipairs(pool.sets) do
    local address, range, code = pick(store, pool, n, wanted, call)
    if not address then
      return nil, ("failed to allocate for range %d: %s"):format(n - 1, range), code
    end
    if code ~= "held" then
      reserved[#reserved + 1] = address
      table.insert(call.reserved, address)
      local noted <const>, message <const>, why <const> = store:set_last(n - 1, address)
      if not noted then return nil, message, why end
    end
    ips[n] = ip_entry(address, range)
  end
  if #wanted.left > 0 then
    return nil, "failed to allocate all requested IPs: " .. text_list(wanted.left), MISTAKE
  end
  reserved.kept = true
  return ips
end

local function result_of(pool, ips)
  return { ips = ips, routes = pool.routes, dns = pool.dns }
end

-- A pod that got the address of one of its own routers would send to itself what is for that one.
-- The reference plugin knows of no other gateway than its range's.
local function keep_routers_out(pool)
  local routers <const> = {}
  for _, route in ipairs(pool.routes) do
    for _, hop in ipairs(cni_route.hops(route)) do
      if hop.gw then routers[hop.gw] = true end
    end
  end
  for _, set in ipairs(pool.sets) do set:keep_out(routers) end
end

-- What `ipam` says beside its ranges; a file of name servers is read before anything is reserved.
local function read_rest(pool, call)
  local ipam <const> = json.get(call.conf, "ipam")
  local routes, wrong, code = cni_route.list(json.get(ipam, "routes"), "ipam.routes")
  if not routes then return nil, wrong, code end
  local ok = true
  if not call.dropin then
    ok, wrong, code = cni_route.refuse_findings(routes, "ipam.routes")
  end
  if not ok then return nil, wrong, code end
  pool.routes = routes
  if not request.is_as_reference(call) then keep_routers_out(pool) end
  if not pool.resolv_conf then return pool end
  local resolv <const> = require "ecmp.plugin.host-local.resolv"
  local dns <const>, message <const> = resolv.read(pool.resolv_conf)
  if not dns then return nil, "ipam.resolvConf: " .. message, MISTAKE end
  pool.dns = dns
  return pool
end

-- Everything that the configuration and the environment say.
local function read(call)
  local args <const>, wrong <const>, why <const> = request.args(call, { "IP" })
  if not args then return nil, wrong, why end
  local pool <const>, message <const>, code <const> = Pool.read(call.conf, args.IP)
  if not pool then return nil, message, code end
  return read_rest(pool, call)
end

---Reserves one address of each range set.
---@param call table gets `reserved`, the addresses that this ADD took and did not find held
---@return table? result, string? message, integer? code
function M.add(call)
  call.reserved = call.reserved or {}
  local pool <const>, wrong <const>, code <const> = read(call)
  if not pool then return nil, wrong, code end
  local store <close>, message <const>, why <const> = Store.open(pool.directory, pool.network)
  if not store then return nil, message, why end
  local cleared <const>, trouble <const>, status <const> =
    store:release_dead(call.containerid, call.ifname)
  if not cleared then return nil, trouble, status end
  local ips <const>, failure <const>, reason <const> = reserve_all(store, pool, call)
  if not ips then return nil, failure, reason end
  return result_of(pool, ips)
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
  local pool <const>, wrong <const>, code <const> = read(call)
  if not pool then return nil, wrong, code end
  local store <const> = Store.peek(pool.directory, pool.network)
  local left <const> = table.move(pool.requested, 1, #pool.requested, 1, {})
  local ips <const> = {}
  for n, set in ipairs(pool.sets) do
    local address, range = take_requested(set, left)
    if not address then address, range = store:free(set, store:last(n - 1)) end
    if not address then
      return nil, ("range %d: no IP addresses available in range set: %s"):format(n - 1, set),
        INTERNAL
    end
    ips[n] = ip_entry(address, range)
  end
  return result_of(pool, ips)
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
  local pool <const>, message <const>, code <const> = read(call)
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
  local pool <const>, message <const>, code <const> = read(call)
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
