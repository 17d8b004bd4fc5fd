---All that a plugin can leave behind, as lines: links, addresses, routes, rules, next hops and
---neighbours of a host and a pod, reservations and records.
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local M = {}

-- Each kind of object: what is asked for, how one reads, which count, and the interface it is on.
local function dev_of(value) return value.dev end

local KINDS <const> = {
  {
    kind = "link", dev = function(link) return link.name end,
    text = function(link) return ("link %s of type %s"):format(link.name, link.type or "none") end,
  },
  {
    kind = "addr", dev = dev_of,
    text = function(entry) return ("address %s dev %s"):format(entry.address, entry.dev) end,
    counts = function(entry) return not entry.address:find "^fe80:" end,
  },
  {
    kind = "route", filter = { table = "all" }, dev = dev_of,
    text = function(route) return "route " .. tostring(route):gsub("%s*\n%s*", " ") end,
    counts = function(route)
      return route.type ~= "multicast" and not tostring(route):find("fe80::", 1, true)
    end,
  },
  { kind = "nexthop", text = function(hop) return "nexthop " .. tostring(hop) end },
  { kind = "rule", text = function(rule) return "rule " .. tostring(rule) end },
  {
    kind = "neigh", dev = dev_of, counts = function(neigh) return neigh.state == "permanent" end,
    text = function(neigh) return ("neighbour %s dev %s"):format(neigh.dst, neigh.dev) end,
  },
}

local function of_namespace(nl, where, into)
  for _, of in ipairs(KINDS) do
    for _, value in ipairs(assert(nl[of.kind]:list(of.filter))) do
      if not of.counts or of.counts(value) then
        into[#into + 1] = { text = where .. ": " .. of.text(value), dev = of.dev and of.dev(value) }
      end
    end
  end
end

-- Locks, and the address that was handed out last, hold nothing.
local function is_bookkeeping(name)
  return name == "lock" or name:find "%.lock$" or name:find "^last_reserved"
end

local function of_files(dir, into)
  for _, name in ipairs(sys.list(dir) or {}) do
    local path <const> = dir .. "/" .. name
    local found <const> = sys.lstat(path)
    if found and found.type == "dir" then
      if name ~= ".ecmp" then of_files(path, into) end
    elseif found and not is_bookkeeping(name) then
      into[#into + 1] = { text = "file " .. path }
    end
  end
end

---Everything there is.
---@param pod table
---@param networks string the directory of reservations
---@return table[] entries `{ text, dev }`
function M.all(pod, networks)
  local list <const> = {}
  of_namespace(pod.host, "host", list)
  of_namespace(pod.nl, "pod", list)
  of_files(networks, list)
  of_files("/run/cni", list)
  of_files("/var/lib/cni", list)
  return list
end

---The bridges that a list of configurations names: these stay, as with the reference plugin.
---@param list table[]
---@return table<string, true>
function M.bridges(list)
  local allowed <const> = {}
  for _, conf in ipairs(list) do
    local kind <const> = json.get(conf, "type")
    local name <const> = json.get(conf, "bridge")
    if type(name) == "string" then allowed[name] = true end
    if kind == "bridge" or kind == "ecmp-bridge" then allowed[name or "cni0"] = true end
  end
  return allowed
end

---What is there and was not before.
---@param before table[]
---@param after table[]
---@param allowed table<string, true> interfaces of the host that may stay
---@return string[]
function M.more(before, after, allowed)
  local known <const>, lines <const> = {}, {}
  for _, entry in ipairs(before) do known[entry.text] = true end
  for _, entry in ipairs(after) do
    local stays <const> = entry.text:find "^host: " and allowed[entry.dev or ""]
    if not known[entry.text] and not stays then lines[#lines + 1] = entry.text end
  end
  return lines
end

return M
