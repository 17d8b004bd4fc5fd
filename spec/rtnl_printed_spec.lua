--- What ip prints of links, addresses and rules is understood, as what is typed is.
local rtnl <const> = require "ecmp.rtnl"
local scratch <const> = require "spec.scratch"

local MADE <const> = [[
link add br0 type bridge mcast_router 2
link set p2 master br0
link set p2 type bridge_slave group_fwd_mask 12 hairpin on
link set v2 alias hello up
link property add dev v2 altname other
link set v2 txqueuelen 77 group 5 mtu 1400 promisc on arp off
link add vx1 type vxlan id 8 dstport 4790 group 239.1.1.1 dev v1 ttl inherit srcport 7 9 nolearning
link add vx2 type vxlan id 9 dstport 4791 noudpcsum ageing none tos inherit df set maxaddress 5
link add mv1 link v1 type macvlan mode bridge bcqueuelen 8
link add ifb9 type ifb
addr add 10.9.0.1 peer 10.9.0.2/32 dev v1
addr add 10.9.1.1/24 dev v1 label v1:x scope link metric 7
addr add 10.9.2.2/24 brd + dev v1 valid_lft 1000 preferred_lft 500 noprefixroute
addr add fd01::1/64 dev v1 home nodad noprefixroute
addr add fd01::3 peer fd01::4/128 dev v1 nodad
rule add l3mdev pref 1000
rule add from 10.7.0.0/16 nop pref 1001
]]

-- An object a line: what is indented belongs to the line before.
local function objects(text)
  local list <const> = {}
  for line in text:gmatch "[^\n]+" do
    if line:find "^%s" and #list > 0 then
      list[#list] = list[#list] .. "\n" .. line
    else
      list[#list + 1] = line
    end
  end
  return list
end

describe("what ip prints #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(2)
    nl = space.nl
    space:batch(MADE, "-force")
  end)

  teardown(function() space:close() end)

  for command, object in pairs {
    ["link show"] = "link", ["-d link show"] = "link", ["-o link show"] = "link",
    ["-o -d link show"] = "link", ["-o addr show"] = "addr", ["-d rule show"] = "rule",
  } do
    it("as ip " .. command .. " is understood", function()
      local list <const> = objects(space:ip(command))
      assert.is_true(#list > 3)
      for _, text in ipairs(list) do rtnl.check(object, assert(rtnl.parse(object, text))) end
    end)
  end

  it("of a link is the link", function()
    local text <const> = objects(space:ip "-d link show dev v2")[1]
    local link <const> = assert(rtnl.parse("link", text))
    local view <const> = nl.link:get { dev = "v2" }
    for _, key in ipairs { "name", "mtu", "txqueuelen", "group", "alias", "address", "up",
      "promisc", "noarp", "type", "numtxqueues" } do
      assert.are.equal(view[key] or false, link[key], key)
    end
  end)

  it("of links makes links", function()
    for _, name in ipairs { "vx1", "vx2", "mv1", "ifb9" } do
      local view <const> = nl.link:get { dev = name }
      if view then -- some kernels lack a kind
        local before <const> = space:show("-d link show dev " .. name)
        assert(nl.link:del(view))
        assert(nl.link:add((before:gsub("^%d+", "7"))))
        local after <const> = space:show("-d link show dev " .. name)
        assert.are.equal(before:gsub("^%d+", "7"), (after:gsub("^%d+", "7")))
      end
    end
  end)

  it("of addresses makes addresses", function()
    local function all() return (space:show "addr show dev v1":gsub("_lft %d+sec", "_lft Nsec")) end
    local before <const> = all()
    for _, text in ipairs(objects(space:ip "-o addr show dev v1")) do
      if not text:find "fe80" then
        assert(nl.addr:del((rtnl.parse("addr", text))))
        assert(nl.addr:add(text))
      end
    end
    local function sorted(text)
      local list <const> = {}
      for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
      table.sort(list)
      return list
    end
    assert.are.same(sorted(before), sorted(all()))
  end)

  it("of one address names its interface by the label", function()
    local view <const> = nl.addr:list { address = "10.9.1.1/24" }[1]
    local addr <const> = assert(rtnl.parse("addr", tostring(view)))
    assert.are.same({ "10.9.1.1/24", "v1", "v1:x", "link", 7 },
      { addr.address, addr.dev, addr.label, addr.scope, addr.metric })
  end)
end)

describe("a copy of a link #netns", function()
  it("makes such a link", function()
    local space <close> = scratch.new(1)
    local nl <const> = space.nl
    space:batch([[
link add a0 type ifb
link add a1 type vxlan id 8 dstport 4790 ttl inherit external
link add a2 link v1 type macvlan mode private
]], "-force")
    for link in nl.link:each() do
      if link.name:find "^a" then
        local copy <const> = link:copy()
        assert(nl.link:del(link))
        assert(nl.link:add(copy))
      end
    end
  end)
end)
