-- Plugins that are killed, crowded, or let down by those they ask: nothing may be left behind. The moment is
-- drawn, for which ECMP_SEED begins elsewhere; at each of their calls faults_plugins_spec.lua ends them.
local crowd = require "spec.crowd"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local random_config = require "spec.random_config"
local record = require "ecmp.flow.record"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local KILLS <const> = 6 * helper.rounds
local SEED <const> = tonumber(os.getenv "ECMP_SEED") or 1

local dir

local function conf_of(kind, changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lab", type = kind, dad = "skip",
    ipam = {
      type = "ecmp-host-local", dataDir = dir,
      ranges = { { { subnet = "10.0.0.0/24" } }, { { subnet = "2001:db8::/64" } } },
      routes = json.array { { dst = "0.0.0.0/0", gw = "10.0.0.1" },
        { dst = "0.0.0.0/0", gw = "10.0.0.3" }, { dst = "::/0" } },
    },
    multipath = { hash = "l4", nexthops = "group" },
  }
  if kind == "ecmp-bridge" then conf.bridge, conf.isGateway = "br0", true end
  if kind == "ecmp-macvlan" then conf.master = "m0" end
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

local function executable(kind)
  return assert(sys.realpath(helper.build .. "/bin")):gsub("bin$", "cni/") .. kind
end

--- Addresses that are handed out, and files that should not be there.
local function reservations()
  local list <const> = {}
  for _, name in ipairs(sys.list(dir .. "/lab") or {}) do
    if name ~= "lock" and not name:find("^last_reserved_ip") then list[#list + 1] = name end
  end
  return list
end

local function records()
  local list <const> = {}
  for _, name in ipairs(sys.list(record.directory) or {}) do
    if not name:find("%.lock$") then list[#list + 1] = name end
  end
  return list
end

describe("a plugin that is killed #netns", function()
  local pod

  before_each(function()
    dir, pod = helper.directory(), pod_of.new()
    -- The host's own link-local addresses would settle while snapshots are compared.
    pod:run("host", { "sh", "-c", "echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad" })
    pod:ip("host", "link add m0 type veth peer name m1")
    for _, name in ipairs { "m0", "m1" } do pod:ip("host", "link set up dev " .. name) end
    helper.eventually(function()
      return not pod:ip("host", "-o link show type veth"):find("state [DL]O")
    end)
  end)
  after_each(function()
    pod:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  --- Runs a plugin and kills it after so many seconds, unless it has ended by then.
  local function killed(kind, command, after)
    local begin <const> = sys.monotonic()
    local outcome <const> = assert(sys.spawn {
      argv = { executable(kind) }, netns = pod.host_path, timeout = after, stderr = "capture",
      stdin = json.encode(conf_of(kind)),
      env = runtime.environment { CNI_COMMAND = command, CNI_NETNS = pod.path },
    })
    return outcome.timedout or outcome.signal ~= nil, sys.monotonic() - begin
  end

  local function clean(kind, before)
    if kind == "ecmp-bridge" then pcall(pod.ip, pod, "host", "link del br0") end
    assert.equal(before, pod:snapshot())
    assert.same({}, reservations())
    assert.same({}, records())
  end

  for _, kind in ipairs { "ecmp-bridge", "ecmp-ptp", "ecmp-macvlan" } do
    it(kind .. " leaves nothing after DEL, and ADD works again", function()
      local random <const> = random_config.dice(SEED)
      local before <const>, wanted <const> = pod:snapshot(), math.ceil(KILLS / 3)
      -- How long each verb takes, as far as known; moments are drawn from that.
      local longest <const>, hits, round = { ADD = 1, DEL = 1 }, 0, 0
      while hits < wanted and round < 4 * wanted + 20 do
        round = round + 1
        local command <const> = round % 4 == 0 and "DEL" or "ADD"
        if command == "DEL" then pod:must(kind, "ADD", conf_of(kind)) end
        local hit <const>, took <const> =
          killed(kind, command, longest[command] * random(1000) / 1000)
        if hit then hits = hits + 1 else longest[command] = math.min(longest[command], took) end
        pod:must(kind, "DEL", conf_of(kind))
        clean(kind, before)
        local result <const> = pod:must(kind, "ADD", conf_of(kind))
        pod:must(kind, "CHECK", pod_of.after(conf_of(kind), result))
        pod:must(kind, "DEL", pod_of.after(conf_of(kind), result))
        clean(kind, before)
      end
      assert.equal(wanted, hits)
    end)
  end
end)

describe("64 plugins at once #netns", function()
  local pods, host

  before_each(function()
    dir, pods, host = helper.directory(), {}, pod_of.new()
    for i = 1, 64 do pods[i] = pod_of.new() end
  end)
  after_each(function()
    for _, pod in ipairs(pods) do pod:close() end
    host:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  local function job(kind, command, i)
    return { file = executable(kind), conf = conf_of(kind), env = {
      CNI_COMMAND = command, CNI_CONTAINERID = "p" .. i, CNI_NETNS = pods[i].path,
      CNI_IFNAME = "eth0", CNI_PATH = "/nowhere",
    } }
  end

  local function run(jobs)
    local outcomes <const> = crowd.run(jobs, host.host_path)
    for _, outcome in ipairs(outcomes) do assert.equal(0, outcome.status, outcome.stdout) end
    return outcomes
  end

  it("of one pool get no address twice and lose none", function()
    local jobs <const>, seen <const> = {}, {}
    for i = 1, 64 do jobs[i] = job("ecmp-bridge", "ADD", i) end
    for _, outcome in ipairs(run(jobs)) do
      for _, entry in ipairs(outcome.json.ips) do
        assert.is_nil(seen[entry.address])
        seen[entry.address] = true
      end
    end
    assert.equal(128, #reservations())
    for i = 1, 64 do jobs[i] = job("ecmp-bridge", "DEL", i) end
    run(jobs)
    assert.same({}, reservations())
    assert.same({}, records())
    assert.equal("", host:ip("host", "link show type veth"))
  end)

  it("may come while others go", function()
    local jobs <const> = {}
    for i = 1, 32 do jobs[i] = job("ecmp-ptp", "ADD", i) end
    run(jobs)
    for i = 1, 64 do jobs[i] = job("ecmp-ptp", i <= 32 and "DEL" or "ADD", i) end
    run(jobs)
    assert.equal(64, #reservations())
    local _, ends <const> = host:ip("host", "-o link show type veth"):gsub("\n", "")
    assert.equal(32, ends)
  end)
end)

describe("a delegate that misbehaves #netns", function()
  local pod

  before_each(function() dir, pod = helper.directory(), pod_of.new() end)
  after_each(function()
    pod:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  local result <const> = [[echo '{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.9/24"}]}']]
  local cases <const> = {
    { "prints no JSON", "echo hello", 999, "moody" },
    { "prints nothing", ":", 999, "moody" },
    { "prints half a result", [[printf '{"cniVersion":"1.1.0","ips":[{']], 999, "moody" },
    { "prints two results", result .. "\n" .. result, 999, "moody" },
    { "hands out no address", "echo '{}'", 999, "handed out no address" },
    { "hands out nonsense", [[echo '{"cniVersion":"1.1.0","ips":[{"address":"x"}]}']], 999,
      "address" },
    { "answers in a version from the future", [[echo '{"cniVersion":"9.9.9"}']], 999, "9.9.9" },
    { "kills itself", "kill -9 $$", 0, "killed by signal 9" },
    { "fails without a word", "exit 3", 0, "exit status 3" },
    { "fails with words on stderr", "echo no luck >&2; exit 1", 0, "no luck" },
    { "fails with a code of its own", [[echo '{"code":123,"msg":"mine"}'; exit 1]], 123, "^mine$" },
    { "prints without end", "head -c 80000000 /dev/zero", 0, "moody" },
  }

  local function conf_with(script)
    assert(sys.create(dir .. "/moody", "#!/bin/sh\necho $CNI_COMMAND >>" .. dir .. "/log\n"
      .. "[ $CNI_COMMAND = DEL ] && exit 0\n" .. script .. "\n", tonumber("755", 8)))
    return conf_of("ecmp-bridge", { ipam = { type = "moody" } })
  end

  for _, case in ipairs(cases) do
    it("and " .. case[1] .. " fails the ADD, is told DEL, and nothing is left", function()
      local conf <const> = conf_with(case[2])
      local before <const> = pod:snapshot()
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf, { CNI_PATH = dir })
      assert.equal(1, outcome.status)
      if case[3] ~= 0 then assert.equal(case[3], outcome.json.code) end
      assert.matches(case[4], outcome.json.msg)
      assert.equal(before, pod:snapshot())
      assert.equal("ADD\nDEL\n", sys.read(dir .. "/log"))
      assert.same({}, records())
    end)
  end

  it("and leaves a child that keeps its output open does not hold us up", function()
    local conf <const> = conf_with(("sleep 600 & echo $! >%s/pid\n"):format(dir) .. result)
    assert.equal(0, pod:call("ecmp-bridge", "ADD", conf, { CNI_PATH = dir }).status)
    assert(sys.kill(math.tointeger(tonumber(sys.read(dir .. "/pid"))), "KILL"))
  end)

  it("and does not read its input is no matter, however long that is", function()
    local conf <const> = conf_with(result)
    conf.padding = ("x"):rep(1 << 20)
    assert.equal(0, pod:call("ecmp-bridge", "ADD", conf, { CNI_PATH = dir }).status)
  end)
end)
