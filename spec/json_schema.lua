--- Checks a value against a JSON Schema, as far as ours go: a word that is not known here is an
--- error, so that no schema passes for being misunderstood.
local json = require "ecmp.json"

local M = {}

local kinds <const> = { array = "list" }
local check

local function resolve(reference, root)
  local value = root
  for step in reference:match "^#/(.*)$":gmatch "[^/]+" do
    value = assert(value[step], reference)
  end
  return value
end

local function fits(value, schema, root)
  return check(value, schema, root) == nil
end

-- Each word returns what is wrong, or nil.
local words <const> = {}

for _, word in ipairs { "$schema", "title", "description", "definitions", "then", "else" } do
  words[word] = function() end
end

words["$ref"] = function(value, reference, _, root)
  return check(value, resolve(reference, root), root)
end

function words.type(value, wanted)
  if wanted == "integer" then
    return json.integer(value) == nil and "is no integer" or nil
  end
  return json.kind(value) ~= (kinds[wanted] or wanted) and "is no " .. wanted or nil
end

function words.enum(value, list)
  for _, word in ipairs(list) do
    if word == value then return nil end
  end
  return "is none of the words"
end

function words.minimum(value, low)
  local number <const> = json.integer(value)
  return number and number < low and "is too small" or nil
end

function words.maximum(value, high)
  local number <const> = json.integer(value)
  return number and number > high and "is too large" or nil
end

-- Our patterns mean the same in Lua.
function words.pattern(value, pattern)
  return type(value) == "string" and not value:find(pattern) and "does not match" or nil
end

function words.required(value, keys)
  for _, key in ipairs(json.kind(value) == "object" and keys or {}) do
    if value[key] == nil then return key .. ": is missing" end
  end
end

function words.properties(value, properties, _, root)
  for key, item in pairs(json.kind(value) == "object" and value or {}) do
    local wrong <const> = properties[key] and check(item, properties[key], root)
    if wrong then return ("%s: %s"):format(key, wrong) end
  end
end

-- False, or what all properties are like that are not named.
function words.additionalProperties(value, rest, schema, root)
  local named <const> = schema.properties or {}
  for key, item in pairs(json.kind(value) == "object" and value or {}) do
    if not named[key] then
      local wrong <const> = rest == false and "is unknown" or rest and check(item, rest, root)
      if wrong then return ("%s: %s"):format(key, wrong) end
    end
  end
end

function words.items(value, one, _, root)
  for i, item in ipairs(json.kind(value) == "list" and value or {}) do
    local wrong <const> = check(item, one, root)
    if wrong then return ("[%d]: %s"):format(i, wrong) end
  end
end

function words.minItems(value, least)
  return json.kind(value) == "list" and #value < least and "has too few elements" or nil
end

function words.allOf(value, list, _, root)
  for _, one in ipairs(list) do
    local wrong <const> = check(value, one, root)
    if wrong then return wrong end
  end
end

function words.anyOf(value, list, _, root)
  for _, one in ipairs(list) do
    if fits(value, one, root) then return nil end
  end
  return "is nothing of what it may be"
end

words["if"] = function(value, condition, schema, root)
  local branch <const> = schema[fits(value, condition, root) and "then" or "else"]
  return branch and check(value, branch, root)
end

function check(value, schema, root)
  for word, argument in pairs(schema) do
    local test <const> = words[word] or error(("'%s' is no word known here"):format(word))
    local wrong <const> = test(value, argument, schema, root)
    if wrong then return wrong end
  end
end

--- What is wrong with a value, or nil.
---@param value any decoded JSON
---@param schema table
---@return string?
function M.check(value, schema)
  return check(value, schema, schema)
end

return M
