---What CHECK compares: is everything still as the ADD left it?
--
-- The kernel is compared with the record of the ADD, and no rule is run: the answer does not depend
-- on a script that was changed since. Without a record, the configuration and prevResult say what
-- was meant.
local compare = require "ecmp.flow.verify"
local context = require "ecmp.flow.context"
local health = require "ecmp.flow.health"
local hooks = require "ecmp.flow.hooks"
local identity = require "ecmp.fib.route"
local ipam = require "ecmp.flow.ipam"
local neighbours = require "ecmp.flow.neighbours"
local policy_rules = require "ecmp.flow.policy_rules"
local record = require "ecmp.flow.record"
local stages = require "ecmp.flow.stages"
local try = require("ecmp.cni").try

local M = {}

local FAILED <const> = 999

---The routes of a record that are this plugin's to look after: what a plugin behind it in the chain
---has rearranged is that one's.
---@param wanted table[] canonical routes
---@param later table[] the steps behind
---@return table[]
function M.still_ours(wanted, later)
  local taken <const> = {}
  for _, step in ipairs(later) do
    for _, list in ipairs { step.wanted or {}, step.found or {} } do
      for _, route in ipairs(list) do taken[identity.slot(route)] = true end
    end
  end
  local ours <const> = {}
  for _, route in ipairs(wanted) do
    if not taken[identity.slot(route)] then ours[#ours + 1] = route end
  end
  return ours
end

---What prevResult and the configuration say was planned, for a pod that has nothing yet.
local function from_result(asked)
  local state <const> = {
    call = asked.call, plugin = asked.plugin, conf = asked.conf, dry = true,
    ipam_result = asked.call.prev,
  }
  stages.run(state, "context", "plan")
  return { wanted = state.wanted, plan = state.plan }
end

---The addresses that a plugin put on the interface; a chained plugin puts none.
local function wanted_addresses(state, planned)
  if not state.plugin.attach then return {} end
  return planned.plan and planned.plan.addresses or {}
end

local function link_differences(state, nl, name)
  local links, message = context.links(nl)
  if not links then return { message } end
  if not links[name] then return { ("interface %s is missing"):format(name) } end
  local plugin <const> = state.plugin
  local down <const> = plugin.stays_down and plugin.stays_down(state.conf)
  if not links[name].up and not down then return { ("interface %s is down"):format(name) } end
  return {}
end

local function sysctl_differences(nl, planned)
  local differences <const> = {}
  for key, value in pairs(planned.plan and planned.plan.sysctls or {}) do
    local now <const> = (nl.sysctl:get(key) or "unreadable"):gsub("%s+$", "")
    if now ~= tostring(value) then
      differences[#differences + 1] = ("sysctl %s is %s, planned is %s"):format(key, now, value)
    end
  end
  table.sort(differences)
  return differences
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

local function all_differences(state, planned, later)
  local nl <const>, call <const> = state.nl, state.call
  local found <const> = link_differences(state, nl, call.ifname)
  local is_missing <const> = nl.link:get { dev = call.ifname } == nil
  append(found, hooks.inspect(state.plugin, state))
  if is_missing then return found end
  local current <const> = try(nl.addr:list { dev = call.ifname })
  append(found, compare.addresses(wanted_addresses(state, planned), current))
  local routes <const> = health.without_suspensions(call, nl, try(context.routes(nl)))
  append(found, compare.routes(M.still_ours(planned.wanted, later), routes))
  append(found, compare.deleted(M.still_ours(planned.found or {}, later), planned.wanted, routes))
  append(found, policy_rules.differences(nl, planned.plan and planned.plan.policyRules))
  append(found, sysctl_differences(nl, planned))
  append(found, neighbours.differences(nl, planned.plan and planned.plan.neighbours))
  return found
end

-- What the IPAM plugin has to say, if one is configured.
local function ask_ipam(state)
  local kind <const> = state.conf.ipam.type
  if kind == "" or not state.plugin.attach then return true end
  return ipam.ask(state.call, kind, "CHECK")
end

-- Each sentence once.
local function distinct(sentences)
  local list <const>, known <const> = {}, {}
  for _, text in ipairs(sentences) do
    if not known[text] then list[#list + 1] = text end
    known[text] = true
  end
  return list
end

---Compares, and asks the IPAM plugin; a refusal that says all that differs is thrown.
---@param state table with call, plugin, conf and nl
---@return true ok
function M.run(state)
  local planned, later <const>, newer <const> = record.load(state.call)
  try(not newer, newer, FAILED)
  if not planned then planned = from_result(state) end
  state.was = planned
  local differences <const> = distinct(all_differences(state, planned, later or {}))
  local held <const>, said <const>, code <const>, details <const> = ask_ipam(state)
  if #differences == 0 then
    try(held, said, code, details)
    return true
  end
  if not held then differences[#differences + 1] = said end
  return try(nil, ("CHECK %s: %s"):format(state.call.ifname, table.concat(differences, "; ")),
    FAILED)
end

return M
