---ecmp lint: reports errors and probable mistakes in network configurations.
local checks = require "ecmp.command.lint.checks"
local delegate = require "ecmp.cni.delegate"
local json = require "ecmp.json"
local networks = require "ecmp.command.lint.networks"
local programs = require "ecmp.command.programs"
local sys = require "ecmp.sys"
local version = require "ecmp.cni.version"

local M = { name = "lint", summary = "say what is wrong with configurations of networks" }

-- Where runtimes look for configurations, and for programs.
local CONFIGURATIONS <const> = "/etc/cni/net.d"
local PROGRAMS <const> = "/opt/cni/bin:/usr/lib/cni"

-- Seconds in which a program has to say its versions.
local PATIENCE <const> = 10

function M.setup(parser)
  parser:argument("file", "a configuration, or a directory of them; - reads standard input")
    :args("*")
  parser:flag("--json", "print JSON")
  parser:epilog(("Without FILE: %s. Programs are looked for on CNI_PATH, else in %s. Programs of "
    .. "others are asked for their VERSION. Exit status 1 where anything was found.")
    :format(CONFIGURATIONS, (PROGRAMS:gsub(":", " and "))))
end

local function path_of_programs()
  local path <const> = os.getenv("CNI_PATH") or ""
  return path ~= "" and path or PROGRAMS
end

local function ask(file)
  local env <const> = { "CNI_COMMAND=VERSION", "PATH=" .. (os.getenv("PATH") or "") }
  local outcome <const> = sys.spawn { argv = { file }, env = env, timeout = PATIENCE,
    stdin = '{"cniVersion":"1.0.0"}', stderr = "capture" }
  local document <const> = outcome and outcome.status == 0 and json.decode(outcome.stdout)
  local list <const> = json.kind(document) == "object" and json.get(document, "supportedVersions")
  return json.kind(list) == "list" and list or nil
end

---What the checks ask of the machine.
---@return table site
function M.site()
  local path <const>, asked <const> = path_of_programs(), {}
  local site <const> = { directories = (path:gsub(":", ", ")) }
  function site.find(kind) return (delegate.find(kind, path)) end
  function site.versions(kind)
    if programs.plugin(kind) then return version.all end
    local file <const> = site.find(kind)
    if file and asked[file] == nil then asked[file] = ask(file) or false end
    return file and asked[file] or nil
  end
  return site
end

local endings <const> = { conf = true, conflist = true, json = true }

-- The configurations of a directory, in the order in which runtimes take them.
local function in_directory(directory)
  local names <const>, message <const> = sys.list(directory)
  if not names then return nil, message end
  table.sort(names)
  local files <const> = {}
  for _, name in ipairs(names) do
    if endings[name:match("%.([^.]*)$") or ""] then files[#files + 1] = directory .. "/" .. name end
  end
  return files
end

local function files_of(arguments)
  local files <const> = {}
  for _, argument in ipairs(#arguments > 0 and arguments or { CONFIGURATIONS }) do
    local stat <const>, list, message = sys.stat(argument), { argument }, nil
    if stat and stat.type == "dir" then list, message = in_directory(argument) end
    if not list then return nil, message end
    table.move(list, 1, #list, #files + 1, files)
  end
  return files
end

local function read(file)
  if file == "-" then return io.read("a") end
  return sys.read_stream(file)
end

local function findings_in(files, site)
  local found <const>, all <const> = json.array(), {}
  local function add(file, list)
    for _, finding in ipairs(list) do
      found[#found + 1] = { file = finding.file or file, path = finding.path,
        message = finding.message }
    end
  end
  for _, file in ipairs(files) do
    local text <const>, message <const> = read(file)
    if not text then return nil, message end
    local list <const>, one <const> = checks.of(file, text, site)
    add(file, list)
    all[#all + 1] = one
  end
  add(nil, networks.together(all))
  return found
end

local function line_of(finding)
  local place <const> = finding.path ~= "" and finding.path .. ": " or ""
  return ("%s: %s%s"):format(finding.file, place, finding.message)
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local files, found, message
  files, message = files_of(args.file)
  if files then found, message = findings_in(files, M.site()) end
  if not found then return nil, message end
  if args.json then
    print(json.encode(found, { indent = 2 }))
  else
    for _, finding in ipairs(found) do print(line_of(finding)) end
  end
  return #found > 0 and 1 or 0
end

return M
