-- ecmp check and ecmp repair on a node with many attachments: what was harmed is named and mended,
-- and no packet of the others is lost meanwhile.
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

-- Fifty with ROUNDS=5 or more.
local PODS <const> = math.min(50, 10 * helper.rounds)

local PORT <const> = 4000

-- Sends from each of the namespaces until a file is there, and then tells how often it did.
local SENDER <const> = [[
  local sys = require "ecmp.sys"
  local stop, told, count = arg[1], arg[2], 0
  while not sys.stat(stop) do
    for i = 3, #arg do
      assert(sys.udp_send(arg[i], { { dst = "10.1.0.1", dport = 4000 } }))
    end
    count = count + 1
    if count == 1 then assert(sys.create(told .. ".begun", "")) end
    sys.sleep(0.01)
  end
  assert(sys.create(told, ("%d"):format(count * (#arg - 2))))]]

describe("a node with many attachments #netns", function()
  local pod, dir, spaces

  before_each(function() pod, dir, spaces = pod_of.new(), helper.directory(), {} end)
  after_each(function()
    for _, space in ipairs(spaces) do space:close() end
    pod:close()
    helper.remove(dir)
    record.sweep("node", function() return false end)
  end)

  local function argv(...)
    return { "lua5.4", "-e", helper.paths()
      .. "os.exit(require('ecmp.command').run(arg), true)", "/dev/null", ... }
  end

  local function ecmp(...)
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 120,
      netns = pod.host_path, argv = argv(...) })
    assert.equal("", outcome.stderr)
    return outcome.status, outcome.stdout
  end

  local function id_of(i) return ("c%02d"):format(i) end

  local function attach(i)
    spaces[i] = assert(netns.create())
    pod:must("ecmp-bridge", "ADD", { cniVersion = "1.1.0", name = "node", type = "ecmp-bridge",
      bridge = "br0", isGateway = true, ipMasq = true, macspoofchk = true, dad = "skip",
      multipath = { hash = "l4" }, policyRules = { { from = "self", table = 100 } },
      ipam = { type = "ecmp-static", routes = {
        { dst = "10.200.0.0/16", gw = "10.1.0.1" },
        { dst = "10.201.0.0/16", nexthops = { { gw = "10.1.0.1", weight = 3 }, { gw = "10.1.0.2" } } },
        { dst = "0.0.0.0/0", gw = "10.1.0.1", table = 100 },
      }, addresses = { { address = ("10.1.0.%d/24"):format(9 + i), gateway = "10.1.0.1" } } },
    }, { CNI_CONTAINERID = id_of(i), CNI_NETNS = netns.path(spaces[i]) })
  end

  local function in_pod(i, text)
    local outcome <const> = assert(sys.spawn { argv = { "sh", "-c", text }, stderr = "capture",
      netns = netns.path(spaces[i]) })
    assert.equal(0, outcome.status, outcome.stderr)
  end

  -- One thing each for four pods.
  local HARM <const> = {
    { "ip route del 10.200.0.0/16", "route 10.200.0.0/16 is missing" },
    { "ip route replace 10.201.0.0/16 nexthop via 10.1.0.1 nexthop via 10.1.0.2",
      "route 10.201.0.0/16: next hop via 10.1.0.1 dev eth0 has weight 1, planned is 3" },
    { "ip rule del priority 1000", "policy rule 1000: from 10.1.0.12/32 lookup 100 is missing" },
    { "echo 0 >/proc/sys/net/ipv4/fib_multipath_hash_policy",
      "sysctl net.ipv4.fib_multipath_hash_policy is 0, planned is 1" },
  }

  -- The lines of check or repair, by container.
  local function by_container(text)
    local lines <const> = {}
    for id, line in text:gmatch "node/(%w+)/eth0: ([^\n]*)\n" do lines[id] = line end
    return lines
  end

  -- Starts a program that writes to files of the directory when it has ended.
  local function start(name, program)
    local script <const> = [[out=$0; ("$@" >"$out" 2>"$out.err"; echo $? >"$out.status") &]]
    local outcome <const> = assert(sys.spawn { netns = pod.host_path,
      argv = { "sh", "-c", script, dir .. "/" .. name, table.unpack(program) } })
    assert.equal(0, outcome.status)
  end

  -- Repairs while the pods behind those that were harmed send to the gateway: its status, what it
  -- said, what was sent and what came. What came is taken in at once, for there is little room.
  local function repair_while_sending()
    local receiver <close> = assert(sys.udp_bind(pod.host_path, "10.1.0.1", PORT))
    local sender <const> = { "lua5.4", "-e", helper.paths() .. SENDER, "/dev/null", dir .. "/stop",
      dir .. "/told" }
    for i = #HARM + 1, PODS do sender[#sender + 1] = netns.path(spaces[i]) end
    local came = 0
    local function receive_until(file)
      helper.eventually(function()
        came = came + assert(sys.udp_drain(receiver))
        return sys.stat(dir .. "/" .. file)
      end)
    end
    start("sender", sender)
    receive_until "told.begun"
    start("repair", argv "repair")
    receive_until "repair.status"
    assert(sys.create(dir .. "/stop", ""))
    receive_until "sender.status"
    came = came + assert(sys.udp_drain(receiver))
    assert.equal("", sys.read(dir .. "/sender.err") .. sys.read(dir .. "/repair.err"))
    return tonumber(sys.read(dir .. "/repair.status")), sys.read(dir .. "/repair"),
      tonumber(sys.read(dir .. "/told")), came
  end

  it("is looked at and mended without a packet of the others lost", function()
    for i = 1, PODS do attach(i) end
    assert.equal(0, (ecmp "check"))

    pod:run("host", { "nft", "flush", "ruleset" })
    for i, one in ipairs(HARM) do in_pod(i, one[1]) end
    local status, text = ecmp "check"
    assert.equal(1, status)
    local found <const> = by_container(text)
    for i = 1, PODS do
      assert.equal("ipMasq: 0 of 1 addresses are masqueraded by nftables; macspoofchk: 0 of 4 rules "
        .. "are there" .. (HARM[i] and "; " .. HARM[i][2] or ""), found[id_of(i)])
    end

    local sent, came
    status, text, sent, came = repair_while_sending()
    assert.equal(0, status, text)
    assert.is_true(sent >= PODS - #HARM)
    assert.equal(sent, came)
    local mended <const> = by_container(text)
    for i = #HARM + 1, PODS do
      assert.equal("ipMasq by nftables; macspoofchk", mended[id_of(i)])
    end
    status, text = ecmp "check"
    assert.equal(0, status, text)
    assert.equal("node/c01/eth0: nothing to do\n", (select(2, ecmp("repair", "node/c01/eth0"))))
  end)
end)
