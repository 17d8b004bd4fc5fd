---For specs of plugins: a plugin as a function, run as a runtime runs it, in a scratch pod.
--
--     local plugin = require("ecmp.cni.spec").plugin "/etc/cni/ecmp/own-ptp.lua"
--
--     it("adds and takes away", function()
--       local ptp <close> = plugin()
--       local result, nl = assert(ptp { conf = { name = "lab", ipam = { ... } } })
--       assert.equal("10.0.0.9/24", result.ips[1].address)
--       assert.equal(1, #nl.route:list { dst = "default" })
--       assert(ptp { verb = "DEL" })
--     end)
--
-- The plugin is a process of its own in a namespace that plays the host; the pod is another. Both
-- go with the value that `plugin()` returns. This needs the right to make namespaces: root, or
-- `unshare -Urnm`.
local json = require "ecmp.json"
local netlink = require "ecmp.nl"
local netns = require "ecmp.netns"
local programs = require "ecmp.command.programs"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown
local sys = require "ecmp.sys"

local M = {}

---Where plugins that are not ours lie, where CNI_PATH does not say.
M.path = "/opt/cni/bin:/usr/lib/cni"

local TIMEOUT <const> = 120 -- seconds

local Pod <const> = { __name = "ecmp.cni.spec.pod" }
Pod.__index = Pod

local count = 0

---Makes a host and a pod.
---@param options? { host: string, pod: string } namespaces that are there, to be used instead
---@return table? pod `{ host, nl, path, host_path, containerid }`, to be closed; `host` and `nl`
---are handles
---@return string? message, string? code
function M.pod(options)
  count = count + 1
  local self <const> = setmetatable({ spaces = {}, results = {} }, Pod)
  self.containerid = ("spec-%d-%d"):format(sys.getpid(), count)
  for _, name in ipairs { "host", "pod" } do
    local there <const> = options and options[name]
    local space, message, code
    if there then
      space, message, code = sys.netns_open(there)
    else
      space, message, code = netns.create()
    end
    if not space then
      self:close()
      return nil, message, code
    end
    self.spaces[name] = space
  end
  self.host_path, self.path = netns.path(self.spaces.host), netns.path(self.spaces.pod)
  self.host = assert(netlink.open { netns = self.host_path })
  self.nl = assert(netlink.open { netns = self.path })
  for _, nl in ipairs { self.host, self.nl } do assert(nl.link:set { dev = "lo", up = true }) end
  return self
end

---Closes both; what was in them is gone.
function Pod:close()
  if self.nl then self.nl:close() end
  if self.host then self.host:close() end
  for _, space in pairs(self.spaces) do space:close() end
  self.nl, self.host, self.spaces = nil, nil, {}
end

Pod.__close = Pod.close

-- The environment without what belongs to the runtime that we are run by.
local function environment(changes)
  local env <const> = {}
  for _, entry in ipairs(sys.environ()) do
    if not entry:find "^CNI_" and changes[entry:match "^[^=]*"] == nil then
      env[#env + 1] = entry
    end
  end
  for name, value in pairs(changes) do env[#env + 1] = name .. "=" .. value end
  return env
end

---Runs one verb of a program, as a runtime does.
---@param argv string[]
---@param verb string such as "ADD"
---@param conf table
---@param options { ifname?: string, args?: string, path: string } path: CNI_PATH
---@return table outcome `{ status, stdout, stderr, json }`
function Pod:run(argv, verb, conf, options)
  local env <const> = {
    CNI_COMMAND = verb, CNI_CONTAINERID = self.containerid, CNI_NETNS = self.path,
    CNI_IFNAME = options.ifname or "eth0", CNI_ARGS = options.args or "",
    CNI_PATH = options.path,
  }
  local outcome <const> = assert(sys.spawn {
    argv = argv, env = environment(env), stdin = json.encode(conf), timeout = TIMEOUT,
    netns = self.host_path, stderr = "capture",
  })
  outcome.json = json.decode(outcome.stdout)
  return outcome
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

---Puts programs with the names of our plugins into a directory, for CNI_PATH: links to this
---executable, or scripts that run Lua with our sources.
---@param dir string
function M.provide(dir)
  local exe <const> = assert(sys.readlink "/proc/self/exe")
  for _, row in ipairs(programs.types()) do
    local name <const> = row.type == "ecmp" and "ecmp" or "ecmp-" .. row.type
    local path <const> = dir .. "/" .. name
    if package.preload["ecmp.build"] then
      assert(sys.symlink(exe, path))
    else
      local start <const> = ("os.exit(require[[ecmp.command.main]](%q, {}), true)"):format(name)
      local text <const> = ("#!/bin/sh\nLUA_PATH=%s LUA_CPATH=%s exec %s -e %s\n"):format(
        quoted(package.path), quoted(package.cpath), quoted(exe), quoted(start))
      assert(sys.create(path, text, tonumber("755", 8)))
    end
  end
end

-- Removes a directory of files.
local function remove(dir)
  for _, name in ipairs(sys.list(dir) or {}) do sys.unlink(dir .. "/" .. name) end
  sys.rmdir(dir)
end

---What was refused, in the words of the plugin.
---@param outcome table
---@return string message, integer|string code
function M.refusal(outcome)
  local answer <const> = type(outcome.json) == "table" and outcome.json or {}
  if answer.msg then
    local details <const> = answer.details
    local more <const> = details and not details:find "\n" and ": " .. details or ""
    return answer.msg .. more, answer.code
  end
  local how <const> = outcome.timedout and "ran out of time"
    or ("ended with %s"):format(outcome.status or outcome.signal)
  return ("%s, and no error object: %s"):format(how, outcome.stderr:gsub("%s*\n%s*", " ")), 999
end

local KNOWN <const> = { conf = true, ifname = true, args = true, verb = true }

local function check_order(order)
  if type(order) ~= "table" then
    error("plugin: a table { conf, ifname, args, verb } is due here", 3)
  end
  for key in next, order do
    if not KNOWN[key] then
      local near <const> = rtnl.nearest(KNOWN, tostring(key))
      error(("%s: unknown field of a call%s"):format(shown(key),
        near and (" (did you mean '%s'?)"):format(near) or ""), 3)
    end
  end
end

-- CNI_ARGS of a table or as text.
local function args_text(args)
  if type(args) ~= "table" then return args end
  local parts <const> = {}
  for key, value in pairs(args) do parts[#parts + 1] = ("%s=%s"):format(key, value) end
  table.sort(parts)
  return table.concat(parts, ";")
end

-- What a plugin is given: the configuration of the ADD, with its result behind it.
local function configuration(self, order, path)
  local conf <const> = { cniVersion = "1.1.0", name = "spec", type = "ecmp-lua" }
  for key, value in pairs(order.conf or self.conf or {}) do conf[key] = value end
  self.conf = order.conf or self.conf
  if path:find "%.lua$" then conf.script = path end
  if order.verb and order.verb ~= "ADD" then conf.prevResult = self.last end
  return conf
end

local function call(self, order)
  check_order(order)
  local verb <const> = order.verb or "ADD"
  local program <const> = self.file:find "%.lua$" and self.dir .. "/ecmp-lua" or self.file
  local path <const> = os.getenv "CNI_PATH" or M.path
  local outcome <const> = self.pod:run({ program }, verb, configuration(self, order, self.file),
    { ifname = order.ifname, args = args_text(order.args), path = self.dir .. ":" .. path })
  if outcome.status ~= 0 then return nil, M.refusal(outcome) end
  if verb == "ADD" then self.last = outcome.json end
  return outcome.json or true, self.pod.nl
end

local Plugin <const> = { __name = "ecmp.cni.spec.plugin", __call = call }
Plugin.__index = Plugin

---Closes the pod and takes away what was made for it.
function Plugin:close()
  self.pod:close()
  remove(self.dir)
end

Plugin.__close = Plugin.close

---A plugin to be tried: a script as `ecmp-lua` runs it, or an executable.
---@param path string
---@return fun(): table make makes a pod with the plugin in it, to be called with
---`{ conf, ifname, args, verb }` and to be closed. A call returns the result (true where there is
---none) and a handle on the pod, or nil, message, code. CHECK and DEL get the configuration and the
---result of the last ADD
function M.plugin(path)
  local file <const>, message <const> = sys.realpath(path)
  if not file then error("plugin: " .. message, 2) end
  return function()
    local self <const> = setmetatable({ file = file, pod = assert(M.pod()) }, Plugin)
    self.dir = assert(sys.mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/ecmp-spec."))
    M.provide(self.dir)
    return self
  end
end

return M
