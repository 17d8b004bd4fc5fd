---IPAM plugin `static`: the addresses, routes and dns that the configuration names.
--
-- Where addresses come from, the later replacing the earlier: `ipam.addresses` with those of
-- CNI_ARGS (`IP=`, `GATEWAY=`) behind them; `args.cni.ips`; `runtimeConfig.ips`. Routes come out as
-- listed: what several routes of one prefix mean is for the plugin that programs the kernel.
local cni = require "ecmp.cni"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local result = require "ecmp.cni.result"
local route = require "ecmp.cni.route"
local schema = require "ecmp.cni.schema"
local version = require "ecmp.cni.version"

local codes <const> = cni.codes
local M = { about = "hands out the addresses and routes of its configuration" }

-- Addresses are looked at when it is known that they are used: the reference plugin does not mind
-- nonsense in a list that the pod's own addresses replace.
local any_address <const> = schema.record { { "gateway", schema.address } }
local used_address <const> = schema.record {
  { "address", schema.prefix, required = true },
  { "gateway", schema.address },
}

---The keys of `ipam`.
M.ipam_fields = schema.record {
  { "type", schema.string },
  { "addresses", schema.as({ like = schema.list(used_address) }, schema.list(any_address)) },
  { "routes", schema.list(route.check) },
  { "dns", result.check_dns },
}

---Applies a check of the schema; what it refuses is a mistake in the configuration.
local function checked(check, value, path)
  local accepted <const>, message <const> = check(value, path)
  if message then cni.refuse(codes.config, message) end
  return accepted
end

local function read_ipam(call)
  if call.conf.ipam == nil then cni.refuse(codes.config, "ipam: must be given") end
  local ipam <const> = checked(M.ipam_fields, call.conf.ipam, "ipam")
  if not call.dropin then cni.try(route.refuse_findings(ipam.routes or {}, "ipam.routes")) end
  return ipam
end

-- Addresses ------------------------------------------------------------------------------------

local function each_item(text)
  return ((text or "") == "" and "" or text .. ","):gmatch("([^,]*),")
end

---One value of CNI_ARGS, which has its own error code.
local function argument(check, text, name)
  local value <const>, message <const> = check(text, "CNI_ARGS: " .. name)
  if value then return value end
  return cni.refuse(codes.environment, message or ("CNI_ARGS: %s: is empty"):format(name))
end

---The addresses of `IP=`, each with the last gateway of `GATEWAY=` that lies in its subnet. A
---gateway that fits none is dropped, as the reference does.
local function from_args(args)
  local found <const> = {}
  for text in each_item(args.IP) do
    found[#found + 1] = { address = argument(schema.prefix, text, "IP") }
  end
  for text in each_item(args.GATEWAY) do
    local gateway <const> = argument(schema.address, text, "GATEWAY")
    for _, entry in ipairs(found) do
      if ip.parse(entry.address):contains(ip.parse(gateway)) then entry.gateway = gateway end
    end
  end
  return found
end

---`runtimeConfig.ips` or `args.cni.ips`, whichever says something and comes first.
local function from_pod(conf)
  local args <const> = json.get(conf, "args")
  local first
  for _, source in ipairs {
    { "runtimeConfig.ips", json.get(json.get(conf, "runtimeConfig"), "ips") },
    { "args.cni.ips", json.get(json.get(args, "cni"), "ips") },
  } do
    local path <const>, value <const> = source[1], source[2]
    local list <const> = value ~= nil and checked(schema.list(schema.prefix), value, path) or {}
    if not first and #list > 0 then first = list end
  end
  return first
end

local function addresses(call, ipam)
  local args <const> = from_args(cni.try(cni.args(call, { "IP", "GATEWAY" })))
  local list <const> = {}
  local pod <const> = from_pod(call.conf)
  if pod then
    for i, text in ipairs(pod) do list[i] = { address = text } end
    return list
  end
  local configured <const> = ipam.addresses or {}
  for i, entry in ipairs(checked(schema.list(used_address), configured, "ipam.addresses")) do
    if not call.dropin and entry.gateway and not route.gateway(entry.gateway) then
      cni.refuse(codes.config, ("ipam.addresses[%d].gateway: %s is no gateway; leave it out")
        :format(i - 1, entry.gateway))
    end
    list[i] = { address = entry.address, gateway = entry.gateway }
  end
  return table.move(args, 1, #args, #list + 1, list)
end

---Before 0.3.0 a result has room for one address of each family.
local function check_room(call, list)
  if version.family(call.version) ~= "ip4" then return end
  local count <const> = { [4] = 0, [6] = 0 }
  for _, entry in ipairs(list) do
    local family <const> = ip.parse(entry.address):family()
    count[family] = count[family] + 1
    if count[family] > 1 then
      cni.refuse(codes.config, ("ipam.addresses: version %s has room for one IPv%d address only")
        :format(call.version, family))
    end
  end
end

-- Verbs ----------------------------------------------------------------------------------------

---@param call table
---@return table result
function M.add(call)
  local ipam <const> = read_ipam(call)
  local ips <const> = addresses(call, ipam)
  check_room(call, ips)
  return { ips = ips, routes = ipam.routes or {}, dns = ipam.dns }
end

---Nothing was taken, so there is nothing to give back, whatever the configuration says.
function M.del() end

local function find(ips, wanted)
  for _, entry in ipairs(ips) do
    if ip.parse(entry.address):address() == wanted:address() then return entry end
  end
end

---An address that prevResult has must have the gateway there that the configuration names. One
---that prevResult has no more was taken away by a later plugin of the chain, which is its right.
---@param call table
function M.check(call)
  local ipam <const> = read_ipam(call)
  local previous <const> = cni.need_prev(call)
  for _, entry in ipairs(addresses(call, ipam)) do
    local held <const> = find(previous.ips, ip.parse(entry.address))
    -- One of 0.0.0.0 or :: was flushed by a plugin behind this one.
    local is_flushed <const> = held and held.gateway and not route.gateway(held.gateway)
    if held and entry.gateway and held.gateway ~= entry.gateway and not is_flushed then
      cni.refuse(codes.internal, ("prevResult: address %s has the gateway %s, configured is %s")
        :format(entry.address, held.gateway or "none", entry.gateway))
    end
  end
end

---Nothing is kept, so nothing can be stale.
function M.gc() end

---Ready whenever the configuration is.
---@param call table
function M.status(call)
  addresses(call, read_ipam(call))
end

return M
