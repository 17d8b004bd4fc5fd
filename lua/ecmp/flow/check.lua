---The verb CHECK: is everything still as the ADD left it?
--
-- The kernel is compared with the record of the ADD, and no rule is run: the answer does not depend
-- on a script that was changed since. Without a record, the configuration and prevResult say what
-- was meant.
local add = require "ecmp.flow.add"
local compare = require "ecmp.flow.verify"
local context = require "ecmp.flow.context"
local expect = require "ecmp.flow.expect"
local flow = require "ecmp.flow"
local identity = require "ecmp.fib.route"
local ipam = require "ecmp.flow.ipam"
local neighbours = require "ecmp.flow.neighbours"
local record = require "ecmp.flow.record"

local M = {}

-- What a plugin behind this one in the chain has rearranged is that one's to check.
local function still_ours(wanted, later)
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
  local ok, message, code = flow.run(state, "context", "context")
  if ok then ok, message, code = expect.links(state) end
  if ok then ok, message, code = flow.run(state, "ipam", "plan") end
  if not ok then return nil, message, code end
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
  if #found > 0 then return found end
  if state.plugin.inspect then append(found, state.plugin.inspect(state)) end
  local current, message, code = nl.addr:list { dev = call.ifname }
  if not current then return nil, message, code end
  append(found, compare.addresses(wanted_addresses(state, planned), current))
  local routes
  routes, message, code = context.routes(nl)
  if not routes then return nil, message, code end
  append(found, compare.routes(still_ours(planned.wanted, later), routes))
  append(found, compare.deleted(still_ours(planned.found or {}, later), planned.wanted, routes))
  append(found, sysctl_differences(nl, planned))
  append(found, neighbours.differences(nl, planned.plan and planned.plan.neighbours))
  return found
end

local function compare_all(state)
  local planned, later, newer = record.load(state.call)
  if newer then return nil, newer, 999 end
  local message, code
  if not planned then
    planned, message, code = from_result(state)
    if not planned then return nil, message, code end
  end
  state.was = planned
  local differences
  differences, message, code = all_differences(state, planned, later or {})
  if not differences then return nil, message, code end
  if #differences == 0 then return true end
  return nil, ("CHECK %s: %s"):format(state.call.ifname, table.concat(differences, "; ")), 999
end

---@param call table
---@param plugin table
---@return true? ok, string? message, string|integer? code  the message says all that differs
function M.run(call, plugin)
  local state <const> = { call = call, plugin = plugin }
  local ok, message, code = flow.run(state, "netconf", "netconf")
  if not ok then return nil, message, code end
  if not call.prev then return nil, "prevResult: must be given for CHECK", 7 end
  if state.conf.skipcheck then return true end
  local nl <close>, why, number = add.open(call)
  if not nl then return nil, why, number end
  state.nl = nl
  ok, message, code = compare_all(state)
  if not ok then return nil, message, code end
  local kind <const> = state.conf.ipam.type
  if kind == "" or not plugin.attach then return true end
  return ipam.ask(call, kind, "CHECK")
end

return M
