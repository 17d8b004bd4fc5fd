-- Every field of every kind of object, as the schema in C lists them: each has a case among the golden
-- ones, and is printed, compared, told in JSON, found by filters and described for editors. A field that
-- somewhere has no place by intention is named below.
local cases = require "spec.golden.cases"
local filter = require "ecmp.nl.filter"
local json = require "ecmp.json"
local helper = require "spec.helper"
local nl_json = require "ecmp.nl.json"
local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"

-- The fields --------------------------------------------------------------------------------------

local function run(argv)
  local done <const> = assert(sys.spawn { argv = argv, timeout = 60, stderr = "capture" })
  assert(done.status == 0, done.stderr)
  return done.stdout
end

-- { path, marks } of each, and those by path; fields of one schema that is used in several places, such
-- as encapsulations, have one `name` in all of them.
local function read_fields()
  local dir <const> = helper.directory()
  run { "sh", "-c", [["${CC:-cc}" -std=c11 -Icsrc -o "$0" spec/schema_fields.c csrc/rtnl/schema/*.c]],
    dir .. "/fields" }
  local fields <const>, names <const> = {}, {}
  for schema, path, marks in run({ dir .. "/fields" }):gmatch "(%d+) (%S+)([^\n]*)\n" do
    local key <const> = path:match "[^.]+$"
    local id <const> = schema .. " " .. key
    names[id] = names[id] or path
    fields[#fields + 1] = { path = path, name = names[id], key = key, marks = marks }
  end
  helper.remove(dir)
  return fields
end

local fields <const>, by_path <const>, unique <const> = read_fields(), {}, {}
for _, field in ipairs(fields) do
  by_path[field.path] = by_path[field.path] or field
  if field.name == field.path and not unique[field.name] then
    unique[field.name] = field
    unique[#unique + 1] = field
  end
end

-- Where cases have them -----------------------------------------------------------------------------

local function copy(value)
  if type(value) ~= "table" then return value end
  local made <const> = {}
  for key, field in pairs(value) do made[key] = copy(field) end
  return made
end

local walk

local function walk_value(path, key, value, found)
  if type(value) ~= "table" then return end
  if key == "encap" then return walk(("%s.encap{%s}"):format(path, value.type), value, found) end
  for _, one in ipairs(type(value[1]) == "table" and value or { value }) do
    walk(path .. "." .. key, one, found)
  end
end

-- Which field a key is depends on the kind of link, or of the bridge that it is a port of.
function walk(path, value, found)
  for key, one in pairs(value) do
    for _, kind in ipairs { "", ("{type=%s}"):format(value.type), ("{port=%s}"):format(value.port) } do
      local field <const> = by_path[path .. kind .. "." .. key]
      if field then found[#found + 1] = { name = field.name, table = value, key = key } end
    end
    walk_value(path, key, one, found)
  end
end

-- The view of a case, nil where it is none.
local function view_of(case, left_out)
  if case.bytes then return rtnl.decode(case[2], case.bytes(left_out)) end
  local good <const>, view <const> = pcall(rtnl.view, case[2], copy(case[3]))
  return good and view or nil
end

local CONTRARY <const> = { [true] = false, [false] = true }

-- The view of a case that has the contrary of a switch, or nothing of another field.
local function view_without(case, place)
  local value <const> = place.table[place.key]
  place.table[place.key] = CONTRARY[value]
  local without <const> = view_of(case, place.key)
  place.table[place.key] = value
  return without
end

-- Each place where a case has a field, by the field's name: the case as a view, with it and without it.
local places <const> = {}
for _, case in ipairs(cases) do
  local found <const> = {}
  walk(case[2], case[3], found)
  for _, place in ipairs(found) do
    places[place.name] = places[place.name] or {}
    table.insert(places[place.name], { with = view_of(case), without = view_without(case, place) })
  end
end

-- The checks ----------------------------------------------------------------------------------------

-- Whether a field shows in what `tell` makes of a view, in one of the cases that have it.
local function shows(field, tell)
  for _, place in ipairs(places[field.name] or {}) do
    if not place.without or tell(place.with) ~= tell(place.without) then return true end
  end
  return false
end

-- Whether a field is left out by intention: by its name, or as one of all that are below a name.
local function is_left_out(left_out, field)
  local object <const>, kind <const> = field.path:match "^(%a+){?(%a*)"
  return left_out[field.name] or left_out["*." .. field.key] or left_out[object .. ".*"]
    or kind ~= "" and left_out[object .. "{" .. kind .. "}"]
end

-- Fails with the names of fields of which nothing is seen, but those that are left out by intention.
local function all_but(left_out, seen)
  local lacking <const> = {}
  for _, field in ipairs(unique) do
    if not is_left_out(left_out, field) and not seen(field) then lacking[#lacking + 1] = field.name end
  end
  table.sort(lacking)
  assert.same({}, lacking)
end

local function object_of(view)
  local good <const>, object <const> = pcall(nl_json.object, view, { table = true })
  return good and json.encode(object) or "none"
end

-- What `ip -j` prints in details alone, or not at all.
local NOT_IN_JSON <const> = {
  ["flow.*"] = "a question", ["bucket.*"] = "no command lists them", ["vlan.*"] = "no command lists them",
  ["link{type}"] = "in details", ["link{port}"] = "in details",
  ["link.addrgenmode"] = "in details", ["link.allmulti"] = "in details", ["link.promiscuity"] = "in details",
  ["link.minmtu"] = "in details", ["link.maxmtu"] = "in details", ["link.numtxqueues"] = "in details",
  ["link.numrxqueues"] = "in details", ["link.gso_max_size"] = "in details",
  ["link.gso_max_segs"] = "in details", ["link.tso_max_size"] = "in details",
  ["link.tso_max_segs"] = "in details", ["link.gro_max_size"] = "in details",
  ["link.carrier"] = "a flag, NO-CARRIER", ["link.netns"] = "a descriptor",
  ["*.family"] = "its addresses tell", ["neigh.probes"] = "a statistic",
  ["nexthop.stats"] = "a question", ["nexthop.stats_hw"] = "a question", ["neigh.use"] = "not told",
  ["route.cloned"] = "not told", ["route.lock"] = "not told",
  ["route.ttl_propagate"] = "of MPLS routes, which are not ours",
}

-- What lists cannot be asked for: beside keys and what people look for, filters are views' own matter.
local NOT_FILTERED <const> = {
  route = "from encap dead onlink pervasive offload trap linkdown unresolved rt_offload rt_trap cloned "
    .. "mark uid expires error lock mtu window rtt rttvar ssthresh cwnd advmss reordering "
    .. "initcwnd features rto_min initrwnd quickack congctl fastopen_no_cookie iif pref ttl_propagate nexthops",
  nexthop = "group type buckets idle_timer unbalanced_timer unbalanced_time encap scope blackhole dead "
    .. "onlink pervasive offload trap linkdown unresolved fdb hw_stats hw_stats_used group_stats stats stats_hw",
  bucket = "family idle_time",
  link = "index link_type flags promisc allmulticast multicast noarp dynamic notrailers broadcasting "
    .. "loopback pointopoint running lower_up mtu qdisc operstate carrier linkmode group txqueuelen address "
    .. "broadcast permaddr link_netnsid netns protodown alias altnames promiscuity allmulti minmtu maxmtu port "
    .. "addrgenmode numtxqueues numrxqueues gso_max_size gso_max_segs tso_max_size tso_max_segs gro_max_size",
  addr = "peer metric broadcast anycast secondary nodad optimistic dadfailed home deprecated tentative "
    .. "permanent mngtmpaddr noprefixroute autojoin stable_privacy valid_lft preferred_lft",
  rule = "invert l3mdev uidrange ipproto sport dport tun_id goto suppress_prefixlength "
    .. "suppress_ifgroup realm proto",
  neigh = "router extern_learn use managed probes proto",
  vlan = "vlans self",
}

-- Whether lists of the field's object take it, or are not to.
local function is_filter(field)
  local object <const>, key <const> = field.path:match "^(%a+)%.([%w_]+)$"
  if not key or object == "flow" then return true end -- of a hop, a member or a kind
  local _, message <const> = pcall(filter.given, object, { [key] = true })
  local unknown <const> = tostring(message):find "unknown filter"
  return (not unknown) ~= ((" " .. NOT_FILTERED[object] .. " "):find(" " .. key .. " ", 1, true) ~= nil)
end

-- The classes that describe fields, by the path before the key.
local CLASSES <const> = {
  route = "RouteFields", flow = "FlowFields", nexthop = "NexthopFields", bucket = "BucketFields",
  link = "LinkFields", addr = "AddrFields", rule = "RuleFields", neigh = "NeighFields", vlan = "VlanFields",
  ["route.nexthops"] = "Hop", ["nexthop.group"] = "GroupMember", ["nexthop.group_stats"] = "GroupStats",
  ["vlan.vlans"] = "PortVlan",
  ["link{type=veth}"] = "LinkVeth", ["link{type=bridge}"] = "LinkBridge", ["link{type=vlan}"] = "LinkVlan",
  ["link{type=macvlan}"] = "LinkMacvlan", ["link{type=ipvlan}"] = "LinkIpvlan",
  ["link{type=vrf}"] = "LinkVrf", ["link{type=vxlan}"] = "LinkVxlan", ["link{port=bridge}"] = "PortBridge",
}

local function class_of(field)
  local place <const> = field.path:match "^(.*)%.[^.]*$"
  if place:find "encap{ioam6}%.trace" then return "Ioam6Trace" end
  return place:find "encap{" and "Encap" or CLASSES[place]
end

-- The fields of each class in the descriptions for editors.
local function described()
  local classes <const>, class = {}, nil
  for line in assert(sys.read "lua/ecmp/meta/rtnl.lua"):gmatch "[^\n]+" do
    local name <const>, key <const> = line:match "^%-%-%-@class ecmp%.([%w_]+)", line:match "^%-%-%-@field ([%w_]+)"
    if name then class = name end
    if name then classes[name] = {} end
    if key then classes[class][key] = true end
  end
  return classes
end

describe("every field of every object", function()
  it("is among the golden cases", function()
    all_but({ ["link.netns"] = "a descriptor, which no file holds" },
      function(field) return places[field.name] end)
  end)

  it("is printed as ip prints it", function()
    all_but({ ["addr.dev"] = "at the head of its addresses", ["link.carrier"] = "a flag, NO-CARRIER" },
      function(field)
        return field.marks:find "silent"
          or shows(field, function(view) return view:text { details = true, table = true } end)
      end)
  end)

  it("is printed as it is typed", function()
    all_but({}, function(field)
      return field.marks:find "silent" or field.marks:find "readonly"
        or shows(field, function(view) return view:text { request = true } end)
    end)
  end)

  it("is compared", function()
    all_but({ ["link.netns"] = "a descriptor", ["*.family"] = "its addresses tell" }, function(field)
      return field.marks:find "volatile" or shows(field, function(view) return view end)
    end)
  end)

  it("is told in JSON", function()
    all_but(NOT_IN_JSON, function(field) return shows(field, object_of) end)
  end)

  it("is one that lists are filtered by, or is said not to be", function()
    all_but({}, is_filter)
  end)

  it("is described for editors", function()
    local classes <const> = described()
    all_but({}, function(field) return (classes[class_of(field)] or {})[field.key] end)
  end)
end)
