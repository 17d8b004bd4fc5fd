---All that a plugin can leave behind, as lines: links, addresses, routes, rules, next hops,
---neighbours and sysctls of a host and a pod, the host's packet filter, reservations and records.
local json = require "ecmp.json"
local ruleset = require "ecmp.command.try.ruleset"
local sysctls = require "ecmp.command.try.sysctls"
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

-- The host's packet filter; why it cannot be read, otherwise.
local function of_packet_filter(pod, into)
  local lines <const>, message <const> = ruleset.read(pod.host_path)
  for _, line in ipairs(lines or {}) do
    if not line.stays then into[#into + 1] = { text = "host: " .. line.text } end
  end
  return message
end

---Everything there is.
---@param pod table
---@param networks string the directory of reservations
---@return table seen entries `{ text, dev }`, `sysctls` of host and pod, and `unread`, why the
---packet filter's rules are not among the entries
function M.all(pod, networks)
  local list <const> = {}
  of_namespace(pod.host, "host", list)
  of_namespace(pod.nl, "pod", list)
  of_files(networks, list)
  of_files("/run/cni", list)
  of_files("/var/lib/cni", list)
  list.unread = of_packet_filter(pod, list)
  list.sysctls = { host = sysctls.read(pod.host), pod = sysctls.read(pod.nl) }
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

-- Forwarding of the host stays on by contract, as with the reference plugins.
local function compare_sysctls(before, after, lines, kept)
  for _, where in ipairs { "host", "pod" } do
    for _, change in ipairs(sysctls.changes(before[where], after[where])) do
      local into <const> = where == "host" and change.forwarding and kept or lines
      into[#into + 1] = ("%s: %s"):format(where, change.text)
    end
  end
end

---What is there and was not before.
---@param before table
---@param after table
---@param allowed table<string, true> interfaces of the host that may stay
---@return string[] lines
---@return string[] kept what stays on purpose
function M.more(before, after, allowed)
  local known <const>, lines <const>, kept <const> = {}, {}, {}
  for _, entry in ipairs(before) do known[entry.text] = (known[entry.text] or 0) + 1 end
  for _, entry in ipairs(after) do
    local stays <const> = entry.text:find "^host: " and allowed[entry.dev or ""]
    local left <const> = known[entry.text] or 0
    if left > 0 then
      known[entry.text] = left - 1
    elseif not stays then
      lines[#lines + 1] = entry.text
    end
  end
  compare_sysctls(before.sysctls, after.sysctls, lines, kept)
  return lines, kept
end

---The routing tables of a namespace as text, without what the kernel itself has in `local`.
---@param nl table
---@return table<string, string> text by table
function M.tables(nl)
  local texts <const> = {}
  for _, route in ipairs(assert(nl.route:list { table = "all" })) do
    local name <const> = tostring(route.table or "main")
    if not (name == "local" and route.proto == "kernel") then texts[name] = true end
  end
  for name in pairs(texts) do texts[name] = tostring(assert(nl.route:list { table = name })) end
  return texts
end

return M
