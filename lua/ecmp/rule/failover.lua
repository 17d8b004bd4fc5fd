---The block `failover`: all routes of a group, by rising metric in the order listed.
--
-- Counts up from the group's metric by one, skipping metrics in use. A route that lists its next
-- hops is one step of the ladder.
local group = require "ecmp.group"
local metrics = require "ecmp.rule.metrics"

---@param routes table[] a group
---@param ctx table?
---@return table[]? routes, string? message, string? code nil, message, "EINVAL"
return function(routes, ctx)
  local ladder <const> = ctx and ctx.metrics or metrics.new(routes, ctx)
  local list <const>, seen <const>, last = {}, {}, nil
  for i, route in ipairs(routes) do
    local canonical, message, code = group.canonical(route)
    if not canonical then return nil, ("[%d].%s"):format(i, message), code end
    -- The same route again would be no other way out.
    local name <const> = group.text(canonical)
    if not seen[name] then
      seen[name] = true
      last, message, code = ladder:claim(canonical, last and last + 1)
      if not last then return nil, message, code end
      canonical.metric = last
      list[#list + 1] = group.plain(canonical)
    end
  end
  return list
end
