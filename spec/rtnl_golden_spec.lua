--- Encoding and decoding, byte for byte, without a kernel.
--
-- Which bytes these are was checked against the kernel's headers when they were written; a change
-- of cases.hex is a change of what the kernel is told. ECMP_GOLDEN=write writes the file anew.
local cases = require "spec.golden.cases"
local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"

local FILE <const> = "spec/golden/cases.hex"

local function to_hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function from_hex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- What a table is sent as: defaults filled in, as for `add`, unless it is what the kernel tells.
local function encode(case)
  return case.bytes and case.bytes() or rtnl.view(case[2], case[3], not case.told):bytes()
end

local function write_anew()
  local lines <const> = {}
  for i, case in ipairs(cases) do
    lines[i] = case[1] .. "\t" .. to_hex(encode(case)) .. "\n"
  end
  assert(sys.replace(FILE, table.concat(lines), tonumber("644", 8)))
end

if os.getenv "ECMP_GOLDEN" == "write" then write_anew() end

local golden <const> = {}
for name,
  hex in assert(sys.read(FILE)):gmatch "([^\t\n]+)\t(%x+)\n" do golden[name] = from_hex(hex) end

-- What defaults fill in beside what a case gives.
local FILLED <const> = {
  route = { table = "main", type = "unicast", proto = "boot", scope = "global" },
  flow = {}, nexthop = { scope = "global" }, bucket = {},
  link = { link_type = 0, linkmode = nil }, addr = {}, rule = { table = "main" }, neigh = {}, vlan = {},
}

-- The fields a case gives, as the decoded message has them.
local function given(value, decoded)
  local found <const> = {}
  for key, want in pairs(value) do
    local has = decoded[key]
    if type(want) == "table" and type(has) == "table" then has = given(want, has) end
    if want == false and has == nil then has = false end
    if type(want) == "string" and want:find "^inet6 " then has = has and "inet6 " .. has end
    found[key] = has
  end
  return found
end

describe("the bytes of", function()
  for _, case in ipairs(cases) do
    local name <const>, object <const>, value <const> = table.unpack(case)

    it(name .. " are what they were", function()
      assert.are.equal(to_hex(golden[name] or ""), to_hex(encode(case)))
    end)

    it(name .. " decode to the table they came from", function()
      local decoded <const> = {}
      local view <const> = rtnl.decode(object, golden[name])
      for key, field in pairs(view) do decoded[key] = field end
      if object == "link" then decoded.dev = view.dev end -- its own number under a second name
      assert.are.same(value, given(value, decoded))
      for key, field in pairs(decoded) do -- and to nothing else but the defaults
        if value[key] == nil and not (object == "link" and key == "linkmode") then
          local filled <const> = FILLED[object][key]
          assert(key == "family" or key == "dev" or key == "index" or key == "link_type"
            or key == "flags"
            or key == "broadcast" or key == "dst" or key == "from" or key == "action"
            or filled == field or object == "neigh" and key == "state", name .. ": " .. key)
        end
      end
    end)

    it(name .. " are the same from a view, and when made twice", function()
      local view <const> = rtnl.decode(object, golden[name])
      assert.are.equal(view, rtnl.decode(object, encode(case)))
      assert.are.equal(golden[name], view:bytes())
    end)
  end

  it("these cases, and no others, are in the file", function()
    local names <const> = {}
    for _, case in ipairs(cases) do names[case[1]] = golden[case[1]] end
    assert.are.same(names, golden)
  end)
end)
