---Views in the words of `ip -j`: the same names and shapes, for programs that read those already.

local json = require "ecmp.json"
local json_routes = require "ecmp.fib.json_routes"
local rtnl = require "ecmp.rtnl"
local site = require "ecmp.nl.names"

local M = {}

local flags_of_hops <const> = {
  "dead", "onlink", "pervasive", "offload", "trap", "linkdown", "unresolved",
}
local flags_of_routes <const> = {
  "dead", "onlink", "pervasive", "offload", "trap", "linkdown", "unresolved", "rt_offload",
  "rt_trap",
}

local metric_words <const> = {
  "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit",
    "initcwnd",
  "rto_min", "initrwnd", "quickack", "congctl", "fastopen_no_cookie",
}

local function flags(view, known)
  local list <const> = json.array {}
  for _, flag in ipairs(known or flags_of_hops) do
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

-- Fields of encapsulations that iproute2 takes apart.
local apart <const> = {
  freq = function(object, freq)
    local part <const>, whole <const> = freq:match "(%d+)/(%d+)"
    object.freqk, object.freqn = math.tointeger(tonumber(part)), math.tointeger(tonumber(whole))
  end,
  trace = function(object, trace)
    object.trace, object.prealloc = json.null, json.null
    object.type, object.ns, object.size = ("%x"):format(trace.type), trace.ns, trace.size
  end,
}

-- An encapsulation is spread over its parent, as iproute2 does; `name` gives its fields a name of
-- their own where a route has one, too.
local function add_encap(object, encap, name)
  if not encap then return end
  for key, value in pairs(encap) do
    if apart[key] then
      apart[key](object, value)
    elseif key ~= "type" then
      local field <const> = name and name(key) or key
      object[field] = type(value) == "table" and json.array(value) or value
    end
  end
  object.encap = encap.type
end

local names <const> = {}

-- The word for a number that has none but the site's; iproute2 writes numbers as text, too.
local function named(file, value)
  if math.type(value) ~= "integer" then return value end
  names[file] = names[file] or site(file)
  return names[file][value] or tostring(value)
end

-- Where packets come from and go to: 5, or "3/5".
local function realms(realm)
  if not realm then return nil end
  local from <const>, to <const> = tostring(realm):match "^(%d+)/(%d+)$"
  return from and named("rt_realms", tonumber(from)),
    named("rt_realms", math.tointeger(tonumber(to or realm)))
end

local function flow(view)
  local from <const>, to <const> = realms(view.realm)
  return to and { from = from or nil, to = to }
end

local function hop(view, family)
  local object <const> = { dev = view.dev, weight = view.weight, flags = flags(view),
    flow = flow(view) }
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
      found[word == "congctl" and "congestion" or word] = value
    end
  end
  for _, feature in ipairs(view.features or {}) do
    found = found or {}
    found[feature] = json.null
  end
  if view.lock then
    found = found or {}
    found.lock = json.array(view.lock) -- ip leaves these out
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
    prefsrc = view.src, metric = view.metric, flags = flags(view, flags_of_routes),
    expires = view.expires, error = view.error, flow = flow(view), metrics = metrics(view),
    pref = view.pref, nexthops = hops(view), mark = view.mark, uid = view.uid, iif = view.iif,
    table = options and options.table and unless(named("rt_tables", view.table), "main")
      or nil,
  }
  if view.family == 6 then object.scope = nil end
  add_gateway(object, view.via, view.family)
  add_encap(object, view.encap, json_routes.encap_name)
  return object
end

-- What stands for itself: iproute2 gives it no value.
local function marked(object, view, words)
  for key, word in pairs(words) do
    if view[key] then object[word] = json.null end
  end
  return object
end

local function resilient(view)
  return view.buckets and { buckets = view.buckets, idle_timer = view.idle_timer,
    unbalanced_timer = view.unbalanced_timer, unbalanced_time = view.unbalanced_time }
end

local function group_stats(view)
  if not view.group_stats then return nil end
  local list <const> = json.array {}
  for i, one in ipairs(view.group_stats) do
    list[i] = { id = one.id, packets = one.packets, packets_hw = one.packets_hw }
  end
  return list
end

local function hw_stats(view)
  return view.hw_stats ~= nil and { enabled = view.hw_stats, used = view.hw_stats_used or false }
    or nil
end

local function nexthop(view)
  local object <const> = {
    id = view.id, dev = view.dev, protocol = unless(named("rt_protos", view.proto), "unspec"),
    type = view.type, flags = flags(view), resilient_args = resilient(view),
    scope = unless(named("rt_scopes", view.scope), "global"),
    group_stats = group_stats(view), hw_stats = hw_stats(view),
  }
  add_gateway(object, view.via, view.family)
  add_encap(object, view.encap)
  if view.group then
    object.group = json.array {}
    for i, member in ipairs(view.group) do
      object.group[i] = { id = member.id, weight = unless(member.weight, 1) }
    end
  end
  return marked(object, view, { blackhole = "blackhole", fdb = "fdb" })
end

local function link_flags(view)
  local list <const> = json.array {}
  if view.up and not view.running then list[1] = "NO-CARRIER" end
  for _, flag in ipairs(view.flags or {}) do
    if flag ~= "RUNNING" then list[#list + 1] = flag end
  end
  return list
end

local function link(view)
  return {
    ifindex = view.index, ifname = view.name, flags = link_flags(view), mtu = view.mtu,
    qdisc = view.qdisc, master = view.master, operstate = view.operstate, txqlen = view.txqueuelen,
    address = view.address,
    linkmode = view.linkmode, group = view.group and named("group", view.group),
    ifalias = view.alias, altnames = view.altnames and json.array(view.altnames),
    broadcast = view.broadcast,
    link = view.type ~= "vxlan" and not view.link_netnsid and view.link or nil,
    link_netnsid = view.link_netnsid, link_type = tostring(view.link_type),
    permaddr = unless(view.permaddr, view.address), proto_down = view.protodown or nil,
    linkinfo = view.type and { info_kind = view.type } or nil,
  }
end

local FOREVER <const> = 4294967295

local function lifetime(value)
  return tonumber(value) or FOREVER
end

local addr_flags <const> = {
  "secondary", "nodad", "optimistic", "dadfailed", "home", "deprecated", "tentative", "mngtmpaddr",
  "noprefixroute", "autojoin",
}

-- "10.0.0.1/24" as the address and its length.
local function parts(prefix)
  local address <const>, length <const> = prefix:match "^([^/]+)/?(%d*)$"
  return address, math.tointeger(tonumber(length))
end

local function addr(view)
  local address <const>, length <const> = parts(view.address)
  local object <const> = {
    dev = view.dev, family = is_inet6(address) and "inet6" or "inet", ["local"] = address,
    prefixlen = length, address = view.peer and parts(view.peer) or nil,
    metric = view.metric, broadcast = view.broadcast, anycast = view.anycast,
    scope = named("rt_scopes", view.scope),
    label = view.label, valid_life_time = lifetime(view.valid_lft),
    preferred_life_time = lifetime(view.preferred_lft), dynamic = not view.permanent or nil,
  }
  for _, flag in ipairs(addr_flags) do
    if view[flag] then
      local temporary <const> = flag == "secondary" and object.family == "inet6"
      object[temporary and "temporary" or flag] = true
    end
  end
  if view.stable_privacy then object["stable-privacy"] = true end
  return object
end

local function neigh(view)
  local state <const> = unless(view.state, "NONE")
  local object <const> = {
    dst = view.dst, dev = view.dev, lladdr = view.lladdr,
    state = state and json.array { tostring(state) },
    protocol = view.proto and named("rt_protos", view.proto),
  }
  return marked(object, view, { router = "router", proxy = "proxy", managed = "managed",
    extern_learn = "extern_learn" })
end

-- "5-9" as two fields, "80" as one.
local function add_range(object, key, text, always)
  if not text then return end
  local first <const>, last <const> = text:match "^(%d+)-?(%d*)$"
  if last == "" and not always then
    object[key] = math.tointeger(tonumber(first))
  else
    object[key .. "_start"] = math.tointeger(tonumber(first))
    object[key .. "_end"] = math.tointeger(tonumber(last == "" and first or last))
  end
end

local function hexadecimal(number)
  return number and ("0x%x"):format(number)
end

local actions <const> = { lookup = true, ["goto"] = true, nop = true, masquerade = true }

local function rule(view)
  local src <const>, srclen = parts(view.from or "all")
  local dst, dstlen
  if view.to then dst, dstlen = parts(view.to) end
  local object <const> = {
    priority = view.priority or 0, src = src, srclen = srclen, dst = dst, dstlen = dstlen,
    tos = view.tos and dsfield(view.tos), iif = view.iif, oif = view.oif,
    fwmark = hexadecimal(view.fwmark or view.fwmask and 0), tun_id = view.tun_id,
    fwmask = hexadecimal(unless(view.fwmask, 0xffffffff)),
    ipproto = view.ipproto and named("/etc/protocols", view.ipproto),
    table = view.table and named("rt_tables", view.table),
    suppress_prefixlen = view.suppress_prefixlength,
    suppress_ifgroup = view.suppress_ifgroup and named("group", view.suppress_ifgroup),
    ["goto"] = view["goto"], protocol = unless(named("rt_protos", view.proto), "kernel"),
    action = not actions[view.action or "lookup"] and view.action or nil,
  }
  object.flow_from, object.flow_to = realms(view.realm)
  add_range(object, "uid", view.uidrange, true)
  add_range(object, "sport", view.sport)
  add_range(object, "dport", view.dport)
  if view.action == "nop" or view.action == "masquerade" then object[view.action] = json.null end
  return marked(object, view, { invert = "not", l3mdev = "l3mdev" })
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

-- Routes name their tables, without which they could not be given back.
local WITH_TABLE <const> = { table = true }

---A view, or a list of them, as the text that `ip -j` prints.
---@param value ecmp.View|ecmp.View[]
---@return string
function M.text(value)
  local made <const> = rtnl.is_view(value) and M.object or M.list
  return json.encode(made(value, WITH_TABLE))
end

return M
