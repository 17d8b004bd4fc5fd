---Batches whose routes share next hops: `nl:batch(changes, { share = true })`.
--
-- Sets of next hops that repeat become next-hop objects, one for each hop and a group for each set,
-- and the routes refer to these by `nhid`. That is several times cheaper to install, and the only
-- way not to pay for every set again with every route (the kernel's IPv4 table looks for an equal
-- set among all sets of a device). What the kernel shows of such a route are its hops as before,
-- with `nhid` beside them.
--
-- The price is the kernel's: it deletes an object whose device loses its carrier, with the routes
-- that have no other, and does not bring them back; a route given by hops comes back by itself. And
-- `route del` in a batch finds such a route by destination or `nhid`, not by a list of its hops.
local rtnl = require "ecmp.rtnl"
local ip = require "ecmp.ip"

rtnl.own()

local M = {}

-- The protocol our objects carry, by which a later batch finds and uses them again.
M.PROTO = 236

-- Where our numbers begin: far from those that people choose and from those the kernel counts up.
local FIRST_ID <const> = 0x45000000

-- As many changes are rewritten at a time, so that the copies stay few.
local WINDOW <const> = 1 << 17

local SHARED_VERBS <const> = { ["route add"] = true, ["route replace"] = true }
local HOP_FIELDS <const> = { via = true, dev = true, weight = true, onlink = true }

-- What a route by object costs less than one by hops, and what objects cost, in microseconds as
-- measured; `sets` counts the different sets of the batch.
local function saved(family, hops, sets)
  return family == 4 and 0.2 + 0.4 * hops + 0.018 * sets or 1.15 * hops - 0.2
end

local function price(set)
  local each = 1.5
  for _, hop in ipairs(set.hops) do
    if not hop.dev then each = each + 8 / #set.hops end -- the device has to be asked for
  end
  return each * (#set.hops > 1 and 1 + #set.hops or 1)
end

-- Finding the sets --------------------------------------------------------------------------------

-- What tells a hop from others; nil for one that no object stands for, or that nobody should
-- understand but the kernel.
local function hop_key(hop)
  if type(hop) ~= "table" then return nil end
  for field in next, hop do
    if not HOP_FIELDS[field] then return nil end
  end
  local via <const> = hop.via
  if type(via) ~= "string" or via:find(" ", 1, true) then return nil end
  if hop.dev == nil and hop.onlink == nil then return via end
  if hop.dev ~= nil and type(hop.dev) ~= "string" then return nil end
  return ("%s %s %s"):format(via, hop.dev or "", hop.onlink and "onlink" or "")
end

local function weight_of(hop)
  local weight <const> = hop.weight
  return weight == nil and 1 or math.type(weight) == "integer" and weight >= 1 and weight <= 256
    and weight or nil
end

-- The node of a tree of hops that stands for a list of them, made where it is not there.
local function find_set(work, hops)
  local node = work.tree
  for i = 1, #hops do
    local key <const>, weight <const> = hop_key(hops[i]), weight_of(hops[i])
    if not key or not weight then return nil end
    local step <const> = weight == 1 and key or key .. " weight " .. weight
    local following = node[step]
    if not following then
      following = {}
      node[step] = following
    end
    node = following
  end
  local set = node[1]
  if not set then
    set = { hops = {}, uses = 0, family = hops[1].via:find(":", 1, true) and 6 or 4 }
    for i, hop in ipairs(hops) do
      set.hops[i] = { via = hop.via, dev = hop.dev, onlink = hop.onlink, weight = hop.weight or 1 }
    end
    node[1] = set
    work.sets[#work.sets + 1] = set
  end
  return set
end

-- The hops of a route, where it is one that may refer to objects.
local function hops_of(route)
  if route.nhid or route.encap or route.onlink or route.type and route.type ~= "unicast" then
    return nil
  end
  local hops <const> = route.nexthops
  if hops == nil then return route.via and { { via = route.via, dev = route.dev } } or nil end
  if type(hops) ~= "table" or #hops == 0 or route.via or route.dev then return nil end
  for key in next, hops do
    if math.type(key) ~= "integer" then return nil end
  end
  return hops
end

-- Which set each change is of. A change of anything but routes may move the ground the hops stand
-- on: then nothing is shared.
local function find_sets(changes)
  local work <const> = { tree = {}, sets = {}, of = {}, plain = true }
  for i = 1, #changes do
    local change <const> = changes[i]
    local verb <const> = type(change) == "table" and change[1]
    local route <const> = type(change) == "table" and change[2]
    if type(verb) ~= "string" or verb:sub(1, 6) ~= "route " then
      work.plain = false
      return work
    end
    local hops <const> = SHARED_VERBS[verb] and type(route) == "table" and hops_of(route)
    local set <const> = hops and find_set(work, hops)
    if set then
      set.uses = set.uses + 1
      work.of[i] = set
    end
  end
  return work
end

-- Gateways that the batch itself moves -----------------------------------------------------------

local function length_of(prefix)
  return tonumber(prefix:match("/(%d+)$"))
end

-- The destinations of the batch that may cover a gateway, with the lengths that occur. Only those
-- that begin like a gateway are looked at closely.
local function near_destinations(work, changes)
  local begins, near, lengths = {}, {}, {}
  for _, set in ipairs(work.sets) do
    for _, hop in ipairs(set.hops) do begins[hop.via:match("^[^.:]*")] = true end
  end
  for i = 1, #changes do
    local route <const> = changes[i][2]
    local dst = type(route) == "string" and route:match("^%S+")
      or type(route) ~= "string" and route.dst
    dst = type(dst) == "string" and dst ~= "default" and dst or nil
    local wide <const> = dst and (dst:find("/[1-9]$") or dst:find("/1[0-5]$"))
    if dst and (wide or begins[dst:match("^[^.:]*")]) then
      local masked <const> = ip.mask(dst)
      local length <const> = masked and (length_of(masked)
        or masked:find(":", 1, true) and 128 or 32)
      if length and length > 0 then
        near[length_of(masked) and masked or masked .. "/" .. length], lengths[length] = true, true
      end
    end
  end
  return near, lengths
end

-- Whether a change of this batch may change how a gateway is reached.
local function is_moved(via, near, lengths)
  for length in pairs(lengths) do
    if length <= (via:find(":", 1, true) and 128 or 32)
      and near[ip.mask(via .. "/" .. length) or ""] then
      return true
    end
  end
  return false
end

-- The device a gateway is reached by, as the kernel finds it for a route that names none.
local function device_of(nl, via)
  local route <const> = nl.route:get { dst = via }
  if not route or route.via or route.type ~= "unicast" then return nil end
  return route.dev
end

-- Fills in what objects need; false where the set had better be left to the kernel.
local function complete(nl, set, work)
  local seen <const> = {}
  for _, hop in ipairs(set.hops) do
    if work.moved[hop.via] == nil then
      work.moved[hop.via] = is_moved(hop.via, work.near, work.lengths)
    end
    if work.moved[hop.via] then return false end
    if not hop.dev and work.devices[hop.via] == nil then
      work.devices[hop.via] = device_of(nl, hop.via) or false
    end
    hop.dev = hop.dev or work.devices[hop.via]
    local name <const> = hop.via .. "%" .. (hop.dev or "")
    if not hop.dev or seen[name] then return false end
    seen[name] = true
  end
  return true
end

-- Objects -----------------------------------------------------------------------------------------

local function hop_name(hop)
  return ("%s dev %s%s"):format(hop.via, hop.dev, hop.onlink and " onlink" or "")
end

local function group_name(members)
  local words <const> = {}
  for i, member in ipairs(members) do words[i] = ("%d,%d"):format(member.id, member.weight) end
  return "group " .. table.concat(words, "/")
end

---What is there: numbers in use, and our objects by what they hold.
---@return table? ids, table|string objects, string? code
local function survey(nl)
  local list, message, code = nl.nexthop:list()
  if not list then return nil, message, code end
  local used <const>, ours <const> = {}, {}
  for _, object in ipairs(list) do
    used[object.id] = true
    if object.proto == M.PROTO and not object.dead and not object.linkdown then
      if object.group and not object.type then
        ours[group_name(object.group)] = object.id
      elseif object.via and object.dev then
        ours[hop_name(object)] = object.id
      end
    end
  end
  return used, ours
end

local function next_id(work)
  local id = work.last_id + 1
  while work.used[id] do id = id + 1 end
  work.last_id = id
  return id
end

-- Has an object made unless there is one of that name; returns its number.
local function want_object(work, name, value)
  local id = work.ours[name]
  if not id then
    id = next_id(work)
    value.id, value.proto = id, M.PROTO
    work.ours[name] = id
    work.orders[#work.orders + 1] = { "nexthop add", value }
    work.names[#work.names + 1] = name
  end
  return id
end

-- Carries out what want_object ordered. A refused object is forgotten: its routes go by hops, and
-- the kernel says of each what it thinks of it.
local function make_objects(nl, work)
  local results <const> = nl.socket:batch(work.orders, false)
  for i, result in ipairs(results) do
    if result == true then
      work.made[#work.made + 1] = work.orders[i][2].id
    else
      work.ours[work.names[i]] = nil
    end
  end
  work.orders, work.names = {}, {}
end

local function members_of(work, set)
  local members <const> = {}
  for i, hop in ipairs(set.hops) do
    local id <const> = work.ours[hop_name(hop)]
    if not id then return nil end
    members[i] = { id = id, weight = hop.weight }
  end
  return members
end

local function choose(nl, work, changes)
  work.near, work.lengths = near_destinations(work, changes)
  work.moved, work.devices = {}, {}
  local count <const> = { [4] = 0, [6] = 0 }
  for _, set in ipairs(work.sets) do count[set.family] = count[set.family] + 1 end
  local chosen <const> = {}
  for _, set in ipairs(work.sets) do
    local pays <const> = set.uses * saved(set.family, #set.hops, count[set.family]) > price(set)
    if pays and complete(nl, set, work) then chosen[#chosen + 1] = set end
  end
  return chosen
end

-- Gives each set that pays the number of its object.
local function prepare(nl, work, changes)
  work.orders, work.names, work.made, work.last_id = {}, {}, {}, FIRST_ID
  local chosen <const> = choose(nl, work, changes)
  if #chosen == 0 then return end
  local used, ours = survey(nl)
  if not used then return end -- a kernel without next-hop objects
  work.used, work.ours = used, ours
  for _, set in ipairs(chosen) do
    for _, hop in ipairs(set.hops) do
      want_object(work, hop_name(hop), { via = hop.via, dev = hop.dev, onlink = hop.onlink })
    end
  end
  make_objects(nl, work)
  for _, set in ipairs(chosen) do
    local members <const> = members_of(work, set)
    if members and #members > 1 then
      set.name = group_name(members)
      want_object(work, set.name, { group = members })
    elseif members then
      set.name = hop_name(set.hops[1])
    end
  end
  make_objects(nl, work)
  for _, set in ipairs(chosen) do set.id = set.name and work.ours[set.name] end
end

-- Deletes what was made and serves nobody: groups first, since their members are in use until then.
local function clean_up(nl, work, keep)
  local orders <const> = {}
  for i = #work.made, 1, -1 do
    if not keep[work.made[i]] then
      orders[#orders + 1] = { "nexthop del", { id = work.made[i] } }
    end
  end
  if #orders > 0 then nl.socket:batch(orders, false) end
end

-- Adds the members of the groups that are kept.
local function with_members(work, keep)
  for _, set in ipairs(work.sets) do
    if set.id and keep[set.id] then
      for _, hop in ipairs(set.hops) do keep[work.ours[hop_name(hop)]] = true end
    end
  end
  return keep
end

-- The objects that routes of the kernel refer to.
local function in_use(nl)
  local keep <const> = {}
  for _, route in ipairs(nl.route:list { table = "all" } or {}) do
    if route.nhid then keep[route.nhid] = true end
  end
  return keep
end

-- Sending -----------------------------------------------------------------------------------------

local function by_object(change, id)
  local route <const> = { nhid = id }
  for field, value in next, change[2] do
    if field ~= "via" and field ~= "dev" and field ~= "nexthops" then route[field] = value end
  end
  return { change[1], route }
end

-- What the kernel refused, told of the route that was asked for rather than of the object.
local function retold(change, failure)
  local route <const> = rtnl.view("route", change[2], true)
  local reason <const> = failure.message:match(": (.*)$")
  return { code = failure.code,
           message = ("%s %s: %s"):format(change[1], route:text { line = true }, reason) }
end

local function send_window(nl, changes, first, last, work, free)
  local window <const> = {}
  for i = first, last do
    local set <const> = work.of[i]
    window[i - first + 1] = set and set.id and by_object(changes[i], set.id) or changes[i]
  end
  local done, results = pcall(nl.socket.batch, nl.socket, window, free)
  if not done then
    error(tostring(results):gsub("%[(%d+)%]", function(i)
      return ("[%d]"):format(math.tointeger(i) + first - 1)
    end, 1), 0)
  end
  for i, result in ipairs(results) do
    local set <const> = result ~= true and work.of[first + i - 1]
    if set and set.id then results[i] = retold(changes[first + i - 1], result) end
  end
  return results
end

local function send(nl, changes, work, free)
  local results <const> = {}
  for first = 1, #changes, WINDOW do
    local last <const> = math.min(first + WINDOW - 1, #changes)
    local part <const> = send_window(nl, changes, first, last, work, free)
    table.move(part, 1, #part, first, results)
  end
  return results
end

---Makes many changes; next-hop sets that repeat become next-hop objects where that pays.
--
-- Shared are `route add` and `route replace` of tables whose hops have gateways and neither
-- encapsulation nor realms. Everything else goes as it is, and so does everything where the batch
-- itself changes how gateways are reached. Objects of earlier batches are used again; those of
-- which no route came to be are deleted.
---@param nl ecmp.Handle
---@param changes table[] see `nl:batch`
---@param free boolean the changes do not depend on each other
---@return (true|{ message: string, code: string })[] results # one for each change, in order
function M.batch(nl, changes, free)
  if type(changes) ~= "table" then return nl.socket:batch(changes, free) end
  local work <const> = find_sets(changes)
  if not work.plain then return nl.socket:batch(changes, free) end
  prepare(nl, work, changes)
  local done, results = pcall(send, nl, changes, work, free)
  if not done then
    clean_up(nl, work, with_members(work, in_use(nl)))
    error(results, 0)
  end
  local keep <const> = {}
  for i, set in pairs(work.of) do
    if set.id and results[i] == true then keep[set.id] = true end
  end
  clean_up(nl, work, with_members(work, keep))
  return results
end

return M
