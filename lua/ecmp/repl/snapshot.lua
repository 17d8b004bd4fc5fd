---The state of a namespace as a value: to be looked at, compared, and planned against.

local lists = require "ecmp.nl.text"
local plan = require "ecmp.plan"

local M = {}

local Snapshot <const> = { __name = "ecmp.Snapshot" }
Snapshot.__index = Snapshot

local kinds <const> = { "route", "nexthop", "link", "addr", "rule" }
local volatile <const> = { "valid_lft %S+", "preferred_lft %S+", "expires %S+" }

---@param nl ecmp.Handle
---@return table|nil snapshot # `route`, `nexthop`, `link`, `addr`, `rule`: lists
---@return string? message
---@return string? code
function M.take(nl)
  local self <const> = setmetatable({}, Snapshot)
  for _, kind in ipairs(kinds) do
    local list <const>, message <const>, code <const> =
      nl[kind]:list(kind == "route" and { table = "all" } or nil)
    if not list then return nil, message, code end
    self[kind] = list
  end
  return self
end

function Snapshot:__tostring()
  local words <const> = {}
  for i, kind in ipairs(kinds) do
    words[i] = ("%d %s%s"):format(#self[kind], kind, #self[kind] == 1 and "" or "s")
  end
  return "snapshot: " .. table.concat(words, ", ")
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Snapshot
end

local function lines_of(list)
  local set <const>, order <const> = {}, {}
  for i, view in ipairs(list) do
    local text = view:text { line = true, table = true }:gsub("%s+", " ")
    for _, word in ipairs(volatile) do text = text:gsub(" " .. word, "") end
    set[text], order[i] = true, text
  end
  return set, order
end

local function add_missing(lines, sign, kind, order, set)
  for _, text in ipairs(order) do
    if not set[text] then lines[#lines + 1] = ("%s %s %s"):format(sign, kind, text) end
  end
end

local Difference <const> = { __name = "ecmp.Difference", __tostring = function(self)
  return #self == 0 and "no difference" or table.concat(self, "\n")
end }

-- What the kernel makes by itself of addresses and links is told by those.
local function of_users(list)
  local kept <const> = {}
  for _, route in ipairs(list) do
    if route.table ~= "local" then kept[#kept + 1] = route end
  end
  return kept
end

---What one snapshot has and the other has not.
---@param a table snapshot
---@param b table snapshot
---@return table lines # prints as such
function M.difference(a, b)
  local lines <const> = setmetatable({}, Difference)
  local changes <const> = plan(of_users(a.route), of_users(b.route))
  if changes and #changes > 0 then
    for line in tostring(changes):gmatch "[^\n]+" do lines[#lines + 1] = line end
  end
  for i = 2, #kinds do
    local kind <const> = kinds[i]
    local before <const>, old <const> = lines_of(a[kind])
    local after <const>, new <const> = lines_of(b[kind])
    add_missing(lines, "-", kind, old, after)
    add_missing(lines, "+", kind, new, before)
  end
  return lines
end

---The routes of a list or a snapshot that somebody made, as `ecmp apply` owns them.
---@param nl ecmp.Handle
---@param tables table<string|integer, true>
---@return table[]|nil, string? message, string? code
function M.owned(nl, tables)
  local owned <const> = lists.of {}
  for number in pairs(tables) do
    for _, proto in ipairs { "boot", "static" } do
      local list <const>, message <const>, code <const> =
        nl.route:list { table = number, proto = proto }
      if not list then return nil, message, code end
      table.move(list, 1, #list, #owned + 1, owned)
    end
  end
  return owned
end

return M
