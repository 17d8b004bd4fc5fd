-- Routing by source, as the stock plugin sbr has it, and with multipath: what a pod sends from the
-- addresses of this interface goes by this interface's routes, whatever its other networks have.
-- Chained behind the plugin that makes the interface:
--   { "type": "ecmp-lua", "script": "/etc/cni/ecmp/source-routing.lua", "routingTable": 101 }
local chained = require("ecmp.plugin.ecmp").plugin
local flow = require "ecmp.flow"
local ip = require "ecmp.ip"
local schema = require "ecmp.cni.schema"

local plugin = setmetatable({ stages = {} }, { __index = chained })
plugin.fields = schema.extend(chained.fields, {
  { "routingTable", schema.integer(1, 4294967295), required = true },
})

function plugin.check_conf(conf, call)
  conf.policyRules = { { from = "self", table = conf.routingTable } }
  return chained.check_conf(conf, call)
end

for name, stage in pairs(chained.stages) do plugin.stages[name] = stage end

-- All routes go into the table; the subnets, which stay in main, are on the link there, too.
function plugin.stages.routes(state)
  local done, message, code = chained.stages.routes(state)
  if not done then return nil, message, code end
  for _, route in ipairs(state.routes) do route.table = route.table or state.conf.routingTable end
  for _, entry in ipairs(state.addresses) do
    table.insert(state.routes, 1, { dst = tostring(ip.parse(entry.address):network()),
      dev = entry.dev, table = state.conf.routingTable })
  end
  return state
end

return flow.verbs(plugin)
