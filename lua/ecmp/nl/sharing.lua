---Batches whose routes share next hops: `nl:batch(changes, { share = true })`.
--
-- Sets of next hops that repeat become next-hop objects, one for each hop and a group for each set,
-- and the routes refer to these by `nhid`. That is several times cheaper to install, and the only
-- way not to pay for every set again with every route (the kernel's IPv4 table looks for an equal
-- set among all sets of a device). What the kernel shows of such a route are its hops as before,
-- with `nhid` beside them. Shared are `route add` and `route replace` whose hops have gateways of
-- the route's family, without encapsulation, metrics, a realm, a source or a scope of their own; in
-- tables but the main one their devices have to be named. Everything else goes as it is, and so
-- does what leaves by gateways that the batch itself moves.
--
-- The price is the kernel's: it deletes an object whose device loses its carrier, with the routes
-- that have no other, and does not bring them back; a route given by hops comes back by itself. And
-- `route del` in a batch finds such a route by destination or `nhid`, not by a list of its hops.
--
-- All of it happens in the socket, window by window; here is what it decides by.
local rtnl = require "ecmp.rtnl"

rtnl.own()

local M = {}

---The protocol our objects carry, by which a later batch finds and uses them again.
M.PROTO = 236

-- Microseconds as measured. A route by object saves `route`, and `hop` for each of its hops; a set
-- that becomes an object saves `set` for each of the different sets in the batch, since the kernel
-- does not have to look through these for it. What costs more is making an object, and asking for
-- the device of a gateway. A set is shared where it saves more than it costs.
local TERMS <const> = {
  ipv4 = { route = 0.45, hop = 0.35, set = 0.008, object = 1.7, question = 1.4 },
  ipv6 = { route = 0, hop = 0.8, set = 0, object = 1.9, question = 2.2 },
  proto = M.PROTO,
  first_id = 0x45000000, -- far from those that people choose and from those the kernel counts up
}

---Makes many changes; next-hop sets that repeat become next-hop objects where that pays. Objects of
---earlier batches are used again; those of which no route came to be are deleted.
---@param nl ecmp.Handle
---@param changes table[] see `nl:batch`
---@param free boolean the changes do not depend on each other
---@return (true|{ message: string, code: string })[] results # one for each change, in order
function M.batch(nl, changes, free)
  local sharing <close> = nl.socket:sharing(TERMS)
  return nl.socket:batch(changes, free, sharing)
end

return M
