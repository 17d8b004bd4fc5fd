-- logFile and logLevel: a line a verb, with what was decided for each route; never a code.
local helper <const> = require "spec.helper"
local json <const> = require "ecmp.json"
local pod_of <const> = require "spec.pod"
local runtime <const> = require "spec.runtime"
local sys <const> = require "ecmp.sys"

local CONTAINER <const> = ("0123456789abcdef"):rep(4)

-- Two gateways in each family.
local function conf_of(log, changes)
  local conf <const> = {
    cniVersion = "1.1.0", name = "lan", type = "ecmp-ptp", logFile = log, ipam = {
      type = "ecmp-static",
      addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.254" },
        { address = "2001:db8::9/64", gateway = "2001:db8::fe" } },
      routes = { { dst = "10.0.0.0/24" }, { dst = "2001:db8::/64" },
        { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
        { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" } },
    },
  }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

-- Behind a bridge all gateways are neighbours.
local BRIDGE <const> = { type = "ecmp-bridge", bridge = "br0" }

local function lines_of(path)
  local list <const> = {}
  for line in (sys.read(path) or ""):gmatch "[^\n]+" do list[#list + 1] = assert(json.decode(line)) end
  return list
end

local function field(list, name)
  local values <const> = {}
  for i, one in ipairs(list) do values[i] = one[name] end
  return values
end

describe("sys.append", function()
  local dir
  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  it("makes the file with its mode, and keeps what several append apart", function()
    local path <const> = dir .. "/log"
    local script <const> = ("local sys = require 'ecmp.sys' for i = 1, 300 do "
      .. "assert(sys.append(%q, (arg[1]):rep(500) .. '\\n', tonumber('640', 8))) end"):format(path)
    local argv <const> = { "sh", "-c", [[umask 022; for c in a b c; do
      lua5.4 -e "$1" /dev/null $c & done; wait]], "sh", helper.paths() .. script }
    assert.equal(0, sys.spawn({ argv = argv, timeout = 60 }).status)
    local count = 0
    for line in sys.read(path):gmatch "[^\n]*\n" do
      assert.equal(line:sub(1, 1):rep(500) .. "\n", line)
      count = count + 1
    end
    assert.same({ 900, tonumber("640", 8) }, { count, sys.stat(path).mode & 4095 })
  end)

  it("refuses what is no file, and waits for nobody", function()
    assert.equal(0, sys.spawn({ argv = { "mkfifo", dir .. "/fifo" } }).status)
    for name, code in pairs { fifo = "EOPNOTSUPP", [""] = "EISDIR", ["no/where"] = "ENOENT" } do
      local ok <const>, message <const>, symbol <const> = sys.append(dir .. "/" .. name, "x")
      assert.same({ nil, code }, { ok, symbol })
      assert.matches("^append to ", message)
    end
  end)
end)

describe("the log of a verb #netns", function()
  local dir, file

  before_each(function()
    dir = helper.directory()
    file = dir .. "/cni.log"
  end)
  after_each(function() helper.remove(dir) end)

  it("says in one line which routes came from which rule", function()
    local pod <close> = pod_of.new()
    local conf <const> = conf_of(file, BRIDGE)
    local env <const> = { CNI_CONTAINERID = CONTAINER }
    local before <const> = os.date "!%Y-%m-%dT%H:%M"
    pod:must("ecmp-bridge", "ADD", conf, env)
    local lines <const> = lines_of(file)
    assert.equal(1, #lines)
    local line <const> = lines[1]
    assert.same({ "verbose", "ADD", "bridge", "lan", CONTAINER, "eth0" }, { line.level,
      line.command, line.plugin, line.network, line.container, line.interface })
    assert.is_true(before <= line.time and line.time:find "^%d+%-%d+%-%d+T%d+:%d+:%d+%.%d%d%dZ$" == 1)
    assert.equal("integer", math.type(line.milliseconds))
    assert.same({ of = 2, rule = "merge ecmp",
      route = "default nexthop via 10.0.0.1 nexthop via 10.0.0.2" }, line.routes[3])
    assert.same({ rule = "merge ecmp", of = 2,
      route = "default nexthop via 2001:db8::1 nexthop via 2001:db8::2" }, line.routes[4])
    assert.equal(4, #line.routes)
    for _, key in ipairs { "code", "message", "warnings", "addresses", "sysctls" } do
      assert.is_nil(line[key])
    end
    pod:must("ecmp-bridge", "DEL", conf, env)
    assert.same({ "ADD", "DEL" }, field(lines_of(file), "command"))
    assert.equal(tonumber("640", 8), sys.stat(file).mode & 4095)
  end)

  it("names the script and the conflict that decided", function()
    local pod <close> = pod_of.new()
    local script <const> = dir .. "/rack.lua"
    assert(sys.create(script, [[local R = {}
      function R.merge(group)
        if group.family == 6 then return {} end
        if #group > 1 then require("ecmp.rule").note("metric 7 for " .. group.dst) end
        group[1].metric = 7
        return group[1]
      end
      return R]]))
    pod:ip("pod", "link add d0 type veth peer d1")
    pod:ip("pod", "link set d1 up")
    pod:ip("pod", "link set d0 up")
    pod:ip("pod", "route add 0.0.0.0/0 metric 7 dev d0")
    pod:must("ecmp-bridge", "ADD", conf_of(file, { type = "ecmp-bridge", bridge = "br0",
      script = script }))
    local routes <const> = lines_of(file)[1].routes
    local by <const> = "script " .. script
    local expected <const> = {
      { rule = by, route = "10.0.0.0/24 metric 7 scope global" },
      { rule = by, dropped = true, route = "2001:db8::/64" },
      { rule = by, of = 2, route = "default via 10.0.0.1 metric 7" },
      { rule = by, dropped = true, route = "default via 2001:db8::1" },
      { rule = by, dropped = true, route = "default via 2001:db8::2" },
      { rule = "conflict yield", route = "default via 10.0.0.1 metric 8" },
    }
    assert.same(expected, routes)
    assert.same({ "metric 7 for 0.0.0.0/0" }, lines_of(file)[1].notes)
  end)

  -- What each verb ends with, and the levels that take it.
  for level, expected in pairs {
    panic = {}, error = { "ADD" }, verbose = { "ADD", "ADD", "DEL", "GC" },
    debug = { "ADD", "ADD", "CHECK", "STATUS", "DEL", "GC" },
  } do
    it("at level " .. level .. " has " .. (#expected > 0 and table.concat(expected, ", ") or
      "nothing") .. " of what every node sees", function()
      local pod <close> = pod_of.new()
      local changes <const> = { type = "ecmp-bridge", bridge = "br0", logLevel = level }
      local conf <const> = conf_of(file, changes)
      local refused <const> = pod:call("ecmp-bridge", "ADD", conf, { CNI_IFNAME = "lo" })
      assert.equal(1, refused.status)
      local result <const> = pod:must("ecmp-bridge", "ADD", conf)
      pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result))
      pod:must("ecmp-bridge", "STATUS", conf)
      pod:must("ecmp-bridge", "DEL", conf)
      changes["cni.dev/valid-attachments"] = json.array()
      pod:must("ecmp-bridge", "GC", conf_of(file, changes))
      local lines <const> = lines_of(file)
      assert.same(expected, field(lines, "command"))
      if not expected[1] then return end
      assert.same({ "error", refused.json.code, refused.json.msg },
        { lines[1].level, lines[1].code, lines[1].message })
      if level == "debug" then
        assert.same({ "10.0.0.9/24", "2001:db8::9/64" }, field(lines[2].addresses, "address"))
      end
    end)
  end

  it("has what a verb warned of, and a fault of the program at every level", function()
    local text <const> = [[require("ecmp.log").warn "odd"
      cni.main { add = function() error "broken" end, del = function()
        require("ecmp.log").warn "gone" end }]]
    for _, level in ipairs { "panic", "debug" } do
      local conf <const> = { cniVersion = "1.1.0", name = "n", logFile = file, logLevel = level }
      assert.equal(1, runtime.script(text, "ADD", conf).status)
      assert.equal("ecmp: odd\necmp: gone\n", runtime.script(text, "DEL", conf).stderr)
    end
    local lines <const> = lines_of(file)
    assert.same({ "panic", "panic", "verbose" }, field(lines, "level"))
    assert.equal(999, lines[1].code)
    assert.matches("traceback", lines[1].details)
    assert.same({ "gone" }, lines[3].warnings)
  end)

  it("is kept by plugins that hand out addresses, and by reference names", function()
    local pod <close> = pod_of.new()
    local conf <const> = conf_of(file, { type = "bridge", ipam = {
      type = "static", addresses = { { address = "10.0.0.9/24" } } } })
    pod:must("ecmp-static", "ADD", conf)
    local stock <const> = dir .. "/bridge"
    assert(sys.symlink(sys.realpath(helper.build .. "/bin/ecmp"), stock))
    pod:must(stock, "ADD", conf)
    assert.same({ "static", "bridge" }, field(lines_of(file), "plugin"))
  end)

  it("has no secrets", function()
    local pod <close> = pod_of.new()
    local conf <const> = conf_of(file, { type = "ecmp-bridge", bridge = "br0", logLevel = "debug",
      token = "SECRET1", runtimeConfig = { password = "SECRET2" }, args = { cni = { key = "SECRET3" } } })
    pod:must("ecmp-bridge", "ADD", conf, { CNI_ARGS = "IgnoreUnknown=1;TOKEN=SECRET4" })
    assert.is_nil(sys.read(file):find "SECRET")
    assert.is_nil(sys.read(file):find "TOKEN")
  end)

  it("that cannot be written is a line on stderr, and no code", function()
    local pod <close> = pod_of.new()
    assert.equal(0, sys.spawn({ argv = { "mkfifo", dir .. "/fifo" } }).status)
    for i, path in ipairs { dir, dir .. "/fifo", dir .. "/no/where", "/dev/full" } do
      local conf <const> = conf_of(path, BRIDGE)
      local env <const> = { CNI_CONTAINERID = "c" .. i, CNI_IFNAME = "e" .. i }
      local outcome <const> = pod:call("ecmp-bridge", "ADD", conf, env)
      assert.equal(0, outcome.status, path)
      assert.matches("^ecmp: logFile: append to [^\n]*\n$", outcome.stderr)
      assert.equal("e" .. i, outcome.json.interfaces[3].name)
      pod:must("ecmp-bridge", "DEL", conf, env)
    end
  end)

  it("is asked for by a path or a word, else the configuration is refused, but not for DEL", function()
    local pod <close> = pod_of.new()
    for _, case in ipairs {
      { { logFile = "cni.log" }, "logFile: 'cni.log' is neither a path" },
      { { logFile = 3 }, "logFile: must be a string" },
      { { logLevel = "loud" }, "logLevel: must be one of panic, error, verbose, debug" },
    } do
      local conf <const> = conf_of(nil, case[1])
      for plugin in pairs { ["ecmp-ptp"] = true, ["ecmp-static"] = true } do
        local outcome <const> = pod:call(plugin, "ADD", conf)
        assert.equal(7, outcome.json.code)
        assert.matches(case[2], outcome.json.msg, 1, true)
      end
      local del <const> = pod:call("ecmp-ptp", "DEL", conf)
      assert.same({ 0, "" }, { del.status, del.stdout })
      assert.matches("DEL goes on: " .. case[2], del.stderr, 1, true)
    end
  end)

  it("goes to the journal, with fields to look for", function()
    local journal <const> = dir .. "/socket"
    local got <const> = dir .. "/got"
    assert(sys.create(got, ""))
    local receiver <const> = assert(sys.spawn { argv = { "sh", "-c", [[perl -MIO::Socket::UNIX -e '
      my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
      open(my $f, ">>", $ARGV[1]); $s->recv(my $d, 65536); syswrite $f, $d;' "$0" "$1" >/dev/null 2>&1 &
      while [ ! -S "$0" ]; do sleep 0.02; done]], journal, got } })
    assert.equal(0, receiver.status)
    local text <const> = ("require('ecmp.cni.log').journal = %q cni.main { add = function() "
      .. "return { ips = {} } end }"):format(journal)
    local outcome <const> = runtime.script(text, "ADD", { cniVersion = "1.1.0", name = "lan",
      logFile = "journal" })
    assert.same({ 0, "" }, { outcome.status, outcome.stderr })
    helper.eventually(function() return sys.read(got):find "CNI_IFNAME=eth0\n" end)
    local said <const> = sys.read(got)
    for _, line in ipairs { "PRIORITY=6", "SYSLOG_IDENTIFIER=ecmp", "CNI_COMMAND=ADD",
      "CNI_NETWORK=lan", "CNI_CONTAINERID=c1" } do
      assert.matches("\n" .. line .. "\n", said, 1, true)
    end
    assert.equal("ADD", json.decode(said:match "^MESSAGE=(%b{})\n").command)
    -- Nobody listens any more.
    outcome.status = runtime.script(text, "ADD", { cniVersion = "1.1.0", name = "lan",
      logFile = "journal" })
    assert.equal(0, outcome.status.status)
    assert.matches("^ecmp: logFile: send to ", outcome.status.stderr)
  end)

  it("of 200 pods has at most 100 kB, and nothing at level error", function()
    local PODS <const>, some <const> = 200, 10
    for level, most in pairs { verbose = 100 * 1000, error = 0 } do
      local path <const> = dir .. "/" .. level
      for i = 1, some do
        local pod <close> = pod_of.new()
        local env <const> = { CNI_CONTAINERID = ("%064x"):format(i) }
        local conf <const> = conf_of(path, BRIDGE)
        conf.logLevel = level
        table.move(conf.ipam.routes, 3, 6, 1)
        conf.ipam.routes[5], conf.ipam.routes[6] = nil, nil
        pod:must("ecmp-bridge", "ADD", conf, env)
      end
      local size <const> = #(sys.read(path) or "") * (PODS / some)
      assert(size <= most, ("%s: %d bytes"):format(level, size))
      assert(most == 0 or size > most / 4)
    end
  end)
end)
