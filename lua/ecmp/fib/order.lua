---Orders the changes of many keys: the kernel looks gateways up when a route is added.
--
-- What leads to gateways comes before what stands behind these, and goes after it; taken back in
-- the opposite order, so do the old routes. What builds comes before what destroys. A route of IPv4
-- alone in its key is replaced in two halves: the new one is appended in the first part, the old
-- one deleted in the second; but one that leads to gateways before and after goes over at once, as
-- gateways are found by the first entry.
--
-- In IPv6 a route by a gateway that covers gateways of others would be found in place of what leads
-- to them, so that it comes behind these and goes before them.
local diff = require "ecmp.fib.diff"
local ip = require "ecmp.ip"

local M = {}

M.WHOLE, M.APPEND, M.DELETE = 0, 1, 2

-- The groups of changes, in the order in which they are made.
local LEADING <const>, GAINING <const>, BEHIND <const> = 1, 2, 3
local OTHERS <const>, LOSING <const> = 4, 5
local GOES_BEHIND <const>, GOES_LEADING <const> = 6, 7

---The first item of an order that destroys: what may travel together is on one side.
M.FIRST_TO_GO = GOES_BEHIND

-- Whether the kernel looks for a gateway of a route. All gateways met are noted, as reading the
-- hops of a view makes a table of them.
local function has_gateway(route, met)
  if route.nhid then return false end
  local hops <const> = route.nexthops
  if not hops then
    if route.via then met[route.via] = true end
    return route.via ~= nil
  end
  local any = false
  for i = 1, #hops do
    local via <const> = hops[i].via
    if via then met[via], any = true, true end
  end
  return any
end

local HOPLESS <const> = { blackhole = true, unreachable = true, prohibit = true, throw = true }

-- Whether gateways may be found by a route.
local function leads(route, met)
  return not HOPLESS[route.type] and not has_gateway(route, met)
end

local function any_leads(list, met)
  for _, route in ipairs(list) do
    if leads(route, met) then return true end
  end
  return false
end

-- What leads to gateways by another device than before comes before new routes behind it, which may
-- leave their devices to be found.
local function rank_of_change(before, after)
  return after and GAINING or before and LOSING or OTHERS
end

-- Of several changes to one key all come together: by what the key held and is to hold.
local function rank_of_several(found, k, met)
  local last = k
  while found[last + 1] and type(found[last + 1]) == "table"
    and found[last + 1].before == found[last].after do
    last = last + 1
  end
  return rank_of_change(any_leads(found[k].before, met), any_leads(found[last].after, met)), last
end

local function rank_to_build(route, leading)
  return leading and LEADING or HOPLESS[route.type] and OTHERS or BEHIND
end

local function rank_to_go(leading)
  return leading and GOES_LEADING or GOES_BEHIND
end

-- IPv6 gateways of others -------------------------------------------------------------------------

-- The hops of a route, whichever way it has them.
local function hops_of(route)
  return route.nexthops or { route }
end

-- Those of the gateways met that are addresses of IPv6 beyond the link.
local function gateways_beyond(met)
  local list <const> = {}
  for via in pairs(met) do
    local address <const> = via:gsub("^inet6 ", "")
    local beyond <const> = address:find(":", 1, true) and not address:find "^fe80:"
    list[#list + 1] = beyond and address or nil
  end
  return list
end

-- All prefixes of some lengths that cover one of the gateways.
local function covering_prefixes(gateways, lengths)
  local covering <const> = {}
  for _, gateway in ipairs(gateways) do
    for length in pairs(lengths) do
      local prefix <const> = ip.mask(("%s/%d"):format(gateway, length))
      if prefix then covering[prefix] = true end
    end
  end
  return covering
end

-- The lengths of IPv6 prefixes among the destinations, but for that which covers everything.
local function lengths_of(routes)
  local lengths <const> = {}
  for _, route in pairs(routes) do
    local length <const> = route.dst:match ":.*/(%d+)$" or route.dst:find ":" and "128"
    if length and length ~= "0" then lengths[tonumber(length)] = true end
  end
  return lengths
end

-- Whether a prefix covers a gateway of a route.
local function covers(prefix, route)
  for _, hop in ipairs(hops_of(route)) do
    local via <const> = hop.via and hop.via:gsub("^inet6 ", "")
    if via and via:find(":", 1, true) and prefix:contains(via) then return true end
  end
  return false
end

-- Orders routes that cover gateways so that each comes behind those whose gateways it covers.
local function behind_each_other(late, routes)
  local list <const>, visited <const> = {}, {}
  local function visit(item)
    if visited[item] then return end
    visited[item] = true
    local prefix <const> = ip.parse(routes[item].dst)
    for _, other in ipairs(late) do
      if not visited[other] and covers(prefix, routes[other]) then visit(other) end
    end
    list[#list + 1] = item
  end
  for _, item in ipairs(late) do visit(item) end
  return list
end

-- Beyond so many that cover gateways of others each is not compared with each.
local MANY <const> = 1000

---Parts changes whose routes cover gateways of others from those that come before these.
---@return integer[] first, integer[] late
local function part_covering(lists, items, gateways, which)
  local routes <const>, first <const>, late = {}, {}, {}
  if not gateways[1] or not items[1] then return items, late end
  for _, item in ipairs(items) do
    local new <const>, old <const> = diff.routes(lists, item >> 2)
    routes[item] = which == "old" and old or new
  end
  local covering <const> = covering_prefixes(gateways, lengths_of(routes))
  for _, item in ipairs(items) do
    local dst <const> = routes[item].dst
    table.insert(covering[dst ~= "default" and ip.mask(dst)] and late or first, item)
  end
  if #late <= MANY then late = behind_each_other(late, routes) end
  return first, late
end

local function covering_last(lists, items, gateways)
  local first <const>, late <const> = part_covering(lists, items, gateways, "new")
  return table.move(late, 1, #late, #first + 1, first)
end

local function covering_first(lists, items, gateways)
  local rest <const>, late <const> = part_covering(lists, items, gateways, "old")
  if not late[1] then return items end
  local list <const> = {}
  for i = #late, 1, -1 do list[#list + 1] = late[i] end
  return table.move(rest, 1, #rest, #list + 1, list)
end

-- The order ---------------------------------------------------------------------------------------

-- Puts a change that is alone in its key, or the two halves of it, where they belong.
local function sort_alone(lists, k, new, old, met, buckets)
  local function put(rank, half)
    local bucket <const> = buckets[rank]
    bucket[#bucket + 1] = k << 2 | half
  end
  local before <const>, after <const> = old and leads(old, met), new and leads(new, met)
  if not old then
    put(rank_to_build(new, after), M.WHOLE)
  elseif not new then
    put(rank_to_go(before), M.WHOLE)
  elseif old.family == 4 and not (before and after) then
    put(rank_to_build(new, after), M.APPEND)
    put(rank_to_go(before), M.DELETE)
  else
    diff.settle_replace(lists, k)
    put(rank_of_change(before, after), M.WHOLE)
  end
end

local function sort_several(found, k, met, buckets)
  local rank <const>, last <const> = rank_of_several(found, k, met)
  local bucket <const> = buckets[rank]
  for n = k, last do bucket[#bucket + 1] = n << 2 | M.WHOLE end
  return last
end

---The order in which changes are made.
---@param lists table as of ecmp.fib.diff.find
---@return integer[] items a change's number << 2 | which half of it
---@return integer to_go the number of the first item of those that destroy
function M.of(lists)
  local buckets <const> = { {}, {}, {}, {}, {}, {}, {} }
  local met <const>, found <const>, k = {}, lists.found, 1
  while k <= #found do
    local new <const>, old <const>, alone <const> = diff.routes(lists, k)
    if alone then
      sort_alone(lists, k, new, old, met, buckets)
    else
      k = sort_several(found, k, met, buckets)
    end
    k = k + 1
  end
  local gateways <const> = gateways_beyond(met)
  buckets[BEHIND] = covering_last(lists, buckets[BEHIND], gateways)
  buckets[GOES_BEHIND] = covering_first(lists, buckets[GOES_BEHIND], gateways)
  local items <const>, to_go = {}, 1
  for rank, bucket in ipairs(buckets) do
    table.move(bucket, 1, #bucket, #items + 1, items)
    if rank < M.FIRST_TO_GO then to_go = #items + 1 end
  end
  return items, to_go
end

return M
