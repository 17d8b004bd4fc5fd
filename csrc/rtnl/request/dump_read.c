/*
 * Receives the messages of a dump into buffers.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include "rtnl/netlink/extack.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	PART = 16 << 20 /* malloc maps larger buffers anew each time, with a page fault a page */
};

/* Ensures that the part has room. */
static void open_part(lua_State *L, struct dump *d, int parts, size_t length)
{
	if (d->part && d->part->length + length <= PART)
		return;
	d->part = buffer_new(L);
	lua_rawseti(L, parts, ++d->parts);
}

void append_message(lua_State *L, struct dump *d, int parts, const struct nlmsghdr *h)
{
	size_t length = NLMSG_ALIGN(h->nlmsg_len);
	open_part(L, d, parts, length);
	memcpy(buffer_room(L, d->part, length), h, length);
	d->bytes += length;
}

/* Frees the memory of the parts without waiting for the collector. */
void free_parts(lua_State *L, int parts)
{
	lua_Integer n = 0;
	for (; lua_rawgeti(L, parts, n) == LUA_TUSERDATA || n == 0; n++) {
		if (lua_isuserdata(L, -1))
			buffer_free(lua_touserdata(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* The kernel does not filter by destination: other routes are dropped on arrival. */
static bool has_dst(const struct nlmsghdr *h, const struct view *like)
{
	struct span a = message_span(h), b = view_span(like);
	const struct rtmsg *one = (const void *)a.data, *other = (const void *)b.data;
	if (one->rtm_dst_len != other->rtm_dst_len || one->rtm_family != other->rtm_family)
		return false;
	const struct nlattr *x = find_attr(&a, RTA_DST), *y = find_attr(&b, RTA_DST);
	if (!x || !y)
		return one->rtm_dst_len == 0;
	return x->nla_len == y->nla_len && memcmp(x, y, x->nla_len) == 0;
}

/* Reads the messages of one receive; true at the end of the dump. */
static bool read_messages(lua_State *L, struct sock *s, struct dump *d, int parts, ssize_t n)
{
	int left = (int)n;
	for (const struct nlmsghdr *h = (void *)s->buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != s->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			d->interrupted = true;
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
			read_extack(h, &d->x, &d->error);
			return true;
		}
		if (mnl_nlmsg_get_payload_len(h) < d->object->schema->header_size)
			continue;
		bool kept = !d->like || has_dst(h, d->like);
		if (kept)
			open_part(L, d, parts, NLMSG_ALIGN(h->nlmsg_len));
		d->largest = d->largest < h->nlmsg_len ? h->nlmsg_len : d->largest;
		if (d->watched)
			index_message(L, d, h, kept);
		if (kept)
			append_message(L, d, parts, h);
	}
	return false;
}

/* [] -> [parts] */
int run_dump(lua_State *L, struct sock *s, struct dump *d, size_t at)
{
	struct nlmsghdr *h = (void *)(s->out->base + at);
	bool done = false;
	lua_newtable(L);
	int parts = lua_gettop(L);
	*d = (struct dump){.guard = d->guard,
			   .object = d->object,
			   .like = d->like,
			   .watched = d->watched,
			   .nl = d->nl ? d->nl : s->nl,
			   .room = d->room ? d->room : RECEIVE_SIZE};
	if (d->watched) {
		d->segments = buffer_new(L);
		lua_rawseti(L, parts, 0);
		discard_changes(s);
	}
	h->nlmsg_seq = ++s->seq;
	if (mnl_socket_sendto(d->nl, h, s->out->length - at) < 0) {
		d->error = errno;
		return -1;
	}
	while (!done) {
		ssize_t n = receive_from(d->nl, s->buffer, d->room);
		if (n < 0) {
			d->error = errno;
			return -1;
		}
		done = read_messages(L, s, d, parts, n);
		if (d->watched)
			index_receive(d, (size_t)n, done);
	}
	d->part = NULL;
	d->parts = 0;
	return d->error ? -1 : 0;
}
