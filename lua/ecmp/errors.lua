-- What was refused of several things that do not depend on each other: all are tried, and what is
-- said is the first refusal and how many more there are.

local Tally = {}
Tally.__index = Tally

local M = {}

function M.new()
  return setmetatable({ count = 0 }, Tally)
end

---Takes an outcome.
---@param ok any
---@param message? string
---@param code? string
function Tally:note(ok, message, code)
  if not ok then
    self.count = self.count + 1
    self.message, self.code = self.message or message, self.code or code
  end
end

---@return true|nil, string? message, string? code
function Tally:result()
  if self.count == 0 then
    return true
  elseif self.count == 1 then
    return nil, self.message, self.code
  end
  return nil, ("%s; and %d more"):format(self.message, self.count - 1), self.code
end

return M
