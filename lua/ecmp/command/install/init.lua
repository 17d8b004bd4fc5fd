---ecmp install: puts this executable and its plugin links into a CNI directory, under a runtime
---that may call any of them at any moment.
--
-- What is being executed is never written to. The executable comes first, then what leads to it.
local files = require "ecmp.command.install.files"
local json = require "ecmp.json"
local pool = require "ecmp.plugin.pool.open"
local programs = require "ecmp.command.programs"
local sys = require "ecmp.sys"

local M = { name = "install", summary = "copy itself and the plugin links into a CNI directory" }

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
  parser:mutex(
    parser:flag("--check", "change nothing, say which names in DIR are ours, fail unless all are"),
    parser:flag("--restore", "take the names of ours away, and put NAME.orig back"))
  parser:flag("--force", "put this version in place of a newer one, too")
  parser:flag("--json", "print one JSON object for each file, on a line")
end

---The version that an executable prints of itself.
---@param path string
---@return string? version nil where it is none of ours, or cannot tell
function M.version_of(path)
  local outcome <const> = sys.spawn { argv = { path, "version" }, env = {}, stdin = "",
    timeout = VERSION_TIMEOUT, stderr = "capture" }
  return outcome and outcome.status == 0 and outcome.stdout:match("^ecmp (%d[%w.%-]*)\n") or nil
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

-- The executable itself. The same bytes are left alone, and so is a newer version.
local function put_program(dir, args)
  local path <const> = dir .. "/" .. files.PROGRAM
  local text <const>, message <const> = sys.read("/proc/self/exe")
  if not text then return nil, message end
  -- A link to somewhere else may be a package's: its file is left as it is.
  local installed <const> = sys.stat(path)
  local is_same <const> = installed and installed.size == #text and sys.read(path) == text
  if is_same and sys.readlink(path) then return "kept" end
  local version <const> = installed and not is_same and M.version_of(path)
  if version and M.is_newer(version, require "ecmp.version") and not args.force then
    return "kept, being newer: " .. version
  end
  return files.put_file(path, text)
end

M.links = files.links

local function report(args, name, done)
  local path <const> = ("%s/%s"):format(args.dir, name)
  print(args.json and json.encode { path = path, result = done } or ("%s: %s"):format(path, done))
end

-- A copy of what is installed, which may be newer than what runs.
local function put_copy(dir, name)
  local text <const>, message <const> = sys.read(dir .. "/" .. files.PROGRAM)
  if not text then return nil, message end
  return files.put_file(dir .. "/" .. name, text)
end

local function put_replaced(dir, args)
  local names <const>, unnoted <const> = files.note_replaced(dir, args.replace)
  if not names then return nil, unnoted end
  for _, name in ipairs(names) do
    local done, message = files.keep_original(dir, name)
    if done then done, message = put_copy(dir, name) end
    if not done then return nil, message end
    report(args, name, done)
  end
  return true
end

-- The module that pools on etcd need goes beside the executable, where this one has it.
local function put_module(dir, args)
  local source <const> = pool.module_file()
  if not source then return true end
  local text <const>, message <const> = sys.read(source)
  if not text then return nil, message end
  local done <const>, why <const> = files.put_file(("%s/%s"):format(dir, pool.FILE), text)
  if not done then return nil, why end
  report(args, pool.FILE, done)
  return true
end

local function put_all(dir, args)
  files.sweep(dir)
  local done, message = put_program(dir, args)
  if not done then return nil, message end
  report(args, files.PROGRAM, done)
  done, message = put_module(dir, args)
  if not done then return nil, message end
  for _, name in ipairs(files.links()) do
    done, message = files.put_link(dir, name)
    if not done then return nil, message end
    report(args, name, done)
  end
  done, message = put_replaced(dir, args)
  if not done then return nil, message end
  return sys.fsync(dir)
end

-- Looking and putting back -----------------------------------------------------------------------

-- Every name that an installation has, with whether it is to be a copy.
local function each_name(dir)
  local names <const> = { { files.PROGRAM, false } }
  for _, name in ipairs(files.links()) do names[#names + 1] = { name, false } end
  for _, name in ipairs(files.replaced(dir)) do names[#names + 1] = { name, true } end
  return names
end

local words <const> = {
  ours = "ours", missing = "missing", other = "not ours",
  link = "a link, through which cp writes; install makes a file of it",
}

-- What every build of the module has in it.
local MODULE_MARK <const> = "luaopen_ecmp_pool"

-- What the module beside an executable is; nil where that one has none. Beside this very executable
-- it has to be this one's.
local function module_state(dir)
  local text <const>, source <const> = sys.read(("%s/%s"):format(dir, pool.FILE)),
    pool.module_file()
  local is_same <const> = sys.read "/proc/self/exe" == sys.read(dir .. "/" .. files.PROGRAM)
  if not text then return source and is_same and "missing" or nil end
  if source and is_same then return text == sys.read(source) and "ours" or "other" end
  return text:find(MODULE_MARK, 1, true) and "ours" or "other"
end

-- Exits with 1 where a name of ours is somebody else's, or nobody's.
local function check(dir, args)
  local program = files.state(dir, files.PROGRAM)
  if program == "other" and M.version_of(dir .. "/" .. files.PROGRAM) then program = "ours" end
  local good = true
  for _, entry in ipairs(each_name(dir)) do
    local name <const>, is_copy <const> = entry[1], entry[2]
    local state = name == files.PROGRAM and program or files.state(dir, name, is_copy)
    -- A link is as good as what it leads to.
    if state ~= "missing" and not is_copy and program ~= "ours" then state = program end
    good = good and (state == "ours" or state == "link")
    report(args, name, words[state])
  end
  local module <const> = module_state(dir)
  if module then report(args, pool.FILE, words[module]) end
  return good and (module or "ours") == "ours" and 0 or 1
end

-- The names of ours go, and what they took the place of comes back. What is not ours stays.
local function restore(dir, args)
  local names <const> = each_name(dir)
  for i = #names, 1, -1 do
    local name <const>, is_copy <const> = names[i][1], names[i][2]
    local done, message = "kept, not ours", nil
    if files.state(dir, name, is_copy) ~= "other" then done, message = files.restore(dir, name) end
    if not done then return nil, message end
    report(args, name, done)
  end
  sys.unlink(("%s/%s"):format(dir, pool.FILE))
  files.forget(dir)
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

-- Runs one of the three on a directory that nobody else changes meanwhile.
local function locked(dir, work, args)
  local lock <close>, held <const> = sys.lock(dir .. "/" .. files.LOCK,
    { timeout = LOCK_TIMEOUT, create = true, mode = tonumber("644", 8) })
  if not lock then return nil, held end
  return work(dir, args)
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  if args.check then return check(args.dir, args) end
  local done, message
  if args.restore then
    done, message = locked(args.dir, restore, args)
  elseif not is_self_contained() then
    message = "this is Lua, not the executable: call the one that was built (build/bin/ecmp)"
  else
    done, message = sys.mkdir(args.dir, MODE)
    if done then done, message = locked(args.dir, put_all, args) end
  end
  if not done then return nil, message end
  return 0
end

return M
