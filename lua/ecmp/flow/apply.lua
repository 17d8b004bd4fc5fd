---Stage 6: the machine is changed, here and nowhere else.
--
-- The order is the reference plugins' where it can be seen: the link, its sysctls, addresses, up,
-- duplicate address detection, routes. Each step notes how to take itself back; what hangs on a
-- link of ours (addresses, routes by it alone) goes with the link and needs no note of its own.
local changes = require "ecmp.flow.changes"
local dad = require "ecmp.flow.dad"
local ecmp_plan = require "ecmp.plan"
local ip = require "ecmp.ip"
local neighbours = require "ecmp.flow.neighbours"
local objects = require "ecmp.flow.nexthop_objects"
local record = require "ecmp.flow.record"

local M = {}

local MAIN <const> = 254

local function sorted_keys(map)
  local keys <const> = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

---Sets one sysctl of the pod if it differs, and notes its old value.
---@param state table
---@param key string
---@param value string
---@return true? ok, string? message, string? code
function M.set_sysctl(state, key, value)
  local nl <const> = state.nl
  local old, message, code = nl.sysctl:get(key)
  if not old then return nil, message, code end
  old = old:gsub("%s+$", "")
  if old == value then return true end
  state.undo:push("sysctl " .. key, function() return nl.sysctl:set(key, old) end)
  return nl.sysctl:set(key, value)
end

-- The values that the pod's sysctls have before we set them; those of an interface that does not
-- exist yet have none worth keeping.
local function old_sysctls(state)
  local before <const> = {}
  for _, key in ipairs(sorted_keys(state.plan.sysctls)) do
    local old <const> = state.nl.sysctl:get(key)
    before[key] = old and old:gsub("%s+$", "") or nil
  end
  return before
end

-- The record is written before the first change: an ADD that is killed in the middle leaves behind
-- what DEL needs to know.
local function remember(state)
  local call <const> = state.call
  state.record = {
    plan = state.plan, wanted = state.wanted, found = state.found or {},
    sysctls = old_sysctls(state), ipam = state.conf.ipam.type, merge = state.conf.merge,
    -- Numbers of next-hop objects are chosen before they are made, for the same reason.
    objects = objects.choose(state),
  }
  for key, value in pairs(state.plugin.remember and state.plugin.remember(state) or {}) do
    state.record[key] = value
  end
  local undo, message, code = record.save(call, state.record, state.plugin.attach ~= nil)
  if not undo then return nil, message, code end
  state.undo:push("record", undo)
  return true
end

local function attach(state)
  if not state.plugin.attach then return true end
  return state.plugin.attach(state)
end

local function sysctls(state)
  for _, key in ipairs(sorted_keys(state.plan.sysctls)) do
    local value <const> = tostring(state.plan.sysctls[key])
    local ok, message, code = M.set_sysctl(state, key, value)
    if not ok then return nil, message, code end
  end
  return true
end

-- IPv6 may be switched off for new interfaces; an address asked for is reason to switch it on. The
-- second switch keeps the address when the link goes down for a moment.
local function enable_ipv6(state, dev)
  for _, name in ipairs { "lo", dev } do
    local key <const> = ("net/ipv6/conf/%s/disable_ipv6"):format(name)
    -- Unreadable means a kernel without IPv6; the address itself then says so better.
    if state.nl.sysctl:get(key) then
      local ok, message, code = M.set_sysctl(state, key, "0")
      if not ok then return nil, message, code end
    end
  end
  if state.conf.dad == "optimistic" then
    local key <const> = ("net/ipv6/conf/%s/optimistic_dad"):format(dev)
    local ok, message, code = M.set_sysctl(state, key, "1")
    if not ok then return nil, "dad: optimistic: this kernel cannot: " .. message, code end
  end
  return M.set_sysctl(state, ("net/ipv6/conf/%s/keep_addr_on_down"):format(dev), "1")
end

-- With a broadcast address, as those of the reference plugins have.
local function address_of(entry, policy)
  local address <const> = { address = entry.address, dev = entry.dev, scope = "global" }
  if not dad.is_ipv6(entry.address) then
    address.broadcast = "+"
    return address
  end
  for flag, value in pairs(dad.flags(policy)) do address[flag] = value end
  return address
end

local function addresses(state)
  local enabled = false
  for _, entry in ipairs(state.plugin.attach and state.plan.addresses or {}) do
    if dad.is_ipv6(entry.address) and not enabled then
      enabled = true
      local ok, message, code = enable_ipv6(state, entry.dev)
      if not ok then return nil, message, code end
    end
    local ok, message, code = state.nl.addr:add(address_of(entry, state.conf.dad))
    if not ok then return nil, message, code end
  end
  state.has_ipv6 = enabled
  return true
end

local function up(state)
  local plugin <const> = state.plugin
  if not plugin.attach or plugin.stays_down and plugin.stays_down(state.conf) then return true end
  return state.nl.link:set { dev = state.call.ifname, up = true }
end

local function await_addresses(state)
  if not state.has_ipv6 or state.conf.dad ~= "wait" then return true end
  return dad.wait(state.nl, state.call.ifname)
end

-- The subnets to which the kernel makes a route with the address, by their text.
local function connected_subnets(state)
  local subnets <const> = {}
  for _, entry in ipairs(state.plugin.attach and state.plan.addresses or {}) do
    local address <const> = assert(ip.parse(entry.address))
    if address:family() == 4 then subnets[tostring(address:network())] = true end
  end
  return subnets
end

-- In IPv4 a listed route to such a subnet stands where the kernel's is. One that says no more is
-- there already; any other goes in front of it, as with the reference plugins.
local function beside_connected(state, wanted)
  local subnets <const>, list <const> = connected_subnets(state), {}
  for _, route in ipairs(wanted) do
    local clash <const> = subnets[route.dst] and route.table == MAIN and route.metric == 0
      and not route.separate
    local hop <const> = route.nexthops[1]
    local bare <const> = #route.nexthops == 1 and not hop.via and hop.dev == state.call.ifname
    if not clash then
      list[#list + 1] = route
    elseif not bare then
      local marked <const> = { separate = true }
      for key, value in pairs(route) do marked[key] = value end
      list[#list + 1] = marked
    end
  end
  return list
end

local function plan_routes(state, wanted)
  local before <const>, after <const> =
    changes.of(state.current, state.found or {}, wanted, state.call.ifname)
  local plan, message, code = ecmp_plan(before, after)
  if not plan then return nil, message, code end
  state.changed = #plan > 0
  local tx
  tx, message, code = plan:begin(state.nl)
  if not tx then return nil, message, code end
  state.undo:push("routes", function() return tx:close() end, function() tx:commit() end)
  return true
end

local function routes(state)
  local made, message, code = objects.make(state)
  if not made then return nil, message, code end
  return plan_routes(state, beside_connected(state, objects.use(state, state.wanted)))
end

local function settle(state)
  if not state.plugin.settle then return true end
  return state.plugin.settle(state)
end

M.steps = {
  remember, attach, sysctls, addresses, up, await_addresses, routes, neighbours.manage, settle,
}

---@param state table
---@return table? state, string? message, string|integer? code
function M.run(state)
  for _, step in ipairs(M.steps) do
    local ok, message, code = step(state)
    if not ok then return nil, message, code end
  end
  return state
end

return M
