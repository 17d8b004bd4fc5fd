---What has been done so far and how to take it back: "all or nothing" for whoever changes several
---things.
--
--     local undo <close> = require("ecmp.undo").new()
--     undo:push("link eth0", function() return nl.link:del("eth0") end)
--     ...
--     undo:commit()          -- nothing is taken back any more
--
-- Leaving the scope without `commit`, by return or by error, takes everything back, newest first.
local log = require "ecmp.log"

local M = {}

local Stack <const> = { __name = "ecmp.undo" }
Stack.__index = Stack

local function warn(what, message)
  log.warn(("undo %s: %s"):format(what, message))
end

---An empty stack.
---@param report? fun(what: string, message: string) told what could not be taken back; absent:
---it is warned of
---@return table undo
function M.new(report)
  return setmetatable({ steps = {}, report = report or warn }, Stack)
end

---Notes how to take one thing back.
---@param what string for the report, should taking it back fail
---@param step fun(): any, string? what to call; nil, message is a failure, and so is an error
---@param keep? fun() what to call at `commit`
function Stack:push(what, step, keep)
  self.steps[#self.steps + 1] = { what = what, step = step, keep = keep }
end

---Keeps everything done so far.
function Stack:commit()
  local steps <const> = self.steps
  self.steps = {}
  for _, entry in ipairs(steps) do
    if entry.keep then entry.keep() end
  end
end

---Takes everything back, newest first. One step that fails is reported and stops no other: what is
---left behind must be as little as possible.
---@return boolean clean whether every step succeeded
function Stack:rollback()
  local steps <const> = self.steps
  self.steps = {}
  local clean = true
  for i = #steps, 1, -1 do
    local called, done, message = pcall(steps[i].step)
    if not called then done, message = nil, done end
    if done == nil and message then
      clean = false
      self.report(steps[i].what, message)
    end
  end
  return clean
end

function Stack:__close() self:rollback() end

return M
