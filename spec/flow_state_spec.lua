local cni = require "ecmp.cni"
local ecmp = require "ecmp"
local flow = require "ecmp.flow"
local interface = require "ecmp.flow.interface"
local netns = require "ecmp.netns"

describe("state:change() #netns", function()
  local space, nl, host

  before_each(function()
    space = assert(netns.create())
    nl, host = assert(ecmp.open { netns = netns.path(space) }), assert(ecmp.open())
  end)
  after_each(function()
    nl:close()
    host:close()
    space:close()
  end)

  local function attach(state)
    assert(state.nl.link:add { name = "eth0", type = "veth", peer = { name = "far0" } })
    state.undo:push("eth0", function() return state.nl.link:del { dev = "eth0" } end)
    state.interfaces, state.interface = { { name = "eth0" } }, 0
  end

  -- Changes the pod and the host, and refuses where it is told to.
  local function add(fails)
    local verbs <const> = flow.verbs {
      attach = attach, detach = interface.detach,
      settle = function(state)
        assert(state:change().route:add { dst = "10.9.0.0/16", dev = "eth0" })
        assert(state:change "host".rule:add { from = "10.0.0.9", table = 100, priority = 501 })
        if fails then cni.refuse(11, "later") end
      end,
    }
    local call <const> = { command = "ADD", containerid = "c1", ifname = "eth0", netns = netns.path(space),
      args = {}, args_text = "", conf = { name = "lab", type = "x" }, version = "1.1.0", plugin = "x" }
    return verbs, call, verbs.add(call)
  end

  local function rules() return #host.rule:list { priority = 501 } end

  it("is kept when the ADD succeeds", function()
    local verbs <const>, call <const>, result <const> = add(false)
    assert.is_table(result)
    assert.same({ 1, 1 }, { #nl.route:list { dst = "10.9.0.0/16" }, rules() })
    assert(verbs.del(call))
    assert(host.rule:del { priority = 501, from = "10.0.0.9", table = 100 })
  end)

  it("is taken back when the ADD fails", function()
    local _, _, result <const> = add(true)
    assert.is_nil(result)
    assert.same({ 0, 0 }, { #nl.route:list { dst = "10.9.0.0/16" }, rules() })
    assert.is_nil(nl.link:get { dev = "eth0" })
  end)

  it("raises for another place", function()
    local state <const> = require "ecmp.flow.state".new {}
    assert.error_matches(function() state:change "hots" end, "'pod' or 'host' is due here, not hots")
    assert.error_matches(function() state:change() end, "only an ADD takes changes back")
  end)
end)
