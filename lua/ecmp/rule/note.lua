---What a rule has to say to those who read its plan, beside the routes that it returns.
local M = {}

-- Of the rule that is running; there is one at a time.
local list

---Says something: `ecmp plan`, `ecmp rule check` and the log show it. Where nobody collects notes
---it is dropped.
---@param text string
function M.note(text)
  if type(text) ~= "string" then
    error(("rule.note: text is due here, not %s"):format(
      text == nil and "nothing" or "a " .. type(text)), 2)
  end
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
