---The block `drop`: leaves out the whole group, or the hops that a test names.
--
--     return rule.drop(group, ctx)                               -- none of these routes
--     local up = rule.drop(group, ctx, function(hop) return not ctx.links[hop.dev].up end)
--     return rule.multipath(up, ctx)
--
-- What is left is a group again, so that other blocks can follow; a route whose hops are all left
-- out is gone.
local group = require "ecmp.group"

---@param routes table[] a group
---@param ctx table?
---@param test? fun(hop: table, ctx: table, route: table): boolean true for hops to leave out
---@return table? group, string? message, string? code nil, message, "EINVAL"
return function(routes, ctx, test)
  local list <const> = group.new {}
  if not test then return list end
  for i, route in ipairs(routes) do
    local canonical, message, code = group.canonical(route)
    if not canonical then return nil, ("[%d].%s"):format(i, message), code end
    local kept <const> = {}
    for _, hop in ipairs(canonical.nexthops) do
      if not test(hop, ctx, route) then kept[#kept + 1] = hop end
    end
    if #kept > 0 or #canonical.nexthops == 0 then
      canonical.nexthops = kept
      list[#list + 1] = group.plain(canonical)
    end
  end
  return list
end
