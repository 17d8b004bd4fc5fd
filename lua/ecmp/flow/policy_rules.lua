---Policy rules of a pod: which routing table is looked into for which packets; the key
---`policyRules`.
--
-- `"self"` stands for the addresses that the pod gets, one rule for each. What is there before is
-- somebody else's: it does, and stays when the attachment goes.
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local schema = require "ecmp.cni.schema"
local shown = require("ecmp.errors").shown

local M = {}

local U32 <const> = 0xFFFFFFFF
-- The kernel's own rules have 0, 32766 and 32767.
local HIGHEST_PRIORITY <const>, DEFAULT_PRIORITY <const> = 32765, 1000
local FULL <const> = { [4] = 32, [6] = 128 }
local SELF <const> = "self"

local function selector(value, path)
  if value == SELF then return value end
  local text <const>, message <const> = schema.prefix(value, path)
  if not text then return nil, message .. ', or "self"' end
  local prefix <const> = assert(ip.parse(text))
  if prefix:is_network() then return text end
  return nil, ("%s: %s has bits of a host in it, the network is %s"):format(path, text,
    prefix:network())
end
schema.as({ type = "string" }, selector)

local function number_of(text)
  local number <const> = (text:find("^%d+$") or text:find("^0[xX]%x+$"))
    and math.tointeger(tonumber(text))
  return number and number <= U32 and number or nil
end

-- An integer, or text of a value with its mask, each decimal or hexadecimal. Comes out as text.
local function fwmark(value, path)
  local text <const> = math.type(value) == "integer" and ("%d"):format(value) or value
  local mark, mask = tostring(text):match("^([^/]+)/?(.*)$")
  mark, mask = number_of(mark or ""), mask ~= "" and number_of(mask or "") or mask == "" and U32
  if type(text) == "string" and mark and mask then return ("0x%x/0x%x"):format(mark, mask) end
  return nil, ('%s: must be an integer, or text like "0x10/0xff", each up to 0xffffffff')
    :format(path)
end
schema.as({ any = { schema.integer(0, U32), schema.string } }, fwmark)

local KEYS <const> = { from = true, to = true, table = true, priority = true, iif = true,
  fwmark = true }

local fields <const> = schema.record {
  { "from", selector }, { "to", selector },
  { "table", schema.integer(1, U32), required = true },
  { "priority", schema.integer(1, HIGHEST_PRIORITY) },
  { "iif", schema.new_interface }, { "fwmark", fwmark },
}

local function family_of(text)
  return text and text ~= SELF and assert(ip.parse(text)):family() or nil
end

local function check(value, path)
  local rule <const>, message <const> = fields(value, path)
  if not rule then return nil, message end
  for key in next, rule do
    if not KEYS[key] then
      return nil, ("%s.%s: unknown key; known are from, to, table, priority, iif, fwmark")
        :format(path, shown(key))
    end
  end
  if not rule.from and not rule.to then
    return nil, ('%s: must have a "from" or a "to": a prefix, or "self"'):format(path)
  end
  local from <const>, to <const> = family_of(rule.from), family_of(rule.to)
  if from and to and from ~= to then
    return nil, ("%s.to: %s is of another family than from, %s"):format(path, rule.to, rule.from)
  end
  return rule
end

---The check of the key `policyRules`.
M.field = schema.list(schema.as({ like = fields, additionalProperties = false }, check))

-- What is to be there --------------------------------------------------------------------------

local function by_address(addresses)
  local list <const> = {}
  for i, entry in ipairs(addresses) do
    local address <const> = assert(ip.parse(entry.address))
    list[i] = { family = address:family(),
      prefix = ("%s/%d"):format(address:address(), FULL[address:family()]) }
  end
  return list
end

-- One rule of the configuration for one address, or for none where it names no "self".
local function rule_of(asked, family, own)
  local function side(text) return text == SELF and own or text end
  return { family = family, from = side(asked.from), to = side(asked.to), table = asked.table,
    priority = asked.priority or DEFAULT_PRIORITY, iif = asked.iif, fwmark = asked.fwmark }
end

---The rules that a configuration asks for.
---@param asked table[]? checked
---@param addresses table[] `{ address }` of the pod, with prefix length
---@return table[] rules `{ family, from?, to?, table, priority, iif?, fwmark? }`
function M.of(asked, addresses)
  local list <const> = json.array()
  for _, one in ipairs(asked or {}) do
    local family <const> = family_of(one.from) or family_of(one.to)
    if one.from ~= SELF and one.to ~= SELF then
      list[#list + 1] = rule_of(one, family)
    else
      for _, own in ipairs(by_address(addresses)) do
        if not family or family == own.family then
          list[#list + 1] = rule_of(one, own.family, own.prefix)
        end
      end
    end
  end
  return list
end

---A rule in the words of `ip rule`.
---@param rule table
---@return string
function M.text(rule)
  local words <const> = { ("%d: from %s"):format(rule.priority, rule.from or "all") }
  for _, key in ipairs { "to", "fwmark", "iif" } do
    if rule[key] then words[#words + 1] = key .. " " .. rule[key] end
  end
  words[#words + 1] = "lookup " .. rule.table
  return table.concat(words, " ")
end

-- The kernel -----------------------------------------------------------------------------------

-- A rule as the kernel is asked for it.
local function request(rule)
  local mark, mask = (rule.fwmark or ""):match("^(.*)/(.*)$")
  mark, mask = math.tointeger(tonumber(mark)), math.tointeger(tonumber(mask))
  return { family = tostring(rule.family), from = rule.from, to = rule.to, table = rule.table,
    priority = rule.priority, iif = rule.iif, fwmark = mark, fwmask = mask }
end

-- What makes two rules the same, whoever says them.
local function key_of(family, rule)
  local function prefix(text) return text and tostring(ip.parse(text):network()) or "all" end
  local marked <const> = rule.fwmark and rule.fwmark ~= 0
  return table.concat({ family, rule.priority or 0, prefix(rule.from), prefix(rule.to),
    tostring(rule.table), rule.iif or "", marked and rule.fwmark or 0,
    marked and (rule.fwmask or U32) or 0 }, " ")
end

local NAMED <const> = { main = 254, default = 253, ["local"] = 255 }

-- A rule that only looks into a table, whatever else it may say.
local PLAIN <const> = { "tos", "invert", "oif", "l3mdev", "uidrange", "ipproto", "sport", "dport",
  "tun_id", "goto", "suppress_prefixlength", "suppress_ifgroup" }

local function is_plain(rule)
  for _, key in ipairs(PLAIN) do
    if rule[key] then return false end
  end
  return rule.action == nil or rule.action == "lookup"
end

local function held(nl)
  local keys <const> = {}
  for _, family in ipairs { 4, 6 } do
    local list <const>, message <const>, code <const> =
      nl.rule:list { family = tostring(family) }
    if not list then return nil, message, code end
    for _, rule in ipairs(list) do
      local copy <const> = { from = rule.from, to = rule.to, priority = rule.priority,
        iif = rule.iif, fwmark = rule.fwmark, fwmask = rule.fwmask,
        table = NAMED[rule.table] or rule.table }
      if is_plain(rule) then keys[key_of(family, copy)] = true end
    end
  end
  return keys
end

---The rules of a list that are there, and those that are not.
---@param nl table handle of the pod's namespace
---@param rules table[]? as of `of`
---@return table[]? missing, table[]|string present, string? code
function M.sort(nl, rules)
  local missing <const>, present <const> = json.array(), json.array()
  if not rules or #rules == 0 then return missing, present end
  local keys <const>, message <const>, code <const> = held(nl)
  if not keys then return nil, message, code end
  for _, rule in ipairs(rules) do
    local list <const> = keys[key_of(rule.family, request(rule))] and present or missing
    list[#list + 1] = rule
  end
  return missing, present
end

---Adds rules; one that is there already does.
---@param nl table
---@param rules table[]? as of `of`
---@param added? fun(rule: table) called after each
---@return true? ok, string? message, string? code
function M.add(nl, rules, added)
  for _, rule in ipairs(rules or {}) do
    local ok <const>, message <const>, code <const> = nl.rule:add(request(rule))
    if not ok and code ~= "EEXIST" then return nil, "policyRules: " .. message, code end
    if ok and added then added(rule) end
  end
  return true
end

---Deletes rules; those that are gone are fine.
---@param nl table
---@param rules table[]? as of `of`
---@return true? ok, string? message, string? code the first that could not be deleted
function M.remove(nl, rules)
  local wrong, number
  for _, rule in ipairs(rules or {}) do
    local ok <const>, message <const>, code <const> = nl.rule:del(request(rule))
    if not ok and code ~= "ENOENT" then wrong, number = wrong or message, number or code end
  end
  return not wrong or nil, wrong, number
end

---What differs between planned rules and the kernel's.
---@param nl table
---@param rules table[]?
---@return string[] differences one sentence each
function M.differences(nl, rules)
  local missing <const>, message <const> = M.sort(nl, rules)
  if not missing then return { message } end
  local texts <const> = {}
  for i, rule in ipairs(missing) do
    texts[i] = ("policy rule %s is missing"):format(M.text(rule))
  end
  return texts
end

return M
