---Next hops as values: reads, checks, names and compares them.
--
-- A next hop is `{ via?, dev?, weight = 1.., onlink = true?, encap?, realm? }` with `via` in its
-- shortest text; `inet6 ADDRESS` where an IPv4 route leaves by an IPv6 gateway. All of them but the
-- weight and the realm tell one hop from another, as in the kernel.
local ip = require "ecmp.ip"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown

local M = {}

-- The code for a route that is invalid whatever the kernel holds.
local MISTAKE <const> = "EINVAL"

---The most next hops of a route that every dump still shows, by family.
M.MAX_HOPS = { [4] = 2025, [6] = 1154 }

local function refuse(message, ...)
  return nil, message:format(...), MISTAKE
end

---The family of an address or a prefix.
---@param text string
---@return integer family 4 or 6
local function family_of(text)
  return text:find(":", 1, true) and 6 or 4
end

M.family = family_of

-- Reading -----------------------------------------------------------------------------------------

---Gateway texts and their canonical form: a site has few gateways and many routes.
local gateways, gateway_count = {}, 0

-- An IPv4-mapped address stays one of IPv6, which ecmp.ip takes for IPv4.
local function canonical_address(address)
  if address:find("/", 1, true) then return nil end
  local canonical <const> = ip.canonical(address)
  if canonical and family_of(canonical) ~= family_of(address) then
    return rtnl.view("flow", { dst = address }).dst
  end
  return canonical
end

---A gateway in its canonical form, without the word `inet6`.
---@param text any
---@return string? gateway nil where it is no address
local function gateway(text)
  local known <const> = gateways[text]
  if known then return known end
  if type(text) ~= "string" then return nil end
  local canonical <const> = canonical_address(text:match("^inet6? (.+)$") or text)
  if not canonical then return nil end
  -- A long-lived process must not keep every gateway it ever saw.
  if gateway_count >= 4096 then gateways, gateway_count = {}, 0 end
  gateways[text], gateway_count = canonical, gateway_count + 1
  return canonical
end

M.gateway = gateway

---What a message calls field of the hop at `i`; a route's own hop has no number.
local function hop_field(i, field)
  return i and ("nexthops[%d].%s"):format(i, field) or field
end

local function read_weight(hop, i)
  -- A view of a whole route has no weight, and reading one from it throws.
  if not i and type(hop) == "userdata" then return 1 end
  local weight = hop.weight
  if weight == nil then return 1 end
  weight = type(weight) == "number" and math.tointeger(weight)
  if not weight or weight < 1 or weight > 65535 then
    return refuse("%s: %s is not a whole number from 1", hop_field(i, "weight"),
      shown(hop.weight))
  end
  return weight
end

---@return string? via, string? message, string? code
local function read_via(hop, family, i, from_kernel)
  local via <const> = gateway(hop.via)
  if not via then
    return refuse("%s: '%s' is no address", hop_field(i, "via"), shown(hop.via))
  end
  if family_of(via) == family then return via end
  -- The kernel takes IPv6 gateways for IPv4 prefixes, but only somebody who says so means it.
  if family == 6 or not (from_kernel or tostring(hop.via):find("^inet6 ")) then
    return refuse("%s: %s is not an IPv%d address", hop_field(i, "via"), via, family)
  end
  return "inet6 " .. via
end

-- An encapsulation in the spelling of views.
local function read_encap(encap, i)
  if encap == nil then return nil end
  local good <const>, view <const> = pcall(rtnl.view, "route", { encap = encap })
  if good then return view.encap end
  local message <const> = view:gsub("^.-:%d+: ", "")
  return refuse("%s", i and ("nexthops[%d].%s"):format(i, message) or message)
end

---@return table? hop, string? message, string? code
local function read_hop(hop, family, i, onlink, from_kernel)
  local kind <const> = type(hop)
  if kind ~= "table" and kind ~= "userdata" then
    return refuse("nexthops[%d]: a next hop is a table, not a %s", i, kind)
  end
  local via, encap, message, code
  if hop.via ~= nil then
    via, message, code = read_via(hop, family, i, from_kernel)
    if not via then return nil, message, code end
  end
  local dev <const> = hop.dev
  if dev ~= nil and type(dev) ~= "string" then
    return refuse("%s: an interface name is due here, not a %s", hop_field(i, "dev"), type(dev))
  end
  encap, message, code = read_encap(hop.encap, i)
  if message then return nil, message, code end
  local weight
  weight, message, code = read_weight(hop, i)
  if not weight then return nil, message, code end
  return {
    via = via, dev = dev, weight = weight, encap = encap,
    onlink = (hop.onlink or onlink) and true or nil, realm = i and hop.realm or nil,
  }
end

---The hops of a route in canonical form, whichever way it names them.
---@param route table
---@param family integer
---@param as_held? boolean an IPv6 gateway of an IPv4 route need not say `inet6`, as in copies
---@return table[]? hops, string? message, string? code
function M.of(route, family, as_held)
  local listed <const> = route.nexthops
  local from_kernel <const> = as_held or type(route) == "userdata"
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

---A hop that somebody asks for or wants to add, in the spelling of canonical ones: what it leaves
---out stays out. Its fields have been checked.
---@param hop table
---@param family integer of the route
---@return table hop
function M.asked(hop, family)
  local via = hop.via and gateway(hop.via)
  if via and family == 4 and family_of(via) == 6 then via = "inet6 " .. via end
  return {
    via = via, dev = hop.dev, weight = hop.weight, onlink = hop.onlink, realm = hop.realm,
    encap = hop.encap and read_encap(hop.encap),
  }
end

---A hop as a request takes it: a weight of 1 goes without saying.
---@param hop table canonical
---@return table
function M.plain(hop)
  return {
    via = hop.via, dev = hop.dev, onlink = hop.onlink, encap = hop.encap, realm = hop.realm,
    weight = hop.weight ~= 1 and hop.weight or nil,
  }
end

---Leaves to a next-hop object what is its own: dumps show its hops beside its number, and the
---kernel takes either.
---@param route table is changed
---@return table route the same
function M.by_object(route)
  if route.nhid then
    route.via, route.dev, route.nexthops, route.onlink, route.encap = nil, nil, nil, nil, nil
  end
  return route
end

-- Text --------------------------------------------------------------------------------------------

---An encapsulation in the words of iproute2.
---@param encap table
---@return string
local function encap_text(encap)
  local said <const> = rtnl.view("route", { encap = encap }):text { line = true }
  return (said:match "encap.*":gsub("%s+$", ""))
end

---A hop in the words of iproute2.
---@param hop table
---@return string
function M.text(hop)
  local via <const>, dev <const> = hop.via, hop.dev
  local text = via and (dev and ("via %s dev %s"):format(via, dev) or "via " .. via)
    or dev and "dev " .. dev or ""
  if hop.encap then text = encap_text(hop.encap) .. (text ~= "" and " " or "") .. text end
  if hop.realm then text = ("%s realm %s"):format(text, hop.realm) end
  return text
end

-- Values of fields as messages show them, which may be lists and encapsulations.
local function value_text(field, value)
  if value == nil then return "none" end
  if field == "encap" then return encap_text(value) end
  if type(value) ~= "table" then return shown(value) end
  local words <const> = {}
  for i, word in ipairs(value) do words[i] = shown(word) end
  return table.concat(words, " ")
end

M.value_text = value_text

-- Comparing ---------------------------------------------------------------------------------------

---Whether two values are the same, member by member.
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

---What tells a hop from all others of its route, as one text.
---@param hop table
---@return string
function M.name(hop)
  local name <const> = (hop.via or "") .. "%" .. (hop.dev or "")
  return hop.encap and name .. "%" .. encap_text(hop.encap) or name
end

---Whether two hops lead the same way: such two are one to IPv6.
---@param a table
---@param b table
---@return boolean
local function same_way(a, b)
  return a.via == b.via and a.dev == b.dev and equal(a.encap, b.encap)
end

M.same_way = same_way

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

---The place of the hop that leads the way of a wanted one, which may leave its device out.
---@param hops table[] canonical
---@param want table as of `asked`
---@param taken? table<integer, true> hops that stand for others
---@return integer?
function M.find_way(hops, want, taken)
  for i, hop in ipairs(hops) do
    local same <const> = hop.via == want.via and (want.dev == nil or hop.dev == want.dev)
      and (hop.encap == nil) == (want.encap == nil) and encap_matches(hop.encap, want.encap)
    if same and not (taken and taken[i]) then return i end
  end
end

-- Lists of hops -----------------------------------------------------------------------------------

-- Up to here comparing each hop with those before it is cheaper than naming them.
local FEW <const> = 8

---A function that finds the hop of a list that leads the way of another.
---@param hops table[] canonical
---@return fun(hop: table): table?
local function finder(hops)
  if #hops <= FEW then
    return function(hop)
      for i = 1, #hops do
        if same_way(hops[i], hop) then return hops[i] end
      end
    end
  end
  local named <const> = {}
  for i = #hops, 1, -1 do named[M.name(hops[i])] = hops[i] end
  return function(hop) return named[M.name(hop)] end
end

---The place of the first hop of a list that leads the way of one of another list.
---@param hops table[] canonical
---@param others table[] canonical
---@return integer?
function M.first_among(hops, others)
  local find <const> = finder(others)
  for i, hop in ipairs(hops) do
    if find(hop) then return i end
  end
end

local function clash(first, hop)
  for _, field in ipairs { "weight", "onlink", "realm" } do
    if first[field] ~= hop[field] then return field end
  end
end

---Leaves out hops that are there already; a hop listed with two weights is nobody's intention.
local function unique(hops)
  if #hops < 2 then return hops end
  local find <const>, kept <const> = finder(hops), {}
  for i, hop in ipairs(hops) do
    local first <const> = find(hop) -- itself where it is the first of its way
    local field <const> = clash(first, hop)
    if field then
      return refuse("nexthops[%d].%s: %s is listed twice, with %s and %s", i, field,
        M.text(hop), value_text(field, first[field]), value_text(field, hop[field]))
    end
    if rawequal(first, hop) then kept[#kept + 1] = hop end
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
---@return table[]? hops, string? message, string? code
function M.fit(hops, family)
  local kept, message, code = unique(hops)
  if not kept then return nil, message, code end
  return check_hops(kept, family)
end

---The hops that the kernel takes. IPv4 may hold one hop twice, even with two weights: nobody means
---it who writes a route, but what is there can be brought back, and listed again.
---@param hops table[] canonical
---@param family integer
---@return table[]? hops, string? message, string? code
function M.possible(hops, family)
  if family == 6 then return M.fit(hops, family) end
  return check_hops(hops, family)
end

---The hops that a rule may return: in IPv4 one hop twice where it stands in for another, but every
---gateway spelled as a request spells it.
---@param hops table[] canonical
---@param family integer
---@return table[]? hops, string? message, integer? code
function M.repeated(hops, family)
  return M.possible(hops, family)
end

-- Whether a hop is the one asked for: what is left out matches anything, and so does the weight of
-- an only hop, which the kernel does not keep.
local function is_asked(hop, asked, alone)
  return (asked.via == nil or hop.via == asked.via) and (asked.dev == nil or hop.dev == asked.dev)
    and (asked.weight == nil or alone or hop.weight == asked.weight)
    and (asked.onlink == nil or (hop.onlink or false) == asked.onlink)
    and (asked.encap == nil or hop.encap ~= nil and encap_matches(hop.encap, asked.encap))
end

---The place of a hop in a list.
---@param hops table[] canonical
---@param asked table as of `asked`; what it leaves out matches anything
---@param taken? table<integer, true> hops that stand for others
---@return integer?
function M.find(hops, asked, taken)
  for i, hop in ipairs(hops) do
    if is_asked(hop, asked, #hops == 1) and not (taken and taken[i]) then return i end
  end
end

---Whether a list is just the hops asked for, in any order.
---@param hops table[] canonical
---@param asked table[] as of `asked`
---@return boolean
function M.are(hops, asked)
  if #hops ~= #asked then return false end
  local taken <const> = {}
  for _, hop in ipairs(asked) do
    local at <const> = M.find(hops, hop, taken)
    if not at then return false end
    taken[at] = true
  end
  return true
end

---Whether the hops of one list begin like those of another, which is what IPv4 compares when it is
---told to delete a route by a list of hops: neither weights nor encapsulations, and what is not
---named matches any.
---@param hops table[] of what is there
---@param asked table[] of the request
---@return boolean
function M.begin(hops, asked)
  for i, hop in ipairs(hops) do
    local one <const> = asked[i]
    if not one or one.via and one.via ~= hop.via or one.dev and one.dev ~= hop.dev then
      return false
    end
  end
  return true
end

local function hop_matches(have, want)
  return have.via == want.via and (want.dev == nil or have.dev == want.dev)
    and have.weight == want.weight and have.onlink == want.onlink
    and encap_matches(have.encap, want.encap)
    and (want.realm == nil or have.realm == want.realm)
end

-- How much a wanted hop leaves out: device, encapsulation, which then may be any. Who says more
-- chooses first.
local function left_out(hop)
  return (hop.dev == nil and 1 or 0) + (hop.encap == nil and 1 or 0)
end

local MOST_LEFT_OUT <const> = 2

---Finds for each wanted hop one of its own among a few, without making a table: which are taken is
---kept in the bits of a number.
local function pair_few(have, want)
  local taken = 0
  for pass = 0, MOST_LEFT_OUT do
    for _, hop in ipairs(want) do
      local found = left_out(hop) ~= pass
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
  for pass = 0, MOST_LEFT_OUT do
    for _, hop in ipairs(want) do
      if left_out(hop) == pass and not take(hop) then return false end
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

---Those of a list that are not in another, by what tells hops apart.
---@param hops table[]
---@param others table[]
---@return table[]
function M.without(hops, others)
  local named <const>, rest <const> = {}, {}
  for _, hop in ipairs(others) do named[M.name(hop)] = true end
  for _, hop in ipairs(hops) do
    if not named[M.name(hop)] then rest[#rest + 1] = hop end
  end
  return rest
end

return M
