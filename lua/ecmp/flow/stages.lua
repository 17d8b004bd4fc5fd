---The stages of the flow, in the order in which they run.
local done = require("ecmp.cni").done

local M = {}

M.order = {
  "netconf", "script", "context", "pod", "ipam", "routes", "group", "plan", "apply", "result",
}

local function stage(state, name)
  local own <const> = state.plugin.stages
  return own and own[name] or require("ecmp.flow." .. name).run
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
    if running then done(stage(state, name)(state)) end
    if name == last then break end
  end
  return state
end

return M
