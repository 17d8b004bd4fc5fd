---Programs at the prompt: `sh`, lines that begin with `ip`, and `os.execute`, all in the namespace
---that `nl` is of.
local sys = require "ecmp.sys"

local M = {}

-- Behind `ip` these make an expression of Lua; anything else is a command.
local OF_LUA <const> = { ["and"] = true, ["or"] = true }

---What a line means that is no Lua: `ip ...` is a command, `?` asks for help.
---@param text string
---@return string? source the same as Lua; nil where it is Lua as it stands
function M.translate(text)
  local topic <const> = text:match "^%s*%?%s*(.-)%s*$"
  if topic then return topic == "" and "help()" or ("help(%q)"):format(topic) end
  local word <const> = text:match "^%s*ip%s+([%a-][%w-]*)"
  if word and not OF_LUA[word] and not text:find "\n" then return ("sh(%q)"):format(text) end
end

local function spawn(command, netns)
  io.stdout:flush()
  return sys.spawn { argv = { "sh", "-c", command }, netns = netns, inherit = true }
end

---Runs a command of the shell, with the prompt's terminal.
---@param command string
---@param netns? string
---@return nil, string? message, string? code where it failed
function M.run(command, netns)
  local outcome <const>, message <const>, code <const> = spawn(command, netns)
  if not outcome then return nil, message, code end
  if outcome.status == 0 then return end
  return nil, outcome.signal and ("sh: ended by signal %d"):format(outcome.signal)
    or ("sh: exit status %d"):format(outcome.status)
end

---`os.execute`, in a namespace.
---@param command? string
---@param netns? string
---@return true|nil ok, "exit"|"signal"|string|nil kind, integer|string|nil number
function M.execute(command, netns)
  if command == nil then return true end
  local outcome <const>, message <const>, code <const> = spawn(command, netns)
  if not outcome then return nil, message, code end
  if outcome.signal then return nil, "signal", outcome.signal end
  return outcome.status == 0 or nil, "exit", outcome.status
end

return M
