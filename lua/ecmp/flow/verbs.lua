---The verbs of an interface plugin: which stages each runs, and on what.
--
-- A refusal, from any depth, is thrown (`cni.try`) and caught by who runs the verb.
local calls = require "ecmp.cni.call"
local errors = require "ecmp.cni.errors"
local ipam = require "ecmp.flow.ipam"
local record = require "ecmp.flow.record"
local stages = require "ecmp.flow.stages"
local states = require "ecmp.flow.state"
local try = require("ecmp.cni").try
local undo_stack = require "ecmp.undo"

local M = {}

-- The CNI error codes for a mistake in the configuration, and for STATUS.
local MISTAKE <const>, UNAVAILABLE <const> = 7, 50

local function log_decisions(state)
  local log <const> = state.call.log
  if not log then return end
  log:decided(function()
    return { routes = require("ecmp.flow.explain").routes(state), sysctls = state.plan.sysctls,
      addresses = state.plan.addresses, notes = state.notes }
  end)
end

---All stages, or nothing at all.
---@param call table
---@param plugin table
---@return table result
function M.add(call, plugin)
  local state <const> = states.new { call = call, plugin = plugin }
  stages.run(state, "netconf", "script")
  local nl <close> = calls.pod(call)
  local undo <close> = undo_stack.new(undo_stack.warn)
  state.nl, state.undo = nl, undo
  stages.run(state, "context", "plan")
  log_decisions(state)
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
  local nl <close> = calls.pod(call)
  state.nl = nl
  return require("ecmp.flow.check").run(state)
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

-- An ADD would be refused whose rule script cannot be loaded.
local function try_script(conf)
  if not conf.script then return end
  local script <close>, message <const> = require("ecmp.sandbox").load(conf.script, {
    trusted = conf.trusted, merge = conf.merge,
  })
  try(script, not script and "script: " .. message, UNAVAILABLE)
end

---An ADD can be served when its record can be written, its rule script be run, and its IPAM plugin
---can serve it.
---@param call table
---@param plugin table
---@return true ok
function M.status(call, plugin)
  local state <const> = stages.run({ call = call, plugin = plugin }, "netconf", "netconf")
  local writable <const>, message <const> = record.probe()
  try(writable, message, UNAVAILABLE)
  try_script(state.conf)
  local kind <const> = state.conf.ipam.type
  if kind ~= "" and plugin.attach then try(ipam.ask(call, kind, "STATUS")) end
  return true
end

---What an ADD would come to: all stages but the one that changes the machine.
---@param state table with call, plugin and `dry`
---@return table? state, string? message, integer|string? code, string? details
M.preview = errors.returning(function(state)
  stages.run(state, "netconf", "plan")
  return stages.run(state, "result", "result")
end)

return M
