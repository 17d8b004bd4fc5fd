-- Drop-in replacements, as users see them: the reference plugins and ours by the same names, on
-- random configurations, end in the same status, result, kernel state and files.
--
-- The number of configurations is 60, or what ECMP_DIFFERENTIAL says; ECMP_SEED begins elsewhere.
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

local ROUNDS <const> = tonumber(os.getenv "ECMP_DIFFERENTIAL") or 60
local SEED <const> = tonumber(os.getenv "ECMP_SEED") or 1

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

local function state_of(path)
  local nl <close> = assert(ecmp.open { netns = path })
  return { links = links_of(nl), addresses = addresses_of(nl), routes = routes_of(nl),
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

--- What becomes of a configuration under the plugins of a directory.
local function outcome_of(directory, conf, data)
  local pod <close> = pod_of.new()
  prepare(pod)
  conf.ipam.dataDir = data
  local environment <const> = { CNI_PATH = directory }
  local plugin <const> = directory .. "/" .. conf.type
  local before <const> = state_of(pod.path)
  local added <const> = pod:call(plugin, "ADD", conf, environment)
  local outcome <const> = { status = added.status, message = added.stdout }
  if added.status == 0 then
    outcome.pod, outcome.host = state_of(pod.path), state_of(pod.host_path)
    outcome.result, outcome.message = result_of(json.decode(added.stdout)), nil
    outcome.files = files_of(data)
  else
    outcome.clean = pcall(assert.same, before.links, state_of(pod.path).links)
  end
  local deleted <const> = pod:call(plugin, "DEL", conf, environment)
  outcome.deleted = deleted.status
  outcome.gone = { pod = state_of(pod.path), files = files_of(data) }
  if added.status == 0 then outcome.gone.host = state_of(pod.host_path) end
  return outcome
end

describe("by the reference plugins' names #netns", function()
  local present <const> = sys.stat(pod_of.reference .. "/bridge") ~= nil
  local ours, data
  local succeeded = 0

  setup(function()
    ours = helper.directory()
    for _, name in ipairs { "bridge", "ptp", "macvlan", "static", "host-local" } do
      assert(sys.symlink(assert(sys.realpath(helper.build .. "/bin/ecmp")), ours .. "/" .. name))
    end
  end)
  teardown(function() helper.remove(ours) end)
  before_each(function() data = { helper.directory(), helper.directory() } end)
  after_each(function()
    helper.remove(data[1])
    helper.remove(data[2])
    record.sweep("lab", function() return false end)
  end)

  for number = SEED, SEED + ROUNDS - 1 do
    local conf <const> = random_config.draw(number)
    local name <const> = ("random configuration %d (%s, %s) has the same outcome")
      :format(number, conf.type, conf.ipam.type)
    local test <const> = present and it or pending
    test(name, function()
      local theirs <const> = outcome_of(pod_of.reference, random_config.draw(number), data[1])
      local own <const> = outcome_of(ours, random_config.draw(number), data[2])
      local text <const> = json.encode(conf)
      assert.message(text .. "\n" .. (theirs.message or "") .. (own.message or ""))
        .equal(theirs.status, own.status)
      if own.status ~= 0 then
        -- The reference plugins leave things behind here; ours do not.
        assert.message(text).is_true(own.clean)
        assert.message(text).equal(0, own.deleted)
        return
      end
      succeeded = succeeded + 1
      assert.message(text).equal("", differences(theirs, own))
    end)
  end

  if ROUNDS >= 20 and present then
    it("and enough of the configurations make sense", function()
      assert.is_true(succeeded >= ROUNDS // 3, ("%d of %d"):format(succeeded, ROUNDS))
    end)
  end
end)
