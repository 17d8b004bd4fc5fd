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

local function wrong(path, kind, value)
  local shown = type(value) == "string" and ("'%s'"):format(value) or a(type(value))
  if type(value) ~= "string" and type(value) ~= "table" then shown = tostring(value) end
  if type(value) == "table" and #value > 0 then shown = "a list" end
  if type(value) == "table" and #value == 0 then shown = "an object" end
  return nil, ("%s: %s is due here, not %s"):format(path, a(kind), shown), MISTAKE
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
  if math.type(value) ~= "integer" then return wrong(path, "integer", value) end
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

---Whether a decoded JSON value is an object; an empty table without a mark counts as one.
local function is_object(value)
  return type(value) == "table" and #value == 0 and not json.is_array(value)
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or json.is_array(value) or next(value) == nil)
end

function kinds.object(value, path, field)
  if not is_object(value) then return wrong(path, "object", value) end
  if not field.fields then return value end
  return M.read(value, field.fields, path)
end

function kinds.list(value, path, field)
  if not is_list(value) then return wrong(path, "list", value) end
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
