/*
 * Numbers and their words, as iproute2 says them. Lists end with a NULL name; the first word of a
 * number is the one that is read back.
 */
#include "rtnl/schema/field.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "common/export.h"

const struct word words_table[] = {
	{"main", RT_TABLE_MAIN},
	{"local", RT_TABLE_LOCAL},
	{"default", RT_TABLE_DEFAULT},
	{NULL, 0},
};

const struct word words_proto[] = {
	{"redirect", RTPROT_REDIRECT}, {"kernel", RTPROT_KERNEL},
	{"boot", RTPROT_BOOT},	       {"static", RTPROT_STATIC},
	{"gated", RTPROT_GATED},       {"ra", RTPROT_RA},
	{"mrt", RTPROT_MRT},	       {"zebra", RTPROT_ZEBRA},
	{"bird", RTPROT_BIRD},	       {"dnrouted", RTPROT_DNROUTED},
	{"xorp", RTPROT_XORP},	       {"ntk", RTPROT_NTK},
	{"dhcp", RTPROT_DHCP},	       {"keepalived", RTPROT_KEEPALIVED},
	{"babel", RTPROT_BABEL},       {"openr", RTPROT_OPENR},
	{"bgp", RTPROT_BGP},	       {"isis", RTPROT_ISIS},
	{"ospf", RTPROT_OSPF},	       {"rip", RTPROT_RIP},
	{"eigrp", RTPROT_EIGRP},       {NULL, 0},
};

const struct word words_scope[] = {
	{"global", RT_SCOPE_UNIVERSE},
	{"site", RT_SCOPE_SITE},
	{"link", RT_SCOPE_LINK},
	{"host", RT_SCOPE_HOST},
	{"nowhere", RT_SCOPE_NOWHERE},
	{"universe", RT_SCOPE_UNIVERSE},
	{NULL, 0},
};

const struct word words_type[] = {
	{"unicast", RTN_UNICAST},
	{"local", RTN_LOCAL},
	{"broadcast", RTN_BROADCAST},
	{"anycast", RTN_ANYCAST},
	{"multicast", RTN_MULTICAST},
	{"blackhole", RTN_BLACKHOLE},
	{"unreachable", RTN_UNREACHABLE},
	{"prohibit", RTN_PROHIBIT},
	{"throw", RTN_THROW},
	{"nat", RTN_NAT},
	{NULL, 0},
};

const struct word words_pref[] = {
	{"medium", 0},
	{"high", 1},
	{"low", 3},
	{NULL, 0},
};

/* These have no names but the site's. */
const struct word words_dsfield[] = {{NULL, 0}};
const struct word words_realm[] = {{NULL, 0}};

const struct word words_tunnel_tos[] = {{"inherit", 1}, {NULL, 0}};

const struct word words_group[] = {{"default", 0}, {NULL, 0}};

const struct word words_ipproto[] = {
	{"icmp", 1},  {"igmp", 2},   {"tcp", 6},    {"udp", 17},       {"dccp", 33},
	{"gre", 47},  {"esp", 50},   {"ah", 51},    {"ipv6-icmp", 58}, {"icmpv6", 58},
	{"ospf", 89}, {"vrrp", 112}, {"sctp", 132}, {"udplite", 136},  {NULL, 0},
};

const char *word_by_value(const struct word *list, uint32_t value)
{
	for (; list->name; list++)
		if (list->value == value)
			return list->name;
	return NULL;
}

const struct word *word_by_name(const struct word *list, const char *name)
{
	for (; list->name; list++)
		if (same_text(list->name, name))
			return list;
	return NULL;
}

const struct variant *variant_by_name(const struct variant *list, const char *name)
{
	for (; list->name; list++)
		if (same_text(list->name, name))
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
