--- The checkpoint of ecmp apply where its directory is full, removed or shared, and its process is
--- stopped.
local checkpoint = require "ecmp.command.apply.checkpoint"
local cli = require "spec.cli"
local helper = require "spec.helper"

describe("the journal of ecmp apply", function()
  it("has ended where it says so, not where it cannot be read", function()
    local function journal(text)
      return { ending = { seek = function() return 0 end, read = function() return text end } }
    end
    assert.is_true(checkpoint.has_ended(journal "kept"))
    assert.is_true(checkpoint.has_ended(journal "back"))
    assert.is_false(checkpoint.has_ended(journal "open"))
    assert.is_false(checkpoint.has_ended(journal "ba"))
    assert.is_false(checkpoint.has_ended(journal(nil)))
  end)
end)

describe("the checkpoint of ecmp apply #netns", function()
  local shell

  before_each(function()
    shell = cli.new()
    shell:file("old", "10.50.0.0/16 via 10.0.1.1\n")
    shell:file("new", "10.60.0.0/16 via 10.0.1.1\n")
    shell:sh "ecmp apply $HERE/old"
  end)

  after_each(function() shell:close() end)

  local function holds()
    local text <const> = shell:sh "ip -4 route"
    return (text:find("\n10.50.", 1, true) and "old" or "")
      .. (text:find("\n10.60.", 1, true) and "new" or "")
  end

  -- Where only this apply's files are, and the directory can be filled: a mount of its own.
  local function in_own_directory(text, options)
    return shell:try(("unshare -m --propagation private sh -c '%s' $HERE"):format(
      "cd $0; mkdir -p /run/ecmp; mount -t tmpfs -o size=64k,mode=700 tmpfs /run/ecmp\n" .. text), options)
  end

  local FILL <const> = "dd if=/dev/zero of=/run/ecmp/fill bs=1k count=999 2>/dev/null; "
  local WAIT <const> = "until grep -q \"type yes\" told 2>/dev/null; do sleep 0.05; done; "

  describe("in a directory that is full", function()
    it("keeps what a line 'yes' confirms", function()
      local result <const> = in_own_directory(
        ("(%s%s echo yes) | ecmp apply --confirm 30 new 2>told; echo $?; ls /run/ecmp"):format(WAIT, FILL))
      assert.matches("confirmed\n0\n", result.stdout)
      assert.falsy(result.stdout:find "undo" or result.stdout:find "state")
      assert.equal("new", holds())
    end)

    it("keeps what is confirmed from elsewhere", function()
      local result <const> = in_own_directory(
        ("ecmp apply --confirm 30 new </dev/null 2>told & %s%s ecmp apply --confirmed; wait $!; echo $?")
          :format(WAIT, FILL))
      assert.matches("confirmed\n0\n$", result.stdout)
      assert.equal("new", holds())
    end)

    it("takes back what is not confirmed", function()
      local result <const> = in_own_directory(
        ("(%s%s sleep 1) | ecmp apply --confirm 1 new 2>told; echo $?; ls /run/ecmp"):format(WAIT, FILL))
      assert.matches("\n1\n", result.stdout)
      assert.falsy(result.stdout:find "undo" or result.stdout:find "state")
      assert.equal("old", holds())
    end)

    it("changes nothing where it cannot be written", function()
      local result <const> = in_own_directory(FILL .. "ecmp apply new; echo $?; ls /run/ecmp")
      assert.matches("ENOSPC", result.stderr)
      assert.matches("^1\napply%-%x+%.lock\nfill\n$", result.stdout)
      assert.equal("old", holds())
    end)
  end)

  it("is rolled back by the watchdog when the applier is stopped, and all goes on then", function()
    local result <const> = shell:try [[
      cd $HERE
      ecmp apply --confirm 0.5 new </dev/null 2>told & pid=$!
      until grep -q "type yes" told 2>/dev/null; do sleep 0.05; done
      base=$(ls /run/ecmp/*.watchdog | sed 's/\.watchdog$//')
      kill -STOP $pid; n=0
      while [ -e $base.undo ] && [ $n -lt 200 ]; do sleep 0.1; n=$((n+1)); done
      ip route show 10.50.0.0/16; cat $base.last
      kill -CONT $pid; wait $pid; echo status $?; cat told]]
    assert.matches("\n10%.50%.0%.0/16.*taken back by the watchdog", result.stdout)
    assert.matches("status 1\n.*not confirmed in time: taken back, the routes are as before\n$",
      result.stdout)
    assert.equal("old", holds())
    assert.matches("nothing is left to be taken back", shell:try("ecmp apply --undo").stderr)
    shell:sh "ecmp apply $HERE/new"
    assert.equal("new", holds())
  end)

  describe("whose directory is removed", function()
    it("is rolled back by the applier, also where somebody says yes", function()
      for _, answer in ipairs { "echo yes", "sleep 1" } do
        local result <const> = in_own_directory(
          ("(%s rm -rf /run/ecmp/*; %s) | ecmp apply --confirm 1 new 2>told; echo $?; cat told"):format(
            WAIT, answer))
        assert.matches("\n1\n.*taken back, the routes are as before\n$", result.stdout)
        assert.equal("old", holds())
      end
    end)

    it("is rolled back by the watchdog when the applier was killed, which waits without work",
      function()
        local result <const> = in_own_directory(
          ("ecmp apply --confirm 3 new </dev/null 2>told & pid=$!; %s"):format(WAIT) .. [[
          watchdog=$(cat /run/ecmp/*.watchdog); rm -rf /run/ecmp/*; sleep 2.5
          cut -d" " -f14,15 /proc/$watchdog/stat; kill -KILL $pid; wait $pid
          n=0; while kill -0 $watchdog 2>/dev/null && [ $n -lt 200 ]; do sleep 0.1; n=$((n+1)); done]])
        local user <const>, system <const> = result.stdout:match "(%d+) (%d+)\n$"
        assert.truthy(user + system < 100, "ticks of 250")
        helper.eventually(function() return holds() == "old" end)
      end)
  end)

  it("lies in a directory that others may read, and not in one that they may write", function()
    local result <const> = in_own_directory([[
      chmod 755 /run/ecmp
      ecmp apply --confirm 30 new </dev/null 2>told & ]] .. WAIT .. [[
      ls /run/ecmp | grep -c state; ecmp apply old; ecmp apply --confirmed; wait $!
      chmod 777 /run/ecmp; ecmp apply old; echo $?]])
    assert.matches("\n1\nconfirmed\n", result.stdout)
    assert.matches("another apply is at work", result.stderr)
    if shell:sh("cat /proc/self/uid_map"):find "^%s*0%s+0%s+4294967295" then
      assert.matches("\n1\n$", result.stdout)
      assert.matches("/run/ecmp: others may write in it %(chmod go%-w%)", result.stderr)
      assert.equal("new", holds())
    end
  end)
end)
