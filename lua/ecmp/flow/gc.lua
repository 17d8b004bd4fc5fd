---The verb GC: drops what belongs to attachments that are not in the list of valid ones.
--
-- Without a list, or with null, nothing is dropped: nobody said what is valid. An empty list says
-- that nothing is.
local health = require "ecmp.flow.health"
local ipam = require "ecmp.flow.ipam"
local json = require "ecmp.json"
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
local function remove_rules(was)
  for _, step in ipairs(was.steps or {}) do
    local rules <const> = step.policyRules
    if rules and #rules > 0 and was.netns and sys.same_netns(OWN, was.netns) == false then
      local opened <const>, nl <close> = pcall(netlink.open, { netns = was.netns })
      if opened and nl then policy_rules.remove(nl, rules) end
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
    remove_rules(was)
  end
  local conf <const> = json.get(call.conf, "ipam")
  local kind <const> = plugin.attach and type(conf) == "table" and json.get(conf, "type")
  local code = 999
  if plugin.sweep then
    local ok, message = plugin.sweep(call, stale)
    if not ok and message ~= nil then problems[#problems + 1] = message end
  end
  if type(kind) == "string" and kind ~= "" then
    local ok, message, number = ipam.ask(call, kind, "GC")
    if not ok then problems[#problems + 1], code = message, number or code end
  end
  if #problems > 0 then return nil, table.concat(problems, "; "), code end
  return true
end

return M
