---Sample configurations, on which `ecmp rule check` tries a script that comes without one.
--
-- Each shows something that rules have to decide, in both families.
local M = {}

local HEAD <const> = [[{ "cniVersion": "1.1.0", "name": "sample", "type": "ecmp-bridge",
  "ipam": { "type": "ecmp-static",
    "addresses": [ { "address": "10.0.0.9/24", "gateway": "10.0.0.1" },
                   { "address": "2001:db8::9/64", "gateway": "2001:db8::1" } ],
    "routes": [ ]]
local TAIL <const> = " ] } }"

local TWO <const> = [[
  { "dst": "0.0.0.0/0", "gw": "10.0.0.1" }, { "dst": "0.0.0.0/0", "gw": "10.0.0.2" },
  { "dst": "::/0", "gw": "2001:db8::1" }, { "dst": "::/0", "gw": "2001:db8::2" } ]]

local SINGLE <const> = [[
  { "dst": "0.0.0.0/0", "gw": "10.0.0.1" }, { "dst": "10.8.0.0/16", "gw": "10.0.0.2" },
  { "dst": "::/0", "gw": "2001:db8::1" }, { "dst": "2001:db8:8::/48", "gw": "2001:db8::2" } ]]

local ATTRIBUTES <const> = [[
  { "dst": "10.8.0.0/16", "gw": "10.0.0.1", "priority": 100 },
  { "dst": "10.8.0.0/16", "gw": "10.0.0.2", "priority": 200 },
  { "dst": "10.9.0.0/16", "gw": "10.0.0.1", "table": 100, "mtu": 1400 },
  { "dst": "2001:db8:8::/48", "gw": "2001:db8::1", "priority": 100 },
  { "dst": "2001:db8:8::/48", "gw": "2001:db8::2", "priority": 200 },
  { "dst": "2001:db8:9::/48", "gw": "2001:db8::1", "table": 100, "mtu": 1400 } ]]

local EXPLICIT <const> = [[
  { "dst": "0.0.0.0/0", "gws": [ "10.0.0.1", "10.0.0.2" ] },
  { "dst": "0.0.0.0/0", "gw": "10.0.0.3" },
  { "dst": "::/0", "nexthops": [ { "gw": "2001:db8::1", "weight": 3 }, { "gw": "2001:db8::2" } ] },
  { "dst": "::/0", "gw": "2001:db8::3" } ]]

-- What another interface of the pod has already, where a sample is about a second one.
local PRESENT <const> = {
  { dst = "0.0.0.0/0", via = "10.9.0.1", dev = "eth0" },
  { dst = "::/0", via = "fd00:9::1", dev = "eth0" },
}

local function sample(name, routes, more)
  local one <const> = { name = name, text = HEAD .. routes .. TAIL }
  for key, value in pairs(more or {}) do one[key] = value end
  return one
end

---The samples in the order in which they are shown: `{ name, text, ifname?, current? }`, the text
---a configuration in JSON, `current` routes that the pod has already.
M.list = {
  sample("two gateways", TWO),
  sample("one gateway for each prefix", SINGLE),
  sample("metrics, tables and mtu", ATTRIBUTES),
  sample("a route that lists its next hops, and one beside it", EXPLICIT),
  sample("a second interface", TWO, { ifname = "net1", current = PRESENT }),
}

return M
