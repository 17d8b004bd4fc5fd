---ecmp install: puts this executable and its plugin links into a CNI directory, under a runtime
---that may call any of them at any moment.
--
-- Every name changes from the old file to the new one in one step, and what is being executed is
-- never written to. The executable comes first, then the links that lead to it.
local json = require "ecmp.json"
local programs = require "ecmp.command.programs"
local sys = require "ecmp.sys"

local M = { name = "install", summary = "copy itself and the plugin links into a CNI directory" }

local PROGRAM <const> = "ecmp"
local MODE <const> = 493 -- 0755
local LOCK_TIMEOUT <const> = 60
-- How long an executable that is there already may take to tell its version.
local VERSION_TIMEOUT <const> = 5

local function names_of(text)
  local names <const> = {}
  for name in text:gmatch("[^,]+") do
    local program <const> = programs.plugin(name)
    if not program or not program.dropin then
      return nil, ("--replace: '%s' is no reference plugin that we replace"):format(name)
    end
    names[#names + 1] = name
  end
  return names
end

function M.setup(parser)
  parser:argument("dir", "the CNI directory, such as /opt/cni/bin")
  parser:option("--replace", "reference plugins to put ours in place of; the old file stays as "
    .. "NAME.orig"):argname("NAMES"):convert(names_of):default({})
  parser:flag("--force", "put this version in place of a newer one, too")
  parser:flag("--json", "print one JSON object for each file, on a line")
end

---The version of an executable, as it tells it itself.
---@param path string
---@return string? version nil where it is none of ours, or cannot tell
function M.version_of(path)
  local said <const> = sys.spawn { argv = { path, "version" }, env = {}, stdin = "",
    timeout = VERSION_TIMEOUT, stderr = "capture" }
  return said and said.status == 0 and said.stdout:match("^ecmp (%d[%w.%-]*)\n") or nil
end

local function numbers(version)
  local list <const> = {}
  for part in version:gmatch("%d+") do list[#list + 1] = math.tointeger(part) end
  return list
end

-- Whether one list of numbers comes behind another; nil where they are the same.
local function is_behind(left, right)
  for i = 1, math.max(#left, #right) do
    local x <const>, y <const> = left[i] or 0, right[i] or 0
    if x ~= y then return x > y end
  end
end

---Whether one version is newer than another: number by number, and what leads up to a version, such
---as 1.0.0-rc.2, is older than that.
---@param a string
---@param b string
---@return boolean
function M.is_newer(a, b)
  local core_a <const>, early_a <const> = a:match "^([^-]*)%-?(.*)$"
  local core_b <const>, early_b <const> = b:match "^([^-]*)%-?(.*)$"
  local newer <const> = is_behind(numbers(core_a), numbers(core_b))
  if newer ~= nil then return newer end
  if early_a == "" or early_b == "" then return early_a == "" and early_b ~= "" end
  local word_a <const>, word_b <const> = early_a:match "^%D*", early_b:match "^%D*"
  if word_a ~= word_b then return word_a > word_b end
  return is_behind(numbers(early_a), numbers(early_b)) or false
end

-- Removes what an installation that was killed left behind; ours is the only one that runs.
local function sweep(dir)
  for _, name in ipairs(sys.list(dir) or {}) do
    if name:find("^%.ecmp%-%x+$") then sys.unlink(dir .. "/" .. name) end
  end
end

local function random_name(dir)
  local bytes <const> = sys.random(8):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  return ("%s/.ecmp-%s"):format(dir, bytes)
end

-- Makes a name a link to the executable, whatever it was before.
local function put_link(dir, name)
  local path <const> = dir .. "/" .. name
  if sys.readlink(path) == PROGRAM then return "kept" end
  local temporary <const> = random_name(dir)
  local made, message = sys.symlink(PROGRAM, temporary)
  if made then made, message = sys.rename(temporary, path) end
  if made then return "linked" end
  sys.unlink(temporary)
  return nil, message
end

-- Keeps what is in the way under another name, which it gets before it loses its own.
local function keep_original(dir, name)
  local path <const> = dir .. "/" .. name
  local there <const> = sys.lstat(path)
  if not there or sys.readlink(path) == PROGRAM then return true end
  if there.type ~= "file" and there.type ~= "link" then
    return nil, ("%s: neither a file nor a link, left alone"):format(path)
  end
  local temporary <const> = random_name(dir)
  local kept, message = sys.link(path, temporary)
  if kept then kept, message = sys.rename(temporary, path .. ".orig") end
  if kept then return true end
  sys.unlink(temporary)
  return nil, message
end

-- The executable itself. The same bytes are left alone, and so is a newer version.
local function put_program(dir, args)
  local path <const> = dir .. "/" .. PROGRAM
  local text <const>, message <const> = sys.read("/proc/self/exe")
  if not text then return nil, message end
  local installed <const> = sys.stat(path)
  if installed and installed.size == #text and sys.read(path) == text then
    return installed.mode == MODE and "kept" or (sys.chmod(path, MODE) and "kept")
  end
  local version <const> = installed and M.version_of(path)
  if version and M.is_newer(version, require "ecmp.version") and not args.force then
    return "kept, being newer: " .. version
  end
  local replaced <const>, why <const> = sys.replace(path, text, MODE)
  -- replace leaves the mode to the umask; a runtime of another user must still be able to call us
  if replaced then sys.chmod(path, MODE) end
  return replaced and "installed", why
end

---The links that every installation has.
---@return string[]
function M.links()
  local links <const> = {}
  for _, row in ipairs(programs.types()) do
    local name <const> = "ecmp-" .. row.type
    local program <const> = programs.plugin(name)
    local is_own <const> = program and program.module == "ecmp.plugin." .. row.type
    if is_own and row.type ~= PROGRAM then links[#links + 1] = name end
  end
  return links
end

local function report(args, name, done)
  local path <const> = ("%s/%s"):format(args.dir, name)
  print(args.json and json.encode { path = path, result = done } or ("%s: %s"):format(path, done))
end

local function put_all(dir, args)
  local done, message = put_program(dir, args)
  if not done then return nil, message end
  report(args, PROGRAM, done)
  for _, name in ipairs(M.links()) do
    done, message = put_link(dir, name)
    if not done then return nil, message end
    report(args, name, done)
  end
  for _, name in ipairs(args.replace) do
    done, message = keep_original(dir, name)
    if done then done, message = put_link(dir, name) end
    if not done then return nil, message end
    report(args, name, done)
  end
  return sys.fsync(dir)
end

-- Whether the modules come out of the running program: then that is what there is to install.
local function is_self_contained()
  for _, search in ipairs(package.searchers) do
    local _, where <const> = search("ecmp.command.programs")
    if where == "(embedded)" then return true end
  end
  return false
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  if not is_self_contained() then
    return nil, "this is Lua, not the executable: call the one that was built (build/bin/ecmp)"
  end
  local made <const>, refusal <const> = sys.mkdir(args.dir, MODE)
  if not made then return nil, refusal end
  local lock <close>, held <const> = sys.lock(args.dir, { timeout = LOCK_TIMEOUT })
  if not lock then return nil, held end
  sweep(args.dir)
  local done <const>, message <const> = put_all(args.dir, args)
  if not done then return nil, message end
  return 0
end

return M
