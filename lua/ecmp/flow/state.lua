---What the stages of one ADD work on, and what a plugin's hooks can do with it.
local calls = require "ecmp.cni.call"

---@class ecmp.State
---@field call table the call of the verb
---@field plugin table what the plugin says about itself
---@field conf? table the checked configuration
---@field nl? ecmp.Handle on the pod
---@field undo? table what an ADD that fails takes back; `push(what, step)`
---@field interfaces? table[] those that the result tells of; set by `attach`
---@field interface? integer the pod's among them, counted from 0; set by `attach`
---@field plan? table `{ addresses, routes, sysctls }`
---@field result? table
local State <const> = { __name = "ecmp.State" }
State.__index = State

local M = {}

---Makes the state of an ADD.
---@param fields table
---@return ecmp.State
function M.new(fields)
  return setmetatable(fields, State)
end

---A handle whose changes an ADD that fails takes back; it is closed at the end of the ADD.
---@param where? "pod"|"host" the pod where it is left out
---@return ecmp.Handle nl
function State:change(where)
  calls.check_place("state:change", where)
  if not self.undo then error("state:change: only an ADD takes changes back", 2) end
  return calls.change(self.undo, where ~= "host" and self.call.netns or nil)
end

return M
