---Checks the hooks of a plugin when it is made, and what they return.
--
-- A hook whose name is misspelt would never be called, and nobody would notice.
local cni = require "ecmp.cni"
local rtnl = require "ecmp.rtnl"
local schema = require "ecmp.cni.schema"
local shown = require("ecmp.errors").shown

local M = {}

-- The type of each.
local HOOKS <const> = {
  fields = "function", check_conf = "function", needs_addresses = "boolean", stages = "table",
  remember = "function", stays_down = "function", connected = "function", attach = "function",
  settle = "function", detach = "function", sweep = "function", inspect = "function",
  repair = "function",
}

local function a(kind) return kind == "nil" and "nothing" or "a " .. kind end

local function guess(known, name)
  local near <const> = type(name) == "string" and rtnl.nearest(known, name)
  if near then return ("did you mean '%s'?"):format(near) end
  local names <const> = {}
  for word in pairs(known) do names[#names + 1] = word end
  table.sort(names)
  return "known are " .. table.concat(names, ", ")
end

local function wrong_stage(stages, order)
  local known <const> = {}
  for _, name in ipairs(order) do known[name] = true end
  for name, stage in next, stages do
    if not known[name] then
      return ("stages.%s: unknown stage (%s)"):format(shown(name), guess(known, name))
    end
    if type(stage) ~= "function" then
      return ("stages.%s: must be a function, not %s"):format(name, a(type(stage)))
    end
  end
end

local function wrong_hook(plugin)
  for name, hook in next, plugin do
    local wanted <const> = HOOKS[name]
    if not wanted then
      return ("%s: unknown hook (%s)"):format(shown(name), guess(HOOKS, name))
    end
    if type(hook) ~= wanted then
      return ("%s: must be a %s, not %s"):format(name, wanted, a(type(hook)))
    end
  end
end

-- A check of one's own in place of an inherited one would drop what that refuses.
local function drops_fields(plugin, base)
  local own <const>, inherited <const> = rawget(plugin, "fields"), base.fields
  if own and inherited and not schema.extends(own, inherited) then
    return "fields: drops the checks of the plugin that this one is made from; "
      .. "use schema.extend(base.fields, { ... })"
  end
end

---What is wrong with a plugin: a hook or a stage that nobody would call, or of the wrong type.
---@param plugin table as `ecmp.flow.verbs` takes it; those it inherits from are looked at, too
---@param order string[] the names of the stages
---@return string? message nil where nothing is
function M.wrong_with(plugin, order)
  if type(plugin) ~= "table" then
    return ("a table of hooks is due here, not %s"):format(a(type(plugin)))
  end
  local stages <const>, mt <const> = rawget(plugin, "stages"), getmetatable(plugin)
  local message <const> = wrong_hook(plugin) or stages and wrong_stage(stages, order)
  local base <const> = type(mt) == "table" and mt.__index
  if message or type(base) ~= "table" then return message or nil end
  return drops_fields(plugin, base) or M.wrong_with(base, order)
end

-- A hook at fault is the author's to mend, not the operator's.
local function fault(name, message)
  error(("%s: %s"):format(name, message), 0)
end

---Calls a hook that may be missing; a refusal is thrown, one that returns nothing has succeeded.
---@param plugin table
---@param name string
---@param ... any
---@return any value
function M.call(plugin, name, ...)
  if plugin[name] then return cni.done(plugin[name](...)) end
end

---Calls the hook that gives fields for the record.
---@param plugin table
---@param state table
---@return table fields
function M.remember(plugin, state)
  local fields <const> = M.call(plugin, "remember", state)
  if fields ~= nil and type(fields) ~= "table" then
    fault("remember", ("must return a table of fields, not %s"):format(a(type(fields))))
  end
  return fields or {}
end

---Calls the hook that says what CHECK is to complain about.
---@param plugin table
---@param state table
---@return string[] sentences
function M.inspect(plugin, state)
  local found <const> = M.call(plugin, "inspect", state)
  if found == nil then return {} end
  if type(found) ~= "table" then
    fault("inspect", ("must return a list of sentences, not %s"):format(a(type(found))))
  end
  local count = 0
  for _ in next, found do count = count + 1 end
  for i = 1, count do
    if type(found[i]) ~= "string" then
      fault("inspect", ("must return a list of sentences; [%d] is %s"):format(i,
        a(type(found[i]))))
    end
  end
  return found
end

-- What the stages behind one rely on.
local RESULTS <const> = {
  netconf = { "conf" }, context = { "ctx", "current" }, ipam = { "ipam", "addresses" },
  routes = { "routes" }, group = { "merged" }, plan = { "plan", "wanted" }, result = { "result" },
}

---Raises where a plugin's own stage has not set what the next ones need.
---@param name string
---@param state table
function M.check_stage(name, state)
  for _, field in ipairs(RESULTS[name] or {}) do
    if type(state[field]) ~= "table" then
      fault("stages." .. name, ("must set state.%s to a table, not %s"):format(field,
        a(type(state[field]))))
    end
  end
end

---Raises where `attach` has not said which interface it made.
---@param state table
function M.check_attached(state)
  local list <const>, at <const> = state.interfaces, state.interface
  if type(list) ~= "table" or not list[1] then
    fault("attach", "must set state.interfaces to the list of interfaces that the result tells of")
  end
  if math.type(at) ~= "integer" or at < 0 or at >= #list then
    fault("attach", ("must set state.interface to the place of the pod's interface in "
      .. "state.interfaces, counted from 0, not to %s"):format(shown(at)))
  end
end

return M
