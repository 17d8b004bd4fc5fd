---ecmp metrics: what this node has, for Prometheus: the text format, as a textfile collector takes
---it.
local ecmp = require "ecmp"
local health = require "ecmp.health.metrics"
local ip = require "ecmp.ip"
local packets = require "ecmp.nl.packets"
local pool = require "ecmp.plugin.host-local.pool"
local record = require "ecmp.flow.record"
local state = require "ecmp.health.state"
local store = require "ecmp.plugin.host-local.store"

local M = { name = "metrics", summary = "print metrics of this node for Prometheus" }

function M.setup(parser)
  parser:epilog("In the text format of Prometheus. A source that cannot be read gives "
    .. "ecmp_scrape_error{source} 1, and exit status 0 all the same.")
end

-- Text -----------------------------------------------------------------------------------------

local function escape(text)
  return (text:gsub("[\\\"\n]", { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

local function labels_of(labels)
  local parts <const> = {}
  for i = 1, #labels, 2 do
    parts[#parts + 1] = ('%s="%s"'):format(labels[i], escape(labels[i + 1]))
  end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

---Metrics in the text format.
---@param families table[] `{ name, type, help, samples = { { labels, value } } }`: labels is a list
---of names and values in turn
---@return string text
function M.text(families)
  local lines <const> = {}
  for _, family in ipairs(families) do
    if #family.samples > 0 then
      lines[#lines + 1] = ("# HELP %s %s"):format(family.name, family.help)
      lines[#lines + 1] = ("# TYPE %s %s"):format(family.name, family.type)
    end
    for _, sample in ipairs(family.samples) do
      lines[#lines + 1] = ("%s%s %d"):format(family.name, labels_of(sample[1]), sample[2])
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function family(name, type, help)
  return { name = name, type = type, help = help, samples = {} }
end

local function sorted_keys(map)
  local keys <const> = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- A family with one sample for each key of a map, in their order.
local function by_key(made, map, label)
  for i, key in ipairs(sorted_keys(map)) do made.samples[i] = { { label, key }, map[key] } end
  return made
end

-- Sources --------------------------------------------------------------------------------------

local function attached()
  local count <const> = {}
  for _, one in ipairs(record.attachments()) do
    count[one.network] = (count[one.network] or 0) + 1
  end
  return { by_key(family("ecmp_attachments", "gauge", "Attachments that have a record."), count,
    "network") }
end

-- The pools of host-local that attachments of this node have addresses from, each once.
local function pools()
  local seen <const>, list <const> = {}, {}
  for _, one in ipairs(record.attachments()) do
    for _, step in ipairs(one.record and one.record.steps or {}) do
      local is_ours <const> = step.conf and (step.ipam or ""):gsub("^ecmp%-", "") == "host-local"
      local read <const> = is_ours and pool.read(step.conf)
      local key <const> = read and ("%s/%s"):format(read.directory, read.network)
      if read and not seen[key] then
        seen[key] = true
        list[#list + 1] = read
      end
    end
  end
  return list
end

-- More than a 64-bit number holds is as good as any number of free addresses.
local function size_of(range)
  local counted <const>, last <const> = pcall(function() return range.last - range.first end)
  local size <const> = counted and math.type(last) == "integer" and last + 1 or math.maxinteger
  local has_gateway <const> = range.gateway:family() == range.first:family()
    and range.first <= range.gateway and range.gateway <= range.last
  return has_gateway and size - 1 or size
end

local function free_in(set, taken)
  local free = 0
  for _, range in ipairs(set) do free = math.min(free + size_of(range), 1 << 53) end
  for name in pairs(taken) do
    local address <const> = ip.parse(name)
    if address and set:find(address) then free = free - 1 end
  end
  return free
end

local function free_family()
  return family("ecmp_addresses_free", "gauge", "Addresses of a range set that nobody has.")
end

local function free_addresses()
  local made <const> = free_family()
  for _, read in ipairs(pools()) do
    local taken <const> = store.peek(read.directory, read.network):taken()
    for _, set in ipairs(read.sets) do
      table.insert(made.samples, { { "network", read.network, "range", tostring(set) },
        free_in(set, taken) })
    end
  end
  return { made }
end

-- Seconds that a scrape waits for the store of a pool.
local PATIENCE <const> = 2

-- The configurations by which attachments of this node have addresses from a pool, each network's
-- once, the newest last.
local function pool_configurations()
  local by_network <const> = {}
  for _, one in ipairs(record.attachments()) do
    for _, step in ipairs(one.record and one.record.steps or {}) do
      if step.conf and step.ipam == "ecmp-pool" then by_network[one.network] = step.conf end
    end
  end
  return by_network
end

local function free_in_pools()
  local made <const> = free_family()
  local by_network <const> = pool_configurations()
  for _, network in ipairs(sorted_keys(by_network)) do
    local usage <const>, message <const> =
      require("ecmp.plugin.pool").usage(by_network[network], PATIENCE)
    if not usage then error(("network %s: %s"):format(network, message), 0) end
    for _, one in ipairs(usage) do
      table.insert(made.samples, { { "network", network, "range", one.range }, one.free })
    end
  end
  return { made }
end

-- What the running `ecmp watch` knows. A gateway of several segments is up where it is in all.
local function watched()
  local status <const>, lives <const> = state.status()
  local families <const> = health.of(lives and status or nil)
  for _, one in ipairs(families) do
    local samples <const>, known <const> = {}, {}
    for _, sample in ipairs(one.samples) do
      local labels <const> = {}
      for _, name in ipairs { "network", "gateway" } do
        local value <const> = sample.labels[name]
        if value then table.move({ name, value }, 1, 2, #labels + 1, labels) end
      end
      local key <const> = labels_of(labels)
      if known[key] then
        known[key][2] = math.min(known[key][2], sample.value)
      else
        known[key] = { labels, sample.value }
        samples[#samples + 1] = known[key]
      end
    end
    one.samples = samples
  end
  return families
end

-- The objects of an attachment's routes, by what made them.
local function groups_of(one)
  local list <const> = {}
  for _, step in ipairs(one.record and one.record.steps or {}) do
    local groups <const> = step.objects and step.objects.groups or {}
    for _, group in ipairs(groups) do list[#list + 1] = group.id end
  end
  return list
end

-- Groups that went with a carrier, and kernels that do not count, are no faults.
local NOT_COUNTED <const> = { ENOENT = true, EOPNOTSUPP = true }

-- The packets of a pod by gateway; several groups may have one.
local function packets_of(one, groups)
  local by_gateway <const> = {}
  local nl <close> = ecmp.open { netns = one.record.netns }
  -- Gone since, or not quite gone.
  if not nl then return by_gateway end
  for _, id in ipairs(groups) do
    local hops <const>, message <const>, code <const> = packets.of(nl, id)
    if code and not NOT_COUNTED[code] then error(message, 0) end
    for _, hop in ipairs(hops or {}) do
      local name <const> = hop.via or hop.dev or ""
      by_gateway[name] = (by_gateway[name] or 0) + hop.packets
    end
  end
  return by_gateway
end

local function taken()
  local made <const> = family("ecmp_hop_packets_total", "counter",
    "Packets that a next hop of a pod took, where its routes use groups of next-hop objects.")
  for _, one in ipairs(record.attachments()) do
    local groups <const> = groups_of(one)
    local by_gateway <const> = #groups > 0 and packets_of(one, groups) or {}
    for _, gateway in ipairs(sorted_keys(by_gateway)) do
      made.samples[#made.samples + 1] = { { "network", one.network, "container", one.containerid,
        "interface", one.ifname, "gateway", gateway }, by_gateway[gateway] }
    end
  end
  return { made }
end

---Where metrics come from: each is called without arguments and returns a list of families, as
---`M.text` takes them.
M.sources = {
  { "records", attached }, { "host-local", free_addresses }, { "pool", free_in_pools },
  { "watch", watched }, { "groups", taken },
}

-- What several sources tell of is one family, as the format wants it.
local function add(families, more)
  for _, one in ipairs(more) do
    local known <const> = families[one.name]
    if not known then
      families[one.name], families[#families + 1] = one, one
    else
      table.move(one.samples, 1, #one.samples, #known.samples + 1, known.samples)
    end
  end
end

---All metrics; a source that fails is one, too.
---@param sources table[] as `M.sources`
---@return table[] families
function M.gather(sources)
  local families <const> = {}
  local wrong <const> = family("ecmp_scrape_error", "gauge", "Whether a source could not be read.")
  for i, source in ipairs(sources) do
    local read <const>, found <const> = pcall(source[2])
    if read then
      add(families, found)
    else
      io.stderr:write(("ecmp: metrics: %s: %s\n"):format(source[1], tostring(found)))
    end
    wrong.samples[i] = { { "source", source[1] }, read and 0 or 1 }
  end
  families[#families + 1] = wrong
  return families
end

---@return integer status
function M.run()
  io.write(M.text(M.gather(M.sources)))
  return 0
end

return M
