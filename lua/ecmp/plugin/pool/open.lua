---Opens the store that a configuration of ecmp-pool names.
local State = require "ecmp.store.etcd.state"
local candidates = require "ecmp.store.etcd.candidates"
local config = require "ecmp.plugin.pool.config"
local errors = require "ecmp.cni.errors"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local sha512 = require "ecmp.netfilter.sha512"
local sys = require "ecmp.sys"

local M = {}

local MISTAKE <const> = errors.codes.config
local MODULE <const> = "ecmp_pool"

---The module's file.
M.FILE = MODULE .. ".so"

-- The module --------------------------------------------------------------------------------------

-- Beside the executable, or where its Lua modules were built or installed.
local PLACES <const> = { "%s/ecmp_pool.so", "%s/../lua/5.4/ecmp_pool.so",
  "%s/../lib/lua/5.4/ecmp_pool.so" }

---The module's file beside the running executable, where there is one.
---@return string? path
function M.module_file()
  local program <const> = sys.readlink "/proc/self/exe"
  local directory <const> = program and program:match("^(.*)/")
  for _, place in ipairs(directory and PLACES or {}) do
    local path <const> = place:format(directory)
    if sys.stat(path) then return path end
  end
end

local function load_near_executable()
  local path <const> = M.module_file()
  local open <const> = path and package.loadlib(path, "luaopen_ecmp_pool")
  return open and open(MODULE)
end

---The module in C that speaks HTTP/2.
---@return table? module, string? message, integer? code  nil, why not, "EINVAL"
function M.transport()
  local module = not package.preload[MODULE] and load_near_executable()
  if module then return module end
  local found <const>, other <const> = pcall(require, MODULE)
  if found then return other end
  return nil, "ipam.type: this build has no pools", MISTAKE
end

-- This machine ------------------------------------------------------------------------------------

-- Where no machine id is to be had, one by chance that stays on disk. What cannot be read or kept
-- is not made up: with another id this machine would be a stranger to its own addresses.
local function own_id(directory)
  local path <const> = directory .. "/machine"
  local id, message, code = sys.read(path, 64)
  if id and #id == 32 then return id end
  if not id and code ~= "ENOENT" then return nil, message end
  local made <const> = (sys.random(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  sys.mkdir(directory, tonumber("700", 8))
  local kept, refusal, why = sys.create(path, made, tonumber("600", 8))
  if not kept and why ~= "EEXIST" then return nil, refusal end
  id, message = sys.read(path, 64)
  return id, message
end

---What tells this machine from another: made of its machine id, which itself is nobody's business.
---@param directory string where one is kept if the machine has none
---@return string? machine, string? message
function M.machine(directory)
  local text <const>, message <const>, code <const> = sys.read("/etc/machine-id", 64)
  if not text and code ~= "ENOENT" then return nil, message end
  local id, why = (text or ""):match "^%x+", nil
  if not id then id, why = own_id(directory) end
  if not id then return nil, why end
  return sha512("ecmp-pool:" .. id):sub(1, 32)
end

-- Stores ------------------------------------------------------------------------------------------

-- How host-local keeps a directory.
local function keeper()
  return {
    store = require "ecmp.plugin.host-local.store",
    reserve = require "ecmp.plugin.host-local.reserve",
    parse = ip.parse, size = candidates.usable,
  }
end

---What a node keeps on its disk about a network, whatever is wrong with the rest.
---@param conf table
---@return table state
function M.state(conf)
  return State.new(config.directory(conf), json.get(conf, "name"))
end

---Opens the store of a configuration.
---@param settings table of `config.store`
---@param conf table
---@param timeout? number seconds, in place of the configured ones where that is less
---@param passes? integer how often each endpoint is asked; until the time is up when left out
---@return table? store, string? message, integer? code
function M.store(settings, conf, timeout, passes)
  local network <const> = json.get(conf, "name")
  if settings.directory then
    return require("ecmp.store.directory").open(keeper(), settings.directory, network)
  end
  local transport <const>, message <const>, code <const> = M.transport()
  if not transport then return nil, message, code end
  local directory <const> = config.directory(conf)
  local machine <const>, problem <const> = M.machine(directory)
  if not machine then return nil, problem, errors.codes.again end
  return require("ecmp.store.etcd").open {
    transport = transport, endpoints = settings.endpoints, prefix = settings.prefix,
    network = network, node = settings.node, machine = machine,
    directory = directory, timeout = math.min(timeout or settings.timeout, settings.timeout),
    block = settings.block, passes = passes,
  }
end

return M
