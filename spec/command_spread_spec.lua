local cli = require "spec.cli"
local json = require "ecmp.json"

describe("ecmp spread #netns", function()
  local shell

  setup(function()
    shell = cli.new()
    shell:sh [[
      ip route add default nexthop via 10.0.1.1 weight 3 nexthop via 10.0.2.1
      ip route add default nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1
      ip route add unreachable 10.10.0.0/16
      for family in ipv4 ipv6; do echo 1 >/proc/sys/net/$family/fib_multipath_hash_policy; done
    ]]
  end)

  teardown(function() shell:close() end)

  local function shares(words)
    local by_dev <const> = {}
    for _, hop in ipairs(json.decode(shell:sh("ecmp spread --json " .. words))) do
      hop.percent = tonumber(tostring(hop.percent)) -- digits are kept as they were written
      by_dev[hop.dev] = hop
    end
    return by_dev
  end

  it("divides flows by weight in IPv4 and evenly in IPv6", function()
    local four <const>, six <const> = shares "--flows 400 192.0.2.1",
      shares "--flows 400 2001:db8:77::1"
    assert.equal(400, four.eth1.flows + four.eth2.flows)
    assert.is_true(four.eth1.percent > 65 and four.eth1.percent < 85)
    assert.equal("10.0.1.1", four.eth1.gateway)
    assert.same({ 3, "75.0" }, { four.eth1.weight, ("%.1f"):format(tonumber(tostring(four.eth1.asked))) })
    assert.equal(400, six.eth1.flows + six.eth2.flows)
    assert.is_true(six.eth1.percent > 40 and six.eth1.percent < 60)
  end)

  it("prints a line with a bar for each hop", function()
    local lines <const> = {}
    for line in shell:sh("ecmp spread --flows 200 192.0.2.1"):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(2, #lines)
    assert.truthy(lines[1]:find "^10%.0%.1%.1  eth1  weight 3 = 75%.0%%  +%d+ +%d+%.%d%%  █+")
    assert.truthy(lines[2]:find "^10%.0%.2%.1  eth2  weight 1 = 25%.0%%  +%d+ +%d+%.%d%%")
  end)

  it("varies the destinations of a prefix, which is what counts without ports", function()
    shell:sh "echo 0 >/proc/sys/net/ipv4/fib_multipath_hash_policy"
    local one <const>, many <const> = shares "192.0.2.1", shares "--flows 400 192.0.2.0/24"
    assert.is_true(one.eth1.flows == 1000 or one.eth2.flows == 1000)
    assert.is_true(many.eth1.flows > 0 and many.eth2.flows > 0)
    shell:sh "echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy"
  end)

  it("says in one line why no flow finds a way", function()
    local result <const> = shell:try "ecmp spread 10.10.1.1"
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find "^ecmp: spread: [^\n]*EHOSTUNREACH[^\n]*\n$")
  end)

  it("takes wrong usage for that", function()
    for _, words in ipairs { "", "1.2.3.400", "--flows 0 192.0.2.1", "--flows x 192.0.2.1",
                             "--proto ospf 192.0.2.1", "--dport 70000 192.0.2.1" } do
      local result <const> = shell:try("ecmp spread " .. words)
      assert.equal(2, result.status, words)
      assert.truthy(result.stderr:find "^ecmp: [^\n]+\n$", words)
    end
  end)
end)
