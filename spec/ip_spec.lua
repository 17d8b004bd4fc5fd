local ip = require "ecmp.ip"

-- A second opinion, as simple as it gets: an address is a list of bytes, the first the highest.
local big = {}

function big.of(text) return { text:byte(1, -1) } end

function big.text(bytes) return string.char(table.unpack(bytes)) end

--- Adds `n` to a number in base 256; nil when it leaves the range.
function big.add(bytes, n)
  local sum = table.move(bytes, 1, #bytes, 1, {})
  for i = #sum, 1, -1 do
    local digit = sum[i] + n
    sum[i] = digit % 256
    n = digit // 256
  end
  return n == 0 and sum or nil
end

function big.compare(a, b)
  for i = 1, #a do
    if a[i] ~= b[i] then return a[i] < b[i] and -1 or 1 end
  end
  return 0
end

--- Sets every bit behind `length` to `bit`.
function big.fill(bytes, length, bit)
  local filled = {}
  for i, byte in ipairs(bytes) do
    local keep = math.max(0, math.min(8, length - (i - 1) * 8))
    local hosts = (1 << (8 - keep)) - 1
    filled[i] = bit == 1 and byte | hosts or byte & ~hosts
  end
  return filled
end

--- RFC 5952 by its own words, over text.
function big.canonical(bytes)
  if #bytes == 4 then return table.concat(bytes, ".") end
  local groups = {}
  for i = 1, 16, 2 do groups[#groups + 1] = ("%x"):format(bytes[i] << 8 | bytes[i + 1]) end
  local text = ":" .. table.concat(groups, ":") .. ":"
  for run = 8, 2, -1 do
    local first = text:find(":" .. ("0:"):rep(run), 1, true)
    if first then
      text = text:sub(1, first) .. ":" .. text:sub(first + 2 * run + 1)
      return (text:gsub("^:([^:])", "%1"):gsub("([^:]):$", "%1"))
    end
  end
  return text:sub(2, -2)
end

--- A random address with long runs of zeros and ones, where carries and gaps happen.
local function random_bytes(family)
  local bytes = {}
  local plain = { 0, 0, 255, false }
  for i = 1, family == 4 and 4 or 16 do
    bytes[i] = plain[math.random(#plain)] or math.random(0, 255)
  end
  -- ::ffff:0:0/96 is IPv4
  if family == 6 and big.canonical(bytes):find "^::ffff:" then bytes[1] = 32 end
  return bytes
end

local function written(bytes)
  if #bytes == 4 then return table.concat(bytes, ".") end
  local groups = {}
  for i = 1, 16, 2 do
    local form = math.random(2) == 1 and "%x" or "%04X"
    groups[#groups + 1] = form:format(bytes[i] << 8 | bytes[i + 1])
  end
  return table.concat(groups, ":")
end

local function family_of(bytes) return #bytes == 4 and 4 or 6 end
local function width_of(bytes) return #bytes * 8 end

describe("ecmp.ip", function()
  local seed <const> = os.time()

  --- Runs a property over random addresses of both families; a failure names the seed.
  local function for_random(count, property)
    math.randomseed(seed)
    for i = 1, count do
      local bytes = random_bytes(i % 2 == 0 and 4 or 6)
      local ok, message = pcall(property, bytes, math.random(0, width_of(bytes)))
      assert(ok, ("seed %d, %s: %s"):format(seed, big.canonical(bytes), tostring(message)))
    end
  end

  describe("parse", function()
    it("reads what is written, and prints it canonically", function()
      for text, wanted in pairs {
        ["10.0.0.9/24"] = "10.0.0.9/24", ["0.0.0.0"] = "0.0.0.0", ["0.0.0.0/0"] = "0.0.0.0/0",
        ["255.255.255.255/32"] = "255.255.255.255/32", ["::"] = "::", ["::/0"] = "::/0",
        ["::1"] = "::1", ["1::"] = "1::", ["2001:DB8::1/64"] = "2001:db8::1/64",
        ["1:0:0:2:0:0:0:3"] = "1:0:0:2::3", ["1:0:0:2:3:0:0:4"] = "1::2:3:0:0:4",
        ["1:2:3:4:5:6:7::"] = "1:2:3:4:5:6:7:0", ["::2:3:4:5:6:7:8"] = "0:2:3:4:5:6:7:8",
        ["1:0:3:4:5:6:7:8"] = "1:0:3:4:5:6:7:8", ["0001:00:0:0::0001"] = "1::1",
        ["::1.2.3.4"] = "::102:304", ["64:ff9b::192.0.2.33"] = "64:ff9b::c000:221",
        ["1:2:3:4:5:6:1.2.3.4/128"] = "1:2:3:4:5:6:102:304/128",
        ["FE80::ABCD"] = "fe80::abcd", ["0:0:0:0:0:0:0:0"] = "::",
      } do
        assert.equal(wanted, tostring(assert(ip.parse(text))), text)
        assert.equal(wanted, ip.canonical(text))
      end
    end)

    it("takes IPv4 in IPv6 dress for IPv4", function()
      for text, wanted in pairs {
        ["::ffff:10.0.0.9/120"] = "10.0.0.9/24", ["::ffff:a00:9"] = "10.0.0.9",
        ["0:0:0:0:0:FFFF:10.0.0.9"] = "10.0.0.9", ["::ffff:0:0/96"] = "0.0.0.0/0",
      } do
        assert.equal(wanted, ip.canonical(text))
        assert.equal(4, ip.parse(text):family())
      end
      assert.is_nil((ip.parse "::ffff:10.0.0.9/95"))
      assert.equal(6, ip.parse("::fffe:10.0.0.9"):family())
    end)

    it("refuses everything else with a reason", function()
      for text, reason in pairs {
        [""] = "four numbers", [" "] = "four numbers", ["x"] = "four numbers",
        ["10.0.0"] = "four numbers", ["10.0.0.0.1"] = "four numbers",
        ["10.0.0.256"] = "up to 255", ["10.0.0.99999999999999999999"] = "up to 255",
        ["010.0.0.1"] = "leading zero", ["10.0.0.00"] = "leading zero", ["10.0.0.-1"] = "number",
        ["+10.0.0.1"] = "four numbers", [" 10.0.0.1"] = "four numbers",
        ["10.0.0.1 "] = "four numbers", ["10.0.0.1\n"] = "four numbers",
        ["10.0.0.1/"] = "bad prefix length", ["10.0.0.1/33"] = "bad prefix length",
        ["10.0.0.1/08"] = "bad prefix length", ["10.0.0.1/-1"] = "bad prefix length",
        ["10.0.0.1/24/24"] = "bad prefix length", ["10.0.0.1/ 24"] = "bad prefix length",
        ["10.0.0.1/255.0.0.0"] = "bad prefix length", ["0x0a.0.0.1"] = "four numbers",
        ["::/129"] = "bad prefix length", [":"] = "eight groups", [":1"] = "eight groups",
        ["1:"] = "eight groups", ["1:/64"] = "eight groups",
        [":::"] = "eight groups", ["1:::2"] = "eight groups", ["::1::"] = "eight groups",
        ["1:2:3:4:5:6:7"] = "eight groups", ["1:2:3:4:5:6:7:8:9"] = "eight groups",
        ["1::2:3:4:5:6:7:8"] = "eight groups", ["::1:2:3:4:5:6:7:8"] = "eight groups",
        ["12345::"] = "eight groups", ["g::"] = "eight groups",
        ["1:2:3:4:5:6:7:1.2.3.4"] = "eight groups", ["::1.2.3"] = "eight groups",
        ["::01.2.3.4"] = "eight groups", ["::1.2.3.4:5"] = "eight groups",
        ["fe80::1%eth0"] = "zone", ["fe80::%1/64"] = "zone", ["::1 "] = "eight groups",
        ["[::1]"] = "eight groups", ["default"] = "four numbers",
      } do
        local value, message = ip.parse(text)
        assert.is_nil(value, text)
        assert.truthy(message:find('^not an IP address: "'), message)
        assert.truthy(message:find(reason, 1, true), text .. " -> " .. message)
        assert.same({ nil, message }, { ip.canonical(text) })
        assert.same({ nil, message }, { ip.mask(text) })
      end
    end)

    it("refuses NUL bytes and books without quoting them", function()
      for _, text in ipairs {
        "10.0.0.1\0", "10.0.0.1\0/24", "::1\0", ("1"):rep(1e6), ("1:"):rep(1e5),
      } do
        local value, message = ip.parse(text)
        assert.is_nil(value)
        assert.truthy(#message < 120, #message)
      end
    end)

    it("never takes or crashes on rubbish that a slower reader would not take", function()
      math.randomseed(seed)
      local letters = { ":", ":", "::", ".", "/", "0", "1", "f", "ff", "255", "64", "%", "1.2.3.4" }
      local taken = 0
      for _ = 1, 20000 do
        local parts = {}
        for i = 1, math.random(12) do parts[i] = letters[math.random(#letters)] end
        local text = table.concat(parts)
        local value = ip.parse(text)
        if value then
          taken = taken + 1
          assert.truthy(value == ip.parse(tostring(value)), text)
        end
      end
      assert.truthy(taken > 100)
    end)

    it("is a wrong call for what is no text", function()
      for _, bad in ipairs { 1, true, {}, print } do
        local ok, message = pcall(function() ip.parse(bad) end)
        assert.is_false(ok)
        assert.truthy(message:find("ip_spec.lua:", 1, true), message)
      end
      assert.has_error(function() ip.parse() end)
    end)

    it("gives a value back as it is", function()
      local value = ip.parse "10.0.0.9/24"
      assert.equal(value, ip.parse(value))
    end)
  end)

  it("agrees with the second opinion about every address", function()
    for_random(4000, function(bytes, length)
      local value = assert(ip.parse(written(bytes)))
      assert(value:bytes() == big.text(bytes))
      assert(tostring(value) == big.canonical(bytes), tostring(value))
      assert(value:family() == family_of(bytes))
      assert(value:length() == width_of(bytes) and value:is_address())
      local prefix = assert(ip.parse(written(bytes) .. "/" .. length))
      assert(tostring(prefix) == big.canonical(bytes) .. "/" .. length)
      assert(prefix:length() == length and not prefix:is_address())
      assert(tostring(prefix:address()) == big.canonical(bytes))
    end)
  end)

  it("agrees about networks, first and last addresses", function()
    for_random(4000, function(bytes, length)
      local value = ip.parse(big.canonical(bytes) .. "/" .. length)
      local first, last = big.fill(bytes, length, 0), big.fill(bytes, length, 1)
      -- a masked address may come out as another text for IPv4, never as another family
      assert(value:network():bytes() == big.text(first))
      assert(value:network():length() == length)
      assert(value:first():bytes() == big.text(first) and value:first():is_address())
      assert(value:last():bytes() == big.text(last) and value:last():is_address())
      assert(value:is_network() == (big.compare(bytes, first) == 0))
      assert(ip.mask(tostring(value)) == tostring(value:network()))
      assert(ip.mask(big.canonical(bytes)) == big.canonical(bytes) .. "/" .. width_of(bytes))
    end)
  end)

  it("agrees about sums", function()
    for_random(4000, function(bytes, length)
      local steps = { 0, 1, 255, 256, 65535, 2 ^ 32 // 1 | 0, math.maxinteger >> 8 }
      local n = math.random(2) == 1 and steps[math.random(#steps)] or math.random(0, 1 << 40)
      local value = ip.parse(big.canonical(bytes) .. "/" .. length)
      local wanted = big.add(bytes, n)
      local ok, sum = pcall(function() return value + n end)
      assert(ok == (wanted ~= nil), tostring(sum))
      if not ok then return end
      assert(sum:bytes() == big.text(wanted) and sum:length() == length)
      assert(n + value == sum and sum - n == value and sum + -n == value and value - -n == sum)
      assert(sum - value == n and value - sum == -n)
    end)
  end)

  it("agrees about order", function()
    for_random(4000, function(bytes)
      local other = math.random(3) == 1 and (big.add(bytes, 1) or bytes)
        or random_bytes(family_of(bytes))
      local a, b = ip.parse(big.canonical(bytes)), ip.parse(big.canonical(other))
      local order = big.compare(bytes, other)
      assert((a < b) == (order < 0) and (a <= b) == (order <= 0))
      assert((a > b) == (order > 0) and (a == b) == (order == 0))
    end)
  end)

  it("agrees about what contains and overlaps what", function()
    for_random(4000, function(bytes, length)
      local other = math.random(2) == 1 and random_bytes(family_of(bytes))
        or big.add(bytes, 1) or bytes
      local other_length = math.random(0, width_of(bytes))
      local a = ip.parse(big.canonical(bytes) .. "/" .. length)
      local text = big.canonical(other) .. "/" .. other_length
      local lower, upper = big.fill(bytes, length, 0), big.fill(bytes, length, 1)
      local first, last = big.fill(other, other_length, 0), big.fill(other, other_length, 1)
      local contains = big.compare(lower, first) <= 0 and big.compare(last, upper) <= 0
      local overlaps = big.compare(lower, last) <= 0 and big.compare(first, upper) <= 0
      assert(a:contains(text) == contains and a:contains(ip.parse(text)) == contains)
      assert(a:overlaps(text) == overlaps and ip.parse(text):overlaps(a) == overlaps)
    end)
  end)

  describe("order and equality", function()
    it("put IPv4 before IPv6, and shorter prefixes first", function()
      local list = {}
      for _, text in ipairs {
        "::/0", "10.0.0.0/24", "10.0.0.0/8", "9.0.0.0/8", "::1", "10.0.0.1",
      } do
        list[#list + 1] = ip.parse(text)
      end
      table.sort(list)
      for i, value in ipairs(list) do list[i] = tostring(value) end
      assert.equal("9.0.0.0/8 10.0.0.0/8 10.0.0.0/24 10.0.0.1 ::/0 ::1", table.concat(list, " "))
    end)

    it("are by value: an address is its own prefix, and nothing else", function()
      assert.is_true(ip.parse "10.0.0.1" == ip.parse "10.0.0.1/32")
      assert.is_false(ip.parse "10.0.0.1" == ip.parse "10.0.0.1/31")
      assert.is_false(ip.parse "0.0.0.1" == ip.parse "::1")
      assert.is_false(ip.parse "::1" == io.stdout)
      assert.is_false(ip.parse "::1" == "::1")
    end)
  end)

  describe("arithmetic", function()
    it("never leaves the family's range", function()
      for _, wrong in ipairs {
        function() return ip.parse "255.255.255.255" + 1 end,
        function() return ip.parse "0.0.0.0" - 1 end,
        function() return ip.parse "0.0.0.0" + -1 end,
        function() return ip.parse "::" - 1 end,
        function() return ip.parse "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" + 1 end,
        function() return ip.parse "10.0.0.1" + math.mininteger end,
        function() return ip.parse "10.0.0.1" + 1.5 end,
        function() return ip.parse "10.0.0.1" + ip.parse "10.0.0.1" end,
        function() return ip.parse "10.0.0.1" - ip.parse "::1" end,
        function() return ip.parse "ffff::" - ip.parse "::" end,
        function() return 1 - ip.parse "10.0.0.1" end,
        function() return ip.parse "10.0.0.1" + "x" end,
      } do
        assert.has_error(wrong)
      end
    end)

    it("reaches its ends", function()
      assert.equal("255.255.255.255", tostring(ip.parse "0.0.0.0" + 0xffffffff))
      assert.equal("0.0.0.0/8", tostring(ip.parse "0.0.0.1/8" - 1))
      assert.equal("0:0:0:1::", tostring(ip.parse "::ffff:ffff:ffff:ffff" + 1))
      assert.equal("::8000:0:0:0", tostring(ip.parse "::" - math.mininteger))
      assert.equal(math.maxinteger, ip.parse "::7fff:ffff:ffff:ffff" - ip.parse "::")
      assert.equal(-math.maxinteger, ip.parse "::" - ip.parse "::7fff:ffff:ffff:ffff")
    end)
  end)

  describe("hosts", function()
    local function collect(iterator, limit)
      local list = {}
      for value in iterator do
        list[#list + 1] = tostring(value)
        if #list == limit then break end
      end
      return table.concat(list, " ")
    end

    it("leaves out the network, and the IPv4 broadcast", function()
      assert.equal("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6",
        collect(ip.hosts "10.0.0.0/29"))
      assert.equal("10.0.0.1 10.0.0.2", collect(ip.hosts "10.0.0.3/30"))
      assert.equal("2001:db8::1 2001:db8::2 2001:db8::3", collect(ip.hosts "2001:db8::/126"))
      assert.equal("2001:db8::1 2001:db8::2", collect(ip.hosts "2001:db8::/32", 2))
    end)

    it("takes all of the smallest prefixes", function()
      assert.equal("10.0.0.2 10.0.0.3", collect(ip.hosts "10.0.0.2/31"))
      assert.equal("10.0.0.2", collect(ip.hosts "10.0.0.2/32"))
      assert.equal("10.0.0.2", collect(ip.hosts "10.0.0.2"))
      assert.equal(":: ::1", collect(ip.hosts "::/127"))
      assert.equal("::1", collect(ip.hosts "::1/128"))
    end)

    it("gives as many as there are, and ends at the end of the range", function()
      local count = 0
      for host in ip.hosts "255.255.0.0/16" do
        assert(host:is_address())
        count = count + 1
      end
      assert.equal(65534, count)
      local high = ("ffff:"):rep(7)
      assert.equal(("%sfffe %sffff"):format(high, high), collect(ip.hosts(high .. "fffe/127")))
    end)

    it("takes a value, and is a wrong call for bad text", function()
      assert.equal("10.0.0.1 10.0.0.2", collect(ip.hosts(ip.parse "10.0.0.0/30")))
      local ok, message = pcall(function() ip.hosts "10.0.0/24" end)
      assert.is_false(ok)
      assert.truthy(message:find('not an IP address: "10.0.0/24"', 1, true), message)
      assert.has_error(function() ip.hosts(5) end)
    end)

    it("divides into subnets, in both families", function()
      assert.equal("10.0.0.0/24 10.0.1.0/24 10.0.2.0/24 10.0.3.0/24",
        collect(ip.subnets("10.0.0.0/22", 24)))
      assert.equal("10.0.0.0/24", collect(ip.subnets("10.0.0.9/24", 24)))
      assert.equal("2001:db8::/34 2001:db8:4000::/34 2001:db8:8000::/34 2001:db8:c000::/34",
        collect(ip.subnets("2001:db8::/32", 34)))
      assert.equal("::/1 8000::/1", collect(ip.subnets("::/0", 1)))
      assert.equal("::/0", collect(ip.subnets("::/0", 0)))
      assert.equal("0.0.0.0/0", collect(ip.subnets("0.0.0.0/0", 0)))
      assert.equal("::/128 ::1/128 ::2/128", collect(ip.subnets("::/0", 128), 3))
      assert.equal("255.255.255.254/32 255.255.255.255/32",
        collect(ip.subnets("255.255.255.254/31", 32)))
    end)

    it("refuses lengths that do not fit", function()
      for _, length in ipairs { 21, 33, -1, 1.5, "x" } do
        assert.has_error(function() ip.subnets("10.0.0.0/22", length) end)
      end
    end)

    it("says no more once it has ended", function()
      local next_host = ip.hosts "10.0.0.1/32"
      assert.truthy(next_host())
      assert.is_nil(next_host())
      assert.is_nil(next_host())
    end)
  end)

  it("knows its methods by the values they belong to", function()
    local value = ip.parse "10.0.0.9/24"
    assert.has_error(function() value.family(io.stdout) end)
    assert.has_error(function() value.family {} end)
    assert.has_error(function() value:contains "10.0.0" end)
    assert.has_error(function() value:contains(nil) end)
    assert.has_error(function() return value:nonsense() end)
    assert.has_error(function() return value < "10.0.0.1" end)
  end)
end)
