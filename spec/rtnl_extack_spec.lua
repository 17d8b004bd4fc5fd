--- What the kernel says when it refuses, turned back into fields; read from bytes.
local rtnl = require "ecmp.rtnl"

local NLMSG_ERROR <const>, NLMSG_DONE <const> = 2, 3
local TLVS <const>, CAPPED <const> = 0x200, 0x100
local MSG <const>, OFFS <const>, MISS_TYPE <const>, MISS_NEST <const> = 1, 2, 5, 6

local function attr(number, payload)
  local size <const> = 4 + #payload
  return string.pack("<I2I2", size, number) .. payload .. ("\0"):rep(-size % 4)
end

local function u32(n) return string.pack("<I4", n) end

-- An answer to a request; what is left out of `options` is as the kernel mostly has it.
local function reply(errno, tlvs, options)
  options = options or {}
  local body = string.pack("<i4", -errno)
  if (options.type or NLMSG_ERROR) == NLMSG_ERROR then
    body = body .. string.pack("<I4I2I2I4I4", options.inner or 16, 24, 5, 1, 2)
      .. (options.echoed or "")
  end
  body = body .. tlvs
  return string.pack("<I4I2I2I4I4", 16 + #body, options.type or NLMSG_ERROR,
    options.flags or TLVS | CAPPED, 1, 2) .. body
end

local function bytes(object, value) return rtnl.view(object, value, true):bytes() end

-- Where an attribute's payload, given as bytes, begins in a request, counted as the kernel does.
local function offset_of(request, payload)
  return 16 + assert(request:find(payload, 1, true)) - 1
end

local ROUTE <const> = { dst = "10.9.0.0/16", mtu = 1400, advmss = 1300, nexthops = {
  { via = "10.0.0.1", dev = "v1" }, { via = "10.0.0.2", dev = "v2" } } }

describe("a refusal", function()
  it("is the request in words, the kernel's sentence and the code", function()
    local request <const> = bytes("route", { dst = "10.9.0.0/16", via = "10.0.0.1" })
    local ok <const>, message <const>, code <const> =
      rtnl.explain("route", request, reply(22, attr(MSG, "Nexthop has invalid gateway\0")))
    assert.is_nil(ok)
    assert.are.equal(
      "route add 10.9.0.0/16 via 10.0.0.1: Nexthop has invalid gateway (EINVAL)", message)
    assert.are.equal("EINVAL", code)
  end)

  it("has the C library's words where the kernel says none", function()
    local request <const> = bytes("route", { dst = "10.9.0.0/16", via = "10.0.0.1" })
    local _, message <const> = rtnl.explain("route", request, reply(17, "", { flags = CAPPED }))
    assert.are.equal("route add 10.9.0.0/16 via 10.0.0.1: File exists (EEXIST)", message)
  end)

  it("names the field an offset points at, inside metrics and next hops too", function()
    local request <const> = bytes("route", ROUTE)
    for payload, path in pairs {
      ["\10\9\0\0"] = "dst", [u32(1400)] = "mtu", [u32(1300)] = "advmss",
      ["\10\0\0\1"] = "nexthops[1].via", ["\10\0\0\2"] = "nexthops[2].via",
    } do
      for _, back in ipairs { 0, 4 } do -- the payload, or its attribute's header
        local tlvs <const> = attr(MSG, "bad\0") .. attr(OFFS, u32(offset_of(request,
          payload) - back))
        local _, message <const> = rtnl.explain("route", request, reply(34, tlvs))
        assert(message:find(": " .. path .. ": bad (ERANGE)", 1, true), path .. " not in "
          .. message)
      end
    end
  end)

  it("names fields inside encapsulations, kinds of links and the far end of a veth", function()
    local seg6 <const> = bytes("route", { dst = "fd01::/16", encap = { type = "ip6",
      dst = "fd09::1" } })
    local _, message = rtnl.explain("route", seg6,
      reply(22, attr(OFFS, u32(offset_of(seg6, "\xfd\x09" .. ("\0"):rep(13) .. "\1")))))
    assert(message:find(": encap.dst: Invalid argument", 1, true), message)
    local vlan <const> = bytes("link", { name = "l1", type = "vlan", link = "v1", id = 0x1234 })
    _, message = rtnl.explain("link", vlan, reply(22, attr(OFFS, u32(offset_of(vlan, "\x34\x12")))))
    assert(message:find(": id: Invalid argument", 1, true), message)
    local veth <const> = bytes("link", { name = "v1", type = "veth", peer = { name = "faraway" } })
    _, message = rtnl.explain("link", veth, reply(17, attr(OFFS, u32(offset_of(veth, "faraway")))))
    assert(message:find(": peer.name: File exists", 1, true), message)
  end)

  it("names the attribute that is missing, in a nest too", function()
    local request <const> = bytes("route", ROUTE)
    local _, message = rtnl.explain("route", request, reply(22, attr(MISS_TYPE, u32(4))))
    assert(message:find(": dev: missing (EINVAL)", 1, true), message)
    local nest <const> = offset_of(request, u32(1400)) - 8 -- RTA_METRICS
    _, message = rtnl.explain("route", request,
      reply(22, attr(MSG, "no metric\0") .. attr(MISS_TYPE, u32(10)) .. attr(MISS_NEST, u32(nest))))
    assert(message:find(": hoplimit: no metric (EINVAL)", 1, true), message)
    _, message = rtnl.explain("route", request, reply(22, attr(MISS_TYPE, u32(99))))
    assert(message:find(": attribute 99: missing (EINVAL)", 1, true), message)
  end)

  it("of a dump stands in the message that ends it", function()
    local request <const> = bytes("route", { table = 77 })
    local _, message <const>, code <const> = rtnl.explain("route", request,
      reply(2, attr(MSG, "ipv4: FIB table does not exist\0"), { type = NLMSG_DONE, flags = TLVS }))
    assert(message:find("ipv4: FIB table does not exist (ENOENT)", 1, true))
    assert.are.equal("ENOENT", code)
  end)

  it("is found behind the echoed request", function()
    local request <const> = bytes("route", { dst = "10.9.0.0/16", via = "10.0.0.1" })
    local _, message <const> = rtnl.explain("route", request, reply(22, attr(MSG, "behind\0"),
      { flags = TLVS, echoed = request, inner = 16 + #request }))
    assert(message:find(": behind (EINVAL)", 1, true), message)
  end)

  it("with lengths that lie is still an answer", function()
    local request <const> = bytes("route", ROUTE)
    for _, tlvs in ipairs { "\0", "\3\0\1\0", "\0\0\0\0", "\xff\xff\1\0text", "\4\0\1\0",
                            attr(OFFS, "\1"), attr(MISS_TYPE, ""), attr(MSG, ""),
                            attr(MSG, "no end") } do
      for _, inner in ipairs { 0, 16, 17, 1000, 0xfffffff0, 0xffffffff } do
        for _, flags in ipairs { TLVS, TLVS | CAPPED, 0 } do
          local answer <const> = reply(22, tlvs, { flags = flags, inner = inner })
          local _, message <const>, code <const> = rtnl.explain("route", request, answer)
          assert.are.equal("EINVAL", code)
          assert(message:find("^route add 10.9.0.0/16 mtu 1400"), message)
        end
      end
    end
  end)

  it("with an offset anywhere names a field or none", function()
    local request <const> = bytes("route", ROUTE)
    for offset = 0, #request + 40 do
      local _, message <const> = rtnl.explain("route", request, reply(22, attr(OFFS, u32(offset))))
      assert(message:find "%(EINVAL%)$")
    end
    rtnl.explain("route", request, reply(22, attr(OFFS, u32(0xffffffff))))
  end)

  it("of a number that no error has is refused as a bad message", function()
    local request <const> = bytes("route", ROUTE)
    local answer <const> = reply(0, "")
    local lowest <const> = answer:sub(1, 16) .. "\0\0\0\x80" .. answer:sub(21)
    local _, _, code <const> = rtnl.explain("route", request, lowest)
    assert.are.equal("EBADMSG", code)
  end)

  it("cut short is a wrong call", function()
    local request <const> = bytes("route", ROUTE)
    for _, answer in ipairs { "", ("\0"):rep(16), "\20\0\0\0" .. ("\0"):rep(12), reply(22,
      ""):sub(1, 30) } do
      assert.is_false(pcall(rtnl.explain, "route", request, answer))
    end
  end)
end)
