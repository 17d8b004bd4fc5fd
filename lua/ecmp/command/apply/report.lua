---Prints what an apply changes, as text or as JSON.

local identity = require "ecmp.fib.route"
local json = require "ecmp.json"
local terminal = require "ecmp.repl.terminal"

local M = {}

local function counts_of(plan)
  local counts <const> = plan:counts()
  local changed <const>, deleted <const> = counts.replace or 0, counts.del or 0
  return ("%d added, %d changed, %d deleted"):format(#plan - changed - deleted, changed, deleted)
end

local function changes_of(plan)
  local list <const> = json.array {}
  for i, change in ipairs(plan) do
    list[i] = { verb = change.verb, route = change.route and identity.text(change.route),
                old = change.old and identity.text(change.old) }
  end
  return list
end

---@param args table
---@param word string how it ended
function M.word(args, word)
  print(args.json and json.encode { result = word } or word)
end

---@param args table
---@param plan table
---@param word string what became of it
function M.changes(args, plan, word)
  if args.json then
    print(json.encode { result = word, changes = changes_of(plan) })
  elseif #plan == 0 then
    print "nothing to do"
  elseif args.dry_run then
    print(terminal.changes(tostring(plan), terminal.colour()))
  else
    print(("%s: %s"):format(word, counts_of(plan)))
  end
  io.flush()
end

---What is to be known of the file, on stderr.
---@param notes string[]
function M.notes(notes)
  for _, note in ipairs(notes) do io.stderr:write("ecmp: apply: ", note, "\n") end
end

return M
