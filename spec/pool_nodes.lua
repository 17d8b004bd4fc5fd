--- Nodes that take addresses from a pool of a cluster and give them back while something fails, for specs.
local assert = require "luassert"
local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local M = {}

local EACH <const> = 5
local TIMEOUT <const> = 10

--- Makes nodes with a disk and a configuration each.
function M.nodes_of(cluster, dir, count, changes)
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

--- Starts one verb for several attachments in a process of its own.
function M.start(node, command, ids)
  node.out = ("%s/out-%s"):format(node.disk, command)
  local text <const> = ('exec lua5.4 -e "$PATHS" spec/pool_worker.lua "$@" >%s 2>%s/err'):format(
    node.out, node.disk)
  local env <const> = { "PATHS=" .. helper.paths() }
  -- the last two are what the module needs where it is built with sanitizers
  for _, name in ipairs { "PATH", "LD_PRELOAD", "ASAN_OPTIONS" } do
    env[#env + 1] = os.getenv(name) and name .. "=" .. os.getenv(name)
  end
  node.pid = assert(sys.spawn { detach = true, argv = { "sh", "-c", text, "sh", node.conf, command,
    table.unpack(ids) }, env = env }).pid
end

--- Waits for the processes of nodes.
function M.wait(nodes)
  for _, node in ipairs(nodes) do
    helper.eventually(function() return helper.has_ended(node.pid) end)
  end
end

--- What the verbs came to, line by line.
function M.outcomes(node)
  local list <const> = {}
  for id, code, seconds, address in (sys.read(node.out) or "")
    :gmatch "%u+ (%S+) (%d+) (%S+) (%S+)\n" do
    list[#list + 1] = { id = id, code = tonumber(code), seconds = tonumber(seconds),
      address = address:match "^[^/]+" }
  end
  return list
end

--- Runs one verb on all nodes at once.
function M.run(nodes, command, ids_of)
  for _, node in ipairs(nodes) do M.start(node, command, ids_of(node)) end
  M.wait(nodes)
end

--- The addresses that etcd holds as taken: attachment by address.
function M.taken(cluster)
  local found <const> = {}
  for line in cluster:ctl "get --prefix /ecmp/v1/net/a/ --print-value-only":gmatch "{[^\n]*}" do
    local value <const> = assert(json.decode(line))
    found[#found + 1] = value.node .. "/" .. value.id
  end
  table.sort(found)
  return found
end

--- Fails unless nothing is left, neither in etcd nor on the nodes' disks. Attachment keys go with addresses.
function M.assert_empty(cluster, nodes, hint)
  assert.same({}, M.taken(cluster), hint)
  assert.equal("", cluster:ctl "get --prefix /ecmp/v1/net/t/ --keys-only", hint)
  for _, node in ipairs(nodes) do
    for _, folder in ipairs { "notes", "gone" } do
      assert.same({}, sys.list(("%s/net/%s"):format(node.disk, folder)) or {}, hint)
    end
  end
end

-- Whoever waits for a pod is not kept beyond what the configuration says; twice that, since what runs beside
-- takes processors away. DEL, which has no timeout of its own, gives up sooner.
local function in_time(one, hint)
  local seconds <const> = 2 * TIMEOUT
  assert.is_true(one.seconds <= seconds, ("%s: %s took %g s"):format(hint, one.id, one.seconds))
end

-- No address was told to two, and each that was told is there.
local function assert_true_answers(cluster, nodes, hint)
  local told <const>, there <const> = {}, {}
  for _, name in ipairs(M.taken(cluster)) do there[name] = true end
  local given = 0
  for _, node in ipairs(nodes) do
    for _, one in ipairs(M.outcomes(node)) do
      in_time(one, hint)
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

--- Fails unless every DEL succeeded.
function M.assert_dels(nodes, hint)
  for _, node in ipairs(nodes) do
    local list <const> = M.outcomes(node)
    assert.equal(#node.ids, #list)
    for _, one in ipairs(list) do
      assert.equal(0, one.code, hint)
      in_time(one, hint)
    end
  end
end

--- One round: ADDs on all nodes, a fault while they run, DELs of all of them while it lasts or after.
function M.round(cluster, nodes, r, fault)
  local hint <const> = "round " .. r
  for _, node in ipairs(nodes) do
    node.ids = {}
    for i = 1, EACH do node.ids[i] = ("c%d-%d"):format(r, i) end
    M.start(node, "ADD", node.ids)
  end
  sys.sleep(math.random() * 0.15)
  local heal <const> = fault(r)
  M.wait(nodes)
  -- who asks must see all that happened: where the fault keeps a quorum, before it is over
  local given <const> = assert_true_answers(cluster, nodes, hint)
  local early <const> = r % 2 == 0
  if early then M.run(nodes, "DEL", function(node) return node.ids end) end
  heal()
  cluster:wait()
  if not early then M.run(nodes, "DEL", function(node) return node.ids end) end
  M.assert_dels(nodes, hint)
  M.run(nodes, "STATUS", function() return { "-" } end)
  M.assert_empty(cluster, nodes, hint)
  return given
end

return M
