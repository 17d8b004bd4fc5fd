---Real packets: flows from the pod to the server, counted at the gateways they take.

local bars = require "ecmp.nl.bars"
local ip = require "ecmp.ip"
local netns = require "ecmp.netns"
local shown = require("ecmp.errors").shown
local sys = require "ecmp.sys"

local M = {}

local MOST_FLOWS <const> = 60000 -- each has a source port of its own
local BATCH <const> = 100        -- as many as an unresolved neighbour's queue takes
local QUIET <const> = 0.3        -- seconds without an arrival after which the rest is lost
local DPORT <const> = 4000

local CALLER <const> = 3 -- of `lab:send`, which ends in a tail call

local known <const> = { flows = true, proto = true, family = true, dst = true, dport = true,
  src = true }

local function check_options(lab, options)
  if type(options) ~= "table" then
    error(("send: a table of options expected, got %s"):format(type(options)), CALLER)
  end
  for key in pairs(options) do
    if not known[key] then error(("%s: unknown option of send"):format(shown(key)), CALLER) end
  end
  local flows <const> = options.flows or 100
  if math.type(flows) ~= "integer" or flows < 1 or flows > MOST_FLOWS then
    error(("flows: 1 to %d expected, got %s"):format(MOST_FLOWS, shown(flows)), CALLER)
  end
  if options.proto ~= nil and options.proto ~= "udp" then
    error(("proto: only udp is sent, got %s"):format(shown(options.proto)), CALLER)
  end
  local dport <const> = options.dport or DPORT
  if math.type(dport) ~= "integer" or dport < 1 or dport > 65535 then
    error(("dport: 1 to 65535 expected, got %s"):format(shown(dport)), CALLER)
  end
  local family = options.family
  if options.dst then
    if type(options.dst) ~= "string" then
      error(("dst: an address expected, got %s"):format(type(options.dst)), CALLER)
    end
    local prefix <const>, message <const> = ip.parse(options.dst)
    if not prefix then error("dst: " .. message, CALLER) end
    family = prefix:family()
  end
  family = family or lab.families[1]
  if not lab.address[family] then
    error(("family: this lab has no %s"):format(shown(family)), CALLER)
  end
  return { flows = flows, family = family, dst = options.dst or lab.address[family],
           dport = dport, src = options.src or lab.source[family] }
end

-- The same flows that `nl.route:spread` asks about: prediction and traffic are to be comparable
-- flow by flow.
local function destinations(dst)
  local prefix <const> = assert(ip.parse(dst))
  local bits <const> = prefix:family() == 6 and 128 or 32
  if prefix:length() == bits then
    local address <const> = dst:gsub("/.*", "")
    return function() return address end
  end
  local first <const> = prefix:first()
  local span <const> = bits - prefix:length() >= 32 and 0xffffffff or prefix:last() - first
  return function(i) return tostring((first + (i * 2654435761) % (span + 1)):address()) end
end

local function flow_list(order)
  local list <const>, dst_of <const> = {}, destinations(order.dst)
  for i = 1, order.flows do
    list[i] = { dst = dst_of(i), dport = order.dport, src = order.src,
      sport = 1024 + i * 7919 % MOST_FLOWS }
  end
  return list
end

-- Datagrams a namespace has forwarded so far. The files are tables of two lines (IPv4) or of pairs.
local counters <const> = {
  [4] = function(path)
    local text <const> = assert(sys.netns_read(path, "/proc/thread-self/net/snmp"))
    local names <const>, values <const> = text:match "Ip: (%a[^\n]*)\nIp: ([^\n]*)"
    local value <const> = values:gmatch "%S+"
    for name in names:gmatch "%S+" do
      local count <const> = value()
      if name == "ForwDatagrams" then return math.tointeger(tonumber(count)) end
    end
  end,
  [6] = function(path)
    local text <const> = assert(sys.netns_read(path, "/proc/thread-self/net/snmp6"))
    return math.tointeger(tonumber(text:match "Ip6OutForwDatagrams%s+(%d+)"))
  end,
}

local function forwarded(lab, family)
  local counts <const> = {}
  for i, gateway in ipairs(lab.gateways) do
    counts[i] = counters[family](netns.path(lab.spaces[gateway.name]))
  end
  return counts
end

-- Sends all, a batch at a time, and takes in what arrives, until nothing more does.
local function exchange(lab, list, listener)
  local path <const> = netns.path(lab.spaces.pod)
  local sent, delivered, message, code = 0, 0, nil, nil
  for first = 1, #list, BATCH do
    local batch <const> = table.move(list, first, math.min(first + BATCH - 1, #list), 1, {})
    local count <const>, why <const>, symbol <const> = sys.udp_send(path, batch)
    if not count then return nil, why, symbol end
    sent, message, code = sent + count, message or why, code or symbol
    delivered = delivered + sys.udp_drain(listener)
  end
  while delivered < sent and #sys.poll({ listener }, QUIET) > 0 do
    delivered = delivered + sys.udp_drain(listener)
  end
  if sent == 0 then return nil, message, code end
  return { sent = sent, delivered = delivered, message = message }
end

local result_mt <const> = { __name = "ecmp.Sent" }

function result_mt:__tostring()
  local lines <const> = { bars.text(self.gateways) }
  lines[2] = ("%d sent, %d delivered"):format(self.sent, self.delivered)
  if self.message then lines[3] = self.message end
  return table.concat(lines, "\n")
end

---Sends flows. See `lab:send`.
---@return table|nil result, string? message, string? code
function M.send(lab, options)
  local order <const> = check_options(lab, options or {})
  local any <const> = order.family == 6 and "::" or "0.0.0.0"
  local listener <close>, message, code = sys.udp_bind(netns.path(lab.spaces.server), any,
    order.dport)
  if not listener then return nil, "send: " .. message, code end
  local before <const> = forwarded(lab, order.family)
  local result
  result, message, code = exchange(lab, flow_list(order), listener)
  if not result then return nil, "send: " .. message, code end
  local after <const> = forwarded(lab, order.family)
  result.gateways = {}
  for i, gateway in ipairs(lab.gateways) do
    local flows <const> = after[i] - before[i]
    result.gateways[i] = { name = gateway.name, via = gateway.via[order.family], dev = gateway.dev,
                           flows = flows, share = flows / result.sent }
  end
  return setmetatable(result, result_mt)
end

---Asks the kernel about the same flows. See `lab:predict`.
---@return table|nil hops, string? message, string? code
function M.predict(lab, options)
  local order <const> = check_options(lab, options or {})
  return lab.pod.route:spread {
    dst = order.dst, flows = order.flows, proto = "udp", dport = order.dport, src = order.src,
  }
end

return M
