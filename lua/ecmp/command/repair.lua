---ecmp repair: mends what ecmp check finds, by the least changes.
--
-- Routes, policy rules, sysctls, masquerading, macspoofchk and the VLANs of a port, as the records
-- have them. What is left then (an address, an interface) is told of.
local attachments = require "ecmp.command.attachments"
local calls = require "ecmp.cni.call"
local check = require "ecmp.command.check"
local errors = require "ecmp.cni.errors"

local M = { name = "repair", summary = "mend what ecmp check finds, by the least changes" }

function M.setup(parser)
  check.setup_names(parser)
  parser:flag("--dry-run", "say what would be done, and change nothing"):target("dry")
  parser:flag("--ignore-health", "put next hops back that ecmp watch took out"):target("ignore")
  parser:epilog("Routes, policy rules, sysctls, masquerading, macspoofchk and the VLANs of a port, "
    .. "as the records of ADDs have them; never addresses or links: a pod without these is to be "
    .. "made anew. Exit status 1 where anything is left.")
end

-- Runs a plugin's repair: what it did, and why not all. What it raises is one of its problems.
local function repair_step(step)
  if not step.verbs.repair then return {} end
  local ran <const>, texts <const>, why <const> =
    xpcall(step.verbs.repair, errors.caught, step.call)
  calls.keep(step.call) -- closes its handles
  if not ran then return {}, texts.msg end
  return texts or {}, why
end

-- What was done to one attachment, and what could not be.
local function mend(one, options)
  local done <const>, problems <const> = {}, {}
  local list <const>, message <const> = attachments.calls(one.record, "REPAIR")
  if not list then return nil, message end
  for _, step in ipairs(list) do
    step.call.repair = options
    local texts <const>, why <const> = repair_step(step)
    table.move(texts, 1, #texts, #done + 1, done)
    problems[#problems + 1] = why
  end
  return done, problems[1] and table.concat(problems, "; ")
end

-- One attachment: whether it is as it should be now, and the sentence that says so.
local function repair(one, options)
  if one.newer then return false, one.newer end
  if attachments.is_alive(one.record.netns) == false then
    return false, ("its namespace %s is gone"):format(one.record.netns)
  end
  local done <const>, message <const> = mend(one, options)
  if not done then return message:find("^made before") ~= nil, message end
  done[#done + 1] = message
  local said <const> = #done > 0 and table.concat(done, "; ") or "nothing to do"
  if options.dry then return true, said end
  local same <const>, left <const> = check.one(one)
  return same, same and said or ("%s; left: %s"):format(said, left)
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local list <const>, message <const> = attachments.recorded(args.attachment)
  if not list then return nil, message end
  local options <const> = { dry = args.dry, ignore_health = args.ignore }
  local all_same = true
  for _, one in ipairs(list) do
    local same <const>, sentence <const> = repair(one, options)
    all_same = all_same and same
    print(("%s: %s"):format(attachments.name(one), sentence))
  end
  return all_same and 0 or 1
end

return M
