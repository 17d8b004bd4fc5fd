---A handle on one namespace: `nl.route`, `nl.link`, `nl.addr`, ... and what concerns all of them.

local later = require "ecmp.later"
local rtnl = require "ecmp.rtnl"
local object = require "ecmp.nl.object"
local edit = later "ecmp.nl.edit"
local refusal = later "ecmp.nl.diagnose"
local route = require "ecmp.nl.route"
local shown = require("ecmp.errors").shown

rtnl.own()

---@class ecmp.Handle
---@field route ecmp.Route
---@field nexthop ecmp.Nexthop
---@field bucket ecmp.Bucket of resilient groups of next-hop objects: list, get
---@field link ecmp.Link
---@field addr ecmp.Addr
---@field rule ecmp.Rule
---@field neigh ecmp.Neigh
---@field vlan ecmp.Vlan VLANs of the ports of bridges, as of `bridge vlan`: add, del, list
---@field sysctl ecmp.Sysctl
local methods = {}
local mt = { __name = "ecmp.Handle", __index = methods }

local M = {}

-- Loaded when somebody waits.
local function wait_for_link(self, filter, ...)
  object.check_rest("link", "wait", 1, ...)
  return require "ecmp.nl.wait"(self.nl, filter)
end

---Opens a handle. See `ecmp.open`.
---@param options? { netns: string|integer }
---@return ecmp.Handle|nil
---@return string? message
---@return string? code
function M.open(options)
  object.check_options("open", options, { netns = true })
  local netns = options and options.netns
  if netns ~= nil and type(netns) ~= "string" and math.type(netns) ~= "integer" then
    rtnl.throw(("netns: path, name or pid expected, got %s"):format(type(netns)))
  end
  local socket, message, code = rtnl.open(netns and tostring(netns))
  if not socket then
    return nil, message, code
  end
  local nl = { socket = socket, where = netns and tostring(netns) }
  nl.route = route.new(nl)
  for _, kind in ipairs { "nexthop", "bucket", "link", "addr", "rule", "neigh", "vlan" } do
    nl[kind] = object.new(nl, kind)
  end
  nl.link.wait = wait_for_link
  nl.sysctl = require "ecmp.nl.sysctl".new(nl)
  return setmetatable(nl, mt)
end

---Closes the handle; closing twice is fine.
function methods:close()
  self.socket:close()
end

mt.__close = methods.close
mt.__gc = methods.close

function mt:__tostring()
  return ("ecmp handle on %s"):format(self.where or "this namespace")
end

---The socket's descriptor, for event loops.
---@return integer
function methods:fd()
  return self.socket:fd()
end

local ORDERS <const> = { keep = true, free = true, apart = true }

-- Naming takes a request for each hop; of many refusals the first tell what is wrong.
local NAMED_MOST <const> = 1000

-- Says of a refused route of a batch what its verb would say, and takes out of another what that
-- can no longer bear.
local function tell(nl, change, result, named)
  local verb = change[1]:match "^%s*route%s+(%l+)"
  if not verb or verb == "del" or named > NAMED_MOST and not result.joined then
    return named
  end
  local asked = object.as_table(change[3] and change[2][change[3]] or change[2], "route", verb)
  if result.joined then
    local _, message = edit.part(nl, verb, asked, result.joined)
    result.message, result.joined = message, nil
  else
    result.message = refusal.name_hop(nl, verb, asked, result.message, result.code)
  end
  return named + 1
end

---Makes many changes with many in flight, each by one message: what it does is what the kernel
---does. That is less than the verbs of `nl.route` do, which look before and after.
---
---"route del" takes no single hop out of an IPv4 route of several; there `metric = 0` is any
---metric, and `nexthops` with more at the end than the route has will do. In IPv6 it takes the
---hops listed one by one (and answers ESRCH where one was missing), a whole route for the `proto`
---of one of its hops, and a plain one for a `from` that no route has; `src`, `pref`, `encap` and
---metrics such as `mtu` it does not compare: refused (EINVAL) where no next hop tells the route.
---
---"route replace" replaces the first of several IPv4 entries of a key, or in IPv6 those of its
---kind, and leaves the others.
---@param changes table[] each `{ "OBJECT VERB", value }`, such as `{ "route add", { dst = ..., via
---= ... } }`
---@param options? { order: "keep"|"free"|"apart", share: boolean } "free": the changes do not
---depend on each other and are sent in the order the kernel likes best; "apart": no two are of one
---place, and the order is kept where one of them may lead to the gateway of another; share:
---next-hop sets that repeat become next-hop objects
---@return (true|{ message: string, code: string })[]|nil results # one for each change, in order
---@return string? first_error the message of the first that was refused
function methods:batch(changes, options)
  if type(changes) ~= "table" or #changes == 0 and next(changes) ~= nil then
    rtnl.throw("batch: a list of changes expected, each { \"route add\", { ... } }")
  end
  object.check_options("batch", options, { order = true, share = true })
  local order = options and options.order or "keep"
  if not ORDERS[order] then
    rtnl.throw(("order: 'keep', 'free' or 'apart' expected, got '%s'"):format(shown(order)))
  end
  object.check_changes(changes)
  local results
  if options and options.share then
    results = require "ecmp.nl.sharing".batch(self, changes, order ~= "keep" and order)
  else
    results = self.socket:batch(changes, order ~= "keep" and order)
  end
  local named, first = 0, nil
  for i, result in ipairs(results) do
    if result ~= true then
      named = tell(self, changes[i], result, named)
      first = first or result.message
    end
  end
  return results, first
end

---Makes routes so, by the least changes: plan and apply in one. Routes of protocol boot and static,
---in the tables and families of `wanted`, that are not wanted are deleted, the default route too. A
---program that keeps routes of its own gives them a protocol (`proto = 99` in each, and the option
---`proto = 99`) or a table.
---@param wanted (table|string)[] as for `ecmp.plan`
---@param options? table `proto`, `table`, `family` as of `ecmp.plan` with a handle; `each`: what is
---refused does not keep the rest out; `progress` and `undoing` as of `plan:begin`
---@return table|nil plan what was to be changed; with `each`, those in `failed` were not
---@return table[]|string failed `{ change, route, message, code }` of each that was refused, with
---`each`; or the message
---@return string? code
function methods:reconcile(wanted, options, ...)
  object.check_rest("nl", "reconcile", 2, ...)
  return self.reconciler(self, wanted, options)
end

---Starts a transaction: what is changed through this handle until it ends is undone at scope exit
---unless committed. A handle has one at a time.
---@return ecmp.Transaction # has the objects and verbs of the handle, `commit` and `rollback`
function methods:begin()
  self.socket:fd() -- raises on a closed handle
  return require "ecmp.nl.transaction".begin(self)
end

---Events as they happen. A loop over them ends when the time is up or the monitor is closed; what
---keeps it from knowing what there is raises, where `next` says so.
---@param objects string[] of "route", "nexthop", "link", "addr", "rule", "neigh"
---@param options? { timeout: number, buffer: integer, existing: boolean } timeout: seconds without
---an event that end the loop; buffer: of what is received, in bytes; existing: first an event of
---verb "add" for all there is
---@return ecmp.Monitor|nil # an iterator with `fd`, `next` and `close`
---@return string? message
---@return string? code
function methods:monitor(objects, options)
  return require "ecmp.nl.monitor".new(self, objects, options)
end

return M
