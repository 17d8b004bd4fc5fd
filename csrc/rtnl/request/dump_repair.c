/*
 * Repairs a dump of IPv6 routes that changed while it was read.
 *
 * The kernel answers a dump in receives of 32 KiB, each of which is consistent. After an addition
 * in between it walks the table again and skips as many destinations as it has listed, without an
 * error: after an addition some routes are listed twice, and after a deletion as many as were
 * deleted are missing behind the last that was listed. A second socket receives the notifications.
 * Of a route listed twice the later one counts. Where routes may be missing, the gap between two
 * receives is filled from a second dump that covers it in one receive. So a list ends under steady
 * change as well, and has all routes that existed during all of it.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include <libmnl/libmnl.h>
#include <string.h>

#include "common/export.h"

/* --- gaps ------------------------------------------------------------------------------------ */

/* A range that may miss routes: from the last destination of a receive, which may have more routes,
 * to the first of the next receive, or to the end of the table. */
struct gap {
	size_t behind; /* the segment before it */
	uint32_t table;
	bool to_end, filled;
	struct position from_dst, before;
	size_t from, to; /* of the messages found for it */
};

static bool may_miss(const struct changes *c, const struct segment *p)
{
	const struct deletion *deletion = (const void *)c->deleted->base;
	bool missing = c->lost;
	for (size_t i = 0; i < c->deleted->length / sizeof(*deletion); i++)
		missing = missing || (deletion[i].table == p->table &&
				      compare_positions(&deletion[i].at, &p->last) <= 0);
	return missing;
}

/* [] -> [buffer of gaps] */
static struct buffer *find_gaps(lua_State *L, const struct dump *d, const struct changes *c)
{
	struct buffer *gaps = buffer_new(L);
	size_t n = segment_count(d);
	for (size_t i = 0, next; i < n; i = next) {
		next = run_from(d, i);
		const struct segment *p = segment_at(d, next - 1),
				     *q = next < n ? segment_at(d, next) : NULL;
		struct gap gap = {.behind = next - 1, .table = p->table, .from_dst = p->last};
		gap.to_end = !q || q->table != p->table;
		if (!gap.to_end)
			gap.before = q->first;
		if (!p->table || (gap.to_end && p->ends) || !may_miss(c, p) ||
		    (!gap.to_end && compare_positions(&gap.before, &gap.from_dst) <= 0))
			continue;
		memcpy(buffer_room(L, gaps, sizeof(gap)), &gap, sizeof(gap));
	}
	return gaps;
}

static const struct buffer *part_of(lua_State *L, int parts, lua_Integer part)
{
	lua_rawgeti(L, parts, part);
	const struct buffer *a = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return a;
}

static void copy_message(lua_State *L, struct buffer *to, const struct nlmsghdr *h)
{
	memcpy(buffer_room(L, to, NLMSG_ALIGN(h->nlmsg_len)), h, NLMSG_ALIGN(h->nlmsg_len));
}

/* Whether segments of one receive cover the gap; `starts`: they are the first of their table. */
static bool covers(const struct segment *first, const struct segment *last, bool starts,
		   const struct gap *g)
{
	return first->table == g->table &&
	       (starts || compare_positions(&first->first, &g->from_dst) < 0) &&
	       (last->ends || (!g->to_end && compare_positions(&last->last, &g->before) >= 0));
}

static bool within(const struct position *p, const struct gap *g)
{
	return compare_positions(p, &g->from_dst) >= 0 &&
	       (g->to_end || compare_positions(p, &g->before) < 0);
}

/* Fills gaps from a second dump, whose parts are at stack index `parts`; true when all are filled.
 */
static bool fill_gaps(lua_State *L, struct buffer *gaps, struct buffer *found,
		      const struct dump *other, int parts)
{
	struct gap *gap = (void *)gaps->base;
	bool all = true;
	for (size_t g = 0; g < gaps->length / sizeof(*gap); g++) {
		bool starts = true;
		for (size_t i = 0, next; i < segment_count(other) && !gap[g].filled; i = next) {
			next = run_from(other, i);
			const struct segment *p = segment_at(other, i);
			if (p->table != gap[g].table)
				continue;
			gap[g].filled = covers(p, segment_at(other, next - 1), starts, &gap[g]);
			starts = false;
			gap[g].from = found->length;
			for (; gap[g].filled && p < segment_at(other, next); p++) {
				const struct buffer *part = part_of(L, parts, p->part);
				for (size_t at = p->from; at < p->to;) {
					const struct nlmsghdr *h = (void *)(part->base + at);
					struct position here = position_of(h);
					if (within(&here, &gap[g]))
						copy_message(L, found, h);
					at += NLMSG_ALIGN(h->nlmsg_len);
				}
			}
			gap[g].to = found->length;
		}
		all = all && gap[g].filled;
	}
	return all;
}

/*
 * A second dump of the same, in receives of another size, so that its segments end elsewhere;
 * unless a route needs the full size. [] -> [parts]
 */
static bool run_second_dump(lua_State *L, struct sock *s, const struct dump *d, size_t at,
			    int tries, struct dump *other)
{
	size_t room = (size_t)(31 - tries % 12) << 10;
	*other = (struct dump){.object = d->object, .like = d->like, .watched = true};
	if (2 * d->largest < room && (s->other = open_in(s->ns, true)) &&
	    prime_receive(s->other, s->buffer, room) == 0) {
		other->nl = s->other;
		other->room = room;
	}
	bool ran = run_dump(L, s, other, at) == 0 && !other->unordered;
	close_socket(&s->other);
	return ran;
}

/* --- the repaired dump ------------------------------------------------------------------------ */

/* Whether the message is among those of the segment's first destination. */
static bool listed_again(const struct buffer *part, const struct segment *p,
			 const struct nlmsghdr *h)
{
	for (size_t at = p->from; at < p->to;) {
		const struct nlmsghdr *other = (const void *)(part->base + at);
		struct position here = position_of(other);
		size_t length = h->nlmsg_len - NLMSG_HDRLEN;
		if (compare_positions(&here, &p->first) != 0)
			return false;
		if (other->nlmsg_len == h->nlmsg_len &&
		    memcmp((const uint8_t *)other + NLMSG_HDRLEN, (const uint8_t *)h + NLMSG_HDRLEN,
			   length) == 0)
			return true;
		at += NLMSG_ALIGN(other->nlmsg_len);
	}
	return false;
}

/* The end of those messages of segment `i` that no later receive has listed again. */
static size_t end_of(lua_State *L, const struct dump *d, int parts, size_t i)
{
	const struct segment *p = segment_at(d, i);
	const struct buffer *mine = part_of(L, parts, p->part);
	size_t end = p->to;
	for (size_t k = i + 1; k < segment_count(d); k++) {
		const struct segment *q = segment_at(d, k);
		if (q->table != p->table || q->receive == p->receive)
			continue;
		const struct buffer *theirs = part_of(L, parts, q->part);
		for (size_t at = p->from; at < end;) {
			const struct nlmsghdr *h = (const void *)(mine->base + at);
			struct position here = position_of(h);
			int order = compare_positions(&here, &q->first);
			if (order > 0 || (order == 0 && theirs && listed_again(theirs, q, h)))
				end = at;
			at += NLMSG_ALIGN(h->nlmsg_len);
		}
		if (compare_positions(&q->first, &p->last) > 0)
			break;
	}
	return end;
}

/* Merges segments and gaps into new parts. [] -> [parts] */
static void merge_segments(lua_State *L, struct dump *d, int parts, const struct buffer *gaps,
			   const struct buffer *found)
{
	struct dump whole = {.object = d->object};
	const struct gap *gap = (const void *)gaps->base;
	size_t g = 0;
	lua_newtable(L);
	int to = lua_gettop(L);
	for (size_t i = 0; i < segment_count(d); i++) {
		const struct segment *p = segment_at(d, i);
		const struct buffer *part = part_of(L, parts, p->part);
		size_t end = p->table ? end_of(L, d, parts, i) : p->to;
		const struct gap *next =
			g < gaps->length / sizeof(*gap) && run_from(d, i) == gap[g].behind + 1
				? &gap[g]
				: NULL;
		for (size_t at = p->from; at < end;) {
			const struct nlmsghdr *h = (const void *)(part->base + at);
			struct position here = position_of(h);
			if (!next || !within(&here, next))
				append_message(L, &whole, to, h);
			at += NLMSG_ALIGN(h->nlmsg_len);
		}
		for (; g < gaps->length / sizeof(*gap) && gap[g].behind == i; g++)
			for (size_t at = gap[g].from; at < gap[g].to;) {
				const struct nlmsghdr *h = (const void *)(found->base + at);
				append_message(L, &whole, to, h);
				at += NLMSG_ALIGN(h->nlmsg_len);
			}
	}
}

/*
 * Completes the dump `d`, whose parts are on top of the stack, if routes changed meanwhile, by at
 * most `tries` more dumps; false where that fails. [parts] -> [parts]
 */
bool complete_dump(lua_State *L, struct sock *s, struct dump *d, size_t at, int *tries)
{
	int parts = lua_gettop(L);
	struct changes c = {.deleted = buffer_new(L)};
	read_changes(L, s, &c);
	bool whole = !c.any;
	if (!whole && !d->unordered) {
		struct buffer *gaps = find_gaps(L, d, &c), *found = buffer_new(L);
		whole = gaps->length == 0;
		while (!whole && *tries > 0) {
			*tries -= 1;
			struct dump other;
			bool ran = run_second_dump(L, s, d, at, *tries, &other);
			whole = ran && fill_gaps(L, gaps, found, &other, lua_gettop(L));
			free_parts(L, lua_gettop(L));
			lua_pop(L, 1);
		}
		if (whole) {
			merge_segments(L, d, parts, gaps, found);
			free_parts(L, parts);
			lua_replace(L, parts);
		}
	}
	lua_settop(L, parts);
	return whole;
}
