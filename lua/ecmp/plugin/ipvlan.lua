---ipvlan: an interface that shares the hardware address of one of the host's interfaces.
--
-- In a chain the plugin before this one may have handed out the addresses and named the master.
local flow = require "ecmp.flow"
local interface = require "ecmp.flow.interface"
local ipam = require "ecmp.flow.ipam"
local schema = require "ecmp.cni.schema"
local stacked = require "ecmp.flow.parent_device"

local M = {}

M.fields = schema.record {
  { "master", schema.interface },
  { "mode", schema.word { "", "l2", "l3", "l3s" } },
  { "mtu", schema.mtu },
  { "linkInContainer", schema.boolean },
}

-- The one interface of the plugin before us.
local function chained_master(prev)
  local interfaces <const> = prev.interfaces or {}
  local name <const> = #interfaces == 1 and interfaces[1].name or ""
  if name ~= "" then return name end
  return nil, "master: must be given where prevResult does not list a single named interface",
    "EINVAL"
end

---@param conf table
---@param call table
---@return true? ok, string? message, integer? code
function M.check_conf(conf, call)
  conf.mode = conf.mode and conf.mode ~= "" and conf.mode or "l2"
  -- prevResult of CHECK is our own result, which names our interface and not the master.
  if conf.master or not call.prev or call.command ~= "ADD" then return true end
  local message, code
  conf.master, message, code = chained_master(call.prev)
  if not conf.master then return nil, message, code end
  return true
end

---Stage `ipam`: without an IPAM plugin the addresses are those of prevResult.
local function addresses(state)
  local prev <const> = state.call.prev
  if state.conf.ipam.type ~= "" then return ipam.run(state) end
  if not prev or #(prev.ips or {}) == 0 then
    return nil, "ipam.type: must be given, there is no prevResult with addresses", "EINVAL"
  end
  state.ipam = prev
  state.addresses = ipam.addresses(prev.ips, state.call.ifname)
  state.ctx.addresses = state.addresses
  return state
end

M.stages = { ipam = addresses }

---@param state table
---@return true? ok, string? message, string|integer? code
function M.attach(state)
  local ok, message, code = stacked.attach(state, "ipvlan", { mode = state.conf.mode })
  if not ok then return nil, message, code end
  stacked.announce(state)
  return true
end

M.detach = interface.detach

---@param state table
---@return string[] differences
function M.inspect(state)
  return stacked.inspect(state, "ipvlan")
end

local verbs <const> = flow.verbs(M)
verbs.type = "ipvlan"
verbs.about = "gives a pod an interface that shares the hardware address of one of the host's"
return verbs
