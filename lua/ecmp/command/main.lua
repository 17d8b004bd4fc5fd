---One executable, many programs: what it is depends on the name it is called by.
--
-- A leading "ecmp-" is dropped; what is left names a CNI plugin type. The bare name of a reference
-- plugin makes it a drop-in replacement for that. "ecmp" alone is the command line, and the chained
-- plugin when a runtime calls it. Plugins are loaded only when one of their verbs is to run, so
-- VERSION, which runtimes ask often, costs no more than reading the environment.
local programs = require "ecmp.command.programs"

local M = {}

-- KiB that a verb may take before it has to collect what it leaves.
local FREE <const> = 4096

---The verbs of a plugin. A verb lives for milliseconds: collecting what it leaves would take longer
---than it does, and would write to all that a rule's process shares with it. One that reads tens of
---thousands of reservations still has its bounds.
local function load_verbs(plugin)
  collectgarbage("incremental", 400)
  collectgarbage("restart")
  collectgarbage("step", -FREE)
  return require(plugin.module)
end

local function run_plugin(plugin)
  local cni <const> = require "ecmp.cni"
  local options <const> = {
    plugin = plugin.type, dropin = plugin.dropin,
    before_add = function(call) require("ecmp.plugin.findings").warn(call.conf, plugin) end,
  }
  if (os.getenv("CNI_COMMAND") or "") == "" then
    options.about = ("ecmp %s plugin: %s"):format(plugin.type, require(plugin.module).about)
  end
  local status <const> = cni.run(function() return load_verbs(plugin) end, options)
  -- Our own plugins have closed what they opened; a site's script may count on finalizers.
  return status, plugin.type ~= "lua"
end

-- The executable brings its modules along; what lies in the directory that somebody happens to be
-- in is not to be run.
local function without_relative(paths)
  local kept <const> = {}
  for path in paths:gmatch "[^;]+" do
    if path:sub(1, 1) == "/" then kept[#kept + 1] = path end
  end
  return table.concat(kept, ";")
end

local function narrow_paths()
  if not package.preload["ecmp.build"] then return end
  package.path, package.cpath = without_relative(package.path), without_relative(package.cpath)
end

---Runs the program that `argv0` names.
---@param argv0 string the name or path it was called by
---@param args string[] its arguments
---@return integer status 0 done, 1 refused or failed, 2 wrong usage
---@return boolean? closed whether nothing is left to be closed, and the process may just end
function M.main(argv0, args)
  local name <const> = argv0:match("([^/]*)$")
  local is_command <const> = name == "ecmp"
    and (#args > 0 or (os.getenv("CNI_COMMAND") or "") == "")
  if is_command then
    collectgarbage("restart")
    narrow_paths()
    return require("ecmp.command").run(args)
  end
  local plugin <const> = programs.plugin(name)
  if plugin then return run_plugin(plugin) end
  io.stderr:write(("ecmp: called as '%s', which is neither 'ecmp' nor a plugin type of ours\n")
    :format(name))
  return 2
end

return setmetatable(M, { __call = function(_, argv0, args) return M.main(argv0, args) end })
