---Plans: the changes that make the routes of one list into those of another, and carrying them out.
--
-- A plan is a list to be read. Its changes are written out when they are looked at, since of a
-- million of them nobody needs all at once: the lists it was made from must stay as they are.
local diff = require "ecmp.fib.diff"
local execution = require "ecmp.nl.execution"
local filters = require "ecmp.nl.filter"
local nexthop = require "ecmp.fib.nexthop"
local object = require "ecmp.nl.object"
local route_of = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown

rtnl.own()

local LOCAL <const> = { ["local"] = true, broadcast = true, anycast = true, nat = true }

local Plan <const> = { __name = "ecmp.plan" }
local methods <const> = {}

-- The list ----------------------------------------------------------------------------------------

-- What a plan is made of: see ecmp.fib.diff.find.
local lists_of <const> = setmetatable({}, { __mode = "k" })

---@return table|userdata|nil list, string? message, string? code
local function read(list, name)
  if type(list) == "userdata" then return list end
  if type(list) == "string" then
    local routes <const>, message <const> = require "ecmp.fib.json_routes".routes(list)
    if not routes then return nil, ("%s: %s"):format(name, message), "EINVAL" end
    return routes
  end
  local routes <const>, message <const>, code <const> = route_of.without_texts(list)
  if not routes then return nil, name .. message, code end
  return routes
end

local LISTS <const> = { table = true, userdata = true, string = true }

local function check_list(name, list)
  if not LISTS[type(list)] then rtnl.throw(name .. ": a list of routes is due here") end
end

-- The k-th routes of lists, which may be views of a list that is kept in C.
local function plan_lists(current, wanted, exactly)
  local lists <const> = { current = current, wanted = wanted }
  for _, name in ipairs { "current", "wanted" } do
    check_list(name, lists[name])
    local list <const>, message <const>, code <const> = read(lists[name], name)
    if not list then return nil, message, code end
    lists[name] = list
  end
  local found <const>, message <const>, code <const> =
    diff.find(lists.current, lists.wanted, exactly)
  if not found then return nil, message, code end
  local self <const> = setmetatable({}, Plan)
  lists_of[self] = found
  return self
end

-- Reading the kernel ------------------------------------------------------------------------------

local OPTIONS <const> = { exactly = true, proto = true, table = true, family = true }
local CARRYING <const> = { each = true, progress = true, undoing = true }

local function check_options(options, known, more)
  if options ~= nil and type(options) ~= "table" then
    rtnl.throw(("options: a table is due here, not a %s"):format(type(options)))
  end
  for key in pairs(options or {}) do
    if not known[key] and not (more and more[key]) then
      rtnl.throw(("%s: unknown option of a plan"):format(shown(key)))
    end
  end
end

-- A set of an option's values, in the spelling of views; nil where the option is "all".
local function set_of(key, value)
  if value == "all" or value == "both" then return nil end
  local set <const> = {}
  for _, one in ipairs(type(value) == "table" and value or { value }) do
    if key == "family" then
      set[filters.family(one) or rtnl.throw(("family: 4 or 6 expected, got %s"):format(one))] = true
    else
      set[tostring(rtnl.view("route", { [key] = one })[key] or one)] = true
    end
  end
  return set
end

-- What is owned: the protocols that people use, in the tables and families that are wanted.
local function owned_by(wanted, options)
  local owned <const> = { proto = set_of("proto", options.proto or { "boot", "static" }) }
  local named <const> = { table = {}, family = {} }
  for i = 1, #wanted do
    local route <const> = wanted[i]
    local _, family <const> = route_of.slot(route)
    table.insert(named.family, math.type(family) == "integer" and family or nil)
    table.insert(named.table, route.table or LOCAL[route.type] and "local" or "main")
  end
  if #wanted == 0 then named.table, named.family = { "main" }, { 4, 6 } end
  for _, key in ipairs { "table", "family" } do
    owned[key] = set_of(key, options[key] or named[key])
  end
  return owned
end

local function is_owned(view, owned)
  for _, key in ipairs { "proto", "table", "family" } do
    local value <const> = view[key]
    if owned[key] and not owned[key][key == "family" and value or tostring(value)] then
      return false
    end
  end
  return true
end

-- Leaves out of `wanted` what is there as somebody else's; refuses what would be put beside it.
local function without_foreign(wanted, foreign)
  if not next(foreign) then return wanted end
  local rest <const> = {}
  for j = 1, #wanted do
    local key <const> = route_of.slot(wanted[j])
    local there = false
    for _, view in ipairs(key and foreign[key] or {}) do
      local made <const> = route_of.canonical(wanted[j], nexthop.possible)
      there = there or made and route_of.fits(assert(route_of.held(view)), made)
    end
    if key and foreign[key] and not there then
      local held <const> = "wanted[%d].dst: %s is held by a route of proto %s, which is left alone"
      return nil, held:format(j, tostring(wanted[j].dst), tostring(foreign[key][1].proto)), "EEXIST"
    end
    rest[#rest + 1] = not there and wanted[j] or nil
  end
  return rest
end

---@return table? plan, string? message, string? code
local function plan_of_kernel(nl, wanted, options)
  check_list("wanted", wanted)
  local list, message, code = read(wanted, "wanted")
  if not list then return nil, message, code end
  local owned <const>, current <const>, foreign <const> = owned_by(list, options), {}, {}
  local all
  all, message, code = nl.route:list { table = "all" }
  if not all then return nil, message, code end
  for _, view in ipairs(all) do
    if is_owned(view, owned) then
      current[#current + 1] = view
    else
      local key <const> = route_of.slot(view)
      foreign[key] = foreign[key] or {}
      table.insert(foreign[key], view)
    end
  end
  list, message, code = without_foreign(list, foreign)
  if not list then return nil, message, code end
  return plan_lists(current, list, options.exactly)
end

---Plans the changes from one list of routes to another; linear in their lengths.
---
--- A field that `wanted` leaves out matches anything; what only `current` holds is deleted, after
--- everything else is in place. Several routes of one key are taken as the kernel lists them.
---@param current (table|string)[]|string|ecmp.Handle routes or views, as the kernel lists them; a
---handle, whose kernel is read
---@param wanted (table|string)[]|string routes, views, or words as `ip route add` takes them; those
---marked `separate` (ecmp.rule) are created one by one; or the JSON of a list, as of `ip -j route`
---@param options? table `exactly`: what `wanted` leaves out is not to be there, as in a list of the
---kernel's own that is to be brought back; with a handle also `proto`, `table` and `family`: which
---routes are deleted where `wanted` does not have them, a value, a list or "all" (else those of
---proto boot and static, in the tables and families that `wanted` names)
---@return table? plan a list of changes, string? message, string? code nil, message naming the
---field, "EINVAL" for what can be no route; "EEXIST" for what IPv6 would hold twice, or what a
---route holds that is left alone
local function plan(_, current, wanted, options, ...)
  if next { ... } then rtnl.throw(("plan: 3 arguments expected, got %d"):format(3 + #{ ... })) end
  if object.is_handle(current) then
    check_options(options, OPTIONS)
    return plan_of_kernel(current, wanted, options or {})
  end
  check_options(options, { exactly = true })
  return plan_lists(current, wanted, options and options.exactly)
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
---@return table? transaction, string? message, string? code after a refusal everything
---is as before
function methods:begin(nl, options)
  return execution.begin(nl, lists_of[self], options)
end

---Carries the plan out, all of it or nothing.
---@param nl table a handle of ecmp.open
---@param options? table see `begin`
---@return boolean? done, string? message, string? code
function methods:apply(nl, options)
  return execution.apply(nl, lists_of[self], options)
end

local M = {}

---Makes routes so, by the least changes: plan and apply in one. See `nl:reconcile`.
---@param nl ecmp.Handle
---@param wanted (table|string)[]
---@param options? table
---@return table? plan, table[]|string failed, string? code
function M.reconcile(nl, wanted, options)
  check_options(options, OPTIONS, CARRYING)
  local made, message, code = plan_of_kernel(nl, wanted, options or {})
  if not made then return nil, message, code end
  local tx
  tx, message, code = made:begin(nl, options)
  if not tx then return nil, message, code end
  tx:commit()
  return made, tx.failed
end

return setmetatable(M, { __call = plan })
