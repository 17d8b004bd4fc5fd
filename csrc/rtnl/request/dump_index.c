/*
 * Records which range of an IPv6 routing table each receive of a dump covers.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	SHORT = 16 << 10 /* a shorter receive ended with the table, not for lack of room */
};

/* The order of the kernel's walk: longer prefixes before those that contain them, else by bits. */
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

struct span message_span(const struct nlmsghdr *h)
{
	return (struct span){.schema = &schema_route,
			     .data = mnl_nlmsg_get_payload(h),
			     .length = mnl_nlmsg_get_payload_len(h)};
}

struct position position_of(const struct nlmsghdr *h)
{
	struct span s = message_span(h);
	struct position p = {.length = ((const struct rtmsg *)(const void *)s.data)->rtm_dst_len};
	const struct nlattr *dst = find_attr(&s, RTA_DST);
	if (dst && payload_length(dst) == sizeof(p.dst))
		memcpy(p.dst, payload(dst), sizeof(p.dst));
	return p;
}

/* 0 unless it is an IPv6 route */
uint32_t table_of(const struct nlmsghdr *h)
{
	struct span s = message_span(h);
	return *s.data == AF_INET6 ? table_number(&s, RTA_TABLE, offsetof(struct rtmsg, rtm_table))
				   : 0;
}

static struct segment *last_segment(const struct dump *d)
{
	size_t n = segment_count(d);
	return n ? segment_at(d, n - 1) : NULL;
}

/* Adds a message to the segments; if it is kept, it follows in the current part. */
void index_message(lua_State *L, struct dump *d, const struct nlmsghdr *h, bool kept)
{
	struct segment *p = last_segment(d);
	struct segment new = {.receive = d->receives, .table = table_of(h), .part = d->parts};
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
	memcpy(buffer_room(L, d->segments, sizeof(new)), &new, sizeof(new));
}

/* Ends a receive of `length` bytes. */
void index_receive(struct dump *d, size_t length, bool done)
{
	struct segment *p = last_segment(d);
	if (p && done)
		p->ends = p->receive == d->receives || d->last_length <= SHORT;
	d->last_length = length;
	d->receives++;
}

/* The end of the segments from `i` on that came in one receive and are of one table. */
size_t run_from(const struct dump *d, size_t i)
{
	size_t n = segment_count(d), end = i + 1;
	while (end < n && segment_at(d, end)->receive == segment_at(d, i)->receive &&
	       segment_at(d, end)->table == segment_at(d, i)->table)
		end++;
	return end;
}
