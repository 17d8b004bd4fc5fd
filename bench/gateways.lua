---How long packets are lost when one of three gateways dies, and what becomes of other flows.
--
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/gateways.lua [SETTING] [ROUNDS] [4|6]
--
-- One segment, three gateways, hash by ports; the second gateway goes deaf, its link stays up. Every
-- few milliseconds one packet of each of 20 flows that use it, and of 20 flows that do not, is sent;
-- the loss lasts until a packet of each of the former arrives. Then the gateway hears again, in
-- silence, and comes back when it forwards again. The settings `watch...` run `ecmp watch` with
-- probes each 100 ms, three of which count, and `--hold 0`.
local ecmp = require "ecmp"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local FLOWS <const> = 20
local PAUSE <const> = 0.005
local DEAD <const> = 2
local PATIENCE <const> = { loss = 45, back = 12 }

local function set_managed(lab, timing)
  local neighbours <const> = require "ecmp.flow.neighbours"
  local routes <const>, set <const> = {}, {}
  for i, family in ipairs(lab.families) do routes[i] = { nexthops = lab:hops(family) } end
  local list <const> = neighbours.of(routes, "eth0")
  neighbours.add_sysctls(set, list, timing)
  for key, value in pairs(set) do assert(lab.pod.sysctl:set(key, value)) end
  for _, one in ipairs(list) do
    assert(lab.pod.neigh:replace { dst = one.dst, dev = one.dev, managed = true })
  end
end

local function use_neigh(lab)
  assert(lab.pod.sysctl:set("net.ipv4.fib_multipath_use_neigh", 1))
end

local function gateway_states()
  local json <const> = require "ecmp.json"
  local status <const> = json.decode(sys.read "/run/cni/ecmp/health/status" or "{}")
  return status.gateways or {}
end

-- Waits until a watcher has heard of all gateways.
local function await_up(count)
  local deadline <const> = sys.monotonic() + 15
  repeat
    sys.sleep(0.05)
    local up = 0
    for _, one in ipairs(gateway_states()) do up = up + (one.state == "up" and 1 or 0) end
    if up >= count then return end
  until sys.monotonic() > deadline
  error "the watcher does not hear of the gateways"
end

local PROGRAM <const> = os.getenv "ECMP" or "build/bin/ecmp"

local function watch(lab, words, count)
  sys.unlink "/run/cni/ecmp/health/status"
  local line <const> = ("exec %s watch --netns %s --hold 0 %s default 2>/dev/null"):format(PROGRAM,
    lab:path "pod", words)
  local pid <const> = assert(sys.spawn { argv = { "sh", "-c", line }, detach = true }).pid
  local running <const> = setmetatable({}, { __close = function() sys.kill(pid, "KILL") end })
  await_up(count or 2 * #lab.gateways)
  return running
end

-- What each setting does to a pod; the result, if any, is closed when the round is over.
local settings <const> = {
  nothing = function() end,
  ["use-neigh"] = use_neigh,
  managed = function(lab)
    use_neigh(lab)
    set_managed(lab, { reachable = 1000, retrans = 100 })
  end,
  ["managed-500"] = function(lab)
    use_neigh(lab)
    set_managed(lab, { reachable = 500, retrans = 100 })
  end,
  watch = function(lab) return watch(lab, "--probe icmp") end,
  ["watch-neigh"] = function(lab) return watch(lab, "--probe neigh") end,
  ["watch-dead"] = function(lab) return watch(lab, "--probe icmp") end,
  ["watch-target"] = function(lab)
    assert(lab.server.sysctl:set("net.ipv4.conf.all.ignore_routes_with_linkdown", 1))
    assert(lab.server.route:replace { dst = "10.0.0.0/24", via = "10.1.1.1" })
    return watch(lab, "--target " .. lab.address[4])
  end,
}

-- How the gateway dies, where it does not go deaf; and whether one family alone is measured.
local deaths <const> = { ["watch-dead"] = "dead", ["watch-target"] = "uplink" }
local only_family <const> = { ["watch-target"] = 4 }

-- Source ports of flows that the kernel sends by the gateway, and of others.
local function choose_flows(lab, family)
  local own <const>, others <const> = {}, {}
  local port = 20000
  while #own < FLOWS or #others < FLOWS do
    port = port + 1
    local flow <const> = { dst = lab.address[family], dport = 4000, sport = port,
      src = lab.source[family] }
    local answer <const> = assert(lab.pod.route:get { dst = flow.dst, src = flow.src,
      proto = "udp", sport = port, dport = flow.dport })
    local list <const> = answer.via == lab.gateways[DEAD].via[family] and own or others
    if #list < FLOWS then list[#list + 1] = flow end
  end
  return own, others
end

-- Sends one packet of each flow and counts those that arrive.
local function exchange(round, flows)
  local path <const> = netns.path(round.lab.spaces.pod)
  sys.udp_drain(round.listener) -- what came late counts as lost
  local sent <const> = sys.udp_send(path, flows) or 0
  local arrived = sys.udp_drain(round.listener)
  local deadline <const> = sys.monotonic() + PAUSE
  while arrived < sent and sys.monotonic() < deadline do
    sys.poll({ round.listener }, deadline - sys.monotonic())
    arrived = arrived + sys.udp_drain(round.listener)
  end
  return arrived, sent
end

-- Sends until `done(arrived)`; the seconds it took, or nil when the patience is over.
local function until_arrived(round, patience, done)
  local began <const> = sys.monotonic()
  while sys.monotonic() - began < patience do
    local others <const>, sent <const> = exchange(round, round.others)
    round.lost = round.lost + sent - others
    if done() then return sys.monotonic() - began end
    sys.sleep(PAUSE)
  end
end

local function forwarded_by_dead(lab)
  local link <const> = lab.gateways[DEAD].nl.link:get { dev = "wan" }
  return (string.unpack("<I8", link:raw(23), 9)) -- IFLA_STATS64: tx_packets
end

local function measure(lab, family, death)
  local listener <close> = assert(sys.udp_bind(netns.path(lab.spaces.server),
    family == 4 and "0.0.0.0" or "::", 4000))
  local round <const> = { lab = lab, listener = listener, lost = 0 }
  round.own, round.others = choose_flows(lab, family)
  -- A busy pod: neighbours are known, and confirmed at any time before.
  local ready <const> = sys.monotonic() + 1 + 2 * math.random()
  while sys.monotonic() < ready do
    exchange(round, round.own)
    exchange(round, round.others)
    sys.sleep(PAUSE)
  end
  assert(lab:cut(DEAD, death or "deaf"))
  local loss <const> = until_arrived(round, PATIENCE.loss, function()
    local arrived <const>, sent <const> = exchange(round, round.own)
    return arrived == sent and sent == FLOWS
  end)
  assert(lab:heal(DEAD))
  local before <const> = forwarded_by_dead(lab)
  local back <const> = until_arrived(round, PATIENCE.back, function()
    exchange(round, round.own)
    return forwarded_by_dead(lab) - before >= FLOWS
  end)
  return loss, back, round.lost
end

local function new_lab()
  local lab <const> = assert(ecmp.lab { gateways = 3, shared = true })
  for _, family in ipairs(lab.families) do
    assert(lab.pod.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
    assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
  end
  return lab
end

local function summary(list, rounds)
  if #list == 0 then return "never" end
  table.sort(list)
  local text = ("median %.2f s, %.2f to %.2f s"):format(list[(#list + 1) // 2], list[1],
    list[#list])
  if #list < rounds then text = ("%s, %d never"):format(text, rounds - #list) end
  return text
end

local function run(name, rounds)
  local one <const> = only_family[name] or tonumber(arg[3])
  for _, family in ipairs(one and { one } or { 4, 6 }) do
    local losses <const>, backs <const> = {}, {}
    local lost = 0
    for _ = 1, rounds do
      local lab <close> = new_lab()
      local setting <close> = settings[name](lab)
      local loss <const>, back <const>, others <const> = measure(lab, family, deaths[name])
      losses[#losses + 1], backs[#backs + 1], lost = loss, back, lost + others
      _ = setting
    end
    print(("%s, IPv%d: loss lasts %s; back %s; %d packets of other flows lost"):format(name,
      family, summary(losses, rounds), summary(backs, rounds), lost))
    io.flush()
  end
end

local name <const> = arg[1] or "managed"
if not settings[name] then
  io.stderr:write(("gateways.lua: %s: no such setting\n"):format(name))
  os.exit(2)
end
run(name, math.tointeger(tonumber(arg[2] or "20")))
