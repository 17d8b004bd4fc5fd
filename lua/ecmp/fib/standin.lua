---Computes weights by which other hops take over one hop's range of the flow hash, and no more.
--
-- The kernel hashes a flow to a number and walks the hops of a route in order until their summed
-- weights reach it, so a hop owns a range of the numbers. Taking a hop out of the list widens all
-- other ranges, and flows that had nothing to do with it move. Here its range alone is divided
-- among the others, in proportion to their weights, and every other stays where it is: all weights
-- are multiplied until the parts are whole numbers.
--
-- A list of places is what a route is between its first stand-in and its last: for each hop, in
-- order, the parts `{ hop, share }` that its own stretch consists of now. The shares of all places
-- have one scale.
local weights = require "ecmp.fib.weights"

local M = {}

-- Every share divided by what they have in common.
local function reduce(places)
  local common = 0
  for _, place in ipairs(places) do
    for _, part in ipairs(place) do common = weights.gcd(part.share, common) end
  end
  for _, place in ipairs(places) do
    for _, part in ipairs(place) do part.share = part.share // common end
  end
  return places
end

---The places of a route whose hops all stand for themselves.
---@param list integer[] the weights of its hops, in order
---@return table[] places
function M.places(list)
  local places <const> = { weights = table.move(list, 1, #list, 1, {}) }
  for i, weight in ipairs(list) do places[i] = { { hop = i, share = weight } } end
  return reduce(places)
end

---Whether others stand in for a hop.
---@param places table[]
---@param hop integer
---@return boolean
function M.is_out(places, hop)
  return #places[hop] ~= 1 or places[hop][1].hop ~= hop
end

-- Those that can stand in for a hop: all that have their own place, and the sum of their weights.
local function survivors(places, hop)
  local list <const>, sum = {}, 0
  for i, weight in ipairs(places.weights) do
    if i ~= hop and not M.is_out(places, i) then
      list[#list + 1], sum = i, sum + weight
    end
  end
  return list, sum
end

-- The order in which survivors share a part: one that is a neighbour in the list comes next to
-- itself, since both are one entry of the route then.
local function in_order(list, before, behind)
  local order <const> = {}
  local has_before, has_behind = false, false
  for _, hop in ipairs(list) do
    has_before = has_before or hop == before
    has_behind = has_behind or hop == behind and behind ~= before
  end
  if has_before then order[1] = before end
  for _, hop in ipairs(list) do
    if hop ~= before and hop ~= behind then order[#order + 1] = hop end
  end
  if has_behind then order[#order + 1] = behind end
  return order
end

-- All parts in order, as one list.
local function flat(places)
  local list <const> = {}
  for _, place in ipairs(places) do
    for _, part in ipairs(place) do list[#list + 1] = part end
  end
  return list
end

---Gives the place of a hop, and what it stands in for, to the others.
---@param places table[]
---@param hop integer
---@return table[]? places others than those given; nil where no other hop is left
function M.suspend(places, hop)
  local list <const>, sum <const> = survivors(places, hop)
  if #list == 0 then return nil end
  local all <const>, changed <const> = flat(places), { weights = places.weights }
  local at = 0
  for i, place in ipairs(places) do
    changed[i] = {}
    for _, part in ipairs(place) do
      at = at + 1
      local before <const>, behind <const> = all[at - 1], all[at + 1]
      local takers <const> = part.hop == hop
        and in_order(list, before and before.hop, behind and behind.hop) or { part.hop }
      for _, taker in ipairs(takers) do
        local share <const> = part.hop == hop and places.weights[taker] or sum
        table.insert(changed[i], { hop = taker, share = part.share * share })
      end
    end
  end
  return reduce(changed)
end

---Takes a hop out, so that the places of all others grow: what is left where stand-ins do not fit.
---@param places table[]
---@param hop integer
---@return table[]? places others than those given; nil where no other hop is left
function M.remove(places, hop)
  if #survivors(places, hop) == 0 then return nil end
  local changed <const> = { weights = places.weights }
  for i, place in ipairs(places) do
    changed[i] = {}
    for _, part in ipairs(place) do
      if part.hop ~= hop then
        table.insert(changed[i], { hop = part.hop, share = part.share })
      end
    end
  end
  return reduce(changed)
end

-- What the place of a hop is worth that was taken out: by its weight, as those of others are. All
-- shares are multiplied first, so that it is a whole number.
local function put_back(places, hop)
  for i, weight in ipairs(places.weights) do
    if i ~= hop and not M.is_out(places, i) then
      local share <const> = places[i][1].share * places.weights[hop]
      for _, place in ipairs(places) do
        for _, part in ipairs(place) do part.share = part.share * weight end
      end
      return share
    end
  end
  return places.weights[hop]
end

---Gives a hop its own place back. What it stood in for stays with those who have it.
---@param places table[]
---@param hop integer
---@return table[] places others than those given
function M.resume(places, hop)
  local changed <const> = { weights = places.weights }
  for i, place in ipairs(places) do
    changed[i] = {}
    local sum = 0
    for _, part in ipairs(place) do
      sum = sum + part.share
      table.insert(changed[i], { hop = part.hop, share = part.share })
    end
    if i == hop then changed[i] = { { hop = hop, share = sum } } end
  end
  if #places[hop] == 0 then changed[hop][1].share = put_back(changed, hop) end
  return reduce(changed)
end

-- Parts of one hop that follow each other are one.
local function merged(parts)
  local list <const> = {}
  for _, part in ipairs(parts) do
    local last <const> = list[#list]
    if last and last.hop == part.hop then
      last.weight = last.weight + part.share
    else
      list[#list + 1] = { hop = part.hop, weight = part.share }
    end
  end
  local common = 0
  for _, entry in ipairs(list) do common = weights.gcd(entry.weight, common) end
  for _, entry in ipairs(list) do entry.weight = entry.weight // common end
  return list
end

---How many next hops a route of these places has.
---@param places table[]
---@return integer
function M.count(places)
  local count = 0
  for _, entry in ipairs(merged(flat(places))) do
    count = count + (entry.weight + weights.MOST - 1) // weights.MOST
  end
  return count
end

---The next hops of a route of these places: a weight that is more than one can have becomes several
---of one hop, next to each other.
---@param places table[] of so many that they can be listed, see `count`
---@return table[] entries `{ hop, weight }` in order; hop is a number in the list of `places`
function M.entries(places)
  local list <const> = {}
  for _, entry in ipairs(merged(flat(places))) do
    local left = entry.weight
    while left > 0 do
      local weight <const> = math.min(left, weights.MOST)
      list[#list + 1] = { hop = entry.hop, weight = weight }
      left = left - weight
    end
  end
  return list
end

-- Stand-ins of several hops multiply each other's shares; what is beyond this fits no route, and a
-- few more would not fit a number.
local FAR_TOO_MANY <const> = 1 << 16

---Makes just these hops be out, at once.
---@param places table[]
---@param wanted integer[] numbers of hops
---@return table[]|false|nil places false where no route could hold them; nil where no other hop is
---left
---@return table[]? removed the places where they are taken out instead
function M.set(places, wanted)
  local is_wanted <const> = {}
  for _, i in ipairs(wanted) do is_wanted[i] = true end
  for i = 1, #places do
    if not is_wanted[i] and M.is_out(places, i) then places = M.resume(places, i) end
  end
  local removed, stood = places, places
  for _, i in ipairs(wanted) do
    if not M.is_out(removed, i) then
      removed = M.remove(removed, i)
      if not removed then return nil end
      stood = stood and M.suspend(stood, i)
      if stood and M.count(stood) > FAR_TOO_MANY then stood = false end
    end
  end
  return stood, removed
end

return M
