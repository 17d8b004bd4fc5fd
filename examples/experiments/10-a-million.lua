-- A million routes
--
-- How long it takes to install a full table several times over, and what a look-up costs then. The
-- times are of the machine this was run on.
local ecmp = require "ecmp"
local count <const> = math.tointeger(tonumber(os.getenv "ECMP_ROUTES") or 1000000)
local lab <const> = ecmp.lab { gateways = 2 }
local pod <const>, hops <const> = lab.pod, lab:hops(4)
local clock <const> = ecmp.sys.monotonic
-- Prefixes of 28 bits from 16.0.0.0 on, in batches of 50000, in the order the kernel likes best:
local function install()
  local made = 0
  while made < count do
    local batch = {}
    for i = 1, math.min(50000, count - made) do
      local n = (made + i - 1) * 16 + 0x10000000
      batch[i] = { "route add", { dst = ("%d.%d.%d.%d/28"):format(n >> 24, n >> 16 & 255,
        n >> 8 & 255, n & 255),
                                  via = hops[i % 2 + 1].via, proto = "static" } }
    end
    for _, result in ipairs(pod:batch(batch, { order = "free" })) do assert(result == true) end
    made = made + #batch
  end
end
local started = clock()
install()
print(("%d routes in %.1f s"):format(count, clock() - started))
-- One look-up among them:
started = clock()
for _ = 1, 1000 do assert(pod.route:get { dst = "16.0.0.1" }) end
print(("%.0f look-ups a second"):format(1000 / (clock() - started)))
-- And reading them all back:
started = clock()
assert(#pod.route:list { proto = "static" } == count)
print(("listed in %.1f s"):format(clock() - started))
