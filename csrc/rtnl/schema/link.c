/*
 * The fields of links, by link type, and of the VLANs of bridge ports.
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

static const struct field veth_fields[] = {
	FIELD("peer", FIELD_PEER, VETH_INFO_PEER, .sub = SUB_link),
	END,
};
#define TIMER(k, attr_)                                                                            \
	FIELD(k, FIELD_TIMER, attr_, .size = 8, .mask = 100, .flags = NOT_SENT | F_DETAIL)
#define OPTION(k, bit) FIELD(k, FIELD_OPTION, IFLA_BR_MULTI_BOOLOPT, .size = 4, .mask = 1 << (bit))

static const struct field bridge_fields[] = {
	FIELD("forward_delay", FIELD_INT, IFLA_BR_FORWARD_DELAY, .size = 4),
	FIELD("hello_time", FIELD_INT, IFLA_BR_HELLO_TIME, .size = 4),
	FIELD("max_age", FIELD_INT, IFLA_BR_MAX_AGE, .size = 4),
	FIELD("ageing_time", FIELD_INT, IFLA_BR_AGEING_TIME, .size = 4),
	FIELD("stp_state", FIELD_INT, IFLA_BR_STP_STATE, .size = 4),
	FIELD("priority", FIELD_INT, IFLA_BR_PRIORITY, .size = 2),
	FIELD("vlan_filtering", FIELD_INT, IFLA_BR_VLAN_FILTERING, .size = 1),
	FIELD("vlan_protocol", FIELD_INT, IFLA_BR_VLAN_PROTOCOL, .size = 2,
	      .words = WORDS_VLAN_PROTOCOL, .flags = F_BE),
	FIELD("bridge_id", FIELD_BRIDGE_ID, IFLA_BR_BRIDGE_ID, .flags = NOT_SENT | F_DETAIL),
	/* ip(8) 6.1 prints the bridge's own id here */
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
static const struct field vlan_fields[] = {
	FIELD("protocol", FIELD_INT, IFLA_VLAN_PROTOCOL, .size = 2, .words = WORDS_VLAN_PROTOCOL,
	      .flags = F_BE),
	FIELD("id", FIELD_INT, IFLA_VLAN_ID, .size = 2),
	END,
};
static const struct field macvlan_fields[] = {
	FIELD("mode", FIELD_INT, IFLA_MACVLAN_MODE, .size = 4, .words = WORDS_MACVLAN_MODE),
	FIELD("nopromisc", FIELD_BIT, IFLA_MACVLAN_FLAGS, .size = 2,
	      .mask = MACVLAN_FLAG_NOPROMISC),
	FIELD("nodst", FIELD_BIT, IFLA_MACVLAN_FLAGS, .size = 2, .mask = MACVLAN_FLAG_NODST),
	FIELD("bcqueuelen", FIELD_INT, IFLA_MACVLAN_BC_QUEUE_LEN, .size = 4),
	FIELD("usedbcqueuelen", FIELD_INT, IFLA_MACVLAN_BC_QUEUE_LEN_USED, .size = 4,
	      .flags = NOT_SENT | F_DETAIL),
	END,
};
static const struct field ipvlan_fields[] = {
	FIELD("mode", FIELD_INT, IFLA_IPVLAN_MODE, .size = 2, .words = WORDS_IPVLAN_MODE),
	FIELD("flag", FIELD_INT, IFLA_IPVLAN_FLAGS, .size = 2, .words = WORDS_IPVLAN_FLAGS,
	      .flags = F_POSITIONAL),
	END,
};
static const struct field vrf_fields[] = {
	FIELD("table", FIELD_INT, IFLA_VRF_TABLE, .size = 4, .words = WORDS_TABLE),
	END,
};
#define FLAG_WORD(k, attr_, shown)                                                                 \
	FIELD(k, FIELD_BOOL, attr_, .size = 1, .mask = (shown), .flags = F_FLAG)

static const struct field vxlan_fields[] = {
	FLAG_WORD("external", IFLA_VXLAN_COLLECT_METADATA, SHOW_ON),
	FLAG_WORD("vnifilter", IFLA_VXLAN_VNIFILTER, SHOW_ON),
	FIELD("id", FIELD_INT, IFLA_VXLAN_ID, .size = 4),
	FIELD("remote", FIELD_ADDRESS, IFLA_VXLAN_GROUP, .size = 4, .unit = "group"),
	FIELD("remote", FIELD_ADDRESS, IFLA_VXLAN_GROUP6, .size = 16, .unit = "group"),
	FIELD("local", FIELD_ADDRESS, IFLA_VXLAN_LOCAL, .size = 4),
	FIELD("local", FIELD_ADDRESS, IFLA_VXLAN_LOCAL6, .size = 16),
	FIELD("link", FIELD_IFINDEX, IFLA_VXLAN_LINK, .size = 4,
	      .show = "dev"), /* vxlan reads this one, not IFLA_LINK */
	FIELD("srcport", FIELD_RANGE, IFLA_VXLAN_PORT_RANGE, .size = 2, .flags = F_BE, .unit = " "),
	FIELD("dstport", FIELD_INT, IFLA_VXLAN_PORT, .size = 2, .flags = F_BE),
	FLAG_WORD("learning", IFLA_VXLAN_LEARNING, SHOW_OFF),
	FLAG_WORD("proxy", IFLA_VXLAN_PROXY, SHOW_ON),
	FLAG_WORD("rsc", IFLA_VXLAN_RSC, SHOW_ON),
	FLAG_WORD("l2miss", IFLA_VXLAN_L2MISS, SHOW_ON),
	FLAG_WORD("l3miss", IFLA_VXLAN_L3MISS, SHOW_ON),
	FIELD("tos", FIELD_HEX, IFLA_VXLAN_TOS, .size = 1, .words = WORDS_TUNNEL_TOS,
	      .flags = F_DEFAULT0),
	FIELD("ttl", FIELD_TTL, IFLA_VXLAN_TTL, .offset = IFLA_VXLAN_TTL_INHERIT, .size = 1,
	      .words = WORDS_TTL),
	FIELD("df", FIELD_INT, IFLA_VXLAN_DF, .size = 1, .words = WORDS_DF, .flags = F_DEFAULT0),
	FIELD("flowlabel", FIELD_HEX, IFLA_VXLAN_LABEL, .size = 4, .flags = F_BE | F_DEFAULT0),
	FIELD("ageing", FIELD_INT, IFLA_VXLAN_AGEING, .size = 4, .words = WORDS_AGEING),
	FIELD("maxaddress", FIELD_INT, IFLA_VXLAN_LIMIT, .size = 4, .words = WORDS_LIMIT,
	      .flags = F_DEFAULT0, .show = "maxaddr"),
	FLAG_WORD("udpcsum", IFLA_VXLAN_UDP_CSUM, 0),
	FLAG_WORD("udp6zerocsumtx", IFLA_VXLAN_UDP_ZERO_CSUM6_TX, 0),
	FLAG_WORD("udp6zerocsumrx", IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 0),
	FLAG_WORD("remcsumtx", IFLA_VXLAN_REMCSUM_TX, SHOW_ON),
	FLAG_WORD("remcsumrx", IFLA_VXLAN_REMCSUM_RX, SHOW_ON),
	FIELD("gbp", FIELD_FLAG, IFLA_VXLAN_GBP, .flags = 0),
	FIELD("gpe", FIELD_FLAG, IFLA_VXLAN_GPE, .flags = 0),
	END,
};

#define ONOFF(k, attr_) FIELD(k, FIELD_BOOL, attr_, .size = 1)
#define REPORTED(k, type_, attr_, size_)                                                           \
	FIELD(k, type_, attr_, .size = (size_), .flags = NOT_SENT | F_DETAIL)

static const struct field bridge_port_fields[] = {
	FIELD("state", FIELD_INT, IFLA_BRPORT_STATE, .size = 1, .words = WORDS_PORT_STATE),
	FIELD("priority", FIELD_INT, IFLA_BRPORT_PRIORITY, .size = 2),
	FIELD("cost", FIELD_INT, IFLA_BRPORT_COST, .size = 4),
	ONOFF("hairpin", IFLA_BRPORT_MODE),
	ONOFF("guard", IFLA_BRPORT_GUARD),
	ONOFF("root_block", IFLA_BRPORT_PROTECT),
	ONOFF("fastleave", IFLA_BRPORT_FAST_LEAVE),
	ONOFF("learning", IFLA_BRPORT_LEARNING),
	ONOFF("flood", IFLA_BRPORT_UNICAST_FLOOD),
	REPORTED("port_id", FIELD_HEX, IFLA_BRPORT_ID, 2),
	REPORTED("port_no", FIELD_HEX, IFLA_BRPORT_NO, 2),
	REPORTED("designated_port", FIELD_INT, IFLA_BRPORT_DESIGNATED_PORT, 2),
	REPORTED("designated_cost", FIELD_INT, IFLA_BRPORT_DESIGNATED_COST, 2),
	REPORTED("designated_bridge", FIELD_BRIDGE_ID, IFLA_BRPORT_BRIDGE_ID, 0),
	REPORTED("designated_root", FIELD_BRIDGE_ID, IFLA_BRPORT_ROOT_ID, 0),
	TIMER("hold_timer", IFLA_BRPORT_HOLD_TIMER),
	TIMER("message_age_timer", IFLA_BRPORT_MESSAGE_AGE_TIMER),
	TIMER("forward_delay_timer", IFLA_BRPORT_FORWARD_DELAY_TIMER),
	REPORTED("topology_change_ack", FIELD_INT, IFLA_BRPORT_TOPOLOGY_CHANGE_ACK, 1),
	REPORTED("config_pending", FIELD_INT, IFLA_BRPORT_CONFIG_PENDING, 1),
	ONOFF("proxy_arp", IFLA_BRPORT_PROXYARP),
	ONOFF("proxy_arp_wifi", IFLA_BRPORT_PROXYARP_WIFI),
	FIELD("mcast_router", FIELD_INT, IFLA_BRPORT_MULTICAST_ROUTER, .size = 1),
	FIELD("", FIELD_BOOL, IFLA_BRPORT_FAST_LEAVE, .size = 1, .flags = NOT_SENT | F_DETAIL,
	      .show = "mcast_fast_leave"), /* `ip -d` prints it twice */
	ONOFF("mcast_flood", IFLA_BRPORT_MCAST_FLOOD),
	ONOFF("bcast_flood", IFLA_BRPORT_BCAST_FLOOD),
	ONOFF("mcast_to_unicast", IFLA_BRPORT_MCAST_TO_UCAST),
	ONOFF("neigh_suppress", IFLA_BRPORT_NEIGH_SUPPRESS),
	FIELD("group_fwd_mask", FIELD_HEX, IFLA_BRPORT_GROUP_FWD_MASK, .size = 2),
	FIELD("", FIELD_BITS, IFLA_BRPORT_GROUP_FWD_MASK, .size = 2, .words = WORDS_FWD_MASK,
	      .flags = NOT_SENT | F_DETAIL,
	      .show = "group_fwd_mask_str"), /* `ip -d` adds it in words */
	ONOFF("vlan_tunnel", IFLA_BRPORT_VLAN_TUNNEL),
	ONOFF("isolated", IFLA_BRPORT_ISOLATED),
	ONOFF("locked", IFLA_BRPORT_LOCKED),
	FIELD("backup_port", FIELD_IFINDEX, IFLA_BRPORT_BACKUP_PORT, .size = 4),
	FIELD("fdb_flush", FIELD_FLAG, IFLA_BRPORT_FLUSH, .flags = 0),
	END,
};
static const struct field no_fields[] = {END};
static const struct schema schema_veth = {"veth", 0, veth_fields};
static const struct schema schema_bridge = {"bridge", 0, bridge_fields};
static const struct schema schema_vlan = {"vlan", 0, vlan_fields};
static const struct schema schema_macvlan = {"macvlan", 0, macvlan_fields};
static const struct schema schema_ipvlan = {"ipvlan", 0, ipvlan_fields};
static const struct schema schema_vrf = {"vrf", 0, vrf_fields};
static const struct schema schema_vxlan = {"vxlan", 0, vxlan_fields};
static const struct schema schema_bridge_port = {"bridge port", 0, bridge_port_fields};
static const struct schema schema_plain = {"link", 0, no_fields};

const struct variant link_types[] = {
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
const struct variant port_types[] = {
	{"bridge", 0, &schema_bridge_port},
	{NULL, 0, NULL},
};

/* The port first: `ip link set type bridge_slave ...` is followed by fields of the port. */
static const struct field linkinfo_fields[] = {
	FIELD("port", FIELD_STRING, IFLA_INFO_SLAVE_KIND, .size = 16, .show = "port"),
	FIELD("port", FIELD_UNION, IFLA_INFO_SLAVE_DATA, .variants = PORT_TYPES,
	      .flags = F_FLATTEN),
	FIELD("type", FIELD_STRING, IFLA_INFO_KIND, .size = 16),
	FIELD("type", FIELD_UNION, IFLA_INFO_DATA, .variants = LINK_TYPES, .flags = F_FLATTEN),
	END,
};
const struct schema schema_linkinfo = {"link", 0, linkinfo_fields};

static const struct field prop_fields[] = {
	FIELD("altnames", FIELD_NAMES, IFLA_ALT_IFNAME, .flags = NOT_SENT),
	END,
};
const struct schema schema_props = {"link", 0, prop_fields};

static const struct field inet6_fields[] = {
	FIELD("addrgenmode", FIELD_INT, IFLA_INET6_ADDR_GEN_MODE, .size = 1,
	      .words = WORDS_ADDRGENMODE, .flags = F_CHANGE_ONLY),
	END,
};
const struct schema schema_inet6 = {"link", 0, inet6_fields};
static const struct field families_fields[] = {
	FIELD("", FIELD_NEST, AF_INET6, .sub = SUB_inet6, .flags = F_FLATTEN),
	END,
};
const struct schema schema_families = {"link", 0, families_fields};

/* `attr` of a link flag is the offset of ifi_change, the mask of the flags to set. */
#define LINK_FLAG(k, bit, fl)                                                                      \
	HEADER(k, FIELD_BIT, struct ifinfomsg, ifi_flags,                                          \
	       .attr = offsetof(struct ifinfomsg, ifi_change), .mask = (bit),                      \
	       .flags = F_HEADER | (fl))

static const struct field link_fields[] = {
	HEADER("index", FIELD_INT, struct ifinfomsg, ifi_index,
	       .flags = F_HEADER | F_DEFAULT0 | F_SILENT),
	HEADER("dev", FIELD_IFINDEX, struct ifinfomsg, ifi_index,
	       .flags = F_HEADER | F_DEFAULT0 | F_VOLATILE),
	FIELD("name", FIELD_STRING, IFLA_IFNAME, .size = IFNAMSIZ),
	HEADER("link_type", FIELD_INT, struct ifinfomsg, ifi_type, .words = WORDS_LINK_TYPE,
	       .flags = F_HEADER | NOT_SENT | F_SILENT),
	HEADER("flags", FIELD_BITS, struct ifinfomsg, ifi_flags, .words = WORDS_FLAGS,
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
	FIELD("operstate", FIELD_INT, IFLA_OPERSTATE, .size = 1, .words = WORDS_OPERSTATE,
	      .flags = NOT_SENT),
	FIELD("carrier", FIELD_BOOL, IFLA_CARRIER, .size = 1, .flags = F_VOLATILE),
	FIELD("linkmode", FIELD_INT, IFLA_LINKMODE, .size = 1, .words = WORDS_LINKMODE,
	      .show = "mode"),
	FIELD("group", FIELD_INT, IFLA_GROUP, .size = 4, .words = WORDS_GROUP),
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
	FIELD("", FIELD_NEST, IFLA_PROP_LIST, .sub = SUB_props, .flags = F_FLATTEN),
	FIELD("promiscuity", FIELD_INT, IFLA_PROMISCUITY, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("allmulti", FIELD_INT, IFLA_ALLMULTI, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("minmtu", FIELD_INT, IFLA_MIN_MTU, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("maxmtu", FIELD_INT, IFLA_MAX_MTU, .size = 4, .flags = NOT_SENT | F_DETAIL),
	FIELD("", FIELD_NEST, IFLA_LINKINFO, .sub = SUB_linkinfo, .flags = F_FLATTEN),
	FIELD("", FIELD_NEST, IFLA_AF_SPEC, .sub = SUB_families, .flags = F_FLATTEN),
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
const struct schema schema_link = {"link", sizeof(struct ifinfomsg), link_fields};

/* --- VLANs of a bridge's ports -----------------------------------------------------------------
 */

#define VLAN_FLAG(k, bit)                                                                          \
	HEADER(k, FIELD_BIT, struct bridge_vlan_info, flags, .mask = (bit), .flags = F_HEADER)

static const struct field vlan_info_fields[] = {
	HEADER("vid", FIELD_INT, struct bridge_vlan_info, vid, .flags = F_HEADER | F_POSITIONAL),
	VLAN_FLAG("pvid", BRIDGE_VLAN_INFO_PVID),
	VLAN_FLAG("untagged", BRIDGE_VLAN_INFO_UNTAGGED),
	END,
};
const struct schema schema_vlan_info = {"vlan of a port", sizeof(struct bridge_vlan_info),
					vlan_info_fields};
static const struct field bridge_spec_fields[] = {
	FIELD("vlans", FIELD_STRUCTS, IFLA_BRIDGE_VLAN_INFO, .sub = SUB_vlan_info, .show = "vid"),
	FIELD("self", FIELD_BIT, IFLA_BRIDGE_FLAGS, .size = 2, .mask = BRIDGE_FLAGS_SELF),
	END,
};
const struct schema schema_bridge_spec = {"vlan", 0, bridge_spec_fields};

static const struct field vlan_port_fields[] = {
	HEADER("dev", FIELD_IFINDEX, struct ifinfomsg, ifi_index, .flags = F_HEADER | F_DEFAULT0),
	FIELD("", FIELD_NEST, IFLA_AF_SPEC, .sub = SUB_bridge_spec, .flags = F_FLATTEN),
	END,
};
const struct schema schema_portvlan = {"vlan", sizeof(struct ifinfomsg), vlan_port_fields};

/* clang-format on */
