--- What it takes to be there at all: size, and time and memory of the VERSION verb, beside the stock
--- plugins. Ours in two kinds: on libc, and static (`make STATIC=1`).
local measure = require "bench.measure"
local plugins = require "bench.plugins"
local sys = require "ecmp.sys"

local M = {}

local STATIC <const> = "build/static"

-- The same without the flags that harden the C code (`make HARDEN=`).
local UNHARDENED <const> = "build/unhardened"

local function version(directory, plugin)
  return function()
    local ms <const>, mb <const> = plugins.call(directory, plugin, "VERSION",
      { cniVersion = "1.0.0" })
    return { ms = ms, memory = mb }
  end
end

local function sizes()
  measure.say("\nSize, stripped, with every plugin in it")
  for _, path in ipairs { "build/bin/ecmp", STATIC .. "/bin/ecmp" } do
    measure.say("  %-44s %6.0f KiB", path, assert(sys.stat(path)).size / 1024)
  end
  for _, name in ipairs { "static", "ptp" } do
    local path <const> = plugins.STOCK .. "/" .. name
    measure.say("  %-44s %6.0f KiB", path, assert(sys.stat(path)).size / 1024)
  end
end

-- What hardening costs at start: at most a twentieth.
local function hardening(directory, title, options)
  local rows <const> = {
    { name = "not hardened", run = version((directory:gsub("build", UNHARDENED, 1)), "ecmp-static") },
    { name = "hardened", run = version(directory, "ecmp-static"),
      target = { of = "not hardened", most = 1.05 } },
  }
  local values <const>, ms <const> = measure.rounds(rows, options.quick and 21 or 201), {}
  for name, of in pairs(values) do ms[name] = of.ms end
  measure.print(title, "ms", rows, ms)
end

function M.run(_, options)
  hardening(plugins.OURS, "VERSION: what hardening costs", options)
  hardening(STATIC .. "/cni", "VERSION: what hardening costs, all of it static", options)
  if not sys.stat(plugins.STOCK .. "/static") then
    measure.say("\nno stock plugins: apt-get install containernetworking-plugins")
    return
  end
  local rows <const> = {
    { name = "stock static", run = version(plugins.STOCK, "static") },
    { name = "stock ptp", run = version(plugins.STOCK, "ptp") },
    { name = "ecmp-static", run = version(plugins.OURS, "ecmp-static") },
    { name = "ecmp-ptp", run = version(plugins.OURS, "ecmp-ptp") },
    { name = "ecmp-static, all of it static", run = version(STATIC .. "/cni", "ecmp-static") },
  }
  local values <const>, ms <const>, mb <const> =
    measure.rounds(rows, options.quick and 11 or 51), {}, {}
  for name, of in pairs(values) do ms[name], mb[name] = of.ms, of.memory end
  for _, row in ipairs(rows) do
    local ours <const> = row.name:find "^ecmp"
    row.target = ours and { of = row.name:find "ptp" and "stock ptp" or "stock static", most = 0.45 }
  end
  measure.print("VERSION: time", "ms", rows, ms)
  for _, row in ipairs(rows) do
    if row.target then row.target.most = row.name:find "all of it" and 0.35 or 0.60 end
  end
  measure.print("VERSION: memory", "MiB", rows, mb)
  sizes()
end

return M
