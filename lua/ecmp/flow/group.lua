---Stage 4: what several routes with one key become; `state.merged`, canonical routes.
local group = require "ecmp.group"
local rule = require "ecmp.rule"

local M = {}

-- A script speaks first; the word `merge` decides what the script does not.
local function merged_by(state)
  if state.script then return state.script:routes(state.routes, state.ctx) end
  return rule.merge(state.routes, rule[state.conf.merge], state.ctx)
end

---@param state table
---@return table? state, string? message, integer? code  7 for routes that cannot be merged,
---100 for a script that failed
function M.run(state)
  local routes, message, code = merged_by(state)
  if not routes then return nil, message, code or 7 end
  state.merged = {}
  for i, route in ipairs(routes) do
    state.merged[i], message, code = group.canonical(route)
    if not state.merged[i] then return nil, ("routes[%d].%s"):format(i, message), code end
  end
  return state
end

return M
