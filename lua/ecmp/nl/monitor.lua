---Events as they happen: `for event in nl:monitor { "route", "link" } do ... end`.
--
-- A monitor has a socket of its own; names of interfaces are asked over the handle's. When the
-- kernel drops events (ENOBUFS) the loop gets one event of verb "overrun", and then what changed
-- unseen, found by comparing the lists of before and after: nobody has to start over by himself.
--
-- The same comparison tells what the kernel does without a word: routes and next-hop objects that
-- go, die or revive with a link or an address, routes that go or lose a hop with a next-hop object.
-- And it makes a change of the loss of one hop of an IPv6 route, where the kernel tells of a
-- deletion.

local known = require "ecmp.nl.cache"
local object = require "ecmp.nl.object"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown
local sys = require "ecmp.sys"

rtnl.own()

---@class ecmp.Event
---@field object "route"|"nexthop"|"link"|"addr"|"neigh"|"rule"|"monitor" the last for an overrun
---@field verb "add"|"change"|"del"|"overrun"
---@field value ecmp.View|nil nil for an overrun
---@field append true|nil an added route stands behind others of its destination, table and metric

---@class ecmp.Monitor
local methods = {}
local mt = { __name = "ecmp.Monitor", __index = methods }

local M = {}

local kinds <const> = {
  route = true, nexthop = true, link = true, addr = true, neigh = true, rule = true,
}

local function snapshot(self, wanted)
  local all = {}
  for kind in pairs(wanted) do
    local list, message, code = self.nl[kind]:list(kind == "route" and { table = "all" } or nil)
    if not list then
      return nil, message, code
    end
    all[kind] = known.new(kind, list)
  end
  return all
end

local event_mt = { __name = "ecmp.Event" }

function mt:__tostring()
  return ("monitor of %s on %s"):format(table.concat(self.objects, ", "),
    self.nl.where or "this namespace")
end

-- As `ip monitor` prints it.
function event_mt:__tostring()
  if self.verb == "overrun" then
    return "overrun"
  end
  return (self.verb == "del" and "Deleted " or "") .. tostring(self.value)
end

local function new_event(kind, verb, view, append)
  return setmetatable({ object = kind, verb = verb, value = view, append = append }, event_mt)
end

local function push(self, kind, verb, view, append)
  self.queue[#self.queue + 1] = new_event(kind, verb, view, append)
end

-- How a link is, as far as what leads over it is concerned.
local function condition(link)
  return ("%s %s"):format(link.up, link.lower_up)
end

local function watched(objects)
  local wanted = {}
  for _, kind in ipairs(objects) do
    wanted[kind] = true
  end
  return wanted
end

-- Takes note of a link; of one that went, when what went with it was told.
local function note_link(self, link, gone)
  self.links[link.index] = not gone and condition(link) or nil
  self.names[link.index] = not gone and link.name or nil
end

-- Routes and next-hop objects go with links and addresses: these are listened to as well. And
-- events name links that may be gone when they are read.
local function listen(self, wanted)
  local heard = { addr = wanted.route or wanted.nexthop, nexthop = wanted.route }
  heard.link = heard.addr or wanted.addr or wanted.neigh
  local links = heard.link
  for kind in pairs(wanted) do
    heard[kind] = true
  end
  for kind in pairs(heard) do
    local ok, message, code = self.socket:subscribe(kind)
    if not ok then
      return nil, message, code
    end
  end
  if not links then
    return true
  end
  local list, message, code = self.nl.link:list()
  for _, link in ipairs(list or {}) do
    note_link(self, link)
  end
  return list and true, message, code
end

-- Whether a link or an address may have taken routes and next-hop objects with it, or given them
-- back.
local function concerns_both(self, view)
  if view:object() == "addr" then
    return view:verb() == "del"
  elseif view:object() ~= "link" then
    return false
  end
  local before = self.links[view.index]
  note_link(self, view, view:verb() == "del")
  return before ~= nil and before ~= self.links[view.index]
end

-- A route that was put behind another, which then went: one change, where nobody was told yet.
local function follows(self, kind, view)
  local last = #self.queue > self.at and self.queue[#self.queue]
  return last and last.append and last.object == kind
    and rawequal(self.known[kind]:alone(view), last.value) and last
end

-- What bridges tell of their ports and of addresses behind them looks like news of links and
-- neighbours: a port that leaves its bridge, like a link that went.
local BRIDGE <const> = 7

local function of_bridge(view, kind)
  return (kind == "link" or kind == "neigh") and view:bytes():byte() == BRIDGE
end

-- Of a kind that is watched, only a list can tell what there is now.
local function outdate(self, kind)
  self.stale[kind] = self.known[kind] and true or self.stale[kind]
end

-- What stale kinds are told is part of the list that will be read.
local function take(self, views)
  for _, view in ipairs(views) do
    local kind = view:object()
    local bridge = of_bridge(view, kind)
    if bridge then
      outdate(self, "link")
    elseif concerns_both(self, view) then
      outdate(self, "route")
      outdate(self, "nexthop")
    elseif kind == "nexthop" and view:verb() == "del" then
      outdate(self, "route") -- of IPv4 routes that go with it the kernel says nothing
    end
    self.missed = self.missed or self.stale[kind] or false
    if self.known[kind] and not self.stale[kind] and not bridge then
      local verb, append = self.known[kind]:apply(view)
      local changed = verb == "del" and follows(self, kind, view)
      if changed then
        changed.verb, changed.append = "change", nil
      elseif verb == "unsure" then
        self.stale[kind] = true
      elseif verb then
        push(self, kind, verb, view, append)
      end
    end
  end
end

-- Reads what has come; after an overrun nothing is known for sure.
local function read(self, timeout)
  local views, message, code = self.socket:receive(timeout, self.nl.socket, self.names)
  if views then
    take(self, views)
  elseif code == "ENOBUFS" then
    if not self.lost then
      push(self, "monitor", "overrun")
    end
    self.lost, self.missed, self.stale = true, true, watched(self.objects)
  else
    return nil, message, code
  end
  return true
end

-- Reads what has come. Not for ever, where changes never end.
local function drain(self, most)
  local reads = 0
  while reads < (most or 1000) and read(self, 0) do
    reads = reads + 1
  end
end

-- How often a list is read again because something changed meanwhile. What the last one may hold
-- already is told only if it is news.
local TRIES <const> = 3

-- More than a buffer holds: what it held before a list is read makes no other one necessary.
local BUFFERED <const> = 100000

-- Reads the stale kinds anew, so that no notification of before is left to be told again.
local function look(self)
  local now, message, code
  drain(self, BUFFERED)
  for i = 1, TRIES do
    now, message, code = snapshot(self, self.stale)
    if not now or i == TRIES then
      break
    end
    self.missed = false
    drain(self)
    if not self.missed then
      break
    end
  end
  return now, message, code
end

-- Listens first and looks then, so that nothing falls in between.
local function start(self, options)
  local ok, message, code = true, nil, nil
  if options and options.buffer then
    ok, message, code = self.socket:buffer(options.buffer)
  end
  local wanted = watched(self.objects)
  if ok then
    ok, message, code = listen(self, wanted)
  end
  local found
  if ok then
    self.stale = wanted
    found, message, code = look(self)
  end
  if not found then
    self.socket:close()
    return nil, message, code
  end
  self.known, self.stale, self.queue, self.lost = found, {}, {}, false
  if options and options.existing then
    for _, kind in ipairs(self.objects) do
      found[kind]:each(function(view, append) push(self, kind, "add", view, append) end)
    end
  end
  return self
end

local function check_seconds(seconds, least)
  if seconds ~= nil and (type(seconds) ~= "number" or seconds ~= seconds
    or seconds < least) then
    rtnl.throw(("timeout: seconds expected, got %s"):format(shown(seconds)))
  end
end

-- What the kernel's `int` takes.
local LARGEST <const> = 0x7fffffff

local function check_options(options)
  object.check_options("monitor", options, { timeout = true, buffer = true, existing = true })
  local buffer = options and options.buffer
  if buffer ~= nil and (math.type(buffer) ~= "integer" or buffer < 1 or buffer > LARGEST) then
    rtnl.throw(("buffer: bytes, 1 to %d, expected, got %s"):format(LARGEST, shown(buffer)))
  end
  check_seconds(options and options.timeout, 0)
end

local function check_objects(objects)
  if type(objects) ~= "table" or #objects == 0 then
    rtnl.throw("monitor: a list of objects expected, such as { \"route\", \"link\" }")
  end
  for key, kind in pairs(objects) do
    if math.type(key) ~= "integer" then
      rtnl.throw(("%s: options stand in a second table"):format(shown(key)))
    elseif not kinds[kind] then
      rtnl.throw(("[%d]: '%s' is none of route, nexthop, link, addr, neigh, rule")
        :format(key, shown(kind)))
    end
  end
end

---Listens for events of these kinds. See `nl:monitor`.
---@param nl ecmp.Handle
---@param objects string[]
---@param options? { timeout: number, buffer: integer, existing: boolean }
---@return ecmp.Monitor|nil
---@return string? message
---@return string? code
function M.new(nl, objects, options)
  check_objects(objects)
  check_options(options)
  local fd = nl.socket:netns()
  local socket, message, code = rtnl.open(fd and ("/proc/self/fd/%d"):format(fd) or nil)
  if not socket then
    return nil, message, code
  end
  local self = { nl = nl, socket = socket, objects = objects, timeout = options and options.timeout,
                 links = {}, names = {}, known = {}, stale = {}, queue = {}, at = 0 }
  return start(setmetatable(self, mt), options)
end

local function from_queue(self)
  if self.at >= #self.queue then
    self.queue, self.at = {}, 0
    return nil
  end
  self.at = self.at + 1
  return self.queue[self.at]
end

-- Compares what is known of the stale kinds with what there is.
local function settle(self)
  local now, message, code = look(self)
  if not now then
    return nil, message, code
  end
  for _, kind in ipairs(self.objects) do
    if now[kind] then
      self.known[kind]:difference(now[kind], function(verb, view, append)
        push(self, kind, verb, view, append)
      end)
      self.known[kind] = now[kind]
    end
  end
  self.stale, self.lost = {}, false
  return true
end

-- How long to wait, in seconds, before a list that changes kept from being read is read again.
local PAUSE <const> = 0.1

-- Takes in what comes until the deadline, and looks at what is stale. A signal ends the wait for
-- nothing more than its handler's turn.
local function hear(self, deadline)
  local left = deadline and math.max(0, deadline - sys.monotonic())
  local stale = next(self.stale)
  local ok, message, code = read(self, stale and math.min(left or PAUSE, PAUSE) or left)
  if ok then
    drain(self)
  elseif code == "EINTR" then
    return true
  end
  if next(self.stale) then
    ok, message, code = settle(self)
    if code == "EINTR" and not (deadline and deadline <= sys.monotonic()) then
      return true
    end
  end
  return ok, message, code
end

---The next event; waits for it.
---@param timeout? number seconds; absent: the monitor's own, else for ever
---@return ecmp.Event|nil
---@return string? message
---@return string? code # "EAGAIN": time is up; others: a list could not be read anew ("EINTR":
---changes came in between), which is tried again when the next event is asked for
function methods:next(timeout)
  check_seconds(timeout, -math.huge) -- what is left of some time may be less than nothing
  timeout = timeout or self.timeout
  local deadline = timeout and sys.monotonic() + timeout
  local event = from_queue(self)
  while not event do
    local ok, message, code = hear(self, deadline)
    event = from_queue(self)
    if not ok and not event then
      return nil, message, code
    end
  end
  return event
end

-- A loop ends when the time is up or the monitor is closed within; what is refused raises.
function mt:__call()
  if self.closed then
    return nil
  end
  local event, message, code = self:next()
  if not event and code ~= "EAGAIN" then
    error(message, 2)
  end
  return event
end

---The descriptor to wait on in an event loop; when it is readable, call `next(0)` until it returns
---nil.
---@return integer
function methods:fd()
  return self.socket:fd()
end

---Stops listening; closing twice is fine.
function methods:close()
  self.socket:close()
  self.closed, self.queue, self.at = true, {}, 0
end

mt.__close = methods.close
mt.__gc = methods.close

return M
