---What the record of an attachment holds, and whether a file is one: it may be of another version,
---cut off by a full disk, or written by hand.
--
--     { format = 1, network, containerid, ifname, netns,
--       K8S_POD_NAMESPACE?, K8S_POD_NAME?     from CNI_ARGS
--       path?                                 CNI_PATH, for IPAM plugins that are not ours
--       steps = { { plugin, dropin, mark,     which plugin of the chain
--                   conf, result?,            what it was given and, when it was done, gave
--                   script?,                the script that the plugin is, of ecmp-lua
--                   plan, wanted, sysctls, ipam, merge,
--                   found, beside,          the routes that were there, on the interface and others
--                   objects?, masquerade?, spoofcheck?,
--                   policyRules?            those that ADD added; the plan has all
--                   neighbours?             those that ADD made managed, of a chained plugin } } }
local identity = require "ecmp.fib.route"
local json = require "ecmp.json"
local schema = require "ecmp.cni.schema"

local M = {}

---The format that is written. What was written before records said theirs is read as well.
M.format = 1

-- A route as it was planned or found. Whatever the kernel once took is one.
local function route(value, path)
  local object <const>, wrong <const> = schema.object(value, path)
  if wrong then return nil, wrong end
  if type(object.dst) ~= "string" or json.kind(object.nexthops) == "string" then
    return nil, path .. ": is no route"
  end
  local read <const>, held <const>, message <const> = pcall(identity.held, object)
  if read and held then return held end
  return nil, ("%s: %s"):format(path, tostring(read and message or held))
end

-- An object whose values are all of one kind.
local function map(check)
  return function(value, path)
    local object <const>, wrong <const> = schema.object(value, path)
    if wrong then return nil, wrong end
    for key, item in next, object do
      local _ <const>, message <const> = check(item, ("%s.%s"):format(path, key))
      if message then return nil, message end
    end
    return object
  end
end

local function text_or_number(value, path)
  if type(value) == "string" or math.type(value) == "integer" then return value end
  return nil, path .. ": must be a string or an integer"
end

local routes <const> = schema.list(route)
local numbered <const> = schema.list(schema.record { { "id", schema.integer(1), required = true } })

local rules <const> = schema.list(schema.record {
  { "family", schema.integer(4, 6), required = true },
  { "from", schema.prefix }, { "to", schema.prefix },
  { "table", schema.integer(1), required = true },
  { "priority", schema.integer(1), required = true },
  { "iif", schema.string }, { "fwmark", schema.string },
})

local plan <const> = schema.record {
  { "addresses", schema.list(schema.record {
    { "address", schema.prefix, required = true }, { "gateway", schema.address },
    { "dev", schema.string, required = true },
  }) },
  { "routes", schema.list(schema.object) },
  { "sysctls", map(text_or_number) },
  { "policyRules", rules },
}

local neighbours <const> = schema.list(schema.record {
  { "dst", schema.address, required = true }, { "dev", schema.string, required = true },
})

local interfaces <const> = schema.list(schema.record { { "name", schema.string } })

local step <const> = schema.record {
  { "plugin", schema.string, required = true },
  { "dropin", schema.boolean },
  { "mark", schema.string },
  { "conf", schema.object },
  { "script", schema.string },
  { "result", schema.record { { "interfaces", interfaces } } },
  { "plan", plan },
  { "wanted", routes },
  { "found", routes },
  { "beside", routes },
  { "sysctls", map(schema.string) },
  { "ipam", schema.string },
  { "merge", schema.string },
  { "objects", schema.record { { "hops", numbered }, { "groups", numbered } } },
  { "masquerade", schema.word { "nftables", "iptables" } },
  { "spoofcheck", schema.boolean },
  { "policyRules", rules },
  { "neighbours", neighbours },
}

local record <const> = schema.record {
  { "network", schema.string, required = true },
  { "containerid", schema.string, required = true },
  { "ifname", schema.string, required = true },
  { "netns", schema.string },
  { "K8S_POD_NAMESPACE", schema.string },
  { "K8S_POD_NAME", schema.string },
  { "path", schema.string },
  { "steps", schema.list(step), required = true },
}

---Reads a record.
---@param text string what a file holds
---@return table? record, string? message  nil and why it is none
---@return integer? newer  the format of one that only a later version can read
function M.read(text)
  local document, message = json.decode(text)
  if json.kind(document) ~= "object" then return nil, message or "is no JSON object" end
  local format <const> = json.get(document, "format")
  if math.type(format) == "integer" and format > M.format then
    return nil, ("is of format %d, this version knows %d"):format(format, M.format), format
  end
  if format ~= nil and format ~= M.format then return nil, "format: is none" end
  local read
  read, message = record(document, "")
  if not read then return nil, message end
  return read
end

return M
