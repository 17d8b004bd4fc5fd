---ptp: a veth pair between the pod and the host, routed; all the pod says goes to its gateway.
--
-- The host's end has the gateway's address alone and no subnet behind it, so that many pods of one
-- subnet can each have their own pair. In the pod the subnet is reached through the gateway too.
local later = require "ecmp.later"
local netlink = require "ecmp.nl"
local flow = require "ecmp.flow"
local interface = require "ecmp.flow.interface"
local ip = require "ecmp.ip"
local ipam = require "ecmp.flow.ipam"
local masquerade = require "ecmp.plugin.masquerade"
local plan = later "ecmp.flow.plan"
local schema = require "ecmp.cni.schema"
local try = require("ecmp.cni").try

local M = {}

M.needs_addresses = true

M.fields = schema.record {
  { "ipMasq", schema.boolean },
  { "ipMasqBackend", masquerade.backend },
  { "mtu", schema.mtu },
}

---Stage `ipam`: the gateway is the host's end of the pair, so every address needs one.
local function with_gateways(state)
  local ok, message, code, details = ipam.run(state)
  if not ok then return nil, message, code, details end
  for _, entry in ipairs(state.addresses) do
    if not entry.gateway then
      return nil, ("ipam: address %s has no gateway, which ptp gives the host's end")
        :format(entry.address), "EINVAL"
    end
  end
  return state
end

---Stage `plan`: a rule script may have taken a gateway away.
local function still_with_gateways(state)
  local ok, message, code = plan.run(state)
  if not ok then return nil, message, code end
  for i, entry in ipairs(state.plan.addresses) do
    if not entry.gateway then
      return nil, ("%s: plan.addresses[%d].gateway: missing; ptp gives it to the host's end")
        :format(state.conf.script, i), "ESCRIPT"
    end
  end
  return state
end

M.stages = { ipam = with_gateways, plan = still_with_gateways }

---@param state table
---@return table fields for the record
function M.remember(state) return { masquerade = masquerade.choose(state) } end

-- Making the pair ------------------------------------------------------------------------------

local function enable_forwarding(state, host)
  for _, entry in ipairs(state.plan.addresses) do
    try(interface.enable_forwarding(host, assert(ip.parse(entry.address)):family()))
  end
end

---@param state table
function M.attach(state)
  local host <const> = try(netlink.open())
  -- Whatever becomes of the ADD, the handle is closed after the last undo step has used it.
  state.undo:at_last(function() host:close() end)
  enable_forwarding(state, host)
  local mtu <const> = state.conf.mtu
  local name <const> =
    try(interface.make_pair(state, host, { mtu = mtu ~= 0 and mtu or nil }))
  host.sysctl:set(("net/ipv6/conf/%s/accept_ra"):format(name), "0")
  try(host.link:set { dev = name, up = true })
  local ours <const> = try(interface.describe(host, name))
  local theirs <const> =
    try(interface.describe(state.nl, state.call.ifname, state.call.netns))
  state.host, state.interfaces, state.interface = host, { ours, theirs }, 1
end

-- Routing by the gateway -----------------------------------------------------------------------

local FULL <const> = { [4] = 32, [6] = 128 }

---What is to be routed for one address: texts, with and without lengths.
local function parts_of(entry)
  local address <const> = assert(ip.parse(entry.address))
  local gateway <const> = assert(ip.parse(entry.gateway))
  local own <const> = tostring(address:address())
  return {
    family = address:family(), network = tostring(address:network()), own = own,
    gateway = tostring(gateway),
    own_host = ("%s/%d"):format(own, FULL[address:family()]),
    gateway_host = ("%s/%d"):format(tostring(gateway), FULL[gateway:family()]),
  }
end

---The pod's ways to its gateway and, by that, to its subnet.
local function pod_routes(parts, dev)
  return {
    { dst = parts.gateway_host, dev = dev, scope = "link", src = parts.own },
    { dst = parts.network, via = parts.gateway, dev = dev, src = parts.own },
  }
end

---What a pod has in place of the routes that the kernel makes with addresses.
---@param addresses table[] `{ address, gateway, dev }`
---@return table[]
function M.connected(addresses)
  local routes <const> = {}
  for _, entry in ipairs(addresses) do
    for _, route in ipairs(pod_routes(parts_of(entry), entry.dev)) do
      route.proto = "boot"
      routes[#routes + 1] = route
    end
  end
  return routes
end

---The pod's way to its subnet goes by the gateway, in place of the one that the kernel made.
local function route_pod(state, parts)
  local routes <const>, dev <const> = state.nl.route, state.call.ifname
  -- In IPv6 a route that was listed may stand before the kernel's, by its metric.
  local proto <const> = parts.family == 6 and "kernel" or nil
  try(routes:del { dst = parts.network, dev = dev, proto = proto })
  for _, route in ipairs(pod_routes(parts, dev)) do try(routes:add(route)) end
end

---The host's end is the gateway, and the way to the pod.
local function route_host(state, parts)
  local host <const>, dev <const> = state.host, state.interfaces[1].name
  try(host.addr:add { address = parts.gateway_host, dev = dev })
  local ok <const>, message <const>, code <const> =
    host.route:add { dst = parts.own_host, dev = dev, scope = "host" }
  try(ok or code == "EEXIST", message, code)
end

---What is left to do when the routes are there.
---@param state table
---@return true? ok, string? message, string|integer? code
function M.settle(state)
  for _, step in ipairs { route_pod, route_host } do
    for _, entry in ipairs(state.plan.addresses) do step(state, parts_of(entry)) end
  end
  return masquerade.add(state)
end

-- DEL, CHECK and GC ----------------------------------------------------------------------------

---@param call table
---@param nl table?
---@param was table? the record
---@return true? ok, string? message
function M.detach(call, nl, was)
  local gone, message = interface.detach(call, nl)
  local clean, why = masquerade.detach(call, was)
  if gone and clean then return true end
  return nil, message or why
end

M.sweep = masquerade.sweep

-- The pod's addresses to which the host has no route.
local function unrouted(host, ips)
  local missing <const> = {}
  for _, entry in ipairs(ips or {}) do
    local address <const> = assert(ip.parse(entry.address))
    local own <const> = ("%s/%d"):format(tostring(address:address()), FULL[address:family()])
    local list <const> = host.route:list { dst = own }
    if list and #list == 0 then missing[#missing + 1] = own end
  end
  return missing
end

local function inspect_host(host, state, say)
  for _, was in ipairs(state.call.prev.interfaces or {}) do
    local ours <const> = (was.sandbox or "") == ""
    if ours and not host.link:get { dev = was.name } then
      say(("interface %s on the host is missing"):format(was.name))
    end
  end
  for _, own in ipairs(unrouted(host, state.call.prev.ips)) do
    say(("the host's route to %s is missing"):format(own))
  end
end

---What is wrong with the pair.
---@param state table
---@return string[] differences
function M.inspect(state)
  local differences <const> = {}
  local function say(text) differences[#differences + 1] = text end
  interface.inspect(state, "veth", say)
  local host <close>, message = netlink.open()
  if not host then return { message } end
  inspect_host(host, state, say)
  masquerade.inspect(state, say)
  return differences
end

---For `ecmp repair`: the host's routes to the pod, and masquerading.
---@param state table
---@param fix fun(what: string, mend: function)
---@return true? ok, string? message, string? code
function M.repair(state, fix)
  local host <close>, message, code = netlink.open()
  if not host then return nil, message, code end
  local dev <const> = state.was.result.interfaces[1].name
  for _, own in ipairs(unrouted(host, state.plan.addresses)) do
    fix(("the host's route to %s"):format(own), function()
      return host.route:add { dst = own, dev = dev, scope = "host" }
    end)
  end
  return masquerade.repair(state, fix)
end

local verbs <const> = flow.verbs(M)
verbs.type, verbs.about = "ptp", "connects a pod to the host by a pair of its own"
return verbs
