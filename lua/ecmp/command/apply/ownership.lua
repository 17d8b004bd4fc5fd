---Which routes an apply may take away: those of its protocols in the tables and families that the
---file names, and what an earlier apply added of other protocols.

local identity = require "ecmp.fib.route"
local ip = require "ecmp.ip"
local rtnl = require "ecmp.rtnl"

local M = {}

local OWNED <const> = { "boot", "static" }
local FAMILIES <const> = { ["4"] = { 4 }, ["6"] = { 6 }, both = { 4, 6 } }
local MAIN <const>, KERNEL <const> = 254, 2 -- RT_TABLE_MAIN, RTPROT_KERNEL

---The protocols that are owned, by name; `default` is that of lines which name none.
---@param protocols string[] as the options name them; none: boot and static
---@return table<string, boolean|string>
function M.protocols(protocols)
  local owned <const> = { default = protocols[1] or "boot" }
  for _, word in ipairs(#protocols > 0 and protocols or OWNED) do owned[word] = true end
  return owned
end

---The tables and families that are owned: those the file names, widened by an option.
---@param named table<integer, table<integer, true>> families by table
---@param family? "4"|"6"|"both"
---@return table<integer, table<integer, true>> tables
function M.tables(named, family)
  local tables <const> = {}
  for number, families in pairs(next(named) and named or { [MAIN] = {} }) do
    tables[number] = { [4] = families[4], [6] = families[6] }
    for _, each in ipairs(FAMILIES[family] or {}) do tables[number][each] = true end
  end
  return tables
end

-- All routes of some tables and families, in the kernel's order.
---@return ecmp.View[]|nil routes, string? message
local function list_tables(nl, tables)
  local numbers <const>, all <const> = {}, {}
  for number in pairs(tables) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  for _, number in ipairs(numbers) do
    local families <const> = tables[number]
    local one <const> = not families[6] and 4 or not families[4] and 6 or nil
    local list <const>, message <const> = nl.route:list { table = number, family = one }
    if not list then return nil, message end
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

-- The numbers of the wanted routes at the keys that some routes of the kernel's have.
local function wanted_at(routes, others)
  local at <const>, near <const> = {}, rtnl.near(others, routes)
  for _, route in ipairs(others) do at[identity.slot(route)] = {} end
  for n = 1, near and #near or #routes do
    local i <const> = near and near[n] or n
    local numbers <const> = at[identity.slot(routes[i])]
    if numbers then table.insert(numbers, i) end
  end
  return at
end

local function number_of_wanted(route, routes, numbers)
  local held <const> = identity.held(route)
  for _, i in ipairs(numbers) do
    local wanted <const> = routes[i]
    if identity.matches(held, assert(identity.canonical(wanted)), wanted) then return i end
  end
  return nil
end

-- What an earlier apply added, by key: see ecmp.command.apply.checkpoint.
local function by_slot(added)
  local slots <const> = {}
  for _, route in ipairs(added) do
    local slot <const> = identity.slot(route)
    slots[slot] = slots[slot] or {}
    table.insert(slots[slot], assert(identity.canonical(route)))
  end
  return slots
end

local function was_added(route, slots)
  local added <const> = slots[identity.slot(route)]
  if not added then return false end
  local held <const> = identity.held(route)
  for _, one in ipairs(added) do
    if identity.matches(held, one) then return true end
  end
  return false
end

-- Lines of the kernel's own routes ---------------------------------------------------------------

---@return table<string, ecmp.View[]>|nil addresses by device, string? message
local function addresses(nl)
  local list <const>, message <const> = nl.addr:list()
  if not list then return nil, message end
  local by_device <const> = {}
  for _, address in ipairs(list) do
    by_device[address.dev] = by_device[address.dev] or {}
    table.insert(by_device[address.dev], address)
  end
  return by_device
end

-- Whether the kernel would make a route for an address.
local function stems_from(route, address)
  local own <const> = address.address:match "^[^/]*"
  if route.src and route.src ~= own then return false end
  if route.type == "broadcast" or route.type == "multicast" then return true end
  local length <const> = route.family == 4 and "/32" or "/128"
  local dst <const> = route.dst:find("/", 1, true) and route.dst or route.dst .. length
  if route.type == "local" then return dst == own .. length end
  return dst == ip.mask(address.peer or address.address)
end

local function is_of_an_address(route, by_device)
  for _, address in ipairs(by_device[route.dev] or {}) do
    if stems_from(route, address) then return true end
  end
  return false
end

-- Lines of protocol kernel in the file that are not installed and belong to no current address, or
-- whose key another route has by now: leftovers of an old list.
---@return integer[]|nil numbers, string? message
local function outdated(nl, file, matched, at)
  local found <const>, by_device = {}, nil
  for _, i in ipairs(file.routes:of(KERNEL)) do
    local route <const> = not matched[i] and file.routes[i]
    if route then
      local message
      if not by_device then by_device, message = addresses(nl) end
      if not by_device then return nil, message end
      if at[identity.slot(route)] or not is_of_an_address(route, by_device) then
        found[#found + 1] = i
      end
    end
  end
  return found
end

-- What is owned ----------------------------------------------------------------------------------

local function names_of(protocols)
  local names <const> = {}
  for number in pairs(protocols) do
    names[number] = tostring(rtnl.view("route", { proto = number }).proto)
  end
  return names
end

-- The wanted routes of other protocols that this apply adds, or an earlier one did. What belongs to
-- an address is the kernel's, whoever brought it back.
local function added_of(file, owned, matched)
  local added <const> = {}
  for number, name in pairs(names_of(file.routes:protocols())) do
    local is_others <const> = not owned[name] and number ~= KERNEL
    for _, i in ipairs(is_others and file.routes:of(number) or {}) do
      if matched[i] ~= "of others" then added[#added + 1] = file.routes[i] end
    end
  end
  return added
end

local function note_outdated(file, numbers)
  if not numbers[1] then return {} end
  local more <const> = #numbers > 1 and (" (and %d more)"):format(#numbers - 1) or ""
  return { ("%s: left out, a route of the kernel's own that belongs to no address there is%s")
    :format(file:where(numbers[1]), more) }
end

-- A key that a route of others holds cannot be taken.
local function refuse_taken(others, mine, listed, at, file, is_out)
  for _, route in ipairs(others) do
    local first
    for _, i in ipairs(at[identity.slot(route)]) do
      if not is_out[i] then first = first or i end
    end
    if not listed[route] and not mine[route] and first then
      local words <const> = "%s: %s is held by a route of proto %s, which apply leaves alone "
        .. "(--proto %s would own it)"
      return nil, words:format(file:where(first), tostring(route.dst), route.proto, route.proto)
    end
  end
  return true
end

local function set_of(numbers)
  local set <const> = {}
  for _, i in ipairs(numbers) do set[i] = true end
  return set
end

-- Sorts the routes of other protocols: which of them FILE lists, which an earlier apply added.
local function sort_others(others, file, slots)
  local at <const>, listed <const>, mine <const>, matched <const> = wanted_at(file.routes, others),
    {}, {}, {}
  for _, route in ipairs(others) do
    local i <const> = number_of_wanted(route, file.routes, at[identity.slot(route)])
    mine[route] = was_added(route, slots)
    if i then listed[route], matched[i] = true, mine[route] and "mine" or "of others" end
  end
  return at, listed, mine, matched
end

---@class ecmp.apply.Ownership
---@field all ecmp.View[] what the tables and families hold
---@field current ecmp.View[] those of them that the plan is made against
---@field owned integer how many of these may be taken away
---@field added table[] routes of other protocols that are to be remembered as added
---@field notes string[] what was left out

---What is owned of what there is. Outdated routes of the kernel's own are taken out of the file.
---@param nl ecmp.Handle
---@param file ecmp.RouteFile
---@param owned table<string, boolean|string> protocols
---@param tables table<integer, table<integer, true>>
---@param added table[] what an earlier apply added of other protocols
---@return ecmp.apply.Ownership|nil, string? message
function M.find(nl, file, owned, tables, added)
  local all <const>, why <const> = list_tables(nl, tables)
  if not all then return nil, why end
  local others <const> = {}
  for _, route in ipairs(all) do
    if not owned[tostring(route.proto)] then others[#others + 1] = route end
  end
  local at <const>, listed <const>, mine <const>, matched <const> =
    sort_others(others, file, by_slot(added))
  local out, message = {}, nil
  if not owned.kernel then out, message = outdated(nl, file, matched, at) end
  if not out then return nil, message end
  local free <const>, taken <const> = refuse_taken(others, mine, listed, at, file, set_of(out))
  if not free then return nil, taken end
  local found <const> = { all = all, current = {}, owned = 0, notes = note_outdated(file, out) }
  for _, route in ipairs(all) do
    local is_owned <const> = owned[tostring(route.proto)] or mine[route]
    if is_owned then found.owned = found.owned + 1 end
    if is_owned or listed[route] then table.insert(found.current, route) end
  end
  found.added = added_of(file, owned, matched)
  file:remove(out)
  return found
end

return M
