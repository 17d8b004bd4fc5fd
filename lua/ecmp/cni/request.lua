---The request: everything a CNI verb is given, read and judged in the order of the protocol.
--
--     command containerid netns ifname path     the CNI_ variables, "" where not set
--     args          CNI_ARGS by key; `args_text` as it came. `cni.args` judges it
--     stdin, conf   the input, as text and decoded
--     version       conf.cniVersion, "0.1.0" where it names none
--     prev          prevResult in the form of ecmp.cni.result, or nil
--     form          ADD only: how multipath routes are written in the result, "routes" or "gws"
--     valid         GC only: a list of { containerid, ifname }; nil where the runtime gave no list
--     plugin        the type the program was called as, without "ecmp-"
--     dropin        whether that was the bare name of a reference plugin
--     started       when the verb began, of `sys.monotonic`
--     log           where the configuration asks for one (ecmp.cni.log)
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local log = require "ecmp.log"
local names = require "ecmp.cni.names"
local shown = require("ecmp.errors").shown
local version = require "ecmp.cni.version"

local codes <const> = errors.codes
local M = {}

-- The CNI_ variables ----------------------------------------------------------------------------
--
-- A value is judged as soon as it is read, in the order below, and only for verbs that need it; so
-- a bad value is reported rather than a variable that is missing further down. The missing ones are
-- reported all at once.

local function set(...)
  local members <const> = {}
  for _, name in ipairs { ... } do members[name] = true end
  return members
end

-- variable, key in the call, verbs that need it (nil: all; {}: none), check
local variables <const> = {
  { "CNI_COMMAND", "command" },
  { "CNI_CONTAINERID", "containerid", set("ADD", "DEL", "CHECK"), names.check_containerid },
  { "CNI_NETNS", "netns", set("ADD", "CHECK") },
  { "CNI_IFNAME", "ifname", set("ADD", "DEL", "CHECK"), names.check_ifname },
  { "CNI_ARGS", "args_text", set() },
  { "CNI_PATH", "path", set("ADD", "DEL", "CHECK", "GC", "STATUS") },
}

---Reads and judges the environment. Variables that are not set come as "".
---@param getenv fun(name: string): string?
---@return table? env  `{ command, containerid, netns, ifname, args_text, path }`
---@return string? message, integer? code, string? details  nil, message, 4
function M.read(getenv)
  local env <const>, missing <const> = {}, {}
  for _, row in ipairs(variables) do
    local name <const>, key <const>, verbs <const>, check <const> = table.unpack(row)
    local value <const> = getenv(name) or ""
    env[key] = value
    if not verbs or verbs[env.command] then
      if value == "" then
        missing[#missing + 1] = name
      elseif check then
        local ok, message, details = check(value)
        if not ok then return nil, message, codes.environment, details end
      end
    end
  end
  if #missing == 0 then return env end
  return nil, ("required env variables [%s] missing"):format(table.concat(missing, ",")),
    codes.environment
end

-- CNI_ARGS -------------------------------------------------------------------------------------

---Takes CNI_ARGS apart: `K=V;K2=V2`, exactly one `=` in each pair.
---@param text string
---@return table<string, string> pairs those that are well-formed
---@return string? message what is wrong with the first that is not
function M.split_args(text)
  local found <const>, message = {}, nil
  if text == "" then return found end
  for pair in (text .. ";"):gmatch("([^;]*);") do
    local key <const>, value <const> = pair:match("^([^=]*)=([^=]*)$")
    if key then
      found[key] = value
    else
      message = message or ("CNI_ARGS: '%s' is not of the form KEY=VALUE"):format(pair)
    end
  end
  return found, message
end

local truth <const> = { ["1"] = true, ["true"] = true, ["0"] = false, ["false"] = false }

local function strangers(args, known)
  local list <const> = {}
  for key in pairs(args) do
    if not known[key] and key ~= "IgnoreUnknown" then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

---CNI_ARGS for a plugin that knows some of its keys. DEL is never refused for them: it has to free
---what an ADD with better arguments took.
---@param call table
---@param keys string[] the keys that the plugin understands
---@return table<string, string>? args, string? message, integer? code  nil, message, 4
function M.args(call, keys)
  local args <const>, malformed <const> = M.split_args(call.args_text or "")
  if call.command == "DEL" then return args end
  if malformed then return nil, malformed, codes.environment end
  local ignore <const> = truth[(args.IgnoreUnknown or "0"):lower()]
  if ignore == nil then
    return nil, ("CNI_ARGS: IgnoreUnknown: '%s' is neither true nor false")
      :format(args.IgnoreUnknown), codes.environment
  end
  local unknown <const> = ignore and {} or strangers(args, set(table.unpack(keys)))
  if #unknown == 0 then return args end
  return nil, ("CNI_ARGS: unknown args [%s]"):format(table.concat(unknown, ",")), codes.environment
end

-- The configuration on standard input ------------------------------------------------------------

-- More than any configuration; less than what would hurt.
local LARGEST <const> = 16 * 1024 * 1024

---Reads the whole standard input.
---@return string? text, string? message, integer? code
function M.read_stdin()
  local text <const>, message <const> = io.stdin:read(LARGEST + 1)
  if not text and message then
    return nil, "read the configuration from stdin: " .. message, codes.io
  end
  if text and #text > LARGEST then
    return nil, ("configuration: larger than %d bytes"):format(LARGEST), codes.decode
  end
  return text or ""
end

---Decodes a configuration and judges its name, which needs no knowledge of the verb.
---@param text string
---@return table? conf, string? message, integer? code, string? details
function M.parse_conf(text)
  local conf <const>, message <const> = json.decode(text)
  if message then return nil, "configuration: " .. message, codes.decode end
  if json.kind(conf) ~= "object" then
    return nil, "configuration: must be a JSON object", codes.decode
  end
  local name <const> = conf.name
  if name ~= nil and type(name) ~= "string" then
    return nil, "name: must be a string", codes.decode
  end
  if name == nil or name == "" then return nil, "name: must be given", codes.config end
  if not names.is_identifier(name) then
    return nil, "name: has characters that no network name may have", codes.config, name
  end
  return conf
end

---The version of a configuration.
---@param conf table
---@return string? version, string? message, integer? code
function M.conf_version(conf)
  local named <const> = conf.cniVersion
  if named == nil or named == "" then return version.oldest end
  if type(named) == "string" then return named end
  return nil, "cniVersion: must be a string", codes.decode
end

local function go_on(message)
  log.warn("DEL goes on: " .. message)
end

---Settles the version. DEL is not refused for one: what an earlier ADD took must be freed.
---@param call table gets `version`
---@param supported string[]
---@return boolean? ok, string? message, integer? code, string? details
function M.negotiate(call, supported)
  local wanted, message, code, details = M.conf_version(call.conf)
  local ok = wanted
  if wanted then
    ok, message, code, details = version.negotiate(call.command, wanted, supported)
  end
  if not ok and call.command ~= "DEL" then return nil, message, code, details end
  if not ok then
    go_on(details and ("%s: %s"):format(message, details) or message)
    wanted = version.latest
  end
  call.version = wanted
  return true
end

---Reads prevResult into the call.
---@param call table gets `prev`
---@return boolean? ok, string? message, integer? code
function M.read_previous(call)
  if json.get(call.conf, "prevResult") == nil then return true end
  local result <const> = require "ecmp.cni.result"
  local previous <const>, message <const> = result.previous(call.conf, call.version)
  if message and call.command ~= "DEL" then return nil, message, codes.config end
  if message then go_on(message) end
  call.prev = previous
  return true
end

local forms <const> = { routes = true, gws = true }

---Reads the key `result` into the call: how multipath routes are to be written.
---@param call table gets `form`
---@return boolean? ok, string? message, integer? code
function M.read_form(call)
  local form <const> = call.conf.result
  if form ~= nil and not forms[form] then
    return nil, ("result: must be routes or gws, not '%s'"):format(shown(form)), codes.config
  end
  call.form = form or "routes"
  return true
end

local function attachment(entry, path)
  local id <const> = json.kind(entry) == "object" and entry.containerID
  local ifname <const> = json.kind(entry) == "object" and entry.ifname
  if type(id) == "string" and type(ifname) == "string" then
    return { containerid = id, ifname = ifname }
  end
  return nil, ("%s: must be an object with the strings containerID and ifname"):format(path)
end

---Reads the attachments that are alive, for GC. No list (absent or null) is nil and means that
---nothing may be freed; an empty one means that everything is stale.
---@param call table gets `valid`
---@return boolean? ok, string? message, integer? code
function M.read_valid(call)
  local key = "cni.dev/valid-attachments"
  -- The first library with GC used the other name.
  if call.conf[key] == nil then key = "cni.dev/attachments" end
  local list <const> = call.conf[key]
  if list == nil then return true end
  if json.kind(list) ~= "list" then
    return nil, key .. ": must be a list", codes.config
  end
  local valid <const> = {}
  for i, entry in ipairs(list) do
    local one <const>, message <const> = attachment(entry, ("%s[%d]"):format(key, i - 1))
    if not one then return nil, message, codes.config end
    valid[i] = one
  end
  call.valid = valid
  return true
end

---Whether a call is to be served as a reference plugin would: by its name, or under `separate`.
---@param call table
---@return boolean
function M.is_as_reference(call)
  return call.dropin or json.get(call.conf, "merge") == "separate"
end

---Refuses a call whose pod is the plugin's own namespace. One that cannot be opened is not judged
---here: the verb will say what it needs.
---@param call table
---@return boolean? ok, string? message, integer? code
function M.check_netns(call)
  local override <const> = (os.getenv("CNI_NETNS_OVERRIDE") or ""):lower()
  if override == "1" or override == "true" or call.netns == "" then return true end
  local sys <const> = require "ecmp.sys"
  if sys.same_netns("/proc/self/ns/net", call.netns) ~= true then return true end
  return nil, ("CNI_NETNS: %s is the namespace the plugin itself runs in"):format(call.netns),
    codes.netns
end

return M
