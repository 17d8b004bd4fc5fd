local helper = require "spec.helper"
local random = require "spec.random_route"
local routefile = require "ecmp.repl.file"
local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"

-- A route as text that says all of it, and what it leaves open.
local function text_of(route)
  local view <const> = rtnl.view("route", route, true)
  return ("%s, proto %s, scope %s"):format(view:text { table = true, line = true, details = true },
    route.proto, route.scope)
end

-- The routes of a file as lines, each with its place.
local function read(text)
  local file <const>, lines <const> = routefile.parse(text, "text"), {}
  assert.same({}, file.mistakes)
  for i = 1, #file.routes do lines[i] = file:where(i) .. " " .. text_of(file.routes[i]) end
  return lines
end

-- The same as the words after `ip route add` are read, each route by itself.
local function expected(entries)
  local lines <const> = {}
  for i, entry in ipairs(entries) do
    lines[i] = ("text:%d %s"):format(entry[1], text_of(assert(rtnl.parse("route", entry[2]))))
  end
  return lines
end

describe("a file of routes", function()
  it("joins what is indented and what follows a backslash, and leaves comments out", function()
    assert.same(expected {
      { 2, "10.1.0.0/16 via 10.0.0.1" },
      { 4, "10.2.0.0/16 proto static nexthop via 10.0.0.1 weight 2 nexthop via 10.0.0.2" },
      { 10, "10.3.0.0/16 via 10.0.0.1 metric 5" },
      { 12, "10.4.0.0/16 via 10.0.0.1 dev a#b" },
      { 13, "10.5.0.0/16 via 10.0.0.1" },
      { 15, "10.6.0.0/16 via 10.0.0.1" },
    }, read("# what is wanted\n10.1.0.0/16 via 10.0.0.1\r\n\n"
      .. "10.2.0.0/16 proto static  # two hops\n\tnexthop via 10.0.0.1 weight 2\n# between\n"
      .. "  # indented\n\n  nexthop via 10.0.0.2\n"
      .. "10.3.0.0/16 \\\nvia 10.0.0.1 metric 5\n"
      .. "10.4.0.0/16 via 10.0.0.1 dev a#b\t# b\n10.5.0.0/16 via 10.0.0.1 \\\n\n"
      .. "10.6.0.0/16 via 10.0.0.1"))
  end)

  it("is empty where nothing is said", function()
    for _, text in ipairs { "", "\n", "# nothing\n  \n\t# at all" } do assert.same({}, read(text)) end
  end)

  it("takes next hops that have lost their indentation", function()
    local file <const> = routefile.parse("10.1.0.0/16\nnexthop via 10.0.0.1 weight 1\n"
      .. "nexthop via 10.0.0.2 weight 2\nnexthopx dev a\n", "here")
    assert.same({ "here:4: dst: 'nexthopx' is not an address" }, file.mistakes)
    assert.equal("10.0.0.2", file.routes[1].nexthops[2].via)
  end)

  it("takes lines of ip -batch that make routes, and no other of its commands", function()
    local file <const> = routefile.parse("route add 10.1.0.0/16 via 10.0.0.1\n"
      .. "route append 10.2.0.0/16 nexthop via 10.0.0.1 nexthop via 10.0.0.2\nroute\treplace default dev a\n"
      .. "route del 10.3.0.0/16\nroute flush table 7\nlink set a up\nroute addd 10.4.0.0/16 dev a\n", "t")
    assert.equal(3, #file.routes)
    assert.equal("default", file.routes[3].dst)
    local TAKEN <const> = "of the commands of ip -batch route add, append and replace are taken"
    assert.same({ "t:4: " .. TAKEN, "t:5: " .. TAKEN, "t:6: 'set' is not understood (did you mean 'dev'?)",
      "t:7: " .. TAKEN }, file.mistakes)
  end)

  it("takes a preference for a sign of IPv6", function()
    local routes <const> = routefile.parse("default dev a pref medium\ndefault dev a\n", "t").routes
    assert.same({ 6, 4 }, { routes[1].family, routes[2].family })
  end)

  it("tells apart what is left open from what is said", function()
    local routes <const> = routefile.parse("10.1.0.0/16 via 10.0.0.1\n"
      .. "10.2.0.0/16 via 10.0.0.1 proto boot scope global\n10.3.0.0/16 via 10.0.0.1\n", "t").routes
    assert.is_nil(routes[1].proto or routes[1].scope or routes[3].proto or routes[3].scope)
    assert.same({ "boot", "global" }, { routes[2].proto, routes[2].scope })
    assert.equal("10.3.0.0/16", rtnl.slot(routes, 3))
    assert.is_nil(routes[4])
  end)

  it("makes of lines that differ in their destination what each is by itself", function()
    local source <const>, ends <const> = random.source(4711), {}
    for _, family in ipairs { 4, 6 } do
      for _, route in ipairs(random.routes(4711, family, 60, 2)) do
        local text <const> = rtnl.view("route", route, true):text { table = true, line = true }
        local kind <const> = text:match "^%l+ " or ""
        local rest <const> = text:match("^[%x.:]+/?%d* (.*)$", #kind + 1)
        if rest then ends[#ends + 1] = { family = family, kind = kind, text = rest } end
      end
    end
    assert.truthy(#ends > 100)
    local lines <const>, entries <const> = {}, {}
    for i = 1, 3000 do
      local one <const> = source:pick(ends)
      local length <const> = source:number(0, one.family == 4 and 32 or 128)
      local dst = one.family == 4
        and ("%d.%d.%d.%d"):format(source:number(1, 223), source:number(0, 255),
          source:number(0, 255), source:number(0, 255))
        or ("%x:%x::%x"):format(source:number(0x2000, 0x3fff), source:number(0, 65535),
          source:number(0, 65535))
      if not source:once_in(9) then dst = dst .. "/" .. length end
      lines[i] = one.kind .. dst .. " " .. one.text .. (source:once_in(5) and " # seen" or "")
      entries[i] = { i, one.kind .. dst .. " " .. one.text }
    end
    assert.same(expected(entries), read(table.concat(lines, "\n")))
  end)

  it("names every mistake by its line, also in lines that were right with another destination",
    function()
      local file <const> = routefile.parse("10.1.0.0/16 via 10.0.0.1\n10.2.0.0/33 via 10.0.0.1\n"
        .. "10.3.0.0/16 via 10.0.0.1\n10.4.0.0/16\nvia 10.0.0.1\n10.5.0.0/16 wia 1\n"
        .. "10.6.0.0/16 nexthop via 10.0.0.1 weight 900\n2001:db8::/32 via 10.0.0.1\n", "here")
      assert.same({
        "here:2: dst: '10.2.0.0/33': the length after '/' must be 0..32",
        "here:4: via: missing; a route needs via, dev or nexthops",
        "here:5: dst: missing",
        "here:6: 'wia' is not understood (did you mean 'via'?)",
        "here:7: nexthops[1].weight: 900 is outside 1..256",
        "here:8: via: '10.0.0.1' is IPv4, the route is IPv6",
      }, file.mistakes)
    end)

  describe("that is long", function()
    local dir
    before_each(function() dir = helper.directory() end)
    after_each(function() helper.remove(dir) end)

    local function write(text)
      assert(sys.replace(dir .. "/routes", text))
      return dir .. "/routes"
    end

    it("is read in pieces that may end anywhere", function()
      local parts <const>, count <const> = {}, 20000
      for i = 0, count - 1 do
        local dst <const> = ("%d.%d.%d.0/24"):format(10 + (i >> 16), i >> 8 & 255, i & 255)
        parts[i + 1] = i % 3 == 0 and dst .. " via 10.0.0.1"
          or i % 3 == 1 and dst .. "\n\tnexthop via 10.0.0.1\n\tnexthop via 10.0.0.2 weight "
            .. i % 200 + 1
          or dst .. " via 10.0.0.1 metric " .. i .. " # its own"
      end
      local told <const> = {}
      local file <const> = assert(routefile.read(write(table.concat(parts, "\n")), {
        progress = function(done, total) told[#told + 1] = done / total end }))
      assert.equal(count, #file.routes)
      for _, i in ipairs { 1, 2, 3, 7001, 7002, 7003, count - 1, count } do
        assert.equal(text_of(assert(rtnl.parse("route", parts[i]:gsub("#.*", "")))),
          text_of(file.routes[i]))
      end
      assert.same({ [254] = { [4] = true } }, file.tables)
      assert.truthy(#told > 5 and told[3] > 0 and told[3] < 0.5 and told[#told] == 1)
    end)

    it("is refused by its first mistake, and by what is no text", function()
      local lines <const> = {}
      for i = 1, 9000 do lines[i] = ("10.0.0.%d/32 via 10.0.0.1"):format(i % 300) end
      local name <const> = write(table.concat(lines, "\n"))
      local file, message = routefile.read(name)
      assert.is_nil(file)
      assert.equal(name .. ":256: dst: '10.0.0.256/32' is not an address (and 1319 more mistakes)",
        message)
      file, message = routefile.read(write(table.concat(lines, "\n") .. "\0"))
      assert.same({ nil, name .. ": this is no text" }, { file, message })
      file, message = routefile.read(dir)
      assert.same({ nil, dir .. ": Is a directory" }, { file, message })
    end)
  end)
end)
