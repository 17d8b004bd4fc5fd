--- Runs the cases of a list in this process, which is traced: each in a namespace of its own.
local ecmp = require "ecmp"
local scratch = require "spec.scratch"
local trace = require "spec.trace"

local function outcome(good, ok, message, code)
  if not good then error(ok, 0) end
  if ok then return "true" end
  return ("nil, %s"):format(code or message)
end

-- Messages that name a table by where it lies are the same wherever that is.
local function say(text)
  for line in text:gsub("table: 0x%x+", "table: <somewhere>"):gmatch "[^\n]+" do
    trace.note("# " .. line)
  end
end

local function routes(nl)
  return tostring(nl.route:list { table = "all" }) .. tostring(nl.nexthop:list())
end

-- What the cases of routes leave.
local CLEAN <const> = [[
-4 route flush table all proto boot
-4 route flush table all proto static
-6 route flush table all proto boot
-6 route flush table all proto static
nexthop flush]]

-- A namespace for the next case: that of the last one where nothing is left of it, which is faster.
local function clean(last)
  if last then
    last.here:batch(CLEAN, "-force")
    if routes(last.here.nl) == last.routes then return last end
    last.here:close()
  end
  local here <const> = scratch.new(2)
  return { here = here, routes = routes(here.nl) }
end

-- What some kernels refuse is sent to them, too: how it ends is left out.
local function run(case, here)
  local ready, why = true, nil
  if case[2] ~= "" then ready, why = pcall(here.batch, here, case[2]) end
  assert(ready or case.needs, why)
  local nl <close> = assert(ecmp.open { netns = here.path })
  trace.title(case[1])
  if ready then
    local ended <const> = outcome(pcall(case[3], nl, say))
    if not case.needs then say("-> " .. ended) end
  else
    say("this kernel lacks " .. case.needs)
  end
  trace.title()
end

---@param name string of a list
---@param fresh boolean the cases change more than routes and next-hop objects
return function(name, fresh)
  trace.title()
  local now
  for _, case in ipairs(require("spec.requests." .. name)) do
    now = clean(now)
    local good <const>, message <const> = pcall(run, case, now.here)
    if not good then error(("%s: %s"):format(case[1], message), 0) end
    if fresh then now.routes = nil end
  end
  now.here:close()
end
