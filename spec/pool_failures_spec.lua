-- Pools of a cluster when etcd, what is between, or a node fails in the middle. A few rounds of each; with
-- ROUNDS=N so many times as many.
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local pool = require "spec.pool_nodes"
local sys = require "ecmp.sys"

local it_etcd <const> = etcd.available and it or pending

describe("pools of a cluster of one #netns #etcd", function()
  local cluster, dir, proxy
  before_each(function() dir = helper.directory() end)
  after_each(function()
    if proxy then sys.kill(proxy.pid, "KILL") end
    proxy = nil
    if cluster then cluster:close() end
    cluster = nil
    helper.remove(dir)
  end)

  -- A proxy on port 2479 that loses answers (spec/proxy.c); it listens when this returns.
  local function start_proxy(limit)
    local program <const> = dir .. "/proxy"
    if proxy then
      sys.kill(proxy.pid, "KILL")
      helper.eventually(function() return helper.has_ended(proxy.pid) end)
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
    pool.run(nodes, "ADD", function() return { id } end)
    assert.equal(11, pool.outcomes(node)[1].code)
    local conf <const> = node.conf
    node.conf = sys.lstat(conf .. "-away") and conf .. "-away" or conf
    pool.run(nodes, "DEL", function() return { id } end)
    node.conf, node.ids = conf, { id }
    pool.assert_dels(nodes, id)
    go_on()
    cluster:wait()
    pool.run(nodes, "STATUS", function() return { "-" } end)
    pool.assert_empty(cluster, nodes, id)
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
      local nodes <const> = pool.nodes_of(cluster, home, 2, { etcd = { "http://127.0.0.1:2479" } })
      pool.round(cluster, nodes, r, function() return function() through(-1) end end)
    end
  end)

  it_etcd("leak nothing when a commit comes after ADD gave up and DEL found nothing", function()
    cluster = etcd.cluster()
    local nodes <const> = pool.nodes_of(cluster, dir, 1, { timeout = 1 })
    for r = 1, etcd.rounds(3) do
      late_commit(nodes, "c" .. r, function() cluster:signal(1, "STOP") end,
        function() cluster:signal(1, "CONT") end)
    end
  end)

  it_etcd("leak nothing of a request that was held up on the way for longer than that", function()
    cluster = etcd.cluster()
    start_proxy(-1)
    local nodes <const> = pool.nodes_of(cluster, dir, 1,
      { timeout = 1, etcd = { "http://127.0.0.1:2479" } })
    -- what DEL sends must not overtake the ADD's request: it finds nobody
    local conf <const> = assert(sys.read(nodes[1].conf))
    assert(sys.create(nodes[1].conf .. "-away", (conf:gsub("2479", "1"))))
    for r = 1, etcd.rounds(3) do
      late_commit(nodes, "c" .. r, function()
        sys.kill(proxy.pid, "STOP")
        helper.eventually(function() -- it may go on for a moment
          return assert(sys.read(("/proc/%d/stat"):format(proxy.pid))):find("%) T")
        end)
      end, function()
        sys.kill(proxy.pid, "CONT")
        helper.eventually(function() return #pool.taken(cluster) == 1 end)
      end)
    end
  end)

  it_etcd("lose nothing when an ADD is killed at any moment", function()
    cluster = etcd.cluster()
    local nodes <const> = pool.nodes_of(cluster, dir, 1)
    local node <const> = nodes[1]
    for r = 1, etcd.rounds(12) do
      local id <const> = "c" .. r
      pool.start(node, "ADD", { id })
      sys.sleep(math.random() * 0.06)
      sys.kill(node.pid, "KILL")
      pool.wait(nodes)
      node.ids = { id }
      pool.run(nodes, "DEL", function() return { id } end)
      pool.assert_dels(nodes, id)
      pool.assert_empty(cluster, nodes, id)
      pool.run(nodes, "ADD", function() return { id } end)
      assert.equal(0, pool.outcomes(node)[1].code)
      assert.same({ "node1/" .. id }, pool.taken(cluster))
      pool.run(nodes, "DEL", function() return { id } end)
      pool.assert_empty(cluster, nodes, id)
    end
  end)

  it_etcd("find again by the attachment's key what an answer was lost of: calico #5203", function()
    cluster = etcd.cluster()
    start_proxy(60)
    local nodes <const> = pool.nodes_of(cluster, dir, 1, { etcd = { "http://127.0.0.1:2479" } })
    pool.run(nodes, "ADD", function() return { "c1" } end)
    assert.equal(0, pool.outcomes(nodes[1])[1].code)
    assert.same({ "node1/c1" }, pool.taken(cluster))
    assert.same({}, sys.list(nodes[1].disk .. "/net/notes"))
  end)
end)
