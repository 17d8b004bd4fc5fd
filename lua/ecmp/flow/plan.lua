---Stage `plan`: what the pod is to look like; `state.plan` and, canonical, `state.wanted`.
--
-- The plan is the table that `ecmp plan --json` prints and that a rule script sees last:
-- `addresses` with their interface, `routes` in iproute2's words, `sysctls` of the pod by name.
-- `neighbours` that the kernel is to manage follow from the routes, `policyRules` from the
-- addresses; both come behind the script.
local cni = require "ecmp.cni"
local conflict = require "ecmp.flow.conflict"
local errors = require "ecmp.cni.errors"
local identity = require "ecmp.fib.route"
local ip = require "ecmp.ip"
local nexthop = require "ecmp.fib.nexthop"
local neighbours = require "ecmp.flow.neighbours"
local netconf = require "ecmp.flow.netconf"
local policy_rules = require "ecmp.flow.policy_rules"
local request = require "ecmp.cni.request"

local M = {}

local refuse <const>, try <const> = cni.refuse, cni.try

-- CNI's codes for a mistake in the configuration, and for a script that is at fault.
local MISTAKE <const>, SCRIPT <const> = 7, 100

local policy_numbers <const> = { l3 = "0", l4 = "1", inner = "2" }
-- The policy under which the kernel looks at a list of packet fields.
local CUSTOM <const> = "3"

local function hash_sysctls(hash, set)
  local policy <const> = type(hash) == "table" and CUSTOM or policy_numbers[hash]
  for _, family in ipairs { "ipv4", "ipv6" } do
    set[("net.%s.fib_multipath_hash_policy"):format(family)] = policy
  end
  if policy ~= CUSTOM then return end
  local bits = 0
  for _, name in ipairs(hash) do bits = bits | netconf.hash_fields[name] end
  for _, family in ipairs { "ipv4", "ipv6" } do
    set[("net.%s.fib_multipath_hash_fields"):format(family)] = ("%d"):format(bits)
  end
end

---The pod's sysctls that `multipath` asks for. What is not asked for keeps the kernel's value.
---@param multipath table
---@param dev string
---@return table<string, string>
function M.sysctls(multipath, dev)
  local set <const> = {}
  local function flag(value) return value and "1" or "0" end
  if multipath.hash then hash_sysctls(multipath.hash, set) end
  -- The kernel has no such switch for IPv6.
  if multipath.useNeigh ~= nil then
    set["net.ipv4.fib_multipath_use_neigh"] = flag(multipath.useNeigh)
  end
  if multipath.ignoreLinkdown ~= nil then
    for _, family in ipairs { "ipv4", "ipv6" } do
      -- A slash between the parts, so that a dot in an interface's name stays a dot.
      local key <const> = ("net/%s/conf/%s/ignore_routes_with_linkdown"):format(family, dev)
      set[key] = flag(multipath.ignoreLinkdown)
    end
  end
  return set
end

local function words_of(routes)
  local plain <const> = {}
  for i, route in ipairs(routes) do plain[i] = identity.plain(route) end
  return plain
end

-- The neighbours that the kernel is to manage, and their device's timers.
local function manage_neighbours(plan, routes, timing, dev)
  plan.neighbours = neighbours.of(routes, dev)
  neighbours.add_sysctls(plan.sysctls, plan.neighbours, timing)
end

-- The script may have put anything into the plan; what cannot be a route is its mistake.
local function canonical_of(routes)
  local list <const> = {}
  for i, route in ipairs(routes) do
    local canonical <const>, message <const> = identity.canonical(route, nexthop.repeated)
    list[i] = canonical or refuse(SCRIPT, ("plan.routes[%d].%s"):format(i, message))
  end
  return list
end

-- Routers are others than the pod: what it sent to its own address would not leave it.
local function refuse_own_gateway(state)
  if request.is_as_reference(state.call) then return end
  local own <const> = {}
  for _, entry in ipairs(state.plan.addresses) do
    local address <const> = ip.parse(entry.address)
    if address then own[tostring(address:address())] = true end
  end
  for _, route in ipairs(state.wanted) do
    for _, hop in ipairs(route.nexthops) do
      if hop.via and own[hop.via] then
        refuse(MISTAKE, ("route %s: the next hop via %s is the pod's own address")
          :format(route.dst, hop.via))
      end
    end
  end
end

-- The kernel has no IPv6 on an interface with less.
local LEAST_IPV6_MTU <const> = 1280

local function check_mtu(state)
  local mtu <const> = state.plugin.attach and state.conf.mtu or 0
  if mtu == 0 or mtu >= LEAST_IPV6_MTU then return end
  for _, entry in ipairs(state.plan.addresses) do
    local address <const> = ip.parse(entry.address)
    if address and address:family() == 6 then
      refuse(MISTAKE, ("mtu: %d is less than the %d that IPv6 needs, and the pod gets %s")
        :format(mtu, LEAST_IPV6_MTU, entry.address))
    end
  end
end

---@param state table
---@return table? state, string? message, integer? code  7 for a refused conflict, 100 for a script
M.run = errors.returning(function(state)
  local conf <const>, dev <const> = state.conf, state.call.ifname
  local routes = try(conflict.settle(state.merged, state.current, conf.conflict, dev))
  local plan = {
    addresses = state.addresses, routes = words_of(routes),
    sysctls = M.sysctls(conf.multipath, dev),
  }
  if state.script then
    plan = try(state.script:plan(plan, state.ctx))
    routes = canonical_of(plan.routes)
  end
  local timing <const> = conf.multipath.useNeigh
  if type(timing) == "table" then manage_neighbours(plan, routes, timing, dev) end
  local rules <const> = policy_rules.of(conf.policyRules, plan.addresses)
  plan.policyRules = #rules > 0 and rules or nil
  state.plan, state.wanted = plan, routes
  check_mtu(state)
  refuse_own_gateway(state)
  return state
end)

return M
