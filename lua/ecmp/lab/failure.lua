---Failures of a lab's gateways, and how each is mended.

local sys = require "ecmp.sys"
local topology = require "ecmp.lab.topology"

local M = {}

-- How long the kernel may take to notice a carrier: its link watcher acts at most once a second.
local PATIENCE <const> = 5

local function links_down(...)
  local names <const> = { ... }
  return function(_, gateway)
    local steps <const> = {}
    for i, name in ipairs(names) do steps[i] = { "link", "set", { dev = name, up = false } } end
    return topology.carry_out(gateway.nl, steps)
  end
end

-- Nothing is answered and nothing is forwarded, but the wire is alive: ARP and neighbour discovery
-- find nobody. `forwarding` counts per device the packet comes in by.
local function deaf(lab, gateway, yes)
  local steps <const> = {
    { "sysctl", "set", "net.ipv4.conf.lan.forwarding", yes and 0 or 1 },
    { "sysctl", "set", "net.ipv4.conf.lan.arp_ignore", yes and 8 or 0 },
    { "sysctl", "set", "net.ipv4.icmp_echo_ignore_all", yes and 1 or 0 },
  }
  if lab.address[6] then
    steps[4] = { "sysctl", "set", "net.ipv6.conf.lan.disable_ipv6", yes and 1 or 0 }
  end
  return topology.carry_out(gateway.nl, steps)
end

local function silence(lab, gateway) return deaf(lab, gateway, true) end
local function speak(lab, gateway) return deaf(lab, gateway, false) end

-- The gateway takes nothing in from the pod's side, ARP and neighbour discovery of either family
-- neither, while all its addresses, links and neighbours stay as they are. A rule before that of
-- the local table does it, so the local table's has to stand behind.
local function listen(lab, gateway, yes)
  local steps <const> = {}
  for _, family in ipairs(lab.families) do
    local at <const>, to <const> = yes and 1 or 0, yes and 0 or 1
    local nothing <const> = { priority = 0, iif = "lan", action = "blackhole", family = family }
    if yes then table.insert(steps, { "rule", "del", nothing }) end
    table.insert(steps, { "rule", "add", { priority = to, table = "local", family = family } })
    table.insert(steps, { "rule", "del", { priority = at, table = "local", family = family } })
    if not yes then table.insert(steps, { "rule", "add", nothing }) end
  end
  return topology.carry_out(gateway.nl, steps)
end

local function go_deaf(lab, gateway)
  if gateway.deaf then return true end
  gateway.deaf = true
  return listen(lab, gateway, false)
end

local function hear_again(lab, gateway)
  if not gateway.deaf then return true end
  gateway.deaf = nil
  return listen(lab, gateway, true)
end

local function pod_link_down(lab, gateway)
  if lab.shared then
    return nil, "cut: on a shared segment the pod has one link to all gateways; "
      .. "cut 'carrier' or 'packets'", "EOPNOTSUPP"
  end
  return lab.pod.link:set { dev = gateway.dev, up = false }
end

M.kinds = {
  link = pod_link_down,
  carrier = links_down "lan",
  uplink = links_down "wan",
  packets = silence,
  deaf = go_deaf,
  dead = links_down("lan", "wan"),
}

-- After these the pod's device has no carrier.
local seen_by_pod <const> = { carrier = true, dead = true }

---Waits until a namespace's routes know of a carrier that came or went: the flag is there at once,
---and what follows from it (`linkdown`, sending) only when the kernel's link watcher has run.
local function await_state(nl, dev, wanted)
  local events <const>, message <const>, code <const> = nl:monitor { "link" }
  if not events then return nil, message, code end
  local deadline <const> = sys.monotonic() + PATIENCE
  local link = nl.link:get { dev = dev }
  while link and link.operstate ~= wanted and sys.monotonic() < deadline do
    events:next(deadline - sys.monotonic())
    link = nl.link:get { dev = dev }
  end
  events:close()
  return true
end

---@param lab ecmp.Lab
---@param gateway table
---@param kind string
---@return true|nil, string? message, string? code
function M.cut(lab, gateway, kind)
  local ok, message, code = M.kinds[kind](lab, gateway)
  if not ok then return nil, message, code end
  -- Another failure takes more to mend than "deaf": it stays the one that is noted.
  lab.cuts[gateway.name] = kind == "deaf" and lab.cuts[gateway.name] or kind
  if seen_by_pod[kind] and not lab.shared then return await_state(lab.pod, gateway.dev, "DOWN") end
  return true
end

-- Packets that wait for a dead neighbour would be sent when it is back, and be counted among
-- others.
local function forget_neighbour(lab, gateway)
  for _, via in pairs(gateway.via) do
    lab.pod.neigh:del { dev = gateway.dev, dst = via } -- often there is none
  end
end

---@param lab ecmp.Lab
---@param gateway table
---@return true|nil, string? message, string? code
function M.heal(lab, gateway)
  local only_deaf <const> = lab.cuts[gateway.name] == "deaf"
  local ok, message, code = hear_again(lab, gateway)
  if ok and only_deaf then lab.cuts[gateway.name] = nil end
  if not ok or only_deaf then return ok, message, code end
  forget_neighbour(lab, gateway)
  ok, message, code = speak(lab, gateway)
  if ok then ok, message, code = topology.configure_gateway(lab, gateway) end
  if ok and not lab.shared then ok, message, code = topology.configure_pod_wire(lab, gateway) end
  if not ok then return nil, message, code end
  lab.cuts[gateway.name] = nil
  ok, message, code = await_state(lab.pod, gateway.dev, "UP")
  for _, dev in ipairs { "lan", "wan" } do
    if ok then ok, message, code = await_state(gateway.nl, dev, "UP") end
  end
  if ok then ok, message, code = topology.await_addresses(lab, gateway.nl) end
  if ok then ok, message, code = topology.await_addresses(lab, lab.pod) end
  return ok, message, code
end

return M
