--- Grouping what a script lists, and planning it against what a kernel lists: no kernel needed.
local measure = require "bench.measure"
local group = require "ecmp.group"
local plan = require "ecmp.plan"
local rtnl = require "ecmp.rtnl"
local shape = require "bench.shape"

local M = {}

local function bytes_of(fn)
  collectgarbage() collectgarbage()
  local before <const> = collectgarbage "count"
  local value <const> = fn()
  collectgarbage() collectgarbage()
  return (collectgarbage "count" - before) * 1024, value
end

-- What the kernel lists for a route: the same with what it fills in, as a view.
local function held(route)
  local copy <const> = { dst = route.dst, table = "main", proto = "boot", scope = "global",
    type = "unicast", nexthops = {} }
  for i, hop in ipairs(route.nexthops) do
    copy.nexthops[i] = { via = hop.via, dev = "eth0", weight = 1 }
  end
  return rtnl.view("route", copy)
end

local function seconds(rounds, fn)
  local times <const> = {}
  for i = 1, rounds do
    collectgarbage()
    times[i] = measure.time(fn) / 1e9
  end
  return measure.median(times)
end

-- One part in so many of the changes is looked at, one after the other, as they are printed.
local LOOKED_AT <const> = 100

local function one_size(count, rounds)
  local wanted <const> = shape.routes { family = 4, hops = 2, count = count, sets = 16 }
  local current <const>, moved <const> = {}, {}
  for i, route in ipairs(wanted) do
    current[i] = held(route)
    moved[i] = { dst = route.dst, nexthops = { { via = "10.9.9.9" }, { via = "10.9.9.10" } } }
  end
  local grouping <const> = seconds(rounds, function() group.group(wanted) end)
  local nothing <const> = seconds(rounds, function() assert(#plan(current, wanted) == 0) end)
  local all <const> = seconds(rounds, function() assert(#plan(current, moved) == count) end)
  local group_bytes <const> = bytes_of(function() return group.group(wanted) end)
  local plan_bytes <const> = bytes_of(function() return plan(current, moved) end)
  -- A plan writes its changes out when they are looked at, which most are only to be carried out.
  local changes <const> = plan(current, moved)
  local looking <const> = seconds(1, function()
    for k = 1, count // LOOKED_AT do assert(changes[k].verb == "replace") end
  end)
  return { grouping, nothing, all, group_bytes / count, plan_bytes / count,
    looking * 1e6 / (count / LOOKED_AT) }
end

function M.run(_, options)
  local sizes <const>, results = { options.million // 10, options.million }, {}
  measure.say("\ngrouping and planning, IPv4, 2 next hops: seconds (us/route)")
  measure.say("  %-10s%20s%20s%20s%26s", "routes", "group", "plan, no change", "plan, all change",
    "bytes/route, groups, plan")
  for i, count in ipairs(sizes) do
    local r <const> = one_size(count, math.min(options.rounds, 3))
    results[i] = r
    local function cell(s) return ("%.2f (%.2f)"):format(s, s * 1e6 / count) end
    measure.say("  %-10d%20s%20s%20s%26s", count, cell(r[1]), cell(r[2]), cell(r[3]),
      ("%.0f, %.0f"):format(r[4], r[5]))
    collectgarbage()
  end
  local last <const>, us <const> = results[#results], 1e6 / sizes[#sizes]
  local function check(what, cost, most)
    measure.check(("group + plan with %s to change: %.2f us/route (target <= %s)"):format(what,
      cost * us, most), cost * us <= most)
  end
  measure.say("  looking at a change: %.2f us", last[6])
  check("nothing", last[1] + last[2], 1.5)
  check("all", last[1] + last[3], 3)
  local growth <const> = (last[2] + last[3]) / (results[1][2] + results[1][3])
    / (sizes[2] / sizes[1])
  measure.check(("a route costs %.2f times what it costs in a tenth of the list (target <= 1.3)")
    :format(growth), growth <= 1.3)
end

return M
