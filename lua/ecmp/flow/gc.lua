---The verb GC: drops what belongs to attachments that are not in the list of valid ones.
--
-- Without a list, or with null, nothing is dropped: nobody said what is valid. An empty list says
-- that nothing is.
local errors = require "ecmp.cni.errors"
local health = require "ecmp.flow.health"
local hooks = require "ecmp.flow.hooks"
local ipam = require "ecmp.flow.ipam"
local json = require "ecmp.json"
local log = require "ecmp.log"
local netlink = require "ecmp.nl"
local policy_rules = require "ecmp.flow.policy_rules"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local M = {}

local function name_of(attachment)
  return attachment.containerid .. "/" .. attachment.ifname
end

local function sweep(call)
  local keep <const> = {}
  for _, entry in ipairs(call.valid) do keep[name_of(entry)] = true end
  return record.sweep(json.get(call.conf, "name"), function(was) return keep[name_of(was)] end)
end

local OWN <const> = "/proc/self/ns/net"

-- The namespace of a pod may outlive its attachment, and policy rules no interface.
local function remove_rules(was, problems)
  for _, step in ipairs(was.steps or {}) do
    local rules <const> = step.policyRules
    if rules and #rules > 0 and was.netns and sys.same_netns(OWN, was.netns) == false then
      local nl <close>, message, code = netlink.open { netns = was.netns }
      local removed = code == "ENOENT" -- gone since it was looked at
      if nl then removed, message = policy_rules.remove(nl, rules) end
      if not removed then
        problems[#problems + 1] = ("policy rules of %s: %s"):format(name_of(was), message)
      end
    end
  end
end

---@param call table
---@param plugin table
---@return true? ok, string? message, string|integer? code  all problems in one message
function M.run(call, plugin)
  if not call.valid then return true end
  local problems <const>, stale <const> = sweep(call)
  for _, was in ipairs(stale) do
    health.forget_record(was)
    remove_rules(was, problems)
  end
  local conf <const> = json.get(call.conf, "ipam")
  local kind <const> = plugin.attach and type(conf) == "table" and json.get(conf, "type")
  -- whatever becomes of the hook, addresses are freed
  local swept <const>, ok <const>, refusal <const>, reason <const> =
    pcall(errors.returning(hooks.call), plugin, "sweep", call, stale)
  local code = reason
  if swept and not ok then problems[#problems + 1] = refusal end
  if type(kind) == "string" and kind ~= "" then
    local asked <const>, message <const>, number <const> = ipam.ask(call, kind, "GC")
    if not asked then problems[#problems + 1], code = message, code or number end
  end
  local text <const> = table.concat(problems, "; ")
  if not swept then
    if text ~= "" then log.warn("GC: " .. text) end
    error(ok, 0)
  end
  if text ~= "" then return nil, text, code or errors.codes.internal end
  return true
end

return M
