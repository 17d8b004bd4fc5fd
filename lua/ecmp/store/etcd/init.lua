---The addresses of a pool in etcd: one truth for all nodes of a cluster.
--
-- An address is taken when its key exists; there is no lock, no lease and no block that a node
-- owns. A transaction makes the keys of an attachment, all or none, where they do not exist. Every
-- transaction that takes addresses compares the node's key (see `reserve`), so that two machines of
-- one name are told apart, and so that a request whose answer was lost can be made void: changing
-- the node key's value lets all that were sent before fail whenever they arrive.
--
-- Refusals are `nil, message, code`: EAGAIN and ETIMEDOUT where etcd did not answer, ENOSPC where
-- its quota is reached, EACCES where it does not let us, ENOTUNIQ where the node's name is another
-- machine's, EADDRNOTAVAIL where no address is free, EADDRINUSE where one that was asked for is
-- taken, EEXIST where the attachment holds addresses already, EBADMSG where a key holds what is
-- none of ours.
local Client = require "ecmp.store.etcd.client"
local State = require "ecmp.store.etcd.state"
local keys = require "ecmp.store.etcd.keys"
local kv = require "ecmp.store.etcd.kv"
local log = require "ecmp.log"
local reserve = require "ecmp.store.etcd.reserve"
local unfinished = require "ecmp.store.etcd.unfinished"
local candidates = require "ecmp.store.etcd.candidates"
local sys = require "ecmp.sys"

local M = {}

local Store <const> = {}
Store.__index = Store

-- Keys in one answer; deletions in one transaction, and addresses in one deletion, of which etcd
-- takes at most 128 together.
local PAGE <const>, BATCH <const>, ADDRESSES <const> = 1000, 64, 32

---@class ecmp.store.etcd.Options
---@field transport table the module ecmp_pool
---@field endpoints ecmp.etcd.Endpoint[]
---@field prefix string of all keys
---@field network string
---@field node string this node's name
---@field machine string what tells this machine from another of the same node name
---@field directory string for what the node keeps on its own disk
---@field timeout number seconds that a whole verb may take
---@field passes integer? how often each endpoint is asked; until the time is up when left out
---@field block integer addresses of a block

-- The endpoint that answered last has the first turn.
local function first_endpoint(endpoints, state)
  local name <const> = #endpoints > 1 and state:endpoint()
  for i, endpoint in ipairs(endpoints) do
    if endpoint.name == name then return i end
  end
  return 1
end

---Opens a pool. Nothing is sent yet.
---@param options ecmp.store.etcd.Options
---@return table store
function M.open(options)
  local state <const> = State.new(options.directory, options.network)
  local self <const> = setmetatable({
    options = options, state = state, network = options.network,
    names = keys.names(options.prefix, options.network, options.node),
    deadline = sys.monotonic() + options.timeout,
  }, Store)
  self.first = first_endpoint(options.endpoints, state)
  self.client = Client.new(options.transport, options.endpoints, self.first)
  return self
end

---Gives the store another verb's time.
function Store:extend()
  self.deadline = sys.monotonic() + self.options.timeout
end

function Store:close()
  local client <const> = self.client
  client:close()
  if client.at ~= self.first and client.answered then
    self.state:set_endpoint(self.options.endpoints[client.at].name)
  end
end

Store.__close = Store.close

-- Calls ----------------------------------------------------------------------------------------

---One call within the verb's time.
---@param operation any as Client:call takes it
---@param options? table
---@return ecmp.etcd.Answer? answer, string? message, string? code
function Store:call(operation, options)
  local given <const> = options or {}
  given.deadline = math.min(given.deadline or self.deadline, self.deadline)
  given.passes = given.passes or self.options.passes
  return self.client:call(operation, given)
end

---Finishes what earlier verbs left (see `unfinished`), within a share of the time.
---@param share number of what is left; with all of it endpoints are asked again and again
---@return true? done, string? message, string? code
function Store:finish_earlier(share)
  local now <const> = sys.monotonic()
  return unfinished.finish(self, now + (self.deadline - now) * share, share < 1 and 2 or nil)
end

local function no_attachment(key, why)
  return nil, ("etcd: the key %s %s; it is none of ours and stays"):format(key, why), "EBADMSG"
end

---The attachment's key.
---@return table|false|nil value with `revision`; false where there is none
---@return string? message, string? code
function Store:read(attachment)
  local key <const> = self.names:attachment(attachment)
  local answer <const>, message <const>, code <const> = self:call(kv.get(key))
  if not answer then return nil, message, code end
  local found <const> = answer.kvs[1]
  if not found then return false end
  local value <const>, why <const> = keys.decode_attachment(found.value)
  if not value then return no_attachment(key, why) end
  value.key, value.revision = key, found.revision
  return value
end

---What deletes an attachment and the addresses that were made with it, where it is still as it was
---read. An address that somebody else has taken since has another revision.
---@param value table with `key`, `revision` and `addresses`
---@return ecmp.etcd.Operation
function Store:deletion(value)
  local steps <const> = { kv.delete(value.key) }
  for i, address in ipairs(value.addresses) do
    local key <const> = self.names:address(address)
    if i <= ADDRESSES then
      steps[#steps + 1] = kv.txn({ kv.unchanged(key, value.revision) }, { kv.delete(key) })
    end
  end
  return kv.txn({ kv.unchanged(value.key, value.revision) }, steps)
end

---Deletes attachments that were read before, many in one transaction.
---@param values table[]
---@return table[]? deleted those that were still as they were read
---@return string? message, string? code
function Store:delete(values)
  local deleted <const> = {}
  for from = 1, #values, BATCH do
    local batch <const> = table.move(values, from, math.min(from + BATCH - 1, #values), 1, {})
    local steps <const> = {}
    for i, value in ipairs(batch) do steps[i] = self:deletion(value) end
    local answer <const>, message <const>, code <const> = self:call(kv.txn({}, steps))
    if not answer then return nil, message, code end
    for i, value in ipairs(batch) do
      if answer.responses[i] and answer.responses[i].succeeded then
        deleted[#deleted + 1] = value
      end
    end
  end
  return deleted
end

---All keys that begin with a text, as they were at one moment.
---@param prefix string
---@return ecmp.etcd.KeyValue[]? kvs, string? message, string? code
function Store:list(prefix)
  local all <const>, stop <const> = {}, kv.range_end(prefix)
  local from, revision = prefix, nil
  repeat
    local answer <const>, message <const>, code <const> =
      self:call(kv.get(from, { to = stop, limit = PAGE, revision = revision }))
    if not answer then return nil, message, code end
    table.move(answer.kvs, 1, #answer.kvs, #all + 1, all)
    revision = revision or answer.revision
    if #answer.kvs > 0 then from = answer.kvs[#answer.kvs].key .. "\0" end
  until not answer.more or #answer.kvs == 0
  return all
end

-- The interface of stores ----------------------------------------------------------------------

---Reserves one address of each range set.
---@param attachment { containerid: string, ifname: string }
---@param choice { sets: table[], requested: ecmp.Address[], idempotent: boolean }
---@return { address: ecmp.Address, range: table }[]? held one for each set; `held.nonce` where it
---was reserved now
---@return string? message, string? code
function Store:reserve(attachment, choice)
  local finished, why = self:finish_earlier(0.25)
  if self.state:has_tombstone(attachment) then finished, why = self:finish_earlier(1) end
  local found <const>, trouble <const> = self.state:has_tombstone(attachment)
  if found then
    return nil, ("the DEL of an earlier %s/%s could not be sent yet: %s"):format(
      attachment.containerid, attachment.ifname,
      trouble or finished and "another verb is at it" or why), "EAGAIN"
  end
  return reserve.run(self, attachment, choice)
end

---Frees what an attachment holds. Where etcd does not answer that is noted, and a later verb does
---it.
---@param attachment { containerid: string, ifname: string }
---@param nonce? string only what was reserved under it
---@return ecmp.Address[]? freed, string? message, string? code  nil where not even a note could be
---written
function Store:release(attachment, nonce)
  local finished <const>, why <const> = self:finish_earlier(0.5)
  local freed, message = nil, why
  if finished then freed, message = self:release_now(attachment, nonce) end
  -- a DEL is noted for an ADD at work, which may have sent its request; a nonce names one ADD alone
  if freed and (nonce or not self:is_at_work(attachment)) then return freed end
  if message then
    log.warn(("DEL: %s; a later verb of this node frees %s/%s"):format(message,
      attachment.containerid, attachment.ifname))
  end
  local noted <const>, trouble <const> = self.state:add_tombstone(attachment, nonce)
  if noted then return freed or {} end
  return nil, trouble, "EAGAIN"
end

---Whether an ADD of the attachment is, or may be, still under way in another process.
function Store:is_at_work(attachment)
  local busy <const> = self.state:at_work()
  if not busy then return true end
  for _, other in pairs(busy) do
    if other.containerid == attachment.containerid and other.ifname == attachment.ifname then
      return true
    end
  end
  return false
end

---Frees what an attachment holds, without a note where that fails.
---@return ecmp.Address[]? freed, string? message, string? code
function Store:release_now(attachment, nonce)
  local value <const>, message <const>, code <const> = self:read(attachment)
  if value == false then return {} end
  if value and nonce and value.nonce ~= nonce then return {} end
  if not value and code == "EBADMSG" then
    log.warn("DEL: " .. message)
    return {}
  end
  if not value then return nil, message, code end
  local deleted <const>, problem <const>, why <const> = self:delete { value }
  if not deleted then return nil, problem, why end
  return deleted[1] and value.addresses or {}
end

---The addresses that an attachment holds: those that its key names and whose own keys agree.
---@param attachment { containerid: string, ifname: string }
---@return ecmp.Address[]? held, string? message, string? code
function Store:holds(attachment)
  self:finish_earlier(0.25)
  local gone <const>, trouble <const>, reason <const> = self.state:has_tombstone(attachment)
  if trouble then return nil, trouble, reason end
  if gone then return {} end
  local value <const>, message <const>, code <const> = self:read(attachment)
  if value == nil then return nil, message, code end
  if not value then return {} end
  local steps <const>, held <const> = {}, {}
  for i, address in ipairs(value.addresses) do steps[i] = kv.get(self.names:address(address)) end
  local answer <const>, problem <const>, why <const> = self:call(kv.txn({}, steps))
  if not answer then return nil, problem, why end
  for i, response in ipairs(answer.responses) do
    local found <const> = response.kvs[1]
    local theirs <const> = found and keys.decode_address(found.value)
    if theirs and theirs.nonce == value.nonce then held[#held + 1] = value.addresses[i] end
  end
  return held
end

-- One line of `entries`.
local function entry_of(names, pair)
  local address <const> = names:address_of(pair.key)
  local value <const>, why <const> = keys.decode_address(pair.value)
  if not address or not value then
    return { key = pair.key, trouble = not address and "is no address" or why }
  end
  return {
    key = pair.key, address = address, node = value.node, containerid = value.id,
    ifname = value["if"], nonce = value.nonce, at = type(value.at) == "string" and value.at or nil,
  }
end

---Every address that is taken, whoever holds it, in order.
---@return table[]? entries `{ address, node, containerid, ifname, at, nonce }`, or
---`{ key, trouble }` for a key that is none of ours
---@return string? message, string? code
function Store:entries()
  local list <const>, message <const>, code <const> = self:list(self.names.addresses)
  if not list then return nil, message, code end
  for i, pair in ipairs(list) do list[i] = entry_of(self.names, pair) end
  return list
end

---The attachments of one node, this one by default.
---@param node? string
---@return table[]? attachments `{ node, containerid, ifname, addresses, nonce, key, revision }`, or
---`{ key, trouble }`
---@return string? message, string? code
function Store:attachments(node)
  local names <const> = node and keys.names(self.options.prefix, self.network, node) or self.names
  local list <const>, message <const>, code <const> = self:list(names.own)
  if not list then return nil, message, code end
  for i, pair in ipairs(list) do
    local who <const> = names:attachment_of(pair.key)
    local value, why = keys.decode_attachment(pair.value)
    if not who then value, why = nil, "is no attachment's" end
    list[i] = value and {
      node = who.node, containerid = who.containerid, ifname = who.ifname,
      addresses = value.addresses, nonce = value.nonce, key = pair.key, revision = pair.revision,
    } or { key = pair.key, trouble = why }
  end
  return list
end

---Frees the attachments of this node that are not listed. One whose ADD is at work stays: its
---runtime has not heard of it yet.
---@param valid { containerid: string, ifname: string }[]
---@return table[]? freed, string? message, string? code
function Store:retain(valid)
  self:finish_earlier(0.25)
  local keep <const>, busy <const>, trouble <const>, reason <const> = {}, self.state:at_work()
  if not busy then return nil, trouble, reason end
  for _, one in ipairs(valid) do keep[one.containerid .. "/" .. one.ifname] = true end
  local list <const>, message <const>, code <const> = self:attachments()
  if not list then return nil, message, code end
  local stale <const> = {}
  for _, one in ipairs(list) do
    if one.trouble then
      log.warn(("GC: the key %s %s; it stays"):format(one.key, one.trouble))
    elseif not keep[one.containerid .. "/" .. one.ifname] and not busy[one.nonce] then
      stale[#stale + 1] = one
    end
  end
  return self:delete(stale)
end

-- What is counted of a range: the keys in it.
local function count_of(names, range)
  return kv.get(names:address(range.first),
    { to = names:address(range.last) .. "\0", count_only = true })
end

---How many addresses of each range are taken, and whether the node's name is this machine's.
---@param sets table[]
---@return { set: integer, range: table, size: integer, used: integer }[]? usage
---@return string? message, string? code
function Store:usage(sets)
  local steps <const>, usage <const> = { kv.get(self.names.node) }, {}
  for n, set in ipairs(sets) do
    for _, range in ipairs(set) do
      steps[#steps + 1] = count_of(self.names, range)
      usage[#usage + 1] = { set = n, range = range, size = candidates.usable(range, set) }
    end
  end
  local answer <const>, message <const>, code <const> = self:call(kv.txn({}, steps))
  if not answer then return nil, message, code end
  local ok <const>, problem <const>, why <const> = self:check_node(answer.responses[1].kvs[1])
  if not ok then return nil, problem, why end
  for i, one in ipairs(usage) do one.used = answer.responses[i + 1].count end
  return usage
end

---Whether an ADD could be served: etcd answers by its quorum, the node is ours, each set has a free
---address.
---@param sets table[]
---@return true? ok, string? message, string? code
function Store:status(sets)
  self:finish_earlier(0.25)
  local usage <const>, message <const>, code <const> = self:usage(sets)
  if not usage then return nil, message, code end
  local free <const> = {}
  for _, one in ipairs(usage) do
    free[one.set] = (free[one.set] or 0) + math.max(0, one.size - one.used)
  end
  for n, set in ipairs(sets) do
    if free[n] == 0 then return reserve.full(n, set) end
  end
  return true
end

---Says what `reserve` would give, and changes nothing.
---@param choice table as for `reserve`
---@return { address: ecmp.Address, range: table }[]? held, string? message, string? code
function Store:preview(choice)
  return reserve.preview(self, choice)
end

-- The node -------------------------------------------------------------------------------------

---Whether a node key is this machine's, or nobody's.
---@param pair ecmp.etcd.KeyValue?
---@return true? ok, string? message, string? code
function Store:check_node(pair)
  if not pair then return true end
  local value <const>, why <const> = keys.decode_node(pair.value)
  if not value then
    return nil, ("etcd: the key %s %s"):format(self.names.node, why), "EBADMSG"
  end
  if value.machine == self.options.machine then return true end
  return nil, ("node '%s' of network %s is another machine, since %s; two nodes need two names. "
    .. "Where that machine is gone for good: ecmp pool free NETCONF --node %s --yes")
    :format(self.options.node, self.network, value.since, self.options.node), "ENOTUNIQ"
end

---The refusal of an attachment that has addresses.
function Store.duplicate(attachment, addresses)
  local texts <const> = {}
  for i, address in ipairs(addresses) do texts[i] = tostring(address) end
  return nil, ("%s has been allocated to %s/%s, duplicate allocation is not allowed")
    :format(table.concat(texts, ", "), attachment.containerid, attachment.ifname), "EEXIST"
end

---Removes a node that is gone: its attachments and its key.
---@param node string
---@return table[]? freed, string? message, string? code
function Store:free_node(node)
  local list <const>, message <const>, code <const> = self:attachments(node)
  if not list then return nil, message, code end
  local stale <const> = {}
  for _, one in ipairs(list) do
    if not one.trouble then stale[#stale + 1] = one end
  end
  local key <const> = keys.names(self.options.prefix, self.network, node).node
  -- first the key: what the machine has sent before is void from then on
  local removed <const>, problem <const>, why <const> = self:call(kv.delete(key))
  if not removed then return nil, problem, why end
  return self:delete(stale)
end

return M
