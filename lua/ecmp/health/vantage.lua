---One vantage point of a segment: the sockets inside a pod from which its gateways are asked.
--
-- Open sockets keep a namespace alive, so they are closed as soon as the namespace's file is gone,
-- which is looked for with each round of probes.
local detector = require "ecmp.health.detector"
local kernel = require "ecmp.health.kernel"
local sys = require "ecmp.sys"

local Vantage <const> = {}
Vantage.__index = Vantage

local M = {}

-- Probes that may be under way: answers to older ones count as none.
local RING <const> = 4096
local ID_LIMIT <const> = 1 << 16

---@param attachment table
---@param config table
---@return table vantage
function M.new(attachment, config)
  local self <const> = setmetatable({
    attachment = attachment, config = config, sockets = {}, handles = {}, detectors = {},
    gateways = attachment:gateways(), ring = {}, seq = 0,
    id = string.unpack("<I2", sys.random(2)) % ID_LIMIT,
  }, Vantage)
  for name in pairs(self.gateways) do self.detectors[name] = detector.new(config) end
  return self
end

local KINDS <const> = {
  icmp = { [4] = "echo4", [6] = "echo6" }, neigh = { [4] = "arp", [6] = "nd" },
}

-- The socket of a kind on a device, opened when it is first needed.
local function socket_of(self, kind, dev)
  local name <const> = kind .. " " .. dev
  local open <const> = self.sockets[name]
  if open then return open end
  local probe <const>, message <const> = sys.probe(self.attachment.netns, kind, { dev = dev })
  if not probe then return nil, message end
  self.sockets[name] = probe
  if kind ~= "routed" then
    self.handles[#self.handles + 1] = probe
    self.kinds = self.kinds or {}
    self.kinds[probe] = kind
  end
  return probe
end

local function number_of(self, dev)
  for number, name in pairs(self.attachment.devices) do
    if name == dev then return number end
  end
end

-- What asking through a gateway takes: our address and the gateway's hardware address.
local function way_through(self, name, gateway)
  local number <const> = number_of(self, gateway.dev)
  self.sources = self.sources or {}
  self.sources[gateway.dev] = self.sources[gateway.dev]
    or kernel.sources(self.attachment.netns, number)
  local d <const> = self.detectors[name]
  if not gateway.mac or d.unanswered >= d.multiplier then
    gateway.mac = kernel.neighbours(self.attachment.netns, number)[gateway.via]
  end
  return self.sources[gateway.dev][gateway.family], gateway.mac
end

local function next_seq(self, name)
  self.seq = (self.seq + 1) % ID_LIMIT
  self.ring[self.seq % RING] = { seq = self.seq, name = name }
  return self.seq
end

local function family_of(address) return address:find(":", 1, true) and 6 or 4 end

local function ask_through(self, name, gateway)
  local source <const>, mac <const> = way_through(self, name, gateway)
  local echo <const>, message <const> = socket_of(self, KINDS.icmp[gateway.family], gateway.dev)
  if not echo then return nil, message end
  -- The kernel finds the gateway's hardware address when it is asked itself; nobody waits for that
  -- answer.
  if not (source and mac) then return echo:echo(gateway.via, self.id, next_seq(self, nil)) end
  local through <const>, why <const> = socket_of(self, "routed", gateway.dev)
  if not through then return nil, why end
  return through:through(mac, source, self.config.target, self.id, next_seq(self, name))
end

local function ask(self, name, gateway)
  local config <const> = self.config
  if config.target and family_of(config.target) == gateway.family then
    return ask_through(self, name, gateway)
  end
  local probe <const>, message <const> =
    socket_of(self, KINDS[config.probe][gateway.family], gateway.dev)
  if not probe then return nil, message end
  if config.probe == "icmp" then return probe:echo(gateway.via, self.id, next_seq(self, name)) end
  self.sources = self.sources or {}
  self.sources[gateway.dev] = self.sources[gateway.dev]
    or kernel.sources(self.attachment.netns, number_of(self, gateway.dev))
  return probe:ask(gateway.via, gateway.family == 4 and self.sources[gateway.dev][4] or nil)
end

---Asks every gateway once.
---@param now number
---@return boolean alive false where the namespace is gone, or nothing can be sent in it
function Vantage:tick(now)
  if not self.attachment:is_alive() then return false end
  for name, gateway in pairs(self.gateways) do
    if not ask(self, name, gateway) and not self.attachment:is_alive() then return false end
    detector.sent(self.detectors[name], now)
  end
  return true
end

local function answered(self, name, now)
  local d <const> = name and self.detectors[name]
  if d then detector.answered(d, now) end
end

-- The gateways of an address: one, or one on each device of a namespace.
local function note_neighbour(self, address, now)
  for name, gateway in pairs(self.gateways) do
    if gateway.via == address then answered(self, name, now) end
  end
end

---Takes in the answers that have arrived.
---@param now number
function Vantage:drain(now)
  for _, probe in ipairs(self.handles) do
    local echoes <const> = self.kinds[probe]:find "^echo" ~= nil
    local address, id, seq = probe:receive()
    while address do
      if echoes then
        local entry <const> = id == self.id and self.ring[seq % RING]
        if entry and entry.seq == seq then
          self.ring[seq % RING] = nil
          answered(self, entry.name, now)
        end
      else
        note_neighbour(self, address, now)
      end
      address, id, seq = probe:receive()
    end
  end
end

---When a gateway may be missed next.
---@return number? moment
function Vantage:due()
  local first
  for _, d in pairs(self.detectors) do
    local moment <const> = detector.due(d)
    if moment and (not first or moment < first) then first = moment end
  end
  return first
end

function Vantage:close()
  for _, probe in pairs(self.sockets) do probe:close() end
  self.sockets, self.handles = {}, {}
end

---See `ecmp.health.detector`.
M.is_missed = detector.is_missed

return M
