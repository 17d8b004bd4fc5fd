--- The command line in a process of its own.
--
-- A rule script's half second is wall time: on a machine that is too busy to give it any, there is
-- another try.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local TRIES <const> = 5

local M = {}

--- Runs what makes an outcome until no rule script ran out of time.
---@param run fun(): table  as of `sys.spawn`
---@return table outcome
function M.patiently(run)
  local outcome
  for _ = 1, TRIES do
    outcome = run()
    if not (outcome.stdout .. outcome.stderr):find "took longer than" then break end
  end
  return outcome
end

--- Runs `ecmp` with arguments.
---@return integer? status, string stdout, string stderr
function M.ecmp(...)
  local argv <const> = { "lua5.4", "-e",
    helper.paths() .. "os.exit(require('ecmp.command').run(arg), true)", "/dev/null", ... }
  local outcome <const> = M.patiently(function()
    return assert(sys.spawn { argv = argv, stderr = "capture", timeout = 60 })
  end)
  return outcome.status, outcome.stdout, outcome.stderr
end

return M
