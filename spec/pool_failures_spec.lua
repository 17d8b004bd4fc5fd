-- Pools of a cluster when etcd, or a node, fails in the middle. A few rounds of each; with ROUNDS=N
-- so many times as many.
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local it_etcd <const> = etcd.available and it or pending
local it_secure <const> = etcd.secure and it or pending

local NODES <const>, EACH <const> = 4, 5
local TIMEOUT <const> = 10

-- Nodes with a disk and a configuration each.
local function nodes_of(cluster, dir, count, changes)
  local nodes <const> = {}
  for n = 1, count do
    local store <const> = cluster:store()
    store.node, store.timeout = "node" .. n, TIMEOUT
    for key, value in pairs(changes or {}) do store[key] = value end
    local disk <const> = ("%s/%s"):format(dir, store.node)
    assert(sys.mkdir(disk))
    nodes[n] = { name = store.node, disk = disk, conf = disk .. "/conf", ids = {} }
    assert(sys.create(nodes[n].conf, json.encode { cniVersion = "1.1.0", name = "net",
      type = "ecmp-pool", ipam = { type = "ecmp-pool", dataDir = disk, store = store,
        ranges = { { { subnet = "10.0.0.0/22" } } } } }))
  end
  return nodes
end

-- Starts one verb for several attachments in a process of its own.
local function start(node, command, ids)
  node.out = ("%s/out-%s"):format(node.disk, command)
  local text <const> = ('exec lua5.4 -e "$PATHS" spec/pool_worker.lua "$@" >%s 2>%s/err'):format(
    node.out, node.disk)
  node.pid = assert(sys.spawn { detach = true, argv = { "sh", "-c", text, "sh", node.conf, command,
    table.unpack(ids) }, env = { "PATH=" .. os.getenv "PATH", "PATHS=" .. helper.paths() } }).pid
end

local function is_over(pid)
  return not (sys.read(("/proc/%d/stat"):format(pid)) or ") Z"):find("%) [^ZX]")
end

local function wait(nodes)
  for _, node in ipairs(nodes) do
    helper.eventually(function() return is_over(node.pid) end)
  end
end

-- What the verbs came to, line by line.
local function outcomes(node)
  local list <const> = {}
  for id, code, seconds, address in (sys.read(node.out) or "")
    :gmatch "%u+ (%S+) (%d+) (%S+) (%S+)\n" do
    list[#list + 1] = { id = id, code = tonumber(code), seconds = tonumber(seconds),
      address = address:match "^[^/]+" }
  end
  return list
end

local function run(nodes, command, ids_of)
  for _, node in ipairs(nodes) do start(node, command, ids_of(node)) end
  wait(nodes)
end

-- The addresses that etcd holds as taken: attachment by address.
local function taken(cluster)
  local found <const> = {}
  for line in cluster:ctl "get --prefix /ecmp/v1/net/a/ --print-value-only":gmatch "{[^\n]*}" do
    local value <const> = assert(json.decode(line))
    found[#found + 1] = value.node .. "/" .. value.id
  end
  table.sort(found)
  return found
end

-- Nothing is left: neither in etcd nor on the nodes' disks. Attachment keys go with addresses.
local function assert_empty(cluster, nodes, hint)
  assert.same({}, taken(cluster), hint)
  assert.equal("", cluster:ctl "get --prefix /ecmp/v1/net/t/ --keys-only", hint)
  for _, node in ipairs(nodes) do
    for _, folder in ipairs { "notes", "gone" } do
      assert.same({}, sys.list(("%s/net/%s"):format(node.disk, folder)) or {}, hint)
    end
  end
end

-- Times are looked at where somebody asks for many rounds, on a machine that has nothing else to do.
local function in_time(one, seconds, hint)
  if not os.getenv "ROUNDS" then return end
  assert.is_true(one.seconds <= seconds, ("%s: %s took %g s"):format(hint, one.id, one.seconds))
end

-- No address was told to two, and each that was told is there.
local function assert_true_answers(cluster, nodes, hint)
  local told <const>, there <const> = {}, {}
  for _, name in ipairs(taken(cluster)) do there[name] = true end
  local given = 0
  for _, node in ipairs(nodes) do
    for _, one in ipairs(outcomes(node)) do
      in_time(one, TIMEOUT + 0.5, hint)
      if one.code == 0 then
        assert.is_nil(told[one.address], ("%s: %s twice"):format(hint, one.address))
        told[one.address] = true
        assert.is_true(there[node.name .. "/" .. one.id], hint .. ": told, and not there")
        given = given + 1
      end
    end
  end
  return given
end

local function assert_dels(nodes, hint)
  for _, node in ipairs(nodes) do
    local list <const> = outcomes(node)
    assert.equal(#node.ids, #list)
    for _, one in ipairs(list) do
      assert.equal(0, one.code, hint)
      in_time(one, 3, hint)
    end
  end
end

-- One round: ADDs on all nodes, a fault while they run, DELs of all of them while it lasts or after.
local function round(cluster, nodes, r, fault)
  local hint <const> = "round " .. r
  for _, node in ipairs(nodes) do
    node.ids = {}
    for i = 1, EACH do node.ids[i] = ("c%d-%d"):format(r, i) end
    start(node, "ADD", node.ids)
  end
  sys.sleep(math.random() * 0.15)
  local heal <const> = fault(r)
  wait(nodes)
  -- who asks must see all that happened: where the fault keeps a quorum, before it is over
  local given <const> = assert_true_answers(cluster, nodes, hint)
  local early <const> = r % 2 == 0
  if early then run(nodes, "DEL", function(node) return node.ids end) end
  heal()
  cluster:wait()
  if not early then run(nodes, "DEL", function(node) return node.ids end) end
  assert_dels(nodes, hint)
  run(nodes, "STATUS", function() return { "-" } end)
  assert_empty(cluster, nodes, hint)
  return given
end

describe("pools of a cluster #netns #etcd", function()
  local cluster, dir, proxy
  before_each(function() dir = helper.directory() end)
  after_each(function()
    if proxy then sys.kill(proxy.pid, "KILL") end
    proxy = nil
    if cluster then cluster:close() end
    cluster = nil
    helper.remove(dir)
  end)

  describe("on three members", function()
    local function rounds(fault, options)
      cluster = etcd.cluster { members = 3, tls = true, small = options and options.small }
      local nodes <const> = nodes_of(cluster, dir, NODES)
      local given = 0
      for r = 1, etcd.rounds(2) do given = given + round(cluster, nodes, r, fault) end
      assert.is_true(given > 0, "not one ADD was served")
    end

    it_secure("lose nothing when the leader is killed", function()
      rounds(function()
        local n <const> = cluster:leader()
        cluster:signal(n, "KILL")
        return function() cluster:start(n) end
      end)
    end)

    it_secure("lose nothing when the leader is cut off", function()
      rounds(function()
        local n <const> = cluster:leader()
        cluster:partition(n, true)
        return function() cluster:partition(n, false) end
      end)
    end)

    it_secure("lose nothing when the leader freezes", function()
      rounds(function()
        local n <const> = cluster:leader()
        cluster:signal(n, "STOP")
        return function() cluster:signal(n, "CONT") end
      end)
    end)

    it_secure("lose nothing when a member's disk is full", function()
      rounds(function()
        local n <const> = cluster:leader()
        cluster:fill(n)
        return function() cluster:empty(n) end
      end, { small = "160m" })
    end)
  end)

  describe("on one member", function()
    -- A proxy on port 2479 that loses answers (spec/proxy.c); it listens when this returns.
    local function start_proxy(limit)
      local program <const> = dir .. "/proxy"
      if proxy then
        sys.kill(proxy.pid, "KILL")
        helper.eventually(function() return is_over(proxy.pid) end)
      end
      if not sys.lstat(program) then etcd.sh(("${CC:-gcc} -o %s spec/proxy.c"):format(program)) end
      proxy = assert(sys.spawn { detach = true,
        argv = { program, "2479", "2379", tostring(limit) } })
      helper.eventually(function()
        return assert(sys.read "/proc/net/tcp"):find(":09AF 00000000:0000 0A", 1, true)
      end)
    end

    -- An ADD that gets no answer, a DEL that finds nothing, and only then the ADD's request served.
    local function late_commit(nodes, id, stop, go_on)
      local node <const> = nodes[1]
      stop()
      run(nodes, "ADD", function() return { id } end)
      assert.equal(11, outcomes(node)[1].code)
      local conf <const> = node.conf
      node.conf = sys.lstat(conf .. "-away") and conf .. "-away" or conf
      run(nodes, "DEL", function() return { id } end)
      node.conf, node.ids = conf, { id }
      assert_dels(nodes, id)
      go_on()
      cluster:wait()
      run(nodes, "STATUS", function() return { "-" } end)
      assert_empty(cluster, nodes, id)
    end

    it_etcd("lose nothing when answers are lost after the commit", function()
      cluster = etcd.cluster()
      local function through(limit)
        start_proxy(limit)
      end
      for r = 1, etcd.rounds(6) do
        -- from "not a byte" to "all but the end"
        through(r * 37 % 300)
        local home <const> = ("%s/%d"):format(dir, r)
        assert(sys.mkdir(home))
        local nodes <const> = nodes_of(cluster, home, 2, { etcd = { "http://127.0.0.1:2479" } })
        round(cluster, nodes, r, function() return function() through(-1) end end)
      end
    end)

    it_etcd("leak nothing when a commit comes after ADD gave up and DEL found nothing", function()
      cluster = etcd.cluster()
      local nodes <const> = nodes_of(cluster, dir, 1, { timeout = 1 })
      for r = 1, etcd.rounds(3) do
        late_commit(nodes, "c" .. r, function() cluster:signal(1, "STOP") end,
          function() cluster:signal(1, "CONT") end)
      end
    end)

    it_etcd("leak nothing of a request that was held up on the way for longer than that", function()
      if not os.getenv "ROUNDS" then return pending "only at length: make test-long" end
      cluster = etcd.cluster()
      start_proxy(-1)
      local nodes <const> = nodes_of(cluster, dir, 1,
        { timeout = 1, etcd = { "http://127.0.0.1:2479" } })
      -- what DEL sends must not overtake the ADD's request: it finds nobody
      local conf <const> = assert(sys.read(nodes[1].conf))
      assert(sys.create(nodes[1].conf .. "-away", (conf:gsub("2479", "1"))))
      for r = 1, etcd.rounds(3) do
        late_commit(nodes, "c" .. r, function() sys.kill(proxy.pid, "STOP") end, function()
          sys.kill(proxy.pid, "CONT")
          helper.eventually(function() return #taken(cluster) == 1 end)
        end)
      end
    end)

    it_etcd("lose nothing when an ADD is killed at any moment", function()
      cluster = etcd.cluster()
      local nodes <const> = nodes_of(cluster, dir, 1)
      local node <const> = nodes[1]
      for r = 1, etcd.rounds(12) do
        local id <const> = "c" .. r
        start(node, "ADD", { id })
        sys.sleep(math.random() * 0.06)
        sys.kill(node.pid, "KILL")
        wait(nodes)
        node.ids = { id }
        run(nodes, "DEL", function() return { id } end)
        assert_dels(nodes, id)
        assert_empty(cluster, nodes, id)
        run(nodes, "ADD", function() return { id } end)
        assert.equal(0, outcomes(node)[1].code)
        assert.same({ "node1/" .. id }, taken(cluster))
        run(nodes, "DEL", function() return { id } end)
        assert_empty(cluster, nodes, id)
      end
    end)

    it_etcd("find again by the attachment's key what an answer was lost of: calico #5203", function()
      cluster = etcd.cluster()
      start_proxy(60)
      local nodes <const> = nodes_of(cluster, dir, 1, { etcd = { "http://127.0.0.1:2479" } })
      run(nodes, "ADD", function() return { "c1" } end)
      assert.equal(0, outcomes(nodes[1])[1].code)
      assert.same({ "node1/c1" }, taken(cluster))
      assert.same({}, sys.list(nodes[1].disk .. "/net/notes"))
    end)
  end)
end)
