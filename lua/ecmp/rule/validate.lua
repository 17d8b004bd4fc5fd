---Checks what a rule returned before anything else sees it: names of fields, types, families, and
---interfaces, each mistake with the path of the field.
local identity = require "ecmp.fib.route"
local ip = require "ecmp.ip"
local nexthop = require "ecmp.fib.nexthop"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown

local M = {}

-- A mistake of whoever wrote the rule.
local MISTAKE <const> = "EINVAL"

local function kinds(text, kind, into)
  for name in text:gmatch("%S+") do into[name] = kind end
  return into
end

local HOP <const> = kinds("via dev", "string", kinds("weight realm", "integer",
  kinds("onlink pervasive dead linkdown offload trap unresolved", "boolean", { encap = "table" })))
local ROUTE <const> = kinds("dst via dev type src from congctl", "string",
  kinds("metric mtu advmss window rtt rttvar ssthresh cwnd reordering hoplimit initcwnd rto_min "
    .. "initrwnd quickack fastopen_no_cookie nhid realm weight expires error mark uid", "integer",
  kinds("onlink separate dead linkdown offload trap rt_offload rt_trap cloned pervasive "
    .. "unresolved ttl_propagate", "boolean",
  kinds("table proto scope tos pref family iif", "word",
  kinds("nexthops encap lock features", "table", {})))))

local function hint_for(name, known)
  local near <const> = type(name) == "string" and rtnl.nearest(known, name)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

---A view of the kernel's route; what comes out of the sandbox has no metatable.
local function is_view(value)
  return type(value) == "userdata" and getmetatable(value) ~= nil
end

local FITS <const> = {
  string = function(value) return type(value) == "string" end,
  boolean = function(value) return type(value) == "boolean" end,
  table = function(value) return type(value) == "table" end,
  integer = function(value) return math.type(value) == "integer" end,
  word = function(value) return type(value) == "string" or math.type(value) == "integer" end,
}
local DUE <const> = {
  string = "text", boolean = "true or false", table = "a table", integer = "a whole number",
  word = "a word or a whole number",
}

---@return string? message
local function check_fields(value, known, path)
  for name, field in pairs(value) do
    local kind <const> = known[name]
    if not kind then
      return ("%s%s: unknown field%s"):format(path, shown(name):sub(1, 64),
        hint_for(name, known))
    end
    if not FITS[kind](field) then
      return ("%s%s: %s is due here, not %s"):format(path, name, DUE[kind],
        type(field) == "number" and tostring(field) or "a " .. type(field))
    end
  end
end

---Checks that a table is a record of known fields, each of its kind.
---@param value any
---@param known table<string, string> kinds by name
---@param path string
---@return string? message
function M.record(value, known, path)
  if type(value) ~= "table" then
    return ("%s: a table is due here, not a %s"):format(path, type(value))
  end
  return check_fields(value, known, path .. ".")
end

---Checks the name of an interface.
---@param name string?
---@param path string what stands before `dev`
---@param links table? interfaces by name; without it any name will do
---@return string? message
function M.device(name, path, links)
  if name and links and not links[name] then
    return ("%sdev: there is no interface '%s'"):format(path, name:sub(1, 64))
  end
end

---Checks that a table is a list without holes.
---@param value table
---@param path string
---@param what string what it lists
---@return string? message
function M.list(value, path, what)
  local count <const> = #value
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > count then
      return ("%s.%s: a list of %s has no such entry"):format(path, shown(key):sub(1, 64), what)
    end
  end
end

---@return string? message
local function check_hops(hops, path, links)
  for i, hop in ipairs(hops) do
    if type(hop) ~= "table" then
      return ("%snexthops[%d]: a next hop is a table, not a %s"):format(path, i, type(hop))
    end
    local message <const> = check_fields(hop, HOP, "") or M.device(hop.dev, "", links)
    if message then return ("%snexthops[%d].%s"):format(path, i, message) end
  end
  return M.list(hops, path .. "nexthops", "next hops")
end

---Checks one route.
---@param route any
---@param path string what to call it, "merge(default)[2]"
---@param links table? interfaces by name; without it any name will do
---@return table? canonical, string? message, string? code nil, message, "EINVAL"
function M.route(route, path, links)
  if is_view(route) then return identity.canonical(route, nexthop.repeated) end
  if type(route) ~= "table" then
    return nil, ("%s: a route is a table, not a %s"):format(path, type(route)), MISTAKE
  end
  local inside <const> = path .. "."
  local message = check_fields(route, ROUTE, inside) or M.device(route.dev, inside, links)
  if not message and route.nexthops then message = check_hops(route.nexthops, inside, links) end
  if message then return nil, message, MISTAKE end
  -- a rule may let one hop stand in for another, and so twice in an IPv4 route
  local canonical, why, code = identity.canonical(route, nexthop.repeated)
  if not canonical then return nil, inside .. why, code end
  return canonical
end

---Checks a list of routes, or what stands for one: a route, or nothing but `{}`.
---@param value any
---@param path string
---@param links table?
---@return table[]? routes the list, string? message, string? code nil, message, "EINVAL"
function M.routes(value, path, links)
  if is_view(value) or type(value) == "table" and value[1] == nil and next(value) then
    local canonical, message, code = M.route(value, path, links)
    if not canonical then return nil, message, code end
    return { value }
  end
  if type(value) ~= "table" then
    return nil, ("%s: returned %s; a route, a list of routes, or {} for none is due"):format(path,
      value == nil and "nothing" or "a " .. type(value)), MISTAKE
  end
  local misplaced <const> = M.list(value, path, "routes")
  if misplaced then return nil, misplaced, MISTAKE end
  for i = 1, #value do
    local canonical, message, code = M.route(value[i], "", links)
    if not canonical then return nil, ("%s[%d]%s"):format(path, i, message), code end
  end
  return value
end

---What to call one of several routes.
local function entry(path, i, routes)
  return #routes > 1 and ("%s[%d]"):format(path, i) or path
end

---What is wrong with a route as a request; the kernel's schema says it by raising, with the place
---of the call in front.
local function unsayable(route)
  local request <const> = {}
  for field, value in pairs(route) do request[field] = value end
  request.separate = nil
  local sayable <const>, message <const> = pcall(rtnl.view, "route", request, true)
  return not sayable and (message:match("^[^:]*:%d+: (.*)$") or message) or nil
end

---Checks that routes can be encoded as requests, field by field, without asking the kernel.
---@param routes table[] checked before
---@param path string
---@return boolean? sayable, string? message, string? code nil, message, "EINVAL"
function M.sayable(routes, path)
  for i, route in ipairs(routes) do
    local wrong <const> = not is_view(route) and unsayable(route)
    if wrong then return nil, ("%s.%s"):format(entry(path, i, routes), wrong), MISTAKE end
  end
  return true
end

local function text_of(route)
  return identity.text(assert(identity.held(route)))
end

---Checks that no two routes have one key. Of two with one destination, table and metric the
---first would take all traffic of IPv4, and both together that of IPv6. Whoever means either has to
---say so: by one route with two hops, by metrics, or by the mark of `rule.separate`.
---@param routes table[] checked before
---@param path string
---@param places? table<string, table> where earlier routes of the same rule stand; added to
---@return boolean? distinct, string? message, string? code nil, message, "EINVAL"
function M.distinct(routes, path, places)
  places = places or {}
  for i, route in ipairs(routes) do
    local key <const>, mine <const> = identity.key(route), entry(path, i, routes)
    local marked <const> = not is_view(route) and route.separate or false
    local other <const> = places[key]
    if other and not (marked and other.marked) then
      return nil, ("%s: %s has the destination, table and metric of %s, %s; join them or give each "
        .. "a metric"):format(mine, text_of(route), other.path, text_of(other.route)), MISTAKE
    end
    places[key] = other or { path = mine, route = route, marked = marked }
  end
  return true
end

-- What came out of the sandbox -------------------------------------------------------------------

---Checks the routes that a script's process sent: plain values without metatables, of which nothing
---that was checked in there counts.
---@param value any
---@param path string what to call it, "merge"
---@param links table? interfaces by name; without it any name will do
---@return table[]? routes, string? message
function M.answer(value, path, links)
  local routes, message = M.routes(value, path, links)
  if not routes then return nil, message end
  for _, of in ipairs { M.sayable, M.distinct } do
    local right
    right, message = of(routes, path)
    if not right then return nil, message end
  end
  return routes
end

local PARTS <const> = { addresses = "table", routes = "table", sysctls = "table" }
local ADDRESS <const> = { address = "string", gateway = "string", dev = "string" }

local function check_address(item, path, links)
  local message <const> = M.record(item, ADDRESS, path)
  if message then return message end
  for _, field in ipairs { "address", "gateway" } do
    local text <const> = item[field]
    if not (text and ip.parse(text)) and (text or field == "address") then
      return ("%s.%s: is no address"):format(path, field)
    end
  end
  return M.device(item.dev, path .. ".", links)
end

local function check_addresses(list, path, links)
  local message = M.list(list, path, "addresses")
  for i = 1, message and 0 or #list do
    message = message or check_address(list[i], ("%s[%d]"):format(path, i), links)
  end
  return message
end

---Only the network settings of the pod may be written; a path that climbs out of them may not.
local function check_sysctl(name, value, path)
  local named <const> = ("%s.%s"):format(path, shown(name):sub(1, 64))
  if type(name) ~= "string" or not name:find("^net[./]") or name:find("..", 1, true)
    or name:find("%c") then
    return ("%s: is no setting of the network"):format(named)
  end
  if type(value) ~= "string" and math.type(value) ~= "integer" then
    return ("%s: text is due here, not a %s"):format(named, type(value))
  end
  if tostring(value):find("%c") then return ("%s: one line of text is due here"):format(named) end
end

---A part that the script left out stays as it was.
---@param value any what the hook `plan` returned
---@param before table the plan it was given
---@param links table? interfaces by name
---@return table? plan, string? message
function M.plan(value, before, links)
  local message = M.record(value, PARTS, "plan")
  if message then return nil, message end
  local plan <const> = {}
  for part in pairs(PARTS) do plan[part] = value[part] or before[part] or {} end
  message = check_addresses(plan.addresses, "plan.addresses", links)
  for name, setting in pairs(plan.sysctls) do
    message = message or check_sysctl(name, setting, "plan.sysctls")
  end
  if message then return nil, message end
  plan.routes, message = M.answer(plan.routes, "plan.routes", links)
  if not plan.routes then return nil, message end
  return plan
end

return M
