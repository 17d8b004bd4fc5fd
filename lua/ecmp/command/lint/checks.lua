---Checks network configurations for errors and for probable mistakes.
--
-- A finding is `{ path, message }`: the JSON path, counted from 0, and a sentence that says what to
-- write instead. Each check is one row of `M.checks`; what it needs of the machine is asked through
-- `site`, so that all of this is pure.
local as_add = require "ecmp.command.lint.as_add"
local cni_names = require "ecmp.cni.names"
local findings = require "ecmp.plugin.findings"
local json = require "ecmp.json"
local networks = require "ecmp.command.lint.networks"
local programs = require "ecmp.command.programs"
local version = require "ecmp.cni.version"

local M = {}

-- The document ---------------------------------------------------------------------------------

local function name(document, say)
  local given <const> = json.get(document, "name")
  if type(given) ~= "string" or given == "" then
    return say("name", "must be given: a text of letters, digits, '_', '.' and '-'")
  end
  if not cni_names.is_identifier(given) then
    say("name", ("'%s' is no network name; write letters, digits, '_', '.' and '-'"):format(given))
  end
end

local function is_version(text)
  for _, known in ipairs(version.all) do
    if known == text then return true end
  end
  return false
end

local function spoken_version(document, say)
  local given <const> = json.get(document, "cniVersion")
  if given == nil or given == "" or is_version(given) then return end
  say("cniVersion", ("'%s' is no version of CNI; write one of %s"):format(tostring(given),
    table.concat(version.all, ", ")))
end

-- libcni takes what ends in .conflist for a list, and other names for one plugin.
local function file_name(document, say, one)
  local ending <const> = one.file:match("%.([^./]*)$")
  local is_list <const> = json.get(document, "plugins") ~= nil
  if ending == "conflist" and not is_list then
    say("plugins", "a file that ends in .conflist needs a list of plugins; "
      .. "rename it to .conf, or write \"plugins\": [ { ... } ]")
  elseif is_list and (ending == "conf" or ending == "json") then
    say("plugins", ("in a file that ends in .%s runtimes look for one plugin; "
      .. "rename it to .conflist"):format(ending))
  end
end

local LIST_KEYS <const> = { "cniVersion", "cniVersions", "name", "disableCheck", "disableGC",
  "loadOnlyInlinedPlugins", "plugins" }

local function set_of(list)
  local set <const> = {}
  for _, key in ipairs(list) do set[key] = true end
  return set
end

local is_list_key <const> = set_of(LIST_KEYS)

-- The keys that some plugin of the list has.
local function plugin_keys(one)
  local keys <const> = {}
  for _, entry in ipairs(one.plugins) do
    for key in pairs(entry.program and findings.keys(entry.program) or {}) do keys[key] = true end
  end
  return keys
end

local function list_keys(document, say, one)
  if json.get(document, "plugins") == nil then return end
  local known <const> = plugin_keys(one)
  for key in next, document do
    local near <const> = not is_list_key[key] and findings.near(key, is_list_key)
    if is_list_key[key] then
      known[key] = nil
    elseif known[key] then
      say(key, ("is not heeded beside \"plugins\"; write it into the plugin's own object, "
        .. "plugins[0].%s"):format(key))
    elseif near then
      say(key, ("unknown key, is not heeded (did you mean '%s'?)"):format(near))
    end
  end
end

-- The plugins ----------------------------------------------------------------------------------

local function types()
  local names <const> = { ecmp = true }
  for _, row in ipairs(programs.types()) do
    names["ecmp-" .. row.type] = true
    if row.reference then names[row.type] = true end
  end
  return names
end

local function nearest_type(kind)
  local known <const> = types()
  local near <const> = not known[kind] and findings.near(kind, known)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

local function binary(kind, path, say, site)
  if type(kind) ~= "string" or kind == "" then
    return say(path, "must be given: the name of the plugin's program")
  end
  if not site.find(kind) then
    say(path, ("there is no program '%s' in %s; install it, or mend the name%s"):format(kind,
      site.directories, nearest_type(kind)))
  end
end

local function binaries(_, say, one, site)
  for _, entry in ipairs(one.plugins) do
    binary(json.get(entry.conf, "type"), entry.path .. "type", say, site)
    local ipam <const> = json.get(entry.conf, "ipam")
    local kind <const> = json.kind(ipam) == "object" and json.get(ipam, "type")
    if kind then binary(kind, entry.path .. "ipam.type", say, site) end
  end
end

local function speaks(spoken, wanted)
  for _, one in ipairs(spoken) do
    if one == wanted then return true end
  end
  return false
end

-- The newest version that all of these speak.
local function common(all_spoken)
  for i = #version.all, 1, -1 do
    local by_all = true
    for _, spoken in ipairs(all_spoken) do
      by_all = by_all and speaks(spoken, version.all[i])
    end
    if by_all then return version.all[i] end
  end
end

local function versions(document, say, one, site)
  local wanted <const> = json.get(document, "cniVersion") or version.oldest
  if not is_version(wanted) then return end
  local all_spoken <const>, lacking <const> = {}, {}
  for _, entry in ipairs(one.plugins) do
    local kind <const> = json.get(entry.conf, "type")
    local spoken <const> = type(kind) == "string" and site.versions(kind)
    if spoken then
      all_spoken[#all_spoken + 1] = spoken
      if not speaks(spoken, wanted) then lacking[#lacking + 1] = { entry.path .. "type", kind } end
    end
  end
  for _, row in ipairs(lacking) do
    local newest <const> = common(all_spoken)
    say(row[1], ("'%s' does not speak version %s; %s"):format(row[2], wanted, newest
      and ("write \"cniVersion\": \"%s\""):format(newest) or "no version is spoken by all plugins"))
  end
end

local function first_in_chain(_, say, one)
  local first <const> = one.plugins[1]
  local plugin <const> = first and first.program and require(first.program.module).plugin
  if plugin and not plugin.attach then
    say(first.path .. "type", ("'%s' changes the routes of a plugin before it, and is the first; "
      .. "write it behind the one that makes the interface"):format(json.get(first.conf, "type")))
  end
end

local function of_plugins(_, say, one)
  for _, entry in ipairs(one.plugins) do
    for _, found in ipairs(findings.of(entry.conf, entry.program)) do
      say(entry.path .. found.key, found.message)
    end
  end
end

-- A refusal begins with the key; one of a route that was decided on with that route, one of a rule
-- script with the script's path.
local function place_of(message)
  local key <const>, what <const> = message:match("^([%a][%w_.%[%]%-]*): (.*)$")
  if key then return key, what end
  return message:find("^route ") and "ipam.routes" or "script", message
end

local function refused(_, say, one)
  as_add.chain(one.plugins, function(i, message)
    local key <const>, what <const> = place_of(message)
    say(one.plugins[i].path .. key, what)
  end)
end

-- The kernel's tables, which are never empty for long.
local FILLED <const> = { [253] = true, [254] = true, [255] = true }

local function route_tables(one)
  local tables <const>, has_script = {}, false
  for _, entry in ipairs(one.plugins) do
    has_script = has_script or json.get(entry.conf, "script") ~= nil
    findings.each_route({
      ["ipam.routes"] = json.get(json.get(entry.conf, "ipam"), "routes"),
      routes = json.get(entry.conf, "routes"), addroutes = json.get(entry.conf, "addroutes"),
    }, function(route) tables[route.table or 254] = true end)
  end
  return tables, has_script
end

-- A rule that looks into an empty table is no error: the kernel goes on with the next rule.
local function tables_of_rules(_, say, one)
  local tables <const>, has_script <const> = route_tables(one)
  for _, entry in ipairs(has_script and {} or one.plugins) do
    local rules <const> = json.get(entry.conf, "policyRules")
    for i, rule in ipairs(json.kind(rules) == "list" and rules or {}) do
      local number <const> = json.get(rule, "table")
      if math.type(number) == "integer" and not tables[number] and not FILLED[number] then
        say(("%spolicyRules[%d].table"):format(entry.path, i - 1), ("no route goes into table %d; "
          .. "write \"table\": %d into the routes that the rule is to find"):format(number, number))
      end
    end
  end
end

local function pools(_, say, one)
  for _, entry in ipairs(one.plugins) do
    if entry.program and json.get(json.get(entry.conf, "ipam"), "type") == "ecmp-pool" then
      for _, found in ipairs(require("ecmp.plugin.pool").lint(entry.conf)) do
        say(entry.path .. found.path, (found.message:gsub("^[%w_.%[%]]+: ", "")))
      end
    end
  end
end

local function gateways(_, say, one)
  for _, entry in ipairs(one.plugins) do
    networks.gateways(entry, function(key, message) say(entry.path .. key, message) end)
  end
end

---The checks of one document: each is called with the document, `say(path, message)`, `{ file,
---plugins = { { conf, path, program? } } }` and `site`. A later one is silent about what an earlier
---one has said something about.
M.checks = {
  name, spoken_version, file_name, list_keys, first_in_chain, binaries, versions, of_plugins, pools,
  gateways, tables_of_rules, refused,
}

-- Each plugin's configuration as it gets it: with the name and the version of the list.
local function plugins_of(document)
  local plugins <const> = json.get(document, "plugins")
  if plugins == nil then
    local kind <const> = json.get(document, "type")
    return { { conf = document, path = "",
      program = type(kind) == "string" and programs.plugin(kind) or nil } }
  end
  if json.kind(plugins) ~= "list" or #plugins == 0 then
    return nil, "plugins", "must be a list with at least one plugin: [ { \"type\": ... } ]"
  end
  local list <const> = {}
  for i, conf in ipairs(plugins) do
    local path <const> = ("plugins[%d]"):format(i - 1)
    if json.kind(conf) ~= "object" then return nil, path, "must be an object, { \"type\": ... }" end
    local own <const> = setmetatable({}, getmetatable(conf))
    for key, value in next, conf do own[key] = value end
    own.name, own.cniVersion = json.get(document, "name"), json.get(document, "cniVersion")
    local kind <const> = json.get(conf, "type")
    list[i] = { conf = own, path = path .. ".",
      program = type(kind) == "string" and programs.plugin(kind) or nil }
  end
  return list
end

---What is to be said of one file.
---@param file string its name
---@param text string
---@param site table `{ find(type) -> path?, versions(type) -> string[]?, directories = text }`
---@return table[] findings `{ path, message }`
---@return table? one `{ file, document, plugins }`; nil where the text is no configuration
function M.of(file, text, site)
  local found <const>, said <const> = {}, {}
  local function say(path, message)
    if said[path] then return end
    said[path] = true
    found[#found + 1] = { path = path, message = message }
  end
  local document <const>, wrong <const> = json.decode(text)
  if json.kind(document) ~= "object" then
    say("", wrong or "must be a JSON object, { \"name\": ... }")
    return found
  end
  local plugins <const>, path <const>, message <const> = plugins_of(document)
  if not plugins then
    say(path, message)
    return found
  end
  local one <const> = { file = file, document = document, plugins = plugins }
  for _, check in ipairs(M.checks) do check(document, say, one, site) end
  return found, one
end

return M
