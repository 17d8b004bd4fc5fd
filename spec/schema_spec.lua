-- The reference of the configuration and the code that reads it are one thing.
local flow = require "ecmp.flow"
local helper = require "spec.helper"
local json = require "ecmp.json"
local json_schema = require "spec.json_schema"
local programs = require "ecmp.command.programs"
local sys = require "ecmp.sys"

local reference <const> = assert(json.decode(assert(sys.read "docs/netconf.schema.json")))
local parts <const> = reference.definitions

-- A complaint of the code about a configuration, as an ADD would meet it before the kernel.
local function complaint_of_code(conf)
  local program <const> = assert(programs.plugin(conf.type))
  local call <const> = { command = "ADD", conf = conf, plugin = program.type, version = "1.1.0",
    containerid = "c", ifname = "eth0", dropin = program.dropin, args = {}, args_text = "" }
  local state <const> = { call = call, plugin = require(program.module).plugin, dry = true,
    ctx = { links = {} } }
  local ok, message = flow.run(state, "netconf", "netconf")
  local kind <const> = ok and state.conf.ipam.type
  local ipam <const> = kind == "ecmp-static" and require("ecmp.plugin.static").add
    or kind == "ecmp-host-local" and require("ecmp.plugin.host-local").peek
  if ipam then
    local ran, value, why = pcall(ipam, call)
    if not (ran and value) then ok, message = nil, tostring(ran and why or value) end
  end
  return not ok and tostring(message) or nil
end

-- One value for each choice that has a simple one; an object of those with the keys it must have.
local function good_of_any(choices)
  local good <const> = {}
  for _, choice in ipairs(choices) do
    if choice.enum then
      good[#good + 1] = choice.enum[1]
    elseif choice.type == "boolean" then
      good[#good + 1] = true
    elseif choice.type == "object" then
      local object <const> = {}
      for _, key in ipairs(choice.required or {}) do object[key] = {} end
      good[#good + 1] = object
    end
  end
  return good
end

-- The simplest values that a schema takes, and some that it does not.
local function good_and_bad(schema)
  if schema.enum then return { schema.enum[1] }, { "no such word", 7 } end
  if schema.anyOf then return good_of_any(schema.anyOf), { "no such word", 7 } end
  if schema.type == "boolean" then return { true, false }, { "yes", 1 } end
  if schema.type == "integer" then
    return { schema.minimum, schema.maximum }, { schema.minimum - 1, schema.maximum + 1, "1" }
  end
  if schema.type == "array" then return {}, { "text", { a = 1 } } end
  if schema.type == "object" then return {}, { "text", 5 } end
  if schema.pattern then return {}, { "not an address", 5 } end
  return {}, { 5, true }
end

-- A configuration that is right, of each type that has a check of its keys, and where keys stand.
local function bases()
  local static <const> = [["ipam": { "type": "ecmp-static",
    "addresses": [ { "address": "10.0.0.9/24", "gateway": "10.0.0.1" } ],
    "routes": [ { "dst": "10.8.0.0/16", "nexthops": [ { "gw": "10.0.0.1" } ] } ] }]]
  local host_local <const> = [["ipam": { "type": "ecmp-host-local",
    "dataDir": "/nonexistent", "ranges": [ [ { "subnet": "10.0.0.0/24" } ] ] }]]
  local function conf(kind, rest)
    return ('{ "cniVersion": "1.1.0", "name": "n", "type": "%s", %s }'):format(kind, rest)
  end
  local ipam <const> = { "ipam" }
  local route <const> = { "ipam", "routes", 1 }
  return {
    { conf("ecmp-bridge", static), {}, parts.bridge }, { conf("ecmp-ptp", static), {}, parts.ptp },
    { conf("ecmp-macvlan", static), {}, parts.macvlan },
    { conf("ecmp-ipvlan", static), {}, parts.ipvlan },
    { conf("ecmp", '"x": 1'), {}, parts.ecmp },
    { conf("ecmp-bridge", static), {}, parts.common },
    { conf("ecmp-bridge", static .. ', "multipath": {}'), { "multipath" },
      parts.common.properties.multipath },
    { conf("ecmp-bridge", static .. ', "dns": {}'), { "dns" }, parts.common.properties.dns },
    { conf("ecmp-bridge", static), ipam, parts.ipam_static },
    { conf("ecmp-bridge", static), route, parts.ipam_static.properties.routes.items },
    { conf("ecmp-bridge", static), { "ipam", "routes", 1, "nexthops", 1 },
      parts.ipam_static.properties.routes.items.properties.nexthops.items },
    { conf("ecmp-bridge", static), { "ipam", "addresses", 1 },
      parts.ipam_static.properties.addresses.items },
    { conf("ecmp-bridge", host_local), ipam, parts["ipam_host-local"] },
    { conf("ecmp-bridge", host_local), { "ipam", "ranges", 1, 1 },
      parts["ipam_host-local"].properties.ranges.items.items },
  }
end

local function with(text, place, key, value)
  local conf <const> = assert(json.decode(text))
  local object = conf
  for _, step in ipairs(place) do object = object[step] end
  object[key] = value
  return conf
end

-- What is right by its schema and refused by the code for a reason no schema knows.
local EXTRA <const> = {
  ["bridge.vlan"] = true, ["bridge.macspoofchk"] = true,
  ["bridge.disableContainerInterface"] = true, ["ipvlan.linkInContainer"] = true,
  ["macvlan.linkInContainer"] = true,
}

local function key_name(base, key)
  return base[1]:match '"type": "ecmp%-?(%w*)"' .. "." .. key
end

describe("docs/netconf.schema.json", function()
  it("and docs/netconf.md are what the checks in the code say now", function()
    local files <const> = { schema = "docs/netconf.schema.json", md = "docs/netconf.md" }
    for form, file in pairs(files) do
      local made <const> = assert(sys.spawn { argv = { "lua5.4", "-e", helper.paths(),
        "build-aux/netconf.lua", form }, stderr = "capture", timeout = 60 })
      assert.equal(0, made.status, made.stderr)
      assert.is_true(made.stdout == sys.read(file), file .. " is out of date: make netconf")
    end
  end)

  it("agrees with the code about every key: what is right, and what is wrong", function()
    local compared = 0
    for _, base in ipairs(bases()) do
      local text <const>, place <const>, part <const> = table.unpack(base)
      assert.is_nil(complaint_of_code(assert(json.decode(text))), text)
      assert.is_nil(json_schema.check(assert(json.decode(text)), reference), text)
      for key, schema in pairs(part.properties) do
        local good <const>, bad <const> = good_and_bad(schema)
        for _, value in ipairs(good) do
          local conf <const> = with(text, place, key, value)
          assert.is_nil(json_schema.check(conf, reference), key)
          if not EXTRA[key_name(base, key)] then
            local why <const> = complaint_of_code(conf)
            assert.is_nil(why, ("%s = %s: %s"):format(key, tostring(value), why))
          end
          compared = compared + 1
        end
        for _, value in ipairs(key ~= "type" and bad or {}) do
          local conf <const> = with(text, place, key, value)
          local name <const> = ("%s = %s"):format(key, tostring(value))
          assert.is_string(json_schema.check(conf, reference), name)
          local why <const> = complaint_of_code(conf)
          assert.is_string(why, name)
          assert.truthy(why:find(key, 1, true), name .. ": " .. why)
          compared = compared + 1
        end
      end
    end
    assert.is_true(compared > 200, tostring(compared))
  end)

  it("knows every key that plugins and stages read from a configuration", function()
    local known <const> = { plugin = true }
    for _, part in pairs(parts) do
      for key, value in pairs(part.properties or {}) do
        known[key] = true
        for inner in pairs(value.properties or {}) do known[inner] = true end
      end
    end
    local files, read = 0, 0
    for _, folder in ipairs { "plugin", "plugin/bridge", "plugin/host-local", "flow" } do
      for _, name in ipairs(assert(sys.list("lua/ecmp/" .. folder))) do
        local text <const> = sys.read(("lua/ecmp/%s/%s"):format(folder, name)) or ""
        files = files + 1
        for _, pattern in ipairs { "[^_%w]conf%.(%a+)", 'json%.get%([%w.]*conf, "([^"]+)"%)',
          'json%.get%([%w.]*ipam, "([^"]+)"%)' } do
          for key in text:gmatch(pattern) do
            assert.is_true(known[key] or false, ("%s/%s reads '%s'"):format(folder, name, key))
            read = read + 1
          end
        end
      end
    end
    assert.is_true(files > 20 and read > 60, read)
  end)

  it("takes the configurations of all examples", function()
    local count = 0
    for _, name in ipairs(assert(sys.list "examples/rules")) do
      if name:find "%.json$" then
        local conf <const> = assert(json.decode(assert(sys.read("examples/rules/" .. name))))
        assert.is_nil(json_schema.check(conf, reference), name)
        count = count + 1
      end
    end
    assert.is_true(count >= 10)
  end)

  it("wants a name of a single configuration and plugins of a list", function()
    local function wrong(text) return json_schema.check(assert(json.decode(text)), reference) end
    assert.is_string(wrong '{ "type": "ecmp-ptp" }')
    assert.is_nil(wrong '{ "name": "n", "type": "ecmp-ptp" }')
    assert.is_nil(wrong '{ "name": "n", "plugins": [ { "type": "ecmp-ptp" }, { "type": "x" } ] }')
    assert.is_string(wrong '{ "name": "n", "plugins": [] }')
    assert.is_string(wrong '{ "name": "n", "plugins": [ { "type": "ecmp", "merge": "x" } ] }')
    assert.is_string(wrong '{ "name": "n", "type": "ecmp-lua" }')
    assert.is_nil(wrong '{ "name": "n", "type": "stranger", "merge": 5 }')
  end)
end)
