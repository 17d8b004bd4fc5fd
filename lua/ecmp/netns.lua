--- Network namespaces by name, as `ip netns` keeps them: bind mounts under /run/netns.
---
--- Nothing here leaves the caller elsewhere: a namespace is made on the way and entered by a child.
local sys = require "ecmp.sys"

local M = {}

local DIRECTORY <const> = "/run/netns"
local MODE <const> = tonumber("755", 8)

--- A name has to be one path component, and must not look like a pid.
---@param name any
---@param level integer
local function check_name(name, level)
  if type(name) ~= "string" then
    error(("name: a string expected, got %s"):format(type(name)), level + 1)
  end
  local bad = name == "" or name == "." or name == ".." or name:find "[/%z]" or #name > 255
  if bad then error(("name: %q is not a name for a namespace"):format(name), level + 1) end
  if name:find "^%d+$" then
    error(("name: %q would be taken for a pid"):format(name), level + 1)
  end
end

--- Adds to a refusal what it would take: the kernel's EPERM does not say which right is missing.
---@param what string
---@param message string
---@param code string
---@return nil, string, string
local function refuse(what, message, code)
  local text = ("%s: %s"):format(what, message)
  if code == "EPERM" or code == "EACCES" then
    text = text .. "; it needs CAP_SYS_ADMIN, which root has, and `unshare -Urnm` gives to anyone"
  end
  return nil, text, code
end

--- Makes /run/netns a shared mount of its own, so that other mount namespaces see what appears and
--- goes in it. A directory that is no mount yet answers EINVAL.
---@return true?, string?, string?
local function prepare_directory()
  local ok, message, code = sys.share(DIRECTORY)
  if ok or code ~= "EINVAL" then return ok, message, code end
  ok, message, code = sys.bind(DIRECTORY, DIRECTORY)
  if not ok then return nil, message, code end
  return sys.share(DIRECTORY)
end

--- Mounts a namespace on a new file, which is taken away again when that fails.
---@param handle ecmp.netns.handle
---@param path string
---@return true?, string?, string?
local function give_name(handle, path)
  local ok, message, code = sys.create(path, "", 0)
  if not ok then return nil, message, code end
  ok, message, code = sys.bind(M.path(handle), path)
  if not ok then sys.unlink(path) end
  return ok, message, code
end

--- Puts a namespace under its name. Two processes that made the directory a mount at once would
--- stack two mounts: hence the lock.
---@param handle ecmp.netns.handle
---@param name string
---@return true?, string?, string?
local function register(handle, name)
  local ok, message, code = sys.mkdir(DIRECTORY, MODE)
  if not ok then return nil, message, code end
  local lock <close>, lock_message, lock_code = sys.lock(DIRECTORY, { timeout = 20 })
  if not lock then return nil, lock_message, lock_code end
  ok, message, code = prepare_directory()
  if not ok then return nil, message, code end
  return give_name(handle, DIRECTORY .. "/" .. name)
end

--- Creates a namespace. With a name it is what `ip netns add NAME` makes, and stays until
--- `delete`; without one it lives as long as the handle.
---@param name? string
---@return ecmp.netns.handle? handle
---@return string? message
---@return string? code  EEXIST when the name is taken, EPERM without the right to mount
function M.create(name)
  if name ~= nil then check_name(name, 2) end
  local handle, message, code = sys.netns_new()
  local ok = handle
  if handle and name then ok, message, code = register(handle, name) end
  if ok then return handle end
  if handle then handle:close() end
  return refuse(name and "create namespace " .. name or "create namespace", message, code)
end

--- Opens a namespace.
---@param ref string|integer  a name under /run/netns, a path, or a pid
---@return ecmp.netns.handle? handle
---@return string? message
---@return string? code  ENOENT when there is none, EINVAL when it is something else
function M.open(ref)
  return sys.netns_open(ref)
end

--- A path under which this and other processes can open a handle's namespace, while it is open.
---@param handle ecmp.netns.handle
---@return string
function M.path(handle)
  return ("/proc/%d/fd/%d"):format(sys.getpid(), handle:fd())
end

--- Runs a program inside a namespace, to its end.
---@param ns string|integer|ecmp.netns.handle  as for `open`, or a handle
---@param argv string[]  the program, looked up on PATH, and its arguments
---@param options? table  what `sys.spawn` takes beside: stdin, timeout, env, stderr, inherit
---@return ecmp.sys.result? result  { status | signal, stdout, stderr, timedout }
---@return string? message
---@return string? code
function M.run(ns, argv, options)
  local order = { argv = argv, netns = type(ns) == "userdata" and M.path(ns) or ns }
  for key, value in pairs(options or {}) do
    if order[key] ~= nil then error(("%s: given twice"):format(key), 2) end
    order[key] = value
  end
  if order.netns == nil then error("ns: a namespace expected, got nil", 2) end
  local result, message, code = sys.spawn(order)
  return result, message, code
end

--- Takes a name away, as `ip netns delete NAME` does. The namespace itself ends when nobody is
--- in it or holds it open.
---@param name string
---@return true? done
---@return string? message
---@return string? code  ENOENT when there is none of that name
function M.delete(name)
  check_name(name, 2)
  local path <const> = DIRECTORY .. "/" .. name
  local what <const> = "delete namespace " .. name
  local ok, message, code = sys.umount(path)
  -- a file that nothing is mounted on is what a crash between the two steps of create leaves
  if not ok and code ~= "EINVAL" then return refuse(what, message, code) end
  ok, message, code = sys.unlink(path)
  if not ok then return refuse(what, message, code) end
  return true
end

--- The names there are, sorted. Files that are no namespaces are left out.
---@return string[]? names
---@return string? message
---@return string? code
function M.list()
  local files, message, code = sys.list(DIRECTORY)
  if not files then
    if code == "ENOENT" then return {} end
    return nil, message, code
  end
  local names = {}
  for _, file in ipairs(files) do
    local handle = sys.netns_open(DIRECTORY .. "/" .. file)
    if handle then
      names[#names + 1] = file
      handle:close()
    end
  end
  return names
end

return M
