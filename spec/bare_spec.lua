-- Machines that have nothing: the executable in a directory of its own as root, with the C library
-- and libmnl beside it, or static with nothing at all.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod = require "spec.pod"
local sys = require "ecmp.sys"

local CONF <const> = { cniVersion = "1.1.0", name = "bare", type = "ecmp-bridge", bridge = "br0",
  script = "/etc/cni/ecmp/weights.lua",
  ipam = { type = "ecmp-static",
    addresses = { { address = "10.0.0.9/24" }, { address = "2001:db8::9/64" } },
    routes = { { dst = "0.0.0.0/0", gw = "10.0.0.1" }, { dst = "0.0.0.0/0", gw = "10.0.0.2" },
      { dst = "::/0", gw = "2001:db8::1" }, { dst = "::/0", gw = "2001:db8::2" } } } }

local RULE <const> = [[
local rule = require "ecmp.rule"
return { merge = function(group, ctx)
  return rule.weighted(group, ctx, { ["10.0.0.1"] = 3, ["2001:db8::2"] = 2 })
end }
]]

-- The kernel's own views, without which there are neither namespaces nor sysctls to speak of.
local FURNISH <const> = [[
  set -e; cd "$1"
  mkdir -p proc dev run/cni tmp bin etc/cni/ecmp; : >dev/null; : >run/pod
  cp "$0" bin/ecmp
  for name in bridge static; do ln -s ecmp "bin/ecmp-$name"; done
  for file in $(ldd "$0" 2>/dev/null | grep -o '/[^ ]*'); do
    mkdir -p ".${file%/*}"; cp "$file" ".$file"
  done
]]

local function shell(script, ...)
  return assert(sys.spawn { argv = { "sh", "-c", script, ... }, stderr = "capture", timeout = 60 })
end

local function succeed(...)
  local done <const> = shell(...)
  assert(done.status == 0, done.stdout .. done.stderr)
  return done.stdout
end

--- Builds the static executable out of the objects that are there.
local function static(directory)
  succeed('make -s STATIC=1 B="$1" OBJ="$0/obj" "$1/bin/ecmp"', helper.build, directory)
  return directory .. "/bin/ecmp"
end

local is_plain <const> = helper.build == "build" and not os.getenv "DEB_BUILD_MAINT_OPTIONS"
local KINDS <const> = {
  { name = "with libc and nothing else", files = 1,
    program = function() return assert(sys.realpath(helper.build .. "/bin/ecmp")) end },
  { name = "with nothing at all", program = static, files = 0 },
}

for _, kind in ipairs(KINDS) do
  describe("a root directory " .. kind.name, function()
    local dir, root, program

    setup(function()
      if not is_plain then return end
      dir = helper.directory()
      root, program = dir .. "/root", kind.program(dir)
      assert(sys.mkdir(root, 493))
      succeed(FURNISH, program, root)
      assert(sys.create(root .. "/etc/cni/ecmp/weights.lua", RULE, 420))
      assert(sys.create(root .. "/net.conf", json.encode(CONF), 420))
    end)
    teardown(function() if dir then helper.remove(dir) end end)

    local function fact(name, test)
      it(name, is_plain and test or function() pending "another build of the executable" end)
    end

    -- In a mount namespace of its own, so that nothing stays mounted in what is removed afterwards.
    local function inside(space, argv, options)
      local order <const> = { stderr = "capture", timeout = 60, netns = space and space.host_path,
        env = {}, argv = { "unshare", "-m", "sh", "-c", [[
        root=$1 pod=$2; shift 2
        mount --rbind /proc "$root/proc" && mount --bind "${pod:-/dev/null}" "$root/run/pod" &&
        exec /usr/sbin/chroot "$root" "$@"]], "sh", root, space and space.path or "",
        table.unpack(argv) } }
      order.env = { "PATH=" .. os.getenv "PATH" }
      for _, line in ipairs(options and options.env or {}) do table.insert(order.env, line) end
      order.stdin = options and options.stdin
      return assert(sys.spawn(order))
    end

    local function call(space, command, conf)
      local done <const> = inside(space, { "/bin/ecmp-bridge" }, { stdin = json.encode(conf),
        env = { "CNI_COMMAND=" .. command, "CNI_CONTAINERID=bare", "CNI_IFNAME=eth0",
          "CNI_NETNS=/run/pod", "CNI_PATH=/bin" } })
      assert(done.status == 0, done.stdout .. done.stderr)
      return done.stdout
    end

    fact("has no library but these", function()
      local count = 0
      for _ in succeed([[find "$0" -name '*.so*']], root):gmatch "\n" do count = count + 1 end
      -- libc and the linker, which is a part of it
      assert.is_true(count == 0 and kind.files == 0 or count == kind.files + 1, tostring(count))
      local needed <const> = succeed([[readelf -d "$0"]], program)
      assert.equal(kind.files, select(2, needed:gsub("%(NEEDED%)", "")))
    end)

    fact("lies at another address each time, and is not written to where it links", function()
      local told <const> = succeed([[readelf -hldW "$0"]], program)
      for _, sign in ipairs { "Type:%s+DYN", "BIND_NOW", "GNU_RELRO" } do assert.matches(sign, told) end
      assert.equal(kind.files, select(2, told:gsub("%[Requesting program interpreter", "")))
    end)

    fact("is enough for version and plan #netns", function()
      local version <const> = inside(nil, { "/bin/ecmp", "version" })
      assert.same({ "ecmp " .. require "ecmp.version", "" },
        { version.stdout:match "^[^\n]*", version.stderr })
      local told <const> = inside(nil, { "/bin/ecmp", "version", "--json" }).stdout
      assert.equal(kind.files == 0, json.decode(told).static)
      local plan <const> = inside(nil, { "/bin/ecmp", "plan", "/net.conf" })
      assert.same({ 0, "" }, { plan.status, plan.stderr })
      assert.matches("nexthop via 10%.0%.0%.1 dev eth0 weight 3", plan.stdout)
      assert.matches("nexthop via 2001:db8::2 dev eth0 weight 2", plan.stdout)
    end)

    fact("is enough for ADD, CHECK and DEL with a rule script #netns", function()
      local space <close> = pod.new()
      local before <const> = space:snapshot()
      local result <const> = assert(json.decode(call(space, "ADD", CONF)))
      assert.same({
        "default nexthop via 10.0.0.1 dev eth0 weight 3 nexthop via 10.0.0.2 dev eth0 weight 1",
        "default metric 1024 nexthop via 2001:db8::2 dev eth0 weight 2 "
          .. "nexthop via 2001:db8::1 dev eth0 weight 1",
      }, (function()
        local routes <const> = space:routes()
        -- the kernel lists IPv6 next hops in an order of its own
        routes[2] = routes[2]:gsub("^(default metric 1024 )(nexthop .-) (nexthop .*)$",
          function(head, one, two)
            return head .. (one:find "weight 2" and one .. " " .. two or two .. " " .. one)
          end)
        return routes
      end)())
      call(space, "CHECK", pod.after(CONF, result))
      space:ip("pod", "route del default")
      assert.is_false(pcall(call, space, "CHECK", pod.after(CONF, result)))
      call(space, "DEL", CONF)
      space:ip("host", "link del br0")
      assert.equal(before, space:snapshot())
    end)

    fact("loads scripts that lie about, and C modules only where there is a loader #netns", function()
      assert(sys.create(root .. "/site.lua", "return 'found'", 420))
      assert(sys.create(root .. "/tmp/native.so", "no library", 420))
      assert(sys.create(root .. "/script.lua", [[
        package.path, package.cpath = "/?.lua", "/tmp/?.so"
        print(require "site", (select(2, pcall(require, "native"))))]], 420))
      local done <const> = inside(nil, { "/bin/ecmp", "run", "/script.lua" })
      assert.matches("^found\t", done.stdout)
      assert.equal(kind.files == 0, done.stdout:find("static and loads no C modules", 1, true) ~= nil)
    end)
  end)
end
