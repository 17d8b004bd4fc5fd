---What has been done so far and how to take it back: the list behind "ADD is all or nothing".
--
--     local undo <close> = require("ecmp.flow.undo").new()
--     undo:push("link eth0", function() return nl.link:del("eth0") end)
--     ...
--     undo:commit()          -- nothing is taken back any more
--
-- Leaving the scope without `commit`, by return or by error, takes everything back, newest first.
local M = {}

local list <const> = {}
list.__index = list

---@return table undo an empty list
function M.new()
  return setmetatable({ steps = {} }, list)
end

---Notes how to take one thing back.
---@param what string for the log, should taking it back fail
---@param step fun(): any, string? what to call; nil, message is a failure, and so is an error
---@param keep? fun() what to call at `commit`
function list:push(what, step, keep)
  self.steps[#self.steps + 1] = { what = what, step = step, keep = keep }
end

---Keeps everything done so far.
function list:commit()
  local steps <const> = self.steps
  self.steps = {}
  for _, entry in ipairs(steps) do
    if entry.keep then entry.keep() end
  end
end

---Takes everything back, newest first. One step that fails is logged and stops no other: what is
---left behind must be as little as possible.
---@return boolean clean whether every step succeeded
function list:run()
  local steps <const> = self.steps
  self.steps = {}
  local clean = true
  for i = #steps, 1, -1 do
    local called, done, message = pcall(steps[i].step)
    if not called then done, message = nil, done end
    if done == nil and message then
      clean = false
      io.stderr:write(("ecmp: undo %s: %s\n"):format(steps[i].what, message))
    end
  end
  return clean
end

list.__close = list.run

return M
