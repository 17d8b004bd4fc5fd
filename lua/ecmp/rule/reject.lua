---The block `reject`: a group of several routes is refused, and the routes named.
local group = require "ecmp.group"
local first = require "ecmp.rule.first"

---@param routes table[] a group
---@return table? route, string? message, string? code nil, message, "EINVAL"
return function(routes)
  if #routes < 2 then return first(routes) end
  local names <const> = {}
  for i, route in ipairs(routes) do
    local canonical, message, code = group.canonical(route)
    if not canonical then return nil, ("[%d].%s"):format(i, message), code end
    names[i] = group.text(canonical)
  end
  return nil, ("%d routes have one destination, table and metric: %s"):format(#names,
    table.concat(names, "; ")), "EINVAL"
end
