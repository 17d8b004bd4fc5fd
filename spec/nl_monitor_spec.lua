--- What the monitor makes of what the kernel says, and of what it does without a word.
local scratch <const> = require "spec.scratch"
local helper <const> = require "spec.helper"

local FAMILIES <const> = {
  { number = 4, dst = "10.60.0.0/16", other = "10.61.0.0/16", gw = "10.0.%d.%d" },
  { number = 6, dst = "fd60::/32", other = "fd61::/32", gw = "fd00:0:0:%d::%d" },
}

for _, family in ipairs(FAMILIES) do
  local dst <const>, other <const> = family.dst, family.other
  local function hop(link, n) return { via = family.gw:format(link, n), dev = "v" .. link } end

  describe(("a monitor of IPv%d routes #netns"):format(family.number), function()
    local space, nl, monitor

    before_each(function()
      space = scratch.new(2)
      nl = space.nl
      -- link-local addresses come and go in their own time
      for n = 1, 2 do nl.addr:flush { dev = "v" .. n, scope = "link" } end
      assert(nl.route:add { dst = dst, nexthops = { hop(1, 2), hop(2, 2) } })
      assert(nl.route:add { dst = other, via = hop(1, 3).via, dev = "v1" })
      monitor = nl:monitor({ "route" }, { timeout = 0.3 })
    end)

    after_each(function()
      monitor:close()
      space:close()
    end)

    -- "verb hops" of the events about the two routes; hops as the last part of their gateways.
    local function heard()
      local lines <const> = {}
      for event in monitor do
        local route <const> = event.value
        if route and (route.dst == dst or route.dst == other) then
          local hops <const> = {}
          for i, one in ipairs(route.nexthops or { route }) do
            hops[i] = one.dev .. (one.dead and " dead" or "")
          end
          lines[#lines + 1] = ("%s %s: %s"):format(event.verb, route.dst == dst and "two" or "one",
            table.concat(hops, ", "))
        end
      end
      table.sort(lines)
      return lines
    end

    it("tells of the loss of one hop as a change", function()
      assert(nl.route:del_nexthop(dst, { via = hop(1, 2).via }))
      local lines <const> = heard()
      assert.equal("change two: v2", lines[#lines])
      for _, line in ipairs(lines) do assert.not_matches("^del two: v1$", line) end
    end)

    it("tells of one more hop", function()
      assert(nl.route:add_nexthop(dst, hop(1, 4)))
      local last
      for event in monitor do last = event.value.dst == dst and event or last end
      local names <const> = {}
      for i, route in ipairs(nl.route:list { dst = dst }) do names[i] = tostring(route) end
      assert.equal(1, #names)
      assert.not_equal("add", family.number == 6 and last.verb)
    end)

    it("tells what goes and dies with a link, and revives with it", function()
      assert(nl.link:set { dev = "v1", up = false })
      assert.same({ "change two: v1 dead, v2", "del one: v1" }, heard())
      assert(nl.link:set { dev = "v1", up = true })
      assert.same({ "change two: v1, v2" }, heard())
    end)

    it("tells what is left when a link is deleted", function()
      assert(nl.link:del { dev = "p1" })
      local lines <const> = heard()
      assert.equal("del one: v1", lines[#lines == 2 and (family.number == 6 and 2 or 1) or 1])
      assert.equal(family.number == 4 and "del two: v1, v2" or "change two: v2",
        lines[family.number == 4 and 2 or 1])
      assert.equal(2, #lines)
    end)

    it("is right about what there is after an overrun", function()
      monitor:close()
      monitor = nl:monitor({ "route" }, { timeout = 0.3, buffer = 4096 })
      for i = 0, 199 do
        assert(nl.route:add { dst = family.number == 4 and ("10.77.%d.0/24"):format(i)
          or ("fd77:%x::/32"):format(i), via = hop(1, 2).via })
      end
      for i = 0, 199, 2 do
        assert(nl.route:del { dst = family.number == 4 and ("10.77.%d.0/24"):format(i)
          or ("fd77:%x::/32"):format(i) })
      end
      assert(nl.route:del { dst = other })
      local held <const>, overruns = { [dst] = true, [other] = true }, 0
      for event in monitor do
        if event.verb == "overrun" then
          overruns = overruns + 1
        elseif event.value.family == family.number and event.value.table == "main" then
          held[event.value.dst] = event.verb ~= "del" or nil
        end
      end
      assert.is_true(overruns > 0)
      for route in nl.route:each { family = family.number } do
        assert(held[route.dst] or route.proto == "kernel", route.dst .. " was not told of")
        held[route.dst] = nil
      end
      assert.same({}, held)
    end)
  end)
end

describe("a monitor of next-hop objects #netns", function()
  it("tells of those that go with their link's carrier, and of the group without them", function()
    local space <close> = scratch.new(2)
    local nl <const> = space.nl
    helper.eventually(function()
      return nl.link:get { dev = "v1" }.carrier and nl.link:get { dev = "v2" }.carrier
    end)
    assert(nl.nexthop:add { id = 1, via = "10.0.1.2", dev = "v1" })
    assert(nl.nexthop:add { id = 2, via = "10.0.2.2", dev = "v2" })
    assert(nl.nexthop:add { id = 3, group = { 1, 2 } })
    local monitor <close> = nl:monitor({ "nexthop" }, { timeout = 1.5 })
    assert(nl.link:set { dev = "p1", up = false })
    local lines <const> = {}
    for event in monitor do
      lines[#lines + 1] = ("%s %d"):format(event.verb, event.value.id)
    end
    table.sort(lines)
    assert.same({ "change 3", "del 1" }, lines)
  end)
end)
