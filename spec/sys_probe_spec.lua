--- Sockets that ask for gateways, against the kernel as the one that answers.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("sys.probe", function()
  it("says what is wrong with a call", function()
    for text, call in pairs {
      ["invalid option 'ping'"] = function() sys.probe("1", "ping") end,
      ["dev: must be given"] = function() sys.probe("1", "arp") end,
      ["source: an address is due here"] = function() sys.probe("1", "bfd-in", {}) end,
      ["sauce: unknown option"] = function() sys.probe("1", "echo4", { sauce = "x" }) end,
    } do
      local ok <const>, message <const> = pcall(call)
      assert.is_false(ok)
      assert.matches(text, message, 1, true)
    end
    assert.equal("ENOENT", select(3, sys.probe("/run/netns/none-such", "echo4")))
  end)
end)

describe("probe sockets #netns", function()
  local lab

  setup(function() lab = assert(ecmp.lab { gateways = 2, shared = true }) end)
  teardown(function() lab:close() end)

  --- The first answer, waited for.
  local function answer(probe)
    assert(sys.poll({ probe }, 5)[1], "no answer")
    return probe:receive()
  end

  for family, kind in pairs { [4] = "echo4", [6] = "echo6" } do
    it("take the answers to their echo requests, IPv" .. family, function()
      local probe <close> = assert(sys.probe(lab:path "pod", kind, { dev = "eth0" }))
      local via <const> = lab:gateway(2).via[family]
      assert(probe:echo(via, 4660, 65537))
      assert.same({ via, 4660, 1 }, { answer(probe) })
      assert.is_nil(probe:receive())
      assert.has_error(function() probe:ask(via) end)
      assert.has_error(function() probe:echo("somewhere", 1, 1) end)
    end)

    it("ask for a target through a gateway, IPv" .. family, function()
      local probe <close> = assert(sys.probe(lab:path "pod", kind))
      local through <close> = assert(sys.probe(lab:path "pod", "routed", { dev = "eth0" }))
      local mac <const> = lab:gateway(1).nl.link:get({ dev = "lan" }).address
      assert(through:through(mac, lab.source[family], lab.address[family], 7, 9))
      assert.same({ lab.address[family], 7, 9 }, { answer(probe) })
    end)
  end

  it("ask for neighbours of both families", function()
    local arp <close> = assert(sys.probe(lab:path "pod", "arp", { dev = "eth0" }))
    assert(arp:ask(lab:gateway(1).via[4], lab.source[4]))
    assert.equal(lab:gateway(1).via[4], (answer(arp)))
    local nd <close> = assert(sys.probe(lab:path "pod", "nd", { dev = "eth0" }))
    assert(nd:ask(lab:gateway(2).via[6]))
    assert.equal(lab:gateway(2).via[6], (answer(nd)))
  end)

  it("carry control packets of BFD between port and port, with all hops left", function()
    local gateway <const> = lab:gateway(1)
    local there <close> = assert(sys.probe(lab:path "gw1", "bfd-in", { source = gateway.via[4] }))
    local here <close> = assert(sys.probe(lab:path "pod", "bfd-out", { source = lab.source[4] }))
    local packet <const> = { state = 3, multiplier = 3, mine = 5, yours = 6, desired_tx = 100000,
      required_rx = 200000, poll = true, diagnostic = 1 }
    assert(here:control(gateway.via[4], packet))
    local from <const>, got <const> = answer(there)
    assert.equal(lab.source[4], from)
    packet.final, packet.demand = false, false
    assert.same(packet, got)
    -- What passed a router does not count, nor does what is no control packet.
    assert.equal(1, sys.udp_send(lab:path "pod", { { dst = gateway.via[4], dport = 3784 } }))
    assert(here:control(gateway.via[4], { state = 3, multiplier = 3, mine = 5, yours = 0 }))
    assert.is_truthy(sys.poll({ there }, 5)[1])
    assert.is_nil((there:receive()))
  end)

  it("close themselves", function()
    local before <const> = helper.descriptors()
    do
      local probe <close> = assert(sys.probe(lab:path "pod", "echo4"))
      assert.is_true(probe:fd() >= 0)
    end
    assert.is_nil((sys.probe(lab:path "pod", "arp", { dev = "none" })))
    assert.equal(before, helper.descriptors())
  end)
end)
