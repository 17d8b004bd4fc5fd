---@meta ecmp.objects
-- The objects of a handle, kind by kind, for editors: which fields each takes, and which its views
-- have. Nothing loads this file.
-- luacheck: ignore 631

-- Views ------------------------------------------------------------------------------------------

---@class ecmp.RouteView: ecmp.Message, ecmp.RouteFields

---@class ecmp.NexthopView: ecmp.Message, ecmp.NexthopFields

---@class ecmp.BucketView: ecmp.Message, ecmp.BucketFields

---@class ecmp.LinkView: ecmp.Message, ecmp.LinkFields

---@class ecmp.AddrView: ecmp.Message, ecmp.AddrFields

---@class ecmp.RuleView: ecmp.Message, ecmp.RuleFields

---@class ecmp.NeighView: ecmp.Message, ecmp.NeighFields

---@class ecmp.VlanView: ecmp.Message, ecmp.VlanFields

---Where the kind shows only when it runs.
---@alias ecmp.View ecmp.RouteView|ecmp.NexthopView|ecmp.BucketView|ecmp.LinkView|ecmp.AddrView|ecmp.RuleView|ecmp.NeighView|ecmp.VlanView

---What `list` returns: prints as `ip OBJECT show` does.
---@class ecmp.List
---@field text fun(self: ecmp.List, options?: { details: boolean, table: boolean }): string as `ip -d` prints it; with
---the table of each route
---@field json fun(self: ecmp.List): string as `ip -j` prints it, see `ecmp.Message:json`

-- What verbs take: fields, a view, or the words typed after `ip OBJECT VERB` ------------------------

---@alias ecmp.GivenRoute ecmp.RouteFields|ecmp.RouteView|string

---@alias ecmp.GivenNexthop ecmp.NexthopFields|ecmp.NexthopView|string

---@alias ecmp.GivenBucket ecmp.BucketFields|ecmp.BucketView|string

---@alias ecmp.GivenLink ecmp.LinkFields|ecmp.LinkView|string

---@alias ecmp.GivenAddr ecmp.AddrFields|ecmp.AddrView|string

---@alias ecmp.GivenRule ecmp.RuleFields|ecmp.RuleView|string

---@alias ecmp.GivenNeigh ecmp.NeighFields|ecmp.NeighView|string

---@alias ecmp.GivenVlan ecmp.VlanFields|ecmp.VlanView|string

---@alias ecmp.Given ecmp.GivenRoute|ecmp.GivenNexthop|ecmp.GivenBucket|ecmp.GivenLink|ecmp.GivenAddr|ecmp.GivenRule|ecmp.GivenNeigh|ecmp.GivenVlan

-- Objects ------------------------------------------------------------------------------------------

---Routes.
---@class ecmp.Route: ecmp.Object
---@field add fun(self: ecmp.Route, route: ecmp.GivenRoute): true|nil, string?, string?
---@field append fun(self: ecmp.Route, route: ecmp.GivenRoute): true|nil, string?, string?
---@field prepend fun(self: ecmp.Route, route: ecmp.GivenRoute): true|nil, string?, string?
---@field change fun(self: ecmp.Route, route: ecmp.GivenRoute): true|nil, string?, string?
---@field list fun(self: ecmp.Route, filter?: ecmp.RouteFields|string): ecmp.RouteView[]|nil, string?, string?
---@field each fun(self: ecmp.Route, filter?: ecmp.RouteFields|string): fun(): ecmp.RouteView|nil
---@field flush fun(self: ecmp.Route, filter: ecmp.RouteFields|string): integer|nil, string?, string?

---Next-hop objects; what `add` made comes back as a second value.
---@class ecmp.Nexthop: ecmp.Object
---@field add fun(self: ecmp.Nexthop, nexthop: ecmp.GivenNexthop): true|nil, ecmp.NexthopView|string?, string?
---@field replace fun(self: ecmp.Nexthop, nexthop: ecmp.GivenNexthop): true|nil, ecmp.NexthopView|string?, string?
---@field del fun(self: ecmp.Nexthop, nexthop: ecmp.GivenNexthop): true|nil, string?, string?
---@field get fun(self: ecmp.Nexthop, nexthop: ecmp.GivenNexthop): ecmp.NexthopView|nil, string?, string?
---@field list fun(self: ecmp.Nexthop, filter?: ecmp.NexthopFields|string): ecmp.NexthopView[]|nil, string?, string?
---@field each fun(self: ecmp.Nexthop, filter?: ecmp.NexthopFields|string): fun(): ecmp.NexthopView|nil
---@field flush fun(self: ecmp.Nexthop, filter: ecmp.NexthopFields|string): integer|nil, string?, string?

---The buckets of resilient groups.
---@class ecmp.Bucket: ecmp.Object
---@field get fun(self: ecmp.Bucket, bucket: ecmp.GivenBucket): ecmp.BucketView|nil, string?, string?
---@field list fun(self: ecmp.Bucket, filter?: ecmp.BucketFields|string): ecmp.BucketView[]|nil, string?, string?
---@field each fun(self: ecmp.Bucket, filter?: ecmp.BucketFields|string): fun(): ecmp.BucketView|nil
---@field flush fun(self: ecmp.Bucket, filter: ecmp.BucketFields|string): integer|nil, string?, string?

---Links.
---@class ecmp.Link: ecmp.Object
---@field add fun(self: ecmp.Link, link: ecmp.GivenLink): true|nil, string?, string?
---@field replace fun(self: ecmp.Link, link: ecmp.GivenLink): true|nil, string?, string?
---@field change fun(self: ecmp.Link, link: ecmp.GivenLink): true|nil, string?, string?
---@field set fun(self: ecmp.Link, link: ecmp.GivenLink): true|nil, string?, string?
---@field del fun(self: ecmp.Link, link: ecmp.GivenLink): true|nil, string?, string?
---@field get fun(self: ecmp.Link, link: ecmp.GivenLink): ecmp.LinkView|nil, string?, string?
---@field list fun(self: ecmp.Link, filter?: ecmp.LinkFields|string): ecmp.LinkView[]|nil, string?, string?
---@field each fun(self: ecmp.Link, filter?: ecmp.LinkFields|string): fun(): ecmp.LinkView|nil
---@field wait fun(self: ecmp.Link, filter: { dev: string, timeout?: number }): ecmp.LinkView|nil, string?, string? with other fields as of list: until the link is so
---@field flush fun(self: ecmp.Link, filter: ecmp.LinkFields|string): integer|nil, string?, string?

---Addresses.
---@class ecmp.Addr: ecmp.Object
---@field add fun(self: ecmp.Addr, addr: ecmp.GivenAddr): true|nil, string?, string?
---@field replace fun(self: ecmp.Addr, addr: ecmp.GivenAddr): true|nil, string?, string?
---@field change fun(self: ecmp.Addr, addr: ecmp.GivenAddr): true|nil, string?, string?
---@field del fun(self: ecmp.Addr, addr: ecmp.GivenAddr): true|nil, string?, string?
---@field list fun(self: ecmp.Addr, filter?: ecmp.AddrFields|string): ecmp.AddrView[]|nil, string?, string?
---@field each fun(self: ecmp.Addr, filter?: ecmp.AddrFields|string): fun(): ecmp.AddrView|nil
---@field flush fun(self: ecmp.Addr, filter: ecmp.AddrFields|string): integer|nil, string?, string?

---Rules.
---@class ecmp.Rule: ecmp.Object
---@field add fun(self: ecmp.Rule, rule: ecmp.GivenRule): true|nil, string?, string?
---@field del fun(self: ecmp.Rule, rule: ecmp.GivenRule): true|nil, string?, string?
---@field list fun(self: ecmp.Rule, filter?: ecmp.RuleFields|string): ecmp.RuleView[]|nil, string?, string?
---@field each fun(self: ecmp.Rule, filter?: ecmp.RuleFields|string): fun(): ecmp.RuleView|nil
---@field flush fun(self: ecmp.Rule, filter: ecmp.RuleFields|string): integer|nil, string?, string?

---Neighbours.
---@class ecmp.Neigh: ecmp.Object
---@field add fun(self: ecmp.Neigh, neigh: ecmp.GivenNeigh): true|nil, string?, string?
---@field replace fun(self: ecmp.Neigh, neigh: ecmp.GivenNeigh): true|nil, string?, string?
---@field change fun(self: ecmp.Neigh, neigh: ecmp.GivenNeigh): true|nil, string?, string?
---@field del fun(self: ecmp.Neigh, neigh: ecmp.GivenNeigh): true|nil, string?, string?
---@field get fun(self: ecmp.Neigh, neigh: ecmp.GivenNeigh): ecmp.NeighView|nil, string?, string?
---@field list fun(self: ecmp.Neigh, filter?: ecmp.NeighFields|string): ecmp.NeighView[]|nil, string?, string?
---@field each fun(self: ecmp.Neigh, filter?: ecmp.NeighFields|string): fun(): ecmp.NeighView|nil
---@field flush fun(self: ecmp.Neigh, filter: ecmp.NeighFields|string): integer|nil, string?, string?

---VLANs of the ports of bridges, as of `bridge vlan`.
---@class ecmp.Vlan: ecmp.Object
---@field add fun(self: ecmp.Vlan, vlan: ecmp.GivenVlan): true|nil, string?, string?
---@field del fun(self: ecmp.Vlan, vlan: ecmp.GivenVlan): true|nil, string?, string?
---@field list fun(self: ecmp.Vlan, filter?: ecmp.VlanFields|string): ecmp.VlanView[]|nil, string?, string?
---@field each fun(self: ecmp.Vlan, filter?: ecmp.VlanFields|string): fun(): ecmp.VlanView|nil
---@field flush fun(self: ecmp.Vlan, filter: ecmp.VlanFields|string): integer|nil, string?, string?
