---The verb DEL: removes what is there, never fails for what is missing.
--
-- A configuration that makes no sense any more is no reason to keep an interface or an address:
-- everything is found by container id and interface name. Only an IPAM plugin's own error is passed
-- on, after all else is done, because then an address is still held.
local later = require "ecmp.later"
local changes = later "ecmp.flow.changes"
local context = later "ecmp.flow.context"
local log = require "ecmp.log"
local netlink = require "ecmp.nl"
local ecmp_plan = later "ecmp.plan"
local health = require "ecmp.flow.health"
local identity = require "ecmp.fib.route"
local ipam = require "ecmp.flow.ipam"
local json = require "ecmp.json"
local neighbours = later "ecmp.flow.neighbours"
local objects = require "ecmp.flow.nexthop_objects"
local policy_rules = require "ecmp.flow.policy_rules"
local record = require "ecmp.flow.record"

local M = {}

local function warn(what, message)
  log.warn(("DEL: %s: %s"):format(what, message))
end

---Runs one step; whatever goes wrong in it is logged and ends it alone.
local function attempt(what, step, ...)
  local called, ok, message = pcall(step, ...)
  if not called then ok, message = nil, ok end
  if ok == nil and message then warn(what, message) end
end

-- Routes that also leave by other interfaces lose our next hops before our interface goes: in IPv4
-- the whole route would go with it. Routes that were there before return.
local function restore_routes(nl, was, dev)
  local current, message = context.routes(nl)
  if not current then return nil, message end
  local touched <const> = {}
  for _, list in ipairs { was.wanted or {}, was.found or {} } do
    for _, route in ipairs(list) do touched[identity.slot(route)] = true end
  end
  local ours <const>, elsewhere <const> = {}, changes.added_elsewhere(was, dev)
  for _, route in ipairs(current) do
    local own <const> = changes.part(route, dev, elsewhere)
    if own and touched[identity.slot(route)] then ours[#ours + 1] = own end
  end
  local before <const>, after <const> = changes.of(current, ours, was.found or {}, dev, elsewhere)
  local plan
  plan, message = ecmp_plan(before, after)
  if not plan then return nil, message end
  return plan:apply(nl)
end

-- A value that somebody else has set meanwhile is theirs.
local function restore_sysctls(nl, was)
  for key, old in pairs(was.sysctls or {}) do
    local now <const> = nl.sysctl:get(key)
    local set <const> = was.plan and was.plan.sysctls and was.plan.sysctls[key]
    if now and set and now:gsub("%s+$", "") == tostring(set) and old ~= now then
      local ok, message = nl.sysctl:set(key, old)
      if not ok then warn("sysctl " .. key, message) end
    end
  end
  return true
end

-- Routes by our interface alone go with it.
local function reaches_beyond(was, dev)
  for _, route in ipairs(was.wanted or {}) do
    for _, hop in ipairs(route.nexthops or {}) do
      if hop.dev ~= dev then return true end
    end
  end
  return false
end

local function undo_in_pod(nl, was, call, plugin)
  if not was then return end
  if not plugin.attach or reaches_beyond(was, call.ifname) then
    attempt("routes", restore_routes, nl, was, call.ifname)
  end
  if not plugin.attach then
    -- An older record has those of the plan alone.
    attempt("neighbours", neighbours.release, nl,
      was.neighbours or was.plan and was.plan.neighbours)
  end
  attempt("policy rules", policy_rules.remove, nl, was.policyRules)
  attempt("next-hop objects", objects.remove, nl, was.objects)
  attempt("sysctls", restore_sysctls, nl, was)
end

-- The namespace may be gone, or be none any more; then so is what was in it.
local function open(call)
  if not call.netns or call.netns == "" then return nil end
  local opened, nl, message = pcall(netlink.open, { netns = call.netns })
  if opened and nl then return nl end
  warn("namespace " .. call.netns, opened and message or nl)
  return nil
end

---The configured IPAM type, or the recorded one where the configuration names none.
local function ipam_type(call, was)
  local conf <const> = json.get(call.conf, "ipam")
  local kind <const> = type(conf) == "table" and json.get(conf, "type")
  if type(kind) == "string" and kind ~= "" then return kind end
  return was and was.ipam ~= "" and was.ipam or nil
end

---@param call table
---@param plugin table
---@return true? ok, string? message, string|integer? code
function M.run(call, plugin)
  local was <const> = record.load(call)
  local nl <close> = open(call)
  attempt("health", health.forget, call)
  if nl then undo_in_pod(nl, was, call, plugin) end
  if plugin.detach then attempt("interface " .. call.ifname, plugin.detach, call, nl, was) end
  local kind <const> = plugin.attach and ipam_type(call, was)
  local ok, message, code = true, nil, nil
  if kind then ok, message, code = ipam.ask(call, kind, "DEL") end
  attempt("record", record.remove, call)
  if not ok then return nil, message, code end
  return true
end

return M
