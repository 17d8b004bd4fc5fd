---The block `weighted`: one multipath route whose hops get their weights by gateway.
--
--     rule.weighted(group, ctx, { ["10.0.0.1"] = 3, ["10.1.0.0/16"] = 2, eth1 = 5 })
--
-- A name in the options is a gateway, a prefix that gateways lie in (the longest that fits counts),
-- or an interface. Weight 0 leaves a hop out; a hop that no name fits keeps the weight it has.
-- In place of the table stands a function of (hop, ctx) that returns a weight or nil.
local group = require "ecmp.group"
local ip = require "ecmp.ip"
local shown = require("ecmp.errors").shown

local function refuse(message, ...)
  return nil, message:format(...), "EINVAL"
end

---Sorts the names into prefixes, longest first, and interfaces.
local function read_options(options)
  local prefixes <const>, devices <const> = {}, {}
  for name, weight in pairs(options) do
    if math.type(weight) ~= "integer" or weight < 0 or weight > 256 then
      return refuse("weights.%s: %s is outside 0..256", name, shown(weight))
    end
    local prefix <const> = ip.parse(tostring(name))
    if prefix then
      prefixes[#prefixes + 1] = { prefix = prefix, weight = weight }
    else
      devices[name] = weight
    end
  end
  table.sort(prefixes, function(a, b) return a.prefix:length() > b.prefix:length() end)
  return prefixes, devices
end

---@return function? weigh, string? message, string? code
local function weigher(options)
  if type(options) == "function" then return options end
  local prefixes, devices, code = read_options(options or {})
  if not prefixes then return nil, devices, code end
  return function(hop)
    local via <const> = hop.via and ip.parse((hop.via:gsub("^inet6 ", "")))
    for _, entry in ipairs(via and prefixes or {}) do
      if entry.prefix:contains(via) then return entry.weight end
    end
    return devices[hop.dev]
  end
end

---@param routes table[] a group
---@param ctx table?
---@param options table|function|nil weights by name
---@return table? route, string? message, string? code nil, message, "EINVAL"
return function(routes, ctx, options)
  if #routes == 0 then return {} end
  local weigh, message, code = weigher(options)
  if not weigh then return nil, message, code end
  local joined
  joined, message, code = group.join(routes)
  if not joined then return nil, message, code end
  local kept <const> = {}
  for i, hop in ipairs(joined.nexthops) do
    local weight <const> = weigh(hop, ctx)
    if weight ~= nil and (math.type(weight) ~= "integer" or weight < 0 or weight > 256) then
      return refuse("nexthops[%d].weight: %s is outside 0..256", i, shown(weight))
    end
    if weight ~= 0 then
      hop.weight = weight or hop.weight
      kept[#kept + 1] = hop
    end
  end
  if #kept == 0 and #joined.nexthops > 0 then
    return refuse("%s: every next hop has weight 0", group.text(joined))
  end
  joined.nexthops = kept
  return group.plain(joined)
end
