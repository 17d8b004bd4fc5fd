--- `make bench`: everything compared in one run. `n=` routes, `rounds=`,
--- `only=core|sets|apply|growth|plan|start|plugins`, `quick=1`, `peers=no`.
package.path = "./?.lua;" .. package.path
local machine = require "bench.machine"
local measure = require "bench.measure"
local sys = require "ecmp.sys"

local SECTIONS <const> = { "core", "sets", "apply", "growth", "plan", "start", "plugins" }

local function read_options(args)
  local given <const> = {}
  for _, word in ipairs(args) do
    local key <const>, value <const> = word:match "^(%w+)=(.*)$"
    if value ~= "" then given[key or word] = value end
  end
  local quick <const> = given.quick ~= nil
  return {
    n = math.tointeger(tonumber(given.n or quick and 10000 or 100000)),
    rounds = math.tointeger(tonumber(given.rounds or quick and 3 or 5)),
    million = quick and 50000 or 1000000, only = given.only, quick = quick,
    peers = given.peers ~= "no",
  }
end

local function main(args)
  local options <const> = read_options(args)
  local start <const> = sys.monotonic()
  measure.say("%d routes, medians of %d interleaved rounds, %s, kernel %s", options.n,
    options.rounds, measure.cpu and "processor time" or "wall clock",
    (assert(sys.read "/proc/sys/kernel/osrelease"):gsub("%s+$", "")))
  local nl <close> = machine.open()
  for _, name in ipairs(SECTIONS) do
    if not options.only or options.only == name then require("bench." .. name).run(nl, options) end
  end
  measure.summary()
  measure.say("%.0f seconds", sys.monotonic() - start)
end

main(arg)
