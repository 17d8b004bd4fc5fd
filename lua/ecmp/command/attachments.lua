---The attachments of this node, for the commands that look after them: by their records, and by
---reservations of host-local.
local calls = require "ecmp.cni.call"
local cni_result = require "ecmp.cni.result"
local json = require "ecmp.json"
local pool = require "ecmp.plugin.host-local.pool"
local programs = require "ecmp.command.programs"
local record = require "ecmp.flow.record"
local store = require "ecmp.plugin.host-local.store"
local sys = require "ecmp.sys"
local version = require "ecmp.cni.version"

local M = {}

---What an attachment is called on the command line.
---@param one table `{ network, containerid, ifname }`
---@return string name NETWORK/CONTAINERID/IFNAME
function M.name(one)
  return ("%s/%s/%s"):format(one.network, one.containerid, one.ifname)
end

---The attachments that have a record: those that are named, or all.
---@param names string[]
---@return table[]? list as `record.attachments` gives them, string? message
function M.recorded(names)
  local by_name <const>, all <const> = {}, record.attachments()
  for _, one in ipairs(all) do by_name[M.name(one)] = one end
  if #names == 0 then return all end
  local list <const> = {}
  for i, name in ipairs(names) do
    if not by_name[name] then
      return nil, ("%s: there is no record of such an attachment in %s"):format(name,
        record.directory)
    end
    list[i] = by_name[name]
  end
  return list
end

-- Magic of the file systems that namespaces are seen on: nsfs and procfs.
local namespaces <const> = { [0x6e736673] = true, [0x9fa0] = true }

---Whether the namespace of an attachment is there.
---@param netns string?
---@return boolean? alive nil where it is not known which it is
function M.is_alive(netns)
  if not netns or netns == "" then return nil end
  local stat <const> = sys.stat(netns)
  return stat ~= nil and namespaces[stat.fstype] == true
end

-- Listing --------------------------------------------------------------------------------------

local function addresses_of(was)
  local list <const> = json.array()
  for _, step in ipairs(was.steps) do
    for _, entry in ipairs(step.plan and step.plan.addresses or {}) do
      if #list < 64 then list[#list + 1] = entry.address end
    end
    if #list > 0 then break end
  end
  return list
end

local function entry_of(one)
  local was <const> = one.record or { steps = {} }
  local pod <const> = was.K8S_POD_NAME and ("%s%s"):format(was.K8S_POD_NAMESPACE
    and was.K8S_POD_NAMESPACE .. "/" or "", was.K8S_POD_NAME) or nil
  return { network = one.network, container = one.containerid, interface = one.ifname,
    netns = was.netns, alive = M.is_alive(was.netns), addresses = addresses_of(was), pod = pod,
    recorded = true }
end

-- Where host-local keeps networks: where it does by default, and where records say it does.
local function directories(attachments)
  local seen <const>, list <const> = {}, {}
  local function add(directory)
    if not seen[directory] then list[#list + 1] = directory end
    seen[directory] = true
  end
  add(pool.default_directory)
  for _, one in ipairs(attachments) do
    for _, step in ipairs(one.record and one.record.steps or {}) do
      if step.conf then add((pool.place(step.conf))) end
    end
  end
  return list
end

-- The reservations of one network, by attachment.
local function reserved_in(directory, network, found)
  local peek <const> = store.peek(directory, network)
  for _, entry in ipairs(peek:entries()) do
    local id <const>, ifname <const> = entry.key:match("^([^/]*)/?(.*)$")
    local key <const> = M.name { network = network, containerid = id, ifname = ifname }
    local one <const> = found[key] or { network = network, container = id, interface = ifname,
      addresses = json.array(), recorded = false }
    if not found[key] then
      found[key] = one
      found[#found + 1] = one
    end
    if not one.recorded then table.insert(one.addresses, entry.name) end
  end
end

---All attachments of this node, those of whom a reservation alone is left among them.
---@return table[] list `{ network, container, interface, netns?, alive?, addresses, pod?,
---recorded }`
function M.all()
  local found <const>, attachments <const> = json.array(), record.attachments()
  for i, one in ipairs(attachments) do
    found[i] = entry_of(one)
    found[M.name(one)] = found[i]
  end
  for _, directory in ipairs(directories(attachments)) do
    local networks <const> = sys.list(directory) or {}
    table.sort(networks)
    for _, network in ipairs(networks) do
      if not network:find("^%.") then reserved_in(directory, network, found) end
    end
  end
  return table.move(found, 1, #found, 1, json.array())
end

-- Verbs ----------------------------------------------------------------------------------------

-- The result that a runtime would hand on: that of the last of our plugins.
local function result_of(was)
  for i = #was.steps, 1, -1 do
    local given <const> = was.steps[i].result
    if given then
      return cni_result.parse(given, json.get(given, "cniVersion") or version.latest), given
    end
  end
end

-- What the plugin of a step was given. To ecmp-lua the key `script` is the plugin itself; to the
-- plugin in that script it is the rule script, as to all others.
local function conf_of(step)
  local conf <const> = {}
  for key, value in next, step.conf do conf[key] = value end
  if step.script then conf.script, conf.rules = step.script, step.conf.script end
  return conf
end

local function call_for(was, step, command, prev, document)
  local conf <const>, input <const> = conf_of(step), conf_of(step)
  input.prevResult = document
  return calls.new {
    command = command, containerid = was.containerid, ifname = was.ifname, netns = was.netns,
    path = was.path or "", args = {}, args_text = "", conf = conf, prev = prev,
    stdin = json.encode(input), version = json.get(conf, "cniVersion") or version.oldest,
    plugin = step.plugin, dropin = step.dropin or false,
  }
end

---The calls that repeat a verb for each step of a record, by nothing but the record.
---@param was table the record
---@param command string "CHECK"
---@return table[]? calls `{ call, verbs }`; nil where the record has not what it takes
---@return string? message
function M.calls(was, command)
  local prev <const>, document <const> = result_of(was)
  local list <const> = {}
  for i, step in ipairs(was.steps) do
    if not step.conf then return nil, "made before format 1" end
    if not step.result then return nil, ("the ADD of %s did not end"):format(step.plugin) end
    local program <const> = programs.plugin(step.dropin and step.plugin or "ecmp-" .. step.plugin)
    if not program then return nil, ("%s is no plugin of ours"):format(step.plugin) end
    list[i] = { verbs = require(program.module),
      call = call_for(was, step, command, prev, document) }
  end
  return list
end

return M
