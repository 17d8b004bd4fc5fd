-- What is loaded when it is first used, and that an ADD loads nothing else.
local helper = require "spec.helper"
local json = require "ecmp.json"
local later = require "ecmp.later"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local runtime = require "spec.runtime"
local schema = require "ecmp.cni.schema"
local sys = require "ecmp.sys"

describe("a module that is loaded later", function()
  local loads

  before_each(function() loads = 0 end)
  after_each(function() package.preload["spec.some"], package.loaded["spec.some"] = nil, nil end)

  local function module(value)
    package.preload["spec.some"] = function()
      loads = loads + 1
      return value
    end
    return later "spec.some"
  end

  it("is loaded once, by the first look into it", function()
    local some <const> = module { twice = function(n) return 2 * n, "and more" end, LIMIT = 7 }
    assert.equal(0, loads)
    assert.same({ 8, "and more" }, { some.twice(4) })
    assert.same({ 7, nil, 10 }, { some.LIMIT, some.missing, (some.twice(5)) })
    assert.equal(1, loads)
  end)

  it("may be a function", function()
    local some <const> = module(function(...) return select("#", ...), ... end)
    assert.equal(0, loads)
    assert.same({ 3, "a", nil, "c" }, { some("a", nil, "c") })
    assert.same({ 0 }, { some() })
    assert.equal(1, loads)
  end)

  it("refuses the names that the module refuses", function()
    local some <const> = module(setmetatable({}, {
      __index = function(_, name) error(name .. ": there is no such name", 2) end,
    }))
    assert.has_error(function() return some.twise end, "twise: there is no such name")
    assert.has_error(function() return some.twise end, "twise: there is no such name")
  end)

  it("is looked for again where it could not be loaded", function()
    local some <const> = later "spec.nowhere"
    for _ = 1, 2 do
      assert.matches("module 'spec.nowhere' not found", select(2, pcall(function() return some.x end)), 1, true)
    end
  end)

  it("has checks that are loaded when there is a value, and described as they are", function()
    local check <const> = schema.record { { "mtu", schema.later(module { mtu = schema.mtu }, "mtu") } }
    assert.equal(1, assert(check({ other = 1 }, "")).other)
    assert.equal("function", type(schema.keys(check).mtu))
    assert.equal(0, loads)
    assert.equal(1400, assert(check({ mtu = 1400 }, "")).mtu)
    assert.equal("mtu: must be an integer, not the string '1'", select(2, check({ mtu = "1" }, "")))
    assert.same(schema.describe(schema.mtu), schema.describe(check).properties.mtu)
    assert.equal(1, loads)
  end)
end)

describe("schema.keys", function()
  local base <const> = schema.record { { "mtu", schema.mtu }, { "name", schema.string } }

  it("has the check of each key, that of the extension where both have one", function()
    local check <const> = schema.extend(base, { { "name", schema.boolean }, { "rack", schema.string } })
    assert.same({ mtu = schema.mtu, name = schema.boolean, rack = schema.string }, schema.keys(check))
    local like <const> = schema.as({ like = check, additionalProperties = false }, print)
    assert.same(schema.keys(check), schema.keys(like))
  end)

  it("has what is described in JSON Schema as it is", function()
    local rack <const> = { type = "string" }
    assert.same({ rack = rack }, schema.keys(schema.as({ type = "object", properties = { rack = rack } }, print)))
    assert.same({}, schema.keys(schema.string))
    assert.matches("check: nobody described it$", select(2, pcall(schema.keys, type)))
  end)
end)

-- Runs a plugin, and says on stderr of what files that it loaded it called no function.
local WATCHED <const> = [[
  local loaded, called, search = {}, {}, package.searchers[2]
  package.searchers[2] = function(name)
    local load, path = search(name)
    if type(load) == "function" and name:find "^ecmp" then loaded[#loaded + 1] = path end
    return load, path
  end
  debug.sethook(function()
    local info = debug.getinfo(2, "S")
    if info.what == "Lua" then called[info.source:sub(2)] = true end
  end, "c")
  local status = require "ecmp.command.main" (arg[1], {})
  debug.sethook()
  for _, path in ipairs(loaded) do
    if not called[path] then io.stderr:write(path, " is loaded for nothing\n") end
  end
  io.stderr:write(#loaded, " files\n")
  os.exit(status)
]]

describe("a plugin #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function()
    pod:close()
    record.sweep("lab", function() return false end)
  end)

  local function watched(command)
    local done <const> = assert(sys.spawn {
      argv = { "lua5.4", "-e", helper.paths() .. WATCHED, "/dev/null", "ecmp-ptp" },
      env = runtime.environment { CNI_COMMAND = command, CNI_NETNS = pod.path },
      netns = pod.host_path, timeout = 60, stderr = "capture",
      stdin = json.encode { cniVersion = "1.0.0", name = "lab", type = "ecmp-ptp",
        ipam = { type = "static", addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } },
          routes = { { dst = "0.0.0.0/0" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } } } },
    })
    assert.equal(0, done.status, done.stdout)
    return done.stderr
  end

  it("loads for an ADD no file of which it runs nothing", function()
    assert.matches("^%d%d files\n$", watched "ADD")
  end)

  it("loads for a DEL nothing that puts routes back or gives dead gateways stand-ins", function()
    watched "ADD"
    local said <const> = watched "DEL"
    assert.matches("%d%d files\n$", said)
    for _, name in ipairs { "plan", "fib/diff", "nl/execution", "fib/suspension", "health/kernel" } do
      assert.not_matches("ecmp/" .. name .. ".lua", said, 1, true)
    end
  end)
end)
