-- What a rule script is told of the pod's interfaces and neighbours, and that what it makes of a
-- dead gateway comes into the kernel, through CHECK and away again.
local helper <const> = require "spec.helper"
local pods <const> = require "spec.pod"
local sys <const> = require "ecmp.sys"

local SCRIPT <const> = [[
local rule = require "ecmp.rule"
return { merge = function(group, ctx)
  if ctx.links.eth0.speed ~= 10000 then return nil, "eth0 is a veth, of 10000 Mbit/s" end
  if group.dst == "10.9.0.0/16" then return rule.by_speed(rule.within(group, ctx), ctx) end
  return rule.standin(group, ctx, function(hop) return ctx.neighbours[hop.via] == "FAILED" end)
end }
]]

describe("a rule script's context #netns", function()
  local directory, pod
  before_each(function()
    directory, pod = helper.directory(), pods.new()
    assert(sys.replace(directory .. "/rule.lua", SCRIPT, tonumber("644", 8)))
  end)
  after_each(function()
    pod:close()
    helper.remove(directory)
  end)

  local function gateways(dst, ...)
    local routes <const> = {}
    for i, gw in ipairs { ... } do routes[i] = { dst = dst, gw = gw } end
    return routes
  end

  it("has speeds and neighbours, and takes stand-ins through CHECK", function()
    local main <const> = { cniVersion = "1.0.0", name = "chain", type = "ecmp-bridge", bridge = "br0", ipam = {
      type = "static", addresses = { { address = "10.0.0.9/24", gateway = "10.0.0.254" } } } }
    local first <const> = pod:must("ecmp-bridge", "ADD", main)
    pod:ip("pod", "neigh replace 10.0.0.2 dev eth0 nud failed")
    pod:ip("pod", "neigh replace 10.0.0.1 dev eth0 lladdr 02:00:00:00:00:01 nud permanent")
    local routes <const> = gateways("10.8.0.0/16", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
    for _, route in ipairs(gateways("10.9.0.0/16", "10.0.0.1", "192.0.2.1", "10.0.0.3")) do
      routes[#routes + 1] = route
    end
    local conf <const> = { cniVersion = "1.0.0", name = "chain", type = "ecmp",
      script = directory .. "/rule.lua", routes = routes }
    local result <const> = pod:must("ecmp", "ADD", pods.after(conf, first))
    local held <const> = pod:ip("pod", "route show 10.8.0.0/16")
    local hops <const> = {}
    for via, weight in held:gmatch "via ([%d.]+) dev eth0 weight (%d+)" do
      hops[#hops + 1] = via .. " " .. weight
    end
    assert.same({ "10.0.0.1 4", "10.0.0.4 1", "10.0.0.3 4", "10.0.0.4 3" }, hops)
    assert.is_nil(pod:ip("pod", "route show 10.9.0.0/16"):find("192.0.2.1", 1, true))
    pod:must("ecmp", "CHECK", pods.after(conf, result))
    pod:ip("pod", "route replace 10.8.0.0/16 nexthop via 10.0.0.1 weight 4 nexthop via 10.0.0.4 "
      .. "weight 1 nexthop via 10.0.0.3 weight 4")
    local refused <const> = pod:call("ecmp", "CHECK", pods.after(conf, result))
    assert.matches("next hop via 10.0.0.4 dev eth0 is missing", refused.json.msg)
    pod:must("ecmp", "DEL", pods.after(conf, result))
  end)
end)
