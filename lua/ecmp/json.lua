---JSON as CNI needs it: what came in goes out again, digit for digit.
--
-- lua-cjson parses; this module looks at the text first, because cjson alone loses things that
-- matter here: integers become floats (2^53 loses digits, 0 turns into 0.0), `[]` and `{}` become
-- the same table, `5.0` and `5` look alike, and it takes control characters in strings, `1.` and
-- anything after a NUL. Go's decoder, which the reference plugins use, is the model otherwise.
--
-- Values: objects and lists are tables, integers of 64 bits are Lua integers, every other number
-- is a wrapper around its literal (`json.integer` says why it is none). A key whose value is null
-- is left out unless asked for; in a list null stays as `json.null`, so that positions do not
-- shift. Objects answer to their keys in any case, as Go's structs do: an exact match first, and
-- among several that only differ in case the one that sorts last. Of an exact duplicate the last
-- one listed wins.
local cjson = require "cjson"

local M = {}

---The deepest nesting that is read or written. Go stops at 10000; no CNI document passes 20.
M.max_depth = 256

---A null inside a list. No field of an object is this unless `decode` was asked to keep them.
M.null = cjson.null

-- Settings live in this instance; whoever else requires cjson is not affected.
local parser <const> = cjson.new()
parser.decode_invalid_numbers(false)
parser.decode_max_depth(M.max_depth)

local array_mt <const> = { __name = "json array" }
local number_mt <const> = { __name = "json number" }
local object_mt <const> = { __name = "json object" }

function number_mt:__tostring() return self.text end
function number_mt.__eq(a, b) return a.text == b.text end

---Finds a key by its folded form. Runs on a miss only, so exact keys cost nothing.
function object_mt.__index(object, key)
  if type(key) ~= "string" then return nil end
  local folded <const> = key:lower()
  local found
  for name in next, object do
    if type(name) == "string" and #name == #key and name:lower() == folded
      and (not found or name > found) then
      found = name
    end
  end
  return found and rawget(object, found)
end

---Marks a table as a list, so that it is written `[]` when it is empty.
---@param list? table a new one when left out
---@return table list the same table
function M.array(list)
  return setmetatable(list or {}, array_mt)
end

---Whether a table is marked as a list. Lists with elements need no mark; see `json.kind`.
---@param value any
---@return boolean
function M.is_array(value)
  return getmetatable(value) == array_mt
end

---What JSON calls a value.
---@param value any
---@return string kind object, list, string, boolean, integer, number or null
function M.kind(value)
  local kind <const> = type(value)
  if kind == "number" then return math.type(value) == "integer" and "integer" or "number" end
  if value == nil or value == M.null then return "null" end
  if kind ~= "table" then return kind end
  local mt <const> = getmetatable(value)
  if mt == number_mt then return "number" end
  return (mt == array_mt or rawget(value, 1) ~= nil) and "list" or "object"
end

---Reads a field of an object the way Go matches keys: exactly, else in any case.
---@param object table
---@param key string
---@return any value nil when absent, and when `object` is no table
function M.get(object, key)
  if type(object) ~= "table" then return nil end
  local value <const> = rawget(object, key)
  if value ~= nil then return value end
  return object_mt.__index(object, key)
end

-- Whether a literal is a number by JSON's grammar, which strtod is wider than.
local function is_literal(text)
  local rest = text:match("^%-?0(.*)$") or text:match("^%-?[1-9]%d*(.*)$")
  rest = rest and (rest:match("^%.%d+(.*)$") or rest)
  return rest ~= nil and (rest == "" or rest:find("^[eE][-+]?%d+$") ~= nil)
end

-- A value in a message: an address in memory is of no use to a reader.
local function shown(value)
  local kind <const> = type(value)
  return (kind == "table" or kind == "function") and "a " .. kind or tostring(value)
end

---Makes a number of its literal: a Lua integer where that prints back the same, else a wrapper.
---@param text string
---@return integer|table
function M.number(text)
  if type(text) ~= "string" or not is_literal(text) then
    error(("json.number: '%s' is no JSON number"):format(shown(text)), 2)
  end
  local value <const> = tonumber(text)
  if math.type(value) == "integer" and text ~= "-0" then return value end
  return setmetatable({ text = text }, number_mt)
end

local function a(kind)
  return (kind:find("^[aeiou]") and "an " or "a ") .. kind
end

---Takes a value that must be an integer, as Go takes one: `5.0`, `1e3` and `"5"` are none.
---@param value any
---@return integer? value, string? why  nil and the end of a sentence: "must be an integer, not 5.0"
function M.integer(value)
  if math.type(value) == "integer" then return value end
  if getmetatable(value) == number_mt then
    if value.text == "-0" then return 0 end
    if value.text:find("^%-?%d+$") then
      return nil, value.text .. " does not fit into 64 bits"
    end
    return nil, "must be an integer, not " .. value.text
  end
  if type(value) == "number" then return nil, "must be an integer, not " .. tostring(value) end
  if type(value) == "string" then
    return nil, ("must be an integer, not the string '%s'"):format(value)
  end
  return nil, "must be an integer, not " .. a(M.kind(value))
end

-- Reading --------------------------------------------------------------------------------------

local REPLACEMENT <const> = "\u{FFFD}"

---Replaces each byte that is not part of valid UTF-8, as Go does.
local function repair_utf8(text)
  local parts <const> = {}
  local from = 1
  repeat
    local length <const>, bad <const> = utf8.len(text, from)
    parts[#parts + 1] = text:sub(from, length and #text or bad - 1)
    if not length then parts[#parts + 1] = REPLACEMENT end
    from = length and #text + 1 or bad + 1
  until from > #text
  return table.concat(parts)
end

---Replaces surrogate escapes that have no partner, which cjson refuses and Go replaces.
local function repair_surrogates(text)
  -- Pairs step aside behind a byte that valid text has no raw, then come back.
  text = text:gsub("\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", "\1%1\1%2")
  text = text:gsub("\\u[dD][89a-fA-F]%x%x", "\\ufffd")
  return (text:gsub("\1", "\\u"))
end

-- After this every string is `"[^"]*"`: an escaped quote and backslash are spelt as \u escapes.
local plain_escapes <const> = { ['\\"'] = "\\u0022", ["\\\\"] = "\\u005c" }

---Brings text into the form that the patterns below rely on.
---@return string? text, string? unquoted, string? why  `unquoted` is the text without its strings
local function prepare(text)
  if text:sub(1, 3) == "\u{FEFF}" then return nil, nil, "starts with a byte order mark" end
  if not text:find("[^ \t\r\n]") then return nil, nil, "is empty" end
  if not utf8.len(text) then text = repair_utf8(text) end
  if text:find("\\", 1, true) then text = text:gsub('\\["\\]', plain_escapes) end
  local unquoted <const> = text:gsub('"[^"\0-\31]*"', "")
  if unquoted:find('"', 1, true) then
    return nil, nil, "has a string that does not end, or a control character in one"
  end
  -- cjson takes a NUL for the end and never sees what follows.
  if unquoted:find("\0", 1, true) then return nil, nil, "has a NUL outside its strings" end
  if text:find("\\u[dD][89a-fA-F]") then text = repair_surrogates(text) end
  return text, unquoted
end

local function has_empty_list(unquoted)
  local at = unquoted:find("[", 1, true)
  while at do
    if unquoted:find("^[ \t\r\n]*%]", at + 1) then return true end
    at = unquoted:find("[", at + 1, true)
  end
  return false
end

---Whether cjson alone would lose something: a fraction, an exponent, a negative zero, an empty
---list. Searches for single bytes come first: they cost next to nothing.
local function is_lossy(unquoted)
  return unquoted:find(".", 1, true) or unquoted:find("E", 1, true)
    or unquoted:find("e", 1, true) and unquoted:find("%de")
    or unquoted:find("-0", 1, true) or has_empty_list(unquoted)
end

-- Up to here a double holds every integer.
local EXACT <const> = 2 ^ 53

---Turns a result of cjson into our values, in place: integers, no nulls, folding keys.
---@return boolean exact false when a number was too large for cjson
local function restore(value, nulls)
  local exact = true
  for key, item in next, value do
    local kind <const> = type(item)
    if kind == "table" then
      exact = restore(item, nulls) and exact
    elseif kind == "number" then
      exact = exact and item < EXACT and item > -EXACT
      value[key] = math.tointeger(item)
    elseif kind == "userdata" and type(key) == "string" and not nulls then
      value[key] = nil
    end
  end
  if value[1] == nil then setmetatable(value, object_mt) end
  return exact
end

-- The careful way: strings, numbers and empty lists are marked by a first byte that `mark`
-- puts in front of them, so nothing in the text itself can be taken for a mark.
local STRING <const>, NUMBER <const>, EMPTY <const> = "s", "n", "e"

local function mark(text)
  local bad
  local function number(literal)
    -- Numbers that cjson keeps, words, and nonsense which cjson will refuse, stay as they are.
    if #literal < 16 and literal:find("^[1-9]%d*$") or not literal:find("%d") then return nil end
    bad = bad or (not is_literal(literal) and literal) or nil
    return '"' .. NUMBER .. literal .. '"'
  end
  local marked <const> = text:gsub('([^"]*)("?)([^"]*"?)', function(outside, quote, rest)
    outside = outside:gsub("[-+.%w]+", number):gsub("%[%s*%]", '["' .. EMPTY .. '"]')
    return outside .. (quote == "" and "" or '"' .. STRING) .. rest
  end)
  return marked, bad
end

local settle_marked

local function settle_item(item, nulls)
  local kind <const> = type(item)
  if kind == "table" then return settle_marked(item, nulls) end
  if kind == "number" then return math.tointeger(item) end
  if kind ~= "string" then return item end
  local first <const>, rest <const> = item:sub(1, 1), item:sub(2)
  return first == NUMBER and M.number(rest) or rest
end

function settle_marked(value, nulls)
  if value[1] == EMPTY then return M.array() end
  if value[1] ~= nil then
    for i, item in ipairs(value) do value[i] = settle_item(item, nulls) end
    return value
  end
  local object <const> = {}
  for key, item in next, value do
    if nulls or item ~= M.null then object[key:sub(2)] = settle_item(item, nulls) end
  end
  return setmetatable(object, object_mt)
end

-- cjson's words for what it met, and ours.
local token_words <const> = {
  T_END = "the end", T_COLON = "':'", T_COMMA = "','",
  T_OBJ_BEGIN = "'{'", T_OBJ_END = "'}'", T_ARR_BEGIN = "'['", T_ARR_END = "']'",
  T_STRING = "a string", T_NUMBER = "a number", T_BOOLEAN = "a boolean", T_NULL = "null",
}

---Puts an error of cjson into words. A position in rewritten text would mislead, so it is left out.
local function explain(message, rewritten)
  if message:find("too many nested") then
    return ("is nested more than %d levels deep"):format(M.max_depth)
  end
  message = message:gsub("T_[%u_]+", token_words):gsub("^Expected", "expected")
  if rewritten then message = message:gsub(" at character %d+$", "") end
  return "is invalid: " .. message
end

local function parse(ready, rewritten)
  local parsed <const>, value = pcall(parser.decode, ready)
  if parsed then return value end
  return nil, explain(value, rewritten)
end

---Reads text with the marks of `mark` in it.
local function read_marked(ready, nulls)
  local marked <const>, bad <const> = mark(ready)
  if bad then return nil, ("is invalid: '%s' is no number"):format(bad) end
  local value <const>, why <const> = parse(marked, true)
  if why then return nil, why end
  return settle_item(value, nulls)
end

---Reads the text as it is, where cjson loses nothing; where it turns out that it did, once more.
local function read_plain(ready, rewritten, nulls)
  local value <const>, why <const> = parse(ready, rewritten)
  if why then return nil, why end
  if type(value) == "table" then
    if restore(value, nulls) then return value end
  elseif type(value) ~= "number" then
    return value
  end
  return read_marked(ready, nulls)
end

---Reads a whole document.
---@param text string
---@param nulls? boolean keep fields of objects that are null, as `json.null`
---@return any value, string? message  nil and why it is no JSON
function M.decode(text, nulls)
  if type(text) ~= "string" then error("json.decode: text must be a string", 2) end
  local ready, unquoted, why = prepare(text)
  local value
  if ready then
    if is_lossy(unquoted) then
      value, why = read_marked(ready, nulls)
    else
      value, why = read_plain(ready, ready ~= text, nulls)
    end
  end
  if why then return nil, "JSON text " .. why end
  if value == M.null then return nil, "JSON text is null" end
  return value
end

-- Writing --------------------------------------------------------------------------------------

local escapes <const> = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

local function escape(byte)
  return escapes[byte] or ("\\u%04x"):format(byte:byte())
end

local function quoted(text)
  if not text:find('[^ !#-%[%]-~]') then return '"' .. text .. '"' end
  if not utf8.len(text) then text = repair_utf8(text) end
  return '"' .. text:gsub('[\0-\31"\\]', escape) .. '"'
end

local function plain_number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    error("json.encode: JSON has no " .. tostring(value), 0)
  end
  local integer <const> = math.tointeger(value)
  if integer then return ("%d"):format(integer) end
  local short <const> = ("%.15g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

local write -- function(value, out, depth, indent)

local function newline(indent, depth)
  return indent and "\n" .. (" "):rep(indent * depth) or ""
end

-- Elements behind a hole, and keys beside elements, have no place in a list.
local function check_list(list, count)
  for key in next, list do
    if math.type(key) ~= "integer" then
      error(("json.encode: a table has elements and the key %s: it is neither a list nor an object")
        :format(shown(key)), 0)
    elseif key < 1 or key > count then
      error(("json.encode: a list has no element [%d], but one [%d]; json.null stands for none")
        :format(count + 1, key), 0)
    end
  end
end

local function write_list(list, out, depth, indent)
  local count = 0
  for i, item in ipairs(list) do
    out[#out + 1] = (i == 1 and "[" or ",") .. newline(indent, depth + 1)
    write(item, out, depth + 1, indent)
    count = i
  end
  check_list(list, count)
  if count == 0 then
    out[#out + 1] = "[]"
    return
  end
  out[#out + 1] = newline(indent, depth) .. "]"
end

local function sorted_keys(object)
  local keys <const> = {}
  for key in next, object do
    if type(key) ~= "string" then
      error(("json.encode: an object has the key %s, which is no string"):format(shown(key)), 0)
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function write_object(object, out, depth, indent)
  local keys <const> = sorted_keys(object)
  if #keys == 0 then
    out[#out + 1] = "{}"
    return
  end
  for i, key in ipairs(keys) do
    out[#out + 1] = (i == 1 and "{" or ",") .. newline(indent, depth + 1)
    out[#out + 1] = quoted(key) .. (indent and ": " or ":")
    write(rawget(object, key), out, depth + 1, indent)
  end
  out[#out + 1] = newline(indent, depth) .. "}"
end

local writers <const> = {
  string = function(value, out) out[#out + 1] = quoted(value) end,
  boolean = function(value, out) out[#out + 1] = tostring(value) end,
  null = function(_, out) out[#out + 1] = "null" end,
  integer = function(value, out) out[#out + 1] = plain_number(value) end,
  number = function(value, out)
    out[#out + 1] = type(value) == "table" and value.text or plain_number(value)
  end,
  list = write_list,
  object = write_object,
}

function write(value, out, depth, indent)
  if depth > M.max_depth then
    error(("json.encode: nested more than %d levels deep"):format(M.max_depth), 0)
  end
  local kind <const> = M.kind(value)
  local writer <const> = writers[kind]
  if not writer then error("json.encode: JSON has no " .. kind, 0) end
  writer(value, out, depth, indent)
end

---Writes a value; the same value always gives the same text, keys sorted.
---@param value any tables with string keys, lists, strings, numbers, booleans, `json.number`s
---@param options? { indent: integer } spaces per level; all on one line when left out
---@return string text
function M.encode(value, options)
  local out <const> = {}
  local written <const>, message <const> = pcall(write, value, out, 0, options and options.indent)
  if not written then error(message, 2) end
  return table.concat(out)
end

return M
