---Checks of the addresses of networks: gateways that cannot be reached, and addresses that several
---networks hand out.
local cni_route = require "ecmp.cni.route"
local findings = require "ecmp.plugin.findings"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local pool = require "ecmp.plugin.host-local.pool"

local M = {}

local function ipam_of(conf)
  local ipam <const> = json.get(conf, "ipam")
  return json.kind(ipam) == "object" and ipam or {}
end

local function bare_type(ipam)
  return (tostring(json.get(ipam, "type")):gsub("^ecmp%-", ""))
end

local function parsed(value)
  return type(value) == "string" and ip.parse(value) or nil
end

-- The subnets that a pod is in, each with its gateway and the paths of both.
local function host_local_subnets(conf)
  local list <const> = {}
  for _, set in ipairs((pool.read(conf) or { sets = {} }).sets) do
    for i, range in ipairs(set) do
      local path <const> = set.path == "ipam" and "ipam" or ("%s[%d]"):format(set.path, i - 1)
      list[#list + 1] = { path = path .. ".gateway", gateway = range.gateway,
        subnet = assert(ip.parse(("%s/%d"):format(range.first, range.length))):network() }
    end
  end
  return list
end

local function static_subnets(ipam)
  local list <const>, addresses <const> = {}, json.get(ipam, "addresses")
  for i, entry in ipairs(json.kind(addresses) == "list" and addresses or {}) do
    local address <const> = parsed(json.get(entry, "address"))
    if address then
      list[#list + 1] = { path = ("ipam.addresses[%d].gateway"):format(i - 1),
        gateway = parsed(json.get(entry, "gateway")), subnet = address:network() }
    end
  end
  return list
end

local readers <const> = {
  ["host-local"] = host_local_subnets, pool = host_local_subnets,
  static = function(conf) return static_subnets(ipam_of(conf)) end,
}

local LINK_LOCAL <const> = assert(ip.parse "fe80::/10")

local function is_in(address, prefixes)
  for _, prefix in ipairs(prefixes) do
    if prefix:family() == address:family() and prefix:contains(address) then return true end
  end
  return false
end

local function gateway_of_subnet(one, say)
  local gateway <const> = one.gateway
  if not gateway or gateway:family() == one.subnet:family() and one.subnet:contains(gateway)
    or LINK_LOCAL:family() == gateway:family() and LINK_LOCAL:contains(gateway)
    or not cni_route.gateway(tostring(gateway)) then return end
  say(one.path, ("%s is outside of the subnet %s; write an address of a router in it")
    :format(gateway, one.subnet))
end

-- Destinations that are on the link, by a route without a gateway.
local function on_link(lists)
  local prefixes <const> = {}
  findings.each_route(lists, function(route)
    if #cni_route.hops(route) == 0 and route.scope == 253 then
      prefixes[#prefixes + 1] = assert(ip.parse(route.dst))
    end
  end)
  return prefixes
end

---Gateways of a plugin's routes and subnets that no pod can reach.
---@param entry table `{ conf, program? }`
---@param say fun(key: string, message: string)
function M.gateways(entry, say)
  local conf <const> = entry.conf
  local read <const> = entry.program and readers[bare_type(ipam_of(conf))]
  if not read then return end
  local subnets <const> = read(conf)
  local lists <const> = { ["ipam.routes"] = json.get(ipam_of(conf), "routes") }
  local prefixes <const>, texts <const> = on_link(lists), {}
  prefixes[#prefixes + 1] = LINK_LOCAL
  for _, one in ipairs(subnets) do
    gateway_of_subnet(one, say)
    prefixes[#prefixes + 1] = one.subnet
    texts[#texts + 1] = tostring(one.subnet)
  end
  if #subnets == 0 then return end
  findings.each_route(lists, function(route, where)
    for _, hop in ipairs(cni_route.hops(route)) do
      local gateway <const> = not hop.onlink and not hop.dev and parsed(hop.gw)
      if gateway and not is_in(gateway, prefixes) then
        say(where, ("the gateway %s is in no subnet of the pod (%s), so ADD fails; write a router "
          .. "of these, or \"nexthops\": [ { \"gw\": \"%s\", \"onlink\": true } ]"):format(gateway,
          table.concat(texts, ", "), gateway))
      end
    end
  end)
end

-- Several networks -----------------------------------------------------------------------------

local HANDS_OUT_RANGES <const> = { ["host-local"] = true, pool = true }

local function sets_of(one)
  local list <const> = {}
  for _, entry in ipairs(one.plugins) do
    local ipam <const> = ipam_of(entry.conf)
    if HANDS_OUT_RANGES[bare_type(ipam)] then
      for _, set in ipairs((pool.read(entry.conf) or { sets = {} }).sets) do
        list[#list + 1] = { file = one.file, network = json.get(entry.conf, "name"),
          path = entry.path .. set.path, set = set }
      end
    end
  end
  return list
end

---What several files say together: one name twice, and one range in two networks.
---@param all table[] `{ file, document, plugins }`
---@return table[] findings `{ file, path, message }`
function M.together(all)
  local found <const>, by_name <const>, sets <const> = {}, {}, {}
  local function say(file, path, message)
    found[#found + 1] = { file = file, path = path, message = message }
  end
  for _, one in ipairs(all) do
    local name <const> = json.get(one.document, "name")
    local first <const> = type(name) == "string" and by_name[name]
    if first then
      say(one.file, "name", ("network '%s' is in %s, too; write another name"):format(name, first))
    elseif type(name) == "string" then
      by_name[name] = one.file
    end
    for _, mine in ipairs(sets_of(one)) do
      for _, other in ipairs(sets) do
        if other.network ~= mine.network and mine.set:overlaps(other.set) then
          say(mine.file, mine.path, ("%s is handed out by network '%s' of %s, too, which does not "
            .. "know of it; write ranges apart"):format(mine.set, other.network, other.file))
        end
      end
      sets[#sets + 1] = mine
    end
  end
  return found
end

return M
