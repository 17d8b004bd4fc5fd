-- examples/plugins/source-routing.lua: the routes of an interface, for what has its addresses.
local pod_of = require "spec.pod"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

describe("examples/plugins/source-routing.lua #netns", function()
  local pod

  before_each(function() pod = pod_of.new() end)
  after_each(function()
    pod:close()
    record.sweep("fast", function() return false end)
  end)

  local function line(text) return (text:gsub("%s+", " "):gsub(" $", "")) end

  it("moves the routes into a table that packets from the interface's addresses look into", function()
    local first <const> = { cniVersion = "1.1.0", name = "fast", type = "ecmp-bridge", bridge = "br0",
      ipam = { type = "ecmp-static", addresses = { { address = "10.0.0.9/24" } }, routes = {
        { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" } } } }
    local result = pod:must("ecmp-bridge", "ADD", first)
    local before <const> = pod:routes()
    local second <const> = { cniVersion = "1.1.0", name = "fast", type = "ecmp-lua",
      script = assert(sys.realpath "examples/plugins/source-routing.lua"), routingTable = 101 }
    result = pod:must("ecmp-lua", "ADD", pod_of.after(second, result))
    assert.equal("default nexthop via 10.0.0.1 dev eth0 weight 1 nexthop via 10.0.0.2 dev eth0 "
      .. "weight 1 10.0.0.0/24 dev eth0 scope link", line(pod:ip("pod", "route show table 101")))
    assert.equal("", pod:ip("pod", "route show default"))
    assert.matches("1000: from 10.0.0.9 lookup 101", line(pod:ip("pod", "rule")), 1, true)
    pod:must("ecmp-lua", "CHECK", pod_of.after(second, result))
    pod:must("ecmp-lua", "DEL", pod_of.after(second, result))
    assert.same(before, pod:routes())
    assert.is_nil(pod:ip("pod", "rule"):find("lookup 101", 1, true))
    second.routingTable = nil
    assert.matches("^routingTable: must be given", pod:call("ecmp-lua", "ADD",
      pod_of.after(second, result)).json.msg)
  end)
end)
