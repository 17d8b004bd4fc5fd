--- The monitor in the event loops that Lua programs have: the examples, and what an overrun does there.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local EVENTS <const> = [[
change	link	lo
add	route	127.0.0.0/8
add	route	127.0.0.1
add	route	127.255.255.255
add	route	::1
add	route	10.9.0.0/16
del	route	10.9.0.0/16
]]

-- More changes than fit the buffer, made while nothing is read; then the loop hears of all of them.
local OVERRUN <const> = [[
local ecmp = require "ecmp"
local space = assert(ecmp.netns.create())
local nl = assert(ecmp.open { netns = ecmp.netns.path(space) })
local events = nl:monitor({ "route" }, { buffer = 4096 })
for i = 1, 300 do assert(nl.route:add(("blackhole 10.%d.%d.0/24"):format(i // 256, i % 256))) end
local overruns, seen, count = 0, {}, 0
local function take()
  for event in function() return events:next(0) end do
    if event.verb == "overrun" then
      overruns = overruns + 1
    elseif event.verb == "add" and event.value.type == "blackhole" and not seen[event.value.dst] then
      seen[event.value.dst], count = true, count + 1
    end
  end
end
]]

local LOOPS <const> = {
  { module = "luv", package = "lua-luv", example = "libuv",
    noise = "EBADF: bad file descriptor\n", -- luv prints what it then hands over
    overrun = OVERRUN .. [[
    local uv = require "luv"
    local watch = uv.new_poll(events:fd())
    local function readable(failure)
      take()
      if failure and count < 300 then watch:start("r", readable) end
      if count == 300 then watch:close() end
    end
    watch:start("r", readable)
    uv.run()
    print(overruns > 0, count)]] },
  { module = "cqueues", package = "lua-cqueues", example = "coroutines", noise = "",
    overrun = OVERRUN .. [[
    local cqueues = require "cqueues"
    local loop = cqueues.new()
    loop:wrap(function()
      while count < 300 do
        cqueues.poll({ pollfd = events:fd(), events = "r" }, 1)
        take()
      end
    end)
    assert(loop:loop())
    print(overruns > 0, count)]] },
}

describe("a loop of #netns", function()
  for _, loop in ipairs(LOOPS) do
    local function needs_module()
      if helper.lua(("require %q"):format(loop.module), { stderr = "capture" }).status ~= 0 then
        pending(("%s for Lua 5.4 is not there"):format(loop.package))
        return false
      end
      return true
    end

    it(loop.module .. " tells of events as they happen: the example", function()
      if not needs_module() then return end
      local path <const> = ("examples/loops/%s.lua"):format(loop.example)
      for _, words in ipairs { ("dofile %q"):format(path), 'require "ecmp.command.main"("ecmp", { "run", '
        .. ("%q })"):format(path),
      } do
        local run <const> = helper.lua(words, { stderr = "capture", timeout = 30 })
        assert.equal("", run.stderr)
        assert.equal(EVENTS, run.stdout)
        assert.equal(0, run.status)
      end
    end)

    it(loop.module .. " tells of them to a script of the executable, too", function()
      if not needs_module() then return end
      local run <const> = assert(sys.spawn { argv = { helper.build .. "/bin/ecmp", "run",
        ("examples/loops/%s.lua"):format(loop.example) }, stderr = "capture", timeout = 30 })
      assert.equal("", run.stderr)
      assert.equal(EVENTS, run.stdout)
      assert.equal(0, run.status)
    end)

    it(loop.module .. " goes on after an overrun, and misses nothing", function()
      if not needs_module() then return end
      local run <const> = helper.lua(loop.overrun, { stderr = "capture", timeout = 30 })
      assert.equal(loop.noise, run.stderr)
      assert.equal("true\t300\n", run.stdout)
    end)
  end
end)
