/*
 * The gateways of a window's next hops: by which devices they are reached, and which of them its
 * own changes may move.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/share.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- gateways that the window itself moves --------------------------------------------------- */

struct gateway {
	uint8_t family, bytes[16];
	uint32_t hop;
};

enum {
	COMPARED = offsetof(struct gateway, hop)
};

/* The gateways of a window, in order once somebody looks for one, and how many changes cover each:
 * as differences, +1 at the first covered one and -1 behind the last. */
struct cover {
	struct buffer *gateways, *marks;
	size_t count;
	struct gateway lowest, highest;
	bool sorted;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, COMPARED);
}

static struct gateway *gateway_at(const struct cover *c, size_t i)
{
	return (struct gateway *)(void *)c->gateways->base + i;
}

static void list_gateways(lua_State *L, const struct sharing *x, struct cover *c)
{
	c->count = x->hops.count;
	buffer_reserve(L, c->gateways, c->count * sizeof(struct gateway));
	for (size_t i = 0; i < c->count; i++) {
		const struct way *way = way_of(x, hop_at(x, (uint32_t)i + 1));
		struct gateway *g = gateway_at(c, i);
		g->family = way->family;
		memcpy(g->bytes, way->gateway, sizeof(g->bytes));
		g->hop = (uint32_t)i + 1;
		if (i == 0 || compare(g, &c->lowest) < 0)
			c->lowest = *g;
		if (i == 0 || compare(g, &c->highest) > 0)
			c->highest = *g;
	}
}

static void sort(lua_State *L, struct cover *c)
{
	if (c->sorted)
		return;
	qsort(c->gateways->base, c->count, sizeof(struct gateway), compare);
	buffer_reserve(L, c->marks, (c->count + 1) * sizeof(int32_t));
	c->sorted = true;
}

/* The first of the sorted gateways that is not below `g`. */
static size_t not_below(const struct cover *c, const struct gateway *g)
{
	size_t low = 0, high = c->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare(gateway_at(c, middle), g) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* All bits behind the first `length` become one, beyond those of the address too. */
static void fill_host(uint8_t bytes[16], unsigned length)
{
	unsigned whole = (length + 7) / 8;
	if (length % 8)
		bytes[whole - 1] |= (uint8_t)(0xff >> length % 8);
	memset(bytes + whole, 0xff, 16 - whole);
}

static uint32_t beginning(const uint8_t *address)
{
	return (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 | (uint32_t)address[2] << 8 |
	       address[3];
}

/* Whether no gateway begins like the addresses of this prefix: true of nearly all, and soon told.
 */
static bool is_far(const struct cover *c, const uint8_t *address, unsigned length)
{
	uint32_t first = beginning(address),
		 past = first | (length < 32 ? UINT32_MAX >> length : 0);
	return c->lowest.family == c->highest.family &&
	       (past < beginning(c->lowest.bytes) || first > beginning(c->highest.bytes));
}

/* The destination of a change to a route, of which a gateway may be found by it: NULL of none. */
static const uint8_t *leads_to(const struct nlmsghdr *m)
{
	static const uint8_t everything[16];
	const struct rtmsg *r = (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
	struct attributes all = attributes_of(m, sizeof(*r));
	const struct nlattr *a;
	bool led = false; /* by a gateway itself */
	if (m->nlmsg_len < NLMSG_HDRLEN + sizeof(*r))
		return NULL;
	while ((a = next_attribute(&all)) && a->nla_type != RTA_DST)
		led = led || a->nla_type == RTA_GATEWAY || a->nla_type == RTA_VIA ||
		      a->nla_type == RTA_MULTIPATH;
	if (!a)
		return led || r->rtm_dst_len ? NULL : everything;
	size_t size = bytes_of(r->rtm_family);
	bool sound = a->nla_len == NLA_HDRLEN + size && r->rtm_dst_len <= 8 * size;
	return sound ? payload_of(a) : NULL;
}

/* Notes that a change to this route may change how the gateways within its destination are reached.
 */
static void cover_by(lua_State *L, struct cover *c, const struct nlmsghdr *m)
{
	const struct rtmsg *r = (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
	const uint8_t *dst = leads_to(m);
	if (!dst || is_far(c, dst, r->rtm_dst_len))
		return;
	struct gateway first = {.family = r->rtm_family}, past;
	memcpy(first.bytes, dst, bytes_of(r->rtm_family));
	past = first;
	fill_host(past.bytes, r->rtm_dst_len);
	if (compare(&past, &c->lowest) < 0 || compare(&first, &c->highest) > 0)
		return;
	sort(L, c);
	int32_t *mark = (void *)c->marks->base;
	mark[not_below(c, &first)]++;
	mark[not_below(c, &past)]--; /* no gateway is all ones */
}

/* [] -> []: marks the hops whose gateways are within the destination of a change of this window */
void mark_moved(struct batch *b, struct sharing *x)
{
	lua_State *L = b->L;
	int top = lua_gettop(L);
	if (x->hops.count == 0)
		return;
	struct cover c = {.gateways = buffer_new(L), .marks = buffer_new(L)};
	list_gateways(L, x, &c);
	for (size_t i = 0; i < b->count; i++)
		cover_by(L, &c, message_at(b, i));
	const int32_t *mark = (const void *)c.marks->base;
	int32_t covered = 0;
	for (size_t i = 0; i < c.count && c.sorted; i++) {
		covered += mark[i];
		hop_at(x, gateway_at(&c, i)->hop)->moved = covered > 0;
	}
	buffer_free(c.gateways);
	buffer_free(c.marks);
	lua_settop(L, top);
}

/* --- the devices they are reached by --------------------------------------------------------- */

/* An answer takes more room than an error does. */
enum {
	ANSWER_ERRORS = 8
};

/* The kernel's answer to where the gateway of a hop is: on a link, or behind another gateway. */
static void take_device(struct pipe *p, size_t i, const struct nlmsghdr *answer)
{
	struct sharing *x = p->owner;
	const struct rtmsg *r = (const void *)((const uint8_t *)answer + NLMSG_HDRLEN);
	struct attributes all = attributes_of(answer, sizeof(*r));
	const struct nlattr *a;
	uint32_t oif = 0;
	if (answer->nlmsg_type != RTM_NEWROUTE || answer->nlmsg_len < NLMSG_HDRLEN + sizeof(*r) ||
	    r->rtm_type != RTN_UNICAST)
		return;
	/* rules of the policy may answer from elsewhere than where the kernel looks for gateways;
	 * IPv4 does not tell, and looks as it answers */
	if (r->rtm_family == AF_INET6 && r->rtm_table != RT_TABLE_MAIN)
		return;
	while ((a = next_attribute(&all))) {
		if (a->nla_type == RTA_GATEWAY || a->nla_type == RTA_VIA)
			return;
		if (a->nla_type == RTA_OIF && a->nla_len == NLA_HDRLEN + sizeof(oif))
			memcpy(&oif, payload_of(a), sizeof(oif));
	}
	hop_at(x, ((const uint32_t *)(const void *)x->order->base)[i])->oif = oif;
}

static void put_question(struct pipe *p, const struct way *way)
{
	size_t size = bytes_of(way->family);
	const struct rtmsg r = {.rtm_family = way->family, .rtm_dst_len = (uint8_t)(8 * size)};
	const struct nlattr dst = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = RTA_DST};
	uint8_t *m = pipe_room(p, NLMSG_HDRLEN + sizeof(r) + dst.nla_len, RTM_GETROUTE, 0);
	memcpy(m, &r, sizeof(r));
	memcpy(m + sizeof(r), &dst, sizeof(dst));
	memcpy(m + sizeof(r) + sizeof(dst), way->gateway, size);
}

/* [] -> []: finds the devices of those hops that are wanted and name none */
void ask_devices(struct batch *b, struct sharing *x)
{
	lua_State *L = b->L;
	int top = lua_gettop(L);
	struct pipe p;
	pipe_open(L, &p, b->s, take_device, x);
	p.room = p.room / ANSWER_ERRORS + 1;
	pipe_begin(&p, b->s->seq + 1, 0);
	x->order->length = 0;
	for (uint32_t n = 1; n <= x->hops.count; n++) {
		struct hop *hop = hop_at(x, n);
		if (!hop->wanted || hop->oif)
			continue;
		memcpy(buffer_room(L, x->order, sizeof(n)), &n, sizeof(n));
		put_question(&p, way_of(x, hop));
	}
	pipe_flush(&p);
	pipe_close(&p);
	lua_settop(L, top);
}
