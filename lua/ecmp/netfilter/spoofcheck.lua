---`macspoofchk`: what a pod sends into a bridge is dropped unless it comes from the pod's own
---hardware address.
--
-- Table, chains and comments are those of the reference plugin, which are laid out as ebtables and
-- libvirt do it, so that each of the two can take away what the other has set up: the chain of all
-- ports sends what comes in by this one to a chain of its own, and that to one that knows the
-- address. The chain of all ports stays; others use it too.
local nft = require "ecmp.netfilter.nft"

local M = {}

local TABLE <const>, ALL <const> = nft.table("bridge", "nat"), "PREROUTING"
local BASE <const> = { type = "filter", hook = "prerouting", priority = -300 }
-- How many rules an attachment has.
local RULES <const> = 4

local function names(containerid, ifname)
  local id <const> = containerid .. "-" .. ifname
  local port <const> = "cni-br-iface-" .. id
  return { port = port, mac = port .. "-mac", comment = nft.comment("macspoofchk-" .. id) }
end

local function names_of(call) return names(call.containerid, call.ifname) end

-- The chains that are there are emptied first: an ADD whose DEL never came leaves nothing behind.
local function setup(name, port, mac)
  local function rule(chain, ...)
    return TABLE:rule(chain, table.concat { ... }, name.comment)
  end
  return {
    TABLE:make(), TABLE:chain(ALL, BASE), TABLE:chain(name.port), TABLE:chain(name.mac),
    TABLE:flush(name.port), TABLE:flush(name.mac),
    rule(ALL, nft.input(port), nft.verdict("jump", name.port)),
    rule(name.port, nft.verdict("jump", name.mac)),
    rule(name.mac, nft.sender(mac), nft.verdict("return")),
    rule(name.mac, nft.verdict("drop")),
  }
end

-- Takes away one attachment's rules and chains; what is gone already is fine.
local function remove(name)
  local filter <close>, message, code = nft.open()
  if not filter then return nil, message, code end
  local gone
  gone, message, code = filter:purge(TABLE, ALL, function(rule)
    return rule.comment == name.comment
  end)
  if not gone then return nil, message, code end
  for _, chain in ipairs { name.port, name.mac } do
    local ok
    ok, message, code = filter:commit { TABLE:del_chain(chain) }
    if not ok and code ~= "ENOENT" then return nil, message, code end
  end
  return true
end

local function install(name, port, mac)
  local filter <close>, message, code = nft.open()
  local ok
  if filter then ok, message, code = filter:commit(setup(name, port, mac)) end
  if not ok then return nil, "macspoofchk: " .. message, code end
  return true
end

---Checks from now on what comes in by a port.
---@param state table of the flow
---@param port string the host's end of the pod's interface
---@param mac string the address of the pod's end
---@return true? ok, string? message, string? code
function M.add(state, port, mac)
  local name <const> = names_of(state.call)
  state.undo:push("spoof check", function() return remove(name) end)
  return install(name, port, mac)
end

---@param call table
---@return true? ok, string? message
function M.detach(call) return remove(names_of(call)) end

---Ends the checks of attachments that GC found to be gone. (The comments do not say whose network
---they belong to, so their records have to.)
---@param stale table[] records
---@return true? ok, string? message
function M.sweep(stale)
  local problems <const> = {}
  for _, was in ipairs(stale) do
    for _, step in ipairs(was.steps or {}) do
      local ok, message = true, nil
      if step.spoofcheck then ok, message = remove(names(was.containerid, was.ifname)) end
      if not ok then problems[#problems + 1] = message end
    end
  end
  if #problems == 0 then return true end
  return nil, table.concat(problems, "; ")
end

-- How many of an attachment's rules are there.
local function count(call)
  local filter <close>, message, code = nft.open()
  local rules = filter
  if filter then rules, message, code = filter:rules(TABLE) end
  if not rules then return nil, message, code end
  local ours <const>, found = names_of(call).comment, 0
  for _, rule in ipairs(rules) do
    if rule.comment == ours then found = found + 1 end
  end
  return found
end

---For `ecmp repair`: checks again what comes in by a port.
---@param state table
---@param port string
---@param mac string
---@param fix fun(what: string, mend: function)
---@return true? ok, string? message, string? code
function M.repair(state, port, mac, fix)
  local found <const>, message <const>, code <const> = count(state.call)
  if not found then return nil, "macspoofchk: " .. message, code end
  if found >= RULES then return true end
  local name <const> = names_of(state.call)
  fix("macspoofchk", function()
    local ok, why, number = true, nil, nil
    if found > 0 then ok, why, number = remove(name) end
    if not ok then return nil, why, number end
    return install(name, port, mac)
  end)
  return true
end

---For CHECK: whether the rules are all there.
---@param state table
---@param report fun(difference: string)
function M.inspect(state, report)
  local found <const>, message <const> = count(state.call)
  if not found then return report("macspoofchk: " .. message) end
  if found < RULES then report(("macspoofchk: %d of %d rules are there"):format(found, RULES)) end
end

return M
