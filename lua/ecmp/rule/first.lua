---The block `first`: the route listed first; the others are left out.
local group = require "ecmp.group"

---@param routes table[] a group
---@return table? route, string? message, string? code nil, message, "EINVAL"
return function(routes)
  if #routes == 0 then return {} end
  local canonical, message, code = group.canonical(routes[1])
  if not canonical then return nil, ("[1].%s"):format(message), code end
  return group.plain(canonical)
end
