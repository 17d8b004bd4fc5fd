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

struct dump {
	const struct object *object;
	int list, names;
	lua_Integer n;
	int error;
	bool interrupted;
	struct extack x;
};

/* Takes the messages of one receive; true when the dump is over. */
static bool take_dump(lua_State *L, struct sock *s, struct dump *d, ssize_t n)
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
		if (mnl_nlmsg_get_payload_len(h) < d->object->schema->head)
			continue;
		view_push(L, d->object, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
			  mnl_nlmsg_get_payload_len(h), d->names);
		lua_rawseti(L, d->list, ++d->n);
	}
	return false;
}

static int run_dump(lua_State *L, struct sock *s, struct dump *d, size_t at)
{
	struct nlmsghdr *h = (void *)(s->out->base + at);
	lua_Integer old = d->n;
	d->n = 0;
	d->interrupted = false;
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
		if (take_dump(L, s, d, n))
			break;
	}
	for (lua_Integer i = d->n + 1; i <= old; i++) { /* of a longer first try */
		lua_pushnil(L);
		lua_rawseti(L, d->list, i);
	}
	return d->error ? -1 : 0;
}

/*
 * socket:dump(object, filter) -> list of views | nil, message, code
 * The filter holds only what the kernel itself can filter by (family, table, proto, type, dev).
 */
int socket_dump(lua_State *L)
{
	enum {
		TRIES = 32
	};
	struct sock *s = check_socket(L);
	struct dump d = {.object = check_object(L, 2)};
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	names_new(L, 1);
	lua_newtable(L);
	d.names = 4;
	d.list = 5;
	s->out->length = 0;
	size_t at = begin_message(L, s, d.object->get, NLM_F_REQUEST | NLM_F_DUMP);
	struct encoder e = {.L = L, .out = s->out, .names = 4, .verb = VERB_DUMP};
	encode_message(&e, d.object->schema, 3);
	end_message(s, at);
	if (e.refused)
		return lacking(L, &e, d.object, "list");
	bool watched = d.object->schema == &schema_route && e.family != AF_INET;
	if (watched && start_watch(s) < 0)
		return refusal(L, NULL, errno, d.object, "list", s->out->base + e.start,
			       s->out->length - e.start, 4);
	for (int i = 0; i < TRIES; i++) {
		if (watched)
			changed(s);
		if (run_dump(L, s, &d, at) < 0)
			return refusal(L, &d.x, d.error, d.object, "list", s->out->base + e.start,
				       s->out->length - e.start, 4);
		if (!d.interrupted && !(watched && changed(s))) {
			lua_settop(L, 5);
			return 1;
		}
	}
	d.x.text = "changes came in between every time";
	d.x.text_length = strlen(d.x.text);
	return refusal(L, &d.x, EINTR, d.object, "list", s->out->base + e.start,
		       s->out->length - e.start, 4);
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
