---Checks for decoded JSON, as values that are put together.
--
-- A check is `function(value, path) -> value | nil, message`: it returns the value in its one
-- canonical form, nil alone where the value counts as absent, or nil and a sentence that begins
-- with the path, in which elements count from 0, as in JSON. Records keep the keys nobody asked
-- about: other plugins, or a later version of the specification, may own them.
--
-- What a check wants can be asked of it (`describe`), in the words of JSON Schema: the reference of
-- configuration keys is made from the very checks that refuse a mistake.
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local names = require "ecmp.cni.names"
local shown = require("ecmp.errors").shown

local M = {}

-- What each check wants, by check.
local described <const> = setmetatable({}, { __mode = "k" })

---Notes what a check of one's own wants, for `describe`.
---@param description table in the words of JSON Schema, and with checks in place of schemas:
---`like` what that check wants, `any` what one of several does, `of` the elements of a list,
---`fields` those of a record
---@param check function
---@return function check
function M.as(description, check)
  described[check] = description
  return check
end

---A check of a module that is loaded when there is a value to check: for a key that few
---configurations have.
---@param module table what `ecmp.later` returns
---@param name string of the check in the module
---@return function check
function M.later(module, name)
  return M.as({ later = { module, name } }, function(value, path)
    return module[name](value, path)
  end)
end

local function a(kind)
  return (kind:find("^[aeiou]") and "an " or "a ") .. kind
end

---A check for one kind of JSON value.
local function kind_check(wanted)
  return M.as({ type = wanted == "list" and "array" or wanted }, function(value, path)
    local kind <const> = json.kind(value)
    if kind == wanted then return value end
    return nil, ("%s: must be %s, not %s"):format(path, a(wanted), a(kind))
  end)
end

M.string = kind_check("string")
M.boolean = kind_check("boolean")
M.object = kind_check("object")
M.array = kind_check("list")

---An integer within bounds.
---@param low? integer
---@param high? integer
---@return function check
function M.integer(low, high)
  return M.as({ type = "integer", minimum = low, maximum = high }, function(value, path)
    local number <const>, why <const> = json.integer(value)
    if not number then return nil, ("%s: %s"):format(path, why) end
    if low and number < low or high and number > high then
      return nil, ("%s: %d is not between %d and %d"):format(path, number, low, high)
    end
    return number
  end)
end

---One of several words.
---@param words string[]
---@return function check
function M.word(words)
  return M.as({ enum = words }, function(value, path)
    for _, word in ipairs(words) do
      if value == word then return value end
    end
    return nil, ("%s: must be one of %s, not '%s'")
      :format(path, table.concat(words, ", "), shown(value))
  end)
end

---Reads an address with or without a prefix length, as `lengthy` says.
local function read_ip(value, path, lengthy)
  local text <const>, wrong <const> = M.string(value, path)
  if wrong then return nil, wrong end
  local parsed <const>, why <const> = ip.parse(text)
  if not parsed then return nil, ("%s: %s"):format(path, why) end
  if lengthy == (text:find("/", 1, true) ~= nil) then return tostring(parsed) end
  return nil, ("%s: '%s' %s"):format(path, text,
    lengthy and "has no prefix length" or "has a prefix length, an address alone is due here")
end

---An IP address without a length; "" counts as absent. Comes out in canonical text.
---@param value any
---@param path string
---@return string? address, string? message
function M.address(value, path)
  if value == "" then return nil end
  return read_ip(value, path, false)
end
M.as({ type = "string", pattern = "^[0-9A-Fa-f:.]*$" }, M.address)

---An address with a prefix length; bits beyond the length stay.
---@param value any
---@param path string
---@return string? prefix, string? message
function M.prefix(value, path)
  return read_ip(value, path, true)
end
M.as({ type = "string", pattern = "^[0-9A-Fa-f:.]+/[0-9]+$" }, M.prefix)

local function interface_check(is_there)
  return M.as({ type = "string" }, function(value, path)
    local text <const>, wrong <const> = M.string(value, path)
    if wrong then return nil, wrong end
    if text == "" then return nil end
    local ok <const>, message <const> = names.check_interface(text, path, is_there)
    return ok and text, message
  end)
end

---The name of an interface that is to be made; "" counts as absent.
M.new_interface = interface_check(false)
---The name of an interface that is there, by any of its names; "" counts as absent.
M.interface = interface_check(true)

-- What IPv4 works with at least, and what the kernel's interfaces take at most.
local LEAST_MTU <const>, MOST_MTU <const> = 68, 65535

local mtu_number <const> = M.integer(0, MOST_MTU)

---An MTU; 0 leaves it to the kernel.
M.mtu = M.as({ like = mtu_number }, function(value, path)
  local mtu <const>, message <const> = mtu_number(value, path)
  if not mtu or mtu == 0 or mtu >= LEAST_MTU then return mtu, message end
  return nil, ("%s: %d is less than the %d that IPv4 needs"):format(path, mtu, LEAST_MTU)
end)

---A list, each element checked. Null elements are refused by the element's check.
---@param check function
---@return function check
function M.list(check)
  return M.as({ type = "array", of = check }, function(value, path)
    -- An empty table that a script made carries no mark and may be meant as a list.
    if json.kind(value) ~= "list" and not (type(value) == "table" and next(value) == nil) then
      return M.array(value, path)
    end
    local checked <const> = json.array()
    for i = 1, #value do
      local item <const>, message <const> = check(value[i], ("%s[%d]"):format(path, i - 1))
      if message then return nil, message end
      checked[#checked + 1] = item
    end
    return checked
  end)
end

local function join(path, key)
  return path == "" and key or path .. "." .. key
end

---The value that an object has for each known key, and its other keys as they are.
local function sort_keys(object, folded)
  local known <const>, others <const> = {}, {}
  for key, value in next, object do
    local name <const> = type(key) == "string" and folded[key:lower()]
    if name then
      known[name] = json.get(object, name)
    else
      others[key] = value
    end
  end
  return known, others
end

-- A field that has no check (a misspelt one, say) would raise in the middle of an ADD.
local function check_fields(fields, level)
  for i, field in ipairs(fields) do
    if type(field) ~= "table" or type(field[1]) ~= "string" then
      error(("fields[%d]: must be { key, check }"):format(i), level)
    end
    if type(field[2]) ~= "function" then
      error(("fields[%d]: the check of '%s' must be a function, not %s"):format(i, field[1],
        field[2] == nil and "nothing" or "a " .. type(field[2])), level)
    end
  end
end

---An object with known keys, matched in any case.
---@param fields table[] `{ key, check, required = boolean? }`
---@return function check
function M.record(fields)
  check_fields(fields, 3)
  local folded <const> = {}
  for _, field in ipairs(fields) do folded[field[1]:lower()] = field[1] end
  return M.as({ type = "object", fields = fields }, function(value, path)
    local object <const>, wrong <const> = M.object(value, path)
    if wrong then return nil, wrong end
    local known <const>, checked <const> = sort_keys(object, folded)
    for _, field in ipairs(fields) do
      local key <const> = field[1]
      local item, message
      if known[key] ~= nil then item, message = field[2](known[key], join(path, key)) end
      if message then return nil, message end
      if item == nil and field.required then
        return nil, ("%s: must be given"):format(join(path, key))
      end
      checked[key] = item
    end
    return setmetatable(checked, getmetatable(object))
  end)
end

-- What a check was extended from.
local bases <const> = setmetatable({}, { __mode = "k" })

---A check of a plugin's own keys beside those of the one it is made from:
---`fields = schema.extend(bridge.fields, { { "neighbours", schema.object } })`.
---@param base function a check of an object
---@param fields table[] as `record` takes them
---@return function check
function M.extend(base, fields)
  if type(base) ~= "function" then
    error(("schema.extend: the first must be a check, not a %s"):format(type(base)), 2)
  end
  check_fields(fields, 3)
  local own <const> = M.record(fields)
  local check <const> = M.as({ both = { base, own } }, function(value, path)
    local checked <const>, message <const> = base(value, path)
    if message then return nil, message end
    return own(checked, path)
  end)
  bases[check] = base
  return check
end

---Whether a check is another one, or was extended from it.
---@param check function
---@param base function
---@return boolean
function M.extends(check, base)
  while check and check ~= base do check = bases[check] end
  return check == base
end

-- Describing -----------------------------------------------------------------------------------

local function describe_fields(fields)
  local properties <const>, required <const> = {}, json.array()
  for _, field in ipairs(fields) do
    properties[field[1]] = M.describe(field[2])
    if field.required then required[#required + 1] = field[1] end
  end
  return properties, #required > 0 and required or nil
end

-- What stands for schemas in a note, and the words it is said in.
local expand <const> = {
  like = function(check) return M.describe(check) end,
  later = function(one) return M.describe(one[1][one[2]]) end,
  of = function(check) return { items = M.describe(check) } end,
  any = function(checks)
    local list <const> = json.array()
    for i, check in ipairs(checks) do list[i] = M.describe(check) end
    return { anyOf = list }
  end,
  both = function(checks)
    local schema <const> = { type = "object", properties = {}, required = json.array() }
    for _, check in ipairs(checks) do
      local part <const> = M.describe(check)
      for key, value in pairs(part.properties) do schema.properties[key] = value end
      table.move(part.required or {}, 1, #(part.required or {}), #schema.required + 1,
        schema.required)
    end
    if #schema.required == 0 then schema.required = nil end
    return schema
  end,
  fields = function(fields)
    local properties <const>, required <const> = describe_fields(fields)
    return { properties = properties, required = required }
  end,
}

---The keys of the object that a check wants.
---@param check function
---@return table<string, function|table> keys for each the check of what it holds, or a JSON Schema
---where a check of one's own is described by one; raises where a check was never described
function M.keys(check)
  local noted <const>, keys <const> = described[check] or error("check: nobody described it", 2), {}
  for key, schema in pairs(noted.properties or {}) do keys[key] = schema end
  for _, field in ipairs(noted.fields or {}) do keys[field[1]] = field[2] end
  for _, part in ipairs(noted.both or { noted.like }) do
    for key, inner in pairs(M.keys(part)) do keys[key] = inner end
  end
  return keys
end

---What a check wants, as a JSON Schema.
---@param check function
---@return table schema  raises where a check was never described
function M.describe(check)
  local schema <const> = {}
  for word, noted in pairs(described[check] or error("check: nobody described it", 2)) do
    for key, value in pairs(expand[word] and expand[word](noted) or { [word] = noted }) do
      schema[key] = value
    end
  end
  return schema
end

return M
