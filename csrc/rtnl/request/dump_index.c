/*
 * Which part of an IPv6 routing table each receive of a dump was read from.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	SHORT = 16 << 10 /* a receive with so little has stopped at the end, not for want of room */
};

/* The order of the kernel's walk: what a prefix covers comes before it, else by the bits. */
int compare_positions(const struct position *a, const struct position *b)
{
	unsigned common = a->length < b->length ? a->length : b->length, i = 0;
	while (i + 8 <= common && a->dst[i / 8] == b->dst[i / 8])
		i += 8;
	if (i < common) {
		unsigned mask = common - i >= 8 ? 0xff : 0xff & ~(0xffU >> (common - i));
		int difference = (int)(a->dst[i / 8] & mask) - (int)(b->dst[i / 8] & mask);
		if (difference)
			return difference;
	}
	return b->length - a->length;
}

static struct span stretch_of(const struct nlmsghdr *h)
{
	return (struct span){.schema = &schema_route,
			     .data = mnl_nlmsg_get_payload(h),
			     .length = mnl_nlmsg_get_payload_len(h)};
}

struct position position_of(const struct nlmsghdr *h)
{
	struct span s = stretch_of(h);
	struct position p = {.length = ((const struct rtmsg *)(const void *)s.data)->rtm_dst_len};
	const struct nlattr *dst = find_attr(&s, RTA_DST);
	if (dst && payload_length(dst) == sizeof(p.dst))
		memcpy(p.dst, payload(dst), sizeof(p.dst));
	return p;
}

/* 0 for what is no IPv6 route */
uint32_t table_of(const struct nlmsghdr *h)
{
	struct span s = stretch_of(h);
	const struct rtmsg *r = (const void *)s.data;
	uint64_t table = r->rtm_table;
	if (r->rtm_family != AF_INET6)
		return 0;
	if (r->rtm_table == RT_TABLE_COMPAT) {
		const struct nlattr *a = find_attr(&s, RTA_TABLE);
		if (a && payload_length(a) == 4)
			table = read_uint(payload(a), 4, false);
	}
	return (uint32_t)table;
}

static struct piece *last_piece(const struct dump *d)
{
	size_t n = pieces_of(d);
	return n ? piece_at(d, n - 1) : NULL;
}

/* A message that came, the next of its part if it is kept. */
void note_message(lua_State *L, struct dump *d, const struct nlmsghdr *h, bool kept)
{
	struct piece *p = last_piece(d);
	struct piece new = {.receive = d->receives, .table = table_of(h), .part = d->parts};
	size_t length = kept ? NLMSG_ALIGN(h->nlmsg_len) : 0;
	if (new.table) {
		new.first = new.last = position_of(h);
		d->unordered = d->unordered ||
			       ((const struct rtmsg *)mnl_nlmsg_get_payload(h))->rtm_src_len;
	}
	if (p && p->receive == new.receive && p->table == new.table) {
		d->unordered = d->unordered || compare_positions(&p->last, &new.last) > 0;
		p->last = new.last;
		p->to += p->part == new.part ? length : 0;
		if (p->part == new.part)
			return;
	} else if (p && p->receive == new.receive) {
		p->ends = true;
	}
	new.from = d->part ? d->part->length : 0;
	new.to = new.from + length;
	memcpy(buffer_room(L, d->pieces, sizeof(new)), &new, sizeof(new));
}

/* The end of a receive of so many bytes. */
void note_receive(struct dump *d, size_t length, bool done)
{
	struct piece *p = last_piece(d);
	if (p && done)
		p->ends = p->receive == d->receives || d->last_length <= SHORT;
	d->last_length = length;
	d->receives++;
}

/* The pieces from `i` on that came together and are of one table. */
size_t run_from(const struct dump *d, size_t i)
{
	size_t n = pieces_of(d), end = i + 1;
	while (end < n && piece_at(d, end)->receive == piece_at(d, i)->receive &&
	       piece_at(d, end)->table == piece_at(d, i)->table)
		end++;
	return end;
}
