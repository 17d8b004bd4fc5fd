-- Events as they happen: `for event in nl:monitor { "route", "link" } do ... end`.
--
-- A monitor has a socket of its own; names of interfaces are asked over the handle's. When the
-- kernel drops events (ENOBUFS) the loop gets one event of verb "overrun", and then what changed
-- unseen, found by comparing the lists of before and after: nobody has to start over by himself.
--
-- The same comparison tells what the kernel does without a word: routes and next-hop objects that
-- go, die or revive with a link or an address. And it makes a change of the loss of one hop of an
-- IPv6 route, where the kernel tells of a deletion.

local rtnl = require "ecmp.rtnl"
local object = require "ecmp.object"
local sys = require "ecmp.sys"

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

local function snapshot(self, kinds_wanted)
  local all = {}
  for kind in pairs(kinds_wanted) do
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

-- Compares what is known of the stale kinds with what there is.
local function settle(self)
  local now, message, code = snapshot(self, self.stale)
  if not now then
    return nil, message, code
  end
  for _, kind in ipairs(self.objects) do
    if now[kind] then
      add_changes(self.queue, kind, self.known[kind], now[kind])
      self.known[kind] = now[kind]
    end
  end
  self.stale = {}
  return true
end

-- How a link is, as far as what leads over it is concerned.
local function condition(link)
  return ("%s %s"):format(link.up, link.lower_up)
end

local function watched(objects)
  local wanted, links = {}, false
  for _, kind in ipairs(objects) do
    wanted[kind] = true
    links = links or kind == "route" or kind == "nexthop"
  end
  return wanted, links
end

-- Routes and next-hop objects go with links and addresses: these are listened to as well.
local function listen(self, wanted, links)
  local heard = { link = links or nil, addr = links or nil }
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
    self.links[link.index] = condition(link)
  end
  return list and true, message, code
end

-- Listens first and looks then, so that nothing falls in between.
local function start(self, options)
  local ok, message, code = true, nil, nil
  if options and options.buffer then
    ok, message, code = self.socket:buffer(options.buffer)
  end
  local wanted, links = watched(self.objects)
  if ok then
    ok, message, code = listen(self, wanted, links)
  end
  if ok then
    self.known, message, code = snapshot(self, wanted)
    ok = self.known
  end
  if not ok then
    self.socket:close()
    return nil, message, code
  end
  return self
end

---Listens for events of these kinds. See `nl:monitor`.
---@param nl ecmp.Handle
---@param objects string[]
---@param options? { timeout: number, buffer: integer }
---@return ecmp.Monitor|nil
---@return string? message
---@return string? code
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
  local socket, message, code = rtnl.open(fd and ("/proc/self/fd/%d"):format(fd) or nil)
  if not socket then
    return nil, message, code
  end
  return start(setmetatable({ nl = nl, socket = socket, objects = objects, queue = {}, at = 0,
                              links = {}, stale = {}, timeout = options and options.timeout }, mt),
    options)
end

local function from_queue(self)
  if self.at >= #self.queue then
    self.queue, self.at = {}, 0
    return nil
  end
  self.at = self.at + 1
  return self.queue[self.at]
end

-- Keeps what is known up to date, so that a comparison finds only what was missed.
local function note(self, kind, view, verb)
  local known = self.known[kind]
  local id = identities[kind](view)
  if verb == "del" then
    known.found[id] = nil
  else
    if not known.found[id] then
      known.order[#known.order + 1] = id
    end
    local beside = verb == "add" and known.found[id] -- another IPv4 entry of the same place
    local text = (beside and beside.text .. "\n" or "") .. tostring(view)
    known.found[id] = { view = view, text = text }
  end
end

-- Whether a link or an address may have taken routes and next-hop objects with it, or given them
-- back.
local function concerns_routes(self, view)
  if view:object() == "addr" then
    return view:verb() == "del"
  elseif view:object() ~= "link" then
    return false
  end
  local before = self.links[view.index]
  self.links[view.index] = view:verb() ~= "del" and condition(view) or nil
  return before ~= nil and before ~= self.links[view.index]
end

-- One hop of an IPv6 route of several, or an IPv4 entry of a place that holds several: what is left
-- is listed.
local function is_part(self, view)
  if view:object() ~= "route" or view:verb() ~= "del" then
    return false
  end
  local known = self.known.route.found[identities.route(view)]
  return known ~= nil and known.text ~= tostring(view)
end

local function take(self, views)
  for _, view in ipairs(views) do
    local kind, verb = view:object(), view:verb()
    if concerns_routes(self, view) then
      self.stale.route, self.stale.nexthop = self.known.route and true, self.known.nexthop and true
    end
    local known = self.known[kind]
    if known and is_part(self, view) then
      self.stale.route = true
    elseif known then
      local held = known.found[identities[kind](view)]
      if verb == "add" and held and not (kind == "route" and view.family == 4) then
        verb = "change" -- the kernel says only that there is news of it
      end
      note(self, kind, view, verb)
      self.queue[#self.queue + 1] = { object = kind, verb = verb, value = view }
    end
  end
end

-- Reads what has come; after an overrun nothing is known for sure.
local function read(self, timeout)
  local views, message, code = self.socket:receive(timeout, self.nl.socket)
  if views then
    take(self, views)
  elseif code == "ENOBUFS" then
    self.queue[#self.queue + 1] = { object = "monitor", verb = "overrun" }
    self.stale = watched(self.objects)
  else
    return nil, message, code
  end
  return true
end

-- What is queued is older than the list that is read then. Not for ever, where changes never end.
local function drain(self)
  for _ = 1, 1000 do
    if not read(self, 0) then
      return
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
  timeout = timeout or self.timeout
  local deadline = timeout and sys.monotonic() + timeout
  while not event do
    local ok, message, code = read(self, deadline and math.max(0, deadline - sys.monotonic()))
    if ok and next(self.stale) then
      drain(self)
      ok, message, code = settle(self)
    end
    if not ok then
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
