---Versions of the CNI specification: which there are, how they compare, what they allow.
local errors = require "ecmp.cni.errors"

local codes <const> = errors.codes
local M = {}

---Every version, oldest first; the default for plugins that name none.
M.all = { "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" }
---The newest, in whose form results travel through this project.
M.latest = "1.1.0"
---What a document without a version means.
M.oldest = "0.1.0"

-- Versions whose results have the same shape.
local families <const> = {
  ["0.1.0"] = "ip4", ["0.2.0"] = "ip4", ["0.3.0"] = "ips", ["0.3.1"] = "ips", ["0.4.0"] = "ips",
  ["1.0.0"] = "list", ["1.1.0"] = "list",
}

-- The first version that has a verb, where it is not the first of all.
local since <const> = { CHECK = "0.4.0", GC = "1.1.0", STATUS = "1.1.0" }

---The shape of a version's results: "ip4" (0.1, 0.2), "ips" (0.3, 0.4), "list" (1.x).
---@param version string
---@return string? family nil for a version nobody knows
function M.family(version)
  return families[version]
end

local function numbers(text)
  local list <const> = {}
  for part in (text .. "."):gmatch("([^.]*)%.") do
    if not part:find("^[-+]?%d+$") then return nil end
    list[#list + 1] = math.tointeger(tonumber(part:match("%-?%d+")))
  end
  if #list < 1 or #list > 3 then return nil end
  return list
end

---Compares two versions; up to three integers each, missing ones are 0.
---@param a string
---@param b string
---@return integer? order -1, 0 or 1; string? message when one of them is no version
function M.compare(a, b)
  local left <const>, right <const> = numbers(a), numbers(b)
  if not left or not right then
    return nil, ("cniVersion: '%s' is no version"):format(left and b or a)
  end
  for i = 1, 3 do
    local x <const>, y <const> = left[i] or 0, right[i] or 0
    if x ~= y then return x < y and -1 or 1 end
  end
  return 0
end

---Whether the configuration's version has this verb at all, and the plugin is new enough for it.
local function allows(command, wanted, supported)
  if not since[command] then return true end
  local order <const>, message <const> = M.compare(wanted, since[command])
  if not order then return nil, message, codes.decode end
  if order < 0 then
    return nil, ("config version does not allow %s"):format(command), codes.incompatible
  end
  for _, version in ipairs(supported) do
    if (M.compare(version, wanted) or -1) >= 0 then return true end
  end
  return nil, ("plugin version does not allow %s"):format(command), codes.incompatible
end

---Decides whether a plugin may run a verb for a configuration. The version must literally be one of
---the supported ones: "1.0" is not "1.0.0".
---@param command string the verb
---@param wanted string the configuration's version
---@param supported string[]
---@return boolean? ok, string? message, integer? code, string? details  nil, message, 1 or 6
function M.negotiate(command, wanted, supported)
  local ok <const>, message <const>, code <const> = allows(command, wanted, supported)
  if not ok then return nil, message, code end
  for _, version in ipairs(supported) do
    if version == wanted then return true end
  end
  return nil, "incompatible CNI versions", codes.incompatible,
    ("config is \"%s\", plugin supports [\"%s\"]"):format(wanted, table.concat(supported, '" "'))
end

---The answer to VERSION. `cniVersion` is the newest we know, since the input is not read. Versions
---need no quoting, so this needs no JSON.
---@param supported string[]
---@return string json with a newline
function M.text(supported)
  return ('{"cniVersion":"%s","supportedVersions":["%s"]}\n')
    :format(M.latest, table.concat(supported, '","'))
end

return M
