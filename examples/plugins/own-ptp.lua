-- A ptp of one's own: a veth pair whose host end, named after the container, routes to the pod.
--   { "type": "ecmp-lua", "script": "/etc/cni/ecmp/own-ptp.lua", "ipam": { ... }, ... }
-- IPAM, route rules, CHECK, GC and taking back a failed ADD come from the stock flow.
local ecmp = require "ecmp"
local flow = require "ecmp.flow"
local interface = require "ecmp.flow.interface"
local ip = require "ecmp.ip"
local try = require("ecmp.cni").try

local ptp = { needs_addresses = true, detach = interface.detach }

function ptp.attach(state)
  local host <close> = try(ecmp.open())
  local call, name = state.call, "p" .. state.call.containerid:sub(1, 12)
  try(host.link:add {
    name = name, type = "veth", peer = { name = call.ifname, netns = call.netns },
  })
  state.undo:push("pair", function() return interface.detach(call, state.nl) end)
  try(host.link:set { dev = name, up = true })
  state.interfaces = {
    try(interface.describe(host, name)), try(interface.describe(state.nl, call.ifname, call.netns)),
  }
  state.interface = 1 -- the addresses are on the second, the pod's
  return true
end

function ptp.settle(state)
  local host <close> = try(ecmp.open())
  for _, entry in ipairs(state.plan.addresses) do
    local pod = ip.parse(entry.address):address()
    try(host.route:add { dst = tostring(pod), dev = state.interfaces[1].name, scope = "link" })
  end
  return true
end

return flow.verbs(ptp)
