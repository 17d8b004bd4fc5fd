---What an ADD carried out, kept until DEL: `/run/cni/ecmp/NETWORK-CONTAINERID-IFNAME.json`.
--
-- prevResult cannot carry weights, replaced routes or old sysctls, so CHECK and DEL read them here.
-- A record is there whole or not at all, and gone after a reboot, as the pod is.
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

---The record of an attachment; nil where there is none or it makes no sense.
---@param call table
---@return table? record
function M.load(call)
  local record <const> = parse(M.path(call))
  return record and is_of(record, call) and record or nil
end

---Writes the record of an attachment, whole or not at all.
---@param call table
---@param record table what to keep; whose it is is added
---@return true? ok, string? message, string? code
function M.save(call, record)
  record.network, record.containerid = json.get(call.conf, "name"), call.containerid
  record.ifname, record.netns, record.plugin = call.ifname, call.netns, call.plugin
  local path <const> = M.path(call)
  local ok, message, code = sys.mkdir(M.directory, tonumber("755", 8))
  if not ok then return nil, message, code end
  local other <const> = parse(path)
  if other and not is_of(other, call) then
    return nil, ("write %s: it belongs to container %s of network %s (EEXIST)")
      :format(path, other.containerid, other.network), "EEXIST"
  end
  return sys.replace(path, json.encode(record), tonumber("600", 8))
end

---Removes the record of an attachment; what is gone already is fine.
---@param call table
---@return true? ok, string? message, string? code
function M.remove(call)
  local record <const> = parse(M.path(call))
  -- Half of a record, or none of ours: only what is surely not another attachment's goes.
  if record and not is_of(record, call) then return true end
  local ok, message, code = sys.unlink(M.path(call))
  if not ok and code ~= "ENOENT" then return nil, message, code end
  return true
end

---Removes the records of a network whose attachment `keep` does not want.
---@param network string
---@param keep fun(record: table): boolean
---@return string[] problems one sentence for each record that would not go
function M.sweep(network, keep)
  local problems <const> = {}
  for _, name in ipairs(sys.list(M.directory) or {}) do
    local path <const> = M.directory .. "/" .. name
    local record <const> = name:find(network, 1, true) == 1 and parse(path)
    if record and record.network == network and not keep(record) then
      local ok, message, code = sys.unlink(path)
      if not ok and code ~= "ENOENT" then problems[#problems + 1] = message end
    end
  end
  return problems
end

return M
