-- Multipath on the network "storage" only; everywhere else the first gateway listed is meant.
local rule = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  if ctx.network == "storage" then
    return rule.multipath(group, ctx)
  end
  return rule.first(group, ctx)
end

return R
