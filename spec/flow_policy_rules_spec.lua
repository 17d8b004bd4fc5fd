-- Policy rules of a configuration: what they come to, and their life in a pod.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local policy_rules = require "ecmp.flow.policy_rules"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local ADDRESSES <const> = { { address = "10.0.0.9/24" }, { address = "fd00::9/64" } }

local function texts(asked, addresses)
  local list <const> = {}
  for i, rule in ipairs(policy_rules.of(assert(policy_rules.field(json.array(asked), "policyRules")),
    addresses or ADDRESSES)) do
    list[i] = ("%d %s"):format(rule.family, policy_rules.text(rule))
  end
  return list
end

describe("policy rules", function()
  it("by self are one for each address, without a prefix's others", function()
    assert.same({ "4 1000: from 10.0.0.9/32 lookup 100", "6 1000: from fd00::9/128 lookup 100" },
      texts { { from = "self", table = 100 } })
    assert.same({ "4 7: from all to 10.0.0.9/32 iif eth1 lookup 100" },
      texts({ { to = "self", table = 100, priority = 7, iif = "eth1" } }, { ADDRESSES[1] }))
  end)

  it("keep to the family of the prefix beside self", function()
    assert.same({ "6 1000: from fd00::9/128 to fd01::/16 lookup 5" },
      texts { { from = "self", to = "fd01::/16", table = 5 } })
  end)

  it("take marks as numbers or texts, with or without a mask", function()
    assert.same({ "4 1000: from 10.0.0.0/8 fwmark 0x10/0xffffffff lookup 5",
      "4 1000: from 10.0.0.0/8 fwmark 0x10/0xff lookup 5" },
      texts { { from = "10.0.0.0/8", table = 5, fwmark = 16 },
        { from = "10.0.0.0/8", table = 5, fwmark = "0x10/255" } })
  end)

  for expected, rule in pairs {
    ["policyRules[0].table: must be given"] = { from = "self" },
    ["policyRules[0].table: 0 is not between 1 and 4294967295"] = { from = "self", table = 0 },
    ["policyRules[0].priority: 32766 is not between 1 and 32765"] =
      { from = "self", table = 1, priority = 32766 },
    ['policyRules[0]: must have a "from" or a "to": a prefix, or "self"'] = { table = 1 },
    ["policyRules[0].from: 10.0.0.1/8 has bits of a host in it, the network is 10.0.0.0/8"] =
      { from = "10.0.0.1/8", table = 1 },
    ["policyRules[0].to: fd00::/8 is of another family than from, 10.0.0.0/8"] =
      { from = "10.0.0.0/8", to = "fd00::/8", table = 1 },
    ["policyRules[0].form: unknown key; known are from, to, table, priority, iif, fwmark"] =
      { from = "self", form = "x", table = 1 },
    ['policyRules[0].fwmark: must be an integer, or text like "0x10/0xff", each up to 0xffffffff'] =
      { from = "self", table = 1, fwmark = "0x10/0x" },
  } do
    it("are refused: " .. expected, function()
      assert.same({ n = 2, nil, expected },
        table.pack(policy_rules.field(json.array { rule }, "policyRules")))
    end)
  end
end)

describe("policy rules of a pod #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function()
    pod:close()
    record.sweep("lab", function() return false end)
  end)

  local function conf_of(changes)
    local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp-ptp", dad = "skip",
      policyRules = { { from = "self", table = 100 }, { to = "10.8.0.0/16", table = 101,
        priority = 7, fwmark = "0x10/0xff", iif = "eth0" } },
      ipam = { type = "ecmp-static", addresses = {
        { address = "10.0.0.9/24", gateway = "10.0.0.1" },
        { address = "fd00::9/64", gateway = "fd00::1" } } } }
    for key, value in pairs(changes or {}) do conf[key] = value end
    return conf
  end

  local function rules()
    local list <const> = {}
    for line in (pod:ip("pod", "-4 rule") .. pod:ip("pod", "-6 rule")):gmatch "[^\n]+" do
      local text <const> = line:gsub("%s+", " "):gsub(" $", "")
      if not text:find "^0:" and not text:find "^3276[67]:" then list[#list + 1] = text end
    end
    return list
  end

  local ALL <const> = { "7: from all to 10.8.0.0/16 fwmark 0x10/0xff iif eth0 lookup 101",
    "1000: from 10.0.0.9 lookup 100", "1000: from fd00::9 lookup 100" }

  it("come with ADD and go with DEL", function()
    local result <const> = pod:must("ecmp-ptp", "ADD", conf_of())
    assert.same(ALL, rules())
    pod:must("ecmp-ptp", "CHECK", pod_of.after(conf_of(), result))
    pod:must("ecmp-ptp", "DEL", conf_of())
    assert.same({}, rules())
  end)

  it("are missed by CHECK", function()
    local result <const> = pod:must("ecmp-ptp", "ADD", conf_of())
    pod:ip("pod", "-6 rule del from fd00::9")
    local outcome <const> = pod:call("ecmp-ptp", "CHECK", pod_of.after(conf_of(), result))
    assert.equal("CHECK eth0: policy rule 1000: from fd00::9/128 lookup 100 is missing",
      outcome.json.msg)
  end)

  it("stay where they were there before", function()
    pod:ip("pod", "rule add from 10.0.0.9 lookup 100 priority 1000")
    pod:must("ecmp-ptp", "ADD", conf_of())
    assert.same(ALL, rules())
    pod:must("ecmp-ptp", "DEL", conf_of())
    assert.same({ ALL[2] }, rules())
  end)

  it("are taken back by an ADD that fails behind them", function()
    local dir <const> = helper.directory()
    assert(sys.create(dir .. "/own.lua", [[
      local flow = require "ecmp.flow"
      return flow.verbs {
        attach = function(state)
          assert(state.nl.link:add { name = state.call.ifname, type = "veth",
            peer = { name = "far0" } })
          state.interfaces, state.interface = { { name = state.call.ifname } }, 0
          return true
        end,
        settle = function(state)
          assert(#state.nl.rule:list { family = "4", table = 100 } == 1)
          return nil, "no", 999
        end,
      }]], tonumber("600", 8)))
    local conf <const> = conf_of { type = "ecmp-lua", script = dir .. "/own.lua" }
    local outcome <const> = pod:call("ecmp-lua", "ADD", conf)
    helper.remove(dir)
    assert.equal("no", outcome.json.msg)
    assert.equal(1, outcome.status)
    assert.same({}, rules())
  end)

  it("are the chained plugin's as well, and go with GC", function()
    local first <const> = conf_of()
    first.policyRules = nil
    local result <const> = pod:must("ecmp-ptp", "ADD", first)
    local chained <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp",
      policyRules = { { from = "self", table = 100 } } }
    pod:must("ecmp", "ADD", pod_of.after(chained, result))
    assert.same({ ALL[2], ALL[3] }, rules())
    chained["cni.dev/valid-attachments"] = json.array {}
    pod:must("ecmp", "GC", chained)
    assert.same({}, rules())
  end)
end)
