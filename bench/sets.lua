--- Many different sets of next hops, and moving many routes at once: what next-hop objects are for.
local machine = require "bench.machine"
local measure = require "bench.measure"
local shape = require "bench.shape"
local sys = require "ecmp.sys"

local M = {}

local INLINE <const>, OURS <const>, SHARE <const> = "replay, hops in every route",
  "ecmp, hops in every route",
  "ecmp, share, objects made anew"

local function delete_objects(nl)
  local changes <const> = {}
  for _, object in ipairs(nl.nexthop:list()) do
    changes[#changes + 1] = { "nexthop del", { id = object.id } }
  end
  nl:batch(changes)
end

-- The routes of a shape with the device named, as a routing daemon names it.
local function with_device(s)
  local changes <const> = shape.changes(s, "route add")
  for _, change in ipairs(changes) do
    for _, hop in ipairs(change[2].nexthops or { change[2] }) do hop.dev = "bench0" end
  end
  return changes
end

-- A contender that installs the routes of a shape, and leaves nothing behind. The kernel frees what
-- was deleted a little later, and shall not do so while the next one is timed.
local function installing(nl, s, fn)
  local del <const> = shape.changes(s, "route del")
  return function()
    local ns <const> = fn() / s.count
    machine.batch(nl, del, { order = "free" })
    delete_objects(nl)
    sys.sleep(0.1)
    return ns
  end
end

local function distinct(nl, count, sets, rounds)
  local s <const> = { family = 4, hops = 2, count = count, sets = sets }
  local add <const> = with_device(s)
  shape.write_messages(s, "/run/bench.messages")
  local function timed(fn) return installing(nl, s, fn) end
  local rows <const> = {
    { name = INLINE, run = timed(function()
      return machine.program("replay", "/run/bench.messages", "add", "keep")
    end) },
    { name = OURS, run = timed(function() return machine.batch(nl, add, { order = "free" }) end) },
    { name = SHARE, run = timed(function()
      return machine.batch(nl, add, { order = "free", share = true })
    end) },
  }
  local column <const> = {}
  for name, value in pairs(measure.rounds(rows, rounds)) do column[name] = value.value end
  if sets >= 16000 then rows[1].target = { of = SHARE, least = 12 } end
  measure.print(("%d IPv4 routes of 2 next hops, %d different sets"):format(count, sets),
    "ns/route", rows, column)
end

-- How long sharing takes, for one without: few routes, so that sets come to be of one route each.
local function ratio(nl, s, rounds)
  local add <const> = with_device(s)
  local function timed(share)
    return installing(nl, s, function()
      return machine.batch(nl, add, { order = "free", share = share })
    end)
  end
  local values <const> = measure.rounds({
    { name = "hops", run = timed(false) }, { name = "share", run = timed(true) },
  }, rounds)
  return values.share.value / values.hops.value
end

local COUNT <const>, SETS <const> = 4096, { 16, 256, 1024, 2048, 4096 }

-- Sharing decides by what it costs: it may not take longer than what it is an alternative to.
local function never_slower(nl, options)
  local function columns(format, values)
    return (format:rep(#values)):format(table.unpack(values))
  end
  measure.say("\n%d routes, share for hops in every route (= 1), by different sets\n%s", COUNT,
    (" "):rep(22) .. columns("%8d", SETS))
  local worst = 0
  for _, family in ipairs { 4, 6 } do
    for _, hops in ipairs { 1, 2, 8 } do
      local ratios <const> = {}
      for i, sets in ipairs(SETS) do
        ratios[i] = ratio(nl, { family = family, hops = hops, count = COUNT, sets = sets },
          2 * options.rounds + 1)
        worst = math.max(worst, ratios[i])
      end
      measure.say("  %-20s%s", ("IPv%d, %d next hop%s"):format(family, hops, hops > 1 and "s" or ""),
        columns("%8.2f", ratios))
    end
  end
  measure.check(("sharing takes at most %.2f times as long (target <= 1.10)"):format(worst),
    worst <= 1.10)
end

-- Other gateways for every route: by replacing the group they share, and by replacing each.
local function moving(nl, options, compat)
  local s <const> = { family = 4, hops = 2, count = options.n, sets = 1, nhid = true }
  shape.objects(nl, s, "add")
  machine.batch(nl, shape.changes(s, "route add"), { order = "free" })
  assert(nl.sysctl:set("net.ipv4.nexthop_compat_mode", compat))
  local each <const> = shape.changes({ family = 4, hops = 2, count = s.count, sets = 16 },
    "route replace")
  local back <const> = shape.changes(s, "route replace")
  local single <const> = { id = shape.group_id(0), group = { { id = 1, weight = 2 }, { id = 2 } } }
  local EACH <const> = "each route by a replace of its own, batched"
  local rows <const> = {
    { name = EACH, run = function()
      local ns <const> = machine.batch(nl, each, { order = "keep" })
      machine.batch(nl, back, { order = "free" })
      return ns / 1e6
    end },
    { name = "the group they share, one message",
      target = compat == "0" and { of = EACH, most = 0.02 } or nil, run = function(round)
      single.group[1].weight = 2 + round % 2
      return measure.time(function() assert(nl.nexthop:replace(single)) end) / 1e6
    end },
  }
  local column <const> = {}
  for name, value in pairs(measure.rounds(rows, options.rounds)) do column[name] = value.value end
  measure.print(("moving %d IPv4 routes, nexthop_compat_mode=%s"):format(s.count, compat), "ms",
    rows, column)
  assert(nl.sysctl:set("net.ipv4.nexthop_compat_mode", "1"))
  machine.batch(nl, shape.changes(s, "route del"), { order = "free" })
  shape.objects(nl, s, "del")
end

function M.run(nl, options)
  local count <const> = options.quick and 4000 or 20000
  for _, sets in ipairs { 16, 1024, 4096, 16384 } do
    if sets <= count then distinct(nl, count, sets, math.min(options.rounds, sets > 4096 and 1
      or 3)) end
  end
  never_slower(nl, options)
  moving(nl, options, "0")
  moving(nl, options, "1")
end

return M
