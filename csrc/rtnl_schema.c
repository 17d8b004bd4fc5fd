/*
 * What the messages hold. Rows stand in the order iproute2 prints them; duplicate keys stand side
 * by side, the writable one first, and reading takes the first that is present.
 */
#include "rtnl_schema.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <linux/veth.h>
#include <string.h>

#define ROW(k, kind_, attr_, ...)                                                                  \
	{                                                                                          \
		.key = (k), .kind = (kind_), .attr = (attr_), __VA_ARGS__                          \
	}
#define HEADER(k, kind_, type, member, ...)                                                        \
	{                                                                                          \
		.key = (k), .kind = (kind_), .offset = offsetof(type, member),                     \
		.size = sizeof(((type *)0)->member), __VA_ARGS__                                   \
	}
#define MEMBER(k, attr_, type, member, ...)                                                        \
	{                                                                                          \
		.key = (k), .kind = K_MEMBER, .attr = (attr_), .offset = offsetof(type, member),   \
		.size = sizeof(((type *)0)->member), .whole = sizeof(type), __VA_ARGS__            \
	}
#define END                                                                                        \
	{                                                                                          \
		.kind = K_NONE                                                                     \
	}

#define NOT_SENT (F_READONLY | F_VOLATILE)

/* clang-format off: rows are read as a table */

/* --- lightweight tunnels --------------------------------------------------------------------- */

static const struct word words_seg6_mode[] = {
	{"inline", SEG6_IPTUN_MODE_INLINE},
	{"encap", SEG6_IPTUN_MODE_ENCAP},
	{"l2encap", SEG6_IPTUN_MODE_L2ENCAP},
	{"encap.red", 3},
	{"l2encap.red", 4},
	{NULL, 0},
};
static const struct word words_seg6_action[] = {
	{"End", SEG6_LOCAL_ACTION_END},
	{"End.X", SEG6_LOCAL_ACTION_END_X},
	{"End.T", SEG6_LOCAL_ACTION_END_T},
	{"End.DX2", SEG6_LOCAL_ACTION_END_DX2},
	{"End.DX6", SEG6_LOCAL_ACTION_END_DX6},
	{"End.DX4", SEG6_LOCAL_ACTION_END_DX4},
	{"End.DT6", SEG6_LOCAL_ACTION_END_DT6},
	{"End.DT4", SEG6_LOCAL_ACTION_END_DT4},
	{"End.B6", SEG6_LOCAL_ACTION_END_B6},
	{"End.B6.Encaps", SEG6_LOCAL_ACTION_END_B6_ENCAP},
	{"End.BM", SEG6_LOCAL_ACTION_END_BM},
	{"End.S", SEG6_LOCAL_ACTION_END_S},
	{"End.AS", SEG6_LOCAL_ACTION_END_AS},
	{"End.AM", SEG6_LOCAL_ACTION_END_AM},
	{"End.BPF", SEG6_LOCAL_ACTION_END_BPF},
	{"End.DT46", SEG6_LOCAL_ACTION_END_DT46},
	{NULL, 0},
};

static const struct field mpls_rows[] = {
	ROW("labels", K_LABELS, MPLS_IPTUNNEL_DST, .flags = F_BARE),
	ROW("ttl", K_INT, MPLS_IPTUNNEL_TTL, .size = 1),
	END,
};
static const struct field ip_tunnel_rows[] = {
	ROW("id", K_INT, LWTUNNEL_IP_ID, .size = 8, .flags = F_BE),
	ROW("src", K_ADDRESS, LWTUNNEL_IP_SRC, .size = 4),
	ROW("dst", K_ADDRESS, LWTUNNEL_IP_DST, .size = 4),
	ROW("ttl", K_INT, LWTUNNEL_IP_TTL, .size = 1),
	ROW("tos", K_INT, LWTUNNEL_IP_TOS, .size = 1),
	ROW("key", K_BIT, LWTUNNEL_IP_FLAGS, .size = 2, .mask = 4, .flags = F_BE),
	ROW("csum", K_BIT, LWTUNNEL_IP_FLAGS, .size = 2, .mask = 1, .flags = F_BE),
	ROW("seq", K_BIT, LWTUNNEL_IP_FLAGS, .size = 2, .mask = 8, .flags = F_BE),
	END,
};
static const struct field ip6_tunnel_rows[] = {
	ROW("id", K_INT, LWTUNNEL_IP6_ID, .size = 8, .flags = F_BE),
	ROW("src", K_ADDRESS, LWTUNNEL_IP6_SRC, .size = 16),
	ROW("dst", K_ADDRESS, LWTUNNEL_IP6_DST, .size = 16),
	ROW("hoplimit", K_INT, LWTUNNEL_IP6_HOPLIMIT, .size = 1),
	ROW("tc", K_INT, LWTUNNEL_IP6_TC, .size = 1),
	ROW("key", K_BIT, LWTUNNEL_IP6_FLAGS, .size = 2, .mask = 4, .flags = F_BE),
	ROW("csum", K_BIT, LWTUNNEL_IP6_FLAGS, .size = 2, .mask = 1, .flags = F_BE),
	ROW("seq", K_BIT, LWTUNNEL_IP6_FLAGS, .size = 2, .mask = 8, .flags = F_BE),
	END,
};
static const struct field seg6_rows[] = {
	ROW("mode", K_SEGMENTS, SEG6_IPTUNNEL_SRH, .size = 4, .words = words_seg6_mode),
	ROW("segs", K_SEGMENTS, SEG6_IPTUNNEL_SRH, .size = 4,
	    .flags = F_READONLY | F_SILENT), /* with the mode */
	ROW("hmac", K_HMAC, SEG6_IPTUNNEL_SRH, .size = 4),
	END,
};
static const struct word words_flavors[] = {
	{"psp", 1 << SEG6_LOCAL_FLV_OP_PSP},
	{"usp", 1 << SEG6_LOCAL_FLV_OP_USP},
	{"usd", 1 << SEG6_LOCAL_FLV_OP_USD},
	{"next-csid", 1 << SEG6_LOCAL_FLV_OP_NEXT_CSID},
	{NULL, 0},
};
static const struct field flavor_rows[] = {
	ROW("flavors", K_BITS, SEG6_LOCAL_FLV_OPERATION, .size = 4, .words = words_flavors),
	ROW("lblen", K_INT, SEG6_LOCAL_FLV_LCBLOCK_BITS, .size = 1),
	ROW("nflen", K_INT, SEG6_LOCAL_FLV_LCNODE_FN_BITS, .size = 1),
	END,
};
static const struct schema schema_flavors = {"seg6local encap", 0, flavor_rows};
static const struct field seg6local_rows[] = {
	ROW("action", K_INT, SEG6_LOCAL_ACTION, .size = 4, .words = words_seg6_action),
	ROW("segs", K_SEGMENTS, SEG6_LOCAL_SRH, .size = 0),
	ROW("hmac", K_HMAC, SEG6_LOCAL_SRH, .size = 0),
	ROW("table", K_INT, SEG6_LOCAL_TABLE, .size = 4, .words = words_table),
	ROW("vrftable", K_INT, SEG6_LOCAL_VRFTABLE, .size = 4, .words = words_table),
	ROW("nh4", K_ADDRESS, SEG6_LOCAL_NH4, .size = 4),
	ROW("nh6", K_ADDRESS, SEG6_LOCAL_NH6, .size = 16),
	ROW("iif", K_IFINDEX, SEG6_LOCAL_IIF, .size = 4),
	ROW("oif", K_IFINDEX, SEG6_LOCAL_OIF, .size = 4),
	ROW("count", K_COUNT, SEG6_LOCAL_COUNTERS, .flags = F_SILENT),
	ROW(NULL, K_NEST, SEG6_LOCAL_FLAVORS, .sub = &schema_flavors, .flags = F_HOIST | F_NESTED),
	END,
};
static const struct schema schema_mpls = {"mpls encap", 0, mpls_rows};
static const struct schema schema_ip_tunnel = {"ip encap", 0, ip_tunnel_rows};
static const struct schema schema_ip6_tunnel = {"ip6 encap", 0, ip6_tunnel_rows};
static const struct schema schema_seg6 = {"seg6 encap", 0, seg6_rows};
static const struct schema schema_seg6local = {"seg6local encap", 0, seg6local_rows};

static const struct variant encaps[] = {
	{"mpls", LWTUNNEL_ENCAP_MPLS, &schema_mpls},
	{"ip", LWTUNNEL_ENCAP_IP, &schema_ip_tunnel},
	{"ip6", LWTUNNEL_ENCAP_IP6, &schema_ip6_tunnel},
	{"seg6", LWTUNNEL_ENCAP_SEG6, &schema_seg6},
	{"seg6local", LWTUNNEL_ENCAP_SEG6_LOCAL, &schema_seg6local},
	{NULL, 0, NULL},
};

/* --- routes ---------------------------------------------------------------------------------- */

const struct word words_locks[] = {
	{"mtu", 1 << RTAX_MTU},
	{"window", 1 << RTAX_WINDOW},
	{"rtt", 1 << RTAX_RTT},
	{"rttvar", 1 << RTAX_RTTVAR},
	{"ssthresh", 1 << RTAX_SSTHRESH},
	{"cwnd", 1 << RTAX_CWND},
	{"advmss", 1 << RTAX_ADVMSS},
	{"reordering", 1 << RTAX_REORDERING},
	{"hoplimit", 1 << RTAX_HOPLIMIT},
	{"initcwnd", 1 << RTAX_INITCWND},
	{"rto_min", 1 << RTAX_RTO_MIN},
	{"initrwnd", 1 << RTAX_INITRWND},
	{"quickack", 1 << RTAX_QUICKACK},
	{"congctl", 1 << RTAX_CC_ALGO},
	{NULL, 0},
};
static const struct word words_features[] = {{"ecn", RTAX_FEATURE_ECN}, {NULL, 0}};

static const struct field metrics_rows[] = {
	ROW("lock", K_BITS, RTAX_LOCK, .size = 4, .words = words_locks,
	    .flags = F_SILENT | F_DEFAULT0),
	ROW("mtu", K_INT, RTAX_MTU, .size = 4),
	ROW("window", K_INT, RTAX_WINDOW, .size = 4),
	ROW("rtt", K_SCALED, RTAX_RTT, .size = 4, .mask = 8,
	    .unit = "ms"), /* the wire counts eighths */
	ROW("rttvar", K_SCALED, RTAX_RTTVAR, .size = 4, .mask = 4,
	    .unit = "ms"), /* the wire counts quarters */
	ROW("ssthresh", K_INT, RTAX_SSTHRESH, .size = 4),
	ROW("cwnd", K_INT, RTAX_CWND, .size = 4),
	ROW("advmss", K_INT, RTAX_ADVMSS, .size = 4),
	ROW("reordering", K_INT, RTAX_REORDERING, .size = 4),
	ROW("hoplimit", K_INT, RTAX_HOPLIMIT, .size = 4, .mask = 255),
	ROW("initcwnd", K_INT, RTAX_INITCWND, .size = 4),
	ROW("features", K_BITS, RTAX_FEATURES, .size = 4, .words = words_features,
	    .flags = F_DEFAULT0),
	ROW("rto_min", K_SCALED, RTAX_RTO_MIN, .size = 4, .mask = 1, .unit = "ms"),
	ROW("initrwnd", K_INT, RTAX_INITRWND, .size = 4),
	ROW("quickack", K_INT, RTAX_QUICKACK, .size = 4),
	ROW("congctl", K_STRING, RTAX_CC_ALGO, .size = 16),
	ROW("fastopen_no_cookie", K_INT, RTAX_FASTOPEN_NO_COOKIE, .size = 4),
	END,
};
static const struct schema schema_metrics = {"metrics", 0, metrics_rows};

static const struct field hop_rows[] = {
	ROW("encap", K_ENCAP, RTA_ENCAP, .offset = RTA_ENCAP_TYPE, .variants = encaps),
	ROW("via", K_VIA, RTA_GATEWAY, .offset = RTA_VIA),
	ROW("realm", K_REALM, RTA_FLOW, .size = 4),
	HEADER("dev", K_IFINDEX, struct rtnexthop, rtnh_ifindex, .flags = F_HEADER | F_DEFAULT0),
	HEADER("weight", K_WEIGHT, struct rtnexthop, rtnh_hops, .flags = F_HEADER),
	HEADER("dead", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_DEAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("onlink", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_ONLINK,
	       .flags = F_HEADER),
	HEADER("pervasive", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_PERVASIVE,
	       .flags = F_HEADER),
	HEADER("offload", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("trap", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("linkdown", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_LINKDOWN,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("unresolved", K_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_UNRESOLVED,
	       .flags = F_HEADER | NOT_SENT),
	END,
};
const struct schema schema_hop = {"next hop", sizeof(struct rtnexthop), hop_rows};

static const struct field route_rows[] = {
	HEADER("family", K_FAMILY, struct rtmsg, rtm_family, .flags = F_HEADER | F_SILENT),
	HEADER("type", K_INT, struct rtmsg, rtm_type, .words = words_type,
	       .flags = F_HEADER | F_DEFAULT0 | F_BARE),
	ROW("dst", K_PREFIX, RTA_DST, .offset = offsetof(struct rtmsg, rtm_dst_len),
	    .flags = F_BARE),
	ROW("from", K_PREFIX, RTA_SRC, .offset = offsetof(struct rtmsg, rtm_src_len),
	    .flags = F_DEFAULT0),
	ROW("nhid", K_INT, RTA_NH_ID, .size = 4),
	ROW("encap", K_ENCAP, RTA_ENCAP, .offset = RTA_ENCAP_TYPE, .variants = encaps),
	HEADER("tos", K_HEX, struct rtmsg, rtm_tos, .flags = F_HEADER | F_DEFAULT0),
	ROW("via", K_VIA, RTA_GATEWAY, .offset = RTA_VIA),
	ROW("dev", K_IFINDEX, RTA_OIF, .size = 4),
	ROW("table", K_TABLE, RTA_TABLE, .offset = offsetof(struct rtmsg, rtm_table),
	    .words = words_table),
	HEADER("proto", K_INT, struct rtmsg, rtm_protocol, .words = words_proto,
	       .flags = F_HEADER | F_DEFAULT0),
	HEADER("scope", K_INT, struct rtmsg, rtm_scope, .words = words_scope, .flags = F_HEADER),
	ROW("src", K_ADDRESS, RTA_PREFSRC, .flags = 0),
	ROW("metric", K_INT, RTA_PRIORITY, .size = 4),
	HEADER("dead", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_DEAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("onlink", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_ONLINK, .flags = F_HEADER),
	HEADER("pervasive", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_PERVASIVE,
	       .flags = F_HEADER),
	HEADER("offload", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("trap", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("linkdown", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_LINKDOWN,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("unresolved", K_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_UNRESOLVED,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("rt_offload", K_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("rt_trap", K_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("cloned", K_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_CLONED,
	       .flags = F_HEADER | NOT_SENT | F_SILENT),
	ROW("mark", K_HEX, RTA_MARK, .size = 4, .flags = NOT_SENT),
	ROW("realm", K_REALM, RTA_FLOW, .size = 4),
	ROW("uid", K_INT, RTA_UID, .size = 4, .flags = NOT_SENT),
	ROW("expires", K_INT, RTA_EXPIRES, .size = 4, .flags = F_VOLATILE, .unit = "sec"),
	MEMBER("expires", RTA_CACHEINFO, struct rta_cacheinfo, rta_expires, .mask = 100,
	       .unit = "sec", .flags = NOT_SENT | F_DEFAULT0), /* wire: 1/100 s */
	MEMBER("error", RTA_CACHEINFO, struct rta_cacheinfo, rta_error, .mask = 1,
	       .flags = NOT_SENT | F_DEFAULT0),
	ROW(NULL, K_NEST, RTA_METRICS, .sub = &schema_metrics, .flags = F_HOIST | F_NESTED),
	ROW("iif", K_IFINDEX, RTA_IIF, .size = 4, .flags = NOT_SENT),
	ROW("pref", K_INT, RTA_PREF, .size = 1, .words = words_pref),
	ROW("ttl_propagate", K_BOOL, RTA_TTL_PROPAGATE, .size = 1, .show = "ttl-propagate"),
	ROW("nexthops", K_HOPS, RTA_MULTIPATH, .sub = &schema_hop, .show = "nexthop"),
	END,
};
const struct schema schema_route = {"route", sizeof(struct rtmsg), route_rows};

/* What `ip route get` asks: a flow. The answer is a route. */
static const struct word words_ipproto[] = {
	{"icmp", 1},  {"igmp", 2},   {"tcp", 6},    {"udp", 17},       {"dccp", 33},
	{"gre", 47},  {"esp", 50},   {"ah", 51},    {"ipv6-icmp", 58}, {"icmpv6", 58},
	{"ospf", 89}, {"vrrp", 112}, {"sctp", 132}, {"udplite", 136},  {NULL, 0},
};
static const struct field flow_rows[] = {
	HEADER("family", K_FAMILY, struct rtmsg, rtm_family, .flags = F_HEADER | F_SILENT),
	ROW("dst", K_PREFIX, RTA_DST, .offset = offsetof(struct rtmsg, rtm_dst_len),
	    .flags = F_BARE),
	ROW("src", K_PREFIX, RTA_SRC, .offset = offsetof(struct rtmsg, rtm_src_len),
	    .show = "from"),
	ROW("iif", K_IFINDEX, RTA_IIF, .size = 4),
	ROW("dev", K_IFINDEX, RTA_OIF, .size = 4, .show = "oif"),
	HEADER("tos", K_HEX, struct rtmsg, rtm_tos, .flags = F_HEADER | F_DEFAULT0),
	ROW("mark", K_HEX, RTA_MARK, .size = 4),
	ROW("proto", K_INT, RTA_IP_PROTO, .size = 1, .words = words_ipproto, .show = "ipproto"),
	ROW("sport", K_INT, RTA_SPORT, .size = 2, .flags = F_BE),
	ROW("dport", K_INT, RTA_DPORT, .size = 2, .flags = F_BE),
	ROW("uid", K_INT, RTA_UID, .size = 4),
	HEADER("fibmatch", K_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_FIB_MATCH,
	       .flags = F_HEADER),
	END,
};
static const struct schema schema_flow = {"flow", sizeof(struct rtmsg), flow_rows};

/* --- next-hop objects ------------------------------------------------------------------------ */

static const struct word words_group_type[] = {{"mpath", 0}, {"resilient", 1}, {NULL, 0}};
static const struct field resilient_rows[] = {
	ROW("buckets", K_INT, NHA_RES_GROUP_BUCKETS, .size = 2),
	ROW("idle_timer", K_SCALED, NHA_RES_GROUP_IDLE_TIMER, .size = 4, .mask = 100), /* s */
	ROW("unbalanced_timer", K_SCALED, NHA_RES_GROUP_UNBALANCED_TIMER, .size = 4,
	    .mask = 100), /* s */
	ROW("unbalanced_time", K_SCALED, NHA_RES_GROUP_UNBALANCED_TIME, .size = 8, .mask = 100,
	    .flags = NOT_SENT),
	END,
};
static const struct schema schema_resilient = {"resilient group", 0, resilient_rows};
static const struct field bucket_rows[] = {
	ROW("index", K_INT, NHA_RES_BUCKET_INDEX, .size = 2),
	ROW("idle_time", K_SCALED, NHA_RES_BUCKET_IDLE_TIME, .size = 8, .mask = 100,
	    .flags = NOT_SENT),
	ROW("nhid", K_INT, NHA_RES_BUCKET_NH_ID, .size = 4),
	END,
};
static const struct schema schema_bucket_nest = {"bucket", 0, bucket_rows};

static const struct field nexthop_rows[] = {
	HEADER("family", K_FAMILY, struct nhmsg, nh_family,
	       .flags = F_HEADER | F_SILENT | F_DEFAULT0),
	ROW("id", K_INT, NHA_ID, .size = 4),
	ROW("group", K_GROUP, NHA_GROUP, .flags = 0),
	ROW("type", K_INT, NHA_GROUP_TYPE, .size = 2, .words = words_group_type,
	    .flags = F_DEFAULT0),
	ROW(NULL, K_NEST, NHA_RES_GROUP, .sub = &schema_resilient, .flags = F_HOIST | F_NESTED),
	ROW("encap", K_ENCAP, NHA_ENCAP, .offset = NHA_ENCAP_TYPE, .variants = encaps),
	ROW("via", K_VIA, NHA_GATEWAY, .offset = 0),
	ROW("dev", K_IFINDEX, NHA_OIF, .size = 4),
	HEADER("scope", K_INT, struct nhmsg, nh_scope, .words = words_scope,
	       .flags = F_HEADER | NOT_SENT),
	ROW("blackhole", K_FLAG, NHA_BLACKHOLE, .flags = 0),
	HEADER("proto", K_INT, struct nhmsg, nh_protocol, .words = words_proto,
	       .flags = F_HEADER | F_DEFAULT0),
	HEADER("dead", K_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_DEAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("onlink", K_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_ONLINK, .flags = F_HEADER),
	HEADER("linkdown", K_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_LINKDOWN,
	       .flags = F_HEADER | NOT_SENT),
	ROW("fdb", K_FLAG, NHA_FDB, .flags = 0),
	END,
};
const struct schema schema_nexthop = {"nexthop", sizeof(struct nhmsg), nexthop_rows};

static const struct field bucket_message_rows[] = {
	HEADER("family", K_FAMILY, struct nhmsg, nh_family,
	       .flags = F_HEADER | F_SILENT | F_DEFAULT0),
	ROW("id", K_INT, NHA_ID, .size = 4),
	ROW(NULL, K_NEST, NHA_RES_BUCKET, .sub = &schema_bucket_nest, .flags = F_HOIST | F_NESTED),
	END,
};
static const struct schema schema_bucket = {"bucket", sizeof(struct nhmsg), bucket_message_rows};

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
static const struct word words_link_group[] = {{"default", 0}, {NULL, 0}};

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
	ROW("group", K_INT, IFLA_GROUP, .size = 4, .words = words_link_group),
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

/* --- addresses ------------------------------------------------------------------------------- */

#define ADDR_FLAG(k, bit, fl) ROW(k, K_BIT, IFA_FLAGS, .size = 4, .mask = (bit), .flags = (fl))

static const struct field addr_rows[] = {
	HEADER("family", K_FAMILY, struct ifaddrmsg, ifa_family, .flags = F_HEADER | F_SILENT),
	ROW("address", K_PREFIX, IFA_LOCAL, .offset = offsetof(struct ifaddrmsg, ifa_prefixlen),
	    .flags = F_BARE),
	ROW("address", K_PREFIX, IFA_ADDRESS, .offset = offsetof(struct ifaddrmsg, ifa_prefixlen),
	    .flags = F_BARE | F_READONLY),
	ROW("peer", K_PREFIX, IFA_ADDRESS, .offset = offsetof(struct ifaddrmsg, ifa_prefixlen),
	    .flags = 0),
	ROW("metric", K_INT, IFA_RT_PRIORITY, .size = 4),
	ROW("broadcast", K_ADDRESS, IFA_BROADCAST, .show = "brd"),
	HEADER("scope", K_INT, struct ifaddrmsg, ifa_scope, .words = words_scope,
	       .flags = F_HEADER),
	ADDR_FLAG("secondary", IFA_F_SECONDARY, NOT_SENT),
	ADDR_FLAG("nodad", IFA_F_NODAD, 0),
	ADDR_FLAG("optimistic", IFA_F_OPTIMISTIC, 0),
	ADDR_FLAG("dadfailed", IFA_F_DADFAILED, NOT_SENT),
	ADDR_FLAG("home", IFA_F_HOMEADDRESS, 0),
	ADDR_FLAG("deprecated", IFA_F_DEPRECATED, NOT_SENT),
	ADDR_FLAG("tentative", IFA_F_TENTATIVE, NOT_SENT),
	ADDR_FLAG("permanent", IFA_F_PERMANENT, NOT_SENT | F_SILENT),
	ADDR_FLAG("mngtmpaddr", IFA_F_MANAGETEMPADDR, 0),
	ADDR_FLAG("noprefixroute", IFA_F_NOPREFIXROUTE, 0),
	ADDR_FLAG("autojoin", IFA_F_MCAUTOJOIN, 0),
	ROW("stable_privacy", K_BIT, IFA_FLAGS, .size = 4, .mask = IFA_F_STABLE_PRIVACY,
	    .flags = NOT_SENT, .show = "stable-privacy"),
	HEADER("dev", K_IFINDEX, struct ifaddrmsg, ifa_index, .flags = F_HEADER | F_DEFAULT0),
	ROW("label", K_STRING, IFA_LABEL, .size = IFNAMSIZ),
	MEMBER("valid_lft", IFA_CACHEINFO, struct ifa_cacheinfo, ifa_valid, .mask = 1,
	       .flags = F_VOLATILE),
	MEMBER("preferred_lft", IFA_CACHEINFO, struct ifa_cacheinfo, ifa_prefered, .mask = 1,
	       .flags = F_VOLATILE),
	END,
};
const struct schema schema_addr = {"address", sizeof(struct ifaddrmsg), addr_rows};

/* --- rules and neighbours -------------------------------------------------------------------- */

static const struct word words_action[] = {
	{"lookup", FR_ACT_TO_TBL},
	{"goto", FR_ACT_GOTO},
	{"nop", FR_ACT_NOP},
	{"blackhole", FR_ACT_BLACKHOLE},
	{"unreachable", FR_ACT_UNREACHABLE},
	{"prohibit", FR_ACT_PROHIBIT},
	{NULL, 0},
};
static const struct field rule_rows[] = {
	HEADER("family", K_FAMILY, struct fib_rule_hdr, family, .flags = F_HEADER | F_SILENT),
	ROW("priority", K_INT, FRA_PRIORITY, .size = 4, .flags = F_ABSENT0),
	HEADER("invert", K_BIT, struct fib_rule_hdr, flags, .mask = FIB_RULE_INVERT,
	       .flags = F_HEADER, .show = "not"),
	ROW("from", K_PREFIX, FRA_SRC, .offset = offsetof(struct fib_rule_hdr, src_len),
	    .flags = 0),
	ROW("to", K_PREFIX, FRA_DST, .offset = offsetof(struct fib_rule_hdr, dst_len),
	    .flags = F_DEFAULT0),
	HEADER("tos", K_HEX, struct fib_rule_hdr, tos, .flags = F_HEADER | F_DEFAULT0),
	ROW("fwmark", K_HEX, FRA_FWMARK, .size = 4, .flags = F_DEFAULT0),
	ROW("fwmask", K_HEX, FRA_FWMASK, .size = 4),
	ROW("iif", K_STRING, FRA_IIFNAME, .size = IFNAMSIZ),
	ROW("oif", K_STRING, FRA_OIFNAME, .size = IFNAMSIZ),
	ROW("l3mdev", K_BIT, FRA_L3MDEV, .size = 1, .mask = 1),
	ROW("uidrange", K_RANGE, FRA_UID_RANGE, .size = 4),
	ROW("ipproto", K_INT, FRA_IP_PROTO, .size = 1, .words = words_ipproto),
	ROW("sport", K_RANGE, FRA_SPORT_RANGE, .size = 2),
	ROW("dport", K_RANGE, FRA_DPORT_RANGE, .size = 2),
	ROW("tun_id", K_INT, FRA_TUN_ID, .size = 8, .flags = F_BE),
	HEADER("action", K_INT, struct fib_rule_hdr, action, .words = words_action,
	       .flags = F_HEADER | F_DEFAULT0),
	ROW("table", K_TABLE, FRA_TABLE, .offset = offsetof(struct fib_rule_hdr, table),
	    .words = words_table, .show = "lookup"),
	ROW("goto", K_INT, FRA_GOTO, .size = 4),
	ROW("suppress_prefixlength", K_SIGNED, FRA_SUPPRESS_PREFIXLEN, .size = 4,
	    .flags = F_NEGATIVE),
	ROW("suppress_ifgroup", K_SIGNED, FRA_SUPPRESS_IFGROUP, .size = 4, .flags = F_NEGATIVE),
	ROW("realm", K_REALM, FRA_FLOW, .size = 4, .flags = F_DEFAULT0),
	ROW("proto", K_INT, FRA_PROTOCOL, .size = 1, .words = words_proto, .flags = F_DEFAULT0),
	END,
};
const struct schema schema_rule = {"rule", sizeof(struct fib_rule_hdr), rule_rows};

static const struct word words_nud[] = {
	{"INCOMPLETE", NUD_INCOMPLETE},
	{"REACHABLE", NUD_REACHABLE},
	{"STALE", NUD_STALE},
	{"DELAY", NUD_DELAY},
	{"PROBE", NUD_PROBE},
	{"FAILED", NUD_FAILED},
	{"NOARP", NUD_NOARP},
	{"PERMANENT", NUD_PERMANENT},
	{"NONE", NUD_NONE},
	{"incomplete", NUD_INCOMPLETE},
	{"reachable", NUD_REACHABLE},
	{"stale", NUD_STALE},
	{"delay", NUD_DELAY},
	{"probe", NUD_PROBE},
	{"failed", NUD_FAILED},
	{"noarp", NUD_NOARP},
	{"permanent", NUD_PERMANENT},
	{"none", NUD_NONE},
	{NULL, 0},
};
#define NEIGH_FLAG(k, bit, fl)                                                                     \
	HEADER(k, K_BIT, struct ndmsg, ndm_flags, .mask = (bit), .flags = F_HEADER | (fl))

static const struct field neigh_rows[] = {
	HEADER("family", K_FAMILY, struct ndmsg, ndm_family, .flags = F_HEADER | F_SILENT),
	ROW("dst", K_ADDRESS, NDA_DST, .flags = F_BARE),
	HEADER("dev", K_IFINDEX, struct ndmsg, ndm_ifindex, .flags = F_HEADER | F_DEFAULT0),
	ROW("lladdr", K_LLADDR, NDA_LLADDR, .flags = 0),
	NEIGH_FLAG("router", NTF_ROUTER, 0),
	NEIGH_FLAG("proxy", NTF_PROXY, 0),
	NEIGH_FLAG("extern_learn", NTF_EXT_LEARNED, 0),
	NEIGH_FLAG("use", NTF_USE, 0),
	HEADER("state", K_INT, struct ndmsg, ndm_state, .words = words_nud,
	       .flags = F_HEADER | F_BARE | F_DEFAULT0, .show = "nud"),
	ROW("managed", K_BIT, NDA_FLAGS_EXT, .size = 4, .mask = NTF_EXT_MANAGED),
	ROW("probes", K_INT, NDA_PROBES, .size = 4, .flags = NOT_SENT | F_SILENT),
	ROW("proto", K_INT, NDA_PROTOCOL, .size = 1, .words = words_proto, .flags = F_DEFAULT0),
	END,
};
const struct schema schema_neigh = {"neighbour", sizeof(struct ndmsg), neigh_rows};

/* clang-format on */

const struct object rtnl_objects[] = {
	{"route", &schema_route, RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE},
	{"nexthop", &schema_nexthop, RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP},
	{"bucket", &schema_bucket, RTM_NEWNEXTHOPBUCKET, RTM_DELNEXTHOPBUCKET,
	 RTM_GETNEXTHOPBUCKET},
	{"link", &schema_link, RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK},
	{"addr", &schema_addr, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR},
	{"rule", &schema_rule, RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE},
	{"neigh", &schema_neigh, RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH},
	{"vlan", &schema_portvlan, RTM_SETLINK, RTM_DELLINK, RTM_GETLINK},
	{"flow", &schema_flow, 0, 0, RTM_GETROUTE},
	{NULL, NULL, 0, 0, 0},
};

const struct object *object_by_name(const char *name)
{
	for (const struct object *o = rtnl_objects; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

const struct object *object_by_type(uint16_t type)
{
	for (const struct object *o = rtnl_objects; o->name; o++)
		if (o->add == type || o->del == type)
			return o;
	return NULL;
}

const struct variant *variant_by_name(const struct variant *list, const char *name)
{
	for (; list->name; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

const struct variant *variant_by_number(const struct variant *list, uint16_t number)
{
	for (; list->name; list++)
		if (list->number == number)
			return list;
	return NULL;
}
