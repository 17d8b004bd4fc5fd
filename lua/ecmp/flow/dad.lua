---IPv6 duplicate address detection: how an address is added, and when it may be used.
--
-- `wait` sleeps on the kernel's own events until every address of the interface is settled, so it
-- costs what the kernel needs and not a poll interval more. An interface without carrier never
-- settles its addresses; after a moment in which the carrier may still come it is let go.
local ip = require "ecmp.ip"
local sys = require "ecmp.sys"

local M = {}

-- Seconds. The kernel needs up to 2 s with its defaults; the reference plugins give up after 5.
local LIMIT <const> = 5
-- How long a link that was just set up may take to report its carrier.
local CARRIER <const> = 0.5

---@param address string with prefix length
---@return boolean
function M.is_ipv6(address)
  local parsed <const> = ip.parse(address)
  return parsed ~= nil and parsed:family() == 6
end

---The flags an IPv6 address is added with under a policy.
---@param policy "wait"|"skip"|"optimistic"
---@return table flags fields of `nl.addr:add`
function M.flags(policy)
  return { nodad = policy == "skip" or nil, optimistic = policy == "optimistic" or nil }
end

-- What is still undecided on an interface: the name of a tentative address, or a failed one.
local function undecided(nl, dev)
  local list, message, code = nl.addr:list { dev = dev, family = 6 }
  if not list then return nil, message, code end
  local tentative = false
  for _, entry in ipairs(list) do
    if entry.dadfailed then
      return nil, ("address %s on %s: another host of this link has it already (EADDRINUSE)")
        :format(entry.address, dev), "EADDRINUSE"
    end
    tentative = entry.tentative and entry.address or tentative
  end
  return tentative or "settled"
end

local function has_carrier(nl, dev)
  local link <const> = nl.link:get { dev = dev }
  return link ~= nil and link.carrier == true
end

-- One look at an interface: "done", or how many more seconds are worth waiting.
local function look(nl, dev, begin)
  local state, message, code = undecided(nl, dev)
  if not state then return nil, message, code end
  if state == "settled" then return "done" end
  local passed <const> = sys.monotonic() - begin
  local carrier <const> = has_carrier(nl, dev)
  if not carrier and passed >= CARRIER then return "done" end
  if passed >= LIMIT then
    return nil, ("address %s on %s: still tentative after %d s (EAGAIN)")
      :format(state, dev, LIMIT), "EAGAIN"
  end
  return (carrier and LIMIT or CARRIER) - passed
end

---Waits until all IPv6 addresses of an interface may be used.
---@param nl table
---@param dev string
---@return true? ok, string? message, string? code  EADDRINUSE for a duplicate, EAGAIN for the limit
function M.wait(nl, dev)
  local begin <const> = sys.monotonic()
  local left, message, code = look(nl, dev, begin)
  if left == "done" or not left then return left and true, message, code end
  -- Listening begins before the next look, so nothing can happen in between unseen.
  local events <close>, why, number = nl:monitor { "addr", "link" }
  if not events then return nil, why, number end
  while true do
    left, message, code = look(nl, dev, begin)
    if left == "done" or not left then return left and true, message, code end
    events:next(left)
  end
end

return M
