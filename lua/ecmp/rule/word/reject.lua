---The rule `reject`: several routes with one key are a mistake, and named.
local rule <const> = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  return rule.reject(group, ctx)
end

return R
