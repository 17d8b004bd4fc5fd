--- Refused routes of several hops: which hop it was, in both families, single and in batches.
local scratch = require "spec.scratch"

-- The hops of each route: the second is the one that is refused, and for what.
local function cases(four)
  if four then
    return {
      ["far away"] = { { via = "172.31.9.9" }, "via 172.31.9.9 is not reachable" },
      ["of another device"] = { { via = "10.0.2.2", dev = "v1" },
        "via 10.0.2.2 dev v1 is not reachable" },
      ["of a device that is down"] = { { via = "10.0.2.2", dev = "i0" },
        "via 10.0.2.2 dev i0 is not reachable" },
      ["by a device that is down"] = { { dev = "i0" }, "dev i0" },
      ["onlink without a device"] = { { via = "172.31.9.9", onlink = true }, "via 172.31.9.9" },
      ["of a broadcast address"] = { { via = "10.0.2.255" }, "via 10.0.2.255" },
      ["of IPv6 without a device"] = { { via = "inet6 fe80::1" }, "via inet6 fe80::1" },
      ["by a number nothing has"] = { { dev = 99 }, "dev 99" },
      ["that leads nowhere"] = { {}, "" },
      ["with a foreign encapsulation"] = { { via = "10.0.2.2", encap = { type = "seg6",
        mode = "inline", segs = { "fc00::1" } } }, "via 10.0.2.2" },
    }
  end
  return {
    ["far away"] = { { via = "fd99::9" }, "via fd99::9 is not reachable" },
    ["of another device"] = { { via = "fd00:0:0:2::2", dev = "v1" },
      "via fd00:0:0:2::2 dev v1 is not reachable" },
    ["of another device, onlink"] = { { via = "fd00:0:0:2::2", dev = "v1", onlink = true },
      "via fd00:0:0:2::2 dev v1" },
    ["by device alone"] = { { dev = "v2" }, "dev v2 has no gateway" },
    ["of its own"] = { { via = "fd00:0:0:2::1" }, "via fd00:0:0:2::1" },
    ["of a link without a device"] = { { via = "fe80::1" }, "via fe80::1" },
    ["that is a group"] = { { via = "ff02::1", dev = "v2" }, "via ff02::1 dev v2" },
    ["listed twice"] = { { via = "fd00:0:0:1::2" }, "via fd00:0:0:1::2 is nexthops[1] again" },
    ["listed twice, with its device"] = { { via = "fd00:0:0:1::2", dev = "v1" },
      "via fd00:0:0:1::2 dev v1 is nexthops[1] again" },
  }
end

for _, four in ipairs { true, false } do
  local dst <const> = four and "10.60.0.0/16" or "fd60::/32"
  local good <const> = four and "10.0.1.2" or "fd00:0:0:1::2"
  local far <const> = four and "172.31.9.9" or "fd99::9"

  describe(("refused IPv%d routes of several hops #netns"):format(four and 4 or 6), function()
    local space, nl

    setup(function()
      space = scratch.new(2)
      nl = space.nl
      assert(nl.link:add { name = "i0", type = "ifb" })
    end)

    teardown(function() space:close() end)

    -- What is there but for what the kernel makes of addresses in its own time.
    local function state()
      return tostring(nl.route:list { table = "all", proto = "boot" })
    end

    for what, case in pairs(cases(four)) do
      local named <const> = (": nexthops[2]%s%s ("):format(case[2] == "" and "" or " ", case[2])

      it("name the hop " .. what, function()
        local before <const> = state()
        local monitor <close> = assert(nl:monitor({ "route" }, { timeout = 0.05 }))
        local route <const> = { dst = dst, nexthops = { { via = good }, case[1], { via = good } } }
        if not four and what:find "twice" then route.nexthops[3] = nil end
        for _, verb in ipairs { "add", "append", "prepend", "replace" } do
          local ok, message = nl.route[verb](nl.route, route)
          assert.is_nil(ok)
          assert(message:find(named, 1, true), message)
        end
        for _, share in ipairs { false, true } do
          local results <const> = nl:batch({ { "route add", route }, { "route replace", route } },
            { share = share })
          for _, result in ipairs(results) do
            assert(result.message:find(named, 1, true), result.message)
          end
        end
        for event in monitor do assert.not_equal(dst, event.value.dst) end
        assert.equal(before, state())
      end)
    end

    it("blame no hop for what the route itself is refused", function()
      local src <const> = four and "10.9.9.9" or "fd09::9"
      local ok, message = nl.route:add { dst = dst, src = src,
        nexthops = { { via = good }, { via = good, weight = 2 } } }
      assert.is_nil(ok)
      assert.is_nil(message:find("nexthops[", 1, true), message)
      assert(nl.route:add { dst = dst, via = good })
      ok, message = nl.route:add { dst = dst, nexthops = { { via = good }, { via = good .. "2" } } }
      assert.is_nil(ok)
      assert.matches("File exists %(EEXIST%)$", message)
      assert(nl.route:del { dst = dst })
      if four then
        ok, message = nl.route:add { dst = dst, scope = "link",
          nexthops = { { dev = "v1" }, { via = "10.0.2.2" } } }
        assert.is_nil(ok)
        assert.matches("^route add 10.60.0.0/16 scope link nexthop .* gateway %(ENETUNREACH%)$",
          message)
        assert.is_nil(message:find("nexthops[", 1, true), message)
      end
    end)

    it("are looked up where the route is to stand", function()
      -- a gateway that only this table leads to
      local near <const> = four and "10.5.0.1" or "fd05::1"
      assert(nl.route:add { dst = four and "10.5.0.0/24" or "fd05::/64", dev = "v2", table = 500 })
      local ok, message = nl.route:add { dst = dst, table = 500,
        nexthops = { { via = near }, { via = far } } }
      assert.is_nil(ok)
      if four then -- IPv6 finds neither
        assert.matches("nexthops[2] via " .. far .. " is not reachable", message, 1, true)
      end
      ok, message = nl.route:add_nexthop({ dst = four and "10.5.0.0/24" or "fd05::/64", table = 500 },
        { via = far })
      assert.is_nil(ok)
      assert.matches("^route add_nexthop ", message)
    end)

    it("name what is wrong with the hop that was to be added", function()
      assert(nl.route:add { dst = dst, via = good })
      local ok, message = nl.route:add_nexthop(dst, { via = far, onlink = true })
      assert.is_nil(ok)
      assert.matches(("^route add_nexthop %s [^:]*via %s onlink: "):format(dst, far), message)
      if not four then
        ok, message = nl.route:append { dst = dst, nexthops = { { via = "fd00:0:0:2::2" },
          { via = good } } }
        assert.is_nil(ok)
        assert.matches("nexthops[2] via " .. good .. " is there already (EEXIST)", message, 1, true)
      end
      assert(nl.route:del { dst = dst })
    end)
  end)
end

describe("refusals #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(1)
    nl = space.nl
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2")
    assert(nl.route:add "fd60::/32 via fd00:0:0:1::2")
  end)

  teardown(function() space:close() end)

  for request, expected in pairs {
    ["add 10.61.0.0/16 via 10.0.1.2 scope link"] = "Nexthop has invalid gateway (ENETUNREACH)",
    ["add fd61::/32 via fe80::1 scope link"] = "Egress device not specified (EINVAL)",
    ["add 10.61.0.0/16 dev nosuch scope global"] = "Cannot find device (ENODEV)",
    ["add local 10.61.0.0/16 dev nosuch scope link"] = "Cannot find device (ENODEV)",
    ["del 10.60.0.0/16 scope link"] = "No such route (ESRCH)",
    ["del 10.60.0.0/16 mtu 1500"] = "No such route (ESRCH)",
    ["del fd60::/32 mtu 1500"] = "No such route (ESRCH)",
    ["del blackhole 10.60.0.0/16"] = "No such route (ESRCH)",
    ["del fd60::/32 nexthop via fe80::7 dev v1 nexthop via fe80::8 dev v1"] =
      "No such route (ESRCH)",
  } do
    it("say what was asked: " .. request, function()
      local verb <const>, words <const> = request:match "^(%l+) (.*)$"
      local ok, message = nl.route[verb](nl.route, words)
      assert.is_nil(ok)
      for word in words:gmatch "%S+" do assert(message:find(word, 1, true), message) end
      assert.equal(": " .. expected, message:sub(-#expected - 2))
    end)
  end

  it("leave out what goes without saying", function()
    for request, expected in pairs {
      ["10.60.0.0/16 dev nosuch scope link"] = "route add 10.60.0.0/16 dev nosuch:",
      ["10.60.0.0/16 via 10.0.1.2 scope global"] = "route add 10.60.0.0/16 via 10.0.1.2:",
      ["local 10.60.0.1 dev nosuch scope host"] = "route add local 10.60.0.1 dev nosuch table local:",
    } do
      local ok, message = nl.route:add(request)
      assert.is_nil(ok)
      assert(message:find(expected, 1, true), message)
    end
  end)

  it("name the namespace that could not be opened", function()
    for netns, text in pairs { nosuch = "nosuch", [4194305] = "4194305" } do
      local ok, message, code = nl.link:set { dev = "v1", netns = netns }
      assert.is_nil(ok)
      assert.equal(("link set dev v1: cannot open the namespace '%s': No such file or directory "
        .. "(ENOENT)"):format(text), message)
      assert.equal("ENOENT", code)
    end
  end)
end)
