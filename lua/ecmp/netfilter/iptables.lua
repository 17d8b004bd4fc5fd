---Masquerading by the `iptables` and `ip6tables` programs, with the chains, rules and comments of
---the reference plugins: for hosts whose other rules are written with them.
--
-- A chain belongs to a container in a network, whatever its interfaces; rules for each address
-- send to it. A change of several rules is one run of the program that restores them, so that it is
-- done whole or not at all.
local ip = require "ecmp.ip"
local sha512 = require "ecmp.netfilter.sha512"
local sys = require "ecmp.sys"

local M = {}

local PROGRAMS <const> = { [4] = "iptables", [6] = "ip6tables" }
local MULTICAST <const> = { [4] = "224.0.0.0/4", [6] = "ff00::/8" }
---Where the programs are looked for; a runtime's PATH need not have the administrator's places.
M.path = (os.getenv("PATH") or "") .. ":/usr/sbin:/sbin"

-- Seconds for the lock that all users of these programs share, and for a run.
local LOCK_WAIT <const>, PATIENCE <const> = "20", 30

-- Running the programs --------------------------------------------------------------------------

---Looks for a program on `path`.
---@param name string
---@return string? file, string? message, string? code
function M.find(name)
  for directory in M.path:gmatch("[^:]+") do
    local file <const> = directory .. "/" .. name
    local found <const> = sys.stat(file)
    if found and found.type == "file" then return file end
  end
  return nil, ("%s: there is no such program in %s"):format(name, M.path), "ENOENT"
end

local function run(name, argv, stdin)
  local file <const>, missing <const>, code <const> = M.find(name)
  if not file then return nil, missing, code end
  local outcome <const>, message <const>, why <const> = sys.spawn {
    argv = { file, "-w", LOCK_WAIT, table.unpack(argv) }, stdin = stdin, timeout = PATIENCE,
    stderr = "capture",
  }
  if not outcome then return nil, message, why end
  if outcome.status == 0 then return outcome.stdout end
  local words = outcome.stderr:gsub("%s+$", ""):gsub("%s*\n%s*", "; ")
  if outcome.timedout then words = ("no end within %d s"):format(PATIENCE) end
  if words == "" then words = ("ended with status %s"):format(outcome.status) end
  return nil, ("%s %s: %s"):format(name, table.concat(argv, " "), words)
end

-- The rules of a chain as they are written: nil where there is no such chain.
local function rules_of(family, chain)
  local text <const>, message <const>, code <const> =
    run(PROGRAMS[family], { "-t", "nat", "-S", chain })
  if not text then return nil, message, code end
  local list <const> = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
  return list
end

local function restore(family, lines)
  local input <const> = ("*nat\n%s\nCOMMIT\n"):format(table.concat(lines, "\n"))
  local done <const>, message <const>, code <const> =
    run(PROGRAMS[family] .. "-restore", { "--noflush" }, input)
  if not done then return nil, message, code end
  return true
end

---Whether the programs are there and the kernel lets them.
---@return boolean
function M.available()
  return rules_of(4, "POSTROUTING") ~= nil
end

-- Rules ----------------------------------------------------------------------------------------

local function chain_of(who)
  return "CNI-" .. sha512(who.network .. who.containerid):sub(1, 24)
end

-- Names of networks and containers have no character that would have to be quoted.
local function comment_of(who)
  return ([[-m comment --comment "name: \"%s\" id: \"%s\""]]):format(who.network, who.containerid)
end

-- Rules of POSTROUTING that send to a chain.
local function senders(family, chain)
  local list <const>, message <const>, code <const> = rules_of(family, "POSTROUTING")
  if not list then return nil, message, code end
  local found <const> = {}
  for _, line in ipairs(list) do
    if line:sub(-#chain - 4) == " -j " .. chain then found[#found + 1] = line end
  end
  return found
end

-- The chain anew: the networks it has and one more are left alone, all else is masqueraded.
local function chain_lines(who, family, chain, old, networks)
  local lines <const>, known <const> = { (":%s - [0:0]"):format(chain) }, {}
  local function leave_alone(network)
    if known[network] then return end
    known[network] = true
    lines[#lines + 1] = ("-A %s -d %s -j ACCEPT %s"):format(chain, network, comment_of(who))
  end
  for _, line in ipairs(old) do
    local network <const> = line:match("^%-A %S+ %-d (%S+) .*%-j ACCEPT$")
    if network then leave_alone(network) end
  end
  for _, network in ipairs(networks) do leave_alone(network) end
  lines[#lines + 1] = ("-A %s ! -d %s -j MASQUERADE %s"):format(chain, MULTICAST[family],
    comment_of(who))
  return lines
end

-- The addresses of one family: each alone, and its network.
local function of_family(addresses, family)
  local hosts <const>, networks <const> = {}, {}
  for _, entry in ipairs(addresses) do
    local address <const> = assert(ip.parse(entry.address))
    if address:family() == family then
      hosts[#hosts + 1] = tostring(address:address())
      networks[#networks + 1] = tostring(address:network())
    end
  end
  return hosts, networks
end

local WHOLE <const> = { [4] = "/32", [6] = "/128" }

local function is_from(line, family, host)
  return line:find((" -s %s%s "):format(host, WHOLE[family]), 1, true) ~= nil
end

local function any(list, test)
  for _, value in ipairs(list) do
    if test(value) then return true end
  end
  return false
end

local function add(who, family, hosts, networks)
  local chain <const> = chain_of(who)
  local old <const> = rules_of(family, chain)
  local lines <const> = chain_lines(who, family, chain, old or {}, networks)
  local there, message, code = {}, nil, nil
  if old then there, message, code = senders(family, chain) end
  if not there then return nil, message, code end
  for _, host in ipairs(hosts) do
    if not any(there, function(line) return is_from(line, family, host) end) then
      lines[#lines + 1] = ("-A POSTROUTING -s %s -j %s %s"):format(host, chain, comment_of(who))
    end
  end
  return restore(family, lines)
end

---@param who table `{ network, containerid, ifname }`
---@param addresses table[] `{ address }` with prefix length
---@return true? ok, string? message, string? code
function M.add(who, addresses)
  for _, family in ipairs { 4, 6 } do
    local hosts <const>, networks <const> = of_family(addresses, family)
    local ok, message, code = true, nil, nil
    if #hosts > 0 then ok, message, code = add(who, family, hosts, networks) end
    if not ok then return nil, message, code end
  end
  return true
end

-- Takes away what sends from these hosts (from anywhere, if none are known) and, when nobody is
-- left, the chain.
local function remove(who, family, hosts)
  local chain <const>, lines <const>, stay = chain_of(who), {}, false
  local there <const>, message <const>, code <const> = senders(family, chain)
  if not there then return nil, message, code end
  for _, line in ipairs(there) do
    if not hosts or any(hosts, function(host) return is_from(line, family, host) end) then
      lines[#lines + 1] = line:gsub("^%-A", "-D")
    else
      stay = true
    end
  end
  if not stay and rules_of(family, chain) then
    table.insert(lines, 1, (":%s - [0:0]"):format(chain))
    lines[#lines + 1] = "-X " .. chain
  end
  return #lines == 0 or restore(family, lines)
end

---@param who table
---@param addresses? table[] those of the interface; without them all of the container's are meant
---@return true? ok, string? message, string? code
function M.remove(who, addresses)
  for _, family in ipairs { 4, 6 } do
    local hosts <const> = addresses and of_family(addresses, family)
    if M.find(PROGRAMS[family]) and not (hosts and #hosts == 0) then
      local ok, message, code = remove(who, family, hosts)
      if not ok then return nil, message, code end
    end
  end
  return true
end

-- Containers of a network that rules of POSTROUTING name.
local function containers(family, network)
  local list <const>, message <const>, code <const> = rules_of(family, "POSTROUTING")
  if not list then return nil, message, code end
  local found <const> = {}
  for _, line in ipairs(list) do
    local name <const>, id <const> = line:match([[name: \"([^"\]+)\" id: \"([^"\]+)\".* %-j CNI%-]])
    if name == network then found[id] = true end
  end
  return found
end

---Ends the masquerading of the containers of a network that are not among the valid ones.
---@param network string
---@param valid table[] `{ containerid, ifname }`
---@return true? ok, string? message, string? code
function M.sweep(network, valid)
  local keep <const> = {}
  for _, entry in ipairs(valid) do keep[entry.containerid] = true end
  for _, family in ipairs { 4, 6 } do
    local found, message, code = {}, nil, nil
    if M.find(PROGRAMS[family]) then found, message, code = containers(family, network) end
    if not found then return nil, message, code end
    for id in pairs(found) do
      local ok = keep[id]
      if not ok then ok, message, code = remove({ network = network, containerid = id }, family) end
      if not ok then return nil, message, code end
    end
  end
  return true
end

---How many of these addresses are masqueraded.
---@param who table
---@param addresses table[]
---@return integer? count, string? message, string? code
function M.count(who, addresses)
  local count = 0
  for _, family in ipairs { 4, 6 } do
    local hosts <const> = of_family(addresses, family)
    local there, message, code = {}, nil, nil
    if #hosts > 0 then there, message, code = senders(family, chain_of(who)) end
    if not there then return nil, message, code end
    for _, host in ipairs(hosts) do
      local sent <const> = any(there, function(line) return is_from(line, family, host) end)
      count = count + (sent and 1 or 0)
    end
  end
  return count
end

return M
