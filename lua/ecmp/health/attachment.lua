---One attachment that is watched: a pod's interface by its record, or a namespace by the command
---line. It knows its routes, and brings them to where the gateways' state wants them.
local kernel = require "ecmp.health.kernel"
local state = require "ecmp.health.state"
local gateway_rules = require "ecmp.health.gateway"
local suspension = require "ecmp.fib.suspension"
local sys = require "ecmp.sys"

local Attachment <const> = {}
Attachment.__index = Attachment

local M = {}

-- Temporary objects of one route: two generations, of which one is there while the other is made.
local FIRST_ID <const>, PER_ROUTE <const>, GENERATION <const> = 1 << 30, 0x10000, 0x8000

---@param description table `{ name, network, netns, dev?, keys, objects?, groups? }`: name is that
---of its file, dev the interface whose gateways count (all where left out), keys the routes `{
---family, dst, table, metric }`
---@return table attachment
function M.new(description)
  local self <const> = setmetatable({}, Attachment)
  for key, value in pairs(description) do self[key] = value end
  self.entries = {}
  return self
end

---Whether its namespace is there still, and the same.
---@return boolean
function Attachment:is_alive()
  local stat <const> = sys.stat(self.netns)
  if not stat then return false end
  self.inode = self.inode or stat.ino
  return stat.ino == self.inode
end

---The name by which a hop's gateway is known in a segment; nil for what is not to be watched.
---@param hop table
---@return string?
function Attachment:gateway_of(hop)
  local via <const> = hop.via and hop.via:gsub("^inet6 ", "")
  local dev <const> = self.devices[hop.dev]
  if not via or not dev then return nil end
  if self.dev then return dev == self.dev and via or nil end
  return via .. "%" .. dev
end

-- Takes over the suspension of a state file, written before an edit: the kernel has the route as
-- it was before the edit or as it is after. The objects of the other one are deleted.
local function adopt(self, found, saved)
  local before <const> = saved.before
  saved.before = nil
  for _, one in ipairs { saved, before } do
    if kernel.same_hops(found.hops, suspension.hops(one))
      or one.twins and found.nhid == one.twins.group then
      local other = saved
      if one == saved then other = before end -- where there is none, only another route was changed
      if other and other.twins then kernel.delete_twins(self.netns, other.twins) end
      found.suspension = one
      return
    end
  end
  -- Somebody has changed it since: it counts as it is.
  for _, one in ipairs { saved, before } do
    local used <const> = one.twins and found.nhid == one.twins.group
    if one.twins and not used then kernel.delete_twins(self.netns, one.twins) end
  end
end

local function is_key(saved, key)
  return saved.key.family == key.family and saved.key.dst == key.dst
    and saved.key.table == key.table and saved.key.metric == key.metric
end

-- Equal suspensions share one table, so that their steps are computed once for all pods of a
-- network.
local interned <const> = setmetatable({}, { __mode = "v" })

local function intern(entry)
  local text <const> = state.encode { entry.suspension }
  interned[text] = interned[text] or entry.suspension
  entry.suspension = interned[text]
end

---Reads its routes, and takes over what an earlier watcher did to them.
---@return true? ok, string? message
function Attachment:read()
  local message
  self.devices, message = kernel.devices(self.netns)
  if not self.devices then return nil, message end
  self:is_alive()
  local saved <const>, wrong <const> = state.read(self.name)
  if wrong then return nil, wrong end
  self.entries = {}
  for i, key in ipairs(self.keys) do
    local found <const>, why <const>, code <const> = kernel.read(self.netns, key)
    -- its state file would go with those that were read
    if code then return nil, ("route %s: %s"):format(key.dst, why) end
    if found then
      local entry <const> = { key = key, number = i, generation = 0, seen = found.seen }
      for _, one in ipairs(saved or {}) do
        if is_key(one, key) then
          entry.generation = one.generation
          adopt(self, found, one)
        end
      end
      entry.suspension = found.suspension
      intern(entry)
      self.entries[#self.entries + 1] = entry
    else
      message = ("route %s: %s"):format(key.dst, why)
    end
  end
  return #self.entries > 0 or nil, message
end

---The gateways of its routes, with what is needed to probe them.
---@return table<string, table> by name `{ via, family, dev }`
function Attachment:gateways()
  local found <const> = {}
  for _, entry in ipairs(self.entries) do
    for _, hop in ipairs(entry.suspension.hops) do
      local name <const> = self:gateway_of(hop)
      if name then
        local via <const> = hop.via:gsub("^inet6 ", "")
        found[name] = { via = via, family = via:find(":", 1, true) and 6 or 4,
          dev = self.devices[hop.dev] }
      end
    end
  end
  return found
end

---The gateways that are out of any of its routes.
---@return table<string, true>
function Attachment:out()
  local out <const> = {}
  for _, entry in ipairs(self.entries) do
    for i, hop in ipairs(entry.suspension.hops) do
      local name <const> = self:gateway_of(hop)
      if name and suspension.is_out(entry.suspension, i) then out[name] = true end
    end
  end
  return out
end

-- The steps that bring a route to where it is to be, the same tables for routes that look alike.
local memo = {}
local memo_size = 0

local function steps_for(entry, wanted)
  local number <const>, generation <const> = entry.number, 1 - entry.generation
  local s <const> = entry.suspension
  local name <const> = ("%p %d %d %s"):format(s, number, generation, table.concat(wanted, ","))
  local cached <const> = memo[name]
  if cached then return cached.steps, cached.after, cached.code end
  local first <const> = FIRST_ID + number * PER_ROUTE + generation * GENERATION
  local steps <const>, after <const>, code <const> = suspension.set(s, wanted, first)
  memo_size = memo_size + 1
  if memo_size > 256 then memo, memo_size = {}, 1 end
  memo[name] = { steps = steps, after = after, code = code, of = s }
  return steps, after, code
end

-- Texts of state files, cached: pods with equal routes have equal texts.
local texts, text_count = {}, 0

local function make_text(self, changing, after)
  local routes <const> = {}
  for _, entry in ipairs(self.entries) do
    local target <const> = entry == changing and after or entry.suspension
    if suspension.is_any_out(target) or entry == changing then
      local saved <const> = { key = entry.key, generation = entry.generation }
      if entry == changing then saved.generation = 1 - entry.generation end
      for field, value in pairs(target) do saved[field] = value end
      if entry == changing then saved.before = entry.suspension end
      routes[#routes + 1] = saved
    end
  end
  return state.encode(routes)
end

local function text_of(self, changing, after)
  local parts <const> = { ("%p"):format(after) }
  for i, entry in ipairs(self.entries) do
    local mark <const> = entry == changing and "!" or ""
    parts[i + 1] = ("%p%d%s"):format(entry.suspension, entry.generation, mark)
  end
  local name <const> = table.concat(parts, " ")
  local cached <const> = texts[name]
  if cached then return cached.text end
  if text_count >= 256 then texts, text_count = {}, 0 end
  text_count = text_count + 1
  -- The name holds addresses of these tables, which must not be used again for others.
  local kept <const> = { after = after, text = make_text(self, changing, after) }
  for i, entry in ipairs(self.entries) do kept[i] = entry.suspension end
  texts[name] = kept
  return kept.text
end

-- The state file is only for attachments that have a gateway out.
local function remove_if_all_in(self)
  for _, entry in ipairs(self.entries) do
    if suspension.is_any_out(entry.suspension) then return end
  end
  state.remove(self.name)
end

local function edit(self, entry, wanted)
  local steps, after, code = steps_for(entry, wanted)
  if not steps then return nil, after, code end
  if #steps == 0 then return false end
  local ok, message, symbol = state.write(self.name, text_of(self, entry, after))
  if not ok then return nil, message, symbol end
  local seen
  seen, message, symbol = kernel.carry_out(self.netns, entry.key, steps, entry.seen)
  if seen == nil then return nil, message, symbol end
  if seen == false then return "changed" end
  entry.seen, entry.suspension, entry.generation = seen, after, 1 - entry.generation
  return true
end

-- The table has changed since it was read last: the route may be as it was all the same.
local function read_again(self, entry)
  local found <const>, message <const> = kernel.read(self.netns, entry.key)
  if not found then return nil, message end
  entry.seen = found.seen
  local twins <const> = entry.suspension.twins
  if not (kernel.same_hops(found.hops, suspension.hops(entry.suspension))
    or twins and twins.group and found.nhid == twins.group) then
    if twins then kernel.delete_twins(self.netns, twins) end
    entry.suspension = found.suspension
  end
  return true
end

-- The gateways of a route by name; its hops are one table as long as they are the same.
local function names_of(self, entry)
  local hops <const> = entry.suspension.hops
  if entry.named ~= hops then
    entry.named, entry.names = hops, {}
    for i, hop in ipairs(hops) do entry.names[i] = self:gateway_of(hop) or "" end
  end
  return entry.names
end

---Brings the routes of a family to where the gateways' state wants them.
---@param family 4|6
---@param is_out fun(name: string): boolean
---@param min integer
---@param report fun(entry: table, done: boolean, message?: string) called for each edit
function Attachment:sync(family, is_out, min, report)
  for _, entry in ipairs(self.entries) do
    if entry.key.family == family then
      local function attempt()
        return edit(self, entry, gateway_rules.hops_out(names_of(self, entry), is_out, min))
      end
      local done, message = attempt()
      if done == "changed" then
        done, message = read_again(self, entry)
        if done then done, message = attempt() end
        if done == "changed" then done, message = nil, "its routes are changing" end
      end
      if done == nil then
        report(entry, false, message)
      elseif done then
        report(entry, true)
      end
    end
  end
  remove_if_all_in(self)
end

return M
