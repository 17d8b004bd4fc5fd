--- Random routes of both families, from a seed: what property specs write, dump, print and parse.
--
-- Every field the kernel keeps may occur. Destinations are drawn without repetition, so that no
-- route
-- replaces another; gateways lie on the links that spec.scratch makes.
local M = {}

local SCOPES <const> = { "global", "site", 123 }
local PROTOS <const> = { "static", "boot", "bird", "zebra", 77, "ospf" }
local TABLES <const> = { "main", "main", "main", 100, 1000, 70000, "default" }
local METRICS <const> = { "mtu", "advmss", "window", "ssthresh", "cwnd", "reordering", "initcwnd",
  "initrwnd", "quickack",
                          "hoplimit", "rtt", "rttvar", "rto_min" }
-- In the order the kernel's bits have, which is how they are read back.
local LOCKS <const> = {
  "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit",
  "initcwnd", "rto_min", "initrwnd", "quickack", "congctl",
}
local LIMITS <const> = { hoplimit = 255, quickack = 1, advmss = 9000, mtu = 9000 }

local Source <const> = {}
Source.__index = Source

--- A source of random choices. The generator is our own so that a seed means the same everywhere.
---@param seed integer
function M.source(seed)
  return setmetatable({ state = seed & 0x7fffffff }, Source)
end

--- A whole number from `low` to `high`.
function Source:number(low, high)
  self.state = (self.state * 1103515245 + 12345) & 0x7fffffff
  return low + (self.state >> 8) % (high - low + 1)
end

--- True once in `n` times.
function Source:once_in(n)
  return self:number(1, n) == 1
end

function Source:pick(list)
  return list[self:number(1, #list)]
end

local function gateway(family, dev)
  return family == 4 and ("10.0.%d.2"):format(dev) or ("fd00:0:0:%d::2"):format(dev)
end

local function encap(source, family)
  local kind <const> = source:number(1, family == 6 and 4 or 2)
  if kind == 1 then
    return { type = "ip", id = source:number(0, 1 << 20), src = "192.0.2.1", dst = "192.0.2.9",
             ttl = source:number(0, 255), tos = 4 * source:number(0, 63) }
  elseif kind == 2 then
    return { type = "ip6", id = source:number(0, 1 << 20), src = "2001:db8::1", dst = "2001:db8::9",
             hoplimit = source:number(0, 255), tc = source:number(0, 255) }
  elseif kind == 3 then
    local segs <const> = {}
    for i = 1, source:number(1, 4) do segs[i] = ("fc00::%x"):format(source:number(1, 65535)) end
    return { type = "seg6", mode = source:pick { "encap", "inline" }, segs = segs }
  end
  return source:pick { { type = "seg6local", action = "End" },
                       { type = "seg6local", action = "End.X", nh6 = "fd00:0:0:1::2" },
                       { type = "seg6local", action = "End.DX4", nh4 = "10.0.1.2" },
                       { type = "seg6local", action = "End.DT6", table = "main" },
                       { type = "seg6local", action = "End.B6.Encaps", segs = { "fc00::7",
                         "fc00::8" } } }
end

-- IPv4 takes each metric; IPv6 too, but the kernel prints none it does not know.
local function add_metrics(source, route)
  local locked <const> = {}
  for _ = 1, source:number(1, 4) do
    local name <const> = source:pick(METRICS)
    route[name] = source:number(1, LIMITS[name] or 3000)
    if name == "mtu" then route.mtu = source:number(1280, 9000) end
    locked[name] = locked[name] or name == "rto_min" or source:once_in(4)
  end
  if source:once_in(3) then route.features = { "ecn" } end
  if source:once_in(3) then
    route.congctl = "reno"
    locked.congctl = source:once_in(2)
  end
  if source:once_in(5) then route.fastopen_no_cookie = 1 end
  local lock <const> = {}
  for _, name in ipairs(LOCKS) do
    if locked[name] then lock[#lock + 1] = name end
  end
  if lock[1] then route.lock = lock end
end

local function add_hops(source, route, family, devices)
  route.nexthops = {}
  for dev = 1, source:number(2, devices) do
    local hop <const> = { via = gateway(family, dev), weight = source:number(1, 256), dev = "v"
      .. dev }
    if family == 4 and source:once_in(6) then hop.via = nil end
    if family == 4 and source:once_in(8) then hop.via = ("inet6 fe80::%x"):format(source:number(2,
      9999)) end
    if source:once_in(6) and hop.via then hop.onlink = true end
    if family == 4 and source:once_in(8) then hop.realm = source:number(1, 200) end
    if source:once_in(8) and hop.via then hop.encap = encap(source, family) end
    route.nexthops[dev] = hop
  end
end

local function add_way(source, route, family, devices)
  local dev <const> = source:number(1, devices)
  route.dev = "v" .. dev
  if not source:once_in(5) then
    route.via = gateway(family, dev)
    if family == 4
      and source:once_in(8) then route.via = ("inet6 fe80::%x"):format(source:number(2, 9999)) end
    if source:once_in(6) then route.onlink = true end
  end
  if source:once_in(5) then route.encap = encap(source, family) end
end

local function destination(source, family, seen)
  local dst
  repeat
    if family == 4 then
      local length <const> = source:number(12, 32)
      local word <const> = (172 << 24 | source:number(0,
        0xffffff)) & (0xffffffff << (32 - length)) & 0xffffffff
      dst = ("%d.%d.%d.%d"):format(word >> 24, word >> 16 & 255, word >> 8 & 255, word & 255)
        .. (length < 32 and "/" .. length or "")
    else
      local groups <const> = source:number(1, 4)
      local words <const> = { "fd42" }
      for i = 2, groups do words[i] = ("%x"):format(source:number(1, 65535)) end
      dst = table.concat(words, ":") .. "::/" .. 16 * groups
    end
  until not seen[dst]
  seen[dst] = true
  return dst
end

local REFUSING <const> = { "blackhole", "unreachable", "prohibit", "throw" }

--- One random route.
---@param source table  from `source`
---@param family 4|6
---@param devices integer  how many v-links there are
---@param seen table  destinations drawn so far
---@return table route  in iproute2's words
function M.route(source, family, devices, seen)
  local route <const> = { dst = destination(source, family, seen), proto = source:pick(PROTOS),
    table = source:pick(TABLES) }
  if source:once_in(3) then route.metric = source:number(1, 1 << 20) end
  if source:once_in(10) then
    route.type = source:pick(REFUSING)
    return route
  end
  if source:once_in(2) then
    add_hops(source, route, family, devices)
  else
    add_way(source, route, family, devices)
  end
  if family == 4 and source:once_in(4) then route.src = "10.0.1.1" end
  if family == 4 and source:once_in(10) then route.tos = 0x10 end
  if family == 4 and source:once_in(8) and (route.via
    or route.nexthops) then route.scope = source:pick(SCOPES) end
  if family == 4 and not route.nexthops and source:once_in(8) then
    route.realm = source:once_in(2) and "7/9" or source:number(1, 200)
  end
  if family == 6 and source:once_in(5) then route.pref = source:pick { "low", "medium", "high" } end
  if source:once_in(3) then add_metrics(source, route) end
  return route
end

--- Many random routes.
---@param seed integer
---@param family 4|6
---@param count integer
---@param devices integer
---@return table[]
function M.routes(seed, family, count, devices)
  local source <const>, seen <const>, routes <const> = M.source(seed), {}, {}
  for i = 1, count do routes[i] = M.route(source, family, devices, seen) end
  return routes
end

--- The seed of this run: ECMP_SEED, or the time. Failures print it.
---@return integer
function M.seed()
  return tonumber(os.getenv "ECMP_SEED") or os.time()
end

return M
