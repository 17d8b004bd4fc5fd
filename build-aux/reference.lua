--- Rewrites the LuaCATS comments of the sources: as what ldoc reads, for `make docs`, or as the
--- page docs/api.md, for `make api`.
---
---   lua5.4 build-aux/reference.lua OUT-DIR
---   lua5.4 build-aux/reference.lua --markdown >docs/api.md
---
--- OUT-DIR gets one file a module, and config.ld; the page has the public modules
--- alone. A function of a public module without a comment,
--- or whose comment names other parameters than it has, is an error.

-- What CHANGELOG.md promises, in the order of the reference; the other modules are parts of these.
local PUBLIC <const> = { "ecmp", "ecmp.nl", "ecmp.nl.object", "ecmp.nl.route",
  "ecmp.undo", "ecmp.nl.monitor", "ecmp.nl.sysctl", "ecmp.plan", "ecmp.group",
  "ecmp.rule", "ecmp.rule.spec", "ecmp.ip", "ecmp.netns", "ecmp.lab", "ecmp.cni",
  "ecmp.cni.call", "ecmp.cni.delegate", "ecmp.cni.spec", "ecmp.flow",
  "ecmp.flow.state", "ecmp.flow.interface", "ecmp.json", "ecmp.sys", "ecmp.rtnl" }

local is_public <const> = {}
for _, name in ipairs(PUBLIC) do is_public[name] = true end

-- What values look like that functions take and give, and modules whose functions are not all
-- written as such.
local OF_VALUES <const> = { ["ecmp.shapes"] = true, ["ecmp.objects"] = true, ["ecmp.undo"] = true,
  ["ecmp.rule.merge"] = true, ["ecmp.cni.schema"] = true }

local complaints <const> = {}

local function complain(path, line, message)
  complaints[#complaints + 1] = ("%s:%d: %s"):format(path, line, message)
end

-- Types ----------------------------------------------------------------------------------------

local CLOSING <const> = { ["("] = ")", ["{"] = "}", ["<"] = ">" }

--- Where a type ends that begins a text: at a blank outside of brackets, but not before the result
--- of a function.
local function type_length(text)
  local at, stack = 1, {}
  while at <= #text do
    local c <const> = text:sub(at, at)
    if c == '"' then
      at = text:find('"', at + 1, true) or #text
    elseif CLOSING[c] then
      stack[#stack + 1] = CLOSING[c]
    elseif c == stack[#stack] then
      stack[#stack] = nil
    elseif c == " " and #stack == 0 and text:sub(at - 1, at - 1) ~= ":" then
      return at - 1
    end
    at = at + 1
  end
  return #text
end

-- What ldoc would take for marks of its own, where it is within brackets, and what HTML would.
local ENTITIES <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["|"] = "&#124;",
  ["?"] = "&#63;" }

--- A type as one word that HTML shows as it stands, and the text behind it.
local function split_type(text)
  local length <const> = type_length(text)
  local word = text:sub(1, length)
  local is_optional <const> = word:find "%?$"
  word = word:gsub("%?$", ""):gsub("%b()", function(inner) return inner:gsub("[|?]", ENTITIES) end)
    :gsub("%b{}", function(inner) return inner:gsub("[|?]", ENTITIES) end)
    :gsub("&", "&amp;"):gsub("&amp;#", "&#"):gsub("[<>?]", ENTITIES):gsub(" ", "\u{a0}")
  local words <const> = text:sub(length + 1):gsub("^%s*#?%s*", ""):gsub(" # ", ": ", 1)
  return (is_optional and "?" or "") .. word, words
end

-- Comments -------------------------------------------------------------------------------------

--- The lines of a comment as a text and its tags: `{ { "param", text }, ... }`.
local function read_comment(lines)
  local text <const>, tags <const> = {}, {}
  for _, line in ipairs(lines) do
    -- ldoc takes two hyphens for the beginning of another comment
    local body <const> = line:gsub("^%-+ ?", ""):gsub("%-%-", "&#45;&#45;")
    local tag <const>, rest = body:match "^@(%a+)%s*(.*)$"
    if tag then
      tags[#tags + 1] = { tag, rest }
    elseif #tags > 0 then
      tags[#tags][2] = tags[#tags][2] .. " " .. body:gsub("^%s+", "")
    else
      text[#text + 1] = body
    end
  end
  return { text = text, tags = tags }
end

local function first_tag(comment, name)
  for _, tag in ipairs(comment.tags) do
    if tag[1] == name then return tag[2] end
  end
end

-- Output ---------------------------------------------------------------------------------------

--- Lines of one paragraph as one, for what is quoted may go over two; listings stay as they are.
local function paragraphs(text)
  local lines <const> = {}
  for i, line in ipairs(text) do
    local last <const> = text[i - 1]
    if last and last:find "^%S" and line:find "^%S" then
      lines[#lines] = lines[#lines] .. " " .. line
    else
      lines[#lines + 1] = line
    end
  end
  return lines
end

local function put_text(out, text)
  for i, line in ipairs(paragraphs(text)) do
    out[#out + 1] = (i == 1 and "--- " or "-- ") .. line
  end
  if #text == 0 then out[#out + 1] = "---" end
end

local WRITERS <const> = {
  param = function(rest)
    local name <const>, optional <const>, after = rest:match "^([%w_.]+)(%??)%s+(.*)$"
    if not name then return nil end
    local kind <const>, words <const> = split_type(after)
    return ("-- @tparam%s %s %s %s"):format(optional == "?" and "[opt]" or "", kind, name, words)
  end,
  -- One line may tell of several: `string? text, string? message`.
  ["return"] = function(rest)
    local lines <const> = {}
    while rest do
      local kind <const>, words <const> = split_type(rest)
      local name <const>, more <const> = words:match "^([%w_.]+), (.*)$"
      lines[#lines + 1] = ("-- @treturn %s %s"):format(kind, name or words)
      rest = more
    end
    return table.concat(lines, "\n")
  end,
  field = function(rest)
    local name <const>, optional <const>, after = rest:match "^([%w_.]+)(%??)%s+(.*)$"
    if not name then return nil end
    local kind <const>, words <const> = split_type(after)
    return ("-- @tfield%s %s %s %s"):format(optional == "?" and "[opt]" or "", kind, name, words)
  end,
}

local function put_tags(out, comment, wanted)
  for _, tag in ipairs(comment.tags) do
    local write <const> = wanted[tag[1]] and WRITERS[tag[1]]
    if write then out[#out + 1] = write(tag[2]) end
  end
end

local function put_function(module, comment, name, parameters)
  local out <const> = module.out
  module.items[#module.items + 1] = { name = name, parameters = parameters, comment = comment }
  put_text(out, comment.text)
  out[#out + 1] = "-- @function " .. name
  put_tags(out, comment, { param = true, ["return"] = true })
  out[#out + 1] = ""
end

--- A class or an alias, as a table of fields.
local function put_class(module, comment)
  local out <const> = module.out
  module.items[#module.items + 1] = { comment = comment,
    class = first_tag(comment, "class") or first_tag(comment, "alias") }
  local class <const>, words = (first_tag(comment, "class") or first_tag(comment, "alias"))
    :match "^([%w_.]+)[:%s]*(.*)$"
  local text <const> = table.move(comment.text, 1, #comment.text, 1, {})
  text[#text + 1] = words
  put_text(out, text)
  out[#out + 1] = "-- @table " .. class:match "[^.]+$"
  put_tags(out, comment, { field = true })
  out[#out + 1] = ""
end

-- Sources --------------------------------------------------------------------------------------

local function check(module, comment, name, parameters, number)
  if not is_public[module.name] or name:find "[.:]__" then return end
  if not comment or #comment.text + #comment.tags == 0 then
    return complain(module.path, number, name .. " has no comment")
  end
  local has <const> = { self = true, _ = true }
  for parameter in parameters:gmatch "[%w_.]+" do has[parameter] = true end
  for _, tag in ipairs(comment.tags) do
    local parameter <const> = tag[1] == "param" and tag[2]:match "^[%w_.]+"
    if parameter and not has[parameter] then
      complain(module.path, number, ("%s has no parameter '%s'"):format(name, parameter))
    end
  end
end

--- One line of code behind a comment (nil where there is none).
local function put_code(module, comment, line, number)
  local name, parameters = line:match "^function ([%w_]+[.:][%w_.:]+)(%b())"
  if not name then
    parameters = line:match "^return function(%b())"
    name = parameters and module.name:match "[^.]+$"
  end
  if name then
    check(module, comment, name, parameters, number)
    name = name:gsub("^([%w_]+)", function(of)
      return module.classes[of] or of ~= "M" and of or module.name:match "[^.]+$"
    end)
    if comment then put_function(module, comment, name, parameters) end
  elseif comment and (first_tag(comment, "class") or first_tag(comment, "alias")) then
    local variable <const> = line:match "^local ([%w_]+)"
    local class <const> = first_tag(comment, "class")
    if variable and class then module.classes[variable] = class:match "^[%w_.]+":match "[^.]+$" end
    put_class(module, comment)
  end
end

--- The comment that a file begins with, and the number of the line behind it. Tags in it belong to
--- the function that the module is.
local function header(lines)
  local text, number = {}, 1
  if lines[1]:find "^%-%-%-@meta" then number = 2 end
  while lines[number]:find "^%-%-" and not lines[number]:find "^%-%-%-@" do
    local body <const> = lines[number]:gsub("^%-+ ?", ""):gsub("%-%-", "&#45;&#45;")
    if not body:find "^luacheck:" then text[#text + 1] = body end
    number = number + 1
  end
  return text, number
end

local function read_module(path, name)
  local lines <const> = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  local text <const>, start <const> = header(lines)
  local module <const> = { name = name, path = path, out = {}, classes = {}, items = {},
    text = text }
  put_text(module.out, text)
  table.move({ ("-- @%s %s"):format(is_public[name] and "module" or "part", name), "" }, 1, 2,
    #module.out + 1, module.out)
  local comment = {}
  for number = start, #lines do
    local line <const> = lines[number]
    if line:find "^%-%-" then
      comment[#comment + 1] = line
    else
      -- a class may stand by itself
      put_code(module, comment[1] and read_comment(comment), line, number)
      comment = {}
    end
  end
  return module
end

-- Markdown ---------------------------------------------------------------------------------------

-- Of ldoc's entities, as text.
local function plain(text)
  return (text:gsub("&#45;", "-"))
end

-- A type, and the text behind it.
local function typed(text)
  local length <const> = type_length(text)
  local words <const> = plain(text:sub(length + 1)):gsub("^%s*#?%s*", "")
  return text:sub(1, length), (words:gsub(" # ", ": ", 1))
end

local function listed(what, kind, words)
  return ("- %s`%s`%s"):format(what, kind, words ~= "" and " " .. words or "")
end

local function parameter(rest)
  local name <const>, optional <const>, after <const> = rest:match "^([%w_.]+)(%??)%s+(.*)$"
  if not name then return "- " .. plain(rest) end
  local kind <const>, words <const> = typed(after)
  return listed(("`%s`%s: "):format(name, optional == "?" and ", optional" or ""), kind, words)
end

-- One line may tell of several.
local function put_returned(out, rest)
  while rest do
    local kind <const>, words <const> = typed(rest)
    local name <const>, more <const> = words:match "^([%w_.]+), (.*)$"
    out[#out + 1] = listed("returns ", kind, name or words)
    rest = more
  end
end

local function put_prose(out, text)
  for _, line in ipairs(paragraphs(text)) do out[#out + 1] = plain(line) end
end

local function put_item(out, item)
  out[#out + 1] = ("\n### %s\n"):format(item.name
    and ("`%s%s`"):format(item.name, item.parameters) or item.class:match "^[%w_.]+")
  put_prose(out, item.comment.text)
  local listing <const>, row = {}, false
  for _, tag in ipairs(item.comment.tags) do
    if tag[1] == "param" then
      listing[#listing + 1] = parameter(tag[2])
    elseif tag[1] == "return" then
      put_returned(listing, tag[2])
    elseif tag[1] == "field" then
      if not row then listing[#listing + 1] = "| field | type | what |\n|---|---|---|" end
      row = true
      local name <const>, after <const> = tag[2]:match "^(%S+)%s+(.*)$"
      local kind <const>, words <const> = typed(after)
      listing[#listing + 1] = ("| `%s` | `%s` | %s |"):format(name, kind:gsub("|", "\\|"),
        (words:gsub("|", "\\|")))
    end
  end
  local about <const> = item.class and item.class:match "^[%w_.]+[:%s]+(.*)$"
  if about then out[#out + 1] = plain(about) end
  if #listing > 0 then out[#out + 1] = "\n" .. table.concat(listing, "\n") end
end

local HEAD <const> = [[
# API

Made from the comments of the sources by `make api`; `make docs` makes pages of it, with the parts
that are not public. A refusal by the world is `nil, message, code`; a wrong call raises at the
caller's line ([errors](architecture.md#failure-everywhere)). Types are those of
[LuaLS](luals.md): `T?` may be nil.
]]

local function print_markdown(modules)
  local out <const> = { HEAD }
  for _, module in ipairs(modules) do
    out[#out + 1] = ("- [%s](#%s)"):format(module.name, module.name:gsub("%.", ""))
  end
  for _, module in ipairs(modules) do
    out[#out + 1] = ("\n## %s\n"):format(module.name)
    put_prose(out, module.text)
    for _, item in ipairs(module.items) do put_item(out, item) end
  end
  print((table.concat(out, "\n"):gsub("\n\n\n+", "\n\n")))
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text, "\n"))
end

local function name_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    :gsub("^ecmp%.meta%.", "ecmp."))
end

local CONFIG <const> = [[
project = "ecmp"
title = "ecmp: API reference"
description = "Routes with several next hops for Lua 5.4, CNI and the shell"
full_description = "`require \"ecmp\"` is where to begin; what it leads to is listed first, and "
  .. "below it the parts that these are made of, which no version promises. The guide and other "
  .. "documents are in docs/."
format = "backtick"
all = false
sort_modules = false
no_space_before_args = true
new_type("part", "Parts", true)
]]

local out <const> = arg[1]
local as_markdown <const> = out == "--markdown"
local order <const>, rest <const> = {}, {}
local paths <close> = assert(io.popen "find lua -name '*.lua' | LC_ALL=C sort")
local by_name <const> = {}
for path in paths:lines() do
  local name <const> = name_of(path)
  by_name[name] = path
  if not is_public[name] then rest[#rest + 1] = name end
end
table.move(PUBLIC, 1, #PUBLIC, 1, order)
table.move(rest, 1, #rest, #order + 1, order)
local files <const>, public <const> = {}, {}
for i, name in ipairs(order) do
  assert(by_name[name], name .. ": no such module")
  local module <const> = read_module(by_name[name], name)
  if is_public[name] or OF_VALUES[name] then public[#public + 1] = module end
  files[i] = ("%03d-%s.lua"):format(i, name)
  if not as_markdown then
    write(out .. "/" .. files[i], table.concat(module.out, "\n"))
  end
end
if as_markdown then
  print_markdown(public)
  os.exit(true)
end
write(out .. "/config.ld", CONFIG .. ('file = { "%s" }'):format(table.concat(files, '", "')))
for _, line in ipairs(complaints) do io.stderr:write(line, "\n") end
os.exit(#complaints == 0)
