-- Several gateways for one prefix are fine; the same gateway twice is somebody's mistake, which
-- the rule `ecmp` would hide by listing it once.
local rule = require "ecmp.rule"

local R = {}

function R.merge(group, ctx)
  local seen <const> = {}
  for _, route in ipairs(group) do
    for _, hop in ipairs(route.nexthops or { route }) do
      local name <const> = ("%s dev %s"):format(hop.via or "none", hop.dev or "any")
      if seen[name] then
        return nil, ("%s is listed twice for %s"):format(name, group.dst)
      end
      seen[name] = true
    end
  end
  return rule.multipath(group, ctx)
end

return R
