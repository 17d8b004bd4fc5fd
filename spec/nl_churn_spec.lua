--- Lists of what changes while it is listed: whatever was there all the time is told once.
local helper = require "spec.helper"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local LISTS <const> = 20 * helper.rounds

-- Another process that adds and deletes routes among those that stay, as fast as it can, until it is killed.
local CHURN <const> = [[
local count <const>, most <const> = %d, %d
local ecmp <const>, sys <const> = require "ecmp", require "ecmp.sys"
local nl <const> = assert(ecmp.open())
local stop <const> = sys.monotonic() + 3600
math.randomseed(most)
while sys.monotonic() < stop do
  local changes <const> = {}
  for i = 1, math.random(most) do
    local n <const> = math.random(0, count - 1)
    changes[i] = { "route add", { dst = ("2001:1:%%x:8000::/50"):format(n), via = "fd00:0:0:1::2" } }
  end
  nl:batch(changes)
  for _, change in ipairs(changes) do change[1] = "route del" end
  nl:batch(changes)
end
]]

local function churn(space, ...)
  return helper.lua(CHURN:format(...), { netns = space.path, detach = true }).pid
end

describe("a list #netns", function()
  local space, nl, churning
  before_each(function()
    space = scratch.new(1)
    nl = space.nl
  end)
  after_each(function()
    sys.kill(churning, 9)
    space:close()
  end)

  for _, most in ipairs { 1, 200 } do
    it(("of IPv6 routes has all that stay while others come and go, up to %d at once"):format(most),
      function()
        local count <const>, stay <const> = 2000, {}
        for n = 0, count - 1 do
          local dst <const> = ("2001:1:%x::/48"):format(n)
          stay[#stay + 1] = { "route add", { dst = dst, via = "fd00:0:0:1::2" } }
          if n % 10 == 0 then -- a second one at the same place in the kernel's tree
            stay[#stay + 1] = { "route add", { dst = dst, via = "fd00:0:0:1::3", metric = 9 } }
          end
        end
        for _, result in ipairs(nl:batch(stay)) do assert.is_true(result) end
        churning = churn(space, count, most)
        local lists, moved = 0, false
        while lists < LISTS or not moved do -- on a slow machine it begins late
          local seen <const>, found = {}, 0
          for _, route in ipairs(assert(nl.route:list { family = 6 })) do
            local name <const> = route.dst .. " " .. route.metric
            if seen[name] then assert(not route.dst:find "^2001:1:", name) end
            seen[name] = true
            if route.dst:find "/48$" then found = found + 1 end
            moved = moved or route.dst:find "/50$" ~= nil
          end
          assert.are.equal(#stay, found)
          lists = lists + 1
        end
        assert.are.equal(1, #nl.route:list { dst = stay[7][2].dst })
      end)
  end
end)
