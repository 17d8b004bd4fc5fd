---Managed neighbours: `"multipath": { "useNeigh": "managed" }`.
--
-- With fib_multipath_use_neigh the kernel leaves a next hop out whose neighbour has failed, but
-- nothing makes it ask again, so a gateway that returns stays out until it sends by itself. A
-- managed neighbour (NTF_EXT_MANAGED, Linux 5.16) is one that the kernel keeps asking for. The
-- timers of the device say how soon a silent gateway is noticed: within 0.5 to 1.5 times
-- `reachable`, which the kernel draws when the value is set, and three times `retrans`.
local errors = require "ecmp.errors"
local json = require "ecmp.json"
local schema = require "ecmp.cni.schema"

local M = {}

local DEFAULTS <const> = { reachable = 1000, retrans = 100 } -- milliseconds
local MISTAKE <const> = 7

local timers <const> = schema.record {
  { "reachable", schema.integer(100, 3600000) },
  { "retrans", schema.integer(10, 60000) },
}

-- A mistyped timer would be a default that nobody notices.
local function check_timers(value, path)
  local checked, message = timers(value, path)
  if not checked then return nil, message end
  for key in pairs(checked) do
    if not DEFAULTS[key] then
      return nil, ("%s.%s: unknown key; known are reachable, retrans"):format(path, key)
    end
  end
  return checked
end

local managed <const> = schema.record {
  { "managed", schema.as({ like = timers, additionalProperties = false }, check_timers),
    required = true },
}
local word <const> = schema.word { "managed" }

---What `useNeigh` may be: a boolean, "managed", or `{ managed = { reachable?, retrans? } }`. Comes
---out as a boolean or as `{ reachable, retrans }`, in milliseconds.
M.use_neigh = schema.as({ any = { schema.boolean, word, managed } }, function(value, path)
  if type(value) == "boolean" then return value end
  local timing, message
  if type(value) == "table" then
    value, message = managed(value, path)
    if not value then return nil, message end
    timing = value.managed
  elseif value ~= "managed" then
    return nil, ('%s: must be true, false, "managed" or an object'):format(path)
  end
  timing = timing or {}
  return { reachable = timing.reachable or DEFAULTS.reachable,
    retrans = timing.retrans or DEFAULTS.retrans }
end)

---The gateways of routes that are next hops on a device.
---@param routes table[] canonical
---@param dev string
---@return table[] neighbours `{ dst, dev }`, each once
function M.of(routes, dev)
  local list <const>, seen <const> = {}, {}
  for _, route in ipairs(routes) do
    for _, hop in ipairs(route.nexthops) do
      local via <const> = hop.dev == dev and hop.via and hop.via:gsub("^inet6 ", "")
      if via and not seen[via] then
        seen[via] = true
        list[#list + 1] = { dst = via, dev = dev }
      end
    end
  end
  return list
end

local function family_of(neighbour)
  return neighbour.dst:find(":", 1, true) and 6 or 4
end

---Adds the timers of the device, in the families that have such neighbours.
---@param set table<string, string> sysctls of the plan
---@param neighbours table[] as of `of`
---@param timing table `{ reachable, retrans }`
function M.add_sysctls(set, neighbours, timing)
  for _, neighbour in ipairs(neighbours) do
    local base <const> = ("net/ipv%d/neigh/%s/"):format(family_of(neighbour), neighbour.dev)
    set[base .. "base_reachable_time_ms"] = ("%d"):format(timing.reachable)
    set[base .. "retrans_time_ms"] = ("%d"):format(timing.retrans)
    set[base .. "delay_first_probe_time"] = "0"
  end
end

-- What the kernel holds of these neighbours, by their address.
local function held(nl, neighbours)
  local found <const> = {}
  if #neighbours == 0 then return found end
  local list <const>, message <const>, code <const> =
    nl.neigh:list { dev = neighbours[1].dev }
  if not list then return nil, message, code end
  for _, entry in ipairs(list) do found[entry.dst] = entry end
  return found
end

local function refusal(neighbour, why)
  return nil, ("multipath.useNeigh: the neighbour %s on %s: %s"):format(neighbour.dst,
    neighbour.dev, why), MISTAKE
end

-- An address that somebody has put there by hand never fails, and is theirs.
local function is_fixed(entry)
  return entry and (entry.state == "PERMANENT" or entry.state == "NOARP")
end

-- Those that are neither managed nor put there by hand.
local function unmanaged(neighbours, found)
  local list <const> = json.array()
  for _, neighbour in ipairs(neighbours) do
    local entry <const> = found[neighbour.dst]
    if not is_fixed(entry) and not (entry and entry.managed) then list[#list + 1] = neighbour end
  end
  return list
end

---Those that an ADD is to make managed: the others are somebody else's, and stay at DEL.
---@param nl table
---@param neighbours table[] `{ dst, dev }`
---@return table[]? list, string? message, string? code
function M.missing(nl, neighbours)
  local found <const>, message <const>, code <const> = held(nl, neighbours)
  if not found then return nil, message, code end
  return unmanaged(neighbours, found)
end

---Makes the neighbours of the plan managed ones, and reads them back: a kernel that does not know
---of the flag takes the request and forgets it.
---@param state table
---@return true? ok, string? message, string|integer? code 7 where the kernel does not manage them
function M.manage(state)
  local wanted <const> = state.plan.neighbours or {}
  local before, message, code = held(state.nl, wanted)
  if not before then return nil, message, code end
  local added <const> = unmanaged(wanted, before)
  state.undo:push("neighbours", function() return M.release(state.nl, added) end)
  for _, neighbour in ipairs(wanted) do
    if not is_fixed(before[neighbour.dst]) then
      local ok, why = state.nl.neigh:replace {
        dst = neighbour.dst, dev = neighbour.dev, managed = true }
      if not ok then return refusal(neighbour, why) end
    end
  end
  before, message, code = held(state.nl, wanted)
  if not before then return nil, message, code end
  local refused <const> = unmanaged(wanted, before)[1]
  if refused then
    return refusal(refused, "this kernel does not manage neighbours (Linux 5.16 does)")
  end
  return true
end

---Deletes neighbours that are managed; what is gone is fine.
---@param nl table
---@param neighbours table[]? `{ dst, dev }`
---@return true? ok, string? message, string? code
function M.release(nl, neighbours)
  local found <const>, message <const>, code <const> = held(nl, neighbours or {})
  if not found then return nil, message, code end
  local refused <const> = errors.new()
  for _, neighbour in ipairs(neighbours or {}) do
    local entry <const> = found[neighbour.dst]
    if entry and entry.managed then
      local ok <const>, why <const>, kind <const> =
        nl.neigh:del { dst = neighbour.dst, dev = neighbour.dev }
      refused:note(ok or kind == "ENOENT", why, kind)
    end
  end
  return refused:result()
end

---What differs between the neighbours of a plan and the kernel's. Whether one answers is no
---difference.
---@param nl table
---@param neighbours table[]? `{ dst, dev }`
---@return string[] differences one sentence each
function M.differences(nl, neighbours)
  local found <const>, message <const> = held(nl, neighbours or {})
  if not found then return { message } end
  local differences <const> = {}
  for _, neighbour in ipairs(unmanaged(neighbours or {}, found)) do
    differences[#differences + 1] = ("neighbour %s on %s is not managed"):format(neighbour.dst,
      neighbour.dev)
  end
  return differences
end

return M
