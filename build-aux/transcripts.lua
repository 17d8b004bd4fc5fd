--- Runs the experiments and writes their transcripts and pictures: docs/experiments/NAME.md and
--- NAME.svg for each examples/experiments/NAME.lua, and a gallery of them.
---
---   build/bin/ecmp run build-aux/transcripts.lua [DIRECTORY]
---
--- A picture is of the lab as the experiment has left it.
---
--- An experiment keeps to a lab of its own, in a network of its own: nothing else is touched.

local sys = require "ecmp.sys"

local ALT <const> = "pod, gateways and server, with the shares that the pod's routes ask for"
local SOURCES <const>, TARGET <const> = "examples/experiments", arg[1] or "docs/experiments"

--- What a run prints, as Markdown: comments are prose, the rest is a session.
local function markdown(text, name)
  local out <const>, session = {}, false
  local function switch(on)
    if session ~= on then out[#out + 1] = on and "\n```" or "```\n" end
    session = on
  end
  local title
  for line in text:gmatch "([^\n]*)\n" do
    local prose <const> = line:match "^%-%-%s?(.*)$"
    if prose and not title then
      title = prose
      out[1] = ("# %s\n\n`ecmp repl %s/%s.lua`\n\n![%s](%s.svg)\n"):format(title, SOURCES, name,
        ALT, name)
    elseif prose then
      switch(false)
      out[#out + 1] = prose
    else
      switch(true)
      out[#out + 1] = line
    end
  end
  switch(false)
  -- no blank lines in rows, none at the end
  local page <const> = table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"):gsub("%s*$", "\n")
  return page, title
end

-- One run gives both: the picture is drawn by a script that runs the experiment first.
local DRAWING <const> = [[
source "%s/%s.lua"
picture = assert(io.open("%s/%s.svg", "w"))
assert(picture:write(lab:draw "svg") and picture:close())
]]

local function run(name)
  local script <const> = os.tmpname()
  assert(sys.replace(script, DRAWING:format(SOURCES, name, TARGET, name), tonumber("600", 8)))
  local result <const> = assert(sys.spawn {
    argv = { assert(sys.readlink "/proc/self/exe"), "repl", "--batch", "--echo", script },
    timeout = 900,
  })
  os.remove(script)
  if result.status ~= 0 then
    io.stderr:write(result.stdout, result.stderr, name, " went wrong\n")
    os.exit(1)
  end
  return (result.stdout:gsub("^scratch> source [^\n]*\n", "")
    :gsub("nil\nscratch> picture = .*$", ""))
end

local function write(name, text)
  local file <close> = assert(io.open(("%s/%s.md"):format(TARGET, name), "w"))
  assert(file:write(text))
end

local index <const> = { "# Experiments\n",
  "Each is a script that runs in a lab of its own, what it printed, and the lab as it left it. "
  .. "`ecmp repl SCRIPT` runs one and leaves you at its prompt.\n" }

for _, file in ipairs(assert(sys.list(SOURCES))) do
  local name <const> = file:match "^(.*)%.lua$"
  if name then
    local page <const>, title <const> = markdown(run(name), name)
    write(name, page)
    index[#index + 1] = ("## [%s](%s.md)\n\n[![%s](%s.svg)](%s.md)\n"):format(title, name, ALT,
      name, name)
  end
end
write("README", table.concat(index, "\n"))
