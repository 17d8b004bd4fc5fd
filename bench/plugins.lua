--- CNI verbs against the stock plugins: each verb a process, as a container runtime runs it.
local json = require "ecmp.json"
local machine = require "bench.machine"
local measure = require "bench.measure"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local M = { OURS = "build/cni", STOCK = "/usr/lib/cni" }

local OURS <const>, STOCK <const> = M.OURS, M.STOCK

local function environment(changes)
  local vars <const> = { CNI_CONTAINERID = "bench", CNI_NETNS = "/run/bench.none",
    CNI_IFNAME = "eth0", CNI_ARGS = "",
                         PATH = os.getenv "PATH" }
  for name, value in pairs(changes) do vars[name] = value end
  local list <const> = {}
  for name, value in pairs(vars) do list[#list + 1] = name .. "=" .. value end
  return list
end

---One verb of one plugin; for a failure, its error is raised.
---@param directory string
---@param plugin string
---@param command string
---@param conf table
---@param changes? table<string, string> of the environment
---@return number milliseconds
---@return number mebibytes at its peak
function M.call(directory, plugin, command, conf, changes)
  local env <const> = environment(changes or {})
  env[#env + 1] = "CNI_COMMAND=" .. command
  env[#env + 1] = "ECMP_CLOCK=" .. (os.getenv "ECMP_CLOCK" or "")
  env[#env + 1] = "CNI_PATH=" .. directory .. ":" .. STOCK
  local done <const> = assert(sys.spawn { env = env, stdin = json.encode(conf), stderr = "capture",
    timeout = 120,
    argv = { machine.programs .. "timed", "/run/timed", directory .. "/" .. plugin } })
  local ns <const>, kb <const>, status <const> =
    assert(sys.read "/run/timed"):match "(%d+) (%d+) (%d+)"
  if done.status ~= 0 or status ~= "0" then
    error(("%s/%s %s: %s%s"):format(directory, plugin, command, done.stdout, done.stderr), 0)
  end
  return tonumber(ns) / 1e6, tonumber(kb) / 1024
end

local call <const> = M.call

local function ipam(kind)
  local routes <const> = { { dst = "0.0.0.0/0" } }
  if kind == "static" then
    return { type = "static", addresses = { { address = "10.88.0.5/16", gateway = "10.88.0.1" } },
      routes = routes }
  end
  local ranges <const> = { { { subnet = "10.88.0.0/16" } } }
  if kind == "dual" then
    ranges[2] = { { subnet = "fd88::/64" } }
    routes[2] = { dst = "::/0" }
  end
  return { type = "host-local", ranges = ranges, routes = routes }
end

-- Where one contender keeps its reservations. Beside a stranger ours would read everything anew each
-- time, as the stranger does; no node runs both.
local function data_dir(plugin, count)
  return ("/run/bench.cni.%s.%d"):format(plugin, count or 0)
end

-- The kernel clears links and namespaces away long after it has said that they are gone, and whoever
-- is next to take a link down waits for that. A pod lives longer.
local function settle()
  if not measure.cpu then sys.sleep(0.05) end
end

-- ADD and DEL of an interface plugin in a fresh namespace, and what they took.
local function add_and_del(directory, plugin, conf)
  local space <close> = assert(netns.create())
  local where <const> = { CNI_NETNS = netns.path(space) }
  settle()
  local ms <const>, mb <const> = call(directory, plugin, "ADD", conf, where)
  settle()
  local del <const> = call(directory, plugin, "DEL", conf, where)
  return { add = ms, memory = mb, del = del }
end

local CASES <const> = {
  { title = "ptp + host-local, IPv4", plugin = "ptp", kind = "host-local", add = 0.60,
    memory = 0.60, del = 1.0 },
  { title = "bridge + static, IPv4", plugin = "bridge", kind = "static", add = 0.60, memory = 0.60,
    del = 1.0,
    conf = { bridge = "benchbr0", isGateway = false } },
  { title = "ptp + host-local, IPv4 and IPv6, ours with dad: skip", plugin = "ptp", kind = "dual",
    faster = 40,
    ours = { dad = "skip" }, rounds = 3 },
}

local function conf_of(case, plugin, extra)
  local conf <const> = { cniVersion = "1.0.0", name = "bench", type = case.plugin,
    ipam = ipam(case.kind) }
  conf.ipam.dataDir = case.kind ~= "static" and data_dir(plugin) or nil
  for _, from in ipairs { case.conf or {}, extra or {} } do
    for key, value in pairs(from) do conf[key] = value end
  end
  return conf
end

local COLUMNS <const> = { { "add", "ADD, ms", "ms" }, { "memory", "ADD, memory", "MiB" }, { "del",
  "DEL, ms", "ms" } }

local function interface(case, rounds)
  local stock <const>, ours <const> = "stock " .. case.plugin, "ecmp-" .. case.plugin
  local rows <const> = {
    { name = stock, run = function()
      return add_and_del(STOCK, case.plugin, conf_of(case, case.plugin))
    end },
    { name = ours, run = function()
      return add_and_del(OURS, ours, conf_of(case, ours, case.ours))
    end },
  }
  local values <const> = measure.rounds(rows, case.rounds or rounds)
  for _, column in ipairs(COLUMNS) do
    local key <const>, list <const> = column[1], {}
    for name, of in pairs(values) do list[name] = of[key] end
    rows[1].target = key == "add" and case.faster and not measure.cpu
      and { of = ours, least = case.faster } or nil
    rows[2].target = case[key] and { of = stock, most = case[key] } or nil
    measure.print(("%s: %s"):format(case.title, column[2]), column[3], rows, list)
  end
end

-- host-local with many reservations
-- ------------------------------------------------------------------

local function reserve(directory, count)
  assert(sys.mkdir(directory .. "/bench", 493))
  for i = 0, count - 1 do
    local n <const> = 2 + i
    local file <close> = assert(io.open(("%s/bench/10.88.%d.%d"):format(directory, n >> 8, n & 255),
      "w"))
    file:write("c", i, "\r\neth0")
  end
end

local function crowded(count, rounds)
  local function one(directory, plugin)
    local conf <const> = { cniVersion = "1.0.0", name = "bench", type = "ptp",
      ipam = ipam "host-local" }
    conf.ipam.dataDir = data_dir(plugin, count)
    reserve(conf.ipam.dataDir, count)
    return function()
      local ms <const> = call(directory, plugin, "ADD", conf)
      call(directory, plugin, "DEL", conf)
      return ms
    end
  end
  local rows <const> = {
    { name = "stock host-local", run = one(STOCK, "host-local"),
      target = count >= 50000 and { of = "ecmp-host-local", least = 20 } or nil },
    { name = "ecmp-host-local", run = one(OURS, "ecmp-host-local") },
  }
  local column <const> = {}
  for name, value in pairs(measure.rounds(rows, rounds)) do column[name] = value.value end
  measure.print(("host-local ADD with %d reservations"):format(count), "ms", rows, column)
end

-- Rule scripts
-- ---------------------------------------------------------------------------------------

local RULE <const> = [[
local rule = require "ecmp.rule"
return { merge = function(group, ctx) return rule.ecmp(group, ctx) end }
]]

-- One ADD of each of two configurations, in either order.
local function pair(round, confs)
  local took <const> = {}
  for i = 1, 2 do
    local which <const> = (i + round) % 2 + 1
    took[which] = add_and_del(OURS, "ecmp-ptp", confs[which])
  end
  return took
end

-- What the second configuration costs more than the first. Compared pair by pair, because what else
-- the machine does lasts longer than a pair.
local function dearer(what, names, confs, most, rounds)
  local first <const>, second <const>, more <const> = {}, {}, {}
  for round = 1, rounds do
    local took <const> = pair(round, confs)
    first[round], second[round] = took[1].add, took[2].add
    more[round] = second[round] - first[round]
  end
  local rows <const>, values <const> = {}, {}
  for i, row in ipairs { { names[1], first }, { names[2], second },
    { "more, pair by pair", more } } do
    rows[i], values[row[1]] = { name = row[1] }, measure.median(row[2])
  end
  measure.print("ADD of ecmp-ptp and " .. what, "ms", rows, values)
  local cost <const> = values[rows[3].name]
  measure.check(("%s costs %.2f ms of an ADD (target <= %s)"):format(what, cost, most), cost <= most)
end

local function script(rounds)
  assert(sys.create("/run/bench.rule.lua", RULE, 420))
  local case <const> = CASES[1]
  dearer("a rule script", { "without", "with" }, { conf_of(case, "ecmp-ptp"),
    conf_of(case, "ecmp-ptp", { script = "/run/bench.rule.lua" }) }, 1, rounds)
end

-- Two gateways as managed neighbours, against the kernel's sysctl alone.
local function managed(rounds)
  local function conf(setting)
    return { cniVersion = "1.0.0", name = "bench", type = "ecmp-ptp",
      multipath = { useNeigh = setting },
      ipam = { type = "static",
        addresses = { { address = "10.88.0.5/16", gateway = "10.88.0.1" } },
        routes = { { dst = "0.0.0.0/0", gws = { "10.88.0.1", "10.88.0.2" } } } } }
  end
  dearer("managed neighbours", { "useNeigh: true", "useNeigh: managed" },
    { conf(true), conf "managed" }, 0.3, rounds)
end

function M.run(_, options)
  if not sys.stat(STOCK .. "/ptp") then
    measure.say("\nno stock plugins: apt-get install containernetworking-plugins")
    return
  end
  local rounds <const> = options.quick and 5 or 21
  for _, case in ipairs(CASES) do interface(case, rounds) end
  for _, count in ipairs(options.quick and { 0, 1000 } or { 0, 1000, 50000 }) do
    crowded(count, count > 1000 and 5 or rounds)
  end
  script(options.quick and 21 or 101)
  managed(options.quick and 21 or 101)
end

return M
