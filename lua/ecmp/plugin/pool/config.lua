---The configuration of ecmp-pool: host-local's keys, and `store`, which says where the addresses of
---the whole cluster are kept.
local candidates = require "ecmp.store.etcd.candidates"
local errors = require "ecmp.cni.errors"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local read = require "ecmp.plugin.host-local.read"
local schema = require "ecmp.cni.schema"
local sys = require "ecmp.sys"

local M = {}

local MISTAKE <const> = errors.codes.config

---Where a node keeps its notes and tombstones, if `ipam.dataDir` names no other place.
M.default_directory = "/var/lib/cni/ecmp-pool"

local PORT <const> = "2379"
local PREFIX <const>, TIMEOUT <const>, BLOCK <const> = "/ecmp/v1", 10, 64
-- Permissions of everybody but the owner.
local OTHERS <const> = tonumber("077", 8)

-- Endpoints ------------------------------------------------------------------------------------

local function is_loopback(host)
  if host == "localhost" then return true end
  local address <const> = ip.parse(host)
  return address ~= nil and (ip.parse("127.0.0.0/8"):contains(address)
    or address == ip.parse("::1"))
end

-- HOST, HOST:PORT or [ADDRESS]:PORT.
local function split_host(text)
  local host, port = text:match("^%[([%x:.]+)%]:?(%d*)$")
  if not host then host, port = text:match("^([%w_.%-]+):?(%d*)$") end
  if not host then return nil end
  port = port == "" and PORT or port
  local number <const> = math.tointeger(tonumber(port))
  if not number or number < 1 or number > 65535 then return nil end
  return host, port
end

---Reads one endpoint.
---@param text string `https://HOST:PORT`, `http://` on the loopback, `unix:///PATH`
---@param path string what to call it in a message
---@return ecmp.etcd.Endpoint? endpoint, string? message
local function endpoint(text, path)
  local scheme <const>, rest <const> = text:match("^(%a+)://(.-)/?$")
  if scheme == "unix" and rest:find("^/") then return { name = text, path = rest } end
  local host, port
  if scheme == "http" or scheme == "https" then host, port = split_host(rest) end
  if not host then
    return nil, ("%s: '%s' is no endpoint like https://10.0.0.1:2379"):format(path, text)
  end
  if scheme == "http" and not is_loopback(host) then
    return nil, ("%s: '%s' would send addresses in the clear: http:// is for the loopback, "
      .. "elsewhere https://"):format(path, text)
  end
  return { name = text, host = host, port = port, tls = scheme == "https" or nil }
end

-- A key that others may read is nobody's.
local function check_key(file, path)
  local stat <const>, message <const> = sys.stat(file)
  if not stat then return nil, ("%s: %s"):format(path, message) end
  if stat.mode & OTHERS == 0 then return true end
  return nil, ("%s: %s may be read by others than its owner (mode %o); chmod 600"):format(path,
    file, stat.mode)
end

---The endpoints of a store, with what TLS takes.
---@param store table checked
---@return ecmp.etcd.Endpoint[]? endpoints, string? message
function M.endpoints(store)
  local list <const> = {}
  local tls <const> = { ca = store.ca, cert = store.cert, key = store.key }
  local missing <const> = store.cert and not store.key and "key"
    or store.key and not store.cert and "cert"
  if missing then return nil, ("ipam.store.%s: cert and key go together"):format(missing) end
  if store.key then
    local ok <const>, message <const> = check_key(store.key, "ipam.store.key")
    if not ok then return nil, message end
  end
  for i, text in ipairs(store.etcd) do
    local one <const>, message <const> = endpoint(text, ("ipam.store.etcd[%d]"):format(i - 1))
    if not one then return nil, message end
    one.tls = one.tls and tls
    list[i] = one
  end
  if #list == 0 then return nil, "ipam.store.etcd: the list is empty" end
  return list
end

-- The store ------------------------------------------------------------------------------------

local function prefix_check(value, path)
  local text <const>, message <const> = schema.string(value, path)
  if message then return nil, message end
  if text:find("^/.*[^/]$") then return text end
  return nil, ("%s: '%s' must begin with a slash and end without one"):format(path, text)
end
schema.as({ type = "string", pattern = "^/.*[^/]$" }, prefix_check)

local function node_check(value, path)
  local text <const>, message <const> = schema.string(value, path)
  if message then return nil, message end
  if text ~= "" and #text <= 253 then return text end
  return nil, path .. ": must have 1 to 253 bytes"
end
schema.as({ type = "string", minLength = 1, maxLength = 253 }, node_check)

---The keys of `store`.
M.store_fields = schema.record {
  { "etcd", schema.list(schema.string) },
  { "directory", schema.string },
  { "prefix", prefix_check },
  { "ca", schema.string },
  { "cert", schema.string },
  { "key", schema.string },
  { "node", node_check },
  { "timeout", schema.integer(1, 300) },
  { "block", schema.integer(1, 65536) },
}

local function hostname()
  return ((sys.read("/proc/sys/kernel/hostname", 256) or ""):gsub("%s+$", ""))
end

---Where `ipam.dataDir` says that a node keeps its notes, whatever else is wrong.
---@param conf table
---@return string directory
function M.directory(conf)
  local ipam <const> = json.get(conf, "ipam")
  local given <const> = type(ipam) == "table" and json.get(ipam, "dataDir")
  return type(given) == "string" and given ~= "" and given or M.default_directory
end

---Reads `ipam.store`, with its defaults.
---@param conf table
---@return table? store `{ endpoints | directory, prefix, node, timeout, block }`
---@return string? message, integer? code  nil, the field at fault, "EINVAL"
function M.store(conf)
  local ipam <const> = json.get(conf, "ipam")
  if json.kind(ipam) ~= "object" then return nil, "ipam: must be given", MISTAKE end
  local given <const> = json.get(ipam, "store")
  if given == nil then return nil, "ipam.store: must be given", MISTAKE end
  local store <const>, message <const> = M.store_fields(given, "ipam.store")
  if not store then return nil, message, MISTAKE end
  if (store.etcd == nil) == (store.directory == nil) then
    return nil, "ipam.store: one of etcd and directory must be given", MISTAKE
  end
  store.node = store.node or hostname()
  store.prefix, store.block = store.prefix or PREFIX, store.block or BLOCK
  store.timeout = store.timeout or TIMEOUT
  if store.directory then return store end
  local endpoints <const>, wrong <const> = M.endpoints(store)
  if not endpoints then return nil, wrong, MISTAKE end
  store.endpoints = endpoints
  return store
end

-- The whole ------------------------------------------------------------------------------------

---Reads everything that the configuration and the environment say.
---@param call table
---@return table? pool host-local's, with `routes`, `dns` and `store`
---@return string? message, integer? code
function M.read(call)
  local pool, message, code = read.call(call)
  if not pool then return nil, message, code end
  pool.store, message, code = M.store(call.conf)
  if not pool.store then return nil, message, code end
  if candidates.room(pool.sets) >= 1 then return pool end
  return nil, "ipam.ranges: more ranges than one transaction of etcd can hold", MISTAKE
end

return M
