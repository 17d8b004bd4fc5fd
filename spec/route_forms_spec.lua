--- A table, a view and a listed route say the same, wherever they come from: C encodes tables as
--- they come in, and compares messages alone.
local ecmp <const> = require "ecmp"
local group <const> = require "ecmp.group"
local plan <const> = require "ecmp.plan"
local rtnl <const> = require "ecmp.rtnl"
local scratch <const> = require "spec.scratch"

-- Both forms of a route: as it is written, and as a message.
local function forms(route)
  return { table = route, view = rtnl.view("route", route) }
end

describe("a route in another form", function()
  it("is the same to a plan", function()
    local one <const> = { dst = "10.1.0.0/16", table = 100, mtu = 1400, proto = "static",
      nexthops = { { via = "10.0.0.1", dev = "eth0", weight = 2 }, { via = "10.0.0.2" } } }
    local turned <const> = { dst = "10.1.2.3/16", table = 100, mtu = 1400, proto = "static",
      nexthops = { { via = "10.0.0.2" }, { via = "10.0.0.1", dev = "eth0", weight = 2 } } }
    for _, there in pairs(forms(one)) do
      for _, wanted in pairs(forms(turned)) do
        local steps <const>, unsure <const> = rtnl.match({ there }, { wanted }, true)
        assert.same({ {}, 0 }, { steps, unsure })
      end
    end
  end)

  it("differs for a plan where a field differs", function()
    local one <const> = { dst = "10.1.0.0/16", via = "10.0.0.1", dev = "eth0", mtu = 1400 }
    for field, value in pairs { via = "10.0.0.2", dev = "eth1", mtu = 1500, scope = "link" } do
      local other <const> = { dst = one.dst, via = one.via, dev = one.dev, mtu = one.mtu }
      other[field] = value
      for _, there in pairs(forms(one)) do
        for name, wanted in pairs(forms(other)) do
          local steps <const>, unsure <const> = rtnl.match({ there }, { wanted })
          assert.same({ { 1 | 1 << 31 | 1 << 62 }, 0 }, { steps, unsure }, name .. " " .. field)
        end
      end
    end
  end)

  it("matches whatever is there in what it leaves out", function()
    local there <const> = { dst = "10.1.0.0/16", via = "10.0.0.1", dev = "eth0", proto = "bird",
      scope = "global", mtu = 1400, src = "10.0.0.9" }
    local wanted <const> = { dst = "10.1.0.0/16", via = "10.0.0.1" }
    for _, held in pairs(forms(there)) do
      for _, new in pairs(forms(wanted)) do
        assert.same({}, (rtnl.match({ held }, { new })))
        assert.same({ 1 | 1 << 31 | 1 << 62 }, (rtnl.match({ held }, { new }, true)))
      end
    end
  end)

  it("is looked at by itself where a field of it is wrong", function()
    local routes <const> = { { dst = "10.1.0.0/16", via = "10.0.0.1" },
      { dst = "10.2.0.0/16", via = "nowhere" }, { dst = "10.3.0.0/16", via = "10.0.0.1" } }
    local steps <const>, unsure <const> = rtnl.match({}, routes)
    assert.same({ { 1 << 31 | 1 << 62, 2 << 31, 3 << 31 | 1 << 62 }, 1 }, { steps, unsure })
    assert.same({ nil, "wanted[2].via: 'nowhere' is no address", "EINVAL" }, { plan({}, routes) })
  end)
end)

describe("a key that a rule put into a route", function()
  it("comes back with it, and is nothing to what routes are grouped by", function()
    local routes <const> = {}
    for i = 1, 40 do
      routes[i] = { dst = ("10.%d.0.0/16"):format(i % 4), via = "10.0.0." .. i, colour = i,
        [{}] = "by a table", [i] = "by a number", nested = { a = 1 } }
    end
    local groups <const> = assert(group.group(routes))
    assert.equal(4, #groups)
    for i, route in ipairs(routes) do
      local found <const> = groups[(i - 1) % 4 + 1][(i + 3) // 4]
      assert.is_true(rawequal(route, found))
      assert.equal(i, found.colour)
    end
  end)

  it("is a mistake where the kernel is to be told of it", function()
    local wanted <const> = { { dst = "10.1.0.0/16", via = "10.0.0.1", colour = 1 } }
    assert.same({ nil, "wanted[1].colour: unknown field of a route", "EINVAL" }, { plan({}, wanted) })
  end)
end)

describe("a device that does not exist yet", function()
  it("is told from others by its name", function()
    local one <const> = { dst = "10.1.0.0/16", via = "10.0.0.1", dev = "later" }
    for _, there in pairs(forms(one)) do
      for _, wanted in pairs(forms(one)) do assert.same({}, (rtnl.match({ there }, { wanted }))) end
      for _, wanted in pairs(forms { dst = one.dst, via = one.via, dev = "other" }) do
        assert.same({ 1 | 1 << 31 | 1 << 62 }, (rtnl.match({ there }, { wanted })))
      end
    end
  end)

  it("may be one of many", function()
    local there <const>, wanted <const> = {}, {}
    for i = 1, 20000 do
      there[i] = { dst = ("10.%d.%d.0/24"):format(i >> 8, i & 255), dev = "d" .. i }
      wanted[i] = { dst = there[i].dst, dev = there[i].dev }
    end
    assert.same({}, (rtnl.match(there, wanted)))
    wanted[20000].dev = "d1"
    assert.equal(1, #rtnl.match(there, wanted))
  end)

  it("is planned for, and is found once it is there #netns", function()
    local space <close> = scratch.new(1)
    local nl <const> = space.nl
    local wanted <const> = { { dst = "10.9.0.0/16", dev = "later" },
      { dst = "10.8.0.0/16", nexthops = { { via = "10.0.1.2", dev = "v1" },
        { via = "10.7.0.2", dev = "later" } } } }
    local planned <const> = assert(ecmp.plan(nl, wanted))
    assert.equal(2, #planned)
    -- no number of ours reaches the kernel
    assert.equal("ENODEV", select(3, planned:apply(nl)))
    space:ip "link add later type veth peer name p9"
    space:ip "link set later up"
    space:ip "link set p9 up"
    space:ip "addr add 10.7.0.1/24 dev later"
    assert(planned:apply(nl))
    assert.equal(0, #assert(ecmp.plan(nl, wanted)))
    assert.equal("later", nl.route:list({ dst = "10.9.0.0/16" })[1].dev)
  end)
end)

describe("one name with two numbers #netns", function()
  it("is one device to routes of two handles", function()
    local here <close> = scratch.new(0)
    local there <close> = scratch.new(0)
    here:ip "link add other type veth peer name p1"
    for _, space in ipairs { here, there } do
      space:ip "link add x1 type veth peer name p2"
      space:ip "link set p2 up"
      space:ip "link set x1 up"
      space:ip "route add 10.9.0.0/16 dev x1"
    end
    assert.not_equal(here.nl.link:get("x1").index, there.nl.link:get("x1").index)
    local filter <const> = { dst = "10.9.0.0/16" }
    local a <const>, b <const> = here.nl.route:list(filter), there.nl.route:list(filter)
    assert.same({ {}, 0 }, { rtnl.match(a, b, true) })
    assert.same({ {}, 0 }, { rtnl.match(a, { { dst = "10.9.0.0/16", dev = "x1" } }) })
    -- and the number of the one is another device to the other
    here:ip "link set other up"
    here:ip "link set p1 up"
    here:ip "route replace 10.9.0.0/16 dev other"
    assert.equal(1, #rtnl.match(here.nl.route:list(filter), b))
  end)
end)
