local cli = require "spec.cli"
local json = require "ecmp.json"

-- One route of every kind that iproute2 has a word of its own for.
local ZOO <const> = [[
  ip route add default nexthop via 10.0.1.1 weight 3 nexthop via 10.0.2.1 onlink dev eth2
  ip route add default nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1 weight 2
  ip route add 10.9.0.0/16 via 10.0.1.1 mtu 1400 advmss 1360 metric 7 proto static src 10.0.1.2
  ip route add blackhole 10.10.0.0/16
  ip route add unreachable 2001:db8:9::/48
  ip route add 10.11.0.0/16 via inet6 fe80::1 dev eth1
  ip route add 10.12.0.1 dev eth2 scope link
  ip nexthop add id 1 via 10.0.1.1 dev eth1; ip nexthop add id 2 via 10.0.2.1 dev eth2
  ip nexthop add id 10 group 1,3/2
  ip route add 10.14.0.0/16 nhid 10; ip route add 10.15.0.0/16 nhid 1
  ip route add 10.16.0.0/16 via 10.0.1.1 table 100
]]

-- The objects of two lists that were printed one after the other.
local function both(text)
  local list <const> = {}
  for part in text:gmatch "[^\n]+" do
    for _, object in ipairs(assert(json.decode(part))) do list[#list + 1] = object end
  end
  return list
end

describe("ecmp show #netns", function()
  local shell

  setup(function()
    shell = cli.new()
    shell:sh(ZOO)
  end)

  teardown(function() shell:close() end)

  it("prints what ip route prints, IPv4 first", function()
    assert.equal(shell:ip_routes(), shell:sh "ecmp show")
  end)

  it("prints as JSON what ip -j route prints", function()
    local ours <const> = json.decode(shell:sh "ecmp show --json")
    assert.same(both(shell:sh "ip -4 -j route; echo; ip -6 -j route"), ours)
  end)

  it("names the table where there are several, and not where one was asked for", function()
    assert.truthy(shell:sh("ecmp show --table all"):find("10.16.0.0/16 via 10.0.1.1 dev eth1 table 100",
      1, true))
    assert.equal("10.16.0.0/16 via 10.0.1.1 dev eth1\n", shell:sh "ecmp show --table 100")
  end)

  it("shows nothing of a table that is not there, and one family when asked", function()
    assert.equal("", shell:sh "ecmp show --table 77")
    assert.equal("[]\n", shell:sh "ecmp show --table 77 --json")
    assert.falsy(shell:sh("ecmp show --family 4"):find("2001:", 1, true))
  end)

  it("works in a namespace named by path, and says in one line when there is none", function()
    local path <const> = shell.path
    local other <close> = cli.new()
    assert.equal(shell:sh "ecmp show", other:sh("ecmp show --netns " .. path))
    local result <const> = shell:try "ecmp show --netns nowhere"
    assert.equal(1, result.status)
    assert.equal("", result.stdout)
    assert.truthy(result.stderr:find "^ecmp: show: [^\n]*nowhere[^\n]*ENOENT[^\n]*\n$")
  end)

  it("colours on a terminal only, and not with NO_COLOR", function()
    local script <const> = shell:file("show", "#!/bin/sh\n" .. cli.program .. " show --table 100\n")
    local on_terminal <const> = ("TERM=xterm script -qec 'sh %s' /dev/null"):format(script)
    assert.truthy(shell:sh(on_terminal):find "\27%[35m10%.0%.1%.1\27%[0m")
    assert.falsy(shell:sh("NO_COLOR=1 " .. on_terminal):find "\27")
    assert.falsy(shell:sh("ecmp show"):find "\27")
  end)

  it("takes wrong usage for that", function()
    local result <const> = shell:try "ecmp show --nonsense"
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find "^ecmp: [^\n]+\n$")
    assert.equal(0, shell:try("ecmp show --help").status)
  end)

  it("ends quietly when its reader leaves", function()
    local result <const> = shell:try "ecmp show --table all | head -1 >/dev/null"
    assert.equal("", result.stderr)
  end)
end)
