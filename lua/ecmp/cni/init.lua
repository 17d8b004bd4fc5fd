---What makes a table of verbs a CNI plugin.
--
--     local cni = require "ecmp.cni"
--     cni.main {
--       add = function(call) return { ips = { { address = "10.0.0.2/24" } } } end,
--       del = function(call) end,
--     }
--
-- Verbs are `add`, `del`, `check`, `gc` and `status`; one that is missing succeeds. Each gets the
-- call (see ecmp.cni.request). `add` returns a result (see ecmp.cni.result); the others return
-- nothing that matters. Every verb may refuse by `return nil, message, code, details`, or from any
-- depth by `cni.refuse`; anything else that is thrown is a fault of the program, code 999.
--
-- While a verb runs, `print` and `io.write` go to stderr: stdout is for one JSON object.
--
-- Runtimes ask every plugin for its VERSION, often; so what that does not need is loaded later.
local errors = require "ecmp.cni.errors"
local version = require "ecmp.cni.version"

local codes <const> = errors.codes
local M = {}

M.codes = codes

-- For plugins ----------------------------------------------------------------------------------

local function refuse(code, message, details)
  error(errors.new(code, message, details), 0)
end

local function is_code(code)
  return math.type(code) == "integer" or type(code) == "string" and code:find("^E[A-Z0-9]+$")
end

---Ends the verb with an error. Arguments that are none, swapped ones say, raise as a fault.
---@param code integer|string a CNI number (`cni.codes`) or a symbol like "EBUSY"
---@param message string
---@param details? string
function M.refuse(code, message, details)
  if not is_code(code) then
    error(("cni.refuse: the code must be a CNI number or a symbol like \"EBUSY\", not %s%s"):format(
      type(code) == "string" and "'" .. code .. "'" or require("ecmp.errors").shown(code),
      is_code(message) and " (code and message are swapped)" or ""), 2)
  elseif message == nil then
    error("cni.refuse: the message must be given", 2)
  end
  refuse(code, message, details)
end

---`assert` for functions that return `nil, message, code`: the code reaches the runtime.
---@param value any
---@param message? string
---@param code? integer|string
---@param details? string
---@return any ... what it was given
function M.try(value, message, code, details, ...)
  if value then return value, message, code, details, ... end
  return refuse(code, message or "unknown error", details)
end

---`try` for functions of a plugin, which have succeeded when they return nothing.
---@param value any
---@param message? string
---@param code? integer|string
---@param details? string
---@return any value
function M.done(value, message, code, details)
  if value or message == nil then return value end
  return refuse(code, message, details)
end

---CNI_ARGS by key, for a plugin that knows these; see `ecmp.cni.request`.
---@param call table
---@param keys string[]
---@return table<string, string>? args, string? message, integer? code  nil, message, 4
function M.args(call, keys)
  return require("ecmp.cni.request").args(call, keys)
end

---The previous result, or a refusal where there is none.
---@param call table
---@return table result
function M.need_prev(call)
  if call.prev then return call.prev end
  return M.refuse(codes.config, "prevResult: required prevResult missing")
end

---A value of `runtimeConfig`, else of `args.cni`: a value for this pod alone.
---@param call table
---@param key string
---@return any value, string? path how to call it in messages
function M.pod_value(call, key)
  local json <const> = require "ecmp.json"
  for _, path in ipairs { { "runtimeConfig" }, { "args", "cni" } } do
    local value = call.conf
    for _, step in ipairs(path) do
      value = json.kind(value) == "object" and json.get(value, step) or nil
    end
    value = json.kind(value) == "object" and json.get(value, key) or nil
    if value ~= nil then return value, table.concat(path, ".") .. "." .. key end
  end
end

-- Running verbs --------------------------------------------------------------------------------

---Runs a verb of another of our plugins in this process, with the same input.
---@param verbs table the plugin's table
---@param call table the caller's own call
---@param command? string the verb, the call's own when left out
---@param plugin? string the type to call it as
---@return any result what the verb returned, true where it returned nothing
---@return string? message, integer? code, string? details
function M.invoke(verbs, call, command, plugin)
  return require("ecmp.cni.run").invoke(verbs, call, command, plugin)
end

local provided <const> = {}

---Makes a plugin known that others may run in this process. Who starts the process does so.
---@param plugin string the type, without a prefix where it goes by that, too
---@param load fun(): table returns its verbs
function M.provide(plugin, load)
  provided[plugin] = load
end

---The verbs of a plugin that was made known.
---@param plugin string the type, without a prefix
---@return table? verbs
function M.provided(plugin)
  return provided[plugin] and provided[plugin]()
end

-- A plugin --------------------------------------------------------------------------------------

---Runs a plugin once, as the environment and stdin ask.
---@param verbs table|fun(): table the verbs, or what returns them: only called when one is to run
---@param options? table `{ versions, about, plugin, dropin, before_add }`: supported versions
---(all), the line that a call without CNI_COMMAND prints, the type called as, whether by a
---reference plugin's name, what is to be called with the call of an ADD before that is run
---@return integer status 0, or 1 after printing an error object
function M.run(verbs, options)
  local given <const> = options or {}
  local supported <const> = given.versions or version.all
  local message <const> = type(verbs) ~= "function" and require("ecmp.cni.run").wrong_verbs(verbs)
  if message then error(message, 2) end
  local command <const> = os.getenv("CNI_COMMAND") or ""
  if command == "VERSION" then
    local written <const> = io.stdout:write(version.text(supported)) and io.stdout:flush()
    return written and 0 or 1
  elseif command == "" and given.about then
    io.stderr:write(("%s\nCNI protocol versions supported: %s\n")
      :format(given.about, table.concat(supported, ", ")))
    return 0
  end
  return require("ecmp.cni.run").run(verbs, {
    versions = supported, plugin = given.plugin, dropin = given.dropin or false,
    before_add = given.before_add,
  })
end

---`run`, and ends the process with its status: the last line of a plugin that is a script.
---@param verbs table
---@param options? table
function M.main(verbs, options)
  local message <const> = type(verbs) ~= "function" and require("ecmp.cni.run").wrong_verbs(verbs)
  if message then error(message, 2) end
  os.exit(M.run(verbs, options), true)
end

return M
