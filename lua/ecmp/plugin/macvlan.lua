---macvlan: an interface with a hardware address of its own on one of the host's interfaces.
local flow = require "ecmp.flow"
local interface = require "ecmp.flow.interface"
local schema = require "ecmp.cni.schema"
local stacked = require "ecmp.flow.parent_device"

local M = {}

local modes <const> = schema.word { "", "bridge", "private", "vepa", "passthru" }

M.fields = schema.record {
  { "master", schema.interface },
  { "mode", modes },
  { "mtu", schema.mtu },
  { "mac", schema.string },
  { "linkInContainer", schema.boolean },
  { "bcqueuelen", schema.integer(0, 4294967295) },
}

---@param conf table
---@param call table
---@return true? ok, string? message, integer? code
function M.check_conf(conf, call)
  local address, message, code = interface.hardware_address(call, conf.mac)
  if message then return nil, message, code end
  conf.mac = address
  conf.mode = conf.mode ~= "" and conf.mode or "bridge"
  return true
end

---@param state table
---@return true? ok, string? message, string|integer? code
function M.attach(state)
  local conf <const> = state.conf
  local ok, message, code = stacked.attach(state, "macvlan", {
    mode = conf.mode, address = conf.mac,
    bcqueuelen = conf.bcqueuelen ~= 0 and conf.bcqueuelen or nil,
  })
  if not ok then return nil, message, code end
  -- Without an IPAM plugin the interface carries frames only, and nobody is to be told.
  if conf.ipam.type ~= "" then stacked.announce(state) end
  return true
end

M.detach = interface.detach

---@param state table
---@return string[] differences
function M.inspect(state)
  return stacked.inspect(state, "macvlan")
end

local verbs <const> = flow.verbs(M)
verbs.type = "macvlan"
verbs.about = "gives a pod an interface with its own hardware address on one of the host's"
return verbs
