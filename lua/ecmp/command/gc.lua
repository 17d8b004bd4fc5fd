---ecmp gc: frees the addresses of attachments that are gone, after a crash of the runtime or a
---reboot.
--
-- An attachment is alive when the runtime's cache has a result for it whose namespace still exists,
-- or when it is listed. What cannot be told counts as alive: an address too many in use is a
-- nuisance, one used twice an outage. Runtimes write the cache at the end of an ADD, so this is for
-- times when none is under way.
local Store = require "ecmp.plugin.host-local.store"
local cni_names = require "ecmp.cni.names"
local json = require "ecmp.json"
local pool = require "ecmp.plugin.host-local.pool"
local sys = require "ecmp.sys"

local M = { name = "gc", summary = "free addresses of attachments that are gone" }

local CACHE <const> = "/var/lib/cni/results"

-- Magic of the file systems that namespaces are seen on: nsfs and procfs.
local namespaces <const> = { [0x6e736673] = true, [0x9fa0] = true }

local function attachment(text)
  local id <const>, ifname <const> = text:match("^([^/]+)/([^/]+)$")
  if id and cni_names.is_identifier(id) then return { containerid = id, ifname = ifname } end
  return nil, ("--valid: '%s' is not of the form CONTAINERID/IFNAME"):format(text)
end

function M.setup(parser)
  parser:option("--network", "the name of the network"):argname("NAME"):count(1)
  parser:option("--data-dir", "where host-local keeps its networks"):argname("D")
    :default(pool.default_directory)
  parser:option("--cache-dir", "where the runtime keeps its results"):argname("D"):default(CACHE)
  parser:option("--valid", "an attachment that is alive, whatever the cache says")
    :argname("CONTAINERID/IFNAME"):count("*"):convert(attachment)
  parser:flag("--all", "go on although nothing tells which attachments are alive")
  parser:flag("--json", "print JSON")
end

-- Whether the namespace of a cache entry may still exist. Older runtimes do not note it.
local function may_exist(netns)
  if type(netns) ~= "string" or netns == "" then return true end
  local stat <const>, _, code <const> = sys.stat(netns)
  if stat then return namespaces[stat.fstype] == true end
  return code ~= "ENOENT" and code ~= "ENOTDIR"
end

-- The namespace of an attachment: the cache of newer runtimes names it, the result that is in every
-- cache does from version 0.3.0 on.
local function namespace_of(entry, ifname)
  local netns <const> = json.get(entry, "netns")
  if type(netns) == "string" and netns ~= "" then return netns end
  local interfaces <const> = json.get(json.get(entry, "result"), "interfaces")
  for _, one in ipairs(json.kind(interfaces) == "list" and interfaces or {}) do
    local sandbox <const> = json.get(one, "sandbox")
    if json.get(one, "name") == ifname and type(sandbox) == "string" and sandbox ~= "" then
      return sandbox
    end
  end
end

-- One file of the cache: the attachment it is about and its namespace, or nothing where a crash
-- left an empty or torn file.
local function read_entry(path)
  local entry <const> = json.decode(sys.read(path) or "")
  local id <const>, ifname <const> = json.get(entry, "containerId"), json.get(entry, "ifName")
  if type(id) ~= "string" or type(ifname) ~= "string" then return nil end
  return { containerid = id, ifname = ifname, network = json.get(entry, "networkName"),
    netns = namespace_of(entry, ifname), ips = json.get(json.get(entry, "result"), "ips") }
end

---Reads the runtime's cache for one network.
---@param directory string
---@param network string
---@return table? cache `{ entries = count, alive = attachments, torn = set of file names, why }`:
---why counts those whose `namespace` exists and those of which it is `unknown`
---@return string? message
function M.read_cache(directory, network)
  local names <const>, message <const>, code <const> = sys.list(directory)
  if not names and code ~= "ENOENT" then return nil, message end
  local cache <const> =
    { entries = 0, alive = {}, torn = {}, why = { namespace = 0, unknown = 0 } }
  for _, name in ipairs(names or {}) do
    local entry <const> = name:sub(1, #network + 1) == network .. "-"
      and (read_entry(directory .. "/" .. name) or { torn = true })
    if entry and entry.torn then
      cache.torn[name] = true
    elseif entry and entry.network == network and may_exist(entry.netns) then
      table.insert(cache.alive, entry)
      local why <const> = entry.netns and "namespace" or "unknown"
      cache.why[why] = cache.why[why] + 1
    end
    if entry and (entry.torn or entry.network == network) then cache.entries = cache.entries + 1 end
  end
  return cache
end

-- Of a torn record only the name is left: NETWORK-ID-IFNAME.
local function add_torn(valid, cache, store, network)
  for _, entry in ipairs(next(cache.torn) and store:entries() or {}) do
    local id <const>, ifname <const> = entry.key:match("^([^/]*)/?(.*)$")
    for name in pairs(cache.torn) do
      local prefix <const> = ("%s-%s-"):format(network, id)
      if name == prefix .. ifname or (ifname == "" and name:sub(1, #prefix) == prefix) then
        table.insert(valid, { containerid = id, ifname = ifname })
      end
    end
  end
end

---How many attachments were taken for alive, and why, on a line.
---@param why table counts by reason
---@return string
function M.reasons(why)
  local parts <const> = {}
  for _, row in ipairs { { "namespace", "whose namespace exists" },
    { "unknown", "of which the cache tells no namespace" }, { "listed", "given by --valid" },
    { "torn", "of which the cache holds a torn file" } } do
    local count <const> = why[row[1]]
    if count > 0 then parts[#parts + 1] = ("%d %s"):format(count, row[2]) end
  end
  return ("ecmp: gc: taken for alive: %s\n"):format(#parts > 0 and table.concat(parts, ", ")
    or "none")
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local cache <const>, unreadable <const> = M.read_cache(args.cache_dir, args.network)
  if not cache then return nil, unreadable end
  if cache.entries == 0 and #args.valid == 0 and not args.all then
    return nil, ("%s: no entry for network '%s' tells which attachments are alive; nothing freed "
      .. "(--all frees everything)"):format(args.cache_dir, args.network)
  end
  local store <close>, message <const> =
    Store.open(args.data_dir, args.network, { create = false })
  if not store then
    return nil, message or ("%s/%s: no such network"):format(args.data_dir, args.network)
  end
  local valid <const> = table.move(cache.alive, 1, #cache.alive, 1, {})
  table.move(args.valid, 1, #args.valid, #valid + 1, valid)
  add_torn(valid, cache, store, args.network)
  local freed <const>, failure <const> = store:retain(valid)
  if not freed then return nil, failure end
  local why <const> = cache.why
  why.listed, why.torn = #args.valid, #valid - #cache.alive - #args.valid
  if args.json then
    print(json.encode { freed = json.array(freed), alive = why })
  else
    for _, name in ipairs(freed) do print("freed " .. name) end
    io.stderr:write(M.reasons(why))
  end
  return 0
end

return M
