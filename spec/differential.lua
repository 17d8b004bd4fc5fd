--- What becomes of one random configuration under the reference plugins and under ours, and what
--- differs: exit status, result, kernel state of pod and host in all tables, files, and all of it
--- once more after DEL.
--
-- Left out of the comparison is what the reference plugins of Debian 12 cannot do or do not do
-- alike twice: `dns`, `mtu` of interfaces, the sysctls that later versions set as we do, hardware
-- addresses, generated names, link-local addresses, and what follows the carrier in its own time.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local random_config = require "spec.random_config"
local record = require "ecmp.flow.record"
local sys = require "ecmp.sys"

local M = {}

-- What the plugins set, in the pod for its interface and on the host; %s is the interface.
local pod_sysctls <const> = {
  "ipv4/conf/%s/arp_notify", "ipv6/conf/%s/accept_dad", "ipv6/conf/%s/enhanced_dad",
  "ipv6/conf/%s/disable_ipv6", "ipv6/conf/%s/accept_ra", "ipv4/conf/%s/forwarding",
}
local host_sysctls <const> = { "ipv4/ip_forward", "ipv6/conf/all/forwarding" }
local link_fields <const> = {
  "name", "type", "mode", "mtu", "up", "promisc", "master", "hairpin", "isolated",
}

-- The lines of a list, sorted only where the kernel's order says nothing.
local function routes_of(nl)
  local lines <const> = {}
  for _, family in ipairs { 4, 6 } do
    for _, route in ipairs(assert(nl.route:list { table = "all", family = family })) do
      local text <const> = route:text { table = true }
      local noise <const> = text:find("fe80:") or text:find("ff00::/8")
      if not noise then lines[#lines + 1] = text:gsub("veth%x+", "veth"):gsub(" linkdown", "") end
    end
  end
  return lines
end

local function addresses_of(nl)
  local lines <const> = {}
  for _, address in ipairs(assert(nl.addr:list())) do
    if address.scope ~= "link" then
      lines[#lines + 1] = ("%s %s %s %s"):format(address.dev:gsub("veth%x+", "veth"),
        address.address, address.broadcast, address.scope)
    end
  end
  table.sort(lines)
  return lines
end

local function links_of(nl)
  local links <const> = {}
  for _, link in ipairs(assert(nl.link:list())) do
    local fields <const> = {}
    for i, key in ipairs(link_fields) do
      fields[i] = ("%s=%s"):format(key, tostring(link[key]):gsub("veth%x+", "veth"))
    end
    links[#links + 1] = table.concat(fields, " ")
  end
  table.sort(links)
  return links
end

local function vlans_of(nl)
  local lines <const> = {}
  for _, port in ipairs(assert(nl.vlan:list())) do lines[#lines + 1] = tostring(port):gsub("veth%x+", "veth") end
  table.sort(lines)
  return lines
end

local function sysctls_of(path, nl)
  local values <const> = {}
  local function read(key)
    values[key:gsub("veth%x+", "veth")] = sys.netns_read(path, "/proc/sys/net/" .. key) or "none"
  end
  for _, key in ipairs(host_sysctls) do read(key) end
  for _, link in ipairs(assert(nl.link:list())) do
    for _, key in ipairs(pod_sysctls) do read(key:format(link.name)) end
  end
  return values
end

-- A kernel thread makes new IPv6 addresses usable, and adds their local routes, a moment later.
local function settle(nl)
  helper.eventually(function()
    for _, address in ipairs(assert(nl.addr:list { family = 6 })) do
      if address.tentative then return false end
    end
    return true
  end)
end

local function state_of(path)
  local nl <close> = assert(ecmp.open { netns = path })
  settle(nl)
  return { links = links_of(nl), addresses = addresses_of(nl), routes = routes_of(nl), vlans = vlans_of(nl),
    sysctls = sysctls_of(path, nl) }
end

local function files_of(directory)
  local files <const> = {}
  for _, name in ipairs(sys.list(directory .. "/lab") or {}) do
    files[name] = sys.read(directory .. "/lab/" .. name)
  end
  return files
end

local function result_of(document)
  for _, interface in ipairs(document.interfaces or {}) do
    interface.mac, interface.mtu = nil, nil
    interface.sandbox = interface.sandbox and "pod"
    interface.name = interface.name:gsub("^veth%x+$", "veth")
  end
  document.dns = nil
  return json.decode(json.encode(document))
end

-- Everything in a value, one line each.
local function lines_of(value, path, into)
  if type(value) ~= "table" then
    into[("%s = %s"):format(path, tostring(value):gsub("%s+$", ""))] = true
    return into
  end
  for key, item in pairs(value) do lines_of(item, ("%s.%s"):format(path, key), into) end
  return into
end

--- What only one of two outcomes says, "-" before theirs and "+" before ours.
local function differences(theirs, own)
  local a <const>, b <const> = lines_of(theirs, "", {}), lines_of(own, "", {})
  local list <const> = {}
  for line in pairs(a) do if not b[line] then list[#list + 1] = "-" .. line end end
  for line in pairs(b) do if not a[line] then list[#list + 1] = "+" .. line end end
  table.sort(list, function(x, y) return x:sub(2) < y:sub(2) end)
  return table.concat(list, "\n")
end

-- Running --------------------------------------------------------------------------------------

local function prepare(pod)
  -- Duplicate address detection would take most of the time, and finds nothing here.
  for _, path in ipairs { pod.path, pod.host_path } do
    for _, name in ipairs { "all", "default" } do
      assert(sys.netns_write(path, ("/proc/sys/net/ipv6/conf/%s/accept_dad"):format(name), "0"))
    end
  end
  local host <close> = pod:open("host")
  assert(host.link:add { name = "m0", type = "veth", peer = { name = "m1" } })
  for _, name in ipairs { "m0", "m1" } do assert(host.link:set { dev = name, up = true }) end
end

--- The environment of a call, and what it came to.
local function call(pod, drawn, directory, command, changes)
  local environment <const> = { CNI_PATH = directory, CNI_ARGS = drawn.args }
  for name, value in pairs(changes or {}) do environment[name] = value end
  return pod:call(directory .. "/" .. drawn.conf.type, command, drawn.conf, environment)
end

--- One ADD, and what is there afterwards.
local function add(pod, drawn, directory, ifname)
  local before <const> = state_of(pod.path).links
  local added <const> = call(pod, drawn, directory, "ADD", { CNI_IFNAME = ifname })
  local outcome <const> = { status = added.status }
  if added.status == 0 then
    outcome.result = result_of(json.decode(added.stdout))
    outcome.pod, outcome.host = state_of(pod.path), state_of(pod.host_path)
    outcome.files = files_of(drawn.conf.ipam.dataDir)
    return outcome, json.decode(added.stdout)
  end
  outcome.clean = table.concat(before, "\n") == table.concat(state_of(pod.path).links, "\n")
  return outcome, added.stdout
end

--- CHECK of what an ADD left, in versions that have it. Ours passes; the reference's own does not
--- always.
local function check(pod, drawn, directory, result, ifname)
  if drawn.conf.cniVersion < "0.4" then return 0 end
  drawn.conf.prevResult = result
  local checked <const> = call(pod, drawn, directory, "CHECK", { CNI_IFNAME = ifname })
  drawn.conf.prevResult = nil
  return checked.status, checked.stdout
end

local function gone(pod, data)
  return { pod = state_of(pod.path), host = state_of(pod.host_path), files = files_of(data) }
end

--- What becomes of a configuration under the plugins of a directory: a list of outcomes, the last
--- of them after DEL, and the first complaint of a CHECK.
local function outcomes_of(directory, drawn)
  local pod <close> = pod_of.new()
  prepare(pod)
  local data <const> = helper.directory()
  drawn.conf.ipam.dataDir = data
  local outcomes <const>, complaint = {}, nil
  for i, ifname in ipairs(drawn.interfaces) do
    local outcome <const>, result <const> = add(pod, drawn, directory, ifname)
    outcomes[i] = outcome
    if outcome.status ~= 0 then
      outcomes.message = result
      break
    end
    local status <const>, text <const> = check(pod, drawn, directory, result, ifname)
    if status ~= 0 then complaint = complaint or text end
  end
  for i = #outcomes, 1, -1 do
    local deleted <const> = call(pod, drawn, directory, "DEL", { CNI_IFNAME = drawn.interfaces[i] })
    outcomes[i].deleted = deleted.status
  end
  outcomes.gone = gone(pod, data)
  helper.remove(data)
  record.sweep("lab", function() return false end)
  return outcomes, complaint
end

-- Our plugins by the reference's names, for even numbers, else by their own under `separate`.
local function ours_of(number, kind)
  local drawn <const> = random_config.draw(number, kind)
  if number % 2 == 0 then return drawn end
  local conf <const> = drawn.conf
  conf.type, conf.ipam.type, conf.merge = "ecmp-" .. conf.type, "ecmp-" .. conf.ipam.type, "separate"
  return drawn
end

--- Compares the two on the configuration of a number. `directory` has our plugins by both names.
---@param number integer
---@param directory string
---@param kind? string as of random_config.draw
---@return string? difference what differs, nil when nothing does
---@return boolean? succeeded whether the ADDs went well
function M.compare(number, directory, kind)
  local drawn <const> = random_config.draw(number, kind)
  local text <const> = ("%s %s\n"):format(json.encode(drawn.conf), drawn.args or "")
  local theirs <const> = outcomes_of(pod_of.reference, drawn)
  local own <const>, complaint <const> = outcomes_of(directory, ours_of(number, kind))
  local difference
  if theirs.message then
    -- The reference plugins leave things behind after a failure; ours do not.
    local last <const> = own[#own]
    if own.message and #own == #theirs and last.clean and last.deleted == 0 then return end
    difference = ("theirs: %s\nours: %s\nclean: %s, DEL: %s"):format(theirs.message, own.message,
      last.clean, last.deleted)
  else
    difference = differences(theirs, own)
  end
  if complaint then difference = difference .. "\nCHECK: " .. complaint end
  if difference ~= "" then return text .. difference end
  return nil, true
end

--- The directory with our plugins by both names.
---@return string directory
function M.directory()
  local directory <const> = helper.directory()
  local program <const> = assert(sys.realpath(helper.build .. "/bin/ecmp"))
  for _, name in ipairs { "bridge", "ptp", "macvlan", "ipvlan", "static", "host-local" } do
    assert(sys.symlink(program, directory .. "/" .. name))
    assert(sys.symlink(program, directory .. "/ecmp-" .. name))
  end
  return directory
end

--- A process's share of many: compares every `step`th number and writes what came of it.
---@param out string the file for a JSON list of `{ number, succeeded, difference }`
---@param first integer
---@param last integer
---@param step integer
---@param kind? string as of random_config.draw
function M.share(out, first, last, step, kind)
  local directory <const>, list <const> = M.directory(), json.array()
  for number = first, last, step do
    local difference <const>, succeeded <const> = M.compare(number, directory, kind)
    list[#list + 1] = { number = number, succeeded = succeeded or false, difference = difference }
  end
  helper.remove(directory)
  assert(sys.create(out, json.encode(list), tonumber("600", 8)))
end

return M
