---One run of a plugin as a process: from the environment and stdin to what is printed.
--
-- With ecmp.cni.request, the only place that touches a plugin's environment, stdin and stdout.
local calls = require "ecmp.cni.call"
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local log = require "ecmp.log"
local request = require "ecmp.cni.request"
local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"
local version = require "ecmp.cni.version"

local codes <const> = errors.codes
local M = {}

local function outcome_of(called, value, message, code, details)
  if not called then return nil, value end
  if value or message == nil then return value or true end
  return nil, errors.new(code, message, details)
end

---Runs one verb of a table.
---@param verbs table
---@param call table
---@return any value true where the verb returns none, table? err  nil and an error object
function M.perform(verbs, call)
  local verb <const> = verbs[call.command:lower()]
  if not verb then return true end
  return outcome_of(xpcall(verb, errors.caught, call))
end

---Runs a verb of another of our plugins in this process, with the same input.
---@param verbs table the plugin's table
---@param call table the caller's own call
---@param command? string the verb, the call's own when left out
---@param plugin? string the type to call it as
---@return any result what the verb returned, true where it returned nothing
---@return string? message, integer? code, string? details
function M.invoke(verbs, call, command, plugin)
  local inner <const> = calls.inner(call, {
    command = command or call.command, plugin = plugin or call.plugin,
  })
  local value <const>, err <const> = M.perform(verbs, inner)
  if not err then
    if inner.command ~= "ADD" then calls.keep(inner) end -- closes its handles
    return value
  end
  calls.take_back(inner)
  return nil, err.msg, err.code, err.details
end

local VERBS <const> = { add = true, del = true, check = true, gc = true, status = true }

---What is wrong with a table of verbs: a verb that is misspelt would never be called.
---@param verbs any
---@return string? message nil where nothing is
function M.wrong_verbs(verbs)
  if type(verbs) ~= "table" then
    return ("a table of verbs is due here, not %s"):format(type(verbs))
  end
  for name in next, VERBS do
    local verb <const> = verbs[name]
    if verb ~= nil and type(verb) ~= "function" then
      return ("%s: must be a function, not %s"):format(name, type(verb))
    end
  end
  for name in next, verbs do
    local near <const> = type(name) == "string" and not VERBS[name] and rtnl.nearest(VERBS, name)
    if near then return ("%s: unknown verb (did you mean '%s'?)"):format(name, near) end
  end
end

-- Checks before a verb runs, in this order; each may refuse.
local steps <const> = {
  ADD = { request.check_netns, request.read_form, request.read_previous },
  DEL = { request.check_netns, request.read_previous },
  CHECK = { request.read_previous },
  GC = { request.read_valid },
  STATUS = {},
}

---Makes a call that a verb may see.
local function prepare(call, supported)
  local ok, message, code, details = request.negotiate(call, supported)
  if not ok then return nil, errors.new(code, message, details) end
  for _, step in ipairs(steps[call.command]) do
    ok, message, code = step(call)
    if not ok then return nil, errors.new(code, message) end
  end
  return true
end

---Reads the input of a verb into the call.
local function read_input(call)
  local text <const>, message <const>, code <const> = request.read_stdin()
  if not text then return nil, errors.new(code, message) end
  local conf <const>, wrong <const>, wrong_code <const>, details <const> = request.parse_conf(text)
  if not conf then return nil, errors.new(wrong_code, wrong, details) end
  call.stdin, call.conf = text, conf
  if steps[call.command] then return true end
  return nil, errors.new(codes.environment, "unknown CNI_COMMAND: " .. call.command)
end

-- Takes back an ADD: what it changed through its call, then all that its attachment has, or what it
-- took where the plugin knows.
local function take_back(verbs, call)
  calls.take_back(call)
  local _, message, err
  if verbs.give_back then
    _, err = outcome_of(xpcall(verbs.give_back, errors.caught, call))
    message = err and err.msg
  else
    _, message = M.invoke(verbs, call, "DEL")
  end
  if message then log.warn("undo of a failed ADD: " .. message) end
end

---The document of an ADD's result. One that cannot be written is an ADD that failed: it is undone.
local function document_of(call, value, verbs)
  local result <const> = require "ecmp.cni.result"
  local document, message
  if type(value) == "table" then
    document, message = result.write(value, call.version, call.form)
  else
    message = "the plugin's add returned no result"
  end
  if document then return document end
  take_back(verbs, call)
  return nil, errors.new(codes.internal, message)
end

-- Loaded by those alone who keep a log.
local function open_log(call)
  if json.get(call.conf, "logFile") == nil and json.get(call.conf, "logLevel") == nil then
    return true
  end
  local message
  call.log, message = require("ecmp.cni.log").open(call.conf, call.started)
  if not message then return true end
  if call.command ~= "DEL" then return nil, errors.new(codes.config, message) end
  log.warn("DEL goes on: " .. message)
  return true
end

---Everything between the environment and what is printed.
---@return string? output, table? err, function? undo  for an output that cannot be printed
local function answer(call, source, options)
  local ok, err = read_input(call)
  if ok then ok, err = open_log(call) end
  if ok then ok, err = prepare(call, options.versions) end
  if not ok then return nil, err end
  if call.command == "ADD" and options.before_add then options.before_add(call) end
  local verbs <const> = type(source) == "function" and source() or source
  local value
  value, err = M.perform(verbs, call)
  if err then
    calls.take_back(call)
    return nil, err
  end
  if call.command ~= "ADD" then return "" end
  value, err = document_of(call, value, verbs)
  if not value then return nil, err end
  local function undo() take_back(verbs, call) end
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
---@return table scope
function M.guard_stdout()
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
  local call, message, code, details = request.read(os.getenv)
  if not call then return nil, errors.new(code, message, details) end
  call.started = sys.monotonic()
  call.args = request.split_args(call.args_text)
  call.plugin = options.plugin
  call.dropin = options.dropin
  return calls.new(call)
end

---Prints what came of a call. Written past the C library's buffer: a reader that has gone must be
---an error, not a signal, so that an ADD nobody heard of can be undone.
---@return table? err the error object that the call ended with
local function print_outcome(call, output, err, undo)
  if err then output = json.encode(errors.document(err, error_version(call)), { indent = 4 }) end
  local written, message, code = true, nil, nil
  if output ~= "" then written, message, code = sys.write_fd(1, output) end
  if written then
    calls.keep(call)
    return err
  end
  log.warn(message)
  if undo then undo() end
  return err or errors.new(code, message)
end

---Prints what came of a call, and logs it; the exit status.
local function finish(call, warnings, ...)
  local err <const> = print_outcome(call, ...)
  if call.log then call.log:finish(call, err, warnings) end
  return err and 1 or 0
end

---Runs a plugin, but for VERSION.
---@param verbs table|fun(): table the verbs, or what returns them: only called when one is to run
---@param options table `{ versions, plugin, dropin, before_add? }`
---@return integer status 0, or 1 after printing an error object
function M.run(verbs, options)
  local _ <close> = M.guard_stdout()
  local warnings <const> = {}
  local _ <close> = log.listen(function(text) warnings[#warnings + 1] = text end)
  local call <const>, refused <const> = begin(options)
  if not call then return finish({}, warnings, nil, refused) end
  local ran <const>, output <const>, err <const>, undo <const> =
    xpcall(answer, errors.caught, call, verbs, options)
  if not ran then
    calls.take_back(call)
    return finish(call, warnings, nil, output)
  end
  return finish(call, warnings, output, err, undo)
end

return M
