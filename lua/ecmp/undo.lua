---What has been done so far and how to take it back: "all or nothing" for whoever changes several
---things. Transactions of a handle and of a plan are such stacks.
--
--     local undo <close> = require("ecmp.undo").new()
--     undo:push("link eth0", function() return nl.link:del("eth0") end)
--     ...
--     undo:commit()          -- nothing is taken back any more
--
-- Leaving the scope without `commit`, by return or by error, takes everything back, newest first.
local errors = require "ecmp.errors"
local log = require "ecmp.log"

local M = {}

-- Refused for now: a gateway is not reached, a source is no address, before older steps are back.
local LATER <const> = { ENETUNREACH = true, EHOSTUNREACH = true, EINVAL = true }

---Whether what was refused may be taken when the rest is there.
---@param code any
---@return boolean
function M.is_later(code)
  return LATER[code] == true
end

---@class ecmp.Transaction changes that are not committed yet; those of a handle have its objects
---@field route ecmp.Route
---@field nexthop ecmp.Nexthop
---@field link ecmp.Link
---@field addr ecmp.Addr
---@field rule ecmp.Rule
---@field neigh ecmp.Neigh
---@field vlan ecmp.Vlan
---@field sysctl ecmp.Sysctl
---@field batch fun(self, changes: table[], options?: table): table[] as `nl:batch`
---@field failed? table[] of a plan's, with `each`: `{ change, route, message, code }` of those
---refused
local methods <const> = {}
local Stack <const> = { __name = "ecmp.Transaction", __index = methods }

---An empty stack.
---@param report? fun(what: string, message: string) told what could not be taken back, in place of
---an error that is raised where a scope ends
---@return ecmp.Transaction undo
function M.new(report)
  return setmetatable({ steps = {}, last = {}, report = report, done = false }, Stack)
end

---A stack of what has been kept, to be taken back after all.
---@param entries table[] as `at_end` gets them
---@return ecmp.Transaction undo
function M.of(entries)
  local undo <const> = M.new()
  undo.steps = entries
  return undo
end

---A report that warns.
---@param what string
---@param message string
function M.warn(what, message)
  log.warn(("undo %s: %s"):format(what, message))
end

---Notes how to take one thing back.
---@param what string for the report, should taking it back fail
---@param step fun(): any, string?, string? what to call; nil, message is a failure, and so is an
---error. One that is refused since a gateway is not reached is called again when older ones are
---back
---@param keep? fun() what to call at `commit`
---@return table entry of the stack
function methods:push(what, step, keep)
  local entry <const> = { what = what, step = step, keep = keep }
  self.steps[#self.steps + 1] = entry
  return entry
end

---Notes what to call once everything is taken back or kept, such as closing a handle that steps
---use: a step that is refused for now is called again after older ones.
---@param f fun()
function methods:at_last(f)
  self.last[#self.last + 1] = f
end

local function call_last(self)
  local last <const> = self.last
  self.last = {}
  for i = #last, 1, -1 do last[i]() end
end

-- Closes the stack: calls the owner's `at_end` with the steps, if they were kept.
---@return table[] steps
local function finish(self, is_kept)
  local steps <const>, at_end <const> = self.steps, self.at_end
  self.steps, self.done, self.at_end = {}, true, nil
  if at_end then at_end(is_kept and steps or {}) end
  return steps
end

---Keeps everything done so far.
---@return true
function methods:commit()
  if self.done then self.steps = {} end
  for _, entry in ipairs(finish(self, true)) do
    if entry.keep then entry.keep() end
  end
  call_last(self)
  return true
end

---@return true|nil ok, string? message, string? code
local function take_back(entry)
  local called <const>, done <const>, message <const>, code <const> = pcall(entry.step)
  if not called then return nil, tostring(done) end
  if not done and message then return nil, message, code end
  return true
end

-- Takes steps back, newest first. What is refused for now is tried again as long as some of it is
-- taken.
---@return table[] refused `{ entry, message, code }`
local function take_back_all(steps)
  local refused = {}
  local function try(entry, into)
    local ok <const>, message <const>, code <const> = take_back(entry)
    if not ok then into[#into + 1] = { entry = entry, message = message, code = code } end
  end
  for i = #steps, 1, -1 do try(steps[i], refused) end
  local count
  repeat
    local left <const> = {}
    count = #refused
    for _, one in ipairs(refused) do
      if LATER[one.code] then try(one.entry, left) else left[#left + 1] = one end
    end
    refused = left
  until #refused == count
  return refused
end

---Takes everything back, newest first; twice is fine. One step that fails stops no other: what is
---left behind must be as little as possible. What is refused for now stays on the stack, where
---another call tries it again.
---@return true|nil ok, string? message of the first that failed, and how many more did
---@return string? code
function methods:rollback()
  local refused <const> = errors.new()
  for _, one in ipairs(take_back_all(finish(self))) do
    if LATER[one.code] then table.insert(self.steps, 1, one.entry) end
    if self.report then self.report(one.entry.what, one.message) end
    refused:note(nil, one.message, one.code)
  end
  call_last(self)
  return refused:result()
end

---The same as `rollback`.
---@return true|nil ok, string? message, string? code
function methods:close()
  return self:rollback()
end

-- What cannot be taken back at the end of a scope raises unless it is reported; where an error
-- passes through, it is told with that, and by a warning where the error is no text.
function Stack:__close(problem)
  if self.done then return end
  local ok <const>, message <const> = self:rollback()
  if ok or self.report then return end
  if problem == nil then error("undo: " .. message, 0) end
  if type(problem) == "string" then error(("%s; undo: %s"):format(problem, message), 0) end
  M.warn("of a scope", message)
end

function Stack:__tostring()
  local where <const> = self.nl and (" on %s"):format(self.nl.where or "this namespace") or ""
  return ("transaction%s%s"):format(where, self.done and ", ended" or "")
end

function Stack:__gc()
  if not self.done then self:rollback() end
end

return M
