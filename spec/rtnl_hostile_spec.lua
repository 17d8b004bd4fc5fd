--- Messages that lie about their lengths are read to their end and no further; under the address
--- sanitizer (`make asan`) a byte too far ends the run.
local rtnl = require "ecmp.rtnl"
local random = require "spec.random_route"
local sys = require "ecmp.sys"

local OBJECTS <const> = { route = "route", encap = "route", flow = "flow", nexthop = "nexthop",
                          bucket = "bucket", link = "link", addr = "addr", rule = "rule",
                          neigh = "neigh", vlan = "vlan" }

local messages <const> = {}
for name, hex in assert(sys.read "spec/golden/cases.hex"):gmatch "([^\t\n]+)\t(%x+)\n" do
  messages[#messages + 1] = {
    name = name, object = OBJECTS[name:match "^%a+"],
    bytes = hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end),
  }
end
table.sort(messages, function(a, b) return a.name < b.name end)

-- Every way to look at a view. What it says is given back too: that may be refused, but only as a
-- wrong call is.
local function look(object, bytes)
  local view <const>, message <const> = rtnl.decode(object, bytes)
  if not view then
    assert(message:find "bytes are no")
    return false
  end
  assert(type(tostring(view)) == "string" and type(view:text { details = true }) == "string")
  assert(type(view:text { table = true, line = true }) == "string")
  local fields = 0
  for key, value in pairs(view) do
    assert(value ~= nil and type(key) == "string")
    fields = fields + 1
  end
  assert(view == rtnl.decode(object, bytes))
  assert(view:bytes() == bytes)
  pcall(rtnl.view, object, view:copy(), true)
  return fields
end

describe("a message", function()
  it("cut short anywhere is read as far as it is whole", function()
    for _, message in ipairs(messages) do
      local most <const> = look(message.object, message.bytes)
      for length = 0, #message.bytes - 1 do
        local fields <const> = look(message.object, message.bytes:sub(1, length))
        assert(not fields or fields <= most + 1, message.name)
      end
    end
  end)

  it("with any length overstated or understated is read within its bounds", function()
    for _, message in ipairs(messages) do
      local bytes <const> = message.bytes
      for at = 1, #bytes - 1, 2 do
        for _, lie in ipairs { "\0\0", "\1\0", "\3\0", "\4\0", "\5\0", "\xff\xff", "\xfc\x7f" } do
          look(message.object, bytes:sub(1, at - 1) .. lie .. bytes:sub(at + 2))
        end
      end
    end
  end)

  it("with random bytes changed is read within its bounds", function()
    local seed <const> = random.seed()
    local source <const> = random.source(seed)
    for _ = 1, 4000 do
      local message <const> = source:pick(messages)
      local bytes <const> = { message.bytes:byte(1, -1) }
      for _ = 1, source:number(1, 6) do
        bytes[source:number(1, #bytes)] = source:number(0, 255)
      end
      local ok <const>, why <const> = pcall(look, message.object, string.char(table.unpack(bytes)))
      assert(ok, ("%s, seed %d"):format(why, seed))
    end
  end)

  it("with bytes of another object is read within its bounds", function()
    for _, message in ipairs(messages) do
      for _, object in pairs(OBJECTS) do look(object, message.bytes) end
    end
  end)

  it("that nests without end is read to a depth no message has", function()
    -- a veth whose peer is a veth whose peer ...
    local bytes = ""
    while #bytes < 60000 do
      local data <const> = string.pack("<I2I2", #bytes + 4, 1) .. bytes -- VETH_INFO_PEER
      local info <const> = string.pack("<I2I2z", 9, 1, "veth") .. "\0\0\0"
        .. string.pack("<I2I2", #data + 4, 2) .. data
      bytes = ("\0"):rep(16) .. string.pack("<I2I2", #info + 4, 18) .. info -- IFLA_LINKINFO
    end
    local view <const> = assert(rtnl.decode("link", bytes))
    local depth, link = 0, view:copy()
    while link do
      depth, link = depth + 1, link.peer
    end
    assert.is_true(depth > 1 and depth < 32)
    assert.are.equal("string", type(view:text { details = true }))
  end)

  it("that is large is read in full", function()
    local hop <const> = string.pack("<I2BBi4I2I2c4", 16, 0, 0, 7, 8, 5, "\10\0\0\1")
    local bytes <const> = "\2\16\0\0\254\4\0\1\0\0\0\0" .. string.pack("<I2I2", 4 + 4095 * 16, 9)
      .. hop:rep(4095)
    local view <const> = assert(rtnl.decode("route", bytes))
    assert.are.equal(4095, #view.nexthops)
    assert.are.equal("10.0.0.1", view.nexthops[4095].via)
  end)

  it("is refused below the size of its header", function()
    local view <const>, why <const> = rtnl.decode("route", "\2\0\0")
    assert.is_nil(view)
    assert.are.equal("3 bytes are no route: its header takes 12", why)
  end)
end)
