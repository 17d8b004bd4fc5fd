/*
 * Keywords of ip(8) beside those of the fields.
 */
#define _GNU_SOURCE
#include "rtnl/text/lexer.h"

#include <stddef.h>

#include "common/export.h"

/* Spellings of ip(8) beside the words of the rows, object by object; routes come first, as most are
 * of these. */
struct spelling {
	const char *word, *row;
};

static const struct spelling of_route[] = {
	{"protocol", "proto"}, {"preference", "metric"}, {"priority", "metric"}, {"oif", "dev"},
	{"dsfield", "tos"},    {"realms", "realm"},	 {NULL, NULL},
};
static const struct spelling of_next_hop[] = {
	{"oif", "dev"},
	{"realms", "realm"},
	{NULL, NULL},
};
static const struct spelling of_flow[] = {
	{"to", "dst"},	{"dev", "dev"},	 {"dsfield", "tos"},
	{"oif", "dev"}, {"from", "src"}, {NULL, NULL},
};
static const struct spelling of_nexthop[] = {
	{"protocol", "proto"},
	{"oif", "dev"},
	{NULL, NULL},
};
static const struct spelling of_link[] = {
	{"arp", "noarp"},	    {"txqlen", "txqueuelen"}, {"qlen", "txqueuelen"},
	{"ifname", "name"},	    {"brd", "broadcast"},     {"addr", "address"},
	{"trailers", "notrailers"}, {"vrf", "master"},	      {NULL, NULL},
};
static const struct spelling of_address[] = {
	{"local", "address"},	{"broadcast", "broadcast"},
	{"brd", "broadcast"},	{"remote", "peer"},
	{"anycast", "anycast"}, {"preference", "metric"},
	{"priority", "metric"}, {NULL, NULL},
};
static const struct spelling of_rule[] = {
	{"table", "table"},
	{"pref", "priority"},
	{"preference", "priority"},
	{"order", "priority"},
	{"dsfield", "tos"},
	{"dev", "iif"},
	{"type", "action"},
	{"realm", "realm"},
	{"sup_group", "suppress_ifgroup"},
	{"sup_pl", "suppress_prefixlength"},
	{"suppress_prefix", "suppress_prefixlength"},
	{"protocol", "proto"},
	{NULL, NULL},
};
static const struct spelling of_neighbour[] = {
	{"to", "dst"},
	{"state", "state"},
	{"protocol", "proto"},
	{NULL, NULL},
};
static const struct spelling of_bridge_port[] = {
	{"mcast_fast_leave", "fastleave"},
	{NULL, NULL},
};
static const struct spelling of_vxlan[] = {
	{"dsfield", "tos"},	{"hoplimit", "ttl"},
	{"label", "flowlabel"}, {"maxaddress", "maxaddress"},
	{"group", "remote"},	{"port", "srcport"},
	{"vni", "id"},		{NULL, NULL},
};
static const struct spelling of_ioam6_encap[] = {
	{"trace", "trace"},
	{NULL, NULL},
};

static const struct {
	const char *object;
	const struct spelling *list;
} spellings[] = {
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

const char *spelled(const struct schema *schema, const char *word)
{
	const struct spelling *x = NULL;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]) && !x; i++)
		if (same_text(spellings[i].object, schema->name))
			x = spellings[i].list;
	for (; x && x->word; x++)
		if (same_text(x->word, word))
			return x->row;
	return NULL;
}
