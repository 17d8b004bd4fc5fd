--- A scratch host and a scratch pod, each a network namespace, in which plugins are run for real.
--
-- The plugin runs as a process of its own in the host's namespace, the way a runtime starts it;
-- what came of it is asked of the kernel, through iproute2 where a second opinion is worth it.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local json = require "ecmp.json"
local netns = require "ecmp.netns"
local runtime = require "spec.runtime"
local sys = require "ecmp.sys"

local Pod <const> = {}
Pod.__index = Pod

local M = {}

--- Where the reference plugins are, on machines that have them; ECMP_REFERENCE names another place.
M.reference = os.getenv "ECMP_REFERENCE" or "/usr/lib/cni"

--- Makes a host and a pod. Closing it, as `<close>` does, takes both away.
function M.new()
  local self <const> = setmetatable({}, Pod)
  self.spaces = { host = assert(netns.create()), pod = assert(netns.create()) }
  self.path = netns.path(self.spaces.pod)
  self.host_path = netns.path(self.spaces.host)
  for _, name in ipairs { "host", "pod" } do self:ip(name, "link set lo up") end
  return self
end

function Pod:close()
  if not self.spaces then return end
  for _, name in ipairs { "pod", "host" } do self.spaces[name]:close() end
  self.spaces = nil
end

Pod.__close = Pod.close

--- The path of one of the two namespaces.
function Pod:namespace(which)
  return which == "pod" and self.path or self.host_path
end

--- Runs a program in one of the two; fails unless it succeeds.
function Pod:run(which, argv)
  local outcome <const> = assert(sys.spawn {
    argv = argv, netns = self:namespace(which), timeout = 20, stderr = "capture",
  })
  assert(outcome.status == 0, ("%s: %s"):format(table.concat(argv, " "), outcome.stderr))
  return outcome.stdout
end

local function words(text)
  local list <const> = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

--- Runs iproute2 in one of the two; `text` is what is typed after `ip`.
function Pod:ip(which, text)
  return self:run(which, { "ip", table.unpack(words(text)) })
end

--- The routes that plugins made in the pod, as `ip route show` prints them, both families, all
--- tables but local; lines of one route joined by a space.
function Pod:routes()
  local lines <const> = {}
  for _, family in ipairs { "-4", "-6" } do
    local text <const> = self:ip("pod", family .. " route show table all")
    for line in text:gsub("%s*\n%s+", " "):gmatch("[^\n]+") do
      if not line:find("proto kernel") and not line:find("table local") then
        lines[#lines + 1] = line:gsub("%s+", " "):gsub(" pref medium", ""):gsub(" $", "")
          :gsub(" proto boot", "")
      end
    end
  end
  return lines
end

-- Asks the kernel for a chain, and in one for addresses for masquerading.
local PROBE <const> = [[
  local family = %q
  local nft = require "ecmp.netfilter.nft"
  local filter <close> = nft.open()
  local probe, of_bridges = nft.table(family, "probe"), family == "bridge"
  local steps = { probe:make(), probe:chain("c", { type = of_bridges and "filter" or "nat",
    hook = of_bridges and "prerouting" or "postrouting", priority = of_bridges and -300 or 100 }) }
  steps[3] = not of_bridges and probe:rule("c", nft.masquerade(), "probe") or nil
  os.exit(filter and filter:commit(steps) ~= nil)
]]

--- Whether the kernel has what plugins use of nftables in a family, "inet" or "bridge".
function M.has_nftables(family)
  local scratch <close> = M.new()
  return helper.lua(PROBE:format(family), { netns = scratch.host_path, stderr = "capture", timeout = 20 }).status == 0
end

--- A handle of the library in one of the two.
function Pod:open(which)
  return assert(ecmp.open { netns = self:namespace(which or "pod") })
end

--- Runs a plugin in the host's namespace. `plugin` is a type of ours, or a path.
function Pod:call(plugin, command, conf, changes)
  local env <const> = { CNI_COMMAND = command, CNI_NETNS = self.path,
    CNI_PATH = ("%s/cni:%s"):format(helper.build, M.reference) }
  for name, value in pairs(changes or {}) do env[name] = value end
  local text <const> = type(conf) == "table" and json.encode(conf) or conf
  local file <const> = plugin:find("/") and plugin or ("%s/cni/%s"):format(helper.build, plugin)
  local outcome <const> = assert(sys.spawn {
    argv = { file }, env = runtime.environment(env), stdin = text, timeout = 60,
    netns = self.host_path, stderr = "capture",
  })
  outcome.json = outcome.stdout:find("%S") and json.decode(outcome.stdout) or nil
  return outcome
end

--- `call`, which has to succeed; what it printed.
function Pod:must(plugin, command, conf, changes)
  local outcome <const> = self:call(plugin, command, conf, changes)
  assert(outcome.status == 0, ("%s %s: %s%s"):format(plugin, command, outcome.stdout,
    outcome.stderr))
  return outcome.json
end

--- The configuration with a result as prevResult, as CHECK, DEL and chained plugins get it.
function M.after(conf, result)
  local copy <const> = {}
  for key, value in pairs(conf) do copy[key] = value end
  copy.prevResult = result
  return copy
end

local SHOWN <const> = "link show\naddr show\nroute show table all\nnexthop show\n"

--- Everything of both namespaces that an ADD can change, as text, to compare before and after.
function Pod:snapshot()
  local parts <const> = {}
  for _, which in ipairs { "host", "pod" } do
    local shown <const> = assert(sys.spawn { argv = { "ip", "-o", "-batch", "-" }, stdin = SHOWN,
      netns = self:namespace(which), timeout = 20, stderr = "capture" })
    assert(shown.status == 0, shown.stderr)
    -- Numbers of interfaces grow, links and link-local addresses settle, without anybody's doing.
    for line in shown.stdout:gmatch("[^\n]+") do
      if not line:find("fe80::", 1, true) and not line:find("^multicast") then
        parts[#parts + 1] = line:gsub("^%d+: ", ""):gsub("@if%d+", ""):gsub(" tentative", "")
          :gsub(" linkdown", ""):gsub(" state %u+", "")
      end
    end
  end
  return table.concat(parts, "\n")
end

--- The gateways that the kernel chooses for a number of flows to one destination, with how often.
function Pod:spread(dst, flows)
  local nl <close> = self:open()
  local counts <const> = {}
  for i = 1, flows or 64 do
    local answer <const> = assert(nl.route:get {
      dst = dst, proto = "udp", sport = 10000 + i, dport = 53,
    })
    local via <const> = answer.via or "on-link"
    counts[via] = (counts[via] or 0) + 1
  end
  return counts
end

return M
