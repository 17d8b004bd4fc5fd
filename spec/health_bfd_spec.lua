--- `ecmp watch --probe bfd` with the peers that routers run: bird and FRR.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local ECMP <const> = helper.build .. "/bin/ecmp"
local BIRD <const>, FRR <const> = "/usr/sbin/bird", "/usr/lib/frr"

local function spawn(argv, where)
  local line <const> = "exec " .. table.concat(argv, " ") .. " >/dev/null 2>&1"
  return assert(sys.spawn { argv = { "sh", "-c", line }, netns = where, detach = true }).pid
end

--- A peer: `start` runs it in the namespace of a gateway and returns what stops it; `down` and `up`
--- say of a running one that it is to be down by its administrator's will.
local peers <const> = {}

peers.bird = {
  there = sys.stat(BIRD) ~= nil,
  start = function(_, where, directory)
    sys.replace(directory .. "/bird.conf", [[
      router id 10.0.0.1;
      protocol device {}
      protocol bfd {
        interface "lan" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; };
        neighbor 10.0.0.100 dev "lan";
      }]], tonumber("644", 8))
    return { spawn({ BIRD, "-f", "-c", directory .. "/bird.conf", "-s", directory .. "/ctl", "-P",
      directory .. "/pid" }, where) }
  end,
}

peers.frr = {
  there = sys.stat(FRR .. "/bfdd") ~= nil and helper.has_users(), -- its daemons become another user
  start = function(_, where, directory)
    sys.replace(directory .. "/zebra.conf", "hostname z\n", tonumber("644", 8))
    sys.replace(directory .. "/bfdd.conf", "bfd\n peer 10.0.0.100 interface lan\n"
      .. "  detect-multiplier 3\n  receive-interval 100\n  transmit-interval 100\n", tonumber("644", 8))
    assert(sys.spawn { argv = { "chown", "-R", "frr:frr", directory } }.status == 0)
    assert(sys.chmod(directory, tonumber("755", 8)))
    local common <const> = { "-u", "frr", "-g", "frr", "--vty_socket", directory, "-z",
      directory .. "/zserv" }
    local function daemon(name, ...)
      local argv <const> = { FRR .. "/" .. name, "-f", ("%s/%s.conf"):format(directory, name), "-i",
        ("%s/%s.pid"):format(directory, name), ... }
      table.move(common, 1, #common, #argv + 1, argv)
      return spawn(argv, where)
    end
    local zebra <const> = daemon "zebra"
    helper.eventually(function() return sys.stat(directory .. "/zserv") end)
    return { daemon("bfdd", "--bfdctl", directory .. "/ctl"), zebra }
  end,
  tell = function(where, directory, words)
    local done <const> = assert(sys.spawn { netns = where, stderr = "capture", argv = { "vtysh",
      "--vty_socket", directory, "-c", "configure terminal", "-c", "bfd", "-c",
      "peer 10.0.0.100 interface lan", "-c", words } })
    assert(done.status == 0, done.stderr)
  end,
}

local function stop(pids)
  for _, pid in ipairs(pids) do
    sys.kill(pid, "KILL")
    helper.eventually(function()
      local stat <const> = sys.read(("/proc/%d/stat"):format(pid))
      return not stat or stat:match "%) (%u)" == "Z"
    end)
  end
end

local function gateway_status(via)
  local outcome <const> = assert(sys.spawn { argv = { ECMP, "watch", "--status", "--json" } })
  local status <const> = json.decode(outcome.stdout)
  for _, one in ipairs(status and status.running and status.gateways or {}) do
    if one.gateway == via then return one end
  end
  return {}
end

describe("BFD #netns", function()
  for name, peer in pairs(peers) do
    local test <const> = peer.there and it
      or function(text) it(text, function() pending(name .. " is not installed, or not root's to start") end) end

    test(("holds sessions with %s: down, restarted, and down by its administrator"):format(name),
      function()
      local directory <const> = helper.directory()
      local lab <close> = assert(ecmp.lab { gateways = 2, shared = true, families = { 4 } })
      assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(4) })
      local running <const> = {}
      for i = 1, 2 do
        local own <const> = ("%s/%d"):format(directory, i)
        assert(sys.mkdir(own, tonumber("755", 8)))
        sys.chmod(directory, tonumber("755", 8))
        running[i] = peer:start(lab:path("gw" .. i), own)
      end
      local watcher <const> = spawn({ ECMP, "watch", "--netns", lab:path "pod", "--hold", "0",
        "--probe", "bfd", "--source", "10.0.0.100", "default" })
      local cleanup <close> = setmetatable({}, { __close = function()
        for _, pids in ipairs(running) do stop(pids) end
        stop { watcher }
        helper.remove(directory)
      end })
      local function await(via, field, value)
        helper.eventually(function() return gateway_status(via)[field] == value end)
      end
      local function hops()
        return #(lab.pod.route:get({ dst = "192.0.2.1", fibmatch = true }).nexthops or { 1 })
      end
      await("10.0.0.1", "bfd", "up")
      await("10.0.0.2", "bfd", "up")
      helper.eventually(function() return hops() == 2 end)
      stop(running[2])
      running[2] = {}
      helper.eventually(function() return hops() == 1 end)
      running[2] = peer:start(lab:path "gw2", directory .. "/2")
      await("10.0.0.2", "bfd", "up")
      helper.eventually(function() return hops() == 2 end)
      if peer.tell then
        local edits <const> = gateway_status("10.0.0.1").state
        peer.tell(lab:path "gw1", directory .. "/1", "shutdown")
        await("10.0.0.1", "bfd", "down")
        assert.equal("up", edits)
        assert.equal(2, hops())
        assert.equal("up", gateway_status("10.0.0.1").state)
        peer.tell(lab:path "gw1", directory .. "/1", "no shutdown")
        await("10.0.0.1", "bfd", "up")
      end
      assert.is_truthy(cleanup)
    end)
  end
end)
