-- Lets another plugin do the work and reworks what it says: the name servers are the gateways of the
-- pod, and the runtime hears of the interface in the pod only.
--   { "type": "ecmp-lua", "script": "/etc/cni/ecmp/site-dns.lua", "delegate": "bridge", ... }
local cni = require "ecmp.cni"
local delegate = require "ecmp.cni.delegate"

local P = {}

local function name_of(call)
  return call.conf.delegate or cni.refuse(7, "delegate: must be given, the type of a plugin")
end

function P.add(call)
  local result = cni.try(delegate.add(call, name_of(call)))
  local servers, inside, moved = {}, {}, {}
  for i, interface in ipairs(result.interfaces) do
    if (interface.sandbox or "") ~= "" then
      inside[#inside + 1] = interface
      moved[i - 1] = #inside - 1 -- addresses name their interface by its place, from 0
    end
  end
  for _, address in ipairs(result.ips) do
    servers[#servers + 1] = address.gateway
    address.interface = moved[address.interface]
  end
  result.interfaces, result.dns = inside, { nameservers = servers, search = { "site.example" } }
  return result
end

for _, verb in ipairs { "del", "check", "gc", "status" } do
  P[verb] = function(call) return delegate.run(call, name_of(call)) end
end

return P
