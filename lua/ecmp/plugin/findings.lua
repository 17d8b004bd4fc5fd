---Finds probable mistakes in a configuration that works, without a pod: `ADD` and `plan` warn of
---them, and `ecmp lint` lists them.
--
-- A finding is `{ key, message, refused }`: the path into the configuration, counted from 0; a
-- sentence that says what to write instead; and whether ADD refuses it (by a name of ours it does
-- where a reference plugin would ignore it).
local cni_route = require "ecmp.cni.route"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local log = require "ecmp.log"
local netconf = require "ecmp.flow.netconf"
local schema = require "ecmp.cni.schema"

local M = {}

-- Keys near known ones -------------------------------------------------------------------------

-- How many characters have to be put in, left out or changed between two words.
local function distance(a, b)
  local row <const> = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local same <const> = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + same)
    end
  end
  return row[#b]
end

-- Short words are near each other by chance.
local SHORT <const> = 5

local function is_near(key, known)
  local most <const> = math.max(#key, #known) <= SHORT and 1 or 2
  return math.abs(#key - #known) <= most and distance(key:lower(), known:lower()) <= most
end

-- Words of `ip route` by what a CNI route object has for them.
local ROUTE_WORDS <const> = {
  via = "gw", gateway = "gw", gateways = "gws", nexthop = "nexthops", metric = "priority",
  prefix = "dst", dev = "nexthops[].dev", weight = "nexthops[].weight",
}

---The known key that one which is unknown is near to.
---@param key any
---@param known table<string, any>
---@return string? near
function M.near(key, known)
  local best
  for word in pairs(type(key) == "string" and known or {}) do
    if is_near(key, word) and (not best or word < best) then best = word end
  end
  return best
end

local function meant(key, properties)
  return properties.dst and ROUTE_WORDS[key] or M.near(key, properties)
end

local function join(path, key)
  return path == "" and key or path .. "." .. key
end

-- What a key may hold, described where there is something to compare with it.
local function schema_of(value)
  return type(value) == "function" and schema.describe(value) or value
end

-- The keys of an object that nobody here knows and that are near one that is known.
local function unknown_keys(object, properties, path, say)
  local folded <const> = {}
  for known in pairs(properties) do folded[known:lower()] = known end
  for key, value in next, object do
    local known <const> = type(key) == "string" and folded[key:lower()]
    local near <const> = not known and type(key) == "string" and meant(key, properties)
    if near then
      say(join(path, key), ("unknown key, is not heeded (did you mean '%s'?)"):format(near))
    end
    local kind <const> = known and json.kind(value)
    local holds <const> = kind == "object" or kind == "list"
    local inner <const> = holds and schema_of(properties[known]) or {}
    local place <const> = known and join(path, known)
    if inner.properties and kind == "object" then
      unknown_keys(value, inner.properties, place, say)
    elseif inner.items and inner.items.properties and kind == "list" then
      for i, item in ipairs(value) do
        if json.kind(item) == "object" then
          unknown_keys(item, inner.items.properties, ("%s[%d]"):format(place, i - 1), say)
        end
      end
    end
  end
end

-- What CNI itself and the runtimes put into the configuration of a plugin.
local PROTOCOL <const> = { "cniVersion", "cniVersions", "name", "type", "args", "capabilities",
  "runtimeConfig", "prevResult", "disableCheck", "disableGC", "plugins" }

local function ipam_properties(kind)
  local bare <const> = kind:gsub("^ecmp%-", "")
  if bare == "static" then
    return schema.describe(require("ecmp.plugin.static").ipam_fields).properties
  elseif bare == "host-local" or kind == "ecmp-pool" then
    local properties <const> = require("ecmp.plugin.host-local.pool").describe().properties
    properties.type, properties.routes = {}, schema.describe(cni_route.list)
    properties.store = kind == "ecmp-pool"
      and schema.describe(require("ecmp.plugin.pool.config").store_fields) or nil
    return properties
  end
end

-- Those that every program of ours knows, one that hands out addresses too.
local OURS <const> = { logFile = {}, logLevel = {} }

-- What the keys of a plugin's own may hold, by key: checks, or what is said in JSON Schema.
local function own_properties(plugin)
  local properties <const> = {}
  for key, value in pairs(OURS) do properties[key] = value end
  for _, fields in ipairs(plugin and { netconf.fields, plugin.fields } or {}) do
    for key, value in pairs(schema.keys(fields)) do properties[key] = value end
  end
  return properties
end

---The keys that a plugin knows, but for those of the protocol.
---@param program table as of `M.of`
---@return table<string, function|table> keys what each may hold, a check or in the words of JSON
---Schema
function M.keys(program)
  local keys <const> = own_properties(require(program.module).plugin)
  for _, key in ipairs(PROTOCOL) do keys[key] = nil end
  return keys
end

local function properties_of(plugin, ipam_kind)
  local properties <const> = own_properties(plugin)
  for _, key in ipairs(PROTOCOL) do properties[key] = {} end
  properties.ipam = { properties = ipam_properties(ipam_kind) }
  -- What is unknown there is refused.
  properties.multipath = properties.multipath and {}
  return properties
end

-- Routes ---------------------------------------------------------------------------------------

-- The lists of route objects in a configuration, by path.
local function route_lists(conf, ipam, is_chained)
  local lists <const> = { ["ipam.routes"] = json.get(ipam, "routes") }
  for _, key in ipairs(is_chained and { "routes", "addroutes", "delroutes" } or {}) do
    lists[key] = json.get(conf, key)
  end
  return lists
end

---Visits the route objects of a configuration that are well-formed.
---@param lists table<string, any> lists by their paths
---@param visit fun(route: table, path: string)
function M.each_route(lists, visit)
  for path, list in pairs(lists) do
    for i, entry in ipairs(json.kind(list) == "list" and list or {}) do
      local where <const> = ("%s[%d]"):format(path, i - 1)
      local route <const> = cni_route.check(entry, where)
      if route then visit(route, where) end
    end
  end
end

local function gateways_of(lists)
  local gateways <const> = {}
  M.each_route(lists, function(route, where)
    for _, hop in ipairs(cni_route.hops(route)) do
      if hop.gw then gateways[#gateways + 1] = { address = hop.gw, key = where } end
    end
  end)
  return gateways
end

local function static_takes(ipam, gateway)
  local list <const> = json.get(ipam, "addresses")
  for _, entry in ipairs(json.kind(list) == "list" and list or {}) do
    local text <const> = json.get(entry, "address")
    local address <const> = type(text) == "string" and ip.parse(text)
    if address and address:address() == gateway then return true end
  end
  return false
end

-- The addresses of routers that a pod can be given, and those that it is.
local function check_gateways(conf, ipam, lists, say)
  local bare <const> = tostring(json.get(ipam, "type")):gsub("^ecmp%-", "")
  local pool
  if bare == "host-local" then pool = require("ecmp.plugin.host-local.pool").read(conf) end
  for _, entry in ipairs(gateways_of(lists)) do
    local gateway <const> = assert(ip.parse(entry.address))
    for _, set in ipairs(pool and pool.sets or {}) do
      local range <const> = set:find(gateway)
      if range and range.gateway ~= gateway then
        say(entry.key, ("the gateway %s is inside of %s, from which pods get their addresses; "
          .. "leave it out of the range"):format(gateway, set))
      end
    end
    if bare == "static" and static_takes(ipam, gateway) then
      say(entry.key, ("the gateway %s is the pod's own address"):format(gateway))
    end
  end
end

local FULL <const> = { [4] = 32, [6] = 128 }

-- By addresses alone the kernel tells no flows apart that have the same at both ends: a pod's and
-- that of one host.
local function check_hash(conf, lists, is_separate, say)
  local hash <const> = json.get(json.get(conf, "multipath"), "hash")
  if hash ~= nil and hash ~= "l3" then return end
  local hops <const>, first <const> = {}, {}
  M.each_route(lists, function(route, where)
    local dst <const> = assert(ip.parse(route.dst))
    if dst:length() < FULL[dst:family()] then return end
    local key <const> = is_separate and where
      or ("%s %s %s"):format(dst, route.table or 0, route.priority or 0)
    if not first[key] or where < first[key] then first[key] = where end
    hops[key] = (hops[key] or 0) + #cni_route.hops(route)
  end)
  for key, count in pairs(hops) do
    if count > 1 then
      say(first[key], ("all packets from one pod to one host have the same addresses, and so take "
        .. "the same of %d next hops; write \"multipath\": { \"hash\": \"l4\" }"):format(count))
    end
  end
end

local function check_log(conf, say)
  if json.get(conf, "logLevel") ~= nil and json.get(conf, "logFile") == nil then
    say("logLevel", "says nothing without \"logFile\": a path, or \"journal\"")
  end
end

---What is to be said of the configuration of one plugin.
---@param conf table decoded JSON, as the plugin gets it
---@param program table? what the plugin is, `{ dropin, module }` (`ecmp.command.programs`); nil for
---one that is none of ours
---@return table[] findings in the order of their keys
function M.of(conf, program)
  local findings <const>, refused = {}, false
  local function say(key, message)
    findings[#findings + 1] = { key = key, message = message, refused = refused }
  end
  if not program then return findings end
  local ipam = json.get(conf, "ipam")
  if json.kind(ipam) ~= "object" then ipam = {} end
  local named <const> = json.get(ipam, "type")
  local ipam_kind <const> = type(named) == "string" and named or ""
  local plugin <const> = require(program.module).plugin
  unknown_keys(conf, properties_of(plugin, ipam_kind), "", say)
  check_log(conf, say)
  local lists <const> = route_lists(conf, ipam, plugin and not plugin.attach)
  local as_reference <const> = program.dropin and not ipam_kind:find("^ecmp%-")
  local merge <const> = json.get(conf, "merge")
  if as_reference or merge == "separate" then check_gateways(conf, ipam, lists, say) end
  local is_separate <const> = merge == "separate" or merge == nil and program.dropin
  if plugin then check_hash(conf, lists, is_separate, say) end
  refused = not as_reference
  M.each_route(lists, function(route, where)
    for _, found in ipairs(cni_route.findings(route, where)) do say(found.key, found.message) end
  end)
  table.sort(findings, function(a, b) return a.key < b.key end)
  return findings
end

---Warns on stderr of what ADD goes on with.
---@param conf table
---@param program table?
function M.warn(conf, program)
  for _, finding in ipairs(M.of(conf, program)) do
    if not finding.refused then
      log.warn(("%s: %s"):format(finding.key, finding.message))
    end
  end
end

return M
