---Plans: the changes that make the routes of one list into those of another, and carrying them out.
--
-- A plan is a list to be read. Its changes are written out when they are looked at, since of a
-- million of them nobody needs all at once: the lists it was made from must stay as they are.
local diff <const> = require "ecmp.fib.diff"
local execution <const> = require "ecmp.nl.execution"
local route_of <const> = require "ecmp.fib.route"

local Plan <const> = { __name = "ecmp.plan" }
local methods <const> = {}

-- The list ----------------------------------------------------------------------------------------

-- What a plan is made of: see ecmp.fib.diff.find.
local lists_of <const> = setmetatable({}, { __mode = "k" })

---@return table|userdata|nil list, string? message, integer? code
local function read(list, name)
  if type(list) == "userdata" then return list end
  local routes <const>, message <const>, code <const> = route_of.without_texts(list)
  if not routes then return nil, name .. message, code end
  return routes
end

---Plans the changes from one list of routes to another; linear in their lengths.
---
--- A field that `wanted` leaves out matches anything; what only `current` holds is deleted, after
--- everything else is in place. Several routes of one slot are taken as the kernel lists them.
---@param current (table|string)[] routes or views, as the kernel lists them
---@param wanted (table|string)[] routes, views, or words as `ip route add` takes them; those marked
---`separate` (ecmp.rule) are created one by one
---@param options? table `exactly`: what `wanted` leaves out is not to be there, as in a list of the
---kernel's own that is to be brought back
---@return table? plan a list of changes, string? message, integer|string|nil code nil, message
---naming the field, 7 for what can be no route; "EEXIST" for what IPv6 would hold twice
local function plan(current, wanted, options)
  local lists <const> = { current = current, wanted = wanted }
  for _, name in ipairs { "current", "wanted" } do
    local kind <const> = type(lists[name])
    if kind ~= "table" and kind ~= "userdata" then
      error(name .. ": a list of routes is due here", 2)
    end
    local list <const>, message <const>, code <const> = read(lists[name], name)
    if not list then return nil, message, code end
    lists[name] = list
  end
  local found <const>, message <const>, code <const> =
    diff.find(lists.current, lists.wanted, options and options.exactly)
  if not found then return nil, message, code end
  local self <const> = setmetatable({}, Plan)
  lists_of[self] = found
  return self
end

function Plan.__index(self, key)
  if math.type(key) ~= "integer" then return methods[key] end
  return diff.change(lists_of[self], key)
end

function Plan.__len(self)
  return #lists_of[self].found
end

function Plan.__pairs(self)
  return ipairs(self)
end

function Plan.__newindex()
  error("a plan is a list to be read", 2)
end

---How many changes do what, by verb.
---@return table<string, integer>
function methods:counts()
  local counts <const>, lists <const>, k = {}, lists_of[self], 1
  while k <= #self do
    local verb <const>, last <const> = diff.verb(lists, k), diff.run(lists, k, #self)
    counts[verb] = (counts[verb] or 0) + last - k + 1
    k = last + 1
  end
  return counts
end

---Which wanted routes are listed more than once.
---@return table<integer, integer> repeated by the number of such a route, that of the first
function methods:repeated()
  return lists_of[self].repeated
end

local MANY <const> = 512 -- lines at once

---Iterates over the slots that change, as ecmp.fib.route names them, as lines of text: one with the
---slot itself, or many that are added to slots that hold nothing.
---@param word string in front of each
---@return fun(): string?, string?
function methods:slots(word)
  local lists <const>, count <const>, k = lists_of[self], #self, 1
  local alone = 0 -- so far they are asked for one by one
  return function()
    if k > count then return nil end
    local first <const> = k
    if first > alone then
      alone = diff.run(lists, first, math.min(first + MANY - 1, count))
      local lines <const> = diff.slots(lists, first, alone, word)
      k = alone + 1
      if lines then return lines end
    end
    k = first + 1
    local one <const> = diff.slot(lists, first)
    return word .. one .. "\n", one
  end
end

-- Text --------------------------------------------------------------------------------------------

---One change on a line: `+ route`, `- route`, or `~ dst what it was -> what it is to be`.
---@param change table
---@return string
local function change_text(change)
  if change.verb == "del" then return "- " .. route_of.text(change.old) end
  if change.verb ~= "replace" then return "+ " .. route_of.text(change.route) end
  local old <const>, new <const> = change.old, change.route
  if old.type ~= "unicast" or new.type ~= "unicast" then
    return ("~ %s -> %s"):format(route_of.text(old), route_of.text(new))
  end
  return ("~ %s -> %s"):format(route_of.text(old), route_of.rest(new))
end

function Plan.__tostring(self)
  if #self == 0 then return "nothing to change" end
  local lines <const> = {}
  for i, change in ipairs(self) do lines[i] = change_text(change) end
  return table.concat(lines, "\n")
end

-- Carrying out ------------------------------------------------------------------------------------

---Carries the plan out, to be taken back unless `commit` is called.
---
---     local tx <close> = assert(plan:begin(nl))
---     ...
---     tx:commit()
---@param nl table a handle of ecmp.open
---@param options? table `progress`: called with the changes done and their number after each batch;
---false from it stops; `undoing`: the same while it is taken back; `each`: what is refused does not
---keep the rest out, and is in the transaction's `failed`
---@return table? transaction, string? message, integer|string|nil code after a refusal everything
---is as before
function methods:begin(nl, options)
  return execution.begin(nl, lists_of[self], options)
end

---Carries the plan out, all of it or nothing.
---@param nl table a handle of ecmp.open
---@param options? table see `begin`
---@return boolean? done, string? message, integer|string|nil code
function methods:apply(nl, options)
  return execution.apply(nl, lists_of[self], options)
end

return plan
