---The rule `first`: of several routes with one key the first listed stays.
local rule <const> = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  return rule.first(group, ctx)
end

return R
