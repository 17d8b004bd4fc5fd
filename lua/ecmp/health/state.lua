---What `ecmp watch` has done to routes, in files beside the records: /run/cni/ecmp/health.
--
-- One file for each attachment with a hop that is out, by the name of its record; written before
-- the routes are changed, so that whoever comes after a crash knows both how they were and how they
-- were to be. CHECK and DEL read it whether or not a watcher lives.
local later = require "ecmp.later"
local json = require "ecmp.json"
local suspension = later "ecmp.fib.suspension"
local sys = require "ecmp.sys"

local M = {}

M.directory = "/run/cni/ecmp/health"

local DIRECTORY_MODE <const>, FILE_MODE <const> = tonumber("755", 8), tonumber("600", 8)

-- Files of the watcher itself; none has the name of a record.
local LOCK <const>, STATUS <const> = "lock", "status"

local function path_of(name) return ("%s/%s"):format(M.directory, name) end

---@return true? ok, string? message, string? code
function M.prepare()
  local parent <const> = M.directory:match "^(.*)/"
  for _, directory in ipairs { parent, M.directory } do
    local ok <const>, message <const>, code <const> = sys.mkdir(directory, DIRECTORY_MODE)
    if not ok then return nil, message, code end
  end
  return true
end

local function try_lock(seconds)
  return sys.lock(path_of(LOCK), { timeout = seconds, mode = FILE_MODE, create = true })
end

-- Who asks for the status has the lock for a moment.
local MOMENT <const> = 0.2

---Takes the lock of the only watcher, and removes the status file of an earlier one.
---@return table? lock to be closed, string? message, string? code where another watcher has it
function M.lock()
  local lock <const>, message <const>, code <const> = try_lock(MOMENT)
  if lock then sys.unlink(path_of(STATUS)) end
  return lock, message, code
end

-- A list beside whose elements fields stand, as the weights of `places` do, is written as a list:
-- reading it computes them anew.
local function without_fields(value)
  if type(value) ~= "table" then return value end
  local copy <const> = {}
  for key, inner in pairs(value) do
    if value[1] == nil or math.type(key) == "integer" then copy[key] = without_fields(inner) end
  end
  return copy
end

---The routes of an attachment as text, for `write`: pods of one segment have the same.
---@param routes table[] suspensions (ecmp.fib.suspension), each with `before` while it is changed
---@return string
function M.encode(routes)
  return json.encode { format = 1, routes = json.array(without_fields(routes)) }
end

---@param name string of the record, "NETWORK:CONTAINERID:IFNAME.json"
---@param text string as `encode` made it
---@return true? ok, string? message, string? code
function M.write(name, text)
  return sys.replace(path_of(name), text, FILE_MODE)
end

---@param name string
---@return table[]? routes nil where nothing is out
---@return string? message where that cannot be read
function M.read(name)
  local text <const>, message <const>, code <const> = sys.read(path_of(name))
  if not text and code ~= "ENOENT" then return nil, message end
  local value <const> = text and json.decode(text)
  if type(value) ~= "table" or value.format ~= 1 then return nil end
  for _, one in ipairs(value.routes) do
    suspension.thaw(one)
    if one.before then suspension.thaw(one.before) end
  end
  return value.routes
end

---@param name string
function M.remove(name)
  sys.unlink(path_of(name))
end

---Removes the file of an attachment whose record is gone: its DEL may have come just before the
---file was written.
---@param name string of the record
function M.remove_ended(name)
  local directory <const> = M.directory:match "^(.*)/"
  local found <const>, _, code = sys.lstat(("%s/%s"):format(directory, name))
  if not found and code == "ENOENT" then M.remove(name) end
end

---The names of attachments that have hops out.
---@return string[]
function M.names()
  local names <const> = {}
  for _, name in ipairs(sys.list(M.directory) or {}) do
    if name:find "%.json$" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

---@param status table
---@return true? ok, string? message, string? code
function M.write_status(status)
  return sys.replace(path_of(STATUS), json.encode(status), FILE_MODE)
end

---The status that the last watcher wrote; and whether it still runs.
---@return table? status, boolean lives
function M.status()
  local text <const> = sys.read(path_of(STATUS))
  local lock <close> = sys.stat(path_of(LOCK)) and try_lock(0)
  return text and json.decode(text) or nil, not lock and sys.stat(path_of(LOCK)) ~= nil
end

return M
