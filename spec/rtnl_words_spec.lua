--- What is typed after `ip OBJECT add` means what it means to ip: the same lines, given to ip in one
--- namespace and to the library in another, leave the same behind.
local scratch <const> = require "spec.scratch"

local function lines(text)
  local list <const> = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- What runs or settles by itself, and what is drawn by lot.
local function still(text)
  return (text:gsub("(%a+_lft) %d%d+sec", "%1 Nsec"):gsub("%s+$", "")
    :gsub("tentative ", ""):gsub("inet6 fe80:[^\n]*\n[^\n]*\n", ""))
end

local function given(space, object, verb, words)
  local ok <const>, why <const> = space.nl[object][verb](space.nl[object], words)
  assert(ok, why)
end

-- `shows`: what is to read the same, as typed after `ip`.
local function same(pairs_of_links, object, verb, spellings, shows)
  local theirs <close> = scratch.new(pairs_of_links)
  local ours <close> = scratch.new(pairs_of_links)
  theirs:batch(("%s %s %s"):format(object, verb,
    table.concat(spellings, ("\n%s %s "):format(object, verb))))
  for _, words in ipairs(spellings) do given(ours, object, verb, words) end
  for _, show in ipairs(shows) do
    local before <const> = lines(still(theirs:show(show)))
    assert.is_true(#before > 3)
    scratch.settled(function()
      return table.concat(lines(still(theirs:show(show))), "\n"),
        table.concat(lines(still(ours:show(show))), "\n")
    end)
  end
end

local ADDRESSES <const> = [[
10.1.0.1/24 dev v1
10.2.0.1/30 dev v1
10.3.0.1/24 brd + dev v1
10.4.0.1/24 broadcast - dev v1
10.5.0.1/24 brd 10.5.0.200 dev v1
10.6.0.1/31 brd + dev v1
10.7.0.1 brd + dev v1
10.8.0.1 peer 10.8.0.2 dev v1
10.9.0.1 peer 10.9.0.2/24 brd + dev v1
10.10.0.1 remote 10.10.1.2/16 brd - dev v1
local 10.11.0.1/24 dev v1 label v1:x
10.12/16 dev v1
10.13.0.1/255.255.255.0 dev v1 scope link
10.14.0.1/24 scope 0x10 dev v1
10.15.0.1/24 valid_lft 500 preferred_lft 200 dev v1
10.16.0.1/24 valid_lft forever preferred_lft 0 dev v1
10.17.0.1/24 priority 7 dev v1 noprefixroute
10.18.0.1/24 anycast 10.18.0.9 dev v1
127.5.0.1/24 dev v1
127.6.0.1/24 dev lo
127.7.0.1/24 dev v1 scope global
fd01::1/64 dev v1
fd02::1 dev v1 nodad
fd03::1 peer fd03::2/64 dev v1 home mngtmpaddr
fd04::1/64 dev v1 metric 77 optimistic
fd05::1/64 dev v1 valid_lft 500 preferred_lft 0
fd06::1/64 dev v1 scope site
fd07::1/64 dev v1 anycast fd07::9 temporary
]]

describe("the words typed after ip #netns", function()
  it("addr add mean what they mean to ip", function()
    same(1, "addr", "add", lines(ADDRESSES), { "addr show dev v1", "addr show dev lo" })
  end)
end)

describe("a broadcast address #netns", function()
  it("is made of the prefix where it is asked for, in tables as well", function()
    local space <close> = scratch.new(1)
    local nl <const> = space.nl
    assert(nl.addr:add { address = "10.1.0.1/24", dev = "v1" })
    assert(nl.addr:add { address = "10.2.0.1/24", dev = "v1", broadcast = "+" })
    assert(nl.addr:add { address = "10.3.0.9/24", dev = "v1", broadcast = "-" })
    assert(nl.addr:add { address = "10.4.0.1/31", dev = "v1", broadcast = "+" })
    local found <const> = {}
    for i = 1, 4 do
      local addr <const> = nl.addr:list { address = ("10.%d.0.%d/%d"):format(i, i == 3 and 9 or 1,
        i == 4 and 31 or 24) }[1]
      found[i] = addr.broadcast or "none"
    end
    assert.are.same({ "none", "10.2.0.255", "10.3.0.0", "none" }, found)
  end)

  it("is not made up for a copy of an address that has none", function()
    local space <close> = scratch.new(1)
    space:ip "addr add 10.1.0.1/24 dev v1"
    local addr <const> = space.nl.addr:list { address = "10.1.0.1/24" }[1]
    local copy <const> = addr:copy()
    assert(space.nl.addr:del(addr))
    assert(space.nl.addr:add(copy))
    assert.is_true(addr == space.nl.addr:list { address = "10.1.0.1/24" }[1])
  end)

  it("is refused with an IPv6 address", function()
    local space <close> = scratch.new(1)
    assert.error_matches(function() space.nl.addr:add "fd01::1/64 brd + dev v1" end,
      "broadcast: an IPv6 address has none")
  end)
end)
