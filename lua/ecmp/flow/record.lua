---What an ADD carried out, kept until DEL: `/run/cni/ecmp/NETWORK-CONTAINERID-IFNAME.json`.
--
-- prevResult cannot carry weights, replaced routes or old sysctls, so CHECK and DEL read them here.
-- Each of our plugins in a chain adds its step. A record is there whole or not at all, and gone
-- after a reboot, as the pod is.
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local M = {}

M.directory = "/run/cni/ecmp"

-- A file name holds 255 bytes; names beyond this are cut and told apart by a number.
local LONGEST <const> = 240

-- FNV-1a, 64 bit: enough to tell apart the few attachments of one host with such names.
local function digest(text)
  local hash = 0xcbf29ce484222325
  for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(hash)
end

---Where the record of an attachment is.
---@param call table `{ conf = { name }, containerid, ifname }`
---@return string path
function M.path(call)
  local name = ("%s-%s-%s"):format(json.get(call.conf, "name"), call.containerid, call.ifname)
  if #name > LONGEST then name = name:sub(1, LONGEST - 17) .. "-" .. digest(name) end
  return ("%s/%s.json"):format(M.directory, name)
end

-- "a-b" + "c" and "a" + "b-c" share a file name, so a record says whose it is.
local function is_of(record, call)
  return record.network == json.get(call.conf, "name") and record.containerid == call.containerid
    and record.ifname == call.ifname
end

local function parse(path)
  local text <const> = sys.read(path)
  local record <const> = text and json.decode(text)
  return type(record) == "table" and record or nil
end

local function read(call)
  local record <const> = parse(M.path(call))
  return record and is_of(record, call) and record or nil
end

-- What a runtime puts into a configuration, other things at each call.
local told <const> = {
  prevresult = true, runtimeconfig = true, cniversion = true,
  ["cni.dev/valid-attachments"] = true, ["cni.dev/attachments"] = true,
}

-- Tells plugins of one type in one chain apart: by a number for what each is configured to do.
local function mark_of(call)
  local own <const> = {}
  for key, value in pairs(call.conf) do
    if not told[key:lower()] then own[key] = value end
  end
  return digest(json.encode(own))
end

-- The last step that this plugin of the chain made: DEL comes in reverse order. One whose
-- configuration has changed since is found by its type alone.
local function find(record, call)
  local by_type, mark <const> = nil, mark_of(call)
  for i = #(record and record.steps or {}), 1, -1 do
    local step <const> = record.steps[i]
    if step.plugin == call.plugin then
      if step.mark == mark then return i end
      by_type = by_type or i
    end
  end
  return by_type
end

---What this plugin did for an attachment; nil where that is not known.
---@param call table
---@return table? step, table[]? later what plugins behind it in the chain did
function M.load(call)
  local record <const> = read(call)
  local i <const> = find(record, call)
  if not i then return nil end
  return record.steps[i], table.move(record.steps, i + 1, #record.steps, 1, {})
end

local MODE <const> = tonumber("600", 8)

-- What takes the place of a record for a moment; who is killed in that moment leaves it behind.
local function temporary(path) return path .. ".new" end

local function write(path, record)
  local text <const> = json.encode(record)
  local ok, message, code = sys.create(path, text, MODE)
  if ok or code ~= "EEXIST" then return ok, message, code end
  sys.unlink(temporary(path))
  ok, message, code = sys.create(temporary(path), text, MODE)
  if not ok then return nil, message, code end
  return sys.rename(temporary(path), path)
end

---Notes what this plugin is about to do, whole or not at all.
---@param call table
---@param step table what to keep
---@param first boolean whether the plugin makes the interface, so that what is there is outlived
---@return true? ok, string? message, string? code
function M.save(call, step, first)
  local path <const> = M.path(call)
  local ok, message, code = sys.mkdir(M.directory, tonumber("755", 8))
  if not ok then return nil, message, code end
  local old <const> = parse(path)
  if old and not is_of(old, call) then
    return nil, ("write %s: it belongs to container %s of network %s (EEXIST)")
      :format(path, tostring(old.containerid), tostring(old.network)), "EEXIST"
  end
  local record = old and not first and old.netns == call.netns and old or { steps = {} }
  record.network, record.containerid = json.get(call.conf, "name"), call.containerid
  record.ifname, record.netns = call.ifname, call.netns
  step.plugin, step.mark = call.plugin, mark_of(call)
  record.steps[#record.steps + 1] = step
  return write(path, record)
end

---Forgets what this plugin did; what is gone already is fine. The file goes with its last step.
---@param call table
---@return true? ok, string? message, string? code
function M.remove(call)
  local path <const> = M.path(call)
  local record <const> = parse(path)
  if record and not is_of(record, call) then return true end
  local i <const> = find(record, call)
  if i then table.remove(record.steps, i) end
  if record and #(record.steps or {}) > 0 then
    return write(path, record)
  end
  -- Half of a record, which makes no sense to anybody, goes too.
  local ok, message, code = sys.unlink(path)
  if not ok and code ~= "ENOENT" then return nil, message, code end
  sys.unlink(temporary(path))
  return true
end

---Removes the records of a network whose attachment `keep` does not want.
---@param network string
---@param keep fun(record: table): boolean
---@return string[] problems one sentence for each record that would not go
---@return table[] dropped the records
function M.sweep(network, keep)
  local problems <const>, dropped <const> = {}, {}
  for _, name in ipairs(sys.list(M.directory) or {}) do
    local path <const> = M.directory .. "/" .. name
    local record <const> = name:find(network, 1, true) == 1 and parse(path)
    if record and record.network == network and not keep(record) then
      local ok, message, code = sys.unlink(path)
      if not ok and code ~= "ENOENT" then problems[#problems + 1] = message end
      dropped[#dropped + 1] = record
    end
  end
  return problems, dropped
end

return M
