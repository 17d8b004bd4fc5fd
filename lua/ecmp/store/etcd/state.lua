---What a node keeps on its own disk about a pool in etcd: the value of its node key, notes of ADDs
---whose outcome is not known yet, and tombstones of DELs that etcd has not heard of.
--
--     DIR/NETWORK/node          the node key's value as it was last seen
--     DIR/NETWORK/endpoint      the endpoint that answered last
--     DIR/NETWORK/notes/NONCE   an ADD that has sent a request; locked while it is at work
--     DIR/NETWORK/gone/NAME     an attachment that DEL could not take out of etcd; NAME@NONCE
--                               where only what one ADD reserved is to go
--     DIR/NETWORK/lock          held by who works off notes and tombstones
--
-- Notes and tombstones are on disk before anything depends on them: they outlive a crash.
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local M = {}

local State <const> = {}
State.__index = State

local DIRECTORY <const>, FILE <const> = tonumber("700", 8), tonumber("600", 8)
local LARGEST <const> = 65536
-- A file's name has room for 255 bytes.
local LONGEST <const> = 200

---@param directory string
---@param network string already known to be a good name
---@return table state
function M.new(directory, network)
  return setmetatable({ home = ("%s/%s"):format(directory, network) }, State)
end

function State:path(...)
  return table.concat({ self.home, ... }, "/")
end

local function object_of(text)
  local value <const> = json.decode(text)
  return json.kind(value) == "object" and value or nil
end

local function read_object(path)
  return object_of(sys.read(path, LARGEST) or "")
end

-- The names in a directory; none where it is not there.
---@return string[]? names, string? message, string? code
local function names_in(path)
  local names <const>, message <const>, code <const> = sys.list(path)
  if names or code == "ENOENT" then return names or {} end
  return nil, message, code
end

-- The node key ---------------------------------------------------------------------------------

---@return string? value of the node key, as it was last seen
function State:node()
  return (sys.read(self:path "node", LARGEST))
end

---Keeps the node key's value; what cannot be kept costs a round trip and no more.
---@param value string
function State:set_node(value)
  sys.mkdir(self.home, DIRECTORY)
  sys.replace(self:path "node", value, FILE)
end

---@return string? name of the endpoint that answered last
function State:endpoint()
  return (sys.read(self:path "endpoint", 4096))
end

---@param name string
function State:set_endpoint(name)
  sys.mkdir(self.home, DIRECTORY)
  sys.replace(self:path "endpoint", name, FILE)
end

-- Notes ----------------------------------------------------------------------------------------

local Note <const> = {}
Note.__index = Note

---Removes the note: the outcome of the ADD is known.
function Note:forget()
  sys.unlink(self.path)
  self.lock:close()
end

---Leaves the note for a later verb. `held`: the attachment is alive, and only what its ADD sent
---besides may still arrive.
---@param held boolean
---@return true? ok, string? message, string? code
function Note:leave(held)
  local ok, message, code = true, nil, nil
  if held then
    local text <const> = json.encode { containerid = self.attachment.containerid,
      ifname = self.attachment.ifname, nonce = self.nonce, held = true }
    ok, message, code = sys.replace(self.path, text, FILE)
  end
  self.lock:close()
  return ok, message, code
end

-- A note in place and locked. Somebody who cleans up may have found it between its making and its
-- locking, still empty, and have taken it away: then writing finds no file.
local function try_note(path, text)
  local lock <const>, message <const>, code <const> =
    sys.lock(path, { create = true, mode = FILE, timeout = 5 })
  if not lock then return nil, message, code end
  local ok, problem, why = sys.write(path, text)
  if ok then ok, problem, why = sys.fsync(path) end
  if ok then return lock end
  lock:close()
  return nil, problem, why
end

---Notes that an ADD is about to send a request. The note is locked until it is forgotten or left,
---or this process ends.
---@param attachment { containerid: string, ifname: string }
---@param nonce string
---@return table? note, string? message, string? code
function State:note(attachment, nonce)
  local ok, message, code = sys.mkdir(self:path "notes", DIRECTORY)
  if not ok then return nil, message, code end
  local path <const> = self:path("notes", nonce)
  local text <const> = json.encode { containerid = attachment.containerid,
    ifname = attachment.ifname, nonce = nonce }
  local lock
  repeat lock, message, code = try_note(path, text) until lock or code ~= "ENOENT"
  if lock then ok, message, code = sys.fsync(self:path "notes") end
  if not lock or not ok then return nil, message, code end
  return setmetatable({ path = path, lock = lock, attachment = attachment, nonce = nonce }, Note)
end

-- Reads a note whose ADD has ended; an empty one was made before anything was sent, and goes. One
-- that cannot be looked at counts as busy: its ADD may be at work.
---@return table? note, boolean? busy
local function abandoned(path)
  local lock <close>, _, code = sys.lock(path, { timeout = 0 })
  if not lock then return nil, code ~= "ENOENT" end
  local text <const>, _, why <const> = sys.read(path, LARGEST)
  if not text then return nil, why ~= "ENOENT" end
  local value <const> = object_of(text)
  local complete <const> = value and type(value.containerid) == "string"
    and type(value.ifname) == "string" and type(value.nonce) == "string"
  if complete then return value end
  sys.unlink(path)
  return nil
end

---Notes of ADDs that have ended without knowing what became of them.
---@param most integer
---@return table[] notes `{ containerid, ifname, nonce, held, path }`
function State:abandoned(most)
  local list <const> = {}
  for _, name in ipairs(sys.list(self:path "notes") or {}) do
    if #list == most then break end
    local path <const> = self:path("notes", name)
    local note <const> = not name:find("^%.") and abandoned(path)
    if note then
      note.path = path
      list[#list + 1] = note
    end
  end
  return list
end

---The nonces of ADDs that are at work now.
---@return table<string, { containerid: string, ifname: string }>? attachments by nonce; one whose
---note cannot be read has no fields
---@return string? message, string? code
function State:at_work()
  local names <const>, message <const>, code <const> = names_in(self:path "notes")
  if not names then return nil, message, code end
  local found <const> = {}
  for _, name in ipairs(names) do
    local path <const> = self:path("notes", name)
    local _, busy <const> = abandoned(path)
    if busy then found[name] = read_object(path) or {} end
  end
  return found
end

-- Tombstones -----------------------------------------------------------------------------------

local function escape(text)
  return (text:gsub("[^%w_.%-]", function(c) return ("%%%02x"):format(c:byte()) end))
end

-- One name for each attachment; where it would be too long for a file, its ends and a sum.
local function tombstone_name(attachment)
  local name <const> = escape(attachment.containerid) .. "@" .. escape(attachment.ifname)
  if #name <= LONGEST then return name end
  local sum = 0
  for i = 1, #name do sum = sum * 31 + name:byte(i) end
  return ("%s~%016x"):format(name:sub(1, LONGEST - 60), sum)
end

---Writes a tombstone: the attachment is to be deleted when etcd can be reached.
---@param attachment { containerid: string, ifname: string }
---@param nonce? string only what was reserved under it
---@return true? ok, string? message, string? code
function State:add_tombstone(attachment, nonce)
  local ok <const>, message <const>, code <const> = sys.mkdir(self:path "gone", DIRECTORY)
  if not ok then return nil, message, code end
  -- each nonce has a file of its own: one must not replace another
  local name <const> = tombstone_name(attachment) .. (nonce and "@" .. nonce or "")
  return sys.replace(self:path("gone", name), json.encode {
    containerid = attachment.containerid, ifname = attachment.ifname, nonce = nonce }, FILE)
end

---Whether there is a tombstone of an attachment, with a nonce or without.
---@param attachment { containerid: string, ifname: string }
---@return boolean found, string? message, string? code  true with a message where that is not known
function State:has_tombstone(attachment)
  local names <const>, message <const>, code <const> = names_in(self:path "gone")
  if not names then return true, message, code end
  local wanted <const> = tombstone_name(attachment)
  for _, name in ipairs(names) do
    if name == wanted or name:sub(1, #wanted + 1) == wanted .. "@" then return true end
  end
  return false
end

---@param most integer
---@return table[] tombstones `{ containerid, ifname, nonce, path }`
function State:tombstones(most)
  local list <const> = {}
  for _, name in ipairs(sys.list(self:path "gone") or {}) do
    if #list == most then break end
    local path <const> = self:path("gone", name)
    local value <const> = not name:find("^%.") and read_object(path)
    if value and type(value.containerid) == "string" and type(value.ifname) == "string" then
      list[#list + 1] = { containerid = value.containerid, ifname = value.ifname,
        nonce = value.nonce, path = path }
    end
  end
  return list
end

---Takes the lock of who works off notes and tombstones.
---@param seconds number how long to wait for it
---@return table? lock
function State:lock(seconds)
  if not sys.mkdir(self.home, DIRECTORY) then return nil end
  return (sys.lock(self:path "lock", { create = true, mode = FILE, timeout = seconds }))
end

---Removes a note or a tombstone that is done with.
function State.remove(entry)
  sys.unlink(entry.path)
end

return M
