---Finishes what earlier verbs of this node left: notes of ADDs whose outcome is unknown, and
---tombstones of DELs that could not reach etcd.
--
-- Where there is a note the node's key gets a new value first. From then on the requests of those
-- ADDs fail whenever they arrive, so what is found now is all there will be.
local keys = require "ecmp.store.etcd.keys"
local kv = require "ecmp.store.etcd.kv"
local log = require "ecmp.log"
local reserve = require "ecmp.store.etcd.reserve"
local sys = require "ecmp.sys"

local M = {}

-- How many notes, and tombstones, one round looks up.
local NOTES <const>, TOMBSTONES <const> = 16, 64

-- The attachment keys of all of them, read after the node's key was changed where that is needed.
local function look_up(store, entries, notes, options)
  local gets <const> = {}
  for i, entry in ipairs(entries) do gets[i] = kv.get(store.names:attachment(entry)) end
  if notes == 0 then
    local answer <const>, message <const>, code <const> = store:call(kv.txn({}, gets), options)
    return answer and answer.responses, message, code
  end
  local answer <const>, message <const>, code <const> =
    reserve.fence(store, reserve.known_node(store), options, gets)
  return answer and table.move(answer.responses, 2, #answer.responses, 1, {}), message, code
end

-- The attachment to delete, if any: for a note only one with its nonce, and none that its ADD has
-- reported as added.
local function stale_attachment(entry, pair)
  local value <const>, why <const> = keys.decode_attachment(pair.value)
  if not value then
    log.warn(("the key %s %s; it stays"):format(pair.key, why))
    return nil
  end
  if entry.held or (entry.nonce and entry.nonce ~= value.nonce) then return nil end
  value.key, value.revision = pair.key, pair.revision
  return value
end

local function one_round(store, options)
  local notes <const>, entries <const> = store.state:abandoned(NOTES), {}
  table.move(notes, 1, #notes, 1, entries)
  local tombstones <const> = store.state:tombstones(TOMBSTONES)
  table.move(tombstones, 1, #tombstones, #entries + 1, entries)
  if #entries == 0 then return 0 end
  local found <const>, message <const>, code <const> = look_up(store, entries, #notes, options)
  if not found then return nil, message, code end
  local stale <const> = {}
  for i, entry in ipairs(entries) do
    local pair <const> = found[i].kvs[1]
    stale[#stale + 1] = pair and stale_attachment(entry, pair)
  end
  local deleted <const>, problem <const>, why <const> = store:delete(stale)
  if not deleted then return nil, problem, why end
  for _, entry in ipairs(entries) do store.state.remove(entry) end
  return #tombstones
end

---Sends tombstones and cleans up after unknown outcomes. One process of a node does this at a time;
---another waits half a second for it and then goes on.
---@param store table
---@param deadline number by `sys.monotonic`
---@param passes? integer how often each endpoint is asked; until the deadline when left out
---@return true? ok, string? message, string? code
function M.finish(store, deadline, passes)
  local state <const> = store.state
  if #(sys.list(state:path "notes") or {}) == 0 and #(sys.list(state:path "gone") or {}) == 0 then
    return true
  end
  local lock <close> = state:lock(math.max(0, math.min(0.5, deadline - sys.monotonic())))
  if not lock then return true end
  local options <const> = { deadline = deadline, passes = passes }
  repeat
    local done <const>, message <const>, code <const> = one_round(store, options)
    if not done then return nil, message, code end
  until done < TOMBSTONES or sys.monotonic() >= deadline
  return true
end

return M
