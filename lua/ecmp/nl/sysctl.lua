---Sysctls of the handle's namespace: `nl.sysctl:get "net.ipv4.ip_forward"`.

local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown
local sys = require "ecmp.sys"

rtnl.own()

---@class ecmp.Sysctl
local methods = {}
local mt = { __name = "ecmp.Sysctl", __index = methods }

local M = {}

-- Bytes that a value has at most, but for lists of ports.
local USUAL_SIZE <const> = 1000

---The sysctls of a handle's namespace: `nl.sysctl`.
---@param nl ecmp.Handle
---@return ecmp.Sysctl
function M.new(nl)
  return setmetatable({ nl = nl }, mt)
end

-- "net.ipv4.conf.eth0.forwarding" or, for names with dots in them,
-- "net/ipv4/conf/eth0.5/forwarding".
local function path_of(key)
  local good = type(key) == "string" and key:find "^net[./]"
  if not good or key:find("..", 1, true) or key:find "%z" then
    rtnl.throw(("sysctl: a key like net.ipv4.ip_forward expected, got %s"):format(shown(key)))
  end
  return "/proc/sys/" .. (key:find("/", 1, true) and key or key:gsub("%.", "/"))
end

local function namespace(nl)
  local fd = nl.socket:netns()
  return fd and ("/proc/self/fd/%d"):format(fd) or "/proc/thread-self/ns/net"
end

---Reads a sysctl of the namespace.
---@param key string with dots, or with slashes where a name has dots in it
---@return string|nil value # as text, without the line end
---@return string? message
---@return string? code
function methods:get(key)
  local from <const>, path <const> = namespace(self.nl), path_of(key)
  local text, message, code = sys.netns_read(from, path, USUAL_SIZE)
  if code == "EFBIG" then text, message, code = sys.netns_read(from, path) end
  if not text then
    return nil, ("sysctl %s: %s"):format(key, message), code
  end
  return (text:gsub("%s+$", ""))
end

---Writes a sysctl of the namespace.
---@param key string
---@param value string|integer|boolean booleans become 1 and 0
---@return true|nil
---@return string? message
---@return string? code
function methods:set(key, value)
  if type(value) == "boolean" then
    value = value and 1 or 0
  end
  local ok, message, code = sys.netns_write(namespace(self.nl), path_of(key), tostring(value))
  if not ok then
    return nil, ("sysctl %s = %s: %s"):format(key, value, message), code
  end
  return true
end

return M
