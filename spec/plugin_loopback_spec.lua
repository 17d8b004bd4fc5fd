local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local sys = require "ecmp.sys"

describe("loopback #netns", function()
  local pod, directory
  local REFERENCE <const> = pod_of.reference .. "/loopback"
  local has_reference <const> = sys.stat(REFERENCE) ~= nil

  before_each(function()
    pod, directory = pod_of.new(), helper.directory()
    pod:ip("pod", "link set lo down")
    assert(sys.symlink(assert(sys.realpath(helper.build .. "/bin/ecmp")), directory .. "/loopback"))
  end)
  after_each(function()
    pod:close()
    helper.remove(directory)
  end)

  local function conf_of(changes)
    local conf <const> = { cniVersion = "1.0.0", name = "cni-loopback", type = "loopback" }
    for key, value in pairs(changes or {}) do conf[key] = value end
    return conf
  end

  local function is_up() return pod:ip("pod", "-o link show lo"):find("[<,]UP[,>]") ~= nil end

  it("sets lo up, looks at it, and sets it down, whatever interface is named", function()
    local result <const> = pod:must("ecmp-loopback", "ADD", conf_of { type = "ecmp-loopback" })
    assert.is_true(is_up())
    assert.same({ name = "lo", mac = "00:00:00:00:00:00", sandbox = pod.path },
      json.decode(json.encode(result.interfaces[1])))
    assert.same({ "127.0.0.1/8", "::1/128" }, { result.ips[1].address, result.ips[2].address })
    pod:must("ecmp-loopback", "CHECK", pod_of.after(conf_of(), result))
    pod:ip("pod", "link set lo down")
    local outcome <const> = pod:call("ecmp-loopback", "CHECK", pod_of.after(conf_of(), result))
    assert.same({ 999, "CHECK lo: interface lo is down" }, { outcome.json.code, outcome.json.msg })
    pod:ip("pod", "link set lo up")
    pod:must("ecmp-loopback", "DEL", pod_of.after(conf_of(), result))
    assert.is_false(is_up())
  end)

  it("hands on the result of a plugin before it", function()
    local prev <const> = { cniVersion = "1.0.0", ips = { { address = "10.0.0.9/24" } } }
    local result <const> = pod:must("ecmp-loopback", "ADD", conf_of { prevResult = prev })
    assert.equal("10.0.0.9/24", result.ips[1].address)
    assert.is_nil(result.interfaces)
    assert.is_true(is_up())
  end)

  it("refuses lo with an address of another kind", function()
    pod:ip("pod", "addr add 10.7.7.7/32 dev lo")
    local outcome <const> = pod:call("ecmp-loopback", "ADD", conf_of())
    assert.equal(1, outcome.status)
    assert.matches("lo: has the address 10.7.7.7/32, which is no loopback address", outcome.json.msg)
  end)

  it("succeeds in DEL twice, and without a pod", function()
    for _, changes in ipairs { {}, {}, { CNI_NETNS = "/run/netns/none" }, { CNI_NETNS = "" } } do
      local outcome <const> = pod:call("ecmp-loopback", "DEL", conf_of(), changes)
      assert.same({ 0, "" }, { outcome.status, outcome.stdout })
    end
  end)

  local test <const> = has_reference and it or pending
  for _, version in ipairs { "0.2.0", "0.3.1", "0.4.0", "1.0.0" } do
    test("ends as the reference plugin does, version " .. version, function()
      local seen <const> = {}
      for _, plugin in ipairs { REFERENCE, directory .. "/loopback" } do
        local said <const> = {}
        local function note(outcome)
          said[#said + 1] = { outcome.status, outcome.status == 0 and outcome.json or false,
            pod:ip("pod", "-o addr show lo"), is_up() }
        end
        local conf <const> = conf_of { cniVersion = version }
        local added <const> = pod:call(plugin, "ADD", conf)
        note(added)
        note(pod:call(plugin, "ADD", conf))
        if version >= "0.4" then note(pod:call(plugin, "CHECK", pod_of.after(conf, added.json))) end
        note(pod:call(plugin, "DEL", conf))
        if version >= "0.4" then note(pod:call(plugin, "CHECK", pod_of.after(conf, added.json))) end
        note(pod:call(plugin, "DEL", conf, { CNI_NETNS = "/run/netns/none" }))
        pod:ip("pod", "addr add 10.7.7.7/32 dev lo")
        note(pod:call(plugin, "ADD", conf))
        pod:ip("pod", "addr del 10.7.7.7/32 dev lo")
        pod:ip("pod", "link set lo down")
        for _, entry in ipairs(said) do
          local result <const> = entry[2]
          if result then result.dns = nil end -- an empty one is printed by some versions
          -- Debian's prints a result of 1.0.0 under every version's name.
          if version < "0.3" then entry[2] = false end
          for _, address in ipairs(result and result.ips or {}) do address.version = nil end
        end
        seen[#seen + 1] = json.encode(said)
      end
      assert.equal(seen[1], seen[2])
    end)
  end
end)

describe("a plan of loopback", function()
  local function plan(text)
    local argv <const> = { "lua5.4", "-e", helper.paths()
      .. "os.exit(require('ecmp.command').run(arg), true)", "/dev/null", "plan", "--json", "-" }
    local outcome <const> = assert(sys.spawn { argv = argv, stdin = text, stderr = "capture",
      timeout = 60 })
    assert.same({ 0, "" }, { outcome.status, outcome.stderr })
    local read <const> = json.decode(outcome.stdout)
    local addresses <const> = {}
    for i, entry in ipairs(read.addresses) do
      addresses[i] = entry.address .. " " .. entry.dev
    end
    return addresses, read.routes
  end

  it("has its addresses, alone and wherever it stands in a list", function()
    local own <const> = { "127.0.0.1/8 lo", "::1/128 lo" }
    assert.same({ own, {} }, { plan '{"cniVersion":"1.0.0","name":"lo","type":"loopback"}' })
    local lo <const> = '{"type":"loopback"}'
    local ptp <const> = [[{"type":"ecmp-ptp","ipam":{"type":"ecmp-static","addresses":[
      {"address":"10.0.0.2/24","gateway":"10.0.0.1"}],"routes":[{"dst":"0.0.0.0/0"}]}}]]
    for _, plugins in ipairs { lo .. "," .. ptp, ptp .. "," .. lo } do
      local addresses <const>, routes <const> =
        plan(('{"cniVersion":"1.0.0","name":"n","plugins":[%s]}'):format(plugins))
      assert.same({ "10.0.0.2/24 eth0", own[1], own[2] }, addresses)
      assert.equal("10.0.0.1", routes[1].via)
      assert.equal(1, #routes)
    end
  end)
end)
