---The verb STATUS: an interface plugin can serve an ADD when its IPAM plugin can.
local flow = require "ecmp.flow"
local ipam = require "ecmp.flow.ipam"

local M = {}

---@param call table
---@param plugin table
---@return true? ok, string? message, string|integer? code
function M.run(call, plugin)
  local state, message, code = flow.run({ call = call, plugin = plugin }, "netconf", "netconf")
  if not state then return nil, message, code end
  local kind <const> = state.conf.ipam.type
  if kind == "" or not plugin.attach then return true end
  return ipam.ask(call, kind, "STATUS")
end

return M
