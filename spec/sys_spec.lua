local helper = require "spec.helper"
local sys = require "ecmp.sys"

local function octal(digits) return tonumber(digits, 8) end

--- Whether a process runs: a dead one that nobody has waited for yet does not.
local function alive(pid)
  local stat = sys.read(("/proc/%d/stat"):format(pid))
  return stat and not stat:find ") Z "
end

describe("ecmp.sys", function()
  local directory, before

  before_each(function()
    directory = helper.directory()
    before = helper.descriptors()
  end)

  after_each(function()
    helper.remove(directory)
    assert.equal(before, helper.descriptors(), "descriptors left open")
  end)

  local function at(name) return directory .. "/" .. name end

  describe("spawn", function()
    it("gives what the child wrote and how it ended", function()
      local result = sys.spawn { argv = { "sh", "-c", "echo out; echo err >&2; exit 3" } }
      assert.same({ status = 3, stdout = "out\n", stderr = "err\n", timedout = false }, result)
    end)

    it("names the signal a child died of", function()
      local result = sys.spawn { argv = { "sh", "-c", "kill -9 $$" } }
      assert.equal(9, result.signal)
      assert.is_nil(result.status)
    end)

    it("feeds standard input whole, whether it is read or not", function()
      local text = ("0123456789abcdef"):rep(200000)
      assert.equal(text, sys.spawn({ argv = { "cat" }, stdin = text }).stdout)
      assert.equal(0, sys.spawn({ argv = { "true" }, stdin = text }).status)
      assert.equal("", sys.spawn({ argv = { "cat" }, stdin = "" }).stdout)
    end)

    it("gives a child without stdin an empty one, not the caller's", function()
      assert.equal("", sys.spawn({ argv = { "cat" }, timeout = 5 }).stdout)
    end)

    it("keeps bytes as they are", function()
      local bytes = {}
      for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
      local text = table.concat(bytes):rep(300)
      assert.equal(text, sys.spawn({ argv = { "cat" }, stdin = text }).stdout)
    end)

    it("reads both streams at once, so that neither blocks the child", function()
      local script = "yes out | head -c 400000; yes err | head -c 400000 >&2; echo end"
      local result = sys.spawn { argv = { "sh", "-c", script }, timeout = 30 }
      assert.equal(400004, #result.stdout)
      assert.equal(400000, #result.stderr)
    end)

    it("refuses a program that is not there, or may not be run", function()
      local _, message, code = sys.spawn { argv = { "/no/such" } }
      assert.same({ "spawn /no/such: No such file or directory (ENOENT)", "ENOENT" },
        { message, code })
      _, message, code = sys.spawn { argv = { directory } }
      assert.equal("EACCES", code)
      assert.truthy(message:find(directory, 1, true))
    end)

    it("kills the whole process group when the time is up", function()
      local script = ("sleep 600 & echo $! >%s; wait"):format(at "pid")
      local result = sys.spawn { argv = { "sh", "-c", script }, timeout = 0.3 }
      assert.is_true(result.timedout)
      assert.equal(9, result.signal)
      local grandchild = math.tointeger(tonumber(sys.read(at "pid")))
      helper.eventually(function() return not alive(grandchild) end)
    end)

    it("gives what was written before the time was up", function()
      local result = sys.spawn { argv = { "sh", "-c", "echo early; sleep 60" }, timeout = 0.3 }
      assert.equal("early\n", result.stdout)
    end)

    it("does not wait for a grandchild that keeps the pipes open", function()
      local script = ("sleep 600 & echo $! >%s; echo done"):format(at "pid")
      local result = sys.spawn { argv = { "sh", "-c", script } }
      assert.equal("done\n", result.stdout)
      assert(sys.kill(math.tointeger(tonumber(sys.read(at "pid"))), "KILL"))
    end)

    it("kills a child that writes more than the limit", function()
      local result, message, code = sys.spawn { argv = { "yes" }, limit = 100000 }
      assert.is_nil(result)
      assert.equal("EFBIG", code)
      assert.equal("yes wrote more than 100000 bytes: File too large (EFBIG)", message)
    end)

    it("replaces the environment when one is given, and inherits it otherwise", function()
      assert.equal("A=1\nB=\n", sys.spawn({ argv = { "env" }, env = { "A=1", "B=" } }).stdout)
      sys.setenv("ECMP_SPEC", "here")
      assert.truthy(sys.spawn({ argv = { "env" } }).stdout:find "ECMP_SPEC=here")
      sys.setenv("ECMP_SPEC", nil)
      assert.falsy(sys.spawn({ argv = { "env" } }).stdout:find "ECMP_SPEC")
    end)

    it("passes stderr on when asked, and the caller's stdio when inherited", function()
      local script = [[
        local sys = require "ecmp.sys"
        local write = "echo out; echo err >&2"
        local r = sys.spawn { argv = { "sh", "-c", write }, stderr = "pass" }
        assert(r.stdout == "out\n" and r.stderr == "")
        r = sys.spawn { argv = { "sh", "-c", "echo inherited; exit 4" }, inherit = true }
        assert(r.stdout == "" and r.status == 4) ]]
      local result = helper.lua(script)
      assert.same({ 0, "inherited\n", "err\n" }, { result.status, result.stdout, result.stderr })
    end)

    it("leaves a detached child alone, in a session of its own", function()
      local script = ("cat >%s; sleep 60"):format(at "input")
      local child = sys.spawn { argv = { "sh", "-c", script }, detach = true, stdin = "for later" }
      helper.eventually(function() return sys.read(at "input") == "for later" end)
      local session = sys.read(("/proc/%d/stat"):format(child.pid)):match "%) %S %d+ %d+ (%d+)"
      assert.equal(tostring(child.pid), session)
      assert(sys.kill(-child.pid, "KILL"))
    end)

    it("leaves no zombie of a detached child, and says when there is no such program", function()
      local children <const> = helper.children()
      local child <const> = assert(sys.spawn { argv = { "true" }, detach = true })
      helper.eventually(function() return not sys.stat(("/proc/%d"):format(child.pid)) end)
      local ok <const>, message <const>, code <const> =
        sys.spawn { argv = { "/no/such/program" }, detach = true }
      assert.is_nil(ok)
      assert.equal("ENOENT", code)
      assert.matches("^spawn /no/such/program: ", message)
      assert.equal(children, helper.children())
    end)

    it("hands down no descriptor but the three, and no signal mask", function()
      local lock <close> = assert(sys.lock(at "lock", { create = true }))
      local signals <close> = assert(sys.signals { "TERM", "INT" })
      local file <close> = assert(io.open(at "lock")) -- Lua's own are not close-on-exec
      assert.truthy(lock and signals and file)
      -- ls itself opens the directory it lists
      assert.equal("0 1 2 3", sys.spawn({ argv = { "sh", "-c", "echo $(ls /proc/self/fd)" } })
        .stdout:match "[^\n]*")
      local status = sys.spawn({ argv = { "cat", "/proc/self/status" } }).stdout
      assert.equal("0000000000000000", status:match "SigBlk:%s*(%x+)")
      -- 32 and 33 are the C library's own
      assert.equal(0, tonumber(status:match "SigIgn:%s*(%x+)", 16) & 0x7fffffff)
    end)

    it("runs where standard input, output and error are closed", function()
      local script = [[
        io.stdin:close()
        local sys = require "ecmp.sys"
        local r = sys.spawn { argv = { "cat" }, stdin = "x" }
        assert(r.stdout == "x" and r.status == 0) ]]
      local program = ("exec lua5.4 -e '%s' 0<&- 1>&- 2>%s"):format(
        (helper.paths() .. script):gsub("'", "'\\''"), at "err")
      local result = sys.spawn { argv = { "sh", "-c", program } }
      assert.equal("", sys.read(at "err"))
      assert.equal(0, result.status)
    end)

    it("tries again while somebody still writes the program", function()
      assert(sys.create(at "tool", "#!/bin/sh\necho ran\n", octal "755"))
      assert(sys.spawn { argv = { "cp", "/bin/true", at "tool" } })
      assert(sys.chmod(at "tool", octal "755"))
      local writer = sys.spawn { detach = true,
        argv = { "sh", "-c", ("exec 3>>%s; touch %s; sleep 0.3"):format(at "tool", at "open") } }
      helper.eventually(function() return sys.stat(at "open") end)
      assert.equal(0, sys.spawn({ argv = { at "tool" } }).status)
      helper.eventually(function() return not alive(writer.pid) end)
    end)

    it("gives up on a busy program after five tries", function()
      assert(sys.spawn { argv = { "cp", "/bin/true", at "tool" } })
      local writer = sys.spawn { detach = true,
        argv = { "sh", "-c", ("exec 3>>%s; touch %s; sleep 600"):format(at "tool", at "open") } }
      helper.eventually(function() return sys.stat(at "open") end)
      local _, _, code = sys.spawn { argv = { at "tool" } }
      assert(sys.kill(-writer.pid, "KILL"))
      assert.equal("ETXTBSY", code)
    end)

    it("names the option that is wrong", function()
      local function refused(options, text)
        local ok, message = pcall(function() sys.spawn(options) end)
        assert.is_false(ok)
        assert.truthy(message:find(text, 1, true), message)
        assert.truthy(message:find("sys_spec.lua:", 1, true), message)
      end
      refused({ argv = { "x" }, timout = 1 }, "timout: unknown option (known: argv, env,")
      refused({}, "argv: a list of strings expected, got nil")
      refused({ argv = {} }, "argv: must not be empty")
      refused({ argv = { "x", 1 } }, "argv[2]: a string expected, got number")
      refused({ argv = { "x\0y" } }, "argv[1]: has a NUL byte")
      refused({ argv = { "x" }, timeout = "1" }, "timeout: a number of seconds expected, got")
      refused({ argv = { "x" }, timeout = -1 }, "timeout: must not be negative")
      refused({ argv = { "x" }, timeout = 0 / 0 }, "timeout: must not be negative")
      refused({ argv = { "x" }, stderr = "drop" }, 'stderr: must be "pass" or "capture"')
      refused({ argv = { "x" }, env = { A = 1, [1] = false } }, "env[1]: a string expected")
      refused({ argv = { "x" }, inherit = true, detach = true }, "detach: ")
    end)

    -- the sanitizers themselves do not live with a small address space
    local it_unless_sanitized = helper.build:find "asan" and pending or it
    it_unless_sanitized("kills and reaps the child when an error is thrown in between", function()
      -- no memory for the output: the allocator of this state is made to fail by the limit of the
      -- address space, in another process
      local script = [[
        local sys = require "ecmp.sys"
        local before = #sys.list "/proc/self/fd"
        local ok, message = pcall(sys.spawn, { argv = { "sh", "-c",
          "echo $$ >PID; exec yes 0123456789012345678901234567890123456789" }, limit = 1 << 40 })
        assert(not ok and message == "not enough memory", message)
        assert(not sys.kill(math.tointeger(tonumber(sys.read "PID")), 0))
        collectgarbage()
        assert(#sys.list "/proc/self/fd" == before) ]]
      local result = helper.lua(script:gsub("PID", at "pid"),
        { argv = { "sh", "-c", 'ulimit -v 400000; exec lua5.4 -e "$0"',
          helper.paths() .. script:gsub("PID", at "pid") } })
      assert.same({ 0, "" }, { result.status, result.stderr })
    end)

    it("leaves no descriptor and no zombie behind over many children", function()
      local children = ("/proc/%d/task/%d/children"):format(sys.getpid(), sys.getpid())
      local others = assert(sys.read(children))
      for _ = 1, 100 do
        assert(sys.spawn { argv = { "true" }, stdin = "x" })
        sys.spawn { argv = { "/no/such" } }
      end
      assert.equal(others, sys.read(children))
    end)

    it("runs a child in a namespace and stays where it is #netns", function()
      local here = assert(sys.readlink "/proc/self/ns/net")
      local ns <close> = assert(sys.netns_new())
      local ref = ("/proc/self/fd/%d"):format(ns:fd())
      local result = assert(sys.spawn { argv = { "readlink", "/proc/self/ns/net" }, netns = ref })
      assert.not_equal(here .. "\n", result.stdout)
      assert.equal(here, sys.readlink "/proc/self/ns/net")
      local _, message, code = sys.spawn { argv = { "true" }, netns = "no-such-namespace" }
      assert.equal("ENOENT", code)
      assert.equal("spawn true: open namespace no-such-namespace: "
        .. "No such file or directory (ENOENT)", message)
      _, message, code = sys.spawn { argv = { "/no/such" }, netns = ref }
      assert.same({ "spawn /no/such: No such file or directory (ENOENT)", "ENOENT" },
        { message, code })
    end)
  end)

  describe("lock", function()
    it("is exclusive, also within one process, and ends with its handle", function()
      local lock = assert(sys.lock(at "lock", { create = true, mode = octal "750" }))
      assert.equal(octal "750", sys.stat(at "lock").mode)
      local other, message, code = sys.lock(at "lock", { timeout = 0.1 })
      assert.is_nil(other)
      assert.equal("EAGAIN", code)
      assert.truthy(message:find("lock " .. at "lock", 1, true))
      lock:close()
      lock:close()
      local again <close> = assert(sys.lock(at "lock", { timeout = 0 }))
      assert.truthy(again)
    end)

    it("ends with its scope, and with the collector", function()
      do
        local lock <close> = assert(sys.lock(at "lock", { create = true }))
        assert.truthy(lock)
      end
      do assert(sys.lock(at "lock")) end
      collectgarbage()
      assert(sys.lock(at "lock", { timeout = 0 })):close()
    end)

    it("ends with the process that held it, however it ended", function()
      local script = [[
        local sys = require "ecmp.sys"
        local lock = assert(sys.lock(PATH, { create = true }))
        assert(sys.create(PATH .. ".held", ""))
        sys.sleep(60) ]]
      local holder = helper.lua(script:gsub("PATH", ("%q"):format(at "lock")), { detach = true })
      helper.eventually(function() return sys.stat(at "lock.held") end)
      local _, _, code = sys.lock(at "lock", { timeout = 0 })
      assert.equal("EAGAIN", code)
      assert(sys.kill(holder.pid, "KILL"))
      assert(sys.lock(at "lock", { timeout = 5 })):close()
    end)

    it("is not held by children", function()
      local lock = assert(sys.lock(at "lock", { create = true }))
      local child = sys.spawn { argv = { "sleep", "60" }, detach = true }
      lock:close()
      assert(sys.lock(at "lock", { timeout = 0 })):close()
      assert(sys.kill(child.pid, "KILL"))
    end)

    it("lets 64 processes add to one counter without losing a step", function()
      assert(sys.create(at "count", "0"))
      local script = [[
        local sys = require "ecmp.sys"
        for _ = 1, 5 do
          local lock <close> = assert(sys.lock(DIR .. "/lock", { create = true, timeout = 30 }))
          local n = math.tointeger(tonumber(assert(sys.read(DIR .. "/count"))))
          assert(sys.replace(DIR .. "/count", tostring(n + 1)))
        end
        assert(sys.create(DIR .. "/done." .. sys.getpid(), "")) ]]
      script = script:gsub("DIR", ("%q"):format(directory))
      for _ = 1, 64 do helper.lua(script, { detach = true }) end
      helper.eventually(function()
        local done = 0
        for _, name in ipairs(assert(sys.list(directory))) do
          if name:find "^done%." then done = done + 1 end
        end
        return done == 64
      end)
      assert.equal("320", sys.read(at "count"))
    end)

    it("does not make a file unless asked", function()
      local _, _, code = sys.lock(at "lock")
      assert.equal("ENOENT", code)
      assert.has_error(function() sys.lock(at "lock", { timeout = -1 }) end)
      assert.has_error(function() sys.lock(at "lock", { wait = 1 }) end)
    end)
  end)

  -- An interrupt comes while this text waits for something; what became of that.
  local function interrupted(script)
    return helper.lua(([[
      local sys = require "ecmp.sys"
      local path = %q
      print(sys.interruptible(function()
        local kill = io.popen("sleep 0.1; kill -INT " .. sys.getpid())
        %s
      end))]]):format(at "file", script), { timeout = 20, stderr = "capture" })
  end

  describe("an interrupt", function()
    for what, script in pairs {
      ["a lock"] = "local one = sys.lock(path, { create = true }) sys.lock(path)",
      ["what a pipe gives"] = "sys.read_fd(%PIPE%)",
      ["some of what a pipe gives"] = "sys.read_some(%PIPE%)",
      ["somebody at a pipe's other end"] = "os.execute('mkfifo ' .. path) sys.read_stream(path)",
    } do
      it("ends the wait for " .. what, function()
        local pipe <const> = [[(function()
          os.execute("mkfifo " .. path)
          PIPE = io.open(path, "r+")
          for _, name in ipairs(sys.list "/proc/self/fd") do
            if sys.readlink("/proc/self/fd/" .. name) == path then return tonumber(name) end
          end
        end)()]]
        local done <const> = interrupted((script:gsub("%%PIPE%%", (pipe:gsub("%%", "%%%%")))))
        assert.is_false(done.timedout)
        assert.match("^false\t.*interrupted", done.stdout)
      end)
    end
  end)

  describe("files", function()
    it("with a pipe in their place are refused, and nobody waits", function()
      assert(os.execute("mkfifo " .. at "file"))
      local done <const> = helper.lua(([[
        local sys, path = require "ecmp.sys", %q
        for _, call in ipairs { sys.read, sys.lock, function(p) return sys.write(p, "x") end,
          function(p) return sys.lock(p, { create = true }) end } do
          print(select(2, call(path)))
        end]]):format(at "file"), { timeout = 20 })
      assert.is_false(done.timedout)
      local line <const> = ": this is no file: Operation not supported (EOPNOTSUPP)\tEOPNOTSUPP\n"
      local lines <const> = {}
      for i, verb in ipairs { "read", "lock", "write", "lock" } do
        lines[i] = verb .. " " .. at "file" .. line
      end
      assert.equal(table.concat(lines), done.stdout)
    end)

    it("may be /dev/null, and may not be directories but for a lock", function()
      assert.equal("", sys.read "/dev/null")
      assert.equal("EOPNOTSUPP", (select(3, sys.read "/dev/zero")))
      assert.equal("EISDIR", (select(3, sys.read(directory))))
      assert.equal("EISDIR", (select(3, sys.write(directory, "x"))))
      assert(sys.lock(directory)):close()
    end)

    it("say how much of a text was taken", function()
      assert(sys.create(at "file", ""))
      local done <const> = assert(sys.spawn { timeout = 20, argv = { "sh", "-c", "ulimit -f 1; exec \"$@\"",
        "sh", "lua5.4", "-e", helper.paths() .. ([[
        print(select(2, require "ecmp.sys".write(%q, ("x"):rep(5000))))]]):format(at "file") } })
      local taken <const> = #sys.read(at "file")
      assert(taken > 0 and taken < 5000)
      assert.equal(("write %s: %d of 5000 bytes were taken: Input/output error (EIO)\tEIO\n"):format(
        at "file", taken), done.stdout)
    end)

    it("are created whole and never twice", function()
      assert.is_true(sys.create(at "file", "text", octal "600"))
      assert.equal(octal "600", sys.stat(at "file").mode)
      local ok, message, code = sys.create(at "file", "other")
      assert.is_nil(ok)
      assert.equal("EEXIST", code)
      assert.equal(("create %s: File exists (EEXIST)"):format(at "file"), message)
      assert.equal("text", sys.read(at "file"))
      assert.same({ "file" }, sys.list(directory))
    end)

    it("are created by exactly one of many at once", function()
      local script = [[
        local sys = require "ecmp.sys"
        for i = 1, 50 do
          local path = ("%s/%d"):format(DIR, i)
          local ok, message, code = sys.create(path, tostring(sys.getpid()):rep(1000))
          assert(ok or code == "EEXIST", message)
          local text = assert(sys.read(path))
          assert(#text % 1000 == 0 and #text > 0)
          if ok then assert(sys.create(DIR .. "/won." .. i, "")) end
        end
        assert(sys.create(DIR .. "/done." .. sys.getpid(), "")) ]]
      script = script:gsub("DIR", ("%q"):format(directory))
      for _ = 1, 8 do helper.lua(script, { detach = true }) end
      local names
      helper.eventually(function()
        names = " " .. table.concat(assert(sys.list(directory)), " ")
        return select(2, names:gsub(" done%.", "")) == 8
      end)
      assert.equal(50, select(2, names:gsub(" won%.", "")))
    end)

    it("are never seen half replaced", function()
      assert(sys.create(at "file", ("a"):rep(100000)))
      local script = [[
        local sys = require "ecmp.sys"
        for i = 1, 60 do
          assert(sys.replace(PATH, (i % 2 == 0 and "a" or "b"):rep(100000)))
        end
        assert(sys.create(PATH .. ".done", "")) ]]
      helper.lua(script:gsub("PATH", ("%q"):format(at "file")), { detach = true })
      helper.eventually(function()
        local text = assert(sys.read(at "file"))
        assert(text == ("a"):rep(100000) or text == ("b"):rep(100000))
        return sys.stat(at "file.done")
      end)
      assert.same({ "file", "file.done" }, sys.list(directory))
    end)

    it("are replaced by what comes in pieces, or by nothing", function()
      local pieces <const> = { "one\n", ("two"):rep(50000), "" }
      local n = 0
      assert(sys.replace(at "file", function()
        n = n + 1
        return pieces[n]
      end))
      assert.equal(table.concat(pieces), sys.read(at "file"))
      for _, wrong in ipairs { function() error("no more", 0) end, function() return {} end } do
        n = 0
        assert.has_error(function()
          sys.replace(at "file", function()
            n = n + 1
            return n < 3 and "half" or wrong()
          end)
        end)
      end
      assert.equal(table.concat(pieces), sys.read(at "file"))
      assert.same({ "file" }, sys.list(directory))
    end)

    it("leave nothing behind when they cannot be written", function()
      local _, _, code = sys.replace(at "no/file", "x")
      assert.equal("ENOENT", code)
      _, _, code = sys.create(at "no/file", "x")
      assert.equal("ENOENT", code)
      assert(sys.mkdir(at "dir"))
      _, _, code = sys.replace(at "dir", "x")
      assert.equal("EISDIR", code)
      _, _, code = sys.create(at "dir", "x")
      assert.equal("EEXIST", code)
      assert.same({ "dir" }, sys.list(directory))
    end)

    it("can be read up to a limit, and refused beyond it", function()
      assert(sys.create(at "file", ("x"):rep(1000)))
      assert.equal(1000, #sys.read(at "file", 1000))
      local text, message, code = sys.read(at "file", 999)
      assert.is_nil(text)
      assert.equal("EFBIG", code)
      assert.truthy(message:find("read " .. at "file" .. ": more than 999 bytes", 1, true))
    end)

    it("keep every byte, whatever their size", function()
      for _, size in ipairs { 0, 1, 1023, 1024, 1025, 65536, 3000001 } do
        local text = sys.random(math.min(size, 1000)):rep(size // 1000 + 1):sub(1, size)
        assert(sys.replace(at "file", text))
        assert.equal(text, sys.read(at "file"))
      end
    end)

    it("are overwritten by write only when they are there", function()
      local _, _, code = sys.write(at "file", "x")
      assert.equal("ENOENT", code)
      assert(sys.create(at "file", "long text"))
      assert.is_true(sys.write(at "file", "short"))
      assert.equal("short", sys.read(at "file"))
    end)

    it("can be asked about, moved and removed", function()
      assert(sys.create(at "a", "12345", octal "640"))
      assert(sys.link(at "a", at "b"))
      assert(sys.symlink("a", at "c"))
      local a, c = sys.stat(at "a"), sys.lstat(at "c")
      assert.equal("file", a.type)
      assert.same({ 5, octal "640", 2 }, { a.size, a.mode, a.nlink })
      assert.equal("integer", math.type(a.mtime_ns))
      assert.equal("integer", math.type(a.fstype))
      assert.truthy(math.abs(a.mtime - sys.realtime()) < 60)
      assert.equal("link", c.type)
      assert.equal("a", sys.readlink(at "c"))
      assert.equal(sys.realpath(at "a"), sys.realpath(at "c"))
      assert.equal(a.ino, sys.stat(at "c").ino)
      assert.is_true(sys.rename(at "a", at "d"))
      assert.is_true(sys.chmod(at "d", octal "600"))
      assert.is_true(sys.fsync(at "d"))
      assert.is_true(sys.fsync(directory))
      assert.same({ "b", "c", "d" }, sys.list(directory))
      for _, name in ipairs { "b", "c", "d" } do assert.is_true(sys.unlink(at(name))) end
      local _, message, code = sys.rename(at "a", at "d")
      assert.equal("ENOENT", code)
      assert.truthy(message:find(("rename %s %s: "):format(at "a", at "d"), 1, true))
    end)

    it("know their types", function()
      assert.equal("dir", sys.stat(directory).type)
      assert.equal("char", sys.stat("/dev/null").type)
      sys.spawn { argv = { "mkfifo", at "fifo" } }
      assert.equal("fifo", sys.stat(at "fifo").type)
    end)

    it("refuse paths that are none, at the caller's line", function()
      for _, name in ipairs { "read", "list", "stat", "unlink", "mkdir", "realpath", "fsync" } do
        for _, bad in ipairs { "", "a\0b", {}, false } do
          local ok, message = pcall(function() sys[name](bad) end)
          assert.is_false(ok)
          assert.truthy(message:find("sys_spec.lua:", 1, true), message)
        end
      end
    end)
  end)

  describe("directories", function()
    it("are made with their parents, and again without complaint", function()
      assert.is_true(sys.mkdir(at "a/b/c/d"))
      assert.is_true(sys.mkdir(at "a/b/c/d"))
      assert.is_true(sys.mkdir(at "a//b/e/"))
      assert.same({ "c", "e" }, sys.list(at "a/b"))
      assert(sys.create(at "file", ""))
      local _, _, code = sys.mkdir(at "file")
      assert.equal("EEXIST", code)
      _, _, code = sys.mkdir(at "file/below")
      assert.equal("ENOTDIR", code)
      _, _, code = sys.rmdir(at "a")
      assert.equal("ENOTEMPTY", code)
    end)

    it("list thousands of names in order", function()
      local wanted = {}
      for i = 1, 3000 do
        wanted[i] = ("%05d-%s"):format(i, ("n"):rep(i % 50))
        assert(sys.create(at(wanted[i]), ""))
      end
      assert.same(wanted, sys.list(directory))
    end)

    it("are refused when they are something else", function()
      local _, _, code = sys.list(at "no")
      assert.equal("ENOENT", code)
      _, _, code = sys.list "/dev/null"
      assert.equal("ENOTDIR", code)
    end)
  end)

  describe("descriptors", function()
    it("are written whole, and a reader that left is an answer", function()
      local script = [[
        local sys = require "ecmp.sys"
        assert(sys.read_fd(0) == ("x"):rep(300000))
        local ok, message, code
        repeat
          ok, message, code = sys.write_fd(1, ("y"):rep(100000))
        until not ok
        assert(sys.write_fd(2, code .. " " .. message)) ]]
      local program = ("head -c 300000 /dev/zero | tr '\\0' x | lua5.4 -e '%s' | head -c 10")
        :format(helper.paths() .. script)
      local result = sys.spawn { argv = { "sh", "-c", program }, timeout = 60 }
      assert.equal(("y"):rep(10), result.stdout)
      assert.equal("EPIPE write descriptor 1: Broken pipe (EPIPE)", result.stderr)
    end)

    it("are waited for, any of several", function()
      local one <close> = assert(sys.signals { "USR1" })
      local two <close> = assert(sys.signals { "USR2" })
      assert.same({}, sys.poll({ one, two }, 0))
      assert.same({}, sys.poll({ one, two }, 0.05))
      assert(sys.kill(sys.getpid(), "USR2"))
      local ready = sys.poll({ one, two }, 5)
      assert.equal(1, #ready)
      assert.equal(two, ready[1])
      assert.same({ two:fd() }, sys.poll({ two:fd() }, 5))
      assert.equal("USR2", two:read())
      assert.is_nil(two:read())
      assert.has_error(function() sys.poll { {} } end)
      assert.has_error(function() sys.poll { "x" } end)
    end)

    it("know terminals", function()
      assert.is_boolean(sys.isatty(0))
      local null <close> = assert(io.open "/dev/null")
      assert.truthy(null)
      local _, _, code = sys.winsize(123456)
      assert.equal("EBADF", code)
      local result = sys.spawn { argv = { "script", "-qec",
        ("stty cols 77 rows 33; lua5.4 -e '%s'"):format(helper.paths() ..
          'local sys = require "ecmp.sys" print(sys.isatty(1), sys.winsize())'), "/dev/null" } }
      assert.equal("true\t77\t33", result.stdout:match "%S[^\r\n]*")
    end)
  end)

  describe("signals", function()
    it("do nothing but be read while their handle is open", function()
      local signals <close> = assert(sys.signals { "TERM", "SIGHUP", 10 })
      for _, name in ipairs { "TERM", "HUP", "USR1" } do assert(sys.kill(sys.getpid(), name)) end
      local got = {}
      for _ = 1, 3 do got[#got + 1] = signals:read() end
      table.sort(got)
      assert.same({ "HUP", "TERM", "USR1" }, got)
    end)

    it("act as before when it is closed", function()
      local script = [[
        local sys = require "ecmp.sys"
        sys.signals({ "TERM" }):close()
        sys.kill(sys.getpid())
        sys.sleep(5) ]]
      assert.equal(15, helper.lua(script).signal)
    end)

    it("are refused by unknown name", function()
      assert.has_error(function() sys.signals { "NONSENSE" } end)
      assert.has_error(function() sys.kill(sys.getpid(), "NONSENSE") end)
      assert.has_error(function() sys.kill(0) end)
      assert.has_error(function() sys.kill(-1) end)
      local _, _, code = sys.kill(2 ^ 22 // 1 | 0, 0)
      assert.equal("ESRCH", code)
    end)
  end)

  describe("this process", function()
    it("knows who it is", function()
      assert.equal(tostring(sys.getpid()), sys.readlink "/proc/self")
      assert.equal("integer", math.type(sys.getppid()))
      assert.equal("integer", math.type(sys.getuid()))
    end)

    it("has an environment", function()
      assert.is_true(sys.setenv("ECMP_SPEC", "a=b"))
      assert.equal("a=b", sys.getenv "ECMP_SPEC")
      local found
      for _, pair in ipairs(sys.environ()) do found = found or pair == "ECMP_SPEC=a=b" end
      assert.is_true(found)
      assert.is_true(sys.setenv("ECMP_SPEC"))
      assert.is_nil(sys.getenv "ECMP_SPEC")
      assert.has_error(function() sys.setenv("A=B", "c") end)
    end)

    it("has clocks, sleep and chance", function()
      local start, began = sys.monotonic(), os.time()
      sys.sleep(0.02)
      assert.is_true(sys.monotonic() > start)
      local now = sys.realtime()
      assert.is_true(began <= now and now < os.time() + 1)
      assert.equal(32, #sys.random(32))
      assert.not_equal(sys.random(16), sys.random(16))
      assert.equal("", sys.random(0))
    end)
  end)

  describe("handles", function()
    it("cannot be mistaken for one another", function()
      local lock <close> = assert(sys.lock(at "lock", { create = true }))
      local signals <close> = assert(sys.signals { "USR1" })
      assert.has_error(function() lock.close(signals) end)
      assert.has_error(function() signals.close(lock) end)
      assert.has_error(function() lock.close(io.stdout) end)
    end)

    it("say so when they are closed", function()
      local lock = assert(sys.lock(at "lock", { create = true }))
      assert.truthy(tostring(lock):find "^ecmp.lock %(fd %d+%)$")
      lock:close()
      assert.equal("ecmp.lock (closed)", tostring(lock))
      assert.has_error(function() lock:fd() end)
    end)
  end)

  describe("namespaces", function()
    it("are opened by path and by pid", function()
      for _, ref in ipairs { "/proc/self/ns/net", sys.getpid(), tostring(sys.getpid()) } do
        local ns <close> = assert(sys.netns_open(ref))
        assert.truthy(ns:fd() >= 0)
      end
      assert.is_true(sys.same_netns(sys.getpid(), "/proc/self/ns/net"))
    end)

    it("are refused when they are something else", function()
      sys.spawn { argv = { "mkfifo", at "fifo" } }
      for ref, wanted in pairs {
        ["/proc/self/ns/uts"] = "EINVAL", ["/proc/self/status"] = "EINVAL", [at "fifo"] = "EINVAL",
        [".."] = "EINVAL", ["no-such-namespace"] = "ENOENT", ["4194304"] = "ENOENT",
        [("n"):rep(5000)] = "ENAMETOOLONG",
      } do
        local _, message, code = sys.netns_open(ref)
        assert.equal(wanted, code, message)
      end
      assert.has_error(function() sys.netns_open(nil) end)
      assert.has_error(function() sys.netns_open "" end)
    end)

    it("tell the speed of an interface, by any socket in them #netns", function()
      local space <const> = assert(require("ecmp.netns").create())
      local nl <close> = assert(require("ecmp").open { netns = require("ecmp.netns").path(space) })
      assert(nl.link:add { name = "v0", type = "veth", peer = { name = "v1" } })
      assert.equal(10000, sys.link_speed(nl:fd(), "v0"))
      local codes <const> = {}
      for _, name in ipairs { "lo", "none" } do
        local speed, message, code = sys.link_speed(nl:fd(), name)
        assert.is_nil(speed)
        assert.matches("^speed of " .. name, message)
        codes[#codes + 1] = code
      end
      assert.same({ "EOPNOTSUPP", "ENODEV" }, codes)
      assert.has_error(function() sys.link_speed(nl:fd(), "a-name-that-is-too-long") end)
      assert.has_error(function() sys.link_speed(-1, "lo") end)
      space:close()
    end)

    it("have sysctls of their own, read and written from outside #netns", function()
      local key = "/proc/sys/net/ipv4/ip_forward"
      local ns <close> = assert(sys.netns_new())
      local ref = ("/proc/self/fd/%d"):format(ns:fd())
      local here = assert(sys.read(key))
      local other = here == "0\n" and "1" or "0"
      assert.is_true(sys.netns_write(ref, key, other))
      assert.equal(other .. "\n", sys.netns_read(ref, key))
      assert.equal(here, sys.read(key))
      assert.is_false(sys.same_netns(ref, sys.getpid()))
      local _, message, code = sys.netns_read(ref, "/proc/sys/net/no")
      assert.equal("ENOENT", code)
      assert.equal(("read /proc/sys/net/no in namespace %s: No such file or directory (ENOENT)")
        :format(ref), message)
      _, _, code = sys.netns_write(ref, key, "nonsense")
      assert.equal("EINVAL", code)
      _, _, code = sys.netns_read(ref, key, 1)
      assert.equal("EFBIG", code)
    end)

    it("come and go by the thousand without a trace #netns", function()
      local here = assert(sys.readlink "/proc/self/ns/net")
      for _ = 1, 1000 do
        assert(sys.netns_read(sys.getpid(), "/proc/sys/net/ipv4/ip_forward"))
      end
      assert.equal(here, sys.readlink "/proc/self/ns/net")
      -- a thread that was joined is listed for a moment more
      helper.eventually(function() return #sys.list "/proc/self/task" == 1 end)
    end)
  end)
end)
