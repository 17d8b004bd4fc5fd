---Whether one gateway answers one vantage point, by what was sent and what came back: pure, with
---the time as an argument.
--
-- A gateway is missed when as many probes as `multiplier` says in a row were not answered, and as
-- many intervals have passed since its last answer. Both, because a watcher that gets no processor
-- for a while sends nothing, and must not take its own silence for that of the gateways.
local M = {}

-- What the last of the unanswered probes is given to be answered, in parts of the interval.
local GRACE <const> = 0.25

---@param config table `{ interval (milliseconds), multiplier }`
---@return table detector
function M.new(config)
  return { interval = config.interval / 1000, multiplier = config.multiplier, unanswered = 0,
    streak = 0 }
end

---A probe was sent.
---@param d table
---@param now number seconds
function M.sent(d, now)
  if d.unanswered > 0 then d.streak = 0 end
  d.unanswered, d.last_sent = d.unanswered + 1, now
  d.first_sent = d.first_sent or now
end

---A probe was answered.
---@param d table
---@param now number
function M.answered(d, now)
  d.unanswered, d.last_answer = 0, now
  d.streak = d.streak + 1
end

---Whether the gateway is missed.
---@param d table
---@param now number
---@return boolean
function M.is_missed(d, now)
  local since <const> = d.last_answer or d.first_sent
  return since ~= nil and d.unanswered >= d.multiplier
    and now - since >= d.multiplier * d.interval and now - d.last_sent >= GRACE * d.interval
end

---When to look next whether the gateway is missed, where nothing is heard of it.
---@param d table
---@return number? moment nil where probes have to be sent first
function M.due(d)
  local since <const> = d.last_answer or d.first_sent
  if not since or d.unanswered < d.multiplier then return nil end
  return math.max(since + d.multiplier * d.interval, d.last_sent + GRACE * d.interval)
end

return M
