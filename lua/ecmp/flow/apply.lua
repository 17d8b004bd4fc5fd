---Stage `apply`: changes the kernel; no other stage does.
--
-- The order is the reference plugins' where it can be seen: the link, its sysctls, addresses, up,
-- duplicate address detection, routes. Each step notes how to take itself back; what hangs on a
-- link of ours (addresses, routes by it alone) goes with the link and needs no note of its own.
local changes = require "ecmp.flow.changes"
local dad = require "ecmp.flow.dad"
local ecmp_plan = require "ecmp.plan"
local errors = require "ecmp.cni.errors"
local hooks = require "ecmp.flow.hooks"
local ip = require "ecmp.ip"
local neighbours = require "ecmp.flow.neighbours"
local objects = require "ecmp.flow.nexthop_objects"
local policy_rules = require "ecmp.flow.policy_rules"
local record = require "ecmp.flow.record"
local try = require("ecmp.cni").try

local M = {}

local MAIN <const> = 254

local function sorted_keys(map)
  local keys <const> = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

---Sets one sysctl of the pod if it differs, and notes its old value. A refusal is thrown.
---@param state table
---@param key string
---@param value string
function M.set_sysctl(state, key, value)
  local nl <const> = state.nl
  local old <const> = try(nl.sysctl:get(key)):gsub("%s+$", "")
  if old == value then return end
  state.undo:push("sysctl " .. key, function() return nl.sysctl:set(key, old) end)
  try(nl.sysctl:set(key, value))
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

-- DEL leaves the rules that were there before.
local function new_rules(state)
  local planned <const> = state.plan.policyRules
  return planned and try(policy_rules.sort(state.nl, planned))
end

-- DEL leaves the neighbours that were managed before; with an interface that is made they go by
-- themselves.
local function new_neighbours(state)
  local planned <const> = state.plan.neighbours
  if not planned or state.plugin.attach then return nil end
  return try(neighbours.missing(state.nl, planned))
end

-- The record is written before the first change: an ADD that is killed in the middle leaves behind
-- what DEL needs to know.
local function remember(state)
  local call <const> = state.call
  state.record = {
    plan = state.plan, wanted = state.wanted, found = state.found or {},
    beside = changes.beside(state.current, state.wanted, call.ifname),
    sysctls = old_sysctls(state), ipam = state.conf.ipam.type, merge = state.conf.merge,
    -- Numbers of next-hop objects are chosen before they are made, for the same reason.
    objects = objects.choose(state),
    policyRules = new_rules(state), neighbours = new_neighbours(state),
  }
  for key, value in pairs(hooks.remember(state.plugin, state)) do
    state.record[key] = value
  end
  state.undo:push("record", try(record.save(call, state.record, state.plugin.attach ~= nil)))
end

local function attach(state)
  if not state.plugin.attach then return end
  hooks.call(state.plugin, "attach", state)
  hooks.check_attached(state)
end

local function sysctls(state)
  for _, key in ipairs(sorted_keys(state.plan.sysctls)) do
    M.set_sysctl(state, key, tostring(state.plan.sysctls[key]))
  end
end

-- IPv6 may be switched off for new interfaces; an address asked for is reason to switch it on. The
-- second switch keeps the address when the link goes down for a moment.
local function enable_ipv6(state, dev)
  for _, name in ipairs { "lo", dev } do
    local key <const> = ("net/ipv6/conf/%s/disable_ipv6"):format(name)
    -- Unreadable means a kernel without IPv6; the address itself then says so better.
    if state.nl.sysctl:get(key) then M.set_sysctl(state, key, "0") end
  end
  if state.conf.dad == "optimistic" then
    local key <const> = ("net/ipv6/conf/%s/optimistic_dad"):format(dev)
    local _, message <const>, code <const> = state.nl.sysctl:get(key)
    try(not message, message and "dad: optimistic: this kernel cannot: " .. message, code)
    M.set_sysctl(state, key, "1")
  end
  M.set_sysctl(state, ("net/ipv6/conf/%s/keep_addr_on_down"):format(dev), "1")
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
      enable_ipv6(state, entry.dev)
    end
    try(state.nl.addr:add(address_of(entry, state.conf.dad)))
  end
  state.has_ipv6 = enabled
end

local function up(state)
  local plugin <const> = state.plugin
  if not plugin.attach or plugin.stays_down and plugin.stays_down(state.conf) then return end
  try(state.nl.link:set { dev = state.call.ifname, up = true })
end

local function await_addresses(state)
  if state.has_ipv6 and state.conf.dad == "wait" then
    try(dad.wait(state.nl, state.call.ifname))
  end
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

-- The route by which the pod reaches an address: the one with the longest prefix.
local function route_to(current, address)
  local best, length
  for _, route in ipairs(current) do
    local prefix <const> = ip.parse(route.dst)
    if route.table == MAIN and prefix:family() == address:family() and prefix:contains(address)
      and (not length or prefix:length() > length) then
      best, length = route, prefix:length()
    end
  end
  return best
end

-- A router behind another one is no neighbour, which the kernel says in fewer words. So it is with
-- all but one behind ptp, where the pod has its gateway alone on the link.
local function explain_unreachable(state, wanted, message)
  for _, route in ipairs(wanted) do
    for _, hop in ipairs(route.nexthops) do
      local address <const> = hop.via and not hop.onlink and ip.parse(hop.via)
      local way <const> = address and route_to(state.current, address)
      local by <const> = way and way.nexthops[1] and way.nexthops[1].via
      if by then
        return ("%s; %s is reached by way of %s there and is no neighbour of the pod: a route to "
          .. "it by the device alone, or \"onlink\": true in nexthops, makes it one")
          :format(message, hop.via, by)
      end
    end
  end
  return message
end

local UNREACHABLE <const> = { ENETUNREACH = true, EHOSTUNREACH = true }

local function plan_routes(state, wanted)
  local before <const>, after <const> =
    changes.of(state.current, state.found or {}, wanted, state.call.ifname)
  local plan <const> = try(ecmp_plan(before, after))
  state.changed = #plan > 0
  local tx <const>, message <const>, code <const> = plan:begin(state.nl)
  try(tx, UNREACHABLE[code] and explain_unreachable(state, wanted, message) or message, code)
  state.undo:push("routes", function() return tx:close() end, function() tx:commit() end)
end

---Wanted routes as the kernel is to have them.
---@param state table with call, plugin, plan and, where groups are used, group_of
---@param wanted table[] canonical routes
---@return table[]
function M.programmed(state, wanted)
  return beside_connected(state, objects.use(state, wanted))
end

local function routes(state)
  objects.make(state)
  plan_routes(state, M.programmed(state, state.wanted))
end

local function settle(state)
  hooks.call(state.plugin, "settle", state)
end

local function add_rules(state)
  try(policy_rules.add(state.nl, state.record.policyRules, function(rule)
    state.undo:push("policy rule " .. policy_rules.text(rule), function()
      return policy_rules.remove(state.nl, { rule })
    end)
  end))
end

local function manage_neighbours(state) try(neighbours.manage(state)) end

M.steps = {
  remember, attach, sysctls, addresses, up, await_addresses, routes, add_rules,
  manage_neighbours, settle,
}

---@param state table
---@return table? state, string? message, string|integer? code
M.run = errors.returning(function(state)
  for _, step in ipairs(M.steps) do step(state) end
  return state
end)

return M
