--- Pools on etcd, measured: `sh build-aux/sandbox.sh lua5.4 bench/pool.lua` in a built tree with
--- LUA_PATH and LUA_CPATH set (`make env`). One etcd on this machine; ratios count.
---
---   pool.lua [WORKERS] [SUBNET]
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

-- A worker: takes addresses until there is none, one way or the other. Prints how many, and how
-- many round trips they took.
local function work(way, name, subnet, dir)
  local range <const> = require "ecmp.plugin.host-local.range"
  local set <const> = assert(range.set({ { subnet = subnet } }, "range"))
  local options <const> = { transport = require "ecmp_pool", prefix = "/ecmp/v1", network = way,
    endpoints = { { name = "e", host = "127.0.0.1", port = "2379" } }, node = name, machine = "m",
    directory = dir .. "/" .. name, timeout = 60, block = 64 }
  local kv <const>, keys <const> = require "ecmp.store.etcd.kv", require "ecmp.store.etcd.keys"
  local names <const> = keys.names(options.prefix, way, name)
  local count, calls = 0, 0

  local function by_pool()
    local store <close> = require("ecmp.store.etcd").open(options)
    local held <const> = store:reserve({ containerid = name .. count, ifname = "eth0" },
      { sets = { set }, requested = {} })
    if held then calls = calls + store.client.calls end
    return held
  end

  -- What is done where the store knows no nested transactions: list, take the first gap, compare
  -- and swap, and begin anew where somebody was faster.
  local function by_list()
    local client <close> = require("ecmp.store.etcd.client").new(options.transport,
      options.endpoints)
    local deadline <const> = { deadline = sys.monotonic() + 60 }
    while true do
      local listed <const> = assert(client:call(kv.get(names.addresses,
        { to = kv.range_end(names.addresses), keys_only = true }), deadline))
      local taken <const> = {}
      for _, pair in ipairs(listed.kvs) do taken[pair.key] = true end
      local free
      for address in set:candidates() do
        if not taken[names:address(address)] then free = names:address(address) break end
      end
      if not free then return nil end
      local answer <const> = assert(client:call(kv.txn({ kv.absent(free) },
        { kv.put(free, name), kv.put(names.own .. count, free) }), deadline))
      if answer.succeeded then
        calls = calls + client.calls
        return true
      end
    end
  end

  local began <const>, seconds <const> = sys.monotonic(), way == "list" and 10 or 60
  local take <const> = way == "list" and by_list or by_pool
  while sys.monotonic() - began < seconds and take() do count = count + 1 end
  print(count, calls)
end

if arg[1] == "worker" then
  work(table.unpack(arg, 2))
  return
end

local WORKERS <const> = math.tointeger(tonumber(arg[1])) or 64
local SUBNET <const> = arg[2] or "10.0.0.0/22"

-- All workers at once: addresses, round trips, seconds.
local function contend(way, dir)
  local began <const> = sys.monotonic()
  etcd.sh(([[
    for i in $(seq %d); do lua5.4 bench/pool.lua worker %s node$i %s %s >%s/$i.%s & done; wait]])
    :format(WORKERS, way, SUBNET, dir, dir, way), { timeout = 300 })
  local seconds <const>, count, calls = sys.monotonic() - began, 0, 0
  for i = 1, WORKERS do
    local n <const>, c <const> = assert(sys.read(("%s/%d.%s"):format(dir, i, way)))
      :match "(%d+)%s+(%d+)"
    count, calls = count + tonumber(n), calls + tonumber(c)
  end
  return count, calls, seconds
end

local function report(what, count, calls, seconds)
  print(("%-32s %5d addresses, %6.1f a second, %5.2f round trips each"):format(what, count,
    count / seconds, calls / count))
  return count / seconds
end

-- Milliseconds of one verb as a process, the median of many; ways take turns.
local function latencies(ways, rounds)
  local times <const> = {}
  for r = 1, rounds do
    for name, conf in pairs(ways) do
      times[name] = times[name] or {}
      for _, verb in ipairs { "ADD", "DEL" } do
        local began <const> = sys.monotonic()
        local done <const> = assert(sys.spawn { argv = { helper.build .. "/cni/ecmp-pool" },
          stdin = conf, env = { "PATH=" .. os.getenv "PATH", "CNI_COMMAND=" .. verb,
            "CNI_CONTAINERID=c" .. r, "CNI_IFNAME=eth0", "CNI_NETNS=/x", "CNI_PATH=/x" } })
        assert(done.status == 0, done.stdout)
        if verb == "ADD" then table.insert(times[name], (sys.monotonic() - began) * 1e3) end
      end
    end
  end
  for _, list in pairs(times) do table.sort(list) end
  return times
end

local function conf(store, dir)
  store.node = "node"
  return json.encode { cniVersion = "1.1.0", name = "latency", type = "ecmp-pool", ipam = {
    type = "ecmp-pool", dataDir = dir, store = store,
    ranges = { { { subnet = "10.0.0.0/24" } } } } }
end

local dir <const> = helper.directory()
do
  local _ <close> = etcd.cluster()
  local pool <const> = report("sixteen in one transaction", contend("pool", dir))
  local list <const> = report("list, compare and swap (10 s)", contend("list", dir))
  print(("%.0f times the rate"):format(pool / list))
end

local plain <close> = etcd.cluster()
local secure <close> = etcd.cluster { tls = true, offset = 100 }
local times <const> = latencies({
  directory = conf({ directory = dir .. "/pool" }, dir),
  etcd = conf(plain:store(), dir .. "/a"), tls = conf(secure:store(), dir .. "/b"),
}, 60)
for _, name in ipairs { "directory", "etcd", "tls" } do
  local list <const> = times[name]
  print(("ADD by %-10s median %5.1f ms, p90 %5.1f ms, %+.1f"):format(name, list[#list // 2],
    list[#list * 9 // 10], list[#list // 2] - times.directory[#list // 2]))
end
helper.remove(dir)
