---The CNI_ variables: which a verb needs, what may be in them, and CNI_ARGS.
--
-- A value is judged as soon as it is read, in the order below, and only for verbs that need it; so
-- a bad value is reported rather than a variable that is missing further down. The missing ones are
-- reported all at once.
local errors = require "ecmp.cni.errors"

local codes <const> = errors.codes
local M = {}

-- Bytes that there is room for in an interface's name, and in a second name of an interface.
local NAME_LENGTH <const>, ALTNAME_LENGTH <const> = 15, 127

---Container ids and network names share their alphabet.
---@param text string
---@return boolean
function M.is_identifier(text)
  return text:find("^[%w][%w_.%-]*$") ~= nil
end

local function check_containerid(value)
  if M.is_identifier(value) then return true end
  return nil, "CNI_CONTAINERID: has characters that no container id may have", value
end

-- White space by Unicode, as raw bytes.
local spaces <const> = { " ", "\t", "\n", "\v", "\f", "\r" }
for _, point in ipairs { 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 } do
  spaces[#spaces + 1] = utf8.char(point)
end
for point = 0x2000, 0x200A do spaces[#spaces + 1] = utf8.char(point) end

local function has_any(text, list)
  for _, piece in ipairs(list) do
    if text:find(piece, 1, true) then return true end
  end
  return false
end

-- What no name of an interface may have; the rule is the kernel's, and in part CNI's.
local function check_characters(value, key)
  if value == "." or value == ".." then
    return nil, ("%s: '%s' is no interface name"):format(key, value)
  end
  if value:find("[/:]") or has_any(value, spaces) then
    return nil, ("%s: '%s' has a slash, a colon or white space in it"):format(key, value)
  end
  return true
end

---Whether a pod's interface may be called that.
---@param value string
---@return true?, string? message, string? details
function M.check_ifname(value)
  if #value <= NAME_LENGTH then return check_characters(value, "CNI_IFNAME") end
  return nil, ("CNI_IFNAME: '%s' is too long"):format(value),
    "an interface name must be less than 16 bytes long"
end

---Whether an interface can be called that, made by us or there already.
---@param value string
---@param key string what to call it in messages
---@param is_there boolean? whether the interface exists, so that a second name of it will do
---@return true? ok, string? message
function M.check_interface(value, key, is_there)
  local most <const> = is_there and ALTNAME_LENGTH or NAME_LENGTH
  if #value > most then
    return nil, ("%s: '%s' has %d bytes, a name has at most %d"):format(key, value, #value, most)
  end
  -- The kernel makes a number of `%d`.
  if value:find("%", 1, true) then
    return nil, ("%s: '%s' has a per cent sign in it"):format(key, value)
  end
  return check_characters(value, key)
end

local function set(...)
  local members <const> = {}
  for _, name in ipairs { ... } do members[name] = true end
  return members
end

-- variable, key in the call, verbs that need it (nil: all; {}: none), check
local variables <const> = {
  { "CNI_COMMAND", "command" },
  { "CNI_CONTAINERID", "containerid", set("ADD", "DEL", "CHECK"), check_containerid },
  { "CNI_NETNS", "netns", set("ADD", "CHECK") },
  { "CNI_IFNAME", "ifname", set("ADD", "DEL", "CHECK"), M.check_ifname },
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

return M
