---Runs a rule on a list of routes: `routes` on the whole list, `key` to group it, `merge` on each
---group. What the rule returns is checked before anything else sees it.
local group = require "ecmp.group"
local check = require "ecmp.rule.validate"
local metrics = require "ecmp.rule.metrics"
local notes = require "ecmp.rule.note"
local shown = require("ecmp.errors").shown
local words = require "ecmp.rule.words"

---@param rule any a word, a function with the shape of `merge`, or a table of hooks
---@return table hooks
local function hooks_of(rule)
  if type(rule) == "function" then return { merge = rule } end
  if type(rule) == "table" then return rule end
  local known <const> = type(rule) == "string" and words.rule(rule)
  if known then return known end
  error(("rule: '%s' is no rule; known words are %s"):format(shown(rule),
    table.concat(words.list, ", ")), 3)
end

---Fills in what a rule leaves out from the rule of a word.
local function completed(hooks, word)
  if hooks.merge then return hooks end
  local stock <const> = words.rule(word)
  return { routes = hooks.routes, key = hooks.key or stock.key, merge = stock.merge }
end

---What a message calls the group: its destination where it has one.
local function name_of(routes)
  -- Where the routes are none, so that the group has no fields, what the first says of itself.
  local dst <const> = routes.dst or not routes.family and routes[1] and routes[1].dst
  if dst == "0.0.0.0/0" or dst == "::/0" then return "default" end
  return dst or routes.family and ("IPv%d"):format(routes.family) or "mixed"
end

---A rule may refuse by nil and a message; nothing at all is a return that was forgotten.
local function refused(path, value, message, code)
  if value == nil and message ~= nil then
    return nil, ("%s: %s"):format(path, tostring(message)), code or "EINVAL"
  end
end

---Checks what a hook returned; what is no route is the mistake of who wrote it.
---@return table[]? routes, string? message, string? code
local function checked(run, path, value, message, code)
  local _, why, number = refused(path, value, message, code)
  if why then return nil, why, number end
  value, message, code = check.routes(value, path, run.ctx.links)
  local right = value
  -- A script may say anything; what comes of our own words is spared the look.
  if value and run.nonsense then right, message, code = check.sayable(value, path) end
  if not right then return nil, message, run.nonsense or code end
  return value
end

---@return table[]? routes, string? message, string? code
local function run_routes(run, routes)
  if not run.hooks.routes then return routes end
  return checked(run, "routes", run.hooks.routes(routes, run.ctx))
end

---The routes of a group as they are now: a rule may change them in place.
local function snapshot(routes)
  local copies <const> = {}
  for i, route in ipairs(routes) do copies[i] = group.plain(assert(group.held(route))) end
  return copies
end

---@return boolean? done, string? message, string? code
local function run_merge(run, routes, ctx, into)
  local path <const> = ("merge(%s)"):format(name_of(routes))
  local came <const> = run.trace and snapshot(routes)
  local value, message, code = checked(run, path, run.hooks.merge(routes, ctx))
  if not value then return nil, message, code end
  local distinct, why, number = check.distinct(value, path, run.places)
  if not distinct then return nil, why, run.nonsense or number end
  table.move(value, 1, #value, #into + 1, into)
  if run.trace then run.trace[#run.trace + 1] = { came = came, goes = value } end
  return true
end

---@return table[]? merged, string? message, string? code
local function run_groups(run, routes)
  local hooks <const>, ctx <const> = run.hooks, run.ctx
  local key <const> = hooks.key and function(route) return hooks.key(route, ctx) end
  local groups, message, code = group.group(routes, key)
  if not groups then return nil, "routes" .. message, code end
  local seen <const> = setmetatable({ metrics = metrics.new(routes, ctx) }, { __index = ctx })
  local merged <const> = {}
  for _, routes_of_group in ipairs(groups) do
    local done
    done, message, code = run_merge(run, routes_of_group, seen, merged)
    if not done then return nil, message, code end
  end
  return merged
end

---A script runs in a process of its own, all hooks in one visit.
local function run_script(script, routes, ctx, options)
  local trace <const>, into <const>, before <const> = options.trace, options.notes, #script.notes
  local merged, message, code, seen = script:run(routes, ctx, trace ~= nil)
  if seen then table.move(seen, 1, #seen, #trace + 1, trace) end
  if into then table.move(script.notes, before + 1, #script.notes, #into + 1, into) end
  return merged, message, code
end

---Merges routes by a rule; linear in their number.
---@param routes (table|string)[] in the order listed
---@param rule any a word ("ecmp", "separate", "first", "failover", "reject"), a function with the
---shape of `merge`, a table of the hooks `routes`, `key`, `merge`, or a loaded rule script
---@param ctx? table what rules see beside the routes
---@param options? table `trace`: a list to which `{ came, goes }` is added for each group;
---`word`: for what a table of hooks leaves out, `ctx.conf.merge` or "ecmp" where it is not said;
---`nonsense`: the code for what is no route, given for a script; "EINVAL" where left out; `notes`:
---a list to which what the rule says by `rule.note` is added
---@return table[]? routes, string? message, integer|string|nil code nil, message with the path of
---the field, "EINVAL" (or what the rule gave) where the rule refuses or returned what is no route
return function(routes, rule, ctx, options)
  local hooks <const> = hooks_of(rule)
  local message, code
  routes, message, code = group.without_texts(routes)
  if not routes then return nil, "routes" .. message, code end
  ctx, options = ctx or {}, options or {}
  if hooks.run then return run_script(hooks, routes, ctx, options) end
  local _ <close> = notes.collect(options.notes)
  local word <const> = options.word or ctx.conf and ctx.conf.merge or "ecmp"
  local run <const> = {
    ctx = ctx, hooks = completed(hooks, word), places = {}, trace = options.trace,
    nonsense = options.nonsense,
  }
  local list
  list, message, code = run_routes(run, routes)
  if not list then return nil, message, code end
  return run_groups(run, list)
end
