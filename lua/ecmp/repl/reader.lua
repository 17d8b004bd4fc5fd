---Lines from a terminal, with editing, history and completion where lua-readline is installed; from
---anything else as they come.
--
-- While a line is read signals are something to be read too: SIGINT ends the line and not the
-- program; SIGTERM and SIGHUP are the end of input, so that all is tidied up and the terminal is as
-- it was; SIGTSTP stops with the terminal as it was, and drops the line.

local sys = require "ecmp.sys"

local M = {}

local Reader <const> = {}
Reader.__index = Reader

local HISTORY <const> = 1000

-- It is GNU readline, found where it lies on the machine and never part of us.
local function find_readline()
  if os.getenv "ECMP_READLINE" == "no" or os.getenv "TERM" == "dumb" then return nil end
  local found <const>, readline <const> = pcall(require, "readline")
  return found and readline or nil
end

local function history_file()
  local state <const>, home <const> = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  local dir <const> = state and state ~= "" and state or home and home .. "/.local/state"
  if not dir then return "" end
  sys.mkdir(dir .. "/ecmp", tonumber("700", 8))
  return sys.stat(dir .. "/ecmp") and dir .. "/ecmp/history" or ""
end

-- What readline makes of the terminal is not undone by a signal in the middle of a line.
local function terminal_state()
  local pipe <close> = io.popen "stty -g 2>/dev/null"
  return pipe and pipe:read "l"
end

---@param complete fun(line: string, from: integer, to: integer): string[]
---@return table reader
function M.new(complete)
  local self <const> = setmetatable({ terminal = sys.isatty(0), pending = "", pasted = {} }, Reader)
  if self.terminal then self.readline = find_readline() end
  if self.readline then
    self.state = terminal_state()
    self.readline.set_options { histfile = history_file(), keeplines = HISTORY, auto_add = false }
    local readline <const> = self.readline
    readline.set_complete_function(function(...)
      readline.set_completion_append_character "" -- it forgets that with every word
      return complete(...)
    end)
  end
  return self
end

-- Colours take no room in the line that readline edits.
local function invisible(prompt)
  return (prompt:gsub("\27%[[%d;]*m", "\1%0\2"))
end

local PASTE_ON <const>, PASTE_OFF <const> = "\27[?2004h", "\27[?2004l"

local function set_terminal(state, paste)
  io.stdout:write(paste):flush()
  if state then os.execute(("stty '%s' 2>/dev/null"):format(state)) end
end

-- Stops as any program does, and goes on with what readline takes for granted.
function Reader:stop()
  local editing <const> = terminal_state()
  set_terminal(self.state, PASTE_OFF)
  sys.kill(sys.getpid(), "STOP")
  set_terminal(editing, PASTE_ON)
end

-- With readline: it is fed as characters come. An interrupted line is dropped by installing the
-- handler anew for the next one; to remove it in the middle of a line would have lua-readline close
-- the terminal's stream before GNU readline has restored the terminal through it.
function Reader:edit(prompt, signals)
  local done, line = false, nil
  self.readline.handler_install(invisible(prompt), function(text)
    self.readline.handler_remove()
    done, line = true, text
  end)
  while not done do
    local ready <const> = assert(sys.poll { signals, 0 })
    if ready[1] == signals then
      local signal <const> = signals:read()
      if signal == "INT" then return false, "^C" end
      if signal == "TSTP" then
        self:stop()
        return false
      end
      set_terminal(self.state, PASTE_OFF)
      return nil
    end
    self.readline.read_char()
  end
  return line and self:unpaste(line)
end

-- What is pasted comes as one line with line ends in it: statements one after the other.
function Reader:unpaste(text)
  for line in (text:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do
    table.insert(self.pasted, line)
  end
  return self:next_pasted()
end

function Reader:next_pasted()
  return table.remove(self.pasted, 1)
end

-- A statement on one line, as it comes back from the file of the history; nil where a line end in
-- it has a meaning.
local function on_one_line(text)
  if not text:find "\n" then return text end
  if text:find "%-%-" or text:find "%[=*%[" or text:find "\\\n" then return nil end
  return (text:gsub("%s*\n%s*", " "))
end

---Takes a statement into the history, whole.
---@param text string
function Reader:remember(text)
  local entry <const> = on_one_line(text) or text
  if not self.readline or entry == self.last then return end
  self.readline.add_history(entry)
  self.last = entry
end

---Forgets what is pasted and not run yet.
function Reader:forget()
  self.pasted = {}
end

-- Without: the terminal's own line editing, or a pipe.
function Reader:take(signals)
  while not self.pending:find "\n" do
    local ready <const> = assert(sys.poll { signals, 0 })
    if ready[1] == signals then
      self.pending = ""
      if signals:read() == "INT" then return false, "" end
      return nil
    end
    local text <const> = sys.read_some(0)
    if not text or text == "" then
      local rest <const> = self.pending
      self.pending = ""
      return rest ~= "" and rest or nil
    end
    self.pending = self.pending .. text
  end
  local line <const>, rest <const> = self.pending:match "^([^\n]*)\n(.*)$"
  self.pending = rest
  return line
end

---Reads a line.
---@param prompt string shown on a terminal only
---@return string|false|nil line # false: interrupted; nil: the end
function Reader:line(prompt)
  io.stdout:flush()
  local pasted <const> = self:next_pasted()
  if pasted then
    io.stdout:write(prompt, pasted, "\n"):flush()
    return pasted
  end
  local signals <close> = assert(sys.signals(self.readline and { "INT", "TERM", "HUP", "TSTP" }
    or { "INT", "TERM", "HUP" }))
  local line, echo
  if self.readline then
    line, echo = self:edit(prompt, signals) -- it draws on what is C's standard output
  else
    if self.terminal then io.stdout:write(prompt):flush() end
    line, echo = self:take(signals)
  end
  if self.terminal and not line then io.stdout:write(echo or "", "\n"):flush() end
  return line
end

---Keeps the history for the next time.
function Reader:close()
  if self.readline then pcall(self.readline.save_history) end
end

return M
