---Collects the notes of a rule: text for readers of the plan, beside the routes it returns.
local M = {}

-- Of the rule that is running; there is one at a time.
local list

---Adds a note where somebody collects them.
---@param text string
function M.add(text)
  if list then list[#list + 1] = text end
end

---Collects notes until the returned value is closed.
---@param into? string[] those of a rule that another calls go where that one's go
---@return table scope to be closed
function M.collect(into)
  local before <const> = list
  list = into or list
  return setmetatable({}, { __close = function() list = before end })
end

return M
