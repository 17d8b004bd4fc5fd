--- `ecmp watch` and next-hop groups that the kernel drops when a pod's carrier goes.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local netns = require "ecmp.netns"
local pod_of = require "spec.pod"
local sys = require "ecmp.sys"

local ECMP <const> = helper.build .. "/bin/ecmp"

describe("ecmp watch #netns", function()
  local host, space, gateways, directory

  --- A bridge with two gateways behind it.
  before_each(function()
    directory = helper.directory()
    host, space, gateways = pod_of.new(), assert(netns.create()), {}
    local nl <close> = host:open "host"
    assert(nl.link:add { name = "br0", type = "bridge" })
    assert(nl.link:set { dev = "br0", up = true })
    for i = 1, 2 do
      gateways[i] = assert(netns.create())
      local gateway <close> = assert(ecmp.open { netns = netns.path(gateways[i]) })
      assert(nl.link:add { name = "gw" .. i, type = "veth", master = "br0",
        peer = { name = "lan", netns = netns.path(gateways[i]) } })
      assert(nl.link:set { dev = "gw" .. i, up = true })
      assert(gateway.link:set { dev = "lan", up = true })
      assert(gateway.addr:add { dev = "lan", address = ("10.0.0.%d/24"):format(i) })
      assert(gateway.addr:add { dev = "lan", address = ("2001:db8::%d/64"):format(i), nodad = true })
    end
  end)

  after_each(function()
    for _, one in ipairs(gateways) do one:close() end
    space:close()
    host:close()
    helper.remove(directory)
  end)

  local function pod_routes()
    local nl <close> = assert(ecmp.open { netns = netns.path(space) })
    return tostring(nl.route:list { dst = "default" }) .. tostring(nl.nexthop:list())
  end

  --- How many gateways have answered the watcher.
  local function count_up()
    local status <const> = json.decode(sys.read "/run/cni/ecmp/health/status" or "{}")
    local count = 0
    for _, one in ipairs(status.gateways or {}) do count = count + (one.state == "up" and 1 or 0) end
    return count
  end

  --- Whether the kernel sends some flow by a gateway.
  local function uses(gateway)
    local nl <close> = assert(ecmp.open { netns = netns.path(space) })
    for i = 1, 64 do
      local route <const> = nl.route:get { dst = "203.0.113.9", proto = "udp", sport = i, dport = 9 }
      if route and route.via == gateway then return true end
    end
    return false
  end

  for _, nexthops in ipairs { "group", "resilient" } do
    it(("puts back a %s that went with the carrier"):format(nexthops), function()
      local conf <const> = {
        cniVersion = "1.0.0", name = "n", type = "ecmp-bridge", bridge = "br0", dad = "skip",
        health = { probe = "icmp", interval = 50, hold = 0 },
        multipath = { nexthops = nexthops, hash = "l4" },
        ipam = { type = "static",
          addresses = { { address = "10.0.0.11/24" }, { address = "2001:db8::b/64" } },
          routes = json.array { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } },
            { dst = "::/0", gws = { "2001:db8::1", "2001:db8::2" } } } },
      }
      local env <const> = { CNI_CONTAINERID = "c", CNI_NETNS = netns.path(space) }
      local result <const> = host:must("ecmp-bridge", "ADD", conf, env)
      local was <const> = pod_routes()
      assert.matches("nhid", was)
      local watcher <const> = assert(sys.spawn { detach = true,
        argv = { "sh", "-c", ("exec %s watch --json >%s/out 2>&1"):format(ECMP, directory) } }).pid
      local ok <const>, message <const> = pcall(function()
        local nl <close> = host:open "host"
        local port <const> = result.interfaces[2].name
        assert(nl.link:set { dev = port, up = false })
        helper.eventually(function() return not pod_routes():find("nhid", 1, true) end)
        assert(nl.link:set { dev = port, up = true })
        helper.eventually(function() return pod_routes() == was end)
        local outcome <const> = host:call("ecmp-bridge", "CHECK", pod_of.after(conf, result), env)
        assert.equal(0, outcome.status, outcome.stdout)
        -- One that never answered would not be taken out.
        helper.eventually(function() return count_up() == 4 end)
        -- With a gateway out the group comes back whole, and the gateway goes out again.
        assert(nl.link:set { dev = "gw1", up = false })
        helper.eventually(function() return not uses "10.0.0.1" end)
        assert(nl.link:set { dev = port, up = false })
        helper.eventually(function() return not pod_routes():find("nhid", 1, true) end)
        assert(nl.link:set { dev = port, up = true })
        helper.eventually(function() return uses "10.0.0.2" and not uses "10.0.0.1" end)
        assert.matches('"event":"repaired"', sys.read(directory .. "/out"))
      end)
      sys.kill(watcher, "TERM")
      assert(ok, ("%s\n%s\n%s"):format(message, pod_routes(), sys.read(directory .. "/out")))
      host:must("ecmp-bridge", "DEL", conf, env)
    end)
  end
end)
