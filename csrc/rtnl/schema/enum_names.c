/*
 * The words that stand for numbers, as iproute2 has them, and the look-up of words and variants. Of
 * two words for one number the first is the one that is printed.
 */
#include "rtnl/schema/field.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ioam6_iptunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	WORDS_MOST = 22 /* of a list, with the empty one that ends it */
};

/* Lists that are not here, such as WORDS_REALM, have the names of /etc/iproute2 alone. */
static const struct word word_lists[WORDS_LISTS][WORDS_MOST] = {
	[WORDS_FAMILY] = {{"4", AF_INET}, {"inet", AF_INET}, {"6", AF_INET6}, {"inet6", AF_INET6}},
	[WORDS_TABLE] = {{"main", RT_TABLE_MAIN},
			 {"local", RT_TABLE_LOCAL},
			 {"default", RT_TABLE_DEFAULT}},
	[WORDS_PROTO] = {{"redirect", RTPROT_REDIRECT}, {"kernel", RTPROT_KERNEL},
			 {"boot", RTPROT_BOOT},		{"static", RTPROT_STATIC},
			 {"gated", RTPROT_GATED},	{"ra", RTPROT_RA},
			 {"mrt", RTPROT_MRT},		{"zebra", RTPROT_ZEBRA},
			 {"bird", RTPROT_BIRD},		{"dnrouted", RTPROT_DNROUTED},
			 {"xorp", RTPROT_XORP},		{"ntk", RTPROT_NTK},
			 {"dhcp", RTPROT_DHCP},		{"keepalived", RTPROT_KEEPALIVED},
			 {"babel", RTPROT_BABEL},	{"openr", RTPROT_OPENR},
			 {"bgp", RTPROT_BGP},		{"isis", RTPROT_ISIS},
			 {"ospf", RTPROT_OSPF},		{"rip", RTPROT_RIP},
			 {"eigrp", RTPROT_EIGRP}},
	[WORDS_SCOPE] = {{"global", RT_SCOPE_UNIVERSE},
			 {"site", RT_SCOPE_SITE},
			 {"link", RT_SCOPE_LINK},
			 {"host", RT_SCOPE_HOST},
			 {"nowhere", RT_SCOPE_NOWHERE},
			 {"universe", RT_SCOPE_UNIVERSE}},
	[WORDS_TYPE] = {{"unicast", RTN_UNICAST},
			{"local", RTN_LOCAL},
			{"broadcast", RTN_BROADCAST},
			{"anycast", RTN_ANYCAST},
			{"multicast", RTN_MULTICAST},
			{"blackhole", RTN_BLACKHOLE},
			{"unreachable", RTN_UNREACHABLE},
			{"prohibit", RTN_PROHIBIT},
			{"throw", RTN_THROW},
			{"nat", RTN_NAT}},
	[WORDS_PREF] = {{"medium", 0}, {"high", 1}, {"low", 3}},
	[WORDS_TUNNEL_TOS] = {{"inherit", 1}},
	[WORDS_GROUP] = {{"default", 0}},
	[WORDS_IPPROTO] = {{"icmp", 1},
			   {"igmp", 2},
			   {"tcp", 6},
			   {"udp", 17},
			   {"dccp", 33},
			   {"gre", 47},
			   {"esp", 50},
			   {"ah", 51},
			   {"ipv6-icmp", 58},
			   {"icmpv6", 58},
			   {"ospf", 89},
			   {"vrrp", 112},
			   {"sctp", 132},
			   {"udplite", 136}},
	[WORDS_LOCKS] = {{"mtu", 1 << RTAX_MTU},
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
			 {"congctl", 1 << RTAX_CC_ALGO}},
	[WORDS_FEATURES] = {{"ecn", RTAX_FEATURE_ECN}},
	[WORDS_GROUP_TYPE] = {{"mpath", 0}, {"resilient", 1}},
	[WORDS_ACTION] = {{"lookup", FR_ACT_TO_TBL},
			  {"unicast", FR_ACT_TO_TBL},
			  {"goto", FR_ACT_GOTO},
			  {"nop", FR_ACT_NOP},
			  {"blackhole", FR_ACT_BLACKHOLE},
			  {"unreachable", FR_ACT_UNREACHABLE},
			  {"prohibit", FR_ACT_PROHIBIT},
			  {"masquerade", RTN_NAT}},
	[WORDS_NUD] = {{"INCOMPLETE", NUD_INCOMPLETE},
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
		       {"none", NUD_NONE}},
	[WORDS_OPERSTATE] = {{"UNKNOWN", 0},
			     {"NOTPRESENT", 1},
			     {"DOWN", 2},
			     {"LOWERLAYERDOWN", 3},
			     {"TESTING", 4},
			     {"DORMANT", 5},
			     {"UP", 6}},
	[WORDS_VLAN_PROTOCOL] = {{"802.1Q", 0x8100}, {"802.1ad", 0x88a8}},
	[WORDS_MACVLAN_MODE] = {{"private", MACVLAN_MODE_PRIVATE},
				{"vepa", MACVLAN_MODE_VEPA},
				{"bridge", MACVLAN_MODE_BRIDGE},
				{"passthru", MACVLAN_MODE_PASSTHRU},
				{"source", MACVLAN_MODE_SOURCE}},
	[WORDS_IPVLAN_MODE] = {{"l2", IPVLAN_MODE_L2},
			       {"l3", IPVLAN_MODE_L3},
			       {"l3s", IPVLAN_MODE_L3S}},
	[WORDS_IPVLAN_FLAGS] = {{"bridge", 0}, {"private", 1}, {"vepa", 2}},
	[WORDS_TTL] = {{"auto", 0}},
	[WORDS_DF] = {{"unset", 0}, {"set", 1}, {"inherit", 2}},
	[WORDS_AGEING] = {{"none", 0}},
	[WORDS_LIMIT] = {{"unlimited", 0}},
	[WORDS_PORT_STATE] = {{"disabled", 0},
			      {"listening", 1},
			      {"learning", 2},
			      {"forwarding", 3},
			      {"blocking", 4}},
	[WORDS_FWD_MASK] = {{"stp", 1},
			    {"0x2", 2},
			    {"lacp", 4},
			    {"0x8", 8},
			    {"0x10", 0x10},
			    {"0x20", 0x20},
			    {"0x40", 0x40},
			    {"0x80", 0x80},
			    {"0x100", 0x100},
			    {"0x200", 0x200},
			    {"0x400", 0x400},
			    {"0x800", 0x800},
			    {"0x1000", 0x1000},
			    {"0x2000", 0x2000},
			    {"lldp", 0x4000},
			    {"0x8000", 0x8000}},
	[WORDS_FLAGS] =
		{/* in the order of ip(8) */
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
		 {"RUNNING", IFF_RUNNING}},
	[WORDS_LINK_TYPE] = {{"ether", ARPHRD_ETHER},
			     {"loopback", ARPHRD_LOOPBACK},
			     {"ipip", ARPHRD_TUNNEL},
			     {"tunnel6", ARPHRD_TUNNEL6},
			     {"sit", ARPHRD_SIT},
			     {"gre", ARPHRD_IPGRE},
			     {"gre6", 823},
			     {"infiniband", ARPHRD_INFINIBAND},
			     {"ppp", ARPHRD_PPP},
			     {"none", ARPHRD_NONE}},
	[WORDS_LINKMODE] = {{"DEFAULT", 0}, {"DORMANT", 1}, {"default", 0}, {"dormant", 1}},
	[WORDS_ADDRGENMODE] = {{"eui64", IN6_ADDR_GEN_MODE_EUI64},
			       {"none", IN6_ADDR_GEN_MODE_NONE},
			       {"stable_secret", IN6_ADDR_GEN_MODE_STABLE_PRIVACY},
			       {"random", IN6_ADDR_GEN_MODE_RANDOM}},
	[WORDS_SEG6_MODE] = {{"inline", SEG6_IPTUN_MODE_INLINE},
			     {"encap", SEG6_IPTUN_MODE_ENCAP},
			     {"l2encap", SEG6_IPTUN_MODE_L2ENCAP},
			     {"encap.red", 3},
			     {"l2encap.red", 4}},
	[WORDS_SEG6_ACTION] = {{"End", SEG6_LOCAL_ACTION_END},
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
			       {"End.DT46", SEG6_LOCAL_ACTION_END_DT46}},
	[WORDS_FLAVORS] = {{"psp", 1 << SEG6_LOCAL_FLV_OP_PSP},
			   {"usp", 1 << SEG6_LOCAL_FLV_OP_USP},
			   {"usd", 1 << SEG6_LOCAL_FLV_OP_USD},
			   {"next-csid", 1 << SEG6_LOCAL_FLV_OP_NEXT_CSID}},
	[WORDS_IOAM6_MODE] = {{"inline", IOAM6_IPTUNNEL_MODE_INLINE},
			      {"encap", IOAM6_IPTUNNEL_MODE_ENCAP},
			      {"auto", IOAM6_IPTUNNEL_MODE_AUTO}},
};

const struct word *words_of(enum word_list list)
{
	return word_lists[list];
}

const char *word_by_value(enum word_list list, uint32_t value)
{
	for (const struct word *w = words_of(list); *w->name; w++)
		if (w->value == value)
			return w->name;
	return NULL;
}

const struct word *word_by_name(enum word_list list, const char *name)
{
	for (const struct word *w = words_of(list); *w->name; w++)
		if (same_text(w->name, name))
			return w;
	return NULL;
}

#define SUB_POINTER(name) &schema_##name,
const struct schema *const sub_schemas[] = {NULL, SUB_SCHEMAS(SUB_POINTER)};

const struct variant *variants_of(const struct field *f)
{
	static const struct variant none = {NULL, 0, NULL};
	static const struct variant *const lists[] = {[VARIANTS_NONE] = &none,
						      [ENCAP_TYPES] = encap_types,
						      [LINK_TYPES] = link_types,
						      [PORT_TYPES] = port_types};
	return lists[f->variants];
}

const struct variant *variant_by_name(const struct field *f, const char *name)
{
	for (const struct variant *v = variants_of(f); v->name; v++)
		if (same_text(v->name, name))
			return v;
	return NULL;
}

const struct variant *variant_by_number(const struct field *f, uint16_t number)
{
	for (const struct variant *v = variants_of(f); v->name; v++)
		if (v->number == number)
			return v;
	return NULL;
}
