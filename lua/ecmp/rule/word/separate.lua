---The rule `separate`: what the reference plugins do, every route by itself in the order listed.
local rule <const> = require "ecmp.rule"

local R = {}

-- One key for all: in IPv4 routes of different scope take the same place, so their order counts.
function R.key()
  return "all"
end

function R.merge(group, ctx)
  return rule.separate(group, ctx)
end

return R
