--- Plays a container runtime: runs a plugin as a process of its own, as containerd would.
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local M = {}

local CNI <const> = {
  CNI_COMMAND = "ADD", CNI_CONTAINERID = "c1", CNI_NETNS = "/run/netns/nowhere",
  CNI_IFNAME = "eth0", CNI_PATH = "/usr/lib/cni", CNI_ARGS = "",
}

--- The environment of this process without CNI_ variables, then the usual ones, then `changes`;
--- a change to false leaves the variable out.
function M.environment(changes)
  local env <const> = {}
  for _, entry in ipairs(sys.environ()) do
    local ours <const> = entry:find("^CNI_") or entry:find("^LUA_")
    if not ours and (changes or {})[entry:match("^[^=]*")] == nil then env[#env + 1] = entry end
  end
  local vars <const> = { LUA_PATH = package.path, LUA_CPATH = package.cpath }
  for name, value in pairs(CNI) do vars[name] = value end
  for name, value in pairs(changes or {}) do vars[name] = value or nil end
  for name, value in pairs(vars) do env[#env + 1] = name .. "=" .. value end
  return env
end

--- Runs `argv` with a configuration (a table or text) on stdin.
--- Returns status, stdout and stderr, and under `json` what stdout says.
function M.run(argv, conf, changes)
  local text <const> = type(conf) == "table" and json.encode(conf) or conf or ""
  local outcome <const> = assert(sys.spawn {
    argv = argv, env = M.environment(changes), stdin = text, timeout = 20, stderr = "capture",
  })
  outcome.json = outcome.stdout:find("%S") and assert(json.decode(outcome.stdout)) or nil
  return outcome
end

--- Calls a plugin of ours by the name of its type.
function M.call(plugin, command, conf, changes)
  local env <const> = { CNI_COMMAND = command }
  for name, value in pairs(changes or {}) do env[name] = value end
  local program <const> = "os.exit(require('ecmp.command.main')(arg[1], {}))"
  return M.run({ "lua5.4", "-e", program, "/dev/null", plugin }, conf, env)
end

--- Calls a plugin that is a Lua chunk: `text` runs with `cni` at hand.
function M.script(text, command, conf, changes)
  local env <const> = { CNI_COMMAND = command }
  for name, value in pairs(changes or {}) do env[name] = value end
  local program <const> = "local cni = require 'ecmp.cni' " .. text
  return M.run({ "lua5.4", "-e", program }, conf, env)
end

return M
