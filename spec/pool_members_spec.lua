-- Pools of a cluster when one of three members fails in the middle. A few rounds of each; with ROUNDS=N so many
-- times as many.
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local pool = require "spec.pool_nodes"

local it_secure <const> = etcd.secure and it or pending

describe("pools of a cluster of three #netns #etcd", function()
  local cluster, dir
  before_each(function() dir = helper.directory() end)
  after_each(function()
    if cluster then cluster:close() end
    cluster = nil
    helper.remove(dir)
  end)

  local function rounds(fault, options)
    cluster = etcd.cluster { members = 3, tls = true, small = options and options.small }
    local nodes <const> = pool.nodes_of(cluster, dir, 4)
    local given = 0
    for r = 1, etcd.rounds(2) do given = given + pool.round(cluster, nodes, r, fault) end
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
