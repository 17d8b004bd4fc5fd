-- Filters of lists: which words there are, what the kernel is asked, and what is compared here.

local rtnl = require "ecmp.rtnl"

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
            scope = true, nhid = true, src = true },
  nexthop = { family = true, id = true, dev = true, via = true, proto = true },
  bucket = { id = true, nhid = true, index = true },
  link = { dev = true, name = true, type = true, master = true, up = true, link = true },
  addr = { family = true, dev = true, address = true, scope = true, label = true },
  rule = { family = true, priority = true, table = true, action = true, iif = true, oif = true,
           fwmark = true },
  neigh = { family = true, dev = true, dst = true, state = true, lladdr = true, proxy = true },
  vlan = { dev = true },
}

---@return table filter
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
      rtnl.throw(("%s: unknown filter of %s list%s"):format(tostring(key), kind,
        near and known[kind][near] and (" (did you mean '%s'?)"):format(near) or ""))
    end
  end
  if filter.family ~= nil and not families[filter.family] then
    rtnl.throw(("family: 4 or 6 expected, got %s"):format(tostring(filter.family)))
  end
  return filter
end

-- Of these the kernel dumps one family at a time.
local by_family <const> = { route = true, addr = true, rule = true, neigh = true }

-- Fields that may be written in more than one way.
local spelled <const> = {
  "dst", "via", "src", "address", "table", "proto", "type", "scope", "state", "action",
}

-- The value a filter asks for, spelled as views spell it.
local function canonical(kind, filter)
  local wanted = {}
  for key, value in pairs(filter) do
    wanted[key] = value
  end
  wanted.family = nil
  if filter.family and not by_family[kind] then
    wanted.family = families[filter.family]
  end
  if kind == "route" and wanted.table == "all" then
    wanted.table = nil
  elseif kind == "neigh" and wanted.state == "all" then
    wanted.state = nil
  end
  local numbers = {}
  for _, key in ipairs(spelled) do
    if wanted[key] ~= nil and not (kind == "link" or kind == "nexthop" and key == "type") then
      local view = rtnl.view(kind, { [key] = wanted[key], family = filter.family })
      if key == "dst" or key == "via" or key == "src" or key == "address" then
        numbers.family = wanted[key] ~= "default" and view.family or nil
      end
      wanted[key] = view[key]
    end
  end
  return wanted, filter.family and families[filter.family] or numbers.family
end

local function any_hop(view, key, value)
  for _, hop in ipairs(view.nexthops or {}) do
    if hop[key] == value then
      return true
    end
  end
  return false
end

---Whether a view has what is wanted; `dev` and `via` of a route look into its next hops.
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
    local of_hops = (key == "dev" or key == "via") and view:object() == "route"
    if has ~= value and not (of_hops and any_hop(view, key, value))
      and not (value == false and has == nil) then
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

---Reads a filter; raises for a wrong one.
---@param kind string
---@param filter? table|string
---@return ecmp.Filter
function M.read(kind, filter)
  local given = check(kind, filter)
  local wanted, family = canonical(kind, given)
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
