---Why the kernel refuses a route. It does not say which next hop of several it minds, but it can be
---asked what it thinks of one without anything being changed: "route try" replaces what is not
---there and refuses what is, so that ENOENT and EEXIST are its way to say that all is well.

local nexthop = require "ecmp.fib.nexthop"
local route_of = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"

local M = {}

-- Refused for what no hop can be the cause of.
local beside_hops <const> = {
  EPERM = true, ENOBUFS = true, ENOMEM = true, EMSGSIZE = true, ENOENT = true,
}
local unreachable <const> = { ENETUNREACH = true, EHOSTUNREACH = true }

local function hop_text(hop)
  local words = {}
  for _, key in ipairs { "via", "dev" } do
    if hop[key] then
      words[#words + 1] = key .. " " .. hop[key]
    end
  end
  return table.concat(words, " ")
end

-- Message and code of a refusal, in front of the code what else is known.
local function add(message, text)
  return (message:gsub("%.?( %(%u+%))$", function(symbol) return ": " .. text .. symbol end))
end

-- A route with one hop, or with other fields.
local function with(route, hop, fields)
  local asked = {}
  for key, value in pairs(route) do
    asked[key] = value
  end
  asked.nexthops = hop and { hop } or route.nexthops
  for key, value in pairs(fields or {}) do
    asked[key] = value or nil
  end
  return asked
end

-- What the kernel thinks of a route.
local function code_of(nl, route)
  local _, _, code = nl.socket:request("route", "try", route)
  return code
end

-- The number of the hop that is refused for the same reason as the route; none where the route
-- would be refused with any hop.
local function find_fault(nl, route, code)
  local first, count = nil, 0
  for i, hop in ipairs(route.nexthops) do
    if code_of(nl, with(route, hop)) == code then
      first, count = first or i, count + 1
    end
  end
  if count == #route.nexthops
    and code_of(nl, with(route, nil, { nexthops = false, dev = "lo" })) == code then
    return nil
  elseif first and route.scope
    and code_of(nl, with(route, route.nexthops[first], { scope = false })) ~= code then
    return nil -- it is too narrow for a gateway
  end
  return first
end

local function same_way(hop, other)
  return hop.via == other.via and (hop.dev == other.dev or not hop.dev or not other.dev)
    and nexthop.equal(hop.encap, other.encap)
end

-- The first hop that is listed again, and where.
local function find_twins(hops, family)
  local seen, canonical = {}, {}
  for i, hop in ipairs(hops) do
    canonical[i] = nexthop.asked(hop, family)
    local via = canonical[i].via or ""
    seen[via] = seen[via] or {}
    for _, before in ipairs(seen[via]) do
      if same_way(canonical[before], canonical[i]) then
        return before, i
      end
    end
    table.insert(seen[via], i)
  end
end

-- A metric at which nothing is, so that a route is not refused for what is there.
local EMPTY_METRIC <const> = 0xfffffff1

---Whether IPv6 refuses a route of several hops for one that is there twice.
---@param nl ecmp.Handle
---@param route table
---@return boolean
function M.has_twins(nl, route)
  return #(route.nexthops or {}) > 1
    and code_of(nl, with(route, nil, { metric = EMPTY_METRIC })) == "EEXIST"
end

-- The number of a hop that a route of the key has already.
local function find_member(nl, route)
  local request = rtnl.view("route", route, true)
  local list = nl.route:list { dst = request.dst, table = request.table, family = 6 }
  for _, entry in ipairs(list or {}) do
    local beside = route_of.slot(entry) == route_of.slot(request)
    for i, hop in ipairs(beside and route.nexthops or {}) do
      if nexthop.find(assert(route_of.held(entry)).nexthops, nexthop.asked(hop, 6)) then
        return i
      end
    end
  end
end

-- IPv6 says that a route exists, too, where a hop does: one of the route, or one that it was to
-- join.
local function name_existing(nl, verb, route)
  local hops = route.nexthops
  local before, twin = find_twins(hops, 6)
  if twin and M.has_twins(nl, route) then
    return ("nexthops[%d] %s is nexthops[%d] again"):format(twin, hop_text(hops[twin]), before)
  end
  local member = (verb == "append" or verb == "prepend") and find_member(nl, route)
  return member and ("nexthops[%d] %s is there already"):format(member, hop_text(hops[member]))
end

local function name(nl, verb, route, code)
  local family = rtnl.view("route", route).family
  if code == "EEXIST" then
    return family == 6 and name_existing(nl, verb, route) or nil
  end
  local i = find_fault(nl, route, code)
  if not i then
    return nil
  end
  local hop = route.nexthops[i]
  local why = unreachable[code] and hop.via and " is not reachable"
    or family == 6 and not hop.via and " has no gateway" or ""
  return ("nexthops[%d]%s%s"):format(i, hop_text(hop) ~= "" and " " .. hop_text(hop) or "", why)
end

---Names the hop for which a route of several was refused.
---@param nl ecmp.Handle
---@param verb string
---@param route table
---@param message string the kernel's
---@param code string
---@return string message
function M.name_hop(nl, verb, route, message, code)
  if beside_hops[code] or #(route.nexthops or {}) < 2 then
    return message
  end
  local text = name(nl, verb, route, code)
  return text and add(message, text) or message
end

---Whether a hop that was to join a route was refused because nothing leads to it.
---@param nl ecmp.Handle
---@param route table with that hop alone
---@param code string
---@return boolean
function M.is_far(nl, route, code)
  return unreachable[code] and code_of(nl, route) == code
end

---What the kernel said, without the request and the code.
---@param message string
---@return string
function M.text(message)
  return message:match "^.-: (.*) %(%u+%)$" or message
end

---A refusal of ours, with the request in iproute2's words.
---@param verb string
---@param asked table the fields of a route
---@param why string
---@param code string
---@return nil, string message, string code
function M.of(verb, asked, why, code)
  local view = rtnl.is_view(asked) and asked or rtnl.view("route", asked)
  return nil, ("route %s %s: %s (%s)"):format(verb, view:text { request = true, line = true }, why,
    code), code
end

return M
