--- Where the bench runs: its link, its programs, and what is left of a round when it is over.
local ecmp = require "ecmp"
local measure = require "bench.measure"
local sys = require "ecmp.sys"

local M = { programs = (os.getenv "ECMP_BENCH" or "build/bench") .. "/" }

---Makes the link whose neighbours are the gateways, and opens a handle.
---@return ecmp.Handle
function M.open()
  local nl <const> = assert(ecmp.open())
  assert(nl.link:add { name = "bench0", type = "veth", peer = { name = "bench1" } })
  for _, name in ipairs { "lo", "bench0", "bench1" } do assert(nl.link:set { dev = name,
    up = true }) end
  assert(nl.addr:add { address = "10.255.255.254/8", dev = "bench0" })
  assert(nl.addr:add { address = "fd00::ffff:ffff/64", dev = "bench0", nodad = true })
  nl.sysctl:set("net.ipv6.route.max_size", "2147483647") -- absent in namespaces of newer kernels
  return nl
end

---Whether a program or file is there.
function M.has(path)
  if path:find("/", 1, true) then return sys.stat(path) ~= nil end
  for directory in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    if sys.stat(directory .. "/" .. path) then return true end
  end
  return false
end

---Runs a program; raises unless it succeeds.
---@return string stdout
function M.run(argv, stdin)
  local done <const> = assert(sys.spawn { argv = argv, stdin = stdin, stderr = "capture",
    timeout = 600 })
  if done.status ~= 0 then
    error(("%s: %s%s"):format(table.concat(argv, " "), done.stderr, done.stdout:sub(1, 200)), 0)
  end
  return done.stdout
end

---Runs one of our C programs and returns the nanoseconds it says it took.
function M.program(name, ...)
  return tonumber(M.run({ M.programs .. name, ... }):match "^%d+")
end

---Runs a command and returns its wall time in nanoseconds and its peak memory in KiB.
function M.timed(argv)
  M.run({ M.programs .. "timed", "/run/timed", table.unpack(argv) })
  local ns <const>, kb <const>,
    status <const> = assert(sys.read "/run/timed"):match "(%d+) (%d+) (%d+)"
  if status ~= "0" then error(("%s: status %s"):format(table.concat(argv, " "), status), 0) end
  return tonumber(ns), tonumber(kb)
end

---How many routes the main table holds, without making one of them a Lua value.
function M.count(family)
  return tonumber(M.run({ M.programs .. "dump", "raw", tostring(family) }):match " (%d+)")
end

---Applies changes; raises at the first refusal.
---@return number ns
function M.batch(nl, changes, options)
  collectgarbage()
  local ns <const>, results <const> = measure.time(nl.batch, nl, changes, options)
  for _, result in ipairs(results) do
    if result ~= true then error(result.message, 0) end
  end
  return ns
end

return M
