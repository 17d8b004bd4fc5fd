---ecmp apply: makes the routes of a namespace those of a file, by as few changes as it takes.
--
-- What it does in which order: read and check the whole file; read the kernel's tables; plan; write
-- down what will be changed and start a guardian; change; wait for the confirmation. Whatever ends
-- it on the way, SIGKILL too, the routes are then either the new ones or the old ones.
local ecmp = require "ecmp"
local guardian = require "ecmp.command.apply.watchdog"
local identity = require "ecmp.fib.route"
local json = require "ecmp.json"
local rollback = require "ecmp.command.apply.checkpoint"
local routefile = require "ecmp.repl.file"
local rtnl = require "ecmp.rtnl"
local site = require "ecmp.nl.names"
local sys = require "ecmp.sys"
local terminal = require "ecmp.repl.terminal"

local M = { name = "apply", summary = "make routes those of a file, undone unless confirmed" }

local OWNED <const> = { "boot", "static" }

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

function M.setup(parser)
  parser:argument("file",
    "lines as ip route prints them, or NAME.lua that returns a list; - is standard input"):args("?")
  parser:option("--netns", "a namespace: a name, a path or a pid"):argname("N")
  parser:option("--confirm", "take the change back unless it is confirmed in time")
    :argname("SECONDS"):convert(seconds)
  parser:flag("--confirmed", "confirm a change that waits for it, from elsewhere")
  parser:flag("--undo", "take back what an apply left that was killed with its guardian")
  parser:flag("--dry-run", "show the changes, and make none; also those of --undo")
    :target("dry_run")
  parser:option("--proto", "own routes of this protocol, not of boot and static; may be repeated")
    :argname("P"):count("*"):convert(protocol)
  parser:flag("--json", "print the changes as JSON")
  parser:option("--guardian", "the process that watches another"):argname("BASE"):hidden(true)
  parser:epilog("In the tables that FILE names, routes of the owned protocols that are not in FILE "
    .. "are deleted. A change waiting to be confirmed takes a line 'yes' on its terminal, or "
    .. "ecmp apply --confirmed.")
end

-- What is wanted, and what is there --------------------------------------------------------------

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

-- The numbers of the routes that FILE has for the slots that routes of others hold.
local function listed_at(routes, others)
  local at <const>, near <const> = {}, rtnl.near(others, routes)
  for _, route in ipairs(others) do at[identity.slot(route)] = {} end
  for n = 1, near and #near or #routes do
    local i <const> = near and near[n] or n
    local numbers <const> = at[identity.slot(routes[i])]
    if numbers then table.insert(numbers, i) end
  end
  return at
end

local function is_wanted(route, routes, numbers)
  local held <const> = identity.held(route)
  for _, i in ipairs(numbers) do
    local wanted <const> = routes[i]
    if identity.matches(held, assert(identity.canonical(wanted)), wanted) then return true end
  end
  return false
end

-- Routes of others stay, unless FILE says just what they are; a place that one of them holds cannot
-- be taken by another route.
---@return table<table, boolean>? wanted those that FILE lists, string? message
local function listed_others(others, file)
  local at <const>, listed <const> = listed_at(file.routes, others), {}
  for _, route in ipairs(others) do
    local numbers <const> = at[identity.slot(route)]
    listed[route] = is_wanted(route, file.routes, numbers)
    if not listed[route] and numbers[1] then
      local words <const> = "%s: %s is held by a route of proto %s, which apply leaves alone "
        .. "(--proto %s would own it)"
      return nil, words:format(file:where(numbers[1]), tostring(route.dst), route.proto,
        route.proto)
    end
  end
  return listed
end

-- The routes of the tables that FILE names, in the kernel's order.
local function list_tables(nl, file)
  local numbers <const>, all <const> = {}, {}
  for number in pairs(file.tables) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  for _, number in ipairs(numbers) do
    local list, message = nl.route:list { table = number }
    if not list then return nil, message end
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

-- What the plan is made against.
local function current_of(all, file, owned)
  local others <const>, current <const> = {}, {}
  for _, route in ipairs(all) do
    if not owned[tostring(route.proto)] then others[#others + 1] = route end
  end
  local listed <const>, message <const> = listed_others(others, file)
  if not listed then return nil, message end
  for _, route in ipairs(all) do
    if listed[route] ~= false then current[#current + 1] = route end
  end
  return current
end

local function owned_of(protocols)
  local owned <const> = { default = protocols[1] or "boot" }
  for _, word in ipairs(#protocols > 0 and protocols or OWNED) do owned[word] = true end
  return owned
end

---The changes that a file asks for.
---@return table|nil plan
---@return table|string routes all that the tables hold which it is about; or why there is no plan
local function plan_of(nl, args)
  local owned <const> = owned_of(args.proto)
  local file, message = routefile.read(args.file, {
    progress = terminal.progress "reading byte", socket = nl.socket,
    -- what is added without a word is ours; what is there may be of either kind
    proto = owned.default ~= "boot" and owned.default or nil,
  })
  if not file then return nil, message end
  local fine, all, current, plan
  fine, message = check_devices(nl, file.lacking)
  if fine then all, message = list_tables(nl, file) end
  if all then current, message = current_of(all, file, owned) end
  if not current then return nil, message end
  plan, message = ecmp.plan(current, file.routes)
  if plan then return plan, all end
  return nil, (message:gsub("^wanted%[(%d+)%]%.?", function(i)
    return file:where(math.tointeger(tonumber(i))) .. ": "
  end))
end

-- Telling ----------------------------------------------------------------------------------------

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

local function say(args, word)
  print(args.json and json.encode { result = word } or word)
end

local function tell(args, plan, word)
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

-- Doing ------------------------------------------------------------------------------------------

-- What has been typed so far; nil at the end of input.
local function read_line(buffer)
  local text <const> = sys.read_some(0)
  if not text or text == "" then return nil end
  return buffer .. text
end

-- Waits for `yes`, a confirmation from elsewhere, a signal, or the end of the time. The end of
-- input is no confirmation, and a signal that stands for another process's confirmation is looked
-- up.
local function await_confirmation(base, deadline, signals)
  local sources, buffer = { signals, 0 }, ""
  while sys.monotonic() < deadline do
    local ready <const> = assert(sys.poll(sources, deadline - sys.monotonic()))
    local signal <const> = ready[1] == signals and signals:read()
    if signal and signal ~= "USR1" then return "undo", "SIG" .. signal end
    if rollback.verdict(base) == "keep" then return "keep" end
    if ready[#ready] == 0 then
      buffer = read_line(buffer)
      if not buffer then sources, buffer = { signals }, "" end
      if buffer:find "^yes\r?\n" or buffer:find "\nyes\r?\n" then return "keep" end
    end
  end
  return "undo", "not confirmed in time"
end

local function restore(nl, state, why)
  local ok <const>, message <const> = rollback.restore(nl, state.base)
  local text <const> = ok and why .. ": taken back, the routes are as before"
    or ("%s: %s"):format(why, message)
  if not ok then rollback.note(state.base, "left") end
  rollback.tell(state.base, text)
  return nil, text
end

local function confirm(nl, args, state)
  local deadline <const> = sys.monotonic() + args.confirm
  assert(rollback.note(state.base, "waiting", deadline, sys.getpid(), state.guardian))
  local where <const> = args.netns and "--netns " .. args.netns .. " " or ""
  io.stderr:write(("type yes within %g s to keep this (or run: ecmp apply %s--confirmed)\n")
    :format(args.confirm, where))
  local word, why = await_confirmation(state.base, deadline, state.signals)
  local decided <const> = rollback.decide(state.base, word)
  if decided == "keep" then
    rollback.tell(state.base, "kept: confirmed")
    return true
  end
  return restore(nl, state, why or "taken back by another process")
end

-- The change itself; a signal stops it between two batches, and then it is taken back.
local function carry_out(nl, plan, state)
  local show <const>, clear <const> = terminal.progress "applying change"
  local caught
  local tx, message = plan:begin(nl, { progress = function(done, total)
    show(done, total)
    caught = caught or state.signals:read()
    return not caught
  end, undoing = terminal.progress "taking back change" })
  clear()
  caught = caught or state.signals:read()
  if tx and not caught then
    tx:commit()
    return true
  end
  if tx then tx:commit() end -- the journal knows the way back, too, and looks whether it was gone
  return restore(nl, state, caught and "SIG" .. caught or message)
end

local function begin(base, plan, routes, netns)
  local signals <const> = assert(sys.signals { "INT", "TERM", "HUP", "USR1" })
  local state <const> = { base = base, signals = signals }
  local ok, message = rollback.write(base, plan, routes)
  if ok then ok, message = rollback.note(base, "applying") end
  if ok then
    state.guardian, message = guardian.start(base, netns)
    ok = state.guardian
  end
  if not ok then return nil, message end
  return state
end

local function perform(nl, base, plan, routes, args)
  local state, message = begin(base, plan, routes, args.netns)
  if not state then return nil, message end
  local ok
  ok, message = carry_out(nl, plan, state)
  if ok then tell(args, plan, "applied") end
  if ok and args.confirm then ok, message = confirm(nl, args, state) end
  if rollback.state(base) ~= "left" then rollback.note(base, "done") end
  while state.signals:read() do end -- what came later asks for what is done already
  state.signals:close()
  if not ok then return nil, message end
  if args.confirm then say(args, "confirmed") end
  return 0
end

-- The other two jobs -----------------------------------------------------------------------------

-- Wakes a process that waits, if it is one of ours still: numbers are given anew.
local function wake(pid, word)
  local line <const> = pid and sys.read(("/proc/%d/cmdline"):format(pid))
  if line and line:find(word, 1, true) then sys.kill(pid, "USR1") end
end

-- Why there is nothing to do, and what became of the change that somebody may have in mind.
local function nothing(base, text)
  local last <const> = rollback.last(base)
  return nil, text .. (last and "; the last change: " .. last or "")
end

local function confirm_other(base, args)
  local word <const>, _, applier <const>, warden <const> = rollback.state(base)
  if word ~= "waiting" then
    return nothing(base, "nothing waits to be confirmed in this namespace")
  end
  if rollback.decide(base, "keep") ~= "keep" then return nil, "too late: it has been taken back" end
  wake(applier, "apply")
  wake(warden, base)
  say(args, "confirmed")
  return 0
end

-- How long the guardian of a change that is over may take to notice.
local SOON <const> = 1

-- Makes this process the one that is responsible. A change that is under way is not waited for.
local function take_lock(base)
  local word <const> = rollback.state(base)
  return rollback.lock(base, (not word or word == "done") and SOON or 0)
end

local function undo_leftover(nl, base, args)
  local lock <close> = take_lock(base)
  if not lock then return nil, "an apply is at work in this namespace" end
  local word <const> = rollback.state(base)
  if not word or word == "done" then
    return nothing(base, "nothing is left to be taken back in this namespace")
  end
  local left, message = rollback.difference(nl, base)
  if not left then return nil, message end
  if args.dry_run then
    tell(args, left, "left")
    return 0
  end
  local ok
  ok, message = rollback.restore(nl, base)
  if not ok then return nil, message end
  rollback.forget(base)
  if args.json then tell(args, left, "taken back") else say(args, "taken back") end
  return 0
end

local function apply_file(nl, base, args)
  local lock <close>, message, code = take_lock(base)
  if not lock then
    return nil, code == "EAGAIN"
      and "another apply is at work in this namespace, or waits to be confirmed"
      or message
  end
  local word <const> = rollback.state(base)
  if word and word ~= "done" then
    return nil, "an earlier apply was cut off here and not taken back: ecmp apply --undo does that "
      .. "(--undo --dry-run shows what is left)"
  end
  local plan <const>, routes <const> = plan_of(nl, args)
  if not plan then return nil, routes end
  if args.dry_run or #plan == 0 then
    tell(args, plan, args.dry_run and "planned" or "applied")
    return 0
  end
  return perform(nl, base, plan, routes, args)
end

-- What is wrong with how it is called: each of its jobs takes options of its own.
local function misuse(args)
  local jobs <const> = (args.file and 1 or 0) + (args.confirmed and 1 or 0) + (args.undo and 1 or 0)
  if jobs ~= 1 then return "one of FILE, --confirmed and --undo is needed" end
  local job <const> = args.confirmed and "--confirmed" or args.undo and "--undo"
  local strange <const> = job and (args.confirm and "--confirm" or args.proto[1] and "--proto"
    or args.confirmed and args.dry_run and "--dry-run")
  return strange and ("%s takes no %s"):format(job, strange)
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  if args.guardian then return guardian.main(args.guardian) end
  local wrong <const> = misuse(args)
  if wrong then
    io.stderr:write(("ecmp: apply: %s (see ecmp apply --help)\n"):format(wrong))
    return 2
  end
  local nl <close>, message = ecmp.open { netns = args.netns }
  if not nl then return nil, message end
  local base
  base, message = rollback.base(nl)
  if not base then return nil, message end
  if args.confirmed then return confirm_other(base, args) end
  if args.undo then return undo_leftover(nl, base, args) end
  return apply_file(nl, base, args)
end

return M
