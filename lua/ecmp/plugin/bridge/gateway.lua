---The bridge as gateway of its pods: the gateways' addresses, on the bridge itself or on its
---interface in the pods' VLAN, and forwarding.
local interface = require "ecmp.flow.interface"
local ip = require "ecmp.ip"
local ports = require "ecmp.plugin.bridge.ports"
local vlan = require "ecmp.plugin.bridge.vlan"

local M = {}

local function overlaps(family, a, b)
  return family == 4 or a:network():contains(b) or b:network():contains(a)
end

---Whether the interface's addresses leave room for this one: `present`, or nil and what is in its
---way.
local function room_for(state, name, wanted)
  local host <const> = state.host
  local list, message, code = host.addr:list { dev = name, family = wanted:family() }
  if not list then return nil, message, code end
  for _, entry in ipairs(list) do
    if entry.address == tostring(wanted) then return "present" end
    local other <const> = assert(ip.parse(entry.address))
    if overlaps(wanted:family(), wanted, other) then
      if not state.conf.forceAddress then
        return nil, ("forceAddress: bridge %s has the address %s already, %s is wanted")
          :format(name, entry.address, tostring(wanted)), "EADDRNOTAVAIL"
      end
      local ok
      ok, message, code = host.addr:del { address = entry.address, dev = name }
      if not ok then return nil, message, code end
      state.undo:push("address " .. entry.address .. " of " .. name, function()
        return host.addr:add(entry)
      end)
    end
  end
  return "free"
end

---Gives the gateway's address to the interface `name`.
local function add_address(state, name, entry)
  local host <const> = state.host
  local length <const> = assert(ip.parse(entry.address)):length()
  local wanted <const> = assert(ip.parse(("%s/%d"):format(entry.gateway, length)))
  local room, message, code = room_for(state, name, wanted)
  if room ~= "free" then return room, message, code end
  local address <const> = { address = tostring(wanted), dev = name, scope = "global" }
  if wanted:family() == 4 then address.broadcast = "+" end
  local ok
  ok, message, code = host.addr:add(address)
  -- Another ADD was faster with the same address.
  if not ok and code ~= "EEXIST" then return nil, message, code end
  state.undo:push("address of " .. name, function()
    if ports.any(host, state.conf.bridge, { [state.port] = true }) then return true end
    return host.addr:del { address = address.address, dev = name }
  end)
  return true
end

---Makes the bridge the gateway of the pod's addresses, where the configuration says so.
---@param state table of the flow, with `host` and `port`
---@return true? ok, string? message, string|integer? code
function M.serve(state)
  local ips <const> = state.ipam.ips
  if not state.conf.isGateway or #ips == 0 then return true end
  local name, message, code = vlan.gateway(state)
  if not name then return nil, message, code end
  for _, entry in ipairs(ips) do
    local ok
    ok, message, code = add_address(state, name, entry)
    if not ok then return nil, message, code end
    ok, message, code = interface.enable_forwarding(state.host, ip.parse(entry.gateway):family())
    if not ok then return nil, message, code end
  end
  return true
end

return M
