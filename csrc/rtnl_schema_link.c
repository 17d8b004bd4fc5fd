/*
 * What messages about links hold, kind by kind, and those about the VLANs of bridge ports.
 */
#include "rtnl_rows.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

/* clang-format off: rows are read as a table */

/* --- links ----------------------------------------------------------------------------------- */

static const struct word words_operstate[] = {
	{"UNKNOWN", 0}, {"NOTPRESENT", 1}, {"DOWN", 2}, {"LOWERLAYERDOWN", 3},
	{"TESTING", 4}, {"DORMANT", 5},	   {"UP", 6},	{NULL, 0},
};
static const struct word words_vlan_protocol[] = {
	{"802.1Q", 0x8100}, {"802.1ad", 0x88a8}, {NULL, 0}};
static const struct word words_macvlan_mode[] = {
	{"private", MACVLAN_MODE_PRIVATE}, {"vepa", MACVLAN_MODE_VEPA},
	{"bridge", MACVLAN_MODE_BRIDGE},   {"passthru", MACVLAN_MODE_PASSTHRU},
	{"source", MACVLAN_MODE_SOURCE},   {NULL, 0},
};
static const struct word words_ipvlan_mode[] = {
	{"l2", IPVLAN_MODE_L2},
	{"l3", IPVLAN_MODE_L3},
	{"l3s", IPVLAN_MODE_L3S},
	{NULL, 0},
};
static const struct word words_ipvlan_flags[] = {
	{"bridge", 0}, {"private", 1}, {"vepa", 2}, {NULL, 0}};

static const struct field veth_rows[] = {
	ROW("peer", K_PEER, VETH_INFO_PEER, .sub = &schema_link),
	END,
};
static const struct field bridge_rows[] = {
	ROW("forward_delay", K_INT, IFLA_BR_FORWARD_DELAY, .size = 4),
	ROW("hello_time", K_INT, IFLA_BR_HELLO_TIME, .size = 4),
	ROW("max_age", K_INT, IFLA_BR_MAX_AGE, .size = 4),
	ROW("ageing_time", K_INT, IFLA_BR_AGEING_TIME, .size = 4),
	ROW("stp_state", K_INT, IFLA_BR_STP_STATE, .size = 4),
	ROW("priority", K_INT, IFLA_BR_PRIORITY, .size = 2),
	ROW("vlan_filtering", K_INT, IFLA_BR_VLAN_FILTERING, .size = 1),
	ROW("vlan_protocol", K_INT, IFLA_BR_VLAN_PROTOCOL, .size = 2, .words = words_vlan_protocol,
	    .flags = F_BE),
	ROW("vlan_default_pvid", K_INT, IFLA_BR_VLAN_DEFAULT_PVID, .size = 2),
	ROW("group_fwd_mask", K_HEX, IFLA_BR_GROUP_FWD_MASK, .size = 2),
	ROW("mcast_snooping", K_INT, IFLA_BR_MCAST_SNOOPING, .size = 1),
	ROW("nf_call_iptables", K_INT, IFLA_BR_NF_CALL_IPTABLES, .size = 1),
	ROW("nf_call_ip6tables", K_INT, IFLA_BR_NF_CALL_IP6TABLES, .size = 1),
	END,
};
static const struct field vlan_rows[] = {
	ROW("protocol", K_INT, IFLA_VLAN_PROTOCOL, .size = 2, .words = words_vlan_protocol,
	    .flags = F_BE),
	ROW("id", K_INT, IFLA_VLAN_ID, .size = 2),
	END,
};
static const struct field macvlan_rows[] = {
	ROW("mode", K_INT, IFLA_MACVLAN_MODE, .size = 4, .words = words_macvlan_mode),
	ROW("bcqueuelen", K_INT, IFLA_MACVLAN_BC_QUEUE_LEN, .size = 4),
	END,
};
static const struct field ipvlan_rows[] = {
	ROW("mode", K_INT, IFLA_IPVLAN_MODE, .size = 2, .words = words_ipvlan_mode),
	ROW("flag", K_INT, IFLA_IPVLAN_FLAGS, .size = 2, .words = words_ipvlan_flags,
	    .flags = F_BARE),
	END,
};
static const struct field vrf_rows[] = {
	ROW("table", K_INT, IFLA_VRF_TABLE, .size = 4, .words = words_table),
	END,
};
static const struct field vxlan_rows[] = {
	ROW("id", K_INT, IFLA_VXLAN_ID, .size = 4),
	ROW("remote", K_ADDRESS, IFLA_VXLAN_GROUP, .size = 4),
	ROW("remote", K_ADDRESS, IFLA_VXLAN_GROUP6, .size = 16),
	ROW("local", K_ADDRESS, IFLA_VXLAN_LOCAL, .size = 4),
	ROW("local", K_ADDRESS, IFLA_VXLAN_LOCAL6, .size = 16),
	ROW("link", K_IFINDEX, IFLA_VXLAN_LINK, .size = 4,
	    .show = "dev"), /* the kernel heeds this one, not IFLA_LINK */
	ROW("dstport", K_INT, IFLA_VXLAN_PORT, .size = 2, .flags = F_BE),
	ROW("tos", K_HEX, IFLA_VXLAN_TOS, .size = 1, .flags = F_DEFAULT0),
	ROW("ttl", K_INT, IFLA_VXLAN_TTL, .size = 1, .flags = F_DEFAULT0),
	ROW("ageing", K_INT, IFLA_VXLAN_AGEING, .size = 4),
	ROW("learning", K_BOOL, IFLA_VXLAN_LEARNING, .size = 1, .flags = F_ALONE),
	ROW("proxy", K_BOOL, IFLA_VXLAN_PROXY, .size = 1, .flags = F_ALONE),
	ROW("rsc", K_BOOL, IFLA_VXLAN_RSC, .size = 1, .flags = F_ALONE),
	ROW("l2miss", K_BOOL, IFLA_VXLAN_L2MISS, .size = 1, .flags = F_ALONE),
	ROW("l3miss", K_BOOL, IFLA_VXLAN_L3MISS, .size = 1, .flags = F_ALONE),
	ROW("udpcsum", K_BOOL, IFLA_VXLAN_UDP_CSUM, .size = 1, .flags = F_ALONE),
	ROW("external", K_BOOL, IFLA_VXLAN_COLLECT_METADATA, .size = 1, .flags = F_ALONE),
	ROW("maxaddress", K_INT, IFLA_VXLAN_LIMIT, .size = 4, .flags = F_DEFAULT0),
	END,
};
static const struct field bridge_port_rows[] = {
	ROW("state", K_INT, IFLA_BRPORT_STATE, .size = 1),
	ROW("priority", K_INT, IFLA_BRPORT_PRIORITY, .size = 2),
	ROW("cost", K_INT, IFLA_BRPORT_COST, .size = 4),
	ROW("hairpin", K_BOOL, IFLA_BRPORT_MODE, .size = 1),
	ROW("guard", K_BOOL, IFLA_BRPORT_GUARD, .size = 1),
	ROW("root_block", K_BOOL, IFLA_BRPORT_PROTECT, .size = 1),
	ROW("fastleave", K_BOOL, IFLA_BRPORT_FAST_LEAVE, .size = 1),
	ROW("learning", K_BOOL, IFLA_BRPORT_LEARNING, .size = 1),
	ROW("flood", K_BOOL, IFLA_BRPORT_UNICAST_FLOOD, .size = 1),
	ROW("mcast_flood", K_BOOL, IFLA_BRPORT_MCAST_FLOOD, .size = 1),
	ROW("isolated", K_BOOL, IFLA_BRPORT_ISOLATED, .size = 1),
	END,
};
static const struct field no_rows[] = {END};
static const struct schema schema_veth = {"veth", 0, veth_rows};
static const struct schema schema_bridge = {"bridge", 0, bridge_rows};
static const struct schema schema_vlan = {"vlan", 0, vlan_rows};
static const struct schema schema_macvlan = {"macvlan", 0, macvlan_rows};
static const struct schema schema_ipvlan = {"ipvlan", 0, ipvlan_rows};
static const struct schema schema_vrf = {"vrf", 0, vrf_rows};
static const struct schema schema_vxlan = {"vxlan", 0, vxlan_rows};
static const struct schema schema_bridge_port = {"bridge port", 0, bridge_port_rows};
static const struct schema schema_plain = {"link", 0, no_rows};

static const struct variant link_kinds[] = {
	{"veth", 0, &schema_veth},     {"bridge", 0, &schema_bridge},
	{"dummy", 0, &schema_plain},   {"ifb", 0, &schema_plain},
	{"vlan", 0, &schema_vlan},     {"macvlan", 0, &schema_macvlan},
	{"ipvlan", 0, &schema_ipvlan}, {"vrf", 0, &schema_vrf},
	{"vxlan", 0, &schema_vxlan},   {NULL, 0, NULL},
};
static const struct variant port_kinds[] = {
	{"bridge", 0, &schema_bridge_port},
	{NULL, 0, NULL},
};

static const struct field linkinfo_rows[] = {
	ROW("type", K_STRING, IFLA_INFO_KIND, .size = 16),
	ROW("type", K_UNION, IFLA_INFO_DATA, .variants = link_kinds, .flags = F_HOIST),
	ROW("port", K_STRING, IFLA_INFO_SLAVE_KIND, .size = 16, .show = "port"),
	ROW("port", K_UNION, IFLA_INFO_SLAVE_DATA, .variants = port_kinds, .flags = F_HOIST),
	END,
};
static const struct schema schema_linkinfo = {"link", 0, linkinfo_rows};

static const struct word words_flags[] = {
	/* in the order ip(8) says them */
	{"LOOPBACK", IFF_LOOPBACK},
	{"BROADCAST", IFF_BROADCAST},
	{"POINTOPOINT", IFF_POINTOPOINT},
	{"MULTICAST", IFF_MULTICAST},
	{"NOARP", IFF_NOARP},
	{"ALLMULTI", IFF_ALLMULTI},
	{"PROMISC", IFF_PROMISC},
	{"MASTER", IFF_MASTER},
	{"SLAVE", IFF_SLAVE},
	{"DEBUG", IFF_DEBUG},
	{"DYNAMIC", IFF_DYNAMIC},
	{"AUTOMEDIA", IFF_AUTOMEDIA},
	{"PORTSEL", IFF_PORTSEL},
	{"NOTRAILERS", IFF_NOTRAILERS},
	{"UP", IFF_UP},
	{"LOWER_UP", IFF_LOWER_UP},
	{"DORMANT", IFF_DORMANT},
	{"ECHO", IFF_ECHO},
	{"RUNNING", IFF_RUNNING},
	{NULL, 0},
};
static const struct word words_link_type[] = {
	{"ether", ARPHRD_ETHER},
	{"loopback", ARPHRD_LOOPBACK},
	{"ipip", ARPHRD_TUNNEL},
	{"tunnel6", ARPHRD_TUNNEL6},
	{"sit", ARPHRD_SIT},
	{"gre", ARPHRD_IPGRE},
	{"gre6", 823},
	{"infiniband", ARPHRD_INFINIBAND},
	{"ppp", ARPHRD_PPP},
	{"none", ARPHRD_NONE},
	{NULL, 0},
};
static const struct word words_linkmode[] = {
	{"DEFAULT", 0}, {"DORMANT", 1}, {"default", 0}, {"dormant", 1}, {NULL, 0},
};

static const struct field prop_rows[] = {
	ROW("altnames", K_NAMES, IFLA_ALT_IFNAME, .flags = NOT_SENT),
	END,
};
static const struct schema schema_props = {"link", 0, prop_rows};

/* `attr` of a flag in this header is the offset of the mask that says which flags are meant. */
#define LINK_FLAG(k, bit, fl)                                                                      \
	HEADER(k, K_BIT, struct ifinfomsg, ifi_flags,                                              \
	       .attr = offsetof(struct ifinfomsg, ifi_change), .mask = (bit),                      \
	       .flags = F_HEADER | (fl))

static const struct field link_rows[] = {
	HEADER("index", K_INT, struct ifinfomsg, ifi_index,
	       .flags = F_HEADER | F_DEFAULT0 | F_SILENT),
	HEADER("dev", K_IFINDEX, struct ifinfomsg, ifi_index,
	       .flags = F_HEADER | F_DEFAULT0 | F_VOLATILE),
	ROW("name", K_STRING, IFLA_IFNAME, .size = IFNAMSIZ),
	HEADER("link_type", K_INT, struct ifinfomsg, ifi_type, .words = words_link_type,
	       .flags = F_HEADER | NOT_SENT | F_SILENT),
	HEADER("flags", K_BITS, struct ifinfomsg, ifi_flags, .words = words_flags,
	       .flags = F_HEADER | NOT_SENT | F_SILENT | F_DEFAULT0),
	LINK_FLAG("up", IFF_UP, 0),
	LINK_FLAG("promisc", IFF_PROMISC, 0),
	LINK_FLAG("allmulticast", IFF_ALLMULTI, 0),
	LINK_FLAG("multicast", IFF_MULTICAST, 0),
	LINK_FLAG("noarp", IFF_NOARP, 0),
	LINK_FLAG("broadcasting", IFF_BROADCAST, NOT_SENT),
	LINK_FLAG("loopback", IFF_LOOPBACK, NOT_SENT),
	LINK_FLAG("pointopoint", IFF_POINTOPOINT, NOT_SENT),
	LINK_FLAG("running", IFF_RUNNING, NOT_SENT),
	LINK_FLAG("lower_up", IFF_LOWER_UP, NOT_SENT),
	ROW("mtu", K_INT, IFLA_MTU, .size = 4),
	ROW("qdisc", K_STRING, IFLA_QDISC, .flags = NOT_SENT),
	ROW("master", K_IFINDEX, IFLA_MASTER, .size = 4),
	ROW("operstate", K_INT, IFLA_OPERSTATE, .size = 1, .words = words_operstate,
	    .flags = NOT_SENT),
	ROW("carrier", K_BOOL, IFLA_CARRIER, .size = 1, .flags = F_VOLATILE),
	ROW("linkmode", K_INT, IFLA_LINKMODE, .size = 1, .words = words_linkmode, .show = "mode"),
	ROW("group", K_INT, IFLA_GROUP, .size = 4, .words = words_group),
	ROW("txqueuelen", K_INT, IFLA_TXQLEN, .size = 4),
	ROW("address", K_LLADDR, IFLA_ADDRESS, .flags = 0),
	ROW("broadcast", K_LLADDR, IFLA_BROADCAST, .flags = 0),
	ROW("link", K_IFINDEX, IFLA_LINK, .size = 4),
	ROW("link_netnsid", K_SIGNED, IFLA_LINK_NETNSID, .size = 4, .flags = NOT_SENT,
	    .show = "link-netnsid"),
	ROW("netns", K_NETNS, IFLA_NET_NS_FD, .flags = F_SILENT),
	ROW("alias", K_STRING, IFLA_IFALIAS, .size = 255),
	ROW(NULL, K_NEST, IFLA_PROP_LIST, .sub = &schema_props, .flags = F_HOIST),
	ROW("promiscuity", K_INT, IFLA_PROMISCUITY, .size = 4, .flags = NOT_SENT | F_DETAIL),
	ROW("numtxqueues", K_INT, IFLA_NUM_TX_QUEUES, .size = 4),
	ROW("numrxqueues", K_INT, IFLA_NUM_RX_QUEUES, .size = 4),
	ROW("minmtu", K_INT, IFLA_MIN_MTU, .size = 4, .flags = NOT_SENT | F_DETAIL),
	ROW("maxmtu", K_INT, IFLA_MAX_MTU, .size = 4, .flags = NOT_SENT | F_DETAIL),
	ROW(NULL, K_NEST, IFLA_LINKINFO, .sub = &schema_linkinfo, .flags = F_HOIST),
	END,
};
const struct schema schema_link = {"link", sizeof(struct ifinfomsg), link_rows};

/* --- VLANs of a bridge's ports -----------------------------------------------------------------
 */

#define VLAN_FLAG(k, bit)                                                                          \
	HEADER(k, K_BIT, struct bridge_vlan_info, flags, .mask = (bit), .flags = F_HEADER)

static const struct field vlan_info_rows[] = {
	HEADER("vid", K_INT, struct bridge_vlan_info, vid, .flags = F_HEADER | F_BARE),
	VLAN_FLAG("pvid", BRIDGE_VLAN_INFO_PVID),
	VLAN_FLAG("untagged", BRIDGE_VLAN_INFO_UNTAGGED),
	END,
};
static const struct schema schema_vlan_info = {"vlan of a port", sizeof(struct bridge_vlan_info),
					       vlan_info_rows};
static const struct field bridge_spec_rows[] = {
	ROW("vlans", K_STRUCTS, IFLA_BRIDGE_VLAN_INFO, .sub = &schema_vlan_info, .show = "vid"),
	ROW("self", K_BIT, IFLA_BRIDGE_FLAGS, .size = 2, .mask = BRIDGE_FLAGS_SELF),
	END,
};
static const struct schema schema_bridge_spec = {"vlan", 0, bridge_spec_rows};

static const struct field vlan_port_rows[] = {
	HEADER("dev", K_IFINDEX, struct ifinfomsg, ifi_index, .flags = F_HEADER | F_DEFAULT0),
	ROW(NULL, K_NEST, IFLA_AF_SPEC, .sub = &schema_bridge_spec, .flags = F_HOIST),
	END,
};
const struct schema schema_portvlan = {"vlan", sizeof(struct ifinfomsg), vlan_port_rows};

/* clang-format on */
