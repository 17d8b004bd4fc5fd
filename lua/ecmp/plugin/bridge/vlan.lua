---VLANs of a bridge's ports: `vlan`, `vlanTrunk` and `preserveDefaultVlan`.
--
-- A pod's port is in its VLAN without tags, in those of the trunk with them, and stays in what the
-- bridge puts all ports in unless the configuration says otherwise. A bridge that is made
-- for a configuration with VLANs filters by them; one that was there is left as it is, as with the
-- reference plugin, which is told of because the pods are then not kept apart.
local log = require "ecmp.log"
local names = require "ecmp.cni.names"
local interface = require "ecmp.flow.interface"
local ports = require "ecmp.plugin.bridge.ports"
local schema = require "ecmp.cni.schema"

local M = {}

local LOWEST <const>, HIGHEST <const> = 1, 4094

local id <const> = schema.integer(LOWEST, HIGHEST)
local span <const> = schema.record { { "id", id }, { "minID", id }, { "maxID", id } }

local function check_span(value, path)
  local checked, message = span(value, path)
  if not checked then return nil, message end
  if (checked.minID == nil) ~= (checked.maxID == nil) then
    return nil, ("%s.%s: must be given together with %s"):format(path,
      checked.minID and "maxID" or "minID", checked.minID and "minID" or "maxID")
  end
  if checked.minID and checked.minID > checked.maxID then
    return nil, ("%s.minID: %d is greater than maxID, %d")
      :format(path, checked.minID, checked.maxID)
  end
  return checked
end

---A check of `vlanTrunk`.
M.trunk = schema.list(schema.as({ like = span }, check_span))

---Whether a configuration wants VLANs told apart. (An empty trunk does, too.)
---@param conf table
---@return boolean
function M.asked_for(conf)
  return (conf.vlan or 0) ~= 0 or conf.vlanTrunk ~= nil
end

local function trunk_ids(conf)
  local known <const>, list <const> = {}, {}
  local function note(first, last)
    for vid = first, last do
      if not known[vid] then list[#list + 1], known[vid] = vid, true end
    end
  end
  for _, entry in ipairs(conf.vlanTrunk or {}) do
    if entry.minID then note(entry.minID, entry.maxID) end
    if entry.id then note(entry.id, entry.id) end
  end
  table.sort(list)
  return list
end

---The VLANs that a pod's port is to be in.
---@param conf table
---@return table[] vlans `{ vid, pvid?, untagged? }`, its own first
function M.wanted(conf)
  local trunk <const>, own <const> = trunk_ids(conf), conf.vlan or 0
  local list <const> = { own ~= 0 and { vid = own, pvid = true, untagged = true } or nil }
  for _, vid in ipairs(trunk) do
    if vid ~= own then list[#list + 1] = { vid = vid } end
  end
  return list
end

-- What the bridge put the port in when it was plugged in.
local function leave_default(host, port)
  local now, message, code = host.vlan:list { dev = port }
  if not now then return nil, message, code end
  if not now[1] or not now[1].vlans then return true end
  return host.vlan:del { dev = port, vlans = now[1].vlans }
end

---Puts a port into the VLANs of its configuration.
---@param host table
---@param port string
---@param conf table
---@return true? ok, string? message, string? code
function M.set(host, port, conf)
  local wanted <const> = M.wanted(conf)
  if #wanted == 0 then return true end
  local ok, message, code = true, nil, nil
  if conf.preserveDefaultVlan == false then ok, message, code = leave_default(host, port) end
  if not ok then return nil, message, code end
  return host.vlan:add { dev = port, vlans = wanted }
end

---Tells of a bridge that does not heed the VLANs of its ports.
---@param conf table
---@param bridge table the link
function M.warn(conf, bridge)
  if not M.asked_for(conf) or bridge.vlan_filtering == 1 then return end
  log.warn(("bridge %s was made without vlan_filtering: its ports are not kept apart")
    :format(bridge.name))
end

-- The VLANs that a port is not in as it should be, each with how it is.
local function lacking(host, port, conf)
  local wanted <const>, list <const> = M.wanted(conf), {}
  if #wanted == 0 then return list end
  local now <const>, message <const>, code <const> = host.vlan:list { dev = port }
  if not now then return nil, message, code end
  local found <const> = {}
  for _, entry in ipairs(now[1] and now[1].vlans or {}) do found[entry.vid] = entry end
  for _, entry in ipairs(wanted) do
    local is <const> = found[entry.vid]
    if not is or is.pvid ~= entry.pvid or is.untagged ~= entry.untagged then
      list[#list + 1] = { wanted = entry, is = is }
    end
  end
  return list
end

---For CHECK: the VLANs that a port lacks.
---@param host table
---@param port string
---@param conf table
---@param say fun(sentence: string)
function M.inspect(host, port, conf, say)
  local list <const>, message <const> = lacking(host, port, conf)
  if not list then return say(message) end
  for _, one in ipairs(list) do
    if not one.is then
      say(("port %s is not in vlan %d"):format(port, one.wanted.vid))
    else
      say(("port %s is in vlan %d %s tags"):format(port, one.wanted.vid,
        one.is.untagged and "without" or "with"))
    end
  end
end

---For `ecmp repair`: puts a port into the VLANs that it lacks.
---@param host table
---@param port string
---@param conf table
---@param fix fun(what: string, mend: function)
---@return true? ok, string? message, string? code
function M.repair(host, port, conf, fix)
  local list <const>, message <const>, code <const> = lacking(host, port, conf)
  if not list then return nil, message, code end
  for _, one in ipairs(list) do
    fix(("port %s in vlan %d"):format(port, one.wanted.vid), function()
      return host.vlan:add { dev = port, vlans = { one.wanted } }
    end)
  end
  return true
end

-- The bridge's own interface in a VLAN -----------------------------------------------------------

---Its name: with the reference plugin, BRIDGE.VLAN.
---@param conf table
---@return string? name nil where no VLAN is configured
function M.gateway_name(conf)
  local own <const> = conf.vlan or 0
  return own ~= 0 and ("%s.%d"):format(conf.bridge, own) or nil
end

---Whether that can be a name, where there is to be such an interface.
---@param conf table
---@return true? ok, string? message, integer? code
function M.check_gateway(conf)
  local name <const> = conf.isGateway and M.gateway_name(conf)
  if not name or names.check_interface(name, "bridge") then return true end
  return nil, ("bridge: '%s' leaves no room for the name of its interface in the VLAN, %s")
    :format(conf.bridge, name), "EINVAL"
end

-- The end that is plugged into the bridge gets a name by chance, the other has the address.
local function make_pair(state, name)
  local conf <const>, host <const> = state.conf, state.host
  local bridge, message, code = host.link:get { dev = conf.bridge }
  if not bridge then return nil, message, code end
  local port
  port, message, code = interface.make_host_pair(host, name, conf.bridge, bridge.mtu)
  -- Another ADD was faster.
  if code == "EEXIST" and host.link:get { dev = name } then return true end
  if not port then return nil, message, code end
  state.undo:push("interface " .. name, function()
    if ports.any(host, conf.bridge, { [state.port] = true, [port] = true }) then return true end
    return host.link:del { dev = name }
  end)
  host.sysctl:set(("net/ipv6/conf/%s/accept_ra"):format(port), "0")
  local ok
  ok, message, code = M.set(host, port,
    { vlan = conf.vlan, preserveDefaultVlan = conf.preserveDefaultVlan })
  if not ok then return nil, message, code end
  return host.link:set { dev = port, up = true }
end

---The interface that has the gateway's address: the bridge, or in a VLAN one of its own, which is
---made if it is not there, goes into the result, and stays for the pods to come.
---@param state table
---@return string? name, string? message, string? code
function M.gateway(state)
  local name <const>, host <const> = M.gateway_name(state.conf), state.host
  if not name then return state.conf.bridge end
  local ok, message, code = true, nil, nil
  if not host.link:get { dev = name } then ok, message, code = make_pair(state, name) end
  if ok then ok, message, code = host.link:set { dev = name, up = true } end
  if not ok then return nil, message, code end
  state.interfaces[4], message, code = interface.describe(host, name)
  return state.interfaces[4] and name, message, code
end

return M
