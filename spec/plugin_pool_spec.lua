-- ecmp-pool, as runtimes call it, with etcd of the spec's own.
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pool = require "ecmp.plugin.pool"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local it_etcd <const> = etcd.available and it or pending
local it_secure <const> = etcd.secure and it or pending

-- A node of a cluster: its name and its own disk, and how a runtime there calls the plugin.
local Node <const> = {}
Node.__index = Node

local function node_of(cluster, network, name, dir)
  assert(sys.mkdir(dir .. "/" .. name))
  return setmetatable({ cluster = cluster, network = network, name = name,
    disk = dir .. "/" .. name }, Node)
end

function Node:conf(more)
  local store <const> = self.cluster:store()
  store.node = self.name
  local conf <const> = { cniVersion = "1.1.0", name = self.network, type = "ecmp-pool", ipam = {
    type = "ecmp-pool", dataDir = self.disk, store = store,
    ranges = { { { subnet = "10.0.0.0/24" } } },
  } }
  for key, value in pairs(more or {}) do
    local where <const> = (key == "node" or key == "timeout" or key == "etcd" or key == "prefix")
      and store or (key == "ranges" or key == "idempotent") and conf.ipam or conf
    where[key] = value
  end
  return conf
end

function Node:verb(command, id, more, changes)
  local env <const> = { CNI_CONTAINERID = id or "c1" }
  for name, value in pairs(changes or {}) do env[name] = value end
  return runtime.call("ecmp-pool", command, self:conf(more), env)
end

function Node:add(id, more, changes)
  local outcome <const> = self:verb("ADD", id, more, changes)
  if outcome.status ~= 0 then return nil, outcome.json.msg, outcome.json.code end
  return outcome.json.ips[1].address
end

function Node:del(id, more)
  local outcome <const> = self:verb("DEL", id, more)
  assert.equal(0, outcome.status, outcome.stdout)
  return outcome.stderr
end

-- What etcd holds of the network: keys below its root.
local function keys_of(cluster, network)
  local keys <const> = {}
  for key in cluster:ctl(("get --prefix /ecmp/v1/%s/ --keys-only"):format(network))
    :gmatch("/ecmp/v1/" .. network .. "/([^\n]+)") do
    if key:sub(1, 2) ~= "n/" then keys[#keys + 1] = key end
  end
  return table.concat(keys, " ")
end

describe("ecmp-pool", function()
  local function refused(store, ipam)
    local conf <const> = { name = "net", cniVersion = "1.1.0", type = "ecmp-pool", ipam = {
      type = "ecmp-pool", ranges = { { { subnet = "10.0.0.0/24" } } }, store = store } }
    for key, value in pairs(ipam or {}) do conf.ipam[key] = value end
    local outcome <const> = runtime.call("ecmp-pool", "ADD", conf)
    assert.equal(7, outcome.json.code)
    return outcome.json.msg
  end

  it("names what is wrong in its configuration, with code 7", function()
    assert.equal("ipam.store: must be given", refused(nil))
    assert.equal("ipam.store: one of etcd and directory must be given", refused { node = "n" })
    assert.equal("ipam.store.etcd: the list is empty", refused { etcd = json.array() })
    assert.matches("^ipam.store.etcd%[1%]: 'ftp://x' is no endpoint like", refused {
      etcd = { "http://127.0.0.1:2379", "ftp://x" } })
    assert.matches("^ipam.store.etcd%[0%]: 'https://a:99999' is no endpoint", refused {
      etcd = { "https://a:99999" } })
    assert.matches("^ipam.store.etcd%[0%]: 'http://10.0.0.1:2379' would send addresses in the clear",
      refused { etcd = { "http://10.0.0.1:2379" } })
    assert.matches("^ipam.store.timeout: 0 is not between 1 and 300", refused {
      etcd = { "http://127.0.0.1" }, timeout = 0 })
    assert.matches("^ipam.store.prefix: 'x/' must begin with a slash", refused {
      etcd = { "http://127.0.0.1" }, prefix = "x/" })
    assert.equal("ipam.store.key: cert and key go together", refused {
      etcd = { "https://etcd.example" }, cert = "/x" })
    local many <const> = {}
    for i = 1, 130 do many[i] = { { subnet = ("10.%d.0.0/24"):format(i) } } end
    assert.matches("^ipam.ranges: more ranges than one transaction of etcd can hold", refused({
      etcd = { "http://127.0.0.1" } }, { ranges = many }))
  end)

  it("refuses a key that others may read", function()
    local dir <const> = helper.directory()
    assert(sys.create(dir .. "/key", "x", tonumber("640", 8)))
    assert.matches("^ipam.store.key: .*/key may be read by others than its owner %(mode 640%)",
      refused { etcd = { "https://etcd.example" }, cert = dir .. "/key", key = dir .. "/key" })
    helper.remove(dir)
  end)

  it("says that a build has no pools, where the module is missing", function()
    local dir <const> = helper.directory()
    local env <const> = runtime.environment { CNI_COMMAND = "ADD" }
    for i, entry in ipairs(env) do
      if entry:find "^LUA_CPATH=" then
        -- all other modules by links, this one not
        assert(sys.symlink(assert(sys.realpath(helper.build .. "/lua/5.4/ecmp")), dir .. "/ecmp"))
        env[i] = ("LUA_CPATH=%s/?.so;/usr/lib/x86_64-linux-gnu/lua/5.4/?.so"):format(dir)
      end
    end
    local done <const> = assert(sys.spawn { stderr = "capture", env = env, timeout = 20,
      argv = { "lua5.4", "-e", "os.exit(require('ecmp.command.main')('ecmp-pool', {}))" },
      stdin = json.encode { cniVersion = "1.1.0", name = "net", type = "ecmp-pool", ipam = {
        type = "ecmp-pool", ranges = { { { subnet = "10.0.0.0/24" } } }, dataDir = dir,
        store = { etcd = { "http://127.0.0.1:1" } } } } })
    assert.equal("ipam.type: this build has no pools", json.decode(done.stdout).msg)
    assert.equal(7, json.decode(done.stdout).code)
    helper.remove(dir)
  end)

  it("reserves in a directory where that is the store", function()
    local dir <const> = helper.directory()
    local conf <const> = { cniVersion = "1.1.0", name = "net", type = "ecmp-pool", ipam = {
      type = "ecmp-pool", ranges = { { { subnet = "10.0.0.0/30" } } },
      store = { directory = dir .. "/pool" } } }
    assert.equal("10.0.0.2/30", runtime.call("ecmp-pool", "ADD", conf).json.ips[1].address)
    assert.equal(0, runtime.call("ecmp-pool", "CHECK", conf).status)
    assert.equal(50, runtime.call("ecmp-pool", "STATUS", conf).json.code)
    assert.equal(0, runtime.call("ecmp-pool", "DEL", conf).status)
    assert.equal(0, runtime.call("ecmp-pool", "STATUS", conf).status)
    helper.remove(dir)
  end)

  it("tells lint what is odd in its keys, and asks nobody", function()
    local function paths(store, ranges)
      local list <const> = {}
      for i, one in ipairs(pool.lint { name = "net", ipam = { type = "ecmp-pool", store = store,
        ranges = ranges or { { { subnet = "10.0.0.0/24" } } } } }) do
        assert.equal(one.path, one.message:sub(1, #one.path))
        list[i] = one.path
      end
      return table.concat(list, " ")
    end
    assert.equal("", paths { etcd = { "http://127.0.0.1:2379" } })
    assert.equal("ipam.store.etcd ipam.store.etcd[0] ipam.store.etcd[1]",
      paths { etcd = { "https://a", "https://b" } })
    assert.equal("ipam.store.directory", paths { directory = "/x" })
    assert.equal("ipam.store.etcd[0]", paths { etcd = { "http://10.0.0.1" } })
    assert.equal("ipam.ranges[0]", paths({ etcd = { "http://127.0.0.1" } },
      { { { subnet = "10.0.0.0/27" } } }))
  end)
end)

describe("ecmp-pool on etcd #netns #etcd", function()
  local cluster, dir, network, count, one, two

  setup(function()
    count = 0
    if etcd.available then cluster = etcd.cluster() end
  end)
  teardown(function() if cluster then cluster:close() end end)

  before_each(function()
    count = count + 1
    network, dir = "net" .. count, helper.directory()
    one, two = node_of(cluster, network, "one", dir), node_of(cluster, network, "two", dir)
  end)
  after_each(function()
    if cluster and not cluster.members[1].pid then
      cluster:start(1)
      cluster:wait()
    end
    helper.remove(dir)
  end)

  it_etcd("serves all verbs", function()
    local address <const> = assert(one:add "c1")
    assert.matches("^10%.0%.0%.%d+/24$", address)
    assert.equal(0, one:verb("CHECK", "c1").status)
    assert.equal(0, one:verb("STATUS").status)
    assert.matches("^a/0a0000%x%x t/one/c1/eth0$", keys_of(cluster, network))
    assert.equal("", one:del "c1")
    assert.equal("", keys_of(cluster, network))
    assert.matches("no address is reserved for c1/eth0", one:verb("CHECK", "c1").json.msg)
    assert.equal("", one:del "c1")
  end)

  it_etcd("takes one round trip for an ADD, two for a DEL", function()
    local open <const>, config <const> = require "ecmp.plugin.pool.open", require "ecmp.plugin.pool.config"
    local conf <const> = one:conf()
    local sets <const> = { assert(require("ecmp.plugin.host-local.range").set(
      { { subnet = "10.0.0.0/24" } }, "r")) }
    for n = 1, 5 do
      local store <close> = assert(open.store(assert(config.store(conf)), conf))
      assert(store:reserve({ containerid = "c" .. n, ifname = "eth0" },
        { sets = sets, requested = {} }))
      assert.equal(1, store.client.calls)
    end
    local store <close> = assert(open.store(assert(config.store(conf)), conf))
    assert(store:release { containerid = "c1", ifname = "eth0" })
    assert.equal(2, store.client.calls)
  end)

  it_etcd("says what a pod would get, and changes nothing", function()
    local file <const> = dir .. "/conf"
    local conf <const> = one:conf { type = "ecmp-bridge" }
    assert(sys.create(file, json.encode(conf)))
    local done <const> = assert(sys.spawn { argv = { "lua5.4", "-e",
      "os.exit(require('ecmp.command').run { 'plan', arg[1] })", "/dev/null", file },
      env = runtime.environment(), stderr = "capture", timeout = 20 })
    assert.equal("", done.stderr)
    assert.matches("10%.0%.0%.%d+/24 dev eth0", done.stdout)
    assert.equal("", cluster:ctl(("get --prefix /ecmp/v1/%s/"):format(network)))
    assert.is_nil(sys.lstat(one.disk .. "/" .. network))
  end)

  it_etcd("keeps two machines of one name apart, until one is given up", function()
    assert(one:add "c1")
    -- the same name on another disk, of another machine
    local impostor <const> = node_of(cluster, network, "impostor", dir)
    impostor.name = "one"
    local script <const> = [[
      local open = require "ecmp.plugin.pool.open"
      open.machine = function() return "another" end
      os.exit(require("ecmp.command.main")("ecmp-pool", {}))]]
    local function verb(command, id)
      return runtime.run({ "lua5.4", "-e", script }, impostor:conf(),
        { CNI_COMMAND = command, CNI_CONTAINERID = id })
    end
    local outcome <const> = verb("ADD", "c9")
    assert.equal(7, outcome.json.code)
    assert.matches("node 'one' of network net%d+ is another machine, since %d", outcome.json.msg)
    assert.matches("ecmp pool free NETCONF %-%-node one %-%-yes", outcome.json.msg)
    assert.equal(50, verb("STATUS", "").json.code)
    assert.matches("t/one/c1/eth0$", keys_of(cluster, network))
    local file <const> = dir .. "/conf"
    assert(sys.create(file, json.encode(two:conf())))
    local freed <const> = assert(sys.spawn { argv = { "lua5.4", "-e",
      "os.exit(require('ecmp.command').run { 'pool', 'free', arg[1], '--node', 'one', '--yes' })",
      "/dev/null", file }, env = runtime.environment(), stderr = "capture", timeout = 20 })
    assert.equal(0, freed.status, freed.stderr)
    assert.matches("^freed c1/eth0: 10.0.0.%d+\n$", freed.stdout)
    assert.equal("", keys_of(cluster, network))
    assert.equal(0, verb("ADD", "c9").status)
    -- and the first one is the other now
    assert.equal(7, select(3, one:add "c2"))
  end)

  it_etcd("frees nothing of what an ADD found held, when that ADD fails later", function()
    local held <const> = assert(one:add("c1", { idempotent = true }))
    local call <const> = { conf = one:conf { idempotent = true }, containerid = "c1",
      ifname = "eth0", command = "ADD", args_text = "" }
    assert.equal(held, pool.add(call).ips[1].address)
    assert.is_true(pool.give_back(call))
    assert.equal(held, assert(one:add("c1", { idempotent = true })))
    call.containerid = "c2"
    call.reserved = nil
    pool.add(call)
    assert.is_true(pool.give_back(call))
    assert.matches("^a/%x+ t/one/c1/eth0$", keys_of(cluster, network))
  end)

  describe("with etcd away", function()
    local function away() cluster:signal(1, "KILL") end
    local function back()
      cluster:start(1)
      cluster:wait()
    end

    it_etcd("ADD says so with 11 in time, STATUS with 50, and nothing is handed out", function()
      away()
      local _, message <const>, code <const> = one:add("c1", { timeout = 1 })
      assert.equal(11, code)
      assert.matches("^etcd: http://127.0.0.1:2379: connect: Connection refused$", message)
      assert.equal(50, one:verb("STATUS", "", { timeout = 1 }).json.code)
      assert.same({}, sys.list(("%s/%s/notes"):format(one.disk, network)) or {})
    end)

    for _, command in ipairs { "STATUS", "CHECK", "ADD", "DEL", "GC" } do
      it_etcd("DEL succeeds, and the next verb tells etcd of it: " .. command, function()
        assert(one:add "c1")
        away()
        assert.matches("a later verb of this node frees c1/eth0", one:del "c1")
        -- what is on disk is all that is left after a reboot
        assert.same({ "c1@eth0" }, sys.list(("%s/%s/gone"):format(one.disk, network)))
        back()
        local more <const> = command == "GC"
          and { ["cni.dev/valid-attachments"] = { { containerID = "c1", ifname = "eth0" } } } or {}
        one:verb(command, "c2", more)
        assert.is_nil(keys_of(cluster, network):find("c1", 1, true))
        assert.same({}, sys.list(("%s/%s/gone"):format(one.disk, network)))
      end)
    end

    it_etcd("DEL fails with 11 where not even that can be noted", function()
      assert(one:add "c1")
      away()
      helper.remove(one.disk)
      assert(sys.create(one.disk, ""))
      local outcome <const> = one:verb("DEL", "c1")
      assert.equal(11, outcome.json.code)
    end)

    it_etcd("a DEL of a broken configuration is told later, too", function()
      assert(one:add "c1")
      assert.matches("is no endpoint", one:del("c1", { etcd = { "rubbish" } }))
      assert.equal(0, one:verb("STATUS").status)
      assert.equal("", keys_of(cluster, network))
    end)
  end)

  describe("what went wrong elsewhere", function()
    local function gc(node, valid)
      local list <const> = json.array()
      for i, id in ipairs(valid) do list[i] = { containerID = id, ifname = "eth0" } end
      local outcome <const> = node:verb("GC", nil, { ["cni.dev/valid-attachments"] = list })
      assert.equal(0, outcome.status, outcome.stdout)
      return outcome
    end

    it_etcd("whereabouts #162: GC leaves an attachment whose ADD is not over", function()
      local State <const> = require "ecmp.store.etcd.state"
      assert(one:add "c1")
      local value <const> = json.decode(
        cluster:ctl(("get --print-value-only /ecmp/v1/%s/t/one/c1/eth0"):format(network)))
      -- the ADD has its addresses, and its runtime has not heard of them
      local note <const> = assert(State.new(one.disk, network):note(
        { containerid = "c1", ifname = "eth0" }, value.nonce))
      gc(one, {})
      assert.matches("t/one/c1/eth0", keys_of(cluster, network), 1, true)
      note:forget()
      gc(one, {})
      assert.equal("", keys_of(cluster, network))
    end)

    it_etcd("whereabouts #176: a pod of the same name keeps its address when the old one goes",
      function()
        local args <const> = { CNI_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=web-0" }
        assert(one:add("old", nil, args))
        local new <const> = assert(two:add("new", nil, args))
        one:del "old"
        gc(one, {})
        assert.matches("t/two/new/eth0", keys_of(cluster, network), 1, true)
        assert.equal(0, two:verb("CHECK", "new").status)
        assert.equal(new, two:add("new", { idempotent = true }))
      end)

    it_etcd("whereabouts #207: what is reserved after the list was made is not deleted by it",
      function()
        assert(one:add "c1")
        local open <const>, config <const> = require "ecmp.plugin.pool.open",
          require "ecmp.plugin.pool.config"
        local conf <const> = one:conf()
        local store <close> = assert(open.store(assert(config.store(conf)), conf))
        local listed <const> = assert(store:attachments())
        -- between listing and deleting, the attachment goes and comes again
        one:del "c1"
        local new <const> = assert(one:add "c1")
        assert.same({}, assert(store:delete(listed)))
        assert.equal(0, one:verb("CHECK", "c1").status)
        assert.equal(new, one:add("c1", { idempotent = true }))
      end)

    it_etcd("calico #5044: GC of one node frees nothing of another", function()
      assert(one:add "c1")
      assert(two:add "c2")
      gc(two, {})
      assert.matches("t/one/c1/eth0", keys_of(cluster, network), 1, true)
      assert.is_nil(keys_of(cluster, network):find("t/two", 1, true))
      -- nor where one name begins like the other
      local longer <const> = node_of(cluster, network, "one1", dir)
      assert(longer:add "c3")
      gc(one, {})
      assert.matches("t/one1/c3/eth0", keys_of(cluster, network), 1, true)
    end)
  end)

  describe("values that others wrote", function()
    local function put(key, value)
      local file <const> = dir .. "/value"
      sys.unlink(file)
      assert(sys.create(file, value))
      cluster:ctl(("put -- %s <%s"):format(key, file))
    end

    local foreign <const> = {
      ["no JSON"] = "rubbish", ["other JSON"] = '{"id":1,"if":{},"node":[],"nonce":null}',
      ["a list"] = "[1,2,3]", ["deep JSON"] = ("["):rep(5000), huge = ("x"):rep(200000),
      ["a wrong list of addresses"] = '{"id":"c1","if":"eth0","node":"one","nonce":"x","ips":[7]}',
    }

    for what, value in pairs(foreign) do
      it_etcd("are data, and stay: " .. what, function()
        local root <const> = "/ecmp/v1/" .. network
        assert(one:add "c2")
        put(root .. "/t/one/c1/eth0", value)
        put(root .. "/a/0a000007", value)
        local before <const> = keys_of(cluster, network)
        local _, message <const>, code <const> = one:add "c1"
        assert.equal(999, code)
        assert.matches("^etcd: the key " .. root .. "/t/one/c1/eth0 .*it is none of ours and stays$",
          message)
        assert.is_true(#message < 1000)
        assert.matches("none of ours", one:del "c1")
        local gc_all <const> = one:verb("GC", nil, { ["cni.dev/valid-attachments"] = {
          { containerID = "c2", ifname = "eth0" } } })
        assert.equal(0, gc_all.status)
        assert.matches("eth0 .*; it stays", gc_all.stderr)
        assert.equal(before, keys_of(cluster, network))
      end)
    end

    it_etcd("under odd keys are listed as what they are", function()
      local root <const> = "/ecmp/v1/" .. network
      assert(one:add "c1")
      put(root .. "/a/zz", "x")
      put(root .. "/a/0a000007/more", "x")
      put(root .. "/t/one/a/b/c", "x")
      local file <const> = dir .. "/conf"
      assert(sys.create(file, json.encode(one:conf())))
      local shown <const> = assert(sys.spawn { argv = { "lua5.4", "-e",
        "os.exit(require('ecmp.command').run { 'pool', 'show', arg[1] })", "/dev/null", file },
        env = runtime.environment(), stderr = "capture", timeout = 20 })
      assert.equal(0, shown.status)
      assert.matches("a/zz is no address\n", shown.stderr)
      assert.matches("a/0a000007/more is no address\n", shown.stderr)
      assert.matches("one\tc1/eth0", shown.stdout)
      assert(one:add "c2")
      one:del "c1"
      assert.equal(0, one:verb("STATUS").status)
      assert.matches("t/one/a/b/c", keys_of(cluster, network), 1, true)
    end)

    it_etcd("cannot make us free what is another's", function()
      local root <const> = "/ecmp/v1/" .. network
      assert(two:add "c9")
      local theirs <const> = keys_of(cluster, network):match "a/(%x+)"
      put(root .. "/t/one/c1/eth0", json.encode { id = "c1", ["if"] = "eth0", node = "one",
        nonce = "x", ips = { theirs } })
      one:del "c1"
      assert.matches("^a/" .. theirs .. " t/two/c9/eth0$", keys_of(cluster, network))
    end)
  end)
end)

describe("ecmp-pool with TLS #netns #etcd", function()
  local cluster, dir, one
  setup(function()
    if not etcd.secure then return end
    cluster = etcd.cluster { tls = true }
    etcd.certificate(cluster.dir, "root")
    etcd.certificate(cluster.dir, "nobody")
    for _, line in ipairs { "user add root --no-password", "user grant-role root root",
      "role add pods", "role grant-permission pods --prefix=true readwrite /ecmp/v1/net/",
      "user add client --no-password", "user grant-role client pods", "auth enable" } do
      cluster:ctl(line, "root")
    end
  end)
  teardown(function() if cluster then cluster:close() end end)
  before_each(function()
    dir = helper.directory()
    one = node_of(cluster, "net", "one", dir)
  end)
  after_each(function() helper.remove(dir) end)

  local function refused(changes)
    local conf <const> = one:conf { timeout = 2 }
    for key, value in pairs(changes) do
      conf.ipam.store[key] = value ~= "" and value or nil
    end
    local outcome <const> = runtime.call("ecmp-pool", "ADD", conf)
    return outcome.json.msg, outcome.json.code
  end

  it_secure("works with the role that docs/pools.md gives, and no further", function()
    assert(one:add "c1")
    assert.equal(0, one:verb("CHECK", "c1").status)
    assert.equal(0, one:verb("STATUS").status)
    one:del "c1"
    local other <const> = node_of(cluster, "other", "two", dir)
    local _, message <const>, code <const> = other:add "c1"
    assert.equal(7, code)
    assert.matches("permission denied %(grpc%-status 7%)$", message)
    assert.matches("DEL: .*permission denied", other:del "c1")
  end)

  it_secure("asks for a certificate that names the endpoint, by the authority given", function()
    local message, code = refused { ca = "" }
    assert.matches("the server's certificate: ", message)
    assert.equal(11, code)
    etcd.sh "ip addr replace 127.9.9.9/8 dev lo"
    message = refused { etcd = { "https://127.0.0.2:2379" } }
    assert.matches("Connection refused", message)
    message = refused { ca = "/nonexistent" }
    assert.matches("TLS: /nonexistent: No such file or directory", message)
    local named <const> = one:conf { etcd = { "https://localhost:2379" } }
    assert.equal(0, runtime.call("ecmp-pool", "ADD", named).status)
    assert.equal(0, runtime.call("ecmp-pool", "DEL", named).status)
  end)

  it_secure("refuses a server that is somebody else", function()
    etcd.certificate(cluster.dir, "impostor", "IP:10.9.9.9,DNS:elsewhere")
    local server <const> = assert(sys.spawn { detach = true, argv = { "sh", "-c",
      ("exec openssl s_server -quiet -accept 127.0.0.1:4433 -cert %s/impostor.crt -key %s/impostor.key "
        .. "-alpn h2 >/dev/null 2>&1"):format(cluster.dir, cluster.dir) } })
    local message
    helper.eventually(function()
      message = refused { etcd = { "https://127.0.0.1:4433" } }
      return not message:find "refused"
    end)
    sys.kill(server.pid, "KILL")
    assert.matches("the server's certificate: IP address mismatch", message)
  end)

  it_secure("says who it is not allowed to be", function()
    local message, code = refused { cert = cluster.dir .. "/nobody.crt",
      key = cluster.dir .. "/nobody.key" }
    assert.equal(7, code)
    assert.matches("permission denied", message)
    message, code = refused { cert = "", key = "" }
    assert.equal(11, code)
    assert.matches("TLS: ", message)
  end)
end)
