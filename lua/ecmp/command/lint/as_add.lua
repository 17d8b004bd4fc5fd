---Finds what an ADD would refuse of a configuration, without a pod, reservations or other programs.
--
-- The stages of a real ADD run on an empty pod, as for `ecmp plan`; addresses are the first of each
-- range, so that the answer does not depend on what a node has handed out.
local calls = require "ecmp.cni.call"
local cni = require "ecmp.cni"
local cni_result = require "ecmp.cni.result"
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local netconf = require "ecmp.flow.netconf"
local pool = require "ecmp.plugin.host-local.pool"
local programs = require "ecmp.command.programs"
local verbs = require "ecmp.flow.verbs"
local version = require "ecmp.cni.version"

local M = {}

local function call_for(conf, program, prev)
  return calls.new {
    command = "ADD", containerid = "lint", netns = "", ifname = "eth0", args = {}, args_text = "",
    path = "", conf = conf, stdin = json.encode(conf), prev = prev,
    version = json.get(conf, "cniVersion") or version.oldest,
    plugin = program.type, dropin = program.dropin,
  }
end

-- The first address of each range set; range 0 of a fresh node gives the same.
local function from_ranges(conf)
  local read <const>, message <const> = pool.read(conf)
  if not read then return nil, message end
  local ips <const> = {}
  for i, set in ipairs(read.sets) do
    local address <const>, range <const> = set:candidates()()
    if not address then return nil, set.path .. ": has no address but the gateway's" end
    ips[i] = { address = ("%s/%d"):format(address, range.length),
      gateway = tostring(range.gateway) }
  end
  return { ips = ips, routes = json.get(conf.ipam, "routes") }
end

-- What an IPAM plugin of ours would hand out; nil without a message where that is not known.
local function handed_out(program, conf, call)
  local given, message
  if program.type == "static" then
    given, message = cni.invoke(require(program.module), call, "ADD", program.type)
  elseif program.type == "host-local" or program.type == "pool" then
    given, message = from_ranges(conf)
  end
  if not given then return nil, message end
  given.cniVersion = version.latest
  return cni_result.parse(given, version.latest)
end

local check_conf <const> = errors.returning(netconf.run)

-- Whether it is known what the stages find: what another plugin hands out or has handed on is not.
local function complete(state)
  local call <const>, kind <const> = state.call, state.conf.ipam.type
  if not state.plugin.attach then return call.prev ~= nil end
  local program <const> = programs.plugin(kind)
  local message
  if program then state.ipam_result, message = handed_out(program, call.conf, call) end
  if message then return nil, message end
  -- One that hands out nothing is refused.
  return state.ipam_result ~= nil or kind == ""
    or program and require(program.module).plugin ~= nil or false
end

local function preview(conf, program, prev)
  local state <const> = { call = call_for(conf, program, prev), dry = true,
    plugin = require(program.module).plugin }
  local ok, message = check_conf(state)
  if ok then ok, message = complete(state) end
  if ok == nil then return nil, message end
  if not ok then return true end
  ok, message = verbs.preview(state)
  if not ok then return nil, message end
  return state
end

---Runs the plugins of ours in a chain as an ADD would.
---@param list table[] `{ conf, program? }`: program is nil for what is none of ours
---@param say fun(i: integer, message: string) gets what each would refuse
function M.chain(list, say)
  local prev
  for i, one in ipairs(list) do
    local plugin <const> = one.program and require(one.program.module).plugin
    if not plugin then
      prev = nil
    else
      local state <const>, message <const> = preview(one.conf, one.program, prev)
      if not state then say(i, message) end
      prev = type(state) == "table" and state.result or nil
    end
  end
end

return M
