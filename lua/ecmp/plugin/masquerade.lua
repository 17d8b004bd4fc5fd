---Masquerading: what a pod sends beyond its own subnet leaves with the host's address. All plugins
---that offer `ipMasq` share this module.
--
-- A backend is a module of netfilter/ with `add`, `remove`, `sweep` and `count`. Which one took an
-- attachment is in the record of its ADD; where there is no record (the reference plugin made the
-- pod, or the machine lost it) all backends are asked to forget it.
local json = require "ecmp.json"
local record = require "ecmp.flow.record"
local schema = require "ecmp.cni.schema"

local M = {}

local backends <const> = { "nftables", "iptables" }

local function backend(name) return require("ecmp.netfilter." .. name) end

local word <const> = schema.word(backends)

---Checks `ipMasqBackend`; an empty one says nothing.
M.backend = schema.as({ enum = { "nftables", "iptables", "" } }, function(value, path)
  if value == "" then return nil end
  return word(value, path)
end)

-- Called by a reference plugin's name ours does as that one: other rules of the host may count on
-- it, since nothing that iptables accepts early keeps an address out of nftables' hands.
local function chosen(conf, call)
  if conf.ipMasqBackend then return conf.ipMasqBackend end
  return call.dropin and backend("iptables").available() and "iptables" or "nftables"
end

---The backend that is to masquerade an attachment's addresses; for the record.
---@param state table of the flow
---@return string? name nil where nothing is to be masqueraded
function M.choose(state)
  if not state.conf.ipMasq or #state.plan.addresses == 0 then return nil end
  return chosen(state.conf, state.call)
end

local function attachment(call)
  return {
    network = json.get(call.conf, "name"), containerid = call.containerid, ifname = call.ifname,
  }
end

---Masquerades an attachment's addresses by the backend that the record names.
---@param state table of the flow
---@return true? ok, string? message, string? code
function M.add(state)
  local name <const> = state.record.masquerade
  if not name then return true end
  local who <const>, addresses <const> = attachment(state.call), state.plan.addresses
  state.undo:push("masquerading", function() return backend(name).remove(who, addresses) end)
  local ok <const>, message <const>, code <const> = backend(name).add(who, addresses)
  if not ok then return nil, "ipMasq: " .. message, code end
  return true
end

-- The backend that an ADD of this configuration would take, as far as it can be read.
local function asked(call)
  local backend_asked <const> = json.get(call.conf, "ipMasqBackend")
  return chosen({ ipMasqBackend = backend_asked ~= "" and backend_asked or nil }, call)
end

-- The addresses that an attachment had: by its record, else by the runtime; nil if nobody knows.
local function addresses_of(call, was)
  return was and was.plan and was.plan.addresses or call.prev and call.prev.ips
end

---Ends the masquerading of an attachment, if it had any: its configuration of now or the record of
---its ADD says so.
---@param call table
---@param was table? the record
---@return true? ok, string? message
function M.detach(call, was)
  local known <const> = was and was.masquerade
  if not known and not json.get(call.conf, "ipMasq") then return true end
  local who <const>, addresses <const> = attachment(call), addresses_of(call, was)
  if known then return backend(known).remove(who, addresses) end
  local likely <const> = asked(call)
  local problems <const> = {}
  for _, name in ipairs(backends) do
    local ok <const>, message <const> = backend(name).remove(who, addresses)
    -- A host that lacks what nobody asked for has nothing of it.
    if not ok and name == likely then problems[#problems + 1] = message end
  end
  if #problems == 0 then return true end
  return nil, table.concat(problems, "; ")
end

---Ends the masquerading of attachments of a network that are not valid any more.
---@param call table with `valid`
---@return true? ok, string? message
function M.sweep(call)
  if not json.get(call.conf, "ipMasq") then return true end
  local likely <const>, network <const> = asked(call), json.get(call.conf, "name")
  local problem
  for _, name in ipairs(backends) do
    local ok <const>, message <const> = backend(name).sweep(network, call.valid)
    if not ok and name == likely then problem = message end
  end
  return problem == nil or nil, problem
end

-- By which backend all addresses are masqueraded; nil and, of the likely one, how many are.
local function find_backend(names, who, addresses)
  local least, message
  for _, name in ipairs(names) do
    local found <const>, why <const> = backend(name).count(who, addresses)
    if found == #addresses then return name end
    if not least then least, message = found, why end
  end
  return nil, least, message
end

---For CHECK: whether every address is still masqueraded. Where neither the record of an ADD nor the
---configuration names a backend, either will do: a reference plugin may have made the pod.
---@param state table
---@param say fun(sentence: string)
function M.inspect(state, say)
  local call <const> = state.call
  local was <const> = record.load(call)
  if not state.conf.ipMasq then return end
  local name <const> = was and was.masquerade or chosen(state.conf, call)
  local names <const> = { name }
  if not (was and was.masquerade) and not state.conf.ipMasqBackend then
    names[2] = name == "iptables" and "nftables" or "iptables"
  end
  local addresses <const> = addresses_of(call, was) or {}
  local by <const>, found, message = find_backend(names, attachment(call), addresses)
  if by then return end
  if not found then return say("ipMasq: " .. message) end
  say(("ipMasq: %d of %d addresses are masqueraded by %s"):format(found, #addresses, name))
end

---For `ecmp repair`: masquerades again what the record says is.
---@param state table
---@param fix fun(what: string, mend: function)
function M.repair(state, fix)
  local name <const> = state.was.masquerade
  if not name then return true end
  local who <const>, addresses <const> = attachment(state.call), state.plan.addresses
  local found <const>, message <const>, code <const> = backend(name).count(who, addresses)
  if not found then return nil, "ipMasq: " .. message, code end
  if found == #addresses then return true end
  fix("ipMasq by " .. name, function()
    local ok, why, number = true, nil, nil
    -- Some of the rules are there, in whatever order.
    if found > 0 then ok, why, number = backend(name).remove(who, addresses) end
    if not ok then return nil, why, number end
    return backend(name).add(who, addresses)
  end)
  return true
end

return M
