local delegate = require "ecmp.cni.delegate"
local helper = require "spec.helper"
local json = require "ecmp.json"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

describe("plugins that call each other", function()
  it("come to an end", function()
    local dir <const> = helper.directory()
    local count <const> = dir .. "/count"
    local path <const> = dir .. "/loop"
    -- Each run writes a line and asks itself; a bound of its own keeps a failing spec small.
    assert(sys.create(path, ([[#!/bin/sh
echo x >>%s
[ $(wc -l <%s) -lt 40 ] || exit 9
exec lua5.4 -e '%s
  require("ecmp.cni").main { add = function(call)
    return require("ecmp.cni.delegate").run(call, "loop")
  end }'
]]):format(count, count, helper.paths():gsub("'", "'\\''")), 493))
    assert(sys.chmod(path, 493))
    local outcome <const> = runtime.run({ path }, { cniVersion = "1.0.0", name = "n" },
      { CNI_COMMAND = "ADD", CNI_PATH = dir })
    assert.same({ 1, 7 }, { outcome.status, outcome.json.code })
    assert.matches("plugins have called each other 8 times over", outcome.json.msg)
    local _, lines <const> = assert(sys.read(count)):gsub("x", "")
    assert.equal(9, lines)
    helper.remove(dir)
  end)
end)

describe("a delegate", function()
  local dir, call

  --- Installs a plugin that is a shell script.
  local function plugin(name, script)
    assert(sys.create(dir .. "/" .. name, "#!/bin/sh\n" .. script .. "\n", tonumber("755", 8)))
  end

  local function log()
    return sys.read(dir .. "/log") or ""
  end

  --- Runs with stderr in a file; what `body` returned, then what came to stderr.
  local function with_stderr(body)
    local saved <const> = io.stderr
    local name <const> = dir .. "/stderr"
    rawset(io, "stderr", assert(io.open(name, "w")))
    local values <const> = table.pack(pcall(body))
    io.stderr:close()
    rawset(io, "stderr", saved)
    assert(values[1], values[2])
    values[values.n + 1] = sys.read(name)
    return table.unpack(values, 2, values.n + 1)
  end

  before_each(function()
    dir = assert(sys.mkdtemp("/tmp/ecmp-delegate."))
    call = {
      command = "ADD", containerid = "c1", netns = "/run/netns/x", ifname = "eth0",
      args_text = "A=1", path = "/nonexistent:" .. dir, version = "1.0.0",
      stdin = '{ "name": "n",  "odd": 5.0 }',
    }
  end)

  after_each(function()
    for _, name in ipairs(sys.list(dir)) do
      if not sys.unlink(dir .. "/" .. name) then sys.rmdir(dir .. "/" .. name) end
    end
    sys.rmdir(dir)
    delegate.timeout = 60
  end)

  it("gets the input unchanged and the environment with CNI_COMMAND replaced", function()
    plugin("p", "cat > " .. dir .. "/in; "
      .. "env | grep -E '^(CNI_|TRACEPARENT=)' | sort > " .. dir .. "/log")
    sys.setenv("TRACEPARENT", "t")
    assert.is_true(delegate.run(call, "p", "CHECK"))
    sys.setenv("TRACEPARENT", nil)
    assert.equal(call.stdin, sys.read(dir .. "/in"))
    assert.equal(table.concat({
      "CNI_ARGS=A=1", "CNI_COMMAND=CHECK", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0",
      "CNI_NETNS=/run/netns/x", "CNI_PATH=" .. call.path, "TRACEPARENT=t", "",
    }, "\n"), log())
  end)

  it("is the first regular file of that name on CNI_PATH", function()
    assert(sys.mkdir(dir .. "/p", tonumber("755", 8)))
    local file, message = delegate.find("p", dir)
    assert.is_nil(file)
    assert.truthy(message:find(dir, 1, true))
    plugin("q", "exit 0")
    assert.equal(dir .. "/q", delegate.find("q", "/nonexistent:" .. dir .. ":/usr/lib/cni"))
  end)

  for name, path in pairs {
    [""] = "/usr/lib/cni", ["../cni/static"] = "/usr/lib/cni", static = "",
  } do
    it(("is not looked for as '%s' on '%s'"):format(name, path), function()
      assert.is_nil(delegate.find(name, path))
    end)
  end

  for _, case in ipairs {
    { "an error object", [[echo '{"code":11,"msg":"m","details":"d"}'; exit 1]], 11, "^m$", "d" },
    { "an error object of its own range", [[echo '{"code":100,"msg":"m"}'; exit 7]], 100, "^m$" },
    { "other text", "echo boom; exit 1", 0, "boom" },
    { "an object that is no error", "echo '{}'; exit 1", 0, "'{}'" },
    { "text on stderr", "echo why >&2; exit 1", 0, "why" },
    { "nothing", "exit 3", 0, "exit status 3" },
    { "a signal", "kill -9 $$", 0, "signal 9" },
  } do
    it("that fails with " .. case[1] .. " is quoted", function()
      plugin("p", "[ $CNI_COMMAND = DEL ] && exit 0; " .. case[2])
      local value, message, code, details = with_stderr(function()
        local v, m, c, d = delegate.run(call, "p")
        return v, m, c, d
      end)
      assert.is_nil(value)
      assert.equal(case[3], code)
      assert.truthy(message:find(case[4]), message)
      assert.equal(case[5], details)
    end)
  end

  it("that cannot be executed fails with code 0 and the reason", function()
    assert(sys.create(dir .. "/p", "text", tonumber("644", 8)))
    local value, message, code = delegate.run(call, "p")
    assert.is_nil(value)
    assert.equal(0, code)
    assert.truthy(message:find("EACCES", 1, true), message)
  end)

  it("has its stderr passed on when it succeeds and when it fails", function()
    plugin("good", "echo note >&2; echo '{}'")
    plugin("bad", [[echo note >&2; echo '{"code":7,"msg":"m"}'; exit 1]])
    for _, name in ipairs { "good", "bad" } do
      local _, text = with_stderr(function() return delegate.run(call, name) ~= nil end)
      assert.equal("note\n", text)
    end
  end)

  it("that never ends is killed with its children, and may be tried again", function()
    plugin("p", "sleep 60 & echo $! >> " .. dir .. "/log; wait")
    delegate.timeout = 0.3
    local value, message, code = delegate.run(call, "p")
    assert.is_nil(value)
    assert.equal(11, code)
    assert.truthy(message:find("0.3 seconds", 1, true), message)
    local path <const>, gone = "/proc/" .. log():match("%d+") .. "/status", false
    for _ = 1, 100 do
      local status <const> = sys.read(path)
      gone = not status or status:find("State:%s+Z") ~= nil
      if gone then break end
      sys.sleep(0.02)
    end
    assert.is_true(gone)
  end)

  describe("after an ADD", function()
    local function add(output)
      plugin("p", "cat <<'EOF'\n" .. output .. "\nEOF")
      return delegate.run(call, "p")
    end

    for output, why in pairs {
      [""] = "empty", ["text"] = "invalid", ['[]'] = "must be an object",
      ['{"cniVersion":"9.9.9"}'] = "9.9.9", ['{"ips":[{}]}'] = "ips[0].address",
    } do
      it("is refused with 999 for printing '" .. output .. "'", function()
        local value, message, code = add(output)
        assert.is_nil(value)
        assert.equal(999, code)
        assert.truthy(message:find(why, 1, true), message)
      end)
    end

    for _, output in ipairs { "null", "{}", '{"code":7,"msg":"m"}' } do
      it("gave an empty result by printing " .. output, function()
        local value <const> = assert(add(output))
        assert.equal('{"cniVersion":"1.1.0","interfaces":[],"ips":[],"routes":[]}',
          json.encode(value))
      end)
    end

    it("may answer in another version", function()
      local value <const> = assert(add '{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.2/24"}}')
      assert.equal("10.0.0.2/24", value.ips[1].address)
    end)

    it("may leave the version out: it is the config's", function()
      call.version = "0.2.0"
      assert.equal("10.0.0.2/24", assert(add '{"ip4":{"ip":"10.0.0.2/24"}}').ips[1].address)
    end)
  end)

  for _, command in ipairs { "DEL", "CHECK", "GC", "STATUS" } do
    it("may print what it likes for " .. command, function()
      plugin("p", "echo nonsense")
      assert.is_true(delegate.run(call, "p", command))
    end)
  end

  for what, output in pairs { ["fails"] = "echo '{\"code\":11,\"msg\":\"m\"}'; exit 1",
    ["prints nonsense"] = "echo nonsense" } do
    it("whose ADD " .. what .. " is run again with DEL", function()
      plugin("p", "echo $CNI_COMMAND >> " .. dir .. "/log; [ $CNI_COMMAND = DEL ] || { " .. output
        .. "; }")
      local value, _, code = delegate.add(call, "p")
      assert.is_nil(value)
      assert.equal(what == "fails" and 11 or 999, code)
      assert.equal("ADD\nDEL\n", log())
    end)
  end

  it("whose ADD succeeds is not", function()
    plugin("p", "echo $CNI_COMMAND >> " .. dir .. "/log; echo '{}'")
    assert.is_table(delegate.add(call, "p"))
    assert.equal("ADD\n", log())
  end)

  it("leaves no descriptor behind, however it ends", function()
    plugin("good", "echo '{}'")
    plugin("slow", "sleep 60")
    delegate.timeout = 0.1
    local before <const> = helper.descriptors()
    assert.is_table(delegate.add(call, "good"))
    with_stderr(function() return delegate.add(call, "slow") end)
    assert.is_nil(delegate.add(call, "missing"))
    assert.equal(before, helper.descriptors())
  end)

  it("can be the stock static plugin", function()
    if not sys.stat("/usr/lib/cni/static") then
      return pending("containernetworking-plugins is not installed")
    end
    call.path = "/usr/lib/cni"
    call.args_text = ""
    call.stdin = json.encode { cniVersion = "1.0.0", name = "n",
      ipam = { type = "static", addresses = { { address = "10.0.0.2/24" } } } }
    assert.equal("10.0.0.2/24", assert(delegate.add(call, "static")).ips[1].address)
    call.stdin = json.encode { cniVersion = "1.0.0", name = "n", ipam = { addresses = { {} } } }
    local value, message, code = delegate.add(call, "static")
    assert.is_nil(value)
    assert.equal(999, code)
    assert.truthy(message:find("CIDR", 1, true), message)
  end)
end)
