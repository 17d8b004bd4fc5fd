-- What is sent to the kernel, message by message: of every verb, of plans, `ecmp apply` and plugins.
--
-- The cases are in spec/requests/, what they sent when somebody last looked in spec/golden/requests/. A
-- change of what is sent shows here first, and has to be meant: ECMP_GOLDEN=write writes the files anew,
-- and their difference goes into the commit that says why.
local helper = require "spec.helper"
local pod_of = require "spec.pod"
local runtime = require "spec.runtime"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"
local trace = require "spec.trace"

local GOLDEN <const> = "spec/golden/requests/%s.txt"
local WRITE <const> = os.getenv "ECMP_GOLDEN" == "write"

-- Golden files ------------------------------------------------------------------------------------

local function read_golden(name)
  local texts <const>, title = {}, nil
  for line in (sys.read(GOLDEN:format(name)) or ""):gmatch "[^\n]+" do
    local named <const> = line:match "^== (.*)$"
    title = named or title
    texts[title] = named and "" or texts[title] .. line .. "\n"
  end
  return texts
end

local function write_golden(name, cases, texts)
  local parts <const> = {}
  for i, case in ipairs(cases) do parts[i] = ("== %s\n%s"):format(case[1], texts[case[1]]) end
  assert(sys.replace(GOLDEN:format(name), table.concat(parts, "\n"), tonumber("644", 8)))
end

local function text_of(part)
  table.insert(part.lines, ("-- %d requests\n"):format(part.requests))
  return table.concat(part.lines, "\n")
end

-- The library -------------------------------------------------------------------------------------

-- What the cases of a list send from an interpreter of their own, by title, and how many requests beside
-- those for the numbers of links.
local function library(name, fresh)
  local dir <const> = helper.directory()
  local env <const> = trace.environment(dir .. "/trace")
  env.TRACE_ALONE = "1"
  local done <const> = helper.lua(('require "spec.requests.run" (%q, %s)'):format(name, fresh),
    { env = runtime.environment(env), stderr = "capture", timeout = 300 })
  assert(done.status == 0, done.stderr)
  local texts <const>, counts <const> = {}, {}
  for _, part in ipairs(trace.read(dir .. "/trace")) do
    texts[part.title], counts[part.title] = text_of(part), part.requests - part.lookups
  end
  helper.remove(dir)
  return texts, counts
end

-- Programs ----------------------------------------------------------------------------------------

local PROGRAM <const> = assert(sys.realpath(helper.build .. "/bin")) .. "/ecmp"

-- Whether a process that is traced into a file is still there.
local function is_traced(file)
  for _, pid in ipairs(sys.list "/proc") do
    local environ <const> = pid:find "^%d+$" and sys.read("/proc/" .. pid .. "/environ")
    if environ and environ:find("TRACE_FILE=" .. file, 1, true) then return true end
  end
  return false
end

-- Where the programs of a case run: `traced` puts what one of them sent into `parts`.
local function place(namespaces, path)
  local here <const> = { dir = helper.directory(), parts = {}, program = PROGRAM }

  function here.file(name, text)
    local file <const> = ("%s/%s"):format(here.dir, name)
    assert(sys.create(file, text, tonumber("644", 8)))
    return file
  end

  function here.traced(title, argv, options)
    local file <const> = here.dir .. "/trace"
    local env <const> = trace.environment(file)
    for key, value in pairs(options and options.env or {}) do env[key] = value end
    local done <const> = assert(sys.spawn { argv = argv, env = runtime.environment(env), netns = path,
      stdin = options and options.stdin or "", timeout = 60, stderr = "capture" })
    helper.eventually(function() return not is_traced(file) end)
    local part <const> = trace.read(file, namespaces, "")[1]
    table.insert(here.parts, ("%s\n%s-> %s\n"):format(title, text_of(part), done.status or "killed"))
    return done
  end

  function here.ecmp(...)
    local words <const> = table.concat({ ... }, " "):gsub("/%S+/", "")
    local done <const> = here.traced("$ ecmp " .. words, { PROGRAM, ... })
    local printed <const> = done.stdout:gsub("[^\n]+", "# %0")
    table.insert(here.parts, printed)
    return done
  end

  return here
end

local function gather(here)
  helper.remove(here.dir)
  return table.concat(here.parts)
end

local run <const> = {}

function run.apply(case)
  local space <close> = scratch.new(2)
  local here <const> = place({}, space.path)
  here.space = space
  case[2](here)
  return gather(here)
end

local function inode(path)
  return tostring(assert(sys.stat(path)).ino)
end

function run.cni(case)
  if case.needs and not pod_of.has_nftables "inet" then return "# this kernel lacks " .. case.needs end
  local pod <close> = pod_of.new()
  local here <const> = place({ [inode(pod.path)] = "the pod's", [inode(pod.host_path)] = "the host's" },
    pod.host_path)
  here.pod = pod
  function here.call(command, conf)
    local done <const> = here.traced(command .. " " .. conf.type, { ("%s/cni/%s"):format(helper.build, conf.type) },
      { stdin = require "ecmp.json".encode(conf), env = { CNI_COMMAND = command, CNI_NETNS = pod.path,
        CNI_PATH = helper.build .. "/cni" } })
    local answer <const> = done.stdout:find "%S" and require "ecmp.json".decode(done.stdout)
    if done.status == 0 then return answer end
    table.insert(here.parts, ("# code %s\n"):format(answer and answer.code))
  end
  case[2](here)
  return gather(here)
end

-- A program's cases one by one, so that each is told by itself.
local function programs(name)
  return setmetatable({}, { __index = function(texts, title)
    for _, case in ipairs(require("spec.requests." .. name)) do
      if case[1] == title then texts[title] = run[name](case) end
    end
    return rawget(texts, title)
  end })
end

-- Comparing ---------------------------------------------------------------------------------------

local LISTS <const> = {
  { "route", library }, { "objects", library, true }, { "plan", library }, { "apply", programs },
  { "cni", programs },
}

for _, list in ipairs(LISTS) do
  local name <const>, cases <const> = list[1], require("spec.requests." .. list[1])

  describe(("the requests of %s #netns"):format(name), function()
    local golden, texts, counts

    setup(function()
      golden = read_golden(name)
      texts, counts = list[2](name, list[3])
      if WRITE then
        write_golden(name, cases, texts)
        golden = texts
      end
    end)

    for _, case in ipairs(cases) do
      it(case[1], function()
        local text <const> = texts[case[1]]
        if case.needs and text:find "# this kernel lacks" then pending("this kernel lacks " .. case.needs) end
        assert.equal(golden[case[1]], text)
        if case.requests then assert.is_true(counts[case[1]] <= case.requests, text) end
      end)
    end
  end)
end
