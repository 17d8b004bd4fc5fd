---What makes a table of verbs a CNI plugin.
--
--     local cni = require "ecmp.cni"
--     cni.main {
--       add = function(call) return { ips = { { address = "10.0.0.2/24" } } } end,
--       del = function(call) end,
--     }
--
-- Verbs are `add`, `del`, `check`, `gc` and `status`; one that is missing succeeds. Each gets the
-- call (see ecmp.cni.call). `add` returns a result (see ecmp.cni.result); the others return nothing
-- that matters. Every verb may refuse by `return nil, message, code, details`, or from any depth by
-- `cni.refuse`; anything else that is thrown is a fault of the program, code 999.
--
-- This is the only place that touches a plugin's stdin, stdout and exit status. While a verb runs,
-- `print` and `io.write` go to stderr: stdout is for one JSON object.
local calls = require "ecmp.cni.call"
local env = require "ecmp.cni.env"
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local version = require "ecmp.cni.version"

local codes <const> = errors.codes
local M = {}

M.codes = codes

-- For plugins ----------------------------------------------------------------------------------

---Ends the verb with an error.
---@param code integer|string a CNI number (`cni.codes`) or a symbol like "EBUSY"
---@param message string
---@param details? string
function M.refuse(code, message, details)
  error(errors.new(code, message, details), 0)
end

---`assert` for functions that return `nil, message, code`: the code reaches the runtime.
---@param value any
---@param message? string
---@param code? integer|string
---@param details? string
---@return any ... what it was given
function M.try(value, message, code, details, ...)
  if value then return value, message, code, details, ... end
  M.refuse(code, message or "unknown error", details)
end

---CNI_ARGS by key, for a plugin that knows these; see `ecmp.cni.env`.
M.args = env.args

---The previous result, or a refusal where there is none.
---@param call table
---@return table result
function M.need_prev(call)
  if call.prev then return call.prev end
  return M.refuse(codes.config, "prevResult: required prevResult missing")
end

---A value of `runtimeConfig`, else of `args.cni`: what was said for this pod alone.
---@param call table
---@param key string
---@return any value, string? path how to call it in messages
function M.pod_value(call, key)
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

---A thrown value becomes an error object; a fault of the program keeps its traceback.
local function caught(thrown)
  if errors.is(thrown) then return thrown end
  return errors.new(codes.internal, "internal error: " .. tostring(thrown), debug.traceback("", 2))
end

local function settle(called, value, message, code, details)
  if not called then return nil, value end
  if value or message == nil then return value or true end
  return nil, errors.new(code, message, details)
end

---Runs one verb of a table; its value (true where it returns none), or nil and an error object.
local function perform(verbs, call)
  local verb <const> = verbs[call.command:lower()]
  if not verb then return true end
  return settle(xpcall(verb, caught, call))
end

---Runs a verb of another of our plugins in this process, with the same input.
---@param verbs table the plugin's table
---@param call table the caller's own call
---@param command? string the verb, the call's own when left out
---@param plugin? string the type to call it as
---@return any result what the verb returned, true where it returned nothing
---@return string? message, integer? code, string? details
function M.invoke(verbs, call, command, plugin)
  local inner <const> = {}
  for key, value in pairs(call) do inner[key] = value end
  inner.command = command or call.command
  inner.plugin = plugin or call.plugin
  local value <const>, err <const> = perform(verbs, inner)
  if not err then return value end
  return nil, err.msg, err.code, err.details
end

-- A plugin -------------------------------------------------------------------------------------

local verbs_known <const> = { ADD = true, DEL = true, CHECK = true, GC = true, STATUS = true }

---Steps between an environment and a call that a verb may see; each may refuse.
local function prepare(call, supported)
  local ok, message, code, details = calls.negotiate(call, supported)
  if ok and (call.command == "ADD" or call.command == "DEL") then
    ok, message, code = calls.check_netns(call)
  end
  if ok then ok, message, code = calls.read_previous(call) end
  if ok and call.command == "GC" then ok, message, code = calls.read_valid(call) end
  if ok then return true end
  return nil, errors.new(code, message, details)
end

---Reads the input of a verb into the call.
local function read_input(call)
  local text <const>, message <const>, code <const> = calls.read_stdin()
  if not text then return nil, errors.new(code, message) end
  local conf <const>, wrong <const>, wrong_code <const>, details <const> = calls.parse_conf(text)
  if not conf then return nil, errors.new(wrong_code, wrong, details) end
  call.stdin, call.conf = text, conf
  if verbs_known[call.command] then return true end
  return nil, errors.new(codes.environment, "unknown CNI_COMMAND: " .. call.command)
end

---The document of an ADD's result. One that cannot be written is an ADD that failed: it is undone.
local function document_of(call, value, verbs)
  local result <const> = require "ecmp.cni.result"
  local document, message
  if type(value) == "table" then
    local form <const> = json.get(call.conf, "result")
    document, message = result.write(value, call.version, form == "gws" and form or "routes")
  else
    message = "the plugin's add returned no result"
  end
  if document then return document end
  M.invoke(verbs, call, "DEL")
  return nil, errors.new(codes.internal, message)
end

local function about(options)
  io.stderr:write(("%s\nCNI protocol versions supported: %s\n")
    :format(options.about, table.concat(options.versions, ", ")))
  return 0
end

---Everything between the environment and what is printed.
---@return string? output, table? err, function? undo  for an output that cannot be printed
local function answer(call, source, options)
  if call.command == "VERSION" then
    return json.encode(version.document(options.versions)) .. "\n"
  end
  local ok, err = read_input(call)
  if ok then ok, err = prepare(call, options.versions) end
  if not ok then return nil, err end
  local verbs <const> = type(source) == "function" and source() or source
  local value
  value, err = perform(verbs, call)
  if err then return nil, err end
  if call.command ~= "ADD" then return "" end
  value, err = document_of(call, value, verbs)
  if not value then return nil, err end
  local function undo() M.invoke(verbs, call, "DEL") end
  return json.encode(value, { indent = 4 }), nil, undo
end

local function to_stderr(...)
  local words <const> = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  io.stderr:write(table.concat(words, "\t"), "\n")
end

---A function that runs a shell command, with the command's stdout sent to stderr.
local function redirected(run)
  return function(command, ...)
    return run(command and "exec 1>&2\n" .. command, ...)
  end
end

---Sends what verbs print, themselves or by a command they run, to stderr until the returned value
---is closed. (What `io.popen` reads is a pipe of its own and stays one.)
local function guard_stdout()
  local saved <const> = {
    print = print, stdout = io.stdout, output = io.output(), execute = os.execute, popen = io.popen,
  }
  rawset(_G, "print", to_stderr)
  io.output(io.stderr)
  rawset(io, "stdout", io.stderr)
  rawset(os, "execute", redirected(saved.execute))
  local popen_writing <const> = redirected(saved.popen)
  rawset(io, "popen", function(command, mode)
    return (mode == "w" and popen_writing or saved.popen)(command, mode)
  end)
  return setmetatable({}, { __close = function()
    rawset(_G, "print", saved.print)
    io.output(saved.output)
    rawset(io, "stdout", saved.stdout)
    rawset(os, "execute", saved.execute)
    rawset(io, "popen", saved.popen)
  end })
end

---The version to put into an error object: the configuration's where it is one.
local function error_version(call)
  local named <const> = call.conf and call.conf.cniVersion
  return type(named) == "string" and version.family(named) and named or version.latest
end

---Reads the environment into a call.
local function begin(options)
  local call, message, code, details = env.read(os.getenv)
  if not call then return nil, errors.new(code, message, details) end
  call.args = env.split_args(call.args_text)
  call.plugin = options.plugin
  call.dropin = options.dropin
  return call
end

---Prints what came of a call; the exit status. Written past the C library's buffer: a reader that
---has gone must be an error, not a signal, so that an ADD nobody heard of can be undone.
local function finish(call, output, err, undo)
  if err then output = json.encode(errors.document(err, error_version(call)), { indent = 4 }) end
  if output == "" then return 0 end
  local written <const>, message <const> = require("ecmp.sys").write_fd(1, output)
  if written then return err and 1 or 0 end
  io.stderr:write(("ecmp: %s\n"):format(message))
  if undo then undo() end
  return 1
end

---Runs a plugin once, as the environment and stdin ask.
---@param verbs table|fun(): table the verbs, or what returns them: only called when one is to run
---@param options? table `{ versions, about, plugin, dropin }`: supported versions (all), the line
---that a call without CNI_COMMAND prints, the type called as, whether by a reference plugin's name
---@return integer status 0, or 1 after printing an error object
function M.run(verbs, options)
  local given <const> = options or {}
  options = {
    versions = given.versions or version.all, about = given.about,
    plugin = given.plugin, dropin = given.dropin or false,
  }
  if options.about and (os.getenv("CNI_COMMAND") or "") == "" then return about(options) end
  local _ <close> = guard_stdout()
  local call <const>, refused <const> = begin(options)
  if not call then return finish({}, nil, refused) end
  local ran <const>, output <const>, err <const>, undo <const> =
    xpcall(answer, caught, call, verbs, options)
  if not ran then return finish(call, nil, output) end
  return finish(call, output, err, undo)
end

---`run`, and ends the process with its status: the last line of a plugin that is a script.
---@param verbs table
---@param options? table
function M.main(verbs, options)
  os.exit(M.run(verbs, options), true)
end

return M
