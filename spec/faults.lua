--- Lets a program fail, or end, at each of its system calls in turn. strace counts the calls, and makes one of
--- them return an error or be the last.
local helper = require "spec.helper"
local random_config = require "spec.random_config"
local sys = require "ecmp.sys"

local M = {}

-- What each call can fail with that may fail at all; those of signals, clocks and the like cannot.
local ERRORS <const> = {
  openat = "EMFILE", read = "EIO", pread64 = "EIO", write = "ENOSPC", pwrite64 = "ENOSPC", writev = "ENOSPC",
  fsync = "EIO", fdatasync = "EIO", ftruncate = "ENOSPC", getdents64 = "EIO", readlink = "EIO",
  readlinkat = "EIO", mkdir = "ENOSPC", mkdirat = "ENOSPC", link = "ENOSPC", linkat = "ENOSPC",
  symlink = "ENOSPC", symlinkat = "ENOSPC", rename = "EROFS", renameat = "EROFS", renameat2 = "EROFS",
  unlink = "EROFS", unlinkat = "EROFS", rmdir = "EROFS", chmod = "EROFS", fchmod = "EROFS", fchmodat = "EROFS",
  chown = "EROFS", fchown = "EROFS", utimensat = "EROFS", copy_file_range = "EIO", sendfile = "EIO",
  newfstatat = "ENOMEM", fstat = "ENOMEM", stat = "ENOMEM", lstat = "ENOMEM", statx = "ENOMEM",
  fstatfs = "ENOMEM", statfs = "ENOMEM", flock = "ENOLCK", fcntl = "ENOLCK", ioctl = "ENODEV",
  mmap = "ENOMEM", mremap = "ENOMEM", mprotect = "ENOMEM", memfd_create = "EMFILE",
  socket = "EMFILE", socketpair = "EMFILE", bind = "ENOBUFS", connect = "ENOBUFS", setsockopt = "ENOBUFS",
  getsockopt = "ENOBUFS", getsockname = "ENOBUFS", sendto = "ENOBUFS", sendmsg = "ENOBUFS",
  recvmsg = "ENOBUFS", recvfrom = "ENOBUFS", accept4 = "EMFILE", pipe2 = "EMFILE", dup = "EMFILE",
  dup2 = "EMFILE", dup3 = "EMFILE", poll = "ENOMEM", ppoll = "ENOMEM", setns = "EPERM", unshare = "EPERM",
  mount = "EPERM", umount2 = "EPERM", clone = "EAGAIN", clone3 = "EAGAIN", fork = "EAGAIN", vfork = "EAGAIN",
  execve = "EACCES", getrandom = "EIO", seccomp = "EINVAL", prctl = "EINVAL", setrlimit = "EPERM",
  prlimit64 = "EPERM", pidfd_open = "EMFILE", signalfd4 = "EMFILE", timerfd_create = "EMFILE",
  eventfd2 = "EMFILE", epoll_create1 = "EMFILE",
}

--- How many places of each sweep are tried: a few, ROUNDS times as many, and all with `make faults`.
M.FEW = 2 * helper.rounds

-- The program alone is meant: what it starts, such as a watchdog, is to do its work.
local function strace(...)
  return { "strace", "-qq", ... }
end

local function spawn(order, argv)
  local changed <const> = { timeout = 60, stderr = "capture" }
  for key, value in pairs(order) do changed[key] = value end
  table.move(order.argv, 1, #order.argv, #argv + 1, argv)
  changed.argv = argv
  return assert(sys.spawn(changed))
end

local function works()
  if sys.spawn({ argv = { "sh", "-c", "command -v strace" } }).status ~= 0 then return false end
  return spawn({ argv = { "true" } }, strace("-o", "/dev/null")).status == 0
end

--- Whether there is strace, and it may trace. What the sanitizers add is not meant.
M.available = helper.build == "build" and works()

-- The calls that may fail of a trace. What comes before a program's own first call is its loader's.
local function calls_of(text)
  local counts <const>, list <const>, loaded = {}, {}, false
  for name in text:gmatch "%f[^\n\0]([%w_]+)%(" do
    counts[name] = (counts[name] or 0) + 1
    if loaded and ERRORS[name] then list[#list + 1] = { name = name, nth = counts[name] } end
    loaded = loaded or name == "munmap"
  end
  return list
end

--- The places at which a program can fail, in their order; it has to succeed.
---@param order table  what sys.spawn takes
---@return { name: string, nth: integer }[]
function M.places(order)
  local dir <const> = helper.directory()
  local outcome <const> = spawn(order, strace("-o", dir .. "/trace", "--"))
  local text <const> = assert(sys.read(dir .. "/trace"))
  helper.remove(dir)
  assert(outcome.status == 0, outcome.stdout .. outcome.stderr)
  return calls_of(text)
end

--- Runs a program of which the call at a place fails, or with `kill` is the last.
---@return table outcome, string what  of sys.spawn; the place in words
function M.run(order, place, kill)
  local fate <const> = kill and "signal=KILL" or "error=" .. ERRORS[place.name]
  local outcome <const> = spawn(order, strace("-o", "/dev/null", "-e", "trace=" .. place.name, "-e",
    ("inject=%s:%s:when=%d"):format(place.name, fate, place.nth), "--"))
  return outcome, ("%s number %d with %s: %s%s"):format(place.name, place.nth, fate, outcome.stdout, outcome.stderr)
end

--- Some of the places, drawn; all where there are no more.
local function some(places)
  local random <const>, list <const> = random_config.dice(tonumber(os.getenv "ECMP_SEED") or 1), {}
  for i, place in ipairs(places) do table.insert(list, random(i), place) end
  return table.move(list, 1, math.min(M.FEW, #list), 1, {})
end

-- What is wrong at so many places is wrong in one way.
local MOST <const> = 10

--- Runs a program once for each place, and fails at the end with all that went wrong. Where it makes another
--- number of calls each time it may end before the place is reached, but not often.
---@param order table  what sys.spawn takes
---@param kill boolean
---@param steps { before: fun()?, after: fun(outcome: table, code: string), mend: fun()? }  `before` each run, and
--- `after` it, with the error that the call had, which raises what is wrong; `mend` brings about what was before
function M.sweep(order, kill, steps)
  local before <const>, mend <const> = steps.before or function() end, steps.mend or function() end
  before()
  local places <const>, wrong <const>, hit = M.places(order), {}, 0
  mend()
  local tried <const> = some(places)
  local earlier = "the first run"
  for _, place in ipairs(tried) do
    local good <const>, problem <const> = pcall(before)
    if not good then error(("what was after %s\n%s"):format(earlier, problem), 0) end
    local outcome <const>, what <const> = M.run(order, place, kill)
    -- where it cannot return to its namespace it ends itself
    local killed <const> = outcome.signal == 9 or place.name == "setns" and outcome.signal == 6
    earlier = what
    if not kill or killed then hit = hit + 1 end
    local ok <const>, message <const> = pcall(function()
      assert(not outcome.timedout and (killed or outcome.status and not kill or outcome.status == 0),
        "it ended otherwise than was meant")
      assert(not (outcome.stdout .. outcome.stderr):find("stack traceback", 1, true), "an error that nobody caught")
      steps.after(outcome, ERRORS[place.name])
    end)
    if not ok then
      wrong[#wrong + 1] = ("%s\n%s"):format(what, message)
      pcall(mend)
    end
    if #wrong == MOST then break end
  end
  if wrong[1] then error(("%d of %d:\n%s"):format(#wrong, #tried, table.concat(wrong, "\n\n")), 0) end
  assert(#places > 50 and hit > #tried // 2, ("%d places, %d of %d reached"):format(#places, hit, #tried))
end

return M
