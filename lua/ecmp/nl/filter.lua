---Filters of lists: which words there are, what the kernel is asked, and what is compared here.

local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown

rtnl.own()

local M = {}

local families <const> = {
  [4] = 4, [6] = 6, ["4"] = 4, ["6"] = 6, inet = 4, inet6 = 6,
}

---The family that a filter names.
---@param word integer|string
---@return integer|nil # 4 or 6
function M.family(word)
  return families[word]
end

-- What the kernel filters by itself; the rest is compared here.
local by_kernel <const> = {
  route = { "table", "proto", "type", "dev" },
  addr = { "dev" },
  neigh = { "proxy" },
}

local known <const> = {
  route = { family = true, table = true, dst = true, dev = true, via = true, proto = true,
            type = true, metric = true,
            scope = true, nhid = true, src = true, tos = true, realm = true, hoplimit = true },
  nexthop = { family = true, id = true, dev = true, via = true, proto = true },
  bucket = { id = true, nhid = true, index = true },
  link = { dev = true, name = true, type = true, master = true, up = true, link = true },
  addr = { family = true, dev = true, address = true, scope = true, label = true },
  rule = { family = true, priority = true, table = true, action = true, iif = true, oif = true,
           fwmark = true, fwmask = true, from = true, to = true, tos = true },
  neigh = { family = true, dev = true, dst = true, state = true, lladdr = true, proxy = true },
  vlan = { dev = true },
}

---The fields of a filter, as they were given; raises for one that nobody knows.
---@param kind string
---@param filter? table|string
---@return ecmp.Fields
local function check(kind, filter)
  if filter == nil then
    return {}
  elseif type(filter) == "string" then
    local parsed, message = rtnl.parse(kind, filter)
    return check(kind, parsed or rtnl.throw(("%s list: %s"):format(kind, message)))
  elseif type(filter) ~= "table" then
    rtnl.throw(("%s list: table of filters expected, got %s"):format(kind, type(filter)))
  end
  for key in pairs(filter) do
    if not known[kind][key] then
      local near = rtnl.nearest(kind, tostring(key))
      rtnl.throw(("%s: unknown filter of %s list%s"):format(shown(key), kind,
        near and known[kind][near] and (" (did you mean '%s'?)"):format(near) or ""))
    end
  end
  if filter.family ~= nil and not families[filter.family] then
    rtnl.throw(("family: 4 or 6 expected, got %s"):format(shown(filter.family)))
  end
  return filter
end

M.given = check

-- Of these the kernel dumps one family at a time.
local by_family <const> = { route = true, addr = true, rule = true, neigh = true }

-- Fields that tell of which family the rest is.
local addresses <const> = { dst = true, via = true, src = true, address = true, from = true,
                            to = true }

-- Fields that are links, which may be given by number.
local links <const> = { dev = true, master = true, link = true }

-- The name of a link, which is what views have; nothing else needs to be asked for.
local function name_of(nl, number)
  local link, message, code = nl.link:get { index = number }
  return link and link.name, message, code
end

-- The value a filter asks for, spelled as views spell it; raises for one that no view could have.
local function spell(nl, kind, key, value, family)
  if key == "dev" and value == false then
    rtnl.throw "dev: name or number of a link expected, got false"
  end
  local view = rtnl.view(kind, { [key] = value, family = family })
  if links[key] and math.type(value) == "integer" then
    return name_of(nl, value)
  elseif kind == "addr" and key == "address" and not value:find("/", 1, true) then
    return view.address:match "^[^/]*", view.family
  end
  local spelled = view[key]
  if spelled == nil then
    spelled = value -- false, or what is not told where it is 0
  end
  if key == "via" and view.family == 6 then
    return spelled -- routes of IPv4 may have such a gateway, too
  end
  return spelled, addresses[key] and value ~= "default" and view.family or nil
end

-- Where the word "all" leaves out no value.
local unbounded <const> = { route = "table", neigh = "state" }

-- All values of a filter, spelled as views spell them, and the family they are of.
local function canonical(nl, kind, filter)
  local wanted, family = {}, filter.family and families[filter.family]
  for key, value in pairs(filter) do
    if key ~= "family" and not (value == "all" and unbounded[kind] == key) then
      local spelled, of, code = spell(nl, kind, key, value, filter.family)
      if spelled == nil then
        return nil, of, code
      end
      wanted[key], family = spelled, family or of
    end
  end
  if not by_family[kind] then
    wanted.family = filter.family and families[filter.family]
  end
  return wanted, family
end

local function any_hop(view, key, value)
  for _, hop in ipairs(view.nexthops or {}) do
    if hop[key] == value then
      return true
    end
  end
  return false
end

-- What a route says of its next hops, too.
local of_hops <const> = { dev = true, via = true, realm = true }

---Whether a view has what is wanted; `dev`, `via` and `realm` of a route look into its next hops.
---@param view ecmp.View
---@param wanted table as of `read`
---@return boolean
function M.matches(view, wanted)
  for key, value in pairs(wanted) do
    local has = view[key]
    if key == "dev" and view:object() == "link" then
      has = view.name
    elseif key == "metric" and value == 0 and (has or 1024) == 1024 then
      has = 0 -- the default: none in IPv4, 1024 in IPv6
    end
    if key == "address" and has and not value:find("/", 1, true) then
      has = has:match "^[^/]*" -- of any length
    end
    local in_hops = of_hops[key] and view:object() == "route" and any_hop(view, key, value)
    local is_unset = has == nil and (value == false or value == 0)
    if has ~= value and not in_hops and not is_unset then
      return false
    end
  end
  return true
end

-- One destination, which the kernel cannot be asked for: the rest is dropped before it becomes
-- values.
local function alike(kind, wanted, family)
  if kind == "route" and wanted.dst ~= nil then
    return rtnl.view("route", { dst = wanted.dst, family = family })
  end
end

---@class ecmp.Filter
---@field given ecmp.Fields as it was given
---@field wanted table what views are compared with
---@field dumps { query: ecmp.Fields, like: ecmp.View|nil }[] what the kernel is asked, in turn

---Reads a filter; raises for a wrong one. A value is what `add` takes for that field: a number is a
---number and no text, a word may be written as `ip` takes it.
---@param nl ecmp.Handle which is asked for the names of links
---@param kind string
---@param filter? table|string
---@return ecmp.Filter|nil
---@return string? message
---@return string? code
function M.read(nl, kind, filter)
  local given = check(kind, filter)
  local wanted, family, code = canonical(nl, kind, given)
  if not wanted then
    return nil, family, code
  end
  if kind == "route" and given.table == nil then
    wanted.table = "main"
  end
  local dumps = {}
  for i, one in ipairs(by_family[kind] and (family and { family } or { 4, 6 }) or { false }) do
    local query = { family = one or nil }
    for _, key in ipairs(by_kernel[kind] or {}) do
      query[key] = wanted[key]
    end
    if query.type == "blackhole" then -- or by a next-hop object that is one
      query.type = nil
    end
    dumps[i] = { query = query, like = alike(kind, wanted, one) }
  end
  if kind == "route" then
    wanted.table = nil -- every kernel that takes strict dumps compares this one exactly
  end
  return { given = given, wanted = wanted, dumps = dumps }
end

return M
