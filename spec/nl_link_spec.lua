--- Links against the kernel: every kind, changed, moved between namespaces, and deleted.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local scratch = require "spec.scratch"

-- Per kind: what to ask for, and what to read back (the same where nothing is said).
local KINDS <const> = {
  dummy = { {} },
  ifb = { { txqueuelen = 77 } },
  bridge = { { stp_state = 0, priority = 4096, ageing_time = 1000, mcast_snooping = 0 } },
  vlan = { { link = "v1", id = 7, protocol = "802.1ad" } },
  macvlan = { { link = "v1", mode = "bridge" }, { link = "v1", mode = "private" } },
  ipvlan = { { link = "v1", mode = "l3s", flag = "vepa" }, { link = "v1", mode = "l2" } },
  vrf = { { table = 70000 } },
  vxlan = { { id = 77, link = "v1", remote = "10.0.1.2", ["local"] = "10.0.1.1", dstport = 4789,
              ttl = 9, learning = false, proxy = true },
            { id = 78, link = "v1", remote = "ff05::77", dstport = 4790, ageing = 77 } },
}

describe("links #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  for kind, variants in pairs(KINDS) do
    it("of kind " .. kind .. " come back as they went", function()
      if not space:knows(kind) then
        pending("this kernel has no links of kind " .. kind)
        return
      end
      for _, fields in ipairs(variants) do
        local wanted <const> = { name = "x0", type = kind, mtu = 1400,
                                 address = kind ~= "ipvlan" and "02:00:00:00:00:77" or nil }
        for key, value in pairs(fields) do wanted[key] = value end
        assert(nl.link:add(wanted))
        assert(nl.link:set { dev = "x0", alias = "spare" }) -- the kernel passes it over in an add
        wanted.alias = "spare"
        local has <const> = assert(nl.link:get { dev = "x0" })
        for key, value in pairs(wanted) do
          assert.are.equal(value, has[key] or (value == false and false), kind .. "." .. key)
        end
        assert(nl.link:del { dev = "x0" })
      end
    end)
  end

  it("of kind bridge filter VLANs", function()
    local ok <const>, message, code = nl.link:add { name = "x0", type = "bridge",
      vlan_filtering = 1 }
    if code == "EOPNOTSUPP" then return pending("this kernel's bridges know no VLANs") end
    assert(ok, message)
    assert.are.equal(1, assert(nl.link:get { dev = "x0" }).vlan_filtering)
  end)

  it("of kind veth are made with both ends", function()
    assert(nl.link:add { name = "a0", type = "veth", mtu = 1300, up = true,
                         peer = { name = "b0", mtu = 1200, address = "02:00:00:00:00:b0" } })
    local a <const>, b <const> = nl.link:get { dev = "a0" }, nl.link:get { dev = "b0" }
    assert.are.same({ 1300, true, "b0" }, { a.mtu, a.up, a.link })
    assert.are.same({ 1200, nil, "a0", "02:00:00:00:00:b0" }, { b.mtu, b.up, b.link, b.address })
    assert(nl.link:del { dev = "b0" })
    assert.is_nil((nl.link:get { dev = "a0" }))
  end)

  it("are made with an end in another namespace, and moved there", function()
    local other <close> = scratch.new()
    assert(nl.link:add { name = "a0", type = "veth", peer = { name = "b0", netns = other.path } })
    assert.are.equal("veth", other.nl.link:get({ dev = "b0" }).type)
    assert.is_nil((nl.link:get { dev = "b0" }))
    assert(nl.link:set { dev = "a0", netns = other.path, name = "c0" })
    assert.are.equal("b0", other.nl.link:get({ dev = "c0" }).link)
    local ok <const>, message <const>, code <const> = nl.link:set { dev = "v1", netns = "/nowhere" }
    assert.is_nil(ok)
    assert.are.equal("ENOENT", code)
    assert(message:find "namespace", message)
  end)

  for _, length in ipairs { 10, 15, 16, 28, 127 } do
    it(("are found by another name of %d bytes"):format(length), function()
      local name <const> = ("n"):rep(length)
      space:ip(("link property add dev v1 altname %s"):format(name))
      assert.equal("v1", nl.link:get(name).name)
      assert(nl.link:set { dev = name, mtu = 1400 })
      assert.equal(1400, nl.link:get("v1").mtu)
      assert(nl.route:add { dst = "10.9.0.0/16", via = "10.0.1.2", dev = name })
      assert(nl.route:add("10.8.0.0/16 nexthop via 10.0.1.2 dev " .. name))
      assert.equal("v1", nl.route:list { dst = "10.8.0.0/16" }[1].dev)
      assert.equal(2, #nl.route:list { dev = name, proto = "boot" })
      assert(nl.addr:add { address = "10.77.0.1/24", dev = name })
      assert.same({ true }, nl:batch { { "route del", { dst = "10.9.0.0/16", dev = name } } })
      local _, message <const>, code <const> = nl.link:get(name:sub(2) .. "x")
      assert.equal("ENODEV", code, message)
    end)
  end

  it("move between namespaces in a batch, many of them, and hold no descriptor afterwards", function()
    local other <close> = scratch.new()
    local before <const> = helper.descriptors()
    local changes <const> = {}
    for n = 1, 150 do
      changes[n] = { "link add", n % 2 == 0 and ("a%d type veth peer name b%d netns %s"):format(n, n,
        other.path) or { name = "a" .. n, type = "bridge", netns = other.path } }
    end
    changes[151] = { "link set", { dev = "v1", netns = other.path, name = "c0" } }
    changes[152] = { "link set", { dev = "p1", netns = "/nowhere" } }
    local results <const> = nl:batch(changes)
    for n = 1, 151 do assert.is_true(results[n]) end
    assert.equal("ENOENT", results[152].code)
    assert.match("namespace '/nowhere'", results[152].message, 1, true)
    assert.equal(before, helper.descriptors())
    assert(other.nl.link:get "a149" and other.nl.link:get "b150" and other.nl.link:get "c0")
    assert(nl.link:get "a150" and nl.link:get "p1")
    assert.has_error(function()
      nl:batch { { "link set", { dev = "p1", netns = other.path } }, { "link set", { dev = 5.5 } } }
    end)
    assert.same({ true }, nl:batch { { "link set", { dev = "p1", up = true } } })
    assert.equal(before, helper.descriptors())
  end)

  it("are changed field by field, and nothing else of them", function()
    assert(nl.link:set { dev = "v1", up = false })
    assert.is_nil(nl.link:get({ dev = "v1" }).up)
    assert(nl.link:set { dev = "v1", promisc = true, multicast = false, noarp = true })
    local has = nl.link:get { dev = "v1" }
    assert.are.same({ true, nil, true, nil }, { has.promisc, has.multicast, has.noarp, has.up })
    assert(nl.link:set { dev = "v1", up = true, noarp = false, mtu = 1280, group = 7 })
    has = nl.link:get { dev = "v1" }
    assert.are.same({ true, nil, 1280, 7, true }, { has.up, has.noarp, has.mtu, has.group,
      has.promisc })
    assert(nl.link:set { dev = "v1", up = false }) -- older kernels rename no link that is up
    assert(nl.link:set { dev = "v1", name = "w1" })
    assert.are.equal("w1", nl.link:get({ dev = "w1" }).name)
  end)

  it("are enslaved to a bridge, with the port's fields, and freed", function()
    assert(nl.link:add { name = "br0", type = "bridge" })
    assert(nl.link:set { dev = "p1", master = "br0" })
    assert(nl.link:set { dev = "p1", port = "bridge", hairpin = true, cost = 7, isolated = true })
    local has = nl.link:get { dev = "p1" }
    assert.are.same({ "br0", "bridge", true, 7, true, "veth" },
      { has.master, has.port, has.hairpin, has.cost, has.isolated, has.type })
    assert.are.equal(1, #nl.link:list { master = "br0" })
    assert(nl.link:set { dev = "p1", master = false })
    assert.is_nil(nl.link:get({ dev = "p1" }).master)
  end)

  it("are found by kind, name and state", function()
    assert.are.equal(2, #nl.link:list { type = "veth" })
    assert.are.equal("lo", nl.link:list { dev = "lo" }[1].name)
    assert(nl.link:set { dev = "v1", up = false })
    assert.are.equal(2, #nl.link:list { up = true })
  end)

  it("are made and changed by the words typed after ip link", function()
    for _, words in ipairs {
      "a0 type veth peer name b0", "name a1 mtu 1300 type veth peer name b1 mtu 1200",
      "br0 type bridge ageing_time 4000 stp_state 0", "br1 up type bridge",
    } do
      assert(nl.link:add(words))
    end
    for _, words in ipairs {
      "a0 up", "dev a1 mtu 1250 txqueuelen 5", "b0 master br0",
        "dev b0 type bridge_slave hairpin on",
      "b1 arp off", "a0 address 02:00:00:00:00:a0 alias spare", "br1 down", "b1 name c1",
    } do
      assert(nl.link:set(words))
    end
    local function of(name) return assert(nl.link:get { dev = name }) end
    assert.are.same({ true, "02:00:00:00:00:a0", "spare" }, { of "a0".up, of "a0".address,
      of "a0".alias })
    assert.are.same({ 1250, 5 }, { of "a1".mtu, of "a1".txqueuelen })
    assert.are.same({ "br0", true }, { of "b0".master, of "b0".hairpin })
    assert.are.same({ true, 4000 }, { of "c1".noarp, of "br0".ageing_time })
    assert.is_nil(of "br1".up)
    assert(nl.link:set "b0 nomaster")
    assert.is_nil(of "b0".master)
    assert(nl.link:del "a0")
    assert.are.equal(0, #nl.link:list { name = "b0" })
  end)

  it("are refused with what was asked", function()
    local ok, message, code = nl.link:add { name = "v1", type = "veth", peer = { name = "z0" } }
    assert.is_nil(ok)
    assert.are.equal("EEXIST", code)
    assert(message:find("^link add .*v1.*: .*%(EEXIST%)$"), message)
    ok, message, code = nl.link:set { dev = "absent0", up = true }
    assert.is_nil(ok)
    assert.are.equal("ENODEV", code)
    assert.equal("link set dev absent0 up: Cannot find device (ENODEV)", message)
    ok, message, code = nl.link:add { name = "x0", type = "nonsense" }
    assert.is_nil(ok)
    assert.are.same({ "EOPNOTSUPP",
      "link add name x0 type nonsense: Unknown device type (EOPNOTSUPP)" },
      { code, message })
  end)

  it("are found by the name they have now, however often it changed hands", function()
    assert(nl.addr:add { address = "192.0.2.1/32", dev = "v1" })
    space:ip "link set v1 down"
    space:ip "link set v1 name other"
    local gone, _, code = nl.addr:add { address = "192.0.2.2/32", dev = "v1" }
    assert.same({ nil, "ENODEV" }, { gone, code })
    space:ip "link set p1 down"
    space:ip "link set p1 name v1"
    assert(nl.addr:add { address = "192.0.2.3/32", dev = "v1" })
    assert(nl.addr:add { address = "192.0.2.4/32", dev = "other" })
    assert.matches("192.0.2.3/32 scope global v1", space:ip "-o addr show dev v1")
    assert.matches("192.0.2.1/32.*192.0.2.4/32", space:ip "-o addr show dev other")
    space:ip "link del v1"
    gone, _, code = nl.addr:add { address = "192.0.2.5/32", dev = "v1" }
    assert.same({ nil, "ENODEV" }, { gone, code })
  end)

  it("are named in refusals as they were in the request", function()
    local _, message = nl.link:set { dev = "absent0", up = true }
    assert.are.equal("link set dev absent0 up: Cannot find device (ENODEV)", message)
    _, message = nl.link:set { dev = "v1", mtu = 40 }
    assert(message:find("^link set dev v1 mtu 40: "), message)
    _, message = nl.link:del { dev = "lo" }
    assert(message:find("^link del dev lo: "), message)
  end)

  it("have fields that are known by their kind", function()
    local function refuses(expected, link)
      assert.error_matches(function() nl.link:add(link) end, expected)
    end
    refuses("stp_sate: unknown field %(did you mean 'stp_state'%?%)",
      { name = "x0", type = "bridge", stp_sate = 1 })
    refuses("dstprt: unknown field %(did you mean 'dstport'%?%)",
      { name = "x0", type = "vxlan", id = 7, dstprt = 4789 })
    refuses("mut: unknown field %(did you mean 'mtu'%?%)", { name = "x0", type = "ifb", mut = 1 })
  end)

  it("are not deleted, nor is anything else, by what names nothing", function()
    for _, kind in ipairs { "link", "addr", "rule", "neigh", "nexthop", "route" } do
      local before <const> = tostring(nl[kind]:list())
      for _, what in ipairs { {}, { family = 6 } } do
        if kind ~= "link" or not what.family then
          assert.error_matches(function() nl[kind]:del(what) end, "nothing says which")
          assert.error_matches(function() nl:batch { { kind .. " del", what } } end,
            "nothing says which")
        end
      end
      assert.are.equal(before, tostring(nl[kind]:list()))
    end
    assert.error_matches(function() nl.addr:del { dev = "v1" } end, "address: missing")
  end)

  it("need no handle but that of their namespace", function()
    local nl2 <close> = assert(ecmp.open { netns = space.path })
    scratch.settled(function()
      return tostring(nl.link:list()), tostring(nl2.link:list())
    end)
  end)
end)
