/*
 * Rejects multipath routes too large for one dump message. The kernel ends a dump at such a route
 * without an error, so that all routes behind it are missing from every list.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <errno.h>
#include <linux/lwtunnel.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	DUMP_BYTES = 32448, /* what the kernel has for messages in a buffer of 32 KiB */
	SURE_BYTES = 8192,  /* a shorter request always fits a dump message */
	CACHE_INFO = NLA_HDRLEN + 32,
	SMALL = NLA_HDRLEN + 4, /* an attribute of one to four bytes */
};

/* A dump lists all fields of an IP tunnel, whichever were given; options as they are. Some
 * architectures need 64-bit values aligned: an empty attribute is put before them. */
static size_t tunnel_bytes(const struct nlattr *encap, size_t address)
{
	const uint8_t *data = (const uint8_t *)encap + NLA_HDRLEN;
	size_t length = encap->nla_len - NLA_HDRLEN;
	size_t number = NLA_HDRLEN + NLA_HDRLEN + 8;
	size_t bytes = NLA_HDRLEN + number + 2 * (NLA_HDRLEN + address) + (size_t)3 * SMALL;
	const struct nlattr *a;
	for (size_t at = 0; (a = attr_at(data, length, at)); at += NLA_ALIGN(a->nla_len))
		if (attr_type(a) > LWTUNNEL_IP_PAD)
			bytes += NLA_ALIGN(a->nla_len);
	return bytes;
}

/* The bytes of one next hop in a dump. */
static size_t hop_bytes(const uint8_t *hop, size_t length)
{
	size_t bytes = sizeof(struct rtnexthop);
	const struct nlattr *a, *encap = NULL;
	uint16_t type = 0;
	for (size_t at = bytes; (a = attr_at(hop, length, at)); at += NLA_ALIGN(a->nla_len)) {
		if (attr_type(a) == RTA_ENCAP)
			encap = a;
		else
			bytes += NLA_ALIGN(a->nla_len);
		if (a->nla_type == RTA_ENCAP_TYPE)
			memcpy(&type, (const uint8_t *)a + NLA_HDRLEN, sizeof(type));
	}
	if (!encap)
		return bytes;
	if (type == LWTUNNEL_ENCAP_IP || type == LWTUNNEL_ENCAP_IP6)
		return bytes + tunnel_bytes(encap, type == LWTUNNEL_ENCAP_IP ? 4 : 16);
	return bytes + NLA_ALIGN(encap->nla_len);
}

/* The bytes of the route without its next hops in a dump. */
static size_t bytes_without_hops(const struct span *s)
{
	bool six = s->family == AF_INET6;
	size_t bytes = NLMSG_HDRLEN + sizeof(struct rtmsg) + SMALL + NLA_HDRLEN;
	const struct nlattr *a;
	if (six) /* RTA_PRIORITY, RTA_PREF and RTA_CACHEINFO */
		bytes += 2 * SMALL + CACHE_INFO;
	for (size_t at = sizeof(struct rtmsg); (a = attr_at(s->data, s->length, at));
	     at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = attr_type(a);
		bool listed = type == RTA_DST || type == RTA_METRICS || type == RTA_PREFSRC ||
			      (type == RTA_SRC && six) || (type == RTA_PRIORITY && !six);
		if (listed)
			bytes += NLA_ALIGN(a->nla_len);
	}
	return bytes;
}

/* How many next hops of a route fit a dump message; adds to `hops` how many there are. */
static int hops_within_limit(const struct span *s, int *hops)
{
	static const struct field list = {.attr = RTA_MULTIPATH};
	struct hop_cursor cursor = hops_of(s, &list);
	struct span hop;
	size_t bytes = bytes_without_hops(s);
	int fitting = 0;
	for (; next_hop(&cursor, &hop); ++*hops) {
		bytes += hop_bytes(hop.data, hop.length);
		fitting += bytes <= DUMP_BYTES;
	}
	return fitting;
}

static struct span route_span(const uint8_t *data, size_t length)
{
	return (struct span){&schema_route, data, length, span_family(data, length), NULL};
}

static struct span request_span(const struct encoder *e)
{
	return route_span(e->out->base + e->start, e->out->length - e->start);
}

/* Rejects a route that no dump could list. */
void check_dump_limit(struct encoder *e, const struct schema *schema)
{
	int hops = e->dropped;
	if (schema != &schema_route || e->verb != VERB_ADD ||
	    e->out->length - e->start < SURE_BYTES)
		return;
	struct span s = request_span(e);
	if (hops_within_limit(&s, &hops) == hops)
		return;
	e->missing_errno = EMSGSIZE;
	e->missing = "room";
}

/* The error text; removes the next hops from the message, which the error quotes. [] -> [text] */
const char *push_over_limit(struct encoder *e)
{
	int hops = e->dropped;
	struct span s = request_span(e);
	int most = hops_within_limit(&s, &hops);
	size_t at = (size_t)((const uint8_t *)find_attr(&s, RTA_MULTIPATH) - e->out->base);
	e->out->length = at + NLA_HDRLEN;
	close_attr(e, at, "nexthops");
	return lua_pushfstring(e->L,
			       "nexthops: %d are too many; beyond %d of these the kernel's dumps "
			       "silently end",
			       hops, most);
}

/* The number of next hops of a route that no dump can list; 0 where one can. */
int hops_over_limit(const uint8_t *data, size_t length)
{
	struct span s = route_span(data, length);
	int hops = 0;
	if (NLMSG_HDRLEN + length > DUMP_BYTES)
		hops_within_limit(&s, &hops);
	return hops;
}
