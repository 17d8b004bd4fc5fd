---Which rule decided what, for previews and logs: every group with the routes that came in and
---those that go out, and what changed them afterwards.
--
-- A decision is `{ rule, came, goes }`: the rule in words ("merge ecmp", "script PATH", "conflict
-- yield", "script PATH: plan"), and two lists of routes in iproute2's words.
local conflict = require "ecmp.flow.conflict"
local identity = require "ecmp.fib.route"
local json = require "ecmp.json"
local nexthop = require "ecmp.fib.nexthop"

local M = {}

local function canonical_of(route)
  return assert(identity.canonical(route, nexthop.repeated))
end

local function plain_list(routes)
  local list <const> = json.array()
  for i, route in ipairs(routes) do list[i] = identity.plain(canonical_of(route)) end
  return list
end

local function decision(rule, came, goes)
  return { rule = rule, came = plain_list(came), goes = plain_list(goes) }
end

local function grouped(state, list)
  local script <const> = state.script
  local rule <const> = script and script.hooks.merge and "script " .. script.path
    or "merge " .. state.conf.merge
  for _, group in ipairs(state.trace or {}) do
    list[#list + 1] = decision(rule, group.came, group.goes)
  end
end

-- Settling is pure, so it can be asked again; it keeps the order.
local function settled(state, list)
  local policy <const> = state.conf.conflict
  local routes <const> =
    conflict.settle(state.merged, state.current, policy, state.call.ifname) or {}
  for i, route in ipairs(routes) do
    if route ~= state.merged[i] then
      list[#list + 1] = decision("conflict " .. policy, { state.merged[i] }, { route })
    end
  end
  return routes
end

local function texts(routes)
  local lines <const> = {}
  for i, route in ipairs(routes) do lines[i] = identity.text(route) end
  return table.concat(lines, "\n")
end

---The decisions behind the routes of a state that was prepared without touching anything.
---@param state table with `dry`, after the stage `plan`
---@return table[] decisions
function M.decisions(state)
  local list <const> = json.array()
  grouped(state, list)
  local routes <const> = settled(state, list)
  if state.script and state.script.hooks.plan and texts(routes) ~= texts(state.wanted) then
    list[#list + 1] = decision(("script %s: plan"):format(state.script.path), routes, state.wanted)
  end
  return list
end

-- By the interface that is attached is no news.
local function words_of(route, ifname)
  local text <const> = identity.text(canonical_of(route))
  return ((text .. " "):gsub(" dev " .. ifname:gsub("%p", "%%%0") .. " ", " "):gsub(" $", ""))
end

---The decisions as a log tells of them, an object for each route.
---@param state table see `decisions`
---@return table[] lines `{ route, rule, of?, dropped? }`: of how many listed routes it was made,
---where these are several; whether the rule made nothing of it
function M.routes(state)
  local list <const>, ifname <const> = {}, state.call.ifname
  for _, made in ipairs(M.decisions(state)) do
    local is_dropped <const> = #made.goes == 0
    local count <const> = not is_dropped and #made.came > 1 and #made.came or nil
    for _, route in ipairs(is_dropped and made.came or made.goes) do
      list[#list + 1] = { route = words_of(route, ifname), rule = made.rule, of = count,
        dropped = is_dropped or nil }
    end
  end
  return list
end

---A route on one line.
---@param route table
---@return string
function M.line(route)
  return identity.text(canonical_of(route))
end

local function count(routes)
  return #routes == 1 and "1 route" or #routes .. " routes"
end

---One decision on one line: where to, what became of how many, by what.
---@param made table a decision
---@return string
function M.summary(made)
  local canonical <const> = made.came[1] and canonical_of(made.came[1])
  local became <const> = #made.came ~= #made.goes and " became " .. #made.goes or ""
  return ("%s: %s%s by %s"):format(canonical and canonical.dst or "new", count(made.came), became,
    made.rule)
end

return M
