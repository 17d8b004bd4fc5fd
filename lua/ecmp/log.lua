---Warnings: a line each on stderr, and to the log. Runtimes drop the stderr of a plugin that
---succeeds.
local M = {}

local listener

---Warns of a problem that does not end the run.
---@param text string one line, without a newline
function M.warn(text)
  io.stderr:write(("ecmp: %s\n"):format(text))
  if listener then listener(text) end
end

---Calls a function for each warning, until the returned value is closed.
---@param receive fun(text: string)
---@return table scope to be closed
function M.listen(receive)
  local before <const> = listener
  listener = receive
  return setmetatable({}, { __close = function() listener = before end })
end

return M
