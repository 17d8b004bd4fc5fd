--- `ecmp watch` as a process, against gateways that die.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local netns = require "ecmp.netns"
local pod_of = require "spec.pod"
local sys = require "ecmp.sys"

local ECMP <const> = helper.build .. "/bin/ecmp"

--- A watcher that runs; `text()` is what it said so far.
local function start(words, options)
  local out <const> = helper.directory()
  local watcher <const> = { out = out .. "/out" }
  local line <const> = ("exec %s watch --json %s >%s/out 2>&1"):format(ECMP, words, out)
  watcher.pid = assert(sys.spawn {
    argv = { "sh", "-c", line }, detach = true, netns = options and options.netns }).pid
  function watcher.text() return sys.read(watcher.out) or "" end
  function watcher.stop(_, signal)
    if not watcher.pid then return end
    sys.kill(watcher.pid, signal or "TERM")
    helper.eventually(function()
      local stat <const> = sys.read(("/proc/%d/stat"):format(watcher.pid))
      return not stat or stat:match "%) (%u)" == "Z"
    end)
    watcher.pid = nil
  end
  setmetatable(watcher, { __close = function()
    watcher:stop "KILL"
    helper.remove(out)
  end })
  return watcher
end

--- Runs it to its end.
local function run(words, options)
  local argv <const> = { ECMP, "watch" }
  for word in words:gmatch "%S+" do argv[#argv + 1] = word end
  return assert(sys.spawn { argv = argv, stderr = "capture", timeout = 30,
    netns = options and options.netns })
end

local function status()
  local outcome <const> = run "--status --json"
  return json.decode(outcome.stdout), outcome.status
end

-- What an earlier watcher said counts for nothing.
local function states_of(found)
  local states <const> = {}
  for _, one in ipairs(found and found.running and found.gateways or {}) do states[one.gateway] = one.state end
  return states
end

--- Waits until the running watcher says so of all these gateways.
local function await(wanted)
  local found
  local came <const> = pcall(helper.eventually, function()
    found = status()
    local states <const> = states_of(found)
    for gateway, state in pairs(wanted) do
      if states[gateway] ~= state then return false end
    end
    return true
  end)
  assert(came, json.encode(found))
end

local STATE <const> = "/run/cni/ecmp/health"

local function state_files()
  local names <const> = {}
  for _, name in ipairs(sys.list(STATE) or {}) do
    if name:find "%.json$" then names[#names + 1] = name end
  end
  return names
end

describe("ecmp watch #netns", function()
  local lab

  before_each(function()
    lab = assert(ecmp.lab { gateways = 3, shared = true })
    for _, family in ipairs { 4, 6 } do
      assert(lab.pod.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
      assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
    end
  end)

  after_each(function()
    lab:close()
    for _, name in ipairs(state_files()) do sys.unlink(STATE .. "/" .. name) end
  end)

  local function words(more)
    return ("--netns %s --interval 50 --hold 0 %s default"):format(lab:path "pod", more or "")
  end

  local function all(state)
    local wanted <const> = {}
    for _, gateway in ipairs(lab.gateways) do
      for _, family in ipairs { 4, 6 } do wanted[gateway.via[family]] = state end
    end
    return wanted
  end

  local function both(name, state)
    return { [lab:gateway(name).via[4]] = state, [lab:gateway(name).via[6]] = state }
  end

  local function routes()
    return tostring(lab.pod.route:list { dst = "default" }) .. tostring(lab.pod.nexthop:list())
  end

  --- The gateway that the kernel sends each of a number of flows to.
  local function ways(family)
    local taken <const> = {}
    for i = 1, 200 do
      taken[i] = assert(lab.pod.route:get { dst = lab.address[family], src = lab.source[family],
        proto = "udp", sport = 2000 + i, dport = 4000 }).via
    end
    return taken
  end

  for _, case in ipairs { { "icmp", "deaf" }, { "icmp", "dead" }, { "neigh", "deaf" } } do
    it(("takes a gateway out that is %s, by %s, and back"):format(case[2], case[1]), function()
      local watcher <close> = start(words("--probe " .. case[1]))
      await(all "up")
      local was <const> = routes()
      local before <const> = { [4] = ways(4), [6] = ways(6) }
      assert(lab:cut("gw1", case[2]))
      await(both("gw1", "out"))
      for _, family in ipairs { 4, 6 } do
        local dead <const> = lab:gateway("gw1").via[family]
        for i, via in ipairs(ways(family)) do
          assert.are_not.equal(dead, via)
          if before[family][i] ~= dead then assert.equal(before[family][i], via) end
        end
        local sent <const> = assert(lab:send { flows = 60, family = family })
        assert.equal(60, sent.delivered)
      end
      assert.equal(1, #state_files())
      assert(lab:heal "gw1")
      await(both("gw1", "up"))
      assert.equal(was, routes())
      assert.same(before, { [4] = ways(4), [6] = ways(6) })
      assert.same({}, state_files())
      assert.equal(0, status().failed)
      assert.is_truthy(watcher.text():find('"event":"withdraw"', 1, true), watcher.text())
    end)
  end

  it("sees by a target that a gateway has lost its uplink", function()
    assert(lab.server.sysctl:set("net.ipv4.conf.all.ignore_routes_with_linkdown", 1))
    local watcher <close> = start(words("--target " .. lab.address[4]))
    await(all "up")
    assert(lab:cut("gw2", "uplink"))
    await { [lab:gateway("gw2").via[4]] = "out", [lab:gateway("gw2").via[6]] = "up" }
    assert.equal(60, lab:send({ flows = 60, family = 4 }).delivered)
    assert.is_truthy(watcher.pid)
  end)

  it("puts everything back where no gateway is left", function()
    local watcher <close> = start(words())
    await(all "up")
    local was <const> = routes()
    for i = 1, 3 do assert(lab:cut(i, "deaf")) end
    await(all "out")
    helper.eventually(function() return routes() == was end)
    assert.is_truthy(watcher.pid)
  end)

  it("withdraws nothing that never answered", function()
    assert(lab:cut("gw3", "deaf"))
    local watcher <close> = start(words())
    local wanted <const> = all "up"
    for gateway in pairs(both("gw3", "")) do wanted[gateway] = "unknown" end
    await(wanted)
    local was <const> = routes()
    assert(lab:cut("gw1", "deaf"))
    await(both("gw1", "out"))
    assert.same("unknown", states_of(status())[lab:gateway("gw3").via[4]])
    assert(lab:heal "gw1")
    await(both("gw1", "up"))
    assert.equal(was, routes())
    assert.is_truthy(watcher.pid)
  end)

  it("goes on where a killed one stopped, and leaves routes as they are at SIGTERM", function()
    local was <const> = routes()
    local out
    do
      local watcher <close> = start(words())
      await(all "up")
      assert(lab:cut("gw1", "deaf"))
      await(both("gw1", "out"))
      out = routes()
      watcher:stop "KILL"
    end
    assert.equal(out, routes())
    assert.equal(1, select(2, status()))
    do
      local watcher <close> = start(words())
      await(both("gw1", "out"))
      assert.equal(out, routes())
      watcher:stop "TERM"
    end
    assert.equal(out, routes())
    do
      local watcher <close> = start(words())
      await(both("gw1", "out"))
      assert(lab:heal "gw1")
      await(both("gw1", "up"))
      watcher:stop "TERM"
    end
    assert.equal(was, routes())
    assert.same({}, state_files())
  end)

  it("is restored by hand", function()
    local was <const> = routes()
    do
      local watcher <close> = start(words())
      await(all "up")
      assert(lab:cut("gw1", "deaf"))
      await(both("gw1", "out"))
      -- Nobody else may change what it watches.
      local second <const> = run(words())
      assert.equal(1, second.status)
      assert.matches("another watcher runs", second.stderr)
      watcher:stop "TERM"
    end
    assert.are_not.equal(was, routes())
    assert.equal(0, run(words "--restore").status)
    assert.equal(was, routes())
    assert.same({}, state_files())
  end)

  it("says what it would do, and does it once", function()
    local was <const> = routes()
    local dry <const> = start(words "--dry-run")
    helper.eventually(function() return not dry.text():find "error" end)
    assert.equal(0, run(words "--once").status)
    assert.equal(was, routes())
    dry:stop "TERM"
  end)

  it("has a status that says so where nobody looks", function()
    local outcome <const> = run "--status"
    assert.equal(1, outcome.status)
    assert.matches("no watcher runs", outcome.stderr)
  end)

  it("refuses what makes no sense", function()
    for text, line in pairs {
      ["destinations must be given"] = "--netns 1",
      ["source: must be given for bfd"] = "--netns 1 --probe bfd default",
      ["nowhere"] = "--netns 1 nowhere",
    } do
      local outcome <const> = run(line)
      assert.is_true(outcome.status > 0)
      assert.matches(text, outcome.stderr, 1, true)
    end
  end)
end)

describe("ecmp watch of attachments #netns", function()
  local lab, pods, directory

  --- Pods on a bridge of the host namespace to which the gateways of a lab are wired, made by the
  --- plugin itself.
  before_each(function()
    directory = helper.directory()
    pods = {}
    lab = { host = pod_of.new(), gateways = {} }
    lab.host:ip("host", "link add br0 type bridge")
    lab.host:ip("host", "link set br0 up")
    for i = 1, 2 do
      local space <const> = assert(netns.create())
      local gateway <const> = { space = space, nl = assert(ecmp.open { netns = netns.path(space) }) }
      lab.gateways[i] = gateway
      local host <close> = lab.host:open "host"
      assert(host.link:add { name = "gw" .. i, type = "veth", master = "br0",
        peer = { name = "lan", netns = netns.path(space) } })
      assert(host.link:set { dev = "gw" .. i, up = true })
      assert(gateway.nl.link:set { dev = "lan", up = true })
      assert(gateway.nl.addr:add { dev = "lan", address = ("10.0.0.%d/24"):format(i) })
      assert(gateway.nl.addr:add { dev = "lan", address = ("2001:db8::%d/64"):format(i),
        nodad = true })
    end
  end)

  after_each(function()
    for _, pod in pairs(pods) do pod:close() end
    for _, gateway in ipairs(lab.gateways) do
      gateway.nl:close()
      gateway.space:close()
    end
    lab.host:close()
    helper.remove(directory)
    for _, name in ipairs(sys.list "/run/cni/ecmp") do
      if name:find "%.json$" then sys.unlink("/run/cni/ecmp/" .. name) end
    end
  end)

  local function add(i, health)
    local space <const> = assert(netns.create())
    local conf <const> = {
      cniVersion = "1.0.0", name = "n", type = "ecmp-bridge", bridge = "br0", dad = "skip",
      health = health or { probe = "icmp", interval = 50, hold = 0 },
      multipath = { hash = "l4" },
      ipam = { type = "static",
        addresses = { { address = ("10.0.0.%d/24"):format(10 + i) },
          { address = ("2001:db8::%x/64"):format(16 + i) } },
        routes = json.array { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } },
          { dst = "::/0", gws = { "2001:db8::1", "2001:db8::2" } } } },
    }
    local env <const> = { CNI_CONTAINERID = "c" .. i, CNI_NETNS = netns.path(space) }
    pods[i] = { env = env, conf = conf, path = netns.path(space),
      close = function() space:close() end }
    pods[i].result = lab.host:must("ecmp-bridge", "ADD", conf, env)
    return pods[i]
  end

  local function check(pod)
    return lab.host:call("ecmp-bridge", "CHECK", pod_of.after(pod.conf, pod.result), pod.env)
  end

  local function routes(pod)
    local nl <close> = assert(ecmp.open { netns = pod.path })
    return tostring(nl.route:list { dst = "default" }) .. tostring(nl.nexthop:list())
  end

  local function deafen(i, yes)
    for _, family in ipairs { 4, 6 } do
      local nl <const> = lab.gateways[i].nl
      local nothing <const> = { priority = 0, iif = "lan", action = "blackhole", family = family }
      if yes then
        assert(nl.rule:add { priority = 1, table = "local", family = family })
        assert(nl.rule:del { priority = 0, table = "local", family = family })
        assert(nl.rule:add(nothing))
      else
        assert(nl.rule:del(nothing))
      end
    end
  end

  it("asks from two pods of a segment, changes all, and is no difference to CHECK", function()
    for i = 1, 3 do add(i) end
    local was <const> = { routes(pods[1]), routes(pods[2]), routes(pods[3]) }
    local watcher <close> = start ""
    await { ["10.0.0.1"] = "up", ["2001:db8::1"] = "up", ["10.0.0.2"] = "up",
      ["2001:db8::2"] = "up" }
    local found <const> = status()
    assert.same({ 3, 2 }, { found.gateways[1].pods, found.gateways[1].vantages })
    deafen(1, true)
    await { ["10.0.0.1"] = "out", ["2001:db8::1"] = "out" }
    for i = 1, 3 do
      assert.equal("default via 10.0.0.2 dev eth0default via 2001:db8::2 dev eth0 metric 1024 pref "
        .. "medium", (routes(pods[i]):gsub("\n", "")))
      local outcome <const> = check(pods[i])
      assert.equal(0, outcome.status, outcome.stdout)
    end
    -- A pod that comes meanwhile is changed, too.
    add(4)
    helper.eventually(function() return not routes(pods[4]):find "10.0.0.1 " end)
    -- One that goes takes what is written of it along.
    assert.equal(4, #state_files())
    local gone <const> = lab.host:call("ecmp-bridge", "DEL", pods[4].conf, pods[4].env)
    assert.same({ 0, "" }, { gone.status, gone.stderr })
    assert.equal(3, #state_files())
    watcher:stop "TERM"
    local outcome <const> = check(pods[1])
    assert.equal(0, outcome.status, outcome.stdout)
    assert.matches("no `ecmp watch` runs", outcome.stderr)
    local again <close> = start ""
    deafen(1, false)
    await { ["10.0.0.1"] = "up", ["2001:db8::1"] = "up" }
    helper.eventually(function() return #state_files() == 0 end)
    for i = 1, 3 do assert.equal(was[i], routes(pods[i])) end
    assert.is_truthy(again.pid)
  end)

  it("asks a script of the site", function()
    local script <const> = directory .. "/rule.lua"
    assert(sys.create(script, [[
      local R = {}
      function R.on_change(event, ctx)
        return event.gateway == "10.0.0.1" and ctx.health.min == 1 and "keep" or "withdraw"
      end
      return R]], tonumber("600", 8)))
    local pod <const> = add(1, { probe = "icmp", interval = 50, hold = 0, script = script })
    local was <const> = routes(pod)
    local watcher <close> = start ""
    await { ["10.0.0.1"] = "up", ["2001:db8::1"] = "up" }
    deafen(1, true)
    await { ["10.0.0.1"] = "up", ["2001:db8::1"] = "out" }
    assert.is_truthy(routes(pod):find "nexthop via 10.0.0.1 ")
    assert.is_truthy(watcher.text():find('"event":"kept"', 1, true), watcher.text())
    assert.are_not.equal(was, routes(pod))
  end)

  it("keeps no namespace alive", function()
    local pod <const> = add(1)
    add(2)
    local watcher <close> = start ""
    await { ["10.0.0.1"] = "up" }
    lab.host:must("ecmp-bridge", "DEL", pod.conf, pod.env)
    pod:close()
    helper.eventually(function()
      local count = 0
      for _, one in ipairs(status().gateways) do count = math.max(count, one.pods) end
      return count == 1
    end)
    for _, fd in ipairs(sys.list(("/proc/%d/fd"):format(watcher.pid))) do
      local target <const> = sys.readlink(("/proc/%d/fd/%s"):format(watcher.pid, fd)) or ""
      assert.falsy(target:find "^net:")
    end
    -- Nor a state file of a record that is gone.
    deafen(1, true)
    helper.eventually(function() return #state_files() == 1 end)
    assert(sys.unlink "/run/cni/ecmp/n:c2:eth0.json")
    helper.eventually(function() return #state_files() == 0 end)
  end)

  it("refuses what a configuration says wrongly", function()
    local conf <const> = { cniVersion = "1.0.0", name = "n", type = "ecmp-bridge", ipam = {} }
    for text, health in pairs {
      ["health.probe: must be given"] = {},
      ["health.probe: must be one of icmp, neigh, bfd, none"] = { probe = "ping" },
      ["health.source: must be given for bfd"] = { probe = "bfd" },
      ["health.intervall: unknown key"] = { probe = "icmp", intervall = 5 },
    } do
      conf.health = health
      local outcome <const> = lab.host:call("ecmp-bridge", "ADD", conf, { CNI_CONTAINERID = "x" })
      assert.equal(7, outcome.json.code)
      assert.matches(text, outcome.json.msg, 1, true)
    end
  end)
end)
