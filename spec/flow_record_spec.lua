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
    local file <const> = assert(sys.stat "/run/cni/ecmp/net-c1-eth0.json")
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
    local half <const> = "/run/cni/ecmp/net-c1-eth0.json.new"
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

  it("of another attachment with the same file name is not taken for ours", function()
    local other <const> = call_of { conf = json.decode '{"name":"net-c1"}', containerid = "x" }
    local mine <const> = call_of { containerid = "c1-x" }
    assert.equal(record.path(other), record.path(mine))
    assert(record.save(other, { note = "theirs" }, true))
    assert.is_nil(record.load(mine))
    local saved <const>, message, code = record.save(mine, {}, true)
    assert.is_nil(saved)
    assert.equal("EEXIST", code)
    assert.matches("belongs to container x of network net%-c1", message)
    assert(record.remove(mine))
    assert.equal("theirs", record.load(other).note)
  end)

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
