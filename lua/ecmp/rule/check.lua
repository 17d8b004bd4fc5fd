---Checks what a rule returned before anything else sees it: names of fields, types, families, and
---interfaces, each mistake with the path of the field.
local identity <const> = require "ecmp.identity"

local M = {}

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

-- What people write for iproute2's words.
local SYNONYM <const> = {
  gw = "via", gateway = "via", gws = "nexthops", hops = "nexthops", priority = "metric",
  prefix = "dst", to = "dst", destination = "dst", oif = "dev", interface = "dev", link = "dev",
  protocol = "proto", prefsrc = "src", preference = "metric", ifname = "dev",
}

---The number of letters to change, add or leave out to come from one word to the other.
local function distance(a, b)
  local row <const> = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal
    diagonal, row[0] = row[0], i
    for j = 1, #b do
      local cost <const> = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
    end
  end
  return row[#b]
end

---The word that somebody probably meant.
---@param name string
---@param words string[]
---@return string?
function M.nearest(name, words)
  local best, least = nil, 3
  -- A name of any length may come from a hostile script; only short ones are compared.
  for _, word in ipairs(#name <= 24 and words or {}) do
    local d <const> = distance(name, word)
    if d < least or d == least and best and word < best then best, least = word, d end
  end
  return best
end

local function hint_for(name, known)
  if type(name) ~= "string" then return "" end
  local words <const> = {}
  for word in pairs(known) do words[#words + 1] = word end
  local near <const> = known[SYNONYM[name]] and SYNONYM[name] or M.nearest(name, words)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

---A view of the kernel's route; what comes out of a cage has no metatable.
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
      return ("%s%s: unknown field%s"):format(path, tostring(name):sub(1, 64),
        hint_for(name, known))
    end
    if not FITS[kind](field) then
      return ("%s%s: %s is due here, not %s"):format(path, name, DUE[kind],
        type(field) == "number" and tostring(field) or "a " .. type(field))
    end
  end
end

local function check_device(name, path, links)
  if name and links and not links[name] then
    return ("%sdev: there is no interface '%s'"):format(path, name:sub(1, 64))
  end
end

---@return string? message
local function check_hops(hops, path, links)
  for i, hop in ipairs(hops) do
    if type(hop) ~= "table" then
      return ("%snexthops[%d]: a next hop is a table, not a %s"):format(path, i, type(hop))
    end
    local message <const> = check_fields(hop, HOP, "") or check_device(hop.dev, "", links)
    if message then return ("%snexthops[%d].%s"):format(path, i, message) end
  end
  for key in pairs(hops) do
    if math.type(key) ~= "integer" or key < 1 or key > #hops then
      return ("%snexthops: a list of next hops is due here"):format(path)
    end
  end
end

---Checks one route.
---@param route any
---@param path string what to call it, "merge(default)[2]"
---@param links table? interfaces by name; without it any name will do
---@return table? canonical, string? message, integer? code nil, message, 7
function M.route(route, path, links)
  if is_view(route) then return identity.canonical(route) end
  if type(route) ~= "table" then
    return nil, ("%s: a route is a table, not a %s"):format(path, type(route)), 7
  end
  local inside <const> = path .. "."
  local message = check_fields(route, ROUTE, inside) or check_device(route.dev, inside, links)
  if not message and route.nexthops then message = check_hops(route.nexthops, inside, links) end
  if message then return nil, message, 7 end
  local canonical, why, code = identity.canonical(route)
  if not canonical then return nil, inside .. why, code end
  return canonical
end

---Checks a list of routes, or what stands for one: a route, or nothing but `{}`.
---@param value any
---@param path string
---@param links table?
---@return table[]? routes the list, string? message, integer? code nil, message, 7
function M.routes(value, path, links)
  if is_view(value) or type(value) == "table" and value[1] == nil and next(value) then
    local canonical, message, code = M.route(value, path, links)
    if not canonical then return nil, message, code end
    return { value }
  end
  if type(value) ~= "table" then
    return nil, ("%s: returned %s; a route, a list of routes, or {} for none is due"):format(path,
      value == nil and "nothing" or "a " .. type(value)), 7
  end
  local count <const> = #value
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > count then
      return nil, ("%s.%s: a list of routes has no such entry"):format(path,
        tostring(key):sub(1, 64)), 7
    end
  end
  for i = 1, count do
    local canonical, message, code = M.route(value[i], "", links)
    if not canonical then return nil, ("%s[%d]%s"):format(path, i, message), code end
  end
  return value
end

return M
