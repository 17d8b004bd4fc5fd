---Splits routes to flush into those that can be deleted blindly and those that share a key with one
---that is to stay.

local entries = require "ecmp.fib.entries"
local route_of = require "ecmp.fib.route"

local M = {}

-- What all routes of a list have in common as a filter of a list.
local function span(list)
  local table, family = list[1].table, list[1].family
  for _, view in ipairs(list) do
    table = table == view.table and table or "all"
    family = family == view.family and family or nil
  end
  return { table = table, family = family }
end

-- Whether a list holds all of its tables.
local function is_whole(filter)
  if type(filter) == "string" then
    return false
  end
  for key in pairs(filter or {}) do
    if key ~= "table" and key ~= "family" then
      return false
    end
  end
  return true
end

-- How many entries the places have that hold several. The kernel lists these behind each other.
local function crowds(all)
  local found, before = {}, nil
  for _, view in ipairs(all) do
    if before and view.dst == before.dst and view.metric == before.metric
      and view.tos == before.tos and view.table == before.table then
      local slot = route_of.slot(view)
      found[slot] = (found[slot] or 1) + 1
    end
    before = view
  end
  return found
end

---How the routes of a list are deleted; see `ecmp.Object:deletions`.
---@param routes ecmp.Route
---@param list ecmp.View[]
---@param filter table|string
---@return (fun(view: ecmp.View): table|nil)|nil request
---@return string? message
---@return string? code
function M.deletions(routes, list, filter)
  if not list[1] or is_whole(filter) then
    return entries.deletion
  end
  local all, message, code = routes:list(span(list))
  if not all then
    return nil, message, code
  end
  local staying = crowds(all)
  for _, view in ipairs(next(staying) and list or {}) do
    local slot = route_of.slot(view)
    staying[slot] = staying[slot] and staying[slot] - 1
  end
  return function(view)
    local shared = next(staying) and staying[route_of.slot(view)] or 0
    return shared <= 0 and entries.deletion(view) or nil
  end
end

return M
