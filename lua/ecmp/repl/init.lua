---The prompt: reads a statement, runs it, prints what it returns, and goes on whatever happens.

local changes = require "ecmp.repl.journal"
local complete = require "ecmp.repl.complete"
local ecmp = require "ecmp"
local interrupt = require "ecmp.repl.interrupt"
local printer = require "ecmp.repl.printer"
local reader = require "ecmp.repl.reader"
local scope = require "ecmp.repl.scope"
local shell = require "ecmp.repl.shell"
local sys = require "ecmp.sys"
local terminal = require "ecmp.repl.terminal"

local M = {}

local Session <const> = {}
Session.__index = Session

---A session on a handle.
---@param options { label: string, echo: boolean? } what the prompt calls the place; echo: print
--- the statements, too
---@return table|nil session, string? message
function M.new(options)
  local nl <const>, message <const> = ecmp.open()
  if not nl then return nil, message end
  local self <const> = setmetatable({
    label = options.label, echo = options.echo, home = nl, nl = nl, journal = changes.new(),
    colour = terminal.colour(),
  }, Session)
  interrupt.follow()
  self.env = scope.new(self)
  return self
end

---Makes `nl` another handle; none: the session's own again.
function Session:use(handle)
  self.nl = handle or self.home
  self.env.nl = changes.handle(self.journal, self.nl)
  self.place = self.nl ~= self.home and self:name_of(handle) or nil
end

-- A handle of a lab is known by its role.
function Session:name_of(handle)
  for _, value in pairs(self.env) do
    local mt <const> = type(value) == "table" and getmetatable(value)
    if mt and mt.__name == "ecmp.Lab" and value.spaces then
      if handle == value.pod then return "pod" end
      if handle == value.server then return "server" end
      for _, gateway in ipairs(value.gateways) do
        if handle == gateway.nl then return gateway.name end
      end
    end
  end
  return tostring(handle.where or "here"):match "[^/]*$"
end

function Session:prompt(more)
  local place <const> = self.place and self.place ~= ""
    and ("%s:%s"):format(self.label, self.place) or self.label
  return self.colour("prompt", more and (" "):rep(#place - 1) .. ">> " or place .. "> ")
end

-- What is typed next is not to fail because the lab is gone whose handle is used.
function Session:leave_closed()
  if self.nl == self.home or pcall(self.nl.fd, self.nl) then return end
  self:use()
  io.stdout:write(self.colour("note", ("the handle is closed; nl is that of %s again")
    :format(self.label)), "\n")
end

-- Statements -------------------------------------------------------------------------------------

-- Every statement is a chunk of its own, in which a local would live no longer than the statement.
local function globalize(text)
  local head <const>, rest <const> = text:match "^(%s*)local%s+(.*)$"
  if not head then return text end
  if rest:find "^function%s" then return head .. rest end
  local names <const>, value <const> = rest:match "^([%w_%s,<>]-)(=.*)$"
  if not names then return head .. rest:gsub("<%a+>", "") .. " = nil" end
  return head .. names:gsub("<%a+>", "") .. value
end

---Compiles what was typed, an expression or statements.
---@return function|nil chunk
---@return string? message
---@return boolean? incomplete # more lines may make it whole
local function compile(text, env)
  local source <const> = shell.translate(text) or globalize(text)
  local chunk = load("return " .. source, "=prompt", "t", env)
  if chunk then return chunk end
  local message
  chunk, message = load(source, "=prompt", "t", env)
  if chunk then return chunk end
  return nil, message, message:find "<eof>" ~= nil
end

-- Anything can be raised, even what cannot be printed.
local function text_of(message)
  local printable <const>, text <const> = pcall(tostring, message)
  return printable and text or ("an error that is a %s and has no text"):format(type(message))
end

local function one_line(message)
  local text <const> = text_of(message)
  if text:find "interrupted$" then return "interrupted" end
  return (text:gsub("^prompt:1: ", ""):gsub("^prompt:(%d+): ", "line %1: ")
    :gsub("^[^%s:]*%.lua:%d+: ", ""):gsub("%s*\n%s*", " "))
end

function Session:fail(message)
  io.stdout:write(self.colour("del", one_line(message)), "\n")
end

local function show(self, results)
  printer.print(results, function(line) io.stdout:write(line, "\n") end, self.colour)
end

---Runs one statement; it may raise, be interrupted, or return what cannot be printed.
---@param text string
---@return boolean well
function Session:run(text)
  local chunk <const>, message <const> = compile(text, self.env)
  if not chunk then
    self:fail(message)
    return false
  end
  self.journal:begin(text)
  io.stdout:flush() -- what is started from here may write, too
  local results <const> = table.pack(sys.interruptible(chunk))
  self.journal:finish()
  if not results[1] then
    self:fail(results[2])
    return false
  end
  local printed <const>, why <const> = sys.interruptible(show, self,
    table.pack(table.unpack(results, 2, results.n)))
  if not printed then self:fail(why) end
  self:leave_closed()
  return printed
end

-- Comments and empty lines alone are no statement.
local function is_empty(text)
  return not text:gsub("%-%-[^\n]*", ""):find "%S"
end

---Feeds lines from `next_line` as statements. Interrupted: the statement so far is dropped.
---@param next_line fun(prompt: string): string|false|nil
---@param ended fun(text: string): boolean? called with each statement; true ends it
function Session:feed(next_line, ended)
  local text = ""
  while true do
    local line <const> = next_line(self:prompt(text ~= ""))
    if line == nil then
      if not is_empty(text) then ended(text) end
      return
    end
    text = line and (text == "" and line or text .. "\n" .. line) or ""
    if is_empty(text) then
      if self.echo and text ~= "" then io.stdout:write(text, "\n") end
      text = ""
    elseif select(3, compile(text, self.env)) ~= true then
      if ended(text) then return end
      text = ""
    end
  end
end

function Session:say(text)
  if not self.echo then return end
  local first <const>, rest <const> = text:match "^([^\n]*)\n?(.*)$"
  io.stdout:write(self:prompt(), first, "\n")
  for line in rest:gmatch "[^\n]+" do io.stdout:write(self:prompt(true), line, "\n") end
end

---Runs a file, statement by statement; the first that goes wrong ends it.
---@param path string
---@return string|nil done
---@return string? message
---@return string? code
function Session:source(path)
  local text <const>, message <const>, code <const> = sys.read_stream(path)
  if not text then return nil, message, code end
  local lines <const>, count, well = text:gmatch "([^\n]*)\n?", 0, true
  local current <const> = self.journal.current
  self:feed(function() return lines() end, function(statement)
    count = count + 1
    self:say(statement)
    well = self:run(statement)
    return not well or self.over
  end)
  self.journal.current = current
  if not well then return nil, ("%s: statement %d went wrong, the rest was not run"):format(path,
    count), "EINVAL" end
  return nil
end

---Prompts until the end of input.
---@return boolean well whether no statement ended in an error; a person at a terminal has seen them
function Session:interact()
  local input <const> = reader.new(function(line, from, to)
    local ok <const>, found <const> = pcall(complete.candidates, self.env, line, from, to)
    return ok and found or {}
  end)
  sys.interruptible(function() end) -- from now on an interrupt ends statements only
  if input.terminal then
    local version <const> = require "ecmp.version"
    io.stdout:write(("ecmp %s. help shows what there is; Ctrl-D leaves.\n"):format(version))
  end
  local well = true
  self:feed(function(prompt) return input:line(prompt) end, function(text)
    if not input.terminal then self:say(text) end
    input:remember(text)
    if not self:run(text) then
      well = input.terminal
      input:forget()
    end
    return self.over
  end)
  input:close()
  return well
end

---Ends the session: handles that were made here are closed, and with them what they held.
function Session:close()
  for _, value in pairs(self.env) do
    local mt <const> = type(value) == "table" and getmetatable(value)
    if mt and mt.__name == "ecmp.Lab" then value:close() end
  end
  self.home:close()
end

Session.__close = Session.close

return M
