---The loop of `ecmp watch`: segments, their vantage points and gateways, and what is to be done
---when one of them dies or comes back. One thread, one poll; decisions are ecmp.health.gateway's.
local attachment_of = require "ecmp.health.attachment"
local bfd_link = require "ecmp.health.bfd_link"
local gateway_rules = require "ecmp.health.gateway"
local kernel = require "ecmp.health.kernel"
local state = require "ecmp.health.state"
local sys = require "ecmp.sys"
local vantage_of = require "ecmp.health.vantage"

local Watcher <const> = {}
Watcher.__index = Watcher

local M = {}

local MOST_VANTAGES <const> = 2
local RESCAN <const> = 1       -- seconds between looks at what there is to watch
local STATUS_EVERY <const> = 10
local GROUPS_EVERY <const> = 2 -- between looks at groups that a carrier may have taken
-- A family of a segment that was changed this often within a minute waits with returns.
local CALM <const>, CALM_EDITS <const> = 60, 3

---@param options table `{ list = fun(): table[]? (descriptions of attachments, nil where nothing
---changed), log = fun(event: table), dry?: boolean, decide? = fun(event, ctx): string? }`
---@return table watcher
function M.new(options)
  return setmetatable({ options = options, attachments = {}, segments = {}, edits = 0, failed = 0,
    unread = {}, next_scan = 0, next_status = 0, next_groups = 0 }, Watcher)
end

local function log(self, event) self.options.log(event) end

-- Segments -------------------------------------------------------------------------------------

local function segment_of(self, description)
  local name <const> = description.segment
  local segment = self.segments[name]
  if not segment then
    segment = { name = name, config = description.health, members = {}, vantages = {},
      gateways = {}, next = 0, changes = { [4] = {}, [6] = {} } }
    self.segments[name] = segment
  end
  return segment
end

-- A gateway that an earlier watcher took out is out still, and did answer once.
local function add_gateways(segment, attachment, now)
  local out <const> = attachment:out()
  for name, gateway in pairs(attachment:gateways()) do
    if not segment.gateways[name] then
      local g <const> = gateway_rules.new(segment.config)
      g.via, g.family, g.dev, g.network = gateway.via, gateway.family, gateway.dev,
        attachment.network
      if out[name] then
        g.ever, g.out, g.since, g.times = true, true, now, { now }
      end
      segment.gateways[name] = g
    end
  end
end

local function close_vantage(segment, vantage)
  vantage:close()
  for i, one in ipairs(segment.vantages) do
    if one == vantage then table.remove(segment.vantages, i) end
  end
end

-- Two pods probe where there are two; BFD is between the host and the gateway.
local function fill_vantages(segment)
  if segment.config.probe == "bfd" or segment.config.probe == "none" then return end
  for _, member in ipairs(segment.members) do
    if #segment.vantages >= MOST_VANTAGES then return end
    local taken = false
    for _, vantage in ipairs(segment.vantages) do taken = taken or vantage.attachment == member end
    if not taken and next(member:gateways()) and member:is_alive() then
      segment.vantages[#segment.vantages + 1] = vantage_of.new(member, segment.config)
    end
  end
end

local function open_sessions(self, segment)
  if segment.config.probe ~= "bfd" then return end
  local wanted <const> = {}
  for name, g in pairs(segment.gateways) do wanted[#wanted + 1] = name .. " " .. g.via end
  table.sort(wanted)
  local names <const> = table.concat(wanted, " ")
  if segment.bfd_names == names then return end
  if segment.bfd then segment.bfd:close() end
  local message
  segment.bfd_names = names
  segment.bfd, message = bfd_link.new(segment.config, segment.gateways, segment.config.source_netns)
  if not segment.bfd then
    log(self, { event = "error", segment = segment.name, message = message })
  end
end

local function drop(self, attachment)
  local segment <const> = attachment.home
  self.attachments[attachment.name] = nil
  for i, member in ipairs(segment.members) do
    if member == attachment then table.remove(segment.members, i) end
  end
  for i = #segment.vantages, 1, -1 do
    if segment.vantages[i].attachment == attachment then
      close_vantage(segment, segment.vantages[i])
    end
  end
  if #segment.members == 0 then
    if segment.bfd then segment.bfd:close() end
    self.segments[segment.name] = nil
  else
    fill_vantages(segment)
  end
end

-- Adds the groups of an attachment, and the routes by them, that the kernel dropped.
local function repair_groups(self, attachment)
  if self.options.dry or not attachment.objects or not attachment:is_alive() then return end
  local count <const> =
    kernel.repair_groups(attachment.netns, attachment.objects, attachment.by_group)
  if not count or count == 0 then return end
  log(self, { event = "repaired", attachment = attachment.name, objects = count })
  return true
end

local function add(self, description, now)
  local attachment <const> = attachment_of.new(description)
  attachment.description = description
  repair_groups(self, attachment)
  local ok <const>, message <const> = attachment:read()
  if not ok then return nil, message end
  local segment <const> = segment_of(self, description)
  attachment.home = segment
  segment.members[#segment.members + 1] = attachment
  self.attachments[attachment.name] = attachment
  add_gateways(segment, attachment, now)
  fill_vantages(segment)
  segment.dirty = true
  return attachment
end

-- Adds attachments; those whose routes cannot be read are tried again at the next scan.
local function add_all(self, descriptions, now)
  local unread <const> = {}
  for _, description in pairs(descriptions) do
    local name <const> = description.name
    local ok <const>, message <const> = add(self, description, now)
    if not ok then
      local before <const> = self.unread[name]
      if not before or before.message ~= message then
        log(self, { event = "error", attachment = name, message = message })
      end
      unread[name] = { description = description, message = message }
    end
  end
  self.unread = unread
  for _, segment in pairs(self.segments) do open_sessions(self, segment) end
end

---Looks at what there is to watch.
---@param now number
function Watcher:scan(now)
  self.next_scan = now + RESCAN
  local list <const> = self.options.list()
  if not list then
    local again <const> = {}
    for _, one in pairs(self.unread) do again[#again + 1] = one.description end
    if #again > 0 then add_all(self, again, now) end
    return
  end
  local there <const> = {}
  for _, description in ipairs(list) do there[description.name] = description end
  local gone <const> = {}
  for name, attachment in pairs(self.attachments) do
    local description <const> = there[name]
    if not description or description.mark ~= attachment.mark then gone[#gone + 1] = attachment end
  end
  for _, attachment in ipairs(gone) do
    drop(self, attachment)
    if not self.options.dry then state.remove_ended(attachment.name) end
  end
  local new <const> = {}
  for _, description in ipairs(list) do
    if not self.attachments[description.name] then new[#new + 1] = description end
  end
  add_all(self, new, now)
  self.status_due = true
end

-- Edits ----------------------------------------------------------------------------------------

local function sync(self, segment)
  segment.dirty = false
  if self.options.dry then return end
  local function is_out(name)
    local g <const> = segment.gateways[name]
    return g ~= nil and g.out
  end
  for _, family in ipairs { 4, 6 } do
    local began <const>, done = sys.monotonic(), 0
    for _, member in ipairs(segment.members) do
      member:sync(family, is_out, segment.config.min, function(entry, ok, message)
        if ok then
          done, self.edits = done + 1, self.edits + 1
        else
          self.failed = self.failed + 1
          log(self, { event = "error", attachment = member.name, route = entry.key.dst,
            message = message })
        end
      end)
    end
    if done > 0 then
      table.insert(segment.changes[family], began)
      log(self, { event = "edited", segment = segment.name, family = family, routes = done,
        milliseconds = math.floor((sys.monotonic() - began) * 1000 + 0.5) })
    end
  end
end

-- A script of the site has the last word, once for each gateway.
local function keeps(self, segment, name, g)
  if not (segment.config.script and self.options.decide) then return false end
  local answer <const>, message <const> = self.options.decide(segment.config, {
    gateway = g.via, dev = g.dev, network = g.network, segment = segment.name, state = "down" })
  if answer == nil then
    log(self, { event = "error", segment = segment.name, gateway = name, message = message })
  end
  return answer == "keep"
end

local function seen_of(segment, name, now)
  if segment.config.probe == "bfd" then
    return segment.bfd and segment.bfd:seen(name)
  end
  local seen <const> = { answered = false, missed = true, streak = 0 }
  local count = 0
  for _, vantage in ipairs(segment.vantages) do
    local d <const> = vantage.detectors[name]
    if d then
      count = count + 1
      seen.answered = seen.answered or d.last_answer ~= nil
      seen.missed = seen.missed and vantage_of.is_missed(d, now)
      seen.streak = math.max(seen.streak, d.unanswered <= 1 and d.streak or 0)
    end
  end
  return count > 0 and seen or nil
end

-- Whether all gateways of a family count as dead, so that all of them are in the routes.
local function is_open(segment, family)
  local up = 0
  for _, g in pairs(segment.gateways) do
    if g.family == family and not g.out then up = up + 1 end
  end
  return up < math.max(segment.config.min, 1)
end

-- A gateway that flaps waits with its return, except where dead gateways are in the routes because
-- fewer than `min` are up.
local function is_calm(segment, family, now)
  if is_open(segment, family) then return true end
  local recent <const> = {}
  for _, time in ipairs(segment.changes[family]) do
    if now - time < CALM then recent[#recent + 1] = time end
  end
  segment.changes[family] = recent
  return #recent < CALM_EDITS
end

local function decide_one(self, segment, name, g, now)
  local seen <const> = seen_of(segment, name, now)
  if not seen then return end
  local session <const> = segment.bfd and segment.bfd:state(name)
  self.status_due = self.status_due or session ~= g.session
  g.session = session
  g.answers = not seen.missed
  if g.out and not is_calm(segment, g.family, now) then return end
  local had_answered <const> = g.ever
  local decision <const> = gateway_rules.decide(g, now, seen)
  self.status_due = self.status_due or had_answered ~= g.ever
  if not decision then return end
  if decision == "withdraw" and keeps(self, segment, name, g) then
    gateway_rules.keep(g)
    if not g.kept then log(self, { event = "kept", segment = segment.name, gateway = name }) end
    g.kept = true
    return
  end
  g.kept = nil
  segment.dirty = true
  log(self, { event = decision, segment = segment.name, gateway = name, network = g.network })
  self.status_due = true
end

local function decide(self, segment, now)
  for name, g in pairs(segment.gateways) do decide_one(self, segment, name, g, now) end
  if segment.dirty then sync(self, segment) end
end

-- Groups that the kernel dropped with a carrier -------------------------------------------------

local function repair_all_groups(self, now)
  self.next_groups = now + GROUPS_EVERY
  local unread <const> = {}
  for _, attachment in pairs(self.attachments) do
    if repair_groups(self, attachment) then
      local ok <const>, message <const> = attachment:read()
      -- All gateways are in the routes again, those that are dead, too.
      attachment.home.dirty = true
      if not ok then unread[#unread + 1] = { attachment = attachment, message = message } end
    end
  end
  for _, one in ipairs(unread) do
    drop(self, one.attachment)
    self.unread[one.attachment.name] =
      { description = one.attachment.description, message = one.message }
  end
end

-- The loop -------------------------------------------------------------------------------------

-- A round of probes; a quarter earlier at most, so that rounds of segments do not fall into step.
local function pause(segment)
  local jitter <const> = 0.75 + 0.25 * string.unpack("B", sys.random(1)) / 255
  return segment.config.interval / 1000 * jitter
end

local function tick(segment, now)
  if segment.bfd then segment.bfd:tick(now) end
  if now < segment.next then return end
  segment.next = now + pause(segment)
  for i = #segment.vantages, 1, -1 do
    local vantage <const> = segment.vantages[i]
    if not vantage:tick(now) then
      close_vantage(segment, vantage)
      fill_vantages(segment)
    end
  end
end

local function drain(segment, now)
  for _, vantage in ipairs(segment.vantages) do vantage:drain(now) end
  if segment.bfd then segment.bfd:drain(now) end
end

local function due_of(segment)
  local first = #segment.vantages > 0 and segment.next or math.huge
  for _, vantage in ipairs(segment.vantages) do
    first = math.min(first, vantage:due() or math.huge)
  end
  return math.min(first, segment.bfd and segment.bfd:due() or math.huge)
end

---The sockets to wait for, beside those of the caller.
---@return table[] handles
function Watcher:handles()
  local handles <const> = {}
  for _, segment in pairs(self.segments) do
    for _, vantage in ipairs(segment.vantages) do
      table.move(vantage.handles, 1, #vantage.handles, #handles + 1, handles)
    end
    local more <const> = segment.bfd and segment.bfd.handles or {}
    table.move(more, 1, #more, #handles + 1, handles)
  end
  return handles
end

---When to call `step` at the latest.
---@return number moment
function Watcher:due()
  local first = math.min(self.next_scan, self.next_groups)
  for _, segment in pairs(self.segments) do first = math.min(first, due_of(segment)) end
  return first
end

---Does what is to be done now: answers first, so that a watcher that was late misses nobody.
function Watcher:step()
  local now = sys.monotonic()
  if now >= self.next_scan then self:scan(now) end
  for _, segment in pairs(self.segments) do drain(segment, now) end
  for _, segment in pairs(self.segments) do
    decide(self, segment, now)
    tick(segment, now)
  end
  if now >= self.next_groups then repair_all_groups(self, now) end
  now = sys.monotonic()
  if self.status_due or now >= self.next_status then
    self.status_due, self.next_status = false, now + STATUS_EVERY
    if not self.options.dry then state.write_status(self:status()) end
  end
end

---The state of all gateways, as plain data for `--status`.
---@return table status
function Watcher:status()
  local list <const> = {}
  for _, segment in pairs(self.segments) do
    for name, g in pairs(segment.gateways) do
      list[#list + 1] = {
        segment = segment.name, gateway = g.via, dev = g.dev, network = g.network,
        state = g.out and "out" or g.ever and "up" or "unknown", probe = segment.config.probe,
        bfd = segment.bfd and segment.bfd:state(name) or nil,
        pods = #segment.members, vantages = #segment.vantages,
      }
    end
  end
  table.sort(list, function(a, b)
    return a.segment .. a.gateway < b.segment .. b.gateway
  end)
  local routes, suspended = 0, 0
  for _, attachment in pairs(self.attachments) do
    routes = routes + #attachment.entries
    if next(attachment:out()) then suspended = suspended + 1 end
  end
  return { pid = sys.getpid(), time = sys.realtime(), gateways = list, edits = self.edits,
    failed = self.failed, routes = routes, suspended = suspended }
end

---Puts everything back: all hops of all routes.
---@return integer count of attachments that had hops out
function Watcher:restore()
  local count = 0
  for name in pairs(self.unread) do
    local routes <const>, wrong <const> = state.read(name)
    if routes or wrong then self.failed = self.failed + 1 end
  end
  for _, attachment in pairs(self.attachments) do
    if next(attachment:out()) then count = count + 1 end
    -- also where all are in: one that was killed may have left the state file
    for _, family in ipairs { 4, 6 } do
      attachment:sync(family, function() return false end, 1, function(entry, ok, message)
        if not ok then
          self.failed = self.failed + 1
          log(self, { event = "error", attachment = attachment.name, route = entry.key.dst,
            message = message })
        end
      end)
    end
  end
  return count
end

function Watcher:close()
  for _, segment in pairs(self.segments) do
    for _, vantage in ipairs(segment.vantages) do vantage:close() end
    if segment.bfd then segment.bfd:close() end
  end
  self.segments, self.attachments = {}, {}
end

Watcher.__close = Watcher.close

return M
