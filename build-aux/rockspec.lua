--- Prints ecmp-scm-1.rockspec with its module lists made from the tree: a file that was forgotten
--- there is missing from every installed rock.
---
---   lua5.4 build-aux/rockspec.lua [--check]

local PATH <const> = "ecmp-scm-1.rockspec"

local function find(pattern)
  local files = {}
  local list <close> = assert(io.popen("find " .. pattern .. " | LC_ALL=C sort"))
  for path in list:lines() do files[#files + 1] = path end
  return files
end

--- One C module: the sources in its folder and in common/, and libmnl where it is needed.
local function c_module(name, folder, with_mnl)
  local sources = find(("csrc/common csrc/%s -name '*.c'"):format(folder))
  local lines = { ("    [%q] = {"):format("ecmp." .. name), "      sources = {" }
  for _, path in ipairs(sources) do lines[#lines + 1] = ("        %q,"):format(path) end
  lines[#lines + 1] = "      },"
  local directories = with_mnl and '"csrc", "$(MNL_INCDIR)"' or '"csrc"'
  lines[#lines + 1] = ("      incdirs = { %s },"):format(directories)
  if with_mnl then lines[#lines + 1] = '      libdirs = { "$(MNL_LIBDIR)" },' end
  local libraries = with_mnl and { '"mnl"', '"pthread"' } or { '"m"', '"pthread"' }
  lines[#lines + 1] = ("      libraries = { %s },"):format(table.concat(libraries, ", "))
  lines[#lines + 1] = "    },"
  return table.concat(lines, "\n")
end

local function lua_modules()
  local lines = {}
  for _, path in ipairs(find "lua -name '*.lua'") do
    local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    lines[#lines + 1] = ("    [%q] = %q,"):format(name, path)
  end
  return table.concat(lines, "\n")
end

local function modules()
  return table.concat({
    c_module("ip", "ip"), c_module("rtnl", "rtnl", true), c_module("sandbox.process", "sandbox"),
    c_module("sys", "sys"),
    lua_modules(),
  }, "\n")
end

local file = assert(io.open(PATH))
local text = file:read "a"
file:close()
local wanted = text:gsub("(  modules = {\n).-(\n  },\n)", function(head, tail)
  return head .. modules() .. tail
end, 1)
if arg[1] == "--check" then
  if wanted == text then return end
  io.stderr:write(PATH, ": its modules are not those of the tree: run `make rockspec`\n")
  os.exit(1)
end
io.write(wanted)
