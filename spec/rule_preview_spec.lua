-- What `ecmp plan` shows is what an ADD then does: to rules the two look alike.
local commandline = require "spec.commandline"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pods = require "spec.pod"
local sys = require "ecmp.sys"

-- Refuses, and tells in the refusal all that its hooks were given.
local TELLING <const> = [[
local seen = {}
local function tell(name, value)
  if type(value) ~= "table" then
    seen[#seen + 1] = ("%s=%s %s"):format(name, math.type(value) or type(value), tostring(value))
    return
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do tell(name .. "." .. key, value[key]) end
end
local function part(ctx)
  local whole = table.concat(seen, ";")
  return whole:sub(ctx.args.FROM, ctx.args.FROM + 3000)
end
return {
  routes = function(routes, ctx) tell("routes", routes) tell("ctx", ctx) return routes end,
  key = function(route, ctx) tell("key", route) end,
  merge = function(group, ctx)
    tell("group", group)
    return require("ecmp.rule").multipath(group, ctx)
  end,
  plan = function(plan, ctx) tell("plan", plan) error(part(ctx), 0) end,
}]]

-- What only an ADD can know: who it is for, and what the kernel and others have made.
local OF_THE_ADD <const> = { "^ctx%.containerid=", "^ctx%.netns=", "^ctx%.args%.FROM=",
  "^ctx%.conf%.prevResult%.interfaces", "^ctx%.conf%.prevResult%.ips%.%d+%.interface=",
  "^ctx%.links%.eth0%.m", "^ctx%.links%.eth0%.speed=" }

local function known(text)
  local list = {}
  for line in text:gmatch "[^;]+" do
    local foreign = false
    for _, pattern in ipairs(OF_THE_ADD) do foreign = foreign or line:find(pattern) ~= nil end
    if not foreign then list[#list + 1] = line end
  end
  return list
end

describe("a preview and an ADD #netns", function()
  local directory, path, pod

  before_each(function()
    directory, pod = helper.directory(), pods.new()
    path = directory .. "/rule.lua"
  end)
  after_each(function()
    pod:close()
    helper.remove(directory)
  end)

  -- All that a telling rule was given, put together from its refusals.
  local function told(refusal)
    local whole, from = "", 1
    repeat
      local message = refusal(("IgnoreUnknown=1;FROM=%07d"):format(from))
      local part = assert(message:match "rule%.lua[:%d]*: (.*)$", message)
      whole, from = whole .. part, from + 3001
    until #part < 3001
    return whole
  end

  local function told_by_plan(conf)
    local file = directory .. "/conf.json"
    assert(sys.replace(file, json.encode(conf), tonumber("600", 8)))
    return told(function(args)
      local status, _, err = commandline.ecmp("plan", "--args", args, file)
      assert.equal(1, status)
      return err:gsub("\n$", "")
    end)
  end

  local function told_by_add(conf)
    return told(function(args)
      local outcome = pod:call(conf.type, "ADD", conf, { CNI_ARGS = args })
      assert.equal(100, outcome.json.code, outcome.stdout)
      return outcome.json.msg
    end)
  end

  local function conf_of(kind, more)
    local conf = { cniVersion = "1.0.0", name = "net", type = kind, bridge = "br0", master = "up0",
      own = { 1, 2.5, { x = true } }, ipam = { type = "ecmp-static",
        addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" },
          { address = "2001:db8::9/64", gateway = "2001:db8::1" } },
        routes = { { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
          { dst = "::/0" }, { dst = "10.8.0.0/16", mtu = 1400, table = 100 } } } }
    for key, value in pairs(more or {}) do conf[key] = value end
    return conf
  end

  for _, kind in ipairs { "ecmp-bridge", "ecmp-ptp", "ecmp-macvlan" } do
    it("give a rule of " .. kind .. " the same values", function()
      assert(sys.replace(path, TELLING, tonumber("600", 8)))
      pod:ip("host", "link add up0 type veth peer name up1")
      pod:ip("host", "link set up0 up")
      local conf = conf_of(kind, { script = path, mtu = kind == "ecmp-ptp" and 1400 or nil })
      local previewed = known(told_by_plan(conf))
      assert.is_true(#previewed > 80)
      assert.same(previewed, known(told_by_add(conf)))
    end)
  end

  for _, kind in ipairs { "ecmp-bridge", "ecmp-ptp" } do
    it(("give a rule behind %s the same values, in whatever order the kernel lists them")
      :format(kind), function()
      assert(sys.replace(path, TELLING, tonumber("600", 8)))
      local first, second = conf_of(kind), { type = "ecmp", script = path }
      local list = { cniVersion = "1.0.0", name = "net", plugins = { first, second } }
      local previewed = known(told_by_plan(list))
      second.cniVersion, second.name = list.cniVersion, list.name
      second.prevResult = pod:must(kind, "ADD", first)
      local added = known(told_by_add(second))
      -- Where a route stands in a list is the kernel's business here, what it says is not.
      local function sorted(lines)
        for i, line in ipairs(lines) do lines[i] = line:gsub("^([%w.]-)%.%d+", "%1") end
        table.sort(lines)
        return lines
      end
      assert.same(sorted(previewed), sorted(added))
    end)
  end

  -- The record of an ADD is the plan that was carried out, CHECK compares the kernel with it.
  it("of the examples come to the same plan, and CHECK finds it in the kernel", function()
    local seen = 0
    for _, name in ipairs(assert(sys.list "examples/rules")) do
      local stem = name:match "^(.+)%.json$"
      local conf = stem and assert(json.decode(assert(sys.read("examples/rules/" .. name))))
      if stem and stem ~= "refuse-duplicates" then
        conf.script = assert(sys.realpath(("examples/rules/%s.lua"):format(stem)))
        conf.dad = "skip"
        local file = directory .. "/conf.json"
        assert(sys.replace(file, json.encode(conf), tonumber("600", 8)))
        local args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue"
        local status, out, err = commandline.ecmp("plan", "--json", "--args", args, file)
        assert.equal(0, status, err)
        local result = pod:must(conf.type, "ADD", conf, { CNI_ARGS = args })
        local carried = assert(json.decode(assert(sys.read(
          ("/run/cni/ecmp/%s:c1:eth0.json"):format(conf.name)))))
        local planned, done = assert(json.decode(out)), (carried.steps or { carried })[1].plan
        for _, part in ipairs { "addresses", "routes", "sysctls" } do
          assert.same(planned[part], done[part], stem)
        end
        pod:must(conf.type, "CHECK", pods.after(conf, result), { CNI_ARGS = args })
        pod:must(conf.type, "DEL", conf)
        seen = seen + 1
      end
    end
    assert.is_true(seen >= 9)
  end)

  it("are followed by a CHECK that runs no rule", function()
    assert(sys.replace(path, "return {}", tonumber("600", 8)))
    local conf = conf_of("ecmp-bridge", { script = path })
    local result = pod:must("ecmp-bridge", "ADD", conf)
    assert(sys.replace(path, "error 'run'", tonumber("600", 8)))
    pod:must("ecmp-bridge", "CHECK", pods.after(conf, result))
    pod:must("ecmp-bridge", "DEL", conf)
  end)
end)
