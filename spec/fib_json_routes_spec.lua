--- Routes in the words of `ip -j`: what lists write of them is what `ip` writes, and comes back as the same.
local cli = require "spec.cli"
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local json_routes = require "ecmp.fib.json_routes"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

-- Beside the routes of two links. Numbers are of metrics that ip writes without saying that they are locked.
local ROUTES <const> = [[
nexthop add id 5 via 10.0.1.2 dev v1
nexthop add id 6 via 10.0.2.2 dev v2
nexthop add id 7 group 5,3/6
nexthop add id 8 via fd00:0:0:1::9 dev v1
route add 10.1.0.0/16 via 10.0.1.2
route add 10.2.0.0/16 via 10.0.1.2 metric 10 proto static src 10.0.2.1
route append 10.2.0.0/16 via 10.0.2.2 metric 10 proto 77
route add 10.3.0.0/16 nexthop via 10.0.1.2 weight 3 nexthop via 10.0.2.2
route add 10.4.0.0/16 nexthop via 10.0.1.2 realm 3 nexthop via inet6 fe80::1 dev v2 weight 256
route add 10.5.0.0/16 via inet6 fd00:0:0:1::2 dev v1
route add 10.6.0.0/16 via 192.0.2.1 dev v1 onlink
route add 10.7.0.0/16 nexthop via 192.0.2.1 dev v1 onlink nexthop via 10.0.2.2
route add 10.8.0.0/16 dev v1
route add 10.9.0.0/16 dev v1 scope global
route add 10.10.0.0/16 nexthop dev v1 nexthop dev v2 weight 2
route add blackhole 10.11.0.0/16
route add unreachable 10.12.0.0/16 metric 4
route add prohibit 10.13.0.0/16
route add throw 10.14.0.0/16 table 90
route add local 10.15.0.0/16 dev lo
route add 10.16.0.0/16 tos 0x10 via 10.0.1.2
route add 10.16.0.0/16 via 10.0.2.2
route add 10.17.0.0/16 via 10.0.1.2 realm 3/5
route add 10.18.0.0/16 nhid 7
route add 10.19.0.0/16 nhid 5 mtu 1400
route add 10.20.0.0/16 table 1000 via 10.0.1.2
route add 10.21.0.0/16 encap seg6 mode encap segs fc00::1,fc00::2 via 10.0.1.2
route add 10.22.0.0/16 encap ip id 5 dst 10.9.9.9 src 10.0.1.1 ttl 9 tos 4 dev v1
route add 10.23.0.0/16 nexthop encap ip id 5 dst 10.9.9.9 dev v1 nexthop encap seg6 mode encap segs fc00::1 dev v2
route add default via 10.0.1.2 metric 50
route add default via fd00:0:0:1::2 metric 50
route add fd01::/64 via fd00:0:0:1::2
route add fd02::/64 nexthop via fd00:0:0:1::2 weight 4 nexthop via fe80::1 dev v2
route add fd03::/64 dev v1 pref high
route add default dev v2 metric 90 pref low
route add blackhole fd04::/64
route add unreachable fd05::/64 table 90
route add fd06::/64 from fd00:0:0:2::/64 via fd00:0:0:1::2
route add fd07::/64 nhid 8
route add fd08::/64 via fd09::1 dev v1 onlink metric 5
route add fd0a::/64 encap seg6local action End.X nh6 fd00:0:0:1::2 dev v1
route add fd0b::/64 encap seg6local action End.DT6 table 90 dev v1 table 91
route add ::ffff:10.5.0.0/112 via fd00:0:0:1::2
route add fd0c::/64 encap ip6 id 7 dst fc00::9 dev v1
]]

local METRICS <const> = {
  "mtu 1400", "window 9000", "rtt 100ms", "rttvar 50ms", "ssthresh 7", "cwnd 9", "advmss 1300", "reordering 5",
  "hoplimit 9", "initcwnd 20", "rto_min 50ms", "initrwnd 12", "quickack 1", "congctl reno",
}

local function metric_lines()
  local lines <const> = {}
  for i, metric in ipairs(METRICS) do
    local word <const>, value <const> = metric:match "^(%S+) (%S+)$"
    lines[#lines + 1] = ("route add 10.100.%d.0/24 via 10.0.1.2 %s"):format(i, metric)
    if word ~= "rto_min" and word ~= "quickack" then -- of which ip takes no lock
      lines[#lines + 1] = ("route add 10.101.%d.0/24 via 10.0.1.2 %s lock %s"):format(i, word, value)
      lines[#lines + 1] = ("route add fd10:%d::/64 via fd00:0:0:1::2 %s lock %s"):format(i, word, value)
    end
  end
  lines[#lines + 1] = "route add 10.102.0.0/24 via 10.0.1.2 features ecn mtu lock 1300 rtt lock 3ms advmss 900"
  lines[#lines + 1] = "route add 10.103.0.0/24 via 10.0.1.2 fastopen_no_cookie 1"
  return table.concat(lines, "\n")
end

describe("routes as JSON #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(2)
    nl = space.nl
    space:batch(ROUTES .. metric_lines())
  end)

  teardown(function() space:close() end)

  local function made(family)
    local list <const> = {}
    for _, route in ipairs(nl.route:list { table = "all", family = family }) do
      local own <const> = route.proto == "kernel" or route.proto == "ra" or route.table == "local"
        and not route.dst:find "^10.15."
      if not own then list[#list + 1] = route end
    end
    return list
  end

  local function text_of(list)
    local objects <const> = {}
    for i, route in ipairs(list) do objects[i] = route:json() end
    return "[" .. table.concat(objects, ",") .. "]"
  end

  local function texts(list)
    local lines <const> = {}
    for i, route in ipairs(list) do lines[i] = route:text { details = true, line = true, table = true } end
    return lines
  end

  -- What stands beside an encapsulation by a name that routes have is ours, and so is `lock`.
  local function as_ip(object)
    for _, metrics in ipairs(object.metrics or {}) do metrics.lock = nil end
    for key, value in pairs(object) do
      local name <const> = key:match "^encap_(.*)$"
      if name then object[key], object[name] = nil, value end
    end
    return object
  end

  for family = 4, 6, 2 do
    it("is what ip -j writes, IPv" .. family, function()
      local theirs <const> = assert(json.decode(space:ip(("-j -%d route show table all"):format(family))))
      local list <const> = nl.route:list { table = "all", family = family }
      local ours <const> = assert(json.decode(list:json()))
      assert.equal(#theirs, #ours)
      for i, object in ipairs(ours) do
        as_ip(object)
        -- ip writes the table of the route or that of seg6local, whichever comes last.
        if object.encap == "seg6local" then object.table, theirs[i].table = nil, nil end
        assert.same(theirs[i], object)
      end
      assert.is_true(#ours > 30)
    end)

    it("is what the kernel has, to a plan, IPv" .. family, function()
      local list <const> = made(family)
      for _, wanted in ipairs { text_of(list), { list[1]:json() } } do
        local have <const> = type(wanted) == "table" and { list[1] } or list
        assert.equal("nothing to change", tostring(assert(ecmp.plan(have, wanted, { exactly = true }))))
        assert.equal("nothing to change", tostring(assert(ecmp.plan(wanted, have))))
      end
    end)

    it("comes back as it was by add, one by one, and by a plan, IPv" .. family, function()
      local list <const> = made(family)
      local before <const>, objects <const>, whole <const> = texts(list), {}, text_of(list)
      for i, route in ipairs(list) do objects[i] = route:json() end
      local function empty()
        assert(assert(ecmp.plan(made(family), {})):apply(nl))
        assert.equal(0, #made(family))
      end
      empty()
      for _, object in ipairs(objects) do assert(nl.route:append(object)) end
      assert.same(before, texts(made(family)))
      empty()
      assert(assert(ecmp.plan({}, whole)):apply(nl))
      assert.same(before, texts(made(family)))
    end)
  end

  it("is taken by ecmp apply, with nothing to do", function()
    local path <const> = helper.directory() .. "/routes.json"
    local file <close> = assert(io.open(path, "w"))
    local both <const> = {}
    for family = 4, 6, 2 do
      for _, route in ipairs(made(family)) do both[#both + 1] = route:json() end
    end
    file:write("[", table.concat(both, ",\n"), "]\n")
    file:flush()
    local words <const> = ("%s apply --netns %s %s"):format(cli.program, space.path, path)
    local done <const> = assert(sys.spawn { argv = { "sh", "-c", words }, stderr = "capture", timeout = 20 })
    assert.equal("nothing to do\n", done.stdout .. done.stderr)
  end)

  it("is read by every verb of routes, in transactions and by nl:reconcile", function()
    local object <const> = '{"dst":"10.200.0.0/16","gateway":"10.0.1.2","metrics":[{"mtu":1300,"lock":["mtu"]}]}'
    do
      local tx <close> = nl:begin()
      assert(tx.route:add("[" .. object .. "]"))
      assert(tx.route:replace(object))
      assert.equal("10.200.0.0/16 via 10.0.1.2 dev v1 mtu lock 1300",
        tostring(nl.route:list { dst = "10.200.0.0/16" }))
      assert(tx.route:del(object))
    end
    assert.equal(0, #nl.route:list { dst = "10.200.0.0/16" })
    assert(nl:reconcile('[{"dst":"10.200.0.0/16","gateway":"10.0.1.2","table":777}]'))
    assert.equal(1, #nl.route:list { table = 777 })
    assert.equal(1, nl.route:flush { table = 777 })
  end)

  it("is of every object, and read of routes alone", function()
    assert.equal("v1", json.decode(nl.link:get { dev = "v1" }:json()).ifname)
    assert.equal("[]", nl.route:list { table = 4242 }:json())
    local function refused(object, value)
      local raised <const>, message <const> = pcall(object.add, object, value)
      assert.is_false(raised)
      return message
    end
    assert.matches("link add: JSON is read of routes alone$", refused(nl.link, '{"ifname":"x"}'))
    assert.matches("route add: one route is due here, not 2$",
      refused(nl.route, '[{"dst":"10.0.0.0/8","dev":"v1"},{"dst":"11.0.0.0/8","dev":"v1"}]'))
    assert.matches("route add: gatway: unknown field$", refused(nl.route, '{"dst":"10.0.0.0/8","gatway":"10.0.1.2"}'))
    assert.matches("route add: JSON text is invalid", refused(nl.route, '{"dst":'))
  end)
end)

describe("JSON of a route", function()
  local function read(text) return json_routes.routes(text) end

  it("with two fields of one name is refused", function()
    for _, text in ipairs {
      '[{"dst":"10.9.9.9","encap":"ip","id":5,"dev":"v1","flags":[]}]',
      '[{"dst":"fc00::9","encap":"seg6local","action":"End.DT6","table":"main","dev":"v1","flags":[]}]',
    } do
      local routes <const>, message <const> = read(text)
      assert.is_nil(routes)
      assert.matches("^%[0%]%.%w+: ip %-j writes .* by one name$", message)
    end
  end)

  it("says its scope where a program wrote it, and is of boot unless it says so", function()
    local routes <const> = assert(read '[{"dst":"10.1.0.0/16","dev":"v1","flags":[]},{"dst":"10.2.0.0/16","dev":"v1"}]')
    assert.equal("global", routes[1].scope)
    assert.is_nil(routes[2].scope)
    assert.equal("boot", routes[2].proto)
  end)

  it("that is none names its place, counted from 0", function()
    for text, wrong in pairs {
      ['[1]'] = "[0].an object is due here", ['[{},{"dst":"default","x":1}]'] = "[1].x: unknown field",
      ['[{"dst":"default","nexthops":[{"gateway":"10.0.0.1"},{"via":1,"y":2}]}]'] =
        "[0].nexthops[1].y: unknown field",
      ['[{"dst":"default","nexthops":5}]'] = "[0].nexthops: a list or an object is due here",
      ['[{"dst":"default","nexthops":null}]'] = "[0].nexthops: a list or an object is due here",
      ['[{"dst":"default","flags":5}]'] = "[0].flags: a list or an object is due here",
      ['[{"dst":"default","metrics":"x"}]'] = "[0].metrics: a list or an object is due here",
      ['[{"dst":"default","metrics":[7]}]'] = "[0].metrics[0]: an object is due here",
      ['[{"dst":"default","flow":3}]'] = "[0].flow: a list or an object is due here",
    } do
      local routes <const>, message <const> = read(text)
      assert.is_nil(routes)
      assert.equal(wrong, message)
    end
  end)
end)

describe("the hops of a route #netns", function()
  local space, nl

  setup(function()
    space = scratch.new(2)
    nl = space.nl
    space:batch [[
nexthop add id 5 via 10.0.1.2 dev v1
route add 10.1.0.0/16 via 10.0.1.2
route add 10.2.0.0/16 nexthop via 10.0.1.2 weight 3 nexthop via 10.0.2.2
route add 10.3.0.0/16 dev v1
route add blackhole 10.4.0.0/16
route add 10.5.0.0/16 nhid 5
route add 10.6.0.0/16 encap seg6 mode encap segs fc00::1 via 10.0.1.2
route add 10.7.0.0/16 via 192.0.2.1 dev v1 onlink
route add fd01::/64 via fd00:0:0:1::2
route add fd02::/64 nexthop via fd00:0:0:1::2 nexthop via fe80::1 dev v2 weight 4
route add blackhole fd04::/64
route add fd05::/64 dev v2
]]
  end)

  teardown(function() space:close() end)

  local function ways(route)
    local found <const> = {}
    for i, hop in ipairs(route.hops) do
      found[i] = ("%s %s %d%s%s"):format(hop.via or "-", hop.dev or "-", hop.weight or 1,
        hop.onlink and " onlink" or "", hop.encap and " " .. hop.encap.type or "")
    end
    return table.concat(found, ", ")
  end

  for dst, expected in pairs {
    ["10.1.0.0/16"] = "10.0.1.2 v1 1", ["10.2.0.0/16"] = "10.0.1.2 v1 3, 10.0.2.2 v2 1",
    ["10.3.0.0/16"] = "- v1 1", ["10.4.0.0/16"] = "", ["10.5.0.0/16"] = "10.0.1.2 v1 1",
    ["10.6.0.0/16"] = "10.0.1.2 v1 1 seg6", ["10.7.0.0/16"] = "192.0.2.1 v1 1 onlink",
    ["fd01::/64"] = "fd00:0:0:1::2 v1 1", ["fd02::/64"] = "fd00:0:0:1::2 v1 1, fe80::1 v2 4",
    ["fd04::/64"] = "", ["fd05::/64"] = "- v2 1",
  } do
    it("is a list in each form: " .. dst, function()
      local view <const> = nl.route:list({ dst = dst })[1]
      assert.equal(expected, ways(view))
      local by_object <const> = view.nhid ~= nil
      assert.equal(by_object and "" or expected, ways(view:copy()))
      assert.equal(by_object and "" or expected, ways(json_routes.routes(view:json())[1]))
      assert.equal(expected, ways(ecmp.plan({}, { view })[1].route))
      assert.equal(expected, ways(ecmp.plan({ view }, {})[1].old))
      if not by_object and dst:find "^10" then
        local words <const> = view:text { line = true, request = true }
        assert.equal(expected, ways(assert(require("ecmp.rtnl").parse("route", words))))
      end
    end)
  end

  it("of a route by an object that the kernel does not spell out are the object's", function()
    assert(nl.sysctl:set("net.ipv4.nexthop_compat_mode", "0"))
    assert.equal("", ways(nl.route:list({ dst = "10.5.0.0/16" })[1]))
    assert(nl.sysctl:set("net.ipv4.nexthop_compat_mode", "1"))
  end)

  it("is what a flow takes, where that is asked for", function()
    assert.equal("10.0.1.2 v1 1", ways(nl.route:get { dst = "10.1.2.3" }))
    assert.equal("10.0.1.2 v1 3, 10.0.2.2 v2 1", ways(nl.route:get { dst = "10.2.2.3", fibmatch = true }))
  end)
end)
