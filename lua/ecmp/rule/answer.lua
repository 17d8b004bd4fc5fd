---What came out of a cage, checked before anything else sees it.
--
-- The script had the process to itself, so nothing that was checked in there counts: here are plain
-- values without metatables, and each is looked at, down to the message that the kernel would get.
local check <const> = require "ecmp.rule.validate"
local ip <const> = require "ecmp.ip"

local M = {}

---@param value any
---@param path string what to call it, "merge"
---@param links table? interfaces by name; without it any name will do
---@return table[]? routes, string? message
function M.routes(value, path, links)
  local routes, message = check.routes(value, path, links)
  if not routes then return nil, message end
  for _, of in ipairs { check.sayable, check.distinct } do
    local right
    right, message = of(routes, path)
    if not right then return nil, message end
  end
  return routes
end

-- The plan -------------------------------------------------------------------------------------

local PARTS <const> = { addresses = "table", routes = "table", sysctls = "table" }
local ADDRESS <const> = { address = "string", gateway = "string", dev = "string" }

local function check_address(entry, path, links)
  local message <const> = check.record(entry, ADDRESS, path)
  if message then return message end
  for _, field in ipairs { "address", "gateway" } do
    local text <const> = entry[field]
    if not (text and ip.parse(text)) and (text or field == "address") then
      return ("%s.%s: is no address"):format(path, field)
    end
  end
  return check.device(entry.dev, path .. ".", links)
end

local function check_addresses(list, path, links)
  local message = check.list(list, path, "addresses")
  for i = 1, message and 0 or #list do
    message = message or check_address(list[i], ("%s[%d]"):format(path, i), links)
  end
  return message
end

---Only the network settings of the pod may be written; a path that climbs out of them may not.
local function check_sysctl(name, value, path)
  local shown <const> = ("%s.%s"):format(path, tostring(name):sub(1, 64))
  if type(name) ~= "string" or not name:find("^net[./]") or name:find("..", 1, true)
    or name:find("%c") then
    return ("%s: is no setting of the network"):format(shown)
  end
  if type(value) ~= "string" and math.type(value) ~= "integer" then
    return ("%s: text is due here, not a %s"):format(shown, type(value))
  end
  if tostring(value):find("%c") then return ("%s: one line of text is due here"):format(shown) end
end

---A part that the script left out stays as it was.
---@param value any what the hook `plan` returned
---@param before table the plan it was given
---@param links table? interfaces by name
---@return table? plan, string? message
function M.plan(value, before, links)
  local message = check.record(value, PARTS, "plan")
  if message then return nil, message end
  local plan <const> = {}
  for part in pairs(PARTS) do plan[part] = value[part] or before[part] or {} end
  message = check_addresses(plan.addresses, "plan.addresses", links)
  for name, setting in pairs(plan.sysctls) do
    message = message or check_sysctl(name, setting, "plan.sysctls")
  end
  if message then return nil, message end
  plan.routes, message = M.routes(plan.routes, "plan.routes", links)
  if not plan.routes then return nil, message end
  return plan
end

return M
