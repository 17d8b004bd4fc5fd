---Masquerading by nftables: the table, chains and comments of the reference plugins, so that what
---one of the two has set up the other can take away.
--
-- Each address has one rule, marked with the attachment it belongs to: DEL and GC find it without
-- knowing the address, and of two pods that had one address after the other each takes its own.
local ip = require "ecmp.ip"
local nft = require "ecmp.netfilter.nft"
local sha512 = require "ecmp.netfilter.sha512"

local M = {}

local TABLE <const> = nft.table("inet", "cni_plugins_masquerade")
local CHECKS <const>, HOOK <const> = "masq_checks", "postrouting"
local BASE <const> = { type = "nat", hook = "postrouting", priority = 100 }
local MULTICAST <const> = { [4] = ip.parse("224.0.0.0/4"), [6] = ip.parse("ff00::/8") }

local function number_of(text) return sha512(text):sub(1, 16) end

-- An attachment as a comment: exact by its numbers, the rest is for those who read the ruleset.
local function mark(who)
  return nft.comment(("%s-%s, net: %s, if: %s, id: %s"):format(number_of(who.network),
    number_of(who.ifname .. ":" .. who.containerid), who.network, who.ifname, who.containerid))
end

local function from(address)
  return nft.family(address:family()) .. nft.address("saddr", address:address(), true)
end

-- What is for many stays as it is; the rest goes to the chain with the addresses.
local function frame()
  local changes <const> = {
    TABLE:make(), TABLE:chain(CHECKS), TABLE:chain(HOOK, BASE), TABLE:flush(HOOK),
  }
  for _, family in ipairs { 4, 6 } do
    changes[#changes + 1] = TABLE:rule(HOOK, nft.family(family)
      .. nft.address("daddr", MULTICAST[family], true) .. nft.verdict("return"))
  end
  changes[#changes + 1] = TABLE:rule(HOOK, nft.verdict("goto", CHECKS))
  return changes
end

---@param who table `{ network, containerid, ifname }`
---@param addresses table[] `{ address }` with prefix length
---@return true? ok, string? message, string? code
function M.add(who, addresses)
  local filter <close>, message, code = nft.open()
  if not filter then return nil, message, code end
  local changes <const> = frame()
  for _, entry in ipairs(addresses) do
    local address <const> = assert(ip.parse(entry.address))
    local beyond <const> = from(address) .. nft.address("daddr", address:network(), false)
    changes[#changes + 1] = TABLE:rule(CHECKS, beyond .. nft.masquerade(), mark(who))
  end
  return filter:commit(changes)
end

-- Removes the rules that `stale` wants gone; then the table, unless somebody still needs it.
local function remove(stale)
  local filter <close>, message, code = nft.open()
  if not filter then return nil, message, code end
  local gone
  gone, message, code = filter:purge(TABLE, CHECKS, function(rule)
    return stale(rule.comment or "")
  end)
  if not gone then return nil, message, code end
  if gone == 0 then return true end
  filter:commit {
    TABLE:flush(HOOK), TABLE:del_chain(CHECKS, true), TABLE:del_chain(HOOK, true), TABLE:del(),
  }
  return true
end

---@param who table
---@return true? ok, string? message, string? code
function M.remove(who)
  local ours <const> = mark(who)
  return remove(function(comment) return comment == ours end)
end

---Ends the masquerading of the attachments of a network that are not among the valid ones.
---@param network string
---@param valid table[] `{ containerid, ifname }`
---@return true? ok, string? message, string? code
function M.sweep(network, valid)
  local keep <const>, ours <const> = {}, number_of(network) .. "-"
  for _, entry in ipairs(valid) do
    keep[mark { network = network, containerid = entry.containerid, ifname = entry.ifname }] = true
  end
  return remove(function(comment)
    return comment:sub(1, #ours) == ours and not keep[comment]
  end)
end

---How many addresses of an attachment are masqueraded.
---@param who table
---@return integer? count, string? message, string? code
function M.count(who)
  local filter <close>, message, code = nft.open()
  if not filter then return nil, message, code end
  local rules
  rules, message, code = filter:rules(TABLE, CHECKS)
  if not rules then return nil, message, code end
  local ours <const>, found = mark(who), 0
  for _, rule in ipairs(rules) do
    if rule.comment == ours then found = found + 1 end
  end
  return found
end

return M
