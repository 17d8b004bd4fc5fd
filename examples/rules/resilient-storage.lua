-- Storage prefixes get multipath routes, which the configuration's "multipath" makes resilient
-- next-hop groups: when a gateway leaves, only its own flows move. All else takes the first gateway
-- and stays an ordinary route.
local rule = require "ecmp.rule"
local ip = require "ecmp.ip"

local R = {}

function R.merge(group, ctx)
  for _, prefix in ipairs(ctx.conf.storage) do
    if ip.parse(prefix):contains(ip.parse(group.dst)) then
      return rule.multipath(group, ctx)
    end
  end
  return rule.first(group, ctx)
end

return R
