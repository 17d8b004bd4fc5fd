---Stage `group`: merges routes with one key; sets `state.merged`, canonical routes. A preview
---and a log also keep what each group was made of, `state.trace`. `state.notes` is what a script
---says by `rule.note`, in its hook `plan`, too.
local identity = require "ecmp.fib.route"
local nexthop = require "ecmp.fib.nexthop"
local merge = require "ecmp.rule.merge"

local M = {}

-- Routes that differ in scope alone are two, and in IPv4 one of them is found first: that which was
-- listed last, as under `separate` and with the reference plugins.
local function last_listed_first(merged, listed)
  local last <const>, places <const> = {}, {}
  for i, route in ipairs(listed) do
    local held <const> = identity.held(route)
    if held then last[("%s %s"):format(identity.slot(held), held.scope)] = i end
  end
  for i, route in ipairs(merged) do
    local slot <const> = identity.slot(route)
    places[slot] = places[slot] or {}
    table.insert(places[slot], i)
  end
  local function rank(route)
    return last[("%s %s"):format(identity.slot(route), route.scope)] or 0
  end
  for _, indices in pairs(places) do
    local here <const> = {}
    for k, i in ipairs(indices) do here[k] = merged[i] end
    if #here > 1 and here[1].family == 4 then
      table.sort(here, function(a, b) return rank(a) > rank(b) end)
      for k, i in ipairs(indices) do merged[i] = here[k] end
    end
  end
end

---@param state table
---@return table? state, string? message, integer? code  7 for routes that cannot be merged,
---100 for a script that failed
function M.run(state)
  -- A script speaks first; the word `merge` decides what the script does not.
  local by <const> = state.script or state.conf.merge
  local log <const> = state.call.log
  state.trace = (state.dry or log and log:takes "verbose") and {} or nil
  state.notes = state.script and state.script.notes
  local routes, message, code = merge(state.routes, by, state.ctx, { trace = state.trace })
  if not routes then return nil, message, code or "EINVAL" end
  -- in what a script returns one hop may stand in for another, and so twice in an IPv4 route
  local fit <const> = state.script and nexthop.repeated or nil
  state.merged = {}
  for i, route in ipairs(routes) do
    state.merged[i], message, code = identity.canonical(route, fit)
    if not state.merged[i] then
      return nil, ("route %s: %s"):format(tostring(route.dst), message), code
    end
  end
  if not state.script and state.conf.merge ~= "separate" then
    last_listed_first(state.merged, state.routes)
  end
  return state
end

return M
