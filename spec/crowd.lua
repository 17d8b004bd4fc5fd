--- Many plugins at the same moment, as on a node that starts after a power cut.
local helper = require "spec.helper"
local json = require "ecmp.json"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local M = {}

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- Runs plugins at once in a namespace and waits for all.
---@param jobs table[] `{ file, conf, env }`: the executable, its input, its CNI_ variables
---@param host_path string the namespace in which the plugins run
---@return table[] outcomes `{ status, json?, stderr }`, in the order of the jobs
function M.run(jobs, host_path)
  local dir <const> = helper.directory()
  local lines <const> = { "cd " .. dir }
  for i, job in ipairs(jobs) do
    assert(sys.create(("%s/%d.in"):format(dir, i), json.encode(job.conf), tonumber("644", 8)))
    local words <const> = {}
    for name, value in pairs(job.env) do words[#words + 1] = name .. "=" .. quoted(value) end
    words[#words + 1] = quoted(job.file)
    lines[#lines + 1] = ("{ %s <%d.in >%d.out 2>%d.err; echo $? >%d.status; } &"):format(
      table.concat(words, " "), i, i, i, i)
  end
  lines[#lines + 1] = "wait"
  local done <const> = assert(sys.spawn { argv = { "sh", "-c", table.concat(lines, "\n") },
    timeout = 120, env = runtime.environment(), netns = host_path, stderr = "capture" })
  assert(not done.timedout, "the crowd did not come to an end")
  local outcomes <const> = {}
  for i = 1, #jobs do
    local function read(what) return assert(sys.read(("%s/%d.%s"):format(dir, i, what))) end
    local text <const> = read("out")
    outcomes[i] = {
      status = tonumber(read("status")), stderr = read("err"), stdout = text,
      json = text:find("%S") and json.decode(text) or nil,
    }
  end
  helper.remove(dir)
  return outcomes
end

return M
