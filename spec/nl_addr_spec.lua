--- Addresses, rules and neighbours against the kernel.
local scratch = require "spec.scratch"

local function given(wanted, has)
  local found <const> = {}
  for key in pairs(wanted) do found[key] = has[key] end
  return found
end

describe("addresses #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  for name, wanted in pairs {
    ["plain"] = { address = "10.7.0.1/24", dev = "v1", scope = "global", label = "v1",
                  broadcast = "10.7.0.255" },
    ["with a peer"] = { address = "10.7.0.1/32", peer = "10.7.0.2/32", dev = "v1" },
    ["labelled, of link scope"] = { address = "10.7.0.1/24", dev = "v1", label = "v1:x",
      scope = "link" },
    ["without a route"] = { address = "10.7.0.1/24", dev = "v1", noprefixroute = true },
    ["with a metric"] = { address = "10.7.0.1/24", dev = "v1", metric = 77 },
    ["without duplicate detection"] = { address = "fd07::1/64", dev = "v1", nodad = true,
                                        permanent = true },
    ["with every flag"] = { address = "fd07::1/64", dev = "v1", nodad = true, home = true,
                            noprefixroute = true, mngtmpaddr = true },
    ["a host's"] = { address = "fd07::1/128", dev = "v1", nodad = true },
  } do
    it(name .. " come back as they went", function()
      local asked <const> = {}
      for key, value in pairs(wanted) do asked[key] = key ~= "permanent" and value or nil end
      assert(nl.addr:add(asked))
      local has <const> = nl.addr:list { address = wanted.address }[1]
      assert.are.same(wanted, given(wanted, has))
      assert(nl.addr:del(has))
      assert.are.equal(0, #nl.addr:list { address = wanted.address })
    end)
  end

  it("with lifetimes count down", function()
    assert(nl.addr:add { address = "fd07::1/64", dev = "v1", valid_lft = 1000,
      preferred_lft = 500 })
    local has <const> = nl.addr:list { address = "fd07::1/64" }[1]
    assert.is_true(has.valid_lft > 990 and has.valid_lft <= 1000)
    assert.is_true(has.preferred_lft > 490 and has.preferred_lft <= 500)
    assert.are.equal("forever", nl.addr:list { dev = "lo", family = 6 }[1].valid_lft)
  end)

  it("are found by device, family, scope and label", function()
    assert.are.equal(2, #nl.addr:list { dev = "lo" })
    assert.are.equal(1, #nl.addr:list { dev = "v1", family = 4 })
    assert.are.equal("10.0.1.1/24", nl.addr:list { label = "v1" }[1].address)
    assert.are.equal(2, #nl.addr:list { scope = "host" })
  end)

  it("are added by the words typed after ip addr add", function()
    assert(nl.addr:add "10.8.0.1/24 brd + dev v1 label v1:y scope link metric 5")
    assert(nl.addr:add "local 10.9.0.1 peer 10.9.0.2/32 dev v1")
    assert(nl.addr:add "fd08::1/64 dev v1 nodad home valid_lft forever preferred_lft 100sec")
    local one <const> = nl.addr:list { address = "10.8.0.1/24" }[1]
    assert.are.same({ "10.8.0.255", "v1:y", "link", 5 },
      { one.broadcast, one.label, one.scope, one.metric })
    assert.are.equal("10.9.0.2/32", nl.addr:list { address = "10.9.0.1/32" }[1].peer)
    assert.is_true(nl.addr:list { address = "fd08::1/64" }[1].home)
    assert(nl.addr:del "10.8.0.1/24 dev v1")
    assert.are.equal(0, #nl.addr:list { address = "10.8.0.1/24" })
  end)

  it("are refused with what was asked", function()
    local ok, message, code = nl.addr:add { address = "10.0.1.1/24", dev = "v1" }
    assert.is_nil(ok)
    assert.are.equal("EEXIST", code)
    assert(message:find("^addr add 10.0.1.1/24"), message)
    ok, message, code = nl.addr:add { address = "10.0.1.1/24", dev = "absent0" }
    assert.is_nil(ok)
    assert.are.equal("ENODEV", code)
    assert(message:find("Cannot find device", 1, true), message)
    ok, message, code = nl.addr:del { address = "10.3.3.3/24", dev = "v1" }
    assert.is_nil(ok)
    assert.are.equal("EADDRNOTAVAIL", code)
    assert(message:find("^addr del 10.3.3.3/24"), message)
  end)
end)

describe("rules #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  teardown(function() space:close() end)

  for name, wanted in pairs {
    ["by source"] = { priority = 50, from = "10.0.0.0/8", table = 100 },
    ["by all there is"] = {
      priority = 51, invert = true, from = "10.0.0.0/8", to = "10.1.0.0/16", tos = 16, fwmark = 16,
      fwmask = 255, iif = "v1", uidrange = "0-0", ipproto = "tcp", sport = "1-7", dport = "80",
      table = 70000, suppress_prefixlength = 0, suppress_ifgroup = 3, proto = "static" },
    ["of IPv6"] = { family = 6, priority = 52, from = "fd00::/8", oif = "v1", table = "main" },
    ["that jump"] = { priority = 53, ["goto"] = 32766, action = "goto" },
    ["that refuse"] = { priority = 54, from = "10.3.0.1", action = "prohibit" },
    ["that do nothing"] = { priority = 55, iif = "nothing0", action = "nop" },
    ["by a tunnel"] = { priority = 57, tun_id = 5, ipproto = "sctp", table = 100 },
    ["with realms"] = { priority = 56, iif = "nothing0", realm = "5/6", table = 100 },
  } do
    it(name .. " come back as they went, and by their own words", function()
      assert(nl.rule:add(wanted))
      local has <const> = nl.rule:list { priority = wanted.priority, family = wanted.family
        or 4 }[1]
      assert.are.same(wanted, given(wanted, has))
      local text <const> = tostring(has)
      assert(nl.rule:del(has))
      assert.are.equal(0, #nl.rule:list { priority = wanted.priority })
      if not wanted.family then
        assert(nl.rule:add(text))
        assert.are.equal(text, tostring(nl.rule:list { priority = wanted.priority }[1]))
        assert(nl.rule:del(text))
      end
    end)
  end

  it("are refused in the words of ip rule", function()
    assert(nl.rule:add { priority = 70, from = "10.0.0.0/8", table = 100 })
    local _, message <const> = nl.rule:add { priority = 70, from = "10.0.0.0/8", table = 100 }
    assert.are.equal("rule add priority 70 from 10.0.0.0/8 lookup 100: File exists (EEXIST)",
      message)
    assert(nl.rule:del { priority = 70 })
  end)

  it("by the l3 master device come back where the kernel has them", function()
    local ok <const>, message <const>, code <const> = nl.rule:add "l3mdev priority 60"
    if not ok then
      assert(code == "EINVAL" or code == "EOPNOTSUPP", message)
      return
    end
    assert.is_true(nl.rule:list { priority = 60 }[1].l3mdev)
    assert(nl.rule:del "l3mdev priority 60")
  end)

  it("are found by priority, the first at 0 too", function()
    assert.are.equal("local", nl.rule:list { priority = 0, family = 4 }[1].table)
    assert.are.equal(2, #nl.rule:list { table = "main" })
  end)
end)

describe("neighbours #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  teardown(function() space:close() end)

  for name, wanted in pairs {
    ["permanent"] = { dst = "10.0.1.9", dev = "v1", lladdr = "02:00:00:00:00:99",
      state = "PERMANENT" },
    ["of IPv6, stale, a router"] = { dst = "fd00:0:0:1::9", dev = "v1",
      lladdr = "02:00:00:00:00:99",
                                     state = "STALE", router = true },
    ["learned outside"] = { dst = "10.0.1.10", dev = "v1", lladdr = "02:00:00:00:00:99",
                            state = "REACHABLE", extern_learn = true, proto = "static" },
  } do
    it(name .. " come back as they went", function()
      assert(nl.neigh:add(wanted))
      local has <const> = nl.neigh:list { dst = wanted.dst }[1]
      assert.are.same(wanted, given(wanted, has))
      assert.are.same(wanted, given(wanted, nl.neigh:get { dst = wanted.dst, dev = "v1" }))
      assert(nl.neigh:del { dst = wanted.dst, dev = "v1" })
    end)
  end

  it("are proxied for", function()
    assert(nl.neigh:add { dst = "10.0.1.77", dev = "v1", proxy = true })
    assert.are.equal("10.0.1.77", nl.neigh:list { proxy = true, family = 4 }[1].dst)
    assert(nl.neigh:del { dst = "10.0.1.77", dev = "v1", proxy = true })
    assert.are.equal(0, #nl.neigh:list { proxy = true, family = 4 })
  end)

  it("are added by the words typed after ip neigh add", function()
    assert(nl.neigh:add "10.0.1.20 lladdr 02:00:00:00:00:20 dev v1 nud stale router")
    assert(nl.neigh:replace "10.0.1.20 lladdr 02:00:00:00:00:21 dev v1 nud permanent")
    local has <const> = nl.neigh:list { dst = "10.0.1.20" }[1]
    assert.are.same({ "02:00:00:00:00:21", "PERMANENT" }, { has.lladdr, has.state })
    assert(nl.neigh:add "proxy 10.0.1.78 dev v1")
    assert(nl.neigh:del "10.0.1.20 dev v1")
    assert(nl.neigh:flush { dst = "10.0.1.20" })
  end)
end)
