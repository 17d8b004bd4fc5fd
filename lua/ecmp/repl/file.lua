---Reading the routes somebody wants from a file: lines as `ip route` prints and takes them, or a
---script that returns a list. Every mistake names its line, and one mistake refuses the whole file.
--
-- A file may have a million lines, so no route is kept as a table, and few lines are read word by
-- word: see rtnl.list and rtnl.lines.

local identity <const> = require "ecmp.fib.route"
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

-- A route of several hops has no flag of its own, as far as the kernel is concerned.
local function hand_on_onlink(route)
  for _, hop in ipairs(route.onlink == true and route.nexthops or {}) do
    if type(hop) == "table" then hop.onlink, route.onlink = true, nil end
  end
end

local function settle(route)
  identity.by_object(route)
  hand_on_onlink(route)
  if route.dst == "default" and not route.family then route.family = is_ipv6(route) and 6 or 4 end
  return route
end

-- A route as a table, whichever way it was written.
---@return table? route, string? message
local function understand(route)
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
  return settle(route)
end

---@class ecmp.RouteFile
---@field routes userdata a list of routes: `#routes`, `routes[i]`; see rtnl.list
---@field mistakes string[] each with its place
---@field tables table<integer, true> that the routes are in
---@field lacking? { where: string, route: table } the first that names a device there is not
---@field place string how places are written: name and number
local File <const> = {}
File.__index = File

---@param name string what mistakes call it
---@param place string how the place of a route is written, given that and its number
local function new(name, place, options)
  return setmetatable({ routes = rtnl.list(options.socket), mistakes = {}, tables = {},
    proto = options.proto, place = name:gsub("%%", "%%%%") .. place }, File)
end

-- Where the route numbered so in the file stands.
local function place_of(file, number)
  return file.place:format(number)
end

---Where the i-th route stands in the file.
---@param i integer
---@return string
function File:where(i)
  return place_of(self, self.routes:line(i))
end

-- What no field is wrong with by itself may be no route still.
---@return true?, string? message
local function keep(file, route, number)
  if file.proto and route.proto == nil then route.proto = file.proto end
  local fits <const>, there, where = pcall(file.routes.add, file.routes, route, number)
  if not fits then return nil, (tostring(there):gsub("^[^:]+:%d+: ", "")) end
  if not where then
    local canonical <const>, message <const> = identity.canonical(route)
    if not canonical then return nil, message end
    where = canonical.table
  end
  file.tables[where] = true
  if not there and not file.lacking then
    file.lacking = { where = place_of(file, number), route = route }
  end
  return true
end

-- Adds what was found at a place to the routes, or to the mistakes.
---@return boolean kept
local function add(file, value, number)
  local route, message = understand(value)
  local kept
  if route then kept, message = keep(file, route, number) end
  if kept then return true end
  table.insert(file.mistakes, ("%s: %s"):format(place_of(file, number), message))
  return false
end

-- Lines that are like others before them but for the destination never come here.
---@return true?, string? message
local function read_lines(file, lines, tell)
  local kept = false
  while true do
    local text <const>, number <const> = lines:next(file.routes, kept)
    kept = text and add(file, text, number)
    if text == nil then return number == nil or nil, number end
    if not text then tell(lines:done()) end
  end
end

local function quiet() end

---Reads routes from text.
---@param text string
---@param name string what mistakes call it
---@return ecmp.RouteFile
function M.parse(text, name)
  local file <const> = new(name, ":%d", {})
  read_lines(file, rtnl.lines(text), quiet)
  return file
end

-- A script that returns a list, with the library at hand.
local function run_script(path, options)
  local env <const> = setmetatable({ ecmp = require "ecmp" }, { __index = _G })
  local chunk, message = loadfile(path, "t", env)
  if not chunk then return nil, message end
  local ran <const>, routes <const> = pcall(chunk)
  if not ran then return nil, tostring(routes) end
  if type(routes) ~= "table" then
    return nil, ("%s: it should return a list of routes, not a %s"):format(path, type(routes))
  end
  local file <const> = new(path, ": [%d]", options)
  for i, route in ipairs(routes) do add(file, route, i) end
  if #routes == 0 and next(routes) ~= nil then
    return nil, ("%s: it should return a list of routes; its table has no [1]"):format(path)
  end
  return file
end

-- How much there is to be read, where that can be told before.
local function bytes_left(source)
  local at <const> = source:seek()
  local size <const> = at and source:seek "end"
  if at then source:seek("set", at) end
  return size and size - at
end

local function read_text(source, name, options)
  local file <const>, total <const> = new(name, ":%d", options), bytes_left(source)
  local progress <const> = total and options.progress or quiet
  local done <const>, message <const> = read_lines(file, rtnl.lines(source), function(at)
    progress(at, total)
  end)
  progress(total, total)
  if not done then return nil, ("%s: %s"):format(name, message) end
  return file
end

local function read_file(path, options)
  if path == "-" then return read_text(io.stdin, "stdin", options) end
  local source <close>, message = io.open(path)
  if not source then return nil, message end
  return read_text(source, path, options)
end

---Reads a file of routes: a script if its name ends in `.lua`, else text; `-` is standard input.
---@param path string
---@param options? table `progress`: called with what is done and how much there is; `socket`: of
---the handle whose devices are meant; `proto`: of routes that say none
---@return ecmp.RouteFile|nil file
---@return string? message # naming the first line in error, and how many more there are
function M.read(path, options)
  local read <const> = path:find "%.lua$" and run_script or read_file
  local file <const>, message <const> = read(path, options or {})
  if not file then return nil, message end
  local count <const> = #file.mistakes
  if count == 0 then return file end
  return nil, file.mistakes[1] .. (count > 1 and (" (and %d more mistakes)"):format(count - 1)
    or "")
end

return M
