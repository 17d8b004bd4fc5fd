--- Whether a route costs the same in a table of a thousand and of a million.
local machine = require "bench.machine"
local measure = require "bench.measure"
local shape = require "bench.shape"

local M = {}

local function one_size(nl, count, rounds)
  local s <const> = { family = 4, hops = 2, count = count, sets = 16 }
  shape.write_messages(s, "/run/bench.messages")
  local add <const>, del <const> = shape.changes(s, "route add"), shape.changes(s, "route del")
  local function replay(order)
    return function()
      return { add = machine.program("replay", "/run/bench.messages", "add", order) / count,
               del = machine.program("replay", "/run/bench.messages", "del", order) / count }
    end
  end
  return measure.rounds({
    { name = "replay, caller's order", run = replay "keep" },
    { name = "replay, best order", run = replay "free" },
    { name = "ecmp, order free", run = function()
      local ns <const> = machine.batch(nl, add, { order = "free" }) / count
      local start <const>, seen = measure.time(function()
        local n = 0
        for route in nl.route:each { family = 4 } do n = n + (route.dst and 1 or 0) end
        return n
      end)
      return { add = ns, read = start / seen, del = machine.batch(nl, del,
        { order = "free" }) / count }
    end },
  }, rounds)
end

local COLUMNS <const> = {
  { "replay, caller's order", "add" }, { "replay, best order", "add" }, { "ecmp, order free",
    "add" },
  { "replay, caller's order", "del" }, { "replay, best order", "del" }, { "ecmp, order free",
    "del" },
  { "ecmp, order free", "read" },
}

function M.run(nl, options)
  local sizes <const>, results = { 1000, 10000, 100000, options.million }, {}
  for _, count in ipairs(sizes) do
    results[count] = one_size(nl, count, count >= 1000000 and 1 or math.min(options.rounds, 3))
    collectgarbage()
  end
  measure.say("\ngrowth, IPv4, 2 next hops: ns/route")
  measure.say("  %-34s%10d%10d%10d%10d  largest / 10000", "", table.unpack(sizes))
  for _, column in ipairs(COLUMNS) do
    local figures <const> = {}
    for i, count in ipairs(sizes) do figures[i] = results[count][column[1]][column[2]] end
    measure.say("  %-34s%10.0f%10.0f%10.0f%10.0f  %.2f", column[1] .. ": " .. column[2], figures[1],
      figures[2],
      figures[3], figures[4], figures[4] / figures[2])
  end
  local largest <const>, small <const> = results[options.million], results[10000]
  local function grown(name) return largest[name].add / small[name].add end
  local ours <const>, theirs <const> = grown "ecmp, order free", grown "replay, best order"
  measure.check(("growth of installing is within 1.3 x of the replay's own (%.2f, %.2f)"):format(
    ours, theirs),
    ours <= 1.3 * theirs)
end

return M
