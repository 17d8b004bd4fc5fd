---The command line: which commands there are, what they are called with, how they end.
--
-- A command is a file beside this one: `{ name, summary, setup(parser), run(args) }`. `setup`
-- declares arguments to an argparse parser; `run` does the job and returns the exit status, or nil
-- and a message. Only the command that is called is loaded; one whose file is not there is not
-- offered. A command with `script = true` gets what follows its first argument untouched, as
-- `args.rest`.
--
-- Exit status: 0 done, 1 refused or failed, 2 wrong usage. Errors are one line on stderr.
local argparse = require "argparse"

local M = {}

---The commands in the order of `--help`.
M.names = {
  "plan", "try", "lint", "rule", "show", "spread", "monitor", "watch", "apply", "repl", "run", "ls",
  "check", "repair", "metrics", "gc", "install", "version",
}

local DONE <const>, FAILED <const>, USAGE <const> = 0, 1, 2
local WIDTH <const> = 80 -- of what --help prints
local LONGEST <const> = 4000 -- of what a complaint says

-- Asks whoever finds modules, since in the executable there are no files.
local function is_there(name)
  local module <const> = "ecmp.command." .. name
  if package.loaded[module] then return true end
  for _, search in ipairs(package.searchers) do
    if type(search(module)) == "function" then return true end
  end
  return false
end

local function load_command(name)
  return (require("ecmp.command." .. name))
end

local function parser_for(list)
  local parser <const> = argparse("ecmp", "Multipath routes and CNI plugins.")
  parser:require_command(true):command_target("command"):help_max_width(WIDTH)
  for _, command in ipairs(list) do
    command.setup(parser:command(command.name, command.summary))
  end
  return parser
end

-- One line, whatever input it quotes: what could move a terminal's cursor does not, nor fill its
-- screens.
local function complain(text)
  local line <const> = tostring(text):gsub("%s*\n%s*", " "):gsub("%c", "?")
  io.stderr:write("ecmp: ", #line > LONGEST and line:sub(1, LONGEST) .. "..." or line, "\n")
end

-- The commands to tell the parser of: the one that is meant, where it is clear which.
local function candidates(word)
  local found <const> = {}
  for _, name in ipairs(M.names) do
    if word == name and is_there(name) then return { load_command(name) } end
  end
  for _, name in ipairs(M.names) do
    if is_there(name) then found[#found + 1] = load_command(name) end
  end
  return found
end

-- Cuts off what belongs to a script: everything behind the first argument that is no option.
local function split_script(argv)
  for i = 2, #argv do
    if argv[i] == "-" or not argv[i]:find("^%-") then
      return table.move(argv, 1, i, 1, {}), table.move(argv, i + 1, #argv, 1, {})
    end
  end
  return argv, {}
end

-- What the library raises about an argument says which line of ours passed it on: that is nobody's
-- business. A script's own lines are.
local function without_position(message)
  return (tostring(message):gsub("^%S*ecmp/command/[%l/]+%.lua:%d+: ", ""))
end

local function perform(command, args)
  local ran <const>, status <const>, message <const> = pcall(command.run, args)
  if not ran then
    complain(("%s: %s"):format(command.name, without_position(status)))
    return FAILED
  end
  if status == nil and message ~= nil then
    complain(("%s: %s"):format(command.name, message))
    return FAILED
  end
  return status or DONE
end

---Runs the command that the arguments name.
---@param argv string[] without the program's own name
---@return integer status
function M.run(argv)
  local word <const> = argv[1] == "--version" and "version" or argv[1]
  if word == "version" then argv = table.move(argv, 2, #argv, 2, { "version" }) end
  local list <const> = candidates(word)
  local by_name <const> = {}
  for _, command in ipairs(list) do by_name[command.name] = command end
  local rest
  if by_name[word] and by_name[word].script then argv, rest = split_script(argv) end
  local parsed <const>, args <const> = parser_for(list):pparse(argv)
  if not parsed then
    complain(("%s (see ecmp %s--help)"):format(args, by_name[word] and word .. " " or ""))
    return USAGE
  end
  args.rest = rest
  return perform(by_name[args.command], args)
end

-- Not everybody has a cluster: it comes last in `--help`.
table.insert(M.names, "pool")

return M
