---The call: everything a CNI verb is given, read and judged in the order of the protocol.
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
local env = require "ecmp.cni.request"
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local version = require "ecmp.cni.version"

local codes <const> = errors.codes
local M = {}

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
  if not env.is_identifier(name) then
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

local function log(message)
  io.stderr:write(("ecmp: DEL goes on: %s\n"):format(message))
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
    log(details and ("%s: %s"):format(message, details) or message)
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
  if message then log(message) end
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
    return nil, ("result: must be routes or gws, not '%s'"):format(tostring(form)), codes.config
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
