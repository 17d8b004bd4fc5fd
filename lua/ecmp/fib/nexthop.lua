---Next hops as values: read, checked, named and compared.
--
-- A canonical hop is `{ via?, dev?, weight = 1.., onlink = true?, encap?, realm? }` with `via` in
-- its shortest text; `inet6 ADDRESS` where an IPv4 route leaves by an IPv6 gateway.
local ip <const> = require "ecmp.ip"
local rtnl <const> = require "ecmp.rtnl"

local M = {}

-- CNI's code for a mistake in the configuration: what the routes say, not what the kernel does.
local MISTAKE <const> = 7

---The most next hops of a route that every dump still shows, by family.
M.MAX_HOPS = { [4] = 2025, [6] = 1154 }

local function refuse(message, ...)
  return nil, message:format(...), MISTAKE
end

---Gateway texts and their canonical form: a site has few gateways and many routes.
local gateways, gateway_count = {}, 0

local function gateway(text)
  local known <const> = gateways[text]
  if known then return known end
  if type(text) ~= "string" then return nil end
  local address <const> = text:match("^inet6? (.+)$") or text
  local canonical <const> = not address:find("/", 1, true) and ip.canonical(address)
  if not canonical then return nil end
  -- A long-lived process must not keep every gateway it ever saw.
  if gateway_count >= 4096 then gateways, gateway_count = {}, 0 end
  gateways[text], gateway_count = canonical, gateway_count + 1
  return canonical
end

---The family of an address or a prefix.
---@param text string
---@return integer family 4 or 6
local function family_of(text)
  return text:find(":", 1, true) and 6 or 4
end

M.family = family_of

---What a message calls field of the hop at `i`; a route's own hop has no number.
local function hop_field(i, field)
  return i and ("nexthops[%d].%s"):format(i, field) or field
end

local function read_weight(hop, i)
  -- A view of a whole route has no weight, and reading one from it throws.
  if not i and type(hop) == "userdata" then return 1 end
  local weight <const> = hop.weight
  if weight == nil then return 1 end
  if math.type(weight) ~= "integer" or weight < 1 or weight > 65535 then
    return refuse("%s: %s is not a whole number from 1", hop_field(i, "weight"), tostring(weight))
  end
  return weight
end

---@return string? via, string? message, integer? code
local function read_via(hop, family, i, from_kernel)
  local via <const> = gateway(hop.via)
  if not via then
    return refuse("%s: '%s' is no address", hop_field(i, "via"), tostring(hop.via))
  end
  if family_of(via) == family then return via end
  -- The kernel takes IPv6 gateways for IPv4 prefixes, but only somebody who says so means it.
  if family == 6 or not (from_kernel or tostring(hop.via):find("^inet6 ")) then
    return refuse("%s: %s is not an IPv%d address", hop_field(i, "via"), via, family)
  end
  return "inet6 " .. via
end

---@return table? hop, string? message, integer? code
local function read_hop(hop, family, i, onlink, from_kernel)
  local kind <const> = type(hop)
  if kind ~= "table" and kind ~= "userdata" then
    return refuse("nexthops[%d]: a next hop is a table, not a %s", i, kind)
  end
  local via, message, code
  if hop.via ~= nil then
    via, message, code = read_via(hop, family, i, from_kernel)
    if not via then return nil, message, code end
  end
  local dev <const> = hop.dev
  if dev ~= nil and type(dev) ~= "string" then
    return refuse("%s: an interface name is due here, not a %s", hop_field(i, "dev"), type(dev))
  end
  local weight
  weight, message, code = read_weight(hop, i)
  if not weight then return nil, message, code end
  return {
    via = via, dev = dev, weight = weight, encap = hop.encap,
    onlink = (hop.onlink or onlink) and true or nil, realm = i and hop.realm or nil,
  }
end

local function equal(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for k, v in pairs(a) do
    if not equal(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

M.equal = equal

-- What the kernel tells of an encapsulation for which nothing was said.
local UNSAID <const> = {
  [0] = true, [false] = true, ["0.0.0.0"] = true, ["::"] = true, inline = true, ["1/1"] = true,
}

---Whether an encapsulation is the one that is wanted. Of tunnels the kernel tells every field.
local function encap_matches(have, want)
  if want == nil then return true end
  if have == nil then return false end
  for k, v in pairs(want) do
    if not equal(v, have[k]) then return false end
  end
  for k, v in pairs(have) do
    if want[k] == nil and not UNSAID[v] then return false end
  end
  return true
end

---A hop in the words of iproute2.
---@param hop table
---@return string
function M.text(hop)
  local text = hop.via and "via " .. hop.via or ""
  if hop.dev then text = text .. (hop.via and " dev " or "dev ") .. hop.dev end
  if hop.realm then text = text .. " realm " .. hop.realm end
  if not hop.encap then return text end
  local said <const> = rtnl.view("route", { encap = hop.encap }):text { line = true }
  return said:match "encap.*" .. (text ~= "" and " " or "") .. text
end

-- Up to here comparing each hop with those before it is cheaper than naming them.
local FEW <const> = 8

---A function that finds the hop listed before that leads the same way.
local function finder(hops)
  if #hops <= FEW then
    return function(hop, kept)
      for i = 1, #kept do
        if kept[i].via == hop.via and kept[i].dev == hop.dev then return kept[i] end
      end
    end
  end
  local seen <const> = {}
  return function(hop)
    local name <const> = (hop.via or "") .. "%" .. (hop.dev or "")
    local first <const> = seen[name]
    seen[name] = first or hop
    return first
  end
end

local function clash(first, hop)
  if first.weight ~= hop.weight then return "weight" end
  if first.onlink ~= hop.onlink then return "onlink" end
  if not equal(first.encap, hop.encap) then return "encap" end
  if first.realm ~= hop.realm then return "realm" end
end

---Leaves out hops that are there already; a hop listed with two weights is nobody's intention.
local function unique(hops)
  if #hops < 2 then return hops end
  local find <const>, kept <const> = finder(hops), {}
  for i, hop in ipairs(hops) do
    local first <const> = find(hop, kept)
    local field <const> = first and clash(first, hop)
    if field then
      return refuse("nexthops[%d].%s: %s is listed twice, with %s and %s", i, field,
        M.text(hop), tostring(first[field]), tostring(hop[field]))
    end
    if not first then kept[#kept + 1] = hop end
  end
  return kept
end

---Refuses what a multipath route of that family cannot hold.
local function check_hops(hops, family)
  local most <const> = M.MAX_HOPS[family]
  if #hops > most then
    return refuse("nexthops: %d are too many; beyond %d the kernel's dumps silently end",
      #hops, most)
  end
  if #hops < 2 then return hops end
  for i, hop in ipairs(hops) do
    if family == 6 and not hop.via then
      return refuse("nexthops[%d].via: missing; an IPv6 route by device alone (%s) cannot share a "
        .. "route with others", i, M.text(hop))
    end
    if hop.weight > 256 then
      return refuse("nexthops[%d].weight: %d is outside 1..256", i, hop.weight)
    end
  end
  return hops
end

---The hops a wanted route may have: exact duplicates left out, the rest refused.
---@param hops table[] canonical
---@param family integer
---@return table[]? hops, string? message, integer? code
function M.fit(hops, family)
  local kept, message, code = unique(hops)
  if not kept then return nil, message, code end
  return check_hops(kept, family)
end

---The hops that the kernel takes. IPv4 may hold one hop twice, even with two weights: nobody means
---it who writes a route, but what is there can be brought back, and listed again.
---@param hops table[] canonical
---@param family integer
---@return table[]? hops, string? message, integer? code
function M.possible(hops, family)
  if family == 6 then return M.fit(hops, family) end
  return check_hops(hops, family)
end

---The hops of a route in canonical form, whichever way it names them.
---@param route table
---@param family integer
---@return table[]? hops, string? message, integer? code
function M.of(route, family)
  local listed <const> = route.nexthops
  local from_kernel <const> = type(route) == "userdata"
  if listed == nil then
    if route.via == nil and route.dev == nil then return {} end
    local hop, message, code = read_hop(route, family, nil, nil, from_kernel)
    return hop and { hop }, message, code
  end
  if type(listed) ~= "table" then return refuse("nexthops: a list is due here") end
  if route.via ~= nil or route.dev ~= nil and #listed > 0 then
    return refuse("%s: a route has nexthops or one hop of its own, not both",
      route.via ~= nil and "via" or "dev")
  end
  local hops <const> = {}
  for i, hop in ipairs(listed) do
    local one, message, code = read_hop(hop, family, i, route.onlink, from_kernel)
    if not one then return nil, message, code end
    hops[i] = one
  end
  return hops
end

local function hop_matches(have, want)
  return have.via == want.via and (want.dev == nil or have.dev == want.dev)
    and have.weight == want.weight and have.onlink == want.onlink
    and encap_matches(have.encap, want.encap)
    and (want.realm == nil or have.realm == want.realm)
end

---Finds for each wanted hop one of its own among a few, without making a table: which are taken is
---kept in the bits of a number.
local function pair_few(have, want)
  local taken = 0
  -- A hop that names no device takes any, so it chooses last.
  for pass = 1, 2 do
    for _, hop in ipairs(want) do
      local found = (hop.dev ~= nil) ~= (pass == 1)
      for i = 1, found and 0 or #have do
        if taken & (1 << i) == 0 and hop_matches(have[i], hop) then
          taken, found = taken | (1 << i), true
          break
        end
      end
      if not found then return false end
    end
  end
  return true
end

---The same for many, in one pass over each list.
local function pair_many(have, want)
  local free <const> = {}
  for _, hop in ipairs(have) do
    local name <const> = hop.via or ""
    free[name] = free[name] or {}
    table.insert(free[name], hop)
  end
  local function take(hop)
    local list <const> = free[hop.via or ""]
    for i = 1, list and #list or 0 do
      if hop_matches(list[i], hop) then return table.remove(list, i) end
    end
  end
  for pass = 1, 2 do
    for _, hop in ipairs(want) do
      if (hop.dev ~= nil) == (pass == 1) and not take(hop) then return false end
    end
  end
  return true
end

---Whether hops are those that are wanted, as a set.
---@param have table[] canonical
---@param want table[] canonical
---@return boolean
function M.match(have, want)
  if #have ~= #want then return false end
  -- The weight of an only hop means nothing, and the kernel does not keep it.
  if #have == 1 then
    local a <const>, b <const> = have[1], want[1]
    return a.via == b.via and (b.dev == nil or a.dev == b.dev) and a.onlink == b.onlink
      and encap_matches(a.encap, b.encap)
  end
  for i = 1, #have do
    if not hop_matches(have[i], want[i]) then
      return (#have <= FEW and pair_few or pair_many)(have, want)
    end
  end
  return true
end

return M
