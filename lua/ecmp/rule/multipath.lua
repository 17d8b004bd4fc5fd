---The block `multipath`: the routes of a group become one route with all their hops.
--
-- Fields in `options` are set on the route, so what the routes disagree on can be settled:
-- `rule.multipath(group, ctx, { mtu = 1400 })`.
local group = require "ecmp.group"

---A copy of a route, or of a view, with some fields set.
local function overlaid(route, fields)
  local copy <const> = {}
  for k, v in pairs(route) do copy[k] = v end
  for k, v in pairs(fields) do copy[k] = v end
  return copy
end

---@param routes table[] a group
---@param _ table? ctx
---@param options table? fields of the route
---@return table? route, string? message, string? code nil, message, "EINVAL" where the
---routes disagree
return function(routes, _, options)
  if #routes == 0 then return {} end
  if options and next(options) then
    local settled <const> = {}
    for i, route in ipairs(routes) do settled[i] = overlaid(route, options) end
    routes = settled
  end
  local joined, message, code = group.join(routes)
  if not joined then return nil, message, code end
  return group.plain(joined)
end
