---nftables by netlink: tables, chains and rules of the kernel's packet filter, just as much as
---masquerading takes, on hosts that need not have the `nft` program.
--
--     local filter <close> = assert(nft.open())
--     filter:commit { nft.table("x"), nft.chain("x", "y", base), nft.rule("x", "y", words, "why") }
--
-- A commit is carried out whole or not at all. All is in the family `inet`, which is both families.
local sys = require "ecmp.sys"

local NETFILTER <const> = 12
-- Message types: those of the batch, and the subsystem with its own.
local BEGIN <const>, END <const>, SUBSYSTEM <const> = 0x10, 0x11, 10
local NEWTABLE <const>, DELTABLE <const>, NEWCHAIN <const>, DELCHAIN <const> = 0, 2, 3, 5
local NEWRULE <const>, GETRULE <const>, DELRULE <const> = 6, 7, 8
local ERROR <const>, DONE <const> = 2, 3
local REQUEST <const>, ACK <const>, DUMP <const> = 0x1, 0x4, 0x300
-- With a new object: make it if it is not there. With a rule: behind the others.
local CREATE <const>, APPEND <const> = 0x400, 0x800
-- With a deletion: refuse what still has something in it.
local NOT_RECURSIVE <const> = 0x100
local NESTED <const> = 0x8000
local INET <const> = 1

-- Seconds. The kernel answers at once, unless somebody else's large change is before ours.
local PATIENCE <const> = 10

local M = {}

-- Attributes -----------------------------------------------------------------------------------

local function attribute(kind, payload)
  local padding <const> = ("\0"):rep(-#payload % 4)
  return ("=I2I2"):pack(#payload + 4, kind) .. payload .. padding
end

local function nest(kind, ...) return attribute(kind | NESTED, table.concat { ... }) end
local function number(kind, value) return attribute(kind, (">I4"):pack(value & 0xffffffff)) end
local function text(kind, value) return attribute(kind, value .. "\0") end

-- A value to compare with or to mask by.
local function value(kind, bytes) return nest(kind, attribute(1, bytes)) end

-- Expressions of a rule: a small program that puts fields of the packet into a register and goes on
-- as long as comparisons hold.
local function expression(name, ...)
  return nest(1, text(1, name), nest(2, ...))
end

local REGISTER <const> = 1
local EQUAL <const>, DIFFERENT <const> = 0, 1

local function compare(operator, bytes)
  return expression("cmp", number(1, REGISTER), number(2, operator), value(3, bytes))
end

local NFPROTO <const> = 15
local PROTOCOLS <const> = { [4] = "\2", [6] = "\10" }

---Goes on with packets of a family.
---@param family 4|6
---@return string expressions
function M.family(family)
  return expression("meta", number(1, REGISTER), number(2, NFPROTO))
    .. compare(EQUAL, PROTOCOLS[family])
end

-- Where the addresses are in the header of the packet.
local offsets <const> = { [4] = { saddr = 12, daddr = 16 }, [6] = { saddr = 8, daddr = 24 } }

local function load_address(field, width)
  local offset <const> = offsets[width == 4 and 4 or 6][field]
  return expression("payload", number(1, REGISTER), number(2, 1), number(3, offset),
    number(4, width))
end

local function mask_of(length, width)
  local bytes <const> = {}
  for i = 1, width do
    local bits <const> = math.max(0, math.min(8, length - 8 * (i - 1)))
    bytes[i] = string.char(0xff << (8 - bits) & 0xff)
  end
  return table.concat(bytes)
end

---Goes on when an address of the packet is in a prefix, or when it is not.
---@param field "saddr"|"daddr"
---@param prefix table an `ecmp.ip` value
---@param inside boolean
---@return string expressions
function M.address(field, prefix, inside)
  local bytes <const> = prefix:network():address():bytes()
  local mask <const> = mask_of(prefix:length(), #bytes)
  return load_address(field, #bytes)
    .. expression("bitwise", number(1, REGISTER), number(2, REGISTER), number(3, #bytes),
      value(4, mask), value(5, ("\0"):rep(#bytes)))
    .. compare(inside and EQUAL or DIFFERENT, bytes)
end

---Gives the packet the address of the interface that it leaves by.
---@return string expressions
function M.masquerade()
  return expression("masq")
end

-- Changes --------------------------------------------------------------------------------------

local function change(kind, flags, ...)
  return { kind = kind, flags = flags, body = table.concat { ... } }
end

---@param name string
---@return table change makes a table if it is not there
function M.table(name) return change(NEWTABLE, CREATE, text(1, name)) end

---@param name string
---@return table change deletes a table that has nothing in it
function M.del_table(name) return change(DELTABLE, NOT_RECURSIVE, text(1, name)) end

local HOOKS <const> = { prerouting = 0, input = 1, forward = 2, output = 3, postrouting = 4 }

---@param owner string the table
---@param name string
---@param base table `{ type = "nat", hook = "postrouting", priority = 100 }`
---@return table change makes a chain if it is not there
function M.chain(owner, name, base)
  return change(NEWCHAIN, CREATE, text(1, owner), text(3, name),
    nest(4, number(1, HOOKS[base.hook]), number(2, base.priority)), text(7, base.type))
end

---@param owner string the table
---@param name string
---@return table change deletes a chain that has no rules
function M.del_chain(owner, name)
  return change(DELCHAIN, NOT_RECURSIVE, text(1, owner), text(3, name))
end

-- What people read behind a rule in `nft list ruleset`, and what we know it by.
local COMMENT <const> = 0

---@param owner string the table
---@param chain string
---@param expressions string
---@param comment string up to 127 bytes
---@return table change
function M.rule(owner, chain, expressions, comment)
  return change(NEWRULE, CREATE | APPEND, text(1, owner), text(2, chain), nest(4, expressions),
    attribute(7, ("BB"):pack(COMMENT, #comment + 1) .. comment .. "\0"))
end

---@param rule table as `rules` returns it
---@return table change
function M.del_rule(rule)
  return change(DELRULE, 0, text(1, rule.table), text(2, rule.chain), attribute(3, rule.handle))
end

-- The socket -----------------------------------------------------------------------------------

local socket <const> = {}
socket.__index = socket

local function message(kind, flags, sequence, family, resource, body)
  return ("=I4I2I2I4I4BB>I2"):pack(20 + #body, kind, flags, sequence, 0, family, 0, resource)
    .. body
end

-- The messages of a datagram: kind, sequence, payload.
local function each_message(datagram)
  local at = 1
  return function()
    if at + 15 > #datagram then return nil end
    local length <const>, kind <const>, _, sequence <const> = ("=I4I2I2I4"):unpack(datagram, at)
    if length < 16 then return nil end
    local payload <const> = datagram:sub(at + 16, at + length - 1)
    at = at + (length + 3) // 4 * 4
    return kind, sequence, payload
  end
end

---@return table? nft, string? message, string? code
function M.open()
  local handle <const>, why, code = sys.netlink(NETFILTER)
  if not handle then return nil, "nftables: " .. why, code end
  return setmetatable({ handle = handle, sequence = 0 }, socket)
end

function socket:close() self.handle:close() end
socket.__close = socket.close

function socket:receive()
  local ready <const>, why, code = sys.poll({ self.handle:fd() }, PATIENCE)
  if not ready then return nil, why, code end
  if #ready == 0 then
    return nil, ("no answer within %d s (ETIMEDOUT)"):format(PATIENCE), "ETIMEDOUT"
  end
  return sys.read_some(self.handle:fd(), 1 << 17)
end

-- Every change is acknowledged by itself; the first refusal is the answer to all.
function socket:acknowledgements(first, last)
  while true do
    local datagram <const>, why, code = self:receive()
    if not datagram then return nil, why, code end
    for kind, sequence, payload in each_message(datagram) do
      local errno <const> = kind == ERROR and ("=i4"):unpack(payload) or 0
      if sequence >= first and errno ~= 0 then return nil, sys.strerror(-errno) end
      if sequence == last then return true end
    end
  end
end

---Carries out changes, all or none.
---@param changes table[]
---@return true? ok, string? message, string? code
function socket:commit(changes)
  local first <const> = self.sequence + 1
  local parts <const> = { message(BEGIN, REQUEST, first, 0, SUBSYSTEM, "") }
  for i, one in ipairs(changes) do
    parts[#parts + 1] = message(SUBSYSTEM << 8 | one.kind, REQUEST | ACK | one.flags, first + i,
      INET, 0, one.body)
  end
  local last <const> = first + #changes
  parts[#parts + 1] = message(END, REQUEST, last + 1, 0, SUBSYSTEM, "")
  self.sequence = last + 1
  local ok, why, code = sys.write_fd(self.handle:fd(), table.concat(parts))
  if ok then ok, why, code = self:acknowledgements(first, last) end
  if not ok then return nil, ("nftables: %s"):format(why), code end
  return true
end

local function attributes(bytes, at)
  local found <const> = {}
  while at + 3 <= #bytes do
    local length <const>, kind <const> = ("=I2I2"):unpack(bytes, at)
    if length < 4 then break end
    found[kind & 0x3fff] = bytes:sub(at + 4, at + length - 1)
    at = at + (length + 3) // 4 * 4
  end
  return found
end

local function comment_of(data)
  local at = 1
  while data and at + 1 <= #data do
    local kind <const>, length <const> = data:byte(at, at + 1)
    if kind == COMMENT then return (data:sub(at + 2, at + 1 + length):gsub("%z.*", "")) end
    at = at + 2 + length
  end
end

local function rule_of(payload)
  local found <const> = attributes(payload, 5)
  return {
    table = found[1]:gsub("%z", ""), chain = found[2]:gsub("%z", ""), handle = found[3],
    comment = comment_of(found[7]),
  }
end

---The rules of a table; none where there is no such table.
---@param owner string
---@return table[]? rules `{ table, chain, handle, comment? }`, string? message, string? code
function socket:rules(owner)
  self.sequence = self.sequence + 1
  local ok, why, code = sys.write_fd(self.handle:fd(), message(SUBSYSTEM << 8 | GETRULE,
    REQUEST | DUMP, self.sequence, INET, 0, text(1, owner)))
  local list <const> = {}
  while ok do
    local datagram
    datagram, why, code = self:receive()
    if not datagram then break end
    for kind, sequence, payload in each_message(datagram) do
      if sequence == self.sequence and kind == DONE then return list end
      if sequence == self.sequence and kind == ERROR then
        local reason <const>, symbol <const> = sys.strerror(-("=i4"):unpack(payload))
        if symbol == "ENOENT" then return list end
        return nil, ("nftables: list rules of %s: %s"):format(owner, reason), symbol
      end
      if kind == SUBSYSTEM << 8 | NEWRULE then
        local rule <const> = rule_of(payload)
        if rule.table == owner then list[#list + 1] = rule end
      end
    end
  end
  return nil, ("nftables: list rules of %s: %s"):format(owner, why), code
end

return M
