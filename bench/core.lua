--- Installing, replacing, deleting and reading routes, against the replay and against the peers.
local machine = require "bench.machine"
local measure = require "bench.measure"
local peers = require "bench.peers"
local shape = require "bench.shape"

local M = {}

local REPLAY <const>, STRIPED <const> = "replay, caller's order", "replay, best order"
local KEEP <const>, FREE <const>, SHARE <const> = "ecmp, order kept", "ecmp, order free",
  "ecmp, share"
local COLD <const> = "ecmp, order free, just parsed"
local MESSAGES <const> = "/run/bench.messages"

local function replay(order, per)
  return function(verb) return machine.program("replay", MESSAGES, verb, order) / per end
end

local function ours(nl, lists, options, per)
  return function(verb) return machine.batch(nl, lists[verb], options) / per end
end

-- The same of tables that were made just before, each with hops of its own: none of them is near the
-- processor.
local function ours_cold(nl, s)
  return function(verb)
    return machine.batch(nl, shape.parsed(s, "route " .. verb), { order = "free" }) / s.count
  end
end

-- One round of one contender: install, replace, delete.
local function round(apply, verbs)
  return function()
    local values <const> = { add = apply "add" }
    if verbs.replace then values.replace = apply "replace" end
    values.del = apply "del"
    return values
  end
end

local function contenders(nl, s, with)
  local lists <const> = {
    add = shape.changes(s, "route add"), del = shape.changes(s, "route del"),
    replace = with.replace and shape.changes(s, "route replace"),
  }
  local list <const> = {
    { name = REPLAY, run = round(replay("keep", s.count), with) },
    { name = KEEP, run = round(ours(nl, lists, { order = "keep" }, s.count), with) },
  }
  if s.family == 4 then
    table.insert(list, 2, { name = STRIPED, run = round(replay("free", s.count), with) })
    list[4] = { name = FREE, run = round(ours(nl, lists, { order = "free" }, s.count), with) }
  end
  if with.cold then list[#list + 1] = { name = COLD, run = round(ours_cold(nl, s), {}) } end
  if with.share then
    list[#list + 1] = { name = SHARE,
      run = round(ours(nl, lists, { order = "free", share = true }, s.count), with) }
  end
  return list, lists
end

-- Peers
-- ---------------------------------------------------------------------------------------------

local function write_files(s)
  shape.write_commands(s, peers.FILES.add, "add")
  shape.write_commands(s, peers.FILES.del, "del")
  shape.write_plain(s, peers.FILES.plain)
  local part <const> = { family = s.family, hops = s.hops, sets = s.sets, count = s.count // 20 }
  shape.write_plain(part, peers.FILES.plain .. ".part")
end

-- One round of a peer. What a peer cannot do here it is not asked for again.
local function peer_round(nl, peer, s, lists)
  local count <const> = s.count // (peer.part or 1)
  local function round_of()
    local values <const> = { add = peer.add("add", s) / count }
    if peer.del then values.del = peer.del "del" / count end
    return values
  end
  return function()
    local done, values = false, nil
    if not peer.failed then done, values = pcall(round_of) end
    if not done and not peer.failed then peer.failed = tostring(values):match "[^\n]*" end
    if not done or not (peer.del or peer.gone) then
      nl:batch(table.move(lists.del, 1, count, 1, {}), { order = "free" })
    end
    return done and values or {}
  end
end

-- The main table: everything there is, IPv4 with two next hops.
local function against_peers(nl, s, options)
  shape.write_messages(s, MESSAGES)
  write_files(s)
  local list <const>, lists <const> = contenders(nl, s, { replace = true, share = true,
    cold = true })
  local missing <const> = {}
  for _, peer in ipairs(options.peers and peers.list or {}) do
    if peer.wall and measure.cpu then
      missing[#missing + 1] = peer.name .. " is measured by the wall clock only"
    elseif peer.there() then
      list[#list + 1] = { name = peer.name, run = peer_round(nl, peer, s, lists),
        target = peer.least and { of = FREE, least = peer.least } }
    else
      missing[#missing + 1] = ("%s is not installed: apt-get install %s"):format(peer.name,
        peer.package)
    end
  end
  local values <const> = measure.rounds(list, options.rounds)
  local title <const> = ("%d IPv4 routes of %d next hops"):format(s.count, s.hops)
  M.print(title, list, values, {
    add = { [FREE] = { of = STRIPED, most = 1.10 }, [KEEP] = { of = REPLAY, most = 1.10 },
            [COLD] = { of = STRIPED, most = 1.20 }, [SHARE] = { of = REPLAY, most = 0.75 } },
    replace = { [FREE] = { of = STRIPED, most = 1.10 } },
    del = { [FREE] = { of = STRIPED, most = 1.25 }, [COLD] = { of = STRIPED, most = 1.25 } },
  })
  for _, peer in ipairs(peers.list) do
    if peer.failed then missing[#missing + 1] = ("%s failed: %s"):format(peer.name, peer.failed) end
  end
  for _, line in ipairs(missing) do measure.say("  %s", line) end
end

local VERBS <const> = { { "add", "installing" }, { "replace", "replacing" }, { "del", "deleting" } }

---Prints a table for each verb that was measured.
function M.print(title, list, values, targets)
  for _, verb in ipairs(VERBS) do
    local key <const>, rows <const>, column <const> = verb[1], {}, {}
    for _, one in ipairs(list) do
      column[one.name] = values[one.name][key]
      local target <const> = (targets[key] or {})[one.name]
      if column[one.name] then
        rows[#rows + 1] = { name = one.name, target = target or key == "add" and one.target or nil }
      end
    end
    if #rows > 0 then measure.print(("%s: %s"):format(title, verb[2]), "ns/route", rows, column) end
  end
end

-- Shapes
-- --------------------------------------------------------------------------------------------

local SHAPES <const> = {
  { family = 4, hops = 1, share = 0.75 }, { family = 4, hops = 8, part = 2, share = 0.75 },
  { family = 4, hops = 64, part = 10 }, { family = 6, hops = 1 }, { family = 6, hops = 2 },
  { family = 6, hops = 8, part = 5 }, { family = 4, hops = 2, nhid = true },
  { family = 6, hops = 2, nhid = true },
}

local function one_shape(nl, row, options)
  local s <const> = { family = row.family, hops = row.hops, count = options.n // (row.part or 1),
                      sets = 16, nhid = row.nhid }
  if s.nhid then shape.objects(nl, s, "add") end
  shape.write_messages(s, MESSAGES)
  local list <const> = contenders(nl, s, { share = row.share ~= nil })
  local values <const> = measure.rounds(list, options.rounds)
  local same <const> = { of = REPLAY, most = 1.10 }
  M.print(("%d IPv%d routes %s"):format(s.count, s.family, s.nhid and "by a group of " .. s.hops
    or s.hops == 1 and "of one next hop" or ("of %d next hops"):format(s.hops)), list, values, {
    add = { [KEEP] = same, [FREE] = { of = STRIPED, most = 1.10 },
            [SHARE] = row.share and { of = REPLAY, most = row.share } },
  })
  if s.nhid then shape.objects(nl, s, "del") end
end

-- Reading
-- -------------------------------------------------------------------------------------------

local function read_two_fields(nl, family)
  local seen = 0
  for route in nl.route:each { family = family } do
    if route.dst and route.proto then seen = seen + 1 end
  end
  return seen
end

local function read_hops(nl, family)
  local seen = 0
  for route in nl.route:each { family = family } do seen = seen + #(route.nexthops or {}) end
  return seen
end

local function kept_bytes(nl, family)
  collectgarbage() collectgarbage()
  local before <const> = collectgarbage "count"
  local list <const> = nl.route:list { family = family }
  collectgarbage() collectgarbage()
  return (collectgarbage "count" - before) * 1024 / #list
end

local function reading(nl, family, options)
  local s <const> = { family = family, hops = 2, count = options.n, sets = 16 }
  machine.batch(nl, shape.changes(s, "route add"), { order = "keep" })
  local function lua(fn)
    return function()
      collectgarbage()
      return (measure.time(fn, nl, family)) / s.count
    end
  end
  local function outside(argv) return function() return (machine.timed(argv)) / s.count end end
  local six <const>, PARSE <const>, EACH <const>, SHOW <const> = tostring(family),
    "C, libmnl parses everything",
    "ecmp, each, two fields read", "ip route show"
  local rows <const> = {
    { name = PARSE, run = function() return machine.program("dump", "parse", six) / s.count end },
    { name = "C, read and left alone", run = function() return machine.program("dump", "raw",
      six) / s.count end },
    { name = EACH, run = lua(read_two_fields), target = { of = PARSE, most = 2.5 } },
    { name = "ecmp, each, next hops read", run = lua(read_hops) },
    { name = "ecmp, list of views",
      run = lua(function() return nl.route:list { family = family } end) },
    { name = "ecmp, list as text",
      run = lua(function() return #tostring(nl.route:list { family = family }) end) },
    { name = SHOW, run = outside { "sh", "-c", "exec ip -" .. six .. " route show >/dev/null" },
      target = { of = EACH, least = 2 } },
    { name = "ip -j route show",
      run = outside { "sh", "-c", "exec ip -j -" .. six .. " route show >/dev/null" } },
  }
  local values <const>, column <const> = measure.rounds(rows, options.rounds), {}
  for name, value in pairs(values) do column[name] = value.value end
  measure.print(("reading %d IPv%d routes of 2 next hops"):format(s.count, family), "ns/route",
    rows, column)
  local bytes <const> = kept_bytes(nl, family)
  -- the limit is measured for IPv4; IPv6 addresses alone take 36 bytes more
  if family == 4 then
    measure.check(("a view kept takes %.0f bytes (target <= 150)"):format(bytes), bytes <= 150)
  else
    measure.say("  a view kept takes %.0f bytes", bytes)
  end
  machine.batch(nl, shape.changes(s, "route del"), { order = "free" })
end

function M.run(nl, options)
  against_peers(nl, { family = 4, hops = 2, count = options.n, sets = 16 }, options)
  for _, row in ipairs(SHAPES) do one_shape(nl, row, options) end
  reading(nl, 4, options)
  reading(nl, 6, options)
end

return M
