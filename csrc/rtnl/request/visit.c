/*
 * Sends a few requests in a network namespace that is opened and closed within one call, so that no
 * open descriptor keeps the namespace alive.
 */
#define _GNU_SOURCE
#include "common/io.h"
#include "common/netlink.h"
#include "common/netns.h"
#include "rtnl/base/buffer.h"
#include "rtnl/base/error.h"
#include "rtnl/netlink/extack.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/request/request.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/export.h"

enum {
	REPLIES_SIZE = 256 * 1024, /* of all answers in one call */
	MOST_REQUESTS = 4096,	   /* more than the next hops of any route */
};

static const char BUFFER = 0; /* key of the buffer in the registry */

struct request {
	const uint8_t *bytes;
	size_t length;
	size_t end; /* of its answer in the buffer */
};

struct visit {
	struct request *requests;
	size_t count, done;
	const char *expected; /* answer to the first request, or NULL */
	size_t expected_length;
	bool differs;
	uint8_t *buffer;
	size_t used;
	uint32_t seq;
	int error;
	bool replied; /* to the last request, by the error message at `reply` in the buffer */
	size_t reply;
};

/* --- in the namespace, where nothing may use Lua -----------------------------------------------
 */

static int send_request(int fd, const struct request *r, uint32_t seq, uint8_t *copy)
{
	struct nlmsghdr h;

	memcpy(copy, r->bytes, r->length);
	memcpy(&h, copy, sizeof(h));
	h.nlmsg_seq = seq;
	memcpy(copy, &h, sizeof(h));
	return send(fd, copy, r->length, 0) < 0 ? -1 : 0;
}

/* Appends one datagram to the buffer; 1 when the answer is complete, -1 with an error. */
static int take(struct visit *v, int fd)
{
	ssize_t n = netlink_receive(fd, v->buffer + v->used, REPLIES_SIZE - v->used, 0);
	size_t from = v->used, to;
	int left = (int)n;

	if (n < 0)
		return -1;
	to = from + (size_t)n;
	for (const struct nlmsghdr *h = (void *)(v->buffer + from); mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		struct extack x;
		int error = 0;

		if (h->nlmsg_seq != v->seq)
			continue;
		if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE)
			continue;
		/* the answer ends before the ACK or NLMSG_DONE */
		v->reply = (size_t)((const uint8_t *)h - v->buffer);
		v->replied = true;
		v->used = v->reply;
		if (!read_extack(h, &x, &error))
			error = EBADMSG;
		errno = error;
		return error ? -1 : 1;
	}
	v->used = to;
	return 0;
}

/* Sequence number and port differ each time and are no part of the answer. */
static void mask(struct visit *v, size_t from)
{
	int left = (int)(v->used - from);

	for (struct nlmsghdr *h = (void *)(v->buffer + from); mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		h->nlmsg_seq = 0;
		h->nlmsg_pid = 0;
	}
}

static int answer(struct visit *v, int fd, struct request *r)
{
	size_t from = v->used;
	int done = 0;

	v->replied = false;
	/* the request is copied to where its answer will be */
	if (r->length > REPLIES_SIZE - v->used) {
		errno = EMSGSIZE;
		return -1;
	}
	if (send_request(fd, r, ++v->seq, v->buffer + v->used) < 0)
		return -1;
	while (!done)
		if ((done = take(v, fd)) < 0)
			return -1;
	mask(v, from);
	r->end = v->used;
	return 0;
}

static bool as_expected(const struct visit *v)
{
	return !v->expected ||
	       (v->used == v->expected_length && memcmp(v->buffer, v->expected, v->used) == 0);
}

static int open_here(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || netlink_set_up(fd, true) == 0)
		return fd;
	return close_keeping_errno(fd, -1);
}

static int ask_all(void *arg)
{
	struct visit *v = arg;
	int fd = open_here(), result = 0;

	if (fd < 0) {
		v->error = errno;
		return -1;
	}
	while (result == 0 && !v->differs && v->done < v->count) {
		result = answer(v, fd, &v->requests[v->done]);
		if (result < 0)
			v->error = errno;
		else if (v->done++ == 0)
			v->differs = !as_expected(v);
	}
	close(fd);
	return result;
}

/* --- in Lua ------------------------------------------------------------------------------------
 */

/* [] -> []; the buffer of this Lua state */
static uint8_t *reply_buffer(lua_State *L)
{
	uint8_t *buffer;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &BUFFER) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newuserdatauv(L, REPLIES_SIZE, 0);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &BUFFER);
	}
	buffer = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return buffer;
}

/* [] -> [requests]; their strings stay in the list at 2 */
static void read_requests(lua_State *L, struct visit *v)
{
	lua_Integer count = luaL_len(L, 2);

	luaL_argcheck(L, count >= 1 && count <= MOST_REQUESTS, 2, "number of requests");
	v->count = (size_t)count;
	v->requests = lua_newuserdatauv(L, v->count * sizeof(*v->requests), 0);
	for (size_t i = 0; i < v->count; i++) {
		struct request *r = &v->requests[i];
		struct nlmsghdr h;

		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "a request is bytes");
		r->bytes = (const uint8_t *)lua_tolstring(L, -1, &r->length);
		luaL_argcheck(L, r->length >= sizeof(h), 2, "shorter than its header");
		memcpy(&h, r->bytes, sizeof(h));
		luaL_argcheck(L, h.nlmsg_len == r->length, 2, "its length lies");
		r->end = 0;
		lua_pop(L, 1);
	}
}

/* -> nil, message, code, number of the request */
static int visit_failed(lua_State *L, const struct visit *v, const char *ref)
{
	struct extack x = {.text = NULL};
	int error = v->error;

	if (v->replied && !read_extack((const void *)(v->buffer + v->reply), &x, &error))
		error = v->error;
	lua_pushfstring(L, "request %d in namespace %s", (int)v->done + 1, ref);
	push_errno(L, lua_tostring(L, -1), x.text, error);
	lua_pushinteger(L, (lua_Integer)v->done + 1);
	return 4;
}

/*
 * rtnl.visit(netns, requests [, expected]) -> answers | false, answer | nil, message, code, number
 * Sends requests made by rtnl.message one after the other. An answer is the bytes of all messages
 * before the ACK, "" for a change. Ends at the first error, and after the first request where its
 * answer differs from `expected`.
 */
int rtnl_visit(lua_State *L)
{
	struct visit v = {.requests = NULL};
	const char *ref = luaL_checkstring(L, 1);
	size_t from = 0;
	int ns, result;

	luaL_checktype(L, 2, LUA_TTABLE);
	v.expected = luaL_optlstring(L, 3, NULL, &v.expected_length);
	lua_settop(L, 3);
	v.buffer = reply_buffer(L);
	read_requests(L, &v);
	ns = netns_open(ref);
	if (ns >= 0) {
		v.seq = netlink_sequence();
		result = v.seq ? netns_call(ns, ask_all, &v) : -1;
		if (result < 0 && !v.error)
			v.error = errno;
		close(ns);
	} else {
		v.error = errno;
		result = -1;
	}
	if (result < 0)
		return visit_failed(L, &v, ref);
	if (v.differs) {
		lua_pushboolean(L, false);
		lua_pushlstring(L, (const char *)v.buffer, v.used);
		return 2;
	}
	lua_createtable(L, (int)v.count, 0);
	for (size_t i = 0; i < v.count; from = v.requests[i++].end) {
		lua_pushlstring(L, (const char *)v.buffer + from, v.requests[i].end - from);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/*
 * rtnl.message(object, verb, value) -> bytes: the request of a verb, without a kernel. Devices are
 * numbers. The verb "list" makes a dump of what `value` filters by.
 */
int rtnl_message(lua_State *L)
{
	const struct object *o = check_object(L, 1);
	const char *word = luaL_checkstring(L, 2);
	bool list = strcmp(word, "list") == 0;
	const struct verb_flags *verb = list ? NULL : verb_by_name(word);
	struct encoder e = {.L = L, .names = 4};
	struct nlmsghdr h = {.nlmsg_flags = NLM_F_REQUEST};

	luaL_argcheck(L, list || (verb && verb->verb != VERB_GET), 2, "unknown verb");
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	ifnames_new(L, 0);
	e.out = buffer_new(L);
	e.verb = list ? VERB_DUMP : verb->verb;
	memcpy(buffer_room(L, e.out, NLMSG_HDRLEN), &h, sizeof(h));
	encode_message(&e, o->schema, 3);
	h.nlmsg_len = (uint32_t)e.out->length;
	h.nlmsg_type = list ? o->get : verb->verb == VERB_DEL ? o->del : o->add;
	h.nlmsg_flags |= (uint16_t)(list ? NLM_F_DUMP : NLM_F_ACK | verb->flags);
	memcpy(e.out->base, &h, sizeof(h));
	lua_pushlstring(L, (const char *)e.out->base, e.out->length);
	buffer_free(e.out);
	return 1;
}
