-- README.md, word by word: tables, commands, names and limits. Its scripts, sessions and outputs
-- are run with those of the other documents (docs_spec.lua).
local document = require "spec.document"
local helper = require "spec.helper"
local json = require "ecmp.json"
local rule_spec = require "ecmp.rule.spec"
local sys = require "ecmp.sys"

local text <const> = assert(sys.read "README.md")
local blocks <const> = document.blocks "README.md"
local ECMP <const> = sys.realpath(helper.build .. "/bin/ecmp")

local function block_with(words)
  for i, block in ipairs(blocks) do
    if block.body:find(words, 1, true) then return block, blocks[i + 1] end
  end
  error("README.md has no block with " .. words)
end

local function run(argv, options)
  local order <const> = { argv = argv, stderr = "capture", timeout = 60, stdin = "" }
  for key, value in pairs(options or {}) do order[key] = value end
  return assert(sys.spawn(order))
end

local function succeed(argv, options)
  local done <const> = run(argv, options)
  assert(done.status == 0, ("%s: %s%s"):format(table.concat(argv, " "), done.stdout, done.stderr))
  return done.stdout
end

-- The routes of the first listing, in a whole configuration.
local function netconf(merge)
  local routes <const> = text:match '\n    ("routes": %[.-%])\n'
  return ([[{ "cniVersion": "1.1.0", "name": "n", "type": "ecmp-bridge", "merge": "%s",
    "ipam": { "type": "ecmp-static", "addresses": [ { "address": "10.0.0.9/24" },
      { "address": "2001:db8::9/64" } ], %s } }]]):format(merge, routes)
end

describe("README.md", function()
  local dir

  setup(function()
    dir = helper.directory()
    assert(sys.replace(dir .. "/net.conf", netconf "ecmp", tonumber("644", 8)))
  end)
  teardown(function() helper.remove(dir) end)

  it("is right about the words of merge, in both families", function()
    local count = 0
    for words, four, six in text:gmatch '\n| `"([^|]-)|([^|]+)|([^|]+)|' do
      for word in ('"' .. words):gsub('"merge":', ""):gmatch '"(%a+)"' do
        local done <const> = run({ ECMP, "plan", "--json", "-" }, { stdin = netconf(word) })
        local plan <const> = done.status == 0 and assert(json.decode(done.stdout))
        local made <const> = { [4] = {}, [6] = {} }
        for _, route in ipairs(plan and plan.routes or {}) do
          table.insert(made[route.family], route)
        end
        for family, said in pairs { [4] = four, [6] = six } do
          local list <const> = made[family]
          if said:find "one multipath route" and word == "ecmp" then
            assert.same({ 1, 2 }, { #list, #list[1].nexthops })
          elseif said:find "by rising metric" then
            assert.is_true((list[1].metric or 0) < list[2].metric)
          elseif said:find "two routes" or word == "separate" then
            assert.equal(2, #list)
          end
        end
        if word == "first" then assert.same({ 1, 1 }, { #made[4], #made[6] }) end
        if word == "reject" then assert.equal(1, done.status) end
        count = count + 1
      end
    end
    assert.equal(#require("ecmp.rule").words, count)
  end)

  it("quotes errors as they are #netns", function()
    local quoted <const> = block_with "wieght"
    local printed <const> = succeed({ ECMP, "run", "-" }, { stdin = [[
      local nl <close> = assert(ecmp.open())
      nl.link:add { name = "net0", type = "veth", peer = { name = "far0" } }
      nl.link:set "net0 up"
      nl.addr:add "10.0.0.9/24 dev net0"
      local _, thrown = pcall(nl.route.add, nl.route,
        { dst = "default", nexthops = { { via = "10.0.0.1" }, { via = "10.0.0.2", wieght = 3 } } })
      print((thrown:gsub("^.-:%d+: ", "")))
      print((select(2, nl.route:add { dst = "10.8.0.0/16", via = "172.31.9.9" })))]] })
    document.compare(quoted.body, printed, "README.md, errors")
  end)

  it("has a rule that does what it says", function()
    local path <const> = dir .. "/rule.lua"
    assert(sys.replace(path, block_with("rule.weighted").body, tonumber("644", 8)))
    assert.same({ "default nexthop via 10.0.0.1 dev eth0 weight 3 nexthop via 10.0.0.2 dev eth0" },
      rule_spec.rule(path) { "default via 10.0.0.1 dev eth0", "default via 10.0.0.2 dev eth0" })
  end)

  it("names the plugins that are built", function()
    for _, name in ipairs(assert(sys.list(helper.build .. "/cni"))) do
      assert.is_truthy(text:find(("`%s`"):format(name), 1, true), name)
    end
  end)

  it("counts the rules in examples/rules", function()
    local count = 0
    for _, name in ipairs(assert(sys.list "examples/rules")) do
      if name:find "%.json$" then count = count + 1 end
    end
    assert.equal(10, count)
    assert.is_truthy(text:find("`examples/rules/` has ten", 1, true))
  end)

  it("is right about how many next hops a route holds", function()
    local group <const> = require "ecmp.group"
    local four <const>, six <const> = text:match "holds (%d+) %(IPv4%) or (%d+) %(IPv6%) next hops"
    local function fits(prefix, form, count)
      local hops <const> = {}
      for i = 1, count do hops[i] = { via = form:format(i // 250, i % 250 + 1), dev = "eth0" } end
      return group.canonical { dst = prefix, nexthops = hops } ~= nil
    end
    for _, case in ipairs { { "10.0.0.0/8", "10.1.%d.%d", tonumber(four) },
      { "2001:db8::/32", "fe80::%x:%x", tonumber(six) } } do
      assert.is_true(fits(case[1], case[2], case[3]))
      assert.is_false(fits(case[1], case[2], case[3] + 1))
    end
  end)
end)

-- The commands that README lists, each as it stands there, and what shows that it works.
local commands <const> = {
  ["ecmp lint [FILE|DIR...]"] = function(_, dir)
    local words <const> = [[CNI_PATH="$1/cni" "$1/bin/ecmp" lint "$2"]]
    succeed { "sh", "-c", words, "sh", helper.build, dir .. "/net.conf" }
    assert(sys.replace(dir .. "/bad.conf", netconf "ecpm"))
    local done <const> = run { "sh", "-c", words, "sh", helper.build, dir .. "/bad.conf" }
    assert.equal(1, done.status)
    assert.matches("merge", done.stdout .. done.stderr)
  end,
  ["make demo"] = function() succeed { "make", "-n", "demo" } end,
  ["make test"] = function() succeed { "make", "-n", "test" } end,
  ["make install"] = function(_, dir)
    succeed { "make", "-s", "install", "B=" .. helper.build, "DESTDIR=" .. dir .. "/root" }
    local usr <const> = dir .. "/root/usr/local"
    assert.same(sys.list(helper.build .. "/cni"), sys.list(usr .. "/lib/cni"))
    assert.equal(sys.realpath(usr .. "/bin/ecmp"), sys.realpath(usr .. "/lib/cni/ecmp-bridge"))
    assert.matches("^ecmp %d", succeed { usr .. "/bin/ecmp", "version" })
    for _, path in ipairs { "lib/lua/5.4/ecmp/rtnl.so", "share/lua/5.4/ecmp/init.lua",
      "share/man/man1/ecmp-plan.1", "share/bash-completion/completions/ecmp" } do
      assert.is_truthy(sys.stat(usr .. "/" .. path), path)
    end
  end,
  -- Made by specs of their own: bare_spec.lua, debian_spec.lua, rock_spec.lua.
  ["make STATIC=1"] = function() succeed { "make", "-n", "STATIC=1" } end,
  ["make deb"] = function() succeed { "make", "-n", "deb" } end,
  ["make rock"] = function() succeed { "make", "-n", "rock" } end,
  ['eval "$(make -s env)"'] = function(line)
    local said <const> = succeed { "sh", "-c", line .. ' && command -v ecmp && echo "$LUA_PATH"' }
    assert.equal(sys.realpath "build/bin/ecmp", sys.realpath(said:match "^[^\n]*"))
    assert.matches("/lua/%?%.lua;", said)
  end,
  ["ecmp plan NETCONF"] = function(_, dir)
    assert.matches("nexthop via 10.0.0.2", succeed { ECMP, "plan", dir .. "/net.conf" })
  end,
  ["ecmp rule check rule.lua NETCONF"] = function(_, dir)
    assert(sys.replace(dir .. "/rule.lua", "return {}", tonumber("644", 8)))
    assert.matches("  out  default nexthop",
      succeed { ECMP, "rule", "check", dir .. "/rule.lua", dir .. "/net.conf" })
  end,
  ["ecmp install /opt/cni/bin"] = function(_, dir)
    succeed { ECMP, "install", dir .. "/opt/cni/bin" }
    for _, name in ipairs(sys.list(helper.build .. "/cni")) do
      assert.is_truthy(sys.stat(dir .. "/opt/cni/bin/" .. name), name)
    end
  end,
  ["ecmp gc --network NAME"] = function(_, dir)
    assert(sys.mkdir(dir .. "/nets/NAME", tonumber("755", 8)))
    assert(sys.create(dir .. "/nets/NAME/10.0.0.2", "gone\neth0"))
    assert.equal("freed 10.0.0.2\n", succeed { ECMP, "gc", "--network", "NAME", "--data-dir",
      dir .. "/nets", "--cache-dir", dir .. "/none", "--valid", "other/eth0" })
  end,
}

-- The same for those that need a namespace: what they are run in has a pair and a multipath route.
local in_namespace <const> = {
  ["make shell"] = function(_, scratch)
    local before <const> = scratch:ip "link"
    local said <const> = succeed({ "make", "-s", "shell", "B=" .. helper.build }, {
      netns = scratch.path, stdin = "command -v ecmp; ip link add x0 type dummy; ecmp show; exit 3\n" })
    assert.matches("^A network of its own", said)
    assert.equal(sys.realpath(helper.build .. "/bin/ecmp"),
      sys.realpath(said:match "\n(/[^\n]*ecmp)\n"))
    assert.falsy(said:find("10.0.1.", 1, true))
    assert.equal(before, scratch:ip "link")
  end,
  ["ecmp repl"] = function()
    assert.matches("lo", succeed({ ECMP, "repl" }, { stdin = "nl.link:list()\n" }))
  end,
  ["ecmp show"] = function(_, scratch)
    assert.equal(scratch:show "route", (succeed({ ECMP, "show", "--family", "4" },
      { netns = scratch.path }):gsub("%s+$", "")))
  end,
  ["ecmp spread 203.0.113.0/24"] = function(_, scratch)
    local said <const> = succeed({ ECMP, "spread", "203.0.113.0/24" }, { netns = scratch.path })
    assert.matches("10%.0%.1%.3 .*%d%%.*\n10%.0%.1%.4 .*%d%%", said)
  end,
  ["ecmp apply --confirm 30 routes.txt"] = function(_, scratch, dir)
    assert(sys.replace(dir .. "/routes.txt", "10.8.0.0/16 via 10.0.1.5 dev v1\n", 420))
    succeed({ "sh", "-c", 'cd "$1" && "$2" apply --confirm 30 routes.txt', "sh", dir, ECMP },
      { netns = scratch.path, stdin = "yes\n" })
    assert.matches("10%.8%.0%.0/16 via 10%.0%.1%.5", scratch:show "route")
  end,
  ["ecmp metrics"] = function() succeed { ECMP, "metrics" } end,
  ["ecmp watch"] = function()
    assert.matches("^{", succeed { ECMP, "watch", "--once", "--json" })
  end,
  ["ecmp try NETCONF"] = function(_, _, dir)
    assert.matches("nexthop via 10.0.0.2", succeed { ECMP, "try", dir .. "/net.conf" })
  end,
  ["ecmp ls"] = function() succeed { ECMP, "ls" } end,
  ["ecmp check"] = function() succeed { ECMP, "check" } end,
  ["ecmp repair"] = function() succeed { ECMP, "repair" } end,
  ["ecmp monitor"] = function(_, scratch, dir)
    local said <const> = succeed({ "sh", "-c", [[
      "$1" monitor >"$2/events" & pid=$!
      n=0
      until grep -q 10.77.0.0 "$2/events" || [ $n -gt 100 ]; do
        ip route del 10.77.0.0/16 2>/dev/null; ip route add 10.77.0.0/16 via 10.0.1.6
        sleep 0.2; n=$((n + 1))
      done
      kill $pid; cat "$2/events"]], "sh", ECMP, dir }, { netns = scratch.path })
    assert.matches("10%.77%.0%.0/16 via 10%.0%.1%.6", said)
  end,
}

describe("the commands in README.md", function()
  local dir

  setup(function()
    dir = helper.directory()
    assert(sys.replace(dir .. "/net.conf", netconf "ecmp", tonumber("644", 8)))
  end)
  teardown(function() helper.remove(dir) end)

  local listed <const>, count = {}, 0
  for line in text:gmatch "\n    ([%a][^\n]*)" do
    local command <const> = line:gsub("%s+#.*$", "")
    if command:find "^make " or command:find "^ecmp " or command:find "^eval " then
      listed[#listed + 1] = command
    end
  end

  for _, command in ipairs(listed) do
    if commands[command] then
      it(("work: %s"):format(command), function() commands[command](command, dir) end)
      count = count + 1
    elseif in_namespace[command] then
      it(("work: %s #netns"):format(command), function()
        local scratch <close> = require("spec.scratch").new(1)
        scratch:ip "route add default nexthop via 10.0.1.3 dev v1 nexthop via 10.0.1.4 dev v1"
        scratch:ip "link set p1 up"
        in_namespace[command](command, scratch, dir)
      end)
      count = count + 1
    end
  end

  it("are all tried here", function()
    assert.equal(#listed, count)
    assert.is_true(count >= 12, tostring(count))
  end)
end)
