-- Events in a cqueues loop: one coroutine waits for them, others do their own work.
-- Run it with: ecmp run examples/loops/coroutines.lua (needs lua-cqueues; as root, or in
-- `make shell`)
local cqueues = require "cqueues"
local ecmp = require "ecmp"

local space <close> = assert(ecmp.netns.create())
local nl <close> = assert(ecmp.open { netns = ecmp.netns.path(space) })
local events <close> = nl:monitor { "route", "link" }
local loop <const> = cqueues.new()
local done = false

loop:wrap(function()
  local ready <const> = { pollfd = events:fd(), events = "r" }
  while not done do
    cqueues.poll(ready, 0.1)
    for event in function() return events:next(0) end do -- what is there, without waiting
      local value <const> = event.value or {}
      print(event.verb, event.object, event.object == "route" and value.dst or value.name)
    end
  end
end)

loop:wrap(function()
  assert(nl.link:set "lo up")
  cqueues.sleep(0.02)
  assert(nl.route:add "blackhole 10.9.0.0/16")
  cqueues.sleep(0.02)
  assert(nl.route:del "blackhole 10.9.0.0/16")
  cqueues.sleep(0.02)
  done = true
end)

assert(loop:loop())
