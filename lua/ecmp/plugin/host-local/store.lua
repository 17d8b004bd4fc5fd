---Address reservations on disk, as the reference host-local plugin keeps them, under its lock.
--
-- `DATADIR/NETWORK/` holds one file per address, its name the address, its content the container
-- id, CR LF, the interface; `last_reserved_ip.N`, the address handed out last from range set N; and
-- `lock`. Both plugins can share a pool. Beyond the reference: a reservation has no name until it
-- is whole, markers are replaced whole, waiting for the lock has an end, and an index (see
-- `ecmp.plugin.host-local.index`) spares reading every file.
local Index = require "ecmp.plugin.host-local.index"
local codes = require("ecmp.cni.errors").codes
local ip = require "ecmp.ip"
local sys = require "ecmp.sys"

local M = {}

---Seconds to wait for the lock before giving up with code 11.
M.lock_timeout = 20

-- A later try may cure the second.
local MISTAKE <const>, AGAIN <const>, INTERNAL <const> = codes.config, codes.again,
  codes.internal

-- Modes of the reference: 0755, 0750, 0600.
local DIR_MODE <const>, LOCK_MODE <const>, FILE_MODE <const> = 493, 488, 384

-- How many taken addresses to try one by one before the directory is listed.
local PROBES <const> = 16

local Store <const> = {}
Store.__index = Store

local function refuse(message)
  return nil, message, INTERNAL
end

-- What the reference writes into a file.
local function content_of(id, ifname)
  return id .. "\r\n" .. ifname
end

local function key_of(id, ifname)
  return Index.key(content_of(id, ifname))
end

function Store:path(name)
  return self.dir .. "/" .. name
end

local function home(data_dir, network)
  return ("%s/.ecmp/%s"):format(data_dir, network)
end

-- Bytes that a file's name has room for.
local LONGEST_NAME <const> = 255

-- A network's name becomes part of a path: what CNI allows has no slash and no dot in front.
local function is_name(network)
  return type(network) == "string" and network:find("^%w[%w_.%-]*$") ~= nil
    and #network <= LONGEST_NAME
end

-- What says that a directory is not there; after any other error it may be.
local ABSENT <const> = { ENOENT = true, ENOTDIR = true }

---Opens the store of a network and takes its lock; creates the directory if it is not there.
---@param data_dir string
---@param network string
---@param opts? { timeout?: number, create?: boolean } `create = false`: do not make the directory
---@return table? store, string? message, integer? code  nil alone: there is no such directory
function M.open(data_dir, network, opts)
  opts = opts or {}
  if not is_name(network) then
    return nil, ("name: '%s' is no name of a directory for a network"):format(network), MISTAKE
  end
  local dir <const> = data_dir .. "/" .. network
  if opts.create == false then
    local found <const>, trouble <const>, cause <const> = sys.stat(dir)
    if not found and ABSENT[cause] then return nil end
    if not found then return refuse(trouble) end
  end
  local made <const>, message <const> = sys.mkdir(dir, DIR_MODE)
  if not made then return refuse(message) end
  local timeout <const> = opts.timeout or M.lock_timeout
  local lock <const>, refusal <const>, why <const> =
    sys.lock(dir .. "/lock", { timeout = timeout, mode = LOCK_MODE, create = true })
  if not lock and why == "EAGAIN" then
    return nil, ("lock %s/lock: held by another process for %g seconds")
      :format(dir, timeout), AGAIN
  end
  if not lock then return refuse(refusal) end
  return setmetatable({ dir = dir, home = home(data_dir, network), lock = lock }, Store)
end

---Looks at a network without its lock and without writing anything; what it says may be outdated
---the moment it is said. A missing directory reads as an empty pool.
---@param data_dir string
---@param network string
---@return table store
function M.peek(data_dir, network)
  local dir <const> = data_dir .. "/" .. network
  return setmetatable({ dir = dir, home = home(data_dir, network), readonly = true }, Store)
end

---Whether anything could be reserved in a network: its file system takes a file. The probe is
---beside the network's directory, whose times mean something.
---@param data_dir string
---@param network string
---@return true?, string? message
function M.probe(data_dir, network)
  local made, message = sys.mkdir(home(data_dir, network), Index.home_mode)
  if not made then return nil, message end
  local path <const> = ("%s/probe-%d"):format(home(data_dir, network), sys.getpid())
  made, message = sys.create(path, "probe", FILE_MODE)
  sys.unlink(path)
  return made, message
end

-- Read when first needed: who only lists names does not pay for it.
function Store:known()
  self.index = self.index or Index.open(self.dir, self.home, self.readonly)
  return self.index
end

---Lets go of the lock, after noting what changed.
function Store:close()
  if self.closed then return end
  self.closed = true
  if self.readonly then return end
  -- An error thrown between a file and its note leaves the index unsealed, and so unbelieved.
  if self.index and not self.unsure then self.index:seal(self.touched) end
  self.lock:close()
end

Store.__close = Store.close
Store.__gc = Store.close

---The files that belong to an attachment: those that name it, and those of the old format that
---name its container alone.
---@param id string
---@param ifname string
---@return ecmp.store.Entry[]
function Store:reservations(id, ifname)
  local found <const> = self:known():find(key_of(id, ifname))
  for _, entry in ipairs(self:known():find(Index.key(id))) do found[#found + 1] = entry end
  return found
end

---The addresses an attachment holds.
---@param id string
---@param ifname string
---@return userdata[]
function Store:addresses(id, ifname)
  local found <const> = {}
  for _, entry in ipairs(self:reservations(id, ifname)) do
    if not self:known():is_dead(entry) then found[#found + 1] = ip.parse(entry.name) end
  end
  return found
end

function Store:remove(entry)
  local removed <const>, message <const>, code <const> = sys.unlink(self:path(entry.name))
  if not removed and code ~= "ENOENT" then return refuse(message) end
  self.touched = true
  self:known():remove(entry)
  return true
end

---Reserves one address.
---@param address userdata
---@param id string
---@param ifname string
---@return boolean? reserved, string? message, integer? code  false where it is taken
function Store:reserve(address, id, ifname)
  local name <const> = tostring(address)
  local index <const> = self:known() -- before the file is there, or it would be noted twice
  self.unsure = true
  local text <const> = content_of(id, ifname)
  local made <const>, message <const>, code <const> =
    sys.create(self:path(name), text, FILE_MODE)
  if made then
    self.touched = true
    index:add(name, text)
  end
  self.unsure = false
  if made then return true end
  if code == "EEXIST" then return false end
  return refuse(message)
end

---The reservations that belong to nobody, by file name: blank files, and those made under an
---earlier boot. They are reused when nothing else is free, or asked for by name.
---@return table<string, ecmp.store.Entry>
function Store:dead()
  local dead <const> = {}
  for _, entry in ipairs(self:known():all()) do
    if self:known():is_dead(entry) then dead[entry.name] = entry end
  end
  return dead
end

-- What is known of one file.
function Store:entry(name)
  local text <const> = sys.read(self:path(name)) or ""
  for _, entry in ipairs(self:known():find(Index.key(text))) do
    if entry.name == name then return entry end
  end
end

---Reserves one address although a dead reservation may be in its place.
function Store:reserve_or_reclaim(address, id, ifname)
  local reserved <const>, message <const>, code <const> = self:reserve(address, id, ifname)
  if reserved ~= false then return reserved, message, code end
  local entry <const> = self:entry(tostring(address))
  if not entry or not self:known():is_dead(entry) then return false end
  local removed <const>, why <const>, status <const> = self:remove(entry)
  if not removed then return nil, why, status end
  return self:reserve(address, id, ifname)
end

---The names of all files in the directory.
---@return table<string, boolean>
function Store:taken()
  local taken <const> = {}
  for _, name in ipairs(sys.list(self.dir) or {}) do taken[name] = true end
  return taken
end

---The first address of a set that is free, and failing that the first whose reservation is dead.
---@param set table a range set
---@param last? userdata the address handed out last
---@return userdata? address, ecmp.store.Range? range
function Store:free(set, last)
  local tries = 0
  for address, range in set:candidates(last) do
    if not sys.lstat(self:path(tostring(address))) then return address, range end
    tries = tries + 1
    if tries == PROBES then break end
  end
  local taken <const> = self:taken()
  for address, range in set:candidates(last) do
    if not taken[tostring(address)] then return address, range end
  end
  local dead <const> = self:dead()
  if not next(dead) then return nil end
  for address, range in set:candidates(last) do
    if dead[tostring(address)] then return address, range end
  end
end

-- Tries the next few addresses without looking: nearly always the first of them is free.
function Store:probe(set, last, id, ifname)
  local tries = 0
  for address, range in set:candidates(last) do
    local reserved <const>, message <const>, code <const> = self:reserve(address, id, ifname)
    if reserved then return address, range end
    if reserved == nil then return nil, message, code end
    tries = tries + 1
    if tries == PROBES then break end
  end
  return false
end

---Reserves the next address of a set.
---@param set table a range set
---@param n integer its place in the configuration, from 0
---@param id string
---@param ifname string
---@return userdata? address, ecmp.store.Range|string? range, integer? code  nil, message, code
function Store:allocate(set, n, id, ifname)
  local last <const> = self:last(n)
  local address, range, code = self:probe(set, last, id, ifname)
  if address == nil then return nil, range, code end
  if not address then
    address, range = self:free(set, last)
    if not address then
      return nil, ("no IP addresses available in range set: %s"):format(set), INTERNAL
    end
    local reserved, message
    reserved, message, code = self:reserve_or_reclaim(address, id, ifname)
    if not reserved then
      return nil, message or ("%s was taken by somebody without the lock"):format(address),
        code or AGAIN
    end
  end
  return address, range
end

local function marker(n)
  return ("last_reserved_ip.%d"):format(n)
end

---The address handed out last from a set, if that is known.
---@param n integer the set's place in the configuration, from 0
---@return userdata?
function Store:last(n)
  local text <const> = sys.read(self:path(marker(n)), 64)
  return text and ip.parse(text:match("^%s*(.-)%s*$")) or nil
end

---Notes the address handed out last: in one step, not synced, since losing it loses nothing.
---@param n integer the set's place in the configuration, from 0
---@param address userdata
---@return true?, string? message, integer? code
function Store:set_last(n, address)
  local temporary <const> = self:path("." .. marker(n))
  sys.unlink(temporary)
  local made, message = sys.create(temporary, tostring(address), FILE_MODE)
  if made then made, message = sys.rename(temporary, self:path(marker(n))) end
  self.touched = true
  if made then return true end
  sys.unlink(temporary)
  return refuse(message)
end

---Frees what an attachment holds: the files that name it, and only if there is none, those of the
---old format.
---@param id string
---@param ifname string
---@return string[]? freed, string? message, integer? code
function Store:release(id, ifname)
  local entries = self:known():find(key_of(id, ifname))
  if #entries == 0 then entries = self:known():find(Index.key(id)) end
  return self:remove_all(entries)
end

---Frees what an attachment of the same name held and certainly holds no more: its reservations of
---an earlier boot.
---@param id string
---@param ifname string
---@return string[]? freed, string? message, integer? code
function Store:release_dead(id, ifname)
  local dead <const> = {}
  for _, entry in ipairs(self:reservations(id, ifname)) do
    if self:known():is_dead(entry) then dead[#dead + 1] = entry end
  end
  return self:remove_all(dead)
end

-- Goes on after a failure, as a collector of garbage has to, and reports the first.
function Store:remove_all(entries)
  local freed <const>, failure = {}, nil
  for _, entry in ipairs(entries) do
    local removed <const>, message <const>, code <const> = self:remove(entry)
    if removed then
      freed[#freed + 1] = entry.name
    else
      failure = failure or { message, code }
    end
  end
  table.sort(freed)
  if failure then return nil, table.unpack(failure) end
  return freed
end

---Frees addresses that this process reserved a moment ago.
---@param addresses userdata[]
---@param id string
---@param ifname string
---@return string[]? freed, string? message, integer? code
function Store:undo(addresses, id, ifname)
  local names <const>, mine <const> = {}, {}
  for _, address in ipairs(addresses) do names[tostring(address)] = true end
  for _, entry in ipairs(self:known():find(key_of(id, ifname))) do
    if names[entry.name] then mine[#mine + 1] = entry end
  end
  return self:remove_all(mine)
end

---Frees every address whose attachment is not listed, and blank files. A file of the old format
---stays while any listed attachment has its container id.
---@param valid { containerid: string, ifname: string }[]
---@return string[]? freed, string? message, integer? code
function Store:retain(valid)
  local keep <const> = {}
  for _, attachment in ipairs(valid) do
    keep[key_of(attachment.containerid, attachment.ifname)] = true
    keep[Index.key(attachment.containerid)] = true
  end
  local stale <const> = {}
  for _, entry in ipairs(self:known():all()) do
    if ip.parse(entry.name) and not keep[entry.key] then stale[#stale + 1] = entry end
  end
  return self:remove_all(stale)
end

---The attachments that hold addresses, for a report.
---@return ecmp.store.Entry[]
function Store:entries()
  return self:known():all()
end

return M
