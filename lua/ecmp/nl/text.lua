---Lists of views: what `ip OBJECT show` prints of them, line for line.

local filters = require "ecmp.nl.filter"
local rtnl = require "ecmp.rtnl"

local M = {}

local list_mt = { __name = "ecmp.List" }

-- The handle and filter a list of addresses or routes came from: its text names the links the
-- addresses are on, and in detail the next-hop objects the routes refer to.
local origins = setmetatable({}, { __mode = "k" })

-- Links below which one is not up are marked M-DOWN: which they are, the other links of the list
-- tell.
local function lower_down(link, by_name)
  local lower = link.type ~= "vxlan" and link.link and not link.link_netnsid and by_name[link.link]
  return lower and not lower.up
end

local function named(links)
  local by_name = {}
  for _, link in ipairs(links) do
    by_name[link.name] = link
  end
  return by_name
end

-- What a handle lists, where it is still open.
local function listed(nl, kind)
  return nl and pcall(nl.fd, nl) and nl[kind]:list() or {}
end

-- The link below may be none of the list's.
local function link_lines(list, how)
  local nl, filter = table.unpack(origins[list] or { nil, {} })
  local lines, by_name = {}, named(next(filter) and listed(nl, "link") or list)
  for i, link in ipairs(list) do
    how.lower_down = lower_down(link, by_name)
    lines[i] = link:text(how)
  end
  return lines
end

-- Addresses stand below the link they are on, which is asked for when the text is: a closed handle
-- leaves the links out.
local function addr_lines(list, how)
  local nl, filter = table.unpack(origins[list] or { nil, {} })
  local links = listed(nl, "link")
  local family = filter.family and filters.family(filter.family)
  local lines, by_dev, by_name = {}, {}, named(links)
  for _, addr in ipairs(list) do
    by_dev[addr.dev] = by_dev[addr.dev] or {}
    table.insert(by_dev[addr.dev], addr:text(how))
  end
  for _, link in ipairs(links) do
    if by_dev[link.name] or next(filter) == nil then
      lines[#lines + 1] = link:text {
        brief = true, ipv4 = family == 4, ipv6 = family == 6, details = how.details,
        lower_down = lower_down(link, by_name),
      }
      table.move(by_dev[link.name] or {}, 1, #(by_dev[link.name] or {}), #lines + 1, lines)
      by_dev[link.name] = nil
    end
  end
  for _, addr in ipairs(list) do -- without links, or on one that has gone since
    table.move(by_dev[addr.dev] or {}, 1, #(by_dev[addr.dev] or {}), #lines + 1, lines)
    by_dev[addr.dev] = nil
  end
  return lines
end

-- The texts of the next-hop objects, by id.
local function nexthop_texts(list)
  local texts = {}
  for _, nexthop in ipairs(listed((origins[list] or {})[1], "nexthop")) do
    texts[nexthop.id] = nexthop:text { details = true }
  end
  return texts
end

local function any_by_object(list)
  for _, route in ipairs(list) do
    if route.nhid then
      return true
    end
  end
end

-- In detail, the object a route refers to is told below it.
local function route_text(list, how)
  how.nexthops = how.details and any_by_object(list) and nexthop_texts(list) or nil
  return rtnl.text(list, how)
end

-- Neighbours without a need to be resolved are told where a state is asked for: each multicast
-- group is one.
local function neigh_text(list, how)
  local filter = (origins[list] or {})[2]
  local shown = {}
  for _, neigh in ipairs(list) do
    local state = neigh.state
    if filter and (filter.state or filter.proxy) or neigh.proxy or neigh.extern_learn
      or state and state ~= "NOARP" then
      shown[#shown + 1] = neigh
    end
  end
  return rtnl.text(shown, how)
end

local function joined(lines_of)
  return function(list, how) return table.concat(lines_of(list, how), "\n") end
end

local printers <const> = {
  route = route_text, neigh = neigh_text, link = joined(link_lines), addr = joined(addr_lines),
}

---The text of a list: what `ip OBJECT show` prints, line for line.
---@param list table[] views
---@param options? { details: boolean, table: boolean, most: integer } as `ip -d`; name the table of
---each route, as is done where they are of several; so many and a line that says how many more
---@return string
function M.text(list, options)
  options = options or {}
  local print_as = printers[list[1] and list[1]:object()] or rtnl.text
  local first, more = list, #list - (options.most or #list)
  if more > 0 then
    first = table.move(list, 1, options.most, 1, {})
    origins[first] = origins[list]
  end
  local text = print_as(first, { details = options.details, table = options.table })
  return more > 0 and ("%s\n... and %d more"):format(text, more) or text
end

list_mt.__tostring = function(list) return M.text(list) end
list_mt.__index = {
  text = M.text,
  json = function(list) return require "ecmp.nl.json".text(list) end,
}

---Makes a list of views print as `ip` shows them.
---@param views ecmp.View[]
---@param nl? ecmp.Handle where they were listed
---@param filter? ecmp.Fields what for
---@return ecmp.View[] list
function M.of(views, nl, filter)
  origins[views] = nl and { nl, filter }
  return setmetatable(views, list_mt)
end

return M
