---Masquerading: what a pod sends beyond its own subnet leaves with the host's address.
--
-- Each address of a pod has one nftables rule in a table of our own, marked with the attachment it
-- belongs to, so that DEL and GC find it without knowing the address. All plugins that offer
-- `ipMasq` share this module.
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local nft = require "ecmp.nft"
local schema = require "ecmp.cni.schema"

local M = {}

local TABLE <const>, CHAIN <const> = "ecmp_masquerade", "postrouting"
local BASE <const> = { type = "nat", hook = "postrouting", priority = 100 }
local MULTICAST <const> = { [4] = ip.parse("224.0.0.0/4"), [6] = ip.parse("ff00::/8") }
-- The kernel keeps 127 bytes of a comment.
local LONGEST <const> = 127

---Checks `ipMasqBackend`. The rules are nftables' whatever program wrote the host's others.
---@param value any
---@param path string
---@return string? backend, string? message
function M.backend(value, path)
  if value == "nftables" then return value end
  if value == "" then return nil end
  return nil, ("%s: must be nftables, not '%s'"):format(path, tostring(value))
end
schema.as({ enum = { "nftables", "" } }, M.backend)

-- FNV-1a, 64 bit.
local function digest(text)
  local hash = 0xcbf29ce484222325
  for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(hash)
end

-- An attachment as a comment: exact by its numbers, the rest is for those who read the ruleset.
local function mark(network, containerid, ifname)
  local text <const> = ("%s-%s %s %s %s"):format(digest(network),
    digest(containerid .. "/" .. ifname), ifname, network, containerid)
  return text:sub(1, LONGEST)
end

local function mark_of(call)
  return mark(json.get(call.conf, "name"), call.containerid, call.ifname)
end

---The changes that masquerade what these addresses send.
---@param addresses table[] `{ address }` with prefix length
---@param comment string
---@return table[] changes for `nft:commit`
function M.changes(addresses, comment)
  local changes <const> = { nft.table(TABLE), nft.chain(TABLE, CHAIN, BASE) }
  for _, entry in ipairs(addresses) do
    local address <const> = assert(ip.parse(entry.address))
    local family <const> = address:family()
    local beyond <const> = nft.family(family)
      .. nft.address("saddr", address:address(), true)
      .. nft.address("daddr", address:network(), false)
      .. nft.address("daddr", MULTICAST[family], false)
    changes[#changes + 1] = nft.rule(TABLE, CHAIN, beyond .. nft.masquerade(), comment)
  end
  return changes
end

-- Removes the rules that `stale` wants gone; then the table, unless somebody still needs it.
local function remove(stale)
  local filter <close>, message, code = nft.open()
  if not filter then return nil, message, code end
  local rules
  rules, message, code = filter:rules(TABLE)
  if not rules then return nil, message, code end
  local changes <const> = {}
  for _, rule in ipairs(rules) do
    if stale(rule.comment or "") then changes[#changes + 1] = nft.del_rule(rule) end
  end
  if #changes == 0 then return true end
  local ok
  ok, message, code = filter:commit(changes)
  -- Gone meanwhile is as good.
  if not ok and code ~= "ENOENT" then return nil, message, code end
  filter:commit { nft.del_chain(TABLE, CHAIN), nft.del_table(TABLE) }
  return true
end

---Masquerades an attachment's addresses where its configuration says `ipMasq`.
---@param state table of the flow
---@return true? ok, string? message, string? code
function M.add(state)
  if not state.conf.ipMasq then return true end
  local filter <close>, message, code = nft.open()
  if not filter then return nil, message, code end
  local ours <const> = mark_of(state.call)
  state.undo:push("masquerading", function()
    return remove(function(comment) return comment == ours end)
  end)
  local ok
  ok, message, code = filter:commit(M.changes(state.plan.addresses, ours))
  if not ok then return nil, "ipMasq: " .. message, code end
  return true
end

---Ends the masquerading of an attachment, if it had any: its configuration of now or the record of
---its ADD says so.
---@param call table
---@param was table? the record
---@return true? ok, string? message
function M.detach(call, was)
  if not json.get(call.conf, "ipMasq") and not (was and was.masquerade) then return true end
  local ours <const> = mark_of(call)
  return remove(function(comment) return comment == ours end)
end

---Ends the masquerading of attachments of a network that are not valid any more.
---@param call table with `valid`
---@return true? ok, string? message
function M.sweep(call)
  if not json.get(call.conf, "ipMasq") then return true end
  local network <const> = json.get(call.conf, "name")
  local keep <const>, ours <const> = {}, digest(network) .. "-"
  for _, entry in ipairs(call.valid) do
    keep[mark(network, entry.containerid, entry.ifname)] = true
  end
  return remove(function(comment)
    return comment:sub(1, #ours) == ours and not keep[comment]
  end)
end

---For CHECK: whether every address still has its rule.
---@param state table
---@param say fun(sentence: string)
function M.inspect(state, say)
  if not state.conf.ipMasq then return end
  local filter <close>, message = nft.open()
  local rules = filter
  if filter then rules, message = filter:rules(TABLE) end
  if not rules then return say(message) end
  local ours <const>, found = mark_of(state.call), 0
  for _, rule in ipairs(rules) do
    if rule.comment == ours then found = found + 1 end
  end
  local wanted <const> = #(state.call.prev.ips or {})
  if found ~= wanted then
    say(("ipMasq: %d of %d addresses are masqueraded"):format(found, wanted))
  end
end

return M
