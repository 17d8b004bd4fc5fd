--- Changes the pure modules in one place at a time, runs the specs of the module, and names the
--- changes that no spec notices: an operator for another, a branch never or always taken, a
--- statement left out.
--
--   mutants.lua make DIR [MODULE...]   writes the mutants of these modules, or of all, below DIR
--   mutants.lua try DIR/NUMBER         runs the specs of one; its outcome goes into its folder
--   mutants.lua sum DIR                prints what survived; fails where a survivor is not argued
--                                      in spec/mutants.lua, or more than one in twenty survive
--
-- SAMPLE=N makes every N-th mutant alone, beginning with one that is drawn.
local config <const> = dofile "spec/mutants.lua"

-- Lua's tokens ------------------------------------------------------------------------------------

local SYMBOLS <const> = { "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".." }

local function skip_long(text, at)
  local level <const> = text:match("^%[(=*)%[", at)
  return level and assert(select(2, text:find("]" .. level .. "]", at, true))) + 1
end

local function string_end(text, at)
  local quote <const> = text:sub(at, at)
  local i = at + 1
  while text:sub(i, i) ~= quote do i = i + (text:sub(i, i) == "\\" and 2 or 1) end
  return i + 1
end

-- Where the token at a place ends, and its kind.
local function token_end(text, at)
  if text:find("^%-%-", at) then
    return skip_long(text, at + 2) or text:find("\n", at, true) or #text + 1, "comment"
  end
  local long <const> = skip_long(text, at)
  if long then return long, "string" end
  local first <const> = text:sub(at, at)
  if first == '"' or first == "'" then return string_end(text, at), "string" end
  if first:find "[%a_]" then return text:match("^[%w_]+()", at), "word" end
  if text:find("^%.?%d", at) then
    return text:match("^0[xX]%x+()", at) or text:match("^[%d.]+[eE]?[%d]*()", at), "number"
  end
  for _, symbol in ipairs(SYMBOLS) do
    if text:sub(at, at + #symbol - 1) == symbol then return at + #symbol, "symbol" end
  end
  return at + 1, "symbol"
end

---@return { text: string, from: integer, to: integer, kind: string }[]
local function tokens_of(text)
  local tokens <const>, at = {}, 1
  while true do
    at = text:match("^%s*()", at)
    if at > #text then return tokens end
    local past <const>, kind <const> = token_end(text, at)
    if kind ~= "comment" then
      tokens[#tokens + 1] = { text = text:sub(at, past - 1), from = at, to = past - 1, kind = kind }
    end
    at = past
  end
end

-- Changes -----------------------------------------------------------------------------------------

local OTHER <const> = {
  ["=="] = "~=", ["~="] = "==", ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">",
  ["+"] = "-", ["*"] = "+", ["//"] = "*", ["%"] = "*", ["&"] = "|", ["|"] = "&", ["<<"] = ">>",
  ["and"] = "or", ["or"] = "and", ["true"] = "false", ["false"] = "true", ["not"] = "",
}
-- what a value ends with: a minus behind it subtracts, and `<const>` stands behind a name
local VALUE_ENDS <const> = { [")"] = true, ["]"] = true, ["}"] = true }

local function is_value(token)
  return token and (token.kind ~= "symbol" or VALUE_ENDS[token.text])
end

local function is_attribute(tokens, i)
  local function at(k) return (tokens[k] or {}).text end
  local name <const> = at(i) == "<" and at(i + 1) or at(i) == ">" and at(i - 1)
  return name == "const" or name == "close"
end

-- The word that ends a condition; what functions in it contain is skipped.
local function condition_end(tokens, i, word)
  local depth = 0
  for k = i + 1, #tokens do
    local text <const> = tokens[k].text
    local opens <const> = text == "function" or text == "if" or text == "do" and word ~= "do"
    if opens then depth = depth + 1 end
    if depth == 0 and text == word then return k end
    if text == "end" then depth = depth - 1 end
  end
end

local function conditions(tokens, i, change)
  local token <const> = tokens[i]
  local ends <const> = ({ ["if"] = "then", ["elseif"] = "then", ["while"] = "do" })[token.text]
  if not ends then return end
  local last <const> = condition_end(tokens, i, ends)
  local from <const>, to <const> = tokens[i + 1].from, tokens[last - 1].to
  change(token, from, to, function(text) return "false and (" .. text .. ")" end, "never")
  if ends == "then" then
    local function taken(text) return "true or (" .. text .. ")" end
    change(token, from, to, taken, "always")
  end
end

-- Numbers that something is compared with or reckoned by; those in lists of constants are names.
local RECKONS <const> = { ["+"] = true, ["-"] = true, ["*"] = true, ["//"] = true, ["%"] = true,
  ["<"] = true, ["<="] = true, [">"] = true, [">="] = true, ["=="] = true, ["~="] = true }
-- Where a truth is an outcome; elsewhere it is mostly an option, as of string.find.
local YIELDS <const> = { ["return"] = true, ["="] = true, ["and"] = true, ["or"] = true }

local function replacement(tokens, i)
  local token <const>, before <const> = tokens[i], (tokens[i - 1] or {}).text
  local after <const> = (tokens[i + 1] or {}).text
  if token.kind == "string" or is_attribute(tokens, i) then return end
  if token.kind == "number" then
    local number <const> = tonumber(token.text)
    local reckons <const> = RECKONS[before] or RECKONS[after]
    return reckons and math.type(number) == "integer" and tostring(number + 1)
  end
  if token.text == "-" and is_value(tokens[i - 1]) then return "+" end
  local is_truth <const> = token.text == "true" or token.text == "false"
  return (not is_truth or YIELDS[before]) and OTHER[token.text]
end

local function operators(tokens, i, change)
  local token <const>, other <const> = tokens[i], replacement(tokens, i)
  if not other then return end
  change(token, token.from, token.to, function() return other .. " " end,
    other == "" and "left out" or "to " .. other)
end

local function is_statement(line)
  if line:find "^%s+[%a_][%w_.:%[%]]*%b()$" or line:find "^%s+[%a_][%w_.:%[%]]*%b{}$" then
    return true
  end
  local sets <const> = line:find "^%s+[%a_][^%s=(]* = .*[^,({%s]$"
  return sets and not line:find "^%s+local%s" and not line:find "<const>"
end

-- Calls and assignments that fill a line.
local function statements(text, change)
  for at, line in text:gmatch "()([^\n]*)" do
    if is_statement(line) then
      local from <const>, to <const> = at + #line:match "^%s*", at + #line - 1
      change({ from = from, text = "it" }, from, to, function() return "" end, "left out")
    end
  end
end

local function line_of(text, at)
  local before <const> = text:sub(1, at - 1)
  local _, number <const> = before:gsub("\n", "")
  local from <const> = #before:match "^.*\n" + 1
  return number + 1, text:match("^%s*([^\n]*)", from), at - from
end

-- The mutants of a text: each with its text and a name that stays when lines around it move.
local function mutants_of(module, text)
  local tokens <const>, list <const>, seen <const> = tokens_of(text), {}, {}
  local whole <const> = string.dump(assert(load(text)), true)
  local function change(token, from, to, edit, what)
    local changed <const> = text:sub(1, from - 1) .. edit(text:sub(from, to)) .. text:sub(to + 1)
    local chunk <const> = load(changed)
    if not chunk or string.dump(chunk, true) == whole then return end
    local number <const>, line <const> = line_of(text, token.from)
    local name = ("%s: %s: %s %s"):format(module, line, token.text, what)
    seen[name] = (seen[name] or 0) + 1
    if seen[name] > 1 then name = ("%s (%d)"):format(name, seen[name]) end
    list[#list + 1] = { name = name, line = number, text = changed }
  end
  for i = 1, #tokens do
    operators(tokens, i, change)
    conditions(tokens, i, change)
  end
  statements(text, change)
  return list
end

-- Verbs -------------------------------------------------------------------------------------------

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local function sh(text)
  return os.execute(text)
end

local function source_of(module)
  for _, form in ipairs { "lua/ecmp/%s.lua", "lua/ecmp/%s/init.lua" } do
    local path <const> = form:format(module)
    local file <close> = io.open(path)
    if file then return path end
  end
  error(("%s: there is no such module"):format(module), 0)
end

local function sorted_keys(map)
  local keys <const> = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local verbs <const> = {}

function verbs.make(dir, ...)
  local modules <const> = ... and { ... } or sorted_keys(config.modules)
  local step <const> = tonumber(os.getenv "SAMPLE") or 1
  local number, drawn = 0, math.random(0, step - 1)
  for _, module in ipairs(modules) do
    local specs <const> = assert(config.modules[module], module .. ": not in spec/mutants.lua")
    local path <const> = source_of(module)
    for _, mutant in ipairs(mutants_of(module, read(path))) do
      drawn = drawn + 1
      if drawn % step == 0 then
        number = number + 1
        local home <const> = ("%s/%05d"):format(dir, number)
        assert(sh(("mkdir -p %s/%s"):format(home, path:match "^(.*)/")))
        write(home .. "/" .. path, mutant.text)
        write(home .. "/name", mutant.name)
        write(home .. "/place", ("%s:%d"):format(path, mutant.line))
        write(home .. "/specs", table.concat(specs, " "))
      end
    end
  end
  print(number .. " mutants")
end

-- What loops without end is stopped by the time that it may compute, what fills memory by a limit.
local RUN <const> = [[ulimit -t 20; ulimit -v 4000000; ulimit -c 0
  ECMP_MUTANT='%s/lua/?.lua;%s/lua/?/init.lua;' timeout -k 5 300 sh build-aux/sandbox.sh \
    "${LUA:-lua5.4}" build-aux/busted.lua --no-keep-going spec/%s_spec.lua </dev/null >%s/out 2>&1]]

function verbs.try(home)
  local outcome = "survived"
  for spec in read(home .. "/specs"):gmatch "%S+" do
    if not sh(RUN:format(home, home, spec, home)) then
      outcome = "killed by " .. spec
      break
    end
  end
  write(home .. "/outcome", outcome)
  if outcome == "survived" then
    print(("%s: %s"):format(read(home .. "/place"), read(home .. "/name")))
  end
end

function verbs.sum(dir)
  local all, survived, made, whole, failed = 0, {}, {}, not os.getenv "SAMPLE", false
  local homes <close> = assert(io.popen(("ls -d %s/[0-9]*"):format(dir)))
  for home in homes:lines() do
    all = all + 1
    local name <const> = read(home .. "/name")
    made[name], made[name:match "^[^:]+"] = true, true
    if read(home .. "/outcome") == "survived" then survived[#survived + 1] = name end
  end
  for _, name in ipairs(survived) do
    if not config.argued[name] then
      failed = true
      print("survives, and is not argued: " .. name)
    end
  end
  for _, name in ipairs(sorted_keys(config.argued)) do
    if whole and made[name:match "^[^:]+"] and not made[name] then
      failed = true
      print("is argued, and no change that is made: " .. name)
    end
  end
  print(("%d mutants, %d survived (%.1f %%)"):format(all, #survived, 100 * #survived / all))
  os.exit(not failed and #survived * 20 <= all)
end

math.randomseed(tonumber(os.getenv "ECMP_SEED") or os.time())
verbs[arg[1]](table.unpack(arg, 2))
