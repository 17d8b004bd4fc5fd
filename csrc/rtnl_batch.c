/*
 * Many changes with many in flight. Messages are encoded into the arena in windows, sent 64 KiB at
 * a time with an ACK asked for on the last of each send only: errors come by themselves and name
 * their message by its sequence number (kernel.md 11). Where the changes do not depend on each
 * other they are sent in stripes, the order the kernel's IPv4 table likes best.
 */
#define _GNU_SOURCE
#include "rtnl_batch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	WINDOW_BYTES = 16 << 20, /* encoded before the first is sent: memory stays bounded */
	WINDOW_COUNT = 1 << 17,
	SEND_BYTES = 64 << 10,
	REPLY_BYTES = 832, /* what one queued answer costs of the receive buffer */
	STRIPES = 16, /* deletes are 1.1 to 1.2 times dearer with 64, and twice with one */
	AHEAD = 8, /* messages */
};

static _Noreturn void bad_change(lua_State *L, size_t i, const char *what)
{
	lua_pushfstring(L, "[%d]: %s", (int)i + 1, what);
	throw_at_caller(L);
}

/* "route add" -> object and verb. [change] -> [change] */
static void read_verb(struct batch *b, size_t i, struct change *c)
{
	lua_State *L = b->L;
	char object[16], verb[16];
	if (lua_geti(L, -1, 1) != LUA_TSTRING)
		bad_change(L, i, "{ \"route add\", { ... } } expected");
	const char *said = lua_tostring(L, -1);
	if (said != b->said) {
		if (sscanf(said, "%15s %15s", object, verb) != 2)
			bad_change(L, i, "{ \"route add\", { ... } } expected");
		const struct object *o = object_by_name(object);
		const struct verb_row *v = verb_by_name(verb);
		if (!o || !v || v->verb == VERB_GET || !o->add)
			bad_change(L, i,
				   lua_pushfstring(L, "'%s' is nothing a batch can do", said));
		b->object = (uint8_t)(o - rtnl_objects);
		b->verb = (uint8_t)(v - verb_rows);
		b->said = said;
		lua_pushvalue(L, -1);
		lua_replace(L, b->verbs);
	}
	c->object = b->object;
	c->verb = b->verb;
	lua_pop(L, 1);
}

static void set_result(struct batch *b, size_t i)
{
	lua_rawseti(b->L, b->results, (lua_Integer)i + 1);
}

/* [nil, message, code] -> [] */
static void set_failure(struct batch *b, size_t i)
{
	lua_State *L = b->L;
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "code");
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "message");
	set_result(b, i);
	lua_pop(L, 3);
}

/* Encodes change i of the list into the window. */
static void encode_change(struct batch *b, size_t i)
{
	lua_State *L = b->L;
	struct change c = {.at = 0};
	int top = lua_gettop(L);
	if (lua_geti(L, b->list, (lua_Integer)i + 1) != LUA_TTABLE)
		bad_change(L, i, "{ \"route add\", { ... } } expected");
	read_verb(b, i, &c);
	const struct object *o = &rtnl_objects[c.object];
	const struct verb_row *v = &verb_rows[c.verb];
	c.sharable = o->schema == &schema_route && v <= &verb_rows[1]; /* add, replace */
	c.at = (uint32_t)begin_message(L, b->s, v->verb == VERB_DEL ? o->del : o->add,
				       NLM_F_REQUEST | v->flags);
	b->encoder.verb = v->verb;
	b->encoder.base = (int)i + 1;
	lua_geti(L, -1, 2);
	encode_value(L, &b->encoder, o, lua_gettop(L));
	end_message(b->s, c.at);
	c.ipv4 = b->encoder.family == AF_INET && o->schema == &schema_route;
	memcpy(arena_room(L, b->changes, sizeof(c)), &c, sizeof(c));
	lua_settop(L, top);
}

/* Reads what has come; true when the answer to `last` was among it. */
static bool take_answers(struct batch *b, uint32_t last, ssize_t n)
{
	lua_State *L = b->L;
	bool done = false;
	int left = (int)n, top = lua_gettop(L);
	for (const struct nlmsghdr *h = (void *)b->s->buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		struct extack x;
		int error = 0;
		size_t i = h->nlmsg_seq - b->seq;
		if (h->nlmsg_type != NLMSG_ERROR || i >= b->count || !read_extack(h, &x, &error))
			continue;
		done = done || h->nlmsg_seq == last;
		if (!error)
			continue;
		const struct change *c = change_at(b, i);
		const struct nlmsghdr *m = message_at(b, i);
		char text[256]; /* the buffer is used again while names are asked for */
		size_t length = x.text_length < sizeof(text) ? x.text_length : sizeof(text);
		if (x.text)
			memcpy(text, x.text, length);
		x.text = x.text ? text : NULL;
		x.text_length = length;
		int next = (int)((const uint8_t *)h - b->s->buffer), rest = left;
		struct arena *kept = arena_new(L);
		memcpy(arena_reserve(L, kept, (size_t)n), b->s->buffer, (size_t)n);
		refusal(L, &x, error, &rtnl_objects[c->object], verb_rows[c->verb].name,
			(const uint8_t *)m + NLMSG_HDRLEN, m->nlmsg_len - NLMSG_HDRLEN, b->names);
		memcpy(b->s->buffer, kept->base, (size_t)n);
		arena_free(kept);
		h = (const void *)(b->s->buffer + next);
		left = rest;
		set_failure(b, b->first + i);
		lua_settop(L, top);
	}
	return done;
}

static void fail_rest(struct batch *b, int error)
{
	push_errno(b->L, "batch", NULL, error);
	luaL_error(b->L, "%s", lua_tostring(b->L, -2));
}

/* Sends what has gathered and waits for the answer to its last message. */
static void flush(struct batch *b, uint32_t last, size_t last_at)
{
	if (b->send->length == 0)
		return;
	struct nlmsghdr *h = (void *)(b->send->base + last_at);
	h->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(b->s->nl, b->send->base, b->send->length) < 0)
		fail_rest(b, errno);
	b->send->length = 0;
	for (;;) {
		ssize_t n = receive(b->s);
		if (n < 0)
			fail_rest(b, errno);
		if (take_answers(b, last, n))
			return;
	}
}

static void add_to_order(struct batch *b, size_t i)
{
	uint32_t n = (uint32_t)i;
	memcpy(arena_room(b->L, b->order, sizeof(n)), &n, sizeof(n));
}

/*
 * In which order the window is sent: as given, or where nothing depends on anything, IPv4 routes in
 * stripes (0 16 32 ... 1 17 ...). Neighbours in the table share a node of its trie, which is built anew for each of
 * a row of neighbours; IPv6 keeps a plain tree and likes neighbours best.
 */
static void find_order(struct batch *b)
{
	b->order->length = 0;
	for (size_t i = 0; i < b->count; i++)
		if (!b->free || !change_at(b, i)->ipv4)
			add_to_order(b, i);
	for (size_t first = 0; b->free && first < STRIPES; first++)
		for (size_t i = first; i < b->count; i += STRIPES)
			if (change_at(b, i)->ipv4)
				add_to_order(b, i);
}

/* Has the memory of a message that is sent soon come near: in strides no cache foresees it. */
static void fetch_ahead(const struct batch *b, const uint32_t *order, size_t n)
{
	size_t soon = n + AHEAD, later = soon + AHEAD;
	if (later < b->count)
		__builtin_prefetch(change_at(b, order[later]));
	if (soon < b->count) {
		const uint8_t *m = (const void *)message_at(b, order[soon]);
		__builtin_prefetch(m);
		__builtin_prefetch(m + 64);
	}
}

static void send_window(struct batch *b)
{
	uint32_t last = 0;
	size_t last_at = 0, gathered = 0;
	find_order(b);
	const uint32_t *order = (const void *)b->order->base;
	for (size_t n = 0; n < b->count; n++) {
		const struct nlmsghdr *m = message_at(b, order[n]);
		fetch_ahead(b, order, n);
		if (gathered == b->room ||
		    b->send->length + NLMSG_ALIGN(m->nlmsg_len) > SEND_BYTES) {
			flush(b, last, last_at);
			gathered = 0;
		}
		last_at = b->send->length;
		last = m->nlmsg_seq;
		memcpy(arena_room(b->L, b->send, NLMSG_ALIGN(m->nlmsg_len)), m,
		       NLMSG_ALIGN(m->nlmsg_len));
		gathered++;
	}
	flush(b, last, last_at);
}

static size_t reply_room(int fd)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
	size_t n = (size_t)bytes / REPLY_BYTES;
	return n > 16 ? n - 8 : 8;
}

/*
 * socket:batch(changes, free, choose?) -> results, used
 * Each change is { "OBJECT VERB", value }; results[i] is true or { message =, code = }. With `free`
 * the changes do not depend on each other and are sent in the order that costs the kernel least.
 * With `choose` routes may come to share next-hop objects (rtnl_share.c); `used` has a true for
 * each object that a route came to refer to.
 */
int socket_batch(lua_State *L)
{
	struct batch b = {.L = L, .s = check_socket(L), .list = 2, .free = lua_toboolean(L, 3)};
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 4);
	b.choose = lua_isnil(L, 4) ? 0 : 4;
	lua_Integer total = luaL_len(L, 2);
	lua_createtable(L, (int)(total < 1 << 26 ? total : 0), 0);
	b.results = 5;
	lua_newtable(L);
	b.used = 6;
	names_new(L, 1);
	b.names = 7;
	lua_pushnil(L);
	b.verbs = 8;
	b.encoder = (struct encoder){.L = L, .out = b.s->out, .names = b.names};
	b.changes = arena_new(L);
	b.send = arena_new(L);
	b.order = arena_new(L);
	b.room = reply_room(mnl_socket_get_fd(b.s->nl));
	for (size_t i = 0; i < (size_t)total;) {
		b.first = i;
		b.s->out->length = b.changes->length = b.send->length = 0;
		b.seq = b.s->seq + 1;
		while (i < (size_t)total && i - b.first < WINDOW_COUNT &&
		       b.s->out->length < WINDOW_BYTES) {
			lua_pushboolean(L, 1);
			set_result(&b, i);
			encode_change(&b, i++);
		}
		b.count = i - b.first;
		if (b.choose)
			share_window(&b);
		send_window(&b);
		if (b.choose)
			share_note_used(&b);
	}
	b.s->out->length = 0;
	arena_free(b.changes);
	arena_free(b.send);
	arena_free(b.order);
	lua_settop(L, 6);
	return 2;
}
