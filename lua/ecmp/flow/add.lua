---The verb ADD: all stages, or nothing at all.
local netlink = require "ecmp.nl"
local expect = require "ecmp.flow.expect"
local flow = require "ecmp.flow"
local record = require "ecmp.flow.record"
local undo_list = require "ecmp.flow.undo"

local M = {}

-- The CNI error code for a namespace that cannot be used.
local BAD_NETNS <const> = 8

---Opens the pod's namespace.
---@param call table
---@return table? nl, string? message, integer? code
function M.open(call)
  local nl <const>, message = netlink.open { netns = call.netns }
  if not nl then return nil, ("CNI_NETNS: %s"):format(message), BAD_NETNS end
  return nl
end

-- A pod that is attached under this name lives on, with its addresses and its record.
local function refuse_living(state)
  local call <const> = state.call
  local was <const> = state.nl and state.plugin.attach and record.read(call)
  if not was or not was.netns or was.netns == call.netns then return true end
  local opened <const>, nl <close> = pcall(ecmp.open, { netns = was.netns })
  if not opened or not nl or not nl.link:get { dev = call.ifname } then return true end
  return nil, ("CNI_CONTAINERID: %s has an interface %s of network %s already, in %s (EEXIST)")
    :format(call.containerid, call.ifname, was.network, was.netns), 999
end

local function refuse_existing(state)
  local name <const> = state.call.ifname
  if state.plugin.attach and name:find("%", 1, true) then
    return nil, ("CNI_IFNAME: '%s' has a per cent sign in it, of which the kernel makes a number")
      :format(name), 4
  end
  if not state.plugin.attach or not state.ctx.links[name] then return true end
  return nil, ("CNI_IFNAME: an interface %s exists already in %s (EEXIST)")
    :format(name, state.call.netns), 999
end

---Begins to load the script, in its own process, while the pod is looked at.
local function start_script(state)
  local conf <const> = state.conf
  if not conf.script or state.script then return true end
  local script, message, code = require("ecmp.sandbox").start(conf.script, {
    trusted = conf.trusted, merge = conf.merge,
  })
  if not script then return nil, message, code end
  state.script = script
  return true
end

-- Before anything is handed out it is known whether there is a rule to run.
local function await_script(state)
  if not state.script then return true end
  return state.script:ready()
end

local function read_context(state)
  return flow.run(state, "context", "context")
end

---Runs the stages up to the plan; nothing is changed but what the IPAM plugin handed out.
---@param state table with call, plugin, undo, and nl unless nothing is to be read
---@return table? state, string? message, string|integer? code
function M.prepare(state)
  for _, step in ipairs { start_script, read_context, refuse_existing, refuse_living, expect.links,
    await_script } do
    local ok, message, code = step(state)
    if not ok then return nil, message, code end
  end
  local ok, message, code, details = flow.run(state, "ipam", "plan")
  -- The script has had its last word; its process need not wait for addresses and links, nor they
  -- for its end.
  if state.script and not state.dry then state.script:finish() end
  return ok, message, code, details
end

---@param call table
---@param plugin table
---@return table? result, string? message, string|integer? code, string? details
function M.run(call, plugin)
  local state <const> = { call = call, plugin = plugin }
  local ok, message, code = flow.run(state, "netconf", "netconf")
  if ok then ok, message, code = start_script(state) end
  if not ok then return nil, message, code end
  local nl <close>, why, number = M.open(call)
  if not nl then return nil, why, number end
  local details
  local undo <close> = undo_list.new()
  state.nl, state.undo = nl, undo
  ok, message, code, details = M.prepare(state)
  if ok then ok, message, code, details = flow.run(state, "apply", "result") end
  if ok then ok, message, code = record.add(call, { result = state.result }) end
  if not ok then return nil, message, code, details end
  undo:commit()
  return state.result
end

return M
