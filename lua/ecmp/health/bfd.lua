---One session of BFD: asynchronous mode, no authentication, no echo (RFC 5880, 5881). Pure: packets
---go in and come out as tables, the time is an argument.
--
-- Times inside packets are in microseconds, all others in seconds. A session that never was up and
-- one whose peer says AdminDown are no reason to withdraw anything.
local M = {}

local ADMIN_DOWN <const>, DOWN <const>, INIT <const>, UP <const> = 0, 1, 2, 3
M.states = { [ADMIN_DOWN] = "admin-down", [DOWN] = "down", [INIT] = "init", [UP] = "up" }

-- Diagnostics (RFC 5880 section 4.1).
local NONE <const>, EXPIRED <const>, SIGNALED <const> = 0, 1, 3

-- Until a session is up nobody is asked more than once a second.
local SLOW <const> = 1000000

---@param config table `{ interval (milliseconds), multiplier }`: what we announce
---@param discriminator integer ours, not 0 and of no other session
---@return table session
function M.new(config, discriminator)
  local own <const> = config.interval * 1000
  return {
    state = DOWN, mine = discriminator, yours = 0, multiplier = config.multiplier, own = own,
    desired_tx = math.max(SLOW, own), required_rx = own, diagnostic = NONE, ever = false,
    peer = { state = DOWN, desired_tx = 0, required_rx = 1, multiplier = 0 }, polling = false,
  }
end

---How long the peer may be silent.
---@param s table
---@return number? seconds nil before its first packet
function M.detection_time(s)
  if s.peer.multiplier == 0 then return nil end
  return s.peer.multiplier * math.max(s.required_rx, s.peer.desired_tx) / 1e6
end

-- The interval between our packets: the larger of what we announce and what the peer can receive
-- (RFC 5880 6.8.7).
local function interval(s)
  return math.max(s.desired_tx, s.peer.required_rx) / 1e6
end

---When the next packet is to be sent: a quarter earlier at most, so that sessions do not fall into
---step; at least a tenth where one lost packet already counts.
---@param s table
---@param random number 0 to 1
---@return number seconds from the last one
function M.pause(s, random)
  local low <const>, high <const> = 0.75, s.multiplier == 1 and 0.9 or 1
  return interval(s) * (low + (high - low) * random)
end

---A packet of ours.
---@param s table
---@param final? boolean it answers a poll
---@return table packet
function M.packet(s, final)
  return {
    state = s.state, diagnostic = s.diagnostic, multiplier = s.multiplier, mine = s.mine,
    yours = s.yours, desired_tx = s.desired_tx, required_rx = s.required_rx,
    poll = s.polling and not final or false, final = final or false,
  }
end

local function go(s, state, diagnostic)
  s.state, s.diagnostic = state, diagnostic or NONE
  if state == UP then
    s.ever = true
    -- A new interval takes a Poll Sequence (RFC 5880 6.5).
    if s.desired_tx ~= s.own then s.desired_tx, s.polling = s.own, true end
  else
    s.desired_tx, s.polling = math.max(SLOW, s.own), false
  end
end

-- The state machine of RFC 5880 section 6.8.6.
local function advance(s, heard)
  if heard == ADMIN_DOWN then
    if s.state ~= DOWN then go(s, DOWN, SIGNALED) end
  elseif s.state == DOWN then
    if heard == DOWN then
      go(s, INIT)
    elseif heard == INIT then
      go(s, UP)
    end
  elseif s.state == INIT then
    if heard == INIT or heard == UP then go(s, UP) end
  elseif s.state == UP and heard == DOWN then
    go(s, DOWN, SIGNALED)
  end
end

---Takes a packet in.
---@param s table
---@param packet table
---@param now number seconds
---@return table? answer a packet to be sent at once
function M.receive(s, packet, now)
  if packet.yours ~= 0 and packet.yours ~= s.mine then return nil end
  s.yours = packet.mine
  s.peer = { state = packet.state, desired_tx = packet.desired_tx, multiplier = packet.multiplier,
    required_rx = packet.required_rx }
  if packet.final then s.polling = false end
  local before <const> = s.state
  advance(s, packet.state)
  s.last = now
  if packet.poll then return M.packet(s, true) end
  if s.state ~= before then return M.packet(s) end
end

---Looks whether the peer has been silent for too long.
---@param s table
---@param now number
---@return boolean expired whether the session went down now
function M.check(s, now)
  local time <const> = M.detection_time(s)
  if not s.last or not time or now - s.last < time then return false end
  if s.state ~= UP and s.state ~= INIT then
    s.yours = 0
    return false
  end
  go(s, DOWN, EXPIRED)
  s.yours = 0
  return true
end

---When to look next.
---@param s table
---@return number? moment
function M.due(s)
  local time <const> = M.detection_time(s)
  return s.last and time and (s.state == UP or s.state == INIT) and s.last + time or nil
end

---What the session says of the gateway, as `ecmp.health.gateway` takes it.
---@param s table
---@return table seen
function M.seen(s)
  local up <const> = s.state == UP
  local asked_off <const> = s.peer.state == ADMIN_DOWN
  return { answered = s.ever, missed = s.ever and not up and not asked_off,
    streak = up and math.huge or 0 }
end

return M
