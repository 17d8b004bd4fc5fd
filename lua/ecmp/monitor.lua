-- Events as they happen: `for event in nl:monitor { "route", "link" } do ... end`.
--
-- A monitor has a socket of its own; names of interfaces are asked over the handle's. When the
-- kernel drops events (ENOBUFS) the loop gets one event of verb "overrun", and then what changed
-- unseen, found by comparing the lists of before and after: nobody has to start over by himself.

local rtnl = require "ecmp.rtnl"
local object = require "ecmp.object"

rtnl.own()

---@class ecmp.Event
---@field object string "route", "nexthop", "link", "addr", "neigh" or "rule"
---@field verb string "add", "change", "del" or "overrun"
---@field value table|nil the view; nil for an overrun

---@class ecmp.Monitor
local methods = {}
local mt = { __name = "ecmp.Monitor", __index = methods }

local M = {}

local kinds <const> = {
  route = true, nexthop = true, link = true, addr = true, neigh = true, rule = true,
}

-- What identifies an object between two lists.
local identities <const> = {
  link = function(v) return v.index end,
  nexthop = function(v) return v.id end,
  addr = function(v) return v.dev .. " " .. v.address end,
  neigh = function(v) return v.dev .. " " .. tostring(v.dst) end,
  rule = function(v) return v.family .. " " .. tostring(v) end,
  route = function(v)
    return table.concat({ v.family, v.type, v.dst, v.table, v.metric or 0, v.tos or 0 }, " ")
  end,
}

-- Several IPv4 routes may share a key: their texts together stand for it.
local function by_identity(list, kind)
  local found, order = {}, {}
  for _, view in ipairs(list) do
    local id = identities[kind](view)
    local seen = found[id]
    if seen then
      seen.text = seen.text .. "\n" .. tostring(view)
    else
      found[id] = { view = view, text = tostring(view) }
      order[#order + 1] = id
    end
  end
  return found, order
end

local function snapshot(self)
  local all = {}
  for _, kind in ipairs(self.objects) do
    local list, message, code = self.nl[kind]:list(kind == "route" and { table = "all" } or nil)
    if not list then
      return nil, message, code
    end
    local found, order = by_identity(list, kind)
    all[kind] = { found = found, order = order }
  end
  return all
end

local function add_changes(queue, kind, before, now)
  for _, id in ipairs(before.order) do
    if before.found[id] and not now.found[id] then
      queue[#queue + 1] = { object = kind, verb = "del", value = before.found[id].view }
    end
  end
  for _, id in ipairs(now.order) do
    local old, new = before.found[id], now.found[id]
    if not old or old.text ~= new.text then
      queue[#queue + 1] = { object = kind, verb = old and "change" or "add", value = new.view }
    end
  end
end

local function resync(self)
  local now, message, code = snapshot(self)
  if not now then
    return nil, message, code
  end
  for _, kind in ipairs(self.objects) do
    add_changes(self.queue, kind, self.known[kind], now[kind])
  end
  self.known = now
  return true
end

---Listens for events of these kinds. See `nl:monitor`.
---@param nl ecmp.Handle
---@param objects string[]
---@param options? { timeout: number, buffer: integer }
---@return ecmp.Monitor
function M.new(nl, objects, options)
  object.check_options("monitor", options, { timeout = true, buffer = true })
  if type(objects) ~= "table" or #objects == 0 then
    rtnl.throw("monitor: a list of objects expected, such as { \"route\", \"link\" }")
  end
  for i, kind in ipairs(objects) do
    if not kinds[kind] then
      rtnl.throw(("[%d]: '%s' is none of route, nexthop, link, addr, neigh, rule")
        :format(i, tostring(kind)))
    end
  end
  local fd = nl.socket:netns()
  local socket = assert(rtnl.open(fd and ("/proc/self/fd/%d"):format(fd) or nil))
  local self = setmetatable({ nl = nl, socket = socket, objects = objects, queue = {}, at = 0,
                              timeout = options and options.timeout }, mt)
  if options and options.buffer then
    assert(socket:buffer(options.buffer))
  end
  for _, kind in ipairs(objects) do
    assert(socket:subscribe(kind))
  end
  self.known = assert(snapshot(self))
  return self
end

local function from_queue(self)
  if self.at >= #self.queue then
    self.queue, self.at = {}, 0
    return nil
  end
  self.at = self.at + 1
  return self.queue[self.at]
end

-- Keeps what is known up to date, so that a resync reports only what was missed.
-- (Members of an IPv6 group are told one by one, so after an overrun such a group may be reported
-- though it is unchanged.)
local function note(self, kind, view, verb)
  local known = self.known[kind]
  local id = identities[kind](view)
  if verb == "del" then
    known.found[id] = nil
  else
    if not known.found[id] then
      known.order[#known.order + 1] = id
    end
    known.found[id] = { view = view, text = tostring(view) }
  end
end

local function take(self, views)
  for _, view in ipairs(views) do
    local kind, verb = view:object(), view:verb()
    if self.known[kind] then
      if verb == "add" and kind ~= "route" and self.known[kind].found[identities[kind](view)] then
        verb = "change" -- the kernel says only that there is news of it
      end
      note(self, kind, view, verb)
      self.queue[#self.queue + 1] = { object = kind, verb = verb, value = view }
    end
  end
end

---The next event; waits for it.
---@param timeout? number seconds; absent: the monitor's own, else for ever
---@return ecmp.Event|nil # nil when the time is up or the monitor was closed
---@return string? message
---@return string? code # "EAGAIN": time is up
function methods:next(timeout)
  local event = from_queue(self)
  while not event do
    local views, message, code = self.socket:receive(timeout or self.timeout, self.nl.socket)
    if views then
      take(self, views)
    elseif code == "ENOBUFS" then
      self.queue[1] = { object = "monitor", verb = "overrun" }
      while self.socket:receive(0) do end -- what is queued is older than the list that is read now
      local ok
      ok, message, code = resync(self)
      if not ok then
        return nil, message, code
      end
    else
      return nil, message, code
    end
    event = from_queue(self)
  end
  return event
end

function mt:__call()
  return (self:next())
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
end

mt.__close = methods.close
mt.__gc = methods.close

return M
