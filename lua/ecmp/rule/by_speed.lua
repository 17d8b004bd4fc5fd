---The block `by_speed`: one multipath route whose hops are weighed by their interfaces' speeds.
--
-- An interface whose driver knows no speed, or that has no carrier, counts as the slowest of the
-- others, and a note says so. Where no speed is known at all, hops keep the weights they have.
local group = require "ecmp.group"
local note = require("ecmp.rule.note").add
local weighted = require "ecmp.rule.weighted"
local weights = require "ecmp.fib.weights"

-- The interfaces of a group's hops, in the order in which they are first named.
local function devices_of(routes)
  local list <const>, seen <const> = {}, {}
  for i, route in ipairs(routes) do
    local canonical, message, code = group.canonical(route)
    if not canonical then return nil, ("[%d].%s"):format(i, message), code end
    for _, hop in ipairs(canonical.nexthops) do
      local dev <const> = hop.dev
      if dev and not seen[dev] then list[#list + 1], seen[dev] = dev, true end
    end
  end
  return list
end

---@param routes table[] a group
---@param ctx table? with `links`
---@return table? route, string? message, string? code nil, message, "EINVAL"
return function(routes, ctx)
  local devices, message, code = devices_of(routes)
  if not devices then return nil, message, code end
  local links <const>, speeds <const> = ctx and ctx.links or {}, {}
  local slowest
  for _, dev in ipairs(devices) do
    speeds[dev] = links[dev] and links[dev].speed
    if speeds[dev] then slowest = math.min(slowest or speeds[dev], speeds[dev]) end
  end
  for _, dev in ipairs(slowest and devices or {}) do
    if not speeds[dev] then
      speeds[dev] = slowest
      note(("by_speed: the speed of %s is not known, it counts as %d Mbit/s"):format(dev, slowest))
    end
  end
  local by_dev <const> = weights.of(speeds)
  return weighted(routes, ctx, function(hop) return by_dev[hop.dev] end)
end
