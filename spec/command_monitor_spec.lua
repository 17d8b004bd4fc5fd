local cli = require "spec.cli"
local command = require "ecmp.command.monitor"
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

describe("ecmp monitor #netns", function()
  local shell

  setup(function() shell = cli.new() end)
  teardown(function() shell:close() end)

  -- Has `what` done again and again until the monitor has had enough.
  local function watch(words, what)
    return shell:sh(([[
      ecmp monitor %s & monitor=$!
      while kill -0 $monitor 2>/dev/null; do %s; sleep 0.2; done
      wait $monitor
    ]]):format(words, what))
  end

  local CHANGE <const> = [[ip route add 10.77.0.0/16 nexthop via 10.0.1.1 nexthop via 10.0.2.1
    ip route replace 10.77.0.0/16 via 10.0.2.1
    ip route del 10.77.0.0/16]]

  it("prints an event a line: what came, what changed, what went", function()
    local text <const> = watch("--count 6 route", CHANGE)
    assert.truthy(text:find("+ route 10.77.0.0/16 nexthop via 10.0.1.1 dev eth1 weight 1 nexthop via "
      .. "10.0.2.1 dev eth2 weight 1\n", 1, true))
    assert.truthy(text:find("~ route 10.77.0.0/16 via 10.0.2.1 dev eth2\n", 1, true))
    assert.truthy(text:find("- route 10.77.0.0/16 via 10.0.2.1 dev eth2\n", 1, true))
  end)

  it("says when each event was read, on a line as ip -t prints it", function()
    local text <const> = watch("-t --count 6 route", CHANGE)
    assert.matches("\nTimestamp: %a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d %d+ usec\n"
      .. "[+~-] route ", "\n" .. text)
    assert.equal(6, select(2, text:gsub("Timestamp: ", "")))
    local line <const> = watch("-t --json --count 6 route", CHANGE):match "[^\n]+"
    assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%d$", json.decode(line).timestamp)
  end)

  it("prints JSON in the words of ip -j, an object a line", function()
    local seen <const> = {}
    for line in watch("--count 6 --json route", CHANGE):gmatch "[^\n]+" do
      local event <const> = assert(json.decode(line))
      assert.equal("route", event.object)
      assert.equal("10.77.0.0/16", event.dst)
      seen[event.event] = event
    end
    assert.equal("10.0.1.1", seen.add.nexthops[1].gateway)
    assert.equal("10.0.2.1", seen.change.gateway)
    assert.is_true(seen.del.deleted)
  end)

  it("watches links, addresses and next hops as well", function()
    local text <const> = watch("--count 40", [[ip addr add 10.55.0.1/24 dev eth1
      ip addr del 10.55.0.1/24 dev eth1; ip nexthop add id 7 via 10.0.1.1 dev eth1
      ip nexthop del id 7; ip link set eth2 mtu 1400; ip link set eth2 mtu 1500]])
    for _, sign in ipairs { "+", "-" } do
      assert.truthy(("\n" .. text):find(("\n%%%s addr [^\n]*10%%.55%%.0%%.1/24 "):format(sign)),
        text)
    end
  end)

  it("ends at an interrupt with status 0", function()
    local result <const> = shell:try(("out=%s/events\n"):format(shell.dir) .. [[
      ecmp monitor route >$out & monitor=$!
      until [ -s $out ]; do
        ip route add 10.77.0.0/16 via 10.0.1.1; ip route del 10.77.0.0/16; sleep 0.1
      done
      kill -TERM $monitor; wait $monitor]])
    assert.equal(0, result.status)
    assert.equal("", result.stderr)
  end)

  -- Runs it in a namespace where what is asked of a list of routes is refused, after an overrun.
  local function refused(code)
    local space <close> = scratch.new(1)
    local nl <const>, open <const> = space.nl, ecmp.open
    function nl.monitor(_, objects)
      local events <const> = getmetatable(nl).__index.monitor(nl, objects, { buffer = 4096 })
      for i = 0, 199 do
        assert(nl.route:add { dst = ("10.77.%d.0/24"):format(i), via = "10.0.1.2" })
      end
      local times = 0
      function nl.route:list(filter)
        times = times + 1
        if times > 2 then self.list = nil end
        if times <= 2 then return nil, "route list: refused", code end
        return self:list(filter)
      end
      return events
    end
    ecmp.open = function() return nl end
    local path <const> = helper.directory()
    io.output(path .. "/out")
    local ran <const>, status <const>, message <const> = pcall(command.run, { object = { "route" },
      count = 201 })
    io.output():close()
    io.output(io.stdout)
    ecmp.open = open
    local text <const> = sys.read(path .. "/out")
    helper.remove(path)
    assert(ran, status)
    return status, message, text
  end

  it("fails where a list is refused that it needs, with what it knows told", function()
    local status <const>, message <const>, text <const> = refused "ENOMEM"
    assert.is_nil(status)
    assert.equal("route list: refused", message)
    assert.matches("^! some events were lost[^\n]+\n$", text)
  end)

  it("reads a list again that changes kept from being read, also where nothing comes", function()
    local status <const>, _, text <const> = refused "EINTR"
    assert.equal(0, status)
    assert.equal(201, select(2, text:gsub("\n", "\n")))
  end)

  it("takes wrong usage for that", function()
    assert.equal(2, shell:try("ecmp monitor weather").status)
    assert.equal(2, shell:try("ecmp monitor --count 0").status)
  end)
end)
