local cli = require "spec.cli"
local complete = require "ecmp.repl.complete"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

-- Types lines into a prompt that is no terminal; returns what it said.
local function type_in(lines, words)
  local result <const> = assert(sys.spawn {
    argv = { "sh", "-c", ("%s repl %s"):format(cli.program, words or "") }, timeout = 60,
    stdin = table.concat(lines, "\n") .. "\n", stderr = "capture",
  })
  return result.stdout, result
end

describe("completion at the prompt", function()
  local env <const> = { nl = setmetatable({
    route = setmetatable({}, { __name = "ecmp.Object" }),
    link = { list = function() return { { name = "eth1" }, { name = "lo" } } end },
  }, { __name = "ecmp.Handle" }), ecmp = {}, before = 1 }

  local function candidates(line)
    local from <const> = line:match "()[%w_.:]*$"
    return complete.candidates(env, line, from, #line)
  end

  it("knows names, objects, verbs", function()
    assert.same({ "before" }, candidates "bef")
    assert.same({ "nl.route", "nl.rule" }, candidates "nl.r")
    assert.same({ "nl.route:add", "nl.route:add_nexthop" }, candidates "nl.route:ad")
    assert.same({ "ecmp.lab" }, candidates "x = ecmp.la")
  end)

  it("knows the fields of what is being called, and devices", function()
    assert.same({ "metric" }, candidates 'nl.route:add { dst = "default", me')
    assert.same({ "eth1" }, candidates 'nl.route:add { dst = "default", dev = "et')
  end)

  it("knows what can be called behind a colon, and files in calls that take one", function()
    env.lab = setmetatable({ families = {} }, { __index = { fail = print }, __name = "ecmp.Lab" })
    assert.same({ "lab:fail" }, candidates "lab:fa")
    assert.same({ "lab.fail", "lab.families" }, candidates "lab.fa")
    local dir <const> = helper.directory()
    assert(sys.mkdir(dir .. "/below"))
    for _, name in ipairs { "a.lua", "b.lua" } do assert(sys.create(dir .. "/below/" .. name, "")) end
    local function file(text)
      local line <const> = text:format(dir)
      return complete.candidates(env, line, line:match "()[^\"]*$", #line)
    end
    assert.same({ dir .. "/below/a.lua" }, file 'source "%s/below/a')
    -- more than one, so that readline puts no quote behind a directory
    assert.same({ dir .. "/below/a.lua", dir .. "/below/b.lua" }, file 'apply("%s/be')
    assert.same({}, file 'print "%s/be')
    helper.remove(dir)
  end)

  it("does not follow what is not there, nor call anything", function()
    assert.same({}, candidates "nowhere.x.y")
    assert.same({}, candidates "os.exit().x")
  end)
end)

describe("ecmp repl #netns", function()
  local dir <const> = helper.directory()
  teardown(function() helper.remove(dir) end)

  it("prints values, tables as columns, routes as ip does, refusals and errors in one line",
    function()
    local said <const> = type_in {
      "1 + 1", "x = 5", "local y <const> = x * 2", "y",
        "{ { via = 'a', dev = 'b' }, { via = 'cc' } }",
      "{ a = 1, b = { 2 } }", "nope.x", "error('bad\\nthing')", "x = = 2",
      "nl.route:add { dst = '10.9.0.0/16', via = '1.2.3.4' }",
      "nl.route:add { dst = '10.9.0.0/16', gatway = '1.2.3.4' }",
      "nl.route:add { dst = '10.9.0.0/16', dev = 'lo' }", "nl.route:list()",
    }
    assert.equal(table.concat({
      "2", "10", "dev  via", "b    a", "     cc", "{ a = 1, b = { 2 } }",
      "attempt to index a nil value (global 'nope')", "bad thing", "unexpected symbol near '='",
      "route add 10.9.0.0/16 via 1.2.3.4: Nexthop has invalid gateway (ENETUNREACH)",
      "gatway: unknown field (did you mean 'via'?)", "true", "10.9.0.0/16 dev lo scope link", "",
    }, "\n"), said)
  end)

  it("joins lines into statements, and takes comments for nothing", function()
    assert.equal("3\n", (type_in { "-- nothing", "for i = 1, 3 do", "  if i == 3 then",
      "    print(i)",
      "  end", "end" }))
  end)

  it("outlives everything that is typed wrong", function()
    local lines <const> = { "(((", ")))", "\0\1\2", "return return", "goto nowhere",
      "nl:close(1,2,3)",
      "error(nil)", "error({})",
        "error(setmetatable({}, { __tostring = function() error 'x' end }))",
      "setmetatable({}, { __tostring = function() error 'x' end })", "('x'):rep(1e10)",
      "nl.route:add(7)", "nl.route:get()", "apply()", "plan()", "diff()", "use()", "undo('x')",
      "source 'nowhere'", "ecmp.lab { gateways = 'x' }", "coroutine.yield(1)", "nl = 5",
        "string = nil",
      "collectgarbage('nothing')", "help(help)", "use { route = 1 }", "undo(0)", "redo(1.5)",
      "nl.route.add { dst = 'default' }", "plan { 1 }", "source '/tmp'", "string.format = nil",
      "table.concat = 7", "io.stdout = nil", "io.output '/dev/null'", "exit", "\255\254",
      "x = '" .. ("a"):rep(100000) .. "'", ("("):rep(100000) }
    lines[#lines + 1] = "'still ' .. 'here'"
    local said <const>, result <const> = type_in(lines)
    assert.equal(1, result.status) -- for there were errors
    assert.truthy(said:find "still here\n$")
    assert.falsy(said:find "stack traceback")
  end)

  it("says what is wrong with a call of its own words", function()
    assert.equal(table.concat({ "use: a handle expected, such as lab.pod",
      "undo: how many statements? got 0", "nl.route:add: called without its colon",
      "[1]: a route expected, got number", "read /tmp: Is a directory (EISDIR)",
      "exit() leaves, and so does Ctrl-D", "" }, "\n"), (type_in { "use { route = 1 }", "undo(0)",
      "nl.route.add { dst = 'default' }", "plan { 1 }", "source '/tmp'", "exit", "exit()", "1" }))
  end)

  it("works at another handle for a while", function()
    assert.equal(table.concat({ "scratch> other = ecmp.open()", "scratch> use(other)",
      "nl is the handle of here now", "scratch:here> use()", "nl is the handle of scratch now",
      "scratch> 1", "1", "" }, "\n"), (type_in({ "other = ecmp.open()", "use(other)", "use()", "1" },
      "--echo")))
  end)

  it("takes a whole batch back, whatever was in it, and no difference for a plan", function()
    assert.equal(table.concat({ "true", "{ true, true }", "2",
      "taken back: nl:batch { { 'addr add', '10.9.0.1/24 dev lo' }, "
        .. "{ 'route add', { dst = '10.1.0.0/16', dev = 'lo' } } }",
      "0", "[1]: a route expected, got string", "" }, "\n"), (type_in {
      "nl.link:set 'lo up'", "before = snapshot()",
      "nl:batch { { 'addr add', '10.9.0.1/24 dev lo' }, "
        .. "{ 'route add', { dst = '10.1.0.0/16', dev = 'lo' } } }",
      "after = snapshot()",
      "#nl.route:list { dst = '10.1.0.0/16' } + #nl.addr:list { address = '10.9.0.1/24' }",
      "undo()",
      "#nl.route:list { dst = '10.1.0.0/16' } + #nl.addr:list { address = '10.9.0.1/24' }",
      "apply(diff(before, after))",
    }))
  end)

  it("takes changes back and does them again", function()
    local said <const> = type_in {
      "nl.route:add { dst = '10.1.0.0/16', dev = 'lo' }", "before = snapshot()",
      "nl.route:add { dst = '10.2.0.0/16', dev = 'lo' }", "nl.sysctl:set('net.ipv4.ip_forward', 1)",
      "nl.route:del '10.1.0.0/16'", "diff(before)", "undo(2)", "journal", "nl.route:list()",
      "nl.sysctl:get 'net.ipv4.ip_forward'", "redo(2)", "nl.route:list()",
      "nl.sysctl:get 'net.ipv4.ip_forward'", "undo(9)", "nl.route:list()", "undo()",
    }
    assert.truthy(said:find("\n+ 10.2.0.0/16 dev lo proto boot\n- 10.1.0.0/16 dev lo proto boot\n",
      1, true), said)
    assert.truthy(said:find(("\n%s\n%s\n%s\n%s\n10.1.0.0/16 dev lo scope link\n10.2.0.0/16 dev lo scope link\n0\n"):format(
      "+ 1  nl.route:add { dst = '10.1.0.0/16', dev = 'lo' }",
      "+ 2  nl.route:add { dst = '10.2.0.0/16', dev = 'lo' }",
      "- 3  nl.sysctl:set('net.ipv4.ip_forward', 1)", "- 4  nl.route:del '10.1.0.0/16'"), 1, true),
        said)
    assert.truthy(said:find("10.2.0.0/16 dev lo scope link\n1\n", 1, true), said)
    assert.truthy(said:find("undo: nothing is left to take back\n$"), said)
  end)

  it("takes back what went with a change, too: routes, IPv6 addresses, members of groups", function()
    local lines <const> = {
      "nl.link:add 'net0 type veth peer name far0'", "nl.link:set 'far0 up'", "nl.link:set 'net0 up'",
      "nl.addr:add '10.0.0.9/24 dev net0'", "nl.addr:add '2001:db8::9/64 dev net0 nodad'",
      "nl.nexthop:add 'id 1 via 10.0.0.1 dev net0'", "nl.nexthop:add 'id 2 via 10.0.0.2 dev net0'",
      "nl.nexthop:add 'id 3 group 1/2'", "nl.route:add '10.9.0.0/16 nhid 3'",
      "nl.route:add '10.8.0.0/16 nhid 1'", "nl.route:add '10.7.0.0/16 via 10.0.0.7 table 100'",
      "nl.route:add 'default nexthop via 10.0.0.1 nexthop via 10.0.0.2'",
      "nl.route:add 'default nexthop via 2001:db8::1 nexthop via 2001:db8::2'",
      -- links and link-local addresses settle in their own time
      [[function lost()
        local text
        for _ = 1, 100 do
          local lines = {}
          for _, line in ipairs(diff(before)) do
            if not line:find "^. link " and not line:find "fe80:" then lines[#lines + 1] = line end
          end
          text = #lines == 0 and "nothing lost" or "lost " .. table.concat(lines, "; ")
          if #lines == 0 then break end
          require("ecmp.sys").sleep(0.05)
        end
        return text
      end]], "before = snapshot()",
    }
    local changes <const> = { "nl.addr:del '10.0.0.9/24 dev net0'", "nl.link:set 'net0 down'",
      "nl.nexthop:del 'id 1'", "nl.addr:del '2001:db8::9/64 dev net0'", "nl.rule:add 'table 100'" }
    for _, line in ipairs(changes) do
      table.move({ line, "#diff(before) > 0", "undo()", "lost()" }, 1, 4, #lines + 1, lines)
    end
    lines[#lines + 1] = "nl.route:flush { dst = '99.0.0.0/8' }"
    lines[#lines + 1] = "journal"
    local said <const> = type_in(lines)
    for _, line in ipairs(changes) do
      assert.truthy(said:find(("true\ntrue\ntaken back: %s\nnothing lost\n"):format(line), 1, true),
        said)
    end
    assert.truthy(said:find "\n0\n.*%+ 13[^\n]*\n%- 14  nl.rule:add 'table 100'\n$", said)
  end)

  it("takes a committed transaction back as one statement, and does it again", function()
    local said <const> = type_in {
      "nl.route:add '10.1.0.0/16 dev lo'", "tx = nl:begin()", "tx.route:add '10.2.0.0/16 dev lo'",
      "nl.route:del '10.1.0.0/16'", "nl:batch { { 'route add', { dst = '10.3.0.0/16', dev = 'lo' } } }",
      "nl.sysctl:set('net.ipv4.ip_forward', 1)", "undo()", "tx:commit()", "journal", "undo()",
      "nl.route:list()", "nl.sysctl:get 'net.ipv4.ip_forward'", "redo()", "nl.route:list()",
      "nl.sysctl:get 'net.ipv4.ip_forward'", "undo(2)", "nl.route:list()",
    }
    assert.truthy(said:find("undo: a transaction is open: commit it or take it back first\ntrue\n"
      .. "+ 1  nl.route:add '10.1.0.0/16 dev lo'\n+ 2  tx:commit()\ntaken back: tx:commit()\n"
      .. "10.1.0.0/16 dev lo scope link\n0\ndone again: tx:commit()\n"
      .. "10.2.0.0/16 dev lo scope link\n10.3.0.0/16 dev lo scope link\n1\n"
      .. "taken back: tx:commit()\ntaken back: nl.route:add '10.1.0.0/16 dev lo'\n", 1, true), said)
  end)

  it("knows nothing of a transaction that was taken back, and lets the next one begin", function()
    local said <const> = type_in {
      "do local tx <close> = nl:begin(); nl.route:add '10.1.0.0/16 dev lo' end", "journal",
      "nl.route:list()", "tx = nl:begin()", "tx:rollback()", "nl.route:add '10.4.0.0/16 dev lo'",
      "undo()",
    }
    assert.truthy(said:find("nothing was changed yet\n", 1, true), said)
    assert.truthy(said:find("taken back: nl.route:add '10.4.0.0/16 dev lo'\n$"), said)
  end)

  it("plans and applies, from text and from files", function()
    assert(sys.create(dir .. "/routes", "10.3.0.0/16 dev lo\n10.4.0.0/16 dev lo\n",
      tonumber("644", 8)))
    local said <const> = type_in {
      "nl.route:add '10.1.0.0/16 dev lo'", ("plan '%s/routes'"):format(dir),
      ("apply '%s/routes'"):format(dir), "nl.route:list()", "undo()", "nl.route:list()",
      "plan '10.1.0.0/16 wia x'",
    }
    assert.truthy(said:find("+ 10.3.0.0/16 dev lo\n+ 10.4.0.0/16 dev lo\n- 10.1.0.0/16 dev lo", 1,
      true), said)
    assert.truthy(said:find("applied 3 changes\n10.3.0.0/16 dev lo scope link\n10.4.0.0/16 dev lo scope link\n",
      1, true), said)
    assert.truthy(said:find("10.1.0.0/16 dev lo scope link\ntext:1: 'wia' is not understood "
      .. "%(did you mean 'via'%?%)\n$"), said)
  end)

  it("plans against the handle at hand", function()
    local said <const> = type_in { "nl.route:add '10.1.0.0/16 dev lo metric 5'",
      "ecmp.plan(nl, { '10.2.0.0/16 dev lo' })", "ecmp.plan(nl, { '10.1.0.0/16 dev lo metric 5' })" }
    assert.truthy(said:find("+ 10.2.0.0/16 dev lo\n- 10.1.0.0/16 dev lo metric 5", 1, true), said)
    assert.falsy(said:find("+ 10.1.0.0/16", 1, true), said)
  end)

  it("runs a script and goes on from there; a wrong statement ends the script only", function()
    assert(sys.create(dir .. "/s.lua", "local x = 4\nx = x + 1\nerror 'oh'\nx = 9\n",
      tonumber("644", 8)))
    assert.equal("oh\n" .. dir .. "/s.lua: statement 3 went wrong, the rest was not run\n5\n",
      (type_in({ "x" }, dir .. "/s.lua")))
    local _, result <const> = type_in({}, "--batch " .. dir .. "/s.lua")
    assert.equal(1, result.status)
  end)

  it("leaves no name of a namespace behind when it is killed", function()
    local names <const> = sys.list "/run/netns"
    local child <const> = assert(sys.spawn { detach = true, argv = { "sh", "-c",
      ([[echo 'lab = ecmp.lab { gateways = 1, name = "kill" }
        print(#require("ecmp.netns").list())
        os.execute "echo there >$OUT; exec sleep 60"' | OUT=%s exec %s repl]]):format(
          dir .. "/there", cli.program) } })
    helper.eventually(function() return sys.stat(dir .. "/there") end)
    assert.same(names, sys.list "/run/netns")
    sys.kill(child.pid, "KILL")
    assert.same(names, sys.list "/run/netns")
  end)

  it("works in another namespace when told, for real", function()
    local shell <close> = cli.new()
    shell:sh(("echo \"nl.route:add { dst = '10.1.0.0/16', dev = 'lo' }\" >%s/s; ecmp repl --host --batch %s/s")
      :format(shell.dir, shell.dir))
    assert.truthy(shell:ip_routes():find("10.1.0.0/16 dev lo", 1, true))
    local path <const> = shell.path
    type_in({ "nl.route:add { dst = '10.2.0.0/16', dev = 'lo' }" }, "--netns " .. path)
    assert.truthy(shell:ip_routes():find("10.2.0.0/16 dev lo", 1, true))
    assert.equal(2, shell:try("ecmp repl --host --netns 1").status)
    assert.equal(1, shell:try("ecmp repl --netns nowhere").status)
  end)
end)

describe("the prompt in a terminal #netns", function()
  local dir, tmux

  local function sh(text)
    return assert(sys.spawn { argv = { "sh", "-c", text }, timeout = 30,
      stderr = "capture" }).stdout
  end

  local function screen()
    return (sh(tmux .. " capture-pane -p -J -t 0"):gsub("%s*$", ""))
  end

  local function keys(...)
    local words <const> = {}
    for i, key in ipairs { ... } do words[i] = "'" .. key:gsub("'", "'\\''") .. "'" end
    sh(("%s send-keys -t 0 %s"):format(tmux, table.concat(words, " ")))
  end

  local function wait(pattern, seconds)
    local well <const> = pcall(helper.eventually, function() return screen():find(pattern) end,
      seconds or 20)
    assert(well, ("waited in vain for %q on\n%s"):format(pattern, screen()))
  end

  -- Types a line and waits until the prompt is back behind what it says.
  local function enter(line, pattern)
    keys(line, "Enter")
    wait(pattern)
  end

  before_each(function()
    dir = helper.directory()
    tmux = ("env -u TMUX HOME=%s SHELL=/bin/sh tmux -S %s/socket -f /dev/null"):format(dir, dir)
    assert(sys.create(dir .. "/start",
      ("#!/bin/sh\ntrap : INT\n%s repl\necho status $?\nexec sleep 60\n"):format(
      cli.program), tonumber("755", 8)))
    sh(("%s new-session -d -x 110 -y 50 sh %s/start"):format(tmux, dir))
    wait "scratch> *$"
  end)

  after_each(function()
    sh(tmux .. " kill-server")
    helper.remove(dir)
  end)

  -- The process of the prompt, and its terminal as stty sees it.
  local function process()
    local pane <const> = sh(tmux .. " list-panes -t 0 -F '#{pane_pid}'"):match "%d+"
    local children <const> = assert(sys.read(("/proc/%s/task/%s/children"):format(pane, pane)))
    return math.tointeger(tonumber(children:match "%d+"))
  end

  it("survives interrupts, which end the line or the statement, and leaves at the end of input",
    function()
    keys "half a li"
    wait "half a li"
    keys "C-c"
    wait "%^C\nscratch> *$"
    enter("x = {", ">> *$")
    keys "C-c"
    wait "%^C\nscratch> *$"
    keys("while true do end", "Enter")
    sys.sleep(0.3)
    keys "C-c"
    wait "interrupted\nscratch> *$"
    assert(sys.create(dir .. "/quiet.lua", ""))
    keys(("source '%s/quiet.lua' while true do end"):format(dir), "Enter")
    sys.sleep(0.5)
    keys "C-c"
    wait "interrupted\nscratch> *$"
    keys('for e in nl:monitor { "link" } do print(e) end', "Enter")
    sys.sleep(0.3)
    keys "C-c"
    wait "interrupted\nscratch> *$"
    enter("1 + 1", "\n2\nscratch> *$")
    keys "C-d"
    wait "status 0$"
  end)

  it("ends what catches the interrupt, too, and coroutines, and what waits", function()
    for _, line in ipairs {
      "while true do pcall(function() while true do end end) end",
      "coroutine.wrap(function() while true do end end)()",
      "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
      "require('ecmp.sys').sleep(60)", "require('ecmp.sys').poll({}, 60)",
      "require('ecmp.sys').spawn { argv = { 'sleep', '60' } }",
    } do
      keys("clear = 1", "Enter")
      keys(line, "Enter")
      sys.sleep(0.3)
      keys "C-c"
      sys.sleep(0.2)
      keys "C-c" -- once is enough for most; a second one at the prompt does no harm
      wait "scratch> *$"
      sh(tmux .. " send-keys -R -t 0; " .. tmux .. " clear-history -t 0")
    end
    enter("'still ' .. 'here'", "still here\nscratch> *$")
  end)

  it("shows how far long work is; interrupted, all of it is taken back, or undo does it", function()
    local count <const>, lines <const> = 250000, {}
    for i = 0, count - 1 do -- of which no line reads like another
      lines[i + 1] = ("172.%d.%d.%d/30 dev lo metric %d"):format(16 + (i >> 14), i >> 6 & 255,
        i << 2 & 255, i)
    end
    assert(sys.create(dir .. "/many", table.concat(lines, "\n") .. "\n"))
    for _, wanted in ipairs { "reading byte", "applying change" } do
      -- Reading is over before it says anything on a fast machine; here it gets a twentieth of it.
      local slow <const> = wanted == "reading byte" and sys.spawn { detach = true,
        argv = { "sh", "-c", "while kill -STOP $0; do sleep 0.1; kill -CONT $0; sleep 0.005; done",
          tostring(process()) } }
      keys(("apply '%s/many'"):format(dir), "Enter")
      wait(wanted .. " %d+ of %d+ %(%d+%%%)", 120)
      keys "C-c"
      if slow then
        assert(sys.kill(slow.pid, "KILL"))
        assert(sys.kill(process(), "CONT"))
      end
      wait("scratch> *$", 120)
      enter("('%d routes'):format(#nl.route:list())", "\n%d+ routes\nscratch> *$")
      local said <const> = screen()
      if said:find(("\n%d routes\n"):format(count)) then -- the work was done when the interrupt came
        keys("undo()", "Enter")
        wait("taken back: apply", 120)
        enter("('%d left'):format(#nl.route:list())", "\n0 left\nscratch> *$")
      else
        assert.truthy(said:find "\n0 routes\n", said)
        assert.truthy(said:find "interrupted\n" or said:find "which are taken back", said)
      end
      sh(tmux .. " send-keys -R -t 0; " .. tmux .. " clear-history -t 0")
    end
  end)

  local function terminal()
    return sh(("stty -a <%s"):format(sh(tmux .. " list-panes -t 0 -F '#{pane_tty}'"):match "%S+"))
  end

  it("tidies up and leaves the terminal as it was when it is told to end", function()
    keys "half a li"
    wait "half a li"
    assert(sys.kill(process(), "TERM"))
    wait "status 0$"
    assert.truthy(terminal():find " icanon.* echo ")
  end)

  it("stops with the terminal as it was, and goes on", function()
    if not pcall(require, "readline") then pending "lua-readline is not installed" return end
    keys "half a li"
    wait "half a li"
    local pid <const> = process()
    assert(sys.kill(pid, "TSTP"))
    helper.eventually(function()
      return assert(sys.read(("/proc/%d/stat"):format(pid))):find "%) T "
    end)
    assert.truthy(terminal():find " icanon.* echo ")
    assert(sys.kill(pid, "CONT"))
    helper.eventually(function() return terminal():find " %-icanon" end)
    keys("nl.rou", "Tab")
    wait "scratch> nl%.route$"
  end)

  it("takes what is pasted as statements, and drops the rest after one that goes wrong", function()
    if not pcall(require, "readline") then pending "lua-readline is not installed" return end
    assert(sys.create(dir .. "/pasted",
      "x = [[a\n\nb]]\n#x\nfor i = 1, 2 do\n  print(i)\nend\nnope.x\n'not' .. ' run'\n"))
    sh(("%s load-buffer %s/pasted; %s paste-buffer -p -t 0"):format(tmux, dir, tmux))
    wait "'not' %.%. ' run'"
    keys "Enter"
    wait "attempt to index a nil value %(global 'nope'%)\nscratch> *$"
    local said <const> = screen()
    assert.truthy(said:find("scratch> #x\n4\n", 1, true), said)
    assert.truthy(said:find("      >> end\n1\n2\nscratch> nope.x\n", 1, true), said)
    assert.falsy(said:find "\nnot run")
  end)

  it("completes names and remembers lines", function()
    if not pcall(require, "readline") then pending "lua-readline is not installed" return end
    keys("nl.rou", "Tab")
    wait "nl%.route$"
    keys(":ad", "Tab", "_", "Tab")
    wait "nl%.route:add_nexthop$"
    keys "C-c"
    enter("'once'", "\nonce\n")
    keys("Up", "Enter")
    wait "\nonce\n.*\nonce\n"
  end)

  it("remembers a statement of several lines as one", function()
    if not pcall(require, "readline") then pending "lua-readline is not installed" return end
    keys("for i = 1, 2 do", "Enter", "  print(i * 21)", "Enter", "end ", "Enter")
    wait "\n42\nscratch> *$"
    keys "Up"
    wait "scratch> for i = 1, 2 do print%(i %* 21%) end$"
    keys "C-c"
    keys("x = [[a", "Enter", "b]]", "Enter", "#x", "Enter")
    wait "\n3\nscratch> *$"
    keys("Up", "Up", "Enter", "x .. x", "Enter")
    wait "\na\nba\nb\nscratch> *$"
  end)

  it("gives a newcomer five minutes", function()
    enter("help", "so do %? and %? route%.\nscratch> *$")
    enter("lab = ecmp.lab { gateways = 3 }", "3 }\nscratch> *$")
    enter("lab", "server  192.0.2.0/24, 2001:db8:ffff::/64\nscratch> *$")
    enter("use(lab.pod)", "now\nscratch:pod> *$")
    enter('nl.route:add { dst = "default", nexthops = lab:hops(4) }', "\ntrue\nscratch:pod> *$")
    enter('nl.route:list { dst = "default" }',
      "nexthop via 10.0.3.1 dev eth3 weight 1\nscratch:pod> *$")
    enter('spread "192.0.2.1"', "100.0%%  ████")
    enter('nl.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)', "\ntrue\nscratch:pod> *$")
    enter("lab:send { flows = 300 }", "300 sent, 300 delivered\nscratch:pod> *$")
    enter('lab:fail "gw2"', 'fail "gw2"\ntrue\nscratch:pod> *$')
    enter('nl.route:list { dst = "default" }', "weight 1 linkdown\n")
    enter("undo(2)", "taken back: nl.route:add")
    enter("lab:heal()", "heal%(%)\ntrue\nscratch:pod> *$")
    keys "C-d"
    wait "status 0$"
  end)
end)
