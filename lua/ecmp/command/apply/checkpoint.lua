---What it takes to bring routes back after the process that changed them is gone: a journal on
---disk, and restoring from it.
--
-- A journal lies in files of one name, `BASE.lock`, `BASE.undo`, `BASE.state`, `BASE.verdict`,
-- `BASE.last`, in a directory of the user's own; the name is that of the network namespace. The
-- lock is held by whoever is responsible for the routes: the process that changes them, and after
-- its death the guardian. Whether the change stays is decided once, by whoever creates the verdict.

local identity = require "ecmp.fib.route"
local plan = require "ecmp.plan"
local rtnl = require "ecmp.rtnl"
local sys = require "ecmp.sys"

local M = {}

local PRIVATE <const>, FILE <const> = tonumber("700", 8), tonumber("600", 8)
local OTHERS <const> = tonumber("077", 8)

-- A directory nobody else may write in. Under /tmp another may have been faster: it must be ours.
local function is_ours(path)
  local found <const> = sys.lstat(path)
  return found and found.type == "dir" and found.uid == sys.getuid() and found.mode & OTHERS == 0
end

local function directory()
  local user_namespace <const> = sys.stat "/proc/self/ns/user"
  local candidates <const> = { "/run/ecmp" }
  local runtime <const> = os.getenv "XDG_RUNTIME_DIR"
  if runtime and runtime ~= "" then table.insert(candidates, runtime .. "/ecmp") end
  table.insert(candidates, ("/tmp/ecmp-%d-%d"):format(sys.getuid(),
    user_namespace and user_namespace.ino or 0))
  local message, code
  for _, path in ipairs(candidates) do
    local ok
    ok, message, code = sys.mkdir(path, PRIVATE)
    if (ok or code == "EEXIST") and is_ours(path) then return path end
  end
  return nil, message or "no directory for the journal that is this user's own", code or "EPERM"
end

-- What tells a namespace from all others since the machine was started; an inode, where the kernel
-- is too old for more, is given again.
local function number_of(nl)
  local cookie <const> = sys.netns_cookie(nl:fd())
  if cookie then return ("%x"):format(cookie) end
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

-- What is remembered -----------------------------------------------------------------------------

-- A route on a line, so that reading it gives the same route.
local function line_of(route)
  local text <const> = route:text { line = true, details = true, table = true }
  return ("%d %s"):format(route.family, (text:gsub("%s+", " ")))
end

local PIECE <const> = 1 << 14 -- bytes

-- The text that `tell` tells bit by bit, as sys.replace takes it.
local function pieces_of(tell)
  return coroutine.wrap(function()
    local bits, size = {}, 0
    tell(function(text)
      bits[#bits + 1], size = text, size + #text
      if size >= PIECE then
        coroutine.yield(table.concat(bits))
        bits, size = {}, 0
      end
    end)
    coroutine.yield(table.concat(bits))
  end)
end

-- The slots that change, and all routes that they hold. There may be a million of either, of which
-- nothing is kept but which slots hold something.
local function tell_journal(tell, changes, routes)
  local changing <const> = {}
  for _, route in ipairs(routes) do changing[identity.slot(route)] = false end
  for lines, slot in changes:slots "slot " do
    if slot and changing[slot] == false then changing[slot] = true end
    tell(lines)
  end
  for _, route in ipairs(routes) do
    if changing[identity.slot(route)] then tell(line_of(route) .. "\n") end
  end
end

---Writes down what the routes are that a plan is going to change, whole.
---@param base string
---@param changes table a plan
---@param routes ecmp.View[] all that the tables hold which it is about
---@return true|nil, string? message, string? code
function M.write(base, changes, routes)
  sys.unlink(base .. ".verdict")
  return sys.replace(base .. ".undo", pieces_of(function(tell)
    tell_journal(tell, changes, routes)
  end), FILE)
end

local function read_route(line)
  local family <const>, text <const> = line:match "^([46]) (.*)$"
  local route, message = rtnl.parse("route", text or "?")
  if not route then return nil, message end
  route.family = math.tointeger(tonumber(family))
  return identity.by_object(route)
end

local function tables_of(slots)
  local numbers <const> = {}
  for slot in pairs(slots) do
    numbers[math.tointeger(tonumber(slot:match " table (%d+) ")) or 254] = true
  end
  return numbers
end

---@return table|nil journal # `{ slots, routes }`
---@return string? message, string? code
local function read(base)
  local text, message, code = sys.read(base .. ".undo")
  if not text then return nil, message, code end
  local journal <const> = { slots = {}, routes = {} }
  for line in text:gmatch "[^\n]+" do
    local slot <const> = line:match "^slot (.*)$"
    if slot then
      journal.slots[slot] = true
    else
      local route, why = read_route(line)
      if not route then return nil, ("%s.undo: %s"):format(base, why), "EINVAL" end
      journal.routes[#journal.routes + 1] = route
    end
  end
  return journal
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

local function differ(nl, journal)
  local now, message, code = held(nl, journal.slots)
  if not now then return nil, message, code end
  return plan(now, journal.routes, { exactly = true })
end

---What differs from what is remembered.
---@return table|nil changes # a plan that brings it back
---@return string? message, string? code
function M.difference(nl, base)
  local journal, message, code = read(base)
  if not journal then return nil, message, code end
  return differ(nl, journal)
end

local MOST_TOLD <const> = 20

-- What is still to do, in a line; who wants all of very much can ask for it.
local function told(changes)
  if #changes <= MOST_TOLD then return (tostring(changes):gsub("\n", "; ")) end
  return ("%d changes (ecmp apply --undo --dry-run lists them)"):format(#changes)
end

---Brings the routes back to what is remembered, and looks whether they are.
---@param nl ecmp.Handle
---@param base string
---@return true|nil
---@return string? message # says what is left, change by change
---@return string? code
function M.restore(nl, base)
  local journal, message, code = read(base)
  if not journal then return nil, message, code end
  local changes, why
  changes, message, code = differ(nl, journal)
  if changes and #changes > 0 then
    why, code = select(2, changes:apply(nl))
    changes, message = differ(nl, journal)
  end
  if not changes then return nil, message, code end
  if #changes == 0 then return true end
  return nil, ("not taken back (%s), still to do: %s"):format(why or "it changed meanwhile",
    told(changes)), code or "EAGAIN"
end

-- Who decides, and how far it is -----------------------------------------------------------------

---Notes how far it is: "applying", "waiting DEADLINE APPLIER GUARDIAN", "done".
---@return true|nil, string? message, string? code
function M.note(base, ...)
  return sys.replace(base .. ".state", table.concat({ ... }, " ") .. "\n", FILE)
end

---@return string? word, number? deadline, integer? applier, integer? guardian
function M.state(base)
  local text <const> = sys.read(base .. ".state")
  if not text then return nil end
  local word <const>, deadline <const>, applier <const>, guardian <const> =
    text:match "^(%S+) ?(%S*) ?(%S*) ?(%S*)"
  return word, tonumber(deadline), math.tointeger(tonumber(applier)),
    math.tointeger(tonumber(guardian))
end

---Says how it ended, for whoever comes back after the terminal is gone.
---@param base string
---@param text string
function M.tell(base, text)
  sys.replace(base .. ".last", os.date "%Y-%m-%d %H:%M:%S " .. text .. "\n", FILE)
end

---How the last one ended, with its time.
---@param base string
---@return string? text
function M.last(base)
  local text <const> = sys.read(base .. ".last")
  return text and text:match "^[^\n]*"
end

---Decides, unless that has been done.
---@param base string
---@param word "keep"|"undo"
---@return string word # what was decided, by whomever
function M.decide(base, word)
  local ok <const> = sys.create(base .. ".verdict", word, FILE)
  return ok and word or sys.read(base .. ".verdict") or word
end

---@return string? word
function M.verdict(base)
  return sys.read(base .. ".verdict")
end

---Forgets a journal. The lock's file stays: who waits for it has it open.
function M.forget(base)
  for _, part in ipairs { ".undo", ".state", ".verdict",
    ".guardian" } do sys.unlink(base .. part) end
end

return M
