--- Transactions, batches and the monitor against the kernel.
local helper = require "spec.helper"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

-- The hops of an IPv6 route are a set: their order is no part of it.
local function hops_sorted(line)
  local hops <const> = {}
  local head <const> = line:gsub(" nexthop .*", "")
  for hop in line:gmatch " nexthop (via %S+ dev %S+ weight %d+)" do hops[#hops + 1] = hop end
  table.sort(hops)
  return head .. " " .. table.concat(hops, "; ")
end

local function state(nl)
  local texts <const> = {}
  for _, kind in ipairs { "route", "addr", "nexthop", "rule", "neigh" } do
    local lines <const> = {}
    for _, view in ipairs(nl[kind]:list(kind == "route" and { table = "all" } or nil)) do
      -- link-local addresses and what hangs on them come when they like
      local line <const> = view:text { line = true, table = true }
      if not line:find "fe80:" and not line:find "ff0%d:" then
        lines[#lines + 1] = view.family == 6 and hops_sorted(line) or line
      end
    end
    table.sort(lines)
    texts[#texts + 1] = table.concat(lines, "\n")
  end
  return table.concat(texts, "\n--\n")
end

describe("a transaction #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(2)
    nl = space.nl
    assert(nl.route:add "default nexthop via 10.0.1.2 nexthop via 10.0.2.2 weight 3")
    assert(nl.route:add "default nexthop via fd00:0:0:1::2 nexthop via fd00:0:0:2::2 weight 3")
  end)

  after_each(function() space:close() end)

  local function everything(tx)
    assert(tx.route:add { dst = "10.70.0.0/16", via = "10.0.1.9" })
    assert(tx.route:replace { dst = "10.70.0.0/16", via = "10.0.1.8" })
    assert(tx.route:del { dst = "default" })
    assert(tx.route:del_nexthop("default", { via = "fd00:0:0:1::2" }))
    assert(tx.route:add_nexthop("default", { via = "fd00:0:0:1::7" }))
    assert(tx.addr:add "10.0.9.1/24 dev v1")
    assert(tx.addr:del "10.0.2.1/24 dev v2")
    assert(tx.nexthop:add { via = "10.0.1.5", dev = "v1" })
    assert(tx.rule:add { from = "10.0.1.0/24", table = 77, priority = 500 })
    assert(tx.link:set { dev = "p1", mtu = 1400 })
    assert(tx.link:add { name = "br0", type = "bridge" })
    assert(tx.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1))
  end

  it("takes everything back at scope exit", function()
    local before <const> = state(nl)
    do
      local tx <close> = nl:begin()
      everything(tx)
      assert.not_equal(before, state(nl))
    end
    assert.equal(before, state(nl))
    assert.equal(1500, nl.link:list { dev = "p1" }[1].mtu)
    assert.equal(0, #nl.link:list { dev = "br0" })
    assert.equal("0", nl.sysctl:get "net.ipv4.fib_multipath_hash_policy")
  end)

  it("takes away again what a route did not say before", function()
    assert(nl.route:add { dst = "10.70.0.0/16", via = "10.0.1.9" })
    assert(nl.route:add { dst = "fd70::/64", via = "fd00:0:0:1::9" })
    local before = state(nl)
    do
      local tx <close> = nl:begin()
      assert(tx.route:replace { dst = "10.70.0.0/16", via = "10.0.1.9", mtu = 1400 })
      assert(tx.route:replace { dst = "fd70::/64", via = "fd00:0:0:1::9", mtu = 1400 })
      assert.are_not.equal(before, state(nl))
    end
    assert.equal(before, state(nl))
  end)

  it("takes everything back when an error passes through", function()
    local before <const> = state(nl)
    assert.error(function()
      local tx <close> = nl:begin()
      everything(tx)
      error "stop"
    end)
    assert.equal(before, state(nl))
  end)

  it("keeps what is committed", function()
    do
      local tx <close> = nl:begin()
      assert(tx.route:add { dst = "10.70.0.0/16", via = "10.0.1.9" })
      tx:commit()
    end
    assert.equal(1, #nl.route:list { dst = "10.70.0.0/16" })
  end)

  it("takes back what the handle itself changed, batches too", function()
    local before <const> = state(nl)
    do
      local _ <close> = nl:begin()
      assert(nl.route:add "10.70.0.0/16 via 10.0.1.9")
      assert(nl.addr:add "10.0.77.1/24 dev v1")
      for _, result in ipairs(nl:batch {
        { "nexthop add", { id = 9, via = "10.0.1.5", dev = "v1" } },
        { "route add", { dst = "10.71.0.0/16", nhid = 9 } },
        { "route replace", "10.70.0.0/16 via 10.0.1.8" },
        { "link set", { dev = "p1", mtu = 1400 } },
        { "addr add", "10.0.78.1/24 dev v1" },
      }) do
        assert.is_true(result)
      end
      assert.equal(1400, nl.link:get { dev = "p1" }.mtu)
      assert.not_equal(before, state(nl))
    end
    assert.equal(before, state(nl))
    assert.equal(1500, nl.link:get { dev = "p1" }.mtu)
    assert(nl.route:add "10.72.0.0/16 via 10.0.1.9")
    assert.equal(1, #nl.route:list { dst = "10.72.0.0/16" })
  end)

  it("brings back what the kernel took along, and routes by next-hop objects", function()
    for n, id in pairs { [7] = 7, [8] = 8 } do
      assert(nl.nexthop:add { id = id, via = "10.0.1." .. n, dev = "v1" })
    end
    assert(nl.nexthop:add { id = 9, group = { { id = 7 }, { id = 8 } }, type = "resilient",
      buckets = 4 })
    assert(nl.route:add { dst = "10.60.0.0/16", nhid = 7 })
    assert(nl.route:add { dst = "10.61.0.0/16", nhid = 9 })
    assert(nl.route:add "10.62.0.0/16 via 10.0.1.9")
    assert(nl.route:add "10.63.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.1.2 weight 3")
    assert(nl.route:add { dst = "10.64.0.0/16", nhid = 7 })
    assert(nl.route:append "10.64.0.0/16 via 10.0.2.9")
    assert(nl.route:append "10.64.0.0/16 via 10.0.1.9")
    local before <const> = state(nl)
    for _, change in ipairs {
      function() return nl.nexthop:replace { id = 7, via = "10.0.1.5", dev = "v1" } end,
      function() return nl.nexthop:del { id = 7 } end,
      function() return nl.nexthop:del { id = 9 } end,
      function() return nl.route:del { dst = "10.60.0.0/16" } end,
      function() return nl.route:del { dst = "10.63.0.0/16" } end,
      function() return nl.addr:del "10.0.1.1/24 dev v1" end,
      function() return nl.link:set { dev = "v1", up = false } end,
      function() return nl:batch { { "nexthop del", { id = 7 } } }[1] end,
    } do
      do
        local _ <close> = nl:begin()
        assert(change())
      end
      -- the kernel's own routes to its addresses come when it likes
      scratch.settled(function() return before, state(nl) end)
    end
  end)

  it("is one at a time, and refuses a batch that it could not take back", function()
    local tx <close> = nl:begin()
    assert.error_matches(function() nl:begin() end, "a transaction is open")
    assert.error_matches(function() nl:batch({}, { share = true }) end, "cannot be undone")
    assert.error_matches(function()
      nl:batch { { "nexthop add", { via = "10.0.1.5", dev = "v1" } } }
    end, "%[1%]%.id: missing")
    assert.error_matches(function() nl:batch { { "road add", {} } } end, "%[1%]")
    assert(tx:rollback())
    local _ <close> = nl:begin()
  end)

  it("takes back rules to which the kernel gave a priority", function()
    local before <const> = state(nl)
    do
      local tx <close> = nl:begin()
      assert(tx.rule:add "from 10.0.0.9 table 100")
      assert(tx.rule:add "from 10.0.0.9 table 100")
      assert(tx.rule:add "from 2001:db8::9 table 100")
      assert(tx.rule:del "from 10.0.0.9 table 100")
      assert.are_not.equal(before, state(nl))
    end
    assert.are.equal(before, state(nl))
  end)

  -- Refuses what a verb of an object is asked for from here on.
  local function refusing(tx, kind, verb)
    local message <const> = ("%s %s: not today (EPERM)"):format(kind, verb)
    tx.nl[kind] = setmetatable({ [verb] = function() return nil, message, "EPERM" end },
      { __index = tx.nl[kind] })
  end

  it("says what could not be taken back, and takes back the rest", function()
    local tx <const> = nl:begin()
    assert(tx.rule:add "from 10.0.0.9 table 100")
    assert(tx.rule:add "from 2001:db8::9 table 100")
    assert(tx.route:add { dst = "10.70.0.0/16", via = "10.0.1.9" })
    refusing(tx, "rule", "del")
    local ok, message, code = tx:rollback()
    assert.is_nil(ok)
    assert.equal("rule del: not today (EPERM); and 1 more", message)
    assert.equal("EPERM", code)
    assert.equal(0, #nl.route:list { dst = "10.70.0.0/16" })
  end)

  it("says that a link has gone which was to be as before", function()
    local tx <const> = nl:begin()
    assert(tx.link:set { dev = "p1", mtu = 1400 })
    assert(tx.addr:add "10.0.9.1/24 dev p1")
    assert(tx.addr:del "10.0.2.1/24 dev v2")
    space:ip "link del p1"
    local ok, message, code = tx:rollback()
    assert.is_nil(ok)
    assert.matches("^link set dev p1", message)
    assert.equal("ENODEV", code)
    assert.equal(1, #nl.addr:list { address = "10.0.2.1/24" })
  end)

  it("raises at scope exit for what it could not take back, with the error that passes", function()
    local function scope(problem)
      return function()
        local tx <close> = nl:begin()
        assert(tx.rule:add "from 10.0.0.9 table 100")
        refusing(tx, "rule", "del")
        if problem then error(problem, 0) end
      end
    end
    assert.error_matches(scope(), "^undo: rule del: not today %(EPERM%)$")
    assert.error_matches(scope "stop", "^stop; undo: rule del: not today %(EPERM%)$")
  end)

  it("takes no link back that a batch was refused", function()
    assert(nl.link:add { name = "br7", type = "bridge" })
    local tx <const> = nl:begin()
    assert.equal("EEXIST", tx:batch({ { "link add", { name = "br7", type = "bridge" } } })[1].code)
    assert(tx:rollback())
    assert.equal(1, #nl.link:list { dev = "br7" })
  end)

  it("leaves alone what others did meanwhile", function()
    do
      local tx <close> = nl:begin()
      assert(tx.route:add { dst = "10.70.0.0/16", via = "10.0.1.9" })
      space:ip "route add 10.71.0.0/16 via 10.0.1.9"
    end
    assert.equal(0, #nl.route:list { dst = "10.70.0.0/16" })
    assert.equal(1, #nl.route:list { dst = "10.71.0.0/16" })
  end)

  it("notes nothing for a change that was refused", function()
    local before <const> = state(nl)
    local tx <close> = nl:begin()
    assert.is_nil((tx.route:add { dst = "10.70.0.0/16", via = "172.31.9.9" }))
    assert.is_nil((tx.addr:del "10.0.77.1/24 dev v1"))
    assert(tx:rollback())
    assert.equal(before, state(nl))
  end)

  it("refuses what it could not take back, and any change when it is over", function()
    local tx <close> = nl:begin()
    assert.error_matches(function() tx.link:del { dev = "v1" } end, "cannot be undone")
    assert.error_matches(function() tx.link:add { type = "bridge" } end, "cannot be undone")
    assert.error_matches(function() tx.link:add { name = "b%d", type = "bridge" } end,
      "cannot be undone")
    tx:commit()
    assert.error_matches(function() tx.route:del { dst = "default" } end, "is over")
    assert.equal(1, #nl.link:list { dev = "v1" })
  end)
end)

describe("a batch #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  it("gives one result per change, in order", function()
    local results <const> = nl:batch {
      { "route add", { dst = "10.1.0.0/16", via = "10.0.1.2" } },
      { "route add", { dst = "10.1.0.0/16", via = "10.0.1.2" } },
      { "route del", { dst = "10.2.0.0/16" } },
      { "route add", "10.3.0.0/16 via 10.0.1.2" },
      { "route add", { dst = "10.4.0.0/16", via = "172.31.9.9" } },
    }
    assert.is_true(results[1])
    assert.equal("EEXIST", results[2].code)
    assert.equal("ESRCH", results[3].code)
    assert.is_true(results[4])
    assert.equal("ENETUNREACH", results[5].code)
    assert.matches("^route add 10.4.0.0/16 via 172.31.9.9: Nexthop has invalid gateway",
      results[5].message)
    assert.equal(5, #results)
  end)

  it("names a refused deletion as it was asked", function()
    local asked <const> = { dst = "10.2.0.0/16", via = "10.0.1.2", dev = "v1", table = 77 }
    assert.equal("route del 10.2.0.0/16 via 10.0.1.2 dev v1 table 77: FIB table does not exist "
      .. "(ESRCH)", nl:batch({ { "route del", asked } })[1].message)
    asked.table = nil
    assert.equal("route del 10.2.0.0/16 via 10.0.1.2 dev v1: No such route (ESRCH)",
      nl:batch({ { "route del", asked } })[1].message)
  end)

  for _, order in ipairs { "keep", "free" } do
    it("loses no answer among thousands, of which half are refused: " .. order, function()
      local changes <const> = {}
      for i = 0, 5999 do
        local via <const> = i % 2 == 0 and "10.0.1.2" or "172.31.9.9"
        changes[#changes + 1] = { "route add",
          { dst = ("10.%d.%d.0/24"):format(100 + i // 256, i % 256), via = via } }
      end
      local results <const> = nl:batch(changes, { order = order })
      for i = 1, #changes do
        if i % 2 == 1 then
          assert.is_true(results[i])
        else
          assert.equal("ENETUNREACH", results[i].code)
        end
      end
      assert.equal(3000, #nl.route:list { proto = "boot" })
    end)
  end

  it("raises for a wrong change before anything is sent, naming it", function()
    local changes <const> = {
      { "route add", { dst = "10.1.0.0/16", via = "10.0.1.2" } },
      { "route add", { dst = "10.2.0.0/16", vai = "10.0.1.2" } },
    }
    local _, message <const> = pcall(function() nl:batch(changes) end)
    assert.matches("nl_transaction_spec.lua:%d+: %[2%]%.vai: unknown field", message)
    assert.matches("(did you mean 'via'?)", message, 1, true)
    assert.equal(0, #nl.route:list { proto = "boot" })
    assert.error_matches(function() nl:batch { { "route frob", {} } } end, "%[1%]")
    assert.error_matches(function() nl:batch { { "route add extra", {} } } end, "%[1%]")
    for _, wrong in ipairs { false, "route add", { change = { "route add", {} } } } do
      assert.error_matches(function() nl:batch(wrong) end, "batch: a list of changes expected")
    end
    assert.error_matches(function() nl:batch({}, { ordre = "free" }) end, "ordre: unknown option")
    assert.same({}, nl:batch {})
  end)
end)

describe("a monitor #netns", function()
  local space, nl

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)

  after_each(function() space:close() end)

  local function drain(monitor)
    local texts <const> = {}
    for event in monitor do
      -- what the kernel makes of a new link's addresses comes late
      local own <const> = event.object == "route"
        and (event.value.table == "local" or event.value.proto == "kernel")
      if not own then texts[#texts + 1] = event.object .. " " .. event.verb end
    end
    return texts
  end

  it("says what the world lacks for it, and leaves nothing open", function()
    local script <const> = helper.paths() .. [[
      local nl = require "ecmp".open()
      require "ecmp.nl.monitor"
      local files = {}
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        files[#files + 1] = file
      end
      print(nl:monitor { "route" })
    ]]
    local done <const> = assert(sys.spawn { stderr = "capture", timeout = 20,
      argv = { "sh", "-c", 'ulimit -n 40 && exec lua5.4 -e "$1"', "sh", script } })
    assert.matches("^nil\t.*EMFILE", done.stdout .. done.stderr)
  end)

  it("waits no longer than it was told, whatever happens beside", function()
    local script <const> = helper.paths() .. [[
      local sys, ecmp = require "ecmp.sys", require "ecmp"
      local nl = assert(ecmp.open { netns = arg[1] })
      for i = 1, 6000 do nl.link:set { dev = "v1", mtu = 1400 + i % 100 } sys.sleep(0.1) end]]
    local monitor <close> = assert(nl:monitor({ "rule" }, { timeout = 0.5 }))
    local busy <const> = assert(sys.spawn { detach = true, argv = { "lua5.4", "-e",
      "arg = { '" .. space.path .. "' } " .. script } })
    assert.is_nil((monitor:next())) -- and not after the last event of a link
    assert(sys.kill(busy.pid, 9))
  end)

  it("hands out events with their views", function()
    local monitor <close> = nl:monitor({ "route", "rule", "nexthop" }, { timeout = 0.2 })
    assert(nl.route:add "10.5.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.1.3")
    assert(nl.rule:add "from 10.9.0.0/16 lookup 77 priority 9")
    assert(nl.nexthop:add "id 5 via 10.0.1.4 dev v1")
    local event <const> = monitor:next()
    assert.equal("route", event.object)
    assert.equal("add", event.verb)
    assert.equal("10.5.0.0/16", event.value.dst)
    assert.equal("v1", event.value.nexthops[2].dev)
    assert.same({ "rule add", "nexthop add" }, drain(monitor))
    assert(nl.route:del "10.5.0.0/16")
    assert.same({ "route del" }, drain(monitor))
  end)

  it("says that a known link changed", function()
    local monitor <close> = nl:monitor({ "link" }, { timeout = 0.2 })
    assert(nl.link:set "p1 mtu 1400")
    for _, text in ipairs(drain(monitor)) do assert.equal("link change", text) end
  end)

  it("reports an overrun and then what changed unseen", function()
    local monitor <close> = nl:monitor({ "route" }, { timeout = 0.2, buffer = 4096 })
    for i = 0, 199 do
      assert(nl.route:add { dst = ("10.77.%d.0/24"):format(i), via = "10.0.1.2" })
    end
    local seen, overruns = {}, 0
    for event in monitor do
      if event.verb == "overrun" then
        overruns = overruns + 1
      elseif event.value.dst:find "^10%.77%." then
        seen[event.value.dst] = true
      end
    end
    assert.is_true(overruns > 0)
    for i = 0, 199 do assert.is_true(seen[("10.77.%d.0/24"):format(i)]) end
  end)

  it("has a descriptor to wait on, and refuses unknown kinds", function()
    local monitor <close> = nl:monitor { "route" }
    assert.is_true(math.type(monitor:fd()) == "integer")
    local event, _, code = monitor:next(0)
    assert.is_nil(event)
    assert.equal("EAGAIN", code)
    assert.error_matches(function() nl:monitor { "rout" } end, "'rout' is none of")
    assert.error_matches(function() nl:monitor {} end, "list of objects")
  end)
end)

describe("sysctls of a namespace #netns", function()
  it("are read and written from outside, and wrong keys are named", function()
    local space <close> = scratch.new(0)
    local sysctl <const> = space.nl.sysctl
    assert(sysctl:set("net.ipv4.ip_forward", true))
    assert.equal("1", sysctl:get "net.ipv4.ip_forward")
    assert.equal("1", sysctl:get "net/ipv4/ip_forward")
    local value, message, code = sysctl:get "net.ipv4.no_such"
    assert.is_nil(value)
    assert.equal("ENOENT", code)
    assert.matches("net.ipv4.no_such", message, 1, true)
    assert.error_matches(function() sysctl:get "kernel.panic" end, "a key like net.ipv4")
    assert.error_matches(function() sysctl:get "net/../kernel/panic" end, "a key like net.ipv4")
  end)
end)
