---Completion: names as far as they can be followed without running anything, fields of the object
---whose verb is being called, devices, and files.

local sys = require "ecmp.sys"

local M = {}

local function words(text)
  local list <const> = {}
  for word in text:gmatch "%S+" do list[#list + 1] = word end
  return list
end

local verbs <const> = {
  route = words [[add add_nexthop append change del del_nexthop each flush get list prepend replace
    resume set_nexthop spread suspend]],
  other = words "add append change del each flush get list replace set",
  sysctl = words "get set",
}

local fields <const> = {
  route = words [[advmss dev dport dst encap family flows iif mark metric mtu nexthops nhid onlink
    proto scope sport src table tos type via weight]],
  nexthop = words [[blackhole buckets dev encap group id idle_timer onlink proto type
    unbalanced_timer via]],
  link = words "address dev master mtu name netns peer type up",
  addr = words "address broadcast dev family label nodad scope",
  rule = words "action family from fwmark iif oif priority table to",
  neigh = words "dev dst family lladdr state",
}

local lab_options <const> = words "families gateways name shared"
local lab_methods <const> = words "close cut draw fail gateway heal hops path predict run send"
local send_options <const> = words "dport dst family flows src"
local nl_members <const> =
  words "addr batch begin close fd link monitor neigh nexthop route rule sysctl"
local ecmp_members <const> = words "group ip lab merge netns open plan rule"

-- Of what cannot be listed by walking it.
local members <const> = {
  ["ecmp.Handle"] = nl_members, ["ecmp.Lab"] = lab_methods,
}

local function index(value, key)
  local ok <const>, found <const> = pcall(function() return value[key] end)
  return ok and found or nil
end

-- Follows `a.b.c`; nothing is called.
local function follow(env, path)
  local value = env
  for name in path:gmatch "[%a_][%w_]*" do
    local kind <const> = type(value)
    if kind ~= "table" and kind ~= "userdata" then return nil end
    value = index(value, name)
  end
  return value
end

local function add_keys(names, value)
  if type(value) ~= "table" then return end
  for key in next, value do
    if type(key) == "string" and key:find "^[%a_][%w_]*$" then names[key] = true end
  end
end

local function members_of(path, value)
  local names <const> = {}
  local object <const> = path:match "([%a_]+)$"
  local mt <const> = getmetatable(value)
  add_keys(names, value)
  local known = mt and members[mt.__name]
  if object == "sysctl" then
    known = verbs.sysctl
  elseif mt and (mt.__name == "ecmp.Object" or mt.__name == "ecmp.Route") then
    known = verbs[object] or verbs.other
  elseif mt and type(mt) == "table" then
    add_keys(names, mt.__index)
  end
  for _, name in ipairs(known or {}) do names[name] = true end
  if object == "ecmp" then
    for _, name in ipairs(ecmp_members) do names[name] = true end
  end
  return names
end

local function globals(env)
  local names <const> = {}
  add_keys(names, env)
  add_keys(names, _G)
  return names
end

-- The call in whose table the cursor stands: `nl.route:add { dst = "x", me`
local function fields_here(before)
  local inside <const> = before:match "([%w_.:]+)%s*%(?%s*{[^{}]*$"
    or before:match "([%w_.:]+)%s*%(?%s*{[^}]*$"
  if not inside then return nil end
  local object <const> = inside:match "([%a_]+):[%a_]+$"
  if fields[object] then return fields[object] end
  if inside:find "%.lab$" then return lab_options end
  if inside:find ":send$" or inside:find ":predict$" then return send_options end
end

local function devices(env)
  local names <const> = {}
  local nl <const> = env.nl
  for _, link in ipairs(nl and nl.link:list() or {}) do names[link.name] = true end
  return names
end

-- Behind a colon stands what can be called.
local function methods_of(path, value)
  local names <const> = members_of(path, value)
  for name in pairs(names) do
    local kind <const> = type(index(value, name))
    if kind ~= "function" and kind ~= "nil" then names[name] = nil end
  end
  return names
end

local function matching(names, prefix, head)
  local found <const> = {}
  for name in pairs(names) do
    if name:sub(1, #prefix) == prefix then found[#found + 1] = head .. name end
  end
  table.sort(found)
  return found
end

local function as_set(list)
  local set <const> = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

local takes_file <const> = { source = true, plan = true, apply = true, dofile = true }

-- Files and, with a slash behind them, directories; hidden ones are asked for by their dot. Of a
-- directory that is the only one its files are offered: readline puts a quote behind what is alone.
local function files(word)
  local folder <const>, prefix <const> = word:match "^(.-)([^/]*)$"
  local names <const> = {}
  for _, name in ipairs(sys.list(folder == "" and "." or folder) or {}) do
    local found <const> = sys.stat(folder .. name)
    local wanted <const> = name:sub(1, 1) ~= "." or prefix:sub(1, 1) == "."
    if found and wanted then names[name .. (found.type == "dir" and "/" or "")] = true end
  end
  local found <const> = matching(names, prefix, folder)
  local inside <const> = #found == 1 and found[1]:find "/$" and files(found[1]) or {}
  return #inside > 0 and inside or found
end

---What a word can become.
---@param env table
---@param line string
---@param from integer where the word begins
---@param to integer where the cursor is
---@return string[]
function M.candidates(env, line, from, to)
  local word <const>, before <const> = line:sub(from, to), line:sub(1, from - 1)
  if before:find 'dev%s*=%s*"$' then return matching(devices(env), word, "") end
  local call <const> = before:match "([%w_]+)%s*%(?%s*[\"']$"
  if takes_file[call] then return files(word) end
  local path <const>, sign <const>, prefix <const> = word:match "^([%w_.]+)([.:])([%w_]*)$"
  if path then
    local value <const> = follow(env, path)
    if value == nil then return {} end
    local known <const> = sign == ":" and methods_of or members_of
    return matching(known(path, value), prefix, path .. sign)
  end
  if not word:find "^[%a_]?[%w_]*$" then return {} end
  local here <const> = fields_here(before)
  if here and before:find "[{,]%s*$" then
    local found <const> = matching(as_set(here), word, "")
    if #found > 0 then return found end
  end
  return matching(globals(env), word, "")
end

return M
