/*
 * Sends one request and reads its answer; the netlink flags of each verb.
 */
#define _GNU_SOURCE
#include "rtnl/request/request.h"

#include "rtnl/base/error.h"
#include "rtnl/netlink/extack.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/text/parser.h"
#include "rtnl/view/error_message.h"
#include "rtnl/view/view.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

const struct verb_flags verb_table[] = {
	{"add", VERB_ADD, NLM_F_CREATE | NLM_F_EXCL},
	{"replace", VERB_ADD, NLM_F_CREATE | NLM_F_REPLACE},
	{"append", VERB_ADD, NLM_F_CREATE | NLM_F_APPEND},
	{"prepend", VERB_ADD, NLM_F_CREATE},
	{"change", VERB_ADD, NLM_F_REPLACE},
	{"set", VERB_ADD, 0},
	{"del", VERB_DEL, 0},
	{"get", VERB_GET, 0},
	/* NLM_F_REPLACE with NLM_F_EXCL: the kernel answers whether it exists, and changes nothing
	 */
	{"try", VERB_ADD, NLM_F_REPLACE | NLM_F_EXCL},
	{NULL, VERB_ADD, 0},
};

const struct verb_flags *verb_by_name(const char *name)
{
	const struct verb_flags *v = verb_table;
	while (v->name && strcmp(v->name, name) != 0)
		v++;
	return v->name ? v : NULL;
}

/* Whether the verb fails where the object does not exist. */
bool changes_only(const struct verb_flags *verb)
{
	return verb->verb == VERB_ADD && !(verb->flags & NLM_F_CREATE);
}

/* Whether IPv6 may join the route to an existing one; NLM_F_ECHO reports the result. */
bool may_join(const struct verb_flags *verb, const struct encoder *e, const struct object *object)
{
	return object->schema == &schema_route && e->family == AF_INET6 && verb->verb == VERB_ADD &&
	       !(verb->flags & (NLM_F_EXCL | NLM_F_REPLACE));
}

/* Encodes the arguments of `ip OBJECT VERB`. */
static void encode_words(lua_State *L, struct encoder *e, const struct object *object, int value)
{
	size_t length;
	const char *text = lua_tolstring(L, value, &length);
	struct buffer *bytes = buffer_new(L);
	struct value part;
	if (!parse_words(L, bytes, NULL, object, text, length, &part)) {
		lua_pushfstring(L, "%s: %s", object->schema->name, lua_tostring(L, -1));
		throw_at_caller(L);
	}
	encode_part(e, object->schema, bytes, &part);
	buffer_free(bytes);
	lua_pop(L, 1);
}

static void encode_any(lua_State *L, struct encoder *e, const struct object *object, int value)
{
	struct view *v = view_test(L, value);
	if (lua_type(L, value) == LUA_TSTRING) {
		encode_words(L, e, object, value);
		return;
	}
	if (v) {
		bool same_kernel;
		view_ifnames(L, value);
		lua_rawgeti(L, -1, 0);
		lua_rawgeti(L, e->names, 0);
		same_kernel = lua_rawequal(L, -1, -2) && lua_isuserdata(L, -1);
		lua_pop(L, 3);
		if (same_kernel && v->object->schema == object->schema &&
		    object->schema != &schema_link) {
			encode_view(e, object->schema, v->data, v->length);
			return;
		}
		lua_getfield(L, value, "copy");
		lua_pushvalue(L, value);
		lua_call(L, 1, 1);
		lua_replace(L, value);
	}
	encode_message(e, object->schema, value);
}

/* Encodes the value of a request: a table, a view, or the arguments of `ip OBJECT VERB`. */
void encode_value(lua_State *L, struct encoder *e, const struct object *object, int value)
{
	e->missing_errno = e->dropped = 0;
	e->may_drop = true;
	encode_any(L, e, object, value);
	check_dump_limit(e, object->schema);
}

static int send_out(struct sock *s, size_t at)
{
	return mnl_socket_sendto(s->nl, s->out->base + at, s->out->length - at) < 0 ? -1 : 0;
}

/* Reads answers until the ACK or error of `seq`; the last message before it is pushed as a view. */
static int await(lua_State *L, struct sock *s, uint32_t seq, const struct object *object, int names,
		 struct extack *x, int *error, bool *answered)
{
	*answered = false;
	for (;;) {
		ssize_t n = receive(s);
		if (n < 0) {
			*error = errno;
			return -1;
		}
		int left = (int)n;
		for (const struct nlmsghdr *h = (void *)s->buffer; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				if (!read_extack(h, x, error))
					*error = EBADMSG;
				return *error ? -1 : 0;
			}
			if (mnl_nlmsg_get_payload_len(h) < object->schema->header_size)
				continue;
			if (*answered)
				lua_pop(L, 1);
			view_push(L, object, h->nlmsg_type, h->nlmsg_flags,
				  mnl_nlmsg_get_payload(h), mnl_nlmsg_get_payload_len(h), names);
			*answered = true;
		}
	}
}

int push_sent_error(lua_State *L, const struct sock *s, const struct encoder *e,
		    const struct object *object, const char *verb, const struct extack *x,
		    int error)
{
	return push_kernel_error(L, x, error, object, verb, s->out->base + e->start,
				 s->out->length - e->start, e->names);
}

/* The one message that answers a "get", without an ACK. -> view | nil, message, code */
static int take_answer(lua_State *L, struct sock *s, const struct encoder *e,
		       const struct object *object, const struct object *answer)
{
	struct extack x = {.text = NULL};
	int error = 0;
	const struct nlmsghdr *h = answer_to(s, s->seq);
	if (!h)
		error = errno;
	else if (h->nlmsg_type == NLMSG_ERROR)
		read_extack(h, &x, &error);
	else if (mnl_nlmsg_get_payload_len(h) < answer->schema->header_size)
		error = EBADMSG;
	if (!h || error)
		return push_sent_error(L, s, e, object, "get", &x, error);
	view_push(L, answer, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
		  mnl_nlmsg_get_payload_len(h), e->names);
	return 1;
}

/*
 * socket:request(object, verb, value) -> true | view | nil, message, code
 * "get" returns what was requested. A new next-hop object is a second result, since the kernel may
 * have chosen its id.
 */
int socket_request(lua_State *L)
{
	struct sock *s = check_socket(L);
	const struct object *object = check_object(L, 2), *answer = object;
	const struct verb_flags *verb = verb_by_name(luaL_checkstring(L, 3));
	struct extack x = {.text = NULL};
	int error = 0;
	bool answered, get, echo;

	if (!verb)
		return luaL_argerror(L, 3, "unknown verb");
	lua_settop(L, 4);
	ifnames_new(L, 1);
	s->names = lua_topointer(L, 5);
	get = verb->verb == VERB_GET;
	/* the echo of a replaced group has every route that uses it, more than any buffer holds */
	echo = verb->verb == VERB_ADD && !(verb->flags & NLM_F_REPLACE) &&
	       strcmp(object->name, "nexthop") == 0;
	uint16_t type = get ? object->get : verb->verb == VERB_DEL ? object->del : object->add;
	if (strcmp(object->name, "flow") == 0)
		answer = object_by_name("route");
	close_netns_fds(s, 0);
	s->out->length = 0;
	size_t at = begin_message(L, s, type,
				  (uint16_t)(NLM_F_REQUEST | (get ? 0 : NLM_F_ACK | verb->flags) |
					     (echo ? NLM_F_ECHO : 0)));
	struct encoder e = {
		.L = L, .out = s->out, .names = 5, .verb = verb->verb, .netns_fds = s->netns_fds};
	e.existing_only = changes_only(verb);
	encode_value(L, &e, object, 4);
	end_message(s, at);
	if (e.missing_errno)
		return push_missing(L, &e, object, verb->name);
	if (may_join(verb, &e, object))
		((struct nlmsghdr *)(void *)(s->out->base + at))->nlmsg_flags |= NLM_F_ECHO;
	uint32_t seq = s->seq;
	if (send_out(s, at) < 0)
		return push_sent_error(L, s, &e, object, verb->name, NULL, errno);
	if (get)
		return take_answer(L, s, &e, object, answer);
	int failed = await(L, s, seq, answer, 5, &x, &error, &answered);
	close_netns_fds(s, 0);
	if (failed)
		return push_sent_error(L, s, &e, object, verb->name, &x, error);
	lua_pushboolean(L, 1);
	if (answered)
		lua_insert(L, -2);
	return answered ? 2 : 1;
}
