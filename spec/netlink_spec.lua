--- Messages that are not the kernel's: whoever may send in a namespace makes no handle there believe
--- anything.
local helper = require "spec.helper"
local nft = require "ecmp.netfilter.nft"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local ROUTE <const>, NETFILTER <const> = 0, 12

describe("a message that another process sent #netns", function()
  local dir, program, space, nl

  lazy_setup(function()
    dir = helper.directory()
    program = dir .. "/forge"
    local built <const> = assert(sys.spawn { stderr = "capture", timeout = 60, argv = {
      os.getenv "CC" or "cc", "-O1", "-o", program, "spec/forge.c" } })
    assert(built.status == 0, built.stderr)
  end)

  lazy_teardown(function() helper.remove(dir) end)

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  local function hex(bytes)
    return (bytes:gsub(".", function(one) return ("%02x"):format(one:byte()) end))
  end

  -- A message; the program gives it its sequence number.
  local function message(kind, flags, payload)
    return ("=I4I2I2I4I4"):pack(16 + #payload, kind, flags, 0, 0) .. payload
  end

  local function forge(protocol, to, bytes)
    local netns <const> = protocol == ROUTE and space.path or nil
    local done <const> = assert(sys.spawn { netns = netns, timeout = 20, stderr = "capture",
      argv = { program, tostring(protocol), tostring(to.port or 0), tostring(to.groups or 0), "1",
        "64", hex(bytes) } })
    assert(done.status == 0, done.stderr)
    return tonumber(done.stdout)
  end

  -- Ports of the sockets of a protocol in a namespace, as anybody reads them there.
  local function ports(protocol)
    local netns <const> = protocol == ROUTE and space.path or nil
    local done <const> = assert(sys.spawn { netns = netns, timeout = 20,
      argv = { "cat", "/proc/self/net/netlink" } })
    local list <const> = {}
    for kind, port in done.stdout:gmatch "\n%x+%s+(%d+)%s+(%d+)" do
      if tonumber(kind) == protocol and port ~= "0" then list[#list + 1] = port end
    end
    assert(#list > 0)
    return list
  end

  local function forge_to_all(protocol, bytes)
    for _, port in ipairs(ports(protocol)) do forge(protocol, { port = port }, bytes) end
  end

  local ACK <const> = message(2, 0x100, ("=i4I4I2I2I4I4"):pack(0, 36, 24, 5, 0, 0))
  local DONE <const> = message(3, 2, ("=i4"):pack(0))
  -- 6.6.6.0/24 dev lo
  local PHANTOM <const> = message(24, 2, ("=BBBBBBBBI4"):pack(2, 24, 0, 0, 254, 3, 0, 1, 0)
    .. ("=I2I2BBBB"):pack(8, 1, 6, 6, 6, 0) .. ("=I2I2I4"):pack(8, 4, 1))

  it("acknowledges no change", function()
    forge_to_all(ROUTE, ACK)
    for _ = 1, 3 do
      assert(not nl.route:add { dst = "10.9.0.0/16", via = "10.99.0.1" })
    end
    assert(nl.route:add { dst = "10.9.0.0/16", via = "10.0.1.2" })
    assert.equal(1, #nl.route:list { dst = "10.9.0.0/16" })
  end)

  it("is not listed, nor does it end a list", function()
    forge_to_all(ROUTE, PHANTOM .. DONE)
    for _ = 1, 3 do
      assert.equal(0, #nl.route:list { dst = "6.6.6.0/24" })
      assert(#nl.route:list { family = 4 } > 0)
    end
  end)

  it("answers no batch", function()
    forge_to_all(ROUTE, ACK)
    local results <const> = nl:batch { { "route add", { dst = "10.9.0.0/16", via = "10.99.0.1" } } }
    assert.equal("ENETUNREACH", results[1].code)
  end)

  it("is no event", function()
    local monitor <close> = nl:monitor({ "route" }, { timeout = 0.2 })
    assert.equal(64, forge(ROUTE, { groups = 1 << 6 }, PHANTOM)) -- RTMGRP_IPV4_ROUTE
    assert.is_nil((monitor()))
    assert(nl.route:add { dst = "10.9.0.0/16", via = "10.0.1.2" })
    assert.equal("10.9.0.0/16", monitor().value.dst)
  end)

  it("is not received by a handle of another protocol", function()
    local filter <close> = assert(nft.open())
    local before <const> = filter.sequence
    for _, port in ipairs(ports(NETFILTER)) do forge(NETFILTER, { port = port }, ACK) end
    local _, why, code = filter.handle:receive(0)
    assert.equal("ETIMEDOUT", code, why)
    local of <const> = nft.table("inet", "forged")
    assert.same({}, filter:rules(of))
    local _, _, refused = filter:commit { of:del() }
    assert.equal("ENOENT", refused)
    assert(filter.sequence > before)
  end)

  it("has to guess where the numbers of a handle begin", function()
    local one <close> = assert(nft.open())
    local two <close> = assert(nft.open())
    assert.not_equal(one.sequence, two.sequence)
  end)
end)
