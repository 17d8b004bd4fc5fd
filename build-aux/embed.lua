--- Turns Lua sources into one C file, for the executable that needs no Lua on the machine.
---
---   lua5.4 build-aux/embed.lua OUT.c LIST COMMIT
---
--- LIST has MODULE=PATH, separated by blanks; COMMIT the commit that is built, or nothing.
---
--- Sources become bytecode, with line numbers kept so that a fault can still be found, under names
--- that say nothing about where it was built: two builds give the same bytes.

local bytecode <const> = dofile((arg[0]:gsub("[^/]*$", "bytecode.lua")))

--- Compiles a file, and makes sure that what will be loaded is what the source says.
local function compile(name, path)
  local file <close> = assert(io.open(path, "rb"))
  local source = file:read("a"):gsub("^#[^\n]*", "")
  local chunk = assert(load(source, ("=%s.lua"):format(name:gsub("%.", "/")), "t"))
  local code = bytecode.dump(chunk)
  local same = string.dump(assert(load(code, name, "b")), true) == string.dump(chunk, true)
  assert(same, path .. ": bytecode does not reload")
  return code
end

local function c_bytes(text)
  local lines = {}
  for at = 1, #text, 24 do
    local line = text:sub(at, at + 23):gsub(".", function(c) return c:byte() .. "," end)
    lines[#lines + 1] = "\t" .. line
  end
  return table.concat(lines, "\n")
end

local function read_list(list)
  local file <close> = assert(io.open(list))
  local modules = {}
  for name, path in file:read("a"):gmatch "([^=%s]+)=(%S+)" do
    modules[#modules + 1] = { name = name, path = path }
  end
  -- main.c looks names up by halving
  table.sort(modules, function(a, b) return a.name < b.name end)
  return modules
end

-- Around a page that is read the kernel maps sixteen: what plugins load lies together, in the order
-- in which it is loaded.
local ROOTS <const> = { "ecmp.command.main", "ecmp.cni", "ecmp.flow", "ecmp.nl", "ecmp.nl.route",
  "ecmp.nl.sysctl", "ecmp.rule", "ecmp.plugin" }

---The modules that a source requires as it is loaded, and not in a function later.
local function required(path)
  local names = {}
  for line in io.lines(path) do
    names[#names + 1] = line:match '^%S.*require[ (]"([%w.-]+)"'
      or line:match '^  %w+ = require "([%w.-]+)",$'
  end
  return names
end

---The modules in the order in which they lie.
local function in_place(modules)
  local by_name, placed = {}, {}
  for _, module in ipairs(modules) do by_name[module.name] = module end
  local function place(module)
    if not module or placed[module] then return end
    placed[module] = true
    placed[#placed + 1] = module
    for _, name in ipairs(required(module.path)) do place(by_name[name]) end
  end
  for _, root in ipairs(ROOTS) do
    for _, module in ipairs(modules) do
      if (module.name .. "."):find(root .. ".", 1, true) == 1 then place(module) end
    end
  end
  for _, module in ipairs(modules) do place(module) end
  return placed
end

local modules <const> = read_list(arg[2])
local out <close> = assert(io.open(arg[1], "wb"))
out:write "/* Made by build-aux/embed.lua: bytecode of the Lua sources. */\n"
out:write '#include "exe/embed.h"\n\n'
out:write "const unsigned char embedded_code[] = {\n"
local size = 0
for _, module in ipairs(in_place(modules)) do
  local code <const> = compile(module.name, module.path)
  module.offset, module.size = size, #code
  size = size + #code
  out:write(c_bytes(code), "\n")
end
out:write "};\n\nconst struct embedded embedded[] = {\n"
for _, module in ipairs(modules) do
  out:write(("\t{ \"%s\", %d, %d },\n"):format(module.name, module.offset, module.size))
end
out:write("};\n\nconst size_t embedded_count = ", #modules, ";\n")
local commit <close> = assert(io.open(arg[3]))
out:write(("const char embedded_commit[] = %q;\n"):format(commit:read "l"))
