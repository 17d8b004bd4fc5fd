--- Next-hop objects against the kernel: single ones, groups, resilient groups and their buckets.
local scratch = require "spec.scratch"

describe("next-hop objects #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(3)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  local function get(id)
    local view <const>, message <const> = nl.nexthop:get { id = id }
    return assert(view, message)
  end

  it("hold a way of either family, onlink, or none", function()
    for _, wanted in ipairs {
      { id = 1, via = "10.0.1.2", dev = "v1", proto = "static" },
      { id = 2, via = "fd00:0:0:1::2", dev = "v1", proto = "bird" },
      { id = 3, via = "172.31.0.1", dev = "v1", onlink = true },
      { id = 4, dev = "v2", family = 6 },
      { id = 5, blackhole = true, family = 4 },
    } do
      assert(nl.nexthop:add(wanted))
      local has <const> = get(wanted.id)
      for key, value in pairs(wanted) do assert.are.equal(value, has[key]) end
    end
    assert.are.equal(5, #nl.nexthop:list())
    assert.are.equal(2, #nl.nexthop:list { dev = "v1", family = 4 })
    assert.are.equal(1, #nl.nexthop:list { via = "fd00:0:0:1::2" })
  end)

  it("can be made again as they were listed", function()
    assert(nl.nexthop:add "id 1 via 10.0.1.2 dev v1")
    assert(nl.nexthop:add "id 2 via 172.31.0.1 dev v1 onlink proto static")
    assert(nl.nexthop:add "id 3 via fd00:0:0:1::2 dev v1")
    assert(nl.nexthop:add "id 4 group 1/2,3")
    local before <const> = nl.nexthop:list()
    for id = 4, 1, -1 do assert(nl.nexthop:del { id = id }) end
    for _, view in ipairs(before) do assert(nl.nexthop:add(view)) end
    assert.are.equal(tostring(before), tostring(nl.nexthop:list()))
  end)

  it("are numbered by the kernel where no id is given", function()
    local ok <const>, made <const> = nl.nexthop:add { via = "10.0.1.2", dev = "v1" }
    assert.is_true(ok)
    assert.is_true(made.id > 0)
    assert(nl.nexthop:del { id = made.id })
    local _, _, code <const> = nl.nexthop:get { id = made.id }
    assert.are.equal("ENOENT", code)
  end)

  it("form groups with weights up to 255, and beyond where the kernel takes them", function()
    for id = 1, 3 do
      assert(nl.nexthop:add { id = id, via = ("10.0.%d.2"):format(id), dev = "v" .. id })
    end
    assert(nl.nexthop:add { id = 10, group = { 1, { id = 2, weight = 255 }, { id = 3,
      weight = 7 } } })
    assert.are.same({ { id = 1, weight = 1 }, { id = 2, weight = 255 }, { id = 3, weight = 7 } },
      get(10).group)
    local wide <const> = { { id = 1, weight = 65535 }, { id = 2, weight = 257 } }
    local ok <const>, message <const>, code <const> = nl.nexthop:add { id = 11, group = wide }
    if ok then
      assert.are.same(wide, get(11).group)
    else -- an older kernel: eight bits
      assert.are.equal("EINVAL", code)
      assert(message:find("nexthop add id 11 group 1,65535/2,257", 1, true), message)
    end
    assert(nl.nexthop:replace { id = 10, group = { 3 } })
    assert.are.same({ { id = 3, weight = 1 } }, get(10).group)
  end)

  it("form resilient groups with timers and buckets", function()
    for id = 1, 2 do
      assert(nl.nexthop:add { id = id, via = ("10.0.%d.2"):format(id), dev = "v" .. id })
    end
    assert(nl.nexthop:add { id = 20, group = { 1, { id = 2, weight = 3 } }, type = "resilient",
                            buckets = 8, idle_timer = 60, unbalanced_timer = 1.5 })
    local has <const> = get(20)
    assert.are.equal("resilient", has.type)
    assert.are.equal(8, has.buckets)
    assert.are.equal(60, has.idle_timer)
    assert.are.equal(1.5, has.unbalanced_timer)
    local buckets <const>, share <const> = nl.bucket:list { id = 20 }, {}
    for _, bucket in ipairs(buckets) do share[bucket.nhid] = (share[bucket.nhid] or 0) + 1 end
    assert.are.same({ 2, 6 }, share)
  end)

  it("carry routes of both families, which print and read by their id", function()
    assert(nl.nexthop:add { id = 1, via = "10.0.1.2", dev = "v1" })
    assert(nl.nexthop:add { id = 2, via = "fe80::2", dev = "v2" })
    assert(nl.nexthop:add { id = 3, via = "10.0.2.2", dev = "v2" })
    assert(nl.nexthop:add { id = 12, group = { 1, 3 } })
    assert(nl.route:add { dst = "10.50.0.0/16", nhid = 12 })
    assert(nl.route:add { dst = "fd50::/16", nhid = 2 })
    assert(nl.route:add { dst = "10.51.0.0/16", nhid = 2 }) -- IPv4 over IPv6
    for _, dst in ipairs { "10.50.0.0/16", "fd50::/16", "10.51.0.0/16" } do
      local view <const> = nl.route:list { dst = dst }[1]
      assert(nl.route:del(view))
      assert(nl.route:add(view))
      assert.are.equal(view, nl.route:list { dst = dst }[1])
    end
    assert.are.equal(space:show "-4 route show", tostring(nl.route:list { family = 4 }))
    assert.are.equal(space:show "-6 route show", tostring(nl.route:list { family = 6 }))
    assert.are.equal(2, #nl.route:list { nhid = 2 })
    assert(nl.nexthop:del { id = 2 })
    assert.are.equal(0, #nl.route:list { nhid = 2 })
  end)

  it("are added by the words typed after ip nexthop add", function()
    for i, words in ipairs {
      "id 1 via 10.0.1.2 dev v1 proto static", "id 2 via 10.0.2.2 dev v2 onlink",
      "id 3 via fd00:0:0:1::2 dev v1", "id 4 blackhole", "id 5 dev v3",
      "id 6 encap ip6 id 5 dst fd01::1 via fd00:0:0:1::2 dev v1", "id 7 group 1/2,5",
      "id 8 group 1,3/2 type resilient buckets 16 idle_timer 50 unbalanced_timer 100",
    } do
      assert(nl.nexthop:add(words))
      local text <const> = tostring(get(i))
      assert.are.equal(space:show("nexthop show id " .. i):gsub(" unbalanced_time .*", ""),
        text:gsub(" unbalanced_time .*", ""))
    end
  end)

  it("are refused with the kernel's own sentence", function()
    local ok, message, code = nl.nexthop:add { id = 1, via = "192.0.2.1", dev = "v1" }
    assert.is_nil(ok)
    assert.are.equal("ENETUNREACH", code)
    assert.are.equal(
      "nexthop add id 1 via 192.0.2.1 dev v1: Nexthop has invalid gateway (ENETUNREACH)", message)
    ok, message = nl.nexthop:add { id = 9, group = { 77 } }
    assert.is_nil(ok)
    assert(message:find("nexthop add id 9 group 77: ", 1, true), message)
    ok, message, code = nl.nexthop:del { id = 4711 }
    assert.is_nil(ok)
    assert.are.same({ "ENOENT", "nexthop del id 4711: No such file or directory (ENOENT)" },
      { code, message })
  end)
end)
