---The sockets and sessions of BFD of one segment: one session for each gateway, from an address of
---the host on the segment.
local bfd = require "ecmp.health.bfd"
local sys = require "ecmp.sys"

local Link <const> = {}
Link.__index = Link

local M = {}

local HOST <const> = "/proc/self/ns/net"

local function family_of(address) return address:find(":", 1, true) and 6 or 4 end

local function discriminator(taken)
  local number
  repeat
    number = string.unpack("<I4", sys.random(4))
  until number ~= 0 and not taken[number]
  return number
end

---@param config table `{ source (an address or a list of them), interval, multiplier }`
---@param gateways table<string, table> `{ via, family }` by name
---@param netns? string where the sources are; the host unless given
---@return table? link, string? message
function M.new(config, gateways, netns)
  local self <const> = setmetatable({ sessions = {}, by_number = {}, handles = {}, out = {} }, Link)
  local where <const> = netns or HOST
  local sources <const> = type(config.source) == "table" and config.source or { config.source }
  for _, source in ipairs(sources) do
    local incoming <const>, message <const> = sys.probe(where, "bfd-in", { source = source })
    if not incoming then
      self:close()
      return nil, message
    end
    self.handles[#self.handles + 1] = incoming
    for name, gateway in pairs(gateways) do
      if gateway.family == family_of(source) then
        local outgoing <const>, why <const> = sys.probe(where, "bfd-out", { source = source })
        if not outgoing then
          self:close()
          return nil, why
        end
        local session <const> = bfd.new(config, discriminator(self.by_number))
        self.out[#self.out + 1] = outgoing
        self.sessions[name] = { session = session, socket = outgoing, via = gateway.via, next = 0 }
        self.by_number[session.mine] = self.sessions[name]
      end
    end
  end
  return self
end

local function next_time(one, now)
  return now + bfd.pause(one.session, string.unpack("B", sys.random(1)) / 255)
end

local function send(one, packet, now)
  one.socket:control(one.via, packet)
  if not packet.final then one.next = next_time(one, now) end
end

---Sends what is due, and looks for peers that are silent.
---@param now number
function Link:tick(now)
  for _, one in pairs(self.sessions) do
    if bfd.check(one.session, now) then send(one, bfd.packet(one.session), now) end
    if now >= one.next then send(one, bfd.packet(one.session), now) end
  end
end

-- A peer that does not know our discriminator yet is found by its address.
local function session_of(self, address, packet)
  if packet.yours ~= 0 then return self.by_number[packet.yours] end
  for _, one in pairs(self.sessions) do
    if one.via == address then return one end
  end
end

---@param now number
function Link:drain(now)
  for _, incoming in ipairs(self.handles) do
    local address, packet = incoming:receive()
    while address do
      local one <const> = session_of(self, address, packet)
      if one and one.via == address then
        local answer <const> = bfd.receive(one.session, packet, now)
        if answer then send(one, answer, now) end
        -- The pace may have grown with this packet, and the peer counts by the new one at once.
        one.next = math.min(one.next, next_time(one, now))
      end
      address, packet = incoming:receive()
    end
  end
end

---@return number? moment of the next packet or the next silence
function Link:due()
  local first
  for _, one in pairs(self.sessions) do
    local due <const> = bfd.due(one.session)
    local moment <const> = due and math.min(due, one.next) or one.next
    if not first or moment < first then first = moment end
  end
  return first
end

---@param name string of a gateway
---@return table? seen nil where it has no session
function Link:seen(name)
  local one <const> = self.sessions[name]
  return one and bfd.seen(one.session)
end

---The state of a gateway's session in words.
---@param name string
---@return string?
function Link:state(name)
  local one <const> = self.sessions[name]
  return one and bfd.states[one.session.state]
end

---Tells the peers that we go by our own will, so that they take it for no failure.
function Link:close()
  for _, one in pairs(self.sessions) do
    one.session.state, one.session.diagnostic = 0, 7 -- AdminDown, administratively down
    one.socket:control(one.via, bfd.packet(one.session))
  end
  for _, probe in ipairs(self.handles) do probe:close() end
  for _, probe in ipairs(self.out) do probe:close() end
  self.sessions, self.handles, self.out = {}, {}, {}
end

return M
