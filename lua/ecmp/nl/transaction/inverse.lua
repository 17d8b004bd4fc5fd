---Inverse operations: saves what the kernel holds under some identities (a route's destination and
---table, an address on its link, ...) and restores it. A refusal keeps nothing else from being
---put back; what is reported is the first.

local object = require "ecmp.nl.object"
local rtnl = require "ecmp.rtnl"
local tally = require "ecmp.errors"

rtnl.own()

local M = {}

---@param kind string
---@param value table|string|ecmp.View
---@return ecmp.View view
---@return table|ecmp.View fields
function M.as_view(kind, value)
  if type(value) == "string" then
    local parsed, message = object.parse(kind, value)
    value = parsed or rtnl.throw(("%s: %s"):format(kind, message))
  end
  return rtnl.is_view(value) and value or rtnl.view(kind, value, true), value
end

-- The filter that finds everything with the identity of a value.
local filters <const> = {
  route = function(v) return { dst = v.dst, family = v.family, table = v.table or "main" } end,
  nexthop = function(v) return { id = v.id } end,
  addr = function(v) return { address = v.address, dev = v.dev, family = v.family } end,
  rule = function(v) return { family = v.family, priority = v.priority } end,
  neigh = function(v) return { dst = v.dst, dev = v.dev, family = v.family } end,
  vlan = function(v) return { dev = v.dev } end,
}

---The same as text, for many values at once.
---@param kind string
---@param view table
---@return string
function M.identity(kind, view)
  local words = {}
  for key, value in pairs(filters[kind](view)) do
    words[#words + 1] = key .. "=" .. tostring(value)
  end
  table.sort(words)
  return table.concat(words, " ")
end

---Whether objects of a kind are found again by what they are.
---@param kind string
---@return boolean
function M.knows(kind)
  return filters[kind] ~= nil
end

local function contains(list, view)
  for _, other in ipairs(list) do
    if other == view then
      return true
    end
  end
  return false
end

-- What the kernel holds under the identities `touched`.
local function held(nl, kind, filter, touched)
  local list, message, code = nl[kind]:list(filter)
  if not list then
    return nil, message, code
  end
  local found = {}
  for _, view in ipairs(list) do
    if touched[M.identity(kind, view)] then
      found[#found + 1] = view
    end
  end
  return found
end

-- What may have gone by itself.
local gone <const> = { ESRCH = true, ENOENT = true, EADDRNOTAVAIL = true, ENODEV = true }

local function restore_routes(nl, now, old)
  local plan, message, code = require "ecmp.plan"(now, old, { exactly = true })
  if not plan then
    return nil, message, code
  end
  return plan:apply(nl)
end

-- Groups of next-hop objects come after their members, and go before them.
local function by_group(list, groups_first)
  local ordered = {}
  for _, grouped in ipairs { groups_first, not groups_first } do
    for _, view in ipairs(list) do
      if (view:object() == "nexthop" and view.group ~= nil) == grouped then
        ordered[#ordered + 1] = view
      end
    end
  end
  return ordered
end

local function identities(kind, list)
  local set = {}
  for _, view in ipairs(list) do
    set[M.identity(kind, view)] = true
  end
  return set
end

-- Takes away what was not there. What is there in another form is replaced in its place: with it
-- the kernel would take what depends on it.
local function take_away(nl, kind, now, old, refused)
  local known = kind ~= "rule" and identities(kind, old) or {}
  for _, view in ipairs(by_group(now, true)) do
    if not contains(old, view) and not known[M.identity(kind, view)] then
      local ok, message, code = nl[kind]:del(view)
      refused:note(ok or gone[code], message, code)
    end
  end
end

local function bring_back(nl, kind, now, old, refused)
  local verb = kind == "rule" and "add" or "replace"
  for _, view in ipairs(by_group(old, false)) do
    if not contains(now, view) then
      local ok, message, code = nl[kind][verb](nl[kind], view)
      refused:note(ok or code == "EEXIST", message, code)
    end
  end
end

-- By number, the VLANs that a port is in.
local function vlans_of(port)
  local set = {}
  for _, vlan in ipairs(port and port.vlans or {}) do
    set[vlan.vid] = vlan
  end
  return set
end

-- Those of `port` that `other` does not have alike.
local function vlans_beside(port, other)
  local list, others = {}, vlans_of(other)
  for vid, vlan in pairs(vlans_of(port)) do
    local same = others[vid]
    if not same or same.pvid ~= vlan.pvid or same.untagged ~= vlan.untagged then
      list[#list + 1] = vlan
    end
  end
  return list
end

-- The VLANs of one port: the kernel adds and deletes them one by one, and replaces none.
local function restore_vlans(nl, now, old, refused)
  local link = nl.link:get { dev = now.dev }
  local is_bridge = link and link.type == "bridge" or nil
  for _, step in ipairs { { "del", vlans_beside(now, old) }, { "add", vlans_beside(old, now) } } do
    local verb, vlans = step[1], step[2]
    if vlans[1] then
      local change = { dev = now.dev, self = is_bridge, vlans = vlans }
      local ok, message, code = nl.vlan[verb](nl.vlan, change)
      refused:note(ok or gone[code], message, code)
    end
  end
end

-- A port that has gone, or has come, is not in the other list.
local function restore_ports(nl, now, old)
  local refused, before = tally.new(), {}
  for _, port in ipairs(old) do
    before[port.dev] = port
  end
  for _, port in ipairs(now) do
    restore_vlans(nl, port, before[port.dev], refused)
  end
  return refused:result()
end

---Puts back what was held.
---@param nl ecmp.Handle
---@param kind string
---@param filter table|nil finds all that is touched
---@param touched table<string, true> identities
---@param old ecmp.View[] what was held
---@return true|nil, string? message, string? code
function M.restore(nl, kind, filter, touched, old)
  local now, message, code = held(nl, kind, filter, touched)
  if gone[code] then
    now = {} -- went with its link
  elseif not now then
    return nil, message, code
  end
  if kind == "route" then
    return restore_routes(nl, now, old)
  end
  if kind == "vlan" then
    return restore_ports(nl, now, old)
  end
  local refused = tally.new()
  take_away(nl, kind, now, old, refused)
  bring_back(nl, kind, now, old, refused)
  return refused:result()
end

---The undo of changes to objects of one kind, made before they are changed.
---@param nl ecmp.Handle
---@param kind string
---@param filter table|nil
---@param touched table<string, true>
---@return (fun(): true|nil, string?, string?)|nil undo, string? message, string? code
function M.of(nl, kind, filter, touched)
  local old, message, code = held(nl, kind, filter, touched)
  if not old then
    return nil, message, code
  end
  return function() return M.restore(nl, kind, filter, touched, old) end
end

---The undo of what happens to rules between two lists of them.
---@param nl ecmp.Handle
---@param before ecmp.View[]
---@param after ecmp.View[]
---@return fun(): true|nil, string?, string?
function M.of_rules(nl, before, after)
  return function()
    local refused = tally.new()
    take_away(nl, "rule", after, before, refused)
    bring_back(nl, "rule", after, before, refused)
    return refused:result()
  end
end

---The filter that finds everything with the identity of a value.
---@param kind string
---@param view table
---@return table
function M.filter(kind, view)
  return filters[kind](view)
end

---The undo of a change of a link: what a request sets is read before; a link that was deleted
---cannot be brought back as it was.
---@param nl ecmp.Handle
---@param verb string
---@param view ecmp.View what is asked for
---@param value table the same as fields
---@return (fun(): true|nil, string?, string?)|nil undo, string? message, string? code
function M.of_link(nl, verb, view, value)
  if verb == "add" then
    if not view.name or view.name:find("%", 1, true) then
      rtnl.throw("link add: what the kernel gives a name cannot be undone; name it, or do it "
        .. "outside of a transaction")
    end
    return function()
      local ok, message, code = nl.link:del { dev = view.name }
      return ok or code == "ENODEV" or nil, message, code
    end
  elseif verb == "del" or (type(value) == "table" and value.netns) then
    rtnl.throw(("link %s: deleting or moving a link cannot be undone; do it outside of a "
      .. "transaction"):format(verb))
  end
  local name = view.dev or view.name
  local list, message, code = nl.link:list { dev = name }
  if not list or not list[1] then
    message = message or ("link %s %s: Cannot find device (ENODEV)"):format(verb, name)
    return nil, message, code or "ENODEV"
  end
  local back = { dev = value.name or name }
  for key in pairs(value) do
    if key ~= "dev" and key ~= "type" and key ~= "port" then
      local was = list[1][key]
      back[key] = was == nil and false or was
    end
  end
  return function() return nl.link:set(back) end
end

return M
