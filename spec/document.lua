--- A document whose blocks are run: files are written, commands and scripts run, outputs compared.
--
--     ```json NAME      ```lua NAME      ```text NAME    a file
--     ```console        ```console netns                 `$ command`, and what it prints
--     ```lua            a script, run by `ecmp run`, and by lua5.4; a plain block behind it is what it prints
--     ```text prompt    `scratch> statement`, and what the prompt answers; one session a document
--
-- In an output `...` stands for whatever is there. All of a document happens in one directory.
local commandline = require "spec.commandline"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local M = {}

local EXECUTABLE <const> = sys.realpath(helper.build .. "/bin/ecmp")

--- The blocks of a document: `{ line, kind, argument, body, section }`.
---@param path string
---@return table[]
function M.blocks(path)
  local list <const>, section, number = {}, "", 0
  local open
  for line in assert(sys.read(path)):gmatch "([^\n]*)\n" do
    number = number + 1
    if open and line == "```" then
      open.body = table.concat(open, "\n") .. "\n"
      list[#list + 1], open = open, nil
    elseif open then
      open[#open + 1] = line
    elseif line:find "^```" then
      local kind <const>, argument <const> = line:match "^```(%a*) ?(%S*)$"
      assert(kind, ("%s:%d: no block that is known"):format(path, number))
      open = { line = number, kind = kind, argument = argument, section = section }
    else
      section = line:match "^##* (.*)" or section
    end
  end
  assert(not open, path .. ": a block has no end")
  return list
end

-- Comparing ------------------------------------------------------------------------------------

local function pattern_of(line)
  return "^" .. line:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("%%%.%%%.%%%.", ".*") .. "$"
end

local function lines_of(text)
  local list <const> = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch "([^\n]*)\n" do
    -- a link that was just made has its carrier when the kernel comes to it
    list[#list + 1] = line:gsub(" linkdown%f[%s%z]", ""):gsub("%s+$", "")
  end
  return list
end

--- Fails unless an output is what a document says.
---@param expected string
---@param got string
---@param where string
function M.compare(expected, got, where)
  local want <const>, have <const> = lines_of(expected), lines_of(got)
  for i = 1, math.max(#want, #have) do
    local fits <const> = want[i] and have[i] and have[i]:find(pattern_of(want[i]))
    if not fits then
      error(("%s, line %d of the output\nwritten: %s\nprinted: %s\n\nall of it:\n%s")
        :format(where, i, want[i] or "(nothing)", have[i] or "(nothing)", got), 0)
    end
  end
end

-- Running --------------------------------------------------------------------------------------

local MARK <const> = "\30"

-- Where lua5.4 finds the library.
local LUA_PATH <const> = sys.realpath "lua" .. "/?.lua;" .. sys.realpath "lua" .. "/?/init.lua;;"
local LUA_CPATH <const> = sys.realpath(helper.build) .. "/lua/5.4/?.so;;"

local function run(argv, place, stdin)
  local path <const> = EXECUTABLE:match "^(.*)/" .. ":" .. os.getenv "PATH"
  local env <const> = { "PATH=" .. path, "LC_ALL=C.UTF-8", "HOME=" .. place.dir }
  if argv[1] == "lua5.4" then
    env[#env + 1], env[#env + 2] = "LUA_PATH=" .. LUA_PATH, "LUA_CPATH=" .. LUA_CPATH
  end
  local script <const> = 'cd "$1" && shift && exec "$@" 2>&1'
  return commandline.patiently(function()
    return assert(sys.spawn { argv = { "sh", "-c", script, "sh", place.dir, table.unpack(argv) },
      env = env, stdin = stdin or "", timeout = 120, stderr = "capture", netns = place.netns })
  end)
end

-- All commands of a block in one shell, so that what one exports the next has.
local function run_console(block, place, where)
  local commands <const>, outputs <const> = {}, {}
  for line in block.body:gmatch "([^\n]*)\n" do
    local command <const> = line:match "^%$ (.*)$"
    if command then
      commands[#commands + 1], outputs[#outputs + 1] = command, ""
    else
      outputs[#outputs] = outputs[#outputs] .. line .. "\n"
    end
  end
  local script <const> = table.concat(commands, ("\nprintf '%s'\n"):format(MARK))
  local done <const>, i = run({ "sh", "-c", script }, place), 0
  for output in (done.stdout .. MARK):gmatch("([^" .. MARK .. "]*)" .. MARK) do
    i = i + 1
    M.compare(outputs[i], output, ("%s: $ %s"):format(where, commands[i]))
  end
  assert(#commands == i, where .. ": a command ended the shell")
end

local function run_script(block, place, where, by_lua)
  local argv <const> = by_lua and { "lua5.4", "-" } or { EXECUTABLE, "run", "-" }
  local done <const> = run(argv, place, block.body)
  assert(done.status == 0, ("%s: %s"):format(where, done.stdout))
  if block.output then M.compare(block.output.body, done.stdout, where) end
end

-- One session for all blocks: the prompt's own script, printed with what it answers.
local function run_prompt(block, place, where)
  local statements <const>, written <const> = {}, {}
  for _, one in ipairs(block.session) do
    written[#written + 1] = one.body
    for statement in one.body:gmatch "scratch[:%w]*> ([^\n]*)" do
      statements[#statements + 1] = statement
    end
  end
  assert(sys.replace(place.dir .. "/session.lua", table.concat(statements, "\n") .. "\n", 420))
  local done <const> = run({ EXECUTABLE, "repl", "--batch", "--echo", "session.lua" }, place)
  M.compare(table.concat(written), done.stdout, where)
end

local runners <const> = { console = run_console, script = run_script, prompt = run_prompt }

--- What is to be done with each block: a list of `{ line, section, needs_netns, run(dir, netns) }`,
--- and the number of blocks that nothing is done with. Without a namespace those that need one use
--- ours.
---@param path string
---@param by_lua? boolean scripts run by lua5.4 in place of `ecmp run`; the prompt is left out
---@return table[] steps
---@return integer others
function M.steps(path, by_lua)
  local blocks <const>, steps <const>, others = M.blocks(path), {}, 0
  local session <const> = {}
  local function step(block, how, netns)
    local where <const> = ("%s:%d"):format(path, block.line)
    steps[#steps + 1] = { line = block.line, section = block.section, needs_netns = netns,
      run = function(dir, space)
        return runners[how](block, { dir = dir, netns = netns and space or nil }, where, by_lua)
      end }
  end
  for i, block in ipairs(blocks) do
    local named <const> = block.argument ~= ""
    if block.kind == "console" then
      step(block, "console", block.argument == "netns")
    elseif block.kind == "text" and block.argument == "prompt" then
      session[#session + 1] = block
    elseif named then
      block.is_file = true
      steps[#steps + 1] = { line = block.line, section = block.section, is_file = true,
        run = function(dir)
          assert(sys.replace(dir .. "/" .. block.argument, block.body, tonumber("644", 8)))
        end }
    elseif block.kind == "lua" then
      local next_block <const> = blocks[i + 1]
      block.output = next_block and next_block.kind == "" and next_block or nil
      if block.output then block.output.is_output = true end
      step(block, "script", block.body:find("ecmp.open", 1, true) ~= nil)
    elseif not block.is_output then
      others = others + 1
    end
  end
  if #session > 0 and not by_lua then
    session[1].session = session
    step(session[1], "prompt", true)
  end
  return steps, others
end

return M
