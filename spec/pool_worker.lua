--- A node of specs of pools, as a process of its own: verb after verb of ecmp-pool.
---
---   lua5.4 spec/pool_worker.lua CONF VERB ID...
---
--- For each attachment it prints "VERB ID CODE SECONDS ADDRESS"; CODE is 0 for success.
local cni = require "ecmp.cni"
local json = require "ecmp.json"
local pool = require "ecmp.plugin.pool"
local sys = require "ecmp.sys"

local conf <const> = assert(json.decode(assert(sys.read(arg[1]))))
local command <const> = arg[2]

for i = 3, #arg do
  local began <const> = sys.monotonic()
  local result <const>, _ <const>, code <const> = cni.invoke(pool, {
    command = command, conf = conf, containerid = arg[i], ifname = "eth0", args_text = "",
    version = "1.1.0",
  })
  local address <const> = type(result) == "table" and result.ips and result.ips[1].address or "-"
  io.stdout:write(("%s %s %d %.3f %s\n"):format(command, arg[i], code or 0,
    sys.monotonic() - began, address))
  io.stdout:flush()
end
