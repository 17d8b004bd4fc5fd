---The block `separate`: what the reference plugins leave, in both families.
--
-- They send each listed route by itself, with CREATE alone. In IPv4 the kernel puts each in front
-- of the one before, so that the last listed takes all traffic; in IPv6 it joins those with a
-- gateway into one route. An exact duplicate is refused by either. They program neither mtu nor
-- advmss.
--
-- A route that lists its next hops stays one route with these hops; its mark tells the plan to
-- create it beside what is there instead of replacing it.
local group = require "ecmp.group"

local function name_of(route)
  return ("%s scope %s %s"):format(group.key(route), route.scope or "", group.text(route))
end

---@param routes table[] a group
---@return table[]? routes, string? message, string? code nil, message, "EINVAL", or "EEXIST"
return function(routes)
  local list <const>, seen <const> = {}, {}
  for i, route in ipairs(routes) do
    local canonical, message, code = group.canonical(route)
    if not canonical then return nil, ("[%d].%s"):format(i, message), code end
    canonical.mtu, canonical.advmss, canonical.separate = nil, nil, true
    local name <const> = name_of(canonical)
    if seen[name] then
      return nil, ("route add %s: listed twice: File exists (EEXIST)"):format(
        group.text(canonical)), "EEXIST"
    end
    seen[name], list[i] = true, group.plain(canonical)
  end
  return list
end
