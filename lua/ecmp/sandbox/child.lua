---The sandbox's child: the environment that a rule script sees, and the answers of its hooks.
--
-- This runs in a process of its own, a copy of the caller's state. What it changes here (the string
-- metatable is locked, say) is changed for nobody else.
local errors = require "ecmp.errors"
local ip = require "ecmp.ip"
local notes = require "ecmp.rule.note"
local rtnl = require "ecmp.rtnl"
local rule = require "ecmp.rule"

local M = {}

local FAULT <const> = errors.SCRIPT

local HOOKS <const> = { key = true, merge = true, routes = true, plan = true, on_change = true }

local BASE <const> = {
  "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall",
  "_VERSION",
}
local LIBRARIES <const> = { "coroutine", "math", "string", "table", "utf8" }
-- Modules that a script may require, loaded before: nothing can be loaded inside the sandbox.
local MODULES <const> = { ["ecmp.rule"] = rule, ["ecmp.ip"] = ip }

local function copy(from)
  local to <const> = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

---Copies for the script, so that what it changes in them does not reach our own rules and blocks.
local given <const> = {}

local function pure_require(name)
  if not MODULES[name] then
    error(("require '%s': rules may require ecmp.rule and ecmp.ip only")
      :format(errors.shown(name)), 2)
  end
  if not given[name] then
    given[name] = setmetatable(copy(MODULES[name]), getmetatable(MODULES[name]))
  end
  return given[name]
end

local function no_print()
  error("print: rules print nothing; they return values or raise an error", 2)
end

---The pure parts of Lua: nothing that reaches the machine, makes code of text, or sees the state.
local function pure_environment()
  rawset(string, "dump", nil)
  getmetatable("").__metatable = false
  -- The same numbers each time, so that what a preview showed is what happens. Nobody seeds anew:
  -- without arguments that would be by the clock.
  math.randomseed(1)
  rawset(math, "randomseed", nil)
  local env <const> = { require = pure_require, print = no_print }
  for _, name in ipairs(BASE) do env[name] = _G[name] end
  for _, name in ipairs(LIBRARIES) do env[name] = copy(_G[name]) end
  env._G = env
  return env
end

---All of Lua, but for what would lift the budgets: the hook that counts, and the collector, which
---must not finish the objects of the process that this one was copied from.
local function trusted_environment()
  rawset(debug, "sethook", nil)
  rawset(_G, "collectgarbage", function(what) return what == "count" and 0.0 or 0 end)
  return _G
end

---A hook with its name misspelt would never be called, and nobody would notice.
local function check_names(script)
  for name in pairs(script) do
    local near <const> = type(name) == "string" and rtnl.nearest(HOOKS, name)
    if near and near ~= name then
      error(("%s: unknown hook (did you mean '%s'?)"):format(name, near), 0)
    end
  end
end

local function read_hooks(script)
  if type(script) ~= "table" then
    error(("a rule script returns a table of hooks, not %s"):format(
      script == nil and "nothing" or "a " .. type(script)), 0)
  end
  check_names(script)
  local hooks <const> = {}
  for name in pairs(HOOKS) do
    local hook <const> = script[name]
    if hook ~= nil and type(hook) ~= "function" then
      error(("%s: a function is due here, not a %s"):format(name, type(hook)), 0)
    end
    hooks[name] = hook
  end
  return hooks
end

---What the caller asks for, by name. Each takes the request and returns the answer, both plain.
local verbs <const> = {}

function verbs.load(script)
  local env <const> = script.trusted and trusted_environment() or pure_environment()
  local chunk, message = load(script.text, "@" .. script.path, "t", env)
  if not chunk then error(message, 0) end
  script.hooks = read_hooks(chunk())
  local names <const> = {}
  for name in pairs(script.hooks) do names[name] = true end
  return { hooks = names }
end

local getinfo <const> = debug.getinfo

---The line at which a hook begins, which is where to look when what it returned is no good.
local function line_of(script, name)
  local hook <const> = script.hooks[name]
  local found <const> = hook and getinfo(hook, "S")
  return found and found.source == "@" .. script.path and found.linedefined or nil
end

-- Routes have `hops` in scripts, too: what came from another process is plain.
local function with_hops(routes)
  for _, route in ipairs(routes or {}) do rtnl.fields(route) end
end

function verbs.merge(script, request)
  with_hops(request.routes)
  with_hops(request.ctx and request.ctx.current)
  local trace <const> = request.trace and {} or nil
  local routes, message, code = rule.merge(request.routes, script.hooks, request.ctx,
    { trace = trace, nonsense = FAULT, word = script.word })
  local line <const> = code == FAULT and line_of(script, message:match "^%a*") or nil
  return { value = routes, message = message, code = code, line = line, trace = trace }
end

function verbs.plan(script, request)
  local plan, message, code = script.hooks.plan(request.plan, request.ctx)
  return { value = plan, message = message, code = code, line = line_of(script, "plan") }
end

function verbs.on_change(script, request)
  local hook <const> = script.hooks.on_change
  if not hook then return { value = "withdraw" } end
  local value, message, code = hook(request.event, request.ctx)
  return { value = value, message = message, code = code, line = line_of(script, "on_change") }
end

---Makes the function that a sandbox process calls for a script.
---@param path string what faults are put down to
---@param text string its source
---@param trusted boolean
---@param word? string the word for what it leaves out
---@return fun(request: table): table
function M.new(path, text, trusted, word)
  local script <const> = { path = path, text = text, trusted = trusted, word = word }
  return function(request)
    local said <const> = {}
    local _ <close> = notes.collect(said)
    local answer <const> = verbs[request.verb](script, request)
    answer.notes = said
    return answer
  end
end

return M
