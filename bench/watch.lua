---`ecmp watch` under what is hard on it.
--
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/watch.lua kill [ROUNDS]
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/watch.lua pods [COUNT]
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/watch.lua gone [ROUNDS]
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/watch.lua load [SECONDS]
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/watch.lua flap [SECONDS]
--     sudo sh build-aux/sandbox.sh build/bin/ecmp run bench/watch.lua download [ROUNDS]
--
-- kill: a gateway goes deaf, and the watcher is killed about the moment when it changes routes;
-- another one follows. The pod has its routes all the time, and all hops when the gateway is back.
-- pods: one segment with three gateways and many pods: what the watcher takes when nothing happens,
-- how many probes are sent, and how long changing all pods takes. Needs `ulimit -n` for the pods.
local ecmp = require "ecmp"
local json = require "ecmp.json"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local PROGRAM <const> = os.getenv "ECMP" or "build/bin/ecmp"
local STATE <const> = "/run/cni/ecmp/health"

local function start(words)
  sys.unlink(STATE .. "/status")
  local line <const> = ("exec %s watch --json %s >/run/watch.out 2>&1"):format(PROGRAM, words)
  return assert(sys.spawn { argv = { "sh", "-c", line }, detach = true }).pid
end

local function kill(pid)
  sys.kill(pid, "KILL")
  while true do
    local stat <const> = sys.read(("/proc/%d/stat"):format(pid))
    if not stat or stat:match "%) (%u)" == "Z" then return end
    sys.sleep(0.001)
  end
end

local function await(condition, what)
  local deadline <const> = sys.monotonic() + 60
  while not condition() do
    if sys.monotonic() > deadline then error(what, 2) end
    sys.sleep(0.01)
  end
end

local function count_states(state)
  local count = 0
  local status <const> = json.decode(sys.read(STATE .. "/status") or "{}")
  for _, one in ipairs(status.gateways or {}) do count = count + (one.state == state and 1 or 0) end
  return count
end

local function new_lab()
  local lab <const> = assert(ecmp.lab { gateways = 3, shared = true })
  for _, family in ipairs { 4, 6 } do
    assert(lab.pod.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
    assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
  end
  return lab
end

-- SIGKILL --------------------------------------------------------------------------------------

local function state_files()
  local count = 0
  for _, name in ipairs(sys.list(STATE) or {}) do
    count = count + (name:find "%.json$" and 1 or 0)
  end
  return count
end

local function kill_rounds(rounds)
  local lab <close> = new_lab()
  local function routes()
    return tostring(lab.pod.route:list { dst = "default" }) .. tostring(lab.pod.nexthop:list())
  end
  local function has_routes()
    return #lab.pod.route:list { dst = "default", family = 4 } == 1
      and #lab.pod.route:list { dst = "default", family = 6 } == 1
  end
  local was <const> = routes()
  local words <const> = ("--netns %s --interval 20 --hold 0 default"):format(lab:path "pod")
  local lost, half <const> = 0, { before = 0, after = 0 }
  for round = 1, rounds do
    local dead <const> = round % 3 + 1
    local first <const> = start(words)
    await(function() return count_states "up" == 6 end, "not all gateways are up")
    assert(lab:cut(dead, "deaf"))
    sys.sleep(0.045 + 0.04 * math.random())
    kill(first)
    local moment <const> = routes() == was and "before" or "after"
    half[moment] = half[moment] + 1
    if not has_routes() then lost = lost + 1 end
    assert(lab:heal(dead))
    local second <const> = start(words)
    await(function() return count_states "up" == 6 end, "not all gateways come back")
    await(function() return routes() == was and state_files() == 0 end,
      "round " .. round .. ": state and kernel differ:\n" .. routes())
    kill(second)
  end
  print(("kill: %d rounds, %d before an edit and %d after one; %d without a route; state and kernel "
    .. "agree after each"):format(rounds, half.before, half.after, lost))
end

-- Pods -----------------------------------------------------------------------------------------

local function wire(host, name, space, dev)
  assert(host.link:add { name = name, type = "veth", master = "br0",
    peer = { name = dev, netns = netns.path(space) } })
  assert(host.link:set { dev = name, up = true })
end

local function address(nl, dev, four, six)
  assert(nl.link:set { dev = dev, up = true })
  assert(nl.addr:add { dev = dev, address = four .. "/16" })
  assert(nl.addr:add { dev = dev, address = six .. "/64", nodad = true })
end

local function make_gateway(host, i)
  local space <const> = sys.netns_new()
  wire(host, "gw" .. i, space, "lan")
  local nl <const> = assert(ecmp.open { netns = netns.path(space) })
  address(nl, "lan", "10.0.0." .. i, "2001:db8::" .. i)
  return { space = space, nl = nl }
end

local function hops(format)
  local list <const> = {}
  for i = 1, 3 do list[i] = { via = format:format(i), dev = "eth0", weight = 1 } end
  return list
end

local WANTED <const> = {
  { family = 4, dst = "0.0.0.0/0", table = 254, metric = 0, nexthops = hops "10.0.0.%d" },
  { family = 6, dst = "::/0", table = 254, metric = 1024, nexthops = hops "2001:db8::%d" },
}

local function make_pod(host, i)
  local space <const> = sys.netns_new()
  local path <const> = netns.path(space)
  wire(host, "p" .. i, space, "eth0")
  local nl <close> = assert(ecmp.open { netns = path })
  address(nl, "eth0", ("10.0.%d.%d"):format(1 + i // 250, 1 + i % 250),
    ("2001:db8::1:%x"):format(i))
  for _, route in ipairs(WANTED) do
    assert(nl.route:add { dst = route.dst, nexthops = route.nexthops })
  end
  local record <const> = {
    format = 1, network = "n", containerid = "c" .. i, ifname = "eth0", netns = path,
    steps = json.array { { plugin = "bridge", mark = "0", found = json.array(),
      conf = { type = "ecmp-bridge", bridge = "br0", health = { probe = "icmp", hold = 0 } },
      wanted = json.array(WANTED), plan = { addresses = json.array(), routes = json.array(),
        sysctls = {} } } },
  }
  assert(sys.create(("/run/cni/ecmp/n:c%d:eth0.json"):format(i), json.encode(record), 384))
  return space
end

local function processor_time(pid)
  local stat <const> = sys.read(("/proc/%d/stat"):format(pid)):match "%) (.*)"
  local fields <const> = {}
  for word in stat:gmatch "%S+" do fields[#fields + 1] = tonumber(word) or 0 end
  return (fields[12] + fields[13]) / 100
end

local function resident(pid)
  return tonumber(sys.read(("/proc/%d/status"):format(pid)):match "VmRSS:%s+(%d+) kB")
end

local function edits()
  local list <const> = {}
  for line in (sys.read "/run/watch.out"):gmatch "[^\n]+" do
    local event <const> = line:find "^{" and json.decode(line)
    if event and event.event == "edited" then list[#list + 1] = event end
  end
  return list
end

-- Makes a gateway of the bridge deaf, or lets it hear again.
local function deafen(gateway, yes)
  for _, family in ipairs { 4, 6 } do
    local rule <const> = gateway.nl.rule
    if yes then
      if #rule:list { family = family, priority = 0, table = "local" } > 0 then
        assert(rule:add { priority = 1, table = "local", family = family })
        assert(rule:del { priority = 0, table = "local", family = family })
      end
      assert(rule:add { priority = 0, iif = "lan", action = "blackhole", family = family })
    else
      assert(rule:del { priority = 0, iif = "lan", action = "blackhole", family = family })
    end
  end
end

local function pod_rounds(count)
  sys.mkdir("/run/cni", 493)
  sys.mkdir("/run/cni/ecmp", 493)
  local host_space <close> = sys.netns_new()
  local host <close> = assert(ecmp.open { netns = netns.path(host_space) })
  assert(host.link:add { name = "br0", type = "bridge" })
  assert(host.link:set { dev = "br0", up = true })
  local gateways <const>, pods <const> = {}, {}
  for i = 1, 3 do gateways[i] = make_gateway(host, i) end
  for i = 1, count do pods[i] = make_pod(host, i) end
  sys.sleep(2)
  local pid <const> = start ""
  await(function() return count_states "up" == 6 end, "not all gateways are up")
  sys.sleep(3)
  local before <const>, began <const> = processor_time(pid), sys.monotonic()
  sys.sleep(20)
  local share <const> = (processor_time(pid) - before) / (sys.monotonic() - began)
  print(("pods: %d; idle %.2f %% of a core, %.1f MiB"):format(count, share * 100,
    resident(pid) / 1024))
  deafen(gateways[1], true)
  await(function() return count_states "out" == 2 end, "the gateway is not withdrawn")
  sys.sleep(3)
  deafen(gateways[1], false)
  sys.sleep(3)
  for _, event in ipairs(edits()) do
    print(("  IPv%d: %d routes in %d ms"):format(event.family, event.routes, event.milliseconds))
  end
  kill(pid)
  for _, space in ipairs(pods) do space:close() end
end

-- Pods that go -----------------------------------------------------------------------------------

local function events_of(name)
  local count = 0
  for line in (sys.read "/run/watch.out"):gmatch "[^\n]+" do
    local event <const> = line:find "^{" and json.decode(line)
    if event and event.event == name then count = count + 1 end
  end
  return count
end

local function namespaces_held(pid)
  local count = 0
  for _, fd in ipairs(sys.list(("/proc/%d/fd"):format(pid))) do
    local target <const> = sys.readlink(("/proc/%d/fd/%s"):format(pid, fd)) or ""
    count = count + (target:find "^net:" and 1 or 0)
  end
  return count
end

-- A pod's namespace and veth are gone when its end on the host is.
local function is_gone(host, i)
  return not host.link:get { dev = "p" .. i }
end

local function gone_rounds(rounds)
  sys.mkdir("/run/cni", 493)
  sys.mkdir("/run/cni/ecmp", 493)
  local host_space <close> = sys.netns_new()
  local host <close> = assert(ecmp.open { netns = netns.path(host_space) })
  assert(host.link:add { name = "br0", type = "bridge" })
  assert(host.link:set { dev = "br0", up = true })
  local gateways <const> = {}
  for i = 1, 3 do gateways[i] = make_gateway(host, i) end
  local stays <const> = make_pod(host, 1)
  local pid <const> = start "--hold 0"
  await(function() return count_states "up" == 6 end, "not all gateways are up")
  local kept, states = 0, 0
  for round = 1, rounds do
    local pod <const> = make_pod(host, 1 + round)
    sys.sleep(1.1) -- until the watcher has found it
    deafen(gateways[2], true)
    sys.sleep(0.2 + 0.2 * math.random()) -- about when it is withdrawn
    sys.unlink(("/run/cni/ecmp/n:c%d:eth0.json"):format(1 + round))
    pod:close()
    local deadline <const> = sys.monotonic() + 5
    while not is_gone(host, 1 + round) and sys.monotonic() < deadline do sys.sleep(0.01) end
    if not is_gone(host, 1 + round) then kept = kept + 1 end
    deafen(gateways[2], false)
    sys.sleep(1.5)
    if sys.stat(("%s/n:c%d:eth0.json"):format(STATE, 1 + round)) then states = states + 1 end
  end
  print(("gone: %d rounds; %d namespaces kept alive, %d state files left; %d namespaces held open")
    :format(rounds, kept, states, namespaces_held(pid)))
  kill(pid)
  stays:close()
end

-- Load, flapping, a download -----------------------------------------------------------------------

local function load_seconds(seconds)
  local lab <close> = new_lab()
  local pid <const> = start(("--netns %s default"):format(lab:path "pod"))
  await(function() return count_states "up" == 6 end, "not all gateways are up")
  local busy <const> = assert(sys.spawn { detach = true, argv = { "sh", "-c",
    ("for i in $(seq 20); do timeout %d sh -c 'while :; do :; done' & done; wait"):format(seconds) } })
  sys.sleep(seconds)
  print(("load: twenty busy processes for %d s: %d withdrawals, load average %s"):format(seconds,
    events_of "withdraw", sys.read("/proc/loadavg"):match "%S+"))
  sys.kill(busy.pid, "TERM")
  kill(pid)
end

local function flap_seconds(seconds)
  local lab <close> = new_lab()
  local pid <const> = start(("--netns %s --interval 50 --hold 0 default"):format(lab:path "pod"))
  await(function() return count_states "up" == 6 end, "not all gateways are up")
  local began <const> = sys.monotonic()
  while sys.monotonic() - began < seconds do
    assert(lab:cut(2, "deaf"))
    sys.sleep(0.5)
    assert(lab:heal(2))
    sys.sleep(0.5)
  end
  print(("flap: a gateway at 1 Hz for %d s: %d withdrawals, %d returns, %d edits of two routes")
    :format(seconds, events_of "withdraw", events_of "return", #edits()))
  kill(pid)
end

-- Serves zeros for ever to whoever connects.
local SERVER <const> = [[
import socket, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 5000)); s.listen(64)
def serve(c):
    block = bytes(16384)
    try:
        while True: c.sendall(block)
    except OSError: pass
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
]]

-- Reads from a port of its own, and prints the longest pause in milliseconds and the bytes.
local CLIENT <const> = [[
import socket, sys, time
s = socket.socket(); s.bind(("", int(sys.argv[2]))); s.connect((sys.argv[1], 5000)); s.settimeout(5)
end, last, pause, got = time.monotonic() + 3, time.monotonic(), 0, 0
while time.monotonic() < end:
    got += len(s.recv(65536)); now = time.monotonic(); pause = max(pause, now - last); last = now
print(int(pause * 1000), got)
]]

local function download_rounds(rounds)
  local lab <close> = new_lab()
  local server <const> = assert(sys.spawn { detach = true, netns = lab:path "server",
    argv = { "python3", "-c", SERVER } }).pid
  local pid <const> = start(("--netns %s --hold 0 --interval 100 default"):format(lab:path "pod"))
  await(function() return count_states "up" == 6 end, "not all gateways are up")
  local pauses <const> = {}
  local port = 30000
  for _ = 1, rounds do
    local via
    repeat -- a flow by a gateway that stays
      port = port + 1
      via = lab.pod.route:get { dst = lab.address[4], src = lab.source[4], proto = "tcp",
        sport = port, dport = 5000 }.via
    until via ~= lab.gateways[2].via[4]
    local out <const> = ("/run/client.%d"):format(port)
    assert(sys.spawn { detach = true, netns = lab:path "pod", argv = { "sh", "-c",
      'exec python3 -c "$1" "$2" "$3" >"$4" 2>&1', "sh", CLIENT, lab.address[4],
      tostring(port), out } })
    sys.sleep(1)
    assert(lab:cut(2, "deaf"))
    sys.sleep(3)
    local text <const> = sys.read(out) or ""
    local pause <const>, bytes <const> = text:match "^(%d+) (%d+)"
    assert(pause and tonumber(bytes) > 1 << 20, text)
    pauses[#pauses + 1] = tonumber(pause)
    assert(lab:heal(2))
    await(function() return count_states "up" == 6 end, "the gateway does not come back")
  end
  table.sort(pauses)
  print(("download: %d rounds, all went on; longest pause median %d ms, at most %d ms"):format(rounds,
    pauses[(#pauses + 1) // 2], pauses[#pauses]))
  sys.kill(server, "KILL")
  kill(pid)
end

local jobs <const> = { kill = kill_rounds, pods = pod_rounds, gone = gone_rounds,
  load = load_seconds, flap = flap_seconds, download = download_rounds }
local job <const> = jobs[arg[1] or ""]
if not job then
  io.stderr:write "watch.lua: kill, pods, gone, load, flap or download expected\n"
  os.exit(2)
end
job(math.tointeger(tonumber(arg[2] or "200")))
