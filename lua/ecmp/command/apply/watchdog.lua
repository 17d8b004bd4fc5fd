---The watchdog: a process of a session of its own that brings routes back when the one that changed
---them was killed, in the middle or before the change was confirmed.

local ecmp = require "ecmp"
local checkpoint = require "ecmp.command.apply.checkpoint"
local sys = require "ecmp.sys"

local M = {}

local SLICE <const> = 2      -- seconds between two looks at a process that is alive
local GRACE <const> = 5      -- how late it may be with its own undoing before it is taken for stuck
local KILLED <const> = "taken back by the watchdog: the process that made the change was killed or "
  .. "stuck"
local STARTING <const> = 10  -- how long a watchdog may take to begin

-- This program again: the executable, or the interpreter with the same paths.
local function command(base)
  local link <const>, message <const>, code <const> = sys.readlink "/proc/self/exe"
  if not link then return nil, message, code end
  local program <const> = link:gsub(" %(deleted%)$", "")
  if not program:match("[^/]*$"):find "^lua" then return { program, "apply", "--watchdog",
    base } end
  local chunk <const> = ("package.path=%q package.cpath=%q "
    .. "require('ecmp.command.apply.watchdog').main(%q)"):format(package.path, package.cpath, base)
  return { program, "-e", chunk }
end

---Starts a watchdog for a journal, which is read when it is needed, and waits until it is there.
---@param base string
---@param netns? string
---@return integer|nil pid, string? message, string? code
function M.start(base, netns)
  sys.unlink(base .. ".watchdog")
  local argv <const>, missing <const>, why <const> = command(base)
  if not argv then return nil, missing, why end
  local child, message, code = sys.spawn { argv = argv, netns = netns, detach = true }
  if not child then return nil, message, code end
  local deadline <const> = sys.monotonic() + STARTING
  while not sys.stat(base .. ".watchdog") do
    if sys.monotonic() > deadline then
      sys.kill(child.pid)
      return nil, "the watchdog does not start", "ETIMEDOUT"
    end
    sys.sleep(0.002)
  end
  return child.pid
end

local function is_alive(pid)
  return pid ~= nil and sys.kill(pid, 0) == true
end

-- The files were removed: the applier takes the change back itself, unless it dies or is stuck.
local function await_applier(applier, deadline)
  while is_alive(applier) and not (deadline and sys.monotonic() > deadline + GRACE) do
    sys.sleep(SLICE)
  end
end

-- Takes over when the lock becomes free: its holder has ended or died. A holder that lives and is
-- far too late (stopped, or blocked by its terminal) is not waited for.
---@return userdata|nil lock, string? word how far it was, number? deadline
local function take_over(base, journal)
  local word, deadline, applier = checkpoint.state(base)
  while checkpoint.is_there(base, journal) do
    local lock <const> = checkpoint.lock(base, SLICE)
    if not lock and not checkpoint.is_there(base, journal) then break end
    word, deadline, applier = checkpoint.state(base)
    if lock then return lock, word, deadline end
    if word == "waiting" and sys.monotonic() > deadline + GRACE then return nil, word, deadline end
  end
  await_applier(applier, deadline)
  return nil, word, deadline
end

-- The one who changed the routes is dead, and the time is not up: a confirmation may still come.
local function await_decision(base, journal, deadline, signals)
  while not checkpoint.decision(base, journal) and sys.monotonic() < deadline do
    sys.poll({ signals }, deadline - sys.monotonic())
    signals:read()
  end
end

-- How the rollback ended: where the process that made the change tried before and left something,
-- what it said is not lost.
local function rolled_back(earlier)
  return earlier and ("taken back by the watchdog, after: %s"):format(earlier) or KILLED
end

local function not_rolled_back(message, earlier)
  return ("watchdog: %s%s"):format(message, earlier and "; before that: " .. earlier or "")
end

-- What cannot be brought back is kept for `ecmp apply --undo`.
local function roll_back(nl, base, journal, earlier)
  local good <const>, ok, message = pcall(checkpoint.restore, nl, journal)
  if not good then ok, message = nil, tostring(ok) end
  if not ok then
    checkpoint.note(base, "left")
    checkpoint.tell(base, not_rolled_back(message, earlier))
    return nil
  end
  checkpoint.tell(base, rolled_back(earlier))
  return true
end

---Watches until it is decided.
---@param base string
---@return integer status
function M.main(base)
  local signals <close> = assert(sys.signals { "USR1", "HUP", "INT", "TERM" })
  local nl <close> = assert(ecmp.open())
  local journal <const> = checkpoint.open(base)
  if not journal then return 0 end -- where another was faster, nothing is left to be done
  assert(sys.create(base .. ".watchdog", tostring(sys.getpid()), tonumber("600", 8)))
  local lock <close>, word <const>, deadline <const> = -- luacheck: ignore 211
    take_over(base, journal)
  if checkpoint.has_ended(journal) then return 0 end
  if word == "waiting" and checkpoint.is_there(base, journal) then
    await_decision(base, journal, deadline, signals)
  end
  local decided <const> = checkpoint.decide(base, "undo", journal)
  if decided == "keep" then
    checkpoint.tell(base, "kept: confirmed")
  elseif not roll_back(nl, base, journal, word == "left" and checkpoint.last(base)) then
    return 1
  end
  checkpoint.finish(base, decided, journal)
  return 0
end

return M
