---ecmp try: a configuration's whole life in a scratch pod, and what it leaves behind.
--
-- The host's side is a scratch namespace, too. /run and the directory of reservations are the
-- process's own, so nothing of this reaches the machine.
local lifecycle = require "ecmp.command.try.lifecycle"
local netns = require "ecmp.netns"
local plan = require "ecmp.command.plan"
local scratch = require "ecmp.cni.spec"
local sys = require "ecmp.sys"

local M = { name = "try", summary = "add, check and delete in a scratch pod; say what is left" }

function M.setup(parser)
  parser:argument("netconf", "a CNI configuration or list; - reads standard input")
  parser:option("--ifname", "the pod's interface"):default("eth0"):argname("I")
  parser:flag("--keep", "stop after CHECK, and keep the two namespaces to look at")
  parser:epilog("Compared before and after are links, addresses, routes, rules, next hops, "
    .. "permanent neighbours and writable sysctls of host and pod, the host's rules of nftables "
    .. "and iptables, reservations and records. Forwarding that an ADD switches on for the host is "
    .. "kept on purpose.\n\n"
    .. "Plugins are looked for on CNI_PATH, else in /opt/cni/bin and /usr/lib/cni; ours "
    .. "are this executable.")
end

-- The directories that plugins write to, each over its place.
local function make_private(dir)
  for _, name in ipairs { "run", "lib", "bin", "networks" } do
    assert(sys.mkdir(dir .. "/" .. name, tonumber("755", 8)))
  end
  assert(sys.mkdir(dir .. "/lib/cni", tonumber("755", 8)))
  assert(sys.bind(dir .. "/run", "/run"))
  local covered <const> = sys.stat "/var/lib/cni" and "/var/lib/cni" or "/var/lib"
  assert(sys.bind(covered == "/var/lib" and dir .. "/lib" or dir .. "/lib/cni", covered))
end

-- Named namespaces, for who wants to look at them afterwards.
local function keep()
  local kept <const> = {}
  for _, which in ipairs { "host", "pod" } do
    local name <const> = ("ecmp-try-%d-%s"):format(sys.getpid(), which)
    local space <close>, message <const> = netns.create(name)
    if not space then return nil, message end
    kept[which] = name
  end
  return kept
end

-- The namespaces as they are opened before /run is another.
local function open_kept(kept)
  local pod <const> = {}
  for which, name in pairs(kept) do
    pod[which] = netns.path(assert(netns.open(name)))
  end
  return pod
end

local function print_kept(kept)
  print(("kept: the namespaces %s and %s; ip netns delete removes them"):format(kept.host,
    kept.pod))
end

local function remove_tree(path)
  local found <const> = sys.lstat(path)
  if found and found.type == "dir" then
    for _, name in ipairs(sys.list(path) or {}) do remove_tree(path .. "/" .. name) end
    sys.rmdir(path)
  elseif found then
    sys.unlink(path)
  end
end

local function run_in(dir, list, args, kept)
  local spaces <const> = kept and open_kept(kept)
  local ok, message = sys.leave_network()
  if not ok then return nil, message end
  make_private(dir)
  scratch.provide(dir .. "/bin")
  local pod <close> = assert(scratch.pod(spaces))
  local path <const> = ("%s/bin:%s"):format(dir, os.getenv "CNI_PATH" or scratch.path)
  local faults
  faults, message = lifecycle.run(pod, list, {
    ifname = args.ifname, path = path, networks = dir .. "/networks", keep = args.keep,
  })
  if not faults then return nil, message end
  if kept then print_kept(kept) end
  return #faults == 0 and 0 or 1
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local document, list, message
  document, message = plan.read_json(args.netconf)
  if document then list, message = plan.configurations(document) end
  if not list then return nil, message end
  local kept
  if args.keep then
    kept, message = keep()
    if not kept then return nil, "--keep: " .. message end
  end
  local dir <const> = assert(sys.mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/ecmp-try."))
  local ran <const>, status <const>, why <const> = pcall(run_in, dir, list, args, kept)
  sys.umount "/run"
  remove_tree(dir)
  if not ran then error(status, 0) end
  return status, why
end

return M
