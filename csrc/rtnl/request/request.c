/*
 * A netlink socket in one namespace: requests, dumps, notifications. It stays where it was made, so
 * that nobody has to be in the namespace but while it is made.
 */
#define _GNU_SOURCE
#include "rtnl/request/request.h"
#include "rtnl/codec/value.h"

#include "common/netlink.h"
#include "common/netns.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- life ------------------------------------------------------------------------------------ */

static void drop_held(struct sock *s)
{
	for (int i = 0; i < HELD_MAX; i++) {
		if (s->held[i] >= 0)
			close(s->held[i]);
		s->held[i] = -1;
	}
}

void shut(struct mnl_socket **nl)
{
	struct mnl_socket *old = *nl;
	*nl = NULL;
	if (old)
		mnl_socket_close(old);
}

static int socket_gc(lua_State *L)
{
	struct sock *s = luaL_checkudata(L, 1, RTNL_SOCKET);
	int ns = s->ns;
	s->ns = -1;
	shut(&s->nl);
	shut(&s->watch);
	shut(&s->other);
	drop_held(s);
	if (ns >= 0)
		close(ns);
	return 0;
}

void check_idle(lua_State *L, const struct sock *s)
{
	if (!s->busy)
		return;
	lua_pushliteral(L, "this handle is at work, and no finalizer or metamethod can use it "
			   "meanwhile");
	throw_at_caller(L);
}

static int socket_close(lua_State *L)
{
	check_idle(L, luaL_checkudata(L, 1, RTNL_SOCKET));
	return socket_gc(L);
}

/*
 * The methods that send and wait for answers, one at a time. Whatever allocates may run finalizers,
 * and one that came in between would take the answers, the buffer and the message of the other.
 */
static int exclusively(lua_State *L)
{
	struct sock *s = check_socket(L);
	check_idle(L, s);
	lua_pushvalue(L, 1); /* so that it stays while s is used */
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_rotate(L, 1, 2);
	s->busy = true;
	int failed = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	s->busy = false;
	if (failed)
		lua_error(L);
	return lua_gettop(L) - 1;
}

/* [] -> [function]: one of these, made of a function of the socket and more */
void push_exclusive(lua_State *L, lua_CFunction function)
{
	lua_pushcfunction(L, function);
	lua_pushcclosure(L, exclusively, 1);
}

struct sock *check_socket(lua_State *L)
{
	struct sock *s = luaL_checkudata(L, 1, RTNL_SOCKET);
	if (!s->nl) {
		lua_pushliteral(L, "this handle is closed");
		throw_at_caller(L);
	}
	return s;
}

static int make_socket(void *arg)
{
	(void)arg;
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* As much room for answers as we may have: every message of a batch may be refused (kernel.md 11).
 */
static void widen(int fd)
{
	int bytes = 4 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static int set_up(struct mnl_socket *nl, bool strict)
{
	int on = 1;
	widen(mnl_socket_get_fd(nl));
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));
	if (strict && mnl_socket_setsockopt(nl, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return -1;
	return netlink_connect(mnl_socket_get_fd(nl));
}

/* Opens one more socket in the handle's namespace; NULL with errno set. */
struct mnl_socket *open_in(int ns, bool strict)
{
	int fd = ns >= 0 ? netns_call(ns, make_socket, NULL) : make_socket(NULL);
	if (fd < 0)
		return NULL;
	struct mnl_socket *nl = mnl_socket_fdopen(fd);
	if (!nl) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	if (set_up(nl, strict) < 0) {
		int error = errno;
		mnl_socket_close(nl);
		errno = error;
		return NULL;
	}
	return nl;
}

ssize_t receive_from(struct mnl_socket *nl, uint8_t *buffer, size_t room)
{
	return netlink_receive(mnl_socket_get_fd(nl), buffer, room, 0);
}

ssize_t receive(struct sock *s)
{
	return receive_from(s->nl, s->buffer, RECEIVE_SIZE);
}

/* One receive with a big buffer before any dump: otherwise the kernel builds small messages and a
 * large multipath route silently ends the dump (kernel.md 2.2). A no-op with an ACK is enough. */
int warm(struct mnl_socket *nl, uint8_t *buffer, size_t room)
{
	struct nlmsghdr noop = {.nlmsg_len = NLMSG_HDRLEN,
				.nlmsg_type = NLMSG_NOOP,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
	if (mnl_socket_sendto(nl, &noop, sizeof(noop)) < 0)
		return -1;
	return receive_from(nl, buffer, room) < 0 ? -1 : 0;
}

/* rtnl.open(netns?) -> socket | nil, message, code */
int socket_open(lua_State *L)
{
	size_t length = 0;
	const char *ref = luaL_optlstring(L, 1, NULL, &length);
	luaL_argcheck(L, !ref || strlen(ref) == length, 1, "a zero byte inside");
	struct sock *s = lua_newuserdatauv(L, sizeof(*s), 2);
	memset(s, 0, sizeof(*s));
	s->ns = -1;
	for (int i = 0; i < HELD_MAX; i++)
		s->held[i] = -1;
	luaL_setmetatable(L, RTNL_SOCKET);
	s->out = arena_new(L);
	lua_setiuservalue(L, -2, 1);
	s->buffer = lua_newuserdatauv(L, RECEIVE_SIZE, 0);
	lua_setiuservalue(L, -2, 2);
	if (ref && (s->ns = netns_open(ref)) < 0) {
		int error = errno;
		lua_pushfstring(L, "open network namespace %s", ref);
		return push_errno(L, lua_tostring(L, -1),
				  error == EINVAL ? "not a network namespace" : NULL, error);
	}
	if (!(s->seq = netlink_sequence()) || !(s->nl = open_in(s->ns, true)) ||
	    warm(s->nl, s->buffer, RECEIVE_SIZE) < 0) {
		int error = errno;
		lua_pushfstring(L, "open netlink socket%s%s", ref ? " in namespace " : "",
				ref ? ref : "");
		return push_errno(L, lua_tostring(L, -1), NULL, error);
	}
	return 1;
}

/* --- requests -------------------------------------------------------------------------------- */

const struct verb_row verb_rows[] = {
	{"add", VERB_ADD, NLM_F_CREATE | NLM_F_EXCL},
	{"replace", VERB_ADD, NLM_F_CREATE | NLM_F_REPLACE},
	{"append", VERB_ADD, NLM_F_CREATE | NLM_F_APPEND},
	{"prepend", VERB_ADD, NLM_F_CREATE},
	{"change", VERB_ADD, NLM_F_REPLACE},
	{"set", VERB_ADD, 0},
	{"del", VERB_DEL, 0},
	{"get", VERB_GET, 0},
	/* what the kernel thinks of it: found or not, nothing is changed */
	{"try", VERB_ADD, NLM_F_REPLACE | NLM_F_EXCL},
	{NULL, VERB_ADD, 0},
};

const struct verb_row *verb_by_name(const char *name)
{
	const struct verb_row *v = verb_rows;
	while (v->name && strcmp(v->name, name) != 0)
		v++;
	return v->name ? v : NULL;
}

/* Whether it is refused where nothing is there yet. */
bool changes_only(const struct verb_row *verb)
{
	return verb->verb == VERB_ADD && !(verb->flags & NLM_F_CREATE);
}

/* Whether IPv6 may make one route of this and of what is there, and ought to tell of which. */
bool may_join(const struct verb_row *verb, const struct encoder *e, const struct object *object)
{
	return object->schema == &schema_route && e->family == AF_INET6 && verb->verb == VERB_ADD &&
	       !(verb->flags & (NLM_F_EXCL | NLM_F_REPLACE));
}

const struct object *check_object(lua_State *L, int index)
{
	const struct object *o = object_by_name(luaL_checkstring(L, index));
	if (!o) {
		lua_pushfstring(L, "%s: no kind of object", lua_tostring(L, index));
		throw_at_caller(L);
	}
	return o;
}

/* Starts a message in the arena; returns its offset. */
size_t begin_message(lua_State *L, struct sock *s, uint16_t type, uint16_t flags)
{
	size_t at = s->out->length;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = ++s->seq};
	memcpy(arena_room(L, s->out, NLMSG_HDRLEN), &h, sizeof(h));
	return at;
}

void end_message(struct sock *s, size_t at)
{
	uint32_t length = (uint32_t)(s->out->length - at);
	memcpy(s->out->base + at, &length, sizeof(length));
}

/* Appends what words say that are typed after `ip OBJECT VERB`. */
static void encode_words(lua_State *L, struct encoder *e, const struct object *object, int value)
{
	size_t length;
	const char *text = lua_tolstring(L, value, &length);
	struct arena *bytes = arena_new(L);
	struct value part;
	if (!parse_words(L, bytes, object, text, length, &part)) {
		lua_pushfstring(L, "%s: %s", object->schema->name, lua_tostring(L, -1));
		throw_at_caller(L);
	}
	encode_part(e, object->schema, bytes, &part);
	arena_free(bytes);
	lua_pop(L, 1);
}

static void encode_given(lua_State *L, struct encoder *e, const struct object *object, int value)
{
	struct view *v = view_test(L, value);
	if (lua_type(L, value) == LUA_TSTRING) {
		encode_words(L, e, object, value);
		return;
	}
	if (v) {
		bool same_kernel;
		view_names(L, value);
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

/* Appends what a script gave: a table, a view, or the words typed after `ip OBJECT VERB`. */
void encode_value(lua_State *L, struct encoder *e, const struct object *object, int value)
{
	e->refused = e->dropped = 0;
	e->may_drop = true;
	encode_given(L, e, object, value);
	check_fit(e, object->schema);
}

static int send_out(struct sock *s, size_t at)
{
	return mnl_socket_sendto(s->nl, s->out->base + at, s->out->length - at) < 0 ? -1 : 0;
}

/* Reads answers until the ACK or error of `seq`; a message that comes before it is pushed as a view
 * (the last one). */
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
			if (mnl_nlmsg_get_payload_len(h) < object->schema->head)
				continue;
			if (*answered)
				lua_pop(L, 1);
			view_push(L, object, h->nlmsg_type, h->nlmsg_flags,
				  mnl_nlmsg_get_payload(h), mnl_nlmsg_get_payload_len(h), names);
			*answered = true;
		}
	}
}

/* The first message that answers the request `seq`; what is left of an earlier one, which a Lua
 * error cut short, is passed over. NULL with errno set. */
const struct nlmsghdr *answer_to(struct sock *s, uint32_t seq)
{
	for (;;) {
		const struct nlmsghdr *h = (void *)s->buffer;
		ssize_t n = receive(s);
		if (n < 0)
			return NULL;
		int left = (int)n;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			if (h->nlmsg_seq == seq)
				return h;
	}
}

/* The one message that answers a "get": there is no ACK behind it. -> view | nil, message, code */
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
	else if (mnl_nlmsg_get_payload_len(h) < answer->schema->head)
		error = EBADMSG;
	if (!h || error)
		return refusal(L, &x, error, object, "get", s->out->base + e->start,
			       s->out->length - e->start, e->names);
	view_push(L, answer, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
		  mnl_nlmsg_get_payload_len(h), e->names);
	return 1;
}

/*
 * socket:request(object, verb, value) -> true | view | nil, message, code
 * `verb` says which flags go along; "get" answers with what was asked for; new next-hop objects
 * come back as a second value, since the kernel may have chosen their numbers.
 */
static int socket_request(lua_State *L)
{
	struct sock *s = check_socket(L);
	const struct object *object = check_object(L, 2), *answer = object;
	const struct verb_row *verb = verb_by_name(luaL_checkstring(L, 3));
	struct extack x = {.text = NULL};
	int error = 0;
	bool answered, get, echo;

	if (!verb)
		return luaL_argerror(L, 3, "unknown verb");
	lua_settop(L, 4);
	names_new(L, 1);
	get = verb->verb == VERB_GET;
	/* a replaced group would be echoed with every route on it, more than any buffer holds */
	echo = verb->verb == VERB_ADD && !(verb->flags & NLM_F_REPLACE) &&
	       strcmp(object->name, "nexthop") == 0;
	uint16_t type = get ? object->get : verb->verb == VERB_DEL ? object->del : object->add;
	if (strcmp(object->name, "flow") == 0)
		answer = object_by_name("route");
	drop_held(s);
	s->out->length = 0;
	size_t at = begin_message(L, s, type,
				  (uint16_t)(NLM_F_REQUEST | (get ? 0 : NLM_F_ACK | verb->flags) |
					     (echo ? NLM_F_ECHO : 0)));
	struct encoder e = {.L = L, .out = s->out, .names = 5, .verb = verb->verb, .held = s->held};
	e.held_only = changes_only(verb);
	encode_value(L, &e, object, 4);
	end_message(s, at);
	if (e.refused)
		return lacking(L, &e, object, verb->name);
	if (may_join(verb, &e, object))
		((struct nlmsghdr *)(void *)(s->out->base + at))->nlmsg_flags |= NLM_F_ECHO;
	uint32_t seq = s->seq;
	if (send_out(s, at) < 0)
		return refusal(L, NULL, errno, object, verb->name, s->out->base + e.start,
			       s->out->length - e.start, 5);
	if (get)
		return take_answer(L, s, &e, object, answer);
	int failed = await(L, s, seq, answer, 5, &x, &error, &answered);
	drop_held(s);
	if (failed)
		return refusal(L, &x, error, object, verb->name, s->out->base + e.start,
			       s->out->length - e.start, 5);
	lua_pushboolean(L, 1);
	if (answered)
		lua_insert(L, -2);
	return answered ? 2 : 1;
}

static int socket_fd(lua_State *L)
{
	lua_pushinteger(L, mnl_socket_get_fd(check_socket(L)->nl));
	return 1;
}

/* socket:netns() -> descriptor of the namespace it was opened in, or nil for the process's own */
static int socket_netns(lua_State *L)
{
	struct sock *s = check_socket(L);
	if (s->ns < 0)
		return 0;
	lua_pushinteger(L, s->ns);
	return 1;
}

static int socket_tostring(lua_State *L)
{
	struct sock *s = luaL_checkudata(L, 1, RTNL_SOCKET);
	lua_pushstring(L, s->nl ? "rtnl socket" : "rtnl socket (closed)");
	return 1;
}

static const luaL_Reg exclusive[] = {
	{"request", socket_request}, {"dump", socket_dump}, {"batch", socket_batch},
	{"receive", socket_receive}, {NULL, NULL},
};

static const luaL_Reg methods[] = {
	{"subscribe", socket_subscribe},
	{"buffer", socket_buffer},
	{"fd", socket_fd},
	{"netns", socket_netns},
	{"sharing", socket_sharing},
	{"close", socket_close},
	{NULL, NULL},
};

static const luaL_Reg metamethods[] = {
	{"__gc", socket_gc},
	{"__close", socket_close},
	{"__tostring", socket_tostring},
	{NULL, NULL},
};

void socket_register(lua_State *L)
{
	luaL_newmetatable(L, RTNL_SOCKET);
	luaL_setfuncs(L, metamethods, 0);
	luaL_newlib(L, methods);
	for (const luaL_Reg *m = exclusive; m->name; m++) {
		push_exclusive(L, m->func);
		lua_setfield(L, -2, m->name);
	}
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	sharing_register(L);
}
