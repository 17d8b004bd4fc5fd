---For a site's own specs: its rule script as a function from routes to routes, both as text.
--
--     local rack = require("ecmp.rule.spec").rule("/etc/cni/ecmp/rack.lua")
--
--     describe("our rule", function()
--       it("prefers its own rack", function()
--         assert.same({ "default via 10.1.0.1 dev eth0 metric 100" },
--           rack { "default via 10.1.0.1 dev eth0" })
--       end)
--     end)
--
-- The script runs in its sandbox process, with its budget, after the check of its owner: what
-- passes here passes on a node.
local group = require "ecmp.group"
local route_of = require "ecmp.fib.route"
local rule = require "ecmp.rule"
local sandbox = require "ecmp.sandbox"

local M = {}

---Routes given as text, as typed after `ip route add`, or as tables.
---@param list (string|table)[]
---@return table[]
function M.routes(list)
  local routes <const> = {}
  for i, route in ipairs(list) do
    local read, held, message = route, nil, nil
    if type(route) == "string" then read, message = route_of.of_text(route) end
    if read then held, message = group.held(read) end
    if not held then error(("[%d]: %s"):format(i, message), 3) end
    routes[i] = read
  end
  return routes
end

---Routes as text, one line each, as `ip route` says it.
---@param routes table[]
---@return string[]
function M.texts(routes)
  local lines <const> = {}
  for i, route in ipairs(routes) do lines[i] = group.text(assert(group.held(route))) end
  return lines
end

---All interfaces that routes name, up and with carrier.
local function links_of(routes)
  local links <const> = {}
  for _, route in ipairs(routes) do
    for _, hop in ipairs(group.held(route).nexthops) do
      if hop.dev then links[hop.dev] = { up = true, carrier = true, mtu = 1500 } end
    end
  end
  return links
end

---What a rule sees beside the routes, filled up with what every pod has.
local function context(routes, ctx)
  local full <const> = {
    command = "ADD", containerid = "spec", ifname = "eth0", network = "spec", args = {},
    conf = {}, addresses = {}, neighbours = {},
  }
  for name, value in pairs(ctx or {}) do full[name] = value end
  full.current = M.routes(full.current or {})
  full.links = full.links
    or links_of(table.move(full.current, 1, #full.current, #routes + 1, { table.unpack(routes) }))
  return full
end

---Loads a rule script for specs.
---@param path string
---@param options? table see `load` of ecmp.sandbox
---@return fun(routes: (string|table)[], ctx?: table, notes?: string[]): string[]?, string?, any run
---returns the routes as text; nil, message, code as an ADD would, the script's path in front,
---and "EINVAL" where the rule gives no code, which an ADD reports as 7; what it says by
---`rule.note` is added to `notes`. Each call is a fresh load. A route that is none raises.
function M.rule(path, options)
  return function(list, ctx, notes)
    local script <close>, message, code = sandbox.load(path, options)
    if not script then return nil, message, code end
    local routes <const> = M.routes(list)
    local merged
    merged, message, code = rule.merge(routes, script, context(routes, ctx), { notes = notes })
    if not merged then return nil, message, code end
    return M.texts(merged)
  end
end

return M
