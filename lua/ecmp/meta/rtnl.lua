---@meta ecmp.rtnl
-- What the C module offers, for editors: completion and checks of scripts. Nothing loads this file.
-- luacheck: ignore 212 241 631

---@class ecmp.rtnl
local rtnl = {}

---@alias ecmp.kind "route"|"nexthop"|"bucket"|"link"|"addr"|"rule"|"neigh"|"vlan"|"flow"
---@alias ecmp.verb "add"|"replace"|"append"|"prepend"|"change"|"set"|"del"|"get"|"try"

-- Fields, in iproute2's words ------------------------------------------------------------------------

---@class ecmp.Encap lightweight tunnel; `type` selects the other fields
---@field type "mpls"|"ip"|"ip6"|"seg6"|"seg6local"|"rpl"|"ioam6"|"bpf"|"xfrm"|integer
---@field labels? integer[] mpls: 1 to 30 labels
---@field ttl? integer mpls, ip
---@field id? integer ip, ip6
---@field src? string ip, ip6
---@field dst? string ip, ip6
---@field tos? integer ip; in text decimal, as it is printed
---@field hoplimit? integer ip6
---@field tc? integer ip6; in text decimal, as it is printed
---@field key? boolean ip, ip6
---@field csum? boolean ip, ip6
---@field seq? boolean ip, ip6
---@field mode? "inline"|"encap"|"l2encap"|"encap.red"|"l2encap.red"|"auto" seg6; ioam6: inline, encap or auto
---@field segs? string[] seg6, seg6local, rpl: in the order of travel
---@field hmac? integer seg6, seg6local: number of the key that signs the segments
---@field action? string seg6local: "End", "End.X", "End.DT6", ...
---@field table? string|integer seg6local
---@field vrftable? string|integer seg6local
---@field nh4? string seg6local
---@field nh6? string seg6local
---@field iif? string seg6local
---@field oif? string seg6local
---@field count? boolean seg6local: keep counters
---@field flavors? string[] seg6local: "psp", "usp", "usd", "next-csid"
---@field lblen? integer seg6local, next-csid: bits of the locator block
---@field nflen? integer seg6local, next-csid: bits of node and function
---@field endpoint? string seg6local: name of the program, which the kernel tells and does not take
---@field freq? string ioam6: "1/3", in one of three packets
---@field tundst? string ioam6, encap and auto: where the tunnel ends
---@field trace? ecmp.Ioam6Trace ioam6
---@field in? string bpf: name of a program, which the kernel tells and does not take
---@field out? string bpf: the same
---@field xmit? string bpf: the same
---@field headroom? integer bpf: bytes that xmit may put before a packet
---@field if_id? integer xfrm
---@field link_dev? string|integer xfrm: the link below
---@field data? string a type that has no word: its attributes, two hexadecimal digits a byte

---@class ecmp.Ioam6Trace room in a packet that the nodes on its way fill
---@field type? integer|string bits: which data of a node
---@field ns? integer the namespace
---@field size? integer bytes, a multiple of 4

---@class ecmp.Hop one next hop
---@field via? string gateway; "inet6 fe80::1" for an IPv6 gateway of an IPv4 route
---@field dev? string|integer
---@field weight? integer 1 to 256
---@field onlink? boolean
---@field pervasive? boolean
---@field realm? integer|string 5, or "7/5"
---@field encap? ecmp.Encap
---@field dead? boolean read only
---@field linkdown? boolean read only
---@field offload? boolean read only
---@field trap? boolean read only
---@field unresolved? boolean read only

---@class ecmp.RouteFields
---@field family? 4|6 needed only where no address tells
---@field type? string|integer "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
---"prohibit", "throw", "nat"
---@field dst? string prefix or "default"
---@field from? string source prefix (IPv6)
---@field nhid? integer next-hop object
---@field encap? ecmp.Encap
---@field tos? integer|string
---@field via? string
---@field dev? string|integer
---@field table? string|integer absent: "main", or "local" for types that belong to the host
---@field proto? string|integer
---@field scope? string|integer
---@field src? string preferred source address
---@field metric? integer
---@field onlink? boolean
---@field pervasive? boolean
---@field realm? integer|string
---@field expires? integer seconds (IPv6)
---@field lock? string[] names of metrics that path discovery must not change
---@field mtu? integer bytes
---@field window? integer bytes
---@field rtt? number milliseconds
---@field rttvar? number milliseconds
---@field ssthresh? integer
---@field cwnd? integer
---@field advmss? integer bytes
---@field reordering? integer
---@field hoplimit? integer
---@field initcwnd? integer
---@field features? string[] "ecn"
---@field rto_min? number milliseconds; the kernel heeds it only when `lock` names it, which the words
---`rto_min 5ms` do by themselves
---@field initrwnd? integer
---@field quickack? integer
---@field congctl? string
---@field fastopen_no_cookie? integer
---@field pref? "low"|"medium"|"high" IPv6
---@field ttl_propagate? boolean
---@field nexthops? ecmp.Hop[] instead of `via` and `dev`
---@field hops? ecmp.Hop[] read only: `nexthops`, or the one hop that the route itself names, with weight 1; empty where
---it leads nowhere, and by a next-hop object whose hops the kernel does not spell out, or which a copy leaves to it.
---Views have it, and tables that the library made
---@field dead? boolean read only
---@field linkdown? boolean read only
---@field offload? boolean read only
---@field trap? boolean read only
---@field unresolved? boolean read only
---@field cloned? boolean read only
---@field mark? integer read only
---@field uid? integer read only
---@field iif? string read only
---@field error? integer read only
---@field rt_offload? boolean read only
---@field rt_trap? boolean read only

---@class ecmp.FlowFields what `ip route get` asks
---@field family? 4|6
---@field dst? string
---@field src? string
---@field iif? string|integer
---@field dev? string|integer
---@field tos? integer|string
---@field mark? integer|string
---@field proto? "icmp"|"tcp"|"udp"|"icmpv6"|integer
---@field sport? integer
---@field dport? integer
---@field uid? integer
---@field fibmatch? boolean the whole route instead of the hop chosen

---@class ecmp.GroupMember
---@field id integer
---@field weight? integer 1 to 255, 65535 on newer kernels

---@class ecmp.NexthopFields
---@field family? 4|6
---@field id? integer absent: the kernel chooses
---@field group? (ecmp.GroupMember|integer)[]
---@field type? "mpath"|"resilient"
---@field buckets? integer resilient
---@field idle_timer? number seconds
---@field unbalanced_timer? number seconds
---@field unbalanced_time? number read only, seconds
---@field encap? ecmp.Encap
---@field via? string
---@field dev? string|integer
---@field blackhole? boolean
---@field proto? string|integer
---@field onlink? boolean
---@field fdb? boolean
---@field scope? string read only
---@field dead? boolean read only
---@field linkdown? boolean read only
---@field pervasive? boolean read only
---@field offload? boolean read only
---@field trap? boolean read only
---@field unresolved? boolean read only
---@field hw_stats? boolean of a group: hardware that forwards counts, too
---@field hw_stats_used? boolean read only
---@field group_stats? ecmp.GroupStats[] read only: packets by member, where `get` asked for `stats`
---@field stats? boolean in `get`: tell how many packets each member of a group took (Linux 6.9)
---@field stats_hw? boolean in `get`: the same of hardware

---@class ecmp.GroupStats
---@field id integer the member
---@field packets integer all that took it, since the group was made
---@field packets_hw? integer those of them that hardware forwarded

---@class ecmp.BucketFields
---@field id? integer the group
---@field index? integer
---@field nhid? integer the member it leads to
---@field idle_time? number read only, seconds
---@field family? 4|6

---@class ecmp.LinkVeth a link of type veth
---@field peer? ecmp.LinkFields the other end

---@class ecmp.LinkBridge a link of type bridge; times are hundredths of a second, timers are seconds
---@field forward_delay? integer
---@field hello_time? integer
---@field max_age? integer
---@field ageing_time? integer
---@field stp_state? integer
---@field priority? integer
---@field vlan_filtering? integer
---@field vlan_protocol? "802.1Q"|"802.1ad"
---@field bridge_id? string read only
---@field designated_root? string read only
---@field root_port? integer read only
---@field root_path_cost? integer read only
---@field topology_change? integer read only
---@field topology_change_detected? integer read only
---@field hello_timer? number read only
---@field tcn_timer? number read only
---@field topology_change_timer? number read only
---@field gc_timer? number read only
---@field vlan_default_pvid? integer
---@field vlan_stats_enabled? integer
---@field vlan_stats_per_port? integer
---@field group_fwd_mask? integer|string
---@field group_address? string
---@field mcast_snooping? integer
---@field no_linklocal_learn? 0|1
---@field mcast_vlan_snooping? 0|1
---@field mcast_router? integer
---@field mcast_query_use_ifaddr? integer
---@field mcast_querier? integer
---@field mcast_hash_elasticity? integer
---@field mcast_hash_max? integer
---@field mcast_last_member_count? integer
---@field mcast_startup_query_count? integer
---@field mcast_last_member_interval? integer
---@field mcast_membership_interval? integer
---@field mcast_querier_interval? integer
---@field mcast_query_interval? integer
---@field mcast_query_response_interval? integer
---@field mcast_startup_query_interval? integer
---@field mcast_stats_enabled? integer
---@field mcast_igmp_version? integer
---@field mcast_mld_version? integer
---@field nf_call_iptables? integer
---@field nf_call_ip6tables? integer
---@field nf_call_arptables? integer
---@field fdb_flush? boolean

---@class ecmp.LinkVlan a link of type vlan
---@field protocol? "802.1Q"|"802.1ad"
---@field id? integer

---@class ecmp.LinkMacvlan a link of type macvlan or macvtap
---@field mode? "private"|"vepa"|"bridge"|"passthru"|"source"
---@field nopromisc? boolean
---@field nodst? boolean
---@field bcqueuelen? integer
---@field usedbcqueuelen? integer read only

---@class ecmp.LinkIpvlan a link of type ipvlan
---@field mode? "l2"|"l3"|"l3s"
---@field flag? "bridge"|"private"|"vepa"

---@class ecmp.LinkVrf a link of type vrf
---@field table? string|integer

---@class ecmp.LinkVxlan a link of type vxlan
---@field external? boolean
---@field vnifilter? boolean
---@field id? integer
---@field remote? string peer or group
---@field local? string
---@field link? string|integer
---@field srcport? string
---@field dstport? integer
---@field learning? boolean
---@field proxy? boolean
---@field rsc? boolean
---@field l2miss? boolean
---@field l3miss? boolean
---@field tos? string|integer
---@field ttl? integer|"inherit"
---@field df? string|integer
---@field flowlabel? integer|string
---@field ageing? string|integer
---@field maxaddress? string|integer
---@field udpcsum? boolean
---@field udp6zerocsumtx? boolean
---@field udp6zerocsumrx? boolean
---@field remcsumtx? boolean
---@field remcsumrx? boolean
---@field gbp? boolean
---@field gpe? boolean

---@class ecmp.PortBridge a link whose `port` is bridge: what a bridge knows of it
---@field state? "disabled"|"listening"|"learning"|"forwarding"|"blocking"
---@field priority? integer
---@field cost? integer
---@field hairpin? boolean
---@field guard? boolean
---@field root_block? boolean
---@field fastleave? boolean
---@field learning? boolean
---@field flood? boolean
---@field port_id? integer|string read only
---@field port_no? integer|string read only
---@field designated_port? integer read only
---@field designated_cost? integer read only
---@field designated_bridge? string read only
---@field designated_root? string read only
---@field hold_timer? number read only
---@field message_age_timer? number read only
---@field forward_delay_timer? number read only
---@field topology_change_ack? integer read only
---@field config_pending? integer read only
---@field proxy_arp? boolean
---@field proxy_arp_wifi? boolean
---@field mcast_router? integer
---@field mcast_flood? boolean
---@field bcast_flood? boolean
---@field mcast_to_unicast? boolean
---@field neigh_suppress? boolean
---@field group_fwd_mask? integer|string
---@field vlan_tunnel? boolean
---@field isolated? boolean
---@field locked? boolean
---@field backup_port? string|integer
---@field fdb_flush? boolean

---A link, with the fields of its `type` and `port`.
---@class ecmp.LinkFields: ecmp.LinkVeth, ecmp.LinkBridge, ecmp.LinkVlan, ecmp.LinkMacvlan, ecmp.LinkIpvlan, ecmp.LinkVrf, ecmp.LinkVxlan, ecmp.PortBridge
---@field index? integer
---@field dev? string|integer which link is meant
---@field name? string its name, or with `dev` its new one
---@field type? "veth"|"bridge"|"dummy"|"ifb"|"vlan"|"macvlan"|"ipvlan"|"vrf"|"vxlan"|string
---@field up? boolean
---@field promisc? boolean
---@field allmulticast? boolean
---@field multicast? boolean
---@field noarp? boolean
---@field dynamic? boolean
---@field notrailers? boolean
---@field mtu? integer
---@field master? string|integer|false false: none
---@field link? string|integer the link below
---@field group? string|integer
---@field linkmode? "DEFAULT"|"DORMANT"
---@field txqueuelen? integer
---@field address? string
---@field broadcast? string
---@field netns? string path, name or pid of the namespace it goes to
---@field alias? string
---@field numtxqueues? integer
---@field numrxqueues? integer
---@field carrier? boolean
---@field protodown? boolean
---@field addrgenmode? "eui64"|"none"|"stable_secret"|"random"
---@field gso_max_size? integer
---@field gso_max_segs? integer
---@field gro_max_size? integer
---@field port? "bridge" the fields of the port it is: state, priority, cost, hairpin, guard, ...
---@field flags? string[] read only
---@field link_type? string|integer read only
---@field qdisc? string read only
---@field operstate? string read only
---@field altnames? string[] read only
---@field link_netnsid? integer read only
---@field running? boolean read only
---@field lower_up? boolean read only
---@field minmtu? integer read only
---@field maxmtu? integer read only
---@field allmulti? integer read only: how often it was asked for
---@field promiscuity? integer read only: how often it was asked for
---@field broadcasting? boolean read only
---@field loopback? boolean read only
---@field pointopoint? boolean read only
---@field permaddr? string read only: the address it was made with
---@field tso_max_size? integer read only
---@field tso_max_segs? integer read only

---@class ecmp.AddrFields
---@field family? 4|6
---@field address? string with its length, "10.0.0.1/24"
---@field peer? string
---@field metric? integer
---@field broadcast? string "+": what the prefix makes of it; without it there is none
---@field anycast? string
---@field scope? string|integer
---@field dev? string|integer
---@field label? string
---@field nodad? boolean
---@field optimistic? boolean
---@field home? boolean
---@field mngtmpaddr? boolean
---@field noprefixroute? boolean
---@field autojoin? boolean
---@field valid_lft? integer|"forever" seconds
---@field preferred_lft? integer|"forever" seconds
---@field secondary? boolean read only
---@field permanent? boolean read only
---@field tentative? boolean read only
---@field dadfailed? boolean read only
---@field deprecated? boolean read only
---@field stable_privacy? boolean read only

---@class ecmp.RuleFields
---@field family? 4|6
---@field priority? integer
---@field invert? boolean "not"
---@field from? string
---@field to? string
---@field tos? integer|string
---@field fwmark? integer|string
---@field tun_id? integer
---@field fwmask? integer|string
---@field iif? string
---@field oif? string
---@field l3mdev? boolean
---@field uidrange? string "1-5"
---@field ipproto? string|integer
---@field sport? string|integer a port or "1-7"
---@field dport? string|integer
---@field action? "lookup"|"goto"|"nop"|"blackhole"|"unreachable"|"prohibit"
---@field table? string|integer
---@field goto? integer
---@field suppress_prefixlength? integer
---@field suppress_ifgroup? integer
---@field realm? integer|string
---@field proto? string|integer

---@class ecmp.NeighFields
---@field family? 4|6
---@field dst? string
---@field dev? string|integer
---@field lladdr? string
---@field state? string|integer "PERMANENT", "REACHABLE", "STALE", "NOARP", ...
---@field router? boolean
---@field proxy? boolean
---@field extern_learn? boolean
---@field managed? boolean the kernel keeps it up to date
---@field use? boolean
---@field proto? string|integer
---@field probes? integer read only

---@class ecmp.PortVlan
---@field vid integer
---@field pvid? boolean what comes in without a tag belongs to it
---@field untagged? boolean goes out without a tag

---@class ecmp.VlanFields the VLANs of a port of a bridge
---@field dev? string|integer
---@field vlans? ecmp.PortVlan[]
---@field self? boolean of the device itself: a bridge's own

---@alias ecmp.Fields ecmp.RouteFields|ecmp.FlowFields|ecmp.NexthopFields|ecmp.BucketFields|ecmp.LinkFields|ecmp.AddrFields|ecmp.RuleFields|ecmp.NeighFields|ecmp.VlanFields

-- Views ------------------------------------------------------------------------------------------------

---A message of the kernel, a view of it: read-only, decoded when asked. `pairs` walks its fields in iproute2's order,
---`==` compares them (between two handles links by name, else by number), `tostring` prints as `ip` does; a field that
---no such object has throws. Lists in it (`nexthops`, `group`) are plain tables, made when they are asked for: what is
---set in one stays in that one, and a misspelt key of a hop is nil.
---@class ecmp.Message
local Message = {}

---@class ecmp.TextOptions
---@field details? boolean as `ip -d`
---@field table? boolean name the table of a route
---@field line? boolean next hops behind each other instead of on lines of their own
---@field request? boolean as what is typed behind a verb: what goes without saying is left out
---@field lower_down? boolean a link: the one below is not up
---@field brief? boolean a link: as `ip addr` heads its addresses
---@field ipv4? boolean with `brief`, of IPv4 addresses only
---@field ipv6? boolean with `brief`, of IPv6 addresses only
---@field nexthops? table<integer, string> routes: what is told of the objects they refer to, by id

---The text that `ip OBJECT show` prints.
---@param options? ecmp.TextOptions
---@return string
function Message:text(options) end

---The text that `ip -j OBJECT show` prints of it, an object. Routes name their table, unless it is main, and what `ip`
---leaves out: which metrics are locked, as `lock`, and fields of an encapsulation that the route has, too, as `encap_dst`
---and the like. `nl.route:add` and the other verbs of routes, `ecmp.plan` and `ecmp apply` take it back.
---@return string
function Message:json() end

---A plain table of what can be given back, with changes.
---@param changes? ecmp.Fields
---@return ecmp.Fields
function Message:copy(changes) end

---The payload of an attribute, also of one that no field names.
---@param number integer
---@return string? bytes
function Message:raw(number) end

---The message from its fixed header on.
---@return string bytes
function Message:bytes() end

---What the notification said.
---@return "add"|"change"|"del"
---@return boolean behind it was appended
function Message:verb() end

---@return ecmp.kind
function Message:object() end

-- Sockets ----------------------------------------------------------------------------------------------

---A netlink socket in one namespace. Closed by `close`, at scope exit or by the collector.
---@class ecmp.rtnl.Socket
local Socket = {}

---One request and its answer. Throws for wrong fields.
---@param object ecmp.kind
---@param verb ecmp.verb
---@param value ecmp.Fields|ecmp.View|string fields, a view, or the words typed after `ip OBJECT VERB`
---@return true|ecmp.View|nil result # "get": what was asked for
---@return ecmp.View|string? made_or_message # new next-hop objects as the kernel made them; or why not
---@return string? code # "EEXIST", ...
function Socket:request(object, verb, value) end

---Reads all objects of a kind; again if the kernel says they changed meanwhile. Views are made one by
---one, when their turn comes.
---@param object ecmp.kind
---@param filter ecmp.Fields what the kernel itself filters by: family, table, proto, type, dev
---@param like? ecmp.View a route: only those with its destination are kept
---@return (fun(): ecmp.View|nil)|nil views an iterator
---@return string? message
---@return string? code
function Socket:dump(object, filter, like) end

---Many changes with many in flight.
---@param changes { [1]: string, [2]: ecmp.Fields|ecmp.View|string|ecmp.rtnl.List, [3]: integer? }[]
---`{ "route add", { ... } }`, or `{ "route add", list, i }`
---@param free? boolean|"apart" they do not depend on each other: sent in the order that costs the kernel
---least; "apart": unless one of them may lead to the gateway of another
---@param share? ecmp.rtnl.Share has routes refer to next-hop objects instead of hops
---@return (true|{ message: string, code: string, object?: integer })[] results # object: of a refused
---route, the number it referred to
function Socket:batch(changes, free, share) end

---Chooses the next-hop objects of a batch. It is called for each part of the batch that is encoded
---at once, before that is sent; the socket is taken meanwhile. `sets` has the different sets of next
---hops of its routes, each a view with nothing beside them but the family and whether the table is
---main; `uses` how many routes have each; `moved[family][length]` the bytes of the destinations of
---that length that are changed and that a gateway may be in. Returns the numbers of the objects by
---set.
---@alias ecmp.rtnl.Share fun(sets: ecmp.View[], uses: integer[], moved: table): table<integer, integer>?

---Subscribes to notifications.
---@param object "route"|"nexthop"|"link"|"addr"|"neigh"|"rule"
---@return true|nil
---@return string? message
---@return string? code
function Socket:subscribe(object) end

---Waits for the next notifications.
---@param timeout? number seconds; absent: for ever
---@param names? ecmp.rtnl.Socket over which names of interfaces are asked
---@param gone? table<integer, string> names of interfaces that may be gone, by number
---@return ecmp.View[]|nil
---@return string? message
---@return string? code # "EAGAIN": nothing in time; "ENOBUFS": some were lost
function Socket:receive(timeout, names, gone) end

---Sets the room for notifications.
---@param bytes integer
---@return true|nil
---@return string? message
---@return string? code
function Socket:buffer(bytes) end

---@return integer descriptor
function Socket:fd() end

---@return integer? descriptor of the namespace; nil for the process's own
function Socket:netns() end

---Closing twice is fine.
function Socket:close() end

-- The module -------------------------------------------------------------------------------------------

---Opens a socket in a namespace, without the caller moving.
---@param netns? string path, name under /run/netns, or pid; absent: this namespace
---@return ecmp.rtnl.Socket?
---@return string? message
---@return string? code
function rtnl.open(netns) end

---A request as bytes, without a kernel; devices are numbers. Throws for wrong fields.
---@param object ecmp.kind
---@param verb ecmp.verb|"list" "list": a dump of what the fields filter by
---@param value ecmp.Fields
---@return string bytes from the netlink header on
function rtnl.message(object, verb, value) end

---Sends requests in a namespace, one after the other, which is opened and closed in one call, so that
---nothing keeps it alive. Ends at the first that is refused.
---@param netns string path, name under /run/netns, or pid
---@param requests string[] made by `rtnl.message`
---@param expected? string what the first is to be answered; otherwise nothing follows it
---@return string[]|false|nil answers # the bytes of all messages that answered, "" for a change;
---false where the first was answered otherwise
---@return string? message # or, with false, what it was answered
---@return string? code
---@return integer? number # of the request that was refused
function rtnl.visit(netns, requests, expected) end

---Reads the words typed after `ip OBJECT add`, or what `ip OBJECT show` printed.
---@param object ecmp.kind
---@param text string
---@return ecmp.Fields? # nil: not understood
---@return string? message
function rtnl.parse(object, text) end

---The message a table encodes to, without a kernel. Throws for wrong fields.
---@param object ecmp.kind
---@param value ecmp.Fields
---@param request? boolean fill in what `ip OBJECT add` fills in
---@return ecmp.View
function rtnl.view(object, value, request) end

---A view of bytes: fixed header and attributes.
---@param object ecmp.kind
---@param bytes string
---@return ecmp.View? # nil: fewer bytes than the header
---@return string? message
function rtnl.decode(object, bytes) end

---The text of a list of views, a view a line; routes of several tables name them.
---@param views ecmp.View[]
---@param options? ecmp.TextOptions
---@return string
function rtnl.text(views, options) end

---Raises where a table is no request of that kind.
---@param object ecmp.kind
---@param value table
function rtnl.check(object, value) end

---A refusal read from bytes, as a refused request would answer.
---@param object ecmp.kind
---@param request string from its fixed header on
---@param reply string from its netlink header on
---@return nil
---@return string message
---@return string code
function rtnl.explain(object, request, reply) end

---How many next hops a route has that no dump can list, as the kernel tells it.
---@param route ecmp.View
---@return integer # 0: it can be listed
function rtnl.beyond(route) end

---Sets who reads the names that a site gives in /etc/iproute2; they are for text alone, in and out.
---@param reader fun(file: string): table<string|integer, integer|string> numbers by name, names by number
function rtnl.site(reader) end

---Adds a method to all views.
---@param name string
---@param method fun(view: ecmp.View, ...): any
function rtnl.method(name, method) end

---Marks a table of a route's fields, which has `hops` then.
---@param fields ecmp.RouteFields
---@return ecmp.RouteFields fields the same
function rtnl.fields(fields) end

---@param value any
---@return boolean
function rtnl.is_view(value) end

---Groups routes by key, type and scope, where the key of each of them is clear.
---@param routes table[]
---@param metatable table of each group
---@return table[][]?
function rtnl.group(routes, metatable) end

---Routes that are wanted, kept as the messages that ask the kernel for them: `#list`; `list[i]`, a
---table of what was said.
---@class ecmp.rtnl.List
local List = {}

---Adds a route. Throws for wrong fields.
---@param route ecmp.RouteFields|string a table, or the words typed after `ip route add`
---@param line integer where it was read
---@param proto? string|integer of a text that names none
---@return boolean sure # false: it may be no route, though each of its fields is right
function List:add(route, line, proto) end

---@return integer? # number of the first route that names a device there is not
function List:lacking() end

---@return table<integer, table<integer, true>> # the families, 4 and 6, of each table that routes are in
function List:tables() end

---The first route by each next-hop object.
---@return table<integer, integer> # its number in the list by that of the object
function List:objects() end

---@return table<integer, integer> counts how many routes there are of each protocol, by its number
function List:protocols() end

---@param protocol integer
---@return integer[] numbers of its routes
function List:of(protocol) end

---Takes routes out; the numbers of those behind them fall.
---@param numbers integer[] that rise
function List:remove(numbers) end

---@param i integer
---@return integer line where the i-th was read
function List:line(i) end

---A list of routes, empty.
---@param socket? ecmp.rtnl.Socket whose kernel is asked for devices
---@param family? 4|6 of routes without an address, 4 unless given
---@return ecmp.rtnl.List
function rtnl.list(socket, family) end

---The key of one of a list, as ecmp.fib.route names it.
---@param list any
---@param i integer
---@return string? # nil: it takes more than a prefix, or this is no such list
function rtnl.slot(list, i) end

---The keys of some of a list that follow each other, a line each.
---@param list any
---@param first integer
---@param last integer
---@param word string in front of each
---@return string? # nil: one takes more than a prefix, or this is no such list
function rtnl.slots(list, first, last, word) end

---The lines of a text, joined where they go on, without comments.
---@class ecmp.rtnl.Lines
local Lines = {}

---Adds lines to a list, up to one that has to be looked at.
---@param list ecmp.rtnl.List
---@return string|boolean|nil found # text: what is wrong with a line; true: the route added last may be
---none, though each of its fields is right; false: there is more to be read; nil: that was all
---@return integer|string|nil number # of the wrong line; or, with nil, why no more can be read
function Lines:next(list) end

---@return integer bytes that are done
function Lines:done() end

---@return string? character the first of a file that nothing was read from yet
function Lines:peek() end

---@param source file*|string
---@param proto? string|integer of routes that name none
---@return ecmp.rtnl.Lines
function rtnl.lines(source, proto) end

---The canonical form of a route: see `ecmp.fib.route`.
---@param route any
---@param wanted? boolean only where it can be a route as it is written
---@return table? canonical nil where Lua has to look
function rtnl.canonical(route, wanted) end

---What has to change to make one list of routes another, key by key: see `ecmp.fib.diff`.
---@param current table[]
---@param wanted table[]|ecmp.rtnl.List
---@param exactly? boolean what is left out is not there
---@return (integer|table)[]? steps nil where a key is unclear, or a list another one
---@return integer? unsure how many of the steps have to be looked at again
function rtnl.match(current, wanted, exactly) end

---The last of the steps from the k-th on, `most` at most, that surely do nothing but add wanted
---routes as they are listed, one behind the other; k where it does something else.
---@param steps table
---@param k integer
---@param most integer
---@return integer last
function rtnl.run(steps, k, most) end

---Which routes of a list may have the key of one that is held: those that do, and those whose key
---is unclear.
---@param held table[]
---@param list ecmp.rtnl.List
---@return integer[]? numbers nil where that of a held one is unclear
function rtnl.near(held, list) end

---The word that may have been meant.
---@param known ecmp.kind|table<string, any> a kind of object, for its fields; or a table whose keys
---are the words there are
---@param key string
---@return string?
function rtnl.nearest(known, key) end

---The calling chunk belongs to the library: wrong calls are reported at its callers.
function rtnl.own() end

---Raises at the line of the library's caller.
---@param message string
function rtnl.throw(message) end

return rtnl
