/*
 * Finds the fields of keywords of ip(8) that are not the fields' own.
 */
#define _GNU_SOURCE
#include "rtnl/text/lexer.h"

#include <stddef.h>
#include <string.h>

#include "common/export.h"

/*
 * Keywords of ip(8) by object. `least` is the shortest abbreviation that ip(8) accepts (iproute2
 * 6.1), 0 for none; an abbreviation of two keywords means the first.
 */
struct alias {
	const char *word, *field;
	size_t least;
};

static const struct alias of_route[] = {
	{"protocol", "proto", 3},
	{"preference", "metric", 0},
	{"priority", "metric", 1},
	{"metric", "metric", 1},
	{"oif", "dev", 0},
	{"dsfield", "tos", 1},
	{"realms", "realm", 3},
	{"table", "table", 1},
	{"pref", "pref", 3},
	{"reordering", "reordering", 1},
	{"rttvar", "rttvar", 2},
	{"window", "window", 1},
	{"cwnd", "cwnd", 1},
	{"initcwnd", "initcwnd", 1},
	{"initrwnd", "initrwnd", 5},
	{"features", "features", 1},
	{"quickack", "quickack", 1},
	{"congctl", "congctl", 2},
	{"ssthresh", "ssthresh", 1},
	{"fastopen_no_cookie", "fastopen_no_cookie", 2},
	{NULL, NULL, 0},
};
static const struct alias of_next_hop[] = {
	{"oif", "dev", 0},
	{"realms", "realm", 1},
	{NULL, NULL, 0},
};
static const struct alias of_flow[] = {
	{"to", "dst", 0},  {"dev", "dev", 0},  {"dsfield", "tos", 0}, {"oif", "dev", 0},
	{"vrf", "dev", 0}, {"from", "src", 0}, {NULL, NULL, 0},
};
static const struct alias of_nexthop[] = {
	{"protocol", "proto", 1},
	{"oif", "dev", 0},
	{NULL, NULL, 0},
};
static const struct alias of_link[] = {
	{"arp", "noarp", 0},	       {"txqlen", "txqueuelen", 0}, {"qlen", "txqueuelen", 0},
	{"ifname", "name", 0},	       {"brd", "broadcast", 0},	    {"addr", "address", 0},
	{"trailers", "notrailers", 0}, {"vrf", "master", 0},	    {NULL, NULL, 0},
};
static const struct alias of_address[] = {
	{"local", "address", 0},
	{"broadcast", "broadcast", 1},
	{"brd", "broadcast", 1},
	{"remote", "peer", 0},
	{"anycast", "anycast", 0},
	{"metric", "metric", 1},
	{"priority", "metric", 1},
	{"preference", "metric", 1},
	{"preferred_lft", "preferred_lft", 7},
	{NULL, NULL, 0},
};
static const struct alias of_rule[] = {
	{"table", "table", 2},
	{"pref", "priority", 1},
	{"preference", "priority", 1},
	{"priority", "priority", 1},
	{"order", "priority", 1},
	{"dsfield", "tos", 1},
	{"dev", "iif", 0},
	{"type", "action", 0},
	{"realms", "realm", 1},
	{"realm", "realm", 0},
	{"sup_group", "suppress_ifgroup", 0},
	{"sup_pl", "suppress_prefixlength", 0},
	{"suppress_prefixlength", "suppress_prefixlength", 1},
	{"suppress_ifgroup", "suppress_ifgroup", 10},
	{"protocol", "proto", 3},
	{"goto", "goto", 1},
	{"tun_id", "tun_id", 1},
	{NULL, NULL, 0},
};
static const struct alias of_neighbour[] = {
	{"to", "dst", 0},      {"state", "state", 0},	 {"lladdr", "lladdr", 1},
	{"proxy", "proxy", 1}, {"protocol", "proto", 4}, {NULL, NULL, 0},
};
static const struct alias of_bridge_port[] = {
	{"mcast_fast_leave", "fastleave", 0},
	{NULL, NULL, 0},
};
static const struct alias of_vxlan[] = {
	{"dsfield", "tos", 0},	   {"hoplimit", "ttl", 0},
	{"label", "flowlabel", 0}, {"maxaddress", "maxaddress", 0},
	{"group", "remote", 0},	   {"port", "srcport", 0},
	{"vni", "id", 0},	   {NULL, NULL, 0},
};
static const struct alias of_ioam6_encap[] = {
	{"trace", "trace", 0},
	{NULL, NULL, 0},
};

static const struct {
	const char *object;
	const struct alias *list;
} aliases[] = {
	{"route", of_route},
	{"next hop", of_next_hop},
	{"flow", of_flow},
	{"nexthop", of_nexthop},
	{"link", of_link},
	{"address", of_address},
	{"rule", of_rule},
	{"neighbour", of_neighbour},
	{"bridge port", of_bridge_port},
	{"vxlan", of_vxlan},
	{"ioam6 encap", of_ioam6_encap},
};

/* Whether a field has the word as its keyword, so that it is no abbreviation. */
static bool is_keyword(const struct field *f, const char *word)
{
	for (; f->type != FIELD_NONE; f++) {
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN) &&
		    is_keyword(sub_schema(f)->fields, word))
			return true;
		if (*f->key && same_text(*f->show ? f->show : f->key, word))
			return true;
	}
	return false;
}

const char *keyword_alias(const struct schema *schema, const char *word)
{
	const struct alias *list = NULL;
	size_t length = strlen(word);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]) && !list; i++)
		if (same_text(aliases[i].object, schema->name))
			list = aliases[i].list;
	const struct alias *begun = NULL;
	for (const struct alias *x = list; x && x->word; x++) {
		if (same_text(x->word, word))
			return x->field;
		if (!begun && x->least && length >= x->least && strncmp(x->word, word, length) == 0)
			begun = x;
	}
	return begun && !is_keyword(schema->fields, word) ? begun->field : NULL;
}
