/*
 * Whether the kernel can list a route again. One whose next hops do not fit a message of a dump
 * ends the dump without a word, and with it all routes behind are lost to sight.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <errno.h>
#include <linux/lwtunnel.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	DUMP_BYTES = 32448, /* what the kernel leaves for messages of a buffer of 32 KiB */
	SURE_BYTES = 8192,  /* a request shorter than this fits whatever is in it */
	CACHE_INFO = NLA_HDRLEN + 32,
	SMALL = NLA_HDRLEN + 4, /* an attribute of one to four bytes */
};

/*
 * Of IP tunnels all fields are listed, whichever were given; options as they are. Some processors
 * want the number, which has eight bytes, at a multiple of eight: an empty attribute is before it.
 */
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

/* What one hop takes in a dump. */
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

/* What the rest of the route takes in a dump. */
static size_t bytes_beside(const struct span *s)
{
	bool six = s->family == AF_INET6;
	size_t bytes = NLMSG_HDRLEN + sizeof(struct rtmsg) + SMALL + NLA_HDRLEN;
	const struct nlattr *a;
	if (six) /* the metric, the preference, and for how long it has been there */
		bytes += 2 * SMALL + CACHE_INFO;
	for (size_t at = sizeof(struct rtmsg); (a = attr_at(s->data, s->length, at));
	     at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = attr_type(a);
		bool told = type == RTA_DST || type == RTA_METRICS || type == RTA_PREFSRC ||
			    (type == RTA_SRC && six) || (type == RTA_PRIORITY && !six);
		if (told)
			bytes += NLA_ALIGN(a->nla_len);
	}
	return bytes;
}

/* How many of the next hops of a route the kernel can list; `hops` grows by how many there are. */
static int hops_within_limit(const struct span *s, int *hops)
{
	const struct nlattr *list = find_attr(s, RTA_MULTIPATH);
	int fitting = 0;
	if (!list)
		return 0;
	const uint8_t *data = (const uint8_t *)list + NLA_HDRLEN;
	size_t length = list->nla_len - NLA_HDRLEN, bytes = bytes_beside(s);
	for (size_t at = 0; at + sizeof(struct rtnexthop) <= length;) {
		uint16_t n;
		memcpy(&n, data + at, sizeof(n));
		if (n < sizeof(struct rtnexthop) || n > length - at)
			break;
		bytes += hop_bytes(data + at, n);
		fitting += bytes <= DUMP_BYTES;
		++*hops;
		at += NLA_ALIGN(n);
	}
	return fitting;
}

static struct span sent_of(const struct encoder *e)
{
	const uint8_t *data = e->out->base + e->start;
	size_t length = e->out->length - e->start;
	return (struct span){&schema_route, data, length, span_family(data, length), NULL};
}

/* Refuses a route that could not be listed. */
void check_dump_limit(struct encoder *e, const struct schema *schema)
{
	int hops = e->dropped;
	if (schema != &schema_route || e->verb != VERB_ADD ||
	    e->out->length - e->start < SURE_BYTES)
		return;
	struct span s = sent_of(e);
	if (hops_within_limit(&s, &hops) == hops)
		return;
	e->refused = EMSGSIZE;
	e->missing = "room";
}

/* Why, and takes the hops out of the message, which need not all be told. [] -> [text] */
const char *push_over_limit(struct encoder *e)
{
	int hops = e->dropped;
	struct span s = sent_of(e);
	int most = hops_within_limit(&s, &hops);
	size_t at = (size_t)((const uint8_t *)find_attr(&s, RTA_MULTIPATH) - e->out->base);
	e->out->length = at + NLA_HDRLEN;
	close_attr(e, at, "nexthops");
	return lua_pushfstring(e->L,
			       "nexthops: %d are too many; beyond %d of these the kernel's dumps "
			       "silently end",
			       hops, most);
}

/* Of how many hops a route has become that no dump can list; 0 where one can. */
int hops_over_limit(const uint8_t *data, size_t length)
{
	struct span s = {&schema_route, data, length, span_family(data, length), NULL};
	int hops = 0;
	if (NLMSG_HDRLEN + length > DUMP_BYTES)
		hops_within_limit(&s, &hops);
	return hops;
}
