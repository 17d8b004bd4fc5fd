---Predicts, for previews, links and connected routes of a pod that does not exist yet.
--
-- A preview shows it to rules in place of what the kernel will have, so that they see in both what
-- the ADD comes to.
local identity = require "ecmp.fib.route"
local ip = require "ecmp.ip"

local M = {}

-- As every pod has it.
local LOOPBACK <const> = { up = true, carrier = true, mtu = 65536, mac = "00:00:00:00:00:00" }

---Rules speak of the interface that is about to be made, so it is listed as it will be. A pod that
---is not there (a preview, a comparison) has the interface of a chained plugin, too.
---@param state table
---@return true
function M.links(state)
  local links <const>, name <const> = state.ctx.links, state.call.ifname
  if not state.nl then links.lo = LOOPBACK end
  if not links[name] and (state.plugin.attach or not state.nl) then
    local mtu <const> = state.conf.mtu
    links[name] = { up = true, carrier = true, mtu = mtu ~= 0 and mtu or nil }
  end
  return true
end

local FULL <const> = { [4] = 32, [6] = 128 }

---The routes that the kernel makes with addresses.
---@param addresses table[] `{ address, dev }`
---@return table[]
function M.connected(addresses)
  local routes <const> = {}
  for _, entry in ipairs(addresses) do
    local address <const> = assert(ip.parse(entry.address))
    local family <const> = address:family()
    local route <const> = { dst = tostring(address:network()), dev = entry.dev, proto = "kernel" }
    if family == 4 then
      route.scope, route.src = "link", tostring(address:address())
    else
      route.metric = 256
    end
    if address:length() < FULL[family] then routes[#routes + 1] = route end
  end
  return routes
end

---What an interface has by itself, as soon as it has IPv6.
local function link_local(addresses)
  for _, entry in ipairs(addresses) do
    if assert(ip.parse(entry.address)):family() == 6 then
      return { { dst = "fe80::/64", dev = entry.dev, proto = "kernel", metric = 256 } }
    end
  end
  return {}
end

---The routes of a pod after a plugin has done its work there.
---@param state table of that plugin, planned and not carried out
---@return table[] canonical routes
function M.routes(state)
  local left <const> = {}
  for _, route in ipairs(state.wanted) do
    local held <const> = assert(identity.canonical(route))
    held.proto = held.proto or "boot"
    left[#left + 1] = held
  end
  -- A chained plugin finds the addresses there, and their routes with them.
  if not state.plugin.attach then return left end
  local addresses <const> = state.plan.addresses
  for _, routes in ipairs { (state.plugin.connected or M.connected)(addresses),
    link_local(addresses) } do
    for _, route in ipairs(routes) do left[#left + 1] = assert(identity.canonical(route)) end
  end
  return left
end

return M
