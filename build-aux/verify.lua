--- Run by a new executable: is what is embedded in it what the sources say?
---
---   build/bin/ecmp run build-aux/verify.lua LIST        LIST has MODULE=PATH, separated by blanks

-- The searcher of main.c, which looks into the executable and nowhere else.
local search_embedded <const> = package.searchers[2]

--- What a source does, compiled by the Lua that is in the executable; names and lines do not count.
local function bytecode_of(path)
  local file <close> = assert(io.open(path, "rb"))
  local source <const> = file:read("a"):gsub("^#[^\n]*", "")
  return string.dump(assert(load(source, "=" .. path, "t")), true)
end

local function verify(name, path)
  local loader <const>, where <const> = search_embedded(name)
  assert(where == "(embedded)", name .. ": not in the executable")
  assert(string.dump(loader, true) == bytecode_of(path), path .. ": the executable has other code")
end

local list <close> = assert(io.open(arg[1]))
local count = 0
for name, path in list:read("a"):gmatch "([^=%s]+)=(%S+)" do
  verify(name, path)
  count = count + 1
end
assert(count > 0, arg[1] .. ": no modules")
