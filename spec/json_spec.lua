local json = require "ecmp.json"

local function round(text)
  return json.encode(assert(json.decode(text)))
end

describe("json.decode", function()
  for _, case in ipairs {
    { "an integer", "[0,1,-1,1500,4294967295]", "[0,1,-1,1500,4294967295]" },
    { "the ends of 64 bits", "[9223372036854775807,-9223372036854775808]" },
    { "integers beyond 2^53", "[9007199254740992,9007199254740993,-9007199254740993]" },
    { "integers beyond 64 bits", "[9223372036854775808,123456789012345678901234567890]" },
    { "fractions and exponents", "[5.0,1e3,1E+2,0.10,-0,-0.0,1e400,2.50e-7]" },
    { "empty lists and objects", '{"a":[],"b":{},"c":[[],{}],"d":[{"e":[]}]}' },
    { "an empty list with blanks in it", "[ \n ]", "[]" },
    { "text that looks like JSON", '["[]","{}","5.0","n5","e","s","\\"[]\\"",[]]' },
    { "escapes", '["\\u00e9\\n\\\\\\"\\/\\u0000"]', '["é\\n\\\\\\"/\\u0000"]' },
    { "escapes beside numbers that need care", '["\\\\",5.0,"\\\\\\"[]"]' },
    { "null in a list", "[1,null,[]]" },
    { "a key that is empty", '{"":1}' },
    { "an exact duplicate: the last wins", '{"a":1,"a":2}', '{"a":2}' },
    { "an exact duplicate among marked text", '{"a":[],"a":5.0}', '{"a":5.0}' },
    { "null as absence", '{"a":null,"b":[{"c":null}]}', '{"b":[{}]}' },
    { "null as absence among marked text", '{"a":null,"b":[],"c":{"d":null}}', '{"b":[],"c":{}}' },
    { "a surrogate pair", '["\\ud83d\\ude00"]', '["😀"]' },
    { "a lone surrogate, replaced", '["\\ud800x\\udc00"]', '["\u{FFFD}x\u{FFFD}"]' },
    { "an escaped backslash before ud800", '["\\\\ud800"]' },
    { "bytes that are no UTF-8, replaced", '["a\xff\xfeb"]', '["a\u{FFFD}\u{FFFD}b"]' },
    { "a byte at the end that is no UTF-8", '["\xc3"]', '["\u{FFFD}"]' },
    { "DEL in a string", '["\127"]' },
    { "blanks around", " \t\r\n[1]\n", "[1]" },
    { "a bare string", '"x"' },
    { "a bare number", "5.50" },
    { "numbers beside words", '[true,1.0,false,"e1"]' },
  } do
    it("reads " .. case[1], function()
      assert.equal(case[3] or case[2], round(case[2]))
    end)
  end

  for _, case in ipairs {
    { "nothing", "", "is empty" },
    { "blanks only", " \n", "is empty" },
    { "a byte order mark", "\u{FEFF}{}", "byte order mark" },
    { "text behind", "{} x", "expected the end" },
    { "a second document", "{}{}", "expected the end" },
    { "a NUL behind", "{}\0x", "NUL" },
    { "a comma at the end", "[1,]", "invalid" },
    { "a comma at the end beside numbers that need care", "[1.0,]", "invalid" },
    { "single quotes", "{'a':1}", "invalid" },
    { "a comment", "{} // x", "expected the end" },
    { "hexadecimal", "[0x10]", "invalid" },
    { "a leading zero", "[01]", "invalid" },
    { "a leading zero before a point", "[01.5]", "'01.5' is no number" },
    { "a leading plus", "[+1]", "invalid" },
    { "a point without digits", "[1.]", "'1.' is no number" },
    { "a point at the start", "[.5]", "'.5' is no number" },
    { "an exponent without digits", "[1e]", "'1e' is no number" },
    { "NaN", "[NaN]", "invalid" },
    { "Infinity", "[-Infinity]", "invalid" },
    { "two numbers in a row", "[1 2]", "expected comma" },
    { "a number and a word in one", "[1.5x]", "'1.5x' is no number" },
    { "a newline in a string", '["a\nb"]', "control character" },
    { "a string that does not end", '["a', "does not end" },
    { "an escape that is none", '["\\q"]', "escape" },
    { "a list that does not end", "[1", "the end" },
    { "null alone", "null", "null" },
  } do
    it("refuses " .. case[1], function()
      local value, message = json.decode(case[2])
      assert.is_nil(value)
      assert.truthy(message:find(case[3], 1, true), message)
    end)
  end

  it("refuses nesting beyond its limit and says so", function()
    local depth <const> = json.max_depth + 1
    local _, message = json.decode(("["):rep(depth) .. ("]"):rep(depth))
    assert.truthy(message:find("more than 256 levels deep", 1, true))
    _, message = json.decode(('{"a":'):rep(100000))
    assert.truthy(message:find("more than 256 levels deep", 1, true))
    assert.is_table(json.decode(("["):rep(200) .. "5.0" .. ("]"):rep(200)))
  end)

  it("gives Lua integers", function()
    local value <const> = assert(json.decode('{"a":1500,"b":[0],"c":-7}'))
    assert.equal("integer", math.type(value.a))
    assert.equal("integer", math.type(value.b[1]))
    assert.equal("integer", math.type(value.c))
  end)

  it("does not disturb the settings of cjson for others", function()
    assert.equal(16, require("cjson").decode("[0x10]")[1])
  end)

  it("throws at a call without text", function()
    assert.has_error(function() json.decode(nil) end, "json.decode: text must be a string")
  end)

  it("reads what it wrote, for random values", function()
    math.randomseed(42)
    local made
    local makers <const> = {
      function() return math.random(-1000, 1000) end,
      function() return math.random(math.mininteger, math.maxinteger) end,
      function() return json.number(("%d.%d"):format(math.random(0, 9), math.random(0, 99))) end,
      function() return math.random() < 0.5 end,
      function()
        local bytes <const> = {}
        for i = 1, math.random(0, 6) do bytes[i] = string.char(math.random(0, 127)) end
        return table.concat(bytes)
      end,
      function(depth)
        local list <const> = json.array()
        for i = 1, depth < 5 and math.random(0, 4) or 0 do list[i] = made(depth + 1) end
        return list
      end,
      function(depth)
        local object <const> = {}
        for _ = 1, depth < 5 and math.random(0, 4) or 0 do
          object[("k\\\"%d"):format(math.random(99))] = made(depth + 1)
        end
        return object
      end,
    }
    function made(depth) return makers[math.random(#makers)](depth) end
    for _ = 1, 300 do
      local text <const> = json.encode({ v = made(1) })
      assert.equal(text, round(text))
    end
  end)
end)

describe("json keys", function()
  it("match in any case, exactly first", function()
    local value <const> = assert(json.decode '{"IPAM":{"Type":"x"},"name":"a","NAME":"b"}')
    assert.equal("x", value.ipam.type)
    assert.equal("x", json.get(json.get(value, "ipam"), "TYPE"))
    assert.equal("a", value.name)
    assert.equal("b", value.NAME)
    assert.is_nil(value.nam)
    assert.is_nil(json.get(value, "missing"))
    assert.is_nil(json.get("text", "missing"))
  end)

  it("match in any case where the text needed care", function()
    assert.equal("x", assert(json.decode '{"IPAM":{"Type":"x"},"a":[]}').ipam.type)
  end)

  it("stay as they were written", function()
    assert.equal('{"CNIversion":1,"iPAM":{}}', round '{"iPAM":{},"CNIversion":1}')
  end)

  it("never answer to a name they only begin with", function()
    assert.is_nil(assert(json.decode '{"Names":1}').name)
  end)
end)

describe("json.integer", function()
  it("takes integers", function()
    for text, value in pairs { ["7"] = 7, ["-0"] = 0, ["4294967295"] = 4294967295 } do
      assert.equal(value, json.integer(json.decode("[" .. text .. "]")[1]))
    end
  end)

  for text, why in pairs {
    ["5.0"] = "must be an integer, not 5.0", ["1e3"] = "must be an integer, not 1e3",
    ['"5"'] = "must be an integer, not the string '5'",
    ["true"] = "must be an integer, not a boolean",
    ["[]"] = "must be an integer, not a list", ["{}"] = "must be an integer, not an object",
    ["9223372036854775808"] = "9223372036854775808 does not fit into 64 bits",
    ["-9223372036854775809"] = "-9223372036854775809 does not fit into 64 bits",
  } do
    it("refuses " .. text, function()
      local value, message = json.integer(json.decode('{"v":' .. text .. "}").v)
      assert.is_nil(value)
      assert.equal(why, message)
    end)
  end
end)

describe("json.kind", function()
  it("tells everything apart", function()
    local value <const> = json.decode '[{},[],"",true,1,1.5,[1],{"1":2},null]'
    local kinds <const> = {}
    for i = 1, 9 do kinds[i] = json.kind(value[i]) end
    assert.same({ "object", "list", "string", "boolean", "integer", "number", "list", "object",
      "null" }, kinds)
    assert.equal("null", json.kind(nil))
    assert.equal("list", json.kind(json.array()))
  end)
end)

describe("json.encode", function()
  it("sorts keys and writes empty tables by their kind", function()
    assert.equal('{"a":[],"b":{},"c":[1,2]}',
      json.encode { c = { 1, 2 }, b = {}, a = json.array() })
  end)

  it("indents", function()
    assert.equal('{\n  "a": [\n    1\n  ],\n  "b": {}\n}',
      json.encode({ a = { 1 }, b = {} }, { indent = 2 }))
  end)

  it("writes floats that are integers as integers", function()
    assert.equal("[3,0.5,0.1,1e+300]", json.encode { 3.0, 0.5, 0.1, 1e300 })
  end)

  it("keeps the digits of json.number", function()
    assert.equal("[1.50,7]", json.encode { json.number "1.50", json.number "7" })
    assert.has_error(function() json.number "0x1" end, "json.number: '0x1' is no JSON number")
  end)

  it("replaces bytes that are no UTF-8", function()
    assert.equal('"a\u{FFFD}"', json.encode "a\xff")
  end)

  it("throws at what JSON has no word for", function()
    local loop <const> = {}
    loop[1] = loop
    for what, value in pairs {
      ["JSON has no function"] = { print }, ["JSON has no nan"] = { a = 0 / 0 },
      ["JSON has no inf"] = math.huge, ["which is no string"] = { a = 1, [7] = 2 },
      ["levels deep"] = loop,
    } do
      local ok, message = pcall(json.encode, value)
      assert.is_false(ok)
      assert.truthy(message:gsub("-nan", "nan"):find(what, 1, true), message)
    end
  end)
end)
