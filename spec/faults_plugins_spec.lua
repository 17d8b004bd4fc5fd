-- Plugins of which a call to the kernel fails, or was the last: nothing is left, and the next one works. With
-- `make faults` that is each call of all; otherwise a few, drawn.
local etcd = require "spec.etcd"
local faults = require "spec.faults"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local function when(available)
  return faults.available and available and it or pending
end

local function executable(kind)
  return assert(sys.realpath(helper.build .. "/bin")):gsub("bin$", "cni/") .. kind
end

-- Files of a directory but those that stay.
local function left_in(path, stays)
  local list <const> = {}
  for _, name in ipairs(sys.list(path) or {}) do
    if not name:find(stays) then list[#list + 1] = name end
  end
  return list
end

-- An error is told as CNI says, or, where the answer cannot be written, on standard error: by what was refused.
local function assert_told(outcome, code)
  if outcome.signal then return end
  assert.equal(1, outcome.status)
  local answer <const> = json.decode(outcome.stdout) or { code = 5, msg = outcome.stderr }
  assert.equal("integer", math.type(answer.code))
  local words <const> = { EIO = "Input/output error", ENODEV = "%S" } -- what a device without a name leads to
  assert.is_truthy(answer.msg:find(code) or answer.msg:find(words[code] or code), answer.msg)
end

describe("a plugin of which a call fails #netns", function()
  local pod, dir, before

  local function conf_of(kind)
    local conf <const> = {
      cniVersion = "1.1.0", name = "lab", type = kind, dad = "skip",
      ipam = {
        type = "ecmp-host-local", dataDir = dir,
        ranges = { { { subnet = "10.0.0.0/24" } }, { { subnet = "2001:db8::/64" } } },
        routes = json.array { { dst = "0.0.0.0/0", gw = "10.0.0.1" },
          { dst = "0.0.0.0/0", gw = "10.0.0.3" }, { dst = "::/0" } },
      },
      multipath = { hash = "l4", nexthops = "group" },
    }
    if kind == "ecmp-bridge" then conf.bridge, conf.isGateway = "br0", true end
    if kind == "ecmp-macvlan" then conf.master = "m0" end
    return conf
  end

  before_each(function()
    dir, pod = helper.directory(), pod_of.new()
    -- The host's own link-local addresses would settle while snapshots are compared.
    pod:run("host", { "sh", "-c", "echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad" })
    pod:ip("host", "link add m0 type veth peer name m1")
    for _, name in ipairs { "m0", "m1" } do pod:ip("host", "link set up dev " .. name) end
    helper.eventually(function()
      return not pod:ip("host", "-o link show type veth"):find("state [DL]O")
    end)
    before = pod:snapshot()
  end)
  after_each(function()
    pod:close()
    helper.remove(dir)
    record.sweep("lab", function() return false end)
  end)

  local function assert_clean(kind)
    if kind == "ecmp-bridge" then pcall(pod.ip, pod, "host", "link del br0") end
    assert.equal(before, pod:snapshot())
    assert.same({}, left_in(dir .. "/lab", "^l[oa][cs][kt]"))
    assert.same({}, left_in(record.directory, "%.lock$"))
  end

  local function assert_works(kind)
    local result <const> = pod:must(kind, "ADD", conf_of(kind))
    pod:must(kind, "CHECK", pod_of.after(conf_of(kind), result))
    pod:must(kind, "DEL", pod_of.after(conf_of(kind), result))
    assert_clean(kind)
  end

  local function order_of(kind, command)
    return { argv = { executable(kind) }, stdin = json.encode(conf_of(kind)), netns = pod.host_path,
      env = runtime.environment { CNI_COMMAND = command, CNI_NETNS = pod.path, CNI_PATH = "/nowhere" } }
  end

  for _, kind in ipairs { "ecmp-bridge", "ecmp-ptp", "ecmp-macvlan" } do
    local function mend()
      pod:call(kind, "DEL", conf_of(kind))
      pcall(pod.ip, pod, "host", "link del br0")
    end

    when(true)(kind .. " takes an ADD back, whichever call fails, and says so", function()
      faults.sweep(order_of(kind, "ADD"), false, { mend = mend, after = function(outcome, code)
        if outcome.status == 0 then -- what only makes the next time faster is done without
          local result <const> = assert(json.decode(outcome.stdout))
          pod:must(kind, "CHECK", pod_of.after(conf_of(kind), result))
          pod:must(kind, "DEL", pod_of.after(conf_of(kind), result))
        else
          assert_told(outcome, code)
          if outcome.signal then pod:must(kind, "DEL", conf_of(kind)) end
        end
        assert_clean(kind)
        assert_works(kind)
      end })
    end)

    when(true)(kind .. " is cleaned up after, whichever call of its ADD was the last", function()
      faults.sweep(order_of(kind, "ADD"), true, { mend = mend, after = function()
        pod:must(kind, "DEL", conf_of(kind))
        assert_clean(kind)
        assert_works(kind)
      end })
    end)

    for _, kill in ipairs { false, true } do
      when(true)(kind .. " finishes a DEL of which a call " .. (kill and "was the last" or "failed"), function()
        faults.sweep(order_of(kind, "DEL"), kill, { mend = mend,
          before = function() pod:must(kind, "ADD", conf_of(kind)) end,
          after = function(outcome, code)
            if not kill and outcome.status ~= 0 then assert_told(outcome, code) end
            pod:must(kind, "DEL", conf_of(kind))
            assert_clean(kind)
            assert_works(kind)
          end })
      end)
    end
  end
end)

describe("ecmp-pool of which a call fails #netns #etcd", function()
  local cluster, dir

  setup(function()
    if not (faults.available and etcd.available) then return end
    cluster, dir = etcd.cluster(), helper.directory()
  end)
  teardown(function()
    if not cluster then return end
    cluster:close()
    helper.remove(dir)
  end)

  local function order_of(command)
    local store <const> = cluster:store()
    store.node, store.timeout = "n1", 5
    return { argv = { executable "ecmp-pool" }, env = runtime.environment { CNI_COMMAND = command },
      stdin = json.encode { cniVersion = "1.1.0", name = "net", type = "ecmp-pool", ipam = {
        type = "ecmp-pool", dataDir = dir, store = store, ranges = { { { subnet = "10.0.0.0/24" } } } } } }
  end

  local function run(command)
    local order <const> = order_of(command)
    order.stderr, order.timeout = "capture", 60
    return assert(sys.spawn(order))
  end

  local function must(command)
    local outcome <const> = run(command)
    assert.equal(0, outcome.status, outcome.stdout .. outcome.stderr)
  end

  -- STATUS works off what others left undone; then nothing of the attachment is anywhere.
  local function assert_clean()
    must "STATUS"
    for _, kind in ipairs { "a", "t" } do
      assert.equal("", cluster:ctl(("get --prefix /ecmp/v1/net/%s/ --keys-only"):format(kind)))
    end
    for _, folder in ipairs { "notes", "gone" } do
      assert.same({}, sys.list(("%s/net/%s"):format(dir, folder)) or {})
    end
  end

  for _, kill in ipairs { false, true } do
    local how <const> = kill and "was the last" or "failed"

    when(etcd.available)("loses no address by an ADD of which a call " .. how, function()
      faults.sweep(order_of "ADD", kill, { mend = function() run "DEL" end, after = function(outcome, code)
        if not kill and outcome.status ~= 0 then assert_told(outcome, code) end
        must "DEL"
        assert_clean()
        must "ADD"
        must "DEL"
        assert_clean()
      end })
    end)

    when(etcd.available)("loses no address by a DEL of which a call " .. how, function()
      faults.sweep(order_of "DEL", kill, { before = function() run "DEL" must "ADD" end, after = function(outcome, code)
        if not kill and outcome.status ~= 0 then assert_told(outcome, code) end
        must "DEL"
        assert_clean()
      end })
    end)
  end
end)
