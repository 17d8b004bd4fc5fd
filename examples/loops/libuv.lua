-- Events in a libuv loop, beside whatever else the program waits for.
-- Run it with: ecmp run examples/loops/libuv.lua (needs lua-luv; as root, or in `make shell`)
local ecmp = require "ecmp"
local uv = require "luv"

local space <close> = assert(ecmp.netns.create())
local nl <close> = assert(ecmp.open { netns = ecmp.netns.path(space) })
local events <close> = nl:monitor { "route", "link" }
local watch <const> = uv.new_poll(events:fd())

-- next(0) returns what is there and does not wait. After an overrun libuv says EBADF and stops
-- watching; the descriptor is fine, and the next event says "overrun".
local function readable(failure)
  for event in function() return events:next(0) end do
    local value <const> = event.value or {}
    print(event.verb, event.object, event.object == "route" and value.dst or value.name)
  end
  if failure then watch:start("r", readable) end
end
watch:start("r", readable)

-- The rest of the program.
local steps <const> = {
  function() assert(nl.link:set "lo up") end,
  function() assert(nl.route:add "blackhole 10.9.0.0/16") end,
  function() assert(nl.route:del "blackhole 10.9.0.0/16") end,
}
local clock <const> = uv.new_timer()
clock:start(0, 20, function()
  local step <const> = table.remove(steps, 1)
  if step then return step() end
  watch:close()
  clock:close()
end)
uv.run()
