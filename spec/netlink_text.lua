--- rtnetlink messages as text, an attribute a line: for people who compare what was sent.
--
-- Made from the kernel's headers alone, and not with our own decoder, which is what is tested. Nothing is
-- left out but fields of family headers that are 0, sequence numbers, and what differs from run to run:
-- numbers of links are given as names, descriptors of namespaces as the names that the caller has for
-- these, addresses of links that the kernel made up as the link they are of.
local M = {}

local RTM <const> = {
  [16] = "LINK", [20] = "ADDR", [24] = "ROUTE", [28] = "NEIGH", [32] = "RULE", [88] = "NSID",
  [104] = "NEXTHOP", [112] = "VLAN", [116] = "NEXTHOPBUCKET",
}
local ACTIONS <const> = { [0] = "NEW", "DEL", "GET", "SET" }

local FLAGS <const> = {
  common = { [0x01] = "request", [0x02] = "multi", [0x04] = "ack", [0x08] = "echo", [0x20] = "filtered" },
  NEW = { [0x100] = "replace", [0x200] = "excl", [0x400] = "create", [0x800] = "append" },
  GET = { [0x100] = "root", [0x200] = "match", [0x400] = "atomic" },
  DEL = { [0x100] = "nonrec", [0x200] = "bulk" }, SET = {},
}

-- Fields of a family header: name, format of string.unpack. `index` is the number of a link.
local HEADERS <const> = {
  LINK = { "family B", "pad B", "type I2", "index i4 link", "flags I4", "change I4" },
  ADDR = { "family B", "prefixlen B", "flags B", "scope B", "index I4 link" },
  ROUTE = { "family B", "dst_len B", "src_len B", "tos B", "table B", "protocol B", "scope B", "type B",
    "flags I4" },
  NEIGH = { "family B", "pad B", "pad2 I2", "ifindex i4 link", "state I2", "flags B", "type B" },
  RULE = { "family B", "dst_len B", "src_len B", "tos B", "table B", "res1 B", "res2 B", "action B",
    "flags I4" },
  NEXTHOP = { "family B", "scope B", "protocol B", "resvd B", "flags I4" },
  NEXTHOPBUCKET = { "family B", "scope B", "protocol B", "resvd B", "flags I4" },
  VLAN = { "family B", "reserved1 B", "reserved2 I2", "ifindex i4 link" },
  NSID = { "family B", "pad B", "pad2 I2" },
}

-- What an attribute holds: a word of its own, or the name of a list of attributes below.
local ATTRIBUTES <const> = {
  ROUTE = { "DST address", "SRC address", "IIF link", "OIF link", "GATEWAY address", "PRIORITY number",
    "PREFSRC address", "METRICS metrics", "MULTIPATH hops", "PROTOINFO", "FLOW number", "CACHEINFO",
    "SESSION", "MP_ALGO", "TABLE number", "MARK number", "MFC_STATS", "VIA", "NEWDST", "PREF number",
    "ENCAP_TYPE number", "ENCAP nested", "EXPIRES number", "PAD", "UID number", "TTL_PROPAGATE number",
    "IP_PROTO number", "SPORT", "DPORT", "NH_ID number" },
  metrics = { "LOCK number", "MTU number", "WINDOW number", "RTT number", "RTTVAR number",
    "SSTHRESH number", "CWND number", "ADVMSS number", "REORDERING number", "HOPLIMIT number",
    "INITCWND number", "FEATURES number", "RTO_MIN number", "INITRWND number", "QUICKACK number",
    "CC_ALGO string", "FASTOPEN_NO_COOKIE number" },
  NEXTHOP = { "ID number", "GROUP", "GROUP_TYPE number", "BLACKHOLE", "OIF link", "GATEWAY address",
    "ENCAP_TYPE number", "ENCAP nested", "GROUPS", "MASTER link", "FDB", "RES_GROUP nested",
    "RES_BUCKET nested" },
  ADDR = { "ADDRESS address", "LOCAL address", "LABEL string", "BROADCAST address", "ANYCAST address",
    "CACHEINFO lifetimes", "MULTICAST address", "FLAGS number", "RT_PRIORITY number", "TARGET_NETNSID number",
    "PROTO number" },
  NEIGH = { "DST address", "LLADDR address", "CACHEINFO", "PROBES number", "VLAN number", "PORT",
    "VNI number", "IFINDEX link", "MASTER link" },
  RULE = { "DST address", "SRC address", "IIFNAME string", "GOTO number", "UNUSED2", "PRIORITY number",
    "UNUSED3", "UNUSED4", "UNUSED5", "FWMARK number", "FLOW number", "TUN_ID",
    "SUPPRESS_IFGROUP number", "SUPPRESS_PREFIXLEN number", "TABLE number", "FWMASK number",
    "OIFNAME string", "PAD", "L3MDEV number", "UID_RANGE", "PROTOCOL number", "IP_PROTO number",
    "SPORT_RANGE", "DPORT_RANGE" },
  LINK = { "ADDRESS address", "BROADCAST address", "IFNAME string", "MTU number", "LINK link",
    "QDISC string", "STATS", "COST", "PRIORITY", "MASTER link", "WIRELESS", "PROTINFO nested",
    "TXQLEN number", "MAP", "WEIGHT", "OPERSTATE number", "LINKMODE number", "LINKINFO linkinfo",
    "NET_NS_PID number", "IFALIAS string", "NUM_VF", "VFINFO_LIST", "STATS64", "VF_PORTS", "PORT_SELF",
    "AF_SPEC nested", "GROUP number", "NET_NS_FD namespace", "EXT_MASK number",
    "PROMISCUITY number", "NUM_TX_QUEUES number", "NUM_RX_QUEUES number", "CARRIER number",
    "PHYS_PORT_ID", "CARRIER_CHANGES", "PHYS_SWITCH_ID", "LINK_NETNSID", "PHYS_PORT_NAME string",
    "PROTO_DOWN number", "GSO_MAX_SEGS number", "GSO_MAX_SIZE number", "PAD", "XDP nested", "EVENT",
    "NEW_NETNSID", "TARGET_NETNSID number", "CARRIER_UP_COUNT", "CARRIER_DOWN_COUNT", "NEW_IFINDEX",
    "MIN_MTU number", "MAX_MTU number", "PROP_LIST names", "ALT_IFNAME string", "PERM_ADDRESS address" },
  names = { [53] = "ALT_IFNAME string" },
  linkinfo = { "KIND string", "DATA linkdata", "XSTATS", "SLAVE_KIND string", "SLAVE_DATA nested" },
  linkdata = { "PEER peer" },
  VLAN = {}, NEXTHOPBUCKET = { "ID number", "BUCKET nested" }, NSID = {}, nested = {},
}

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function align(count)
  return (count + 3) & ~3
end

-- Values ------------------------------------------------------------------------------------------

local Writer <const> = {}
Writer.__index = Writer

function Writer:line(text)
  self.lines[#self.lines + 1] = ("  "):rep(self.depth) .. text
end

---A name; those of a host's ends of veth pairs, which are drawn at random, are numbered as they come.
---@param random table<string, string|integer> those that came before, and `count`
---@param text string
---@return string
function M.name(random, text)
  if not text:find "^veth%x%x%x%x%x%x%x%x$" then return text end
  if not random[text] then
    random.count = random.count + 1
    random[text] = ("veth<random %d>"):format(random.count)
  end
  return random[text]
end

-- A link by its name; 0 is none. One that is gone has its number, which is then a reader's to explain.
function Writer:link(number)
  local found <const> = self.links[number]
  return number == 0 and "0" or found and M.name(self.random, found.name) or "number " .. number
end

-- The address of a link, unless a spec gave it, which it does with 02:00 at its beginning.
function Writer:mac(bytes)
  if bytes:find "^\2\0" or bytes:find "^\0+$" then return hex(bytes) end
  for _, link in pairs(self.links) do
    if link.address == hex(bytes) then return "address of " .. M.name(self.random, link.name) end
  end
  return hex(bytes)
end

local FORMATS <const> = { [1] = "B", [2] = "I2", [4] = "I4", [8] = "I8" }

local values <const> = {}

function values.number(_, bytes)
  return FORMATS[#bytes] and tostring((FORMATS[#bytes]):unpack(bytes)) or hex(bytes)
end

function values.string(self, bytes)
  local text <const> = bytes:match "^([%g ]+)\0$"
  return text and ("%q"):format(M.name(self.random, text)) or hex(bytes)
end

function values.address(self, bytes)
  if #bytes == 4 then return ("%d.%d.%d.%d"):format(bytes:byte(1, 4)) end
  if #bytes == 6 then return self:mac(bytes) end
  return #bytes == 16 and (hex(bytes):gsub("%x%x%x%x", "%0:", 7)) or hex(bytes)
end

function values.link(self, bytes)
  return #bytes == 4 and self:link(("i4"):unpack(bytes)) or hex(bytes)
end

-- struct ifa_cacheinfo: behind what is asked for is when the kernel made and changed it.
function values.lifetimes(_, bytes)
  if #bytes ~= 16 then return hex(bytes) end
  return ("prefered %d valid %d%s"):format(("I4I4"):unpack(bytes), select(2, ("I4I4"):unpack(bytes)),
    bytes:find("^" .. ("\0"):rep(8), 9) and "" or " made and changed <at some time>")
end

function values.namespace(self, bytes)
  local inode <const> = #bytes == 4 and self.descriptors[("I4"):unpack(bytes)]
  return self.namespaces[inode] or "unknown namespace " .. hex(bytes)
end

-- Structure ---------------------------------------------------------------------------------------

local function header(self, fields, bytes)
  local at, words <const> = 1, {}
  for _, field in ipairs(fields) do
    local name <const>, format <const>, kind <const> = field:match "^(%S+) (%S+) ?(%S*)$"
    local value
    value, at = format:unpack(bytes, at)
    if value ~= 0 then
      words[#words + 1] = name .. " " .. (kind == "link" and self:link(value) or value)
    end
  end
  if #words > 0 then self:line(table.concat(words, " ")) end
  return bytes:sub(at)
end

local function size_of(fields)
  local size = 0
  for _, field in ipairs(fields) do size = size + field:match "^%S+ (%S+)":packsize() end
  return size
end

-- Each attribute's type with its flags, and its payload; false for bytes that are no attributes.
local function split(bytes)
  local found <const>, at = {}, 1
  while at <= #bytes do
    if #bytes - at + 1 < 4 then return false end
    local length <const>, kind <const> = ("I2I2"):unpack(bytes, at)
    if length < 4 or at + length - 1 > #bytes then return false end
    if bytes:sub(at + length, at + align(length) - 1):find "[^\0]" then return false end
    found[#found + 1] = { kind, bytes:sub(at + 4, at + length - 1) }
    at = at + align(length)
  end
  return found
end

local attributes

local function nested(self, kind, bytes)
  self.depth = self.depth + 1
  attributes(self, kind, bytes)
  self.depth = self.depth - 1
end

local structures <const> = {}

-- struct rtnexthop, each with attributes of its own behind it.
function structures.hops(self, bytes)
  local at = 1
  while at <= #bytes do
    local length <const>, flags <const>, hops <const>, index <const> = ("I2BBi4"):unpack(bytes, at)
    self:line(("hop flags %d hops %d ifindex %s"):format(flags, hops, self:link(index)))
    nested(self, "ROUTE", bytes:sub(at + 8, at + length - 1))
    at = at + align(length)
  end
end

-- VETH_INFO_PEER is a whole link.
function structures.peer(self, bytes)
  if #bytes < 16 then return self:line(hex(bytes)) end
  attributes(self, "LINK", header(self, HEADERS.LINK, bytes))
end

local NESTED <const>, BIG_ENDIAN <const> = 0x8000, 0x4000

-- Data of kinds of links are attributes of their own; only of veth is the first a link.
local function content_of(self, list, number)
  if list == "linkdata" and self.kind ~= "veth" then return nil end
  return (ATTRIBUTES[list] or {})[number]
end

local function attribute(self, list, kind, bytes)
  local number <const> = kind & 0x3fff
  local name, content = (content_of(self, list, number) or ""):match "^(%S+) ?(%S*)$"
  if kind & NESTED ~= 0 and not ATTRIBUTES[content] and not structures[content] then content = "nested" end
  local label <const> = ("%s(%d)%s%s"):format(name or "", number, kind & NESTED ~= 0 and " nested" or "",
    kind & BIG_ENDIAN ~= 0 and " be" or "")
  if list == "linkinfo" and number == 1 then self.kind = bytes:match "^%l+" end
  if structures[content] then
    self:line(label)
    self.depth = self.depth + 1
    structures[content](self, bytes)
    self.depth = self.depth - 1
  elseif ATTRIBUTES[content] and split(bytes) then
    self:line(label)
    nested(self, content, bytes)
  else
    self:line(label .. " " .. (values[content] or values.string)(self, bytes))
  end
end

function attributes(self, list, bytes)
  local found <const> = split(bytes)
  if not found then return self:line("no attributes: " .. hex(bytes)) end
  for _, one in ipairs(found) do attribute(self, list, one[1], one[2]) end
end

local function flag_words(flags, action)
  local words <const> = {}
  for bit = 0, 15 do
    local flag <const> = 1 << bit
    if flags & flag ~= 0 then
      words[#words + 1] = FLAGS.common[flag] or FLAGS[action][flag] or ("0x%x"):format(flag)
    end
  end
  return table.concat(words, " ")
end

local function rtnetlink(self, kind, flags, sender, bytes)
  local object <const>, action <const> = RTM[kind & ~3], ACTIONS[kind & 3]
  self:line(("RTM_%s%s %s%s"):format(action, object, flag_words(flags, action), sender))
  self.depth = 1
  if #bytes < size_of(HEADERS[object]) then return self:line("short header: " .. hex(bytes)) end
  attributes(self, object, header(self, HEADERS[object], bytes))
end

-- struct nfgenmsg, then attributes.
local function nfnetlink(self, kind, flags, sender, bytes)
  self:line(("nfnetlink %d.%d flags 0x%x%s"):format(kind >> 8, kind & 0xff, flags, sender))
  self.depth = 1
  self:line(hex(bytes:sub(1, 4)))
  attributes(self, "nested", bytes:sub(5))
end

local function message(self, kind, flags, pid, bytes)
  local sender <const> = pid ~= 0 and " from port " .. pid or ""
  if self.protocol == 0 and RTM[kind & ~3] then return rtnetlink(self, kind, flags, sender, bytes) end
  if self.protocol == 12 and #bytes >= 4 then return nfnetlink(self, kind, flags, sender, bytes) end
  self:line(("message %d flags 0x%x%s%s"):format(kind, flags, sender, bytes ~= "" and " " .. hex(bytes) or ""))
end

---Tells a datagram.
---@param bytes string
---@param known table what numbers mean: `links`, `{ name, address }` by index; `descriptors`, inodes of
---namespaces; `namespaces`, their names by inode; `random`, kept between the calls of one golden; and the
---`protocol` of the socket
---@return string[] messages # each as lines
function M.messages(bytes, known)
  local found <const>, at = {}, 1
  while at <= #bytes do
    local self <const> = setmetatable({ lines = {}, depth = 0 }, { __index = function(_, key)
      return Writer[key] or known[key]
    end })
    local length <const>, kind <const>, flags <const>, _, pid <const> = ("I4I2I2I4I4"):unpack(bytes, at)
    assert(length >= 16 and at + length - 1 <= #bytes, "a message with a wrong length")
    message(self, kind, flags, pid, bytes:sub(at + 16, at + length - 1))
    found[#found + 1] = table.concat(self.lines, "\n")
    at = at + align(length)
  end
  return found
end

return M
