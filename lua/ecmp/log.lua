---Warnings: a line each on stderr, where runtimes drop what a plugin that succeeds writes, and for
---whoever keeps a log.
local M = {}

local listener

---Warns of what is gone on with.
---@param text string one line, without a newline
function M.warn(text)
  io.stderr:write(("ecmp: %s\n"):format(text))
  if listener then listener(text) end
end

---Lets a function hear of each warning, until the returned value is closed.
---@param hear fun(text: string)
---@return table scope to be closed
function M.listen(hear)
  local before <const> = listener
  listener = hear
  return setmetatable({}, { __close = function() listener = before end })
end

return M
