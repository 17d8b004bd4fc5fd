---Checks objects of a network configuration against a table of fields.
--
-- A field is `{ key, kind, ... }`; what else it may say belongs to its kind:
--
--     { "merge", "word", words = { "ecmp", "separate" } }
--     { "mtu", "integer", min = 0, max = 65535 }
--     { "multipath", "object", fields = { ... } }
--     { "delroutes", "list", item = { "", "object", fields = { ... } } }
--
-- A kind may also be a function, `kind(value, path, field) -> value | nil, message`.
--
-- Keys match as the reference plugins match them (any case), null is absence, and what no field
-- names is not looked at: other plugins of the chain may own it.
local json = require "ecmp.json"

local M = {}

-- The CNI error code for a mistake in the configuration.
local MISTAKE <const> = 7

local kinds = {}

local function a(kind)
  return (kind:find("^[aeiou]") and "an " or "a ") .. kind
end

-- What is there instead: the value itself where it is short, else its kind.
local function shown(value)
  local kind <const> = json.kind(value)
  if kind == "string" then return ("'%s'"):format(value) end
  return (kind == "object" or kind == "list") and a(kind) or tostring(value)
end

local function wrong(path, kind, value)
  return nil, ("%s: %s is due here, not %s"):format(path, a(kind), shown(value)), MISTAKE
end

function kinds.string(value, path)
  if type(value) ~= "string" then return wrong(path, "string", value) end
  return value
end

function kinds.boolean(value, path)
  if type(value) ~= "boolean" then return wrong(path, "boolean", value) end
  return value
end

function kinds.integer(value, path, field)
  local why
  value, why = json.integer(value)
  if not value then return nil, ("%s: %s"):format(path, why), MISTAKE end
  local low <const>, high <const> = field.min or math.mininteger, field.max or math.maxinteger
  if value < low or value > high then
    return nil, ("%s: %d is outside %d..%d"):format(path, value, low, high), MISTAKE
  end
  return value
end

function kinds.word(value, path, field)
  if type(value) ~= "string" then return wrong(path, "string", value) end
  for _, word in ipairs(field.words) do
    if value == word then return value end
  end
  local known <const> = table.concat(field.words, ", ")
  return nil, ("%s: unknown word '%s'; known are %s"):format(path, value, known), MISTAKE
end

function kinds.object(value, path, field)
  if json.kind(value) ~= "object" then return wrong(path, "object", value) end
  if not field.fields then return value end
  return M.read(value, field.fields, path)
end

function kinds.list(value, path, field)
  if json.kind(value) ~= "list" then return wrong(path, "list", value) end
  local checked <const> = {}
  for i, item in ipairs(value) do
    local one, message, code = M.value(item, field.item, ("%s[%d]"):format(path, i))
    if message then return nil, message, code end
    checked[i] = one
  end
  return checked
end

---Either of two shapes: `{ key, "either", list = field, other = field }`.
function kinds.either(value, path, field)
  return M.value(value, type(value) == "table" and field.list or field.other, path)
end

---Checks one value against a field, whatever its key.
---@param value any
---@param field table
---@param path string what to call the value in a message
---@return any value, string? message, integer? code  the checked value; nil, message, 7
function M.value(value, field, path)
  local kind <const> = field[2]
  local check <const> = type(kind) == "function" and kind or kinds[kind]
  local checked, message = check(value, path, field)
  if message then return nil, message, MISTAKE end
  return checked
end

---Reads the fields of an object into a new table under their exact keys.
---@param object table a decoded JSON object
---@param list table[] fields
---@param path? string what to call the object in a message
---@return table? checked, string? message, integer? code  nil, message, 7 at the first mistake
function M.read(object, list, path)
  local checked <const> = {}
  for _, field in ipairs(list) do
    local key <const> = field[1]
    local value <const> = json.get(object, key)
    if value ~= nil then
      local name <const> = path and path .. "." .. key or key
      local one, message, code = M.value(value, field, name)
      if message then return nil, message, code end
      checked[key] = one
    elseif field.required then
      return nil, ("%s: must be given"):format(path and path .. "." .. key or key), MISTAKE
    else
      checked[key] = field.default
    end
  end
  return checked
end

return M
