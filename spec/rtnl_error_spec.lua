--- Wrong calls: thrown at the caller's line, naming the field by its path and what may have been
--- meant. No kernel is asked.
local ip = require "ecmp.ip"
local rtnl = require "ecmp.rtnl"

-- The message of a call that must throw, without the position, which must be this file's.
local function thrown(call, ...)
  local ok <const>, message <const> = pcall(call, ...)
  assert(not ok, "nothing was thrown")
  local position <const>, text <const> = message:match "^(.-:%d+): (.*)$"
  assert(position and position:find("rtnl_error_spec.lua:", 1, true), message)
  return text
end

local function of(object, value)
  return thrown(function() rtnl.view(object, value, true) end)
end

describe("a wrong field", function()
  for wanted, value in pairs {
    ["gatway: unknown field (did you mean 'via'?)"] = { gatway = "10.0.0.1" },
    ["gateway: unknown field (did you mean 'via'?)"] = { gateway = "10.0.0.1" },
    ["metirc: unknown field (did you mean 'metric'?)"] = { metirc = 5 },
    ["hops: unknown field (did you mean 'nexthops'?)"] = { hops = {} },
    ["zzzzzzzz: unknown field of a route"] = { zzzzzzzz = 1 },
    ["nexthops[2].wieght: unknown field (did you mean 'weight'?)"] = {
      nexthops = { { via = "10.0.0.1" }, { wieght = 1 } } },
    ["nexthops[2].via: '10.0.0.300' is not an address"] = {
      nexthops = { { via = "10.0.0.1" }, { via = "10.0.0.300" } } },
    ["nexthops[1].weight: 257 is outside 1..256"] = { nexthops = { { dev = "a", weight = 257 } } },
    ["nexthops[1].weight: 0 is outside 1..256"] = { nexthops = { { dev = "a", weight = 0 } } },
    ["nexthops[1].encap.segs[2]: IPv6 address expected"] = { nexthops = { {
      encap = { type = "seg6", mode = "encap", segs = { "fc00::1", "10.0.0.1" } } } } },
    ["nexthops: an empty list: a route needs at least one next hop"] = { nexthops = {} },
    ["nexthops: list of next hops expected, got string"] = { nexthops = "x" },
    ["nexthops[1]: table expected, got string"] = { nexthops = { "via 10.0.0.1" } },
    ["encap.type: missing: one of mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm"] = {
      encap = {} },
    ["encap.type: 'vxlan' is none of mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm"] = {
      encap = { type = "vxlan" } },
    ["encap.type: 0 is none of mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm"] = {
      encap = { type = 0 } },
    ["encap.data: '012' is not two hexadecimal digits a byte"] = {
      encap = { type = 99, data = "012" } },
    ["encap.freq: '1 in 3' is not like 1/3"] = { encap = { type = "ioam6", freq = "1 in 3" } },
    ["encap.trace.size: 6 is no multiple of 4"] = { encap = { type = "ioam6", trace = { size = 6 } } },
    ["encap.trace.size: 248 is outside 0..244"] = {
      encap = { type = "ioam6", trace = { size = 248 } } },
    ["encap.trace.type: 16777216 is outside 0..16777215"] = {
      encap = { type = "ioam6", trace = { type = 1 << 24 } } },
    ["encap.segs[2]: IPv6 address expected"] = {
      encap = { type = "rpl", segs = { "fc00::1", "nowhere" } } },
    ["encap.labels[1]: label in 0..1048575 expected"] = {
      encap = { type = "mpls", labels = { 1 << 20 } } },
    ["dst: '10.0.0.0/33': the length after '/' must be 0..32"] = { dst = "10.0.0.0/33" },
    ["dst: '10.0.0' is not an address"] = { dst = "10.0.0" },
    ["dst: prefix expected, got number"] = { dst = 10 },
    ["metric: integer expected, got string"] = { metric = "5" },
    ["metric: -1 is outside 0..4294967295"] = { metric = -1 },
    ["metric: 4294967296 is outside 0..4294967295"] = { metric = 1 << 32 },
    ["metric: integer expected, got 1.5"] = { metric = 1.5 },
    ["hoplimit: 300 is outside 0..255"] = { hoplimit = 300 },
    ["table: 'nowhere' is not a known word"] = { table = "nowhere" },
    ["type: 'unicats' is not a known word"] = { type = "unicats" },
    ["onlink: boolean expected, got number"] = { onlink = 1 },
    ["features: 'ecm' is not a known word"] = { features = { "ecm" } },
    ["congctl: 'a123456789012345' is longer than 15 bytes"] = { congctl = "a123456789012345" },
    ["realm: '5/x' is no realm like 5 or 7/5"] = { realm = "5/x" },
    ["via: 'fe80::1' is IPv6, the route is IPv4"] = { dst = "fd00::/8", via = "10.0.0.1" },
    ["src: 'fd00::1' is IPv6, IPv4 expected"] = { dst = "10.0.0.0/8", src = "fd00::1" },
    ["family: 4 or 6 expected, got 5"] = { family = 5 },
    [("dev: '%s' is no name of an interface: 1 to 127 bytes"):format(("n"):rep(128))] = {
      dev = ("n"):rep(128) },
    ["dev: '' is no name of an interface: 1 to 127 bytes"] = { dev = "" },
    ["offload: only the kernel sets this"] = { offload = true },
    ["a route has no field of type number"] = { "10.0.0.0/8" },
  } do
    if wanted:find "^via: 'fe80" then
      wanted = "via: '10.0.0.1' is IPv4, the route is IPv6"
    end
    it("throws " .. wanted, function() assert.are.equal(wanted, of("route", value)) end)
  end

  for wanted, case in pairs {
    ["peer.nmae: unknown field (did you mean 'name'?)"] = {
      "link", { type = "veth", peer = { nmae = "x" } } },
    ["peer: table expected, got string"] = { "link", { type = "veth", peer = "x" } },
    ["id: 70000 is outside 0..65535"] = { "link", { type = "vlan", id = 70000 } },
    ["hairpin: unknown field of a link"] = { "link", { type = "dummy", hairpin = true } },
    ["address: '02:00:00:00:00:zz' is not a hardware address"] = {
      "link", { address = "02:00:00:00:00:zz" } },
    ["group[2].weight: 65536 is outside 1..65535"] = {
      "nexthop", { group = { 1, { id = 2, weight = 65536 } } } },
    ["group[1].wieght: unknown field (did you mean 'weight'?)"] = {
      "nexthop", { group = { { id = 1, wieght = 2 } } } },
    ["group: a list expected, found other keys or a hole"] = {
      "nexthop", { group = { 1, nil, 3 } } },
    ["vlans: a list expected, found other keys or a hole"] = {
      "vlan", { vlans = { { vid = 1 }, x = 1 } } },
    ["congctl: a zero byte inside"] = { "route", { congctl = "reno\0x" } },
    ["dst: a zero byte inside"] = { "route", { dst = "default\0x" } },
    ["via: a zero byte inside"] = { "route", { via = "10.0.0.1\0" } },
    ["dev: a zero byte inside"] = { "route", { dev = "eth0\0x" } },
    ["table: a zero byte inside"] = { "route", { table = "main\0x" } },
    ["family: a zero byte inside"] = { "route", { family = "inet\0x" } },
    ["encap.type: a zero byte inside"] = { "route", { encap = { type = "mpls\0x" } } },
    ["features: a zero byte inside"] = { "route", { features = { "ecn\0x" } } },
    ["features: a list expected, found other keys or a hole"] = {
      "route", { features = { "ecn", ecn = true } } },
    ["nexthops: a list expected, found other keys or a hole"] = {
      "route", { nexthops = { { via = "10.0.0.1" }, nil, { via = "10.0.0.2" } } } },
    ["encap.segs: a list expected, found other keys or a hole"] = {
      "route", { encap = { type = "seg6", mode = "encap", segs = { "fc00::1", x = 1 } } } },
    ["type: a zero byte inside"] = { "link", { type = "veth\0x" } },
    ["group[1].id: missing"] = { "nexthop", { group = { {} } } },
    ["group[1]: id of a next hop expected, got 'x'"] = { "nexthop", { group = { "x" } } },
    ["valid_lft: integer expected, got string"] = {
      "addr", { address = "10.0.0.1/8", valid_lft = "soon" } },
    ["sport: '7-1' is not a range like 1-100"] = { "rule", { sport = "7-1" } },
    ["sport: '5 - 9' is not a range like 1-100"] = { "rule", { sport = "5 - 9" } },
    ["sport: '80,443' is not a range like 1-100"] = { "rule", { sport = "80,443" } },
    ["sport: '5.5' is not a range like 1-100"] = { "rule", { sport = 5.5 } },
    ["sport: '-5' is not a range like 1-100"] = { "rule", { sport = -5 } },
    ["realm: '7/ 5' is no realm like 5 or 7/5"] = { "route", { realm = "7/ 5" } },
    ["realm: '7/70000' is no realm like 5 or 7/5"] = { "route", { realm = "7/70000" } },
    ["dport: '1-70000' is not a range like 1-100"] = { "rule", { dport = "1-70000" } },
    ["state: 'OLD' is not a known word"] = { "neigh", { dst = "10.0.0.1", state = "OLD" } },
    ["mark: -1 is outside 0..4294967295"] = { "flow", { dst = "10.0.0.1", mark = -1 } },
  } do
    it("throws " .. wanted, function() assert.are.equal(wanted, of(table.unpack(case))) end)
  end
end)

describe("the length of a prefix", function()
  -- 010 is 8 for those that read it as octal, 10 for others
  for _, length in ipairs { "010", "00", "08", "024", "", "8x", "+8", "-1", "0x8", " 8", "1000" } do
    it(("is not '%s'"):format(length), function()
      for address, most in pairs { ["10.0.0.0"] = 32, ["fd00::"] = 128 } do
        local prefix <const> = address .. "/" .. length
        local wanted <const> = ("%s: '%s': the length after '/' must be 0..%d")
        for object, key in pairs { route = "dst", rule = "from", addr = "address" } do
          assert.equal(wanted:format(key, prefix, most), of(object, { [key] = prefix }))
        end
        assert.is_nil(rtnl.canonical({ dst = prefix, via = "10.0.0.1" }, true))
        assert.is_nil((ip.parse(prefix)))
      end
    end)
  end

  it("is any number there is", function()
    for address, most in pairs { ["10.0.0.0"] = 32, ["fd00::"] = 128 } do
      for length = 0, most do
        local prefix <const> = ("%s/%d"):format(address, length)
        assert(rtnl.view("route", { dst = prefix, dev = "lo" }))
        assert(rtnl.canonical({ dst = prefix, dev = "lo" }, true))
        assert.equal(length, ip.parse(prefix):length())
      end
    end
  end)
end)

describe("a wrong word", function()
  for wanted, case in pairs {
    ["'gatway' is not understood (did you mean 'via'?)"] = { "route",
      "10.0.0.0/8 gatway 1.2.3.4" },
    ["'lladr' is not understood (did you mean 'lladdr'?)"] = { "neigh", "10.0.0.1 lladr 02::" },
    ["'wia' is not understood (did you mean 'via'?)"] = { "route", "10.0.0.0/8 wia 1.2.3.4" },
    ["a value is missing behind 'via'"] = { "route", "10.0.0.0/8 via" },
    ["a value is missing behind 'metric'"] = { "route", "10.0.0.0/8 metric" },
    ["'x' is not a group like 1/2,5"] = { "nexthop", "id 1 group x" },
    ["'1/' is not a group like 1/2,5"] = { "nexthop", "id 1 group 1/" },
    ["'soon' is not a number"] = { "route", "10.0.0.0/8 dev a rtt soon" },
    ["'5parsec' is not a time"] = { "route", "10.0.0.0/8 dev a rtt 5parsec" },
    ["on or off is missing behind 'hairpin'"] = { "link", "dev a type bridge_slave hairpin" },
    ["'gre' is no encapsulation: one of mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm expected"]
      = {
      "route", "10.0.0.0/8 encap gre 5 dev a" },
    ["a zero byte behind '10.0.0.0/8'"] = { "route", "10.0.0.0/8\0 dev a" },
  } do
    it("is answered: " .. wanted, function()
      local value <const>, message <const> = rtnl.parse(table.unpack(case))
      assert.is_nil(value)
      assert.are.equal(wanted, message)
    end)
  end

  it("of any length is answered", function()
    local value <const>, message <const> = rtnl.parse("route", ("x"):rep(100000))
    assert.is_nil(value)
    assert(message:find "is too long for a word")
    assert(rtnl.parse("route", "10.0.0.0/8 " .. ("nexthop via 10.0.0.1 "):rep(5000)))
    assert(rtnl.parse("route", ""))
  end)

  it("that begins a part within a part is answered where there are too many", function()
    local function pairs_in_pairs(n) return "x " .. ("type veth peer "):rep(n) .. "y" end
    assert.are.equal("y", rtnl.parse("link", "x type veth peer y").peer.name)
    for _, n in ipairs { 8, 9, 20000 } do
      local value <const>, message <const> = rtnl.parse("link", pairs_in_pairs(n))
      assert.is_nil(value)
      assert.are.equal("'peer' is nested too deeply", message)
    end
    assert(rtnl.parse("link", pairs_in_pairs(7)))
  end)
end)

describe("a view", function()
  local view <const> = rtnl.view("route", { dst = "10.9.0.0/16", via = "10.0.0.1", mtu = 1400 })

  it("throws for a field that no route has", function()
    assert.are.equal("gatway: unknown field of a route (did you mean 'via'?)",
      thrown(function() return view.gatway end))
  end)

  it("is text with others in a list, which holds nothing else", function()
    local other <const> = rtnl.view("route", { dst = "10.8.0.0/16", via = "10.0.0.1", table = 9 })
    assert.are.equal("10.9.0.0/16 via 10.0.0.1 mtu 1400\n10.8.0.0/16 via 10.0.0.1 table 9",
      rtnl.text { view, other })
    assert.are.equal("", rtnl.text {})
    assert(thrown(function() rtnl.text { view, {} } end):find "views expected, found table at 2")
    assert(thrown(function() rtnl.text(view) end):find "table expected")
  end)

  it("is no prototype", function()
    local other <const> = setmetatable({}, getmetatable(view))
    assert.has_error(function() return other.dst end)
    assert.has_error(function() return tostring(other) end)
    assert.has_error(function() return #pairs(other) end)
  end)

  it("is read-only", function()
    assert(thrown(function() view.mtu = 5 end):find "read%-only")
  end)

  it("throws for a key that is neither a string nor a number, whatever it is a view of", function()
    for object, value in pairs {
      route = { dst = "10.9.0.0/16" }, link = { name = "v0", type = "veth" },
      addr = { address = "10.0.0.1/8", dev = "lo" }, rule = { table = 5 },
      neigh = { dst = "10.0.0.1", dev = "lo" }, nexthop = { id = 5, blackhole = true },
    } do
      local one <const> = rtnl.view(object, value)
      for _, key in ipairs { true, print, {}, one } do
        assert.match("is named by a string, not by a " .. type(key),
          thrown(function() return one[key] end))
      end
    end
  end)

  it("has nil for a field that it lacks, and its fields in order", function()
    assert.is_nil(view.metric)
    for _, key in ipairs { 1, 0.5 } do assert.is_nil(view[key]) end
    local keys <const> = {}
    for key in pairs(view) do keys[#keys + 1] = key end
    assert.are.same({ "family", "dst", "via", "scope", "mtu" }, keys)
  end)

  it("is equal to another by its fields, and copied with changes", function()
    local same <const> = rtnl.view("route", { mtu = 1400, via = "10.0.0.1", dst = "10.9.0.0/16" })
    assert.are.equal(view, same)
    assert.are_not.equal(view, rtnl.view("route", view:copy { mtu = 1401 }))
    assert.are.same({ "10.9.0.0/16", 50 }, { view:copy({ metric = 50 }).dst,
      view:copy({ metric = 50 }).metric })
  end)
end)

describe("a request in iproute2's words", function()
  local function said(route)
    return rtnl.view("route", route, true):text { request = true, line = true }
  end

  it("says what was asked, and nothing that goes without saying", function()
    local dst <const> = "10.9.0.0/16"
    for text, route in pairs {
      ["via 10.0.0.1"] = { via = "10.0.0.1" },
      ["via 10.0.0.2 metric 5"] = { nexthops = { { via = "10.0.0.2" } }, metric = 5 },
      ["nexthop via 10.0.0.3 weight 4"] = { nexthops = { { via = "10.0.0.3", weight = 4 } } },
      ["nexthop via 10.0.0.4 nexthop via 10.0.0.5 weight 2"] = {
        nexthops = { { via = "10.0.0.4" }, { via = "10.0.0.5", weight = 2 } } },
    } do
      route.dst = dst
      assert.equal(dst .. " " .. text, said(route))
    end
  end)
end)
