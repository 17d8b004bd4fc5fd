-- Why the kernel refuses a route: it does not say which next hop of several it minds.

local entries = require "ecmp.entry"
local rtnl = require "ecmp.rtnl"

local M = {}

-- Whether the kernel finds a gateway on a link of its own, without a gateway before it.
local function on_link(nl, hop)
  if not hop.via or hop.onlink then
    return true
  end
  local via = entries.canonical_hop(hop).via
  local answer = nl.socket:request("flow", "get", { dst = via, dev = hop.dev })
  return answer and not answer.via and answer.type == "unicast"
end

local function twin_of(hops, at)
  for i = 1, at - 1 do
    if hops[i].via == hops[at].via and hops[i].dev == hops[at].dev then
      return i
    end
  end
end

local function unreachable(nl, hops, i)
  return not on_link(nl, hops[i]) and "is not reachable"
end

-- What is wrong with a hop, for the refusals that one hop of several may have caused.
local faults <const> = {
  ENETUNREACH = unreachable, EHOSTUNREACH = unreachable, ENODEV = unreachable,
  ENETDOWN = unreachable,
  EINVAL = function(nl, hops, i, family)
    return family == 6 and not hops[i].via and "has no gateway" or unreachable(nl, hops, i)
  end,
  EEXIST = function(_, hops, i)
    local twin = twin_of(hops, i)
    return twin and ("is nexthops[%d] again"):format(twin)
  end,
}

local function hop_text(hop)
  local words = {}
  for _, key in ipairs { "via", "dev" } do
    if hop[key] then
      words[#words + 1] = key .. " " .. hop[key]
    end
  end
  return table.concat(words, " ")
end

---Names the hop for which a route of several was refused: a lookup of each gateway tells.
---@param nl ecmp.Handle
---@param route table
---@param message string the kernel's
---@param code string
---@return string message
function M.name_hop(nl, route, message, code)
  local hops, fault_of = route.nexthops or {}, faults[code]
  if not fault_of or #hops < 2 then
    return message
  end
  local family = rtnl.view("route", route).family
  for i, hop in ipairs(hops) do
    local fault = fault_of(nl, hops, i, family)
    if fault then
      return (message:gsub("( %(%u+%))$", function(symbol)
        return (": nexthops[%d] %s %s%s"):format(i, hop_text(hop), fault, symbol)
      end))
    end
  end
  return message
end

---Whether a hop that was to join a route was refused because nothing leads to it.
---@param nl ecmp.Handle
---@param hop table
---@param code string
---@return boolean
function M.is_far(nl, hop, code)
  return faults[code] == unreachable and not on_link(nl, hop)
end

---A refusal of ours, with the request in iproute2's words.
---@param verb string
---@param asked table the fields of a route
---@param why string
---@param code string
---@return nil, string message, string code
function M.of(verb, asked, why, code)
  local view = rtnl.is_view(asked) and asked or rtnl.view("route", asked)
  return nil, ("route %s %s: %s (%s)"):format(verb, view:text { request = true, line = true }, why,
    code), code
end

return M
