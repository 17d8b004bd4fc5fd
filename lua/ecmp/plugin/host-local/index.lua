---Which attachment holds which file of a network's directory: a cache of what reading every file
---would say.
--
-- It lives beside the directory, in 256 small files chosen by container id, and is believed only
-- while the directory's modification time is the one that `seal` put there. `seal` sets a time in
-- the past with random nanoseconds, which no change by anybody's hand produces, so that the
-- kernel's coarse clock cannot hide a change made in the same tick. (Nobody rewrites a reservation
-- in place, so the directory tells of every change.) Everything here happens under the directory's
-- lock. After a kill at any moment the times differ and the directory is read anew.
local boot = require "ecmp.plugin.host-local.boot"
local sys = require "ecmp.sys"

local M = {}

---@class ecmp.store.Entry
---@field name string name of the file
---@field key string what it holds, as `M.key` writes it
---@field ino integer
---@field ctime integer nanoseconds; with `ino` the identity of the file
---@field boot string token of the boot under which the file was first seen

local Index <const> = {}
Index.__index = Index

local BUCKETS <const> = 256
-- A container id has no bound of its own, the environment that carried it has.
local TEXT_LIMIT <const> = 131072

---The index tells who runs here: for the owner's eyes, as the reservations are.
M.home_mode = 448

local function escape(text)
  return (text:gsub("[%c %%/=]", function(c) return ("%%%02x"):format(c:byte()) end))
end

local function unescape(text)
  if not text:find("%", 1, true) then return text end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---What a file's content is called here: `ID/IFNAME`, or `ID` alone as in files of the old format.
---White space around it is trimmed, as the reference trims it.
---@param text string
---@return string key
function M.key(text)
  local id <const>, ifname <const> = text:match("^([%w_.%-]+)\r\n([^%c %%/=]+)$")
  if id then return id .. "/" .. ifname end
  -- Zero bytes are what a crash leaves of a file that was never written out.
  return (escape(text:match("^[%s%z]*(.-)[%s%z]*$")):gsub("%%0d%%0a", "/", 1))
end

-- Both spellings of a reservation, with and without interface, fall into one bucket: FNV-1a over
-- the last bytes of the container id, which differ most.
local function bucket_of(key)
  local last <const> = (key:find("/", 1, true) or #key + 1) - 1
  local hash = 0x811c9dc5
  for i = math.max(1, last - 7), last do
    hash = ((hash ~ key:byte(i)) * 0x01000193) & 0xffffffff
  end
  return (hash ~ (hash >> 16)) % BUCKETS
end

-- A bucket is the text of its lines; `=` stands nowhere but at the start of one.
local line_pattern <const> = "=(%S*) (%S+) (%d+) (%d+) (" .. boot.pattern .. ")\n"

local function entry(key, name, ino, ctime, seen)
  return name and { name = unescape(name), key = key, ino = math.tointeger(ino),
    ctime = math.tointeger(ctime), boot = seen }
end

local function line(e)
  return ("=%s %s %d %d %s\n"):format(e.key, escape(e.name), e.ino, e.ctime, e.boot)
end

-- No fsync: after a crash of the machine the boot differs and nothing here is believed.
local function write_file(path, text)
  return sys.write(path, text) or sys.create(path, text)
end

function Index:path(name)
  return self.home .. "/" .. name
end

---Opens the index of a directory; the caller holds the directory's lock.
---@param dir string the network's directory
---@param home string where the index lives
---@param readonly? boolean write nothing
---@return table index
function M.open(dir, home, readonly)
  local self <const> = setmetatable(
    { dir = dir, home = home, readonly = readonly, buckets = {}, dirty = {} }, Index)
  local stat <const> = sys.stat(dir)
  self.token = boot.token()
  self.private = stat ~= nil and boot.is_private(stat)
  if not stat or sys.read(self:path "seal", 64) ~= self:seal_text(stat.mtime_ns) then
    self:rebuild()
  end
  return self
end

-- The seal names the boot too: files are not synced, so a crash may have lost any of them.
function Index:seal_text(mtime)
  return ("%s %d\n"):format(self.token, mtime)
end

-- The text of one bucket, read when first asked for.
function Index:bucket(n)
  self.buckets[n] = self.buckets[n] or sys.read(self:path(("%02x"):format(n))) or ""
  return self.buckets[n]
end

-- Of a directory that was written to behind our back: what was known of it, by file name.
function Index:remembered()
  local known <const> = {}
  for _, e in ipairs(self:all()) do known[e.name] = e end
  return known
end

local function is_reservation(name)
  return name ~= "lock" and not name:find("last_reserved_ip.", 1, true)
end

-- What could not be looked at, though it may be there, leaves the index incomplete: the next
-- process reads the directory again.
function Index:doubt(found, code)
  if not found and code ~= "ENOENT" then self.incomplete = true end
end

-- The entry of one file, taken over from `old` where that is provably the same file.
--
-- Inodes are used again at once, and the clock of files is coarse: only what was there well before
-- the last seal, whose time is in the past, cannot be another file with the same inode and time.
function Index:entry_of(name, old, sealed)
  local path <const> = self.dir .. "/" .. name
  local stat <const>, _, absent <const> = sys.lstat(path)
  self:doubt(stat, absent)
  if not stat or stat.type ~= "file" then return nil end
  local same <const> = old and old.ino == stat.ino and old.ctime == stat.ctime_ns
  if same and old.ctime < sealed then return old end
  local text <const>, _, gone <const> = sys.read(path, TEXT_LIMIT)
  self:doubt(text, gone)
  if not text then return nil end
  local key <const> = M.key(text)
  local seen <const> = same and old.key == key and old.boot or self.token
  return { name = name, key = key, ino = stat.ino, ctime = stat.ctime_ns, boot = seen }
end

-- What was to become the file that says which address was handed out last, when its maker was
-- killed: the lock is ours, so nobody is about to rename it.
local function is_remnant(name)
  return name:find("^%.last_reserved_ip%.%d+$") ~= nil
end

---Looks at the whole directory. Of files that are known already only their identity is read.
function Index:rebuild()
  local known <const> = self:remembered()
  local seal <const> = sys.read(self:path "seal", 64) or ""
  local sealed <const> = math.tointeger(seal:match(" (%d+)\n$")) or 0
  local lines <const> = {}
  local names <const>, _, code <const> = sys.list(self.dir)
  self:doubt(names, code)
  for _, name in ipairs(names or {}) do
    if is_remnant(name) and not self.readonly then sys.unlink(self.dir .. "/" .. name) end
    local e <const> = is_reservation(name) and self:entry_of(name, known[name], sealed)
    local n <const> = e and bucket_of(e.key)
    if n then
      lines[n] = lines[n] or {}
      table.insert(lines[n], line(e))
    end
  end
  for n = 0, BUCKETS - 1 do self:set_bucket(n, lines[n] and table.concat(lines[n]) or "") end
  self.rebuilt = true
end

function Index:set_bucket(n, text)
  if text == (self.buckets[n] or "") then return end
  self.buckets[n], self.dirty[n] = text, true
end

---Whether a reservation belongs to nobody: it is blank, which only a crash leaves behind while the
---lock is ours, or it was made under an earlier boot.
---@param e ecmp.store.Entry
---@return boolean
function Index:is_dead(e)
  return e.key == "" or (self.private and boot.is_over(e.boot, self.token))
end

---The files that hold a key (see `M.key`). Who removes files by hand takes no lock, so each is
---looked at; one that cannot be looked at may be there.
---@param key string
---@return ecmp.store.Entry[]
function Index:find(key)
  local text <const> = self:bucket(bucket_of(key))
  local found <const> = {}
  local at = text:find("=" .. key .. " ", 1, true)
  while at do
    local e <const> = entry(text:match("^" .. line_pattern, at))
    if e then
      local stat <const>, _, code <const> = sys.lstat(self.dir .. "/" .. e.name)
      if stat or code ~= "ENOENT" then found[#found + 1] = e end
    end
    at = text:find("=" .. key .. " ", at + 1, true)
  end
  return found
end

---Every file, in order of name within a bucket.
---@return ecmp.store.Entry[]
function Index:all()
  local all <const> = {}
  -- Of the buckets that there may be a node has a few, and to try for each takes a millisecond.
  for _, name in ipairs(sys.list(self.home) or {}) do
    if name:find("^%x%x$") then self:bucket(tonumber(name, 16)) end
  end
  for n = 0, BUCKETS - 1 do
    local text <const> = self.buckets[n] or ""
    if text ~= "" then
      for key, name, ino, ctime, seen in text:gmatch(line_pattern) do
        all[#all + 1] = entry(key, name, ino, ctime, seen)
      end
    end
  end
  return all
end

---Notes a file that was just made.
---@param name string
---@param text string what it holds
function Index:add(name, text)
  local stat <const> = sys.lstat(self.dir .. "/" .. name)
  self.incomplete = self.incomplete or not stat
  local key <const> = M.key(text)
  local n <const> = bucket_of(key)
  self:set_bucket(n, self:bucket(n) .. line { name = name, key = key, ino = stat and stat.ino or 0,
    ctime = stat and stat.ctime_ns or 0, boot = self.token })
end

---Forgets a file that was just removed.
---@param e ecmp.store.Entry
function Index:remove(e)
  local n <const> = bucket_of(e.key)
  local text <const> = self:bucket(n)
  local from <const>, to <const> = text:find(line(e), 1, true)
  if from then self:set_bucket(n, text:sub(1, from - 1) .. text:sub(to + 1)) end
end

function Index:write_buckets()
  for n in pairs(self.dirty) do
    local path <const> = self:path(("%02x"):format(n))
    if self.buckets[n] ~= "" then
      if not write_file(path, self.buckets[n]) then return false end
    elseif not sys.unlink(path) and sys.lstat(path) then
      return false
    end
  end
  return true
end

---Writes what changed and marks the directory as known. What cannot be written costs speed and no
---more: without a seal the next one reads the directory.
---@param touched boolean whether the directory changed since `open`
function Index:seal(touched)
  if self.readonly or self.incomplete or not (touched or self.rebuilt) then return end
  if not sys.mkdir(self.home, M.home_mode) or not self:write_buckets() then return end
  local fraction <const> = string.unpack("<I4", sys.random(4)) % 1000000000
  local target <const> = (math.floor(sys.realtime()) - 2) * 1000000000 + fraction
  if not sys.set_mtime(self.dir, target) then return end
  -- A coarse file system keeps less than it was given; later than that is somebody's change.
  local stat <const> = sys.stat(self.dir)
  if stat and stat.mtime_ns <= target then
    write_file(self:path "seal", self:seal_text(stat.mtime_ns))
  end
end

return M
