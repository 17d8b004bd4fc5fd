---Makes an interrupt from the terminal stop the coroutine that runs, not the one that waits for
---it.

local sys = require "ecmp.sys"

local M = {}

local create <const>, resume <const> = coroutine.create, coroutine.resume

local function back(caller, ...)
  sys.stoppable(caller)
  return ...
end

local function followed(thread, ...)
  if type(thread) ~= "thread" then return resume(thread, ...) end
  local caller <const> = coroutine.running()
  sys.stoppable(thread)
  return back(caller, resume(thread, ...))
end

local function results(thread, ok, ...)
  if ok then return ... end
  coroutine.close(thread)
  error((...), 0)
end

local function wrap(f)
  local thread <const> = create(f)
  return function(...) return results(thread, followed(thread, ...)) end
end

---Has Lua's own coroutines followed, in the whole process: for a program that is a prompt.
function M.follow()
  rawset(coroutine, "resume", followed)
  rawset(coroutine, "wrap", wrap)
end

return M
