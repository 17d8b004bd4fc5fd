---Stage: whether the pod is as an ADD needs it, before anything is handed out.
local expect <const> = require "ecmp.flow.expect"
local netlink <const> = require "ecmp.nl"
local record <const> = require "ecmp.flow.record"

local M = {}

local BAD_VARIABLE <const>, FAILED <const> = 4, 999

-- A pod that is attached under this name lives on, with its addresses and its record.
local function refuse_living(state)
  local call <const> = state.call
  local was <const> = state.nl and state.plugin.attach and record.read(call)
  if not was or not was.netns or was.netns == call.netns then return true end
  local opened <const>, nl <close> = pcall(netlink.open, { netns = was.netns })
  if not opened or not nl or not nl.link:get { dev = call.ifname } then return true end
  return nil, ("CNI_CONTAINERID: %s has an interface %s of network %s already, in %s (EEXIST)")
    :format(call.containerid, call.ifname, was.network, was.netns), FAILED
end

local function refuse_existing(state)
  local name <const> = state.call.ifname
  if not state.plugin.attach then return true end
  if name:find("%", 1, true) then
    return nil, ("CNI_IFNAME: '%s' has a per cent sign in it, of which the kernel makes a number")
      :format(name), BAD_VARIABLE
  end
  if not state.ctx.links[name] then return true end
  return nil, ("CNI_IFNAME: an interface %s exists already in %s (EEXIST)")
    :format(name, state.call.netns), FAILED
end

---@param state table
---@return table? state, string? message, integer? code  100 for a script that cannot be loaded
function M.run(state)
  local ok, message, code = refuse_existing(state)
  if ok then ok, message, code = refuse_living(state) end
  if not ok then return nil, message, code end
  expect.links(state)
  if state.script then ok, message, code = state.script:ready() end
  if not ok then return nil, message, code end
  return state
end

return M
