---Writes the reference of the network configuration: docs/netconf.schema.json and docs/netconf.md.
--
-- What a key may hold comes from the very checks that refuse a mistake (ecmp.cni.schema); what it
-- is for is said here, once for each key. A key without words, or words without a key, is an error.
--
--     lua5.4 build-aux/netconf.lua schema | md
local json <const> = require "ecmp.json"
local pool <const> = require "ecmp.plugin.host-local.pool"
local programs <const> = require "ecmp.command.programs"
local route <const> = require "ecmp.cni.route"
local schema <const> = require "ecmp.cni.schema"
local version <const> = require "ecmp.cni.version"

-- What keys are for --------------------------------------------------------------------------

-- By where the key stands: all plugins, one type, a route, a hop, and so on.
local words <const> = {
  top = {
    cniVersion = "version of the CNI specification; absent means 0.1.0",
    name = "name of the network",
    type = "the plugin",
    args = "what the runtime knows of the pod; `args.cni` goes before the configuration",
    capabilities = "which parts of `runtimeConfig` the runtime is to fill in",
    runtimeConfig = "filled in by the runtime: `ips`, `mac`, `ipRanges`, and the keys of chained "
      .. "`ecmp`",
    prevResult = "result of the plugin before this one, written by the runtime",
    disableGC = "GC frees nothing",
  },
  list = {
    cniVersion = "version of the CNI specification",
    cniVersions = "other versions that will do",
    name = "name of the network",
    disableCheck = "the runtime does not call CHECK",
    disableGC = "the runtime does not call GC",
    plugins = "the plugins of the chain, in order",
  },
  common = {
    name = "name of the network",
    type = "the plugin",
    merge = "what several routes with one key become; default `ecmp`, `separate` under a reference "
      .. "plugin's name",
    script = "path of a rule script (docs/rules.md)",
    trusted = "gives the rule script all of Lua; its budgets stay",
    conflict = "what to do when another interface of the pod already has a route with that key; "
      .. "default `yield`, `take` with `separate`",
    result = "how the result writes several next hops: one route for each (`routes`, the default), "
      .. "or one with `gws`",
    multipath = "settings of multipath routes in the pod",
    health = "how `ecmp watch` finds gateways that are dead (docs/operations.md)",
    policyRules = "policy routing: which table is looked into for which packets of the pod",
    dad = "what to do about duplicate address detection; default `wait`",
    ipam = "where addresses come from",
    dns = "handed on in the result",
    logFile = "where each verb writes a line, one JSON object: a path, or `\"journal\"` "
      .. "(docs/operations.md); plugins that hand out addresses have it, too",
    logLevel = "which verbs: `panic` those that failed by a fault of the program, `error` all that "
      .. "failed, `verbose` (the default) all but CHECK and STATUS, `debug` all, with more",
  },
  multipath = {
    hash = "what flows are told apart by: a policy of the kernel, or the packet fields",
    useNeigh = "leave out next hops whose neighbour is known to be unreachable: `true` the "
      .. "kernel's sysctl alone (IPv4), `\"managed\"` with neighbours that it keeps asking for, "
      .. "in both families (docs/operations.md)",
    managed = "the same with timers of one's own",
    reachable = "milliseconds without an answer after which a neighbour is asked again; default "
      .. "1000",
    retrans = "milliseconds between three questions; default 100",
    ignoreLinkdown = "leave out next hops whose link has no carrier",
    nexthops = "how routes hold their hops: themselves (`inline`, the default), or by next-hop "
      .. "objects",
  },
  health = {
    probe = "how gateways are asked: `icmp` echo requests, `neigh` ARP and neighbour discovery, "
      .. "`bfd` (RFC 5880), or `none`",
    interval = "milliseconds between probes; default 100",
    multiplier = "how many are missed in a row before a gateway is withdrawn; default 3",
    rise = "how many answers in a row bring it back; default 5",
    hold = "seconds for which it stays out at least, longer each time; default 10",
    target = "an address that is asked for through each gateway of its family, in place of the "
      .. "gateway itself",
    scope = "`segment`: two pods ask for all pods of a bridge or master; `pod`: each for itself; "
      .. "default `segment`",
    min = "with fewer gateways left in a route all of them are put back; default 1",
    script = "path of a rule script whose `on_change(event, ctx)` returns `\"withdraw\"` or "
      .. "`\"keep\"`",
    source = "with `bfd`: an address of the host on the segment, or one for each family",
  },
  dns = {
    nameservers = "addresses of name servers", domain = "local domain", search = "search list",
    options = "resolver options",
  },
  route = {
    dst = "destination prefix",
    gw = "gateway",
    gws = "several gateways: one multipath route under every rule",
    nexthops = "the same with devices and weights",
    priority = "metric; absent or 0 means the kernel's default",
    table = "routing table; absent or 0 means main",
    scope = "scope of an IPv4 route: 0 global, 253 link, 254 host",
    mtu = "MTU towards the destination",
    advmss = "MSS to tell peers",
  },
  policy_rule = {
    from = "where packets come from: a prefix, or `\"self\"`, one rule for each address of the pod",
    to = "where they go, likewise; at least one of the two", table = "the table",
    priority = "the lower, the earlier; default 1000",
    iif = "the interface they came in by", fwmark = "their mark, and behind a slash its mask",
  },
  hop = {
    gw = "gateway", dev = "interface in the pod; the plugin's own where absent",
    weight = "share of flows, in proportion to the other hops' weights; default 1",
    onlink = "the gateway is on the link, whatever its address",
  },
  ipam_static = {
    type = "`ecmp-static`", addresses = "the addresses to hand out", routes = "routes to hand out",
    dns = "handed on in the result", address = "address with prefix length",
    gateway = "gateway of that address's subnet",
  },
  ["ipam_host-local"] = {
    type = "`ecmp-host-local`", routes = "routes to hand out",
    ranges = "range sets; each gives one address", subnet = "subnet of a range",
    rangeStart = "first address to hand out; default the first of the subnet",
    rangeEnd = "last address to hand out; default the last but broadcast",
    gateway = "never handed out; default the subnet's first address",
    dataDir = "where reservations are kept; default /var/lib/cni/networks",
    resolvConf = "file whose name servers go into the result",
    idempotent = "a second ADD gets the addresses of the first",
  },
  ["ipam_pool"] = {
    type = "`ecmp-pool`", routes = "routes to hand out",
    ranges = "range sets, shared by all nodes; each gives one address",
    subnet = "subnet of a range",
    rangeStart = "first address to hand out; default the first of the subnet",
    rangeEnd = "last address to hand out; default the last but broadcast",
    gateway = "never handed out; default the subnet's first address",
    dataDir = "where a node notes what etcd has not heard of yet; default /var/lib/cni/ecmp-pool",
    resolvConf = "file whose name servers go into the result",
    idempotent = "a second ADD gets the addresses of the first",
    store = "where the addresses are kept (docs/pools.md)",
  },
  store = {
    etcd = "endpoints of etcd, asked in turn: `https://HOST:PORT`, on the loopback `http://`, or "
      .. "`unix:///PATH`",
    directory = "a directory of this machine instead, for trying out",
    prefix = "what all keys begin with; default `/ecmp/v1`",
    ca = "certificates of the authority that signed etcd's; default the system's",
    cert = "client certificate; its common name is the user of etcd",
    key = "its key, for the owner's eyes alone",
    node = "name of this node, one machine's alone; default the host's name",
    timeout = "seconds that a verb waits for etcd; default 10, DEL never more than 2",
    block = "addresses of the block that a node tries first; default 64",
  },
  bridge = {
    bridge = "name of the bridge; default `cni0`",
    isGateway = "give the bridge the gateway's address",
    isDefaultGateway = "the same, and make it the pod's default gateway",
    forceAddress = "take another address of the subnet off the bridge",
    ipMasq = "masquerade what leaves the subnet",
    ipMasqBackend = "by what; default `nftables`, under a "
      .. "reference plugin's name what that one takes",
    mtu = "MTU of the pair; 0 means the kernel's",
    hairpinMode = "let a pod reach itself by the bridge",
    promiscMode = "put the bridge into promiscuous mode",
    vlan = "VLAN of the pod, without tags; 0 means none",
    vlanTrunk = "VLANs of the pod, with tags",
    preserveDefaultVlan = "false takes the pod out of the bridge's default VLAN",
    disableContainerInterface = "leave the pod's end down; only without `ipam`",
    macspoofchk = "drop what does not come from the pod's own hardware address",
    portIsolation = "keep pods of one bridge apart", enabledad = "detect duplicate IPv6 addresses",
  },
  trunk = {
    id = "one VLAN", minID = "the first of several, with `maxID`", maxID = "the last of several",
  },
  ptp = {
    ipMasq = "masquerade what leaves the pod's subnet",
    ipMasqBackend = "by what; default `nftables`, under a "
      .. "reference plugin's name what that one takes",
    mtu = "MTU of the pair; 0 means the kernel's",
  },
  macvlan = {
    master = "interface of the host; default that of the default route",
    mode = "macvlan mode; default `bridge`", mtu = "MTU; 0 means the master's",
    mac = "hardware address", linkInContainer = "the master is in the pod's namespace",
    bcqueuelen = "length of the broadcast queue",
  },
  ipvlan = {
    master = "interface of the host; default that of the default route, in a chain the previous "
      .. "plugin's",
    mode = "ipvlan mode; default `l2`", mtu = "MTU; 0 means the master's",
    linkInContainer = "the master is in the pod's namespace",
  },
  ecmp = {
    routes = "more routes; without `gw` by the address's gateway",
    addroutes = "more routes; without `gw` by the interface alone, as with route-override",
    delroutes = "take away these routes (in the main table or `table`, with `priority` and `scope` "
      .. "if named), or of "
      .. "them the hops listed in `gw`, `gws` and `nexthops`",
    flushroutes = "take away all routes of the main table that have a gateway",
    flushgateway = "take away the default routes of the main table, and the gateways in the result",
    skipcheck = "CHECK looks at nothing",
  },
  lua = { script = "path of the plugin's script", rules = "path of a rule script" },
}

-- Putting words to schemas -------------------------------------------------------------------

local used <const> = {}

local function say(where, key)
  local text <const> = (words[where] or {})[key]
  if not text then error(("%s.%s: has no words in build-aux/netconf.lua"):format(where, key), 0) end
  used[where .. "." .. key] = true
  return text
end

-- Objects inside objects have words of their own where a place is named for them.
local inner <const> = {
  health = "health", store = "store",
  multipath = "multipath", dns = "dns", routes = "route", addroutes = "route", delroutes = "route",
  policyRules = "policy_rule", nexthops = "hop", vlanTrunk = "trunk",
}

local function annotate(one, where)
  for _, choice in ipairs(one.anyOf or {}) do annotate(choice, where) end
  for key, value in pairs(one.properties or {}) do
    local inside <const> = value.items or value
    if where ~= "common" or key ~= "ipam" then annotate(inside, inner[key] or where) end
    if inside.items then annotate(inside.items, where) end
    value.description = say(where, key)
  end
  return one
end

local function check_unused()
  for where, keys in pairs(words) do
    for key in pairs(keys) do
      if not used[where .. "." .. key] then
        error(("%s.%s: is described but no key"):format(where, key), 0)
      end
    end
  end
end

-- The parts ----------------------------------------------------------------------------------

local STRING <const>, BOOLEAN <const> = { type = "string" }, { type = "boolean" }

local function copy(value)
  if type(value) ~= "table" then return value end
  local new <const> = setmetatable({}, getmetatable(value))
  for key, item in pairs(value) do new[key] = copy(item) end
  return new
end

local function object(properties, required)
  return { type = "object", properties = copy(properties), required = required }
end

local function names_of(kind)
  return kind == "ecmp" and { "ecmp", "route-override" } or { "ecmp-" .. kind, kind }
end

local function ipam_static()
  return annotate(schema.describe(require("ecmp.plugin.static").ipam_fields), "ipam_static")
end

local function ipam_host_local()
  local one <const> = pool.describe()
  one.properties.type, one.properties.routes = copy(STRING), schema.describe(route.list)
  return annotate(one, "ipam_host-local")
end

local function ipam_pool()
  local one <const> = pool.describe()
  one.properties.type, one.properties.routes = copy(STRING), schema.describe(route.list)
  one.properties.store = schema.describe(require("ecmp.plugin.pool.config").store_fields)
  one.required = { "store" }
  return annotate(one, "ipam_pool")
end

-- The types with a check of their own keys, and the one that reads two keys by itself.
local function plugin_keys()
  local parts <const> = {}
  for _, row in ipairs(programs.types()) do
    local plugin <const> = row.type ~= "route-override" and programs.plugin("ecmp-" .. row.type)
    local verbs <const> = plugin and require(plugin.module)
    local fields <const> = verbs and verbs.plugin and verbs.plugin.fields
    if fields then parts[row.type] = annotate(schema.describe(fields), row.type) end
  end
  parts.lua = annotate(object({ script = STRING, rules = STRING }, { "script" }), "lua")
  return parts
end

local function top()
  return annotate(object({
    cniVersion = { enum = version.all }, name = STRING, type = STRING, args = { type = "object" },
    capabilities = { type = "object" }, runtimeConfig = { type = "object" },
    prevResult = { type = "object" }, disableGC = BOOLEAN,
  }, { "type" }), "top")
end

local function list()
  return annotate(object({
    cniVersion = { enum = version.all }, name = STRING, disableCheck = BOOLEAN, disableGC = BOOLEAN,
    cniVersions = { type = "array", items = STRING }, plugins = { type = "array", minItems = 1 },
  }, { "name", "plugins" }), "list")
end

-- The whole ----------------------------------------------------------------------------------

local function when_type(names, reference)
  return {
    ["if"] = { properties = { type = { enum = names } }, required = { "type" } },
    ["then"] = { ["$ref"] = "#/definitions/" .. reference },
  }
end

local function definitions()
  local parts <const> = plugin_keys()
  parts.common = annotate(schema.describe(require("ecmp.flow.netconf").fields), "common")
  parts.top, parts.list = top(), list()
  parts.ipam_static, parts["ipam_host-local"] = ipam_static(), ipam_host_local()
  parts.ipam_pool = ipam_pool()
  parts.common.properties.ipam.allOf = {
    when_type({ "ecmp-static", "static" }, "ipam_static"),
    when_type({ "ecmp-host-local", "host-local" }, "ipam_host-local"),
    when_type({ "ecmp-pool" }, "ipam_pool"),
  }
  check_unused()
  return parts
end

local function whole()
  local parts <const> = definitions()
  local all, ours <const> = { { ["$ref"] = "#/definitions/top" } }, {}
  for _, row in ipairs(programs.types()) do
    local kind <const> = row.type
    if parts[kind] then
      for _, name in ipairs(names_of(kind)) do
        if kind ~= "lua" and programs.plugin(name) then ours[#ours + 1] = name end
      end
      all[#all + 1] = when_type(kind == "lua" and { "ecmp-lua" } or names_of(kind), kind)
    end
  end
  table.insert(all, 2, when_type(ours, "common"))
  parts.plugin = { allOf = all }
  parts.list.properties.plugins.items = { ["$ref"] = "#/definitions/plugin" }
  return {
    ["$schema"] = "http://json-schema.org/draft-07/schema#",
    title = "CNI network configuration for the ecmp plugins",
    description = "Keys match in any case, and null counts as absent; written here is the usual "
      .. "spelling. Keys that are not listed belong to others and are left alone.",
    ["if"] = { required = { "plugins" } }, ["then"] = { ["$ref"] = "#/definitions/list" },
    ["else"] = {
      allOf = { { ["$ref"] = "#/definitions/plugin" }, { required = { "name" } } },
    },
    definitions = parts,
  }
end

-- The same for people ------------------------------------------------------------------------

local function each(values, format)
  local texts <const> = {}
  for i, value in ipairs(values) do texts[i] = format(value) end
  return texts
end

local function quoted(word)
  return ('`"%s"`'):format(word)
end

local function kind_of(one)
  if one.enum then return table.concat(each(one.enum, quoted), " ") end
  if one.anyOf then return table.concat(each(one.anyOf, kind_of), ", or ") end
  if one.minimum then return ("%s %d..%d"):format(one.type, one.minimum, one.maximum) end
  local items <const> = one.type == "array" and one.items
  if not items then return one.type == "array" and "list" or one.type end
  if items.enum then return "list of " .. kind_of(items) end
  return items.type == "array" and "list of lists" or ("list of %ss"):format(items.type or "object")
end

-- The keys of a part in their order: `{ key, value, what it is for }`.
local function rows_of(one)
  local keys <const>, rows <const> = {}, {}
  for key in pairs(one.properties) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do
    local value <const> = one.properties[key]
    rows[i] = { key, kind_of(value), value.description }
  end
  return rows
end

local function write_table(title, one)
  print(("\n## %s\n\n| key | value | what it is for |\n|---|---|---|"):format(title))
  for _, row in ipairs(rows_of(one)) do
    print(("| `%s` | %s | %s |"):format(table.unpack(row)))
  end
end

-- The tables in their order: a title, and what it describes.
local function tables()
  local parts <const> = whole().definitions
  local routes <const> = parts.ecmp.properties.routes.items
  local all <const> = {
    { "Every configuration", parts.top }, { "A list of plugins", parts.list },
    { "Every plugin of ours that programs routes", parts.common },
    { "`multipath`", parts.common.properties.multipath },
    { "`health`", parts.common.properties.health }, { "A route", routes },
    { "A next hop, in `nexthops` of a route", routes.properties.nexthops.items },
    { "`dns`", parts.common.properties.dns },
  }
  local function add(title, part) all[#all + 1] = { title, part } end
  for _, kind in ipairs { "bridge", "ptp", "macvlan", "ipvlan" } do
    add("`ecmp-" .. kind .. "`", parts[kind])
  end
  add("An element of `vlanTrunk`", parts.bridge.properties.vlanTrunk.items)
  add("Chained `ecmp`", parts.ecmp)
  add("`ecmp-lua`", parts.lua)
  add("`ipam` of `ecmp-static`", parts.ipam_static)
  add("An address of `ecmp-static`", parts.ipam_static.properties.addresses.items)
  add("`ipam` of `ecmp-host-local`", parts["ipam_host-local"])
  add("`ipam` of `ecmp-pool`", parts.ipam_pool)
  add("`store` of `ecmp-pool`", parts.ipam_pool.properties.store)
  return all
end

local function write_markdown()
  print [[
# The network configuration, key by key

Made by `make netconf` from the checks in the code; `docs/netconf.schema.json` is the same as a JSON
Schema, for editors and pipelines, `man ecmp-netconf` as a page of the manual. Keys match in any
case, null counts as absent. Keys that are not listed belong to others and are left alone.]]
  for _, one in ipairs(tables()) do write_table(table.unpack(one)) end
end

local function main(word)
  if word == "md" then
    write_markdown()
  elseif word == "schema" then
    print(json.encode(whole(), { indent = 2 }))
  else
    io.stderr:write("usage: lua5.4 build-aux/netconf.lua schema | md\n")
    os.exit(2)
  end
end

-- For the manual: see there.
if (arg and arg[0] or ""):find "netconf%.lua$" then main(arg[1]) end

return { tables = tables, rows_of = rows_of }
