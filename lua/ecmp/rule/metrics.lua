---Which metrics are in use, so that failover can count up past them.
--
-- In use are the metrics of routes on other interfaces of the pod, those of other groups, and those
-- given out before. Routes of our own interface are about to be planned anew and do not count.
local group = require "ecmp.group"

local M = {}
M.__index = M

local LAST <const> = 0xffffffff

local function place(route)
  return ("%s %s"):format(route.dst, route.table)
end

local function note(used, route, who)
  local canonical <const> = group.held(route)
  if not canonical then return end
  local name <const> = place(canonical)
  used[name] = used[name] or {}
  used[name][canonical.metric] = used[name][canonical.metric] or who
end

local function is_foreign(route, dev)
  if not dev then return true end
  for _, hop in ipairs(route.nexthops or { route }) do
    if hop.dev == dev then return false end
  end
  return true
end

---@param routes table[] all that are wanted
---@param ctx table? `current` and `ifname`; `conf.conflict` other than "yield" leaves the metric of
---a group's first route to whoever settles conflicts
---@return table metrics
function M.new(routes, ctx)
  return setmetatable({ routes = routes, ctx = ctx or {} }, M)
end

local function fill(metrics)
  local used <const>, ctx <const> = {}, metrics.ctx
  for _, route in ipairs(ctx.current or {}) do
    if is_foreign(route, ctx.ifname) then note(used, route, "other") end
  end
  for _, route in ipairs(metrics.routes) do note(used, route, "listed") end
  metrics.used = used
  return used
end

---Whether a group may keep the metric it was listed with.
local function may_keep(metrics, who)
  local conf <const> = metrics.ctx.conf
  local conflict <const> = conf and conf.conflict or "yield"
  return who ~= "taken" and (who ~= "other" or conflict ~= "yield")
end

---Gives out the first metric from `least` on that is free for a route; without `least`, the
---route's own if it may be kept.
---@param route table canonical
---@param least integer?
---@return integer? metric, string? message, string? code nil, message, "EINVAL" when none is left
function M:claim(route, least)
  local used <const> = self.used or fill(self)
  local taken <const> = used[place(route)] or {}
  used[place(route)] = taken
  local metric = least or route.metric
  if least or not may_keep(self, taken[metric]) then
    while taken[metric] do metric = metric + 1 end
  end
  if metric > LAST then
    return nil, ("metric: none is left for %s"):format(group.text(route)), "EINVAL"
  end
  taken[metric] = "taken"
  return metric
end

return M
