---The rule `ecmp`: several routes with one key become one multipath route.
local rule <const> = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  return rule.multipath(group, ctx)
end

return R
