---Runs other plugins: any executable on CNI_PATH, with the caller's own input.
--
-- A delegate's error object is passed on as it is, code included. One that prints nothing
-- fails with code 0, "unknown". Its stderr goes to ours in every case.
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local log = require "ecmp.log"
local result = require "ecmp.cni.result"
local sys = require "ecmp.sys"

local codes <const> = errors.codes
local M = {}

---How long a delegate may take, in seconds; then its whole process group is killed.
M.timeout = 60

---Finds a plugin's executable: the first regular file of that name in the directories of CNI_PATH.
---@param name string
---@param path string directories with colons between
---@return string? file, string? message, integer? code
function M.find(name, path)
  if name == "" or name:find("/", 1, true) then
    return nil, ("plugin type '%s' is no file name"):format(name), codes.config
  end
  if (path or "") == "" then
    return nil, ("find plugin %s: CNI_PATH is empty"):format(name), codes.internal
  end
  for directory in path:gmatch("[^:]+") do
    local file <const> = directory .. "/" .. name
    local found <const> = sys.stat(file)
    if found and found.type == "file" then return file end
  end
  return nil, ("find plugin %s: not in any directory of CNI_PATH (%s)"):format(name, path),
    codes.internal
end

-- Counts how many of our plugins have called each other, so that a loop of them ends.
local DEPTH <const>, DEEPEST <const> = "ECMP_DELEGATIONS", 8

local function depth()
  return math.tointeger(tonumber(os.getenv(DEPTH))) or 0
end

-- The call's own values come before the environment's: a call may have been made by hand.
local function environment(call, command)
  local ours <const> = {
    CNI_COMMAND = command, CNI_CONTAINERID = call.containerid, CNI_NETNS = call.netns,
    CNI_IFNAME = call.ifname, CNI_ARGS = call.args_text, CNI_PATH = call.path,
    [DEPTH] = tostring(depth() + 1),
  }
  local list <const> = {}
  for _, entry in ipairs(sys.environ()) do
    if not ours[entry:match("^[^=]*")] then list[#list + 1] = entry end
  end
  for name, value in pairs(ours) do list[#list + 1] = name .. "=" .. value end
  return list
end

---The error object that a delegate printed, else nil.
local function reported(text)
  local document <const> = json.decode(text)
  if json.kind(document) ~= "object" then return nil end
  local message <const> = json.get(document, "msg")
  local details <const> = json.get(document, "details")
  if type(message) ~= "string" or message == "" then return nil end
  local code <const> = json.integer(json.get(document, "code"))
  return errors.new(code or codes.unknown, message, type(details) == "string" and details or nil)
end

local function trimmed(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

---The error of a delegate that failed and printed no error object.
local function last_words(outcome)
  if outcome.stdout:find("%S") then
    return ("it printed '%s', which is no CNI error"):format(trimmed(outcome.stdout))
  end
  if outcome.stderr:find("%S") then return trimmed(outcome.stderr) end
  if outcome.signal then return ("killed by signal %d"):format(outcome.signal) end
  return ("exit status %d"):format(outcome.status)
end

---Runs one executable; true and its stdout, or what it failed with.
local function execute(file, call, name, command)
  if depth() >= DEEPEST then
    return nil, ("plugin %s, %s: plugins have called each other %d times over; does one name "
      .. "itself?"):format(name, command, DEEPEST), codes.config
  end
  local outcome <const>, message <const> = sys.spawn {
    argv = { file }, env = environment(call, command), stdin = call.stdin,
    timeout = M.timeout, stderr = "capture",
  }
  local what <const> = ("plugin %s, %s: "):format(name, command)
  if not outcome then return nil, what .. message, codes.unknown end
  if outcome.stderr ~= "" then io.stderr:write(outcome.stderr) end
  if outcome.timedout then
    return nil, ("%sno answer within %g seconds"):format(what, M.timeout), codes.again
  end
  if outcome.status == 0 then return outcome.stdout end
  local err <const> = reported(outcome.stdout)
  if err then return nil, err.msg, err.code, err.details end
  return nil, what .. last_words(outcome), codes.unknown
end

---Reads what a delegate printed after an ADD. `null`, `{}` and an error object that nobody
---admitted to by its exit status are empty results.
local function read_result(text, call, name)
  local document, message = json.decode(text)
  if text:find("^%s*null%s*$") then document, message = {}, nil end
  local parsed
  if not message then
    local is_error <const> = json.get(document, "msg") and not json.get(document, "cniVersion")
    parsed, message = result.parse(is_error and {} or document, call.version)
  end
  if parsed then return parsed end
  return nil, ("plugin %s, ADD: %s"):format(name, message), codes.internal
end

---Runs a verb of another plugin with the call's own input and environment, CNI_COMMAND replaced.
---@param call table
---@param name string the plugin's type
---@param command? string the verb, the call's own when left out
---@return table|boolean|nil result of an ADD in the form of `ecmp.cni.result`, else true
---@return string? message, integer? code, string? details
function M.run(call, name, command)
  command = command or call.command
  local file <const>, missing <const>, missing_code <const> = M.find(name, call.path)
  if not file then return nil, missing, missing_code end
  local output <const>, message <const>, code <const>, details <const> =
    execute(file, call, name, command)
  if not output then return nil, message, code, details end
  if command ~= "ADD" then return true end
  return read_result(output, call, name)
end

---ADD by another plugin. When it fails the plugin is run once more with DEL, as the specification
---asks, so that nothing half-made stays behind; a failure of that is only logged.
---@param call table
---@param name string the plugin's type
---@return table? result, string? message, integer? code, string? details
function M.add(call, name)
  local added <const>, message <const>, code <const>, details <const> = M.run(call, name, "ADD")
  if added then return added end
  if M.find(name, call.path) then
    local deleted <const>, why <const> = M.run(call, name, "DEL")
    if not deleted then log.warn("undo of a failed ADD: " .. why) end
  end
  return nil, message, code, details
end

return M
