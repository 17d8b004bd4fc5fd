---How results look: what has a text of its own prints as that, lists of hops as bars, plain tables
---as columns, and anything else as Lua.

local bars = require "ecmp.nl.bars"
local rtnl = require "ecmp.rtnl"
local terminal = require "ecmp.repl.terminal"

local M = {}

local MOST_ROWS <const>, DEEPEST <const> = 200, 4

local function sorted_keys(value)
  local keys <const> = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if math.type(a) and math.type(b) then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function more(count) return ("... and %d more"):format(count) end

local literal

local function literal_table(value, depth)
  if depth > DEEPEST then return "{...}" end
  local parts <const>, listed, cut = {}, 0, 0
  for i, item in ipairs(value) do
    if i <= MOST_ROWS then parts[i] = literal(item, depth + 1) else cut = cut + 1 end
    listed = i
  end
  if cut > 0 then parts[#parts + 1] = more(cut) end
  local named = 0
  for _, key in ipairs(sorted_keys(value)) do
    local is_named <const> = not (math.type(key) == "integer" and key >= 1 and key <= listed)
    named = named + (is_named and 1 or 0)
    if is_named and named <= MOST_ROWS then
      local is_word <const> = type(key) == "string" and key:find "^[%a_][%w_]*$"
      local name <const> = is_word and key or ("[%s]"):format(literal(key, depth + 1))
      parts[#parts + 1] = ("%s = %s"):format(name, literal(value[key], depth + 1))
    end
  end
  if named > MOST_ROWS then parts[#parts + 1] = more(named - MOST_ROWS) end
  return #parts == 0 and "{}" or ("{ %s }"):format(table.concat(parts, ", "))
end

-- A value as Lua would read it.
function literal(value, depth)
  local kind <const> = type(value)
  local mt <const> = getmetatable(value)
  if kind == "string" then return depth > 0 and ("%q"):format(value) or value end
  if kind ~= "table" or mt and mt.__tostring then return (tostring(value):gsub("%s*\n%s*", " ")) end
  return literal_table(value, depth)
end

local function is_flat_record(item)
  if type(item) ~= "table" or getmetatable(item) or #item > 0 then return false end
  for key, value in pairs(item) do
    if type(key) ~= "string" or type(value) == "table" then return false end
  end
  return next(item) ~= nil
end

local function all(list, fits)
  for _, item in ipairs(list) do
    if not fits(item) then return false end
  end
  return #list > 0
end

-- Columns in the order in which the records bring their fields, those of one record sorted.
local function columns_of(list)
  local columns <const>, seen <const> = {}, {}
  for _, item in ipairs(list) do
    for _, key in ipairs(sorted_keys(item)) do
      if not seen[key] then
        seen[key] = true
        columns[#columns + 1] = { key = key, width = #key }
      end
    end
  end
  for _, column in ipairs(columns) do
    for _, item in ipairs(list) do
      local value <const> = item[column.key]
      column.width = math.max(column.width, value == nil and 0 or #tostring(value))
    end
  end
  return columns
end

local function row(columns, cell)
  local cells <const> = {}
  for i, column in ipairs(columns) do
    cells[i] = ("%-" .. column.width .. "s"):format(cell(column))
  end
  return (table.concat(cells, "  "):gsub("%s+$", ""))
end

local function as_columns(list)
  local columns <const> = columns_of(list)
  local lines <const> = { row(columns, function(column) return column.key end) }
  for i = 1, math.min(#list, MOST_ROWS) do
    lines[i + 1] = row(columns, function(column)
      local value <const> = list[i][column.key]
      return value == nil and "" or tostring(value)
    end)
  end
  if #list > MOST_ROWS then lines[#lines + 1] = more(#list - MOST_ROWS) end
  return table.concat(lines, "\n")
end

local function is_share(item)
  return type(item) == "table" and item.flows ~= nil and item.share ~= nil
end

-- One field a line, for a table that is a record of several.
local function as_record(value)
  local lines <const> = {}
  local keys <const> = sorted_keys(value)
  for i = 1, math.min(#keys, MOST_ROWS) do
    lines[i] = ("%s = %s"):format(tostring(keys[i]), literal(value[keys[i]], 1))
  end
  if #keys > MOST_ROWS then lines[#lines + 1] = more(#keys - MOST_ROWS) end
  return table.concat(lines, "\n")
end

-- What has a text of its own: events, handles.
local function is_printable(item)
  local mt <const> = type(item) == "table" and getmetatable(item)
  return mt and mt.__tostring ~= nil
end

-- The first lines of a text, and how many more there are.
local function first_lines(text)
  local last, count = 0, 0
  for at in text:gmatch "()\n" do
    count = count + 1
    if count == MOST_ROWS then last = at end
  end
  if count <= MOST_ROWS then return text end
  return text:sub(1, last) .. more(count - MOST_ROWS + 1)
end

local function texts_of(list)
  local lines <const> = {}
  for i = 1, math.min(#list, MOST_ROWS) do lines[i] = tostring(list[i]) end
  if #list > MOST_ROWS then lines[#lines + 1] = more(#list - MOST_ROWS) end
  return table.concat(lines, "\n")
end

local function views_text(list, colour)
  return terminal.routes(require "ecmp.nl.text".text(list, { most = MOST_ROWS }), colour)
end

local function table_text(value, colour)
  if all(value, is_share) then return bars.text(value, { colour = colour }) end
  if all(value, rtnl.is_view) then return views_text(value, colour) end
  if all(value, is_printable) then return texts_of(value) end
  if all(value, is_flat_record) then return as_columns(value) end
  local text <const> = literal(value, 0)
  return #text > 100 and #value == 0 and as_record(value) or text
end

-- What prints as changes, a line each.
local OF_CHANGES <const> = { ["ecmp.plan"] = true, ["ecmp.Difference"] = true }

---The text of one result.
---@param value any
---@param colour fun(style: string, text: string): string
---@return string
function M.text(value, colour)
  local mt <const> = getmetatable(value)
  if type(value) == "table" and not (mt and mt.__tostring) then return table_text(value, colour) end
  if mt and mt.__name == "ecmp.List" then return views_text(value, colour) end
  local text <const> = tostring(value)
  if type(value) == "string" then return text end
  if mt and OF_CHANGES[mt.__name] then return terminal.changes(first_lines(text), colour) end
  return mt and rtnl.is_view(value) and terminal.routes(text, colour) or first_lines(text)
end

-- A refusal by the world: nil, message, code.
local function is_refusal(results)
  return results.n >= 2 and results[1] == nil and type(results[2]) == "string"
end

---Prints the results of a statement.
---@param results table as of table.pack
---@param write fun(line: string)
---@param colour fun(style: string, text: string): string
function M.print(results, write, colour)
  if is_refusal(results) then return write(colour("del", results[2])) end
  local texts <const>, tall = {}, false
  local last = results.n
  while last > 1 and results[last] == nil do last = last - 1 end
  for i = 1, last do
    texts[i] = M.text(results[i], colour)
    tall = tall or texts[i]:find "\n" ~= nil
  end
  if #texts == 1 and texts[1] == "" then return end
  if #texts > 0 then write(table.concat(texts, tall and "\n" or "  ")) end
end

return M
