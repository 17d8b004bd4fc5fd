-- Next hops whose link is down are left out; a route that would lose all of them keeps them all,
-- because a route to a dead link comes back with the link and no route does not.
local rule = require "ecmp.rule"

local R = {}

local function is_down(hop, ctx)
  local link <const> = ctx.links[hop.dev]
  return not (link and link.up and link.carrier)
end

function R.merge(group, ctx)
  local alive <const> = rule.drop(group, ctx, is_down)
  return rule.multipath(#alive > 0 and alive or group, ctx)
end

return R
