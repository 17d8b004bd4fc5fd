--- Bytecode of Lua 5.4 without the names of local variables and upvalues.
---
--- They are read, interned and never used again by a program that runs as long as a plugin does;
--- what is kept are file names and lines, without which a fault cannot be found. `string.dump` can
--- only leave out all of it.
local M = {}

--- A cursor over dumped bytes that copies what it passes, unless told to skip it.
local function cursor(code)
  local self <const> = { at = 1, parts = {} }
  local from = 1

  function self.pass(n)
    self.at = self.at + n
  end

  --- A number as Lua writes sizes: seven bits a byte, the last byte marked.
  function self.size()
    local value = 0
    while true do
      local byte <const> = code:byte(self.at)
      self.at = self.at + 1
      value = value << 7 | byte & 0x7f
      if byte >= 0x80 then return value end
    end
  end

  function self.byte()
    self.at = self.at + 1
    return code:byte(self.at - 1)
  end

  --- A string: its length and one, or nothing for none at all.
  function self.text()
    local size <const> = self.size()
    if size > 0 then self.pass(size - 1) end
  end

  --- Puts something in the place of what `read` passes.
  function self.instead(replacement, read)
    self.parts[#self.parts + 1] = code:sub(from, self.at - 1) .. replacement
    read()
    from = self.at
  end

  function self.finish()
    assert(self.at == #code + 1, "bytecode of another version of Lua")
    self.parts[#self.parts + 1] = code:sub(from)
    return table.concat(self.parts)
  end

  return self
end

-- "\27Lua", version, format, check bytes, three sizes, a sample integer and a sample number.
local HEADER <const> = 4 + 1 + 1 + 6 + 3 + 8 + 8

-- How constants go on after the byte that says what they are: nil, false, true; integer, number;
-- short and long strings.
local WORD <const>, STRINGS <const> = { [0x03] = 8, [0x13] = 8 }, { [0x04] = true, [0x14] = true }

local function constant(c)
  local kind <const> = c.byte()
  if STRINGS[kind] then c.text() else c.pass(WORD[kind] or 0) end
end

local function repeated(c, one)
  for _ = 1, c.size() do one(c) end
end

local function local_name(c)
  c.text()
  c.size()
  c.size()
end

local NONE <const> = "\x80"

local function prototype(c)
  c.text() -- the source
  c.size() -- first and last line
  c.size()
  c.pass(3) -- parameters, vararg, stack
  repeated(c, function() c.pass(4) end) -- instructions
  repeated(c, constant)
  repeated(c, function() c.pass(3) end) -- upvalues
  repeated(c, prototype)
  repeated(c, function() c.pass(1) end) -- lines
  repeated(c, function() c.size() c.size() end)
  c.instead(NONE, function() repeated(c, local_name) end)
  c.instead(NONE, function() repeated(c, c.text) end)
end

---What `string.dump` gives of a function, without the names of its variables.
---@param chunk function
---@return string
function M.dump(chunk)
  local c <const> = cursor(string.dump(chunk))
  c.pass(HEADER + 1) -- and the number of upvalues
  prototype(c)
  return c.finish()
end

return M
