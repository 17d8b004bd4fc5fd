---On-disk checkpoint of an apply: the routes before the change, for rollback after a crash.
--
-- It lies in files of one name, that of the network namespace, in a directory that nobody else may
-- write in.
--
--     BASE.lock       held by who is responsible: the applier, and after its death the watchdog
--     BASE.undo       the journal: its first word is how it ended (open, kept, back), then the keys
--                     that change and the routes that they held
--     BASE.undecided  renamed once, to BASE.keep or BASE.take-back: whoever does that decides
--     BASE.state      "applying", or "waiting DEADLINE APPLIER WATCHDOG"
--     BASE.added      routes of other protocols that an apply added; BASE.added.new while undecided
--     BASE.last       how the last one ended, for whoever comes back
--
-- Everything that ending needs is written before the first change: deciding renames, the first word
-- is overwritten in place, and the rest is unlinked, so that a full disk does not matter. Who may
-- have to take the change back keeps the journal open, since its directory may be removed.

local identity = require "ecmp.fib.route"
local nexthop = require "ecmp.fib.nexthop"
local plan = require "ecmp.plan"
local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"

local M = {}

local PRIVATE <const>, FILE <const> = tonumber("700", 8), tonumber("600", 8)
local OTHERS_WRITE <const> = tonumber("022", 8)

-- A directory nobody else may write in. Under /tmp another may have been faster: it must be ours.
---@return true|nil, string? message
local function check_directory(path)
  local found <const>, message <const> = sys.lstat(path)
  if not found then return nil, message end
  if found.type ~= "dir" or found.uid ~= sys.getuid() then
    return nil, path .. ": it is no directory of this user's"
  end
  if found.mode & OTHERS_WRITE ~= 0 then
    return nil, path .. ": others may write in it (chmod go-w)"
  end
  return true
end

-- Whether this is root of the whole machine, not of a user namespace.
local function is_root()
  local map <const> = sys.getuid() == 0 and sys.read "/proc/self/uid_map"
  return map and map:match "^%s*0%s+0%s+4294967295%s*$" ~= nil
end

-- Two applies of one namespace have to find the same directory: root has one alone.
local function directories()
  local candidates <const> = { "/run/ecmp" }
  if is_root() then return candidates end
  local user_namespace <const> = sys.stat "/proc/self/ns/user"
  local runtime <const> = os.getenv "XDG_RUNTIME_DIR"
  if runtime and runtime ~= "" then table.insert(candidates, runtime .. "/ecmp") end
  table.insert(candidates, ("/tmp/ecmp-%d-%d"):format(sys.getuid(),
    user_namespace and user_namespace.ino or 0))
  return candidates
end

---@return string|nil path, string? message, string? code
local function directory()
  local message, code
  for _, path in ipairs(directories()) do
    local ok
    ok, message, code = sys.mkdir(path, PRIVATE)
    if not ok and code == "EEXIST" then code = "EPERM" end
    if ok or code == "EPERM" then ok, message = check_directory(path) end
    if ok then return path end
  end
  return nil, message, code
end

-- What tells a namespace from all others since the machine was started; an inode, where the kernel
-- is too old for more, is given again.
local function number_of(nl)
  local cookie <const>, refusal <const>, why <const> = sys.netns_cookie(nl:fd())
  if cookie then return ("%x"):format(cookie) end
  -- by another name nobody would find the files and the lock
  if why ~= "ENOPROTOOPT" then return nil, refusal, why end
  local fd <const> = nl.socket:netns()
  local found <const>, message <const>, code <const> =
    sys.stat(fd and ("/proc/self/fd/%d"):format(fd) or "/proc/self/ns/net")
  if not found then return nil, message, code end
  return ("inode-%d"):format(found.ino)
end

---The name under which a namespace's journal is kept.
---@param nl ecmp.Handle
---@return string|nil base, string? message, string? code
function M.base(nl)
  local dir, message, code = directory()
  if not dir then return nil, message, code end
  local number
  number, message, code = number_of(nl)
  if not number then return nil, message, code end
  return ("%s/apply-%s"):format(dir, number)
end

---Makes this process the one that is responsible.
---@param base string
---@param timeout number seconds
---@return table|nil lock, string? message, string? code # "EAGAIN": another is
function M.lock(base, timeout)
  local lock, message, code = sys.lock(base .. ".lock",
    { timeout = timeout, mode = FILE, create = true })
  return lock, message, code
end

-- The routes before the change ------------------------------------------------------------------

-- A route on a line, so that reading it gives the same route.
local function line_of(route)
  local text <const> = route:text { line = true, details = true, table = true }
  return ("%d %s"):format(route.family, (text:gsub("%s+", " ")))
end

local PIECE <const> = 1 << 14 -- bytes

-- The text that `write` gives line by line, in pieces for sys.replace.
local function pieces_of(write)
  return coroutine.wrap(function()
    local bits, size = {}, 0
    write(function(text)
      bits[#bits + 1], size = text, size + #text
      if size >= PIECE then
        coroutine.yield(table.concat(bits))
        bits, size = {}, 0
      end
    end)
    coroutine.yield(table.concat(bits))
  end)
end

local ENDED <const> = { keep = "kept", undo = "back" } -- as long as "open"

-- The keys that change, and all routes that they hold. There may be a million of either, of which
-- nothing is kept but which keys hold something.
local function tell_journal(tell, changes, routes)
  local changing <const> = {}
  tell "open\n"
  for _, route in ipairs(routes) do changing[identity.slot(route)] = false end
  for lines, slot in changes:slots "slot " do
    if slot and changing[slot] == false then changing[slot] = true end
    tell(lines)
  end
  for _, route in ipairs(routes) do
    if changing[identity.slot(route)] then tell(line_of(route) .. "\n") end
  end
end

local function tell_added(tell, added)
  for _, route in ipairs(added) do tell(line_of(rtnl.view("route", route, true)) .. "\n") end
end

-- What of a checkpoint is there while it is undecided, and after.
local PARTS <const> = { ".state", ".undecided", ".keep", ".take-back", ".watchdog", ".added.new",
  ".undo" }

---Removes a checkpoint. The lock's file stays: who waits for it has it open.
---@param base string
function M.remove(base)
  for _, part in ipairs(PARTS) do sys.unlink(base .. part) end
end

---Writes down what the routes are that a plan is going to change, whole, and what it takes to
---decide.
---@param base string
---@param changes table a plan
---@param routes ecmp.View[] all that the tables hold which it is about
---@param added? table[] routes of other protocols that are an apply's from now on
---@return ecmp.apply.Journal|nil journal
---@return string? message, string? code
function M.write(base, changes, routes, added)
  M.remove(base)
  local ok, message, code = sys.replace(base .. ".undo", pieces_of(function(tell)
    tell_journal(tell, changes, routes)
  end), FILE)
  if ok then ok, message, code = sys.replace(base .. ".undecided", "", FILE) end
  if ok then
    ok, message, code = sys.replace(base .. ".added.new", pieces_of(function(tell)
      tell_added(tell, added or {})
    end), FILE)
  end
  local journal
  if ok then journal, message, code = M.open(base) end
  if journal then return journal end
  M.remove(base)
  return nil, message, code
end

---@class ecmp.apply.Journal
---@field lines file*
---@field ending file* the same file without a buffer: others write its first word
---@field inode integer

---Opens the journal, to be kept for `decide`, `restore` and `finish`.
---@param base string
---@return ecmp.apply.Journal|nil journal, string? message
---@return string? code  ENOENT: there is none
function M.open(base)
  local path <const> = base .. ".undo"
  local found <const>, message <const>, code <const> = sys.stat(path)
  if not found then return nil, message, code end
  local lines <const>, problem <const> = io.open(path)
  if not lines then return nil, problem end
  local ending <const>, why <const> = io.open(path, "r+")
  if not ending then
    lines:close()
    return nil, why
  end
  ending:setvbuf "no"
  return { lines = lines, ending = ending, inode = found.ino }
end

local function read_route(line)
  local family <const>, text <const> = line:match "^([46]) (.*)$"
  local route, message = rtnl.parse("route", text or "?")
  if not route then return nil, message end
  route.family = math.tointeger(tonumber(family))
  return nexthop.by_object(route)
end

local function tables_of(slots)
  local numbers <const> = {}
  for slot in pairs(slots) do
    numbers[math.tointeger(tonumber(slot:match " table (%d+) ")) or 254] = true
  end
  return numbers
end

-- How it ended: "open" while it has not.
local function ending(journal)
  journal.ending:seek "set"
  return journal.ending:read(4)
end

---Whether what was decided has been carried out; a journal that cannot be read does not say so.
---@param journal ecmp.apply.Journal
---@return boolean
function M.has_ended(journal)
  local word <const> = ending(journal)
  return word == ENDED.keep or word == ENDED.undo
end

---@return table|nil journal `{ slots, routes }`
---@return string? message, string? code
local function read(journal)
  local found <const> = { slots = {}, routes = {} }
  journal.lines:seek "set"
  journal.lines:read "l"
  for line in journal.lines:lines() do
    local slot <const> = line:match "^slot (.*)$"
    if slot then
      found.slots[slot] = true
    else
      local route, why = read_route(line)
      if not route then return nil, "the journal: " .. why, "EINVAL" end
      found.routes[#found.routes + 1] = route
    end
  end
  return found
end

---The routes of other protocols that an apply has added.
---@param base string
---@return table[]|nil routes, string? message
function M.added(base)
  local text <const>, message <const>, code <const> = sys.read(base .. ".added")
  if not text then
    if code == "ENOENT" then return {} end
    return nil, message
  end
  local routes <const> = {}
  for line in text:gmatch "[^\n]+" do
    local route <const>, why <const> = read_route(line)
    if not route then return nil, ("%s.added: %s"):format(base, why) end
    routes[#routes + 1] = route
  end
  return routes
end

-- The routes a namespace holds in some slots.
---@return table[]|nil routes, string? message, string? code
local function held(nl, slots)
  local found <const> = {}
  for number in pairs(tables_of(slots)) do
    local list <const>, message <const>, code <const> = nl.route:list { table = number }
    if not list then return nil, message, code end
    for _, route in ipairs(list) do
      if slots[identity.slot(route)] then found[#found + 1] = route end
    end
  end
  return found
end

local function differ(nl, found)
  local now, message, code = held(nl, found.slots)
  if not now then return nil, message, code end
  return plan(now, found.routes, { exactly = true })
end

---What differs from what is remembered.
---@param nl ecmp.Handle
---@param journal ecmp.apply.Journal
---@return table|nil changes a plan that brings it back
---@return string? message, string? code
function M.difference(nl, journal)
  local found, message, code = read(journal)
  if not found then return nil, message, code end
  return differ(nl, found)
end

local MOST_SHOWN <const> = 20

-- Changes on one line of a message, or only their count.
local function summary(changes)
  if #changes <= MOST_SHOWN then return (tostring(changes):gsub("\n", "; ")) end
  return ("%d changes (ecmp apply --undo --dry-run lists them)"):format(#changes)
end

local TRIES <const> = 3 -- another may be bringing them back, too

---Restores the routes of the checkpoint, and reads the tables again to verify it. Does nothing
---where it has been restored already.
---@param nl ecmp.Handle
---@param journal ecmp.apply.Journal
---@return true|nil
---@return string? message says what is left, change by change
---@return string? code
function M.restore(nl, journal)
  if ending(journal) == ENDED.undo then return true end
  local found <const>, wrong <const>, invalid <const> = read(journal)
  if not found then return nil, wrong, invalid end
  local changes, message, code = differ(nl, found)
  local why
  for _ = 1, TRIES do
    if not changes then return nil, message, code end
    if #changes == 0 then return true end
    why, code = select(2, changes:apply(nl))
    changes, message = differ(nl, found)
  end
  if not changes then return nil, message, code end
  if #changes == 0 then return true end
  return nil, ("not taken back (%s), still to do: %s"):format(why or "it changed meanwhile",
    summary(changes)), code or "EAGAIN"
end

-- State of the change, and who ends it ------------------------------------------------------------

---Notes how far it is: "applying", or "waiting", deadline, applier and watchdog.
---@param base string
---@return true|nil, string? message, string? code
function M.note(base, ...)
  return sys.replace(base .. ".state", table.concat({ ... }, " ") .. "\n", FILE)
end

---How far it is; nothing where no checkpoint is there, and "unknown" where that cannot be read.
---@param base string
---@return string? word, number? deadline, integer? applier, integer? watchdog
function M.state(base)
  local text <const>, _, code <const> = sys.read(base .. ".state")
  if not text then return code ~= "ENOENT" and "unknown" or nil end
  local word <const>, deadline <const>, applier <const>, watchdog <const> =
    text:match "^(%S+) ?(%S*) ?(%S*) ?(%S*)"
  return word, tonumber(deadline), math.tointeger(tonumber(applier)),
    math.tointeger(tonumber(watchdog))
end

---Says how it ended, for whoever comes back after the terminal is gone. Where that cannot be
---written, it ended all the same.
---@param base string
---@param text string
---@return true|nil, string? message
function M.tell(base, text)
  return sys.replace(base .. ".last", os.date "%Y-%m-%d %H:%M:%S " .. text .. "\n", FILE)
end

---How the last one ended, with its time.
---@param base string
---@return string? text
function M.last(base)
  local text <const> = sys.read(base .. ".last")
  return text and text:match "^[^\n]*"
end

local DECISION <const> = { keep = ".keep", undo = ".take-back" }

---Whether the files of a checkpoint are where they were, and not those of a later one. Where that
---cannot be found out they are taken to be there.
---@param base string
---@param journal ecmp.apply.Journal
---@return boolean
function M.is_there(base, journal)
  local found <const>, _, code <const> = sys.stat(base .. ".undo")
  if not found then return code ~= "ENOENT" end
  return found.ino == journal.inode
end

---What was decided, if that was done.
---@param base string
---@param journal ecmp.apply.Journal
---@return "keep"|"undo"|nil word
function M.decision(base, journal)
  local is_there <const>, ended <const> = M.is_there(base, journal), ending(journal)
  for word, path in pairs(DECISION) do
    if ended == ENDED[word] or is_there and sys.stat(base .. path) then return word end
  end
  return nil
end

---Decides, unless that has been done. What nobody can decide, since the files were removed, is
---taken back.
---@param base string
---@param word "keep"|"undo"
---@param journal ecmp.apply.Journal
---@return "keep"|"undo" word what was decided, by whomever
---@return string? message why it could not be decided so
function M.decide(base, word, journal)
  local ok, message = false, "the journal was removed"
  if M.is_there(base, journal) then
    ok, message = sys.rename(base .. ".undecided", base .. DECISION[word])
  end
  if ok then return word end
  local decided <const> = M.decision(base, journal)
  if decided then return decided end
  return "undo", message
end

---Ends it: what was decided has been carried out.
---@param base string
---@param word "keep"|"undo"
---@param journal ecmp.apply.Journal
---@return true|nil, string? message
function M.finish(base, word, journal)
  journal.ending:seek "set"
  local ok <const>, message <const> = journal.ending:write(ENDED[word])
  if not ok then return nil, message end
  if M.is_there(base, journal) then
    if word == "keep" then sys.rename(base .. ".added.new", base .. ".added") end
    M.remove(base)
  end
  return true
end

return M
