--- The routes that are measured: ascending prefixes of mixed lengths, as a routing table has them,
--- over a few sets of
--- next hops, each route with tables of its own, as a script builds them.
local rtnl = require "ecmp.rtnl"

local M = {}

-- Gateway `hop` of set `set`: within 10.0.0.0/8 and fd00::/64, which the bench's link has.
local function gateway(family, set, hop)
  if family == 6 then return ("fd00::%x:%x"):format(set + 1, hop) end
  return ("10.%d.%d.%d"):format(set >> 8, set & 255, hop)
end

local function prefix(family, i)
  if family == 6 then return ("3001:%x:%x::/64"):format(i >> 16, i & 0xffff) end
  local a <const> = 0x14000000 + (i << 8)
  return ("%d.%d.%d.0/%d"):format(a >> 24, a >> 16 & 255, a >> 8 & 255, 24 + i % 9)
end

---@class bench.Shape
---@field family integer
---@field hops integer next hops of each route
---@field count integer
---@field sets integer distinct sets of next hops
---@field nhid boolean routes by next-hop object
---@field unlike boolean a metric of its own for each, so that no two say the same behind `dst`

---One route as a script writes it.
function M.route(shape, i)
  local set <const> = i % (shape.sets or 16)
  local dst <const> = prefix(shape.family, i)
  local metric <const> = shape.unlike and i + 1 or nil
  if shape.nhid then return { dst = dst, nhid = M.group_id(set) } end
  if shape.hops == 1 then
    return { dst = dst, via = gateway(shape.family, set, 1), metric = metric }
  end
  local hops <const> = {}
  for hop = 1, shape.hops do hops[hop] = { via = gateway(shape.family, set, hop) } end
  return { dst = dst, nexthops = hops, metric = metric }
end

function M.routes(shape)
  local list <const> = {}
  for i = 0, shape.count - 1 do list[i + 1] = M.route(shape, i) end
  return list
end

---The changes that nl:batch takes.
function M.changes(shape, verb)
  local list <const> = {}
  for i = 0, shape.count - 1 do
    list[i + 1] = { verb, verb == "route del" and { dst = prefix(shape.family, i) }
      or M.route(shape, i) }
  end
  return list
end

---The same, read from text: nothing of one route is part of another.
function M.parsed(shape, verb)
  local list <const> = {}
  for i = 0, shape.count - 1 do
    local route <const> = M.route(shape, i)
    local words <const> = { route.dst, verb ~= "route del" and route.via and "via " .. route.via or nil }
    for _, hop in ipairs(verb ~= "route del" and route.nexthops or {}) do
      words[#words + 1] = "nexthop via " .. hop.via
    end
    list[i + 1] = { verb, assert(rtnl.parse("route", table.concat(words, " "))) }
  end
  return list
end

function M.group_id(set) return 1 << 20 | set + 1 end

---Makes the next-hop objects that `nhid` shapes refer to, or takes them away.
function M.objects(nl, shape, verb)
  local changes <const>, groups <const> = {}, {}
  for set = 0, (shape.sets or 16) - 1 do
    local members <const> = {}
    for hop = 1, shape.hops do
      local id <const> = set * 64 + hop
      members[hop] = { id = id }
      changes[#changes + 1] = { "nexthop " .. verb, verb == "del" and { id = id }
        or { id = id, via = gateway(shape.family, set, hop), dev = "bench0" } }
    end
    groups[#groups + 1] = { "nexthop " .. verb, verb == "del" and { id = M.group_id(set) }
      or { id = M.group_id(set), group = members } }
  end
  local list <const> = verb == "del" and groups or table.move(groups, 1, #groups, #changes + 1,
    changes)
  if verb == "del" then table.move(changes, 1, #changes, #list + 1, list) end
  for _, result in ipairs(nl:batch(list)) do
    assert(result == true or verb == "del", type(result) == "table" and result.message)
  end
end

---Writes the messages for the replay: what our encoder makes of the same routes.
function M.write_messages(shape, path)
  local file <close> = assert(io.open(path, "wb"))
  for i = 0, shape.count - 1 do
    file:write(string.pack("<s4", rtnl.view("route", M.route(shape, i), true):bytes()))
  end
end

---Writes lines for `ip -batch`.
function M.write_commands(shape, path, verb)
  local file <close> = assert(io.open(path, "w"))
  local six <const> = shape.family == 6 and "-6 " or ""
  for i = 0, shape.count - 1 do
    local route <const> = M.route(shape, i)
    local words <const> = { six, "route ", verb, " ", route.dst,
      route.metric and " metric " .. route.metric or "" }
    for _, hop in ipairs(verb == "del" and {} or route.nexthops or {}) do
      words[#words + 1] = " nexthop via " .. hop.via
    end
    if route.via and verb ~= "del" then words[#words + 1] = " via " .. route.via end
    file:write(table.concat(words):gsub("^%-6 route", "route"), "\n")
  end
end

---Writes lines as `ip route` takes them.
function M.write_lines(shape, path)
  local file <close> = assert(io.open(path, "w"))
  for i = 0, shape.count - 1 do
    local route <const> = M.route(shape, i)
    file:write(route.dst)
    if route.metric then file:write(" metric ", route.metric) end
    if route.via then file:write(" via ", route.via) end
    for _, hop in ipairs(route.nexthops or {}) do file:write(" nexthop via ", hop.via) end
    file:write("\n")
  end
end

---Writes "DST GATEWAY..." lines for programs that have no words of their own.
function M.write_plain(shape, path)
  local file <close> = assert(io.open(path, "w"))
  for i = 0, shape.count - 1 do
    local route <const> = M.route(shape, i)
    local words <const> = { route.dst, route.via }
    for _, hop in ipairs(route.nexthops or {}) do words[#words + 1] = hop.via end
    file:write(table.concat(words, " "), "\n")
  end
end

return M
