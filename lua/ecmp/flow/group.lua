---Stage 4: what several routes with one key become; `state.merged`, canonical routes. A preview
---also keeps what each group was made of, `state.trace`.
local identity = require "ecmp.fib.route"
local rule = require "ecmp.rule"

local M = {}

---@param state table
---@return table? state, string? message, integer? code  7 for routes that cannot be merged,
---100 for a script that failed
function M.run(state)
  -- A script speaks first; the word `merge` decides what the script does not.
  local by <const> = state.script or state.conf.merge
  state.trace = state.dry and {} or nil
  local routes, message, code = rule.merge(state.routes, by, state.ctx, { trace = state.trace })
  if not routes then return nil, message, code or 7 end
  state.merged = {}
  for i, route in ipairs(routes) do
    state.merged[i], message, code = identity.canonical(route)
    if not state.merged[i] then return nil, ("routes[%d].%s"):format(i, message), code end
  end
  return state
end

return M
