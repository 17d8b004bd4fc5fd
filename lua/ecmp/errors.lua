---Collects the errors of operations that do not depend on each other: all are tried, and what is
---reported is the first refusal and how many more there are. And words for what messages name.
local M = {}

---The code for faults of a site's script; the other codes are errno names.
M.SCRIPT = "ESCRIPT"

---A value as messages show it: an address in memory is of no use to a reader.
---@param value any
---@return string
function M.shown(value)
  local text <const>, kind <const> = tostring(value), type(value)
  if kind == "string" or kind == "number" or not text:find "^[%w._ ]+: 0x%x+$" then return text end
  return "a " .. kind
end

---Raises for a name that a module does not have, with the nearest one: nil would be taken for
---"nothing was said".
---@param module string
---@param known table<string, any> the names that there are, as keys
---@param name any the one that was used, in a function which `__index` calls
function M.unknown_name(module, known, name)
  local near <const> = type(name) == "string" and require("ecmp.rtnl").nearest(known, name)
  error(("%s.%s: there is no such name%s"):format(module, M.shown(name),
    near and (" (did you mean '%s'?)"):format(near) or ""), 3)
end

local Collector <const> = { __name = "ecmp.errors" }
Collector.__index = Collector

---An empty collector.
---@return table collector
function M.new()
  return setmetatable({ count = 0 }, Collector)
end

---Takes the outcome of one operation.
---@param ok any
---@param message? string
---@param code? string
function Collector:note(ok, message, code)
  if ok then return end
  self.count = self.count + 1
  self.message, self.code = self.message or message, self.code or code
end

---What came of all of them.
---@return true|nil ok, string? message, string? code
function Collector:result()
  if self.count == 0 then return true end
  if self.count == 1 then return nil, self.message, self.code end
  return nil, ("%s; and %d more"):format(self.message, self.count - 1), self.code
end

return M
