---nftables by netlink: tables, chains and rules of the kernel's packet filter, just as much as
---masquerading and the check of hardware addresses take, on hosts that need not have `nft`.
--
--     local filter <close> = assert(nft.open())
--     local x <const> = nft.table("inet", "x")
--     filter:commit { x:make(), x:chain("y", base), x:rule("y", expressions, "why") }
--
-- A commit is carried out whole or not at all.
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
local FAMILIES <const> = { inet = 1, bridge = 7 }

-- On what a dump yields: rules were changed meanwhile.
local INTERRUPTED <const>, TRIES <const> = 0x10, 32

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

local IIFNAME <const>, NFPROTO <const> = 6, 15
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

-- The kernel compares a name with all the bytes that it keeps for one.
local NAME_SIZE <const> = 16

---Goes on with packets that came in by an interface.
---@param name string
---@return string expressions
function M.input(name)
  return expression("meta", number(1, REGISTER), number(2, IIFNAME))
    .. compare(EQUAL, name .. ("\0"):rep(NAME_SIZE - #name))
end

---Goes on with frames that a hardware address sent.
---@param mac string "02:00:00:00:00:01"
---@return string expressions
function M.sender(mac)
  local bytes <const> = mac:gsub("(%x%x):?", function(pair)
    return string.char(tonumber(pair, 16))
  end)
  return expression("payload", number(1, REGISTER), number(2, 0), number(3, 6), number(4, #bytes))
    .. compare(EQUAL, bytes)
end

local VERDICTS <const> = { drop = 0, accept = 1, jump = -3, ["goto"] = -4, ["return"] = -5 }

---Settles what becomes of the packet.
---@param word "drop"|"accept"|"jump"|"goto"|"return"
---@param chain? string where to, of a jump
---@return string expressions
function M.verdict(word, chain)
  local code <const> = number(1, VERDICTS[word])
  local verdict <const> = nest(2, nest(2, code .. (chain and text(2, chain) or "")))
  return expression("immediate", number(1, 0), verdict)
end

-- Tables and changes ---------------------------------------------------------------------------

---A table of the packet filter, by family and name; its methods are changes for `commit`.
---@class ecmp.nft.Table
local owner <const> = {}
owner.__index = owner

---@param family "inet"|"bridge"
---@param name string
---@return ecmp.nft.Table
function M.table(family, name)
  return setmetatable({ family = FAMILIES[family], name = name }, owner)
end

function owner:change(kind, flags, ...)
  return { kind = kind, flags = flags, family = self.family,
    body = text(1, self.name) .. table.concat { ... } }
end

---Makes the table if it is not there.
---@return table change
function owner:make() return self:change(NEWTABLE, CREATE) end

---Deletes the table; refused while it has anything in it.
---@return table change
function owner:del() return self:change(DELTABLE, NOT_RECURSIVE) end

local HOOKS <const> = { prerouting = 0, input = 1, forward = 2, output = 3, postrouting = 4 }

---Makes a chain if it is not there.
---@param name string
---@param base? table what calls it: `{ type = "nat", hook = "postrouting", priority = 100 }`
---@return table change
function owner:chain(name, base)
  local called <const> = base
    and nest(4, number(1, HOOKS[base.hook]), number(2, base.priority)) .. text(7, base.type) or ""
  return self:change(NEWCHAIN, CREATE, text(3, name), called)
end

---Deletes a chain with its rules; with `empty` refused while it has any.
---@param name string
---@param empty? boolean
---@return table change
function owner:del_chain(name, empty)
  return self:change(DELCHAIN, empty and NOT_RECURSIVE or 0, text(3, name))
end

-- What people read behind a rule in `nft list ruleset`, and what we know it by; as long as `nft`
-- can write one.
local COMMENT <const>, LONGEST <const> = 0, 128

---A comment as the kernel keeps it.
---@param words string
---@return string
function M.comment(words) return words:sub(1, LONGEST) end

---Appends a rule.
---@param chain string
---@param expressions string
---@param comment? string
---@return table change
function owner:rule(chain, expressions, comment)
  local words <const> = comment and M.comment(comment) .. "\0"
  return self:change(NEWRULE, CREATE | APPEND, text(2, chain), nest(4, expressions),
    words and attribute(7, ("BB"):pack(COMMENT, #words) .. words) or "")
end

---Deletes a rule.
---@param rule table as `rules` returns it
---@return table change
function owner:del_rule(rule)
  return self:change(DELRULE, 0, text(2, rule.chain), attribute(3, rule.handle))
end

---Deletes all rules of a chain.
---@param chain string
---@return table change
function owner:flush(chain) return self:change(DELRULE, 0, text(2, chain)) end

-- The socket -----------------------------------------------------------------------------------

local socket <const> = {}
socket.__index = socket

local function message(kind, flags, sequence, family, resource, body)
  return ("=I4I2I2I4I4BB>I2"):pack(20 + #body, kind, flags, sequence, 0, family, 0, resource)
    .. body
end

-- The messages of a datagram: kind, sequence, payload, flags.
local function each_message(datagram)
  local at = 1
  return function()
    if at + 15 > #datagram then return nil end
    local length <const>, kind <const>, flags <const>, sequence <const> =
      ("=I4I2I2I4"):unpack(datagram, at)
    if length < 16 then return nil end
    local payload <const> = datagram:sub(at + 16, at + length - 1)
    at = at + (length + 3) // 4 * 4
    return kind, sequence, payload, flags
  end
end

---@return table? nft, string? message, string? code
function M.open()
  local handle, why, code = sys.netlink(NETFILTER)
  local random
  if handle then random, why, code = sys.random(3) end
  if not random then return nil, "nftables: " .. why, code end
  return setmetatable({ handle = handle, sequence = ("=I3"):unpack(random) }, socket)
end

function socket:close() self.handle:close() end
socket.__close = socket.close

function socket:receive()
  return self.handle:receive(PATIENCE)
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
      one.family, 0, one.body)
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

-- Reads the answer to one dump of rules: the list, and whether changes came in between, so that it
-- may lack some; or nil, message, code.
function socket:dumped(of, chain)
  local list <const>, torn = {}, false
  while true do
    local datagram <const>, why, code = self:receive()
    if not datagram then return nil, why, code end
    for kind, sequence, payload, flags in each_message(datagram) do
      local answer <const> = sequence == self.sequence
      torn = torn or answer and flags & INTERRUPTED ~= 0
      if answer and kind == DONE then return list, torn end
      if answer and kind == ERROR then
        local reason <const>, symbol <const> = sys.strerror(-("=i4"):unpack(payload))
        if symbol == "ENOENT" then return list, torn end
        return nil, reason, symbol
      end
      local rule <const> = answer and kind == SUBSYSTEM << 8 | NEWRULE and rule_of(payload)
      if rule and rule.table == of.name and (not chain or rule.chain == chain) then
        list[#list + 1] = rule
      end
    end
  end
end

---The rules of a table, or of one chain of it; none where there is no such thing.
---@param of ecmp.nft.Table
---@param chain? string
---@return table[]? rules `{ chain, handle, comment? }`
---@return string? message, string? code
function socket:rules(of, chain)
  local wanted <const> = text(1, of.name) .. (chain and text(2, chain) or "")
  local list, why, code
  for _ = 1, TRIES do
    self.sequence = self.sequence + 1
    local sent
    sent, why, code = sys.write_fd(self.handle:fd(), message(SUBSYSTEM << 8 | GETRULE,
      REQUEST | DUMP, self.sequence, of.family, 0, wanted))
    if sent then list, why, code = self:dumped(of, chain) end
    if not list then break end
    if not why then return list end
    why, code = "changes came in between every time (EINTR)", "EINTR"
  end
  return nil, ("nftables: list rules of %s: %s"):format(of.name, why), code
end

---Deletes the rules of a chain that are stale. One that went meanwhile has the kernel refuse all of
---them: then it is looked again.
---@param of table the table
---@param chain string
---@param is_stale fun(rule: table): boolean
---@return integer? count, string? message, string? code
function socket:purge(of, chain, is_stale)
  local ok, why, code
  for _ = 1, TRIES do
    local rules
    rules, why, code = self:rules(of, chain)
    if not rules then return nil, why, code end
    local changes <const> = {}
    for _, rule in ipairs(rules) do
      if is_stale(rule) then changes[#changes + 1] = of:del_rule(rule) end
    end
    if #changes == 0 then return 0 end
    ok, why, code = self:commit(changes)
    if ok then return #changes end
    if code ~= "ENOENT" then break end
  end
  return nil, why, code
end

return M
