---ecmp check: is everything still as the ADD of each attachment left it?
--
-- CHECK of each plugin of ours, with what its ADD was given and gave by the record.
local attachments = require "ecmp.command.attachments"
local calls = require "ecmp.cni.call"
local run = require "ecmp.cni.run"

local M = { name = "check", summary = "compare attachments with what their ADD left" }

---Declares which attachments are meant.
---@param parser table
function M.setup_names(parser)
  parser:argument("attachment", "NETWORK/CONTAINERID/IFNAME, as ecmp ls has them; all where none "
    .. "is named"):args("*")
end

function M.setup(parser)
  M.setup_names(parser)
  parser:epilog("By the records of their ADDs alone, whatever became of the configurations since. "
    .. "Exit status 1 where anything differs.")
end

-- Drops "CHECK IFNAME: " from a message, since our line names the attachment already.
local function bare(message, ifname)
  local head <const> = ("CHECK %s: "):format(ifname)
  return message:sub(1, #head) == head and message:sub(#head + 1) or message
end

local function differences(one)
  local list <const>, message <const> = attachments.calls(one.record, "CHECK")
  if not list then return nil, message end
  local texts <const> = {}
  for _, step in ipairs(list) do
    local _ <const>, err <const> = run.perform(step.verbs, step.call)
    calls.keep(step.call) -- closes its handles
    if err then texts[#texts + 1] = bare(err.msg, one.ifname) end
  end
  return texts
end

---One attachment.
---@param one table as of `attachments.recorded`
---@return boolean same, string sentence
function M.one(one)
  if one.newer then return false, one.newer end
  local netns <const> = one.record.netns
  if attachments.is_alive(netns) == false then
    return false, ("its namespace %s is gone"):format(netns)
  end
  local texts <const>, message <const> = differences(one)
  -- That an older version made it is no fault of the attachment's.
  if not texts then return message:find("^made before") ~= nil, message end
  return #texts == 0, #texts == 0 and "ok" or table.concat(texts, "; ")
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local list <const>, message <const> = attachments.recorded(args.attachment)
  if not list then return nil, message end
  local all_same = true
  for _, one in ipairs(list) do
    local same <const>, sentence <const> = M.one(one)
    all_same = all_same and same
    print(("%s: %s"):format(attachments.name(one), sentence))
  end
  return all_same and 0 or 1
end

return M
