---In which order the changes of many keys are made: gateways are looked up when a route is made.
--
-- What leads to gateways comes before what stands behind these, and goes after it; taken back in
-- the opposite order, so do the old routes. What builds comes before what destroys. A route of IPv4
-- alone in its key is replaced in two halves: the new one is appended in the first part, the old
-- one deleted in the second.
--
-- In IPv6 a route by a gateway that covers gateways of others would be found in place of what leads
-- to them, so that it comes behind these and goes before them.
local diff <const> = require "ecmp.fib.diff"
local ip <const> = require "ecmp.ip"

local M = {}

M.WHOLE, M.APPEND, M.DELETE = 0, 1, 2

-- In the order in which they come.
local LEADING <const>, GAINING <const>, BEHIND <const> = 1, 2, 3
local OTHERS <const>, LOSING <const> = 4, 5
local GOES_BEHIND <const>, GOES_LEADING <const> = 6, 7

---The first item of an order that destroys: what may travel together is on one side.
M.FIRST_TO_GO = GOES_BEHIND

-- Whether the kernel looks for a gateway of a route.
local function has_gateway(route)
  if route.nhid then return false end
  local hops <const> = route.nexthops
  if not hops then return route.via ~= nil end
  for i = 1, #hops do
    if hops[i].via then return true end
  end
  return false
end

local HOPLESS <const> = { blackhole = true, unreachable = true, prohibit = true, throw = true }

-- Whether gateways may be found by a route.
local function leads(route)
  return not HOPLESS[route.type] and not has_gateway(route)
end

local function any_leads(list)
  for _, route in ipairs(list) do
    if leads(route) then return true end
  end
  return false
end

-- Of several changes to one key all come together: by what the key held and is to hold.
local function rank_of_several(found, k)
  local last = k
  while found[last + 1] and type(found[last + 1]) == "table"
    and found[last + 1].before == found[last].after do
    last = last + 1
  end
  local before <const>, after <const> = any_leads(found[k].before), any_leads(found[last].after)
  return before == after and OTHERS or after and GAINING or LOSING, last
end

local function rank_of_replace(new, old)
  local before <const>, after <const> = leads(old), leads(new)
  return before == after and OTHERS or after and GAINING or LOSING
end

local function rank_to_build(route)
  if HOPLESS[route.type] then return OTHERS end
  return has_gateway(route) and BEHIND or LEADING
end

local function rank_to_go(route)
  return leads(route) and GOES_LEADING or GOES_BEHIND
end

-- IPv6 gateways of others -------------------------------------------------------------------------

local function each_gateway(route, call)
  if route.via then return call(route.via) end
  for _, hop in ipairs(route.nexthops or {}) do
    if hop.via then call(hop.via) end
  end
end

-- Addresses of gateways beyond the link, as bytes.
local function gateways_of(route)
  local list <const> = {}
  each_gateway(route, function(via)
    if via:find(":", 1, true) and not via:find "^fe80:" then
      local address <const> = ip.parse((via:gsub("^inet6 ", "")))
      list[#list + 1] = address and address:bytes()
    end
  end)
  return list
end

local function sorted_gateways(routes)
  local seen <const>, list <const> = {}, {}
  for _, route in pairs(routes) do
    for _, bytes in ipairs(route.family ~= 4 and gateways_of(route) or {}) do
      if not seen[bytes] then list[#list + 1] = bytes end
      seen[bytes] = true
    end
  end
  table.sort(list)
  return list
end

-- Whether a sorted list has an element from `first` to `last`.
local function any_between(list, first, last)
  local low, high = 1, #list + 1
  while low < high do
    local middle <const> = (low + high) // 2
    if list[middle] < first then low = middle + 1 else high = middle end
  end
  return list[low] ~= nil and list[low] <= last
end

-- The first and the last address of an IPv6 prefix, as bytes; nil of one that covers everything.
local function bounds(dst)
  local prefix <const> = dst ~= "default" and ip.parse(dst)
  if not prefix or prefix:family() ~= 6 or prefix:length() == 0 then return nil end
  return prefix:first():bytes(), prefix:last():bytes()
end

-- Orders routes that cover gateways so that each comes behind those whose gateways it covers.
local function behind_each_other(late, routes)
  local list <const>, state <const> = {}, {}
  local function visit(item)
    if state[item] then return end
    state[item] = true
    local first <const>, last <const> = bounds(routes[item].dst)
    for _, other in ipairs(late) do
      for _, gateway in ipairs(gateways_of(routes[other])) do
        if gateway >= first and gateway <= last then visit(other) end
      end
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
local function part_covering(lists, items, which)
  local routes <const>, first <const>, late = {}, {}, {}
  for _, item in ipairs(items) do
    local new <const>, old <const> = diff.routes(lists, item >> 2)
    routes[item] = which == "old" and old or new
  end
  local gateways <const> = sorted_gateways(routes)
  if not gateways[1] then return items, late end
  for _, item in ipairs(items) do
    local low <const>, high <const> = bounds(routes[item].dst)
    table.insert(low and any_between(gateways, low, high) and late or first, item)
  end
  if #late <= MANY then late = behind_each_other(late, routes) end
  return first, late
end

local function covering_last(lists, items)
  local first <const>, late <const> = part_covering(lists, items, "new")
  return table.move(late, 1, #late, #first + 1, first)
end

local function covering_first(lists, items)
  local rest <const>, late <const> = part_covering(lists, items, "old")
  if not late[1] then return items end
  local list <const> = {}
  for i = #late, 1, -1 do list[#list + 1] = late[i] end
  return table.move(rest, 1, #rest, #list + 1, list)
end

-- The order ---------------------------------------------------------------------------------------

local function sort_one(lists, k, put)
  local verb <const>, alone <const> = diff.verb(lists, k)
  if not alone then
    local rank <const>, last <const> = rank_of_several(lists.found, k)
    for n = k, last do put(rank, n, M.WHOLE) end
    return last
  end
  local new <const>, old <const> = diff.routes(lists, k)
  if verb == "del" then
    put(rank_to_go(old), k, M.WHOLE)
  elseif verb ~= "replace" then
    put(rank_to_build(new), k, M.WHOLE)
  elseif old.family == 4 then
    put(rank_to_build(new), k, M.APPEND)
    put(rank_to_go(old), k, M.DELETE)
  else
    lists.found[k] = diff.change(lists, k) -- which requests it takes is needed to send it
    put(rank_of_replace(new, old), k, M.WHOLE)
  end
  return k
end

---The order in which changes are made.
---@param lists table as of ecmp.fib.diff.find
---@return integer[] items a change's number << 2 | which half of it
---@return integer to_go the number of the first item of those that destroy
function M.of(lists)
  local buckets <const> = { {}, {}, {}, {}, {}, {}, {} }
  local function put(rank, k, half)
    local bucket <const> = buckets[rank]
    bucket[#bucket + 1] = k << 2 | half
  end
  local k = 1
  while k <= #lists.found do k = sort_one(lists, k, put) + 1 end
  buckets[BEHIND] = covering_last(lists, buckets[BEHIND])
  buckets[GOES_BEHIND] = covering_first(lists, buckets[GOES_BEHIND])
  local items <const>, to_go = {}, 1
  for rank, bucket in ipairs(buckets) do
    table.move(bucket, 1, #bucket, #items + 1, items)
    if rank < M.FIRST_TO_GO then to_go = #items + 1 end
  end
  return items, to_go
end

return M
