---bridge: a veth pair between the pod and a bridge on the host, with the reference plugin's keys.
--
-- What has to be so because others share the bridge: it is made once and reused, its own address is
-- added only if it is not there, and taking back a failed ADD removes the bridge only if this ADD
-- made it and nobody uses it meanwhile. A lock for each bridge keeps those two apart.
local netlink = require "ecmp.nl"
local bridge_gateway = require "ecmp.plugin.bridge.gateway"
local cni = require "ecmp.cni"
local flow = require "ecmp.flow"
local interface = require "ecmp.flow.interface"
local ip = require "ecmp.ip"
local ipam = require "ecmp.flow.ipam"
local json = require "ecmp.json"
local masquerade = require "ecmp.plugin.masquerade"
local record = require "ecmp.flow.record"
local ports = require "ecmp.plugin.bridge.ports"
local schema = require "ecmp.cni.schema"
local sys = require "ecmp.sys"
local vlan = require "ecmp.plugin.bridge.vlan"

local M = {}

local refuse <const>, try <const> = cni.refuse, cni.try

-- Most calls do without it.
local function spoofcheck() return require "ecmp.netfilter.spoofcheck" end

-- Seconds to wait for another ADD that is making the same bridge, and for the port to come up.
local LOCK_WAIT <const>, PORT_WAIT <const> = 20, 2.5

M.fields = schema.record {
  { "bridge", schema.new_interface },
  { "isGateway", schema.boolean },
  { "isDefaultGateway", schema.boolean },
  { "forceAddress", schema.boolean },
  { "ipMasq", schema.boolean },
  { "ipMasqBackend", masquerade.backend },
  { "mtu", schema.mtu },
  { "hairpinMode", schema.boolean },
  { "promiscMode", schema.boolean },
  { "vlan", schema.integer(0, 4094) },
  { "vlanTrunk", vlan.trunk },
  { "preserveDefaultVlan", schema.boolean },
  { "disableContainerInterface", schema.boolean },
  { "macspoofchk", schema.boolean },
  { "portIsolation", schema.boolean },
  { "enabledad", schema.boolean },
}

---@param conf table
---@param call table
---@return true? ok, string? message, integer? code
function M.check_conf(conf, call)
  if conf.hairpinMode and conf.promiscMode then
    return nil, "hairpinMode: cannot be set together with promiscMode", "EINVAL"
  end
  if conf.disableContainerInterface and conf.ipam.type ~= "" then
    return nil, "disableContainerInterface: cannot be set together with ipam.type", "EINVAL"
  end
  local address, message, code = interface.hardware_address(call)
  if message then return nil, message, code end
  conf.mac = address
  conf.bridge = conf.bridge or "cni0"
  conf.isGateway = conf.isGateway or conf.isDefaultGateway or false
  return vlan.check_gateway(conf)
end

-- Gateways -------------------------------------------------------------------------------------

local DEFAULT <const> = { [4] = "0.0.0.0/0", [6] = "::/0" }

local function has_default(routes, family)
  for _, route in ipairs(routes) do
    local way <const> = route.gw or route.gws or route.nexthops
    if way and tostring(ip.parse(route.dst)) == DEFAULT[family] then return true end
  end
  return false
end

---Stage `ipam`: the bridge is the gateway of addresses that name none, and of the pod if asked.
local function with_gateways(state)
  local ok, message, code, details = ipam.run(state)
  if not ok then return nil, message, code, details end
  local conf <const>, result <const> = state.conf, state.ipam
  result.routes = result.routes or json.array()
  local settled <const> = {}
  for _, entry in ipairs(conf.isGateway and result.ips or {}) do
    local address <const> = assert(ip.parse(entry.address))
    local family <const> = address:family()
    entry.gateway = entry.gateway or tostring((address:network() + 1):address())
    if conf.isDefaultGateway and not settled[family] and not has_default(result.routes, family) then
      table.insert(result.routes, { dst = DEFAULT[family], gw = entry.gateway })
    end
    settled[family] = true
  end
  state.addresses = ipam.addresses(result.ips, state.call.ifname)
  state.ctx.addresses = state.addresses
  return state
end

M.stages = { ipam = with_gateways }

---@param state table
---@return table fields for the record
function M.remember(state)
  return { masquerade = masquerade.choose(state), spoofcheck = state.conf.macspoofchk or nil }
end

---@param conf table
---@return boolean down whether the pod's end is for somebody else to bring up
function M.stays_down(conf) return conf.disableContainerInterface or false end

-- The bridge -----------------------------------------------------------------------------------

local function lock(name)
  local ok, message, code = sys.mkdir(record.directory, tonumber("755", 8))
  if not ok then return nil, message, code end
  return sys.lock(("%s/bridge-%s.lock"):format(record.directory, name),
    { timeout = LOCK_WAIT, create = true, mode = tonumber("600", 8) })
end

local function get(nl, name)
  return nl.link:get { dev = name }
end

local function remove_bridge(host, name)
  local held <close>, message = lock(name)
  if not held then return nil, message end
  if ports.any(host, name) then return true end
  return host.link:del { dev = name }
end

local function make_bridge(state, host)
  local conf <const>, name <const> = state.conf, state.conf.bridge
  try(host.link:add {
    name = name, type = "bridge", mtu = conf.mtu and conf.mtu > 0 and conf.mtu or nil,
    vlan_filtering = vlan.asked_for(conf) and 1 or nil,
  })
  state.undo:push("bridge " .. name, function() return remove_bridge(host, name) end)
end

---The bridge, made if it is not there, up and with the switches the configuration asks for.
local function ensure_bridge(state, host)
  local name <const> = state.conf.bridge
  if not get(host, name) then make_bridge(state, host) end
  local bridge <const> = try(get(host, name))
  if bridge.type ~= "bridge" then
    refuse(999, ("bridge: an interface %s exists already and is no bridge"):format(name))
  end
  vlan.warn(state.conf, bridge)
  -- Router advertisements from pods are not for the host.
  host.sysctl:set(("net/ipv6/conf/%s/accept_ra"):format(name), "0")
  local promisc <const> = state.conf.promiscMode or nil
  if not bridge.up or promisc and not bridge.promisc then
    local was <const> = { dev = name, up = bridge.up or false, promisc = bridge.promisc or false }
    state.undo:push("switches of bridge " .. name, function()
      return ports.any(host, name) or host.link:set(was)
    end)
  end
  -- A bridge whose hardware address was never set takes the lowest one of its ports, and another
  -- when they change. Setting the address it has keeps it; so the port comes after this.
  try(host.link:set {
    dev = name, address = interface.lasting_address(bridge), up = true, promisc = promisc,
  })
end

-- The veth pair --------------------------------------------------------------------------------

---Makes the pair with the pod's end in the pod; the host's end is a port of the bridge at once.
local function make_pair(state, host)
  local conf <const> = state.conf
  return interface.make_pair(state, host, {
    mtu = conf.mtu ~= 0 and conf.mtu or nil, address = conf.mac, master = conf.bridge,
  })
end

local function set_port(state, host, name)
  host.sysctl:set(("net/ipv6/conf/%s/accept_ra"):format(name), "0")
  local conf <const> = state.conf
  try(vlan.set(host, name, conf))
  try(host.link:set { dev = name, up = true })
  if not conf.hairpinMode and not conf.portIsolation then return end
  try(host.link:set {
    dev = name, port = "bridge", hairpin = conf.hairpinMode or nil,
    isolated = conf.portIsolation or nil,
  })
end

-- Duplicate address detection on a bridge costs a second and finds what IPAM has ruled out; the
-- reference plugin switches it off unless asked. Kernels without IPv6 lack the switches.
local function set_pod_switches(state)
  local dev <const> = state.call.ifname
  local switches <const> = { { "net/ipv4/conf/%s/arp_notify", "1" } }
  if state.conf.enabledad then
    table.insert(switches, { "net/ipv6/conf/%s/enhanced_dad", "1" })
    table.insert(switches, { "net/ipv6/conf/%s/accept_dad", "1" })
  else
    table.insert(switches, { "net/ipv6/conf/%s/accept_dad", "0" })
  end
  for _, switch in ipairs(switches) do state.nl.sysctl:set(switch[1]:format(dev), switch[2]) end
end

local function describe(state, host, port)
  local interfaces <const> = json.array()
  local wanted <const> = {
    { host, state.conf.bridge }, { host, port }, { state.nl, state.call.ifname, state.call.netns },
  }
  for i, entry in ipairs(wanted) do
    interfaces[i] = try(interface.describe(entry[1], entry[2], entry[3]))
  end
  state.interfaces, state.interface, state.port = interfaces, 2, port
end

---Makes the interface: bridge and port under the lock, so that nobody removes an empty bridge in
---between.
---@param state table
---@return true? ok, string? message, string|integer? code
function M.attach(state)
  local host <const> = try(netlink.open())
  -- Whatever becomes of the ADD, the handle is closed after the last undo step has used it.
  state.host = host
  state.undo:at_last(function() host:close() end)
  local _ <close> = try(lock(state.conf.bridge))
  ensure_bridge(state, host)
  local port <const> = try(make_pair(state, host))
  set_port(state, host, port)
  if #state.plan.addresses > 0 then set_pod_switches(state) end
  describe(state, host, port)
  if not state.conf.macspoofchk then return true end
  return spoofcheck().add(state, port, state.interfaces[3].mac)
end

local function is_up(state)
  local port <const>, message, code = get(state.host, state.port)
  if not port then return nil, message, code end
  return port.operstate == "UP", port.operstate
end

---Waits for the port to forward. The kernel says so by an event; mostly it has by now.
local function await_port(state)
  local up, what, code = is_up(state)
  if up or up == nil then return up, what, code end
  local events <close>, message, number = state.host:monitor { "link" }
  if not events then return nil, message, number end
  local begin <const> = sys.monotonic()
  while true do
    up, what, code = is_up(state)
    if up or up == nil then return up, what, code end
    local left <const> = PORT_WAIT - (sys.monotonic() - begin)
    if left <= 0 then
      return nil, ("bridge port %s is %s after %g s"):format(state.port, what, PORT_WAIT), 999
    end
    events:next(left)
  end
end

---What is left to do when the routes are there.
---@param state table
---@return true? ok, string? message, string|integer? code
function M.settle(state)
  try(bridge_gateway.serve(state))
  if not state.conf.disableContainerInterface then try(await_port(state)) end
  return masquerade.add(state)
end

-- DEL and CHECK --------------------------------------------------------------------------------

---Takes the pod's interface away, and with it the host's end. The bridge is shared and stays.
---@param call table
---@param nl table? handle of the pod's namespace; nil when that is gone
---@param was table? the record
---@return true? ok, string? message
function M.detach(call, nl, was)
  local gone, message = interface.detach(call, nl)
  local clean, why = masquerade.detach(call, was)
  local unchecked, because = true, nil
  if json.get(call.conf, "macspoofchk") or was and was.spoofcheck then
    unchecked, because = spoofcheck().detach(call)
  end
  if gone and clean and unchecked then return true end
  return nil, message or why or because
end

---@param call table with `valid`
---@param stale table[] records
---@return true? ok, string? message
function M.sweep(call, stale)
  local clean, why = masquerade.sweep(call)
  local unchecked, because = true, nil
  if #stale > 0 then unchecked, because = spoofcheck().sweep(stale) end
  if clean and unchecked then return true end
  return nil, why or because
end

-- The ports that an ADD lists: on the host, and before the pod's interface. What plugins behind
-- this one in the chain make on the host (bandwidth does) they list behind it.
local function ports_of(state)
  local list <const> = {}
  local result <const> = state.was and state.was.result or state.call.prev
  for _, entry in ipairs(result.interfaces or {}) do
    local is_ours <const> = (entry.sandbox or "") == ""
    if not is_ours and entry.name == state.call.ifname then break end
    if is_ours and entry.name ~= state.conf.bridge then list[#list + 1] = entry.name end
  end
  return list
end

local function inspect_port(host, name, state, say)
  local port <const> = get(host, name)
  if not port then
    say(("interface %s on the host is missing"):format(name))
  elseif port.master ~= state.conf.bridge then
    say(("interface %s is no port of bridge %s"):format(name, state.conf.bridge))
  else
    vlan.inspect(host, name, state.conf, say)
  end
end

local function inspect_host(host, state, say)
  local conf <const> = state.conf
  local bridge <const> = get(host, conf.bridge)
  if not bridge then return say(("bridge %s is missing"):format(conf.bridge)) end
  if bridge.type ~= "bridge" then say(("interface %s is no bridge"):format(conf.bridge)) end
  for _, name in ipairs(ports_of(state)) do inspect_port(host, name, state, say) end
  local gateway <const> = conf.isGateway and vlan.gateway_name(conf)
  if gateway and not get(host, gateway) then
    say(("interface %s on the host is missing"):format(gateway))
  end
end

---What is wrong with the interface and the bridge.
---@param state table
---@return string[] differences
function M.inspect(state)
  local differences <const> = {}
  local function say(text) differences[#differences + 1] = text end
  interface.inspect(state, "veth", say)
  local host <close>, message = netlink.open()
  if not host then return { message } end
  inspect_host(host, state, say)
  masquerade.inspect(state, say)
  if state.conf.macspoofchk then spoofcheck().inspect(state, say) end
  return differences
end

-- The hardware address of the pod's end, as ADD listed it.
local function pod_address(state)
  for _, entry in ipairs(state.was.result.interfaces or {}) do
    if (entry.sandbox or "") ~= "" and entry.name == state.call.ifname then return entry.mac end
  end
end

---For `ecmp repair`: VLANs of the port, masquerading and macspoofchk.
---@param state table
---@param fix fun(what: string, mend: function)
---@return true? ok, string? message, string? code
function M.repair(state, fix)
  local host <close>, message, code = netlink.open()
  if not host then return nil, message, code end
  local ok, port = true, nil
  for _, name in ipairs(ports_of(state)) do
    port = port or get(host, name) and name
    if ok and get(host, name) then ok, message, code = vlan.repair(host, name, state.conf, fix) end
  end
  if ok then ok, message, code = masquerade.repair(state, fix) end
  if not ok and message then return nil, message, code end
  if not state.conf.macspoofchk or not port then return true end
  return spoofcheck().repair(state, port, pod_address(state), fix)
end

local verbs <const> = flow.verbs(M)
verbs.type, verbs.about = "bridge", "connects a pod to a bridge on the host"
return verbs
