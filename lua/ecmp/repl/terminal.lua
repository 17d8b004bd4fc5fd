---Colour, and progress of long work, where the output is a terminal.

local sys = require "ecmp.sys"

local M = {}

local STDOUT <const>, STDERR <const> = 1, 2
local INTERVAL <const> = 0.1 -- seconds between two lines of progress
local PATIENCE <const> = 0.5 -- work that takes less says nothing

-- As `ip -color` has them, and for what changes.
local styles <const> = {
  dev = "36", inet = "35", inet6 = "34", add = "32", del = "31", change = "33", bar = "32",
  prompt = "1", note = "2",
}

local function plain(_, text) return text end

local function painted(style, text)
  return ("\27[%sm%s\27[0m"):format(styles[style], text)
end

---A function that colours text, or leaves it as it is where nobody looks or NO_COLOR is set.
---@param fd? integer the descriptor that is written to, standard output unless given
---@return fun(style: string, text: string): string
function M.colour(fd)
  local no <const> = os.getenv "NO_COLOR"
  if (no and no ~= "") or os.getenv "TERM" == "dumb" or not sys.isatty(fd or STDOUT) then
    return plain
  end
  return painted
end

local function address_style(address)
  return address:find(":", 1, true) and "inet6" or "inet"
end

---Colours the words of routes as `ip -color` does.
---@param text string
---@param colour fun(style: string, text: string): string
---@return string
function M.routes(text, colour)
  if colour == plain then return text end
  text = text:gsub("(%f[%w]via )([%x:.]+)", function(word, address)
    return word .. colour(address_style(address), address)
  end)
  text = text:gsub("(%f[%w]dev )(%S+)", function(word, dev) return word .. colour("dev", dev) end)
  return (("\n" .. text):gsub("\n([%x:.]+/?%d*) ", function(dst)
    return "\n" .. colour(address_style(dst), dst) .. " "
  end):sub(2))
end

---Colours a plan by what its lines do.
---@param text string
---@param colour fun(style: string, text: string): string
---@return string
function M.changes(text, colour)
  if colour == plain then return text end
  local style <const> = { ["+"] = "add", ["-"] = "del", ["~"] = "change" }
  return (text:gsub("[^\n]+", function(line)
    local kind <const> = style[line:sub(1, 1)]
    return kind and colour(kind, line)
  end))
end

---Tells of work that goes on, on standard error where that is a terminal.
---@param what string "applying change", ...
---@return fun(done: integer, total: integer) tell # the last one clears
---@return fun() clear # for work that ends before
function M.progress(what)
  if not sys.isatty(STDERR) then return function() end, function() end end
  local started <const> = sys.monotonic()
  local last, shown = started, false
  local function clear()
    if shown then io.stderr:write "\r\27[K" end
    shown = false
  end
  local function tell(done, total)
    local now <const> = sys.monotonic()
    if done >= total then return clear() end
    if now - started < PATIENCE or now - last < INTERVAL then return end
    last, shown = now, true
    io.stderr:write(("\r%s %d of %d (%d%%)\27[K"):format(what, done, total, done * 100 // total))
  end
  return tell, clear
end

return M
