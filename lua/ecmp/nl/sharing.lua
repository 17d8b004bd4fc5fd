---Batches whose routes share next hops: `nl:batch(changes, { share = true })`.
--
-- Sets of next hops that repeat become next-hop objects, one for each hop and a group for each set,
-- and the routes refer to these by `nhid`. That is several times cheaper to install, and the only
-- way not to pay for every set again with every route (the kernel's IPv4 table looks for an equal
-- set among all sets of a device). What the kernel shows of such a route are its hops as before,
-- with `nhid` beside them. Shared are `route add` and `route replace` whose hops have gateways of
-- the route's family, without encapsulation, metrics, a realm, a source or a scope of their own; in
-- tables but the main one their devices have to be named. Everything else goes as it is, and so
-- does what leaves by gateways that the batch itself moves.
--
-- The price is the kernel's: it deletes an object whose device loses its carrier, with the routes
-- that have no other, and does not bring them back; a route given by hops comes back by itself. And
-- `route del` in a batch finds such a route by destination or `nhid`, not by a list of its hops.
--
-- The objects are made by a batch of their own, before the routes are sent.
local ip = require "ecmp.ip"
local object = require "ecmp.nl.object"
local rtnl = require "ecmp.rtnl"

rtnl.own()

local M = {}

---The protocol our objects carry, by which a later batch finds and uses them again.
M.PROTO = 236

-- Where the numbers of our objects begin: far from those that people choose and from those the
-- kernel counts up.
local FIRST_ID <const> = 0x45000000

-- Microseconds as measured. A route by object saves `route`, and `hop` for each of its hops; a set
-- that becomes an object saves `set` for each of the different sets there are, through which the
-- kernel does not look for it. What costs more is making an object, and asking for the device of a
-- gateway. A set is shared where it saves more than it costs.
local COSTS <const> = {
  [4] = { route = 0.45, hop = 0.35, set = 0.008, object = 3.5, question = 9 },
  [6] = { route = 0, hop = 0.8, set = 0, object = 3.7, question = 9 },
}

---The next hops that the sets of a window have, by number.
---@class ecmp.SharedHops
---@field words string[] `via ADDRESS dev NAME onlink` of each, the device where it is named
---@field sets integer[] how many sets have each
---@field moved boolean[] whether the window changes how it is reached
---@field keys (string|false)[] its words with the device by which the kernel reaches it, if any
---@field ids (integer|false)[] of the objects; false: the kernel refused it

---A set of next hops: number and weight of each, one after the other; then numbers of objects.
---@alias ecmp.NextHopSet integer[]

local function has_device(words)
  return words:find(" dev ", 1, true) ~= nil
end

-- What a hop of an object may say.
local OF_OBJECT <const> = { via = true, dev = true, weight = true, onlink = true }

-- The words by which a hop is an object; nil where it has to stay in the route. Where it names no
-- device the kernel looks in the route's own table first, and for what is on every link not at all.
local function words_of(hop, set)
  for field in pairs(hop) do
    if not OF_OBJECT[field] then return nil end
  end
  local via <const> = hop.via
  if not via or (via:find(":", 1, true) ~= nil) ~= (set.family == 6) then return nil end
  if not hop.dev and (set.table ~= "main" or hop.onlink or via:find "^fe[89ab]") then return nil end
  return ("via %s%s%s"):format(via, hop.dev and " dev " .. hop.dev or "",
    hop.onlink and " onlink" or "")
end

-- The next hops of a set, those of all sets by their words; nil where one has to stay in the route.
local function read_group(set, words, numbers)
  local group <const> = {}
  for i, hop in ipairs(set.nexthops or { { via = set.via, dev = set.dev } }) do
    local text <const> = words_of(hop, set)
    if not text then return nil end
    if not numbers[text] then
      words[#words + 1] = text
      numbers[text] = #words
    end
    group[2 * i - 1], group[2 * i] = numbers[text], hop.weight or 1
  end
  return group
end

-- The sets that may pay, one of a single route only where there are many others, and their hops.
local function read_sets(sets, uses)
  local groups <const>, words <const>, numbers <const>, used <const> = {}, {}, {}, {}
  for n, set in ipairs(sets) do
    local costs <const> = COSTS[set.family]
    local group <const> = (uses[n] > 1 or costs.set * #sets > costs.object)
      and read_group(set, words, numbers)
    for i = 1, group and #group or 0, 2 do used[group[i]] = (used[group[i]] or 0) + 1 end
    groups[n] = group or false
  end
  return groups, { words = words, sets = used, moved = {}, keys = {}, ids = {} }
end

-- Whether a set saves more than its objects cost. That of a hop costs halves, thirds, ... where
-- other sets have it, too.
local function pays(group, uses, hops, count, costs)
  local price = #group > 2 and costs.object or 0
  for i = 1, #group, 2 do
    local n <const> = group[i]
    local question <const> = has_device(hops.words[n]) and 0 or costs.question
    price = price + (costs.object + question) / hops.sets[n]
  end
  return uses * (costs.route + costs.hop * (#group // 2)) + costs.set * count > price
end

-- The first bits of an address, as bytes.
local function beginning(bytes, length)
  local whole <const>, rest <const> = length // 8, length % 8
  if rest == 0 then return bytes:sub(1, whole) end
  return bytes:sub(1, whole) .. string.char(bytes:byte(whole + 1) & 0xff00 >> rest & 0xff)
end

-- Whether an address is in one of the destinations, `prefixes[length][bytes]`.
local function is_within(via, destinations)
  local bytes <const> = ip.parse(via):bytes()
  for length, prefixes in pairs(destinations) do
    if prefixes[beginning(bytes, length)] then return true end
  end
  return false
end

-- Whether a change of the window may change how a gateway is reached.
local function is_moved(hops, n, destinations)
  if destinations and hops.moved[n] == nil then
    hops.moved[n] = is_within(hops.words[n]:match "^via (%S+)", destinations)
  end
  return hops.moved[n]
end

-- The device by which the kernel reaches a gateway; nil where it is behind another one, or where
-- rules of the policy answer from a table in which the kernel does not look for gateways.
local function ask_device(nl, via, family)
  local found <const> = nl.socket:request("flow", "get", { dst = via })
  if not found or found.via or (found.type or "unicast") ~= "unicast" then return nil end
  if family == 6 and (found.table or "main") ~= "main" then return nil end
  return found.dev
end

-- What an object of a next hop is known by; false where it has no device.
local function key_of_hop(nl, hops, n, family)
  if hops.keys[n] == nil then
    local words <const> = hops.words[n]
    local dev <const> = not has_device(words) and ask_device(nl, words:sub(5), family)
    hops.keys[n] = has_device(words) and words or dev and words .. " dev " .. dev or false
  end
  return hops.keys[n]
end

-- The numbers of those sets that are to be objects: they pay, and each of their hops has a device
-- that the window does not change.
local function choose(nl, groups, hops, sets, uses, moved)
  local chosen <const> = {}
  for n, group in ipairs(groups) do
    local family <const> = sets[n].family
    local good = group and pays(group, uses[n], hops, #sets, COSTS[family])
    for i = 1, good and #group or 0, 2 do
      good = good and not is_moved(hops, group[i], moved[family])
        and key_of_hop(nl, hops, group[i], family)
    end
    if good then chosen[#chosen + 1] = n end
  end
  return chosen
end

-- What an object of several next hops is known by.
local function key_of_group(group)
  return table.concat(group, ",")
end

local unusable <const> = { "dead", "linkdown", "encap", "blackhole", "fdb" }

local function key_of_object(view)
  for _, field in ipairs(unusable) do
    if view[field] then return nil end
  end
  if view.group then
    local group <const> = {}
    for i, member in ipairs(view.group) do
      group[2 * i - 1], group[2 * i] = member.id, member.weight or 1
    end
    return (view.type or "mpath") == "mpath" and key_of_group(group) or nil
  end
  return view.via and view.dev
    and ("via %s dev %s%s"):format(view.via, view.dev, view.onlink and " onlink" or "")
end

-- The objects there are: numbers by what they hold, and which numbers are taken. nil where the
-- kernel has no such objects.
local function read_objects(nl)
  local list <const> = nl.nexthop:list()
  if not list then return nil end
  local objects <const> = { ids = {}, taken = {}, made = {}, members = {}, uses = {},
                            last = FIRST_ID }
  for _, view in ipairs(list) do
    objects.taken[view.id] = true
    local key <const> = view.proto == M.PROTO and key_of_object(view)
    if key then objects.ids[key] = view.id end
  end
  return objects
end

local function next_id(objects)
  repeat objects.last = objects.last + 1 until not objects.taken[objects.last]
  return objects.last
end

local OURS <const> = (" proto %d "):format(M.PROTO)

-- An object as `nl.nexthop:add` takes it: of a hop its words, of a group its members.
local function object_of(id, key, group)
  if not group then return "id " .. id .. OURS .. key end
  local members <const> = {}
  for i = 1, #group, 2 do members[#members + 1] = { id = group[i], weight = group[i + 1] } end
  return { id = id, proto = M.PROTO, group = members }
end

-- Makes what is not there yet of the objects with these keys; `groups` has the sets of groups. One
-- that is refused is none: its routes go by hops, and the kernel says of each what it thinks.
local function make(nl, objects, keys, groups)
  local changes <const>, made <const>, ids <const> = {}, {}, objects.ids
  for i, key in ipairs(keys) do
    if not ids[key] then
      ids[key] = next_id(objects)
      made[#made + 1] = key
      changes[#changes + 1] = { "nexthop add", object_of(ids[key], key, groups[i]) }
    end
  end
  for i, result in ipairs(nl.socket:batch(changes, false)) do
    if result == true then
      table.insert(objects.made, ids[made[i]])
    else
      ids[made[i]] = nil
    end
  end
end

-- Has an object for each hop of the sets, as far as the kernel makes them.
local function make_hops(nl, objects, groups, chosen, hops)
  local keys <const>, numbers <const> = {}, {}
  for _, n in ipairs(chosen) do
    local group <const> = groups[n]
    for i = 1, #group, 2 do
      local hop <const> = group[i]
      if hops.ids[hop] == nil then
        hops.ids[hop] = false
        keys[#keys + 1], numbers[#numbers + 1] = hops.keys[hop], hop
      end
    end
  end
  make(nl, objects, keys, {})
  for _, hop in ipairs(numbers) do hops.ids[hop] = objects.ids[hops.keys[hop]] or false end
end

-- Has a set name the objects of its hops; false where one of them has none, or two have the same.
-- `seen` has the last set of each object.
local function name_members(n, group, hops, seen)
  for i = 1, #group, 2 do
    local id <const> = hops.ids[group[i]]
    if not id or seen[id] == n then return false end
    group[i], seen[id] = id, n
  end
  return true
end

-- Has an object for each of the sets, as far as the kernel makes them, and
-- returns their numbers by set.
local function make_objects(nl, objects, groups, chosen, hops)
  local numbers <const>, keys <const>, wide <const>, sets <const>, seen <const> =
    {}, {}, {}, {}, {}
  make_hops(nl, objects, groups, chosen, hops)
  for _, n in ipairs(chosen) do
    local group <const> = groups[n]
    if #group == 2 then
      numbers[n] = hops.ids[group[1]] or nil
    elseif name_members(n, group, hops, seen) then
      local i <const> = #keys + 1
      keys[i], wide[i], sets[i] = key_of_group(group), group, n
    end
  end
  make(nl, objects, keys, wide)
  for i, n in ipairs(sets) do
    numbers[n] = objects.ids[keys[i]]
    if numbers[n] then objects.members[numbers[n]] = groups[n] end
  end
  return numbers
end

local function count_uses(objects, numbers, uses)
  for n, id in pairs(numbers) do objects.uses[id] = (objects.uses[id] or 0) + uses[n] end
end

-- Deletes what was made and is of no use: groups, which were made last, before their members.
local function delete_unused(nl, objects)
  local changes <const>, uses <const> = {}, objects.uses
  for i = #objects.made, 1, -1 do
    local id <const> = objects.made[i]
    local group <const> = objects.members[id]
    if (uses[id] or 0) == 0 then
      changes[#changes + 1] = { "nexthop del", { id = id } }
    else
      for k = 1, group and #group or 0, 2 do uses[group[k]] = 1 end
    end
  end
  nl.socket:batch(changes, false)
end

-- What was refused of a route by its object is said of the route as it was given.
local function say_of_route(change, result)
  local value = change[3] and change[2][change[3]] or change[2]
  local verb <const>, reason <const> = result.message:match "^(%l+ %l+) .-(: .*)$"
  if not rtnl.is_view(value) then
    value = rtnl.view("route", object.as_table(value, "route", "add"), true)
  end
  result.message = ("%s %s%s"):format(verb, value:text { request = true, line = true }, reason)
end

-- A socket beside that of the handle, which is taken while the batch is under way. nil where it
-- cannot be opened: then nothing is shared.
local function open_beside(nl)
  local fd <const> = nl.socket:netns()
  local socket <const> = rtnl.open(fd and ("/proc/self/fd/%d"):format(fd) or nil)
  local beside <const> = socket and { socket = socket }
  if beside then beside.nexthop = object.new(beside, "nexthop") end
  return beside
end

---Makes many changes; next-hop sets that repeat become next-hop objects where that pays. Objects of
---earlier batches are used again; those of which no route came to be are deleted.
---@param nl ecmp.Handle
---@param changes table[] see `nl:batch`
---@param order false|"free"|"apart" of the changes, false: as they are listed
---@return (true|{ message: string, code: string })[] results # one for each change, in order
function M.batch(nl, changes, order)
  local beside, objects
  local _ <close> = setmetatable({}, { __close = function()
    if objects then delete_unused(beside, objects) end
    if beside then beside.socket:close() end
  end })
  local function share(sets, uses, moved)
    local groups <const>, hops <const> = read_sets(sets, uses)
    beside = beside or hops.words[1] and open_beside(nl) or nil
    local chosen <const> = beside and choose(beside, groups, hops, sets, uses, moved) or {}
    if #chosen == 0 then return nil end
    if objects == nil then objects = read_objects(beside) or false end
    if not objects then return nil end
    local numbers <const> = make_objects(beside, objects, groups, chosen, hops)
    count_uses(objects, numbers, uses)
    return numbers
  end
  local results <const> = nl.socket:batch(changes, order, share)
  for i, result in ipairs(results) do
    if result ~= true and result.object then
      objects.uses[result.object] = objects.uses[result.object] - 1
      result.object = nil
      say_of_route(changes[i], result)
    end
  end
  return results
end

return M
