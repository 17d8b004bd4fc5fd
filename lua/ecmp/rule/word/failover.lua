---The rule `failover`: several routes with one key stay all, by rising metric in the order listed.
local rule <const> = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  return rule.failover(group, ctx)
end

return R
