--- Encapsulations that few kernels have: their text against `ip`, which shows dumps of any kernel.
local helper = require "spec.helper"
local iproute2 = require "ecmp.nl.json"
local json = require "ecmp.json"
local rtnl = require "ecmp.rtnl"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

-- As the kernel lists a route: an encapsulation without the flag that it wants in requests.
local function dumped(words)
  local bytes <const> = rtnl.view("route", assert(rtnl.parse("route", words)), true):bytes()
  return (bytes:gsub("\x16\x80", "\x16\0"))
end

-- What `ip route showdump` prints of routes, without the blanks at the ends of lines.
local function shown_by_ip(routes)
  local file <const> = { string.pack("<I4", 0x45311224) }
  for i, bytes in ipairs(routes) do
    file[i + 1] = string.pack("<I4I2I2I4I4", 16 + #bytes, 24, 2, 0, 0) .. bytes
  end
  local done <const> = assert(sys.spawn { argv = { "ip", "route", "showdump" }, timeout = 20,
    stdin = table.concat(file), stderr = "capture" })
  assert(done.status == 0, done.stderr)
  return (done.stdout:gsub(" +\n", "\n"))
end

local LIKE_IP <const> = {}
for line in ([[
fd99::/64 encap rpl segs fc00::1,fc00::2 dev v1
fd99::/64 encap rpl segs fc00::1 via fe80::1 dev v1
fd99::/64 encap ioam6 freq 1/3 mode encap tundst fc00::9 trace prealloc type 0x800000 ns 5 size 12 dev v1
fd99::/64 encap ioam6 freq 1/1 mode inline trace prealloc type 0x00f000 ns 0 size 244 dev v1
fd99::/64 encap ioam6 freq 9/10 mode auto tundst fc00::9 trace prealloc type 0x1 ns 65535 size 4 dev v1
10.9.0.0/16 encap xfrm if_id 7 link_dev v1 via 10.0.1.2 dev v1
10.9.0.0/16 encap xfrm if_id 0x80000001 via 10.0.1.2 dev v1
10.9.0.0/16 encap bpf in a.o:[in] out b.o:[out] xmit c.o:[xmit] via 10.0.1.2 dev v1
fd99::/64 encap seg6local action End.BPF endpoint x.o:[end] dev v1
fd99::/64 nexthop via fe80::1 dev v1 encap rpl segs fc00::1 nexthop via fe80::2 dev v1
]]):gmatch "[^\n]+" do LIKE_IP[#LIKE_IP + 1] = line end

describe("an encapsulation", function()
  it("is printed as ip prints it, and read as it is printed", function()
    local routes <const>, ours <const> = {}, {}
    for i, words in ipairs(LIKE_IP) do
      routes[i] = dumped(words)
      local view <const> = rtnl.decode("route", routes[i])
      ours[i] = tostring(view) .. "\n"
      assert.are.equal(routes[i], dumped(view:text { line = true }))
    end
    assert.are.equal(shown_by_ip(routes), table.concat(ours))
  end)

  -- Read from an `ip -j` that was given such a dump.
  it("is spread in JSON as ip -j does it", function()
    local function said(words)
      local route <const> = iproute2.list({ rtnl.decode("route", dumped(words)) }, {})[1]
      route.dev, route.dst, route.flags = nil, nil, nil
      return json.encode(route)
    end
    assert.are.equal('{"encap":"ioam6","freqk":1,"freqn":3,"mode":"encap","ns":5,"prealloc":null,'
      .. '"size":12,"trace":null,"tundst":"fc00::9","type":"800000"}', said(LIKE_IP[3]))
    assert.are.equal('{"encap":"rpl","segs":["fc00::1","fc00::2"]}', said(LIKE_IP[1]))
    assert.are.equal('{"encap":"xfrm","gateway":"10.0.1.2","if_id":2147483649}',
      said(LIKE_IP[7]))
  end)

  -- Where what ip prints could not be read again.
  it("is printed with the word of its number where ip forgets it", function()
    local words <const> = "10.9.0.0/16 encap bpf xmit c.o:[xmit] headroom 14 via 10.0.1.2 dev v1"
    local view <const> = rtnl.decode("route", dumped(words))
    assert(tostring(view):find(" encap bpf xmit c.o:[xmit] headroom 14 via", 1, true))
    assert.are.equal(view:bytes(), dumped(tostring(view)))
  end)

  it("of a kind nobody knows is a number and bytes: read, printed, compared, given back", function()
    local ila <const> = "10.9.0.0/16 nexthop via 10.0.1.2 dev v1 encap 3 data 0c0001000700000000000000 "
      .. "nexthop via 10.0.1.3 dev v1"
    local other <const> = "10.9.0.0/16 encap 65535 via 10.0.1.2 dev v1"
    local view <const> = rtnl.decode("route", dumped(ila))
    assert.are.same({ type = 3, data = "0c0001000700000000000000" }, view.nexthops[1].encap)
    assert.is_nil(view.nexthops[2].encap)
    assert.are.equal("10.9.0.0/16\n\tnexthop  encap 3 data 0c0001000700000000000000 via 10.0.1.2 dev "
      .. view.nexthops[1].dev .. " weight 1\n\tnexthop via 10.0.1.3 dev " .. view.nexthops[1].dev
      .. " weight 1", tostring(view))
    assert.are.equal(view:bytes(), dumped(view:text { line = true }))
    assert.are.equal(view, rtnl.view("route", view:copy()))
    assert.are_not.equal(view, rtnl.decode("route", dumped((ila:gsub("0700", "0800")))))
    assert.are_not.equal(view, rtnl.decode("route", dumped((ila:gsub("encap 3", "encap 11")))))
    local bare <const> = rtnl.decode("route", dumped(other))
    assert.are.same({ type = 65535 }, bare.encap)
    assert.are.equal("10.9.0.0/16  encap 65535 via 10.0.1.2 dev " .. bare.dev, tostring(bare))
  end)

  it("that is cut short is read as far as it goes", function()
    local bytes <const> = dumped(LIKE_IP[3])
    for length = 0, #bytes do
      local view <const> = rtnl.decode("route", bytes:sub(1, length))
      if view then
        assert(type(tostring(view)) == "string")
        for _ in pairs(view) do end
        local _ = view.encap
      end
    end
  end)

  -- Only a program that is loaded can be had, and ip loads it.
  it("by a program is read, compared and deleted, and refused where it would have to be loaded #netns",
    function()
      local directory <const> = helper.directory()
      finally(function() helper.remove(directory) end)
      local object <const> = directory .. "/p.o"
      local built <const> = sys.spawn { timeout = 20, stderr = "capture",
        argv = { "clang", "-O2", "-target", "bpf", "-x", "c", "-c", "-o", object, "-" },
        stdin = 'char _license[] __attribute__((section("license"), used)) = "GPL";\n'
          .. '__attribute__((section("out"), used)) int f(void *packet) { return 0; }\n' }
      if not built or built.status ~= 0 then return pending("no clang for BPF: " .. (built and built.stderr or "")) end
      local space <close> = scratch.new(1)
      local add <const> = ("ip route add 10.9.0.0/16 encap bpf out obj %s section out via 10.0.1.2")
        :format(object)
      space:batch(add:gsub("^ip ", ""), "-force")
      local list <const> = space.nl.route:list { dst = "10.9.0.0/16" }
      if not list[1] then return pending "ip cannot load a program here" end
      assert.are.same({ type = "bpf", out = "p.o:[out]" }, list[1].encap)
      assert.are.equal(space:show "route show 10.9.0.0/16", tostring(list))
      assert.are.equal(list[1], rtnl.decode("route", list[1]:bytes()))
      assert.are.equal("EINVAL", select(3, space.nl.route:replace(list[1])))
      assert(space.nl.route:del(list[1]))
      assert.are.equal(0, #space.nl.route:list { dst = "10.9.0.0/16" })
    end)
end)
