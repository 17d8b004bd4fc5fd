---Restores what the kernel deletes along with a change: routes with an address, IPv6
---addresses with a link that goes down, routes with a next-hop object. Undoing the change
---brings them back, too.

local identity = require "ecmp.fib.route"
local lists = require "ecmp.nl.text"
local plan = require "ecmp.plan"
local tally = require "ecmp.errors"

local M = {}

local causes <const> = {
  addr = { del = true, replace = true }, link = { set = true },
  nexthop = { del = true, replace = true },
}

-- In the order in which they are to be made again.
local kinds <const> = { "addr", "nexthop" }

---Whether a change may take more away than it says.
---@param kind string
---@param verb string
---@return boolean
function M.may_follow(kind, verb)
  return causes[kind] ~= nil and causes[kind][verb] == true
end

-- What the kernel makes again by itself, from an address or a link, is no loss.
local function made_by_somebody(list, kind)
  local kept <const> = lists.of {}
  for _, view in ipairs(list) do
    local own <const> = kind == "route" and (view.proto == "kernel" or view.table == "local")
      or kind == "addr" and view.scope == "link"
    if not own then kept[#kept + 1] = view end
  end
  return kept
end

---What there is that could be lost.
---@param nl ecmp.Handle
---@return table<string, ecmp.View[]>|nil, string? message, string? code
function M.look(nl)
  local state <const> = {}
  for _, kind in ipairs { "addr", "nexthop", "route" } do
    local list <const>, message <const>, code <const> =
      nl[kind]:list(kind == "route" and { table = "all" } or nil)
    if not list then return nil, message, code end
    state[kind] = made_by_somebody(list, kind)
  end
  return state
end

-- What is gone, or, as a group that lost a member, no longer what it was.
local function missing(before, now, kind)
  local there <const>, list <const> = {}, {}
  local function key(view)
    return kind == "nexthop" and view.id or ("%s %s"):format(view.dev, view.address)
  end
  for _, view in ipairs(now) do there[key(view)] = view end
  for _, view in ipairs(before) do
    local same <const> = there[key(view)]
    if not same or kind == "nexthop" and same ~= view then list[#list + 1] = view end
  end
  return list
end

-- A group comes after its members.
local function in_order(list, kind)
  if kind ~= "nexthop" then return list end
  local ordered <const> = {}
  for _, grouped in ipairs { false, true } do
    for _, view in ipairs(list) do
      if (view.group ~= nil) == grouped then ordered[#ordered + 1] = view end
    end
  end
  return ordered
end

-- Of the places that hold several routes and changed, what each held before and after.
local function crowds(changes, before, after)
  local places <const> = {}
  for _, change in ipairs(changes) do
    if change.before then
      places[identity.slot(change.route or change.old)] = { before = {}, after = {} }
    end
  end
  for when, list in pairs { before = before, after = after } do
    for _, route in ipairs(next(places) and list or {}) do
      local place <const> = places[identity.slot(route)]
      if place then table.insert(place[when], route) end
    end
  end
  return places
end

-- Which of several routes is missing, and where it belongs among them, a plan knows.
local function fill(nl, place)
  local changes <const>, message <const>, code <const> =
    plan(place.after, place.before, { exactly = true })
  if not changes then return nil, message, code end
  return changes:apply(nl)
end

---Makes what was lost again.
---@param nl ecmp.Handle
---@param before table as of `look`, before the change
---@param after table right after it: what went later went for another reason
---@return true|nil, string? message, string? code # the first refusal; the rest is made anyway
function M.bring_back(nl, before, after)
  local refused <const> = tally.new()
  local function note(ok, why, symbol) refused:note(ok or symbol == "EEXIST", why, symbol) end
  for _, kind in ipairs(kinds) do
    for _, view in ipairs(in_order(missing(before[kind], after[kind], kind), kind)) do
      note(nl[kind]:replace(view))
    end
  end
  local lost <const>, why <const>, symbol <const> = plan(after.route, before.route)
  if not lost then
    note(nil, why, symbol)
    return refused:result()
  end
  for _, change in ipairs(lost) do
    if change.verb == "add" and not change.before then
      note(nl.route:add(identity.request(change.route)))
    end
  end
  for _, place in pairs(crowds(lost, before.route, after.route)) do
    if #place.after < #place.before then note(fill(nl, place)) end
  end
  return refused:result()
end

return M
