---Loads and runs a site's rule scripts in a sandbox process, and checks what they return.
--
--     local script <close> = assert(sandbox.load("/etc/cni/ecmp/rack.lua"))
--     local routes = assert(rule.merge(routes, script, ctx))
--
-- One process serves a script from its loading to its last hook, so that the budget is one for all:
-- that is what a CNI verb may cost, not what a hook may.
local errors = require "ecmp.errors"
local sandbox_child = require "ecmp.sandbox.child"
local log = require "ecmp.log"
local process = require "ecmp.sandbox.process"
local sys = require "ecmp.sys"
local trust = require "ecmp.sandbox.permissions"
local validate = require "ecmp.rule.validate"

local M = {}

-- The codes of a faulty script, and of one that refuses without a code.
local FAULT <const>, MISTAKE <const> = errors.SCRIPT, "EINVAL"

-- A message is for people, and one line.
local LONGEST <const> = 4096

---What a script may use, from loading to closing.
M.BUDGET = { instructions = 10 * 1000 * 1000, memory = 64 << 20, seconds = 0.5 }

local Script <const> = { __name = "ecmp.script" }
Script.__index = Script

---A view as a plain table with the same fields: only values can be sent to the sandbox process.
local function plain(value)
  if type(value) ~= "userdata" and type(value) ~= "table" then return value end
  local copy <const> = {}
  for k, v in pairs(value) do copy[k] = plain(v) end
  return copy
end

local function plain_list(routes)
  local list <const> = {}
  for i, route in ipairs(routes) do
    list[i] = type(route) == "userdata" and plain(route) or route
  end
  return list
end

---The message of a script as one short line of text, whatever its type and bytes.
local function in_words(text)
  local short <const> = tostring(text):sub(1, LONGEST)
  local readable <const> = utf8.len(short) and short or short:gsub("[\128-\255]", "?")
  return (readable:gsub("%c", " "))
end

---Closes a script that has failed: what it left half done is nothing to go on with.
---@return nil, string message, integer code
local function failed(script, message, what)
  script:close()
  if what == "fault" then
    -- `return f(...)` leaves no line of the script behind
    local ours <const> = message:match "^%S-ecmp/[%w_/-]+%.lua:%d+: ()"
    if ours then message = ("%s: %s"):format(script.path, message:sub(ours)) end
    return nil, in_words(message), FAULT
  end
  local why <const> = what == "timeout" and ("took longer than %g s"):format(script.allowed)
    or "its process ended without an answer"
  return nil, ("%s: %s"):format(script.path, why), FAULT
end

local function send(script, request)
  local started <const> = sys.monotonic()
  local sent <const>, message <const>, what <const> = script.child:send(request, script.seconds)
  script.seconds = script.seconds - (sys.monotonic() - started)
  if not sent then return failed(script, message, what) end
  return true
end

local function take_notes(script, list)
  for _, text in ipairs(type(list) == "table" and list or {}) do
    if type(text) == "string" then table.insert(script.notes, in_words(text)) end
  end
end

---@return table? answer, string? message, string? code
local function receive(script)
  local started <const> = sys.monotonic()
  local answer <const>, message <const>, what <const> = script.child:receive(script.seconds)
  script.seconds = script.seconds - (sys.monotonic() - started)
  if type(answer) ~= "table" then return failed(script, message, what) end
  take_notes(script, answer.notes)
  if what == "unfiltered" and not script.hooks then
    log.warn(("%s: this kernel filters no system calls (seccomp): the script is confined by its "
      .. "environment alone"):format(script.path))
  end
  return answer
end

---@return table? answer, string? message, string? code
local function ask(script, request)
  local ok, message, code = script:ready()
  if ok then ok, message, code = send(script, request) end
  if not ok then return nil, message, code end
  return receive(script)
end

---A code that a script gave: CNI's numbers and the system's symbols pass, anything else is EINVAL.
local function known_code(code)
  if math.type(code) == "integer" and code > 0 and code < 1000 then return code end
  if type(code) == "string" and code:find("^E[A-Z0-9]+$") then return code end
  return MISTAKE
end

---A fault with the script's file, and the line of the hook where one is known.
---@return nil, string message, integer code
local function fault(script, answer, message)
  local line <const> = answer.line
  local place <const> = math.type(line) == "integer" and ("%s:%d"):format(script.path, line)
    or script.path
  return nil, ("%s: %s"):format(place, in_words(message)), FAULT
end

---The value of an answer, or why there is none.
local function value_of(script, answer, what)
  if answer.value ~= nil then return answer.value end
  if answer.message == nil then return fault(script, answer, what .. ": returned nothing") end
  local code <const> = known_code(answer.code)
  if code == FAULT then return fault(script, answer, answer.message) end
  return nil, ("%s: %s"):format(script.path, in_words(answer.message)), code
end

-- The sandbox cannot load libraries, and the executable starts without libm: so it is loaded before
-- the fork, where the script's text looks like calculations.
local function preload(text)
  if text:find "[%^%%]" or text:find("math", 1, true) then package.loadlib("libm.so.6", "*") end
end

---Begins to load a rule script; it runs while the caller does something else.
---@param path string
---@param options? table `trusted`: true gives it all of Lua, its budget stays; `merge`: the word
---for what it leaves out, that of `ctx.conf` where left out
---@return table? script to be asked whether it is `ready`, string? message, string? code nil,
---message, "ESCRIPT" where it may not be run
function M.start(path, options)
  local text, message, code = trust.read(path)
  if not text then return nil, message, code end
  options = options or {}
  preload(text)
  local trusted <const> = options.trusted == true
  local child
  child, message = process.start(sandbox_child.new(path, text, trusted, options.merge), {
    path = path, memory = M.BUDGET.memory, instructions = M.BUDGET.instructions,
    quiet = not trusted,
  })
  if not child then return nil, ("%s: %s"):format(path, message), FAULT end
  local script <const> = setmetatable({
    path = path, child = child, allowed = M.BUDGET.seconds, seconds = M.BUDGET.seconds,
    notes = {},
  }, Script)
  local sent
  sent, message, code = send(script, { verb = "load" })
  if not sent then return nil, message, code end
  return script
end

---Loads a rule script.
---@param path string
---@param options? table see `start`
---@return table? script with `path`, `hooks` (a set of names) and `notes` (what it says by
---`rule.note`), string? message, string? code  nil, message with file and line, "ESCRIPT"
function M.load(path, options)
  local script, message, code = M.start(path, options)
  if script then script, message, code = script:ready() end
  return script, message, code
end

---Waits until the script is loaded.
---@return table? script itself, with `hooks`, string? message, string? code nil, message with file
---and line, "ESCRIPT"
function Script:ready()
  if self.hooks then return self end
  local answer <const>, message <const>, code <const> = receive(self)
  if not answer then return nil, message, code end
  self.hooks = type(answer.hooks) == "table" and answer.hooks or {}
  return self
end

---Runs the hooks `routes`, `key` and `merge`.
---@param routes table[]
---@param ctx? table what rules see beside the routes; values only
---@return table[]? routes, string? message, integer|string|nil code nil, message; "ESCRIPT"
---for a fault of the script, "EINVAL" or its own code where it refuses
---@return table[]? trace for each group what came in and what went out, `{ came, goes }`
function Script:run(routes, ctx, with_trace)
  local answer, message, code = ask(self, {
    verb = "merge", routes = plain_list(routes), ctx = ctx or {}, trace = with_trace,
  })
  if not answer then return nil, message, code end
  local merged
  merged, message, code = value_of(self, answer, "merge")
  if not merged then return nil, message, code end
  -- The sandbox process has checked this, but a hostile script may control it.
  merged, message = validate.answer(merged, "merge", ctx and ctx.links)
  if not merged then return fault(self, answer, message) end
  return merged, nil, nil, answer.trace
end

---The same as `run`, with the trace that previews show.
---@param routes table[]
---@param ctx? table
---@return table[]? routes, string? message, integer|string|nil code, table[]? trace
function Script:explain(routes, ctx)
  return self:run(routes, ctx, true)
end

---Runs the hook `plan`; without one the plan stays as it is.
---@param plan table `{ addresses, routes, sysctls }`, as `ecmp plan --json` prints it
---@param ctx? table
---@return table? plan, string? message, integer|string|nil code
function Script:plan(plan, ctx)
  local answer, message, code = self:ready()
  if not answer then return nil, message, code end
  if not self.hooks.plan then return plan end
  answer, message, code = ask(self, { verb = "plan", plan = plan, ctx = ctx or {} })
  if not answer then return nil, message, code end
  local changed
  changed, message, code = value_of(self, answer, "plan")
  if not changed then return nil, message, code end
  changed, message = validate.plan(changed, plan, ctx and ctx.links)
  if not changed then return fault(self, answer, message) end
  return changed
end

---Asks what is to become of a gateway that is missed; without the hook it is withdrawn.
---@param event table `{ gateway, dev, network, segment, state = "down" }`
---@param ctx? table
---@return "withdraw"|"keep"|nil answer, string? message, integer|string|nil code
function Script:on_change(event, ctx)
  local answer, message, code = ask(self, { verb = "on_change", event = event, ctx = ctx or {} })
  if not answer then return nil, message, code end
  local value
  value, message, code = value_of(self, answer, "on_change")
  if value == nil then return nil, message, code end
  if value ~= "withdraw" and value ~= "keep" then
    return fault(self, answer, ("on_change: 'withdraw' or 'keep' is due here, not %s")
      :format(type(value) == "string" and "'" .. value .. "'" or "a " .. type(value)))
  end
  return value
end

---Ends the script's process without waiting until the system has cleared it away.
function Script:finish()
  self.child:kill()
end

---Ends the script's process; twice is fine.
function Script:close()
  self.child:close()
end

Script.__close = Script.close

return M
