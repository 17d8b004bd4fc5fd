--- A model of the kernel's routing tables, as kernel.md measured them: what each request does to a
--- slot in either family. It knows nothing of ecmp.fib.route, so that the two can disagree.
local M = {}
M.__index = M

local Route = {}
Route.__index = Route

function M.new()
  local self = setmetatable({ slots = {}, order = {}, requests = 0, gaps = 0 }, M)
  self.route = setmetatable({ kernel = self }, Route)
  return self
end

local function dst_of(r)
  if r.dst ~= "default" then return r.dst end
  local via = r.via or r.nexthops and r.nexthops[1].via or ""
  return (r.family == 6 or via:find(":", 1, true)) and "::/0" or "0.0.0.0/0"
end

local function family_of(r) return dst_of(r):find(":", 1, true) and 6 or 4 end

local function hops_of(r, family)
  local list = {}
  for i, h in ipairs(r.nexthops or ((r.via or r.dev) and { r } or {})) do
    list[i] = { via = h.via, dev = h.dev, weight = h.weight or 1, onlink = h.onlink }
  end
  -- IPv4 drops the weight of an only hop; IPv6 keeps it for when another joins.
  if #list == 1 and (family == 4 or not r.nexthops) then list[1].weight = 1 end
  return list
end

local function scope_of(r)
  if r.scope then return r.scope == 0 and "global" or r.scope end
  if r.type == "blackhole" or r.via or r.nexthops then return "global" end
  return "link"
end

local function entry_of(r)
  local family = family_of(r)
  local metric = r.metric or 0
  if family == 6 and metric == 0 then metric = 1024 end
  return {
    family = family, dst = dst_of(r), table = r.table or 254, metric = metric, proto = r.proto,
    mtu = r.mtu, type = r.type or "unicast", scope = family == 4 and scope_of(r) or nil,
    nexthops = hops_of(r, family),
  }
end

local function place(e) return e.dst .. " " .. e.table .. " " .. e.metric end

local function is_gateway(e)
  return e.type == "unicast" and e.nexthops[1] ~= nil and e.nexthops[1].via ~= nil
end

local function hop_name(h, with_weight)
  return table.concat({ h.via or "", h.dev or "", with_weight and h.weight or "",
    tostring(h.onlink or false) }, "%")
end

local function name_of(e)
  local t = { e.type, tostring(e.scope), tostring(e.proto), tostring(e.mtu) }
  for _, h in ipairs(e.nexthops) do t[#t + 1] = hop_name(h, true) end
  return table.concat(t, " ")
end

local function fail(what, code) return nil, what .. " (" .. code .. ")", code end

function M:slot(e)
  local key = place(e)
  if not self.slots[key] then
    self.slots[key] = {}
    self.order[#self.order + 1] = key
  end
  return self.slots[key]
end

local function position(slot, name)
  for i, e in ipairs(slot) do
    if name_of(e) == name then return i end
  end
end

-- verb: "add" CREATE|EXCL, "prepend" CREATE, "append" CREATE|APPEND, "replace" CREATE|REPLACE
local function new4(slot, e, verb)
  if verb == "add" and slot[1] then return fail("route add", "EEXIST") end
  local same = position(slot, name_of(e))
  if verb == "replace" and slot[1] then
    if same == 1 then return true end
    if same then return fail("route replace", "EEXIST") end
    slot[1] = e
    return true
  end
  if same then return fail("route " .. verb, "EEXIST") end
  table.insert(slot, verb == "prepend" and 1 or #slot + 1, e)
  return true
end

local function join6(group, e, verb)
  local seen = {}
  for _, h in ipairs(group.nexthops) do seen[(h.via or "") .. "%" .. (h.dev or "")] = true end
  for _, h in ipairs(e.nexthops) do
    if seen[h.via .. "%" .. (h.dev or "")] then return fail("route " .. verb, "EEXIST") end
  end
  table.move(e.nexthops, 1, #e.nexthops, #group.nexthops + 1, group.nexthops)
  return true
end

-- What has no gateway is told by its device alone.
local function device_of(e) return e.nexthops[1] and e.nexthops[1].dev or "lo" end

local function new6(slot, e, verb)
  if verb == "add" and slot[1] then return fail("route add", "EEXIST") end
  if verb == "change" and not slot[1] then return fail("route change", "ENOENT") end
  verb = verb == "change" and "replace" or verb
  for i, h in ipairs(e.nexthops) do
    if #e.nexthops > 1 and not h.via then return fail("device only", "EINVAL") end
    for k = 1, i - 1 do
      if e.nexthops[k].via == h.via and e.nexthops[k].dev == h.dev then
        return fail("twice", "EEXIST")
      end
    end
  end
  local first_other
  for i, there in ipairs(slot) do
    if verb == "replace" then
      if is_gateway(there) == is_gateway(e) then
        slot[i] = e
        return true
      end
      first_other = first_other or i
    elseif is_gateway(there) and is_gateway(e) then
      return join6(there, e, verb)
    elseif not is_gateway(there) and not is_gateway(e) and device_of(there) == device_of(e) then
      return fail("route " .. verb, "EEXIST")
    end
  end
  if verb == "replace" and first_other then
    slot[first_other] = e
    return true
  end
  slot[#slot + 1] = e
  return true
end

local function copy(e, shown)
  local new = {}
  for k, v in pairs(e) do new[k] = v end
  new.nexthops = {}
  for i, h in ipairs(e.nexthops) do
    local weight = shown and #e.nexthops == 1 and 1 or h.weight
    new.nexthops[i] = { via = h.via, dev = h.dev, weight = weight, onlink = h.onlink }
  end
  return new
end

local function write(verb)
  return function(self, r)
    assert(r.separate == nil, "the kernel has no field 'separate'")
    local kernel = self.kernel
    kernel.requests = kernel.requests + 1
    if kernel.fail_at == kernel.requests then return fail("no such luck", "ENOBUFS") end
    local e = entry_of(r)
    return (e.family == 4 and new4 or new6)(kernel:slot(e), copy(e), verb)
  end
end

Route.add, Route.prepend = write "add", write "prepend"
Route.append, Route.replace, Route.change = write "append", write "replace", write "change"

local function hop_fits(asked, h)
  return (not asked.via or asked.via == h.via) and (not asked.dev or asked.dev == h.dev)
end

-- RTA_MULTIPATH is compared hop by hop as far as the route has hops; RTA_GATEWAY with the first.
local function matches4(r, e)
  for _, field in ipairs { "type", "scope", "proto", "mtu" } do
    if r[field] and r[field] ~= e[field] then return false end
  end
  if r.nexthops then
    if #e.nexthops > #r.nexthops then return false end
    for i, h in ipairs(e.nexthops) do
      if not hop_fits(r.nexthops[i], h) then return false end
    end
    return true
  end
  return not (r.via or r.dev) or e.nexthops[1] ~= nil and hop_fits(r, e.nexthops[1])
end

local function take4(slot, r)
  for i, e in ipairs(slot or {}) do
    if matches4(r, e) then return table.remove(slot, i) end
  end
end

local function metric_of(key) return tonumber(key:match("%d+$")) end

local function del4(kernel, r)
  if take4(kernel.slots[place(entry_of(r))], r) then return true end
  -- Metric 0 is a wildcard that takes the lowest metric that matches.
  local keys, prefix = {}, dst_of(r) .. " " .. (r.table or 254) .. " "
  for key in pairs((r.metric or 0) == 0 and kernel.slots or {}) do
    if key:sub(1, #prefix) == prefix then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return metric_of(a) < metric_of(b) end)
  for _, key in ipairs(keys) do
    if take4(kernel.slots[key], r) then return true end
  end
  return fail("route del", "ESRCH")
end

local function del_member(slot, asked)
  for i, e in ipairs(slot) do
    local proto = not asked.proto or asked.proto == e.proto
    for k, h in ipairs(e.nexthops) do
      if proto and hop_fits(asked, h) then
        -- A device alone takes the whole group.
        local one = asked.via and #e.nexthops > 1
        table.remove(one and e.nexthops or slot, one and k or i)
        return true
      end
    end
  end
end

local function del6(kernel, r)
  local slot = kernel:slot(entry_of(r))
  local done = false
  if r.nexthops then
    done = true
    for _, h in ipairs(r.nexthops) do done = del_member(slot, h) and done end
  elseif r.type == "blackhole" then -- which lies on the loopback
    for i, e in ipairs(slot) do
      if e.type == "blackhole" and (not r.proto or r.proto == e.proto) then
        table.remove(slot, i)
        return true
      end
    end
  elseif r.via or r.dev then
    done = del_member(slot, r)
  else
    for i, e in ipairs(slot) do
      if not r.proto or r.proto == e.proto then
        table.remove(slot, i)
        done = true
        break
      end
    end
  end
  if not done then return fail("route del", "ESRCH") end
  return true
end

function Route:del(r)
  local kernel = self.kernel
  kernel.requests = kernel.requests + 1
  if kernel.fail_at == kernel.requests then return fail("no such luck", "ENOBUFS") end
  return (family_of(r) == 4 and del4 or del6)(kernel, r)
end

function M:batch(list)
  local results = {}
  for i, request in ipairs(list) do
    local verb = request[1]:match("^route (%a+)$")
    local done, message, code = self.route[verb](self.route, request[2])
    results[i] = done or { message = message, code = code }
  end
  return results
end

--- What a dump would show: copies, in the order of slots and of the routes in each.
function M:list()
  local list = {}
  for _, key in ipairs(self.order) do
    for _, e in ipairs(self.slots[key]) do list[#list + 1] = copy(e, true) end
  end
  return list
end

--- One text for the whole state.
function M:text()
  local lines = {}
  for key, slot in pairs(self.slots) do
    for i, e in ipairs(slot) do
      local hops = {}
      for k, h in ipairs(copy(e, true).nexthops) do hops[k] = hop_name(h, true) end
      -- In IPv6 neither the order of hops nor that of routes in a slot means anything.
      if e.family == 6 then table.sort(hops) end
      lines[#lines + 1] = ("%s [%d] %s %s %s %s %s"):format(key, e.family == 4 and i or 0, e.type,
        tostring(e.scope), tostring(e.proto), tostring(e.mtu), table.concat(hops, ","))
    end
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

return M
