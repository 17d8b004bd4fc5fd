---The argument of a CNI verb: its parameters, handles on pod and host, and the undo stack of an
---ADD.
local errors = require "ecmp.cni.errors"
local shown = require("ecmp.errors").shown
local undo = require "ecmp.undo"

---@class ecmp.Call
---@field command "ADD"|"DEL"|"CHECK"|"GC"|"STATUS"
---@field containerid string "" where the verb has none, as the other variables
---@field netns string path of the pod's namespace
---@field ifname string name of the interface in the pod
---@field path string CNI_PATH
---@field args table<string, string> CNI_ARGS by key
---@field args_text string CNI_ARGS as it came
---@field conf table the configuration; `json.get(conf, "key")` matches in any case
---@field stdin string the configuration as it came
---@field version string the version that is spoken
---@field prev? ecmp.Result the previous result
---@field form? "routes"|"gws" ADD: how the result writes multipath routes
---@field valid? { containerid: string, ifname: string }[] GC: what is alive
---@field plugin string the type called as, without `ecmp-`
---@field dropin boolean whether that was the bare name of a reference plugin
---@field changes table what is taken back should the verb fail (ecmp.undo)
local Call <const> = { __name = "ecmp.Call" }
Call.__index = Call

local M = {}

---Makes a call.
---@param fields table its fields
---@return ecmp.Call
function M.new(fields)
  fields.changes = undo.new(undo.warn)
  return setmetatable(fields, Call)
end

---The same call with other fields; what it changes is taken back with the first.
---@param call ecmp.Call
---@param fields table
---@return ecmp.Call
function M.with(call, fields)
  local copy <const> = {}
  for key, value in pairs(call) do copy[key] = value end
  for key, value in pairs(fields) do copy[key] = value end
  return setmetatable(copy, getmetatable(call))
end

---A call inside of another: what it changes is taken back when it fails, and with the other.
---@param call ecmp.Call
---@param fields table
---@return ecmp.Call
function M.inner(call, fields)
  if not call.changes then return M.with(call, fields) end
  local inner <const> = M.new(M.with(call, fields))
  call.changes:push(("ADD of %s"):format(inner.plugin),
    function()
      inner.changes:rollback() -- warns of what it cannot
      return true
    end,
    function() inner.changes:commit() end)
  return inner
end

---Takes back what the verb of a call changed through it, newest first.
---@param call ecmp.Call
function M.take_back(call)
  if call.changes then call.changes:rollback() end
end

---Keeps it.
---@param call ecmp.Call
function M.keep(call)
  if call.changes then call.changes:commit() end
end

-- Handles ----------------------------------------------------------------------------------------

---@return ecmp.Handle? nl, string? message, integer|string|nil code
local function open(netns)
  if netns == "" then return nil, "CNI_NETNS: not given", errors.codes.netns end
  local nl <const>, message <const>, code <const> = require("ecmp.nl").open { netns = netns }
  if nl or not netns then return nl, message, code end
  return nil, "CNI_NETNS: " .. message, errors.codes.netns
end

-- What cannot be opened is refused by who runs the verb.
local function must(nl, message, code)
  if nl then return nl end
  error(errors.new(code, message), 0)
end

---A handle on the pod's namespace; one that cannot be opened is refused.
---@param call ecmp.Call
---@return ecmp.Handle nl
function M.pod(call)
  return must(open(call.netns))
end

---A handle whose changes are taken back with what else is on a stack, and which is closed then.
---@param stack table ecmp.undo
---@param netns? string the host's where it is left out
---@return ecmp.Handle nl
function M.change(stack, netns)
  local nl <const> = must(open(netns))
  local tx <const> = nl:begin()
  stack:push(("changes of the %s"):format(netns and "pod" or "host"),
    function() return tx:rollback() end, function() tx:commit() end)
  stack:at_last(function() nl:close() end)
  return nl
end

---Raises where a place is neither the pod nor the host.
---@param name string of the method, for the message
---@param where any
function M.check_place(name, where)
  if where ~= nil and where ~= "pod" and where ~= "host" then
    error(("%s: 'pod' or 'host' is due here, not %s"):format(name, shown(where)), 3)
  end
end

---A handle on the pod, or on the host. An ADD that fails takes back what was changed through it; it
---is closed when the verb has ended.
---@param where? "pod"|"host" the pod where it is left out
---@return ecmp.Handle? nl in DEL nil, message, code where the pod is gone; elsewhere that is
---refused with code 8
---@return string? message, integer|string|nil code
function Call:open(where)
  M.check_place("call:open", where)
  local netns <const> = where ~= "host" and self.netns or nil
  if self.command == "ADD" then return M.change(self.changes, netns) end
  local nl <const>, message <const>, code <const> = open(netns)
  if not nl and self.command == "DEL" then return nil, message, code end
  must(nl, message, code)
  local function close() nl:close() end
  self.changes:push("handle", close, close)
  return nl
end

---Notes how an ADD that fails takes one thing back, newest first. The verb's own DEL is not called.
---@param what string for the line on stderr, should that fail
---@param f fun(): any, string? nil, message is a failure, and so is an error
function Call:undo(what, f)
  if type(what) ~= "string" or type(f) ~= "function" then
    error("call:undo: text and a function are due here", 2)
  elseif self.command ~= "ADD" then
    error("call:undo: only an ADD takes things back", 2)
  end
  self.changes:push(what, f)
end

return M
