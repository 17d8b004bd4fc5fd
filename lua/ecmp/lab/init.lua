---A scratch network to try routes in: a pod, routers, and a server behind them, wired with real
---veths.
--
--     local lab <close> = assert(ecmp.lab { gateways = 3 })
--     lab.pod.route:add { dst = "default", nexthops = lab:hops(4) }
--     print(lab:send { flows = 1000 })
--
-- Every part is a namespace that nothing but this process holds, by a descriptor: whatever ends the
-- process, SIGKILL too, takes the lab with it.

local failure = require "ecmp.lab.failure"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown
local topology = require "ecmp.lab.topology"

---@class ecmp.Lab
---@field pod ecmp.Handle
---@field server ecmp.Handle
---@field gateways table[] `{ name, nl, dev, via = { [4], [6] } }`, in order
---@field families integer[]
---@field address table<integer, string> the server's address by family
local methods = {}
local mt = { __name = "ecmp.Lab", __index = methods }

local M = {}

local known <const> = { gateways = true, families = true, shared = true, name = true }

local MOST_GATEWAYS <const> = 64

local function check_families(families)
  if type(families) ~= "table" or #families == 0 then
    error("families: a list of 4 and 6 expected", 3)
  end
  for i, family in ipairs(families) do
    if family ~= 4 and family ~= 6 then
      error(("families[%d]: 4 or 6 expected, got %s"):format(i, shown(family)), 3)
    end
    if i > 1 and family == families[1] then
      error(("families[%d]: %d is there already"):format(i, family), 3)
    end
  end
end

local function check_options(options)
  if type(options) ~= "table" then
    error(("lab: a table of options expected, got %s"):format(type(options)), 3)
  end
  for key in pairs(options) do
    if not known[key] then
      local near <const> = rtnl.nearest(known, tostring(key))
      error(("%s: unknown option of a lab%s"):format(shown(key),
        near and (" (did you mean '%s'?)"):format(near) or ""), 3)
    end
  end
  local count <const> = options.gateways or 2
  if math.type(count) ~= "integer" or count < 1 or count > MOST_GATEWAYS then
    error(("gateways: 1 to %d expected, got %s"):format(MOST_GATEWAYS, shown(count)), 3)
  end
  if options.name ~= nil and (type(options.name) ~= "string" or options.name == "") then
    error(("name: a name expected, got %s"):format(
      options.name == "" and "nothing" or type(options.name)), 3)
  end
  if options.shared ~= nil and type(options.shared) ~= "boolean" then
    error(("shared: true or false expected, got %s"):format(shown(options.shared)), 3)
  end
end

---Builds a lab.
---@param options? { gateways: integer, families: integer[], shared: boolean, name: string }
--- gateways: 2 unless given; families: both unless given; shared: pod and gateways on one segment,
--- as most pods are, instead of a wire to each; name: the namespaces are called NAME-pod, NAME-gw1,
--- NAME-server under /run/netns until the lab is closed (a scratch prompt has a /run/netns of its
--- own)
---@return ecmp.Lab|nil lab # has `close`, `__close` and `__gc`
---@return string? message
---@return string? code # "EPERM": namespaces need root, or `unshare -Ur`
function M.new(options)
  options = options or {}
  check_options(options)
  local families <const> = options.families or { 4, 6 }
  check_families(families)
  local lab <const> = setmetatable({
    families = families, shared = options.shared and true or false, name = options.name,
    spaces = {}, gateways = {}, cuts = {},
  }, mt)
  local ok, message, code = topology.build(lab, options.gateways or 2)
  if not ok then
    lab:close()
    return nil, "lab: " .. message, code
  end
  return lab
end

local function check_open(self, level)
  if getmetatable(self) ~= mt then error("lab: called without its colon", level + 1) end
  if not self.spaces then error("lab: it is closed", level + 1) end
end

local function gateway_of(self, name, level)
  check_open(self, level + 1)
  local gateway <const> = self.gateways[name]
  if gateway then return gateway end
  for _, each in ipairs(self.gateways) do
    if each.name == name then return each end
  end
  error(("gateway: there is no %s; there are gw1 to gw%d"):format(shown(name), #self.gateways),
    level + 1)
end

-- All of them, so that a mistake in the last does not come after what was done about the first.
local function gateways_of(self, names, level)
  local list <const> = {}
  for i, name in ipairs(names) do list[i] = gateway_of(self, name, level + 1) end
  return list
end

---The gateway of a name or number.
---@param name string|integer "gw2" or 2
---@return table gateway
function methods:gateway(name)
  return gateway_of(self, name, 2)
end

---The gateways as next hops of a route.
---@param family? integer 4 unless given
---@return table[] hops `{ via, dev }`, to be used as `nexthops`
function methods:hops(family)
  check_open(self, 2)
  if family ~= nil and not self.address[family] then
    error(("family: this lab has no %s"):format(shown(family)), 2)
  end
  local hops <const> = {}
  for i, gateway in ipairs(self.gateways) do
    hops[i] = { via = gateway.via[family or 4], dev = gateway.dev }
  end
  return hops
end

---Gateways die: all their links go down, and the pod sees its wires to them lose their carrier.
---@param ... string|integer names
---@return true|nil, string? message, string? code
function methods:fail(...)
  check_open(self, 2)
  if select("#", ...) == 0 then
    error(("gateway: which one? there are gw1 to gw%d"):format(#self.gateways), 2)
  end
  for _, gateway in ipairs(gateways_of(self, { ... }, 2)) do
    local ok, message, code = failure.cut(self, gateway, "dead")
    if not ok then return nil, message, code end
  end
  return true
end

---Breaks one thing about a gateway.
---@param name string|integer
---@param what string "link": the pod's own end is set down; "carrier": the wire loses its carrier;
---"packets": the wire stays up, and nothing that is sent into it is heard of again; "deaf": the
---gateway, as it is, takes in nothing from the pod's side; "uplink": the gateway is well and loses
---its way to the server
---@return true|nil, string? message, string? code
function methods:cut(name, what)
  local gateway <const> = gateway_of(self, name, 2)
  if not failure.kinds[what] then
    error(("what: link, carrier, packets, deaf or uplink expected, got %s")
      :format(shown(what)), 2)
  end
  return failure.cut(self, gateway, what)
end

---Mends what `fail` and `cut` broke. Routes that the pod lost meanwhile stay lost: that is what
---there is to see. A gateway that was deaf alone hears again in silence: it sends nothing by
---itself, and what the pod knows of its neighbours stays as it is.
---@param ... string|integer names; none: all
---@return true|nil, string? message, string? code
function methods:heal(...)
  check_open(self, 2)
  local named <const> = select("#", ...) > 0
  for _, gateway in ipairs(named and gateways_of(self, { ... }, 2) or self.gateways) do
    local ok, message, code = failure.heal(self, gateway)
    if not ok then return nil, message, code end
  end
  return true
end

---Sends real UDP flows, one datagram each, from the pod to the server, and counts what each gateway
---forwards and what the server gets.
---@param options? { flows: integer, proto: string, family: integer, dst: string, dport: integer,
--- src: string }
--- 100 flows to the server's address unless said otherwise; `dst` may be a prefix of the server's
--- (`lab.prefix[4]`), whose addresses are varied; flows differ in their source ports, and have the
--- pod's own address as source, which belongs to none of its wires
---@return table|nil result # `{ sent, delivered, gateways = { { name, via, dev, flows, share } }
--- }`; prints as bars
---@return string? message
---@return string? code
function methods:send(options)
  check_open(self, 2)
  return require "ecmp.lab.traffic".send(self, options)
end

---What the kernel says of the same flows beforehand. See `nl.route:spread`.
---@param options? table as for `send`
---@return table|nil hops # `{ via, dev, weight, flows, share }`; prints as bars
---@return string? message
---@return string? code
function methods:predict(options)
  check_open(self, 2)
  return require "ecmp.lab.traffic".predict(self, options)
end

---Runs a program in one of the lab's namespaces.
---@param where string "pod", "server", "gw1", ...
---@param argv string[]
---@return table|nil result # `{ status | signal, stdout, stderr }`
---@return string? message
---@return string? code
function methods:run(where, argv)
  check_open(self, 2)
  local space <const> = self.spaces[where]
  if not space then error(("where: there is no %s"):format(shown(where)), 2) end
  return require "ecmp.netns".run(space, argv)
end

---The path of one of the lab's namespaces, for other programs (`nsenter --net=PATH`, `--netns
---PATH`); it is there as long as the lab is.
---@param where string "pod", "server", "gw1", ...
---@return string
function methods:path(where)
  check_open(self, 2)
  local space <const> = self.spaces[where]
  if not space then error(("where: there is no %s"):format(shown(where)), 2) end
  return require "ecmp.netns".path(space)
end

---Draws the lab as it is now, with what is cut; as SVG, with the shares that the pod's route to the
---server asks for, too, or where there is none the first by a gateway.
---@param form? string "text" or "svg"
---@return string
function methods:draw(form)
  check_open(self, 2)
  local draw <const> = require "ecmp.lab.drawing"[form or "text"]
  if not draw then error(("form: text or svg expected, got %s"):format(shown(form)), 2) end
  return draw(self)
end

---Takes everything down; twice is fine.
function methods:close()
  topology.close(self)
end

mt.__close = methods.close
mt.__gc = methods.close

function mt:__tostring()
  return self.spaces and self:draw() or "a closed lab"
end

return M
