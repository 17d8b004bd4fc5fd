---Reads a call of an IPAM plugin with host-local's keys: ranges, routes, what is asked for.
local Pool = require "ecmp.plugin.host-local.pool"
local cni_route = require "ecmp.cni.route"
local codes = require("ecmp.cni.errors").codes
local json = require "ecmp.json"
local request = require "ecmp.cni.request"

local M = {}

local MISTAKE <const> = codes.config

-- A pod that got the address of one of its own routers would send to itself what is for that one.
-- The reference plugin knows of no other gateway than its range's.
local function keep_routers_out(pool)
  local routers <const> = {}
  for _, route in ipairs(pool.routes) do
    for _, hop in ipairs(cni_route.hops(route)) do
      if hop.gw then routers[hop.gw] = true end
    end
  end
  for _, set in ipairs(pool.sets) do set:keep_out(routers) end
end

-- What `ipam` says beside its ranges; a file of name servers is read before anything is reserved.
local function read_rest(pool, call)
  local ipam <const> = json.get(call.conf, "ipam")
  local routes, wrong, code = cni_route.list(json.get(ipam, "routes"), "ipam.routes")
  if not routes then return nil, wrong, code end
  local ok = true
  if not call.dropin then
    ok, wrong, code = cni_route.refuse_findings(routes, "ipam.routes")
  end
  if not ok then return nil, wrong, code end
  pool.routes = routes
  if not request.is_as_reference(call) then keep_routers_out(pool) end
  if not pool.resolv_conf then return pool end
  -- most configurations name no such file
  local resolv <const> = require "ecmp.plugin.host-local.resolv"
  local dns <const>, message <const> = resolv.read(pool.resolv_conf)
  if not dns then return nil, "ipam.resolvConf: " .. message, MISTAKE end
  pool.dns = dns
  return pool
end

---Reads everything that the configuration and the environment say.
---@param call table
---@return ecmp.store.Pool? pool with `routes` and `dns`
---@return string? message, integer? code
function M.call(call)
  local args <const>, wrong <const>, why <const> = request.args(call, { "IP" })
  if not args then return nil, wrong, why end
  local pool <const>, message <const>, code <const> = Pool.read(call.conf, args.IP)
  if not pool then return nil, message, code end
  return read_rest(pool, call)
end

return M
