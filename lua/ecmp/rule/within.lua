---The block `within`: leaves out next hops whose gateway is in no prefix of their own interface.
--
--     return rule.multipath(rule.within(group, ctx), ctx)
--
-- The prefixes are those of `ctx.addresses`. A hop without a gateway stays, and so does one with a
-- link-local gateway (fe80::/10), which every interface reaches.
local drop = require "ecmp.rule.drop"
local ip = require "ecmp.ip"

local LINK_LOCAL <const> = ip.parse "fe80::/10"

-- The prefixes of each interface.
local function prefixes_of(addresses)
  local by_dev <const> = {}
  for _, entry in ipairs(addresses) do
    local address <const> = ip.parse(entry.address)
    if address then
      by_dev[entry.dev] = by_dev[entry.dev] or {}
      table.insert(by_dev[entry.dev], address:network())
    end
  end
  return by_dev
end

---@param routes table[] a group
---@param ctx table? with `addresses`
---@return table? group, string? message, string? code nil, message, "EINVAL"
return function(routes, ctx)
  local prefixes <const> = prefixes_of(ctx and ctx.addresses or {})
  return drop(routes, ctx, function(hop)
    local via <const> = hop.via and ip.parse((hop.via:gsub("^inet6 ", "")))
    if not via or LINK_LOCAL:contains(via) then return false end
    for _, prefix in ipairs(prefixes[hop.dev] or {}) do
      if prefix:contains(via) then return false end
    end
    return true
  end)
end
