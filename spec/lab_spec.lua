local ecmp = require "ecmp"
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

describe("ecmp.lab", function()
  it("says which option is wrong", function()
    for text, options in pairs {
      ["gatways: unknown option"] = { gatways = 2 }, ["gateways: 1 to 64"] = { gateways = 0 },
      ["families: a list"] = { families = {} }, ["families%[1%]: 4 or 6"] = { families = { 5 } },
      ["name: a name"] = { name = 7 }, ["name: a name expected, got nothing"] = { name = "" },
      ["families%[2%]: 4 is there already"] = { families = { 4, 4 } },
      ["shared: true or false"] = { shared = 1 },
    } do
      local ok <const>, message <const> = pcall(ecmp.lab, options)
      assert.is_false(ok)
      assert.truthy(message:find(text), message)
    end
  end)
end)

describe("a lab #netns", function()
  local lab

  setup(function()
    lab = assert(ecmp.lab { gateways = 3 })
    for _, family in ipairs { "ipv4", "ipv6" } do
      assert(lab.pod.sysctl:set(("net.%s.fib_multipath_hash_policy"):format(family), 1))
    end
    for _, family in ipairs { 4, 6 } do
      assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
    end
  end)

  teardown(function() lab:close() end)
  before_each(function() assert(lab:heal()) end)

  local function flows(list)
    local counts <const> = {}
    for i, entry in ipairs(list) do counts[i] = entry.flows end
    return counts
  end

  for _, family in ipairs { 4, 6 } do
    it(("delivers IPv%d flows by the ways the kernel foretells, each of them"):format(family),
      function()
      local foretold <const> = assert(lab:predict { flows = 300, family = family })
      local sent <const> = assert(lab:send { flows = 300, family = family })
      assert.equal(300, sent.sent)
      assert.equal(300, sent.delivered)
      local by_dev <const> = {}
      for _, hop in ipairs(foretold) do by_dev[hop.dev] = hop.flows end
      assert.same(flows(sent.gateways), { by_dev.eth1, by_dev.eth2, by_dev.eth3 })
      for _, gateway in ipairs(sent.gateways) do assert.is_true(gateway.flows > 50) end
    end)

    it(("varies the destinations of an IPv%d prefix"):format(family), function()
      local sent <const> = assert(lab:send { flows = 200, dst = lab.prefix[family] })
      assert.equal(200, sent.delivered)
    end)
  end

  it("loses what goes to a gateway that fails, and sees the carrier go and come", function()
    assert(lab:fail "gw2")
    assert.truthy(tostring(lab.pod.route:get { dst = "192.0.2.1", fibmatch = true }):find(
      "via 10.0.2.1 dev eth2 weight 1 linkdown", 1, true))
    local sent <const> = assert(lab:send { flows = 120 })
    assert.equal(0, sent.gateways[2].flows)
    assert.equal(sent.gateways[1].flows + sent.gateways[3].flows, sent.delivered)
    assert(lab:heal "gw2")
    assert.falsy(tostring(lab.pod.route:get { dst = "192.0.2.1", fibmatch = true }):find "linkdown")
    for _, family in ipairs { 4, 6 } do
      assert.equal(120, lab:send({ flows = 120, family = family }).delivered)
    end
  end)

  it("loses packets without a sign of it", function()
    for _, what in ipairs { "packets", "uplink" } do
      assert(lab:cut("gw3", what))
      assert.falsy(tostring(lab.pod.route:get { dst = "192.0.2.1",
        fibmatch = true }):find "linkdown")
      for _, family in ipairs { 4, 6 } do
        local sent <const> = assert(lab:send { flows = 60, family = family })
        assert.is_true(sent.delivered < 60 and sent.gateways[3].flows == 0)
      end
      assert(lab:heal "gw3")
    end
  end)

  it("sets the pod's own link down", function()
    assert(lab:cut("gw1", "link"))
    assert.is_true(lab:send({ flows = 60 }).delivered == 60)
    assert.falsy(lab.pod.link:get({ dev = "eth1" }).up)
  end)

  it("draws itself, with what is broken", function()
    assert(lab:cut("gw2", "carrier"))
    local text <const> = lab:draw()
    assert.truthy(text:find("eth2 ──╳── [gw2  10.0.2.1, 2001:db8:2::1]", 1, true))
    assert.truthy(text:find "no carrier")
    local svg <const> = lab:draw "svg"
    assert.truthy(svg:find "^<svg " and svg:find "</svg>\n$")
    local _, boxes <const> = svg:gsub('<rect class="box ', "")
    local _, cut <const> = svg:gsub('class="wire cut"', "")
    assert.equal(5, boxes)
    assert.equal(1, cut)
    assert.equal(text, tostring(lab))
  end)

  it("names the gateways there are when one is asked for that is not", function()
    assert.has_error(function() lab:fail "gw9" end, nil)
    assert.truthy(select(2, pcall(lab.fail, lab, "gw9")):find "there are gw1 to gw3")
    assert.has_error(function() lab:cut("gw1", "rope") end)
  end)

  it("says what is wrong with a call, at the caller's line, before anything is done", function()
    for text, call in pairs {
      ["gateway: which one%? there are gw1 to gw3"] = function() lab:fail() end,
      ["gateway: there is no gw9"] = function() lab:fail("gw1", "gw9") end,
      ["lab: called without its colon"] = function() lab.fail "gw1" end,
      ["family: this lab has no 5"] = function() lab:hops(5) end,
      ["send: a table of options expected, got number"] = function() lab:send(5) end,
      ["dport: 1 to 65535 expected, got 0"] = function() lab:send { dport = 0 } end,
      ["dst: an address expected, got number"] = function() lab:send { dst = 5 } end,
      ["flows: 1 to 60000 expected, got 0"] = function() lab:send { flows = 0 } end,
      ["proto: only udp is sent, got tcp"] = function() lab:send { proto = "tcp" } end,
    } do
      local ok <const>, message <const> = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find("^spec/lab_spec.lua:%d+: " .. text), message)
    end
    assert.same({}, lab.cuts)
  end)

  it("runs programs in its namespaces", function()
    local result <const> = assert(lab:run("gw1", { "ip", "-br", "link" }))
    assert.truthy(result.stdout:find "lan" and result.stdout:find "wan")
  end)
end)

describe("labs #netns", function()
  it("can share one segment, as pods do", function()
    local lab <close> = assert(ecmp.lab { gateways = 2, shared = true })
    assert(lab.pod.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1))
    assert(lab.pod.route:add { dst = "default", nexthops = lab:hops() })
    assert.equal("eth0", lab:hops()[2].dev)
    local sent <const> = assert(lab:send { flows = 100 })
    assert.equal(100, sent.delivered)
    assert.is_true(sent.gateways[1].flows > 20 and sent.gateways[2].flows > 20)
    assert(lab:cut("gw1", "carrier"))
    assert.equal(sent.gateways[2].flows, lab:send({ flows = 100 }).delivered)
  end)

  it("have gateways that go deaf, and hear again without a word", function()
    local lab <close> = assert(ecmp.lab { gateways = 2, shared = true })
    local gateway <const> = lab:gateway "gw2"
    for _, family in ipairs { 4, 6 } do
      assert(lab.pod.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
      assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
      assert.equal(60, lab:send({ flows = 60, family = family }).delivered)
    end
    local function rules()
      return { tostring(gateway.nl.rule:list { family = 4 }),
        tostring(gateway.nl.rule:list { family = 6 }) }
    end
    local before <const>, addresses <const> = rules(), tostring(gateway.nl.addr:list())
    assert(lab:cut("gw2", "deaf"))
    assert(lab:cut("gw2", "deaf"))
    for _, family in ipairs { 4, 6 } do
      local sent <const> = assert(lab:send { flows = 60, family = family })
      assert.equal(0, sent.gateways[2].flows)
      assert.equal(sent.gateways[1].flows, sent.delivered)
      -- It answers neither ARP nor neighbour discovery.
      assert(lab.pod.neigh:replace {
        dev = "eth0", dst = gateway.via[family], state = "PROBE",
        lladdr = gateway.nl.link:get({ dev = "lan" }).address })
      helper.eventually(function()
        local found <const> = lab.pod.neigh:get { dev = "eth0", dst = gateway.via[family] }
        return not found or found.state == "FAILED"
      end)
    end
    local function sent_by_gateway()
      return gateway.nl.link:get({ dev = "lan" }):raw(23) -- IFLA_STATS64
    end
    local quiet <const> = sent_by_gateway():sub(9, 16) -- tx_packets
    assert(lab:heal "gw2")
    assert.equal(quiet, sent_by_gateway():sub(9, 16))
    assert.same(before, rules())
    assert.equal(addresses, tostring(gateway.nl.addr:list()))
    for _, family in ipairs { 4, 6 } do
      assert(lab.pod.neigh:del { dev = "eth0", dst = gateway.via[family] })
      assert.equal(60, lab:send({ flows = 60, family = family }).delivered)
    end
    assert(lab:cut("gw2", "carrier"))
    assert(lab:cut("gw2", "deaf"))
    assert(lab:heal())
    assert.same(before, rules())
    assert.same({}, lab.cuts)
  end)

  it("can be of one family", function()
    local lab <close> = assert(ecmp.lab { gateways = 1, families = { 6 } })
    assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(6) })
    assert.equal(10, lab:send({ flows = 10 }).delivered)
    assert.has_error(function() lab:send { family = 4 } end)
  end)

  it("ask nothing of IPv6 when they have none of it, and all of it otherwise", function()
    for _, case in ipairs { { { 4 }, 0 }, { { 4, 6 }, 1 } } do
      local lab <close> = assert(ecmp.lab { gateways = 1, families = case[1] })
      local sysctl <const> = lab:gateway(1).nl.sysctl
      assert.equal(tostring(case[2]), tostring(sysctl:get "net.ipv6.conf.all.forwarding"))
      assert.equal(tostring(1 - case[2]), tostring(sysctl:get "net.ipv6.conf.default.accept_dad"))
      assert.equal("0", tostring(sysctl:get "net.ipv6.conf.all.disable_ipv6"))
      assert(lab:cut("gw1", "packets"))
      assert(lab:heal())
    end
  end)

  it("leave no descriptor behind, and no name unless one was asked for", function()
    local before <const> = helper.descriptors()
    local named <const> = assert(ecmp.lab { gateways = 1, name = "spec" })
    assert.same({ "spec-gw1", "spec-pod", "spec-server" }, netns.list())
    named:close()
    named:close()
    assert.same({}, netns.list())
    assert(ecmp.lab { gateways = 1 }):close()
    assert.same({}, netns.list())
    assert.equal(before, helper.descriptors())
    assert.has_error(function() named:send() end)
  end)

  it("vanish when their process is killed", function()
    local outside <close> = assert(sys.netns_new())
    local nl <close> = assert(ecmp.open { netns = netns.path(outside) })
    local child <const> = assert(sys.spawn { detach = true, argv = { "lua5.4", "-e", helper.paths()
      .. ([[
      local ecmp = require "ecmp"
      local lab = assert(ecmp.lab { gateways = 1 })
      assert(lab.pod.link:add { name = "in", type = "veth", peer = { name = "out", netns = %q } })
      require("ecmp.sys").sleep(60)]]):format(netns.path(outside)) } })
    helper.eventually(function() return nl.link:get { dev = "out" } end)
    assert(sys.kill(child.pid, "KILL"))
    -- one end of a pair goes with the namespace of the other
    helper.eventually(function() return not nl.link:get { dev = "out" } end)
  end)
end)
