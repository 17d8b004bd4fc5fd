---CNI results: read from any version, written in any version.
--
-- Inside this project a result always has the shape of 1.1.0:
--
--     { interfaces = { { name, mac?, mtu?, sandbox?, socketPath?, pciID? } },
--       ips = { { address, gateway?, interface? } },     interface counts from 0, as in the JSON
--       routes = { ecmp.cni.route },
--       dns = { nameservers, domain, search, options } }
--
-- `interfaces`, `ips` and `routes` are always lists; routes that were written hop by hop because of
-- their weights or devices are one route with `nexthops` again (`route.gather`). Keys that the
-- specification does not name are handed on wherever the version's shape has a place for them.
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local route = require "ecmp.cni.route"
local schema = require "ecmp.cni.schema"
local shown = require("ecmp.errors").shown
local version = require "ecmp.cni.version"

local M = {}

local dns <const> = schema.record {
  { "nameservers", schema.list(schema.string) },
  { "domain", schema.string },
  { "search", schema.list(schema.string) },
  { "options", schema.list(schema.string) },
}

---The check of a `dns` object, for configurations too.
M.check_dns = dns

local interface <const> = schema.record {
  { "name", schema.string },
  { "mac", schema.string },
  { "mtu", schema.integer() },
  { "sandbox", schema.string },
  { "socketPath", schema.string },
  { "pciID", schema.string },
}

local address <const> = schema.record {
  { "version", schema.string },
  { "address", schema.prefix, required = true },
  { "gateway", schema.address },
  { "interface", schema.integer() },
}

local flat <const> = schema.record {
  { "cniVersion", schema.string },
  { "interfaces", schema.list(interface) },
  { "ips", schema.list(address) },
  { "routes", schema.list(route.check_result) },
  { "dns", dns },
}

local one_family <const> = schema.record {
  { "ip", schema.prefix, required = true },
  { "gateway", schema.address },
  { "routes", schema.list(route.check_result) },
}

local by_family <const> = schema.record {
  { "cniVersion", schema.string },
  { "ip4", one_family },
  { "ip6", one_family },
  { "dns", dns },
}

-- Reading --------------------------------------------------------------------------------------

local function read_flat(document, path)
  local result <const>, message <const> = flat(document, path)
  if not result then return nil, message end
  for _, key in ipairs { "interfaces", "ips", "routes" } do
    result[key] = result[key] or json.array()
  end
  for _, entry in ipairs(result.ips) do entry.version = nil end
  return result
end

local function read_by_family(document, path)
  local result <const>, message <const> = by_family(document, path)
  if not result then return nil, message end
  result.interfaces, result.ips, result.routes = json.array(), json.array(), json.array()
  for _, key in ipairs { "ip4", "ip6" } do
    local part <const> = rawget(result, key)
    if part then
      result.ips[#result.ips + 1] = { address = part.ip, gateway = part.gateway }
      for _, entry in ipairs(part.routes or {}) do result.routes[#result.routes + 1] = entry end
    end
    result[key] = nil
  end
  return result
end

local readers <const> = { ip4 = read_by_family, ips = read_flat, list = read_flat }

---Reads a result of any version.
---@param document any decoded JSON
---@param default string the version of a document that names none
---@param path? string what to call it in messages
---@return table? result in the form above, string? message
function M.parse(document, default, path)
  path = path or "result"
  local object <const>, wrong <const> = schema.object(document, path)
  if wrong then return nil, wrong end
  local named = json.get(object, "cniVersion")
  if named == nil or named == "" then named = default end
  local family <const> = type(named) == "string" and version.family(named)
  if not family then
    return nil, ("%s.cniVersion: '%s' is no version that is known"):format(path, shown(named))
  end
  local result <const>, message <const> = readers[family](object, path)
  if not result then return nil, message end
  result.cniVersion = version.latest
  result.routes = route.gather(result.routes)
  return result
end

---Reads the prevResult of a configuration, which must be of the same family of versions.
---@param conf table decoded configuration
---@param conf_version string
---@return table? result nil where there is none, string? message
function M.previous(conf, conf_version)
  local document <const> = json.get(conf, "prevResult")
  if document == nil then return nil end
  local named = json.get(document, "cniVersion")
  if named == nil or named == "" then named = conf_version end
  if version.family(named) ~= version.family(conf_version) then
    return nil, ("prevResult.cniVersion: a result of version '%s' does not fit a config of "
      .. "version '%s'"):format(shown(named), conf_version)
  end
  return M.parse(document, conf_version, "prevResult")
end

-- Writing --------------------------------------------------------------------------------------

local function copy(object)
  local other <const> = {}
  for key, value in next, object do other[key] = value end
  return other
end

local function map(list, change)
  if #list == 0 then return nil end
  local changed <const> = json.array()
  for i, item in ipairs(list) do changed[i] = change(copy(item)) end
  return changed
end

local function drop(object, keys, empty)
  for _, key in ipairs(keys) do
    if object[key] == empty then object[key] = nil end
  end
  return object
end

local function write_interface(entry)
  drop(entry, { "mac", "sandbox", "socketPath", "pciID" }, "")
  entry.name = entry.name or ""
  return drop(entry, { "mtu" }, 0)
end

local function write_old_interface(entry)
  entry.mtu, entry.socketPath, entry.pciID = nil, nil, nil
  return write_interface(entry)
end

local function with_family(entry)
  entry.version = tostring(ip.parse(entry.address):family())
  return entry
end

-- Table and scope 0 are said; the others mean nothing at 0.
local function write_route(entry)
  return drop(entry, { "priority", "mtu", "advmss" }, 0)
end

local function write_dns(value)
  local written <const> = copy(value or {})
  drop(written, { "domain" }, "")
  for _, key in ipairs { "nameservers", "search", "options" } do
    if written[key] and #written[key] == 0 then written[key] = nil end
  end
  return written
end

local function identity(value)
  return value
end

-- 1.0.0 has no mtu, socketPath and pciID, but the reference leaves them in and so do we.
local function write_list(result, to)
  local document <const> = copy(result)
  document.cniVersion = to
  document.interfaces = map(result.interfaces, write_interface)
  document.ips = map(result.ips, identity)
  document.routes = map(result.routes, write_route)
  document.dns = write_dns(result.dns)
  if next(document.dns) == nil then document.dns = nil end
  return document
end

local function write_ips(result, to)
  local document <const> = write_list(result, to)
  document.interfaces = map(result.interfaces, write_old_interface)
  document.ips = map(result.ips, with_family)
  document.dns = write_dns(result.dns)
  return document
end

local function first_of_family(result, family)
  for _, entry in ipairs(result.ips) do
    if ip.parse(entry.address):family() == family then return entry end
  end
end

---The part of a 0.1 or 0.2 result for one family: an address and routes of two words.
local function write_family(result, family)
  local entry <const> = first_of_family(result, family)
  if not entry then return nil end
  local routes <const> = json.array()
  for _, one in ipairs(result.routes) do
    if ip.parse(one.dst):family() == family then
      routes[#routes + 1] = { dst = one.dst, gw = one.gw }
    end
  end
  return {
    ip = entry.address, gateway = entry.gateway, routes = #routes > 0 and routes or nil,
  }
end

local function write_by_family(result, to)
  local document <const> = copy(result)
  document.cniVersion = to
  document.interfaces, document.ips, document.routes = nil, nil, nil
  document.ip4, document.ip6 = write_family(result, 4), write_family(result, 6)
  document.dns = write_dns(result.dns)
  if document.ip4 or document.ip6 then return document end
  return nil, ("result: version %s cannot say that there is no address"):format(to)
end

local writers <const> = { ip4 = write_by_family, ips = write_ips, list = write_list }

-- Checks count as JSON does; what is written was made in Lua, where lists begin with 1.
local function count_from_1(message)
  local path <const>, rest <const> = message:match("^([^:]*)(.*)$")
  return path:gsub("%[(%d+)%]", function(i) return ("[%d]"):format(i + 1) end) .. rest
end

---Writes a result for a version.
---@param result table what a plugin made: the form above, or a document of any version
---@param to string a known version
---@param form? string "routes" (default) or "gws", how multipath routes are written; see
---`ecmp.cni.route`. Before 0.3.0 it is always "routes"
---@return table? document ready for `json.encode`; string? message
function M.write(result, to, form)
  local parsed <const>, message <const> = M.parse(result, version.latest)
  if not parsed then return nil, count_from_1(message) end
  local family <const> = version.family(to)
  if not family then return nil, ("result: no converter to version '%s'"):format(to) end
  parsed.routes = route.write(parsed.routes, family == "ip4" and "routes" or form)
  return writers[family](parsed, to)
end

return M
