local env = require "ecmp.cni.request"

local complete <const> = {
  CNI_COMMAND = "ADD", CNI_CONTAINERID = "c1", CNI_NETNS = "/run/netns/x", CNI_IFNAME = "eth0",
  CNI_PATH = "/opt/cni/bin",
}

local function read(changes)
  return env.read(function(name)
    local changed <const> = changes[name]
    if changed ~= nil then return changed or nil end
    return complete[name]
  end)
end

describe("the environment", function()
  it("is read into one table", function()
    assert.same({
      command = "ADD", containerid = "c1", netns = "/run/netns/x", ifname = "eth0", args_text = "",
      path = "/opt/cni/bin",
    }, read {})
  end)

  local all <const> = { "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH" }
  for command, needed in pairs {
    ADD = "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH",
    CHECK = "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH",
    DEL = "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH",
    GC = "CNI_PATH", STATUS = "CNI_PATH", VERSION = "", add = "", NONSENSE = "",
  } do
    it(("of %s needs [%s], and names all that are missing"):format(command, needed), function()
      for _, absent in ipairs { false, "" } do
        local changes <const> = { CNI_COMMAND = command }
        for _, name in ipairs(all) do changes[name] = absent end
        local found, message, code = read(changes)
        if needed == "" then
          assert.equal(command, found.command)
        else
          assert.equal(("required env variables [%s] missing"):format(needed), message)
          assert.equal(4, code)
        end
      end
    end)
  end

  it("names CNI_COMMAND when it is missing", function()
    local _, message <const> = read { CNI_COMMAND = "" }
    assert.equal("required env variables [CNI_COMMAND] missing", message)
  end)

  for _, id in ipairs { "a", "c1", "a.", "A_b-c.d", "0", ("x"):rep(300) } do
    it("takes the container id " .. id:sub(1, 20), function()
      assert.equal(id, read { CNI_CONTAINERID = id }.containerid)
    end)
  end

  for _, id in ipairs { "-x", ".a", "_a", "a b", "a\n", "a/b", "é" } do
    it(("refuses the container id %q"):format(id), function()
      local found, _, code, details = read { CNI_CONTAINERID = id, CNI_NETNS = "" }
      assert.is_nil(found)
      assert.equal(4, code)
      assert.equal(id, details)
    end)
  end

  it("reports a bad value before a missing one, in the order of reading", function()
    local changes <const> = { CNI_CONTAINERID = "-x", CNI_IFNAME = "a/b", CNI_PATH = "" }
    local _, message, _, details = read(changes)
    assert.truthy(message:find("CNI_CONTAINERID", 1, true))
    assert.equal("-x", details)
    _, message = read { CNI_CONTAINERID = "", CNI_IFNAME = "a/b" }
    assert.truthy(message:find("CNI_IFNAME", 1, true))
  end)

  for _, name in ipairs { "eth0", "a", "é", "eth0.100", "abcdefghijklmno", "-", "a\u{200B}b" } do
    it("takes the interface name " .. name, function()
      assert.equal(name, read { CNI_IFNAME = name }.ifname)
    end)
  end

  for _, name in ipairs {
    "abcdefghijklmnop", ("é"):rep(8), ".", "..", "a/b", "a:b", "a b", "a\t", "\n", "a\u{A0}b",
    "a\u{2003}b", "a\u{3000}", "a\u{85}",
  } do
    it(("refuses the interface name %q"):format(name), function()
      local found, message, code, details = read { CNI_IFNAME = name }
      assert.is_nil(found)
      assert.equal(4, code)
      assert.truthy(message:find("CNI_IFNAME", 1, true))
      assert.equal(#name > 15, details ~= nil and details:find("16", 1, true) ~= nil)
    end)
  end

  it("judges no interface name for GC, STATUS, VERSION and unknown verbs", function()
    for _, command in ipairs { "GC", "STATUS", "VERSION", "FOO" } do
      assert.is_table(read { CNI_COMMAND = command, CNI_IFNAME = "a/b", CNI_CONTAINERID = "-" })
    end
  end)
end)

describe("CNI_ARGS", function()
  local function args(text, command)
    return env.args({ args_text = text, command = command or "ADD" }, { "IP", "GATEWAY" })
  end

  for text, wanted in pairs {
    [""] = {}, ["IP=10.0.0.1"] = { IP = "10.0.0.1" }, ["IP="] = { IP = "" },
    ["IP=a;GATEWAY=b"] = { IP = "a", GATEWAY = "b" },
    ["K8S_POD_NAME=p;IgnoreUnknown=1;IP=a"] = { K8S_POD_NAME = "p", IgnoreUnknown = "1", IP = "a" },
    ["X=1;IgnoreUnknown=TRUE"] = { X = "1", IgnoreUnknown = "TRUE" },
    ["IgnoreUnknown=false;IP=a"] = { IgnoreUnknown = "false", IP = "a" },
  } do
    it("are read: " .. text, function() assert.same(wanted, args(text)) end)
  end

  for text, why in pairs {
    ["IP=a;"] = "'' is not of the form", [";IP=a"] = "'' is not of the form",
    ["IP"] = "'IP' is not of the form", ["IP=a=b"] = "'IP=a=b' is not of the form",
    ["ip=a"] = "unknown args [ip]", ["Y=1;X=1"] = "unknown args [X,Y]",
    ["X=1;IgnoreUnknown=0"] = "unknown args [X]",
    ["IgnoreUnknown=yes"] = "IgnoreUnknown: 'yes'", ["IgnoreUnknown="] = "IgnoreUnknown: ''",
    ["X=1;ignoreunknown=1"] = "unknown args [X,ignoreunknown]",
  } do
    it("are refused with code 4: " .. text, function()
      local found, message, code = args(text)
      assert.is_nil(found)
      assert.equal(4, code)
      assert.truthy(message:find("CNI_ARGS: ", 1, true), message)
      assert.truthy(message:find(why, 1, true), message)
    end)

    it("never stop a DEL: " .. text, function() assert.is_table(args(text, "DEL")) end)
  end
end)
