--- A whole runtime: podman's CNI backend runs a container on a network of our plugins.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local sys = require "ecmp.sys"

local list <const> = {
  cniVersion = "0.4.0", name = "pods", plugins = { {
    type = "ecmp-bridge", bridge = "br0", isGateway = true, dad = "skip",
    ipam = {
      type = "ecmp-host-local",
      ranges = { { { subnet = "10.88.0.0/24" } }, { { subnet = "2001:db8:88::/64" } } },
      routes = {
        { dst = "0.0.0.0/0", gw = "10.88.0.1" }, { dst = "0.0.0.0/0", gw = "10.88.0.250" },
        { dst = "::/0", gw = "2001:db8:88::1" }, { dst = "::/0", gw = "2001:db8:88::fa" },
      },
    },
  } },
}

--- Why podman cannot run here; nil where it can.
local function obstacle()
  if not sys.realpath(helper.build .. "/client") then return "no client: make test-clients" end
  for _, program in ipairs { "/usr/bin/podman", "/usr/bin/crun", "/bin/busybox" } do
    if not sys.stat(program) then return program .. " is missing: make test-clients" end
  end
  local tried <const> = sys.spawn { stderr = "capture", argv = { "unshare", "-m", "sh", "-c",
    "umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup" } }
  if tried.status ~= 0 then return "control groups are not ours to mount" end
end

describe("podman #netns", function()
  it("gives a container both default gateways, and takes everything back", function()
    local why <const> = obstacle()
    if why then return pending(why) end
    local pod <close>, dir <const> = pod_of.new(), helper.directory()
    list.plugins[1].ipam.dataDir = dir .. "/pool"
    local done <const> = assert(sys.spawn {
      argv = { "unshare", "-m", "sh", "spec/client/podman.sh",
        assert(sys.realpath(helper.build)) .. "/cni", dir },
      stdin = json.encode(list), netns = pod.host_path, timeout = 60, stderr = "capture",
    })
    helper.remove(dir)
    assert.equal(0, done.status, done.stderr)
    local text <const> = done.stdout:gsub("%s*\n%s+", " "):gsub(" +\n", "\n")
      :gsub(" pref medium", "")
    assert.equal([[
backend cni
default nexthop via 10.88.0.1 dev eth0 weight 1 nexthop via 10.88.0.250 dev eth0 weight 1
default metric 1024 nexthop via 2001:db8:88::1 dev eth0 weight 1 nexthop via 2001:db8:88::fa dev eth0 weight 1
reserved 10.88.0.2
left
]], text)
  end)
end)
