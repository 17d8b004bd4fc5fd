---Reads the routes somebody wants from a file: lines as `ip route` prints and takes them, or as
---`ip -batch` has them, JSON of `ip -j route`, or a script that returns a list. Every mistake names
---its place, and one mistake refuses the whole file.
--
-- A file may have a million lines, so no route is kept as a table: see rtnl.list and rtnl.lines.

local identity = require "ecmp.fib.route"
local json_routes = require "ecmp.fib.json_routes"
local nexthop = require "ecmp.fib.nexthop"
local rtnl = require "ecmp.rtnl"

local M = {}

local function table_copy(from)
  local to <const> = {}
  for key, value in pairs(from) do to[key] = value end
  return to
end

-- A route of several hops has no flag of its own, as far as the kernel is concerned.
local function hand_on_onlink(route)
  if route.onlink ~= true or type(route.nexthops) ~= "table" then return end
  local hops <const> = {}
  for i, hop in ipairs(route.nexthops) do
    hops[i] = type(hop) == "table" and table_copy(hop) or hop
    if type(hop) == "table" then hops[i].onlink, route.onlink = true, nil end
  end
  route.nexthops = hops
end

-- What a script returned as a route: text as it is, else a table of its own.
---@return string|table? route, string? message
local function understand(route, proto)
  if type(route) == "string" then return route end
  if rtnl.is_view(route) then
    route = route:copy()
  elseif type(route) == "table" then
    route = table_copy(route)
  else
    return nil, ("a route is a table or text, not a %s"):format(type(route))
  end
  if route.dst == nil then return nil, "dst: missing" end
  nexthop.by_object(route)
  hand_on_onlink(route)
  if route.proto == nil then route.proto = proto end
  return route
end

---@class ecmp.RouteFile
---@field routes userdata a list of routes: `#routes`, `routes[i]`; see rtnl.list
---@field mistakes string[] each with its place
---@field tables table<integer, table<integer, true>> the families, 4 and 6, of each table that the
---routes are in
---@field place string how places are written: name and number
local File <const> = {}
File.__index = File

---@param name string what mistakes call it
---@param place string how the place of a route is written, given that and its number
local function new(name, place, options)
  return setmetatable({ routes = rtnl.list(options.socket, options.family), mistakes = {},
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

local function note(file, number, message)
  table.insert(file.mistakes, ("%s: %s"):format(place_of(file, number), message))
end

-- Each field of the route added last is right, and yet it may be none.
local function check_last(file)
  local routes <const> = file.routes
  local canonical <const>, message <const> =
    identity.canonical(rtnl.view("route", routes[#routes], true))
  if not canonical then note(file, routes:line(#routes), message) end
end

-- Adds what a script returned at a place to the routes, or to the mistakes.
local function add(file, value, number)
  local route <const>, message <const> = understand(value, file.proto)
  if not route then return note(file, number, message) end
  local fits <const>, sure <const> = pcall(file.routes.add, file.routes, route, number, file.proto)
  if not fits then return note(file, number, (tostring(sure):gsub("^[^:]+:%d+: ", ""))) end
  if not sure then check_last(file) end
end

---@return true?, string? message
local function read_json(file, text)
  local objects <const>, message <const> = json_routes.decode(text)
  if not objects then return nil, message end
  for i, object in ipairs(objects) do
    local route <const>, wrong <const> = json_routes.route(object)
    if route then add(file, route, i - 1) else note(file, i - 1, wrong) end
  end
  return true
end

---@return true?, string? message
local function read_lines(file, source, tell)
  local lines <const> = rtnl.lines(source, file.proto)
  if lines:peek() == "[" then
    file.place = file.place:gsub(":%%d$", ": [%%d]")
    return read_json(file, source:read "a")
  end
  while true do
    local found <const>, number <const> = lines:next(file.routes)
    if found == nil then return number == nil or nil, number end
    if found == true then
      check_last(file)
    elseif found then
      note(file, number, found)
    else
      tell(lines:done())
    end
  end
end

-- What is known once all routes are there.
local function finish(file)
  file.tables = file.routes:tables()
  return file
end

---The first route that names a device there is not.
---@return { where: string, route: table }? lacking
function File:lacking()
  local i <const> = self.routes:lacking()
  return i and { where = self:where(i), route = self.routes[i] } or nil
end

---The first route by each next-hop object.
---@return table<integer, string> where by the object's number
function File:objects()
  local where <const> = {}
  for id, i in pairs(self.routes:objects()) do where[id] = self:where(i) end
  return where
end

---Takes routes out; the numbers of those behind them fall.
---@param numbers integer[] that rise
function File:remove(numbers)
  self.routes:remove(numbers)
end

local function quiet() end

---Reads routes from text.
---@param text string
---@param name string what mistakes call it
---@return ecmp.RouteFile
function M.parse(text, name)
  local file <const> = new(name, ":%d", {})
  read_lines(file, text, quiet)
  return finish(file)
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
  return finish(file)
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
  local done <const>, message <const> = read_lines(file, source, function(at)
    progress(at, total)
  end)
  progress(total, total)
  if not done then return nil, ("%s: %s"):format(name, message) end
  return finish(file)
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
---the handle whose devices are meant; `proto`: of routes that say none; `family`: 4 or 6, of routes
---without an address
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
