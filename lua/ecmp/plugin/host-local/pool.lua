---A host-local configuration, read and checked: which ranges, which addresses are asked for, where
---they are kept.
--
-- Keys, defaults and checks are the reference plugin's. A mistake is refused with code 7 and the
-- path of the field, counted from 0 as the reference counts its range sets.
local codes = require("ecmp.cni.errors").codes
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local range = require "ecmp.plugin.host-local.range"

local M = {}

local MISTAKE <const>, ENVIRONMENT <const> = codes.config, codes.environment

---Where the reference keeps its networks.
M.default_directory = "/var/lib/cni/networks"

---@class ecmp.store.Pool
---@field directory string `dataDir`
---@field network string name of the network
---@field sets table[] range sets, each gives one address
---@field requested userdata[] addresses asked for, in the order listed, each once
---@field resolv_conf string? a file in the format of resolv.conf
---@field idempotent boolean whether a second ADD gets the addresses of the first

-- A mistake anywhere below is thrown as { message, code } and caught by `read`: the shape of a
-- configuration is deep, and what is wrong is told at the place that knows its path.
local function refuse(code, ...)
  error({ message = (...):format(select(2, ...)), code = code }, 0)
end

local function expect(value, kind, path)
  if value == nil then return nil end
  local given <const> = json.kind(value)
  if given == kind or (kind == "list" and given == "object" and next(value) == nil) then
    return value
  end
  refuse(MISTAKE, "%s: must be of type %s, not %s", path, kind, given)
end

local function field(object, key, kind, path)
  return expect(json.get(object, key), kind, path and path .. "." .. key or key)
end

-- The keys of a range, all text, and those of `ipam` with the kinds of their values.
local range_keys <const> = { "subnet", "rangeStart", "rangeEnd", "gateway" }
local ipam_keys <const> = {
  dataDir = "string", resolvConf = "string", idempotent = "boolean", ranges = "list",
}

local function ipam_field(ipam, key)
  return field(ipam, key, assert(ipam_keys[key], key), "ipam")
end

local function range_spec(object, path)
  expect(object, "object", path)
  local spec <const> = {}
  for _, key in ipairs(range_keys) do spec[key] = field(object, key, "string", path) end
  return spec
end

-- Adds the range sets that `list` describes.
local function add_sets(sets, list, path)
  for i, specs in ipairs(list or {}) do
    local name <const> = ("%s[%d]"):format(path, i - 1)
    if specs == json.null then specs = {} end
    expect(specs, "list", name)
    local checked <const> = {}
    for k, spec in ipairs(specs) do
      checked[k] = range_spec(spec, ("%s[%d]"):format(name, k - 1))
    end
    local set <const>, message <const> = range.set(checked, name)
    if not set then refuse(MISTAKE, "%s", message) end
    set.path = name
    sets[#sets + 1] = set
  end
end

-- The old way of writing a single range, in `ipam` itself; without a subnet it counts for nothing.
local function add_inline(sets, ipam)
  local spec <const> = range_spec(ipam, "ipam")
  if not spec.subnet then return end
  local one <const>, message <const> = range.range(spec, "ipam")
  if not one then refuse(MISTAKE, "%s", message) end
  local set <const> = range.set({ spec }, "ipam")
  set.path = "ipam"
  sets[#sets + 1] = set
end

local function refuse_overlaps(sets)
  for i, set in ipairs(sets) do
    for k = 1, i - 1 do
      if set:overlaps(sets[k]) then
        refuse(MISTAKE, "%s: overlaps with %s", set.path, sets[k].path)
      end
    end
  end
end

-- Results before 0.3.0 hold one address of each family.
local function refuse_several(sets, version)
  local first <const> = {}
  for _, set in ipairs(sets) do
    if first[set.family] then
      refuse(MISTAKE, "%s: cniVersion %s allows one address per family, and %s gives IPv%d already",
        set.path, version, first[set.family].path, set.family)
    end
    first[set.family] = set
  end
end

local function sets_of(conf, ipam)
  local sets <const> = {}
  local runtime <const> = expect(json.get(conf, "runtimeConfig"), "object", "runtimeConfig")
  add_sets(sets, field(runtime, "ipRanges", "list", "runtimeConfig"), "runtimeConfig.ipRanges")
  add_inline(sets, ipam)
  add_sets(sets, ipam_field(ipam, "ranges"), "ipam.ranges")
  if #sets == 0 then refuse(MISTAKE, "ipam.ranges: no range is given") end
  refuse_overlaps(sets)
  local version <const> = json.get(conf, "cniVersion") or "0.1.0"
  if version == "0.1.0" or version == "0.2.0" or version == "" then
    refuse_several(sets, version == "" and "0.1.0" or version)
  end
  return sets
end

-- A prefix length is allowed and ignored, as in the reference.
local function add_request(requested, text, path, code)
  expect(text, "string", path)
  local parsed <const>, why <const> = ip.parse(text)
  if not parsed then refuse(code, "%s: '%s' is no IP address: %s", path, text, why) end
  local address <const> = parsed:address()
  for _, other in ipairs(requested) do
    if other == address then return end
  end
  requested[#requested + 1] = address
end

local function add_requests(requested, list, path)
  for i, text in ipairs(list or {}) do
    add_request(requested, text, ("%s[%d]"):format(path, i - 1), MISTAKE)
  end
end

-- Everything asked for, by CNI_ARGS, `args.cni.ips` and `runtimeConfig.ips` together.
local function requests_of(conf, asked)
  local requested <const> = {}
  if asked and asked ~= "" then add_request(requested, asked, "CNI_ARGS: IP", ENVIRONMENT) end
  local args <const> = expect(json.get(conf, "args"), "object", "args")
  local cni <const> = field(args, "cni", "object", "args")
  add_requests(requested, field(cni, "ips", "list", "args.cni"), "args.cni.ips")
  local runtime <const> = json.get(conf, "runtimeConfig")
  add_requests(requested, field(runtime, "ips", "list", "runtimeConfig"), "runtimeConfig.ips")
  return requested
end

local function text_or(value, default)
  return value ~= nil and value ~= "" and value or default
end

local function read(conf, asked)
  local ipam <const> = expect(json.get(conf, "ipam"), "object", "ipam")
  if not ipam then refuse(MISTAKE, "ipam: must be given") end
  return {
    network = field(conf, "name", "string"),
    directory = text_or(ipam_field(ipam, "dataDir"), M.default_directory),
    sets = sets_of(conf, ipam),
    requested = requests_of(conf, asked),
    resolv_conf = text_or(ipam_field(ipam, "resolvConf")),
    idempotent = ipam_field(ipam, "idempotent") or false,
  }
end

---Reads a configuration.
---@param conf table the decoded network configuration
---@param asked? string the address that CNI_ARGS asks for
---@return ecmp.store.Pool? pool, string? message, integer? code  nil, the field at fault, 7 or 4
function M.read(conf, asked)
  local done <const>, result <const> = pcall(read, conf, asked)
  if done then return result end
  if type(result) ~= "table" then error(result, 0) end
  return nil, result.message, result.code
end

local function described_range()
  local properties <const> = {}
  for _, key in ipairs(range_keys) do properties[key] = { type = "string" } end
  return properties
end

---What `ipam` may hold, in the words of JSON Schema.
---@return table schema
function M.describe()
  local properties <const> = described_range()
  for key, kind in pairs(ipam_keys) do properties[key] = { type = kind } end
  local one <const> = {
    type = "object", properties = described_range(), required = { "subnet" },
  }
  properties.ranges = { type = "array", items = { type = "array", minItems = 1, items = one } }
  return { type = "object", properties = properties }
end

---Where a configuration keeps its reservations, whatever else is wrong with it.
---@param conf table
---@return string directory, string network
function M.place(conf)
  local ipam <const> = json.get(conf, "ipam")
  local directory <const> = type(ipam) == "table" and json.get(ipam, "dataDir")
  return type(directory) == "string" and text_or(directory) or M.default_directory,
    json.get(conf, "name")
end

return M
