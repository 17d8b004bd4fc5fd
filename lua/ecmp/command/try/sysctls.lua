---The writable sysctls below net of a namespace, and which of them have changed.
local sys = require "ecmp.sys"

local M = {}

local ROOT <const> = "/proc/sys/"
local WRITABLE <const> = tonumber("222", 8)

-- Adds the writable files below a directory of the caller's own namespace. Every namespace has the
-- same, but for the interfaces; each has lo.
local function collect(dir, into)
  for _, name in ipairs(assert(sys.list(dir))) do
    local path <const> = dir .. "/" .. name
    local found <const> = sys.lstat(path)
    if found and found.type == "dir" then
      collect(path, into)
    elseif found and found.mode & WRITABLE ~= 0 then
      into[#into + 1] = path:sub(#ROOT + 1)
    end
  end
  return into
end

local keys

-- What cannot be read is unset (an IPv6 stable_secret), or only there to be written to.
local function read(nl, key) return nl.sysctl:get(key) or "unset" end

---Reads all sysctls of a namespace.
---@param nl table
---@return table<string, string> values by key, with slashes
function M.read(nl)
  keys = keys or collect(ROOT .. "net", {})
  local values <const>, devs <const> = {}, {}
  for _, link in ipairs(assert(nl.link:list())) do devs[#devs + 1] = link.name end
  for _, key in ipairs(keys) do
    local front <const>, back <const> = key:match "^(.*/)lo(/.*)$"
    if front then
      for _, dev in ipairs(devs) do
        values[front .. dev .. back] = read(nl, front .. dev .. back)
      end
    else
      values[key] = read(nl, key)
    end
  end
  return values
end

-- What switches forwarding on, and what the kernel sets along with it on every interface.
local FORWARDING <const> = {
  { switch = "net/ipv4/ip_forward",
    follows = { ["^net/ipv4/conf/.*/forwarding$"] = "1",
      ["^net/ipv4/conf/.*/accept_redirects$"] = "0" } },
  { switch = "net/ipv6/conf/all/forwarding",
    follows = { ["^net/ipv6/conf/.*/forwarding$"] = "1" } },
}

local function is_on(before, after, switch)
  return before[switch] == "0" and after[switch] == "1"
end

-- Whether a change comes from forwarding that is on now: `true` for the switch itself, `false` for
-- what the kernel has set along with it, nil for all else.
local function forwarding(before, after, key)
  for _, family in ipairs(FORWARDING) do
    if is_on(before, after, family.switch) then
      if key == family.switch then return true end
      for pattern, value in pairs(family.follows) do
        if key:find(pattern) and after[key] == value then return false end
      end
    end
  end
end

-- As `sysctl` writes it; an interface's name may have dots in it.
local function shown(key) return key:find(".", 1, true) and key or key:gsub("/", ".") end

---Compares the values of two times. What is there only one time is left out: it came or went with
---an interface or a kernel module.
---@param before table<string, string>
---@param after table<string, string>
---@return { text: string, forwarding?: boolean }[] changes in the order of keys. `forwarding` is
---true where forwarding was switched on; what the kernel sets along with it is left out
function M.changes(before, after)
  local changed <const>, changes <const> = {}, {}
  for key, value in pairs(after) do
    if before[key] and before[key] ~= value then changed[#changed + 1] = key end
  end
  table.sort(changed)
  for _, key in ipairs(changed) do
    local by <const> = forwarding(before, after, key)
    if by ~= false then
      local text <const> = ("sysctl %s is %s, was %s"):format(shown(key), after[key], before[key])
      changes[#changes + 1] = { text = text, forwarding = by }
    end
  end
  return changes
end

return M
