--- What specs share: a directory to write in, and counting descriptors.
local sys = require "ecmp.sys"

local M = {}

--- Where the tree that is tested was built: build, or build/asan.
M.build = os.getenv "ECMP_BUILD" or "build"

--- How many times as often as in `make test` specs repeat what they draw at random, or what must lose
--- nothing; `make test-long` and `make soak` say more than 1.
M.rounds = tonumber(os.getenv "ROUNDS") or 1

--- Counts the open descriptors of this process, after a full collection so that forgotten handles
--- are not taken for leaks.
---@return integer
function M.descriptors()
  collectgarbage()
  collectgarbage()
  return #assert(sys.list "/proc/self/fd") - 1 -- the one that counts
end

--- The children of this process; other specs may have left some to themselves.
---@return string
function M.children()
  return sys.read(("/proc/self/task/%d/children"):format(sys.getpid())) or ""
end

--- Whether a process has ended; one that nobody has waited for yet has.
---@param pid integer
---@return boolean
function M.has_ended(pid)
  return not (sys.read(("/proc/%d/stat"):format(pid)) or ") Z"):find("%) [^ZX]")
end

--- Whether this user namespace knows all users: that of an ordinary user has one.
function M.has_users()
  local first <const>, _, count <const> =
    assert(sys.read "/proc/self/uid_map"):match "^%s*(%d+)%s+(%d+)%s+(%d+)"
  return first == "0" and tonumber(count) > 1001
end

--- Makes an empty directory that `remove` takes away again.
---@return string path
function M.directory()
  return assert(sys.mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/ecmp-spec."))
end

--- Removes a file or a directory with all that is in it; links are not followed.
---@param path string
function M.remove(path)
  local found = sys.lstat(path)
  if not found then return end
  if found.type ~= "dir" then
    assert(sys.unlink(path))
    return
  end
  for _, name in ipairs(assert(sys.list(path))) do M.remove(path .. "/" .. name) end
  assert(sys.rmdir(path))
end

--- Runs Lua text in another interpreter that finds the tree under test, and waits for its end.
---@param script string
---@param options? table  what sys.spawn takes beside argv
---@return table result
function M.lua(script, options)
  local order = { argv = { "lua5.4", "-e", M.paths() .. script } }
  for key, value in pairs(options or {}) do order[key] = value end
  return assert(sys.spawn(order))
end

--- Lua text that sets the search paths of another interpreter to this one's.
---@return string
function M.paths()
  return ("package.path = %q; package.cpath = %q; "):format(package.path, package.cpath)
end

--- Waits until `condition` holds, asking every few milliseconds; what has not happened after a minute on a
--- busy machine will not.
---@param condition fun(): any
function M.eventually(condition)
  local deadline <const> = sys.monotonic() + 60
  while not condition() do
    assert(sys.monotonic() < deadline, "this did not happen")
    sys.sleep(0.005)
  end
end

return M
