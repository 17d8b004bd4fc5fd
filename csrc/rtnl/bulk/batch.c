/*
 * Sends many changes by a pipeline. Messages are encoded into the buffer in windows. Where the
 * changes do not depend on each other they are sent in stripes, the order the kernel's IPv4 table
 * likes best.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/batch.h"
#include "rtnl/base/error.h"
#include "rtnl/bulk/next_hop_sets.h"
#include "rtnl/bulk/route_list.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/view/error_message.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	WINDOW_BYTES = 16 << 20, /* encoded before the first is sent: memory stays bounded */
	WINDOW_COUNT = 1 << 17,
	STRIPES = 16, /* deletes are 1.1 to 1.2 times dearer with 64, and twice with one */
	AHEAD = 8,    /* messages */
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
	char object[16], verb[16], more;
	if (lua_geti(L, -1, 1) != LUA_TSTRING)
		bad_change(L, i, "{ \"route add\", { ... } } expected");
	const char *said = lua_tostring(L, -1);
	if (said != b->said) {
		if (sscanf(said, "%15s %15s %c", object, verb, &more) != 2)
			bad_change(L, i, "{ \"route add\", { ... } } expected");
		const struct object *o = object_by_name(object);
		const struct verb_flags *v = verb_by_name(verb);
		if (!o || !v || v->verb == VERB_GET || !o->add)
			bad_change(L, i,
				   lua_pushfstring(L, "'%s' is nothing a batch can do", said));
		b->object = (uint8_t)(o - rtnl_objects);
		b->verb = (uint8_t)(v - verb_table);
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

/* Whether the devices of a list have the numbers that this socket's kernel gives them. */
static bool same_kernel(struct batch *b, int list)
{
	lua_State *L = b->L;
	list_ifnames(L, list);
	lua_rawgeti(L, -1, 0);
	lua_rawgeti(L, b->names, 0);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 3);
	return same;
}

/* The n-th of a list: a request as it is. [change, list, n] -> [..] */
static void encode_listed(struct batch *b, const struct route_list *l, size_t i,
			  const struct object *o)
{
	lua_State *L = b->L;
	lua_Integer n = lua_tointeger(L, -1);
	if (n < 1 || (size_t)n > list_count(l) || o->schema != &schema_route)
		bad_change(L, i, "{ \"route add\", list, number } expected");
	if (b->encoder.verb != VERB_ADD || !same_kernel(b, lua_gettop(L) - 1)) {
		lua_gettable(L, -2);
		encode_value(L, &b->encoder, o, lua_gettop(L));
		return;
	}
	const struct view *v = list_view(l, (size_t)n);
	b->encoder.family = v->data[0];
	b->encoder.start = b->s->out->length;
	memcpy(buffer_room(L, b->s->out, v->length), v->data, v->length);
	check_dump_limit(&b->encoder, o->schema);
}

/* Whether a change to an IPv4 route may be what the gateway of another is found by: gateways are
 * looked for among routes that have none themselves, whose scope says so. */
static bool may_lead(const struct verb_flags *v, const struct rtmsg *m)
{
	return v->verb != VERB_DEL &&
	       (v->flags & NLM_F_REPLACE || m->rtm_scope != RT_SCOPE_UNIVERSE);
}

/* Replaces a change that must not be sent (no dump could list it, or it would delete another) by a
 * message that does nothing. */
static void leave_out(struct batch *b, size_t i, struct change *c)
{
	struct nlmsghdr *m = (void *)(b->s->out->base + c->at);
	push_missing(b->L, &b->encoder, &rtnl_objects[c->object], verb_table[c->verb].name);
	set_failure(b, i);
	m->nlmsg_type = NLMSG_NOOP;
	m->nlmsg_flags = NLM_F_REQUEST;
	b->s->out->length = c->at + NLMSG_HDRLEN;
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
	const struct verb_flags *v = &verb_table[c.verb];
	c.at = (uint32_t)begin_message(L, b->s, v->verb == VERB_DEL ? o->del : o->add,
				       NLM_F_REQUEST | v->flags);
	b->encoder.verb = v->verb;
	b->encoder.existing_only = changes_only(v);
	b->encoder.base = (int)i + 1;
	lua_geti(L, -1, 2);
	const struct route_list *l = list_test(L, -1);
	b->encoder.missing_errno = b->encoder.dropped = 0;
	if (l) {
		lua_geti(L, -2, 3);
		encode_listed(b, l, i, o);
	} else {
		encode_value(L, &b->encoder, o, lua_gettop(L));
	}
	lua_settop(L, top + 1);
	if (lua_rawlen(L, -1) >= 2 && !is_list(L, l ? 3 : 2))
		bad_change(L, i, "{ \"route add\", { ... } } and nothing else expected");
	bool unfit = b->encoder.missing_errno && strcmp(b->encoder.missing, "device") != 0;
	if (unfit)
		leave_out(b, i, &c);
	else if (may_join(v, &b->encoder, o))
		((struct nlmsghdr *)(void *)(b->s->out->base + c.at))->nlmsg_flags |= NLM_F_ECHO;
	end_message(b->s, c.at);
	c.ipv4 = b->encoder.family == AF_INET && o->schema == &schema_route && !unfit;
	if (c.ipv4 && may_lead(v, (const void *)(b->s->out->base + c.at + NLMSG_HDRLEN)))
		b->tied = true;
	memcpy(buffer_room(L, b->changes, sizeof(c)), &c, sizeof(c));
	lua_settop(L, top);
}

/* Notes that what change `i` of the window joined is a route that no dump can list any more. */
static void take_joined(struct batch *b, size_t i, const struct nlmsghdr *answer)
{
	lua_State *L = b->L;
	int hops = hops_over_limit((const uint8_t *)answer + NLMSG_HDRLEN,
				   answer->nlmsg_len - NLMSG_HDRLEN);
	if (answer->nlmsg_type != RTM_NEWROUTE || hops == 0)
		return;
	lua_createtable(L, 0, 3);
	lua_pushliteral(L, "EMSGSIZE");
	lua_setfield(L, -2, "code");
	lua_pushinteger(L, hops);
	lua_setfield(L, -2, "joined");
	set_result(b, b->first + i);
}

/* Notes in the result of a change which object it referred to. */
static void note_object(struct batch *b, size_t i, uint32_t id)
{
	lua_rawgeti(b->L, b->results, (lua_Integer)i + 1);
	lua_pushinteger(b->L, id);
	lua_setfield(b->L, -2, "object");
	lua_pop(b->L, 1);
}

/* Notes the kernel's refusal of change `i` of the window. */
static void take_refusal(struct pipe *p, size_t i, const struct nlmsghdr *answer)
{
	struct batch *b = p->owner;
	lua_State *L = b->L;
	struct extack x;
	int error, top = lua_gettop(L);
	if (answer->nlmsg_type != NLMSG_ERROR)
		take_joined(b, i, answer);
	if (answer->nlmsg_type != NLMSG_ERROR || !read_extack(answer, &x, &error) || !error)
		return;
	struct change *c = change_at(b, i);
	const struct object *o = &rtnl_objects[c->object];
	const struct nlmsghdr *m = message_at(b, i);
	const uint8_t *sent = (const uint8_t *)m + NLMSG_HDRLEN;
	size_t length = m->nlmsg_len - NLMSG_HDRLEN;
	const char *request = push_request(L, o, verb_table[c->verb].name, sent, length, b->names);
	push_request_error(L, request, &x, error, o, sent, length);
	set_failure(b, b->first + i);
	if (c->set)
		note_object(b, b->first + i, c->set);
	lua_settop(L, top);
}

/*
 * Changes that are sent after the first window are read before it, and once more when their turn
 * comes: a wrong one raises while nothing is done yet.
 */
static void read_ahead(struct batch *b, size_t from, size_t total)
{
	size_t window = b->s->out->length, changes = b->changes->length;
	uint32_t seq = b->s->seq;
	int held = count_netns_fds(b->s);
	for (size_t i = from; i < total; i++) {
		encode_change(b, i);
		close_netns_fds(b->s, held);
		b->s->out->length = window;
		b->changes->length = changes;
		b->s->seq = seq;
	}
}

static void add_to_order(struct batch *b, size_t i)
{
	uint32_t n = (uint32_t)i;
	memcpy(buffer_room(b->L, b->order, sizeof(n)), &n, sizeof(n));
}

/*
 * In which order the window is sent: as given, or where nothing depends on anything, IPv4 routes in
 * stripes (0 16 32 ... 1 17 ...). Neighbours in the table share a node of its trie, which is built
 * anew for each of several neighbours in a row; in the plain tree of IPv6 that order is cheapest.
 */
static void find_order(struct batch *b)
{
	bool free = b->free || (b->apart && !b->tied);
	b->order->length = 0;
	for (size_t i = 0; i < b->count; i++)
		if (!free || !change_at(b, i)->ipv4)
			add_to_order(b, i);
	for (size_t first = 0; free && first < STRIPES; first++)
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
	find_order(b);
	const uint32_t *order = (const void *)b->order->base;
	pipe_begin(&b->pipe, b->seq, b->count);
	for (size_t n = 0; n < b->count; n++) {
		fetch_ahead(b, order, n);
		const struct nlmsghdr *m = message_at(b, order[n]);
		bool echoed = m->nlmsg_flags & NLM_F_ECHO; /* as long as many other answers */
		if (echoed)
			pipe_flush(&b->pipe);
		pipe_put(&b->pipe, m);
		if (echoed)
			pipe_flush(&b->pipe);
	}
	pipe_flush(&b->pipe);
}

/* Encodes and sends as many changes from the i-th on as make a window; returns which is next. */
static size_t take_window(struct batch *b, size_t i, size_t total)
{
	b->first = i;
	b->s->out->length = b->changes->length = 0;
	b->seq = b->s->seq + 1;
	b->tied = false;
	while (i < total && i - b->first < WINDOW_COUNT && b->s->out->length < WINDOW_BYTES &&
	       count_netns_fds(b->s) <= NETNS_FDS_MAX - NETNS_FDS_CHANGE) {
		lua_pushboolean(b->L, 1);
		set_result(b, i);
		encode_change(b, i++);
	}
	b->count = i - b->first;
	if (b->first == 0)
		read_ahead(b, i, total);
	if (b->share)
		share_next_hops(b);
	send_window(b);
	close_netns_fds(b->s, 0);
	return i;
}

/*
 * socket:batch(changes, free, share?) -> results
 * Each change is { "OBJECT VERB", value } or { "route VERB", list, number }; results[i] is true or
 * { message =, code = }. With `free` the changes do not depend on each other and are sent in the
 * order that costs the kernel least; where it is "apart", one may lead to the gateway of another,
 * and where one does the order is kept. `share` is a function that may have routes refer to
 * next-hop objects instead of their next hops (next_hop_sets.c); results[i].object is the one that
 * a refused route referred to.
 */
int socket_batch(lua_State *L)
{
	struct batch b = {.L = L, .s = check_socket(L), .list = 2};
	const char *order = lua_tostring(L, 3);
	b.apart = order && strcmp(order, "apart") == 0;
	b.free = !b.apart && lua_toboolean(L, 3);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 4);
	if (!lua_isnil(L, 4)) {
		luaL_checktype(L, 4, LUA_TFUNCTION);
		b.share = 4;
	}
	lua_Integer total = luaL_len(L, 2);
	lua_createtable(L, (int)(total < 1 << 26 ? total : 0), 0);
	b.results = 5;
	ifnames_new(L, 1);
	b.names = 6;
	b.s->names = lua_topointer(L, b.names);
	lua_pushnil(L);
	b.verbs = 7;
	b.encoder = (struct encoder){
		.L = L, .out = b.s->out, .names = b.names, .netns_fds = b.s->netns_fds};
	close_netns_fds(b.s, 0);
	b.changes = buffer_new(L);
	pipe_open(L, &b.pipe, b.s, take_refusal, &b);
	b.order = buffer_new(L);
	for (size_t i = 0; i < (size_t)total;)
		i = take_window(&b, i, (size_t)total);
	b.s->out->length = 0;
	buffer_free(b.changes);
	pipe_close(&b.pipe);
	buffer_free(b.order);
	lua_settop(L, 5);
	return 1;
}
