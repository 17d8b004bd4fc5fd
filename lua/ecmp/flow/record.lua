---What an ADD carried out, kept until DEL: `/run/cni/ecmp/NETWORK:CONTAINERID:IFNAME.json`.
--
-- prevResult cannot carry weights, replaced routes or old sysctls, so CHECK and DEL read them here.
-- Each of our plugins in a chain adds its step (ecmp.flow.record_format). A record is there whole
-- or not at all, and gone after a reboot, as the pod is. A file that is no record is told of and
-- counts as absent; one that only a later version can read is not touched.
local format = require "ecmp.flow.record_format"
local json = require "ecmp.json"
local log = require "ecmp.log"
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

local function path_with(separator, call)
  local name = table.concat({ json.get(call.conf, "name"), call.containerid, call.ifname },
    separator)
  if #name > LONGEST then name = name:sub(1, LONGEST - 17) .. "-" .. digest(name) end
  return ("%s/%s.json"):format(M.directory, name)
end

---Where the record of an attachment is.
---@param call table `{ conf = { name }, containerid, ifname }`
---@return string path
function M.path(call)
  -- No part of the name can have a colon in it.
  return path_with(":", call)
end

-- Where records were once: "a-b" + "c" and "a" + "b-c" share such a name.
local function old_path(call) return path_with("-", call) end

local function is_of(record, call)
  return record.network == json.get(call.conf, "name") and record.containerid == call.containerid
    and record.ifname == call.ifname
end

local function warn(path, message)
  log.warn(("record %s: %s"):format(path, message))
end

-- One file: the record in it; nil where there is none that counts, with a message where it is a
-- later version's or cannot be read now.
local function parse(path)
  local text <const>, problem <const>, code <const> = sys.read(path)
  if not text then return nil, code ~= "ENOENT" and ("record %s"):format(problem) or nil end
  local record <const>, message <const>, newer <const> = format.read(text)
  if record then return record end
  if not newer then warn(path, message .. "; it counts as absent") end
  return nil, newer and ("record %s: %s"):format(path, message)
end

---The record in a file.
---@param path string
---@return table? record nil where there is none, or none that can be read
function M.at(path)
  return (parse(path))
end

---The record of an attachment.
---@param call table
---@return table? record nil where there is none
---@return string? newer why one that is there cannot be read, as a later version's
function M.read(call)
  local newer
  for _, path in ipairs { M.path(call), old_path(call) } do
    local record <const>, message <const> = parse(path)
    if record and is_of(record, call) then return record end
    newer = newer or message
  end
  return nil, newer
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
---@return string? newer why a record that is there cannot be read: it is a later version's
function M.load(call)
  local record <const>, newer <const> = M.read(call)
  local i <const> = find(record, call)
  if not i then return nil, nil, newer end
  return record.steps[i], table.move(record.steps, i + 1, #record.steps, 1, {})
end

local MODE <const> = tonumber("600", 8)

-- What takes the place of a record for a moment; who is killed in that moment leaves it behind.
local function temporary(path) return path .. ".new" end

local function write(path, text)
  local ok, message, code = sys.create(path, text, MODE)
  if ok or code ~= "EEXIST" then return ok, message, code end
  sys.unlink(temporary(path))
  ok, message, code = sys.create(temporary(path), text, MODE)
  if not ok then return nil, message, code end
  return sys.rename(temporary(path), path)
end

local function remove_file(path)
  local ok, message, code = sys.unlink(path)
  if not ok and code ~= "ENOENT" then return nil, message, code end
  sys.unlink(temporary(path))
  return true
end

-- Whose record a file of the old name holds, if anybody's.
local function is_old_of(call)
  local old <const> = parse(old_path(call))
  return old ~= nil and is_of(old, call)
end

local function write_record(call, record)
  local ok, message, code = write(M.path(call), json.encode(record))
  if ok and is_old_of(call) then ok, message, code = remove_file(old_path(call)) end
  return ok, message, code
end

-- The configuration that a step was made from, for later; what the runtime says at each call is not
-- part of it.
local function own_conf(call)
  local own <const> = {}
  for key, value in next, call.conf do
    local folded <const> = key:lower()
    if folded == "cniversion" or not told[folded] then own[key] = value end
  end
  return own
end

local function begin(call, first)
  local old, newer
  if not first then
    old, newer = M.read(call)
    if newer then return nil, newer, "EEXIST" end
  end
  local record <const> = old and old.netns == call.netns and old or { steps = {} }
  record.format = format.format
  record.network, record.containerid = json.get(call.conf, "name"), call.containerid
  record.ifname, record.netns, record.path = call.ifname, call.netns, call.path
  for _, key in ipairs { "K8S_POD_NAMESPACE", "K8S_POD_NAME" } do
    record[key] = call.args and call.args[key] or record[key]
  end
  return record
end

---Notes what this plugin is about to do, whole or not at all.
---@param call table
---@param step table what to keep
---@param first boolean whether the plugin makes the interface, so that what is there is outlived
---@return fun()? undo puts back what was there; nil, message, code where nothing could be written
---@return string? message, string? code
function M.save(call, step, first)
  local ok, message, code = sys.mkdir(M.directory, tonumber("755", 8))
  if not ok then return nil, message, code end
  local record
  record, message, code = begin(call, first)
  if not record then return nil, message, code end
  local before <const> = sys.read(M.path(call)) or is_old_of(call) and sys.read(old_path(call))
  step.plugin, step.dropin, step.mark = call.plugin, call.dropin or false, mark_of(call)
  step.conf, step.script = own_conf(call), call.script
  record.steps[#record.steps + 1] = step
  ok, message, code = write_record(call, record)
  if not ok then return nil, message, code end
  return function()
    if before then return write(M.path(call), before) end
    return remove_file(M.path(call))
  end
end

---Whether a record could be written.
---@return true? ok, string? message
function M.probe()
  local ok, message = sys.mkdir(M.directory, tonumber("755", 8))
  if not ok then return nil, message end
  local path <const> = ("%s/.probe-%d"):format(M.directory, sys.getpid())
  ok, message = sys.create(path, "probe", MODE)
  sys.unlink(path)
  return ok, message
end

---Adds to the step that this plugin made last: what it gave, when it was done.
---@param call table
---@param fields table
---@return true? ok, string? message, string? code
function M.add(call, fields)
  local record <const>, problem <const> = M.read(call)
  local i <const> = find(record, call)
  if not i then return nil, problem or ("record %s: is gone"):format(M.path(call)), "ENOENT" end
  for key, value in pairs(fields) do record.steps[i][key] = value end
  return write_record(call, record)
end

---Forgets what this plugin did; what is gone already is fine. The file goes with its last step.
---@param call table
---@return true? ok, string? message, string? code
function M.remove(call)
  local record <const>, newer <const> = M.read(call)
  if newer then
    warn(M.path(call), "left as it is, a later version made it")
    return true
  end
  local i <const> = find(record, call)
  if i then table.remove(record.steps, i) end
  if record and #record.steps > 0 then return write_record(call, record) end
  local ok, message, code = remove_file(M.path(call))
  -- A file of the old name may be another attachment's.
  local old <const> = ok and parse(old_path(call))
  if ok and (not old or is_of(old, call)) then ok, message, code = remove_file(old_path(call)) end
  return ok, message, code
end

-- Whose record a file is by its name, which has to do where it cannot be read.
local function attachment_of(name)
  local network <const>, id <const>, ifname <const> = name:match("^([^:]+):([^:]+):([^:]+)%.json$")
  return network and { network = network, containerid = id, ifname = ifname }
end

---The records there are.
---@param network? string those of one network alone
---@return fun(): string?, table? each path and record; for a file that is none what its name tells
function M.each(network)
  local names <const>, i = sys.list(M.directory) or {}, 0
  table.sort(names)
  return function()
    while true do
      i = i + 1
      local name <const> = names[i]
      if not name then return nil end
      local path <const> = M.directory .. "/" .. name
      local may_be <const> = name:find("%.json$")
        and (not network or name:find(network, 1, true) == 1)
      local record, newer
      if may_be then record, newer = parse(path) end
      if newer then warn(path, "left as it is, a later version made it") end
      if may_be and not newer then record = record or attachment_of(name) end
      if record and (not network or record.network == network) then return path, record end
    end
  end
end

---The attachments there are by records; a file that is none is told of and left out.
---@return table[] list `{ network, containerid, ifname, record?, newer? }`: newer is a message
---where only a later version can read the record
function M.attachments()
  local list <const>, names <const> = {}, sys.list(M.directory) or {}
  table.sort(names)
  for _, name in ipairs(names) do
    local record, newer
    if name:find("%.json$") then record, newer = parse(M.directory .. "/" .. name) end
    local who <const> = record or newer and attachment_of(name)
    if who then
      list[#list + 1] = { network = who.network, containerid = who.containerid,
        ifname = who.ifname, record = record, newer = newer }
    end
  end
  return list
end

---Removes the records of a network whose attachment `keep` does not want.
---@param network string
---@param keep fun(record: table): boolean
---@return string[] problems one sentence for each record that would not go
---@return table[] dropped the records
function M.sweep(network, keep)
  local problems <const>, dropped <const> = {}, {}
  for path, record in M.each(network) do
    if not keep(record) then
      local ok, message, code = sys.unlink(path)
      if not ok and code ~= "ENOENT" then problems[#problems + 1] = message end
      dropped[#dropped + 1] = record
    end
  end
  return problems, dropped
end

return M
