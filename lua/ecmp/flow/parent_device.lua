---What macvlan and ipvlan share: a pod's interface that sits on one that exists, its master.
local netlink = require "ecmp.nl"
local identity = require "ecmp.fib.route"
local interface = require "ecmp.flow.interface"
local try = require("ecmp.cni").try

local M = {}

local MISTAKE <const> = 7

local DEFAULT <const> = { ["0.0.0.0/0"] = true, ["::/0"] = true }

---The interface of the first default route, whose first next hop decides when it has several.
---@param nl table
---@return string? name, string? message, integer|string? code
function M.default_interface(nl)
  local list, message, code = nl.route:list()
  if not list then return nil, message, code end
  for _, route in ipairs(list) do
    local held <const> = identity.held(route)
    local hop <const> = held and DEFAULT[held.dst] and held.nexthops[1]
    if hop and hop.dev then return hop.dev end
  end
  return nil, "master: must be given, there is no default route to take it from", MISTAKE
end

-- The namespace where the master is: the host's, or with `linkInContainer` the pod's own.
local function lower_space(state)
  if state.conf.linkInContainer then return state.nl end
  local host <const> = try(netlink.open())
  state.undo:at_last(function() host:close() end)
  return host
end

-- An ipvlan may have a larger MTU than its master, as far as the kernel and the reference plugin
-- are concerned.
local function check_master(lower, conf, kind)
  local master <const>, message <const>, code <const> = lower.link:get { dev = conf.master }
  try(master, master or "master: " .. message, code == "ENODEV" and MISTAKE or code)
  try(kind == "ipvlan" or (conf.mtu or 0) <= master.mtu,
    ("mtu: %d is more than the %d of the master %s"):format(conf.mtu or 0, master.mtu,
      conf.master), MISTAKE)
end

---Makes the interface in the pod; a refusal is thrown. The kernel takes back all of it by the link
---alone.
---@param state table
---@param kind "macvlan"|"ipvlan"
---@param attributes table what the link is made with, beside name, master and mtu
---@return true ok
function M.attach(state, kind, attributes)
  local conf <const>, call <const> = state.conf, state.call
  local lower <const> = lower_space(state)
  conf.master = conf.master or try(M.default_interface(lower))
  check_master(lower, conf, kind)
  local link <const> = {
    name = call.ifname, type = kind, link = conf.master, netns = call.netns,
    mtu = conf.mtu ~= 0 and conf.mtu or nil,
  }
  for key, value in pairs(attributes) do link[key] = value end
  try(lower.link:add(link))
  state.undo:push("interface " .. call.ifname, function()
    return state.nl.link:del { dev = call.ifname }
  end)
  local own <const> = try(interface.describe(state.nl, call.ifname, call.netns))
  state.interfaces, state.interface = { own }, 0
  return true
end

---Lets neighbours know at once where the pod's addresses are now. Kernels without IPv6 lack the
---second switch.
---@param state table
function M.announce(state)
  for _, key in ipairs { "net/ipv4/conf/%s/arp_notify", "net/ipv6/conf/%s/ndisc_notify" } do
    state.nl.sysctl:set(key:format(state.call.ifname), "1")
  end
end

---What is wrong with the interface.
---@param state table
---@param kind "macvlan"|"ipvlan"
---@return string[] differences
function M.inspect(state, kind)
  local differences <const> = {}
  local function say(text) differences[#differences + 1] = text end
  local link <const> = interface.inspect(state, kind, say)
  if link and link.mode and link.mode ~= state.conf.mode then
    say(("interface %s is in mode %s, planned is %s"):format(
      state.call.ifname, link.mode, state.conf.mode))
  end
  return differences
end

return M
