---Writes and reads protobuf messages field by field; which fields a message has is the caller's
---business (ecmp.store.etcd.kv).
local M = {}

local VARINT <const>, FIXED64 <const>, BYTES <const>, FIXED32 <const> = 0, 1, 2, 5

local function varint(number)
  if number >= 0 and number < 0x80 then return string.char(number) end
  local bytes <const> = {}
  repeat
    local low <const> = number & 0x7f
    number = number >> 7
    bytes[#bytes + 1] = number ~= 0 and low | 0x80 or low
  until number == 0
  return string.char(table.unpack(bytes))
end

---A field that holds a number; nothing for zero, which is what an absent field reads as.
---@param field integer
---@param number integer
---@return string
function M.integer(field, number)
  if number == 0 then return "" end
  return varint(field << 3 | VARINT) .. varint(number)
end

---A field that holds text or a message. It is written also when it is empty: of a message that
---says that it is there.
---@param field integer
---@param text string
---@return string
function M.bytes(field, text)
  return varint(field << 3 | BYTES) .. varint(#text) .. text
end

---@return integer? number, integer at  nil where the text ends first or the number has no end
local function read_varint(text, at)
  local number, shift = 0, 0
  while shift < 70 do
    local byte <const> = text:byte(at)
    if not byte then return nil, at end
    number, at, shift = number | (byte & 0x7f) << shift, at + 1, shift + 7
    if byte < 0x80 then return number, at end
  end
  return nil, at
end

local function read_value(text, at, kind)
  if kind == VARINT then return read_varint(text, at) end
  local size = kind == FIXED64 and 8 or kind == FIXED32 and 4 or nil
  if kind == BYTES then size, at = read_varint(text, at) end
  if not size or size < 0 or size > #text - at + 1 then return nil, at end
  return text:sub(at, at + size - 1), at + size
end

---Reads a message: calls `take(field, value)` for each field in order, with an integer or the bytes
---of it.
---@param text string
---@param take fun(field: integer, value: integer|string)
---@return true? ok  nil where the text is no message
function M.each(text, take)
  local at = 1
  while at <= #text do
    local tag, value
    tag, at = read_varint(text, at)
    if not tag then return nil end
    value, at = read_value(text, at, tag & 7)
    if not value then return nil end
    take(tag >> 3, value)
  end
  return true
end

return M
