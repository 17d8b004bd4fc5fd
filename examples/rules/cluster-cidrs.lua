-- The default route moves to this interface, but the cluster's own prefixes stay with eth0: they
-- get the gateway that eth0 has for its default route.
--
-- "clusterCIDRs" is a key of this site's own; "conflict": "take" lets the default route move.
local ip = require "ecmp.ip"

local R = {}

local function gateway_of(ctx, family)
  for _, route in ipairs(ctx.current) do
    local via <const> = route.dev == "eth0" and route.via
    if via and ip.parse(route.dst):length() == 0 and ip.parse(via):family() == family then
      return via
    end
  end
end

function R.routes(routes, ctx)
  for _, cidr in ipairs(ctx.conf.clusterCIDRs) do
    local via <const> = gateway_of(ctx, ip.parse(cidr):family())
    if via then
      routes[#routes + 1] = { dst = cidr, via = via, dev = "eth0" }
    end
  end
  return routes
end

return R
