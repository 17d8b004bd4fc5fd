---loopback: sets a pod's `lo` up, as the reference plugin does; runtimes of CRI call it first.
--
-- The interface that the runtime names is not looked at, and nothing is made: DEL sets `lo` down.
local cni = require "ecmp.cni"
local ip = require "ecmp.ip"
local log = require "ecmp.log"
local netlink = require "ecmp.nl"

local M = { about = "sets the loopback interface of a pod up" }

local codes <const> = cni.codes
local NAME <const> = "lo"

local function open(call)
  local nl <const>, message <const> = netlink.open { netns = call.netns }
  return cni.try(nl, not nl and "CNI_NETNS: " .. message, codes.netns)
end

local NETWORKS <const> = { [4] = ip.parse "127.0.0.0/8", [6] = ip.parse "::1/128" }

-- The last address of a family, as the reference plugin has it; one that is no loopback address
-- means that somebody uses `lo` for something else.
local function address_of(nl, family)
  local last
  for _, entry in ipairs(cni.try(nl.addr:list { dev = NAME, family = family })) do
    if not NETWORKS[family]:contains(ip.parse(entry.address):address()) then
      cni.refuse(codes.internal, ("lo: has the address %s, which is no loopback address")
        :format(entry.address))
    end
    last = entry.address
  end
  return last
end

---Sets `lo` up; the result of a plugin before this one is handed on.
---@param call table
---@return table result
function M.add(call)
  local nl <close> = open(call)
  cni.try(nl.link:set { dev = NAME, up = true })
  local ips <const> = {}
  for _, family in ipairs { 4, 6 } do
    local address <const> = address_of(nl, family)
    if address then ips[#ips + 1] = { address = address, interface = 0 } end
  end
  if call.prev then return call.prev end
  return {
    interfaces = { { name = NAME, mac = "00:00:00:00:00:00", sandbox = call.netns } }, ips = ips,
  }
end

---Sets `lo` down, where the pod is still there.
---@param call table
function M.del(call)
  if call.netns == "" then return end
  local nl <close>, message <const> = netlink.open { netns = call.netns }
  local ok, why = nil, message
  if nl then ok, why = nl.link:set { dev = NAME, up = false } end
  if not ok then log.warn("DEL: interface lo: " .. why) end
end

---@param call table
function M.check(call)
  cni.need_prev(call)
  local nl <close> = open(call)
  local link <const> = cni.try(nl.link:get { dev = NAME })
  if not link.up then cni.refuse(codes.internal, "CHECK lo: interface lo is down") end
end

M.type = "loopback"

---For `ecmp plan`: what a pod has of it, beside what the other plugins of a chain plan.
M.planned = {
  { address = "127.0.0.1/8", dev = NAME }, { address = "::1/128", dev = NAME },
}

return M
