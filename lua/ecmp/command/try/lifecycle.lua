---The life of an attachment as a runtime leads it, with a look at everything before and after.
local cni_version = require "ecmp.cni.version"
local json = require "ecmp.json"
local scratch = require "ecmp.cni.spec"
local seen = require "ecmp.command.try.seen"
local sys = require "ecmp.sys"

local M = {}

-- The first version that has a verb.
local SINCE <const> = { CHECK = "0.4.0", GC = "1.1.0", STATUS = "1.1.0" }

local function speaks(conf, verb)
  local version <const> = json.get(conf, "cniVersion") or cni_version.oldest
  return (cni_version.compare(version, SINCE[verb]) or -1) >= 0
end

-- The program of a plugin's type.
local function find(kind, path)
  for dir in path:gmatch "[^:]+" do
    local file <const> = ("%s/%s"):format(dir, kind)
    if sys.stat(file) then return file end
  end
end

local Life <const> = {}
Life.__index = Life

local function say(verb, text) print(("%-6s %s"):format(verb, text)) end

function Life:fault(verb, text)
  self.faults[#self.faults + 1] = text
  say(verb, text)
end

local function copy(conf, changes)
  local new <const> = setmetatable({}, getmetatable(conf))
  for key, value in next, conf do new[key] = value end
  for key, value in next, changes do new[key] = value end
  return new
end

-- What a plugin is given: reservations in a directory of ours.
function Life:given(conf, prev)
  local changes <const> = { prevResult = prev }
  local ipam <const> = json.get(conf, "ipam")
  local kind <const> = type(ipam) == "table" and json.get(ipam, "type")
  if kind == "host-local" or kind == "ecmp-host-local" then
    changes.ipam = copy(ipam, { dataDir = self.options.networks })
  elseif kind == "ecmp-pool" then
    changes.ipam = copy(ipam, { store = { directory = self.options.networks } })
  end
  return copy(conf, changes)
end

function Life:call(step, verb, prev, changes)
  local conf <const> = copy(self:given(step.conf, prev), changes or {})
  return self.pod:run({ step.program }, verb, conf,
    { ifname = self.options.ifname, path = self.options.path })
end

-- ADD of all, each with the result of the one before; the last result.
function Life:add(changes)
  local result
  for i, step in ipairs(self.steps) do
    local outcome <const> = self:call(step, "ADD", result, i == 1 and changes or nil)
    if outcome.status ~= 0 then return nil, step.kind .. ": " .. scratch.refusal(outcome) end
    result = outcome.json
  end
  return result
end

function Life:check(result)
  for _, step in ipairs(self.steps) do
    if not speaks(step.conf, "CHECK") then
      return say("CHECK", ("left out: cniVersion %s has none")
        :format(tostring(json.get(step.conf, "cniVersion"))))
    end
    local outcome <const> = self:call(step, "CHECK", result)
    if outcome.status ~= 0 then
      self:fault("CHECK", step.kind .. ": " .. scratch.refusal(outcome))
    end
  end
  say("CHECK", "done")
end

-- DEL of all, in reverse.
function Life:del(result, name)
  local well = true
  for i = #self.steps, 1, -1 do
    local step <const> = self.steps[i]
    local prev <const> = speaks(step.conf, "CHECK") and result or nil
    local outcome <const> = self:call(step, "DEL", prev)
    if outcome.status ~= 0 then
      well = false
      self:fault(name, step.kind .. ": " .. scratch.refusal(outcome))
    end
  end
  if well then say(name, "done") end
end

function Life:gc()
  for _, step in ipairs(self.steps) do
    if not speaks(step.conf, "GC") then
      return say("GC", ("left out: cniVersion %s has none")
        :format(tostring(json.get(step.conf, "cniVersion"))))
    end
    local outcome <const> = self:call(step, "GC", nil,
      { ["cni.dev/valid-attachments"] = json.array() })
    if outcome.status ~= 0 then self:fault("GC", step.kind .. ": " .. scratch.refusal(outcome)) end
  end
  say("GC", "done")
end

-- Says once what is there now and was not before, and what stays on purpose.
function Life:compare(before, verb)
  local after <const> = seen.all(self.pod, self.options.networks)
  local lines <const>, kept <const> = seen.more(before, after, self.allowed)
  local function is_new(text)
    local known <const> = self.reported[text]
    self.reported[text] = true
    return not known
  end
  for _, line in ipairs(lines) do
    if is_new(line) then self:fault(verb, "left behind: " .. line) end
  end
  for _, line in ipairs(kept) do
    if is_new(line) then say(verb, "kept on purpose: " .. line) end
  end
  if after.unread and is_new(after.unread) then
    say(verb, "packet filter left out: " .. after.unread)
  end
end

-- A route that no kernel takes: its gateway is nobody's neighbour.
local UNREACHABLE <const> = { dst = "198.51.100.0/24", gw = "203.0.113.1" }

-- An ADD that fails at its end has to take everything back.
function Life:failing(before)
  local ipam <const> = json.get(self.steps[1].conf, "ipam")
  if type(ipam) ~= "table" or not self.steps[1].ours then return end
  local routes <const> = json.array()
  for _, route in ipairs(json.get(ipam, "routes") or {}) do routes[#routes + 1] = route end
  routes[#routes + 1] = UNREACHABLE
  local given <const> = self:given(self.steps[1].conf)
  local result <const> = self:add { ipam = copy(given.ipam, { routes = routes }) }
  if result then
    self:del(result, "DEL")
    return
  end
  local faults <const> = #self.faults
  self:compare(before, "ADD")
  if #self.faults == faults then say("ADD", "one that fails takes back what it did") end
end

local function names(address) return address:match "^[^/]+" end

-- Whether a result tells what is so.
function Life:verify(result)
  local there <const> = {}
  for _, address in ipairs(self.pod.nl.addr:list { dev = self.options.ifname }) do
    there[names(address.address)] = true
  end
  for i, entry in ipairs(result.ips or {}) do
    local address <const> = entry.address or ""
    if not there[names(address)] then
      self:fault("ADD", ("result.ips[%d]: %s is not on %s"):format(i - 1, address,
        self.options.ifname))
    end
  end
  for i, entry in ipairs(result.interfaces or {}) do
    local nl <const> = (entry.sandbox or "") ~= "" and self.pod.nl or self.pod.host
    if not nl.link:get { dev = entry.name } then
      self:fault("ADD", ("result.interfaces[%d]: there is no %s"):format(i - 1, entry.name))
    end
  end
  for i, entry in ipairs(result.routes or {}) do
    local family <const> = entry.dst:find(":", 1, true) and 6 or 4
    local dst <const> = (entry.dst == "0.0.0.0/0" or entry.dst == "::/0") and "default" or entry.dst
    local filter <const> = { dst = dst, family = family, table = entry.table or "main" }
    if #self.pod.nl.route:list(filter) == 0 then
      self:fault("ADD", ("result.routes[%d]: there is no route to %s"):format(i - 1, entry.dst))
    end
  end
end

local function print_lines(text)
  for line in text:gmatch "[^\n]+" do print("       " .. line) end
end

-- The addresses, and the routing tables that are not as they were: main, then the others by name.
function Life:show(result, before)
  say("ADD", "done")
  for _, entry in ipairs(result.ips or {}) do print("       " .. entry.address) end
  local after <const>, changed <const> = seen.tables(self.pod.nl), {}
  for name, text in pairs(after) do
    if name ~= "main" and before[name] ~= text then changed[#changed + 1] = name end
  end
  table.sort(changed)
  if after.main and after.main ~= before.main then print_lines(after.main) end
  for _, name in ipairs(changed) do
    print(("       table %s:"):format(name))
    print_lines(after[name])
  end
end

-- A master is an interface of the host; here it is made, with nobody behind it.
local function make_masters(pod, list)
  for i, conf in ipairs(list) do
    local master <const> = json.get(conf, "master")
    if type(master) == "string" and master ~= "" and not pod.host.link:get { dev = master } then
      local peer <const> = "try-" .. i
      local ok <const>, message <const> =
        pod.host.link:add { name = master, type = "veth", peer = { name = peer } }
      if not ok then return nil, message end
      assert(pod.host.link:set { dev = master, up = true })
      assert(pod.host.link:set { dev = peer, up = true })
    end
  end
  return true
end

-- Addresses of a pool come from a directory here; what is wrong with the store it names would not
-- be seen.
local function check_store(conf)
  local ipam <const> = json.get(conf, "ipam")
  if type(ipam) ~= "table" or json.get(ipam, "type") ~= "ecmp-pool" then return true end
  return require("ecmp.plugin.pool.config").store(conf)
end

-- The plugins of a list with their programs.
local function steps_of(list, path)
  local steps <const> = {}
  for i, conf in ipairs(list) do
    local good <const>, message <const> = check_store(conf)
    if not good then return nil, message end
    local kind <const> = json.get(conf, "type")
    local program <const> = type(kind) == "string" and find(kind, path)
    if not program then
      return nil, ("type: there is no plugin '%s' on %s"):format(tostring(kind), path)
    end
    steps[i] = {
      conf = conf, kind = kind, program = program,
      ours = path:find(program:match "^(.*)/", 1, true) == 1,
    }
  end
  return steps
end

---Leads the life of an attachment, and prints what happens.
---@param pod table as `ecmp.cni.spec` makes it
---@param list table[] configurations
---@param options table `{ ifname, path, networks, keep }`: path is CNI_PATH, networks a directory
---for reservations, keep stops after CHECK
---@return string[]? faults, string? message
function M.run(pod, list, options)
  local steps, made, message
  steps, message = steps_of(list, options.path)
  if steps then made, message = make_masters(pod, list) end
  if not made then return nil, message end
  local life <const> = setmetatable({
    pod = pod, steps = steps, options = options, faults = {}, allowed = seen.bridges(list),
    reported = {},
  }, Life)
  local before <const>, tables <const> = seen.all(pod, options.networks), seen.tables(pod.nl)
  if not options.keep then life:failing(before) end
  local result <const>, why <const> = life:add()
  if not result then
    life:fault("ADD", why)
    life:compare(before, "ADD")
    return life.faults
  end
  life:show(result, tables)
  life:verify(result)
  life:check(result)
  if options.keep then return life.faults end
  life:del(result, "DEL")
  life:compare(before, "DEL")
  life:del(result, "DEL")
  life:gc()
  life:compare(before, "GC")
  return life.faults
end

return M
