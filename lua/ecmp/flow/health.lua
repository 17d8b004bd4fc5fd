---The key `health` of a network: what is watched by its records, how CHECK treats routes that
---`ecmp watch` changed, and what DEL removes.
local later = require "ecmp.later"
local json = require "ecmp.json"
local kernel = later "ecmp.health.kernel"
local log = require "ecmp.log"
local record = require "ecmp.flow.record"
local schema = require "ecmp.cni.schema"
local state = require "ecmp.health.state"
local suspension = later "ecmp.fib.suspension"
local sys = require "ecmp.sys"

local M = {}

---What probes there are.
M.probes = { "icmp", "neigh", "bfd", "none" }
---Which pods ask on behalf of which.
M.scopes = { "segment", "pod" }

local addresses <const> = schema.list(schema.address)
local source <const> = schema.as({ any = { schema.address, addresses } }, function(value, path)
  return (json.kind(value) == "list" and addresses or schema.address)(value, path)
end)

local record_of <const> = schema.record {
  { "probe", schema.word(M.probes), required = true },
  { "interval", schema.integer(10, 60000) },
  { "multiplier", schema.integer(1, 255) },
  { "rise", schema.integer(1, 1000) },
  { "hold", schema.integer(0, 86400) },
  { "target", schema.address },
  { "scope", schema.word(M.scopes) },
  { "min", schema.integer(1, 4096) },
  { "script", schema.string },
  { "source", source },
}

local DEFAULTS <const> = {
  probe = "icmp", interval = 100, multiplier = 3, rise = 5, hold = 10, scope = "segment", min = 1,
}
local known <const> = { "probe", "interval", "multiplier", "rise", "hold", "target", "scope", "min",
  "script", "source" }

---A configuration with what it leaves out.
---@param given table
---@return table
function M.with_defaults(given)
  local whole <const> = {}
  for _, key in ipairs(known) do
    whole[key] = given[key]
    if whole[key] == nil then whole[key] = DEFAULTS[key] end
  end
  return whole
end

---The check of the key `health`.
M.field = schema.as({ like = record_of, additionalProperties = false }, function(value, path)
  local checked, message = record_of(value, path)
  if not checked then return nil, message end
  local is_known <const> = {}
  for _, key in ipairs(known) do is_known[key] = true end
  for key in pairs(checked) do
    if not is_known[key] then
      return nil, ("%s.%s: unknown key; known are %s"):format(path, key,
        table.concat(known, ", "))
    end
  end
  local sources <const> = type(checked.source) == "table" and checked.source or { checked.source }
  if checked.probe == "bfd" and not sources[1] then
    return nil, path .. ".source: must be given for bfd: an address of the host on the segment"
  end
  return checked
end)

-- Records --------------------------------------------------------------------------------------

local MAIN <const> = 254

-- What makes a segment, by the plugin that made the interface.
local segments <const> = {
  bridge = function(conf)
    local vlan <const> = json.get(conf, "vlan")
    return ("bridge %s vlan %d"):format(json.get(conf, "bridge") or "cni0",
      math.tointeger(vlan) or 0)
  end,
}

local function by_master(conf)
  if json.get(conf, "linkInContainer") == true then return nil end
  local master <const> = json.get(conf, "master")
  return type(master) == "string" and master ~= "" and "master " .. master or nil
end
segments.macvlan, segments.ipvlan = by_master, by_master

-- The segment of an attachment; nil where its gateways are its own.
local function segment_of(steps)
  for _, step in ipairs(steps) do
    local read <const> = segments[step.plugin]
    if read and step.conf then return read(step.conf) end
  end
end

local function key_of(route)
  return { family = route.family, dst = route.dst, table = route.table or MAIN,
    metric = route.metric or 0 }
end

local function name_of(key)
  return ("%d %s %d %d"):format(key.family, key.dst, key.table, key.metric)
end

-- The multipath routes that the plugins of a chain planned, the last word on each.
local function multipath(steps)
  local keys <const>, routes <const>, place <const> = {}, {}, {}
  for _, step in ipairs(steps) do
    for _, route in ipairs(step.wanted or {}) do
      local key <const> = key_of(route)
      local at = place[name_of(key)]
      if #route.nexthops > 1 and not at then
        at = #keys + 1
        place[name_of(key)] = at
      end
      if at then keys[at], routes[at] = key, route end
    end
  end
  return keys, routes
end

local function file_of(path) return (path:match "([^/]*)$") end

-- The routes that refer to a group of the record, as requests with their group's number.
local function by_group(steps, routes)
  local objects
  for _, step in ipairs(steps) do objects = step.objects or objects end
  if not objects or #objects.groups == 0 then return nil end
  local hop_of <const>, list <const> = {}, {}
  for _, hop in ipairs(objects.hops) do hop_of[hop.id] = hop end
  for _, route in ipairs(routes) do
    for _, group in ipairs(objects.groups) do
      local same = #group.group == #route.nexthops
      for i, member in ipairs(same and group.group or {}) do
        local hop <const>, other <const> = hop_of[member.id], route.nexthops[i]
        same = same and hop and hop.via == other.via and hop.dev == other.dev
          and (member.weight or 1) == (other.weight or 1)
      end
      if same then
        list[#list + 1] = { key = key_of(route), value = {
          family = route.family, dst = route.dst, table = route.table, mtu = route.mtu,
          advmss = route.advmss, metric = route.metric ~= 0 and route.metric or nil,
          nhid = group.id } }
        break
      end
    end
  end
  return objects, list
end

-- What many records say alike, once.
local shared <const> = setmetatable({}, { __mode = "v" })

local function share(value)
  local text <const> = json.encode(value)
  shared[text] = shared[text] or value
  return shared[text], text
end

---What of a record is to be watched.
---@param path string of the record
---@param was table
---@return table? description for `ecmp.health.watcher`; nil where the network has no `health`
function M.describe(path, was)
  local conf
  for _, step in ipairs(was.steps or {}) do
    local given <const> = step.conf and json.get(step.conf, "health")
    conf = type(given) == "table" and M.field(given, "health") or conf
  end
  if not conf or not was.netns then return nil end
  local health <const>, config_text <const> = share(M.with_defaults(conf))
  local keys <const>, routes <const> = multipath(was.steps)
  if #keys == 0 then return nil end
  local place <const> = health.scope == "segment" and segment_of(was.steps)
  local objects <const>, listed <const> = by_group(was.steps, routes)
  return {
    name = file_of(path), network = was.network, netns = was.netns, dev = was.ifname,
    keys = share(json.array(keys)),
    health = health, objects = objects, by_group = listed,
    segment = ("%s %s"):format(place or file_of(path), config_text),
  }
end

---Lists what is to be watched whenever the records have changed.
---@return fun(): table[]? list nil where nothing has changed since
function M.watched()
  local parsed, changed = {}, nil
  return function()
    local stat <const> = sys.stat(record.directory)
    local moment <const> = stat and stat.mtime_ns or 0
    if moment == changed then return nil end
    changed = moment
    local list <const>, kept <const> = {}, {}
    for _, name in ipairs(sys.list(record.directory) or {}) do
      local path <const> = record.directory .. "/" .. name
      local file <const> = name:find "%.json$" and sys.stat(path)
      if file then
        local mark <const> = ("%d %d"):format(file.ino, file.mtime_ns)
        local one = parsed[name]
        if not one or one.mark ~= mark then
          local was <const> = record.at(path)
          one = { mark = mark, description = was and M.describe(path, was) }
          if one.description then one.description.mark = mark end
        end
        kept[name] = one
        if one.description then list[#list + 1] = one.description end
      end
    end
    parsed = kept
    return list
  end
end

-- CHECK and DEL --------------------------------------------------------------------------------

local function name_of_call(call) return file_of(record.path(call)) end

-- Next hops as `ecmp.flow.verify` reads them: by the name of their device.
local function with_names(hops, names)
  local list <const> = {}
  for i, hop in ipairs(hops) do
    list[i] = { via = hop.via, dev = names[hop.dev], weight = hop.weight, onlink = hop.onlink }
  end
  return list
end

local function same(found, hops)
  if #found ~= #hops then return false end
  for i, hop in ipairs(hops) do
    local other <const> = found[i]
    if other.via ~= hop.via or other.dev ~= hop.dev
      or #hops > 1 and (other.weight or 1) ~= (hop.weight or 1) then
      return false
    end
  end
  return true
end

-- A route as it is planned, where the kernel has just what a watcher made of it.
local function as_planned(route, saved, names)
  for _, one in ipairs { saved, saved.before } do
    local twins <const> = one.twins and route.nhid == one.twins.group
    if twins or same(route.nexthops, with_names(suspension.hops(one), names)) then
      local whole <const> = {}
      for key, value in pairs(route) do whole[key] = value end
      whole.nexthops = with_names(one.hops, names)
      if twins then whole.nhid = nil end
      return whole
    end
  end
  return route
end

---The kernel's routes with the hops that a watcher took out put back, as far as they are as it left
---them: what it did is no difference.
---@param call table
---@param nl table
---@param current table[] canonical routes
---@return table[] current
function M.without_suspensions(call, nl, current)
  local saved <const> = state.read(name_of_call(call))
  if not saved then return current end
  local _, lives <const> = state.status()
  if not lives then
    log.warn "CHECK: next hops are out, and no `ecmp watch` runs to bring them back"
  end
  local names <const>, list <const> = {}, {}
  for _, link in ipairs(nl.link:list() or {}) do names[link.index] = link.name end
  for i, route in ipairs(current) do
    list[i] = route
    for _, one in ipairs(saved) do
      local key <const> = one.key
      if key.family == route.family and key.dst == route.dst and key.table == route.table
        and key.metric == route.metric then
        list[i] = as_planned(route, one, names)
      end
    end
  end
  return list
end

---Puts the routes of an attachment back as far as a watcher changed them, and forgets that it did.
---@param call table
---@return true
function M.forget(call)
  local name <const> = name_of_call(call)
  local saved <const> = state.read(name)
  for _, one in ipairs(saved and call.netns and call.netns ~= "" and saved or {}) do
    local found <const> = kernel.read(call.netns, one.key)
    for _, form in ipairs { one, one.before } do
      if found and (kernel.same_hops(found.hops, suspension.hops(form))
        or form.twins and found.nhid == form.twins.group) then
        local steps <const> = suspension.set(form, {}, 1 << 30)
        if steps and #steps > 0 then
          kernel.carry_out(call.netns, one.key, steps, found.seen)
        end
        found.seen = ""
      end
      kernel.delete_twins(call.netns, form.twins)
    end
  end
  state.remove(name)
  return true
end

---The same for an attachment that is gone.
---@param was table its record
function M.forget_record(was)
  state.remove(name_of_call { conf = { name = was.network }, containerid = was.containerid,
    ifname = was.ifname })
end

return M
