---Names that a site gives to tables, protocols, realms and the like in /etc/iproute2, as `ip` reads
---and prints them; newer releases of iproute2 have their own in /usr/share/iproute2.

local sys = require "ecmp.sys"

local DIRECTORIES <const> = { "/usr/share/iproute2/", "/etc/iproute2/" }

-- Lines of a number, decimal or hexadecimal, and a name; # begins a comment.
local function read_into(names, path)
  for line in (sys.read(path) or ""):gmatch "[^\n]+" do
    local number, name = line:match "^%s*(%w+)%s+([^%s#]+)"
    number = number and math.tointeger(tonumber(number))
    if number then
      names[number], names[name] = name, number
    end
  end
end

-- /etc/protocols: a name, a number, other names. Numbers without a name have one with ip as well.
local function read_protocols(names, path)
  for number = 1, 255 do
    local name = ("ipproto-%d"):format(number)
    names[number], names[name] = name, number
  end
  for line in (sys.read(path) or ""):gmatch "[^\n]+" do
    local name, number, others = line:match "^%s*([^%s#]+)%s+(%d+)%s*([^#]*)"
    if name then
      names[math.tointeger(number)] = name
      for each in (name .. " " .. others):gmatch "%S+" do
        names[each] = math.tointeger(number)
      end
    end
  end
end

---Reads a file of /etc/iproute2 and those of the directory beside it.
---@param file string "rt_tables", "rt_protos", "rt_scopes", "rt_realms", "rt_dsfield", "group", or
---"/etc/protocols"
---@return table<string|integer, integer|string> names by number, and numbers by name
return function(file)
  local names = {}
  if file == "/etc/protocols" then
    read_protocols(names, file)
    return names
  end
  for _, directory in ipairs(DIRECTORIES) do
    local path = directory .. file
    read_into(names, path)
    local more = sys.list(path .. ".d") or {}
    table.sort(more)
    for _, name in ipairs(more) do
      if name:find "%.conf$" then
        read_into(names, path .. ".d/" .. name)
      end
    end
  end
  return names
end
