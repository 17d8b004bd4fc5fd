---Names and values of a pool's keys in etcd.
--
--     PREFIX/NETWORK/a/HEX                      an address, in hexadecimal digits, that is taken
--     PREFIX/NETWORK/t/NODE/CONTAINERID/IFNAME  an attachment and the addresses it holds
--     PREFIX/NETWORK/n/NODE                     a node: which machine it is
--
-- Values are JSON. Others may have written them: what is not as we write it is refused with a
-- sentence, and never taken for ours.
local ip = require "ecmp.ip"
local json = require "ecmp.json"

local M = {}

local Names <const> = {}
Names.__index = Names

-- More than any value of ours.
local LARGEST <const> = 65536

-- A name becomes one step of a key: whatever could end it, or hide in it, is written in
-- hexadecimal.
local function escape(name)
  return (name:gsub("[^%w_.%-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function unescape(step)
  return (step:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---@param prefix string
---@param network string
---@param node string
---@return table names
function M.names(prefix, network, node)
  local root <const> = ("%s/%s/"):format(prefix, escape(network))
  return setmetatable({
    root = root, addresses = root .. "a/", attachments = root .. "t/",
    own = ("%st/%s/"):format(root, escape(node)), node = ("%sn/%s"):format(root, escape(node)),
  }, Names)
end

local function hex(address)
  return (address:bytes():gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

M.hex = hex

---@param address ecmp.Address
---@return string key
function Names:address(address)
  return self.addresses .. hex(address)
end

---@param attachment { containerid: string, ifname: string }
---@return string key
function Names:attachment(attachment)
  return ("%s%s/%s"):format(self.own, escape(attachment.containerid), escape(attachment.ifname))
end

---The address that its digits in a key or a value stand for.
---@param digits string
---@return ecmp.Address?
function M.address(digits)
  if not digits:find("^%x+$") then return nil end
  if #digits == 8 then
    local text <const> = digits:gsub("%x%x", function(two) return tonumber(two, 16) .. "." end)
    return (ip.parse(text:sub(1, -2)))
  end
  if #digits ~= 32 then return nil end
  -- as IPv6 whatever it holds: an IPv4 address has eight digits
  local address <const> = ip.parse((digits:gsub("%x%x%x%x", "%0:"):sub(1, -2)))
  return address and address:family() == 6 and address or nil
end

---The address that a key of `addresses` is about.
---@param key string
---@return ecmp.Address? address  nil for a key that is none of ours
function Names:address_of(key)
  return M.address(key:sub(#self.addresses + 1))
end

---The attachment that a key of `attachments` is about.
---@param key string
---@return { node: string, containerid: string, ifname: string }? attachment
function Names:attachment_of(key)
  local node <const>, id <const>, ifname <const> =
    key:sub(#self.attachments + 1):match("^([^/]+)/([^/]+)/([^/]+)$")
  if not node then return nil end
  return { node = unescape(node), containerid = unescape(id), ifname = unescape(ifname) }
end

-- Values ---------------------------------------------------------------------------------------

---@param fields table
---@return string value
function M.encode(fields)
  return json.encode(fields)
end

local function object(text)
  if #text > LARGEST then return nil, ("is %d bytes long"):format(#text) end
  local value <const>, message <const> = json.decode(text)
  if message then return nil, "is no JSON: " .. message end
  if json.kind(value) ~= "object" then return nil, "is no JSON object" end
  return value
end

local function strings_of(text, names)
  local value <const>, message <const> = object(text)
  if not value then return nil, message end
  for _, name in ipairs(names) do
    if type(value[name]) ~= "string" then return nil, ("lacks the string '%s'"):format(name) end
  end
  return value
end

---Reads the value of an address.
---@param text string
---@return { id: string, if: string, node: string, nonce: string, at: any }? value
---@return string? why it is none: the end of a sentence
function M.decode_address(text)
  return strings_of(text, { "id", "if", "node", "nonce" })
end

---Reads the value of an attachment.
---@param text string
---@return { id: string, if: string, node: string, nonce: string, addresses: ecmp.Address[] }? value
---@return string? why it is none
function M.decode_attachment(text)
  local value <const>, message <const> = strings_of(text, { "id", "if", "node", "nonce" })
  if not value then return nil, message end
  if json.kind(value.ips) ~= "list" then return nil, "lacks the list 'ips'" end
  value.addresses = {}
  for i, digits in ipairs(value.ips) do
    local address <const> = type(digits) == "string" and M.address(digits) or nil
    if not address then return nil, ("has no address in 'ips[%d]'"):format(i - 1) end
    value.addresses[i] = address
  end
  return value
end

---Reads the value of a node.
---@param text string
---@return { machine: string, fence: string, since: string }? value, string? why it is none
function M.decode_node(text)
  return strings_of(text, { "machine", "fence", "since" })
end

return M
