-- Gateways of the pod's own rack carry three times the traffic of the others.
--
-- "rack" is a key of this site's own in the network configuration.
local rule = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  local rack <const> = ctx.conf.rack
  return rule.weighted(group, ctx, { [rack["IPv" .. group.family]] = 3 })
end

return R
