---ecmp: chained after any plugin, regroups the routes it finds on the pod's interface.
--
-- What is there is the kernel's word, what was meant is prevResult's: the kernel does not know in
-- which order routes were listed, and a plugin that does not know `gws` has programmed one gateway
-- of several, or none. Both go into one list, which is then changed as the keys of route-override
-- say, grouped by `merge`, and put into the kernel in place of what was there.
local changes = require "ecmp.flow.changes"
local cni_route = require "ecmp.cni.route"
local flow = require "ecmp.flow"
local group = require "ecmp.flow.group"
local identity = require "ecmp.fib.route"
local ip = require "ecmp.ip"
local ipam = require "ecmp.flow.ipam"
local json = require "ecmp.json"
local nexthop = require "ecmp.fib.nexthop"
local result = require "ecmp.flow.result"
local routes_stage = require "ecmp.flow.routes"
local schema = require "ecmp.cni.schema"

local M = {}

local own_keys <const> = {
  { "routes", cni_route.list },
  { "addroutes", cni_route.list },
  { "delroutes", cni_route.list },
  { "flushroutes", schema.boolean },
  { "flushgateway", schema.boolean },
  { "skipcheck", schema.boolean },
}

M.fields = schema.record(own_keys)

-- A value under `args.cni`, where false counts as something said.
local function args_cni(conf, key)
  local args <const> = json.get(conf, "args")
  return json.get(json.get(args, "cni"), key)
end

---What a pod's own `args.cni` says about these keys goes before the configuration, as with
---route-override.
---@param conf table
---@param call table
---@return true? ok, string? message, integer? code
function M.check_conf(conf, call)
  for _, field in ipairs(own_keys) do
    local key <const>, check <const> = field[1], field[2]
    local value <const>, path = args_cni(call.conf, key), key
    if value ~= nil then
      path = "args.cni." .. key
      local checked <const>, message = check(value, path)
      if message then return nil, message, "EINVAL" end
      conf[key] = checked
    end
    if check == cni_route.list and not call.dropin then
      local ok <const>, message <const>, code <const> =
        cni_route.refuse_findings(conf[key] or {}, path)
      if not ok then return nil, message, code end
    end
  end
  return true
end

-- What is there --------------------------------------------------------------------------------

---The addresses of prevResult that are on our interface. One that names no interface may be.
local function addresses_of(prev, ifname)
  local list <const> = {}
  for _, entry in ipairs(prev.ips or {}) do
    local interface <const> = entry.interface and prev.interfaces[entry.interface + 1]
    if not interface or interface.name == ifname then list[#list + 1] = entry end
  end
  return ipam.addresses(list, ifname)
end

---Stage `ipam`: nothing is handed out, prevResult says what was.
local function read_previous(state)
  local call <const> = state.call
  if not call.prev then return nil, "prevResult: must be given to a chained plugin", "EINVAL" end
  if state.nl and not state.ctx.links[call.ifname] then
    return nil, ("CNI_IFNAME: there is no interface %s in %s (ENODEV)")
      :format(call.ifname, call.netns), "ENODEV"
  end
  state.ipam = call.prev
  state.addresses = addresses_of(call.prev, call.ifname)
  state.ctx.addresses = state.addresses
  return state
end

---The parts of the pod's routes that plugins sent out of our interface, as the kernel lists them.
---What nobody can ask for, such as one gateway at two weights, is left as somebody made it.
local function found_on(state)
  local found <const> = {}
  for _, route in ipairs(state.current) do
    local own <const> = changes.part(route, state.call.ifname)
    if own and nexthop.fit(own.nexthops, own.family) then found[#found + 1] = own end
  end
  return found
end

-- What was meant -------------------------------------------------------------------------------

-- Whether a route that the kernel has may be what a route of prevResult became: that says nothing
-- of what it leaves out, such as the scope and metric that the plugin before us chose.
local function may_be(held, wanted, route)
  return held.dst == wanted.dst and held.table == wanted.table
    and ((route.priority or 0) == 0 or held.metric == wanted.metric)
    and (route.scope == nil or held.scope == wanted.scope)
end

-- The hop of a route in the kernel that goes this way, unless another route was made of it already.
local function take_hop(held, via, dev, taken)
  for _, hop in ipairs(held.nexthops) do
    if hop.via == via and hop.dev == dev and not taken[hop] then
      taken[hop] = true
      return hop
    end
  end
end

-- The route in the kernel by this way that comes nearest to what is listed, with this hop alone.
local function find_held(found, wanted, route, via, taken)
  for _, is_slot_asked in ipairs { true, false } do
    for _, held in ipairs(found) do
      local is_slot <const> = identity.slot(held) == identity.slot(wanted)
      if is_slot == is_slot_asked and may_be(held, wanted, route) then
        local hop <const> = take_hop(held, via, wanted.nexthops[1].dev, taken)
        if hop then return changes.with_hops(held, function(other) return other == hop end) end
      end
    end
  end
end

---A route of prevResult as the kernel has it. One without gateway is what the plugin before us made
---of it: via the address's gateway, or by the device alone.
---@return table? route nil where the kernel has the route by other ways
---@return string? message, integer? code
local function as_programmed(route, options, found, taken)
  local filled <const> = routes_stage.translate(route, options)
  local wanted <const>, message <const>, code <const> = identity.canonical(filled)
  if not wanted then return nil, message, code end
  if cni_route.is_explicit(route) then return filled end
  local held = find_held(found, wanted, route, filled.via, taken)
  if not held and not route.gw then held = find_held(found, wanted, route, nil, taken) end
  if held then
    held.proto = nil
    return identity.plain(held)
  end
  -- What is not there at all is what a plugin without `gws` left out.
  if route.gw or not changes.hops_by_slot(found)[identity.slot(wanted)] then return filled end
end

---The routes of prevResult as they were meant, and where it lists all the ways out there are.
---@return table[]? routes, table<string, true>|string complete, integer? code
local function meant(state, found)
  local options <const> = {
    dev = state.call.ifname, addresses = state.addresses, separate = true,
    gateways = routes_stage.gateways(state.addresses),
  }
  local list <const>, complete <const>, taken <const> = {}, {}, {}
  for i, route in ipairs(state.ipam.routes or {}) do
    local wanted <const>, message <const>, code <const> =
      as_programmed(route, options, found, taken)
    if message then return nil, ("prevResult.routes[%d].%s"):format(i - 1, message), code end
    list[#list + 1] = wanted
    if wanted and cni_route.is_explicit(route) then complete[identity.slot(wanted)] = true end
  end
  return list, complete
end

---Appends what the kernel has and prevResult does not tell of, unless it told all. The oldest goes
---first, as if it had been listed: of several in one place the kernel lists the newest first.
local function add_unlisted(list, complete, found)
  local canonical <const> = {}
  for i, route in ipairs(list) do canonical[i] = assert(identity.canonical(route)) end
  local listed <const> = changes.hops_by_slot(canonical)
  for i = #found, 1, -1 do
    local route <const> = found[i]
    local slot <const> = identity.slot(route)
    local known <const> = listed[slot] or {}
    local rest <const> = not complete[slot]
      and changes.with_hops(route, function(hop) return not known[nexthop.name(hop)] end)
    if rest then
      rest.proto = nil
      list[#list + 1] = identity.plain(rest)
    end
  end
  return list
end

-- What is asked for ----------------------------------------------------------------------------

local DEFAULTS <const> = { ["0.0.0.0/0"] = true, ["::/0"] = true }

local function has_gateway(route)
  if route.via then return true end
  for _, hop in ipairs(route.nexthops or {}) do
    if hop.via then return true end
  end
  return false
end

local function keep(list, wanted)
  local kept <const> = {}
  for _, route in ipairs(list) do
    if wanted(route) then kept[#kept + 1] = route end
  end
  return kept
end

-- With route-override all these keys speak of the main table: what other plugins of the chain have
-- put into tables of their own stays.
local MAIN <const> = 254

local function in_main(route)
  return identity.canonical(route).table == MAIN
end

-- Whether an element of `delroutes` means a route: by its prefix as with route-override, and by
-- what else of a route's identity it names.
local function is_meant(route, del)
  if route.dst ~= ip.mask(del.dst) then return false end
  local held <const> = assert(identity.canonical(route))
  local dev <const> = held.nexthops[1] and held.nexthops[1].dev
  local asked <const> =
    assert(identity.canonical(routes_stage.translate(del, { dev = dev, separate = true })))
  return held.table == asked.table
    and ((del.priority or 0) == 0 or held.metric == asked.metric)
    and (del.scope == nil or held.scope == asked.scope)
end

---What an element of `delroutes` leaves of a route: nothing, or the next hops that it does not
---list, where it lists some. By route-override's name a `gw` lists none, as there.
local function without(route, del, dropin)
  if not is_meant(route, del) then return route end
  if not cni_route.is_explicit(del) and (dropin or not del.gw) then return nil end
  local gone <const> = {}
  for _, hop in ipairs(cni_route.hops(del)) do gone[hop.gw or ""] = true end
  local canonical <const> = assert(identity.canonical(route))
  canonical.nexthops = keep(canonical.nexthops, function(hop) return not gone[hop.via or ""] end)
  return canonical.nexthops[1] and identity.plain(canonical) or nil
end

local function delete(list, dels, dropin)
  for _, del in ipairs(dels or {}) do
    local kept <const> = {}
    for _, route in ipairs(list) do kept[#kept + 1] = without(route, del, dropin) end
    list = kept
  end
  return list
end

local function flush(list, conf, dropin)
  if conf.flushroutes then
    list = keep(list, function(route) return not has_gateway(route) or not in_main(route) end)
  else
    list = delete(list, conf.delroutes, dropin)
  end
  if not conf.flushgateway then return list end
  return keep(list, function(route) return not DEFAULTS[route.dst] or not in_main(route) end)
end

---`routes` take the gateway of their family as in any configuration; `addroutes` say all there is
---to say, as with route-override.
local function append(list, state)
  local options <const> = {
    dev = state.call.ifname, addresses = state.addresses, separate = false,
    gateways = routes_stage.gateways(state.addresses),
  }
  local seen <const> = {}
  for _, route in ipairs(list) do seen[identity.text(assert(identity.canonical(route)))] = true end
  local function add(more)
    for _, route in ipairs(more) do
      if not seen[identity.text(assert(identity.canonical(route)))] then list[#list + 1] = route end
    end
  end
  add(routes_stage.translate_all(state.conf.routes, options))
  options.gateways = nil
  add(routes_stage.translate_all(state.conf.addroutes, options))
  return list
end

---Stage `routes`.
local function collect(state)
  state.found = found_on(state)
  local list, complete, code = meant(state, state.found)
  if not list then return nil, complete, code end
  list = flush(add_unlisted(list, complete, state.found), state.conf, state.call.dropin)
  state.routes = append(list, state)
  return state
end

-- What the kernel's routes of one place say besides their hops is kept by the route that they
-- become, as far as they agree: whose they are, and what `separate` would not program itself.
local function keep_attributes(route, found)
  local same <const>, proto = changes.hops_by_slot { route }, nil
  for _, held in ipairs(found) do
    local hops <const> = same[identity.slot(held)]
    -- In IPv6 all that is in one place is one route.
    local is_part <const> = hops and held.scope == route.scope
      and (held.family == 6 or hops[nexthop.name(held.nexthops[1])])
    if is_part then
      route.mtu, route.advmss = route.mtu or held.mtu, route.advmss or held.advmss
      if proto ~= nil and proto ~= held.proto then proto = false else proto = held.proto end
    end
  end
  route.proto = route.proto or proto or nil
end

---Stage `group`.
local function regroup(state)
  local ok, message, code = group.run(state)
  if not ok then return nil, message, code end
  for _, route in ipairs(state.merged) do keep_attributes(route, state.found) end
  return state
end

-- What is told ---------------------------------------------------------------------------------

local function asks_for_change(conf)
  for _, key in ipairs { "routes", "addroutes", "delroutes" } do
    if conf[key] and #conf[key] > 0 then return true end
  end
  return conf.flushroutes or conf.flushgateway or false
end

local NOWHERE <const> = { [4] = "0.0.0.0", [6] = "::" }

---Addresses of prevResult; after `flushgateway` their gateways are nowhere, as with route-override.
local function ips_of(state)
  if not state.conf.flushgateway then return state.ipam.ips end
  local ips <const> = json.array()
  for i, entry in ipairs(state.ipam.ips or {}) do
    ips[i] = {}
    for key, value in pairs(entry) do ips[i][key] = value end
    ips[i].gateway = NOWHERE[assert(ip.parse(entry.address)):family()]
  end
  return ips
end

---Stage `result`: prevResult with the routes that are there now; as it came where nothing changed.
local function pass_on(state)
  if not state.changed and not asks_for_change(state.conf) then
    state.result = state.ipam
    return state
  end
  local told <const> = {}
  for key, value in pairs(state.ipam) do told[key] = value end
  told.ips, told.routes = ips_of(state), json.array()
  for i, route in ipairs(state.wanted) do
    told.routes[i] = result.of_wanted(route, state.call.ifname)
  end
  state.result = told
  return state
end

M.stages = { ipam = read_previous, routes = collect, group = regroup, result = pass_on }

local verbs <const> = flow.verbs(M)
verbs.type, verbs.about = "ecmp", "regroups the routes of the plugins before it in a chain"
return verbs
