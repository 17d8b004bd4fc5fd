---The guardian: a process of a session of its own that brings routes back when the one that changed
---them was killed, in the middle or before the change was confirmed.

local ecmp = require "ecmp"
local rollback = require "ecmp.command.apply.checkpoint"
local sys = require "ecmp.sys"

local M = {}

local SLICE <const> = 2      -- seconds between two looks at a process that is alive
local GRACE <const> = 5      -- how late it may be with its own undoing before it is taken for stuck
local KILLED <const> = "taken back by the guardian: the process that made the change was killed or "
  .. "stuck"
local STARTING <const> = 10  -- how long a guardian may take to begin

-- This program again: the executable, or the interpreter with the same paths.
local function command(base)
  local program <const> = assert(sys.readlink "/proc/self/exe"):gsub(" %(deleted%)$", "")
  if not program:match("[^/]*$"):find "^lua" then return { program, "apply", "--guardian",
    base } end
  local chunk <const> = ("package.path=%q package.cpath=%q "
    .. "require('ecmp.command.apply.watchdog').main(%q)"):format(package.path, package.cpath, base)
  return { program, "-e", chunk }
end

---Starts a guardian for a journal, which is read when it is needed, and waits until it is there.
---@param base string
---@param netns? string
---@return integer|nil pid, string? message, string? code
function M.start(base, netns)
  sys.unlink(base .. ".guardian")
  local child, message, code = sys.spawn { argv = command(base), netns = netns, detach = true }
  if not child then return nil, message, code end
  local deadline <const> = sys.monotonic() + STARTING
  while not sys.stat(base .. ".guardian") do
    if sys.monotonic() > deadline then
      sys.kill(child.pid)
      return nil, "the guardian does not start", "ETIMEDOUT"
    end
    sys.sleep(0.002)
  end
  return child.pid
end

-- Takes over when the lock becomes free: its holder has ended or died. A holder that lives and is
-- far too late (stopped, or blocked by its terminal) is not waited for.
local function take_over(base)
  while true do
    local lock <const> = rollback.lock(base, SLICE)
    if lock then return lock end
    local word <const>, deadline <const> = rollback.state(base)
    if word == "waiting" and sys.monotonic() > deadline + GRACE then return nil end
  end
end

-- The one who changed the routes is dead, and the time is not up: a confirmation may still come.
local function await_verdict(base, deadline, signals)
  while not rollback.verdict(base) and sys.monotonic() < deadline do
    sys.poll({ signals }, deadline - sys.monotonic())
    signals:read()
  end
end

-- How the undoing ended: where the process that made the change tried before and left something,
-- what it said is not lost.
local function taken_back(earlier)
  return earlier and ("taken back by the guardian, after: %s"):format(earlier) or KILLED
end

local function not_taken_back(message, earlier)
  return ("guardian: %s%s"):format(message, earlier and "; before that: " .. earlier or "")
end

-- What cannot be brought back is kept for `ecmp apply --undo`.
local function undo(nl, base, earlier)
  local good <const>, ok, message = pcall(rollback.restore, nl, base)
  if not good then ok, message = nil, tostring(ok) end
  if not ok then
    rollback.note(base, "left")
    rollback.tell(base, not_taken_back(message, earlier))
    return nil
  end
  rollback.tell(base, taken_back(earlier))
  return true
end

---Guards until it is decided.
---@param base string
---@return integer status
function M.main(base)
  local signals <close> = assert(sys.signals { "USR1", "HUP", "INT", "TERM" })
  local nl <close> = assert(ecmp.open())
  assert(sys.create(base .. ".guardian", tostring(sys.getpid()), tonumber("600", 8)))
  local lock <close> = take_over(base) -- luacheck: ignore 211
  local word <const>, deadline <const> = rollback.state(base)
  if not word or word == "done" then -- where another was faster, nothing is said any more
    rollback.forget(base)
    return 0
  end
  if word == "waiting" then await_verdict(base, deadline, signals) end
  if rollback.decide(base, "undo") ~= "undo" then
    rollback.tell(base, "kept: confirmed")
  elseif not undo(nl, base, word == "left" and rollback.last(base)) then
    return 1
  end
  rollback.forget(base)
  return 0
end

return M
