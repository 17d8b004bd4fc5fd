---@meta ecmp.shapes
-- What plugins return and rules are told, for editors. Nothing loads this file.

-- A CNI result, as `add` returns it and `call.prev` has it ----------------------------------------

---@class ecmp.Result
---@field cniVersion? string filled in
---@field interfaces? ecmp.ResultInterface[]
---@field ips? ecmp.ResultIp[]
---@field routes? ecmp.ResultRoute[]
---@field dns? ecmp.ResultDns

---@class ecmp.ResultInterface
---@field name string
---@field mac? string
---@field mtu? integer bytes
---@field sandbox? string path of the pod's namespace; the host's where it is left out
---@field socketPath? string
---@field pciID? string

---@class ecmp.ResultIp
---@field address string with its prefix length, "10.0.0.2/24"
---@field gateway? string
---@field interface? integer place in `interfaces`, counted from 0

---@class ecmp.ResultRoute
---@field dst string a prefix
---@field gw? string
---@field gws? string[] next hops of one multipath route
---@field nexthops? ecmp.ResultHop[] the same, with more about each
---@field priority? integer the metric
---@field table? integer
---@field scope? integer
---@field mtu? integer bytes
---@field advmss? integer bytes

---@class ecmp.ResultHop
---@field gw? string
---@field dev? string
---@field weight? integer 1..256
---@field onlink? boolean

---@class ecmp.ResultDns
---@field nameservers? string[]
---@field domain? string
---@field search? string[]
---@field options? string[]

-- What a rule knows beside the routes -------------------------------------------------------------

---@class ecmp.RuleContext
---@field command "ADD"|"CHECK"|"DEL"
---@field containerid string
---@field netns string path of the pod's namespace
---@field ifname string the interface that is attached
---@field network string
---@field args table<string, string> CNI_ARGS by key
---@field conf table the network configuration, keys of your own included
---@field addresses ecmp.RuleAddress[] those that the pod gets
---@field links table<string, ecmp.RuleLink> the pod's interfaces by name
---@field neighbours table<string, string> state by address, as `ip neigh` says it: "REACHABLE"
---@field current ecmp.RouteFields[] routes that the pod has already

---@class ecmp.RuleAddress
---@field address string with its prefix length
---@field gateway? string
---@field dev string

---@class ecmp.RuleLink
---@field up boolean
---@field carrier boolean
---@field mtu? integer bytes
---@field mac? string
---@field speed? integer Mbit/s, nil where the driver knows none
