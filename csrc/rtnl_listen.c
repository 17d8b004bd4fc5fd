/*
 * What the kernel tells in many messages: dumps, and notifications.
 */
#define _GNU_SOURCE
#include "rtnl_socket.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* --- dumps ----------------------------------------------------------------------------------- */

/* IPv6 route dumps restart by count after a change and may then miss routes without saying so
 * (kernel.md 10): a second socket hears of changes, and a dump during which one came is made again.
 */
static bool changed(struct sock *s)
{
	bool any = false;
	while (recv(mnl_socket_get_fd(s->watch), s->buffer, RECEIVE_SIZE,
		    MSG_DONTWAIT | MSG_TRUNC) >= 0 ||
	       errno == ENOBUFS || errno == EINTR)
		any = true;
	return any;
}

static int start_watch(struct sock *s)
{
	int group = RTNLGRP_IPV6_ROUTE;
	if (s->watch)
		return 0;
	if (!(s->watch = open_in(s->ns, false)))
		return -1;
	return mnl_socket_setsockopt(s->watch, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

/* What a dump has told: whole messages behind each other in parts, and how far they were handed
 * out. */
struct dump {
	const struct object *object;
	const struct view *like; /* only routes with its destination; NULL: whatever comes */
	struct arena *part;	 /* that is filled, later read */
	size_t at;
	size_t bytes;	   /* of all messages */
	lua_Integer parts; /* that were begun */
	int error;
	bool interrupted;
	struct extack x;
};

enum {
	PART = 16 << 20 /* larger ones malloc would map anew each time, a page fault a page */
};

enum {
	DUMP = 1,
	PARTS,
	KIND
};

static void keep_message(lua_State *L, struct dump *d, int parts, const struct nlmsghdr *h)
{
	size_t length = NLMSG_ALIGN(h->nlmsg_len);
	if (!d->part || d->part->length + length > PART) {
		d->part = arena_new(L);
		lua_rawseti(L, parts, ++d->parts);
	}
	memcpy(arena_room(L, d->part, length), h, length);
	d->bytes += length;
}

/* The collector does not count the memory of arenas: it is told, or a script that looks at the
 * beginnings of many dumps would fill the machine. */
static void tell_collector(lua_State *L, size_t bytes)
{
	if (bytes > 1 << 20 && lua_gc(L, LUA_GCISRUNNING))
		lua_gc(L, LUA_GCSTEP, (int)(bytes >> 10));
}

/* The kernel cannot be asked for one destination: what has another one is dropped as it comes. */
static bool has_dst(const struct nlmsghdr *h, const struct view *like)
{
	struct stretch a = {.schema = &schema_route,
			    .data = mnl_nlmsg_get_payload(h),
			    .length = mnl_nlmsg_get_payload_len(h)},
		       b = view_stretch(like);
	const struct rtmsg *mine = (const void *)a.data, *wanted = (const void *)b.data;
	if (mine->rtm_dst_len != wanted->rtm_dst_len || mine->rtm_family != wanted->rtm_family)
		return false;
	const struct nlattr *x = find_attr(&a, RTA_DST), *y = find_attr(&b, RTA_DST);
	if (!x || !y)
		return mine->rtm_dst_len == 0;
	return x->nla_len == y->nla_len && memcmp(x, y, x->nla_len) == 0;
}

/* Takes the messages of one receive; true when the dump is over. */
static bool take_dump(lua_State *L, struct sock *s, struct dump *d, int parts, ssize_t n)
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
		if (mnl_nlmsg_get_payload_len(h) >= d->object->schema->head &&
		    (!d->like || has_dst(h, d->like)))
			keep_message(L, d, parts, h);
	}
	return false;
}

/* [] -> [table of the dump's parts] */
static int run_dump(lua_State *L, struct sock *s, struct dump *d, size_t at)
{
	struct nlmsghdr *h = (void *)(s->out->base + at);
	lua_newtable(L);
	int parts = lua_gettop(L);
	*d = (struct dump){.object = d->object, .like = d->like};
	h->nlmsg_seq = ++s->seq;
	if (send_out(s, at) < 0) {
		d->error = errno;
		return -1;
	}
	for (;;) {
		ssize_t n = receive(s);
		if (n < 0) {
			d->error = errno;
			return -1;
		}
		if (take_dump(L, s, d, parts, n))
			break;
	}
	d->part = NULL;
	d->parts = 0;
	return d->error ? -1 : 0;
}

/* Goes on to the next part; false behind the last. */
static bool next_part(lua_State *L, struct dump *d)
{
	if (d->part)
		arena_free(d->part);
	lua_rawgeti(L, lua_upvalueindex(PARTS), ++d->parts);
	d->part = lua_touserdata(L, -1);
	d->at = 0;
	lua_pop(L, 1);
	return d->part;
}

/* -> the next view of what a dump has told, or nothing behind the last */
static int next_view(lua_State *L)
{
	struct dump *d = lua_touserdata(L, lua_upvalueindex(DUMP));
	if ((!d->part || d->at >= d->part->length) && !next_part(L, d))
		return 0;
	const struct nlmsghdr *h = (const void *)(d->part->base + d->at);
	d->at += NLMSG_ALIGN(h->nlmsg_len);
	view_new(L, d->object, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
		 mnl_nlmsg_get_payload_len(h), lua_upvalueindex(KIND));
	return 1;
}

/*
 * socket:dump(object, filter, like?) -> iterator over views | nil, message, code
 * The filter holds only what the kernel itself can filter by (family, table, proto, type, dev);
 * `like` is a view of a route: only those with its destination are kept. All has been read when the
 * first view is handed out; a view is made when its turn comes, so that one that nobody keeps is
 * memory for those after it.
 */
int socket_dump(lua_State *L)
{
	enum {
		TRIES = 32
	};
	struct sock *s = check_socket(L);
	const struct object *object = check_object(L, 2);
	luaL_checktype(L, 3, LUA_TTABLE);
	const struct view *like = view_test(L, 4);
	lua_settop(L, 4);
	names_new(L, 1);
	struct dump *d = lua_newuserdatauv(L, sizeof(*d), 0);
	*d = (struct dump){.object = object, .like = object->schema == &schema_route ? like : NULL};
	s->out->length = 0;
	size_t at = begin_message(L, s, object->get, NLM_F_REQUEST | NLM_F_DUMP);
	struct encoder e = {.L = L, .out = s->out, .names = 5, .verb = VERB_DUMP};
	encode_message(&e, object->schema, 3);
	end_message(s, at);
	if (e.refused)
		return lacking(L, &e, object, "list");
	bool watched = object->schema == &schema_route && e.family != AF_INET;
	if (watched && start_watch(s) < 0)
		return refusal(L, NULL, errno, object, "list", s->out->base + e.start,
			       s->out->length - e.start, 5);
	for (int i = 0; i < TRIES; i++) {
		lua_settop(L, 6);
		if (watched)
			changed(s);
		if (run_dump(L, s, d, at) < 0)
			return refusal(L, &d->x, d->error, object, "list", s->out->base + e.start,
				       s->out->length - e.start, 5);
		if (!d->interrupted && !(watched && changed(s))) {
			tell_collector(L, d->bytes);
			view_kind(L, object, 5);
			lua_pushcclosure(L, next_view, KIND);
			return 1;
		}
	}
	d->x.text = "changes came in between every time";
	d->x.text_length = strlen(d->x.text);
	return refusal(L, &d->x, EINTR, object, "list", s->out->base + e.start,
		       s->out->length - e.start, 5);
}

/* --- notifications --------------------------------------------------------------------------- */

static const struct {
	const char *object;
	int groups[2];
} groups[] = {
	{"route", {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE}},
	{"nexthop", {RTNLGRP_NEXTHOP, 0}},
	{"link", {RTNLGRP_LINK, 0}},
	{"addr", {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}},
	{"neigh", {RTNLGRP_NEIGH, 0}},
	{"rule", {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}},
};

/* socket:subscribe(object) -> true | nil, message, code */
int socket_subscribe(lua_State *L)
{
	struct sock *s = check_socket(L);
	const char *object = luaL_checkstring(L, 2);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(groups[i].object, object) != 0)
			continue;
		for (int j = 0; j < 2; j++) {
			int group = groups[i].groups[j];
			if (group && mnl_socket_setsockopt(s->nl, NETLINK_ADD_MEMBERSHIP, &group,
							   sizeof(group)) < 0) {
				lua_pushfstring(L, "monitor %s", object);
				return push_errno(L, lua_tostring(L, -1), NULL, errno);
			}
		}
		lua_pushboolean(L, 1);
		return 1;
	}
	return luaL_argerror(L, 2, "no notifications of this kind");
}

/*
 * socket:receive(timeout?) -> list of views | nil, message, "EAGAIN" | nil, message, "ENOBUFS"
 * Waits for the next notifications: for ever without a timeout (seconds), not at all with 0. Names
 * of interfaces are asked over `names`, a socket of requests, since this one is busy listening.
 */
int socket_receive(lua_State *L)
{
	struct sock *s = check_socket(L);
	double timeout = luaL_optnumber(L, 2, -1);
	struct pollfd p = {.fd = mnl_socket_get_fd(s->nl), .events = POLLIN};
	lua_settop(L, 3);
	if (!lua_isnil(L, 3))
		luaL_checkudata(L, 3, RTNL_SOCKET);
	int ready = poll(&p, 1, timeout < 0 ? -1 : (int)(timeout * 1000 + 0.999));
	if (ready <= 0)
		return push_errno(L, "monitor", ready == 0 ? "nothing happened in time" : NULL,
				  ready == 0 ? EAGAIN : errno);
	ssize_t n = receive(s);
	if (n < 0)
		return push_errno(L, "monitor", errno == ENOBUFS ? "events were lost" : NULL,
				  errno);
	names_new(L, lua_isnil(L, 3) ? 0 : 3);
	lua_newtable(L);
	int left = (int)n;
	lua_Integer count = 0;
	for (const struct nlmsghdr *h = (void *)s->buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		const struct object *o = object_by_type(h->nlmsg_type);
		if (!o || mnl_nlmsg_get_payload_len(h) < o->schema->head)
			continue;
		view_push(L, o, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
			  mnl_nlmsg_get_payload_len(h), 4);
		lua_rawseti(L, 5, ++count);
	}
	return 1;
}

/* socket:buffer(bytes): room for notifications; a small one forces overruns in tests */
int socket_buffer(lua_State *L)
{
	struct sock *s = check_socket(L);
	int bytes = (int)luaL_checkinteger(L, 2);
	if (setsockopt(mnl_socket_get_fd(s->nl), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		return push_errno(L, "monitor buffer", NULL, errno);
	lua_pushboolean(L, 1);
	return 1;
}
