---Suspending a next hop of a route: its share goes to the others, and no flow of theirs moves.
-- What is asked of the kernel is decided in ecmp.fib.suspension; here it is found and carried out.

local lookup = require "ecmp.nl.lookup"
local rtnl = require "ecmp.rtnl"
local suspension = require "ecmp.fib.suspension"

rtnl.own()

---A route some of whose next hops are suspended, as `nl.route:suspend` returns it.
---@class ecmp.Held
---@field family 4|6
---@field route ecmp.RouteFields the route without its hops
---@field hops ecmp.Hop[] its hops, in the kernel's order
local held_mt = { __name = "ecmp.Held" }
held_mt.__index = held_mt

local M = {}

-- Temporary objects are numbered from here on, far from those that people and plugins number.
local FIRST_ID <const> = 1 << 30

function held_mt:__tostring()
  local out = {}
  for i, hop in ipairs(self.hops) do
    if suspension.is_out(self, i) then
      out[#out + 1] = hop.via or hop.dev
    end
  end
  return ("%s without %s"):format(self.route.dst, out[1] and table.concat(out, ", ") or "nothing")
end

---@param value any
---@return boolean
function M.is_held(value)
  return getmetatable(value) == held_mt
end

-- The first number that no object has.
local function first_free(nl)
  local last = FIRST_ID - 1
  for _, object in ipairs(nl.nexthop:list() or {}) do
    last = math.max(last, object.id)
  end
  return last + 1
end

-- Carries out requests one after the other; after a refusal what was made goes again.
local function carry_out(nl, steps)
  for done, step in ipairs(steps) do
    local ok, message, code = nl.socket:request(step[1], step[2], step[3])
    -- What is to be deleted may have gone with a carrier.
    if not ok and not (step[2] == "del" and code == "ENOENT") then
      for _, back in ipairs(suspension.undo(steps, done - 1)) do
        nl.socket:request(back[1], back[2], back[3])
      end
      return nil, message, code
    end
  end
  return true
end

local function refuse(held, verb, message, code)
  return nil, ("route %s %s: %s (%s)"):format(verb, held.route.dst or "default", message, code),
    code
end

local function become(held, after)
  if rawequal(held, after) then
    return held
  end
  for key in pairs(held) do
    held[key] = nil
  end
  for key, value in pairs(after) do
    held[key] = value
  end
  return held
end

---Suspends one more hop of a route.
---@param nl ecmp.Handle
---@param held table
---@param at integer number of the hop
---@return ecmp.Held|nil, string? message, string? code
function M.suspend(nl, held, at)
  local steps, after, code = suspension.withdraw(held, at, first_free(nl))
  if not steps then
    return refuse(held, "suspend", after, code)
  end
  local ok, message, symbol = carry_out(nl, steps)
  if not ok then
    return nil, message, symbol
  end
  return become(held, after)
end

---Gives hops their places back.
---@param nl ecmp.Handle
---@param held ecmp.Held
---@param at? integer number of the hop; all of them unless given
---@return true|nil, string? message, string? code
function M.resume(nl, held, at)
  for i = at or 1, at or #held.hops do
    local steps, after = suspension.restore(held, i, first_free(nl))
    local ok, message, code = carry_out(nl, steps)
    if not ok then
      return nil, message, code
    end
    become(held, after)
  end
  return true
end

-- Which hops of a held route are out.
local function out_of(held)
  local out = {}
  for i = 1, #held.hops do
    out[#out + 1] = suspension.is_out(held, i) and i or nil
  end
  return out
end

---The verbs `suspend` and `resume` of a transaction, which can be undone.
---@param routes ecmp.Route of the handle itself
---@param verb "suspend"|"resume"
---@param push fun(undo: function)
---@return function
function M.recorded(routes, verb, push)
  return function(_, key, hop)
    local out = M.is_held(key) and out_of(key) or {}
    local answer, message, code = routes[verb](routes, key, hop)
    if answer then
      local held = verb == "suspend" and answer or key
      push(function()
        local ok, why, symbol = M.resume(routes.nl, held)
        for _, at in ipairs(ok and out or {}) do
          ok, why, symbol = M.suspend(routes.nl, held, at)
        end
        return ok and true, why, symbol
      end)
    end
    return answer, message, code
  end
end

-- The group that a route refers to, as `ecmp.fib.suspension` takes it.
local function group_of(nl, id)
  local object, message, code = nl.nexthop:get { id = id }
  if not object or not object.group then
    return nil, message or "its object is no group", code or "EINVAL"
  end
  local members = {}
  for i, member in ipairs(object.group) do
    members[i] = member.id
  end
  return { id = id, members = members, type = object.type == "resilient" and "resilient" or nil,
    buckets = object.type == "resilient" and object.buckets or nil }
end

---Starts to hold a route all of whose hops are in their places.
---@param nl ecmp.Handle
---@param entry ecmp.RouteView
---@param hops table[]
---@param list ecmp.RouteView[] all entries of its destination
---@return ecmp.Held|nil, string? message, string? code
function M.hold(nl, entry, hops, list)
  local beside = lookup.beside(list, entry)
  local named = { route = { dst = entry.dst } }
  if #beside > 1 and (entry.family == 6 or not rawequal(beside[1], entry)) then
    return refuse(named, "suspend", "another route stands beside it", "EBUSY")
  end
  local group
  if entry.nhid then
    local message, code
    group, message, code = group_of(nl, entry.nhid)
    if not group then
      return refuse(named, "suspend", message, code)
    end
  end
  local plain = {}
  for i, hop in ipairs(hops) do
    local via = hop.via
    if entry.family == 4 and via and via:find(":", 1, true) and not via:find "^inet6 " then
      via = "inet6 " .. via
    end
    plain[i] = { via = via, dev = hop.dev, weight = hop.weight, onlink = hop.onlink,
      encap = hop.encap, realm = hop.realm }
  end
  return setmetatable(suspension.new(entry.family, entry:copy(), plain, group), held_mt)
end

return M
