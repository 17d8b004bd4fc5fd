---Stage `context`: reads the pod's namespace once and makes the context that rules get.
local errors = require "ecmp.cni.errors"
local identity = require "ecmp.fib.route"
local sys = require "ecmp.sys"
local try = require("ecmp.cni").try

local M = {}

local LOCAL <const> = 255

---The links of a namespace by name, as rules see them.
---@param nl table
---@param with_speed? boolean asks the drivers, too
---@return table<string, ecmp.RuleLink>? links, string? message, string? code
function M.links(nl, with_speed)
  local list, message, code = nl.link:list()
  if not list then return nil, message, code end
  local links <const> = {}
  for _, link in ipairs(list) do
    links[link.name] = {
      up = link.up or false, carrier = link.carrier or false, mtu = link.mtu, mac = link.address,
      speed = with_speed and sys.link_speed(nl:fd(), link.name) or nil,
    }
  end
  return links
end

---All routes of a namespace, canonical; of the local table those that are not the kernel's own.
---@param nl table
---@return table[]? routes, string? message, string? code
function M.routes(nl)
  local list, message, code = nl.route:list { table = "all" }
  if not list then return nil, message, code end
  local routes <const> = {}
  for _, route in ipairs(list) do
    local held <const> = identity.held(route)
    if held and (held.table ~= LOCAL or held.proto ~= "kernel") then routes[#routes + 1] = held end
  end
  return routes
end

-- Which state counts where two interfaces know one address, the best first. As `ip neigh` leaves
-- out what needs no neighbour (NOARP), multicast say, so do rules.
local RANK <const> = { PERMANENT = 1, REACHABLE = 2, DELAY = 3, PROBE = 4, STALE = 5,
  INCOMPLETE = 6, FAILED = 7 }

---The neighbours of a namespace, as rules see them.
---@param nl table
---@return table<string, string>? states by address, as `ip neigh` says them
---@return string? message, string? code
function M.neighbours(nl)
  local list, message, code = nl.neigh:list()
  if not list then return nil, message, code end
  local states <const> = {}
  for _, neighbour in ipairs(list) do
    local dst <const>, state <const> = neighbour.dst, neighbour.state
    local rank <const> = RANK[state]
    if dst and rank and rank < (RANK[states[dst]] or math.huge) then states[dst] = state end
  end
  return states
end

local function read(state)
  local nl <const> = state.nl
  -- A pod that does not exist, for `ecmp plan`, has what plugins before this one have planned.
  if not nl then return {}, state.planned or {}, {} end
  -- only scripts look at speeds and neighbours
  local asked <const> = state.script ~= nil
  return try(M.links(nl, asked)), try(M.routes(nl)), asked and try(M.neighbours(nl)) or {}
end

---Reads the pod's namespace and makes the context; `state.ctx`, `state.current`.
---@param state table
---@return table? state, string? message, string? code
M.run = errors.returning(function(state)
  local call <const> = state.call
  local links <const>, current <const>, neighbours <const> = read(state)
  local plain <const> = {}
  for i, route in ipairs(current) do plain[i] = identity.plain(route) end
  state.current = current
  state.ctx = {
    command = call.command, containerid = call.containerid, netns = call.netns,
    ifname = call.ifname, network = state.conf.name, args = call.args or {}, conf = call.conf,
    addresses = {}, links = links, current = plain,
    neighbours = neighbours,
  }
  return state
end)

return M
