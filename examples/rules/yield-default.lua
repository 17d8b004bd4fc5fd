-- The default route stays with eth0: on any other interface it waits at a metric that eth0 beats.
local rule = require "ecmp.rule"

local DEFAULT <const> = { ["0.0.0.0/0"] = true, ["::/0"] = true }

local R = {}

function R.merge(group, ctx)
  if DEFAULT[group.dst] and ctx.ifname ~= "eth0" then
    return rule.multipath(group, ctx, { metric = 5000 })
  end
  return rule.multipath(group, ctx)
end

return R
