/*
 * Opens and uses rtnetlink sockets. A socket stays in the network namespace that it was opened in,
 * so a thread enters that namespace only to open it.
 */
#define _GNU_SOURCE
#include "rtnl/netlink/socket.h"

#include "common/netlink.h"
#include "common/netns.h"
#include "rtnl/base/error.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/export.h"

int count_netns_fds(const struct sock *s)
{
	int n = 0;
	while (n < NETNS_FDS_MAX && s->netns_fds[n] >= 0)
		n++;
	return n;
}

void close_netns_fds(struct sock *s, int from)
{
	for (int i = from; i < NETNS_FDS_MAX && s->netns_fds[i] >= 0; i++) {
		close(s->netns_fds[i]);
		s->netns_fds[i] = -1;
	}
}

void close_socket(struct mnl_socket **nl)
{
	struct mnl_socket *old = *nl;
	*nl = NULL;
	if (old)
		mnl_socket_close(old);
}

int socket_gc(lua_State *L)
{
	struct sock *s = luaL_checkudata(L, 1, RTNL_SOCKET);
	int ns = s->ns;
	s->ns = -1;
	close_socket(&s->nl);
	close_socket(&s->watch);
	close_socket(&s->other);
	close_netns_fds(s, 0);
	if (ns >= 0)
		close(ns);
	return 0;
}

int socket_close(lua_State *L)
{
	struct sock *s = luaL_checkudata(L, 1, RTNL_SOCKET);
	guard_check(L, &s->guard);
	return socket_gc(L);
}

/* Calls a method that sends or receives, with the socket guarded against re-entry. */
static int call_guarded(lua_State *L)
{
	struct sock *s = check_socket(L);
	guard_check(L, &s->guard);
	s->names = NULL;
	return guard_call(L, &s->guard, lua_tocfunction(L, lua_upvalueindex(1)));
}

/* [] -> [function]: the method with that guard */
void push_guarded(lua_State *L, lua_CFunction function)
{
	lua_pushcfunction(L, function);
	lua_pushcclosure(L, call_guarded, 1);
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

/* A large SO_RCVBUF: every message of a batch may be answered with an error. */
static void set_receive_buffer(int fd)
{
	int bytes = 4 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static int set_up(struct mnl_socket *nl, bool strict)
{
	set_receive_buffer(mnl_socket_get_fd(nl));
	return netlink_set_up(mnl_socket_get_fd(nl), strict);
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

/* The kernel sizes dump messages by the largest receive so far, and a multipath route larger than
 * such a message ends a dump without an error. So one ACK is received with the full buffer first.
 */
int prime_receive(struct mnl_socket *nl, uint8_t *buffer, size_t room)
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
	s->guard.what = "this handle";
	s->ns = -1;
	for (int i = 0; i < NETNS_FDS_MAX; i++)
		s->netns_fds[i] = -1;
	luaL_setmetatable(L, RTNL_SOCKET);
	s->out = buffer_new(L);
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
	    prime_receive(s->nl, s->buffer, RECEIVE_SIZE) < 0) {
		int error = errno;
		lua_pushfstring(L, "open netlink socket%s%s", ref ? " in namespace " : "",
				ref ? ref : "");
		return push_errno(L, lua_tostring(L, -1), NULL, error);
	}
	return 1;
}

/* Starts a message in the buffer; returns its offset. */
size_t begin_message(lua_State *L, struct sock *s, uint16_t type, uint16_t flags)
{
	size_t at = s->out->length;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = ++s->seq};
	memcpy(buffer_room(L, s->out, NLMSG_HDRLEN), &h, sizeof(h));
	return at;
}

void end_message(struct sock *s, size_t at)
{
	uint32_t length = (uint32_t)(s->out->length - at);
	memcpy(s->out->base + at, &length, sizeof(length));
}

/* The first message that answers the request `seq`. Answers to an earlier one, which a Lua error
 * interrupted, are skipped. NULL with errno set. */
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

int socket_fd(lua_State *L)
{
	lua_pushinteger(L, mnl_socket_get_fd(check_socket(L)->nl));
	return 1;
}

/* socket:netns() -> descriptor of the namespace it was opened in, or nil for the process's own */
int socket_netns(lua_State *L)
{
	struct sock *s = check_socket(L);
	if (s->ns < 0)
		return 0;
	lua_pushinteger(L, s->ns);
	return 1;
}

int socket_tostring(lua_State *L)
{
	struct sock *s = luaL_checkudata(L, 1, RTNL_SOCKET);
	lua_pushstring(L, s->nl ? "rtnl socket" : "rtnl socket (closed)");
	return 1;
}
