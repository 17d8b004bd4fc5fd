---Checks the names of containers, networks and interfaces.
local M = {}

-- Bytes that there is room for in an interface's name, and in a second name of an interface.
local NAME_LENGTH <const>, ALTNAME_LENGTH <const> = 15, 127

---Container ids and network names share their alphabet.
---@param text string
---@return boolean
function M.is_identifier(text)
  return text:find("^[%w][%w_.%-]*$") ~= nil
end

---Whether a container may be called that.
---@param value string
---@return true? ok, string? message, string? details
function M.check_containerid(value)
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

return M
