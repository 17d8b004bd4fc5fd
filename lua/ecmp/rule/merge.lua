---Runs a rule on a list of routes: `routes` on the whole list, `key` to group it, `merge` on each
---group. What the rule returns is checked before anything else sees it.
local group <const> = require "ecmp.group"
local check <const> = require "ecmp.rule.check"
local metrics <const> = require "ecmp.rule.metrics"

---@param rule any a word, a function with the shape of `merge`, or a table of hooks
---@return table hooks
local function hooks_of(rule)
  if type(rule) == "function" then return { merge = rule } end
  if type(rule) == "table" then return rule end
  local words <const> = require "ecmp.rule"
  local known <const> = type(rule) == "string" and words.word(rule)
  if known then return known end
  error(("rule: '%s' is no rule; known words are %s"):format(tostring(rule),
    table.concat(words.words, ", ")), 3)
end

---Fills in what a rule leaves out from the rule of the configuration's word.
local function completed(hooks, ctx)
  if hooks.merge then return hooks end
  local words <const> = require "ecmp.rule"
  local stock <const> = words.word(ctx.conf and ctx.conf.merge or "ecmp")
  return { routes = hooks.routes, key = hooks.key or stock.key, merge = stock.merge }
end

---What a message calls the group: its destination where it has one.
local function name_of(routes)
  local dst <const> = routes.dst
  if dst == "0.0.0.0/0" or dst == "::/0" then return "default" end
  return dst or ("IPv%d"):format(routes.family)
end

---A rule may refuse by nil and a message; nothing at all is a return that was forgotten.
local function refused(path, value, message, code)
  if value == nil and message ~= nil then
    return nil, ("%s: %s"):format(path, tostring(message)), code or 7
  end
end

---@return table[]? routes, string? message, integer? code
local function run_routes(hooks, routes, ctx)
  if not hooks.routes then return routes end
  local value, message, code = hooks.routes(routes, ctx)
  local _, why, number = refused("routes", value, message, code)
  if why then return nil, why, number end
  return check.routes(value, "routes", ctx.links)
end

---@return boolean? done, string? message, integer? code
local function run_merge(merge, routes, ctx, into)
  local path <const> = ("merge(%s)"):format(name_of(routes))
  local value, message, code = merge(routes, ctx)
  local _, why, number = refused(path, value, message, code)
  if why then return nil, why, number end
  value, message, code = check.routes(value, path, ctx.links)
  if not value then return nil, message, code end
  table.move(value, 1, #value, #into + 1, into)
  return true
end

---Merges routes by a rule; linear in their number.
---@param routes table[] in the order listed
---@param rule any a word ("ecmp", "separate", "first", "failover", "reject"), a function with the
---shape of `merge`, a table of the hooks `routes`, `key`, `merge`, or a loaded rule script
---@param ctx? table what rules see beside the routes; `conf.merge` is the word for what a table
---of hooks leaves out
---@return table[]? routes, string? message, integer|string|nil code nil, message with the path of
---the field, 7 (or what the rule gave) where the rule refuses or returned what is no route
return function(routes, rule, ctx)
  local hooks = hooks_of(rule)
  -- A script runs in a process of its own, all hooks in one visit.
  if hooks.run then return hooks:run(routes, ctx) end
  ctx = ctx or {}
  hooks = completed(hooks, ctx)
  local list, message, code = run_routes(hooks, routes, ctx)
  if not list then return nil, message, code end
  local key <const> = hooks.key and function(route) return hooks.key(route, ctx) end
  local groups
  groups, message, code = group.group(list, key)
  if not groups then return nil, "routes" .. message, code end
  local seen <const> = setmetatable({ metrics = metrics.new(list, ctx) }, { __index = ctx })
  local merged <const> = {}
  for _, routes_of_group in ipairs(groups) do
    local done
    done, message, code = run_merge(hooks.merge, routes_of_group, seen, merged)
    if not done then return nil, message, code end
  end
  return merged
end
