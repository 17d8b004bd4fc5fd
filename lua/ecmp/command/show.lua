---ecmp show: the routes of a namespace, as `ip route` prints them.
local ecmp = require "ecmp"
local iproute2 = require "ecmp.nl.json"
local json = require "ecmp.json"
local lists = require "ecmp.nl.text"
local packets = require "ecmp.nl.packets"
local rtnl = require "ecmp.rtnl"
local site = require "ecmp.nl.names"
local terminal = require "ecmp.repl.terminal"

local M = { name = "show", summary = "show routes with their next hops, as ip route prints them" }

local function known_table(text)
  if text == "all" then return text end
  local word <const> = math.tointeger(tonumber(text)) or site("rt_tables")[text] or text
  local fits <const>, message <const> = pcall(rtnl.view, "route",
    { dst = "10.0.0.0/8", table = word })
  if fits then return word end
  return nil, (message:gsub("^.-(table: )", "%1"))
end

function M.setup(parser)
  parser:option("--netns", "a namespace: a name, a path or a pid"):argname("N")
  parser:option("--table", "routes of another table than main; all for all"):argname("T")
    :convert(known_table)
  parser:option("--family", "one family only"):choices({ "4", "6" })
  parser:flag("--stats", "packets by next hop, of routes that use groups of next-hop objects "
    .. "where the kernel counts (Linux 6.9)")
  parser:flag("--json", "print JSON in the words of ip -j route")
  parser:epilog("What it prints of the main table, or of all, ecmp apply takes and finds "
    .. "nothing to do.")
end

-- All routes in one list, so that tables are named as soon as there are several.
---@return table? list, string? message
function M.routes(nl, args)
  return nl.route:list {
    table = args.table, family = args.family,
  }
end

local function several_tables(list)
  for i = 2, #list do
    if list[i].table ~= list[1].table then return true end
  end
  return false
end

-- The hops of each route that uses a group, with their packets, by the route's place in the list.
local function count(nl, list)
  local by_id <const>, by_place <const> = {}, {}
  for i, route in ipairs(list) do
    local id <const> = route.nhid
    if id and by_id[id] == nil then
      local hops <const>, message <const> = packets.of(nl, id)
      if message then return nil, message end
      by_id[id] = hops or false
    end
    by_place[i] = id and by_id[id] or nil
  end
  if next(by_place) ~= nil then return by_place end
  return nil, "no route here uses a group of next-hop objects, which is what the kernel counts "
    .. "packets of (NHA_GROUP_STATS)"
end

local function hop_line(hop)
  return ("\tnexthop%s%s weight %d packets %d%s"):format(hop.via and " via " .. hop.via or "",
    hop.dev and " dev " .. hop.dev or "", hop.weight, hop.packets,
    hop.packets_hw and " packets_hw " .. hop.packets_hw or "")
end

local function text_of(list, counted, options)
  local lines <const> = {}
  for i, route in ipairs(list) do
    local text <const> = route:text(options)
    lines[#lines + 1] = counted[i] and text:match "^[^\n]*" or text
    for _, hop in ipairs(counted[i] or {}) do lines[#lines + 1] = hop_line(hop) end
  end
  return table.concat(lines, "\n")
end

local function objects_of(list, counted, options)
  local objects <const> = iproute2.list(list, options)
  for i, hops in pairs(counted) do
    local nexthops <const> = json.array()
    for k, hop in ipairs(hops) do
      nexthops[k] = { gateway = hop.via, dev = hop.dev, weight = hop.weight, packets = hop.packets,
        packets_hw = hop.packets_hw }
    end
    objects[i].nexthops = nexthops
  end
  return objects
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local nl <close>, message = ecmp.open { netns = args.netns }
  if not nl then return nil, message end
  local list, counted
  list, message = M.routes(nl, args)
  if not list then return nil, message end
  counted, message = {}, nil
  if args.stats then counted, message = count(nl, list) end
  if not counted then return nil, message end
  local options <const> = { table = several_tables(list) or nil }
  if args.json then
    print(json.encode(objects_of(list, counted, options)))
  elseif #list > 0 then
    print(terminal.routes(args.stats and text_of(list, counted, options) or lists.text(list),
      terminal.colour()))
  end
  return 0
end

return M
