--- etcd for specs: members in namespaces of their own, or one on this one's loopback; data, sockets
--- and certificates in a directory that goes with them.
local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

local M = {}

local function which(program)
  return assert(sys.spawn { argv = { "sh", "-c", 'PATH="$PATH:/usr/sbin:/sbin" command -v ' .. program } })
    .status == 0
end

--- Whether there is what specs of pools need: etcd, and our module to speak with it.
M.available = which "etcd" and pcall(require, "ecmp_pool")
--- The same, and that certificates and users can be made.
M.secure = M.available and which "openssl" and which "etcdctl"

--- How often to repeat what hits a moment by chance: a few times, and ROUNDS times as often.
---@param few integer
function M.rounds(few)
  return math.tointeger(few * helper.rounds // 1)
end

local function sh(text, options)
  local order <const> = { argv = { "sh", "-euc", text }, stderr = "capture", timeout = 60 }
  for key, value in pairs(options or {}) do order[key] = value end
  local done <const> = assert(sys.spawn(order))
  assert(done.status == 0, ("%s\n%s%s"):format(text, done.stdout, done.stderr))
  return done.stdout
end

M.sh = sh

-- Certificates ---------------------------------------------------------------------------------

--- Makes an authority in a directory.
function M.authority(dir)
  sh(([[
    cd %s
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl req -new -x509 -key ca.key -subj /CN=ca -days 2 -out ca.crt]]):format(dir))
end

--- Makes NAME.crt and NAME.key by the authority in a directory.
---@param dir string
---@param name string also the common name
---@param alternative? string "IP:10.0.0.1,DNS:localhost"
function M.certificate(dir, name, alternative)
  sh(([[
    cd %s
    openssl ecparam -name prime256v1 -genkey -noout -out %s.key
    openssl req -new -key %s.key -subj /CN=%s -out %s.csr
    printf '%%s\n' 'extendedKeyUsage=serverAuth,clientAuth' %s >%s.ext
    openssl x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
      -extfile %s.ext -out %s.crt 2>/dev/null
    chmod 600 %s.key]]):format(dir, name, name, name, name,
    alternative and ("'subjectAltName=%s'"):format(alternative) or "", name, name, name, name, name))
end

-- Members --------------------------------------------------------------------------------------

local Cluster <const> = {}
Cluster.__index = Cluster

local function member_argv(self, member)
  local scheme <const> = self.tls and "https" or "http"
  local client <const> = ("%s://%s:%d"):format(scheme, member.ip, member.port)
  local peer <const> = ("http://%s:%d"):format(member.ip, member.port + 1)
  local argv <const> = {
    "etcd", "--name", member.name, "--data-dir", member.data,
    "--listen-client-urls", client, "--advertise-client-urls", client,
    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
    "--initial-cluster", self.initial, "--initial-cluster-state", "new",
    "--heartbeat-interval", "100", "--election-timeout", "1000", "--log-level", "error",
  }
  for _, word in ipairs(self.flags or {}) do argv[#argv + 1] = word end
  if self.tls then
    for _, word in ipairs { "--cert-file", self.dir .. "/server.crt", "--key-file",
      self.dir .. "/server.key", "--trusted-ca-file", self.dir .. "/ca.crt",
      "--client-cert-auth" } do argv[#argv + 1] = word end
  end
  return argv
end

--- Starts a member that is not running.
---@param n integer
function Cluster:start(n)
  local member <const> = self.members[n]
  member.pid = assert(sys.spawn { detach = true, argv = { "sh", "-c", 'exec "$@" >>"$LOG" 2>&1', "sh",
    table.unpack(member_argv(self, member)) }, netns = member.netns and member.netns.path,
    env = { "PATH=" .. os.getenv "PATH" .. ":/usr/sbin:/sbin", "LOG=" .. self.dir .. "/log" } }).pid
end

-- Whether all threads of a process are stopped: a signal only asks for it.
local function is_stopped(pid)
  for _, thread in ipairs(sys.list(("/proc/%d/task"):format(pid)) or {}) do
    local stat <const> = sys.read(("/proc/%d/task/%s/stat"):format(pid, thread))
    if stat and not stat:find "%) T" then return false end
  end
  return true
end

--- Sends a member a signal; KILL also waits for its end, STOP until it has stopped.
function Cluster:signal(n, name)
  local member <const> = self.members[n]
  assert(sys.kill(member.pid, name))
  if name == "STOP" then helper.eventually(function() return is_stopped(member.pid) end) end
  member.is_silent = name == "STOP"
  if name ~= "KILL" then return end
  helper.eventually(function()
    return not (sys.read(("/proc/%d/stat"):format(member.pid)) or ") Z"):find("%) [^ZX]")
  end)
  member.pid = nil
end

--- Options of a client of this cluster: for `ecmp.store.etcd`, and as the `store` of a
--- configuration.
---@param name? string of the client's certificate
function Cluster:store(name)
  local urls <const> = {}
  for i, member in ipairs(self.members) do
    urls[i] = ("%s://%s:%d"):format(self.tls and "https" or "http", member.ip, member.port)
  end
  local store <const> = { etcd = json.array(urls) }
  if self.tls then
    store.ca, store.cert, store.key = self.dir .. "/ca.crt",
      ("%s/%s.crt"):format(self.dir, name or "client"), ("%s/%s.key"):format(self.dir, name or "client")
  end
  return store
end

--- Runs etcdctl; returns what it prints.
---@param text string words for a shell
---@param name? string of the client's certificate
function Cluster:ctl(text, name)
  local store <const>, answering <const> = self:store(name), {}
  for i, member in ipairs(self.members) do -- for others etcdctl waits until it gives up
    if member.pid and not member.is_silent then answering[#answering + 1] = store.etcd[i] end
  end
  local flags = "--command-timeout=30s --dial-timeout=20s --endpoints=" .. table.concat(answering, ",")
  if self.tls then
    flags = ("%s --cacert=%s --cert=%s --key=%s"):format(flags, store.ca, store.cert, store.key)
  end
  return sh(("ETCDCTL_API=3 etcdctl %s %s"):format(flags, text))
end

--- Waits until the cluster serves requests that need a quorum.
function Cluster:wait()
  local Client <const> = require "ecmp.store.etcd.client"
  local kv <const> = require "ecmp.store.etcd.kv"
  local config <const> = require "ecmp.plugin.pool.config"
  local endpoints <const> = assert(config.endpoints(self:store()))
  helper.eventually(function()
    local client <close> = Client.new(require "ecmp_pool", endpoints)
    return client:call(kv.get("health"), { deadline = sys.monotonic() + 1, passes = 1 })
  end)
  return self
end

--- The number of the member that leads.
function Cluster:leader()
  local leader
  helper.eventually(function()
    for i, member in ipairs(self.members) do
      local url <const> = self:store().etcd[i]
      local line <const> = member.pid and select(2, pcall(self.status, self, url))
      if type(line) == "string" and line:find(", true,", 1, true) then leader = i end
    end
    return leader
  end)
  return leader
end

function Cluster:status(url)
  local store <const> = self:store()
  local flags <const> = self.tls and ("--cacert=%s --cert=%s --key=%s"):format(store.ca, store.cert,
    store.key) or ""
  return sh(("ETCDCTL_API=3 etcdctl --command-timeout=1s --endpoints=%s %s endpoint status"):format(url,
    flags))
end

--- Cuts a member off from the others and from clients, or brings it back.
function Cluster:partition(n, cut)
  self.members[n].is_silent = cut
  sh(("ip link set m%d %s"):format(n, cut and "down" or "up"))
end

--- Leaves a member no room on its disk, or gives it back; one that ended for it is started again.
function Cluster:fill(n)
  sh(("dd if=/dev/zero of=%s/filler bs=64k 2>/dev/null || true"):format(self.members[n].data))
end

function Cluster:empty(n)
  local member <const> = self.members[n]
  sh(("rm %s/filler"):format(member.data))
  if (sys.read(("/proc/%d/stat"):format(member.pid)) or ") Z"):find("%) [^ZX]") then return end
  self:start(n)
end

function Cluster:close()
  if self.closed then return end
  self.closed = true
  for i, member in ipairs(self.members) do
    if member.pid then
      sys.kill(member.pid, "CONT")
      self:signal(i, "KILL")
    end
    if member.netns then
      sh(("ip link del m%d"):format(i))
      member.netns.handle:close()
    end
    if self.small then sh("umount -l " .. member.data) end
  end
  if self.bridge then sh("ip link del etcd0") end
  helper.remove(self.dir)
end

Cluster.__close = Cluster.close

local function add_member(self, n, options)
  local member <const> = { name = "m" .. n, data = ("%s/data%d"):format(self.dir, n),
    ip = "127.0.0.1", port = 2379 + (options.offset or 0) }
  self.members[n] = member
  if self.small then
    sh(("mkdir -p %s; mount -t tmpfs -o size=%s tmpfs %s"):format(member.data, self.small,
      member.data))
  end
  if not self.bridge then return end
  local netns <const> = require "ecmp.netns"
  member.ip, member.port = ("10.99.0.%d"):format(n), 2379
  local handle <const> = assert(netns.create())
  member.netns = { handle = handle, path = netns.path(handle) }
  sh(([[
    ip link add m%d type veth peer name eth0 netns %s
    ip link set m%d master etcd0 up]]):format(n, member.netns.path, n))
  sh(("ip addr add %s/24 dev eth0; ip link set eth0 up; ip link set lo up"):format(member.ip),
    { netns = member.netns.path })
end

--- Starts a cluster and waits until it serves.
---@param options? { members: integer?, tls: boolean?, offset: integer?, flags: string[]?,
--- small: string? } `small`: how large each member's disk is; with more than one member each is in a
--- namespace of its own on 10.99.0.0/24
function M.cluster(options)
  local given <const> = options or {}
  sh "ip link set lo up"
  local self <const> = setmetatable({ dir = helper.directory(), members = {}, tls = given.tls,
    flags = given.flags, small = given.small }, Cluster)
  local count <const> = given.members or 1
  self.bridge = count > 1
  if self.bridge then
    sh "ip link add etcd0 type bridge; ip addr add 10.99.0.254/24 dev etcd0; ip link set etcd0 up"
  end
  if self.tls then
    M.authority(self.dir)
    M.certificate(self.dir, "server", "IP:127.0.0.1,IP:10.99.0.1,IP:10.99.0.2,IP:10.99.0.3,DNS:localhost")
    M.certificate(self.dir, "client")
  end
  local initial <const> = {}
  for n = 1, count do
    add_member(self, n, given)
    local member <const> = self.members[n]
    initial[n] = ("%s=http://%s:%d"):format(member.name, member.ip, member.port + 1)
  end
  self.initial = table.concat(initial, ",")
  for n = 1, count do self:start(n) end
  return self:wait()
end

return M
