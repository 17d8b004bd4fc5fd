-- Lets another plugin do the work and reworks what it says: pods ask their own gateways for names,
-- unless the plugin knows name servers itself.
--   { "type": "ecmp-lua", "script": "/etc/cni/ecmp/site-dns.lua", "delegate": "bridge",
--     "search": [ "site.example" ], ... }
local cni = require "ecmp.cni"
local delegate = require "ecmp.cni.delegate"

local P = {}

local function name_of(call)
  return call.conf.delegate or cni.refuse(7, "delegate: must be given, the type of a plugin")
end

function P.add(call)
  local result = cni.try(delegate.add(call, name_of(call)))
  local dns = result.dns or {}
  if #(dns.nameservers or {}) == 0 then
    dns.nameservers = {}
    for _, address in ipairs(result.ips) do
      dns.nameservers[#dns.nameservers + 1] = address.gateway
    end
  end
  dns.search = dns.search or call.conf.search
  result.dns = dns
  return result
end

for _, verb in ipairs { "del", "check", "gc", "status" } do
  P[verb] = function(call) return delegate.run(call, name_of(call)) end
end

return P
