--- Plays somebody at a shell: runs `ecmp` in a namespace of the spec's own.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local Shell <const> = {}
Shell.__index = Shell

local M = {}

-- Search paths that hold wherever a shell goes.
local function absolute(paths)
  local here <const> = assert(sys.realpath ".")
  return (paths:gsub("[^;]+", function(path)
    return path:sub(1, 1) ~= "/" and ("%s/%s"):format(here, path) or nil
  end))
end

--- How `ecmp` is called where only the sources are at hand: words for a shell.
M.program = ("lua5.4 -e '%s' /dev/null"):format(
  ([[package.path = %q package.cpath = %q os.exit(require("ecmp.command.main")("ecmp", arg), true)]]):format(
    absolute(package.path), absolute(package.cpath)))

--- A namespace with two devices, eth1 and eth2, whose other ends are in it, too.
function M.new()
  local self <const> = setmetatable({ space = assert(sys.netns_new()) }, Shell)
  self.path, self.dir = netns.path(self.space), helper.directory()
  -- a program of that name, so that its process is what a shell has started
  assert(sys.create(self.dir .. "/ecmp", ("#!/bin/sh\nexec %s \"$@\"\n"):format(M.program),
    tonumber("755", 8)))
  -- nothing is to change by itself later: addresses are settled before anything is looked at
  self:sh [[
    for which in all default; do echo 0 >/proc/sys/net/ipv6/conf/$which/accept_dad; done
    ip link set lo up
    ip link add eth1 type veth peer name far1; ip link add eth2 type veth peer name far2
    for dev in eth1 far1 eth2 far2; do ip link set $dev up; done
    ip addr add 10.0.1.2/24 dev eth1; ip addr add 10.0.2.2/24 dev eth2
    ip addr add 2001:db8:1::2/64 dev eth1 nodad; ip addr add 2001:db8:2::2/64 dev eth2 nodad
    until [ "$(ip -6 addr show scope link | grep -c fe80)" = 4 ] &&
      ! ip -6 addr show | grep -q tentative; do sleep 0.01; done
  ]]
  self.nl = assert(ecmp.open { netns = self.path })
  return self
end

function Shell:close()
  if not self.space then return end
  self.nl:close()
  self.space:close()
  self.space = nil
  helper.remove(self.dir)
end

Shell.__close = Shell.close

--- Runs shell text in the namespace, with `ecmp` at hand and $HERE for files, and returns what came
--- of it.
function Shell:try(text, options)
  local order <const> = {
    argv = { "sh", "-c", ("PATH=%s:$PATH HERE=%s\n%s"):format(self.dir, self.dir, text) },
    netns = self.path, timeout = 60, stderr = "capture",
  }
  for key, value in pairs(options or {}) do order[key] = value end
  return assert(sys.spawn(order))
end

--- The same, for what must succeed; returns what it printed.
function Shell:sh(text)
  local result <const> = self:try(text)
  assert(result.status == 0, ("%s\n%s%s"):format(text, result.stdout, result.stderr))
  return result.stdout
end

--- All that can be seen of the namespace, as lines: links, addresses, rules, next hops, routes of
--- every table, neighbours that somebody made, sysctls.
function Shell:state()
  local lines <const> = {}
  local text <const> = self:sh [[
    ip -d link; ip addr | grep -v lft; ip -4 rule; ip -6 rule; ip nexthop
    ip -4 route show table all; ip -6 route show table all; ip neigh show nud permanent
    grep -rs "" /proc/sys/net || true]]
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

--- The routes of both families, as `ip` prints them: spaces at line ends and doubled ones left out.
function Shell:ip_routes(rest)
  local text <const> = self:sh(("ip -4 route show %s; ip -6 route show %s"):format(rest or "",
    rest or ""))
  return (text:gsub(" +\n", "\n"):gsub("  +", " "))
end

--- Writes a file and returns its path.
function Shell:file(name, text)
  local path <const> = self.dir .. "/" .. name
  sys.unlink(path)
  assert(sys.create(path, text, tonumber("644", 8)))
  return path
end

return M
