---lua: runs a site's own plugin, a script that returns its table of verbs.
--
-- The script has all of Lua, so it is believed only where nobody but root and we could have written
-- it or what it requires from beside it. Whatever it does wrong is error 100, with file and line.
local calls = require "ecmp.cni.call"
local errors = require "ecmp.cni.errors"
local json = require "ecmp.json"
local log = require "ecmp.log"
local rtnl = require "ecmp.rtnl"
local trust = require "ecmp.sandbox.permissions"

local M = {}

local FAULT <const>, MISTAKE <const> = errors.codes.script, errors.codes.config
local UNAVAILABLE <const> = errors.codes.unavailable

-- Finding what the script requires -------------------------------------------------------------

-- Our own modules and cjson are never taken from beside a script.
local function is_reserved(name)
  return name == "ecmp" or name:find("^ecmp%.") or name == "cjson" or name:find("^cjson%.")
end

-- What was required from beside a script.
local from_beside <const> = {}

---A searcher for `require` that finds the files beside a script.
local function beside(directory)
  return function(name)
    if is_reserved(name) then return nil end
    local base <const> = directory .. name:gsub("%.", "/")
    local tried <const> = {}
    for i, path in ipairs { base .. ".lua", base .. "/init.lua" } do
      local text <const>, message = trust.read(path)
      if text then
        from_beside[name] = true
        return assert(load(text, "@" .. path, "t")), path
      end
      if not message:find("%(ENOENT%)") and not message:find("%(ENOTDIR%)") then
        error(message, 0)
      end
      tried[i] = ("no file '%s'"):format(path)
    end
    return table.concat(tried, "\n\t")
  end
end

-- Elsewhere, in LUA_PATH too, only our own modules are looked for.
local function narrowed(search)
  return function(name)
    if is_reserved(name) or name == "argparse" then return search(name) end
  end
end

-- The searchers of the process, narrowed; those of each script come before them.
local narrow

local function narrow_searchers(directory)
  local searchers <const> = package.searchers
  if not narrow then
    narrow = { table.unpack(searchers) }
    for i = package.preload["ecmp.build"] and 3 or 2, #narrow do narrow[i] = narrowed(narrow[i]) end
  end
  -- `ecmp plan` runs several scripts in one process
  for name in pairs(from_beside) do package.loaded[name], from_beside[name] = nil, nil end
  for i = 1, #narrow + 1 do
    searchers[i] = i == 1 and narrow[1] or i == 2 and beside(directory) or narrow[i - 1]
  end
end

-- The script -----------------------------------------------------------------------------------

---A fault in words: with file and line where there is one, else with the file.
local function fault(path, thrown)
  if errors.is(thrown) then return thrown end
  local text = tostring(thrown)
  if not text:find(":%d+: ") then text = ("%s: %s"):format(path, text) end
  return errors.new(FAULT, text, debug.traceback("", 3))
end

local verb_names <const> = { "add", "del", "check", "gc", "status" }

local function check_verbs(path, verbs)
  if type(verbs) ~= "table" then
    return nil, ("%s: must return a table of verbs, not %s"):format(path, type(verbs)), FAULT
  end
  local message <const> = require("ecmp.cni.run").wrong_verbs(verbs)
  if message then return nil, ("%s: %s"):format(path, message), FAULT end
  return verbs
end

---Loads a plugin script.
---@param path string
---@return table? verbs, string? message, integer? code, string? details
function M.load(path)
  local text, message, code = trust.read(path)
  if not text then return nil, message, code end
  local chunk
  chunk, message = load(text, "@" .. path, "t")
  if not chunk then return nil, fault(path, message).msg, FAULT end
  narrow_searchers(path:match("^.*/") or "./")
  local ran <const>, verbs <const> =
    xpcall(chunk, function(thrown) return fault(path, thrown) end, path)
  if not ran then return nil, verbs.msg, verbs.code, verbs.details end
  return check_verbs(path, verbs)
end

-- The verbs ------------------------------------------------------------------------------------

---The script's path, and the call as the script sees it: there `script` is the rule script, as in
---the configuration of any other plugin. So it is for plugins that the script delegates to.
local function given(call)
  local path <const>, rules <const> = json.get(call.conf, "script"), json.get(call.conf, "rules")
  if type(path) ~= "string" or path == "" then
    return nil, "script: must be given, the path of the plugin's script", MISTAKE
  end
  if rules ~= nil and type(rules) ~= "string" then
    return nil, "rules: must be a string, the path of a rule script", MISTAKE
  end
  local conf <const> = setmetatable({}, getmetatable(call.conf))
  for key, value in pairs(call.conf) do conf[key] = value end
  conf.script, conf.rules = rules, nil
  return path, calls.with(call, { conf = conf, stdin = json.encode(conf), script = path })
end

local function run(verbs, path, call)
  local verb <const> = verbs[call.command:lower()]
  if not verb then return true end
  local outcome <const> =
    table.pack(xpcall(verb, function(thrown) return fault(path, thrown) end, call))
  if not outcome[1] then error(outcome[2], 0) end
  return table.unpack(outcome, 2, outcome.n)
end

local HOP_KEYS <const> = { gw = true, dev = true, weight = true, onlink = true }

-- The first next hop of a result that says nothing of where it leads. The rule's words are others
-- than CNI's, and both are Lua tables.
local function wrong_hop(value)
  for i, route in ipairs(type(value.routes) == "table" and value.routes or {}) do
    for j, hop in ipairs(type(route) == "table" and route.nexthops or {}) do
      local where <const> = ("result.routes[%d].nexthops[%d]"):format(i, j)
      for key in next, hop do
        if not HOP_KEYS[key] then
          local meant <const> = key == "via" and "gw" or rtnl.nearest(HOP_KEYS, tostring(key))
          return ("%s.%s: unknown key%s"):format(where, tostring(key),
            meant and (" (did you mean '%s'?)"):format(meant) or "")
        end
      end
      if not hop.gw and not hop.dev then return where .. ": must have a gw or a dev" end
    end
  end
end

---What is wrong with the result of an ADD; what cannot be written is the script's fault too.
local function wrong_with(value, call)
  if type(value) ~= "table" then
    return ("add: must return a result, not %s"):format(type(value))
  end
  local document <const>, message <const> =
    require("ecmp.cni.result").write(value, call.version, call.form)
  return not document and message or wrong_hop(value)
end

local function add(verbs, path, call)
  local value <const>, message <const>, code <const>, details <const> = run(verbs, path, call)
  if not value and message ~= nil then return nil, message, code, details end
  local wrong <const> = wrong_with(value, call)
  if not wrong then return value end
  calls.take_back(call)
  call.command = "DEL"
  local ran <const>, undone <const>, why = pcall(run, verbs, path, call)
  if not ran then why = undone end
  if why ~= nil and not (ran and undone) then
    log.warn("undo of a failed ADD: " .. tostring(why))
  end
  return nil, ("%s: %s"):format(path, wrong), FAULT
end

---A script that is gone cannot be asked to free anything; what the flow knows of is freed.
local function del_without(call)
  local interface <const> = require "ecmp.flow.interface"
  local conf <const> = json.get(call.conf, "ipam")
  local known <const> = json.kind(conf) == "object" or require("ecmp.flow.record").load(call)
  if not known then return true end
  return require("ecmp.flow.del").run(call, { attach = true, detach = interface.detach })
end

for _, name in ipairs(verb_names) do
  M[name] = function(call)
    local path <const>, inner, code = given(call)
    local verbs, message, details
    if path then
      verbs, message, code, details = M.load(path)
    else
      message, inner = inner, call
    end
    if verbs then return (name == "add" and add or run)(verbs, path, inner) end
    if name == "status" and errors.code(code) == FAULT then code = UNAVAILABLE end
    if name ~= "del" then return nil, message, code, details end
    log.warn("DEL goes on: " .. message)
    return del_without(inner)
  end
end

---What a script on the flow would come to.
---@param call ecmp.Call
---@param preview fun(call: ecmp.Call, plugin: table): any, string?, any runs the stages; gets the
---call as the script sees it
---@return any state what `preview` returned, string? message, integer? code, string? details
function M.preview(call, preview)
  local path <const>, inner <const>, number <const> = given(call)
  if not path then return nil, inner, number end
  local verbs <const>, message <const>, code <const>, details <const> = M.load(path)
  if not verbs then return nil, message, code, details end
  if not verbs.plugin then
    return nil, ("script: %s has verbs of its own, not those of flow.verbs; what its add does "
      .. "cannot be shown"):format(path), MISTAKE
  end
  local ran <const>, state <const>, why <const>, symbol <const>, more <const> =
    xpcall(preview, function(thrown) return fault(path, thrown) end, inner, verbs.plugin)
  if not ran then return nil, state.msg, state.code, state.details end
  return state, why, symbol, more
end

---Mends what the script's own `repair` knows of; see `ecmp.flow`.
---@param call table
---@return string[]? done, string? message, integer? code, string? details
function M.repair(call)
  local path <const>, inner <const>, code <const> = given(call)
  if not path then return nil, inner, code end
  local verbs <const>, message <const>, number <const>, details <const> = M.load(path)
  if not verbs then return nil, message, number, details end
  if not verbs.repair then return {} end
  return run(verbs, path, inner)
end

M.type, M.about = "lua", "runs a plugin that is a Lua script"

return M
