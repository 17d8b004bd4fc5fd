-- A pool of a cluster: `make pool-demo`, or `ecmp run examples/pool-demo.lua` in a namespace of its
-- own.
--
-- Three members of etcd and four nodes are made of network namespaces on one bridge. Sixty pods are
-- started at once, and while their addresses are handed out the member that leads is killed.
local http2 = require("ecmp.plugin.pool.open").transport()
local json = require "ecmp.json"
local netns = require "ecmp.netns"
local protobuf = require "ecmp.store.etcd.protobuf"
local sys = require "ecmp.sys"

local MEMBERS <const>, NODES <const>, PODS <const> = 3, 4, 15 -- pods of each node

local exe <const> = assert(sys.realpath "/proc/self/exe"):match("^(.*)/bin/ecmp$")
local plugins <const> = assert(sys.realpath((exe or "build") .. "/cni"))
local dir <const> = assert(sys.mkdtemp "/tmp/ecmp-pool-demo.")
local members <const>, nodes <const> = {}, {}

local function title(text)
  print(sys.isatty(1) and ("\n\27[1m%s\27[0m"):format(text) or "\n" .. text)
end

local function sh(command, where)
  local done <const> = assert(sys.spawn { argv = { "sh", "-euc", command }, stderr = "capture",
    netns = where and netns.path(where), timeout = 120 })
  if done.status ~= 0 then error(("%s\n%s%s"):format(command, done.stdout, done.stderr), 0) end
  return done.stdout
end

-- The network ------------------------------------------------------------------------------------

-- A namespace with one interface on the bridge between all.
local function machine(name, address)
  local space <const> = assert(netns.create())
  sh(("ip link add %s type veth peer name eth0 netns %s; ip link set %s master lan0 up"):format(
    name, netns.path(space), name))
  sh(("ip link set lo up; ip link set eth0 up; ip addr add %s/24 dev eth0"):format(address), space)
  return space
end

local function certificate(name, extension)
  sh(([[
    cd %s
    openssl ecparam -name prime256v1 -genkey -noout -out %s.key; chmod 600 %s.key
    openssl req -new -key %s.key -subj /CN=%s -out %s.csr
    echo '%s' >%s.ext
    openssl x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile %s.ext \
      -out %s.crt 2>/dev/null]]):format(dir, name, name, name, name, name, extension, name, name,
    name, name))
end

local function certificates()
  sh(([[
    cd %s
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl req -new -x509 -key ca.key -subj /CN=ca -days 2 -out ca.crt]]):format(dir))
  local names <const> = {}
  for i = 1, MEMBERS do names[i] = "IP:10.9.0." .. i end
  certificate("server", "subjectAltName=" .. table.concat(names, ","))
  for i = 1, NODES do certificate("node" .. i, "extendedKeyUsage=clientAuth") end
end

-- etcd -------------------------------------------------------------------------------------------

local function start_members()
  local initial <const> = {}
  for i = 1, MEMBERS do initial[i] = ("m%d=http://10.9.0.%d:2380"):format(i, i) end
  for i = 1, MEMBERS do
    local address <const> = "10.9.0." .. i
    local space <const> = machine("m" .. i, address)
    local argv <const> = { "etcd", "--name", "m" .. i, "--data-dir", dir .. "/m" .. i,
      "--listen-client-urls", ("https://%s:2379"):format(address),
      "--advertise-client-urls", ("https://%s:2379"):format(address),
      "--listen-peer-urls", ("http://%s:2380"):format(address),
      "--initial-advertise-peer-urls", ("http://%s:2380"):format(address),
      "--initial-cluster", table.concat(initial, ","), "--log-level", "error",
      "--cert-file", dir .. "/server.crt", "--key-file", dir .. "/server.key",
      "--client-cert-auth", "--trusted-ca-file", dir .. "/ca.crt" }
    members[i] = { address = address, space = space, pid = assert(sys.spawn { detach = true,
      netns = netns.path(space), argv = { "sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh",
        table.unpack(argv) } }).pid }
  end
end

-- The id of a member and of the one that it takes for the leader: Maintenance.Status of etcd.
local function status_of(member)
  local connection <close> = http2.connect { host = member.address, port = "2379", timeout = 2,
    tls = { ca = dir .. "/ca.crt", cert = dir .. "/node1.crt", key = dir .. "/node1.key" } }
  local answer <const> = connection and connection:request { path =
    "/etcdserverpb.Maintenance/Status", authority = member.address .. ":2379", timeout = 2,
    headers = { { "content-type", "application/grpc" }, { "te", "trailers" } },
    body = "\0\0\0\0\0" }
  local own, leader
  if not answer or answer.headers["grpc-status"] ~= "0" then return nil end
  protobuf.each(answer.body:sub(6), function(field, value)
    if field == 1 then protobuf.each(value, function(f, v) if f == 2 then own = v end end) end
    if field == 4 then leader = value end
  end)
  return own, leader
end

local function leader()
  for _ = 1, 600 do
    for i, member in ipairs(members) do
      local own <const>, leading <const> = status_of(member)
      if own and own == leading then return i end
    end
    sys.sleep(0.1)
  end
  error("etcd does not come up", 0)
end

-- Nodes and pods -------------------------------------------------------------------------------

local function conf_of(i)
  local endpoints <const> = {}
  for n = 1, MEMBERS do endpoints[n] = ("https://10.9.0.%d:2379"):format(n) end
  return {
    cniVersion = "1.1.0", name = "demo", type = "ecmp-bridge", bridge = "pods0",
    ipam = {
      type = "ecmp-pool", dataDir = ("%s/disk%d"):format(dir, i),
      ranges = { { { subnet = "10.1.0.0/26" } } }, routes = { { dst = "0.0.0.0/0" } },
      store = { etcd = endpoints, node = "node" .. i, ca = dir .. "/ca.crt",
        cert = ("%s/node%d.crt"):format(dir, i), key = ("%s/node%d.key"):format(dir, i) },
    },
  }
end

local function make_nodes()
  for i = 1, NODES do
    nodes[i] = { space = machine("node" .. i, "10.9.0." .. 100 + i), pods = {} }
    assert(sys.create(("%s/node%d.json"):format(dir, i), json.encode(conf_of(i))))
    for k = 1, PODS do nodes[i].pods[k] = assert(netns.create()) end
  end
end

-- One verb for all pods of a node at once, as its runtime would run it.
local function start_verb(i, verb)
  local lines <const> = {}
  for k, pod in ipairs(nodes[i].pods) do
    lines[k] = ("CNI_CONTAINERID=pod%d-%d CNI_NETNS=%s %s/ecmp-bridge <%s/node%d.json "
      .. ">%s/%s-%d-%d 2>/dev/null &"):format(i, k, netns.path(pod), plugins, dir, i, dir, verb, i,
      k)
  end
  lines[#lines + 1] = ("wait; : >%s/%s-%d"):format(dir, verb, i)
  return assert(sys.spawn { detach = true, netns = netns.path(nodes[i].space),
    env = { "PATH=" .. sys.getenv "PATH", "CNI_COMMAND=" .. verb, "CNI_IFNAME=eth0",
      "CNI_PATH=" .. plugins }, argv = { "sh", "-c", table.concat(lines, "\n") } })
end

local function wait_for(verb)
  for i = 1, NODES do
    while not sys.lstat(("%s/%s-%d"):format(dir, verb, i)) do sys.sleep(0.02) end
  end
end

local function results()
  local addresses <const>, twice, refused = {}, 0, {}
  for i = 1, NODES do
    for k = 1, PODS do
      local result <const> = json.decode(sys.read(("%s/ADD-%d-%d"):format(dir, i, k)) or "")
      local address <const> = result and result.ips and result.ips[1].address
      if not address then refused[#refused + 1] = result and result.msg or "no answer" end
      if address and addresses[address] then twice = twice + 1 end
      if address then addresses[address] = true end
    end
  end
  local count = 0
  for _ in pairs(addresses) do count = count + 1 end
  return count, twice, refused
end

local function clean_up()
  for _, member in ipairs(members) do sys.kill(member.pid, "KILL") end
  sh("rm -rf " .. dir)
end

local function main()
  title(("%d members of etcd, %d nodes, TLS in between"):format(MEMBERS, NODES))
  sh [[ip link set lo up; ip link add lan0 type bridge; ip link set lan0 up
       ip addr add 10.9.0.254/24 dev lan0]]
  certificates()
  start_members()
  make_nodes()
  local first <const> = leader()
  print(("etcd serves; m%d leads"):format(first))
  title(("%d pods at once, of a range with %d addresses; m%d is killed meanwhile"):format(
    NODES * PODS, 61, first))
  local began <const> = sys.monotonic()
  for i = 1, NODES do start_verb(i, "ADD") end
  sys.sleep(0.05)
  sys.kill(members[first].pid, "KILL")
  table.remove(members, first)
  wait_for "ADD"
  local count <const>, twice <const>, refused <const> = results()
  print(("%d pods have an address after %.1f s, %d of them one that another has, %d refused")
    :format(count, sys.monotonic() - began, twice, #refused))
  for _, message in ipairs(refused) do print("  " .. message) end
  title "What etcd says (ecmp pool show)"
  sh(("%s/../bin/ecmp pool show %s/node1.json >%s/show"):format(plugins, dir, dir), nodes[1].space)
  print((sh(("cut -f2 %s/show | grep node | sort | uniq -c; tail -n 1 %s/show"):format(dir, dir))
    :gsub("%s+$", "")))
  title "All pods go"
  for i = 1, NODES do start_verb(i, "DEL") end
  wait_for "DEL"
  print((sh(("%s/../bin/ecmp pool show %s/node1.json"):format(plugins, dir), nodes[1].space)
    :gsub("%s+$", "")))
  return count == NODES * PODS and twice == 0
end

local done <const>, result <const> = xpcall(main, debug.traceback)
clean_up()
if not done then error(result, 0) end
os.exit(result and 0 or 1)
