---Caches the kernel's objects of one kind: applies notifications, and finds the changes that a
---new list shows and no notification did. Applying the events to the first list gives what
---the kernel holds.

local Cache = {}
Cache.__index = Cache

local M = {}

-- The link of an address or a neighbour, by its number: names change.
local function link_of(view)
  return (("=I4"):unpack(view:bytes(), 5))
end

-- What objects are known by. Several routes may have one key (ecmp.fib.entries).
local identities <const> = {
  link = function(v) return v.index end,
  nexthop = function(v) return v.id end,
  addr = function(v) return link_of(v) .. " " .. v.address end,
  neigh = function(v) return link_of(v) .. " " .. tostring(v.dst) end,
  rule = function(v) return v.family .. " " .. tostring(v) end,
  route = function(v)
    return table.concat({ v.family, v.dst, v.table, v.metric or 0, v.tos or 0, v.from or "" }, " ")
  end,
}

-- Compared as text, which has the flags that the kernel sets by itself; and the text is made while
-- the links that it names are known (that of an IPv6 address has its link nowhere: it is asked
-- for). Time that passes is no change; `full` has what a notification says of it.
local function entry_of(view)
  local entry, _ = { view = view, text = tostring(view) }, view:object() == "addr" and view.dev
  if entry.text:find "%dsec" then
    entry.full = entry.text
    entry.text = entry.full:gsub(" expires %d+sec", ""):gsub("_lft %d+sec", "")
  end
  return entry
end

-- IPv6 tells of a new hop before those that were there, and lists it behind them.
local function hops_sorted(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  local head = table.remove(lines, 1)
  table.sort(lines)
  return head .. table.concat(lines)
end

local function same(a, b)
  if a.text == b.text or a.view:object() ~= "route" or a.view.family == 4 then
    return a.text == b.text
  end
  return #a.text == #b.text and hops_sorted(a.text) == hops_sorted(b.text)
end

local function find(place, entry)
  for i, other in ipairs(place) do
    if same(other, entry) then
      return i
    end
  end
end

-- Notifications ----------------------------------------------------------------------------------

-- What only a list can tell.
local UNSURE <const> = "unsure"

local function apply_del(place, entry)
  local at = find(place, entry)
  if at then
    table.remove(place, at)
    return "del"
  end
  return place[1] and UNSURE or nil
end

-- An ordered list of entries, of which the first takes all traffic and is the one to be replaced.
local function apply4(place, entry, verb, behind)
  if find(place, entry) then
    return nil
  elseif verb == "add" or not place[1] then
    table.insert(place, behind and #place + 1 or 1, entry)
    return "add", #place > 1 and behind or nil
  elseif place[2] and entry.view.nhid then
    return UNSURE -- its object may have changed, and any entry may refer to that
  end
  place[1] = entry
  return "change"
end

-- Whether gateways of other routes join this one.
local function joins(view)
  return view.type == "unicast" and not view.nhid and (view.via or view.nexthops) ~= nil
end

-- One route of all gateways, and beside it those by device alone, by objects, or to nowhere.
local function apply6(place, entry, verb)
  local joining = joins(entry.view)
  if verb == "change" and place[2] and not joining then
    return UNSURE -- one of these went, perhaps for the second of two alike
  elseif find(place, entry) then
    return nil
  end
  local at = verb == "change" and place[1] and not place[2] and 1 or nil
  for i, other in ipairs(joining and place or {}) do
    at = joins(other.view) and i or at
  end
  place[at or #place + 1] = entry
  return at and "change" or "add", not at and place[2] and true or nil
end

local function apply_single(place, entry)
  local old = place[1]
  place[1] = entry
  local news = not old or old.full ~= entry.full or not same(old, entry)
  return not old and "add" or news and "change" or nil
end

---Takes a notification in.
---@param view ecmp.View
---@return "add"|"change"|"del"|"unsure"|nil verb what it comes to; nil: nothing; "unsure": only a
---list can tell
---@return true|nil append the route stands behind others of its place
function Cache:apply(view)
  local id = identities[self.kind](view)
  local place = self.places[id]
  if not place then
    place = {}
    self.places[id] = place
  end
  local entry, verb, behind = entry_of(view), view:verb()
  local event, append
  if verb == "del" then
    event = apply_del(place, entry)
    if event == UNSURE and self.kind ~= "route" then
      place[1], event = nil, "del"
    end
  elseif self.kind ~= "route" then
    event = apply_single(place, entry)
  elseif view.family == 4 then
    event, append = apply4(place, entry, verb, behind)
  else
    event, append = apply6(place, entry, verb)
  end
  if not place[1] then
    self.places[id] = nil
  end
  return event, append
end

---The only entry of the place of a view.
---@param view ecmp.View
---@return ecmp.View|nil
function Cache:alone(view)
  local place = self.places[identities[self.kind](view)]
  return place and not place[2] and place[1].view or nil
end

-- Lists ------------------------------------------------------------------------------------------

---@param kind string
---@param list ecmp.View[] all of that kind
function M.new(kind, list)
  local self = setmetatable({ kind = kind, places = {}, order = {} }, Cache)
  local identity, places, order = identities[kind], self.places, self.order
  for _, view in ipairs(list) do
    local id = identity(view)
    local place = places[id]
    if place then
      place[#place + 1] = entry_of(view)
    else
      places[id] = { entry_of(view) }
      order[#order + 1] = id
    end
  end
  return self
end

-- What of one place is in another, and the rest.
local function part(place, other)
  local kept, gone, left = {}, {}, table.move(other, 1, #other, 1, {})
  for _, entry in ipairs(place) do
    local at = find(left, entry)
    table.insert(at and kept or gone, entry)
    if at then
      table.remove(left, at)
    end
  end
  return kept, gone
end

local function begins(list, first)
  for i, entry in ipairs(first) do
    if not same(list[i], entry) then
      return false
    end
  end
  return true
end

local function say_all(say, verb, list, first)
  for i = first, #list do
    say(verb, list[i].view, verb == "add" and i > 1 or nil)
  end
end

-- The same where either holds several, or none. The order of IPv4 entries counts: what does not
-- begin as it is to begin gets a new first one.
local function compare_lists(old, new, say)
  local kept, gone = part(old, new)
  local _, added = part(new, old)
  local ordered = old[1] and new[1] and new[1].view.family == 4
  if ordered and not (kept[1] and begins(new, kept)) then
    if not same(old[1], new[1]) then
      say("change", new[1].view)
    end
    say_all(say, "del", old, 2)
    return say_all(say, "add", new, 2)
  end
  for i, entry in ipairs(added) do
    say("add", entry.view, (i > 1 or old[1] ~= nil) or nil)
  end
  say_all(say, "del", gone, 1)
end

-- The events that make one place the other, none of which leaves it empty unless it is to be.
local function compare(old, new, say)
  if #old ~= 1 or #new ~= 1 then
    compare_lists(old, new, say)
  elseif not same(old[1], new[1]) then
    say("change", new[1].view)
  end
end

---Names everything that is known, as it was listed.
---@param say fun(view: ecmp.View, append: true|nil)
function Cache:each(say)
  for _, id in ipairs(self.order) do
    for i, entry in ipairs(self.places[id] or {}) do
      say(entry.view, i > 1 or nil)
    end
  end
end

---Says what has to happen for this to become the other.
---@param now table what is known of a list that was read later
---@param say fun(verb: string, view: ecmp.View, append: true|nil)
function Cache:difference(now, say)
  local gone, none = {}, {}
  for id in pairs(self.places) do
    gone[#gone + 1] = not now.places[id] and id or nil
  end
  table.sort(gone)
  for _, id in ipairs(gone) do
    compare(self.places[id], none, say)
  end
  for _, id in ipairs(now.order) do
    compare(self.places[id] or none, now.places[id], say)
  end
  now.order = none
end

return M
