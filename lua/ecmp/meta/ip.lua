---@meta ecmp.ip
-- Addresses and prefixes as values, IPv4 and IPv6 alike. Where text is what is read, bad text is an
-- answer (nil, message); everywhere else it is a wrong call. Nothing loads this file.
-- luacheck: ignore 212 241

---@class ecmp.ip
local ip = {}

---@class ecmp.Address an address or a prefix with its host bits. `tostring` is the canonical text;
---`+ n` and `- n` move it and keep its length, `a - b` tells how far apart two are; `<`, `<=` and
---`==` compare by value, IPv4 before IPv6
---@operator add(integer): ecmp.Address
---@operator sub(integer): ecmp.Address
---@operator sub(ecmp.Address): integer
local Address = {}

---@return 4|6 family
function Address:family() end

---The length of the prefix; the whole width for an address written without.
---@return integer bits
function Address:length() end

---The same address without the length.
---@return ecmp.Address
function Address:address() end

---The prefix it is in: host bits are zero.
---@return ecmp.Address
function Address:network() end

---The first address of the prefix.
---@return ecmp.Address
function Address:first() end

---The last address of the prefix.
---@return ecmp.Address
function Address:last() end

---Whether all of `other` lies in this prefix.
---@param other string|ecmp.Address
---@return boolean
function Address:contains(other) end

---Whether an address lies in both.
---@param other string|ecmp.Address
---@return boolean
function Address:overlaps(other) end

---Whether it was written without a length.
---@return boolean
function Address:is_address() end

---Whether no host bit is set.
---@return boolean
function Address:is_network() end

---@return string bytes 4 or 16, in network order
function Address:bytes() end

---Reads an address, or a prefix.
---@param text string|ecmp.Address such as "10.0.0.9", "10.0.0.9/24", "2001:db8::/32"
---@return ecmp.Address|nil
---@return string? message
function ip.parse(text) end

---The one way to write an address or prefix.
---@param text string
---@return string|nil text
---@return string? message
function ip.canonical(text) end

---The prefix that an address is in, always with its length.
---@param text string
---@return string|nil prefix
---@return 4|6|string family or message
function ip.mask(text) end

---Each address that a host may have: not the first of a prefix, nor the last of an IPv4 one, unless
---it has one or two only.
---@param prefix string|ecmp.Address
---@return fun(): ecmp.Address
function ip.hosts(prefix) end

---Each prefix of a length within a prefix.
---@param prefix string|ecmp.Address
---@param length integer
---@return fun(): ecmp.Address
function ip.subnets(prefix, length) end

return ip
