local ecmp = require "ecmp"
local json = require "ecmp.json"
local neighbours = require "ecmp.flow.neighbours"
local pod_of = require "spec.pod"
local undo_stack = require "ecmp.undo"

describe("multipath.useNeigh", function()
  local function read(text)
    return neighbours.use_neigh(json.decode(text), "multipath.useNeigh")
  end

  it("takes booleans, a word, and timers", function()
    assert.is_true(read "true")
    assert.is_false(read "false")
    assert.same({ reachable = 1000, retrans = 100 }, read '"managed"')
    assert.same({ reachable = 1000, retrans = 100 }, read '{"managed":{}}')
    assert.same({ reachable = 500, retrans = 100 }, read '{"Managed":{"REACHABLE":500}}')
    assert.same({ reachable = 300, retrans = 50 },
      read '{"managed":{"reachable":300,"retrans":50}}')
  end)

  for text, why in pairs {
    ["1"] = 'multipath.useNeigh: must be true, false, "managed" or an object',
    ['"manged"'] = 'multipath.useNeigh: must be true, false, "managed" or an object',
    ["{}"] = "multipath.useNeigh.managed: must be given",
    ['{"managed":true}'] = "multipath.useNeigh.managed: must be an object, not a boolean",
    ['{"managed":{"reachable":5}}'] =
      "multipath.useNeigh.managed.reachable: 5 is not between 100 and 3600000",
    ['{"managed":{"reach":500}}'] = "multipath.useNeigh.managed.reach: unknown key",
  } do
    it("refuses " .. text, function()
      local value <const>, message <const> = read(text)
      assert.is_nil(value)
      assert.equal(why, message:sub(1, #why))
    end)
  end
end)

describe("managed neighbours", function()
  it("are the gateways on the device, each once, with its timers by family", function()
    local list <const> = neighbours.of({
      { nexthops = { { via = "10.0.0.1", dev = "eth0" }, { via = "10.9.0.1", dev = "eth1" } } },
      { nexthops = { { via = "10.0.0.1", dev = "eth0" }, { via = "inet6 fe80::1", dev = "eth0" } } },
      { nexthops = { { dev = "eth0" } } },
    }, "eth0")
    assert.same({ { dst = "10.0.0.1", dev = "eth0" }, { dst = "fe80::1", dev = "eth0" } }, list)
    local set <const> = {}
    neighbours.add_sysctls(set, { list[2] }, { reachable = 500, retrans = 100 })
    assert.same({
      ["net/ipv6/neigh/eth0/base_reachable_time_ms"] = "500",
      ["net/ipv6/neigh/eth0/retrans_time_ms"] = "100",
      ["net/ipv6/neigh/eth0/delay_first_probe_time"] = "0",
    }, set)
  end)
end)

describe("managed neighbours #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function() pod:close() end)

  local function conf_of(kind, changes)
    local conf <const> = {
      cniVersion = "1.0.0", name = "n", type = kind,
      multipath = { hash = "l4", useNeigh = { managed = { reachable = 500 } } },
      ipam = {
        type = "static",
        addresses = { { address = "10.0.0.9/24" }, { address = "2001:db8::9/64" } },
        routes = json.array { { dst = "0.0.0.0/0", gws = { "10.0.0.1", "10.0.0.2" } },
          { dst = "::/0", gws = { "2001:db8::1", "2001:db8::2" } } },
      },
    }
    for key, value in pairs(changes or {}) do conf[key] = value end
    return conf
  end

  local function managed(nl)
    local list <const> = {}
    for _, entry in ipairs(nl.neigh:list { dev = "eth0" }) do
      if entry.managed then list[#list + 1] = entry.dst end
    end
    table.sort(list)
    return list
  end

  local all <const> = { "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2" }

  it("are there after ADD with their timers; CHECK looks at the flag, not at the state", function()
    local conf <const> = conf_of "ecmp-bridge"
    local result <const> = pod:must("ecmp-bridge", "ADD", conf)
    local nl <close> = pod:open()
    assert.same(all, managed(nl))
    for _, family in ipairs { "ipv4", "ipv6" } do
      assert.equal("500", nl.sysctl:get(("net/%s/neigh/eth0/base_reachable_time_ms"):format(family)))
      assert.equal("0", nl.sysctl:get(("net/%s/neigh/eth0/delay_first_probe_time"):format(family)))
      assert.equal("100", nl.sysctl:get(("net/%s/neigh/eth0/retrans_time_ms"):format(family)))
    end
    assert.equal("1", nl.sysctl:get "net.ipv4.fib_multipath_use_neigh")
    -- No gateway is there, so all of them fail; that is no difference.
    pod:must("ecmp-bridge", "CHECK", pod_of.after(conf, result))
    assert(nl.neigh:del { dst = "10.0.0.2", dev = "eth0" })
    local outcome <const> = pod:call("ecmp-bridge", "CHECK", pod_of.after(conf, result))
    assert.matches("neighbour 10.0.0.2 on eth0 is not managed", outcome.json.msg, 1, true)
    pod:must("ecmp-bridge", "DEL", conf)
  end)

  it("of a chained plugin go with its DEL, and the device's timers return", function()
    local main <const> = conf_of("ecmp-bridge", { multipath = { hash = "l4" } })
    local first <const> = pod:must("ecmp-bridge", "ADD", main)
    local nl <close> = pod:open()
    assert(nl.neigh:add { dst = "10.0.0.2", dev = "eth0", lladdr = "02:00:00:00:00:02",
      state = "PERMANENT" })
    local before <const> = nl.sysctl:get "net/ipv6/neigh/eth0/base_reachable_time_ms"
    local conf <const> = { cniVersion = "1.0.0", name = "n", type = "ecmp",
      multipath = { useNeigh = "managed" } }
    local result <const> = pod:must("ecmp", "ADD", pod_of.after(conf, first))
    -- What was put there by hand never fails, and stays.
    assert.same({ all[1], all[3], all[4] }, managed(nl))
    pod:must("ecmp", "CHECK", pod_of.after(conf, result))
    pod:must("ecmp", "DEL", pod_of.after(conf, result))
    assert.same({}, managed(nl))
    assert.equal("PERMANENT", nl.neigh:get { dst = "10.0.0.2", dev = "eth0" }.state)
    assert.equal(before, nl.sysctl:get "net/ipv6/neigh/eth0/base_reachable_time_ms")
    pod:must("ecmp-bridge", "DEL", main)
  end)

  it("that were managed before stay at DEL", function()
    local main <const> = conf_of("ecmp-bridge", { multipath = { hash = "l4" } })
    local first <const> = pod:must("ecmp-bridge", "ADD", main)
    local nl <close> = pod:open()
    assert(nl.neigh:add { dst = "10.0.0.2", dev = "eth0", managed = true })
    local conf <const> = { cniVersion = "1.0.0", name = "n", type = "ecmp",
      multipath = { useNeigh = "managed" } }
    local result <const> = pod:must("ecmp", "ADD", pod_of.after(conf, first))
    assert.same(all, managed(nl))
    pod:must("ecmp", "DEL", pod_of.after(conf, result))
    assert.same({ "10.0.0.2" }, managed(nl))
    pod:must("ecmp-bridge", "DEL", main)
  end)

  it("that were managed before stay when an ADD is taken back", function()
    local lab <close> = assert(ecmp.lab { gateways = 2, shared = true })
    local list <const> = {}
    for i = 1, 2 do list[i] = { dst = lab:gateway(i).via[4], dev = "eth0" } end
    assert(lab.pod.neigh:replace { dst = list[1].dst, dev = "eth0", managed = true })
    local undo <const> = undo_stack.new()
    assert.same({ list[2] }, { table.unpack(neighbours.missing(lab.pod, list)) })
    assert(neighbours.manage { nl = lab.pod, undo = undo, plan = { neighbours = list } })
    assert.same({ list[1].dst, list[2].dst }, managed(lab.pod))
    assert.is_true(undo:rollback())
    assert.same({ list[1].dst }, managed(lab.pod))
  end)

  it("that cannot be deleted are told of, and the others go", function()
    local deleted <const> = {}
    local refusals <const> = { ["10.0.0.1"] = "EPERM", ["10.0.0.2"] = "ENOENT" }
    local list <const>, there <const> = {}, {}
    for i = 1, 3 do
      list[i] = { dst = "10.0.0." .. i, dev = "eth0" }
      there[i] = { dst = list[i].dst, managed = true }
    end
    local nl <const> = { neigh = {
      list = function() return there end,
      del = function(_, entry)
        deleted[#deleted + 1] = entry.dst
        local code <const> = refusals[entry.dst]
        if code then return nil, entry.dst .. ": no", code end
        return true
      end,
    } }
    assert.same({ nil, "10.0.0.1: no", "EPERM" }, { neighbours.release(nl, list) })
    assert.same({ "10.0.0.1", "10.0.0.2", "10.0.0.3" }, deleted)
  end)

  it("are refused where the kernel forgets the flag, and nothing of them stays", function()
    local lab <close> = assert(ecmp.lab { gateways = 1, shared = true })
    local real <const> = lab.pod
    local old_kernel <const> = setmetatable({ neigh = setmetatable({
      replace = function(_, entry)
        return real.neigh:replace { dst = entry.dst, dev = entry.dev, use = true }
      end,
      list = function(_, filter) return real.neigh:list(filter) end,
    }, { __index = real.neigh }) }, { __index = real })
    local undo <const> = undo_stack.new()
    local ok <const>, message <const>, code <const> = neighbours.manage {
      nl = old_kernel, undo = undo,
      plan = { neighbours = { { dst = lab:gateway(1).via[4], dev = "eth0" } } } }
    assert.is_nil(ok)
    assert.equal(7, code)
    assert.matches("^multipath.useNeigh: the neighbour 10.0.0.1 on eth0: this kernel does not "
      .. "manage neighbours", message)
    assert.is_true(undo:rollback())
  end)

  it("are in what `ecmp plan` shows", function()
    local sys <const> = require "ecmp.sys"
    local helper <const> = require "spec.helper"
    local outcome <const> = assert(sys.spawn {
      argv = { helper.build .. "/bin/ecmp", "plan", "-" }, stdin = json.encode(conf_of "ecmp-bridge"),
      stderr = "capture" })
    assert.equal("", outcome.stderr)
    assert.matches("neighbours: (Linux 5.16 or newer; on an older kernel the ADD is refused)\n"
      .. "10.0.0.1 dev eth0 managed\n10.0.0.2 dev eth0 managed\n", outcome.stdout, 1, true)
  end)
end)
