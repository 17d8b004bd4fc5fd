-- The main job, on real input: `make demo`, or `ecmp run examples/demo.lua` in a scratch namespace.
--
-- A scratch host with a bridge, three routers behind it and a pod are made of network namespaces.
-- The CNI plugins run as a container runtime runs them; every answer below is the kernel's.
local json = require "ecmp.json"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local CONFIG <const> = [[
{
  "cniVersion": "1.1.0", "name": "demo", "type": "ecmp-bridge", "bridge": "br0",
  "ipam": {
    "type": "ecmp-static",
    "addresses": [ {"address":"10.0.0.9/24"}, {"address":"2001:db8::9/64"} ],
    "routes": [ {"dst":"0.0.0.0/0","gw":"10.0.0.1"}, {"dst":"0.0.0.0/0","gw":"10.0.0.2"},
                {"dst":"::/0","gw":"2001:db8::1"},   {"dst":"::/0","gw":"2001:db8::2"} ]
  }
}]]
local FLOWS <const> = 32

-- Where the plugins are: beside the executable, or in the tree that was built.
local exe <const> = assert(sys.realpath "/proc/self/exe"):match("^(.*)/bin/ecmp$")
local plugins <const> = assert(sys.realpath((exe or "build") .. "/cni"))

local function title(text)
  print(sys.isatty(1) and ("\n\27[1m%s\27[0m"):format(text) or "\n" .. text)
end

-- The lab ---------------------------------------------------------------------------------------

local host <const>, pod <const> = assert(netns.create()), assert(netns.create())
local routers <const> = {}

local function run(where, command, stdin, env)
  local outcome <const> = assert(sys.spawn {
    argv = { "sh", "-c", command }, netns = netns.path(where), stdin = stdin, env = env,
    stderr = "capture", timeout = 60,
  })
  return outcome.stdout, outcome.status, outcome.stderr
end

local function must(where, command)
  local output <const>, status <const>, message <const> = run(where, "set -e; " .. command)
  if status ~= 0 then error(("%s: %s"):format(command, message), 0) end
  return output
end

-- A router answers for its own address and for the whole documentation networks behind it.
local function add_router(n)
  local router <const> = assert(netns.create())
  routers[n] = router
  must(host, ("ip link add gw%d type veth peer name eth0 netns %s; ip link set gw%d master br0 up")
    :format(n, netns.path(router), n))
  must(router, ([[
    ip link set lo up; ip link set eth0 up
    ip addr add 10.0.0.N/24 dev eth0; ip addr add 2001:db8::N/64 dev eth0 nodad
    ip route add local 198.51.100.0/24 dev lo; ip route add local 2001:db8:ffff::/64 dev lo]])
    :gsub("N", n))
end

-- A plugin, run as a container runtime runs it.
local function cni(verb, config)
  local env <const> = { "CNI_COMMAND=" .. verb, "CNI_CONTAINERID=demo", "CNI_IFNAME=eth0",
    "CNI_NETNS=" .. netns.path(pod), "CNI_PATH=" .. plugins, "PATH=" .. os.getenv "PATH" }
  local output <const>, status <const>, log <const> =
    run(host, plugins .. "/ecmp-bridge", config, env)
  return status == 0, output == "" and log or output
end

local function must_cni(verb, config)
  local ok <const>, output <const> = cni(verb, config)
  if not ok then error(verb .. ": " .. output, 0) end
  print(("\n  %-5s -> success"):format(verb))
  return output
end

-- Showing ---------------------------------------------------------------------------------------

local function show(where, command)
  print("\n  $ " .. command)
  local output <const> = must(where, command)
  print("  " .. (output == "" and "(nothing)" or (output:gsub("\n$", ""):gsub("\n", "\n  "))))
end

local families <const> = {
  { name = "IPv4", flow = "198.51.100.%d", file = "snmp", counter = "Udp: %d+ (%d+)" },
  { name = "IPv6", flow = "2001:db8:ffff::%x", file = "snmp6", counter = "Udp6NoPorts%s+(%d+)" },
}

local function tally(counts)
  local parts <const> = {}
  for n = 1, #routers do parts[n] = ("gateway %d: %2d"):format(n, counts[n] or 0) end
  return table.concat(parts, "   ")
end

-- Asks the kernel which gateway each flow takes, and shows a few of its answers.
local function ask(family)
  local questions <const>, counts <const> = {}, {}
  for i = 1, FLOWS do questions[i] = "route get " .. family.flow:format(i) end
  print(("\n  $ ip route get   (%s)"):format(family.name))
  local answers <const> = run(pod, "ip -oneline -batch -", table.concat(questions, "\n"))
  local shown = 0
  for target, via, n in answers:gmatch("(%S+) [^\n]-via (%S-(%d+)) [^\n]*") do
    n, shown = tonumber(n), shown + 1
    counts[n] = (counts[n] or 0) + 1
    if shown <= 4 then print(("  %s via %s"):format(target, via)) end
  end
  print(("  ... %d flows in all:       %s"):format(shown, tally(counts)))
  return counts
end

local function received(family)
  local counts <const> = {}
  for n, router in ipairs(routers) do
    counts[n] = tonumber(must(router, "cat /proc/net/" .. family.file):match(family.counter))
  end
  return counts
end

-- Sends a real packet for each flow and looks where they arrived.
local function send(family)
  local before <const> = received(family)
  local targets <const> = {}
  for i = 1, FLOWS do targets[i] = "/dev/udp/" .. family.flow:format(i) .. "/9" end
  must(pod, ("bash -c 'for t in %s; do echo hello >$t; done'"):format(table.concat(targets, " ")))
  sys.sleep(0.3)
  local counts <const> = received(family)
  for n in ipairs(counts) do counts[n] = counts[n] - before[n] end
  print(("  packets that came through: %s"):format(tally(counts)))
end

local function flows()
  local used <const> = {}
  for _, family in ipairs(families) do
    local counts <const> = ask(family)
    send(family)
    used[family.name] = (counts[1] and 1 or 0) + (counts[2] and 1 or 0)
  end
  return used
end

local function both_tables()
  show(pod, "ip route show default")
  show(pod, "ip -6 route show default")
end

-- The story -------------------------------------------------------------------------------------

must(host, "ip link set lo up; ip link add br0 type bridge; ip link set br0 up")
must(pod, "ip link set lo up")
for n = 1, 3 do add_router(n) end

title "One CNI config, two default gateways, each in both families"
print("\n" .. (CONFIG:gsub("([^\n]+)", "  %1")))
print [[

  A bridge br0 connects the pod with three real routers, 10.0.0.1 to .3 (2001:db8::1 to ::3).
  Whoever writes this config wants his pod to use the first two. What does he get?]]

title "1. What the reference plugins do with it:  \"merge\": \"separate\""
local separate <const> = CONFIG:gsub('"bridge": "br0",', '%0 "merge": "separate",')
must_cni("ADD", separate)
both_tables()
local used = flows()
print [[

  IPv4 got two entries, of which the last one listed takes all traffic. IPv6 got one route that
  uses both. Nothing in the result of the ADD says so.]]
assert(used.IPv4 == 1 and used.IPv6 == 2, "the kernel did not do what is told above")
must_cni("DEL", separate)

title "2. What ecmp makes of the same config:  \"merge\": \"ecmp\", the default"
local result <const> = must_cni("ADD", CONFIG)
both_tables()
used = flows()
print [[

  One multipath route in either family, and both gateways are used. Router 3 is in no config and
  gets nothing.]]
assert(used.IPv4 == 2 and used.IPv6 == 2, "the kernel did not do what is told above")

title "3. CHECK compares the kernel with what was planned"
local known <const> = json.decode(CONFIG)
known.prevResult = json.decode(result)
local checked <const> = json.encode(known)
must_cni("CHECK", checked)
print "\n  Somebody takes a next hop away:"
show(pod, "ip route replace default via 10.0.0.1 dev eth0; ip route show default")
local ok <const>, refusal <const> = cni("CHECK", checked)
assert(not ok, "CHECK did not notice")
print("\n  CHECK -> failure:\n  " .. json.decode(refusal).msg)

title "4. DEL leaves nothing behind"
must_cni("DEL", checked)
show(pod, "ip -br link")
show(pod, "ip route show table all; ip -6 route show default")
for _, name in ipairs(sys.list "/run/cni/ecmp" or {}) do
  assert(not name:find("demo:demo:", 1, true), "a record stayed: " .. name)
end
show(host, "ip -br link show master br0")

print "\n  The pod is as it was; the bridge keeps its routers.\n"
