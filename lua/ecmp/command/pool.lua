---ecmp pool: looks at a pool of a cluster and mends it.
--
-- `show` lists who holds which address. `free` gives up a node that is gone. `import` brings what
-- host-local handed out on this machine into the pool. `reclaim` puts this node's live attachments
-- back after etcd was restored from an older copy.
local config = require "ecmp.plugin.pool.config"
local gc = require "ecmp.command.gc"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local open = require "ecmp.plugin.pool.open"
local plan = require "ecmp.command.plan"
local sys = require "ecmp.sys"

local M = { name = "pool", summary = "show and mend pools of a cluster" }

local CACHE <const> = "/var/lib/cni/results"

local function netconf(parser)
  parser:argument("netconf", "a CNI configuration or list with ecmp-pool; - reads standard input")
end

function M.setup(parser)
  parser:require_command(true):command_target("action")
  local show <const> = parser:command("show", "who holds which address")
  netconf(show)
  show:flag("--json", "print JSON")
  local free <const> = parser:command("free", "free all that a node holds, and its name")
  netconf(free)
  free:option("--node", "the node that is gone"):argname("NAME"):count(1)
  free:flag("--yes", "do it; without it the attachments are only listed")
  local import <const> = parser:command("import", "take over what host-local handed out here")
  import:argument("directory", "a network's directory of host-local")
  netconf(import)
  import:flag("--dry-run", "only say what would be done"):target("dry_run")
  local reclaim <const> = parser:command("reclaim", "put this node's live attachments back")
  netconf(reclaim)
  reclaim:option("--cache-dir", "where the runtime keeps its results"):argname("D"):default(CACHE)
end

-- The configuration ----------------------------------------------------------------------------

-- The configuration of a list whose addresses come from a pool.
local function pool_conf(path)
  local document <const>, message <const> = plan.read_json(path)
  if not document then return nil, message end
  local list <const>, wrong <const> = plan.configurations(document)
  if not list then return nil, wrong end
  for _, conf in ipairs(list) do
    local kind <const> = json.get(json.get(conf, "ipam"), "type")
    if kind == "ecmp-pool" then return conf end
  end
  return nil, path .. ": no plugin's ipam.type is ecmp-pool"
end

local function opened(args)
  local conf <const>, message <const> = pool_conf(args.netconf)
  if not conf then return nil, message end
  local pool <const>, wrong <const> = config.read { conf = conf, command = "STATUS" }
  if not pool then return nil, wrong end
  local store <const>, missing <const> = open.store(pool.store, conf)
  if not store then return nil, missing end
  return store, nil, pool
end

-- show -----------------------------------------------------------------------------------------

local function as_json(entries, usage)
  local document <const> = { addresses = json.array(), ranges = json.array(),
    foreign = json.array() }
  for _, entry in ipairs(entries) do
    table.insert(entry.trouble and document.foreign or document.addresses, {
      address = entry.address and tostring(entry.address), node = entry.node,
      containerid = entry.containerid, ifname = entry.ifname, since = entry.at,
      key = entry.trouble and entry.key, trouble = entry.trouble,
    })
  end
  for _, one in ipairs(usage) do
    table.insert(document.ranges, { size = one.size, used = one.used,
      first = tostring(one.range.first), last = tostring(one.range.last) })
  end
  print(json.encode(document, { indent = 2 }))
end

local function as_text(entries, usage)
  for _, entry in ipairs(entries) do
    if entry.trouble then
      io.stderr:write(("ecmp: pool: the key %s %s\n"):format(entry.key, entry.trouble))
    else
      print(("%s\t%s\t%s/%s\t%s"):format(entry.address, entry.node or "", entry.containerid,
        entry.ifname, entry.at or ""))
    end
  end
  for _, one in ipairs(usage) do
    print(("%s-%s: %d of %d in use"):format(one.range.first, one.range.last, one.used, one.size))
  end
end

local actions <const> = {}

function actions.show(args)
  local store <close>, wrong, pool = opened(args)
  if not store then return nil, wrong end
  local entries <const>, message <const> = store:entries()
  if not entries then return nil, message end
  local usage <const>, problem <const> = store:usage(pool.sets)
  if not usage then return nil, problem end
  local print_as <const> = args.json and as_json or as_text
  print_as(entries, usage)
  return 0
end

-- free -----------------------------------------------------------------------------------------

local function print_attachments(verb, list)
  for _, one in ipairs(list) do
    local texts <const> = {}
    for i, address in ipairs(one.addresses or {}) do texts[i] = tostring(address) end
    print(("%s %s/%s: %s"):format(verb, one.containerid, one.ifname, table.concat(texts, ", ")))
  end
end

function actions.free(args)
  local store <close>, wrong = opened(args)
  if not store then return nil, wrong end
  if not store.free_node then return nil, "ipam.store: a directory has no nodes" end
  if args.yes then
    local freed <const>, message <const> = store:free_node(args.node)
    if not freed then return nil, message end
    print_attachments("freed", freed)
    return 0
  end
  local list <const>, message <const> = store:attachments(args.node)
  if not list then return nil, message end
  print_attachments("would free", list)
  return nil, ("nothing freed: --yes frees what node '%s' holds"):format(args.node)
end

-- import and reclaim ---------------------------------------------------------------------------

-- Attachments by name, each with the addresses that it is known to hold.
local function add_to(list, id, ifname, address)
  local name <const> = id .. "/" .. ifname
  if not list[name] then
    list[name] = { containerid = id, ifname = ifname, addresses = {} }
    list[#list + 1] = list[name]
  end
  table.insert(list[name].addresses, address)
end

-- What host-local's files in a directory say.
local function reservations_in(directory)
  local names <const>, message <const> = sys.list(directory)
  if not names then return nil, message end
  local list <const> = {}
  for _, name in ipairs(names) do
    local address <const> = ip.parse(name)
    local text <const> = address and sys.read(directory .. "/" .. name, 65536)
    local id <const>, ifname <const> = (text or ""):match("^%s*([^%s%z]+)\r?\n([^%s%z]+)%s*$")
    if id then
      add_to(list, id, ifname, address)
    elseif address then
      io.stderr:write(("ecmp: pool: %s/%s names no attachment\n"):format(directory, name))
    end
  end
  return list
end

-- What the runtime's cache says of attachments whose namespace still exists.
local function live_attachments(directory, network)
  local cache <const>, message <const> = gc.read_cache(directory, network)
  if not cache then return nil, message end
  local list <const> = {}
  for _, entry in ipairs(cache.alive) do
    for _, one in ipairs(json.kind(entry.ips) == "list" and entry.ips or {}) do
      local text <const> = json.get(one, "address")
      local parsed <const> = type(text) == "string" and ip.parse(text)
      if parsed then add_to(list, entry.containerid, entry.ifname, parsed:address()) end
    end
  end
  return list
end

-- The part of an attachment's addresses that a pool gives out, with the sets they are of.
local function part_of(pool, attachment)
  local sets <const>, requested <const> = {}, {}
  for _, set in ipairs(pool.sets) do
    for _, address in ipairs(attachment.addresses) do
      if set:find(address) then
        sets[#sets + 1], requested[#requested + 1] = set, address
        break
      end
    end
  end
  return sets, requested
end

local function put_back(store, pool, attachment, dry)
  local name <const> = ("%s/%s"):format(attachment.containerid, attachment.ifname)
  local sets <const>, requested <const> = part_of(pool, attachment)
  local texts <const> = {}
  for i, address in ipairs(requested) do texts[i] = tostring(address) end
  local list <const> = table.concat(texts, ", ")
  if #requested < #attachment.addresses then
    io.stderr:write(("ecmp: pool: %s: not all of its addresses are in the ranges\n"):format(name))
  end
  if #requested == 0 then return true end
  local choice <const> = { sets = sets, requested = requested, idempotent = true }
  local held, message
  if dry then held, message = store:preview(choice) else
    held, message = store:reserve(attachment, choice)
  end
  for i, one in ipairs(held or {}) do
    if one.address ~= requested[i] then
      held, message = nil, ("it holds %s by now"):format(one.address)
    end
  end
  if not held then
    io.stderr:write(("ecmp: pool: %s: %s: %s\n"):format(name, list, message))
    return false
  end
  print(("%s %s: %s"):format(dry and "would take" or "took", name, list))
  return true
end

local function put_all_back(store, pool, list, dry)
  local failed = 0
  for _, attachment in ipairs(list) do
    -- the time of a verb is for each of them
    if store.extend then store:extend() end
    if not put_back(store, pool, attachment, dry) then failed = failed + 1 end
  end
  if failed == 0 then return 0 end
  return nil, ("%d of %d attachments collide or were refused"):format(failed, #list)
end

function actions.import(args)
  local list <const>, unreadable <const> = reservations_in(args.directory)
  if not list then return nil, unreadable end
  local store <close>, wrong, pool = opened(args)
  if not store then return nil, wrong end
  return put_all_back(store, pool, list, args.dry_run)
end

function actions.reclaim(args)
  local store <close>, wrong, pool = opened(args)
  if not store then return nil, wrong end
  local list <const>, message <const> = live_attachments(args.cache_dir, pool.network)
  if not list then return nil, message end
  return put_all_back(store, pool, list)
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  return actions[args.action](args)
end

return M
