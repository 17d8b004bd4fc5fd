---The public face: what README and the examples use. Parts are loaded when first touched, so that a
---plugin that only parses JSON pays for nothing else.

local M = {}

---The version of this program.
M._VERSION = "ecmp " .. require "ecmp.version"

local function reconcile(...)
  return require "ecmp.plan".reconcile(...)
end

---Opens a handle on a network namespace.
---@param options? { netns: string|integer } a path, a name under /run/netns, or a pid; absent: this
---namespace
---@return ecmp.Handle|nil handle # has `close`, `__close` and `__gc`
---@return string? message
---@return string? code # e.g. "ENOENT", "EPERM"
function M.open(options)
  require "ecmp.rtnl".own() -- a wrong call is the caller's, not this file's
  local nl <const>, message <const>, code <const> = require "ecmp.nl".open(options)
  if nl then nl.reconciler = reconcile end
  return nl, message, code
end

---Groups routes that share a key. Pure and linear.
---@param routes (table|string)[] routes in iproute2's words, views, or what `ip route add` takes
---@param key? fun(route: table): any[]
---@return table[] groups
function M.group(routes, key)
  return require "ecmp.group".group(routes, key)
end

---Applies a merge rule to routes. Pure and linear.
---@param routes (table|string)[]
---@param rule string|function|table a word ("ecmp", "separate", ...), a function with the shape of
---`merge`, or a rule
---@return table[]|nil routes
---@return string? message
---@return integer? code
function M.merge(routes, rule)
  return require "ecmp.rule".merge(routes, rule)
end

---Compares what is with what is wanted.
---@param current (table|string)[]|ecmp.Handle a list, or a handle whose kernel is read
---@param wanted (table|string)[] a field left out matches anything; what only `current` holds is
---deleted
---@param options? table `exactly`: what `wanted` leaves out is not to be there; with a handle also
---`proto`, `table` and `family` of the routes that are deleted where `wanted` does not have them
---(those of proto boot and static, in the tables and families that it names, unless said). `proto`
---does not set the protocol of wanted routes: each says its own, or is of boot
---@return table|nil plan # print it, or plan:apply(nl)
---@return string? message
---@return integer|string? code
function M.plan(current, wanted, options, ...)
  return require "ecmp.plan"(current, wanted, options, ...)
end

local parts <const> = { ip = "ecmp.ip", netns = "ecmp.netns", rule = "ecmp.rule", cni = "ecmp.cni",
                        flow = "ecmp.flow", json = "ecmp.json", sys = "ecmp.sys" }

return setmetatable(M, {
  __index = function(self, name)
    local value
    if name == "lab" then
      value = require "ecmp.lab".new
    elseif parts[name] then
      value = require(parts[name])
    elseif name == "_VERSION" then
      value = require "ecmp.version"
    else
      local known <const> = { lab = true, _VERSION = true }
      for key in pairs(self) do known[key] = true end
      for key in pairs(parts) do known[key] = true end
      require "ecmp.errors".unknown_name("ecmp", known, name)
    end
    rawset(self, name, value)
    return value
  end,
})
