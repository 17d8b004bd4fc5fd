---The stages of the flow, in the order in which they run.
local done = require("ecmp.cni").done
local hooks = require "ecmp.flow.hooks"

local M = {}

M.order = {
  "netconf", "script", "context", "pod", "ipam", "routes", "group", "plan", "apply", "result",
}

local function run_stage(state, name)
  local stages <const> = state.plugin.stages
  local own <const> = stages and stages[name]
  done((own or require("ecmp.flow." .. name).run)(state))
  if own then hooks.check_stage(name, state) end
end

---Runs a part of the stages; a refusal is thrown.
---@param state table
---@param first string
---@param last string
---@return table state
function M.run(state, first, last)
  local running = false
  for _, name in ipairs(M.order) do
    running = running or name == first
    if running then run_stage(state, name) end
    if name == last then break end
  end
  return state
end

return M
