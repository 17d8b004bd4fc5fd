--- Which routes an apply may delete, and which lines it leaves out.
local cli = require "spec.cli"

describe("what ecmp apply owns #netns", function()
  local shell

  before_each(function()
    shell = cli.new()
    shell:sh [[
      ip route add 10.9.0.0/16 via 10.0.1.1
      ip route add 2001:db8:9::/48 via 2001:db8:1::1
      ip route add 10.9.0.0/16 via 10.0.1.1 table 7
      ip route add 2001:db8:9::/48 via 2001:db8:1::1 table 7
    ]]
  end)

  after_each(function() shell:close() end)

  local function has(words)
    local family <const>, rest <const> = words:match "^(-[46]) (.*)$"
    return shell:sh(("ip %s route show %s"):format(family or words:find ":" and "-6" or "-4",
      rest or words)) ~= ""
  end

  local function apply(options, text)
    return shell:try(("ecmp apply %s %s"):format(options, shell:file("routes", text)))
  end

  local function applied(options, text)
    local result <const> = apply(options, text)
    assert.equal(0, result.status, result.stderr)
    return result
  end

  local V4 <const>, V6 <const> = "10.9.0.0/16", "2001:db8:9::/48"

  it("is the family that the file is of, in its table", function()
    applied("", "10.1.0.0/16 via 10.0.1.1\n")
    assert.same({ false, true, true, true },
      { has(V4), has(V6), has(V4 .. " table 7"), has(V6 .. " table 7") })
    applied("", "2001:db8:1234::/48 via 2001:db8:1::1 table 7\n")
    assert.same({ true, true, false },
      { has(V6), has(V4 .. " table 7"), has(V6 .. " table 7") })
  end)

  it("is widened by --family, in the tables that the file names", function()
    applied("--family 6", "10.1.0.0/16 via 10.0.1.1\n")
    assert.same({ false, false, true, true },
      { has(V4), has(V6), has(V4 .. " table 7"), has(V6 .. " table 7") })
    applied("--family both", "10.1.0.0/16 via 10.0.1.1 table 7\n")
    assert.same({ true, false, false },
      { has "10.1.0.0/16", has(V4 .. " table 7"), has(V6 .. " table 7") })
  end)

  it("takes a line without an address for IPv4, unless something says otherwise", function()
    applied("", "default dev eth1\n")
    assert.same({ true, false }, { has "-4 default", has "-6 default" })
    applied("--family 6", "default dev eth2 metric 7\n")
    assert.same({ true, true }, { has "-4 default", has "-6 default" })
    applied("--family 6", "default dev eth2 metric 7\ndefault via 10.0.1.1\n")
    assert.truthy(shell:sh("ip -4 route show default"):find("default via 10.0.1.1", 1, true))
    applied("", "default dev eth1 metric 9 pref low\n")
    assert.truthy(shell:sh("ip -6 route show default"):find("metric 9 pref low", 1, true))
  end)

  it("takes a default route of a script for one of --family", function()
    local file <const> = shell:file("routes.lua", "return { { dst = 'default', dev = 'eth1' } }")
    shell:sh("ecmp apply --family 6 " .. file)
    assert.same({ false, true }, { has "-4 default", has "-6 default" })
  end)

  it("is nothing for a file without routes, unless that is asked for", function()
    for _, options in ipairs { "", "--force", "--family both" } do
      local result <const> = apply(options, "# nothing\n")
      assert.equal(1, result.status)
      assert.matches("there is no route in it", result.stderr)
    end
    assert.same({ true, true }, { has(V4), has(V6) })
    applied("--force --family 4", "# nothing\n")
    assert.same({ false, true, true }, { has(V4), has(V6), has(V4 .. " table 7") })
  end)

  describe("of which many would go", function()
    before_each(function()
      shell:sh "for i in $(seq 1 19); do ip route add 10.20.$i.0/24 via 10.0.1.1; done"
    end)

    local function count() return select(2, shell:sh("ip -4 route"):gsub("\n10%.20%.", "")) end

    local function refused(options, text, message)
      local result <const> = apply(options, text)
      assert.equal(1, result.status, options)
      assert.truthy(result.stderr:find(message, 1, true), result.stderr)
      assert.equal(19, count())
    end

    local FIRST <const> = "10.9.0.0/16 via 10.0.1.1\n"

    local function lines(n)
      local text <const> = { FIRST }
      for i = 1, n do text[i + 1] = ("10.20.%d.0/24 via 10.0.1.1\n"):format(i) end
      return table.concat(text)
    end

    it("is refused beyond half, --force or a limit allows it", function()
      refused("", lines(8), "11 of 20 owned routes would be deleted, more than 50%")
      refused("--dry-run", lines(8), "11 of 20 owned routes would be deleted")
      applied("", lines(9))
      applied("--max-delete 9", FIRST)
    end)

    it("is refused beyond a number or a share", function()
      refused("--max-delete 2", lines(16), "3 of 20 owned routes would be deleted, more than 2 ")
      refused("--max-delete 10%", lines(16), "3 of 20 owned routes would be deleted, more than 10% ")
      refused("--max-delete 0", lines(18), "1 of 20 owned routes would be deleted")
      applied("--max-delete 15%", lines(16))
      applied("--max-delete 0 --force", FIRST)
      assert.equal(0, count())
    end)
  end)

  describe("of other protocols", function()
    it("is what it added, until the file has it no more", function()
      shell:sh "ip route add 10.31.0.0/16 via 10.0.1.1 proto bgp"
      local FIRST <const> = "10.9.0.0/16 via 10.0.1.1\n"
      applied("", FIRST .. "10.30.0.0/16 via 10.0.1.1 proto bgp\n10.31.0.0/16 via 10.0.1.1 proto bgp\n")
      assert.same({ true, true }, { has "10.30.0.0/16", has "10.31.0.0/16" })
      applied("", FIRST)
      -- the other one was there before
      assert.same({ false, true }, { has "10.30.0.0/16", has "10.31.0.0/16" })
      assert.equal("nothing to do\n", applied("", FIRST).stdout)
    end)

    it("is not what was taken back, nor what a daemon made of it", function()
      local FIRST <const> = "10.9.0.0/16 via 10.0.1.1\n"
      local BOTH <const> = FIRST .. "10.30.0.0/16 via 10.0.1.1 proto bgp\n"
      assert.equal(1, apply("--confirm 0.1", BOTH).status)
      assert.is_false(has "10.30.0.0/16")
      shell:sh "ip route add 10.30.0.0/16 via 10.0.1.1 proto bgp"
      assert.equal("nothing to do\n", applied("", FIRST).stdout)
      shell:sh "ip route del 10.30.0.0/16"
      applied("", BOTH)
      shell:sh "ip route replace 10.30.0.0/16 via 10.0.2.1 proto bgp"
      assert.equal("nothing to do\n", applied("", FIRST).stdout)
      assert.is_true(has "10.30.0.0/16")
    end)

    it("keeps what a route of IPv6 has left of its life", function()
      applied("", "default via 2001:db8:1::1 dev eth1 proto ra metric 1024 expires 1700sec pref medium\n")
      assert.matches("expires 1[67]%d%dsec", shell:sh "ip -6 route show default")
    end)
  end)

  it("leaves out the kernel's routes of addresses that are gone, and says so", function()
    local before <const> = shell:sh "ecmp show"
    shell:sh [[
      ip addr flush dev eth1; ip addr add 10.0.3.2/24 dev eth1; ip -6 addr add 2001:db8:3::2/64 dev eth1 nodad
      ip addr del 10.0.2.2/24 dev eth2; ip addr add 10.0.2.3/24 dev eth2
    ]]
    local now <const> = shell:sh "ip route; ip -6 route"
    local result <const> = applied("", before:gsub("10%.9%.[^\n]*\n", "")
      .. "10.0.9.0/24 dev gone0 proto kernel scope link src 10.0.9.1\n")
    assert.equal("nothing to do\n", result.stdout)
    assert.matches("routes:1: left out, a route of the kernel's own that belongs to no address there "
      .. "is %(and %d more%)\n$", result.stderr)
    assert.equal(now, shell:sh "ip route; ip -6 route")
  end)

  it("puts the kernel's routes of addresses back that were taken away", function()
    local before <const> = shell:sh "ip route; ip -6 route"
    shell:sh "cd $HERE; ecmp show >shown; ip route flush table main; ip -6 route flush table main"
    shell:sh "ecmp apply $HERE/shown"
    assert.equal(before, shell:sh "ip route; ip -6 route")
    -- they stay the kernel's
    shell:sh "ecmp apply --force --family both /dev/null"
    assert.truthy(shell:sh("ip route"):find("10.0.1.0/24 dev eth1 proto kernel", 1, true))
  end)

  it("takes a line that leaves out the device for one that names it", function()
    for _, lines in ipairs {
      "10.5.0.0/16 via 10.0.1.1\n10.5.0.0/16 via 10.0.1.1 dev eth1",
      "10.5.0.0/16 via 10.0.1.1 dev eth1\n10.5.0.0/16 via 10.0.1.1",
      "2001:db8:5::/48 via 2001:db8:1::1\n2001:db8:5::/48 via 2001:db8:1::1 dev eth1",
      "10.5.0.0/16 nexthop via 10.0.1.1 nexthop via 10.0.2.1 dev eth2\n"
        .. "10.5.0.0/16 nexthop via 10.0.1.1 dev eth1 nexthop via 10.0.2.1",
    } do
      local path <const> = shell:file("routes", lines .. "\n")
      for _, how in ipairs { "--dry-run", "" } do
        local done <const> = shell:try(("ecmp apply %s %s"):format(how, path))
        assert.equal("ecmp: apply: routes:2: the same route as in routes:1\n", (done.stderr:gsub("%S*/routes", "routes")))
        assert.equal(0, done.status)
      end
      assert.matches("nothing to do", shell:sh("ecmp apply " .. path))
      shell:sh "ip route flush proto boot; ip -6 route flush proto boot"
    end
  end)

  it("keeps a line for another device, or another gateway", function()
    assert.matches("2 added", shell:sh("ecmp apply "
      .. shell:file("routes", "10.5.0.0/16 via 10.0.1.1\n10.5.0.0/16 via 10.0.2.1 dev eth2\n")))
    shell:sh "ip route flush proto boot"
  end)

  it("says which lines say the same", function()
    local result <const> = applied("--dry-run", "10.1.0.0/16 via 10.0.1.1 dev eth1\n"
      .. "2001:db8:5::/48 via 2001:db8:1::1 dev eth1\n10.1.0.0/16 via 10.0.1.1 dev eth1\n"
      .. "2001:db8:5::/48 via 2001:db8:1::1 dev eth1\n10.9.0.0/16 via 10.0.1.1\n"
      .. "2001:db8:9::/48 via 2001:db8:1::1\n")
    assert.equal("ecmp: apply: routes:3: the same route as in routes:1\n"
      .. "ecmp: apply: routes:4: the same route as in routes:2\n",
      (result.stderr:gsub("%S*/routes", "routes")))
    assert.equal(2, select(2, result.stdout:gsub("+ ", "")))
  end)

  it("takes IPv6 gateways of IPv4 routes as they are printed", function()
    shell:sh [[
      ip route add 10.40.0.0/16 via inet6 fe80::1 dev eth1
      ip route add 10.41.0.0/16 nexthop via inet6 fe80::1 dev eth1 nexthop via inet6 fe80::2 dev eth2
      ecmp show --family 4 >$HERE/shown]]
    assert.equal("nothing to do\n", shell:sh "ecmp apply $HERE/shown")
    local before <const> = shell:sh "ip route"
    shell:sh "ip route del 10.40.0.0/16; ip route del 10.41.0.0/16; ecmp apply $HERE/shown"
    assert.equal(before, shell:sh "ip route")
  end)

  it("is read from JSON as ip and show print it", function()
    shell:sh [[
      ip route add 10.40.0.0/16 via inet6 fe80::1 dev eth1
      ip route add 10.41.0.0/16 mtu 1400 nexthop via 10.0.1.1 weight 3 nexthop via 10.0.2.1 onlink dev eth2
      ip route add blackhole 10.42.0.0/16 metric 7
      ip -6 route add 2001:db8:5::/48 nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1
      ip -6 route add default dev eth1 metric 9 proto static
      ecmp show --json >$HERE/shown; ip -j route >$HERE/four; ip -d -j -6 route >$HERE/six]]
    for _, name in ipairs { "shown", "four", "six" } do
      assert.equal("nothing to do\n", shell:sh("ecmp apply - <$HERE/" .. name))
    end
    local before <const> = shell:sh "ip route; ip -6 route"
    shell:sh "for f in -4 -6; do ip $f route flush proto boot; ip $f route flush proto static; done"
    shell:sh "ecmp apply $HERE/shown"
    assert.equal(before, shell:sh "ip route; ip -6 route")
    assert.matches("bad: %[1%]: wia: unknown field", apply("",
      '[{"dst":"10.1.0.0/16","dev":"eth1"},{"dst":"10.2.0.0/16","wia":"10.0.1.1"}]').stderr
      :gsub("/routes:", "/bad:"))
  end)
end)
