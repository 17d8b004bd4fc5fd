---Stage 1: the network configuration, checked; `state.conf`.
--
-- Only what is checked here reaches the later stages, under its exact key and with its default in
-- place. Keys of the plugin's own come from its `fields`; keys that nobody here knows belong to
-- somebody else and are left alone. The object `multipath` is ours alone, so a stranger in it is a
-- mistyped key and is refused.
local fields = require "ecmp.flow.fields"
local json = require "ecmp.json"

local M = {}

---What several routes with one key become.
M.merges = { "ecmp", "separate", "first", "failover", "reject" }
---What to do when another interface of the pod already has a route with the key of one of ours.
M.conflicts = { "yield", "take", "merge", "refuse" }

---The packet fields of `"hash": [ ... ]`, with their bits in net.*.fib_multipath_hash_fields.
M.hash_fields = {
  src = 0x001, dst = 0x002, proto = 0x004, flowlabel = 0x008, sport = 0x010, dport = 0x020,
  ["inner-src"] = 0x040, ["inner-dst"] = 0x080, ["inner-proto"] = 0x100,
  ["inner-flowlabel"] = 0x200, ["inner-sport"] = 0x400, ["inner-dport"] = 0x800,
}

local hash_words <const> = {
  "src", "dst", "proto", "flowlabel", "sport", "dport",
  "inner-src", "inner-dst", "inner-proto", "inner-flowlabel", "inner-sport", "inner-dport",
}

local multipath_fields <const> = {
  { "hash", "either",
    list = { "", "list", item = { "", "word", words = hash_words } },
    other = { "", "word", words = { "l3", "l4", "inner" } } },
  { "useNeigh", "boolean" },
  { "ignoreLinkdown", "boolean" },
  { "nexthops", "word", words = { "inline", "group", "resilient" }, default = "inline" },
}

-- A key is matched in any case, so a stranger is one that differs from all of ours in any case.
local function multipath(value, path)
  local checked, message = fields.value(value, { "", "object", fields = multipath_fields }, path)
  if not checked then return nil, message end
  for key in pairs(value) do
    local known = false
    for _, field in ipairs(multipath_fields) do
      known = known or field[1]:lower() == key:lower()
    end
    if not known then
      return nil, ("%s.%s: unknown key; known are hash, useNeigh, ignoreLinkdown, nexthops")
        :format(path, key)
    end
  end
  if type(checked.hash) == "table" and #checked.hash == 0 then
    return nil, path .. ".hash: a list of at least one packet field is due here"
  end
  return checked
end

local common <const> = {
  { "name", "string" },
  { "type", "string" },
  { "merge", "word", words = M.merges },
  { "script", "string" },
  { "trusted", "boolean", default = false },
  { "conflict", "word", words = M.conflicts },
  { "result", "word", words = { "routes", "gws" }, default = "routes" },
  { "multipath", multipath },
  { "dad", "word", words = { "wait", "skip", "optimistic" }, default = "wait" },
  { "ipam", "object", fields = { { "type", "string", default = "" } } },
  { "dns", "object" },
}

---Whether the plugin was called by the name of a reference plugin, which it then replaces.
---@param call table
---@return boolean
function M.is_dropin(call)
  if call.dropin ~= nil then return call.dropin end
  return not (call.plugin or "ecmp"):find("^ecmp")
end

local function with_defaults(conf, call)
  local dropin <const> = M.is_dropin(call)
  conf.merge = conf.merge or (dropin and "separate" or "ecmp")
  conf.conflict = conf.conflict or ((dropin or conf.merge == "separate") and "take" or "yield")
  conf.multipath = conf.multipath or { nexthops = "inline" }
  conf.ipam = conf.ipam or { type = "" }
  return conf
end

---Checks `state.call.conf`.
---@param state table
---@return table? state, string? message, integer? code  nil, message naming the field, 7
function M.run(state)
  local given <const> = state.call.conf
  local conf, message, code = fields.read(given, common)
  if not conf then return nil, message, code end
  local own
  own, message, code = fields.read(given, state.plugin.fields or {})
  if not own then return nil, message, code end
  for key, value in pairs(own) do conf[key] = value end
  state.conf = with_defaults(conf, state.call)
  -- An empty `dns` says nothing, as with the reference plugins.
  if conf.dns and next(conf.dns) == nil then conf.dns = nil end
  if state.plugin.check_conf then
    local ok
    ok, message, code = state.plugin.check_conf(conf, state.call)
    if not ok then return nil, message, code or 7 end
  end
  return state
end

---A value under `args.cni` of the configuration, where users of a pod may say something.
---@param call table
---@param key string
---@return any
function M.args_cni(call, key)
  local args <const> = json.get(call.conf, "args")
  local cni = type(args) == "table" and json.get(args, "cni") or nil
  return type(cni) == "table" and json.get(cni, key) or nil
end

---A value under `runtimeConfig`, which the runtime fills for a declared capability.
---@param call table
---@param key string
---@return any
function M.runtime(call, key)
  local runtime <const> = json.get(call.conf, "runtimeConfig")
  return type(runtime) == "table" and json.get(runtime, key) or nil
end

return M
