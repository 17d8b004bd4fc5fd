/*
 * What messages about links hold, kind by kind, and those about the VLANs of bridge ports.
 */
#include "rtnl/schema/field_macros.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include "common/export.h"

/* clang-format off: fields are read as a table */

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
	FIELD("peer", FIELD_PEER, VETH_INFO_PEER, .sub = &schema_link),
	END,
};
#define TIMER(k, attr_)                                                                            \
	FIELD(k, FIELD_TIMER, attr_, .size = 8, .mask = 100, .flags = NOT_SENT | F_DETAIL)
#define OPTION(k, bit) FIELD(k, FIELD_OPTION, IFLA_BR_MULTI_BOOLOPT, .size = 4, .mask = 1 << (bit))

static const struct field bridge_rows[] = {
	FIELD("forward_delay", FIELD_INT, IFLA_BR_FORWARD_DELAY, .size = 4),
	FIELD("hello_time", FIELD_INT, IFLA_BR_HELLO_TIME, .size = 4),
	FIELD("max_age", FIELD_INT, IFLA_BR_MAX_AGE, .size = 4),
	FIELD("ageing_time", FIELD_INT, IFLA_BR_AGEING_TIME, .size = 4),
	FIELD("stp_state", FIELD_INT, IFLA_BR_STP_STATE, .size = 4),
	FIELD("priority", FIELD_INT, IFLA_BR_PRIORITY, .size = 2),
	FIELD("vlan_filtering", FIELD_INT, IFLA_BR_VLAN_FILTERING, .size = 1),
	FIELD("vlan_protocol", FIELD_INT, IFLA_BR_VLAN_PROTOCOL, .size = 2,
	      .words = words_vlan_protocol, .flags = F_BE),
	FIELD("bridge_id", FIELD_BRIDGE_ID, IFLA_BR_BRIDGE_ID, .flags = NOT_SENT | F_DETAIL),
	/* ip(8) 6.1 says the bridge's own here */
	FIELD("designated_root", FIELD_BRIDGE_ID, IFLA_BR_ROOT_ID, .flags = NOT_SENT | F_DETAIL),
	FIELD("root_port", FIELD_INT, IFLA_BR_ROOT_PORT, .size = 2, .flags = NOT_SENT | F_DETAIL),
	FIELD("root_path_cost", FIELD_INT, IFLA_BR_ROOT_PATH_COST, .size = 4,
	      .flags = NOT_SENT | F_DETAIL),
	FIELD("topology_change", FIELD_INT, IFLA_BR_TOPOLOGY_CHANGE, .size = 1,
	      .flags = NOT_SENT | F_DETAIL),
	FIELD("topology_change_detected", FIELD_INT, IFLA_BR_TOPOLOGY_CHANGE_DETECTED, .size = 1,
	      .flags = NOT_SENT | F_DETAIL),
	TIMER("hello_timer", IFLA_BR_HELLO_TIMER),
	TIMER("tcn_timer", IFLA_BR_TCN_TIMER),
	TIMER("topology_change_timer", IFLA_BR_TOPOLOGY_CHANGE_TIMER),
	TIMER("gc_timer", IFLA_BR_GC_TIMER),
	FIELD("vlan_default_pvid", FIELD_INT, IFLA_BR_VLAN_DEFAULT_PVID, .size = 2),
	FIELD("vlan_stats_enabled", FIELD_INT, IFLA_BR_VLAN_STATS_ENABLED, .size = 1),
	FIELD("vlan_stats_per_port", FIELD_INT, IFLA_BR_VLAN_STATS_PER_PORT, .size = 1),
	FIELD("group_fwd_mask", FIELD_HEX, IFLA_BR_GROUP_FWD_MASK, .size = 2),
	FIELD("group_address", FIELD_LLADDR, IFLA_BR_GROUP_ADDR, .flags = 0),
	FIELD("mcast_snooping", FIELD_INT, IFLA_BR_MCAST_SNOOPING, .size = 1),
	OPTION("no_linklocal_learn", BR_BOOLOPT_NO_LL_LEARN),
	OPTION("mcast_vlan_snooping", BR_BOOLOPT_MCAST_VLAN_SNOOPING),
	FIELD("mcast_router", FIELD_INT, IFLA_BR_MCAST_ROUTER, .size = 1),
	FIELD("mcast_query_use_ifaddr", FIELD_INT, IFLA_BR_MCAST_QUERY_USE_IFADDR, .size = 1),
	FIELD("mcast_querier", FIELD_INT, IFLA_BR_MCAST_QUERIER, .size = 1),
	FIELD("mcast_hash_elasticity", FIELD_INT, IFLA_BR_MCAST_HASH_ELASTICITY, .size = 4),
	FIELD("mcast_hash_max", FIELD_INT, IFLA_BR_MCAST_HASH_MAX, .size = 4),
	FIELD("mcast_last_member_count", FIELD_INT, IFLA_BR_MCAST_LAST_MEMBER_CNT, .size = 4),
	FIELD("mcast_startup_query_count", FIELD_INT, IFLA_BR_MCAST_STARTUP_QUERY_CNT, .size = 4),
	FIELD("mcast_last_member_interval", FIELD_INT, IFLA_BR_MCAST_LAST_MEMBER_INTVL, .size = 8),
	FIELD("mcast_membership_interval", FIELD_INT, IFLA_BR_MCAST_MEMBERSHIP_INTVL, .size = 8),
	FIELD("mcast_querier_interval", FIELD_INT, IFLA_BR_MCAST_QUERIER_INTVL, .size = 8),
	FIELD("mcast_query_interval", FIELD_INT, IFLA_BR_MCAST_QUERY_INTVL, .size = 8),
	FIELD("mcast_query_response_interval", FIELD_INT, IFLA_BR_MCAST_QUERY_RESPONSE_INTVL,
	      .size = 8),
	FIELD("mcast_startup_query_interval", FIELD_INT, IFLA_BR_MCAST_STARTUP_QUERY_INTVL,
	      .size = 8),
	FIELD("mcast_stats_enabled", FIELD_INT, IFLA_BR_MCAST_STATS_ENABLED, .size = 1),
	FIELD("mcast_igmp_version", FIELD_INT, IFLA_BR_MCAST_IGMP_VERSION, .size = 1),
	FIELD("mcast_mld_version", FIELD_INT, IFLA_BR_MCAST_MLD_VERSION, .size = 1),
	FIELD("nf_call_iptables", FIELD_INT, IFLA_BR_NF_CALL_IPTABLES, .size = 1),
	FIELD("nf_call_ip6tables", FIELD_INT, IFLA_BR_NF_CALL_IP6TABLES, .size = 1),
	FIELD("nf_call_arptables", FIELD_INT, IFLA_BR_NF_CALL_ARPTABLES, .size = 1),
	FIELD("fdb_flush", FIELD_FLAG, IFLA_BR_FDB_FLUSH, .flags = 0),
	END,
};
static const struct field vlan_rows[] = {
	FIELD("protocol", FIELD_INT, IFLA_VLAN_PROTOCOL, .size = 2, .words = words_vlan_protocol,
	      .flags = F_BE),
	FIELD("id", FIELD_INT, IFLA_VLAN_ID, .size = 2),
	END,
};
static const struct field macvlan_rows[] = {
	FIELD("mode", FIELD_INT, IFLA_MACVLAN_MODE, .size = 4, .words = words_macvlan_mode),
	FIELD("nopromisc", FIELD_BIT, IFLA_MACVLAN_FLAGS, .size = 2,
	      .mask = MACVLAN_FLAG_NOPROMISC),
	FIELD("nodst", FIELD_BIT, IFLA_MACVLAN_FLAGS, .size = 2, .mask = MACVLAN_FLAG_NODST),
	FIELD("bcqueuelen", FIELD_INT, IFLA_MACVLAN_BC_QUEUE_LEN, .size = 4),
	FIELD("usedbcqueuelen", FIELD_INT, IFLA_MACVLAN_BC_QUEUE_LEN_USED, .size = 4,
	      .flags = NOT_SENT | F_DETAIL),
	END,
};
static const struct field ipvlan_rows[] = {
	FIELD("mode", FIELD_INT, IFLA_IPVLAN_MODE, .size = 2, .words = words_ipvlan_mode),
	FIELD("flag", FIELD_INT, IFLA_IPVLAN_FLAGS, .size = 2, .words = words_ipvlan_flags,
	      .flags = F_POSITIONAL),
	END,
};
static const struct field vrf_rows[] = {
	FIELD("table", FIELD_INT, IFLA_VRF_TABLE, .size = 4, .words = words_table),
	END,
};
static const struct word words_ttl[] = {{"auto", 0}, {NULL, 0}};
static const struct word words_df[] = {{"unset", 0}, {"set", 1}, {"inherit", 2}, {NULL, 0}};
static const struct word words_ageing[] = {{"none", 0}, {NULL, 0}};
static const struct word words_limit[] = {{"unlimited", 0}, {NULL, 0}};

#define ALONE(k, attr_, shown)                                                                     \
	FIELD(k, FIELD_BOOL, attr_, .size = 1, .mask = (shown), .flags = F_FLAG)

static const struct field vxlan_rows[] = {
	ALONE("external", IFLA_VXLAN_COLLECT_METADATA, SHOW_ON),
	ALONE("vnifilter", IFLA_VXLAN_VNIFILTER, SHOW_ON),
	FIELD("id", FIELD_INT, IFLA_VXLAN_ID, .size = 4),
	FIELD("remote", FIELD_ADDRESS, IFLA_VXLAN_GROUP, .size = 4, .unit = "group"),
	FIELD("remote", FIELD_ADDRESS, IFLA_VXLAN_GROUP6, .size = 16, .unit = "group"),
	FIELD("local", FIELD_ADDRESS, IFLA_VXLAN_LOCAL, .size = 4),
	FIELD("local", FIELD_ADDRESS, IFLA_VXLAN_LOCAL6, .size = 16),
	FIELD("link", FIELD_IFINDEX, IFLA_VXLAN_LINK, .size = 4,
	      .show = "dev"), /* the kernel heeds this one, not IFLA_LINK */
	FIELD("srcport", FIELD_RANGE, IFLA_VXLAN_PORT_RANGE, .size = 2, .flags = F_BE, .unit = " "),
	FIELD("dstport", FIELD_INT, IFLA_VXLAN_PORT, .size = 2, .flags = F_BE),
	ALONE("learning", IFLA_VXLAN_LEARNING, SHOW_OFF),
	ALONE("proxy", IFLA_VXLAN_PROXY, SHOW_ON),
	ALONE("rsc", IFLA_VXLAN_RSC, SHOW_ON),
	ALONE("l2miss", IFLA_VXLAN_L2MISS, SHOW_ON),
	ALONE("l3miss", IFLA_VXLAN_L3MISS, SHOW_ON),
	FIELD("tos", FIELD_HEX, IFLA_VXLAN_TOS, .size = 1, .words = words_tunnel_tos,
	      .flags = F_DEFAULT0),
	FIELD("ttl", FIELD_TTL, IFLA_VXLAN_TTL, .offset = IFLA_VXLAN_TTL_INHERIT, .size = 1,
	      .words = words_ttl),
	FIELD("df", FIELD_INT, IFLA_VXLAN_DF, .size = 1, .words = words_df, .flags = F_DEFAULT0),
	FIELD("flowlabel", FIELD_HEX, IFLA_VXLAN_LABEL, .size = 4, .flags = F_BE | F_DEFAULT0),
	FIELD("ageing", FIELD_INT, IFLA_VXLAN_AGEING, .size = 4, .words = words_ageing),
	FIELD("maxaddress", FIELD_INT, IFLA_VXLAN_LIMIT, .size = 4, .words = words_limit,
	      .flags = F_DEFAULT0, .show = "maxaddr"),
	ALONE("udpcsum", IFLA_VXLAN_UDP_CSUM, 0),
	ALONE("udp6zerocsumtx", IFLA_VXLAN_UDP_ZERO_CSUM6_TX, 0),
	ALONE("udp6zerocsumrx", IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 0),
	ALONE("remcsumtx", IFLA_VXLAN_REMCSUM_TX, SHOW_ON),
	ALONE("remcsumrx", IFLA_VXLAN_REMCSUM_RX, SHOW_ON),
	FIELD("gbp", FIELD_FLAG, IFLA_VXLAN_GBP, .flags = 0),
	FIELD("gpe", FIELD_FLAG, IFLA_VXLAN_GPE, .flags = 0),
	END,
};

static const struct word words_port_state[] = {
	{"disabled", 0},   {"listening", 1}, {"learning", 2},
	{"forwarding", 3}, {"blocking", 4},  {NULL, 0},
};

static const struct word words_fwd_mask[] = {
	{"stp", 1},	    {"0x2", 2},		{"lacp", 4},	  {"0x8", 8},
	{"0x10", 0x10},	    {"0x20", 0x20},	{"0x40", 0x40},	  {"0x80", 0x80},
	{"0x100", 0x100},   {"0x200", 0x200},	{"0x400", 0x400}, {"0x800", 0x800},
	{"0x1000", 0x1000}, {"0x2000", 0x2000}, {"lldp", 0x4000}, {"0x8000", 0x8000},
	{NULL, 0},
};

#define ONOFF(k, attr_) FIELD(k, FIELD_BOOL, attr_, .size = 1)
#define TOLD(k, kind_, attr_, size_)                                                               \
	FIELD(k, kind_, attr_, .size = (size_), .flags = NOT_SENT | F_DETAIL)

static const struct field bridge_port_rows[] = {
	FIELD("state", FIELD_INT, IFLA_BRPORT_STATE, .size = 1, .words = words_port_state),
	FIELD("priority", FIELD_INT, IFLA_BRPORT_PRIORITY, .size = 2),
	FIELD("cost", FIELD_INT, IFLA_BRPORT_COST, .size = 4),
	ONOFF("hairpin", IFLA_BRPORT_MODE),
	ONOFF("guard", IFLA_BRPORT_GUARD),
	ONOFF("root_block", IFLA_BRPORT_PROTECT),
	ONOFF("fastleave", IFLA_BRPORT_FAST_LEAVE),
	ONOFF("learning", IFLA_BRPORT_LEARNING),
	ONOFF("flood", IFLA_BRPORT_UNICAST_FLOOD),
	TOLD("port_id", FIELD_HEX, IFLA_BRPORT_ID, 2),
	TOLD("port_no", FIELD_HEX, IFLA_BRPORT_NO, 2),
	TOLD("designated_port", FIELD_INT, IFLA_BRPORT_DESIGNATED_PORT, 2),
	TOLD("designated_cost", FIELD_INT, IFLA_BRPORT_DESIGNATED_COST, 2),
	TOLD("designated_bridge", FIELD_BRIDGE_ID, IFLA_BRPORT_BRIDGE_ID, 0),
	TOLD("designated_root", FIELD_BRIDGE_ID, IFLA_BRPORT_ROOT_ID, 0),
	TIMER("hold_timer", IFLA_BRPORT_HOLD_TIMER),
	TIMER("message_age_timer", IFLA_BRPORT_MESSAGE_AGE_TIMER),
	TIMER("forward_delay_timer", IFLA_BRPORT_FORWARD_DELAY_TIMER),
	TOLD("topology_change_ack", FIELD_INT, IFLA_BRPORT_TOPOLOGY_CHANGE_ACK, 1),
	TOLD("config_pending", FIELD_INT, IFLA_BRPORT_CONFIG_PENDING, 1),
	ONOFF("proxy_arp", IFLA_BRPORT_PROXYARP),
	ONOFF("proxy_arp_wifi", IFLA_BRPORT_PROXYARP_WIFI),
	FIELD("mcast_router", FIELD_INT, IFLA_BRPORT_MULTICAST_ROUTER, .size = 1),
	FIELD(NULL, FIELD_BOOL, IFLA_BRPORT_FAST_LEAVE, .size = 1, .flags = NOT_SENT | F_DETAIL,
	      .show = "mcast_fast_leave"), /* once more */
	ONOFF("mcast_flood", IFLA_BRPORT_MCAST_FLOOD),
	ONOFF("bcast_flood", IFLA_BRPORT_BCAST_FLOOD),
	ONOFF("mcast_to_unicast", IFLA_BRPORT_MCAST_TO_UCAST),
	ONOFF("neigh_suppress", IFLA_BRPORT_NEIGH_SUPPRESS),
	FIELD("group_fwd_mask", FIELD_HEX, IFLA_BRPORT_GROUP_FWD_MASK, .size = 2),
	FIELD(NULL, FIELD_BITS, IFLA_BRPORT_GROUP_FWD_MASK, .size = 2, .words = words_fwd_mask,
	      .flags = NOT_SENT | F_DETAIL, .show = "group_fwd_mask_str"), /* the same in words */
	ONOFF("vlan_tunnel", IFLA_BRPORT_VLAN_TUNNEL),
	ONOFF("isolated", IFLA_BRPORT_ISOLATED),
	ONOFF("locked", IFLA_BRPORT_LOCKED),
	FIELD("backup_port", FIELD_IFINDEX, IFLA_BRPORT_BACKUP_PORT, .size = 4),
	FIELD("fdb_flush", FIELD_FLAG, IFLA_BRPORT_FLUSH, .flags = 0),
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
	{"veth", 0, &schema_veth},
	{"bridge", 0, &schema_bridge},
	{"dummy", 0, &schema_plain},
	{"ifb", 0, &schema_plain},
	{"vlan", 0, &schema_vlan},
	{"macvlan", 0, &schema_macvlan},
	{"ipvlan", 0, &schema_ipvlan},
	{"vrf", 0, &schema_vrf},
	{"vxlan", 0, &schema_vxlan},
	{"macvtap", 0, &schema_macvlan},
	{NULL, 0, NULL},
};
const struct variant *link_kind(const char *name)
{
	return variant_by_name(link_kinds, name);
}

static const struct variant port_kinds[] = {
	{"bridge", 0, &schema_bridge_port},
	{NULL, 0, NULL},
};

/* The port's first: a word behind it is its own, though the kind have the same. */
static const struct field linkinfo_rows[] = {
	FIELD("port", FIELD_STRING, IFLA_INFO_SLAVE_KIND, .size = 16, .show = "port"),
	FIELD("port", FIELD_UNION, IFLA_INFO_SLAVE_DATA, .variants = port_kinds,
	      .flags = F_FLATTEN),
	FIELD("type", FIELD_STRING, IFLA_INFO_KIND, .size = 16),
	FIELD("type", FIELD_UNION, IFLA_INFO_DATA, .variants = link_kinds, .flags = F_FLATTEN),
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
	FIELD("altnames", FIELD_NAMES, IFLA_ALT_IFNAME, .flags = NOT_SENT),
	END,
};
static const struct schema schema_props = {"link", 0, prop_rows};

static const struct word words_addrgenmode[] = {
	{"eui64", IN6_ADDR_GEN_MODE_EUI64},
	{"none", IN6_ADDR_GEN_MODE_NONE},
	{"stable_secret", IN6_ADDR_GEN_MODE_STABLE_PRIVACY},
	{"random", IN6_ADDR_GEN_MODE_RANDOM},
	{NULL, 0},
};
static const struct field inet6_rows[] = {
	FIELD("addrgenmode", FIELD_INT, IFLA_INET6_ADDR_GEN_MODE, .size = 1,
	      .words = words_addrgenmode, .flags = F_APART),
	END,
};
static const struct schema schema_inet6 = {"link", 0, inet6_rows};
static const struct field families_rows[] = {
	FIELD(NULL, FIELD_NEST, AF_INET6, .sub = &schema_inet6, .flags = F_FLATTEN),
	END,
};
static const struct schema schema_families = {"link", 0, families_rows};

/* `attr` of a flag in this header is the offset of the mask that says which flags are meant. */
#define LINK_FLAG(k, bit, fl)                                                                      \
	HEADER(k, FIELD_BIT, struct ifinfomsg, ifi_flags,                                          \
	       .attr = offsetof(struct ifinfomsg, ifi_change), .mask = (bit),                      \
	       .flags = F_HEADER | (fl))

static const struct field link_rows[] = {
	HEADER("index", FIELD_INT, struct ifinfomsg, ifi_index,
	       .flags = F_HEADER | F_DEFAULT0 | F_SILENT),
	HEADER("dev", FIELD_IFINDEX, struct ifinfomsg, ifi_index,
	       .flags = F_HEADER | F_DEFAULT0 | F_VOLATILE),
	FIELD("name", FIELD_STRING, IFLA_IFNAME, .size = IFNAMSIZ),
	HEADER("link_type", FIELD_INT, struct ifinfomsg, ifi_type, .words = words_link_type,
	       .flags = F_HEADER | NOT_SENT | F_SILENT),
	HEADER("flags", FIELD_BITS, struct ifinfomsg, ifi_flags, .words = words_flags,
	       .flags = F_HEADER | NOT_SENT | F_SILENT | F_DEFAULT0),
	LINK_FLAG("up", IFF_UP, 0),
	LINK_FLAG("promisc", IFF_PROMISC, 0),
	LINK_FLAG("allmulticast", IFF_ALLMULTI, 0),
	LINK_FLAG("multicast", IFF_MULTICAST, 0),
	LINK_FLAG("noarp", IFF_NOARP, 0),
	LINK_FLAG("dynamic", IFF_DYNAMIC, 0),
	LINK_FLAG("notrailers", IFF_NOTRAILERS, 0),
	LINK_FLAG("broadcasting", IFF_BROADCAST, NOT_SENT),
	LINK_FLAG("loopback", IFF_LOOPBACK, NOT_SENT),
	LINK_FLAG("pointopoint", IFF_POINTOPOINT, NOT_SENT),
	LINK_FLAG("running", IFF_RUNNING, NOT_SENT),
	LINK_FLAG("lower_up", IFF_LOWER_UP, NOT_SENT),
	FIELD("mtu", FIELD_INT, IFLA_MTU, .size = 4),
	FIELD("qdisc", FIELD_STRING, IFLA_QDISC, .flags = NOT_SENT),
	FIELD("master", FIELD_IFINDEX, IFLA_MASTER, .size = 4),
	FIELD("operstate", FIELD_INT, IFLA_OPERSTATE, .size = 1, .words = words_operstate,
	      .flags = NOT_SENT),
	FIELD("carrier", FIELD_BOOL, IFLA_CARRIER, .size = 1, .flags = F_VOLATILE),
	FIELD("linkmode", FIELD_INT, IFLA_LINKMODE, .size = 1, .words = words_linkmode,
	      .show = "mode"),
	FIELD("group", FIELD_INT, IFLA_GROUP, .size = 4, .words = words_group),
	FIELD("txqueuelen", FIELD_INT, IFLA_TXQLEN, .size = 4),
	FIELD("address", FIELD_LLADDR, IFLA_ADDRESS, .flags = 0),
	FIELD("broadcast", FIELD_LLADDR, IFLA_BROADCAST, .flags = 0),
	FIELD("permaddr", FIELD_LLADDR, IFLA_PERM_ADDRESS, .flags = NOT_SENT | F_SILENT),
	FIELD("link", FIELD_IFINDEX, IFLA_LINK, .size = 4),
	FIELD("link_netnsid", FIELD_SIGNED, IFLA_LINK_NETNSID, .size = 4, .flags = NOT_SENT,
	      .show = "link-netnsid"),
	FIELD("netns", FIELD_NETNS, IFLA_NET_NS_FD, .flags = F_SILENT),
	FIELD("protodown", FIELD_BOOL, IFLA_PROTO_DOWN, .size = 1),
	FIELD("alias", FIELD_STRING, IFLA_IFALIAS, .size = 255),
	FIELD(NULL, FIELD_NEST, IFLA_PROP_LIST, .sub = &schema_props, .flags = F_FLATTEN),
	FIELD("promiscuity", FIELD_INT, IFLA_PROMISCUITY, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("allmulti", FIELD_INT, IFLA_ALLMULTI, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("minmtu", FIELD_INT, IFLA_MIN_MTU, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("maxmtu", FIELD_INT, IFLA_MAX_MTU, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD(NULL, FIELD_NEST, IFLA_LINKINFO, .sub = &schema_linkinfo, .flags = F_FLATTEN),
	FIELD(NULL, FIELD_NEST, IFLA_AF_SPEC, .sub = &schema_families, .flags = F_FLATTEN),
	FIELD("numtxqueues", FIELD_INT, IFLA_NUM_TX_QUEUES, .size = 4),
	FIELD("numrxqueues", FIELD_INT, IFLA_NUM_RX_QUEUES, .size = 4),
	FIELD("gso_max_size", FIELD_INT, IFLA_GSO_MAX_SIZE, .size = 4),
	FIELD("gso_max_segs", FIELD_INT, IFLA_GSO_MAX_SEGS, .size = 4),
	FIELD("tso_max_size", FIELD_INT, IFLA_TSO_MAX_SIZE, .size = 4,
	      .flags = NOT_SENT | F_DETAIL),
	FIELD("tso_max_segs", FIELD_INT, IFLA_TSO_MAX_SEGS, .size = 4,
	      .flags = NOT_SENT | F_DETAIL),
	FIELD("gro_max_size", FIELD_INT, IFLA_GRO_MAX_SIZE, .size = 4),
	END,
};
const struct schema schema_link = {"link", sizeof(struct ifinfomsg), link_rows};

/* --- VLANs of a bridge's ports -----------------------------------------------------------------
 */

#define VLAN_FLAG(k, bit)                                                                          \
	HEADER(k, FIELD_BIT, struct bridge_vlan_info, flags, .mask = (bit), .flags = F_HEADER)

static const struct field vlan_info_rows[] = {
	HEADER("vid", FIELD_INT, struct bridge_vlan_info, vid, .flags = F_HEADER | F_POSITIONAL),
	VLAN_FLAG("pvid", BRIDGE_VLAN_INFO_PVID),
	VLAN_FLAG("untagged", BRIDGE_VLAN_INFO_UNTAGGED),
	END,
};
static const struct schema schema_vlan_info = {"vlan of a port", sizeof(struct bridge_vlan_info),
					       vlan_info_rows};
static const struct field bridge_spec_rows[] = {
	FIELD("vlans", FIELD_STRUCTS, IFLA_BRIDGE_VLAN_INFO, .sub = &schema_vlan_info,
	      .show = "vid"),
	FIELD("self", FIELD_BIT, IFLA_BRIDGE_FLAGS, .size = 2, .mask = BRIDGE_FLAGS_SELF),
	END,
};
static const struct schema schema_bridge_spec = {"vlan", 0, bridge_spec_rows};

static const struct field vlan_port_rows[] = {
	HEADER("dev", FIELD_IFINDEX, struct ifinfomsg, ifi_index, .flags = F_HEADER | F_DEFAULT0),
	FIELD(NULL, FIELD_NEST, IFLA_AF_SPEC, .sub = &schema_bridge_spec, .flags = F_FLATTEN),
	END,
};
const struct schema schema_portvlan = {"vlan", sizeof(struct ifinfomsg), vlan_port_rows};

/* clang-format on */
