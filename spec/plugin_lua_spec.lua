local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local dir

--- Writes a script that only we may write, and returns its path.
local function script(text, name, mode)
  local path <const> = dir .. "/" .. (name or "plugin.lua")
  assert(sys.create(path, text, mode or tonumber("644", 8)))
  return path
end

local function conf_of(path, changes)
  local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp-lua", script = path }
  for key, value in pairs(changes or {}) do conf[key] = value end
  return conf
end

local function call(command, conf, changes)
  return runtime.call("ecmp-lua", command, conf, changes)
end

--- What a plugin of this text answers to a verb.
local function answer(text, command, changes)
  local path <const> = script(text)
  local outcome <const> = call(command or "ADD", conf_of(path, changes))
  assert(sys.unlink(path))
  return outcome
end

--- The error that a plugin of this text ends in; the path is left out of it.
local function fault(text, command)
  local outcome <const> = answer(text, command)
  assert.equal(1, outcome.status)
  return outcome.json.code, (outcome.json.msg:gsub(dir:gsub("%p", "%%%0"), "DIR"))
end

describe("ecmp-lua", function()
  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  it("runs the verbs of the script, which gets the call", function()
    local text <const> = [[return {
      add = function(call)
        return { ips = { { address = call.conf.subject } }, dns = { search = { call.containerid,
          call.ifname, call.netns, call.args.K, call.command } } }
      end,
      del = function(call) io.stderr:write("gone ", call.containerid) end,
      check = function(call) return nil, "not as it was", 123 end,
      gc = function(call) return nil, #call.valid .. " valid", 999 end,
      status = function() return nil, "full", 50 end,
    }]]
    local path <const> = script(text)
    local conf <const> = conf_of(path, { subject = "10.0.0.9/24" })
    local added <const> = call("ADD", conf, { CNI_ARGS = "K=v" })
    assert.same({ 0, "10.0.0.9/24" }, { added.status, added.json.ips[1].address })
    assert.same({ "c1", "eth0", "/run/netns/nowhere", "v", "ADD" },
      { table.unpack(added.json.dns.search) })
    assert.same({ 0, "", "gone c1" }, (function(o) return { o.status, o.stdout, o.stderr } end)(
      call("DEL", conf)))
    assert.same({ 123, "not as it was" }, (function(o) return { o.json.code, o.json.msg } end)(
      call("CHECK", conf)))
    conf["cni.dev/valid-attachments"] = json.array()
    assert.equal("0 valid", call("GC", conf).json.msg)
    assert.equal(50, call("STATUS", conf).json.code)
  end)

  it("frees addresses in GC whatever becomes of the script's sweep", function()
    assert(sys.mkdir(dir .. "/lab"))
    local changes <const> = { ["cni.dev/valid-attachments"] = json.array(),
      ipam = { type = "ecmp-host-local", subnet = "10.0.0.0/24", dataDir = dir } }
    for body, expected in pairs {
      ["require('ecmp.cni').refuse(11, 'not now')"] = { 11, "^not now" },
      ["return nil, 'not now', 11"] = { 11, "^not now" },
      ["return nil, 'not now'"] = { 999, "^not now" },
      ["error 'broken'"] = { 100, "plugin.lua:%d: broken" },
    } do
      assert(sys.create(dir .. "/lab/10.0.0.5", "c9\r\neth0"))
      local path <const> = script(([[return require("ecmp.flow").verbs {
        attach = function() end,
        sweep = function() %s end }]]):format(body))
      local outcome <const> = call("GC", conf_of(path, changes))
      assert(sys.unlink(path))
      assert.same({ expected[1], body }, { outcome.json.code, body })
      assert.matches(expected[2], outcome.json.msg)
      assert.is_nil(sys.lstat(dir .. "/lab/10.0.0.5"))
    end
  end)

  it("succeeds at verbs that the script does not have", function()
    for _, command in ipairs { "DEL", "CHECK", "GC", "STATUS" } do
      assert.equal(0, answer("return {}", command).status)
    end
  end)

  it("answers VERSION without a script", function()
    assert.equal("1.1.0", call("VERSION", "").json.cniVersion)
  end)

  it("keeps what the script prints off stdout", function()
    local outcome <const> = answer([[
      print "at load"
      return { add = function()
        print("in", 1) io.write "w" io.stdout:write "s" os.execute "echo e"
        return { ips = { { address = "10.0.0.9/24" } } }
      end }]])
    assert.equal("10.0.0.9/24", outcome.json.ips[1].address)
    assert.equal("at load\nin\t1\nwse\n", outcome.stderr)
  end)

  it("lets the script require our modules, cjson, and the files beside it", function()
    script("return { name = ..., value = 42 }", "beside.lua")
    assert(sys.mkdir(dir .. "/pack", tonumber("755", 8)))
    script("return 'deep'", "pack/inner.lua")
    script("return 'init'", "pack/init.lua")
    script("error 'never'", "cjson.lua")
    local outcome <const> = answer([[
      local beside, cjson, ip = require "beside", require "cjson", require "ecmp.ip"
      return { add = function()
        return { ips = { { address = tostring(ip.parse "10.0.0.8/24" + 1) } }, dns = { search = {
          beside.name, tostring(beside.value), require "pack.inner", require "pack",
          cjson.encode { 1 } } } }
      end }]])
    assert.same({ "beside", "42", "deep", "init", "[1]" },
      { table.unpack(outcome.json.dns.search) })
    assert.equal("10.0.0.9/24", outcome.json.ips[1].address)
  end)

  it("names the file and the line of a fault, code 100", function()
    for text, message in pairs {
      ["\nreturn {"] = "DIR/plugin.lua:2: ",
      ["local x = nil\nreturn x.y"] = "DIR/plugin.lua:2: attempt to index a nil",
      ["return { add = function()\n error 'no' end }"] = "DIR/plugin.lua:2: no",
      ["return { add = function() error('no', 0) end }"] = "DIR/plugin.lua: no",
      ["return { add = function() error({}) end }"] = "DIR/plugin.lua: table: ",
      ["return 5"] = "DIR/plugin.lua: must return a table of verbs, not number",
      ["return { add = 5 }"] = "DIR/plugin.lua: add: must be a function, not number",
      ["return { add = function() end }"] = "DIR/plugin.lua: add: must return a result, not nil",
      ["return { add = function() return { ips = 5 } end }"] = "DIR/plugin.lua: result.ips: must",
      ["return { add = function() return { ips = { { address = 'x' } } } end }"] =
        "DIR/plugin.lua: result.ips%[1%].address: ",
      ["return { add = function() require 'none' end }"] = "DIR/plugin.lua:1: module 'none' not f",
    } do
      local code <const>, found <const> = fault(text)
      assert.same({ 100, text }, { code, text })
      assert.matches("^" .. message, found)
    end
  end)

  it("hands on the code that the script refuses with", function()
    assert.same({ 7, "the reason" },
      { fault "return { add = function() return nil, 'the reason', 7 end }" })
    assert.same({ 11, "later" },
      { fault "return { add = function() require('ecmp.cni').refuse(11, 'later') end }" })
  end)

  it("asks the script to take back an ADD whose result makes no sense", function()
    local outcome <const> = answer([[return {
      add = function() return 5 end,
      del = function(call) io.stderr:write(call.command, " ", call.containerid) end }]])
    assert.same({ 100, "DEL c1" }, { outcome.json.code, outcome.stderr })
  end)

  it("tells of a script that could not take it back", function()
    for _, text in ipairs { "return nil, 'still there'", "error('still there', 0)" } do
      local outcome <const> = answer(([[return {
        add = function() return 5 end,
        del = function() %s end }]]):format(text))
      assert.equal(100, outcome.json.code)
      assert.matches("^ecmp: undo of a failed ADD: .*still there", outcome.stderr)
    end
  end)

  describe("refuses, with the path and code 100,", function()
    local function refused(path, pattern)
      local outcome <const> = call("ADD", conf_of(path))
      assert.same({ 1, 100 }, { outcome.status, outcome.json.code })
      assert.matches(pattern, outcome.json.msg)
    end

    it("a script that is not there", function() refused(dir .. "/none.lua", "none.lua.*ENOENT") end)

    it("a script that others may write", function()
      local path <const> = script("return {}")
      assert(sys.chmod(path, tonumber("666", 8)))
      refused(path, "others may write .*plugin.lua %(mode 0666%)")
    end)

    it("a script in a directory that others may write, also behind a link", function()
      local path <const> = script("return {}")
      assert(sys.symlink(path, dir .. "/link.lua"))
      assert.equal(0, call("DEL", conf_of(dir .. "/link.lua")).status)
      assert(sys.chmod(dir, tonumber("777", 8)))
      refused(path, "others may write")
      local other <const> = helper.directory()
      assert(sys.symlink(path, other .. "/link.lua"))
      refused(other .. "/link.lua", "others may write")
      helper.remove(other)
    end)

    it("a file beside the script that others may write", function()
      script("return 1", "beside.lua")
      assert(sys.chmod(dir .. "/beside.lua", tonumber("666", 8)))
      refused(script("require 'beside' return {}"), "others may write .*beside.lua")
    end)

    it("bytecode", function()
      refused(script(string.dump(function() return {} end)), "plugin.lua: .*binary")
    end)
  end)

  it("needs the key script, and text for rules", function()
    for changes, message in pairs {
      [{ script = false }] = "^script: must be given", [{ script = "" }] = "^script: must be given",
      [{ rules = 5 }] = "^rules: must be a string",
    } do
      local outcome <const> = call("ADD", conf_of("/x", changes))
      assert.equal(7, outcome.json.code)
      assert.matches(message, outcome.json.msg)
    end
  end)

  it("STATUS says 50 where the script may not be run", function()
    local outcome <const> = call("STATUS", conf_of(dir .. "/none.lua", { cniVersion = "1.1.0" }))
    assert.same({ 1, 50 }, { outcome.status, outcome.json.code })
    assert.matches("none.lua", outcome.json.msg)
  end)

  for hop, message in pairs {
    ['{ via = "10.0.0.1" }'] = "result.routes[1].nexthops[2].via: unknown key (did you mean 'gw'?)",
    ['{ gw = "10.0.0.2", wieght = 3 }'] =
      "result.routes[1].nexthops[2].wieght: unknown key (did you mean 'weight'?)",
    ["{ weight = 3 }"] = "result.routes[1].nexthops[2]: must have a gw or a dev",
    ['{ gw = "10.0.0.300" }'] = "result.routes[1].nexthops[2].gw: ",
  } do
    it("refuses a result whose next hop is none: " .. hop, function()
      local path <const> = dir .. "/hops.lua"
      assert(sys.create(path, ([[return { add = function()
        return { ips = { { address = "10.0.0.9/24" } }, routes = { { dst = "0.0.0.0/0",
          nexthops = { { gw = "10.0.0.1" }, %s } } } }
      end }]]):format(hop), tonumber("644", 8)))
      local outcome <const> = call("ADD", conf_of(path))
      assert.equal(100, outcome.json.code)
      assert.matches(message, outcome.json.msg, 1, true)
    end)
  end

  it("DEL goes on without a script, and says why on stderr", function()
    local outcome <const> = call("DEL", conf_of(dir .. "/none.lua"), { CNI_NETNS = "" })
    assert.same({ 0, "" }, { outcome.status, outcome.stdout })
    assert.matches("DEL goes on: .*none.lua", outcome.stderr)
    assert.equal(0, call("DEL", conf_of(nil, { script = 7 }), { CNI_NETNS = "" }).status)
  end)
end)

describe("the example plugin #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function()
    pod:close()
    record.sweep("lab", function() return false end)
  end)

  local function example(name, changes)
    local conf <const> = {
      cniVersion = "1.1.0", name = "lab", type = "ecmp-lua", dad = "skip",
      script = assert(sys.realpath("examples/plugins/" .. name .. ".lua")),
      ipam = { type = "ecmp-static", routes = json.array {
        { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } },
        addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.1" } } },
    }
    for key, value in pairs(changes or {}) do conf[key] = value end
    return conf
  end

  --- ADD, CHECK, then what `body` looks at, DEL; nothing may be left of it.
  local function lives(conf, body)
    local before <const> = pod:ip("pod", "addr show")
    local result <const> = pod:must("ecmp-lua", "ADD", conf)
    pod:must("ecmp-lua", "CHECK", pod_of.after(conf, result))
    body(result)
    pod:must("ecmp-lua", "DEL", pod_of.after(conf, result))
    assert.equal(before, pod:ip("pod", "addr show"))
    assert.equal("", pod:ip("host", "link show type veth"))
    assert.is_nil(sys.stat(record.path { conf = conf, containerid = "c1", ifname = "eth0" }))
  end

  local both <const> = "default nexthop via 10.0.0.1 dev eth0 weight 1 "
    .. "nexthop via 10.0.0.2 dev eth0 weight 1"

  it("own-ptp is a whole plugin", function()
    lives(example("own-ptp"), function(result)
      assert.same({ both }, pod:routes())
      assert.matches("10.0.0.9 dev pc1 scope link", pod:ip("host", "route"))
      assert.same({ "pc1", "eth0", 1 }, { result.interfaces[1].name, result.interfaces[2].name,
        result.ips[1].interface })
    end)
  end)

  it("own-ptp takes back an ADD that fails, and obeys rules", function()
    local before <const> = pod:snapshot()
    local conf <const> = example("own-ptp", { merge = "reject" })
    assert.equal(7, pod:call("ecmp-lua", "ADD", conf).json.code)
    assert.equal(before, pod:snapshot())
    conf.rules, conf.merge = assert(sys.realpath("examples/rules/failover.lua")), nil
    pod:must("ecmp-lua", "ADD", conf)
    assert.same({ "default via 10.0.0.1 dev eth0 metric 100",
      "default via 10.0.0.2 dev eth0 metric 200" }, pod:routes())
  end)

  it("known-neighbours adds a step to the stock bridge", function()
    local neighbours <const> = { ["10.0.0.1"] = "02:00:00:00:00:01" }
    local conf <const> = example("known-neighbours", { bridge = "br0", neighbours = neighbours })
    lives(conf, function(result)
      assert.same({ both }, pod:routes())
      assert.matches("10.0.0.1 dev eth0 lladdr 02:00:00:00:00:01 PERMANENT", pod:ip("pod", "neigh"))
      pod:ip("pod", "neigh del 10.0.0.1 dev eth0")
      assert.matches("neighbour 10.0.0.1 is not", pod:call("ecmp-lua", "CHECK",
        pod_of.after(conf, result)).json.msg)
    end)
    conf.neighbours = { nonsense = "x" }
    assert.equal(1, pod:call("ecmp-lua", "ADD", conf).status)
    assert.is_nil(pod:ip("pod", "link"):find("eth0"))
  end)

  it("site-dns lets another plugin work and reworks its result", function()
    for _, other in ipairs { "ecmp-bridge", "bridge" } do
      if other:find("^ecmp") or sys.stat(pod_of.reference .. "/bridge") then
        local conf <const> = example("site-dns",
          { delegate = other, bridge = "br0", search = json.array { "site.example" } })
        if other == "bridge" then conf.cniVersion, conf.ipam.type = "1.0.0", "static" end
        lives(conf, function(result)
          assert.same({ "10.0.0.1" }, { table.unpack(result.dns.nameservers) })
          assert.same({ "site.example" }, { table.unpack(result.dns.search) })
          assert.same({ "br0", "eth0", 2 }, { result.interfaces[1].name,
            result.interfaces[3].name, result.ips[1].interface })
        end)
      end
    end
    assert.equal(7, pod:call("ecmp-lua", "ADD", example("site-dns")).json.code)
  end)
end)
