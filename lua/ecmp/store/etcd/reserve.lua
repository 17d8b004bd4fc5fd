---Reserves addresses by one transaction that tries up to sixteen tuples, and handles its other
---answers.
--
-- Outermost it compares the node's key with the value that this node knows, and the attachment's
-- key as absent. Inside, each tuple is the branch that is taken where the one before was not free;
-- innermost, where none is, the keys of the pool are listed.
--
-- An attempt that got no answer may be carried out later. Each attempt after it therefore gives the
-- node's key a new value, by which the earlier one becomes void; see `settle_doubt`.
local candidates = require "ecmp.store.etcd.candidates"
local keys = require "ecmp.store.etcd.keys"
local kv = require "ecmp.store.etcd.kv"
local sys = require "ecmp.sys"

local M = {}

local Reservation <const> = {}
Reservation.__index = Reservation

local function random_hex(bytes)
  return (sys.random(bytes):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function now_text()
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(sys.realtime()))
end

-- The node's key -------------------------------------------------------------------------------

---A value for the node's key that none had before.
---@param store table
---@return string
function M.node_value(store)
  local known <const> = keys.decode_node(store.state:node() or "")
  return keys.encode {
    machine = store.options.machine, fence = random_hex(8),
    since = known and known.machine == store.options.machine and known.since or now_text(),
  }
end

---The value of the node's key as this node knows it; what another machine's disk brought along
---does not count.
---@param store table
---@return string?
function M.known_node(store)
  local text <const> = store.state:node()
  local value <const> = text and keys.decode_node(text)
  return value and value.machine == store.options.machine and text or nil
end

---What a transaction compares to be this node's.
---@param store table
---@param known string?
---@return string compare
function M.guard(store, known)
  if known then return kv.equals(store.names.node, known) end
  return kv.absent(store.names.node)
end

-- The transaction ------------------------------------------------------------------------------

local function fields_of(self, at)
  return {
    id = self.attachment.containerid, ["if"] = self.attachment.ifname,
    node = self.store.options.node, nonce = self.nonce, at = at,
  }
end

-- What makes the keys of one tuple.
local function puts(self, tuple, at)
  local names <const>, steps <const>, digits <const> = self.store.names, {}, {}
  local value <const> = keys.encode(fields_of(self, at))
  for i, one in ipairs(tuple) do
    steps[i] = kv.put(names:address(one.address), value)
    digits[i] = keys.hex(one.address)
  end
  local whole <const> = fields_of(self, at)
  whole.ips = digits
  steps[#steps + 1] = kv.put(names:attachment(self.attachment), keys.encode(whole))
  return steps
end

-- Lists what is taken of all sets.
local function lists(self)
  local steps <const>, names <const> = {}, self.store.names
  for _, set in ipairs(self.sets) do
    for _, range in ipairs(set) do
      steps[#steps + 1] = kv.get(names:address(range.first),
        { to = names:address(range.last) .. "\0", keys_only = true })
    end
  end
  return steps
end

local function nested(self)
  local at <const>, names <const> = now_text(), self.store.names
  local inner = lists(self)
  for i = #self.tuples, 1, -1 do
    local compares <const> = {}
    for n, one in ipairs(self.tuples[i]) do
      compares[n] = kv.absent(names:address(one.address))
    end
    inner = { kv.txn(compares, puts(self, self.tuples[i], at), inner) }
  end
  return inner
end

-- The whole request. With doubt about an earlier one, or on a new node, it writes the node's key.
function Reservation:operation()
  local names <const> = self.store.names
  local steps <const> = nested(self)
  self.written = (self.doubts > 0 or not self.known) and M.node_value(self.store) or nil
  if self.written then steps[#steps + 1] = kv.put(names.node, self.written) end
  return kv.txn({ M.guard(self.store, self.known), kv.absent(names:attachment(self.attachment)) },
    steps, { kv.get(names.node), kv.get(names:attachment(self.attachment)) })
end

-- Its answer -----------------------------------------------------------------------------------

-- The tuple that was taken, or the keys that are.
local function outcome(self, answer)
  local at = answer.responses[1]
  for _, tuple in ipairs(self.tuples) do
    if at.succeeded then return tuple end
    at = #at.responses == 1 and at.responses[1].responses and at.responses[1] or at
  end
  local taken <const> = {}
  for _, response in ipairs(at.responses) do
    for _, pair in ipairs(response.kvs or {}) do
      local address <const> = self.store.names:address_of(pair.key)
      if address then taken[tostring(address)] = true end
    end
  end
  return nil, taken
end

-- What the node knows of its own key, on its disk too.
function Reservation:learn(value)
  self.known = value
  if value then self.store.state:set_node(value) end
end

-- One address for each set out of those that the attachment holds.
function M.match(sets, addresses)
  local held <const> = {}
  for n, set in ipairs(sets) do
    for _, address in ipairs(addresses) do
      local range <const> = set:find(address)
      if range then held[n] = { address = address, range = range } end
    end
    if not held[n] then return nil, n end
  end
  return held
end

-- What this reservation has made, and not found.
function Reservation:taken(tuple)
  local held <const> = table.move(tuple, 1, #tuple, 1, {})
  held.nonce = self.nonce
  return held
end

-- The attachment has a key already: ours from an attempt whose answer was lost, or an older one.
function Reservation:found(pair)
  local value <const>, why <const> = keys.decode_attachment(pair.value)
  if not value then
    return nil, ("etcd: the key %s %s; it is none of ours and stays"):format(pair.key, why),
      "EBADMSG"
  end
  if value.nonce ~= self.nonce and not self.idempotent then
    return self.store.duplicate(self.attachment, value.addresses)
  end
  local held <const>, missing <const> = M.match(self.sets, value.addresses)
  if held and value.nonce == self.nonce then return self:taken(held) end
  if held then return held end
  return nil, ("%s/%s holds addresses, but none of range set %d: %s"):format(
    self.attachment.containerid, self.attachment.ifname, missing - 1, self.sets[missing]), "EEXIST"
end

---The refusal of a full set.
---@param n integer
---@param set table
function M.full(n, set)
  return nil, ("failed to allocate for range %d: no IP addresses available in range set: %s")
    :format(n - 1, set), "EADDRNOTAVAIL"
end

-- A set is full, or what was asked for is taken.
function Reservation:unavailable(n)
  local fixed <const> = self.fixed[n]
  if not fixed then return M.full(n, self.sets[n]) end
  return nil, ("failed to allocate for range %d: requested address %s is not available in range "
    .. "set %s"):format(n - 1, fixed.address, self.sets[n]), "EADDRINUSE"
end

-- What the transaction says: addresses, a refusal, or false where it is to be tried again.
function Reservation:judge(answer)
  if answer.succeeded then
    if self.written then self:learn(self.written) end
    local tuple <const>, taken <const> = outcome(self, answer)
    if tuple then return self:taken(tuple) end
    local tuples <const>, full <const> = candidates.free(self.sets, self.fixed, taken)
    if not tuples then return self:unavailable(full) end
    self.tuples = tuples
    return false
  end
  local node <const>, attachment <const> = answer.responses[1].kvs[1], answer.responses[2].kvs[1]
  local ok <const>, message <const>, code <const> = self.store:check_node(node)
  if not ok then return nil, message, code end
  local value <const> = node and node.value
  if value ~= self.known then self:learn(value) end
  if attachment then return self:found(attachment) end
  return false
end

-- Doubt ----------------------------------------------------------------------------------------

---Gives the node's key a new value, so that what was sent before fails whenever it arrives.
---@param store table
---@param known string? what the key is believed to hold
---@param options table for the call
---@param more? ecmp.etcd.Operation[] to be done in the same transaction
---@return ecmp.etcd.Answer? answer  its responses to `more` come after the first
---@return string? message, string? code
function M.fence(store, known, options, more)
  for _ = 1, 8 do
    local value <const> = M.node_value(store)
    local steps <const> = table.move(more or {}, 1, #(more or {}), 2,
      { kv.put(store.names.node, value) })
    local answer <const>, message <const>, code <const> = store:call(
      kv.txn({ M.guard(store, known) }, steps, { kv.get(store.names.node) }), options)
    if not answer then return nil, message, code end
    if answer.succeeded then
      store.state:set_node(value)
      return answer
    end
    local pair <const> = answer.responses[1].kvs[1]
    local ok <const>, problem <const>, why <const> = store:check_node(pair)
    if not ok then return nil, problem, why end
    known = pair and pair.value
  end
  return nil, "etcd: the node's key is written by others all the time", "EAGAIN"
end

-- Whether a request without an answer compared the value that the node's key has now.
function Reservation:is_open()
  return self.open[self.known or ""] == true
end

-- Ends the reservation: with nothing left that could arrive later, the note goes.
function Reservation:settle_doubt(held)
  local fenced = not self:is_open()
  if not fenced then
    fenced = M.fence(self.store, self.known, { deadline = self.store.deadline }) ~= nil
  end
  if fenced then
    self.note:forget()
    return true
  end
  return self.note:leave(held)
end

---Asks until there is an answer that settles it.
function Reservation:run()
  local store <const> = self.store
  while true do
    local answer <const>, message <const>, code <const> = store:call(
      function() return self:operation() end,
      { deadline = store.deadline, on_unsure = function()
        self.doubts = self.doubts + 1
        self.open[self.known or ""] = true
      end })
    if not answer then
      -- a refusal by the server was not carried out; without an answer nobody knows
      if next(self.open) then self.note:leave(false) else self.note:forget() end
      return nil, message, code
    end
    local held, problem, why = self:judge(answer)
    if held ~= false then
      local noted <const>, trouble <const>, symbol <const> = self:settle_doubt(held ~= nil)
      if held and not noted then held, problem, why = nil, trouble, symbol end
      return held, problem, why
    end
  end
end

-- Why an address is not handed out.
local function not_for_pods(set, one)
  if one.address == one.range.gateway then return "is the gateway of its range" end
  return set:is_kept_out(one.address) and "is a gateway of ipam.routes" or nil
end

-- Which requested address belongs to which set; the first that lies in it.
local function fix(choice)
  local fixed <const>, left <const> = {}, table.move(choice.requested, 1, #choice.requested, 1, {})
  for n, set in ipairs(choice.sets) do
    for i, address in ipairs(left) do
      local range <const> = set:find(address)
      if range then
        fixed[n] = { address = address, range = range }
        table.remove(left, i)
        break
      end
    end
    local wrong <const> = fixed[n] and not_for_pods(set, fixed[n])
    if wrong then
      return nil, ("failed to allocate for range %d: requested address %s %s"):format(n - 1,
        fixed[n].address, wrong), "EINVAL"
    end
  end
  if #left == 0 then return fixed end
  for i, address in ipairs(left) do left[i] = tostring(address) end
  return nil, "failed to allocate all requested IPs: " .. table.concat(left, ", "), "EINVAL"
end

---Reserves one address of each set; see `reserve` of the store.
---@param store table
---@param attachment { containerid: string, ifname: string }
---@param choice table
---@return { address: ecmp.Address, range: table }[]? held, string? message, string? code
function M.run(store, attachment, choice)
  local fixed <const>, wrong <const>, mistake <const> = fix(choice)
  if not fixed then return nil, wrong, mistake end
  local nonce <const>, options <const> = random_hex(8), store.options
  local note <const>, message <const>, code <const> = store.state:note(attachment, nonce)
  if not note then return nil, message, code end
  return setmetatable({
    store = store, attachment = attachment, sets = choice.sets, fixed = fixed, nonce = nonce,
    note = note, idempotent = choice.idempotent, known = M.known_node(store),
    tuples = candidates.first(choice.sets, fixed, options.node .. "\0" .. store.network,
      options.block),
    doubts = 0, open = {},
  }, Reservation):run()
end

---Says what `run` would give now, and changes nothing.
---@param store table
---@param choice table
---@return { address: ecmp.Address, range: table }[]? held, string? message, string? code
function M.preview(store, choice)
  local fixed <const>, wrong <const>, mistake <const> = fix(choice)
  if not fixed then return nil, wrong, mistake end
  local self <const> = setmetatable({ store = store, sets = choice.sets, fixed = fixed },
    Reservation)
  local answer <const>, message <const>, code <const> = store:call(kv.txn({}, lists(self)))
  if not answer then return nil, message, code end
  local taken <const> = {}
  for _, response in ipairs(answer.responses) do
    for _, pair in ipairs(response.kvs) do
      local address <const> = store.names:address_of(pair.key)
      if address then taken[tostring(address)] = true end
    end
  end
  local tuples <const>, full <const> = candidates.free(choice.sets, fixed, taken)
  if tuples then return tuples[1] end
  return self:unavailable(full)
end

return M
