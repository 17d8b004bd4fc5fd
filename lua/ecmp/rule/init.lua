---Merge rules: the blocks that scripts build rules of, and the rules that `merge` can name.
--
-- Every block has the shape of a rule's `merge`: `rule.X(group, ctx, options)` returns a route, a
-- list of routes, or nil, message, code. A route that lists its next hops (`nexthops`; `gws` in a
-- configuration) is one route to every block: it joins a multipath with all its hops, is one step
-- of a failover, one entry of `separate`, and rejected only beside others.
local by_speed = require "ecmp.rule.by_speed"
local drop = require "ecmp.rule.drop"
local errors = require "ecmp.errors"
local failover = require "ecmp.rule.failover"
local first = require "ecmp.rule.first"
local merge = require "ecmp.rule.merge"
local multipath = require "ecmp.rule.multipath"
local note = require "ecmp.rule.note"
local reject = require "ecmp.rule.reject"
local separate = require "ecmp.rule.separate"
local standin = require "ecmp.rule.standin"
local weighted = require "ecmp.rule.weighted"
local within = require "ecmp.rule.within"
local words = require "ecmp.rule.words"

-- A group is a list, which may have lost all its routes; a context is a table with other keys.
local function is_group(value)
  local mt <const> = getmetatable(value)
  return type(value) == "table"
    and (type(mt) == "table" and mt.__name == "ecmp.group" or value[1] ~= nil or next(value) == nil)
end

-- Wrong arguments of a block raise at the line of the script. `takes` says what `options` may be.
local function check(name, takes, routes, options, ...)
  if not is_group(routes) then
    local got <const> = type(routes) == "table" and "the context or another table"
      or routes == nil and "nothing" or "a " .. type(routes)
    error(("rule.%s: the first argument must be a group, not %s"):format(name, got), 3)
  elseif not takes[type(options)] then
    error(("rule.%s: options: %s, not %s"):format(name, takes.due,
      options == nil and "nothing" or "a " .. type(options)), 3)
  elseif select("#", ...) > 0 then
    error(("rule.%s: takes a group, ctx and options, and no more"):format(name), 3)
  end
end

local NONE <const> = { ["nil"] = true, due = "there are none" }
local FIELDS <const> = { ["nil"] = true, table = true, due = "must be fields of a route" }
local WEIGHTS <const> = {
  table = true, ["function"] = true, due = "the third argument must be weights by gateway",
}
local TEST <const> = {
  ["nil"] = true, ["function"] = true, due = "the test must be a function of a next hop",
}

local DEAD <const> = { ["function"] = true, due = "a test of next hops must be given" }

local M = {
  merge = merge,
  ---The words that `merge` knows in a configuration, in the order they are documented.
  words = words.list,
}

---The rule behind a word: a table as a rule script returns it.
---@param word string
---@return table? rule
function M.word(word)
  return words.rule(word)
end

---Says something to those who read the plan: `ecmp plan`, `ecmp rule check` and the log show it.
---Where nobody collects notes it is dropped.
---@param text string
function M.note(text)
  if type(text) ~= "string" then
    error(("rule.note: text is due here, not %s"):format(
      text == nil and "nothing" or "a " .. type(text)), 2)
  end
  note.add(text)
end

---One route with all hops.
---@param group ecmp.Group
---@param ctx? table
---@param options? table fields to set on it
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.multipath(group, ctx, options, ...)
  check("multipath", FIELDS, group, options, ...)
  return multipath(group, ctx, options)
end

---Every route by itself, as the reference plugins do it.
---@param group ecmp.Group
---@param ctx? table
---@param options? nil there are none
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.separate(group, ctx, options, ...)
  check("separate", NONE, group, options, ...)
  return separate(group, ctx, options)
end

---The route listed first.
---@param group ecmp.Group
---@param ctx? table
---@param options? nil there are none
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.first(group, ctx, options, ...)
  check("first", NONE, group, options, ...)
  return first(group, ctx, options)
end

---All, by rising metric in the order listed.
---@param group ecmp.Group
---@param ctx? table
---@param options? nil there are none
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.failover(group, ctx, options, ...)
  check("failover", NONE, group, options, ...)
  return failover(group, ctx, options)
end

---An error that names the routes, if there are several.
---@param group ecmp.Group
---@param ctx? table
---@param options? nil there are none
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.reject(group, ctx, options, ...)
  check("reject", NONE, group, options, ...)
  return reject(group, ctx, options)
end

---One route with all hops, with weights.
---@param group ecmp.Group
---@param ctx? table
---@param options table|function weights 0..256 by gateway, prefix or interface; or a function of a
---next hop and ctx that returns one or nil
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.weighted(group, ctx, options, ...)
  check("weighted", WEIGHTS, group, options, ...)
  return weighted(group, ctx, options)
end

---Nothing; or, with a test, the group without the hops for which it is true.
---@param group ecmp.Group
---@param ctx? table
---@param options? fun(hop: table, ctx: table, route: table): boolean true for hops to leave out
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.drop(group, ctx, options, ...)
  check("drop", TEST, group, options, ...)
  return drop(group, ctx, options)
end

---The group without the hops whose gateway is in no prefix of their interface's addresses. A hop
---without a gateway and a link-local gateway stay.
---@param group ecmp.Group
---@param ctx ecmp.RuleContext
---@param options? nil there are none
---@return table? routes a group
---@return string? message, string? code
function M.within(group, ctx, options, ...)
  check("within", NONE, group, options, ...)
  return within(group, ctx)
end

---One route with all hops, with weights in the proportion of their interfaces' speeds. An interface
---without a known speed counts as the slowest of the others; a note says so.
---@param group ecmp.Group
---@param ctx ecmp.RuleContext
---@param options? nil there are none
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.by_speed(group, ctx, options, ...)
  check("by_speed", NONE, group, options, ...)
  return by_speed(group, ctx)
end

---One route with all hops, in which others stand in for dead ones as `nl.route:suspend` does it: no
---flow of theirs moves. IPv6 holds no hop twice; where it would have to, dead hops are taken out,
---and a note says so.
---@param group ecmp.Group
---@param ctx? table
---@param options fun(hop: table, ctx: table, route: table): boolean true for hops that are dead
---@return table? routes a route, a list of routes or a group
---@return string? message, string? code
function M.standin(group, ctx, options, ...)
  check("standin", DEAD, group, options, ...)
  return standin(group, ctx, options)
end

-- the word `ecmp` stands for this block, the other words for blocks of their own name
M.ecmp = M.multipath

return setmetatable(M, {
  __index = function(_, name) errors.unknown_name("rule", M, name) end,
})
