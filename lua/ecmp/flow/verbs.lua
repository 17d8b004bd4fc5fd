---The verbs of an interface plugin: which stages each runs, and on what.
--
-- A refusal, from any depth, is thrown (`cni.try`) and caught by who runs the verb.
local errors = require "ecmp.cni.errors"
local ipam = require "ecmp.flow.ipam"
local netlink = require "ecmp.nl"
local record = require "ecmp.flow.record"
local stages = require "ecmp.flow.stages"
local try = require("ecmp.cni").try
local undo_stack = require "ecmp.undo"

local M = {}

-- The CNI error codes for a mistake in the configuration, and for a namespace that cannot be used.
local MISTAKE <const>, BAD_NETNS <const> = 7, 8

---Opens the pod's namespace.
local function open(call)
  local nl <const>, message <const> = netlink.open { netns = call.netns }
  return try(nl, nl or "CNI_NETNS: " .. message, BAD_NETNS)
end

-- The IPAM plugin's own verb, where an interface plugin has one.
local function ask_ipam(state, verb)
  local kind <const> = state.conf.ipam.type
  if kind ~= "" and state.plugin.attach then try(ipam.ask(state.call, kind, verb)) end
  return true
end

---All stages, or nothing at all.
---@param call table
---@param plugin table
---@return table result
function M.add(call, plugin)
  local state <const> = stages.run({ call = call, plugin = plugin }, "netconf", "script")
  local nl <close> = open(call)
  local undo <close> = undo_stack.new()
  state.nl, state.undo = nl, undo
  stages.run(state, "context", "plan")
  -- The script has had its last word; its process need not wait for addresses and links, nor they
  -- for its end.
  if state.script then state.script:finish() end
  stages.run(state, "apply", "result")
  try(record.add(call, { result = state.result }))
  undo:commit()
  return state.result
end

---Is everything still as the ADD left it?
---@param call table
---@param plugin table
---@return true ok
function M.check(call, plugin)
  local state <const> = stages.run({ call = call, plugin = plugin }, "netconf", "netconf")
  try(call.prev, "prevResult: must be given for CHECK", MISTAKE)
  if state.conf.skipcheck then return true end
  local nl <close> = open(call)
  state.nl = nl
  require("ecmp.flow.check").run(state)
  return ask_ipam(state, "CHECK")
end

---Removes what is there, and never fails for what is missing.
---@param call table
---@param plugin table
---@return true ok
function M.del(call, plugin)
  return try(require("ecmp.flow.del").run(call, plugin))
end

---Drops what belongs to attachments that are not in the list of valid ones.
---@param call table
---@param plugin table
---@return true ok
function M.gc(call, plugin)
  return try(require("ecmp.flow.gc").run(call, plugin))
end

---An interface plugin can serve an ADD when its IPAM plugin can.
---@param call table
---@param plugin table
---@return true ok
function M.status(call, plugin)
  return ask_ipam(stages.run({ call = call, plugin = plugin }, "netconf", "netconf"), "STATUS")
end

---What an ADD would come to: all stages but the one that changes the machine.
---@param state table with call, plugin and `dry`
---@return table? state, string? message, integer|string? code, string? details
M.preview = errors.returning(function(state)
  stages.run(state, "netconf", "plan")
  return stages.run(state, "result", "result")
end)

return M
