local json = require "ecmp.json"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local conf <const> = { cniVersion = "1.1.0", name = "net", type = "x" }

local function with(changes)
  local copy <const> = {}
  for key, value in pairs(conf) do copy[key] = value end
  for key, value in pairs(changes) do copy[key] = value or nil end
  return copy
end

--- Runs a plugin whose table of verbs is `verbs`, as Lua text.
local function plugin(verbs, command, input, env, options)
  return runtime.script(("cni.main({ %s }, %s)"):format(verbs, options or "nil"), command,
    input or conf, env)
end

local function assert_error(outcome, code, text)
  assert.equal(1, outcome.status)
  assert.equal(code, outcome.json.code, outcome.stdout)
  if text then assert.truthy(outcome.json.msg:find(text, 1, true), outcome.json.msg) end
end

describe("a plugin made by cni.main", function()
  it("answers VERSION without reading stdin", function()
    local outcome <const> = plugin("", "VERSION", "no JSON at all")
    assert.equal(0, outcome.status)
    assert.equal("1.1.0", outcome.json.cniVersion)
    assert.same({ "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" },
      outcome.json.supportedVersions)
  end)

  it("answers VERSION with the versions it was given", function()
    local outcome <const> = plugin("", "VERSION", "", nil, "{ versions = { '0.4.0' } }")
    assert.same({ "0.4.0" }, outcome.json.supportedVersions)
  end)

  it("prints the result of add in the version of the config", function()
    local add <const> = "add = function() return { ips = { { address = '10.0.0.2/24' } } } end"
    local outcome <const> = plugin(add, "ADD")
    assert.equal(0, outcome.status)
    assert.equal('{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.2/24"}]}',
      json.encode(outcome.json))
    assert.equal('{"cniVersion":"0.2.0","dns":{},"ip4":{"ip":"10.0.0.2/24"}}',
      json.encode(plugin(add, "ADD", with { cniVersion = "0.2.0" }).json))
    assert.equal("0.1.0", plugin(add, "ADD", with { cniVersion = false }).json.cniVersion)
    assert.equal("0.1.0", plugin(add, "ADD", with { cniVersion = "" }).json.cniVersion)
  end)

  for _, command in ipairs { "DEL", "CHECK", "GC", "STATUS" } do
    it("succeeds in silence for a missing " .. command, function()
      local outcome <const> = plugin("", command)
      assert.equal(0, outcome.status)
      assert.equal("", outcome.stdout)
      assert.equal("", outcome.stderr)
    end)

    it("prints nothing after " .. command .. ", whatever it returned", function()
      local verbs <const> = command:lower() .. " = function() return { a = 1 } end"
      local outcome <const> = plugin(verbs, command)
      assert.equal(0, outcome.status)
      assert.equal("", outcome.stdout)
    end)
  end

  it("keeps print and io.write of its verbs off stdout", function()
    local outcome <const> = plugin([[add = function()
      print("one", 2) io.write("three\n") io.stdout:write("four\n")
      return { dns = {} } end]], "ADD")
    assert.equal('{"cniVersion":"1.1.0"}', json.encode(outcome.json))
    assert.equal("one\t2\nthree\nfour\n", outcome.stderr)
  end)

  it("keeps what commands of its verbs print off stdout", function()
    local outcome <const> = plugin([[add = function()
      os.execute("echo one")
      local pipe = io.popen("cat", "w") pipe:write("two\n") pipe:close()
      io.stderr:write(io.popen("echo three"):read("a"))
      return { dns = {} } end]], "ADD")
    assert.equal('{"cniVersion":"1.1.0"}', json.encode(outcome.json))
    assert.equal("one\ntwo\nthree\n", outcome.stderr)
  end)

  it("gives its verbs the call", function()
    local outcome <const> = plugin([[add = function(call)
      local c = call
      print(c.command, c.containerid, c.netns, c.ifname, c.args.A, c.path, c.conf.ipam.type,
        c.version, c.prev.ips[1].address, c.stdin:sub(1, 1), c.plugin, c.dropin)
      return c.prev end]], "ADD",
      '{"cniVersion":"1.0.0","name":"n","IPAM":{"Type":"t"},'
      .. '"prevResult":{"ips":[{"address":"::ffff:10.0.0.2/120"}],"x":[5.0]}}',
      { CNI_ARGS = "A=1" }, "{ plugin = 'p' }")
    assert.equal(0, outcome.status, outcome.stdout)
    assert.equal("ADD\tc1\t/run/netns/nowhere\teth0\t1\t/usr/lib/cni\tt\t1.0.0\t10.0.0.2/24\t{\tp"
      .. "\tfalse\n", outcome.stderr)
    assert.equal('{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}],"x":[5.0]}',
      json.encode(outcome.json))
  end)

  it("prints its about text for a call without a command", function()
    for _, env in ipairs { { CNI_COMMAND = false }, { CNI_COMMAND = "" } } do
      local outcome <const> = plugin("", nil, "", env, "{ about = 'a fine plugin' }")
      assert.equal(0, outcome.status)
      assert.equal("", outcome.stdout)
      assert.truthy(outcome.stderr:find("^a fine plugin\n[^\n]*0%.1%.0[^\n]*1%.1%.0\n$"))
    end
    assert_error(plugin("", nil, "", { CNI_COMMAND = false }), 4, "[CNI_COMMAND]")
  end)
end)

describe("a refusal", function()
  for what, case in pairs {
    ["returned with a number"] = { "return nil, 'm', 7, 'd'", 7 },
    ["returned with a symbol"] = { "return nil, 'm', 'ENETUNREACH', 'd'", 999 },
    ["returned with a symbol that means later"] = { "return nil, 'm', 'EAGAIN', 'd'", 11 },
    ["returned without a code"] = { "return nil, 'm', nil, 'd'", 999 },
    ["thrown by cni.refuse"] = { "cni.refuse(cni.codes.script, 'm', 'd')", 100 },
    ["thrown by cni.try"] = { "cni.try(nil, 'm', 'EBUSY', 'd')", 11 },
    ["thrown by cni.try for false"] = { "cni.try(false, 'm', 50, 'd')", 50 },
  } do
    it(what .. " becomes an error object", function()
      local outcome <const> = plugin(("add = function() %s end"):format(case[1]), "ADD")
      assert.equal(1, outcome.status)
      assert.equal(json.encode { cniVersion = "1.1.0", code = case[2], msg = "m", details = "d" },
        json.encode(outcome.json))
    end)
  end

  it("of a fault in the program is 999 with where it happened", function()
    local outcome <const> = plugin("add = function() local x = nil; return x.y end", "ADD")
    assert_error(outcome, 999, "internal error: (command line):1: attempt to index")
    assert.truthy(outcome.json.details:find("traceback", 1, true))
  end)

  it("of a strange throw is one too", function()
    assert_error(plugin("add = function() error({}) end", "ADD"), 999, "internal error: table")
    assert_error(plugin("add = function() error() end", "ADD"), 999, "internal error: nil")
  end)

  it("leaves values that pass through cni.try alone", function()
    local outcome <const> = plugin(
      "add = function() print(cni.try(1, 2, 3, 4, 5)) return {} end", "ADD")
    assert.equal("1\t2\t3\t4\t5\n", outcome.stderr)
  end)

  it("speaks the version of the config", function()
    local outcome <const> = plugin("add = function() return nil, 'm' end", "ADD",
      with { cniVersion = "0.4.0" })
    assert.equal("0.4.0", outcome.json.cniVersion)
  end)
end)

describe("an ADD", function()
  for what, body in pairs {
    ["returns nothing"] = "end", ["returns text"] = "return 'x' end",
    ["returns what is no result"] = "return { ips = { {} } } end",
    ["returns no address for 0.2.0"] = "return {} end",
  } do
    it("that " .. what .. " has failed and is undone", function()
      local version <const> = what:find("0.2.0", 1, true) and "0.2.0" or "1.1.0"
      local outcome <const> = plugin("add = function() " .. body
        .. ", del = function(call) print('undone', call.command) end", "ADD",
        with { cniVersion = version })
      assert_error(outcome, 999)
      assert.equal("undone\tDEL\n", outcome.stderr)
    end)
  end

  it("that could not be undone says so", function()
    for _, undo in ipairs { "del = function() return nil, 'still there' end",
      "give_back = function() return nil, 'still there' end",
      "give_back = function() require('ecmp.cni').refuse(11, 'still there') end" } do
      local outcome <const> = plugin("add = function() end, " .. undo, "ADD", conf)
      assert_error(outcome, 999)
      assert.equal("ecmp: undo of a failed ADD: still there\n", outcome.stderr)
    end
  end)

  it("whose result nobody can read has failed and is undone", function()
    local outcome <const> = runtime.run({ "sh", "-c",
      [[lua5.4 -e "require('ecmp.cni').main({ add = function() return {} end,
        del = function() print('undone') end })" > /dev/full; echo "{\"status\":$?}"]] }, conf)
    assert.equal(1, outcome.json.status)
    assert.truthy(outcome.stderr:find("ENOSPC", 1, true), outcome.stderr)
    assert.truthy(outcome.stderr:find("undone", 1, true), outcome.stderr)
  end)
end)

describe("the order of decisions", function()
  local function static(...) return runtime.call("ecmp-static", ...) end

  for _, case in ipairs {
    -- what, command, input, env, code, text
    { "environment before stdin", "ADD", "no JSON", { CNI_IFNAME = "a/b" }, 4, "CNI_IFNAME" },
    { "missing variables at once", "ADD", "", { CNI_NETNS = "", CNI_PATH = false }, 4,
      "[CNI_NETNS,CNI_PATH]" },
    { "JSON before the verb", "FOO", "no JSON", nil, 6 },
    { "the verb after the JSON", "FOO", conf, nil, 4, "unknown CNI_COMMAND: FOO" },
    { "verbs in capitals only", "add", conf, nil, 4, "unknown CNI_COMMAND: add" },
    { "the verb before the version", "FOO", with { cniVersion = "9.9.9" }, nil, 4, "FOO" },
    { "empty input", "ADD", "", nil, 6, "empty" },
    { "a byte order mark", "ADD", "\u{FEFF}{}", nil, 6 },
    { "a list", "ADD", "[]", nil, 6, "must be a JSON object" },
    { "a number", "ADD", "5.5", nil, 6, "must be a JSON object" },
    { "null", "ADD", "null", nil, 6 },
    { "text behind", "ADD", '{"name":"n"} x', nil, 6 },
    { "no name", "ADD", with { name = false }, nil, 7, "name" },
    { "an empty name", "ADD", with { name = "" }, nil, 7, "name" },
    { "a bad name", "ADD", with { name = "a/b" }, nil, 7, "name" },
    { "a name that is no string", "ADD", with { name = 5 }, nil, 6, "name" },
    { "a name before the version", "ADD", with { name = false, cniVersion = 5 }, nil, 7, "name" },
    { "a version that is no string", "ADD", with { cniVersion = 1 }, nil, 6, "cniVersion" },
    { "an unknown version", "ADD", with { cniVersion = "9.9.9" }, nil, 1, "incompatible" },
    { "a version by another spelling", "ADD", with { cniVersion = "1.0" }, nil, 1, "incompatible" },
    { "CHECK before 0.4.0", "CHECK", with { cniVersion = "0.3.1" }, nil, 1,
      "config version does not allow CHECK" },
    { "GC before 1.1.0", "GC", with { cniVersion = "1.0.0" }, nil, 1, "does not allow GC" },
    { "a version that is none, for CHECK", "CHECK", with { cniVersion = "x" }, nil, 6, "'x'" },
    { "the version before the namespace", "ADD", with { cniVersion = "9.9.9" },
      { CNI_NETNS = "/proc/self/ns/net" }, 1 },
    { "the plugin's own namespace", "ADD", with { ipam = {} },
      { CNI_NETNS = "/proc/self/ns/net" }, 8, "/proc/self/ns/net" },
    { "the plugin's own namespace on DEL", "DEL", conf, { CNI_NETNS = "/proc/self/ns/net" }, 8 },
    { "the namespace before the plugin's own keys", "ADD", with { ipam = false },
      { CNI_NETNS = "/proc/self/ns/net" }, 8 },
    { "a prevResult of another family", "ADD", with { prevResult = { cniVersion = "0.4.0" } },
      nil, 7, "prevResult.cniVersion" },
    { "a prevResult that is none", "ADD", with { prevResult = "x" }, nil, 7, "prevResult" },
    { "the word for the result", "ADD", with { result = "both" }, nil, 7, "result: must be" },
    { "a result word of another kind", "ADD", with { result = 5 }, nil, 7, "result: must be" },
    { "nesting without end", "ADD", ('{"a":'):rep(5000), nil, 6, "levels deep" },
  } do
    it("judges " .. case[1], function()
      assert_error(static(case[2], case[3], case[4]), case[5], case[6])
    end)
  end

  for _, value in ipairs { "1", "true", "TRUE" } do
    it("lets CNI_NETNS_OVERRIDE=" .. value .. " have the plugin's own namespace", function()
      local outcome <const> = static("ADD", with { ipam = json.decode "{}" },
        { CNI_NETNS = "/proc/self/ns/net", CNI_NETNS_OVERRIDE = value })
      assert.equal(0, outcome.status, outcome.stdout)
    end)
  end

  it("puts the offending value into the details", function()
    assert.equal("a/b", static("ADD", with { name = "a/b" }).json.details)
    assert.truthy(static("ADD", with { cniVersion = "9.9.9" }).json.details:find("9.9.9", 1, true))
  end)

  it("takes an input of a megabyte", function()
    local outcome <const> = static("ADD", with { ipam = json.decode "{}", x = ("y"):rep(2 ^ 20) })
    assert.equal(0, outcome.status)
  end)

  it("takes an input of 17 megabytes for a mistake", function()
    assert_error(static("ADD", with { x = ("y"):rep(17 * 2 ^ 20) }), 6, "larger than")
  end)

  it("reports a stdin that cannot be read", function()
    local outcome <const> = runtime.run({ "sh", "-c",
      [[lua5.4 -e "require('ecmp.cni').main {}" < /]] }, "")
    assert_error(outcome, 5, "stdin")
  end)
end)

describe("DEL", function()
  for what, input in pairs {
    ["an unknown version"] = with { cniVersion = "9.9.9" },
    ["a version that is no string"] = with { cniVersion = 5 },
    ["a prevResult that is none"] = with { prevResult = "x" },
    ["a prevResult of another family"] = with { prevResult = { cniVersion = "0.4.0" } },
    ["an ipam that is none"] = with { ipam = "x" },
    ["an empty prevResult"] = with { prevResult = json.decode "{}" },
  } do
    it("succeeds with " .. what, function()
      local outcome <const> = runtime.call("ecmp-static", "DEL", input)
      assert.equal(0, outcome.status, outcome.stdout)
      assert.equal("", outcome.stdout)
    end)
  end

  it("says on stderr what it overlooked", function()
    local outcome <const> = runtime.call("ecmp-static", "DEL", with { cniVersion = "9.9.9" })
    assert.truthy(outcome.stderr:find("9.9.9", 1, true))
  end)

  for _, netns in ipairs { "", "/nonexistent", "/proc/self/fd" } do
    it(("succeeds with the namespace '%s'"):format(netns), function()
      assert.equal(0, runtime.call("ecmp-static", "DEL", conf, { CNI_NETNS = netns }).status)
    end)
  end

  it("needs JSON and a name all the same", function()
    assert_error(runtime.call("ecmp-static", "DEL", "{"), 6)
    assert_error(runtime.call("ecmp-static", "DEL", with { name = false }), 7)
  end)
end)

describe("GC", function()
  local function valid(text)
    return plugin([[gc = function(call)
      if not call.valid then return print("no list") end
      for _, a in ipairs(call.valid) do io.write(a.containerid, "/", a.ifname, " ") end
      print(#call.valid) end]], "GC", ('{"cniVersion":"1.1.0","name":"n"%s}'):format(text))
  end

  for text, wanted in pairs {
    [""] = "no list\n", [',"cni.dev/valid-attachments":null'] = "no list\n",
    [',"cni.dev/valid-attachments":[]'] = "0\n",
    [',"cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"}]'] = "a/eth0 1\n",
    [',"cni.dev/attachments":[{"containerID":"b","ifname":"eth1"}]'] = "b/eth1 1\n",
    [',"cni.dev/attachments":[],"cni.dev/valid-attachments":[{"containerID":"a","ifname":"e"}]'] =
      "a/e 1\n",
  } do
    it("tells apart what the runtime said: " .. text, function()
      local outcome <const> = valid(text)
      assert.equal(0, outcome.status, outcome.stdout)
      assert.equal(wanted, outcome.stderr)
    end)
  end

  for _, list in ipairs { "{}", "5", '"x"', "[{}]", "[null]", '[{"containerID":"a"}]' } do
    it("frees nothing for a list that makes no sense: " .. list, function()
      local outcome <const> = valid(',"cni.dev/valid-attachments":' .. list)
      assert_error(outcome, 7, "cni.dev/valid-attachments")
      assert.equal("", outcome.stderr)
    end)
  end
end)

describe("cni.invoke", function()
  local cni <const> = require "ecmp.cni"

  it("runs a verb of another plugin with the same call and its own command", function()
    local call <const> = { command = "ADD", plugin = "a", containerid = "c" }
    local seen
    local verbs <const> = {
      add = function(c) seen = c return { ips = {} } end, del = function() end,
    }
    assert.same({ ips = {} }, cni.invoke(verbs, call))
    assert.same(call, seen)
    assert.is_true(cni.invoke(verbs, call, "DEL"))
    assert.is_true(cni.invoke(verbs, call, "CHECK"))
    cni.invoke(verbs, call, "ADD", "b")
    assert.equal("b", seen.plugin)
    assert.equal("a", call.plugin)
  end)

  it("returns refusals, and faults too", function()
    local value, message, code, details = cni.invoke(
      { add = function() cni.refuse(7, "m", "d") end }, { command = "ADD" })
    assert.same({ nil, "m", 7, "d" }, { value, message, code, details })
    value, message, code = cni.invoke({ add = function() error("x", 0) end }, { command = "ADD" })
    assert.same({ nil, "internal error: x", 999 }, { value, message, code })
  end)

  it("runs static in this process", function()
    local conf_text <const> = '{"ipam":{"addresses":[{"address":"10.0.0.2/24"}],'
      .. '"routes":[{"dst":"::/0","gws":["fe80::1","fe80::2"]}]}}'
    local call <const> = { command = "ADD", conf = json.decode(conf_text), version = "0.2.0" }
    local result <const> = assert(cni.invoke(require "ecmp.plugin.static", call))
    assert.equal("10.0.0.2/24", result.ips[1].address)
    assert.same({ "fe80::1", "fe80::2" }, setmetatable(result.routes[1].gws, nil))
  end)
end)

describe("the program", function()
  local function loaded(plugin_type, command)
    local program <const> = "local status = require('ecmp.command.main')(arg[1], {}) "
      .. "for name in pairs(package.loaded) do io.stderr:write(name, '\\n') end os.exit(status)"
    return runtime.run({ "lua5.4", "-e", program, "/dev/null", plugin_type }, conf,
      { CNI_COMMAND = command }).stderr
  end

  it("loads neither netlink nor a plugin to answer VERSION", function()
    local names <const> = loaded("ecmp-static", "VERSION")
    for _, stranger in ipairs { "ecmp.rtnl", "ecmp.plugin", "ecmp.flow", "ecmp.ip" } do
      assert.is_nil(names:find(stranger, 1, true), stranger)
    end
  end)

  it("is a plugin by every path and both names", function()
    for _, name in ipairs { "static", "ecmp-static", "/opt/cni/bin/ecmp-static", "./static" } do
      assert.equal(0, runtime.call(name, "VERSION").status)
    end
  end)

  for _, name in ipairs { "foo", "ecmp-foo", "lua", "ecmp-", "", "ecmp-../main", "host_local" } do
    it(("is nothing that is called '%s'"):format(name), function()
      local outcome <const> = runtime.call(name, "VERSION")
      assert.equal(2, outcome.status)
      assert.equal("", outcome.stdout)
      assert.truthy(outcome.stderr:find(("'%s'"):format(name:match("[^/]*$")), 1, true))
    end)
  end

  it("tells a drop-in replacement from a plugin of our own", function()
    local programs <const> = require "ecmp.command.programs"
    assert.same({ type = "host-local", dropin = true, module = "ecmp.plugin.host-local" },
      programs.plugin "host-local")
    assert.same({ type = "host-local", dropin = false, module = "ecmp.plugin.host-local" },
      programs.plugin "ecmp-host-local")
    assert.same({ type = "ecmp", dropin = false, module = "ecmp.plugin.ecmp" }, programs.plugin "ecmp")
    assert.same({ type = "route-override", dropin = true, module = "ecmp.plugin.ecmp" },
      programs.plugin "route-override")
  end)

  describe("called as ecmp", function()
    local function called(arguments, command)
      local program <const> = "package.preload['ecmp.command'] = function() return { "
        .. "run = function(args) print('command', #args) return 3 end } end "
        .. "os.exit(require('ecmp.command.main')('/usr/bin/ecmp', { table.unpack(arg) }))"
      local argv <const> = { "lua5.4", "-e", program, "/dev/null", table.unpack(arguments) }
      return assert(sys.spawn { argv = argv, stdin = "", timeout = 20, stderr = "capture",
        env = runtime.environment { CNI_COMMAND = command } })
    end

    it("is the chained plugin to a runtime", function()
      assert.equal("1.1.0", json.decode(called({}, "VERSION").stdout).cniVersion)
    end)

    it("is the command line to a person", function()
      for _, case in ipairs {
        { {}, false, 0 }, { {}, "", 0 }, { { "show" }, false, 1 }, { { "show", "x" }, "ADD", 2 },
      } do
        local outcome <const> = called(case[1], case[2])
        assert.equal(3, outcome.status)
        assert.equal(("command\t%d\n"):format(case[3]), outcome.stdout)
      end
    end)
  end)
end)
