--- Loading a file of routes: `ecmp apply` against `ip -batch`, each a whole process. Ours reads and
--- checks all of it first, and notes the way back; ip stops at the first mistake, half-way.
local machine = require "bench.machine"
local measure = require "bench.measure"
local shape = require "bench.shape"

local M = {}

local ECMP <const>, IP <const> = "ecmp apply", "ip -batch"
local PROGRAM <const> = "build/bin/ecmp"

local function write_files(name, s)
  shape.write_commands(s, name .. ".batch", "add")
  shape.write_lines(s, name .. ".routes")
end

-- One round: nanoseconds and KiB for loading a file into an empty table.
local function load(nl, argv, empty)
  return function()
    local ns <const>, kb <const> = machine.timed(argv)
    machine.batch(nl, empty, { order = "free" })
    return { time = ns, memory = kb }
  end
end

local function contenders(nl, name, s)
  local empty <const> = shape.changes(s, "route del")
  return {
    { name = ECMP, run = load(nl, { PROGRAM, "apply", name .. ".routes" }, empty) },
    { name = IP, run = load(nl, { "ip", "-batch", name .. ".batch" }, empty) },
  }
end

-- Lines that agree behind their destinations with others, as most of a long file do, or do not.
local function one_kind(nl, options, unlike)
  local few <const> = { family = 4, hops = 2, count = 16, sets = 16, unlike = unlike }
  local many <const> = { family = 4, hops = 2, count = options.n, sets = 16, unlike = unlike }
  write_files("/run/few", few)
  write_files("/run/many", many)
  local small <const> = measure.rounds(contenders(nl, "/run/few", few), 3)
  local large <const> = measure.rounds(contenders(nl, "/run/many", many),
    math.min(options.rounds, 3))
  local times <const>, memory <const> = {}, {}
  for name, of in pairs(large) do
    times[name] = of.time / many.count
    memory[name] = (of.memory - small[name].memory) * 1024 / many.count
  end
  local title <const> = ("loading %d lines of text, IPv4, 2 next hops%s"):format(many.count,
    unlike and ", no two alike" or "")
  measure.print(title, "ns/line", {
    { name = ECMP }, { name = IP, target = not unlike and { of = ECMP, least = 2 } or nil },
  }, times)
  measure.print(title .. ", memory at its peak", "bytes/line", {
    { name = ECMP, target = { of = IP, most = 0.05 } }, { name = IP },
  }, memory)
end

function M.run(nl, options)
  one_kind(nl, options)
  one_kind(nl, options, true)
end

return M
