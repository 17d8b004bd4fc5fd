-- The stock bridge with one step more: neighbours that never have to be asked for.
--   { "type": "ecmp-lua", "script": "/etc/cni/ecmp/known-neighbours.lua", "bridge": "br0",
--     "neighbours": { "10.0.0.1": "02:00:00:00:00:01" }, ... }
local bridge = require("ecmp.plugin.bridge").plugin
local cni = require "ecmp.cni"
local flow = require "ecmp.flow"

local plugin = setmetatable({}, { __index = bridge })

function plugin.settle(state)
  local ok, message, code = bridge.settle(state)
  if not ok then return nil, message, code end
  for address, lladdr in pairs(state.conf.neighbours or {}) do
    cni.try(state.nl.neigh:replace {
      dst = address, lladdr = lladdr, dev = state.call.ifname, state = "permanent",
    })
  end
  return true
end

function plugin.inspect(state)
  local differences = bridge.inspect(state)
  for address, lladdr in pairs(state.conf.neighbours or {}) do
    local entry = state.nl.neigh:list({ dev = state.call.ifname, dst = address })[1]
    if not entry or entry.lladdr ~= lladdr then
      differences[#differences + 1] = ("neighbour %s is not %s"):format(address, lladdr)
    end
  end
  return differences
end

return flow.verbs(plugin)
