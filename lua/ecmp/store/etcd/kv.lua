---The messages of etcd's KV service (etcdserverpb.KV, api/etcdserverpb/rpc.proto): requests as
---bytes, answers as tables.
--
-- A request is put together of operations: `put`, `get`, `delete` and `txn` return one, as bytes,
-- for the branches of another `txn` or for `M.request`.
local protobuf = require "ecmp.store.etcd.protobuf"

local bytes <const>, integer <const> = protobuf.bytes, protobuf.integer
local M = {}

---The key behind all keys that begin with a text, to end a range with.
---@param prefix string not empty
---@return string
function M.range_end(prefix)
  local head <const> = prefix:match("^(.-)\xff*$")
  return head:sub(1, -2) .. string.char(head:byte(-1) + 1)
end

-- Operations -----------------------------------------------------------------------------------

---@class ecmp.etcd.Operation
---@field kind string the method of the service
---@field number integer field of RequestOp
---@field body string the request's message

---@return ecmp.etcd.Operation
function M.put(key, value)
  return { kind = "Put", number = 2, body = bytes(1, key) .. bytes(2, value) }
end

---@param key string
---@param options? { to: string?, limit: integer?, revision: integer?, keys_only: boolean?,
---count_only: boolean? } `to`: the key that ends a range
---@return ecmp.etcd.Operation
function M.get(key, options)
  local given <const> = options or {}
  return { kind = "Range", number = 1, body = table.concat {
    bytes(1, key), given.to and bytes(2, given.to) or "", integer(3, given.limit or 0),
    integer(4, given.revision or 0), integer(8, given.keys_only and 1 or 0),
    integer(9, given.count_only and 1 or 0),
  } }
end

---@return ecmp.etcd.Operation
function M.delete(key)
  return { kind = "DeleteRange", number = 3, body = bytes(1, key) }
end

-- Compare.target, and the field that holds what is compared with.
local CREATE <const>, MOD <const>, VALUE <const> = { 1, 5 }, { 2, 6 }, { 3, 7 }

local function compare(key, target, operand)
  return integer(2, target[1]) .. bytes(3, key) .. operand
end

---That a key does not exist. (A zero is left out of the message, and read as zero.)
function M.absent(key) return compare(key, CREATE, "") end

---That a key was last changed at a revision.
function M.unchanged(key, revision) return compare(key, MOD, integer(MOD[2], revision)) end

---That a key has a value.
function M.equals(key, value) return compare(key, VALUE, bytes(VALUE[2], value)) end

---@param compares string[]
---@param success ecmp.etcd.Operation[] what happens when all hold
---@param failure? ecmp.etcd.Operation[] what happens otherwise
---@return ecmp.etcd.Operation
function M.txn(compares, success, failure)
  local parts <const> = {}
  for _, one in ipairs(compares) do parts[#parts + 1] = bytes(1, one) end
  for _, one in ipairs(success) do parts[#parts + 1] = bytes(2, bytes(one.number, one.body)) end
  for _, one in ipairs(failure or {}) do
    parts[#parts + 1] = bytes(3, bytes(one.number, one.body))
  end
  return { kind = "Txn", number = 4, body = table.concat(parts) }
end

-- Answers --------------------------------------------------------------------------------------

---@class ecmp.etcd.KeyValue
---@field key string
---@field value string
---@field revision integer the revision of its last change

---@class ecmp.etcd.Answer
---@field revision integer? of the store, on the outermost answer alone
---@field kvs ecmp.etcd.KeyValue[] of a get
---@field count integer of a get: how many keys there are, listed or not
---@field more boolean of a get: whether `limit` has cut the list
---@field deleted integer of a delete
---@field succeeded boolean of a txn: which branch was taken
---@field responses ecmp.etcd.Answer[] of a txn: what the operations of that branch gave

local malformed <const> = {}

local function read(text, take)
  if type(text) ~= "string" or not protobuf.each(text, take) then error(malformed, 0) end
end

-- A field of which the server may have sent another type than a number.
local function number(value)
  return math.type(value) == "integer" and value or error(malformed, 0)
end

local function read_revision(text)
  local revision
  read(text, function(field, value) if field == 3 then revision = number(value) end end)
  return revision
end

local function read_kv(text)
  local kv <const> = { key = "", value = "", revision = 0 }
  local names <const> = { [1] = "key", [3] = "revision", [5] = "value" }
  read(text, function(field, value)
    local name <const> = names[field]
    if name and type(value) ~= type(kv[name]) then error(malformed, 0) end
    if name then kv[name] = value end
  end)
  return kv
end

local readers <const> = {}

function readers.Range(text)
  local answer <const> = { kvs = {}, count = 0, more = false }
  read(text, function(field, value)
    if field == 1 then answer.revision = read_revision(value) end
    if field == 2 then table.insert(answer.kvs, read_kv(value)) end
    if field == 3 then answer.more = number(value) ~= 0 end
    if field == 4 then answer.count = number(value) end
  end)
  return answer
end

function readers.Put(text)
  local answer <const> = {}
  read(text, function(field, value)
    if field == 1 then answer.revision = read_revision(value) end
  end)
  return answer
end

function readers.DeleteRange(text)
  local answer <const> = { deleted = 0 }
  read(text, function(field, value)
    if field == 1 then answer.revision = read_revision(value) end
    if field == 2 then answer.deleted = number(value) end
  end)
  return answer
end

-- By the field of ResponseOp.
local kinds <const> = { "Range", "Put", "DeleteRange", "Txn" }

-- Transactions within transactions: we send one for each candidate, sixteen at most. Without a
-- limit a hostile answer could exhaust the stack.
local DEEPEST <const> = 64

local function read_response(text, depth)
  local answer
  if depth > DEEPEST then error(malformed, 0) end
  read(text, function(field, value)
    if kinds[field] then answer = readers[kinds[field]](value, depth) end
  end)
  return answer or error(malformed, 0)
end

function readers.Txn(text, depth)
  depth = depth or 0
  local answer <const> = { succeeded = false, responses = {} }
  read(text, function(field, value)
    if field == 1 then answer.revision = read_revision(value) end
    if field == 2 then answer.succeeded = number(value) ~= 0 end
    if field == 3 then table.insert(answer.responses, read_response(value, depth + 1)) end
  end)
  return answer
end

---Reads the answer to an operation.
---@param kind string the operation's
---@param text string
---@return ecmp.etcd.Answer? answer  nil where the text is no such message
function M.read(kind, text)
  local done <const>, answer <const> = pcall(readers[kind], text)
  if done then return answer end
  if answer ~= malformed then error(answer, 0) end
  return nil
end

return M
