-- What is done at a scratch prompt, and what commands do that only look, leaves the namespace they
-- were started in as it was.
local cli = require "spec.cli"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

-- What only the first has.
local function missing(from, others)
  local seen <const>, list <const> = {}, {}
  for _, line in ipairs(others) do seen[line] = true end
  for _, line in ipairs(from) do
    if not seen[line] then list[#list + 1] = line end
  end
  return list
end

local function assert_same(before, after)
  assert.same({}, missing(after, before))
  assert.same({}, missing(before, after))
end

-- Every word of the prompt, every verb of every object, every method of a lab.
local SESSION <const> = [[
help()
help "route"
lab = ecmp.lab { gateways = 2 }
nl.link:add { name = "v0", type = "veth", peer = { name = "v1" } }
nl.link:set { dev = "v0", up = true, mtu = 1400 }
nl.link:set "v1 up"
nl.link:add { name = "gone", type = "dummy" }
nl.link:del "gone"
nl.link:get { dev = "v0" }
nl.addr:add { dev = "v0", address = "10.0.1.9/24" }
nl.addr:replace { dev = "v0", address = "10.0.1.10/24" }
nl.addr:del { dev = "v0", address = "10.0.1.10/24" }
nl.route:add { dst = "default", via = "10.0.1.1" }
nl.route:replace { dst = "10.1.0.0/16", dev = "v0" }
nl.route:append { dst = "10.1.0.0/16", via = "10.0.1.1" }
nl.route:prepend { dst = "10.1.0.0/16", via = "10.0.1.2" }
nl.route:change { dst = "10.1.0.0/16", dev = "v0", mtu = 1300 }
nl.route:add_nexthop("default", { via = "10.0.1.3" })
nl.route:del_nexthop("default", { via = "10.0.1.1" })
nl.route:del "10.1.0.0/16"
nl.route:get { dst = "10.0.1.77" }
for route in nl.route:each {} do print(route) end
nl.rule:add { from = "10.0.0.10", table = 100, priority = 1000 }
nl.rule:add { from = "10.0.0.11", table = 100, priority = 1001 }
nl.rule:del { from = "10.0.0.11", table = 100, priority = 1001 }
nl.nexthop:add { id = 1, dev = "v0" }
nl.nexthop:replace { id = 1, via = "10.0.1.4", dev = "v0" }
nl.nexthop:add { id = 2, dev = "v0" }
nl.nexthop:del { id = 2 }
nl.neigh:add { dst = "10.0.1.77", dev = "v0", lladdr = "02:00:00:00:00:01" }
nl.neigh:replace { dst = "10.0.1.77", dev = "v0", lladdr = "02:00:00:00:00:02" }
nl.neigh:del { dst = "10.0.1.77", dev = "v0" }
nl.sysctl:set("net.ipv4.ip_forward", 1)
nl.sysctl:set("net.ipv6.conf.all.forwarding", 1)
nl.sysctl:get "net.ipv4.ip_forward"
nl:batch { { "route add", { dst = "10.2.0.0/16", dev = "lo" } } }
do local tx <close> = nl:begin() tx.route:add { dst = "10.3.0.0/16", dev = "lo" } end
other = ecmp.open()
other.route:add { dst = "10.5.0.0/16", dev = "lo" }
other.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)
os.execute "ip route add 10.6.0.0/16 dev lo; ip link set lo mtu 1400"
os.execute "ip netns add left-behind"
ecmp.netns.create "left-behind-too"
io.popen("ip rule add pref 77 lookup 77"):close()
before = snapshot()
plan "10.7.0.0/16 dev lo"
apply "10.7.0.0/16 dev lo"
undo()
redo()
diff(before)
journal
spread "10.7.0.1"
use(lab.pod)
nl.route:add { dst = "default", nexthops = lab:hops() }
lab:predict { flows = 10 }
lab:send { flows = 10 }
lab:fail "gw1"
lab:cut("gw2", "packets")
lab:draw()
lab:run("gw1", { "ip", "route", "add", "10.9.0.0/16", "dev", "wan" })
lab:path "pod"
lab:heal()
nl.route:flush { dst = "default" }
named = ecmp.lab { gateways = 1, name = "spec" }
use()
source "other.lua"
exit()
]]

-- What is there to be called.
local function everything()
  local words <const> = { "help", "exit", "snapshot", "diff", "plan", "apply", "undo", "redo",
    "journal", "spread", "use", "source", "nl:batch", "nl:begin", "nl.sysctl:get",
    "nl.sysctl:set" }
  for _, method in ipairs { "cut", "draw", "fail", "heal", "hops", "path", "predict", "run",
    "send" } do
    words[#words + 1] = "lab:" .. method
  end
  for object, verbs in pairs {
    route = "add add_nexthop append change del del_nexthop each flush get prepend replace",
    nexthop = "add del replace", link = "add del get set", addr = "add del replace",
    rule = "add del", neigh = "add del replace",
  } do
    for verb in verbs:gmatch "%S+" do words[#words + 1] = ("nl.%s:%s"):format(object, verb) end
  end
  return words
end

describe("the namespace somebody works in #netns", function()
  local shell

  before_each(function()
    shell = cli.new()
    shell:sh "ip route add default via 10.0.1.1; ip rule add pref 9 lookup 9"
  end)
  after_each(function() shell:close() end)

  it("is as it was after a session in which every word of the prompt is typed", function()
    for _, word in ipairs(everything()) do
      assert.truthy(SESSION:find(word, 1, true), word .. " is not tried")
    end
    local script <const> = shell:file("session.lua", SESSION)
    shell:file("other.lua", "nl.route:add { dst = '10.8.0.0/16', dev = 'lo' }\n")
    local before <const>, names <const> = shell:state(), shell:sh "ls /run/netns"
    assert.truthy(table.concat(before, "\n"):find "fib_multipath_hash_policy:0")
    local result <const> = shell:try(("cd %s && ecmp repl --batch --echo %s"):format(shell.dir,
      script))
    assert.equal(0, result.status, result.stdout .. result.stderr)
    assert.falsy(result.stdout:find("(E%u+)\n"), result.stdout)
    assert_same(before, shell:state())
    assert.equal(names, shell:sh "ls /run/netns")
  end)

  it("is as it was after every command that only looks or tries", function()
    local conf <const> = shell:file("net.json", [[{ "cniVersion": "1.1.0", "name": "n",
      "type": "ecmp-ptp", "ipam": { "type": "ecmp-static", "addresses": [
      { "address": "10.0.9.2/24", "gateway": "10.0.9.1" } ], "routes": [ { "dst": "0.0.0.0/0", "gw": "10.0.9.1" } ] } }]])
    local rule <const> = shell:file("rule.lua", "return {}")
    local routes <const> = shell:file("routes", "default via 10.0.2.1\n")
    local script <const> = shell:file("script.lua", "print(#assert(ecmp.open()).route:list())")
    local before <const> = shell:state()
    for _, words in ipairs {
      "plan " .. conf, "plan --json " .. conf, ("rule check %s %s"):format(rule, conf), "show",
      "show --table all --json", "spread 192.0.2.1", "spread --json --flows 10 192.0.2.0/24",
      "apply --dry-run " .. routes, "apply --dry-run --json " .. routes, "run " .. script,
      "version", "--help",
    } do
      local result <const> = shell:try("ecmp " .. words)
      assert.equal(0, result.status, words .. ": " .. result.stderr)
    end
    shell:sh(("%s install %s/bin"):format(sys.realpath(helper.build .. "/bin/ecmp"), shell.dir))
    shell:try(("ecmp gc --network n --data-dir %s/none"):format(shell.dir))
    shell:try "timeout -s INT 0.5 ecmp monitor"
    shell:try(("ecmp apply --confirm 0.2 %s </dev/null"):format(routes)) -- done and taken back
    assert_same(before, shell:state())
  end)
end)
