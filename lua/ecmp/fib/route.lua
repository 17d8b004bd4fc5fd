---Routes as values: reads them into one form, names their keys, compares and prints them.
--
-- A Route is made once at each border (a configuration, a file, the kernel, a script's answer) and
-- is not checked again. Its fields: family 4 or 6, dst a masked prefix, table and metric numbers,
-- type, tos of IPv4, scope of IPv4, nexthops a list (ecmp.fib.nexthop), and its attributes as views
-- spell them; `hops` is that list by the name that views have too. The differences between the
-- families, as measured:
--
--                        IPv4                              IPv6
--   metric not given     0                                 1024; 0 means 1024 too
--   host bits in dst     refused                           masked (we mask in both)
--   scope                part of a route                   ignored
--   hop by device alone  may share a multipath             never
--   hops a dump shows    2025                              1154
--
-- A longer multipath route silently ends the kernel's dump, so it is refused here. What one key
-- holds where there are several routes of it is the subject of ecmp.fib.entries.
local ip = require "ecmp.ip"
local nexthop = require "ecmp.fib.nexthop"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown

local M = {}

---@class ecmp.RouteValue
---@field hops table[]
local Wanted <const> = { __name = "ecmp.RouteValue" }
-- Metatable of Routes read from the kernel: all attributes are known, a missing one is unset.
local Held <const> = { __name = "ecmp.RouteValue" }

-- The code for a route that is invalid whatever the kernel holds.
local MISTAKE <const> = "EINVAL"

local METRIC <const> = { [4] = 0, [6] = 1024 }
local DEFAULT <const> = { [4] = "0.0.0.0/0", [6] = "::/0" }
local EVERYTHING <const> = { default = true, all = true, any = true }
local FAMILY <const> = { [4] = 4, [6] = 6, ["4"] = 4, ["6"] = 6, inet = 4, inet6 = 6 }
local TABLE <const> = { unspec = 254, default = 253, main = 254, ["local"] = 255, [0] = 254 }
local SCOPE <const> = {
  [0] = "global", [200] = "site", [253] = "link", [254] = "host", [255] = "nowhere",
  universe = "global", global = "global", site = "site", link = "link", host = "host",
  nowhere = "nowhere",
}
-- What iproute2 takes as scope where none is given; routes with a gateway are global.
local SCOPE_OF_TYPE <const> = {
  ["local"] = "host", nat = "host", broadcast = "link", multicast = "link", anycast = "link",
}

-- Fields that canonical() rewrites or adds; all others are attributes.
local REWRITTEN <const> = {
  dst = true, family = true, table = true, metric = true, type = true, scope = true, tos = true,
  via = true, dev = true, weight = true, onlink = true, encap = true, nexthops = true,
  separate = true, any_scope = true,
}
-- Fields of a route or hop that only the kernel sets.
local OWNED <const> = {
  dead = true, linkdown = true, offload = true, trap = true, pervasive = true, unresolved = true,
  rt_offload = true, rt_trap = true, cloned = true, error = true, mark = true, uid = true,
  iif = true, flags = true,
}
-- Fields that a request may have and that change with time.
local VOLATILE <const> = { expires = true }
-- Types by the number in a message.
local TYPE <const> = {
  [0] = "unicast", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole",
  "unreachable", "prohibit", "throw", "nat",
}
-- Types that belong to the host itself: the local table is theirs, as with iproute2.
local LOCAL <const> = { ["local"] = true, broadcast = true, anycast = true, nat = true }
-- Types that lead nowhere; the kernel hangs the IPv6 ones on a device of its own choice.
local HOPLESS <const> = { blackhole = true, unreachable = true, prohibit = true, throw = true }
-- Attributes whose kernel default is shown by dumps.
local DEFAULT_ATTRIBUTE <const> = { pref = "medium" }

local function refuse(message, ...)
  return nil, message:format(...), MISTAKE
end

---The type of a route as a word, unicast where none is given.
local function type_word(route)
  local given <const> = route.type
  if given == nil then return "unicast" end
  return TYPE[tonumber(given)] or given
end

-- The key -----------------------------------------------------------------------------------------

-- The family that the text of an address shows. `via inet6` is an IPv6 gateway of an IPv4 route.
local function family_of_text(value)
  local text <const> = tostring(value)
  local mark <const> = text:match "[:.]"
  if mark == nil then return nil end
  return mark == ":" and not text:find "^inet6 " and 6 or 4
end

---The family of a default route: what it says, what its addresses are, else IPv4 as with iproute2.
local function default_family(route)
  local first <const> = route.nexthops and route.nexthops[1]
  return FAMILY[route.family] or family_of_text(route.via) or family_of_text(route.src)
    or first and family_of_text(first.via)
    or (route.pref or route.from) and 6 -- only IPv6 has preferences and source prefixes
    or 4
end

-- The masked form of a prefix. One in the IPv4-mapped range stays one of IPv6, which ecmp.ip takes
-- for IPv4 as the CNI plugins do.
---@return string? prefix, integer family
local function mask(text)
  local masked <const>, family = ip.mask(text)
  if family == 6 or not text:find(":", 1, true) then return masked, family end
  local good <const>, view <const> = pcall(rtnl.view, "route", { dst = text, family = 6 })
  return good and view.dst or nil, 6
end

---@return string? dst the masked prefix
---@return integer|string family or what is wrong
local function prefix_of(route)
  local dst <const> = route.dst
  if EVERYTHING[dst] then
    local family <const> = default_family(route)
    return DEFAULT[family], family
  end
  if type(dst) == "string" then
    local masked <const>, family <const> = mask(dst)
    if masked then return masked, family end
  end
  return nil, dst == nil and "dst: missing" or ("dst: '%s' is no prefix"):format(shown(dst))
end

local function table_number(value, kind)
  if value == nil then return LOCAL[kind] and 255 or 254 end
  return TABLE[value] or math.tointeger(tonumber(value)) or value
end

local function metric_number(value, family)
  local metric <const> = value and math.tointeger(tonumber(value)) or 0
  return metric == 0 and METRIC[family] or metric
end

local function tos_number(value)
  local number <const> = tonumber(value)
  return number ~= 0 and number or nil
end

local function source_prefix(value)
  return value and value ~= "default" and value ~= "::/0" and mask(value) or nil
end

---Whether a route was given a scope. A view's header always holds one: in a view made of a table
---without `table` or `type` (the kernel's routes have both), global counts as not given.
local function says_scope(route)
  local scope <const> = route.scope
  if scope ~= "global" or type(route) ~= "userdata" then return scope ~= nil end
  return route.table ~= nil and route.type ~= nil
end

-- The scope that a route of a type has where none is said.
local function implied_scope(kind, has_gateway)
  if kind ~= "unicast" then return SCOPE_OF_TYPE[kind] or "global" end
  return has_gateway and "global" or "link"
end

---The scope of a route as a word, given or implied.
---@param route table
---@return string|integer
local function scope_word(route)
  local scope <const> = route.scope
  if says_scope(route) then return SCOPE[scope] or SCOPE[tonumber(scope)] or scope end
  return implied_scope(type_word(route), route.via or route.nexthops or route.nhid)
end

M.scope = scope_word

---The metric that a route has, which may go without saying.
---@param route table with its `family`
---@return integer
function M.metric(route)
  return metric_number(route.metric, route.family)
end

-- What is a number or a word.
local SCALAR <const> = { "table", "metric", "type", "scope", "tos", "family", "from" }

---@return string? wrong what is no number or word, as messages say it
local function wrong_scalar(route)
  for _, field in ipairs(SCALAR) do
    local value <const> = route[field]
    local kind <const> = type(value)
    if value ~= nil and kind ~= "string" and kind ~= "number" then
      return ("%s: a number or a word is due here, not a %s"):format(field, kind)
    end
  end
end

---The key of a route: routes of one key replace, shadow or join each other.
---
--- IPv4 tos and the IPv6 source prefix are part of it, scope and type are not. The text is the
--- prefix alone where all else is the default: that is nearly always so, and costs no string.
---@param route table
---@return string? key, integer|string family 4 or 6; nil and a message where dst is no prefix, or
---something else no number or word
function M.slot(route)
  local dst, family = prefix_of(route)
  if not dst then return nil, family end
  local number, metric = route.table, route.metric
  if number == nil and LOCAL[type_word(route)] then number = 255 end
  local extra
  if family == 4 then extra = route.tos else extra = route.from end
  if (number == nil or number == "main" or number == 254) and extra == nil
    and (metric == nil or metric == METRIC[family]) then
    return dst, family
  end
  local wrong <const> = wrong_scalar(route)
  if wrong then return nil, wrong end
  number, metric = table_number(number), metric_number(metric, family)
  extra = family == 4 and tos_number(extra) or family == 6 and source_prefix(extra)
  if number == 254 and metric == METRIC[family] and not extra then return dst, family end
  local text <const> = ("%s table %s metric %s"):format(dst, number, metric)
  return extra and ("%s %s"):format(text, extra) or text, family
end

---Whether two routes to one destination are for the same packets: of one tos in IPv4, from one
---prefix in IPv6.
---@param a table with its `family`
---@param b table
---@return boolean
function M.same_packets(a, b)
  if a.family == 4 then return tos_number(a.tos) == tos_number(b.tos) end
  return source_prefix(a.from) == source_prefix(b.from)
end

---The key by which routes are grouped: that of the kernel, type, and for IPv4 scope.
---@param route table
---@return string? key, integer|string family nil and a message where dst is no prefix
function M.key(route)
  local key, family = M.slot(route)
  if not key then return nil, family end
  local wrong <const> = type(route) == "table" and wrong_scalar(route)
  if wrong then return nil, wrong end
  if family == 4 then
    local scope <const> = scope_word(route)
    if scope ~= "global" then key = key .. " scope " .. scope end
  end
  local kind <const> = type_word(route)
  if kind ~= "unicast" then key = key .. " " .. kind end
  return key, family
end

---Reads a route of text: words as `ip route add` takes them, or an object as `ip -j` prints them.
---@param text string
---@return table? route, string? message
function M.of_text(text)
  if not text:find "^%s*[%[{]" then return rtnl.parse("route", text) end
  local routes <const>, message <const> = require "ecmp.fib.json_routes".routes(text)
  if not routes then return nil, message end
  if #routes ~= 1 then return nil, ("one route is due here, not %d"):format(#routes) end
  return routes[1]
end

---A list of routes without texts: those are read.
---@param routes (table|string)[]
---@return table[]? routes the same list where nothing in it is text
---@return string? message, string? code nil, message naming the route, "EINVAL"
function M.without_texts(routes)
  local list
  for i = 1, #routes do
    local route <const> = routes[i]
    if type(route) == "string" then
      local parsed <const>, message <const> = M.of_text(route)
      if not parsed then return refuse("[%d]: %s", i, message) end
      list = list or table.move(routes, 1, #routes, 1, {})
      list[i] = parsed
    end
  end
  return list or routes
end

-- Making Routes -----------------------------------------------------------------------------------

---Whether a value is a Route.
---@param value any
---@return boolean
function M.is(value)
  local metatable <const> = getmetatable(value)
  return metatable == Wanted or metatable == Held
end

---Whether a Route is one that the kernel holds, all of whose attributes are known.
---@param route ecmp.RouteValue
---@return boolean
function M.is_held(route)
  return getmetatable(route) == Held
end

local function is_attribute(key, value)
  return not REWRITTEN[key] and not OWNED[key] and DEFAULT_ATTRIBUTE[key] ~= value
end

local function copy_attributes(from, to)
  for k, v in pairs(from) do
    if is_attribute(k, v) then to[k] = v end
  end
  return to
end

---Writes the attributes as views do, so that they can be compared; refuses what cannot be said.
---@return table? route, string? message, string? code
local function spell(route)
  local attributes <const> = copy_attributes(route, {})
  if next(attributes) == nil then return route end
  attributes.family = route.family
  local good <const>, view <const> = pcall(rtnl.view, "route", attributes)
  if not good then return refuse("%s", (view:gsub("^.-:%d+: ", ""))) end
  attributes.family = nil
  for key in pairs(attributes) do
    local spelled <const> = view[key]
    route[key] = DEFAULT_ATTRIBUTE[key] ~= spelled and spelled or nil
  end
  return route
end

-- The mark of a route that is to be an entry of its own beside others of its key (rule.separate).
local function separate_mark(route)
  return type(route) == "table" and route.separate and true or nil
end

local WHOLE <const> = { mtu = true, advmss = true }

local function is_unsigned(value, most)
  local number <const> = type(value) == "number" and math.tointeger(value)
  return value == nil or number and number >= 0 and number <= most
end

---@return true? good, string? message, string? code
local function check_numbers(route)
  if not is_unsigned(route.metric, 0xffffffff) then
    return refuse("metric: %s is not a whole number from 0 to 4294967295", shown(route.metric))
  end
  for field in pairs(WHOLE) do
    local value <const> = route[field]
    if type(value) == "number" and not is_unsigned(value, 0xffffffff) then
      return refuse("%s: %s is not a whole number from 0", field, shown(value))
    end
  end
  return true
end

---What the kernel holds is read as it is; what somebody wants is checked too.
---@param fit? fun(hops: table[], family: integer): table[]?, string?, integer? checks the hops
---@return table? route, string? message, string? code
local function read(route, fit)
  if type(route) ~= "table" and type(route) ~= "userdata" then
    return refuse("a route is a table, not a %s", type(route))
  end
  local wrong <const> = type(route) == "table" and wrong_scalar(route)
  if wrong then return refuse("%s", wrong) end
  local dst, family = prefix_of(route)
  if not dst then return refuse("%s", family) end
  local hops, message, code = {}, nil, nil
  local kind <const> = type_word(route)
  if not HOPLESS[kind] then
    hops, message, code = nexthop.of(route, family, not fit or fit == nexthop.possible)
  end
  if not hops then return nil, message, code end
  if fit then
    hops, message, code = fit(hops, family)
    if not hops then return nil, message, code end
    local good
    good, message, code = check_numbers(route)
    if not good then return nil, message, code end
  end
  local tos
  if family == 4 then tos = tos_number(route.tos) end
  local made <const> = copy_attributes(route, {
    family = family, dst = dst, table = table_number(route.table, kind),
    metric = metric_number(route.metric, family), type = kind,
    tos = tos, separate = separate_mark(route),
    scope = family == 4 and scope_word(route) or nil, nexthops = hops,
  })
  if type(route) == "userdata" then return made end
  return spell(made)
end

---@return table? made, string? message, string? code
local function check(made, route)
  if HOPLESS[made.type] and (route.via or route.nexthops and #route.nexthops > 0) then
    return refuse("%s: a route of type %s has no next hops", route.via and "via" or "nexthops",
      made.type)
  end
  if made.type == "unicast" and #made.nexthops == 0 and not made.nhid then
    return refuse("via: missing; a route needs via, dev or nexthops")
  end
  return made
end

---A Route of what somebody wants.
---@param route table a route, or a view of one; a Route is what it is
---@param fit? function which hops there may be: ecmp.fib.nexthop's fit, repeated or possible
---@return ecmp.RouteValue? made, string? message, string? code nil, message naming the field,
---"EINVAL"
function M.canonical(route, fit)
  if M.is(route) then return route end
  local made = rtnl.canonical(route, true)
  if not made then
    local message, code
    made, message, code = read(route, fit or nexthop.fit)
    if made then made, message, code = check(made, route) end
    if not made then return nil, message, code end
  end
  if made.family == 4 and not says_scope(route) then made.any_scope = true end
  return setmetatable(made, Wanted)
end

---A Route of what the kernel holds: never refused for what the kernel has accepted.
---@param route table
---@return ecmp.RouteValue? made, string? message, string? code
function M.held(route)
  if M.is(route) then return route end
  local made = rtnl.canonical(route)
  if not made then
    local message, code
    made, message, code = read(route)
    if not made then return nil, message, code end
  end
  return setmetatable(made, Held)
end

---The same route with other fields.
---@param route ecmp.RouteValue
---@param fields table
---@return ecmp.RouteValue
function M.with(route, fields)
  local new <const> = {}
  for k, v in pairs(route) do new[k] = v end
  for k, v in pairs(fields) do new[k] = v end
  return setmetatable(new, getmetatable(route))
end

-- Requests ----------------------------------------------------------------------------------------

---The scope of a Route where it is not the one that its plain form implies.
local function own_scope(route)
  local scope <const>, hop <const> = route.scope, route.nexthops[1]
  if not scope then return nil end
  local listed <const> = hop and (route.nexthops[2] or hop.weight ~= 1)
  local implied <const> = implied_scope(route.type, hop and hop.via or listed or route.nhid)
  return scope ~= implied and scope or nil
end

---The simplest form in iproute2's words: one hop becomes via and dev, defaults are left out.
---@param route ecmp.RouteValue
---@return table route a new plain table
function M.plain(route)
  local plain <const> = copy_attributes(route, {
    family = route.family, dst = route.dst, tos = route.tos, separate = route.separate,
  })
  local hops <const> = route.nexthops
  if route.table ~= table_number(nil, route.type) then plain.table = route.table end
  if route.metric ~= METRIC[route.family] then plain.metric = route.metric end
  if route.type ~= "unicast" then plain.type = route.type end
  -- One hop with a weight or a realm of its own stays a list: it may yet become one of several.
  if #hops > 1 or hops[1] and (hops[1].weight ~= 1 or hops[1].realm) then
    plain.nexthops = {}
    for i, one in ipairs(hops) do plain.nexthops[i] = nexthop.plain(one) end
  elseif hops[1] then
    plain.via, plain.dev = hops[1].via, hops[1].dev
    plain.onlink, plain.encap = hops[1].onlink, hops[1].encap
  end
  plain.scope = own_scope(route)
  return rtnl.fields(plain)
end

---A Route as the kernel is asked for it: the mark of `separate` is ours.
---@param route ecmp.RouteValue
---@return table
function M.request(route)
  local request <const> = nexthop.by_object(M.plain(route))
  request.separate = nil
  return request
end

---The attributes of a Route: what is neither its key nor its hops.
---@param route table
---@return table
function M.attributes(route)
  return copy_attributes(route, {})
end

-- Comparing ---------------------------------------------------------------------------------------

local KEY <const> = { "family", "dst", "table", "metric", "type", "tos" }

---The first attribute, by name, in which two Routes differ. What a wanted one leaves out is as it
---is in one that the kernel holds.
---@param a ecmp.RouteValue
---@param b ecmp.RouteValue
---@param free? table<string, true> attributes that may differ
---@return string? field
function M.unlike(a, b, free)
  local first
  for _, side in ipairs { a, b } do
    for field in pairs(side) do
      local any <const> = a[field] == nil and M.is_held(b) and not M.is_held(a)
        or b[field] == nil and M.is_held(a) and not M.is_held(b)
      local compared <const> = not REWRITTEN[field] and not OWNED[field] and not VOLATILE[field]
        and not (free and free[field]) and not any
      if compared and not nexthop.equal(a[field], b[field]) and field < (first or "~") then
        first = field
      end
    end
  end
  return first
end

---Whether a route that is there is what is wanted, whatever its hops: fields that `want` leaves out
---match anything.
---@param have ecmp.RouteValue
---@param want ecmp.RouteValue
---@return boolean
---@return string? field the first that differs
function M.matches_beside_hops(have, want)
  for i = 1, #KEY do
    local field <const> = KEY[i]
    if have[field] ~= want[field] then return false, field end
  end
  if have.scope ~= want.scope and not want.any_scope then return false, "scope" end
  for k, v in pairs(want) do
    if not REWRITTEN[k] and not VOLATILE[k] and not nexthop.equal(have[k], v) then
      return false, k
    end
  end
  return true
end

---Whether a route that is there is what is wanted: fields that `want` leaves out match anything,
---hops are a set.
---@param have ecmp.RouteValue
---@param want ecmp.RouteValue
---@return boolean
---@return string? field the first that differs
function M.matches(have, want)
  local matches <const>, field <const> = M.matches_beside_hops(have, want)
  if not matches then return false, field end
  -- A route by a next-hop object has its hops from there, whether they are told or not.
  if want.nhid and (#want.nexthops == 0 or #have.nexthops == 0) then return true end
  if not nexthop.match(have.nexthops, want.nexthops) then return false, "nexthops" end
  return true
end

---Whether a route that is there can stay for one that is wanted.
---@param have ecmp.RouteValue
---@param want ecmp.RouteValue
---@param exactly? boolean what `want` leaves out is not there
---@return boolean
function M.fits(have, want, exactly)
  if rawequal(have, want) then return true end
  return M.matches(have, want) and (not exactly or M.matches(want, have))
end

---Whether two routes are the same: every field, hops as a set with weights and onlink; the flags
---that the kernel sets by itself are not looked at.
---@param a table
---@param b table
---@return boolean
---@return string? field the first that differs
function M.same(a, b)
  local one <const>, other <const> = M.held(a), M.held(b)
  if not one or not other then return false, "dst" end
  local equals, field = M.matches(one, other)
  if equals then equals, field = M.matches(other, one) end
  return equals, field
end

-- Text --------------------------------------------------------------------------------------------

local SHOWN <const> = { "proto", "src", "nhid" }
local IS_SHOWN <const> = {}
for _, key in ipairs(SHOWN) do IS_SHOWN[key] = true end

-- The other attributes, metrics above all, in iproute2's words; "" where there are none.
local function others(route)
  local rest
  for key, value in pairs(route) do
    if is_attribute(key, value) and not IS_SHOWN[key] and not VOLATILE[key] then
      rest = rest or { family = route.family }
      rest[key] = value
    end
  end
  return rest and rtnl.view("route", rest):text { line = true }:match "^%s*default%s+(.*)$" or ""
end

local function say(words, word, value)
  words[#words + 1] = word
  if value ~= nil then words[#words + 1] = tostring(value) end
end

---What `text` says after the destination.
---@param route ecmp.RouteValue
---@return string
function M.rest(route)
  local words <const>, hops <const> = {}, route.nexthops
  if hops[1] and not hops[2] then
    say(words, nexthop.text(hops[1]))
    if hops[1].onlink then say(words, "onlink") end
  end
  if route.table ~= 254 then say(words, "table", route.table) end
  if route.tos then say(words, "tos", route.tos) end
  if route.metric ~= METRIC[route.family] then say(words, "metric", route.metric) end
  local scope <const> = own_scope(route)
  if scope then say(words, "scope", scope) end
  for i = 1, #SHOWN do
    local value <const> = route[SHOWN[i]]
    if value ~= nil then say(words, SHOWN[i], value) end
  end
  local rest <const> = others(route)
  if rest ~= "" then say(words, rest) end
  for i = 1, hops[2] and #hops or 0 do
    say(words, "nexthop", nexthop.text(hops[i]))
    if hops[i].weight ~= 1 then say(words, "weight", hops[i].weight) end
    if hops[i].onlink then say(words, "onlink") end
  end
  return table.concat(words, " ")
end

---A Route on one line, in the words of iproute2.
---@param route ecmp.RouteValue
---@return string
function M.text(route)
  local kind <const> = route.type ~= "unicast" and route.type .. " " or ""
  local dst <const> = route.dst == DEFAULT[route.family] and "default" or route.dst
  local rest <const> = M.rest(route)
  return kind .. dst .. (rest ~= "" and " " or "") .. rest
end

for _, metatable in ipairs { Wanted, Held } do
  metatable.__tostring = M.text
  function metatable.__index(route, key)
    return key == "hops" and rawget(route, "nexthops") or nil
  end
end

return M
