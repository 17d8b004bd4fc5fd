---What a lab is made of: namespaces, wires, addresses, and the routes of everybody but the pod.
--
--              eth1  10.0.1.2 -- 10.0.1.1  lan gw1 wan  10.1.1.1 -- 10.1.1.2  gw1
--   pod        eth2  10.0.2.2 -- 10.0.2.1  lan gw2 wan  10.1.2.1 -- 10.1.2.2  gw2     server
--   10.0.0.10                                                                  192.0.2.0/24
--
-- With a shared segment the pod has one device, eth0, and the gateways are 10.0.0.1, 10.0.0.2, ...
-- The server answers for a whole prefix, so that flows can differ in their destinations too.

local netlink = require "ecmp.nl"
local ip = require "ecmp.ip"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local M = {}

local server_prefix <const> = { [4] = "192.0.2.0/24", [6] = "2001:db8:ffff::/64" }
local server_address <const> = { [4] = "192.0.2.1", [6] = "2001:db8:ffff::1" }

-- Where each family's addresses are: `%d` and `%x` take the number of the gateway.
local own <const> = {
  [4] = { lan = "10.0.%d.%d", wan = "10.1.%d.%d", length = 24, host = 32, pod = "10.0.0.10" },
  [6] = { lan = "2001:db8:%x::%x", wan = "2001:db8:1:%x::%x", length = 64, host = 128,
          pod = "2001:db8::10" },
}
local POD_ON_SEGMENT <const> = 100

---Carries out `{ object, verb, value, second value }` one after the other.
---@return true|nil, string? message, string? code
local function carry_out(nl, steps)
  for _, step in ipairs(steps) do
    local object <const> = nl[step[1]]
    local ok, message, code = object[step[2]](object, table.unpack(step, 3))
    if not ok then return nil, message, code end
  end
  return true
end
M.carry_out = carry_out

local function add_space(lab, role)
  local space, message, code
  if lab.name then
    space, message, code = netns.create(("%s-%s"):format(lab.name, role))
  else
    space, message, code = sys.netns_new()
  end
  if not space then return nil, message, code end
  lab.spaces[role] = space
  return netlink.open { netns = netns.path(space) }
end

-- A namespace begins with what the machine's own has for these, so none is taken for granted. A
-- router whose link-local address is still being probed for duplicates asks for no neighbour, and
-- its first packets would wait for seconds: there is nobody here to have the same address.
local function settle(lab, nl, forwards)
  local steps <const> = {
    { "sysctl", "set", "net.ipv4.conf.all.rp_filter", 0 },
    { "sysctl", "set", "net.ipv4.conf.default.rp_filter", 0 },
    { "sysctl", "set", "net.ipv4.conf.all.arp_ignore", 0 },
  }
  local function set(key, value) table.insert(steps, { "sysctl", "set", key, value }) end
  for _, which in ipairs(lab.address[6] and { "all", "default", "lo" } or {}) do
    set(("net.ipv6.conf.%s.disable_ipv6"):format(which), 0)
    set(("net.ipv6.conf.%s.accept_dad"):format(which), 0)
  end
  if forwards then set("net.ipv4.ip_forward", 1) end
  if forwards and lab.address[6] then set("net.ipv6.conf.all.forwarding", 1) end
  table.insert(steps, { "link", "set", { dev = "lo", up = true } })
  return carry_out(nl, steps)
end

local function address(family, wire, number, host)
  local words <const> = own[family]
  return ip.canonical(words[wire]:format(number, host)), words.length
end

-- How long the kernel may take to give a device its link-local address.
local PATIENCE <const> = 5

local function has_link_local(nl)
  local settled <const> = {}
  for _, each in ipairs(nl.addr:list { family = 6 } or {}) do
    if each.scope == "link" and not each.tentative then settled[each.dev] = true end
  end
  for _, link in ipairs(nl.link:list() or {}) do
    if link.up and link.lower_up and not link.loopback
      and not settled[link.name] then return false end
  end
  return true
end

---Waits until IPv6 can ask for neighbours on every device of a namespace. It does so from
---link-local
---addresses, and the kernel gives those in its own time.
---@return true|nil, string? message, string? code
function M.await_addresses(lab, nl)
  if not lab.address[6] then return true end
  local events <close> = nl:monitor { "addr" }
  local deadline <const> = sys.monotonic() + PATIENCE
  while not has_link_local(nl) do
    local left <const> = deadline - sys.monotonic()
    if left <= 0 then return nil, "no link-local addresses in time", "ETIMEDOUT" end
    events:next(left)
  end
  return true
end

local function await_all(lab)
  local handles <const> = { lab.pod, lab.server }
  for _, gateway in ipairs(lab.gateways) do handles[#handles + 1] = gateway.nl end
  for _, nl in ipairs(handles) do
    local ok <const>, message <const>, code <const> = M.await_addresses(lab, nl)
    if not ok then return nil, message, code end
  end
  return true
end

local function add_address(steps, dev, text, length)
  table.insert(steps, { "addr", "replace", {
    dev = dev, address = ("%s/%d"):format(text, length),
    nodad = text:find(":", 1, true) and true or nil,
  } })
end

-- The pod's and the gateway's address on the wire between them.
local function near_addresses(lab, gateway, family)
  if lab.shared then
    return address(family, "lan", 0, POD_ON_SEGMENT), address(family, "lan", 0, gateway.number)
  end
  return address(family, "lan", gateway.number, 2), address(family, "lan", gateway.number, 1)
end

-- What of the pod is behind the gateways: its segment, or its own address and the wires.
local function pod_prefixes(lab, family)
  if lab.shared then return { ("%s/%d"):format(lab.source[family], own[family].length) } end
  return { ("%s/%d"):format(lab.source[family], own[family].host) }
end

---Everything a gateway needs beside its links; may be repeated, to mend what an interface lost
---while it was down.
---@return true|nil, string? message, string? code
function M.configure_gateway(lab, gateway)
  local steps <const> = {
    { "link", "set", { dev = "lan", up = true } }, { "link", "set", { dev = "wan", up = true } },
  }
  for _, family in ipairs(lab.families) do
    local near <const>, length <const> = gateway.via[family], own[family].length
    add_address(steps, "lan", near, length)
    add_address(steps, "wan", address(family, "wan", gateway.number, 1), length)
    table.insert(steps, { "route", "replace", {
      dst = server_prefix[family], via = (address(family, "wan", gateway.number, 2)),
      dev = "wan" } })
    if not lab.shared then
      table.insert(steps, { "route", "replace", {
        dst = pod_prefixes(lab, family)[1], via = (near_addresses(lab, gateway, family)),
        dev = "lan" } })
    end
  end
  return carry_out(gateway.nl, steps)
end

---The pod's end of the wire to a gateway.
---@return true|nil, string? message, string? code
function M.configure_pod_wire(lab, gateway)
  local steps <const> = { { "link", "set", { dev = gateway.dev, up = true } } }
  for _, family in ipairs(lab.families) do
    local near <const> = near_addresses(lab, gateway, family)
    add_address(steps, gateway.dev, near, own[family].length)
  end
  return carry_out(lab.pod, steps)
end

local function wire_gateway(lab, gateway)
  local lan_netns <const> = netns.path(lab.spaces[gateway.name])
  local where <const> = lab.shared and lab.switch or lab.pod
  local port <const> = lab.shared and gateway.name or gateway.dev
  local ok, message, code = where.link:add {
    name = port, type = "veth", peer = { name = "lan", netns = lan_netns },
  }
  if ok and lab.shared then
    ok, message, code = where.link:set { dev = port, master = "segment", up = true }
  end
  if ok then
    ok, message, code = lab.server.link:add {
      name = gateway.name, type = "veth", peer = { name = "wan", netns = lan_netns },
    }
  end
  if ok then ok, message, code = lab.server.link:set { dev = gateway.name, up = true } end
  return ok, message, code
end

local function add_gateway(lab, number)
  local gateway <const> = {
    number = number, name = "gw" .. number, dev = lab.shared and "eth0" or "eth" .. number,
    via = {},
  }
  for _, family in ipairs(lab.families) do
    gateway.via[family] = select(2, near_addresses(lab, gateway, family))
  end
  local message, code, ok
  gateway.nl, message, code = add_space(lab, gateway.name)
  if not gateway.nl then return nil, message, code end
  table.insert(lab.gateways, gateway)
  ok, message, code = settle(lab, gateway.nl, true)
  if ok then ok, message, code = wire_gateway(lab, gateway) end
  if ok then ok, message, code = M.configure_gateway(lab, gateway) end
  if ok and not lab.shared then ok, message, code = M.configure_pod_wire(lab, gateway) end
  return ok, message, code
end

-- The server's addresses, and its way back: over all gateways, as the way there is the pod's
-- choice.
local function configure_server(lab)
  local steps <const> = {}
  for _, family in ipairs(lab.families) do
    local back <const> = {}
    for i, gateway in ipairs(lab.gateways) do
      add_address(steps, gateway.name, address(family, "wan", gateway.number, 2),
        own[family].length)
      back[i] = { via = (address(family, "wan", gateway.number, 1)), dev = gateway.name }
    end
    add_address(steps, "lo", server_address[family], own[family].host)
    table.insert(steps, { "route", "replace", {
      dst = server_prefix[family], dev = "lo", type = "local", table = "local" } })
    for _, prefix in ipairs(pod_prefixes(lab, family)) do
      table.insert(steps, { "route", "replace", { dst = ip.mask(prefix), nexthops = back } })
    end
  end
  return carry_out(lab.server, steps)
end

local function configure_pod(lab)
  local steps <const> = {}
  for _, family in ipairs(lab.families) do
    local words <const> = own[family]
    if lab.shared then
      add_address(steps, "eth0", lab.source[family], words.length)
    else
      add_address(steps, "lo", lab.source[family], words.host)
    end
  end
  return carry_out(lab.pod, steps)
end

-- The segment is a bridge in a namespace of its own: none of the others is to have it.
local function add_segment(lab)
  local message, code
  lab.switch, message, code = add_space(lab, "segment")
  if not lab.switch then return nil, message, code end
  local steps <const> = lab.address[6]
    and { { "sysctl", "set", "net.ipv6.conf.default.disable_ipv6", 1 } } or {}
  table.move({
    { "link", "add", { name = "segment", type = "bridge" } },
    { "link", "set", { dev = "segment", up = true } },
    { "link", "add", { name = "pod", type = "veth",
                       peer = { name = "eth0", netns = netns.path(lab.spaces.pod) } } },
    { "link", "set", { dev = "pod", master = "segment", up = true } },
  }, 1, 4, #steps + 1, steps)
  return carry_out(lab.switch, steps)
end

local function add_ends(lab)
  for _, role in ipairs { "pod", "server" } do
    local nl, message, code = add_space(lab, role)
    if not nl then return nil, message, code end
    lab[role] = nl
    local ok
    ok, message, code = settle(lab, nl)
    if not ok then return nil, message, code end
  end
  return true
end

---Builds it all.
---@param lab ecmp.Lab
---@param count integer
---@return true|nil, string? message, string? code
function M.build(lab, count)
  lab.address, lab.prefix, lab.source = {}, {}, {}
  for _, family in ipairs(lab.families) do
    lab.address[family], lab.prefix[family] = server_address[family], server_prefix[family]
    lab.source[family] = lab.shared and (address(family, "lan", 0, POD_ON_SEGMENT))
      or own[family].pod
  end
  local ok, message, code = add_ends(lab)
  if ok and lab.shared then
    ok, message, code = add_segment(lab)
    if ok then ok, message, code = lab.pod.link:set { dev = "eth0", up = true } end
  end
  for number = 1, ok and count or 0 do
    ok, message, code = add_gateway(lab, number)
    if not ok then break end
  end
  if ok then ok, message, code = configure_server(lab) end
  if ok then ok, message, code = configure_pod(lab) end
  if ok then ok, message, code = await_all(lab) end
  return ok, message, code
end

---Closes every handle and, with them, everything there was; twice is fine.
function M.close(lab)
  local spaces <const> = lab.spaces
  if not spaces then return end
  lab.spaces = nil
  for _, nl in ipairs { lab.pod, lab.server, lab.switch } do nl:close() end
  for _, gateway in ipairs(lab.gateways) do gateway.nl:close() end
  for role, space in pairs(spaces) do
    space:close()
    if lab.name then netns.delete(("%s-%s"):format(lab.name, role)) end
  end
end

return M
