--- Who else installs routes: how each is run, and what to install where it is missing.
local machine = require "bench.machine"
local sys = require "ecmp.sys"

local M = {}

local FILES <const> = { add = "/run/bench.add", del = "/run/bench.del", plain = "/run/bench.plain" }
M.FILES = FILES

local function ip_batch(verb)
  return (machine.timed { "ip", "-batch", FILES[verb] })
end

local function go(verb, how)
  return machine.program("vishvananda", FILES.plain, verb, how)
end

local BIRD <const> = [[
log stderr { fatal };
protocol device { scan time 60; }
protocol direct { ipv4; }
protocol kernel { ipv4 { export where source = RTS_STATIC; import none; }; merge paths on; }
protocol static {
	ipv4;
include "/run/bench.bird";
}
]]

-- From the start of bird to the last route in the kernel, which is asked every 20 ms.
local function bird(_, shape)
  local routes <const> = assert(io.open("/run/bench.bird", "w"))
  assert(sys.replace("/run/bird.conf", BIRD, 384))
  for line in io.lines(FILES.plain) do
    local dst <const>, gateways <const> = line:match "^(%S+) (.*)$"
    routes:write("route ", dst, " via ", (gateways:gsub(" ", " via ")), ";\n")
  end
  routes:close()
  local start <const> = sys.monotonic()
  machine.run { "bird", "-c", "/run/bird.conf", "-s", "/run/bird.ctl", "-P", "/run/bird.pid" }
  while machine.count(4) < shape.count do sys.sleep(0.02) end
  local ns <const> = (sys.monotonic() - start) * 1e9
  local pid <const> = tonumber(assert(sys.read "/run/bird.pid"):match "%d+")
  sys.kill(pid, "TERM") -- it takes its routes with it
  while machine.count(4) > 1 do sys.sleep(0.05) end
  return ns
end

---@class bench.Peer
---@field name string
---@field package string what to install
---@field there fun(): boolean
---@field add fun(verb, shape): number ns
---@field del fun(verb)? ns; absent: we delete
---@field part integer? of the routes only this part is installed, because it is slow
M.list = {
  {
    name = "libnl-route, one call each", package = "libnl-route-3-dev",
    there = function() return machine.has(machine.programs .. "libnl") end,
    add = function() return machine.program("libnl", FILES.plain, "add") end,
    del = function() return machine.program("libnl", FILES.plain, "del") end,
  }, {
    name = "ip -batch", package = "iproute2", least = 3, six = true,
    there = function() return machine.has "ip" end, add = ip_batch, del = ip_batch,
  }, {
    name = "vishvananda/netlink, Handle",
      package = "golang-go golang-github-vishvananda-netlink-dev",
    least = 3, there = function() return machine.has(machine.programs .. "vishvananda") end,
    add = function() return go("add", "handle") end, del = function() return go("del",
      "handle") end,
  }, {
    name = "vishvananda/netlink, package functions",
    package = "golang-go golang-github-vishvananda-netlink-dev",
    there = function() return machine.has(machine.programs .. "vishvananda") end,
    add = function() return go("add", "package") end,
  }, {
    name = "bird2, start to last route", package = "bird2",
    there = function() return machine.has "bird" end, add = bird, gone = true,
    -- a daemon: what it uses of a processor is not ours to count
    wall = true,
  }, {
    name = "pyroute2, IPBatch", package = "python3-pyroute2", least = 60, part = 20,
    there = function() return machine.has "/usr/lib/python3/dist-packages/pyroute2" end,
    add = function() return tonumber(machine.run({ "/usr/bin/python3", "bench/pyroute2_bench.py",
      FILES.plain .. ".part", "batch" }):match "%d+") end,
  }, {
    name = "pyroute2, IPRoute", package = "python3-pyroute2", part = 20,
    there = function() return machine.has "/usr/lib/python3/dist-packages/pyroute2" end,
    add = function() return tonumber(machine.run({ "/usr/bin/python3", "bench/pyroute2_bench.py",
      FILES.plain .. ".part", "single" }):match "%d+") end,
  },
}

return M
