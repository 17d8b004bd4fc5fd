local helper = require "spec.helper"
local json = require "ecmp.json"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

-- /run is a private mount in the sandbox that specs run in.
describe("the record of an ADD #netns", function()
  local function call_of(changes)
    local call <const> = {
      conf = json.decode '{"name":"net"}', containerid = "c1", ifname = "eth0", netns = "/ns/1",
      plugin = "bridge",
    }
    for key, value in pairs(changes or {}) do call[key] = value end
    return call
  end

  after_each(function()
    for _, name in ipairs(sys.list(record.directory) or {}) do
      sys.unlink(record.directory .. "/" .. name)
    end
  end)

  it("is found again under network, container and interface, and is root's alone", function()
    assert(record.save(call_of(), { wanted = {}, note = "one" }, true))
    assert.equal("one", record.load(call_of()).note)
    assert.is_nil(record.load(call_of { containerid = "c2" }))
    local file <const> = assert(sys.stat "/run/cni/ecmp/net:c1:eth0.json")
    assert.equal(tonumber("600", 8), file.mode & tonumber("777", 8))
  end)

  it("holds a step for each plugin of a chain, and goes with the last one", function()
    assert(record.save(call_of(), { note = "main" }, true))
    assert(record.save(call_of { plugin = "ecmp" }, { note = "chained" }, false))
    local step <const>, later <const> = record.load(call_of())
    assert.same({ "main", 1, "chained" }, { step.note, #later, later[1].note })
    assert(record.remove(call_of { plugin = "ecmp" }))
    assert.equal("main", record.load(call_of()).note)
    assert(record.remove(call_of()))
    assert.same({}, sys.list(record.directory))
    assert(record.remove(call_of()))
  end)

  it("tells plugins of one type in one chain apart by their configuration", function()
    local function ecmp(text)
      return call_of { plugin = "ecmp", conf = json.decode(text) }
    end
    local one <const>, two <const> = ecmp '{"name":"net","merge":"first"}', ecmp '{"name":"net"}'
    assert(record.save(one, { note = "one" }, false))
    assert(record.save(two, { note = "two" }, false))
    local step <const>, later <const> = record.load(one)
    assert.same({ "one", 1, "two" }, { step.note, #later, later[1].note })
    -- What the runtime adds makes no difference, and what was changed since still finds a step.
    assert.equal("one",
      record.load(ecmp '{"prevResult":{"ips":[]},"merge":"first","name":"net"}').note)
    assert.equal("two", record.load(ecmp '{"name":"net","merge":"reject"}').note)
    assert(record.remove(two))
    assert.equal("one", record.load(one).note)
  end)

  it("is gone without a trace, also what was to take its place when its maker was killed", function()
    assert(record.save(call_of(), { note = "main" }, true))
    local half <const> = "/run/cni/ecmp/net:c1:eth0.json.new"
    assert(sys.create(half, "{"))
    assert(record.save(call_of { plugin = "ecmp" }, { note = "chained" }, false))
    assert.is_nil(sys.lstat(half))
    assert(record.remove(call_of { plugin = "ecmp" }))
    assert(sys.create(half, "{"))
    assert(record.remove(call_of()))
    assert.same({}, sys.list(record.directory))
  end)

  it("of a pod that is no more gives way to the next ADD", function()
    assert(record.save(call_of(), { note = "old" }, true))
    assert(record.save(call_of { netns = "/ns/2" }, { note = "new" }, true))
    assert(record.remove(call_of()))
    assert.is_nil(record.load(call_of()))
  end)

  it("has a name of its own, whatever network and container are called", function()
    local one <const> = call_of { conf = json.decode '{"name":"net-c1"}', containerid = "x" }
    local other <const> = call_of { containerid = "c1-x" }
    assert(record.save(one, { note = "one" }, true))
    assert(record.save(other, { note = "other" }, true))
    assert.same({ "one", "other" }, { record.load(one).note, record.load(other).note })
    assert(record.remove(other))
    assert.equal("one", record.load(one).note)
    assert.same({}, record.sweep("net", function() return false end))
    assert.equal("one", record.load(one).note)
  end)

  -- What a file holds, under the old name or the new one.
  local function put(name, text)
    assert(sys.mkdir(record.directory, tonumber("755", 8)))
    assert(sys.replace(record.directory .. "/" .. name, text, tonumber("600", 8)))
  end

  local function quiet(script)
    local outcome <const> = helper.lua(([[
      local record, json = require "ecmp.flow.record", require "ecmp.json"
      local call = { conf = json.decode '{"name":"net"}', containerid = "c1", ifname = "eth0",
        netns = "/ns/1", plugin = "bridge" }
      %s]]):format(script), { stderr = "capture" })
    assert.equal(0, outcome.status, outcome.stderr)
    return outcome.stdout, outcome.stderr
  end

  it("says its format, whose pod it is and what its plugin was given, but for this call", function()
    assert(record.save(call_of { path = "/opt/cni/bin", args = { K8S_POD_NAMESPACE = "blue",
      K8S_POD_NAME = "web-1", IgnoreUnknown = "1" }, conf = json.decode [[{"name":"net",
      "cniVersion":"1.1.0","merge":"first","prevResult":{},"runtimeConfig":{"ips":["10.0.0.9"]}}]] },
      { note = "one" }, true))
    local held <const> = assert(json.decode(assert(sys.read "/run/cni/ecmp/net:c1:eth0.json")))
    assert.same({ 1, "blue", "web-1", "/opt/cni/bin" },
      { held.format, held.K8S_POD_NAMESPACE, held.K8S_POD_NAME, held.path })
    assert.same({ name = "net", cniVersion = "1.1.0", merge = "first" },
      json.decode(json.encode(held.steps[1].conf)))
  end)

  it("gets what the plugin gave, when that is done", function()
    local call <const> = call_of()
    assert(record.save(call, { note = "one" }, true))
    assert(record.add(call, { result = { interfaces = { { name = "eth0" } } } }))
    assert.equal("eth0", record.load(call).result.interfaces[1].name)
  end)

  it("is as before when an ADD is taken back", function()
    assert(record.save(call_of(), { note = "living" }, true))
    local undo <const> = assert(record.save(call_of(), { note = "second" }, true))
    assert.equal("second", record.load(call_of()).note)
    undo()
    assert.equal("living", record.load(call_of()).note)
    assert(record.remove(call_of()))
    assert(record.save(call_of(), {}, true))()
    assert.same({}, sys.list(record.directory))
  end)

  describe("by the name that versions before format 1 gave it", function()
    local OLD <const> = '{"network":"net","containerid":"c1","ifname":"eth0","netns":"/ns/1",'
      .. '"steps":[{"plugin":"bridge","note":"old"}]}'

    before_each(function() put("net-c1-eth0.json", OLD) end)

    it("is found, and taken away", function()
      assert.equal("old", record.load(call_of()).note)
      assert.is_nil(record.load(call_of { containerid = "c1-eth0", ifname = "x" }))
      assert(record.remove(call_of()))
      assert.same({}, sys.list(record.directory))
    end)

    it("is swept", function()
      assert.same({}, record.sweep("other", function() return false end))
      assert.equal("old", record.load(call_of()).note)
      assert.same({}, record.sweep("net", function() return false end))
      assert.same({}, sys.list(record.directory))
    end)

    it("is replaced when a plugin behind adds its step, and comes back when that fails", function()
      local undo <const> = assert(record.save(call_of { plugin = "ecmp" }, { note = "new" }, false))
      assert.same({ "net:c1:eth0.json" }, sys.list(record.directory))
      assert.equal("old", record.load(call_of()).note)
      undo()
      assert.same({ "old", nil }, { record.load(call_of()).note, record.load(call_of {
        plugin = "ecmp" }) })
    end)

    it("is another attachment's where it says so", function()
      local other <const> = call_of { conf = json.decode '{"name":"net-c1"}', containerid = "eth0",
        ifname = "x" }
      put("net-c1-eth0-x.json", OLD)
      assert.is_nil(record.load(other))
      assert(record.remove(other))
      assert.is_truthy(sys.lstat(record.directory .. "/net-c1-eth0-x.json"))
    end)
  end)

  it("of a later format is left as it is, and nothing is added to it", function()
    put("net:c1:eth0.json", '{"format":2,"network":"net","steps":"anything"}')
    local out <const>, err <const> = quiet [[
      local step, later, newer = record.load(call)
      print(step, later, newer)
      print(record.save(call, {}, false))
      print(record.remove(call))
      print(#record.sweep("net", function() return false end))]]
    local why <const> = "record /run/cni/ecmp/net:c1:eth0.json: is of format 2, this version knows 1"
    assert.equal(("nil\tnil\t%s\nnil\t%s\tEEXIST\ntrue\n0\n"):format(why, why), out)
    assert.matches("left as it is, a later version made it", err)
    assert.is_truthy(sys.lstat "/run/cni/ecmp/net:c1:eth0.json")
  end)

  local whose <const> = '"network":"net","containerid":"c1","ifname":"eth0",'
  for _, text in ipairs {
    "", "null", "[]", "5", '"x"', "{}", '{"network":', '{"network":"net"}',
    '{"network":"net","containerid":5,"ifname":null,"steps":[]}',
    '{"format":"1",' .. whose .. '"steps":[]}', '{"format":-1,' .. whose .. '"steps":[]}',
    "{" .. whose .. '"steps":5}', "{" .. whose .. '"steps":[1]}', "{" .. whose .. '"steps":[[1]]}',
    "{" .. whose .. '"steps":{"a":1}}', "{" .. whose .. '"steps":"abc"}',
    "{" .. whose .. '"steps":[{}]}', "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":"x"}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":[1]}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":[{}]}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":[{"dst":"x","nexthops":[]}]}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":[{"dst":"::/0","nexthops":"x"}]}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":[{"dst":"::/0","nexthops":[3]}]}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","wanted":[{"dst":"::/0","nexthops":[{"via":7}]}]}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","found":3}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","sysctls":7}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","sysctls":{"a":{}}}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","objects":"q"}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","objects":{"hops":[{}]}}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","masquerade":"../x"}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","plan":"p"}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","plan":{"addresses":[{"address":"x"}]}}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","plan":{"sysctls":[1]}}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","result":{"interfaces":[4]}}]}',
    "{" .. whose .. '"steps":[{"plugin":"bridge","conf":"x"}]}',
  } do
    it("is none, and told of, in a file that holds " .. text, function()
      put("net:c1:eth0.json", text)
      local out <const>, err <const> = quiet [[
        print(record.load(call))
        print(record.save(call, { note = "new" }, false) and record.load(call).note)
        print(record.remove(call), #require("ecmp.sys").list(record.directory))]]
      assert.equal("nil\tnil\nnew\ntrue\t0\n", (out:gsub("\tnil\n", "\n", 1)))
      assert.matches("ecmp: record /run/cni/ecmp/net:c1:eth0.json: .*; it counts as absent", err)
      put("net:c1:eth0.json", text)
      quiet [[print(#record.sweep("net", function(was) return was.containerid == "c1" end))]]
      assert.is_truthy(sys.lstat "/run/cni/ecmp/net:c1:eth0.json")
      quiet [[print(#record.sweep("net", function(was) return was.containerid == "c2" end))]]
      assert.is_nil(sys.lstat "/run/cni/ecmp/net:c1:eth0.json")
    end)
  end

  it("has a name that fits into a directory, however long the container's is", function()
    local one <const>, two <const> = ("a"):rep(300) .. "1", ("a"):rep(300) .. "2"
    for _, id in ipairs { one, two } do
      assert(record.save(call_of { containerid = id }, { note = id }, true))
    end
    assert.equal(one, record.load(call_of { containerid = one }).note)
  end)

  it("that is half a record counts as none", function()
    assert(sys.mkdir(record.directory, tonumber("755", 8)))
    assert(sys.replace(record.path(call_of()), '{"network":', tonumber("600", 8)))
    assert.is_nil(record.load(call_of()))
    assert(record.remove(call_of()))
    assert.same({}, sys.list(record.directory))
  end)

  it("goes with a sweep unless it is to be kept", function()
    assert(record.save(call_of(), {}, true))
    assert(record.save(call_of { containerid = "c2" }, {}, true))
    assert.same({}, record.sweep("net", function(was) return was.containerid == "c1" end))
    assert.is_truthy(record.load(call_of()))
    assert.is_nil(record.load(call_of { containerid = "c2" }))
  end)
end)
