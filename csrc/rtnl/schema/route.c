/*
 * The fields of routes, next hops, addresses, rules and neighbours. Those of links are in link.c,
 * those of encapsulations in lwtunnel.c.
 */
#include "rtnl/schema/field_macros.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "common/export.h"

/* clang-format off: fields are read as a table */

/* --- routes ---------------------------------------------------------------------------------- */

static const struct field metrics_fields[] = {
	FIELD("lock", FIELD_BITS, RTAX_LOCK, .size = 4, .words = WORDS_LOCKS,
	      .flags = F_SILENT | F_DEFAULT0),
	FIELD("mtu", FIELD_INT, RTAX_MTU, .size = 4),
	FIELD("window", FIELD_INT, RTAX_WINDOW, .size = 4),
	FIELD("rtt", FIELD_SCALED, RTAX_RTT, .size = 4, .mask = 8,
	      .unit = "ms"), /* the wire: 1/8 ms */
	FIELD("rttvar", FIELD_SCALED, RTAX_RTTVAR, .size = 4, .mask = 4,
	      .unit = "ms"), /* the wire: 1/4 ms */
	FIELD("ssthresh", FIELD_INT, RTAX_SSTHRESH, .size = 4),
	FIELD("cwnd", FIELD_INT, RTAX_CWND, .size = 4),
	FIELD("advmss", FIELD_INT, RTAX_ADVMSS, .size = 4),
	FIELD("reordering", FIELD_INT, RTAX_REORDERING, .size = 4),
	FIELD("hoplimit", FIELD_INT, RTAX_HOPLIMIT, .size = 4, .mask = 255),
	FIELD("initcwnd", FIELD_INT, RTAX_INITCWND, .size = 4),
	FIELD("features", FIELD_BITS, RTAX_FEATURES, .size = 4, .words = WORDS_FEATURES,
	      .flags = F_DEFAULT0),
	FIELD("rto_min", FIELD_SCALED, RTAX_RTO_MIN, .size = 4, .mask = 1, .unit = "ms"),
	FIELD("initrwnd", FIELD_INT, RTAX_INITRWND, .size = 4),
	FIELD("quickack", FIELD_INT, RTAX_QUICKACK, .size = 4),
	FIELD("congctl", FIELD_STRING, RTAX_CC_ALGO, .size = 16),
	FIELD("fastopen_no_cookie", FIELD_INT, RTAX_FASTOPEN_NO_COOKIE, .size = 4),
	END,
};
const struct schema schema_metrics = {"metrics", 0, metrics_fields};

static const struct field hop_fields[] = {
	FIELD("encap", FIELD_ENCAP, RTA_ENCAP, .offset = RTA_ENCAP_TYPE, .variants = ENCAP_TYPES),
	FIELD("via", FIELD_VIA, RTA_GATEWAY, .offset = RTA_VIA),
	FIELD("realm", FIELD_REALM, RTA_FLOW, .size = 4, .words = WORDS_REALM),
	HEADER("dev", FIELD_IFINDEX, struct rtnexthop, rtnh_ifindex,
	       .flags = F_HEADER | F_DEFAULT0),
	HEADER("weight", FIELD_WEIGHT, struct rtnexthop, rtnh_hops, .flags = F_HEADER),
	HEADER("dead", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_DEAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("onlink", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_ONLINK,
	       .flags = F_HEADER),
	HEADER("pervasive", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_PERVASIVE,
	       .flags = F_HEADER),
	HEADER("offload", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("trap", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("linkdown", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_LINKDOWN,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("unresolved", FIELD_BIT, struct rtnexthop, rtnh_flags, .mask = RTNH_F_UNRESOLVED,
	       .flags = F_HEADER | NOT_SENT),
	END,
};
const struct schema schema_hop = {"next hop", sizeof(struct rtnexthop), hop_fields};

static const struct field member_fields[] = {
	HEADER("id", FIELD_INT, struct nexthop_grp, id, .flags = F_HEADER),
	{.key = "weight",
	 .type = FIELD_WEIGHT,
	 .offset = offsetof(struct nexthop_grp, weight),
	 .size = 2,
	 .flags = F_HEADER}, /* weight_high follows weight, so both are one little-endian integer */
	END,
};

const struct schema schema_member = {"member of a group", sizeof(struct nexthop_grp),
				     member_fields};

static const struct field route_fields[] = {
	HEADER("family", FIELD_FAMILY, struct rtmsg, rtm_family, .flags = F_HEADER | F_SILENT),
	HEADER("type", FIELD_INT, struct rtmsg, rtm_type, .words = WORDS_TYPE,
	       .flags = F_HEADER | F_DEFAULT0 | F_POSITIONAL),
	FIELD("dst", FIELD_PREFIX, RTA_DST, .offset = offsetof(struct rtmsg, rtm_dst_len),
	      .flags = F_POSITIONAL),
	FIELD("from", FIELD_PREFIX, RTA_SRC, .offset = offsetof(struct rtmsg, rtm_src_len),
	      .flags = F_DEFAULT0),
	FIELD("nhid", FIELD_INT, RTA_NH_ID, .size = 4),
	FIELD("encap", FIELD_ENCAP, RTA_ENCAP, .offset = RTA_ENCAP_TYPE, .variants = ENCAP_TYPES),
	HEADER("tos", FIELD_HEX, struct rtmsg, rtm_tos, .words = WORDS_DSFIELD, .mask = 4,
	       .flags = F_HEADER | F_DEFAULT0),
	FIELD("via", FIELD_VIA, RTA_GATEWAY, .offset = RTA_VIA),
	FIELD("dev", FIELD_IFINDEX, RTA_OIF, .size = 4),
	FIELD("table", FIELD_TABLE, RTA_TABLE, .offset = offsetof(struct rtmsg, rtm_table),
	      .words = WORDS_TABLE),
	HEADER("proto", FIELD_INT, struct rtmsg, rtm_protocol, .words = WORDS_PROTO,
	       .flags = F_HEADER | F_DEFAULT0),
	HEADER("scope", FIELD_INT, struct rtmsg, rtm_scope, .words = WORDS_SCOPE,
	       .flags = F_HEADER),
	FIELD("src", FIELD_ADDRESS, RTA_PREFSRC, .flags = 0),
	FIELD("metric", FIELD_INT, RTA_PRIORITY, .size = 4),
	HEADER("dead", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_DEAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("onlink", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_ONLINK,
	       .flags = F_HEADER),
	HEADER("pervasive", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_PERVASIVE,
	       .flags = F_HEADER),
	HEADER("offload", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("trap", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("linkdown", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_LINKDOWN,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("unresolved", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTNH_F_UNRESOLVED,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("rt_offload", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("rt_trap", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("cloned", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_CLONED,
	       .flags = F_HEADER | NOT_SENT | F_SILENT),
	FIELD("mark", FIELD_HEX, RTA_MARK, .size = 4, .flags = NOT_SENT),
	FIELD("realm", FIELD_REALM, RTA_FLOW, .size = 4, .words = WORDS_REALM),
	FIELD("uid", FIELD_INT, RTA_UID, .size = 4, .flags = NOT_SENT),
	FIELD("expires", FIELD_INT, RTA_EXPIRES, .size = 4, .flags = F_VOLATILE, .unit = "sec"),
	MEMBER("expires", RTA_CACHEINFO, struct rta_cacheinfo, rta_expires, .mask = 100,
	       .unit = "sec", .flags = NOT_SENT | F_DEFAULT0), /* wire: 1/100 s */
	MEMBER("error", RTA_CACHEINFO, struct rta_cacheinfo, rta_error, .mask = 1,
	       .flags = NOT_SENT | F_DEFAULT0),
	FIELD("", FIELD_NEST, RTA_METRICS, .sub = SUB_metrics, .flags = F_FLATTEN | F_NESTED),
	FIELD("iif", FIELD_IFINDEX, RTA_IIF, .size = 4, .flags = NOT_SENT),
	FIELD("pref", FIELD_INT, RTA_PREF, .size = 1, .words = WORDS_PREF),
	FIELD("ttl_propagate", FIELD_BOOL, RTA_TTL_PROPAGATE, .size = 1, .show = "ttl-propagate"),
	FIELD("nexthops", FIELD_HOPS, RTA_MULTIPATH, .sub = SUB_hop, .show = "nexthop"),
	END,
};
const struct schema schema_route = {"route", sizeof(struct rtmsg), route_fields};

/* The request of `ip route get`, whose answer is a route. */
static const struct field flow_fields[] = {
	HEADER("family", FIELD_FAMILY, struct rtmsg, rtm_family, .flags = F_HEADER | F_SILENT),
	FIELD("dst", FIELD_PREFIX, RTA_DST, .offset = offsetof(struct rtmsg, rtm_dst_len),
	      .flags = F_POSITIONAL),
	FIELD("src", FIELD_PREFIX, RTA_SRC, .offset = offsetof(struct rtmsg, rtm_src_len),
	      .show = "from"),
	FIELD("iif", FIELD_IFINDEX, RTA_IIF, .size = 4),
	FIELD("dev", FIELD_IFINDEX, RTA_OIF, .size = 4, .show = "oif"),
	HEADER("tos", FIELD_HEX, struct rtmsg, rtm_tos, .words = WORDS_DSFIELD, .mask = 4,
	       .flags = F_HEADER | F_DEFAULT0),
	FIELD("mark", FIELD_HEX, RTA_MARK, .size = 4),
	FIELD("proto", FIELD_INT, RTA_IP_PROTO, .size = 1, .words = WORDS_IPPROTO,
	      .show = "ipproto"),
	FIELD("sport", FIELD_INT, RTA_SPORT, .size = 2, .flags = F_BE),
	FIELD("dport", FIELD_INT, RTA_DPORT, .size = 2, .flags = F_BE),
	FIELD("uid", FIELD_INT, RTA_UID, .size = 4),
	HEADER("fibmatch", FIELD_BIT, struct rtmsg, rtm_flags, .mask = RTM_F_FIB_MATCH,
	       .flags = F_HEADER),
	END,
};
const struct schema schema_flow = {"flow", sizeof(struct rtmsg), flow_fields};

/* --- next-hop objects ------------------------------------------------------------------------ */

static const struct field resilient_fields[] = {
	FIELD("buckets", FIELD_INT, NHA_RES_GROUP_BUCKETS, .size = 2),
	FIELD("idle_timer", FIELD_SCALED, NHA_RES_GROUP_IDLE_TIMER, .size = 4, .mask = 100), /* s */
	FIELD("unbalanced_timer", FIELD_SCALED, NHA_RES_GROUP_UNBALANCED_TIMER, .size = 4,
	      .mask = 100), /* s */
	FIELD("unbalanced_time", FIELD_SCALED, NHA_RES_GROUP_UNBALANCED_TIME, .size = 8,
	      .mask = 100, .flags = NOT_SENT),
	END,
};
const struct schema schema_resilient = {"resilient group", 0, resilient_fields};
static const struct field bucket_fields[] = {
	FIELD("index", FIELD_INT, NHA_RES_BUCKET_INDEX, .size = 2),
	FIELD("idle_time", FIELD_SCALED, NHA_RES_BUCKET_IDLE_TIME, .size = 8, .mask = 100,
	      .flags = NOT_SENT),
	FIELD("nhid", FIELD_INT, NHA_RES_BUCKET_NH_ID, .size = 4),
	END,
};
const struct schema schema_bucket_nest = {"bucket", 0, bucket_fields};

/* Packets by member of a group, from Linux 6.9; newer than some headers. */
enum {
	NEXTHOP_OP_FLAGS = 14,
	NEXTHOP_GROUP_STATS,
	NEXTHOP_HW_STATS_ENABLE,
	NEXTHOP_HW_STATS_USED,

	GROUP_STATS_ENTRY = 1, /* in NEXTHOP_GROUP_STATS */

	ENTRY_ID = 1, /* in an entry */
	ENTRY_PACKETS,
	ENTRY_PACKETS_HW,

	ASK_STATS = 1, /* in NEXTHOP_OP_FLAGS */
	ASK_HW_STATS = 2
};

static const struct field stats_entry_fields[] = {
	FIELD("id", FIELD_INT, ENTRY_ID, .size = 4, .flags = NOT_SENT),
	FIELD("packets", FIELD_INT, ENTRY_PACKETS, .size = 8, .flags = NOT_SENT),
	FIELD("packets_hw", FIELD_INT, ENTRY_PACKETS_HW, .size = 8, .flags = NOT_SENT),
	END,
};
const struct schema schema_stats_entry = {"group_stats", 0, stats_entry_fields};

static const struct field group_stats_fields[] = {
	FIELD("group_stats", FIELD_STRUCTS, GROUP_STATS_ENTRY, .sub = SUB_stats_entry,
	      .show = "stats", .flags = NOT_SENT),
	END,
};
const struct schema schema_group_stats = {"group_stats", 0, group_stats_fields};

static const struct field nexthop_fields[] = {
	HEADER("family", FIELD_FAMILY, struct nhmsg, nh_family,
	       .flags = F_HEADER | F_SILENT | F_DEFAULT0),
	FIELD("id", FIELD_INT, NHA_ID, .size = 4),
	FIELD("group", FIELD_GROUP, NHA_GROUP, .sub = SUB_member),
	FIELD("type", FIELD_INT, NHA_GROUP_TYPE, .size = 2, .words = WORDS_GROUP_TYPE,
	      .flags = F_DEFAULT0),
	FIELD("", FIELD_NEST, NHA_RES_GROUP, .sub = SUB_resilient, .flags = F_FLATTEN | F_NESTED),
	FIELD("encap", FIELD_ENCAP, NHA_ENCAP, .offset = NHA_ENCAP_TYPE, .variants = ENCAP_TYPES),
	FIELD("via", FIELD_VIA, NHA_GATEWAY, .offset = 0),
	FIELD("dev", FIELD_IFINDEX, NHA_OIF, .size = 4),
	HEADER("scope", FIELD_INT, struct nhmsg, nh_scope, .words = WORDS_SCOPE,
	       .flags = F_HEADER | NOT_SENT),
	FIELD("blackhole", FIELD_FLAG, NHA_BLACKHOLE, .flags = 0),
	HEADER("proto", FIELD_INT, struct nhmsg, nh_protocol, .words = WORDS_PROTO,
	       .flags = F_HEADER | F_DEFAULT0),
	HEADER("dead", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_DEAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("onlink", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_ONLINK,
	       .flags = F_HEADER),
	HEADER("pervasive", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_PERVASIVE,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("offload", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_OFFLOAD,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("trap", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_TRAP,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("linkdown", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_LINKDOWN,
	       .flags = F_HEADER | NOT_SENT),
	HEADER("unresolved", FIELD_BIT, struct nhmsg, nh_flags, .mask = RTNH_F_UNRESOLVED,
	       .flags = F_HEADER | NOT_SENT),
	FIELD("fdb", FIELD_FLAG, NHA_FDB, .flags = 0),
	FIELD("hw_stats", FIELD_BOOL, NEXTHOP_HW_STATS_ENABLE, .size = 4, .flags = F_VOLATILE),
	FIELD("hw_stats_used", FIELD_BOOL, NEXTHOP_HW_STATS_USED, .size = 4, .show = "used",
	      .flags = NOT_SENT),
	FIELD("", FIELD_NEST, NEXTHOP_GROUP_STATS, .sub = SUB_group_stats,
	      .flags = F_FLATTEN | F_NESTED | F_READONLY),
	FIELD("stats", FIELD_BIT, NEXTHOP_OP_FLAGS, .size = 4, .mask = ASK_STATS,
	      .flags = F_QUERY | F_SILENT | F_VOLATILE),
	FIELD("stats_hw", FIELD_BIT, NEXTHOP_OP_FLAGS, .size = 4, .mask = ASK_HW_STATS,
	      .flags = F_QUERY | F_SILENT | F_VOLATILE),
	END,
};
const struct schema schema_nexthop = {"nexthop", sizeof(struct nhmsg), nexthop_fields};

static const struct field bucket_message_fields[] = {
	HEADER("family", FIELD_FAMILY, struct nhmsg, nh_family,
	       .flags = F_HEADER | F_SILENT | F_DEFAULT0),
	FIELD("id", FIELD_INT, NHA_ID, .size = 4),
	FIELD("", FIELD_NEST, NHA_RES_BUCKET, .sub = SUB_bucket_nest,
	      .flags = F_FLATTEN | F_NESTED),
	END,
};
static const struct schema schema_bucket = {"bucket", sizeof(struct nhmsg), bucket_message_fields};

/* --- addresses ------------------------------------------------------------------------------- */

#define ADDR_FLAG(k, bit, fl)                                                                      \
	FIELD(k, FIELD_BIT, IFA_FLAGS, .size = 4, .mask = (bit), .flags = (fl))

static const struct field addr_fields[] = {
	HEADER("family", FIELD_FAMILY, struct ifaddrmsg, ifa_family, .flags = F_HEADER | F_SILENT),
	FIELD("address", FIELD_PREFIX, IFA_LOCAL,
	      .offset = offsetof(struct ifaddrmsg, ifa_prefixlen), .flags = F_POSITIONAL),
	FIELD("address", FIELD_PREFIX, IFA_ADDRESS,
	      .offset = offsetof(struct ifaddrmsg, ifa_prefixlen),
	      .flags = F_POSITIONAL | F_READONLY),
	FIELD("peer", FIELD_PREFIX, IFA_ADDRESS,
	      .offset = offsetof(struct ifaddrmsg, ifa_prefixlen), .flags = 0),
	FIELD("metric", FIELD_INT, IFA_RT_PRIORITY, .size = 4),
	FIELD("broadcast", FIELD_ADDRESS, IFA_BROADCAST, .show = "brd", .flags = F_SIGN),
	FIELD("anycast", FIELD_ADDRESS, IFA_ANYCAST, .show = "any"),
	HEADER("scope", FIELD_INT, struct ifaddrmsg, ifa_scope, .words = WORDS_SCOPE,
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
	FIELD("stable_privacy", FIELD_BIT, IFA_FLAGS, .size = 4, .mask = IFA_F_STABLE_PRIVACY,
	      .flags = NOT_SENT, .show = "stable-privacy"),
	HEADER("dev", FIELD_IFINDEX, struct ifaddrmsg, ifa_index, .flags = F_HEADER | F_DEFAULT0),
	FIELD("label", FIELD_STRING, IFA_LABEL, .size = IFNAMSIZ),
	MEMBER("valid_lft", IFA_CACHEINFO, struct ifa_cacheinfo, ifa_valid, .mask = 1,
	       .flags = F_VOLATILE),
	MEMBER("preferred_lft", IFA_CACHEINFO, struct ifa_cacheinfo, ifa_prefered, .mask = 1,
	       .flags = F_VOLATILE),
	END,
};
const struct schema schema_addr = {"address", sizeof(struct ifaddrmsg), addr_fields};

/* --- rules and neighbours -------------------------------------------------------------------- */

static const struct field rule_fields[] = {
	HEADER("family", FIELD_FAMILY, struct fib_rule_hdr, family, .flags = F_HEADER | F_SILENT),
	FIELD("priority", FIELD_INT, FRA_PRIORITY, .size = 4, .flags = F_ABSENT0),
	HEADER("invert", FIELD_BIT, struct fib_rule_hdr, flags, .mask = FIB_RULE_INVERT,
	       .flags = F_HEADER, .show = "not"),
	FIELD("from", FIELD_PREFIX, FRA_SRC, .offset = offsetof(struct fib_rule_hdr, src_len),
	      .flags = 0),
	FIELD("to", FIELD_PREFIX, FRA_DST, .offset = offsetof(struct fib_rule_hdr, dst_len),
	      .flags = F_DEFAULT0),
	HEADER("tos", FIELD_HEX, struct fib_rule_hdr, tos, .words = WORDS_DSFIELD, .mask = 4,
	       .flags = F_HEADER | F_DEFAULT0),
	FIELD("fwmark", FIELD_HEX, FRA_FWMARK, .size = 4, .flags = F_DEFAULT0),
	FIELD("fwmask", FIELD_HEX, FRA_FWMASK, .size = 4),
	FIELD("iif", FIELD_STRING, FRA_IIFNAME, .size = IFNAMSIZ),
	FIELD("oif", FIELD_STRING, FRA_OIFNAME, .size = IFNAMSIZ),
	FIELD("l3mdev", FIELD_BIT, FRA_L3MDEV, .size = 1, .mask = 1),
	FIELD("uidrange", FIELD_RANGE, FRA_UID_RANGE, .size = 4),
	FIELD("ipproto", FIELD_INT, FRA_IP_PROTO, .size = 1, .words = WORDS_IPPROTO),
	FIELD("sport", FIELD_RANGE, FRA_SPORT_RANGE, .size = 2),
	FIELD("dport", FIELD_RANGE, FRA_DPORT_RANGE, .size = 2),
	FIELD("tun_id", FIELD_INT, FRA_TUN_ID, .size = 8, .flags = F_BE),
	HEADER("action", FIELD_INT, struct fib_rule_hdr, action, .words = WORDS_ACTION,
	       .flags = F_HEADER | F_DEFAULT0),
	FIELD("table", FIELD_TABLE, FRA_TABLE, .offset = offsetof(struct fib_rule_hdr, table),
	      .words = WORDS_TABLE, .show = "lookup"),
	FIELD("goto", FIELD_INT, FRA_GOTO, .size = 4),
	FIELD("suppress_prefixlength", FIELD_SIGNED, FRA_SUPPRESS_PREFIXLEN, .size = 4,
	      .flags = F_NEGATIVE),
	FIELD("suppress_ifgroup", FIELD_SIGNED, FRA_SUPPRESS_IFGROUP, .size = 4,
	      .words = WORDS_GROUP, .flags = F_NEGATIVE),
	FIELD("realm", FIELD_REALM, FRA_FLOW, .size = 4, .words = WORDS_REALM, .flags = F_DEFAULT0,
	      .show = "realms"),
	FIELD("proto", FIELD_INT, FRA_PROTOCOL, .size = 1, .words = WORDS_PROTO,
	      .flags = F_DEFAULT0),
	END,
};
const struct schema schema_rule = {"rule", sizeof(struct fib_rule_hdr), rule_fields};

#define NEIGH_FLAG(k, bit, fl)                                                                     \
	HEADER(k, FIELD_BIT, struct ndmsg, ndm_flags, .mask = (bit), .flags = F_HEADER | (fl))

static const struct field neigh_fields[] = {
	HEADER("family", FIELD_FAMILY, struct ndmsg, ndm_family, .flags = F_HEADER | F_SILENT),
	FIELD("dst", FIELD_ADDRESS, NDA_DST, .flags = F_POSITIONAL),
	HEADER("dev", FIELD_IFINDEX, struct ndmsg, ndm_ifindex, .flags = F_HEADER | F_DEFAULT0),
	FIELD("lladdr", FIELD_LLADDR, NDA_LLADDR, .flags = 0),
	NEIGH_FLAG("router", NTF_ROUTER, 0),
	NEIGH_FLAG("proxy", NTF_PROXY, 0),
	NEIGH_FLAG("extern_learn", NTF_EXT_LEARNED, 0),
	NEIGH_FLAG("use", NTF_USE, 0),
	FIELD("managed", FIELD_BIT, NDA_FLAGS_EXT, .size = 4, .mask = NTF_EXT_MANAGED),
	HEADER("state", FIELD_INT, struct ndmsg, ndm_state, .words = WORDS_NUD,
	       .flags = F_HEADER | F_POSITIONAL | F_DEFAULT0, .show = "nud"),
	FIELD("probes", FIELD_INT, NDA_PROBES, .size = 4, .flags = NOT_SENT | F_SILENT),
	FIELD("proto", FIELD_INT, NDA_PROTOCOL, .size = 1, .words = WORDS_PROTO,
	      .flags = F_DEFAULT0),
	END,
};
const struct schema schema_neigh = {"neighbour", sizeof(struct ndmsg), neigh_fields};

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
