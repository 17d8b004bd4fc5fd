---ecmp apply: makes the routes of a namespace those of a file, by as few changes as it takes.
--
-- What it does in which order: read and check the whole file; read the kernel's tables; plan; write
-- a checkpoint and start a watchdog; change; wait for the confirmation; commit or roll back.
-- Whatever ends it on the way, SIGKILL too, the routes are then the new ones or the old ones.
local change = require "ecmp.command.apply.change"
local checkpoint = require "ecmp.command.apply.checkpoint"
local ecmp = require "ecmp"
local ownership = require "ecmp.command.apply.ownership"
local report = require "ecmp.command.apply.report"
local routefile = require "ecmp.repl.file"
local rtnl = require "ecmp.rtnl"
local site = require "ecmp.nl.names"
local sys = require "ecmp.sys"
local terminal = require "ecmp.repl.terminal"
local watchdog = require "ecmp.command.apply.watchdog"

local M = {
  name = "apply",
  summary = "make routes those of a file; with --confirm, taken back unless confirmed in time",
}

local function seconds(text)
  local number <const> = tonumber(text)
  if not number or number <= 0 or number == math.huge then
    return nil, ("'%s' is no number of seconds"):format(text)
  end
  return number
end

local function protocol(text)
  local fits <const>, view <const> = pcall(rtnl.view, "route", { dst = "10.0.0.0/8", proto = text })
  local number <const> = math.tointeger(tonumber(text)) or site("rt_protos")[text]
  if number and number >= 0 and number < 256 then
    return tostring(rtnl.view("route", { proto = number }).proto)
  end
  if not fits then return nil, ("'%s' is no routing protocol"):format(text) end
  return tostring(view.proto)
end

-- "20" or "50%".
---@return { text: string, count: integer?, percent: integer? }|nil, string? message
local function limit(text)
  local number <const>, percent <const> = text:match "^(%d+)(%%?)$"
  local count <const> = math.tointeger(tonumber(number))
  if not count or percent == "%" and count > 100 then
    return nil, ("'%s' is neither a number of routes nor a percentage"):format(text)
  end
  return { text = text, count = percent == "" and count or nil,
    percent = percent == "%" and count or nil }
end

function M.setup(parser)
  parser:argument("file", "routes as ip route, ip -j route or ecmp show print them, lines of ip "
    .. "-batch, or NAME.lua that returns a list; - is standard input"):args("?")
  parser:option("--netns", "a namespace: a name, a path or a pid"):argname("N")
  parser:option("--confirm", "take the change back unless it is confirmed in time")
    :argname("SECONDS"):convert(seconds)
  parser:flag("--confirmed", "confirm a change that waits for it, from elsewhere")
  parser:flag("--undo", "take back what an apply left that was killed with its watchdog")
  parser:flag("--dry-run", "show the changes, and make none; also those of --undo")
    :target("dry_run")
  parser:option("--proto", "own routes of this protocol, not of boot and static; may be repeated")
    :argname("P"):count("*"):convert(protocol)
  parser:option("--family", "own routes of this family, too, in the tables that FILE names; lines "
    .. "without an address are of it"):argname("F"):choices({ "4", "6", "both" })
  parser:option("--max-delete", "refuse to delete more than N routes, or P% of those owned; 50% "
    .. "unless given, where more than 10 would go"):argname("N"):convert(limit)
    :target("max_delete")
  parser:flag("--force", "delete however many; with --family, all of them for a file without "
    .. "routes")
  parser:flag("--json", "print the changes as JSON")
  parser:option("--watchdog", "the process that watches another"):argname("BASE"):hidden(true)
  parser:epilog("In the tables and families that FILE names, routes of the owned protocols that "
    .. "are not in FILE are deleted, and so are those of other protocols that an earlier apply "
    .. "added. Without --confirm a change is final; with it, it takes a line 'yes' on its "
    .. "terminal, or ecmp apply --confirmed.")
end

-- The plan ---------------------------------------------------------------------------------------

-- Refused before anything is touched, with its line.
local function check_devices(nl, lacking)
  if not lacking then return true end
  for _, hop in ipairs(lacking.route.nexthops or { lacking.route }) do
    local list, message = nl.link:list { dev = hop.dev }
    if not list then return nil, message end
    if not list[1] then
      return nil, ("%s: dev: there is no device %s"):format(lacking.where, hop.dev)
    end
  end
  return true
end

---@return true|nil, string? message
local function check_objects(nl, wanted)
  if not next(wanted) then return true end
  local list <const>, message <const> = nl.nexthop:list()
  if not list then return nil, message end
  for _, object in ipairs(list) do wanted[object.id] = nil end
  local id <const>, where <const> = next(wanted)
  if not id then return true end
  return nil, ("%s: nhid: there is no next-hop object %d"):format(where, id)
end

---@return ecmp.RouteFile|nil file, string? message
local function read_file(nl, args, owned)
  local file <const>, message <const> = routefile.read(args.file, {
    progress = terminal.progress "reading byte", socket = nl.socket,
    family = args.family == "6" and 6 or nil,
    -- what is added without a word is ours; what is there may be of either kind
    proto = owned.default ~= "boot" and owned.default or nil,
  })
  if not file then return nil, message end
  if #file.routes > 0 or args.force and args.family then return file end
  return nil, ("%s: there is no route in it (--force --family 4|6|both deletes all that are owned)")
    :format(args.file)
end

-- Lines that say what another says, as notes.
local function note_repeated(plan, file, notes)
  local numbers <const>, repeated <const> = {}, plan:repeated()
  for i in pairs(repeated) do numbers[#numbers + 1] = i end
  table.sort(numbers)
  for _, i in ipairs(numbers) do
    notes[#notes + 1] = ("%s: the same route as in %s"):format(file:where(i),
      file:where(repeated[i]))
  end
end

---@return table|nil plan, ecmp.apply.Ownership|string found or why there is no plan
local function plan_of(nl, base, args)
  local owned <const> = ownership.protocols(args.proto)
  local file, message = read_file(nl, args, owned)
  if not file then return nil, message end
  local added, found, fine, plan
  added, message = checkpoint.added(base)
  if added then
    found, message = ownership.find(nl, file, owned, ownership.tables(file.tables, args.family),
      added)
  end
  if found then fine, message = check_devices(nl, file:lacking()) end
  if fine then fine, message = check_objects(nl, file:objects()) end
  if not fine then return nil, message end
  plan, message = ecmp.plan(found.current, file.routes)
  if plan then
    note_repeated(plan, file, found.notes)
    return plan, found
  end
  return nil, (message:gsub("^wanted%[(%d+)%]%.?", function(i)
    return file:where(math.tointeger(tonumber(i))) .. ": "
  end))
end

local FEW <const>, HALF <const> = 10, { text = "50%", percent = 50 }

-- A list that was cut short, or one of another host, must not take all routes with it.
---@return true|nil, string? message
local function check_deletions(plan, found, args)
  local deleted <const>, given <const> = plan:counts().del or 0, args.max_delete
  local most <const> = given or HALF
  if args.force or deleted == 0 or not given and deleted <= FEW then return true end
  local count <const> = most.count or found.owned * most.percent // 100
  if deleted <= count then return true end
  return nil, ("%d of %d owned routes would be deleted, more than %s (--max-delete or --force "
    .. "allows it)"):format(deleted, found.owned, most.text)
end

-- Jobs -------------------------------------------------------------------------------------------

-- Wakes a process that waits, if it is one of ours still: numbers are given anew.
local function wake(pid, word)
  local line <const> = pid and sys.read(("/proc/%d/cmdline"):format(pid))
  if line and line:find(word, 1, true) then sys.kill(pid, "USR1") end
end

-- Why there is nothing to do, and what became of the change that somebody may have in mind.
local function nothing(base, text)
  local last <const> = checkpoint.last(base)
  return nil, text .. (last and "; the last change: " .. last or "")
end

local function confirm_other(base, args)
  local word <const>, _, applier <const>, pid <const> = checkpoint.state(base)
  if word == "unknown" then return nil, base .. ".state: cannot be read" end
  local journal, why, code = nil, nil, "ENOENT"
  if word == "waiting" then journal, why, code = checkpoint.open(base) end
  if not journal and code ~= "ENOENT" then return nil, why end
  if not journal then
    return nothing(base, "nothing waits to be confirmed in this namespace")
  end
  local decided <const>, message <const> = checkpoint.decide(base, "keep", journal)
  if decided ~= "keep" then
    return nil, message and "it cannot be kept: " .. message
      or "too late: it has been taken back"
  end
  wake(applier, "apply")
  wake(pid, base)
  report.word(args, "confirmed")
  return 0
end

-- How long the watchdog of a change that is over may take to notice.
local SOON <const> = 1

-- Makes this process the one that is responsible. A change that is under way is not waited for.
local function take_lock(base)
  return checkpoint.lock(base, checkpoint.state(base) and 0 or SOON)
end

local function undo_leftover(nl, base, args)
  local lock <close> = take_lock(base)
  if not lock then return nil, "an apply is at work in this namespace" end
  local journal <const>, why <const>, code <const> = checkpoint.open(base)
  if not journal and code ~= "ENOENT" then return nil, why end
  if not journal or not checkpoint.state(base) then
    return nothing(base, "nothing is left to be taken back in this namespace")
  end
  local left <const>, message <const> = checkpoint.difference(nl, journal)
  if not left then return nil, message end
  if args.dry_run then
    report.changes(args, left, "left")
    return 0
  end
  local restored <const>, refusal <const> = checkpoint.restore(nl, journal)
  if not restored then return nil, refusal end
  local ended <const>, problem <const> = checkpoint.finish(base, "undo", journal)
  if not ended then return nil, "taken back, but that cannot be noted: " .. problem end
  if args.json then
    report.changes(args, left, "taken back")
  else
    report.word(args, "taken back")
  end
  return 0
end

local function apply_file(nl, base, args)
  local lock <close>, message, code = take_lock(base)
  if not lock then
    return nil, code == "EAGAIN"
      and "another apply is at work in this namespace, or waits to be confirmed"
      or message
  end
  if checkpoint.state(base) then
    return nil, "an earlier apply was cut off here and not taken back: ecmp apply --undo does that "
      .. "(--undo --dry-run shows what is left)"
  end
  local plan <const>, found <const> = plan_of(nl, base, args)
  if not plan then return nil, found end
  report.notes(found.notes)
  local few <const>, many <const> = check_deletions(plan, found, args)
  if args.dry_run or #plan == 0 then
    report.changes(args, plan, args.dry_run and "planned" or "applied")
  end
  if not few then return nil, many end
  if args.dry_run or #plan == 0 then return 0 end
  return change.perform(nl, base, plan, found, args)
end

-- The first option that a job does not take.
local function unsupported_option(args)
  if args.confirm then return "--confirm" end
  if args.proto[1] then return "--proto" end
  if args.family then return "--family" end
  if args.max_delete then return "--max-delete" end
  if args.force then return "--force" end
  return args.confirmed and args.dry_run and "--dry-run" or nil
end

-- What is wrong with how it is called: each of its jobs takes options of its own.
local function misuse(args)
  local jobs <const> = (args.file and 1 or 0) + (args.confirmed and 1 or 0) + (args.undo and 1 or 0)
  if jobs ~= 1 then return "one of FILE, --confirmed and --undo is needed" end
  local job <const> = args.confirmed and "--confirmed" or args.undo and "--undo"
  local unsupported <const> = job and unsupported_option(args)
  return unsupported and ("%s takes no %s"):format(job, unsupported)
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  if args.watchdog then return watchdog.main(args.watchdog) end
  local wrong <const> = misuse(args)
  if wrong then
    io.stderr:write(("ecmp: apply: %s (see ecmp apply --help)\n"):format(wrong))
    return 2
  end
  local nl <close>, message = ecmp.open { netns = args.netns }
  if not nl then return nil, message end
  local base
  base, message = checkpoint.base(nl)
  if not base then return nil, message end
  if args.confirmed then return confirm_other(base, args) end
  if args.undo then return undo_leftover(nl, base, args) end
  return apply_file(nl, base, args)
end

return M
