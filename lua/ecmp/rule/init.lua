---What several routes with one key become: the blocks of rules, and the rules that have a word.
--
-- Every block has the shape of a rule's `merge`: `rule.X(group, ctx, options)` returns a route, a
-- list of routes, or nil, message, code. A route that lists its next hops (`nexthops`; `gws` in a
-- configuration) is one route to every block: it joins a multipath with all its hops, is one step
-- of a failover, one entry of `separate`, and rejected only beside others.
local drop = require "ecmp.rule.drop"
local errors = require "ecmp.errors"
local failover = require "ecmp.rule.failover"
local first = require "ecmp.rule.first"
local merge = require "ecmp.rule.merge"
local multipath = require "ecmp.rule.multipath"
local reject = require "ecmp.rule.reject"
local separate = require "ecmp.rule.separate"
local weighted = require "ecmp.rule.weighted"
local words = require "ecmp.rule.words"

-- A context is no group, and a group is a list; an empty one is left of one that lost its routes.
local function is_group(value)
  local mt <const> = getmetatable(value)
  return type(value) == "table"
    and (type(mt) == "table" and mt.__name == "ecmp.group" or value[1] ~= nil or next(value) == nil)
end

-- A block for scripts: wrong arguments raise at the line of the script. `takes` says what `options`
-- may be.
local function block(name, f, takes)
  return function(routes, ctx, options, ...)
    if not is_group(routes) then
      local got <const> = type(routes) == "table" and "the context or another table"
        or routes == nil and "nothing" or "a " .. type(routes)
      error(("rule.%s: the first argument must be a group, not %s"):format(name, got), 2)
    elseif not takes[type(options)] then
      error(("rule.%s: options: %s, not %s"):format(name, takes.due,
        options == nil and "nothing" or "a " .. type(options)), 2)
    elseif select("#", ...) > 0 then
      error(("rule.%s: takes a group, ctx and options, and no more"):format(name), 2)
    end
    return f(routes, ctx, options)
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

local M = {
  multipath = block("multipath", multipath, FIELDS),
  separate = block("separate", separate, NONE),
  first = block("first", first, NONE),
  failover = block("failover", failover, NONE),
  reject = block("reject", reject, NONE),
  weighted = block("weighted", weighted, WEIGHTS),
  drop = block("drop", drop, TEST),
  -- the word `ecmp` stands for this block, the other words for blocks of their own name
  ecmp = block("ecmp", multipath, FIELDS),
  merge = merge,
  ---The words that `merge` knows in a configuration, in the order they are documented.
  words = words.list,
  ---The rule behind a word: a table as a rule script returns it.
  word = words.rule,
}

return setmetatable(M, {
  __index = function(_, name) errors.unknown_name("rule", M, name) end,
})
