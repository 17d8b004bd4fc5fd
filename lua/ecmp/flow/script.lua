---Stage `script`: begins to load the site's rule script in its own process, while the pod is
---looked at; `state.script`.
local M = {}

---@param state table
---@return table? state, string? message, integer? code  100 for a script that may not be run
function M.run(state)
  local conf <const> = state.conf
  if not conf.script then return state end
  -- loaded by those alone who have a script
  local script, message, code = require("ecmp.sandbox").start(conf.script, {
    trusted = conf.trusted, merge = conf.merge,
  })
  if not script then return nil, message, code end
  state.script = script
  return state
end

return M
