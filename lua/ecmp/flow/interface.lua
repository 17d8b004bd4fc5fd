---What interface plugins do alike: a veth pair, a hardware address asked for, DEL, CHECK.
local request = require "ecmp.cni.request"
local shown = require("ecmp.errors").shown
local sys = require "ecmp.sys"

local M = {}

-- Host interface names are chosen at random; this often a taken one is no accident.
local NAME_TRIES <const> = 10

-- A frame's sender is one host: neither a group nor nobody.
local function is_of_one_host(address)
  return tonumber(address:sub(1, 2), 16) & 1 == 0 and address ~= "00:00:00:00:00:00"
end

---The hardware address asked for: by the runtime, else for this pod, else in CNI_ARGS, else in the
---configuration.
---@param call table
---@param configured? string
---@return string? address nil where none is asked for
---@return string? message, integer? code
function M.hardware_address(call, configured)
  local args, message, code = request.args(call, { "MAC" })
  if not args then return nil, message, code end
  local value <const>, path = require("ecmp.cni").pod_value(call, "mac")
  local text = value
  if text == nil or text == "" then text, path = args.MAC or "", "CNI_ARGS.MAC" end
  if text == "" then text, path = configured or "", "mac" end
  if text == "" then return nil end
  if type(text) == "string" then
    text = text:lower():gsub("-", ":")
    if text:find("^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$") and is_of_one_host(text) then return text end
  end
  return nil, ("%s: '%s' is no hardware address of an interface"):format(path, shown(text)), 7
end

---The hardware address that a link keeps: its own; where it has none, as a bridge that lost its
---last port, one made by chance, of those that nobody assigns.
---@param link ecmp.Link
---@return string
function M.lasting_address(link)
  if is_of_one_host(link.address) then return link.address end
  return "02" .. sys.random(5):gsub(".", function(byte) return (":%02x"):format(byte:byte()) end)
end

---An interface as a CNI result lists it.
---@param nl table
---@param name string
---@param sandbox? string the pod's namespace; nil on the host
---@return table? interface, string? message, string? code
function M.describe(nl, name, sandbox)
  local link, message, code = nl.link:get { dev = name }
  if not link then return nil, message, code end
  return { name = name, mac = link.address, mtu = link.mtu, sandbox = sandbox }
end

local function random_name()
  return "veth" .. sys.random(4):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
end

-- Makes a pair whose one end is called by chance; `link` is the rest of the request.
local function make_by_chance(host, link)
  local ok, message, code
  link.type = "veth"
  for _ = 1, NAME_TRIES do
    link.name = random_name()
    ok, message, code = host.link:add(link)
    if ok then return link.name end
    if code ~= "EEXIST" then break end
  end
  return nil, message, code
end

---Makes a veth pair with one end in the pod and the other, by a random name, on the host. Taking it
---back is noted.
---@param state table
---@param host table handle of the host's namespace
---@param options table `{ mtu?, address?, master? }`: address is for the pod's end, master is what
---the host's end is a port of
---@return string? name of the host's end
---@return string? message, string? code
function M.make_pair(state, host, options)
  local call <const>, mtu <const> = state.call, options.mtu
  local name <const>, message <const>, code <const> = make_by_chance(host, {
    mtu = mtu, master = options.master,
    peer = { name = call.ifname, netns = call.netns, mtu = mtu, address = options.address },
  })
  if not name then return nil, message, code end
  state.undo:push("interface " .. name, function() return host.link:del { dev = name } end)
  return name
end

---Makes a veth pair with both ends on the host.
---@param host table
---@param name string of one end
---@param master string what the other end, by a random name, is a port of
---@param mtu integer
---@return string? port name of the other end
---@return string? message, string? code
function M.make_host_pair(host, name, master, mtu)
  return make_by_chance(host, { mtu = mtu, master = master, peer = { name = name, mtu = mtu } })
end

local FORWARDING <const> = { [4] = "net/ipv4/ip_forward", [6] = "net/ipv6/conf/all/forwarding" }

---Lets the host forward packets of a family. The switch is the host's: it stays on.
---@param host table
---@param family 4|6
---@return true? ok, string? message, string? code
function M.enable_forwarding(host, family)
  local now <const> = host.sysctl:get(FORWARDING[family])
  if now and now:find("^1") then return true end
  return host.sysctl:set(FORWARDING[family], "1")
end

---Takes the pod's interface away; a veth's other end goes with it.
---@param call table
---@param nl table? handle of the pod's namespace; nil when that is gone
---@return true? ok, string? message
function M.detach(call, nl)
  if not nl or not nl.link:get { dev = call.ifname } then return true end
  local ok, message, code = nl.link:del { dev = call.ifname }
  if not ok and code ~= "ENODEV" then return nil, message end
  return true
end

---The interface that prevResult lists for the pod under our name.
local function listed(call)
  for _, interface in ipairs(call.prev and call.prev.interfaces or {}) do
    if interface.name == call.ifname and (interface.sandbox or "") ~= "" then return interface end
  end
end

---What is wrong with the pod's interface, said through `say`.
---@param state table
---@param kind string the type it has to be of
---@param say fun(sentence: string)
---@return table? link
function M.inspect(state, kind, say)
  local name <const> = state.call.ifname
  local link <const> = state.nl.link:get { dev = name }
  if not link then return say(("interface %s is missing"):format(name)) end
  if link.type ~= kind then
    say(("interface %s is of type %s, not %s"):format(name, link.type or "none", kind))
  end
  local was <const> = listed(state.call)
  if was and was.mac and was.mac:lower() ~= link.address then
    say(("interface %s has the hardware address %s, prevResult says %s"):format(
      name, link.address, was.mac))
  end
  return link
end

return M
