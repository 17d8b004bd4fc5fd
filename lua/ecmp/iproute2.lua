-- Views in the words of `ip -j`: the same names and shapes, for programs that read those already.

local ip <const> = require "ecmp.ip"
local json <const> = require "ecmp.json"
local site <const> = require "ecmp.site"

local M = {}

local flags_of_hops <const> = {
  "dead", "onlink", "pervasive", "offload", "trap", "linkdown", "unresolved", "rt_offload",
  "rt_trap",
}

local metric_words <const> = {
  "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit",
    "initcwnd",
  "features", "rto_min", "initrwnd", "quickack", "congctl", "fastopen_no_cookie",
}

local function flags(view)
  local list <const> = json.array {}
  for _, flag in ipairs(flags_of_hops) do
    if view[flag] then list[#list + 1] = flag end
  end
  return list
end

local function is_inet6(address) return address:find(":", 1, true) ~= nil end

-- A gateway of the other family has a shape of its own.
local function add_gateway(object, via, family)
  if not via then return end
  via = via:gsub("^inet6 ", "")
  if family == 4 and is_inet6(via) then
    object.via = { family = "inet6", host = via }
  else
    object.gateway = via
  end
end

-- seg6 is spread over its parent, as iproute2 does; other kinds are kept together as well.
local function add_encap(object, encap)
  if not encap then return end
  object.encap = encap.type
  for key, value in pairs(encap) do
    local list <const> = type(value) == "table" and value[1] ~= nil
    if key ~= "type" then object[key] = list and json.array(value) or value end
  end
end

local function hop(view, family)
  local object <const> = { dev = view.dev, weight = view.weight, flags = flags(view) }
  add_gateway(object, view.via, family)
  add_encap(object, view.encap)
  return object
end

local function metrics(view)
  local found
  for _, word in ipairs(metric_words) do
    local value <const> = view[word]
    if value ~= nil then
      found = found or {}
      found[word] = value
    end
  end
  return found and json.array { found } or nil
end

local function hops(view)
  if not view.nexthops then return nil end
  local list <const> = json.array {}
  for i, each in ipairs(view.nexthops) do list[i] = hop(each, view.family) end
  return list
end

local function unless(value, default)
  if value ~= default then return value end
end

local names <const> = {}

-- The word for a number that has none but the site's; iproute2 writes numbers as text, too.
local function named(file, value)
  if math.type(value) ~= "integer" then return value end
  names[file] = names[file] or site(file)
  return names[file][value] or tostring(value)
end

local function dsfield(value)
  local name <const> = named("rt_dsfield", value)
  return name ~= tostring(value) and name or ("0x%02x"):format(value)
end

local function route(view, options)
  local object <const> = {
    type = unless(view.type, "unicast"), dst = view.dst, from = view.from, nhid = view.nhid,
    tos = view.tos and dsfield(view.tos),
    dev = view.dev, protocol = unless(named("rt_protos", view.proto), "boot"),
    scope = unless(named("rt_scopes", view.scope), "global"),
    prefsrc = view.src, metric = view.metric, flags = flags(view), expires = view.expires,
    error = view.error, metrics = metrics(view), pref = view.pref, nexthops = hops(view),
    table = options and options.table and unless(named("rt_tables", view.table), "main")
      or nil,
  }
  if view.family == 6 then object.scope = nil end
  add_gateway(object, view.via, view.family)
  add_encap(object, view.encap)
  return object
end

local function nexthop(view)
  local object <const> = {
    id = view.id, dev = view.dev, protocol = unless(named("rt_protos", view.proto), "unspec"),
    blackhole = view.blackhole or nil, type = view.type, flags = flags(view),
    scope = view.dev and unless(named("rt_scopes", view.scope), "global") or nil,
  }
  add_gateway(object, view.via, view.family)
  if view.group then
    object.group = json.array {}
    for i, member in ipairs(view.group) do
      object.group[i] = { id = member.id, weight = unless(member.weight, 1) }
    end
  end
  return object
end

local link_flags <const> = {
  { "loopback", "LOOPBACK" }, { "broadcasting", "BROADCAST" }, { "pointopoint", "POINTOPOINT" },
  { "multicast", "MULTICAST" }, { "noarp", "NOARP" }, { "allmulticast", "ALLMULTI" },
  { "promisc", "PROMISC" }, { "up", "UP" }, { "lower_up", "LOWER_UP" },
}

local function link(view)
  local list <const> = json.array {}
  if view.up and not view.running then list[1] = "NO-CARRIER" end
  for _, pair in ipairs(link_flags) do
    if view[pair[1]] then list[#list + 1] = pair[2] end
  end
  return {
    ifindex = view.index, ifname = view.name, flags = list, mtu = view.mtu, qdisc = view.qdisc,
    master = view.master, operstate = view.operstate, txqlen = view.txqueuelen,
      address = view.address,
    broadcast = view.broadcast, link = not view.link_netnsid and view.link or nil,
    link_netnsid = view.link_netnsid, link_type = view.loopback and "loopback" or "ether",
    linkinfo = view.type and { info_kind = view.type } or nil,
  }
end

local FOREVER <const> = 4294967295

local function lifetime(value)
  return tonumber(value) or FOREVER
end

local function addr(view)
  local address <const> = assert(ip.parse(view.address))
  return {
    dev = view.dev, family = address:family() == 6 and "inet6" or "inet",
    ["local"] = (view.address:gsub("/.*", "")), prefixlen = address:length(),
    address = view.peer and (view.peer:gsub("/.*", "")) or nil, broadcast = view.broadcast,
      scope = view.scope, label = view.label,
    tentative = view.tentative or nil, dadfailed = view.dadfailed or nil, nodad = view.nodad or nil,
    valid_life_time = lifetime(view.valid_lft), preferred_life_time = lifetime(view.preferred_lft),
  }
end

local function neigh(view)
  local states <const> = json.array {}
  for word in tostring(view.state or ""):gmatch "[^,|%s]+" do states[#states + 1] = word:upper() end
  return { dst = view.dst, dev = view.dev, lladdr = view.lladdr, state = states,
           router = view.router or nil }
end

local function rule(view)
  return { priority = view.priority or 0, src = view.from or "all", dst = view.to, iif = view.iif,
           oif = view.oif, fwmark = view.fwmark, table = view.table and tostring(view.table) or nil,
           action = unless(view.action, "to_tbl") }
end

local kinds <const> = { route = route, nexthop = nexthop, link = link, addr = addr, neigh = neigh,
  rule = rule }

---One view in the words of `ip -j`.
---@param view ecmp.View
---@param options? { table: boolean } name the table of a route
---@return table object for ecmp.json
function M.object(view, options)
  return kinds[view:object()](view, options)
end

---A list of views.
---@param list ecmp.View[]
---@param options? { table: boolean }
---@return table[] objects
function M.list(list, options)
  local objects <const> = json.array {}
  for i, view in ipairs(list) do objects[i] = M.object(view, options) end
  return objects
end

return M
