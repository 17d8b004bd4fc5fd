---Where flows go: the kernel is asked for each of a number of flows which next hop it would take.

local ip = require "ecmp.ip"
local lookup = require "ecmp.nl.lookup"
local object = require "ecmp.nl.object"
local rtnl = require "ecmp.rtnl"

rtnl.own()

local M = {}

local known <const> = {
  dst = true, src = true, proto = true, sport = true, dport = true, mark = true, uid = true,
  iif = true, dev = true, tos = true, family = true, flows = true, progress = true,
}

-- Flows differ in what the hash policy looks at: ports for L4, destinations inside the prefix for
-- L3.
local function destinations(dst)
  local prefix, message = ip.parse(dst)
  if not prefix then
    rtnl.throw("dst: " .. message)
  end
  local bits = prefix:family() == 6 and 128 or 32
  if prefix:length() == bits then
    return function() return dst end
  end
  local first, last = prefix:first(), prefix:last()
  local span = bits - prefix:length() >= 32 and 0xffffffff or last - first
  return function(i)
    return tostring((first + (i * 2654435761) % (span + 1)):address())
  end
end

-- A gateway of the other family is written as the kernel answers with it.
local function hop_key(hop)
  return (hop.via or ""):gsub("^inet6 ", "") .. " " .. (hop.dev or "")
end

-- The hops of the route that the first flow finds, so that one no flow takes is listed with zero.
-- IPv6 answers with the hop that was chosen first; by address, their order is the same each time.
local function listed(nl, first)
  local query = { fibmatch = true }
  for key, value in pairs(first) do query[key] = value end
  local route = nl.route:get(query)
  local hops = route and (route.nhid and lookup.hops(nl, route) or route.hops) or {}
  local list, index, sum = {}, {}, 0
  for _, hop in ipairs(hops) do
    local weight = #hops > 1 and hop.weight or nil -- a route of one hop has none
    local via = hop.via and hop.via:gsub("^inet6 ", "")
    local entry = index[hop_key(hop)]
    if entry then -- one hop that stands in for another
      entry.weight = entry.weight + weight
    else
      entry = { via = via, dev = hop.dev, weight = weight, flows = 0 }
      list[#list + 1], index[hop_key(hop)] = entry, entry
    end
    sum = sum + (weight or 0)
  end
  for _, entry in ipairs(list) do
    entry.asked = entry.weight and entry.weight / sum
  end
  if route and route.family == 6 then
    table.sort(list, function(a, b) return hop_key(a) < hop_key(b) end)
  end
  return list, index
end

-- Asks for each flow, and counts; the last refusal, too.
local function count(nl, flow, query, dst_of, list, index)
  local lost = { flows = 0 }
  for i = 1, flow.flows do
    query.dst, query.sport = dst_of(i), flow.sport or 1024 + i * 7919 % 60000
    local route, why, code = nl.route:get(query)
    local entry = lost
    if route then
      entry = index[hop_key(route)]
      if not entry then
        entry = { via = route.via, dev = route.dev, flows = 0 }
        list[#list + 1], index[hop_key(route)] = entry, entry
      end
    else
      lost.name, lost.message = code, why
    end
    entry.flows = entry.flows + 1
    if flow.progress and i % 256 == 0 then
      flow.progress(i, flow.flows)
    end
  end
  return lost
end

-- What the kernel answers of routes that lead nowhere, and what these do.
local NOWHERE <const> = {
  EINVAL = { type = "blackhole", does = "drops" },
  EHOSTUNREACH = { type = "unreachable", does = "refuses" },
  EACCES = { type = "prohibit", does = "refuses" },
}

-- Names the route of that type with the longest prefix that a destination is in.
local function leads_nowhere(nl, query, code)
  local nowhere, found, longest = NOWHERE[code], nil, -1
  for _, entry in ipairs(nowhere and nl.route:list { type = nowhere.type, table = "all" } or {}) do
    local prefix = ip.parse(entry.dst == "default" and (entry.family == 4 and "0.0.0.0/0" or "::/0")
      or entry.dst)
    if prefix and prefix:contains(query.dst) and prefix:length() > longest then
      found, longest = entry, prefix:length()
    end
  end
  return found and ("spread %s: %s %s %s what goes there (%s)"):format(query.dst, nowhere.type,
    found.dst, nowhere.does, code)
end

---Which share of flows takes which next hop, by the kernel's own answer (RTM_GETROUTE with the
---flow's fields; exact for the hash policies 0, 1 and 2).
---@param nl ecmp.Handle
---@param flow { dst: string, flows: integer, src: string, proto: string, sport: integer, dport:
---integer, mark: integer, uid: integer, iif: string, dev: string, tos: integer, family: 4|6,
---progress: fun(done: integer, total: integer) } `dst` an address, or a prefix or "default" whose
---addresses are varied; source ports are varied unless `sport` is given
---@return { via: string, dev: string, weight: integer, asked: number, flows: integer, share:
---number }[]|nil hops # share in 0..1, asked what it is by the weights; prints as bars; flows that
---find no way make one more, with the refusal's code as `name`
---@return string? message
---@return string? code # "ENETUNREACH" and the like when no flow finds a way
function M.spread(nl, flow)
  object.check_options("spread", flow, known)
  if type(flow) ~= "table" or type(flow.dst) ~= "string" then
    rtnl.throw("dst: address or prefix expected")
  end
  local whole = { dst = flow.dst, sport = flow.sport, progress = flow.progress,
                  flows = flow.flows or 256 }
  if math.type(whole.flows) ~= "integer" or whole.flows < 1 then
    rtnl.throw("flows: a positive integer expected")
  end
  if flow.dst == "default" then
    whole.dst = flow.family == 6 and "::/0" or "0.0.0.0/0"
  end
  local dst_of = destinations(whole.dst)
  local query = { dst = dst_of(1), src = flow.src, proto = flow.proto or "udp",
                  dport = flow.dport or 443, sport = flow.sport, mark = flow.mark, uid = flow.uid,
                  iif = flow.iif, dev = flow.dev, tos = flow.tos, family = flow.family }
  local list, index = listed(nl, query)
  local lost = count(nl, whole, query, dst_of, list, index)
  if lost.flows == whole.flows then
    return nil, leads_nowhere(nl, query, lost.name) or lost.message, lost.name
  end
  if lost.flows > 0 then
    list[#list + 1] = { name = lost.name, flows = lost.flows }
  end
  for _, entry in ipairs(list) do
    entry.share = entry.flows / whole.flows
  end
  return require "ecmp.nl.bars".list(list)
end

return M
