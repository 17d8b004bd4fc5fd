---What is at hand at the prompt: the library, the open handle, and words that are short to type.

local changes = require "ecmp.repl.journal"
local help = require "ecmp.repl.help"
local identity = require "ecmp.fib.route"
local object = require "ecmp.nl.object"
local routefile = require "ecmp.repl.file"
local rtnl = require "ecmp.rtnl"
local shell = require "ecmp.repl.shell"
local shown = require("ecmp.errors").shown
local snapshot = require "ecmp.repl.snapshot"
local terminal = require "ecmp.repl.terminal"

local M = {}

local function routes_of(file)
  if file.mistakes[1] then return nil, file.mistakes[1], "EINVAL" end
  local routes <const> = {}
  for i = 1, #file.routes do routes[i] = file.routes[i] end
  return routes
end

local function check_list(value)
  for i, route in ipairs(value) do
    if type(route) ~= "table" and not rtnl.is_view(route) then
      error(("[%d]: a route expected, got %s"):format(i, type(route)), 4)
    end
  end
  return value
end

-- What somebody wants, whichever way it is given.
local function wanted_of(value)
  if snapshot.is(value) then
    local list <const> = {}
    for _, route in ipairs(value.route) do
      if route.proto == "boot" or route.proto == "static" then list[#list + 1] = route end
    end
    return list
  end
  local is_route <const> = type(value) == "table" and (value.dst or value[1] == nil and next(value))
  if is_route then return { value } end
  if type(value) == "table" then return check_list(value) end
  if type(value) ~= "string" then
    error(("a list of routes, text or a file expected, got %s"):format(type(value)), 3)
  end
  local source <const> = not value:find "\n" and io.open(value)
  if not source then return routes_of(routefile.parse(value, "text")) end
  source:close()
  local file <const>, message <const> = routefile.read(value,
    { progress = terminal.progress "reading byte" })
  if not file then return nil, message, "EINVAL" end
  return routes_of(file)
end

local function tables_of(routes)
  local tables <const> = {}
  for _, route in ipairs(routes) do
    local held <const> = identity.held(route)
    if held then tables[held.table] = true end
  end
  return tables
end

local function plan(session, first, second)
  local current, message, code
  if second ~= nil then
    current, message, code = wanted_of(first)
    if not current then return nil, message, code end
    first = second
  end
  local wanted <const>, why <const>, symbol <const> = wanted_of(first)
  if not wanted then return nil, why, symbol end
  if not current then
    current, message, code = snapshot.owned(session.nl, tables_of(wanted))
    if not current then return nil, message, code end
  end
  return require "ecmp.plan"(current, wanted)
end

local function is_plan(value)
  local mt <const> = getmetatable(value)
  return type(value) == "table" and mt ~= nil and mt.__name == "ecmp.plan"
end

local function apply(session, value, ...)
  local changed = value
  if not is_plan(value) then
    local message, code
    changed, message, code = plan(session, value, ...)
    if not changed then return nil, message, code end
  end
  local tell <const>, clear <const> = terminal.progress "applying change"
  local ok <const>, message <const>, code <const> = session.journal:apply(session.nl, changed,
    { progress = tell, undoing = terminal.progress "taking back change" })
  clear()
  if not ok then return nil, message, code end
  return ("applied %d change%s"):format(#changed, #changed == 1 and "" or "s")
end

-- undo and redo, so many times.
local function repeated(session, way)
  return function(count)
    if count == nil then count = 1 end
    if math.type(count) ~= "integer" or count < 1 then
      error(("%s: how many statements? got %s"):format(way, shown(count)), 2)
    end
    session.journal.current = nil
    local lines <const> = {}
    for i = 1, count do
      local text <const>, message <const>, code <const> = session.journal[way](session.journal)
      if not text then
        if i > 1 then break end
        return nil, message, code
      end
      lines[i] = ("%s: %s"):format(way == "undo" and "taken back" or "done again", text)
    end
    return table.concat(lines, "\n")
  end
end

-- A word that answers by itself, as newcomers type it, and can be called.
local function word(text, call)
  return setmetatable({}, {
    __name = "ecmp.Word", __tostring = function() return text end,
    __call = function(_, ...) return call(...) end,
  })
end

-- What can be typed, each a closure over the session.
local function words(session)
  return {
    help = word(help.overview, help.text),
    sh = function(command)
      if type(command) ~= "string" then error("sh: a command expected, as text", 2) end
      return shell.run(command, session.nl.where)
    end,
    snapshot = function() return snapshot.take(session.nl) end,
    diff = function(a, b)
      if not snapshot.is(a) or b ~= nil and not snapshot.is(b) then
        error("diff: snapshots expected, as snapshot() gives them", 2)
      end
      if b then return snapshot.difference(a, b) end
      local now <const>, message <const>, code <const> = snapshot.take(session.nl)
      if not now then return nil, message, code end
      return snapshot.difference(a, now)
    end,
    plan = function(...) return plan(session, ...) end,
    apply = function(...) return apply(session, ...) end,
    undo = repeated(session, "undo"), redo = repeated(session, "redo"),
    spread = function(flow)
      return session.nl.route:spread(type(flow) == "string" and { dst = flow, flows = 1000 }
        or flow)
    end,
    use = function(handle)
      if handle ~= nil and not object.is_handle(handle) then
        error("use: a handle expected, such as lab.pod", 2)
      end
      session:use(handle and (rawget(handle, "real") or handle))
      return ("nl is the handle of %s now"):format(session.place or session.label)
    end,
    source = function(path)
      if type(path) ~= "string" then error("source: the name of a file expected", 2) end
      return session:source(path)
    end,
  }
end

-- Somebody's `string = nil` or `table.concat = 5` is not to be that of the prompt.
local libraries <const> = { "coroutine", "debug", "io", "math", "os", "string", "table", "utf8" }

local function copy_of(library)
  local copy <const> = {}
  for name, value in pairs(library) do copy[name] = value end
  return copy
end

---The environment of what is typed.
---@param session table with `nl`, `journal`
---@return table env
function M.new(session)
  local env <const> = words(session)
  env._G = env
  env.exit = word("exit() leaves, and so does Ctrl-D", function() session.over = true end)
  env.quit = env.exit
  for _, name in ipairs(libraries) do env[name] = copy_of(_G[name]) end
  env.os.execute = function(command) return shell.execute(command, session.nl.where) end
  env.ecmp = require "ecmp"
  env.ip, env.journal = env.ecmp.ip, session.journal
  env.nl = changes.handle(session.journal, session.nl)
  return setmetatable(env, { __index = _G })
end

return M
