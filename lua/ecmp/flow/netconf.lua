---Stage `netconf`: checks the network configuration; sets `state.conf`.
--
-- The later stages find every key in its exact spelling and with its default in place. Keys of the
-- plugin's own are checked by its `fields`; keys that nobody here knows belong to somebody else and
-- are left alone. The object `multipath` is ours alone, so a stranger in it is a mistyped key and
-- is refused.
local later = require "ecmp.later"
local cni_result = require "ecmp.cni.result"
local health = later "ecmp.flow.health"
local json = require "ecmp.json"
local neighbours = require "ecmp.flow.neighbours"
local policy_rules = require "ecmp.flow.policy_rules"
local schema = require "ecmp.cni.schema"
local verb_log = later "ecmp.cni.log"

local M = {}

local MISTAKE <const> = 7

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

-- A list names the packet fields, a word one of the kernel's own choices.
local hash_field <const> = schema.word(hash_words)
local hash_fields <const> = schema.list(hash_field)
local hash_word <const> = schema.word { "l3", "l4", "inner" }

local hash_list <const> = schema.as({ type = "array", of = hash_field, minItems = 1 },
  function(value, path)
    if #value == 0 then return nil, path .. ": must name at least one packet field" end
    return hash_fields(value, path)
  end)

local hash <const> = schema.as({ any = { hash_word, hash_list } }, function(value, path)
  return (json.kind(value) == "list" and hash_list or hash_word)(value, path)
end)

local multipath_keys <const> = {
  hash = true, useNeigh = true, ignoreLinkdown = true, nexthops = true,
}
local multipath_record <const> = schema.record {
  { "hash", hash },
  { "useNeigh", neighbours.use_neigh },
  { "ignoreLinkdown", schema.boolean },
  { "nexthops", schema.word { "inline", "group", "resilient" } },
}

-- Known keys come out of a record in their exact spelling, so a stranger is one that is left over.
local function check_multipath(value, path)
  local checked, message = multipath_record(value, path)
  if not checked then return nil, message end
  for key in pairs(checked) do
    if not multipath_keys[key] then
      return nil, ("%s.%s: unknown key; known are hash, useNeigh, ignoreLinkdown, nexthops")
        :format(path, key)
    end
  end
  checked.nexthops = checked.nexthops or "inline"
  return checked
end

local multipath <const> =
  schema.as({ like = multipath_record, additionalProperties = false }, check_multipath)

---The keys that every plugin of ours understands.
M.fields = schema.record {
  { "name", schema.string },
  { "type", schema.string },
  { "merge", schema.word(M.merges) },
  { "script", schema.string },
  { "trusted", schema.boolean },
  { "conflict", schema.word(M.conflicts) },
  { "result", schema.word { "routes", "gws" } },
  { "multipath", multipath },
  { "health", schema.later(health, "field") },
  { "policyRules", policy_rules.field },
  { "dad", schema.word { "wait", "skip", "optimistic" } },
  { "ipam", schema.record { { "type", schema.string } } },
  { "dns", cni_result.check_dns },
  { "logFile", schema.later(verb_log, "file_field") },
  { "logLevel", schema.later(verb_log, "level_field") },
}

local function with_defaults(conf, call)
  local dropin <const> = call.dropin
  conf.merge = conf.merge or (dropin and "separate" or "ecmp")
  conf.conflict = conf.conflict or ((dropin or conf.merge == "separate") and "take" or "yield")
  conf.result, conf.dad = conf.result or "routes", conf.dad or "wait"
  conf.multipath = conf.multipath or { nexthops = "inline" }
  conf.ipam = conf.ipam or {}
  conf.ipam.type = conf.ipam.type or ""
  -- An empty `dns` says nothing, as with the reference plugins.
  if conf.dns and next(conf.dns) == nil then conf.dns = nil end
  return conf
end

---Checks `state.call.conf`.
---@param state table
---@return table? state, string? message, integer? code  nil, message naming the field, 7
function M.run(state)
  local conf, message = M.fields(state.call.conf, "")
  if conf and state.plugin.fields then conf, message = state.plugin.fields(conf, "") end
  if not conf then return nil, message, MISTAKE end
  state.conf = with_defaults(conf, state.call)
  local check <const> = state.plugin.check_conf
  if not check then return state end
  local ok, code
  ok, message, code = check(conf, state.call)
  if not ok and message ~= nil then return nil, message, code or MISTAKE end
  return state
end

return M
