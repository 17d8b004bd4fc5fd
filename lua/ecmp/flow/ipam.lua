---Stage `ipam`: asks the IPAM plugin for addresses and routes; `state.ipam`, `state.addresses`.
--
-- IPAM plugins that this process was started with run inside it; any other type is an executable on
-- CNI_PATH. Either way what was handed out is given back when a later step fails, and also when
-- handing out itself failed: half an answer may have left a reservation behind.
local cni = require "ecmp.cni"
local ip = require "ecmp.ip"
local log = require "ecmp.log"
local version = require "ecmp.cni.version"

local M = {}

---An IPAM plugin that runs in this process.
---@param kind string the configured type
---@return table? verbs nil for an executable
---@return string plugin the type without the prefix
function M.own(kind)
  local plugin <const> = kind:gsub("^ecmp%-", "")
  return cni.provided(kind) or cni.provided(plugin), plugin
end

-- Plugins that ask for addresses themselves.
local INTERFACE_PLUGINS <const> = {
  ecmp = true, ptp = true, bridge = true, macvlan = true, ipvlan = true, loopback = true,
  ["route-override"] = true,
}

local function refuse_interface_plugin(kind)
  if not INTERFACE_PLUGINS[(kind:gsub("^ecmp%-", ""))] then return true end
  return nil, ("ipam.type: '%s' hands out no addresses, it asks for them"):format(kind), 7
end

-- The call as an IPAM plugin of ours gets it in this process. That it is to do as a reference
-- plugin is said by both names together.
local function call_by_name(call, kind)
  local named <const> = {}
  for key, value in pairs(call) do named[key] = value end
  named.dropin = call.dropin and not kind:find("^ecmp%-")
  return named
end

---Runs one verb of an IPAM plugin.
---@param call table the call of the plugin that asks
---@param kind string the configured type
---@param command string "ADD", "DEL", "CHECK", "GC", "STATUS"
---@return any result of ADD; true for the others
---@return string? message, integer? code, string? details
function M.ask(call, kind, command)
  local ok <const>, message <const>, code <const> = refuse_interface_plugin(kind)
  -- There is nothing to free by such a plugin.
  if not ok and command == "DEL" then
    log.warn("DEL goes on: " .. message)
    return true
  end
  if not ok then return nil, message, code end
  local verbs <const>, plugin <const> = M.own(kind)
  if verbs then return cni.invoke(verbs, call_by_name(call, kind), command, plugin) end
  local delegate <const> = require "ecmp.cni.delegate"
  if command == "ADD" then return delegate.add(call, kind) end
  return delegate.run(call, kind, command)
end

---What an IPAM plugin would hand out, with nothing reserved.
local function preview(state, kind)
  if state.ipam_result then return state.ipam_result end
  local ok <const>, message <const>, code <const> = refuse_interface_plugin(kind)
  if not ok then return nil, message, code end
  local verbs <const>, plugin <const> = M.own(kind)
  -- A plugin that keeps no books has nothing to reserve.
  local look <const> = verbs and (verbs.peek or kind:find("static$") and verbs.add)
  if look then return cni.invoke({ add = look }, call_by_name(state.call, kind), "ADD", plugin) end
  return nil, ("ipam.type: what '%s' would hand out cannot be known without asking it; "
    .. "give its result with --ipam-result"):format(kind), 7
end

-- What this ADD did not reserve is not its own to free: somebody living may hold it.
local function reserve(state, kind)
  local verbs <const>, plugin <const> = M.own(kind)
  local call <const> = verbs and call_by_name(state.call, kind) or state.call
  call.reserved = verbs and {} or nil
  local result, message, code, details
  if verbs then
    result, message, code, details = cni.invoke(verbs, call, "ADD", plugin)
  else
    result, message, code, details = M.ask(call, kind, "ADD")
  end
  -- One of ours that fails has reserved nothing, and a delegate that failed was told DEL already.
  if not result then return nil, message, code, details end
  state.undo:push("IPAM reservation by " .. kind, function()
    if verbs and verbs.give_back then return verbs.give_back(call) end
    return M.ask(state.call, kind, "DEL")
  end)
  return result
end

---Addresses in the form in which rules see them.
---@param ips table[] of a CNI result
---@param dev string
---@return table[] `{ address, gateway?, dev }`
function M.addresses(ips, dev)
  local addresses <const> = {}
  for i, entry in ipairs(ips or {}) do
    addresses[i] = { address = entry.address, gateway = entry.gateway, dev = dev }
  end
  return addresses
end

-- What a route of a result before 0.3.0 has no room for.
local NEWER <const> = { "priority", "table", "scope", "mtu", "advmss" }

-- Before 0.3.0 an IPAM result has no place for routes of a family in which it gives no address, nor
-- for more than a route's gateway; asked in this process, our own plugins say them all the same.
-- What a route says besides is left out under `separate`, which is what the reference plugins do.
local function sayable(result, state)
  if (version.compare(state.call.version, "0.3.0") or 0) >= 0 then return result end
  local given <const>, kept <const>, routes <const> = {}, {}, {}
  for _, entry in ipairs(result.ips) do given[assert(ip.parse(entry.address)):family()] = true end
  for _, route in ipairs(result.routes or {}) do
    if given[assert(ip.parse(route.dst)):family()] then
      local said <const> = {}
      for key, value in pairs(route) do said[key] = value end
      for _, key in ipairs(state.conf.merge == "separate" and NEWER or {}) do said[key] = nil end
      routes[#routes + 1] = said
    end
  end
  for key, value in pairs(result) do kept[key] = value end
  kept.routes = routes
  return kept
end

---@param state table
---@return table? state, string? message, integer|string? code, string? details
function M.run(state)
  local kind <const> = state.conf.ipam.type
  local needed <const> = state.plugin.needs_addresses
  if kind == "" then
    if needed then return nil, "ipam.type: must be given", 7 end
    state.ipam = { ips = {}, routes = {} }
  else
    local result, message, code, details = (state.dry and preview or reserve)(state, kind)
    if not result then return nil, message, code, details end
    if #(result.ips or {}) == 0 then
      return nil, ("ipam: '%s' handed out no address"):format(kind), 999
    end
    state.ipam = sayable(result, state)
  end
  state.addresses = M.addresses(state.ipam.ips, state.call.ifname)
  state.ctx.addresses = state.addresses
  return state
end

return M
