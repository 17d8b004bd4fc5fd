---Brings an attachment back to what its record says, by the least changes.
--
-- Routes, policy rules, sysctls and what the plugin knows how to mend; never addresses or links: a
-- pod that has lost these is to be made anew. What `ecmp watch` did to routes is as it should be.
-- Each step is whole by itself and looks at what is there, so one that was killed is run again.
local apply = require "ecmp.flow.apply"
local changes = require "ecmp.flow.changes"
local check = require "ecmp.flow.check"
local cni = require "ecmp.cni"
local compare = require "ecmp.flow.verify"
local context = require "ecmp.flow.context"
local ecmp_plan = require "ecmp.plan"
local errors = require "ecmp.cni.errors"
local health = require "ecmp.flow.health"
local netlink = require "ecmp.nl"
local objects = require "ecmp.flow.nexthop_objects"
local policy_rules = require "ecmp.flow.policy_rules"
local record = require "ecmp.flow.record"
local stages = require "ecmp.flow.stages"

local M = {}

local try <const>, refuse <const> = cni.try, cni.refuse
local FAILED <const>, BAD_NETNS <const> = 999, 8

local function sorted_keys(map)
  local keys <const> = {}
  for key in pairs(map or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function sysctls(state, fix)
  local planned <const> = state.plan.sysctls
  for _, key in ipairs(sorted_keys(planned)) do
    local value <const> = tostring(planned[key])
    local now <const> = state.nl.sysctl:get(key)
    if now and now:gsub("%s+$", "") ~= value then
      fix(("sysctl %s = %s"):format(key, value), function()
        return state.nl.sysctl:set(key, value)
      end)
    end
  end
end

-- The kernel's routes, but for what a watcher did to them.
local function current_routes(state, fix)
  local call <const>, nl <const> = state.call, state.nl
  local routes <const> = try(context.routes(nl))
  local whole <const> = health.without_suspensions(call, nl, routes)
  if whole == routes or not call.repair.ignore_health then return whole end
  fix("next hops back that ecmp watch took out", function() return health.forget(call) end)
  return call.repair.dry and whole or try(context.routes(nl))
end

local function make_objects(state, fix)
  local there <const> = {}
  for _, object in ipairs(try(state.nl.nexthop:list())) do there[object.id] = true end
  for _, object in ipairs(objects.again(state)) do
    if not there[object.id] then
      fix(("nexthop id %d"):format(object.id), function() return state.nl.nexthop:add(object) end)
    end
  end
end

local function each_line(text) return text:gmatch("[^\n]+") end

local function routes(state, fix)
  local was <const>, dev <const> = state.was, state.call.ifname
  local current <const> = current_routes(state, fix)
  local _, wanted <const> = compare.routes(check.still_ours(was.wanted, state.later), current)
  local _, back <const> = compare.deleted(check.still_ours(was.found or {}, state.later),
    was.wanted, current)
  if #wanted == 0 and #back == 0 then return end
  if was.objects then make_objects(state, fix) end
  local before <const>, after <const> = changes.of(current, back,
    apply.programmed(state, wanted), dev, changes.added_elsewhere(was, dev))
  local plan <const> = try(ecmp_plan(before, after))
  local texts <const> = {}
  for line in each_line(tostring(plan)) do texts[#texts + 1] = "route " .. line end
  if #plan > 0 then
    fix(table.concat(texts, "; "), function() return plan:apply(state.nl) end)
  end
end

local function rules(state, fix)
  for _, rule in ipairs(try(policy_rules.sort(state.nl, state.plan.policyRules))) do
    fix("policy rule " .. policy_rules.text(rule), function()
      return policy_rules.add(state.nl, { rule })
    end)
  end
end

local function plugin(state, fix)
  if state.plugin.repair then cni.done(state.plugin.repair(state, fix)) end
end

---What is mended, in this order: routes may need their sysctls, and rules look for routes.
M.steps = { sysctls, routes, rules, plugin }

local function open(call)
  local nl <const>, message <const> = netlink.open { netns = call.netns }
  return try(nl, nl or "its namespace: " .. message, BAD_NETNS)
end

---Mends one step of a record.
---@param call table with `repair = { dry?, ignore_health? }`
---@param own table the plugin
---@return string[] done what was done or, with `dry`, is to be
---@return string? problems what could not be done; the rest was all the same
function M.run(call, own)
  local state <const> = stages.run({ call = call, plugin = own }, "netconf", "netconf")
  local was <const>, later <const>, newer <const> = record.load(call)
  if not was then refuse(FAILED, newer or "there is no record of it") end
  local nl <close> = open(call)
  state.nl, state.was, state.later, state.record = nl, was, later, was
  state.plan, state.wanted = was.plan, was.wanted
  local done <const> = {}
  if not nl.link:get { dev = call.ifname } then return done end
  local function fix(what, mend)
    if not call.repair.dry then cni.done(mend()) end
    done[#done + 1] = what
  end
  local problems <const> = {}
  for _, step in ipairs(M.steps) do
    local _ <const>, why <const> = errors.returning(step)(state, fix)
    problems[#problems + 1] = why
  end
  return done, problems[1] and table.concat(problems, "; ")
end

return M
