-- Reading the routes somebody wants from a file: lines as `ip route` prints and takes them, or a
-- script that returns a list. Every mistake names its line, and one mistake refuses the whole file.

local identity <const> = require "ecmp.identity"
local rtnl <const> = require "ecmp.rtnl"

local M = {}

-- Words that only an IPv6 route has, for a default route that does not show its family otherwise.
local function is_ipv6(route)
  if route.pref or route.dst == "::/0" then return true end
  for _, hop in ipairs(route.nexthops or { route }) do
    if hop.via then return not hop.via:find "^inet6 " and hop.via:find(":", 1, true) ~= nil end
  end
  return (route.src or route.from or ""):find(":", 1, true) ~= nil
end

local function settle(route)
  identity.by_object(route)
  if route.dst == "default" and not route.family then route.family = is_ipv6(route) and 6 or 4 end
  return route
end

---@return table? route, string? message
local function check(route)
  if type(route) == "string" then
    local parsed, why = rtnl.parse("route", route)
    if not parsed then return nil, why end
    route = parsed
  elseif rtnl.is_view(route) then
    route = route:copy()
  elseif type(route) ~= "table" then
    return nil, ("a route is a table or text, not a %s"):format(type(route))
  end
  if route.dst == nil then return nil, "dst: missing" end
  route = settle(route)
  local fits <const>, why <const> = pcall(rtnl.check, "route", route)
  if not fits then return nil, (tostring(why):gsub("^[^:]+:%d+: ", "")) end
  return route
end

local function add_mistake(list, where, message, order)
  list.mistakes[#list.mistakes + 1] = { order = order, text = ("%s: %s"):format(where, message) }
end

-- `order` tells which of two mistakes comes first.
local function add(list, route, where, order)
  local checked <const>, message <const> = check(route)
  if checked then
    list[#list + 1] = { route = checked, where = where, order = order }
  else
    add_mistake(list, where, message, order)
  end
end

-- The numbers of the routes that have to be looked at one by one: nearly all can be a route as they
-- are written, and C says so of all at once.
local function doubtful(list)
  local routes <const>, numbers <const> = {}, {}
  for i, entry in ipairs(list) do routes[i] = entry.route end
  local steps <const> = rtnl.match({}, routes)
  if not steps then
    for i = 1, #list do numbers[i] = i end
    return numbers
  end
  for _, step in ipairs(steps) do
    if type(step) == "table" then
      table.move(step.want, 1, #step.want, #numbers + 1, numbers)
    elseif step >> 62 == 0 then
      numbers[#numbers + 1] = step >> 31
    end
  end
  return numbers
end

-- What no field is wrong with by itself may be no route still. The mistakes become texts in order.
local function finish(list)
  for _, i in ipairs(doubtful(list)) do
    local entry <const> = list[i]
    local canonical <const>, message <const> = identity.canonical(entry.route)
    if not canonical then add_mistake(list, entry.where, message, entry.order) end
  end
  table.sort(list.mistakes, function(a, b) return a.order < b.order end)
  for i, mistake in ipairs(list.mistakes) do list.mistakes[i] = mistake.text end
  return list
end

-- The lines of a text without comments, with their numbers and where the next begins.
local function physical_lines(text)
  local number, at = 0, 1
  return function()
    if at > #text then return nil end
    local stop <const> = text:find("\n", at, true) or #text + 1
    local line = text:sub(at, stop - 1):gsub("\r$", "")
    if line:find("#", 1, true) then line = line:gsub("^%s*#.*", ""):gsub("%s#.*", "") end
    at, number = stop + 1, number + 1
    return line, number, stop
  end
end

-- Joins the lines of a multipath route: what is indented, or follows a backslash, goes on.
local function logical_lines(text)
  local following <const> = physical_lines(text)
  local line, number, stop = following()
  return function()
    local whole, first, last, goes_on
    while line do
      if line:find "%S" then
        if whole and not (goes_on or line:find "^%s") then break end
        whole, first = whole and whole .. " " .. line or line, first or number
      end
      goes_on, last = line:find "\\%s*$" ~= nil, stop
      line, number, stop = following()
    end
    return whole, first, last
  end
end

local NOW_AND_THEN <const> = 1024

---Reads routes from text.
---@param text string
---@param name string what mistakes call it
---@param progress? fun(done: integer, total: integer)
---@return { route: table, where: string }[] list # with the mistakes, as text, in `list.mistakes`
function M.parse(text, name, progress)
  local list <const> = { mistakes = {} }
  for line, number, stop in logical_lines(text) do
    if progress and (number % NOW_AND_THEN == 0 or stop >= #text) then progress(stop, #text) end
    if line:find("\\", 1, true) then line = line:gsub("\\", " ") end
    add(list, (line:gsub("^%s+", "")), ("%s:%d"):format(name, number), number)
  end
  return finish(list)
end

-- A script that returns a list, with the library at hand.
local function run_script(path)
  local env <const> = setmetatable({ ecmp = require "ecmp" }, { __index = _G })
  local chunk, message = loadfile(path, "t", env)
  if not chunk then return nil, message end
  local ran <const>, routes <const> = pcall(chunk)
  if not ran then return nil, tostring(routes) end
  if type(routes) ~= "table" then
    return nil, ("%s: it should return a list of routes, not a %s"):format(path, type(routes))
  end
  local list <const> = { mistakes = {} }
  for i, route in ipairs(routes) do add(list, route, ("%s: [%d]"):format(path, i), i) end
  if #routes == 0 and next(routes) ~= nil then
    return nil, ("%s: it should return a list of routes; its table has no [1]"):format(path)
  end
  return finish(list)
end

local PIECE <const> = 1 << 20

-- In pieces, so that what is no text (a device, a disk's image) is not read to its end.
local function read_all(file, name)
  local pieces <const> = {}
  while true do
    local piece <const>, message <const> = file:read(PIECE)
    if message then return nil, ("%s: %s"):format(name, message) end
    if not piece then return table.concat(pieces) end
    if piece:find("\0", 1, true) then return nil, name .. ": this is no text" end
    pieces[#pieces + 1] = piece
  end
end

local function read_text(path)
  if path == "-" then return read_all(io.stdin, "stdin") end
  local file <close>, message = io.open(path)
  if not file then return nil, message end
  return read_all(file, path)
end

---Reads a file of routes: a script if its name ends in `.lua`, else text; `-` is standard input.
---@param path string
---@param progress? fun(done: integer, total: integer) called now and then
---@return { route: table, where: string }[]|nil list
---@return string? message # naming the first line in error, and how many more there are
function M.read(path, progress)
  local list, message
  if path:find "%.lua$" then
    list, message = run_script(path)
  else
    local text
    text, message = read_text(path)
    list = text and M.parse(text, path == "-" and "stdin" or path, progress)
  end
  if not list then return nil, message end
  local count <const> = #list.mistakes
  if count == 0 then return list end
  return nil, list.mistakes[1] .. (count > 1 and (" (and %d more mistakes)"):format(count - 1)
    or "")
end

return M
