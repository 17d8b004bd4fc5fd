---Packets by next hop: what the kernel counts of groups of next-hop objects (NHA_GROUP_STATS,
---Linux 6.9). Of hops that a route holds itself it counts nothing.
local M = {}

-- A kernel that does not know the question refuses the attribute.
local function lacking(id)
  return nil, ("next-hop group %d: this kernel does not count packets by next hop "
    .. "(NHA_GROUP_STATS, Linux 6.9)"):format(id), "EOPNOTSUPP"
end

---The members of a group, in their order, with the packets that each took since there is the group:
---how often a route lookup chose it, which a socket that is connected does twice.
---@param nl ecmp.Handle
---@param id integer
---@return table[]? hops `{ via?, dev?, weight, packets, packets_hw? }`, the last those that
---hardware forwarded; nil without a message where the object is no group
---@return string? message, string? code
function M.of(nl, id)
  local plain, message, code = nl.nexthop:get { id = id }
  if not plain then return nil, message, code end
  if not plain.group then return nil end
  local counted = nl.nexthop:get { id = id, stats = true, stats_hw = true }
  if not counted or not counted.group_stats then return lacking(id) end
  local by_id = {}
  for _, one in ipairs(counted.group_stats) do by_id[one.id] = one end
  local hops = {}
  for i, member in ipairs(counted.group) do
    local hop
    hop, message, code = nl.nexthop:get { id = member.id }
    if not hop then return nil, message, code end
    local count = by_id[member.id] or { packets = 0 }
    hops[i] = { via = hop.via, dev = hop.dev, weight = member.weight, packets = count.packets,
      packets_hw = count.packets_hw ~= 0 and count.packets_hw or nil }
  end
  return hops
end

---The packets of the group by which a flow leaves, as shares. The question itself is counted, as
---one packet.
---@param nl ecmp.Handle
---@param flow table as for `nl.route:get`
---@return table[]? hops as of `nl.route:spread`, with `packets` in place of `flows`
---@return string? message, string? code
function M.shares(nl, flow)
  local query = { fibmatch = true }
  for key, value in pairs(flow) do query[key] = value end
  local route, message, code = nl.route:get(query)
  if not route then return nil, message, code end
  local hops
  if route.nhid then hops, message, code = M.of(nl, route.nhid) end
  if message then return nil, message, code end
  if not hops then
    return nil, ("the route %s holds its next hops itself; the kernel counts packets of groups of "
      .. "next-hop objects (NHA_GROUP_STATS)"):format(route.dst), "EOPNOTSUPP"
  end
  local all = 0
  for _, hop in ipairs(hops) do all = all + hop.packets end
  for _, hop in ipairs(hops) do hop.share = all > 0 and hop.packets / all or 0 end
  return require "ecmp.nl.bars".list(hops)
end

return M
