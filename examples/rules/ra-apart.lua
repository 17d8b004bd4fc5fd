-- Routes that the kernel learned from router advertisements stay a group of their own. Ours would
-- join them at the same metric, so they go below: what is configured wins, RA is the reserve.
local rule = require "ecmp.rule"

local R = {}

local function lowest_ra_metric(group, ctx)
  local lowest
  for _, route in ipairs(ctx.current) do
    local is_ra <const> = route.proto == "ra" and route.dst == group.dst
    local metric <const> = route.metric or 1024
    if is_ra and (not lowest or metric < lowest) then
      lowest = metric
    end
  end
  return lowest
end

function R.merge(group, ctx)
  local lowest <const> = group.family == 6 and lowest_ra_metric(group, ctx)
  if lowest and group.metric >= lowest then
    return rule.multipath(group, ctx, { metric = lowest - 1 })
  end
  return rule.multipath(group, ctx)
end

return R
