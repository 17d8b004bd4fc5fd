local cli = require "spec.cli"
local helper = require "spec.helper"
local json = require "ecmp.json"

describe("ecmp apply #netns", function()
  local shell

  before_each(function()
    shell = cli.new()
    shell:sh [[
      ip route add default nexthop via 10.0.1.1 weight 3 nexthop via 10.0.2.1
      ip route add default nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1
      ip route add 10.9.0.0/16 via 10.0.1.1 proto static
      ip route add 10.8.0.0/16 via 10.0.1.1 proto ra
    ]]
  end)

  after_each(function() shell:close() end)

  local WANTED <const> = [[
# what is wanted
default proto static
	nexthop via 10.0.1.1 weight 2   # a comment
	nexthop via 10.0.2.1
10.20.0.0/16 via 10.0.1.1
default via 2001:db8:1::1
]]

  -- Routes that somebody made, as a list of lines.
  local function made()
    local lines <const> = {}
    for line in shell:ip_routes():gsub("\n\t", " "):gmatch "[^\n]+" do
      if not line:find "proto kernel" then lines[#lines + 1] = line end
    end
    return lines
  end

  local BEFORE <const> = {
    "default nexthop via 10.0.1.1 dev eth1 weight 3 nexthop via 10.0.2.1 dev eth2 weight 1",
    "10.8.0.0/16 via 10.0.1.1 dev eth1 proto ra",
    "10.9.0.0/16 via 10.0.1.1 dev eth1 proto static",
    "default metric 1024 pref medium nexthop via 2001:db8:1::1 dev eth1 weight 1 "
      .. "nexthop via 2001:db8:2::1 dev eth2 weight 1",
  }
  local AFTER <const> = {
    "default proto static nexthop via 10.0.1.1 dev eth1 weight 2 nexthop via 10.0.2.1 dev eth2 weight 1",
    "10.8.0.0/16 via 10.0.1.1 dev eth1 proto ra",
    "10.20.0.0/16 via 10.0.1.1 dev eth1",
    "default via 2001:db8:1::1 dev eth1 metric 1024 pref medium",
  }

  it("finds nothing to do for what show prints", function()
    shell:sh "ip route add 10.16.0.0/16 via 10.0.1.1 table 100; ip route add blackhole 10.17.0.0/16"
    for _, words in ipairs { "", "--table all" } do
      shell:sh(("ecmp show %s >%s/shown"):format(words, shell.dir))
      assert.equal("nothing to do\n", shell:sh(("ecmp apply %s/shown"):format(shell.dir)))
    end
  end)

  it("makes the changes it takes, and leaves the routes of others", function()
    local file <const> = shell:file("wanted", WANTED)
    local dry <const> = shell:sh("ecmp apply --dry-run " .. file)
    assert.same(BEFORE, made())
    assert.truthy(dry:find("\n+ 10.20.0.0/16 via 10.0.1.1\n", 1, true))
    assert.truthy(dry:find("\n- 10.9.0.0/16", 1, true))
    assert.equal("applied: 1 added, 2 changed, 1 deleted\n", shell:sh("ecmp apply " .. file))
    assert.same(AFTER, made())
    assert.equal("nothing to do\n", shell:sh("ecmp apply " .. file))
  end)

  it("tells the changes as JSON", function()
    local told <const> = json.decode(shell:sh("ecmp apply --json --dry-run "
      .. shell:file("w", WANTED)))
    assert.equal("planned", told.result)
    assert.equal(4, #told.changes)
  end)

  it("runs a script that returns a list", function()
    local file <const> = shell:file("wanted.lua", [[
      local list = {}
      for i = 1, 3 do list[i] = { dst = ("10.30.%d.0/24"):format(i), via = "10.0.2.1" } end
      list[4] = "10.31.0.0/16 via 10.0.1.1"
      return list]])
    shell:sh("ecmp apply " .. file)
    assert.truthy(shell:ip_routes():find("10.30.3.0/24 via 10.0.2.1 dev eth2\n10.31.0.0/16 via 10.0.1.1", 1, true))
    local bad <const> = shell:try("ecmp apply "
      .. shell:file("bad.lua", "return { { via = '10.0.1.1' } }"))
    assert.truthy(bad.stderr:find "bad%.lua: %[1%]: dst: missing")
  end)

  it("refuses a file with a mistake, by line, before anything is touched", function()
    local function refused(text, pattern)
      local result <const> = shell:try("ecmp apply " .. shell:file("bad", text))
      assert.equal(1, result.status)
      assert.truthy(result.stderr:find "^ecmp: apply: [^\n]+\n$")
      assert.truthy(result.stderr:find(pattern), result.stderr)
      assert.same(BEFORE, made())
    end
    refused("10.1.0.0/16 via 10.0.1.1\n\n10.2.0.0/16 wia 10.0.1.1\n", "bad:3: 'wia'")
    refused("10.1.0.0/16 via 10.0.1.1\n10.2.0.300 via 10.0.1.1\n", "bad:2: dst")
    refused("10.1.0.0/16 dev eth9\n", "bad:1: dev: there is no device eth9")
    refused("10.1.0.0/16 dev eth1\n10.2.0.0/16 nhid 77\n", "bad:2: nhid: there is no next%-hop object 77")
    refused("default\n\tnexthop via 10.0.1.1\n\tnexthop via 10.0.2.1 weight 900\n",
      "bad:1: .*weight")
    refused(("x"):rep(100000) .. "\n", "bad:1: 'xxx.*too long for a word")
    refused("10.1.0.0/16 wia \27[2J\n", "bad:1: 'wia'")
    refused("10.1.0.0/16 \27[2J\n", "bad:1: '%?%[2J' is not understood")
    refused("10.1.0.0/16 via 10.0.1.1\n\0", "bad: this is no text")
    refused("10.8.0.0/16 via 10.0.2.1\n", "bad:1: 10%.8%.0%.0/16 is held by a route of proto ra")
  end)

  it("takes back what it did when the kernel refuses the rest", function()
    local result <const> = shell:try("ecmp apply "
      .. shell:file("wanted", WANTED .. "10.40.0.0/16 via 99.9.9.9\n"))
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find "ENETUNREACH.*taken back, the routes are as before\n$")
    assert.same(BEFORE, made())
  end)

  it("owns the routes of the protocol it is told", function()
    shell:sh("echo '10.50.0.0/16 via 10.0.1.1' | ecmp apply --proto ra -")
    local text <const> = shell:ip_routes()
    assert.truthy(text:find("10.50.0.0/16 via 10.0.1.1 dev eth1 proto ra", 1, true))
    assert.falsy(text:find("10.8.0.0/16", 1, true))
    assert.truthy(text:find("10.9.0.0/16", 1, true))
  end)

  it("keeps what a line 'yes' confirms", function()
    local result <const> = shell:try(("(echo no; echo yes) | ecmp apply --confirm 20 %s"):format(
      shell:file("wanted", WANTED)))
    assert.equal(0, result.status)
    assert.same(AFTER, made())
  end)

  it("takes back what nobody confirms; the end of input does not", function()
    local result <const> = shell:try(("ecmp apply --confirm 0.5 %s </dev/null"):format(
      shell:file("wanted", WANTED)))
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find "not confirmed in time: taken back, the routes are as before")
    assert.same(BEFORE, made())
  end)

  it("brings back what stood beside gateways where they can be listed", function()
    shell:sh [[
      ip route add 2001:db8:9::/48 dev eth1
      ip route append 2001:db8:9::/48 via 2001:db8:1::1
      ip route append 2001:db8:9::/48 via 2001:db8:1::3
    ]]
    local before <const> = made()
    local result <const> = shell:try(("ecmp apply --confirm 0.2 %s </dev/null"):format(
      shell:file("wanted", "2001:db8:9::/48 nexthop via 2001:db8:1::1 nexthop via 2001:db8:1::4\n")))
    assert.matches("taken back, the routes are as before", result.stderr)
    table.sort(before)
    local after <const> = made()
    table.sort(after)
    assert.same(before, after)
  end)

  -- Starts an apply that waits, does something about it, and returns how it ended.
  local function while_waiting(seconds, what)
    return shell:try(([[
      cd %s
      tail -f /dev/null --pid=$$ | ecmp apply --confirm %s %s 2>told & pid=$!
      until grep -q 'type yes' told 2>/dev/null; do sleep 0.05; done
      %s
    ]]):format(shell.dir, seconds, shell:file("wanted", WANTED), what))
  end

  it("is confirmed from elsewhere, and allows no other apply meanwhile", function()
    local result <const> = while_waiting(30,
      ("ecmp apply %s/wanted; ecmp apply --confirmed"):format(shell.dir))
    assert.truthy(result.stderr:find "another apply is at work")
    assert.truthy(result.stdout:find "confirmed")
    helper.eventually(function() return not shell:try("ecmp apply --confirmed").stdout:find "confirmed" end)
    assert.same(AFTER, made())
  end)

  it("waits for the watchdog of a change that is over", function()
    shell:sh(([[
      cd %s
      ecmp apply %s
      lock=$(ls -t /run/ecmp/*.lock | head -n 1)
      flock $lock sh -c 'touch locked; sleep 0.3' &
      until test -e locked; do sleep 0.01; done
      echo "default via 10.0.1.1" | ecmp apply -
    ]]):format(shell.dir, shell:file("wanted", WANTED)))
    assert.equal("default via 10.0.1.1 dev eth1", made()[1])
  end)

  it("takes back at once when it is told to end", function()
    while_waiting(30, "kill -HUP $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done")
    assert.same(BEFORE, made())
  end)

  it("takes back what was said of a route that said less before", function()
    shell:sh [[
      ip nexthop add id 3 via 10.0.1.1 dev eth1
      ip route add 10.30.0.0/16 nhid 3
      ip route add 10.31.0.0/16 via 10.0.1.1 mtu 1200
      ip route add fd40::/16 via 2001:db8:1::1
      ip route add 10.32.0.0/16 dev eth1 scope link
    ]]
    local before <const> = made()
    local file <const> = shell:file("more", shell:sh "ecmp show" .. [[
10.30.0.0/16 via 10.0.1.1 mtu 1400
10.31.0.0/16 via 10.0.1.1 mtu lock 1300 initcwnd 9
10.32.0.0/16 via 10.0.1.1
fd40::/16 via 2001:db8:1::1 pref high hoplimit 9
]])
    shell:sh(([[grep -vE '^(10\.3[0-2]|fd40).*(nhid|1200|link|medium)' %s >%s.new]]):format(file, file))
    local result <const> = shell:try(("sleep 0.2 | ecmp apply --confirm 0.1 %s.new"):format(file))
    assert.truthy(result.stderr:find "not confirmed in time: taken back, the routes are as before")
    assert.same(before, made())
  end)

  it("is taken back by its watchdog when it is killed and the time is up", function()
    while_waiting(2, "kill -KILL $pid")
    assert.same(AFTER, made())
    helper.eventually(function() return made()[1] == BEFORE[1] and made()[4] == BEFORE[4] end)
    assert.same(BEFORE, made())
  end)

  it("says to whoever comes back how it ended", function()
    while_waiting(30, "kill -HUP $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done")
    for _, word in ipairs { "--confirmed", "--undo" } do
      assert.matches("; the last change: %d+%-%d+%-%d+ %d+:%d+:%d+ SIGHUP: taken back, the routes are "
        .. "as before\n$", shell:try("ecmp apply " .. word).stderr)
    end
    shell:sh(("echo yes | ecmp apply --confirm 20 %s/wanted"):format(shell.dir))
    assert.matches("kept: confirmed\n$", shell:try("ecmp apply --confirmed").stderr)
  end)

  it("takes no namespace for another that is gone", function()
    while_waiting(30, "kill -HUP $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done")
    assert.matches("the last change", shell:try("ecmp apply --undo").stderr)
    local inode <const> = shell:sh "stat -Lc %i /proc/self/ns/net"
    for _ = 1, 20 do -- the kernel gives inodes again, as soon as it is done with them
      shell:close()
      shell = cli.new()
      assert.falsy(shell:try("ecmp apply --undo").stderr:find "the last change")
      if shell:sh "stat -Lc %i /proc/self/ns/net" == inode then break end
    end
  end)

  it("shows and takes back what is left when its watchdog is killed, too", function()
    while_waiting(30, [[
      watchdog=$(cat /run/ecmp/*.watchdog)
      kill -KILL $pid $watchdog; while kill -0 $watchdog 2>/dev/null; do sleep 0.05; done]])
    assert.same(AFTER, made())
    assert.matches("an earlier apply was cut off here and not taken back: ecmp apply %-%-undo",
      shell:try(("ecmp apply %s/wanted"):format(shell.dir)).stderr)
    local shown <const> = shell:sh "ecmp apply --undo --dry-run"
    assert.truthy(shown:find("\n- 10.20.0.0/16 via 10.0.1.1 dev eth1 proto boot", 1, true), shown)
    assert.truthy(shown:find("+ 10.9.0.0/16 via 10.0.1.1 dev eth1 proto static", 1, true), shown)
    assert.same(AFTER, made())
    local told <const> = json.decode(shell:sh "ecmp apply --undo --json")
    assert.equal("taken back", told.result)
    assert.equal(4, #told.changes)
    assert.same(BEFORE, made())
  end)

  it("stays as it is when there are more watchdogs than applies", function()
    shell:sh("ecmp apply " .. shell:file("wanted", WANTED))
    -- one whose apply has ended, and whose work another watchdog has done
    local late <const> = shell:try [[
      base=$(ls -t /run/ecmp/*.lock | head -1 | sed 's/\.lock$//')
      while [ -e $base.state ]; do sleep 0.01; done
      ecmp apply --watchdog $base; echo $?; ls $base.state $base.watchdog]]
    assert.equal("0\n", late.stdout)
    assert.same(AFTER, made())
    -- and some that have yet to see that theirs has ended when the next begins
    for i = 1, 5 do
      shell:sh(("ecmp apply %s; ecmp apply %s/wanted"):format(shell:file("other",
        ("10.60.%d.0/24 via 10.0.1.1\n"):format(i)), shell.dir))
    end
    helper.eventually(function() return not shell:sh("ls /run/ecmp"):find "watchdog" end)
    assert.same(AFTER, made())
    assert.matches("nothing is left to be taken back", shell:try("ecmp apply --undo").stderr)
  end)

  it("answers in JSON when it is confirmed, and says how to in another namespace", function()
    local result <const> = shell:try(("echo yes | ecmp apply --netns %s --json --confirm 20 %s"):format(
      shell.path, shell:file("wanted", WANTED)))
    local first <const>, second <const> = result.stdout:match "^([^\n]*)\n([^\n]*)\n$"
    assert.equal("applied", json.decode(first).result)
    assert.same({ result = "confirmed" }, json.decode(second))
    assert.truthy(result.stderr:find(("ecmp apply --netns %s --confirmed)"):format(shell.path), 1,
      true))
  end)

  it("can be confirmed after it was killed", function()
    while_waiting(60, [[
      watch=$(cat /run/ecmp/*.watchdog)
      kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done
      ecmp apply --confirmed; while kill -0 $watch 2>/dev/null; do sleep 0.05; done]])
    assert.same(AFTER, made())
  end)

  it("leaves the old routes or the new ones, whenever it is interrupted", function()
    local count <const>, lines <const> = 10000, {}
    for i = 0, count - 1 do
      lines[i + 1] = ("172.%d.%d.%d/30 via 10.0.1.1"):format(16 + (i >> 14), i >> 6 & 255,
        i << 2 & 255)
    end
    shell:file("many", table.concat(lines, "\n") .. "\n")
    local old <const> = table.concat(BEFORE, "\n"):gsub(" nexthop", "\n\tnexthop")
    shell:file("old", old .. "\n")
    -- a watchdog that is killed, too, leaves what --undo brings back
    for round, victims in ipairs { "-TERM $pid", "-KILL $pid", "-KILL $pid $watchdog",
      "-KILL $pid", "-KILL $pid $watchdog" } do
      shell:try(([[
        cd %s; rm -f /run/ecmp/*.watchdog
        ecmp apply many & pid=$!
        until grep -qs applying /run/ecmp/*.state && [ -s /run/ecmp/*.watchdog ] ||
          ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
        watchdog=$(cat /run/ecmp/*.watchdog); sleep 0.$((%d * 7 %% 5)); kill %s; wait
        case "%s" in *watchdog*) ecmp apply --undo ;; esac]]):format(shell.dir, round, victims,
          victims:gsub("%$", "")))
      local found
      helper.eventually(function()
        found = #made()
        return found == count + 2 or found == #BEFORE
      end)
      -- it was faster than the signal, or its watchdog has yet to begin
      helper.eventually(function()
        return shell:try(("ecmp apply --force %s/old"):format(shell.dir)).status == 0
      end)
      assert.same(BEFORE, made())
    end
  end)

  it("takes wrong usage for that", function()
    for _, words in ipairs { "", "--confirmed FILE", "--confirm x FILE", "--proto nobody FILE",
      "--confirmed --dry-run", "--undo --confirm 3", "--undo --proto ra",
      "--undo --force", "--confirmed --family 4", "--undo --max-delete 3",
      "--family 5 FILE", "--max-delete x FILE", "--max-delete 101% FILE",
      "--max-delete -1 FILE",
      "--confirm inf FILE", "--confirm 1e999 FILE", "--confirm -1 FILE" } do
      assert.equal(2, shell:try("ecmp apply " .. words).status, words)
    end
    assert.equal(1, shell:try("ecmp apply /nowhere").status)
    -- it has no end, and is not read to it
    assert.matches("/dev/zero: this is no text", shell:try("ecmp apply /dev/zero").stderr)
    assert.equal(1, shell:try("ecmp apply --confirmed").status)
    assert.equal(1, shell:try("ecmp apply --undo").status)
  end)
end)
