---Carries a plan out under a checkpoint: change, wait for the confirmation, commit or roll back.

local checkpoint = require "ecmp.command.apply.checkpoint"
local report = require "ecmp.command.apply.report"
local sys = require "ecmp.sys"
local terminal = require "ecmp.repl.terminal"
local watchdog = require "ecmp.command.apply.watchdog"

local M = {}

---@class ecmp.apply.Change
---@field base string of the checkpoint
---@field journal ecmp.apply.Journal
---@field signals ecmp.sys.Signals
---@field watchdog? integer

-- What has been typed so far; nil at the end of input.
local function read_line(buffer)
  local text <const> = sys.read_some(0)
  if not text or text == "" then return nil end
  return buffer .. text
end

-- Waits for `yes`, a confirmation from elsewhere, a signal, or the end of the time. The end of
-- input is no confirmation, and a signal that stands for another process's confirmation is looked
-- up.
---@return "keep"|"undo" word, string? why
local function await_confirmation(change, deadline)
  local signals <const> = change.signals
  local sources, buffer = { signals, 0 }, ""
  while sys.monotonic() < deadline do
    local ready <const> = assert(sys.poll(sources, deadline - sys.monotonic()))
    local signal <const> = ready[1] == signals and signals:read()
    if signal and signal ~= "USR1" then return "undo", "SIG" .. signal end
    if checkpoint.decision(change.base, change.journal) == "keep" then return "keep" end
    if ready[#ready] == 0 then
      buffer = read_line(buffer)
      if not buffer then sources, buffer = { signals }, "" end
      if buffer:find "^yes\r?\n" or buffer:find "\nyes\r?\n" then return "keep" end
    end
  end
  return "undo", "not confirmed in time"
end

-- Commits or rolls back, as it was decided. Where that cannot be noted the watchdog ends it.
---@return true|nil kept, string? message
local function finish(nl, change, word, why)
  local base <const>, journal <const> = change.base, change.journal
  local ended <const> = checkpoint.has_ended(journal)
  local decided <const>, undecided <const> = checkpoint.decide(base, word, journal)
  if decided == "keep" then
    if not ended then
      if why then checkpoint.tell(base, "kept: " .. why) end
      checkpoint.finish(base, "keep", journal)
    end
    return true
  end
  if word == "keep" then
    why = undecided and ("cannot be kept (%s)"):format(undecided) or "taken back by another process"
  end
  local ok <const>, message <const> = checkpoint.restore(nl, journal)
  local text <const> = ok and why .. ": taken back, the routes are as before"
    or ("%s: %s"):format(why, message)
  checkpoint.tell(base, text)
  if ok then
    checkpoint.finish(base, "undo", journal)
  else
    checkpoint.note(base, "left")
  end
  return nil, text
end

local function confirm(nl, args, change)
  local deadline <const> = sys.monotonic() + args.confirm
  local noted <const>, message <const> =
    checkpoint.note(change.base, "waiting", deadline, sys.getpid(), change.watchdog)
  if not noted then return finish(nl, change, "undo", message) end
  local where <const> = args.netns and "--netns " .. args.netns .. " " or ""
  io.stderr:write(("type yes within %g s to keep this (or run: ecmp apply %s--confirmed)\n")
    :format(args.confirm, where))
  local word <const>, why <const> = await_confirmation(change, deadline)
  return finish(nl, change, word, why or "confirmed")
end

-- The change itself; a signal stops it between two batches, and then it is taken back.
---@return true|nil done, string? why
local function carry_out(nl, plan, change)
  local show <const>, clear <const> = terminal.progress "applying change"
  local caught
  local tx <const>, message <const> = plan:begin(nl, { progress = function(done, total)
    show(done, total)
    caught = caught or change.signals:read()
    return not caught
  end, undoing = terminal.progress "taking back change" })
  clear()
  caught = caught or change.signals:read()
  if tx then tx:commit() end -- the checkpoint can undo it, too, and checks whether that was done
  if tx and not caught then return true end
  return nil, caught and "SIG" .. caught or message
end

---@return ecmp.apply.Change|nil change, string? message
local function begin(base, plan, ownership, netns)
  local signals <const>, refusal <const> = sys.signals { "INT", "TERM", "HUP", "USR1" }
  if not signals then return nil, refusal end
  local journal, message = checkpoint.write(base, plan, ownership.all, ownership.added)
  if not journal then
    signals:close()
    return nil, message
  end
  local change <const> = { base = base, journal = journal, signals = signals }
  local noted
  noted, message = checkpoint.note(base, "applying", 0, sys.getpid())
  if noted then
    change.watchdog, message = watchdog.start(base, netns)
    if change.watchdog then return change end
  end
  if not checkpoint.finish(base, "undo", journal) then checkpoint.remove(base) end
  signals:close()
  return nil, message
end

---Makes the changes of a plan, to be rolled back unless they are kept.
---@param nl ecmp.Handle
---@param base string of the checkpoint
---@param plan table
---@param ownership ecmp.apply.Ownership
---@param args table as the command line has them
---@return integer|nil status, string? message
function M.perform(nl, base, plan, ownership, args)
  local change <const>, reason <const> = begin(base, plan, ownership, args.netns)
  if not change then return nil, reason end
  local ok, message = carry_out(nl, plan, change)
  if not ok then
    ok, message = finish(nl, change, "undo", message)
  else
    report.changes(args, plan, "applied")
    if args.confirm then
      ok, message = confirm(nl, args, change)
    else
      ok, message = finish(nl, change, "keep")
    end
  end
  while change.signals:read() do end -- what came later asks for what is done already
  change.signals:close()
  if not ok then return nil, message end
  if args.confirm then report.word(args, "confirmed") end
  return 0
end

return M
