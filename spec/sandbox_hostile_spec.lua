-- Scripts that mean harm, or are just wrong. Each must end in error 100, with the caller and the machine as
-- they were.
local helper = require "spec.helper"
local pods = require "spec.pod"
local rule = require "ecmp.rule"
local sandbox = require "ecmp.sandbox"
local sys = require "ecmp.sys"

local families = require "spec.hostile"

local routes <const> = {
  { dst = "0.0.0.0/0", via = "10.0.0.1", dev = "eth0" },
  { dst = "0.0.0.0/0", via = "10.0.0.2", dev = "eth0" },
  { dst = "::/0", via = "2001:db8::1", dev = "eth0" },
}
local addresses <const> = { { address = "10.0.0.9/24", dev = "eth0" } }
local ctx <const> = { links = { eth0 = { up = true } }, ifname = "eth0" }

local function processes()
  return #assert(sys.list "/proc/self/task") .. " " .. helper.children()
end

-- An ADD takes longer than the script alone, so that it meets every sixth of them; at length, every one.
local STEP <const> = math.max(1, 6 // helper.rounds)

-- The time is a tenth of the real one here, so that those that take all of it do not take it from
-- the specs. In the ADDs below it is the real one.
local SECONDS <const> = 0.1

describe("a hostile script", function()
  local directory, path, budget

  setup(function()
    directory, budget = helper.directory(), sandbox.BUDGET.seconds
    path, sandbox.BUDGET.seconds = directory .. "/rule.lua", 60
  end)
  teardown(function()
    sandbox.BUDGET.seconds = budget
    helper.remove(directory)
  end)

  local function run(text)
    assert(sys.replace(path, text, tonumber("644", 8)))
    sandbox.BUDGET.seconds = SECONDS
    local script <close>, message, code = sandbox.load(path)
    sandbox.BUDGET.seconds = 60
    if not script then return message, code end
    local made
    made, message, code = rule.merge(routes, script, ctx)
    if made then
      made, message, code = script:plan({ addresses = addresses, routes = made, sysctls = {} }, ctx)
    end
    assert.is_nil(made, text .. "\na plan came out")
    return message, code
  end

  local count = 0
  for family, scripts in pairs(families) do
    count = count + #scripts
    it(("that is %s ends in error 100"):format(family), function()
      local descriptors, family_before = helper.descriptors(), processes()
      for _, text in ipairs(scripts) do
        local message, code = run(text)
        assert.equal("ESCRIPT", code, text .. "\n" .. tostring(message))
        assert.equal(path, message:sub(1, #path), text .. "\n" .. message)
        assert.is_nil(message:find "%c", text .. "\n" .. message)
        assert.is_truthy(utf8.len(message), text)
        assert.is_true(#message < 5000, text)
      end
      assert.equal(descriptors, helper.descriptors())
      assert.equal(family_before, processes())
    end)
  end

  it("comes in more than two hundred shapes", function() assert.is_true(count > 200) end)

  it("changes nothing for the next one", function()
    run "string.format = nil table.concat = nil require('ecmp.rule').multipath = nil "
    run "require('ecmp.rule').multipath = function() return {} end return 5"
    assert(sys.replace(path, "return {}", tonumber("644", 8)))
    local script <close> = assert(sandbox.load(path))
    assert.equal(2, #assert(rule.merge(routes, script, ctx)))
    assert.equal("function", type(string.dump))
    assert.is_not_false(getmetatable("").__metatable)
  end)

  it("changes nothing for the words and blocks that it leaves the rest to", function()
    assert(sys.replace(path, [[
      local rule = require "ecmp.rule"
      rule.multipath = nil
      rule.word = nil
      string.format = nil
      return { routes = function(routes) return routes end }]], tonumber("644", 8)))
    local script <close> = assert(sandbox.load(path))
    assert.equal(2, #assert(rule.merge(routes, script, ctx)))
  end)
end)

describe("an ADD with a hostile script #netns", function()
  local directory, path, pod, conf

  setup(function()
    directory, pod = helper.directory(), pods.new()
    path = directory .. "/rule.lua"
    conf = { cniVersion = "1.0.0", name = "hostile", type = "ecmp-ptp", script = path, ipam = {
      type = "ecmp-host-local", dataDir = directory .. "/store",
      ranges = { { { subnet = "10.0.0.0/24" } }, { { subnet = "2001:db8::/64" } } },
      routes = { { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
        { dst = "::/0", gw = "2001:db8::1" } },
    } }
  end)
  teardown(function()
    pod:close()
    helper.remove(directory)
  end)

  -- Reservations. Which address was the last one to be handed out is remembered as ever.
  local function reserved()
    local names = {}
    for _, name in ipairs(sys.list(directory .. "/store/hostile") or {}) do
      if name:find "^%x+[.:]" then names[#names + 1] = name end
    end
    return names
  end

  -- What an ADD makes, in the host's namespace and in the pod's.
  local function everything()
    local seen = { reserved(), sys.list "/run/cni/ecmp" or {} }
    for _, which in ipairs { "host", "pod" } do
      local nl <close> = pod:open(which)
      for _, list in ipairs { nl.link:list(), nl.addr:list(), nl.route:list { table = "all" } } do
        seen[#seen + 1] = tostring(list)
      end
    end
    return seen
  end

  for family, scripts in pairs(families) do
    it(("that is %s fails with 100 and leaves nothing"):format(family), function()
      local before = everything()
      for i = 1, #scripts, STEP do
        local text = scripts[i]
        assert(sys.replace(path, text, tonumber("644", 8)))
        local outcome = pod:call("ecmp-ptp", "ADD", conf)
        assert.equal(1, outcome.status, text)
        assert.equal(100, outcome.json.code, text .. "\n" .. outcome.stdout)
        assert.equal(path, outcome.json.msg:sub(1, #path), text .. "\n" .. outcome.json.msg)
        assert.equal("", outcome.stderr, text)
        assert.same({}, reserved(), text)
      end
      assert.same(before, everything())
    end)
  end

  it("is followed by one that succeeds", function()
    assert(sys.replace(path, "return {}", tonumber("644", 8)))
    pod:must("ecmp-ptp", "ADD", conf)
    local defaults = 0
    for _, line in ipairs(pod:routes()) do
      if line:find "^default" then defaults = defaults + 1 end
    end
    assert.equal(2, defaults)
    assert.equal(2, #reserved())
    pod:must("ecmp-ptp", "DEL", conf)
  end)
end)
