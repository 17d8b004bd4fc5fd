---Stage `pod`: refuses a pod that an ADD cannot use, before addresses are handed out.
local cni = require "ecmp.cni"
local errors = require "ecmp.cni.errors"
local expect = require "ecmp.flow.expect"
local netlink = require "ecmp.nl"
local record = require "ecmp.flow.record"

local M = {}

local refuse <const> = cni.refuse

local BAD_VARIABLE <const>, FAILED <const> = 4, 999

-- A pod that is attached under this name lives on, with its addresses and its record.
local function refuse_living(state)
  local call <const> = state.call
  local was <const> = state.nl and state.plugin.attach and record.read(call)
  if not was or not was.netns or was.netns == call.netns then return end
  local opened <const>, nl <close> = pcall(netlink.open, { netns = was.netns })
  if not opened or not nl or not nl.link:get { dev = call.ifname } then return end
  refuse(FAILED, ("CNI_CONTAINERID: %s has an interface %s of network %s already, in %s (EEXIST)")
    :format(call.containerid, call.ifname, was.network, was.netns))
end

local function refuse_existing(state)
  local name <const> = state.call.ifname
  if not state.plugin.attach then return end
  if name:find("%", 1, true) then
    refuse(BAD_VARIABLE, ("CNI_IFNAME: '%s' has a per cent sign in it, of which the kernel makes a "
      .. "number"):format(name))
  end
  if state.ctx.links[name] then
    refuse(FAILED, ("CNI_IFNAME: an interface %s exists already in %s (EEXIST)")
      :format(name, state.call.netns))
  end
end

---@param state table
---@return table? state, string? message, integer? code  100 for a script that cannot be loaded
M.run = errors.returning(function(state)
  refuse_existing(state)
  refuse_living(state)
  expect.links(state)
  if state.script then cni.try(state.script:ready()) end
  return state
end)

return M
